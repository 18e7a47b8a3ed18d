"""Pooling to a size, windows as columns, other sizes of images, and images read at places, against loops and SciPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import rosin
from rosin import nn
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, ShapeError
from tests.frontend.agree import check, near
from tests.frontend.nn.slopes import check_batch, check_slopes

RANDOM = np.random.default_rng(11)


# -- pooling -----------------------------------------------------------------------------------------------------------


def _windows(n: int, window: int, stride: int, pad: int, ceil: bool) -> list[tuple[int, int]]:
    """Where windows start and stop in an axis padded at both ends, as PyTorch counts them."""
    rounded = math.ceil if ceil else math.floor
    count = rounded((n + 2 * pad - window) / stride) + 1
    if ceil and (count - 1) * stride >= n + pad:
        count -= 1
    return [(i * stride, i * stride + window) for i in range(count)]


@pytest.mark.parametrize(("n", "window", "stride", "pad"), [(7, 2, 2, 0), (9, 6, 3, 2), (9, 3, 3, 1), (3, 2, 3, 0)])
@pytest.mark.parametrize("counted", [False, True])
def test_a_last_window_beyond_the_end(n: int, window: int, stride: int, pad: int, counted: bool) -> None:
    x = RANDOM.normal(size=(2, 3, n))
    spans = _windows(n, window, stride, pad, ceil=True)
    low = np.pad(x, ((0, 0), (0, 0), (pad, pad + stride)), constant_values=-np.inf)
    greatest = np.stack([low[..., a:b].max(-1) for a, b in spans], -1)
    arguments: dict[str, Any] = {"strides": stride, "padding": pad, "ceil_mode": True}
    check(lambda x: nn.max_pool(x, window, **arguments), x, expected=greatest)
    sums, ones = (np.pad(y, ((0, 0), (0, 0), (pad, pad + stride))) for y in (x, np.ones_like(x)))
    if counted:
        ones = np.pad(np.ones((2, 3, n + 2 * pad)), ((0, 0), (0, 0), (0, stride)))
    mean = np.stack([sums[..., a:b].sum(-1) / ones[..., a:b].sum(-1) for a, b in spans], -1)
    check(lambda x: nn.avg_pool(x, window, count_padding=counted, **arguments), x, expected=mean, tolerance=1e-12)
    check_slopes(lambda x: nn.avg_pool(x, window, count_padding=counted, **arguments), x)


def test_a_divisor() -> None:
    x = RANDOM.normal(size=(1, 1, 4, 4))
    expected = x.reshape(1, 1, 2, 2, 2, 2).sum((3, 5)) / 3
    check(lambda x: nn.avg_pool(x, 2, divisor=3), x, expected=expected, tolerance=1e-12)
    with pytest.raises(AttributeValueError, match="avg_pool: the divisor is 0"):
        nn.avg_pool(x, 2, divisor=0)


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 3, 8), (5,)), ((1, 2, 7, 6), (3, 4)), ((1, 2, 4, 5, 3), (2, None, 1))]
)
def test_pooling_to_a_size(shape: Any, size: Any) -> None:
    x = RANDOM.normal(size=shape)
    sizes = [n if m is None else m for n, m in zip(shape[2:], size, strict=True)]
    mean, greatest = (np.zeros((*shape[:2], *sizes)) for _ in range(2))
    for place in itertools.product(*map(range, sizes)):
        spans = [slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, shape[2:], sizes, strict=True)]
        part = x[(slice(None), slice(None), *spans)]
        axes = tuple(range(2, x.ndim))
        mean[(..., *place)], greatest[(..., *place)] = part.mean(axes), part.max(axes)
    check(lambda x: nn.adaptive_avg_pool(x, size), x, expected=mean, tolerance=1e-12)
    check(lambda x: nn.adaptive_max_pool(x, size), x, expected=greatest)
    check_slopes(lambda x: nn.adaptive_avg_pool(x, size), x)
    check_slopes(lambda x: nn.adaptive_max_pool(x, size), x)
    check_batch(lambda x: nn.adaptive_max_pool(x, size), x)


def test_pooling_to_a_size_refuses() -> None:
    with pytest.raises(AttributeValueError, match="output_size has 1 entries for 2 spatial axes"):
        nn.adaptive_avg_pool(np.ones((1, 1, 4, 4)), (2,))
    with pytest.raises(AttributeValueError, match="the output size -1 is negative"):
        nn.adaptive_max_pool(np.ones((1, 1, 4)), -1)
    with pytest.raises(ShapeError, match="with elements along spatial axes"):
        nn.adaptive_max_pool(np.ones((1, 1, 0)), 1)


# -- windows as columns ------------------------------------------------------------------------------------------------

COLUMNS: list[Any] = [
    ((2, 3, 6, 5), (2, 3), 1, 0, 1),
    ((1, 2, 6, 7), (3, 2), (2, 1), (1, 2), (1, 2)),
    ((2, 2, 7), (3,), 2, 1, 1),
]


@pytest.mark.parametrize("case", COLUMNS, ids=str)
def test_unfold_and_fold(case: Any) -> None:
    shape, window, stride, pad, apart = case
    x = RANDOM.normal(size=shape)
    n = len(window)
    steps, pads, gaps = (v if isinstance(v, tuple) else (v,) * n for v in (stride, pad, apart))
    arguments = {"strides": stride, "padding": pad, "dilation": apart}
    wide = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in pads)))
    counts = [(m - (w - 1) * g - 1) // s + 1 for m, w, g, s in zip(wide.shape[2:], window, gaps, steps, strict=True)]
    columns: list[np.ndarray] = []
    for place in itertools.product(*map(range, counts)):
        starts = [p * s for p, s in zip(place, steps, strict=True)]
        spans = [slice(a, a + (w - 1) * g + 1, g) for a, w, g in zip(starts, window, gaps, strict=True)]
        columns.append(wide[(..., *spans)].reshape(shape[0], -1))
    expected = np.stack(columns, -1)
    check(lambda x: nn.unfold(x, window, **arguments), x, expected=expected)
    # fold is the transpose: <unfold(x), c> = <x, fold(c)>.
    c = RANDOM.normal(size=expected.shape)
    back = nn.fold(c, shape[2:], window, **arguments)
    assert back.shape == shape
    assert float(np.sum(expected * c)) == pytest.approx(float(np.sum(x * np.asarray(back))), rel=1e-11)
    near(rosin.compile(lambda c: nn.fold(c, shape[2:], window, **arguments))(rnp.asarray(c)), np.asarray(back), 1e-12)
    check_slopes(lambda x: nn.unfold(x, window, **arguments), x)


def test_unfold_refuses() -> None:
    with pytest.raises(ShapeError, match="no window of extent 3 fits spatial axis 0 of size 2"):
        nn.unfold(np.ones((1, 1, 2, 4)), 3)
    with pytest.raises(ShapeError, match="there are 4 windows over"):
        nn.fold(np.ones((1, 4, 5)), (3, 3), 2)


# -- transposed convolutions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_transposed_convolution_in_groups(groups: int) -> None:
    large = RANDOM.normal(size=(2, 6 if groups == 2 else 4, 7, 8))
    channels = large.shape[1]
    kernel = RANDOM.normal(size=(4, channels // groups, 3, 2))
    arguments: dict[str, Any] = {"strides": (2, 3), "padding": (1, 0), "groups": groups}
    small = nn.conv(large, kernel, **arguments)
    probe = RANDOM.normal(size=small.shape)
    over = [(7 + 2 - 3) % 2, (8 - 2) % 3]
    back = nn.conv_transpose(probe, kernel, output_padding=over, **arguments)
    assert back.shape == large.shape
    assert float(np.sum(np.asarray(small) * probe)) == pytest.approx(float(np.sum(large * np.asarray(back))), rel=1e-11)


def test_transposed_convolution_refuses() -> None:
    x, w = np.ones((1, 4, 5)), np.ones((4, 1, 2))
    with pytest.raises(ShapeError, match="3 groups do not divide 4 input channels"):
        nn.conv_transpose(x, w, groups=3)
    with pytest.raises(AttributeValueError, match="output_padding is -1"):
        nn.conv_transpose(x, w, output_padding=-1)


# -- other sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(4, 9), (7, 3), (5, 1)])
@pytest.mark.parametrize("corners", [False, True])
def test_linear_interpolation(size: Any, corners: bool) -> None:
    x = RANDOM.normal(size=(1, 2, 5, 6))
    lines = []
    for n, m in zip(x.shape[2:], size, strict=True):
        place = np.arange(m)
        at = place * ((n - 1) / (m - 1) if m > 1 else 0) if corners else np.maximum((place + 0.5) * n / m - 0.5, 0)
        lines.append(at)
    grid = np.meshgrid(*lines, indexing="ij")
    expected = np.stack([ndimage.map_coordinates(c, grid, order=1, mode="nearest") for c in x[0]])[None]

    def resize(x: Any) -> Any:
        return nn.interpolate(x, size, mode="linear", align_corners=corners)

    check(resize, x, expected=expected, tolerance=1e-12)
    check_slopes(resize, x)


def test_nearest_and_area_and_factors() -> None:
    x = np.arange(24.0).reshape(1, 1, 4, 6)
    near(nn.interpolate(x, (2, 3)), x[:, :, ::2, ::2])
    near(nn.interpolate(x, (2, 3), mode="nearest-exact"), x[:, :, 1::2, 1::2])
    near(nn.interpolate(x, scale_factor=2), x.repeat(2, 2).repeat(2, 3))
    near(nn.interpolate(x, (2, 3), mode="area"), x.reshape(1, 1, 2, 2, 3, 2).mean((3, 5)))
    near(nn.interpolate(x.astype(np.uint8), 2), x[:, :, ::2, ::3].astype(np.uint8))
    assert nn.interpolate(x, scale_factor=(0.5, 1.5)).shape == (1, 1, 2, 9)


def test_cubic_interpolation_is_exact_for_straight_lines_inside() -> None:
    x = np.arange(12.0).reshape(1, 1, 1, 12) * 2 + 1
    found = np.asarray(nn.interpolate(x, (1, 23), mode="cubic", align_corners=True))[0, 0, 0]
    np.testing.assert_allclose(found[3:-3], np.linspace(1, 23, 23)[3:-3], rtol=1e-12)
    check_slopes(lambda x: nn.interpolate(x, (3, 5), mode="cubic"), RANDOM.normal(size=(1, 1, 4, 4)))


def test_interpolation_refuses() -> None:
    x = np.ones((1, 1, 4, 4))
    with pytest.raises(AttributeValueError, match=r"mode is one of nearest, .*, area, not 'best'"):
        nn.interpolate(x, 2, mode="best")
    with pytest.raises(AttributeValueError, match="either size or scale_factor is given"):
        nn.interpolate(x)
    with pytest.raises(ShapeError, match="sizes are positive, not 4 to 0"):
        nn.interpolate(x, 0)


def test_channels_and_space() -> None:
    x = RANDOM.normal(size=(2, 12, 3, 4))
    expected = x.reshape(2, 3, 2, 2, 3, 4).transpose(0, 1, 4, 2, 5, 3).reshape(2, 3, 6, 8)
    check(lambda x: nn.pixel_shuffle(x, 2), x, expected=expected)
    check(lambda x: nn.pixel_unshuffle(x, 2), expected, expected=x)
    mixed = x.reshape(2, 4, 3, 3, 4).swapaxes(1, 2).reshape(x.shape)
    check(lambda x: nn.channel_shuffle(x, 4), x, expected=mixed)
    with pytest.raises(ShapeError, match="5² does not divide 12 channels"):
        nn.pixel_shuffle(x, 5)


# -- images read at places ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(("padding", "mode"), [("border", "nearest"), ("zeros", "grid-constant")])
def test_grid_sample(padding: str, mode: str, corners: bool) -> None:
    x, grid = RANDOM.normal(size=(2, 3, 5, 4)), RANDOM.uniform(-1.4, 1.4, size=(2, 6, 7, 2))
    height, width = 5, 4
    expected = np.zeros((2, 3, 6, 7))
    for i in range(2):
        column, row = grid[i, ..., 0], grid[i, ..., 1]
        at = [(row + 1) / 2 * (height - 1), (column + 1) / 2 * (width - 1)]
        if not corners:
            at = [((row + 1) * height - 1) / 2, ((column + 1) * width - 1) / 2]
        expected[i] = [ndimage.map_coordinates(c, at, order=1, mode=mode) for c in x[i]]

    def read(x: Any, grid: Any) -> Any:
        return nn.grid_sample(x, grid, padding_mode=padding, align_corners=corners)

    check(read, x, grid, expected=expected, tolerance=1e-11)
    check_slopes(read, x, grid, tolerance=1e-5)
    check_batch(read, x, grid)


def test_the_identity_map_reads_the_image() -> None:
    x = RANDOM.normal(size=(2, 3, 4, 5))
    theta = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (2, 1, 1))
    for corners in (False, True):
        grid = nn.affine_grid(theta, x.shape, align_corners=corners)
        assert grid.shape == (2, 4, 5, 2)
        for mode in ("linear", "nearest", "cubic"):
            near(nn.grid_sample(x, grid, mode=mode, align_corners=corners), x, 1e-11)
    volume = RANDOM.normal(size=(1, 2, 3, 4, 5))
    theta = np.eye(4)[None, :3]
    near(nn.grid_sample(volume, nn.affine_grid(theta, volume.shape)), volume, 1e-11)
    check_slopes(lambda t: nn.affine_grid(t, (1, 1, 3, 4, 5)), theta)


def test_reflection_reads_a_mirrored_image() -> None:
    x = RANDOM.normal(size=(1, 1, 1, 4))
    # Without corners the mirror is half an element beyond the last one.
    far = np.concatenate([x, x[..., ::-1], x], -1)[0, 0, 0]
    places = np.arange(12)
    grid = np.stack([(2 * places + 1) / 4 - 1, np.zeros(12)], -1)[None, None]
    near(nn.grid_sample(x, grid, padding_mode="reflection")[0, 0, 0], far, 1e-11)


def test_grid_sample_refuses() -> None:
    x, grid = np.ones((1, 1, 3, 3)), np.zeros((1, 2, 2, 2))
    with pytest.raises(ShapeError, match=r"takes x\[N, C, spatial…\] and grid\[N, out…, n\]"):
        nn.grid_sample(x, grid[..., :1])
    with pytest.raises(AttributeValueError, match="padding_mode is"):
        nn.grid_sample(x, grid, padding_mode="wrap")
    with pytest.raises(ShapeError, match="theta is"):
        nn.affine_grid(np.ones((1, 3, 3)), (1, 1, 2, 2))
