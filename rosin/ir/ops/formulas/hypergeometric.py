"""Hypergeometric functions of real numbers, Lambert's W, and derivatives of Legendre polynomials."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Types, Value, Values, define, with_attributes
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.derived import DerivedByAll
from rosin.ir.ops.formulas.gamma import Gamma, Rgamma, node
from rosin.ir.pairs import Pair
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

EPSILON = 2.0**-55


def _series(m: Algebra, ratio: Callable[[Real], tuple[Pair, Pair]], like: Real, most: int) -> Pair:
    """1 + r(0) + r(0) r(1) + …, of ratios given as numerators and denominators, in pairs: terms may cancel."""

    def going(total: Real, low: Real, term: Real, term_low: Real, k: Real) -> Real:
        return m.magnitude(term) > m.magnitude(total) * EPSILON

    def step(total: Real, low: Real, term: Real, term_low: Real, k: Real) -> State:
        above, below = ratio(k)
        found = Pair(m, term, term_low) * above / below
        whole = Pair(m, total, low) + found
        return whole.high, whole.low, found.high, found.low, k + 1.0

    one, zero = m.number(1.0, like), m.number(0.0, like)
    total, low, *_ = m.loop(going, step, (one, zero, one, zero, zero), most)
    return Pair(m, total, low)


@define("hyp1f1")
class Hyp1f1(DerivedByAll):
    """Kummer's function M(a, b, x) = Σ (a)_k / (b)_k x^k / k!, by its series; that of M(b - a, b, -x) for x < 0."""

    arity = 3
    flops = 3000

    def value(self, m: Algebra, *x: Real) -> Real:
        a, b, z = x
        pole = (b <= 0.0) & m.equal(m.floor(b), b)
        inside = ~pole & (m.abs(z) < 1e4) & (m.abs(a) < 1e8) & (m.abs(b) < 1e8)
        a, b, z = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, z, 0.0)
        below = z < 0.0
        upper, argument = pairs.where(m, below, pairs.exact_sum(m, b, -a), Pair(m, a)), m.abs(z)

        def ratio(k: Real) -> tuple[Pair, Pair]:
            return (upper + k) * argument, (pairs.exact_sum(m, b, k)) * (k + 1.0)

        total = _series(m, ratio, z, 20000)
        return m.nan_where(~inside, pairs.exp_product(m, Pair(m, m.where(below, z, 0.0)), total))


@define("hyp2f1")
class Hyp2f1(DerivedByAll):
    """Gauss's function F(a, b; c; x) = Σ (a)_k (b)_k / (c)_k x^k / k! of x < 1.

    By the series up to 0.9; by Pfaff's transformation for x < 0 (DLMF 15.8.1), by that to 1 - x beyond 0.9 (15.8.4),
    which has no limit where c - a - b is an integer: there the series has to do, and from 0.998 on the result is NaN.
    At 1 it is the sum if that converges, else ∞; polynomials are found at every x.
    """

    arity = 4
    flops = 5000

    def value(self, m: Algebra, *x: Real) -> Real:
        a, b, c, z = x
        # A polynomial, of any x, whose terms may end before c + k is 0.
        a_ends, b_ends = (a <= 0.0) & m.equal(m.floor(a), a), (b <= 0.0) & m.equal(m.floor(b), b)
        finite = a_ends | b_ends
        pole = (c <= 0.0) & m.equal(m.floor(c), c) & ~((a_ends & (a > c)) | (b_ends & (b > c)))
        below = (z < 0.0) & ~finite
        # (1 - x)^-a F(a, c - b; c; x / (x - 1)).
        over = pairs.exact_sum(m, m.where(below, z, 0.0), m.number(-1.0, z))
        second = pairs.where(m, below, pairs.exact_sum(m, c, -b), Pair(m, b))
        argument = pairs.where(m, below, Pair(m, z) / over, Pair(m, z))
        gap = (pairs.exact_sum(m, c, -a) - second).value
        whole = m.abs(gap - m.round(gap)) < 1e-3
        inside = ~pole & (m.abs(z) < math.inf) & (finite | ((z < 1.0) & ((argument.high < 0.998) | ~whole)))
        near_one = (argument.high > 0.9) & ~whole & ~finite
        start = pairs.where(m, inside & ~near_one, argument, 0.0)
        first, third = Pair(m, a), Pair(m, c)
        direct = _gauss_series(m, first, second, third, start)
        away = pairs.where(m, inside & near_one, -argument + 1.0, 0.0)
        turned = _about_one(m, a, second.value, c, gap, away.value)
        found = pairs.where(m, near_one, Pair(m, turned), direct)
        power = pairs.log(m, pairs.where(m, below, -over, 1.0)) * -a
        found = pairs.exp_product(m, power, found)
        # The sum at x = 1 converges where c - a - b > 0.
        at_one = m.where(gap > 0.0, m.apply(Gamma(), c) * _gauss_sum(m, a, b, c, gap), math.inf)
        at_one = m.where(m.equal(z, 1.0) & ~finite & ~pole & m.equal(gap, gap), at_one, math.nan)
        return m.where(inside, found, at_one)


def _gauss_sum(m: Algebra, a: Real, b: Real, c: Real, gap: Real) -> Real:
    """gamma(gap) / (gamma(c - a) gamma(c - b))."""
    return m.apply(Gamma(), m.where(gap > 0.0, gap, 1.0)) * m.apply(Rgamma(), c - a) * m.apply(Rgamma(), c - b)


def _gauss_series(m: Algebra, a: Pair, b: Pair, c: Pair, x: Pair) -> Pair:
    def ratio(k: Real) -> tuple[Pair, Pair]:
        return (a + k) * (b + k) * x, (c + k) * (k + 1.0)

    return _series(m, ratio, x.high, 20000)


def _about_one(m: Algebra, a: Real, b: Real, c: Real, gap: Real, rest: Real) -> Real:
    """F(a, b; c; 1 - rest), where gap = c - a - b is no integer (DLMF 15.8.4)."""

    def series(*x: Real) -> Real:
        return _gauss_series(m, *(Pair(m, v) for v in x)).value

    def quotient(gap: Real, p: Real, q: Real) -> Real:
        """gamma(c) gamma(gap) / (gamma(p) gamma(q))."""
        below = m.apply(Rgamma(), c) * m.apply(Rgamma(), gap)
        return m.apply(Rgamma(), p) * m.apply(Rgamma(), q) / below

    first = series(a, b, 1.0 - gap, rest) * quotient(gap, c - a, c - b)
    other = series(c - a, c - b, 1.0 + gap, rest) * quotient(-gap, a, b)
    return first + m.pow(m.where(rest > 0.0, rest, 1.0), gap) * other


# -- Lambert's W -------------------------------------------------------------------------------------------------------


@define("lambertw")
class LambertW(Formula):
    """W with W exp(W) = z: of the two real branches the upper one (0), or the lower one (-1); NaN below -1/e."""

    branch: int = 0
    flops = 300

    def type(self, *operands: TensorType) -> Types:
        if self.branch not in (0, -1):
            self.bad_attribute(operands, f"the branch is {self.branch}; the real ones are 0 and -1")
        return Formula.type(self, *operands)

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (z,) = operands
        near_branch = m.where(z > 1.0, 1.0, z)
        product, error = m.product(near_branch, m.number(math.e, z))
        square = 2.0 * ((product + 1.0) + (error + near_branch * 1.4456468917292502e-16))
        # Next to the branch point, at -1/e rounded, this may be a little below 0.
        root = m.sqrt(m.where(square > 0.0, square, 0.0))
        root = root if self.branch == 0 else -root
        near = m.polynomial(root, tables.LAMBERT)
        by_series = m.abs(root) < 0.2
        if self.branch == 0:
            logarithm = m.log(m.where(z > 2.0, z, 2.0))
            w = m.where(z > 2.0, logarithm - m.log(logarithm), m.where(z < 0.0, near, z / (1.0 + z)))
        else:
            logarithm = m.log(-m.where(z > -0.25, m.where(z < 0.0, z, -0.25), -0.25))
            w = m.where(z > -0.25, logarithm - m.log(-logarithm), near)
        for _ in range(4):
            # Halley's step for log(w / z) + w, which has no exponential to overflow; next to 0 for w - z exp(-w).
            if self.branch == 0:
                small = z < 2.0
                rest = w - z * m.exp(-m.where(small, w, 0.0))
                step = rest / (1.0 + w - 0.5 * rest * (2.0 + w) / (1.0 + w))
                ratio = m.log(m.where(small, 1.0, z / w)) - w
                step = m.where(small, step, -w * ratio / (1.0 + w) * _newton_square(ratio, w))
                w = w - step
            else:
                ratio = m.log(z / w) - w
                w = w + w * ratio / (1.0 + w) * _newton_square(ratio, w)
        w = m.where(by_series, near, w)
        w = m.nan_where(~(square >= -1e-15), w)
        if self.branch == 0:
            return m.where(m.equal(z, 0.0) | m.equal(z, math.inf), z, w)
        return m.where(m.equal(z, 0.0), -math.inf, m.nan_where(~(z < 0.0), w))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(b.exp(b.neg(result)), b.add(result, 1.0)),)


def _newton_square(ratio: Real, w: Real) -> Real:
    """What makes Newton's step for log(z / w) = w one of fourth order (Fritsch, Shafer and Crowley 1973)."""
    q = 2.0 * (1.0 + w) * (1.0 + w + (2.0 / 3.0) * ratio)
    return (q - ratio) / (q - 2.0 * ratio)


# -- Legendre polynomials ----------------------------------------------------------------------------------------------


@with_attributes
class Polynomial(Formula):
    """A polynomial of a degree, differentiated so many times."""

    degree: int
    order: int = 0
    flops = 100

    def type(self, *operands: TensorType) -> Types:
        if self.degree < 0 or self.order < 0:
            self.bad_attribute(operands, f"degree {self.degree} and order {self.order} are not both at least 0")
        return Formula.type(self, *operands)


@define("legendre")
class Legendre(Polynomial):
    """The derivative of some order of the Legendre polynomial of a degree, as a Gegenbauer polynomial."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        count, half = self.degree - self.order, self.order + 0.5
        if count < 0:
            return m.where(m.equal(x, x), 0.0, x)
        scale = float(math.prod(range(1, 2 * self.order, 2)))

        def step(before: Real, current: Real, k: Real) -> State:
            following = (2.0 * (k + (half - 1.0)) * x * current - (k + (2.0 * half - 2.0)) * before) / k
            return current, following, k + 1.0

        def going(before: Real, current: Real, k: Real) -> Real:
            return k <= float(count)

        one, zero = m.number(1.0, x), m.number(0.0, x)
        value = m.loop(going, step, (zero, one, one), count)[1] if count else one
        return m.where(m.equal(x, x), value * scale, x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, Legendre(self.degree, self.order + 1), *operands),)
