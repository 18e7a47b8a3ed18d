"""rosin.scipy.stats against scipy.stats: densities, probabilities, quantiles, derivatives, batches and bad calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ArgumentError
from rosin.ir.errors import RosinError, ShapeError
from rosin.scipy import stats

CONTINUOUS: dict[str, tuple[float, ...]] = {
    "norm": (), "lognorm": (0.7,), "uniform": (), "expon": (), "weibull_min": (1.5,), "pareto": (2.5,), "gamma": (2.3,),
    "chi2": (3.0,), "beta": (0.7, 2.0), "t": (3.0,), "laplace": (), "logistic": (), "gumbel_r": (), "cauchy": (),
}  # fmt: skip
DISCRETE: dict[str, tuple[float, ...]] = {"poisson": (3.5,), "binom": (7, 0.3), "bernoulli": (0.3,), "geom": (0.2,)}
NUMBERS = np.array([-40, -3, -1, -0.1, 0, 0.1, 0.3, 0.5, 0.9, 1, 1.5, 3, 8, 60, np.inf, -np.inf, np.nan])
CHANCES = np.array([0, 1e-12, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.999, 1, -0.1, 1.1, np.nan])
COUNTS = np.array([-1, 0, 1, 2, 2.5, 3, 7, 8, 20, 100, np.inf, np.nan])


def of_scipy(name: str, method: str) -> Callable[..., Any]:
    """The method of SciPy's distribution, which warns at infinities."""
    function = getattr(getattr(scipy.stats, name), method)

    def quiet(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args)

    return quiet


@pytest.mark.thinned(4)
@pytest.mark.parametrize("method", ["logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str, method: str) -> None:
    ours, theirs = getattr(getattr(stats, name), method), of_scipy(name, method)
    x = CHANCES if method in ("ppf", "isf") else NUMBERS
    for place in ((), (0.5, 2.0)):
        expected = theirs(x, *CONTINUOUS[name], *place)
        np.testing.assert_allclose(ours(x, *CONTINUOUS[name], *place), expected, rtol=1e-9, atol=1e-300)
    compiled = np.asarray(rosin.compile(lambda x: ours(x, *CONTINUOUS[name], 0.5, 2.0))(x))
    np.testing.assert_allclose(compiled, theirs(x, *CONTINUOUS[name], 0.5, 2.0), rtol=1e-9, atol=1e-300)
    narrow = np.asarray(ours(x.astype(np.float32), *CONTINUOUS[name]))
    assert narrow.dtype == np.float32


@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf", "sf", "logcdf", "logsf"])
@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str, method: str) -> None:
    ours, theirs = getattr(getattr(stats, name), method), of_scipy(name, method)
    # SciPy's logarithms of probabilities near 1 have no more digits than these.
    near = 1e-15 if method in ("logcdf", "logsf") else 1e-300
    for place in ((), (1,)):
        expected = theirs(COUNTS, *DISCRETE[name], *place)
        np.testing.assert_allclose(ours(COUNTS, *DISCRETE[name], *place), expected, rtol=1e-9, atol=near)
    whole = ours(np.arange(3), *DISCRETE[name])
    np.testing.assert_allclose(whole, theirs(np.arange(3), *DISCRETE[name]), rtol=1e-5, atol=1e-30)


def test_parameters_outside_of_their_domain() -> None:
    nan = [
        stats.norm.pdf(0.5, 0.0, -1.0), stats.norm.cdf(0.5, 0.0, 0.0),
        stats.gamma.logpdf(0.5, -1.0), stats.beta.ppf(0.5, 0.0, 1.0),
        stats.poisson.pmf(1, -1.0), stats.binom.pmf(1, 2.5, 0.5), stats.binom.cdf(1, 2, 1.5), stats.geom.pmf(1, 0.0),
    ]  # fmt: skip
    assert np.isnan(np.array([float(x) for x in nan])).all()
    assert float(stats.poisson.pmf(0, 0.0)) == 1
    assert [float(stats.binom.pmf(k, 3, 1.0)) for k in (2, 3)] == [0, 1]
    assert float(stats.bernoulli.pmf(1, 0.0)) == 0


@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_derivatives(name: str) -> None:
    """By the number and by every parameter, within the support and away from its ends, in both modes."""
    distribution = getattr(stats, name)
    own = CONTINUOUS.get(name, DISCRETE.get(name, ()))
    x = np.array([1.0, 2.0, 3.0]) if name in DISCRETE else np.array([0.6, 0.7, 1.1])
    place = () if name in DISCRETE else (0.1, 1.2) if name in ("beta", "uniform") else (-0.9, 1.3)
    method = "logpmf" if name in DISCRETE else "logpdf"
    if name == "bernoulli":
        x = np.array([0.0, 1.0, 1.0])
    if name == "binom":
        own = own[1:]
    parameters = [np.float64(p) for p in (*own, *place)]

    def density(*parameters: Any) -> Any:
        return getattr(distribution, method)(x, *((7,) if name == "binom" else ()), *parameters)

    for at in range(len(parameters)):
        tangents = tuple(np.float64(i == at) for i in range(len(parameters)))
        step = 1e-6
        ends = [
            np.asarray(density(*[p + s * step * t for p, t in zip(parameters, tangents, strict=True)])) for s in (1, -1)
        ]
        expected = (ends[0] - ends[1]) / (2 * step)
        found = np.asarray(rosin.jvp(density, tuple(parameters), tangents)[1])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
        gradient = rosin.grad(lambda p, at=at: rnp.sum(density(*parameters[:at], p, *parameters[at + 1 :])))
        assert float(gradient(parameters[at])) == pytest.approx(expected.sum(), rel=1e-6, abs=1e-8)


def test_no_nan_in_derivatives_outside_of_the_support() -> None:
    x = np.array([-1.0, 0.0, 0.5, 2.0])
    for name in ("expon", "gamma", "beta", "uniform", "lognorm", "pareto"):
        own = CONTINUOUS[name]
        gradient = rosin.grad(lambda x, name=name, own=own: rnp.sum(getattr(stats, name).cdf(x, *own)))(x)
        assert not np.isnan(np.asarray(gradient)).any(), name


def test_batches_and_broadcasting() -> None:
    x, a = np.linspace(0.1, 3, 5), np.array([[0.5], [2.0]])
    np.testing.assert_allclose(stats.gamma.logpdf(x, a), scipy.stats.gamma.logpdf(x, a), rtol=1e-12)
    batched = rosin.vmap(lambda a: stats.gamma.logpdf(x, a))(a[:, 0])
    np.testing.assert_allclose(batched, scipy.stats.gamma.logpdf(x, a), rtol=1e-12)
    assert stats.norm.pdf(np.float32(0), loc=1, scale=2).dtype == rosin.float32
    np.testing.assert_allclose(stats.norm.pdf(0.0, scale=2.0, loc=1.0), scipy.stats.norm.pdf(0, 1, 2), rtol=1e-6)


def test_vectors() -> None:
    rng = np.random.default_rng(0)
    mean, cov = np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    x = rng.normal(size=(3, 4, 2))
    expected = scipy.stats.multivariate_normal(mean, cov)
    np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, mean, cov), expected.logpdf(x), rtol=1e-12)
    np.testing.assert_allclose(stats.multivariate_normal.pdf(x, mean, cov), expected.pdf(x), rtol=1e-12)
    standard = scipy.stats.multivariate_normal([0, 0], 2).logpdf(x)
    np.testing.assert_allclose(stats.multivariate_normal.logpdf(x, cov=2.0), standard, rtol=1e-12)
    many = stats.multivariate_normal.logpdf(x[0], mean, np.stack([cov, 2 * cov, 3 * cov, cov]))
    each = [scipy.stats.multivariate_normal(mean, s * cov).logpdf(v) for s, v in zip((1, 2, 3, 1), x[0], strict=True)]
    np.testing.assert_allclose(many, each, rtol=1e-12)
    alpha, shares = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(
        stats.dirichlet.logpdf(shares, alpha), scipy.stats.dirichlet(alpha).logpdf(shares), rtol=1e-12
    )
    counts = np.array([[1, 2, 3], [6, 0, 0], [1, 1, 1]], np.float64)
    np.testing.assert_allclose(
        stats.multinomial.pmf(counts, 6, shares), scipy.stats.multinomial(6, shares).pmf(counts), rtol=1e-12
    )
    assert np.isnan(float(stats.multivariate_normal.logpdf(mean, mean, -cov)))


def test_refusals() -> None:
    calls: list[tuple[Any, type[RosinError], str]] = [
        (lambda: stats.gamma.logpdf(1.0), ArgumentError, "gamma.logpdf: takes a too"),
        (lambda: stats.norm.cdf(1.0, 0, 1, 2), ArgumentError, "norm.cdf: takes loc, scale, and was given 3 parameters"),
        (lambda: stats.norm.cdf(1.0, 0, loc=1), ArgumentError, "norm.cdf: was given loc twice"),
        (lambda: stats.poisson.pmf(1, 2.0, scale=1), ArgumentError, "poisson.pmf: was given scale and takes mu, loc"),
        (lambda: stats.gamma.pdf(np.ones(3), np.ones(2)), ShapeError, "gamma.logpdf: shapes .* do not broadcast"),
        (lambda: stats.multivariate_normal.logpdf(1.0), ShapeError, "x holds vectors along its last axis"),
        (lambda: stats.multivariate_normal.logpdf(np.ones(2), 0.0, np.eye(3)), ShapeError, r"x is \[..., n\]"),
    ]
    for call, error, message in calls:
        with pytest.raises(error, match=message) as caught:
            call()
        assert "test_scipy_stats.py" in str(caught.value)
