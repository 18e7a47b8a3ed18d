"""Losses: how far predictions are from what they should be.

Every loss takes `reduction`: "none" gives the losses as they are, "mean" their mean, "sum" their sum. Arguments that go
together element by element broadcast, unless it is said otherwise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.nn.activations import log_sigmoid, relu, softplus
from rosin.frontend.nn.distances import pairwise_distance
from rosin.frontend.numpy import elementwise, logic, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def reduced(name: str, losses: Array, reduction: str) -> Array:
    """The losses, or one number of them.

    Raises:
        AttributeValueError: there is no such reduction.
    """
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        promote.bad_value(f'{name}: reduction is "none", "mean" or "sum", not {reduction!r}', losses)
    return reductions.mean(losses) if reduction == "mean" else reductions.sum(losses)


# -- numbers -----------------------------------------------------------------------------------------------------------


def mse_loss(x: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Array:
    """The squared difference."""
    a, b = promote.promoted("mse_loss", x, target, floating=True)
    return reduced("mse_loss", elementwise.square(a - b), reduction)


def l1_loss(x: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Array:
    """The absolute difference."""
    a, b = promote.promoted("l1_loss", x, target, floating=True)
    return reduced("l1_loss", elementwise.abs(a - b), reduction)


def smooth_l1_loss(x: ArrayLike, target: ArrayLike, /, *, beta: float = 1.0, reduction: str = "mean") -> Array:
    """d² / (2 beta) for a difference d below `beta`, and |d| - beta / 2 from there on. Girshick, 2015.

    Raises:
        AttributeValueError: beta is negative.
    """
    if beta < 0:
        promote.bad_value(f"smooth_l1_loss: beta is {beta}; it is not negative")
    if beta == 0:
        return l1_loss(x, target, reduction=reduction)
    return huber_loss(x, target, delta=beta, reduction=reduction) / beta


def huber_loss(x: ArrayLike, target: ArrayLike, /, *, delta: float = 1.0, reduction: str = "mean") -> Array:
    """d² / 2 for a difference d up to `delta`, and delta (|d| - delta / 2) from there on. Huber, 1964.

    Raises:
        AttributeValueError: delta is not positive.
    """
    if delta <= 0:
        promote.bad_value(f"huber_loss: delta is {delta}; it is positive")
    a, b = promote.promoted("huber_loss", x, target, floating=True)
    gap = elementwise.abs(a - b)
    losses = logic.where(gap <= delta, elementwise.square(gap) * 0.5, (gap - 0.5 * delta) * delta)
    return reduced("huber_loss", losses, reduction)


def poisson_nll_loss(
    x: ArrayLike,
    target: ArrayLike,
    /,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    """The negative log-likelihood of counts under Poisson distributions of rate exp(x), or x if not `log_input`.

    It lacks the term of the count alone, of which `full` adds Stirling's approximation for counts above 1. `eps` is
    added to rates before their logarithm is taken.
    """
    a, b = promote.promoted("poisson_nll_loss", x, target, floating=True)
    losses = transcendental.exp(a) - b * a if log_input else a - b * transcendental.log(a + eps)
    if full:
        count = logic.where(b > 1, b, 1)
        stirling = count * transcendental.log(count) - count + transcendental.log(count * (2 * math.pi)) * 0.5
        losses = losses + logic.where(b > 1, stirling, 0)
    return reduced("poisson_nll_loss", losses, reduction)


def gaussian_nll_loss(
    x: ArrayLike,
    target: ArrayLike,
    variance: ArrayLike,
    /,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Array:
    """The negative log-likelihood of numbers under normal distributions of mean x.

    It lacks the constant log(2π) / 2, which `full` adds. Variances below `eps` count as that, but keep their slope.

    Raises:
        AttributeValueError: eps is not positive.
    """
    if eps <= 0:
        promote.bad_value(f"gaussian_nll_loss: eps is {eps}; it is positive")
    mean, goal, spread = promote.promoted("gaussian_nll_loss", x, target, variance, floating=True)
    lifted = spread + promote.stopped(elementwise.maximum(spread, eps) - spread)
    losses = (transcendental.log(lifted) + elementwise.square(mean - goal) / lifted) * 0.5
    return reduced("gaussian_nll_loss", losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


# -- two classes -------------------------------------------------------------------------------------------------------


def binary_cross_entropy(
    x: ArrayLike, target: ArrayLike, /, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Array:
    """-(t log x + (1 - t) log(1 - x)) of probabilities x; logarithms count as at least -100."""
    p, t = promote.promoted("binary_cross_entropy", x, target, floating=True)
    yes, no = (_at_least(logarithm, -100) for logarithm in (transcendental.log(p), transcendental.log1p(-p)))
    return reduced("binary_cross_entropy", _weighted(-(t * yes + (1 - t) * no), weight), reduction)


def _at_least(x: Array, bound: float) -> Array:
    return logic.where(logic.less(x, bound), bound, x)


def _weighted(losses: Array, weight: ArrayLike | None) -> Array:
    return losses if weight is None else elementwise.multiply(losses, weight)


def binary_cross_entropy_with_logits(
    x: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> Array:
    """The binary cross entropy of sigmoid(x), without overflow in between; `pos_weight` scales the term of target 1."""
    name = "binary_cross_entropy_with_logits"
    a, t = promote.promoted(name, x, target, floating=True)
    share = 1.0 if pos_weight is None else t * (promote.floating(name, pos_weight) - 1) + 1
    losses = (1 - t) * a + softplus(-a) * share
    return reduced(name, _weighted(losses, weight), reduction)


def soft_margin_loss(x: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Array:
    """log(1 + exp(-t x)), t being 1 or -1."""
    a, t = promote.promoted("soft_margin_loss", x, target, floating=True)
    return reduced("soft_margin_loss", softplus(-t * a), reduction)


def hinge_embedding_loss(x: ArrayLike, target: ArrayLike, /, *, margin: float = 1.0, reduction: str = "mean") -> Array:
    """x where the target is 1, and max(0, margin - x) where it is -1."""
    a, t = promote.promoted("hinge_embedding_loss", x, target, floating=True)
    losses = logic.where(logic.equal(t, -1), 0, a) + logic.where(logic.equal(t, 1), 0, relu(margin - a))
    return reduced("hinge_embedding_loss", losses, reduction)


# -- pairs and triplets ------------------------------------------------------------------------------------------------


def margin_ranking_loss(
    x1: ArrayLike, x2: ArrayLike, target: ArrayLike, /, *, margin: float = 0.0, reduction: str = "mean"
) -> Array:
    """max(0, margin - t (x1 - x2)): t is 1 where x1 should be the greater, and -1 where x2 should.

    Raises:
        ShapeError: the arguments differ in rank.
    """
    given = [promote.array("margin_ranking_loss", x) for x in (x1, x2, target)]
    if len({len(core.shape_of(x)) for x in given}) > 1:
        promote.bad_shape("margin_ranking_loss: the arguments have one rank", *given)
    a, b, t = promote.promoted("margin_ranking_loss", *given)
    return reduced("margin_ranking_loss", relu(elementwise.negative(t) * (a - b) + margin), reduction)


def cosine_embedding_loss(
    x1: ArrayLike, x2: ArrayLike, target: ArrayLike, /, *, margin: float = 0.0, reduction: str = "mean"
) -> Array:
    """1 - c where the target is 1, and max(0, c - margin) where it is -1, c being the cosine along the last axis."""
    a, b = promote.promoted("cosine_embedding_loss", x1, x2, floating=True)
    square = [reductions.sum(elementwise.square(x), axis=-1) + 1e-12 for x in (a, b)]
    cosine = reductions.sum(a * b, axis=-1) / transcendental.sqrt(square[0] * square[1])
    t = promote.cast(promote.array("cosine_embedding_loss", target), core.dtype_of(cosine))
    near, far = logic.where(logic.equal(t, 1), 1 - cosine, 0), logic.where(logic.equal(t, -1), relu(cosine - margin), 0)
    return reduced("cosine_embedding_loss", near + far, reduction)


def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    /,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), d being `pairwise_distance`. Balntas et al., 2016.

    With `swap` the distance from positive to negative counts for the last one where it is less.

    Raises:
        AttributeValueError: the margin is not positive.
    """
    if margin <= 0:
        promote.bad_value(f"triplet_margin_loss: margin is {margin}; it is positive")
    near, far = (pairwise_distance(anchor, other, p=p, eps=eps) for other in (positive, negative))
    if swap:
        far = elementwise.minimum(far, pairwise_distance(positive, negative, p=p, eps=eps))
    return reduced("triplet_margin_loss", relu(near - far + margin), reduction)


# -- distributions -----------------------------------------------------------------------------------------------------


def kl_div(x: ArrayLike, target: ArrayLike, /, *, log_target: bool = False, reduction: str = "mean") -> Array:
    """t (log t - x): the divergence of log-probabilities x from t, which are logarithms if `log_target`.

    "batchmean" as a reduction is the sum divided by the size of the first axis, which is the mean divergence.
    """
    a, t = promote.promoted("kl_div", x, target, floating=True)
    if log_target:
        losses = transcendental.exp(t) * (t - a)
    else:
        logarithm = transcendental.log(logic.where(t > 0, t, 1))
        losses = logic.where(t > 0, t * logarithm, 0 * t) - t * a
    if reduction != "batchmean":
        return reduced("kl_div", losses, reduction)
    if not core.shape_of(losses):
        promote.bad_shape("kl_div: a number is no batch to take the mean of", losses)
    return reductions.sum(losses) / reductions.count_of(core.shape_of(losses)[0], core.dtype_of(losses))


def multilabel_soft_margin_loss(
    x: ArrayLike, target: ArrayLike, /, *, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Array:
    """The mean over the last axis of the binary cross entropies of sigmoid(x[…, C]) with target[…, C]."""
    a, t = promote.promoted("multilabel_soft_margin_loss", x, target, floating=True)
    losses = -(t * log_sigmoid(a) + (1 - t) * log_sigmoid(-a))
    mean = reductions.mean(_weighted(losses, weight), axis=-1)
    return reduced("multilabel_soft_margin_loss", mean, reduction)
