"""Exponentials, logarithms, roots and powers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir.op import Elementwise, NumpyArray, Partial, Value, Values, define

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

LN2 = math.log(2.0)
LN10 = math.log(10.0)


class Transcendental(Elementwise):
    """A function whose evaluation takes tens of machine operations."""

    flops: ClassVar[int] = 20


@define("exp")
class Exp(Transcendental):
    """e to the power x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.exp(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (result,)


@define("exp2")
class Exp2(Transcendental):
    """2 to the power x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.exp2(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(result, LN2),)


@define("expm1")
class Expm1(Transcendental):
    """exp(x) - 1, accurate near 0."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.expm1(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.add(result, 1.0),)


@define("log")
class Log(Transcendental):
    """The natural logarithm."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, operands[0]),)


@define("log1p")
class Log1p(Transcendental):
    """log(1 + x), accurate near 0."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log1p(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, b.add(operands[0], 1.0)),)


@define("log2")
class Log2(Transcendental):
    """The logarithm to base 2."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log2(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0 / LN2, operands[0]),)


@define("log10")
class Log10(Transcendental):
    """The logarithm to base 10."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log10(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0 / LN10, operands[0]),)


@define("sqrt")
class Sqrt(Elementwise):
    """The square root."""

    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.sqrt(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(0.5, result),)


@define("rsqrt")
class Rsqrt(Elementwise):
    """1 / sqrt(x)."""

    flops = 12

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return np.asarray(1.0, x.dtype) / np.sqrt(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.div(result, operands[0]), -0.5),)


@define("cbrt")
class Cbrt(Transcendental):
    """The real cube root, of negative numbers too."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.cbrt(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0 / 3.0, b.mul(result, result)),)


@define("pow")
class Pow(Transcendental):
    """x to the power y in floats, with the special cases of C99.

    The derivative by y is taken as 0 where x is 0 and y is not negative, so that powers of 0 have finite gradients.
    """

    arity = 2
    flops = 60

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.power(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        zero = b.like(0.0, x)
        # x⁰ is constant in x; at 0 the exponent is replaced first, so that no derivative multiplies 0 by infinity.
        both_zero = b.logical_and(b.equal(x, zero), b.equal(y, zero))
        by_x = b.mul(y, b.pow(x, b.sub(b.select(both_zero, b.like(1.0, y), y), 1.0)))
        at_zero = b.logical_and(b.equal(x, zero), b.greater_equal(y, zero))
        log_x = b.log(b.select(at_zero, b.like(1.0, x), x))
        return (by_x, b.mul(result, log_x))
