"""The loop nests of groups of one node: running combinations along an axis, and updates pushed into places."""

from __future__ import annotations

from rosin.ir import index as indices
from rosin.ir.index import LoopVar
from rosin.ir.loops import Accumulate, Kernel, Kind, Load, Loop, Statement, Store, When, Within
from rosin.ir.op import Push, Running
from rosin.passes.fusion import Group
from rosin.passes.nest import PARALLEL_WORK, Memory, Nest, choose_lanes, used_buffers


def running_kernels(group: Group, memory: Memory, name: str) -> list[Kernel]:
    """Lines side by side, each combined element by element in order."""
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Running)
    types = tuple(v.type for v in node.operands)
    axis, backward = op.line(types)
    shape = node.results[0].type.sizes
    variables = [LoopVar(f"i{i}", n) for i, n in enumerate(shape)]
    place = [indices.of(v) for v in variables]
    if backward:
        place[axis] = place[axis] * -1 + (shape[axis] - 1)
    carry = op.monoid(types).carry("run")
    element = memory.read(node.operands[0])(tuple(place))
    store = Store(
        memory.buffers[node.results[0]], indices.flatten(place, shape), op.finish(carry.locals, types)
    )
    body: list[Statement] = [Accumulate(carry, op.term(element)), store]
    others = [v for i, v in enumerate(variables) if i != axis and v.extent != 1]
    lanes = choose_lanes(others, body)
    loops: list[Statement] = [Loop(variables[axis], Kind.SERIAL, tuple(body), (carry,))]
    order = [v for v in others if v is not lanes] + [v for v in others if v is lanes]
    for var in reversed(order):
        total = node.results[0].type.bytes
        parallel = var is order[0] and total * 4 >= PARALLEL_WORK
        loops = [Loop(var, Kind.VECTOR if var is lanes else Kind.SERIAL, tuple(loops), parallel=parallel)]
    return [Kernel(name, used_buffers(loops), tuple(loops))]


def push_kernels(group: Group, memory: Memory, name: str) -> list[Kernel]:
    """A copy of the first operand, then the updates in the order of their domain.

    Updates may meet in one place, so their loops run one after the other; only trailing loops in which all updates
    go to neighbouring places run as vectors.
    """
    node = group.nodes[0]
    op = node.op
    assert isinstance(op, Push)
    types = tuple(v.type for v in node.operands)
    target = memory.buffers[node.results[0]]
    shape = node.results[0].type.sizes
    place = [LoopVar(f"i{i}", n) for i, n in enumerate(shape)]
    start = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in place)
    copy = Store(target, indices.flatten(start, shape), memory.read(node.operands[0])(start))
    kernels = [Nest([v for v in place if v.extent != 1], [], [copy]).kernel(f"{name}_copy")] if 0 not in shape else []
    domain = [LoopVar(f"u{i}", n) for i, n in enumerate(op.domain(types))]
    if 0 in shape or 0 in [v.extent for v in domain]:
        return kernels
    point = tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in domain)
    readers = tuple(memory.read(v) for v in node.operands)
    goal = op.place(point, readers, types)
    offset = indices.flatten(goal, shape)
    tests = tuple(Within(i, 0, n) for i, n in zip(goal, shape, strict=True))
    tests = tuple(t for t in tests if not t.always)
    store = Store(target, offset, op.update(point, Load(target, offset), readers, types))
    body: list[Statement] = [When(tests, (store,))] if tests else [store]
    live = [v for v in domain if v.extent != 1]
    # Lanes may run together only along an axis whose updates all go to different places, side by side.
    last = live[-1] if live else None
    vector = last is not None and offset.affine_in(last) and offset.coefficient(last) == 1
    for var in reversed(live):
        body = [Loop(var, Kind.VECTOR if var is last and vector else Kind.SERIAL, tuple(body))]
    return [*kernels, Kernel(name, used_buffers(body), tuple(body))]
