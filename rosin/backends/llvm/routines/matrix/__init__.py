"""Routines of matrices, by the names of the ops in rosin.ir.ops that ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosin.backends.llvm.routines.matrix.stack import Stack

    Maker = Callable[..., Stack]


def stack_of(kind: str) -> Maker:
    """What makes the routine of a kind, with which its file loads."""
    match kind:
        case "cholesky":
            from rosin.backends.llvm.routines.matrix.cholesky import Cholesky as Found
        case "eig":
            from rosin.backends.llvm.routines.matrix.eigen import Eig as Found
        case "eig_values":
            from rosin.backends.llvm.routines.matrix.eigen import EigValues as Found
        case "eigh":
            from rosin.backends.llvm.routines.matrix.eigen import Eigh as Found
        case "eigh_values":
            from rosin.backends.llvm.routines.matrix.eigen import EighValues as Found
        case "inverse":
            from rosin.backends.llvm.routines.matrix.lu import Inverse as Found
        case "lu":
            from rosin.backends.llvm.routines.matrix.lu import Lu as Found
        case "lu_diagonal":
            from rosin.backends.llvm.routines.matrix.lu import LuDiagonal as Found
        case "lu_solve":
            from rosin.backends.llvm.routines.matrix.lu import LuSolve as Found
        case "qr":
            from rosin.backends.llvm.routines.matrix.qr import Qr as Found
        case "schur":
            from rosin.backends.llvm.routines.matrix.schur import Schur as Found
        case "solve":
            from rosin.backends.llvm.routines.matrix.lu import Solve as Found
        case "svd":
            from rosin.backends.llvm.routines.matrix.svd import Svd as Found
        case "svd_values":
            from rosin.backends.llvm.routines.matrix.svd import SvdValues as Found
        case "sylvester":
            from rosin.backends.llvm.routines.matrix.sylvester import Sylvester as Found
        case "triangular_solve":
            from rosin.backends.llvm.routines.matrix.triangular import TriangularSolve as Found
        case _:
            raise KeyError(kind)
    return Found
