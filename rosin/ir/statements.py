"""Looking into the statements of kernels: their expressions, what they read and write, and with other variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Atom, Index, LoopVar
from rosin.ir.loops import (
    PLAIN,
    Accumulate,
    Apply,
    Buffer,
    Choose,
    Dot,
    Expr,
    InTurn,
    Kind,
    Let,
    Load,
    Loop,
    Placing,
    Products,
    Room,
    Scope,
    Statement,
    Store,
    When,
    While,
    Within,
    blocks,
    decides,
    relocate,
    relocate_index,
    renewed,
    substitute,
    values,
    walk,
)

PRIVATE = (Scope.LOCAL, Scope.LANES, Scope.STATE)
"""Where the scratch arrays of one kernel are."""


def serial_loops(order: Sequence[LoopVar], body: Sequence[Statement], on_threads: bool = False) -> list[Statement]:
    """Loops in this order, the outermost first, around a body; threads may share the outermost one."""
    found: list[Statement] = list(body)
    for var in reversed(order):
        found = [Loop(var, Kind.SERIAL, tuple(found), parallel=on_threads and var is order[0])]
    return found


def under(tests: Sequence[Within], body: Sequence[Statement]) -> list[Statement]:
    """The statements where the tests hold, if there are any."""
    return [When(tuple(tests), tuple(body))] if tests and body else list(body)


def expressions(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The top expressions of statements, nested ones too."""
    return _tops(nested(statements))


def _tops(statements: Iterable[Statement]) -> Iterator[Expr]:
    """The top expressions of these statements alone."""
    for statement in statements:
        if statement.__class__ in PLAIN:
            yield from values(statement)
            continue
        yield from decides(statement)
        if isinstance(statement, Loop):
            yield from (e for c in statement.carries for e in c.initial)
        if isinstance(statement, When):
            yield from (atom.value for test in statement.tests for atom in test.index.dynamics())


def nested(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Every statement, each before those in it."""
    stack = list(reversed(statements))
    while stack:
        statement = stack.pop()
        yield statement
        if statement.__class__ not in PLAIN:
            for block in reversed(blocks(statement)):
                stack += reversed(block)


def stores(statements: Sequence[Statement]) -> Iterator[Store]:
    return (s for s in nested(statements) if isinstance(s, Store))


def offsets(statements: Sequence[Statement]) -> Iterator[Index]:
    """Where memory is read and written, each place of an expression once."""
    found = Contents(statements)
    yield from (store.offset for store in found.stores)
    yield from (e.offset for e in found.expressions if isinstance(e, Load))


def all_indices(statements: Sequence[Statement]) -> Iterator[Index]:
    """Every index in the statements: offsets, tests and indices used as numbers."""
    return Contents(statements).indices()


Terms: TypeAlias = "tuple[tuple[Atom, Dim], ...]"
"""What an index has beside its constant."""


def different_terms(found: Iterable[Index]) -> Iterable[Terms]:
    """The terms of indices, each once: most indices of a tile differ in a number alone, and share their terms."""
    return dict.fromkeys({id(index.terms): index.terms for index in found}.values())


class Contents:
    """What stands in statements, gathered once for all who ask."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self.body = statements
        self.statements = list(nested(statements))
        """Every one, each before those in it."""
        self.stores = [s for s in self.statements if isinstance(s, Store)]
        self.tests = [test for s in self.statements if isinstance(s, When) for test in s.tests]
        self.vector_loops = [s for s in self.statements if isinstance(s, Loop) and s.kind is Kind.VECTOR]

    @cached_property
    def expressions(self) -> list[Expr]:
        """Every expression once, operands first, but for those that tell where to write."""
        return list(walk(*_tops(self.statements)))

    @cached_property
    def loads(self) -> list[Load]:
        """Every read of memory, then those for places."""
        return [*(e for e in self.expressions if isinstance(e, Load)), *self._loads_of_places()]

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """Those read or written, but for scratch of a kernel's own."""
        found = {e.buffer: None for e in self.expressions if isinstance(e, Load)}
        found.update({store.buffer: None for store in self.stores})
        found.update({load.buffer: None for load in self._loads_of_places()})
        return tuple([b for b in found if b.scope not in PRIVATE])

    @cached_property
    def loaded(self) -> set[Buffer]:
        """Those that are read."""
        return {load.buffer for load in self.loads}

    def _loads_of_places(self) -> Iterator[Load]:
        """What is read to find out where to write, and whether that is within the array."""
        for index in (*[s.offset for s in self.stores], *[test.index for test in self.tests]):
            for atom in index.dynamics():
                yield from (e for e in walk(atom.value) if isinstance(e, Load))

    def indices(self) -> Iterator[Index]:
        """Every index: offsets, tests and indices used as numbers."""
        for store in self.stores:
            yield store.offset
            for atom in store.offset.dynamics():
                for expr in walk(atom.value):
                    yield from expr.indices()
        for test in self.tests:
            yield test.index
        for expr in self.expressions:
            yield from expr.indices()

    def variables(self) -> Iterator[LoopVar]:
        """Those of the loops among the statements."""
        for statement in self.statements:
            if isinstance(statement, Loop | While) and statement.var is not None:
                yield statement.var
            if isinstance(statement, Products):
                yield from (statement.row, statement.lane, statement.word)


def rebuilt(statement: Statement, each: Callable[[Statement], Statement]) -> Statement:
    """The statement with `each` applied to those in it."""

    def block(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(map(each, statements))

    match statement:
        case Loop() | When() | InTurn():
            return dataclasses.replace(statement, body=block(statement.body))
        case While():
            return dataclasses.replace(statement, test=block(statement.test), body=block(statement.body))
        case Choose():
            return Choose(statement.index, tuple(map(block, statement.branches)))
        case _:
            return statement


def replace(statement: Statement, places: Mapping[LoopVar, Index], memo: dict[int, Expr]) -> Statement:
    """The statement with loop variables replaced; what expressions share stays shared."""
    statement = rebuilt(statement, lambda inner: replace(inner, places, memo))
    if isinstance(statement, When):
        tests = tuple(Within(t.index.substitute(places), t.low, t.high) for t in statement.tests)
        return When(tests, statement.body)
    return _rewritten(statement, lambda e: substitute(e, places, memo), lambda b, i: (b, i.substitute(places)))


def moved(statements: Iterable[Statement], places: Mapping[LoopVar, Index]) -> list[Statement]:
    """Statements with loop variables replaced. What a store and a later statement share stays shared, or the later one
    would read what the store has written over."""
    memo: dict[int, Expr] = {}
    return [replace(statement, places, memo) for statement in statements]


def flops(exprs: Sequence[Expr]) -> int:
    """Machine operations to evaluate expressions once, shared parts counted once."""
    return sum(
        (expr.op.flops if isinstance(expr, Apply) else 1) * (4 if expr.dtype.is_complex else 1) for expr in walk(*exprs)
    )


def renewed_statement(statement: Statement, memo: dict[int, Expr]) -> Statement:
    """A statement like this one, whose expressions are computed apart from those of this one."""
    inside = rebuilt(statement, lambda inner: renewed_statement(inner, memo))
    return _rewritten(inside, lambda e: renewed(e, memo), lambda buffer, offset: (buffer, offset))


def relocated(statement: Statement, place: Placing, memo: dict[int, Expr]) -> Statement:
    """The statement reading and writing elsewhere."""
    inside = rebuilt(statement, lambda inner: relocated(inner, place, memo))

    def store(buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
        return place(buffer, relocate_index(offset, place, memo))

    if isinstance(inside, When):
        # A test whether a computed position is within the array reads what it was computed from.
        return When(
            tuple(Within(relocate_index(t.index, place, memo), t.low, t.high) for t in inside.tests), inside.body
        )
    return _rewritten(inside, lambda e: relocate(e, place, memo), store)


def _rewritten(statement: Statement, rewrite: Callable[[Expr], Expr], place: Placing) -> Statement:
    """The statement with its own expressions rewritten, not those of the statements in it."""

    def load(expr: Load) -> Load:
        found = rewrite(expr)
        assert isinstance(found, Load), "what is read to decide stays something that is read"
        return found

    match statement:
        case Let():
            return Let(statement.local, rewrite(statement.value))
        case Accumulate():
            return Accumulate(statement.carry, tuple(map(rewrite, statement.values)))
        case Store():
            return Store(*place(statement.buffer, statement.offset), rewrite(statement.value))
        case While():
            return dataclasses.replace(statement, predicate=load(statement.predicate))
        case Room(tape, number):
            return Room(tape, load(number)) if isinstance(number, Load) else statement
        case Products():
            sums, _ = place(statement.sums, indices.ZERO)
            term = rewrite(statement.term)
            assert isinstance(term, Dot), "products stay products"
            return dataclasses.replace(statement, sums=sums, term=term)
        case Loop():
            start, stop = (load(bound) if bound else None for bound in (statement.start, statement.stop))
            return dataclasses.replace(statement, start=start, stop=stop)
        case Choose():
            return Choose(load(statement.index), statement.branches)
        case _:
            return statement
