"""Many updates of few elements, in any order: parts of them are made apart, each in an array of its own, on threads."""

from __future__ import annotations

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Expr, Kind, Load, Loop, Scope, Statement, Store, When, Within
from rosin.ir.op import Push
from rosin.ir.statements import under
from rosin.ir.steps import Kernel, Nest
from rosin.passes.groups import Group
from rosin.passes.on_threads import threads
from rosin.passes.where import Memory

PARTS = 16
"""Threads share the updates in so many parts."""

MOST_SHARE = 4
"""The arrays of all parts have at most one element for so many updates, or making and joining them would take long."""

FLOPS = 8
"""What an update takes that goes where it is told, beside an operation on one element of a vector."""


def part_updates(group: Group, memory: Memory, name: str) -> list[Kernel | Nest] | None:
    """The steps of updates in parts; None where their order matters, or where it would not pay."""
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Push)
    types, (result,) = tuple(v.type for v in node.operands), node.results
    monoid, extents, size = op.monoid(types), op.domain(types), result.type.size
    count = dims.product(extents)
    few = facts.estimate(size) * PARTS * MOST_SHARE <= facts.estimate(count)
    on_threads, work = threads(count * FLOPS)
    if monoid is None or not few or not on_threads:
        return None
    own = Buffer(f"{name.partition('_')[0]}_parts", result.type.dtype, size * PARTS, Scope.ARENA)
    part, inside, element = LoopVar("part", PARTS), LoopVar("u", (count + (PARTS - 1)) // PARTS), LoopVar("i", size)
    first = indices.of(part) * size

    def at(var: LoopVar) -> Load:
        return Load(own, first + indices.of(var))

    number = indices.of(part) * inside.extent + indices.of(inside)
    point, readers = indices.unflatten(number, extents), tuple(map(memory.read, node.operands))
    tests, goal = op.place(point, readers, types)
    place = first + indices.flatten(goal, result.type.shape)
    made = Store(own, place, op.update(point, Load(own, place), readers, types))
    clear = Loop(element, Kind.VECTOR, (Store(own, at(element).offset, monoid.identity[0]),))
    # What tells the place of an update is read only where there is one.
    each = When((Within(number, 0, count),), tuple(under(tests, [made])))
    body: list[Statement] = [Loop(part, Kind.SERIAL, (clear, Loop(inside, Kind.SERIAL, (each,))), parallel=True)]
    updates = Kernel(f"{name}_parts", tuple(body), work=work)
    return [updates, _joined(group, memory, name, own)]


def _joined(group: Group, memory: Memory, name: str, own: Buffer) -> Nest:
    """The first operand combined with the arrays of all parts."""
    node = group.nodes[0]
    op, (result,) = node.op, node.results
    assert isinstance(op, Push)
    monoid = op.monoid(tuple(v.type for v in node.operands))
    assert monoid is not None
    rows = tuple(LoopVar(f"i{axis}", n) for axis, n in enumerate(result.type.shape))
    place = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in rows)
    offset = indices.flatten(place, result.type.shape)
    total: tuple[Expr, ...] = (memory.read(node.operands[0])(place),)
    for part in range(PARTS):
        total = monoid.combine(total, (Load(own, offset + part * result.type.size),))
    loops = tuple(v for v in rows if v.extent != 1)
    return Nest(name, loops, (), (memory.store(result, place, total[0]),), flops=PARTS)
