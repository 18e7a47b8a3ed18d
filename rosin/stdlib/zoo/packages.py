"""Files that packages carry: found without importing the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from rosin.stdlib.zoo.errors import ZooError


def carried(package: str, path: str, distribution: str | None = None) -> Path:
    """The file at a path inside of a package; `distribution` is the package's name on PyPI, if that is another one.

    Raises:
        ZooError: the package is not installed, or has no such file.
    """
    name = distribution or package
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ZooError(f'{path} comes with the package {name}, which is not installed: pip install "rosin[zoo]"')
    file = Path(found.submodule_search_locations[0]) / path
    if not file.is_file():
        raise ZooError(f"the package {name} that is installed has no {path}")
    return file
