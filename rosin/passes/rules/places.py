"""Rules for arrays that are read and written at places that the program computes."""

from __future__ import annotations

from dataclasses import replace

from rosin.ir import dtypes, facts
from rosin.ir.literal import Literal
from rosin.ir.op import Elementwise, Value
from rosin.ir.ops.arithmetic import Clamp
from rosin.ir.ops.cast import Cast
from rosin.ir.ops.index import Gather, Indexed
from rosin.ir.ops.logic import Less
from rosin.ir.ops.movement import Broadcast, Concatenate, Constant, Iota, Reshape
from rosin.ir.ops.scatter import ScatterAdd, ScatterSet
from rosin.passes.rewrite import Rewriter

FEWER = 4
"""A gather goes before elementwise work where that has to be done for so many times fewer elements then."""

MOST_OPS = 12
"""Longer chains of elementwise work stay as they are."""


def counted(b: Rewriter, value: Value) -> int | None:
    """The axis along which the elements are 0, 1, 2, …, the same along all others; None where they are not."""
    dtype = value.type.dtype
    iota = b.made_by(value, Iota)
    if iota is not None:
        axis = iota[0].axis
    elif (cast := b.made_by(value, Cast)) is not None:
        axis = counted(b, cast[1][0])
    elif (broadcast := b.made_by(value, Broadcast)) is not None:
        source = counted(b, broadcast[1][0])
        axis = None if source is None else broadcast[0].axes[source]
    elif (reshape := b.made_by(value, Reshape)) is not None:
        axis = _reshaped(reshape[1][0], value, counted(b, reshape[1][0]))
    else:
        return None
    if axis is None or not dtype.is_integer:
        return None
    return axis if facts.known_at_least(int(dtype.highest) + 1, value.type.shape[axis]) else None


def _reshaped(source: Value, target: Value, axis: int | None) -> int | None:
    """Where an axis is after axes of size 1 have come and gone."""
    before, after = ([a for a, n in enumerate(v.type.shape) if n != 1] for v in (source, target))
    same = [source.type.shape[a] for a in before] == [target.type.shape[a] for a in after]
    return after[before.index(axis)] if same and axis in before else None


def count_below_zero(b: Rewriter, op: Less, x: Value, y: Value) -> Value | None:
    """count < 0 → false, where x counts 0, 1, 2, …"""
    if not b.is_all(y, 0) or counted(b, x) is None:
        return None
    return b.full(False, x.type.with_dtype(dtypes.bool_))


def place_that_counts(b: Rewriter, op: Indexed, x: Value, index: Value, *updates: Value) -> Value | None:
    """x[count, i] → x[i] for each example of a batch, where the component of the index counts along the whole axis"""
    joined = b.made_by(index, Concatenate)
    if joined is None or joined[0].axis != op.index_vector_dim:
        return None
    parts = joined[1]
    if len(parts) != len(op.start_index_map) or len(parts) == 1:
        return None
    for component, (part, axis) in enumerate(zip(parts, op.start_index_map, strict=True)):
        line = counted(b, part)
        known = line is None or line == op.index_vector_dim or line in op.start_indices_batching_dims
        if known or axis not in op.collapsed_slice_dims or part.type.shape[line or 0] != x.type.shape[axis]:
            continue
        pairs = zip(op.operand_batching_dims, op.start_indices_batching_dims, strict=True)
        ours, theirs = zip(*sorted([*pairs, (axis, line)]), strict=True)
        batched = replace(
            op,
            collapsed_slice_dims=tuple(a for a in op.collapsed_slice_dims if a != axis),
            operand_batching_dims=ours,
            start_indices_batching_dims=theirs,
            start_index_map=tuple(a for a in op.start_index_map if a != axis),
        )
        others = [p for k, p in enumerate(parts) if k != component]
        rest = others[0] if len(others) == 1 else b.concatenate(others, op.index_vector_dim)
        return b.node(batched, x, rest, *updates)[0]
    return None


def gather_of_elementwise(b: Rewriter, op: Gather, x: Value, index: Value) -> Value | None:
    """gather(f(x, y)) → f(gather(x), gather(y)), where what is gathered is a small part of all"""
    found = b.made_by(x, Elementwise)
    if found is None or found[0].effect or not op.clips:
        return None
    (result,) = op.type(x.type, index.type)
    few = facts.known_at_least(x.type.size, FEWER * result.size) and not facts.known_at_least(0, x.type.size)
    if not few or _ops_above(b, x, MOST_OPS) > MOST_OPS:
        return None
    return b.node(found[0], *(_gathered(b, op, v, index) for v in found[1]))[0]


def _ops_above(b: Rewriter, value: Value, most: int) -> int:
    """The elementwise ops that a value is made by, one after the other; more than `most` count as one more."""
    found = b.made_by(value, Elementwise)
    if found is None or most < 0:
        return 0
    total = 1
    for operand in found[1]:
        total += _ops_above(b, operand, most - total)
    return total


def _gathered(b: Rewriter, op: Gather, value: Value, index: Value) -> Value:
    """What a gather takes of an operand."""
    (result,) = op.type(value.type, index.type)
    constant = b.splat(value)
    if constant is not None:
        return b.node(Constant(Literal(result, constant.array)))[0]
    return b.node(op, value, index)[0]


def gather_of_broadcast(b: Rewriter, op: Gather, x: Value, index: Value) -> Value | None:
    """gather(broadcast(x)) → broadcast(x), where x is the same along the axes that are indexed"""
    found = b.made_by(x, Broadcast)
    if found is None or not op.clips:
        return None
    axes = [_axis_after(op, x, index, axis) for axis in found[0].axes]
    kept = [axis for axis in axes if axis is not None]
    if len(kept) < len(axes) or kept != sorted(kept):
        return None
    (result,) = op.type(x.type, index.type)
    return b.broadcast(found[1][0], result.shape, tuple(kept))


def _axis_after(op: Gather, value: Value, index: Value, axis: int) -> int | None:
    """The axis of a gather's result along which its elements have the same place as along an axis of its operand."""
    if axis in op.operand_batching_dims:
        line = op.start_indices_batching_dims[op.operand_batching_dims.index(axis)]
        rank = index.type.rank - (op.index_vector_dim < index.type.rank) + len(op.offset_dims)
        others = [a for a in range(rank) if a not in op.offset_dims]
        return others[line - (line > op.index_vector_dim)]
    spanned = op.spanned(value.type.rank)
    whole = axis in spanned and axis not in op.start_index_map and op.slice_sizes[axis] == value.type.shape[axis]
    return op.offset_dims[spanned.index(axis)] if whole else None


def one_place_a_row(b: Rewriter, op: ScatterAdd | ScatterSet, x: Value, index: Value, updates: Value) -> Value | None:
    """A scatter of one element to each row of equal numbers → select(axis == place, x + update, x)"""
    if b.splat(x) is None or len(op.start_index_map) != 1 or op.offset_dims:
        return None
    (axis,), rows = op.start_index_map, op.operand_batching_dims
    lines = [line for line in range(index.type.rank) if line != op.index_vector_dim]
    single = all(index.type.shape[line] == 1 for line in lines if line not in op.start_indices_batching_dims)
    extent = x.type.shape[axis]
    if not single or {axis, *rows} != set(range(x.type.rank)) or not isinstance(extent, int) or extent < 1:
        return None
    if extent > dtypes.i32.highest:
        return None

    def spread(value: Value, removed: int) -> Value:
        """A number for each row, at the shape of the array."""
        order = [line - (line > removed) for line in op.start_indices_batching_dims]
        order += [line for line in range(value.type.rank) if line not in order]
        value = b.reshape(b.transpose(value, tuple(order)), tuple(x.type.shape[row] for row in rows))
        return b.broadcast(value, x.type.shape, rows)

    ((part, _, room),) = op.indexed(b, (x, index, updates))
    assert isinstance(room, int)
    low, high = op.span(part.type.dtype, room)
    place = b.cast(b.node(Clamp(), b.like(low, part), part, b.like(high, part))[0], dtypes.i32)
    hit = b.equal(b.iota(x.type.with_dtype(dtypes.i32), axis), spread(place, index.type.rank))
    update = spread(updates, op.index_vector_dim)
    return b.select(hit, b.add(x, update) if isinstance(op, ScatterAdd) else update, x)
