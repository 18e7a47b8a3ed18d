"""Elementwise functions that fewer programs need: remainders, parts and units of floats, angles, common divisors.

Operands are promoted and broadcast (`promote.py`). Every function raises `DTypeError` for operands of the wrong kind,
and `ShapeError` for shapes that do not broadcast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.numpy import elementwise, logic, promote, transcendental
from rosin.frontend.numpy.complex import combined, imag, real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.ops.cast import Bitcast

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _real(name: str, x: ArrayLike) -> Array:
    """An operand as an array of real floats."""
    operand = promote.floating(name, x)
    if core.dtype_of(operand).is_complex:
        promote.bad_dtype(f"{name} takes real numbers, not {core.dtype_of(operand)}", operand)
    return operand


def _reals(name: str, x1: ArrayLike, x2: ArrayLike) -> tuple[Array, Array]:
    """Two operands, promoted and broadcast, that have an order."""
    a, b = promote.promoted(name, x1, x2)
    if core.dtype_of(a).is_complex:
        promote.bad_dtype(f"{name} takes real numbers, not {core.dtype_of(a)}", a, b)
    return promote.numeric(name, a), b


def _integers(name: str, x1: ArrayLike, x2: ArrayLike) -> tuple[Array, Array]:
    a, b = promote.promoted(name, x1, x2)
    if not core.dtype_of(a).is_integer:
        promote.bad_dtype(f"{name} takes integers, not {core.dtype_of(a)}", a, b)
    return a, b


def _negated_where(condition: Array, x: Array) -> Array:
    return logic.where(condition, elementwise.negative(x), x)


# -- quotients and remainders ------------------------------------------------------------------------------------------


def divmod(x1: ArrayLike, x2: ArrayLike, /) -> tuple[Array, Array]:
    """`floor_divide` and `remainder` together."""
    return elementwise.floor_divide(x1, x2), elementwise.remainder(x1, x2)


def fmod(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 - x2 * trunc(x1 / x2), with the sign of x1. An integer modulo zero gives 0."""
    x, y = _reals("fmod", x1, x2)
    if core.dtype_of(x).is_integer:
        rest = elementwise.remainder(x, y)
        if core.dtype_of(x).kind == "uint":
            return rest
        apart = logic.not_equal(logic.less(x, 0), logic.less(y, 0))
        return logic.where(logic.logical_and(apart, logic.not_equal(rest, 0)), elementwise.subtract(rest, y), rest)
    minus = logic.signbit(x)
    return _negated_where(minus, elementwise.remainder(_negated_where(minus, x), elementwise.abs(y)))


def float_power(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 to the power x2 in float64 or complex128, whatever the operands are."""
    a, b = promote.promoted("float_power", x1, x2)
    wide = dtypes.c128 if core.dtype_of(a).is_complex else dtypes.f64
    return elementwise.pow(promote.cast(a, wide), promote.cast(b, wide))


def gcd(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The greatest common divisor of integers, by Euclid; 0 of two zeros."""
    a, b = _integers("gcd", x1, x2)
    if not core.tracing():
        # A loop outside of traced functions would be compiled for every shape.
        return core.asarray(np.gcd(core.known(a), core.known(b)))
    return promote.cast(_euclid(_magnitude(a), _magnitude(b)), core.dtype_of(a))


def lcm(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The least common multiple of integers, which wraps around; 0 where one is 0."""
    a, b = _integers("lcm", x1, x2)
    if not core.tracing():
        return core.asarray(np.lcm(core.known(a), core.known(b)))
    first, second = _magnitude(a), _magnitude(b)
    multiple = elementwise.multiply(elementwise.floor_divide(first, _euclid(first, second)), second)
    return promote.cast(multiple, core.dtype_of(a))


_UNSIGNED = {8: dtypes.u8, 16: dtypes.u16, 32: dtypes.u32, 64: dtypes.u64}


def _magnitude(x: Array) -> Array:
    """The absolute value of integers as unsigned ones, which hold that of the least."""
    dtype = core.dtype_of(x)
    return x if dtype.kind == "uint" else promote.cast(elementwise.abs(x), _UNSIGNED[dtype.bits])


def _euclid(first: Array, second: Array) -> Array:
    if 0 in core.shape_of(first):
        return first

    # `remainder` by zero gives zero, so that pairs that are done stay as they are.
    def step(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        x, y = pair
        go_on = logic.not_equal(y, 0)
        return logic.where(go_on, y, x), elementwise.remainder(x, y)

    return core.while_loop(lambda pair: logic.not_equal(pair[1], 0).any(), step, (first, second))[0]


# -- rounding and parts of floats --------------------------------------------------------------------------------------


def around(x: ArrayLike, /, decimals: int = 0) -> Array:
    """`round` by its other name."""
    return elementwise.round(x, decimals)


def rint(x: ArrayLike, /) -> Array:
    """The nearest whole number, halves to the even one, as a float."""
    return elementwise.round(promote.floating("rint", x))


@core.fresh
def fix(x: ArrayLike, /) -> Array:
    """The nearest whole number toward zero."""
    return elementwise.trunc(x)


def fabs(x: ArrayLike, /) -> Array:
    """The absolute value of real numbers, as a float."""
    return elementwise.abs(_real("fabs", x))


def modf(x: ArrayLike, /) -> tuple[Array, Array]:
    """The part of x behind the point, and that before it; both have the sign of x."""
    operand = _real("modf", x)
    minus = logic.signbit(operand)
    size = _negated_where(minus, operand)
    whole = elementwise.trunc(size)
    # An infinity has no part behind the point, and its difference from itself is NaN.
    part = logic.where(logic.isinf(size), 0, elementwise.subtract(size, whole))
    return _negated_where(minus, part), _negated_where(minus, whole)


_EXPONENT_BITS = {"f32": (8, 23), "f64": (11, 52)}


def _power_of_two(exponent: Array, dtype: DType) -> Array:
    """2 to a power that is in the range of f32's or f64's normal numbers, exactly."""
    bits, digits = _EXPONENT_BITS[dtype.name]
    whole = dtypes.BY_NAME[f"i{dtype.bits}"]
    biased = elementwise.add(promote.cast(exponent, whole), (1 << (bits - 1)) - 1)
    return core.bind1(Bitcast(dtype), logic.bitwise_left_shift(biased, digits))


def ldexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 times 2 to the power of the integers x2, rounded once."""
    x, power = promote.floating("ldexp", x1), promote.array("ldexp", x2)
    if not core.dtype_of(power).is_integer:
        promote.bad_dtype(f"ldexp: powers are integers, not {core.dtype_of(power)}", x, power)
    own = core.dtype_of(x)
    if own.is_complex:
        return combined(ldexp(real(x), power), ldexp(imag(x), power))
    wide = own.accumulator
    bias, digits = (1 << (_EXPONENT_BITS[wide.name][0] - 1)) - 1, _EXPONENT_BITS[wide.name][1]
    # Beyond four times the range of exponents nothing changes any more.
    kind = core.dtype_of(power)
    power = promote.cast(power, dtypes.i32) if kind.bits < 32 else power
    least = 0 if kind.kind == "uint" and kind.bits >= 32 else -4 * bias
    left = promote.cast(elementwise.clip(power, least, 4 * bias), dtypes.i32)
    result = promote.cast(x, wide)
    # What goes down keeps all digits above the least normal number until the last factor, so that it rounds once.
    down = bias - 1 - digits - 1
    for _ in range(2):
        part = logic.where(logic.greater(left, bias), bias, logic.where(logic.less(left, 1 - bias), -down, 0))
        result = elementwise.multiply(result, _power_of_two(part, wide))
        left = elementwise.subtract(left, part)
    result = elementwise.multiply(result, _power_of_two(elementwise.clip(left, 1 - bias, bias), wide))
    return promote.cast(result, own)


def frexp(x: ArrayLike, /) -> tuple[Array, Array]:
    """A float m with 0.5 <= |m| < 1 and an integer e, such that x = m 2**e. Zeros, infinities and NaN have e = 0."""
    operand = _real("frexp", x)
    wide = core.dtype_of(operand).accumulator
    bits, digits = _EXPONENT_BITS[wide.name]
    value = promote.stopped(promote.cast(operand, wide))
    # What has fewer digits than others is made normal first.
    small = logic.less(elementwise.abs(value), 2.0 ** (2 - (1 << (bits - 1))))
    value = elementwise.multiply(value, logic.where(small, 2.0 ** (digits + 1), 1.0))
    raw = core.bind1(Bitcast(dtypes.BY_NAME[f"i{wide.bits}"]), value)
    biased = logic.bitwise_and(logic.bitwise_right_shift(raw, digits), (1 << bits) - 1)
    power = elementwise.subtract(biased, (1 << (bits - 1)) - 2)
    power = elementwise.subtract(power, logic.where(small, digits + 1, 0))
    plain = logic.logical_and(logic.isfinite(value), logic.not_equal(value, 0))
    exponent = promote.cast(logic.where(plain, power, 0), DEFAULT_INT)
    return ldexp(operand, elementwise.negative(exponent)), exponent


def spacing(x: ArrayLike, /) -> Array:
    """The distance from x to the next float away from zero, negative of negative x; NaN of what is not finite."""
    operand = promote.stopped(_real("spacing", x))
    size = elementwise.abs(operand)
    distance = elementwise.subtract(elementwise.nextafter(size, float("inf")), size)
    return _negated_where(logic.less(operand, 0), distance)


# -- extremes, signs and steps -----------------------------------------------------------------------------------------


def fmax(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The greater of two, the other one where one is NaN."""
    a, b = promote.promoted("fmax", x1, x2)
    return logic.where(logic.isnan(a), b, logic.where(logic.isnan(b), a, elementwise.maximum(a, b)))


def fmin(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The smaller of two, the other one where one is NaN."""
    a, b = promote.promoted("fmin", x1, x2)
    return logic.where(logic.isnan(a), b, logic.where(logic.isnan(b), a, elementwise.minimum(a, b)))


def heaviside(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """0 where x1 is negative, x2 where it is 0, 1 where it is positive; its derivative by x1 is 0."""
    x, middle = promote.promoted("heaviside", x1, x2, floating=True)
    _real("heaviside", x)
    x = promote.stopped(x)
    step = logic.where(logic.isnan(x), x, promote.cast(logic.greater(x, 0), core.dtype_of(x)))
    return logic.where(logic.equal(x, 0), middle, step)


def isposinf(x: ArrayLike, /) -> Array:
    """Whether it is positive infinity."""
    return _is_infinity("isposinf", x, "inf")


def isneginf(x: ArrayLike, /) -> Array:
    """Whether it is negative infinity."""
    return _is_infinity("isneginf", x, "-inf")


def _is_infinity(name: str, x: ArrayLike, which: str) -> Array:
    operand = promote.array(name, x)
    if core.dtype_of(operand).is_complex:
        promote.bad_dtype(f"{name} takes real numbers, not {core.dtype_of(operand)}", operand)
    return logic.equal(operand, float(which)) if core.dtype_of(operand).is_float else logic.isinf(operand)


# -- angles and waves --------------------------------------------------------------------------------------------------


def deg2rad(x: ArrayLike, /) -> Array:
    """Degrees as radians."""
    return elementwise.multiply(_real("deg2rad", x), math.pi / 180)


def rad2deg(x: ArrayLike, /) -> Array:
    """Radians as degrees."""
    return elementwise.multiply(_real("rad2deg", x), 180 / math.pi)


degrees = rad2deg
radians = deg2rad

_SERIES = 0.5
"""Below this angle `sinc` is its power series, whose derivatives do not cancel."""


def sinc(x: ArrayLike, /) -> Array:
    """sin(pi x) / (pi x), 1 at 0; derivatives of every order are right there too."""
    operand = promote.floating("sinc", x)
    angle = elementwise.multiply(operand, math.pi)
    near = logic.less(elementwise.abs(angle), _SERIES)
    squared = elementwise.square(logic.where(near, angle, 0))
    series = promote.numbers("sinc", 0, squared)
    for order in range(15, 0, -2):
        series = elementwise.subtract(1 / math.factorial(order), elementwise.multiply(squared, series))
    # The sine of what is left to the nearest integer, which is exact.
    far = logic.where(near, 0.5, operand)
    whole = elementwise.round(real(far))
    sine = transcendental.sin(elementwise.multiply(elementwise.subtract(far, whole), math.pi))
    sine = logic.where(logic.equal(elementwise.remainder(whole, 2), 0), sine, elementwise.negative(sine))
    return logic.where(near, series, elementwise.divide(sine, logic.where(near, 1, angle)))


def logaddexp2(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """log2(2**x1 + 2**x2) without overflow in between, right at infinities."""
    x, y = promote.promoted("logaddexp2", x1, x2, floating=True)
    swap = logic.less(x, y)
    high, low = logic.where(swap, y, x), logic.where(swap, x, y)
    gap = elementwise.subtract(low, high)
    # Two equal infinities have no difference; any gap that is a number leaves the infinity as it is.
    gap = logic.where(logic.logical_and(logic.equal(x, y), logic.isnan(gap)), 0, gap)
    return elementwise.add(high, elementwise.multiply(transcendental.log1p(transcendental.exp2(gap)), 1 / math.log(2)))


__all__ = [
    "around",
    "deg2rad",
    "degrees",
    "divmod",
    "fabs",
    "fix",
    "float_power",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "gcd",
    "heaviside",
    "isneginf",
    "isposinf",
    "lcm",
    "ldexp",
    "logaddexp2",
    "modf",
    "rad2deg",
    "radians",
    "rint",
    "sinc",
    "spacing",
]
