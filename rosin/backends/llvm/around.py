"""What a kernel has of the program around it, and what the program asks of a kernel."""

from __future__ import annotations

from typing import Protocol

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir import facts
from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Kind, Local, Loop, Statement, Tape, While


class Surroundings(Protocol):
    """What a kernel has of the program around it."""

    assembles: bool
    """Whether some code is text of the assembler."""
    far_bytes: int
    """Arrays of a kernel that take so many bytes together are in no cache when they are wanted again; 0 where stores
    do not go past caches."""

    def begins_line(self, buffer: Buffer) -> bool:
        """Whether a buffer is known to begin where a line of memory does."""
        ...

    def pointer(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer."""
        ...

    def number(self, e: Emitter, local: Local) -> Val:
        """A number that the kernel is given, as it lies in memory."""
        ...

    def variable(self, e: Emitter, var: LoopVar) -> Val:
        """The value of a variable of a loop around the kernel."""
        ...

    def size(self, e: Emitter, symbol: str) -> Val:
        """The value of a symbol."""
        ...

    def grow(self, e: Emitter, tape: Tape, wanted: Val, enough: str) -> str:
        """Room for so many records on a tape, then on to `enough`; gives the label where it goes when there is none."""
        ...

    def asked(self, e: Emitter, team: bool = False) -> Val:
        """Whether a signal wants the program to stop: a status, 0 when none does. A `team` of threads may ask at once,
        and one that finds a status leaves it for the others."""
        ...

    def status(self, e: Emitter) -> Val:
        """Where a kernel leaves the status with which the program ends."""
        ...

    def turns(self, e: Emitter) -> tuple[Val, Val]:
        """Where it is counted how many iterations threads have begun, and how many have had their turn."""
        ...


POLLED_STEPS = 1024
"""A loop in a kernel, whose steps are small, asks after so many steps whether to stop."""

MOST_RECORDS = (1 << 63) - 1
"""More than any tape has room for."""


def is_long(statement: Statement) -> bool:
    """Whether it is a loop that may take so long that somebody wants to stop it."""
    if isinstance(statement, Loop):
        serial = statement.kind is Kind.SERIAL and not statement.parallel
        return serial and facts.estimate(statement.var.extent) > POLLED_STEPS * POLLED_STEPS
    return isinstance(statement, While)
