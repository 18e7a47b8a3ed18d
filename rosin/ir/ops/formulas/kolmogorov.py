"""Kolmogorov's distribution: how far an empirical distribution function is from the true one, of many samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas.derived import Derived
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import node

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

EDGE = 0.82
"""Up to here the theta function's other series is the shorter one."""
AT_EDGE = 0.5122
"""The complement of the distribution function there, nearly."""
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
RATE = math.pi**2 / 8.0


@define("kolmogorov")
class Kolmogorov(Derived):
    """K(x) = 2 Σ (-1)^(k-1) exp(-2 k² x²), the chance of more than x, differentiated so many times; 1 up to 0."""

    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return derivative(self.value, m, operands, 0, self.order)

    def value(self, m: Algebra, x: Real) -> Real:
        low = x < EDGE
        inner = m.where(low, m.where(x > 0.02, x, 0.02), EDGE)
        inverse = 1.0 / inner
        q = m.exp(-(inverse * inverse) * RATE)
        q8 = q * q * q * q
        q8 = q8 * q8
        below = q * inverse * ROOT_TWO_PI * (1.0 + q8 * (1.0 + q8 * q8))
        outer = m.where(low, EDGE, m.where(x < 30.0, x, 30.0))
        square, error = m.product(outer, outer)
        p = m.exp(-2.0 * square) * (1.0 - 2.0 * error)
        p2 = p * p
        p4 = p2 * p2
        inner_terms = 1.0 - p * p2 * (1.0 - p * p4 * (1.0 - p4 * p2 * p * (1.0 - p4 * p4 * p)))
        value = m.where(low, 1.0 - below, 2.0 * p * inner_terms)
        return m.where(x > 0.02, value, m.nan_where(~m.equal(x, x), m.number(1.0, x)))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, Kolmogorov(self.order + 1), *operands),)


@define("kolmogi")
class Kolmogi(Formula):
    """The inverse of K: ∞ at 0, 0 at 1, NaN outside of [0, 1]."""

    flops = 400

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (p,) = operands
        value = m.where(p < AT_EDGE, self._far(m, p), self._near(m, p))
        value = m.where(m.equal(p, 0.0), math.inf, m.where(m.equal(p, 1.0), 0.0, value))
        return m.nan_where(~((p >= 0.0) & (p <= 1.0)), value)

    def _far(self, m: Algebra, p: Real) -> Real:
        """By exp(-2 x²) = y: y - y⁴ + y⁹ - y¹⁶ + y²⁵ = p / 2, in y over p / 2."""
        kept = m.where(p < AT_EDGE, m.where(p > 0.0, p, 0.1), AT_EDGE)
        half = 0.5 * kept
        ratio = m.number(1.0, p)
        for _ in range(4):
            y = half * ratio
            y3 = y * y * y
            y8 = y3 * y3 * y * y
            y15 = y8 * y3 * y3 * y
            y24 = y15 * y8 * y
            value = ratio * (1.0 - y3 + y8 - y15 + y24) - 1.0
            ratio = ratio - value / (1.0 - 4.0 * y3 + 9.0 * y8 - 16.0 * y15 + 25.0 * y24)
        return m.sqrt((m.log(kept) + m.log(ratio * 0.5)) * -0.5)

    def _near(self, m: Algebra, p: Real) -> Real:
        """By the logarithm of 1 - p as a function of 1 / x, which is steep."""
        rest = 1.0 - m.where(p > AT_EDGE, m.where(p < 1.0, p, 0.9), AT_EDGE)
        logarithm = m.log(rest * (1.0 / ROOT_TWO_PI))
        t = m.sqrt((0.3 - logarithm) * (1.0 / RATE))
        for _ in range(5):
            exponent = t * t * RATE
            q8 = m.exp(-8.0 * exponent)
            series = q8 * (1.0 + q8 * q8)
            value = m.log(t) - exponent + m.log1p(series) - logarithm
            slope = 1.0 / t - t * (2.0 * RATE) * (1.0 + 8.0 * series)
            t = t - value / slope
        return 1.0 / t

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, node(b, Kolmogorov(1), result)),)
