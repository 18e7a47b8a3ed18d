"""Rules for contractions."""

from __future__ import annotations

from dataclasses import replace

from rosin.ir.op import Value
from rosin.ir.ops.cast import Cast
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.movement import Transpose
from rosin.ir.types import TensorType
from rosin.passes.rewrite import Rewriter


def dot_of_transposed(b: Rewriter, op: DotGeneral, lhs: Value, rhs: Value) -> Value | None:
    """dot(transpose(x), y) → dot(x, y) with other axes, as long as x has its free axes in the same order; rhs alike."""
    for side, value in (("lhs", lhs), ("rhs", rhs)):
        found = b.made_by(value, Transpose)
        if found is None:
            continue
        move, (source,) = found
        contract, batch = (op.lhs_contract, op.lhs_batch) if side == "lhs" else (op.rhs_contract, op.rhs_batch)
        free = [move.permutation[axis] for axis in range(value.type.rank) if axis not in (*contract, *batch)]
        if free != sorted(free):
            continue
        axes = {
            f"{side}_contract": tuple(move.permutation[axis] for axis in contract),
            f"{side}_batch": tuple(move.permutation[axis] for axis in batch),
        }
        return b.node(replace(op, **axes), *((source, rhs) if side == "lhs" else (lhs, source)))[0]
    return None


def dot_of_widened(b: Rewriter, op: DotGeneral, lhs: Value, rhs: Value) -> Value | None:
    """A contraction of integers that were narrower → one of those, with the same result: there products are as wide."""
    x, y = b.operand_of(lhs, Cast), b.operand_of(rhs, Cast)
    if x is None or y is None or x.type.dtype != y.type.dtype or op.dtype.kind not in ("int", "uint"):
        return None
    narrow, wide = x.type.dtype, lhs.type.dtype
    if narrow.kind != wide.kind or narrow.bits >= wide.bits:
        return None
    return b.node(op, x, y)[0]


def dot_of_one_term(b: Rewriter, op: DotGeneral, lhs: Value, rhs: Value) -> Value | None:
    """A contraction of axes of size 1, or of none → a product, and + 0.0, since a sum of -0.0 alone is +0.0.

    Not of complex numbers: each of their products is a sum itself, and rounds otherwise in a contraction.
    """
    if lhs.type.dtype.is_complex or any(lhs.type.shape[axis] != 1 for axis in op.lhs_contract):
        return None
    (result,) = op.type(lhs.type, rhs.type)
    batch = len(op.lhs_batch)
    free = lhs.type.rank - batch - len(op.lhs_contract)
    left = tuple(range(batch + free))
    right = (*range(batch), *range(batch + free, result.rank))
    x = _spread(b, lhs, op.lhs_batch, op.lhs_contract, result, left)
    y = _spread(b, rhs, op.rhs_batch, op.rhs_contract, result, right)
    product = b.mul(x, y)
    return b.add(product, 0.0) if result.dtype.is_float else product


def _spread(
    b: Rewriter, x: Value, batch: tuple[int, ...], contract: tuple[int, ...], result: TensorType, axes: tuple[int, ...]
) -> Value:
    """One side of the product at the result's type; `axes` are those of the result that it has."""
    order = (*batch, *(axis for axis in range(x.type.rank) if axis not in (*batch, *contract)))
    moved = b.transpose(x, (*order, *contract))
    flat = b.reshape(moved, tuple(x.type.shape[axis] for axis in order))
    return b.broadcast(b.cast(flat, result.dtype), result.shape, axes)
