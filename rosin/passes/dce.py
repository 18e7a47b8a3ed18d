"""Dead code elimination: nodes whose results nothing uses are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rosin.ir.graph import Graph, Node
from rosin.passes.base import Pass


@dataclass(frozen=True)
class Dce(Pass):
    """Keeps what the outputs need and what has an effect. Inputs stay, used or not: they are the signature."""

    name: ClassVar[str] = "dce"

    def rewrite(self, graph: Graph) -> Graph:
        needed = set(graph.outputs)
        kept: list[Node] = []
        for node in reversed(graph.nodes):
            if node.op.effect or not needed.isdisjoint(node.results):
                kept.append(node)
                needed.update(node.operands)
        if len(kept) == len(graph.nodes):
            return graph
        return Graph(graph.inputs, tuple(reversed(kept)), graph.outputs, graph.name)
