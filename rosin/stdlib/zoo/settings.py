"""What a training or an evaluation is told, and what it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What the command line says of a training or an evaluation; None leaves it to the model's recipe."""

    folder: Path
    """Where checkpoints, logs, weights and pictures go; a training that was stopped goes on from there."""
    epochs: int | None = None
    batch: int | None = None
    seed: int = 0
    data: str | None = None
    """The name of a data set that the recipe knows, or a path."""
    quick: bool = False
    """A training of seconds, that shows that everything works."""
    quiet: bool = False
    """No progress bar."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of the model's `make`."""
    knobs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings of the recipe's own: all of the entry's `knobs`, with what was given in place of the defaults."""


@dataclass(frozen=True)
class Result:
    """What a training or an evaluation found."""

    values: dict[str, float]
    files: tuple[Path, ...] = ()
    """What was written that people look at."""
    text: str = ""

    def __str__(self) -> str:
        lines = [f"{name:<24}{value:.6g}" for name, value in self.values.items()]
        return "\n".join([*([self.text] if self.text else []), *lines, *map(str, self.files)])
