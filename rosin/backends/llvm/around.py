"""What a kernel has of the program around it, and what the program asks of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, FromIndex, InTurn, Kind, Local, Loop, Room, Statement, Tape, While, walk
from rosin.ir.statements import all_indices, expressions, loop_variables, nested
from rosin.ir.steps import Kernel, decides


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

RUNNING_BYTES = 32
"""Vectors whose lanes are combined among themselves are no wider: in one of twice as many lanes each takes a step more,
and that between distant lanes."""

LEAST_LANES = 4
"""Vectors of fewer lanes are no faster."""

MOST_RECORDS = (1 << 63) - 1
"""More than any tape has room for."""


def may_stop(kernel: Kernel) -> bool:
    """Whether the kernel may end before its time and leave a status."""
    return any(isinstance(s, Room) or is_long(s) for s in nested(kernel.body))


def has_turns(kernel: Kernel) -> bool:
    """Whether iterations of its parallel loop wait for each other."""
    return any(isinstance(s, InTurn) for s in nested(kernel.body))


def is_long(statement: Statement) -> bool:
    """Whether it is a loop that may take so long that somebody wants to stop it."""
    if isinstance(statement, Loop):
        serial = statement.kind is Kind.SERIAL and not statement.parallel
        return serial and facts.estimate(statement.var.extent) > POLLED_STEPS * POLLED_STEPS
    return isinstance(statement, While)


def lanes_of(kernel: Kernel, vector_bytes: int) -> int:
    """How many lanes a vector loop of the kernel runs: as many as fit its registers, of the widest numbers in one, but
    no more than half of which would do nothing."""
    inside = list(_vector_loops(kernel.body))
    if any(carry.neutral for loop in inside for carry in loop.carries):
        vector_bytes = min(vector_bytes, RUNNING_BYTES)
    found = {e.dtype for e in walk(*expressions(inside)) if not isinstance(e, FromIndex | Const)}
    widest = max((dtype.accumulator.bytes for dtype in found if dtype.kind != "bool"), default=1)
    lanes = max(vector_bytes // max(widest, 4), 1)
    extent = max((facts.estimate(loop.var.extent) for loop in inside), default=1)
    if all(isinstance(loop.var.extent, int) for loop in inside):
        while lanes > LEAST_LANES and 2 * extent <= lanes:
            lanes //= 2
    return lanes * max(
        r for r in range(1, kernel.registers + 1) if r == 1 or (r & (r - 1) == 0 and r * lanes <= extent)
    )


def blocks_of(kernel: Kernel, vector_bytes: int) -> Dim:
    """How many blocks the parallel loops are cut into; 0 where there are none."""
    loops = parallel_loops(kernel)
    if not loops:
        return 0
    lanes = lanes_of(kernel, vector_bytes) if loops[0].kind is Kind.VECTOR else 1
    return (dims.product(loop.var.extent for loop in loops) + (lanes - 1)) // lanes


def parallel_loops(kernel: Kernel) -> list[Loop]:
    """The loops whose iterations threads share, the outermost first."""
    found: list[Loop] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], Loop) and body[0].parallel:
        found.append(body[0])
        body = body[0].body
    return found


def open_extents(kernel: Kernel) -> list[Dim]:
    """The extents of the loops that all of the kernel stands in, of which one may be 0: then it does nothing."""
    found: list[Dim] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], Loop) and not body[0].carries and not decides(body[0]):
        if not facts.positive(body[0].var.extent):
            found.append(body[0].var.extent)
        body = body[0].body
    return found


def free_variables(kernel: Kernel) -> list[LoopVar]:
    """The variables of loops around the kernel that its indices use."""
    own = set(loop_variables(kernel.body))
    found: dict[LoopVar, None] = {}
    # Most indices of a tile differ in a number alone.
    for terms in dict.fromkeys(index.terms for index in all_indices(kernel.body)):
        found.update((var, None) for var in indices.in_order(Index(0, terms).variables() - own))
    return list(found)


def _vector_loops(statements: Sequence[Statement]) -> Iterator[Loop]:
    return (s for s in nested(statements) if isinstance(s, Loop) and s.kind is Kind.VECTOR)
