"""The places of sorted keys of 64 bits by a window of 32 of these bits, which a place goes along with in one integer.

It is a window of how much a key is above the least one of its line, and begins at the highest bit that these numbers
have. Such records take half of the passes, and less memory, than a key and a place apart. If bits below the window
differ too, keys that are alike in it are put in order where they are, which takes few steps unless many are alike; then
the line is left to another way of sorting.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.chunks import chunks_texts
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import Keys
from rosin.backends.llvm.routines.merging import merge_text
from rosin.backends.llvm.routines.radix import radix_text
from rosin.backends.llvm.routines.records import CHUNK, Records, places_from, texts
from rosin.ir.ops.sort import SLACK

BITS = 32


def windows_texts(keys: Keys, lanes: int, name: str, chunks: bool, declarations: set[str]) -> list[str]:
    """The function `i1 name(ptr source, ptr target, ptr room, i64 count, i64 mask)`, and those that it needs.

    It gives whether it has sorted the line, which has more elements than a vector has lanes, and without `chunks` no
    more than a chunk; the room is that of two arrays of records.
    """
    records = Records(("i64",), lanes)
    functions = [radix_text(records, range(4, 8), f"{name}_by_bytes", declarations)]
    if chunks:
        functions.append(merge_text(records, f"{name}_merge", declarations))
        functions += chunks_texts(records, f"{name}_by_bytes", f"{name}_by_chunks", f"{name}_merge", declarations)
    windows = [_Window(keys, lanes, name, chunks, declarations) for _ in range(2)]
    return [*functions, windows[0].repair_text(), windows[1].text()]


class _Window:
    """The text of a function that sorts by windows."""

    def __init__(self, keys: Keys, lanes: int, name: str, chunks: bool, declarations: set[str]) -> None:
        self.keys, self.lanes, self.name, self.chunks = keys, lanes, name, chunks
        self.f = Function(declarations)
        self.e = self.f.e
        self.source, self.count, self.mask = Val("%source", "ptr"), Val("%count", "i64"), Val("%mask", "i64")

    def text(self) -> str:
        f, e, count = self.f, self.e, self.count
        least, most, differing = self._extent()
        # The bits of the greatest number, less the window, are below it.
        leading = e.intrinsic("llvm.ctlz", e.sub(most, least), trailing=("i1 false",))
        below = e.intrinsic("llvm.smax", e.sub(f.word(64 - BITS), leading), f.word(0))
        exact = e.icmp("eq", e.bit_and(differing, e.sub(e.shl(f.word(1), below), f.word(1))), f.word(0))
        here = Val("%room", "ptr")
        there = e.offset(here, e.add(count, f.word(SLACK)), "i64")

        def pack(place: Val, lanes: int = self.lanes) -> None:
            above = e.lshr(e.sub(self._keys(place, lanes), e.splat(least, lanes)), e.splat(below, lanes))
            # The order of records is that of signed numbers.
            window = e.bit_xor(e.shl(above, e.const(BITS, "i64", lanes)), e.const(-1 << 63, "i64", lanes))
            e.store(e.bit_or(window, places_from(e, place, lanes)), e.offset(here, place, "i64"), align=8)

        f.covering(count, self.lanes, pack)
        sorted = self._sorted(here, there)
        done = f.variable(exact)

        def repair() -> None:
            given = texts(self.source, sorted, count, self.mask)
            e.store(e.define(f"call i1 @{self.name}_repair({given})", "i1"), done)

        def place_of(place: Val, lanes: int = self.lanes) -> None:
            record = e.load(e.offset(sorted, place, "i64"), "i64", lanes, align=8)
            e.store(e.convert("trunc", record, "i32"), e.offset(Val("%target", "ptr"), place, "i32"), align=4)

        f.when(exact, lambda: None, repair)
        f.when(e.load(done, "i1"), lambda: f.covering(count, self.lanes, place_of))
        e.line(f"ret i1 {e.load(done, 'i1').ref}")
        return f.text(f"internal i1 @{self.name}(ptr %source, ptr %target, ptr %room, i64 %count, i64 %mask)")

    def _keys(self, place: Val, lanes: int = 1) -> Val:
        """The keys of neighbouring elements."""
        e = self.e
        x = e.load(e.offset(self.source, place, "i64"), "i64", lanes, align=8)
        return self.keys.key(e, x, self.mask)

    def _extent(self) -> tuple[Val, Val, Val]:
        """The least and the greatest key, and the bits in which not all keys are alike."""
        f, e = self.f, self.e
        first = self._keys(f.word(0))
        ways: dict[str, tuple[Val, Callable[[Val, Val], Val]]] = {
            "smin": (first, partial(e.intrinsic, "llvm.smin")),
            "smax": (first, partial(e.intrinsic, "llvm.smax")),
            "or": (f.word(0), e.bit_or),
        }
        found = {way: f.variable(e.splat(start, self.lanes)) for way, (start, _) in ways.items()}

        def look(place: Val) -> None:
            keys = self._keys(place, self.lanes)
            for way, (_, both) in ways.items():
                more = e.bit_xor(keys, e.splat(first, self.lanes)) if way == "or" else keys
                e.store(both(e.load(found[way], "i64", self.lanes), more), found[way])

        f.covering(self.count, self.lanes, look)
        least, most, differing = (
            e.intrinsic_across(f"llvm.vector.reduce.{way}", e.load(found[way], "i64", self.lanes)) for way in ways
        )
        return least, most, differing

    def _sorted(self, here: Val, there: Val) -> Val:
        """Where the records are when they are sorted."""
        f, e, moved = self.f, self.e, self.f.variable(self.e.const(False, "i1"))

        def by(way: str, length: Val) -> None:
            e.store(e.define(f"call i1 @{self.name}_{way}({texts(length, here, there)})", "i1"), moved)

        def in_chunks() -> None:
            whole = e.bit_and(e.add(self.count, f.word(self.lanes - 1)), f.word(-self.lanes))
            last = f.word((1 << 63) - 1)
            f.loop(self.count, whole, 1, lambda place: e.store(last, e.offset(here, place, "i64")))
            by("by_chunks", whole)

        if self.chunks:
            f.when(e.icmp("sle", self.count, f.word(CHUNK)), lambda: by("by_bytes", self.count), in_chunks)
        else:
            by("by_bytes", self.count)
        return e.select(e.load(moved, "i1"), there, here)

    def repair_text(self) -> str:
        """`i1 repair(ptr source, ptr records, i64 count, i64 mask)`: keys that are alike in the window put in order.

        It gives up, and says so, when that takes more steps than there are records.
        """
        f, e, count = self.f, self.e, self.count
        steps, at = f.variable(f.word(0)), f.variable(f.word(0))

        def slot(place: Val) -> Val:
            return e.offset(Val("%records", "ptr"), place, "i64")

        def goes_on() -> Val:
            """Whether the record at `at` and the one before are alike in the window, and in the wrong order."""
            here = e.load(at, "i64")
            before = e.intrinsic("llvm.smax", e.sub(here, f.word(1)), f.word(0))
            pair = [e.load(slot(place), "i64") for place in (before, here)]
            alike = e.icmp("eq", *(e.ashr(record, f.word(BITS)) for record in pair))
            wrong = f.variable(e.const(False, "i1"))

            def compare() -> None:
                keys = [self._keys(e.bit_and(record, f.word((1 << BITS) - 1))) for record in pair]
                e.store(e.bit_and(e.icmp("sgt", *keys), e.icmp("sle", e.load(steps, "i64"), count)), wrong)

            e.store(e.const(False, "i1"), wrong)
            f.when(alike, compare)
            return e.load(wrong, "i1")

        def exchange() -> None:
            here = e.load(at, "i64")
            before = e.sub(here, f.word(1))
            first, second = e.load(slot(before), "i64"), e.load(slot(here), "i64")
            e.store(second, slot(before))
            e.store(first, slot(here))
            e.store(before, at)
            f.add_to(steps, f.word(1))

        def insert(place: Val) -> None:
            e.store(place, at)
            f.repeat(goes_on, exchange)

        f.loop(f.word(1), count, 1, insert)
        e.line(f"ret i1 {e.icmp('sle', e.load(steps, 'i64'), count).ref}")
        return f.text(f"internal i1 @{self.name}_repair(ptr %source, ptr %records, i64 %count, i64 %mask)")
