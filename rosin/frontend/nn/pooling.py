"""Pooling: what windows that slide over an array hold, as one number each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.nn.windows import Padding, windows
from rosin.frontend.numpy import creation, elementwise, indexing, manipulation, promote, reductions
from rosin.frontend.numpy.linear import tensordot
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.op import NumpyArray
from rosin.ir.ops.window import WindowMax, WindowSum

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def max_pool(
    x: ArrayLike,
    /,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Array:
    """The greatest element of each window over the spatial axes of `x[N, C, spatial…]`; padding is never chosen.

    Without `strides` windows lie side by side. With `ceil_mode` a last window may reach beyond the end. The derivative
    goes to the first of elements that tie.

    Raises:
        ShapeError: x has no spatial axis, or windows are larger than x with its padding.
        AttributeValueError: window, stride or dilation is not positive, or there is no such padding.
    """
    operand = promote.numeric("max_pool", x)
    sizes = windows("max_pool", operand, window, strides, padding, dilation, ceil_mode)
    return core.bind1(WindowMax(*sizes), operand)


def avg_pool(
    x: ArrayLike,
    /,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    count_padding: bool = False,
    ceil_mode: bool = False,
    divisor: int | None = None,
) -> Array:
    """The mean of each window over the spatial axes of `x[N, C, spatial…]`, of its elements within x.

    With `count_padding` padding counts as elements of 0. A `divisor` is what all sums are divided by instead of counts.
    Without `strides` windows lie side by side. With `ceil_mode` a last window may reach beyond the end.

    Raises:
        ShapeError: x has no spatial axis, or windows are larger than x with its padding.
        AttributeValueError: window, stride or dilation is not positive, there is no such padding, or the divisor is 0.
    """
    operand = promote.floating("avg_pool", x)
    dtype = core.dtype_of(operand)
    wide = promote.cast(operand, dtype.accumulator)
    if divisor == 0:
        promote.bad_value("avg_pool: the divisor is 0", operand)
    sizes = windows("avg_pool", operand, window, strides, padding, dilation, ceil_mode)
    total = core.bind1(WindowSum(*sizes), wide)
    own, steps, low, high, apart = sizes
    beyond = windows("avg_pool", operand, window, strides, padding, dilation)[3] if count_padding else (0,) * len(high)
    if divisor is not None or (high == beyond and (count_padding or not any((*low, *high)))):
        return promote.cast(elementwise.divide(total, math.prod(own) if divisor is None else divisor), dtype)
    # One example and channel will do for the counts, of which padding is a part if it counts.
    before = low if count_padding else (0,) * len(low)
    shape = [n + a + b for n, a, b in zip(core.shape_of(wide), before, beyond, strict=True)]
    ones = creation.ones((1, 1, *shape[2:]), dtype=dtype.accumulator)
    first = tuple(a - b for a, b in zip(low, before, strict=True))
    last = tuple(a - b for a, b in zip(high, beyond, strict=True))
    count = core.bind1(WindowSum(own, steps, first, last, apart), ones)
    return promote.cast(elementwise.divide(total, count), dtype)


# -- results of a given size -------------------------------------------------------------------------------------------


def adaptive_avg_pool(x: ArrayLike, /, output_size: int | Sequence[int | None] | None) -> Array:
    """The means of windows over the spatial axes of `x[N, C, spatial…]`, of such sizes that the result has this one.

    Window i of m over n elements goes from floor(i n / m) to ceil((i + 1) n / m). None leaves an axis as it is.

    Raises:
        ShapeError: x has no spatial axis or no elements along one, or a size is symbolic.
        AttributeValueError: there is not one size for each spatial axis, or one is negative.
    """
    operand = promote.floating("adaptive_avg_pool", x)
    dtype = core.dtype_of(operand)
    result = promote.cast(operand, dtype.accumulator)
    for axis, wanted in enumerate(_wanted("adaptive_avg_pool", operand, output_size), 2):
        size = promote.static_size("adaptive_avg_pool", operand, axis)
        if wanted is None or wanted == size:
            continue
        starts, stops = _parts(size, wanted)
        place = np.arange(size)
        share = ((place >= starts[:, None]) & (place < stops[:, None])) / (stops - starts)[:, None]
        weights = core.asarray(share, dtype.accumulator)
        result = manipulation.moveaxis(tensordot(result, weights, axes=((axis,), (1,))), -1, axis)
    return promote.cast(result, dtype)


def adaptive_max_pool(x: ArrayLike, /, output_size: int | Sequence[int | None] | None) -> Array:
    """The greatest elements of windows over the spatial axes of `x[N, C, spatial…]`; windows as in `adaptive_avg_pool`.

    Raises:
        ShapeError: x has no spatial axis or no elements along one, or a size is symbolic.
        AttributeValueError: there is not one size for each spatial axis, or one is negative.
    """
    operand = promote.numeric("adaptive_max_pool", x)
    for axis, wanted in enumerate(_wanted("adaptive_max_pool", operand, output_size), 2):
        size = promote.static_size("adaptive_max_pool", operand, axis)
        if wanted is None or wanted == size:
            continue
        starts, stops = _parts(size, wanted)
        if wanted == 0:
            operand = manipulation.slice_axis(operand, axis, 0, 0)
            continue
        # Shorter windows read their last element again.
        places = np.minimum(starts[:, None] + np.arange(int((stops - starts).max())), stops[:, None] - 1)
        windows_ = indexing.take(operand, core.asarray(places.astype(np.int32)), axis=axis)
        operand = reductions.max(windows_, axis=axis + 1)
    return operand


def _parts(size: int, count: int) -> tuple[NumpyArray, NumpyArray]:
    """Where so many windows over an axis start, and where they stop."""
    line = np.arange(count)
    return line * size // max(count, 1), -(-(line + 1) * size // max(count, 1))


def _wanted(name: str, x: Array, output_size: int | Sequence[int | None] | None) -> list[int | None]:
    spatial = core.shape_of(x)[2:]
    if not spatial or 0 in spatial:
        promote.bad_shape(f"{name}: the input is [batch, channels, spatial…], with elements along spatial axes", x)
    given = list(output_size) if isinstance(output_size, Sequence) else [output_size] * len(spatial)
    if len(given) != len(spatial):
        promote.bad_value(f"{name}: output_size has {len(given)} entries for {len(spatial)} spatial axes", x)
    sizes = [None if size is None else promote.as_int(name, size, "an output size") for size in given]
    for size in sizes:
        if size is not None and size < 0:
            promote.bad_value(f"{name}: the output size {size} is negative", x)
    return sizes
