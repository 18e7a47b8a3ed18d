"""Files in the safetensors format: a JSON header that says where each array lies, and the numbers.

    8 bytes    the size of the header, little-endian
    header     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {…}}
    numbers    row-major, little-endian, from where the header ends

Everything that the header says is checked, so that a damaged file is an error and never a wrong number.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.weights.dtypes import SAFETENSORS
from rosin.stdlib.weights.errors import WeightsError

_LARGEST_HEADER = 100_000_000


def read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The arrays, which are views of the mapped file, and the metadata.

    Raises:
        WeightsError: the file is none of this format, or damaged; the message says where.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise WeightsError(f"{path}: {size} bytes are too few for a safetensors file")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(size - 8, _LARGEST_HEADER):
        message = f"{path}: the header would have {length} bytes, and the file has {size}"
        raise WeightsError(f"{message}: it is cut off, or no safetensors file")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise WeightsError(f"{path}: the header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: the header is no JSON object")
    metadata = header.pop("__metadata__", {})
    arrays = {name: _array(path, name, entry, data, 8 + length) for name, entry in header.items()}
    _check_cover(path, header, size - 8 - length)
    return arrays, metadata


def _array(path: Path, name: str, entry: Any, data: mmap.mmap, start: int) -> np.ndarray[Any, Any]:
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sizes = [int(n) for n in shape]
        span = range(int(begin), int(end))
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{path}: the header's entry for {name!r} is damaged: {entry!r}") from None
    if kind not in SAFETENSORS:
        known = ", ".join(SAFETENSORS)
        raise WeightsError(f"{path}: {name!r} has the element type {kind}, and this Rosin reads {known}")
    dtype = SAFETENSORS[kind]
    wanted = math.prod(sizes) * dtype.itemsize
    if min([0, *sizes, span.start]) < 0 or span.stop - span.start != wanted:
        raise WeightsError(
            f"{path}: {name!r} of shape {sizes} takes {wanted} bytes, and has {span.start} to {span.stop}"
        )
    if start + span.stop > len(data):
        missing = start + span.stop - len(data)
        raise WeightsError(f"{path}: the file is cut off: {missing} bytes of {name!r} are missing")
    return np.frombuffer(data, dtype, math.prod(sizes), start + span.start).reshape(sizes)


def _check_cover(path: Path, header: dict[str, Any], size: int) -> None:
    """Refuse arrays that overlap, and bytes that belong to none."""
    end = 0
    for begin, stop in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        if begin != end:
            what = "belong to two arrays" if begin < end else "belong to none"
            raise WeightsError(f"{path}: bytes {min(begin, end)} to {max(begin, end)} {what}")
        end = stop
    if end != size:
        raise WeightsError(f"{path}: there are {size} bytes of numbers, and the header tells of {end}")


def encode(arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None) -> list[bytes]:
    """A file in pieces: its header, and the numbers of each array in the order of their sizes' alignment.

    Raises:
        WeightsError: the format has no such element type.
    """
    names = {dtype: kind for kind, dtype in SAFETENSORS.items()}
    header: dict[str, Any] = {} if not metadata else {"__metadata__": dict(metadata)}
    pieces: list[bytes] = []
    begin = 0
    # Wide elements first, so that each array is aligned to its elements.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        if array.dtype not in names:
            raise WeightsError(f"{name!r} is {array.dtype}, and safetensors files hold {', '.join(SAFETENSORS)}")
        data = np.ascontiguousarray(array).tobytes()
        offsets = [begin, begin + len(data)]
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
        pieces.append(data)
        begin += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)), text, *pieces]
