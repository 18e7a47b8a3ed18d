"""Activations against what they are defined as, and their slopes against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import nn
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near
from tests.frontend.nn.slopes import check_batch, check_slopes

X = np.array([-90.0, -6.5, -3.0, -1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 2.0, 3.0, 6.0, 90.0])
SMOOTH = np.array([-4.0, -2.5, -0.7, -0.2, 0.3, 0.9, 2.4, 5.0, 7.0])


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "celu": (lambda x: nn.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0) / 0.7))),
    "hard_sigmoid": (nn.hard_sigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    "hard_silu": (nn.hard_silu, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "hard_tanh": (lambda x: nn.hard_tanh(x, -0.5, 2), lambda x: np.clip(x, -0.5, 2)),
    "hardshrink": (nn.hardshrink, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    "mish": (nn.mish, lambda x: x * np.tanh(_softplus(x))),
    "relu6": (nn.relu6, lambda x: np.clip(x, 0, 6)),
    "selu": (
        nn.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    ),
    "soft_sign": (nn.soft_sign, lambda x: x / (1 + np.abs(x))),
    "softshrink": (lambda x: nn.softshrink(x, 1), lambda x: np.sign(x) * np.maximum(np.abs(x) - 1, 0)),
    "tanhshrink": (nn.tanhshrink, lambda x: x - np.tanh(x)),
    "threshold": (lambda x: nn.threshold(x, 0.4, -7.0), lambda x: np.where(x > 0.4, x, -7)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes(name: str) -> None:
    function, reference = CASES[name]
    check(function, X, expected=reference(X), tolerance=1e-12)
    check(function, X.astype(np.float32), expected=reference(X).astype(np.float32), tolerance=1e-5)
    check_slopes(function, SMOOTH)
    check_batch(function, X)
    slopes = np.asarray(rosin.vmap(rosin.grad(function))(np.array([-1e4, -200.0, 0.0, 200.0, 1e4])))
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("name", [name for name in CASES if name != "hard_silu"])
def test_nan_stays(name: str) -> None:
    assert np.isnan(np.asarray(CASES[name][0](np.array([np.nan])))).all()


def test_slopes_at_the_bounds_are_those_of_the_flat_side() -> None:
    slope = rosin.vmap(rosin.grad(nn.relu6))
    near(slope(np.array([0.0, 6.0, 3.0])), np.array([0.0, 0.0, 1.0]))


def test_prelu() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    weight = np.array([0.1, 0.2, 0.3])
    spread = weight[:, None]
    check(nn.prelu, x, weight, expected=np.where(x > 0, x, x * spread), tolerance=1e-13)
    check(nn.prelu, x, np.array([0.5]), expected=np.where(x > 0, x, x * 0.5), tolerance=1e-13)
    check(nn.prelu, x[0, 0], np.array(0.5), expected=np.where(x[0, 0] > 0, x[0, 0], x[0, 0] * 0.5), tolerance=1e-13)
    check_slopes(nn.prelu, x, weight)
    with pytest.raises(ShapeError, match="takes one weight, or one for each channel"):
        nn.prelu(x, weight[:2])


def test_glu() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6))
    check(nn.glu, x, expected=x[:, :3] / (1 + np.exp(-x[:, 3:])), tolerance=1e-13)
    check(lambda x: nn.glu(x, 0), x, expected=x[:1] / (1 + np.exp(-x[1:])), tolerance=1e-13)
    check_slopes(nn.glu, x)
    with pytest.raises(ShapeError, match="axis 1 of size 5"):
        nn.glu(x[:, :5])


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(AttributeValueError, match="softshrink: lambd is -1"):
        nn.softshrink(X, -1)
    with pytest.raises(AttributeValueError, match="celu: alpha is 0"):
        nn.celu(X, 0)
    with pytest.raises(AttributeValueError, match="min_value 2 is greater than max_value 1"):
        nn.hard_tanh(X, 2, 1)
    with pytest.raises(DTypeError, match="relu6 takes numbers, not bool"):
        nn.relu6(X > 0)


def test_silu_and_sigmoid_of_complex_numbers() -> None:
    z = np.array([1 + 2j, -3 + 0.5j, -700 + 1j, 700 - 2j, 0.2j])
    with np.errstate(all="ignore"):
        half = np.exp(np.where(z.real < 0, z, -z))
        expected = np.where(z.real < 0, half, 1) / (1 + half)
    check(nn.sigmoid, z, expected=expected, tolerance=1e-13)
    check(nn.silu, z, expected=z * expected, tolerance=1e-13)
