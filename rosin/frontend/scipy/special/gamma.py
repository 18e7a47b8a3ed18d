"""The gamma and beta functions and their kin, binomial coefficients, and zeta functions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend.numpy import creation, logic, promote
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.transcendental import digamma
from rosin.frontend.numpy.transcendental import lgamma as gammaln
from rosin.frontend.scipy.special.operands import elementwise, in_doubles, order
from rosin.ir.ops import special
from rosin.ir.ops.formulas import gamma as ga
from rosin.ir.ops.formulas import incomplete as inc
from rosin.ir.ops.formulas import quantiles
from rosin.ir.ops.formulas import zeta as ze

if TYPE_CHECKING:
    from rosin.frontend.array import Array

psi = digamma


def gamma(x: ArrayLike, /) -> Array:
    """Γ(x); ±inf at ±0, NaN at the negative integers."""
    return elementwise("gamma", ga.Gamma(), x)


def rgamma(x: ArrayLike, /) -> Array:
    """1 / Γ(x), 0 at 0 and the negative integers."""
    return elementwise("rgamma", ga.Rgamma(), x)


def gammasgn(x: ArrayLike, /) -> Array:
    """The sign of Γ(x)."""
    return elementwise("gammasgn", ga.Gammasgn(), x)


def loggamma(x: ArrayLike, /) -> Array:
    """log Γ(x) of real numbers: NaN for negative ones, whose branch is complex."""
    operand = promote.floating("loggamma", x)
    return logic.where(logic.less(operand, 0), math.nan, gammaln(operand))


def multigammaln(a: ArrayLike, d: int, /) -> Array:
    """The logarithm of the multivariate gamma function of dimension `d`, of a > (d - 1) / 2."""
    count = order("multigammaln", d, "the dimension", 1)
    operand = promote.floating("multigammaln", a)
    total = gammaln(operand)
    for j in range(1, count):
        total = el.add(total, gammaln(el.subtract(operand, 0.5 * j)))
    return el.add(total, 0.25 * count * (count - 1) * math.log(math.pi))


def polygamma(n: int, x: ArrayLike, /) -> Array:
    """The n-th derivative of digamma; n is a Python integer."""
    count = order("polygamma", n)
    return digamma(x) if count == 0 else elementwise("polygamma", special.Polygamma(count), x)


def beta(a: ArrayLike, b: ArrayLike, /) -> Array:
    """B(a, b) = Γ(a) Γ(b) / Γ(a + b)."""
    return elementwise("beta", ga.Beta(), a, b)


def betaln(a: ArrayLike, b: ArrayLike, /) -> Array:
    """log |B(a, b)|."""
    return elementwise("betaln", ga.Betaln(), a, b)


# -- incomplete --------------------------------------------------------------------------------------------------------


def gammainc(a: ArrayLike, x: ArrayLike, /) -> Array:
    """The regularised lower incomplete gamma function P(a, x)."""
    return elementwise("gammainc", inc.Gammainc(), a, x)


def gammaincc(a: ArrayLike, x: ArrayLike, /) -> Array:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x)."""
    return elementwise("gammaincc", inc.Gammaincc(), a, x)


def gammaincinv(a: ArrayLike, p: ArrayLike, /) -> Array:
    """x with gammainc(a, x) = p."""
    return elementwise("gammaincinv", quantiles.Gammaincinv(), a, p)


def gammainccinv(a: ArrayLike, q: ArrayLike, /) -> Array:
    """x with gammaincc(a, x) = q."""
    return elementwise("gammainccinv", quantiles.Gammainccinv(), a, q)


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """The regularised incomplete beta function I_x(a, b)."""
    return elementwise("betainc", inc.Betainc(), a, b, x)


def betaincc(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """1 - I_x(a, b)."""
    return elementwise("betaincc", inc.Betaincc(), a, b, x)


def betaincinv(a: ArrayLike, b: ArrayLike, y: ArrayLike, /) -> Array:
    """x with betainc(a, b, x) = y."""
    return elementwise("betaincinv", quantiles.Betaincinv(), a, b, y)


def betainccinv(a: ArrayLike, b: ArrayLike, y: ArrayLike, /) -> Array:
    """x with betaincc(a, b, x) = y."""
    return elementwise("betainccinv", quantiles.Betainccinv(), a, b, y)


# -- combinatorics -----------------------------------------------------------------------------------------------------


def factorial(n: ArrayLike, /) -> Array:
    """n! = Γ(n + 1) in floats, 0 for negative n."""
    operand = promote.floating("factorial", n)
    below = logic.less(operand, 0)
    return logic.where(below, 0, poch(creation.ones_like(operand), logic.where(below, 0, operand)))


def binom(n: ArrayLike, k: ArrayLike, /) -> Array:
    """The binomial coefficient of real numbers, Γ(n + 1) / (Γ(k + 1) Γ(n - k + 1))."""
    return elementwise("binom", ga.Binom(), n, k)


def comb(N: ArrayLike, k: ArrayLike, /, *, repetition: bool = False) -> Array:
    """The number of ways to choose k of N things, or with repetition: 0 where k is negative or above N."""
    top, few = promote.promoted("comb", N, k, floating=True)
    if repetition:
        chosen = binom(el.subtract(el.add(top, few), 1), few)
        return logic.where(logic.equal(few, 0), 1, _where_counted(chosen, top, few, logic.greater_equal(top, 1)))
    return _where_counted(binom(top, few), top, few, logic.less_equal(few, top))


def _where_counted(value: Array, top: Array, few: Array, enough: Array) -> Array:
    both = logic.logical_and(logic.greater_equal(top, 0), logic.greater_equal(few, 0))
    return logic.where(logic.logical_and(both, enough), value, 0)


def perm(N: ArrayLike, k: ArrayLike, /) -> Array:
    """The number of ordered choices of k of N things, N! / (N - k)!: 0 where k is negative or above N."""

    def count(top: Array, few: Array) -> Array:
        return _where_counted(el.multiply(binom(top, few), factorial(few)), top, few, logic.less_equal(few, top))

    return in_doubles("perm", count, N, k)


def poch(z: ArrayLike, m: ArrayLike, /) -> Array:
    """Pochhammer's symbol Γ(z + m) / Γ(z), the rising factorial."""
    return elementwise("poch", ga.Poch(), z, m)


def bernoulli(n: int, /) -> Array:
    """The Bernoulli numbers B_0 … B_n, in f64."""
    count = order("bernoulli", n)
    numbers: list[Fraction] = []
    for m in range(count + 1):
        known = sum((math.comb(m + 1, k) * b for k, b in enumerate(numbers)), Fraction(0))
        numbers.append(Fraction(1) if m == 0 else -known / (m + 1))
    return creation.asarray(np.array([float(b) for b in numbers]))


# -- zeta --------------------------------------------------------------------------------------------------------------


def zeta(x: ArrayLike, q: ArrayLike | None = None, /) -> Array:
    """Riemann's zeta function, or Hurwitz's Σ (q + k)^-x over k ≥ 0, of x > 1 and q > 0."""
    return elementwise("zeta", ze.RiemannZeta(), x) if q is None else elementwise("zeta", ze.HurwitzZeta(), x, q)


def zetac(x: ArrayLike, /) -> Array:
    """ζ(x) - 1, of x > 1 as ζ(x, 2), which does not lose digits."""
    operand = promote.floating("zetac", x)
    above = logic.greater(operand, 1)
    two = creation.full_like(operand, 2)
    far = zeta(logic.where(above, operand, 2), two)
    return logic.where(above, far, el.subtract(zeta(operand), 1))
