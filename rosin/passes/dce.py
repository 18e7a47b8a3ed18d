"""Dead code elimination: nodes whose results nothing uses are dropped."""

from __future__ import annotations

from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.transform.split import needed
from rosin.passes.base import Pass


@dataclass(frozen=True)
class Dce(Pass):
    """Keeps what the outputs need and what has an effect. Inputs stay, used or not: they are the signature.

    Branches and loops lose the results that nothing uses, then the carried values and operands that these alone needed.
    """

    name: ClassVar[str] = "dce"

    def rewrite(self, graph: Graph) -> Graph:
        kept = needed(graph.nodes, graph.outputs)
        if len(kept) == len(graph.nodes) and all(new is old for new, old in zip(kept, graph.nodes, strict=True)):
            return graph
        return Graph(graph.inputs, tuple(kept), graph.outputs, graph.name)
