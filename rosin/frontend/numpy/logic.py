"""Comparisons, truth and bit logic, shifts, selection, and questions about floats.

Operands are promoted and broadcast (`promote.py`). Every function raises `DTypeError` for operands of the wrong kind
and `ShapeError` for shapes that do not broadcast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.op import Op
from rosin.ir.ops import arithmetic
from rosin.ir.ops import logic as ops
from rosin.ir.ops.cast import Bitcast
from rosin.ir.ops.complex import Imag, Real
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- comparisons -------------------------------------------------------------------------------------------------------


def equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 == x2; false where either is NaN."""
    return core.bind1(ops.Equal(), *promote.promoted("equal", x1, x2))


def not_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 != x2; true where either is NaN."""
    return core.bind1(ops.NotEqual(), *promote.promoted("not_equal", x1, x2))


def _ordered(name: str, op: Op, x1: ArrayLike, x2: ArrayLike) -> Array:
    """An order of numbers. Of complex ones that of their real parts, and where they are equal of their imaginary ones;
    `op` says of these whether they may be equal."""
    a, b = promote.promoted(name, x1, x2)
    if not core.dtype_of(a).is_complex:
        return core.bind1(op, a, b)
    (ar, ai), (br, bi) = ((core.bind1(Real(), x), core.bind1(Imag(), x)) for x in (a, b))
    strict = ops.Less() if isinstance(op, ops.Less | ops.LessEqual) else ops.Greater()
    first = logical_and(core.bind1(strict, ar, br), logical_not(logical_or(isnan(ai), isnan(bi))))
    return logical_or(first, logical_and(equal(ar, br), core.bind1(op, ai, bi)))


def less(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 < x2; false where either is NaN. Complex numbers are compared by their real parts first, as NumPy does."""
    return _ordered("less", ops.Less(), x1, x2)


def less_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 <= x2; false where either is NaN."""
    return _ordered("less_equal", ops.LessEqual(), x1, x2)


def greater(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 > x2; false where either is NaN."""
    return _ordered("greater", ops.Greater(), x1, x2)


def greater_equal(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 >= x2; false where either is NaN."""
    return _ordered("greater_equal", ops.GreaterEqual(), x1, x2)


def isclose(
    x1: ArrayLike, x2: ArrayLike, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: bool = False
) -> Array:
    """Whether |x1 - x2| <= atol + rtol |x2|. Infinities are close to themselves alone, NaN to NaN if `equal_nan`."""
    x, y = promote.promoted("isclose", x1, x2, floating=True)
    distance = core.bind1(arithmetic.Abs(), core.bind1(arithmetic.Sub(), x, y))
    size = core.bind1(arithmetic.Abs(), y)
    scaled = core.bind1(arithmetic.Mul(), size, promote.numbers("isclose", rtol, size))
    bound = core.bind1(arithmetic.Add(), scaled, promote.numbers("isclose", atol, size))
    near = logical_and(less_equal(distance, bound), logical_and(isfinite(x), isfinite(y)))
    close = logical_or(near, equal(x, y))
    return logical_or(close, logical_and(isnan(x), isnan(y))) if equal_nan else close


# -- truth -------------------------------------------------------------------------------------------------------------


def truth(name: str, x: ArrayLike) -> Array:
    """An operand as truth values: a number is true when it is not zero."""
    return promote.cast(promote.array(name, x), dtypes.bool_)


def _truths(name: str, op: Op, x1: ArrayLike, x2: ArrayLike) -> Array:
    return core.bind1(op, *promote.promoted(name, truth(name, x1), truth(name, x2)))


def logical_and(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Whether both are true; numbers are true when they are not zero."""
    return _truths("logical_and", ops.And(), x1, x2)


def logical_or(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Whether either is true; numbers are true when they are not zero."""
    return _truths("logical_or", ops.Or(), x1, x2)


def logical_xor(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Whether exactly one is true; numbers are true when they are not zero."""
    return _truths("logical_xor", ops.Xor(), x1, x2)


def logical_not(x: ArrayLike, /) -> Array:
    """Whether it is not true; numbers are true when they are not zero."""
    return core.bind1(ops.Not(), truth("logical_not", x))


def where(condition: ArrayLike, x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 where the condition holds, else x2; the three are broadcast. What is not selected has derivative 0."""
    test = truth("where", condition)
    given = promote.operands("where", (x1, x2))
    dtype = promote.common_dtype(given)
    shape = promote.broadcast_arrays_shape("where", [test, *(x for x in given if promote.is_array(x))])
    (test,) = promote.spread_operands("where", [test], TensorType(dtypes.bool_, shape))
    return core.bind1(ops.Select(), test, *promote.spread_operands("where", given, TensorType(dtype, shape)))


# -- bits --------------------------------------------------------------------------------------------------------------


def bitwise_and(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 & x2 of integers or truth values."""
    return core.bind1(ops.And(), *promote.promoted("bitwise_and", x1, x2))


def bitwise_or(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 | x2 of integers or truth values."""
    return core.bind1(ops.Or(), *promote.promoted("bitwise_or", x1, x2))


def bitwise_xor(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 ^ x2 of integers or truth values."""
    return core.bind1(ops.Xor(), *promote.promoted("bitwise_xor", x1, x2))


def bitwise_invert(x: ArrayLike, /) -> Array:
    """~x of integers or truth values."""
    return core.bind1(ops.Not(), promote.array("bitwise_invert", x))


def bitwise_left_shift(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 << x2 of integers. A count below 0 or not below the width shifts every bit out."""
    return core.bind1(ops.ShiftLeft(), *promote.promoted("bitwise_left_shift", x1, x2))


def bitwise_right_shift(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """x1 >> x2 of integers, keeping the sign. A count below 0 or not below the width shifts every bit out."""
    return core.bind1(ops.ShiftRight(), *promote.promoted("bitwise_right_shift", x1, x2))


# -- questions about floats --------------------------------------------------------------------------------------------


def _everywhere(value: bool, x: Array) -> Array:
    return promote.number("full", value, TensorType(dtypes.bool_, core.shape_of(x)))


def isfinite(x: ArrayLike, /) -> Array:
    """Whether it is neither an infinity nor NaN, in both parts of a complex number."""
    operand = promote.array("isfinite", x)
    return core.bind1(ops.IsFinite(), operand) if core.dtype_of(operand).differentiable else _everywhere(True, operand)


def isinf(x: ArrayLike, /) -> Array:
    """Whether it is an infinity, in a part of a complex number."""
    operand = promote.array("isinf", x)
    dtype = core.dtype_of(operand)
    if dtype.is_complex:
        return logical_or(isinf(core.bind1(Real(), operand)), isinf(core.bind1(Imag(), operand)))
    if not dtype.is_float:
        return _everywhere(False, operand)
    return core.bind1(ops.Not(), core.bind1(ops.Or(), isfinite(operand), isnan(operand)))


def isnan(x: ArrayLike, /) -> Array:
    """Whether it is NaN, in a part of a complex number."""
    operand = promote.array("isnan", x)
    return core.bind1(ops.IsNan(), operand) if core.dtype_of(operand).differentiable else _everywhere(False, operand)


def signbit(x: ArrayLike, /) -> Array:
    """Whether the sign is minus, that of -0.0 and of a negative NaN too."""
    operand = promote.numeric("signbit", x)
    dtype = core.dtype_of(operand)
    if dtype.is_float:
        operand = core.bind1(Bitcast(dtypes.BY_NAME[f"i{dtype.bits}"]), promote.stopped(operand))
    return less(operand, 0)
