"""Rules for slices at places that are known only when the program runs, when they are known before."""

from __future__ import annotations

from rosin.ir import dims
from rosin.ir.op import Value
from rosin.ir.ops.index import DynamicSlice, DynamicUpdateSlice
from rosin.passes.rewrite import Rewriter


def slice_of_whole(b: Rewriter, op: DynamicSlice, x: Value, *starts: Value) -> Value | None:
    """A dynamic slice as large as its operand → the operand, since starts are clamped"""
    return x if op.sizes == x.type.shape else None


def slice_at_constants(b: Rewriter, op: DynamicSlice, x: Value, *starts: Value) -> Value | None:
    """A dynamic slice that starts at constants → a slice"""
    if not dims.is_static((*op.sizes, *x.type.shape)):
        return None
    begin: list[int] = []
    limits: list[int] = []
    for start, size, whole in zip(starts, dims.static(op.sizes, op.name), x.type.sizes, strict=True):
        constant = b.splat(start)
        if constant is None:
            return None
        begin.append(min(max(constant.scalar, 0), whole - size))
        limits.append(begin[-1] + size)
    return b.slice(x, tuple(begin), tuple(limits), (1,) * len(begin))


def update_of_whole(b: Rewriter, op: DynamicUpdateSlice, x: Value, part: Value, *starts: Value) -> Value | None:
    """A part as large as the array that it is put into → the part, since starts are clamped"""
    return part if part.type.shape == x.type.shape else None
