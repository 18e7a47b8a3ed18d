"""Orthogonal polynomials by their recurrences in pairs of numbers, which are right next to the zeros too."""

from __future__ import annotations

import math
from abc import abstractmethod

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real, State
from rosin.ir.op import Types, define, with_attributes
from rosin.ir.ops.formulas.derived import DerivedByAll
from rosin.ir.pairs import Pair
from rosin.ir.types import TensorType


@with_attributes
class OrthogonalPolynomial(DerivedByAll):
    """A polynomial of a degree, by that of degree 1 and what the next one is; x is the last operand."""

    degree: int = 0
    flops = 1000

    def type(self, *operands: TensorType) -> Types:
        if self.degree < 0:
            self.bad_attribute(operands, f"the degree is {self.degree}; it is at least 0")
        return DerivedByAll.type(self, *operands)

    @abstractmethod
    def first(self, m: Algebra, *operands: Real) -> Pair:
        """The polynomial of degree 1."""

    @abstractmethod
    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        """The polynomial of degree k + 1, given those of the degrees k and k - 1."""

    def leading_sign(self, m: Algebra, *operands: Real) -> Real:
        """The sign of the coefficient of the highest power."""
        return m.number(1.0, operands[-1])

    def value(self, m: Algebra, *x: Real) -> Real:
        one, zero = m.number(1.0, x[-1]), m.number(0.0, x[-1])

        def going(last: Real, low: Real, before: Real, before_low: Real, k: Real) -> Real:
            return k < float(self.degree)

        def step(last: Real, low: Real, before: Real, before_low: Real, k: Real) -> State:
            found = self.following(m, k, Pair(m, last, low), Pair(m, before, before_low), *x)
            return found.high, found.low, last, low, k + 1.0

        first = self.first(m, *x) if self.degree else Pair(m, one)
        state = (first.high, first.low, one, zero, one)
        high, low, *_ = m.loop(going, step, state, self.degree - 1) if self.degree > 1 else state
        found = high + low
        known = m.equal(x[-1], x[-1])
        for parameter in x[:-1]:
            known = known & (m.abs(parameter) < math.inf)
        if self.degree == 0:
            return m.nan_where(~known, found)
        # Far out pairs are no numbers, and the highest power is beyond them.
        sign = self.leading_sign(m, *x)
        sign = m.where(x[-1] < 0.0, -sign, sign) if self.degree % 2 else sign
        return m.where(known & ~m.equal(found, found), sign * math.inf, found)


@define("chebyshev")
class Chebyshev(OrthogonalPolynomial):
    """The Chebyshev polynomial T_n(x), or of the second kind U_n(x)."""

    second: bool = False

    def first(self, m: Algebra, *operands: Real) -> Pair:
        (x,) = operands
        return Pair(m, x + x if self.second else x)

    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        (x,) = operands
        return last * (x + x) - before


@define("hermite")
class Hermite(OrthogonalPolynomial):
    """The Hermite polynomial He_n(x), orthogonal with exp(-x²/2), or that of physics H_n(x), with exp(-x²)."""

    physics: bool = False

    def first(self, m: Algebra, *operands: Real) -> Pair:
        (x,) = operands
        return Pair(m, x + x if self.physics else x)

    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        found = last * operands[0] - before * k
        return found.scaled(2.0) if self.physics else found


@define("laguerre")
class Laguerre(OrthogonalPolynomial):
    """The generalised Laguerre polynomial of (α, x)."""

    arity = 2

    def first(self, m: Algebra, *operands: Real) -> Pair:
        alpha, x = operands
        return pairs.exact_sum(m, alpha, -x) + 1.0

    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        alpha, x = operands
        middle = pairs.exact_sum(m, alpha, -x) + (2.0 * k + 1.0)
        return (last * middle - before * pairs.exact_sum(m, alpha, k)) / (k + 1.0)

    def leading_sign(self, m: Algebra, *operands: Real) -> Real:
        return m.number(-1.0 if self.degree % 2 else 1.0, operands[-1])


@define("gegenbauer")
class Gegenbauer(OrthogonalPolynomial):
    """The Gegenbauer polynomial of (α, x)."""

    arity = 2

    def first(self, m: Algebra, *operands: Real) -> Pair:
        alpha, x = operands
        return pairs.exact_product(m, alpha, x).scaled(2.0)

    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        alpha, x = operands
        grown = last * pairs.exact_sum(m, alpha, k) * (x + x)
        return (grown - before * (pairs.exact_sum(m, alpha + alpha, k) - 1.0)) / (k + 1.0)

    def leading_sign(self, m: Algebra, *operands: Real) -> Real:
        return m.sign(operands[0])


@define("jacobi")
class Jacobi(OrthogonalPolynomial):
    """The Jacobi polynomial of (α, β, x), α, β > -1."""

    arity = 3

    def first(self, m: Algebra, *operands: Real) -> Pair:
        alpha, beta, x = operands
        away = pairs.exact_sum(m, x, m.number(-1.0, x))
        return (pairs.exact_sum(m, alpha, beta) + 2.0) * away.scaled(0.5) + alpha + 1.0

    def following(self, m: Algebra, k: Real, last: Pair, before: Pair, *operands: Real) -> Pair:
        # DLMF 18.9.2; of its coefficients none but that of the result is divided by.
        alpha, beta, x = operands
        total = pairs.exact_sum(m, alpha, beta)
        middle = total + 2.0 * k
        around = middle * (middle + 2.0)
        skew = pairs.exact_sum(m, alpha, -beta) * total
        grown = last * (middle + 1.0) * (around * x + skew)
        lost = before * pairs.exact_sum(m, alpha, k) * pairs.exact_sum(m, beta, k) * (middle + 2.0)
        return (grown - lost.scaled(2.0)) / ((total + (k + 1.0)) * middle * (2.0 * k + 2.0))
