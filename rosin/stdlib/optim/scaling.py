"""Optimizers for losses that are scaled, so that gradients of narrow floats do not vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rosin
from rosin import numpy as rnp
from rosin import precision
from rosin.stdlib.optim.transform import Transform, Tree


@dataclass
class ScaledState:
    """The scale of the loss, and the inner state."""

    scale: precision.StaticLossScale
    inner: Tree


def scaled(inner: Transform, scale: precision.StaticLossScale | None = None) -> Transform:
    """An optimizer for gradients of `state.scale.scale(loss)`: it divides them by the scale, makes no step where some
    are not finite, and then adjusts the scale (Micikevicius et al. 2018).

    The scale is a dynamic one unless another is given. With its numbers it is PyTorch's rule: growth after so many
    steps without a fault, backoff after a step with one. What stands around it would see scaled gradients, so it is
    the outermost transform; what is to see the true ones is in the chain inside.
    """
    first = precision.DynamicLossScale(2.0**16, min_loss_scale=0.0) if scale is None else scale

    def start(params: Tree) -> ScaledState:
        # Arrays of its own, since the state may be donated.
        return ScaledState(rosin.tree.map(lambda x: rnp.array(x, copy=True), first), inner.start(params))

    def step(gradient: Tree, state: ScaledState, params: Tree, **extra: Any) -> tuple[Tree, ScaledState]:
        gradient = state.scale.unscale(gradient)
        finite = precision.all_finite(gradient)
        updates, own = inner.step(gradient, state.inner, params, **extra)
        updates = rosin.tree.map(lambda u: rnp.where(finite, u, rnp.zeros_like(u)), updates)
        kept = precision.select_tree(finite, own, state.inner)
        return updates, ScaledState(state.scale.adjust(finite), kept)

    return Transform(start, step)
