"""Where numbers belong in a sorted array."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.numpy import elementwise, indexing, logic, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i64
from rosin.ir.ops.index import Gather, Numbers
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

SIDES = ("left", "right")

MOST_STEPS = 31
"""A search in an array of a size that is not known takes so many steps, since places are i32."""


def searchsorted(x1: ArrayLike, x2: ArrayLike, /, side: str = "left", sorter: ArrayLike | None = None) -> Array:
    """How many elements of the sorted vector `x1` are before each element of `x2`; "right" counts those equal to it.

    NaNs come last, as in `sort`. `sorter` holds the places that put `x1` in order. The result has the shape of `x2` and
    the default integer type.

    Raises:
        ShapeError: x1 or the sorter is no vector.
        AttributeValueError: the side is neither "left" nor "right".
    """
    line, wanted = promote.alike("searchsorted", x1, x2)
    if side not in SIDES:
        promote.bad_value(f'searchsorted: side is "left" or "right", not {side!r}', line)
    if len(core.shape_of(line)) != 1:
        promote.bad_shape(f"searchsorted: x1 is a vector, not of rank {len(core.shape_of(line))}", line)
    if sorter is not None:
        places = promote.array("searchsorted", sorter)
        if len(core.shape_of(places)) != 1:
            promote.bad_shape(f"searchsorted: the sorter is a vector, not of rank {len(core.shape_of(places))}", places)
        line = indexing.take(line, places)
    return _found(line, wanted, side)


def _found(line: Array, wanted: Array, side: str) -> Array:
    """A search that halves what is left at every step, for all elements together, without a branch."""
    (length,) = core.shape_of(line)
    shape = core.shape_of(wanted)
    start = promote.number("searchsorted", 0, TensorType(DEFAULT_INT, shape))
    if length == 0:
        return start

    def moved(start: Array, half: int | Array) -> Array:
        """The place after `half` more elements, where these all come before."""
        last = elementwise.subtract(elementwise.add(start, half), 1)
        return logic.where(_before(_at(line, last), wanted, side), elementwise.add(start, half), start)

    if isinstance(length, int):
        while length > 1:
            start = moved(start, length // 2)
            length -= length // 2
        return moved(start, 1)
    left = core.size_array(length, DEFAULT_INT)
    for _ in builtins.range(MOST_STEPS):
        half = elementwise.floor_divide(left, 2)
        # When one element is left there is no half, and the element before says nothing new.
        start = moved(start, half)
        left = elementwise.subtract(left, half)
    return moved(start, 1)


def _at(line: Array, places: Array) -> Array:
    """The elements at places, which lie within the line."""
    numbers = Numbers((), (0,), (), (), (0,), len(core.shape_of(places)))
    return core.bind1(Gather(*numbers, mode="clip", slice_sizes=(1,)), line, places)


def _before(x: Array, y: Array, side: str) -> Array:
    """Whether elements of the sorted array come before the ones that are looked for."""
    return _less(x, y) if side == "left" else logic.logical_not(_less(y, x))


def _less(x: Array, y: Array) -> Array:
    """x < y, NaN being the greatest of all."""
    if core.dtype_of(x).kind == "bool":
        return logic.logical_and(logic.logical_not(x), y)
    if not core.dtype_of(x).is_float:
        return logic.less(x, y)
    last = logic.logical_and(logic.isnan(y), logic.logical_not(logic.isnan(x)))
    return logic.logical_or(logic.less(x, y), last)


def digitize(x: ArrayLike, bins: ArrayLike, /, right: bool = False) -> Array:
    """The number of the bin that each element is in, `bins` being the edges between bins, in either order.

    Element x is in bin i where bins[i - 1] <= x < bins[i], or bins[i - 1] < x <= bins[i] with `right`; where the edges
    descend, bins[i - 1] > x >= bins[i], or bins[i - 1] >= x > bins[i]. The number is 0 before the first edge, and that
    of all edges after the last.

    Raises:
        ShapeError: the bins are no vector.
    """
    edges, wanted = promote.alike("digitize", bins, x)
    if len(core.shape_of(edges)) != 1:
        promote.bad_shape(f"digitize: the bins are a vector, not of rank {len(core.shape_of(edges))}", edges)
    (length,) = core.shape_of(edges)
    side = "left" if right else "right"
    up = _found(edges, wanted, side)
    if isinstance(length, int) and length < 2:
        return up
    last = promote.cast(_count(length), DEFAULT_INT)
    down = elementwise.subtract(last, _found(manipulation.flip(edges), wanted, side))
    first, end = (indexing.getitem(edges, place) for place in (0, -1))
    return logic.where(_less(end, first), down, up)


def _count(length: Dim) -> Array:
    if isinstance(length, int):
        return promote.number("digitize", length, TensorType(i64, ()))
    return core.size_array(length, i64)
