"""A draw of every distribution with the distribution of SciPy that it is to have, and tests of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats

from rosin import numpy as rnp
from rosin import random

Sampler = Callable[[Any, Any, str], Any]
"""Takes a key, a shape and an element type."""


@dataclass(frozen=True)
class Case:
    """`draw` gives numbers of `distribution`, or vectors of which `part` is a number of it."""

    name: str
    draw: Sampler
    distribution: Any
    part: Callable[[Any], Any] = lambda x: x

    def __str__(self) -> str:
        return self.name


def _maxwells_of_both_signs() -> Any:
    class Distribution:
        def cdf(self, x: Any) -> Any:
            size = scipy.stats.maxwell.cdf(np.abs(x - 1) / 2)
            return 0.5 + np.sign(x - 1) * size / 2

    return Distribution()


CONCENTRATIONS = np.array([0.4, 2.0, 3.0], np.float32)

CONTINUOUS = [
    Case("uniform", lambda k, s, d: random.uniform(k, s, d, -2, 5), scipy.stats.uniform(-2, 7)),
    Case("normal", random.normal, scipy.stats.norm()),
    Case("truncated_normal", lambda k, s, d: random.truncated_normal(k, -1, 2, s, d), scipy.stats.truncnorm(-1, 2)),
    Case("lognormal", lambda k, s, d: random.lognormal(k, 0.7, s, d), scipy.stats.lognorm(0.7)),
    Case("exponential", random.exponential, scipy.stats.expon()),
    Case("gumbel", random.gumbel, scipy.stats.gumbel_r()),
    Case("laplace", random.laplace, scipy.stats.laplace()),
    Case("logistic", random.logistic, scipy.stats.logistic()),
    Case("cauchy", random.cauchy, scipy.stats.cauchy()),
    Case("pareto", lambda k, s, d: random.pareto(k, 2.5, s, d), scipy.stats.pareto(2.5)),
    Case("rayleigh", lambda k, s, d: random.rayleigh(k, 2, s, d), scipy.stats.rayleigh(scale=2)),
    Case("weibull_min", lambda k, s, d: random.weibull_min(k, 2, 1.5, s, d), scipy.stats.weibull_min(1.5, scale=2)),
    Case("maxwell", random.maxwell, scipy.stats.maxwell()),
    Case("double_sided_maxwell", lambda k, s, d: random.double_sided_maxwell(k, 1, 2, s, d), _maxwells_of_both_signs()),
    Case("wald", lambda k, s, d: random.wald(k, 2.5, s, d), scipy.stats.invgauss(2.5)),
    Case("triangular", lambda k, s, d: random.triangular(k, -1, 0.5, 2, s, d), scipy.stats.triang(0.5, -1, 3)),
    *(
        Case(f"gamma {a}", lambda k, s, d, a=a: random.gamma(k, a, s, d), scipy.stats.gamma(a))
        for a in (0.3, 1.0, 2.5, 1e6)
    ),
    Case("loggamma 0.01", lambda k, s, d: random.loggamma(k, 0.01, s, d), scipy.stats.loggamma(0.01)),
    Case("loggamma 30", lambda k, s, d: random.loggamma(k, 30, s, d), scipy.stats.loggamma(30)),
    Case("beta", lambda k, s, d: random.beta(k, 0.5, 2, s, d), scipy.stats.beta(0.5, 2)),
    Case("t", lambda k, s, d: random.t(k, 3, s, d), scipy.stats.t(3)),
    Case("chisquare", lambda k, s, d: random.chisquare(k, 3, s, d), scipy.stats.chi2(3)),
    Case("f", lambda k, s, d: random.f(k, 3, 5, s, d), scipy.stats.f(3, 5)),
    Case("generalized_normal", lambda k, s, d: random.generalized_normal(k, 3, s, d), scipy.stats.gennorm(3)),
    Case(
        "dirichlet",
        lambda k, s, d: random.dirichlet(k, CONCENTRATIONS, s, d),
        scipy.stats.beta(2, 3.4),
        lambda x: x[..., 1],
    ),
    Case("ball", lambda k, s, d: random.ball(k, 3, 2, s, d), scipy.stats.uniform(),
         lambda x: rnp.sum(x * x, axis=-1) ** 1.5),
    Case("ball in one norm", lambda k, s, d: random.ball(k, 2, 1, s, d), scipy.stats.uniform(),
         lambda x: rnp.sum(rnp.abs(x), axis=-1) ** 2),
]  # fmt: skip

CHANCES = np.array([0.1, 0.0, 0.6, 0.3], np.float32)
with np.errstate(divide="ignore"):
    LOGITS = np.log(CHANCES) + 3
_places = scipy.stats.rv_discrete(values=(np.arange(4), [0.1, 0.0, 0.6, 0.3]))

DISCRETE = [
    Case("rademacher", random.rademacher, scipy.stats.rv_discrete(values=([-1, 1], [0.5, 0.5]))),
    Case("randint", lambda k, s, d: random.randint(k, s, -3, 7, d), scipy.stats.randint(-3, 7)),
    *(
        Case(f"poisson {lam}", lambda k, s, d, lam=lam: random.poisson(k, lam, s, d), scipy.stats.poisson(lam))
        for lam in (0.05, 4.0, 9.99, 10.0, 60.0, 1e5)
    ),
    *(
        Case(f"binomial {n} {p}", lambda k, s, d, n=n, p=p: random.binomial(k, n, p, s), scipy.stats.binom(n, p))
        for n, p in ((1, 0.3), (15, 0.9), (100, 0.05), (100, 0.3), (1000, 0.75), (10**6, 0.4), (10**6, 1e-6))
    ),
    Case("geometric", lambda k, s, d: random.geometric(k, 0.2, s, d), scipy.stats.geom(0.2)),
    Case("categorical", lambda k, s, d: random.categorical(k, LOGITS, shape=s), _places),
    Case("choice", lambda k, s, d: random.choice(k, 6, s), scipy.stats.randint(0, 6)),
    Case("choice by p", lambda k, s, d: random.choice(k, 4, s, p=CHANCES), _places),
    Case(
        "multinomial",
        lambda k, s, d: random.multinomial(k, 30, CHANCES, shape=s),
        scipy.stats.binom(30, 0.3),
        lambda x: x[..., 3],
    ),
]


def kolmogorov_smirnov(sample: Any, distribution: Any) -> float:
    """The p-value of the hypothesis that the sample is of the distribution."""
    return float(scipy.stats.kstest(np.asarray(sample, np.float64), distribution.cdf).pvalue)


def chi_square(sample: Any, distribution: Any) -> float:
    """The same for whole numbers, in classes of neighbours that are expected to hold 10 at least."""
    numbers = np.asarray(sample).astype(np.int64)
    low, high = int(numbers.min()), int(numbers.max())
    found = np.bincount(numbers - low)
    expected = distribution.pmf(np.arange(low, high + 1)) * numbers.size
    expected[0] += distribution.cdf(low - 1) * numbers.size
    expected[-1] += distribution.sf(high) * numbers.size
    assert not found[expected == 0].any(), "an impossible number was drawn"
    classes: list[tuple[float, float]] = []
    at = (0.0, 0.0)
    for pair in zip(found, expected, strict=True):
        at = (at[0] + pair[0], at[1] + pair[1])
        if at[1] >= 10:
            classes.append(at)
            at = (0.0, 0.0)
    classes[-1] = (classes[-1][0] + at[0], classes[-1][1] + at[1])
    observed, wanted = np.array(classes).T
    return float(scipy.stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue)
