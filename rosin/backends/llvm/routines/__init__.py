"""Routines: native code that is the same for every program, and so is compiled once, for whole lines of numbers."""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.routines.foreign import foreign_text
from rosin.backends.llvm.routines.fourier import fourier_text
from rosin.backends.llvm.routines.matrix import STACKS
from rosin.backends.llvm.routines.sorting import sorting_text
from rosin.ir import dtypes
from rosin.ir.ops.foreign import ROUTINE as FOREIGN

__all__ = ["FOREIGN", "PLANNED", "routine_text"]

PLANNED = ("dft", "realdft", "halfdft")
"""The kinds of routines that ask for plans."""


def routine_text(name: str, symbol: str, vector_bytes: int, lapack_word: Callable[[], str]) -> str:
    """The LLVM module of the routine called `name`, under a symbol.

    `lapack_word` gives the type of LAPACK's integers, for those that call LAPACK.
    """
    if name.startswith(FOREIGN):
        return foreign_text(name.removeprefix(FOREIGN), symbol)
    kind, _, dtype = name.rpartition("_")
    if kind in STACKS:
        return STACKS[kind](dtypes.BY_NAME[dtype], symbol, vector_bytes, lapack_word()).text()
    if kind in PLANNED:
        return fourier_text(kind, dtypes.BY_NAME[dtype], symbol, vector_bytes)
    return sorting_text(dtypes.BY_NAME[dtype], kind == "argsort", symbol, vector_bytes)
