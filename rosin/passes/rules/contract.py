"""Rules for contractions."""

from __future__ import annotations

from dataclasses import replace

from rosin.ir.op import Value
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.movement import Transpose
from rosin.passes.rewrite import Rewriter


def dot_of_transposed(b: Rewriter, op: DotGeneral, lhs: Value, rhs: Value) -> Value | None:
    """dot(transpose(x), y) → dot(x, y) with other axes, as long as x has its free axes in the same order; rhs alike."""
    for side, value in (("lhs", lhs), ("rhs", rhs)):
        found = b.made_by(value, Transpose)
        if found is None:
            continue
        move, (source,) = found
        contract, batch = (op.lhs_contract, op.lhs_batch) if side == "lhs" else (op.rhs_contract, op.rhs_batch)
        free = [move.permutation[axis] for axis in range(value.type.rank) if axis not in (*contract, *batch)]
        if free != sorted(free):
            continue
        axes = {
            f"{side}_contract": tuple(move.permutation[axis] for axis in contract),
            f"{side}_batch": tuple(move.permutation[axis] for axis in batch),
        }
        return b.node(replace(op, **axes), *((source, rhs) if side == "lhs" else (lhs, source)))[0]
    return None
