"""Matrix products and convolutions.

A product of f32 is one of f32: the precision is the highest, where a TPU by itself would round factors to bf16. Those
who want that speed have arrays of bf16, whose products are summed in f32 and rounded once.
"""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.dtypes import DType
from rosin.ir.op import Op, Types
from rosin.ir.ops import contract as ops


def _factors(e: Emitter, operands: Refs, dtype: DType) -> tuple[Refs, str]:
    """The operands as they are multiplied, and with which precision. Narrow floats stay: XLA sums them in f32."""
    if not operands[0].dtype.is_float or operands[0].dtype.bits > 16:
        operands = tuple(e.convert(x, dtype) for x in operands)
    single = dtype.is_float or dtype.is_complex
    return operands, "HIGHEST" if single and operands[0].dtype.bits > 16 else "DEFAULT"


def _dot_general(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.DotGeneral)
    (x, y), precision = _factors(e, operands, op.dtype)
    batch = f", batching_dims = {list(op.lhs_batch)} x {list(op.rhs_batch)}" if op.lhs_batch else ""
    contract = f", contracting_dims = {list(op.lhs_contract)} x {list(op.rhs_contract)}"
    wide = results[0].with_dtype(op.dtype.accumulator)
    precisions = f", precision = [{precision}, {precision}]"
    (product,) = e.op("stablehlo.dot_general", (x, y), wide, attributes=batch + contract + precisions)
    return (e.convert(product, op.dtype),)


def _convolution(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Convolution)
    factors, precision = _factors(e, operands, op.dtype)
    wide = results[0].with_dtype(op.dtype.accumulator)
    if 0 in results[0].sizes or 0 in factors[0].shape or 0 in factors[1].shape:
        return (e.constant(0, results[0]),)
    spatial = ", ".join(map(str, range(len(op.strides))))
    layout = ", ".join(["b, f", spatial] if spatial else ["b, f"])
    kernel = ", ".join(["o, i", spatial] if spatial else ["o, i"])
    pads = [list(pair) for pair in zip(op.low, op.high, strict=True)]
    window = f"stride = {list(op.strides)}, pad = {pads}, lhs_dilate = {list(op.lhs_dilation)}"
    window += f", rhs_dilate = {list(op.rhs_dilation)}"
    groups = f"batch_group_count = {op.batch_groups} : i64, feature_group_count = {op.feature_groups} : i64"
    precisions = f"precision_config = [#stablehlo<precision {precision}>, #stablehlo<precision {precision}>]"
    head = f"stablehlo.convolution({factors[0].name}, {factors[1].name})"
    numbers = f"dim_numbers = [{layout}]x[{kernel}]->[{layout}], window = {{{window}}}"
    (found,) = e.written(f"{head} {numbers} {{{groups}, {precisions}}}", factors, wide)
    return (e.convert(found, op.dtype),)


LOWER: dict[type[Op], Lower] = {ops.DotGeneral: _dot_general, ops.Convolution: _convolution}
