"""PNG files (ISO/IEC 15948), read and written without other libraries.

    8 bytes    the signature
    chunks     length, four letters, content, CRC-32: IHDR, PLTE, tRNS, IDAT…, IEND

The numbers of a picture are one stream of deflate. Each row begins with the number of its filter, which says from what
the bytes were subtracted: nothing, the pixel to the left, the one above, their mean, or Paeth's choice.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.weights import files

Pixels: TypeAlias = np.ndarray[Any, Any]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8)}
_SUB, _UP, _MEAN, _PAETH = 1, 2, 3, 4
# The passes of an interlaced picture (Adam7): first row and column, and the steps between rows and columns.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def row_bytes(self, width: int) -> int:
        return (width * self.depth * _CHANNELS[self.colour] + 7) // 8


def load_png(path: str | PathLike[str]) -> Pixels:
    """The picture of a file as `[channels, height, width]`: 1 channel for grey, 3 for colour, one more for opacity.

    Numbers are uint8, or uint16 where the file has 16 bits; those of fewer bits are spread over 0 to 255, and the
    colours of a palette are looked up. Where the file names a colour that is transparent there is a channel of opacity.

    Raises:
        DataError: the file is no PNG file, or damaged; the message says where.
        OSError: it cannot be read.
    """
    return decode_png(Path(path).read_bytes(), str(path))


def decode_png(content: bytes, name: str = "PNG") -> Pixels:
    """As `load_png`, of the bytes of a file; `name` stands in errors."""
    if content[:8] != SIGNATURE:
        raise DataError(f"{name}: no PNG file: it begins with {content[:8]!r}")
    chunks: dict[bytes, bytes] = {}
    stream: list[bytes] = []
    for kind, part in _chunks(content, name):
        if kind == b"IDAT":
            stream.append(part)
        else:
            chunks[kind] = part
    header = _header(chunks.get(b"IHDR", b""), name)
    unpacker = zlib.decompressobj()
    wanted = sum(rows * (1 + header.row_bytes(columns)) for rows, columns in _sizes(header))
    try:
        numbers = unpacker.decompress(b"".join(stream), wanted)
    except zlib.error as error:
        raise DataError(f"{name}: the numbers are damaged ({error})") from None
    if len(numbers) != wanted:
        raise DataError(f"{name}: the picture has {wanted} bytes, and the file {len(numbers)}: it is cut off")
    samples = _samples(header, np.frombuffer(numbers, np.uint8), name)
    return np.ascontiguousarray(np.moveaxis(_shown(header, samples, chunks, name), -1, 0))


def _chunks(content: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        part = content[place + 8 : place + 8 + length]
        end = place + 8 + length
        if end + 4 > len(content):
            break
        (told,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(content[place + 4 : end]) != told:
            raise DataError(f"{name}: the chunk {kind.decode('latin-1')} at byte {place} is damaged: its CRC is wrong")
        if kind == b"IEND":
            return
        yield kind, part
        place = end + 4
    raise DataError(f"{name}: the file is cut off at byte {len(content)}: there is no end chunk")


def _header(content: bytes, name: str) -> _Header:
    if len(content) != 13:
        raise DataError(f"{name}: there is no header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", content)
    if colour not in _CHANNELS or depth not in _DEPTHS.get(colour, (8, 16)):
        raise DataError(f"{name}: PNG has no colour type {colour} of {depth} bits")
    if not (width and height) or packing or filtering or interlace > 1:
        raise DataError(f"{name}: the header is damaged: {struct.unpack('>IIBBBBB', content)}")
    return _Header(width, height, depth, colour, bool(interlace))


def _sizes(header: _Header) -> Iterator[tuple[int, int]]:
    """Rows and columns of each pass that has any."""
    for row, column, down, right in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        rows, columns = -(-(header.height - row) // down), -(-(header.width - column) // right)
        if rows > 0 and columns > 0:
            yield rows, columns


def _samples(header: _Header, numbers: Pixels, name: str) -> Pixels:
    """The numbers of a file, `[height, width, channels]`, as they stand there."""
    dtype = np.uint16 if header.depth == 16 else np.uint8
    whole = np.empty((header.height, header.width, _CHANNELS[header.colour]), dtype)
    place = 0
    for row, column, down, right in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        part = whole[row::down, column::right]
        if not part.size:
            continue
        rows, columns, channels = part.shape
        size = rows * (1 + header.row_bytes(columns))
        lines = numbers[place : place + size].reshape(rows, -1)
        place += size
        known = _unfiltered(lines[:, 1:], lines[:, 0], max(1, header.depth * channels // 8), name)
        part[...] = _unpacked(known, header.depth, columns * channels).reshape(part.shape)
    return whole


def _unfiltered(lines: Pixels, filters: Pixels, step: int, name: str) -> Pixels:
    """Rows of bytes with what their filters subtracted; `step` bytes lie between a byte and the one left of it.

    A pixel needs those to its left and above, so all pixels of one diagonal are computed together: they lie in one row
    of `slanted[row + column, row]`.
    """
    if filters.max(initial=0) > _PAETH:
        row = int(np.argmax(filters > _PAETH))
        raise DataError(f"{name}: row {row} has the filter {filters[row]}, and 4 is the last")
    if not filters.any():
        return lines
    rows, columns = lines.shape[0], lines.shape[1] // step
    pixels = lines.reshape(rows, columns, step)
    across = np.arange(rows)[:, None]
    # One row and two diagonals of zeros stand for what lies outside of the picture.
    slanted = np.zeros((rows + columns + 1, rows + 1, step), np.int16)
    slanted[2 + across + np.arange(columns), 1 + across] = pixels
    chosen = filters[:, None]
    for diagonal in range(2, rows + columns + 1):
        first, end = max(0, diagonal - 1 - columns), min(rows, diagonal - 1)
        inside, above = slice(first + 1, end + 1), slice(first, end)
        left, up, corner = slanted[diagonal - 1, inside], slanted[diagonal - 1, above], slanted[diagonal - 2, above]
        kinds = chosen[first:end]
        added = np.select(
            [kinds == _SUB, kinds == _UP, kinds == _MEAN, kinds == _PAETH],
            [left, up, left + up >> 1, _paeth(left, up, corner)],
            0,
        )
        slanted[diagonal, inside] = slanted[diagonal, inside] + added & 255
    return slanted[2 + across + np.arange(columns), 1 + across].astype(np.uint8).reshape(rows, -1)


def _paeth(left: Pixels, up: Pixels, corner: Pixels) -> Pixels:
    """Of the three the one nearest to `left + up - corner`."""
    from_left, from_up, from_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    near_up = np.where(from_up <= from_corner, up, corner)
    return np.where((from_left <= from_up) & (from_left <= from_corner), left, near_up)


def _unpacked(lines: Pixels, depth: int, count: int) -> Pixels:
    """Rows of `count` numbers of so many bits."""
    if depth == 16:
        return np.ascontiguousarray(lines).view(">u2")
    if depth == 8:
        return lines
    bits = np.unpackbits(lines, axis=1).reshape(len(lines), -1, depth)
    return (bits @ (1 << np.arange(depth)[::-1])).astype(np.uint8)[:, :count]


def _shown(header: _Header, samples: Pixels, chunks: dict[bytes, bytes], name: str) -> Pixels:
    """Numbers that mean what a screen shows: palettes looked up, few bits spread over 0 to 255."""
    clear = chunks.get(b"tRNS", b"")
    if header.colour == _PALETTE:
        palette = chunks.get(b"PLTE", b"")
        if len(palette) % 3:
            raise DataError(f"{name}: a palette of {len(palette)} bytes has no whole number of colours")
        colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        if samples.max() >= len(colours):
            raise DataError(f"{name}: a pixel has colour {samples.max()}, and the palette {len(colours)}")
        if not clear:
            return colours[samples[..., 0]]
        opacity = np.full(len(colours), 255, np.uint8)
        opacity[: len(clear)] = np.frombuffer(clear, np.uint8)[: len(colours)]
        return np.column_stack([colours, opacity])[samples[..., 0]]
    shown = samples if header.depth >= 8 else samples * np.uint8(255 // (2**header.depth - 1))
    if not clear or header.colour not in (_GREY, _COLOUR):
        return shown
    if len(clear) != 2 * samples.shape[2]:
        raise DataError(f"{name}: the transparent colour has {len(clear)} bytes, not {2 * samples.shape[2]}")
    most = np.iinfo(shown.dtype).max
    hidden = (samples == np.frombuffer(clear, ">u2")).all(axis=-1, keepdims=True)
    return np.concatenate([shown, np.where(hidden, 0, most).astype(shown.dtype)], axis=-1)


def save_png(path: str | PathLike[str], image: Any) -> None:
    """Write a picture `[height, width]` or `[channels, height, width]` of 1 to 4 channels: grey, grey and opacity,
    colour, colour and opacity. A file of that name is replaced in one piece.

    Numbers are uint8, or floats, of which 0 is black and 1 is full; what lies outside is cut off.

    Raises:
        DataError: the shape or the numbers are those of no picture.
    """
    files.replace(Path(path), [encode_png(image)])


def encode_png(image: Any) -> bytes:
    """The bytes that `save_png` writes."""
    pixels = as_bytes("save_png", image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or not 1 <= len(pixels) <= 4 or not pixels.size:
        shape = np.shape(image)
        raise DataError(f"save_png: pictures are [height, width] or [1 to 4 channels, height, width], not {shape}")
    channels, height, width = pixels.shape
    colour = {1: _GREY, 2: _GREY_ALPHA, 3: _COLOUR, 4: _COLOUR_ALPHA}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    numbers = zlib.compress(_filtered(np.moveaxis(pixels, 0, -1)), 6)
    return SIGNATURE + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (header, numbers, b"")))


def as_bytes(name: str, image: Any) -> Pixels:
    """A picture's numbers as uint8.

    Raises:
        DataError: they are neither uint8 nor floats, or one is NaN.
    """
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "fV":
        raise DataError(f"{name}: pictures are uint8 from 0 to 255 or floats from 0 to 1, not {pixels.dtype}")
    numbers = pixels.astype(np.float32)
    if np.isnan(numbers).any():
        raise DataError(f"{name}: {np.isnan(numbers).sum()} of {numbers.size} numbers are NaN")
    return np.rint(np.clip(numbers, 0, 1) * 255).astype(np.uint8)


def _filtered(pixels: Pixels) -> bytes:
    """The rows, each with the filter that leaves the smallest numbers, which pack well."""
    around = np.pad(pixels.astype(np.int16), ((1, 0), (1, 0), (0, 0)))
    own, left, up, corner = around[1:, 1:], around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    taken = (np.zeros_like(own), left, up, left + up >> 1, _paeth(left, up, corner))
    rows = np.stack([(own - x).astype(np.uint8) for x in taken]).reshape(len(taken), len(pixels), -1)
    best = np.abs(rows.view(np.int8).astype(np.int32)).sum(axis=2).argmin(axis=0)
    chosen = rows[best, np.arange(len(pixels))]
    return np.column_stack([best.astype(np.uint8), chosen]).tobytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
