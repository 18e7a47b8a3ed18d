"""The power transformations of Box and Cox (1964), and their inverses."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.exponential import Log1p
from rosin.ir.ops.formulas.elementary import Exprel
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.ops.formulas.incomplete import log1p
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

FLAT = 2.0**-60
"""Of products with the power that are smaller, no more counts than that they are small."""


class PowerTransform(Formula):
    """(exp(power L) - 1) / power, where L is a logarithm of the first operand: L itself where the power is 0."""

    arity = 2

    @abstractmethod
    def logarithm(self, m: Algebra, x: Real) -> Pair:
        """L, of the positive number x, or that above -1."""

    @abstractmethod
    def at_edges(self, m: Algebra, x: Real) -> tuple[Real, Real]:
        """Whether L is a number, and L where it is not."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x, power = operands
        usual, edge = self.at_edges(m, x)
        logarithm = self.logarithm(m, m.where(usual, x, 1.5))
        far = m.where(usual, logarithm.value, edge) * power
        usual = usual & (m.abs(far) < 1e4)
        exponent = logarithm * m.where(usual, power, 0.0)
        growth = m.expm1(exponent.high) + m.exp(exponent.high) * exponent.low
        flat = m.abs(exponent.high) < FLAT
        inside = m.where(flat, logarithm.value, growth / m.where(flat, 1.0, power))
        zero = m.equal(power, 0.0)
        outside = m.where(zero, edge, m.expm1(far) / m.where(zero, 1.0, power))
        return m.where(usual, inside, outside)

    def slopes(self, b: Builder, base: Value, logarithm: Value, power: Value) -> tuple[Partial, ...]:
        exponent = b.mul(logarithm, power)
        bend = b.sub(node(b, Exprel(), exponent), node(b, Exprel(2), exponent))
        return b.pow(base, b.sub(power, 1.0)), b.mul(b.mul(logarithm, logarithm), bend)


@define("boxcox")
class Boxcox(PowerTransform):
    """(x^power - 1) / power, log(x) where the power is 0."""

    def logarithm(self, m: Algebra, x: Real) -> Pair:
        return log1p(m, pairs.exact_sum(m, x, m.number(-1.0, x)), Pair(m, x))

    def at_edges(self, m: Algebra, x: Real) -> tuple[Real, Real]:
        return (x > 0.0) & (x < math.inf), m.log(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, power = operands
        return self.slopes(b, x, b.log(x), power)


@define("boxcox1p")
class Boxcox1p(PowerTransform):
    """((1 + x)^power - 1) / power, log(1 + x) where the power is 0."""

    def logarithm(self, m: Algebra, x: Real) -> Pair:
        return log1p(m, Pair(m, x), pairs.exact_sum(m, x, m.number(1.0, x)))

    def at_edges(self, m: Algebra, x: Real) -> tuple[Real, Real]:
        return (x > -1.0) & (x < math.inf), m.log1p(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, power = operands
        return self.slopes(b, b.add(x, 1.0), node(b, Log1p(), x), power)


class InversePowerTransform(Formula):
    """A function of log(1 + power y) / power, which is y where the power is 0."""

    arity = 2

    @abstractmethod
    def of_logarithm(self, m: Algebra, x: Real, low: Real) -> Real:
        """The result, from a logarithm in two parts."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        y, power = operands
        product = y * power
        usual = (product > -1.0) & (product < 1e300) & (m.abs(y) < 1e150) & (m.abs(power) < 1e150)
        kept, by = m.where(usual, y, 1.0), m.where(usual, power, 1.0)
        exact = pairs.exact_product(m, kept, by)
        above = exact + 1.0
        usual = usual & (above.high > 0.0)
        logarithm = log1p(m, exact, pairs.where(m, above.high > 0.0, above, 1.0))
        flat = m.abs(exact.high) < FLAT
        found = pairs.where(m, flat, Pair(m, kept), logarithm / m.where(flat, 1.0, by))
        zero = m.equal(power, 0.0)
        far = m.where(zero, y, m.log1p(product) / m.where(zero, 1.0, power))
        usual = usual & (m.abs(found.high) < 700.0)
        low = m.where(usual, found.low, 0.0)
        return self.of_logarithm(m, m.where(usual, found.high, far), low)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        y, power = operands
        above = b.add(b.mul(y, power), 1.0)
        logarithm = node(b, Log1p(), b.mul(y, power))
        first, second = node(b, Exprel(), logarithm), node(b, Exprel(2), logarithm)
        size = self.growth(b, result)
        exponent = b.div(y, first)
        bend = b.mul(b.mul(exponent, exponent), b.sub(first, second))
        by_y = b.div(size, above)
        return by_y, b.neg(b.mul(by_y, bend))

    @abstractmethod
    def growth(self, b: Builder, result: Value) -> Value:
        """The exponential of the logarithm."""


@define("inv_boxcox")
class InvBoxcox(InversePowerTransform):
    """x with boxcox(x, power) = y."""

    def of_logarithm(self, m: Algebra, x: Real, low: Real) -> Real:
        return m.exp(x) * (1.0 + low)

    def growth(self, b: Builder, result: Value) -> Value:
        return result


@define("inv_boxcox1p")
class InvBoxcox1p(InversePowerTransform):
    """x with boxcox1p(x, power) = y."""

    def of_logarithm(self, m: Algebra, x: Real, low: Real) -> Real:
        large = m.abs(x) > 30.0
        return (
            m.expm1(x)
            + m.exp(m.where(large, 0.0, x)) * m.where(large, 0.0, low)
            + m.where(large & (low > -1.0) & (low < 1.0), m.exp(m.where(x < 700.0, x, 0.0)) * low, 0.0)
        )

    def growth(self, b: Builder, result: Value) -> Value:
        return b.add(result, 1.0)
