"""The inverses of the incomplete gamma and beta functions.

With a parameter below 1 an error of such a function is several of its inverse. So the last steps there are for the
logarithm of the function, in pairs of numbers, by a series whose leading power is solved for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas.gamma import TINY, node
from rosin.ir.ops.formulas.incomplete import (
    SMALL_PARAMETER,
    BetaDensity,
    Betainc,
    Betaincc,
    GammaDensity,
    Gammainc,
    Gammaincc,
    beta_parts,
    gamma_parts,
    lgamma_of_next,
    log_of_a_beta,
    rest_of_beta_series,
    rest_of_gamma_series,
)
from rosin.ir.ops.formulas.normal import Ndtri
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def _least_change(m: Algebra, a: Real) -> Real:
    """The last relative step of an inverse: with parameters below 1 the errors of a function are more of its inverse.

    The step after it would be about the square of it.
    """
    least = 2.0**-50 / m.where(a < 1.0, a, 1.0)
    return m.where(least < 2.0**-26, least, 2.0**-26)


def _still_moving(m: Algebra) -> Callable[[Real, Real], Real]:
    return lambda x, change: m.abs(change) > 2.0**-28


# -- gamma -------------------------------------------------------------------------------------------------------------


def _invert_gamma(m: Algebra, a: Real, p: Pair, q: Pair) -> Real:
    """x with P(a, x) = p and Q(a, x) = q, both in (0, 1), whose sum is 1: Newton's steps from a guess.

    The guesses are those of DiDonato and Morris (1986) in outline: the leading power for small x, the cube of a normal
    number (Wilson and Hilferty 1931) for large a, an exponential tail for the rest.
    """
    lower = p.high < 0.5
    wanted = m.where(lower, p.high, q.high)
    leading = m.exp((m.log(m.where(lower, p.high, 1.0 - q.high)) + m.lgamma(a + 1.0)) / a)
    leading = leading * (1.0 + leading / (a + 1.0))
    normal = m.apply(Ndtri(), wanted)
    normal = m.where(lower, normal, -normal)
    cube = 1.0 - 1.0 / (9.0 * a) + normal / (3.0 * m.sqrt(a))
    bend = 1.0 - a * (0.253 + a * 0.12)
    tail = 1.0 - m.log(q.high / (1.0 - bend))
    far = m.where(a > 1.0, a * cube * cube * cube, tail)
    use_leading = (leading < 0.2 * (a + 1.0)) | ((a > 1.0) & (cube < 0.1)) | ((a <= 1.0) & (p.high < bend))
    x = m.where(use_leading, leading, far)
    least = _least_change(m, a)

    def going(x: Real, change: Real) -> Real:
        return m.abs(change) > x * least

    def step(x: Real, change: Real) -> State:
        below, above, mass = gamma_parts(m, a, x)
        found = m.where(lower, below, above)
        # Newton's step for the logarithm of the smaller of both, which is nearly a straight line far out.
        change = m.log1p((found - wanted) / wanted) * (found * x / (mass * a).value)
        change = m.where(lower, change, -change)
        # A step to where there is no density goes half the way to 0 instead, one from there a tenth of it.
        new = m.where(found > 0.0, m.where(change < x, x - change, 0.5 * x), m.where(lower, 1.1 * x, 0.9 * x))
        return new, x - new

    x = m.loop(going, step, (x, x), 40)[0]
    small = (a <= SMALL_PARAMETER) & (x < 1.1) & (x > 0.0)
    return m.where(small, _refined_gamma(m, m.where(small, a, 0.5), m.where(small, x, 0.5), p), x)


def _refined_gamma(m: Algebra, a: Real, x: Real, p: Pair) -> Real:
    """A guess x of P(a, x) = p, made exact for a up to SMALL_PARAMETER and x < 1.1, where P is x^a S / gamma(a + 1).

    An error of P is 1 / a of it in x. So Newton's steps are for log x = (log p + lgamma(a + 1) - log S) / a.
    """
    wanted = pairs.log(m, p) + lgamma_of_next(m, a)

    def step(x: Real, change: Real) -> State:
        series = rest_of_gamma_series(m, a, x)
        rest = (wanted - pairs.log(m, Pair(m, x)) * a - m.log1p(series)).value
        change = m.expm1(rest * m.exp(x) * (1.0 + series) / a)
        return x + x * change, change

    return m.loop(_still_moving(m), step, (x, m.number(1.0, x)), 4)[0]


def _inverse_gamma(m: Algebra, a: Real, y: Real, upper: bool) -> Real:
    inside = (a > 0.0) & (a < math.inf) & (y > 0.0) & (y < 1.0)
    kept, at = m.where(inside, a, 1.0), m.where(inside, y, 0.5)
    given, rest = Pair(m, at), pairs.exact_sum(m, -at, m.number(1.0, at))
    result = _invert_gamma(m, kept, *((rest, given) if upper else (given, rest)))
    zero, infinite = (1.0, 0.0) if upper else (0.0, 1.0)
    edge = m.where(m.equal(y, zero), m.number(0.0, y), m.where(m.equal(y, infinite), math.inf, math.nan))
    return m.where(inside, result, m.nan_where(~((a > 0.0) & (a < math.inf)), edge))


class InverseGamma(Formula):
    """An inverse of an incomplete gamma function of (a, x) by x."""

    arity = 2
    flops = 5000


@define("gammaincinv")
class Gammaincinv(InverseGamma):
    """x with P(a, x) = p."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return _inverse_gamma(m, *operands, upper=False)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        a, _ = operands
        density = node(b, GammaDensity(), a, result)
        return b.neg(b.div(node(b, Gammainc(1), a, result), density)), b.div(1.0, density)


@define("gammainccinv")
class Gammainccinv(InverseGamma):
    """x with Q(a, x) = q."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return _inverse_gamma(m, *operands, upper=True)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        a, _ = operands
        density = node(b, GammaDensity(), a, result)
        return b.div(node(b, Gammaincc(1), a, result), density), b.div(-1.0, density)


# -- beta --------------------------------------------------------------------------------------------------------------


def _invert_beta(m: Algebra, a: Real, b: Real, p: Pair, q: Pair) -> Real:
    """x with I_x(a, b) = p and its complement q, both in (0, 1), whose sum is 1.

    Which of x and 1 - x is at most 1/2 is found, by steps like Halley's from a guess.
    """
    half = m.number(0.5, p.high)
    below, above, _ = beta_parts(m, a, b, half)
    swap = m.where(p.high < 0.5, p.high - below, above - q.high) > 0.0
    a, b = m.either(swap, (b, a), (a, b))
    p, q = pairs.where(m, swap, q, p), pairs.where(m, swap, p, q)
    lower = p.high < q.high
    x = _beta_guess(m, a, b, p.high, q.high)
    x = m.where(x > 0.0, m.where(x < 0.5, x, half), 1e-300)
    least = _least_change(m, a)

    def going(x: Real, change: Real) -> Real:
        return m.abs(change) > x * least

    def step(x: Real, change: Real) -> State:
        below, above, mass = beta_parts(m, a, b, x)
        rest = 1.0 - x
        newton = m.where(lower, below - p.high, q.high - above) / mass * (x * rest)
        bent = newton * ((a - 1.0) / x - (b - 1.0) / rest)
        change = newton / (1.0 - 0.5 * m.where(bent > 1.0, 1.0, m.where(bent < -1.0, -1.0, bent)))
        new = x - change
        # A step out of the interval goes half the way to its end instead.
        new = m.where(new <= 0.0, 0.5 * x, m.where(new >= 0.51, 0.5 * x + 0.255, new))
        return new, x - new

    x = m.loop(going, step, (x, x), 40)[0]
    small = (a <= SMALL_PARAMETER) & (x * b < 1.1)
    refined = _refined_beta(m, m.where(small, a, 0.5), m.where(small, b, 0.5), m.where(small, x, 0.5), p)
    x = m.where(small, refined, x)
    return m.where(swap, 1.0 - x, x)


def _beta_guess(m: Algebra, a: Real, b: Real, p: Real, q: Real) -> Real:
    """About the inverse at p = 1 - q: by Abramowitz and Stegun 26.5.22, or a power."""
    lower = p < q
    normal = m.apply(Ndtri(), m.where(lower, p, q))
    normal = m.where(lower, normal, -normal)
    by_a, by_b = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
    spread = (normal * normal - 3.0) / 6.0
    h = 2.0 / (by_a + by_b)
    w = normal * m.sqrt(spread + h) / h - (by_b - by_a) * (spread + 5.0 / 6.0 - 2.0 / (3.0 * h))
    central = a / (a + b * m.exp(-2.0 * w))
    left = m.exp(a * m.log(a / (a + b))) / a
    right = m.exp(b * m.log(b / (a + b))) / b
    both = left + right
    low, high = m.exp(m.log(a * both * p) / a), 1.0 - m.exp(m.log(b * both * q) / b)
    is_central = (a >= 1.0) & (b >= 1.0) & (central > 0.0) & (central < 1.0)
    return m.where(is_central, central, m.where(p < left / both, low, high))


def _refined_beta(m: Algebra, a: Real, b: Real, x: Real, p: Pair) -> Real:
    """A guess x <= 1/2 of I_x(a, b) = p, made exact where b x < 1.1, by I_x(a, b) = x^a S / (a B(a, b)).

    As `_refined_gamma`: Newton's steps are for log x = (log p + log (a B) - log S) / a.
    """
    wanted = log_of_a_beta(m, a, b, a > 0.0) + pairs.log(m, p)

    def step(x: Real, change: Real) -> State:
        series = rest_of_beta_series(m, a, b, x) + 1.0
        rest = (wanted - pairs.log(m, Pair(m, x)) * a - pairs.log(m, series)).value
        slope = m.exp((b - 1.0) * m.log1p(-x)) * a / series.high
        change = m.expm1(rest / slope)
        return x + x * change, change

    return m.loop(_still_moving(m), step, (x, m.number(1.0, x)), 4)[0]


class InverseBeta(Formula):
    """An inverse of an incomplete beta function of (a, b, x) by x."""

    arity = 3
    flops = 5000

    def value(self, m: Algebra, a: Real, b: Real, y: Real, upper: bool) -> Real:
        good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
        inside = good & (y > 0.0) & (y < 1.0)
        # As of the functions themselves, parameters so large or small have all there is at one or two points.
        small, large = (a < TINY) & (b < TINY), (a > 1e150) | (b > 1e150)
        usual = inside & ~(small | large)
        given = m.where(usual, y, 0.5)
        first, rest = Pair(m, given), pairs.exact_sum(m, -given, m.number(1.0, given))
        p, q = (rest, first) if upper else (first, rest)
        found = _invert_beta(m, m.where(usual, a, 0.5), m.where(usual, b, 0.5), p, q)
        share = (1.0 - y if upper else y) > b / (a + b)
        point = m.where(small, m.where(share, m.number(1.0, y), 0.0), a / (a + b))
        edge = good & (m.equal(y, 0.0) | m.equal(y, 1.0))
        return m.where(usual, found, m.where(inside, point, m.where(edge, 1.0 - y if upper else y, math.nan)))


@define("betaincinv")
class Betaincinv(InverseBeta):
    """x with I_x(a, b) = y."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return self.value(m, *operands, upper=False)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        at = (*operands[:2], result)
        density = node(b, BetaDensity(), *at)
        slopes = Betainc().by_parameters(b, at)
        return *(b.neg(b.div(slope, density)) for slope in slopes), b.div(1.0, density)


@define("betainccinv")
class Betainccinv(InverseBeta):
    """x with 1 - I_x(a, b) = y."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return self.value(m, *operands, upper=True)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        at = (*operands[:2], result)
        density = node(b, BetaDensity(), *at)
        slopes = Betaincc().by_parameters(b, at)
        return *(b.div(slope, density) for slope in slopes), b.div(-1.0, density)
