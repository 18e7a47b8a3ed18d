"""What goes with a training: a bar, checkpoints, early stopping, a log."""

from __future__ import annotations

import json
import math
import time
from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal

from tqdm import tqdm

from rosin.stdlib.train.checkpoints import Checkpoints
from rosin.stdlib.train.errors import CheckpointError
from rosin.stdlib.train.fit import Callback, Training


class ProgressBar(Callback):
    """A bar with the loss, the throughput and the time that is left."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._file = file
        self._bar: Any = None
        self._seen, self._began = 0, 0.0

    def on_start(self, training: Training) -> None:
        total = None if training.steps_in_epoch is None else training.steps_in_epoch * training.epochs
        self._seen, self._began = training.examples, time.monotonic()
        self._bar = tqdm(total=total, initial=int(training.state.step), unit="step", file=self._file)

    def on_step(self, training: Training) -> None:
        told = {"loss": f"{training.loss:.4g}", "epoch": training.epoch + 1}
        if training.examples > self._seen:
            told["examples/s"] = f"{(training.examples - self._seen) / (time.monotonic() - self._began):.4g}"
        self._bar.set_postfix(told, refresh=False)
        self._bar.update()

    def on_epoch(self, training: Training) -> None:
        if training.values:
            told = ", ".join(f"{name} {value:.4g}" for name, value in training.values.items())
            self._bar.write(f"epoch {training.epoch}: {told}", file=self._file)

    def on_end(self, training: Training) -> None:
        self._bar.close()


class Checkpointing(Callback):
    """Checkpoints of the state, of where the loader is and of what other callbacks remember, every so many steps or
    after each epoch; a training begins with the newest one that is whole."""

    outermost = True

    def __init__(
        self, folder: str | PathLike[str], *, every: int | None = None, keep: int = 3, resume: bool = True
    ) -> None:
        self.checkpoints = Checkpoints(folder, keep=keep)
        self.every, self.resume = every, resume

    def on_start(self, training: Training) -> None:
        found = self.checkpoints.restore(training.state) if self.resume else None
        if found is None:
            return
        training.state = found.state
        training.examples = found.extra["examples"]
        remembered = found.extra.get("callbacks", {})
        for callback in training.callbacks:
            if callback.label in remembered:
                callback.restore(remembered[callback.label])
        place = found.extra["loader"]
        if place is not None:
            if not hasattr(training.loader, "restore"):
                message = f"{self.checkpoints.folder} has the place of a loader"
                raise CheckpointError(f"{message}, and this one cannot go there: it has no restore()")
            training.loader.restore(place)

    def on_step(self, training: Training) -> None:
        if self.every is not None and training.step % self.every == 0:
            self._save(training)

    def on_epoch(self, training: Training) -> None:
        if self.every is None:
            self._save(training)

    def on_end(self, training: Training) -> None:
        if training.stop is not None:
            self._save(training)

    def _save(self, training: Training) -> None:
        loader = training.loader
        place = loader.state() if hasattr(loader, "state") else None
        remembered = {callback.label: state for callback in training.callbacks if (state := callback.state())}
        extra = {"loader": place, "examples": training.examples, "callbacks": remembered}
        self.checkpoints.save(training.step, training.state, extra)


class EarlyStopping(Callback):
    """Ends a training when a value of the epochs got no better for `patience` epochs.

    One that goes on from a checkpoint ends where it would have without the stop; if it had ended, at once, unless it
    is given more patience.
    """

    def __init__(
        self, name: str, *, patience: int = 5, mode: Literal["min", "max"] = "min", least: float = 0.0
    ) -> None:
        """A change of less than `least` is no improvement."""
        self.name, self.patience, self.mode, self.least = name, patience, mode, least
        self.best = math.inf
        """The best value so far, with the other sign if more is better."""
        self._waited = 0

    @property
    def label(self) -> str:
        return f"EarlyStopping({self.name!r}, mode={self.mode!r}, least={self.least!r})"

    def state(self) -> dict[str, Any]:
        # JSON has no infinity.
        return {"best": self.best if math.isfinite(self.best) else None, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self._waited = math.inf if state["best"] is None else state["best"], state["waited"]

    def on_start(self, training: Training) -> None:
        if int(training.state.step) == 0:
            self.best, self._waited = math.inf, 0
        self._stop(training)

    def on_epoch(self, training: Training) -> None:
        if self.name not in training.values:
            known = ", ".join(training.values) or "none"
            raise KeyError(f"EarlyStopping: there is no value {self.name!r}; there are {known}")
        value = training.values[self.name] * (1 if self.mode == "min" else -1)
        if value < self.best - self.least:
            self.best, self._waited = value, 0
            return
        self._waited += 1
        self._stop(training)

    def _stop(self, training: Training) -> None:
        if self._waited >= self.patience:
            training.stop = f"{self.name} got no better for {self.patience} epochs"


class JsonLog(Callback):
    """A line of JSON for every `every` steps and for each epoch, added to a file."""

    def __init__(self, path: str | PathLike[str], *, every: int = 1) -> None:
        self.path, self.every = Path(path), every
        self._begin = time.time()

    def on_step(self, training: Training) -> None:
        if training.step % self.every == 0:
            self._write(training, loss=training.loss, gradient_norm=training.gradient_norm)

    def on_epoch(self, training: Training) -> None:
        self._write(training, epoch=training.epoch, **training.values)

    def _write(self, training: Training, **values: float) -> None:
        # JSON has no infinities, which the gradient of a skipped step may hold.
        known = {name: value if math.isfinite(value) else None for name, value in values.items()}
        line = {"step": training.step, "seconds": round(time.time() - self._begin, 3), **known}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
