"""A loop over the elements of arrays; rosin.ir.ops.region tells about loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from rosin.ir import dims, facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i32, i64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Cost, Maybe, Narrowed, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.loop import Loop, While
from rosin.ir.ops.region import (
    Pullback,
    bar,
    batched_region,
    masked_region,
    positions,
    restricted,
    spread_mask,
    types_of,
)
from rosin.ir.ops.revolve import NUMBER, Plan, Revolve, check_plan, like, row_of
from rosin.ir.ops.step import StepBack
from rosin.ir.ops.sweeps import wide
from rosin.ir.transform import flow
from rosin.ir.transform.batch import register_loop
from rosin.ir.transform.effects import silent
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType

T = TypeVar("T")


@define("scan")
class Scan(Loop):
    """`length` steps of `body`: from carried values, constants and one element of each stacked operand to the carried
    values for the next step and one element of each stacked result.

    Operands: the first `carried` are carried, the last `stacked` are stacked, those between are constants. Results:
    the carried values after the last step, then the stacked results. With `reverse` the steps go from the last element
    to the first.

    With `counted` the first constant, an i32 or i64 scalar, is the number of steps: those of elements at or beyond it
    do not happen, and stacked results are zeros there. Under a batch with a count for each example the loop runs to the
    largest, and an example that is done keeps its carried values.

    Reverse mode is one more scan, the other way. The forward one stacks what each step's way back needs, its residuals:
    not what is stacked anyway, and not what is the same in every step, which is computed once outside. A `checkpoint`
    says how it keeps less than that; rosin.ir.ops.revolve tells how.
    """

    body: Graph
    carried: int
    stacked: int
    length: Dim
    reverse: bool
    counted: bool = False
    checkpoint: Plan = None

    def sections(self, operands: Sequence[T]) -> tuple[Sequence[T], ...]:
        end = len(operands) - self.stacked
        return operands[: self.carried], operands[self.carried : end], operands[end:]

    def unchanged(self, count: int, region: int | None = None) -> range:
        """The constants but for the number of steps, which stays an operand."""
        return range(self.carried + self.counted, count - self.stacked)

    def type(self, *operands: TensorType) -> Types:
        if self.stacked < 0 or self.carried + self.stacked > len(operands):
            counts = f"{self.carried} carried and {self.stacked} stacked operands"
            self.bad_attribute(operands, f"takes {counts} and was given {len(operands)} in all")
        if not facts.at_least(self.length, 0):
            self.bad_attribute(operands, f"the length is {self.length}; it is not negative")
        if self.counted:
            self.check_count(operands)
        check_plan(self, operands, self.checkpoint)
        if self.checkpoint is not None and not isinstance(self.length, int):
            self.bad_attribute(
                operands, f"a checkpoint is for a length that is a number, and {self.length} is symbolic"
            )
        first = len(operands) - self.stacked
        for position, operand in enumerate(operands[first:], first):
            if not operand.rank or not facts.same(operand.shape[0], self.length):
                size = f"has size {operand.shape[0]}" if operand.rank else "is missing"
                self.bad_shape(operands, f"axis 0 of operand {position} {size}; the loop has {self.length} steps")
        elements = tuple(x.with_shape(x.shape[1:]) for x in operands[first:])
        self.check_loop(operands, (*operands[:first], *elements))
        given = types_of(self.body.outputs)[self.carried :]
        return (*operands[: self.carried], *(t.with_shape((self.length, *t.shape)) for t in given))

    def check_count(self, operands: Types) -> None:
        """Raise unless the first constant can be the number of steps."""
        constants = self.sections(operands)[1]
        if not constants or constants[0] not in (TensorType(i32), TensorType(i64)):
            given = constants[0] if constants else "missing"
            self.bad_dtype(operands, f"the number of steps is an i32 or i64 scalar, not {given}")

    @property
    def steps(self) -> int:
        """The length as a number; raises ValueError when it is symbolic."""
        return dims.static((self.length,), self.name)[0]

    def eval(self, *operands: NumpyArray) -> Arrays:
        first, constants, stacked = self.sections(operands)
        carries = list(first)
        length = stacked[0].shape[0] if stacked else self.steps
        count = min(max(int(constants[0]), 0), length) if self.counted else length
        types = types_of(self.body.outputs)[self.carried :]
        results = [np.zeros((length, *t.sizes), t.dtype.numpy) for t in types]
        for step in reversed(range(count)) if self.reverse else range(count):
            found = evaluate(self.body, (*carries, *constants, *(x[step, ...] for x in stacked)))
            carries = found[: self.carried]
            for result, row in zip(results, found[self.carried :], strict=True):
                result[step] = row
        return (*carries, *results)

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of as many steps as there can be; a symbolic length counts as a typical one."""
        return self.body.cost() * facts.estimate(self.length)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        body, inputs, (moving, moves) = self.push(b, operands, tangents)
        carried, _, stacked = (len(part) + sum(part) for part in self.sections(moving))
        results = b.node(replace(self, body=body, carried=carried, stacked=stacked), *inputs)
        return self.parted(results, moves)

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        if self.checkpoint == "sqrt":
            return vjp(b, _in_segments(self, types_of(operands)), operands, active)
        if isinstance(self.checkpoint, int) and self.length != 0:
            return b.node(self, *operands), lambda cotangents: _BySlots(self, active).pull(b, operands, cotangents)
        way = _WayBack(self, active)
        found = b.node(way.forward, *operands)
        residuals = way.residuals(b, operands, found)
        return found[: way.count], lambda cotangents: way.pull(b, operands, residuals, cotangents)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        if self.counted and batched[self.carried]:
            return self._batch_counts(b, operands, batched, size)
        axis = b.batch_axis
        many, results = self.settle(batched, lambda region, flags: flow.spreads(region, flags, axis))
        inputs = self._batched_operands(b, operands, batched, many, size)
        first = len(operands) - self.stacked
        body = batched_region(self.body, (*inputs[:first], *map(_element, inputs[first:])), many, results, size, axis)
        found = b.node(replace(self, body=body), *inputs)
        each = enumerate(zip(found, results, strict=True))
        return tuple(
            b.batch_front(v, False, size) if not flag else v if position < self.carried else _swapped(b, v)
            for position, (v, flag) in each
        )

    def _batched_operands(
        self, b: Builder, operands: Values, batched: Sequence[bool], many: Sequence[bool], size: Dim
    ) -> list[Value]:
        """The operands of a batch, `many` of them batched; steps come before examples."""
        first = len(operands) - self.stacked
        inputs: list[Value] = []
        for position, (x, flag, m) in enumerate(zip(operands, batched, many, strict=True)):
            if flag and position >= first:
                inputs.append(_swapped(b, x))
            else:
                inputs.append(b.batch_front(x, False, size) if m and not flag else x)
        return inputs

    def _batch_counts(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        """The loop to the largest count. The step's number is one more element, the count one more constant."""
        axis = b.batch_axis
        many = (*[True] * self.carried, *batched[self.carried :])
        inputs = self._batched_operands(b, operands, batched, many, size)
        (before, constants, stacked), loop = self.sections(inputs), Assembly(b)
        loop.constant(b.max(constants[0], (0,)), "count")
        old = [loop.carry(x, v.name) for x, v in zip(before, self.body.inputs, strict=False)]
        same = [loop.constant(x, v.name) for x, v in zip(constants, self.body.inputs[self.carried :], strict=False)]
        rows = [loop.element(x, v.name) for x, v in zip(stacked, self.sections(self.body.inputs)[2], strict=True)]
        number = loop.element(b.iota(TensorType(constants[0].type.dtype, (self.length,)), 0), "step")
        mask = loop.b.less(loop.b.broadcast(number, (size,), ()), same[0])
        found = masked_region(loop.b, self.body, mask, (*old, *same, *rows), many, size, axis)
        nothing = [loop.b.zeros(v.type) for v in found[self.carried :]]
        pairs = zip(found, (*old, *nothing), strict=True)
        outputs = [loop.b.select(spread_mask(loop.b, mask, x.type), x, y) for x, y in pairs]
        results = loop.run(outputs, self, f"{self.body.name}_batch", self.reverse)
        return (*results[: self.carried], *(_swapped(b, v) for v in results[self.carried :]))

    def needs(self, used: tuple[bool, ...], count: int) -> tuple[bool, ...]:
        carries, stacked = self.halves(used)
        kept = flow.settled(carries, lambda flags: flow.needs(self.body, (*flags, *stacked))[: self.carried])
        _, constants, elements = self.sections(flow.needs(self.body, (*kept, *stacked)))
        return (*kept, *[True] * self.counted, *constants[self.counted :], *elements)

    def without_unused(self, used: tuple[bool, ...]) -> Narrowed | None:
        live = self.needs(used, len(self.body.inputs))
        kept, _, elements = self.sections(live)
        results = (*kept, *self.halves(used)[1])
        if all(live) and all(results):
            return None
        body = restricted(self.body, live, results)
        op = replace(self, body=body, carried=sum(kept), stacked=sum(elements))
        return Narrowed(op, positions(live), positions(results))


def _element(x: Value) -> Value:
    """A value like one element of a stacked one."""
    return Value(x.type.with_shape(x.type.shape[1:]), x.name)


def _swapped(b: Builder, x: Value) -> Value:
    """`x` with its first two axes, steps and examples, exchanged."""
    return b.transpose(x, (1, 0, *range(2, x.type.rank)))


class _WayBack:
    """Reverse mode of a scan: the loop forward with residuals, and the loop back.

    The fixed residuals are the same in every step, some of the others are elements of stacked operands or results, and
    the forward loop stacks the rest.
    """

    def __init__(self, scan: Scan, active: tuple[bool, ...]) -> None:
        body, count = scan.body, len(scan.body.outputs)
        self.scan, self.count = scan, count
        wanted, self.given = scan.settle(active, flow.moves)
        first, constants, _ = scan.sections(range(len(body.inputs)))
        step = self.step = StepBack(
            body, wanted, self.given, scan.carried, range(len(first), len(first) + len(constants))
        )
        self.elements = scan.sections(step.forward.inputs)[2]
        there = {*step.fixed, *self.elements, *step.forward.outputs[scan.carried : count]}
        outputs = (*step.forward.outputs[:count], *(v for v in step.kept if v not in there))
        self.stacked = outputs[scan.carried :]
        self.forward = replace(scan, body=Graph(step.forward.inputs, step.forward.nodes, outputs, body.name))

    def residuals(self, b: Builder, operands: Values, results: Values) -> dict[Value, Value]:
        """For each residual its value outside of the loops, where those that are not fixed are stacked."""
        found = dict(zip(self.elements, self.scan.sections(operands)[-1], strict=True))
        found.update(zip(self.stacked, results[self.scan.carried :], strict=True))
        constants = self.scan.sections(operands)[1]
        found.update(zip(self.step.fixed, b.inline(self.step.before, constants), strict=True))
        return found

    def pull(self, b: Builder, operands: Values, residuals: dict[Value, Value], cotangents: Maybe) -> Maybe:
        """The cotangents of the operands. Those of constants are summed over the steps, narrow floats in f32."""
        scan, step, loop, body = self.scan, self.step, Assembly(b), self.scan.body
        if scan.counted:
            loop.constant(operands[scan.carried], "count")
        carries = list(zip(body.inputs, cotangents, self.given, strict=False))[: scan.carried]
        elements = list(zip(body.outputs, cotangents, self.given, strict=True))[scan.carried :]
        # Carries get cotangents from the steps after, stacked results only from outside.
        seeds: list[Value | None] = [loop.carry(c or b.zeros(v.type), bar(v)) for v, c, given in carries if given]
        seeds += [loop.element(c, bar(v)) if c else None for v, c, given in elements if given]
        inside = {v: loop.constant(residuals[v], step.names[v]) for v in step.fixed}
        inside |= {v: loop.element(residuals[v], step.names[v]) for v in step.kept if v not in inside}
        slopes = step.pull(loop.b, inside, seeds)

        before, terms, stacked = scan.sections(slopes)
        outputs = [s or loop.b.zeros(v.type) for s, (v, _, given) in zip(before, carries, strict=True) if given]
        for value, term in zip(scan.sections(body.inputs)[1], terms, strict=True):
            if term is not None:
                wide = term.type.with_dtype(term.type.dtype.accumulator)
                outputs.append(loop.b.add(loop.carry(b.zeros(wide), bar(value)), loop.b.cast(term, wide.dtype)))
        outputs += filter(None, stacked)
        results = iter(loop.run(outputs, scan, f"{body.name}_vjp", not scan.reverse))
        there = [*(given for _, _, given in carries), *(s is not None for s in slopes[scan.carried :])]
        return tuple(b.cast(next(results), x.type.dtype) if t else None for x, t in zip(operands, there, strict=True))


def _in_segments(op: Scan, types: Types) -> Graph:
    """The loop as a loop over segments, each of which is computed again on the way back, and a last shorter one."""
    b, plain = Builder(), replace(op, checkpoint=None)
    size = max(math.isqrt(op.steps), 1)
    segments, rest = divmod(op.steps, size)
    # The shorter one comes last, so it has the last elements, or with `reverse` the first.
    start, tail = (rest, 0) if op.reverse else (0, segments * size)
    carries, constants, stacked = op.sections([b.input(t) for t in types])

    def counted(b: Builder, constants: Sequence[Value], before: Value | int) -> Sequence[Value]:
        """The constants of a segment that begins after so many elements."""
        return [b.sub(constants[0], before), *constants[1:]] if op.counted else constants

    loop = Assembly(b)
    old = [loop.carry(x, v.name) for x, v in zip(carries, op.body.inputs, strict=False)]
    same = [loop.constant(x, "") for x in constants]
    whole = [b.slice_axis(x, 0, start, start + segments * size) for x in stacked]
    rows = [loop.element(b.reshape(x, (segments, size, *x.type.shape[1:])), "") for x in whole]
    if op.counted:
        firsts = b.add(b.mul(b.iota(TensorType(same[0].type.dtype, (segments,)), 0), size), start)
        same = [*counted(loop.b, same, loop.element(firsts, "first"))]
    segment = Builder()
    inside = segment.graph(segment.node(replace(plain, length=size), *like(segment, [*old, *same, *rows])))
    outputs = loop.b.node(Checkpoint(inside), *old, *same, *rows)
    name = f"{op.body.name}_segments"
    found = loop.run(outputs, replace(plain, length=segments, counted=False), name, op.reverse)
    parts = [b.reshape(x, (segments * size, *x.type.shape[2:])) for x in found[op.carried :]]
    if not rest:
        return b.graph([*found[: op.carried], *parts], op.body.name)
    ends = [b.slice_axis(x, 0, tail, tail + rest) for x in stacked]
    last = b.node(replace(plain, length=rest), *found[: op.carried], *counted(b, constants, tail), *ends)
    order = -1 if op.reverse else 1
    joined = [b.concatenate([x, y][::order], 0) for x, y in zip(parts, last[op.carried :], strict=True)]
    return b.graph([*last[: op.carried], *joined], op.body.name)


class _BySlots:
    """Reverse mode of a scan with a number of slots for states: one more scan, the other way."""

    def __init__(self, op: Scan, active: tuple[bool, ...]) -> None:
        self.op, self.body = op, silent(op.body)
        self.wanted, self.given = op.settle(active, flow.moves)

    def _leg(self, steps: TensorType) -> Graph:
        """A step, from its number, what is carried, the constants, the stacked operands and the number of steps."""
        op, b = self.op, Builder()
        number = b.input(steps, "step")
        carries, constants, rows = op.sections(self.body.inputs)
        inside = like(b, [*carries, *constants])
        whole = [b.input(v.type.with_shape((op.length, *v.type.shape)), v.name) for v in rows]
        count = b.input(steps, "steps")
        at = b.sub(b.sub(count, 1), number) if op.reverse else number
        found = b.inline(self.body, [*inside, *(row_of(b, x, at) for x in whole)])
        return b.graph([b.add(number, 1), *found[: op.carried]], self.body.name)

    def pull(self, b: Builder, operands: Values, cotangents: Maybe) -> Maybe:
        """Append the loop back; gives the cotangents of the operands."""
        op, body, loop = self.op, self.body, Assembly(b)
        carries, constants, stacked = op.sections(operands)
        count = b.full(op.steps, NUMBER)
        if op.counted:
            loop.constant(constants[0], "count")
            count = b.minimum(b.maximum(b.cast(constants[0], i64), 0), count)
        assert isinstance(op.checkpoint, int), "so many slots are asked for"
        revolve = Revolve(op.checkpoint, self._leg(NUMBER), op.carried, While)
        end, *slots = (loop.carry(x, "") for x in [count, *revolve.start(b, carries)])
        pairs = list(zip(body.outputs, cotangents, self.given, strict=True))
        seeds = [loop.carry(c or b.zeros(v.type), bar(v)) if g else None for v, c, g in pairs[: op.carried]]
        sections = zip(op.sections(body.inputs)[1], op.sections(self.wanted)[1], strict=True)
        sums = [loop.carry(b.zeros(wide(v.type)), bar(v)) if w else None for v, w in sections]
        fixed = [loop.constant(x, "") for x in (*constants, *stacked, count)]
        rows = [loop.element(x, "") for x in stacked]
        seeds += [loop.element(c, bar(v)) if c is not None and g else None for v, c, g in pairs[op.carried :]]

        last = loop.b.sub(end, 1)
        state, slots = revolve.before(loop.b, slots, last, fixed)
        inputs = (*state, *fixed[: len(constants)], *rows)
        slopes = vjp(loop.b, body, inputs, self.wanted)[1](seeds)
        before, terms, elements = op.sections(slopes)
        outputs: list[Value] = [last, *slots]
        outputs += [s or loop.b.zeros(x.type) for s, x in zip(before, seeds, strict=False) if x is not None]
        for total, term in zip(sums, terms, strict=True):
            if total is not None:
                outputs.append(total if term is None else loop.b.add(total, loop.b.cast(term, total.type.dtype)))
        outputs += [s for s in elements if s is not None]
        found = iter(
            loop.run(outputs, replace(op, checkpoint=None), f"{body.name}_vjp", not op.reverse)[1 + len(slots) :]
        )
        there = [*self.given[: op.carried], *(s is not None for s in sums), *(s is not None for s in elements)]
        return tuple(b.cast(next(found), x.type.dtype) if t else None for x, t in zip(operands, there, strict=True))


class Assembly:
    """A scan that is put together operand by operand; its body is built in `b`."""

    def __init__(self, outside: Builder) -> None:
        self.outside, self.b = outside, Builder()
        self.sections: tuple[list[Value], list[Value], list[Value]] = ([], [], [])
        self.inputs: tuple[list[Value], list[Value], list[Value]] = ([], [], [])

    def carry(self, start: Value, name: str) -> Value:
        return self._input(0, start, start.type, name)

    def constant(self, x: Value, name: str) -> Value:
        return self._input(1, x, x.type, name)

    def element(self, x: Value, name: str) -> Value:
        return self._input(2, x, x.type.with_shape(x.type.shape[1:]), name)

    def _input(self, section: int, operand: Value, type: TensorType, name: str) -> Value:
        value = Value(type, name)
        self.sections[section].append(operand)
        self.inputs[section].append(value)
        return value

    def run(self, outputs: Sequence[Value], like: Scan, name: str, reverse: bool) -> Values:
        """Append a scan of as many steps as that one; gives its results."""
        self.b.inputs = [v for section in self.inputs for v in section]
        body, carried, stacked = self.b.graph(outputs, name), len(self.inputs[0]), len(self.inputs[2])
        op = Scan(body, carried, stacked, like.length, reverse, like.counted)
        return self.outside.node(op, *(x for section in self.sections for x in section))


def _over(b: Builder, body: Graph, operands: Sequence[Value], stacked: int, length: Dim) -> Values:
    return b.node(Scan(body, 0, stacked, length, False), *operands)


register_loop(_over)
