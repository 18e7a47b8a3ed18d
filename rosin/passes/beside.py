"""What elementwise work on a product reads beside it: computed there from what is in memory, where that moves less.

The gradient of an activation, say, is a cotangent, which a product makes, times a derivative of many terms. Each term
that were stored for it would be an array to write and to read, and all of them come from what the activation is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rosin.ir.dims import Dim
from rosin.ir.facts import estimate
from rosin.ir.graph import Node
from rosin.ir.op import Elementwise, Fold, Value
from rosin.ir.ops.call import Barrier
from rosin.passes.flow import Flow
from rosin.passes.through import SMALL

FLOPS_A_BYTE = 2
"""So many operations take about as long as to move a byte to memory or from it."""

MOST_NODES = 32
"""More is not computed again: what follows a product stays short."""

MOST_READS = 10
"""Nor is what reads more arrays, be they ever so small: each is read for every piece of a row of a tile."""


def computed_beside(flow: Flow) -> set[Node]:
    """The elementwise nodes that are computed wherever their results are read, so that work on products reads less.

    For each product these are all nodes between what is in memory anyway and what is read beside it, or none.
    """
    if len(flow.products) < 2:
        return set()
    search = _Search(flow)
    found: set[Node] = set()
    for number, values in search.beside().items():
        found |= search.between(number, values)
    return found


class _Search:
    """Where the values of a graph come from, and which of them are in memory anyway."""

    def __init__(self, flow: Flow) -> None:
        self.flow, self.graph, self.made = flow, flow.graph, flow.makers
        self.work = {n for n in self.graph.nodes if isinstance(n.op, Elementwise) and not n.op.effect}
        self.views = flow.moves | {node for node in self.graph.nodes if isinstance(node.op, Barrier)}
        self.products: list[Value] = []
        self.last: dict[Value, int] = {}
        """The number of the last product that a value is made of by elementwise nodes and moves."""
        self.stored = {*self.graph.inputs}
        for value in self.graph.outputs:
            self.stored.update(flow.moved_from(value, barriers=False))
        for node in self.graph.nodes:
            if node in self.work or node in self.views:
                latest = max([self.last.get(v, -1) for v in node.operands], default=-1)
                for result in node.results:
                    self.last[result] = latest
                continue
            for operand in node.operands:
                if operand not in self.stored:
                    self.stored.update(flow.moved_from(operand, barriers=False))
            if isinstance(node.op, Fold) and len(node.operands) > 1:
                self.last[node.results[0]] = len(self.products)
                self.products.append(node.results[0])

    def beside(self) -> dict[int, dict[Value, None]]:
        """For the number of a product, what elementwise work on it reads that others make and nothing else stores."""
        found: dict[int, dict[Value, None]] = {}
        for node in self.graph.nodes:
            number = self.last[node.results[0]] if node in self.work else -1
            if number < 0:
                continue
            size = self.products[number].type.size
            for operand in node.operands:
                value = self._large(operand, size)
                if value is not None and self.last.get(value, -1) < number and self._may_be_made(value):
                    found.setdefault(number, {})[value] = None
        return found

    def between(self, number: int, values: Iterable[Value]) -> set[Node]:
        """The nodes that make the values of what is in memory anyway, if to compute them again takes less than to
        move the values; else none."""
        size = self.products[number].type.size
        found: set[Node] = set()
        seen = set(values)
        waiting = list(seen)
        saved = sum(2 * estimate(v.type.bytes) for v in seen)
        while waiting and len(found) <= MOST_NODES:
            value = waiting.pop()
            if self._may_be_made(value):
                found.add(self.made[value])
                operands = {self._large(v, size) for v in self.made[value].operands} - seen
                seen |= operands
                waiting += (v for v in operands if v is not None)
            else:
                saved -= estimate(value.type.bytes) * (1 if value in self.stored else 2)
        readers = [reader for node in found for reader in self._readers(node.results[0])]
        reads = {v for node in found for v in node.operands} - {node.results[0] for node in found}
        if len(found) > MOST_NODES or len(reads) > MOST_READS or None in readers:
            return set()
        times = len({self.last[reader.results[0]] for reader in readers if reader is not None and reader not in found})
        flops = sum(node.op.flops for node in found if isinstance(node.op, Elementwise)) * estimate(size)
        return found if saved > 0 and flops * (times - 1) <= FLOPS_A_BYTE * saved else set()

    def _may_be_made(self, value: Value) -> bool:
        return value not in self.stored and self.made.get(value) in self.work

    def _large(self, value: Value, size: Dim) -> Value | None:
        """The value that has the elements of a value, in whatever order; None where these are few, again and again."""
        while estimate(value.type.size) * SMALL > estimate(size):
            node = self.made.get(value)
            if node is not None and isinstance(node.op, Barrier):
                value = node.operands[node.results.index(value)]
                continue
            if node is None or node not in self.flow.moves or len(node.operands) > 1:
                return value
            if not node.operands:
                return None
            (operand,) = node.operands
            if operand.type.size != value.type.size and estimate(operand.type.size) * SMALL > estimate(size):
                return value
            value = operand
        return None

    def _readers(self, value: Value) -> Iterator[Node | None]:
        """The elementwise nodes that read a value; None for a view of other elements or of some again and again."""
        for node in self.flow.users[value]:
            if isinstance(node.op, Barrier):
                yield from self._readers(node.results[node.operands.index(value)])
            elif node in self.views:
                same = len(node.operands) == 1 and node.results[0].type.size == value.type.size
                yield from self._readers(node.results[0]) if same else (None,)
            else:
                yield node
