"""Loops and branches of a graph as steps around the kernels of their regions, and what Python computes between them.

A carried value has one place for the whole loop. A step of the body writes its next value straight there when nothing
in the body reads the old one afterwards, and otherwise beside it, to be copied at the end of the step. Elements of
stacked operands are read, and of stacked results written, where they lie in the whole arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import bool_
from rosin.ir.facts import Check
from rosin.ir.graph import Graph, Node
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Expr, Load, Placing, Room, Statement, Store
from rosin.ir.op import Value
from rosin.ir.ops.control import Switch
from rosin.ir.ops.effect import Host
from rosin.ir.ops.loop import While
from rosin.ir.ops.measure import Measure, Misfit
from rosin.ir.ops.scan import Scan
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.statements import relocated
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Inner,
    Kernel,
    Measured,
    Nest,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
)
from rosin.ir.types import TensorType
from rosin.passes.donate import Uses
from rosin.passes.inline import Inline
from rosin.passes.loop_kernels import MIN_LANES, SMALL, lanes_of
from rosin.passes.tapes import tape_row, taped_while
from rosin.passes.where import Place

if TYPE_CHECKING:
    from rosin.passes.to_loops import Region

MOST_STEPS = 1 << 40
"""A loop of so many steps would take days."""

ROOM_BYTES = 1 << 15
"""Room for about so many bytes at once is made on a tape."""


def control_steps(region: Region, node: Node) -> list[Step]:
    """The steps of a node that holds regions, or that Python computes."""
    for value in node.results:
        region.places.setdefault(value, region.arena(region.names[value], value.type))
    match node.op:
        case Scan():
            return _scan(region, node, node.op)
        case While():
            return _while(region, node, node.op)
        case Switch():
            return _switch(region, node, node.op)
        case Sweeps():
            return _sweeps(region, node, node.op)
        case Host():
            return _host(region, node, node.op)
        case Measure():
            return _measure(region, node, node.op)
        case _:
            raise AssertionError(f"{node.op.name} is no control flow")


def _scan(region: Region, node: Node, op: Scan) -> list[Step]:
    first, constants, stacked = op.sections(node.operands)
    steps, carries = _carry(region, first, node.results[: op.carried])
    fixed = region.stored_all(constants, steps)
    sources = region.stored_all(stacked, steps)
    length = op.length
    time = LoopVar(f"t{region.making.next_loop()}", length)
    count = Load(fixed[0].buffer, fixed[0].base) if op.counted else None

    def slice_of(place: Place, type: TensorType) -> Place:
        return Place(place.buffer, place.base + indices.of(time) * type.size)

    inputs = op.body.inputs
    elements = [slice_of(p, v.type) for p, v in zip(sources, inputs[len(inputs) - op.stacked :], strict=True)]
    given = op.body.outputs[op.carried :]
    rows = [slice_of(region.places[v], out.type) for v, out in zip(node.results[op.carried :], given, strict=True)]
    same = dict.fromkeys(op.sections(inputs)[1], facts.estimate(length))
    body, late = _body_and_copies(region, op.body, carries, [*carries, *fixed, *elements], rows, same)
    loop = Repeat(
        time, tuple(_copied(region, body, late)), None, count, op.reverse, apart=not carries and count is None
    )
    if length != 0 and loop.body:
        steps = (None if count else _in_turns(region, steps, loop, body, late)) or [*steps, loop]
    rest = [k for out, row in zip(given, rows, strict=True) for k in region.zeros(out.type, row)] if count else []
    if length != 0 and rest:
        steps.append(Repeat(time, tuple(rest), count))
    return steps + _hand_over(region, carries, node.results)


def _while(region: Region, node: Node, op: While) -> list[Step]:
    first, constants = op.sections(node.operands)
    steps, carries = _carry(region, first, node.results)
    inputs = [*carries, *region.stored_all(constants, steps)]
    (truth,) = op.cond.outputs
    predicate = region.arena("predicate", truth.type)
    test = tuple(region.inner(op.cond, inputs, [predicate]))
    goes_on = Load(predicate.buffer, predicate.base)
    if op.lanes:
        (count,) = truth.type.shape
        loop = RepeatWhile(test, goes_on, tuple(_body(region, op.body, carries, inputs, [])), lanes=count)
        lanes = lanes_of(loop) if not isinstance(count, int) or count >= MIN_LANES else None
        if lanes is None:
            return _expanded(region, node, op)
        region.making.lanes[loop] = lanes
        return [*steps, loop, *_hand_over(region, carries, node.results)]
    taped = taped_while(region, node)
    if taped is None:
        steps.append(RepeatWhile(test, goes_on, tuple(_body(region, op.body, carries, inputs, []))))
        return steps + _hand_over(region, carries, node.results)
    row = region.tapes[taped.sweeps] = tape_row(region.making, taped.kept)
    inputs += region.stored_all(taped.more, steps)
    # Room is made for some steps at once, so that these may be one kernel.
    some = max(ROOM_BYTES // max(facts.estimate(row.tape.record), 1), 1)
    outer, inner = _time(region), LoopVar(f"t{region.making.next_loop()}", some)
    body = _body(region, taped.body, carries, inputs, row.places(indices.of(outer) * some + indices.of(inner)))
    if row.tape.record != 0:
        again = tuple(region.inner(op.cond, inputs[: len(op.cond.inputs)], [predicate]))
        room = Room(row.tape, indices.of(outer) * some + some)
        steps.append(RepeatWhile(test, goes_on, (room, RepeatWhile(again, goes_on, tuple(body), inner)), outer))
    else:
        steps.append(RepeatWhile(test, goes_on, tuple(body)))
    return steps + _hand_over(region, carries, node.results)


def _expanded(region: Region, node: Node, op: While) -> list[Step]:
    """The expansion of a loop of lanes that cannot run lane by lane."""
    plain = op.expansion()
    assert plain is not None, "a loop of lanes has an expansion"
    steps: list[Step] = []
    operands = region.stored_all(node.operands, steps)
    return [*steps, *region.inner(Inline().run(plain), operands, [region.places[v] for v in node.results])]


def _sweeps(region: Region, node: Node, op: Sweeps) -> list[Step]:
    """The legs one after the other; leg 0 is done already where a `while` has written its tape."""
    steps: list[Step] = []
    count, *fixed = region.stored_all([node.operands[0], *op.constants(node.operands)], steps)
    number = Load(count.buffer, count.base)
    rows = [region.tapes[node]] if node in region.tapes else []
    starts, results = op.carries(node.operands), op.carries((node.operands[0], *node.results))
    for leg, first, found in list(zip(op.legs, starts, results, strict=True))[len(rows) :]:
        row = tape_row(region.making, leg.outputs[len(first) :])
        if row.tape.record != 0:
            steps.append(Room(row.tape, number))
        more, carries = _carry(region, first, found)
        time = _time(region)
        known = [place for before in rows for place in before.places(indices.of(time))]
        body = _body(region, leg, carries, [*carries, *fixed, *known], row.places(indices.of(time)))
        steps += more
        if body:
            steps.append(Repeat(time, tuple(body), None, number, backward=len(rows) % 2 == 1))
        steps += _hand_over(region, carries, found)
        rows.append(row)
    return steps


def _time(region: Region) -> LoopVar:
    """A variable for the steps of a loop that is as long as it turns out to be."""
    return LoopVar(f"t{region.making.next_loop()}", MOST_STEPS)


def _switch(region: Region, node: Node, op: Switch) -> list[Step]:
    steps: list[Step] = []
    index, *inputs = region.stored_all(node.operands, steps)
    outputs = [region.places[v] for v in node.results]
    branches = tuple(tuple(region.inner(branch, inputs, outputs)) for branch in op.branches)
    return [*steps, Branch(Load(index.buffer, index.base), branches)]


def _host(region: Region, node: Node, op: Host) -> list[Step]:
    steps: list[Step] = []
    places = region.stored_all(node.operands, steps)
    reads, writes = ([Load(p.buffer, p.base) for p in ps] for ps in (places, [region.places[v] for v in node.results]))
    when: Load | None = None
    if not node.results:
        # Without results there is nothing to do where no example asks for it.
        when = reads[0]
        if node.operands[0].type.rank:
            b = Builder()
            mask = b.input(node.operands[0].type)
            some = region.arena("some", TensorType(bool_))
            graph = b.graph([b.any(mask, tuple(range(mask.type.rank)))], "some")
            steps += region.inner(graph, places[:1], [some])
            when = Load(some.buffer, some.base)
    operands, results = (tuple(v.type for v in values) for values in (node.operands, node.results))
    return [*steps, HostCall(op, operands, results, tuple(reads), tuple(writes), when)]


def _measure(region: Region, node: Node, op: Measure) -> list[Step]:
    """The symbol is known from here on, and with it whether the sizes fit that were measured so far."""
    steps: list[Step] = []
    (place,) = region.stored_all(node.operands, steps)
    making, size = region.making, dims.symbol(op.symbol)
    making.measured.add(op.symbol)
    asked = [Check(size, ">=", 0), Check(op.most, ">=", size)]
    reasons = [f"  {op.symbol} is measured here:\n{node.location.describe()}" if node.location else ""] * 2
    sizes = making.sizes
    assert sizes is not None, "a program that measures sizes has some"
    for check in sizes.late:
        names = dims.names(check.left) | dims.names(check.right)
        if op.symbol in names and making.measured.issuperset(names.keys() & sizes.measured.keys()):
            asked.append(check)
            reason = sizes.reasons.get(str(check), "")
            reasons.append(f"  which is asked by {reason}" if reason else "")
    names = tuple({name: None for c in asked for dim in (c.left, c.right) for name in dims.names(dim)})
    texts = tuple(f"{check}\n{reason}" if reason else str(check) for check, reason in zip(asked, reasons, strict=True))
    lefts, kinds, rights = zip(*((c.left, c.kind, c.right) for c in asked), strict=True)
    misfit = Misfit(lefts, kinds, rights, texts, names, tuple(map(dims.symbol, names)))
    call = HostCall(misfit, (TensorType(bool_),), (), (Load(making.truth(), indices.ZERO),), (), None)
    return [*steps, Measured(op.symbol, Load(place.buffer, place.base), tuple(asked), call)]


def _carry(region: Region, first: Sequence[Value], results: Sequence[Value]) -> tuple[list[Step], list[Place]]:
    """Places for carried values, and the steps that put the first ones there."""
    steps: list[Step] = []
    carries: list[Place] = []
    for value, result in zip(first, results, strict=True):
        place = region.places[result]
        if place.base != indices.ZERO:
            place = region.arena(f"{region.names[result]}_carried", result.type)
        steps += region.copy(value, place)
        carries.append(place)
    return steps, carries


def _hand_over(region: Region, carries: Sequence[Place], results: Sequence[Value]) -> list[Step]:
    """Copies of carried values that could not be carried where their results lie."""
    steps: list[Step] = []
    for place, result in zip(carries, results, strict=False):
        if place != region.places[result]:
            steps += region.transfer(result.type, place, region.places[result])
    return steps


def _body(
    region: Region,
    body: Graph,
    carries: Sequence[Place],
    inputs: Sequence[Place],
    rows: Sequence[Place],
    same: Mapping[Value, int] | None = None,
) -> list[Step]:
    """One step of a loop, after which the carried values are the next ones."""
    return _copied(region, *_body_and_copies(region, body, carries, inputs, rows, same))


@dataclass(frozen=True)
class _Copy:
    """What is copied at the end of a step: a next value to where the carried one is."""

    type: TensorType
    new: Place
    old: Place


def _copied(region: Region, steps: Sequence[Step], late: Sequence[_Copy]) -> list[Step]:
    return [*steps, *(s for copy in late for s in region.transfer(copy.type, copy.new, copy.old))]


def _body_and_copies(
    region: Region,
    body: Graph,
    carries: Sequence[Place],
    inputs: Sequence[Place],
    rows: Sequence[Place],
    same: Mapping[Value, int] | None = None,
) -> tuple[list[Step], list[_Copy]]:
    """One step of a loop, and what has to be copied after it."""
    outputs = body.outputs[: len(carries)]
    kept = [output is body.inputs[i] for i, output in enumerate(outputs)]
    following = [
        place if stays else region.arena(f"next_{place.buffer.name}", output.type)
        for place, output, stays in zip(carries, outputs, kept, strict=True)
    ]
    skip = [i for i, stays in enumerate(kept) if stays]
    steps = region.inner(body, inputs, [*following, *rows], skip, same, in_loop=True)
    late: list[_Copy] = []
    for place, new, output, stays in zip(carries, following, outputs, kept, strict=True):
        if stays:
            continue
        if Uses(tuple(steps)).may_share(place.buffer, new.buffer):
            steps = [s for s in (_renamed(step, {new.buffer: place.buffer}) for step in steps) if not _is_idle(s)]
        else:
            late.append(_Copy(output.type, new, place))
    return steps, late


def _in_turns(
    region: Region, first: Sequence[Step], loop: Repeat, body: Sequence[Step], late: Sequence[_Copy]
) -> list[Step] | None:
    """The loop, and the first steps before it, with large carried values in two places that take turns, so that none is
    copied in every step.

    Values that fit registers, or lanes, have no need of that; nor can what is read elsewhere than in kernels move.
    """
    length = loop.var.extent
    turning = [c for c in late if isinstance(c.type.size, int) and c.type.size > SMALL]
    plain = all(isinstance(step, Kernel | Nest) for step in body)
    if not turning or not plain or not isinstance(length, int) or lanes_of(loop) is not None:
        return None
    after: list[Step] = []
    starts: dict[Buffer, tuple[Buffer, Index]] = {}
    places: dict[Buffer, tuple[Buffer, Index]] = {}
    for copy in turning:
        both = region.arena(f"turns_{copy.old.buffer.name}", TensorType(copy.type.dtype, (2 * copy.type.size,))).buffer
        turn = indices.of(loop.var) % 2 * copy.type.size
        places[copy.old.buffer] = both, turn
        places[copy.new.buffer] = both, Index(copy.type.size) - turn
        start, end = ((length - 1) % 2, 1) if loop.backward else (0, length % 2)
        starts[copy.old.buffer] = both, Index(start * copy.type.size)
        after += region.transfer(copy.type, Place(both, Index(end * copy.type.size)), copy.old)
    rest = [copy for copy in late if copy not in turning]
    moved = tuple(_relocated(step, lambda b, at: _moved(b, at, places)) for step in _copied(region, body, rest))
    before = [_relocated(step, lambda b, at: _moved(b, at, starts)) for step in first]
    return [*before, replace(loop, body=moved), *after]


def _moved(buffer: Buffer, offset: Index, places: Mapping[Buffer, tuple[Buffer, Index]]) -> tuple[Buffer, Index]:
    if buffer not in places:
        return buffer, offset
    other, start = places[buffer]
    return other, start + offset


def _is_idle(step: Step) -> bool:
    """Whether the step writes to each place what is there."""
    if not isinstance(step, Nest):
        return False
    return all(
        isinstance(s, Store) and isinstance(s.value, Load) and (s.value.buffer, s.value.offset) == (s.buffer, s.offset)
        for s in step.body
    )


def _renamed(step: Step, names: Mapping[Buffer, Buffer]) -> Step:
    """The step with other buffers in place of some."""
    return _relocated(step, lambda buffer, offset: (names.get(buffer, buffer), offset))


def _relocated(step: Step, place: Placing) -> Step:
    """The step with elements of some buffers elsewhere."""
    memo: dict[int, Expr] = {}

    def load(expr: Load) -> Load:
        return Load(*place(expr.buffer, expr.offset))

    def all_of(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(_relocated(s, place) for s in steps)

    def rewritten(statement: Statement) -> Statement:
        return relocated(statement, place, memo)

    match step:
        case Kernel():
            return replace(step, body=tuple(map(rewritten, step.body)))
        case Nest():
            parts = [
                replace(p, body=tuple(map(rewritten, p.body))) if isinstance(p, Inner) else rewritten(p)
                for p in step.body
            ]
            return replace(step, body=tuple(parts))
        case Again():
            raise AssertionError("kernels come again outside of loops alone")
        case Repeat():
            start, stop = (load(x) if x else None for x in (step.start, step.stop))
            return replace(step, body=all_of(step.body), start=start, stop=stop)
        case RepeatWhile():
            return replace(step, test=all_of(step.test), predicate=load(step.predicate), body=all_of(step.body))
        case Branch():
            return Branch(load(step.index), tuple(map(all_of, step.branches)))
        case Either():
            return Either(step.size, step.most, all_of(step.small), all_of(step.large))
        case Room():
            return replace(step, number=load(step.number)) if isinstance(step.number, Load) else step
        case HostCall():
            reads, writes = (tuple(map(load, loads)) for loads in (step.reads, step.writes))
            when = None if step.when is None else load(step.when)
            return HostCall(step.op, step.operands, step.results, reads, writes, when)
        case Measured():
            return replace(step, number=load(step.number))
        case RoutineCall():
            return replace(step, reads=tuple(map(load, step.reads)), writes=tuple(map(load, step.writes)))
