"""Ops that are one operation of StableHLO or of CHLO, its companion, which every XLA compiler takes as well."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.op import Op, Types


def native(name: str) -> Lower:
    """The operation of StableHLO that an elementwise op is."""
    return _of(f"stablehlo.{name}")


def chlo(name: str) -> Lower:
    """The operation of CHLO that an elementwise op is."""
    return _of(f"chlo.{name}")


def _of(name: str) -> Lower:
    def lower(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
        return e.op(name, operands, *results)

    return lower
