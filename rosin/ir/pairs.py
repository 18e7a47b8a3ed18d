"""Unevaluated sums of two numbers of a formula, about twice as precise as one (Dekker 1971, Knuth).

A formula carries in pairs what loses digits: differences, exponents, long products. The operand at the left of an
operator is the pair. Infinities become NaN in the low part, so operands are finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rosin.ir.formula import Algebra, Real

Constant: TypeAlias = tuple[float, float]
"""A constant as a high and a low part."""

LN2: Constant = (0.693147180559663, 2.8235290563031577e-13)
"""log(2); products of the high part with integers below 2^11 are exact."""


class Pair:
    """high + low, of which low is at most about half an ulp of high; without a low part it is high alone."""

    __slots__ = ("_low", "high", "m")
    __array_ufunc__ = None  # NumPy's arrays leave operators to this class.

    def __init__(self, m: Algebra, high: Real, low: Real | None = None) -> None:
        self.m, self.high, self._low = m, high, low

    @property
    def low(self) -> Real:
        return self.m.number(0.0, self.high) if self._low is None else self._low

    @property
    def value(self) -> Real:
        """The sum, rounded."""
        return self.high if self._low is None else self.high + self._low

    def __add__(self, other: Pair | Real | float) -> Pair:
        by = self._pair(other)
        high, error = two_sum(self.high, by.high)
        low = _sum(self._low, by._low)
        return normal(self.m, high, error if low is None else error + low)

    def __sub__(self, other: Pair | Real | float) -> Pair:
        return self + -other

    def __rsub__(self, other: float) -> Pair:
        return -self + other

    def __neg__(self) -> Pair:
        return Pair(self.m, -self.high, None if self._low is None else -self._low)

    def __mul__(self, other: Pair | Real | float) -> Pair:
        by = self._pair(other)
        high, error = self.m.product(self.high, by.high)
        low = _sum(None if by._low is None else self.high * by._low, None if self._low is None else self._low * by.high)
        return Pair(self.m, high, error) if low is None else normal(self.m, high, error + low)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Pair | Real | float) -> Pair:
        by = self._pair(other)
        inverse = 1.0 / by.high
        quotient = self.high * inverse
        back, error = self.m.product(quotient, by.high)
        rest = (self.high - back) - error
        low = _sum(self._low, None if by._low is None else -(quotient * by._low))
        return normal(self.m, quotient, (rest if low is None else rest + low) * inverse)

    def __rtruediv__(self, other: float) -> Pair:
        return self._pair(other) / self

    def scaled(self, power: Real | float) -> Pair:
        """Times a power of two, which is exact."""
        return Pair(self.m, self.high * power, None if self._low is None else self._low * power)

    def _pair(self, x: Any) -> Pair:
        if isinstance(x, Pair):
            return x
        return Pair(self.m, self.m.number(x, self.high) if isinstance(x, int | float) else x)

    def is_exact(self) -> bool:
        """Whether there is no low part."""
        return self._low is None


def _sum(x: Real | None, y: Real | None) -> Real | None:
    """The sum of low parts, of which some are missing."""
    return y if x is None else x if y is None else x + y


def two_sum(x: Real, y: Real) -> tuple[Real, Real]:
    """x + y rounded, and its rounding error."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def normal(m: Algebra, high: Real, low: Real) -> Pair:
    """The pair of a sum of which `high` is the greater part."""
    total = high + low
    return Pair(m, total, low - (total - high))


def constant(m: Algebra, value: Constant, like: Real) -> Pair:
    return Pair(m, m.number(value[0], like), m.number(value[1], like))


def exact_sum(m: Algebra, x: Real, y: Real) -> Pair:
    """x + y. A constant stands second: XLA makes x of (1 + x) - 1, and nothing of what 1 + x lost in rounding."""
    return Pair(m, *two_sum(x, y))


def exact_product(m: Algebra, x: Real, y: Real) -> Pair:
    return Pair(m, *m.product(x, y))


def quotient(m: Algebra, x: Real, y: Real) -> Pair:
    """x / y to twice the precision."""
    return Pair(m, x) / y


def where(m: Algebra, condition: Real, x: Pair | Real | float, y: Pair | Real | float) -> Pair:
    """x where the condition holds, else y; at least one of them is no constant."""
    exact = all(not isinstance(v, Pair) or v.is_exact() for v in (x, y))
    (x_high, x_low), (y_high, y_low) = ((v.high, v.low) if isinstance(v, Pair) else (v, 0.0) for v in (x, y))
    return Pair(m, m.where(condition, x_high, y_high), None if exact else m.where(condition, x_low, y_low))


def sqrt(m: Algebra, x: Pair) -> Pair:
    """The root of a positive pair."""
    root = m.sqrt(x.high)
    square, error = m.product(root, root)
    rest = (x.high - square) - error
    return Pair(m, root, (rest if x.is_exact() else rest + x.low) / (root + root))


def log(m: Algebra, x: Pair) -> Pair:
    """The logarithm of a positive pair, with a relative error of some 2^-64 where it is away from 1."""
    found = Pair(m, *m.log_pair(x.high))
    return found if x.is_exact() else found + x.low / x.high


def exp(m: Algebra, x: Pair) -> Pair:
    """The exponential of a pair, with the error of `exp`: for other factors to be multiplied before rounding."""
    power = m.exp(x.high)
    return Pair(m, power, None if x.is_exact() else power * x.low)


def exp_product(m: Algebra, x: Pair, factor: Pair) -> Real:
    """factor · exp(x), which neither overflows nor vanishes in between."""
    # By 2^128 less than asked where that is much, and by as much more where it is little.
    up, down = x.high > 600.0, x.high < -600.0
    far = m.where(up, 128.0, m.where(down, m.number(-128.0, x.high), 0.0))
    x = where(m, (x.high < 1000.0) & (x.high > -1000.0), x, m.where(up, m.number(1000.0, far), -1000.0))
    rest = x - exact_product(m, far, m.number(LN2[0], far)) - far * LN2[1]
    # Far beyond what the product reaches the exponential need not be exact, but finite.
    rest = where(m, rest.high > 700.0, 700.0, where(m, rest.high < -745.0, -800.0, rest))
    power = m.where(up, 2.0**128, m.where(down, m.number(2.0**-128, far), 1.0))
    return (exp(m, rest) * factor).value * power


def polynomial(m: Algebra, x: Real, coefficients: Sequence[float], low: Sequence[float]) -> Pair:
    """A polynomial whose first two coefficients have low parts, and whose other terms are small beside these."""
    rest = m.polynomial(x, coefficients[2:])
    first, second = (constant(m, c, x) for c in zip(coefficients, low, strict=False))
    return first + (second + x * rest) * x


# -- logarithm ---------------------------------------------------------------------------------------------------------

# 2 / (2 k + 1) from k = 2 on, of 2 atanh(s) = 2 s + 2/3 s^3 + …, |s| < 0.1716.
ATANH = tuple(2 / (2 * k + 1) for k in range(2, 12))
TWO_THIRDS: Constant = (0.6666666666666666, 3.700743415417188e-17)


def log_pair(m: Algebra, x: Real) -> tuple[Real, Real]:
    """log(x) of a positive finite number, with a relative error below 2^-64: 2 atanh((f - 1) / (f + 1)) + k log(2)."""
    k, f = m.split(x)
    s = quotient(m, f - 1.0, m.number(1.0, f)) / exact_sum(m, f, m.number(1.0, f))
    square = s * s
    cubic = s * (square * (constant(m, TWO_THIRDS, f) + square.high * m.polynomial(square.high, ATANH)))
    total = exact_product(m, k, m.number(LN2[0], k)) + (s.scaled(2.0) + cubic) + k * LN2[1]
    return total.high, total.low


def split_by_halving(m: Algebra, x: Real) -> tuple[Real, Real]:
    """k and f with x = f 2^k and √½ ≤ f < √2, by products with powers of two alone."""
    k, least = m.number(0.0, x), math.sqrt(0.5)
    for power in (1022, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
        far, near = x >= 2.0 ** (power - 0.5), x < 2.0 ** (0.5 - power)
        by = m.where(far, 2.0**-power, m.where(near, m.number(2.0**power, x), 1.0))
        k = k + m.where(far, float(power), m.where(near, m.number(-float(power), x), 0.0))
        x = x * by
    low, high = x < least, x >= 2.0 * least
    x = x * m.where(low, 2.0, m.where(high, m.number(0.5, x), 1.0))
    return k + m.where(low, -1.0, m.where(high, m.number(1.0, x), 0.0)), x
