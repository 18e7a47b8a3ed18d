"""Padding: elements added at the ends of axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, manipulation, promote, quantiles, reductions
from rosin.frontend.numpy.manipulation import slice_axis
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.ops.movement import Pad
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Mode: TypeAlias = "str | Callable[..., Any]"
Pair: TypeAlias = tuple[int, int]

_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": reductions.max,
    "mean": reductions.mean,
    "median": quantiles.median,
    "minimum": reductions.min,
}
_REPEATING = ("edge", "reflect", "symmetric", "wrap")
MODES = ("constant", "empty", "linear_ramp", *_REPEATING, *_STATISTICS)


@core.fresh
def pad(
    x: ArrayLike,
    /,
    pad_width: int | Sequence[Any] | Mapping[int, Any],
    mode: Mode = "constant",
    *,
    constant_values: Any = 0,
    end_values: Any = 0,
    stat_length: Any = None,
    reflect_type: str = "even",
    **kwargs: Any,
) -> Array:
    """x with elements added at the ends of its axes.

    Args:
        pad_width: one number for all ends, a pair (before, after) for all axes, a pair for each axis, or a dict of
            axes and what is said of them, the others having 0.
        mode: what is added. "constant": `constant_values`. "edge": copies of the last element. "linear_ramp": a ramp
            from the last element to `end_values`. "maximum", "mean", "median", "minimum": that of the `stat_length`
            elements next to the end, by default of all. "reflect": the elements mirrored at the last one, without it;
            "symmetric": with it; with `reflect_type="odd"` turned about the last one, too. "wrap": those of the other
            end. "empty": zeros. Or a function, which is called with each line, padded with zeros, the pair of widths,
            the axis and `kwargs`, and gives the line with other ends, or assigns to it.
        constant_values, end_values, stat_length: one for all ends, a pair for all axes, or a pair for each axis.

    Raises:
        ShapeError: a width is negative, or elements are to be taken from an axis that has none.
        AttributeValueError: there is no such mode.
    """
    operand = promote.array("pad", x)
    widths = [(_width(operand, low), _width(operand, high)) for low, high in _pairs(operand, pad_width, "widths")]
    if callable(mode):
        return _by_function(operand, widths, mode, kwargs)
    if mode not in MODES:
        promote.bad_value(f"pad: the mode is one of {', '.join(MODES)}, or a function, not {mode!r}", operand)
    if reflect_type not in ("even", "odd"):
        promote.bad_value(f'pad: the reflect_type is "even" or "odd", not {reflect_type!r}', operand)
    if kwargs:
        promote.bad_value(f"pad: {', '.join(kwargs)} is for functions alone, not for {mode!r}", operand)
    if mode in ("constant", "empty"):
        return _constant(operand, widths, 0 if mode == "empty" else constant_values)
    ends = _pairs(operand, end_values, "end_values")
    lengths = _pairs(operand, stat_length, "stat_length")
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        if core.shape_of(operand)[axis] == 0:
            promote.bad_shape(f"pad: axis {axis} has no elements to take", operand)
        if mode == "linear_ramp":
            operand = _ramps(operand, axis, (before, after), ends[axis])
        elif mode in _STATISTICS:
            operand = _with_statistics(operand, axis, (before, after), _STATISTICS[mode], lengths[axis])
        elif mode in ("reflect", "symmetric") and reflect_type == "odd":
            operand = _turned(operand, axis, (before, after), mode)
        else:
            operand = _repeated(operand, axis, (before, after), mode)
    return operand


# -- arguments ---------------------------------------------------------------------------------------------------------


def _pairs(x: Array, given: Any, what: str) -> list[tuple[Any, Any]]:
    """For each axis what is said of its two ends."""
    rank = len(core.shape_of(x))
    if isinstance(given, Mapping):
        axes = {promote.as_axis("pad", axis, rank, x): ends for axis, ends in cast("Mapping[Any, Any]", given).items()}
        given = [axes.get(axis, 0) for axis in range(rank)]
        given = [ends if isinstance(ends, Sequence) else (ends,) for ends in given]
    given = given.tolist() if isinstance(given, np.ndarray) else given

    def pair(value: Any) -> tuple[Any, Any]:
        ends = tuple(cast("Sequence[Any]", value)) if isinstance(value, Sequence) else (value,)
        ends = ends * 2 if len(ends) == 1 else ends
        if len(ends) != 2:
            promote.bad_shape(f"pad: {value!r} is no pair of {what}", x)
        return ends[0], ends[1]

    parts = cast("Sequence[Any]", given) if isinstance(given, Sequence) else ()
    if any(isinstance(part, Sequence) for part in parts):
        if len(parts) not in (1, rank):
            promote.bad_shape(f"pad: {len(parts)} pairs of {what} for {rank} axes", x)
        each = [pair(part) for part in parts]
        return each * rank if len(each) == 1 else each
    return [pair(given)] * rank


def _width(x: Array, value: Any) -> int:
    width = promote.as_int("pad", value, "a width")
    if width < 0:
        promote.bad_shape(f"pad: the width {width} is negative", x)
    return width


def _number(x: Array, value: ArrayLike) -> Array:
    """One number in the element type of x."""
    if core.is_scalar(value):
        wanted = TensorType(promote.common_dtype([x, value]))
        return promote.cast(promote.number("pad", value, wanted), core.dtype_of(x))
    given = promote.array("pad", value)
    if core.shape_of(given) != ():
        promote.bad_shape("pad: what is added is one number for each end", x, given)
    return promote.cast(given, core.dtype_of(x))


# -- what is added -----------------------------------------------------------------------------------------------------


def _constant(x: Array, widths: Sequence[Pair], given: Any) -> Array:
    values = _pairs(x, given, "constant_values")
    if not any(map(any, widths)):
        return x
    if all(low is high for low, high in (*values, *((values[0][0], value) for value, _ in values))):
        low, high = (tuple(width[end] for width in widths) for end in (0, 1))
        return core.bind1(Pad(low, high, (0,) * len(widths)), x, _number(x, values[0][0]))
    for axis, (ends, (first, last)) in enumerate(zip(widths, values, strict=True)):
        x = _joined(x, axis, _block(x, axis, first, ends[0]), _block(x, axis, last, ends[1]))
    return x


def _block(x: Array, axis: int, value: ArrayLike, width: int) -> Array:
    """One number at every place of an end."""
    shape = list(core.shape_of(x))
    shape[axis] = width
    return promote.spread(_number(x, value), tuple(shape))


def _joined(x: Array, axis: int, before: Array, after: Array) -> Array:
    parts = [part for part in (before, x, after) if core.shape_of(part)[axis] != 0]
    return manipulation.concat(parts, axis=axis) if len(parts) > 1 else x


def _line_end(x: Array, axis: int, after: bool) -> Array:
    """The first or the last element of each line."""
    size = core.shape_of(x)[axis]
    return slice_axis(x, axis, size - 1, size) if after else slice_axis(x, axis, 0, 1)


def _ramps(x: Array, axis: int, widths: Pair, ends: tuple[ArrayLike, ArrayLike]) -> Array:
    dtype = core.dtype_of(x)
    work = dtype.accumulator if dtype.differentiable else dtypes.f64
    blocks: list[Array] = []
    for after, (width, end) in enumerate(zip(widths, ends, strict=True)):
        shape = [1] * len(core.shape_of(x))
        shape[axis] = width
        # Counted from the far end, whose value is met exactly.
        steps = np.arange(width) if not after else np.arange(width - 1, -1, -1)
        share = core.asarray((steps / max(width, 1)).reshape(shape).astype(work.numpy))
        far, near = promote.cast(_number(x, end), work), promote.cast(_line_end(x, axis, bool(after)), work)
        ramp = elementwise.add(far, elementwise.multiply(elementwise.subtract(near, far), share))
        blocks.append(promote.cast(elementwise.floor(ramp) if dtype.is_integer else ramp, dtype))
    return _joined(x, axis, *blocks)


def _with_statistics(
    x: Array, axis: int, widths: Pair, statistic: Callable[..., Array], lengths: tuple[Any, Any]
) -> Array:
    size = promote.static_size("pad", x, axis)
    dtype = core.dtype_of(x)
    blocks: list[Array] = []
    for after, (width, length) in enumerate(zip(widths, lengths, strict=True)):
        count = size if length is None else min(promote.as_int("pad", length, "a stat_length"), size)
        if count < 1:
            promote.bad_value(f"pad: stat_length is {count}; it is positive", x)
        part = slice_axis(x, axis, size - count, size) if after else slice_axis(x, axis, 0, count)
        value = statistic(part, axis=axis, keepdims=True)
        value = elementwise.round(value) if dtype.is_integer and core.dtype_of(value).differentiable else value
        blocks.append(manipulation.repeat(promote.cast(value, dtype), width, axis=axis))
    return _joined(x, axis, *blocks)


def _places(size: int, widths: Pair, mode: str) -> np.ndarray[Any, Any]:
    """Which element of a line is at each place of the endless line that it is continued to."""
    place = np.arange(-widths[0], size + widths[1])
    if mode == "edge":
        return np.clip(place, 0, size - 1)
    if mode == "wrap":
        return place % size
    period = 2 * size if mode == "symmetric" else max(2 * size - 2, 1)
    within = place % period
    return np.where(within < size, within, period - within - (1 if mode == "symmetric" else 0))


def _runs(places: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
    """Places as runs (first, last, step) of neighbours, of the same place, or of neighbours backwards."""
    runs: list[tuple[int, int, int]] = []
    start = 0
    while start < len(places):
        end = start
        step = int(places[start + 1] - places[start]) if start + 1 < len(places) else 1
        # A jump ends a run of one.
        step = step if abs(step) <= 1 else 1
        while end + 1 < len(places) and places[end + 1] - places[end] == step:
            end += 1
        runs.append((start, end, step))
        start = end + 1
    return runs


def _repeated(x: Array, axis: int, widths: Pair, mode: str) -> Array:
    """Slices of the axis joined: as many of them as it takes to fill both ends."""
    size = promote.static_size("pad", x, axis)
    places = _places(size, widths, mode)
    parts: list[Array] = []
    for start, end, step in _runs(places):
        first, last = int(places[start]), int(places[end])
        low, high = min(first, last), max(first, last)
        part = slice_axis(x, axis, low, high + 1)
        if step == 0:
            part = manipulation.repeat(part, end - start + 1, axis=axis)
        elif step < 0:
            part = manipulation.flip(part, axis=axis)
        parts.append(part)
    return manipulation.concat(parts, axis=axis) if len(parts) > 1 else parts[0]


def _turned(x: Array, axis: int, widths: Pair, mode: str) -> Array:
    """Ends whose elements are twice the last one less their mirror images; as far as one line reaches at a time."""
    before, after = widths
    edge = 0 if mode == "symmetric" else 1
    if core.shape_of(x)[axis] == 1 and edge:
        return _repeated(x, axis, widths, "edge")
    while before or after:
        size = promote.static_size("pad", x, axis)
        low, high = min(before, size - edge), min(after, size - edge)
        first, last = _line_end(x, axis, False), _line_end(x, axis, True)
        left = manipulation.flip(slice_axis(x, axis, edge, edge + low), axis=axis)
        right = manipulation.flip(slice_axis(x, axis, size - edge - high, size - edge), axis=axis)
        blocks = (
            elementwise.subtract(elementwise.multiply(end, 2), part) for end, part in ((first, left), (last, right))
        )
        x = _joined(x, axis, *blocks)
        before, after = before - low, after - high
    return x


def _by_function(x: Array, widths: Sequence[Pair], function: Callable[..., Any], kwargs: dict[str, Any]) -> Array:
    x = _constant(x, widths, 0)
    for axis, ends in enumerate(widths):

        def changed(line: Array, axis: int = axis, ends: Pair = ends) -> Array:
            found = core.call(function, line, ends, axis, kwargs)
            return line if found is None else promote.array("pad", found)

        lines = manipulation.moveaxis(x, axis, -1)
        shape = core.shape_of(lines)
        flat = manipulation.reshape(lines, (-1, shape[-1]))
        found = core.vmap(changed)(flat)
        if core.shape_of(found) != core.shape_of(flat):
            own, wanted = core.shape_of(found)[1:], core.shape_of(flat)[1:]
            promote.bad_shape(f"pad: the function gave a line of shape {list(own)}, not {list(wanted)}", x)
        x = manipulation.moveaxis(manipulation.reshape(found, shape), -1, axis)
    return x


__all__ = ["pad"]
