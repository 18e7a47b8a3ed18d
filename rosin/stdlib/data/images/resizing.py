"""Images `[..., height, width]` of other sizes: resized, cropped, padded; channels first and last."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError

Method = Literal["bilinear", "bicubic"]
_CUBIC = -0.5
"""The slope of the cubic at its first zero, as in Pillow (Keys 1981)."""


def resize(x: Array, size: tuple[int, int], *, method: Method = "bilinear", antialias: bool = True) -> Array:
    """Images of another size. Where they get smaller, the filter gets wider, so that no pixel is passed over; without
    `antialias` it does not, and the cubic has PyTorch's slope, -0.75.

    Pixels are squares whose middles lie at halves, and filters are cut off at the edges: what Pillow does, and PyTorch
    with and without its `antialias`. Integers are computed as floats and rounded.

    Raises:
        DataError: a size is not positive, or there is no such method.
    """
    if min(size) < 1 or method not in ("bilinear", "bicubic"):
        raise DataError(f"resize: to {size} by {method}; sizes are positive, and methods are bilinear and bicubic")
    if not rnp.isdtype(x.dtype, "real floating"):
        found = resize(rnp.astype(x, rosin.float32), size, method=method, antialias=antialias)
        return rnp.astype(rnp.clip(rnp.round(found), 0, 255), x.dtype)
    rows = _weights(x.shape[-2], size[0], method, antialias)
    columns = _weights(x.shape[-1], size[1], method, antialias)
    across = x @ rnp.asarray(columns.T, dtype=x.dtype)
    return rnp.asarray(rows, dtype=x.dtype) @ across


@functools.lru_cache(maxsize=32)
def _weights(before: int, after: int, method: Method, antialias: bool) -> np.ndarray[Any, Any]:
    """How much of each pixel of a line is in each pixel of the new one, `[after, before]`."""
    ratio = before / after
    middles = (np.arange(after)[:, None] + 0.5) * ratio
    if not antialias:
        return _sampled(before, middles[:, 0] - 0.5, method)
    scale = max(1.0, ratio)
    reach = scale * (1 if method == "bilinear" else 2)
    places = np.arange(before)
    first, last = np.floor(middles - reach + 0.5), np.floor(middles + reach + 0.5)
    inside = (places >= first) & (places < last)
    kernel = _filter((places + 0.5 - middles) / scale, method, _CUBIC) * inside
    return kernel / kernel.sum(axis=1, keepdims=True)


def _sampled(before: int, places: np.ndarray[Any, Any], method: Method) -> np.ndarray[Any, Any]:
    """Weights of the pixels around each place, those beyond the edge being as the one at it."""
    found = np.zeros((len(places), before))
    lines = np.arange(len(places))
    if method == "bilinear":
        places = np.maximum(places, 0)
    low = np.floor(places).astype(int)
    for step in (0, 1) if method == "bilinear" else (-1, 0, 1, 2):
        weights = _filter(places - (low + step), method, -0.75)
        np.add.at(found, (lines, np.clip(low + step, 0, before - 1)), weights)
    return found


def _filter(apart: np.ndarray[Any, Any], method: Method, slope: float) -> np.ndarray[Any, Any]:
    t = np.abs(apart)
    if method == "bilinear":
        return np.maximum(0, 1 - t)
    near = ((slope + 2) * t - (slope + 3)) * t * t + 1
    far = slope * (((t - 5) * t + 8) * t - 4)
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def resize_shorter(x: Array, length: int, *, method: Method = "bilinear") -> Array:
    """Images whose shorter side has that length; the ratio of their sides stays, as nearly as pixels go."""
    height, width = x.shape[-2:]
    ratio = length / min(height, width)
    size = tuple(length if side == min(height, width) else math.floor(side * ratio) for side in (height, width))
    return resize(x, (size[0], size[1]), method=method)


def center_crop(x: Array, size: tuple[int, int]) -> Array:
    """The middle of images.

    Raises:
        DataError: the images are smaller.
    """
    room = [have - want for have, want in zip(x.shape[-2:], size, strict=True)]
    if min(room) < 0:
        raise DataError(f"center_crop: images of {tuple(x.shape[-2:])} have no part of {size}")
    top, left = (round(r / 2) for r in room)
    return x[..., top : top + size[0], left : left + size[1]]


def pad(x: Array, sides: int | tuple[int, int, int, int], value: float = 0.0) -> Array:
    """Images with so many pixels of one number around them, or above, below, to the left and to the right."""
    top, bottom, left, right = (sides,) * 4 if isinstance(sides, int) else sides
    return rnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)], constant_values=value)


def channels_first(x: Array) -> Array:
    """`[..., height, width, channels]` as `[..., channels, height, width]`."""
    return rnp.moveaxis(x, -1, -3)


def channels_last(x: Array) -> Array:
    """`[..., channels, height, width]` as `[..., height, width, channels]`."""
    return rnp.moveaxis(x, -3, -1)
