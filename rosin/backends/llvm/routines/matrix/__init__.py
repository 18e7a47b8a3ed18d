"""Routines of matrices, by the names of the ops in rosin.ir.ops that ask for them. A file loads when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosin.backends.llvm.routines.matrix.stack import Stack

    Stacks = Mapping[str, Callable[..., Stack]]


def _cholesky() -> Stacks:
    from rosin.backends.llvm.routines.matrix.cholesky import Cholesky

    return {"cholesky": Cholesky}


def _eigen() -> Stacks:
    from rosin.backends.llvm.routines.matrix.eigen import Eig, Eigh, EighValues, EigValues

    return {"eig": Eig, "eig_values": EigValues, "eigh": Eigh, "eigh_values": EighValues}


def _lu() -> Stacks:
    from rosin.backends.llvm.routines.matrix.lu import Inverse, Lu, LuDiagonal, LuSolve, Solve

    return {"inverse": Inverse, "lu": Lu, "lu_diagonal": LuDiagonal, "lu_solve": LuSolve, "solve": Solve}


def _qr() -> Stacks:
    from rosin.backends.llvm.routines.matrix.qr import Qr

    return {"qr": Qr}


def _schur() -> Stacks:
    from rosin.backends.llvm.routines.matrix.schur import Schur

    return {"schur": Schur}


def _svd() -> Stacks:
    from rosin.backends.llvm.routines.matrix.svd import Svd, SvdValues

    return {"svd": Svd, "svd_values": SvdValues}


def _sylvester() -> Stacks:
    from rosin.backends.llvm.routines.matrix.sylvester import Sylvester

    return {"sylvester": Sylvester}


def _triangular() -> Stacks:
    from rosin.backends.llvm.routines.matrix.triangular import TriangularSolve

    return {"triangular_solve": TriangularSolve}


FILES: Mapping[Callable[[], Stacks], tuple[str, ...]] = {
    _cholesky: ("cholesky",),
    _eigen: ("eig", "eig_values", "eigh", "eigh_values"),
    _lu: ("inverse", "lu", "lu_diagonal", "lu_solve", "solve"),
    _qr: ("qr",),
    _schur: ("schur",),
    _svd: ("svd", "svd_values"),
    _sylvester: ("sylvester",),
    _triangular: ("triangular_solve",),
}
STACKS = {kind: file for file, kinds in FILES.items() for kind in kinds}
"""What loads each kind of routine, and those beside it."""


def stack_of(kind: str) -> Callable[..., Stack]:
    """What makes the routine of a kind."""
    return STACKS[kind]()[kind]
