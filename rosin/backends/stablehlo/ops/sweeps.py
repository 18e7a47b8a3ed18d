"""Loops forth and back. What a leg keeps of each step would take memory of unknown size, which XLA has not."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.scan import StepMaker, counting_loop
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i64
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import sweeps as ops


def _sweeps(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Sweeps)
    if any(op.kept(number) for number in range(len(op.legs))):
        raise UnsupportedError(
            "stablehlo: reverse mode of a loop of unknown length keeps something of each step, and XLA has no arrays "
            "of unknown size; give the loop a length (scan, fori_loop), or a number of checkpoints"
        )

    def make(b: Builder, *values: Value) -> Values:
        count = b.maximum(b.cast(values[0], i64), 0)
        found: list[Value] = []
        for leg, carries in zip(op.legs, op.carries(values), strict=True):
            found += counting_loop(b, count, carries, op.constants(values), _step(leg), leg.name)
        return tuple(found)

    return e.compose(make, *operands)


def _step(leg: Graph) -> StepMaker:
    def step(b: Builder, number: Value, state: Sequence[Value], constants: Sequence[Value]) -> Values:
        return b.inline(leg, (*state, *constants))

    return step


LOWER: dict[type[Op], Lower] = {ops.Sweeps: _sweeps}
