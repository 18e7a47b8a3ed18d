"""The loop nests of groups of one node: updates pushed into places, and lists of places."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i64
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import Accumulate, Carry, Const, Expr, FromIndex, Kind, Local, Loop, Statement, Store, When, Within
from rosin.ir.op import Pack, Push, apply
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.cast import convert
from rosin.ir.statements import replace, serial_loops, under
from rosin.ir.steps import Kernel, Nest, Step
from rosin.passes.groups import Group
from rosin.passes.on_threads import threads
from rosin.passes.part_updates import part_updates
from rosin.passes.row_updates import row_updates
from rosin.passes.where import Memory

MOST_PARTS, LEAST_PART = 8, 128
"""Neighbours that are updated together are shared by at most so many threads, each of which has at least so many."""

HALF_BYTES = 128
"""Two threads share fewer neighbours if each half has so many bytes: two lines of the cache, mostly."""

WIDE, OWNERS, RUN = 256, 4, 16
"""With so many neighbours or more, threads have whole rows of their own, in runs of so many rows: so what is frequent
is spread among them, and they are rarely near each other."""


def pack_kernels(group: Group, memory: Memory, name: str) -> list[Kernel]:
    """Lines side by side. Every place is written where the next one that is taken goes, and the count goes up by its
    truth value: nothing branches on what the mask holds."""
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Pack)
    (mask,), (result,) = node.operands, node.results
    *lines, size = (LoopVar(f"i{i}", n) for i, n in enumerate(result.type.shape))
    if 0 in result.type.shape:
        return []
    outer = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in lines)
    length = mask.type.shape[-1]
    count = Local("count", i64)
    left, right = Local("left", i64), Local("right", i64)
    carry = Carry((count,), (Const(0, i64),), (left,), (right,), (apply(Add(), left, right),))
    dtype = result.type.dtype

    def put(place: Index, value: Expr) -> Store:
        return memory.store(result, [*outer, place], value)

    at = Index(0, ((Dynamic(count, 0, length), 1),))
    there = LoopVar("at", length)
    taken = op.takes((*outer, indices.of(there)), (memory.read(mask),))
    found: list[Statement] = [
        When((Within(at, 0, size.extent),), (put(at, convert(FromIndex(indices.of(there), i64), dtype)),)),
        Accumulate(carry, (convert(taken, i64),)),
    ]
    rest = put(indices.of(size), convert(FromIndex(Index(length), i64), dtype))
    fill = Loop(size, Kind.SERIAL, (When((Within(indices.of(size) - at, 0, size.extent),), (rest,)),))
    body: list[Statement] = [
        Loop(there, Kind.SERIAL, tuple(found), (carry,)),
        When((Within(at, 0, size.extent),), (fill,)),
    ]
    on_threads, work = threads(length * dims.product(v.extent for v in lines) * 2)
    order = [v for v in lines if v.extent != 1]
    body = serial_loops(order, body, on_threads)
    return [Kernel(name, tuple(body), work=work if order else None)]


def _parts(extent: Dim, bytes: int) -> int:
    """How many threads may share neighbours of so many bytes each. More parts than there are threads would each read
    some lines of every update, and of what comes from memory then many lines are fetched in vain."""
    if not isinstance(extent, int):
        return 1
    even = max((n for n in range(1, MOST_PARTS + 1) if extent % (LEAST_PART * n) == 0), default=1)
    return 2 if even == 1 and extent % 2 == 0 and extent * bytes >= 2 * HALF_BYTES else even


def _owned(goal: Sequence[Index], shape: Sequence[Dim], lanes: LoopVar) -> tuple[LoopVar, Within] | None:
    """A loop over owners of places along the longest axis that updates are told their places along, and the test
    whether an update is an owner's; None where an update has few neighbours, for which so many tests would not pay."""
    told = {
        axis: n
        for axis, n in enumerate(shape)
        if isinstance(n, int) and goal[axis].dynamics() and lanes not in goal[axis].variables()
    }
    if not facts.known_at_least(lanes.extent, WIDE) or max(told.values(), default=0) < 2 * OWNERS * RUN:
        return None
    owner, axis = LoopVar("owner", OWNERS), max(told, key=told.__getitem__)
    return owner, Within(goal[axis] // RUN % OWNERS - indices.of(owner), 0, 1)


def push_steps(group: Group, memory: Memory, name: str) -> Sequence[Step]:
    """Row by row, in parts, or one update after the other."""
    if 0 in group.nodes[0].results[0].type.shape:
        return []
    steps = _one_by_one(group, memory, name)
    return row_updates(group, memory, name, steps) or part_updates(group, memory, name) or steps


def _one_by_one(group: Group, memory: Memory, name: str) -> list[Kernel | Nest]:
    """A copy of the first operand, then the updates in the order of their domain.

    Updates may meet in one place, so they run one after the other but along the axes that the op calls disjoint: such
    loops stand outside and run on threads, and one of them, where places are side by side, runs as vectors inside.
    Where there is only that one, each thread goes through all updates, for places of its own or for some neighbours.
    """
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Push)
    types = tuple(v.type for v in node.operands)
    (result,) = node.results
    shape = result.type.shape
    place = [LoopVar(f"i{i}", n) for i, n in enumerate(shape)]
    start = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in place)
    copy = memory.store(result, start, memory.read(node.operands[0])(start))
    rows = tuple(v for v in place if v.extent != 1)
    steps: list[Kernel | Nest] = [Nest(f"{name}_copy", rows, (), (copy,))]
    domain = [LoopVar(f"u{i}", n) for i, n in enumerate(op.domain(types))]
    if 0 in [v.extent for v in domain]:
        return steps
    point = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in domain)
    readers = tuple(memory.read(v) for v in node.operands)
    tests, goal = op.place(point, readers, types)
    store = memory.store(result, goal, op.update(point, memory.stored(result)(goal), readers, types))
    offset = store.offset
    free = [v for v, apart in zip(domain, op.disjoint(types), strict=True) if apart and v.extent != 1]
    side_by_side = [v for v in free if offset.affine_in(v) and offset.coefficient(v) == 1]
    lanes = max(side_by_side, key=lambda v: facts.estimate(v.extent), default=None)
    ordered = [v for v in domain if v.extent != 1 and v not in free]
    outer = [v for v in domain if v in free and v is not lanes]
    on_threads, work = threads(dims.product(v.extent for v in domain))
    # A test that is the same for all lanes stands outside, so that what they share is computed once.
    inner = [t for t in tests if lanes is not None and lanes in t.index.variables()]
    body = under(inner, [store])
    around = tuple(t for t in tests if t not in inner)
    if lanes is not None and not outer and on_threads and ordered:
        part, owned = LoopVar("part", _parts(lanes.extent, result.type.dtype.bytes)), _owned(goal, shape, lanes)
        if owned is not None:
            owner, is_own = owned
            outer, around = [owner], (is_own, *around)
        elif part.extent != 1:
            inside = LoopVar(lanes.name, lanes.extent // part.extent)
            at = {lanes: indices.of(part) * inside.extent + indices.of(inside)}
            memo: dict[int, Expr] = {}
            body = [replace(s, at, memo) for s in body]
            outer, lanes = [part], inside
    if lanes is not None:
        body = [Loop(lanes, Kind.VECTOR, tuple(body))]
    body = serial_loops([*outer, *ordered], under(around, body), bool(outer) and on_threads)
    return [*steps, Kernel(name, tuple(body), work=work if outer else None)]
