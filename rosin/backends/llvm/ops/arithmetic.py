"""LLVM for elementwise arithmetic. Each function gets the emitter, the op, the operands' type and the operands."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise
from rosin.ir.ops import arithmetic as ops


def _add(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    return e.binary("fadd" if dtype.is_float else "add", x, y)


def _sub(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    return e.binary("fsub" if dtype.is_float else "sub", x, y)


def _mul(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    return e.binary("fmul" if dtype.is_float else "mul", x, y)


def _div(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    return e.fdiv(x, y)


def _neg(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    return e.fneg(x) if dtype.is_float else e.sub(e.like(0, x), x)


def _abs(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    if dtype.is_float:
        return e.intrinsic("llvm.fabs", x)
    return x if dtype.kind == "uint" else e.intrinsic("llvm.abs", x, trailing=["i1 false"])


def _sign(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
    zero, one = e.like(0, x), e.like(1, x)
    if dtype.is_float:
        minus = e.select(e.fcmp("olt", x, zero), e.like(-1, x), e.select(e.fcmp("oeq", x, zero), zero, x))
        return e.select(e.fcmp("ogt", x, zero), one, minus)
    if dtype.kind == "uint":
        return e.select(e.icmp("eq", x, zero), zero, one)
    minus = e.select(e.icmp("slt", x, zero), e.like(-1, x), zero)
    return e.select(e.icmp("sgt", x, zero), one, minus)


def _rounding(intrinsic: str):  # the type is that of the functions beside it
    def emit(e: Emitter, op: Elementwise, dtype: DType, x: Val) -> Val:
        return e.intrinsic(intrinsic, x)

    return emit


def _extreme(greater: bool):  # the type is that of the functions beside it
    def emit(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
        if dtype.kind == "bool":
            return e.bit_or(x, y) if greater else e.bit_and(x, y)
        if dtype.is_float:
            if y.is_number:
                # One that is not less, or not comparable: a NaN in x is kept.
                return e.select(e.fcmp("ugt" if greater else "ult", x, y), x, y)
            # The comparison picks y when either is NaN, so only a NaN in x is left to keep.
            picked = e.select(e.fcmp("ogt" if greater else "olt", x, y), x, y)
            return picked if x.is_number else e.select(e.fcmp("uno", x, x), x, picked)
        sign = "s" if dtype.kind == "int" else "u"
        return e.intrinsic(f"llvm.{sign}{'max' if greater else 'min'}", x, y)

    return emit


_maximum, _minimum = _extreme(True), _extreme(False)


def _clamp(e: Emitter, op: Elementwise, dtype: DType, low: Val, x: Val, high: Val) -> Val:
    return _minimum(e, op, dtype, _maximum(e, op, dtype, x, low), high)


def _floor_divide(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    if dtype.is_float:
        return _floor_divide_floats(e, x, y)
    zero = e.like(0, x)
    by_zero = e.icmp("eq", y, zero)
    if dtype.kind == "uint":
        quotient = e.binary("udiv", x, e.select(by_zero, e.like(1, x), y))
        return e.select(by_zero, zero, quotient)
    # Dividing the least integer by -1 traps, so that -1 is kept away from the division as 0 is.
    by_minus_one = e.icmp("eq", y, e.like(-1, x))
    safe = e.select(e.bit_or(by_zero, by_minus_one), e.like(1, x), y)
    quotient, rest = e.binary("sdiv", x, safe), e.binary("srem", x, safe)
    down = e.bit_and(e.icmp("ne", rest, zero), e.icmp("slt", e.bit_xor(rest, safe), zero))
    floored = e.select(down, e.sub(quotient, e.like(1, x)), quotient)
    return e.select(by_zero, zero, e.select(by_minus_one, e.sub(zero, x), floored))


def _remainder(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    if dtype.is_float:
        return _remainder_floats(e, x, y)
    zero = e.like(0, x)
    harmless = e.icmp("eq", y, zero)
    if dtype.kind == "int":
        harmless = e.bit_or(harmless, e.icmp("eq", y, e.like(-1, x)))
    safe = e.select(harmless, e.like(1, x), y)
    rest = e.binary("urem" if dtype.kind == "uint" else "srem", x, safe)
    if dtype.kind == "int":
        wrong = e.bit_and(e.icmp("ne", rest, zero), e.icmp("slt", e.bit_xor(rest, safe), zero))
        rest = e.select(wrong, e.add(rest, safe), rest)
    return rest


def _remainder_floats(e: Emitter, x: Val, y: Val) -> Val:
    """The C remainder, moved to the sign of y; a zero has the sign of y."""
    zero = e.like(0, x)
    rest = e.binary("frem", x, y)
    differ = e.bit_xor(e.fcmp("olt", y, zero), e.fcmp("olt", rest, zero))
    moved = e.select(differ, e.fadd(rest, y), rest)
    return e.select(e.fcmp("oeq", rest, zero), e.intrinsic("llvm.copysign", zero, y), moved)


def _floor_divide_floats(e: Emitter, x: Val, y: Val) -> Val:
    """(x - x mod y) / y, rounded to the whole number that it is near to; x / y when y is 0."""
    zero, one = e.like(0, x), e.like(1, x)
    rest = e.binary("frem", x, y)
    quotient = e.fdiv(e.fsub(x, rest), y)
    differ = e.bit_xor(e.fcmp("olt", y, zero), e.fcmp("olt", rest, zero))
    quotient = e.select(e.bit_and(differ, e.fcmp("one", rest, zero)), e.fsub(quotient, one), quotient)
    floor = e.intrinsic("llvm.floor", quotient)
    near = e.select(e.fcmp("ogt", e.fsub(quotient, floor), e.like(0.5, x)), e.fadd(floor, one), floor)
    ratio = e.fdiv(x, y)
    signed = e.select(e.fcmp("oeq", quotient, zero), e.intrinsic("llvm.copysign", zero, ratio), near)
    return e.select(e.fcmp("oeq", y, zero), ratio, signed)


def _nextafter(e: Emitter, op: Elementwise, dtype: DType, x: Val, y: Val) -> Val:
    """One step of the bits, away from zero or toward it."""
    zero = e.like(0, x)
    bits = e.bitcast(x, f"i{dtype.bits}")
    one = e.like(1, bits)
    outward = e.icmp("eq", e.bit_xor(e.fcmp("ogt", x, zero), e.fcmp("olt", x, y)), e.like(False, e.fcmp("olt", x, y)))
    step = e.bitcast(e.select(outward, e.add(bits, one), e.sub(bits, one)), x.elem)
    least = e.intrinsic("llvm.copysign", e.bits_const(1, x), y)
    step = e.select(e.fcmp("oeq", x, zero), least, step)
    step = e.select(e.fcmp("oeq", x, y), y, step)
    return e.select(e.fcmp("uno", x, y), e.fadd(x, y), step)


EMIT = {
    ops.Add: _add,
    ops.Sub: _sub,
    ops.Mul: _mul,
    ops.Div: _div,
    ops.Neg: _neg,
    ops.Abs: _abs,
    ops.Sign: _sign,
    ops.Floor: _rounding("llvm.floor"),
    ops.Ceil: _rounding("llvm.ceil"),
    ops.Round: _rounding("llvm.roundeven"),
    ops.Trunc: _rounding("llvm.trunc"),
    ops.Maximum: _maximum,
    ops.Minimum: _minimum,
    ops.Clamp: _clamp,
    ops.FloorDivide: _floor_divide,
    ops.Remainder: _remainder,
    ops.NextAfter: _nextafter,
}
