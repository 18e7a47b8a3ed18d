"""Solutions of equations, and inverses, by the factors of the matrix."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops.lu import Lu, LuSolve
from rosin.ir.ops.matrix import place_mask
from rosin.ir.ops.solve import Inverse, Solve


def _solve(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    def by_factors(b: Builder, a: Value, right: Value) -> Values:
        packed, _, order = b.node(Lu(), a)
        return b.node(LuSolve(False), a, packed, order, right)

    return e.compose(by_factors, *operands)


def _inverse(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    def solved(b: Builder, a: Value) -> Values:
        packed, _, order = b.node(Lu(), a)
        return b.node(LuSolve(False), a, packed, order, b.cast(place_mask(b, a.type, "equal"), a.type.dtype))

    return e.compose(solved, *operands)


LOWER: dict[type[Op], Lower] = {Inverse: _inverse, Solve: _solve}
