"""Tables in files of separated values, with a type for each column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rosin.stdlib.data.datasets import Arrays
from rosin.stdlib.data.errors import DataError
from rosin.stdlib.data.readers.labelled import Labelled
from rosin.stdlib.data.readers.packages import unpacked

Column = np.ndarray[Any, Any]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d{1,18}")


class Table(Arrays):
    """Columns by name: int64, float64 or texts."""

    def __init__(self, columns: Mapping[str, Any], name: str = "table") -> None:
        super().__init__(dict(columns))
        self.name = name

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {column.dtype}" for name, column in self.arrays.items())
        return f"Table({self.name}: {len(self)} rows of {told})"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.arrays)

    def whole_rows(self) -> Table:
        """The rows in which no number is missing."""
        kept = np.ones(len(self), dtype=bool)
        for column in self.arrays.values():
            kept &= ~np.isnan(column) if column.dtype.kind == "f" else True
        return Table({name: column[kept] for name, column in self.arrays.items()}, self.name)

    def labelled(self, target: str, fields: Sequence[str] | None = None) -> Labelled:
        """The column `target` as what is to be told from `fields`, by default from all others.

        A target of texts or integers is one of classes, in the order of their sorting. A field of texts becomes one of
        zeros and ones for each text.

        Raises:
            DataError: there is no such column, or numbers are missing in one.
        """
        names = [name for name in self.columns if name != target] if fields is None else list(fields)
        for name in (target, *names):
            self._check(name)
        parts: dict[str, Column] = {}
        for name in names:
            column = self.arrays[name]
            if column.dtype.kind == "U":
                parts |= {f"{name}={text}": column == text for text in np.unique(column)}
            else:
                parts[name] = column
        x = np.stack([part.astype(np.float32) for part in parts.values()], axis=1)
        column = self.arrays[target]
        if column.dtype.kind == "f":
            return Labelled(self.name, x, column.astype(np.float32), fields=list(parts), targets=[target])
        classes, y = np.unique(column, return_inverse=True)
        return Labelled(self.name, x, y.astype(np.int32), fields=list(parts), classes=[str(c) for c in classes])

    def _check(self, name: str) -> None:
        if name not in self.arrays:
            raise DataError(f"{self.name} has no column {name!r}; its columns are {', '.join(self.columns)}")
        column = self.arrays[name]
        missing = int(np.isnan(column).sum()) if column.dtype.kind == "f" else 0
        if missing:
            message = f"{self.name}: column {name!r} has {missing} of {len(column)} numbers missing"
            raise DataError(f"{message}; whole_rows() leaves such rows out")


def read_csv(
    path: str | PathLike[str],
    *,
    header: bool = True,
    columns: Sequence[str] | None = None,
    types: Mapping[str, type[int] | type[float] | type[str]] | None = None,
    delimiter: str = ",",
    missing: Collection[str] = ("", "?", "NA", "N/A", "NaN", "nan", "null"),
) -> Table:
    """The columns of a file of separated values, which may be packed by gzip and have texts in quotation marks.

    Without `header` the columns are called as `columns` says, or "0", "1" and so on; with one, `columns` chooses some.
    A column has the type that `types` names, or else the narrowest of integers, floats and texts that all its cells
    are; a cell of `missing` is NaN among numbers, which makes integers floats.

    Raises:
        DataError: a row has more or fewer cells than the first, or a cell is not of its type: the message has the line.
        OSError: the file cannot be read.
    """
    file = Path(path)
    try:
        text = unpacked(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: the file is no text in UTF-8 ({error})") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows = [(reader.line_num, row) for row in reader if row]
    if len(rows) <= header:
        raise DataError(f"{file}: there are no rows")
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise DataError(f"{file}, line {line}: the row has {len(row)} cells, and the first one has {width}")
    given = rows.pop(0)[1] if header else list(columns or map(str, range(width)))
    names = [name.strip() for name in given]
    if len(names) != width or len(set(names)) != width:
        raise DataError(f"{file}: {width} columns are called {', '.join(names)}: each needs a name of its own")
    chosen = names if columns is None else list(columns)
    for name in (*chosen, *(types or {})):
        if name not in names:
            raise DataError(f"{file}: there is no column {name!r}; the columns are {', '.join(names)}")
    found: dict[str, Column] = {}
    for name in chosen:
        place = names.index(name)
        cells = [(line, row[place].strip()) for line, row in rows]
        found[name] = _typed(f"{file}, column {name!r}", cells, (types or {}).get(name), frozenset(missing))
    return Table(found, file.name)


def _typed(where: str, cells: list[tuple[int, str]], wanted: type[Any] | None, missing: frozenset[str]) -> Column:
    known = [cell for _, cell in cells if cell not in missing]
    whole = len(known) == len(cells)
    if wanted is None:
        wanted = int if known and whole and _all(known, _INTEGER) else float if _all(known, _NUMBER) else str
        wanted = str if not known else wanted
    if wanted is str:
        return np.asarray([cell for _, cell in cells], dtype=np.str_)
    fits = _INTEGER if wanted is int else _NUMBER
    for line, cell in cells:
        if not fits.fullmatch(cell) and (wanted is int or cell not in missing):
            raise DataError(f"{where}, line {line}: {cell!r} is no {wanted.__name__}")
    convert: Callable[[str], Any] = wanted
    numbers = [np.nan if cell in missing else convert(cell) for _, cell in cells]
    return np.asarray(numbers, dtype=np.int64 if wanted is int else np.float64)


def _all(cells: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return all(map(pattern.fullmatch, cells))
