"""Trigonometric and hyperbolic functions and their inverses; angles are in radians."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir.op import NumpyArray, Partial, Value, Values, define
from rosin.ir.ops.complex import paired
from rosin.ir.ops.exponential import Analytic, Transcendental

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("sin")
class Sin(Analytic):
    """Sine."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.sin(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.cos(operands[0]),)


@define("cos")
class Cos(Analytic):
    """Cosine."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.cos(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.neg(b.sin(operands[0])),)


@define("tan")
class Tan(Analytic):
    """Tangent."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        if not np.iscomplexobj(x):
            return np.tan(x)
        turned = _complex_tanh(paired(-np.imag(x), np.real(x)))
        return paired(np.imag(turned), -np.real(turned))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.add(b.mul(result, result), 1.0),)


@define("asin")
class Asin(Analytic):
    """Inverse sine, in [-π/2, π/2]."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arcsin(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.rsqrt(_one_minus_square(b, operands[0])),)


@define("acos")
class Acos(Analytic):
    """Inverse cosine, in [0, π]."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arccos(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.neg(b.rsqrt(_one_minus_square(b, operands[0]))),)


@define("atan")
class Atan(Analytic):
    """Inverse tangent, in [-π/2, π/2]."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arctan(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.div(1.0, b.add(b.mul(x, x), 1.0)),)


@define("atan2")
class Atan2(Transcendental):
    """The angle of the point (x, y), of operands `(y, x)`, in [-π, π]."""

    arity = 2
    flops = 30

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arctan2(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        y, x = operands
        radius = b.hypot(x, y)
        return (b.div(b.div(x, radius), radius), b.neg(b.div(b.div(y, radius), radius)))


@define("sinh")
class Sinh(Analytic):
    """Hyperbolic sine."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.sinh(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.cosh(operands[0]),)


@define("cosh")
class Cosh(Analytic):
    """Hyperbolic cosine."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.cosh(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sinh(operands[0]),)


@define("tanh")
class Tanh(Analytic):
    """Hyperbolic tangent."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return _complex_tanh(x) if np.iscomplexobj(x) else np.tanh(x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (_one_minus_square(b, result),)


@define("asinh")
class Asinh(Analytic):
    """Inverse hyperbolic sine."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arcsinh(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        if x.type.dtype.is_complex:
            return (b.rsqrt(b.add(b.mul(x, x), 1.0)),)
        return (b.div(1.0, b.hypot(x, b.like(1.0, x))),)


@define("acosh")
class Acosh(Analytic):
    """Inverse hyperbolic cosine, not negative."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arccosh(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.mul(b.rsqrt(b.sub(x, 1.0)), b.rsqrt(b.add(x, 1.0))),)


@define("atanh")
class Atanh(Analytic):
    """Inverse hyperbolic tangent."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.arctanh(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.div(1.0, _one_minus_square(b, operands[0])),)


@define("hypot")
class Hypot(Transcendental):
    """sqrt(x² + y²) without overflow in between; its derivative at the origin is taken as 0."""

    arity = 2

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.hypot(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        zero = b.like(0.0, x)
        radius = b.select(b.equal(result, zero), b.like(1.0, x), result)
        return (b.div(x, radius), b.div(y, radius))


def _complex_tanh(z: NumpyArray) -> NumpyArray:
    """Zeros at infinity have the sign of the imaginary part, as in the array API standard; in C it turns with it."""
    found = np.tanh(z)
    at_end = np.isinf(np.real(z))
    return paired(np.real(found), np.where(at_end, np.copysign(0, np.imag(z)), np.imag(found)))


def _one_minus_square(b: Builder, x: Value) -> Value:
    """1 - x², as a product that keeps its accuracy near 1."""
    return b.mul(b.sub(1.0, x), b.add(x, 1.0))
