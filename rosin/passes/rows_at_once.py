"""Several rows of a fold at once, which read what they have in common once: as a matrix by a vector does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace as replace_fields
from typing import NamedTuple

from rosin.ir import index as indices
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Accumulate, Carry, Expr, Let, Local, Statement, Store, When, Within, substitute
from rosin.ir.statements import all_indices, offsets, replace
from rosin.ir.steps import Inner
from rosin.passes.written_out import with_locals

ROWS = 4
"""So many rows: they read a vector of what they share for as many sums."""


def rows_at_once(
    row: LoopVar, lanes: LoopVar, body: Sequence[Statement | Inner], loop: Callable[[Inner], Statement]
) -> tuple[LoopVar, list[Statement]] | None:
    """The loop from one lot of rows to the next, and its body, in which `loop` makes what runs along them; None where
    rows share no vectors, or are not one sum each."""
    found = one_sum(body)
    if not isinstance(row.extent, int) or row.extent < 2 * ROWS or found is None:
        return None
    along = [i for i in offsets(found.terms) if i.affine_in(lanes) and i.coefficient(lanes) == 1]
    if not all(i.affine_in(row) for i in along) or len({i.coefficient(row) == 0 for i in along}) < 2:
        return None

    def lot(start: Index, count: int) -> list[Statement]:
        together, after = side_by_side(row, start, count, found)
        return [loop(together), *after]

    whole, rest = divmod(row.extent, ROWS)
    block = LoopVar(f"{row.name}_lot", whole + (rest > 0))
    place = indices.of(block)
    if not rest:
        return block, lot(place * ROWS, ROWS)
    return block, [
        When((Within(place, 0, whole),), tuple(lot(place * ROWS, ROWS))),
        When((Within(place, whole, whole + 1),), tuple(lot(indices.ZERO + whole * ROWS, rest))),
    ]


class OneSum(NamedTuple):
    """What a row comes to: a sum, and what follows from it."""

    carry: Carry
    terms: Sequence[Accumulate]
    after: Sequence[Let | Store]


def one_sum(body: Sequence[Statement | Inner]) -> OneSum | None:
    """The sum of a row that is one, so that several rows may be written side by side."""
    first, *others = body
    if not isinstance(first, Inner) or len(first.carries) != 1 or first.carries[0].neutral:
        return None
    terms = [s for s in first.body if isinstance(s, Accumulate)]
    after = [s for s in others if isinstance(s, Let | Store)]
    if len(terms) < len(first.body) or len(after) < len(others):
        return None
    if any(index.dynamics() for index in all_indices([*terms, *after])):
        return None
    return OneSum(first.carries[0], terms, after)


def side_by_side(row: LoopVar, start: Index, count: int, found: OneSum) -> tuple[Inner, list[Statement]]:
    """The sums of so many rows in one pass, and what follows from them."""
    carry = found.carry
    terms, carries, after = list[Statement](), list[Carry](), list[Statement]()
    for at in range(count):
        places, memo = {row: start + at}, dict[int, Expr]()
        mine = replace_fields(carry, locals=tuple(Local(f"{x.name}_{at}", x.dtype) for x in carry.locals))
        known: dict[Local, Expr] = dict(zip(carry.locals, mine.locals, strict=True))
        carries.append(mine)
        for s in found.terms:
            terms.append(Accumulate(mine, tuple(substitute(v, places, memo) for v in s.values)))
        for s in (replace(s, places, memo) for s in found.after):
            if isinstance(s, Let):
                known[s.local] = local = Local(f"{s.local.name}_{at}", s.local.dtype)
                after.append(Let(local, with_locals(s.value, known)))
            else:
                assert isinstance(s, Store)
                after.append(Store(s.buffer, s.offset, with_locals(s.value, known)))
    return Inner(tuple(terms), tuple(carries)), after
