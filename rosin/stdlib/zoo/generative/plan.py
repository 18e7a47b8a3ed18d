"""The recipe of generative models: trained on digits that packages carry, and judged by the pictures that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data, nn, train
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.generative import judging, pictures
from rosin.stdlib.zoo.generative.pictures import Numbers, Pictures
from rosin.stdlib.zoo.settings import Result, Settings


@dataclass(frozen=True)
class Task:
    """A training that was asked for, with what the recipe says where the settings say nothing."""

    settings: Settings
    pictures: Pictures
    epochs: int
    batch: int

    def loader(self) -> data.Loader:
        """Batches of training pictures in random order; what is left over in an epoch is left out."""
        items = data.Arrays(self.pictures.training)
        return data.Loader(items, self.batch, shuffle=True, seed=self.settings.seed, drop_last=True)


Fit: TypeAlias = Callable[[Task, Any], Any]
"""Trains a model in the settings' folder, and gives the one to keep."""
Likelihood: TypeAlias = Callable[[Any, Task], dict[str, float]]
"""Numbers of the held out pictures that a model with a likelihood has."""


def plain_draw(model: Any, key: Any, count: int, settings: Settings) -> Any:
    """New pictures of a model whose `sample` needs to be told nothing."""
    return model.sample(key, count)


@dataclass(frozen=True)
class Plan:
    """How a generative model is trained and judged."""

    name: str
    make: Callable[..., nn.Module]
    fit: Fit
    likelihood: Likelihood | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """By data set: the options of the model, beside the size and number of greys of its pictures."""
    epochs: Mapping[str, int] = field(default_factory=dict[str, int])
    """By data set: how often the training goes through it."""
    batch: int = 64
    draw: Callable[[Any, Any, int, Settings], Any] = plain_draw
    """New pictures from 0 to 1: `draw(model, key, count, settings)`."""
    levels: bool = False
    """Whether the model is told the number of greys."""

    def train(self, settings: Settings) -> Result:
        """Train on a data set that packages carry, and judge.

        Raises:
            ZooError: there is no such data set, or its package is not installed.
        """
        task, model = self._found(settings)
        model = self.fit(task, model)
        recipe.keep(settings, model)
        return self._judged(task, model)

    def evaluate(self, settings: Settings) -> Result:
        """Judge what was trained in the folder: numbers, and a grid of pictures.

        Raises:
            ZooError: nothing was trained there.
        """
        task, model = self._found(settings)
        return self._judged(task, recipe.trained(settings, model))

    def _found(self, settings: Settings) -> tuple[Task, nn.Module]:
        name = settings.data or ("digits" if settings.quick else "mnist5000")
        if name not in pictures.LEVELS:
            raise ZooError(f"{self.name} is trained on {' and '.join(pictures.LEVELS)}, and not on {name!r}")
        found = pictures.named(name)
        epochs = settings.epochs or (2 if settings.quick else self.epochs[name])
        task = Task(settings, found, epochs, settings.batch or self.batch)
        options: dict[str, Any] = {"size": found.training.shape[2], **self.options.get(name, {}), **settings.options}
        return task, self.make(key=settings.seed, **({"levels": found.levels} if self.levels else {}), **options)

    def _judged(self, task: Task, model: Any) -> Result:
        settings, real = task.settings, task.pictures
        values = {} if self.likelihood is None else self.likelihood(model, task)
        count, seed = len(real.held_out), settings.seed + 1
        samples = judging.draw(lambda model, key, n: self.draw(model, key, n, settings), model, count, seed)
        file = settings.folder / "samples.png"
        settings.folder.mkdir(parents=True, exist_ok=True)
        data.images.save_png(file, data.images.grid(samples[:100], 10))
        judge = judging.Judge(real, epochs=2 if settings.quick else 12)
        figures = {self.name: judge.figures(samples), **judge.bounds()}
        values |= figures[self.name]
        return recipe.report(settings, values, [file], judging.table(figures))


def mean_over(function: Callable[[Any, Any, Any], Any], model: Any, held_out: Numbers, batch: int = 100) -> float:
    """The mean of `function(model, pictures, key)`, which gives a number for each picture, in batches of one size."""
    step = rosin.compile(function)
    total = 0.0
    for number, begin in enumerate(range(0, len(held_out), batch)):
        part = held_out[begin : begin + batch]
        padded = np.concatenate([part, np.repeat(part[:1], batch - len(part), axis=0)])
        found = np.asarray(step(model, rnp.asarray(padded), rosin.random.key(number)))[: len(part)]
        total += float(found.sum(dtype=np.float64))
    return total / len(held_out)


def fit_game(task: Task, model: nn.Module, players: Mapping[str, train.Player]) -> Any:
    """Train players in turn, in the settings' folder: it goes on from the newest checkpoint there."""
    loader, settings = task.loader(), task.settings
    state = train.start_game(model, players, key=settings.seed)
    looking = recipe.callbacks(settings)
    step = train.make_game(players)
    found = train.fit(step, state, loader, epochs=task.epochs, batch=lambda b: b.data, callbacks=looking)
    return found.state.model
