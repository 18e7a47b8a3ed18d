"""Images `[..., channels, height, width]` with other colours, and out of focus; red, green, blue are from 0 to 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError

_LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R BT.601)."""


def to_float(x: Array) -> Array:
    """Bytes as float32 from 0 to 1."""
    return rnp.astype(x, rosin.float32) / 255


def grayscale(x: Array, channels: int = 1) -> Array:
    """The brightness of colours, as one channel or as several that are the same.

    Raises:
        DataError: the images have not three channels.
    """
    if x.ndim < 3 or x.shape[-3] != 3:
        raise DataError(f"grayscale: images are [..., 3, height, width], not {tuple(x.shape)}")
    grey = sum(share * x[..., i : i + 1, :, :] for i, share in enumerate(_LUMA))
    return rnp.repeat(grey, channels, axis=-3) if channels > 1 else rnp.asarray(grey)


def adjust_brightness(x: Array, factor: Any) -> Array:
    """Images so many times as bright: a number, or one for each of `[batch, …]`."""
    return rnp.clip(x * each(factor, x), 0, 1)


def adjust_contrast(x: Array, factor: Any) -> Array:
    """Images whose differences from their mean brightness are so many times as large."""
    mean = rnp.mean(grayscale(x), axis=(-3, -2, -1), keepdims=True)
    return _blend(x, mean, factor)


def adjust_saturation(x: Array, factor: Any) -> Array:
    """Images whose colours differ so many times as much from grey."""
    return _blend(x, grayscale(x), factor)


def adjust_hue(x: Array, turn: Any) -> Array:
    """Images whose hues are turned by that part of the circle of colours, of which red to green is a third."""
    red, green, blue = x[..., 0, :, :], x[..., 1, :, :], x[..., 2, :, :]
    most, least = rnp.max(x, axis=-3), rnp.min(x, axis=-3)
    span = most - least
    apart = rnp.where(span > 0, span, 1)
    by_red, by_green = (green - blue) / apart, (blue - red) / apart + 2
    hue = rnp.where(most == red, by_red, rnp.where(most == green, by_green, (red - green) / apart + 4))
    turned = hue + 6 * each(turn, x)[..., 0, :, :]
    parts = [_channel(turned, most, span, first) for first in (5, 3, 1)]
    return rnp.stack(parts, axis=-3)


def _channel(hue: Array, most: Array, span: Array, first: int) -> Array:
    """A channel of colours by hue in sixths, highest number and its distance from the lowest (Smith 1978)."""
    place = (hue + first) % 6
    return most - span * rnp.clip(rnp.minimum(place, 4 - place), 0, 1)


def _blend(x: Array, other: Array, factor: Any) -> Array:
    share = each(factor, x)
    return rnp.clip(share * x + (1 - share) * other, 0, 1)


def each(factor: Any, x: Array) -> Array:
    """A number for all images, or one for each of `[batch, …]`, in a shape that goes with theirs."""
    numbers = rnp.asarray(factor, dtype=x.dtype)
    return rnp.reshape(numbers, (*numbers.shape, *(1,) * (x.ndim - numbers.ndim)))


def random_colors(
    key: Array,
    x: Array,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Array:
    """Images `[batch, 3, height, width]` with colours changed at random, each in its own way: by factors from
    1 less to 1 more these numbers, and hues turned by up to `hue` in either direction. The order is that of the names.

    Raises:
        DataError: a number is negative, or `hue` is above 0.5.
    """
    if min(brightness, contrast, saturation, hue) < 0 or hue > 0.5:
        told = f"brightness {brightness}, contrast {contrast}, saturation {saturation}, hue {hue}"
        raise DataError(f"random_colors: numbers are not negative, and hue at most 0.5, not {told}")
    changes = (
        (adjust_brightness, max(0.0, 1 - brightness), 1 + brightness),
        (adjust_contrast, max(0.0, 1 - contrast), 1 + contrast),
        (adjust_saturation, max(0.0, 1 - saturation), 1 + saturation),
        (adjust_hue, -hue, hue),
    )
    for own, (change, low, high) in zip(rosin.random.split(key, len(changes)), changes, strict=True):
        if low < high:
            x = change(x, rosin.random.uniform(own, (x.shape[0],), dtype=x.dtype, minval=low, maxval=high))
    return x


def blur(x: Array, deviation: float, size: int | None = None) -> Array:
    """Images out of focus: means weighted by a normal curve, over windows of `size` pixels, by default of three
    deviations on either side; images are mirrored at their edges.

    Raises:
        DataError: the deviation is not positive, the size even, or the images too small to be mirrored.
    """
    reach = math.ceil(3 * deviation) if size is None else size // 2
    if deviation <= 0 or (size is not None and size % 2 == 0) or min(x.shape[-2:]) <= reach:
        told = f"a deviation of {deviation} over {2 * reach + 1 if size is None else size} pixels"
        raise DataError(f"blur: {told} of images of {tuple(x.shape[-2:])}")
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = line / line.sum()
    padded = rnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(reach, reach)] * 2, mode="reflect")
    height, width = x.shape[-2:]
    rows = rnp.asarray(sum(float(w) * padded[..., i : i + height, :] for i, w in enumerate(weights)))
    return rnp.asarray(sum(float(w) * rows[..., :, i : i + width] for i, w in enumerate(weights)))
