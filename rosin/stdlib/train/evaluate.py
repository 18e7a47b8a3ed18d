"""How a model does on data that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin.stdlib import nn
from rosin.stdlib.metrics import Mean
from rosin.stdlib.train.step import Loss, Observe


def make_evaluate(
    loss: Loss,
    loader: Iterable[Any],
    observe: Observe | None = None,
    metrics: dict[str, Any] | None = None,
    *,
    batch: Callable[[Any], Any] = lambda batch: (batch.data, batch.mask),
    prefix: str = "held_",
) -> Callable[[Any], dict[str, float]]:
    """What `fit` takes as `evaluate`: `evaluate(model)` goes through the loader once and gives the mean loss and the
    metrics, under their names after `prefix`. Arguments are those of `make_step` and `fit`.

    The loss of a batch counts as often as it has items, as far as the loader tells. The loader is brought back to the
    start of its epoch, so each evaluation sees the same batches.
    """

    @rosin.compile
    def look(model: Any, found: dict[str, Any], mean: Mean, given: Any, count: Array) -> Any:
        result = rosin.rewritten(loss)(model, given, nn.EVAL)
        value, aux = result if isinstance(result, tuple) else (result, None)
        found = found if observe is None else rosin.rewritten(observe)(found, given, aux)
        return found, mean.update(value, count)

    start = loader.state() if hasattr(loader, "state") else None  # pyright: ignore[reportAttributeAccessIssue]

    def evaluate(model: Any) -> dict[str, float]:
        found, mean = dict(metrics or {}), Mean()
        if start is not None:
            loader.restore(start)  # pyright: ignore[reportAttributeAccessIssue]
        for loaded in loader:
            count = np.float32(len(loaded.indices) if hasattr(loaded, "indices") else 1)
            given = rosin.tree.map(rosin.numpy.asarray, batch(loaded))
            found, mean = look(model, found, mean, given, rosin.numpy.asarray(count))
        values = {"loss": mean, **found}
        return {prefix + name: float(metric.compute()) for name, metric in values.items()}

    return evaluate
