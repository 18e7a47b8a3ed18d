"""Schur's and Hessenberg's forms, and equations with matrices on both sides, against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg as theirs

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, NotDifferentiableError, ShapeError
from tests.frontend.agree import near
from tests.frontend.test_linalg import DTYPES, TOLERANCE, adjoint, both, check, check_derivatives, matrices

linalg = rosin.scipy.linalg
over_dtypes = pytest.mark.parametrize(
    "dtype", ["float64", *(pytest.param(d, marks=pytest.mark.slow) for d in DTYPES if d != "float64")]
)


def stable(dtype: str, *shape: int, seed: int = 0) -> Any:
    """Matrices whose eigenvalues have positive real parts."""
    x = matrices(dtype, *shape, seed=seed)
    return (x + 2 * np.sqrt(shape[-1]) * np.eye(shape[-1])).astype(dtype)


# -- forms -------------------------------------------------------------------------------------------------------------


@over_dtypes
@pytest.mark.parametrize("shape", [(1, 1), (2, 5, 5), (40, 40), (0, 0)])
def test_schur(dtype: str, shape: tuple[int, ...]) -> None:
    a, tolerance = matrices(dtype, *shape), TOLERANCE[dtype] * 10
    for output in ("real", "complex"):
        for t, z in both(lambda x, o=output: linalg.schur(x, o), a):
            t, z = np.asarray(t), np.asarray(z)
            assert np.iscomplexobj(t) == (output == "complex" or np.iscomplexobj(a))
            np.testing.assert_array_equal(np.tril(t, -1 if np.iscomplexobj(t) else -2), 0)
            near(rnp.asarray(z @ t @ adjoint(z)), a.astype(t.dtype), tolerance)
            near(rnp.asarray(z @ adjoint(z)), np.broadcast_to(np.eye(shape[-1], dtype=t.dtype), shape), tolerance)
    if shape == (40, 40):
        # LAPACK finds both: the same numbers.
        expected = theirs.schur(a, output="real")
        check(linalg.schur, a, expected=list(expected), tolerance=tolerance * 100)


@over_dtypes
@pytest.mark.parametrize("shape", [(1, 1), (3, 6, 6), (20, 20), (0, 0)])
def test_hessenberg(dtype: str, shape: tuple[int, ...]) -> None:
    a, tolerance = matrices(dtype, *shape), TOLERANCE[dtype] * 10
    for h, q in both(lambda x: linalg.hessenberg(x, calc_q=True), a):
        h, q = np.asarray(h), np.asarray(q)
        np.testing.assert_array_equal(np.tril(h, -2), 0)
        near(rnp.asarray(q @ h @ adjoint(q)), a, tolerance)
        near(rnp.asarray(q @ adjoint(q)), np.broadcast_to(np.eye(shape[-1], dtype=a.dtype), shape), tolerance)
        if not np.iscomplexobj(a) and len(shape) == 2 and shape[0]:
            near(rnp.asarray(h), np.asarray(theirs.hessenberg(a)), tolerance * 10)


@pytest.mark.slow
def test_hessenberg_leaves_what_has_the_form_and_keeps_derivatives_finite() -> None:
    a = np.triu(matrices("float64", 5, 5), -1)
    for function in (linalg.hessenberg, rosin.compile(linalg.hessenberg)):
        np.testing.assert_array_equal(np.asarray(function(rnp.asarray(a))), a)

    def total(x: Any) -> Any:
        h: Any = linalg.hessenberg(x)
        return rnp.sum(h)

    gradient = rosin.grad(total)(rnp.asarray(a))
    assert np.isfinite(np.asarray(gradient)).all()


# -- equations ---------------------------------------------------------------------------------------------------------


@over_dtypes
@pytest.mark.parametrize(("m", "n"), [(3, 4), (1, 2), (30, 20)])
def test_sylvester(dtype: str, m: int, n: int) -> None:
    a, b, q = stable(dtype, m, m), stable(dtype, n, n, seed=1), matrices(dtype, m, n)
    tolerance = TOLERANCE[dtype] * 10
    check(linalg.solve_sylvester, a, b, q, expected=theirs.solve_sylvester(a, b, q), tolerance=tolerance)
    # Leading axes broadcast.
    many = np.stack([a, 2 * a])
    expected = np.stack([theirs.solve_sylvester(x, b, q) for x in many])
    check(linalg.solve_sylvester, many, b, q, expected=expected, tolerance=tolerance)
    batched = rosin.vmap(linalg.solve_sylvester, in_axes=(0, None, None))
    check(batched, many, b, q, expected=expected, tolerance=tolerance)


@over_dtypes
def test_lyapunov(dtype: str) -> None:
    a, q, tolerance = stable(dtype, 12, 12), matrices(dtype, 12, 12), TOLERANCE[dtype] * 10
    check(linalg.solve_continuous_lyapunov, a, q, expected=theirs.solve_continuous_lyapunov(a, q), tolerance=tolerance)
    small = (a / 20).astype(dtype)
    expected = theirs.solve_discrete_lyapunov(small, q)
    check(linalg.solve_discrete_lyapunov, small, q, expected=expected.astype(dtype), tolerance=tolerance * 10)


def test_equations_without_a_solution_give_nans() -> None:
    a = rnp.asarray(np.diag([1.0, 2.0]))
    for function in (linalg.solve_sylvester, rosin.compile(linalg.solve_sylvester)):
        assert np.isnan(np.asarray(function(a, -a, a))).all()
        # It says nothing of others in the stack.
        found = np.asarray(function(rnp.stack([a, a]), rnp.stack([-a, a]), rnp.stack([a, a])))
        assert np.isnan(found[0]).all()
        np.testing.assert_allclose(found[1], np.eye(2) / 2)


@over_dtypes
def test_eigenvalues_of_tridiagonal_matrices(dtype: str) -> None:
    d, e = np.real(matrices(dtype, 3, 9)), matrices(dtype, 3, 8, seed=1)
    whole = np.stack([np.diag(x) + np.diag(y, -1) + np.diag(y.conj(), 1) for x, y in zip(d, e, strict=True)])
    tolerance = TOLERANCE[dtype] * 10
    check(linalg.eigvalsh_tridiagonal, d, e, expected=np.linalg.eigvalsh(whole), tolerance=tolerance)
    for w, v in both(linalg.eigh_tridiagonal, d, e):
        near(rnp.asarray(np.asarray(v) * np.asarray(w)[:, None] @ adjoint(np.asarray(v))), whole, tolerance)
    if not np.iscomplexobj(e):
        near(linalg.eigvalsh_tridiagonal(d[0], e[0]), theirs.eigvalsh_tridiagonal(d[0], e[0]), tolerance)
    one = linalg.eigvalsh_tridiagonal(rnp.asarray([3.0]), rnp.zeros((0,)))
    np.testing.assert_array_equal(np.asarray(one), [3.0])


# -- derivatives ---------------------------------------------------------------------------------------------------


def _schur_without_phases(a: Any) -> Any:
    t, z = linalg.schur(a, "complex")
    # Projections on the spaces of the first columns do not depend on phases.
    return [rnp.abs(t), *(z[:, :k] @ rnp.conj(z[:, :k]).T for k in (1, 2, 3))]


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    "by the left": (lambda a: linalg.solve_sylvester(a, a[:2, :2], a[:, :2] ** 2), lambda d: stable(d, 3, 3)),
    "by the right": (lambda b: linalg.solve_sylvester(b[:2, :2] * 2, b, b[:2]), lambda d: stable(d, 3, 3)),
    "continuous": (lambda a: linalg.solve_continuous_lyapunov(a, a @ a), lambda d: stable(d, 2, 3, 3)),
    "discrete": (lambda a: linalg.solve_discrete_lyapunov(a / 9, a @ a), lambda d: stable(d, 3, 3)),
    "hessenberg": (lambda a: rnp.stack([*linalg.hessenberg(a, calc_q=True)]), lambda d: matrices(d, 4, 4)),
    "tridiagonal": (lambda a: linalg.eigvalsh_tridiagonal(rnp.real(a[0]), a[1, :3]), lambda d: matrices(d, 2, 4)),
    "schur": (lambda a: rnp.stack(_schur_without_phases(a)), lambda d: matrices(d, 4, 4)),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str, dtype: str) -> None:
    function, argument = FUNCTIONS[name]
    check_derivatives(function, argument(dtype))


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name: str) -> None:
    function, argument = FUNCTIONS[name]

    def gradient(x: Any) -> Any:
        def total(y: Any) -> Any:
            found = function(y)
            return rnp.sum(rnp.reshape(rnp.arange(found.size), found.shape) * rnp.abs(found) ** 2)

        return rosin.grad(total)(x)

    check_derivatives(gradient, argument("float64"), 1e-5)


@pytest.mark.slow
def test_equal_eigenvalues_leave_derivatives_finite() -> None:
    a = np.triu(np.ones((4, 4))) + 0j
    found = rosin.grad(lambda x: rnp.real(rnp.sum(linalg.schur(x)[0] ** 2)))(rnp.asarray(a))
    assert np.isfinite(np.asarray(found)).all()


# -- errors ------------------------------------------------------------------------------------------------------------

WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: linalg.schur(rnp.eye(2), "imaginary"), AttributeValueError, "'real' or 'complex', not 'imaginary'"),
    (lambda: linalg.schur(rnp.ones((2, 3))), ShapeError, "schur: takes square matrices, not ones of 2 rows"),
    (lambda: linalg.hessenberg(rnp.ones((2, 3))), ShapeError, "hessenberg: takes square matrices"),
    (lambda: linalg.solve_sylvester(rnp.eye(2), rnp.eye(3), rnp.ones((3, 2))), ShapeError, "of 2 and 3 rows and a"),
    (lambda: linalg.solve_discrete_lyapunov(rnp.eye(2), rnp.ones((2, 3))), ShapeError, "2 columns|3 columns"),
    (lambda: linalg.eigh_tridiagonal(rnp.ones(3), rnp.ones(3)), ShapeError, "takes n numbers and n - 1"),
    (lambda: rosin.grad(lambda x: rnp.sum(linalg.schur(x)[0]))(rnp.eye(2)), NotDifferentiableError, "complex matrices"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
