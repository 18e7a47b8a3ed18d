"""Elementwise arithmetic: sums, products, quotients, rounding, extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise, Flat, Maybe, NumpyArray, Partial, Types, Value, Values, define

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Binary(Elementwise):
    """Two operands of one type."""

    arity: ClassVar[int] = 2
    accepts: ClassVar[frozenset[DType]] = dtypes.NUMBERS


@define("add")
class Add(Binary):
    """x + y; integers wrap around."""

    commutative = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.add(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (1.0, 1.0)


@define("sub")
class Sub(Binary):
    """x - y; integers wrap around."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.subtract(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (1.0, -1.0)


@define("mul")
class Mul(Binary):
    """x * y; integers wrap around."""

    commutative = True

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.multiply(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (operands[1], operands[0])


@define("div")
class Div(Binary):
    """x / y in floats, real or complex. A complex number divided by zero has parts that are infinite or NaN."""

    accepts = dtypes.FIELDS
    flops = 4

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.divide(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        _, y = operands
        return (b.div(1.0, y), b.neg(b.div(result, y)))


@define("floor_divide")
class FloorDivide(Binary):
    """The quotient rounded down, as Python's `//`. An integer divided by zero gives 0, as in NumPy."""

    accepts = dtypes.REALS
    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.floor_divide(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (None, None)


@define("remainder")
class Remainder(Binary):
    """x - y * floor(x / y), with the sign of y, as Python's `%`. An integer modulo zero gives 0, as in NumPy."""

    accepts = dtypes.REALS
    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.remainder(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (1.0, b.neg(b.floor_divide(*operands)))


@define("neg")
class Neg(Elementwise):
    """-x; integers wrap around."""

    accepts = dtypes.NUMBERS

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.negative(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (-1.0,)


@define("abs")
class Abs(Elementwise):
    """The absolute value, a real number; its derivative at 0 is 0."""

    accepts = dtypes.NUMBERS

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.part

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.abs(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sign(operands[0]),)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        if tangent is None or not tangent.type.dtype.is_complex:
            return super().jvp(b, operands, results, tangents)
        return (b.real(b.mul(tangent, b.conj(b.sign(operands[0])))),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None or not operands[0].type.dtype.is_complex:
            return super().vjp(b, operands, results, cotangents)
        return (b.mul(b.cast(cotangent, operands[0].type.dtype), b.conj(b.sign(operands[0]))),)


@define("sign")
class Sign(Elementwise):
    """-1, 0 or 1, or z / |z| of a complex number; NaN for NaN. Its derivative at 0 is 0."""

    accepts = dtypes.NUMBERS

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        if not np.iscomplexobj(x):
            return np.sign(x)
        # A quarter of a number has the same sign, and a radius that does not overflow.
        found = np.sign(np.where(np.isfinite(x) & np.isinf(np.abs(x)), x * 0.25, x))
        return np.where(np.isnan(x), complex(np.nan, np.nan), found)

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (results[0].dtype.is_complex,)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (None,)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        """Of z / |z| only the angle moves: i s Im(conj(s) dz) / |z|, where s is the result."""
        (tangent,), (s,) = tangents, results
        if tangent is None or not s.type.dtype.is_complex:
            return (None,)
        turn = b.div(b.imag(b.mul(b.conj(s), tangent)), self._radius(b, operands[0]))
        return (b.mul(s, b.complex(b.zeros(turn.type), turn)),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,), (s,) = cotangents, results
        if cotangent is None or not s.type.dtype.is_complex:
            return (None,)
        turn = b.div(b.imag(b.mul(s, cotangent)), self._radius(b, operands[0]))
        return (b.mul(b.conj(s), b.complex(b.zeros(turn.type), turn)),)

    def _radius(self, b: Builder, z: Value) -> Value:
        """|z|, or 1 where that is 0."""
        radius = b.abs(z)
        return b.select(b.equal(radius, 0.0), b.like(1.0, radius), radius)


@define("floor")
class Floor(Flat):
    """The greatest whole number not above x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.floor(*operands)


@define("ceil")
class Ceil(Flat):
    """The least whole number not below x."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.ceil(*operands)


@define("round")
class Round(Flat):
    """The nearest whole number, halves to the even one."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.rint(*operands)


@define("trunc")
class Trunc(Flat):
    """The nearest whole number toward zero."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.trunc(*operands)


class Extreme(Binary):
    """The greater or the smaller of two; NaN when either is NaN. Equal operands share the derivative equally.

    Of +0.0 and -0.0 it may give either, by their order, so it is not commutative.
    """

    accepts = dtypes.ORDERED

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        x, y = operands
        tie = b.select(b.equal(x, y), b.like(0.5, x), b.like(1.0, x))
        zero = b.like(0.0, x)
        return (b.select(b.equal(x, result), tie, zero), b.select(b.equal(y, result), tie, zero))


@define("maximum")
class Maximum(Extreme):
    """The greater of two numbers."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.maximum(*operands)


@define("minimum")
class Minimum(Extreme):
    """The smaller of two numbers."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.minimum(*operands)


@define("clamp")
class Clamp(Elementwise):
    """min(max(x, low), high) of `(low, x, high)`; a derivative flows to whichever bound or operand is the result."""

    arity = 3
    accepts = dtypes.REALS
    flops = 2

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        low, x, high = operands
        return np.minimum(np.maximum(x, low), high)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        low, x, high = operands
        one, zero = b.like(1.0, x), b.like(0.0, x)
        above = b.greater(b.maximum(x, low), high)
        below = b.logical_and(b.less(x, low), b.logical_not(above))
        inside = b.logical_not(b.logical_or(above, below))
        return tuple(b.select(where, one, zero) for where in (below, inside, above))


@define("nextafter")
class NextAfter(Flat):
    """The neighbour of x in its type, toward y."""

    arity = 2
    flops = 8
    accepts = frozenset({dtypes.f32, dtypes.f64})

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.nextafter(*operands)
