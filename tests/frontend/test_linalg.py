"""rosin.numpy.linalg against NumPy, and its derivatives against differences; singular matrices, NaNs, bad input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.runtime import threads
from tests.frontend.agree import near

linalg = rnp.linalg
DTYPES = ("float32", "float64", "complex64", "complex128")
WIDE = ("float64", "complex128")
TOLERANCE = {"float32": 2e-4, "complex64": 2e-4, "float64": 1e-10, "complex128": 1e-10}
over_dtypes = pytest.mark.parametrize("dtype", DTYPES)
over_wide = pytest.mark.parametrize("dtype", WIDE)


def matrices(dtype: str, *shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.startswith("c") else x).astype(dtype)


def regular(dtype: str, *shape: int, seed: int = 0) -> Any:
    return (matrices(dtype, *shape, seed=seed) + 2 * np.eye(shape[-2], shape[-1]) * shape[-1] ** 0.5).astype(dtype)


def positive(dtype: str, *shape: int) -> Any:
    x = matrices(dtype, *shape)
    return (x @ np.swapaxes(x.conj(), -1, -2) + np.eye(shape[-1])).astype(dtype)


def adjoint(x: Any) -> Any:
    return np.swapaxes(np.asarray(x).conj(), -1, -2)


def both(function: Callable[..., Any], *args: Any) -> list[list[Any]]:
    """The results of a function of arrays, as flat lists: at once, and compiled."""
    arrays = [rnp.asarray(x) for x in args]
    return [rosin.tree.leaves(f(*arrays)) for f in (function, rosin.compile(lambda *xs: function(*xs)))]


def check(function: Callable[..., Any], *args: Any, expected: Any, tolerance: float | None = None) -> None:
    """The function gives what is expected (one array or several), at once and compiled."""
    wanted = list(expected) if isinstance(expected, list | tuple) else [expected]
    for found in both(function, *args):
        assert len(found) == len(wanted)
        for x, y in zip(found, wanted, strict=True):
            near(x, y, tolerance)


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.thinned(2)
@over_dtypes
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3, 3), (5, 5), (2, 3, 5, 5), (2, 33, 33)])
def test_equations_and_determinants(dtype: str, shape: tuple[int, ...]) -> None:
    a, b, tolerance = regular(dtype, *shape), matrices(dtype, *shape[:-1], 2), TOLERANCE[dtype]
    check(linalg.solve, a, b, expected=np.linalg.solve(a, b), tolerance=tolerance)
    check(linalg.inv, a, expected=np.linalg.inv(a), tolerance=tolerance)
    sign, logarithm = np.linalg.slogdet(a)
    check(linalg.slogdet, a, expected=[sign, logarithm], tolerance=tolerance)
    if shape[-1] < 30:
        check(linalg.det, a, expected=np.linalg.det(a), tolerance=tolerance * 8)


@over_dtypes
def test_right_hand_sides(dtype: str) -> None:
    a, tolerance = regular(dtype, 4, 4), TOLERANCE[dtype]
    vector, columns, many = matrices(dtype, 4), matrices(dtype, 4, 3), matrices(dtype, 5, 2, 4, 3)
    check(linalg.solve, a, vector, expected=np.linalg.solve(a, vector), tolerance=tolerance)
    check(linalg.solve, a, columns, expected=np.linalg.solve(a, columns), tolerance=tolerance)
    check(linalg.solve, a, many, expected=np.linalg.solve(a, many), tolerance=tolerance)
    stack = regular(dtype, 2, 4, 4)
    check(linalg.solve, stack, many, expected=np.linalg.solve(stack, many), tolerance=tolerance)
    check(linalg.solve, stack, columns, expected=np.linalg.solve(stack, columns), tolerance=tolerance)
    expected = np.stack([np.linalg.solve(x, vector) for x in stack])
    check(linalg.solve, stack, vector, expected=expected, tolerance=tolerance)


@over_dtypes
@pytest.mark.parametrize("shape", [(4, 4), (3, 5, 3), (3, 3, 5), (2, 40, 34)])
def test_factors(dtype: str, shape: tuple[int, ...]) -> None:
    a, tolerance = matrices(dtype, *shape), TOLERANCE[dtype]
    k = min(shape[-2:])
    for q, r in (linalg.qr(rnp.asarray(a)), linalg.qr(rnp.asarray(a), mode="complete")):
        near(np.asarray(q) @ np.asarray(r), a, tolerance)
    near(linalg.qr(rnp.asarray(a), mode="r"), np.linalg.qr(a, "r"), tolerance)
    u, s, vh = linalg.svd(rnp.asarray(a), full_matrices=False)
    near((np.asarray(u) * np.asarray(s)[..., None, :]) @ np.asarray(vh), a, tolerance)
    near(s, np.linalg.svd(a, compute_uv=False), tolerance)
    full = linalg.svd(rnp.asarray(a))
    assert full.U.shape == (*shape[:-1], shape[-2])
    assert full.Vh.shape == (*shape[:-2], shape[-1], shape[-1])
    check(linalg.svdvals, a, expected=np.linalg.svd(a, compute_uv=False), tolerance=tolerance)
    near(np.asarray(full.U)[..., :k] * np.asarray(s)[..., None, :] @ np.asarray(full.Vh)[..., :k, :], a, tolerance)


@over_dtypes
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 5, 5), (2, 36, 36)])
def test_spectra(dtype: str, shape: tuple[int, ...]) -> None:
    a, h, tolerance = matrices(dtype, *shape), positive(dtype, *shape), TOLERANCE[dtype] * 10
    check(linalg.cholesky, h, expected=np.linalg.cholesky(h), tolerance=tolerance)
    upper = linalg.cholesky(rnp.asarray(h), upper=True)
    near(upper, np.linalg.cholesky(h, upper=True), tolerance)
    check(linalg.eigvalsh, h, expected=np.linalg.eigvalsh(h), tolerance=tolerance)
    w, v = linalg.eigh(rnp.asarray(h))
    near(np.asarray(v) * np.asarray(w)[..., None, :] @ adjoint(v), h, tolerance * 8)
    values, vectors = (np.asarray(x) for x in linalg.eig(rnp.asarray(a)))
    near(a @ vectors, vectors * values[..., None, :], tolerance)
    near(np.sort_complex(np.asarray(linalg.eigvals(rnp.asarray(a)))).sum(-1), values.sum(-1), tolerance)


def test_results_have_names() -> None:
    a = rnp.asarray(positive("float64", 3, 3))
    assert linalg.eigh(a)._fields == ("eigenvalues", "eigenvectors")
    assert linalg.eig(a)._fields == ("eigenvalues", "eigenvectors")
    assert linalg.qr(a)._fields == ("Q", "R")
    assert linalg.svd(a)._fields == ("U", "S", "Vh")
    assert linalg.slogdet(a)._fields == ("sign", "logabsdet")


def test_one_triangle_says_all() -> None:
    a = matrices("complex128", 4, 4)
    for triangle in ("L", "U"):
        near(linalg.eigvalsh(rnp.asarray(a), triangle), np.linalg.eigvalsh(a, triangle), 1e-12)
    h = positive("float64", 4, 4)
    near(linalg.cholesky(rnp.asarray(np.tril(h)), symmetrize_input=False), np.linalg.cholesky(h), 1e-12)
    near(linalg.cholesky(rnp.asarray(np.triu(h)), upper=True, symmetrize_input=False), np.linalg.cholesky(h).T, 1e-12)


@pytest.mark.thinned(2)
@over_dtypes
def test_norms_and_what_they_measure(dtype: str) -> None:
    a, tolerance = matrices(dtype, 2, 4, 3), TOLERANCE[dtype]
    for ord_ in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        expected = np.linalg.norm(a, ord_, (1, 2))
        check(lambda x, o=ord_: linalg.matrix_norm(x, ord=o), a, expected=expected, tolerance=tolerance)
        check(
            lambda x, o=ord_: linalg.norm(x, o, (1, 2), keepdims=True),
            a,
            expected=expected[:, None, None],
            tolerance=tolerance,
        )
    square = regular(dtype, 2, 4, 4)
    for p in (None, 2, -2, 1, -1, "fro", "nuc", np.inf):
        check(lambda x, p=p: linalg.cond(x, p), square, expected=np.linalg.cond(square, p), tolerance=tolerance)
    for ord_ in (1, 2, 3, 0, np.inf, -np.inf):
        expected = np.linalg.norm(a, ord_, 1)
        check(lambda x, o=ord_: linalg.norm(x, o, 1), a, expected=expected, tolerance=tolerance)
    check(linalg.norm, a, expected=np.linalg.norm(a), tolerance=tolerance)
    check(lambda x: linalg.norm(x, 1), a[0], expected=np.linalg.norm(a[0], 1), tolerance=tolerance)


@pytest.mark.parametrize("size", [1e-200, 1e200, 1e-320, 0.0])
def test_norms_of_extreme_numbers(size: float) -> None:
    x = np.array([3 * size, -4 * size])
    near(linalg.vector_norm(rnp.asarray(x)), np.float64(5 * size), 1e-3 if size == 1e-320 else 1e-15)
    near(linalg.matrix_norm(rnp.asarray(x[None])), np.float64(5 * size), 1e-3 if size == 1e-320 else 1e-15)
    for ord_, expected in ((3, 91 ** (1 / 3)), (-2, 2.4), (0.5, (3**0.5 + 2) ** 2)):
        found = float(linalg.vector_norm(rnp.asarray(x), ord=ord_))
        assert found == pytest.approx(expected * size, rel=1e-2 if size == 1e-320 else 1e-14, abs=0)
    if 1e-300 < size:
        near(rosin.grad(linalg.vector_norm)(rnp.asarray(x)), np.array([0.6, -0.8]), 1e-15)


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_norms_of_infinities_and_nans(special: float) -> None:
    near(linalg.vector_norm(rnp.asarray([1.0, special])), np.float32(abs(special)))


@over_dtypes
def test_generalized_inverses(dtype: str) -> None:
    tolerance = TOLERANCE[dtype] * 10
    for shape in ((5, 3), (2, 3, 5), (4, 4)):
        a = matrices(dtype, *shape)
        check(linalg.pinv, a, expected=np.linalg.pinv(a), tolerance=tolerance)
    low = (matrices(dtype, 5, 2) @ matrices(dtype, 2, 4, seed=1)).astype(dtype)
    check(linalg.matrix_rank, low, expected=np.asarray(np.linalg.matrix_rank(low), np.int32))
    check(lambda x: linalg.pinv(x, rtol=1e-3), low, expected=np.linalg.pinv(low, 1e-3), tolerance=tolerance)
    h = positive(dtype, 4, 4)
    check(lambda x: linalg.pinv(x, hermitian=True), h, expected=np.linalg.pinv(h), tolerance=tolerance)
    check(lambda x: linalg.matrix_rank(x, hermitian=True), h, expected=np.int32(4))
    check(lambda x: linalg.matrix_rank(x, tol=100.0), h, expected=np.int32(0))


@pytest.mark.thinned(2)
@over_dtypes
@pytest.mark.parametrize(
    ("rows", "columns"),
    [(6, 3), (3, 5), (4, 4), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((40, 40), (60, 30)))],
)
def test_least_squares(dtype: str, rows: int, columns: int) -> None:
    tolerance = TOLERANCE[dtype] * 100
    a, low = matrices(dtype, rows, columns), matrices(dtype, rows, 2) @ matrices(dtype, 2, columns, seed=1)
    for b in (matrices(dtype, rows), matrices(dtype, rows, 2)):
        x, residuals, rank, s = np.linalg.lstsq(a, b)
        check(linalg.lstsq, a, b, expected=[x, residuals, np.int32(rank), s], tolerance=tolerance)
        # Without full rank it is another way that finds them.
        x, _, rank, s = np.linalg.lstsq(low.astype(dtype), b, rcond=1e-4)
        assert rank == 2
        found = linalg.lstsq(rnp.asarray(low.astype(dtype)), rnp.asarray(b), rcond=1e-4)
        near(found.x, x, tolerance)
        near(found.s, s, tolerance)
        assert found.rank == 2
    nothing = linalg.lstsq(rnp.zeros((rows, columns), dtype=dtype), rnp.asarray(b))
    near(nothing.x, np.zeros((columns, 2), dtype))


def test_products_and_equations_of_tensors() -> None:
    a = matrices("float64", 3, 4, 4)
    for power in (0, 1, 2, 5, -1, -3):
        expected = np.linalg.matrix_power(a, power)
        check(lambda x, p=power: linalg.matrix_power(x, p), a, expected=expected, tolerance=1e-9)
    whole = np.arange(9).reshape(3, 3)
    check(lambda x: linalg.matrix_power(x, 3), whole, expected=np.linalg.matrix_power(whole, 3))
    chain = [matrices("float64", *shape) for shape in ((10,), (10, 3), (3, 20), (20, 5), (5,))]
    for xs in (chain, chain[1:], chain[:-1], chain[1:-1], chain[:2]):
        check(lambda *ys: linalg.multi_dot(ys), *xs, expected=np.linalg.multi_dot(xs), tolerance=1e-11)
    t = matrices("float64", 2, 3, 6)
    check(linalg.tensorinv, t, expected=np.linalg.tensorinv(t), tolerance=1e-10)
    b = matrices("float64", 2, 3)
    check(linalg.tensorsolve, t, b, expected=np.linalg.tensorsolve(t, b), tolerance=1e-10)
    moved = np.moveaxis(t, 2, 0)
    expected = np.linalg.tensorsolve(moved, b, axes=(0,))
    check(lambda x, y: linalg.tensorsolve(x, y, axes=(0,)), moved, b, expected=expected, tolerance=1e-10)


def test_cross_products() -> None:
    a, b = matrices("float64", 4, 3), matrices("float64", 3, seed=1)
    check(rnp.cross, a, b, expected=np.cross(a, b))
    check(lambda x, y: linalg.cross(x, y, axis=0), a.T, a[::-1].T, expected=np.cross(a, a[::-1]).T)
    with pytest.raises(ShapeError, match="3 components, not 4"):
        rnp.cross(rnp.ones((2, 4)), rnp.ones((2, 4)))


@pytest.mark.parametrize("n", [0, 1])
def test_smallest_matrices(n: int) -> None:
    a = np.full((2, n, n), 4.0)
    for name in ("inv", "cholesky", "det", "svdvals", "eigvalsh"):
        theirs = {"svdvals": lambda x: np.linalg.svd(x, compute_uv=False)}.get(name) or getattr(np.linalg, name)
        check(getattr(linalg, name), a, expected=theirs(a))
    check(linalg.solve, a, np.ones((2, n, 3)), expected=np.linalg.solve(a, np.ones((2, n, 3))))
    q, r = linalg.qr(rnp.asarray(a))
    near(np.asarray(q) @ np.asarray(r), a)
    near(linalg.matrix_rank(rnp.asarray(a)), np.full(2, n, np.int32))


def test_integers_become_floats() -> None:
    near(linalg.inv(rnp.asarray([[2, 0], [0, 4]])), np.array([[0.5, 0], [0, 0.25]], np.float32))
    near(linalg.solve(rnp.asarray(np.eye(2)), rnp.asarray([1, 2])), np.array([1.0, 2.0]))


# -- singular matrices and numbers that are none ----------------------------------------------------------------------

SINGULAR = np.array([[1.0, 2, 3, 4], [2, 4, 6, 8], [1, 0, 1, 0], [0, 1, 0, 2]])


def test_singular_matrices_are_an_error_where_values_are_known() -> None:
    for call in (lambda a: linalg.inv(a), lambda a: linalg.solve(a, a), lambda a: linalg.matrix_power(a, -1)):
        with pytest.raises(np.linalg.LinAlgError, match=r"pivot \d of its LU factors is zero"):
            call(rnp.asarray(SINGULAR))
    stack = rnp.asarray(np.stack([np.eye(2), np.zeros((2, 2))]))
    for columns in (0, 1, 3):
        with pytest.raises(linalg.LinAlgError, match="matrix 1 of the stack is singular: pivot 0"):
            linalg.solve(stack, rnp.ones((2, 2, columns)))
    with pytest.raises(linalg.LinAlgError, match="matrix 1 of the stack is singular: pivot 0"):
        linalg.inv(stack)


@pytest.mark.parametrize("n", [4, 40])
def test_singular_matrices_give_infinities_and_nans_elsewhere(n: int) -> None:
    a = np.eye(n)
    a[:4, :4] = SINGULAR
    found = np.asarray(rosin.compile(linalg.inv)(rnp.asarray(a)))
    assert not np.isfinite(found).all()
    stack = rnp.asarray(np.stack([np.eye(n), a]))
    found = np.asarray(rosin.vmap(linalg.inv)(stack))
    near(found[0], np.eye(n))
    assert not np.isfinite(found[1]).all()


def test_singular_matrices_have_determinants() -> None:
    check(linalg.det, SINGULAR, expected=np.float64(0))
    check(linalg.slogdet, SINGULAR, expected=[np.float64(0), np.float64(-np.inf)])
    check(linalg.cond, np.zeros((3, 3)), expected=np.float64(np.inf))
    check(lambda x: linalg.cond(x, 1), SINGULAR, expected=np.float64(np.inf))


@pytest.mark.parametrize("n", [4, 40])
@pytest.mark.parametrize("pivot", [-1.0, 0.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_has_a_factor_of_nans(n: int, pivot: float) -> None:
    for row in (0, 2, n - 1):
        a = np.eye(n)
        a[row, row] = pivot
        for (found,) in both(linalg.cholesky, a):
            np.testing.assert_array_equal(np.isnan(np.asarray(found)), np.tril(np.ones((n, n), bool)))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(
    ("count", "n"), [(9, 2), (21, 3), (21, 5), (40, 8), (19, 17), (19, 31), (4001, 17), (300, 30), (1100, 32)]
)
def test_factors_of_a_stack_are_those_of_its_matrices(dtype: str, count: int, n: int) -> None:
    a = positive(dtype, count, n, n) + n * np.eye(n, dtype=dtype)
    a[4, n // 2, n // 2] = -1
    found = np.asarray(rosin.compile(linalg.cholesky)(rnp.asarray(a)))
    good = np.arange(count) != 4
    near(found[good], np.linalg.cholesky(a[good]), 1e-4 if np.finfo(dtype).bits == 32 else 1e-12)
    np.testing.assert_array_equal(np.isnan(found[4]), np.tril(np.ones((n, n), bool)))


@over_dtypes
@pytest.mark.parametrize("n", [15, 16])
def test_inverses_of_many_matrices(dtype: str, n: int) -> None:
    a = regular(dtype, 5003, n, n)
    near(rosin.compile(linalg.inv)(rnp.asarray(a)), np.linalg.inv(a), 1e3 * np.finfo(dtype).eps)


@over_dtypes
@pytest.mark.parametrize(("count", "n"), [(21, 4), (19, 13), (35, 32)])
def test_many_matrices_exchange_rows_each_in_its_own_way(dtype: str, count: int, n: int) -> None:
    a = matrices(dtype, count, n, n)
    for columns in (1, 7, 32):
        b = matrices(dtype, count, n, columns, seed=1)
        for (x,) in both(linalg.solve, a, b):
            left = np.abs(a @ np.asarray(x) - b).max((1, 2))
            assert (left < 10 * n * np.finfo(dtype).eps * (np.abs(a).sum(2).max(1) * np.abs(x).max((1, 2)))).all()


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_nans_and_infinities(n: int, special: float) -> None:
    a = np.eye(n)
    a[1, 0] = special
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (linalg.eigvalsh, linalg.eigvals, linalg.svdvals):
            for found in (function(rnp.asarray(a)), rosin.compile(function)(rnp.asarray(a))):
                assert np.isnan(np.asarray(found)).all()
        for found in (linalg.det(rnp.asarray(a)), rosin.compile(linalg.det)(rnp.asarray(a))):
            assert not np.isfinite(np.asarray(found)) or special == np.inf


# -- derivatives -----------------------------------------------------------------------------------------------------


def difference(f: Callable[[Any], Any], x: Any, t: Any, step: float = 1e-4) -> Any:
    def at(h: float) -> Any:
        return np.asarray(f(rnp.asarray(x + h * t)))

    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)


def check_derivatives(f: Callable[[Any], Any], x: Any, rtol: float = 1e-7) -> None:
    """Forward mode against differences, and reverse mode against forward mode by the pairing Re(c z)."""
    t = matrices(str(x.dtype), *x.shape, seed=9)
    f = rosin.compile(f)
    value, pushed = rosin.jvp(f, (rnp.asarray(x),), (rnp.asarray(t),))
    expected = difference(f, x, t)
    np.testing.assert_allclose(np.asarray(pushed), expected, rtol=rtol, atol=rtol * max(np.abs(expected).max(), 1))
    value, pull = rosin.vjp(f, rnp.asarray(x))
    c = matrices(str(np.asarray(value).dtype), *np.asarray(value).shape, seed=10)
    (pulled,) = pull(rnp.asarray(c))
    left = np.sum(np.asarray(pulled) * t).real
    right = np.sum(np.asarray(c) * np.asarray(pushed)).real
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[str], Any]]] = {
    "inv": (linalg.inv, lambda d: regular(d, 2, 4, 4)),
    "solve by the matrix": (lambda a: linalg.solve(a, a[..., :2] + 1), lambda d: regular(d, 2, 4, 4)),
    "solve by the right": (
        lambda b: linalg.solve(rnp.asarray(regular("float64", 3, 3)), b),
        lambda d: matrices(d, 5, 3, 2),
    ),
    "det": (linalg.det, lambda d: matrices(d, 2, 4, 4)),
    "det of three rows": (linalg.det, lambda d: matrices(d, 2, 3, 3)),
    "logabsdet": (lambda a: linalg.slogdet(a)[1], lambda d: matrices(d, 2, 4, 4)),
    "sign": (lambda a: linalg.slogdet(a)[0], lambda d: matrices(d, 2, 4, 4)),
    "pinv": (linalg.pinv, lambda d: matrices(d, 2, 5, 3)),
    "pinv, wide": (linalg.pinv, lambda d: matrices(d, 3, 5)),
    "lstsq": (lambda a: linalg.lstsq(a, a[:, :2] ** 2)[0], lambda d: matrices(d, 5, 3)),
    "lstsq, square": (lambda a: linalg.lstsq(a, a[:, :2] ** 2)[0], lambda d: regular(d, 4, 4)),
    "lstsq, wide": (lambda a: linalg.lstsq(a, a[:, :2] ** 2)[0], lambda d: matrices(d, 3, 5)),
    "lstsq of rank 2": (
        lambda a: linalg.lstsq(a[:, :2] @ a[:2], a[:, :2] ** 2, rcond=1e-8)[0],
        lambda d: matrices(d, 4, 4),
    ),
    "cholesky": (linalg.cholesky, lambda d: positive(d, 2, 4, 4)),
    "qr": (lambda a: linalg.qr(a)[0] @ rnp.exp(linalg.qr(a)[1]), lambda d: matrices(d, 5, 3)),
    "eigvalsh": (linalg.eigvalsh, lambda d: matrices(d, 4, 4)),
    "eigvals": (lambda a: rnp.sum(linalg.eigvals(a) ** 3), lambda d: matrices(d, 4, 4)),
    "svdvals": (linalg.svdvals, lambda d: matrices(d, 2, 3, 4)),
    "nuclear norm": (lambda a: linalg.matrix_norm(a, ord="nuc"), lambda d: matrices(d, 2, 3, 4)),
    "norm": (linalg.norm, lambda d: matrices(d, 3, 4)),
    "cond": (linalg.cond, lambda d: matrices(d, 3, 3)),
    "matrix_power": (lambda a: linalg.matrix_power(a, -2), lambda d: regular(d, 3, 3)),
}


@pytest.mark.thinned(2)
@over_wide
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str, dtype: str) -> None:
    function, argument = FUNCTIONS[name]
    check_derivatives(function, argument(dtype))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives(name: str) -> None:
    function, argument = FUNCTIONS[name]

    def gradient(x: Any) -> Any:
        return rosin.grad(lambda y: rnp.sum(rnp.real(function(y)) ** 2))(x)

    check_derivatives(gradient, argument("float64"), 1e-5)


def test_the_derivative_of_a_determinant_is_the_matrix_of_cofactors() -> None:
    def cofactors(a: Any) -> Any:
        n = len(a)
        places = range(n)
        return np.array(
            [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in places] for i in places]
        )

    rank2 = matrices("float64", 5, 2) @ matrices("float64", 2, 5, seed=1)
    rank4 = matrices("float64", 5, 4) @ matrices("float64", 4, 5, seed=1)
    for a in (SINGULAR, rank2, rank4, np.zeros((4, 4)), matrices("float64", 5, 5), np.diag([1.0, 2.0, 0.0, 3.0, 4.0])):
        found = rosin.grad(linalg.det)(rnp.asarray(a))
        np.testing.assert_allclose(np.asarray(found), cofactors(a), rtol=1e-9, atol=1e-10)


def test_gradients_of_hermitian_functions_are_symmetric() -> None:
    h = rnp.asarray(positive("float64", 4, 4))
    for function in (lambda x: rnp.sum(linalg.cholesky(x) ** 3), lambda x: rnp.sum(linalg.eigvalsh(x) ** 3)):
        gradient = np.asarray(rosin.grad(function)(h))
        np.testing.assert_allclose(gradient, gradient.T, rtol=1e-12)


def test_eigenvalues_that_are_equal_have_finite_gradients() -> None:
    for function in (lambda x: rnp.sum(linalg.eigvalsh(x) ** 2), lambda x: rnp.sum(linalg.svdvals(x) ** 2)):
        gradient = rosin.grad(function)(rnp.asarray(np.eye(3)))
        np.testing.assert_allclose(np.asarray(gradient), 2 * np.eye(3), atol=1e-12)


# -- batches, symbolic sizes, threads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "svdvals", "eigvalsh", "pinv", "slogdet"])
def test_vmap_is_a_loop(name: str) -> None:
    stack = positive("float64", 5, 4, 4)
    function = getattr(linalg, name)
    many = rosin.tree.leaves(rosin.compile(rosin.vmap(function))(rnp.asarray(stack)))
    for number, a in enumerate(stack):
        for x, y in zip(many, rosin.tree.leaves(function(rnp.asarray(a))), strict=True):
            near(np.asarray(x)[number], np.asarray(y), 1e-12)


def test_right_hand_sides_of_a_batch_are_solved_for_side_by_side() -> None:
    a, b = regular("float64", 4, 4), matrices("float64", 6, 4, 2)
    solve = rosin.compile(rosin.vmap(linalg.solve, in_axes=(None, 0)))
    near(solve(rnp.asarray(a), rnp.asarray(b)), np.linalg.solve(a, b), 1e-12)
    assert "f64[6, 4, 4]" not in solve.text(rnp.asarray(a), rnp.asarray(b))


@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "qr", "eigvalsh", "svdvals"])
def test_symbolic_sizes(name: str) -> None:
    function = rosin.compile(lambda a: getattr(linalg, name)(a), dynamic={"a": {0: "b", 1: "n", 2: "n"}})
    for b, n in ((3, 4), (1, 7), (5, 1), (2, 40)):
        a = positive("float64", b, n, n) / n
        theirs = {"svdvals": lambda x: np.linalg.svd(x, compute_uv=False)}.get(name) or getattr(np.linalg, name)
        for x, y in zip(rosin.tree.leaves(function(rnp.asarray(a))), rosin.tree.leaves(theirs(a)), strict=True):
            near(x, np.asarray(y), 1e-9)


@pytest.mark.parametrize("name", ["inv", "cholesky"])
@pytest.mark.parametrize(("stack", "n"), [(2001, 3), (1000, 8), (60, 40)])
def test_results_do_not_depend_on_the_number_of_threads(name: str, stack: int, n: int) -> None:
    a = rnp.asarray(positive("float32", stack, n, n))
    function = rosin.compile(getattr(linalg, name))
    before = threads.num_threads()
    found: list[bytes] = []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append(np.asarray(function(a)).tobytes())
    finally:
        threads.set_num_threads(before)
    assert len(set(found)) == 1


# -- bad input -------------------------------------------------------------------------------------------------------

BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: linalg.inv(rnp.ones((3, 4))), ShapeError, "inv: .* 3 rows and 4 columns"),
    (lambda: linalg.det(rnp.ones((4,))), ShapeError, "det: takes matrices, of rank 2 at least, not rank 1"),
    (lambda: linalg.solve(rnp.ones((3, 3)), rnp.ones((4, 2))), ShapeError, "3 columns and right-hand sides 4 rows"),
    (lambda: linalg.solve(rnp.ones((3, 3)), 1.0), ShapeError, "not a number"),
    (lambda: linalg.solve(rnp.ones((2, 3, 3)), rnp.ones((4, 3, 1))), ShapeError, "axis -1 has sizes 2 and 4"),
    (lambda: linalg.cholesky(rnp.ones((2, 2), dtype=rosin.float16)), DTypeError, "not f16"),
    (lambda: linalg.eigh(rnp.ones((2, 2)), "X"), AttributeValueError, "UPLO is 'L' or 'U', not 'X'"),
    (lambda: linalg.qr(rnp.ones((2, 2)), mode="raw"), AttributeValueError, "not 'raw'"),
    (lambda: linalg.matrix_norm(rnp.ones((2, 2)), ord=3), AttributeValueError, "not 3"),
    (lambda: linalg.norm(rnp.ones((2, 2, 2)), 2), ShapeError, "rank 1 or 2, not 3"),
    (lambda: linalg.norm(rnp.ones((2, 2)), "fro", 0), AttributeValueError, "norm of matrices"),
    (lambda: linalg.matrix_power(rnp.ones((2, 3)), 2), ShapeError, "2 rows and 3 columns"),
    (lambda: linalg.multi_dot([rnp.ones((2, 3))]), ShapeError, "two arrays or more, not 1"),
    (lambda: linalg.multi_dot([rnp.ones((2, 3)), rnp.ones((2, 2, 2))]), ShapeError, "array 1 has rank 3"),
    (lambda: linalg.multi_dot([rnp.ones((2, 3)), rnp.ones((4, 2))]), ShapeError, "3 .* 4"),
    (lambda: linalg.tensorinv(rnp.ones((2, 3, 5)), ind=2), ShapeError, "product 6, the others 5"),
    (lambda: linalg.tensorinv(rnp.ones((2, 2)), ind=0), AttributeValueError, "must be positive"),
    (lambda: linalg.tensorsolve(rnp.ones((2, 3, 5)), rnp.ones((2, 3))), ShapeError, "5 unknowns and 6 equations"),
    (lambda: linalg.lstsq(rnp.ones((3, 2)), rnp.ones((4,))), ShapeError, "3 rows and right-hand sides 4"),
    (lambda: linalg.lstsq(rnp.ones((2, 3, 2)), rnp.ones((3,))), ShapeError, "one matrix"),
    (lambda: linalg.matrix_rank(rnp.ones((2, 2)), rtol=1.0, tol=1.0), AttributeValueError, "both given"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
