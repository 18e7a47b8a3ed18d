"""Rules for powers. They round otherwise than a power does: see rosin.passes.strength."""

from __future__ import annotations

import math

from rosin.ir.op import Op, Value
from rosin.ir.ops.exponential import Exp2
from rosin.passes.rewrite import Rewriter


def pow_of_zero_or_one(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(x, 0) → 1, of NaN too, and pow(x, 1) → x"""
    if b.is_all(y, 0) or b.is_all(y, -0.0):
        return b.like(1.0, x)
    return x if b.is_all(y, 1) else None


def pow_of_small_integer(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(x, 2) → x * x, pow(x, 3) → x * x * x, pow(x, 4) → the square of the square; from -3 to -1 powers of 1 / x"""
    for count in range(1, 5):
        negative = count < 4 and b.is_all(y, -count)
        if negative or (count > 1 and b.is_all(y, count)):
            # Of the reciprocal: the power of x may be infinite, or have lost digits, where its reciprocal has not.
            base = b.div(1.0, x) if negative else x
            if count == 1:
                return base
            square = b.mul(base, base)
            return square if count == 2 else b.mul(square, base if count == 3 else square)
    return None


def pow_of_half_integer(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(x, 1/2) → sqrt(x), pow(x, 3/2) → x * sqrt(x), pow(x, 5/2) → x * x * sqrt(x), pow(x, -1/2) → 1 / sqrt(x) and
    pow(x, -3/2) → 1 / x / sqrt(x), where x is not -∞, whose powers are ∞ and 0; and of +0 for -0"""
    if not x.type.dtype.is_float:
        return None
    for half in (1, 3, 5, -1, -3):
        if b.is_all(y, half / 2):
            base = b.add(x, 0.0)
            root = b.sqrt(base) if half > 0 else b.rsqrt(base)
            for _ in range(abs(half) // 2):
                root = b.mul(root, base) if half > 0 else b.mul(root, b.div(1.0, base))
            return b.select(b.equal(x, -math.inf), b.like(math.inf if half > 0 else 0.0, x), root)
    return None


def pow_of_base_two(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(2, y) → exp2(y)"""
    return b.node(Exp2(), y)[0] if y.type.dtype.is_float and b.is_all(x, 2) else None
