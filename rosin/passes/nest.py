"""Loop nests: which loop is outermost, which runs as vectors, which neighbours are one loop, what runs on threads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rosin.ir import index as indices
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Expr,
    Kernel,
    Kind,
    Let,
    Load,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    substitute,
    walk,
)
from rosin.ir.op import Reader, Value
from rosin.passes.fusion import Fusion

PARALLEL_WORK = 1_000_000
"""Kernels of fewer scalar operations, which take less than some 20 microseconds on one thread, stay on it."""

SCRATCH_BYTES = 1 << 18
"""The most that the scratch arrays of one row, for all lanes, may take."""

COLUMN_REGISTERS = 4
"""How many vector registers of neighbouring columns are folded at once."""

UNROLL_FLOPS = 12
"""A vector reduction of at most so many operations an element keeps several partial results, to hide latency."""


class Memory:
    """Reads values from their buffers, through the moves in between."""

    def __init__(self, fusion: Fusion, buffers: Mapping[Value, Buffer]) -> None:
        self.fusion = fusion
        self.buffers = buffers

    def read(self, value: Value) -> Reader:
        return self.fusion.reader(value, self.stored)

    def stored(self, value: Value) -> Reader:
        """Reads a value that is in memory."""
        return lambda index: Load(self.buffers[value], indices.flatten(index, value.type.sizes))


@dataclass(eq=False)
class Inner:
    """Statements of the inner loops, with what they carry."""

    body: list[Statement]
    carries: tuple[Carry, ...] = ()


@dataclass(eq=False)
class Nest:
    """Outer loops over `rows`; in them, one after the other, statements and passes over the inner loops."""

    rows: list[LoopVar]
    columns: list[LoopVar]
    body: list[Statement | Inner]
    scratch: tuple[Buffer, ...] = ()
    flops: int = 1
    """Machine operations of one element of the whole domain."""
    lanes: LoopVar | None = field(default=None)
    """The variable that runs as vectors; chosen when it is None."""

    def kernel(self, name: str) -> Kernel:
        self._collapse(self.rows)
        self._collapse(self.columns)
        lanes = self.lanes or choose_lanes([*self.rows, *self.columns], self.statements())
        if self.scratch and lanes in self.rows:
            lanes = self._widen_scratch(lanes)
        loops = self._loops(lanes)
        # Lanes that each run a loop of their own step through memory far apart: more of them use what a step brings in.
        apart = lanes in self.rows and any(isinstance(p, Inner) and p.carries for p in self.body) and bool(self.columns)
        return Kernel(name, used_buffers(loops), tuple(loops), self.scratch, COLUMN_REGISTERS if apart else 1)

    def statements(self) -> list[Statement]:
        return [s for part in self.body for s in (part.body if isinstance(part, Inner) else [part])]

    @property
    def work(self) -> int:
        total = self.flops + 1
        for var in (*self.rows, *self.columns):
            total *= var.extent
        return total

    # -- building ------------------------------------------------------------------------------------------

    def _loops(self, lanes: LoopVar | None) -> list[Statement]:
        body: list[Statement] = []
        columns = [v for v in self.columns if v is not lanes] + [v for v in self.columns if v is lanes]
        for part in self.body:
            body += [self._inner(part, columns, lanes)] if isinstance(part, Inner) and columns else _plain(part)
        rows = [v for v in self.rows if v is not lanes] + [v for v in self.rows if v is lanes]
        for var in reversed(rows):
            parallel = var is rows[0] and self.work >= PARALLEL_WORK
            kind = Kind.VECTOR if var is lanes else Kind.SERIAL
            body = [Loop(var, kind, tuple(body), parallel=parallel)]
        return body

    def _inner(self, part: Inner, columns: list[LoopVar], lanes: LoopVar | None) -> Statement:
        body: list[Statement] = part.body
        for var in reversed(columns):
            vector = var is lanes
            many = vector and bool(part.carries) and self.flops <= UNROLL_FLOPS
            unroll = 4 if many else 1
            carries = part.carries if var is columns[0] else ()
            body = [Loop(var, Kind.VECTOR if vector else Kind.SERIAL, tuple(body), carries, unroll=unroll)]
        return body[0]

    def _widen_scratch(self, lanes: LoopVar) -> LoopVar | None:
        """Give each lane a scratch array of its own; where that takes too much, run the columns as vectors."""
        if sum(b.bytes for b in self.scratch) * lanes.extent > SCRATCH_BYTES:
            return choose_lanes(self.columns, self.statements())
        wide = {b: Buffer(b.name, b.dtype, b.size * lanes.extent, b.scope) for b in self.scratch}
        memo: dict[int, Expr] = {}

        def widen(expr: Expr) -> Expr:
            found = memo.get(id(expr))
            if found is None:
                if isinstance(expr, Load) and expr.buffer in wide:
                    found = Load(wide[expr.buffer], expr.offset * lanes.extent + indices.of(lanes))
                else:
                    children = tuple(widen(c) for c in expr.children())
                    found = expr if children == expr.children() else expr.rebuild(children, expr.indices())
                memo[id(expr)] = found
            return found

        def statement(s: Statement) -> Statement:
            if isinstance(s, Store) and s.buffer in wide:
                return Store(wide[s.buffer], s.offset * lanes.extent + indices.of(lanes), widen(s.value))
            if isinstance(s, Store):
                return Store(s.buffer, s.offset, widen(s.value))
            if isinstance(s, Let):
                return Let(s.local, widen(s.value))
            assert isinstance(s, Accumulate)
            return Accumulate(s.carry, tuple(widen(v) for v in s.values))

        self.body = [
            Inner([statement(s) for s in p.body], p.carries) if isinstance(p, Inner) else statement(p)
            for p in self.body
        ]
        self.scratch = tuple(wide.values())
        return lanes

    # -- collapsing ----------------------------------------------------------------------------------------

    def _collapse(self, variables: list[LoopVar]) -> None:
        """Make one loop of neighbours that every index steps through as through one."""
        at = len(variables) - 2
        while at >= 0:
            outer, inner = variables[at], variables[at + 1]
            if self.lanes not in (outer, inner) and all(
                _joins(i, outer, inner) for i in all_indices(self.statements())
            ):
                joined = LoopVar(inner.name, outer.extent * inner.extent)
                values = {outer: indices.ZERO, inner: indices.of(joined)}
                memo: dict[int, Expr] = {}
                self.body = [
                    Inner([replace(s, values, memo) for s in part.body], part.carries)
                    if isinstance(part, Inner)
                    else replace(part, values, memo)
                    for part in self.body
                ]
                variables[at : at + 2] = [joined]
            at -= 1


def _plain(part: Statement | Inner) -> list[Statement]:
    if isinstance(part, Inner):
        if part.carries:
            # Folds over no loop at all: one term each. A loop of one iteration carries them.
            return [Loop(LoopVar("once", 1), Kind.SERIAL, tuple(part.body), part.carries)]
        return part.body
    return [part]


def _joins(index: Index, outer: LoopVar, inner: LoopVar) -> bool:
    affine = index.affine_in(outer) and index.affine_in(inner)
    return affine and index.coefficient(outer) == inner.extent * index.coefficient(inner)


def choose_lanes(variables: Sequence[LoopVar], statements: Sequence[Statement]) -> LoopVar | None:
    """The variable along which most memory is read and written side by side."""
    accesses = list(offsets(statements))

    def score(position: int) -> tuple[float, int, int]:
        var = variables[position]
        total = 0.0
        for offset in accesses:
            if not offset.affine_in(var):
                total -= 2
            else:
                step = offset.coefficient(var)
                total += {0: 0.0, 1: 2.0}.get(step, -1.5)
        if var.extent < 4:
            total -= 3 * len(accesses)
        return total, min(var.extent, 64), position

    if not variables:
        return None
    return variables[max(range(len(variables)), key=score)]


# -- looking into statements -----------------------------------------------------------------------------------


def expressions(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The top expressions of statements, nested ones too."""
    for statement in statements:
        match statement:
            case Let():
                yield statement.value
            case Store():
                yield statement.value
            case Accumulate():
                yield from statement.values
            case When():
                yield from expressions(statement.body)
            case Loop():
                yield from (e for c in statement.carries for e in c.initial)
                yield from expressions(statement.body)


def stores(statements: Sequence[Statement]) -> Iterator[Store]:
    for statement in statements:
        if isinstance(statement, Store):
            yield statement
        elif isinstance(statement, Loop | When):
            yield from stores(statement.body)


def offsets(statements: Sequence[Statement]) -> Iterator[Index]:
    """Where memory is read and written, each place of an expression once."""
    for store in stores(statements):
        yield store.offset
    seen: set[int] = set()
    for top in expressions(statements):
        for expr in walk(top):
            if isinstance(expr, Load) and id(expr) not in seen:
                seen.add(id(expr))
                yield expr.offset


def tests_of(statements: Sequence[Statement]) -> Iterator[Within]:
    for statement in statements:
        if isinstance(statement, When):
            yield from statement.tests
        if isinstance(statement, Loop | When):
            yield from tests_of(statement.body)


def all_indices(statements: Sequence[Statement]) -> Iterator[Index]:
    """Every index in the statements: offsets, tests and indices used as numbers."""
    for store in stores(statements):
        yield store.offset
        yield from _dynamic(store.offset)
    for test in tests_of(statements):
        yield test.index
    for top in expressions(statements):
        for expr in walk(top):
            yield from expr.indices()


def _dynamic(index: Index) -> Iterator[Index]:
    for atom, _ in index.terms:
        if isinstance(atom, Dynamic):
            for expr in walk(atom.value):
                yield from expr.indices()


def replace(statement: Statement, values: Mapping[LoopVar, Index], memo: dict[int, Expr]) -> Statement:
    """The statement with loop variables replaced; what expressions share stays shared."""
    match statement:
        case Let():
            return Let(statement.local, substitute(statement.value, values, memo))
        case Accumulate():
            return Accumulate(statement.carry, tuple(substitute(v, values, memo) for v in statement.values))
        case Store():
            offset = statement.offset.substitute(values)
            return Store(statement.buffer, offset, substitute(statement.value, values, memo))
        case When():
            tests = tuple(Within(t.index.substitute(values), t.low, t.high) for t in statement.tests)
            return When(tests, tuple(replace(s, values, memo) for s in statement.body))
        case Loop():
            body = tuple(replace(s, values, memo) for s in statement.body)
            return Loop(statement.var, statement.kind, body, statement.carries, statement.parallel, statement.unroll)


def used_buffers(statements: Sequence[Statement]) -> tuple[Buffer, ...]:
    """The buffers read or written, but for scratch of the kernel's own."""
    found: dict[Buffer, None] = {}
    for top in expressions(statements):
        for expr in walk(top):
            if isinstance(expr, Load):
                found[expr.buffer] = None
    for store in stores(statements):
        found[store.buffer] = None
        for atom, _ in store.offset.terms:
            if isinstance(atom, Dynamic):
                found.update((e.buffer, None) for e in walk(atom.value) if isinstance(e, Load))
    return tuple(b for b in found if b.scope is not Scope.LOCAL)


def flops(exprs: Sequence[Expr]) -> int:
    """Machine operations to evaluate expressions once, shared parts counted once."""
    seen: set[int] = set()
    total = 0
    for top in exprs:
        for expr in walk(top):
            if id(expr) not in seen:
                seen.add(id(expr))
                total += expr.op.flops if isinstance(expr, Apply) else 1
    return total
