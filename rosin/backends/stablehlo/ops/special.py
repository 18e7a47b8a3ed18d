"""Special functions."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.native import chlo, native
from rosin.ir.op import Op, Types
from rosin.ir.ops import special as ops


def _polygamma(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Polygamma)
    (x,) = operands
    return e.op("chlo.polygamma", (e.like(op.order, x), x), *results)


LOWER: dict[type[Op], Lower] = {
    ops.Sigmoid: native("logistic"),
    ops.Erf: chlo("erf"),
    ops.Erfc: chlo("erfc"),
    ops.Erfinv: chlo("erf_inv"),
    ops.Lgamma: chlo("lgamma"),
    ops.Digamma: chlo("digamma"),
    ops.Polygamma: _polygamma,
}
