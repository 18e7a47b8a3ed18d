"""Exponentials, logarithms, roots and powers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Arrays, Elementwise, NumpyArray, Partial, Types, Value, Values, define
from rosin.ir.ops.complex import paired

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

LN2 = math.log(2.0)
LN10 = math.log(10.0)


class Transcendental(Elementwise):
    """A function whose evaluation takes tens of machine operations.

    NumPy's own functions of f32 are off by up to four units in the last place, so they are evaluated in f64.
    """

    flops: ClassVar[int] = 20

    def eval(self, *operands: NumpyArray) -> Arrays:
        dtype = dtypes.from_numpy(operands[0].dtype)
        wide = _WIDER.get(dtype.name)
        if wide is None:
            return super().eval(*operands)
        found = self.apply(*(x.astype(wide.numpy) for x in operands))
        return (np.asarray(found).astype(self.result_dtype(dtype).numpy),)

    def is_slow_in_numpy(self, operands: Types) -> bool:
        return operands[0].dtype.name in _WIDER or super().is_slow_in_numpy(operands)


_WIDER = {"f32": dtypes.f64, "c64": dtypes.c128}


class Analytic(Transcendental):
    """A function of complex numbers too, whose derivative is complex as well. Branch cuts are those of C99."""

    accepts: ClassVar[frozenset[DType]] = dtypes.FIELDS


@define("exp")
class Exp(Analytic):
    """e to the power x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.exp(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (result,)


@define("exp2")
class Exp2(Analytic):
    """2 to the power x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return _complex_exp2(x) if np.iscomplexobj(x) else np.exp2(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(result, LN2),)


@define("expm1")
class Expm1(Analytic):
    """exp(x) - 1, accurate near 0."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return _complex_expm1(x) if np.iscomplexobj(x) else np.expm1(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.add(result, 1.0),)


@define("log")
class Log(Analytic):
    """The natural logarithm."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, operands[0]),)


@define("log1p")
class Log1p(Analytic):
    """log(1 + x), accurate near 0."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return _complex_log1p(x) if np.iscomplexobj(x) else np.log1p(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, b.add(operands[0], 1.0)),)


@define("log2")
class Log2(Analytic):
    """The logarithm to base 2."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log2(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0 / LN2, operands[0]),)


@define("log10")
class Log10(Analytic):
    """The logarithm to base 10."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.log10(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0 / LN10, operands[0]),)


@define("sqrt")
class Sqrt(Elementwise):
    """The square root; of a complex number the one whose real part is not negative."""

    accepts = dtypes.FIELDS
    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.sqrt(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(0.5, result),)


@define("rsqrt")
class Rsqrt(Elementwise):
    """1 / sqrt(x)."""

    accepts = dtypes.FIELDS
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
class Pow(Analytic):
    """x to the power y in floats, with the special cases of C99; in complex numbers exp(y log(x)), 0 to the power 0
    being 1.

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
        at_zero = b.logical_and(b.equal(x, zero), b.greater_equal(b.real_part(y), 0.0))
        log_x = b.log(b.select(at_zero, b.like(1.0, x), x))
        return (by_x, b.mul(result, log_x))


# -- meanings of which NumPy lacks an accurate one ---------------------------------------------------------------------


def _complex_exp2(z: NumpyArray) -> NumpyArray:
    """exp(z log 2), of angles rounded to f64. Part by part, since a complex product makes NaN of an infinity."""
    x, y = np.real(z).astype(np.longdouble), np.imag(z).astype(np.float64)
    angle = (y * LN2).astype(np.longdouble)
    return np.exp(paired(x * np.log(np.longdouble(2)), angle)).astype(z.dtype)


def _complex_expm1(z: NumpyArray) -> NumpyArray:
    """exp(z) - 1, where NumPy makes NaN of an infinite exponential."""
    x, y = np.real(z), np.imag(z)
    far = (np.abs(x) > 40) | ~np.isfinite(z) | (y == 0)
    near, whole = np.expm1(np.where(far, 0, z)), np.exp(z)
    # The array API standard wants +0 of -0 here, which the sum gives.
    real = np.where(far, np.where(y == 0, np.expm1(x) + 0, np.real(whole) - 1), np.real(near))
    return paired(real.astype(x.dtype), np.where(far, np.imag(whole), np.imag(near)).astype(x.dtype))


def _complex_log1p(z: NumpyArray) -> NumpyArray:
    """log(1 + z) with a real part that is accurate near 0, where NumPy's is not: log1p(x (2 + x) + y²) / 2."""
    part = np.real(z).dtype
    x, y = np.real(z).astype(np.longdouble), np.imag(z).astype(np.longdouble)
    near = np.maximum(np.abs(x), np.abs(y)) < 1e6
    square = np.where(near, x * (2 + x) + y * y, 0)
    near &= square > -0.5
    real = np.where(near, np.log1p(np.where(near, square, 0)) / 2, np.log(np.hypot(1 + x, y)))
    return paired(real.astype(part), np.arctan2(y, 1 + x).astype(part))
