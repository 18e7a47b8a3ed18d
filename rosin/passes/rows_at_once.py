"""Several rows of a fold at once, which read what they have in common once: as a matrix by a vector does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace as replace_fields

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
    if not isinstance(row.extent, int) or row.extent < 2 * ROWS or not is_one_sum(body):
        return None
    first = body[0]
    assert isinstance(first, Inner), "a sum"
    along = [i for i in offsets(first.body) if i.affine_in(lanes) and i.coefficient(lanes) == 1]
    if not all(i.affine_in(row) for i in along) or len({i.coefficient(row) == 0 for i in along}) < 2:
        return None

    def lot(start: Index, count: int) -> list[Statement]:
        together, after = side_by_side(row, start, count, body)
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


def is_one_sum(body: Sequence[Statement | Inner]) -> bool:
    """Whether a row is one sum and what follows from it, so that several rows may be written side by side."""
    first, *others = body
    if not isinstance(first, Inner) or len(first.carries) != 1 or first.carries[0].neutral:
        return False
    of_row = [s for s in others if isinstance(s, Let | Store)]
    if len(of_row) < len(others) or not all(isinstance(s, Accumulate) for s in first.body):
        return False
    return not any(index.dynamics() for index in all_indices([*first.body, *of_row]))


def side_by_side(
    row: LoopVar, start: Index, count: int, body: Sequence[Statement | Inner]
) -> tuple[Inner, list[Statement]]:
    """The sums of so many rows, each of which is one, in one pass, and what follows from them."""
    first, *others = body
    assert isinstance(first, Inner), "a sum"
    (carry,) = first.carries
    terms, carries, after = list[Statement](), list[Carry](), list[Statement]()
    for at in range(count):
        places, memo = {row: start + at}, dict[int, Expr]()
        mine = replace_fields(carry, locals=tuple(Local(f"{x.name}_{at}", x.dtype) for x in carry.locals))
        known: dict[Local, Expr] = dict(zip(carry.locals, mine.locals, strict=True))
        carries.append(mine)
        for s in first.body:
            assert isinstance(s, Accumulate), "a sum"
            terms.append(Accumulate(mine, tuple(substitute(v, places, memo) for v in s.values)))
        for s in others:
            assert isinstance(s, Let | Store), "what follows from a sum"
            moved = replace(s, places, memo)
            if isinstance(moved, Let):
                known[moved.local] = local = Local(f"{moved.local.name}_{at}", moved.local.dtype)
                after.append(Let(local, with_locals(moved.value, known)))
            else:
                assert isinstance(moved, Store)
                after.append(Store(moved.buffer, moved.offset, with_locals(moved.value, known)))
    return Inner(tuple(terms), tuple(carries)), after
