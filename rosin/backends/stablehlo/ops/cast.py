"""Changes of element type."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.dtypes import bf16, bool_, f32
from rosin.ir.op import Op, Types
from rosin.ir.ops import cast as ops


def _cast(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,), target = operands, results[0].dtype
    if target == bool_:
        return (e.compare("NE", x, e.like(0, x)) if x.dtype != bool_ else x,)
    if target.is_complex and not x.dtype.is_complex:
        x = e.convert(x, target.part)
    elif target == bf16 and (x.dtype.bits > 32 or x.dtype.is_integer):
        x = e.convert(x, f32)
    return (e.convert(x, target),)


def _bitcast(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    (x,) = operands
    return operands if x.type == results[0] else (e.one("stablehlo.bitcast_convert", x, result=results[0]),)


LOWER: dict[type[Op], Lower] = {ops.Cast: _cast, ops.Bitcast: _bitcast}
