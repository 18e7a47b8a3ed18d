"""Radix sort of records: a counting sort by each byte of the key, from the last to the first."""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import Records

DIGITS = 256


def radix_text(records: Records, digits: range, name: str, declarations: set[str]) -> str:
    """The function `i1 name(i64 count, ptr parts…, ptr others…)`, which sorts records.

    `digits` are the bytes of the first part that are sorted by, the last of which has the sign. It gives whether the
    records are in the others then. All bytes are counted in one pass; one that is the same in all keys needs no more.
    """
    f = Function(declarations)
    e, count, key = f.e, Val("%count", "i64"), records.parts[0]
    a, b = records.pointers("a", "b")
    moved = f.variable(e.const(False, "i1"))
    tables = f.room("i64", DIGITS * len(digits))
    declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    e.line(f"call void @llvm.memset.p0.i64(ptr {tables.ref}, i8 0, i64 {8 * DIGITS * len(digits)}, i1 false)")

    def tally(place: Val) -> None:
        x = e.load(e.offset(a[0], place, key), key)
        for number, digit in enumerate(digits):
            counter = e.offset(tables, f.word(DIGITS * number), "i64")
            f.add_to(e.offset(counter, _byte(e, x, e.const(8 * digit, key)), "i64"), f.word(1))

    def sort(number: Val) -> None:
        counter = e.offset(tables, e.mul(number, f.word(DIGITS)), "i64")
        shift = e.convert("trunc", e.mul(e.add(number, f.word(digits[0])), f.word(8)), key)
        # The sign comes first where it is set.
        sign = e.select(e.icmp("eq", number, f.word(len(digits) - 1)), f.word(DIGITS // 2), f.word(0))
        is_moved = e.load(moved, "i1")
        here, there = [[e.select(is_moved, *p) for p in zip(*pair, strict=True)] for pair in ((b, a), (a, b))]
        first = _byte(e, e.load(here[0], key), shift)

        def move() -> None:
            _by_byte(f, records, counter, shift, sign, here, there)
            e.store(e.bit_xor(is_moved, e.const(True, "i1")), moved)

        f.when(e.icmp("ne", e.load(e.offset(counter, first, "i64"), "i64"), count), move)

    f.loop(f.word(0), count, 1, tally)
    f.loop(f.word(0), f.word(len(digits)), 1, sort)
    e.line(f"ret i1 {e.load(moved, 'i1').ref}")
    return f.text(f"internal i1 @{name}(i64 %count, {records.parameters('a', 'b')})")


def _by_byte(
    f: Function, records: Records, counter: Val, shift: Val, sign: Val, here: list[Val], there: list[Val]
) -> None:
    """Move records from here to there in the order of one byte, given how often each byte occurs."""
    e, total = f.e, f.variable(f.word(0))

    def sum_up(place: Val) -> None:
        slot = e.offset(counter, e.bit_xor(place, sign), "i64")
        e.store(f.add_to(total, e.load(slot, "i64")), slot)

    def move(place: Val) -> None:
        record = records.load(e, here, place, 1)
        goal = f.add_to(e.offset(counter, _byte(e, record[0], shift), "i64"), f.word(1))
        records.store(e, record, there, goal)

    f.loop(f.word(0), f.word(DIGITS), 1, sum_up)
    f.loop(f.word(0), Val("%count", "i64"), 1, move)


def _byte(e: Emitter, key: Val, shift: Val) -> Val:
    return e.convert("zext", e.convert("trunc", e.lshr(key, shift), "i8"), "i64")
