"""Places in memory whose numbers are read from memory themselves, inside of quotients and remainders too; and where
elements of a reshaped array are."""

from __future__ import annotations

from rosin.ir import dtypes, index
from rosin.ir.dims import symbol
from rosin.ir.index import ZERO, Dynamic, Index, LoopVar
from rosin.ir.loops import Buffer, Load, Scope, relocate, walk
from rosin.ir.statements import Contents, Store


def buffer(name: str) -> Buffer:
    return Buffer(name, dtypes.i64, 100, Scope.ARENA)


def test_what_is_read_inside_of_a_quotient_is_read() -> None:
    table, rows, other, result = map(buffer, ("table", "rows", "other", "result"))
    row = index.of(Dynamic(Load(rows, Index(3)), 0, 50))
    for place in (row // 7, row % 7, index.least(row, 9), (row * 3 + 1) // 5 + row % 2):
        load = Load(table, place)
        assert {e.buffer for e in walk(load) if isinstance(e, Load)} == {table, rows}
        assert Contents([Store(result, place, Load(table, Index(0)))]).loaded == {table, rows}
        moved = relocate(load, lambda b, offset: (other if b is rows else b, offset), {})
        assert {e.buffer for e in walk(moved) if isinstance(e, Load)} == {table, other}


def test_a_reshape_tells_axes_apart_that_both_shapes_have() -> None:
    """So an index that leaves one axis, as beyond a border, says nothing of the others."""
    i, j, k = (index.of(LoopVar(name, 9)) for name in "ijk")
    assert index.reshaped((ZERO, i, j - 1, k), (1, 9, 8, 9), (9, 1, 8, 9)) == (i, ZERO, j - 1, k)
    assert index.reshaped((i, j, k), (9, 9, 9), (81, 9)) == (j + i * 9, k)
    assert index.reshaped((j + i * 9, k), (81, 9), (9, 9, 9, 1)) == (i, j, k, ZERO)
    assert index.reshaped((), (), (1, 1)) == (ZERO, ZERO)
    assert index.reshaped((ZERO, ZERO), (1, 1), ()) == ()
    n = symbol("n")
    assert index.reshaped((i, j), (9, n), (n, 9)) == index.unflatten(j + i * n, (n, 9))
