"""Special functions."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.native import chlo, native
from rosin.ir.op import Op, Types
from rosin.ir.ops import special as ops


def _digamma(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """XLA says NaN at 0, where there is an infinity on each side."""
    (x,) = operands
    zero = e.like(0, x)
    found = e.op("chlo.digamma", operands, *results)[0]
    return (e.select(e.compare("EQ", x, zero), e.div(e.like(-1, x), x), found),)


def _polygamma(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """XLA has no numbers for infinities, and for poles of even orders."""
    assert isinstance(op, ops.Polygamma)
    (x,) = operands
    infinity = e.like(float("inf"), x)
    found = e.op("chlo.polygamma", (e.like(op.order, x), x), *results)[0]
    found = e.select(e.compare("EQ", x, infinity), e.like(0.0 if op.order % 2 else -0.0, x), found)
    whole = e.compare("EQ", x, e.one("stablehlo.floor", x))
    pole = e.both(whole, e.compare("LE", x, e.like(0, x)))
    found = e.select(pole, infinity if op.order % 2 else e.like(float("-inf"), x), found)
    below = e.compare("EQ", x, e.like(float("-inf"), x))
    return (e.select(below, e.like(float("nan"), x), found),)


LOWER: dict[type[Op], Lower] = {
    ops.Sigmoid: native("logistic"),
    ops.Erf: chlo("erf"),
    ops.Erfc: chlo("erfc"),
    ops.Erfinv: chlo("erf_inv"),
    ops.Lgamma: chlo("lgamma"),
    ops.Digamma: _digamma,
    ops.Polygamma: _polygamma,
}
