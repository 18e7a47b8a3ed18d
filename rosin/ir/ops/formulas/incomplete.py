"""The incomplete gamma and beta functions, their derivatives by every argument, and their inverses.

Derivatives by the parameters are those of the algorithms, in dual numbers (formulas/dual.py): an op has how often it
is differentiated by each of them as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import NEAR, TINY, TWO_PI, beta_factors, gamma_of_next, node, stirling_series
from rosin.ir.ops.formulas.normal import Ndtri
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

EPSILON = 2.0**-54
TEMME_FROM = 30.0
"""From this parameter on, next to it, the incomplete gamma functions come from Temme's expansion."""


ATANH = tuple(2.0 / (2 * k + 5) for k in range(18))
"""Of 2 atanh(r) = 2 r + 2/3 r^3 + …, from r^5 on."""


def log1p_less_linear(m: Algebra, u: Pair) -> Pair:
    """(log(1 + u) - u) / u² for |u| < 1/2, by 2 atanh(r) of r = u / (2 + u), for which u - 2 r = u r."""
    below = u + 2.0
    ratio = u / below
    square = ratio * ratio
    series = pairs.constant(m, pairs.TWO_THIRDS, u.high) + square.high * m.polynomial(square.high, ATANH)
    return (ratio / below * series - 1.0) / below


def log1p(m: Algebra, u: Pair, above: Pair) -> Pair:
    """log(1 + u) of u > -1, with `above` = 1 + u."""
    near = m.abs(u.high) < 0.5
    kept = pairs.where(m, near, u, 0.0)
    close = log1p_less_linear(m, kept) * kept * kept + kept
    return pairs.where(m, near, close, pairs.log(m, pairs.where(m, near, 2.0, above)))


def log1p_minus(m: Algebra, u: Pair, above: Pair) -> Pair:
    """log(1 + u) - u of u > -1, with `above` = 1 + u."""
    near = m.abs(u.high) < 0.5
    kept = pairs.where(m, near, u, 0.0)
    far = pairs.log(m, pairs.where(m, near, 1.0, above)) - u
    return pairs.where(m, near, log1p_less_linear(m, kept) * kept * kept, far)


# -- gamma -------------------------------------------------------------------------------------------------------------


def gamma_mass(m: Algebra, a: Real, x: Real) -> Pair:
    """x^a exp(-x) / gamma(a + 1), of positive numbers."""
    large = a > NEAR
    kept, one = m.where(large, a, 2.0 * NEAR), m.number(1.0, a)
    ratio = pairs.quotient(m, m.where(large, x, kept), kept)
    by_stirling = log1p_minus(m, pairs.exact_sum(m, x, -kept) / kept, ratio) * kept - stirling_series(m, kept)
    least = m.where(x > 1e4, 1e4, x)
    direct = pairs.log(m, Pair(m, least)) * a - least
    root, gamma = pairs.sqrt(m, pairs.constant(m, TWO_PI, a) * kept), gamma_of_next(m, m.where(large, one, a))
    below = pairs.where(m, large, root, gamma)
    return pairs.exp(m, _bounded(m, pairs.where(m, large, by_stirling, direct))) / below


def _bounded(m: Algebra, x: Pair) -> Pair:
    """An exponent, but not so far below 0 that its low part would be no number."""
    return pairs.where(m, x.high > -1e4, x, -1e4)


def _gamma_series(m: Algebra, a: Real, x: Real) -> Real:
    """The sum of x^n / ((a + 1) … (a + n)), whose terms would lose digits one after the other."""

    def going(total: Real, low: Real, term: Real, error: Real, k: Real) -> Real:
        return m.magnitude(term) > m.magnitude(total) * EPSILON

    def step(total: Real, low: Real, term: Real, error: Real, k: Real) -> State:
        found = Pair(m, term, error) * x / pairs.exact_sum(m, a, k)
        total, lost = pairs.two_sum(total, found.high)
        return total, low + (lost + found.low), found.high, found.low, k + 1.0

    one, zero = m.number(1.0, x), m.number(0.0, x)
    total, low, _, _, _ = m.loop(going, step, (one, zero, one, zero, one), 1000)
    return total + low


def gamma_fraction(m: Algebra, a: Real, x: Real) -> Real:
    """The continued fraction of gamma(a, x) / (x^a exp(-x)), x ≥ 1 (DLMF 8.9.2), from its end: so errors die out."""
    start = x + 1.0 - a

    def step(rest: Real, i: Real) -> State:
        return i * (a - i) / (rest + (start + 2.0 * i)), i - 1.0

    def going(rest: Real, i: Real) -> Real:
        return i > 0.0

    terms = m.floor(110.0 / x) + 40.0
    return 1.0 / (start + m.loop(going, step, (m.number(0.0, x), terms), 151)[0])


def _gamma_of_small(m: Algebra, a: Real, x: Real) -> Real:
    """Q(a, x) of small a and x, where P is near 1."""
    lgamma = m.polynomial(1.6 * a - 1.0, tables.LGAMMA_OF_NEXT) * a
    exponent = a * m.log(x) - lgamma
    # The terms of the series but the first, which is that of x^a.
    series = m.number(0.0, x)
    for n in range(18, 0, -1):
        series = (1.0 / (a + float(n)) + series) * (x * (-1.0 / n))
    return -m.expm1(exponent) - m.exp(exponent) * a * series


def _temme(m: Algebra, a: Real, x: Real) -> tuple[Real, Real]:
    """P and Q for large a and x next to it (Temme 1979)."""
    mu = pairs.exact_sum(m, x, -a) / a
    half = -log1p_less_linear(m, mu)
    eta = mu.high * m.sqrt(2.0 * half.high)
    total = m.number(0.0, x)
    for row in tables.TEMME[::-1]:
        total = total / a + m.polynomial(eta, row)
    # z = eta sqrt(a/2); the slope of erfc, -2 exp(-z^2) / sqrt(pi), takes care of its low part.
    z = pairs.sqrt(m, half * a) * mu
    density = pairs.exp(m, _bounded(m, half * mu * mu * -a)).value
    rest = density * (total / m.sqrt(2 * math.pi * a) - z.low * (1.0 / math.sqrt(math.pi)))
    return 0.5 * m.erfc(-z.high) - rest, 0.5 * m.erfc(z.high) + rest


def gamma_pair(m: Algebra, a: Real, x: Real) -> tuple[Real, Real]:
    """The regularised P(a, x) and Q(a, x) of positive numbers."""
    ratio = x / a
    temme = (a >= TEMME_FROM) & (ratio > 0.7) & (ratio < 1.4)
    small = (x < 1.1) & (a < 1.2) & (a < m.where(x < 0.5, -0.4 / m.log(x), x * 1.1))
    fraction = (x > 1.1) & (x > a)
    series = ~(temme | small | fraction)
    mass = gamma_mass(m, a, x)
    lower = (mass * _gamma_series(m, m.where(series, a, 1.0), m.where(series, x, 0.0))).value
    by_fraction = fraction & ~temme
    upper = (mass * a * gamma_fraction(m, m.where(by_fraction, a, 1.0), m.where(by_fraction, x, 40.0))).value
    upper = m.where(small, _gamma_of_small(m, m.where(small, a, 1.0), m.where(small, x, 1.0)), upper)
    near = _temme(m, m.where(temme, a, 100.0), m.where(temme, x, 100.0))
    far = m.either(series, (lower, 1.0 - lower), (1.0 - upper, upper))
    p, q = m.either(temme, near, far)
    return p, q


def _incomplete_gamma(m: Algebra, a: Real, x: Real, upper: bool) -> Real:
    inside = (a > 0.0) & (x > 0.0) & (a < math.inf) & (x < math.inf)
    result = gamma_pair(m, m.where(inside, a, 1.0), m.where(inside, x, 1.0))[upper]
    # At the edges P is 0 or 1.
    full = (m.equal(a, 0.0) & (x > 0.0)) | (m.equal(x, math.inf) & (a >= 0.0) & (a < math.inf))
    empty = (m.equal(x, 0.0) & (a > 0.0)) | (m.equal(a, math.inf) & (x >= 0.0) & (x < math.inf))
    edge = m.where(full, m.number(1.0 - upper, x), m.where(empty, m.number(upper, x), math.nan))
    return m.where(inside, result, edge)


@with_attributes
class IncompleteGamma(Derived):
    """A regularised incomplete gamma function of (a, x), differentiated by a so many times."""

    arity = 2
    order: int = 0


@define("gammainc")
class Gammainc(IncompleteGamma):
    """P(a, x) = ∫₀ˣ t^(a-1) exp(-t) dt / Γ(a)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return derivative(partial(_incomplete_gamma, upper=False), m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return node(b, Gammainc(self.order + 1), *operands), node(b, GammaDensity(self.order), *operands)


@define("gammaincc")
class Gammaincc(IncompleteGamma):
    """Q(a, x) = 1 - P(a, x)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return derivative(partial(_incomplete_gamma, upper=True), m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return node(b, Gammaincc(self.order + 1), *operands), b.neg(node(b, GammaDensity(self.order), *operands))


@define("gamma_density")
class GammaDensity(IncompleteGamma):
    """The derivative x^(a-1) exp(-x) / Γ(a) of P(a, x) by x."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def density(m: Algebra, a: Real, x: Real) -> Real:
            inside = (a > 0.0) & (x > 0.0) & (x < math.inf)
            kept = m.where(inside, x, 1.0)
            value = (gamma_mass(m, m.where(inside, a, 1.0), kept) * a / kept).value
            at_zero = m.where(a > 1.0, m.number(0.0, x), m.where(m.equal(a, 1.0), m.number(1.0, x), math.inf))
            edge = m.where(
                m.equal(x, 0.0) & (a > 0.0), at_zero, m.where(m.equal(x, math.inf), m.number(0.0, x), math.nan)
            )
            return m.where(inside, value, edge)

        return derivative(density, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        a, x = operands
        by_x = b.mul(b.sub(b.div(b.sub(a, 1.0), x), 1.0), result)
        if self.order:
            below = node(b, GammaDensity(self.order - 1), a, x)
            by_x = b.add(by_x, b.mul(b.div(below, x), float(self.order)))
        return node(b, GammaDensity(self.order + 1), a, x), by_x


def _invert_gamma(m: Algebra, a: Real, p: Real, q: Real) -> Real:
    """x with P(a, x) = p and Q(a, x) = q = 1 - p, both in (0, 1): Newton's steps from a guess.

    The guesses are those of DiDonato and Morris (1986) in outline: the leading power for small x, the cube of a normal
    number (Wilson and Hilferty 1931) for large a, an exponential tail for the rest.
    """
    lower = p < 0.5
    leading = m.exp((m.log(m.where(lower, p, 1.0 - q)) + m.lgamma(a + 1.0)) / a)
    leading = leading * (1.0 + leading / (a + 1.0))
    normal = m.apply(Ndtri(), m.where(lower, p, q))
    normal = m.where(lower, normal, -normal)
    cube = 1.0 - 1.0 / (9.0 * a) + normal / (3.0 * m.sqrt(a))
    bend = 1.0 - a * (0.253 + a * 0.12)
    tail = 1.0 - m.log(q / (1.0 - bend))
    far = m.where(a > 1.0, a * cube * cube * cube, tail)
    use_leading = (leading < 0.2 * (a + 1.0)) | ((a > 1.0) & (cube < 0.1)) | ((a <= 1.0) & (p < bend))
    x = m.where(use_leading, leading, far)

    def going(x: Real, change: Real) -> Real:
        return m.abs(change) > x * 2.0**-50

    def step(x: Real, change: Real) -> State:
        found = m.where(lower, m.apply(Gammainc(), a, x), m.apply(Gammaincc(), a, x))
        wanted = m.where(lower, p, q)
        # Newton's step for the logarithm of the smaller of both, which is nearly a straight line far out.
        change = m.log1p((found - wanted) / wanted) * (found / m.apply(GammaDensity(), a, x))
        change = m.where(lower, change, -change)
        # A step to where there is no density goes half the way to 0 instead, one from there a tenth of it.
        new = m.where(found > 0.0, m.where(change < x, x - change, 0.5 * x), m.where(lower, 1.1 * x, 0.9 * x))
        return new, x - new

    return m.loop(going, step, (x, x), 40)[0]


def _inverse_gamma(m: Algebra, a: Real, y: Real, upper: bool) -> Real:
    inside = (a > 0.0) & (a < math.inf) & (y > 0.0) & (y < 1.0)
    kept, at = m.where(inside, a, 1.0), m.where(inside, y, 0.5)
    result = _invert_gamma(m, kept, *((1.0 - at, at) if upper else (at, 1.0 - at)))
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


def beta_mass(m: Algebra, a: Real, b: Real, x: Pair, y: Pair) -> Pair:
    """x^a y^b / B(a, b), of positive numbers with x + y = 1."""
    both = (a > NEAR) & (b > NEAR)
    p, q = m.where(both, a, 2.0 * NEAR), m.where(both, b, 2.0 * NEAR)
    total = pairs.exact_sum(m, p, q)
    away = x * q - y * p
    by_stirling = log1p_minus(m, away / p, x * total / p) * p + log1p_minus(m, -away / q, y * total / q) * q
    stars = stirling_series(m, p) + (stirling_series(m, q) - stirling_series(m, total.high))
    root = pairs.sqrt(m, pairs.quotient(m, p, total.high) * q / pairs.constant(m, TWO_PI, p))
    r, s = m.where(both, 1.0, a), m.where(both, 1.0, b)
    scale = beta_factors(m, Pair(m, r), Pair(m, s), pairs.exact_sum(m, r, s))
    direct = pairs.log(m, x) * r + pairs.log(m, y) * s - scale.exponent
    exponent = _bounded(m, pairs.where(m, both, by_stirling - stars, direct))
    return pairs.exp(m, exponent) * pairs.where(m, both, root, scale.below / scale.above)


def _beta_partials(m: Algebra, a: Real, b: Real, x: Real, away: Real) -> Callable[[Real], tuple[Real, Real]]:
    """The numerators and denominators of the fraction x^a (1 - x)^b / (B I_x) (Didonato and Morris 1992).

    `away` is a - (a + b) x. The even part of DLMF 8.17.22: it has positive terms only, but for numerators from b on.
    """

    def at(k: Real) -> tuple[Real, Real]:
        twice = a + 2.0 * k
        share = k * (b - k) * x / (twice - 1.0)
        numerator = (a + (k - 1.0)) * ((a + b) + (k - 1.0)) * x * share / (twice - 1.0)
        return numerator, k + share + (a + k) * (away + 1.0 + k * (2.0 - x)) / (twice + 1.0)

    return at


def _beta_fraction(m: Algebra, a: Real, b: Real, x: Real, away: Real) -> Real:
    """That fraction, from its end, so that errors die out; first it is found from its start how many terms it takes."""
    at, one = _beta_partials(m, a, b, x, away), m.number(1.0, x)

    def converging(c: Real, d: Real, k: Real, change: Real) -> Real:
        return m.magnitude(change - 1.0) > 2 * EPSILON

    def forward(c: Real, d: Real, k: Real, change: Real) -> State:
        numerator, denominator = at(k)
        d = 1.0 / (denominator + numerator * d)
        c = denominator + numerator / c
        return c, d, k + 1.0, c * d

    first = a * (away + 1.0) / (a + 1.0)
    terms = m.loop(converging, forward, (first, one * 0.0, one, one * 2.0), 5000)[2]

    def going(rest: Real, k: Real) -> Real:
        return k > 0.0

    def backward(rest: Real, k: Real) -> State:
        numerator, denominator = at(k)
        return numerator / (denominator + rest), k - 1.0

    return first + m.loop(going, backward, (one * 0.0, terms), 5000)[0]


def beta_pair(m: Algebra, a: Real, b: Real, x: Real) -> tuple[Real, Real]:
    """The regularised I_x(a, b) and its complement, of positive numbers and 0 < x < 1."""
    swap = x > (a + 1.0) / (a + b + 2.0)
    whole, rest = Pair(m, x), pairs.exact_sum(m, m.number(1.0, x), -x)
    a, b = m.either(swap, (b, a), (a, b))
    small, other = pairs.where(m, swap, rest, whole), pairs.where(m, swap, whole, rest)
    away = (other * a - small * b).value
    part = (beta_mass(m, a, b, small, other) / _beta_fraction(m, a, b, small.high, away)).value
    found = m.either(swap, (1.0 - part, part), (part, 1.0 - part))
    return found[0], found[1]


def _incomplete_beta(m: Algebra, a: Real, b: Real, x: Real, upper: bool) -> Real:
    good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
    inside = good & (x > 0.0) & (x < 1.0)
    # Of parameters so small both ends share what there is, and of ones so large all of it is next to the mean.
    small, large = (a < TINY) & (b < TINY), (a > 1e150) | (b > 1e150)
    usual = inside & ~(small | large)
    result = beta_pair(m, *(m.where(usual, v, 0.5) for v in (a, b, x)))[upper]
    share = (a if upper else b) / (a + b)
    beyond = m.where(x > a / (a + b), m.number(1.0 - upper, x), float(upper))
    result = m.where(usual, result, m.where(small, share, beyond))
    at_zero, at_one = float(upper), 1.0 - upper
    edge = m.where(m.equal(x, 0.0), m.number(at_zero, x), m.where(m.equal(x, 1.0), m.number(at_one, x), math.nan))
    # All of the distribution is at 0, or at 1.
    low = (m.equal(a, 0.0) & (b > 0.0)) | (m.equal(b, math.inf) & (a >= 0.0) & (a < math.inf))
    high = (m.equal(b, 0.0) & (a > 0.0)) | (m.equal(a, math.inf) & (b >= 0.0) & (b < math.inf))
    full, empty = m.number(1.0 - upper, x), float(upper)
    step = m.where(
        low, m.where(x > 0.0, full, empty), m.where(high, m.where(x < 1.0, m.number(empty, x), full), math.nan)
    )
    step = m.nan_where(~((x >= 0.0) & (x <= 1.0)), step)
    return m.where(inside, result, m.where(good, edge, step))


def _beta_density(m: Algebra, a: Real, b: Real, x: Real) -> Real:
    inside = (a > 0.0) & (b > 0.0) & (x > 0.0) & (x < 1.0)
    p, q, t = (m.where(inside, v, 0.5) for v in (a, b, x))
    whole, rest = Pair(m, t), pairs.exact_sum(m, m.number(1.0, t), -t)
    value = (beta_mass(m, p, q, whole, rest) / whole / rest).value
    power = m.where(m.equal(x, 0.0), a, b)
    at_edge = m.where(power > 1.0, 0.0, m.where(m.equal(power, 1.0), a + b - 1.0, math.inf))
    edge = m.where((m.equal(x, 0.0) | m.equal(x, 1.0)) & (a > 0.0) & (b > 0.0), at_edge, math.nan)
    return m.where(inside, value, edge)


@with_attributes
class IncompleteBeta(Derived):
    """A regularised incomplete beta function of (a, b, x), differentiated so many times by a and by b."""

    arity = 3
    a_order: int = 0
    b_order: int = 0

    def differentiated(self, formula: Callable[..., Real], m: Algebra, *operands: Real) -> Real:
        def by_b(m: Algebra, *operands: Real) -> Real:
            return derivative(formula, m, operands, 1, self.b_order)

        return derivative(by_b, m, operands, 0, self.a_order)

    def by_parameters(self, b: Builder, operands: Values) -> tuple[Value, Value]:
        kind, a_order, b_order = type(self), self.a_order, self.b_order
        return node(b, kind(a_order + 1, b_order), *operands), node(b, kind(a_order, b_order + 1), *operands)


@define("betainc")
class Betainc(IncompleteBeta):
    """I_x(a, b) = ∫₀ˣ t^(a-1) (1-t)^(b-1) dt / B(a, b)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return self.differentiated(partial(_incomplete_beta, upper=False), m, *operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        density = node(b, BetaDensity(self.a_order, self.b_order), *operands)
        return *self.by_parameters(b, operands), density


@define("betaincc")
class Betaincc(IncompleteBeta):
    """1 - I_x(a, b)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return self.differentiated(partial(_incomplete_beta, upper=True), m, *operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        density = node(b, BetaDensity(self.a_order, self.b_order), *operands)
        return *self.by_parameters(b, operands), b.neg(density)


@define("beta_density")
class BetaDensity(IncompleteBeta):
    """The derivative x^(a-1) (1-x)^(b-1) / B(a, b) of I_x(a, b) by x."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return self.differentiated(_beta_density, m, *operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        p, q, x = operands
        rest = b.sub(1.0, x)
        by_x = b.mul(b.sub(b.div(b.sub(p, 1.0), x), b.div(b.sub(q, 1.0), rest)), result)
        if self.a_order:
            below = node(b, BetaDensity(self.a_order - 1, self.b_order), *operands)
            by_x = b.add(by_x, b.mul(b.div(below, x), float(self.a_order)))
        if self.b_order:
            below = node(b, BetaDensity(self.a_order, self.b_order - 1), *operands)
            by_x = b.sub(by_x, b.mul(b.div(below, rest), float(self.b_order)))
        return *self.by_parameters(b, operands), by_x


def _invert_beta(m: Algebra, a: Real, b: Real, p: Real) -> Real:
    """x with I_x(a, b) = p, 0 < p < 1: Halley's steps from the guesses of Abramowitz and Stegun 26.5.22 or a power."""
    normal = m.apply(Ndtri(), p)
    by_a, by_b = 1.0 / (2.0 * a - 1.0), 1.0 / (2.0 * b - 1.0)
    spread = (normal * normal - 3.0) / 6.0
    h = 2.0 / (by_a + by_b)
    w = normal * m.sqrt(spread + h) / h - (by_b - by_a) * (spread + 5.0 / 6.0 - 2.0 / (3.0 * h))
    central = a / (a + b * m.exp(-2.0 * w))
    left = m.exp(a * m.log(a / (a + b))) / a
    right = m.exp(b * m.log(b / (a + b))) / b
    both = left + right
    low, high = m.exp(m.log(a * both * p) / a), 1.0 - m.exp(m.log(b * both * (1.0 - p)) / b)
    x = m.where(
        (a >= 1.0) & (b >= 1.0) & (central > 0.0) & (central < 1.0), central, m.where(p < left / both, low, high)
    )
    x = m.where(x > 0.0, m.where(x < 1.0, x, 1.0 - 2.0**-53), 1e-300)

    def going(x: Real, change: Real) -> Real:
        return m.abs(change) > x * 2.0**-51

    def step(x: Real, change: Real) -> State:
        newton = (m.apply(Betainc(), a, b, x) - p) / m.apply(BetaDensity(), a, b, x)
        bent = newton * ((a - 1.0) / x - (b - 1.0) / (1.0 - x))
        change = newton / (1.0 - 0.5 * m.where(bent > 1.0, 1.0, m.where(bent < -1.0, -1.0, bent)))
        new = x - change
        # A step out of the interval goes half the way to its end instead.
        new = m.where(new <= 0.0, 0.5 * x, m.where(new >= 1.0, 0.5 * x + 0.5, new))
        return new, x - new

    return m.loop(going, step, (x, x), 40)[0]


class InverseBeta(Formula):
    """An inverse of an incomplete beta function of (a, b, x) by x."""

    arity = 3
    flops = 5000

    def inside(self, m: Algebra, a: Real, b: Real, y: Real) -> tuple[Real, Real]:
        """Where there is an inverse between 0 and 1, and where there is one at all if y is 0 or 1."""
        good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
        return good & (y > 0.0) & (y < 1.0), good & (m.equal(y, 0.0) | m.equal(y, 1.0))


@define("betaincinv")
class Betaincinv(InverseBeta):
    """x with I_x(a, b) = y."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        inside, edge = self.inside(m, *operands)
        result = _invert_beta(m, *(m.where(inside, v, 0.5) for v in operands))
        return m.where(inside, result, m.where(edge, operands[2], math.nan))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        at = (*operands[:2], result)
        density = node(b, BetaDensity(), *at)
        slopes = Betainc().by_parameters(b, at)
        return *(b.neg(b.div(slope, density)) for slope in slopes), b.div(1.0, density)


@define("betainccinv")
class Betainccinv(InverseBeta):
    """x with 1 - I_x(a, b) = y."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        inside, edge = self.inside(m, *operands)
        a, b, y = (m.where(inside, v, 0.5) for v in operands)
        result = 1.0 - _invert_beta(m, b, a, y)
        result = m.where(result > 0.0, result, 1e-300)
        # Where it is small, digits were lost, which Newton's steps give back.
        for _ in range(2):
            lower, upper = m.apply(Betainc(), a, b, result), m.apply(Betaincc(), a, b, result)
            off = m.where(y > 0.5, (1.0 - y) - lower, upper - y)
            better = result + off / m.apply(BetaDensity(), a, b, result)
            result = m.where((result < 0.5) & (better > 0.0) & (better < 1.0), better, result)
        return m.where(inside, result, m.where(edge, 1.0 - operands[2], math.nan))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        at = (*operands[:2], result)
        density = node(b, BetaDensity(), *at)
        slopes = Betaincc().by_parameters(b, at)
        return *(b.div(slope, density) for slope in slopes), b.div(-1.0, density)
