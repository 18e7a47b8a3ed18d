"""PNG files: of every kind and depth, interlaced, with every filter, written here byte by byte; damaged ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosin.stdlib import data
from rosin.stdlib.data import images

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(colour, depth) for colour, depths in DEPTHS.items() for depth in depths]
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def lines_of(samples: np.ndarray[Any, Any], depth: int, step: int, first: int) -> bytes:
    """The rows of one pass, with filters that take turns, one byte after the other."""
    found, above = b"", None
    for number, row in enumerate(samples):
        bits = "".join(f"{int(x):0{depth}b}" for x in row.flat)
        own = bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))
        above = above or bytes(len(own))
        kind = (number + first) % 5
        found += bytes([kind])
        for i, byte in enumerate(own):
            a, b, c = (own[i - step], above[i], above[i - step]) if i >= step else (0, above[i], 0)
            near = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            found += bytes([(byte - (0, a, b, (a + b) // 2, near)[kind]) % 256])
        above = own
    return found


def encoded(
    samples: np.ndarray[Any, Any], colour: int, depth: int, interlaced: bool, *, first: int = 0, **extra: bytes
) -> bytes:
    height, width, channels = samples.shape
    parts = [samples[r::down, c::right] for r, c, down, right in PASSES] if interlaced else [samples]
    step = max(1, depth * channels // 8)
    rows = b"".join(lines_of(part, depth, step, first) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    more = b"".join(chunk(kind.encode(), content) for kind, content in extra.items())
    packed = zlib.compress(rows)
    numbers = chunk(b"IDAT", packed[:7]) + chunk(b"IDAT", packed[7:])
    return images.encode_png(np.zeros((1, 1)))[:8] + chunk(b"IHDR", header) + more + numbers + chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_every_kind_is_read(colour: int, depth: int, interlaced: bool) -> None:
    rng = np.random.default_rng(depth)
    palette = rng.integers(0, 256, (2**depth, 3)).astype(np.uint8) if colour == 3 else None
    extra = {} if palette is None else {"PLTE": palette.tobytes()}
    for first, (height, width) in enumerate([(1, 1), (2, 3), (9, 7), (6, 12), (3, 1)]):
        samples = rng.integers(0, 2**depth, (height, width, CHANNELS[colour]))
        found = images.decode_png(encoded(samples, colour, depth, interlaced, first=first, **extra))
        wanted = samples * (255 // (2**depth - 1)) if depth < 8 else samples
        wanted = wanted if palette is None else palette[samples[..., 0]]
        np.testing.assert_array_equal(np.moveaxis(found, 0, -1), wanted)
        assert found.dtype == (np.uint16 if depth == 16 else np.uint8)


def test_colours_that_are_transparent() -> None:
    samples = np.asarray([0, 1, 2, 3]).reshape(2, 2, 1)
    grey = images.decode_png(encoded(samples, 0, 2, False, tRNS=struct.pack(">H", 2)))
    assert grey.tolist() == [[[0, 85], [170, 255]], [[255, 255], [0, 255]]]
    palette = bytes(range(12))
    shown = images.decode_png(encoded(samples, 3, 2, False, PLTE=palette, tRNS=bytes([7, 8])))
    assert shown[3].tolist() == [[7, 8], [255, 255]]
    assert shown[:3, 1, 1].tolist() == [9, 10, 11]
    colour = encoded(np.asarray([[[1, 2, 3], [1, 2, 4]]]), 2, 8, False, tRNS=struct.pack(">3H", 1, 2, 3))
    assert images.decode_png(colour)[3].tolist() == [[0, 255]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read(channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (5, 3), (28, 31)):
        picture = rng.integers(0, 256, (channels, *shape)).astype(np.uint8)
        picture[:, shape[0] // 2 :] = np.arange(shape[1])
        images.save_png(tmp_path / "a.png", picture)
        np.testing.assert_array_equal(images.load_png(tmp_path / "a.png"), picture)
    # Smooth pictures pack well by their filters.
    slope = np.broadcast_to(np.add.outer(np.arange(64), np.arange(64)), (channels, 64, 64)).astype(np.uint8)
    assert len(images.encode_png(slope)) < slope.size / 10


def test_floats_are_cut_off_and_rounded(tmp_path: Path) -> None:
    images.save_png(tmp_path / "a.png", np.asarray([[-1.0, 0.5], [0.999, 7.0]], dtype="f4"))
    assert images.load_png(tmp_path / "a.png").tolist() == [[[0, 128], [255, 255]]]
    with pytest.raises(data.DataError, match="1 of 2 numbers are NaN"):
        images.encode_png(np.asarray([[np.nan, 0.0]]))
    with pytest.raises(data.DataError, match="uint8 from 0 to 255 or floats from 0 to 1, not int64"):
        images.encode_png(np.zeros((3, 3), np.int64))
    with pytest.raises(data.DataError, match=r"not \(28, 28, 3\)"):
        images.encode_png(np.zeros((28, 28, 3)))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = images.encode_png(np.random.default_rng(0).random((3, 20, 20)))
    file = tmp_path / "a.png"
    for content, message in (
        (b"GIF89a..", r"a\.png: no PNG file: it begins with b'GIF89a\.\.'"),
        (whole[:200], "cut off at byte 200"),
        (whole[:60] + bytes([whole[60] ^ 1]) + whole[61:], "the chunk IDAT at byte 33 is damaged: its CRC is wrong"),
        (whole[:8] + chunk(b"IEND", b""), "there is no header"),
        (encoded(np.zeros((2, 2, 1), int), 0, 8, False)[:33] + chunk(b"IEND", b""), "has 6 bytes, and the file 0"),
    ):
        file.write_bytes(content)
        with pytest.raises(data.DataError, match=message):
            images.load_png(file)
    bad = images.decode_png(encoded(np.zeros((1, 1, 1), int), 0, 8, False))
    assert bad.tolist() == [[[0]]]
    one = np.zeros((1, 1, 1), int)
    for content, message in (
        (encoded(one, 3, 8, False, PLTE=b"abcd"), "a palette of 4 bytes has no whole number of colours"),
        (encoded(one + 2, 3, 8, False, PLTE=b"abcdef"), "a pixel has colour 2, and the palette 2"),
        (encoded(one, 0, 8, False, tRNS=b"abc"), "the transparent colour has 3 bytes, not 2"),
    ):
        with pytest.raises(data.DataError, match=message):
            images.decode_png(content)
    header = struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)
    for content, message in (
        (chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\5\0\0")), "row 0 has the filter 5"),
        (chunk(b"IHDR", header) + chunk(b"IDAT", b"abc"), "the numbers are damaged"),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 2, 0, 0, 0)), "no colour type 2 of 4 bits"),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 1, 8, 2, 0, 0, 0)), "the header is damaged"),
    ):
        with pytest.raises(data.DataError, match=message):
            images.decode_png(whole[:8] + content + chunk(b"IEND", b""))


def test_pictures_in_a_grid() -> None:
    pictures = np.arange(5 * 6).reshape(5, 1, 2, 3).astype(np.uint8)
    whole = images.grid(pictures, 3, gap=1, background=99)
    assert whole.shape == (1, 5, 11)
    for number in range(5):
        row, column = number // 3 * 3, number % 3 * 4
        np.testing.assert_array_equal(whole[:, row : row + 2, column : column + 3], pictures[number])
    assert (whole[0, 2] == 99).all()
    assert (whole[0, 3:, 8:] == 99).all()
    assert images.grid(np.zeros((9, 4, 4)), gap=0).shape == (1, 12, 12)
    with pytest.raises(data.DataError, match=r"not \(4, 4\) in None"):
        images.grid(np.zeros((4, 4)))


@pytest.mark.peers
def test_pillow_reads_and_writes_the_same() -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for mode, channels in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        picture = rng.integers(0, 256, (channels, 17, 23)).astype(np.uint8)
        picture[:, 8:] = np.arange(23)
        theirs = Image.open(io.BytesIO(images.encode_png(picture)))
        assert theirs.mode == mode
        np.testing.assert_array_equal(np.asarray(theirs).reshape(17, 23, -1), np.moveaxis(picture, 0, -1))
        written = io.BytesIO()
        theirs.save(written, "PNG")
        np.testing.assert_array_equal(images.decode_png(written.getvalue()), picture)
