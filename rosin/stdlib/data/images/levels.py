"""Images `[..., channels, height, width]` with other levels: uint8 as Pillow gives them, or floats from 0 to 1."""

from __future__ import annotations

from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.images.colours import each


def invert(x: Array) -> Array:
    """The negative.

    Raises:
        DataError: the images are neither uint8 nor floats; so in all functions here.
    """
    return _full("invert", x) - x


def solarize(x: Array, threshold: Any = None) -> Array:
    """What is as bright as the threshold, by default half, or brighter becomes its negative: a number of the images'
    own scale, or one for each of `[batch, …]`."""
    full = _full("solarize", x)
    half = 128 if full == 255 else 0.5
    return rnp.where(x < each(half if threshold is None else threshold, x), x, full - x)


def posterize(x: Array, bits: Any) -> Array:
    """The first `bits` of the eight of each number, 1 to 8: for all images, or a number for each of `[batch, …]`.

    Raises:
        DataError: there are not so many bits.
    """
    if isinstance(bits, int) and not 1 <= bits <= 8:
        raise DataError(f"posterize: bits are 1 to 8, not {bits}")
    if x.dtype != rosin.uint8:
        return _as_bytes("posterize", posterize, x, bits)
    rest = 8 - each(bits, x)
    return (x >> rest) << rest


def autocontrast(x: Array) -> Array:
    """Each channel of each image spread over all levels, the darkest number to black and the brightest to white; one
    of a single level stays as it is."""
    low, high = (f(x, axis=(-2, -1), keepdims=True) for f in (rnp.min, rnp.max))
    if x.dtype != rosin.uint8:
        _full("autocontrast", x)
        return rnp.where(high > low, (x - low) / rnp.where(high > low, high - low, 1), x)
    # A table of doubles, rounded in every place where Pillow's is.
    first, last = (rnp.astype(rnp.reshape(end, (-1, 1)), rosin.float64) for end in (low, high))
    scale = 255 / rnp.where(last > first, last - first, 1)
    levels = rnp.arange(256, dtype=rosin.float64)
    table = rnp.where(last > first, rnp.clip(rnp.trunc(levels * scale - first * scale), 0, 255), levels)
    return _looked_up(rnp.astype(table, rosin.uint8), x)


def equalize(x: Array) -> Array:
    """Levels of each channel of each image such that all are about as frequent, by its histogram of 256."""
    if x.dtype != rosin.uint8:
        return _as_bytes("equalize", equalize, x)
    rows = rnp.astype(rnp.reshape(x, (-1, x.shape[-2] * x.shape[-1])), rosin.int32)
    count = rows.shape[0]
    places = rows + 256 * rnp.arange(count, dtype=rosin.int32)[:, None]
    histogram = rnp.reshape(rnp.bincount(rnp.reshape(places, -1), length=256 * count), (count, 256))
    brightest = rnp.take_along_axis(histogram, rnp.max(rows, axis=1, keepdims=True), axis=1)
    # How many pixels a level gets, without those of the brightest one.
    step = (rows.shape[1] - brightest) // 255
    darker = rnp.cumulative_sum(histogram, axis=1) - histogram
    table = rnp.minimum((step // 2 + darker) // rnp.maximum(step, 1), 255)
    return _looked_up(rnp.astype(rnp.where(step > 0, table, rnp.arange(256)), rosin.uint8), x)


def _looked_up(table: Array, x: Array) -> Array:
    """The levels that a table of 256 for each channel has for a channel's numbers."""
    rows = rnp.reshape(x, (table.shape[0], -1))
    return rnp.reshape(rnp.take_along_axis(table, rnp.astype(rows, rosin.int32), axis=1), x.shape)


def _as_bytes(name: str, change: Any, x: Array, *arguments: Any) -> Array:
    """A change of floats as the one of their nearest bytes."""
    full = np.float32(255) / np.float32(_full(name, x))
    return rnp.astype(change(rnp.astype(rnp.round(rnp.clip(x, 0, 1) * full), rosin.uint8), *arguments), x.dtype) / 255


def _full(name: str, x: Array) -> int:
    """White."""
    if x.dtype == rosin.uint8:
        return 255
    if not rnp.isdtype(x.dtype, "real floating"):
        raise DataError(f"{name}: images are uint8, or floats from 0 to 1, not {x.dtype}")
    return 1
