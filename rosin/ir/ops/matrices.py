"""All ops on matrices: importing this registers them. They load when a program has one of them, or a text may."""

from __future__ import annotations

from rosin.ir.ops.cholesky import Cholesky
from rosin.ir.ops.eigen import Eig, Eigh
from rosin.ir.ops.lu import Lu, LuDiagonal, LuSolve
from rosin.ir.ops.qr import Qr
from rosin.ir.ops.schur import Schur
from rosin.ir.ops.solve import Inverse, Solve
from rosin.ir.ops.svd import Svd
from rosin.ir.ops.sylvester import Sylvester
from rosin.ir.ops.triangular import TriangularSolve

__all__ = [
    "Cholesky",
    "Eig",
    "Eigh",
    "Inverse",
    "Lu",
    "LuDiagonal",
    "LuSolve",
    "Qr",
    "Schur",
    "Solve",
    "Svd",
    "Sylvester",
    "TriangularSolve",
]
