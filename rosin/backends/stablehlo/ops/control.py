"""A choice among branches, which see what is around them."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.graph import Graph
from rosin.ir.op import Op, Types
from rosin.ir.ops import control as ops


def _switch(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Switch)
    index, *rest = operands

    token = e.first_token(op)

    def region(branch: Graph) -> str:
        return e.ordered((), token, lambda: e.inline(branch, rest))

    if len(op.branches) == 1:
        return e.inline(op.branches[0], rest)
    # A number that is too large takes the last branch there too; so would one below 0.
    index = e.one("stablehlo.maximum", index, e.like(0, index))
    regions = [region(branch) for branch in op.branches]
    if token is None:
        return e.call("stablehlo.case", (index,), *results, regions=regions)
    *found, e.token = e.call("stablehlo.case", (index,), *results, token.type, regions=regions)
    return tuple(found)


LOWER: dict[type[Op], Lower] = {ops.Switch: _switch}
