"""Logarithms and products of statistics, with their limits at 0, and functions of kin to the logistic one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.ops.trigonometric import Atanh
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("logit")
class Logit(Formula):
    """log(x / (1 - x)): ∓∞ at 0 and 1, NaN outside of [0, 1]."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        middle = (x > 0.25) & (x < 0.75)
        near = 2.0 * m.apply(Atanh(), m.where(middle, 2.0 * x - 1.0, 0.0))
        return m.where(middle, near, m.log(x / (1.0 - x)))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.div(1.0, b.mul(x, b.sub(1.0, x))),)


@define("log_expit")
class LogExpit(Formula):
    """log(1 / (1 + exp(-x)))."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        decayed = -m.log1p(m.exp(-m.abs(x)))
        return m.where(x < 0.0, x + decayed, decayed)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sigmoid(b.neg(operands[0])),)


class OfPair(Formula):
    """A function of two numbers."""

    arity = 2


@define("xlogy")
class Xlogy(OfPair):
    """x log(y), 0 where x is 0 and y is a number."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, y = operands
        return m.where(m.equal(x, 0.0) & m.equal(y, y), 0.0, x * m.log(y))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        return b.log(y), b.div(x, y)


@define("xlog1py")
class Xlog1py(OfPair):
    """x log(1 + y), 0 where x is 0 and y is a number."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, y = operands
        return m.where(m.equal(x, 0.0) & m.equal(y, y), 0.0, x * m.log1p(y))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        above = b.add(y, 1.0)
        # At x = 1 this is log1p, and so is its slope everywhere by x.
        return node(b, Xlog1py(), b.like(1.0, x), y), b.div(x, above)


@define("entr")
class Entr(Formula):
    """-x log(x): 0 at 0, -∞ below."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        return m.where(x < 0.0, -math.inf, m.where(m.equal(x, 0.0), 0.0, -x * m.log(x)))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sub(-1.0, b.log(operands[0])),)


def _times_log_of_ratio(m: Algebra, x: Real, y: Real) -> Pair:
    """x log(x / y) of positive numbers, in a pair where the quotient is of moderate size."""
    ratio = x / y
    usual = (x > 1e-280) & (x < 1e280) & (y > 1e-280) & (y < 1e280) & (ratio > 1e-280) & (ratio < 1e280)
    p, q = m.where(usual, x, 1.0), m.where(usual, y, 1.0)
    found = pairs.log(m, pairs.quotient(m, p, q)) * p
    return pairs.where(m, usual, found, x * (m.log(x) - m.log(y)))


@define("rel_entr")
class RelEntr(OfPair):
    """x log(x / y): 0 at x = 0 ≤ y, ∞ for other pairs that are not positive."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, y = operands
        return _divergence(m, x, y, _times_log_of_ratio(m, x, y).value, m.number(0.0, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        ratio = b.div(x, y)
        return b.add(b.log(ratio), 1.0), b.neg(ratio)


@define("kl_div")
class KlDiv(OfPair):
    """x log(x / y) - x + y: y at x = 0 ≤ y, ∞ for other pairs that are not positive."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, y = operands
        # Next to x = y by the series of (1 + t) log(1 + t) - t, else by a logarithm that bears the differences.
        away = x - y
        t = away / y
        near = m.abs(t) < 0.015625
        series = m.polynomial(m.where(near, t, 0.0), [1 / ((k + 2) * (k + 1)) * (-1) ** k for k in range(11)])
        close = (pairs.exact_product(m, away, t) * series).value
        far = _times_log_of_ratio(m, x, y)
        exact = pairs.exact_sum(m, m.where(m.abs(x) < 1e300, x, 1.0), -m.where(m.abs(y) < 1e300, y, 1.0))
        far = m.where((m.abs(x) < 1e300) & (m.abs(y) < 1e300), (far - exact).value, far.value - away)
        value = m.where(near, close, far)
        return _divergence(m, x, y, value, y)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        ratio = b.div(x, y)
        return b.log(ratio), b.sub(1.0, ratio)


def _divergence(m: Algebra, x: Real, y: Real, inside: Real, at_zero: Real) -> Real:
    positive, edge = (x > 0.0) & (y > 0.0), m.equal(x, 0.0) & (y >= 0.0)
    result = m.where(positive, inside, m.where(edge, at_zero, math.inf))
    return m.nan_where(~(m.equal(x, x) & m.equal(y, y)), result)


@define("exprel")
class Exprel(Formula):
    """∫₀¹ exp((1-t) x) t^(k-1) / (k-1)! dt of order k: (exp(x) - 1) / x of order 1, and what its derivatives need."""

    order: int = 1

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        order = self.order
        if order == 1:
            ratio = m.expm1(x) / x
            return m.where(m.equal(x, 0.0), 1.0, m.where(m.equal(x, math.inf), x, ratio))
        # φ_k(x) = (φ_{k-1}(x) - 1/(k-1)!) / x away from zero, next to it the series.
        factorial = 1.0 / math.factorial(order - 1)
        small = m.abs(x) < 1.0 + 0.5 * order
        series = m.polynomial(m.where(small, x, 0.0), [1 / math.factorial(k + order) for k in range(16 + 3 * order)])
        away = (m.apply(Exprel(order - 1), x) - factorial) / x
        return m.where(small, series, m.where(m.equal(x, math.inf), x, away))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        following = node(b, Exprel(self.order + 1), *operands)
        return (b.sub(result, b.mul(following, float(self.order))),)
