"""Places in memory whose numbers are read from memory themselves, inside of quotients and remainders too."""

from __future__ import annotations

from rosin.ir import dtypes, index
from rosin.ir.index import Dynamic, Index
from rosin.ir.loops import Buffer, Load, Scope, relocate, walk
from rosin.ir.statements import Store, loaded_buffers


def buffer(name: str) -> Buffer:
    return Buffer(name, dtypes.i64, 100, Scope.ARENA)


def test_what_is_read_inside_of_a_quotient_is_read() -> None:
    table, rows, other, result = map(buffer, ("table", "rows", "other", "result"))
    row = index.of(Dynamic(Load(rows, Index(3)), 0, 50))
    for place in (row // 7, row % 7, index.least(row, 9), (row * 3 + 1) // 5 + row % 2):
        load = Load(table, place)
        assert {e.buffer for e in walk(load) if isinstance(e, Load)} == {table, rows}
        assert loaded_buffers([Store(result, place, Load(table, Index(0)))]) == {table, rows}
        moved = relocate(load, lambda b, offset: (other if b is rows else b, offset), {})
        assert {e.buffer for e in walk(moved) if isinstance(e, Load)} == {table, other}
