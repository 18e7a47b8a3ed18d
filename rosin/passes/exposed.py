"""What a kernel may read as it was before the kernel: reads of what an earlier statement of it wrote do not count.

A store covers a later read if it has written that element by then whatever happens: in the same iteration of the loops
around both, and in any iteration of the other loops around the store, which are through.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence

from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import bool_
from rosin.ir.index import ZERO, Index, LoopVar
from rosin.ir.loops import (
    Buffer,
    Expr,
    InTurn,
    Let,
    Load,
    Local,
    Loop,
    Statement,
    Store,
    When,
    While,
    blocks,
    decides,
    values,
    walk,
)
from rosin.ir.statements import PRIVATE
from rosin.ir.steps import Inner, Kernel, Nest

MOST_STORES = 64
"""Of so many stores to a buffer in loops that are through it is asked what they wrote."""


def exposed(leaf: Kernel | Nest) -> set[Buffer]:
    """The buffers of which a kernel may read what it has not written before."""
    loaded = leaf.contents.loaded
    both = {s.buffer for s in leaf.contents.stores if s.buffer.scope not in PRIVATE and s.buffer in loaded}
    return (loaded - both) | _Search(both).of(leaf) if both else loaded


@dataclass(frozen=True)
class _Written:
    """The elements at an offset, for all values of the variables of loops that are `through`."""

    offset: Index
    through: tuple[LoopVar, ...] = ()

    def covers(self, offset: Index) -> bool:
        """Whether the element at another offset is one of them, the other variables being those of common loops."""
        if not self.through:
            return self.offset == offset
        steps = {var: self.offset.coefficient(var) for var in self.through}
        fixed = Index(self.offset.constant, tuple(term for term in self.offset.terms if term[0] not in steps))
        if not fixed.variables().isdisjoint(self.through):
            return False
        rest = offset - fixed
        for var, step in sorted(steps.items(), key=lambda item: facts.estimate(item[1]), reverse=True):
            # The iteration that has written it is the quotient; where all write one place, there has been one at all.
            if step == 0 and facts.known_at_least(var.extent, 1):
                continue
            if not facts.known_at_least(step, 1) or not _counts(rest // step, var.extent):
                return False
            rest = rest % step
        return rest == ZERO


def _counts(index: Index, extent: Dim) -> bool:
    """Whether an index is one of `0 … extent - 1`."""
    low, high = index.bounds()
    above = low is not None and facts.known_at_least(low, 0)
    return above and high is not None and facts.known_at_least(extent - 1, high)


class _Search:
    """The statements of a kernel in their order: what they read of some buffers, and what is written by then."""

    def __init__(self, buffers: Collection[Buffer]) -> None:
        self.found: set[Buffer] = set()
        self.written: dict[Buffer, list[_Written]] = {buffer: [] for buffer in buffers}

    def of(self, leaf: Kernel | Nest) -> set[Buffer]:
        """The buffers of which the kernel may read what it has not written before."""
        columns = leaf.columns if isinstance(leaf, Nest) else ()
        for part in leaf.body:
            if isinstance(part, Inner):
                self._read(e for carry in part.carries for e in carry.initial)
                self._within((part.body,), columns)
            else:
                self._visit(part)
        return self.found

    def _visit(self, statement: Statement) -> None:
        self._read(values(statement))
        match statement:
            case Store(buffer, offset):
                self._read(_computed(offset))
                if buffer in self.written and not offset.dynamics():
                    self.written[buffer].append(_Written(offset))
            case Loop():
                self._read((*decides(statement), *(e for carry in statement.carries for e in carry.initial)))
                self._within((statement.body,), None if decides(statement) else (statement.var,))
            case When():
                self._read(e for test in statement.tests for e in _computed(test.index))
                self._within((statement.body,), None)
            case While():
                self._within((statement.test, (Let(Local("", bool_), statement.predicate),), statement.body), None)
            case InTurn():
                self._within((statement.body,), ())
            case _:
                self._read(decides(statement))
                for block in blocks(statement):
                    self._within((block,), None)

    def _within(self, parts: Iterable[Sequence[Statement]], through: tuple[LoopVar, ...] | None) -> None:
        """Statements that run for all values of these variables; None if they may not run at all."""
        before = {buffer: len(found) for buffer, found in self.written.items()}
        for statement in itertools.chain(*parts):
            self._visit(statement)
        for buffer, found in self.written.items():
            inside = found[before[buffer] :]
            del found[before[buffer] :]
            if through is not None:
                found += [_Written(w.offset, (*w.through, *through)) for w in inside[:MOST_STORES]]

    def _read(self, exprs: Iterable[Expr]) -> None:
        for expr in walk(*exprs):
            if isinstance(expr, Load) and expr.buffer in self.written and expr.buffer not in self.found:
                if not any(w.covers(expr.offset) for w in reversed(self.written[expr.buffer])):
                    self.found.add(expr.buffer)


def _computed(index: Index) -> Iterator[Expr]:
    """The numbers that are read for an index."""
    return (atom.value for atom in index.dynamics())
