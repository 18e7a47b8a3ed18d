"""Complex numbers and their parts."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.logic import parts
from rosin.backends.stablehlo.ops.native import native
from rosin.ir.op import Op, Types
from rosin.ir.ops import complex as ops


def _conj(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    real, imag = parts(e, operands[0])
    return e.op("stablehlo.complex", (real, e.one("stablehlo.negate", imag)), *results)


LOWER: dict[type[Op], Lower] = {
    ops.Real: native("real"),
    ops.Imag: native("imag"),
    ops.Complex: native("complex"),
    ops.Conj: _conj,
}
