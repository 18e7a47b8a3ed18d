"""Special functions: the error function and its kin, the gamma function's logarithm and its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir.op import NumpyArray, Partial, Types, Value, Values, define
from rosin.ir.ops.exponential import Transcendental
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def _vectorized(function: Callable[[float], float], x: NumpyArray) -> NumpyArray:
    """A scalar function at every element, evaluated in f64."""
    flat = [function(v) for v in np.ravel(x).astype(np.float64).tolist()]
    return np.array(flat, np.float64).reshape(x.shape).astype(x.dtype)


@define("sigmoid")
class Sigmoid(Transcendental):
    """1 / (1 + exp(-x)), the logistic function."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        small = np.exp(-np.abs(x))
        one = np.asarray(1.0, x.dtype)
        return np.where(x >= 0, one, small) / (one + small)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(result, b.sigmoid(b.neg(operands[0]))),)


@define("erf")
class Erf(Transcendental):
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""

    flops = 30
    slow_in_numpy = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(math.erf, operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (_gaussian(b, operands[0], 2.0 / math.sqrt(math.pi)),)


@define("erfc")
class Erfc(Transcendental):
    """1 - erf(x), accurate where it is small."""

    flops = 40
    slow_in_numpy = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(math.erfc, operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (_gaussian(b, operands[0], -2.0 / math.sqrt(math.pi)),)


@define("erfinv")
class Erfinv(Transcendental):
    """The inverse of erf: ±∞ at ±1, NaN outside [-1, 1]."""

    flops = 40
    slow_in_numpy = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(_erfinv, operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.exp(b.mul(result, result)), math.sqrt(math.pi) / 2.0),)


@define("lgamma")
class Lgamma(Transcendental):
    """The logarithm of |Γ(x)|; +∞ at 0 and the negative integers."""

    flops = 80
    slow_in_numpy = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(_lgamma, operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.digamma(operands[0]),)


@define("digamma")
class Digamma(Transcendental):
    """ψ(x), the derivative of lgamma; NaN at the negative integers, ∓∞ at ±0."""

    flops = 80
    slow_in_numpy = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(_digamma, operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.polygamma(operands[0], 1),)


@define("polygamma")
class Polygamma(Transcendental):
    """The derivative of digamma of the given order (1 is trigamma); ±∞ at 0 and the negative integers."""

    order: int
    flops = 120
    slow_in_numpy = True

    def type(self, *operands: TensorType) -> Types:
        if self.order < 1:
            self.bad_attribute(operands, f"the order is {self.order}; it is at least 1 (order 0 is digamma)")
        return Transcendental.type(self, *operands)

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return _vectorized(lambda x: polygamma(self.order, x), operands[0])

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.polygamma(operands[0], self.order + 1),)


def _gaussian(b: Builder, x: Value, scale: float) -> Value:
    return b.mul(b.exp(b.neg(b.mul(x, x))), scale)


def _erfinv(y: float) -> float:
    """Winitzki's approximation (2008), then Halley steps on erf or, far from 0, on erfc."""
    if not -1.0 < y < 1.0:
        return math.copysign(math.inf, y) if abs(y) == 1.0 else math.nan
    a, w = 0.147, math.log((1.0 - y) * (1.0 + y))
    half = 2 / (math.pi * a) + w / 2
    x = math.sqrt(math.sqrt(half * half - w / a) - half)
    for _ in range(4):
        error = math.erf(x) - abs(y) if abs(y) < 0.5 else (1 - abs(y)) - math.erfc(x)
        step = error * math.sqrt(math.pi) / 2 * math.exp(x * x)
        x -= step / (1 + x * step)
    return math.copysign(x, y)


def _lgamma(x: float) -> float:
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    # math.lgamma raises where the result overflows; up there the first term of Stirling's series is all there is.
    return math.lgamma(x) if x < 1e300 else x * (math.log(x) - 1.0)


_BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def _digamma(x: float) -> float:
    """Reflection for negative x, recurrence up to 10, then the asymptotic series (DLMF 5.11.2)."""
    if x == 0 or math.isnan(x) or x == -math.inf:
        return math.copysign(math.inf, -x) if x == 0 else math.nan
    if x == math.inf:
        return x
    if x < 0:
        fraction = math.fmod(x, 1.0)
        if fraction == 0:
            return math.nan
        return _digamma(1 - x) - math.pi / math.tan(math.pi * fraction)
    total = 0.0
    while x < 10:
        total -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = sum(c * square ** (k + 1) for k, c in enumerate(_BERNOULLI))
    return total + math.log(x) - 0.5 / x - series


def _power(x: float, n: int) -> float:
    """xⁿ, infinite where `**` would raise."""
    return math.prod((x,) * n)


def cotangent_polynomial(order: int) -> list[int]:
    """The coefficients, lowest first, of the polynomial p with dⁿ/dxⁿ cot(x) = p(cot(x)): d/dx cot = -1 - cot²."""
    coefficients = [0, 1]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            coefficients[k] -= c
            coefficients[k + 2] -= c
    return coefficients


def polygamma(order: int, x: float) -> float:
    """Reflection (DLMF 5.15.6), recurrence (5.15.5), then the asymptotic series (5.15.8)."""
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == math.inf:
        return 0.0 if order % 2 else -0.0
    sign = -1.0 if order % 2 == 0 else 1.0
    if x <= 0 and x == math.floor(x):
        return math.inf if order % 2 else -math.inf
    if x < 0:
        cotangent = 1 / math.tan(math.pi * math.fmod(x, 1.0))
        powers = sum(c * _power(cotangent, k) for k, c in enumerate(cotangent_polynomial(order)) if c)
        return -sign * polygamma(order, 1 - x) - math.pi ** (order + 1) * powers
    total, factorial = 0.0, math.factorial(order)
    while x < 15 + order:
        total += factorial * _power(1 / x, order + 1)
        x += 1
    series = math.factorial(order - 1) * _power(1 / x, order) + factorial / 2 * _power(1 / x, order + 1)
    for k, c in enumerate(_BERNOULLI, start=1):
        # Here c is B₂ₖ / (2k); the series wants B₂ₖ (2k + n - 1)! / (2k)!.
        series += c * math.factorial(2 * k + order - 1) / math.factorial(2 * k - 1) * _power(1 / x, 2 * k + order)
    return sign * (total + series)
