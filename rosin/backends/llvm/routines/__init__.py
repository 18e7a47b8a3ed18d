"""Routines: native code that is the same for every program, and so is compiled once, for whole lines of numbers."""

from __future__ import annotations

from rosin.backends.llvm.routines.foreign import foreign_text
from rosin.backends.llvm.routines.sorting import sorting_text
from rosin.ir import dtypes


def routine_text(name: str, symbol: str, vector_bytes: int) -> str:
    """The LLVM module of the routine called `name`, under a symbol."""
    kind, _, dtype = name.partition("_")
    if kind == "foreign":
        return foreign_text(dtype, symbol)
    return sorting_text(dtypes.BY_NAME[dtype], kind == "argsort", symbol, vector_bytes)
