"""Rules for arithmetic. Every one gives the same bits, for NaN, infinities, zeros of either sign and denormals too.

The sign and the payload of a NaN are not part of a value: IEEE 754 leaves them open. A product with 1 + 0i is not
exact: infinities times 0 are NaN, and zeros may change their sign.
"""

from __future__ import annotations

import math

from rosin.ir.dtypes import DType
from rosin.ir.op import Op, Value
from rosin.ir.ops.arithmetic import Abs, Add, Ceil, Div, Floor, Maximum, Mul, Neg, Round, Sub, Trunc
from rosin.passes.rewrite import Rewriter

# Exponents of the least normal number of each float type.
_LEAST = {"f16": -14, "bf16": -126, "f32": -126, "f64": -1022}
_GREATEST = {"f16": 15, "bf16": 127, "f32": 127, "f64": 1023}


def _negative_zero(dtype: DType) -> complex | int:
    """The number that leaves every number as it is when it is added."""
    return complex(-0.0, -0.0) if dtype.is_complex else -0.0 if dtype.is_float else 0


def add_zero(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x + 0 → x. In floats only for -0.0, since -0.0 + 0.0 is +0.0."""
    return x if b.is_all(y, _negative_zero(x.type.dtype)) else None


def add_negated(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x + -y → x - y"""
    if (positive := b.operand_of(y, Neg)) is not None:
        return b.sub(x, positive)
    if (positive := b.operand_of(x, Neg)) is not None:
        return b.sub(y, positive)
    return None


def add_constants(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """(x + c) + d → x + (c + d) in integers"""
    inner = b.made_by(x, Add) if x.type.dtype.is_integer and b.splat(y) is not None else None
    if inner is None or b.splat(inner[1][1]) is None:
        return None
    return b.add(inner[1][0], b.add(inner[1][1], y))


def sub_zero(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x - 0 → x, and 0 - y → -y. In floats the first for +0.0, the second for -0.0."""
    if b.is_all(y, 0):
        return x
    return b.neg(y) if b.is_all(x, _negative_zero(x.type.dtype)) else None


def sub_negated(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x - -y → x + y"""
    positive = b.operand_of(y, Neg)
    return None if positive is None else b.add(x, positive)


def sub_itself(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x - x → 0 in integers; in floats infinity - infinity is NaN."""
    return b.like(0, x) if x is y and x.type.dtype.is_integer else None


def mul_by_unit(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x * 1 → x, and x * -1 → -x, of real numbers"""
    if x.type.dtype.is_complex:
        return None
    if b.is_all(y, 1):
        return x
    return b.neg(x) if x.type.dtype.kind != "uint" and b.is_all(y, -1) else None


def mul_by_zero(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x * 0 → 0 in integers; in floats x may be NaN, infinite or negative."""
    return y if x.type.dtype.is_integer and b.is_all(y, 0) else None


def negated_both(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """-x * -y → x * y, and -x / -y → x / y; not for complex quotients, of which a division by 0 has the sign of x."""
    if isinstance(op, Div) and x.type.dtype.is_complex:
        return None
    left, right = b.operand_of(x, Neg), b.operand_of(y, Neg)
    return None if left is None or right is None else b.node(op, left, right)[0]


def negated_by_constant(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """-x * c → x * -c, and -x / c → x / -c; not for complex quotients, as above"""
    if isinstance(op, Div) and x.type.dtype.is_complex:
        return None
    positive = b.operand_of(x, Neg)
    return None if positive is None or b.splat(y) is None else b.node(op, positive, b.neg(y))[0]


def mul_by_constants(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """(x * c) * d → x * (c * d) in integers, and in floats for powers of two that are at least 1.

    With any other numbers a product in between might round, overflow or underflow where the product of all does not.
    """
    inner, outer = b.made_by(x, Mul), b.splat(y)
    if inner is None or outer is None:
        return None
    _, (value, factor) = inner
    constant = b.splat(factor)
    dtype = x.type.dtype
    if constant is None or dtype.is_complex:
        return None
    if dtype.is_float:
        first, second = _exponent(constant.scalar), _exponent(outer.scalar)
        if first is None or second is None or min(first, second) < 0 or not _is_normal(first + second, dtype):
            return None
    return b.mul(value, b.mul(factor, y))


def div_by_power_of_two(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x / c → x * (1 / c) where 1 / c is exact and no denormal, such as for c = -1 or c = 8."""
    constant = None if x.type.dtype.is_complex else b.splat(y)
    exponent = None if constant is None else _exponent(constant.scalar)
    if constant is None or exponent is None or not _is_normal(-exponent, x.type.dtype):
        return None
    return b.mul(x, 1.0 / constant.scalar)


def _exponent(number: float) -> int | None:
    """k when the number is 2**k or -2**k, else None."""
    mantissa, exponent = math.frexp(number)
    return exponent - 1 if abs(mantissa) == 0.5 else None


def _is_normal(exponent: int, dtype: DType) -> bool:
    return _LEAST[dtype.name] <= exponent <= _GREATEST[dtype.name]


def whole_by_one(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x // 1 → x in integers"""
    return x if x.type.dtype.is_integer and b.is_all(y, 1) else None


def remainder_by_one(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x % 1 → 0 in integers"""
    return b.like(0, x) if x.type.dtype.is_integer and b.is_all(y, 1) else None


def neg_twice(b: Rewriter, op: Op, x: Value) -> Value | None:
    """--x → x"""
    return b.operand_of(x, Neg)


def neg_of_difference(b: Rewriter, op: Op, x: Value) -> Value | None:
    """-(x - y) → y - x in integers; in floats the zero of x - x would change its sign."""
    from_sub = b.made_by(x, Sub) if x.type.dtype.is_integer else None
    return None if from_sub is None else b.sub(from_sub[1][1], from_sub[1][0])


def abs_of_sign(b: Rewriter, op: Op, x: Value) -> Value | None:
    """abs(-x) → abs(x), abs(abs(x)) → abs(x), and abs of an unsigned number → the number"""
    if x.type.dtype.kind == "uint" or b.operand_of(x, Abs) is not None:
        return x
    positive = b.operand_of(x, Neg)
    return None if positive is None else b.abs(positive)


def rounded_twice(b: Rewriter, op: Op, x: Value) -> Value | None:
    """floor, ceil, round or trunc of a whole number → the number"""
    return x if any(b.operand_of(x, kind) is not None for kind in (Floor, Ceil, Round, Trunc)) else None


def sign_of_sign(b: Rewriter, op: Op, x: Value) -> Value | None:
    """sign(sign(x)) → sign(x) of real numbers"""
    return x if not x.type.dtype.is_complex and b.operand_of(x, type(op)) is not None else None


def extreme_of_itself(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """max(x, x) → x, and min(x, x) → x"""
    return x if x is y else None


def extreme_with_bound(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """max(x, least number) → x, and in integers max(x, greatest number) → that; min alike.

    In floats max(x, inf) is not inf for NaN.
    """
    dtype = x.type.dtype
    neutral, absorbing = dtype.lowest, dtype.highest
    if not isinstance(op, Maximum):
        neutral, absorbing = absorbing, neutral
    for bound, other in ((y, x), (x, y)):
        if b.is_all(bound, neutral):
            return other
        if not dtype.is_float and b.is_all(bound, absorbing):
            return bound
    return None


def clamp_one_side(b: Rewriter, op: Op, low: Value, x: Value, high: Value) -> Value | None:
    """clamp(least number, x, high) → min(x, high), and clamp(low, x, greatest number) → max(x, low)"""
    if b.is_all(low, x.type.dtype.lowest):
        return b.minimum(x, high)
    return b.maximum(x, low) if b.is_all(high, x.type.dtype.highest) else None
