"""Sums, products, extremes, means and truth over axes, and the same running along an axis.

`axis` is an axis, a tuple of axes, or None for all; negative axes count from the end. With `keepdims` the reduced axes
stay, with size 1. Every function raises `ShapeError` for an axis that there is not, and `DTypeError` for operands of
the wrong kind.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT, DTypeLike
from rosin.frontend.numpy import elementwise, logic, manipulation, ordering, promote, transcendental
from rosin.frontend.numpy.complex import imag, real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.op import Op
from rosin.ir.ops import cumulative as running
from rosin.ir.ops import reduce as ops
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Axis: TypeAlias = "int | Sequence[int] | None"


def _restored(y: Array, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """`y`, a reduction of `x`, with the reduced axes back if they are to be kept."""
    if not keepdims:
        return y
    return manipulation.reshape(y, [1 if i in axes else size for i, size in enumerate(core.shape_of(x))])


def _sorted_axes(name: str, axis: Axis, x: Array) -> tuple[int, ...]:
    return tuple(sorted(promote.as_axes(name, axis, x)))


def _size(x: Array, axes: tuple[int, ...]) -> Dim:
    """How many elements are reduced to one."""
    return dims.product(core.shape_of(x)[i] for i in axes)


def _total(dtype: DType, asked: DTypeLike | None) -> DType:
    return promote.accumulator_of(dtype) if asked is None else core.as_dtype(asked)


def _chosen(name: str, x: Array, where: ArrayLike | None, otherwise: core.Scalar) -> Array:
    """x with another number where a mask does not hold."""
    return x if where is None else logic.where(_mask(name, x, where), x, otherwise)


def _mask(name: str, x: Array, where: ArrayLike) -> Array:
    """A mask as truth values in the shape of x."""
    return promote.spread_to(name, logic.truth(name, where), core.shape_of(x))


# -- sums and products -------------------------------------------------------------------------------------------------


@core.fresh
def sum(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    initial: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The sum over axes of what `where` holds for, and of `initial`; 0 over none. Truth values and narrow integers are
    summed in the default integer.

    As truth values the sum is whether an element is true.
    """
    operand = _chosen("sum", promote.array("sum", x), where, 0)
    if dtype is not None and core.as_dtype(dtype).kind == "bool":
        return any(operand, axis=axis, keepdims=keepdims)
    axes = _sorted_axes("sum", axis, operand)
    operand = promote.cast(operand, _total(core.dtype_of(operand), dtype))
    result = _restored(core.bind1(ops.Sum(axes), operand) if axes else operand, operand, axes, keepdims)
    return result if initial is None else elementwise.add(result, initial)


@core.fresh
def prod(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    initial: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The product over axes of what `where` holds for, and of `initial`; 1 over none. Truth values and narrow integers
    are multiplied in the default integer.

    As truth values the product is whether all elements are true.
    """
    operand = _chosen("prod", promote.array("prod", x), where, 1)
    if dtype is not None and core.as_dtype(dtype).kind == "bool":
        return all(operand, axis=axis, keepdims=keepdims)
    axes = _sorted_axes("prod", axis, operand)
    operand = promote.cast(operand, _total(core.dtype_of(operand), dtype))
    result = _restored(core.bind1(ops.Prod(axes), operand) if axes else operand, operand, axes, keepdims)
    return result if initial is None else elementwise.multiply(result, initial)


def _as_floats(name: str, x: ArrayLike, asked: DTypeLike | None) -> Array:
    """An operand as floats, of the element type that is asked for."""
    operand = promote.array(name, x)
    return promote.floating(name, operand if asked is None else promote.cast(operand, core.as_dtype(asked)))


def mean(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    keepdims: bool = False,
    where: ArrayLike | None = None,
) -> Array:
    """The mean over axes, of x as `dtype`, of what `where` holds for; NaN over none.

    Narrow floats are summed and divided in f32.
    """
    operand = _as_floats("mean", x, dtype)
    dtype = core.dtype_of(operand)
    axes = _sorted_axes("mean", axis, operand)
    wide = promote.cast(operand, dtype.accumulator)
    mask = None if where is None else _mask("mean", operand, where)
    return promote.cast(_mean(wide, axes, mask, keepdims), dtype)


def _mean(x: Array, axes: tuple[int, ...], mask: Array | None, keepdims: bool) -> Array:
    total = sum(x, axis=axes, keepdims=keepdims, where=mask)
    return elementwise.divide(total, _count(x, axes, mask, keepdims))


def _count(x: Array, axes: tuple[int, ...], mask: Array | None, keepdims: bool) -> float | Array:
    """How many elements there are over axes, as a real float."""
    dtype = core.dtype_of(x).part
    if mask is None:
        return count_of(_size(x, axes), dtype)
    return sum(promote.cast(mask, dtype), axis=axes, keepdims=keepdims)


def count_of(count: Dim | float, dtype: DType) -> float | Array:
    """A number of elements as a float: a symbolic one is known when the program runs."""
    if isinstance(count, int | float):
        return float(count)
    return core.size_array(count, dtype)


def var(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    ddof: float | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The mean squared distance from the mean over axes, of x as `dtype`, of what `where` holds for.

    The sum is divided by the count less `correction`, which NumPy also calls `ddof`. The distances are taken from the
    mean before they are squared, in f32 for narrow floats. They are real numbers, and so is the variance, of complex
    numbers too.
    """
    operand = _as_floats("var", x, dtype)
    dtype = core.dtype_of(operand)
    correction = correction if ddof is None else ddof
    mask = None if where is None else _mask("var", operand, where)
    if dtype.is_complex:
        options: Any = {"axis": axis, "correction": correction, "keepdims": keepdims, "where": mask}
        return elementwise.add(*(var(part, **options) for part in (real(operand), imag(operand))))
    axes = _sorted_axes("var", axis, operand)
    wide = promote.cast(operand, dtype.accumulator)
    centred = elementwise.subtract(wide, _mean(wide, axes, mask, keepdims=True))
    total = sum(elementwise.square(_chosen("var", centred, mask, 0)), axis=axes, keepdims=keepdims)
    return promote.cast(elementwise.divide(total, _less(_count(wide, axes, mask, keepdims), correction)), dtype)


def _less(count: float | Array, correction: float) -> float | Array:
    """The count less the correction, not below zero."""
    if isinstance(count, float):
        return builtins.max(count - correction, 0.0)
    return elementwise.maximum(elementwise.subtract(count, correction), 0.0)


def std(
    x: ArrayLike,
    /,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    ddof: float | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The square root of `var`, whose derivative is infinite where all elements are equal."""
    options: Any = {"correction": correction, "keepdims": keepdims, "ddof": ddof, "where": where}
    return transcendental.sqrt(var(x, axis, dtype, **options))


# -- extremes ----------------------------------------------------------------------------------------------------------


def _extreme(name: str, op: type[ops.Max] | type[ops.Min], x: ArrayLike, axis: Axis, keepdims: bool) -> Array:
    operand = promote.array(name, x)
    axes = _sorted_axes(name, axis, operand)
    for i in axes:
        if core.shape_of(operand)[i] == 0:
            promote.bad_shape(f"{name}: axis {i} has no elements, and the {name} of none is undefined", operand)
    if not axes:
        return operand
    if core.dtype_of(operand).kind == "bool":
        truth = any if op is ops.Max else all
        return truth(operand, axis=axes, keepdims=keepdims)
    if core.dtype_of(operand).is_complex:
        return _restored(ordering.extreme(op, operand, axes), operand, axes, keepdims)
    return _restored(core.bind1(op(axes), operand), operand, axes, keepdims)


def _begun(name: str, x: ArrayLike, axis: Axis, initial: core.Scalar | None, where: ArrayLike | None) -> Array:
    """The elements that a mask holds for, and one more along the first reduced axis, if that is given."""
    operand = promote.array(name, x)
    if initial is None:
        if where is not None:
            promote.bad_value(f"{name}: a mask may hold nowhere; initial= says what is the {name} then", operand)
        return operand
    operand = _chosen(name, operand, where, initial)
    axes = _sorted_axes(name, axis, operand)
    shape = list(core.shape_of(operand))
    if not axes:
        return operand
    shape[axes[0]] = 1
    first = promote.number(name, initial, TensorType(core.dtype_of(operand), tuple(shape)))
    return manipulation.concat([first, operand], axis=axes[0])


@core.fresh
def max(
    x: ArrayLike,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: core.Scalar | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The greatest element over axes of those that `where` holds for, and of `initial`; NaN if one is NaN.

    Elements that tie share the derivative equally.

    Raises:
        ShapeError: a reduced axis has no elements, and there is no `initial`.
        AttributeValueError: there is a mask, and no `initial` for where it holds nowhere.
    """
    return _extreme("max", ops.Max, _begun("max", x, axis, initial, where), axis, keepdims)


@core.fresh
def min(
    x: ArrayLike,
    /,
    axis: Axis = None,
    *,
    keepdims: bool = False,
    initial: core.Scalar | None = None,
    where: ArrayLike | None = None,
) -> Array:
    """The least element over axes of those that `where` holds for, and of `initial`; NaN if one is NaN.

    Elements that tie share the derivative equally.

    Raises:
        ShapeError: a reduced axis has no elements, and there is no `initial`.
        AttributeValueError: there is a mask, and no `initial` for where it holds nowhere.
    """
    return _extreme("min", ops.Min, _begun("min", x, axis, initial, where), axis, keepdims)


def _place(name: str, op: type[ops.ArgMax] | type[ops.ArgMin], x: ArrayLike, axis: int | None, keepdims: bool) -> Array:
    operand = promote.array(name, x)
    rank = len(core.shape_of(operand))
    kept = manipulation.ravel(operand) if axis is None else operand
    along = 0 if axis is None else promote.as_axis(name, axis, rank, operand)
    if core.shape_of(kept)[along] == 0:
        promote.bad_shape(f"{name}: axis {along} has no elements, and the {name} of none is undefined", operand)
    if core.dtype_of(kept).kind == "bool":
        kept = promote.cast(kept, dtypes.u8)
    is_complex = core.dtype_of(kept).is_complex
    found = promote.cast(ordering.place(op, kept, along) if is_complex else core.bind1(op(along), kept), DEFAULT_INT)
    return _restored(found, operand, tuple(range(rank)) if axis is None else (along,), keepdims)


def argmax(x: ArrayLike, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Where along an axis the greatest element is: the first of those that tie, or the first NaN.

    The place is of the default integer type; None counts in row-major order.

    Raises:
        ShapeError: the axis has no elements.
    """
    return _place("argmax", ops.ArgMax, x, axis, keepdims)


def argmin(x: ArrayLike, /, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Where along an axis the least element is: the first of those that tie, or the first NaN.

    The place is of the default integer type; None counts in row-major order.

    Raises:
        ShapeError: the axis has no elements.
    """
    return _place("argmin", ops.ArgMin, x, axis, keepdims)


# -- truth -------------------------------------------------------------------------------------------------------------


@core.fresh
def any(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False, where: ArrayLike | None = None) -> Array:
    """Whether one element is true (not zero) over axes, among those that `where` holds for; false over none."""
    operand = _chosen("any", logic.truth("any", x), where, False)
    axes = _sorted_axes("any", axis, operand)
    return _restored(core.bind1(ops.Any_(axes), operand) if axes else operand, operand, axes, keepdims)


@core.fresh
def all(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False, where: ArrayLike | None = None) -> Array:
    """Whether every element is true (not zero) over axes, of those that `where` holds for; true over none."""
    operand = _chosen("all", logic.truth("all", x), where, True)
    axes = _sorted_axes("all", axis, operand)
    return _restored(core.bind1(ops.All(axes), operand) if axes else operand, operand, axes, keepdims)


def count_nonzero(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """How many elements are not zero, as the default integer."""
    return sum(logic.truth("count_nonzero", x), axis=axis, keepdims=keepdims)


def allclose(
    x1: ArrayLike, x2: ArrayLike, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: bool = False
) -> Array:
    """Whether all elements are close, as `isclose` says."""
    return all(logic.isclose(x1, x2, rtol, atol, equal_nan=equal_nan))


def array_equal(x1: ArrayLike, x2: ArrayLike, /, equal_nan: bool = False) -> Array:
    """Whether two arrays have one shape and equal elements; with `equal_nan` a NaN is equal to another one."""
    a, b = promote.alike("array_equal", x1, x2)
    if core.shape_of(a) != core.shape_of(b):
        return promote.number("array_equal", False, TensorType(dtypes.bool_))
    same = logic.equal(a, b)
    if equal_nan and core.dtype_of(a).differentiable:
        same = logic.logical_or(same, logic.logical_and(logic.isnan(a), logic.isnan(b)))
    return all(same)


# -- logarithms of sums ------------------------------------------------------------------------------------------------


def logsumexp(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """log Σ exp over axes, without overflow in between: -inf where all are -inf or there are none, inf if one is.

    Its derivative is the softmax, and 0 where the result is -inf; where an element is inf it is NaN.
    """
    operand = promote.floating("logsumexp", x)
    axes = _sorted_axes("logsumexp", axis, operand)
    if 0 in core.shape_of(operand):
        return transcendental.log(sum(transcendental.exp(operand), axis=axes, keepdims=keepdims))
    dtype = core.dtype_of(operand)
    wide = promote.cast(operand, dtype.accumulator)
    top = finite_top(wide, axes)
    total = sum(transcendental.exp(elementwise.subtract(wide, top)), axis=axes, keepdims=True)
    # Where the sum is 0 its logarithm's derivative is infinite, and 0 times that would be NaN.
    empty = logic.equal(total, 0)
    logarithm = transcendental.log(logic.where(empty, 1, total))
    result = logic.where(empty, float("-inf"), elementwise.add(logarithm, top))
    return promote.cast(result if keepdims else manipulation.squeeze(result, axes), dtype)


def finite_top(x: Array, axes: tuple[int, ...]) -> Array:
    """The greatest element over axes that stay, as a constant to derivatives; 0 where it is no finite number.

    Of complex numbers the greatest real part, which their exponentials go by.
    """
    top = promote.stopped(max(real(x), axis=axes, keepdims=True))
    return logic.where(logic.isfinite(top), top, 0)


# -- running along an axis ---------------------------------------------------------------------------------------------


def _running(name: str, op: Op, x: Array, axis: int, first: float | None) -> Array:
    result = core.bind1(op, x)
    if first is None:
        return result
    shape = core.shape_of(x)
    start = promote.number(name, first, TensorType(core.dtype_of(x), (*shape[:axis], 1, *shape[axis + 1 :])))
    return manipulation.concat([start, result], axis=axis)


def line_of(name: str, x: Array, axis: int | None) -> tuple[Array, int]:
    """The operand and the axis to run along, which may be left out when there is only one."""
    rank = len(core.shape_of(x))
    if axis is None and rank != 1:
        promote.bad_shape(f"{name}: an array of rank {rank} needs an axis to run along", x)
    return x, promote.as_axis(name, 0 if axis is None else axis, rank, x)


def cumulative_sum(
    x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Array:
    """The sums of the elements so far along an axis, with 0 in front of them if `include_initial`.

    Raises:
        ShapeError: no axis is given and x is not a vector.
    """
    operand, along = line_of("cumulative_sum", promote.array("cumulative_sum", x), axis)
    operand = promote.cast(operand, _total(core.dtype_of(operand), dtype))
    return _running("cumulative_sum", running.CumSum(along, False), operand, along, 0 if include_initial else None)


def cumulative_prod(
    x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None, include_initial: bool = False
) -> Array:
    """The products of the elements so far along an axis, with 1 in front of them if `include_initial`.

    Raises:
        ShapeError: no axis is given and x is not a vector.
    """
    operand, along = line_of("cumulative_prod", promote.array("cumulative_prod", x), axis)
    operand = promote.cast(operand, _total(core.dtype_of(operand), dtype))
    return _running("cumulative_prod", running.CumProd(along, False), operand, along, 1 if include_initial else None)


def cumsum(x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None) -> Array:
    """`cumulative_sum`, where no axis takes the elements in row-major order, as in NumPy."""
    operand = promote.array("cumsum", x)
    return cumulative_sum(manipulation.ravel(operand) if axis is None else operand, axis=axis, dtype=dtype)


def cumprod(x: ArrayLike, /, axis: int | None = None, *, dtype: DTypeLike | None = None) -> Array:
    """`cumulative_prod`, where no axis takes the elements in row-major order, as in NumPy."""
    operand = promote.array("cumprod", x)
    return cumulative_prod(manipulation.ravel(operand) if axis is None else operand, axis=axis, dtype=dtype)


def logcumsumexp(x: ArrayLike, /, axis: int | None = None) -> Array:
    """log Σ exp of the elements so far along an axis, without overflow in between."""
    operand, along = line_of("logcumsumexp", promote.floating("logcumsumexp", x), axis)
    return core.bind1(running.CumLogSumExp(along, False), operand)


@core.fresh
def diff(
    x: ArrayLike,
    /,
    n: int = 1,
    axis: int = -1,
    *,
    prepend: ArrayLike | None = None,
    append: ArrayLike | None = None,
) -> Array:
    """The differences of neighbours along an axis, `n` times over; of truth values whether they differ.

    `prepend` and `append` are joined to x along the axis first, unless n is 0.

    Raises:
        AttributeValueError: n is negative.
    """
    operand = promote.array("diff", x)
    along = promote.as_axis("diff", axis, len(core.shape_of(operand)), operand)
    if promote.as_int("diff", n, "n") < 0:
        promote.bad_value(f"diff: n is {n}; it is not negative", operand)
    if n > 0 and (prepend is not None or append is not None):
        parts = [part for part in (prepend, operand, append) if part is not None]
        operand = manipulation.concat(_with_ends(operand, promote.alike("diff", *parts), along), axis=along)
    minus = logic.logical_xor if core.dtype_of(operand).kind == "bool" else elementwise.subtract
    for _ in range(n):
        size = core.shape_of(operand)[along]
        if size == 0:
            break
        after = manipulation.slice_axis(operand, along, 1, size)
        operand = minus(after, manipulation.slice_axis(operand, along, 0, size - 1))
    return operand


def _with_ends(x: Array, parts: Sequence[Array], axis: int) -> list[Array]:
    """What is joined to x along an axis: a number stands for one element of each line."""
    shape = core.shape_of(x)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    return [part if core.shape_of(part) else promote.spread(part, one) for part in parts]
