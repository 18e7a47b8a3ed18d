"""Exponentials, logarithms, roots and powers."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs, widened
from rosin.backends.stablehlo.ops.native import native
from rosin.ir.op import Op, Types
from rosin.ir.ops import exponential as ops


def _exp2(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,) = operands
    return (e.one("stablehlo.power", e.like(2, x), x),)


def _logarithm(base: float) -> Lower:
    def lower(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
        x = e.one("stablehlo.log", *operands)
        return (e.mul(x, e.like(1 / base, x)),)

    return widened(lower)


LOWER: dict[type[Op], Lower] = {
    ops.Exp: native("exponential"),
    ops.Exp2: widened(_exp2),
    ops.Expm1: native("exponential_minus_one"),
    ops.Log: native("log"),
    ops.Log1p: native("log_plus_one"),
    ops.Log2: _logarithm(ops.LN2),
    ops.Log10: _logarithm(ops.LN10),
    ops.Sqrt: native("sqrt"),
    ops.Rsqrt: native("rsqrt"),
    ops.Cbrt: native("cbrt"),
    ops.Pow: native("power"),
}
