"""Data sets: things with a length, whose items are trees of NumPy arrays and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

import rosin
from rosin.stdlib.data.errors import DataError

Item: TypeAlias = Any
"""A tree of NumPy arrays and numbers."""


@runtime_checkable
class Dataset(Protocol):
    """What a loader takes. `take(indices)`, if there is one, gives a whole batch at once."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Item: ...


class Arrays:
    """A tree of arrays whose first axis counts the items: `Arrays({"image": images, "label": labels})`."""

    def __init__(self, arrays: Any) -> None:
        """Raises DataError where the arrays are not of one length."""
        self.arrays = rosin.tree.map(np.asarray, arrays)
        lengths = {name: array.shape[:1] for name, array in zip(_names(arrays), self._leaves(), strict=True)}
        if len(set(lengths.values())) != 1 or () in lengths.values():
            told = ", ".join(f"{name} {array.shape}" for name, array in zip(lengths, self._leaves(), strict=True))
            raise DataError(f"Arrays: the first axes count the items and are of one length, not {told}")

    def _leaves(self) -> list[Any]:
        return rosin.tree.leaves(self.arrays)

    def __len__(self) -> int:
        return len(self._leaves()[0])

    def __getitem__(self, index: int) -> Item:
        return rosin.tree.map(lambda x: x[index], self.arrays)

    def take(self, indices: np.ndarray[Any, Any]) -> Any:
        """The items at these places as one batch."""
        return rosin.tree.map(lambda x: x[indices], self.arrays)


def _names(tree: Any) -> list[str]:
    _, structure = rosin.tree.flatten(tree)
    return [accessor.codify("arrays") for accessor in structure.accessors()]


@dataclass(frozen=True)
class Mapped:
    """Each item as a function gives it; it runs where the item is loaded, in a worker if there are some."""

    dataset: Dataset
    function: Callable[[Item], Item]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Item:
        return self.function(self.dataset[index])


@dataclass(frozen=True)
class Subset:
    """The items at some places."""

    dataset: Dataset
    indices: Sequence[int] | np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Item:
        return self.dataset[int(self.indices[index])]


@dataclass(frozen=True)
class Concatenated:
    """One data set after the other."""

    datasets: tuple[Dataset, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.datasets)

    def __getitem__(self, index: int) -> Item:
        for part in self.datasets:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)


def split(dataset: Dataset, *parts: float, seed: int = 0) -> tuple[Subset, ...]:
    """Data sets of these parts of the items, drawn by `seed`: `split(dataset, 0.8, 0.2)`.

    Raises:
        DataError: the parts are not positive, or more than the whole.
    """
    if min(parts, default=0) <= 0 or sum(parts) > 1 + 1e-9:
        raise DataError(f"split: parts are positive and sum to at most 1, not {parts}")
    order = np.random.default_rng(seed).permutation(len(dataset))
    ends = np.round(np.cumsum((0.0, *parts)) * len(dataset)).astype(int)
    return tuple(Subset(dataset, order[a:b]) for a, b in itertools.pairwise(ends))
