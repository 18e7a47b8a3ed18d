"""Cholesky factors."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.op import Op, Types, Value
from rosin.ir.ops import cholesky as ops
from rosin.ir.ops.matrix import diagonal, hermitian, part


def _cholesky(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    if 0 in results[0].sizes:
        return operands
    (a,) = e.compose(hermitian, *operands)
    factor = e.one("stablehlo.cholesky", a, attributes=", lower = true")

    def checked(b: Builder, x: Value) -> Value:
        """NaNs in all of the triangle where one is on the diagonal; what is above it is not said to be zero."""
        found = diagonal(b, x)
        failed = b.any(b.not_equal(found, found), (found.type.rank - 1,))
        shape = x.type.shape
        everywhere = b.broadcast(failed, shape, tuple(range(failed.type.rank)))
        return part(b, b.select(everywhere, b.like(float("nan"), x), x), "greater_equal")

    return e.compose(checked, factor)


LOWER: dict[type[Op], Lower] = {ops.Cholesky: _cholesky}
