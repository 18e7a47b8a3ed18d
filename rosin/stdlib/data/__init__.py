"""Data sets and loaders: batches in an order that can be had again, from processes that load ahead."""

from __future__ import annotations

from rosin.stdlib.data import audio, images, order, readers, text
from rosin.stdlib.data.batching import Padded, fill, stack
from rosin.stdlib.data.datasets import Arrays, Concatenated, Dataset, Mapped, Subset, split
from rosin.stdlib.data.errors import DataError, WorkerError
from rosin.stdlib.data.loader import Batch, Loader

__all__ = [
    "Arrays",
    "Batch",
    "Concatenated",
    "DataError",
    "Dataset",
    "Loader",
    "Mapped",
    "Padded",
    "Subset",
    "WorkerError",
    "audio",
    "fill",
    "images",
    "order",
    "readers",
    "split",
    "stack",
    "text",
]
