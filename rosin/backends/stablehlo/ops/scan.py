"""Loops over the elements of arrays, as loops that count: what is stacked is read and written row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i64
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import scan as ops
from rosin.ir.ops.loop import While
from rosin.ir.ops.revolve import row_of
from rosin.ir.types import TensorType

NUMBER = TensorType(i64)

StepMaker: TypeAlias = Callable[[Builder, Value, Sequence[Value], Sequence[Value]], Sequence[Value]]


def put_row(b: Builder, x: Value, row: Value, at: Value) -> Value:
    """The array with another element at a place along its first axis."""
    origin = [b.full(0, NUMBER)] * row.type.rank
    return b.dynamic_update_slice(x, b.reshape(row, (1, *row.type.shape)), (at, *origin))


def counting_loop(
    b: Builder, count: Value, carries: Sequence[Value], constants: Sequence[Value], step: StepMaker, name: str
) -> Values:
    """Append a loop of so many steps; `step(builder, number, carries, constants)` gives the next carried values."""
    cond, body = Builder(), Builder()
    head = [c.input(NUMBER, "step") for c in (cond, body)]
    given = [[c.input(v.type, v.name) for v in carries] for c in (cond, body)]
    ends = [c.input(NUMBER, "steps") for c in (cond, body)]
    rest = [[c.input(v.type, v.name) for v in constants] for c in (cond, body)]
    test = cond.graph([cond.less(head[0], ends[0])], "going")
    after = step(body, head[1], given[1], rest[1])
    graph = body.graph([body.add(head[1], 1), *after], name)
    op = While(test, graph, 1 + len(carries))
    return b.node(op, b.full(0, NUMBER), *carries, count, *constants)[1:]


def _scan(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Scan)

    def make(b: Builder, *values: Value) -> Values:
        carries, constants, stacked = op.sections(values)
        count = b.full(op.steps, NUMBER)
        if op.counted:
            given = b.cast(constants[0], i64)
            count = b.minimum(b.maximum(given, 0), count)
        rows = [b.zeros(t) for t in results[op.carried :]]
        if op.steps == 0:
            return (*carries, *rows)

        def step(inner: Builder, number: Value, state: Sequence[Value], given: Sequence[Value]) -> list[Value]:
            last, *rest = given
            at = inner.sub(inner.sub(last, 1), number) if op.reverse else number
            split = len(rest) - len(stacked)
            elements = [row_of(inner, x, at) for x in rest[split:]]
            found = inner.inline(op.body, (*state[: op.carried], *rest[:split], *elements))
            made = zip(state[op.carried :], found[op.carried :], strict=True)
            return [*found[: op.carried], *(put_row(inner, x, row, at) for x, row in made)]

        return counting_loop(b, count, (*carries, *rows), (count, *constants, *stacked), step, op.body.name)

    return e.compose(make, *operands)


LOWER: dict[type[Op], Lower] = {ops.Scan: _scan}
