"""A loop that a predicate ends, and what it has in common with a scan; rosin.ir.ops.region tells about both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import bool_, i64
from rosin.ir.facts import known_at_least
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
    may_not_end,
    of_the_masked,
    of_the_taking,
    positions,
    restricted,
    spread_mask,
    types_of,
)
from rosin.ir.ops.revolve import Plan, Revolve, check_plan, in_segments, like
from rosin.ir.ops.sweeps import Sweeps, wide
from rosin.ir.ops.takers import block_size, in_blocks, is_dear
from rosin.ir.transform import flow
from rosin.ir.transform.batch import batch
from rosin.ir.transform.effects import calls_host, silent
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType, same_type

NARROW = 64
"""A lane whose values have no more elements than these may run by itself, its state in registers."""

T = TypeVar("T")
Settled: TypeAlias = tuple[tuple[bool, ...], tuple[bool, ...]]
"""Flags of operands and of results."""


class Loop(Control):
    """A loop of `body`, whose first outputs are the carried values for the next step."""

    body: Graph
    carried: int

    @abstractmethod
    def sections(self, operands: Sequence[T]) -> tuple[Sequence[T], ...]:
        """What belongs to each operand, cut into sections."""

    def unchanged(self, count: int, region: int | None = None) -> range:
        constants = self.sections(range(count))[1]
        return range(self.carried, self.carried + len(constants))

    def halves(self, outputs: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
        """What belongs to each output of the body: carried, and stacked."""
        return outputs[: self.carried], outputs[self.carried :]

    def settle(self, flags: tuple[bool, ...], follow: Callable[[Graph, tuple[bool, ...]], tuple[bool, ...]]) -> Settled:
        """Flags of operands, set for carries too where the body sets them, and those of the results."""
        rest = flags[self.carried :]
        carries = flow.settled(flags[: self.carried], lambda c: follow(self.body, (*c, *rest))[: self.carried])
        operands = (*carries, *rest)
        return operands, (*carries, *follow(self.body, operands)[self.carried :])

    def check_loop(self, operands: Types, given: Types) -> None:
        """Raise unless the body takes values of the given types and gives the carried ones back."""
        if not 0 <= self.carried <= len(operands):
            self.bad_attribute(operands, f"carries {self.carried} of {len(operands)} operands")
        self.check_inputs(operands, "the body", self.body, given)
        if len(self.body.outputs) < self.carried:
            counts = f"carries {self.carried} values, and its body gives {len(self.body.outputs)}"
            self.bad_shape(operands, counts)
        for position in range(self.carried):
            before, after = self.body.inputs[position], self.body.outputs[position]
            if not same_type(before.type, after.type):
                message = f"carry {position}{called(before)} has type {before.type} and the body gives {after.type}"
                self.disagree(operands, f"{message}; a carried value keeps its type", before.type, after.type)

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return self.settle(moving, flow.moves)[1]

    def push(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Graph, Values, Settled]:
        """The body with its tangents, its operands, and which operands and results have a tangent."""
        moving, moves = self.settle(tuple(t is not None for t in tangents), flow.moves)
        each = zip(operands, tangents, moving, strict=True)
        dots = tuple((t or b.zeros(x.type)) if m else None for x, t, m in each)
        region = Pushed(self.body, moving, moves)
        inputs = _joined(self.sections(region.primals), self.sections(region.tangents))
        outputs = _joined(self.halves(region.results), self.halves(region.slopes))
        body = Graph(inputs, tuple(region.b.nodes), outputs, f"{self.body.name}_jvp")
        return body, _joined(self.sections(operands), self.sections(dots)), (moving, moves)

    def parted(self, results: Values, moves: tuple[bool, ...]) -> tuple[Values, Maybe]:
        """Results and tangents, from the results of a loop of a body with tangents."""
        rest = list(results)
        values: list[Value] = []
        dots: list[Value | None] = []
        for flags in self.halves(moves):
            values += rest[: len(flags)]
            slopes = iter(rest[len(flags) : len(flags) + sum(flags)])
            dots += [next(slopes) if flag else None for flag in flags]
            rest = rest[len(flags) + sum(flags) :]
        return tuple(values), tuple(dots)


def _chosen(lanes: NumpyArray, x: NumpyArray, y: NumpyArray) -> NumpyArray:
    """`x` in the lanes that are chosen, `y` in the others."""
    return np.where(lanes.reshape(lanes.shape + (1,) * (x.ndim - lanes.ndim)), x, y)


def _joined(values: Sequence[Sequence[Value]], more: Sequence[Sequence[Value | None]]) -> Values:
    """Each section followed by what there is of the other values of that section."""
    return tuple(v for one, other in zip(values, more, strict=True) for v in (*one, *filter(None, other)))


@define("while")
class While(Loop):
    """`body` on the carried values as long as `cond`, a truth value from the same operands, holds before a step.

    Operands: the first `carried` are carried, the others constants; both regions take them all.

    Reverse mode counts the steps, and walks as many of them forward again and then back, as `sweeps`. A `checkpoint`
    says how it keeps fewer states than there are steps; rosin.ir.ops.revolve tells how.

    A predicate with axes makes a loop of *lanes*: these axes lead in every carried value, each lane goes on as long as
    its own truth value holds, and what a lane that is done carries never changes again. The loop ends with the last
    lane. That is what a batch gives whose predicate differs between examples. Its expansion is a plain loop, which runs
    while any lane goes on, and selects. A body with a `while` in it might never end on values that the outer predicate
    refuses, so lanes that are done compute there what one that goes on does.

    A batch of many examples with dear steps is a plain loop at once, in which a step is made for those examples alone
    that go on, in blocks (rosin.ir.ops.takers).
    """

    cond: Graph
    body: Graph
    carried: int
    checkpoint: Plan = None

    @cached_property
    def may_not_end(self) -> bool:
        return True

    def sections(self, operands: Sequence[T]) -> tuple[Sequence[T], ...]:
        return operands[: self.carried], operands[self.carried :]

    def type(self, *operands: TensorType) -> Types:
        check_plan(self, operands, self.checkpoint)
        self.check_loop(operands, operands)
        if len(self.body.outputs) != self.carried:
            counts = f"carries {self.carried} values, and its body gives {len(self.body.outputs)}"
            self.bad_shape(operands, counts)
        self.check_inputs(operands, "the predicate", self.cond, operands)
        truths = types_of(self.cond.outputs)
        if len(truths) != 1 or truths[0].dtype != bool_:
            given = ", ".join(map(str, truths)) or "nothing"
            self.bad_dtype(operands, f"the predicate gives one truth value, bool[], or one a lane, not {given}")
        lanes = truths[0].shape
        for position, value in enumerate(operands[: self.carried]):
            if value.shape[: len(lanes)] != lanes:
                axes = f"the axes of the predicate, {truths[0]}, do not lead in it"
                self.bad_shape(operands, f"carry {position}{called(self.body.inputs[position])} is {value}; {axes}")
        return operands[: self.carried]

    @property
    def lanes(self) -> tuple[Dim, ...]:
        """The axes of lanes; none for a plain loop."""
        return self.cond.outputs[0].type.shape

    def eval(self, *operands: NumpyArray) -> Arrays:
        carries, constants = list(operands[: self.carried]), operands[self.carried :]
        endless = may_not_end(self.body)
        going = evaluate(self.cond, (*carries, *constants))[0]
        while going.any():
            stepping = carries
            if endless:
                some = np.unravel_index(int(going.argmax()), going.shape)
                stepping = [_chosen(going, x, np.broadcast_to(x[some], x.shape)) for x in carries]
            found = evaluate(self.body, (*stepping, *constants))
            carries = [_chosen(going, x, y) for x, y in zip(found, carries, strict=True)]
            going = going & evaluate(self.cond, (*carries, *constants))[0]
        return tuple(carries)

    def expansion(self) -> Graph | None:
        """A loop of lanes as a plain one."""
        if not self.lanes:
            return None
        b = Builder()
        operands = [b.input(v.type, v.name) for v in self.body.inputs]
        many = [position < self.carried for position in range(len(operands))]

        def step(inner: Builder, mask: Value, values: Values) -> Values:
            return inner.inline(self.body, of_the_taking(inner, self.body, mask, values, many))

        def test(inner: Builder, mask: Value, values: Values) -> Value:
            return inner.inline(self.cond, values)[0]

        running = b.inline(self.cond, operands)[0]
        return b.graph(self._masked(b, running, operands, step, test), self.body.name)

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of one step: how many there are is not known."""
        return self.body.cost() + self.cond.cost()

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        body, inputs, (_, moves) = self.push(b, operands, tangents)
        cond = Builder()
        values, constants = self._inputs_of(cond, body, sum(moves))
        (again,) = cond.inline(self.cond, (*values, *constants))
        op = While(cond.graph([again], self.cond.name), body, self.carried + sum(moves), self.checkpoint)
        return self.parted(b.node(op, *inputs), moves)

    def _inputs_of(self, b: Builder, body: Graph, tangents: int) -> tuple[Values, Values]:
        """Inputs for a predicate like those of the body with tangents, and of them the values."""
        inputs = tuple(b.input(v.type, v.name) for v in body.inputs)
        constants = inputs[self.carried + tangents :]
        return inputs[: self.carried], constants[: len(self.body.inputs) - self.carried]

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        plain = self.expansion()
        if plain is not None:
            return vjp(b, plain, operands, active)
        *found, count = self.counting(b, operands)
        body, inside = silent(self.body), (False, *active)

        def pullback(cotangents: Maybe) -> Maybe:
            if isinstance(self.checkpoint, int):
                return self._pull_by_slots(b, self.checkpoint, count, operands, active, cotangents)
            if self.checkpoint == "sqrt":
                _, pull = vjp(b, in_segments(body, self.carried), (count, *operands), inside)
                return pull(cotangents)[1:]
            steps = Sweeps((body,), (self.carried,))
            return steps.pull(b, (count, *operands), inside, cotangents)[1:]

        return tuple(found), pullback

    def _pull_by_slots(
        self, b: Builder, slots: int, count: Value, operands: Values, active: tuple[bool, ...], cotangents: Maybe
    ) -> Maybe:
        """The way back, each state being computed again from one of those in the slots."""
        body, leg = silent(self.body), Builder()
        (carries, constants), (wanted, given) = self.sections(operands), self.settle(active, flow.moves)
        number, *values = leg.input(TensorType(i64), "step"), *like(leg, body.inputs)
        step = leg.graph([leg.add(number, 1), *leg.inline(body, values)], body.name)
        revolve = Revolve(slots, step, self.carried, While)
        start = [count, *revolve.start(b, carries)]

        back = Builder()
        (end, *held), same, summed = like(back, start), body.inputs[self.carried :], wanted[self.carried :]
        seeds = [back.input(v.type, bar(v)) if g else None for v, g in zip(body.outputs, given, strict=True)]
        sums = [back.input(wide(v.type), bar(v)) if w else None for v, w in zip(same, summed, strict=True)]
        fixed = like(back, same)
        last = back.sub(end, 1)
        state, held = revolve.before(back, held, last, fixed)
        slopes = vjp(back, body, (*state, *fixed), wanted)[1](seeds)
        outputs = [last, *held]
        for seed, slope in zip(seeds, slopes, strict=False):
            if seed is not None:
                outputs.append(slope or back.zeros(seed.type))
        for total, slope in zip(sums, slopes[self.carried :], strict=True):
            if total is not None:
                outputs.append(total if slope is None else back.add(total, back.cast(slope, total.type.dtype)))
        start += [c or b.zeros(x.type) for c, x, g in zip(cotangents, carries, given, strict=True) if g]
        start += [b.zeros(total.type) for total in sums if total is not None]
        op = Sweeps((back.graph(outputs, f"{body.name}_vjp"),), (len(start),))
        found = iter(b.node(op, count, *start, *constants)[1 + len(held) :])
        return tuple(b.cast(next(found), x.type.dtype) if w else None for x, w in zip(operands, wanted, strict=True))

    def counting(self, b: Builder, operands: Values) -> Values:
        """Append the loop; gives its results, and the number of its steps, an i64."""

        def counted(region: Graph) -> tuple[Graph, Value]:
            count = Value(TensorType(i64), "steps")
            inputs = (*region.inputs[: self.carried], count, *region.inputs[self.carried :])
            return Graph(inputs, region.nodes, region.outputs, region.name), count

        (cond, _), (body, count) = counted(self.cond), counted(self.body)
        inner = Builder()
        inner.inputs, inner.nodes = list(body.inputs), list(body.nodes)
        body = inner.graph([*body.outputs, inner.add(count, 1)], body.name)
        start = b.full(0, TensorType(i64))
        values = (*operands[: self.carried], start, *operands[self.carried :])
        return b.node(While(cond, body, self.carried + 1), *values)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        axis = b.batch_axis
        many, results = self.settle(batched, lambda region, flags: flow.spreads(region, flags, axis))
        masked = bool(self.lanes) or flow.spreads(self.cond, many, axis) == (True,)
        if masked:
            many, results = (*[True] * self.carried, *many[self.carried :]), (True,) * self.carried
        inputs = tuple(
            b.batch_front(x, False, size) if m and not f else x for x, f, m in zip(operands, batched, many, strict=True)
        )
        if masked and any(map(calls_host, (self.cond, self.body))):
            return self._batch_masked(b, inputs, many, size)
        if masked and (block := self._block_size(many, size, axis)):
            return self._batch_masked(b, inputs, many, size, block)
        body = batched_region(self.body, inputs, many, results, size, axis)
        cond = batched_region(self.cond, inputs, many, [masked], size, axis)
        found = b.node(replace(self, cond=cond, body=body), *inputs)
        return tuple(b.batch_front(v, flag, size) for v, flag in zip(found, results, strict=True))

    def _block_size(self, many: Sequence[bool], size: Dim, axis: str | None) -> int:
        """How many examples a block has, where steps are dear; 0 where all lanes had better make every step."""
        if self.lanes or not is_dear(self.body, size):
            return 0
        own = flow.varying_values(self.body, many)
        narrow = all(known_at_least(NARROW, v.type.size) for v in own)
        return 0 if narrow else block_size(self.body, many, size, axis)

    def _batch_masked(self, b: Builder, inputs: Values, many: Sequence[bool], size: Dim, block: int = 0) -> Values:
        """The plain loop, in which Python does its part for the examples that go on alone; with a `block`, examples
        that go on are put together in blocks of so many, and steps are computed for these alone."""
        axis, location = b.batch_axis, b.location
        (running,), _ = batch(b, self.cond, inputs, many, size, axis)
        b.location = location

        def step(inner: Builder, mask: Value, values: Values) -> Values:
            if block:
                return in_blocks(inner, self.body, mask, values, many, values[: self.carried], block)
            return masked_region(inner, self.body, mask, values, many, size, axis)

        def test(inner: Builder, mask: Value, values: Values) -> Value:
            return batch(inner, *of_the_masked(self.cond, values, many, mask), size, axis)[0][0]

        return self._masked(b, running, inputs, step, test, chosen=block > 0)

    def _masked(
        self,
        b: Builder,
        running: Value,
        inputs: Sequence[Value],
        step: Callable[[Builder, Value, Values], Values],
        test: Callable[[Builder, Value, Values], Value],
        chosen: bool = False,
    ) -> Values:
        """The loop while any lane goes on; which do is carried first. `step` and `test` append the regions; what a step
        gives for lanes that are done is of no account, unless it has `chosen` what they had."""
        cond, body = Builder(), Builder()
        going, *_ = (cond.input(v.type, v.name) for v in (running, *inputs))
        mask, *values = (body.input(v.type, v.name) for v in (running, *inputs))
        old, constants = values[: self.carried], values[self.carried :]
        new = step(body, mask, tuple(values))
        if not chosen:
            new = [body.select(spread_mask(body, mask, x.type), x, y) for x, y in zip(new, old, strict=True)]
        again = body.logical_and(mask, test(body, mask, (*new, *constants)))
        some = cond.graph([cond.any(going, tuple(range(going.type.rank)))], "any")
        op = While(some, body.graph((again, *new), f"{self.body.name}_lanes"), self.carried + 1, self.checkpoint)
        return b.node(op, running, *inputs)[1:]

    def needs(self, used: tuple[bool, ...], count: int) -> tuple[bool, ...]:
        tested = flow.needs(self.cond, (True,))
        start = tuple(map(any, zip(used, tested[: self.carried], strict=True)))
        kept = flow.settled(start, lambda carries: flow.needs(self.body, carries)[: self.carried])
        live = flow.needs(self.body, kept)
        return (*kept, *map(any, zip(live[self.carried :], tested[self.carried :], strict=True)))

    def without_unused(self, used: tuple[bool, ...]) -> Narrowed | None:
        live = self.needs(used, len(self.body.inputs))
        if all(live):
            return None
        kept = live[: self.carried]
        cond, body = restricted(self.cond, live, (True,)), restricted(self.body, live, kept)
        return Narrowed(replace(self, cond=cond, body=body, carried=sum(kept)), positions(live), positions(kept))
