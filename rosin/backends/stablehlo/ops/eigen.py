"""Eigenvalues and eigenvectors of Hermitian matrices: XLA's own algorithm, of Jacobi's kind, which each of its
compilers knows by the name `Eigh`. StableHLO has no operation for them."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.ir.builder import Builder
from rosin.ir.op import Op, Types, Value, Values
from rosin.ir.ops import eigen as ops
from rosin.ir.ops.logic import IsFinite
from rosin.ir.ops.matrix import hermitian

SWEEPS = 100
"""Turns over all pairs of rows, at most."""


def _eigh(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    assert isinstance(op, ops.Eigh)
    (a,) = operands
    values = results[0]
    if 0 in a.shape:
        return (e.constant(0, values), *(e.constant(0, t) for t in results[1:]))
    (given,) = e.compose(hermitian, a)
    # Is the lower triangle read, are values sorted, how many sweeps, and how small what is beside the diagonal becomes:
    # less than rounding leaves there, so that vectors are as accurate as values.
    config = f"1,1,{SWEEPS},{a.dtype.epsilon**2:.0e}"
    found = e.call(
        "stablehlo.custom_call",
        (given,),
        a.type,
        values,
        attributes=f'call_target_name = "Eigh", backend_config = "{config}"',
    )
    return e.compose(known, given, *found[::-1][: len(results)])


def known(b: Builder, a: Value, *results: Value) -> Values:
    """NaNs for matrices that hold an infinity or a NaN."""
    rank = a.type.rank
    failed = b.any(b.logical_not(b.node(IsFinite(), a)[0]), (rank - 2, rank - 1))
    axes = tuple(range(rank - 2))
    nan = float("nan")
    return tuple(b.select(b.broadcast(failed, x.type.shape, axes), b.like(nan, x), x) for x in results)


LOWER: dict[type[Op], Lower] = {ops.Eigh: _eigh}
