"""Quicksort of keys that go alone, by vectors: those below a threshold are packed to the left, the others to the right.

The threshold is about the median of a sample. Bounds of the keys of a part go along: where they meet, all keys are the
same, and where samples tell too little, the middle between them is the threshold, so that no order of keys takes long.
Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017.

A part is seven words: where its keys are, how many there are, bounds of them, how many more thresholds may come from
samples, where those above a threshold go, and where its keys are to be in order. Bounds are integers, in the order of
keys. Parts of lines for threads are parted in place, from both ends, as long as they are long; others have room beside
them, where those above a threshold go: then they are read from one end, which need not be known before (packing.py).
Parts of few keys are sorted by networks (blocks.py).
"""

from __future__ import annotations

from rosin.backends.llvm.assembler import assembled
from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.blocks import counted_text
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import number, numbered
from rosin.backends.llvm.routines.packing import STEP, TOGETHER, Packing
from rosin.backends.llvm.routines.records import BYTES, FLOATS, Records, texts
from rosin.backends.llvm.routines.straight import LETTERS, SUFFIXES, extremes
from rosin.backends.llvm.shuffles import REGISTER_BYTES

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

LOOKED_AT = 2
"""Vectors of keys that are looked at together where they may be the same."""

SAMPLE = 9
"""Vectors of keys, a power of 3, whose median is about that of a part."""


def parting_texts(
    records: Records, registers: int, name: str, blocks: str, declarations: set[str], alone: bool, on_threads: bool
) -> list[str]:
    """The function `void name(i64 count, ptr keys, ptr others, number least, number most)`, and those that it needs.

    It sorts keys in place: at most `ALONE` of them if there is code for one that is `alone`, with room for as many
    others, and more if there is code `on_threads`. The functions of `blocks_texts` called `blocks` sort few, block
    after block of so many registers.
    """
    parting = _Parting(records, name, blocks, declarations, alone, on_threads)
    functions = [parting.apart(), parting.step(), parting.little(), parting.whole()]
    functions.append(counted_text(records, registers, parting.few, blocks, declarations))
    if on_threads:
        functions += [parting.split(), parting.near(), parting.part(), parting.halves(), parting.pieces()]
    return functions


class _Parting:
    def __init__(
        self, records: Records, name: str, blocks: str, declarations: set[str], alone: bool, on_threads: bool
    ) -> None:
        self.name, self.blocks, self.declarations = name, blocks, declarations
        self.alone, self.on_threads = alone, on_threads
        (self.elem,) = records.parts
        self.lanes, self.bytes = records.lanes, BYTES[self.elem]
        self.letter = LETTERS[self.bytes]
        self.packing = Packing(self.elem, declarations)
        self.number = f"i{8 * self.bytes}"
        self.few, self.beside = FEW // self.bytes, BESIDE // self.bytes
        self.kinds = ("ptr", "i64", self.number, self.number, "i64", "ptr", "ptr")

    def _at(self, f: Function, keys: Val, place: Val) -> Val:
        return f.e.offset(keys, place, self.elem)

    def _known(self, f: Function, part: Val) -> list[Val]:
        """What a part is."""
        return [f.e.load(f.e.offset(part, f.word(i), "i64"), kind) for i, kind in enumerate(self.kinds)]

    def _note(self, f: Function, part: Val, values: list[Val]) -> None:
        for i, value in enumerate(values):
            f.e.store(value, f.e.offset(part, f.word(i), "i64"))

    # -- a part in two ---------------------------------------------------------------------------------------

    def split(self) -> str:
        """`i64 split(ptr keys, i64 count, key threshold)`: keys below the threshold, of many, come first, in place; how
        many they are.

        The first three steps of keys are packed last, so that there are enough free places.
        """
        f = Function(self.declarations)
        e, keys, count, step = f.e, Val("%keys", "ptr"), Val("%count", "i64"), STEP * REGISTER_BYTES
        ahead, near = f.word(3 * step), f.room("i8", 4 * step)
        threshold = e.splat(Val("%threshold", self.elem), self.lanes)
        e.copy_bytes(near, keys, ahead)
        end = self._at(f, keys, count)
        ends = self.packing.from_both_ends(e, keys, end, e.offset(keys, ahead, "i8"), end, threshold)
        left, right, low, high = ends
        remaining = e.sub(*(e.convert("ptrtoint", at, "i64") for at in (high, low)))
        after = e.offset(near, ahead, "i8")
        e.copy_bytes(after, low, remaining)
        left = self.packing.last(e, left, right, near, e.offset(after, remaining, "i8"), threshold)
        e.line(f"ret {self._between(f, keys, left).typed}")
        given = f"ptr %keys, i64 %count, {self.elem} %threshold"
        return f.text(f"internal i64 @{self.name}_split({given})", cold=True)

    def apart(self) -> str:
        """`i64 apart(ptr keys, ptr others, i64 count, key threshold)`: keys below the threshold come first, in
        place; how many they are. The rest goes where it would in place, but of the others."""
        f = Function(self.declarations)
        e, keys, others, count = f.e, Val("%keys", "ptr"), Val("%others", "ptr"), Val("%count", "i64")
        threshold = e.splat(Val("%threshold", self.elem), self.lanes)
        whole = self._at(f, keys, e.bit_and(count, f.word(-TOGETHER * self.lanes)))
        right = self._at(f, others, count)
        left, right, low = self.packing.from_low_end(e, keys, right, keys, whole, threshold)
        left = self.packing.last(e, left, right, low, self._at(f, keys, count), threshold)
        e.line(f"ret {self._between(f, keys, left).typed}")
        given = f"ptr %keys, ptr %others, i64 %count, {self.elem} %threshold"
        return f.text(f"internal i64 @{self.name}_apart({given})", cold=True)

    def _between(self, f: Function, begin: Val, end: Val) -> Val:
        """How many keys there are between two addresses."""
        bytes = f.e.sub(*(f.e.convert("ptrtoint", at, "i64") for at in (end, begin)))
        return f.e.lshr(bytes, f.word(self.bytes.bit_length() - 1))

    def _median(self, f: Function, keys: Val, count: Val) -> Val:
        """About the median of a sample, one of the keys.

        It is the median of three medians of three vectors, lane by lane, and then of lanes.
        """
        e, goal = f.e, f.room(self.elem, self.lanes)
        # An odd number of places apart: many patterns have an even period.
        apart = e.bit_or(e.sub(e.binary("udiv", count, f.word(SAMPLE)), f.word(1)), f.word(1))
        lines = ["leaq (<apart>,<apart>,2), %rax"]
        for third in range(3):
            places = ("(<keys>)", "(<keys>,<apart>)", "(<keys>,<apart>,2)")
            lines += [f"vmovdqu64 {place}, %zmm{i}" for i, place in enumerate(places)]
            lines += [*self._middle(("%zmm0", "%zmm1", "%zmm2"), f"%zmm{4 + third}"), "addq %rax, <keys>"]
        lines += self._middle(("%zmm4", "%zmm5", "%zmm6"), "%zmm0")
        for step in (self.lanes // 3, 1):
            lines += [f"valign{self.letter} $${i * step}, %zmm0, %zmm0, %zmm{i}" for i in (1, 2)]
            lines += self._middle(("%zmm0", "%zmm1", "%zmm2"), "%zmm0")
        lines.append("vmovdqu64 %zmm0, (<goal>)")
        bytes = e.mul(apart, f.word(self.bytes))
        assembled(e, lines, {"keys": keys}, {"apart": bytes, "goal": goal})
        return e.load(goal, self.elem)

    def _middle(self, given: tuple[str, str, str], goal: str) -> list[str]:
        """The median of three vectors, lane by lane."""
        x, y, z = given
        less, more, other, none = (f"%zmm{number}" for number in range(8, 12))
        first = extremes(self.elem, x, y, (less, more), "%k1")
        *second, _ = extremes(self.elem, more, z, (other, none), "%k1")
        *third, _, last = extremes(self.elem, less, other, (none, goal), "%k1")
        return [*first, *second, *third, last]

    def _are_all(self, f: Function, keys: Val, count: Val, value: Val) -> Val:
        """Whether all keys, which are not few, are this one."""
        e, step = f.e, LOOKED_AT * REGISTER_BYTES
        end = self._at(f, keys, count)
        differ = f"vcmpneq{SUFFIXES[self.elem]}" if self.elem in FLOATS else f"vpcmpneq{self.letter}"
        lines = [
            "jmp 2f",
            "1:",
            "cmpq <last>, <low>",
            "movq <low>, %rax",
            "cmovaq <last>, %rax",
            *(f"{differ} {REGISTER_BYTES * i}(%rax), <value>, %k{1 + i}" for i in range(LOOKED_AT)),
            "kortestw %k1, %k2",
            "jnz 3f",
            f"addq $${step}, <low>",
            "2:",
            "cmpq <end>, <low>",
            "jb 1b",
            "3:",
        ]
        given = {"last": e.offset(end, f.word(-step), "i8"), "end": end, "value": e.splat(value, self.lanes)}
        (low,) = assembled(e, lines, {"low": keys}, given)
        return e.icmp("uge", low, end)

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
            median = self._median(f, keys, count)
            middle = number(e, median)
            above = e.intrinsic("llvm.smax", middle, e.add(least, one))
            e.store(e.intrinsic("llvm.smin", above, most), threshold)

            def compare() -> None:
                e.store(self._are_all(f, keys, count, median), alike)

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

            def in_two() -> None:
                split("apart", keys, others)

            if self.on_threads:
                f.when(in_place, lambda: split("split", keys), in_two)
            else:
                in_two()
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
        f = Function(self.declarations)
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
        return f.text(f"internal void @{self.name}_little(ptr %part)", cold=True)

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

    def whole(self) -> str:
        """The function itself."""
        f = Function(self.declarations)
        e, keys, others, count = f.e, Val("%keys", "ptr"), Val("%others", "ptr"), Val("%count", "i64")
        bounds = [Val(name, self.number) for name in ("%least", "%most")]
        zeros = e.intrinsic("llvm.ctlz", count, trailing=["i1 false"])
        # Twice as many as halves would need.
        samples = e.shl(e.sub(f.word(64), zeros), f.word(1))
        listed = f.room("i64", 1 + (WORDS << ROUNDS if self.on_threads else WORDS))
        first = e.offset(listed, f.word(1), "i64")

        def alone() -> None:
            self._note(f, first, [keys, count, *bounds, samples, others, keys])
            e.line(f"call void @{self.name}_little({first.typed})")

        def each(body: str, parts: int) -> None:
            e.line(f"call void @{PARALLEL}(ptr @{self.name}_{body}, {texts(listed, f.word(parts))})")

        def together() -> None:
            self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            self._note(f, first, [keys, count, *bounds, samples, NOWHERE, keys])
            for parts in (1 << i for i in range(ROUNDS)):
                e.store(f.word(parts), listed)
                each("halves", parts)
            each("pieces", 1 << ROUNDS)

        if self.alone and self.on_threads:
            f.when(e.icmp("sle", count, f.word(ALONE)), alone, together)
        else:
            (alone if self.alone else together)()
        e.line("ret void")
        given = f"i64 %count, ptr %keys, ptr %others, {self.number} %least, {self.number} %most"
        return f.text(f"internal void @{self.name}({given})", cold=True)
