"""Continuous distributions, each for location 0 and scale 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import numpy as rnp
from rosin.frontend.scipy import special as sp
from rosin.frontend.scipy.stats.distribution import Continuous

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class Norm(Continuous):
    """The normal distribution."""

    def log_density(self, y: Array) -> Array:
        return -(y * y) / 2 - math.log(2 * math.pi) / 2

    def below(self, y: Array) -> Array:
        return sp.ndtr(y)

    def above(self, y: Array) -> Array:
        return sp.ndtr(-y)

    def log_below(self, y: Array) -> Array:
        return sp.log_ndtr(y)

    def log_above(self, y: Array) -> Array:
        return sp.log_ndtr(-y)

    def quantile(self, q: Array) -> Array:
        return sp.ndtri(q)

    def upper_quantile(self, q: Array) -> Array:
        return -sp.ndtri(q)


class Lognorm(Continuous):
    """Of numbers whose logarithms are normal, of deviation s."""

    parameters = ("s",)
    support = (0.0, math.inf)

    def log_density(self, y: Array, s: Array) -> Array:
        logarithm = rnp.log(rnp.where(y > 0, y, 1))
        density = -((logarithm / s) ** 2) / 2 - math.log(2 * math.pi) / 2 - rnp.log(s) - logarithm
        return rnp.where(y > 0, density, -math.inf)

    def below(self, y: Array, s: Array) -> Array:
        return sp.ndtr(rnp.log(y) / s)

    def above(self, y: Array, s: Array) -> Array:
        return sp.ndtr(-rnp.log(y) / s)

    def log_below(self, y: Array, s: Array) -> Array:
        return sp.log_ndtr(rnp.log(y) / s)

    def log_above(self, y: Array, s: Array) -> Array:
        return sp.log_ndtr(-rnp.log(y) / s)

    def quantile(self, q: Array, s: Array) -> Array:
        return rnp.exp(s * sp.ndtri(q))

    def upper_quantile(self, q: Array, s: Array) -> Array:
        return rnp.exp(-s * sp.ndtri(q))


class Uniform(Continuous):
    """Uniform within loc and loc + scale."""

    support = (0.0, 1.0)

    def log_density(self, y: Array) -> Array:
        return 0 * y

    def below(self, y: Array) -> Array:
        return y

    def above(self, y: Array) -> Array:
        return 1 - y

    def quantile(self, q: Array) -> Array:
        return q

    def upper_quantile(self, q: Array) -> Array:
        return 1 - q


class Expon(Continuous):
    """The exponential distribution."""

    support = (0.0, math.inf)

    def log_density(self, y: Array) -> Array:
        return -y

    def below(self, y: Array) -> Array:
        return -rnp.expm1(-y)

    def above(self, y: Array) -> Array:
        return rnp.exp(-y)

    def log_above(self, y: Array) -> Array:
        return -y

    def quantile(self, q: Array) -> Array:
        return -rnp.log1p(-q)

    def upper_quantile(self, q: Array) -> Array:
        return -rnp.log(q)


class WeibullMin(Continuous):
    """Of exponential numbers to the power of 1 / c."""

    parameters = ("c",)
    support = (0.0, math.inf)

    def log_density(self, y: Array, c: Array) -> Array:
        return rnp.log(c) + sp.xlogy(c - 1, y) - y**c

    def below(self, y: Array, c: Array) -> Array:
        return -rnp.expm1(-(y**c))

    def above(self, y: Array, c: Array) -> Array:
        return rnp.exp(-(y**c))

    def log_above(self, y: Array, c: Array) -> Array:
        return -(y**c)

    def quantile(self, q: Array, c: Array) -> Array:
        return (-rnp.log1p(-q)) ** (1 / c)

    def upper_quantile(self, q: Array, c: Array) -> Array:
        return (-rnp.log(q)) ** (1 / c)


class Pareto(Continuous):
    """Of numbers of at least 1 with density b / y ** (b + 1)."""

    parameters = ("b",)
    support = (1.0, math.inf)

    def log_density(self, y: Array, b: Array) -> Array:
        return rnp.log(b) - (b + 1) * rnp.log(y)

    def below(self, y: Array, b: Array) -> Array:
        return -rnp.expm1(-b * rnp.log(y))

    def above(self, y: Array, b: Array) -> Array:
        return y**-b

    def log_above(self, y: Array, b: Array) -> Array:
        return -b * rnp.log(y)

    def quantile(self, q: Array, b: Array) -> Array:
        return rnp.exp(-rnp.log1p(-q) / b)

    def upper_quantile(self, q: Array, b: Array) -> Array:
        return q ** (-1 / b)


class Gamma(Continuous):
    """The gamma distribution of shape a."""

    parameters = ("a",)
    support = (0.0, math.inf)

    def log_density(self, y: Array, a: Array) -> Array:
        return sp.xlogy(a - 1, y) - y - sp.gammaln(a)

    def below(self, y: Array, a: Array) -> Array:
        return sp.gammainc(a, y)

    def above(self, y: Array, a: Array) -> Array:
        return sp.gammaincc(a, y)

    def quantile(self, q: Array, a: Array) -> Array:
        return sp.gammaincinv(a, q)

    def upper_quantile(self, q: Array, a: Array) -> Array:
        return sp.gammainccinv(a, q)


class Chi2(Continuous):
    """The chi-square distribution of df degrees of freedom."""

    parameters = ("df",)
    support = (0.0, math.inf)

    def log_density(self, y: Array, df: Array) -> Array:
        return gamma.log_density(y / 2, df / 2) - math.log(2)

    def below(self, y: Array, df: Array) -> Array:
        return sp.gammainc(df / 2, y / 2)

    def above(self, y: Array, df: Array) -> Array:
        return sp.gammaincc(df / 2, y / 2)

    def quantile(self, q: Array, df: Array) -> Array:
        return 2 * sp.gammaincinv(df / 2, q)

    def upper_quantile(self, q: Array, df: Array) -> Array:
        return 2 * sp.gammainccinv(df / 2, q)


class Beta(Continuous):
    """The beta distribution."""

    parameters = ("a", "b")
    support = (0.0, 1.0)

    def log_density(self, y: Array, a: Array, b: Array) -> Array:
        return sp.xlogy(a - 1, y) + sp.xlog1py(b - 1, -y) - sp.betaln(a, b)

    def below(self, y: Array, a: Array, b: Array) -> Array:
        return sp.betainc(a, b, y)

    def above(self, y: Array, a: Array, b: Array) -> Array:
        return sp.betaincc(a, b, y)

    def quantile(self, q: Array, a: Array, b: Array) -> Array:
        return sp.betaincinv(a, b, q)

    def upper_quantile(self, q: Array, a: Array, b: Array) -> Array:
        return 1 - sp.betaincinv(b, a, q)


class T(Continuous):
    """Student's t distribution of df degrees of freedom."""

    parameters = ("df",)

    def log_density(self, y: Array, df: Array) -> Array:
        ratio = sp.gammaln((df + 1) / 2) - sp.gammaln(df / 2)
        return ratio - rnp.log(df * math.pi) / 2 - (df + 1) / 2 * rnp.log1p(y * y / df)

    def below(self, y: Array, df: Array) -> Array:
        tail = sp.betainc(df / 2, 0.5, df / (df + y * y)) / 2
        return rnp.where(y < 0, tail, 1 - tail)

    def above(self, y: Array, df: Array) -> Array:
        return self.below(-y, df)

    def quantile(self, q: Array, df: Array) -> Array:
        share = sp.betaincinv(df / 2, 0.5, 2 * rnp.minimum(q, 1 - q))
        size = rnp.sqrt(df * (1 - share) / share)
        return rnp.where(q < 0.5, -size, size)

    def upper_quantile(self, q: Array, df: Array) -> Array:
        return -self.quantile(q, df)


class Laplace(Continuous):
    """The Laplace distribution, with density exp(-|y|) / 2."""

    def log_density(self, y: Array) -> Array:
        return -rnp.abs(y) - math.log(2)

    def below(self, y: Array) -> Array:
        tail = rnp.exp(-rnp.abs(y)) / 2
        return rnp.where(y < 0, tail, 1 - tail)

    def above(self, y: Array) -> Array:
        return self.below(-y)

    def log_below(self, y: Array) -> Array:
        tail = -rnp.abs(y) - math.log(2)
        return rnp.where(y < 0, tail, rnp.log1p(-rnp.exp(tail)))

    def log_above(self, y: Array) -> Array:
        return self.log_below(-y)

    def quantile(self, q: Array) -> Array:
        size = rnp.log(2 * rnp.minimum(q, 1 - q))
        return rnp.where(q < 0.5, size, -size)

    def upper_quantile(self, q: Array) -> Array:
        return -self.quantile(q)


class Logistic(Continuous):
    """The logistic distribution."""

    def log_density(self, y: Array) -> Array:
        size = rnp.abs(y)
        return -size - 2 * rnp.log1p(rnp.exp(-size))

    def below(self, y: Array) -> Array:
        return sp.expit(y)

    def above(self, y: Array) -> Array:
        return sp.expit(-y)

    def log_below(self, y: Array) -> Array:
        return sp.log_expit(y)

    def log_above(self, y: Array) -> Array:
        return sp.log_expit(-y)

    def quantile(self, q: Array) -> Array:
        return sp.logit(q)

    def upper_quantile(self, q: Array) -> Array:
        return -sp.logit(q)


class GumbelR(Continuous):
    """The Gumbel distribution of greatest values."""

    def log_density(self, y: Array) -> Array:
        return -y - rnp.exp(-y)

    def below(self, y: Array) -> Array:
        return rnp.exp(-rnp.exp(-y))

    def above(self, y: Array) -> Array:
        return -rnp.expm1(-rnp.exp(-y))

    def log_below(self, y: Array) -> Array:
        return -rnp.exp(-y)

    def quantile(self, q: Array) -> Array:
        return -rnp.log(-rnp.log(q))

    def upper_quantile(self, q: Array) -> Array:
        return -rnp.log(-rnp.log1p(-q))


class Cauchy(Continuous):
    """The Cauchy distribution."""

    def log_density(self, y: Array) -> Array:
        return -math.log(math.pi) - rnp.log1p(y * y)

    def below(self, y: Array) -> Array:
        return rnp.atan2(rnp.ones_like(y), -y) / math.pi

    def above(self, y: Array) -> Array:
        return self.below(-y)

    def quantile(self, q: Array) -> Array:
        # The tangent of the angle from the nearer axis: it is the cotangent that has the digits of a small q.
        edge = 1 / rnp.tan(math.pi * rnp.minimum(q, 1 - q))
        tail = rnp.where(q < 0.5, -edge, edge)
        return rnp.where(rnp.abs(q - 0.5) < 0.25, rnp.tan(math.pi * (q - 0.5)), tail)

    def upper_quantile(self, q: Array) -> Array:
        return -self.quantile(q)


norm = Norm("norm")
lognorm = Lognorm("lognorm")
uniform = Uniform("uniform")
expon = Expon("expon")
weibull_min = WeibullMin("weibull_min")
pareto = Pareto("pareto")
gamma = Gamma("gamma")
chi2 = Chi2("chi2")
beta = Beta("beta")
t = T("t")
laplace = Laplace("laplace")
logistic = Logistic("logistic")
gumbel_r = GumbelR("gumbel_r")
cauchy = Cauchy("cauchy")
