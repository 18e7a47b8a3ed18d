"""A folder of folders, each with the files of one class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.datasets import Item, Subset, split
from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.images.loading import load


def _array(path: Path) -> np.ndarray[Any, Any]:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: {error}") from None


_READERS: dict[str, Callable[[Path], Any]] = {".png": load, ".jpg": load, ".jpeg": load, ".npy": _array}


@dataclass(frozen=True)
class Folder:
    """Items `{"x": what is in a file, "y": the number of its class}`, read when they are asked for."""

    files: tuple[Path, ...]
    labels: np.ndarray[Any, Any]
    classes: tuple[str, ...]
    read: Callable[[Path], Any] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Item:
        file = self.files[index]
        read = self.read or _READERS[file.suffix.lower()]
        return {"x": read(file), "y": self.labels[index]}

    def split(self, *parts: float, seed: int = 0) -> tuple[Subset, ...]:
        """Data sets of these parts of the files of each class: `train, test = split(0.8, 0.2)`.

        Raises:
            DataError: the parts are not positive, or more than the whole.
        """
        return split(self, *parts, seed=seed, by=self.labels)


def read_folder(path: str | PathLike[str], pattern: str = "*", read: Callable[[Path], Any] | None = None) -> Folder:
    """The files in the folders of a folder, whose names are the classes: `cats/1.png`, `dogs/1.png`.

    PNG and JPEG files become uint8 `[channels, height, width]`, NumPy's `.npy` files arrays; `read(path)` reads others.
    Files and folders whose names begin with a dot are passed over, and so are files that do not fit `pattern`.

    Raises:
        DataError: there are no such files, a folder has none, or there is nothing to read a file with.
    """
    place = Path(path)
    folders = sorted(folder for folder in place.glob("[!.]*") if folder.is_dir())
    if not folders:
        raise DataError(f"{place} has no folders: each class has one, with its files")
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = sorted(file for file in folder.rglob(pattern) if file.is_file() and not file.name.startswith("."))
        if not found:
            raise DataError(f"{folder} has no files {pattern}, and it stands for a class")
        for file in found:
            if read is None and file.suffix.lower() not in _READERS:
                known = ", ".join(_READERS)
                raise DataError(f"{file}: files {known} are read by themselves; give read= for others, or a pattern")
        files += found
        labels += [label] * len(found)
    return Folder(tuple(files), np.asarray(labels, np.int32), tuple(folder.name for folder in folders), read)
