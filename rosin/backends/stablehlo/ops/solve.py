"""Solutions of equations, by the factors of the matrix."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops.lu import Lu, LuSolve
from rosin.ir.ops.solve import Solve


def _solve(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    def by_factors(b: Builder, a: Value, right: Value) -> Values:
        packed, _, order = b.node(Lu(), a)
        return b.node(LuSolve(False), a, packed, order, right)

    return e.compose(by_factors, *operands)


LOWER: dict[type[Op], Lower] = {Solve: _solve}
