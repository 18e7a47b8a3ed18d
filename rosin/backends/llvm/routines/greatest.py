"""The routines `top_k_<dtype>`: the places of the greatest elements of lines, the greatest first.

    void rosin_top_k_f32(ptr words, i64 begin, i64 end)

looks at lines begin … end - 1. The words are the addresses of the operand and the result, the length of a line, how
many elements are wanted, which is no more than that, and the address of the room.

The best so far are in a heap whose root is the least of them (Williams, "Algorithm 232: Heapsort", 1964), as *records*:
integers of a key (keys.py) and, in the low 32 bits, the inverted place, so that of equal elements the first one is
greater. What is not greater than the root is passed by, a vector at a time. In a long line the greatest element of each
block is looked for first: in a block whose maximum comes before another one's there is an element that comes before all
of the other's, so that the blocks with the greatest maxima hold all that is wanted. Then no order of elements makes it
slow. What a heap begins with are records of a key that enough elements are known to reach. Threads share the blocks of
very long lines; each piece has a heap, and the heaps are put together, so that the result does not depend on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import Keys
from rosin.backends.llvm.routines.records import BYTES, counted, inside, texts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.sort import MANY, PIECES

PLACE_BITS = 32
BY_BLOCKS, WHOLE = "blocks", "whole"
"""The ways of lines: block by block, or all elements at once."""


def greatest_texts(dtype: DType, name: str, vector_bytes: int, way: str = "") -> Iterator[str]:
    """The modules of the routine called `name`, for elements of `dtype`, of one way or of both: the second one, which
    takes LLVM less, is written while the first one is compiled."""
    yield _Greatest(dtype, name, vector_bytes, way).heaps_text()
    yield _Greatest(dtype, name, vector_bytes, way).lines_text()


def greatest_way(dtype: DType, length: Dim, count: Dim, vector_bytes: int) -> str:
    """The way of lines of a length of which so many elements are wanted, if these are known: the one that the code of
    both ways (`_lines`) goes for them."""
    if not isinstance(length, int) or not isinstance(count, int):
        return ""
    halves = (max(length // max(count, 1), 1).bit_length() - 1) // 2
    return BY_BLOCKS if 1 << halves >= _Greatest(dtype, "", vector_bytes, "").lanes else WHOLE


class _Greatest:
    def __init__(self, dtype: DType, name: str, vector_bytes: int, way: str) -> None:
        self.name, self.keys, self.way = name, Keys(dtype), way
        self.record = "i64" if self.keys.elem == "i32" else "i128"
        """The type of records."""
        self.lanes = max(vector_bytes // BYTES[self.keys.elem], 2)
        self._lowest = -1 << 8 * BYTES[self.keys.elem] - 1
        """Of all keys."""
        self.declarations: set[str] = set()

    def heaps_text(self) -> str:
        functions = [self._replace(), self._elements()]
        if self.way != WHOLE:
            functions.append(self._blocks())
        return "\n".join([*sorted(self.declarations), "", *functions])

    def lines_text(self) -> str:
        functions = [self._lines()]
        if self.way != WHOLE:
            functions.append(self._by_blocks())
        self.declarations |= {
            f"declare void @replace(ptr, i64, {self.record})",
            "declare void @elements(ptr, i64, i64, ptr, i64)",
            "declare void @blocks(ptr, i64, i64)",
        }
        return "\n".join([*sorted(self.declarations), "", *functions])

    # -- records -------------------------------------------------------------------------------------------

    def _record(self, e: Emitter, key: Val, place: Val) -> Val:
        low = e.convert("trunc", place, "i32")
        low = e.convert("zext", e.bit_xor(low, e.like(-1, low)), self.record)
        high = e.convert("sext", key, self.record)
        return e.bit_or(e.shl(high, e.like(PLACE_BITS, high)), low)

    def _place(self, e: Emitter, record: Val) -> Val:
        low = e.convert("trunc", record, "i32")
        return e.bit_xor(low, e.like(-1, low))

    def _key(self, e: Emitter, record: Val) -> Val:
        return e.convert("trunc", e.ashr(record, e.like(PLACE_BITS, record)), self.keys.elem)

    def _key_at(self, e: Emitter, source: Val, place: Val, lanes: int = 1) -> Val:
        elem = self.keys.memory
        return self._key_of(e, e.load(e.offset(source, place, elem), elem, lanes, align=BYTES[elem]))

    def _key_of(self, e: Emitter, x: Val) -> Val:
        return self.keys.key(e, x, e.const(0, self.keys.turn))

    def _at(self, f: Function, heap: Val, place: Val) -> Val:
        return f.e.offset(heap, place, self.record)

    # -- heaps ---------------------------------------------------------------------------------------------

    def _fill(self, f: Function, heap: Val, count: Val, key: Val) -> None:
        """Records less than those of all elements with this key, and greater than those of lesser ones."""
        e = f.e
        high = e.convert("sext", key, self.record)
        least = e.shl(high, e.like(PLACE_BITS, high))
        f.loop(f.word(0), count, 1, lambda place: e.store(least, self._at(f, heap, place)))

    def _replace(self) -> str:
        """`void replace(ptr heap, i64 count, record)`: a record in place of the root."""
        f = Function(self.declarations, plain=True)
        e, heap, count, record = f.e, Val("%heap", "ptr"), Val("%count", "i64"), Val("%record", self.record)
        at, child = e.variable("i64"), e.variable("i64")
        e.write(f.word(0), at)
        e.write(f.word(1), child)
        last = e.sub(count, f.word(1))

        def sink() -> None:
            left = e.read(child)
            right = e.intrinsic("llvm.smin", e.add(left, f.word(1)), last)
            a, b = (e.load(self._at(f, heap, place), self.record) for place in (left, right))
            is_right = e.icmp("slt", b, a)
            less, place = e.select(is_right, b, a), e.select(is_right, right, left)

            def up() -> None:
                e.store(less, self._at(f, heap, e.read(at)))
                e.write(place, at)
                e.write(e.add(e.shl(place, f.word(1)), f.word(1)), child)

            f.when(e.icmp("slt", less, record), up, lambda: e.write(count, child))

        f.repeat(lambda: e.icmp("slt", e.read(child), count), sink)
        e.store(record, self._at(f, heap, e.read(at)))
        e.line("ret void")
        return f.text(f"void @replace({texts(heap, count, record)})")

    def _offer(self, f: Function, heap: Val, count: Val, record: Val) -> None:
        """Replace the root, if a record is greater."""
        e = f.e
        call = f"call void @replace({texts(heap, count, record)})"
        f.when(e.icmp("sgt", record, e.load(heap, self.record)), lambda: e.line(call))

    def _write(self, f: Function, heap: Val, count: Val, target: Val) -> None:
        """The places, the greatest first; the heap is no more then."""
        e = f.e

        def take(number: Val) -> None:
            last = e.sub(count, number)
            e.store(self._place(e, e.load(heap, self.record)), e.offset(target, last, "i32"))
            record = e.load(self._at(f, heap, last), self.record)
            e.line(f"call void @replace({texts(heap, last, record)})")

        f.loop(f.word(1), e.add(count, f.word(1)), 1, take)

    def _most(self, f: Function, source: Val, count: Val) -> Val:
        """The greatest key of each lane, of so many elements, which are whole vectors."""
        e, lanes = f.e, self.lanes
        most = e.variable(self.keys.elem, lanes)
        e.write(e.const(self._lowest, self.keys.elem, lanes), most)

        def vector(place: Val) -> None:
            e.write(e.intrinsic("llvm.smax", e.read(most), self._key_at(e, source, place, lanes)), most)

        f.loop(f.word(0), count, lanes, vector)
        return e.read(most)

    # -- elements and blocks -------------------------------------------------------------------------------

    def _elements(self) -> str:
        """`void elements(ptr source, i64 begin, i64 end, ptr heap, i64 count)`: some elements of a line."""
        f = Function(self.declarations, plain=True)
        e, lanes = f.e, self.lanes
        source, heap, count = Val("%source", "ptr"), Val("%heap", "ptr"), Val("%count", "i64")
        begin, end = Val("%begin", "i64"), Val("%end", "i64")

        def vector(place: Val) -> None:
            least = e.splat(self._key(e, e.load(heap, self.record)), lanes)
            there, elem = inside(e, place, end, lanes), self.keys.memory
            x = e.masked_load(e.offset(source, place, elem), elem, lanes, there, BYTES[elem])
            may = e.bit_and(e.icmp("sge", self._key_of(e, x), least), there)
            mask = f"i{lanes}"
            bits = e.variable(mask)
            e.write(e.define(f"bitcast {may.typed} to {mask}", mask), bits)

            def one() -> None:
                left = e.read(bits)
                lane = e.intrinsic("llvm.cttz", left, trailing=("i1 true",))
                found = e.add(place, e.convert("zext", lane, "i64"))
                self._offer(f, heap, count, self._record(e, self._key_at(e, source, found), found))
                e.write(e.bit_and(left, e.sub(left, e.like(1, left))), bits)

            f.repeat(lambda: e.icmp("ne", e.read(bits), e.const(0, mask)), one)

        f.loop(begin, end, lanes, vector)
        e.line("ret void")
        return f.text(f"void @elements({texts(source, begin, end, heap, count)})")

    def _blocks(self) -> str:
        """`void blocks(ptr words, i64 begin, i64 end)`: the blocks with the greatest maxima, of some pieces of a line.

        The words are the line, how wide a block is, how many blocks there are and how many in a piece, the heap of the
        first piece, and its size.
        """
        f = Function(self.declarations, plain=True)
        e, lanes = f.e, self.lanes
        source, width, blocks, each, heaps, count = _words(f, "ptr", "i64", "i64", "i64", "ptr", "i64")

        def piece(number: Val) -> None:
            heap, begin = self._at(f, heaps, e.mul(number, count)), e.mul(number, each)
            self._fill(f, heap, count, e.const(self._lowest, self.keys.elem))

            def block(place: Val) -> None:
                start = e.mul(place, width)
                found = self._most(f, e.offset(source, start, self.keys.memory), width)
                least = self._key(e, e.load(heap, self.record))
                mask = e.icmp("sgt", found, e.splat(least, lanes))

                def offer() -> None:
                    key = e.intrinsic_across("llvm.vector.reduce.smax", found)
                    self._offer(f, heap, count, self._record(e, key, place))

                f.when(e.intrinsic_across("llvm.vector.reduce.or", mask), offer)

            f.loop(begin, e.intrinsic("llvm.smin", e.add(begin, each), blocks), 1, block)

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
        e.line("ret void")
        return f.text("void @blocks(ptr %words, i64 %begin, i64 %end)")

    # -- lines ---------------------------------------------------------------------------------------------

    def _lines(self) -> str:
        """The routine itself."""
        f = Function(self.declarations, plain=True)
        e = f.e
        source, target, length, count, room = _words(f, "ptr", "ptr", "i64", "i64", "ptr")
        # What is looked at in blocks and then inside of them is least where they are as wide as their number by that
        # wanted.
        share = e.binary("udiv", length, count)
        halves = e.lshr(e.sub(f.word(63), e.intrinsic("llvm.ctlz", share, trailing=("i1 true",))), f.word(1))
        width = e.shl(f.word(1), halves)
        by_blocks = e.icmp("sge", width, f.word(self.lanes))
        heaps = e.select(e.icmp("sge", length, f.word(MANY)), f.word(PIECES + 1), f.word(2))

        def line(number: Val) -> None:
            start = e.offset(source, e.mul(number, length), self.keys.memory)
            goal = e.offset(target, e.mul(number, count), "i32")
            heap = self._at(f, room, e.mul(e.mul(number, heaps), count))

            def blocks() -> None:
                e.line(f"call void @by_blocks({texts(start, length, width, heap, count)})")

            def whole() -> None:
                self._fill(f, heap, count, self._bound(f, start, length, count))
                e.line(f"call void @elements({texts(start, f.word(0), length, heap, count)})")

            if self.way:
                (blocks if self.way == BY_BLOCKS else whole)()
            else:
                f.when(by_blocks, blocks, whole)
            self._write(f, heap, count, goal)

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, line)
        e.line("ret void")
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)", cold=self.way == BY_BLOCKS)

    def _bound(self, f: Function, source: Val, length: Val, count: Val) -> Val:
        """A key that enough elements of a line are not less than: of the greatest ones in each lane, if these are
        enough, the last one that is wanted."""
        e, lanes = f.e, self.lanes
        bound = e.variable(self.keys.elem)
        e.write(e.const(self._lowest, self.keys.elem), bound)

        def look() -> None:
            found = self._most(f, source, e.bit_and(length, f.word(-lanes)))

            def one(lane: Val) -> None:
                key = e.define(f"extractelement {found.typed}, {lane.typed}", found.elem)
                fits = e.icmp("sge", counted(e, e.icmp("sge", found, e.splat(key, lanes))), count)
                best = e.intrinsic("llvm.smax", e.read(bound), key)
                e.write(e.select(fits, best, e.read(bound)), bound)

            f.loop(f.word(0), f.word(lanes), 1, one)

        f.when(e.icmp("sle", count, f.word(lanes)), look)
        return e.read(bound)

    def _by_blocks(self) -> str:
        """`void by_blocks(ptr source, i64 length, i64 width, ptr heap, i64 count)`: the elements of the blocks with the
        greatest maxima, and those after the last block. The heaps of pieces follow."""
        f = Function(self.declarations)
        e = f.e
        source, heap = Val("%source", "ptr"), Val("%heap", "ptr")
        length, width, count = (Val(name, "i64") for name in ("%length", "%width", "%count"))
        blocks = e.binary("udiv", length, width)
        is_long = e.icmp("sge", length, f.word(MANY))
        pieces = e.select(is_long, f.word(PIECES), f.word(1))
        each = e.binary("udiv", e.add(blocks, e.sub(pieces, f.word(1))), pieces)
        first, words = self._at(f, heap, count), f.room("i64", 6)
        for position, value in enumerate((source, width, blocks, each, first, count)):
            e.store(value, e.offset(words, f.word(position), "i64"))
        self._shared(f, is_long, words, pieces)

        def join(place: Val) -> None:
            self._offer(f, first, count, e.load(self._at(f, first, place), self.record))

        def elements(begin: Val, end: Val) -> None:
            e.line(f"call void @elements({texts(source, begin, end, heap, count)})")

        def within(place: Val) -> None:
            block = self._place(e, e.load(self._at(f, first, place), self.record))
            begin = e.mul(e.convert("zext", block, "i64"), width)
            elements(begin, e.add(begin, width))

        f.loop(count, e.mul(pieces, count), 1, join)
        self._fill(f, heap, count, self._key(e, e.load(first, self.record)))
        f.loop(f.word(0), count, 1, within)
        elements(e.mul(blocks, width), length)
        e.line("ret void")
        return f.text(f"internal void @by_blocks({texts(source, length, width, heap, count)})", cold=True)

    def _shared(self, f: Function, is_long: Val, words: Val, pieces: Val) -> None:
        """All pieces of a line, by threads if there are several."""
        e = f.e
        self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")

        def call(text: str) -> Callable[[], None]:
            return lambda: e.line(text)

        f.when(
            is_long,
            call(f"call void @{PARALLEL}(ptr @blocks, {texts(words, pieces)})"),
            call(f"call void @blocks({words.typed}, i64 0, i64 1)"),
        )


def _words(f: Function, *elems: str) -> list[Val]:
    """The words that a function is given the address of."""
    words = (f.e.offset(Val("%words", "ptr"), f.word(number), "i64") for number in range(len(elems)))
    return [f.e.load(word, elem) for word, elem in zip(words, elems, strict=True)]
