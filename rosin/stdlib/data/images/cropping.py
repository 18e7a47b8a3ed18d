"""Parts of images `[batch, channels, height, width]` brought to one size, chosen or drawn."""

from __future__ import annotations

import math

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError


def resized_crop(x: Array, boxes: Array, size: tuple[int, int]) -> Array:
    """The part of each image in a box of its own, `[batch, 4]` of top, left, height and width in pixels, which need not
    be whole, brought to a size by Pillow's bilinear filter.

    Raises:
        DataError: the shapes do not go together, or the images are no floats.
    """
    if x.ndim != 4 or tuple(boxes.shape) != (x.shape[0], 4):
        shapes = f"{tuple(x.shape)} and {tuple(boxes.shape)}"
        raise DataError(f"resized_crop: images are [batch, channels, height, width] and boxes [batch, 4], not {shapes}")
    if not rnp.isdtype(x.dtype, "real floating"):
        raise DataError(f"resized_crop: images are floats, not {x.dtype}")
    own = rnp.astype(boxes, x.dtype)
    rows = _shares(own[:, 0], own[:, 2], x.shape[2], size[0])
    columns = _shares(own[:, 1], own[:, 3], x.shape[3], size[1])
    return rows[:, None] @ x @ rnp.matrix_transpose(columns)[:, None]


def _shares(first: Array, length: Array, count: int, wanted: int) -> Array:
    """How much of each of `count` pixels there is in each of the `wanted` ones `[batch, wanted, count]`: a triangle
    around its middle, as wide as neighbours are apart, and at least two pixels."""
    step = length[:, None, None] / wanted
    middle = first[:, None, None] + (rnp.arange(wanted, dtype=first.dtype)[:, None] + 0.5) * step
    away = (rnp.arange(count, dtype=first.dtype) + 0.5 - middle) / rnp.maximum(step, 1)
    shares = rnp.maximum(1 - rnp.abs(away), 0)
    return shares / rnp.sum(shares, axis=-1, keepdims=True)


def random_resized_crop(
    key: Array,
    x: Array,
    size: tuple[int, int],
    *,
    area: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Array:
    """A part of each image, somewhere, brought to a size: of a share of its area from `area`, and of a width that is
    its height times a number from `ratio`, of which the logarithm is uniform (Szegedy et al. 2015). A side that would
    be longer than the image's is as long.

    Raises:
        DataError: areas are not from 0 to 1, ratios not positive, or the images are no floats.
    """
    if not 0 < area[0] <= area[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
        raise DataError(f"random_resized_crop: areas are from 0 to 1 and ratios positive, not {area} and {ratio}")
    batch, _, height, width = x.shape
    draws = rosin.random.uniform(key, (4, batch), dtype=x.dtype)
    share = area[0] + (area[1] - area[0]) * draws[0]
    shape = rnp.exp(math.log(ratio[0]) + (math.log(ratio[1]) - math.log(ratio[0])) * draws[1])
    pixels = share * (height * width)
    sides = rnp.minimum(rnp.sqrt(pixels / shape), height), rnp.minimum(rnp.sqrt(pixels * shape), width)
    places = (height - sides[0]) * draws[2], (width - sides[1]) * draws[3]
    return resized_crop(x, rnp.stack([*places, *sides], axis=1), size)
