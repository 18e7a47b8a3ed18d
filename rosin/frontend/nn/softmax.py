"""Exponentials that add up to 1 along axes, and classes as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def softmax(x: ArrayLike, /, axis: Axis = -1) -> Array:
    """exp(x) divided by its sum over axes, without overflow in between. Narrow floats are worked on in f32."""
    operand = promote.floating("softmax", x)
    wide, axes = _wide("softmax", operand, axis)
    if 0 in core.shape_of(operand):
        return operand
    power = transcendental.exp(elementwise.subtract(wide, reductions.finite_top(wide, axes)))
    result = elementwise.divide(power, reductions.sum(power, axis=axes, keepdims=True))
    return promote.cast(result, core.dtype_of(operand))


def log_softmax(x: ArrayLike, /, axis: Axis = -1) -> Array:
    """The logarithm of softmax, without overflow in between. Narrow floats are worked on in f32."""
    operand = promote.floating("log_softmax", x)
    wide, axes = _wide("log_softmax", operand, axis)
    if 0 in core.shape_of(operand):
        return operand
    shifted = elementwise.subtract(wide, reductions.finite_top(wide, axes))
    total = reductions.sum(transcendental.exp(shifted), axis=axes, keepdims=True)
    return promote.cast(elementwise.subtract(shifted, transcendental.log(total)), core.dtype_of(operand))


def softmin(x: ArrayLike, /, axis: Axis = -1) -> Array:
    """The softmax of -x."""
    return softmax(elementwise.negative(promote.floating("softmin", x)), axis)


def _wide(name: str, x: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
    axes = promote.as_axes(name, axis, x)
    return promote.cast(x, core.dtype_of(x).accumulator), axes


def one_hot(x: ArrayLike, /, num_classes: int, *, dtype: DTypeLike | None = None, axis: int = -1) -> Array:
    """For each integer the vector with 1 at its place and 0 elsewhere, along a new axis of the result.

    An integer outside 0 … num_classes - 1 gives zeros.

    Raises:
        DTypeError: x holds no integers.
    """
    operand = promote.array("one_hot", x)
    if not core.dtype_of(operand).is_integer:
        promote.bad_dtype("one_hot takes integers", operand)
    shape = core.shape_of(operand)
    place = promote.as_axis("one_hot", axis, len(shape) + 1, operand)
    full = (*shape[:place], promote.as_size("one_hot", num_classes, "num_classes"), *shape[place:])
    # Compared in i64: a narrow type may not hold the number of classes.
    wide = core.as_dtype("i64")
    number = promote.spread(manipulation.expand_dims(promote.cast(operand, wide), place), full)
    hit = logic.equal(number, creation.iota(wide, full, place))
    return promote.cast(hit, DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype))
