"""Parameters at the ends of their domain and outside, and calls that are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import random
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError

KEY = random.key(5)
NAN, INF = math.nan, math.inf


MOST = 2**31 - 1


def i32(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


def f64(*numbers: float) -> Any:
    return np.array(numbers, np.float64)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda: random.gamma(KEY, f64(0, -1, -0.5, NAN, INF)), f64(0, NAN, NAN, NAN, INF)),
        (lambda: random.loggamma(KEY, f64(0, -1, NAN)), f64(-INF, NAN, NAN)),
        (lambda: random.chisquare(KEY, f64(0, -1, NAN)), f64(0, NAN, NAN)),
        (lambda: random.poisson(KEY, f64(0, -1, NAN, INF, 1e300, 1e-300)), i32(0, -1, -1, MOST, MOST, 0)),
        (lambda: random.poisson(KEY, f64(0, NAN, INF), dtype="u8"), np.array([0, 0, 255], np.uint8)),
        (lambda: random.binomial(KEY, f64(0, -1, NAN, INF), 0.5), f64(0, NAN, NAN, NAN)),
        (lambda: random.binomial(KEY, f64(5, 5, 5, 5, 2.9), f64(0, 1, 1.5, NAN, 1)), f64(0, 5, NAN, NAN, 2)),
        (lambda: random.geometric(KEY, f64(0, 1, -1, NAN, 2)), i32(MOST, 1, -1, -1, -1)),
        (lambda: random.lognormal(KEY, f64(0, -1, NAN)), f64(1, NAN, NAN)),
        (lambda: random.rayleigh(KEY, f64(0, -1, NAN)), f64(0, NAN, NAN)),
        (lambda: random.pareto(KEY, f64(0, -1, NAN, INF)), f64(NAN, NAN, NAN, 1)),
        (lambda: random.weibull_min(KEY, f64(1, -1, 1), f64(-1, 1, NAN)), f64(NAN, NAN, NAN)),
        (lambda: random.wald(KEY, f64(0, -1, NAN)), f64(NAN, NAN, NAN)),
        (lambda: random.triangular(KEY, f64(0, 2, 1), f64(-1, 1, 1), f64(1, 0, 1)), f64(NAN, NAN, NAN)),
        (lambda: random.bernoulli(KEY, f64(0, 1, -1, 2, NAN)), np.array([False, True, False, True, False])),
        (lambda: random.multinomial(KEY, 3, f64(0, 1)), f64(0, 3)),
        (lambda: random.choice(KEY, 3, (4,), p=f64(0, 2, 0)), i32(1, 1, 1, 1)),
        (lambda: random.choice(KEY, 3, (4,), p=f64(-1, 2, NAN)), i32(1, 1, 1, 1)),
        (lambda: random.choice(KEY, 3, (1,), replace=False, p=f64(0, 0, 2)), i32(2)),
        (lambda: random.permutation(KEY, 0), i32()),
        (lambda: random.permutation(KEY, 1), i32(0)),
        (lambda: random.choice(KEY, 0, (0,)), i32()),
    ],
)  # fmt: skip
def test_ends_of_domains(draw: Callable[[], Any], expected: Any) -> None:
    found = np.asarray(draw())
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_tiny_and_huge_parameters() -> None:
    assert not np.asarray(random.gamma(KEY, 1e-30, (100,))).any()
    tiny = np.asarray(random.loggamma(KEY, 1e-30, (100,), "f64"))
    assert (tiny < -1e27).all()
    huge = np.asarray(random.gamma(KEY, 1e30, (100,)))
    np.testing.assert_allclose(huge, 1e30, rtol=1e-6)
    shares = np.asarray(random.dirichlet(KEY, f64(1e-3, 1e-3, 1e-3), (200,)))
    assert np.isfinite(shares).all()
    assert (shares.max(-1) > 0.999).mean() > 0.95
    half = np.asarray(random.beta(KEY, 1e12, 1e12, (100,), "f64"))
    np.testing.assert_allclose(half, 0.5, rtol=1e-5)
    counts = np.asarray(random.poisson(KEY, 1e15, (100,), "i64"))
    np.testing.assert_allclose(counts, 1e15, rtol=1e-6)


def test_most_narrow_uniforms_stay_below_one() -> None:
    for dtype in ("f16", "bf16", "f32", "f64"):
        assert np.asarray(random.uniform(KEY, 50_000, dtype)).astype(np.float64).max() < 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random.normal(3), DTypeError, r"normal: a key is u32\[2\], as rosin.random.key\(seed\) makes it"),
        (lambda: random.gamma(np.zeros(3, np.uint32), 1.0), ShapeError, r"gamma: takes one key, u32\[2\]"),
        (lambda: random.wrap_key_data(np.zeros((2, 2), np.uint32)), ShapeError, r"wrap_key_data: takes one key"),
        (lambda: random.gamma(KEY, -1.0), AttributeValueError, "gamma: a is -1.0; it has to be at least 0"),
        (lambda: random.gamma(KEY, NAN), AttributeValueError, "gamma: a is nan; it has to be at least 0"),
        (lambda: random.beta(KEY, 1.0, 0.0), AttributeValueError, "beta: b is 0.0; it has to be above 0"),
        (lambda: random.rayleigh(KEY, -2), AttributeValueError, "rayleigh: scale is -2; it has to be at least 0"),
        (lambda: random.bernoulli(KEY, 1.5), AttributeValueError, "p is 1.5; it has to be at least 0 and at most 1"),
        (lambda: random.poisson(KEY, -3), AttributeValueError, "poisson: lam is -3; it has to be at least 0"),
        (lambda: random.poisson(KEY, 3, dtype="f32"), DTypeError, "poisson: gives integers, not f32"),
        (lambda: random.gamma(KEY, 3, dtype="i32"), DTypeError, "gamma: gives floats, not i32"),
        (lambda: random.gamma(KEY, 1j), DTypeError, "gamma: a is a real number, not c64"),
        (lambda: random.rademacher(KEY, 3, "u8"), DTypeError, "rademacher: gives signed numbers, not u8"),
        (lambda: random.truncated_normal(KEY, 2, 1), AttributeValueError, "lower < upper does not hold"),
        (lambda: random.triangular(KEY, 0, 2, 1), AttributeValueError, "triangular: 0 <= 2 <= 1 and 0 < 1 do not hold"),
        (lambda: random.gamma(KEY, np.ones(3), (2,)), ShapeError, r"gamma: shape \[3\] does not broadcast to \[2\]"),
        (lambda: random.binomial(KEY, np.ones(3), np.ones(2)), ShapeError, "axis -1 has sizes 3 and 2"),
        (lambda: random.dirichlet(KEY, 1.0), ShapeError, "dirichlet: alpha holds the concentrations along"),
        (lambda: random.multinomial(KEY, 1, 1.0), ShapeError, "multinomial: p holds the probabilities along"),
        (lambda: random.choice(KEY, 3, (4,), replace=False), AttributeValueError, "takes 4 of 3 without replacement"),
        (lambda: random.choice(KEY, 0, (1,)), AttributeValueError, "choice: takes 1 of 0"),
        (lambda: random.choice(KEY, 3, p=np.ones(4)), ShapeError, r"choice: p has the shape \[4\], and there are 3"),
        (lambda: random.choice(KEY, 2.5), DTypeError, "choice: how many there are is an integer, not float"),
        (lambda: random.permutation(KEY, -2), AttributeValueError, "permutation: there are no -2 numbers"),
        (lambda: random.permutation(KEY, np.ones((2, 3)), axis=2), ShapeError, "axis 2 is out of range"),
        (lambda: random.categorical(KEY, np.ones(3), shape=4, replace=False), AttributeValueError, "no 4 different"),
        (lambda: random.ball(KEY, -1), ShapeError, "negative"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("compiled", [False, True])
def test_refusals(call: Callable[[], Any], error: type[Exception], message: str, compiled: bool) -> None:
    with pytest.raises(error, match=message) as caught:
        rosin.compile(lambda: call())() if compiled else call()
    assert "test_edges.py" in str(caught.value)
