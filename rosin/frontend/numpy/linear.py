"""Products of vectors, matrices and arrays, all through one op, `dot_general`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.complex import conj, imag, real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dtypes import DType
from rosin.ir.ops.contract import DotGeneral

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Axes = tuple[int, ...]


def contract(
    x1: Array, x2: Array, axes: tuple[Axes, Axes], batch: tuple[Axes, Axes] = ((), ()), dtype: DType | None = None
) -> Array:
    """The sum of products over pairs of axes, for each place along pairs of batch axes, of arrays of one element type.

    The result's axes are the batch axes, the other axes of x1, the other axes of x2. It is of `dtype`, in which the
    products are summed, or of the operands' element type.
    """
    return core.bind1(DotGeneral(*axes, *batch, dtype or core.dtype_of(x1)), x1, x2)


def numbers(name: str, preferred: DTypeLike | None, *xs: ArrayLike) -> tuple[tuple[Array, ...], DType]:
    """The operands of a product, of one element type, and the type of its result: the preferred one, if there is one.

    Integers whose product is preferred as floats are multiplied as floats.

    Raises:
        DTypeError: the operands are truth values, or the preferred type does not hold their products.
    """
    arrays = promote.alike(name, *xs)
    promote.numeric(name, arrays[0])
    own = core.dtype_of(arrays[0])
    wanted = own if preferred is None else core.as_dtype(preferred)
    wider = wanted.bits > own.bits and (wanted.kind == own.kind or (own.kind == "uint" and wanted.kind == "int"))
    if own.is_integer and wanted.is_float and wanted.bits >= own.bits:
        return tuple(promote.cast(x, wanted) for x in arrays), wanted
    if wanted != own and not wider:
        promote.bad_dtype(f"{name}: preferred_element_type {wanted} does not hold products of {own}", *arrays)
    return arrays, wanted


# -- matrix products ---------------------------------------------------------------------------------------------------


def matmul(x1: ArrayLike, x2: ArrayLike, /, *, preferred_element_type: DTypeLike | None = None) -> Array:
    """The matrix product: `(..., m, k)` with `(..., k, n)` gives `(..., m, n)`, leading axes broadcast.

    A vector is a row on the left and a column on the right, and the axis it lacks is left out of the result. Narrow
    floats are summed in f32; integers wrap around in their own type.

    Products are summed in `preferred_element_type`, if it is given, and so the result is: f32 for bf16, i32 for i8.

    Raises:
        ShapeError: an operand has rank 0, the inner sizes differ, or the leading axes do not broadcast.
        DTypeError: the operands are truth values, or the preferred type is narrower or of another kind.
    """
    (a, b), dtype = numbers("matmul", preferred_element_type, x1, x2)
    left, right = core.shape_of(a), core.shape_of(b)
    if not left or not right:
        promote.bad_shape("matmul: takes vectors and matrices, not a number; multiply scales", a, b)
    inner = len(right) - 2 if len(right) > 1 else 0
    if not facts.same(left[-1], right[inner]):
        sizes = f"{left[-1]} (the last axis of the left) and {right[inner]} (axis {inner} of the right)"
        promote.bad_shape(f"matmul: the inner sizes differ: {sizes}", a, b)
    if len(right) <= 2:
        return contract(a, b, ((len(left) - 1,), (inner,)), dtype=dtype)
    if len(left) <= 2:
        result = contract(a, b, ((len(left) - 1,), (inner,)), dtype=dtype)
        return result if len(left) == 1 else manipulation.moveaxis(result, 0, -2)
    return _batched_matmul(a, b, dtype)


def _batched_matmul(a: Array, b: Array, dtype: DType) -> Array:
    left, right = core.shape_of(a), core.shape_of(b)
    batch = promote.broadcast_batch("matmul", (a, left[:-2]), (b, right[:-2]))
    a, b = promote.spread(a, (*batch, *left[-2:])), promote.spread(b, (*batch, *right[-2:]))
    axes, n = tuple(range(len(batch))), len(batch)
    return contract(a, b, ((n + 1,), (n,)), (axes, axes), dtype)


def dot(x1: ArrayLike, x2: ArrayLike, /, *, preferred_element_type: DTypeLike | None = None) -> Array:
    """The sum of products over the last axis of x1 and the second to last of x2 (its only one if it is a vector).

    A number scales the other operand. For `preferred_element_type` see `matmul`.

    Raises:
        ShapeError: the sizes of the two axes differ.
        DTypeError: as `matmul`.
    """
    (a, b), dtype = numbers("dot", preferred_element_type, x1, x2)
    ranks = len(core.shape_of(a)), len(core.shape_of(b))
    if 0 in ranks:
        return _multiplied(a, b, dtype)
    return _tensordot("dot", a, b, (ranks[0] - 1,), (max(ranks[1] - 2, 0),), dtype)


def inner(x1: ArrayLike, x2: ArrayLike, /, *, preferred_element_type: DTypeLike | None = None) -> Array:
    """The sum of products over the last axes of both; a number scales the other operand.

    For `preferred_element_type` see `matmul`.

    Raises:
        ShapeError: the last sizes differ.
        DTypeError: as `matmul`.
    """
    (a, b), dtype = numbers("inner", preferred_element_type, x1, x2)
    ranks = len(core.shape_of(a)), len(core.shape_of(b))
    if 0 in ranks:
        return _multiplied(a, b, dtype)
    return _tensordot("inner", a, b, (ranks[0] - 1,), (ranks[1] - 1,), dtype)


def _multiplied(a: Array, b: Array, dtype: DType) -> Array:
    return elementwise.multiply(promote.cast(a, dtype), promote.cast(b, dtype))


def tensordot(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    axes: int | tuple[Sequence[int], Sequence[int]] = 2,
    *,
    preferred_element_type: DTypeLike | None = None,
) -> Array:
    """The sum of products over axes: the last `axes` of x1 with the first of x2, or pairs given as two sequences.

    The result has the other axes of x1, then those of x2. For `preferred_element_type` see `matmul`.

    Raises:
        ShapeError: paired axes differ in size, or there is no such axis.
        DTypeError: as `matmul`.
    """
    (a, b), dtype = numbers("tensordot", preferred_element_type, x1, x2)
    rank = len(core.shape_of(a))
    if isinstance(axes, int):
        if not 0 <= axes <= min(rank, len(core.shape_of(b))):
            promote.bad_shape(f"tensordot: {axes} axes are to be summed over", a, b)
        return _tensordot("tensordot", a, b, tuple(range(rank - axes, rank)), tuple(range(axes)), dtype)
    left, right = (promote.as_axes("tensordot", tuple(given), x) for given, x in zip(axes, (a, b), strict=True))
    return _tensordot("tensordot", a, b, left, right, dtype)


def _tensordot(name: str, a: Array, b: Array, left: Axes, right: Axes, dtype: DType) -> Array:
    if len(left) != len(right):
        promote.bad_shape(f"{name}: {len(left)} axes of the left and {len(right)} of the right are paired", a, b)
    for i, j in zip(left, right, strict=True):
        sizes = core.shape_of(a)[i], core.shape_of(b)[j]
        if not facts.same(*sizes):
            promote.bad_shape(
                f"{name}: axis {i} of the left has size {sizes[0]} and axis {j} of the right {sizes[1]}", a, b
            )
    if not left:
        rank = len(core.shape_of(b))
        return _multiplied(manipulation.expand_dims(a, tuple(range(-rank, 0))) if rank else a, b, dtype)
    return contract(a, b, (left, right), dtype=dtype)


def vecdot(
    x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, preferred_element_type: DTypeLike | None = None
) -> Array:
    """The sum of products over one axis of both, counted from the end; the other axes broadcast.

    Complex numbers of x1 are conjugated. For `preferred_element_type` see `matmul`.

    Raises:
        ShapeError: the axis has two sizes, or the other axes do not broadcast.
        DTypeError: as `matmul`.
    """
    (a, b), dtype = numbers("vecdot", preferred_element_type, x1, x2)
    rank = min(len(core.shape_of(a)), len(core.shape_of(b)))
    if axis >= 0 and len(core.shape_of(a)) != len(core.shape_of(b)):
        promote.bad_shape(f"vecdot: axis {axis} of arrays of different rank is counted from the end", a, b)
    place = promote.as_axis("vecdot", axis, rank, a, b) - rank
    sizes = core.shape_of(a)[place], core.shape_of(b)[place]
    if not facts.same(*sizes):
        promote.bad_shape(f"vecdot: axis {place} has sizes {sizes[0]} and {sizes[1]}", a, b)
    row = manipulation.expand_dims(manipulation.moveaxis(conj(a), place, -1), -2)
    column = manipulation.expand_dims(manipulation.moveaxis(b, place, -1), -1)
    return manipulation.squeeze(matmul(row, column, preferred_element_type=dtype), (-2, -1))


def outer(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The products of every element of x1 with every element of x2: shape (size of x1, size of x2)."""
    a, b = promote.alike("outer", x1, x2)
    return elementwise.multiply(manipulation.expand_dims(manipulation.ravel(a), 1), manipulation.ravel(b))


def cross(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three components along an axis; the other axes broadcast.

    Raises:
        ShapeError: there is no such axis, it has not three components, or the other axes do not broadcast.
    """
    a, b = (promote.numeric("cross", x) for x in promote.alike("cross", x1, x2))
    for x in (a, b):
        shape = core.shape_of(x)
        if not facts.same(shape[promote.as_axis("cross", axis, len(shape), x)], 3):
            plane = "; of two in a plane take a[0] * b[1] - a[1] * b[0]" if facts.same(shape[axis], 2) else ""
            promote.bad_shape(f"cross: vectors along axis {axis} have 3 components, not {shape[axis]}{plane}", a, b)
    left, right = (manipulation.unstack(x, axis=axis) for x in (a, b))
    parts = [
        elementwise.subtract(elementwise.multiply(left[i], right[j]), elementwise.multiply(left[j], right[i]))
        for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return manipulation.stack(parts, axis=axis)


# -- traces and norms --------------------------------------------------------------------------------------------------


def diagonal(x: ArrayLike, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of matrices, whose rows run along `axis1` and columns along `axis2`, as a last axis.

    They are `offset` above the main one. `linalg.diagonal` is for the last two axes.

    Raises:
        ShapeError: x has fewer than two axes, or the axes are one.
    """
    operand = promote.array("diagonal", x)
    rank = len(core.shape_of(operand))
    if rank == 2 and (axis1, axis2) in ((0, 1), (-2, -1)):
        return creation.diagonal(operand, offset)
    if rank < 2:
        promote.bad_shape(f"diagonal: takes matrices, with at least 2 axes, not {rank}", operand)
    rows, columns = (promote.as_axis("diagonal", axis, rank, operand) for axis in (axis1, axis2))
    if rows == columns:
        promote.bad_shape(f"diagonal: axis1 and axis2 are both axis {rows}", operand)
    return creation.diagonal(manipulation.moveaxis(operand, (rows, columns), (-2, -1)), offset)


def trace(x: ArrayLike, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: DTypeLike | None = None) -> Array:
    """The sum of `diagonal`, which see. `linalg.trace` is for the last two axes."""
    return reductions.sum(diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)


def vector_norm(
    x: ArrayLike, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2
) -> Array:
    """The norm of vectors: (Σ |x|^ord)^(1/ord); the greatest |x| for inf, the least for -inf, the count for 0.

    Nothing over- or underflows in between. The derivative for a zero vector is taken as 0.
    """
    operand = promote.floating("vector_norm", x)
    if ord not in (0, 1) and not math.isinf(ord):
        return _scaled_norm(operand, axis, keepdims, float(ord))
    size = elementwise.abs(operand)
    if ord == 1:
        return reductions.sum(size, axis=axis, keepdims=keepdims)
    if math.isinf(ord):
        extreme = reductions.max if ord > 0 else reductions.min
        return extreme(size, axis=axis, keepdims=keepdims)
    count = reductions.count_nonzero(operand, axis=axis, keepdims=keepdims)
    return promote.cast(count, core.dtype_of(size))


def _root(total: Array, ord: float) -> Array:
    """total to the power 1 / ord. A root has no derivative at 0, so it is taken of another number there."""
    if ord < 0:
        return elementwise.pow(total, 1 / ord)
    nothing = logic.equal(total, 0)
    inside = logic.where(nothing, 1, total)
    root = transcendental.sqrt(inside) if ord == 2 else elementwise.pow(inside, 1 / ord)
    return logic.where(nothing, 0, root)


def _scaled_norm(x: Array, axis: int | Sequence[int] | None, keepdims: bool, ord: float) -> Array:
    """(Σ |x|^ord)^(1/ord), of numbers scaled such that the greatest term is about 1."""
    axes = promote.as_axes("vector_norm", axis, x)
    square = ord == 2
    parts = [real(x), imag(x)] if square and core.dtype_of(x).is_complex else [x if square else elementwise.abs(x)]
    scale: Array | None = None
    if axes and 0 not in [core.shape_of(x)[i] for i in axes]:
        sizes = functools.reduce(elementwise.maximum, map(elementwise.abs, parts)) if square else parts[0]
        most = promote.stopped((reductions.max if ord > 0 else reductions.min)(sizes, axis=axes, keepdims=True))
        plain = logic.logical_or(logic.equal(most, 0), logic.logical_not(logic.isfinite(most)))
        scale = logic.where(plain, 1.0, most)
        parts = [elementwise.divide(part, scale) for part in parts]
    terms = [elementwise.square(part) if square else elementwise.pow(part, ord) for part in parts]
    total = reductions.sum(functools.reduce(elementwise.add, terms), axis=axes, keepdims=True)
    result = _root(total, ord) if scale is None else elementwise.multiply(_root(total, ord), scale)
    return result if keepdims else manipulation.squeeze(result, axes)
