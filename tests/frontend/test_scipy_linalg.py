"""rosin.scipy.linalg against SciPy, and its derivatives against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg as theirs

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import near
from tests.frontend.test_linalg import (
    DTYPES,
    TOLERANCE,
    WIDE,
    adjoint,
    both,
    check,
    check_derivatives,
    matrices,
    positive,
    regular,
)

linalg = rosin.scipy.linalg
over_dtypes = pytest.mark.parametrize("dtype", DTYPES)
over_wide = pytest.mark.parametrize("dtype", WIDE)


def each(function: Callable[..., Any], stack: Any) -> Any:
    """What SciPy gives for each matrix of a stack."""
    return np.stack([np.asarray(function(a)) for a in stack]).astype(stack.dtype)


# -- factors and equations -----------------------------------------------------------------------------------------


@pytest.mark.thinned(4)
@over_dtypes
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (40, 36)])
def test_lu(dtype: str, shape: tuple[int, ...]) -> None:
    a, tolerance = matrices(dtype, *shape), TOLERANCE[dtype]
    check(linalg.lu, a, expected=list(theirs.lu(a)), tolerance=tolerance)
    check(lambda x: linalg.lu(x, permute_l=True), a, expected=list(theirs.lu(a, permute_l=True)), tolerance=tolerance)
    p, *rest = theirs.lu(a, p_indices=True)
    expected = [np.asarray(p, np.int32), *rest]
    check(lambda x: linalg.lu(x, p_indices=True), a, expected=expected, tolerance=tolerance)


@pytest.mark.thinned(3)
@over_dtypes
@pytest.mark.parametrize("trans", [0, 1, 2])
def test_lu_factor_and_solve(dtype: str, trans: int) -> None:
    a, tolerance = regular(dtype, 5, 5), TOLERANCE[dtype]
    a = a[[3, 1, 4, 0, 2]]
    packed, pivots = theirs.lu_factor(a)
    check(linalg.lu_factor, a, expected=[packed, pivots.astype(np.int32)], tolerance=tolerance)
    for b in (matrices(dtype, 5), matrices(dtype, 5, 3)):
        expected = theirs.lu_solve((packed, pivots), b, trans)
        check(lambda x, y: linalg.lu_solve(linalg.lu_factor(x), y, trans), a, b, expected=expected, tolerance=tolerance)
    stack, many = regular(dtype, 2, 5, 5), matrices(dtype, 5, 3)
    expected = np.stack([theirs.lu_solve(theirs.lu_factor(x), many, trans) for x in stack])
    check(
        lambda x, y: linalg.lu_solve(linalg.lu_factor(x), y, trans), stack, many, expected=expected, tolerance=tolerance
    )


@pytest.mark.thinned(6)
@over_dtypes
@pytest.mark.parametrize("trans", [0, 1, 2])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_solve_triangular(dtype: str, trans: int, lower: bool, unit: bool) -> None:
    a, tolerance = regular(dtype, 4, 4), TOLERANCE[dtype]
    for b in (matrices(dtype, 4), matrices(dtype, 4, 3)):
        expected = theirs.solve_triangular(a, b, trans, lower, unit)
        check(
            lambda x, y: linalg.solve_triangular(x, y, trans, lower, unit), a, b, expected=expected, tolerance=tolerance
        )
    many = matrices(dtype, 6, 4, 2)
    expected = np.stack([theirs.solve_triangular(a, b, trans, lower, unit) for b in many])
    check(
        lambda x, y: linalg.solve_triangular(x, y, trans, lower, unit), a, many, expected=expected, tolerance=tolerance
    )


@over_dtypes
@pytest.mark.parametrize("lower", [False, True])
def test_cholesky(dtype: str, lower: bool) -> None:
    a, tolerance = positive(dtype, 4, 4), TOLERANCE[dtype] * 10
    check(lambda x: linalg.cholesky(x, lower), a, expected=theirs.cholesky(a, lower), tolerance=tolerance)
    for b in (matrices(dtype, 4), matrices(dtype, 4, 3)):
        expected = theirs.cho_solve(theirs.cho_factor(a, lower), b)
        check(
            lambda x, y: linalg.cho_solve(linalg.cho_factor(x, lower), y), a, b, expected=expected, tolerance=tolerance
        )


@over_dtypes
def test_solve(dtype: str) -> None:
    a, b, tolerance = positive(dtype, 4, 4), matrices(dtype, 4, 2), TOLERANCE[dtype] * 10
    for kind in ("gen", "pos", "upper triangular", "lower triangular"):
        expected = theirs.solve(a, b, assume_a=kind)
        check(lambda x, y, k=kind: linalg.solve(x, y, assume_a=k), a, b, expected=expected, tolerance=tolerance)


@pytest.mark.thinned(2)
@over_dtypes
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_polar(dtype: str, shape: tuple[int, ...], side: str) -> None:
    a = matrices(dtype, *shape)
    check(lambda x: linalg.polar(x, side), a, expected=list(theirs.polar(a, side)), tolerance=TOLERANCE[dtype] * 10)


# -- functions of matrices -------------------------------------------------------------------------------------------


@pytest.mark.thinned(3)
@over_dtypes
@pytest.mark.parametrize("size", [1e-6, 1.0, 10.0])
def test_expm(dtype: str, size: float) -> None:
    a = (matrices(dtype, 3, 5, 5) * size).astype(dtype)
    expected = each(theirs.expm, a.astype("complex128" if dtype.startswith("c") else "float64")).astype(dtype)
    for (found,) in both(linalg.expm, a):
        error = np.abs(np.asarray(found) - expected).max(axis=(1, 2)) / np.abs(expected).max(axis=(1, 2))
        assert np.asarray(found).dtype == expected.dtype
        assert np.all(error < TOLERANCE[dtype])


def test_expm_of_matrices_without_eigenvectors() -> None:
    block = np.array([[1.0, 1e4], [0, 1.0]])
    check(linalg.expm, block, expected=np.e * np.array([[1, 1e4], [0, 1]]), tolerance=1e-12)
    zero = np.zeros((2, 3, 3))
    check(linalg.expm, zero, expected=np.broadcast_to(np.eye(3), (2, 3, 3)))


@pytest.mark.thinned(2)
@over_dtypes
def test_roots_and_logarithms(dtype: str) -> None:
    kinds = [regular(dtype, 2, 4, 4) + 2 * np.eye(4), positive(dtype, 2, 4, 4), 1e-3 * positive(dtype, 2, 4, 4)]
    a, tolerance = np.concatenate(kinds).astype(dtype), TOLERANCE[dtype] * 100
    for (root,) in both(linalg.sqrtm, a):
        error = np.abs(np.asarray(root) @ np.asarray(root) - a).max((1, 2))
        assert np.all(error < tolerance * np.abs(a).max((1, 2)))
    expected = np.stack([theirs.logm(x) for x in a.astype("complex128" if dtype.startswith("c") else "float64")])
    for (found,) in both(linalg.logm, a):
        assert np.all(np.abs(np.asarray(found) - expected) < tolerance * 8)


@over_dtypes
def test_signs(dtype: str) -> None:
    a = np.concatenate([matrices(dtype, 3, 4, 4), 1e-3 * matrices(dtype, 1, 4, 4, seed=3)]).astype(dtype)
    wide = a.astype("complex128" if dtype.startswith("c") else "float64")
    expected = []
    for x in wide:
        values, vectors = np.linalg.eig(x)
        sign = vectors @ np.diag(np.sign(values.real)) @ np.linalg.inv(vectors)
        expected.append(sign if dtype.startswith("c") else sign.real)
    for (found,) in both(linalg.signm, a):
        np.testing.assert_allclose(np.asarray(found), np.stack(expected), atol=TOLERANCE[dtype] * 400)
    turn = rnp.asarray(np.array([[0.0, -1.0], [1.0, 0.0]]))
    assert np.isnan(np.asarray(linalg.signm(turn))).all()


def test_negative_eigenvalues_have_no_principal_root() -> None:
    a = rnp.asarray(np.diag([1.0, -1.0]))
    for function in (linalg.sqrtm, linalg.logm):
        assert np.isnan(np.asarray(function(a))).all()


@pytest.mark.thinned(4)
@over_dtypes
@pytest.mark.parametrize("name", ["cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm"])
def test_trigonometric_functions(name: str, dtype: str) -> None:
    a = (matrices(dtype, 3, 4, 4) / 2).astype(dtype)
    expected = each(getattr(theirs, name), a)
    check(getattr(linalg, name), a, expected=expected, tolerance=TOLERANCE[dtype] * 20)


@pytest.mark.thinned(4)
@over_dtypes
def test_the_derivative_of_the_exponential(dtype: str) -> None:
    a, direction = matrices(dtype, 4, 4), matrices(dtype, 4, 4, seed=2)
    expected = [x.astype(dtype) for x in theirs.expm_frechet(a, direction)]
    check(linalg.expm_frechet, a, direction, expected=expected, tolerance=TOLERANCE[dtype] * 20)

    def alone(x: Any, e: Any) -> Any:
        return linalg.expm_frechet(x, e, compute_expm=False)

    check(alone, a, direction, expected=expected[1], tolerance=TOLERANCE[dtype] * 20)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    "expm": (linalg.expm, lambda d: matrices(d, 2, 3, 3)),
    "expm of a large one": (lambda a: linalg.expm(5 * a), lambda d: matrices(d, 3, 3)),
    "sqrtm": (linalg.sqrtm, lambda d: positive(d, 2, 3, 3)),
    "logm": (linalg.logm, lambda d: positive(d, 3, 3)),
    "signm": (linalg.signm, lambda d: matrices(d, 3, 3)),
    "lu_factor": (lambda a: linalg.lu_factor(a)[0], lambda d: matrices(d, 3, 4)),
    "lu_solve": (lambda a: linalg.lu_solve(linalg.lu_factor(a), a[:, :2]), lambda d: regular(d, 3, 3)),
    "cho_solve": (lambda a: linalg.cho_solve(linalg.cho_factor(a), a[:, :2]), lambda d: positive(d, 3, 3)),
    "solve_triangular": (lambda a: linalg.solve_triangular(a, a[:, :2], "C"), lambda d: regular(d, 3, 3)),
    "polar": (lambda a: rnp.concat(linalg.polar(a)), lambda d: matrices(d, 3, 3)),
    "polar, tall": (lambda a: linalg.polar(a)[0], lambda d: matrices(d, 5, 3)),
    "polar, wide": (lambda a: linalg.polar(a)[0], lambda d: matrices(d, 3, 5)),
}


@pytest.mark.thinned(2)
@over_wide
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str, dtype: str) -> None:
    function, argument = FUNCTIONS[name]
    check_derivatives(function, argument(dtype))


@pytest.mark.parametrize("name", ["expm", "lu_solve", "cho_solve", "polar"])
def test_second_derivatives(name: str) -> None:
    function, argument = FUNCTIONS[name]

    def gradient(x: Any) -> Any:
        return rosin.grad(lambda y: rnp.sum(function(y) ** 2))(x)

    check_derivatives(gradient, argument("float64"), 1e-5)


def test_derivatives_where_eigenvalues_are_equal() -> None:
    for function in (linalg.expm, linalg.sqrtm, lambda a: linalg.polar(a)[0]):
        check_derivatives(function, np.eye(3))


def test_vmap_is_a_loop() -> None:
    stack = positive("float64", 4, 3, 3) * np.array([1e-3, 1, 10, 100])[:, None, None]
    for function in (linalg.expm, linalg.sqrtm):
        many = rosin.compile(rosin.vmap(function))(rnp.asarray(stack / 10))
        for number, a in enumerate(stack):
            near(np.asarray(many)[number], np.asarray(function(rnp.asarray(a / 10))), 1e-9)


# -- under SciPy's options -------------------------------------------------------------------------------------------


@over_dtypes
def test_orthogonal_factors_in_each_mode(dtype: str) -> None:
    for shape in ((4, 3), (3, 4)):
        a, tolerance = matrices(dtype, *shape), TOLERANCE[dtype] * 10
        check(linalg.qr, a, expected=list(theirs.qr(a)), tolerance=tolerance)
        check(lambda x: linalg.qr(x, "economic"), a, expected=list(theirs.qr(a, mode="economic")), tolerance=tolerance)
        check(lambda x: linalg.qr(x, "r")[0], a, expected=theirs.qr(a, mode="r")[0], tolerance=tolerance)


@over_dtypes
@pytest.mark.parametrize("lower", [False, True])
def test_spectra_read_one_triangle(dtype: str, lower: bool) -> None:
    a, tolerance = matrices(dtype, 5, 5), TOLERANCE[dtype] * 10
    values = theirs.eigvalsh(a, lower=lower)
    check(lambda x: linalg.eigvalsh(x, lower), a, expected=values, tolerance=tolerance)
    check(lambda x: linalg.eigh(x, lower=lower, eigvals_only=True), a, expected=values, tolerance=tolerance)
    whole = np.tril(a, -1) if lower else np.triu(a, 1)
    whole = whole + adjoint(whole) + np.diag(np.real(np.diag(a)))
    for w, v in both(lambda x: linalg.eigh(x, lower=lower), a):
        near(np.asarray(w), values, tolerance)
        near(whole @ np.asarray(v), np.asarray(v) * np.asarray(w), tolerance * 4)
    w, v = linalg.eig(rnp.asarray(a))
    near(a @ np.asarray(v), np.asarray(v) * np.asarray(w), tolerance * 4)


# -- special matrices ------------------------------------------------------------------------------------------------


def test_special_matrices() -> None:
    a, b, c = matrices("float64", 2, 3), matrices("float64", 4), matrices("float64", 1, 1)
    check(linalg.block_diag, a, b, c, expected=theirs.block_diag(a, b, c))
    check(linalg.toeplitz, b, expected=theirs.toeplitz(b))
    check(linalg.toeplitz, b, a[0], expected=theirs.toeplitz(b, a[0]))
    check(linalg.hankel, b, expected=theirs.hankel(b))
    check(linalg.hankel, b, a[0], expected=theirs.hankel(b, a[0]))
    check(linalg.circulant, a, expected=theirs.circulant(a))
    near(np.asarray(linalg.hilbert(5)), theirs.hilbert(5).astype("float32"), 1e-6)
    z = matrices("complex128", 3)
    check(linalg.toeplitz, z, expected=theirs.toeplitz(z))
    assert adjoint(np.asarray(linalg.toeplitz(rnp.asarray(z))))[0, 1] == z[1].conj()


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: linalg.expm(rnp.ones((2, 3))), ShapeError, "expm: .* 2 rows and 3 columns"),
    (lambda: linalg.solve_triangular(rnp.ones((2, 2)), rnp.ones(2), 3), AttributeValueError, "trans is 0, 1 or 2"),
    (lambda: linalg.cho_solve((rnp.ones((2, 2)), True), rnp.ones(3)), ShapeError, "2 columns and .* 3 rows"),
    (lambda: linalg.lu(rnp.ones(3)), ShapeError, "lu: takes matrices"),
    (lambda: linalg.polar(rnp.ones((2, 2)), "up"), AttributeValueError, "not 'up'"),
    (lambda: linalg.solve(rnp.ones((2, 2)), rnp.ones(2), assume_a="her"), AttributeValueError, "not 'her'"),
    (lambda: linalg.qr(rnp.ones((2, 2)), "reduced"), AttributeValueError, "'economic' or 'r', not 'reduced'"),
    (lambda: linalg.expm_frechet(rnp.ones((2, 2)), rnp.ones((3, 3))), ShapeError, "the same shape"),
    (lambda: linalg.circulant(rnp.asarray(1.0)), ShapeError, "takes vectors"),
    (lambda: linalg.block_diag(), ShapeError, "no arrays"),
    (lambda: linalg.block_diag(rnp.ones((1, 1, 1))), ShapeError, "array 0 has rank 3"),
    (lambda: linalg.sqrtm(rnp.ones((2, 2), dtype=rosin.float16)), DTypeError, "f16"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
