"""Images resized, recoloured, warped: against SciPy and Python's own colours, and beside PyTorch and Pillow."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data
from rosin.stdlib.data import images

KEY = rosin.random.key(0)
RNG = np.random.default_rng(0)
PICTURES = RNG.random((4, 3, 12, 9)).astype(np.float32)
X = rnp.asarray(PICTURES)


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_sizes_by_hand() -> None:
    line = rnp.asarray(np.arange(8.0)[None])
    # At half the size a triangle reaches over four pixels.
    half = np.asarray(images.resize(line, (1, 4)))[0]
    np.testing.assert_allclose(half[1:3], [2.5, 4.5])
    np.testing.assert_allclose(half[0], (3 * 0 + 3 * 1 + 2) / 7)
    np.testing.assert_allclose(images.resize(line, (1, 4), antialias=False)[0], [0.5, 2.5, 4.5, 6.5])
    np.testing.assert_allclose(images.resize(line, (1, 16))[0, 1:-1], np.arange(0.25, 7, 0.5), atol=1e-6)
    for method in ("bilinear", "bicubic"):
        np.testing.assert_allclose(images.resize(X, (12, 9), method=method), PICTURES, atol=1e-6)
        np.testing.assert_allclose(images.resize(rnp.ones((7, 5)), (3, 11), method=method), np.ones((3, 11)), atol=1e-6)
    bytes_ = images.resize(rnp.asarray([[0, 255], [255, 255]], dtype="u1"), (1, 1))
    assert bytes_.dtype == rosin.uint8
    assert bytes_.tolist() == [[191]]
    assert images.resize_shorter(X, 18).shape == (4, 3, 24, 18)
    with pytest.raises(data.DataError, match=r"resize: to \(0, 3\) by bilinear"):
        images.resize(X, (0, 3))


def test_crops_pads_and_axes() -> None:
    np.testing.assert_array_equal(images.center_crop(X, (4, 3)), PICTURES[:, :, 4:8, 3:6])
    padded = np.asarray(images.pad(X, (1, 2, 3, 4), 7.0))
    assert padded.shape == (4, 3, 15, 16)
    np.testing.assert_array_equal(padded[:, :, 1:13, 3:12], PICTURES)
    assert padded[0, 0, 0, 0] == 7
    last = images.channels_last(X)
    assert last.shape == (4, 12, 9, 3)
    np.testing.assert_array_equal(images.channels_first(last), PICTURES)
    with pytest.raises(data.DataError, match=r"images of \(12, 9\) have no part of \(13, 3\)"):
        images.center_crop(X, (13, 3))


@pytest.mark.peers
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 4), (30, 7), (12, 21), (1, 1)])
def test_sizes_are_those_of_torch_and_pillow(method: Any, size: tuple[int, int]) -> None:
    import torch
    from PIL import Image

    theirs = torch.tensor(PICTURES)
    for antialias in (True, False):
        wanted = torch.nn.functional.interpolate(
            theirs, size, mode=method, antialias=antialias, align_corners=False
        ).numpy()
        found = images.resize(X, size, method=method, antialias=antialias)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    one = Image.fromarray(PICTURES[0, 0])
    kind = Image.Resampling.BILINEAR if method == "bilinear" else Image.Resampling.BICUBIC
    wanted = np.asarray(one.resize(size[::-1], kind))
    np.testing.assert_allclose(images.resize(X[0, 0], size, method=method), wanted, atol=1e-5)


# -- colours -----------------------------------------------------------------------------------------------------------


def test_hues_are_turned_as_by_python() -> None:
    turns = np.asarray([0.1, -0.3, 0.5, 0.0], dtype=np.float32)
    found = np.asarray(images.adjust_hue(X, rnp.asarray(turns)))
    for i, turn in enumerate(turns):
        for row, column in ((0, 0), (5, 3), (11, 8)):
            h, s, v = colorsys.rgb_to_hsv(*map(float, PICTURES[i, :, row, column]))
            wanted = colorsys.hsv_to_rgb((h + float(turn)) % 1, s, v)
            np.testing.assert_allclose(found[i, :, row, column], wanted, atol=1e-5)
    grey = rnp.full((1, 3, 2, 2), 0.4)
    np.testing.assert_allclose(images.adjust_hue(grey, 0.2), grey, atol=1e-6)


def test_brightness_contrast_saturation() -> None:
    grey = np.einsum("c,bchw->bhw", [0.299, 0.587, 0.114], PICTURES)[:, None]
    np.testing.assert_allclose(images.grayscale(X), grey, atol=1e-6)
    assert images.grayscale(X, 3).shape == PICTURES.shape
    np.testing.assert_allclose(images.adjust_brightness(X, 1.5), np.minimum(1.5 * PICTURES, 1), atol=1e-6)
    mean = grey.mean(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(images.adjust_contrast(X, 0.5), 0.5 * PICTURES + 0.5 * mean, atol=1e-6)
    wanted = np.clip(2 * PICTURES - grey, 0, 1)
    np.testing.assert_allclose(images.adjust_saturation(X, 2.0), wanted, atol=1e-6)
    np.testing.assert_allclose(images.to_float(rnp.asarray([0, 51], dtype="u1")), [0, 0.2], atol=1e-7)
    change = rosin.compile(lambda key, x: images.random_colors(key, x, brightness=0.5))
    factors = (np.asarray(change(KEY, 0.5 * X)) / (0.5 * PICTURES)).reshape(4, -1)
    np.testing.assert_allclose(factors, factors[:, :1].repeat(factors.shape[1], axis=1), rtol=1e-4)
    assert len(set(factors[:, 0].round(4).tolist())) == 4
    assert ((factors >= 0.499) & (factors <= 1.501)).all()
    every = images.random_colors(KEY, X, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    assert every.shape == X.shape
    with pytest.raises(data.DataError, match=r"hue at most 0\.5, not .*hue 0\.7"):
        images.random_colors(KEY, X, hue=0.7)
    with pytest.raises(data.DataError, match=r"\[\.\.\., 3, height, width\], not \(4, 1, 12, 9\)"):
        images.grayscale(X[:, :1])


def test_blurred_as_by_scipy() -> None:
    wanted = scipy.ndimage.gaussian_filter(PICTURES, (0, 0, 0.9, 0.9), mode="mirror", radius=3)
    np.testing.assert_allclose(images.blur(X, 0.9), wanted, atol=1e-5)
    with pytest.raises(data.DataError, match=r"a deviation of 1\.0 over 4 pixels"):
        images.blur(X, 1.0, 4)


# -- places ------------------------------------------------------------------------------------------------------------


def test_warps_are_those_of_scipy() -> None:
    matrices = np.tile(np.eye(3, dtype=np.float32), (4, 1, 1)) + 0.1 * RNG.standard_normal((4, 3, 3)).astype(np.float32)
    matrices[:, 2] = [0.01, -0.02, 1]
    found = np.asarray(rosin.compile(images.warp)(X, rnp.asarray(matrices)))
    rows, columns = np.mgrid[:12, :9]
    for picture, matrix, ours in zip(PICTURES, matrices.astype(float), found, strict=True):
        u, v, w = matrix @ np.stack([columns.ravel() - 4, rows.ravel() - 5.5, np.ones(108)])
        places = np.stack([v / w + 5.5, u / w + 4])
        wanted = [
            scipy.ndimage.map_coordinates(c.astype(float), places, order=1, mode="grid-constant") for c in picture
        ]
        np.testing.assert_allclose(ours.reshape(3, -1), wanted, atol=1e-4)


def test_affine_by_hand() -> None:
    square = rnp.asarray(RNG.random((1, 2, 5, 5)).astype(np.float32))
    zero, one, still = rnp.zeros(1), rnp.ones(1), rnp.zeros((1, 2))
    turned = images.warp(square, images.affine_matrices(rnp.asarray([90.0]), one, zero, still))
    np.testing.assert_allclose(turned, np.rot90(np.asarray(square), axes=(2, 3)), atol=1e-5)
    moved = images.warp(square, images.affine_matrices(zero, one, zero, rnp.asarray([[1.0, 2.0]])), fill=9.0)
    np.testing.assert_allclose(moved[:, :, 2:, 1:], square[:, :, :-2, :-1], atol=1e-6)
    assert float(moved[0, 0, 0, 0]) == 9
    large = images.warp(square, images.affine_matrices(zero, rnp.asarray([2.0]), zero, still))
    np.testing.assert_allclose(large[0, :, ::2, ::2], square[0, :, 1:4, 1:4], atol=1e-5)
    sheared = images.warp(square, images.affine_matrices(zero, one, rnp.asarray([45.0]), still))
    np.testing.assert_allclose(sheared[0, :, 3, 1:], square[0, :, 3, :-1], atol=1e-5)
    with pytest.raises(data.DataError, match=r"matrices \[batch, 3, 3\], not \(1, 2, 5, 5\) and \(3, 3\)"):
        images.warp(square, rnp.eye(3))


# -- parts of a size ---------------------------------------------------------------------------------------------------


def test_parts_of_a_size_by_hand() -> None:
    boxes = rnp.asarray([[0.0, 0, 12, 9], [2, 3, 4, 5], [4, 1, 8, 8], [0, 0, 12, 8]])
    same = np.asarray(images.resized_crop(X[:1], boxes[:1], (12, 9)))
    np.testing.assert_allclose(same, PICTURES[:1], atol=1e-6)
    part = np.asarray(images.resized_crop(X, boxes, (4, 5)))[1]
    np.testing.assert_allclose(part, PICTURES[1, :, 2:6, 3:8], atol=1e-6)
    flat = rnp.full((2, 1, 7, 5), 0.3)
    change = rosin.compile(lambda key, x: images.random_resized_crop(key, x, (6, 8)))
    np.testing.assert_allclose(change(KEY, flat), np.full((2, 1, 6, 8), 0.3), atol=1e-6)
    with pytest.raises(data.DataError, match=r"boxes \[batch, 4\], not \(4, 3, 12, 9\) and \(3, 4\)"):
        images.resized_crop(X, boxes[:3], (4, 5))
    with pytest.raises(data.DataError, match="images are floats, not u8"):
        images.resized_crop(rnp.ones((4, 3, 12, 9), dtype="u1"), boxes, (4, 5))
    with pytest.raises(data.DataError, match=r"areas are from 0 to 1 and ratios positive, not \(0\.0, 1\.0\)"):
        images.random_resized_crop(KEY, X, (4, 5), area=(0.0, 1.0))


def test_drawn_parts_have_the_areas_and_ratios_asked_for() -> None:
    """Of ramps the ends tell where a part was."""
    rows, columns = np.mgrid[:40, :60].astype(np.float32)
    ramps = rnp.asarray(np.broadcast_to(np.stack([rows, columns]), (500, 2, 40, 60)))
    area, ratio = (0.1, 0.2), (0.8, 1.5)
    found = np.asarray(images.random_resized_crop(KEY, ramps, (80, 90), area=area, ratio=ratio))
    height = (found[:, 0, 60, 0] - found[:, 0, 20, 0]) * 2
    width = (found[:, 1, 0, 60] - found[:, 1, 0, 30]) * 3
    shares, ratios = height * width / 2400, width / height
    for numbers, (low, high) in ((shares, area), (np.log(ratios), np.log(ratio))):
        assert low - 1e-3 < numbers.min() < numbers.max() < high + 1e-3
        assert np.abs(
            np.quantile(numbers, [0.25, 0.5, 0.75]) - low - (high - low) * np.asarray([0.25, 0.5, 0.75])
        ).max() < (0.1 * (high - low))
    top = found[:, 0].min(axis=(1, 2))
    assert top.min() < 2
    assert top.max() > 10


@pytest.mark.peers
@pytest.mark.parametrize("size", [(5, 4), (30, 7), (1, 1)])
def test_parts_of_a_size_are_those_of_pillow(size: tuple[int, int]) -> None:
    from PIL import Image

    boxes = np.asarray([[0, 0, 12, 9], [2, 3, 4, 5], [4.25, 1.5, 7.75, 6], [0, 8, 12, 0.75]])
    found = np.asarray(images.resized_crop(X, rnp.asarray(boxes), size))
    for ours, picture, (top, left, height, width) in zip(found, PICTURES, boxes, strict=True):
        for channel, wanted in zip(ours, picture, strict=True):
            box = (left, top, left + width, top + height)
            theirs = Image.fromarray(wanted).resize(size[::-1], Image.Resampling.BILINEAR, box=box)
            np.testing.assert_allclose(channel, np.asarray(theirs), atol=1e-5)


# -- levels ------------------------------------------------------------------------------------------------------------


def _bytes(*shape: int) -> np.ndarray[Any, Any]:
    """Pictures of few and of many levels, dark and bright, and of one level alone."""
    rng = np.random.default_rng(1)
    made = [rng.integers(low, high, shape) for low, high in ((0, 256), (30, 60), (250, 256), (7, 8), (0, 2))]
    made.append(np.clip(rng.normal(90, 20, shape), 0, 255))
    return np.stack(made).astype(np.uint8)


def test_levels_by_hand() -> None:
    x = rnp.asarray(np.asarray([[[0, 127, 128, 255]]], np.uint8))
    assert images.invert(x).tolist() == [[[255, 128, 127, 0]]]
    assert images.solarize(x).tolist() == [[[0, 127, 127, 0]]]
    assert images.solarize(x, 255).tolist() == [[[0, 127, 128, 0]]]
    assert images.posterize(x, 1).tolist() == [[[0, 0, 128, 128]]]
    assert images.posterize(x, 8).tolist() == x.tolist()
    two = rnp.stack([x, x])
    assert images.posterize(two, rnp.asarray([1, 2]))[:, 0, 0].tolist() == [[0, 0, 128, 128], [0, 64, 128, 192]]
    assert images.autocontrast(rnp.asarray(np.asarray([[[10, 20, 30]]], np.uint8))).tolist() == [[[0, 127, 255]]]
    # 510 pixels below the brightest: two for each level of the result.
    line = rnp.asarray(np.repeat(np.arange(100, 103), (200, 310, 5)).astype(np.uint8)[None, None])
    assert sorted(set(images.equalize(line).ravel().tolist())) == [0, 100, 255]
    small = rnp.asarray(_bytes(3, 4, 5))
    np.testing.assert_array_equal(images.equalize(small), small)


def test_levels_of_floats_are_those_of_bytes() -> None:
    x = rnp.asarray(_bytes(3, 20, 31))
    floats = images.to_float(x)
    for change in (
        images.invert,
        images.solarize,
        images.equalize,
        lambda x: images.posterize(x, 3),
    ):
        found = rosin.compile(change)(floats)
        assert found.dtype == rosin.float32
        np.testing.assert_array_equal(np.rint(np.asarray(found) * 255), np.asarray(change(x)))
    # Not rounded down, as bytes are.
    apart = np.asarray(images.autocontrast(floats)) * 255 - np.asarray(images.autocontrast(x))
    assert -1e-4 < apart.min() <= apart.max() < 1 + 1e-4
    for change in (images.invert, images.solarize, images.autocontrast, images.equalize):
        with pytest.raises(
            data.DataError, match=f"{change.__name__}: images are uint8, or floats from 0 to 1, not i32"
        ):
            change(rnp.asarray(np.ones((1, 2, 2), np.int32)))
    with pytest.raises(data.DataError, match="bits are 1 to 8, not 9"):
        images.posterize(x, 9)


@pytest.mark.peers
@pytest.mark.parametrize("compiled", [False, True])
def test_levels_are_those_of_pillow(compiled: bool) -> None:
    from PIL import Image, ImageOps

    pictures = _bytes(3, 40, 37)
    changes: dict[Any, Any] = {
        images.invert: ImageOps.invert,
        images.solarize: ImageOps.solarize,
        images.autocontrast: ImageOps.autocontrast,
        images.equalize: ImageOps.equalize,
    }
    for bits in (1, 2, 5, 8):
        changes[lambda x, bits=bits: images.posterize(x, bits)] = lambda x, bits=bits: ImageOps.posterize(x, bits)
    for threshold in (1, 100, 255):
        changes[lambda x, t=threshold: images.solarize(x, t)] = lambda x, t=threshold: ImageOps.solarize(x, t)
    for change, theirs in changes.items():
        found = np.asarray((rosin.compile(change) if compiled else change)(rnp.asarray(pictures)))
        for ours, picture in zip(found, pictures, strict=True):
            wanted = np.asarray(theirs(Image.fromarray(np.moveaxis(picture, 0, -1))))
            np.testing.assert_array_equal(np.moveaxis(ours, 0, -1), wanted)


@pytest.mark.peers
def test_the_contrast_of_every_range_is_that_of_pillow() -> None:
    from PIL import Image, ImageOps

    ends = [(low, high) for low in range(0, 256, 5) for high in range(low, 256, 7)]
    pictures = np.stack([np.clip(np.arange(256), low, high) for low, high in ends]).astype(np.uint8)[:, None, None]
    found = np.asarray(rosin.compile(images.autocontrast)(rnp.asarray(pictures)))
    for ours, picture in zip(found[:, 0], pictures[:, 0], strict=True):
        np.testing.assert_array_equal(ours, np.asarray(ImageOps.autocontrast(Image.fromarray(picture))))


def test_drawn_warps() -> None:
    change = rosin.compile(
        lambda key, x: images.random_affine(key, x, degrees=20, scale=(0.8, 1.2), shear=5, shift=0.1, fill=0.5)
    )
    once, again, other = (np.asarray(change(key, X)) for key in (KEY, KEY, rosin.random.key(1)))
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, other)
    flat = rnp.full((1, 1, 6, 6), 0.3)
    np.testing.assert_allclose(images.random_affine(KEY, flat, degrees=90, fill=0.3), flat, atol=1e-6)
    # The corners come nearer, so that what lies around the picture is seen in its corners.
    seen = np.asarray(rosin.compile(lambda key, x: images.random_perspective(key, x, 0.5, 7.0))(KEY, X))
    assert (seen[:, :, 0, 0] == 7).any()
    np.testing.assert_allclose(images.random_perspective(KEY, X, 0.0), PICTURES, atol=1e-4)


def test_parts_of_others_are_pasted_in() -> None:
    pictures = rnp.broadcast_to(rnp.arange(40, dtype="f4")[:, None, None, None], (40, 1, 10, 10))
    mixed, targets = rosin.compile(images.cutmix)(KEY, pictures, rnp.eye(40))
    for number, (picture, target) in enumerate(zip(np.asarray(mixed), np.asarray(targets), strict=True)):
        own = (picture == number).mean()
        others = set(picture.ravel().tolist()) - {float(number)}
        assert len(others) <= 1
        assert target[number] == pytest.approx(own, abs=1e-6)
        assert target.sum() == pytest.approx(1)
    parts = np.asarray(targets).max(axis=1)
    assert len(set(parts.round(3).tolist())) > 10


@pytest.mark.slow
def test_images_are_changed_in_ways_of_their_own() -> None:
    picture = np.asarray(RNG.random((3, 17, 17)), dtype=np.float32)
    batch = rnp.asarray(np.tile(picture, (300, 1, 1, 1)))
    change = rosin.compile(lambda key, x: images.rand_augment(key, x, count=1, strength=0.8, fill=2.0))
    found = np.asarray(change(KEY, batch))
    np.testing.assert_array_equal(found, change(KEY, batch))
    kinds: dict[bytes, int] = {}
    for image in found.round(4):
        kinds[image.tobytes()] = kinds.get(image.tobytes(), 0) + 1
    # Fourteen kinds, of which nine have two directions; none is much rarer than its part of all.
    assert len(kinds) == 5 + 9 * 2
    assert min(kinds.values()) >= 3
    assert picture.round(4).tobytes() in kinds
    moved = found.max(axis=(1, 2, 3)) > 1
    assert 0.28 < moved.mean() < 0.5
    assert found.min() >= 0
    one, far = batch[:1], 150 / 331 * 0.8 * 17
    turned = images.affine_matrices(rnp.asarray([24.0]), rnp.ones(1), rnp.zeros(1), rnp.zeros((1, 2)))
    right = images.affine_matrices(rnp.zeros(1), rnp.ones(1), rnp.zeros(1), rnp.asarray([[far, 0.0]]))
    for wanted in (
        images.adjust_brightness(one, 1.72),
        images.adjust_contrast(one, 0.28),
        images.adjust_saturation(one, 1.72),
        rnp.where(one >= 0.2, 1 - one, one),
        rnp.floor(rnp.round(one * 255) / 8) * 8 / 255,
        images.equalize(one),
        images.warp(one, turned, 2.0),
        images.warp(one, right, 2.0),
    ):
        apart = np.abs(found - np.minimum(np.asarray(wanted), 2)).max(axis=(1, 2, 3))
        assert apart.min() < 1e-4
    assert images.rand_augment(KEY, X[:, :1], strength=0.0).shape == (4, 1, 12, 9)
    with pytest.raises(data.DataError, match=r"the strength is from 0 to 1, not 1\.5"):
        images.rand_augment(KEY, X, strength=1.5)
