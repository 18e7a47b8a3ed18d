"""Rules for comparisons, truth and bits, selection, and changes of element type."""

from __future__ import annotations

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise, Op, Value
from rosin.ir.ops.cast import Bitcast, Cast
from rosin.ir.ops.logic import (
    Comparison,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Not,
    NotEqual,
    Or,
    Select,
)
from rosin.passes.rewrite import Rewriter

_OPPOSITE: dict[type[Op], Elementwise] = {
    Equal: NotEqual(),
    NotEqual: Equal(),
    Less: GreaterEqual(),
    GreaterEqual: Less(),
    Greater: LessEqual(),
    LessEqual: Greater(),
}


def _ones(dtype: DType) -> int:
    """The number whose bits are all set."""
    return int(dtype.highest) if dtype.kind in ("bool", "uint") else -1


def not_twice(b: Rewriter, op: Op, x: Value) -> Value | None:
    """~~x → x"""
    return b.operand_of(x, Not)


def not_of_comparison(b: Rewriter, op: Op, x: Value) -> Value | None:
    """not (x < y) → x >= y and its like. With NaN both orders are false, so in floats only for == and !=."""
    found = b.made_by(x, Comparison)
    if found is None or x.type.dtype != dtypes.bool_:
        return None
    comparison, operands = found
    ordered = not isinstance(comparison, Equal | NotEqual)
    if ordered and operands[0].type.dtype.is_float:
        return None
    return b.node(_OPPOSITE[type(comparison)], *operands)[0]


def bits_of_itself(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x & x → x, and x | x → x"""
    return x if x is y else None


def and_with_constant(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x & all ones → x, and x & 0 → 0; | the other way round"""
    neutral, absorbing = _ones(x.type.dtype), 0
    if isinstance(op, Or):
        neutral, absorbing = absorbing, neutral
    if b.is_all(y, neutral):
        return x
    return y if b.is_all(y, absorbing) else None


def xor_with_constant(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x ^ 0 → x, x ^ all ones → ~x, and x ^ x → 0"""
    if x is y:
        return b.like(0, x)
    if b.is_all(y, 0):
        return x
    return b.logical_not(x) if b.is_all(y, _ones(x.type.dtype)) else None


def shift_by_zero(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x << 0 → x, and x >> 0 → x"""
    return x if b.is_all(y, 0) else None


def compared_with_itself(b: Rewriter, op: Op, x: Value, y: Value) -> Value | None:
    """x == x → true, x < x → false and their like; not in floats, where NaN differs from itself."""
    if x is not y or x.type.dtype.differentiable:
        return None
    return b.full(isinstance(op, Equal | LessEqual | GreaterEqual), x.type.with_dtype(dtypes.bool_))


def select_known(b: Rewriter, op: Op, condition: Value, x: Value, y: Value) -> Value | None:
    """select(c, x, x) → x, select(true, x, y) → x, and select(false, x, y) → y"""
    if x is y or b.is_all(condition, True):
        return x
    return y if b.is_all(condition, False) else None


def select_on_not(b: Rewriter, op: Op, condition: Value, x: Value, y: Value) -> Value | None:
    """select(not c, x, y) → select(c, y, x)"""
    positive = b.operand_of(condition, Not)
    return None if positive is None else b.select(positive, y, x)


def select_of_truth(b: Rewriter, op: Op, condition: Value, x: Value, y: Value) -> Value | None:
    """select(c, true, false) → c, and select(c, false, true) → not c"""
    if x.type.dtype != dtypes.bool_:
        return None
    if b.is_all(x, True) and b.is_all(y, False):
        return condition
    return b.logical_not(condition) if b.is_all(x, False) and b.is_all(y, True) else None


def select_nested(b: Rewriter, op: Op, condition: Value, x: Value, y: Value) -> Value | None:
    """select(c, select(c, x, _), y) → select(c, x, y), and the same in the other branch"""
    inner = b.made_by(x, Select)
    if inner is not None and inner[1][0] is condition:
        return b.select(condition, inner[1][1], y)
    inner = b.made_by(y, Select)
    return b.select(condition, x, inner[1][2]) if inner is not None and inner[1][0] is condition else None


def cast_to_same(b: Rewriter, op: Cast, x: Value) -> Value | None:
    """A cast to the type it has → x"""
    return x if x.type.dtype == op.dtype else None


def cast_twice(b: Rewriter, op: Cast, x: Value) -> Value | None:
    """A cast of a cast that loses nothing → one cast.

    Not from integer over float to integer, where the second cast saturates and one cast would wrap around.
    """
    source = b.operand_of(x, Cast)
    if source is None:
        return None
    first, middle, last = source.type.dtype, x.type.dtype, op.dtype
    saturates = first.is_integer and middle.is_float and last.is_integer and not holds(last, first)
    return b.cast(source, last) if holds(middle, first) and not saturates else None


def holds(wide: DType, narrow: DType) -> bool:
    """Whether every number of one type is a number of the other."""
    if wide == narrow or narrow == dtypes.bool_:
        return True
    if wide.is_complex:
        return holds(wide.part, narrow.part)
    if narrow.is_complex:
        return False
    if narrow.is_float:
        return wide.is_float and wide.bits > narrow.bits
    if wide.is_float:
        # The greatest magnitude of a signed type is a power of two, so its sign bit needs no digit.
        return narrow.bits - (narrow.kind == "int") <= _DIGITS[wide.name]
    if wide.kind == narrow.kind:
        return wide.bits > narrow.bits
    return wide.kind == "int" and wide.bits > narrow.bits


_DIGITS = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}


def bitcast_known(b: Rewriter, op: Bitcast, x: Value) -> Value | None:
    """A bitcast to the type it has → x, and a bitcast of a bitcast → one bitcast"""
    if x.type.dtype == op.dtype:
        return x
    source = b.operand_of(x, Bitcast)
    return None if source is None else b.bitcast(source, op.dtype)
