"""Running combinations: StableHLO has none, so distances of 1, 2, 4, … are combined one after the other.

That is the parallel prefix of Hillis and Steele, "Data parallel algorithms" (1986): as many steps as the length has
binary digits, each elementwise.
"""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.ir.loops import Local
from rosin.ir.op import Op, Running, Types
from rosin.ir.ops import cumulative as ops
from rosin.ir.types import TensorType


def _running(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, Running)
    types, shape = tuple(x.type for x in operands), results[0].sizes
    if 0 in shape:
        return (e.constant(0, results[0]),)
    axis, backward = op.line(types)
    monoid = op.monoid(types)
    carry = monoid.carry("part")
    elements = [Local(f"element_{i}", x.dtype) for i, x in enumerate(operands)]
    given = dict(zip(elements, operands, strict=True))
    values = e.expressions(op.term(*elements), given, shape)
    distance = 1
    while distance < shape[axis]:
        earlier = [
            _shifted(e, x, axis, distance, backward, c.value) for x, c in zip(values, monoid.identity, strict=True)
        ]
        known = dict(zip((*carry.left, *carry.right), (*earlier, *values), strict=True))
        values = e.expressions(carry.combine, known, shape)
        distance *= 2
    finals = [Local(f"total_{i}", x.dtype) for i, x in enumerate(values)]
    return (e.expression(op.finish(tuple(finals), types), dict(zip(finals, values, strict=True)), shape),)


def _shifted(e: Emitter, x: Ref, axis: int, distance: int, backward: bool, fill: complex) -> Ref:
    """Each element's predecessor at a distance, in the direction of the line; `fill` where there is none."""
    ahead = [distance if i == axis else 0 for i in range(len(x.shape))]
    behind = [-n for n in ahead]
    low, high = (behind, ahead) if backward else (ahead, behind)
    amounts = f", low = {low}, high = {high}, interior = {[0] * len(low)}"
    neutral = e.constant(fill, TensorType(x.dtype))
    return e.one("stablehlo.pad", x, neutral, result=x.type, attributes=amounts)


LOWER: dict[type[Op], Lower] = dict.fromkeys(
    (ops.CumSum, ops.CumProd, ops.CumMax, ops.CumMin, ops.CumLogSumExp, ops.LinearRecurrence), _running
)
