"""Normal numbers from random bits, by the very operations that the op is put together of."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops.exactly import exact_expression
from rosin.ir.loops import Local
from rosin.ir.op import Op, Types
from rosin.ir.ops import normal as ops


def _random_normal(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.RandomNormal)
    (bits,) = operands
    local = Local("bits", bits.dtype)
    expr = op.element((), (lambda _: local,), (bits.type,))
    return (exact_expression(e, expr, local, bits),)


LOWER: dict[type[Op], Lower] = {ops.RandomNormal: _random_normal}
