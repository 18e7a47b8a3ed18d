"""Results whose size depends on data: where elements are not zero, and what is there.

Outside of traced functions these do what NumPy's do. In a traced function the number of elements is a symbolic size
that the program measures when it runs (see docs/shapes.md), at most that of the mask; or, with `size=`, it is that
number: then what is beyond it is left out, and what is missing is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.errors import ArgumentError
from rosin.frontend.numpy import counted, creation, indexing, logic, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.sizes import Size, sized
from rosin.frontend.trace import located
from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Count: TypeAlias = "int | Size | None"
Fill: TypeAlias = "int | Array"


def size(number: ArrayLike, /, *, max: int | Size) -> int | Size:
    """An integer that the program computes as a size, to be given wherever a shape or a bound of a slice is asked for.

    number: one integer. In a traced function it becomes a symbolic size; elsewhere it is the number itself.
    max: the greatest size that it can be, for which memory is planned.

    Raises:
        DTypeError: it is no single integer.
        ConstraintError: it is not from 0 to `max`; in a compiled function, when it runs.
    """
    given = promote.array("size", number)
    if core.shape_of(given) or not core.dtype_of(given).is_integer:
        promote.bad_dtype("size: a size is made of one integer", given)
    most = promote.as_size("size", max, "max")
    if counted.is_counted(given):
        return sized(counted.measured(promote.cast(given, dtypes.i64), most))
    known = int(core.known(given))
    if not isinstance(most, int) or not 0 <= known <= most:
        promote.bad_value(f"size: {known} is not from 0 to {most}", given)
    return known


@overload
def where(condition: ArrayLike, x1: ArrayLike, x2: ArrayLike, /) -> Array: ...


@overload
def where(condition: ArrayLike, /) -> tuple[Array, ...]: ...


def where(
    condition: ArrayLike, x1: ArrayLike | None = None, x2: ArrayLike | None = None, /
) -> Array | tuple[Array, ...]:
    """x1 where the condition holds, else x2; the three are broadcast. What is not selected has derivative 0.

    The condition alone gives the places where it holds, as `nonzero` does.

    Raises:
        ArgumentError: there is one x and not the other.
    """
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise located(ArgumentError("where takes a condition alone, or with two arrays, not with one"))
    return logic.where(condition, x1, x2)


def nonzero(
    x: ArrayLike, /, *, size: Count = None, fill_value: int | Array | Sequence[int] | None = None
) -> tuple[Array, ...]:
    """Where elements are not zero, in row-major order: for each axis an array of positions of the default integer type.

    size: how many places there are to be; without it there are as many as there are such elements.
    fill_value: the position that fills places for which there is no element, or one for each axis.

    Raises:
        ShapeError: x has no axis.
    """
    operand = promote.array("nonzero", x)
    shape = core.shape_of(operand)
    if not shape:
        promote.bad_shape("nonzero: a scalar has no axis along which it could be", operand)
    fills = (
        list(fill_value) if isinstance(fill_value, Sequence) else [0 if fill_value is None else fill_value] * len(shape)
    )
    if len(fills) != len(shape):
        promote.bad_value(f"nonzero: {len(fills)} fill values for {len(shape)} axes", operand)
    where = _where("nonzero", operand, size)
    found = [promote.cast(position, DEFAULT_INT) for position in counted.positions(where, shape)]
    if size is None:
        return tuple(found)
    there = _is_there(where, dims.product(shape))
    return tuple(logic.where(there, position, fill) for position, fill in zip(found, fills, strict=True))


def flatnonzero(x: ArrayLike, /, *, size: Count = None, fill_value: Fill = 0) -> Array:
    """Where elements are not zero, counted in row-major order; see `nonzero`."""
    return nonzero(manipulation.ravel(promote.array("flatnonzero", x)), size=size, fill_value=fill_value)[0]


def argwhere(x: ArrayLike, /, *, size: Count = None, fill_value: int = 0) -> Array:
    """Where elements are not zero, a row of positions for each; see `nonzero`."""
    return manipulation.stack(nonzero(x, size=size, fill_value=fill_value), axis=-1)


def extract(condition: ArrayLike, x: ArrayLike, /, *, size: Count = None, fill_value: float = 0) -> Array:
    """The elements of x, in row-major order, at which the condition is not zero.

    size: how many elements there are to be; without it there are as many as are found.
    fill_value: what stands in place of those that are missing.

    Raises:
        ShapeError: the two differ in shape.
    """
    test, operand = promote.array("extract", condition), promote.array("extract", x)
    if not facts.same_shape(core.shape_of(test), core.shape_of(operand)):
        promote.bad_shape("extract: condition and x differ in shape", test, operand)
    return compress(manipulation.ravel(test), manipulation.ravel(operand), size=size, fill_value=fill_value)


def compress(
    condition: ArrayLike,
    x: ArrayLike,
    /,
    axis: int | None = None,
    *,
    size: Count = None,
    fill_value: float = 0,
) -> Array:
    """The slices of x along an axis at which the condition, of one axis, is not zero; without an axis x is flattened.

    size: how many slices there are to be; without it there are as many as are found.
    fill_value: what stands in place of those that are missing.

    Raises:
        ShapeError: the condition is not as long as the axis. (NumPy's may be shorter.)
    """
    test, operand = promote.array("compress", condition), promote.array("compress", x)
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    shape, own = core.shape_of(operand), core.shape_of(test)
    place = promote.as_axis("compress", axis, len(shape), operand)
    if len(own) != 1 or not facts.same(own[0], shape[place]):
        text = f"a condition of shape {shape_text(own)} for axis {place} of size {shape[place]}"
        promote.bad_shape(f"compress: {text}", test, operand)
    where = _where("compress", test, size)
    result = indexing.at_places(operand, where, place)
    if size is None:
        return result
    there = manipulation.reshape(_is_there(where, own[0]), (-1, *[1] * (len(shape) - 1 - place)))
    return logic.where(there, result, fill_value)


def _where(name: str, x: Array, size: Count) -> Array:
    """Where elements of x are not zero, counted in row-major order; missing places are the number of elements."""
    wanted = None if size is None else promote.as_size(name, size, "size")
    if counted.is_counted(x):
        return counted.places(logic.truth(name, x), wanted)
    numbers = core.known(x)
    found: np.ndarray[Any, Any] = np.flatnonzero(numbers)
    if wanted is not None:
        (count,) = dims.static((wanted,), name)
        found = np.concatenate([found[:count], np.full(max(count - len(found), 0), numbers.size)])
    return core.asarray(found.astype(np.int32 if numbers.size <= dtypes.i32.highest else np.int64))


def _is_there(where: Array, length: Dim) -> Array:
    return logic.less(where, counted.number(length, core.dtype_of(where)))


def repeat(
    x: ArrayLike,
    repeats: int | Sequence[int] | Array,
    /,
    axis: int | None = None,
    *,
    total_repeat_length: Count = None,
) -> Array:
    """Each element along an axis several times; None takes the elements in row-major order.

    repeats: one count, or one for each place.
    total_repeat_length: how many there are then to be: needed where counts are traced. It may be a size of the
        program's own: `rosin.size(rosin.numpy.sum(repeats), max=…)`. What is beyond it is left out, and where there are
        fewer, the last element goes on.

    Raises:
        ShapeError: a count is negative, or there is not one for each place.
        TraceError: counts are traced, and nothing says how many elements there are in the end.
    """
    traced = core.is_tracer(repeats) and len(core.shape_of(repeats)) == 1
    if not traced and total_repeat_length is None:
        return manipulation.repeat(x, repeats, axis=axis)
    operand, counts = promote.array("repeat", x), core.asarray(repeats)
    if total_repeat_length is None:
        instead = "give total_repeat_length=, a number or rosin.size(rosin.numpy.sum(repeats), max=…)"
        core.concrete(counts, "repeat: the counts settle the shape of its result", instead)
        raise AssertionError("traced counts are refused")
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    place = promote.as_axis("repeat", axis, len(core.shape_of(operand)), operand)
    length = core.shape_of(operand)[place]
    counts = manipulation.broadcast_to(counts, (length,)) if core.shape_of(counts) in ((), (1,)) else counts
    if not facts.same(core.shape_of(counts)[0], length):
        promote.bad_shape(f"repeat: {core.shape_of(counts)[0]} counts for axis {place} of size {length}", operand)
    total = promote.as_size("repeat", total_repeat_length, "total_repeat_length")
    ends = reductions.cumsum(promote.cast(counts, DEFAULT_INT))
    # Each end that is passed means one place further; the last one is not, so that the last element goes on.
    passed = creation.zeros(total + 1, dtype=DEFAULT_INT).at[ends[:-1]].add(1)[: sized(total)]
    return indexing.at_places(operand, reductions.cumsum(passed), place)
