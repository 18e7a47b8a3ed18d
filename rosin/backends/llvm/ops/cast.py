"""LLVM for changes of element type."""

from __future__ import annotations

import numpy as np

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.types import register_type
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise
from rosin.ir.ops import cast as ops


def _cast(e: Emitter, op: Elementwise, source: DType, x: Val) -> Val:
    assert isinstance(op, ops.Cast)
    return convert(e, x, source, op.dtype)


def convert(e: Emitter, x: Val, source: DType, target: DType) -> Val:
    """The nearest value of another type, as the op `cast` says."""
    if source == target:
        return x
    if target.kind == "bool":
        return e.fcmp("une", x, e.like(0, x)) if source.is_float else e.icmp("ne", x, e.like(0, x))
    if source.is_float:
        return _float_to_float(e, x, source, target) if target.is_float else _float_to_int(e, x, source, target)
    if target.is_float:
        # Integers reach narrow floats by way of f32, as they do in NumPy.
        opcode = "sitofp" if source.kind == "int" else "uitofp"
        if target.bits == 16:
            return narrow(e, e.convert(opcode, x, "float"), target, simple_nan=True)
        return e.convert(opcode, x, register_type(target))
    if target.bits > source.bits or source.kind == "bool":
        return e.convert("sext" if source.kind == "int" else "zext", x, register_type(target))
    return e.convert("trunc", x, register_type(target)) if target.bits < source.bits else x


def widen(e: Emitter, x: Val, dtype: DType) -> Val:
    """A narrow float as f32."""
    return e.convert("fpext", x, "float") if dtype.bits == 16 else x


def narrow(e: Emitter, x: Val, dtype: DType, simple_nan: bool = False) -> Val:
    """f32 rounded to a 16-bit float, to nearest even.

    bfloat16 is rounded by integer arithmetic: the instruction for it, where there is one, flushes denormals to zero.
    With `simple_nan` the low half of a NaN must be zero, which rounding leaves as it is: so it is where arithmetic has
    made one, or has passed one on that was a 16-bit float before.
    """
    if dtype.name != "bf16":
        return e.convert("fptrunc", x, register_type(dtype))
    bits = e.bitcast(x, "i32")
    high = e.lshr(bits, e.like(16, bits))
    odd = e.bit_and(high, e.like(1, bits))
    result = e.lshr(e.add(bits, e.add(odd, e.like(0x7FFF, bits))), e.like(16, bits))
    if not simple_nan:
        quiet = e.bit_or(high, e.like(0x40, bits))
        result = e.select(e.fcmp("uno", x, x), quiet, result)
    return e.bitcast(e.convert("trunc", result, "i16"), "bfloat")


def _float_to_float(e: Emitter, x: Val, source: DType, target: DType) -> Val:
    if source.bits == 16 and target.bits == 16:
        return narrow(e, e.convert("fpext", x, "float"), target)
    if source.bits == 16:
        return e.convert("fpext", e.convert("fpext", x, "float"), register_type(target))
    if source.bits == 64 and target.name == "bf16":
        # NumPy's bfloat16 rounds by way of f32.
        return narrow(e, e.convert("fptrunc", x, "float"), target)
    if source.bits == 64 and target.name == "f16":
        return e.convert("fptrunc", _to_odd(e, x), "half")
    if target.bits == 16:
        return narrow(e, x, target)
    return e.convert("fpext" if target.bits > source.bits else "fptrunc", x, register_type(target))


def _to_odd(e: Emitter, x: Val) -> Val:
    """f64 as f32, rounded toward zero with the last bit set when not exact, so that rounding again rounds once."""
    near = e.convert("fptrunc", x, "float")
    back = e.convert("fpext", near, "double")
    beyond = e.fcmp("ogt", e.intrinsic("llvm.fabs", back), e.intrinsic("llvm.fabs", x))
    bits = e.bitcast(near, "i32")
    toward_zero = e.sub(bits, e.convert("zext", beyond, "i32"))
    inexact = e.convert("zext", e.fcmp("one", back, x), "i32")
    return e.bitcast(e.bit_or(toward_zero, inexact), "float")


def _float_to_int(e: Emitter, x: Val, source: DType, target: DType) -> Val:
    """Rounded toward zero, the nearest one that there is; 0 for NaN.

    LLVM has intrinsics for this (`llvm.fptosi.sat`), and converts the lanes of a vector one by one for them.
    """
    x, of = widen(e, x, source), source.accumulator.numpy.type
    lowest, highest = int(target.lowest), int(target.highest)
    most = of(highest)
    if int(most) > highest:
        most = np.nextafter(most, of(0))
    low, high = e.like(lowest, x), e.like(float(most), x)
    within = e.select(e.fcmp("uno", x, x), e.like(0, x), x)
    within = e.select(e.fcmp("ogt", within, low), within, low)
    within = e.select(e.fcmp("olt", within, high), within, high)
    opcode = "fptosi" if target.kind == "int" or target.bits < 32 else "fptoui"
    result = e.convert(opcode, within, "i32" if target.bits < 32 else register_type(target))
    if target.bits < 32:
        return e.convert("trunc", result, register_type(target))
    return result if int(most) == highest else e.select(e.fcmp("ogt", x, high), e.like(highest, result), result)


def _bitcast(e: Emitter, op: Elementwise, source: DType, x: Val) -> Val:
    assert isinstance(op, ops.Bitcast)
    return e.bitcast(x, register_type(op.dtype))


EMIT = {ops.Cast: _cast, ops.Bitcast: _bitcast}
