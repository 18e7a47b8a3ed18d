"""Data sets: things with a length, whose items are trees of NumPy arrays and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
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

    @property
    def take(self) -> Callable[[np.ndarray[Any, Any]], Any] | None:
        """That of the data set, if it has one."""
        whole = getattr(self.dataset, "take", None)
        return None if whole is None else lambda indices: whole(np.asarray(self.indices)[indices])


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


def split(dataset: Dataset, *parts: float, seed: int = 0, by: Any = None) -> tuple[Subset, ...]:
    """Data sets of these parts of the items, drawn by `seed`: `split(dataset, 0.8, 0.2)`.

    `by` has a number for each item, its class for example: the parts are then parts of the items of each number, and
    in the order of the data set.

    Raises:
        DataError: the parts are not positive, or more than the whole; `by` has not one number for each item.
    """
    if by is not None:
        if np.shape(by) != (len(dataset),):
            raise DataError(f"split: `by` has shape {np.shape(by)}, and there are {len(dataset)} items")
        return tuple(Subset(dataset, indices) for indices in stratified(by, parts, seed))
    order = np.random.default_rng(seed).permutation(len(dataset))
    return tuple(Subset(dataset, order[a:b]) for a, b in _ends(parts, len(dataset)))


def stratified(groups: Any, parts: Sequence[float], seed: int) -> list[np.ndarray[Any, Any]]:
    """The places, in order, of parts of `groups` that have the same share of each number in it.

    Raises:
        DataError: the parts are not positive, or more than the whole.
    """
    rng = np.random.default_rng(seed)
    found: list[list[np.ndarray[Any, Any]]] = [[] for _ in parts]
    for group in np.unique(groups):
        order = rng.permutation(np.flatnonzero(np.asarray(groups) == group))
        for places, (a, b) in zip(found, _ends(parts, len(order)), strict=True):
            places.append(order[a:b])
    return [np.sort(np.concatenate(places)) for places in found]


def _ends(parts: Sequence[float], count: int) -> Iterator[tuple[int, int]]:
    """Where each of the parts of `count` things begins and ends."""
    if min(parts, default=0) <= 0 or sum(parts) > 1 + 1e-9:
        raise DataError(f"split: parts are positive and sum to at most 1, not {tuple(parts)}")
    return itertools.pairwise(np.round(np.cumsum((0.0, *parts)) * count).astype(int).tolist())
