"""The incomplete gamma and beta functions, and their derivatives by every argument.

Derivatives by the parameters are those of the algorithms, in dual numbers (formulas/dual.py): an op has how often it
is differentiated by each of them as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import NEAR, STIRLING, TINY, TWO_PI, beta_factors, gamma_of_next, node, stirling_series
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


SMALL_PARAMETER = 1.2
"""Up to here a parameter has its own ways."""


EULER = (0.5772156649015329, -4.942915152430645e-18)


def lgamma_of_next(m: Algebra, a: Real) -> Pair:
    """log gamma(1 + a), of a up to SMALL_PARAMETER."""
    rest = m.polynomial(1.6 * a - 1.0, tables.LGAMMA_OF_NEXT) * a
    return (-pairs.constant(m, EULER, a) + rest) * a


def _gamma_of_small(m: Algebra, a: Real, x: Real) -> Real:
    """Q(a, x) of small a and x, where P is near 1."""
    exponent = a * m.log(x) - lgamma_of_next(m, a).value
    return -m.expm1(exponent) - m.exp(exponent) * rest_of_gamma_series(m, a, x)


def rest_of_gamma_series(m: Algebra, a: Real, x: Real) -> Real:
    """The sum of a (-x)^n / (n! (a + n)) from n = 1 on, of x up to 1.1: P(a, x) = x^a / gamma(a + 1) (1 + that)."""
    series = m.number(0.0, x)
    for n in range(18, 0, -1):
        series = (1.0 / (a + float(n)) + series) * (x * (-1.0 / n))
    return a * series


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


def gamma_parts(m: Algebra, a: Real, x: Real) -> tuple[Real, Real, Pair]:
    """The regularised P(a, x) and Q(a, x) of positive numbers, and `gamma_mass`."""
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
    return p, q, mass


def _incomplete_gamma(m: Algebra, a: Real, x: Real, upper: bool) -> Real:
    inside = (a > 0.0) & (x > 0.0) & (a < math.inf) & (x < math.inf)
    p, q, _ = gamma_parts(m, m.where(inside, a, 1.0), m.where(inside, x, 1.0))
    result = q if upper else p
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


SHIFT = 10
"""How many numbers above b gamma(a + b) / gamma(b) is found by Stirling's series."""


def log_of_a_beta(m: Algebra, a: Real, b: Real, needed: Real) -> Pair:
    """log(a B(a, b)) of a up to SMALL_PARAMETER, where it is needed, with an error that is small beside a.

    That is log(1 + a / b) + log gamma(1 + a) less log (gamma(1 + b + a) / gamma(1 + b)), of which each vanishes with a.
    """
    one = m.number(1.0, a)

    def going(high: Real, low: Real, k: Real) -> Real:
        return needed & (k < float(SHIFT))

    def step(high: Real, low: Real, k: Real) -> State:
        grown, more = Pair(m, high, low), Pair(m, a) / (pairs.exact_sum(m, b, one) + k)
        grown = grown * more + grown + more
        return grown.high, grown.low, k + 1.0

    # The product of (1 + b + k + a) / (1 + b + k), less 1.
    high, low, _ = m.loop(going, step, (a * 0.0, a * 0.0, a * 0.0), SHIFT)
    z = b + (1.0 + SHIFT)
    ratio = a / z
    curved = log1p_less_linear(m, Pair(m, ratio)).value * ratio * ratio * z
    far = pairs.log(m, Pair(m, z)) * a + (curved + (a - 0.5) * m.log1p(ratio) + _stirling_difference(m, z, a))
    near = pairs.log(m, Pair(m, high, low) + 1.0)
    return pairs.log(m, pairs.quotient(m, a, b) + 1.0) + near - far + lgamma_of_next(m, a)


def _stirling_difference(m: Algebra, z: Real, a: Real) -> Real:
    """`stirling_series` of z + a, less that of z: the differences of powers of their inverses have a as a factor."""
    first, second = 1.0 / z, 1.0 / (z + a)
    power = powers = m.number(1.0, z)
    total = powers * STIRLING[0]
    for k in range(1, 2 * len(STIRLING) - 1):
        power = power * first
        powers = powers * second + power
        if k % 2 == 0:
            total = total + powers * STIRLING[k // 2]
    return -(a * first * second) * total


def rest_of_beta_series(m: Algebra, a: Real, b: Real, x: Real) -> Pair:
    """The sum S of a (1 - b) … (n - b) x^n / (n! (a + n)) from n = 1 on, x <= 1/2: I_x(a, b) = x^a / (a B) (1 + S)."""

    def going(total: Real, low: Real, term: Real, term_low: Real, n: Real) -> Real:
        return m.magnitude(term) > m.magnitude(total) * EPSILON

    def step(total: Real, low: Real, term: Real, term_low: Real, n: Real) -> State:
        found = Pair(m, term, term_low) * pairs.exact_sum(m, n, -b) * x / n
        whole = Pair(m, total, low) + found / pairs.exact_sum(m, n, a)
        return whole.high, whole.low, found.high, found.low, n + 1.0

    one, zero = m.number(1.0, x), m.number(0.0, x)
    total, low, *_ = m.loop(going, step, (zero, zero, one, zero, one), 100)
    return Pair(m, total, low) * a


def beta_parts(m: Algebra, a: Real, b: Real, x: Real) -> tuple[Real, Real, Real]:
    """The regularised I_x(a, b) and its complement, of positive numbers and 0 < x < 1, and `beta_mass`."""
    swap = x > (a + 1.0) / (a + b + 2.0)
    whole, rest = Pair(m, x), pairs.exact_sum(m, -x, m.number(1.0, x))
    a, b = m.either(swap, (b, a), (a, b))
    small, other = pairs.where(m, swap, rest, whole), pairs.where(m, swap, whole, rest)
    away = (other * a - small * b).value
    mass = beta_mass(m, a, b, small, other)
    part = (mass / _beta_fraction(m, a, b, small.high, away)).value
    # With a small parameter it may be near 1, and the other one small: that comes from the logarithm.
    near_one = (a <= SMALL_PARAMETER) & (small.high <= 0.5) & (part > 0.5)
    # Elsewhere the series is one of few terms.
    p, q, t = (m.where(near_one, v, m.number(e, x)) for v, e in ((a, 0.5), (b, 0.5), (small.high, 2.0**-60)))
    power = pairs.log(m, Pair(m, t)) * p - log_of_a_beta(m, p, q, near_one)
    logarithm = power + pairs.log(m, rest_of_beta_series(m, p, q, t) + 1.0)
    rest = m.where(near_one, -m.expm1(logarithm.value), 1.0 - part)
    found = m.either(swap, (rest, part), (part, rest))
    return found[0], found[1], mass.value


def _incomplete_beta(m: Algebra, a: Real, b: Real, x: Real, upper: bool) -> Real:
    good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
    inside = good & (x > 0.0) & (x < 1.0)
    # Of parameters so small both ends share what there is, and of ones so large all of it is next to the mean.
    small, large = (a < TINY) & (b < TINY), (a > 1e150) | (b > 1e150)
    usual = inside & ~(small | large)
    result = beta_parts(m, *(m.where(usual, v, 0.5) for v in (a, b, x)))[upper]
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
    whole, rest = Pair(m, t), pairs.exact_sum(m, -t, m.number(1.0, t))
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
