"""Means of numbers: of losses, of errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.metrics.metric import Metric, weights_of, zero


@dataclass
class Averaged(Metric):
    """A metric that is the mean of numbers that a batch gives."""

    sum: Array = field(default_factory=zero)
    count: Array = field(default_factory=zero)

    def add(self, values: Array, mask: Array | None) -> Self:
        """With these values too; `mask` says which count, or with what weight."""
        values = rnp.astype(rnp.asarray(values), rosin.float32)
        own = weights_of(values.shape, mask)
        # A value that does not count may be anything.
        kept = rnp.where(own != 0, values, 0)
        return replace(self, sum=self.sum + rnp.sum(kept * own), count=self.count + rnp.sum(own))

    def compute(self) -> Array:
        return self.sum / self.count


@dataclass
class Mean(Averaged):
    """The mean of all numbers, or a weighted one."""

    def update(self, values: Array, mask: Array | None = None) -> Self:
        """`mask` says which values count, or with what weight."""
        return self.add(values, mask)


@dataclass
class MeanSquaredError(Averaged):
    """The mean of squared differences."""

    def update(self, predictions: Array, targets: Array, mask: Array | None = None) -> Self:
        return self.add((predictions - targets) ** 2, mask)


@dataclass
class MeanAbsoluteError(Averaged):
    """The mean of absolute differences."""

    def update(self, predictions: Array, targets: Array, mask: Array | None = None) -> Self:
        return self.add(rnp.abs(predictions - targets), mask)


@dataclass
class Perplexity(Averaged):
    """The exponential of the mean cross entropy of scores `[..., classes]` and classes `[...]`."""

    def update(self, scores: Array, labels: Array, mask: Array | None = None) -> Self:
        chosen = rnp.take_along_axis(rosin.nn.log_softmax(scores), labels[..., None], axis=-1)[..., 0]
        return self.add(-chosen, mask)

    def compute(self) -> Array:
        return rnp.exp(self.sum / self.count)


@dataclass
class R2(Metric):
    """The part of the variance of targets that predictions explain."""

    count: Array = field(default_factory=zero)
    targets: Array = field(default_factory=zero)
    squares: Array = field(default_factory=zero)
    residuals: Array = field(default_factory=zero)

    def update(self, predictions: Array, targets: Array, mask: Array | None = None) -> Self:
        own = weights_of(targets.shape, mask)
        predictions, targets = rnp.where(own != 0, predictions, 0), rnp.where(own != 0, targets, 0)
        return type(self)(
            self.count + rnp.sum(own),
            self.targets + rnp.sum(own * targets),
            self.squares + rnp.sum(own * targets**2),
            self.residuals + rnp.sum(own * (predictions - targets) ** 2),
        )

    def compute(self) -> Array:
        return 1 - self.residuals / (self.squares - self.targets**2 / self.count)
