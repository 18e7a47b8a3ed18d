"""Batches of a data set, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rosin.stdlib.data import batching, order, workers
from rosin.stdlib.data.batching import Collate
from rosin.stdlib.data.datasets import Dataset
from rosin.stdlib.data.errors import DataError


@dataclass(frozen=True)
class Batch:
    """Items that were loaded together."""

    data: Any
    """A tree of arrays, whose first axis counts the items."""
    mask: np.ndarray[Any, Any]
    """Which items are real: the last batch of an epoch is filled up to the size of the others."""
    indices: np.ndarray[Any, Any]
    """The places of the real items in the data set."""


class Loader:
    """Iterating goes through one epoch; the next time, through the next one.

    The order follows from the seed and the number of the epoch alone. `state()` tells where it is, also between two
    batches, and `restore` goes on there.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        fill_last: bool = True,
        collate: Collate = batching.stack,
        batches: Callable[[int], Sequence[np.ndarray[Any, Any]]] | None = None,
        workers: int = 0,
        ahead: int = 2,
        context: str | None = None,
    ) -> None:
        """`fill_last` repeats an item in the last batch, so that all batches have one size and the step that takes them
        is compiled once; `drop_last` leaves it out. With `workers` so many processes load, each `ahead` batches ahead;
        they are started by `context`, a way of `multiprocessing`, and take a pickled copy of the data set unless that
        is "fork".
        `batches(epoch)` gives the places of the items of each batch in another way, `order.by_length` for example.

        Raises:
            DataError: the size is not positive, or there are no items.
        """
        if batch_size < 1 or not len(dataset):
            raise DataError(f"Loader: batches of {batch_size} from {len(dataset)} items")
        self.dataset, self.batch_size, self.collate = dataset, batch_size, collate
        self.shuffle, self.seed, self.drop_last, self.fill_last = shuffle, seed, drop_last, fill_last
        self.workers, self.ahead, self.context = workers, ahead, context
        self._batches = batches
        self._epoch, self._done = 0, 0

    def __len__(self) -> int:
        return len(self.order(self._epoch))

    def order(self, epoch: int) -> Sequence[np.ndarray[Any, Any]]:
        """The places of the items of each batch of an epoch."""
        if self._batches is not None:
            return self._batches(epoch)
        count, size = len(self.dataset), self.batch_size
        return order.batches(count, size, shuffle=self.shuffle, seed=self.seed, epoch=epoch, drop_last=self.drop_last)

    def state(self) -> dict[str, int]:
        """The epoch, how many of its batches were given, and the seed: numbers for a checkpoint."""
        return {"epoch": self._epoch, "done": self._done, "seed": self.seed}

    def restore(self, state: dict[str, int]) -> None:
        """Go on where `state()` was taken.

        Raises:
            DataError: it was of a loader with another seed.
        """
        if state["seed"] != self.seed:
            raise DataError(f"Loader: the state is of seed {state['seed']}, and this loader has seed {self.seed}")
        self._epoch, self._done = state["epoch"], state["done"]

    def __iter__(self) -> Iterator[Batch]:
        jobs = list(self.order(self._epoch))[self._done :]
        if self.workers:
            loaded = workers.load(self._make, jobs, self.workers, self.ahead, self.context)
        else:
            loaded = map(self._make, jobs)
        for batch in loaded:
            # What is counted is what was given, so that a state taken in the loop's body goes on after it.
            self._done += 1
            yield batch
        self._epoch, self._done = self._epoch + 1, 0

    def __getstate__(self) -> dict[str, Any]:
        # Workers need what makes batches, and not where the loader is.
        return {**self.__dict__, "_batches": None}

    def _make(self, indices: np.ndarray[Any, Any]) -> Batch:
        take = getattr(self.dataset, "take", None)
        if take is not None and self.collate is batching.stack:
            data = take(indices)
        else:
            data = self._collated([self._item(int(i)) for i in indices], indices)
        if not self.fill_last:
            return Batch(data, np.ones(len(indices), dtype=bool), indices)
        data, mask = batching.fill(data, self.batch_size)
        return Batch(data, mask, indices)

    def _item(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            error.add_note(f"while item {index} of the data set was loaded")
            raise

    def _collated(self, items: list[Any], indices: np.ndarray[Any, Any]) -> Any:
        try:
            return self.collate(items)
        except Exception as error:
            error.add_note(f"while the items {indices.tolist()} were made a batch")
            raise
