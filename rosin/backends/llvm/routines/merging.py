"""Merge sort of records that fit the first cache: blocks sorted by a network, then runs merged by vectors.

A step of a merge gives out one register of records, of the two whose records are the least of both runs; it then reads
from the run that goes on with the lesser one, which no branch decides.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.networks import merged
from rosin.backends.llvm.routines.records import BYTES, Records, is_less, texts

MERGE = "merge"
"""The function that merges runs of a routine's records."""


def merging_text(records: Records, block: int, network: str, name: str, declarations: set[str]) -> str:
    """The function `i1 name(i64 count, ptr parts…, ptr others…)`, which calls the one of `merge_text`.

    It sorts records, whose count is a multiple of `block`, by the network of that size, and gives whether they are in
    the others then. Both arrays have room for one more register of records.
    """
    f = Function(declarations)
    e, count = f.e, Val("%count", "i64")
    a, b = records.pointers("a", "b")
    f.loop(f.word(0), count, block, lambda place: e.line(f"call void @{network}({texts(*records.at(e, a, place))})"))
    width, moved = f.variable(f.word(block)), f.variable(e.const(False, "i1"))

    def level() -> None:
        wide, is_moved = e.load(width, "i64"), e.load(moved, "i1")
        here = [e.select(is_moved, y, x) for x, y in zip(a, b, strict=True)]
        there = [e.select(is_moved, x, y) for x, y in zip(a, b, strict=True)]

        def pair(place: Val) -> None:
            first = e.intrinsic("llvm.smin", wide, e.sub(count, place))
            second = e.intrinsic("llvm.smin", wide, e.sub(e.sub(count, place), first))
            arrays = [*records.at(e, here, place), *records.at(e, there, place)]
            e.line(f"call void @{MERGE}({texts(first, second, *arrays)})")

        f.loop(f.word(0), count, e.add(wide, wide), pair)
        e.store(e.add(wide, wide), width)
        e.store(e.bit_xor(is_moved, e.const(True, "i1")), moved)

    f.repeat(lambda: e.icmp("slt", e.load(width, "i64"), count), level)
    e.line(f"ret i1 {e.load(moved, 'i1').ref}")
    return f.text(f"internal i1 @{name}(i64 %count, {records.parameters('a', 'b')})")


def merge_text(records: Records, name: str, declarations: set[str]) -> str:
    """`void name(i64 first, i64 second, ptr parts…, ptr targets…)`: two runs, one after the other, into one."""
    f = Function(declarations)
    e, lanes = f.e, records.lanes
    first, second = Val("%first", "i64"), Val("%second", "i64")
    a, out = records.pointers("a", "out")
    b = records.at(e, a, first)

    def both() -> None:
        count = e.add(first, second)
        places = [f.variable(f.word(lanes)) for _ in range(2)]
        low, high = ([f.variable(v) for v in records.load(e, run, f.word(0), lanes)] for run in (a, b))

        def step(place: Val) -> None:
            x, y = (tuple(e.load(s, p, lanes) for s, p in zip(r, records.parts, strict=True)) for r in (low, high))
            less, more = merged(e, x, y)
            records.store(e, less, out, place)
            i, j = (e.load(p, "i64") for p in places)
            heads = [e.load(e.offset(run[0], p, records.parts[0]), records.parts[0]) for run, p in ((a, i), (b, j))]
            # Records that tie are in their order: those of the first run come first.
            not_after = e.bit_xor(is_less(e, *reversed(heads)), e.const(True, "i1"))
            before = e.bit_or(e.icmp("sge", j, second), not_after)
            from_first = e.bit_and(e.icmp("slt", i, first), before)
            taken = zip(records.at(e, a, i), records.at(e, b, j), high, records.parts, strict=True)
            for one, other, slot, part in taken:
                e.store(e.load(e.select(from_first, one, other), part, lanes, align=BYTES[part]), slot)
            for slot, value in zip(low, more, strict=True):
                e.store(value, slot)
            ahead = e.select(from_first, f.word(lanes), f.word(0))
            e.store(e.add(i, ahead), places[0])
            e.store(e.sub(e.add(j, f.word(lanes)), ahead), places[1])

        last = e.sub(count, f.word(lanes))
        f.loop(f.word(0), last, lanes, step)
        records.store(e, [e.load(s, part, lanes) for s, part in zip(low, records.parts, strict=True)], out, last)

    def alone() -> None:
        f.loop(f.word(0), first, lanes, lambda p: records.store(e, records.load(e, a, p, lanes), out, p))

    f.when(e.icmp("sgt", second, f.word(0)), both, alone)
    e.line("ret void")
    return f.text(f"internal void @{name}(i64 %first, i64 %second, {records.parameters('a', 'out')})")
