"""What a pass is: a frozen dataclass that turns a graph into a graph that computes the same.

Graphs are never changed, so a pass may use the nodes and values of the graph it was given in the one it makes. It
gives the very graph it was given when there is nothing to do, and keeps the inputs and the types of the outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeAlias

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph, Node, map_op, region_fields
from rosin.ir.op import Op, Value, Values
from rosin.ir.ops.call import Barrier

Visit: TypeAlias = "Callable[[Node, Values], Values | None]"
"""What becomes of a node over its new operands: the values that stand for its results, or None to keep it."""


@dataclass(frozen=True)
class Pass(ABC):
    """A step of the pipeline; the fields are its options."""

    name: ClassVar[str]
    ulps: ClassVar[int] = 0
    """By how many units in the last place an output may differ afterwards, each op that was rewritten counting."""

    def run(self, graph: Graph) -> Graph:
        """The graph after the pass, bodies of loops and branches first."""
        return self.rewrite(map_regions(graph, self.run))

    @abstractmethod
    def rewrite(self, graph: Graph) -> Graph:
        """The graph after the pass, regions left alone."""


def rebuild(graph: Graph, visit: Visit, b: Builder | None = None) -> Graph:
    """The graph with each node, in order, replaced by what `visit` appends to `b` in its place.

    New nodes get the location of the node they stand for, and a new result its name when it has none.
    """
    b = b or Builder()
    b.inputs = list(graph.inputs)
    env: dict[Value, Value] = {}
    for node in graph.nodes:
        same = env.keys().isdisjoint(node.operands)
        operands = node.operands if same else tuple([env.get(v, v) for v in node.operands])
        b.location = node.location
        start = len(b.nodes)
        results = visit(node, operands)
        if results is None:
            b.nodes.append(with_operands(node, operands))
            continue
        if results is not node.results:
            env.update({old: new for old, new in zip(node.results, results, strict=True) if old is not new})
        if len(b.nodes) > start:
            _name(b.nodes[start:], node.results, results)
    b.location = None
    outputs = tuple(env.get(v, v) for v in graph.outputs)
    unchanged = not env and len(b.nodes) == len(graph.nodes) and all(map(_same, b.nodes, graph.nodes))
    return graph if unchanged else b.graph(outputs, graph.name)


def with_operands(node: Node, operands: Values) -> Node:
    """The node over other operands of the same types; its results stay the same values."""
    return node if operands == node.operands else Node(node.op, operands, node.results, node.location)


def ops_of(graph: Graph) -> set[type[Op]]:
    """The classes of the ops in a graph: few, so that to ask these is quick."""
    return {type(node.op) for node in graph.nodes}


def _same(new: Node, old: Node) -> bool:
    return new is old


def _name(made: list[Node], old: Values, new: Values) -> None:
    """Name the values made just now after those they stand for; values that were there before keep their names."""
    fresh = {v for node in made for v in node.results}
    for before, after in zip(old, new, strict=True):
        if after in fresh and not after.name:
            after.name = before.name


def is_fixed(op: Op) -> bool:
    """Whether the op stays where it is whatever its operands are: it has an effect, or nothing looks through it."""
    return op.effect or type(op) is Barrier


def has_regions(op: Op) -> bool:
    return bool(region_fields(type(op)))


def map_regions(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with `change` done to the graphs that its ops hold."""
    if not any(map(region_fields, ops_of(graph))):
        return graph
    nodes = [_map_node(node, change) if region_fields(type(node.op)) else node for node in graph.nodes]
    if all(map(_same, nodes, graph.nodes)):
        return graph
    return Graph(graph.inputs, tuple(nodes), graph.outputs, graph.name)


def _map_node(node: Node, change: Callable[[Graph], Graph]) -> Node:
    op = map_op(node.op, change)
    return node if op is node.op else Node(op, node.operands, node.results, node.location)
