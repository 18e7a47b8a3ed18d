"""The incomplete gamma and beta functions, their derivatives by every argument, and their inverses.

Derivatives by the parameters are those of the algorithms, in dual numbers (formulas/dual.py): an op has how often it
is differentiated by each of them as attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import Betaln, Gamma, gamma_star, node
from rosin.ir.ops.formulas.normal import Ndtri

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

EPSILON = 2.0**-54
TEMME_FROM = 30.0
"""From this parameter on, next to it, the incomplete gamma functions come from Temme's expansion."""


def log1p_less_linear(m: Algebra, u: Real) -> Real:
    """(log(1 + u) - u) / u², for |u| < 1/2 by the series of the inverse hyperbolic tangent."""
    below = 2.0 + u
    ratio = u / below
    series = m.polynomial(ratio * ratio, [1.0 / (2 * k + 3) for k in range(18)])
    return (2.0 * u * series / (below * below) - 1.0) / below


def log1p_minus(m: Algebra, u: Real) -> Real:
    """log(1 + u) - u, accurate next to 0."""
    near = m.abs(u) < 0.5
    kept = m.where(near, u, 0.0)
    return m.where(near, kept * kept * log1p_less_linear(m, kept), m.log1p(u) - u)


# -- gamma -------------------------------------------------------------------------------------------------------------


def gamma_mass(m: Algebra, a: Real, x: Real) -> Real:
    """x^a exp(-x) / gamma(a + 1), of positive numbers."""
    large = a >= 10.0
    kept = m.where(large, a, 10.0)
    by_stirling = m.exp(kept * log1p_minus(m, (x - kept) / kept)) / (m.sqrt(2 * math.pi * kept) * gamma_star(m, kept))
    small, least = m.where(large, 10.0, a), m.where(x > 1e4, 1e4, x)
    direct = m.pow(least, small) * m.exp(-least) / m.apply(Gamma(), small + 1.0)
    return m.where(large, by_stirling, direct)


def _gamma_series(m: Algebra, a: Real, x: Real) -> Real:
    """The sum of x^n / ((a + 1) … (a + n))."""

    def going(total: Real, term: Real, below: Real) -> Real:
        return m.magnitude(term) > m.magnitude(total) * EPSILON

    def step(total: Real, term: Real, below: Real) -> State:
        term = term * (x / below)
        return total + term, term, below + 1.0

    one = m.number(1.0, x)
    return m.loop(going, step, (one, one, a + 1.0), 1000)[0]


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
    mu = (x - a) / a
    square = log1p_less_linear(m, mu)
    eta = mu * m.sqrt(-2.0 * square)
    total = m.number(0.0, x)
    for row in tables.TEMME[::-1]:
        total = total / a + m.polynomial(eta, row)
    rest = m.exp(a * (mu * mu * square)) / m.sqrt(2 * math.pi * a) * total
    z = eta * m.sqrt(a * 0.5)
    return 0.5 * m.erfc(-z) - rest, 0.5 * m.erfc(z) + rest


def gamma_pair(m: Algebra, a: Real, x: Real) -> tuple[Real, Real]:
    """The regularised P(a, x) and Q(a, x) of positive numbers."""
    ratio = x / a
    temme = (a >= TEMME_FROM) & (ratio > 0.7) & (ratio < 1.4)
    small = (x < 1.1) & (a < 1.2) & (a < m.where(x < 0.5, -0.4 / m.log(x), x * 1.1))
    fraction = (x > 1.1) & (x > a)
    series = ~(temme | small | fraction)
    mass = gamma_mass(m, a, x)
    lower = mass * _gamma_series(m, m.where(series, a, 1.0), m.where(series, x, 0.0))
    upper = mass * a * gamma_fraction(m, m.where(fraction & ~temme, a, 1.0), m.where(fraction & ~temme, x, 40.0))
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
            value = gamma_mass(m, m.where(inside, a, 1.0), m.where(inside, x, 1.0)) * a / x
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


def beta_mass(m: Algebra, a: Real, b: Real, x: Real, y: Real) -> Real:
    """x^a y^b / B(a, b), of positive numbers with x + y = 1."""
    both = (a >= 10.0) & (b >= 10.0)
    p, q = m.where(both, a, 10.0), m.where(both, b, 10.0)
    total = p + q
    away = q * x - p * y
    exponent = p * log1p_minus(m, away / p) + q * log1p_minus(m, -away / q)
    stars = gamma_star(m, total) / (gamma_star(m, p) * gamma_star(m, q))
    by_stirling = m.exp(exponent) * m.sqrt((p / total) * q * (0.5 / math.pi)) * stars
    r, s = m.where(both, 1.0, a), m.where(both, 1.0, b)
    log_beta = m.apply(Betaln(), r, s)
    direct = m.exp(m.where(x < 0.5, r * m.log(x) + s * m.log1p(-x), r * m.log1p(-y) + s * m.log(y)) - log_beta)
    return m.where(both, by_stirling, direct)


def _beta_fraction(m: Algebra, a: Real, b: Real, x: Real) -> Real:
    """The continued fraction of the incomplete beta function over x^a (1 - x)^b / (a B) (DLMF 8.17.22)."""

    def going(h: Real, c: Real, d: Real, k: Real, change: Real) -> Real:
        return m.magnitude(change - 1.0) > 2 * EPSILON

    def step(h: Real, c: Real, d: Real, k: Real, change: Real) -> State:
        twice = a + 2.0 * k
        even = k * (b - k) * x / ((twice - 1.0) * twice)
        d = 1.0 / (1.0 + even * d)
        c = 1.0 + even / c
        first = c * d
        odd = -(a + k) * ((a + b) + k) * x / (twice * (twice + 1.0))
        d = 1.0 / (1.0 + odd * d)
        c = 1.0 + odd / c
        change = first * (c * d)
        return h * change, c, d, k + 1.0, change

    one = m.number(1.0, x)
    first = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    return m.loop(going, step, (first, one, first, one, one * 2.0), 5000)[0]


def beta_pair(m: Algebra, a: Real, b: Real, x: Real) -> tuple[Real, Real]:
    """The regularised I_x(a, b) and its complement, of positive numbers and 0 < x < 1."""
    y = 1.0 - x
    swap = x > (a + 1.0) / (a + b + 2.0)
    a, b, x, y = m.either(swap, (b, a, y, x), (a, b, x, y))
    part = beta_mass(m, a, b, x, y) * _beta_fraction(m, a, b, x) / a
    found = m.either(swap, (1.0 - part, part), (part, 1.0 - part))
    return found[0], found[1]


def _incomplete_beta(m: Algebra, a: Real, b: Real, x: Real, upper: bool) -> Real:
    good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
    inside = good & (x > 0.0) & (x < 1.0)
    result = beta_pair(m, *(m.where(inside, v, 0.5) for v in (a, b, x)))[upper]
    at_zero, at_one = float(upper), 1.0 - upper
    edge = m.where(m.equal(x, 0.0), m.number(at_zero, x), m.where(m.equal(x, 1.0), m.number(at_one, x), math.nan))
    return m.where(inside, result, m.nan_where(~good, edge))


def _beta_density(m: Algebra, a: Real, b: Real, x: Real) -> Real:
    inside = (a > 0.0) & (b > 0.0) & (x > 0.0) & (x < 1.0)
    p, q, t = (m.where(inside, v, 0.5) for v in (a, b, x))
    value = beta_mass(m, p, q, t, 1.0 - t) / (t * (1.0 - t))
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


@define("betaincinv")
class Betaincinv(Formula):
    """x with I_x(a, b) = y."""

    arity = 3
    flops = 5000

    def formula(self, m: Algebra, *operands: Real) -> Real:
        a, b, y = operands
        good = (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
        inside = good & (y > 0.0) & (y < 1.0)
        result = _invert_beta(m, *(m.where(inside, v, 0.5) for v in operands))
        edge = m.where(good & (m.equal(y, 0.0) | m.equal(y, 1.0)), y, math.nan)
        return m.where(inside, result, edge)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        at = (*operands[:2], result)
        density = node(b, BetaDensity(), *at)
        slopes = Betainc().by_parameters(b, at)
        return *(b.neg(b.div(slope, density)) for slope in slopes), b.div(1.0, density)
