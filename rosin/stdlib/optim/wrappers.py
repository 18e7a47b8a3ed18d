"""Optimizers around optimizers: gradients of several batches as one step, slow weights, averages of the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.transform import Transform, Tree, apply_updates, counter, needed, parameters, zeros

map_ = rosin.tree.map


@dataclass
class AccumulatedState:
    """How many gradients were summed, their mean so far, and the inner state."""

    count: Array
    mean: Tree
    inner: Tree


def accumulate(inner: Transform, steps: int) -> Transform:
    """A step of the inner optimizer for every `steps` gradients, with their mean; in between nothing moves."""

    def start(params: Tree) -> AccumulatedState:
        return AccumulatedState(counter(), zeros(params), inner.start(params))

    def step(gradient: Tree, state: AccumulatedState, params: Tree, **extra: Any) -> tuple[Tree, AccumulatedState]:
        count = state.count + 1
        mean = map_(lambda m, g: m + (g - m) / rnp.astype(count, g.dtype), state.mean, gradient)

        def go(mean: Tree, own: Tree) -> Any:
            updates, own = inner.step(mean, own, params, **extra)
            return updates, AccumulatedState(counter(), map_(rnp.zeros_like, mean), own)

        def wait(mean: Tree, own: Tree) -> Any:
            return map_(rnp.zeros_like, mean), AccumulatedState(count, mean, own)

        return rosin.cond(count >= steps, go, wait, mean, state.inner)

    return Transform(start, step)


@dataclass
class LookaheadState:
    """How many fast steps were made, the slow weights, and the inner state."""

    count: Array
    slow: Tree
    inner: Tree


def lookahead(inner: Transform, steps: int = 5, pull: float = 0.5) -> Transform:
    """Every `steps` steps the weights go back to a part `pull` of their way since then (Zhang et al. 2019)."""

    def start(params: Tree) -> LookaheadState:
        # A copy, since the parameters may be donated.
        return LookaheadState(counter(), map_(lambda p: p + 0, params), inner.start(params))

    def step(gradient: Tree, state: LookaheadState, params: Tree, **extra: Any) -> tuple[Tree, LookaheadState]:
        params = needed(params, "lookahead")
        updates, own = inner.step(gradient, state.inner, params, **extra)
        count = state.count + 1
        back = count % steps == 0
        slow = map_(lambda s, p, u: rnp.where(back, s + pull * (p + u - s), s), state.slow, params, updates)
        updates = map_(lambda s, p, u: rnp.where(back, s - p, u), slow, params, updates)
        return updates, LookaheadState(count, slow, own)

    return Transform(start, step)


@dataclass
class Average:
    """A running mean of parameters: `average = average.update(model)` after each step, then `average.of(model)`."""

    count: Array
    mean: Tree
    decay: Array

    @classmethod
    def start(cls, params: Tree, decay: float = 0.999) -> Average:
        """An average that has seen nothing."""
        return cls(counter(), zeros(parameters(params)), rnp.asarray(decay, dtype=rosin.float32))

    def update(self, params: Tree) -> Average:
        """The average after these parameters too."""
        decay = self.decay

        def mixed(m: Array, p: Array) -> Array:
            own = rnp.astype(decay, m.dtype)
            return own * m + (1 - own) * p

        return Average(self.count + 1, map_(mixed, self.mean, parameters(params)), decay)

    def of(self, params: Tree) -> Tree:
        """The parameters with their means in their place, corrected for the start at zero; other arrays stay."""
        whole = 1 - self.decay ** rnp.astype(self.count, self.decay.dtype)
        difference = map_(lambda m, p: m / rnp.astype(whole, m.dtype) - p, self.mean, parameters(params))
        return apply_updates(params, difference)


@dataclass
class AveragedState:
    """The running mean of the parameters after each step, and the inner state."""

    average: Average
    inner: Tree


def averaged(inner: Transform, decay: float = 0.999) -> Transform:
    """The inner optimizer, whose state keeps a running mean of the parameters too: `state.average.of(model)` is the
    model with the means, which is often the better one (Polyak and Juditsky 1992)."""

    def start(params: Tree) -> AveragedState:
        return AveragedState(Average.start(params, decay), inner.start(params))

    def step(gradient: Tree, state: AveragedState, params: Tree, **extra: Any) -> tuple[Tree, AveragedState]:
        params = needed(params, "averaged")
        updates, own = inner.step(gradient, state.inner, params, **extra)
        return updates, AveragedState(state.average.update(apply_updates(params, updates)), own)

    return Transform(start, step)
