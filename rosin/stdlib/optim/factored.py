"""Adafactor: second moments of matrices kept as one number a row and one a column (Shazeer and Stern 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.schedules import Rate, at
from rosin.stdlib.optim.transform import Transform, Tree, counter, like, needed


@dataclass
class Factors:
    """Running means of squares: of rows and columns of the last two axes, or of each number where there is one axis."""

    row: Array | None
    column: Array | None
    whole: Array | None


@dataclass
class FactoredState:
    """The number of steps, and the factors of each parameter."""

    count: Array
    factors: Tree


def adafactor(
    rate: Rate = 1e-2,
    *,
    decay: float = -0.8,
    eps: float = 1e-3,
    clip: float = 1.0,
    weight_decay: float = 0.0,
) -> Transform:
    """An optimizer whose state for a matrix of n rows and m columns has n + m numbers.

    Step t mixes squares by t ** decay, scales updates to a root mean square of at most `clip`, and moves by the smaller
    of the rate and 1 / √t, times the root mean square of the parameter, which counts as no less than `eps`.
    """

    def start(params: Tree) -> FactoredState:
        return FactoredState(counter(), rosin.tree.map(_factors, params))

    def step(gradient: Tree, state: FactoredState, params: Tree, **extra: Any) -> tuple[Tree, FactoredState]:
        count = state.count + 1
        now = at(rate, state.count)
        leaves, structure = rosin.tree.flatten(gradient)
        own = rosin.tree.leaves(needed(params, "adafactor"))
        known = rosin.tree.leaves(state.factors, is_leaf=lambda x: isinstance(x, Factors))
        moved = [_moved(*each, count, now) for each in zip(leaves, own, known, strict=True)]
        updates = rosin.tree.unflatten(structure, [update for update, _ in moved])
        return updates, FactoredState(count, rosin.tree.unflatten(structure, [factors for _, factors in moved]))

    def _moved(g: Array, p: Array, factors: Factors, count: Array, now: Array | float) -> tuple[Array, Factors]:
        time = rnp.astype(count, rnp.result_type(g, rosin.float32))
        mix = like(time**decay, g)
        tiny = float(rnp.finfo(g.dtype).eps)
        square = g * g
        if factors.row is not None and factors.column is not None:
            row = factors.row + mix * (rnp.mean(square, axis=-1, keepdims=True) - factors.row)
            column = factors.column + mix * (rnp.mean(square, axis=-2, keepdims=True) - factors.column)
            variance = row * column / rnp.maximum(rnp.mean(row, axis=-2, keepdims=True), tiny)
            factors = Factors(row, column, None)
        else:
            assert factors.whole is not None
            variance = factors.whole + mix * (square - factors.whole)
            factors = Factors(None, None, variance)
        update = g / rnp.sqrt(rnp.maximum(variance, tiny * tiny))
        size = rnp.maximum(_rms(p), eps) * rnp.minimum(like(1 / rnp.sqrt(time), g), like(now, g))
        update = update / rnp.maximum(_rms(update) / clip, 1.0)
        return -size * update - like(now, p) * weight_decay * p, factors

    return Transform(start, step)


def _rms(x: Array) -> Array:
    return rnp.sqrt(rnp.mean(rnp.square(x)))


def _factors(p: Array) -> Factors:
    if p.ndim < 2:
        return Factors(None, None, rnp.zeros_like(p))
    shape = p.shape
    return Factors(rnp.zeros((*shape[:-1], 1), p.dtype), rnp.zeros((*shape[:-2], 1, shape[-1]), p.dtype), None)
