"""The loop nests of groups of one node: running combinations along an axis, and updates pushed into places."""

from __future__ import annotations

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.index import LoopVar
from rosin.ir.loops import Accumulate, Kernel, Kind, Loop, Nest, Statement, When
from rosin.ir.op import Push, Running
from rosin.ir.statements import used_buffers
from rosin.passes.fusion import Group
from rosin.passes.nest import Memory, choose_lanes, threads


def running_kernels(group: Group, memory: Memory, name: str) -> list[Kernel]:
    """Lines side by side, each combined element by element in order."""
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Running)
    types = tuple(v.type for v in node.operands)
    axis, backward = op.line(types)
    shape = node.results[0].type.shape
    variables = [LoopVar(f"i{i}", n) for i, n in enumerate(shape)]
    # Only the axis that runs has a loop of one iteration; the others have no loop, and so no variable.
    place = [indices.of(v) if v.extent != 1 or i == axis else indices.ZERO for i, v in enumerate(variables)]
    if backward:
        place[axis] = place[axis] * -1 + (shape[axis] - 1)
    carry = op.monoid(types).carry("run")
    elements = tuple(memory.read(v)(tuple(place)) for v in node.operands)
    store = memory.store(node.results[0], place, op.finish(carry.locals, types))
    body: list[Statement] = [Accumulate(carry, op.term(*elements)), store]
    others = [v for i, v in enumerate(variables) if i != axis and v.extent != 1]
    lanes = choose_lanes(others, body)
    loops: list[Statement] = [Loop(variables[axis], Kind.SERIAL, tuple(body), (carry,))]
    order = [v for v in others if v is not lanes] + [v for v in others if v is lanes]
    on_threads, work = threads(node.results[0].type.size * (4 * node.results[0].type.dtype.bytes))
    for var in reversed(order):
        parallel = var is order[0] and on_threads
        loops = [Loop(var, Kind.VECTOR if var is lanes else Kind.SERIAL, tuple(loops), parallel=parallel)]
    return [Kernel(name, used_buffers(loops), tuple(loops), work=work if order else None)]


def push_kernels(group: Group, memory: Memory, name: str) -> list[Kernel | Nest]:
    """A copy of the first operand, then the updates in the order of their domain.

    Updates may meet in one place, so they run one after the other but along the axes that the op calls disjoint: such
    loops stand outside and run on threads, and one of them, where places are side by side, runs as vectors inside.
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
    steps: list[Kernel | Nest] = [Nest(f"{name}_copy", rows, (), (copy,))] if 0 not in shape else []
    domain = [LoopVar(f"u{i}", n) for i, n in enumerate(op.domain(types))]
    if 0 in shape or 0 in [v.extent for v in domain]:
        return steps
    point = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in domain)
    readers = tuple(memory.read(v) for v in node.operands)
    tests, goal = op.place(point, readers, types)
    store = memory.store(result, goal, op.update(point, memory.stored(result)(goal), readers, types))
    offset = store.offset
    body: list[Statement] = [When(tests, (store,))] if tests else [store]
    free = {v for v, apart in zip(domain, op.disjoint(types), strict=True) if apart and v.extent != 1}
    side_by_side = [v for v in free if offset.affine_in(v) and offset.coefficient(v) == 1]
    lanes = max(side_by_side, key=lambda v: facts.estimate(v.extent), default=None)
    ordered = [v for v in domain if v.extent != 1 and v not in free]
    outer = [v for v in domain if v in free and v is not lanes]
    on_threads, work = threads(dims.product(v.extent for v in domain))
    order: list[LoopVar] = [*outer, *ordered, *([lanes] if lanes is not None else [])]
    for var in reversed(order):
        parallel = bool(outer) and var is outer[0] and on_threads
        body = [Loop(var, Kind.VECTOR if var is lanes else Kind.SERIAL, tuple(body), parallel=parallel)]
    return [*steps, Kernel(name, used_buffers(body), tuple(body), work=work if outer else None)]
