"""Bessel functions of real order, their modified kin among them, by order and argument.

J comes from its power series next to 0 and I from it everywhere below its asymptotic series. In between, continued
fractions give J'/J and the logarithmic derivative of J + iY (Steed), or that of K; next to 0, Y and K are the series of
Temme (1975, 1976) for an order between -1/2 and 1/2. Recurrences lead to the order that is asked for.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.bessel import upward
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import LIMIT, Cospi, Sinpi, gamma_factors, log_gamma_far, node
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

MOST = 20000
"""Steps of series and fractions, and orders, above which there is no result."""
EPSILON = 2.0**-54


# -- power series and asymptotic series --------------------------------------------------------------------------------


def power_series(m: Algebra, v: Real, x: Real, sign: float) -> tuple[Pair, Real]:
    """The sum of (sign x²/4)^k / (k! (v + 1) … (v + k)), in pairs, over 10^(200 n), and n."""
    square = pairs.exact_product(m, x, x).scaled(0.25 * sign)

    def going(total: Real, low: Real, term: Real, error: Real, k: Real, n: Real) -> Real:
        return (m.magnitude(term) > m.magnitude(total) * EPSILON) & (k < float(MOST))

    def step(total: Real, low: Real, term: Real, error: Real, k: Real, n: Real) -> State:
        following = Pair(m, term, error) * square / (pairs.exact_sum(m, v, k) * k)
        whole = Pair(m, total, low) + following
        large = m.abs(whole.high) > 1e200
        by = m.where(large, 1e-200, m.number(1.0, x))
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
    power = power + n * (200.0 * math.log(10.0))
    return pairs.exp_product(m, power, series * gamma.above / gamma.below)


def hankel(m: Algebra, v: Real, x: Real, sign: float) -> tuple[Real, Real]:
    """The even and the odd terms of the asymptotic series Σ a_k(v) / x^k (DLMF 10.17.1), the signs of pairs being
    `sign`, as far as they fall.
    """
    square = 4.0 * v * v

    def step(even: Real, odd: Real, term: Real, k: Real) -> State:
        twice = 2.0 * k - 1.0
        first = term * (square - twice * twice) / (8.0 * k * x)
        second = first * (square - (twice + 2.0) * (twice + 2.0)) / (8.0 * (k + 1.0) * x) * sign
        return even + second, odd + first, second, k + 2.0

    def going(even: Real, odd: Real, term: Real, k: Real) -> Real:
        return m.magnitude(term) > EPSILON * 0.1

    zero, one = m.number(0.0, x), m.number(1.0, x)
    even, odd, _, _ = m.loop(going, step, (one, zero, one, one), 40)
    return even, odd


def is_far(v: Real, x: Real) -> Real:
    """Whether the asymptotic series is as good as the numbers."""
    return (x > 30.0) & (x > v * v * 0.6)


def _far_jy(m: Algebra, v: Real, x: Real) -> tuple[Real, Real]:
    p, q = hankel(m, v, x, -1.0)
    # cos(x - pi (v/2 + 1/4)), with the sine and cosine of the second exact.
    turn = 0.5 * v + 0.25
    sine, cosine = m.sin(x), m.cos(x)
    turn_sine, turn_cosine = m.apply(Sinpi(), turn), m.apply(Cospi(), turn)
    cos_t, sin_t = cosine * turn_cosine + sine * turn_sine, sine * turn_cosine - cosine * turn_sine
    scale = m.sqrt((2 / math.pi) / x)
    return scale * (p * cos_t - q * sin_t), scale * (p * sin_t + q * cos_t)


# -- next to zero, of an order between -1/2 and 1/2 --------------------------------------------------------------------


def _temme(m: Algebra, u: Real, x: Real, modified: bool) -> tuple[Real, Real]:
    """-Y_u and -x/2 Y_{u+1}, or K_u and x/2 K_{u+1} if `modified`, for |u| <= 1/2 and 0 < x <= 2."""
    s = 8.0 * u * u - 1.0
    odd, even = m.polynomial(s, tables.RGAMMA_ODD), m.polynomial(s, tables.RGAMMA_EVEN)
    plus, minus = even - u * odd, even + u * odd
    logarithm = -m.log(x * 0.5)
    e = u * logarithm
    up = m.exp(e)
    down, small = 1.0 / up, m.abs(e) < 0.5
    # sinh(e) / e.
    series = m.polynomial(m.where(small, e * e, 0.0), [1.0 / math.factorial(2 * k + 1) for k in range(8)])
    ratio = m.where(small, series, 0.5 * (up - down) / m.where(small, 1.0, e))
    f = (odd * (0.5 * (up + down)) + even * ratio * logarithm) / (plus * minus)
    f = f if modified else f * (2.0 / math.pi)
    half = 0.5 if modified else 1.0 / math.pi
    p, q = half * up / plus, half * down / minus
    sine = m.polynomial(u * u, [(-1) ** k * (math.pi / 2) ** (2 * k) / math.factorial(2 * k + 1) for k in range(12)])
    r = m.number(0.0, x) if modified else (0.5 * math.pi**2) * u * sine * sine
    quarter = x * x * (0.25 if modified else -0.25)

    def step(total: Real, other: Real, f: Real, p: Real, q: Real, c: Real, i: Real, change: Real) -> State:
        f = (i * f + p + q) / (i * i - u * u)
        p, q, c = p / (i - u), q / (i + u), c * quarter / i
        change = c * (f + r * q)
        return total + change, other + (c * p - i * change), f, p, q, c, i + 1.0, change

    def going(total: Real, other: Real, f: Real, p: Real, q: Real, c: Real, i: Real, change: Real) -> Real:
        return m.magnitude(change) > EPSILON * m.magnitude(total)

    start = f + r * q
    total, other, *_ = m.loop(going, step, (start, p, f, p, q, *(m.number(1.0, x),) * 2, start), 60)
    return total, other


# -- continued fractions -----------------------------------------------------------------------------------------------


def _slope_of_j(m: Algebra, v: Real, x: Real) -> Real:
    """J'_v / J_v of v above x, where neither has zeros (DLMF 10.10)."""
    twice = 2.0 / x

    def step(h: Real, c: Real, d: Real, b: Real, change: Real) -> State:
        b = b + twice
        d, c = 1.0 / (b - d), b - 1.0 / c
        return h * (c * d), c, d, b, c * d

    def going(h: Real, c: Real, d: Real, b: Real, change: Real) -> Real:
        return m.magnitude(change - 1.0) > 2.0 * EPSILON

    start = v / x
    one = m.number(1.0, x)
    return m.loop(going, step, (start, start, one * 0.0, twice * v, one * 2.0), MOST)[0]


def _steed(m: Algebra, u: Real, x: Real) -> tuple[Real, Real]:
    """p and q with (J' + i Y') / (J + i Y) = p + i q of order u, x >= 2, by the fraction of Steed (DLMF 10.20)."""
    a, b_real, b_imaginary = 0.25 - u * u, 2.0 * x, m.number(2.0, x)
    p, q = -0.5 / x, m.number(1.0, x)
    share = a / (x * (p * p + q * q))
    c_real, c_imaginary = b_real + q * share, b_imaginary + p * share
    size = b_real * b_real + b_imaginary * b_imaginary
    d_real, d_imaginary = b_real / size, -b_imaginary / size
    step_real = c_real * d_real - c_imaginary * d_imaginary
    step_imaginary = c_real * d_imaginary + c_imaginary * d_real
    p, q = p * step_real - q * step_imaginary, p * step_imaginary + q * step_real

    def step(*state: Real) -> State:
        p, q, a, bi, cr, ci, dr, di, i, *_ = state
        a, bi = a + 2.0 * (i - 1.0), bi + 2.0
        dr, di = a * dr + b_real, a * di + bi
        share = a / (cr * cr + ci * ci)
        cr, ci = b_real + cr * share, bi - ci * share
        size = dr * dr + di * di
        dr, di = dr / size, -di / size
        real, imaginary = cr * dr - ci * di, cr * di + ci * dr
        p, q = p * real - q * imaginary, p * imaginary + q * real
        return p, q, a, bi, cr, ci, dr, di, i + 1.0, real, imaginary

    def going(*state: Real) -> Real:
        return m.magnitude(state[-2] - 1.0) + m.magnitude(state[-1]) > 2.0 * EPSILON

    one = m.number(1.0, x)
    start = (p, q, a, b_imaginary, c_real, c_imaginary, d_real, d_imaginary, one * 2.0, one * 0.0, one)
    found = m.loop(going, step, start, 1000)
    return found[0], found[1]


def _middle_jy(m: Algebra, v: Real, x: Real) -> tuple[Real, Real]:
    """J_v of v >= 0 and x >= 2 and Y_v of x > 0, x not being far."""
    near = x < 2.0
    n = m.floor(v + 0.5)
    u, large = v - n, m.where(near, 2.0, x)
    # From an order above x downward, which is where errors do not grow.
    above = m.floor(large) + 2.0
    top = m.where(n < above, above, n)
    slope = _slope_of_j(m, u + top, large)

    def lower(j: Real, derivative: Real, found: Real, i: Real) -> State:
        """From order u + i to the one below, times 1e-200 where they have grown."""
        below = (u + i) / large * j + derivative
        derivative = (u + (i - 1.0)) / large * below - j
        found = m.where(m.equal(i - 1.0, n), below, found)
        by = m.where(m.abs(below) > 1e200, 1e-200, m.number(1.0, x))
        return below * by, derivative * by, found * by, i - 1.0

    def going(j: Real, derivative: Real, found: Real, i: Real) -> Real:
        return i > 0.0

    # Multiples of J and J' of order u; p and q, and the Wronskian, say which.
    start = m.number(1e-100, x)
    j, derivative, found, _ = m.loop(going, lower, (start, slope * start, start, top), 2 * MOST)
    size = m.abs(j) + m.abs(derivative)
    j, derivative, found = j / size, derivative / size, found / size
    p, q = _steed(m, u, large)
    rest = p * j - derivative
    factor = m.sqrt((2.0 / math.pi) / large * q) / m.sqrt(rest * rest + q * q * j * j)
    y_far = factor * rest / q
    next_far = u / large * y_far - (y_far * p + factor * j * q)
    small = m.where(near, x, 1.0)
    total, other = _temme(m, u, small, modified=False)
    start_y = m.where(near, -total, y_far), m.where(near, -other * (2.0 / small), next_far)
    return factor * found, raised(m, u, x, start_y, n, -1.0)


def raised(m: Algebra, u: Real, x: Real, start: tuple[Real, Real], n: Real, sign: float) -> Real:
    """The function of order u + n, from those of orders u and u + 1."""
    found = upward(m, x, start, n, u, sign, MOST)
    return m.where(n > 0.0, found, start[0])


def bessel_jy(m: Algebra, v: Real, x: Real) -> tuple[Real, Real]:
    """J_v and Y_v for v >= 0 and x > 0."""
    far = is_far(v, x)
    j, y = _middle_jy(m, m.where(far, 0.5, v), m.where(far, 3.0, x))
    by_series = (x < 12.0) | (x * x < 4.0 * v)
    series = by_power_series(m, v, m.where(by_series, x, 1.0), -1.0)
    far_j, far_y = _far_jy(m, v, m.where(far, x, 50.0))
    return m.where(far, far_j, m.where(by_series, series, j)), m.where(far, far_y, y)


# -- modified ----------------------------------------------------------------------------------------------------------


def scaled_i(m: Algebra, v: Real, x: Real) -> Real:
    """exp(-x) I_v(x) for v >= 0 and x > 0."""
    far = is_far(v, x)
    even, odd = hankel(m, v, m.where(far, x, 50.0), 1.0)
    kept = m.where(far, 1.0, x)
    return m.where(far, (even - odd) / m.sqrt(2.0 * math.pi * x), by_power_series(m, v, kept, 1.0, kept))


def scaled_k(m: Algebra, v: Real, x: Real) -> Real:
    """exp(x) K_v(x) for v >= 0 and x > 0."""
    near = x < 1.0
    n = m.floor(v + 0.5)
    u = v - n
    small, large = m.where(near, x, 0.5), m.where(near, 1.0, x)
    first, second = _temme(m, u, small, modified=True)
    growth = m.exp(small)
    # The fraction of K' / K and its sum (DLMF 10.29; Temme 1975).
    a = 0.25 - u * u

    def step(*state: Real) -> State:
        q, q_before, q_sum, c, b, d, h, delta, s, k, _ = state
        k = k + 1.0
        a_k = -(a + (k * k - k))
        c = -a_k * c / k
        following = (q_before - b * q) / a_k
        q_before, q = q, following
        q_sum = q_sum + c * following
        b = b + 2.0
        d = 1.0 / (b + a_k * d)
        delta = (b * d - 1.0) * delta
        change = q_sum * delta
        return q, q_before, q_sum, c, b, d, h + delta, delta, s + change, k, change

    def going(*state: Real) -> Real:
        return m.magnitude(state[-1]) > EPSILON * m.magnitude(state[-3])

    b = 2.0 * (1.0 + large)
    d = 1.0 / b
    one = m.number(1.0, x)
    start = (one, one * 0.0, a, a, b, d, d, d, 1.0 + a * d, one, a * d)
    found = m.loop(going, step, start, 1000)
    h, s = a * found[6], found[8]
    k_far = m.sqrt(math.pi / (2.0 * large)) / s
    next_far = k_far * (u + large + 0.5 - h) / large
    start_pair = m.where(near, first * growth, k_far), m.where(near, second * (2.0 / small) * growth, next_far)
    return raised(m, u, x, start_pair, n, 1.0)


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
        found = scaled_i(m, order, size)
        # I_-v is I_v + 2/pi sin(pi v) K_v.
        sine = m.apply(Sinpi(), order)
        other = scaled_k(m, order, size) * m.exp(-2.0 * size)
        mirrored = found + m.where(m.equal(sine, 0.0), 0.0, sine * other * (2.0 / math.pi))
        found = m.where(v < 0.0, mirrored, found)
        if not self.scaled:
            grown = m.where(size < 1400.0, size, 1400.0)
            found = pairs.exp_product(m, Pair(m, grown), Pair(m, found))
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
        found = scaled_k(m, order, size)
        found = found if self.scaled else found * m.exp(-size)
        edge = m.where(m.equal(x, math.inf) & (m.abs(v) < float(MOST)), m.number(0.0, x), math.nan)
        edge = m.where(m.equal(x, 0.0) & m.equal(v, v), math.inf, edge)
        return m.nan_where(x < 0.0, m.where(inside, found, edge))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        slope = b.mul(b.add(self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)), -0.5)
        slope = b.add(slope, result) if self.scaled else slope
        return node(b, BesselKv(self.order + 1, self.scaled), v, x), slope
