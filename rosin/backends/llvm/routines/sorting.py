"""The routines `sort_<dtype>` and `argsort_<dtype>`: lines of numbers in ascending or descending order, stable.

    void rosin_sort_f32(ptr words, i64 begin, i64 end)

sorts lines begin … end - 1. The words are the addresses of the operand and the result, the length of a line, 1
where the order is descending, and the address of the room that lines longer than `SHORT` need.

What is sorted are *keys*: integers whose order as signed numbers is that of the elements, all bits inverted where the
order is descending. -0.0 has the key of 0.0, and all NaNs have the greatest one. An argsort sorts records of a key and
the place it came from. Short lines are sorted by networks in registers (rosin.backends.llvm.routines.networks), longer
ones by their bytes from the last to the first, a counting sort each, which is stable; bytes that are the same
everywhere are skipped. What a key does not tell, the sign of a zero and the bits of a NaN, is copied in order in the
end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.networks import Network
from rosin.ir.dtypes import DType
from rosin.ir.ops.sort import SHORT, room_bytes

MOST_REGISTERS = 16
"""Lines that fit so many registers are sorted by a network."""

BYTES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8}

MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}


def sorting_text(dtype: DType, places: bool, name: str, vector_bytes: int) -> str:
    """The module of the routine called `name`, which sorts elements of `dtype`, or their `places`."""
    return _Sorting(dtype, places, name, vector_bytes).text()


@dataclass(frozen=True)
class _Keys:
    """How elements become keys of type `elem` and back."""

    dtype: DType

    @property
    def memory(self) -> str:
        """The integers that elements are read as."""
        return f"i{8 * self.dtype.bytes}"

    @property
    def elem(self) -> str:
        return "i64" if self.dtype.bits == 64 else "i32"

    @property
    def bits(self) -> int:
        return 8 * self.dtype.bytes

    @property
    def bias(self) -> int:
        """What narrow keys, which have no sign, and those of unsigned elements differ by from a signed order."""
        signed = self.dtype.kind in ("int", "float")
        return 1 << (self.bits - 1) if (self.bits < 32) == signed else 0

    @property
    def most(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def mask(self, e: Emitter, descending: Val) -> Val:
        """What turns the order around when it is."""
        every = (1 << self.bits) - 1 if self.bits < 32 else -1
        zero = e.const(0, self.elem)
        return e.select(e.icmp("ne", descending, e.const(0, "i64")), e.const(every, self.elem), zero)

    def key(self, e: Emitter, x: Val, mask: Val) -> Val:
        if self.dtype.is_float:
            magnitude = e.bit_and(x, e.like(self.most, x))
            negative = e.ashr(x, e.like(self.bits - 1, x))
            ordered = e.bit_xor(x, e.bit_and(negative, e.like(self.most, x)))
            zero = e.icmp("eq", magnitude, e.like(0, x))
            x = e.select(zero, e.like(0, x), e.select(self.is_nan(e, x), e.like(self.most, x), ordered))
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        return e.bit_xor(e.convert("zext", x, self.elem), e.splat(mask, x.lanes))

    def element(self, e: Emitter, key: Val, mask: Val) -> Val:
        x = e.convert("trunc", e.bit_xor(key, e.splat(mask, key.lanes)), self.memory)
        if self.bias:
            x = e.bit_xor(x, e.like(self.bias, x))
        if self.dtype.is_float:
            negative = e.ashr(x, e.like(self.bits - 1, x))
            x = e.bit_xor(x, e.bit_and(negative, e.like(self.most, x)))
        return x

    def is_nan(self, e: Emitter, x: Val) -> Val:
        mantissa = MANTISSA[self.dtype.name]
        infinity = self.most >> mantissa << mantissa
        return e.icmp("sgt", e.bit_and(x, e.like(self.most, x)), e.like(infinity, x))

    def is_zero(self, e: Emitter, x: Val) -> Val:
        return e.icmp("eq", e.bit_and(x, e.like(self.most, x)), e.like(0, x))

    def loses(self, e: Emitter, x: Val) -> Val:
        """Where the key does not tell all of the element."""
        return e.bit_or(self.is_nan(e, x), e.icmp("eq", x, e.like(self.most + 1, x)))


class _Sorting:
    """The text of one routine.

    A record has one or two *parts*, each in an array of its own: a key; a key and a place in one integer, where both
    fit 64 bits; or a key, and the place as the second part.
    """

    def __init__(self, dtype: DType, places: bool, name: str, vector_bytes: int) -> None:
        self.keys = _Keys(dtype)
        self.places, self.name = places, name
        self.packed = places and dtype.bits < 64
        self.parts = ("i64",) if self.packed else ("i64", "i32") if places else (self.keys.elem,)
        self.lanes = max(vector_bytes // BYTES[self.parts[0]], 2)
        self.most_short = max(self.lanes * MOST_REGISTERS, SHORT)
        self.exact = dtype.is_float and not places
        """Whether what keys do not tell is to be put back."""
        self.in_result = not places and dtype.bits >= 32
        """Whether keys have room in the result."""
        self.declarations: set[str] = set()

    def text(self) -> str:
        networks = [Network(self.lanes, size // self.lanes, self.parts) for size in self._sizes()]
        functions = [network.text(f"network{network.size}", self.declarations) for network in networks]
        functions += [self._in(), self._out(), self._by_bytes(), self._line(), self._lines()]
        if self.exact:
            functions.append(self._restore())
        return "\n".join([*sorted(self.declarations), "", *functions])

    # -- elements and records ------------------------------------------------------------------------------

    def _in(self) -> str:
        """`i1 in(ptr source, i64 count, key mask, ptr parts…)`: records of elements; whether keys do not tell all."""
        f = Function(self.declarations)
        e, keys = f.e, self.keys
        mask, count = Val("%mask", keys.elem), Val("%count", "i64")
        lost = [f.variable(e.const(False, "i1", lanes)) for lanes in (self.lanes, 1)]

        def record(place: Val, lanes: int) -> None:
            x = e.load(e.offset(Val("%source", "ptr"), place, keys.memory), keys.memory, lanes, align=keys.dtype.bytes)
            for number, part in enumerate(self._record(e, keys.key(e, x, mask), place)):
                e.store(part, e.offset(Val(f"%part{number}", "ptr"), place, part.elem), align=BYTES[part.elem])
            if self.exact:
                slot = lost[lanes == 1]
                e.store(e.bit_or(e.load(slot, "i1", lanes), keys.loses(e, x)), slot)

        f.each(count, self.lanes, record)
        vector = e.intrinsic_across("llvm.vector.reduce.or", e.load(lost[0], "i1", self.lanes))
        e.line(f"ret i1 {e.bit_or(vector, e.load(lost[1], 'i1')).ref}")
        return f.text(f"internal i1 @in(ptr %source, i64 %count, {mask.typed}, {self._parameters('part')})")

    def _record(self, e: Emitter, key: Val, place: Val) -> list[Val]:
        """The parts of the records of the keys from a place on."""
        if not self.places:
            return [key]
        lanes = key.lanes
        place = e.splat(place, lanes)
        if lanes > 1:
            place = e.add(place, Val("<" + ", ".join(f"i64 {lane}" for lane in range(lanes)) + ">", "i64", lanes))
        if self.packed:
            return [e.bit_or(e.shl(e.convert("zext", key, "i64"), e.const(32, "i64", lanes)), place)]
        return [key, e.convert("trunc", place, "i32")]

    def _out(self) -> str:
        """`void out(ptr target, i64 count, key mask, ptr parts…)`: the elements, or the places, of records."""
        f = Function(self.declarations)
        e, keys = f.e, self.keys
        mask = Val("%mask", keys.elem)
        last = len(self.parts) - 1

        def element(place: Val, lanes: int) -> None:
            elem = self.parts[last]
            part = e.load(e.offset(Val(f"%part{last}", "ptr"), place, elem), elem, lanes, align=BYTES[elem])
            x = e.convert("trunc", part, "i32") if self.places else keys.element(e, part, mask)
            e.store(x, e.offset(Val("%target", "ptr"), place, x.elem), align=BYTES[x.elem])

        f.each(Val("%count", "i64"), self.lanes, element)
        e.line("ret void")
        return f.text(f"internal void @out(ptr %target, i64 %count, {mask.typed}, {self._parameters('part')})")

    def _restore(self) -> str:
        """`void restore(ptr source, ptr target, i64 count, key mask)`: zeros and NaNs as they are in the operand."""
        f = Function(self.declarations)
        e, keys = f.e, self.keys
        mask = Val("%mask", keys.elem)
        starts = [f.variable(f.word(0)) for _ in range(2)]
        kinds = [(e.const(0, keys.memory), keys.is_zero), (e.const(keys.most, keys.memory), keys.is_nan)]

        def count(place: Val) -> None:
            key = keys.key(e, e.load(e.offset(Val("%source", "ptr"), place, keys.memory), keys.memory), mask)
            for start, (example, _) in zip(starts, kinds, strict=True):
                less = e.icmp("slt", key, keys.key(e, example, mask))
                f.add_to(start, e.convert("zext", less, "i64"))

        def copy(place: Val) -> None:
            x = e.load(e.offset(Val("%source", "ptr"), place, keys.memory), keys.memory)
            for start, (_, test) in zip(starts, kinds, strict=True):

                def put(start: Val = start) -> None:
                    e.store(x, e.offset(Val("%target", "ptr"), f.add_to(start, f.word(1)), keys.memory))

                f.when(test(e, x), put)

        for body in (count, copy):
            f.loop(f.word(0), Val("%count", "i64"), 1, body)
        e.line("ret void")
        return f.text(f"internal void @restore(ptr %source, ptr %target, i64 %count, {mask.typed})")

    def _parameters(self, *names: str) -> str:
        return ", ".join(f"ptr %{name}{number}" for name in names for number in range(len(self.parts)))

    # -- sorting -------------------------------------------------------------------------------------------

    def _by_bytes(self) -> str:
        """`i1 by_bytes(i64 count, ptr parts…, ptr others…)`: sort records; whether they are in the others then."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        digits = [(4 if self.packed else 0) + i for i in range(BYTES[self.keys.elem])]
        tables = f.room("i64", 256 * len(digits))
        self.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        e.line(f"call void @llvm.memset.p0.i64(ptr align 64 {tables.ref}, i8 0, i64 {2048 * len(digits)}, i1 false)")
        key = self.parts[0]
        here, there = ([f.variable(Val(f"%{name}{i}", "ptr")) for i in range(len(self.parts))] for name in "ab")
        moved = f.variable(e.const(False, "i1"))

        def table(number: int, digit: Val) -> Val:
            return e.offset(tables, e.add(f.word(256 * number), digit), "i64")

        def digit_of(x: Val, number: int) -> Val:
            shifted = e.lshr(x, e.const(8 * digits[number], x.elem))
            return e.convert("zext", e.convert("trunc", shifted, "i8"), "i64")

        def tally(place: Val) -> None:
            x = e.load(e.offset(Val("%a0", "ptr"), place, key), key)
            for number in range(len(digits)):
                f.add_to(table(number, digit_of(x, number)), f.word(1))

        f.loop(f.word(0), count, 1, tally)
        for number in range(len(digits)):
            first = digit_of(e.load(e.load(here[0], "ptr"), key), number)
            # In the last byte the sign stands, which comes first where it is set.
            sign = f.word(0x80 if number == len(digits) - 1 else 0)
            total = f.variable(f.word(0))

            def sum_up(place: Val, number: int = number, sign: Val = sign, total: Val = total) -> None:
                slot = table(number, e.bit_xor(place, sign))
                e.store(f.add_to(total, e.load(slot, "i64")), slot)

            def move(place: Val, number: int = number) -> None:
                x = e.load(e.offset(e.load(here[0], "ptr"), place, key), key)
                goal = f.add_to(table(number, digit_of(x, number)), f.word(1))
                for part, source, target in zip(self.parts, here, there, strict=True):
                    value = x if source is here[0] else e.load(e.offset(e.load(source, "ptr"), place, part), part)
                    e.store(value, e.offset(e.load(target, "ptr"), goal, part))

            def go(sum_up: Callable[[Val], None] = sum_up, move: Callable[[Val], None] = move) -> None:
                f.loop(f.word(0), f.word(256), 1, sum_up)
                f.loop(f.word(0), count, 1, move)
                for a, b in zip(here, there, strict=True):
                    old, new = e.load(a, "ptr"), e.load(b, "ptr")
                    e.store(new, a)
                    e.store(old, b)
                e.store(e.bit_xor(e.load(moved, "i1"), e.const(True, "i1")), moved)

            f.when(e.icmp("ne", e.load(table(number, first), "i64"), count), go)
        e.line(f"ret i1 {e.load(moved, 'i1').ref}")
        return f.text(f"internal i1 @by_bytes(i64 %count, {self._parameters('a', 'b')})")

    def _line(self) -> str:
        """`void line(ptr source, ptr target, ptr room, i64 count, i64 descending)`: one line."""
        f = Function(self.declarations)
        e, count = f.e, Val("%count", "i64")
        source, target = Val("%source", "ptr"), Val("%target", "ptr")
        mask = self.keys.mask(e, Val("%descending", "i64"))
        lost = f.variable(e.const(False, "i1"))

        def read(parts: list[Val]) -> None:
            texts = ", ".join(p.typed for p in (source, count, mask, *parts))
            e.store(e.define(f"call i1 @in({texts})", "i1"), lost)

        def write(parts: list[Val]) -> None:
            texts = ", ".join(p.typed for p in (target, count, mask, *parts))
            e.line(f"call void @out({texts})")

        def short() -> None:
            parts = [f.room(elem, self.most_short) for elem in self.parts]
            read(parts)
            for size in self._sizes():
                self._network(f, size, parts)
            write(parts)

        def long() -> None:
            # The parts of records stand one after the other in the room, and then those of their other places.
            at, offset = [target] if self.in_result else [], f.word(0)
            for elem in self.parts * (2 - len(at)):
                at.append(e.offset(Val("%room", "ptr"), offset, "i8"))
                offset = e.add(offset, e.mul(count, f.word(BYTES[elem])))
            here, there = at[: len(self.parts)], at[len(self.parts) :]
            read(here)
            texts = ", ".join(p.typed for p in (count, *here, *there))
            moved = e.define(f"call i1 @by_bytes({texts})", "i1")
            write([e.select(moved, b, a) for a, b in zip(here, there, strict=True)])

        f.when(e.icmp("sle", count, f.word(self.most_short)), short, long)
        if self.exact:
            texts = ", ".join(p.typed for p in (source, target, count, mask))
            f.when(e.load(lost, "i1"), lambda: e.line(f"call void @restore({texts})"))
        e.line("ret void")
        return f.text("internal void @line(ptr %source, ptr %target, ptr %room, i64 %count, i64 %descending)")

    def _sizes(self) -> list[int]:
        """The sizes of the networks."""
        return [self.lanes << i for i in range((self.most_short // self.lanes).bit_length())]

    def _network(self, f: Function, size: int, parts: list[Val]) -> None:
        """Call the network of a size, if it is the least that the line fits, the rest filled with the last key."""
        e, count = f.e, Val("%count", "i64")
        least = e.icmp("sle", count, f.word(size))
        if size > self.lanes:
            least = e.bit_and(least, e.icmp("sgt", count, f.word(size // 2)))

        def call() -> None:
            most = {elem: (1 << (8 * BYTES[elem] - 1)) - 1 for elem in self.parts}

            def fill(place: Val) -> None:
                for elem, part in zip(self.parts, parts, strict=True):
                    e.store(e.const(most[elem], elem), e.offset(part, place, elem))

            f.loop(count, f.word(size), 1, fill)
            e.line(f"call void @network{size}({', '.join(p.typed for p in parts)})")

        f.when(least, call)

    def _lines(self) -> str:
        """The routine itself."""
        f = Function(self.declarations)
        e = f.e

        def word(number: int, elem: str) -> Val:
            return e.load(e.offset(Val("%words", "ptr"), f.word(number), "ptr"), elem)

        source, target, room = (word(number, "ptr") for number in (0, 1, 4))
        count, descending = word(2, "i64"), word(3, "i64")
        result = 4 if self.places else self.keys.dtype.bytes
        bytes = [self.keys.dtype.bytes, result, room_bytes(self.keys.dtype, self.places)]

        def line(number: Val) -> None:
            first = e.mul(number, count)
            starts = [
                e.offset(p, e.mul(first, f.word(b)), "i8") for p, b in zip((source, target, room), bytes, strict=True)
            ]
            texts = ", ".join(p.typed for p in (*starts, count, descending))
            e.line(f"call void @line({texts})")

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, line)
        e.line("ret void")
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)")
