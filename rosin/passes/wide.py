"""Wide values block by block: what a product makes much of is used while it is in a near cache, and never stored."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import i32
from rosin.ir.graph import Graph, Node
from rosin.ir.literal import splat
from rosin.ir.op import Op, Value
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.movement import Broadcast, Constant, Iota, Reshape, Slice
from rosin.ir.ops.reduce import Sum
from rosin.ir.ops.scan import Scan
from rosin.ir.transform.split import needed
from rosin.ir.types import TensorType
from rosin.passes.base import Pass
from rosin.passes.wide_regions import Label, Region, Stage, Whereabouts, regions_of

BLOCK_BYTES = 1 << 18
"""A block of one wide value takes at most so many bytes."""

MOST_ROWS, FEWEST_ROWS = 64, 8
"""How many rows a block has."""

PANEL_BYTES = 1 << 22
"""What every block of rows reads as a whole takes at most so many bytes."""


@dataclass(frozen=True)
class Wide(Pass):
    """Rows of wide values become blocks in loops: over batch axes, and in these over rows.

    So attention never stores its scores, forward or backward, in whatever way it is written: a block of queries sees
    all keys at once, and the way back computes its scores again, as in FlashAttention (Dao et al., 2022), whose running
    softmax a block of whole rows does not need.

    Sums over rows come about block by block, so that the last bits of results change.
    """

    name: ClassVar[str] = "wide"
    ulps: ClassVar[int] = 1 << 12

    def rewrite(self, graph: Graph) -> Graph:
        seen: set[Value] = set()
        while seeds := [node for node in graph.nodes if _is_seed(node) and node.results[0] not in seen]:
            if any(node.op.effect for node in graph.nodes):
                return graph
            where = Whereabouts(graph)
            for seed in seeds:
                seen.add(seed.results[0])
                graph = _blocked(where, seed)
                if graph is not where.graph:
                    break
        return graph


def _is_seed(node: Node) -> bool:
    return isinstance(node.op, DotGeneral) and node.results[0].type.bytes > BLOCK_BYTES


def _blocked(where: Whereabouts, seed: Node) -> Graph:
    """The graph with the best region around the product in blocks, if one is worth it."""
    graph, made = where.graph, where.made
    best: tuple[int, Region, list[Stage]] | None = None
    for region in regions_of(where, seed):
        stages = region.stages()
        saved, stored = _saved(region, stages)
        if saved > (best[0] if best else 0) and _may_run(region, stages):
            best = saved, region, stages
            if not stored:
                break
    if best is None:
        return graph
    _, region, stages = best
    env: dict[Value, Value] = {}
    nodes = list(graph.nodes)
    for stage in stages:
        b = Builder()
        b.location = seed.location
        found = _Loops(region, stage, made).append(b, {key: env.get(key[0], key[0]) for key in stage.given})
        for value, new in found.items():
            new.name = new.name or value.name
        env.update(found)
        nodes += b.nodes
    nodes = [_over(node, env) for node in nodes]
    outputs = tuple(env.get(v, v) for v in graph.outputs)
    return Graph(graph.inputs, tuple(needed(_sorted(nodes), outputs)), outputs, graph.name)


def _over(node: Node, env: Mapping[Value, Value]) -> Node:
    operands = tuple(env.get(v, v) for v in node.operands)
    return node if operands == node.operands else replace(node, operands=operands)


def _saved(region: Region, stages: Sequence[Stage]) -> tuple[int, int]:
    """The bytes of wide products that are stored no more, less those of wide values that are given out; and these."""
    out = {v for stage in stages for v in stage.rows}
    products = [n.results[0] for n in region.members if isinstance(n.op, DotGeneral)]
    stored = sum(v.type.bytes for v in out if region.is_wide(v))
    return sum(v.type.bytes for v in products if region.is_wide(v) and v not in out) - stored, stored


def _may_run(region: Region, stages: Sequence[Stage]) -> bool:
    """Whether blocks are some, share nothing large, and can run on several threads."""
    if not _levels(region) or (any(stage.sums for stage in stages) and len(region.sizes) == 1):
        return False
    for stage in stages:
        whole = (
            prod(_shape(v, label, [1] * len(region.sizes))) * v.type.dtype.bytes
            for v, label in stage.given
            if label[region.row] is None
        )
        if sum(whole) > PANEL_BYTES:
            return False
    return True


def _levels(region: Region) -> list[tuple[int, int]]:
    """The loops from the outermost one on: which tiled axis, and the length of its blocks."""
    row, sizes = region.row, region.sizes
    found = sorted(((axis, 1) for axis in range(row)), key=lambda level: -sizes[level[0]])
    wide = prod(region.seed.results[0].type.sizes) // prod(sizes) * region.seed.results[0].type.dtype.accumulator.bytes
    if sizes[row] * wide > BLOCK_BYTES:
        most = max(min(MOST_ROWS, BLOCK_BYTES // wide), FEWEST_ROWS)
        block = next((b for b in range(most, most // 2, -1) if sizes[row] % b == 0), most)
        if block < sizes[row]:
            found.append((row, block))
    return found


def _shape(value: Value, label: Label, sizes: Sequence[int]) -> tuple[int, ...]:
    """The shape of a block."""
    shape = list(value.type.sizes)
    for number, axis in enumerate(label):
        if axis is not None:
            shape[axis] = sizes[number]
    return tuple(shape)


def _sorted(nodes: Sequence[Node]) -> list[Node]:
    """The nodes in an order in which each comes after what it reads, as near to the given one as that allows."""
    maker = {v: i for i, node in enumerate(nodes) for v in node.results}
    waits = [len({maker[v] for v in node.operands if v in maker}) for node in nodes]
    then: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for before in {maker[v] for v in node.operands if v in maker}:
            then[before].append(i)
    ready = [i for i, count in enumerate(waits) if count == 0]
    ordered: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        ordered.append(nodes[i])
        for after in then[i]:
            waits[after] -= 1
            if waits[after] == 0:
                heapq.heappush(ready, after)
    assert len(ordered) == len(nodes), "stages wait for each other"
    return ordered


Given = Mapping[tuple[Value, Label], Value]
"""What stands for each value from outside, as it is tiled."""


class _Loops:
    """The loops of one stage."""

    def __init__(self, region: Region, stage: Stage, made: Mapping[Value, Node]) -> None:
        self.region, self.stage, self.made = region, stage, made
        self.levels = _levels(region)

    def append(self, b: Builder, given: Given) -> dict[Value, Value]:
        """Append the loops; gives what stands for each value that the stage gives out."""
        sources = {key for key in given if self._source(key[0]) is not None}
        outside = {key: x for key, x in given.items() if key not in sources}
        found = self._level(b, outside, 0, list(self.region.sizes), {})
        return {v: b.cast(x, v.type.dtype) for v, x in found.items()}

    def _source(self, value: Value) -> Node | None:
        """The node of a value that takes no operands: it is made where it is read."""
        node = self.made.get(value)
        return node if node is not None and isinstance(node.op, Iota | Constant) and _is_plain(node.op) else None

    def _level(
        self, b: Builder, given: Given, level: int, sizes: list[int], numbers: Mapping[int, Value]
    ) -> dict[Value, Value]:
        """What the loops from a level on give, sums included; `sizes` are those of the tiled axes here, and `numbers`
        say at which place of some of them the block starts."""
        if level == len(self.levels):
            return self._block(b, given, sizes, numbers)
        axis, block = self.levels[level]
        whole, rest = sizes[axis] // block * block, sizes[axis] % block
        if not rest:
            return self._loop(b, given, level, sizes, numbers)
        first, last = (
            {key: self._part(b, x, key[1], axis, *ends) for key, x in given.items()}
            for ends in ((0, whole), (whole, whole + rest))
        )
        start = b.full(whole, TensorType(i32))
        many = self._loop(b, first, level, [*sizes[:axis], whole, *sizes[axis + 1 :]], numbers)
        few = self._level(b, last, level + 1, [*sizes[:axis], rest, *sizes[axis + 1 :]], {**numbers, axis: start})
        return {v: self._together(b, v, axis, x, few[v]) for v, x in many.items()}

    def _part(self, b: Builder, x: Value, label: Label, axis: int, start: int, end: int) -> Value:
        at = label[axis]
        return x if at is None else b.slice_axis(x, at, start, end)

    def _together(self, b: Builder, value: Value, axis: int, x: Value, y: Value) -> Value:
        at = self.region.labels[value][axis]
        return b.add(x, y) if at is None else b.concatenate((x, y), at)

    def _loop(
        self, b: Builder, given: Given, level: int, sizes: list[int], numbers: Mapping[int, Value]
    ) -> dict[Value, Value]:
        axis, block = self.levels[level]
        count = sizes[axis] // block
        inside = [*sizes[:axis], block, *sizes[axis + 1 :]]
        body = Builder()
        body.location = b.location
        operands: list[list[Value]] = [[], [], []]
        inputs: list[list[Value]] = [[], [], []]

        def take(section: int, operand: Value, type: TensorType, name: str) -> Value:
            operands[section].append(operand)
            inputs[section].append(Value(type, name))
            return inputs[section][-1]

        within: dict[tuple[Value, Label], Value] = {}
        for (value, label), x in given.items():
            at = label[axis]
            if at is None:
                within[value, label] = take(1, x, x.type, value.name)
            else:
                element = x.type.with_shape((*x.type.shape[:at], block, *x.type.shape[at + 1 :]))
                within[value, label] = take(2, _cut(b, x, at, count, block), element, value.name)
        places = {number: take(1, x, x.type, "start") for number, x in numbers.items()}
        if self._counts(axis):
            number = take(2, b.iota(TensorType(i32, (count,)), 0), TensorType(i32), "number")
            places[axis] = body.mul(number, block)
        found = self._level(body, within, level + 1, inside, places)
        outputs: list[Value] = []
        summed = [v for v in self.stage.sums if axis == self.region.row]
        for v in summed:
            carried = take(0, b.zeros(found[v].type), found[v].type, v.name)
            outputs.append(body.add(carried, found[v]))
        stacked = [v for v in (*self.stage.rows, *self.stage.sums) if v not in summed]
        outputs += [found[v] for v in stacked]
        body.inputs = [v for section in inputs for v in section]
        graph = body.graph(outputs, f"{self.region.seed.results[0].name or 'product'}_blocks")
        op = Scan(graph, len(inputs[0]), len(inputs[2]), count, False)
        results = b.node(op, *(x for section in operands for x in section))
        joined = dict(zip(summed, results, strict=False))
        for v, x in zip(stacked, results[len(summed) :], strict=True):
            at = self.region.labels[v][axis]
            assert at is not None, "what is given out has every axis of the batch"
            joined[v] = _joined(b, x, at)
        return joined

    def _counts(self, axis: int) -> bool:
        """Whether something counts along a tiled axis."""
        for value, label in self.stage.given:
            node = self._source(value)
            if node is not None and isinstance(node.op, Iota) and label[axis] == node.op.axis:
                return True
        return False

    def _block(
        self, b: Builder, given: Given, sizes: Sequence[int], numbers: Mapping[int, Value]
    ) -> dict[Value, Value]:
        """The nodes over one block."""
        env: dict[Value, Value] = {}
        known = dict(given)
        for node in self.stage.nodes:
            operands: list[Value] = []
            for v, label in zip(node.operands, self.region.reads(node), strict=True):
                if v not in env and (v, label) not in known:
                    known[v, label] = self._made(b, v, label, sizes, numbers)
                operands.append(env[v] if v in env else known[v, label])
            (result,) = node.results
            b.location = node.location
            shape = _shape(result, self.region.labels[result], sizes)
            op, operands = self._wide_sum(b, node, operands) if result in self.stage.sums else (node.op, operands)
            (env[result],) = b.node(_resized(op, shape), *operands, names=(result.name,))
        return {v: env[v] for v in (*self.stage.rows, *self.stage.sums)}

    def _wide_sum(self, b: Builder, node: Node, operands: list[Value]) -> tuple[Op, list[Value]]:
        """A sum over rows of a block, in the type that sums are taken in."""
        wide = node.results[0].type.dtype.accumulator
        if isinstance(node.op, Sum):
            return node.op, [b.cast(x, wide) for x in operands]
        assert isinstance(node.op, DotGeneral)
        return replace(node.op, dtype=wide), operands

    def _made(
        self, b: Builder, value: Value, label: Label, sizes: Sequence[int], numbers: Mapping[int, Value]
    ) -> Value:
        """A block of a value that takes no operands."""
        node = self._source(value)
        assert node is not None, "what is given from outside is there"
        shape = _shape(value, label, sizes)
        if isinstance(node.op, Constant):
            return b.node(Constant(splat(node.op.value.scalar, value.type.with_shape(shape))))[0]
        assert isinstance(node.op, Iota)
        count = b.iota(value.type.with_shape(shape), node.op.axis)
        along = next((number for number, axis in enumerate(label) if axis == node.op.axis), None)
        if along is None or along not in numbers:
            return count
        return b.add(count, b.broadcast(b.cast(numbers[along], value.type.dtype), shape, ()))


def _is_plain(op: Iota | Constant) -> bool:
    return isinstance(op, Iota) or op.value.is_splat


def _resized(op: Op, shape: tuple[int, ...]) -> Op:
    """The op for a result of another shape."""
    match op:
        case Broadcast() | Reshape():
            return replace(op, shape=shape)
        case Slice():
            ends = zip(op.starts, op.limits, op.steps, shape, strict=True)
            return replace(op, limits=tuple(end if step != 1 else start + n for start, end, step, n in ends))
        case _:
            return op


def _cut(b: Builder, x: Value, axis: int, count: int, block: int) -> Value:
    """The value with an axis cut in blocks, whose number comes first."""
    shape = x.type.sizes
    rest = (*shape[:axis], block, *shape[axis + 1 :])
    if prod(shape[:axis]) == 1:
        return b.reshape(x, (count, *rest))
    parts = b.reshape(x, (*shape[:axis], count, block, *shape[axis + 1 :]))
    return b.transpose(parts, (axis, *(i for i in range(parts.type.rank) if i != axis)))


def _joined(b: Builder, x: Value, axis: int) -> Value:
    """Blocks put together along an axis: the opposite."""
    count, *shape = x.type.sizes
    result = (*shape[:axis], count * shape[axis], *shape[axis + 1 :])
    if prod(shape[:axis]) != 1:
        x = b.transpose(x, (*range(1, axis + 1), 0, *range(axis + 1, x.type.rank)))
    return b.reshape(x, result)
