"""Images of other sizes: interpolation along each spatial axis, and channels that become space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.nn.pooling import adaptive_avg_pool
from rosin.frontend.numpy import indexing, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.op import NumpyArray

if TYPE_CHECKING:
    from rosin.frontend.array import Array

_MODES = ("nearest", "nearest-exact", "linear", "cubic", "area")


def interpolate(
    x: ArrayLike,
    /,
    size: int | Sequence[int] | None = None,
    *,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Array:
    """`x[N, C, spatial…]` with spatial axes of other sizes, sampled between its elements.

    Either `size` or `scale_factor` says how large, one number for all spatial axes or one for each; with a factor sizes
    are rounded down, and places are taken that far apart. Modes: "nearest" takes the element at floor(i / factor),
    "nearest-exact" the one whose middle is nearest, "linear" and "cubic" (a = -0.75) sample between 2 and 4 elements
    along each axis, "area" takes means as `adaptive_avg_pool` does. `align_corners` puts the first and the last place
    of "linear" and "cubic" on the middles of the first and the last element, and not on their outer ends.

    Raises:
        ShapeError: x has no spatial axis or no elements along one, or a size is symbolic.
        AttributeValueError: there is no such mode, or not one of size and factor, or not one for each axis.
    """
    operand = promote.numeric("interpolate", x)
    rank = len(core.shape_of(operand))
    if rank < 3:
        promote.bad_shape("interpolate: the input is [batch, channels, spatial…], with a spatial axis", operand)
    if mode not in _MODES:
        promote.bad_value(f"interpolate: mode is one of {', '.join(_MODES)}, not {mode!r}", operand)
    sizes, steps = _sizes(operand, size, scale_factor)
    if mode == "area":
        return adaptive_avg_pool(operand, sizes)
    operand = operand if mode.startswith("nearest") else promote.floating("interpolate", operand)
    for axis, (new, step) in enumerate(zip(sizes, steps, strict=True), 2):
        own = promote.static_size("interpolate", operand, axis)
        operand = _along(operand, axis, *_taps(mode, own, new, step, align_corners))
    return operand


def _sizes(
    x: Array, size: int | Sequence[int] | None, factor: float | Sequence[float] | None
) -> tuple[list[int], list[float]]:
    """The new size of each spatial axis, and how far apart places are, in elements."""
    own = [promote.static_size("interpolate", x, axis) for axis in range(2, len(core.shape_of(x)))]
    given = size if factor is None else factor
    if given is None or (size is not None and factor is not None):
        promote.bad_value("interpolate: either size or scale_factor is given", x)
    numbers = tuple(given) if isinstance(given, Sequence) else (given,) * len(own)
    if len(numbers) != len(own):
        promote.bad_value(f"interpolate: {len(numbers)} sizes or factors for {len(own)} spatial axes", x)
    sizes = [math.floor(n * f) for n, f in zip(own, numbers, strict=True)] if factor is not None else list(numbers)
    wanted = [promote.as_int("interpolate", n, "a size") for n in sizes]
    for old, new in zip(own, wanted, strict=True):
        if old < 1 or new < 1:
            promote.bad_shape(f"interpolate: sizes are positive, not {old} to {new}", x)
    if factor is not None:
        return wanted, [1 / f for f in numbers]
    return wanted, [old / new for old, new in zip(own, wanted, strict=True)]


def _taps(mode: str, own: int, new: int, step: float, corners: bool) -> tuple[list[NumpyArray], list[NumpyArray]]:
    """For each place the elements that count, and their weights; nothing to weigh for one element."""
    line = np.arange(new, dtype=np.float64)
    if mode.startswith("nearest"):
        # In f32, whose rounding decides between neighbours.
        offset = 0.5 if mode == "nearest-exact" else 0.0
        places = np.floor((line.astype(np.float32) + np.float32(offset)) * np.float32(step))
        return [np.minimum(places, own - 1)], []
    place = line * ((own - 1) / (new - 1) if new > 1 else 0.0) if corners else (line + 0.5) * step - 0.5
    if mode == "linear":
        place = np.maximum(place, 0)
        first = np.minimum(np.floor(place), own - 1)
        part = np.minimum(place - first, 1)
        return [first, np.minimum(first + 1, own - 1)], [1 - part, part]
    first = np.floor(place)
    part = place - first
    weights = [_cubic(part + 1), _cubic(part), _cubic(1 - part), _cubic(2 - part)]
    return [np.clip(first + offset, 0, own - 1) for offset in (-1, 0, 1, 2)], weights


def _cubic(distance: NumpyArray, a: float = -0.75) -> NumpyArray:
    """The weight of an element at a distance, of cubic convolution. Keys, 1981."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def _along(x: Array, axis: int, places: list[NumpyArray], weights: list[NumpyArray]) -> Array:
    parts = [indexing.take(x, core.asarray(p.astype(np.int32)), axis=axis) for p in places]
    if not weights:
        return parts[0]
    dtype = core.dtype_of(x)
    shape = (-1, *(1,) * (len(core.shape_of(x)) - axis - 1))
    scaled = [part * core.asarray(w.reshape(shape), dtype) for part, w in zip(parts, weights, strict=True)]
    total = scaled[0]
    for part in scaled[1:]:
        total = total + part
    return total


# -- channels and space ------------------------------------------------------------------------------------------------


def _image(name: str, x: ArrayLike) -> Array:
    operand = promote.array(name, x)
    if len(core.shape_of(operand)) < 3:
        promote.bad_shape(f"{name}: the input is [batch, …, channels, height, width]", operand)
    return operand


def pixel_shuffle(x: ArrayLike, /, upscale_factor: int) -> Array:
    """`x[…, C r², H, W]` as `[…, C, H r, W r]`: channels become places. Shi et al., 2016.

    Raises:
        ShapeError: there is no such axis, or r² does not divide the channels.
    """
    operand, r = _image("pixel_shuffle", x), upscale_factor
    *lead, channels, height, width = core.shape_of(operand)
    count = facts.divide(channels, r * r) if r > 0 else None
    if count is None:
        promote.bad_shape(f"pixel_shuffle: {r}² does not divide {channels} channels", operand)
    n = len(lead)
    parts = manipulation.reshape(operand, (*lead, count, r, r, height, width))
    mixed = manipulation.permute_dims(parts, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return manipulation.reshape(mixed, (*lead, count, height * r, width * r))


def pixel_unshuffle(x: ArrayLike, /, downscale_factor: int) -> Array:
    """`x[…, C, H r, W r]` as `[…, C r², H, W]`: places become channels.

    Raises:
        ShapeError: there is no such axis, or r does not divide the height or the width.
    """
    operand, r = _image("pixel_unshuffle", x), downscale_factor
    *lead, channels, height, width = core.shape_of(operand)
    rows, columns = (facts.divide(size, r) if r > 0 else None for size in (height, width))
    if rows is None or columns is None:
        promote.bad_shape(f"pixel_unshuffle: {r} does not divide the sizes {height} and {width}", operand)
    n = len(lead)
    parts = manipulation.reshape(operand, (*lead, channels, rows, r, columns, r))
    mixed = manipulation.permute_dims(parts, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return manipulation.reshape(mixed, (*lead, channels * r * r, rows, columns))


def channel_shuffle(x: ArrayLike, /, groups: int) -> Array:
    """`x[N, C, …]`, the channels of consecutive groups in turn. Zhang et al., 2018.

    Raises:
        ShapeError: the groups do not divide the channels.
    """
    operand = _image("channel_shuffle", x)
    shape = core.shape_of(operand)
    part = facts.divide(shape[1], groups) if groups > 0 else None
    if part is None:
        promote.bad_shape(f"channel_shuffle: {groups} groups do not divide {shape[1]} channels", operand)
    parts = manipulation.reshape(operand, (shape[0], groups, part, *shape[2:]))
    return manipulation.reshape(manipulation.swapaxes(parts, 1, 2), shape)
