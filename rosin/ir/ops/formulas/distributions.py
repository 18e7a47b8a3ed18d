"""Distribution functions that are incomplete functions of a product or a quotient, which is not rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define, with_attributes
from rosin.ir.ops.exponential import Log1p
from rosin.ir.ops.formulas.gamma import Beta, node
from rosin.ir.ops.formulas.incomplete import BetaDensity, Betainc, Betaincc, GammaDensity, Gammainc, Gammaincc
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def beta_of_share(m: Algebra, a: Real, b: Real, part: Pair, rest: Pair) -> tuple[Real, Real]:
    """I_x(a, b) and its complement at x = part / (part + rest), of positive numbers.

    The smaller of x and 1 - x is computed, in two parts, of which the density takes care of the second.
    """
    swap = part.high > rest.high
    small = pairs.where(m, swap, rest, part) / (part + rest)
    first, second = m.either(swap, (b, a), (a, b))
    change = m.apply(BetaDensity(), first, second, small.high) * small.low
    lower = m.apply(Betainc(), first, second, small.high) + change
    upper = m.apply(Betaincc(), first, second, small.high) - change
    return m.where(swap, upper, lower), m.where(swap, lower, upper)


@with_attributes
class Tail(Formula):
    """A distribution function, or its complement if `upper`."""

    upper: bool = False
    flops = 1000

    def turned(self, b: Builder, *slopes: Value) -> tuple[Partial, ...]:
        """The slopes of the distribution function as those of the complement, if it is that."""
        return tuple(b.neg(slope) for slope in slopes) if self.upper else slopes


@define("gdtr")
class Gdtr(Tail):
    """P(b, a x), the distribution function of rate a and shape b at x."""

    arity = 3

    def formula(self, m: Algebra, *operands: Real) -> Real:
        rate, shape, x = operands
        product = rate * x
        usual = (product > 1e-290) & (product < 1e290) & (m.abs(rate) < 1e290) & (m.abs(x) < 1e290)
        exact = pairs.exact_product(m, m.where(usual, rate, 1.0), m.where(usual, x, 1.0))
        argument = m.where(usual, exact.high, product)
        # Beside a density that is no number the product need not be exact.
        density = m.apply(GammaDensity(), shape, m.where(usual, argument, 1.0))
        change = m.where(usual & (density < 1e300), density * exact.low, 0.0)
        if self.upper:
            return m.apply(Gammaincc(), shape, argument) - change
        return m.apply(Gammainc(), shape, argument) + change

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        rate, shape, x = operands
        at = shape, b.mul(rate, x)
        density = node(b, GammaDensity(), *at)
        return self.turned(b, b.mul(density, x), node(b, Gammainc(1), *at), b.mul(density, rate))


@define("fdtr")
class Fdtr(Tail):
    """Fisher's distribution function of (first, second) degrees of freedom at x >= 0."""

    arity = 3

    def formula(self, m: Algebra, *operands: Real) -> Real:
        first, second, x = operands
        inside = (first > 0.0) & (second > 0.0) & (x > 0.0)
        usual = inside & (first < 1e100) & (second < 1e100) & (x < 1e150) & (x > 1e-150)
        p, q, t = (m.where(usual, v, 1.0) for v in operands)
        found = beta_of_share(m, 0.5 * p, 0.5 * q, pairs.exact_product(m, p, t), Pair(m, q))
        # Far out the share itself, of numbers that may be infinite.
        product = first * x
        ratio = m.where(product > second, second / product, product / second)
        share = m.where(product > second, 1.0 / (1.0 + ratio), ratio / (1.0 + ratio))
        rest = m.where(product > second, ratio / (1.0 + ratio), 1.0 / (1.0 + ratio))
        near_one = share > 0.5
        a, b = m.either(near_one, (0.5 * second, 0.5 * first), (0.5 * first, 0.5 * second))
        at = m.where(near_one, rest, share)
        lower, upper = m.apply(Betainc(), a, b, at), m.apply(Betaincc(), a, b, at)
        far = m.where(near_one, lower, upper) if self.upper else m.where(near_one, upper, lower)
        return m.where(usual, found[self.upper], far)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        first, second, x = operands
        below = b.add(second, b.mul(first, x))
        at = b.mul(first, 0.5), b.mul(second, 0.5), b.div(b.mul(first, x), below)
        density = b.div(node(b, BetaDensity(), *at), b.mul(below, below))
        by_first, by_second = (b.mul(slope, 0.5) for slope in Betainc().by_parameters(b, at))
        steep, other = b.mul(density, second), b.mul(density, first)
        return self.turned(b, b.add(by_first, b.mul(steep, x)), b.sub(by_second, b.mul(other, x)), b.mul(steep, first))


@define("stdtr")
class Stdtr(Formula):
    """Student's distribution function of some degrees of freedom at t."""

    arity = 2
    flops = 1000

    def formula(self, m: Algebra, *operands: Real) -> Real:
        freedom, t = operands
        size = m.abs(t)
        usual = (freedom > 0.0) & (freedom < 1e100) & (size > 1e-140) & (size < 1e140)
        kept, at = m.where(usual, freedom, 1.0), m.where(usual, size, 1.0)
        half = m.number(0.5, t)
        tail = 0.5 * beta_of_share(m, 0.5 * kept, half, Pair(m, kept), pairs.exact_product(m, at, at))[0]
        # So far out there is nothing left, and of zero half.
        edge = m.nan_where(~(freedom > 0.0), m.where(size > 1.0, 0.0, half))
        tail = m.where(usual, tail, edge)
        result = m.where(t < 0.0, tail, 1.0 - tail)
        return m.nan_where(~(m.equal(t, t) & m.equal(freedom, freedom)), result)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        freedom, t = operands
        half, square = b.mul(freedom, 0.5), b.mul(t, t)
        below = b.add(freedom, square)
        decay = b.exp(b.neg(b.mul(half, node(b, Log1p(), b.div(square, freedom)))))
        density = b.div(decay, b.mul(b.sqrt(below), node(b, Beta(), half, b.like(0.5, t))))
        by_shape = node(b, Betainc(1), half, b.like(0.5, t), b.div(freedom, below))
        by_freedom = b.add(b.mul(b.mul(b.sign(t), by_shape), -0.25), b.div(b.mul(b.mul(density, t), -0.5), freedom))
        return by_freedom, density
