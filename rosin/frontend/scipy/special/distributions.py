"""Distribution functions under SciPy's names, by the incomplete gamma and beta functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy import logic, promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.gamma import (
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
)
from rosin.frontend.scipy.special.operands import elementwise, in_doubles
from rosin.ir.ops.formulas import distributions as dist
from rosin.ir.ops.formulas import kolmogorov as ko

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def chdtr(v: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X ≤ x) of the χ² distribution with v degrees of freedom."""
    freedom, operand = promote.promoted("chdtr", v, x, floating=True)
    return gammainc(el.multiply(freedom, 0.5), el.multiply(operand, 0.5))


def chdtrc(v: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X > x) of the χ² distribution with v degrees of freedom."""
    freedom, operand = promote.promoted("chdtrc", v, x, floating=True)
    return gammaincc(el.multiply(freedom, 0.5), el.multiply(operand, 0.5))


def gdtr(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X ≤ x) of the gamma distribution with rate a and shape b."""
    return elementwise("gdtr", dist.Gdtr(), a, b, x)


def gdtrc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X > x) of the gamma distribution with rate a and shape b."""
    return elementwise("gdtrc", dist.Gdtr(True), a, b, x)


def pdtr(k: ArrayLike, m: ArrayLike, /) -> Array:
    """P(X ≤ k) of the Poisson distribution with mean m."""
    count, mean = promote.promoted("pdtr", k, m, floating=True)
    return gammaincc(el.add(el.floor(count), 1), mean)


def pdtrc(k: ArrayLike, m: ArrayLike, /) -> Array:
    """P(X > k) of the Poisson distribution with mean m."""
    count, mean = promote.promoted("pdtrc", k, m, floating=True)
    return gammainc(el.add(el.floor(count), 1), mean)


def bdtr(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """P(X ≤ k) of the binomial distribution of n trials with probability p, 0 ≤ k ≤ n."""
    count, trials, chance = promote.promoted("bdtr", k, n, p, floating=True)
    whole = el.floor(count)
    inside = logic.less(whole, trials)
    value = betaincc(el.add(whole, 1), el.subtract(trials, logic.where(inside, whole, 0)), chance)
    return logic.where(inside, value, logic.where(logic.equal(whole, trials), 1, math.nan))


def bdtrc(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """P(X > k) of the binomial distribution of n trials with probability p, 0 ≤ k ≤ n."""
    count, trials, chance = promote.promoted("bdtrc", k, n, p, floating=True)
    whole = el.floor(count)
    inside = logic.less(whole, trials)
    value = betainc(el.add(whole, 1), el.subtract(trials, logic.where(inside, whole, 0)), chance)
    return logic.where(inside, value, logic.where(logic.equal(whole, trials), 0, math.nan))


def fdtr(dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X ≤ x) of Fisher's F distribution, x ≥ 0."""
    return elementwise("fdtr", dist.Fdtr(), dfn, dfd, x)


def fdtrc(dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X > x) of Fisher's F distribution, x ≥ 0."""
    return elementwise("fdtrc", dist.Fdtr(True), dfn, dfd, x)


def stdtr(df: ArrayLike, t: ArrayLike, /) -> Array:
    """P(X ≤ t) of Student's t distribution."""
    return elementwise("stdtr", dist.Stdtr(), df, t)


# -- negative binomial, and quantiles ----------------------------------------------------------------------------------


def nbdtr(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """P(X ≤ k) of the failures before the n-th success of probability p."""
    count, wanted, chance = promote.promoted("nbdtr", k, n, p, floating=True)
    return betainc(wanted, el.add(el.floor(count), 1), chance)


def nbdtrc(k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Array:
    """P(X > k) of the failures before the n-th success of probability p."""
    count, wanted, chance = promote.promoted("nbdtrc", k, n, p, floating=True)
    return betaincc(wanted, el.add(el.floor(count), 1), chance)


def bdtri(k: ArrayLike, n: ArrayLike, y: ArrayLike, /) -> Array:
    """The p with bdtr(k, n, p) = y, of 0 ≤ k < n."""
    count, trials, chance = promote.promoted("bdtri", k, n, y, floating=True)
    whole = el.floor(count)
    return betainccinv(el.add(whole, 1), el.subtract(trials, whole), chance)


def pdtri(k: ArrayLike, y: ArrayLike, /) -> Array:
    """The mean m with pdtr(k, m) = y."""
    count, chance = promote.promoted("pdtri", k, y, floating=True)
    return gammainccinv(el.add(el.floor(count), 1), chance)


def chdtri(v: ArrayLike, p: ArrayLike, /) -> Array:
    """The x with chdtrc(v, x) = p."""

    def quantile(freedom: Array, chance: Array) -> Array:
        return el.multiply(gammainccinv(el.multiply(freedom, 0.5), chance), 2)

    return in_doubles("chdtri", quantile, v, p)


def gdtrix(a: ArrayLike, b: ArrayLike, p: ArrayLike, /) -> Array:
    """The x with gdtr(a, b, x) = p."""

    def quantile(rate: Array, shape: Array, chance: Array) -> Array:
        return el.divide(gammaincinv(shape, chance), rate)

    return in_doubles("gdtrix", quantile, a, b, p)


def fdtri(dfn: ArrayLike, dfd: ArrayLike, p: ArrayLike, /) -> Array:
    """The x with fdtr(dfn, dfd, x) = p."""

    def quantile(first: Array, second: Array, chance: Array) -> Array:
        one, other = el.multiply(first, 0.5), el.multiply(second, 0.5)
        # What is next to 1 is not taken from it.
        part, rest = betaincinv(one, other, chance), betainccinv(other, one, chance)
        return el.divide(el.multiply(second, part), el.multiply(first, rest))

    return in_doubles("fdtri", quantile, dfn, dfd, p)


def stdtrit(df: ArrayLike, p: ArrayLike, /) -> Array:
    """The t with stdtr(df, t) = p."""

    def quantile(freedom: Array, chance: Array) -> Array:
        half = el.multiply(freedom, 0.5)
        both = el.multiply(el.minimum(chance, el.subtract(1, chance)), 2)
        # v / (t² + v), and what it lacks to 1.
        share, rest = betaincinv(half, 0.5, both), betainccinv(0.5, half, both)
        size = transcendental.sqrt(el.multiply(freedom, el.divide(rest, share)))
        return logic.where(logic.less(chance, 0.5), el.negative(size), size)

    return in_doubles("stdtrit", quantile, df, p)


# -- Kolmogorov's distribution -----------------------------------------------------------------------------------------


def kolmogorov(y: ArrayLike, /) -> Array:
    """The chance that √n times the greatest distance of an empirical distribution function is above y, for large n."""
    return elementwise("kolmogorov", ko.Kolmogorov(), y)


def kolmogi(p: ArrayLike, /) -> Array:
    """The inverse of kolmogorov: inf at 0, 0 at 1, NaN outside of [0, 1]."""
    return elementwise("kolmogi", ko.Kolmogi(), p)
