"""How well scores tell classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.metrics.averages import Averaged
from rosin.stdlib.metrics.metric import Metric, MetricError, setting, weights_of, zero


@dataclass
class Accuracy(Averaged):
    """The part of examples whose class `[...]` has one of the `top` highest of the scores `[..., classes]`."""

    top: int = setting(default=1)

    def update(self, scores: Array, labels: Array, mask: Array | None = None) -> Self:
        if scores.shape[:-1] != labels.shape:
            shapes = f"{tuple(scores.shape)} and {tuple(labels.shape)}"
            raise MetricError(f"Accuracy: scores are [..., classes] and labels [...], not {shapes}")
        own = rnp.take_along_axis(scores, labels[..., None], axis=-1)
        # Of scores that tie, the first counts as the higher one, as for argmax.
        earlier = rnp.arange(scores.shape[-1]) < labels[..., None]
        above = rnp.sum((scores > own) | ((scores == own) & earlier), axis=-1)
        return self.add(above < self.top, mask)


@dataclass
class BinaryAccuracy(Averaged):
    """The part of elements whose score is above the threshold just where the target is true."""

    threshold: float = setting(default=0.0)

    def update(self, scores: Array, targets: Array, mask: Array | None = None) -> Self:
        right = (scores > self.threshold) == (rnp.asarray(targets) > 0)
        return self.add(right, mask)


@dataclass
class Confusion(Metric):
    """How often examples of each class (rows) were taken for each class (columns), and what follows from it."""

    counts: Array

    @classmethod
    def of(cls, classes: int) -> Confusion:
        """Nothing seen yet."""
        return cls(rnp.zeros((classes, classes), dtype=rosin.float32))

    def update(self, predictions: Array, labels: Array, mask: Array | None = None) -> Self:
        """Predictions are classes `[...]`, or scores of them `[..., classes]`."""
        if predictions.ndim == labels.ndim + 1:
            predictions = rnp.argmax(predictions, axis=-1)
        if predictions.shape != labels.shape:
            shapes = f"{tuple(predictions.shape)} and {tuple(labels.shape)}"
            raise MetricError(f"Confusion: there is one prediction for each label, not {shapes}")
        own = rnp.reshape(weights_of(labels.shape, mask), (-1,))
        places = rnp.reshape(labels, (-1,)), rnp.reshape(predictions, (-1,))
        return type(self)(self.counts.at[places].add(own))

    def compute(self) -> Array:
        """The matrix of counts."""
        return self.counts

    def accuracy(self) -> Array:
        """The part of examples that were taken for what they are."""
        return rnp.trace(self.counts) / rnp.sum(self.counts)

    def precision(self, average: Literal["macro", "none"] = "macro") -> Array:
        """Of those taken for a class, the part that is of it; 0 for a class that nothing was taken for."""
        return _averaged(self._hits(), rnp.sum(self.counts, axis=0), average)

    def recall(self, average: Literal["macro", "none"] = "macro") -> Array:
        """Of those of a class, the part that was taken for it; 0 for a class that did not occur."""
        return _averaged(self._hits(), rnp.sum(self.counts, axis=1), average)

    def f1(self, average: Literal["macro", "none"] = "macro") -> Array:
        """The harmonic mean of precision and recall."""
        either = rnp.sum(self.counts, axis=0) + rnp.sum(self.counts, axis=1)
        return _averaged(2 * self._hits(), either, average)

    def iou(self, average: Literal["macro", "none"] = "macro") -> Array:
        """Intersection over union of each class."""
        hits = self._hits()
        return _averaged(hits, rnp.sum(self.counts, axis=0) + rnp.sum(self.counts, axis=1) - hits, average)

    def _hits(self) -> Array:
        return rnp.linalg.diagonal(self.counts)


def _averaged(above: Array, below: Array, average: str) -> Array:
    each = rnp.where(below > 0, above / rnp.where(below > 0, below, 1), 0)
    return rnp.mean(each) if average == "macro" else each


@dataclass
class AUC(Metric):
    """The area under the receiver operating characteristic, from counts of scores in `bins` between 0 and 1.

    It is exact up to scores that share a bin, which count one half.
    """

    positive: Array
    negative: Array

    @classmethod
    def of(cls, bins: int = 1000) -> AUC:
        """Nothing seen yet."""
        return cls(rnp.zeros(bins, dtype=rosin.float32), rnp.zeros(bins, dtype=rosin.float32))

    def update(self, probabilities: Array, targets: Array, mask: Array | None = None) -> Self:
        bins = self.positive.shape[0]
        place = rnp.astype(rnp.clip(rnp.reshape(probabilities, (-1,)) * bins, 0, bins - 1), rosin.int32)
        own = rnp.reshape(weights_of(targets.shape, mask), (-1,))
        positive = rnp.astype(rnp.reshape(rnp.asarray(targets) > 0, (-1,)), rosin.float32)
        return type(self)(
            self.positive.at[place].add(own * positive), self.negative.at[place].add(own * (1 - positive))
        )

    def compute(self) -> Array:
        below = rnp.cumulative_sum(self.negative) - self.negative / 2
        return rnp.sum(self.positive * below) / (rnp.sum(self.positive) * rnp.sum(self.negative))


@dataclass
class InceptionScore(Metric):
    """How sure a classifier is of generated examples and how evenly they fall into its classes: the exponential of the
    mean divergence of an example's classes from those of all, between 1 and their number (Salimans et al. 2016)."""

    probabilities: Array
    negentropy: Array
    count: Array

    @classmethod
    def of(cls, classes: int) -> InceptionScore:
        """Nothing seen yet."""
        return cls(rnp.zeros(classes, dtype=rosin.float32), zero(), zero())

    def update(self, scores: Array, mask: Array | None = None) -> Self:
        """Scores are a classifier's `[count, classes]`, before the softmax."""
        own = weights_of(scores.shape[:1], mask)
        # The scores of an example that does not count may be anything.
        logs = rosin.nn.log_softmax(rnp.where(own[:, None] != 0, rnp.astype(scores, rosin.float32), 0))
        probabilities = rnp.exp(logs) * own[:, None]
        # A class of probability 0 adds nothing, though its logarithm is not finite.
        negentropy = rnp.sum(rnp.where(probabilities > 0, probabilities * logs, 0))
        return type(self)(
            self.probabilities + rnp.sum(probabilities, axis=0),
            self.negentropy + negentropy,
            self.count + rnp.sum(own),
        )

    def compute(self) -> Array:
        shares = self.probabilities / self.count
        spread = rnp.sum(rnp.where(shares > 0, shares * rnp.log(rnp.where(shares > 0, shares, 1)), 0))
        return rnp.exp(self.negentropy / self.count - spread)
