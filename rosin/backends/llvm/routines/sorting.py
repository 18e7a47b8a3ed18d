"""The routines `sort_<dtype>` and `argsort_<dtype>`: lines of numbers in ascending or descending order, stable.

    void rosin_sort_f32(ptr words, i64 begin, i64 end)

sorts lines begin … end - 1. The words are the addresses of the operand and the result, the length of a line, 1
where the order is descending, and the address of the room that lines longer than `SHORT` need.

What is sorted are *keys* (keys.py): integers whose order as signed numbers is that of the elements, all bits inverted
where the order is descending. -0.0 has the key of 0.0, and all NaNs have the greatest one. Floats that go alone may be
their own keys, with infinities for NaNs and the sign turned for a descending order. An argsort sorts records of a key
and the place it came from. The shortest lines are sorted by a network in registers (networks.py), short ones by
merging (merging.py), long ones byte by byte (radix.py), very long ones in chunks (chunks.py); long keys and their
places first by a part of the keys (windows.py). Where vectors can be packed, longer lines of keys alone are sorted by
networks block after block (blocks.py), and long ones are parted before (parting.py). Lines that are in order already,
or in the opposite one, are not sorted at all. What a key does not tell, the sign of a zero and the bits of a NaN, is
copied in order in the end. Where the length of lines is known, the routine has the code of the one way alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.blocks import block_names, block_texts, blocks_of, blocks_texts
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import FloatKeys, Keys, number
from rosin.backends.llvm.routines.networks import network_texts
from rosin.backends.llvm.routines.ordered import in_order_text, restore_text, take_text
from rosin.backends.llvm.routines.parting import ALONE, FEW, parting_texts
from rosin.backends.llvm.routines.records import (
    BYTES,
    CHUNK,
    Records,
    greater,
    inside,
    lesser,
    places_from,
    texts,
)
from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.sort import SHORT, SLACK, room_bytes

REGISTERS, WIDE_REGISTERS = 8, 16
"""Lines that fit so many registers are sorted by a network: of the widest, of which there are more, twice as many."""

MERGED = 32
"""Lines of at most so many networks are sorted by merging, where keys go alone."""

BLOCKS = "by_blocks"
"""The function that sorts blocks."""

ANY, NETWORK, SHORT_ONES, CHUNKS, LONG_ONES = "", "network", "short", "chunk", "long"
"""The lines that a routine may have code for: those that a network sorts, whose size stands after `NETWORK`, those that
are merged, those that one thread sorts, and longer ones."""


def sorting_texts(dtype: DType, places: bool, name: str, vector_bytes: int, way: str = ANY) -> Iterator[str]:
    """The modules of the routine called `name`, which sorts elements of `dtype`, or their `places`."""
    routine = _Sorting(dtype, places, name, vector_bytes, way)
    yield routine.text()
    if routine.by_blocks:
        yield routine.blocks_text()


def sorting_way(dtype: DType, places: bool, length: Dim, vector_bytes: int) -> str:
    """The lines that those of a length are among, if it is known."""
    if not isinstance(length, int):
        return ANY
    routine = _Sorting(dtype, places, "", vector_bytes, ANY)
    least = next((size for size in routine.sizes if length <= size), None)
    if least is not None:
        return f"{NETWORK}{least}"
    if length <= routine.most_merged:
        return SHORT_ONES
    return CHUNKS if length <= routine.most_alone else LONG_ONES


class _Sorting:
    """The text of one routine.

    A record is a key; a key and a place in one integer, where both fit 64 bits; or a key and a place as two parts.
    """

    def __init__(self, dtype: DType, places: bool, name: str, vector_bytes: int, way: str) -> None:
        self.places, self.name, self.way = places, name, way
        packs = vector_bytes >= 64 and not places
        # Bytes of keys, which lines that are not parted may be sorted by, are those of integers.
        floats = packs or (vector_bytes >= 32 and (way == SHORT_ONES or way.startswith(NETWORK)))
        self.order = Keys(dtype)
        """All of the order; `keys` may tell less."""
        as_floats = floats and not places and (dtype == dtypes.f64 or (packs and dtype == dtypes.f32))
        self.keys = FloatKeys(dtype) if as_floats else self.order
        self.packed = places and dtype.bits < 64
        self.wide = places and not self.packed
        parts = ("i64",) if self.packed else ("i64", "i32") if places else (self.keys.elem,)
        self.records = Records(parts, max(vector_bytes // BYTES[parts[0]], 2))
        most = WIDE_REGISTERS if vector_bytes >= 64 and not self.wide else REGISTERS
        self.sizes = [self.records.lanes << i for i in range(most.bit_length())]
        """Of the networks that may sort a line."""
        # A network takes LLVM long: of the narrow keys those that are merged are sorted by a smaller one.
        merged = self.records.lanes * (most if BYTES[parts[0]] == 8 or packs else REGISTERS)
        self.block = int(way.removeprefix(NETWORK)) if way.startswith(NETWORK) else merged
        few = FEW // BYTES[parts[0]] if packs else MERGED * self.block
        self.most_merged = SHORT if places else max(few, SHORT)
        self.parted = packs
        """Whether lines that are longer than a network are sorted by parting, for which vectors are packed."""
        self.most_alone = ALONE if packs else CHUNK
        """A longer line is sorted on threads."""
        self.exact = dtype.is_float and not places
        """Whether what keys do not tell is to be put back."""
        self.declarations: set[str] = set()

    @property
    def by_blocks(self) -> bool:
        """Whether there is code for lines that are sorted block after block."""
        return self.parted and not self.way.startswith(NETWORK)

    def networks(self) -> list[int]:
        """The sizes of the networks that there is code for."""
        if self.way.startswith(NETWORK):
            return [self.block]
        if self.way == ANY:
            return [size for size in self.sizes if size < self.block or (not self.parted and size == self.block)]
        return [self.block] if not self.parted and self.way == SHORT_ONES else []

    def text(self) -> str:
        declarations, by_network = self.declarations, self.way.startswith(NETWORK)
        functions: list[str] = []
        for size in self.networks():
            functions += network_texts(self.records, size // self.records.lanes, f"network{size}", declarations)
        if by_network:
            functions.append(self._lines_by_network())
        else:
            lanes = self.records.lanes
            functions.append(in_order_text(self.order, lanes, declarations))
            functions.append(take_text(self.keys.memory, self.places, lanes, declarations))
            functions += [self._line(), self._lines()]
            if not self.parted or self.way != SHORT_ONES:
                functions += [self._in(), self._out()]
        if self.way == ANY:
            functions.append(self._shortest())
        if self.by_blocks:
            functions += self._parting_texts()
            declarations |= {f"declare void @{name}(ptr, i64)" for name in block_names(BLOCKS)}
        elif not by_network:
            functions += self._records_texts()
        if self.exact:
            functions.append(restore_text(self.order, self.records.lanes, declarations))
        return "\n".join([*sorted(declarations), "", *functions])

    def blocks_text(self) -> str:
        """A module of its own for what sorts a block, which takes LLVM little time: the other one, which takes more, is
        compiled while this is written."""
        declarations: set[str] = set()
        functions = block_texts(self.records, self.block // self.records.lanes, BLOCKS, declarations)
        return "\n".join([*sorted(declarations), "", *functions]).replace("define internal ", "define ")

    def _parting_texts(self) -> list[str]:
        """The ways of lines that are parted, and the functions that they need."""
        alone, on_threads, registers = self.way != LONG_ONES, self.way != CHUNKS, self.block // self.records.lanes
        functions = blocks_texts(self.records, registers, BLOCKS, self.declarations)
        if self.way in (ANY, SHORT_ONES):
            functions.append(self._by_blocks())
        if self.way != SHORT_ONES:
            functions += parting_texts(
                self.records, registers, "by_parting", BLOCKS, self.declarations, alone, on_threads
            )
            functions.append(self._parted())
        return functions

    def _records_texts(self) -> list[str]:
        """The ways of lines that are not parted, and the functions that they need."""
        from rosin.backends.llvm.routines.merging import MERGE, merge_text, merging_text

        declarations, functions = self.declarations, list[str]()
        if self.way != CHUNKS:
            functions.append(merge_text(self.records, MERGE, declarations))
        if self.way in (ANY, SHORT_ONES):
            functions.append(merging_text(self.records, self.block, f"network{self.block}", "by_merging", declarations))
            functions.append(self._short())
        if self.way != SHORT_ONES:
            functions += self._long_texts(MERGE)
        return functions

    def _long_texts(self, merge: str) -> list[str]:
        """The way of long lines, and the functions that it needs but for the one that merges."""
        from rosin.backends.llvm.routines.chunks import chunks_texts
        from rosin.backends.llvm.routines.radix import radix_text
        from rosin.backends.llvm.routines.windows import windows_texts

        declarations, chunks = self.declarations, self.way != CHUNKS
        least = 4 if self.packed else 0
        digits = range(least, least + BYTES[self.keys.elem])
        functions = [radix_text(self.records, digits, "by_bytes", declarations)]
        if chunks:
            functions += chunks_texts(self.records, "by_bytes", "by_chunks", merge, declarations)
        if self.wide:
            functions += windows_texts(self.keys, self.records.lanes, "by_windows", chunks, declarations)
        return [*functions, self._long()]

    # -- elements and records ------------------------------------------------------------------------------

    def _in(self) -> str:
        """`i1 in(ptr source, i64 count, key mask, ptr parts…)`: records of elements; whether keys do not tell all.

        Where lines are parted, the least and the greatest key go to `ptr bounds`, as integers.
        """
        f = Function(self.declarations, plain=True)
        e, keys = f.e, self.keys
        mask, count = Val("%mask", keys.turn), Val("%count", "i64")
        (parts,) = self.records.pointers("part")
        sizes, parted = (self.records.lanes, 1), self.records.parts[0]
        lost = [f.variable(e.const(False, "i1", lanes)) for lanes in sizes]
        bounds = {
            kind: [f.variable(e.const(value, parted, lanes)) for lanes in sizes]
            for kind, value in ((lesser, self.records.last[0]), (greater, self.records.first[0]))
            if self.parted
        }

        def record(place: Val, lanes: int = self.records.lanes) -> None:
            x = e.load(e.offset(Val("%source", "ptr"), place, keys.memory), keys.memory, lanes, align=keys.dtype.bytes)
            record, one = self._record(e, keys.key(e, x, mask), place), lanes == 1
            self.records.store(e, record, parts, place)
            for kind, slots in bounds.items():
                e.store(kind(e, e.load(slots[one], parted, lanes), record[0]), slots[one])
            if self.exact:
                e.store(e.bit_or(e.load(lost[one], "i1", lanes), keys.loses(e, x)), lost[one])

        self._all(f, count, record)
        vector = e.intrinsic_across("llvm.vector.reduce.or", e.load(lost[0], "i1", self.records.lanes))
        for place, (kind, slots) in enumerate(bounds.items()):
            across = {lesser: "smin", greater: "smax"}[kind]
            most, other = (number(e, e.load(slot, parted, n)) for slot, n in zip(slots, sizes, strict=True))
            found = e.intrinsic(f"llvm.{across}", e.intrinsic_across(f"llvm.vector.reduce.{across}", most), other)
            e.store(found, e.offset(Val("%bounds", "ptr"), f.word(place), found.elem))
        e.line(f"ret i1 {e.bit_or(vector, e.load(lost[1], 'i1')).ref}")
        given = f"ptr %source, i64 %count, {mask.typed}, {self.records.parameters('part')}"
        return f.text(f"internal i1 @in({given}{', ptr %bounds' if self.parted else ''})")

    def _all(self, f: Function, count: Val, body: Callable[..., None]) -> None:
        """The body for all places, which fill a vector unless the routine has code for any line."""
        if self.way == ANY:
            f.each(count, self.records.lanes, body)
        else:
            f.covering(count, self.records.lanes, body)

    def _record(self, e: Emitter, key: Val, place: Val) -> list[Val]:
        """The parts of the records of the keys from a place on."""
        if not self.places:
            return [key]
        place = places_from(e, place, key.lanes)
        if self.packed:
            return [e.bit_or(e.shl(e.convert("zext", key, "i64"), e.const(32, "i64", key.lanes)), place)]
        return [key, e.convert("trunc", place, "i32")]

    def _out(self) -> str:
        """`void out(ptr target, i64 count, key mask, ptr parts…)`: the elements, or the places, of records."""
        f = Function(self.declarations, plain=True)
        e, mask = f.e, Val("%mask", self.keys.turn)
        (parts,) = self.records.pointers("part")

        def element(place: Val, lanes: int = self.records.lanes) -> None:
            x = self._element(e, self.records.load(e, parts, place, lanes), mask)
            e.store(x, e.offset(Val("%target", "ptr"), place, x.elem), align=BYTES[x.elem])

        count, elem = Val("%count", "i64"), self.keys.elem

        def inside(place: Val) -> None:
            lanes, where = self.records.lanes, self._inside(e, place, count)
            given = e.masked_load(e.offset(parts[0], place, elem), elem, lanes, where, BYTES[elem])
            x = self._element(e, [given], mask)
            e.masked_store(x, e.offset(Val("%target", "ptr"), place, x.elem), where, BYTES[x.elem])

        if self.parted and self.way != ANY:
            # The keys may be where the elements are to be, so none may be taken twice.
            f.loop(f.word(0), count, self.records.lanes, inside)
        else:
            self._all(f, count, element)
        e.line("ret void")
        return f.text(f"internal void @out(ptr %target, i64 %count, {mask.typed}, {self.records.parameters('part')})")

    def _inside(self, e: Emitter, place: Val, count: Val) -> Val:
        return inside(e, place, count, self.records.lanes)

    def _element(self, e: Emitter, record: Sequence[Val], mask: Val) -> Val:
        """The elements, or the places, of records."""
        return e.convert("trunc", record[-1], "i32") if self.places else self.keys.element(e, record[-1], mask)

    # -- sorting -------------------------------------------------------------------------------------------

    @property
    def _signature(self) -> str:
        """Of the ways to sort a line, which give whether keys do not tell all."""
        return f"(ptr %source, ptr %target, ptr %room, i64 %count, {self.keys.turn} %mask)"

    def _read(self, f: Function, parts: list[Val], bounds: Val | None = None) -> Val:
        """Records of the operand; whether keys do not tell all."""
        given = [Val("%source", "ptr"), Val("%count", "i64"), Val("%mask", self.keys.turn), *parts]
        if self.parted:
            given.append(bounds or f.room(self.keys.turn, 2))
        return f.e.define(f"call i1 @in({texts(*given)})", "i1")

    def _write(self, f: Function, parts: list[Val]) -> None:
        given = texts(Val("%target", "ptr"), Val("%count", "i64"), Val("%mask", self.keys.turn), *parts)
        f.e.line(f"call void @out({given})")

    def _fill(self, f: Function, parts: list[Val], size: Val) -> None:
        """The last key in the places from the end of the line on."""
        last = [f.e.const(x, part) for x, part in zip(self.records.last, self.records.parts, strict=True)]
        f.loop(Val("%count", "i64"), size, 1, lambda place: self.records.store(f.e, last, parts, place))

    def _shortest(self) -> str:
        """By the least network that the line fits."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        parts = [f.room(elem, self.block) for elem in self.records.parts]
        lost = self._read(f, parts)
        before = -1
        for size in self.networks():

            def sort(size: int = size) -> None:
                self._fill(f, parts, f.word(size))
                e.line(f"call void @network{size}({texts(*parts)})")

            least = e.bit_and(e.icmp("sgt", count, f.word(before)), e.icmp("sle", count, f.word(size)))
            f.when(least, sort)
            before = size
        self._write(f, parts)
        e.line(f"ret i1 {lost.ref}")
        return f.text(f"internal i1 @shortest{self._signature}")

    def _short(self) -> str:
        """By merging, in local arrays."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        here, there = (
            [f.room(part, self.most_merged + self.records.lanes) for part in self.records.parts] for _ in range(2)
        )
        lost = self._read(f, here)
        whole = e.bit_and(e.add(count, f.word(self.block - 1)), f.word(-self.block))
        self._fill(f, here, whole)
        moved = e.define(f"call i1 @by_merging({texts(whole, *here, *there)})", "i1")
        self._write(f, [e.select(moved, b, a) for a, b in zip(here, there, strict=True)])
        e.line(f"ret i1 {lost.ref}")
        return f.text(f"internal i1 @short{self._signature}", cold=True)

    def _long(self) -> str:
        """Byte by byte, or in chunks, in the room: for each part the records, and then their other places."""
        f = Function(self.declarations)
        e, count, offset = f.e, Val("%count", "i64"), f.word(0)
        if self.wide:
            self._try_windows(f)
        here: list[Val] = []
        there: list[Val] = []
        for part in self.records.parts:
            for array in (here, there):
                array.append(e.offset(Val("%room", "ptr"), offset, "i8"))
                offset = e.add(offset, e.mul(e.add(count, f.word(SLACK)), f.word(BYTES[part])))
        lost, moved = self._read(f, here), f.variable(e.const(False, "i1"))

        def by(way: str, length: Val) -> None:
            e.store(e.define(f"call i1 @{way}({texts(length, *here, *there)})", "i1"), moved)

        def in_chunks() -> None:
            lanes = self.records.lanes
            whole = e.bit_and(e.add(count, f.word(lanes - 1)), f.word(-lanes))
            self._fill(f, here, whole)
            by("by_chunks", whole)

        if self.way == CHUNKS:
            by("by_bytes", count)
        else:
            f.when(e.icmp("sle", count, f.word(CHUNK)), lambda: by("by_bytes", count), in_chunks)
        is_moved = e.load(moved, "i1")
        self._write(f, [e.select(is_moved, b, a) for a, b in zip(here, there, strict=True)])
        e.line(f"ret i1 {lost.ref}")
        return f.text(f"internal i1 @long{self._signature}", cold=True)

    def _parted(self) -> str:
        """By parting, where the result is to be if keys are as wide as elements."""
        f = Function(self.declarations)
        e, count, keys = f.e, Val("%count", "i64"), self.keys
        here = others = Val("%room", "ptr")
        if keys.dtype.bytes == BYTES[keys.elem]:
            here = Val("%target", "ptr")
        else:
            others = e.offset(here, e.add(count, f.word(SLACK)), keys.elem)
        bounds = f.room(keys.turn, 2)
        lost = self._read(f, [here], bounds)
        least, most = (e.load(e.offset(bounds, f.word(i), keys.turn), keys.turn) for i in range(2))
        e.line(f"call void @by_parting({texts(count, here, others, least, most)})")
        if keys.are_elements:
            turned = e.icmp("ne", Val("%mask", keys.turn), e.const(0, keys.turn))
            f.when(turned, lambda: self._write(f, [here]))
        else:
            self._write(f, [here])
        e.line(f"ret i1 {lost.ref}")
        return f.text(f"internal i1 @long{self._signature}", cold=True)

    def _by_blocks(self) -> str:
        """By networks, block after block, in a local array."""
        f = Function(self.declarations, plain=True)
        count, elem = Val("%count", "i64"), self.keys.elem
        near = f.room(elem, self.most_merged + self.block)
        blocks = blocks_of(f, count, self.block)
        length = f.e.mul(blocks, f.word(self.block))

        def sort() -> None:
            f.e.line(f"call void @{BLOCKS}({texts(near, blocks)})")

        source, target = Val("%source", "ptr"), Val("%target", "ptr")
        lost = self._near(f, [near], source, target, count, length, Val("%mask", self.keys.turn), sort)
        f.e.line(f"ret i1 {lost.ref}")
        return f.text(f"internal i1 @short{self._signature}")

    def _near(
        self,
        f: Function,
        parts: list[Val],
        source: Val,
        target: Val,
        count: Val,
        length: Val,
        mask: Val,
        sort: Callable[[], None],
    ) -> Val:
        """Records of a line, and the last one up to a length, which are sorted where they are and written from there;
        gives whether keys do not tell all."""
        e, keys, lanes = f.e, self.keys, self.records.lanes
        whole, none = e.bit_and(count, f.word(-lanes)), e.const(False, "i1", lanes)
        last = [e.const(x, part, lanes) for x, part in zip(self.records.last, self.records.parts, strict=True)]
        lost = f.variable(none)

        def read(place: Val, inside: Val | None) -> None:
            start = e.offset(source, place, keys.memory)
            if inside is None:
                x = e.load(start, keys.memory, lanes, align=keys.dtype.bytes)
            else:
                x = e.masked_load(start, keys.memory, lanes, inside, keys.dtype.bytes)
            record = self._record(e, keys.key(e, x, mask), place)
            if inside is not None:
                record = [e.select(inside, *pair) for pair in zip(record, last, strict=True)]
            self.records.store(e, record, parts, place)
            if self.exact:
                e.store(e.bit_or(e.load(lost, "i1", lanes), keys.loses(e, x)), lost)

        def write(place: Val, inside: Val | None) -> None:
            x = self._element(e, self.records.load(e, parts, place, lanes), mask)
            at = e.offset(target, place, x.elem)
            if inside is None:
                e.store(x, at, align=BYTES[x.elem])
            else:
                e.masked_store(x, at, inside, BYTES[x.elem])

        def each(body: Callable[[Val, Val | None], None]) -> None:
            f.loop(f.word(0), whole, lanes, lambda place: body(place, None))
            f.loop(whole, count, lanes, lambda place: body(place, self._inside(e, place, count)))

        each(read)
        rest = e.bit_and(e.add(count, f.word(lanes - 1)), f.word(-lanes))
        f.loop(rest, length, lanes, lambda place: self.records.store(e, last, parts, place))
        sort()
        each(write)
        return e.intrinsic_across("llvm.vector.reduce.or", e.load(lost, "i1", lanes))

    def _try_windows(self, f: Function) -> None:
        """Leave the function if windows of the keys tell enough to sort the line by them."""
        e, done, on = f.e, f.e.label("done"), f.e.label("on")
        given = "ptr %source, ptr %target, ptr %room, i64 %count, i64 %mask"
        e.branch_if(e.define(f"call i1 @by_windows({given})", "i1"), done, on)
        e.block(done)
        e.line("ret i1 false")
        e.block(on)

    def _line(self) -> str:
        """`void line(ptr source, ptr target, ptr room, i64 count, i64 descending)`: one line."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        source, target, room = (Val(name, "ptr") for name in ("%source", "%target", "%room"))
        mask, turned = self.keys.mask(e, Val("%descending", "i64")), e.icmp("ne", Val("%descending", "i64"), f.word(0))
        next = e.offset(source, f.word(1), self.keys.memory)
        pairs = [e.select(turned, next, source), e.select(turned, source, next), e.sub(count, f.word(1))]
        lost = f.variable(e.const(False, "i1"))

        def by(way: str) -> None:
            e.store(e.define(f"call i1 @{way}({texts(source, target, room, count, mask)})", "i1"), lost)

        def unordered() -> None:
            if self.way:
                by("short" if self.way == SHORT_ONES else "long")
            else:
                f.when(e.icmp("sle", count, f.word(self.most_merged)), lambda: by("short"), lambda: by("long"))

        def take(back: bool) -> None:
            e.line(f"call void @take({texts(source, target, count, e.const(back, 'i1'))})")

        def is_all(falls: bool) -> Val:
            return e.define(f"call i1 @in_order({texts(*pairs, e.const(falls, 'i1'))})", "i1")

        def longer() -> None:
            f.when(is_all(False), lambda: take(False), not_rising)

        def not_rising() -> None:
            f.when(is_all(True), lambda: take(True), unordered)

        if self.way:
            longer()
        else:
            f.when(e.icmp("sle", count, f.word(self.networks()[-1])), lambda: by("shortest"), longer)
        if self.exact:
            given = texts(source, target, count, mask)
            f.when(e.load(lost, "i1"), lambda: e.line(f"call void @restore({given})"))
        e.line("ret void")
        return f.text(
            "internal void @line(ptr %source, ptr %target, ptr %room, i64 %count, i64 %descending)", cold=True
        )

    def _lines(self) -> str:
        """The routine itself."""
        f = Function(self.declarations)
        e = f.e
        count, descending = self._word(f, 2, "i64"), self._word(f, 3, "i64")

        def line(starts: list[Val]) -> None:
            e.line(f"call void @line({texts(*starts, count, descending)})")

        self._each_line(f, count, line)
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)", cold=self.way != ANY)

    def _word(self, f: Function, number: int, elem: str) -> Val:
        return f.e.load(f.e.offset(Val("%words", "ptr"), f.word(number), "ptr"), elem)

    def _each_line(self, f: Function, count: Val, line: Callable[[list[Val]], None]) -> None:
        """The body for where each line begins, its result, and its room."""
        e, arrays = f.e, [self._word(f, number, "ptr") for number in (0, 1, 4)]
        result = 4 if self.places else self.keys.dtype.bytes
        bytes = [e.mul(count, f.word(b)) for b in (self.keys.dtype.bytes, result)]
        bytes.append(e.mul(e.add(count, f.word(SLACK)), f.word(room_bytes(self.keys.dtype, self.places))))

        def one(number: Val) -> None:
            line([e.offset(p, e.mul(number, b), "i8") for p, b in zip(arrays, bytes, strict=True)])

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, one)
        e.line("ret void")

    def _lines_by_network(self) -> str:
        """The routine itself, of lines that one network sorts."""
        f = Function(self.declarations, plain=True)
        e, keys = f.e, self.keys
        count, mask = self._word(f, 2, "i64"), keys.mask(e, self._word(f, 3, "i64"))
        parts = [f.room(part, self.block) for part in self.records.parts]

        def sort() -> None:
            e.line(f"call void @network{self.block}({texts(*parts)})")

        def line(starts: list[Val]) -> None:
            source, target, _ = starts
            lost = self._near(f, parts, source, target, count, f.word(self.block), mask, sort)
            if self.exact:
                given = texts(source, target, count, mask)
                f.when(lost, lambda: e.line(f"call void @restore({given})"))

        self._each_line(f, count, line)
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)")
