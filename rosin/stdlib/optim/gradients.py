"""Transforms of gradients as they come: scaling, clipping, weight decay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.schedules import Rate, at
from rosin.stdlib.optim.transform import Transform, Tree, counter, like, masked, needed, stateless


def scale(factor: float) -> Transform:
    """Gradients times a number."""
    return stateless(lambda g, p: g * factor)


@dataclass
class Counted:
    """The number of steps made."""

    count: Array


def scale_by_rate(rate: Rate) -> Transform:
    """Gradients times less the learning rate, a number or a schedule: the last transform of an optimizer."""

    def step(gradient: Tree, state: Counted, params: Tree, **extra: Any) -> tuple[Tree, Counted]:
        factor = at(rate, state.count)
        return rosin.tree.map(lambda g: g * -like(factor, g), gradient), Counted(state.count + 1)

    return Transform(lambda params: Counted(counter()), step)


def global_norm(tree: Tree) -> Array:
    """The root of the sum of squares of all numbers in a tree."""
    squares = [rnp.sum(rnp.square(rnp.astype(x, rnp.result_type(x, rosin.float32)))) for x in rosin.tree.leaves(tree)]
    return rnp.sqrt(sum(squares, rnp.zeros((), dtype=rosin.float32)))


def clip(limit: float) -> Transform:
    """Each number of the gradients moved to between -limit and limit."""
    return stateless(lambda g, p: rnp.clip(g, -limit, limit))


def clip_by_global_norm(limit: float) -> Transform:
    """All gradients scaled down together so that their norm is at most `limit` (Pascanu et al. 2013)."""

    def step(gradient: Tree, state: Tree, params: Tree, **extra: Any) -> tuple[Tree, Tree]:
        norm = global_norm(gradient)
        factor = rnp.where(norm < limit, 1.0, limit / norm)
        return rosin.tree.map(lambda g: g * rnp.astype(factor, g.dtype), gradient), state

    return Transform(lambda params: (), step)


def clip_by_parameters(limit: float, eps: float = 1e-3) -> Transform:
    """The gradient of each output of a weight scaled down to at most `limit` times the norm of the weight's own part,
    which counts as no less than `eps` (Brock et al. 2021)."""

    def clipped(g: Array, p: Array | None) -> Array:
        w = needed(p, "clip_by_parameters")
        axes = tuple(range(1, g.ndim)) if g.ndim > 1 else tuple(range(g.ndim))
        own = rnp.sqrt(rnp.sum(rnp.square(w), axis=axes, keepdims=True))
        norm = rnp.sqrt(rnp.sum(rnp.square(g), axis=axes, keepdims=True))
        most = limit * rnp.maximum(own, eps)
        return rnp.where(norm > most, g * (most / rnp.maximum(norm, 1e-6)), g)

    return stateless(clipped)


def add_decayed_weights(rate: float, where: Callable[[str, Array], bool] | None = None) -> Transform:
    """The gradients plus `rate` times the parameters, for those for which `where(path, parameter)` holds."""
    decay = stateless(lambda g, p: g + rate * needed(p, "weight decay"))
    return decay if where is None else masked(decay, where)
