"""Rules for control flow: choices that are known, carried values that stay what they are, loops of no or one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, map_op
from rosin.ir.op import Value, Values
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import Loop
from rosin.ir.ops.scan import Scan
from rosin.passes.rewrite import Rewriter

T = TypeVar("T")


def switch_known(b: Rewriter, op: Switch, index: Value, *operands: Value) -> Values | None:
    """switch(2, …) → the third branch"""
    literal = b.literal(index)
    if literal is None:
        return None
    return b.inline(op.branches[min(max(int(literal.scalar), 0), len(op.branches) - 1)], operands)


def switch_alike(b: Rewriter, op: Switch, index: Value, *operands: Value) -> Values | None:
    """A switch of one branch, or of branches that are all the same → the branch"""
    first = op.branches[0]
    return b.inline(first, operands) if all(branch == first for branch in op.branches[1:]) else None


def carry_unchanged(b: Rewriter, op: Loop, *operands: Value) -> Values | None:
    """A carried value that the body gives back as it came → a constant"""
    changed = [op.body.outputs[i] is not op.body.inputs[i] for i in range(op.carried)]
    if all(changed):
        return None

    def moved(values: Sequence[T]) -> tuple[T, ...]:
        """Carries that do not change after the constants."""
        carries, constants, *stacked = op.sections(values)
        carried = list(zip(changed, carries, strict=True))
        kept = [v for flag, v in carried if flag], [v for flag, v in carried if not flag]
        return (*kept[0], *constants, *kept[1], *(v for section in stacked for v in section))

    def without(region: Graph) -> Graph:
        outputs = region.outputs
        if region is op.body:
            outputs = tuple(v for i, v in enumerate(outputs) if i >= op.carried or changed[i])
        return Graph(moved(region.inputs), region.nodes, outputs, region.name)

    smaller = map_op(op, without)
    assert isinstance(smaller, Loop), "the regions alone are changed"
    found = iter(b.node(replace(smaller, carried=sum(changed)), *moved(operands)))
    flags = (*changed, *[True] * (len(op.body.outputs) - op.carried))
    return tuple(next(found) if flag else operands[i] for i, flag in enumerate(flags))


def scan_count_known(b: Rewriter, op: Scan, *operands: Value) -> Values | None:
    """A counted scan whose count is known → a scan of that length"""
    literal = b.literal(operands[op.carried]) if op.counted else None
    if literal is None or not isinstance(op.length, int):
        return None
    count = min(max(int(literal.scalar), 0), op.length)
    carries, constants, stacked = op.sections(operands)
    rows = [b.slice_axis(x, 0, 0, count) for x in stacked]
    found = b.node(replace(op, length=count, counted=False), *carries, *constants, *rows)
    if count == op.length:
        return found

    def padded(x: Value) -> Value:
        nothing = (0,) * x.type.rank
        return b.pad(x, 0, nothing, (op.length - count, *nothing[1:]), nothing)

    return (*found[: op.carried], *map(padded, found[op.carried :]))


def scan_short(b: Rewriter, op: Scan, *operands: Value) -> Values | None:
    """A scan of no steps → its carries; of one step → its body"""
    carries, constants, stacked = op.sections(operands)
    given = op.body.outputs[op.carried :]
    if op.length == 0:
        return (*carries, *(b.zeros(v.type.with_shape((0, *v.type.shape))) for v in given))
    if op.length != 1 or op.counted:
        return None
    found = b.inline(op.body, (*carries, *constants, *(b.reshape(x, x.type.shape[1:]) for x in stacked)))
    return (*found[: op.carried], *(b.reshape(v, (1, *v.type.shape)) for v in found[op.carried :]))


def stacked_twice(b: Rewriter, op: Scan, *operands: Value) -> Values | None:
    """What a scan stacks twice → stacked once"""
    given = op.body.outputs[op.carried :]
    kept = tuple(dict.fromkeys(given))
    if len(kept) == len(given):
        return None
    body = Graph(op.body.inputs, op.body.nodes, (*op.body.outputs[: op.carried], *kept), op.body.name)
    found = b.node(replace(op, body=body), *operands)
    rows = dict(zip(kept, found[op.carried :], strict=True))
    return (*found[: op.carried], *(rows[v] for v in given))


def taken_twice(b: Rewriter, op: Loop, *operands: Value) -> Values | None:
    """A constant or a stacked operand that a loop takes twice → taken once"""
    sections = op.sections(range(len(operands)))
    first: dict[tuple[int, Value], int] = {}
    source = [
        position if number == 0 else first.setdefault((number, operands[position]), position)
        for number, section in enumerate(sections)
        for position in section
    ]
    kept = sorted(set(source))
    if len(kept) == len(operands):
        return None

    def narrowed(region: Graph) -> Graph:
        inner = Builder()
        inputs = {i: inner.input(region.inputs[i].type, region.inputs[i].name) for i in kept}
        return inner.graph(inner.inline(region, [inputs[position] for position in source]), region.name)

    smaller = map_op(op, narrowed)
    if isinstance(smaller, Scan):
        smaller = replace(smaller, stacked=len(set(source).intersection(sections[2])))
    return b.node(smaller, *(operands[position] for position in kept))
