"""Functions given by samples: interpolation, differences, integrals, unwrapped angles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import counted, elementwise, indexing, logic, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.searching import searchsorted
from rosin.frontend.numpy.sorting import argsort
from rosin.ir import facts
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def interp(
    x: ArrayLike,
    xp: ArrayLike,
    fp: ArrayLike,
    left: ArrayLike | None = None,
    right: ArrayLike | None = None,
    period: float | None = None,
) -> Array:
    """The values at x of the function that is fp at the increasing points xp and linear in between.

    left, right: the values before the first point and after the last one, by default those there.
    period: the points are taken modulo this number, in any order; left and right play no part then.

    Raises:
        ShapeError: xp and fp are no vectors of one size, or have no elements.
        AttributeValueError: the period is 0.
    """
    wanted, points = promote.alike_floats("interp", x, xp)
    values = promote.floating("interp", fp)
    own, shape = core.shape_of(points), core.shape_of(values)
    if len(own) != 1 or not facts.same_shape(own, shape):
        shapes = f"{shape_text(own)} and {shape_text(shape)}"
        promote.bad_shape(f"interp: xp and fp are vectors of one size, and have shapes {shapes}", points, values)
    if own[0] == 0:
        promote.bad_shape("interp: there are no points to interpolate between", points, values)
    dtype = promote.promote_types(core.dtype_of(points), core.dtype_of(values))
    if period is not None:
        if period == 0:
            promote.bad_value("interp: the period is 0", points)
        wanted, points, values = _periodic(wanted, points, values, abs(period))
        left = right = None
    values = promote.cast(values, dtype)
    if own[0] == 1:
        result = promote.spread(values[0], core.shape_of(wanted))
    else:
        result = _between(wanted, points, values)
    first, last = points[0], points[-1]
    result = logic.where(logic.less(wanted, first), values[0] if left is None else left, result)
    result = logic.where(logic.greater(wanted, last), values[-1] if right is None else right, result)
    return promote.cast(result, dtype)


def _periodic(x: Array, points: Array, values: Array, period: float) -> tuple[Array, Array, Array]:
    """The points of one period in order, with the last one before it and the first one after it."""
    x, points = elementwise.remainder(x, period), elementwise.remainder(points, period)
    order = argsort(points)
    points, values = indexing.at_places(points, order), indexing.at_places(values, order)
    before, after = elementwise.subtract(points[-1:], period), elementwise.add(points[:1], period)
    return (
        x,
        manipulation.concat([before, points, after]),
        manipulation.concat([values[-1:], values, values[:1]]),
    )


def _between(x: Array, points: Array, values: Array) -> Array:
    last = counted.number(core.shape_of(points)[0] - 1, core.DEFAULT_INT)
    after = elementwise.clip(searchsorted(points, x, side="right"), 1, last)
    before = elementwise.subtract(after, 1)
    low, high = indexing.at_places(points, before), indexing.at_places(points, after)
    start, end = indexing.at_places(values, before), indexing.at_places(values, after)
    width = elementwise.subtract(high, low)
    step = elementwise.divide(elementwise.subtract(x, low), logic.where(logic.equal(width, 0), 1, width))
    slope = elementwise.multiply(elementwise.subtract(end, start), promote.cast(step, core.dtype_of(values)))
    # At the last point the sum need not give its very value.
    return logic.where(logic.equal(x, high), end, elementwise.add(start, slope))


# -- differences -------------------------------------------------------------------------------------------------------


def ediff1d(x: ArrayLike, /, to_end: ArrayLike | None = None, to_begin: ArrayLike | None = None) -> Array:
    """The differences of neighbours of all elements in row-major order, with numbers put before and after them."""
    flat = manipulation.ravel(promote.numeric("ediff1d", x))
    result = reductions.diff(flat)
    ends = [
        None if end is None else manipulation.ravel(core.asarray(end, core.dtype_of(flat)))
        for end in (to_begin, to_end)
    ]
    parts = [part for part in (ends[0], result, ends[1]) if part is not None]
    return manipulation.concat(parts) if len(parts) > 1 else result


def gradient(
    f: ArrayLike, *varargs: ArrayLike, axis: int | Sequence[int] | None = None, edge_order: int = 1
) -> Array | list[Array]:
    """The derivative of samples along axes, from differences of second order, at the ends of order `edge_order`.

    varargs: nothing, for samples 1 apart; how far samples are apart; or for each axis that, or the places of samples.

    Returns:
        An array for each axis; the array itself where there is one axis.

    Raises:
        ShapeError: an axis has fewer than edge_order + 1 samples, or places are not as many as samples.
        AttributeValueError: edge_order is neither 1 nor 2.
    """
    samples = promote.floating("gradient", f)
    axes = promote.as_axes("gradient", axis, samples)
    if edge_order not in (1, 2):
        promote.bad_value(f"gradient: edge_order is 1 or 2, not {edge_order!r}", samples)
    spacings = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs) or [1.0] * len(axes)
    if len(spacings) != len(axes):
        promote.bad_shape(f"gradient: {len(spacings)} spacings for {len(axes)} axes", samples)
    result = [_gradient(samples, along, spacing, edge_order) for along, spacing in zip(axes, spacings, strict=True)]
    return result[0] if len(result) == 1 else result


def _gradient(f: Array, axis: int, spacing: ArrayLike, edge_order: int) -> Array:
    size = promote.static_size("gradient", f, axis)
    if size < edge_order + 1:
        promote.bad_shape(f"gradient: axis {axis} has {size} samples, and at least {edge_order + 1} are needed", f)
    places = spacing if promote.is_array(spacing) else core.asarray(spacing, core.dtype_of(f))
    lines = manipulation.moveaxis(f, axis, -1)
    if core.shape_of(places):
        if core.shape_of(places) != (size,):
            text = shape_text(core.shape_of(places))
            promote.bad_shape(f"gradient: places of shape {text} for axis {axis} of size {size}", f, places)
        steps = reductions.diff(promote.cast(promote.floating("gradient", places), core.dtype_of(f)))
        slopes, inner = _slopes_between(lines, steps)
    else:
        # Samples that are equally far apart need neither their slopes nor weights within.
        step = promote.cast(places, core.dtype_of(f))
        ends = min(edge_order, size - 1)
        steps = manipulation.broadcast_to(step, (ends,))
        parts = lines[..., : ends + 1], lines[..., -ends - 1 :]
        near = manipulation.concat([reductions.diff(part) for part in parts], axis=-1)
        slopes = elementwise.divide(near, step)
        apart = elementwise.subtract(lines[..., 2:], lines[..., :-2])
        inner = elementwise.divide(apart, elementwise.multiply(step, 2))
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        first = _beyond(first, slopes[..., 1:2], steps[0], steps[1])
        last = _beyond(last, slopes[..., -2:-1], steps[-1], steps[-2])
    return manipulation.moveaxis(manipulation.concat([first, inner, last], axis=-1), -1, axis)


def _slopes_between(lines: Array, steps: Array) -> tuple[Array, Array]:
    """The slopes from sample to sample, and at the samples but the ends, where each counts as much as the other side's
    step is long."""
    slopes = elementwise.divide(reductions.diff(lines), steps)
    before, after = steps[:-1], steps[1:]
    sums = elementwise.add(elementwise.multiply(slopes[..., :-1], after), elementwise.multiply(slopes[..., 1:], before))
    return slopes, elementwise.divide(sums, elementwise.add(before, after))


def _beyond(near: Array, far: Array, step: Array, next_step: Array) -> Array:
    """The slope at an end: that of the first step, and the change to the next one's as far as it lies outside."""
    share = elementwise.divide(step, elementwise.add(step, next_step))
    return elementwise.add(near, elementwise.multiply(elementwise.subtract(near, far), share))


# -- integrals and angles ----------------------------------------------------------------------------------------------


def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: ArrayLike = 1.0, axis: int = -1) -> Array:
    """The integral of samples along an axis by the trapezoidal rule; they are at x, or dx apart."""
    samples = promote.floating("trapezoid", y)
    rank = len(core.shape_of(samples))
    along = promote.as_axis("trapezoid", axis, rank, samples)
    lines = manipulation.moveaxis(samples, along, -1)
    sums = elementwise.add(lines[..., 1:], lines[..., :-1])
    if x is None:
        return elementwise.multiply(elementwise.multiply(reductions.sum(sums, axis=-1), 0.5), dx)
    places = promote.floating("trapezoid", x)
    if len(core.shape_of(places)) > 1:
        places = manipulation.moveaxis(places, promote.as_axis("trapezoid", axis, len(core.shape_of(places))), -1)
    return reductions.sum(elementwise.multiply(elementwise.multiply(sums, reductions.diff(places)), 0.5), axis=-1)


def unwrap(p: ArrayLike, /, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Array:
    """Angles along an axis without jumps: multiples of the period are added, so that neighbours differ by half at most.

    Where they differ by less than `discont`, nothing is added.
    """
    operand = promote.numeric("unwrap", p)
    along = promote.as_axis("unwrap", axis, len(core.shape_of(operand)), operand)
    whole = core.dtype_of(operand).is_integer and isinstance(period, int)
    lines = manipulation.moveaxis(operand if whole else promote.floating("unwrap", operand), along, -1)
    jumps = reductions.diff(lines)
    half = period // 2 if whole else period / 2
    rest = elementwise.subtract(elementwise.remainder(elementwise.add(jumps, half), period), half)
    if not whole or period % 2 == 0:
        # Half a period up stays half a period up.
        edge = logic.logical_and(logic.equal(rest, -half), logic.greater(jumps, 0))
        rest = logic.where(edge, half, rest)
    change = elementwise.subtract(rest, jumps)
    limit = half if discont is None else discont
    change = logic.where(logic.less(elementwise.abs(jumps), limit), 0, change)
    total = reductions.cumulative_sum(change, axis=-1, dtype=core.dtype_of(change))
    moved = elementwise.add(lines[..., 1:], total)
    return manipulation.moveaxis(manipulation.concat([lines[..., :1], moved], axis=-1), -1, along)


__all__ = ["ediff1d", "gradient", "interp", "trapezoid", "unwrap"]
