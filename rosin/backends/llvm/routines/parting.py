"""Quicksort of keys that go alone, by vectors: those below a threshold are packed to the left, the others aside.

The threshold is the median of a sample. Bounds of the keys of a part go along: where they meet, all keys are the same,
and where samples tell too little, the middle between them is the threshold, so that no order of keys takes long.
Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import BYTES, Records, places_from, texts

TOGETHER = 4
"""Vectors that are parted in a step."""

PIECE = 1 << 15
"""So many keys are enough for a thread."""

ALONE = 2 * PIECE
"""At most so many keys are parted by one thread."""

WORDS, MOST_LISTED = 6, 500
"""Of a part in a list, and how many parts may be in it."""

SAMPLED = 1024
"""Parts of so many keys have a sample of several vectors."""


def parting_texts(
    records: Records, sizes: Sequence[int], name: str, on_threads: bool, declarations: set[str]
) -> list[str]:
    """The function `void name(i64 count, ptr keys, ptr others)`, and those that it needs.

    It sorts keys where they are, more than `ALONE` of them `on_threads`; the others are for its work. `network<size>`
    sorts so many, for each of the sizes.
    """
    parting = _Parting(records, sizes, name, declarations)
    functions = [parting.split(), parting.median(), parting.leaf(), parting.part(), parting.whole(on_threads)]
    return [*functions, parting.listed(), parting.pieces()] if on_threads else functions


class _Parting:
    def __init__(self, records: Records, sizes: Sequence[int], name: str, declarations: set[str]) -> None:
        self.sizes, self.name, self.declarations = sizes, name, declarations
        (self.elem,) = records.parts
        (self.most,) = records.last
        self.lanes, self.bytes = records.lanes, BYTES[self.elem]

    def _at(self, f: Function, keys: Val, place: Val) -> Val:
        return f.e.offset(keys, place, self.elem)

    def _first(self, f: Function, count: Val) -> Val:
        """The lanes below a count."""
        return f.e.icmp("slt", places_from(f.e, f.word(0), self.lanes), f.e.splat(count, self.lanes))

    def _load(self, f: Function, keys: Val, place: Val) -> Val:
        return f.e.load(self._at(f, keys, place), self.elem, self.lanes, align=self.bytes)

    def _copy(self, f: Function, source: Val, target: Val, count: Val, rest: int | None = None) -> None:
        """So many keys from one place to another; where `rest` is given, it fills the last vector."""
        e, lanes = f.e, self.lanes
        whole = e.bit_and(count, f.word(-lanes))

        def vector(place: Val) -> None:
            e.store(self._load(f, source, place), self._at(f, target, place), align=self.bytes)

        def last() -> None:
            inside = self._first(f, e.sub(count, whole))
            x = e.masked_load(self._at(f, source, whole), self.elem, lanes, inside, self.bytes)
            goal = self._at(f, target, whole)
            if rest is None:
                e.masked_store(x, goal, inside, self.bytes)
            else:
                e.store(e.select(inside, x, e.like(rest, x)), goal, align=self.bytes)

        f.loop(f.word(0), whole, lanes, vector)
        f.when(e.icmp("ne", whole, count), last)

    # -- a part in two ---------------------------------------------------------------------------------------

    def split(self) -> str:
        """`i64 split(ptr keys, ptr others, i64 count, key threshold, ptr bounds)`: keys below the threshold come first;
        how many they are. The least and the greatest key are written to the bounds."""
        f = Function(self.declarations)
        e, lanes = f.e, self.lanes
        keys, others, count = Val("%keys", "ptr"), Val("%others", "ptr"), Val("%count", "i64")
        threshold = e.splat(Val("%threshold", self.elem), lanes)
        left = f.variable(f.word(0))
        kinds = {"smin": self.most, "smax": -self.most - 1}
        bounds = {kind: f.variable(e.const(value, self.elem, lanes)) for kind, value in kinds.items()}

        def note(x: Val, kind: str) -> None:
            known = e.load(bounds[kind], self.elem, lanes)
            e.store(e.intrinsic(f"llvm.{kind}", known, x), bounds[kind])

        def packed(x: Val, where: Val) -> Val:
            self.declarations.add(
                f"declare {x.type} @llvm.experimental.vector.compress.{x.mangled}({x.type}, {where.type}, {x.type})"
            )
            call = f"call {x.type} @llvm.experimental.vector.compress.{x.mangled}"
            return e.define(f"{call}({x.typed}, {where.typed}, {x.type} poison)", x.elem, lanes)

        def number(where: Val) -> Val:
            bits = e.define(f"bitcast {where.typed} to i{lanes}", f"i{lanes}")
            return e.convert("zext", e.intrinsic("llvm.ctpop", bits), "i64")

        def step(place: Val, vectors: int) -> None:
            given = [self._load(f, keys, e.add(place, f.word(i * lanes))) for i in range(vectors)]
            for i, x in enumerate(given):
                less = e.icmp("slt", x, threshold)
                for kind in bounds:
                    note(x, kind)
                before = f.add_to(left, number(less))
                e.store(packed(x, less), self._at(f, keys, before), align=self.bytes)
                aside = e.sub(e.add(place, f.word(i * lanes)), before)
                more = e.bit_xor(less, e.like(True, less))
                e.store(packed(x, more), self._at(f, others, aside), align=self.bytes)

        def last(place: Val) -> None:
            inside = self._first(f, e.sub(count, place))
            x = e.masked_load(self._at(f, keys, place), self.elem, lanes, inside, self.bytes)
            for kind, value in kinds.items():
                note(e.select(inside, x, e.like(value, x)), kind)
            less = e.bit_and(inside, e.icmp("slt", x, threshold))
            more = e.bit_and(inside, e.bit_xor(less, e.like(True, less)))
            before = f.add_to(left, number(less))
            for where, array, goal in ((less, keys, before), (more, others, e.sub(place, before))):
                e.masked_store(packed(x, where), self._at(f, array, goal), self._first(f, number(where)), self.bytes)

        many, whole = e.bit_and(count, f.word(-lanes * TOGETHER)), e.bit_and(count, f.word(-lanes))
        f.loop(f.word(0), many, lanes * TOGETHER, lambda place: step(place, TOGETHER))
        f.loop(many, whole, lanes, lambda place: step(place, 1))
        f.when(e.icmp("ne", whole, count), lambda: last(whole))
        found = e.load(left, "i64")
        self._copy(f, others, self._at(f, keys, found), e.sub(count, found))
        for place, (kind, slot) in enumerate(bounds.items()):
            value = e.intrinsic_across(f"llvm.vector.reduce.{kind}", e.load(slot, self.elem, lanes))
            e.store(value, self._at(f, Val("%bounds", "ptr"), f.word(place)))
        e.line(f"ret i64 {found.ref}")
        given = f"ptr %keys, ptr %others, i64 %count, {self.elem} %threshold, ptr %bounds"
        return f.text(f"internal i64 @{self.name}_split({given})")

    # -- parts -------------------------------------------------------------------------------------------------

    def leaf(self) -> str:
        """`void leaf(ptr keys, i64 count)`: as few keys as a network sorts."""
        f = Function(self.declarations)
        e, keys, count = f.e, Val("%keys", "ptr"), Val("%count", "i64")
        near, last = f.room(self.elem, self.sizes[-1]), e.const(self.most, self.elem, self.lanes)
        self._copy(f, keys, near, count, self.most)
        begin = e.bit_and(e.add(count, f.word(self.lanes - 1)), f.word(-self.lanes))

        def sort(sizes: Sequence[int]) -> None:
            size, *larger = sizes

            def here() -> None:
                f.loop(begin, f.word(size), self.lanes, lambda place: e.store(last, self._at(f, near, place)))
                e.line(f"call void @network{size}({near.typed})")

            if larger:
                f.when(e.icmp("sle", count, f.word(size)), here, lambda: sort(larger))
            else:
                here()

        sort(self.sizes)
        self._copy(f, near, keys, count)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_leaf(ptr %keys, i64 %count)")

    def part(self) -> str:
        """`void part(ptr keys, ptr others, i64 count, key least, key most, i64 samples)`: keys that are within bounds.
        So many thresholds come from samples."""
        f = Function(self.declarations)
        others = Val("%others", "ptr")

        def again(keys: Val, *rest: Val) -> None:
            f.e.line(f"call void @{self.name}_part({texts(keys, others, *rest)})")

        keys, count, least, most, _ = self._parts(f, f.word(self.sizes[-1]), lambda _: others, again)
        differ = f.e.icmp("slt", least, most)
        f.when(differ, lambda: f.e.line(f"call void @{self.name}_leaf({texts(keys, count)})"))
        f.e.line("ret void")
        return f.text(f"internal void @{self.name}_part({self._given})")

    def listed(self) -> str:
        """`void listed(ptr keys, ptr others, i64 count, key least, key most, i64 samples, i64 limit, ptr list)`: parts
        of at most so many keys are not sorted but added to a list, as words: their number, and what `part` is given of
        each."""
        f = Function(self.declarations)
        e, room, listed = f.e, Val("%others", "ptr"), Val("%list", "ptr")
        limit, base = Val("%limit", "i64"), Val("%keys", "ptr")

        def beside(keys: Val) -> Val:
            """Threads need other places each for their parts."""
            return e.offset(room, e.sub(e.convert("ptrtoint", keys, "i64"), e.convert("ptrtoint", base, "i64")), "i8")

        def again(keys: Val, *rest: Val) -> None:
            e.line(f"call void @{self.name}_listed({texts(keys, beside(keys), *rest, limit, listed)})")

        keys, *rest = self._parts(f, limit, beside, again)
        _, least, most, _ = rest

        def add() -> None:
            number = f.add_to(listed, f.word(1))
            start = e.add(e.mul(number, f.word(WORDS)), f.word(1))
            for word, value in enumerate((keys, beside(keys), *rest)):
                e.store(value, e.offset(listed, e.add(start, f.word(word)), "i64"))

        def full() -> None:
            e.line(f"call void @{self.name}_part({texts(keys, beside(keys), *rest)})")

        has_room = e.icmp("slt", e.load(listed, "i64"), f.word(MOST_LISTED))
        f.when(e.icmp("slt", least, most), lambda: f.when(has_room, add, full))
        e.line("ret void")
        return f.text(f"internal void @{self.name}_listed({self._given}, i64 %limit, ptr %list)", cold=True)

    @property
    def _given(self) -> str:
        return f"ptr %keys, ptr %others, i64 %count, {self.elem} %least, {self.elem} %most, i64 %samples"

    def _parts(self, f: Function, limit: Val, beside: Callable[[Val], Val], again: Callable[..., None]) -> list[Val]:
        """Part keys until those to the right are no more than a limit; what is to the left is given to `again`. Gives
        what `part` is given of the rest, but for the others, which are `beside` its keys."""
        e, elem = f.e, self.elem
        given = [Val("%keys", "ptr"), Val("%count", "i64"), Val("%least", elem), Val("%most", elem)]
        given.append(Val("%samples", "i64"))
        slots = [f.variable(x) for x in given]
        found = f.room(elem, 2)
        one = e.const(1, elem)

        def known() -> list[Val]:
            return [e.load(slot, x.elem) for slot, x in zip(slots, given, strict=True)]

        def know(*values: Val) -> None:
            for slot, value in zip(slots[1:], values, strict=True):
                e.store(value, slot)

        def goes_on() -> Val:
            _, count, least, most, _ = known()
            return e.bit_and(e.icmp("sgt", count, limit), e.icmp("slt", least, most))

        def step() -> None:
            keys, count, least, most, samples = known()
            threshold = f.variable(self._middle(f, least, most))

            def look() -> None:
                found = e.define(f"call {elem} @{self.name}_median({texts(keys, count, least, most)})", elem)
                e.store(found, threshold)

            f.when(e.icmp("sgt", samples, f.word(0)), look)
            at = e.load(threshold, elem)
            left = e.define(f"call i64 @{self.name}_split({texts(keys, beside(keys), count, at, found)})", "i64")
            low, high = (e.load(self._at(f, found, f.word(i)), elem) for i in range(2))
            none = e.bit_or(e.icmp("eq", left, f.word(0)), e.icmp("eq", left, count))
            fewer = e.sub(samples, f.word(1))

            def both() -> None:
                again(keys, left, low, e.sub(at, one), fewer)
                e.store(self._at(f, keys, left), slots[0])
                know(e.sub(count, left), at, high, fewer)

            # A sample that has not told a threshold between the keys is the last one of this part.
            f.when(none, lambda: know(count, low, high, f.word(0)), both)

        f.repeat(goes_on, step)
        return known()

    def _middle(self, f: Function, least: Val, most: Val) -> Val:
        """Above the least key and not above the greatest."""
        e = f.e
        half = e.lshr(e.sub(most, least), e.const(1, self.elem))
        return e.add(e.add(least, half), e.const(1, self.elem))

    def median(self) -> str:
        """`key median(ptr keys, i64 count, key least, key most)`: the median of a sample, or what is above it where
        nothing of the sample is below; within the bounds."""
        f = Function(self.declarations)
        e, one, elem = f.e, f.e.const(1, self.elem), self.elem
        keys, count, least, most = Val("%keys", "ptr"), Val("%count", "i64"), Val("%least", elem), Val("%most", elem)
        found, sample = f.variable(least), f.room(elem, self.sizes[-1])

        def draw(size: int) -> None:
            # Keys that are an odd number of places apart: many patterns have an even period.
            share = e.binary("udiv", count, f.word(size))
            apart = e.bit_or(e.sub(share, f.word(1)), f.word(1))

            def take(i: Val) -> None:
                e.store(e.load(self._at(f, keys, e.mul(i, apart)), elem), self._at(f, sample, i))

            f.loop(f.word(0), f.word(size), 1, take)
            e.line(f"call void @network{size}({sample.typed})")
            first, median = (e.load(self._at(f, sample, f.word(i)), elem) for i in (0, size // 2))
            e.store(e.select(e.icmp("eq", first, median), e.add(median, one), median), found)

        f.when(e.icmp("slt", count, f.word(SAMPLED)), lambda: draw(self.sizes[0]), lambda: draw(self.sizes[-1]))
        value = e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", e.load(found, elem), e.add(least, one)), most)
        e.line(f"ret {value.typed}")
        return f.text(f"internal {elem} @{self.name}_median(ptr %keys, i64 %count, {elem} %least, {elem} %most)")

    # -- all ---------------------------------------------------------------------------------------------------

    def pieces(self) -> str:
        """`void pieces(ptr list, i64 begin, i64 end)`: these parts of a list."""
        f = Function(self.declarations)
        e = f.e

        def piece(number: Val) -> None:
            start = e.add(e.mul(number, f.word(WORDS)), f.word(1))
            kinds = ("ptr", "ptr", "i64", self.elem, self.elem, "i64")
            given = [
                e.load(e.offset(Val("%list", "ptr"), e.add(start, f.word(word)), "i64"), kind)
                for word, kind in enumerate(kinds)
            ]
            e.line(f"call void @{self.name}_part({texts(*given)})")

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_pieces(ptr %list, i64 %begin, i64 %end)", cold=True)

    def whole(self, on_threads: bool) -> str:
        """The function itself."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        bounds = [e.const(value, self.elem) for value in (-self.most - 1, self.most)]
        zeros = e.intrinsic("llvm.ctlz", count, trailing=["i1 false"])
        # Twice as many as halves would need.
        samples = e.shl(e.sub(f.word(64), zeros), f.word(1))
        given = texts(Val("%keys", "ptr"), Val("%others", "ptr"), count, *bounds, samples)

        def alone() -> None:
            e.line(f"call void @{self.name}_part({given})")

        def together() -> None:
            self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            listed = f.room("i64", 1 + WORDS * MOST_LISTED)
            e.store(f.word(0), listed)
            limit = e.intrinsic("llvm.smax", e.lshr(count, f.word(3)), f.word(PIECE))
            e.line(f"call void @{self.name}_listed({given}, {limit.typed}, {listed.typed})")
            number = e.load(listed, "i64")
            e.line(f"call void @{PARALLEL}(ptr @{self.name}_pieces, {texts(listed, number)})")

        if on_threads:
            f.when(e.icmp("sle", count, f.word(ALONE)), alone, together)
        else:
            alone()
        e.line("ret void")
        return f.text(f"internal void @{self.name}(i64 %count, ptr %keys, ptr %others)", cold=True)
