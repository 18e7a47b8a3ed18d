"""Looking into the statements of kernels: their expressions, what they read and write, and with other variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Expr,
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


def loaded_buffers(statements: Sequence[Statement]) -> set[Buffer]:
    """The buffers that are read."""
    found = {e.buffer for top in expressions(statements) for e in walk(top) if isinstance(e, Load)}
    for store in stores(statements):
        for atom, _ in store.offset.terms:
            if isinstance(atom, Dynamic):
                found |= {e.buffer for e in walk(atom.value) if isinstance(e, Load)}
    return found


def loop_variables(statements: Sequence[Statement]) -> Iterator[LoopVar]:
    """The variables of the loops among the statements."""
    for statement in statements:
        if isinstance(statement, Loop):
            yield statement.var
        if isinstance(statement, Loop | When):
            yield from loop_variables(statement.body)


def rewrite_expressions(
    statement: Statement, rewrite: Callable[[Expr], Expr], place: Callable[[Buffer, Index], tuple[Buffer, Index]]
) -> Statement:
    """The statement with each expression rewritten, and each store put where `place` says."""
    match statement:
        case Let():
            return Let(statement.local, rewrite(statement.value))
        case Accumulate():
            return Accumulate(statement.carry, tuple(map(rewrite, statement.values)))
        case Store():
            return Store(*place(statement.buffer, statement.offset), rewrite(statement.value))
        case When():
            return When(statement.tests, tuple(rewrite_expressions(s, rewrite, place) for s in statement.body))
        case Loop():
            body = tuple(rewrite_expressions(s, rewrite, place) for s in statement.body)
            return Loop(statement.var, statement.kind, body, statement.carries, statement.parallel, statement.unroll)
