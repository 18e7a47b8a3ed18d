"""Systems of linear equations with triangular matrices."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.op import Op, Types
from rosin.ir.ops import triangular as ops


def _solve(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.TriangularSolve)
    if 0 in results[0].sizes:
        return (e.constant(0, results[0]),)
    flags = {"left_side": True, "lower": op.lower, "unit_diagonal": op.unit}
    turned = "TRANSPOSE" if op.transpose else "NO_TRANSPOSE"
    parts = [f"{name} = {'true' if flag else 'false'}" for name, flag in flags.items()]
    attributes = ", ".join([*parts, f"transpose_a = #stablehlo<transpose {turned}>"])
    return e.call("stablehlo.triangular_solve", operands, *results, attributes=attributes)


LOWER: dict[type[Op], Lower] = {ops.TriangularSolve: _solve}
