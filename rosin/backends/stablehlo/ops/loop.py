"""Loops that a predicate ends. Their regions see the constants around them."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.graph import Graph
from rosin.ir.op import Op, Types
from rosin.ir.ops import loop as ops
from rosin.ir.printer import value_names


def _while(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.While)
    plain = op.expansion()
    if plain is not None:
        return e.inline(plain, operands)
    constants, token = operands[op.carried :], e.first_token(op)

    def region(graph: Graph) -> str:
        names = value_names(graph)
        carried = graph.inputs[: op.carried]
        inputs = e.inputs([v.type for v in carried], [names[v] for v in carried])
        last = None if token is None else e.inputs([token.type], ["token"])[0]
        given = inputs if last is None else (*inputs, last)
        return e.ordered(given, last, lambda: e.inline(graph, (*inputs, *constants)), hands_on=graph is op.body)

    regions = region(op.cond), region(op.body)
    if token is None:
        return e.call("stablehlo.while", operands[: op.carried], *results, regions=regions)
    *found, e.token = e.call("stablehlo.while", (*operands[: op.carried], token), *results, token.type, regions=regions)
    return tuple(found)


LOWER: dict[type[Op], Lower] = {ops.While: _while}
