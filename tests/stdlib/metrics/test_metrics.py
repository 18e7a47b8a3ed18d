"""Metrics over batches against scikit-learn over the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as theirs

import rosin
from rosin import numpy as rnp
from rosin.stdlib import metrics

RNG = np.random.default_rng(0)
SCORES = RNG.standard_normal((300, 5)).astype(np.float32)
LABELS = np.where(RNG.random(300) < 0.6, SCORES.argmax(1), RNG.integers(0, 5, 300)).astype(np.int32)
MASK = RNG.random(300) < 0.8


def over(metric: Any, *arrays: np.ndarray[Any, Any]) -> Any:
    """The metric after three batches, in one compiled step, and what two halves merge to."""

    @rosin.compile
    def step(metric: Any, *batch: Any) -> Any:
        return metric.update(*batch)

    start = metric
    for part in zip(*(np.split(x, 3) for x in arrays), strict=True):
        metric = step(metric, *map(rnp.asarray, part))
    assert len(step.signatures()) == 1
    halves = [start.update(*map(rnp.asarray, part)) for part in zip(*(np.split(x, 2) for x in arrays), strict=True)]
    merged = halves[0].merge(halves[1])
    np.testing.assert_allclose(merged.compute(), metric.compute(), rtol=1e-5)
    whole = list(map(rnp.asarray, arrays))
    np.testing.assert_array_equal(metric.reset().update(*whole).compute(), start.update(*whole).compute())
    return metric


def test_accuracy() -> None:
    predicted = SCORES.argmax(1)
    np.testing.assert_allclose(
        over(metrics.Accuracy(), SCORES, LABELS).compute(), theirs.accuracy_score(LABELS, predicted), rtol=1e-6
    )
    found = over(metrics.Accuracy(), SCORES, LABELS, MASK).compute()
    np.testing.assert_allclose(found, theirs.accuracy_score(LABELS[MASK], predicted[MASK]), rtol=1e-6)
    found = over(metrics.Accuracy(top=2), SCORES, LABELS).compute()
    np.testing.assert_allclose(found, theirs.top_k_accuracy_score(LABELS, SCORES, k=2), rtol=1e-6)
    ties = metrics.Accuracy().update(rnp.zeros((4, 3)), rnp.asarray([0, 1, 2, 0]))
    assert float(ties.compute()) == 0.5
    assert np.isnan(float(metrics.Accuracy().compute()))
    with pytest.raises(metrics.MetricError, match=r"\(4, 3\) and \(3,\)"):
        metrics.Accuracy().update(rnp.zeros((4, 3)), rnp.asarray([0, 1, 2]))


def test_confusion() -> None:
    predicted = SCORES.argmax(1)
    found = over(metrics.Confusion.of(5), SCORES, LABELS)
    np.testing.assert_array_equal(found.compute(), theirs.confusion_matrix(LABELS, predicted))
    np.testing.assert_allclose(found.accuracy(), theirs.accuracy_score(LABELS, predicted), rtol=1e-6)
    for name in ("precision", "recall", "f1"):
        wanted = getattr(theirs, f"{name}_score")(LABELS, predicted, average=None)
        np.testing.assert_allclose(getattr(found, name)("none"), wanted, rtol=1e-5)
        np.testing.assert_allclose(getattr(found, name)(), wanted.mean(), rtol=1e-5)
    wanted = theirs.jaccard_score(LABELS, predicted, average=None)
    np.testing.assert_allclose(found.iou("none"), wanted, rtol=1e-5)
    masked = metrics.Confusion.of(5).update(rnp.asarray(predicted), rnp.asarray(LABELS), rnp.asarray(MASK))
    np.testing.assert_array_equal(masked.compute(), theirs.confusion_matrix(LABELS[MASK], predicted[MASK]))
    empty = metrics.Confusion.of(3)
    assert float(empty.f1()) == 0
    with pytest.raises(metrics.MetricError, match="one prediction for each label"):
        empty.update(rnp.zeros(3), rnp.zeros(4))


def test_binary_metrics() -> None:
    targets = (LABELS > 1).astype(np.float32)
    scores = SCORES[:, 0] + targets
    found = over(metrics.BinaryAccuracy(), scores, targets).compute()
    np.testing.assert_allclose(found, theirs.accuracy_score(targets > 0, scores > 0), rtol=1e-6)
    probabilities = 1 / (1 + np.exp(-scores))
    found = over(metrics.AUC.of(100_000), probabilities, targets).compute()
    np.testing.assert_allclose(found, theirs.roc_auc_score(targets, probabilities), rtol=1e-4)


def test_regression() -> None:
    targets, predictions = RNG.standard_normal(300).astype(np.float32), np.zeros(300, np.float32)
    predictions = targets + 0.3 * RNG.standard_normal(300).astype(np.float32)
    for kind, name in (("MeanSquaredError", "mean_squared_error"), ("MeanAbsoluteError", "mean_absolute_error")):
        found = over(getattr(metrics, kind)(), predictions, targets).compute()
        np.testing.assert_allclose(found, getattr(theirs, name)(targets, predictions), rtol=1e-5)
    np.testing.assert_allclose(
        over(metrics.R2(), predictions, targets).compute(), theirs.r2_score(targets, predictions), rtol=1e-4
    )


def test_means() -> None:
    x = rnp.asarray([1.0, np.nan, 3.0, 5.0])
    mean = metrics.Mean().update(x, rnp.asarray([1.0, 0.0, 1.0, 2.0]))
    assert float(mean.compute()) == 3.5
    found = metrics.Perplexity().update(rnp.asarray(SCORES), rnp.asarray(LABELS))
    np.testing.assert_allclose(found.compute(), np.exp(rosin.nn.cross_entropy(SCORES, LABELS)), rtol=1e-5)
