"""Other shapes and orders of the same elements, joining, splitting and repeating."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import whole_of_rows
from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.ops.movement import Broadcast, Concatenate, Reshape, Reverse, Slice, Transpose
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


@core.fresh
def astype(x: ArrayLike, dtype: DTypeLike, /, *, copy: bool = True, device: str | None = None) -> Array:
    """x as another element type.

    Floats round to nearest even; a float becomes an integer by truncation, saturating at the type's ends, NaN giving
    0; integers wrap around; a number is true when it is not zero. Arrays never change, so `copy` decides nothing.
    """
    promote.check_device("astype", device)
    return core.cast(promote.array("astype", x), core.as_dtype(dtype))


# -- shapes ------------------------------------------------------------------------------------------------------------


@core.fresh
def reshape(x: ArrayLike, /, shape: Dim | Sequence[Dim], order: str = "C", *, copy: bool | None = None) -> Array:
    """The elements in row-major order in another shape, of which one size may be -1: whatever fills it.

    order: "C"; or "F", in which they are read and placed with the first index changing fastest.

    Raises:
        ShapeError: the elements do not fill the shape, or more than one size is -1.
        AttributeValueError: there is no such order.
    """
    operand = promote.array("reshape", x)
    own = core.shape_of(operand)
    wanted = _completed(operand, own, (shape,) if not isinstance(shape, Sequence) else shape)
    if order not in ("C", "F"):
        promote.bad_value(f'reshape: the order is "C" or "F", not {order!r}', operand)
    if order == "F":
        return transpose(reshape(transpose(operand), wanted[::-1]))
    return operand if wanted == own else core.bind1(Reshape(wanted), operand)


def _completed(x: Array, own: promote.Shape, shape: Sequence[Dim]) -> promote.Shape:
    sizes: list[Dim] = [promote.as_size("reshape", s, "a size") for s in shape]
    text = shape_text(tuple(sizes))
    unknown = [axis for axis, size in enumerate(sizes) if size == -1]
    if len(unknown) > 1:
        promote.bad_shape(f"reshape: {text} leaves {len(unknown)} sizes open; at most one may be -1", x)
    for axis, size in enumerate(sizes):
        if isinstance(size, int) and size < -1:
            promote.bad_shape(f"reshape: size {size} of axis {axis} in {text} is negative", x)
    if unknown:
        total, known = dims.product(own), dims.product(size for size in sizes if size != -1)
        rest = None if known == 0 else facts.divide(total, known)
        if rest is None:
            promote.bad_shape(f"reshape: {total} elements of {shape_text(own)} do not fill {text}", x)
        sizes[unknown[0]] = rest
    return tuple(sizes)


@core.fresh
def ravel(x: ArrayLike, /, order: str = "C") -> Array:
    """The elements in row-major order as a vector; in column-major order with "F"."""
    operand = promote.array("ravel", x)
    return reshape(operand, (dims.product(core.shape_of(operand)),), order)


@core.fresh
def squeeze(x: ArrayLike, /, axis: int | Sequence[int] | None = None) -> Array:
    """x without the given axes, which have size 1; None drops every axis of size 1.

    Raises:
        ShapeError: an axis has another size, or there is no such axis.
    """
    operand = promote.array("squeeze", x)
    shape = core.shape_of(operand)
    dropped = (
        [i for i, size in enumerate(shape) if size == 1] if axis is None else promote.as_axes("squeeze", axis, operand)
    )
    for i in dropped:
        if shape[i] != 1:
            promote.bad_shape(f"squeeze: axis {i} has size {shape[i]}, not 1", operand)
    return reshape(operand, [size for i, size in enumerate(shape) if i not in dropped])


@core.fresh
def expand_dims(x: ArrayLike, /, axis: int | Sequence[int] = 0) -> Array:
    """x with new axes of size 1, at these places of the result.

    Raises:
        ShapeError: a place is out of range for the result, or named twice.
    """
    operand = promote.array("expand_dims", x)
    shape = core.shape_of(operand)
    given = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    rank = len(shape) + len(given)
    places = {promote.as_axis("expand_dims", a, rank, operand) for a in given}
    if len(places) < len(given):
        promote.bad_shape(f"expand_dims: axes {given} name an axis twice", operand)
    sizes = iter(shape)
    return reshape(operand, [1 if i in places else next(sizes) for i in range(rank)])


@core.fresh
def atleast_1d(*arrays: ArrayLike) -> Any:
    """Each array, a number made a vector of one element: one array, or a tuple of several."""
    return _each(lambda x: _at_least(x, 1), arrays)


@core.fresh
def atleast_2d(*arrays: ArrayLike) -> Any:
    """Each array with new first axes of size 1 until it has two: one array, or a tuple of several."""
    return _each(lambda x: _at_least(x, 2), arrays)


def atleast_3d(*arrays: ArrayLike) -> Any:
    """Each array with new axes of size 1 until it has three: one array, or a tuple of several.

    A matrix gets a last axis, a vector a first and a last one.
    """

    def grown(x: ArrayLike) -> Array:
        operand = _at_least(x, 2)
        return operand if len(core.shape_of(operand)) > 2 else expand_dims(operand, -1)

    return _each(grown, arrays)


def _each(function: Callable[[ArrayLike], Array], arrays: Sequence[ArrayLike]) -> Any:
    found = tuple(map(function, arrays))
    return found[0] if len(found) == 1 else found


def _at_least(x: ArrayLike, rank: int) -> Array:
    operand = promote.array(f"atleast_{rank}d", x)
    shape = core.shape_of(operand)
    return reshape(operand, (*(1,) * (rank - len(shape)), *shape))


# -- broadcasting ------------------------------------------------------------------------------------------------------


@core.fresh
def broadcast_to(x: ArrayLike, /, shape: Dim | Sequence[Dim]) -> Array:
    """x copied along axes that it lacks or has with size 1, so that it has `shape`.

    Raises:
        ShapeError: it does not broadcast to that shape.
    """
    return promote.spread_to("broadcast_to", promote.array("broadcast_to", x), promote.as_shape("broadcast_to", shape))


@core.fresh
def broadcast_arrays(*arrays: ArrayLike) -> tuple[Array, ...]:
    """The arrays, broadcast to one shape.

    Raises:
        ShapeError: their shapes do not broadcast.
    """
    given = [promote.array("broadcast_arrays", x) for x in arrays]
    shape = promote.broadcast_arrays_shape("broadcast_arrays", given)
    return tuple(promote.spread(x, shape) for x in given)


# -- orders of axes ----------------------------------------------------------------------------------------------------


@core.fresh
def permute_dims(x: ArrayLike, /, axes: Sequence[int]) -> Array:
    """The axes in another order: axis i of the result is axis `axes[i]` of x.

    Raises:
        ShapeError: `axes` does not name every axis once.
    """
    operand = promote.array("permute_dims", x)
    order = promote.as_axes("permute_dims", tuple(axes), operand)
    rank = len(core.shape_of(operand))
    if len(order) != rank:
        promote.bad_shape(f"permute_dims: {tuple(axes)} names {len(order)} axes of {rank}", operand)
    return operand if order == tuple(range(rank)) else core.bind1(Transpose(order), operand)


@core.fresh
def transpose(x: ArrayLike, /, axes: Sequence[int] | None = None) -> Array:
    """The axes in another order, by default the opposite one."""
    operand = promote.array("transpose", x)
    return permute_dims(operand, tuple(reversed(range(len(core.shape_of(operand))))) if axes is None else axes)


def matrix_transpose(x: ArrayLike, /) -> Array:
    """The last two axes exchanged.

    Raises:
        ShapeError: x has fewer than two axes.
    """
    operand = promote.array("matrix_transpose", x)
    rank = len(core.shape_of(operand))
    if rank < 2:
        promote.bad_shape(f"matrix_transpose: takes matrices, with at least 2 axes, not {rank}", operand)
    return permute_dims(operand, (*range(rank - 2), rank - 1, rank - 2))


@core.fresh
def swapaxes(x: ArrayLike, axis1: int, axis2: int, /) -> Array:
    """Two axes exchanged."""
    operand = promote.array("swapaxes", x)
    rank = len(core.shape_of(operand))
    order = list(range(rank))
    i, j = (promote.as_axis("swapaxes", axis, rank, operand) for axis in (axis1, axis2))
    order[i], order[j] = j, i
    return permute_dims(operand, order)


@core.fresh
def moveaxis(x: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int], /) -> Array:
    """Axes `source` at the places `destination` of the result, the others in their order.

    Raises:
        ShapeError: source and destination differ in number, or name an axis twice or none.
    """
    operand = promote.array("moveaxis", x)
    froms = promote.as_axes("moveaxis", source, operand)
    to = promote.as_axes("moveaxis", destination, operand)
    if len(froms) != len(to):
        promote.bad_shape(f"moveaxis: {len(froms)} axes do not go to {len(to)} places", operand)
    rank = len(core.shape_of(operand))
    placed = dict(zip(to, froms, strict=True))
    others = iter(axis for axis in range(rank) if axis not in froms)
    return permute_dims(operand, [placed[i] if i in placed else next(others) for i in range(rank)])


@core.fresh
def flip(x: ArrayLike, /, axis: int | Sequence[int] | None = None) -> Array:
    """The elements in opposite order along the given axes, or along all."""
    operand = promote.array("flip", x)
    axes = promote.as_axes("flip", axis, operand)
    return core.bind1(Reverse(axes), operand) if axes else operand


@core.fresh
def roll(x: ArrayLike, /, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
    """The elements moved on by `shift`, those that leave at the end coming back at the start.

    Without an axis the elements are taken in row-major order.

    Raises:
        ShapeError: shifts and axes differ in number.
    """
    operand = promote.array("roll", x)
    if axis is None:
        return reshape(roll(ravel(operand), shift, axis=0), core.shape_of(operand))
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    shifts = tuple(shift) if isinstance(shift, Sequence) else (shift,) * len(axes)
    if len(axes) == 1 and len(shifts) > 1:
        axes *= len(shifts)
    if len(axes) != len(shifts):
        promote.bad_shape(f"roll: {len(shifts)} shifts for {len(axes)} axes", operand)
    for by, along in zip(shifts, axes, strict=True):
        place = promote.as_axis("roll", along, len(core.shape_of(operand)), operand)
        size = core.shape_of(operand)[place]
        by = promote.as_int("roll", by, "a shift")
        if isinstance(size, int):
            by = by % size if size else 0
        if by:
            cut = size - by if by > 0 else -by
            parts = [slice_axis(operand, place, cut, size), slice_axis(operand, place, 0, cut)]
            operand = core.bind1(Concatenate(place), *parts)
    return operand


def slice_axis(x: Array, axis: int, start: Dim, limit: Dim) -> Array:
    """The elements start … limit - 1 along one axis."""
    shape = core.shape_of(x)
    starts: list[Dim] = [0] * len(shape)
    limits = list(shape)
    starts[axis], limits[axis] = start, limit
    return core.bind1(Slice(tuple(starts), tuple(limits), (1,) * len(shape)), x)


# -- joining and splitting ---------------------------------------------------------------------------------------------


def _sequence(name: str, arrays: Any) -> list[Array]:
    given = list(arrays)
    if not given:
        promote.bad_shape(f"{name}: needs at least one array")
    return list(promote.alike(name, *given))


@core.fresh
def concat(arrays: Sequence[ArrayLike], /, axis: int | None = 0) -> Array:
    """The arrays one after the other along an axis; None takes their elements in row-major order.

    Raises:
        ShapeError: there is no array, or sizes of other axes disagree.
    """
    given = _sequence("concat", arrays)
    if axis is None:
        given, axis = [ravel(x) for x in given], 0
    rank = len(core.shape_of(given[0]))
    if rank == 0:
        promote.bad_shape("concat: arrays of rank 0 have no axis to go along; use stack", *given)
    place = promote.as_axis("concat", axis, rank, *given)
    return given[0] if len(given) == 1 else core.bind1(Concatenate(place), *given)


def stack(arrays: Sequence[ArrayLike], /, axis: int = 0) -> Array:
    """The arrays, all of one shape, along a new axis.

    Raises:
        ShapeError: there is no array, or shapes disagree.
    """
    whole = whole_of_rows(arrays) if axis == 0 else None
    if whole is not None:
        return whole
    given = _sequence("stack", arrays)
    shape = core.shape_of(given[0])
    for position, x in enumerate(given):
        if core.shape_of(x) != shape:
            other = shape_text(core.shape_of(x))
            promote.bad_shape(f"stack: array {position} has shape {other}, and array 0 has {shape_text(shape)}", *given)
    return concat([expand_dims(x, axis) for x in given], axis=axis)


@core.fresh
def vstack(arrays: Sequence[ArrayLike], /) -> Array:
    """The arrays as rows: along the first axis, vectors being rows."""
    return concat([atleast_2d(x) for x in _sequence("vstack", arrays)], axis=0)


@core.fresh
def hstack(arrays: Sequence[ArrayLike], /) -> Array:
    """The arrays side by side: along the second axis, vectors along their only one."""
    given = [atleast_1d(x) for x in _sequence("hstack", arrays)]
    return concat(given, axis=0 if len(core.shape_of(given[0])) == 1 else 1)


def split(x: ArrayLike, sections: int | Sequence[int], /, axis: int = 0) -> list[Array]:
    """x cut along an axis: into a number of equal parts, or before each of some positions.

    Raises:
        ShapeError: the size is no multiple of the number of parts.
    """
    operand = promote.array("split", x)
    place = promote.as_axis("split", axis, len(core.shape_of(operand)), operand)
    size = core.shape_of(operand)[place]
    if isinstance(sections, Sequence):
        whole = promote.static_size("split", operand, place)
        cuts = [0]
        for position in sections:
            position = promote.as_int("split", position, "a position")
            cuts.append(min(max(position + whole if position < 0 else position, 0), whole))
        cuts.append(whole)
        return [slice_axis(operand, place, a, max(a, b)) for a, b in itertools.pairwise(cuts)]
    count = promote.as_int("split", sections, "the number of parts")
    part = facts.divide(size, count) if count > 0 else None
    if part is None:
        promote.bad_shape(f"split: axis {place} of size {size} cannot be cut into {count} equal parts", operand)
    return [slice_axis(operand, place, part * i, part * (i + 1)) for i in range(count)]


def unstack(x: ArrayLike, /, axis: int = 0) -> tuple[Array, ...]:
    """The arrays that `stack` makes x of: one for each place along an axis, which they lack."""
    operand = promote.array("unstack", x)
    place = promote.as_axis("unstack", axis, len(core.shape_of(operand)), operand)
    count = promote.static_size("unstack", operand, place)
    return tuple(squeeze(slice_axis(operand, place, i, i + 1), place) for i in range(count))


# -- repeating ---------------------------------------------------------------------------------------------------------


def repeat(x: ArrayLike, repeats: int | Sequence[int] | Array, /, axis: int | None = None) -> Array:
    """Each element along an axis several times; None takes the elements in row-major order.

    `repeats` is one count, or one for each place, known when it is called, since they settle the result's shape.

    Raises:
        ShapeError: a count is negative, or there is not one for each place.
    """
    operand = promote.array("repeat", x)
    if axis is None:
        operand, axis = ravel(operand), 0
    shape = core.shape_of(operand)
    place = promote.as_axis("repeat", axis, len(shape), operand)
    if isinstance(repeats, np.ndarray):
        repeats = repeats.tolist()
    if promote.is_array(repeats) and core.shape_of(repeats) != ():
        use = "repeat: the counts settle the shape of its result"
        repeats = core.concrete(repeats, use, "use counts that are known when the function is traced").tolist()
    if isinstance(repeats, Sequence):
        return _repeat_each(operand, [promote.as_int("repeat", r, "a count") for r in repeats], place)
    count = promote.as_int("repeat", repeats, "the count")
    if count < 0:
        promote.bad_shape(f"repeat: the count {count} is negative", operand)
    spread = (*shape[: place + 1], count, *shape[place + 1 :])
    axes = tuple(i for i in range(len(spread)) if i != place + 1)
    return reshape(
        core.bind1(Broadcast(spread, axes), operand), (*shape[:place], shape[place] * count, *shape[place + 1 :])
    )


def _repeat_each(x: Array, counts: Sequence[int], axis: int) -> Array:
    size = promote.static_size("repeat", x, axis)
    if len(counts) != size and len(counts) != 1:
        promote.bad_shape(f"repeat: {len(counts)} counts for axis {axis} of size {size}", x)
    if any(count < 0 for count in counts):
        promote.bad_shape(f"repeat: the count {min(counts)} is negative", x)
    counts = list(counts) * size if len(counts) == 1 else counts
    parts = [repeat(slice_axis(x, axis, i, i + 1), count, axis=axis) for i, count in enumerate(counts) if count]
    return concat(parts, axis=axis) if parts else slice_axis(x, axis, 0, 0)


def tile(x: ArrayLike, repetitions: int | Sequence[int], /) -> Array:
    """x laid side by side: `repetitions[i]` times along axis i, counted from the last axis."""
    operand = promote.array("tile", x)
    counts = promote.as_shape("tile", repetitions)
    shape = core.shape_of(operand)
    rank = max(len(shape), len(counts))
    own = (*(1,) * (rank - len(shape)), *shape)
    times = (*(1,) * (rank - len(counts)), *counts)
    # Every axis becomes a pair: which copy, and where in it.
    pairs = tuple(size for pair in zip(times, own, strict=True) for size in pair)
    kept = tuple(2 * axis + 1 for axis in range(rank))
    spread = core.bind1(Broadcast(pairs, kept), reshape(operand, own))
    return reshape(spread, [a * b for a, b in zip(times, own, strict=True)])
