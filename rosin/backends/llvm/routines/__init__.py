"""Routines: native code that is the same for every program, and so is compiled once, for whole lines of numbers.

A routine is called `svd_f32`, or `svd.lanes_f32` where it has the code of one way alone, which is all that calls with
such numbers take. What writes routines of a family loads when a program calls one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rosin.backends.llvm.modules import called
from rosin.backends.llvm.types import memory_type
from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.foreign import ROUTINE as FOREIGN

__all__ = ["FOREIGN", "calls_lapack", "is_planned", "plan_for", "routine_for", "routine_texts"]

PLANNED = ("dft", "realdft", "halfdft")
"""The kinds of routines that ask for plans."""

SORTING, GREATEST = ("sort", "argsort"), "top_k"
"""Those of lines of numbers; all others are of matrices."""


def routine_texts(name: str, symbol: str, vector_bytes: int, lapack_word: Callable[[], str]) -> Iterator[str]:
    """The LLVM modules of the routine called `name`, under a symbol: one, or several that belong together, each written
    when it is asked for, the first one of which takes LLVM longest.

    `lapack_word` gives the type of LAPACK's integers, for those that call LAPACK.
    """
    if name.startswith(FOREIGN):
        from rosin.backends.llvm.routines.foreign import foreign_text

        yield foreign_text(name.removeprefix(FOREIGN), symbol)
        return
    kind, way, dtype = _taken_apart(name)
    if kind in PLANNED:
        from rosin.backends.llvm.routines.fourier import fourier_text

        texts = iter([fourier_text(kind, dtype, symbol, vector_bytes, way)])
    elif kind in SORTING:
        from rosin.backends.llvm.routines.sorting import sorting_texts

        texts = sorting_texts(dtype, kind == "argsort", symbol, vector_bytes, way)
    elif kind == GREATEST:
        from rosin.backends.llvm.routines.greatest import greatest_texts

        texts = greatest_texts(dtype, symbol, vector_bytes, way)
    else:
        from rosin.backends.llvm.routines.matrix import stack_of

        texts = iter([stack_of(kind)(dtype, symbol, vector_bytes, lapack_word(), way).text()])
    yield from map(called, texts)


def routine_for(name: str, numbers: Sequence[Dim], vector_bytes: int) -> str:
    """The name of the routine that has the least code for calls of the one called `name` with these numbers."""
    if name.startswith(FOREIGN):
        return name
    kind, _, dtype = _taken_apart(name)
    if kind in PLANNED:
        from rosin.backends.llvm.routines.ways import way_of

        way = way_of(kind, memory_type(dtype), numbers, vector_bytes).text
    elif kind in SORTING:
        from rosin.backends.llvm.routines.sorting import sorting_way

        way = sorting_way(dtype, kind == "argsort", numbers[0], vector_bytes)
    elif kind == GREATEST:
        from rosin.backends.llvm.routines.greatest import greatest_way

        length, count = numbers
        way = greatest_way(dtype, length, count, vector_bytes)
    else:
        from rosin.backends.llvm.routines.matrix import stack_of

        way = stack_of(kind)(dtype, "", vector_bytes, "").way_of(numbers)
    return f"{kind}.{way}_{dtype}" if way else name


def calls_lapack(name: str) -> bool:
    """Whether the routine called `name` may call LAPACK."""
    return not name.startswith(FOREIGN) and _taken_apart(name)[0] not in (*PLANNED, *SORTING, GREATEST)


def is_planned(name: str) -> bool:
    """Whether the routine called `name` asks for plans."""
    return not name.startswith(FOREIGN) and _taken_apart(name)[0] in PLANNED


def plan_for(name: str, numbers: Sequence[Dim], vector_bytes: int) -> int | None:
    """The number of the plan that a call of the routine called `name` asks for, if it does and these tell which."""
    if not is_planned(name):
        return None
    from rosin.backends.llvm.routines.ways import plan_number

    kind, _, dtype = _taken_apart(name)
    return plan_number(kind, memory_type(dtype), numbers, vector_bytes)


def _taken_apart(name: str) -> tuple[str, str, DType]:
    """The kind of a routine, the way that it has code for, if it is one alone, and its element type."""
    kind, _, dtype = name.rpartition("_")
    kind, _, way = kind.partition(".")
    return kind, way, dtypes.BY_NAME[dtype]
