"""Model cards: what a model is, where it comes from, and what it reached."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, fields

_WIDTH = 100


@dataclass(frozen=True)
class Card:
    """What there is to know of a model before it is used."""

    name: str
    title: str
    task: str
    summary: str
    source: str
    """The paper."""
    parameters: int
    """Of the default configuration."""
    data: str
    """What the train command trains on, and where it comes from."""
    metric: str
    result: str
    """What the train command reached, with the command."""
    license: str
    """Of the pretrained weights, or of the data."""
    weights: str | None = None
    """The package that carries pretrained weights."""

    def __str__(self) -> str:
        lines = [self.title, "=" * len(self.title)]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "title") or value is None:
                continue
            told = f"{value:,}" if isinstance(value, int) else value
            lines += textwrap.wrap(told, _WIDTH, initial_indent=f"{field.name:<12}", subsequent_indent=" " * 12)
        return "\n".join(lines)
