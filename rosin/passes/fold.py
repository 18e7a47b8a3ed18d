"""Constant folding: what depends on constants alone is computed when the program is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph, Node, with_regions
from rosin.ir.interpret import evaluate_op
from rosin.ir.literal import Literal, from_array
from rosin.ir.op import Elementwise, NumpyArray, Op, Value, Values
from rosin.ir.ops.effect import Host
from rosin.ir.ops.movement import Constant, Move
from rosin.ir.ops.region import Control
from rosin.ir.types import TensorType
from rosin.passes.base import Pass, has_regions, is_fixed, map_regions, rebuild

WORK = 1 << 22
"""Nodes that read and write more bytes, or take more operations, are left to run time."""


@dataclass(frozen=True)
class Fold(Pass):
    """Evaluates nodes whose operands are all constants, when each result has at most `elements` elements or is one
    number everywhere. Ops without operands, ops with bodies, what Python computes, effects and barriers stay. A number
    that a branch or a loop takes as it is becomes a constant inside of it, so that the nodes there are evaluated too.
    """

    name: ClassVar[str] = "fold"
    elements: int = 1024

    def run(self, graph: Graph) -> Graph:
        """The graph after the pass, bodies of loops and branches last: they learn of constants from outside."""
        return map_regions(self.rewrite(graph), self.run)

    def rewrite(self, graph: Graph) -> Graph:
        b = Builder()
        known: dict[Value, Literal] = {}

        def visit(node: Node, operands: Values) -> Values | None:
            if type(node.op) is Constant:
                known[node.results[0]] = node.op.value
                return None
            if isinstance(node.op, Control):
                return _absorb(b, node.op, node, operands, known)
            if not operands or not known.keys() >= {*operands}:
                return None
            types = tuple(v.type for v in node.results)
            literals = fold(node.op, [known[v] for v in operands], types, self.elements)
            if literals is None:
                return None
            results = tuple(b.node(Constant(literal))[0] for literal in literals)
            known.update(zip(results, literals, strict=True))
            return results

        return rebuild(graph, visit, b)


def _absorb(b: Builder, op: Control, node: Node, operands: Values, known: Mapping[Value, Literal]) -> Values | None:
    """Append the node with numbers among its unchanged operands made inside, if there are any."""
    places = op.unchanged(len(operands))
    found = [known.get(operands[i]) for i in places]
    inside = {at: x for at, x in enumerate(found) if x is not None and x.is_splat}
    if not inside:
        return None

    def changed(number: int, region: Graph) -> Graph:
        at = op.unchanged(len(region.inputs), number)
        made = {at[k]: Node(Constant(x), (), (region.inputs[at[k]],), node.location) for k, x in inside.items()}
        inputs = tuple(v for i, v in enumerate(region.inputs) if i not in made)
        return Graph(inputs, (*made.values(), *region.nodes), region.outputs, region.name)

    new = with_regions(op, [changed(number, region) for number, region in enumerate(node.regions)])
    rest = tuple(x for i, x in enumerate(operands) if i not in {places[k] for k in inside})
    b.nodes.append(Node(new, rest, node.results, node.location))
    return node.results


def fold(
    op: Op, operands: Sequence[Literal], types: Sequence[TensorType], elements: int = 1024
) -> tuple[Literal, ...] | None:
    """The results of an op on constants, or None when they are to be computed at run time."""
    if is_fixed(op) or has_regions(op) or isinstance(op, Host):
        return None
    if operands and all(x.is_splat for x in operands):
        if isinstance(op, Move):
            return (Literal(types[0], operands[0].array),)
        if isinstance(op, Elementwise):
            return (Literal(types[0], _frozen(evaluate_op(op, *(x.array for x in operands))[0])),)
    if not all(dims.is_static(t.shape) for t in (*types, *(x.type for x in operands))):
        return None
    cost = op.cost(tuple(x.type for x in operands), tuple(types))
    if max(cost.flops, cost.bytes) > WORK or any(t.bytes > elements * t.dtype.bytes for t in types):
        return None
    return tuple(map(_literal, evaluate_op(op, *(x.full() for x in operands))))


def _literal(array: NumpyArray) -> Literal:
    """The array as constant data, a splat when every element has the same bits."""
    literal = from_array(array)
    data = literal.array
    if data.ndim == 0 or data.size == 0:
        return literal
    raw = data.reshape(-1).view(np.dtype((np.void, data.itemsize)))
    return Literal(literal.type, _frozen(data.reshape(-1)[0])) if (raw == raw[0]).all() else literal


def _frozen(value: NumpyArray) -> NumpyArray:
    array = np.array(value)
    array.flags.writeable = False
    return array
