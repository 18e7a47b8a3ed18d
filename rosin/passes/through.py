"""Where cheap elementwise work is done: where its result is read, rather than where its operands are made.

These are questions that fusion asks of a whole graph before it places the first node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rosin.ir.facts import estimate
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Elementwise, Fold, Pull, Value, elements
from rosin.ir.ops.call import Barrier
from rosin.ir.ops.movement import Constant

MOVE_FLOPS = 4
"""A pulled op of at most so many operations an element is read through rather than stored."""

SMALL = 8
"""An array that has so many times fewer elements than another one costs little to read beside it."""

Users = Mapping[Value, list[Node]]


def is_move(node: Node) -> bool:
    """Whether consumers read through the node, as through a view."""
    if not isinstance(node.op, Pull) or isinstance(node.op, Elementwise):
        return False
    if isinstance(node.op, Constant):
        return node.op.value.is_splat
    cost = node.op.cost(tuple(v.type for v in node.operands), tuple(v.type for v in node.results))
    return cost.flops <= MOVE_FLOPS * elements(node.results[0].type)


def computed_again(graph: Graph) -> set[Node]:
    """The cheap elementwise nodes that compute something again, of one array of their size and of small ones, for
    elementwise work and sums.

    Whatever reads the result reads that array instead, which is in memory anyway: a second computation stores nothing.
    So the centred and the normalised input of a normalisation are not, which its gradient takes from the input.
    """
    if not any(isinstance(node.op, Barrier) for node in graph.nodes):
        return set()
    users, outputs = graph.users(), {*graph.outputs}
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
        elif is_move(node) or (isinstance(node.op, Elementwise) and not node.op.effect):
            (result,) = node.results
            own = node.op.flops if isinstance(node.op, Elementwise) else 0
            work = own + sum(flops.get(v, 0) for v in node.operands)
            read = frozenset[Value]().union(*(roots.get(v, frozenset((v,))) for v in node.operands))
            large = [v for v in read if SMALL * elements(v.type) > elements(result.type)]
            through = is_move(node)
            if not through and held.intersection(node.operands) and result not in outputs and work <= MOVE_FLOPS:
                fits = len(large) == 1 and estimate(large[0].type.bytes) <= estimate(result.type.bytes)
                through = fits and all(map(_is_plain, _readers(result, users, barriers=False)))
                found.update((node,) if through else ())
            if through:
                roots[result], flops[result] = read, work
                held.update((result,) if held.intersection(node.operands) else ())
    return found


def summed_apart(graph: Graph) -> set[Node]:
    """The elementwise nodes that lead to sums and are computed with these, though they follow a product: what they read
    of it is stored anyway.

    Done where the product is made, each would be stored as well, for the sums to read.
    """
    products = [n for n in graph.nodes if isinstance(n.op, Fold) and len(n.operands) > 1]
    if not products:
        return set()
    users, outputs = graph.users(), {*graph.outputs}
    after = {v for n in products for v in n.results}
    for node in graph.nodes:
        if (isinstance(node.op, Elementwise) or is_move(node)) and not after.isdisjoint(node.operands):
            after.update(node.results)
    stored: set[Value] = set()
    summed: set[Node] = set()
    """Elementwise nodes that lead to sums."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if node.results and node.results[0] in after:
            readers = list(_readers(node.results[0], users))
            if isinstance(node.op, Elementwise) and any(_is_sum(n) or n in summed for n in readers):
                summed.add(node)
            if node.results[0] in outputs or not all(isinstance(n.op, Elementwise) for n in readers):
                stored.add(node.results[0])
    for node in summed:
        if not stored.isdisjoint(node.operands):
            found.add(node)
    return found


def _readers(value: Value, users: Users, barriers: bool = True) -> Iterable[Node]:
    """The nodes that read a value, some through moves; without `barriers`, what reads through these instead."""
    for node in users[value]:
        if is_move(node):
            yield from _readers(node.results[0], users, barriers)
        elif isinstance(node.op, Barrier) and not barriers:
            yield from _readers(node.results[node.operands.index(value)], users, barriers)
        else:
            yield node


def _is_sum(node: Node) -> bool:
    return isinstance(node.op, Fold) and len(node.operands) == 1


def _is_plain(node: Node) -> bool:
    """Whether the node reads every element about once."""
    return isinstance(node.op, Elementwise) or _is_sum(node)
