"""The barrier; other ops that stand for a graph are that graph by now."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.types import type_text
from rosin.ir.op import Op, Types
from rosin.ir.ops import call as ops


def _barrier(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    types = ", ".join(type_text(t) for t in results)
    names = ", ".join(x.name for x in operands)
    return e.statement(f"stablehlo.optimization_barrier {names} : {types}", results)


LOWER: dict[type[Op], Lower] = {ops.Barrier: _barrier}
