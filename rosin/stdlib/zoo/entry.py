"""A model in the zoo: its card, and functions that build, train and evaluate it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import rosin
from rosin.stdlib import nn
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings


@dataclass(frozen=True)
class Entry:
    """All that the zoo knows of a model; a file of the zoo defines one, mostly under the name ENTRY."""

    card: Card
    make: Callable[..., nn.Module]
    """`make(*, key, **options)`: the model before training."""
    inputs: Callable[..., tuple[rosin.ShapeDtypeStruct, ...]]
    """`inputs(batch, **options)`: the types of what the model takes, for a model of these options."""
    train: Callable[[Settings], Result]
    evaluate: Callable[[Settings], Result]
    """Of what `train` left in the folder, or of the pretrained weights where there are some and no training."""
    pretrained: Callable[[], nn.Module] | None = None
    small: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of a model that is small enough to be differentiated in a test."""
    knobs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings of the recipe's own, such as a rate, and their defaults; none has the name of an option of `make`."""

    def __post_init__(self) -> None:
        """Raises ZooError where a knob has an option's name: `--set` could mean either."""
        both = sorted(set(self.options) & set(self.knobs))
        if both:
            known = ", ".join(both)
            raise ZooError(
                f"the entry {self.card.name}: {known} is both an option of the model and a knob of its recipe"
            )

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that `make` takes."""
        parameters = inspect.signature(self.make).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "key")
