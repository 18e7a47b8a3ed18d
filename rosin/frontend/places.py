"""`x.at[index]`: arrays like others, with changes at some places."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.core import ArrayLike
from rosin.frontend.numpy.indexing import changed

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class At:
    """`x.at`: give it an index."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Place:
        return Place(self._array, index)

    def __repr__(self) -> str:
        return f"{self._array!r}.at"


class Place:
    """`x.at[index]`: the methods give `x` with changes there. Repeated places take each change in turn,
    so that of several values that are set the last stays."""

    __slots__ = ("_array", "_index")

    def __init__(self, array: Array, index: Any) -> None:
        self._array, self._index = array, index

    def get(self) -> Array:
        """The elements there."""
        return self._array[self._index]

    def set(self, values: ArrayLike) -> Array:
        """`x` with these values there."""
        return changed(self._array, self._index, "set", values)

    def add(self, values: ArrayLike) -> Array:
        """`x` with these values added there."""
        return changed(self._array, self._index, "add", values)

    def subtract(self, values: ArrayLike) -> Array:
        """`x` with these values subtracted there."""
        return changed(self._array, self._index, "add", -values if core.is_scalar(values) else -core.asarray(values))

    def multiply(self, values: ArrayLike) -> Array:
        """`x` multiplied by these values there."""
        return changed(self._array, self._index, "multiply", values)

    def min(self, values: ArrayLike) -> Array:
        """The lesser of `x` and these values there."""
        return changed(self._array, self._index, "min", values)

    def max(self, values: ArrayLike) -> Array:
        """The greater of `x` and these values there."""
        return changed(self._array, self._index, "max", values)

    def apply(self, function: Callable[[Array], Array]) -> Array:
        """`x` with what is there replaced by `function` of it; each place is meant once."""
        return self.set(function(self.get()))

    mul = multiply
