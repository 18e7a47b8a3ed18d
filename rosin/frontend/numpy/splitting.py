"""Cutting arrays apart, turning them, and joining them in the ways that have names of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from rosin.frontend import core
from rosin.frontend.numpy import manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- cutting -----------------------------------------------------------------------------------------------------------


def array_split(x: ArrayLike, indices_or_sections: int | Sequence[int], /, axis: int = 0) -> list[Array]:
    """x cut along an axis before each of some positions, or into parts, the first of which have one element more
    where the parts cannot be equal.

    Raises:
        AttributeValueError: there are no parts.
    """
    if isinstance(indices_or_sections, Sequence):
        return manipulation.split(x, indices_or_sections, axis=axis)
    operand = promote.array("array_split", x)
    along = promote.as_axis("array_split", axis, len(core.shape_of(operand)), operand)
    count = promote.as_int("array_split", indices_or_sections, "the number of parts")
    if count < 1:
        promote.bad_value(f"array_split: there are {count} parts; there is at least 1", operand)
    size = promote.static_size("array_split", operand, along)
    part, more = divmod(size, count)
    ends = [part * i + min(i, more) for i in range(1, count)]
    return manipulation.split(operand, ends, axis=along)


def _split(name: str, x: ArrayLike, sections: int | Sequence[int], axis: int, rank: int) -> list[Array]:
    operand = promote.array(name, x)
    own = len(core.shape_of(operand))
    if own < rank:
        promote.bad_shape(f"{name}: takes arrays with at least {rank} axes, not {own}", operand)
    return manipulation.split(operand, sections, axis=axis)


def vsplit(x: ArrayLike, indices_or_sections: int | Sequence[int], /) -> list[Array]:
    """x, with at least two axes, cut along the first one; see `split`."""
    return _split("vsplit", x, indices_or_sections, 0, 2)


def hsplit(x: ArrayLike, indices_or_sections: int | Sequence[int], /) -> list[Array]:
    """x cut along the second axis, a vector along its only one; see `split`."""
    operand = promote.array("hsplit", x)
    return _split("hsplit", operand, indices_or_sections, 0 if len(core.shape_of(operand)) == 1 else 1, 1)


def dsplit(x: ArrayLike, indices_or_sections: int | Sequence[int], /) -> list[Array]:
    """x, with at least three axes, cut along the third one; see `split`."""
    return _split("dsplit", x, indices_or_sections, 2, 3)


# -- turning -----------------------------------------------------------------------------------------------------------


def fliplr(x: ArrayLike, /) -> Array:
    """The columns in opposite order.

    Raises:
        ShapeError: x has fewer than two axes.
    """
    return _flipped("fliplr", x, 1)


def flipud(x: ArrayLike, /) -> Array:
    """The rows in opposite order.

    Raises:
        ShapeError: x has no axis.
    """
    return _flipped("flipud", x, 0)


def _flipped(name: str, x: ArrayLike, axis: int) -> Array:
    operand = promote.array(name, x)
    rank = len(core.shape_of(operand))
    if rank <= axis:
        promote.bad_shape(f"{name}: takes arrays with at least {axis + 1} axes, not {rank}", operand)
    return manipulation.flip(operand, axis=axis)


@core.fresh
def rot90(x: ArrayLike, /, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    """x turned k times by a right angle, from the first of two axes toward the second.

    Raises:
        ShapeError: these are not two different axes of x.
    """
    operand = promote.array("rot90", x)
    places = promote.as_axes("rot90", tuple(axes), operand)
    if len(places) != 2:
        promote.bad_shape(f"rot90: turns in the plane of two axes, not of {len(places)}", operand)
    turns = promote.as_int("rot90", k, "k") % 4
    if turns % 2 == 0:
        return manipulation.flip(operand, axis=places) if turns else operand
    if turns == 3:
        return manipulation.flip(manipulation.swapaxes(operand, *places), axis=places[1])
    return manipulation.flip(manipulation.swapaxes(operand, *places), axis=places[0])


def rollaxis(x: ArrayLike, axis: int, start: int = 0) -> Array:
    """The axes with one of them moved back until it lies before the axis that was at `start`; `moveaxis` is plainer.

    Raises:
        ShapeError: axis or start is out of range.
    """
    operand = promote.array("rollaxis", x)
    rank = len(core.shape_of(operand))
    along = promote.as_axis("rollaxis", axis, rank, operand)
    place = promote.as_int("rollaxis", start, "start")
    if not -rank <= place <= rank:
        promote.bad_shape(f"rollaxis: start {place} is out of range for rank {rank}", operand)
    place += rank if place < 0 else 0
    return manipulation.moveaxis(operand, along, place - 1 if along < place else place)


# -- joining -----------------------------------------------------------------------------------------------------------


def append(x: ArrayLike, values: ArrayLike, axis: int | None = None) -> Array:
    """`values` joined to the end of x along an axis; without one both are taken in row-major order.

    Raises:
        ShapeError: sizes of other axes disagree.
    """
    parts = (core.asarray(part) if isinstance(part, Sequence) else part for part in (x, values))
    return manipulation.concat(promote.alike("append", *parts), axis=axis)


def dstack(arrays: Sequence[ArrayLike], /) -> Array:
    """The arrays one behind the other: along the third axis, after `atleast_3d`.

    Raises:
        ShapeError: there is no array, or sizes of other axes disagree.
    """
    return manipulation.concat([manipulation.atleast_3d(x) for x in arrays], axis=2)


def column_stack(arrays: Sequence[ArrayLike], /) -> Array:
    """Matrices side by side, vectors being columns.

    Raises:
        ShapeError: there is no array, or they have different numbers of rows.
    """
    columns: list[Array] = []
    for x in arrays:
        column = manipulation.atleast_1d(x)
        columns.append(manipulation.expand_dims(column, 1) if len(core.shape_of(column)) == 1 else column)
    return manipulation.concat(columns, axis=1)


def block(arrays: Any, /) -> Array:
    """An array of blocks in nested lists: the innermost ones are joined along the last axis, and so on outward.

    Raises:
        ShapeError: lists are empty or of unequal depths, or blocks do not fit together.
    """
    depth = _depth(arrays)
    blocks = promote.alike("block", *_leaves(arrays))
    rank = max(depth, *(len(core.shape_of(x)) for x in blocks))
    each = iter(blocks)

    def joined(part: Any, level: int) -> Array:
        if not isinstance(part, list):
            own = next(each)
            shape = core.shape_of(own)
            return manipulation.reshape(own, (*(1,) * (rank - len(shape)), *shape))
        inner = [joined(each, level + 1) for each in cast("list[Any]", part)]
        return manipulation.concat(inner, axis=rank - depth + level)

    return joined(arrays, 0)


def _depth(arrays: Any) -> int:
    """How deep lists are nested, which is the same everywhere."""
    if isinstance(arrays, tuple):
        promote.bad_shape("block: blocks stand in lists, not in a tuple")
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(part) for part in cast("list[Any]", arrays)}
    if len(depths) != 1:
        which = f"depths {', '.join(map(str, sorted(depths)))}" if depths else "nothing"
        promote.bad_shape(f"block: a list holds {which}, where all of it is of one depth")
    return depths.pop() + 1


def _leaves(arrays: Any) -> list[Any]:
    if not isinstance(arrays, list):
        return [arrays]
    return [leaf for part in cast("list[Any]", arrays) for leaf in _leaves(part)]


__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "dsplit",
    "dstack",
    "fliplr",
    "flipud",
    "hsplit",
    "rollaxis",
    "rot90",
    "vsplit",
]
