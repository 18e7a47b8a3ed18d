"""Arithmetic: what StableHLO has, and NumPy's quotients and remainders, which round down."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, widened
from rosin.backends.stablehlo.ops.native import chlo, native
from rosin.ir.dtypes import BY_NAME
from rosin.ir.op import Op, Types
from rosin.ir.ops import arithmetic as ops


def _signs_differ(e: Emitter, x: Ref, y: Ref) -> Ref:
    zero = e.like(0, x)
    return e.compare("NE", e.compare("LT", x, zero), e.compare("LT", y, zero))


def _with_sign(e: Emitter, x: Ref, sign: Ref) -> Ref:
    """|x| with the sign of another number, be it a zero."""
    bits = x.type.with_dtype(BY_NAME[f"i{x.dtype.bits}"])
    negative = e.compare("LT", e.one("stablehlo.bitcast_convert", sign, result=bits), e.constant(0, bits))
    size = e.one("stablehlo.abs", x)
    return e.select(negative, e.one("stablehlo.negate", size), size)


def _divisor(e: Emitter, y: Ref) -> tuple[Ref, Ref]:
    """Whether an integer is zero, and a divisor in its place."""
    zero = e.compare("EQ", y, e.like(0, y))
    return zero, e.select(zero, e.like(1, y), y)


def _floor_divide(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    x, y = operands
    if x.dtype.is_float:
        return (_float_floor_divide(e, x, y),)
    none, divisor = _divisor(e, y)
    quotient = e.div(x, divisor)
    if x.dtype.kind == "int":
        rest = e.one("stablehlo.remainder", x, divisor)
        inexact = e.compare("NE", rest, e.like(0, x))
        below = e.both(inexact, _signs_differ(e, rest, divisor))
        quotient = e.select(below, e.sub(quotient, e.like(1, x)), quotient)
    return (e.select(none, e.like(0, x), quotient),)


def _float_floor_divide(e: Emitter, x: Ref, y: Ref) -> Ref:
    """From the exact remainder, as in NumPy: a quotient that is rounded first may end up above the next number."""
    zero, one = e.like(0, x), e.like(1, x)
    rest = e.one("stablehlo.remainder", x, y)
    ratio = e.div(x, y)
    quotient = e.div(e.sub(x, rest), y)
    below = e.both(e.compare("NE", rest, zero), _signs_differ(e, rest, y))
    quotient = e.select(below, e.sub(quotient, one), quotient)
    floor = e.one("stablehlo.floor", quotient)
    above = e.compare("GT", e.sub(quotient, floor), e.like(0.5, x))
    floor = e.select(above, e.add(floor, one), floor)
    floor = e.select(e.compare("EQ", quotient, zero), _with_sign(e, zero, ratio), floor)
    return e.select(e.compare("EQ", y, zero), ratio, floor)


def _remainder(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    x, y = operands
    zero = e.like(0, x)
    if x.dtype.is_float:
        rest = e.one("stablehlo.remainder", x, y)
        exact = e.compare("EQ", rest, zero)
        moved = e.select(_signs_differ(e, rest, y), e.add(rest, y), rest)
        return (e.select(exact, _with_sign(e, zero, y), moved),)
    none, divisor = _divisor(e, y)
    rest = e.one("stablehlo.remainder", x, divisor)
    if x.dtype.kind == "int":
        moves = e.both(e.compare("NE", rest, zero), _signs_differ(e, rest, divisor))
        rest = e.select(moves, e.add(rest, divisor), rest)
    return (e.select(none, zero, rest),)


def _abs(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,) = operands
    # An unsigned number is its own absolute value, and XLA has no operation for it.
    return operands if x.dtype.kind == "uint" else (e.one("stablehlo.abs", x, result=results[0]),)


def _sign(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,) = operands
    if x.dtype.kind == "uint":
        return (e.convert(e.compare("NE", x, e.like(0, x)), x.dtype),)
    zero = e.like(0, x)
    # Of -0.0 it is +0.0.
    return (e.select(e.compare("EQ", x, zero), zero, e.one("stablehlo.sign", x)),)


def _trunc(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,) = operands
    size = e.one("stablehlo.floor", e.one("stablehlo.abs", x))
    return (_with_sign(e, size, x),)


def _clamp(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    low, x, high = operands
    return (e.one("stablehlo.minimum", e.one("stablehlo.maximum", x, low), high),)


LOWER: dict[type[Op], Lower] = {
    ops.Add: native("add"),
    ops.Sub: native("subtract"),
    ops.Mul: native("multiply"),
    ops.Div: native("divide"),
    ops.FloorDivide: widened(_floor_divide),
    ops.Remainder: widened(_remainder),
    ops.Neg: native("negate"),
    ops.Abs: _abs,
    ops.Sign: _sign,
    ops.Floor: native("floor"),
    ops.Ceil: native("ceil"),
    ops.Round: native("round_nearest_even"),
    ops.Trunc: widened(_trunc),
    ops.Maximum: native("maximum"),
    ops.Minimum: native("minimum"),
    ops.Clamp: _clamp,
    ops.NextAfter: chlo("next_after"),
}
