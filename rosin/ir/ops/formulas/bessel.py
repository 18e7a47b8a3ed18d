"""Bessel functions of integer order, their modified and spherical kin.

Orders 0 and 1 of J, Y and K come from polynomials: of x² near 0, of 1 / x beyond. The others come from the recurrence
in the order, upward where that is stable, downward where it is not (Miller's algorithm), and from the power series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Types, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.pairs import Constant, Pair
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

# Zeros of J0, J1, Y0 and Y1, each as a high and a low part; where only the high one is, no argument comes near.
J_ROOTS: dict[int, Sequence[Constant]] = {
    0: (
        (2.404825557695773, -1.176691651530894e-16),
        (5.520078110286311, 8.088597146146722e-17),
        (8.653727912911013, 0.0),
    ),
    1: ((3.8317059702075125, -1.5269184090088067e-16), (7.015586669815619, -9.414165653410389e-17)),
}
Y_ROOTS: dict[int, Sequence[Constant]] = {
    0: (
        (0.8935769662791675, 2.6596231539720385e-17),
        (3.957678419314858, -1.0764340697562706e-16),
        (7.086051060301773, -8.835285723085408e-17),
    ),
    1: (
        (2.197141326031017, -4.8259835876454966e-17),
        (5.429681040794135, 4.162514026670377e-16),
        (8.596005868331169, 0.0),
    ),
}
LOG_Y_ROOT: dict[int, Constant] = {
    0: (-0.11252280788079412, -4.371948007111724e-18),
    1: (0.7871571181569951, -5.297340955397504e-18),
}
J_NEAR = {0: tables.J0_NEAR, 1: tables.J1_NEAR}
Y_NEAR = {0: tables.Y0_NEAR, 1: tables.Y1_NEAR}
P = {0: tables.P0, 1: tables.P1}
Q = {0: tables.Q0, 1: tables.Q1}
ROOT_HALF = math.sqrt(0.5)


@with_attributes
class OfOrder(Formula):
    """A function of one number that has an order, 0 or more."""

    order: int
    flops = 500

    def type(self, *operands: TensorType) -> Types:
        if self.order < 0:
            self.bad_attribute(operands, f"the order is {self.order}; it is at least 0")
        return Formula.type(self, *operands)

    def at(self, b: Builder, order: int, x: Value, **attributes: Any) -> Value:
        """The function of another order."""
        return node(b, type(self)(order, **attributes), x)


def _amplitudes(m: Algebra, x: Real, order: int) -> tuple[Real, Real]:
    """J and Y of order 0 or 1 for x >= 8, by Hankel's expansion."""
    ratio = 8.0 / x
    s = 2.0 * ratio * ratio - 1.0
    p, q = m.polynomial(s, P[order]), m.polynomial(s, Q[order]) * ratio
    sine, cosine = m.sin(x), m.cos(x)
    # The cosine and sine of x - pi/4, or x - 3 pi/4.
    one, other = (cosine + sine) * ROOT_HALF, (sine - cosine) * ROOT_HALF
    cos_t, sin_t = (one, other) if order == 0 else (other, -one)
    scale = m.sqrt((2 / math.pi) / x)
    return scale * (p * cos_t - q * sin_t), scale * (p * sin_t + q * cos_t)


def distance(m: Algebra, x: Real, root: Constant) -> Pair:
    return pairs.exact_sum(m, x, m.number(-root[0], x)) - root[1]


class Between(NamedTuple):
    """A function on an interval as a polynomial times the distances from zeros."""

    low: float
    high: float
    roots: Sequence[Constant]
    coefficients: Sequence[float]

    def at(self, m: Algebra, x: Real) -> Real:
        """Its value at x, or at the end of the interval where x is out of it."""
        kept = m.where(x < self.low, self.low, m.where(x < self.high, x, self.high))
        middle, half = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low)
        value = Pair(m, m.polynomial((kept - middle) * (1.0 / half), self.coefficients))
        for root in self.roots:
            value = value * distance(m, kept, root)
        return value.value


J_MIDDLE = {
    0: Between(5.0, 8.0, J_ROOTS[0][1:], tables.J0_MIDDLE),
    1: Between(5.0, 8.0, J_ROOTS[1][1:], tables.J1_MIDDLE),
}
Y_MIDDLE = {
    0: (Between(2.0, 5.0, Y_ROOTS[0][1:2], tables.Y0_LOW), Between(5.0, 8.0, Y_ROOTS[0][2:], tables.Y0_MIDDLE)),
    1: (Between(4.0, 8.0, Y_ROOTS[1][1:], tables.Y1_MIDDLE),),
}


def bessel_j01(m: Algebra, x: Real, order: int) -> Real:
    """J0 or J1 of x >= 0."""
    near = m.where(x < 5.0, x, 5.0)
    # Times x^2 - r^2.
    product = Pair(m, m.polynomial(near * near * 0.08 - 1.0, J_NEAR[order]))
    for root in J_ROOTS[order][:2]:
        product = product * distance(m, near, root) * distance(m, near, (-root[0], -root[1]))
    value = (product * near if order else product).value
    far = m.where(x < math.inf, _amplitudes(m, m.where(x < 8.0, 8.0, x), order)[0], 0.0)
    value = m.where(x < 5.0, value, J_MIDDLE[order].at(m, x))
    return m.where(x < 8.0, value, m.where(m.equal(x, x), far, x))


def log_over_root(m: Algebra, x: Real, root: Constant, log_root: Constant) -> tuple[Pair, Real]:
    """log(x / root) and x - root, accurate next to the root; `log_root` is log(root)."""
    away = (x - root[0]) - root[1]
    near = m.abs(away) < 0.25 * root[0]
    close = m.log1p(m.where(near, away, 0.0) / root[0])
    far = pairs.log(m, Pair(m, x)) - pairs.constant(m, log_root, x)
    return pairs.where(m, near, Pair(m, close), far), away


def bessel_y01(m: Algebra, x: Real, order: int) -> Real:
    """Y0 or Y1 of x >= 0."""
    root, pieces = Y_ROOTS[order][0], Y_MIDDLE[order]
    edge = pieces[0].low
    near = m.where(x < edge, m.where(x > 0.0, x, 1.0), edge)
    logarithm, away = log_over_root(m, near, root, LOG_Y_ROOT[order])
    rest = away * (near + root[0]) * m.polynomial(near * near * (2.0 / (edge * edge)) - 1.0, Y_NEAR[order])
    value = (logarithm * (bessel_j01(m, near, order) * (2 / math.pi)) + (rest / near if order else rest)).value
    for piece in pieces:
        value = m.where(x < piece.low, value, piece.at(m, x))
    far = m.where(x < math.inf, _amplitudes(m, m.where(x < 8.0, 8.0, x), order)[1], 0.0)
    result = m.where(x < 8.0, value, m.where(m.equal(x, x), far, x))
    # Next to 0 the first term is all, and infinite in the end.
    result = m.where(x < 1e-280, (-2 / math.pi) / x, result) if order else result
    return m.where(m.equal(x, 0.0), -math.inf, m.nan_where(x < 0.0, result))


SCALE = 200
"""What grows beyond the root of two to this power is divided by that power."""


def log_of_scale(m: Algebra, times: Real) -> Pair:
    """The logarithm of 2^(SCALE times), for whole numbers."""
    exponent = times * float(SCALE)
    return pairs.exact_product(m, exponent, m.number(pairs.LN2[0], times)) + exponent * pairs.LN2[1]


class Climbed(NamedTuple):
    """f(order) and f(order + 1) of a recurrence, over 2^(SCALE times)."""

    below: Pair
    current: Pair
    times: Real

    def value(self, power: Pair | None = None) -> Real:
        """f(order), times exp(power) if there is one."""
        m, found = self.below.m, self.below.high
        scale = log_of_scale(m, self.times)
        whole = pairs.exp_product(m, scale if power is None else power + scale, self.below)
        whole = whole if power is not None else m.where(self.times > 0.0, whole, self.below.value)
        return m.where(m.abs(found) < math.inf, whole, found)


def climb(
    m: Algebra, x: Real, start: tuple[Pair, Pair], order: Real | float, half: Real | float, sign: float, most: int
) -> Climbed:
    """f(order) and f(order + 1) from f(0) and f(1) by f(k+1) = 2 (k + half) / x f(k) + sign f(k-1), in pairs."""
    twice_inverse = pairs.quotient(m, m.number(2.0, x), x)
    part = m.number(half, x) if isinstance(half, int | float) else half

    def step(below: Real, below_low: Real, current: Real, low: Real, k: Real, times: Real) -> State:
        large = m.abs(current) > 2.0 ** (SCALE / 2)
        by = m.where(large, 2.0**-SCALE, m.number(1.0, x))
        grown = Pair(m, current, low).scaled(by)
        following = grown * (pairs.exact_sum(m, k, part) * twice_inverse) + Pair(m, below, below_low).scaled(by) * sign
        # Where it overflows there is no low part.
        rounded = Pair(m, ((k + part) * 2.0 / x) * grown.high)
        following = pairs.where(m, m.abs(following.high) < math.inf, following, rounded)
        return grown.high, grown.low, following.high, following.low, k + 1.0, times + m.where(large, 1.0, times * 0.0)

    def going(below: Real, below_low: Real, current: Real, low: Real, k: Real, times: Real) -> Real:
        return k < order + 1.0

    (first, second), zero, one = start, m.number(0.0, x), m.number(1.0, x)
    state = (first.high, first.low, second.high, second.low, one, zero)
    below, below_low, current, low, _, times = m.loop(going, step, state, most + 1)
    return Climbed(Pair(m, below, below_low), Pair(m, current, low), times)


def upward(m: Algebra, x: Real, start: tuple[Real, Real], order: int, half: float, sign: float) -> Climbed:
    """f(order) by the same recurrence, from numbers."""
    return climb(m, x, (Pair(m, start[0]), Pair(m, start[1])), float(order), half, sign, order)


def downward(
    m: Algebra, x: Real, order: int, top: Real, most: int, half: float, sign: float
) -> tuple[Real, Real, Real]:
    """Multiples of f(order), f(1) and f(0) by f(k-1) = 2 (k + half) / x f(k) + sign f(k+1), from k = `top` down."""

    def step(above: Real, current: Real, found: Real, k: Real) -> State:
        found = m.where(m.equal(k, float(order)), current, found)
        below = (2.0 * (k + half) / x) * current + sign * above
        # All are small multiples again when they have grown.
        scale = m.where(m.abs(below) > 1e200, 1e-200, m.number(1.0, below))
        return current * scale, below * scale, found * scale, k - 1.0

    def going(above: Real, current: Real, found: Real, k: Real) -> Real:
        return k > 0.0

    zero = m.number(0.0, x)
    state = (zero, zero + 1e-200, zero, top)
    one, none, found, _ = m.loop(going, step, state, most)
    return found, one, none


def between_j(m: Algebra, x: Real, order: int) -> Real:
    """J_n(x) for x from 8 to n: downward, and scaled by J_0 + 2 J_2 + 2 J_4 + … = 1 (Miller's algorithm)."""
    top = order + 2 * int(math.sqrt(20.0 * order)) + 10
    top += top % 2

    def going(above: Real, current: Real, found: Real, total: Real, even: Real, k: Real) -> Real:
        return k > 0.0

    def step(above: Real, current: Real, found: Real, total: Real, even: Real, k: Real) -> State:
        found = m.where(m.equal(k, float(order)), current, found)
        total = total + even * current
        below = (2.0 * k / x) * current - above
        # All are small multiples again when they have grown.
        scale = m.where(m.abs(below) > 1e200, 1e-200, m.number(1.0, below))
        return current * scale, below * scale, found * scale, total * scale, 1.0 - even, k - 1.0

    zero, one = m.number(0.0, x), m.number(1.0, x)
    state = (zero, zero + 1e-200, zero, zero, one, m.number(top, x))
    _, none, found, total, _, _ = m.loop(going, step, state, top)
    return found / (none + 2.0 * total)


def power_series(m: Algebra, x: Real, order: int, half: float, sign: float) -> Pair:
    """The sum of (sign x²/4)^k / (k! (order + half + 1) … (order + half + k)), in pairs: terms may cancel."""
    square = pairs.exact_product(m, x, x).scaled(0.25 * sign)

    def step(total: Real, low: Real, term: Real, error: Real, k: Real) -> State:
        following = Pair(m, term, error) * square / (k * (k + (order + half)))
        whole = Pair(m, total, low) + following
        return whole.high, whole.low, following.high, following.low, k + 1.0

    def going(total: Real, low: Real, term: Real, error: Real, k: Real) -> Real:
        return m.abs(term) > m.abs(total) * 2.0**-56

    zero, one = m.number(0.0, x), m.number(1.0, x)
    total, low, *_ = m.loop(going, step, (one, zero, one, zero, one), 60)
    return Pair(m, total, low)


def leading_power(m: Algebra, x: Real, order: int) -> Real:
    """(x/2)^order / order!."""
    if order < 4:
        return math.prod((x * 0.5,) * order, start=m.number(1.0, x)) * (1.0 / math.factorial(order))
    if order < 100:
        return m.pow(x * 0.5, m.number(order, x)) / math.factorial(order)
    return m.exp(m.log(x * 0.5) * order - math.lgamma(order + 1.0))


def _parity(m: Algebra, x: Real, order: int, value: Real) -> Real:
    """`value`, that of |x|, with the sign for x."""
    return m.where(x < 0.0, -value, value) if order % 2 else value


@define("bessel_j")
class BesselJ(OfOrder):
    """J_n(x), the Bessel function of the first kind."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, order = m.abs(operands[0]), self.order
        if order < 2:
            value = bessel_j01(m, x, order)
        else:
            first, second = bessel_j01(m, x, 0), bessel_j01(m, x, 1)
            small, edge = x < 8.0, max(8.0, order)
            series = (power_series(m, m.where(small, x, 1.0), order, 0.0, -1.0) * leading_power(m, x, order)).value
            large = x >= edge
            far = upward(m, m.where(large, x, edge), (first, second), order, 0.0, -1.0).value()
            if edge > 8.0:
                far = m.where(large, far, between_j(m, m.where(small, 8.0, m.where(large, edge, x)), order))
            value = m.where(small, series, far)
            value = m.where(m.equal(x, math.inf), 0.0, m.where(m.equal(x, x), value, x))
        return _parity(m, operands[0], order, value)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        above = self.at(b, self.order + 1, x)
        if self.order == 0:
            return (b.neg(above),)
        return (b.mul(b.sub(self.at(b, self.order - 1, x), above), 0.5),)


@define("bessel_y")
class BesselY(OfOrder):
    """Y_n(x), the Bessel function of the second kind: -∞ at 0, NaN below."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        if self.order < 2:
            return bessel_y01(m, x, self.order)
        value = upward(m, x, (bessel_y01(m, x, 0), bessel_y01(m, x, 1)), self.order, 0.0, -1.0).value()
        value = m.where(m.equal(value, value), value, -math.inf)  # It overflows next to 0.
        value = m.where(m.equal(x, math.inf), 0.0, m.where(m.equal(x, 0.0), -math.inf, value))
        return m.nan_where(~(x >= 0.0), value)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        above = self.at(b, self.order + 1, x)
        if self.order == 0:
            return (b.neg(above),)
        return (b.mul(b.sub(self.at(b, self.order - 1, x), above), 0.5),)


# -- modified ----------------------------------------------------------------------------------------------------------


def _far_i01(m: Algebra, x: Real, order: int) -> Real:
    """exp(-x) I0(x) or exp(-x) I1(x), x >= 8."""
    return m.polynomial(16.0 / x - 1.0, tables.I1_FAR if order else tables.I0_FAR) / m.sqrt(x)


def _near_i(m: Algebra, x: Real, order: int) -> Real:
    """I_n(x), 0 <= x <= 8, by its series of positive terms."""
    square, terms = x * x * 0.25, [1.0]
    while terms[-1] * 16.0 ** len(terms) > 2.0**-60 or len(terms) < 8:
        terms.append(terms[-1] / (len(terms) * (len(terms) + order)))
    return leading_power(m, x, order) * m.polynomial(square, terms)


def _middle_i(m: Algebra, x: Real, order: int, edge: float) -> Real:
    """exp(-x) I_n(x), 8 <= x <= edge, from I0 by the recurrence downward."""
    most = order + int(math.sqrt(42.0 * edge)) + 20
    top = m.floor(order + 20.0 + m.sqrt(42.0 * x))
    found, _, none = downward(m, x, order, top, most, 0.0, 1.0)
    return found / none * _far_i01(m, x, 0)


def _asymptotic_i(m: Algebra, x: Real, order: int) -> Real:
    """exp(-x) I_n(x) of x far above n^2."""
    series = m.number(1.0, x)
    for k in range(24, 0, -1):
        series = 1.0 - series * ((4.0 * order * order - (2 * k - 1) ** 2) / (8.0 * k)) / x
    return series / m.sqrt(2 * math.pi * x)


def bessel_i(m: Algebra, x: Real, order: int, scaled: bool) -> Real:
    """I_n(x), x >= 0, times exp(-x) if `scaled`."""
    small = x < 8.0
    near, far = m.where(small, x, 8.0), m.where(small, 8.0, x)
    value = _near_i(m, near, order)
    if order < 2:
        large = _far_i01(m, far, order)
    else:
        edge = max(60.0, float(order * order))
        middle = _middle_i(m, m.where(far < edge, far, edge), order, edge)
        large = m.where(far < edge, middle, _asymptotic_i(m, m.where(far < edge, edge, far), order))
    if scaled:
        return m.where(small, value * m.exp(-near), m.where(m.equal(x, x), large, x))
    kept = m.where(far < 1400.0, far, 1400.0)
    grown = pairs.exp_product(m, Pair(m, kept), Pair(m, m.where(far < 1400.0, large, 1.0)))
    return m.where(small, value, m.where(m.equal(x, x), grown, x))


@define("bessel_i")
class BesselI(OfOrder):
    """I_n(x), the modified Bessel function of the first kind, times exp(-|x|) if `scaled`."""

    scaled: bool = False

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x = m.abs(operands[0])
        return _parity(m, operands[0], self.order, bessel_i(m, x, self.order, self.scaled))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        slope = self.at(b, self.order + 1, x, scaled=self.scaled)
        if self.order:
            slope = b.mul(b.add(slope, self.at(b, self.order - 1, x, scaled=self.scaled)), 0.5)
        return (b.sub(slope, b.mul(b.sign(x), result)) if self.scaled else slope,)


def scaled_k01(m: Algebra, x: Real, order: int) -> Real:
    """exp(x) K0(x) or exp(x) K1(x), x > 0."""
    near = m.where(x < 1.0, x, 1.0)
    s = 2.0 * near * near - 1.0
    small = m.polynomial(s, tables.K1_NEAR if order else tables.K0_NEAR)
    bessel_i = m.polynomial(s, tables.I1_UNIT if order else tables.I0_UNIT)
    logarithm = m.where(near < 1e-290, m.log(near) - math.log(2.0), m.log(near * 0.5))
    small = (small + logarithm * bessel_i) * near + 1.0 / near if order else small - logarithm * bessel_i
    far = m.where(x < 1.0, 1.0, x)
    large = m.polynomial(2.0 / far - 1.0, tables.K1_FAR if order else tables.K0_FAR) / m.sqrt(far)
    return m.where(x < 1.0, small * m.exp(near), large)


@define("bessel_k")
class BesselK(OfOrder):
    """K_n(x), the modified Bessel function of the second kind, times exp(x) if `scaled`: ∞ at 0, NaN below."""

    scaled: bool = False

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        value = scaled_k01(m, x, min(self.order, 1))
        if self.order > 1:
            climbed = upward(m, x, (scaled_k01(m, x, 0), value), self.order, 0.0, 1.0)
            value = climbed.value(None if self.scaled else Pair(m, -x))
        else:
            value = value if self.scaled else value * m.exp(-x)
        value = m.where(m.equal(x, math.inf), 0.0, m.where(m.equal(x, 0.0), math.inf, value))
        return m.nan_where(~(x >= 0.0), value)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        slope = self.at(b, self.order + 1, x, scaled=self.scaled)
        if self.order:
            slope = b.mul(b.add(slope, self.at(b, self.order - 1, x, scaled=self.scaled)), 0.5)
        return (b.sub(result, slope) if self.scaled else b.neg(slope),)


# -- spherical ---------------------------------------------------------------------------------------------------------


@define("spherical_bessel_j")
class SphericalBesselJ(OfOrder):
    """j_n(x) = √(π/2x) J_{n+1/2}(x), the spherical Bessel function; j_0 is sin(x) / x."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, order = m.abs(operands[0]), self.order
        edge = math.sqrt(2.0 * order + 3.0)
        small = x < edge
        kept = m.where(small, x, edge)
        scale = m.pow(kept, m.number(order, x)) / math.prod(range(1, 2 * order + 2, 2))
        series = (power_series(m, kept, order, 0.5, -1.0) * scale).value
        far = m.where(small, edge, x)
        sine = m.sin(far) / far
        first, second = sine, (sine - m.cos(far)) / far
        if order == 0:
            value = first
        else:
            large = far >= float(order)
            value = upward(m, m.where(large, far, float(order) + 0.5), (first, second), order, 0.5, -1.0).value()
            if edge < order:
                top = order + 2 * int(math.sqrt(20.0 * order)) + 10
                middle = m.where(large, float(order), far)
                found, one, none = downward(m, middle, order, m.number(top, x), top, 0.5, -1.0)
                by_none = m.abs(first) > m.abs(second)
                between = found * m.where(by_none, first, second) / m.where(by_none, none, one)
                value = m.where(large, value, between)
        value = m.where(m.equal(x, math.inf), 0.0, m.where(small, series, value))
        return _parity(m, operands[0], order, m.where(m.equal(x, x), value, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        n, above = self.order, self.at(b, self.order + 1, x)
        if n == 0:
            return (b.neg(above),)
        below = self.at(b, n - 1, x)
        return (b.sub(b.mul(below, n / (2 * n + 1)), b.mul(above, (n + 1) / (2 * n + 1))),)
