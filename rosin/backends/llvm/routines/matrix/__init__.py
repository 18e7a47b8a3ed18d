"""Routines of matrices, by the names of the ops in rosin.ir.ops that ask for them. A file loads when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosin.backends.llvm.routines.matrix.stack import Stack

    Maker = Callable[..., Stack]

STACKS: dict[str, Callable[[], Maker]] = {}
"""What gives the maker of each kind of routine."""


def stack_of(kind: str) -> Maker:
    """What makes the routine of a kind."""
    return STACKS[kind]()


def _named(load: Callable[[], Maker]) -> Callable[[], Maker]:
    """Its name says which kind it is for."""
    STACKS[load.__name__.removeprefix("load_")] = load
    return load


@_named
def load_cholesky() -> Maker:
    from rosin.backends.llvm.routines.matrix.cholesky import Cholesky

    return Cholesky


@_named
def load_eig() -> Maker:
    from rosin.backends.llvm.routines.matrix.eigen import Eig

    return Eig


@_named
def load_eig_values() -> Maker:
    from rosin.backends.llvm.routines.matrix.eigen import EigValues

    return EigValues


@_named
def load_eigh() -> Maker:
    from rosin.backends.llvm.routines.matrix.eigen import Eigh

    return Eigh


@_named
def load_eigh_values() -> Maker:
    from rosin.backends.llvm.routines.matrix.eigen import EighValues

    return EighValues


@_named
def load_inverse() -> Maker:
    from rosin.backends.llvm.routines.matrix.lu import Inverse

    return Inverse


@_named
def load_lu() -> Maker:
    from rosin.backends.llvm.routines.matrix.lu import Lu

    return Lu


@_named
def load_lu_diagonal() -> Maker:
    from rosin.backends.llvm.routines.matrix.lu import LuDiagonal

    return LuDiagonal


@_named
def load_lu_solve() -> Maker:
    from rosin.backends.llvm.routines.matrix.lu import LuSolve

    return LuSolve


@_named
def load_qr() -> Maker:
    from rosin.backends.llvm.routines.matrix.qr import Qr

    return Qr


@_named
def load_schur() -> Maker:
    from rosin.backends.llvm.routines.matrix.schur import Schur

    return Schur


@_named
def load_solve() -> Maker:
    from rosin.backends.llvm.routines.matrix.lu import Solve

    return Solve


@_named
def load_svd() -> Maker:
    from rosin.backends.llvm.routines.matrix.svd import Svd

    return Svd


@_named
def load_svd_values() -> Maker:
    from rosin.backends.llvm.routines.matrix.svd import SvdValues

    return SvdValues


@_named
def load_sylvester() -> Maker:
    from rosin.backends.llvm.routines.matrix.sylvester import Sylvester

    return Sylvester


@_named
def load_triangular_solve() -> Maker:
    from rosin.backends.llvm.routines.matrix.triangular import TriangularSolve

    return TriangularSolve
