"""Discrete distributions, each for location 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import numpy as rnp
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy import special as sp
from rosin.frontend.scipy.stats.distribution import Discrete

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class Poisson(Discrete):
    """The Poisson distribution of mean mu."""

    parameters = ("mu",)

    def valid(self, *parameters: Array) -> Array:
        return parameters[0] >= 0

    def ends(self, mu: Array) -> tuple[ArrayLike, ArrayLike]:
        return 0.0, math.inf

    def log_probability(self, k: Array, mu: Array) -> Array:
        return sp.xlogy(k, mu) - sp.gammaln(k + 1) - mu

    def below(self, k: Array, mu: Array) -> Array:
        return sp.gammaincc(k + 1, mu)

    def above(self, k: Array, mu: Array) -> Array:
        return sp.gammainc(k + 1, mu)


class Binom(Discrete):
    """How many of n trials succeed, each with probability p."""

    parameters = ("n", "p")

    def valid(self, *parameters: Array) -> Array:
        n, p = parameters
        return (n >= 0) & (n == rnp.floor(n)) & (p >= 0) & (p <= 1)

    def ends(self, n: Array, p: Array) -> tuple[ArrayLike, ArrayLike]:
        return 0.0, n

    def log_probability(self, k: Array, n: Array, p: Array) -> Array:
        ways = sp.gammaln(n + 1) - sp.gammaln(k + 1) - sp.gammaln(n - k + 1)
        return ways + sp.xlogy(k, p) + sp.xlog1py(n - k, -p)

    def below(self, k: Array, n: Array, p: Array) -> Array:
        # At the greatest number the answer is known, and the function not defined.
        return sp.betaincc(k + 1, rnp.maximum(n - k, 1), p)

    def above(self, k: Array, n: Array, p: Array) -> Array:
        return sp.betainc(k + 1, rnp.maximum(n - k, 1), p)


class Bernoulli(Discrete):
    """1 with probability p, else 0."""

    parameters = ("p",)

    def valid(self, *parameters: Array) -> Array:
        return (parameters[0] >= 0) & (parameters[0] <= 1)

    def ends(self, p: Array) -> tuple[ArrayLike, ArrayLike]:
        return 0.0, 1.0

    def log_probability(self, k: Array, p: Array) -> Array:
        return sp.xlogy(k, p) + sp.xlog1py(1 - k, -p)

    def below(self, k: Array, p: Array) -> Array:
        return 1 - p

    def above(self, k: Array, p: Array) -> Array:
        return p


class Geom(Discrete):
    """How many trials there are up to the first success."""

    parameters = ("p",)

    def valid(self, *parameters: Array) -> Array:
        return (parameters[0] > 0) & (parameters[0] <= 1)

    def ends(self, p: Array) -> tuple[ArrayLike, ArrayLike]:
        return 1.0, math.inf

    def log_probability(self, k: Array, p: Array) -> Array:
        return sp.xlog1py(k - 1, -p) + rnp.log(p)

    def below(self, k: Array, p: Array) -> Array:
        return -rnp.expm1(sp.xlog1py(k, -p))

    def above(self, k: Array, p: Array) -> Array:
        return rnp.exp(sp.xlog1py(k, -p))


poisson = Poisson("poisson")
binom = Binom("binom")
bernoulli = Bernoulli("bernoulli")
geom = Geom("geom")
