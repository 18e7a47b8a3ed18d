"""Quicksort of keys that go alone, by vectors: those below a threshold are packed to the left, the others to the right.

The threshold is about the median of a sample. Bounds of the keys of a part go along: where they meet, all keys are the
same, and where samples tell too little, the middle between them is the threshold, so that no order of keys takes long.
Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017.

A part is six words: where its keys are, how many there are, bounds of them, how many more thresholds may come from
samples, and how many keys, these and none that is less, a network may sort from there. Bounds are integers, in the
order of keys.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import number, numbered
from rosin.backends.llvm.routines.records import BYTES, Records, greater, inside, is_less, lesser, places_from, texts

WORDS = 6
"""Of a part."""

PIECE, ROUNDS = 1 << 15, 4
"""Parts of more keys are halved for threads, so many times."""

ALONE = 2 * PIECE
"""At most so many keys are parted by one thread."""

STEP = 3
"""Vectors of keys that are read together."""

LOOKED_AT = 2
"""Vectors of keys that are looked at together where they may be the same."""

SAMPLED = 1024
"""Parts of so many keys have a sample of nine vectors; others one of three."""


def parting_texts(records: Records, size: int, name: str, on_threads: bool, declarations: set[str]) -> list[str]:
    """The function `void name(i64 count, ptr keys, number least, number most)`, and those that it needs.

    It sorts keys in place, more than `ALONE` of them `on_threads`. `network<size>` sorts so many.
    """
    parting = _Parting(records, size, name, declarations)
    functions = [parting.split(), parting.median(), parting.same(), parting.step(), parting.leaf(), parting.part()]
    if on_threads:
        functions += [parting.halves(), parting.pieces()]
    return [*functions, parting.whole(on_threads)]


class _Parting:
    def __init__(self, records: Records, size: int, name: str, declarations: set[str]) -> None:
        self.size, self.name, self.declarations = size, name, declarations
        (self.elem,) = records.parts
        (self.last,) = records.last
        self.lanes, self.bytes = records.lanes, BYTES[self.elem]
        self.number = f"i{8 * self.bytes}"
        self.kinds = ("ptr", "i64", self.number, self.number, "i64", "i64")

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

    def _counted(self, f: Function, where: Val) -> Val:
        """How many lanes a mask has."""
        bits = f.e.define(f"bitcast {where.typed} to i{self.lanes}", f"i{self.lanes}")
        return f.e.convert("zext", f.e.intrinsic("llvm.ctpop", bits), "i64")

    def split(self) -> str:
        """`i64 split(ptr keys, i64 count, key threshold)`: keys below the threshold come first, in place; how many
        they are.

        Steps of keys are read from the end that has fewer free places, which is known a step ahead. The first three
        are read last, so that there are enough.
        """
        f = Function(self.declarations)
        e, lanes, step = f.e, self.lanes, STEP * self.lanes
        keys, count = Val("%keys", "ptr"), Val("%count", "i64")
        ahead = e.intrinsic("llvm.smin", f.word(3 * step), count)
        threshold, near = e.splat(Val("%threshold", self.elem), lanes), f.room(self.elem, 4 * step)
        e.copy_bytes(near, keys, e.mul(ahead, f.word(self.bytes)))
        # Free places are from `left` to `low`, and from `high` to `right`.
        left, low, high, right = (f.variable(x) for x in (f.word(0), ahead, count, count))
        lefts, rights = f.variable(f.word(0)), f.variable(count)

        def put(x: Val, taken: Val, is_last: bool = False) -> None:
            """The keys of these lanes at the ends."""
            less = e.bit_and(taken, is_less(e, x, threshold))
            more = e.bit_xor(less, taken)
            fewer = self._counted(f, less)
            others = e.sub(self._counted(f, taken) if is_last else f.word(lanes), fewer)
            start = self._at(f, keys, f.add_to(left, fewer))
            if is_last:
                e.masked_store(self._packed(f, x, less), start, self._first(f, fewer), self.bytes)
            else:
                # What comes after them goes to free places.
                e.store(self._packed(f, x, less), start, align=self.bytes)
            end = e.sub(e.load(right, "i64"), others)
            e.store(end, right)
            e.masked_store(self._packed(f, x, more), self._at(f, keys, end), self._first(f, others), self.bytes)

        # LLVM does not know that they are all, or it would compare again for the others.
        all = self._first(f, e.intrinsic("llvm.smin", count, f.word(lanes)))

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
                put(x, all)

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

    def median(self) -> str:
        """`key median(ptr keys, i64 count)`: about the median of a sample, one of the keys.

        It is the median of three vectors, lane by lane, or that of three such; and then of lanes.
        """
        f = Function(self.declarations)
        e, elem, lanes = f.e, self.elem, self.lanes
        keys, count = Val("%keys", "ptr"), Val("%count", "i64")
        size = e.select(e.icmp("slt", count, f.word(SAMPLED)), f.word(3 * lanes), f.word(9 * lanes))
        # Keys that are an odd number of places apart: many patterns have an even period.
        apart = e.bit_or(e.sub(e.binary("udiv", count, size), f.word(1)), f.word(1))
        sample = f.room(elem, 9 * lanes)

        def draw(place: Val) -> None:
            places = e.mul(places_from(e, place, lanes), e.splat(apart, lanes))
            at = e.define(f"getelementptr {elem}, {keys.typed}, {places.typed}", "ptr", lanes)
            e.store(self._gathered(f, at), self._at(f, sample, place))

        def middle(a: Val, b: Val, c: Val) -> Val:
            return greater(e, lesser(e, a, b), lesser(e, greater(e, a, b), c))

        def triple(place: Val, apart: int) -> Val:
            """The median of vectors that are so many apart."""
            places = [e.add(place, f.word(i * apart * lanes)) for i in range(3)]
            return middle(*(e.load(self._at(f, sample, at), elem, lanes) for at in places))

        def triples(place: Val) -> None:
            e.store(triple(place, 3), self._at(f, sample, place))

        f.loop(f.word(0), size, lanes, draw)
        f.when(e.icmp("sgt", size, f.word(3 * lanes)), lambda: f.loop(f.word(0), f.word(3 * lanes), lanes, triples))
        x = triple(f.word(0), 1)
        for step in (lanes // 3, 1):
            turned = [e.shuffle(x, x, [(lane + i * step) % lanes for lane in range(lanes)]) for i in (1, 2)]
            x = middle(x, *turned)
        e.line(f"ret {e.define(f'extractelement {x.typed}, i64 0', elem).typed}")
        return f.text(f"internal {elem} @{self.name}_median(ptr %keys, i64 %count)", cold=True)

    def _gathered(self, f: Function, at: Val) -> Val:
        e, lanes, mask = f.e, self.lanes, f.e.const(True, "i1", self.lanes)
        like = Val("", self.elem, lanes)
        name = f"llvm.masked.gather.{like.mangled}.v{lanes}p0"
        self.declarations.add(f"declare {like.type} @{name}({at.type}, i32, {mask.type}, {like.type})")
        call = f"call {like.type} @{name}({at.typed}, i32 {self.bytes}, {mask.typed}, {like.type} poison)"
        return e.define(call, self.elem, lanes)

    def same(self) -> str:
        """`i1 same(ptr keys, i64 count, key value)`: whether all keys, which are not few, are this one."""
        f = Function(self.declarations)
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
        keys, count, least, most, samples, reach = self._known(f, given)
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
            self._note(f, given, [keys, count, least, least, samples, reach])
            self._note(f, part, [keys, f.word(0), least, least, samples, reach])

        def divide() -> None:
            at, fewer = e.load(threshold, self.number), e.sub(samples, f.word(1))
            by = texts(keys, count, numbered(e, at, elem))
            left = e.define(f"call i64 @{self.name}_split({by})", "i64")
            self._note(f, given, [self._at(f, keys, left), e.sub(count, left), at, most, fewer, e.sub(reach, left)])
            self._note(f, part, [keys, left, least, e.sub(at, one), fewer, reach])

        f.when(e.icmp("sgt", samples, f.word(0)), look)
        f.when(e.load(alike, "i1"), meet, divide)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_step(ptr %part, ptr %less)")

    def _differ(self, f: Function, part: Val) -> Val:
        bounds = self._known(f, part)[2:4]
        return f.e.icmp("slt", *bounds)

    # -- parts -------------------------------------------------------------------------------------------------

    def leaf(self) -> str:
        """`void leaf(ptr keys, i64 count, i64 reach)`: as few keys as a network sorts.

        Keys after them, which are not less and in no order yet, are sorted with them, if there are enough.
        """
        f = Function(self.declarations)
        e, keys, count = f.e, Val("%keys", "ptr"), Val("%count", "i64")
        near, last = f.room(self.elem, self.size), e.const(self.last, self.elem, self.lanes)
        is_half = e.icmp("sle", count, f.word(self.size // 2))
        size = e.select(is_half, f.word(self.size // 2), f.word(self.size))
        is_near = e.icmp("slt", Val("%reach", "i64"), size)
        sorted = e.select(is_near, near, keys)

        def read(place: Val) -> None:
            inside = self._inside(f, place, count)
            x = e.masked_load(self._at(f, keys, place), self.elem, self.lanes, inside, self.bytes)
            e.store(e.select(inside, x, last), self._at(f, near, place))

        def write(place: Val) -> None:
            x = e.load(self._at(f, near, place), self.elem, self.lanes)
            e.masked_store(x, self._at(f, keys, place), self._inside(f, place, count), self.bytes)

        def by(size: int) -> None:
            e.line(f"call void @network{size}({sorted.typed})")

        f.when(is_near, lambda: f.loop(f.word(0), size, self.lanes, read))
        f.when(is_half, lambda: by(self.size // 2), lambda: by(self.size))
        f.when(is_near, lambda: f.loop(f.word(0), size, self.lanes, write))
        e.line("ret void")
        return f.text(f"internal void @{self.name}_leaf(ptr %keys, i64 %count, i64 %reach)")

    def part(self) -> str:
        """`void part(ptr part)`: the keys of a part in order."""
        f = Function(self.declarations)
        e, given, less = f.e, Val("%part", "ptr"), f.room("i64", WORDS)

        def is_long() -> Val:
            return e.bit_and(e.icmp("sgt", self._known(f, given)[1], f.word(self.size)), self._differ(f, given))

        def step() -> None:
            e.line(f"call void @{self.name}_step({texts(given, less)})")
            e.line(f"call void @{self.name}_part({less.typed})")

        f.repeat(is_long, step)
        keys, count, *_, reach = self._known(f, given)
        f.when(self._differ(f, given), lambda: e.line(f"call void @{self.name}_leaf({texts(keys, count, reach)})"))
        e.line("ret void")
        return f.text(f"internal void @{self.name}_part(ptr %part)")

    # -- all ---------------------------------------------------------------------------------------------------

    def halves(self) -> str:
        """`void halves(ptr list, i64 begin, i64 end)`: these parts of a list in two, if they are long. The list is a
        word that tells how many there are, and the parts; as many come after them."""
        f = Function(self.declarations)
        e, parts = f.e, f.e.load(Val("%list", "ptr"), "i64")

        def half(number: Val) -> None:
            part, less = self._listed(f, number), self._listed(f, e.add(number, parts))
            keys, count, least, *_ = self._known(f, part)
            self._note(f, less, [keys, f.word(0), least, least, f.word(0), f.word(0)])

            def step() -> None:
                e.line(f"call void @{self.name}_step({texts(part, less)})")
                # Another thread may sort what comes after them.
                e.store(self._known(f, less)[1], e.offset(less, f.word(5), "i64"))

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
        e, count = f.e, Val("%count", "i64")
        bounds = [Val(name, self.number) for name in ("%least", "%most")]
        zeros = e.intrinsic("llvm.ctlz", count, trailing=["i1 false"])
        # Twice as many as halves would need.
        samples = e.shl(e.sub(f.word(64), zeros), f.word(1))
        listed = f.room("i64", 1 + (WORDS << ROUNDS if on_threads else WORDS))
        first = e.offset(listed, f.word(1), "i64")
        self._note(f, first, [Val("%keys", "ptr"), count, *bounds, samples, count])

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
