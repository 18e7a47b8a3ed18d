"""What elementwise work on a product reads beside it: computed there from what is in memory, where that moves less.

The gradient of an activation, say, is a cotangent, which a product makes, times a derivative of many terms. Each term
that were stored for it would be an array to write and to read, and all of them come from what the activation is of.

What is stored and what is computed again is a minimum cut: every way from what cannot be computed again, as sums of
products, to what work on later products reads leads through a value that is stored, at the cost of moving it, and
what lies behind those is computed again, at the cost of its operations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rosin.ir.facts import estimate
from rosin.ir.graph import Node
from rosin.ir.op import Elementwise, Fold, Value
from rosin.ir.ops.call import Barrier
from rosin.passes.flow import Flow
from rosin.passes.mincut import Network
from rosin.passes.through import SMALL

FLOPS_A_BYTE = 2
"""So many operations take about as long as to move a byte to memory or from it."""

MOST_NODES = 32
"""More is not computed again: what follows a product stays short."""

MOST_READS = 10
"""Nor is what reads more arrays, be they ever so small: each is read for every piece of a row of a tile."""


def computed_beside(flow: Flow) -> set[Node]:
    """The elementwise nodes that are computed wherever their results are read, so that work on products reads less."""
    if len(flow.products) < 2:
        return set()
    ways = _Ways(flow)
    kept: set[Value] = set()
    while True:
        found = ways.behind_cut(kept)
        much = ways.too_much(found) - kept
        if not much:
            return {flow.makers[value] for value in found}
        kept |= much


class _Ways:
    """From what can be had from memory alone to what work on later products reads.

    A value's number is that of the last product that it is made of by elementwise nodes and moves, or -1.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow, self.graph, self.made = flow, flow.graph, flow.makers
        self.work = {n for n in self.graph.nodes if isinstance(n.op, Elementwise) and not n.op.effect}
        self.views = flow.moves | {node for node in self.graph.nodes if isinstance(node.op, Barrier)}
        self.number: dict[Value, int] = {}
        self.stored = {*self.graph.inputs}
        """What is in memory anyway."""
        self._number_all()
        self.read: dict[Value, int] = {}
        """The numbers of later work that reads a value, a bit for each."""
        self.needed: dict[Value, int] = {}
        """Those of later work that may be computed from a value, by itself or by others that are computed again."""
        self.operands: dict[Value, list[Value]] = {}
        """The large values of what a value is computed from, for each that may be computed again."""
        self._go_back()
        # What later work reads and nothing can make again is stored for it.
        self.stored |= self.read.keys() - self.operands.keys()

    def _number_all(self) -> None:
        for value in self.graph.outputs:
            self.stored.update(self.flow.moved_from(value, barriers=False))
        products = 0
        for node in self.graph.nodes:
            if node in self.work or node in self.views:
                latest = max([self.number.get(v, -1) for v in node.operands], default=-1)
                for result in node.results:
                    self.number[result] = latest
                continue
            for operand in node.operands:
                if operand not in self.stored:
                    self.stored.update(self.flow.moved_from(operand, barriers=False))
            if isinstance(node.op, Fold) and len(node.operands) > 1:
                self.number[node.results[0]] = products
                products += 1

    def _go_back(self) -> None:
        for node in reversed(self.graph.nodes):
            if node not in self.work:
                continue
            (value,) = node.results
            number, operands = self.number[value], self._large(node)
            later = 0
            if value in self.needed and value not in self.stored and None not in self._readers(value):
                self.operands[value] = operands
                later = self.needed[value]
            for operand in operands:
                own = 1 << number if self.number.get(operand, -1) < number else 0
                if own:
                    self.read[operand] = self.read.get(operand, 0) | own
                if own | later:
                    self.needed[operand] = self.needed.get(operand, 0) | own | later

    def behind_cut(self, kept: Collection[Value]) -> set[Value]:
        """The values to compute again, none of those that are to be kept."""
        network = Network()
        source, sink = "source", "sink"
        for value in self.needed:
            # A value has two places: before it is in memory, and there.
            network.edge((value, "made"), value, self._storing(value))
            if value in self.operands and value not in kept:
                network.edge(source, (value, "made"), self._computing(value))
                for operand in self.operands[value]:
                    network.edge(operand, (value, "made"))
            else:
                network.edge(source, (value, "made"))
        for value in self.read:
            network.edge(value, sink)
        stored = network.side(source, sink)
        return {value for value in self.operands if (value, "made") not in stored}

    def _storing(self, value: Value) -> int:
        """What it costs to have a value in memory for all later work, in operations."""
        needed = self.needed[value]
        if value in self.stored:  # There is only to read it where nothing does so anyway.
            times = (needed & ~self.read.get(value, 0)).bit_count()
        else:
            times = 1 + needed.bit_count()
        return FLOPS_A_BYTE * estimate(value.type.bytes) * times

    def _computing(self, value: Value) -> int:
        """What it costs to compute a value again for all later work."""
        op = self.made[value].op
        assert isinstance(op, Elementwise)
        return op.flops * estimate(value.type.size) * self.needed[value].bit_count()

    def too_much(self, found: set[Value]) -> set[Value]:
        """What work on a product reads that had to be computed from too much there."""
        much: set[Value] = set()
        of_each: dict[int, list[Value]] = {}
        for value in self.read.keys() & found:
            for number in _places(self.read[value]):
                of_each.setdefault(number, []).append(value)
        for values in of_each.values():
            again, waiting = set(values), list(values)
            while waiting:
                new = [v for v in self.operands[waiting.pop()] if v in found and v not in again]
                again.update(new)
                waiting += new
            nodes = [self.made[v] for v in again]
            reads = {v for node in nodes for v in node.operands} - again
            if len(nodes) > MOST_NODES or len(reads) > MOST_READS:
                much.update(values)
        return much

    def _large(self, node: Node) -> list[Value]:
        """The values that have the elements of a node's operands, in whatever order, but for those that have few."""
        size = estimate(node.results[0].type.size)
        return [v for v in dict.fromkeys(self._elements(v, size) for v in node.operands) if v is not None]

    def _elements(self, value: Value, size: int) -> Value | None:
        """The value that a value's elements come from, in whatever order; None where these are few beside so many."""
        while estimate(value.type.size) * SMALL > size:
            node = self.made.get(value)
            if node is not None and isinstance(node.op, Barrier):
                value = node.operands[node.results.index(value)]
                continue
            if node is None or node not in self.flow.moves or len(node.operands) > 1:
                return value
            if not node.operands:
                return None
            (operand,) = node.operands
            if operand.type.size != value.type.size and estimate(operand.type.size) * SMALL > size:
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


def _places(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1
