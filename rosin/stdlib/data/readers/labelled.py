"""Examples and what is to be told of them, with names, and in parts that are always the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.stdlib.data.datasets import Arrays, stratified
from rosin.stdlib.data.errors import DataError


class Labelled(Arrays):
    """`{"x": …, "y": …}`: examples, and their classes as numbers or the numbers to be predicted.

    Tables are `x` float32 `[count, fields]`; images uint8 `[count, channels, height, width]`; classes int32 `[count]`.
    """

    def __init__(
        self, name: str, x: Any, y: Any, *, fields: Sequence[str] = (), classes: Sequence[str] = (), targets: Any = ()
    ) -> None:
        """`fields` are the names of the columns of `x`, `classes` those of the classes, `targets` those of the columns
        of a `y` of numbers.

        Raises:
            DataError: the names are not as many as there are columns, or a class has no name.
        """
        super().__init__({"x": x, "y": y})
        self.name, self.fields, self.classes, self.targets = name, tuple(fields), tuple(classes), tuple(targets)
        if self.fields and self.x.shape[1:] != (len(self.fields),):
            raise DataError(f"{name}: {len(self.fields)} fields have names, and x has shape {self.x.shape}")
        if self.classes and len(self) and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise DataError(
                f"{name}: {len(self.classes)} classes have names, and y is {self.y.min()} to {self.y.max()}"
            )

    @property
    def x(self) -> np.ndarray[Any, Any]:
        """The examples."""
        return self.arrays["x"]

    @property
    def y(self) -> np.ndarray[Any, Any]:
        """Their classes, or the numbers to be predicted."""
        return self.arrays["y"]

    def at(self, indices: Any) -> Labelled:
        """The examples at these places, with the same names."""
        names = {"fields": self.fields, "classes": self.classes, "targets": self.targets}
        return Labelled(self.name, self.x[indices], self.y[indices], **names)

    def split(self, *parts: float, seed: int = 0) -> tuple[Labelled, ...]:
        """Data sets of these parts of the examples, of each class if there are some: `train, test = split(0.8, 0.2)`.

        Raises:
            DataError: the parts are not positive, or more than the whole.
        """
        groups = self.y if self.classes else np.zeros(len(self), np.int32)
        return tuple(self.at(indices) for indices in stratified(groups, parts, seed))

    def __repr__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else f"targets {self.y.shape[1:]}"
        return f"Labelled({self.name}: {len(self)} of {self.x.dtype}{list(self.x.shape[1:])}, {what})"
