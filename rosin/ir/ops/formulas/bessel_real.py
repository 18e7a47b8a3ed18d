"""Bessel functions of real order, their modified kin among them, by order and argument, in pairs of numbers.

J comes from its power series next to 0 and I from it everywhere below its asymptotic series. Elsewhere an order between
-1/2 and 1/2 is computed first: by the series of Temme (1975, 1976) next to 0, from the continued fractions of the
logarithmic derivatives of J + iY and K beyond, and from Hankel's expansion far out. The recurrence leads to the order
that is asked for. Above the argument, where it cannot lead to J, J is Y times a sum over the orders above.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.bessel import SCALE, Climbed, climb, log_of_scale
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import LIMIT, Cospi, Sinpi, gamma_factors, log_gamma_far, node, sine_pair
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

MOST = 20000
"""Steps of series and fractions, and orders, above which there is no result."""
EPSILON = 2.0**-54


# -- power series and asymptotic series --------------------------------------------------------------------------------


def power_series(
    m: Algebra, v: Real, x: Real, sign: float, shift: float = 0.0, least: Real | float = 0.0
) -> tuple[Pair, Real]:
    """The sum of (sign x²/4)^k / ((1 + s) … (k + s) (v + 1 + s) … (v + k + s)), s being `shift`, in pairs, over
    2^(SCALE n), and n. It goes on up to k = `least` in any case.
    """
    square = pairs.exact_product(m, x, x).scaled(0.25 * sign)

    def going(total: Real, low: Real, term: Real, error: Real, k: Real, n: Real) -> Real:
        return ((m.magnitude(term) > m.magnitude(total) * EPSILON) | (k < least)) & (k < float(MOST))

    def step(total: Real, low: Real, term: Real, error: Real, k: Real, n: Real) -> State:
        place = k + shift
        following = Pair(m, term, error) * square / (pairs.exact_sum(m, v, place) * place)
        whole = Pair(m, total, low) + following
        large = m.abs(whole.high) > 2.0 ** (SCALE / 2)
        by = m.where(large, 2.0**-SCALE, m.number(1.0, x))
        kept, term_kept = whole.scaled(by), following.scaled(by)
        return kept.high, kept.low, term_kept.high, term_kept.low, k + 1.0, n + m.where(large, 1.0, n * 0.0)

    zero, one = m.number(0.0, x), m.number(1.0, x)
    total, low, _, _, _, n = m.loop(going, step, (one, zero, one, zero, one, zero), MOST)
    return Pair(m, total, low), n


def by_power_series(m: Algebra, v: Real, x: Real, sign: float, decay: Real | float = 0.0) -> Real:
    """J_v(x), or I_v(x), times exp(-decay), of v >= 0 and x > 0."""
    series, n = power_series(m, v, x, sign)
    above = pairs.exact_sum(m, v, m.number(1.0, v))
    small = v < LIMIT - 2.0
    gamma = gamma_factors(m, pairs.where(m, small, above, 1.0), rounded=True).inverse()
    far = -log_gamma_far(m, pairs.where(m, small, 20.0, above))
    power = pairs.log(m, Pair(m, x * 0.5)) * v + pairs.where(m, small, gamma.exponent, far) - decay
    return pairs.exp_product(m, power + log_of_scale(m, n), series * gamma.above / gamma.below)


def hankel(m: Algebra, v: Real, x: Real, sign: float) -> tuple[Pair, Pair]:
    """The even and the odd terms of the asymptotic series Σ a_k(v) / x^k (DLMF 10.17.1), the signs of pairs being
    `sign`, as far as they fall.
    """
    square, inverse = pairs.exact_product(m, v, v).scaled(4.0), pairs.quotient(m, m.number(0.125, x), x)

    def following(term: Pair, k: Real) -> Pair:
        twice = 2.0 * k - 1.0
        return term * (square - twice * twice) * inverse / k

    def step(even: Real, even_low: Real, odd: Real, odd_low: Real, term: Real, low: Real, k: Real) -> State:
        first = following(Pair(m, term, low), k)
        second = following(first, k + 1.0) * sign
        evens, odds = Pair(m, even, even_low) + second, Pair(m, odd, odd_low) + first
        return evens.high, evens.low, odds.high, odds.low, second.high, second.low, k + 2.0

    def going(even: Real, even_low: Real, odd: Real, odd_low: Real, term: Real, low: Real, k: Real) -> Real:
        return m.magnitude(term) > EPSILON * 0.01

    zero, one = m.number(0.0, x), m.number(1.0, x)
    even, even_low, odd, odd_low, *_ = m.loop(going, step, (one, zero, zero, zero, one, zero, one), 40)
    return Pair(m, even, even_low), Pair(m, odd, odd_low)


def is_far(v: Real, x: Real) -> Real:
    """Whether the asymptotic series is as good as the numbers."""
    return (x > 30.0) & (x > v * v * 0.6)


# π/2 in three parts, whose products with integers below 2^20 are exact but for the last.
HALF_TURN = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
SIXTH = (1 / 6, 9.25185853854297e-18)
ROOT_HALF = (0.7071067811865476, -4.833646656726457e-17)
TWO_OVER_PI = (0.6366197723675814, -3.935735335036497e-17)
SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(2, 10))
SINH = tuple(1 / math.factorial(2 * k + 1) for k in range(2, 9))
COSH = tuple(1 / math.factorial(2 * k) for k in range(2, 9))
COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(2, 10))


def sine_and_cosine(m: Algebra, x: Real) -> tuple[Pair, Pair]:
    """The sine and cosine of x >= 0, as pairs below 2^20."""
    small = x < 2.0**20
    kept = m.where(small, x, 1.0)
    turns = m.round(kept * (2.0 / math.pi))
    r = pairs.exact_sum(m, kept - turns * HALF_TURN[0], -(turns * HALF_TURN[1])) - turns * HALF_TURN[2]
    square = r * r
    rest = square * square.high
    sine = r + r * (rest * m.polynomial(square.high, SINE) - square * pairs.constant(m, SIXTH, x))
    cosine = rest * m.polynomial(square.high, COSINE) - square.scaled(0.5) + 1.0
    quarter = turns - m.floor(turns * 0.25) * 4.0
    odd = m.equal(quarter, 1.0) | m.equal(quarter, 3.0)
    first, second = pairs.where(m, odd, cosine, sine), pairs.where(m, odd, sine, cosine)
    first = pairs.where(m, quarter < 2.0, first, -first)
    second = pairs.where(m, (quarter < 1.0) | (quarter > 2.0), second, -second)
    return pairs.where(m, small, first, m.sin(x)), pairs.where(m, small, second, m.cos(x))


def hankel_jy(m: Algebra, v: Real, x: Real) -> tuple[Pair, Pair]:
    """J_v and Y_v where the asymptotic series is good."""
    p, q = hankel(m, v, x, -1.0)
    # cos(x - pi v/2 - pi/4), with the sine and cosine of the second exact.
    sine, cosine = sine_and_cosine(m, x)
    turn_sine, half_sine = sine_pair(m, 0.5 * v), sine_pair(m, 0.25 * v)
    turn_cosine = 1.0 - (half_sine * half_sine).scaled(2.0)
    cos_t, sin_t = cosine * turn_cosine + sine * turn_sine, sine * turn_cosine - cosine * turn_sine
    scale = pairs.sqrt(m, pairs.constant(m, TWO_OVER_PI, x) * x) / x * pairs.constant(m, ROOT_HALF, x)
    cos_t, sin_t = (cos_t + sin_t) * scale, (sin_t - cos_t) * scale
    return p * cos_t - q * sin_t, p * sin_t + q * cos_t


# -- next to zero, of an order between -1/2 and 1/2 --------------------------------------------------------------------


def _temme(m: Algebra, u: Real, x: Real, modified: bool) -> tuple[Pair, Pair]:
    """-Y_u and -Y_{u+1}, or K_u and K_{u+1} if `modified`, for |u| <= 1/2 and 0 < x <= 2."""
    s = 8.0 * u * u - 1.0
    odd = pairs.polynomial(m, s, tables.RGAMMA_ODD, tables.RGAMMA_ODD_LOW)
    even = pairs.polynomial(m, s, tables.RGAMMA_EVEN, tables.RGAMMA_EVEN_LOW)
    plus, minus = even - odd * u, even + odd * u
    logarithm = pairs.constant(m, pairs.LN2, x) - Pair(m, *m.log_pair(x))
    e = logarithm * u
    small = m.abs(e.high) < 0.5
    # Next to 0 sinh(e) / e and cosh(e) are polynomials, which are more exact than exp.
    one = Pair(m, m.number(1.0, x))
    square, root = pairs.where(m, small, e * e, 0.0), pairs.where(m, small, one, e)
    up = pairs.exp(m, pairs.where(m, small, 0.0, e))
    down = 1.0 / up
    series = square * (pairs.constant(m, SIXTH, x) + square.high * m.polynomial(square.high, SINH)) + 1.0
    ratio = pairs.where(m, small, series, (up - down).scaled(0.5) / root)
    even_series = square.scaled(0.5) + square * (square.high * m.polynomial(square.high, COSH)) + 1.0
    cosh = pairs.where(m, small, even_series, (up + down).scaled(0.5))
    up, down = pairs.where(m, small, cosh + e * ratio, up), pairs.where(m, small, cosh - e * ratio, down)
    f = (odd * cosh + even * ratio * logarithm) / (plus * minus)
    p, q = up.scaled(0.5) / plus, down.scaled(0.5) / minus
    if not modified:
        f, p, q = (part * pairs.constant(m, TWO_OVER_PI, x) for part in (f, p, q))
    sine = m.polynomial(u * u, [(-1) ** k * (math.pi / 2) ** (2 * k) / math.factorial(2 * k + 1) for k in range(12)])
    r = m.number(0.0, x) if modified else (0.5 * math.pi**2) * u * sine * sine
    quarter = pairs.exact_product(m, x, x).scaled(0.25 if modified else -0.25)
    own = pairs.exact_product(m, u, u)

    def step(*state: Real) -> State:
        total, other, f, p, q, c = (Pair(m, *state[k : k + 2]) for k in range(0, 12, 2))
        i = state[12]
        f = (f * i + p + q) / (-own + i * i)
        p, q, c = p / pairs.exact_sum(m, i, -u), q / pairs.exact_sum(m, i, u), c * quarter / i
        change = c * (f + q * r)
        other_change = c * p - change * i
        return *flat(total + change, other + other_change, f, p, q, c), i + 1.0, change.high

    def going(*state: Real) -> Real:
        return m.magnitude(state[-1]) > EPSILON * m.magnitude(state[0])

    start = f + q * r
    found = m.loop(going, step, (*flat(start, p, f, p, q, one), one.high, start.high), 60)
    # So that 1 / x is a number.
    by = m.where(x < 2.0**-1000, 2.0**200, m.number(1.0, x))
    following = (Pair(m, found[2], found[3]).scaled(2.0) / (x * by)).scaled(by)
    infinite = m.equal(following.high, math.inf)
    return Pair(m, found[0], found[1]), pairs.where(m, infinite, Pair(m, following.high), following)


def flat(*numbers: Pair) -> tuple[Real, ...]:
    """The parts of pairs, for the state of a loop."""
    return tuple(part for pair in numbers for part in (pair.high, pair.low))


# -- continued fractions -----------------------------------------------------------------------------------------------


def _steed(m: Algebra, u: Real, x: Real) -> tuple[Pair, Pair]:
    """p and q with (J' + i Y') / (J + i Y) = p + i q of order |u| <= 1/2, x >= 2, by Steed's fraction (DLMF 10.20).

    It is computed from its end, which damps errors, and is but a small part of p and q.
    """
    twice, zero = 2.0 * x, m.number(0.0, x)

    def step(real: Real, imaginary: Real, k: Real) -> State:
        share = ((k + 0.5) * (k + 0.5) - u * u) / (real * real + imaginary * imaginary)
        return twice + share * real, 2.0 * k - share * imaginary, k - 1.0

    def going(real: Real, imaginary: Real, k: Real) -> Real:
        return k > 0.0

    last = m.floor(16.0 + 100.0 / x)
    real, imaginary, _ = m.loop(going, step, (twice, 2.0 * last + 2.0, last), 66)
    share = (0.25 - u * u) / (real * real + imaginary * imaginary) / x
    return pairs.quotient(m, zero - 0.5, x) + share * imaginary, pairs.exact_sum(m, share * real, zero + 1.0)


def _fraction_of_k(m: Algebra, u: Real, x: Real) -> tuple[Pair, Pair]:
    """exp(x) K_u and exp(x) K_{u+1} for |u| <= 1/2 and x >= 2, by the fraction of K' / K and a sum along it (DLMF
    10.29; Temme 1975), from its end.
    """

    def step(fraction: Real, total: Real, k: Real) -> State:
        above, here = (k + 0.5) * (k + 0.5) - u * u, (k - 0.5) * (k - 0.5) - u * u
        fraction = 2.0 * (k + x) - above / fraction
        return fraction, 1.0 + here / (k * fraction) * total, k - 1.0

    def going(fraction: Real, total: Real, k: Real) -> Real:
        return k > 1.0

    last, one = m.floor(16.0 + 180.0 / x), m.number(1.0, x)
    fraction, total, _ = m.loop(going, step, (2.0 * (last + 1.0 + x), one, last), 106)
    first = 0.25 - u * u
    fraction = 2.0 * (1.0 + x) - (2.25 - u * u) / fraction
    share = first / fraction
    scale = pairs.sqrt(m, pairs.quotient(m, m.number(0.25, x), x) / pairs.constant(m, TWO_OVER_PI, x)).scaled(2.0)
    found = scale / pairs.exact_sum(m, share * total, one)
    return found, found * (pairs.exact_sum(m, x, u + 0.5) - share) / x


# -- J and Y -----------------------------------------------------------------------------------------------------------


def _by_multiples(m: Algebra, u: Real, x: Real, p: Pair, q: Pair) -> tuple[Pair, Pair]:
    """J_u and Y_u for |u| <= 1/2 and 2 <= x <= 25: multiples of J_u and x J_u' by the power series; p and q of `_steed`
    and the Wronskian say which.
    """
    square = pairs.exact_product(m, x, x).scaled(-0.25)

    def step(total: Real, low: Real, slope: Real, slope_low: Real, term: Real, error: Real, k: Real) -> State:
        following = Pair(m, term, error) * square / (pairs.exact_sum(m, k, u) * k)
        totals = Pair(m, total, low) + following
        slopes = Pair(m, slope, slope_low) + following * pairs.exact_sum(m, k + k, u)
        return *flat(totals, slopes, following), k + 1.0

    def going(total: Real, low: Real, slope: Real, slope_low: Real, term: Real, error: Real, k: Real) -> Real:
        return m.magnitude(term) > EPSILON * 2.0**-16

    one, own = Pair(m, m.number(1.0, x)), Pair(m, u)
    j, j_low, slope, slope_low, *_ = m.loop(going, step, (*flat(one, own, one), one.high), 100)
    j_pair = Pair(m, j, j_low)
    y_pair = (p * j_pair - Pair(m, slope, slope_low) / x) / q
    size = pairs.constant(m, TWO_OVER_PI, x) / x / q / (j_pair * j_pair + y_pair * y_pair)
    factor = pairs.sqrt(m, size)
    return j_pair * factor, y_pair * factor


def _beyond(m: Algebra, at: Climbed, n: Real, u: Real, x: Real, above: Real) -> Real:
    """J_v from Y_v and Y_{v+1} of v = n + u where v is `above` x: -2 / (pi x) Y_v times the sum of 1 / (Y_k Y_{k+1})
    over the orders k from v on, which the Wronskian gives.
    """
    inverse = pairs.quotient(m, m.number(2.0, x), x)
    one = Pair(m, m.number(1.0, x))

    def step(
        below: Real, below_low: Real, current: Real, low: Real, total: Real, rest: Real, k: Real, _: Real
    ) -> State:
        ratio, lower = Pair(m, current, low), Pair(m, below, below_low)
        term = 1.0 / (ratio * lower)
        following = ratio * (pairs.exact_sum(m, k, u) * inverse) - lower
        return *flat(ratio, following, Pair(m, total, rest) + term), k + 1.0, term.high

    def going(
        below: Real, below_low: Real, current: Real, low: Real, total: Real, rest: Real, k: Real, term: Real
    ) -> Real:
        return above & (m.magnitude(term) > EPSILON * 0.1 * m.magnitude(total))

    start = flat(one, pairs.where(m, above, at.current / at.below, one), one.scaled(0.0))
    found = m.loop(going, step, (*start, n + 1.0, one.high), 4000)
    total = Pair(m, found[4], found[5]) * inverse * pairs.constant(m, TWO_OVER_PI, x).scaled(0.5)
    return pairs.exp_product(m, -log_of_scale(m, at.times), total / -at.below)


def bessel_jy(m: Algebra, v: Real, x: Real) -> tuple[Real, Real]:
    """J_v and Y_v for v >= 0 and x > 0."""
    far, near, small = is_far(v, x), x < 2.0, x < 25.0
    n = m.floor(v + 0.5)
    u = v - n
    j_far, y_far = hankel_jy(m, m.where(far, v, u), m.where(small, 25.0, x))
    large = m.where(near, 2.0, x)
    p, q = _steed(m, u, large)
    j, y = _by_multiples(m, u, m.where(small, large, 2.0), p, q)
    j, y = pairs.where(m, small, j, j_far), pairs.where(m, small, y, y_far)
    ratio = pairs.quotient(m, u, large)
    j_next, y_next = j * ratio - (p * j - q * y), y * ratio - (p * y + q * j)
    first, second = _temme(m, u, m.where(near, x, 1.0), modified=False)
    ys = pairs.where(m, near, -first, y), pairs.where(m, near, -second, y_next)
    # Only far from the orders that need many steps.
    steps = m.where(far, 0.0, n)
    climbed = climb(m, x, ys, steps, u, -1.0, MOST)
    by_series = (x < 12.0) | (x * x < 4.0 * v)
    series = by_power_series(m, v, m.where(by_series, x, 1.0), -1.0)
    above, below = ~(by_series | far) & (v > x), ~(by_series | far) & (v <= x)
    beyond = _beyond(m, climbed, n, u, x, above)
    climbed_j = climb(m, x, (j, j_next), m.where(below, n, 0.0), u, -1.0, MOST).below.value
    found = m.where(by_series, series, m.where(above, beyond, climbed_j))
    return m.where(far, j_far.value, found), m.where(far, y_far.value, climbed.value())


# -- modified ----------------------------------------------------------------------------------------------------------


def asymptotic_i(m: Algebra, v: Real, x: Real, decay: Real | float) -> Real:
    """I_v(x) exp(-decay) where the asymptotic series is good."""
    even, odd = hankel(m, v, x, 1.0)
    root = pairs.sqrt(m, pairs.quotient(m, m.number(0.25, x), x) * pairs.constant(m, TWO_OVER_PI, x))
    return pairs.exp_product(m, pairs.exact_sum(m, x, m.number(0.0, x) - decay), (even - odd) * root)


def bessel_i(m: Algebra, v: Real, x: Real, decay: Real | float) -> Real:
    """I_v(x) exp(-decay) for v >= 0 and x > 0."""
    far = is_far(v, x)
    large = asymptotic_i(m, v, m.where(far, x, 50.0), decay)
    return m.where(far, large, by_power_series(m, v, m.where(far, 1.0, x), 1.0, decay))


def bessel_k(m: Algebra, v: Real, x: Real, growth: Real | float) -> Real:
    """K_v(x) exp(growth) for v >= 0 and x > 0."""
    near = x < 2.0
    n = m.floor(v + 0.5)
    u = v - n
    small = _temme(m, u, m.where(near, x, 1.0), modified=True)
    large = _fraction_of_k(m, u, m.where(near, 2.0, x))
    start = pairs.where(m, near, small[0], large[0]), pairs.where(m, near, small[1], large[1])
    climbed = climb(m, x, start, n, u, 1.0, MOST)
    power = pairs.exact_sum(m, m.where(near, 0.0, -x), m.number(0.0, x) + growth)
    return climbed.value(power)


# -- ops ---------------------------------------------------------------------------------------------------------------


@with_attributes
class OfRealOrder(Derived):
    """A Bessel function of (v, x), differentiated by its order so many times."""

    arity = 2
    order: int = 0
    flops = 3000

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return derivative(self.value, m, operands, 0, self.order)

    @abstractmethod
    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        """The function itself."""

    def shifted(self, b: Builder, v: Value, x: Value, by: float) -> Value:
        """The function of another order at the same place."""
        return node(b, type(self)(*self.attributes().values()), b.add(v, by), x)


def _of_turns(m: Algebra, v: Real) -> tuple[Real, Real]:
    """The sine and the cosine of pi v."""
    return m.apply(Sinpi(), v), m.apply(Cospi(), v)


def _sided(m: Algebra, v: Real, x: Real, value: Real) -> Real:
    """The value at |x|, with the sign for x where the order is whole; NaN for x < 0 where it is not."""
    whole = m.equal(m.floor(v), v)
    odd = ~m.equal(m.floor(v * 0.5) * 2.0, v)
    below = m.nan_where(~whole, m.where(odd, -value, value))
    return m.where(x < 0.0, below, value)


def _kept(m: Algebra, v: Real, x: Real) -> tuple[Real, Real, Real]:
    """Whether order and argument are within bounds, and both without a sign, or others instead."""
    inside = (m.abs(v) < float(MOST)) & ~m.equal(x, 0.0) & (m.abs(x) < math.inf)
    inside = inside & ((m.abs(x) < float(MOST)) | is_far(m.abs(v), m.abs(x)))
    return inside, m.where(inside, m.abs(v), 0.5), m.where(inside, m.abs(x), 1.0)


def _at_zero(m: Algebra, v: Real, x: Real, inside: Real, value: Real) -> Real:
    """The value, but at 0 what J and I are there, and 0 at infinity."""
    whole = m.equal(m.floor(v), v)
    zero = m.where(m.equal(v, 0.0), m.number(1.0, x), m.where((v > 0.0) | whole, m.number(0.0, x), math.inf))
    edge = m.where(m.equal(x, 0.0) & m.equal(v, v), zero, math.nan)
    return m.where(inside, value, m.where(m.equal(m.abs(x), math.inf) & (m.abs(v) < float(MOST)), 0.0, edge))


@define("bessel_jv")
class BesselJv(OfRealOrder):
    """J_v(x); of x < 0 for whole v alone."""

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        inside, order, size = _kept(m, v, x)
        j, y = bessel_jy(m, order, size)
        sine, cosine = _of_turns(m, order)
        mirrored = cosine * j - m.where(m.equal(sine, 0.0), 0.0, sine * y)
        return _at_zero(m, v, x, inside, _sided(m, v, x, m.where(v < 0.0, mirrored, j)))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        slope = b.mul(b.sub(self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)), 0.5)
        return node(b, BesselJv(self.order + 1), v, x), slope


@define("bessel_yv")
class BesselYv(OfRealOrder):
    """Y_v(x): ∓∞ at 0, NaN below."""

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        inside, order, size = _kept(m, v, x)
        j, y = bessel_jy(m, order, size)
        sine, cosine = _of_turns(m, order)
        mirrored = sine * j + m.where(m.equal(cosine, 0.0), 0.0, cosine * y)
        found = m.where(v < 0.0, mirrored, y)
        edge = m.where(m.equal(x, math.inf) & (m.abs(v) < float(MOST)), m.number(0.0, x), math.nan)
        edge = m.where(m.equal(x, 0.0) & m.equal(v, v), -math.inf, edge)
        return m.nan_where(x < 0.0, m.where(inside, found, edge))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        slope = b.mul(b.sub(self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)), 0.5)
        return node(b, BesselYv(self.order + 1), v, x), slope


@with_attributes
class Modified(OfRealOrder):
    """A modified Bessel function, times an exponential if `scaled`."""

    scaled: bool = False


@define("bessel_iv")
class BesselIv(Modified):
    """I_v(x), times exp(-|x|) if `scaled`; of x < 0 for whole v alone."""

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        inside, order, size = _kept(m, v, x)
        decay = size if self.scaled else 0.0
        found = bessel_i(m, order, size, decay)
        # I_-v is I_v + 2/pi sin(pi v) K_v.
        sine = m.apply(Sinpi(), order)
        other = bessel_k(m, order, size, -decay)
        mirrored = found + m.where(m.equal(sine, 0.0), 0.0, sine * other * (2.0 / math.pi))
        found = m.where(v < 0.0, mirrored, found)
        at_zero = _at_zero(m, v, x, inside, _sided(m, v, x, found))
        if self.scaled:
            return at_zero
        infinite = m.equal(m.abs(x), math.inf) & (m.abs(v) < float(MOST))
        return m.where(infinite, _sided(m, v, x, m.number(math.inf, x)), at_zero)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        slope = b.mul(b.add(self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)), 0.5)
        slope = b.sub(slope, b.mul(b.sign(x), result)) if self.scaled else slope
        return node(b, BesselIv(self.order + 1, self.scaled), v, x), slope


@define("bessel_kv")
class BesselKv(Modified):
    """K_v(x), times exp(x) if `scaled`: ∞ at 0, NaN below."""

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        inside, order, size = _kept(m, v, x)
        found = bessel_k(m, order, size, size if self.scaled else 0.0)
        edge = m.where(m.equal(x, math.inf) & (m.abs(v) < float(MOST)), m.number(0.0, x), math.nan)
        edge = m.where(m.equal(x, 0.0) & m.equal(v, v), math.inf, edge)
        return m.nan_where(x < 0.0, m.where(inside, found, edge))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        slope = b.mul(b.add(self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)), -0.5)
        slope = b.add(slope, result) if self.scaled else slope
        return node(b, BesselKv(self.order + 1, self.scaled), v, x), slope
