"""Metrics that accumulate: `metric.update(…)` for each batch, also in compiled steps, then `metric.compute()`."""

from __future__ import annotations

from rosin.stdlib.metrics.averages import R2, Mean, MeanAbsoluteError, MeanSquaredError, Perplexity
from rosin.stdlib.metrics.classes import AUC, Accuracy, BinaryAccuracy, Confusion
from rosin.stdlib.metrics.metric import Metric, MetricError

__all__ = [
    "AUC",
    "R2",
    "Accuracy",
    "BinaryAccuracy",
    "Confusion",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "MetricError",
    "Perplexity",
]
