"""Riemann's and Hurwitz's zeta functions, by Euler and Maclaurin's summation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import NEAR, gamma_near, log_gamma_far, node, shifted, sine_pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

TERMS = 10
LEAST = -1e4
"""Down to this q, whose terms are all added up, ζ(x, q) of whole x is found."""
LOG_2PI = (1.8378770664093456, -7.756588316134483e-17)
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def hurwitz(m: Algebra, x: Real, q: Real, above_one: Real) -> Real:
    """The sum of (q + k)^-x over k >= 0, of q > 0 (DLMF 25.11.28): the first terms, and a series for the rest.

    `above_one` is x - 1, which may have lost digits in x.
    """

    def power(base: Real, lost: Real, exponent: Real) -> Real:
        """(base + lost)^-exponent."""
        found = m.pow(base, -exponent)
        return found - found * (exponent * (lost / base))

    # Of negative q, for whole x, all terms of negative numbers and some beyond.
    terms = m.where(q < 0.0, float(TERMS) - m.floor(q), float(TERMS))

    def going(total: Real, low: Real, k: Real) -> Real:
        return k < terms

    def step(total: Real, low: Real, k: Real) -> State:
        total, error = pairs.two_sum(total, power(*pairs.two_sum(q, k), x))
        return total, low + error, k + 1.0

    zero = m.number(0.0, q)
    total, low, _ = m.loop(going, step, (zero, zero, zero), int(TERMS - LEAST))
    w, lost = pairs.two_sum(q, terms)
    inverse = 1.0 / (w * w)
    # x (x + 1) … (x + 2j - 2) / (2j)! B_2j w^(1 - 2j), nested from the last.
    series = m.number(0.0, x)
    for j in range(len(BERNOULLI), 0, -1):
        above = (x + (2.0 * j - 1.0)) * (x + 2.0 * j) * inverse / ((2 * j + 1) * (2 * j + 2))
        series = BERNOULLI[j - 1] + series * above
    series = series * x / (2.0 * w)
    return total + (low + power(w, lost, x) * (w / above_one + (lost / above_one + 0.5 + series)))


def riemann(m: Algebra, x: Real) -> Real:
    """zeta(x), below -1/4 by 2 (2 pi)^-s cos(pi s / 2) gamma(s) zeta(s) with s = 1 - x (DLMF 25.4.1)."""
    # Next to the pole it is 1 / (x - 1) and a polynomial.
    middle, low = (x >= -0.25) & (x < 2.25), x < -0.25
    away = m.where(middle, x, 2.0) - 1.0
    near_pole = 1.0 / away + m.polynomial(away * 0.8, tables.ZETA_NEAR)
    # Below -1000 it is infinite, or 0 at a zero.
    kept = m.where(x < -1000.0, -1000.0, x)
    s = pairs.where(m, low, pairs.exact_sum(m, -kept, m.number(1.0, x)), 2.0)
    found = hurwitz(m, m.where(low, s.high, m.where(middle, 2.0, x)), m.number(1.0, x), m.where(low, -kept, x - 1.0))
    near = s.high <= NEAR
    above, below = gamma_near(m, m.where(near, s.high, 1.0))
    above = pairs.where(m, near, shifted(m, above, s), 1.0)
    exponent = pairs.where(m, near, 0.0, log_gamma_far(m, pairs.where(m, near, NEAR, s)))
    exponent = exponent - s * pairs.constant(m, LOG_2PI, x)
    factor = above * sine_pair(m, x * 0.5) * (2.0 * found) / below
    reflected = m.where(low, pairs.exp_product(m, exponent, factor), found)
    return m.where(middle, near_pole, reflected)


class Zeta(Derived):
    """A zeta function, differentiated by its exponent so many times."""

    flops = 1500


@define("riemann_zeta")
class RiemannZeta(Zeta):
    """ζ(x) = Σ k^-x; ∞ at 1."""

    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def zeta(m: Algebra, x: Real) -> Real:
            usual = (x < 1000.0) & ~m.equal(x, 1.0) & (x > -math.inf)
            result = riemann(m, m.where(usual, x, 2.0))
            edge = m.where(m.equal(x, 1.0), m.number(math.inf, x), m.where(x > 1.0, 1.0, x * math.nan))
            return m.where(usual, result, edge)

        return derivative(zeta, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, RiemannZeta(self.order + 1), *operands),)


@define("hurwitz_zeta")
class HurwitzZeta(Zeta):
    """ζ(x, q) = Σ (q + k)^-x over k ≥ 0: ∞ at x = 1 and at q = 0, -1, …; NaN for x < 1, and for other q < 0 unless x is
    whole and q above -10000.
    """

    arity = 2
    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def zeta(m: Algebra, x: Real, q: Real) -> Real:
            pole = (q <= 0.0) & m.equal(m.floor(q), q)
            defined = (q > 0.0) | (m.equal(m.floor(x), x) & (q > LEAST) & ~pole)
            inside = (x > 1.0) & defined & (x < math.inf) & (q < math.inf)
            kept = m.where(inside, x, 2.0)
            result = hurwitz(m, kept, m.where(inside, q, 1.0), kept - 1.0)
            pole = (m.equal(x, 1.0) & m.equal(q, q)) | (pole & (x > 1.0))
            far = (m.equal(q, math.inf) & (x > 1.0)) | (m.equal(x, math.inf) & (q > 1.0))
            result = m.where(q > 1e30, m.pow(m.where(inside, q, 2.0), 1.0 - x) / (x - 1.0), result)
            first = m.pow(m.where(inside, q, 1.0), -kept)
            near = first * (1.0 + m.pow(m.where(inside & (q > 0.0), q / (q + 1.0), 0.5), kept))
            result = m.where((kept > 1e4) | m.equal(first, math.inf), near, result)
            one, steep = m.equal(q, 1.0) & m.equal(x, math.inf), m.equal(x, math.inf) & (q > 0.0) & (q < 1.0)
            edge = m.where(pole | steep, math.inf, m.where(far, 0.0, m.where(one, m.number(1.0, x), math.nan)))
            return m.where(inside, result, edge)

        return derivative(zeta, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, q = operands
        above = b.add(x, 1.0)
        by_q = b.mul(x, node(b, HurwitzZeta(self.order), above, q))
        if self.order:
            by_q = b.add(by_q, b.mul(node(b, HurwitzZeta(self.order - 1), above, q), float(self.order)))
        return node(b, HurwitzZeta(self.order + 1), x, q), b.neg(by_q)
