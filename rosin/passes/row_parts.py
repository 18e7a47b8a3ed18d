"""Loops whose steps follow each other while rows do not: a loop over parts of the rows goes outside, for threads.

A recurrent network's steps need each other's results, but each example of a batch needs only its own. Were the kernels
of a step shared out one by one, threads would meet after each of them, and fetch from one another what they have just
written. So each thread runs all steps for a part of the rows: the results are the same bits, since an element is
computed alike in whatever part it is.

Rows are found in the kernels, by what they read and write. A kernel is cut along one of its loops. A buffer that the
loop writes is cut into as many equal pieces (or each of its slices is, if steps have slices of their own), and no part
of a kernel may reach into another part's piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import gcd

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Expr,
    Guard,
    Kind,
    Let,
    Load,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    blocks,
    values,
)
from rosin.ir.statements import PRIVATE, moved, nested, rebuilt, stores
from rosin.ir.steps import Kernel, Repeat

PARTS = (16, 8, 4, 2)
"""Into how many parts rows are cut: the most that pay."""

LEAST_LANES = 16
"""A vector loop has at least so many lanes in each part."""

NEAR_BYTES = 1 << 21
"""What all parts read in every step stays in a near cache: it has at most so many bytes."""

CLOSE_BYTES = 1 << 19
WORK_A_BYTE, FAR_WORK_A_BYTE = 8, 16
"""For each byte of it a part has at least so many operations, as products of eight rows do, or of sixteen rows where it
has more than `CLOSE_BYTES`."""


@dataclass(frozen=True)
class _Access:
    """Where memory is read or written, and what is tested before."""

    buffer: Buffer
    offset: Index
    tests: tuple[Within, ...]


def parted(loop: Repeat, work: int) -> Repeat | None:
    """A loop over parts of the rows around this loop, of so much `work` a step; None where there is none that pays."""
    kernels = [step for step in loop.body if isinstance(step, Kernel)]
    if len(kernels) < len(loop.body) or loop.start or loop.stop or loop.apart:
        return None
    if not all(map(_is_plain, kernels)) or not all(isinstance(b.size, int) for k in kernels for b in k.buffers):
        return None
    written = {s.buffer for k in kernels for s in stores(k.body) if s.buffer not in k.scratch}
    if any(b.scope is Scope.TAPE for b in written):
        return None
    accesses = {statement: _accesses(statement) for k in kernels for statement in k.body}
    bytes = _shared_bytes(written, loop.var, [a for each in accesses.values() for a in each])
    if bytes > NEAR_BYTES:
        return None
    slices = _slices(written, kernels, [a for each in accesses.values() for a in each])
    least = bytes * (WORK_A_BYTE if bytes <= CLOSE_BYTES else FAR_WORK_A_BYTE)
    for count in PARTS:
        if work < least * count:
            continue
        part = LoopVar(f"{loop.var.name}_rows", count)
        cut = [_cut(kernel, part, slices, accesses) for kernel in kernels]
        found = tuple(kernel for kernel in cut if kernel is not None)
        if len(found) == len(kernels):
            return Repeat(part, (replace(loop, body=found),), apart=True)
    return None


def _is_plain(kernel: Kernel) -> bool:
    """Whether a kernel is loops over stores alone, whose number of iterations is known."""
    plain = all(isinstance(s, Loop | Let | Accumulate | Store | When) for s in nested(kernel.body))
    loops = [s for s in nested(kernel.body) if isinstance(s, Loop)]
    fixed = all(isinstance(s.var.extent, int) and not s.start and not s.stop for s in loops)
    return plain and fixed and kernel.work is None and all(isinstance(s, Loop) for s in kernel.body)


def _shared_bytes(written: set[Buffer], time: LoopVar, accesses: Sequence[_Access]) -> int:
    """The bytes of all that every part reads, but for what each step has a slice of: that does not stay near anyway."""
    read = {a.buffer for a in accesses if a.buffer.scope not in PRIVATE and a.buffer not in written}
    again = {a.buffer for a in accesses if time not in a.offset.variables()} & read
    return sum(b.bytes for b in again if isinstance(b.bytes, int))


# -- what a statement reads and writes -----------------------------------------------------------------------------


def _accesses(statement: Statement) -> list[_Access]:
    return list(dict.fromkeys(_reached([statement], ())))


def _reached(statements: Iterable[Statement], tests: tuple[Within, ...]) -> Iterator[_Access]:
    for statement in statements:
        tested = (*tests, *statement.tests) if isinstance(statement, When) else tests
        if isinstance(statement, Store):
            yield _Access(statement.buffer, statement.offset, tests)
        yield from _read(values(statement), tests)
        if isinstance(statement, Loop):
            yield from _read([e for carry in statement.carries for e in carry.initial], tests)
        for block in blocks(statement):
            yield from _reached(block, tested)


def _read(tops: Sequence[Expr], tests: tuple[Within, ...]) -> Iterator[_Access]:
    """The reads in expressions, each shared part once for all tests that stand before it."""
    seen: set[tuple[int, tuple[Within, ...]]] = set()
    stack: list[tuple[Expr, tuple[Within, ...]]] = [(top, tests) for top in tops]
    while stack:
        expr, before = stack.pop()
        if (id(expr), before) in seen:
            continue
        seen.add((id(expr), before))
        if isinstance(expr, Load):
            yield _Access(expr.buffer, expr.offset, before)
        if isinstance(expr, Guard):
            stack += [(expr.then, (*before, *expr.tests)), (expr.otherwise, before)]
        else:
            stack += [(child, before) for child in expr.children()]
        stack += [(d.value, before) for index in expr.indices() for d in index.dynamics()]


# -- pieces of buffers ---------------------------------------------------------------------------------------------


def _slices(written: set[Buffer], kernels: Sequence[Kernel], accesses: Sequence[_Access]) -> dict[Buffer, int]:
    """The size of the slices of each buffer that is written, a multiple of which moves it with loops around kernels."""
    inside = {s.var for k in kernels for s in nested(k.body) if isinstance(s, Loop)}
    found = {b: b.size for b in written if isinstance(b.size, int)}
    for access in (a for a in accesses if a.buffer in written):
        for atom, step in access.offset.terms:
            if Index(0, ((atom, 1),)).variables().isdisjoint(inside):
                found[access.buffer] = gcd(found[access.buffer], step) if isinstance(step, int) else 1
    return found


def _piece(access: _Access, var: LoopVar, part: LoopVar, size: int) -> bool:
    """Whether the first part of a loop reads or writes in the first piece of each slice of a buffer alone, and each
    other part in its own."""
    assert isinstance(var.extent, int)
    assert isinstance(part.extent, int)
    piece, rest = divmod(size, part.extent)
    step = access.offset.coefficient(var)
    own = var.extent // part.extent
    if rest or not access.offset.affine_in(var) or step * own != piece:
        return False
    first = LoopVar(var.name, own)
    place = access.offset.substitute({var: indices.of(first)})
    terms = [(atom, c) for atom, c in place.terms if not isinstance(c, int) or c % size]
    if not isinstance(place.constant, int):
        return False
    low, high = _bounds(Index(place.constant, tuple(terms)), access.tests, {var: indices.of(first)})
    return low is not None and high is not None and low // size * size == (high - high % size) and high % size < piece


def _bounds(index: Index, tests: Sequence[Within], places: dict[LoopVar, Index]) -> tuple[int | None, int | None]:
    """Between which numbers an index is where tests hold."""
    low, high = index.bounds()
    for test in tests:
        tested = test.index.substitute(places)
        (below, above) = (index - tested).bounds()
        if isinstance(below, int) and isinstance(test.low, int) and isinstance(low, int):
            low = max(low, below + test.low)
        if isinstance(above, int) and isinstance(test.high, int) and isinstance(high, int):
            high = min(high, above + test.high - 1)
    return low if isinstance(low, int) else None, high if isinstance(high, int) else None


# -- kernels -------------------------------------------------------------------------------------------------------


def _cut(
    kernel: Kernel, part: LoopVar, slices: dict[Buffer, int], accesses: dict[Statement, list[_Access]]
) -> Kernel | None:
    """The part of a kernel, whose number a loop around it counts."""
    body: list[Statement] = []
    for statement in kernel.body:
        reached = [a for a in accesses[statement] if a.buffer in slices]
        var = next((v for v in _choices(kernel, statement, part) if _fits(v, part, reached, slices)), None)
        if var is None:
            return None
        body.append(_part_of(statement, var, part))
    return replace(kernel, body=tuple(body))


def _fits(var: LoopVar, part: LoopVar, reached: Sequence[_Access], slices: dict[Buffer, int]) -> bool:
    return all(_piece(access, var, part, slices[access.buffer]) for access in reached)


def _choices(kernel: Kernel, statement: Statement, part: LoopVar) -> Iterator[LoopVar]:
    """The loops of a statement that can be cut: they do nothing but to run what is in them, as do those around them."""
    assert isinstance(part.extent, int)
    while isinstance(statement, Loop) and not statement.carries:
        extent = statement.var.extent
        assert isinstance(extent, int)
        least = LEAST_LANES * part.extent if statement.kind is Kind.VECTOR else 1
        if extent % part.extent == 0 and extent >= least and (statement.parallel or not kernel.scratch):
            yield statement.var
        if len(statement.body) != 1:
            return
        (statement,) = statement.body


def _part_of(statement: Statement, var: LoopVar, part: LoopVar) -> Statement:
    """A statement whose loop over `var` has the iterations of a part alone, on one thread."""
    assert isinstance(statement, Loop)
    if statement.var is not var:
        return replace(rebuilt(statement, lambda inner: _part_of(inner, var, part)), parallel=False)
    assert isinstance(var.extent, int)
    assert isinstance(part.extent, int)
    own = LoopVar(var.name, var.extent // part.extent)
    place = indices.of(part) * own.extent + indices.of(own)
    return replace(statement, var=own, body=tuple(moved(statement.body, {var: place})), parallel=False)
