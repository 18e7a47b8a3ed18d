"""Struve's functions of real order and argument, and their modified kin.

Near 0 they are power series, added up in pairs of numbers. Beyond, Struve's function is Bessel's Y and an asymptotic
series (DLMF 11.6), and the modified one is Bessel's I. Of orders -3/2, -5/2, … they are J and I of the opposite order.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas.bessel import log_of_scale
from rosin.ir.ops.formulas.bessel_real import (
    OfRealOrder,
    asymptotic_i,
    bessel_i,
    bessel_jy,
    power_series,
)
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import Rgamma, gamma_factors, node, sine_pair
from rosin.ir.pairs import Constant, Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

LOWEST, HIGHEST = -40.0, 100.0
"""Orders between which no digits are lost where the power series ends and the asymptotic one begins."""
TWO_OVER_ROOT_PI: Constant = (1.1283791670955126, 1.533545961316588e-17)
ONE_OVER_ROOT_PI: Constant = (0.5641895835477563, 7.66772980658294e-18)


def _over_gamma(m: Algebra, v: Real, x: Real, power: float, shift: float, scale: Real, factor: Pair) -> Real:
    """(x/2)^(v + power) / Γ(v + shift) · 2^(SCALE scale) factor."""
    gamma = gamma_factors(m, pairs.exact_sum(m, v, m.number(shift, v)), rounded=True).inverse()
    exponent = pairs.log(m, Pair(m, x * 0.5)) * pairs.exact_sum(m, v, m.number(power, v))
    return pairs.exp_product(m, exponent + log_of_scale(m, scale) + gamma.exponent, factor * gamma.above / gamma.below)


def _by_series(m: Algebra, v: Real, x: Real, sign: float) -> Real:
    """H_v(x), or L_v(x), by its power series, whose terms next to an order that is a pole of gamma may grow again."""
    series, n = power_series(m, v, x, sign, 0.5, 1.0 - v)
    return _over_gamma(m, v, x, 1.0, 1.5, n, series * pairs.constant(m, TWO_OVER_ROOT_PI, x))


def _beyond_y(m: Algebra, v: Real, x: Real) -> Real:
    """H_v(x) - Y_v(x) by its asymptotic series, of which half of the last term counts where terms begin to grow."""
    inverse = pairs.quotient(m, m.number(2.0, x), x)
    square = inverse * inverse

    def ratio(k: Real) -> Pair:
        return pairs.exact_sum(m, v, 0.5 - k) * (k - 0.5) * square

    def going(total: Real, low: Real, term: Real, error: Real, k: Real) -> Real:
        falling = (m.abs(ratio(k).high) < 1.0) | (k < v)
        return (m.magnitude(term) > m.magnitude(total) * 2.0**-56) & falling

    def step(total: Real, low: Real, term: Real, error: Real, k: Real) -> State:
        whole = Pair(m, total, low) + Pair(m, term, error)
        following = Pair(m, term, error) * ratio(k)
        return whole.high, whole.low, following.high, following.low, k + 1.0

    one, zero = m.number(1.0, x), m.number(0.0, x)
    total, low, term, *_ = m.loop(going, step, (zero, zero, one, zero, one), 400)
    whole = Pair(m, total, low) + term * 0.5
    return _over_gamma(m, v, x, -1.0, 0.5, zero, whole * pairs.constant(m, ONE_OVER_ROOT_PI, x))


def _is_order(m: Algebra, v: Real) -> Real:
    return (v >= LOWEST) & (v <= HIGHEST)


def _is_bessel(m: Algebra, v: Real) -> Real:
    """Whether the order is -3/2, -5/2, …"""
    return (v < -1.0) & m.equal(m.floor(v + 0.5), v + 0.5)


class OfStruve(OfRealOrder):
    """A function of (v, x), differentiated by its order so many times; of x < 0 for whole orders alone."""

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        size = m.abs(x)
        inside = _is_order(m, v) & (size > 0.0) & (size < math.inf)
        order, place = m.where(inside, v, 0.5), m.where(inside, size, 1.0)
        found = m.where(inside, self.inner(m, order, place), self.edge(m, v, size))
        whole = m.equal(m.floor(v), v)
        even = m.equal(m.floor(v * 0.5) * 2.0, v)
        return m.where(x < 0.0, m.nan_where(~whole, m.where(even, -found, found)), found)

    @abstractmethod
    def inner(self, m: Algebra, v: Real, x: Real) -> Real:
        """The value at x > 0 of an order that is not too large."""

    def edge(self, m: Algebra, v: Real, size: Real) -> Real:
        """What it is at 0, and NaN elsewhere."""
        pole = m.where(_is_bessel(m, v), 0.0, m.apply(Rgamma(), v + 1.5) * math.inf)
        at_zero = m.where(m.equal(v, -1.0), m.number(2.0 / math.pi, v), m.where(v > -1.0, m.number(0.0, v), pole))
        return m.nan_where(~(m.equal(size, 0.0) & _is_order(m, v)), at_zero)

    def slope(self, b: Builder, v: Value, x: Value, sign: float) -> Value:
        """The derivative by x, DLMF 11.4: half of f(v - 1) + sign f(v + 1) and of the source of the equation."""
        below, above = self.shifted(b, v, x, -1.0), self.shifted(b, v, x, 1.0)
        both = b.add(below, above) if sign > 0 else b.sub(below, above)
        return b.mul(b.add(both, node(b, StruveSource(self.order), v, x)), 0.5)


@define("struve")
class Struve(OfStruve):
    """H_v(x), Struve's function; NaN of orders below -40 and above 100."""

    def inner(self, m: Algebra, v: Real, x: Real) -> Real:
        size, is_bessel = m.abs(v), _is_bessel(m, v)
        # Up to here the series loses no digits that pairs have, and beyond the asymptotic one falls far enough.
        edge = m.where(v > 0.0, 34.0 + 0.85 * v, m.sqrt(34.0 * 34.0 + 0.68 * v * v))
        near = (x < edge) & ~is_bessel
        j, y = bessel_jy(m, m.where(near, 0.5, size), m.where(near, 1.0, x))
        beyond = m.where(is_bessel, 0.0, _beyond_y(m, m.where(near | is_bessel, 0.0, v), m.where(near, 50.0, x)))
        # Y_-v is sin(pi v) J_v + cos(pi v) Y_v.
        sine, half = sine_pair(m, size), sine_pair(m, size * 0.5)
        cosine = pairs.where(m, is_bessel, 0.0, 1.0 - (half * half).scaled(2.0))
        turned = sine * j + cosine * m.where(is_bessel, 0.0, y) + beyond
        far = m.where(v < 0.0, turned.value, y + beyond)
        return m.where(near, _by_series(m, m.where(near, v, 0.0), m.where(near, x, 1.0), -1.0), far)

    def edge(self, m: Algebra, v: Real, size: Real) -> Real:
        far = m.where(m.equal(v, 1.0), m.number(2.0 / math.pi, v), m.where(v < 1.0, m.number(0.0, v), math.inf))
        infinite = m.equal(size, math.inf) & _is_order(m, v)
        return m.where(infinite, far, super().edge(m, v, size))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        return node(b, Struve(self.order + 1), v, x), self.slope(b, v, x, -1.0)


@define("modified_struve")
class ModifiedStruve(OfStruve):
    """L_v(x), Struve's modified function; NaN of orders below -40 and above 100."""

    def inner(self, m: Algebra, v: Real, x: Real) -> Real:
        size, is_bessel = m.abs(v), _is_bessel(m, v)
        # So far out L_v and I_-v differ by less than the numbers do.
        far = (x > 60.0) & (x > size * size * 0.6) & ~is_bessel
        large = asymptotic_i(m, m.where(far, size, 0.0), m.where(far, x, 100.0), 0.0)
        bessel = bessel_i(m, m.where(is_bessel, size, 0.5), m.where(is_bessel, x, 1.0), 0.0)
        near = ~(far | is_bessel)
        series = _by_series(m, m.where(near, v, 0.0), m.where(near, x, 1.0), 1.0)
        return m.where(near, series, m.where(far, large, bessel))

    def edge(self, m: Algebra, v: Real, size: Real) -> Real:
        infinite = m.equal(size, math.inf) & _is_order(m, v)
        return m.where(infinite, math.inf, super().edge(m, v, size))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        v, x = operands
        return node(b, ModifiedStruve(self.order + 1), v, x), self.slope(b, v, x, 1.0)


@define("struve_source")
class StruveSource(Derived):
    """(x/2)^v / (√π Γ(v + 3/2)), differentiated `order` times by v and `by_x` times by x."""

    order: int = 0
    by_x: int = 0
    arity = 2

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return derivative(self.value, m, operands, 0, self.order)

    def value(self, m: Algebra, v: Real, x: Real) -> Real:
        factor = m.apply(Rgamma(), v + 1.5)
        for k in range(self.by_x):
            factor = factor * ((v - float(k)) * 0.5)
        power = m.pow(x * 0.5, v - float(self.by_x))
        nothing = m.equal(factor, 0.0) & m.equal(x, 0.0)
        return m.where(nothing, 0.0, power) * factor * ONE_OVER_ROOT_PI[0]

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (
            node(b, StruveSource(self.order + 1, self.by_x), *operands),
            node(b, StruveSource(self.order, self.by_x + 1), *operands),
        )
