"""What stands in a kernel, for all who ask before its code is written."""

from __future__ import annotations

from functools import cached_property

from rosin.backends.llvm.around import is_long
from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, FromIndex, InTurn, Kind, Loop, Products, Room, decides, walk
from rosin.ir.statements import different_terms, expressions
from rosin.ir.steps import Kernel

RUNNING_BYTES = 32
"""Vectors whose lanes are combined among themselves are no wider: in one of twice as many lanes each takes a step more,
and that between distant lanes."""

LEAST_LANES = 4
"""Vectors of fewer lanes are no faster."""


class KernelContents:
    """The statements of a kernel and the expressions in them, for vectors of so many bytes."""

    def __init__(self, kernel: Kernel, vector_bytes: int) -> None:
        self.kernel, self.vector_bytes = kernel, vector_bytes
        self.contents = kernel.contents
        statements = self.contents.statements
        self.products = [s for s in statements if isinstance(s, Products)]
        self.has_turns = any(isinstance(s, InTurn) for s in statements)
        """Whether iterations of the parallel loop wait for each other."""
        self.grows = any(isinstance(s, Room) for s in statements)
        """Whether a tape may move."""
        self.may_stop = self.grows or any(map(is_long, statements))
        """Whether the kernel may end before its time and leave a status."""

    @cached_property
    def written(self) -> set[Buffer]:
        """The buffers that are written."""
        return {s.buffer for s in self.contents.stores} | {s.sums for s in self.products}

    def free_variables(self) -> list[LoopVar]:
        """The variables of loops around the kernel that its indices use."""
        own, found = set(self.contents.variables()), dict[LoopVar, None]()
        for terms in different_terms(self.contents.indices()):
            found.update((var, None) for var in indices.in_order(Index(0, terms).variables() - own))
        return list(found)

    @cached_property
    def lanes(self) -> int:
        """How many lanes a vector loop runs: as many as fit its registers, of the widest numbers in one, but no more
        than half of which would do nothing."""
        inside, vector_bytes = self.contents.vector_loops, self.vector_bytes
        if any(carry.neutral for loop in inside for carry in loop.carries):
            vector_bytes = min(vector_bytes, RUNNING_BYTES)
        found = {e.dtype for e in walk(*expressions(inside)) if not isinstance(e, FromIndex | Const)}
        widest = max((dtype.accumulator.bytes for dtype in found if dtype.kind != "bool"), default=1)
        lanes = max(vector_bytes // max(widest, 4), 1)
        extent = max((facts.estimate(loop.var.extent) for loop in inside), default=1)
        if all(isinstance(loop.var.extent, int) for loop in inside):
            while lanes > LEAST_LANES and 2 * extent <= lanes:
                lanes //= 2
        registers = range(1, self.kernel.registers + 1)
        return lanes * max(r for r in registers if r == 1 or (r & (r - 1) == 0 and r * lanes <= extent))

    @property
    def parallel_loops(self) -> list[Loop]:
        """The loops whose iterations threads share, the outermost first."""
        found: list[Loop] = []
        body = self.kernel.body
        while len(body) == 1 and isinstance(body[0], Loop) and body[0].parallel:
            found.append(body[0])
            body = body[0].body
        return found

    @property
    def blocks(self) -> Dim:
        """How many blocks the parallel loops are cut into; 0 where there are none."""
        loops = self.parallel_loops
        if not loops:
            return 0
        lanes = self.lanes if loops[0].kind is Kind.VECTOR else 1
        return (dims.product(loop.var.extent for loop in loops) + (lanes - 1)) // lanes

    @property
    def open_extents(self) -> list[Dim]:
        """The extents of the loops that all of the kernel stands in, of which one may be 0: then it does nothing."""
        found: list[Dim] = []
        body = self.kernel.body
        while len(body) == 1 and isinstance(body[0], Loop) and not body[0].carries and not decides(body[0]):
            if not facts.positive(body[0].var.extent):
                found.append(body[0].var.extent)
            body = body[0].body
        return found
