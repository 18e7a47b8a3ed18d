"""Quicksort of keys that go alone, by vectors: those below a threshold are packed to the left, the others to the right.

The threshold is about the median of a sample. Bounds of the keys of a part go along: where they meet, all keys are the
same, and where samples tell too little, the middle between them is the threshold, so that no order of keys takes long.
Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017.

A part is seven words: where its keys are, how many there are, bounds of them, how many more thresholds may come from
samples, where those above a threshold go, and where its keys are to be in order. Bounds are integers, in the order of
keys. Long parts are parted in place, from both ends; short ones have room beside them, where those above a threshold
go: then they are read from one end, which need not be known before. Parts of few keys are sorted by networks
(blocks.py).
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.blocks import counted_text
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import number, numbered
from rosin.backends.llvm.routines.records import BYTES, Records, counted, greater, inside, is_less, lesser, texts

WORDS, OTHERS = 7, 5
"""Of a part, and the one that tells where the others go."""

NOWHERE = Val("null", "ptr")

FEW = 1 << 13
"""Keys of at most so many bytes are sorted by networks alone."""

BESIDE = 1 << 14
"""Parts of at most so many bytes have room for as many beside them, in the first cache."""

PIECE, ROUNDS = 1 << 15, 4
"""Parts of more keys are halved for threads, so many times."""

ALONE = 2 * PIECE
"""At most so many keys are parted by one thread."""

STEP = 6
"""Vectors of keys that are read together."""

TOGETHER = 2
"""Vectors of keys that are parted together where others go to another array."""

OCTET = 8
"""Vectors of so many lanes have a table of orders, one for each mask."""

LOOKED_AT = 2
"""Vectors of keys that are looked at together where they may be the same."""

SAMPLE = 9
"""Vectors of keys, a power of 3, whose median is about that of a part."""


def parting_texts(
    records: Records, registers: int, name: str, blocks: str, declarations: set[str], on_threads: bool
) -> list[str]:
    """The function `void name(i64 count, ptr keys, number least, number most)`, and those that it needs.

    It sorts keys in place, more than `ALONE` of them `on_threads`. The functions of `blocks_texts` called `blocks` sort
    few, block after block of so many registers.
    """
    parting = _Parting(records, name, blocks, declarations)
    functions = [parting.split(), parting.apart(), parting.median(), parting.same(), parting.step()]
    functions += [parting.little(), parting.near(), parting.part()]
    functions.append(counted_text(records, registers, parting.few, blocks, declarations))
    if on_threads:
        functions += [parting.halves(), parting.pieces()]
    return [*functions, parting.whole(on_threads)]


def _order(mask: int) -> int:
    """The lanes of a mask of eight and then the others, each a byte of a word."""
    lanes = sorted(range(OCTET), key=lambda lane: not mask >> lane & 1)
    return int.from_bytes(bytes(lanes), "little", signed=True)


class _Parting:
    def __init__(self, records: Records, name: str, blocks: str, declarations: set[str]) -> None:
        self.name, self.blocks, self.declarations = name, blocks, declarations
        (self.elem,) = records.parts
        self.lanes, self.bytes = records.lanes, BYTES[self.elem]
        self.number = f"i{8 * self.bytes}"
        self.few, self.beside = FEW // self.bytes, BESIDE // self.bytes
        self.kinds = ("ptr", "i64", self.number, self.number, "i64", "ptr", "ptr")

    def _at(self, f: Function, keys: Val, place: Val) -> Val:
        return f.e.offset(keys, place, self.elem)

    def _inside(self, f: Function, place: Val, count: Val) -> Val:
        return inside(f.e, place, count, self.lanes)

    def _first(self, f: Function, count: Val) -> Val:
        """The mask of so many lanes, the first ones."""
        bits = f.e.sub(f.e.shl(f.word(1), count), f.word(1))
        few = f.e.convert("trunc", bits, f"i{self.lanes}")
        return f.e.define(f"bitcast {few.typed} to <{self.lanes} x i1>", "i1", self.lanes)

    def _known(self, f: Function, part: Val) -> list[Val]:
        """What a part is."""
        return [f.e.load(f.e.offset(part, f.word(i), "i64"), kind) for i, kind in enumerate(self.kinds)]

    def _note(self, f: Function, part: Val, values: list[Val]) -> None:
        for i, value in enumerate(values):
            f.e.store(value, f.e.offset(part, f.word(i), "i64"))

    # -- a part in two ---------------------------------------------------------------------------------------

    def _packed(self, f: Function, x: Val, where: Val) -> Val:
        """The keys of some lanes in the first ones."""
        name = f"llvm.experimental.vector.compress.{x.mangled}"
        self.declarations.add(f"declare {x.type} @{name}({x.type}, {where.type}, {x.type})")
        return f.e.define(f"call {x.type} @{name}({x.typed}, {where.typed}, {x.type} poison)", x.elem, x.lanes)

    def split(self) -> str:
        """`i64 split(ptr keys, i64 count, key threshold)`: keys below the threshold, of many, come first, in place; how
        many they are.

        Steps of keys are read from the end that has fewer free places, which is known a step ahead. The first three
        are read last, so that there are enough.
        """
        f = Function(self.declarations)
        e, lanes, step = f.e, self.lanes, STEP * self.lanes
        keys, count = Val("%keys", "ptr"), Val("%count", "i64")
        ahead, near = f.word(3 * step), f.room(self.elem, 4 * step)
        e.copy_bytes(near, keys, f.word(3 * step * self.bytes))
        # Free places are from `left` to `low`, and from `high` to `right`.
        left, low, high, right = (f.variable(x) for x in (f.word(0), ahead, count, count))
        lefts, rights = f.variable(f.word(0)), f.variable(count)
        put, all = self._putting(f, (keys, keys), (left, right)), self._all_of(f, count)

        def vectors(_: Val) -> None:
            first, end = e.load(low, "i64"), e.load(high, "i64")
            free = e.sub(first, e.load(lefts, "i64")), e.sub(e.load(rights, "i64"), end)
            # Bits choose, as LLVM would make a branch of a selection, which nobody can foresee.
            is_right = e.ashr(e.sub(free[1], free[0]), f.word(63))
            back = e.bit_and(is_right, f.word(step))
            end = e.sub(end, back)
            e.store(end, high)
            e.store(e.add(first, e.sub(f.word(step), back)), low)
            place = e.bit_xor(first, e.bit_and(e.bit_xor(first, end), is_right))
            for now, before in ((left, lefts), (right, rights)):
                e.store(e.load(now, "i64"), before)
            places = [e.add(place, f.word(i * lanes)) for i in range(STEP)]
            for x in [e.load(self._at(f, keys, at), self.elem, lanes, align=self.bytes) for at in places]:
                put(x, all, False)

        def last(place: Val) -> None:
            rest = e.intrinsic("llvm.smin", e.sub(total, place), f.word(lanes))
            put(e.load(self._at(f, near, place), self.elem, lanes), self._first(f, rest), True)

        f.loop(ahead, e.sub(count, f.word(step - 1)), step, vectors)
        first = e.load(low, "i64")
        remaining = e.sub(e.load(high, "i64"), first)
        e.copy_bytes(self._at(f, near, ahead), self._at(f, keys, first), e.mul(remaining, f.word(self.bytes)))
        total = e.add(ahead, remaining)
        f.loop(f.word(0), total, lanes, last)
        e.line(f"ret {e.load(left, 'i64').typed}")
        return f.text(f"internal i64 @{self.name}_split(ptr %keys, i64 %count, {self.elem} %threshold)")

    def apart(self) -> str:
        """`i64 apart(ptr keys, ptr others, i64 count, key threshold)`: keys below the threshold come first, in
        place; how many they are. The rest goes where it would in place, but of the others."""
        f = Function(self.declarations)
        e, lanes, step = f.e, self.lanes, TOGETHER * self.lanes
        keys, others, count = Val("%keys", "ptr"), Val("%others", "ptr"), Val("%count", "i64")
        left, right = f.variable(f.word(0)), f.variable(count)
        put, all = self._putting(f, (keys, others), (left, right)), self._all_of(f, count)

        def vectors(place: Val) -> None:
            places = [e.add(place, f.word(i * lanes)) for i in range(TOGETHER)]
            for x in [e.load(self._at(f, keys, at), self.elem, lanes, align=self.bytes) for at in places]:
                put(x, all, False)

        def rest(place: Val) -> None:
            taken = self._first(f, e.intrinsic("llvm.smin", e.sub(count, place), f.word(lanes)))
            put(e.masked_load(self._at(f, keys, place), self.elem, lanes, taken, self.bytes), taken, True)

        many = e.bit_and(count, f.word(-step))
        f.loop(f.word(0), many, step, vectors)
        f.loop(many, count, lanes, rest)
        e.line(f"ret {e.load(left, 'i64').typed}")
        given = f"ptr %keys, ptr %others, i64 %count, {self.elem} %threshold"
        return f.text(f"internal i64 @{self.name}_apart({given})")

    def _all_of(self, f: Function, count: Val) -> Val:
        """All lanes, if there are as many keys: LLVM does not know, or it would compare again for the other lanes."""
        return self._first(f, f.e.intrinsic("llvm.smin", count, f.word(self.lanes)))

    def _putting(self, f: Function, arrays: tuple[Val, Val], ends: tuple[Val, Val]) -> Callable[[Val, Val, bool], None]:
        """What writes those of the taken keys of a vector that are below the threshold to the left end of one array,
        the others to the right end of another. Unless it is a last one, each end has free places for a vector."""
        e, (left, right), threshold = f.e, ends, f.e.splat(Val("%threshold", self.elem), self.lanes)

        def put(x: Val, taken: Val, is_last: bool) -> None:
            less = e.bit_and(taken, is_less(e, x, threshold))
            fewer = counted(e, less)
            others = e.sub(counted(e, taken) if is_last else f.word(self.lanes), fewer)
            start = self._at(f, arrays[0], f.add_to(left, fewer))
            end = e.sub(e.load(right, "i64"), others)
            e.store(end, right)
            if self.lanes == OCTET and not is_last:
                ordered = self._ordered(f, x, less)
                for at in (start, self._at(f, arrays[1], e.sub(end, fewer))):
                    e.store(ordered, at, align=self.bytes)
                return
            more = self._packed(f, x, e.bit_xor(less, taken))
            e.masked_store(self._packed(f, x, less), start, self._first(f, fewer) if is_last else None, self.bytes)
            e.masked_store(more, self._at(f, arrays[1], end), self._first(f, others), self.bytes)

        return put

    def _ordered(self, f: Function, x: Val, where: Val) -> Val:
        """The keys of some lanes of eight in the first ones, the others after them."""
        e, name = f.e, "llvm.x86.avx512.permvar." + {"double": "df", "i64": "di"}[self.elem] + ".512"
        words = ", ".join(f"i64 {_order(mask)}" for mask in range(1 << OCTET))
        self.declarations.add(f"@orders = internal constant [{1 << OCTET} x i64] [{words}], align 64")
        self.declarations.add(f"declare {x.type} @{name}({x.type}, <{OCTET} x i64>)")
        bits = e.convert("zext", e.define(f"bitcast {where.typed} to i{OCTET}", f"i{OCTET}"), "i64")
        order = e.convert("zext", e.load(e.offset(Val("@orders", "ptr"), bits, "i64"), "i8", OCTET), "i64")
        return e.define(f"call {x.type} @{name}({x.typed}, {order.typed})", x.elem, x.lanes)

    def median(self) -> str:
        """`key median(ptr keys, i64 count)`: about the median of a sample, one of the keys.

        It is the median of three medians of three vectors, lane by lane, and then of lanes.
        """
        f = Function(self.declarations, plain=True)
        e, lanes, count = f.e, self.lanes, Val("%count", "i64")

        def middle(a: Val, b: Val, c: Val) -> Val:
            return greater(e, lesser(e, a, b), lesser(e, greater(e, a, b), c))

        # An odd number of places apart: many patterns have an even period.
        apart = e.bit_or(e.sub(e.binary("udiv", count, f.word(SAMPLE)), f.word(1)), f.word(1))
        places = [e.mul(apart, f.word(i)) for i in range(SAMPLE)]
        drawn = [e.load(self._at(f, Val("%keys", "ptr"), at), self.elem, lanes, align=self.bytes) for at in places]
        while len(drawn) > 1:
            drawn = [middle(*drawn[i :: len(drawn) // 3]) for i in range(len(drawn) // 3)]
        (x,) = drawn
        for step in (lanes // 3, 1):
            turned = [e.shuffle(x, x, [(lane + i * step) % lanes for lane in range(lanes)]) for i in (1, 2)]
            x = middle(x, *turned)
        e.line(f"ret {e.define(f'extractelement {x.typed}, i64 0', self.elem).typed}")
        return f.text(f"internal {self.elem} @{self.name}_median(ptr %keys, i64 %count)")

    def same(self) -> str:
        """`i1 same(ptr keys, i64 count, key value)`: whether all keys, which are not few, are this one."""
        f = Function(self.declarations, plain=True)
        e, lanes, count = f.e, LOOKED_AT * self.lanes, Val("%count", "i64")
        at, holds = f.variable(f.word(0)), f.variable(e.const(True, "i1"))
        value, last = e.splat(Val("%value", self.elem), lanes), e.sub(count, f.word(lanes))

        def look() -> None:
            place = e.intrinsic("llvm.smin", f.add_to(at, f.word(lanes)), last)
            x = e.load(self._at(f, Val("%keys", "ptr"), place), self.elem, lanes, align=self.bytes)
            other = e.bit_or(is_less(e, x, value), is_less(e, value, x))
            found = e.intrinsic_across("llvm.vector.reduce.or", other)
            e.store(e.bit_xor(found, e.const(True, "i1")), holds)

        f.repeat(lambda: e.bit_and(e.icmp("slt", e.load(at, "i64"), count), e.load(holds, "i1")), look)
        e.line(f"ret i1 {e.load(holds, 'i1').ref}")
        return f.text(f"internal i1 @{self.name}_same(ptr %keys, i64 %count, {self.elem} %value)")

    def step(self) -> str:
        """`void step(ptr part, ptr less)`: the keys of a part below a threshold become another, or its bounds meet."""
        f = Function(self.declarations)
        e, elem, one = f.e, self.elem, f.e.const(1, self.number)
        given, part = Val("%part", "ptr"), Val("%less", "ptr")
        keys, count, least, most, samples, others, target = self._known(f, given)
        half = e.lshr(e.sub(most, least), one)
        threshold = f.variable(e.add(e.add(least, half), one))
        alike = f.variable(e.const(False, "i1"))

        def look() -> None:
            median = e.define(f"call {elem} @{self.name}_median({texts(keys, count)})", elem)
            middle = number(e, median)
            above = e.intrinsic("llvm.smax", middle, e.add(least, one))
            e.store(e.intrinsic("llvm.smin", above, most), threshold)

            def compare() -> None:
                e.store(e.define(f"call i1 @{self.name}_same({texts(keys, count, median)})", "i1"), alike)

            # Where many keys are the same, all may be.
            f.when(e.bit_or(e.icmp("eq", middle, least), e.icmp("eq", middle, most)), compare)

        def meet() -> None:
            self._note(f, given, [keys, count, least, least, samples, others, target])
            self._note(f, part, [keys, f.word(0), least, least, samples, others, keys])

        def divide() -> None:
            at, fewer = e.load(threshold, self.number), e.sub(samples, f.word(1))
            by, left = numbered(e, at, elem), f.variable(f.word(0))
            in_place = e.icmp("eq", others, NOWHERE)

            def split(name: str, *arrays: Val) -> None:
                e.store(e.define(f"call i64 @{self.name}_{name}({texts(*arrays, count, by)})", "i64"), left)

            f.when(in_place, lambda: split("split", keys), lambda: split("apart", keys, others))
            found = e.load(left, "i64")
            after, beside = self._at(f, keys, found), self._at(f, others, found)
            above, beside = e.select(in_place, after, beside), e.select(in_place, NOWHERE, after)
            rest = e.sub(count, found)
            self._note(f, given, [above, rest, at, most, fewer, beside, self._at(f, target, found)])
            self._note(f, part, [keys, found, least, e.sub(at, one), fewer, others, target])

        f.when(e.icmp("sgt", samples, f.word(0)), look)
        f.when(e.load(alike, "i1"), meet, divide)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_step(ptr %part, ptr %less)", cold=True)

    def _differ(self, f: Function, part: Val) -> Val:
        bounds = self._known(f, part)[2:4]
        return f.e.icmp("slt", *bounds)

    # -- parts -------------------------------------------------------------------------------------------------

    def little(self) -> str:
        """`void little(ptr part)`: the keys of a part, which has room beside them, in order where they are to be."""
        f = Function(self.declarations, plain=True)
        e, given = f.e, Val("%part", "ptr")
        self._halve(f, "little", self.few)
        keys, count, *_, target = self._known(f, given)

        def copy() -> None:
            e.copy_bytes(target, keys, e.mul(count, f.word(self.bytes)))

        def alike() -> None:
            f.when(e.icmp("ne", keys, target), copy)

        def leaf() -> None:
            e.line(f"call void @{self.blocks}_counted({texts(keys, target, count)})")

        f.when(self._differ(f, given), leaf, alike)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_little(ptr %part)")

    def near(self) -> str:
        """`void near(ptr part)`: the keys of a part in order, which are as few as there is room beside."""
        f = Function(self.declarations)
        given, others = Val("%part", "ptr"), f.room(self.elem, self.beside)
        f.e.store(others, f.e.offset(given, f.word(OTHERS), "i64"))
        f.e.line(f"call void @{self.name}_little({given.typed})")
        f.e.line("ret void")
        # Its room is not to be a part of those that call themselves.
        return f.text(f"internal void @{self.name}_near(ptr %part)", cold=True)

    def part(self) -> str:
        """`void part(ptr part)`: the keys of a part in order, in place."""
        f = Function(self.declarations)
        given = Val("%part", "ptr")
        self._halve(f, "part", self.beside)
        f.when(self._differ(f, given), lambda: f.e.line(f"call void @{self.name}_near({given.typed})"))
        f.e.line("ret void")
        return f.text(f"internal void @{self.name}_part(ptr %part)", cold=True)

    def _halve(self, f: Function, name: str, most: int) -> None:
        """Halve a part until its keys are at most so many; the lesser ones are given to the function of this name."""
        e, given, less = f.e, Val("%part", "ptr"), f.room("i64", WORDS)

        def is_long() -> Val:
            return e.bit_and(e.icmp("sgt", self._known(f, given)[1], f.word(most)), self._differ(f, given))

        def step() -> None:
            e.line(f"call void @{self.name}_step({texts(given, less)})")
            e.line(f"call void @{self.name}_{name}({less.typed})")

        f.repeat(is_long, step)

    # -- all ---------------------------------------------------------------------------------------------------

    def halves(self) -> str:
        """`void halves(ptr list, i64 begin, i64 end)`: these parts of a list in two, if they are long. The list is a
        word that tells how many there are, and the parts; as many come after them."""
        f = Function(self.declarations)
        e, parts = f.e, f.e.load(Val("%list", "ptr"), "i64")

        def half(number: Val) -> None:
            part, less = self._listed(f, number), self._listed(f, e.add(number, parts))
            keys, count, least, *_ = self._known(f, part)
            self._note(f, less, [keys, f.word(0), least, least, f.word(0), NOWHERE, keys])

            def step() -> None:
                e.line(f"call void @{self.name}_step({texts(part, less)})")

            f.when(e.bit_and(e.icmp("sgt", count, f.word(PIECE)), self._differ(f, part)), step)

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, half)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_halves(ptr %list, i64 %begin, i64 %end)", cold=True)

    def pieces(self) -> str:
        """`void pieces(ptr list, i64 begin, i64 end)`: the keys of these parts of a list in order."""
        f = Function(self.declarations)

        def piece(number: Val) -> None:
            f.e.line(f"call void @{self.name}_part({self._listed(f, number).typed})")

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
        f.e.line("ret void")
        return f.text(f"internal void @{self.name}_pieces(ptr %list, i64 %begin, i64 %end)", cold=True)

    def _listed(self, f: Function, number: Val) -> Val:
        """A part of a list."""
        return f.e.offset(Val("%list", "ptr"), f.e.add(f.e.mul(number, f.word(WORDS)), f.word(1)), "i64")

    def whole(self, on_threads: bool) -> str:
        """The function itself."""
        f = Function(self.declarations)
        e, keys, count = f.e, Val("%keys", "ptr"), Val("%count", "i64")
        bounds = [Val(name, self.number) for name in ("%least", "%most")]
        zeros = e.intrinsic("llvm.ctlz", count, trailing=["i1 false"])
        # Twice as many as halves would need.
        samples = e.shl(e.sub(f.word(64), zeros), f.word(1))
        listed = f.room("i64", 1 + (WORDS << ROUNDS if on_threads else WORDS))
        first = e.offset(listed, f.word(1), "i64")
        self._note(f, first, [keys, count, *bounds, samples, NOWHERE, keys])

        def alone() -> None:
            e.line(f"call void @{self.name}_part({first.typed})")

        def each(body: str, parts: int) -> None:
            e.line(f"call void @{PARALLEL}(ptr @{self.name}_{body}, {texts(listed, f.word(parts))})")

        def together() -> None:
            self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            for parts in (1 << i for i in range(ROUNDS)):
                e.store(f.word(parts), listed)
                each("halves", parts)
            each("pieces", 1 << ROUNDS)

        if on_threads:
            f.when(e.icmp("sle", count, f.word(ALONE)), alone, together)
        else:
            alone()
        e.line("ret void")
        given = f"i64 %count, ptr %keys, {self.number} %least, {self.number} %most"
        return f.text(f"internal void @{self.name}({given})", cold=True)
