"""Radix sort of records: a counting sort by each byte of the key, from the last to the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import Records


def radix_text(records: Records, digits: Sequence[int], name: str, declarations: set[str]) -> str:
    """The function `i1 name(i64 count, ptr parts…, ptr others…)`, which sorts records.

    `digits` are the bytes of the first part that are sorted by, the last of which has the sign. It gives whether the
    records are in the others then. A byte that is the same in all keys costs nothing but to see that.
    """
    f = Function(declarations)
    e, count, key = f.e, Val("%count", "i64"), records.parts[0]
    a, b = records.pointers("a", "b")
    here, there = ([f.variable(p) for p in array] for array in (a, b))
    moved = f.variable(e.const(False, "i1"))
    tables = f.room("i64", 256 * len(digits))
    declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    e.line(f"call void @llvm.memset.p0.i64(ptr align 64 {tables.ref}, i8 0, i64 {2048 * len(digits)}, i1 false)")

    def array(slots: Sequence[Val]) -> list[Val]:
        return [e.load(slot, "ptr") for slot in slots]

    def table(number: int, digit: Val) -> Val:
        return e.offset(tables, e.add(f.word(256 * number), digit), "i64")

    def digit_of(x: Val, number: int) -> Val:
        shifted = e.lshr(x, e.const(8 * digits[number], x.elem))
        return e.convert("zext", e.convert("trunc", shifted, "i8"), "i64")

    def tally(place: Val) -> None:
        x = e.load(e.offset(a[0], place, key), key)
        for number in range(len(digits)):
            f.add_to(table(number, digit_of(x, number)), f.word(1))

    f.loop(f.word(0), count, 1, tally)
    for number in range(len(digits)):
        # The sign comes first where it is set.
        sign = f.word(0x80 if number == len(digits) - 1 else 0)
        total = f.variable(f.word(0))

        def sum_up(place: Val, number: int = number, sign: Val = sign, total: Val = total) -> None:
            slot = table(number, e.bit_xor(place, sign))
            e.store(f.add_to(total, e.load(slot, "i64")), slot)

        def move(place: Val, number: int = number) -> None:
            record = records.load(e, array(here), place, 1)
            goal = f.add_to(table(number, digit_of(record[0], number)), f.word(1))
            records.store(e, record, array(there), goal)

        def sort(sum_up: Callable[[Val], None] = sum_up, move: Callable[[Val], None] = move) -> None:
            f.loop(f.word(0), f.word(256), 1, sum_up)
            f.loop(f.word(0), count, 1, move)
            for slots in zip(here, there, strict=True):
                for slot, p in zip(slots, reversed(array(slots)), strict=True):
                    e.store(p, slot)
            e.store(e.bit_xor(e.load(moved, "i1"), e.const(True, "i1")), moved)

        first = digit_of(e.load(e.load(here[0], "ptr"), key), number)
        f.when(e.icmp("ne", e.load(table(number, first), "i64"), count), sort)
    e.line(f"ret i1 {e.load(moved, 'i1').ref}")
    return f.text(f"internal i1 @{name}(i64 %count, {records.parameters('a', 'b')})")
