"""Reading at places that the program computes. The dimension numbers are those of StableHLO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs, integers
from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dtypes import i32, i64, u64
from rosin.ir.op import Op, Types, Value
from rosin.ir.ops import index as ops
from rosin.ir.types import TensorType


def signed(e: Emitter, index: Ref) -> Ref:
    """Indices as i32 or i64, where XLA compares them with sizes: numbers beyond stay beyond."""
    if index.dtype == u64:
        index = e.one("stablehlo.minimum", index, e.like(int(i64.highest), index))
    return e.convert(index, i32 if index.dtype.bits < 32 or index.dtype == i32 else i64)


def _along(e: Emitter, op: ops.Indexed, numbers: Sequence[int], index: Ref) -> Ref:
    """A number for each component of an index, at the shape of the indices."""
    if op.index_vector_dim == len(index.shape):
        return e.like(numbers[0], index)
    row = e.constant(np.array(numbers), TensorType(index.dtype, (len(numbers),)))
    return e.broadcast(row, index.shape, (op.index_vector_dim,))


def _rooms(op: ops.Indexed, x: TensorType, sizes: Sequence[int]) -> list[int]:
    """The greatest start of a slice, for each component of an index."""
    return [x.sizes[axis] - sizes[axis] for axis in op.start_index_map]


def clipped(e: Emitter, op: ops.Indexed, index: Ref, x: TensorType, sizes: Sequence[int]) -> Ref:
    """Indices moved to where slices of some sizes lie within the array."""
    room = _along(e, op, _rooms(op, x, sizes), index)
    return e.one("stablehlo.minimum", e.one("stablehlo.maximum", index, e.like(0, index)), room)


def _inside(e: Emitter, op: ops.Indexed, index: Ref, x: TensorType, sizes: Sequence[int], result: TensorType) -> Ref:
    """Whether the slice that an element of the result is in lies within the array."""
    room = _along(e, op, _rooms(op, x, sizes), index)
    valid = e.both(e.compare("GE", index, e.like(0, index)), e.compare("LE", index, room))
    if op.index_vector_dim < len(index.shape):
        (valid,) = e.compose(partial(_all, op.index_vector_dim), valid)
    batch = [axis for axis in range(result.rank) if axis not in op.offset_dims]
    return e.broadcast(valid, result.sizes, batch)


def _all(axis: int, b: Builder, x: Value) -> Value:
    return b.all(x, (axis,))


def _gather(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Gather)
    x, index = operands
    if 0 in results[0].sizes:
        return (e.constant(0, results[0]),)
    index = signed(e, index)
    sizes = dims.static(op.slice_sizes, op.name)
    numbers = (
        f"offset_dims = {list(op.offset_dims)}, collapsed_slice_dims = {list(op.collapsed_slice_dims)}, "
        f"operand_batching_dims = {list(op.operand_batching_dims)}, "
        f"start_indices_batching_dims = {list(op.start_indices_batching_dims)}, "
        f"start_index_map = {list(op.start_index_map)}, index_vector_dim = {op.index_vector_dim}"
    )
    attributes = f"dimension_numbers = #stablehlo.gather<{numbers}>, slice_sizes = {integers(sizes)}"
    (found,) = e.call("stablehlo.gather", (x, index), *results, attributes=attributes)
    if op.clips or not op.start_index_map:
        return (found,)
    return (e.select(_inside(e, op, index, x.type, sizes, found.type), found, e.like(0, found)),)


def _dynamic_slice(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.DynamicSlice)
    x, *starts = operands
    if not starts:
        return (x,)
    given = (x, *(signed(e, s) for s in starts))
    return e.op("stablehlo.dynamic_slice", given, *results, attributes=f", sizes = {list(op.sizes)}")


def _dynamic_update_slice(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    x, part, *starts = operands
    if not starts:
        return (part,)
    return e.op("stablehlo.dynamic_update_slice", (x, part, *(signed(e, s) for s in starts)), *results)


LOWER: dict[type[Op], Lower] = {
    ops.Gather: _gather,
    ops.DynamicSlice: _dynamic_slice,
    ops.DynamicUpdateSlice: _dynamic_update_slice,
}
