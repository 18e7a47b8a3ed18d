"""A loop that a predicate ends, and what it has in common with a scan; rosin.ir.ops.control tells about both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias, TypeVar

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import bool_, i64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Arrays, Cost, Maybe, Narrowed, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.control import (
    Control,
    Pullback,
    Pushed,
    batched_region,
    called,
    masked_region,
    of_the_masked,
    positions,
    restricted,
    spread_mask,
    types_of,
)
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.transform import flow
from rosin.ir.transform.batch import batch
from rosin.ir.transform.effects import silent
from rosin.ir.types import TensorType, same_type

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


def _joined(values: Sequence[Sequence[Value]], more: Sequence[Sequence[Value | None]]) -> Values:
    """Each section followed by what there is of the other values of that section."""
    return tuple(v for one, other in zip(values, more, strict=True) for v in (*one, *filter(None, other)))


@define("while")
class While(Loop):
    """`body` on the carried values as long as `cond`, a truth value from the same operands, holds before a step.

    Operands: the first `carried` are carried, the others constants; both regions take them all.

    Reverse mode counts the steps, and walks as many of them forward again and then back, as `sweeps`.

    Under a batch whose predicate differs between examples, the loop runs while any example goes on, and an example
    that is done keeps its values. A body with a `while` in it might never end on values that the outer predicate
    refuses, so examples that are done compute there what one that goes on does.
    """

    cond: Graph
    body: Graph
    carried: int

    @cached_property
    def may_not_end(self) -> bool:
        return True

    def sections(self, operands: Sequence[T]) -> tuple[Sequence[T], ...]:
        return operands[: self.carried], operands[self.carried :]

    def type(self, *operands: TensorType) -> Types:
        self.check_loop(operands, operands)
        if len(self.body.outputs) != self.carried:
            counts = f"carries {self.carried} values, and its body gives {len(self.body.outputs)}"
            self.bad_shape(operands, counts)
        self.check_inputs(operands, "the predicate", self.cond, operands)
        if types_of(self.cond.outputs) != (TensorType(bool_),):
            given = ", ".join(map(str, types_of(self.cond.outputs))) or "nothing"
            self.bad_dtype(operands, f"the predicate gives one truth value, bool[], not {given}")
        return operands[: self.carried]

    def eval(self, *operands: NumpyArray) -> Arrays:
        carries, constants = list(operands[: self.carried]), operands[self.carried :]
        while evaluate(self.cond, (*carries, *constants))[0]:
            carries = evaluate(self.body, (*carries, *constants))
        return tuple(carries)

    def cost(self, operands: Types, results: Types) -> Cost:
        """That of one step: how many there are is not known."""
        once, test = self.body.cost(), self.cond.cost()
        return Cost(once.flops + test.flops, once.bytes + test.bytes)

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        body, inputs, (_, moves) = self.push(b, operands, tangents)
        cond = Builder()
        values, constants = self._inputs_of(cond, body, sum(moves))
        (again,) = cond.inline(self.cond, (*values, *constants))
        op = While(cond.graph([again], self.cond.name), body, self.carried + sum(moves))
        return self.parted(b.node(op, *inputs), moves)

    def _inputs_of(self, b: Builder, body: Graph, tangents: int) -> tuple[Values, Values]:
        """Inputs for a predicate like those of the body with tangents, and of them the values."""
        inputs = tuple(b.input(v.type, v.name) for v in body.inputs)
        constants = inputs[self.carried + tangents :]
        return inputs[: self.carried], constants[: len(self.body.inputs) - self.carried]

    def forward_vjp(self, b: Builder, operands: Values, active: tuple[bool, ...]) -> tuple[Values, Pullback]:
        *found, count = self.counting(b, operands)
        steps = Sweeps((silent(self.body),), (self.carried,))
        inside = (False, *active)
        return tuple(found), lambda cotangents: steps.pull(b, (count, *operands), inside, cotangents)[1:]

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
        (masked,) = flow.spreads(self.cond, many, axis)
        if masked:
            many = (*[True] * self.carried, *many[self.carried :])
        inputs = [
            b.batch_front(x, False, size) if m and not f else x for x, f, m in zip(operands, batched, many, strict=True)
        ]
        if masked:
            return self._batch_masked(b, inputs, many, size)
        body = batched_region(self.body, inputs, many, results, size, axis)
        cond = Builder()
        predicate, _ = batch(cond, self.cond, [cond.input(v.type, v.name) for v in inputs], many, size, axis)
        found = b.node(While(cond.graph(predicate, self.cond.name), body, self.carried), *inputs)
        return tuple(b.batch_front(v, flag, size) for v, flag in zip(found, results, strict=True))

    def _batch_masked(self, b: Builder, inputs: Sequence[Value], many: Sequence[bool], size: Dim) -> Values:
        """The loop while any example goes on; which do is carried first."""
        axis, location = b.batch_axis, b.location
        (running,), _ = batch(b, self.cond, inputs, many, size, axis)
        b.location = location
        cond, body = Builder(), Builder()
        going, *_ = (cond.input(v.type, v.name) for v in (running, *inputs))
        mask, *values = (body.input(v.type, v.name) for v in (running, *inputs))
        old, constants = values[: self.carried], values[self.carried :]
        front = masked_region(body, self.body, mask, values, many, size, axis)
        new = [body.select(spread_mask(body, mask, x.type), x, y) for x, y in zip(front, old, strict=True)]
        again, _ = batch(body, *of_the_masked(self.cond, (*new, *constants), many, mask), size, axis)
        name = f"{self.body.name}_batch"
        op = While(cond.graph([cond.any(going, (0,))], "any"), body.graph((*again, *new), name), self.carried + 1)
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
        return Narrowed(While(cond, body, sum(kept)), positions(live), positions(kept))
