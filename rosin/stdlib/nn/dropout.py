"""Noise that keeps a network from relying on single features."""

from __future__ import annotations

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.module import Module, ModuleError, static
from rosin.stdlib.nn.run import EVAL, Run


class Dropout(Module):
    """In training, elements become 0 with probability `rate` and the others grow by 1 / (1 - rate) (Srivastava 2014).

    Along the axes of `broadcast` all elements share one fate: `(2, 3)` drops whole channels of images.
    """

    rate: float = static()
    broadcast: tuple[int, ...] = static()

    def __init__(self, rate: float = 0.5, *, broadcast: tuple[int, ...] = ()) -> None:
        """Raises ModuleError where `rate` is not in [0, 1]."""
        self.rate = _rate("Dropout", rate)
        self.broadcast = broadcast

    def __call__(self, x: Array, run: Run = EVAL) -> Array:
        if not run.training or self.rate == 0:
            return x
        axes = {axis % x.ndim for axis in self.broadcast}
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return _dropped(x, self.rate, shape, run)


class DropPath(Module):
    """In training, whole examples become 0 with probability `rate`: around it a residual connection (Huang 2016)."""

    rate: float = static()

    def __init__(self, rate: float) -> None:
        """Raises ModuleError where `rate` is not in [0, 1]."""
        self.rate = _rate("DropPath", rate)

    def __call__(self, x: Array, run: Run = EVAL) -> Array:
        if not run.training or self.rate == 0:
            return x
        return _dropped(x, self.rate, (x.shape[0], *(1,) * (x.ndim - 1)), run)


def _rate(layer: str, rate: float) -> float:
    if not 0 <= rate <= 1:
        raise ModuleError(f"{layer}: the rate is a probability, not {rate}")
    return rate


def _dropped(x: Array, rate: float, shape: tuple[int, ...], run: Run) -> Array:
    if rate == 1:
        return rnp.zeros_like(x)
    keep = rosin.random.bernoulli(run.key(), 1 - rate, shape)
    return rnp.where(keep, x / (1 - rate), rnp.zeros_like(x))
