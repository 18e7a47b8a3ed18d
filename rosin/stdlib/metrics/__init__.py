"""Metrics that accumulate: `metric.update(…)` for each batch, also in compiled steps, then `metric.compute()`."""

from __future__ import annotations

from rosin.stdlib.metrics.averages import R2, Mean, MeanAbsoluteError, MeanSquaredError, Perplexity
from rosin.stdlib.metrics.classes import AUC, Accuracy, BinaryAccuracy, Confusion, InceptionScore
from rosin.stdlib.metrics.metric import Metric, MetricError
from rosin.stdlib.metrics.two_sample import Discrepancy, frechet_distance, mmd, mmd_test, nearest_neighbor_accuracy

__all__ = [
    "AUC",
    "R2",
    "Accuracy",
    "BinaryAccuracy",
    "Confusion",
    "Discrepancy",
    "InceptionScore",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "MetricError",
    "Perplexity",
    "frechet_distance",
    "mmd",
    "mmd_test",
    "nearest_neighbor_accuracy",
]
