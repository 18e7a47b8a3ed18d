"""Loops over the same steps one after the other, forth and back in turn: what reverse mode makes of loops whose number
of steps is known only when they run; rosin.ir.ops.region tells about loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias, TypeVar

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i32, i64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Cost, Maybe, Narrowed, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.region import (
    Control,
    Pullback,
    Pushed,
    bar,
    batched_region,
    called,
    masked_region,
    positions,
    restricted,
    spread_mask,
    types_of,
)
from rosin.ir.ops.step import StepBack
from rosin.ir.transform import flow
from rosin.ir.types import TensorType, same_type

T = TypeVar("T")
Flags: TypeAlias = tuple[bool, ...]


BLOCK = 256
"""How many examples run together; fewer would leave too little to do for threads, more would wait for each other."""


@define("sweeps")
class Sweeps(Control):
    """As many steps as the first operand says, an i32 or i64 scalar: leg 0 from the first step to the last, leg 1 from
    the last to the first, and so on. A number below 0 is none.

    Operands: the number of steps, what each leg carries, the constants. A leg takes what it carries, the constants, and
    what the legs before it kept of this very step; it gives what it carries on, and what it keeps. Results: what each
    leg carries in the end.

    So leg 0 may be a loop forward, which keeps what its way back needs, and leg 1 that way back. Its own derivative
    walks each leg the other way, the last one first, and has twice as many legs.

    Under a batch with a number for each example the legs run to the largest, and an example that has fewer steps keeps
    what it carries in the others. Many examples run block by block, each block to the largest of its own.
    """

    legs: tuple[Graph, ...]
    carried: tuple[int, ...]

    # -- sections ------------------------------------------------------------------------------------------

    def carries(self, operands: Sequence[T]) -> list[Sequence[T]]:
        """What belongs to the carried operands of each leg."""
        ends = list(accumulate(self.carried, initial=1))
        return [operands[start:end] for start, end in pairwise(ends)]

    def constants(self, operands: Sequence[T]) -> Sequence[T]:
        return operands[1 + sum(self.carried) :]

    def kept(self, number: int) -> int:
        """How many values a leg keeps."""
        return len(self.legs[number].outputs) - self.carried[number]

    def inputs(self, number: int, values: Sequence[T]) -> tuple[Sequence[T], Sequence[T], list[Sequence[T]]]:
        """What belongs to the inputs of a leg: carried, constants, and kept by each leg before."""
        steady = self.unchanged(len(values), number)
        ends = list(accumulate(map(self.kept, range(number)), initial=steady.stop))
        kept = [values[start:end] for start, end in pairwise(ends)]
        return values[: steady.start], values[steady.start : steady.stop], kept

    def unchanged(self, count: int, region: int | None = None) -> range:
        constants = len(self.legs[0].inputs) - self.carried[0]
        start = 1 + sum(self.carried) if region is None else self.carried[region]
        return range(start, start + constants)

    def settle(self, flags: Flags, follow: Callable[[Graph, Flags], Flags]) -> list[tuple[Flags, Flags]]:
        """Flags of the inputs and outputs of each leg, set for carries too where the leg sets them."""
        found: list[tuple[Flags, Flags]] = []
        rest = tuple(self.constants(flags))
        for leg, start, count in zip(self.legs, self.carries(flags), self.carried, strict=True):
            known = rest
            carries = flow.settled(start, lambda c, leg=leg, known=known: follow(leg, (*c, *known))[: len(c)])
            outputs = (*carries, *follow(leg, (*carries, *rest))[count:])
            found.append(((*carries, *rest), outputs))
            rest += outputs[count:]
        return found

    # -- meaning -------------------------------------------------------------------------------------------

    def type(self, *operands: TensorType) -> Types:
        if not self.legs or len(self.carried) != len(self.legs):
            self.bad_attribute(operands, f"has {len(self.legs)} legs and {len(self.carried)} numbers of carried values")
        if not operands or operands[0] not in (TensorType(i32), TensorType(i64)):
            given = operands[0] if operands else "missing"
            self.bad_dtype(operands, f"the number of steps is an i32 or i64 scalar, not {given}")
        if min(self.carried) < 0 or 1 + sum(self.carried) > len(operands):
            self.bad_attribute(operands, f"carries {sum(self.carried)} of {len(operands) - 1} operands")
        rest = self.constants(operands)
        for number, (leg, given) in enumerate(zip(self.legs, self.carries(operands), strict=True)):
            what = f"leg {number}"
            self.check_inputs(operands, what, leg, (*given, *rest))
            if len(leg.outputs) < len(given):
                self.bad_shape(operands, f"{what} carries {len(given)} values and gives {len(leg.outputs)}")
            for position, (before, after) in enumerate(zip(leg.inputs, leg.outputs[: len(given)], strict=False)):
                if not same_type(before.type, after.type):
                    carry = f"carry {position}{called(before)} of {what} has type {before.type}"
                    self.disagree(operands, f"{carry} and it gives {after.type}", before.type, after.type)
            rest = (*rest, *types_of(leg.outputs[len(given) :]))
        return tuple(t for part in self.carries(operands) for t in part)

    def eval(self, *operands: NumpyArray) -> Arrays:
        count, constants = max(int(operands[0]), 0), self.constants(operands)
        tape: list[list[NumpyArray]] = [[] for _ in range(count)]
        results: list[NumpyArray] = []
        for number, (leg, first) in enumerate(zip(self.legs, self.carries(operands), strict=True)):
            carries = list(first)
            for step in reversed(range(count)) if number % 2 else range(count):
                found = evaluate(leg, (*carries, *constants, *tape[step]))
                carries = found[: len(first)]
                tape[step] += found[len(first) :]
            results += carries
        return tuple(results)

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of one step of every leg: how many there are is not known."""
        return sum((leg.cost() for leg in self.legs), Cost(0, 0))

    # -- derivatives ---------------------------------------------------------------------------------------

    def moves(self, moving: Flags, results: Types) -> Flags:
        found = self.settle(moving, flow.moves)
        return tuple(m for (_, out), count in zip(found, self.carried, strict=True) for m in out[:count])

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        settled = self.settle(tuple(t is not None for t in tangents), flow.moves)
        legs: list[Graph] = []
        for number, (leg, (moving, moves)) in enumerate(zip(self.legs, settled, strict=True)):
            region, count = Pushed(leg, moving, moves), self.carried[number]
            carries, constants, kept = self.inputs(number, region.primals)
            dots = self.inputs(number, region.tangents)
            inputs = _joined([carries, constants, *kept], [dots[0], dots[1], *dots[2]])
            values, slopes = region.results, region.slopes
            outputs = _joined([values[:count], values[count:]], [slopes[:count], slopes[count:]])
            legs.append(Graph(inputs, tuple(region.b.nodes), outputs, f"{leg.name}_jvp"))
        moving = [moves[:count] for (_, moves), count in zip(settled, self.carried, strict=True)]
        starts: list[list[Value | None]] = []
        for xs, ts, flags in zip(self.carries(operands), self.carries(tangents), moving, strict=True):
            starts.append([(t or b.zeros(x.type)) if m else None for x, t, m in zip(xs, ts, flags, strict=True)])
        carried = tuple(len(flags) + sum(flags) for flags in moving)
        values = _joined([*self.carries(operands), self.constants(operands)], [*starts, self.constants(tangents)])
        op = Sweeps(tuple(legs), carried)
        found = b.node(op, operands[0], *values)
        results: list[Value] = []
        dots_found: list[Value | None] = []
        for part, flags in zip(op.carries((operands[0], *found)), moving, strict=True):
            slopes_found = iter(part[len(flags) :])
            results += part[: len(flags)]
            dots_found += [next(slopes_found) if flag else None for flag in flags]
        return tuple(results), tuple(dots_found)

    def forward_vjp(self, b: Builder, operands: Values, active: Flags) -> tuple[Values, Pullback]:
        return b.node(self, *operands), lambda cotangents: self.pull(b, operands, active, cotangents)

    def pull(self, b: Builder, operands: Values, active: Flags, cotangents: Maybe) -> Maybe:
        """Append the sweeps there and back again; gives the cotangents of the operands."""
        return _WayBack(self, active).append(b, operands, cotangents)

    # -- batches -------------------------------------------------------------------------------------------

    def batch(self, b: Builder, operands: Values, batched: Flags, size: Dim) -> Values:
        axis, masked = b.batch_axis, batched[0]
        start = (*[masked or flag for flag in batched[: 1 + sum(self.carried)]], *self.constants(batched))
        settled = self.settle(start, lambda region, flags: flow.spreads(region, flags, axis))
        carries = [flag for (many, _), count in zip(settled, self.carried, strict=True) for flag in many[:count]]
        many = (batched[0], *carries, *self.constants(batched))
        fronted = zip(operands, batched, many, strict=True)
        values = tuple(b.batch_front(x, False, size) if m and not f else x for x, f, m in fronted)
        if masked and self._runs_in_blocks(size, axis):
            return self._batch_blocks(b, values, self.constants(batched), size)
        if masked:
            return self._batch_counts(b, values, self.constants(batched), size)
        legs: list[Graph] = []
        kept: list[Value] = []
        for leg, first, (inputs, outputs) in zip(self.legs, self.carries(values), settled, strict=True):
            taken = (*first, *self.constants(values), *kept)
            legs.append(batched_region(leg, taken, inputs, outputs, size, axis))
            kept += legs[-1].outputs[len(first) :]
        found = b.node(Sweeps(tuple(legs), self.carried), *values)
        return tuple(b.batch_front(v, flag, size) for v, flag in zip(found, carries, strict=True))

    def _runs_in_blocks(self, size: Dim, axis: str | None) -> bool:
        nodes = [node for leg in self.legs for node in leg.nodes]
        together = axis is not None and any(flow.names_axis(node, axis) for node in nodes)
        return isinstance(size, int) and size >= 2 * BLOCK and not together

    def _batch_blocks(self, b: Builder, operands: Values, batched: Sequence[bool], size: Dim) -> Values:
        """All steps of a block of examples before the next block: each has a tape and a largest number of its own."""
        assert isinstance(size, int), "there are blocks of a number of examples"
        flags, start = [True] * (1 + sum(self.carried)) + list(batched), TensorType(i64)
        rest = size % BLOCK
        shapes = [(BLOCK, *x.type.shape[1:]) if flag else x.type.shape for x, flag in zip(operands, flags, strict=True)]
        inner = Builder()
        number = inner.input(start, "block")
        before = [inner.input(x.type.with_shape((size - rest, *x.type.shape[1:])), "") for x in self._carried(operands)]
        inputs = [inner.input(x.type) for x in operands]
        at, origin = inner.mul(number, BLOCK), inner.full(0, start)

        def place(x: Value) -> list[Value]:
            return [at, *[origin] * (x.type.rank - 1)]

        triples = zip(inputs, flags, shapes, strict=True)
        rows = tuple(inner.dynamic_slice(x, place(x), shape) if flag else x for x, flag, shape in triples)
        found = self._batch_counts(inner, rows, batched, BLOCK)
        after = [inner.dynamic_update_slice(x, y, place(x)) for x, y in zip(before, found, strict=True)]
        leg = inner.graph([inner.add(number, 1), *after], "block")
        empty = [b.zeros(v.type) for v in before]
        op = Sweeps((leg,), (1 + len(before),))
        results = b.node(op, b.full(size // BLOCK, start), b.full(0, start), *empty, *operands)[1:]
        if not rest:
            return results
        pairs = zip(operands, flags, strict=True)
        last = tuple(b.slice_axis(x, 0, size - rest, size) if flag else x for x, flag in pairs)
        ends = self._batch_counts(b, last, batched, rest)
        return tuple(b.concatenate([x, y], 0) for x, y in zip(results, ends, strict=True))

    def _carried(self, operands: Sequence[T]) -> Sequence[T]:
        return operands[1 : 1 + sum(self.carried)]

    def _batch_counts(self, b: Builder, operands: Values, batched: Sequence[bool], size: Dim) -> Values:
        """The legs to the largest number of steps. Leg 0 carries the step's number, and keeps who takes part in it."""
        axis, counts = b.batch_axis, operands[0]
        legs: list[Graph] = []
        kept: list[Value] = []
        for number, (leg, first) in enumerate(zip(self.legs, self.carries(operands), strict=True)):
            inner = Builder()
            step = None if number else inner.input(TensorType(counts.type.dtype), "step")
            old = [inner.input(x.type, v.name) for x, v in zip(first, leg.inputs, strict=False)]
            given = self.inputs(number, leg.inputs)[1]
            same = [inner.input(x.type, v.name) for x, v in zip(self.constants(operands), given, strict=True)]
            own = inner.input(counts.type, "counts")
            there = [inner.input(v.type, v.name) for v in kept]
            mask = there.pop(self.kept(0)) if step is None else inner.less(inner.broadcast(step, (size,), ()), own)
            flags = (*[True] * len(old), *batched, *[True] * len(there))
            found = masked_region(inner, leg, mask, (*old, *same, *there), flags, size, axis)
            pairs = zip(found, old, strict=False)
            outputs = [inner.select(spread_mask(inner, mask, x.type), x, y) for x, y in pairs]
            kept += found[len(old) :]
            outputs += found[len(old) :]
            if step is not None:
                outputs = [inner.add(step, 1), *outputs, mask]
                kept.append(mask)
            legs.append(inner.graph(outputs, f"{leg.name}_batch"))
        op = Sweeps(tuple(legs), (self.carried[0] + 1, *self.carried[1:]))
        start = b.full(0, TensorType(counts.type.dtype))
        return b.node(op, b.max(counts, (0,)), start, *operands[1:], counts)[1:]

    # -- what is needed ------------------------------------------------------------------------------------

    def needs(self, used: Flags, count: int) -> Flags:
        inputs, _ = self._live(used)
        return (True, *self._operands(inputs))

    def _live(self, used: Flags) -> tuple[list[Flags], list[Flags]]:
        """Which inputs and which outputs of each leg these results, or effects, are computed from."""
        kept = [[False] * self.kept(number) for number in range(len(self.legs))]
        inputs: list[Flags] = []
        outputs: list[Flags] = []
        for number in reversed(range(len(self.legs))):
            leg, start, rest = self.legs[number], self.carries((True, *used))[number], tuple(kept[number])
            carries = flow.settled(start, lambda c, leg=leg, rest=rest: flow.needs(leg, (*c, *rest))[: len(c)])
            live = (*carries, *flow.needs(leg, (*carries, *rest))[len(carries) :])
            for row, flags in zip(kept, self.inputs(number, live)[2], strict=False):
                row[:] = map(any, zip(row, flags, strict=True))
            inputs.insert(0, live)
            outputs.insert(0, (*carries, *rest))
        return inputs, outputs

    def _operands(self, inputs: Sequence[Flags]) -> Flags:
        """Flags of carried operands and constants from those of the legs' inputs."""
        parts = [self.inputs(number, flags) for number, flags in enumerate(inputs)]
        constants = map(any, zip(*(part[1] for part in parts), strict=True))
        return (*(flag for part in parts for flag in part[0]), *constants)

    def without_unused(self, used: Flags) -> Narrowed | None:
        inputs, outputs = self._live(used)
        operands = (True, *self._operands(inputs))
        if all(operands) and all(map(all, outputs)):
            return None
        constants = tuple(self.constants(operands))
        legs: list[Graph] = []
        for number, (leg, taken, given) in enumerate(zip(self.legs, inputs, outputs, strict=True)):
            before = [flag for row, c in zip(outputs[:number], self.carried, strict=False) for flag in row[c:]]
            legs.append(restricted(leg, (*taken[: self.carried[number]], *constants, *before), given))
        carries = self.carries(operands)
        op = Sweeps(tuple(legs), tuple(map(sum, carries)))
        return Narrowed(op, positions(operands), positions([flag for part in carries for flag in part]))


def _joined(values: Sequence[Sequence[Value]], more: Sequence[Sequence[Value | None]]) -> Values:
    """Each section followed by what there is of the other values of that section."""
    return tuple(v for one, other in zip(values, more, strict=True) for v in (*one, *filter(None, other)))


class _WayBack:
    """Reverse mode: each leg with what its way back needs of a step, then the ways back, that of the last leg first."""

    def __init__(self, op: Sweeps, active: Flags) -> None:
        self.op = op
        settled = op.settle(active, flow.moves)
        self.given = [outputs[:count] for (_, outputs), count in zip(settled, op.carried, strict=True)]
        """For each leg, which of its carries have a cotangent."""
        self.known = [[False] * op.kept(number) for number in range(len(op.legs))]
        """For each leg, which of the values that it keeps have one: those that a later leg gives one to."""
        self.steps: list[StepBack] = []
        for number in reversed(range(len(op.legs))):
            leg, wanted, known = op.legs[number], settled[number][0], (*self.given[number], *self.known[number])
            step = StepBack(leg, wanted, known, op.carried[number], op.unchanged(len(leg.inputs), number))
            for row, slopes in zip(self.known, op.inputs(number, step.slopes)[2], strict=False):
                row[:] = map(any, zip(row, slopes, strict=True))
            self.steps.insert(0, step)
        self.legs: list[Graph] = []
        self.tapes: list[list[Value]] = []
        """What each leg keeps."""
        self.places: list[dict[Value, tuple[int, int]]] = []
        """For each leg there, which leg keeps a residual of it, as which value."""
        self.terms: dict[tuple[int, int], list[tuple[int, int]]] = {}
        """For a value that a leg keeps, the terms of its cotangent: which leg back keeps it, as which value."""
        for number in range(len(op.legs)):
            self._there(number)
        for number in reversed(range(len(op.legs))):
            self._back(number)

    def _there(self, number: int) -> None:
        """Append a leg that keeps its residuals too."""
        op, step = self.op, self.steps[number]
        carries, constants, before = op.inputs(number, step.forward.inputs)
        inputs, place = [*carries, *constants], dict[Value, tuple[int, int]]()
        for leg, values in enumerate(before):
            more = self.tapes[leg][len(values) :]
            inputs += [*values, *(Value(v.type, v.name) for v in more)]
            place.update((v, (leg, at)) for at, v in enumerate(values))
        outputs = step.forward.outputs[: len(op.legs[number].outputs)]
        tape = list(outputs[len(carries) :])
        tape += [v for v in step.kept if v not in {*step.fixed, *place, *tape}]
        place.update((v, (number, at)) for at, v in enumerate(tape))
        outputs = (*outputs[: len(carries)], *tape)
        self.legs.append(Graph(tuple(inputs), step.forward.nodes, outputs, op.legs[number].name))
        self.tapes.append(tape)
        self.places.append(place)

    def _back(self, number: int) -> None:
        """Append the way back through a leg; it sums cotangents of constants over the steps, narrow floats in f32."""
        op, step, leg, b = self.op, self.steps[number], self.op.legs[number], Builder()
        _, slopes, _ = op.inputs(number, step.slopes)
        fixed = op.inputs(number, leg.inputs)[1]
        seeds = [b.input(v.type, bar(v)) for v, g in zip(leg.outputs, self.given[number], strict=False) if g]
        sums = [b.input(wide(v.type), bar(v)) if s else None for v, s in zip(fixed, slopes, strict=True)]
        constants = [b.input(v.type, v.name) for v in fixed]
        there = [[b.input(v.type, v.name) for v in tape] for tape in self.tapes]
        residuals = dict(zip(step.fixed, b.inline(step.before, constants), strict=True))
        residuals |= {v: there[at][k] for v, (at, k) in self.places[number].items() if v not in residuals}
        for at in positions(self.known[number]):
            seed, *more = (there[source][k] for source, k in self.terms[number, at])
            for term in more:
                seed = b.add(seed, term)
            seeds.append(seed)
        before, terms, rows = op.inputs(number, step.pull(b, residuals, seeds))
        outputs = [slope for slope in before if slope is not None]
        for total, term in zip(sums, terms, strict=True):
            if total is not None and term is not None:
                outputs.append(b.add(total, b.cast(term, total.type.dtype)))
        tape: list[Value] = []
        for source, row in enumerate(rows):
            for at, slope in enumerate(row):
                if slope is not None:
                    self.terms.setdefault((source, at), []).append((len(self.legs), len(tape)))
                    tape.append(slope)
        self.legs.append(b.graph((*outputs, *tape), f"{leg.name}_vjp"))
        self.tapes.append(tape)

    def append(self, b: Builder, operands: Values, cotangents: Maybe) -> Maybe:
        """Append the sweeps; gives the cotangents of the operands."""
        op, carried = self.op, [*self.op.carried]
        starts: list[Value] = []
        incoming = op.carries((None, *cotangents))
        for number in reversed(range(len(op.legs))):
            constants = op.inputs(number, self.steps[number].slopes)[1]
            values, xs = op.carries(operands)[number], op.constants(operands)
            triples = zip(values, incoming[number], self.given[number], strict=True)
            own = [c or b.zeros(v.type) for v, c, given in triples if given]
            own += [b.zeros(wide(x.type)) for x, slope in zip(xs, constants, strict=True) if slope]
            starts += own
            carried.append(len(own))
        there = 1 + sum(op.carried)
        sweeps = Sweeps(tuple(self.legs), tuple(carried))
        found = b.node(sweeps, *operands[:there], *starts, *operands[there:])
        results = iter(found[sum(op.carried) :])
        by_leg: dict[int, list[Value | None]] = {}
        totals: list[Value | None] = [None] * len(op.constants(operands))
        for number in reversed(range(len(op.legs))):
            by_leg[number] = [next(results) if given else None for given in self.given[number]]
            for at in positions(op.inputs(number, self.steps[number].slopes)[1]):
                total, more = totals[at], next(results)
                totals[at] = more if total is None else b.add(total, more)
        slopes = [slope for number in range(len(op.legs)) for slope in by_leg[number]] + totals
        pairs = zip(operands[1:], slopes, strict=True)
        return (None, *(b.cast(s, x.type.dtype) if s is not None else None for x, s in pairs))


def wide(type: TensorType) -> TensorType:
    """The type in which cotangents are summed over steps."""
    return type.with_dtype(type.dtype.accumulator)
