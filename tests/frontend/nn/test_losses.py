"""Losses against what they are defined as, and their slopes against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as sc

import rosin
from rosin import nn
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near
from tests.frontend.nn.slopes import check_batch, check_slopes

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(4, 5)) * 2, RANDOM.normal(size=(4, 5))
P, Q = RANDOM.uniform(0.05, 0.95, size=(4, 5)), RANDOM.uniform(0.05, 0.95, size=(4, 5))
SIGNS = np.where(RANDOM.normal(size=(4, 5)) > 0, 1.0, -1.0)
COUNTS = RANDOM.integers(0, 6, size=(4, 5)).astype(np.float64)


def _huber(d: np.ndarray, delta: float) -> np.ndarray:
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def _stirling(t: np.ndarray) -> np.ndarray:
    t = np.maximum(t, 1)
    return np.where(t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0)


Case = tuple[Callable[..., Any], tuple[np.ndarray, ...], np.ndarray]
CASES: dict[str, Case] = {
    "mse": (nn.mse_loss, (X, Y), (X - Y) ** 2),
    "l1": (nn.l1_loss, (X, Y), np.abs(X - Y)),
    "huber": (lambda x, y, **k: nn.huber_loss(x, y, delta=0.7, **k), (X, Y), _huber(X - Y, 0.7)),
    "smooth_l1": (lambda x, y, **k: nn.smooth_l1_loss(x, y, beta=0.7, **k), (X, Y), _huber(X - Y, 0.7) / 0.7),
    "smooth_l1_of_beta_0": (lambda x, y, **k: nn.smooth_l1_loss(x, y, beta=0, **k), (X, Y), np.abs(X - Y)),
    "binary_cross_entropy": (nn.binary_cross_entropy, (P, Q), -(Q * np.log(P) + (1 - Q) * np.log(1 - P))),
    "with_logits": (
        nn.binary_cross_entropy_with_logits,
        (X, Q),
        -(Q * sc.log_expit(X) + (1 - Q) * sc.log_expit(-X)),
    ),
    "pos_weight": (
        lambda x, q, w, **k: nn.binary_cross_entropy_with_logits(x, q, pos_weight=w, **k),
        (X, Q, P[0]),
        -(P[0] * Q * sc.log_expit(X) + (1 - Q) * sc.log_expit(-X)),
    ),
    "soft_margin": (nn.soft_margin_loss, (X, SIGNS), np.log1p(np.exp(-SIGNS * X))),
    "hinge_embedding": (
        lambda x, t, **k: nn.hinge_embedding_loss(x, t, margin=0.8, **k),
        (X, SIGNS),
        np.where(SIGNS == 1, X, np.maximum(0, 0.8 - X)),
    ),
    "margin_ranking": (
        lambda x, y, t, **k: nn.margin_ranking_loss(x, y, t, margin=0.3, **k),
        (X, Y, SIGNS),
        np.maximum(0, -SIGNS * (X - Y) + 0.3),
    ),
    "poisson": (lambda x, t, **k: nn.poisson_nll_loss(x, t, full=True, **k), (X, COUNTS),
                np.exp(X) - COUNTS * X + _stirling(COUNTS)),
    "poisson_rates": (lambda x, t, **k: nn.poisson_nll_loss(x, t, log_input=False, **k), (P, COUNTS),
                      P - COUNTS * np.log(P + 1e-8)),
    "gaussian": (lambda x, y, v, **k: nn.gaussian_nll_loss(x, y, v, full=True, **k), (X, Y, P),
                 0.5 * (np.log(P) + (X - Y) ** 2 / P) + 0.5 * math.log(2 * math.pi)),
    "kl_div": (nn.kl_div, (np.log(P), Q), Q * (np.log(Q) - np.log(P))),
    "kl_div_of_logarithms": (lambda x, t, **k: nn.kl_div(x, t, log_target=True, **k), (np.log(P), np.log(Q)),
                             Q * (np.log(Q) - np.log(P))),
    "multilabel_soft_margin": (nn.multilabel_soft_margin_loss, (X, Q),
                               -(Q * sc.log_expit(X) + (1 - Q) * sc.log_expit(-X)).mean(-1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes(name: str) -> None:
    function, args, expected = CASES[name]
    check(lambda *xs: function(*xs, reduction="none"), *args, expected=expected, tolerance=1e-12)
    check(function, *args, expected=np.asarray(expected.mean()), tolerance=1e-12)
    check(lambda *xs: function(*xs, reduction="sum"), *args, expected=np.asarray(expected.sum()), tolerance=1e-12)
    check_batch(lambda *xs: function(*xs, reduction="none"), *args)
    signs = [i for i, x in enumerate(args) if x is SIGNS or x is COUNTS]
    moving = [x for i, x in enumerate(args) if i not in signs]

    def of_moving(*xs: Any) -> Any:
        rest = iter(xs)
        return function(*(args[i] if i in signs else next(rest) for i in range(len(args))), reduction="none")

    check_slopes(of_moving, *moving)
    with pytest.raises(AttributeValueError, match='reduction is "none", "mean" or "sum", not \'max\''):
        function(*args, reduction="max")


def test_extremes_are_finite() -> None:
    far = np.array([-1e4, 1e4])
    near(nn.binary_cross_entropy_with_logits(far, np.array([0.0, 1.0]), reduction="none"), np.zeros(2))
    near(nn.soft_margin_loss(far, np.array([1.0, 1.0]), reduction="none"), np.array([1e4, 0]))
    near(nn.binary_cross_entropy(np.array([0.0, 1.0]), np.array([1.0, 1.0]), reduction="none"), np.array([100.0, 0]))
    near(nn.kl_div(np.array([0.5, 1.0]), np.array([0.0, 1.0]), reduction="none"), np.array([0.0, -1.0]))
    slope = rosin.grad(lambda x: nn.binary_cross_entropy_with_logits(x, np.array([0.0, 1.0])))(far)
    assert np.isfinite(np.asarray(slope)).all()


def test_the_mean_over_a_batch() -> None:
    expected = (Q * (np.log(Q) - np.log(P))).sum() / 4
    check(
        lambda x, t: nn.kl_div(x, t, reduction="batchmean"),
        np.log(P),
        Q,
        expected=np.asarray(expected),
        tolerance=1e-12,
    )
    with pytest.raises(ShapeError, match="no batch"):
        nn.kl_div(np.float64(1), np.float64(1), reduction="batchmean")


def test_a_variance_below_eps_counts_as_eps_and_keeps_its_slope() -> None:
    slope = rosin.grad(lambda v: nn.gaussian_nll_loss(np.float64(1), np.float64(3), v, eps=0.5))(np.float64(0.1))
    near(slope, np.asarray(0.5 * (1 / 0.5 - 4 / 0.25)), 1e-12)


# -- triplets, angles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_triplets(p: float, swap: bool) -> None:
    a, b, c = (RANDOM.normal(size=(6, 4)) for _ in range(3))

    def length(d: np.ndarray) -> np.ndarray:
        return (np.abs(d + 1e-6) ** p).sum(-1) ** (1 / p)

    far = np.minimum(length(a - c), length(b - c)) if swap else length(a - c)

    def loss(a: Any, b: Any, c: Any) -> Any:
        return nn.triplet_margin_loss(a, b, c, margin=1.5, p=p, swap=swap, reduction="none")

    check(loss, a, b, c, expected=np.maximum(0, 1.5 + length(a - b) - far), tolerance=1e-12)
    check_slopes(loss, a, b, c)
    with pytest.raises(AttributeValueError, match="margin is 0; it is positive"):
        nn.triplet_margin_loss(a, b, c, margin=0)


def test_cosines() -> None:
    a, b = RANDOM.normal(size=(6, 4)), RANDOM.normal(size=(6, 4))
    target = np.array([1, -1, 1, -1, -1, 1])
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    expected = np.where(target == 1, 1 - cosine, np.maximum(0, cosine - 0.1))

    def loss(a: Any, b: Any) -> Any:
        return nn.cosine_embedding_loss(a, b, target, margin=0.1, reduction="none")

    check(loss, a, b, expected=expected, tolerance=1e-10)
    check_slopes(loss, a, b)


# -- classes -----------------------------------------------------------------------------------------------------------

SCORES = RANDOM.normal(size=(3, 4, 5))
CLASSES = RANDOM.integers(0, 4, size=(3, 5))
CLASSES[0, 0] = CLASSES[2, 3] = -100
WEIGHT = RANDOM.uniform(0.5, 2, size=4)


def _picked(scores: np.ndarray, smoothing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    losses, weights = np.zeros(CLASSES.shape), np.zeros(CLASSES.shape)
    for place in np.ndindex(*CLASSES.shape):
        line, k = scores[place[0], :, place[1]], CLASSES[place]
        if k != -100:
            even = -(line * WEIGHT).mean()
            losses[place], weights[place] = -line[k] * WEIGHT[k] * (1 - smoothing) + even * smoothing, WEIGHT[k]
    return losses, weights


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy(smoothing: float) -> None:
    losses, weights = _picked(sc.log_softmax(SCORES, axis=1), smoothing)

    def loss(x: Any, w: Any, reduction: str = "none") -> Any:
        return nn.cross_entropy(x, CLASSES, weight=w, label_smoothing=smoothing, reduction=reduction)

    check(loss, SCORES, WEIGHT, expected=losses, tolerance=1e-12)
    check(lambda x, w: loss(x, w, "mean"), SCORES, WEIGHT, expected=np.asarray(losses.sum() / weights.sum()),
          tolerance=1e-12)  # fmt: skip
    check(lambda x, w: loss(x, w, "sum"), SCORES, WEIGHT, expected=np.asarray(losses.sum()), tolerance=1e-12)
    check_slopes(loss, SCORES, WEIGHT)


def test_cross_entropy_with_probabilities_and_of_one_example() -> None:
    q = sc.softmax(RANDOM.normal(size=SCORES.shape), axis=1)
    expected = -(sc.log_softmax(SCORES, axis=1) * (0.9 * q + 0.1 / 4)).sum(1)

    def loss(x: Any, q: Any) -> Any:
        return nn.cross_entropy(x, q, label_smoothing=0.1, reduction="none")

    check(loss, SCORES, q, expected=expected, tolerance=1e-12)
    check_slopes(loss, SCORES, q)
    one = SCORES[0, :, 0]
    check(
        lambda x: nn.cross_entropy(x, np.asarray(2)), one, expected=np.asarray(-sc.log_softmax(one)[2]), tolerance=1e-12
    )


def test_nll_loss() -> None:
    losses, weights = _picked(SCORES)
    check(lambda x, w: nn.nll_loss(x, CLASSES, weight=w), SCORES, WEIGHT,
          expected=np.asarray(losses.sum() / weights.sum()), tolerance=1e-12)  # fmt: skip
    with pytest.raises(DTypeError, match="nll_loss: classes are integers"):
        nn.nll_loss(SCORES, CLASSES.astype(float))
    with pytest.raises(ShapeError, match="nll_loss: there is one class for each place"):
        nn.nll_loss(SCORES, CLASSES[:2])
    with pytest.raises(ShapeError, match="cross_entropy: the weight has one number for each of 4 classes"):
        nn.cross_entropy(SCORES, CLASSES, weight=WEIGHT[:2])


@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin(p: int) -> None:
    x, y = RANDOM.normal(size=(5, 4)), RANDOM.integers(0, 4, size=5)
    expected = np.array(
        [
            sum(WEIGHT[k] * max(0, 0.7 - r[k] + r[j]) ** p for j in range(4) if j != k) / 4
            for r, k in zip(x, y, strict=True)
        ]
    )

    def loss(x: Any) -> Any:
        return nn.multi_margin_loss(x, y, p=p, margin=0.7, weight=WEIGHT, reduction="none")

    check(loss, x, expected=expected, tolerance=1e-12)
    check_slopes(loss, x)
    with pytest.raises(AttributeValueError, match="p is 1 or 2, not 3"):
        nn.multi_margin_loss(x, y, p=3)
    with pytest.raises(ShapeError, match="takes scores"):
        nn.multi_margin_loss(x, y[:2])


def test_multilabel_margin() -> None:
    x = RANDOM.normal(size=(3, 4))
    y = np.array([[2, 0, -1, 1], [-1, 3, 2, 0], [0, 1, 2, 3]])
    rows = [[2, 0], [], [0, 1, 2, 3]]
    expected = np.array(
        [sum(max(0, 1 - r[k] + r[j]) for k in right for j in range(4) if j not in right) / 4
         for r, right in zip(x, rows, strict=True)]
    )  # fmt: skip
    check(lambda x: nn.multilabel_margin_loss(x, y, reduction="none"), x, expected=expected, tolerance=1e-12)
    check_slopes(lambda x: nn.multilabel_margin_loss(x, y, reduction="none"), x)
    near(nn.multilabel_margin_loss(x[0], y[0]), np.asarray(expected[0]), 1e-12)
