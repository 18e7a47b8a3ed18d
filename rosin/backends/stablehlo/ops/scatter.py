"""Writing at places that the program computes.

On a CPU updates of one place come in order, as they do elsewhere. A TPU promises no order, which shows in the last
digits of sums, and in which of several updates stays.
"""

from __future__ import annotations

from functools import partial

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.backends.stablehlo.ops.index import clipped, signed
from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i32
from rosin.ir.op import Op, Types, Value
from rosin.ir.ops import scatter as ops
from rosin.ir.ops.index import Numbers
from rosin.ir.types import TensorType

COMBINE: dict[type[Op], str] = {
    ops.ScatterAdd: "add",
    ops.ScatterMul: "multiply",
    ops.ScatterMin: "minimum",
    ops.ScatterMax: "maximum",
}


def _scatter(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Scatter)
    x, index, updates = operands
    if 0 in updates.shape or 0 in x.shape:
        return (x,)
    if not x.shape:
        return e.compose(partial(_into_scalar, op), x, updates)
    index = signed(e, index)
    if op.clips and op.start_index_map:
        sizes = dims.static(op.slice_sizes(x.type, updates.type), op.name)
        index = clipped(e, op, index, x.type, sizes)
    numbers = (
        f"update_window_dims = {list(op.offset_dims)}, inserted_window_dims = {list(op.collapsed_slice_dims)}, "
        f"input_batching_dims = {list(op.operand_batching_dims)}, "
        f"scatter_indices_batching_dims = {list(op.start_indices_batching_dims)}, "
        f"scatter_dims_to_operand_dims = {list(op.start_index_map)}, index_vector_dim = {op.index_vector_dim}"
    )
    unique = "true" if op.unique else "false"
    return e.call(
        "stablehlo.scatter",
        (x, index, updates),
        *results,
        attributes=f"scatter_dimension_numbers = #stablehlo.scatter<{numbers}>, unique_indices = {unique}",
        regions=(_update(e, op, TensorType(x.dtype)),),
    )


def _into_scalar(op: ops.Scatter, b: Builder, x: Value, updates: Value) -> Value:
    """Updates of a single number are those of the one element of an array: XLA has trouble with arrays of no axes."""
    one = b.reshape(x, (1,))
    numbers = Numbers((), (0,), (), (), (0,), updates.type.rank)
    places = b.zeros(TensorType(i32, updates.type.shape))
    found = b.scatter(op.kind, one, places, updates, numbers, "drop", unique=op.unique)
    return b.reshape(found, ())


def _update(e: Emitter, op: ops.Scatter, scalar: TensorType) -> str:
    """What becomes of an element that an update goes to."""
    old, new = e.inputs((scalar, scalar), ("old", "new"))

    def body() -> list[Ref]:
        name = COMBINE.get(type(op))
        return [new if name is None else e.one(f"stablehlo.{name}", old, new)]

    return e.region((old, new), body)


LOWER: dict[type[Op], Lower] = dict.fromkeys((ops.ScatterSet, *COMBINE), _scatter)
