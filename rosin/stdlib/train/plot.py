"""Curves of a training as an SVG file."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path

from rosin.stdlib.train.figures import Line, Panel, figure, note
from rosin.stdlib.train.fit import Callback, Training
from rosin.stdlib.weights import files

_LOSS = "training loss"
_MOST = 1000
"""Points of a curve; where there are more, each comes to stand for twice as many steps."""


@dataclass
class _Curve:
    """Means over spans of steps: the last step of each, the mean, and how many numbers it is of."""

    points: list[tuple[int, float, int]] = field(default_factory=list[tuple[int, float, int]])
    span: int = 1

    def add(self, step: int, value: float, count: int = 1) -> None:
        if self.points and (self.points[-1][0] - 1) // self.span == (step - 1) // self.span:
            _, mean, before = self.points.pop()
            value, count = (mean * before + value * count) / (before + count), before + count
        self.points.append((step, value, count))
        if len(self.points) > _MOST:
            wider = _Curve(span=2 * self.span)
            for point in self.points:
                wider.add(*point)
            self.points, self.span = wider.points, wider.span


class Plot(Callback):
    """The losses of steps and the values of epochs as curves in an SVG file, which is written after each epoch, in one
    piece, and read again by a training that goes on.

    Values whose names end in the same word share a panel: `accuracy` and `test_accuracy`.
    """

    def __init__(self, path: str | PathLike[str], *, every: int | None = None, log: Collection[str] = ()) -> None:
        """`every` so many steps the file is written as well. `log` has the last words of names whose values get a
        logarithmic axis: `log={"loss"}`."""
        self.path, self.every, self.log = Path(path), every, frozenset(log)
        self._curves: dict[str, _Curve] = {}
        self._cut = False

    def on_start(self, training: Training) -> None:
        self._curves, self._cut = _saved(self.path), False

    def on_step(self, training: Training) -> None:
        if not self._cut:
            # What the file has beyond the checkpoint that the training went on from comes again.
            for curve in self._curves.values():
                curve.points = [point for point in curve.points if point[0] < training.step]
            self._cut = True
        self._curves.setdefault(_LOSS, _Curve()).add(training.step, training.loss)
        if self.every is not None and training.step % self.every == 0:
            self._write()

    def on_epoch(self, training: Training) -> None:
        for name, value in training.values.items():
            self._curves.setdefault(name, _Curve()).add(training.step, value)
        self._write()

    def on_end(self, training: Training) -> None:
        if self._cut:
            self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        groups: dict[str, list[Line]] = {}
        for name, curve in self._curves.items():
            line = Line(name, [(step, mean) for step, mean, _ in curve.points], smooth=name == _LOSS)
            groups.setdefault(_last_word(name), []).append(line)
        panels = [Panel(word, lines, "steps", word in self.log) for word, lines in groups.items()]
        curves = {name: asdict(curve) for name, curve in self._curves.items()}
        files.replace(self.path, [figure(panels, json.dumps({"curves": curves})).encode()])


def _last_word(name: str) -> str:
    return re.split(r"[\W_]+", name.strip())[-1] or name


def _saved(path: Path) -> dict[str, _Curve]:
    """The curves in a file that an earlier training wrote; none where the file is another's."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        found = json.loads(note(path.read_text()) or "")["curves"]
        return {
            name: _Curve([(a, b, c) for a, b, c in curve["points"]], curve["span"]) for name, curve in found.items()
        }
    return {}
