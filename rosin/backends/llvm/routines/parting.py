"""Quicksort of keys that go alone, by vectors: those below a threshold are packed to the left, the others aside.

The threshold is about the median of a sample. Bounds of the keys of a part go along: where they meet, all keys are the
same, and where samples tell too little, the middle between them is the threshold, so that no order of keys takes long.
Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017.

A part is six words: where its keys are, where others may be while it is parted, how many there are, bounds of them, and
how many more thresholds may come from samples.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import BYTES, Records, places_from, texts

TOGETHER = 2
"""Vectors that are parted in a step."""

WORDS = 6
"""Of a part."""

PIECE, ROUNDS = 1 << 15, 4
"""Parts of more keys are halved for threads, so many times."""

ALONE = 2 * PIECE
"""At most so many keys are parted by one thread."""

SAMPLED = 1024
"""Parts of so many keys have a sample of nine vectors; others one of three."""


def parting_texts(records: Records, size: int, name: str, on_threads: bool, declarations: set[str]) -> list[str]:
    """The function `void name(i64 count, ptr keys, ptr others)`, and those that it needs.

    It sorts keys where they are, more than `ALONE` of them `on_threads`; the others are for its work. `network<size>`
    sorts so many.
    """
    parting = _Parting(records, size, name, declarations)
    functions = [parting.split(), parting.median(), parting.step(), parting.leaf(), parting.part()]
    if on_threads:
        functions += [parting.halves(), parting.pieces()]
    return [*functions, parting.whole(on_threads)]


class _Parting:
    def __init__(self, records: Records, size: int, name: str, declarations: set[str]) -> None:
        self.size, self.name, self.declarations = size, name, declarations
        (self.elem,) = records.parts
        (self.most,) = records.last
        self.lanes, self.bytes = records.lanes, BYTES[self.elem]
        self.kinds = ("ptr", "ptr", "i64", self.elem, self.elem, "i64")

    def _at(self, f: Function, keys: Val, place: Val) -> Val:
        return f.e.offset(keys, place, self.elem)

    def _inside(self, f: Function, place: Val, count: Val) -> Val:
        """The lanes of a vector that begins at a place which are below a count."""
        return f.e.icmp("slt", places_from(f.e, place, self.lanes), f.e.splat(count, self.lanes))

    def _known(self, f: Function, part: Val) -> list[Val]:
        """What a part is."""
        return [f.e.load(f.e.offset(part, f.word(i), "i64"), kind) for i, kind in enumerate(self.kinds)]

    def _note(self, f: Function, part: Val, values: list[Val]) -> None:
        for i, value in enumerate(values):
            f.e.store(value, f.e.offset(part, f.word(i), "i64"))

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

        def vectors(place: Val) -> None:
            places = [e.add(place, f.word(i * lanes)) for i in range(TOGETHER)]
            given = [e.load(self._at(f, keys, at), self.elem, lanes, align=self.bytes) for at in places]
            for at, x in zip(places, given, strict=True):
                less = e.icmp("slt", x, threshold)
                for kind in bounds:
                    note(x, kind)
                before = f.add_to(left, number(less))
                e.store(packed(x, less), self._at(f, keys, before), align=self.bytes)
                more = e.bit_xor(less, e.like(True, less))
                e.store(packed(x, more), self._at(f, others, e.sub(at, before)), align=self.bytes)

        def rest(place: Val) -> None:
            inside = self._inside(f, place, count)
            x = e.masked_load(self._at(f, keys, place), self.elem, lanes, inside, self.bytes)
            for kind, value in kinds.items():
                note(e.select(inside, x, e.like(value, x)), kind)
            less = e.bit_and(inside, e.icmp("slt", x, threshold))
            more = e.bit_and(inside, e.bit_xor(less, e.like(True, less)))
            before = f.add_to(left, number(less))
            for where, array, goal in ((less, keys, before), (more, others, e.sub(place, before))):
                taken = self._inside(f, f.word(0), number(where))
                e.masked_store(packed(x, where), self._at(f, array, goal), taken, self.bytes)

        many = e.bit_and(count, f.word(-lanes * TOGETHER))
        f.loop(f.word(0), many, lanes * TOGETHER, vectors)
        f.loop(many, count, lanes, rest)
        found = e.load(left, "i64")
        e.copy_bytes(self._at(f, keys, found), others, e.mul(e.sub(count, found), f.word(self.bytes)))
        for place, (kind, slot) in enumerate(bounds.items()):
            value = e.intrinsic_across(f"llvm.vector.reduce.{kind}", e.load(slot, self.elem, lanes))
            e.store(value, self._at(f, Val("%bounds", "ptr"), f.word(place)))
        e.line(f"ret i64 {found.ref}")
        given = f"ptr %keys, ptr %others, i64 %count, {self.elem} %threshold, ptr %bounds"
        return f.text(f"internal i64 @{self.name}_split({given})")

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
            less, more = (e.intrinsic(f"llvm.{kind}", a, b) for kind in ("smin", "smax"))
            return e.intrinsic("llvm.smax", less, e.intrinsic("llvm.smin", more, c))

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

    def step(self) -> str:
        """`void step(ptr part, ptr less)`: the keys of a part below a threshold become the other part."""
        f = Function(self.declarations)
        e, elem, one = f.e, self.elem, f.e.const(1, self.elem)
        given, part = Val("%part", "ptr"), Val("%less", "ptr")
        keys, others, count, least, most, samples = self._known(f, given)
        bounds = f.room(elem, 2)
        half = e.lshr(e.sub(most, least), one)
        threshold = f.variable(e.add(e.add(least, half), one))

        def look() -> None:
            median = e.define(f"call {elem} @{self.name}_median({texts(keys, count)})", elem)
            inside = e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", median, e.add(least, one)), most)
            e.store(inside, threshold)

        f.when(e.icmp("sgt", samples, f.word(0)), look)
        at = e.load(threshold, elem)
        left = e.define(f"call i64 @{self.name}_split({texts(keys, others, count, at, bounds)})", "i64")
        low, high = (e.load(self._at(f, bounds, f.word(i)), elem) for i in range(2))
        none = e.bit_or(e.icmp("eq", left, f.word(0)), e.icmp("eq", left, count))
        fewer = e.sub(samples, f.word(1))

        def alone() -> None:
            # Now the bounds are keys, and a threshold between them parts the keys.
            self._note(f, given, [keys, others, count, low, high, fewer])
            self._note(f, part, [keys, others, f.word(0), low, low, f.word(0)])

        def both() -> None:
            self._note(f, given, [self._at(f, keys, left), others, e.sub(count, left), at, high, fewer])
            self._note(f, part, [keys, others, left, low, e.sub(at, one), fewer])

        f.when(none, alone, both)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_step(ptr %part, ptr %less)")

    def _differ(self, f: Function, part: Val) -> Val:
        _, _, _, least, most, _ = self._known(f, part)
        return f.e.icmp("slt", least, most)

    # -- parts -------------------------------------------------------------------------------------------------

    def leaf(self) -> str:
        """`void leaf(ptr keys, i64 count)`: as few keys as a network sorts."""
        f = Function(self.declarations)
        e, keys, count = f.e, Val("%keys", "ptr"), Val("%count", "i64")
        near, last = f.room(self.elem, self.size), e.const(self.most, self.elem, self.lanes)

        def read(place: Val) -> None:
            inside = self._inside(f, place, count)
            x = e.masked_load(self._at(f, keys, place), self.elem, self.lanes, inside, self.bytes)
            e.store(e.select(inside, x, last), self._at(f, near, place))

        def write(place: Val) -> None:
            x = e.load(self._at(f, near, place), self.elem, self.lanes)
            e.masked_store(x, self._at(f, keys, place), self._inside(f, place, count), self.bytes)

        f.loop(f.word(0), f.word(self.size), self.lanes, read)
        e.line(f"call void @network{self.size}({near.typed})")
        f.loop(f.word(0), f.word(self.size), self.lanes, write)
        e.line("ret void")
        return f.text(f"internal void @{self.name}_leaf(ptr %keys, i64 %count)")

    def part(self) -> str:
        """`void part(ptr part)`: the keys of a part in order."""
        f = Function(self.declarations)
        e, given, less = f.e, Val("%part", "ptr"), f.room("i64", WORDS)

        def is_long() -> Val:
            return e.bit_and(e.icmp("sgt", self._known(f, given)[2], f.word(self.size)), self._differ(f, given))

        def step() -> None:
            e.line(f"call void @{self.name}_step({texts(given, less)})")
            e.line(f"call void @{self.name}_part({less.typed})")

        f.repeat(is_long, step)
        keys, _, count, *_ = self._known(f, given)
        f.when(self._differ(f, given), lambda: e.line(f"call void @{self.name}_leaf({texts(keys, count)})"))
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
            keys, others, count, least, _, _ = self._known(f, part)
            self._note(f, less, [keys, others, f.word(0), least, least, f.word(0)])

            def step() -> None:
                e.line(f"call void @{self.name}_step({texts(part, less)})")
                # Threads need places of their own for what they put aside.
                further = self._at(f, others, self._known(f, less)[2])
                e.store(further, e.offset(part, f.word(1), "i64"))

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
        bounds = [e.const(value, self.elem) for value in (-self.most - 1, self.most)]
        zeros = e.intrinsic("llvm.ctlz", count, trailing=["i1 false"])
        # Twice as many as halves would need.
        samples = e.shl(e.sub(f.word(64), zeros), f.word(1))
        listed = f.room("i64", 1 + (WORDS << ROUNDS if on_threads else WORDS))
        first = e.offset(listed, f.word(1), "i64")
        self._note(f, first, [Val("%keys", "ptr"), Val("%others", "ptr"), count, *bounds, samples])

        def alone() -> None:
            e.line(f"call void @{self.name}_part({first.typed})")

        def each(body: str, number: int) -> None:
            e.line(f"call void @{PARALLEL}(ptr @{self.name}_{body}, {texts(listed, f.word(number))})")

        def together() -> None:
            self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            for number in (1 << i for i in range(ROUNDS)):
                e.store(f.word(number), listed)
                each("halves", number)
            each("pieces", 1 << ROUNDS)

        if on_threads:
            f.when(e.icmp("sle", count, f.word(ALONE)), alone, together)
        else:
            alone()
        e.line("ret void")
        return f.text(f"internal void @{self.name}(i64 %count, ptr %keys, ptr %others)", cold=True)
