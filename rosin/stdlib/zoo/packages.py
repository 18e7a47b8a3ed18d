"""What the zoo needs of packages, and which extra has them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from rosin.stdlib import data
from rosin.stdlib.zoo.errors import ZooError


@contextlib.contextmanager
def needed() -> Generator[None]:
    """Inside, what a package lacks is a ZooError that names the extra."""
    try:
        yield
    except data.DataError as error:
        raise ZooError(f'{error.message}; all that the zoo needs: pip install "rosin[zoo]"') from None


def carried(package: str, path: str, distribution: str | None = None) -> Path:
    """The file at a path inside of a package; `distribution` is the package's name on PyPI, if that is another one.

    Raises:
        ZooError: the package is not installed, or has no such file.
    """
    with needed():
        return data.readers.carried(package, path, distribution)
