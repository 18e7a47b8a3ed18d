"""Where numbers that are not finite come from: the batch, a layer, or a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn.texts import with_article
from rosin.stdlib.train.step import Loss, TrainState


def bad_items(batch: Any) -> list[int]:
    """The places along the first axis at which an array of a batch is not finite."""
    found: set[int] = set()
    for array in rosin.tree.leaves(batch):
        if array.ndim and not bool(rnp.all(rnp.isfinite(array))):
            rows = rnp.reshape(rnp.isfinite(array), (array.shape[0], -1))
            found.update(np.flatnonzero(~np.asarray(rnp.all(rows, axis=1))).tolist())
    return sorted(found)


def first_bad_layer(loss: Loss, state: TrainState, batch: Any) -> str | None:
    """The path of the first module that gives something that is not finite in step `state.step` on this batch; None if
    every one is finite forward, so that the backward pass is to blame."""
    bad: list[str] = []

    def look(path: str, module: Any, call: Any) -> None:
        arrays = [x for x in rosin.tree.leaves(call.result) if isinstance(x, Array)]
        if not bad and not all(bool(rnp.all(rnp.isfinite(x))) for x in arrays):
            bad.append(f"{path}, {with_article(type(module).__name__)}")

    with nn.hooked(look):
        loss(state.model, batch, nn.Run(rosin.random.fold_in(state.key, state.step)))
    return bad[0] if bad else None


def bad_gradients(loss: Loss, state: TrainState, batch: Any) -> list[str]:
    """The paths of the parameters by which the loss of step `state.step` has a derivative that is not finite."""

    def number(model: Any) -> Array:
        found = loss(model, batch, nn.Run(rosin.random.fold_in(state.key, state.step)))
        return found[0] if isinstance(found, tuple) else found

    gradient = nn.grad(number)(state.model)
    return [path for path, array, _ in nn.paths.walk(gradient) if not bool(rnp.all(rnp.isfinite(array)))]
