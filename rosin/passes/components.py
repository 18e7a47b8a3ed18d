"""Vectors of few components, part by part: what all components share is computed once, where it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from types import UnionType
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import is_static
from rosin.ir.graph import Graph, Node
from rosin.ir.literal import splat
from rosin.ir.op import Elementwise, Op, Value, Values
from rosin.ir.ops.movement import Broadcast, Constant, Move
from rosin.ir.ops.reduce import Sum
from rosin.passes.base import Pass, rebuild

MOST = 4
"""So many components at most."""

LEAST = 1 << 11
"""A sum of fewer terms is left as it is."""


@dataclass(frozen=True)
class Components(Pass):
    """Sums over pairs, say, of vectors that are scaled by what their lengths give, as forces among bodies are.

    The length is a sum over components, and the result has a component of each, so that no one loop nest has room for
    both: the scaled vectors of all pairs would be stored. With one value for each component in place of an axis, all of
    it is elementwise work and sums over the same axis, which fuse.

    What was a chain of fused multiply-adds becomes products and sums, so that last bits of results change.
    """

    name: ClassVar[str] = "components"
    ulps: ClassVar[int] = 16

    def rewrite(self, graph: Graph) -> Graph:
        made = {v: node for node in graph.nodes for v in node.results}
        split: dict[Node, int] = {}
        lengths: set[Node] = set()
        for node in graph.nodes:
            found = _split(graph, node, made)
            if found is not None:
                split[node] = found[0]
                lengths |= found[1]
        if not split:
            return graph
        b = Builder()
        parts = _Parts(b)

        def visit(node: Node, operands: Values) -> Values | None:
            op = node.op
            if not isinstance(op, Sum):
                return None
            (x,) = operands
            if node in lengths:
                (axis,) = op.axes
                total, *rest = (parts.part(x, axis, k) for k in range(x.type.sizes[axis]))
                for part in rest:
                    total = b.add(total, part)
                return (total,)
            return (_stacked(b, parts, op, x, split[node]),) if node in split else None

        return rebuild(graph, visit, b)


def _split(graph: Graph, node: Node, made: Mapping[Value, Node]) -> tuple[int, set[Node]] | None:
    """For a sum of scaled vectors the axis of their components, and the sums that their lengths are."""
    if not isinstance(node.op, Sum) or not is_static(node.operands[0].type.shape):
        return None
    (x,) = node.operands
    shape = x.type.sizes
    if prod(shape) < LEAST or x in graph.outputs or x.type.dtype.bits < 32:
        return None
    for axis in (axis for axis, size in enumerate(shape) if 2 <= size <= MOST and axis not in node.op.axes):
        scales = [s for s in _repeated(x, axis, made) if prod(s.type.sizes) * shape[axis] == prod(shape)]
        lengths = {m for s in scales for m in _sums_of_few(s, made)}
        if lengths:
            return axis, lengths
    return None


def _upstream(value: Value, made: Mapping[Value, Node], through: type[Op] | UnionType) -> Iterator[Node]:
    """The nodes that the value comes from, through ops of one kind, and those that make what these read."""
    seen: set[Value] = set()
    waiting = [value]
    while waiting:
        value = waiting.pop()
        node = made.get(value)
        if value in seen or node is None:
            continue
        seen.add(value)
        yield node
        if isinstance(node.op, through):
            waiting += node.operands


def _repeated(value: Value, axis: int, made: Mapping[Value, Node]) -> Iterator[Value]:
    """Values that are computed, and repeated along the axis for the given one."""
    for node in _upstream(value, made, Elementwise):
        if isinstance(node.op, Broadcast) and axis not in node.op.axes and node.operands[0] in made:
            yield node.operands[0]


def _sums_of_few(value: Value, made: Mapping[Value, Node]) -> Iterator[Node]:
    """Sums of few components among what a value is computed from."""
    for node in _upstream(value, made, Elementwise | Move):
        if isinstance(node.op, Sum) and len(node.op.axes) == 1:
            (x,) = node.operands
            maker = made.get(x)
            few = is_static(x.type.shape) and 2 <= x.type.sizes[node.op.axes[0]] <= MOST
            if few and maker is not None and isinstance(maker.op, Elementwise):
                yield node


def _stacked(b: Builder, parts: _Parts, op: Sum, x: Value, axis: int) -> Value:
    """The sum, one component after the other."""
    axes = tuple(a - (a > axis) for a in op.axes)
    at = axis - sum(a < axis for a in op.axes)
    found: list[Value] = []
    for k in range(x.type.sizes[axis]):
        total = b.sum(parts.part(x, axis, k), axes)
        shape = total.type.shape
        found.append(b.reshape(total, (*shape[:at], 1, *shape[at:])))
    return b.concatenate(found, at)


class _Parts:
    """Components of values, each made once."""

    def __init__(self, b: Builder) -> None:
        self.b = b
        self.made: dict[Value, Node] = {}
        self.seen = 0
        self.known: dict[tuple[Value, int, int], Value] = {}

    def part(self, value: Value, axis: int, k: int) -> Value:
        """Component `k` of the value along the axis, which the part lacks."""
        for node in self.b.nodes[self.seen :]:
            self.made.update(dict.fromkeys(node.results, node))
        self.seen = len(self.b.nodes)
        key = value, axis, k
        if key not in self.known:
            self.known[key] = self._part(value, axis, k)
        return self.known[key]

    def _part(self, value: Value, axis: int, k: int) -> Value:
        b, node = self.b, self.made.get(value)
        shape = (*value.type.shape[:axis], *value.type.shape[axis + 1 :])
        match node.op if node else None:
            case Elementwise() as op:
                assert node is not None
                return b.node(op, *(self.part(v, axis, k) for v in node.operands))[0]
            case Broadcast(axes=axes):
                assert node is not None
                (x,) = node.operands
                if axis in axes:
                    x = self.part(x, axes.index(axis), k)
                return b.broadcast(x, shape, tuple(a - (a > axis) for a in axes if a != axis))
            case Constant(value=literal) if literal.is_splat:
                return b.node(Constant(splat(literal.scalar, value.type.with_shape(shape))))[0]
            case _:
                return b.reshape(b.slice_axis(value, axis, k, k + 1), shape)
