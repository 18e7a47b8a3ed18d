"""Running extremes along an axis; of complex numbers in NumPy's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.indexing import take_along_axis
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import line_of
from rosin.frontend.numpy.sorting import argsort
from rosin.ir.ops.cumulative import CumMax, CumMin

if TYPE_CHECKING:
    from rosin.frontend.array import Array


@core.fresh
def cummax(x: ArrayLike, /, axis: int | None = None) -> Array:
    """The greatest of the elements so far along an axis, NaN from the first NaN on."""
    return _extremes("cummax", CumMax, x, axis)


@core.fresh
def cummin(x: ArrayLike, /, axis: int | None = None) -> Array:
    """The least of the elements so far along an axis, NaN from the first NaN on."""
    return _extremes("cummin", CumMin, x, axis)


def _extremes(name: str, op: type[CumMax] | type[CumMin], x: ArrayLike, axis: int | None) -> Array:
    operand, along = line_of(name, promote.numeric(name, x), axis)
    if not core.dtype_of(operand).is_complex:
        return core.bind1(op(along, False), operand)
    if 0 in core.shape_of(operand):
        return operand
    moved = manipulation.moveaxis(operand, along, -1)
    return manipulation.moveaxis(_by_order(moved, op is CumMax), -1, along)


def _by_order(x: Array, greatest: bool) -> Array:
    """Extremes so far along the last axis, from the places that elements have in order: the first of those that tie,
    or the first one with a NaN."""
    order = argsort(x, descending=greatest)
    # A place counted from the end, below zero: the first NaN is before all else.
    from_end = promote.spread(manipulation.flip(creation.arange(core.shape_of(x)[-1])), core.shape_of(x))
    ranks = logic.where(logic.isnan(x), elementwise.subtract(-1, from_end), argsort(order))
    best = core.bind1(CumMin(len(core.shape_of(x)) - 1, False), ranks)
    is_nan = logic.less(best, 0)
    among = take_along_axis(order, logic.where(is_nan, 0, best))
    nan = take_along_axis(from_end, logic.where(is_nan, elementwise.subtract(-1, best), 0))
    return take_along_axis(x, logic.where(is_nan, nan, among))
