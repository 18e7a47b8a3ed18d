"""The windows over an array themselves, laid out in columns, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.nn.windows import Padding, each, ends
from rosin.frontend.numpy import creation, indexing, manipulation, promote
from rosin.frontend.numpy.padding import pad
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.op import NumpyArray

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def unfold(
    x: ArrayLike,
    /,
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
) -> Array:
    """What each window over the spatial axes of `x[N, C, spatial…]` holds: `[N, C * window size, windows]`.

    Padding is zeros.

    Raises:
        ShapeError: x has no spatial axis, or there is no window.
        AttributeValueError: window, stride or dilation is not positive, or there is no such padding.
    """
    operand = promote.array("unfold", x)
    places, low, high = _places("unfold", operand, core.shape_of(operand), window, strides, padding, dilation)
    operand = pad(operand, ((0, 0), (0, 0), *zip(low, high, strict=True)))
    n = len(places)
    for i, line in enumerate(places):
        operand = indexing.take(operand, core.asarray(line), axis=2 + 2 * i)
    inner, outer = range(2, 2 + 2 * n, 2), range(3, 3 + 2 * n, 2)
    operand = manipulation.permute_dims(operand, (0, 1, *inner, *outer))
    shape = core.shape_of(operand)
    return manipulation.reshape(operand, (shape[0], dims.product(shape[1 : 2 + n]), dims.product(shape[2 + n :])))


def fold(
    x: ArrayLike,
    /,
    output_size: int | Sequence[int],
    window: int | Sequence[int],
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
) -> Array:
    """The transpose of `unfold`: what windows `x[N, C * window size, windows]` hold, summed in `[N, C, output_size…]`.

    Raises:
        ShapeError: x does not hold what `unfold` gives for that size.
        AttributeValueError: window, stride or dilation is not positive, or there is no such padding.
    """
    operand = promote.numeric("fold", x)
    spatial = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * 2
    own = core.shape_of(operand)
    area = math.prod(each("fold", "window", window, len(spatial)))
    channels = facts.divide(own[1], area) if len(own) == 3 else None
    if channels is None:
        promote.bad_shape(f"fold: the input is [batch, channels * {area}, windows]", operand)
    shape = (own[0], channels, *spatial)
    places, low, high = _places("fold", operand, shape, window, strides, padding, dilation)
    inner, outer = [line.shape[0] for line in places], [line.shape[1] for line in places]
    if not facts.same(own[2], math.prod(outer)):
        promote.bad_shape(f"fold: there are {math.prod(outer)} windows over {spatial}, not {own[2]}", operand)
    n = len(spatial)
    parts = manipulation.reshape(operand, (own[0], channels, *inner, *outer))
    pairs = [axis for i in range(n) for axis in (2 + i, 2 + n + i)]
    parts = manipulation.permute_dims(parts, (0, 1, *pairs))
    for i, line in enumerate(places):
        axis = 2 + i
        before, after = core.shape_of(parts)[:axis], core.shape_of(parts)[axis + 2 :]
        total = creation.zeros((*before, spatial[i] + low[i] + high[i], *after), dtype=core.dtype_of(operand))
        parts = indexing.changed(total, (*(slice(None),) * axis, core.asarray(line)), "add", parts)
        parts = manipulation.slice_axis(parts, axis, low[i], low[i] + spatial[i])
    return parts


def _places(
    name: str,
    x: Array,
    shape: promote.Shape,
    window: int | Sequence[int],
    strides: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
) -> tuple[list[NumpyArray], tuple[int, ...], tuple[int, ...]]:
    """For each spatial axis, element by element of the window, where in the padded axis the windows have it."""
    spatial = len(shape) - 2
    if spatial < 1:
        promote.bad_shape(f"{name}: the input is [batch, channels, spatial…], with at least one spatial axis", x)
    sizes: list[int] = []
    for axis, size in enumerate(shape[2:]):
        if not isinstance(size, int):
            promote.bad_shape(f"{name}: spatial axis {axis} has the symbolic size {size} where a number is needed", x)
        sizes.append(size)
    own, steps = each(name, "window", window, spatial), each(name, "strides", strides, spatial)
    apart = each(name, "dilation", dilation, spatial)
    reach = [(w - 1) * d + 1 for w, d in zip(own, apart, strict=True)]
    low, high = (tuple(_int(name, x, n) for n in side) for side in ends(name, x, padding, sizes, reach, steps))
    places: list[NumpyArray] = []
    for i, size in enumerate(sizes):
        count = (size + low[i] + high[i] - reach[i]) // steps[i] + 1
        if count < 1:
            promote.bad_shape(f"{name}: no window of extent {reach[i]} fits spatial axis {i} of size {size}", x)
        places.append(
            np.arange(own[i], dtype=np.int32)[:, None] * apart[i] + np.arange(count, dtype=np.int32) * steps[i]
        )
    return places, low, high


def _int(name: str, x: Array, size: Dim) -> int:
    if not isinstance(size, int):
        promote.bad_shape(f"{name}: the symbolic padding {size} has to be a number", x)
    return size
