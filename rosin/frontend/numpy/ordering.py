"""Extremes of complex numbers: real parts come first, imaginary ones decide where they are equal, NaN beats all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import logic, manipulation, promote
from rosin.frontend.numpy.complex import imag, real
from rosin.ir import dtypes
from rosin.ir.ops import reduce as ops
from rosin.ir.ops.arithmetic import Maximum, Minimum
from rosin.ir.ops.index import Gather, Numbers
from rosin.ir.ops.logic import Select
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def extreme_of_two(op: Maximum | Minimum, x: Array, y: Array) -> Array:
    """The greater or the smaller of two; the first of those that tie, or the first one with a NaN."""
    first = logic.greater_equal(x, y) if isinstance(op, Maximum) else logic.less_equal(x, y)
    return core.bind1(Select(), logic.logical_or(first, logic.isnan(x)), x, y)


def place(op: type[ops.ArgMax] | type[ops.ArgMin], x: Array, axis: int) -> Array:
    """Where along an axis the extreme element is: the first of those that tie, or the first one with a NaN."""
    nan = logic.isnan(x)
    best = _best(op, real(x), logic.logical_not(nan), axis)
    best = _best(op, imag(x), best, axis)
    some = _spread(core.bind1(ops.Any_((axis,)), nan), x, axis)
    return core.bind1(ops.ArgMax(axis), promote.cast(core.bind1(Select(), some, nan, best), dtypes.u8))


def extreme(op: type[ops.Max] | type[ops.Min], x: Array, axes: tuple[int, ...]) -> Array:
    """The extreme element over axes, which the result lacks; the first one with a NaN if there is one."""
    shape = core.shape_of(x)
    if 0 in shape:
        return core.bind1(ops.Sum(axes), x)
    kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    order = (*(axis for axis in range(len(shape)) if axis not in axes), *axes)
    lines = manipulation.reshape(manipulation.permute_dims(x, order), (*kept, -1))
    found = place(ops.ArgMax if op is ops.Max else ops.ArgMin, lines, len(kept))
    others, last = tuple(range(len(kept))), len(kept)
    numbers = Numbers((), (last,), others, others, (last,), last + 1)
    gather = Gather(*numbers, "clip", (1,) * (last + 1))
    return manipulation.squeeze(core.bind1(gather, lines, manipulation.expand_dims(found, axis=last)), last)


def _best(op: type[ops.ArgMax] | type[ops.ArgMin], part: Array, among: Array, axis: int) -> Array:
    """Those of some elements of which a part is extreme."""
    reduction, worst = (ops.Max, -1) if op is ops.ArgMax else (ops.Min, 1)
    type = TensorType(core.dtype_of(part), core.shape_of(part))
    chosen = core.bind1(Select(), among, part, promote.number("argmax", worst * float("inf"), type))
    top = _spread(core.bind1(reduction((axis,)), chosen), part, axis)
    return logic.logical_and(among, logic.equal(chosen, top))


def _spread(x: Array, like: Array, axis: int) -> Array:
    """What lacks an axis, along it."""
    return manipulation.broadcast_to(manipulation.expand_dims(x, axis=axis), core.shape_of(like))
