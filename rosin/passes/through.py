"""Where cheap elementwise work is done: where its result is read, rather than where its operands are made.

These are questions that fusion asks of a whole graph before it places the first node.
"""

from __future__ import annotations

from collections.abc import Iterable

from rosin.ir.dims import product
from rosin.ir.facts import estimate
from rosin.ir.graph import Node
from rosin.ir.op import Elementwise, Fold, Pull, Push, Value, elements
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Constant, Pad
from rosin.passes.flow import MOVE_FLOPS, Flow

SMALL = 8
"""An array that has so many times fewer elements than another one costs little to read beside it."""


def padded(flow: Flow) -> set[Node]:
    """Elementwise nodes that only a padding reads, or such a node: whoever reads the padding computes them on the way.

    That is so where nothing is computed twice, and nothing stored for it: they read no folds, whose loops they could
    share. Beyond a border their numbers are made of nothing and dropped, which floats alone do not mind.
    """
    graph = flow.graph
    if not any(isinstance(node.op, Pad) for node in graph.nodes):
        return set()
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if not isinstance(node.op, Elementwise) or not node.results[0].type.dtype.is_float:
            continue
        (result,) = node.results
        readers = flow.users[result]
        if len(readers) != 1 or result in graph.outputs or any(_is_folded(v, flow) for v in node.operands):
            continue
        (reader,) = readers
        if isinstance(reader.op, Pad):
            after = flow.users[reader.results[0]]
            alone = len(after) == 1 and reader.results[0] not in graph.outputs
            if alone and result is reader.operands[0] and isinstance(after[0].op, Elementwise):
                found.add(node)
        elif reader in found:
            found.add(node)
    return found


def read_by_pushes(flow: Flow) -> set[Node]:
    """The cheap elementwise nodes of which every element is read once, by an update that nothing else needs, or to
    know where that goes.

    Updates made of what they change are made before it, so that it can be changed where it lies.
    """
    found: set[Node] = set()

    def visit(value: Value, flops: int) -> None:
        node = flow.makers.get(value)
        if node is None or flow.uses[value] != 1:
            return
        if isinstance(node.op, Elementwise) and not node.op.effect:
            flops -= node.op.flops
            if flops < 0:
                return
            found.add(node)
        elif node not in flow.moves:
            return
        for operand in node.operands:
            visit(operand, flops)

    for node in flow.graph.nodes:
        if not isinstance(node.op, Push):
            continue
        changed, *places, update = node.operands
        for place in places:
            if changed not in flow.sources(place):
                visit(place, MOVE_FLOPS)
        if update.type.size == product(node.op.domain(tuple(v.type for v in node.operands))):
            if changed not in flow.sources(update):
                visit(update, MOVE_FLOPS)
    return found


def read_after_products(flow: Flow) -> set[Node]:
    """The cheap elementwise nodes of which every element is read once, in elementwise work on a product, and whose
    operands are in memory anyway: inputs, and what products read.

    That work is done where the product is made, and reads what it needs beside it. So the decayed mean of gradients is
    never stored, nor the derivative of an activation that the next product has read.
    """
    if not flow.products:
        return set()
    there = {*flow.graph.inputs, *flow.graph.outputs}
    there.update(*(flow.moved_from(v) for n in flow.products for v in n.operands))
    after = {v for n in flow.products for v in n.results}
    """What is made of products, elementwise or by moves."""
    found: set[Node] = set()

    def cheap(value: Value, flops: int) -> list[Node] | None:
        """The nodes that make a value of what is there, if these are cheap and nothing else uses what they make."""
        node = flow.makers.get(value)
        if value in there or node is None or isinstance(node.op, Constant):
            return []
        if node in flow.moves:
            return [] if all(cheap(v, 0) == [] for v in node.operands) else None
        if not isinstance(node.op, Elementwise) or node.op.effect or flow.uses[value] > 1 or node.op.flops > flops:
            return None
        nodes = [node]
        for operand in dict.fromkeys(node.operands):
            more = cheap(operand, flops - sum(n.op.flops for n in nodes if isinstance(n.op, Elementwise)))
            if more is None:
                return None
            nodes += more
        return nodes

    for node in flow.graph.nodes:
        if after.isdisjoint(node.operands):
            continue
        if isinstance(node.op, Elementwise):
            after.update(node.results)
            for value in node.operands:
                if any(v in after for v in node.operands if v is not value):
                    found.update(cheap(value, MOVE_FLOPS) or ())
        elif node in flow.moves:
            after.update(node.results)
    return found


def computed_again(flow: Flow) -> set[Node]:
    """The cheap elementwise nodes that compute something again, of one array of their size and of small ones, for
    elementwise work and sums.

    Whatever reads the result reads that array instead, which is in memory anyway: a second computation stores nothing.
    So the centred and the normalised input of a normalisation are not, which its gradient takes from the input.
    """
    graph = flow.graph
    if not any(isinstance(node.op, Barrier) for node in graph.nodes):
        return set()
    outputs = {*graph.outputs}
    held: set[Value] = set()
    """What has come through a barrier, or is computed of such."""
    roots: dict[Value, frozenset[Value]] = {}
    """The stored values that a value is read from."""
    flops: dict[Value, int] = {}
    found: set[Node] = set()
    for node in graph.nodes:
        if isinstance(node.op, Barrier):
            held.update(node.results)
            roots.update((r, roots.get(v, frozenset((v,)))) for r, v in zip(node.results, node.operands, strict=True))
            flops.update((r, flops.get(v, 0)) for r, v in zip(node.results, node.operands, strict=True))
        elif node in flow.moves or (isinstance(node.op, Elementwise) and not node.op.effect):
            (result,) = node.results
            own = node.op.flops if isinstance(node.op, Elementwise) else 0
            work = own + sum(flops.get(v, 0) for v in node.operands)
            read = frozenset[Value]().union(*(roots.get(v, frozenset((v,))) for v in node.operands))
            through = node in flow.moves
            if not through and held.intersection(node.operands) and result not in outputs and work <= MOVE_FLOPS:
                through = is_of_one(result, read) and all(map(is_plain, flow.readers(result, barriers=False)))
                found.update((node,) if through else ())
            if through:
                roots[result], flops[result] = read, work
                held.update((result,) if held.intersection(node.operands) else ())
    return found


def summed_apart(flow: Flow) -> set[Node]:
    """The elementwise nodes that lead to sums and are computed with these, though they follow a product: what they read
    of it is stored anyway.

    Done where the product is made, each would be stored as well, for the sums to read.
    """
    if not flow.products:
        return set()
    graph, outputs = flow.graph, {*flow.graph.outputs}
    after = {v for n in flow.products for v in n.results}
    for node in graph.nodes:
        if (isinstance(node.op, Elementwise) or node in flow.moves) and not after.isdisjoint(node.operands):
            after.update(node.results)
    stored: set[Value] = set()
    summed: set[Node] = set()
    """Elementwise nodes that lead to sums."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if node.results and node.results[0] in after:
            readers = list(flow.readers(node.results[0]))
            if isinstance(node.op, Elementwise) and any(_is_sum(n) or n in summed for n in readers):
                summed.add(node)
            if node.results[0] in outputs or not all(isinstance(n.op, Elementwise) for n in readers):
                stored.add(node.results[0])
    for node in summed:
        if not stored.isdisjoint(node.operands):
            found.add(node)
    return found


def _is_folded(value: Value, flow: Flow) -> bool:
    node = flow.makers.get(value)
    while node is not None and isinstance(node.op, Pull) and node.operands:
        node = flow.makers.get(node.operands[0])
    return node is not None and isinstance(node.op, Fold)


def _is_sum(node: Node) -> bool:
    return isinstance(node.op, Fold) and len(node.operands) == 1


def is_of_one(result: Value, read: Iterable[Value]) -> bool:
    """Whether what a result is read from is one array of its size, of no more bytes, and small ones."""
    large = [v for v in read if SMALL * elements(v.type) > elements(result.type)]
    return len(large) == 1 and estimate(large[0].type.bytes) <= estimate(result.type.bytes)


def is_plain(node: Node) -> bool:
    """Whether the node reads every element about once."""
    return isinstance(node.op, Elementwise) or _is_sum(node)
