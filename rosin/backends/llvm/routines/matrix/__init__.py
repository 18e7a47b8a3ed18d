"""Routines of matrices, by the names of the ops in rosin.ir.ops that ask for them."""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.routines.matrix.cholesky import Cholesky
from rosin.backends.llvm.routines.matrix.eigen import Eig, Eigh, EighValues, EigValues
from rosin.backends.llvm.routines.matrix.lu import Inverse, Lu, LuDiagonal, LuSolve, Solve
from rosin.backends.llvm.routines.matrix.qr import Qr
from rosin.backends.llvm.routines.matrix.schur import Schur
from rosin.backends.llvm.routines.matrix.stack import Stack
from rosin.backends.llvm.routines.matrix.svd import Svd, SvdValues
from rosin.backends.llvm.routines.matrix.sylvester import Sylvester
from rosin.backends.llvm.routines.matrix.triangular import TriangularSolve

STACKS: dict[str, Callable[..., Stack]] = {
    "cholesky": Cholesky,
    "eig": Eig,
    "eig_values": EigValues,
    "eigh": Eigh,
    "eigh_values": EighValues,
    "inverse": Inverse,
    "lu": Lu,
    "lu_diagonal": LuDiagonal,
    "lu_solve": LuSolve,
    "qr": Qr,
    "schur": Schur,
    "solve": Solve,
    "svd": Svd,
    "svd_values": SvdValues,
    "sylvester": Sylvester,
    "triangular_solve": TriangularSolve,
}
