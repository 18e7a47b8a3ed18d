"""Rules for ops that move elements: movements that do nothing, cancel, or come to one."""

from __future__ import annotations

from dataclasses import replace

from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.op import Value
from rosin.ir.ops.cumulative import Cumulative
from rosin.ir.ops.movement import Broadcast, Concatenate, Pad, Reshape, Reverse, Slice, Transpose
from rosin.passes.rewrite import Rewriter


def _numbers(*groups: tuple[Dim, ...]) -> list[tuple[int, ...]] | None:
    """The sizes as numbers, or None when one is symbolic."""
    if not all(map(dims.is_static, groups)):
        return None
    return [dims.static(group, "a rule") for group in groups]


# -- reshape ---------------------------------------------------------------------------------------------------


def reshape_to_same(b: Rewriter, op: Reshape, x: Value) -> Value | None:
    """A reshape to the shape it has → x"""
    return x if x.type.shape == op.shape else None


def reshape_twice(b: Rewriter, op: Reshape, x: Value) -> Value | None:
    """A reshape of a reshape → one reshape"""
    source = b.operand_of(x, Reshape)
    return None if source is None else b.reshape(source, op.shape)


def reshape_of_scalar(b: Rewriter, op: Reshape, x: Value) -> Value | None:
    """A reshape of a broadcast of one number → a broadcast of it"""
    source = b.operand_of(x, Broadcast)
    return b.broadcast(source, op.shape, ()) if source is not None and source.type.rank == 0 else None


# -- transpose -------------------------------------------------------------------------------------------------


def transpose_in_order(b: Rewriter, op: Transpose, x: Value) -> Value | None:
    """A transpose that keeps the order of the axes longer than 1 → x, or a reshape"""
    moved = [axis for axis in op.permutation if x.type.shape[axis] != 1]
    if moved != sorted(moved):
        return None
    return b.reshape(x, tuple(x.type.shape[axis] for axis in op.permutation))


def transpose_twice(b: Rewriter, op: Transpose, x: Value) -> Value | None:
    """A transpose of a transpose → one transpose"""
    found = b.made_by(x, Transpose)
    if found is None:
        return None
    first, (source,) = found
    return b.transpose(source, tuple(first.permutation[axis] for axis in op.permutation))


def transpose_of_broadcast(b: Rewriter, op: Transpose, x: Value) -> Value | None:
    """A transpose of a broadcast → a broadcast of a transpose, of fewer elements"""
    found = b.made_by(x, Broadcast)
    if found is None:
        return None
    broadcast, (source,) = found
    # Where in the result each axis of the source comes to lie.
    targets = [op.permutation.index(axis) for axis in broadcast.axes]
    order = tuple(sorted(range(len(targets)), key=targets.__getitem__))
    shape = tuple(broadcast.shape[axis] for axis in op.permutation)
    return b.broadcast(b.transpose(source, order), shape, tuple(sorted(targets)))


# -- broadcast -------------------------------------------------------------------------------------------------


def broadcast_to_same(b: Rewriter, op: Broadcast, x: Value) -> Value | None:
    """A broadcast along no new axis → x"""
    return x if x.type.rank == len(op.shape) else None


def broadcast_twice(b: Rewriter, op: Broadcast, x: Value) -> Value | None:
    """A broadcast of a broadcast → one broadcast"""
    found = b.made_by(x, Broadcast)
    if found is None:
        return None
    inner, (source,) = found
    return b.broadcast(source, op.shape, tuple(op.axes[axis] for axis in inner.axes))


def broadcast_of_reshape(b: Rewriter, op: Broadcast, x: Value) -> Value | None:
    """A broadcast of a reshape that only puts in axes of size 1 → one broadcast"""
    source = b.operand_of(x, Reshape)
    if source is None or source.type.rank >= x.type.rank:
        return None
    axes: list[int] = []
    for axis, size in enumerate(x.type.shape):
        if len(axes) < source.type.rank and size == source.type.shape[len(axes)]:
            axes.append(axis)
        elif size != 1:
            return None
    if len(axes) < source.type.rank:
        return None
    return b.broadcast(source, op.shape, tuple(op.axes[axis] for axis in axes))


# -- slice -----------------------------------------------------------------------------------------------------


def slice_of_all(b: Rewriter, op: Slice, x: Value) -> Value | None:
    """A slice of everything → x"""
    everything = all(start == 0 for start in op.starts) and op.limits == x.type.shape
    return x if everything and all(step == 1 for step in op.steps) else None


def slice_twice(b: Rewriter, op: Slice, x: Value) -> Value | None:
    """A slice of a slice → one slice"""
    found = b.made_by(x, Slice)
    numbers = None if found is None else _numbers(op.starts, op.limits, found[0].starts, found[0].limits)
    if found is None or numbers is None:
        return None
    inner, (source,) = found
    outer_starts, outer_limits, inner_starts, _ = numbers
    starts: list[int] = []
    limits: list[int] = []
    for axis, (start, limit) in enumerate(zip(outer_starts, outer_limits, strict=True)):
        step = inner.steps[axis]
        starts.append(inner_starts[axis] + start * step)
        limits.append(starts[-1] + max((limit - start - 1) * step + 1, 0))
    steps = tuple(x * y for x, y in zip(inner.steps, op.steps, strict=True))
    if any(start > size for start, size in zip(starts, source.type.sizes, strict=True)):
        return None  # an empty slice past the last step
    return b.slice(source, tuple(starts), tuple(limits), steps)


def slice_of_pad(b: Rewriter, op: Slice, x: Value) -> Value | None:
    """A slice that meets only the padded operand → a slice of that, and one that meets only padding → the padding"""
    found = b.made_by(x, Pad)
    numbers = None if found is None else _numbers(op.starts, op.limits, found[0].low, found[1][0].type.shape)
    if found is None or numbers is None:
        return None
    pad, (source, value) = found
    starts, limits, lows, sizes = numbers
    new: list[tuple[int, int, int]] = []
    for axis, (start, limit, low, size) in enumerate(zip(starts, limits, lows, sizes, strict=True)):
        gap, step = pad.interior[axis] + 1, op.steps[axis]
        if limit == start:
            return None
        if start >= low + (size - 1) * gap + 1 or limit <= low:
            shape = tuple(-(-(e - s) // t) for s, e, t in zip(starts, limits, op.steps, strict=True))
            return b.broadcast(value, shape, ())
        last = start + (limit - start - 1) // step * step
        if start < low or last > low + (size - 1) * gap or step % gap or (start - low) % gap:
            return None
        new.append(((start - low) // gap, (last - low) // gap + 1, step // gap))
    return b.slice(source, tuple(s for s, _, _ in new), tuple(e for _, e, _ in new), tuple(t for _, _, t in new))


def slice_of_concatenate(b: Rewriter, op: Slice, x: Value) -> Value | None:
    """A slice that meets one part of a concatenation → a slice of that part"""
    found = b.made_by(x, Concatenate)
    if found is None:
        return None
    axis = found[0].axis
    numbers = _numbers(op.starts, op.limits, tuple(part.type.shape[axis] for part in found[1]))
    if numbers is None:
        return None
    (starts, limits, sizes), begin = numbers, 0
    for part, size in zip(found[1], sizes, strict=True):
        if begin <= starts[axis] < limits[axis] <= begin + size:
            start = tuple(n - begin if i == axis else n for i, n in enumerate(starts))
            limit = tuple(n - begin if i == axis else n for i, n in enumerate(limits))
            return b.slice(part, start, limit, op.steps)
        begin += size
    return None


def slice_of_broadcast(b: Rewriter, op: Slice, x: Value) -> Value | None:
    """A slice of a broadcast → a broadcast of a slice"""
    found = b.made_by(x, Broadcast)
    if found is None:
        return None
    broadcast, (source,) = found
    (shape,) = (t.shape for t in op.type(x.type))
    starts = tuple(op.starts[axis] for axis in broadcast.axes)
    limits = tuple(op.limits[axis] for axis in broadcast.axes)
    part = b.slice(source, starts, limits, tuple(op.steps[axis] for axis in broadcast.axes))
    return b.broadcast(part, shape, broadcast.axes)


# -- pad -------------------------------------------------------------------------------------------------------


def pad_by_nothing(b: Rewriter, op: Pad, x: Value, value: Value) -> Value | None:
    """A pad by nothing → x"""
    nothing = all(n == 0 for n in (*op.low, *op.high))
    gaps = any(gap and x.type.shape[axis] not in (0, 1) for axis, gap in enumerate(op.interior))
    return x if nothing and not gaps else None


def pad_that_cuts(b: Rewriter, op: Pad, x: Value, value: Value) -> Value | None:
    """A pad that only cuts elements off → a slice"""
    numbers = _numbers(op.low, op.high, x.type.shape)
    if numbers is None or any(op.interior):
        return None
    low, high, sizes = numbers
    if max((*low, *high), default=0) > 0:
        return None
    limits = tuple(size + n for size, n in zip(sizes, high, strict=True))
    starts = tuple(-n for n in low)
    if any(start > limit for start, limit in zip(starts, limits, strict=True)):
        return None
    return b.slice(x, starts, limits, (1,) * len(sizes))


def pad_of_padding(b: Rewriter, op: Pad, x: Value, value: Value) -> Value | None:
    """A pad, with some number, of a splat of that number → a splat"""
    inner, outer = b.splat(x), b.splat(value)
    if inner is None or outer is None or inner.array.tobytes() != outer.array.tobytes():
        return None
    return b.broadcast(value, op.type(x.type, value.type)[0].shape, ())


def pad_twice(b: Rewriter, op: Pad, x: Value, value: Value) -> Value | None:
    """A pad of a pad with the same number → one pad, unless the outer one puts back what the inner one cut off"""
    found = b.made_by(x, Pad)
    if found is None or any(op.interior):
        return None
    inner, (source, inner_value) = found
    if inner_value is not value and (b.splat(value) is None or b.splat(value) != b.splat(inner_value)):
        return None
    numbers = _numbers(inner.low, inner.high, op.low, op.high)
    if numbers is None:
        return None
    low, high, outer_low, outer_high = numbers
    for first, second in zip((*low, *high), (*outer_low, *outer_high), strict=True):
        if first < 0 < second:
            return None
    if any(n < 0 for n in (*outer_low, *outer_high)) and 0 in x.type.shape:
        return None
    both_low = tuple(p + q for p, q in zip(low, outer_low, strict=True))
    both_high = tuple(p + q for p, q in zip(high, outer_high, strict=True))
    return b.node(Pad(both_low, both_high, inner.interior), source, value)[0]


# -- concatenate and reverse -----------------------------------------------------------------------------------


def concatenate_some(b: Rewriter, op: Concatenate, *parts: Value) -> Value | None:
    """A concatenation without its empty parts; of one part → the part"""
    full = [part for part in parts if part.type.shape[op.axis] != 0] or [parts[0]]
    if len(full) == 1:
        return full[0]
    return b.concatenate(full, op.axis) if len(full) < len(parts) else None


def concatenate_twice(b: Rewriter, op: Concatenate, *parts: Value) -> Value | None:
    """A concatenation of concatenations along the same axis → one"""
    flat: list[Value] = []
    for part in parts:
        found = b.made_by(part, Concatenate)
        flat.extend(found[1] if found is not None and found[0].axis == op.axis else (part,))
    return b.concatenate(flat, op.axis) if len(flat) > len(parts) else None


def concatenate_slices(b: Rewriter, op: Concatenate, *parts: Value) -> Value | None:
    """Slices of one value that meet end to start, concatenated → one slice"""
    joined: list[Value] = [parts[0]]
    for part in parts[1:]:
        whole = _joined(b, op.axis, joined[-1], part)
        if whole is None:
            joined.append(part)
        else:
            joined[-1] = whole
    return b.concatenate(joined, op.axis) if len(joined) < len(parts) else None


def _joined(b: Rewriter, axis: int, left: Value, right: Value) -> Value | None:
    first, second = b.made_by(left, Slice), b.made_by(right, Slice)
    if first is None or second is None or first[1] != second[1]:
        return None
    one, other = first[0], second[0]
    meet = one.limits[axis] == other.starts[axis] and one.steps[axis] == other.steps[axis] == 1
    bounds = (zip(s.starts, s.limits, s.steps, strict=True) for s in (one, other))
    if not meet or any(i != axis and x != y for i, (x, y) in enumerate(zip(*bounds, strict=True))):
        return None
    limits = tuple(other.limits[i] if i == axis else limit for i, limit in enumerate(one.limits))
    return b.slice(first[1][0], one.starts, limits, one.steps)


def reverse_short(b: Rewriter, op: Reverse, x: Value) -> Value | None:
    """A reverse without the axes of at most one element"""
    axes = tuple(axis for axis in op.axes if x.type.shape[axis] not in (0, 1))
    return b.reverse(x, axes) if len(axes) < len(op.axes) else None


def reverse_twice(b: Rewriter, op: Reverse, x: Value) -> Value | None:
    """A reverse of a reverse → x, or one reverse"""
    found = b.made_by(x, Reverse)
    if found is None:
        return None
    return b.reverse(found[1][0], tuple(sorted(set(found[0].axes) ^ set(op.axes))))


def reverse_of_broadcast(b: Rewriter, op: Reverse, x: Value) -> Value | None:
    """A reverse of a broadcast → a broadcast of a reverse"""
    found = b.made_by(x, Broadcast)
    if found is None:
        return None
    broadcast, (source,) = found
    axes = tuple(axis for axis, target in enumerate(broadcast.axes) if target in op.axes)
    return b.broadcast(b.reverse(source, axes), broadcast.shape, broadcast.axes)


def reverse_of_running(b: Rewriter, op: Reverse, x: Value) -> Value | None:
    """A reverse of what runs along a reverse → what runs the other way"""
    found = b.made_by(x, Cumulative)
    if found is None or not b.is_used_once(x):
        return None
    running, operands = found
    sources = [made[1][0] for y in operands if (made := b.made_by(y, Reverse)) and made[0].axes == op.axes]
    if len(sources) < len(operands):
        return None
    turned = replace(running, reverse=running.reverse != (running.axis in op.axes))
    return b.node(turned, *sources)[0]
