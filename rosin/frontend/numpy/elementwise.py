"""Elementwise arithmetic: sums, products, quotients, powers, rounding, signs, extremes.

Operands are promoted and broadcast (`promote.py`). Every function raises `DTypeError` for operands that are no numbers
and `ShapeError` for shapes that do not broadcast.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import datatypes, logic, ordering, promote
from rosin.frontend.numpy.complex import combined, imag, real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.op import Op
from rosin.ir.ops import arithmetic as ops
from rosin.ir.ops.exponential import Pow
from rosin.ir.ops.logic import And, Or, Select, ShiftRight

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _binary(name: str, op: Op, x1: ArrayLike, x2: ArrayLike, truth: Op | None = None) -> Array:
    """`op` on two promoted operands; `truth` is what it means for truth values, if anything."""
    a, b = promote.promoted(name, x1, x2)
    if truth is not None and core.dtype_of(a).kind == "bool":
        return core.bind1(truth, a, b)
    return core.bind1(op, promote.numeric(name, a), b)


def _unary(name: str, op: Op, x: ArrayLike) -> Array:
    return core.bind1(op, promote.numeric(name, x))


def _rounded(name: str, op: Op, x: ArrayLike) -> Array:
    """A function that leaves integers as they are."""
    operand = promote.numeric(name, x)
    return operand if core.dtype_of(operand).is_integer else core.bind1(op, operand)


# -- sums and products -------------------------------------------------------------------------------------------------


def add(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 + x2. Integers wrap around; of two truth values it is `or`, as in NumPy."""
    return _binary("add", ops.Add(), x1, x2, Or())


def subtract(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 - x2. Integers wrap around."""
    return _binary("subtract", ops.Sub(), x1, x2)


def multiply(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 * x2. Integers wrap around; of two truth values it is `and`, as in NumPy."""
    return _binary("multiply", ops.Mul(), x1, x2, And())


def divide(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 / x2 in floats, real or complex; integers become the default float first."""
    a, b = promote.promoted("divide", x1, x2, floating=True)
    return core.bind1(ops.Div(), a, b)


def floor_divide(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The quotient rounded down. An integer divided by zero gives 0."""
    return _binary("floor_divide", ops.FloorDivide(), x1, x2)


def remainder(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 - x2 * floor(x1 / x2), with the sign of x2. An integer modulo zero gives 0."""
    return _binary("remainder", ops.Remainder(), x1, x2)


def negative(x: ArrayLike, /) -> Array:
    """-x. Integers wrap around."""
    return _unary("negative", ops.Neg(), x)


@core.fresh
def positive(x: ArrayLike, /) -> Array:
    """x itself, which must be numbers."""
    return promote.numeric("positive", x)


def square(x: ArrayLike, /) -> Array:
    """x * x."""
    operand = promote.array("square", x)
    return _binary("square", ops.Mul(), operand, operand)


def reciprocal(x: ArrayLike, /) -> Array:
    """1 / x in floats, real or complex."""
    return divide(1, promote.floating("reciprocal", x))


def abs(x: ArrayLike, /) -> Array:
    """The absolute value, a real number of a complex one too; its derivative at 0 is 0."""
    return _unary("abs", ops.Abs(), x)


# -- powers ------------------------------------------------------------------------------------------------------------

_MOST_MULTIPLIED = 16
"""Whole powers of floats up to this one are products: cheaper than `pow`, and off by a few units in the last place."""


@core.fresh
def pow(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 to the power x2.

    A small whole power given as a Python integer is a product, whose derivatives are exact at 0 too. Integers to
    integer powers wrap around; an array's negative power of an integer is truncated: 0, but for powers of 1 and -1.

    Raises:
        AttributeValueError: a negative Python integer is the power of integers.
    """
    if isinstance(x2, int) and not isinstance(x2, bool) and not core.is_scalar(x1):
        base = promote.numeric("pow", x1)
        if core.dtype_of(base).is_integer and x2 < 0:
            promote.bad_value(f"pow: integers have no whole power {x2}; make them floats first", base)
        if core.dtype_of(base).is_integer or 0 <= x2 <= _MOST_MULTIPLIED:
            return _whole_power(base, x2)
        if x2 == -1:
            return reciprocal(base)
    a, b = promote.promoted("pow", x1, x2)
    promote.numeric("pow", a)
    return core.bind1(Pow(), a, b) if core.dtype_of(a).differentiable else _integer_power(a, b)


def _whole_power(base: Array, exponent: int) -> Array:
    """The power by repeated squaring."""
    result: Array | None = None
    while exponent:
        if exponent & 1:
            result = base if result is None else core.bind1(ops.Mul(), result, base)
        exponent >>= 1
        if exponent:
            base = core.bind1(ops.Mul(), base, base)
    return promote.numbers("pow", 1, base) if result is None else result


def _integer_power(base: Array, exponent: Array) -> Array:
    """The power by repeated squaring, over every bit that the exponents may have."""
    type = core.type_of(base)
    zero, one = promote.number("pow", 0, type), promote.number("pow", 1, type)
    result, factor, rest = one, base, exponent
    for _ in range(type.dtype.bits - (type.dtype.kind == "int")):
        odd = logic.not_equal(core.bind1(And(), rest, one), zero)
        result = core.bind1(Select(), odd, core.bind1(ops.Mul(), result, factor), result)
        factor = core.bind1(ops.Mul(), factor, factor)
        rest = core.bind1(ShiftRight(), rest, one)
    if type.dtype.kind == "uint":
        return result
    # The bits of a negative power below its sign are even exactly when the power is.
    unit = logic.equal(core.bind1(ops.Abs(), base), one)
    even = logic.equal(core.bind1(And(), exponent, one), zero)
    inverse = core.bind1(Select(), unit, core.bind1(Select(), even, one, base), zero)
    return core.bind1(Select(), logic.less(exponent, zero), inverse, result)


# -- rounding ----------------------------------------------------------------------------------------------------------


@core.fresh
def floor(x: ArrayLike, /) -> Array:
    """The greatest whole number not above x."""
    return _rounded("floor", ops.Floor(), x)


@core.fresh
def ceil(x: ArrayLike, /) -> Array:
    """The least whole number not below x."""
    return _rounded("ceil", ops.Ceil(), x)


@core.fresh
def trunc(x: ArrayLike, /) -> Array:
    """The nearest whole number toward zero."""
    return _rounded("trunc", ops.Trunc(), x)


@core.fresh
def round(x: ArrayLike, /, decimals: int = 0) -> Array:
    """The nearest multiple of 10 to the power -decimals, halves to the even one; of complex numbers part by part."""
    decimals = promote.as_int("round", decimals, "the count of decimals")
    operand = promote.numeric("round", x)
    if core.dtype_of(operand).is_integer:
        return operand if decimals >= 0 else _rounded_integers(operand, 10**-decimals)
    if core.dtype_of(operand).is_complex:
        return combined(*(round(part, decimals) for part in (real(operand), imag(operand))))
    if decimals == 0:
        return core.bind1(ops.Round(), operand)
    scale = 10.0 ** builtins.abs(decimals)
    if decimals > 0:
        return divide(core.bind1(ops.Round(), multiply(operand, scale)), scale)
    return multiply(core.bind1(ops.Round(), divide(operand, scale)), scale)


def _rounded_integers(x: Array, unit: int) -> Array:
    """The nearest multiples of a power of ten, halves to the even one; 0 where the type does not reach it."""
    dtype = core.dtype_of(x)
    if unit > dtype.highest:
        return multiply(x, 0)
    if unit > dtypes.i64.highest:
        promote.bad_value(f"round: multiples of {unit} are beyond i64", x)
    count = floor_divide(x, unit)
    rest, odd = (promote.cast(v, dtypes.i64) for v in (remainder(x, unit), remainder(count, 2)))
    # How much nearer the multiple above is, and 1 more where it is the even one.
    nearer = add(subtract(rest, subtract(unit, rest)), odd)
    return multiply(add(count, promote.cast(clip(nearer, 0, 1), dtype)), unit)


# -- signs -------------------------------------------------------------------------------------------------------------


def sign(x: ArrayLike, /) -> Array:
    """-1, 0 or 1, or x / |x| of a complex number; NaN for NaN."""
    return _unary("sign", ops.Sign(), x)


def copysign(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The magnitude of x1 with the sign of x2, of which -0.0 and a negative NaN have one too."""
    x, y = promote.promoted("copysign", x1, x2, floating=True)
    magnitude = core.bind1(ops.Abs(), x)
    return core.bind1(Select(), logic.signbit(y), core.bind1(ops.Neg(), magnitude), magnitude)


# -- extremes ----------------------------------------------------------------------------------------------------------


def _extreme(name: str, op: ops.Maximum | ops.Minimum, x1: ArrayLike, x2: ArrayLike) -> Array:
    x, y = promote.promoted(name, x1, x2)
    return ordering.extreme_of_two(op, x, y) if core.dtype_of(x).is_complex else core.bind1(op, x, y)


def maximum(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The greater of two; NaN when either is NaN. Equal operands share the derivative equally."""
    return _extreme("maximum", ops.Maximum(), x1, x2)


def minimum(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The smaller of two; NaN when either is NaN. Equal operands share the derivative equally."""
    return _extreme("minimum", ops.Minimum(), x1, x2)


@core.fresh
def clip(x: ArrayLike, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """min(max(x, min), max); None leaves a side open. Where min is above max the result is max."""
    if min is None and max is None:
        return promote.array("clip", x)
    if max is None or min is None:
        bound, op = (min, ops.Maximum()) if max is None else (max, ops.Minimum())
        assert bound is not None
        return _extreme("clip", op, x, bound)
    low, operand, high = promote.promoted("clip", min, x, max)
    if core.dtype_of(operand).is_complex:
        return _extreme("clip", ops.Minimum(), _extreme("clip", ops.Maximum(), operand, low), high)
    return core.bind1(ops.Clamp(), promote.numeric("clip", low), operand, high)


def nextafter(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The neighbour of x1 in its element type (f32 or f64), toward x2."""
    return core.bind1(ops.NextAfter(), *promote.promoted("nextafter", x1, x2, floating=True))


# -- floats that are no numbers ----------------------------------------------------------------------------------------


@core.fresh
def nan_to_num(
    x: ArrayLike, /, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """x with NaN, +inf and -inf replaced; None stands for the greatest and the least finite number of the type.

    Of complex numbers each part is replaced. Arrays never change, so `copy` decides nothing.
    """
    operand = promote.numeric("nan_to_num", x)
    if core.dtype_of(operand).is_complex:
        return combined(*(nan_to_num(part, copy, nan, posinf, neginf) for part in (real(operand), imag(operand))))
    if not core.dtype_of(operand).is_float:
        return operand
    greatest = datatypes.finfo(operand).max
    type = core.type_of(operand)
    high = promote.number("nan_to_num", greatest if posinf is None else posinf, type)
    low = promote.number("nan_to_num", -greatest if neginf is None else neginf, type)
    result = core.bind1(Select(), logic.isnan(operand), promote.number("nan_to_num", nan, type), operand)
    result = core.bind1(Select(), logic.equal(operand, float("inf")), high, result)
    return core.bind1(Select(), logic.equal(operand, float("-inf")), low, result)
