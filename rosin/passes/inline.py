"""Inlining: an op that stands for a graph is replaced by the nodes of that graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.op import Value, Values
from rosin.ir.ops.control import Control
from rosin.passes.base import Pass, rebuild


@dataclass(frozen=True)
class Inline(Pass):
    """Every op that has an `expansion` gives way to it, however deep they nest."""

    name: ClassVar[str] = "inline"

    def rewrite(self, graph: Graph) -> Graph:
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            body = node.op.expansion()
            if body is not None and isinstance(node.op, Control):
                # The regions of a loop of lanes are not those that were inlined already.
                body = self.run(body)
            return None if body is None else _append(b, body, operands, node.location)

        return rebuild(graph, visit, b)


def _append(b: Builder, graph: Graph, operands: Sequence[Value], location: Location | None) -> Values:
    """Append fresh copies of the nodes of a graph; those without a location of their own get that of the call."""
    env = dict(zip(graph.inputs, operands, strict=True))
    for node in graph.nodes:
        inputs = tuple(env[v] for v in node.operands)
        where = node.location or location
        body = node.op.expansion() if not isinstance(node.op, Control) else None
        if body is None:
            results = tuple(Value(v.type, v.name) for v in node.results)
            b.nodes.append(Node(node.op, inputs, results, where))
        else:
            results = _append(b, body, inputs, where)
        env.update(zip(node.results, results, strict=True))
    return tuple(env[v] for v in graph.outputs)
