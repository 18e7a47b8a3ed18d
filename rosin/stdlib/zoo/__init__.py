"""Models that are ready: built, trained and evaluated by name, here and by `rosin zoo`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rosin.stdlib import nn
from rosin.stdlib.zoo import recipe, registry
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings

__all__ = [
    "Card",
    "Entry",
    "Result",
    "Settings",
    "ZooError",
    "card",
    "entry",
    "evaluate",
    "make",
    "names",
    "pretrained",
    "train",
]

entry = registry.entry


def names() -> tuple[str, ...]:
    """The names of all models."""
    return tuple(registry.MODELS)


def card(name: str) -> Card:
    """The card of a model.

    Raises:
        ZooError: there is no such model.
    """
    return entry(name).card


def make(name: str, key: Any = 0, **options: Any) -> nn.Module:
    """A model before training. `rosin.eval_shape(lambda: zoo.make(name))` has its shapes without its numbers.

    Raises:
        ZooError: there is no such model, or it has no such option.
    """
    found = entry(name)
    _split(found, options, known_knobs=False)
    return found.make(key=key, **options)


def pretrained(name: str) -> nn.Module:
    """A model with the weights that a package carries.

    Raises:
        ZooError: there is no such model, there are no weights for it, or the package is not installed.
    """
    found = entry(name).pretrained
    if found is None:
        having = ", ".join(other for other in names() if entry(other).pretrained is not None)
        raise ZooError(f"no package carries weights for {name}; there are some for {having or 'no model'}")
    return found()


def train(
    name: str,
    folder: str | PathLike[str] | None = None,
    *,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    data: str | None = None,
    quick: bool = False,
    quiet: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Train a model by its recipe. In `folder`, by default `runs/<name>`, are its checkpoints, logs and weights; the
    training goes on from what is there.

    `options` are those of the model's `make`, and settings of the recipe.

    Raises:
        ZooError: there is no such model or option, data are missing, or the folder has a training of other settings.
    """
    found = entry(name)
    own, knobs = _split(found, options or {})
    place = Path("runs", name) if folder is None else Path(folder)
    settings = Settings(place, epochs, batch, seed, data, quick, quiet, own, knobs)
    recipe.begin(name, settings)
    return found.train(settings)


def evaluate(
    name: str,
    folder: str | PathLike[str] | None = None,
    *,
    data: str | None = None,
    quiet: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Result:
    """Evaluate what a training left in `folder`, with the settings that it had, or else the pretrained weights.

    `data` and `options` stand in place of those of the training.

    Raises:
        ZooError: there is no such model or option, nothing was trained in the folder, or something else was.
    """
    found = entry(name)
    place = Path("runs", name) if folder is None else Path(folder)
    told = recipe.noted(place) or {"model": name}
    if told["model"] != name:
        raise ZooError(f"{place} has a training of {told['model']}, and not of {name}")
    given = {**told.get("options", {}), **told.get("knobs", {}), **(options or {})}
    own, knobs = _split(found, given)
    settings = Settings(place, quiet=quiet, options=own, knobs=knobs)
    kept = {key: told[key] for key in ("batch", "seed", "data", "quick") if key in told}
    settings = dataclasses.replace(settings, **kept)
    return found.evaluate(settings if data is None else dataclasses.replace(settings, data=data))


def _split(
    found: Entry, given: Mapping[str, Any], *, known_knobs: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the model's `make`, and settings of the recipe with their defaults."""
    own = found.options
    knobs = dict(found.knobs) if known_knobs else {}
    for name in given:
        if name not in own and name not in knobs:
            told = ", ".join([*own, *knobs]) or "none"
            raise ZooError(f"{found.card.name} has no option {name!r}; its options are {told}")
    options = {name: value for name, value in given.items() if name in own}
    return options, knobs | {name: value for name, value in given.items() if name in knobs}
