"""Reverse mode that keeps few states of a loop, and computes the others again from these.

Either the loop is cut into about as many segments as a segment has steps: what each begins with is kept, and the way
back computes a segment again before it walks through it ("sqrt": two states for each root of the number of steps). Or
a fixed number of slots hold states, and the steps are walked from the last to the first; to come to one the loop runs
from the last state that is kept before it, and fills the slots that are free on its way. Which states these are is the
schedule of Griewank and Walther, "Algorithm 799: revolve", ACM Transactions on Mathematical Software 26 (2000), which
takes the fewest steps that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import f64, i64
from rosin.ir.graph import Graph
from rosin.ir.op import Op, Types, Value
from rosin.ir.ops.arithmetic import Ceil
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.types import TensorType

Plan: TypeAlias = "int | str | None"
"""How reverse mode keeps the states of a loop: all, in segments ("sqrt"), or in so many slots."""

MakeWhile: TypeAlias = Callable[[Graph, Graph, int], Op]
"""Makes a `while` of a predicate, a body, and how many values it carries."""

NUMBER = TensorType(i64)


def check_plan(op: Op, operands: Types, plan: Plan) -> None:
    """Raise unless it is a plan."""
    if plan is not None and plan != "sqrt" and not (type(plan) is int and plan > 0):
        op.bad_attribute(operands, f'a checkpoint is "sqrt" or a positive number of slots, not {plan!r}')


def like(b: Builder, values: Sequence[Value]) -> list[Value]:
    """Inputs like these values."""
    return [b.input(v.type, v.name) for v in values]


def in_segments(body: Graph, carried: int) -> Graph:
    """From a number of steps and the operands of so many steps of `body` to what is carried after them."""
    b, segment = Builder(), Builder()
    count, *operands = b.input(NUMBER, "steps"), *like(b, body.inputs)
    most = b.maximum(b.cast(b.node(Ceil(), b.sqrt(b.cast(count, f64)))[0], i64), 1)
    whole = Builder()
    steps = whole.graph(whole.node(Sweeps((body,), (carried,)), whole.input(NUMBER, "steps"), *like(whole, operands)))
    number, *values = segment.input(NUMBER, "segment"), *like(segment, operands)
    every, size = segment.input(NUMBER, "steps"), segment.input(NUMBER, "size")
    own = segment.minimum(size, segment.sub(every, segment.mul(number, size)))
    found = segment.node(Checkpoint(steps), own, *values)
    leg = segment.graph([segment.add(number, 1), *found], f"{body.name}_segment")
    segments = b.floor_divide(b.add(count, b.sub(most, 1)), most)
    op = Sweeps((leg,), (carried + 1,))
    return b.graph(b.node(op, segments, b.full(0, NUMBER), *operands, count, most)[1:], body.name)


@dataclass(frozen=True)
class Revolve:
    """The states of a loop in `slots` slots.

    `leg` makes a step: from its number, what is carried and constants to the number of the next one and what is carried
    then. The slots are a list of values: how many are in use, less one; the step that each is before; and for each
    carried value an array of what it is in each slot.
    """

    slots: int
    leg: Graph
    carried: int
    make_while: MakeWhile

    def start(self, b: Builder, carries: Sequence[Value]) -> list[Value]:
        """The slots when the first holds the state before the first step."""
        arrays = [b.broadcast(x, (self.slots, *x.type.shape), tuple(range(1, x.type.rank + 1))) for x in carries]
        return [b.full(0, NUMBER), b.full(0, TensorType(i64, (self.slots,))), *arrays]

    def before(
        self, b: Builder, slots: Sequence[Value], step: Value, constants: Sequence[Value]
    ) -> tuple[list[Value], list[Value]]:
        """Append what finds the state before a step, the last one left; gives it and the slots as they are then.

        A slot that holds that very state is no longer in use.
        """
        top, places, *arrays = slots
        state = [row_of(b, places, top), *(row_of(b, x, top) for x in arrays)]
        cond, body = Builder(), Builder()
        position, *_ = like(cond, state)
        like(cond, slots)
        last = cond.input(NUMBER, "last")
        like(cond, constants)
        test = cond.graph([cond.less(position, last)], "before")
        op = self.make_while(test, self._advance(body, state, slots, step, constants), len(state) + len(slots))
        found = b.node(op, *state, *slots, step, *constants)
        after = list(found[len(state) :])
        used = b.logical_and(b.equal(row_of(b, after[1], after[0]), step), b.greater(after[0], 0))
        after[0] = b.select(used, b.sub(after[0], 1), after[0])
        return list(found[1 : len(state)]), after

    def _advance(
        self, b: Builder, state: Sequence[Value], slots: Sequence[Value], step: Value, constants: Sequence[Value]
    ) -> Graph:
        """To where the next slot is to be filled, and fills it; or to the step, when none is free."""
        current, (top, *arrays) = like(b, state), like(b, slots)
        last, others = b.input(NUMBER, "last"), like(b, constants)
        free = b.sub(self.slots - 1, top)
        left = b.add(b.sub(last, current[0]), 1)
        keeps = b.greater(free, 0)
        far = b.select(keeps, self._distance(b, left, b.maximum(free, 1)), b.sub(last, current[0]))
        moved = b.node(Sweeps((self.leg,), (self.carried + 1,)), far, *current, *others)
        at = b.select(keeps, b.add(top, 1), top)
        filled: list[Value] = []
        for array, new in zip(arrays, moved, strict=True):
            row = b.select(b.broadcast(keeps, new.type.shape, ()), new, row_of(b, array, at))
            origin = [b.full(0, NUMBER)] * new.type.rank
            filled.append(b.dynamic_update_slice(array, b.reshape(row, (1, *new.type.shape)), (at, *origin)))
        return b.graph([*moved, at, *filled], "advance")

    def _distance(self, b: Builder, left: Value, free: Value) -> Value:
        """How far to go before the next slot is filled, when so many steps are left and so many slots are free.

        With `s` slots, this state's and the free ones, and each step made at most `r` times again, as many steps as
        there are ways to choose `s` of `s + r` can be walked back; `r` is the least that is enough.
        """
        slots = b.add(free, 1)
        cond, body = Builder(), Builder()
        (_, reach, _, wanted), (again, ways, s, _) = (
            [c.input(NUMBER, name) for name in ("again", "reach", "slots", "wanted")] for c in (cond, body)
        )
        test = cond.graph([cond.less(reach, wanted)], "few")
        following = body.add(again, 1)
        more = body.floor_divide(body.mul(ways, body.add(s, following)), following)
        op = self.make_while(test, body.graph([following, more], "more"), 2)
        r, ways = b.node(op, b.full(0, NUMBER), b.full(1, NUMBER), slots, left)
        total = b.add(slots, r)
        fewer = b.floor_divide(b.mul(ways, slots), total)
        less = b.floor_divide(b.mul(ways, r), total)
        least = b.floor_divide(b.mul(less, b.sub(r, 1)), b.maximum(b.sub(total, 1), 1))
        return b.maximum(b.maximum(least, b.sub(left, fewer)), 1)


def row_of(b: Builder, x: Value, at: Value) -> Value:
    """One element of an array along its first axis."""
    origin = [b.full(0, NUMBER)] * (x.type.rank - 1)
    return b.reshape(b.dynamic_slice(x, (at, *origin), (1, *x.type.shape[1:])), x.type.shape[1:])
