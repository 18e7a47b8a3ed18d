"""Images read at places that the program computes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, indexing, logic, manipulation, promote
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def affine_grid(theta: ArrayLike, size: Sequence[int], /, *, align_corners: bool = False) -> Array:
    """Places for `grid_sample`: each of the places of images of `size` (N, C, spatial…), moved by an affine map.

    theta: `[N, n, n + 1]` for n spatial axes. Coordinates run from -1 to 1, the last axis first; with `align_corners`
    from the middle of the first element to that of the last, else from outer end to outer end. The result is
    `[N, spatial…, n]`. Jaderberg et al., 2015.

    Raises:
        ShapeError: theta has another shape.
    """
    maps = promote.floating("affine_grid", theta)
    n = len(size) - 2
    if n < 1 or not facts.same_shape(core.shape_of(maps), (size[0], n, n + 1)):
        promote.bad_shape(f"affine_grid: theta is [N, n, n + 1] for a size (N, C, spatial…) of {tuple(size)}", maps)
    dtype, spatial = core.dtype_of(maps), tuple(size[2:])
    lines = [creation.iota(dtype, spatial, axis) for axis in reversed(range(n))]
    axes = [
        line * (2 / (m - 1) if m > 1 else 0) - (1 if m > 1 else 0) if align_corners else line * (2 / m) + (1 / m - 1)
        for line, m in zip(lines, reversed(spatial), strict=True)
    ]
    ones = creation.ones(spatial, dtype=dtype)
    base = manipulation.reshape(manipulation.stack([*axes, ones], axis=-1), (1, -1, n + 1))
    return manipulation.reshape(matmul(base, manipulation.matrix_transpose(maps)), (size[0], *spatial, n))


def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    /,
    *,
    mode: str = "linear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Array:
    """`x[N, C, spatial…]` at the places `grid[N, out…, n]`, n being the number of its spatial axes: `[N, C, out…]`.

    Coordinates are as in `affine_grid`. Modes: "nearest", "linear", and "cubic" (a = -0.75) for two spatial axes. What
    is outside is 0 with "zeros", the nearest element with "border", and mirrored at the ends with "reflection".

    Raises:
        ShapeError: the shapes do not go together.
        AttributeValueError: there is no such mode.
    """
    image, places = promote.alike_floats("grid_sample", x, grid)
    shape, own = core.shape_of(image), core.shape_of(places)
    n = len(shape) - 2
    if n < 1 or len(own) != n + 2 or not facts.same(own[-1], n) or not facts.same(own[0], shape[0]):
        promote.bad_shape("grid_sample: takes x[N, C, spatial…] and grid[N, out…, n] for n spatial axes", image, places)
    if mode not in ("nearest", "linear", "cubic") or (mode == "cubic" and n != 2):
        promote.bad_value(f'grid_sample: mode is "nearest", "linear" or for 2 axes "cubic", not {mode!r}', image)
    if padding_mode not in ("zeros", "border", "reflection"):
        promote.bad_value(
            f'grid_sample: padding_mode is "zeros", "border" or "reflection", not {padding_mode!r}', image
        )
    sizes = [promote.static_size("grid_sample", image, axis) for axis in range(2, n + 2)]
    if 0 in sizes:
        promote.bad_shape("grid_sample: the image has no elements", image)
    # The last coordinate belongs to the first axis.
    lines = [places[..., n - 1 - i] for i in range(n)]
    where = [_unnormalized(line, size, align_corners) for line, size in zip(lines, sizes, strict=True)]
    if mode != "cubic":
        where = [_kept(w, size, padding_mode, align_corners) for w, size in zip(where, sizes, strict=True)]
    flat = manipulation.reshape(image, (shape[0], shape[1], math.prod(sizes)))
    total: Array | None = None
    for corner in itertools.product(*(_taps(mode, w) for w in where)):
        term = _read(flat, sizes, [place for place, _ in corner], padding_mode, align_corners, mode)
        for _, weight in corner:
            term = term if weight is None else term * manipulation.expand_dims(weight, 1)
        total = term if total is None else total + term
    assert total is not None
    return total


def _unnormalized(place: Array, size: int, corners: bool) -> Array:
    """From -1 … 1 to elements."""
    return (place + 1) * ((size - 1) / 2) if corners else ((place + 1) * size - 1) * 0.5


def _kept(place: Array, size: int, padding: str, corners: bool) -> Array:
    """The place moved to the image, if that is what the padding does."""
    if padding == "zeros":
        return place
    if padding == "reflection":
        place = _mirrored(place, size, corners)
    last = size - 1
    return logic.where(logic.less_equal(place, 0), 0, logic.where(logic.greater_equal(place, last), last, place))


def _mirrored(place: Array, size: int, corners: bool) -> Array:
    """The place after as many reflections at the ends as it takes."""
    low, span = (0.0, size - 1.0) if corners else (-0.5, float(size))
    if span == 0:
        return place * 0
    away = elementwise.abs(place - low)
    turns = elementwise.floor(away / span)
    rest = away - promote.stopped(turns) * span
    odd = logic.equal(elementwise.remainder(turns, 2), 1)
    return logic.where(odd, span - rest, rest) + low


def _taps(mode: str, place: Array) -> list[tuple[Array, Array | None]]:
    """The elements along one axis that count for a place, and their weights."""
    if mode == "nearest":
        return [(elementwise.round(place), None)]
    first = promote.stopped(elementwise.floor(place))
    part = place - first
    if mode == "linear":
        return [(first, 1 - part), (first + 1, part)]
    weights = [_cubic(part + 1, far=True), _cubic(part, far=False), _cubic(1 - part, far=False)]
    weights.append(_cubic(2 - part, far=True))
    return [(first + offset, weight) for offset, weight in zip((-1, 0, 1, 2), weights, strict=True)]


def _cubic(distance: Array, far: bool, a: float = -0.75) -> Array:
    """The weight of an element at a distance, of cubic convolution. Keys, 1981."""
    if far:
        return ((distance * a - 5 * a) * distance + 8 * a) * distance - 4 * a
    return (distance * (a + 2) - (a + 3)) * distance * distance + 1


def _read(flat: Array, sizes: list[int], places: list[Array], padding: str, corners: bool, mode: str) -> Array:
    """The elements of `flat[N, C, places]` at whole places for each axis: `[N, C, out…]`."""
    if mode == "cubic" and padding != "zeros":
        places = [_kept(p, size, padding, corners) for p, size in zip(places, sizes, strict=True)]
    index: Array | None = None
    inside: Array | None = None
    for place, size in zip(places, sizes, strict=True):
        there = logic.logical_and(logic.greater_equal(place, 0), logic.less_equal(place, size - 1))
        inside = there if inside is None else logic.logical_and(inside, there)
        # NaN becomes 0 in a cast, and what is far out its last place.
        whole = promote.cast(elementwise.clip(place, 0, size - 1), core.DEFAULT_INT)
        index = whole if index is None else index * size + whole
    assert index is not None
    assert inside is not None
    shape = core.shape_of(index)
    rows = manipulation.reshape(index, (shape[0], 1, dims.product(shape[1:])))
    found = indexing.take_along_axis(flat, rows, axis=2)
    found = manipulation.reshape(found, (*core.shape_of(flat)[:2], *shape[1:]))
    return logic.where(manipulation.expand_dims(inside, 1), found, 0) if padding == "zeros" else found
