"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs, widened
from rosin.backends.stablehlo.ops.native import chlo, native
from rosin.ir.op import Op, Types
from rosin.ir.ops import trigonometric as ops


def _hypot(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """The greater one times √(1 + ratio²), which does not overflow in between."""
    x, y = (e.one("stablehlo.abs", v) for v in operands)
    large, small = e.one("stablehlo.maximum", x, y), e.one("stablehlo.minimum", x, y)
    zero, one, infinity = (e.like(v, x) for v in (0, 1, float("inf")))
    ratio = e.div(small, e.select(e.compare("EQ", large, zero), one, large))
    radius = e.mul(large, e.one("stablehlo.sqrt", e.add(one, e.mul(ratio, ratio))))
    infinite = e.either(e.compare("EQ", x, infinity), e.compare("EQ", y, infinity))
    return (e.select(infinite, infinity, radius),)


LOWER: dict[type[Op], Lower] = {
    ops.Sin: native("sine"),
    ops.Cos: native("cosine"),
    ops.Tan: native("tan"),
    ops.Asin: chlo("asin"),
    ops.Acos: chlo("acos"),
    ops.Atan: chlo("atan"),
    ops.Atan2: native("atan2"),
    ops.Sinh: chlo("sinh"),
    ops.Cosh: chlo("cosh"),
    ops.Tanh: native("tanh"),
    ops.Asinh: chlo("asinh"),
    ops.Acosh: chlo("acosh"),
    ops.Atanh: chlo("atanh"),
    ops.Hypot: widened(_hypot),
}
