"""Sorting of very long arrays of records, on threads: chunks that fit the second cache, which are then merged.

A level of merges has half as many of them as the one before; each runs on one thread. The result is the same on any
number of threads, since sorted records have one order.
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import BYTES, CHUNK, Records, texts

MANY = 7
"""Where there were so many chunks, half as many, twice as long, take a level of merges less."""


def chunks_texts(records: Records, sort: str, name: str, merge: str, declarations: set[str]) -> list[str]:
    """The function `i1 name(i64 count, ptr parts…, ptr others…)`, and those that it needs.

    It sorts records, whose count is a multiple of the lanes, in chunks by the function `sort`, puts these together by
    `merge`, and gives whether the records are in the others then. Both arrays have room for one more register of
    records.
    """

    def chunk(f: Function, count: Val, width: Val, place: Val, a: list[Val], b: list[Val]) -> None:
        e = f.e
        length = e.intrinsic("llvm.smin", width, e.sub(count, place))
        moved = e.define(f"call i1 @{sort}({texts(length, *a, *b)})", "i1")

        def copy() -> None:
            for goal, source, part in zip(a, b, records.parts, strict=True):
                e.copy_bytes(goal, source, e.mul(length, f.word(BYTES[part])))

        f.when(moved, copy)

    def pair(f: Function, count: Val, width: Val, place: Val, a: list[Val], b: list[Val]) -> None:
        e, half = f.e, f.e.lshr(width, f.word(1))
        first = e.intrinsic("llvm.smin", half, e.sub(count, place))
        second = e.intrinsic("llvm.smin", half, e.sub(e.sub(count, place), first))
        e.line(f"call void @{merge}({texts(first, second, *a, *b)})")

    return [
        _on_threads(records, f"{name}_chunk", declarations, chunk),
        _on_threads(records, f"{name}_pair", declarations, pair),
        _sort(records, name, declarations),
    ]


Body = Callable[[Function, Val, Val, Val, list[Val], list[Val]], None]
"""Does one piece: the function it stands in, the count, the width of a piece, its place, and both arrays there."""


def _on_threads(records: Records, name: str, declarations: set[str], body: Body) -> str:
    """`void name(ptr words, i64 begin, i64 end)`: some pieces. The words are count, width, and the arrays."""
    f = Function(declarations)
    e, parts = f.e, len(records.parts)

    def word(number: int, elem: str) -> Val:
        return e.load(e.offset(Val("%words", "ptr"), f.word(number), "i64"), elem)

    count, width = word(0, "i64"), word(1, "i64")
    arrays = [[word(2 + parts * array + part, "ptr") for part in range(parts)] for array in range(2)]

    def piece(number: Val) -> None:
        place = e.mul(number, width)
        body(f, count, width, place, *(records.at(e, array, place) for array in arrays))

    f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
    e.line("ret void")
    return f.text(f"internal void @{name}(ptr %words, i64 %begin, i64 %end)", cold=True)


def _sort(records: Records, name: str, declarations: set[str]) -> str:
    f = Function(declarations)
    e, count = f.e, Val("%count", "i64")
    declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
    a, b = records.pointers("a", "b")
    words = f.room("i64", 2 + 2 * len(a))
    many = e.icmp("sge", count, f.word(MANY * CHUNK))
    moved, width = f.variable(e.const(False, "i1")), f.variable(e.select(many, f.word(2 * CHUNK), f.word(CHUNK)))

    def pieces(function: str) -> None:
        """Do all pieces of the width from one array to the other."""
        wide, is_moved = e.load(width, "i64"), e.load(moved, "i1")
        arrays = [e.select(is_moved, *p) for pair in ((b, a), (a, b)) for p in zip(*pair, strict=True)]
        for position, value in enumerate((count, wide, *arrays)):
            e.store(value, e.offset(words, f.word(position), "i64"))
        number = e.binary("udiv", e.add(count, e.sub(wide, f.word(1))), wide)
        e.line(f"call void @{PARALLEL}(ptr @{name}_{function}, {texts(words, number)})")

    def level() -> None:
        e.store(e.shl(e.load(width, "i64"), f.word(1)), width)
        pieces("pair")
        e.store(e.bit_xor(e.load(moved, "i1"), e.const(True, "i1")), moved)

    pieces("chunk")
    f.repeat(lambda: e.icmp("slt", e.load(width, "i64"), count), level)
    e.line(f"ret i1 {e.load(moved, 'i1').ref}")
    return f.text(f"internal i1 @{name}(i64 %count, {records.parameters('a', 'b')})", cold=True)
