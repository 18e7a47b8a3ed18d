"""The gamma function, its reciprocal and its sign, the beta function, and binomial coefficients of real numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Flat, Op, Partial, Value, Values, define
from rosin.ir.ops.formulas import tables

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

# 1 / e as a high and a low part.
INVERSE_E = (0.36787944117144233, -1.2428753672788363e-17)
SQRT_2PI_OVER_E = 1.5203469010662807
LOG_2PI = 1.8378770664093456
# Beyond this size of x gamma(x) is infinite, or zero.
LIMIT = 200.0
# Below this size gamma(x) is 1 / x.
NEXT_TO_ZERO = 2.0**-56


def node(b: Builder, op: Op, *operands: Value) -> Value:
    """The result of an op that the builder has no method for."""
    return b.node(op, *operands)[0]


def sine_of_pi(m: Algebra, x: Real) -> Real:
    """sin(pi x), from the distance to the nearest integer."""
    nearest = m.round(x)
    even = m.equal(m.round(nearest * 0.5) * 2.0, nearest)
    sine = m.sin((x - nearest) * math.pi)
    return m.where(even, sine, -sine)


def gamma_star(m: Algebra, x: Real) -> Real:
    """Gamma(x) over sqrt(2 pi / x) (x / e)^x, for x >= 10."""
    return m.polynomial(20.0 / x - 1.0, tables.GAMMA_STAR)


def stirling_power(m: Algebra, x: Real, exponent: Real, factor: tuple[float, float] = INVERSE_E) -> Real:
    """(x / e)^exponent for an exponent of about the size of x, as if x / e were not rounded."""
    base, error = m.product(x, m.number(factor[0], x))
    return m.pow(base, exponent) * (1.0 + exponent * ((error + x * factor[1]) / base))


def gamma_near(m: Algebra, x: Real) -> tuple[Real, Real, Real]:
    """(g, above, below) with gamma(x) = g above / below, 0 <= x <= 10, g being gamma between 3/2 and 5/2.

    Products of the numbers between are carried in two parts.
    """

    def down(y: Real, product: Real, low: Real) -> State:
        lower = y - 1.0
        product, error = m.product(product, lower)
        return lower, product, low * lower + error

    def going(y: Real, product: Real, low: Real) -> Real:
        return y >= 2.5

    y, product, low = m.loop(going, down, (x, m.number(1.0, x), m.number(0.0, x)), 8)
    small, tiny = x < 1.5, x < 0.5
    t = m.where(small, m.where(tiny, x, x - 1.0), y - 2.0)
    below = m.where(small, m.where(tiny, x * (x + 1.0), x), 1.0)
    return m.polynomial(t + t, tables.GAMMA_NEAR), product + low, below


def gamma_and_inverse(m: Algebra, x: Real, inverse: bool) -> Real:
    """Gamma(x), or 1 / gamma(x) if `inverse`.

    By a polynomial up to 10 and by Stirling's series beyond; negative x by gamma(x) gamma(-x) = -pi / (x sin(pi x)).
    """
    negative, size = x < 0.0, m.abs(x)
    near, above, below = gamma_near(m, m.where(size > 10.0, 10.0, size))
    far = m.where(size > 10.0, m.where(size > LIMIT, LIMIT, size), 10.0)
    # Gamma or its reciprocal, whichever the reflection asks for. A large power comes in two halves, since it may
    # overflow or vanish where the result does not.
    upside_down = ~negative if inverse else negative
    exponent = m.where(upside_down, 0.5 - far, far - 0.5)
    halved = (far > 140.0) & upside_down
    power = stirling_power(m, far, m.where(halved, exponent * 0.5, exponent))
    rest = gamma_star(m, far) * SQRT_2PI_OVER_E
    factor = (size * sine_of_pi(m, size)) * (-1.0 / math.pi)
    factor = m.where(negative, factor if inverse else 1.0 / factor, 1.0)
    large = (power * m.where(upside_down, factor / rest, factor * rest)) * m.where(halved, power, 1.0)
    small = m.where(upside_down, factor * below / (near * above), factor * (near * above) / below)
    result = m.where(size > 10.0, large, small)
    pole = negative & m.equal(m.floor(x), x)
    return m.where(pole, 0.0, result) if inverse else m.nan_where(pole, result)


@define("gamma")
class Gamma(Formula):
    """Γ(x); ±∞ at ±0, NaN at the negative integers and -∞."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        result = m.where(m.abs(x) < NEXT_TO_ZERO, 1.0 / x, gamma_and_inverse(m, x, inverse=False))
        return m.nan_where(m.equal(x, -math.inf), m.where(x > LIMIT, math.inf, result))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(result, b.digamma(operands[0])),)


@define("rgamma")
class Rgamma(Formula):
    """1 / Γ(x), which is 0 at 0 and the negative integers; NaN at -∞."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        result = m.where(m.abs(x) < NEXT_TO_ZERO, x, gamma_and_inverse(m, x, inverse=True))
        return m.nan_where(m.equal(x, -math.inf), m.where(x > LIMIT, 0.0, result))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        # Below 1/2 by reflection, sin(pi x) gamma(1 - x) / pi, since digamma has poles there.
        low = b.less(x, 0.5)
        mirrored = b.select(low, b.sub(1.0, x), x)
        by_digamma = b.mul(result, b.digamma(mirrored))
        reflected = b.sub(b.mul(node(b, Cospi(), x), node(b, Gamma(), mirrored)), by_digamma)
        return (b.select(low, reflected, b.neg(by_digamma)),)


@define("gammasgn")
class Gammasgn(Flat, Formula):
    """The sign of Γ(x): ±1 at ±0, NaN at the negative integers and -∞."""

    flops = 10

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        whole = m.floor(x)
        even = m.equal(m.floor(whole * 0.5) * 2.0, whole)
        below = m.nan_where(m.equal(whole, x), m.where(even, m.number(1.0, x), -1.0))
        zero = m.where(m.equal(1.0 / x, -math.inf), m.number(-1.0, x), 1.0)
        return m.where(x < 0.0, below, m.where(m.equal(x, x), zero, x))


class OfPi(Formula):
    """A circular function of half turns."""

    flops = 30


@define("sinpi")
class Sinpi(OfPi):
    """sin(π x), exact at multiples of 1/2."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        # Even floats are all there is from 2^53 on; at integers the zero has the sign of x.
        whole = m.equal(m.round(x), x)
        return m.where(whole, x * 0.0, sine_of_pi(m, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(node(b, Cospi(), operands[0]), math.pi),)


@define("cospi")
class Cospi(OfPi):
    """cos(π x), exact at multiples of 1/2."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        nearest = m.round(x)
        even = m.equal(m.round(nearest * 0.5) * 2.0, nearest)
        # By the sine of what is left to a quarter turn, which is exact.
        cosine = m.sin((0.5 - m.abs(x - nearest)) * math.pi)
        return m.nan_where(m.equal(m.abs(x), math.inf), m.where(even, cosine, -cosine))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(node(b, Sinpi(), operands[0]), -math.pi),)


# -- the beta function -------------------------------------------------------------------------------------------------


def _ordered(m: Algebra, a: Real, b: Real) -> tuple[Real, Real]:
    """The smaller and the greater of two numbers."""
    swap = a > b
    return m.where(swap, b, a), m.where(swap, a, b)


def _power_of_share(m: Algebra, part: Real, total: Real, lost: Real, exponent: Real) -> Real:
    """(part / (total + lost))^exponent, as if the share were not rounded."""
    share = part / total
    product, error = m.product(share, total)
    rest = ((part - product) - error - share * lost) / part
    return m.pow(share, exponent) * m.exp(exponent * rest)


def beta_of_positive(m: Algebra, a: Real, b: Real) -> Real:
    """B(a, b) of positive numbers: by gamma up to 10; beyond, with Stirling's series for what is large."""
    small, large = _ordered(m, a, b)
    total = large + small
    lost = small - (total - large)
    over_ten = small > 10.0
    series = gamma_star(m, m.where(large > 10.0, large, 10.0)) / gamma_star(m, m.where(total > 10.0, total, 10.0))
    power = _power_of_share(m, large, total, lost, large - 0.5) * series
    # Only one is large: gamma(a) (b / (a + b))^(b - 1/2) ((a + b) / e)^-a.
    gamma_small = m.apply(Gamma(), m.where(over_ten, 10.0, small))
    one = gamma_small * stirling_power(m, total, -small)
    # Both are: sqrt(2 pi / a) (a / (a + b))^a (b / (a + b))^(b - 1/2).
    both = _power_of_share(m, small, total, lost, small) * m.sqrt(2 * math.pi / small)
    both = both * gamma_star(m, m.where(over_ten, small, 10.0))
    # What the total lost in rounding times digamma, which is nearly log where that shows.
    near = gamma_small / (m.apply(Gamma(), total) / m.apply(Gamma(), large)) * (1.0 - lost * m.log(total))
    return m.where(large < 10.0, near, power * m.where(over_ten, both, one))


def log_beta_of_positive(m: Algebra, a: Real, b: Real) -> Real:
    """log B(a, b) of positive numbers, in the manner of `beta_of_positive`."""
    small, large = _ordered(m, a, b)
    total = large + small
    series = gamma_star(m, m.where(large > 10.0, large, 10.0)) / gamma_star(m, m.where(total > 10.0, total, 10.0))
    drop = m.log1p(small / large) * (0.5 - large)
    one = m.lgamma(small) + ((drop + small) - small * m.log(total)) + m.log(series)
    both = (drop - m.log1p(large / small) * small) - 0.5 * m.log(small)
    both = both + (m.log(series * gamma_star(m, m.where(small > 10.0, small, 10.0))) + 0.5 * LOG_2PI)
    near = m.log(m.apply(Gamma(), small) / (m.apply(Gamma(), total) / m.apply(Gamma(), large)))
    tiny = m.lgamma(small) + (m.lgamma(large) - m.lgamma(total))
    near = m.where(small < 1e-300, tiny, near)
    return m.where(large < 10.0, near, m.where(small < 10.0, one, both))


def gamma_ratio(m: Algebra, x: Real, a: Real, b: Real) -> Real:
    """Gamma(x) / (gamma(a) gamma(b)): by gamma while that is finite, else by logarithms."""
    direct = m.apply(Gamma(), x) * m.apply(Rgamma(), a) * m.apply(Rgamma(), b)
    sign = m.apply(Gammasgn(), x) * m.apply(Gammasgn(), a) * m.apply(Gammasgn(), b)
    logarithm = m.exp(m.lgamma(x) - (m.lgamma(a) + m.lgamma(b))) * sign
    return m.where((m.abs(x) < 100.0) & (m.abs(a) < 100.0) & (m.abs(b) < 100.0), direct, logarithm)


class OfTwo(Formula):
    """A function of two numbers."""

    arity = 2
    flops = 400


@define("beta")
class Beta(OfTwo):
    """B(a, b) = Γ(a) Γ(b) / Γ(a + b)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        a, b = operands
        total = a + b
        # One that is not positive: by gamma while it is finite, else by logarithms.
        found = m.where((a > 0.0) & (b > 0.0), beta_of_positive(m, a, b), 1.0 / gamma_ratio(m, total, a, b))
        return _at_edges(m, a, b, found, 0.0)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return tuple(b.mul(result, slope) for slope in Betaln().partials(b, operands, result))


def _at_edges(m: Algebra, a: Real, b: Real, value: Real, far: float) -> Real:
    """The value, but for infinite operands beside positive ones, and for zeros."""
    infinite = (m.equal(a, math.inf) & (b > 0.0)) | (m.equal(b, math.inf) & (a > 0.0))
    zero = (m.equal(a, 0.0) & (b < math.inf)) | (m.equal(b, 0.0) & (a < math.inf))
    return m.where(infinite, far, m.where(zero, math.inf, value))


@define("betaln")
class Betaln(OfTwo):
    """log |B(a, b)|."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        a, b = operands
        other = m.lgamma(a) + m.lgamma(b) - m.lgamma(a + b)
        found = m.where((a > 0.0) & (b > 0.0), log_beta_of_positive(m, a, b), other)
        return _at_edges(m, a, b, found, -math.inf)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Value, ...]:
        total = b.digamma(b.add(*operands))
        return tuple(b.sub(b.digamma(x), total) for x in operands)


# -- binomial coefficients ---------------------------------------------------------------------------------------------

EXACT = 20
"""Up to this k, coefficients of an integer k are products."""


@define("binom")
class Binom(OfTwo):
    """The binomial coefficient Γ(n + 1) / (Γ(k + 1) Γ(n - k + 1)); NaN where n is a negative integer."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        n, k = operands
        whole = m.equal(m.floor(k), k)
        integers = whole & m.equal(m.floor(n), n) & (n > 0.0)
        few = m.where(integers & (k > n * 0.5), n - k, k)

        def going(product: Real, i: Real) -> Real:
            return whole & (i <= few) & (few <= float(EXACT))

        def step(product: Real, i: Real) -> State:
            return product * ((n - few) + i) / i, i + 1.0

        product, _ = m.loop(going, step, (m.number(1.0, n), m.number(1.0, n)), EXACT)
        inside = (n > -1.0) & (k > -1.0) & (n - k > -1.0)
        by_beta = 1.0 / ((n + 1.0) * beta_of_positive(m, (n - k) + 1.0, k + 1.0))
        outside = gamma_ratio(m, n + 1.0, k + 1.0, (n - k) + 1.0)
        result = m.where(inside, by_beta, outside)
        # Of a huge n it is n^k / k!.
        result = m.where(n > 1e17 * (m.abs(k) + 1.0), m.pow(n, k) * m.apply(Rgamma(), k + 1.0), result)
        result = m.where(whole & (few >= 0.0) & (few <= float(EXACT)), product, result)
        result = m.where(whole & (k < 0.0), 0.0, m.where(integers & (k > n), 0.0, result))
        return m.nan_where((n < 0.0) & m.equal(m.floor(n), n), result + (n * 0.0 + k * 0.0))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        n, k = operands
        top, bottom, rest = (b.digamma(b.add(x, 1.0)) for x in (n, k, b.sub(n, k)))
        return b.mul(result, b.sub(top, rest)), b.mul(result, b.sub(rest, bottom))


@define("poch")
class Poch(OfTwo):
    """Pochhammer's symbol Γ(z + m) / Γ(z)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        z, k = operands
        whole = m.equal(m.floor(k), k) & (k >= 0.0) & (k <= float(EXACT))

        def going(product: Real, i: Real) -> Real:
            return whole & (i < k)

        def step(product: Real, i: Real) -> State:
            return product * (z + i), i + 1.0

        product, _ = m.loop(going, step, (m.number(1.0, z), m.number(0.0, z)), EXACT)
        inside = (z > 0.0) & (z + k > 0.0) & ~m.equal(k, 0.0)
        down = k < 0.0
        ratio = m.apply(Gamma(), m.abs(k)) / beta_of_positive(m, m.where(down, z + k, z), m.abs(k))
        large = m.exp(m.lgamma(z + k) - m.lgamma(z))
        ratio = m.where(m.abs(k) > 150.0, large, m.where(down, 1.0 / ratio, ratio))
        outside = gamma_ratio(m, z + k, z, m.number(1.0, z))
        found = m.where(whole, product, m.where(inside, ratio, outside))
        return m.where((m.abs(k) < 1e-290) & (z > 0.0), 1.0, found)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        z, _ = operands
        top = b.mul(result, b.digamma(b.add(*operands)))
        return b.sub(top, b.mul(result, b.digamma(z))), top
