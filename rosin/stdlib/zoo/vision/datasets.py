"""Handwritten digits that packages carry, in two parts that are always the same: to train on, and held out."""

from __future__ import annotations

from dataclasses import dataclass

from rosin.stdlib.data import readers
from rosin.stdlib.data.readers import Labelled
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.packages import needed


@dataclass(frozen=True)
class Parts:
    """A data set in two parts: images `x` of bytes `[count, 1, size, size]`, and their classes `y`."""

    training: Labelled
    held_out: Labelled


SETS = {"digits": readers.digits, "mnist5000": readers.mnist5000}


def named(name: str) -> Parts:
    """A data set by its name: four fifths of each class to train on, one held out.

    Raises:
        ZooError: there is none of that name, or the package that carries it is not installed.
    """
    if name not in SETS:
        raise ZooError(f"there are the data sets {' and '.join(SETS)}, and no {name!r}")
    with needed():
        return Parts(*SETS[name]().split(0.8, 0.2))
