"""Layers whose weight is computed from other parameters: weight norm and spectral norm."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.chain import call
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, buffer, param, static
from rosin.stdlib.nn.run import EVAL, Run


class WeightNorm(Module):
    """A layer whose weight is `g v / |v|`, a length and a direction for each output (Salimans and Kingma 2016).

    The weight of `layer` is the direction v, of any length.
    """

    layer: Module
    length: Array = param("out")
    name: str = static()

    def __init__(self, layer: Module, *, name: str = "weight") -> None:
        """At first the layer does what it did. `name` is the field of the weight, whose first axis is of outputs."""
        self.layer = layer
        self.name = name
        self.length = _norms(_weight("WeightNorm", layer, name))

    def __call__(self, x: Any, run: Run = EVAL) -> Any:
        direction = getattr(self.layer, self.name)
        scale = self.length / _norms(direction)
        weight = direction * rnp.reshape(scale, (-1, *(1,) * (direction.ndim - 1)))
        return call(self.layer.replace(**{self.name: weight}), x, run=run)


class SpectralNorm(Module):
    """A layer whose weight is divided by its largest singular value (Miyato et al. 2018).

    The weight is seen as a matrix of outputs by all else. Each run in training makes `iterations` steps of the power
    method from where the last one ended.
    """

    layer: Module
    left: Array = buffer("out")
    right: Array = buffer("rest")
    name: str = static()
    iterations: int = static()
    eps: float = static()

    def __init__(
        self, layer: Module, *, key: KeyLike, name: str = "weight", iterations: int = 1, eps: float = 1e-12
    ) -> None:
        """Fifteen steps are made at first, so that the first run has the value already."""
        weight = _weight("SpectralNorm", layer, name)
        matrix = rnp.reshape(weight, (weight.shape[0], -1))
        self.layer = layer
        self.name = name
        self.iterations = iterations
        self.eps = eps
        start = rosin.random.normal(keys_of(key)(), (matrix.shape[1],), matrix.dtype)
        self.left, self.right = _power(matrix, start, 15, eps)

    def __call__(self, x: Any, run: Run = EVAL) -> Any:
        weight = getattr(self.layer, self.name)
        matrix = rnp.reshape(weight, (weight.shape[0], -1))
        now = run.latest(self)
        left, right = now.left, now.right
        if run.training:
            left, right = _power(rosin.stop_gradient(matrix), right, self.iterations, self.eps)
            run.update(self, left=left, right=right)
        largest = left @ matrix @ right
        return call(self.layer.replace(**{self.name: weight / largest}), x, run=run)


def _weight(kind: str, layer: Module, name: str) -> Array:
    weight = getattr(layer, name, None)
    if not isinstance(weight, rosin.Array) or weight.ndim < 2:
        raise ModuleError(f"{kind}: {type(layer).__name__} has no weight {name!r} with an axis of outputs and one more")
    return weight


def _norms(weight: Array) -> Array:
    """The length of the part of a weight that belongs to each output."""
    return rnp.linalg.vector_norm(rnp.reshape(weight, (weight.shape[0], -1)), axis=1)


def _power(matrix: Array, right: Array, steps: int, eps: float) -> tuple[Array, Array]:
    """Singular vectors after steps of the power method that begin at `right`."""
    left = rnp.zeros(matrix.shape[0], dtype=matrix.dtype)
    for _ in range(steps):
        left = rosin.nn.normalize(matrix @ right, axis=0, eps=eps)
        right = rosin.nn.normalize(left @ matrix, axis=0, eps=eps)
    return left, right
