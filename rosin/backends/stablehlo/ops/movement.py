"""Constants, and elements at other places."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir import dims
from rosin.ir.op import Op, Types
from rosin.ir.ops import movement as ops


def _constant(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Constant)
    return (e.constant(op.value.array, op.value.type),)


def _iota(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Iota)
    return e.op("stablehlo.iota", (), op.result, attributes=f"dim = {op.axis}")


def _dimension(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Dimension)
    return (e.constant(dims.static((op.size,), op.name)[0], results[0]),)


def _reshape(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    return (e.reshape(operands[0], results[0].sizes),)


def _transpose(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Transpose)
    return (e.transpose(operands[0], op.permutation),)


def _broadcast(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Broadcast)
    return (e.broadcast(operands[0], results[0].sizes, op.axes),)


def _slice(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Slice)
    parts = [f"{a}:{b}" + (f":{s}" if s != 1 else "") for a, b, s in zip(op.starts, op.limits, op.steps, strict=True)]
    return e.op("stablehlo.slice", operands, *results, attributes=f" [{', '.join(parts)}]")


def _pad(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Pad)
    amounts = f", low = {list(op.low)}, high = {list(op.high)}, interior = {list(op.interior)}"
    return e.op("stablehlo.pad", operands, *results, attributes=amounts)


def _concatenate(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Concatenate)
    if len(operands) == 1:
        return operands
    return e.op("stablehlo.concatenate", operands, *results, attributes=f", dim = {op.axis}")


def _reverse(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Reverse)
    return e.op("stablehlo.reverse", operands, *results, attributes=f", dims = {list(op.axes)}")


LOWER: dict[type[Op], Lower] = {
    ops.Constant: _constant,
    ops.Iota: _iota,
    ops.Dimension: _dimension,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Broadcast: _broadcast,
    ops.Slice: _slice,
    ops.Pad: _pad,
    ops.Concatenate: _concatenate,
    ops.Reverse: _reverse,
}
