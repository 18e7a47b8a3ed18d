"""What metrics are: trees of sums, which take batches one after the other, also inside of compiled steps."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any, Self

import rosin
from rosin import Array
from rosin import numpy as rnp


class MetricError(rosin.RosinError, ValueError):
    """Arguments of a metric that do not go together."""


class Metric:
    """A dataclass of arrays: `metric = metric.update(scores, labels)` for each batch, then `metric.compute()`.

    Two metrics of one kind that saw different batches are merged by adding their sums, which `merge` does.
    """

    @abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> Self:
        """The metric after a batch."""

    @abstractmethod
    def compute(self) -> Array:
        """The value over everything seen; NaN if that was nothing."""

    def merge(self, other: Self) -> Self:
        """The metric over what both have seen."""
        return rosin.tree.map(lambda a, b: a + b, self, other)

    def reset(self) -> Self:
        """The metric before the first batch."""
        return rosin.tree.map(rnp.zeros_like, self)


def zero() -> Array:
    """A sum of nothing."""
    return rnp.zeros((), dtype=rosin.float32)


def setting(**options: Any) -> Any:
    """A field for a setting."""
    return dataclasses.field(metadata={"static": True}, **options)


def weights_of(shape: Any, mask: Array | None) -> Array:
    """1 for each element that counts and 0 for others."""
    if mask is None:
        return rnp.ones(shape, dtype=rosin.float32)
    return rnp.astype(rnp.broadcast_to(mask, shape), rosin.float32)
