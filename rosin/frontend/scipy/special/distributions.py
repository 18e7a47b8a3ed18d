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
    rate, shape, operand = promote.promoted("gdtr", a, b, x, floating=True)
    return gammainc(shape, el.multiply(rate, operand))


def gdtrc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X > x) of the gamma distribution with rate a and shape b."""
    rate, shape, operand = promote.promoted("gdtrc", a, b, x, floating=True)
    return gammaincc(shape, el.multiply(rate, operand))


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
    first, second, operand = promote.promoted("fdtr", dfn, dfd, x, floating=True)
    scaled = el.multiply(first, operand)
    return betainc(el.multiply(first, 0.5), el.multiply(second, 0.5), el.divide(scaled, el.add(second, scaled)))


def fdtrc(dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Array:
    """P(X > x) of Fisher's F distribution, x ≥ 0."""
    first, second, operand = promote.promoted("fdtrc", dfn, dfd, x, floating=True)
    below = el.add(second, el.multiply(first, operand))
    return betainc(el.multiply(second, 0.5), el.multiply(first, 0.5), el.divide(second, below))


def stdtr(df: ArrayLike, t: ArrayLike, /) -> Array:
    """P(X ≤ t) of Student's t distribution."""
    freedom, operand = promote.promoted("stdtr", df, t, floating=True)
    square = el.multiply(operand, operand)
    half, whole = el.multiply(freedom, 0.5), el.add(freedom, square)
    # Of both forms the one whose argument is not next to 1.
    near = betaincc(0.5, half, el.divide(square, whole))
    far = betainc(half, 0.5, el.divide(freedom, whole))
    tail = el.multiply(logic.where(logic.less(square, freedom), near, far), 0.5)
    return logic.where(logic.less(operand, 0), tail, el.subtract(1, tail))


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
    freedom, chance = promote.promoted("chdtri", v, p, floating=True)
    return el.multiply(gammainccinv(el.multiply(freedom, 0.5), chance), 2)


def gdtrix(a: ArrayLike, b: ArrayLike, p: ArrayLike, /) -> Array:
    """The x with gdtr(a, b, x) = p."""
    rate, shape, chance = promote.promoted("gdtrix", a, b, p, floating=True)
    return el.divide(gammaincinv(shape, chance), rate)


def fdtri(dfn: ArrayLike, dfd: ArrayLike, p: ArrayLike, /) -> Array:
    """The x with fdtr(dfn, dfd, x) = p."""
    first, second, chance = promote.promoted("fdtri", dfn, dfd, p, floating=True)
    one, other = el.multiply(first, 0.5), el.multiply(second, 0.5)
    # What is next to 1 is not taken from it.
    part, rest = betaincinv(one, other, chance), betaincinv(other, one, el.subtract(1, chance))
    return el.divide(el.multiply(second, part), el.multiply(first, rest))


def stdtrit(df: ArrayLike, p: ArrayLike, /) -> Array:
    """The t with stdtr(df, t) = p."""
    freedom, chance = promote.promoted("stdtrit", df, p, floating=True)
    half = el.multiply(freedom, 0.5)
    tail = el.minimum(chance, el.subtract(1, chance))
    outer = logic.less(tail, 0.25)
    # Of t² / (t² + df), or of what it lacks to 1, the one that is not next to 1.
    share = betaincinv(half, 0.5, el.multiply(logic.where(outer, tail, 0.25), 2))
    far = el.divide(el.subtract(1, share), share)
    middle = betaincinv(0.5, half, el.subtract(1, el.multiply(logic.where(outer, 0.25, tail), 2)))
    size = transcendental.sqrt(el.multiply(freedom, logic.where(outer, far, el.divide(middle, el.subtract(1, middle)))))
    return logic.where(logic.less(chance, 0.5), el.negative(size), size)
