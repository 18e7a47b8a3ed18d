"""Files that packages carry, found without importing the packages."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from pathlib import Path

from rosin.stdlib.data.errors import DataError


def carried(package: str, path: str, distribution: str | None = None) -> Path:
    """The file at a path inside of a package; `distribution` is the package's name on PyPI, if that is another one.

    Raises:
        DataError: the package is not installed, or has no such file.
    """
    name = distribution or package
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"{path} comes with the package {name}, which is not installed: pip install {name}")
    file = Path(found.submodule_search_locations[0]) / path
    if not file.is_file():
        raise DataError(f"the package {name} that is installed has no {path}")
    return file


def unpacked(path: Path) -> bytes:
    """What is in a file, which may be packed by gzip.

    Raises:
        DataError: it is packed and damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: the packed file is damaged ({error})") from None
