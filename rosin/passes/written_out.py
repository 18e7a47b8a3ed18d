"""Folds of few terms written out: of passes over columns nothing is left but expressions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Expr, Let, Local, Statement, Store
from rosin.ir.statements import all_indices, replace
from rosin.ir.steps import Inner, statements_of


def written_out(columns: Sequence[LoopVar], body: Sequence[Statement | Inner]) -> list[Statement] | None:
    """The statements of a nest, its columns of known lengths written out one after the other and what they fold as
    expressions in what reads it; None where a fold goes on from place to place, or something else is in the nest."""
    inside = statements_of(body)
    if any(index.dynamics() for index in all_indices(inside)):
        # What is read from memory for a place may be what was folded.
        return None
    found: list[Statement] = []
    known: dict[Local, Expr] = {}
    for part in body:
        steps = _passed(columns, part) if isinstance(part, Inner) else [part]
        if isinstance(part, Inner):
            if any(carry.neutral for carry in part.carries):
                return None
            known.update((x, e) for carry in part.carries for x, e in zip(carry.locals, carry.initial, strict=True))
        for step in steps:
            if isinstance(step, Let):
                known[step.local] = with_locals(step.value, known)
            elif isinstance(step, Accumulate):
                carry = step.carry
                terms = [with_locals(value, known) for value in step.values]
                sides = [*carry.left, *carry.right], [*(known[x] for x in carry.locals), *terms]
                places = dict(zip(*sides, strict=True))
                sums = [with_locals(combined, places) for combined in carry.take or carry.combine]
                known.update(zip(carry.locals, sums, strict=True))
            elif isinstance(step, Store):
                found.append(Store(step.buffer, step.offset, with_locals(step.value, known)))
            else:
                return None
    return found


def _passed(columns: Sequence[LoopVar], part: Inner) -> Iterator[Statement]:
    """The statements of a pass, place after place."""
    sizes = [var.extent for var in columns if isinstance(var.extent, int)]
    for at in itertools.product(*map(range, sizes)):
        places, memo = dict(zip(columns, map(Index, at), strict=True)), dict[int, Expr]()
        yield from (replace(s, places, memo) for s in part.body)


def with_locals(expr: Expr, known: Mapping[Local, Expr]) -> Expr:
    """An expression with locals replaced; what it shares stays shared."""
    memo: dict[int, Expr] = {}

    def replaced(e: Expr) -> Expr:
        if isinstance(e, Local):
            return known.get(e, e)
        found = memo.get(id(e))
        if found is None:
            children = tuple(map(replaced, e.children()))
            found = memo[id(e)] = e if children == e.children() else e.rebuild(children, e.indices())
        return found

    return replaced(expr)
