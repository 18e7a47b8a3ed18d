"""WAV files: RIFF chunks with integers of 8 to 32 bits or floats, read and written without other libraries."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.weights import files

Samples = np.ndarray[Any, Any]

_INTEGERS, _FLOATS, _EXTENDED = 1, 3, 0xFFFE
_UNTOLD = 0xFFFFFFFF
"""The size of a chunk that was written before its size was known."""


def load_wav(path: str | PathLike[str]) -> tuple[Samples, int]:
    """The sound of a file, float32 `[channels, time]` from -1 to 1, and how many samples a second has.

    Raises:
        DataError: the file is no WAV file of integers or floats, or damaged; the message says where.
        OSError: it cannot be read.
    """
    content, name = Path(path).read_bytes(), str(path)
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{name}: no WAV file: it begins with {content[:12]!r}")
    layout: tuple[int, int, int, int] | None = None
    for kind, part, told in _chunks(content):
        if kind == b"fmt ":
            layout = _layout(part, name)
        elif kind == b"data":
            if layout is None:
                raise DataError(f"{name}: the numbers come before it is told what they are")
            if len(part) < told != _UNTOLD:
                raise DataError(f"{name}: the file is cut off: {told - len(part)} of {told} bytes of sound are missing")
            return _decoded(part, *layout[:3]), layout[3]
    raise DataError(f"{name}: the file has no sound in it")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """The kind of each chunk, what there is of it, and how long it should be."""
    place = 12
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, place)
        yield kind, content[place + 8 : place + 8 + size], size
        place += 8 + size + size % 2


def _layout(part: bytes, name: str) -> tuple[int, int, int, int]:
    """The kind of numbers, the bytes of one, channels, and samples a second."""
    if len(part) < 16:
        raise DataError(f"{name}: the chunk that tells what the numbers are is cut off")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", part)
    if kind == _EXTENDED and len(part) >= 26:
        (kind,) = struct.unpack_from("<H", part, 24)
    size = block // channels if channels else 0
    fits = size in (1, 2, 3, 4) if kind == _INTEGERS else size in (4, 8) and kind == _FLOATS
    if not fits or block != size * channels or not rate:
        told = f"format {kind}, {channels} channels, {bits} bits in blocks of {block} bytes, {rate} a second"
        raise DataError(f"{name}: {told}: integers of 8 to 32 bits and floats of 32 and 64 are read")
    return kind, size, channels, rate


def _decoded(part: bytes, kind: int, size: int, channels: int) -> Samples:
    part = part[: len(part) // (size * channels) * size * channels]
    if kind == _FLOATS:
        numbers = np.frombuffer(part, f"<f{size}").astype(np.float32)
    elif size == 1:
        numbers = (np.frombuffer(part, np.uint8).astype(np.float32) - 128) / 128
    else:
        # Integers of any size become ones of 32 bits by zeros below them.
        wide = np.zeros((len(part) // size, 4), np.uint8)
        wide[:, 4 - size :] = np.frombuffer(part, np.uint8).reshape(-1, size)
        numbers = (wide.view("<i4")[:, 0] / 2**31).astype(np.float32)
    return np.ascontiguousarray(numbers.reshape(-1, channels).T)


def save_wav(path: str | PathLike[str], sound: Any, rate: int, *, bits: int = 16, floats: bool = False) -> None:
    """Write a sound of floats `[time]` or `[channels, time]`; a file of that name is replaced in one piece.

    Integers of 8, 16, 24 or 32 `bits` hold numbers from -1 to 1, and what lies outside is cut off; with `floats` they
    are written as they are, with 32 or 64 bits.

    Raises:
        DataError: the shape is that of no sound, a number is NaN, or there is no such format.
    """
    samples = np.asarray(sound, dtype=np.float64)
    samples = samples[None] if samples.ndim == 1 else samples
    if samples.ndim != 2 or not 1 <= len(samples) < 65536 or rate < 1:
        raise DataError(f"save_wav: sounds are [time] or [channels, time], not {np.shape(sound)} at {rate} a second")
    if bits not in ((32, 64) if floats else (8, 16, 24, 32)):
        raise DataError(f"save_wav: there are integers of 8, 16, 24, 32 bits and floats of 32 and 64, not of {bits}")
    if not floats and np.isnan(samples).any():
        raise DataError(f"save_wav: {np.isnan(samples).sum()} of {samples.size} numbers are NaN")
    size = bits // 8
    numbers = _encoded(samples.T, size, floats)
    block = size * len(samples)
    kind = _FLOATS if floats else _INTEGERS
    told = struct.pack("<HHIIHH", kind, len(samples), rate, rate * block, block, bits)
    body = b"WAVE" + _chunk(b"fmt ", told) + _chunk(b"data", numbers)
    files.replace(Path(path), [_chunk(b"RIFF", body)])


def _encoded(samples: Samples, size: int, floats: bool) -> bytes:
    if floats:
        return samples.astype(f"<f{size}").tobytes()
    most = 2 ** (8 * size - 1)
    whole = np.clip(np.rint(samples * most), -most, most - 1).astype(np.int64)
    if size == 1:
        return (whole + 128).astype(np.uint8).tobytes()
    return np.ascontiguousarray(whole.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :size].tobytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
