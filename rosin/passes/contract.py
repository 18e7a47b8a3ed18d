"""The loop nests of a contraction (matrix product, convolution): register tiles around the folded loops.

One axis runs as vectors. When it is an axis of the result, the tile is a block of `rows x vectors` running sums, each
step loads a few vectors of one operand and a few scalars of the other, and multiplies all pairs. When only a folded
axis lies side by side in memory in both operands, the tile is a block of dot products, whose lanes are added up at
the end. What follows elementwise is computed from the finished tile before it is stored.

Sizes that the tile does not divide get kernels of their own with smaller tiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from rosin.ir import index as indices
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Carry,
    Const,
    Expr,
    FromIndex,
    Guard,
    Kernel,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Statement,
    Store,
    substitute,
    walk,
)
from rosin.ir.op import Elementwise, Fold, Pull, Reader, Value
from rosin.passes.fusion import Group
from rosin.passes.nest import PARALLEL_WORK, Memory, used_buffers


def contraction_kernels(group: Group, memory: Memory, name: str, vector_bytes: int) -> list[Kernel]:
    return _Contraction(group, memory, name, vector_bytes).kernels()


@dataclass(frozen=True)
class Tile:
    """A piece of the result: along one axis, `count` blocks of `block` neighbours starting at `start`."""

    start: int
    count: int
    block: int
    width: int = 1
    """Lanes of a neighbour, when it is a vector."""


class _Contraction:
    def __init__(self, group: Group, memory: Memory, name: str, vector_bytes: int) -> None:
        self.group = group
        self.memory = memory
        self.name = name
        self.node = group.nodes[0]
        op = self.node.op
        assert isinstance(op, Fold)
        self.op = op
        self.types = tuple(v.type for v in self.node.operands)
        uses = memory.fusion.uses_of[self.node]
        self.result = uses.variables[: uses.result_rank]
        self.folded = [v for v in uses.variables[uses.result_rank :] if v.extent != 1]
        self.index = tuple(_place(v) for v in self.result)
        point = tuple(_place(v) for v in uses.variables[uses.result_rank :])
        readers = tuple(memory.read(v) for v in self.node.operands)
        self.terms = op.terms(self.index, point, readers, self.types)
        self.loads = [e for t in self.terms for e in walk(t) if isinstance(e, Load)]
        self.monoid = op.monoid(self.types)
        widest = max(e.dtype.bytes for t in self.terms for e in walk(t))
        self.width = max(vector_bytes // max(widest, 1), 1)
        self.registers = 32 if vector_bytes >= 64 else 16

    # -- choosing the tile ---------------------------------------------------------------------------------

    def steps(self, var: LoopVar) -> list[int | None]:
        """How far each load moves with a step of the variable; None where that is not one number."""
        return [e.offset.coefficient(var) if e.offset.affine_in(var) else None for e in self.loads]

    def use(self, var: LoopVar) -> float:
        """The fraction of lanes that are busy when the variable runs as vectors."""
        return var.extent / (-(-var.extent // self.width) * self.width)

    def lanes(self) -> LoopVar | None:
        """The variable that runs as vectors."""
        store = indices.flatten(self.index, self.node.results[0].type.sizes)
        best: tuple[float, LoopVar] | None = None
        for var in [v for v in self.result if v.extent != 1] + self.folded:
            steps = self.steps(var)
            smooth = all(step in (0, 1) for step in steps)
            if var in self.folded:
                # Lanes are added up at the end: dearer than an axis of the result unless there are many steps.
                score = self.use(var) * (0.8 if var.extent >= 4 * self.width else 0.4)
                score *= 1.0 if all(step == 1 for step in steps) else 0.1
            else:
                score = self.use(var) * (1.0 if smooth and store.coefficient(var) == 1 else 0.15 if smooth else 0.08)
            if best is None or score > best[0]:
                best = (score, var)
        return best[1] if best else None

    def partners(self, lanes: LoopVar) -> list[LoopVar]:
        """Result axes to tile besides the lanes, best first: a step along them leaves some load where it is."""
        candidates = [v for v in self.result if v is not lanes and v.extent != 1 and 0 in self.steps(v)]
        if lanes in self.folded:
            return sorted(candidates, key=lambda v: -v.extent)
        still = [i for i, step in enumerate(self.steps(lanes)) if step != 0]
        return sorted((v for v in candidates if all(self.steps(v)[i] == 0 for i in still)), key=lambda v: -v.extent)

    # -- kernels -------------------------------------------------------------------------------------------

    def kernels(self) -> list[Kernel]:
        lanes = self.lanes()
        if lanes is None:
            return [self.kernel({}, None, 0)]
        partners = self.partners(lanes)
        if lanes in self.folded:
            first = partners[:1]
            second = [v for v in partners[1:] if _apart(self.steps(first[0]), self.steps(v))][:1] if first else []
            blocks = [_blocks(v.extent, 4) for v in (*first, *second)]
            choices = [dict(zip((*first, *second), tiles, strict=True)) for tiles in itertools.product(*blocks)]
        else:
            groups = max(1, min(4 if self.registers == 32 else 2, -(-lanes.extent // self.width)))
            if not partners:
                groups = max(groups, min(8, lanes.extent // self.width))
            room = (self.registers - groups - 1) // groups if partners else 1
            vectors = _vector_blocks(lanes.extent, groups, self.width)
            rows = _blocks(partners[0].extent, room) if partners else [None]
            choices = [
                {lanes: v, **({partners[0]: r} if r is not None else {})} for v, r in itertools.product(vectors, rows)
            ]
        return [self.kernel(choice, lanes, i) for i, choice in enumerate(choices)]

    def kernel(self, tiles: Mapping[LoopVar, Tile], lanes: LoopVar | None, number: int) -> Kernel:
        """The nest over one kind of tile."""
        outer = [v for v in self.result if v.extent != 1 and v not in tiles]
        blocks = {v: LoopVar(f"{v.name}_block", t.count) for v, t in tiles.items()}
        tiled = sorted(tiles, key=lambda v: v is not lanes)
        lane = LoopVar(f"{lanes.name}_lane", tiles[lanes].width) if lanes in tiles and lanes is not None else None
        sharing = Sharing()
        carries: list[Carry] = []
        steps: list[Statement] = []
        ends: list[Statement] = []
        for position in itertools.product(*(range(tiles[v].block) for v in tiled)):
            values: dict[LoopVar, Index] = {}
            for var, at in zip(tiled, position, strict=True):
                tile = tiles[var]
                place = indices.of(blocks[var]) * (tile.block * tile.width) + (tile.start + at * tile.width)
                if tile.count == 1:
                    place = Index(tile.start + at * tile.width)
                values[var] = place + indices.of(lane) if var is lanes and lane is not None and tile.width > 1 else place
            carry = self.monoid.carry("acc" + "".join(f"_{p}" for p in position))
            carries.append(carry)
            memo: dict[int, Expr] = {}
            steps.append(Accumulate(carry, tuple(sharing.intern(substitute(t, values, memo)) for t in self.terms)))
            ends += self.epilogue(carry, values, sharing)
        body = self._fold_loops(steps, tuple(carries), lanes if lanes in self.folded else None) + ends
        if lane is not None and lane.extent > 1:
            body = [Loop(lane, Kind.VECTOR, tuple(body))]
        for var in reversed([*outer, *(blocks[v] for v in tiled if tiles[v].count > 1)]):
            body = [Loop(var, Kind.SERIAL, tuple(body))]
        if isinstance(body[0], Loop) and len(body) == 1 and body[0].kind is Kind.SERIAL and self.work >= PARALLEL_WORK:
            loop = body[0]
            if not loop.carries:
                body = [Loop(loop.var, loop.kind, loop.body, loop.carries, parallel=True)]
        name = f"{self.name}_{number}" if number else self.name
        return Kernel(name, used_buffers(body), tuple(body))

    @property
    def work(self) -> int:
        total = 1
        for var in (*self.result, *self.folded):
            total *= var.extent
        return total

    def _fold_loops(self, steps: list[Statement], carries: tuple[Carry, ...], lanes: LoopVar | None) -> list[Statement]:
        order = [v for v in self.folded if v is not lanes] + [v for v in self.folded if v is lanes]
        if not order:
            return [Loop(LoopVar("once", 1), Kind.SERIAL, tuple(steps), carries)]
        body = steps
        for var in reversed(order):
            kind = Kind.VECTOR if var is lanes else Kind.SERIAL
            body = [Loop(var, kind, tuple(body), carries if var is order[0] else ())]
        return body

    # -- epilogue ------------------------------------------------------------------------------------------

    def epilogue(self, carry: Carry, values: dict[LoopVar, Index], sharing: Sharing) -> list[Statement]:
        """The element of the result, and everything that the group computes from it."""
        finished = self.op.finish(carry.locals, self.types)
        local = Local(carry.locals[0].name + "_end", finished.dtype)
        known: dict[Value, Expr] = {self.node.results[0]: local}
        result: list[Statement] = [Let(local, finished)]
        place = {axis: _place(v).substitute(values) for axis, v in enumerate(self.result)}
        for node in self.group.nodes:
            value = node.results[0]
            index = tuple(indices.ZERO if a is None else place[a] for a in self.group.axes[value])
            if node is not self.node:
                readers = tuple(self._reader(v, known) for v in node.operands)
                if isinstance(node.op, Elementwise):
                    expr: Expr = Apply(node.op, tuple(r(index) for r in readers), value.type.dtype)
                else:
                    assert isinstance(node.op, Pull)
                    expr = node.op.element(index, readers, tuple(v.type for v in node.operands))
                known[value] = sharing.intern(expr)
            buffer = self.memory.buffers.get(value)
            if buffer is not None:
                result.append(Store(buffer, indices.flatten(index, value.type.sizes), known[value]))
        return result

    def _reader(self, value: Value, known: Mapping[Value, Expr]) -> Reader:
        if value in known:
            return lambda index: known[value]
        move = self.memory.fusion.moves.get(value)
        if move is None:
            return self.memory.read(value)
        op = move.op
        assert isinstance(op, Pull)
        readers = tuple(self._reader(v, known) for v in move.operands)
        types = tuple(v.type for v in move.operands)
        return lambda index: op.element(index, readers, types)


class Sharing:
    """Makes equal expressions the same object, so that tiles load what they share once."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], Expr] = {}

    def intern(self, expr: Expr) -> Expr:
        children = tuple(self.intern(c) for c in expr.children())
        same = all(a is b for a, b in zip(children, expr.children(), strict=True))
        key: tuple[object, ...]
        match expr:
            case Load():
                key = (Load, expr.buffer, expr.offset)
            case Const():
                key = (Const, repr(expr.value), expr.dtype)
            case Apply():
                key = (Apply, expr.op, expr.dtype, *map(id, children))
            case FromIndex():
                key = (FromIndex, expr.index, expr.dtype)
            case Guard():
                key = (Guard, expr.tests, *map(id, children))
            case _:
                return expr
        if key not in self.known:
            self.known[key] = expr if same else expr.rebuild(children, expr.indices())
        return self.known[key]


def _place(var: LoopVar) -> Index:
    return indices.of(var) if var.extent != 1 else indices.ZERO


def _apart(a: list[int | None], b: list[int | None]) -> bool:
    """Whether two axes move different loads."""
    return any(x == 0 and y != 0 for x, y in zip(a, b, strict=True))


def _blocks(extent: int, most: int) -> list[Tile]:
    """The extent in blocks of at most `most`: all alike when that wastes little, else with a smaller last one."""
    block = next((b for b in range(min(most, extent), max(most // 2, 1) - 1, -1) if extent % b == 0), min(most, extent))
    tiles = [Tile(0, extent // block, block)]
    if extent % block:
        tiles.append(Tile(extent - extent % block, 1, extent % block))
    return tiles


def _vector_blocks(extent: int, groups: int, width: int) -> list[Tile]:
    """The extent in blocks of `groups` vectors, then one of the whole vectors left, then what is less than a vector."""
    tiles: list[Tile] = []
    start = 0
    for count in (groups, (extent // width) % groups):
        block = count * width
        if count and (extent - start) // block:
            many = (extent - start) // block if count == groups else 1
            tiles.append(Tile(start, many, count, width))
            start += many * block
    if start < extent:
        tiles.append(Tile(start, 1, 1, extent - start))
    return tiles
