"""Where a mask holds."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i64
from rosin.ir.op import Op, Types, Value
from rosin.ir.ops import measure as ops
from rosin.ir.ops.index import Numbers


def _nonzero(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """Each place goes to where as many others hold before it."""
    assert isinstance(op, ops.Nonzero)
    (mask,), result = operands, results[0]
    length, axis = mask.shape[-1], len(mask.shape) - 1
    if 0 in mask.shape or 0 in result.sizes:
        return (e.constant(length, result),)

    def make(b: Builder, mask: Value) -> Value:
        rank = b.sub(b.cumsum(b.cast(mask, i64), axis), 1)
        target = b.select(mask, rank, b.like(result.sizes[-1], rank))
        places = b.iota(result.with_shape(mask.type.shape), axis)
        others = tuple(range(axis))
        numbers = Numbers((), (axis,), others, others, (axis,), axis + 1)
        return b.scatter("set", b.full(length, result), target, places, numbers, "drop", unique=True)

    return e.compose(make, mask)


LOWER: dict[type[Op], Lower] = {ops.Nonzero: _nonzero}
