"""What trainings of the zoo have in common: a folder that a training goes on from, logs, and the weights at its end.

settings.json         what the training was told; another one does not go on in the same folder
checkpoints/          the newest states
tensorboard/, log.jsonl, curves.svg
model.safetensors     the weights after training
result.json           what was reached
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import rosin
from rosin.stdlib import nn, optim, train, weights
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings

M = TypeVar("M", bound=nn.Module)


def begin(name: str, settings: Settings) -> None:
    """Make the folder of a training, and note what it was told.

    Raises:
        ZooError: another training is in the folder.
    """
    told = _told(name, settings)
    file = settings.folder / "settings.json"
    known = noted(settings.folder)
    if known is not None and known != told:
        apart = ", ".join(f"{key} {known.get(key)!r}, not {told[key]!r}" for key in told if known.get(key) != told[key])
        raise ZooError(f"{settings.folder} has a training of other settings ({apart}): name another folder by --out")
    settings.folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=1) + "\n")


def noted(folder: Path) -> dict[str, Any] | None:
    """What the training in a folder was told; None if there is none."""
    file = folder / "settings.json"
    return json.loads(file.read_text()) if file.exists() else None


def _told(name: str, settings: Settings) -> dict[str, Any]:
    """What decides a training, but for how long it is."""
    told: dict[str, Any] = {"model": name, "batch": settings.batch, "seed": settings.seed, "data": settings.data}
    told |= {"quick": settings.quick, "options": dict(settings.options), "knobs": dict(settings.knobs)}
    return json.loads(json.dumps(told))


def callbacks(settings: Settings, *more: train.Callback, every: int | None = None) -> list[train.Callback]:
    """What looks on at a training: checkpoints, which it goes on from, logs and curves, a bar unless it is quiet."""
    folder = settings.folder
    looking: list[train.Callback] = [
        train.Checkpointing(folder / "checkpoints", every=every, keep=2),
        train.TensorBoard(folder / "tensorboard", every=10),
        train.JsonLog(folder / "log.jsonl", every=10),
        train.Plot(folder / "curves.svg"),
        *more,
    ]
    return looking if settings.quiet else [*looking, train.ProgressBar()]


def fit(
    settings: Settings,
    model: nn.Module,
    optimizer: optim.Transform,
    loss: Callable[[Any, Any, nn.Run], Any],
    loader: Iterable[Any],
    *,
    epochs: int,
    observe: Callable[[dict[str, Any], Any, Any], dict[str, Any]] | None = None,
    metrics: dict[str, Any] | None = None,
    evaluate: Callable[[Any], dict[str, float]] | None = None,
    where: nn.Where = nn.is_trained,
    more: Sequence[train.Callback] = (),
) -> train.Training:
    """Train as `train.fit` does, in the settings' folder: it goes on from the newest checkpoint there, and leaves the
    weights in `model.safetensors`.

    Raises:
        CheckpointError: the checkpoints in the folder are of another model.
        DivergedError: the loss of a step is not finite.
    """
    step = train.make_step(loss, optimizer, observe, where=where)
    state = train.TrainState.start(model, optimizer, key=settings.seed, metrics=metrics)
    looking = callbacks(settings, *more)
    training = train.fit(step, state, loader, epochs=epochs, evaluate=evaluate, callbacks=looking, loss=loss)
    keep(settings, training.state.model)
    return training


def keep(settings: Settings, model: nn.Module) -> Path:
    """Save the weights of a trained model."""
    file = settings.folder / "model.safetensors"
    weights.save(file, model)
    return file


def is_trained(settings: Settings) -> bool:
    """Whether the folder has a trained model."""
    return (settings.folder / "model.safetensors").exists()


def trained(settings: Settings, model: M) -> M:
    """The model with the weights that a training left in the folder.

    Raises:
        ZooError: there are none.
        WeightsError: they are of another model.
    """
    if not is_trained(settings):
        raise ZooError(f"there is no trained model in {settings.folder}: train it first, or name its folder by --out")
    model, _ = weights.into(model, weights.load(settings.folder / "model.safetensors"))
    return rosin.tree.map(lambda x: rosin.numpy.array(x, copy=True), model)


def report(settings: Settings, values: dict[str, float], files: Sequence[Path] = (), text: str = "") -> Result:
    """The result of a training or an evaluation, also written to `result.json`."""
    file = settings.folder / "result.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values, indent=1) + "\n")
    return Result(values, tuple(files), text)
