"""Elementwise arithmetic: sums, products, quotients, rounding, extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise, Flat, NumpyArray, Partial, Value, Values, define

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
    """x / y in floats."""

    accepts = dtypes.FLOATS
    flops = 4

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.divide(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        _, y = operands
        return (b.div(1.0, y), b.neg(b.div(result, y)))


@define("floor_divide")
class FloorDivide(Binary):
    """The quotient rounded down, as Python's `//`. An integer divided by zero gives 0, as in NumPy."""

    flops = 8

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.floor_divide(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (None, None)


@define("remainder")
class Remainder(Binary):
    """x - y * floor(x / y), with the sign of y, as Python's `%`. An integer modulo zero gives 0, as in NumPy."""

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
    """The absolute value; its derivative at 0 is 0."""

    accepts = dtypes.NUMBERS

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.abs(*operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sign(operands[0]),)


@define("sign")
class Sign(Flat):
    """-1, 0 or 1; NaN for NaN."""

    accepts = dtypes.NUMBERS

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.sign(*operands)


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

    accepts = dtypes.ANY

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
    accepts = dtypes.NUMBERS
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
