"""Files of weights by what is in them, and written in one piece or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.weights import safetensors, torch_file
from rosin.stdlib.weights.errors import WeightsError


def load(path: str | PathLike[str]) -> dict[str, Array]:
    """The arrays of a file under their names: safetensors, or any of PyTorch's (`.pth`, `.pt`, `.bin`, TorchScript).

    What the file is is told by what is in it, not by its name. Nothing in it is executed.

    Raises:
        WeightsError: it is neither, or damaged.
        OSError: it cannot be read.
    """
    file = Path(path)
    with file.open("rb") as opened:
        start = opened.read(32)
    is_torch = start[:4] == b"PK\x03\x04" or torch_file.is_old(start)
    arrays = torch_file.read(file) if is_torch else safetensors.read(file)[0]
    return {name: rosin.numpy.asarray(array) for name, array in arrays.items()}


def metadata(path: str | PathLike[str]) -> dict[str, str]:
    """The texts that a safetensors file has beside its arrays.

    Raises:
        WeightsError: it is no such file.
    """
    return safetensors.read(Path(path))[1]


def save(
    path: str | PathLike[str], weights: nn.Module | Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write the arrays of a model, under their dotted paths, or of a dict: for `.pth` and `.pt` as PyTorch does, else
    as safetensors, with `metadata`. A file of that name is replaced in one piece.

    Raises:
        WeightsError: the format has no such element type, or metadata were given for one that has none.
    """
    file = Path(path)
    arrays = as_numpy(weights)
    if file.suffix in (".pth", ".pt"):
        if metadata:
            raise WeightsError(f"{file}: PyTorch's files have no metadata; safetensors files do")
        buffer = io.BytesIO()
        torch_file.write(buffer, arrays)
        pieces = [buffer.getvalue()]
    else:
        pieces = safetensors.encode(arrays, metadata)
    replace(file, pieces)


def as_numpy(weights: nn.Module | Mapping[str, Array]) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays by name, in NumPy."""
    named = weights.items() if isinstance(weights, Mapping) else nn.named_arrays(weights)
    return {name: np.asarray(array) for name, array in named}


def replace(path: Path, pieces: list[bytes]) -> None:
    """Write a file beside its place and move it there, so that there is either the old one or the whole new one, even
    where the machine stops in between."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
