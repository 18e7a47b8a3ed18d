"""Discrete Fourier transforms. StableHLO's go along the last axis, and its inverse divides by the length."""

from __future__ import annotations

import math

from rosin.backends.stablehlo.emit import Emitter, Lower, Ref, Refs
from rosin.ir import dims
from rosin.ir.op import Op, Types
from rosin.ir.ops import fourier as ops
from rosin.ir.types import TensorType


def _fft(e: Emitter, x: Ref, kind: str, length: int, scaling: str, result: TensorType) -> Ref:
    found = e.one("stablehlo.fft", x, result=result, attributes=f", type = {kind}, length = [{length}]")
    factor = {"none": 1.0, "over": 1 / length, "root": 1 / math.sqrt(length)}[scaling]
    if kind in ("IFFT", "IRFFT"):
        factor *= length
    return found if factor == 1 else e.mul(found, e.like(factor, found))


def _dft(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Dft)
    (x,) = operands
    if 0 in x.shape:
        return operands
    rank = len(x.shape)
    order = [*(i for i in range(rank) if i != op.axis), op.axis]
    lines = e.transpose(x, order)
    found = _fft(e, lines, "IFFT" if op.inverse else "FFT", x.shape[op.axis], op.scaling, lines.type)
    return (e.transpose(found, sorted(range(rank), key=order.__getitem__)),)


def _real_dft(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.RealDft)
    (x,) = operands
    if 0 in results[0].sizes:
        return (e.constant(0, results[0]),)
    return (_fft(e, x, "RFFT", x.shape[-1], op.scaling, results[0]),)


def _half_dft(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.HalfDft)
    if 0 in results[0].sizes:
        return (e.constant(0, results[0]),)
    length = dims.static((op.length,), op.name)[0]
    return (_fft(e, operands[0], "IRFFT", length, op.scaling, results[0]),)


LOWER: dict[type[Op], Lower] = {ops.Dft: _dft, ops.RealDft: _real_dft, ops.HalfDft: _half_dft}
