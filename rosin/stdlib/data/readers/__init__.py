"""Readers of data sets: of those that packages carry, and of the usual files."""

from __future__ import annotations

from rosin.stdlib.data.readers.carried import (
    auto_mpg,
    boston_housing,
    breast_cancer,
    diabetes,
    digits,
    iris,
    linnerud,
    mnist5000,
    python_topics,
    three_blobs,
    wine,
)
from rosin.stdlib.data.readers.folders import Folder, read_folder
from rosin.stdlib.data.readers.formats import read_cifar, read_idx, read_mnist, read_npz
from rosin.stdlib.data.readers.labelled import Labelled
from rosin.stdlib.data.readers.packages import carried
from rosin.stdlib.data.readers.tables import Table, read_csv

__all__ = [
    "Folder",
    "Labelled",
    "Table",
    "auto_mpg",
    "boston_housing",
    "breast_cancer",
    "carried",
    "diabetes",
    "digits",
    "iris",
    "linnerud",
    "mnist5000",
    "python_topics",
    "read_cifar",
    "read_csv",
    "read_folder",
    "read_idx",
    "read_mnist",
    "read_npz",
    "three_blobs",
    "wine",
]
