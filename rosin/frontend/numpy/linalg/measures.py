"""Numbers that measure matrices: determinants, norms, condition and rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.complex import real
from rosin.frontend.numpy.linalg.common import diagonal, diagonal_mask, epsilon, factored, matrices, size_of, squares
from rosin.frontend.numpy.linalg.factors import eigvalsh, svdvals
from rosin.frontend.numpy.linalg.systems import largest_size
from rosin.frontend.numpy.linear import vector_norm
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.ops.lu import LuDiagonal

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class SlogdetResult(NamedTuple):
    """The determinant as a number of magnitude 1, or 0, and the logarithm of its magnitude."""

    sign: Array
    logabsdet: Array


# -- determinants --------------------------------------------------------------------------------------------------


def det(x: ArrayLike, /) -> Array:
    """The determinants of square matrices, 1 for those of no rows.

    The derivative is finite for singular matrices, too.
    """
    a = squares("det", x)
    n = size_of(a)
    if n == 0:
        return creation.ones(core.shape_of(a)[:-2], dtype=core.dtype_of(a))
    if isinstance(n, int) and n <= 3:
        return _expanded(a, n)
    return _determinant(a)


def _expanded(a: Array, n: int) -> Array:
    """The determinant of at most three rows, along the first row."""
    if n == 1:
        return a[..., 0, 0]

    def minor(i: int, j: int) -> Array:
        left = elementwise.multiply(a[..., n - 2, i], a[..., n - 1, j])
        return elementwise.subtract(left, elementwise.multiply(a[..., n - 2, j], a[..., n - 1, i]))

    if n == 2:
        return minor(0, 1)
    first, second, third = (
        elementwise.multiply(a[..., 0, k], minor(*others)) for k, others in enumerate(((1, 2), (2, 0), (0, 1)))
    )
    return elementwise.add(elementwise.add(first, second), third)


def _pivots(a: Array) -> tuple[Array, Array]:
    """The pivots of square matrices, and whether an odd number of rows was exchanged to get them."""
    pivots, odd = core.bind(LuDiagonal(), promote.stopped(a))
    return pivots, logic.equal(odd, 1)


def _with_sign(product: Array, odd: Array) -> Array:
    return logic.where(odd, elementwise.negative(product), product)


@custom_jvp
def _determinant(a: Array) -> Array:
    pivots, odd = _pivots(a)
    return _with_sign(reductions.prod(pivots, axis=-1), odd)


@custom_jvp
def _determinant_by_factors(a: Array) -> Array:
    """The same where factors are wanted anyway."""
    factors = factored(a)
    return _with_sign(reductions.prod(diagonal(factors.packed), axis=-1), factors.is_odd())


def _determinant_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """det(a) tr(a⁻¹ da). Pivots that are zero count as ones of rounding's size, which the product makes up for: what is
    left is the matrix of cofactors."""
    (a,), (tangent,) = primals, tangents
    factors = factored(a)
    pivots = diagonal(factors.packed)
    most = reductions.max(elementwise.abs(pivots), axis=-1, keepdims=True)
    tiny = elementwise.multiply(logic.where(logic.equal(most, 0), 1.0, most), epsilon(a))
    regular = logic.where(logic.equal(pivots, 0), promote.cast(tiny, core.dtype_of(a)), pivots)
    packed = logic.where(diagonal_mask(a), regular[..., None, :], factors.packed)
    near = _with_sign(reductions.prod(regular, axis=-1), factors.is_odd())
    result = _determinant_by_factors(a)
    # The value is that of the regular factors, and its derivative that of the determinant.
    value = elementwise.add(result, promote.stopped(elementwise.subtract(near, result)))
    return result, elementwise.multiply(value, _trace(factors._replace(packed=packed).solve(tangent)))


for _function in (_determinant, _determinant_by_factors):
    _function.defjvp(_determinant_jvp)


def _trace(a: Array) -> Array:
    return reductions.sum(diagonal(a), axis=-1)


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: DTypeLike | None = None) -> Array:
    """The sum of the diagonal of matrices (the last two axes), `offset` above the main one."""
    return reductions.sum(creation.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def slogdet(x: ArrayLike, /) -> SlogdetResult:
    """Signs of determinants, and logarithms of their magnitudes: 0 and -inf for singular matrices."""
    return _sign_and_logarithm(squares("slogdet", x))


@custom_jvp
def _sign_and_logarithm(a: Array) -> SlogdetResult:
    return _by_pivots(*_pivots(a))


def _by_pivots(pivots: Array, odd: Array) -> SlogdetResult:
    sign = _with_sign(reductions.prod(elementwise.sign(pivots), axis=-1), odd)
    return SlogdetResult(sign, reductions.sum(transcendental.log(elementwise.abs(pivots)), axis=-1))


@custom_jvp
def _sign_and_logarithm_by_factors(a: Array) -> SlogdetResult:
    """The same where factors are wanted anyway."""
    factors = factored(a)
    return _by_pivots(diagonal(factors.packed), factors.is_odd())


def _sign_and_logarithm_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[SlogdetResult, SlogdetResult]:
    (a,), (tangent,) = primals, tangents
    result = _sign_and_logarithm_by_factors(a)
    change = _trace(factored(a).solve(tangent))
    is_complex = core.dtype_of(a).is_complex
    turn = elementwise.subtract(change, real(change)) if is_complex else creation.zeros_like(change)
    return result, SlogdetResult(elementwise.multiply(result.sign, turn), real(change))


for _function in (_sign_and_logarithm, _sign_and_logarithm_by_factors):
    _function.defjvp(_sign_and_logarithm_jvp)


# -- norms ---------------------------------------------------------------------------------------------------------


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Array:
    """Norms of matrices: "fro" the root of the sum of squares, "nuc" the sum of singular values, 2 and -2 the greatest
    and the least singular value, 1 and -1 the greatest and the least sum of a column's magnitudes, inf and -inf of a
    row's.

    Raises:
        AttributeValueError: there is no such norm.
    """
    a = matrices("matrix_norm", x)
    if ord in ("fro", None):
        return vector_norm(a, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        values = svdvals(a)
        reduce = reductions.sum if ord == "nuc" else reductions.max if ord == 2 else reductions.min
        result = reduce(values, axis=-1)
        return manipulation.expand_dims(result, (-2, -1)) if keepdims else result
    if ord not in (1, -1, math.inf, -math.inf):
        promote.bad_value(f"matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, not {ord!r}", a)
    assert not isinstance(ord, str | None)
    axis = -2 if abs(ord) == 1 else -1
    sums = reductions.sum(elementwise.abs(a), axis=axis, keepdims=True)
    result = (reductions.max if ord > 0 else reductions.min)(sums, axis=-3 - axis, keepdims=True)
    return result if keepdims else manipulation.squeeze(result, (-2, -1))


def norm(
    x: ArrayLike, /, ord: float | str | None = None, axis: int | Sequence[int] | None = None, *, keepdims: bool = False
) -> Array:
    """A norm of vectors along one axis, or of matrices over a pair of axes.

    Without an axis and without `ord` it is the root of the sum of all squares; without an axis alone, that of a vector
    or of a matrix.

    Raises:
        ShapeError: there are more axes than two, or arrays of other ranks without an axis.
        AttributeValueError: there is no such norm.
    """
    a = promote.floating("norm", x)
    rank = len(core.shape_of(a))
    if axis is None:
        if ord is None:
            return vector_norm(a, keepdims=keepdims)
        if rank not in (1, 2):
            promote.bad_shape(f"norm: ord is {ord!r}, and without an axis an array is of rank 1 or 2, not {rank}", a)
        axis = 0 if rank == 1 else (0, 1)
    axes = promote.as_axes("norm", axis, a)
    if len(axes) == 1:
        if isinstance(ord, str):
            promote.bad_value(f"norm: {ord!r} is a norm of matrices; a vector has numbers", a)
        return vector_norm(a, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        promote.bad_shape(f"norm: axis is one axis, or two, not {len(axes)}", a)
    result = matrix_norm(manipulation.moveaxis(a, axes, (-2, -1)), ord=ord)
    return manipulation.expand_dims(result, tuple(sorted(axes))) if keepdims else result


def cond(x: ArrayLike, /, p: float | str | None = None) -> Array:
    """Condition numbers: the norm times that of the inverse, infinite for singular matrices.

    `p` is a norm of `matrix_norm`; None and 2 are the ratio of the greatest singular value to the least, of matrices
    that need not be square, -2 its inverse.
    """
    a = matrices("cond", x)
    if p in (None, 2, -2):
        values = svdvals(a)
        greatest, least = reductions.max(values, axis=-1), reductions.min(values, axis=-1)
        pair = (least, greatest) if p == -2 else (greatest, least)
        ratio = elementwise.divide(*pair)
        # A matrix of zeros has an infinite condition, not 0 / 0.
        none = logic.logical_and(logic.equal(greatest, 0), logic.logical_not(logic.isnan(least)))
        return logic.where(none, math.inf, ratio)
    a = squares("cond", a)
    product = elementwise.multiply(matrix_norm(a, ord=p), matrix_norm(_inverse(a), ord=p))
    unknown = reductions.any(logic.isnan(a), axis=(-2, -1))
    return logic.where(logic.logical_and(logic.isnan(product), logic.logical_not(unknown)), math.inf, product)


def _inverse(a: Array) -> Array:
    """The inverse; of singular matrices infinities and NaNs, eagerly too."""
    unit = promote.spread(creation.eye(size_of(a), dtype=core.dtype_of(a)), core.shape_of(a))
    return factored(a).solve(unit)


def matrix_rank(
    x: ArrayLike, /, *, rtol: ArrayLike | None = None, tol: ArrayLike | None = None, hermitian: bool = False
) -> Array:
    """How many singular values are above `tol`, or above `rtol` times the greatest; max(m, n) epsilons by default.

    Of `hermitian` matrices, the magnitudes of eigenvalues are counted. An array of rank below 2 has rank 0 or 1.

    Raises:
        AttributeValueError: both tolerances are given.
    """
    operand = promote.floating("matrix_rank", x)
    if rtol is not None and tol is not None:
        promote.bad_value("matrix_rank: rtol and tol are both given", operand)
    if len(core.shape_of(operand)) < 2:
        return promote.cast(reductions.any(logic.not_equal(operand, 0)), core.DEFAULT_INT)
    values = elementwise.abs(eigvalsh(operand)) if hermitian else svdvals(operand)
    if tol is None:
        share = largest_size(operand) * epsilon(operand) if rtol is None else rtol
        share = promote.array("matrix_rank", share)
        most = reductions.max(values, axis=-1) if 0 not in core.shape_of(values) else reductions.sum(values, axis=-1)
        bound = elementwise.multiply(most, share)
    else:
        bound = promote.array("matrix_rank", tol)
    return reductions.count_nonzero(logic.greater(values, manipulation.expand_dims(bound, -1)), axis=-1)
