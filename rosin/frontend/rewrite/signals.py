"""How a block ended, when that is decided by values: a code in the graph, and the codes that it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.rewrite.blocks import CONTINUE, Live, Names
from rosin.ir import dtypes
from rosin.ir.dataclass import dataclass

if TYPE_CHECKING:
    from rosin.frontend.array import Array


@dataclass(frozen=True)
class Traced:
    """A signal that is known when the program runs; its code is 0 for none."""

    code: Array
    kinds: frozenset[int]


Signal: TypeAlias = "int | Traced | None"


def kinds_of(signal: Signal) -> frozenset[int]:
    """The codes that a signal may be, 0 for none."""
    return signal.kinds if isinstance(signal, Traced) else frozenset([signal or 0])


def code_of(signal: Signal) -> Array:
    """The code of a signal in the graph."""
    return signal.code if isinstance(signal, Traced) else core.asarray(signal or 0, dtypes.i32)


def is_code(code: Array, kind: int) -> Array:
    """Whether a code is of one kind."""
    return rnp.equal(code, core.asarray(kind, dtypes.i32))


def as_signal(code: Array, kinds: frozenset[int]) -> Signal:
    """A code as a signal: known, if it can be one kind only."""
    if len(kinds) == 1:
        return next(iter(kinds)) or None
    return Traced(code, kinds)


def mapped(signal: Signal, without: int) -> Signal:
    """The signal, of which one kind counts as none."""
    kinds = kinds_of(signal)
    if without not in kinds:
        return signal
    left = kinds - {without} | {0}
    if len(left) == 1:
        return None
    code = code_of(signal)
    return Traced(rnp.where(is_code(code, without), core.asarray(0, dtypes.i32), code), left)


def next_step(signal: Signal) -> Signal:
    """The signal at the end of a loop's body: `continue` has done its work."""
    return mapped(signal, CONTINUE)


def needed(live: Live, kinds: frozenset[int]) -> Names:
    """The variables that may be read after a block that ends in one of these ways."""
    return frozenset[str]().union(*(live.at(kind) for kind in kinds))
