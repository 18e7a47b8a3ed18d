"""The recipe of voice detectors: trained and evaluated on voices and noise that are made by formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import data, losses, metrics, nn, optim
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.audio.voices import scenes
from rosin.stdlib.zoo.settings import Result, Settings

KNOBS: dict[str, Any] = {"learning_rate": 3e-3, "scenes": 400, "frames": 64}
"""The highest rate of AdamW, how many sounds there are to train on, and of how many frames."""
_HELD_OUT = 100
_SMOOTHED = 1e-6
"""What probabilities are kept away from 0 and 1, so that the cross entropy of a frame that is far off is finite."""


def train(settings: Settings, make: Callable[..., Any]) -> Result:
    """Train a detector, and evaluate it on other sounds."""
    knobs = settings.knobs
    model = make(key=settings.seed, **settings.options)
    count = 48 if settings.quick else knobs["scenes"]
    items = scenes(count, knobs["frames"], model.frame, model.rate, settings.seed + 1)
    loader = data.Loader(items, settings.batch or 16, shuffle=True, seed=settings.seed)
    epochs = settings.epochs or (2 if settings.quick else 6)
    steps = epochs * len(loader)
    schedule = optim.schedules.warmup_cosine(knobs["learning_rate"], warmup=min(20, steps // 5), steps=steps)
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(schedule))
    held_out = _held_out(settings, model)
    training = recipe.fit(
        settings,
        model,
        optimizer,
        _loss,
        loader,
        epochs=epochs,
        observe=_observe,
        metrics={"accuracy": metrics.BinaryAccuracy(threshold=0.5)},
        evaluate=lambda model: {"held_out_accuracy": scores(model, held_out)["accuracy"]},
    )
    return recipe.report(settings, scores(training.state.model, held_out))


def evaluate(settings: Settings, make: Callable[..., Any], pretrained: Callable[..., Any]) -> Result:
    """Evaluate what was trained in the folder, or the pretrained weights where nothing was, on the held out sounds."""
    if recipe.is_trained(settings):
        model = recipe.trained(settings, make(key=settings.seed, **settings.options))
    else:
        model = pretrained(**{name: value for name, value in settings.options.items() if name == "rate"})
    return recipe.report(settings, scores(model, _held_out(settings, model)))


def _held_out(settings: Settings, model: Any) -> data.Arrays:
    count = 16 if settings.quick else _HELD_OUT
    return scenes(count, settings.knobs["frames"], model.frame, model.rate, seed=0)


def scores(model: nn.Module, held_out: data.Arrays, batch: int = 20) -> dict[str, float]:
    """Accuracy of frames at a probability of one half, area under the curve, cross entropy."""
    step = rosin.compile(lambda model, sound: model(sound)[0])
    loader = data.Loader(held_out, min(batch, len(held_out)))
    found = [np.asarray(step(model, rnp.asarray(b.data["sound"])))[b.mask] for b in loader]
    probabilities, speech = rnp.asarray(np.concatenate(found)), rnp.asarray(held_out.arrays["speech"])
    accuracy = metrics.BinaryAccuracy(threshold=0.5).update(probabilities, speech)
    return {
        "accuracy": float(accuracy.compute()),
        "auc": float(metrics.AUC.of().update(rnp.ravel(probabilities), rnp.ravel(speech)).compute()),
        "cross_entropy": float(rnp.mean(_cross_entropy(probabilities, speech))),
    }


def _cross_entropy(probabilities: Array, speech: Array) -> Array:
    kept = rnp.clip(probabilities, _SMOOTHED, 1 - _SMOOTHED)
    return -(speech * rnp.log(kept) + (1 - speech) * rnp.log1p(-kept))


def _loss(model: Any, batch: Any, run: nn.Run) -> Any:
    items, mask = batch
    probabilities, _ = model(items["sound"])
    each = rnp.mean(_cross_entropy(probabilities, items["speech"]), axis=1)
    return losses.reduced("loss", each, "mean", mask), probabilities


def _observe(found: dict[str, Any], batch: Any, probabilities: Array) -> dict[str, Any]:
    items, mask = batch
    shown = rnp.broadcast_to(mask[:, None], probabilities.shape)
    return {"accuracy": found["accuracy"].update(probabilities, items["speech"], shown)}
