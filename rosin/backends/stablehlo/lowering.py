"""The table from ops to StableHLO, gathered from the files that are named as those of the ops."""

from __future__ import annotations

from rosin.backends.stablehlo.emit import Emitter, Lower, Refs
from rosin.backends.stablehlo.ops import (
    arithmetic,
    call,
    cast,
    cholesky,
    collective,
    complex,
    contract,
    control,
    cumulative,
    eigen,
    exactly,
    exponential,
    fourier,
    index,
    logic,
    loop,
    lu,
    measure,
    movement,
    normal,
    qr,
    random,
    reduce,
    scan,
    scatter,
    solve,
    sort,
    special,
    svd,
    sweeps,
    triangular,
    trigonometric,
    window,
)
from rosin.backends.stablehlo.ops.effect import HOSTED, by_python
from rosin.backends.stablehlo.ops.formula import lower_formula
from rosin.backends.stablehlo.ops.parts import by_parts, goes_by_parts
from rosin.ir.errors import UnsupportedError
from rosin.ir.formula import Formula
from rosin.ir.op import Op, Types

FAMILIES = (
    arithmetic,
    call,
    cast,
    cholesky,
    collective,
    complex,
    contract,
    control,
    cumulative,
    eigen,
    exactly,
    exponential,
    fourier,
    index,
    logic,
    loop,
    lu,
    measure,
    movement,
    normal,
    qr,
    random,
    reduce,
    scan,
    scatter,
    solve,
    sort,
    special,
    svd,
    sweeps,
    triangular,
    trigonometric,
    window,
)

TABLE: dict[type[Op], Lower] = {op: lower for family in FAMILIES for op, lower in family.LOWER.items()}

_NO_PYTHON = "a compiled StableHLO program calls no Python"

DECLINED: dict[str, str] = {
    "print": f"{_NO_PYTHON}; return what is to be printed",
    "check": f"{_NO_PYTHON}; return the truth value, or compile without checks",
    "misfit": f"{_NO_PYTHON}; sizes are checked before it runs",
    "pure_callback": f"{_NO_PYTHON}; write the function in array code",
    "io_callback": f"{_NO_PYTHON}; write the function in array code",
    "foreign_scalar": "a C function has an address in this process alone, and none on another device",
    "foreign_call": "a C function has an address in this process alone, and none on another device",
    "measure": "arrays have sizes that are known before the program runs; give size=, or choose with where(mask, a, b)",
    "eig": "XLA has no algorithm for eigenvalues of matrices that are not Hermitian; eigh takes those that are",
    "schur": "XLA has no algorithm for Schur's form; eigh takes Hermitian matrices, whose form is diagonal",
    "sylvester": "it goes by Schur's form, for which XLA has no algorithm",
}
"""The ops that have no lowering, each with the reason, and what to do instead where there is something. Python computes
those in `HOSTED`, where there is one."""


def lower(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
    """Write an op; gives its results.

    Raises:
        UnsupportedError: the target declines the op.
    """
    if operands and goes_by_parts(op, operands):
        return by_parts(e, op, operands, results)
    rule = TABLE.get(type(op))
    if rule is not None:
        return rule(e, op, operands, results)
    if e.hosted is not None and op.name in HOSTED:
        return by_python(e, op, operands, results)
    if isinstance(op, Formula):
        return lower_formula(e, op, operands, results, lower)
    body = op.expansion()
    if body is not None:
        return e.inline(body, operands)
    reason = DECLINED.get(op.name, "there is no lowering for it")
    raise UnsupportedError(f"stablehlo: {op.name}: {reason}", [x.type for x in operands])
