"""Derivatives of draws by their parameters, held against differences of draws and of SciPy's quantiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

import rosin
from rosin import numpy as rnp
from rosin import random
from rosin.frontend.random.quantiles import gamma_slope

KEY = random.key(31)
N = 200

# Functions of numbers that do not depend on the parameters: a difference of two draws from one key is the derivative.
REPARAMETERISED: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "uniform": (lambda *p: random.uniform(KEY, N, "f64", *p), (-1.0, 2.0)),
    "truncated_normal": (lambda *p: random.truncated_normal(KEY, *p, N, "f64"), (-1.0, 2.0)),
    "lognormal": (lambda p: random.lognormal(KEY, p, N), (0.7,)),
    "pareto": (lambda p: random.pareto(KEY, p, N), (2.5,)),
    "rayleigh": (lambda p: random.rayleigh(KEY, p, N), (2.0,)),
    "weibull_min": (lambda *p: random.weibull_min(KEY, *p, N), (2.0, 1.5)),
    "double_sided_maxwell": (lambda *p: random.double_sided_maxwell(KEY, *p, N), (1.0, 2.0)),
    "triangular": (lambda *p: random.triangular(KEY, *p, N), (-1.0, 0.5, 2.0)),
    "wald": (lambda p: random.wald(KEY, p, N), (2.5,)),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", REPARAMETERISED)
def test_functions_of_fixed_numbers(name: str) -> None:
    draw, parameters = REPARAMETERISED[name]
    for at in range(len(parameters)):
        tangents = [np.float64(i == at) for i in range(len(parameters))]
        primals = [np.float64(p) for p in parameters]
        found = np.asarray(rosin.jvp(draw, tuple(primals), tuple(tangents))[1])
        step = 1e-6

        def moved(by: float, tangents: Any = tangents) -> Any:
            return np.asarray(draw(*[np.float64(p + by * t) for p, t in zip(parameters, tangents, strict=True)]))

        np.testing.assert_allclose(found, (moved(step) - moved(-step)) / (2 * step), rtol=1e-5, atol=1e-7)


def _quantile_slope(a: float, x: Any, step: float) -> Any:
    """The derivative of the quantile that x is, from SciPy, by the tail that has more digits."""
    lower, upper = scipy.special.gammainc(a, x), scipy.special.gammaincc(a, x)

    def moved(by: float) -> Any:
        left, right = scipy.special.gammaincinv(a + by, lower), scipy.special.gammainccinv(a + by, upper)
        return np.where(lower < 0.5, left, right)

    # By logarithms, which next to 0 are nearer to a line.
    return x * np.log(moved(step) / moved(-step)) / (2 * step)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("a", [0.2, 1.0, 2.5, 40.0, 900.0, 1100.0, 1e5])
def test_gamma_is_implicit(a: float) -> None:
    def draw(a: Any) -> Any:
        return random.gamma(KEY, a, (N,))

    x, slope = (np.asarray(v) for v in rosin.jvp(draw, (np.float64(a),), (np.float64(1),)))
    expected = _quantile_slope(a, x, 1e-5 * a)
    np.testing.assert_allclose(slope, expected, rtol=2e-6)
    assert float(rosin.grad(lambda a: rnp.sum(draw(a)))(np.float64(a))) == pytest.approx(slope.sum(), rel=1e-9)
    narrow = np.asarray(rosin.jvp(draw, (np.float32(a),), (np.float32(1),))[1])
    np.testing.assert_allclose(narrow.mean(), 1, atol=5 * expected.std() / np.sqrt(N) + 1e-3)


def test_the_slope_over_the_whole_distribution() -> None:
    """From the far left, where only logarithms have digits, to the far right."""
    for a in (1e-3, 0.1, 1.0, 3.0, 50.0, 999.0, 1001.0, 1e6):
        x = scipy.special.gammaincinv(a, np.array([1e-5, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6]))
        x = x[x > 1e-20]
        step = 1e-4 * a
        found = np.asarray(rosin.compile(gamma_slope)(np.full(x.shape, a), np.log(x))) * x
        np.testing.assert_allclose(found, _quantile_slope(a, x, step), rtol=1e-7)
    # P(a, x) is x ** a / Γ(a + 1) next to 0.
    found = np.asarray(gamma_slope(rnp.asarray([0.01], dtype="f64"), rnp.asarray([-1000.0], dtype="f64")))
    np.testing.assert_allclose(found, (1000 + scipy.special.digamma(1.01)) / 0.01, rtol=1e-12)


def test_second_derivatives() -> None:
    def draw(a: Any) -> Any:
        return random.gamma(KEY, a, (50,))

    a, one = np.float64(2.5), np.float64(1)
    x = np.asarray(draw(a))
    second = np.asarray(rosin.jvp(lambda a: rosin.jvp(draw, (a,), (one,))[1], (a,), (one,))[1])
    level, step = scipy.special.gammainc(2.5, x), 1e-3
    ends = [scipy.special.gammaincinv(2.5 + s * step, level) for s in (-1, 0, 1)]
    np.testing.assert_allclose(second, (ends[0] - 2 * ends[1] + ends[2]) / step**2, rtol=1e-3, atol=1e-4)
    assert float(rosin.grad(rosin.grad(lambda a: rnp.sum(draw(a))))(a)) == pytest.approx(second.sum(), rel=1e-8)


def test_loggamma_where_gamma_is_too_small() -> None:
    def total(a: Any) -> Any:
        return rnp.sum(random.loggamma(KEY, a, (N,)))

    a = np.float32(0.004)
    logs = np.asarray(random.loggamma(KEY, a, (N,)))
    assert logs.min() < -200
    assert np.isfinite(float(rosin.grad(total)(a)))
    assert np.isfinite(float(rosin.grad(lambda a: rnp.sum(random.gamma(KEY, a, (N,))))(a)))


MANY = 40_000
MEANS: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    # What is averaged, the parameter, and the derivative of its expectation.
    "beta": (lambda a: random.beta(KEY, a, np.float64(1.5), (MANY,)), 0.8, 1.5 / 2.3**2),
    "beta by b": (lambda b: random.beta(KEY, np.float64(0.8), b, (MANY,)), 1.5, -0.8 / 2.3**2),
    "t": (lambda df: random.t(KEY, df, (MANY,)) ** 2, 12.0, -2 / 10.0**2),
    "chisquare": (lambda df: random.chisquare(KEY, df, (MANY,)), 3.0, 1.0),
    "f": (lambda d: random.f(KEY, np.float64(4), d, (MANY,)), 14.0, -2 / 12.0**2),
    "dirichlet": (lambda a: random.dirichlet(KEY, rnp.stack([a, 2 * a, 3.0 + 0 * a]), (MANY,))[:, 2], 1.5, -9 / 7.5**2),
    "generalized_normal": (
        lambda p: random.generalized_normal(KEY, p, (MANY,)) ** 2,
        2.0,
        (scipy.stats.gennorm(2.001).var() - scipy.stats.gennorm(1.999).var()) / 0.002,
    ),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", MEANS)
def test_expectations(name: str) -> None:
    """A derivative of a sample has the derivative of the expectation as its own: within five standard errors."""
    draw, at, expected = MEANS[name]
    slopes = np.asarray(rosin.jvp(draw, (np.float64(at),), (np.float64(1),))[1])
    assert abs(slopes.mean() - expected) < 5 * slopes.std() / np.sqrt(MANY)
    assert slopes.std() / np.sqrt(MANY) < 0.1 * abs(expected)


def test_what_is_drawn_in_steps_has_none() -> None:
    def trials(p: Any) -> Any:
        return rnp.sum(random.binomial(KEY, 30, p, (N,)) + random.multinomial(KEY, 5, rnp.stack([p, 1 - p]))[0])

    assert float(rosin.grad(trials)(np.float64(0.4))) == 0
    for draw in (random.poisson, random.geometric):
        tangent = rosin.jvp(lambda p, draw=draw: draw(KEY, p, (N,)) * 1.0, (np.float64(0.4),), (np.float64(1),))[1]
        assert not np.asarray(tangent).any()
