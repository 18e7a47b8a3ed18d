"""Where the values of a graph come from and where they go, for the questions that fusion asks of a whole graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from rosin.ir.graph import Graph, Node
from rosin.ir.op import Elementwise, Fold, Pull, Value, elements
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Constant

MOVE_FLOPS = 4
"""A pulled op of at most so many operations an element is read through rather than stored."""


class Flow:
    """A graph with what its nodes have been asked already; each answer is found once, when it is first needed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def makers(self) -> dict[Value, Node]:
        return {v: node for node in self.graph.nodes for v in node.results}

    @cached_property
    def users(self) -> dict[Value, list[Node]]:
        return self.graph.users()

    @cached_property
    def uses(self) -> Counter[Value]:
        """How often each value is read, or is a result of the graph."""
        uses = Counter(v for node in self.graph.nodes for v in node.operands)
        uses.update(self.graph.outputs)
        return uses

    @cached_property
    def moves(self) -> set[Node]:
        """The nodes that consumers read through, as through views."""
        return {node for node in self.graph.nodes if _is_move(node)}

    @cached_property
    def products(self) -> list[Node]:
        return [node for node in self.graph.nodes if isinstance(node.op, Fold) and len(node.operands) > 1]

    def readers(self, value: Value, barriers: bool = True) -> Iterable[Node]:
        """The nodes that read a value, some through moves; without `barriers`, what reads through these instead."""
        for node in self.users[value]:
            if node in self.moves:
                yield from self.readers(node.results[0], barriers)
            elif isinstance(node.op, Barrier) and not barriers:
                yield from self.readers(node.results[node.operands.index(value)], barriers)
            else:
                yield node

    def moved_from(self, value: Value, barriers: bool = True) -> Iterator[Value]:
        """The values that a value is moved from, itself included; without `barriers`, through these too."""
        waiting = [value]
        while waiting:
            value = waiting.pop()
            yield value
            node = self.makers.get(value)
            if node is not None and isinstance(node.op, Barrier) and not barriers:
                waiting.append(node.operands[node.results.index(value)])
            elif node in self.moves:
                waiting += node.operands

    def sources(self, value: Value) -> set[Value]:
        """What a value is made of by elementwise nodes and moves."""
        found, waiting = {value}, [value]
        while waiting:
            node = self.makers.get(waiting.pop())
            if node is not None and isinstance(node.op, Elementwise | Pull):
                waiting += (v for v in node.operands if v not in found)
                found.update(node.operands)
        return found


def _is_move(node: Node) -> bool:
    if not isinstance(node.op, Pull) or isinstance(node.op, Elementwise):
        return False
    if isinstance(node.op, Constant):
        return node.op.value.is_splat
    cost = node.op.cost(tuple(v.type for v in node.operands), tuple(v.type for v in node.results))
    return cost.flops <= MOVE_FLOPS * elements(node.results[0].type)
