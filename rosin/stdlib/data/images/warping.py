"""Images `[batch, channels, height, width]` turned, sheared, scaled, moved, seen from elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.data.errors import DataError


def warp(x: Array, matrices: Array, fill: float = 0.0) -> Array:
    """Each image as seen through a matrix `[batch, 3, 3]`, which takes a place in the result, (column, row, 1) from the
    middle of the image, to a place in the image times a number; pixels are interpolated between four.

    Raises:
        DataError: the shapes do not go together.
    """
    if x.ndim != 4 or tuple(matrices.shape) != (x.shape[0], 3, 3):
        shapes = f"{tuple(x.shape)} and {tuple(matrices.shape)}"
        raise DataError(f"warp: images are [batch, channels, height, width] and matrices [batch, 3, 3], not {shapes}")
    height, width = x.shape[2:]
    middle = (np.asarray([width, height]) - 1) / 2
    rows, columns = np.mgrid[:height, :width]
    places = np.stack([columns.ravel() - middle[0], rows.ravel() - middle[1], np.ones(height * width)])
    found = rnp.astype(matrices, x.dtype) @ rnp.asarray(places, dtype=x.dtype)
    column = found[:, 0] / found[:, 2] + float(middle[0])
    row = found[:, 1] / found[:, 2] + float(middle[1])
    return rnp.reshape(_interpolated(x, row, column, fill), tuple(x.shape))


def _interpolated(x: Array, row: Array, column: Array, fill: float) -> Array:
    """Images `[batch, channels, height, width]` at places `[batch, count]`; outside of them is `fill`."""
    batch, channels, height, width = x.shape
    top, left = rnp.floor(row), rnp.floor(column)
    flat = rnp.reshape(x, (batch, channels, height * width))
    total: Any = 0.0
    for down in (0, 1):
        for right in (0, 1):
            r, c = top + down, left + right
            share = (1 - rnp.abs(row - r)) * (1 - rnp.abs(column - c))
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            at = rnp.clip(r, 0, height - 1) * width + rnp.clip(c, 0, width - 1)
            picked = rnp.take_along_axis(flat, rnp.astype(at, rosin.int32)[:, None], axis=2)
            total = total + share[:, None] * rnp.where(inside[:, None], picked, fill)
    return total


def affine_matrices(angle: Array, scale: Array, shear: Array, shift: Array) -> Array:
    """Matrices for `warp` `[batch, 3, 3]` that turn images counter-clockwise by `angle` degrees [batch], make them
    `scale` times as large [batch], shear rows by `shear` degrees [batch], and move them by `shift` pixels [batch, 2],
    to the right and down."""
    turn, lean = angle * (np.pi / 180), rnp.tan(shear * (np.pi / 180))
    cos, sin = rnp.cos(turn) / scale, rnp.sin(turn) / scale
    # The inverse of: shear, then turn and scale, then move.
    second = rnp.stack([sin, cos], axis=-1)
    first = rnp.stack([cos - lean * sin, -sin - lean * cos], axis=-1)
    linear = rnp.stack([first, second], axis=-2)
    moved = -(linear @ shift[..., None])
    last = rnp.broadcast_to(rnp.asarray([0.0, 0.0, 1.0], dtype=linear.dtype), (angle.shape[0], 1, 3))
    return rnp.concat([rnp.concat([linear, moved], axis=-1), last], axis=-2)


def random_affine(
    key: Array,
    x: Array,
    *,
    degrees: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shear: float = 0.0,
    shift: float = 0.0,
    fill: float = 0.0,
) -> Array:
    """Each image turned by up to so many degrees, scaled, sheared by up to so many degrees, and moved by up to that
    part of its size, in either direction."""
    keys = rosin.random.split(key, 4)

    def drawn(number: int, low: float, high: float, shape: tuple[int, ...] = ()) -> Array:
        draw = rosin.random.uniform(keys[number], (x.shape[0], *shape), dtype=x.dtype)
        return low + (high - low) * draw

    size = rnp.asarray([x.shape[3], x.shape[2]], dtype=x.dtype)
    moved = drawn(3, -shift, shift, (2,)) * size
    turned = drawn(0, -degrees, degrees)
    return warp(x, affine_matrices(turned, drawn(1, *scale), drawn(2, -shear, shear), moved), fill)


def random_perspective(key: Array, x: Array, most: float = 0.3, fill: float = 0.0) -> Array:
    """Each image as if its plane were turned away: its corners are moved inwards by up to `most` of half its sides."""
    batch, _, height, width = x.shape
    half = rnp.asarray([width / 2, height / 2], dtype=x.dtype)
    signs = rnp.asarray([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], dtype=x.dtype)
    inwards = most * rosin.random.uniform(key, (batch, 4, 2), dtype=x.dtype)
    corners = signs * half * (1 - inwards)
    return warp(x, rosin.vmap(_homography, in_axes=(0, None))(corners, signs * half), fill)


def _homography(before: Array, after: Array) -> Array:
    """The matrix `[3, 3]` that takes four places to four others."""
    rows: list[Array] = []
    one, zero = rnp.ones_like(before[:, :1]), rnp.zeros_like(before)
    for axis in (0, 1):
        own = rnp.concat([before, one], axis=1)
        none = rnp.concat([zero, zero[:, :1]], axis=1)
        pair = (own, none) if axis == 0 else (none, own)
        rows.append(rnp.concat([*pair, -before * after[:, axis : axis + 1]], axis=1))
    found = rnp.linalg.solve(rnp.concat(rows), rnp.concat([after[:, 0], after[:, 1]]))
    return rnp.reshape(rnp.concat([found, rnp.ones_like(found[:1])]), (3, 3))
