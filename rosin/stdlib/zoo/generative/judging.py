"""How good generated pictures are: beside real ones, and beside those of a normal distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin.stdlib import data, losses, metrics, optim, train
from rosin.stdlib.zoo.generative.pictures import Gaussian, Numbers, Pictures
from rosin.stdlib.zoo.vision.lenet import SMALL, LeNet

FIGURES = ("mmd", "mmd_p", "neighbor_accuracy", "inception_score", "frechet_distance")
"""What `Judge.figures` gives: `metrics.mmd_test` and `metrics.nearest_neighbor_accuracy` of the pixels, and
`metrics.InceptionScore` and `metrics.frechet_distance` by a classifier's scores and last features."""


class Judge:
    """Holds pictures against the real ones that were held out, of which there have to be as many."""

    def __init__(self, pictures: Pictures, *, seed: int = 0, epochs: int = 12) -> None:
        """Trains a LeNet on the real training pictures."""
        self.pictures, self.seed = pictures, seed
        self.model = _classifier(pictures, seed, epochs)
        self._figures = rosin.compile(_figures)

    def figures(self, samples: Numbers) -> dict[str, float]:
        """How far pictures `[count, 1, size, size]`, from 0 to 1, are from the real ones, and how the classifier sees
        them."""
        found = self._figures(self.model, rosin.random.key(self.seed), samples, self.pictures.held_out)
        return dict(zip(FIGURES, map(float, found), strict=True))

    def bounds(self) -> dict[str, dict[str, float]]:
        """The figures of real pictures, from the training part, and of a normal distribution of all pixels."""
        count = len(self.pictures.held_out)
        order = np.random.default_rng(self.seed).permutation(len(self.pictures.training))
        real = self.pictures.training[order[:count]]
        return {"real": self.figures(real), "gaussian": self.figures(Gaussian(self.pictures).sample(count))}


def draw(sample: Callable[[Any, Array, int], Array], model: Any, count: int, seed: int, batch: int = 200) -> Numbers:
    """So many pictures of a model, by a compiled function, in batches of one size."""
    draw_some = rosin.compile(lambda model, key: sample(model, key, batch))
    key, drawn = rosin.random.key(seed), list[Numbers]()
    for number in range(-(-count // batch)):
        drawn.append(np.asarray(draw_some(model, rosin.random.fold_in(key, number))))
    return np.concatenate(drawn)[:count]


def table(figures: dict[str, dict[str, float]]) -> str:
    """Figures of several samples, one a line."""
    width = max(map(len, figures))
    lines = [" " * width + "".join(f"{name:>20}" for name in FIGURES)]
    lines += [f"{who:<{width}}" + "".join(f"{row[name]:>20.4g}" for name in FIGURES) for who, row in figures.items()]
    return "\n".join(lines)


def _figures(model: LeNet, key: Array, samples: Array, real: Array) -> tuple[Array, ...]:
    found = metrics.mmd_test(key, samples, real)
    near = metrics.nearest_neighbor_accuracy(samples, real)
    features, real_features = (model.classifier[:-1](model.features(2 * x - 1)) for x in (samples, real))
    scores = model.classifier[-1](features)
    score = metrics.InceptionScore.of(scores.shape[1]).update(scores).compute()
    return found.value, found.p_value, near, score, metrics.frechet_distance(features, real_features)


def _classifier(pictures: Pictures, seed: int, epochs: int) -> LeNet:
    size = pictures.training.shape[2]
    options: dict[str, Any] = SMALL if size == 8 else {"size": size, "widths": (16, 32), "dropout": 0.25}
    model, optimizer = LeNet(key=seed, **options), optim.adam(2e-3)
    items = data.Arrays({"x": pictures.training, "y": pictures.training_labels})
    loader = data.Loader(items, 64, shuffle=True, seed=seed, drop_last=True)

    def loss(model: Any, batch: Any, run: Any) -> Array:
        items, _ = batch
        return losses.cross_entropy(model(2 * items["x"] - 1, run), items["y"])

    state = train.TrainState.start(model, optimizer, key=seed)
    return train.fit(train.make_step(loss, optimizer), state, loader, epochs=epochs).state.model
