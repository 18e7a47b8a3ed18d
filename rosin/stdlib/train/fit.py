"""A training: epochs of steps, and callbacks that see them. Every part of it can be used by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import rosin
from rosin.stdlib.train.blame import bad_gradients, bad_items, first_bad_layer
from rosin.stdlib.train.errors import DivergedError
from rosin.stdlib.train.step import Loss, Outcome, Step, TrainState


@dataclass
class Training:
    """What callbacks see of a training, and how they end it: by setting `stop` to a reason."""

    state: TrainState
    epochs: int
    steps_in_epoch: int | None
    epoch: int = 0
    step: int = 0
    """Steps made, in all epochs."""
    loss: float = float("nan")
    gradient_norm: float = float("nan")
    examples: int = 0
    """Examples seen, in all epochs."""
    values: dict[str, float] = field(default_factory=dict[str, float])
    """Metrics of the last epoch, and what `evaluate` gave after it."""
    stop: str | None = None
    loader: Any = None
    callbacks: Sequence[Callback] = ()


class Callback:
    """Something that is told of a training. Each method may be left out."""

    outermost: ClassVar[bool] = False
    """Whether it is told of the start before the others, and of all else after them, as who saves what they have is."""

    @property
    def label(self) -> str:
        """What its part of a checkpoint is called."""
        return type(self).__name__

    def state(self) -> dict[str, Any]:
        """What it has to remember in a checkpoint, as JSON holds it."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state()` was taken; called before `on_start`."""

    def on_start(self, training: Training) -> None:
        """Before the first step; may change `training.state` and where the loader is."""

    def on_step(self, training: Training) -> None:
        """After a step."""

    def on_epoch(self, training: Training) -> None:
        """After an epoch and its evaluation."""

    def on_end(self, training: Training) -> None:
        """After the last step, also if an error ended the training."""


def fit(
    step: Callable[[TrainState, Any], tuple[TrainState, Outcome]],
    state: TrainState,
    loader: Iterable[Any],
    *,
    epochs: int,
    batch: Callable[[Any], Any] = lambda batch: (batch.data, batch.mask),
    evaluate: Callable[[Any], dict[str, float]] | None = None,
    callbacks: Sequence[Callback] = (),
    loss: Loss | None = None,
) -> Training:
    """Go through a loader so many times. The metrics of the state begin anew in each epoch.

    `batch` makes of what the loader gives what the step takes; `evaluate(model)` runs after each epoch. A loader that
    tells its `epoch` in `state()`, as `data.Loader`, goes on where it is.

    Raises:
        DivergedError: the loss or the gradient of a step is not finite. `loss`, by default the one that the step was
            made from, is used to find the layer.
    """
    loss = step.loss if loss is None and isinstance(step, Step) else loss
    steps = len(loader) if hasattr(loader, "__len__") else None  # pyright: ignore[reportArgumentType]
    callbacks = sorted(callbacks, key=lambda callback: callback.outermost)
    training = Training(state, epochs, steps, loader=loader, callbacks=callbacks)
    try:
        for callback in sorted(callbacks, key=lambda callback: not callback.outermost):
            callback.on_start(training)
        training.epoch = loader.state()["epoch"] if hasattr(loader, "state") else training.epoch  # pyright: ignore[reportAttributeAccessIssue]
        training.step = int(training.state.step)
        while training.epoch < epochs and training.stop is None:
            _epoch(step, training, loader, batch, callbacks, loss)
            if training.stop is not None:
                break
            training.epoch += 1
            training.values = {name: float(m.compute()) for name, m in training.state.metrics.items()}
            if evaluate is not None:
                training.values |= evaluate(training.state.model)
            for callback in callbacks:
                callback.on_epoch(training)
            training.state.metrics = {name: metric.reset() for name, metric in training.state.metrics.items()}
    finally:
        for callback in callbacks:
            callback.on_end(training)
    return training


def _epoch(
    step: Callable[[TrainState, Any], tuple[TrainState, Outcome]],
    training: Training,
    loader: Iterable[Any],
    batch: Callable[[Any], Any],
    callbacks: Sequence[Callback],
    loss: Loss | None,
) -> None:
    for loaded in loader:
        given = rosin.tree.map(rosin.numpy.asarray, batch(loaded))
        training.state, outcome = step(training.state, given)
        training.step += 1
        training.examples += len(loaded.indices) if hasattr(loaded, "indices") else 0
        training.loss, training.gradient_norm = float(outcome.loss), float(outcome.gradient_norm)
        if not bool(outcome.finite):
            raise _diverged(training, given, loaded, loss)
        for callback in callbacks:
            callback.on_step(training)
        if training.stop is not None:
            return


def _diverged(training: Training, given: Any, loaded: Any, loss: Loss | None) -> DivergedError:
    told = f"loss {training.loss}, norm of the gradient {training.gradient_norm}"
    lines = [f"step {training.step - 1} has no finite result: {told}"]
    places = bad_items(given)
    indices = loaded.indices.tolist() if hasattr(loaded, "indices") else None
    if indices is not None:
        lines.append(f"its batch has the items {indices}")
        places = [indices[place] for place in places if place < len(indices)]
    if places:
        lines.append(f"the batch itself holds numbers that are not finite, in the items {places}")
    if loss is not None:
        # The step changed nothing but its number.
        state = TrainState(training.state.model, (), training.state.step - 1, training.state.key, {})
        lines.append(_blamed(loss, state, given, training.loss))
    return DivergedError("\n  ".join(lines))


def _blamed(loss: Loss, state: TrainState, batch: Any, value: float) -> str:
    layer = first_bad_layer(loss, state, batch)
    if layer is not None:
        return f"the first layer whose result is not finite is {layer}"
    if not math.isfinite(value):
        return "every layer's result is finite, so the loss itself is not"
    names = bad_gradients(loss, state, batch)
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    what = f"derivatives by {', '.join(names[:4])}{more} are not" if names else "the norm of all derivatives is not"
    return f"every layer's result is finite; {what}"
