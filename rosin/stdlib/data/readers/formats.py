"""Files of arrays: MNIST's IDX, CIFAR's binary files, NumPy's archives."""

from __future__ import annotations

import math
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.datasets import Arrays
from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.readers.labelled import Labelled
from rosin.stdlib.data.readers.packages import unpacked

_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | PathLike[str]) -> np.ndarray[Any, Any]:
    """The array in an IDX file, which may be packed by gzip: two zeros, the element type, the rank, the sizes, the
    numbers, all with the high byte first.

    Raises:
        DataError: the file is none of this format, or has another size than it tells.
        OSError: it cannot be read.
    """
    content = unpacked(Path(path))
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX:
        raise DataError(f"{path}: no IDX file: it begins with {content[:4]!r}")
    dtype, begin = np.dtype(_IDX[content[2]]), 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:begin], ">u4").tolist())
    wanted = begin + math.prod(shape) * dtype.itemsize
    if len(shape) != content[3] or len(content) != wanted:
        raise DataError(
            f"{path}: an array {shape} of {dtype.name} makes {wanted} bytes, and the file has {len(content)}"
        )
    return np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder("="))


def read_mnist(
    folder: str | PathLike[str], classes: tuple[str, ...] = tuple("0123456789")
) -> tuple[Labelled, Labelled]:
    """The training and the test images of a folder with the four files of MNIST, or of what was made like it
    (Fashion-MNIST, with its own `classes`), packed or not: `x` uint8 [60000, 1, 28, 28].

    Raises:
        DataError: a file is missing or damaged, or there are not as many labels as images.
    """

    def part(prefix: str) -> Labelled:
        found = [
            read_idx(_one_of(Path(folder), f"{prefix}-{kind}")) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        ]
        images, labels = found
        if images.ndim != 3 or labels.ndim != 1:
            raise DataError(
                f"{folder}: images {images.shape} and labels {labels.shape} of {prefix} are none of MNIST's"
            )
        return Labelled(f"{prefix} of {folder}", images[:, None], labels.astype(np.int32), classes=classes)

    return part("train"), part("t10k")


def _one_of(folder: Path, name: str) -> Path:
    for file in (folder / name, folder / f"{name}.gz", folder / name.replace("-idx", ".idx")):
        if file.is_file():
            return file
    raise DataError(f"{folder} has no file {name}, packed by gzip or not")


def read_cifar(folder: str | PathLike[str]) -> tuple[Labelled, Labelled]:
    """The training and the test images of a folder with the binary files of CIFAR-10 or CIFAR-100 (Krizhevsky 2009),
    the latter with its 100 fine classes: `x` uint8 [50000, 3, 32, 32].

    Raises:
        DataError: files are missing, or have another size than whole images make.
    """
    place = Path(folder)
    if (place / "train.bin").is_file():
        before, train, test, names = 2, ["train.bin"], ["test.bin"], "fine_label_names.txt"
    else:
        train = sorted(file.name for file in place.glob("data_batch_*.bin"))
        before, test, names = 1, ["test_batch.bin"], "batches.meta.txt"
    missing = [name for name in (*(train or ["data_batch_1.bin"]), *test, names) if not (place / name).is_file()]
    if missing:
        raise DataError(f"{folder} has no {', '.join(missing)}: it is the folder of no binary version of CIFAR")
    classes = (place / names).read_text().split()
    return _cifar(place, train, before, classes), _cifar(place, test, before, classes)


def _cifar(folder: Path, files: list[str], before: int, classes: list[str]) -> Labelled:
    """Images that follow `before` bytes each, the last of which is the class."""
    size = before + 3 * 32 * 32
    parts: list[np.ndarray[Any, Any]] = []
    for name in files:
        content = unpacked(folder / name)
        if not content or len(content) % size:
            raise DataError(f"{folder / name}: {len(content)} bytes are no images of {size} bytes each")
        parts.append(np.frombuffer(content, np.uint8).reshape(-1, size))
    rows = np.concatenate(parts)
    images, labels = rows[:, before:].reshape(-1, 3, 32, 32), rows[:, before - 1].astype(np.int32)
    return Labelled(f"{', '.join(files)} of {folder}", images, labels, classes=classes)


def read_npz(path: str | PathLike[str]) -> Arrays:
    """The arrays of NumPy's archive by name, whose first axes count the items. No Python objects are read from it.

    Raises:
        DataError: the file is no such archive, damaged, has objects in it, or its arrays are not of one length.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: one array, and no archive of some: numpy.load reads it")
            return Arrays({name: archive[name] for name in archive.files})
        except (zipfile.BadZipFile, EOFError, KeyError) as error:
            raise DataError(f"{path}: the archive is damaged ({error})") from None
        except ValueError as error:
            raise error if isinstance(error, DataError) else DataError(f"{path}: {error}") from None
