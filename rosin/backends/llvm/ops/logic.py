"""LLVM for comparisons, bit logic, shifts and selection."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise
from rosin.ir.ops import logic as ops


def _compare(floats: str, integers: str):  # the type is that of the functions beside it
    def emit(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
        if dtype.is_float:
            return e.fcmp(floats, x, y)
        if integers in ("eq", "ne"):
            return e.icmp(integers, x, y)
        return e.icmp(("s" if dtype.kind == "int" else "u") + integers, x, y)

    return emit


def _bits(opcode: str):  # the type is that of the functions beside it
    def emit(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
        return e.binary(opcode, x, y)

    return emit


def _not(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    return e.bit_xor(x, e.like(True if dtype.kind == "bool" else -1, x))


def _shift_left(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    inside = e.icmp("ult", y, e.like(dtype.bits, y))
    return e.select(inside, e.shl(x, e.select(inside, y, e.like(0, y))), e.like(0, x))


def _shift_right(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    inside = e.icmp("ult", y, e.like(dtype.bits, y))
    if dtype.kind == "uint":
        return e.select(inside, e.lshr(x, e.select(inside, y, e.like(0, y))), e.like(0, x))
    return e.ashr(x, e.select(inside, y, e.like(dtype.bits - 1, y)))


def _isfinite(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    return e.fcmp("olt", e.intrinsic("llvm.fabs", x), e.like(float("inf"), x))


def _isnan(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    return e.fcmp("uno", x, x)


def _select(e: Emitter, op: Elementwise, dtype: DType, condition: Val, x: Val, y: Val) -> Val:
    return e.select(condition, x, y)


EMIT = {
    ops.Equal: _compare("oeq", "eq"),
    ops.NotEqual: _compare("une", "ne"),
    ops.Less: _compare("olt", "lt"),
    ops.LessEqual: _compare("ole", "le"),
    ops.Greater: _compare("ogt", "gt"),
    ops.GreaterEqual: _compare("oge", "ge"),
    ops.And: _bits("and"),
    ops.Or: _bits("or"),
    ops.Xor: _bits("xor"),
    ops.Not: _not,
    ops.ShiftLeft: _shift_left,
    ops.ShiftRight: _shift_right,
    ops.IsFinite: _isfinite,
    ops.IsNan: _isnan,
    ops.Select: _select,
}
