"""Rules for powers. They round otherwise than a power does: see rosin.passes.strength."""

from __future__ import annotations

from rosin.ir.op import Op, Value
from rosin.passes.rewrite import Rewriter


def pow_of_zero_or_one(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(x, 0) → 1, of NaN too, and pow(x, 1) → x"""
    if b.is_all(y, 0) or b.is_all(y, -0.0):
        return b.like(1.0, x)
    return x if b.is_all(y, 1) else None


def pow_of_small_integer(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """pow(x, 2) → x * x, pow(x, 3) → x * x * x, pow(x, 4) → the square of the square, and pow(x, -1) → 1 / x"""
    if b.is_all(y, -1):
        return b.div(1.0, x)
    if b.is_all(y, 3):
        return b.mul(b.mul(x, x), x)
    if b.is_all(y, 2) or b.is_all(y, 4):
        square = b.mul(x, x)
        return square if b.is_all(y, 2) else b.mul(square, square)
    return None
