"""Reductions over axes, and places of extremes."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, integers, widened
from rosin.ir.op import Fold, Monoid, Op, Types
from rosin.ir.ops import reduce as ops
from rosin.ir.types import TensorType

COMBINE: dict[type[Op], str] = {
    ops.Sum: "add",
    ops.Prod: "multiply",
    ops.Max: "maximum",
    ops.Min: "minimum",
    ops.Any_: "or",
    ops.All: "and",
}


def _reduction(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Reduction)
    (x,) = operands
    if not op.axes:
        return operands
    (identity,) = op.monoid((x.type,)).identity
    start = e.constant(identity.value, TensorType(x.dtype))
    combine = f"applies stablehlo.{COMBINE[type(op)]} across dimensions = {list(op.axes)}"
    return e.written(f"stablehlo.reduce({x.name} init: {start.name}) {combine}", (x, start), *results)


def combiner(e: Emitter, monoid: Monoid) -> str:
    """A region that combines partial results, each a scalar."""
    carry = monoid.carry("part")
    locals = (*carry.left, *carry.right)
    inputs = e.inputs([TensorType(v.dtype) for v in locals], [v.name for v in locals])
    known = dict(zip(locals, inputs, strict=True))
    return e.region(inputs, lambda: e.expressions(carry.combine, known, ()))


def identities(e: Emitter, monoid: Monoid) -> list[Ref]:
    return [e.constant(part.value, TensorType(part.dtype)) for part in monoid.identity]


def reduced(e: Emitter, op: Fold, terms: Sequence[Ref], axes: Sequence[int], types: Types) -> Refs:
    """Several arrays, combined together over axes by the monoid of an op on operands of some types."""
    shape = tuple(size for axis, size in enumerate(terms[0].shape) if axis not in axes)
    monoid = op.monoid(types)
    return e.call(
        "stablehlo.reduce",
        (*terms, *identities(e, monoid)),
        *(x.type.with_shape(shape) for x in terms),
        attributes=f"dimensions = {integers(axes)}",
        regions=(combiner(e, monoid),),
    )


def _arg_extremum(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.ArgExtremum)
    (x,) = operands
    place = op.monoid((x.type,)).identity[1].dtype
    (places,) = e.op("stablehlo.iota", (), TensorType(place, x.shape), attributes=f"dim = {op.axis}")
    _, found = reduced(e, op, (x, places), (op.axis,), (x.type,))
    return (e.convert(found, results[0].dtype),)


LOWER: dict[type[Op], Lower] = {
    **dict.fromkeys(COMBINE, widened(_reduction)),
    ops.ArgMax: widened(_arg_extremum),
    ops.ArgMin: widened(_arg_extremum),
}
