"""Tapes: where the values lie that the legs of sweeps keep, and when a `while` writes them as it goes.

Reverse mode of a `while` is the loop itself, which counts its steps, and sweeps of as many steps over the same body: a
leg forward that keeps what the way back needs, and the way back. When both stand in one graph, the loop itself keeps
it, and the sweeps begin with the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.graph import Graph, Node
from rosin.ir.index import Index
from rosin.ir.loops import Buffer, Scope, Tape
from rosin.ir.op import Value, Values
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.loop import While
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.sweeps import Sweeps
from rosin.passes.where import Place

if TYPE_CHECKING:
    from rosin.passes.to_loops import Making, Region


@dataclass(frozen=True)
class TapeRow:
    """A tape, and the buffers in which the parts of its records lie."""

    tape: Tape
    buffers: tuple[Buffer, ...]

    def places(self, time: Index) -> list[Place]:
        """Where the parts of the record of a step lie."""
        return [Place(b, time * (self.tape.record // b.dtype.bytes)) for b in self.buffers]


def tape_row(making: Making, values: Sequence[Value]) -> TapeRow:
    """A tape for records of such values, each aligned as its element type wants it."""
    ends: Dim = 0
    widest = max((v.type.dtype.bytes for v in values), default=1)
    starts: list[Dim] = []
    for value in values:
        width = value.type.dtype.bytes
        starts.append(-(-ends // width) * width)
        ends = starts[-1] + value.type.size * width
    tape = Tape(f"tape{len({tape for tape, _ in making.tapes.values()})}", -(-ends // widest) * widest)
    buffers = tuple(making.buffer(v.name or "kept", v.type, Scope.TAPE) for v in values)
    making.tapes.update((b, (tape, start)) for b, start in zip(buffers, starts, strict=True))
    return TapeRow(tape, buffers)


# -- a while that writes the tape of sweeps ----------------------------------------------------------------------


@dataclass(frozen=True)
class Taped:
    """A body of a `while` that also gives what the first leg of `sweeps` keeps; `more` are constants that it adds."""

    sweeps: Node
    body: Graph
    more: Values
    kept: Values


def taped_while(region: Region, node: Node) -> Taped | None:
    """How the loop can write the tape of sweeps that come after it, if it can."""
    graph = region.fusion.graph
    for other in graph.nodes:
        if isinstance(other.op, Sweeps) and other.operands[0] in node.results and _counts(graph, node, other):
            unused = set(other.results[: other.op.carried[0]]).isdisjoint(_used(graph))
            taped = _taped(region, node, other) if unused else None
            if taped is not None:
                return taped
    return None


def _used(graph: Graph) -> set[Value]:
    return {*graph.outputs, *(v for n in graph.nodes for v in n.operands)}


def _counts(graph: Graph, node: Node, sweeps: Node) -> bool:
    """Whether the number of steps of the sweeps is what the loop counts: from 0, one more in each step."""
    assert isinstance(node.op, While)
    body, at = node.op.body, node.results.index(sweeps.operands[0])
    makers = {v: n for n in (*graph.nodes, *body.nodes) for v in n.results}

    def is_number(value: Value, number: int) -> bool:
        maker = makers.get(value)
        return maker is not None and isinstance(maker.op, Constant) and maker.op.value.scalar == number

    adds = makers.get(body.outputs[at])
    if adds is None or not isinstance(adds.op, Add) or not is_number(node.operands[at], 0):
        return False
    before = body.inputs[at]
    return any(x is before and is_number(y, 1) for x, y in (adds.operands, adds.operands[::-1]))


def _taped(region: Region, node: Node, sweeps: Node) -> Taped | None:
    """The loop's body with what the leg does besides; None where they carry different things."""
    assert isinstance(node.op, While)
    assert isinstance(sweeps.op, Sweeps)
    body, leg, carried = node.op.body, sweeps.op.legs[0], sweeps.op.carried[0]
    starts = list(zip(node.operands, body.inputs, strict=True))
    same: dict[Value, Value] = {}
    carries: list[int] = []
    for operand, value, after in zip(sweeps.op.carries(sweeps.operands)[0], leg.inputs, leg.outputs, strict=False):
        at = next((i for i, (x, _) in enumerate(starts) if x is operand and i not in carries), None)
        if at is None or (at >= node.op.carried and after is not value):
            return None
        carries.append(at)
        same[value] = body.inputs[at]
    constants = dict(starts[node.op.carried :])
    more: dict[Value, Value] = {}
    for operand, value in zip(sweeps.op.constants(sweeps.operands), leg.inputs[carried:], strict=True):
        if operand not in constants:
            if not region.made.issuperset(region.fusion.roots([operand])):
                return None
            more[operand] = constants[operand] = Value(value.type, value.name)
        same[value] = constants[operand]
    extra = _matched(body, leg, same)
    if extra is None:
        return None
    for at, after in zip(carries, leg.outputs, strict=False):
        if at < node.op.carried and same[after] is not body.outputs[at]:
            return None
    kept = tuple(same[v] for v in leg.outputs[carried:])
    joint = Graph((*body.inputs, *more.values()), (*body.nodes, *extra), (*body.outputs, *kept), body.name)
    return Taped(sweeps, joint, tuple(more), kept)


def _matched(body: Graph, leg: Graph, same: dict[Value, Value]) -> list[Node] | None:
    """What the leg does besides what the body does. `same` learns for each value of the leg the one in the loop."""
    done = {(n.op, n.operands): n for n in body.nodes}
    extra: list[Node] = []
    for node in leg.nodes:
        if node.op.effect:
            return None
        operands = tuple(same[v] for v in node.operands)
        found = done.get((node.op, operands))
        if found is None:
            found = Node(node.op, operands, tuple(Value(v.type, v.name) for v in node.results), node.location)
            extra.append(found)
        same.update(zip(node.results, found.results, strict=True))
    return extra
