"""Transforms that scale each number of a gradient by what was seen of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.transform import Transform, Tree, counter, like, needed, stateless, zeros

map_ = rosin.tree.map


@dataclass
class Momentum:
    """The running sum of gradients."""

    trace: Tree


def trace(decay: float, *, nesterov: bool = False) -> Transform:
    """`decay` times what came out before plus the gradient (Polyak 1964), looking ahead if `nesterov`."""

    def step(gradient: Tree, state: Momentum, params: Tree, **extra: Any) -> tuple[Tree, Momentum]:
        new = map_(lambda g, t: g + decay * t, gradient, state.trace)
        return (map_(lambda g, t: g + decay * t, gradient, new) if nesterov else new), Momentum(new)

    return Transform(lambda params: Momentum(zeros(params)), step)


@dataclass
class Moments:
    """Running means of the gradient and of its square, and the number of steps."""

    count: Array
    mean: Tree
    square: Tree


def _moments(params: Tree) -> Moments:
    return Moments(counter(), zeros(params), zeros(params))


def mix(old: Tree, new: Tree, decay: float) -> Tree:
    """`decay` of the old and the rest of the new."""
    return map_(lambda a, b: decay * a + (1 - decay) * b, old, new)


def _unbiased(mean: Array, decay: float, count: Array) -> Array:
    """A running mean that began at zero, as if it had begun with the first number, after `count` steps."""
    if decay == 0:
        return mean
    whole = -rnp.expm1(rnp.astype(count, _exact(mean)) * math.log(decay))
    return mean / rnp.astype(whole, mean.dtype)


def _exact(x: Array) -> Any:
    """The element type in which numbers for an array are computed."""
    return rnp.result_type(x, rosin.float32)


def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Transform:
    """Kingma and Ba 2015: the mean over the root of the mean square, both corrected for their start at zero."""

    def step(gradient: Tree, state: Moments, params: Tree, **extra: Any) -> tuple[Tree, Moments]:
        count = state.count + 1
        mean, square = mix(state.mean, gradient, b1), mix(state.square, map_(rnp.square, gradient), b2)

        def scaled(m: Array, v: Array) -> Array:
            return _unbiased(m, b1, count) / (rnp.sqrt(_unbiased(v, b2, count)) + eps)

        return map_(scaled, mean, square), Moments(count, mean, square)

    return Transform(_moments, step)


@dataclass
class NadamState:
    """Moments, and the product of the momenta so far."""

    moments: Moments
    product: Array


def scale_by_nadam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, momentum_decay: float = 4e-3) -> Transform:
    """Dozat 2016: Adam with Nesterov's momentum, which grows to `b1` by `momentum_decay`."""

    def step(gradient: Tree, state: NadamState, params: Tree, **extra: Any) -> tuple[Tree, NadamState]:
        old = state.moments
        count = old.count + 1
        mean, square = mix(old.mean, gradient, b1), mix(old.square, map_(rnp.square, gradient), b2)
        time = rnp.astype(count, state.product.dtype)
        now, later = (b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (time, time + 1))
        product = state.product * now
        by_gradient, by_mean = (1 - now) / (1 - product), later / (1 - product * later)

        def scaled(g: Array, m: Array, v: Array) -> Array:
            forward = like(by_gradient, g) * g + like(by_mean, g) * m
            return forward / (rnp.sqrt(_unbiased(v, b2, count)) + eps)

        return map_(scaled, gradient, mean, square), NadamState(Moments(count, mean, square), product)

    def start(params: Tree) -> NadamState:
        dtype = rnp.result_type(rosin.float32, *rosin.tree.leaves(params))
        return NadamState(_moments(params), rnp.ones((), dtype=dtype))

    return Transform(start, step)


@dataclass
class Squares:
    """The sum, or running mean, of squares."""

    square: Tree


def scale_by_adagrad(initial: float = 0.0, eps: float = 1e-10) -> Transform:
    """Duchi et al. 2011: divided by the root of the sum of squares so far, which begins at `initial`."""

    def step(gradient: Tree, state: Squares, params: Tree, **extra: Any) -> tuple[Tree, Squares]:
        square = map_(lambda s, g: s + g * g, state.square, gradient)
        return map_(lambda g, s: g / (rnp.sqrt(s) + eps), gradient, square), Squares(square)

    return Transform(lambda params: Squares(map_(lambda p: rnp.full_like(p, initial), params)), step)


@dataclass
class RmsState:
    """Running means of the square and, if it is taken off, of the gradient."""

    square: Tree
    mean: Tree


def scale_by_rms(decay: float = 0.99, eps: float = 1e-8, *, centered: bool = False) -> Transform:
    """Hinton 2012: divided by the root of a running mean of squares, about the running mean if `centered`."""

    def step(gradient: Tree, state: RmsState, params: Tree, **extra: Any) -> tuple[Tree, RmsState]:
        square = mix(state.square, map_(rnp.square, gradient), decay)
        if not centered:
            return map_(lambda g, s: g / (rnp.sqrt(s) + eps), gradient, square), RmsState(square, ())
        mean = mix(state.mean, gradient, decay)
        updates = map_(lambda g, s, m: g / (rnp.sqrt(s - m * m) + eps), gradient, square, mean)
        return updates, RmsState(square, mean)

    return Transform(lambda params: RmsState(zeros(params), zeros(params) if centered else ()), step)


def scale_by_lion(b1: float = 0.9, b2: float = 0.99) -> Transform:
    """Chen et al. 2023: the sign of a mix of the mean and the gradient."""

    def step(gradient: Tree, state: Momentum, params: Tree, **extra: Any) -> tuple[Tree, Momentum]:
        updates = map_(lambda m, g: rnp.sign(b1 * m + (1 - b1) * g), state.trace, gradient)
        return updates, Momentum(mix(state.trace, gradient, b2))

    return Transform(lambda params: Momentum(zeros(params)), step)


def scale_by_trust_ratio() -> Transform:
    """Each array times the norm of the parameter over its own (You et al. 2020); by 1 where either is zero."""

    def scaled(g: Array, p: Array | None) -> Array:
        own = rnp.sqrt(rnp.sum(rnp.square(needed(p, "the trust ratio"))))
        norm = rnp.sqrt(rnp.sum(rnp.square(g)))
        some = (own > 0) & (norm > 0)
        return g * rnp.where(some, own / rnp.where(some, norm, 1), 1)

    return stateless(scaled)
