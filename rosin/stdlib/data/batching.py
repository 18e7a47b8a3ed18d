"""Items made one batch: stacked, padded to one length, filled up to one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

import rosin
from rosin.stdlib.data.errors import DataError

Collate: TypeAlias = Callable[[Sequence[Any]], Any]
"""Takes the items of a batch to a tree of arrays, whose first axis counts them."""


def stack(items: Sequence[Any]) -> Any:
    """Each array, or number, of the items along a new first axis.

    Raises:
        DataError: the items differ in their trees or shapes.
    """
    structures = {rosin.tree.structure(item) for item in items}
    if len(structures) > 1:
        raise DataError(f"the items of a batch are different trees: {', '.join(map(str, structures))}")
    return rosin.tree.map(_stacked, *items)


def _stacked(*parts: Any) -> np.ndarray[Any, Any]:
    shapes = {np.shape(part) for part in parts}
    if len(shapes) > 1:
        told = ", ".join(map(str, sorted(shapes)))
        raise DataError(f"arrays of shapes {told} do not stack: pad them, as `Padded` does")
    return np.stack([np.asarray(part) for part in parts])


class Padded:
    """As `stack`, after padding the first axis of arrays to the longest, or to the least of `sizes` that has room.

    Few sizes mean few programs. Beside the batch comes the number of elements of each item: `(batch, lengths)`.
    """

    def __init__(self, sizes: Sequence[int] = (), *, value: float = 0) -> None:
        self.sizes = sorted(sizes)
        self.value = value

    def __call__(self, items: Sequence[Any]) -> Any:
        """Raises DataError where an item has arrays of several lengths, or is longer than every size."""
        lengths = [self._length(item) for item in items]
        longest = max(lengths)
        if self.sizes and longest > self.sizes[-1]:
            raise DataError(f"an item of length {longest} is longer than the largest size, {self.sizes[-1]}")
        room = min((size for size in self.sizes if size >= longest), default=longest)
        return stack([rosin.tree.map(lambda x: self._filled(x, room), item) for item in items]), np.asarray(lengths)

    def _length(self, item: Any) -> int:
        lengths = {len(x) for x in rosin.tree.leaves(item) if np.ndim(x)}
        if len(lengths) != 1:
            raise DataError(f"the arrays of an item have the lengths {sorted(lengths)}, and one is needed")
        return lengths.pop()

    def _filled(self, x: Any, room: int) -> Any:
        x = np.asarray(x)
        if not x.ndim:
            return x
        return np.pad(x, [(0, room - len(x)), *[(0, 0)] * (x.ndim - 1)], constant_values=self.value)


def fill(batch: Any, size: int) -> tuple[Any, np.ndarray[Any, Any]]:
    """A batch filled up to `size` items with copies of the last, and which items are its own."""
    count = len(rosin.tree.leaves(batch)[0])
    if count == size:
        return batch, np.ones(size, dtype=bool)
    places = np.minimum(np.arange(size), count - 1)
    return rosin.tree.map(lambda x: np.asarray(x)[places], batch), np.arange(size) < count
