"""The usual optimizers. `rate` is a number or a schedule. Defaults are PyTorch's where it has the optimizer."""

from __future__ import annotations

from collections.abc import Callable

from rosin import Array
from rosin.stdlib.optim.adaptive import (
    scale_by_adagrad,
    scale_by_adam,
    scale_by_lion,
    scale_by_nadam,
    scale_by_rms,
    scale_by_trust_ratio,
    trace,
)
from rosin.stdlib.optim.gradients import add_decayed_weights, scale_by_rate
from rosin.stdlib.optim.schedules import Rate
from rosin.stdlib.optim.transform import Transform, chain

Where = Callable[[str, Array], bool]


def sgd(rate: Rate, *, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Transform:
    """Gradient descent (Robbins and Monro 1951), with momentum (Polyak 1964) or Nesterov's."""
    parts = [add_decayed_weights(weight_decay)] if weight_decay else []
    parts += [trace(momentum, nesterov=nesterov)] if momentum else []
    return chain(*parts, scale_by_rate(rate))


def adam(
    rate: Rate = 1e-3, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> Transform:
    """Kingma and Ba 2015. `weight_decay` is added to the gradient; `adamw` keeps them apart."""
    parts = [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(*parts, scale_by_adam(b1, b2, eps), scale_by_rate(rate))


def adamw(
    rate: Rate = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    where: Where | None = None,
) -> Transform:
    """Loshchilov and Hutter 2019: Adam, and weights that decay by themselves, those for which `where` holds."""
    return chain(scale_by_adam(b1, b2, eps), add_decayed_weights(weight_decay, where), scale_by_rate(rate))


def nadam(
    rate: Rate = 2e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
    weight_decay: float = 0.0,
) -> Transform:
    """Dozat 2016: Adam with Nesterov's momentum."""
    parts = [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(*parts, scale_by_nadam(b1, b2, eps, momentum_decay), scale_by_rate(rate))


def adagrad(rate: Rate = 1e-2, *, initial: float = 0.0, eps: float = 1e-10, weight_decay: float = 0.0) -> Transform:
    """Duchi et al. 2011."""
    parts = [add_decayed_weights(weight_decay)] if weight_decay else []
    return chain(*parts, scale_by_adagrad(initial, eps), scale_by_rate(rate))


def rmsprop(
    rate: Rate = 1e-2,
    *,
    decay: float = 0.99,
    eps: float = 1e-8,
    centered: bool = False,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> Transform:
    """Hinton 2012."""
    parts = [add_decayed_weights(weight_decay)] if weight_decay else []
    parts.append(scale_by_rms(decay, eps, centered=centered))
    parts += [trace(momentum)] if momentum else []
    return chain(*parts, scale_by_rate(rate))


def lion(
    rate: Rate = 1e-4, *, b1: float = 0.9, b2: float = 0.99, weight_decay: float = 1e-3, where: Where | None = None
) -> Transform:
    """Chen et al. 2023: steps of one size, by the sign of the momentum."""
    return chain(scale_by_lion(b1, b2), add_decayed_weights(weight_decay, where), scale_by_rate(rate))


def lamb(
    rate: Rate = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    where: Where | None = None,
) -> Transform:
    """You et al. 2020: Adam with the step of each layer in proportion to its weights, for large batches."""
    return chain(
        scale_by_adam(b1, b2, eps),
        add_decayed_weights(weight_decay, where),
        scale_by_trust_ratio(),
        scale_by_rate(rate),
    )
