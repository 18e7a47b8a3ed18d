"""Rematerialisation: computing a value again rather than keeping it in memory from one use to the next.

`Remat` decides by itself what to compute again. Where the user decides, by `checkpoint`, the second computation reads
through a barrier that waits for the cotangents: the barrier stays in the graph and fusion keeps to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.facts import estimate
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Value
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Constant
from rosin.passes.base import Pass, has_regions, is_fixed
from rosin.passes.mincut import Network


@dataclass(frozen=True)
class Remat(Pass):
    """Recomputes cheap values late in the program so that fewer bytes are kept across its fullest moment.

    Which values to keep is a minimum cut, as in the partitioner of AOTAutograd (He and Yu, "Transcending runtime-memory
    tradeoffs in checkpointing by being fusion aware", 2023). There the cut is between the forward and the backward
    graph. Here the graph is one, and its two parts are what stands before and after the moment at which most bytes are
    live: values that live across it are kept, or computed again from others that are. Inputs, outputs and constants
    take memory anyway, so keeping them is free. A node may be computed again when it takes at most `flops` operations
    an element and reads no more than `reads` times as many bytes as it writes; reductions, contractions, effects and
    barriers are not.

    Computing everything again from the inputs would bring all of it back at once, so of values computed one from the
    other every so many are held fast; each length in `chains` is tried and the one with the fewest live bytes is taken.
    That is how checkpoints at equal distances bound the memory of a chain (Chen et al., "Training deep nets with
    sublinear memory cost", 2016).

    Live bytes are counted as if every value were stored, in the order of the nodes; fusion will store fewer. So first
    cheap nodes sink to their first use. Graphs that keep at most `threshold` bytes are left alone. A round is kept only
    if it lowers the count.
    """

    name: ClassVar[str] = "remat"
    threshold: int = 64 << 20
    flops: int = 24
    reads: int = 4
    rounds: int = 8
    chains: tuple[int, ...] = (1, 3, 8)

    def rewrite(self, graph: Graph) -> Graph:
        peak, position = peak_bytes(graph)
        if peak > self.threshold:
            graph = min((graph, self._sunk(graph)), key=lambda g: peak_bytes(g)[0])
            peak, position = peak_bytes(graph)
        cheap: dict[Node, bool] = {}
        """Which nodes may be computed again, as far as somebody has asked: rounds ask of the same ones."""
        for _ in range(self.rounds):
            if peak <= self.threshold:
                break
            tried = [self._split(graph, position, chain, cheap) for chain in self.chains]
            (lower, next_position), changed = min(((peak_bytes(g), g) for g in tried), key=lambda found: found[0][0])
            if lower >= peak:
                break
            graph, peak, position = changed, lower, next_position
        return graph

    def _sunk(self, graph: Graph) -> Graph:
        """The graph in which cheap nodes stand right before their first use, where what they read is there until then
        or takes no more than what they make."""
        makers = {v: node for node in graph.nodes for v in node.results}
        users = Counter(v for node in graph.nodes for v in dict.fromkeys(node.operands))
        users.update(graph.outputs)
        free = {*graph.inputs, *graph.outputs}
        waiting: set[Node] = set()
        for node in graph.nodes:
            if is_cheap(node, self.flops, self.reads) and node.results[0] not in free and node.operands:
                ended = sum(estimate(v.type.bytes) for v in node.operands if users[v] == 1 and v not in free)
                if estimate(node.results[0].type.bytes) >= ended:
                    waiting.add(node)
        nodes: list[Node] = []
        for node in graph.nodes:
            if node in waiting:
                continue
            stack = [node]
            while stack:
                missing = [makers[v] for v in stack[-1].operands if v in makers and makers[v] in waiting]
                if missing:
                    stack.extend(dict.fromkeys(missing))
                    continue
                found = stack.pop()
                if found is node or found in waiting:
                    waiting.discard(found)
                    nodes.append(found)
        return Graph(graph.inputs, tuple(nodes), graph.outputs, graph.name)

    def _split(self, graph: Graph, position: int, chain: int, cheap: dict[Node, bool]) -> Graph:
        """The graph in which nodes after `position` use recomputed values where the cut says so."""
        free = {*graph.inputs, *graph.outputs}
        free.update(v for node in graph.nodes if isinstance(node.op, Constant) for v in node.results)
        early, late = graph.nodes[: position + 1], graph.nodes[position + 1 :]
        made = {v for node in early for v in node.results}
        used = dict.fromkeys(v for node in late for v in node.operands)
        crossing = [v for v in used if v in made and v not in free]
        again = recomputed(crossing, self._makers(early, free, chain, cheap), free) if crossing else frozenset[Value]()
        return _with_copies(graph, position, again) if again else graph

    def _makers(
        self, nodes: Sequence[Node], free: set[Value], chain: int, cheap: dict[Node, bool]
    ) -> dict[Value, Node]:
        """The nodes that may be computed again, by their results: at most `chain` of them one after the other."""
        depth: dict[Value, int] = {}
        makers: dict[Value, Node] = {}
        for node in nodes:
            if node not in cheap:
                cheap[node] = is_cheap(node, self.flops, self.reads)
            if not cheap[node] or node.results[0] in free:
                continue
            length = 1 + max((depth.get(v, 0) for v in node.operands), default=0)
            if length <= chain:
                depth[node.results[0]] = length
                makers[node.results[0]] = node
        return makers


def is_cheap(node: Node, flops: int, reads: int) -> bool:
    """Whether the node may be computed again: with so many operations an element, reading so many times its bytes."""
    if is_fixed(node.op) or has_regions(node.op) or len(node.results) != 1:
        return False
    (result,) = node.results
    cost = node.op.cost(tuple(v.type for v in node.operands), (result.type,))
    size, written = estimate(result.type.size), estimate(result.type.bytes)
    read = sum(estimate(v.type.bytes) for v in node.operands)
    return cost.flops <= flops * size and read <= reads * max(written, 1)


def recomputed(crossing: Sequence[Value], makers: Mapping[Value, Node], free: set[Value]) -> frozenset[Value]:
    """The values to compute again: those on the far side of a minimum cut between what is there and what is needed.

    `makers` has the nodes that may be computed again, by their results; values of all others are there. To keep a value
    costs its bytes, but nothing for one that is `free`.
    """
    flow = Network()
    """It runs from what is needed back to what is there."""
    stack, seen = list(crossing), set(crossing)
    for value in crossing:
        flow.edge("needed", (value, "out"))
    limited = False
    while stack:
        value = stack.pop()
        flow.edge((value, "out"), (value, "in"), 0 if value in free else estimate(value.type.bytes))
        maker = makers.get(value)
        if maker is None:
            limited = True
            flow.edge((value, "in"), "there")
            continue
        for operand in maker.operands:
            flow.edge((value, "in"), (operand, "out"))
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    if not limited:
        return frozenset(seen)
    # Of all minimum cuts the one nearest to what is there: what many values are computed from is kept once.
    again = flow.side("needed", "there")
    return frozenset(v for v in seen if (v, "in") in again)


def _with_copies(graph: Graph, position: int, again: frozenset[Value]) -> Graph:
    """The graph in which each of these values is computed a second time right before its first use after `position`.

    What is there already is read through a barrier, which waits for what is made last of all that is kept: else the
    second computation would be merged with the first, since what both read is the same.
    """
    makers = {v: node for node in graph.nodes for v in node.results}
    copies: dict[Value, Value] = {}
    computed: set[Value] = set()
    nodes: list[Node] = list(graph.nodes[: position + 1])
    used = {v for node in graph.nodes[position + 1 :] for v in node.operands} - again
    kept = [v for node in reversed(nodes) if not isinstance(node.op, Constant) for v in node.results if v in used]

    def made_for(values: Sequence[Value]) -> list[Node]:
        """The nodes that compute values again for a late node; what they are computed from comes first."""
        made: list[Node] = []
        stack = list(reversed(values))
        while stack:
            current = stack[-1]
            if current not in again or current in copies:
                stack.pop()
                continue
            maker = makers[current]
            missing = [v for v in maker.operands if v in again and v not in copies]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            copies[current] = Value(current.type, current.name)
            operands = tuple(copies.get(v, v) for v in maker.operands)
            made.append(Node(maker.op, operands, (copies[current],), maker.location))
        return made

    for node in graph.nodes[position + 1 :]:
        made = made_for(node.operands)
        computed.update(v for each in made for v in each.results)
        read = dict.fromkeys(v for each in made for v in each.operands)
        there = [v for v in read if v not in computed and not _is_constant(makers.get(v))]
        if there:
            held = {v: Value(v.type, v.name) for v in (*there, *kept[:1])}
            nodes.append(Node(Barrier(), tuple(held), tuple(held.values()), made[0].location))
            made = [Node(n.op, tuple(held.get(v, v) for v in n.operands), n.results, n.location) for n in made]
        nodes += made
        operands = tuple(copies.get(v, v) for v in node.operands)
        nodes.append(node if operands == node.operands else Node(node.op, operands, node.results, node.location))
    return Graph(graph.inputs, tuple(nodes), graph.outputs, graph.name)


def _is_constant(maker: Node | None) -> bool:
    return maker is not None and isinstance(maker.op, Constant)


def peak_bytes(graph: Graph) -> tuple[int, int]:
    """The most bytes that are live at once besides inputs, outputs and constants, and the node at which that is."""
    free = {*graph.inputs, *graph.outputs}
    same: dict[Value, Value] = {}
    """What comes out of a barrier is what went in."""
    last: dict[Value, int] = {}
    for position, node in enumerate(graph.nodes):
        if isinstance(node.op, Barrier):
            same.update((out, same.get(v, v)) for out, v in zip(node.results, node.operands, strict=True))
        for value in node.operands:
            last[same.get(value, value)] = position
    ends: dict[int, int] = {}
    live = peak = at = 0
    for position, node in enumerate(graph.nodes):
        if not isinstance(node.op, Constant | Barrier):
            for value in node.results:
                if value not in free:
                    size = value.type.bytes
                    live += size
                    end = last.get(value, position)
                    ends[end] = ends.get(end, 0) + size
        if live > peak:
            peak, at = live, position
        live -= ends.pop(position, 0)
    return peak, at
