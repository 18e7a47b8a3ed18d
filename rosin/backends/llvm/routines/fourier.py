"""The routines `dft_<real>`, `realdft_<real>` and `halfdft_<real>`: discrete Fourier transforms of lines of numbers.

    void rosin_dft_f64(ptr words, i64 begin, i64 end)        pieces begin … end - 1 of all lines
    i32 rosin_dft_f64_begin(ptr words)                       finds the plan; a status other than 0 is an exception

The words are the addresses of operand and result, the numbers that rosin.ir.ops.fourier gives, the address of the room,
and the plan. A plan is for one length. It is made by Python (rosin/runtime/plans.py) when the length first comes up,
and found in a table of the routine from then on.

A line goes through passes (butterflies.py), each of which reads one array and writes another, from the operand to the
result, by way of the room. Where lines lie across, `block` neighbours at a time go through the passes together. A line
of a length with large prime factors becomes a convolution with a chirp (Bluestein, A linear filtering approach to the
computation of discrete Fourier transform, 1970). A line of real numbers is half as many complex ones, whose transform
is then taken apart (spectra.py); where its length is odd, it is a line of complex numbers, and several go together as
lines across. Many short lines are done side by side instead, by straight code for their length (short.py). Where it is
known which of these the lines of a call take (ways.py), the routine has no more code than they need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import BEGIN, HOST, PLANNER
from rosin.backends.llvm.routines import ways
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import texts
from rosin.backends.llvm.routines.short import MANY
from rosin.backends.llvm.routines.spectra import block_extent, spectra_makers
from rosin.backends.llvm.routines.ways import Kind, Way
from rosin.backends.llvm.types import memory_type
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType
from rosin.ir.ops.fourier import GROUP, NUMBERS, SHORT_LENGTH

KNOWN = 256
"""Plans that the table of a routine holds, a power of two."""

HALF_PAGE = 1 << 11

POINTERS = ("source", "target", "room", "plan")
WORDS = ("source", "target", *NUMBERS, "room", "plan")

Makers = Mapping[str, Callable[[], str]]
"""What writes functions, by their names."""

_CALLED = re.compile(r"@(\w+)")


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a line comes from and goes to, and where there is room on the way."""

    source: Val
    target: Val
    room: Val


def fourier_text(kind: str, dtype: DType, name: str, vector_bytes: int, way: str = "") -> str:
    """The module of a routine called `name`, for a kind of transform and a real element type."""
    return _Fourier(kind, memory_type(dtype), name, vector_bytes, ways.read_way(way)).text()


def _with_called(functions: Iterable[str], makers: Makers) -> list[str]:
    """Some functions and those that they call, which are written then."""
    found = list(functions)
    made: set[str] = set()
    for function in found:
        for name in _CALLED.findall(function):
            if name in makers and name not in made:
                made.add(name)
                found.append(makers[name]())
    return found


class _Fourier:
    def __init__(self, kind: str, elem: str, name: str, vector_bytes: int, way: Way) -> None:
        self.kind, self.elem, self.name, self.way = kind, elem, name, way
        self.complex = f"[2 x {elem}]"
        self.width = max(vector_bytes // (8 if elem == "float" else 16), 1)
        self.declarations = {f"declare i32 @{HOST}(ptr, i64, ptr)"}
        self.is_cold = way.by in (ways.CHIRPS, ways.GRIDS)
        """Whether lines are long, or take long, so that most of the time is spent in passes."""

    def text(self) -> str:
        functions = _with_called([self._pieces(), self._begin()], self._makers())
        heads = [
            f"@{PLANNER} = global ptr null",
            f"@plans = internal global [{KNOWN} x ptr] zeroinitializer",
            "@no_plan = internal constant i64 -1",
        ]
        return "\n".join([*heads, *sorted(self.declarations), "", *functions])

    def _makers(self) -> Makers:
        makers: dict[str, Callable[[], str]] = {
            "passes": self._passes,
            "chain": self._chain,
            "convolved": self._convolved,
            "line": self._line,
            **spectra_makers(self.elem, self.width, self.declarations),
        }
        if self.way.by in ("", ways.GRIDS):
            from rosin.backends.llvm.routines.grids import grid_makers

            makers |= grid_makers(self.elem, self.width, self.declarations)
        return makers

    # -- helpers ---------------------------------------------------------------------------------------------

    def _word(self, f: Function, array: str | Val, number: int, elem: str = "i64") -> Val:
        pointer = Val(array, "ptr") if isinstance(array, str) else array
        return f.e.load(f.e.offset(pointer, f.word(number), "i64"), elem)

    def _given(self, f: Function, name: str) -> Val:
        """What the routine is told."""
        return self._word(f, "%words", WORDS.index(name), "ptr" if name in POINTERS else "i64")

    def _at(self, f: Function, array: Val, place: Val) -> Val:
        """The address of a complex number of an array."""
        return f.e.offset(array, place, self.complex)

    def _parts(self) -> tuple[Val, Val]:
        return Val("%sign", self.elem), Val("%scale", self.elem)

    # -- one line --------------------------------------------------------------------------------------------

    def _along_passes(
        self,
        f: Function,
        plan: Val,
        source: Val,
        arrays: Sequence[Val],
        parts: Sequence[Val],
        arguments: Callable[[Val, Val, Val], list[Val]],
    ) -> None:
        """All passes of a plan, given the sign and the scale, and what gives the counts and strides of each by its row
        of the plan, its number, and how many passes come after it.

        Of the arrays, passes that are an odd number of passes before the last one write to the second, others to the
        third, the last one to the first.
        """
        e, one = f.e, f.word(1)
        target, odd, even = arrays
        count, here = self._word(f, plan, ways.COUNT), f.variable(source)

        def one_pass(number: Val) -> None:
            row = e.offset(plan, e.add(f.word(ways.PASSES), e.mul(number, f.word(ways.PASS_WORDS))), "i64")
            function, factors = (self._word(f, row, i, "ptr") for i in (ways.FUNCTION, ways.FACTORS))
            left = e.sub(e.sub(count, one), number)
            there = e.select(e.icmp("eq", e.bit_and(left, one), one), odd, even)
            if even is not target:
                there = e.select(e.icmp("eq", left, f.word(0)), target, there)
            given = texts(e.load(here, "ptr"), there, *arguments(row, number, left), factors, *parts)
            e.line(f"call void {function.ref}({given})")
            e.store(there, here)

        f.loop(f.word(0), count, 1, one_pass)

    def _along_line(self, f: Function, plan: Val, ends: Ends, sign: Val, scale: Val) -> None:
        """All passes of a line of neighbours."""

        def arguments(row: Val, _number: Val, _left: Val) -> list[Val]:
            sets, done, radix = (self._word(f, row, i) for i in (ways.SETS, ways.DONE, ways.RADIX))
            return [sets, done, done, f.e.mul(done, sets), f.e.mul(done, radix), done]

        room = self._apart(f, plan, ends.room, ends.target)
        self._along_passes(f, plan, ends.source, (ends.target, room, ends.target), (sign, scale), arguments)

    def _apart(self, f: Function, plan: Val, room: Val, array: Val) -> Val:
        """Where an array in the room begins whose numbers go to another, or come from there.

        A processor takes a read for one of what was just written where the addresses are alike within a page; so long
        arrays lie half a page apart.
        """
        e = f.e
        here, there = (e.define(f"ptrtoint {pointer.typed} to i64", "i64") for pointer in (room, array))
        gap = e.sub(e.add(there, f.word(HALF_PAGE)), here)
        return e.offset(room, e.bit_and(gap, self._word(f, plan, ways.APART)), "i8")

    def _passes(self) -> str:
        """`void passes(plan, source, target, room, sign, scale)`, where lines go through passes in several places."""
        f = Function(self.declarations, plain=True)
        plan, ends = self._line_parameters()
        self._along_line(f, plan, ends, *self._parts())
        f.e.line("ret void")
        return f.text(f"internal void @passes({self._line_texts(plan, ends)})", cold=self.is_cold)

    def _line_parameters(self) -> tuple[Val, Ends]:
        plan, *ends = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        return plan, Ends(*ends)

    def _line_texts(self, plan: Val, ends: Ends) -> str:
        return texts(plan, ends.source, ends.target, ends.room, *self._parts())

    def _chain(self) -> str:
        """`void chain(plan, source, target, odd, even, neighbours, in, out, sign, scale)`: all passes of lines across.

        Numbers of a line are `in` apart in the source and `out` in the target; so many neighbours go together.
        """
        f = Function(self.declarations, plain=True)
        e = f.e
        names = ("plan", "source", "target", "odd", "even")
        plan, source, *arrays = (Val(f"%{name}", "ptr") for name in names)
        neighbours, step_in, step_out = (Val(f"%{name}", "i64") for name in ("neighbours", "in", "out"))

        def arguments(row: Val, number: Val, left: Val) -> list[Val]:
            sets, done, radix = (self._word(f, row, i) for i in (ways.SETS, ways.DONE, ways.RADIX))
            first, last = e.icmp("eq", number, f.word(0)), e.icmp("eq", left, f.word(0))
            group = e.mul(neighbours, done)
            read_step = e.select(first, step_in, group)
            # The last pass has sets that lie apart in the result.
            return [
                e.select(last, done, sets),
                e.select(last, neighbours, group),
                e.select(last, neighbours, read_step),
                e.mul(read_step, sets),
                e.select(last, step_out, e.mul(group, radix)),
                e.select(last, e.mul(step_out, done), group),
            ]

        self._along_passes(f, plan, source, arrays, self._parts(), arguments)
        e.line("ret void")
        pointers = texts(plan, source, *arrays, neighbours, step_in, step_out, *self._parts())
        return f.text(f"internal void @chain({pointers})", cold=self.is_cold)

    def _convolved(self) -> str:
        """`void convolved(plan, source, target, room, in, out, sign, scale)`: one line by convolution with a chirp."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        step_in, step_out = Val("%in", "i64"), Val("%out", "i64")
        sign, scale = self._parts()
        inner = self._word(f, plan, ways.CHIRP, "ptr")
        chirp, kernel = (self._word(f, plan, i, "ptr") for i in (ways.TABLE, ways.KERNEL))
        length, most = (
            e.lshr(self._word(f, p, ways.NUMBER), f.word(ways.KINDS.bit_length() - 1)) for p in (plan, inner)
        )
        a, b = room, self._apart(f, inner, self._at(f, room, most), room)
        c = self._at(f, b, most)
        one, plus, minus = f.word(1), e.const(1, self.elem), e.const(-1, self.elem)
        mirrored = e.fneg(sign)
        given = texts(source, a, chirp, length, step_in, one, mirrored, plus, plus)
        e.line(f"call void @multiply({given})")
        size = e.mul(e.sub(most, length), f.word(8 if self.elem == "float" else 16))
        self.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        e.line(f"call void @llvm.memset.p0.i64({texts(self._at(f, a, length))}, i8 0, {size.typed}, i1 false)")
        e.line(f"call void @passes({texts(inner, a, b, c, minus, plus)})")
        e.line(f"call void @multiply({texts(b, b, kernel, most, one, one, plus, plus, plus)})")
        e.line(f"call void @passes({texts(inner, b, a, c, plus, scale)})")
        e.line(f"call void @multiply({texts(a, target, chirp, length, one, step_out, plus, mirrored, plus)})")
        e.line("ret void")
        parameters = texts(plan, source, target, room, step_in, step_out, sign, scale)
        return f.text(f"internal void @convolved({parameters})", cold=self.is_cold)

    def _transform(self, f: Function, plan: Val, ends: Ends, sign: Val, scale: Val) -> None:
        """One complex line of neighbours."""
        if self.way.by == ways.CHAIN:
            self._along_line(f, plan, ends, sign, scale)
        else:
            self._call_for(f, self.way.by, plan, ends, sign, scale)

    def _call_for(self, f: Function, by: str, plan: Val, ends: Ends, sign: Val, scale: Val) -> None:
        """The call that transforms a line so."""
        name = {"": "line", ways.CHAIN: "passes", ways.CHIRPS: "convolved", ways.GRIDS: "grid"}[by]
        plan = self._word(f, plan, ways.GRID, "ptr") if by == ways.GRIDS else plan
        steps = (f.word(1), f.word(1)) if by == ways.CHIRPS else ()
        f.e.line(f"call void @{name}({texts(plan, ends.source, ends.target, ends.room, *steps, sign, scale)})")

    def _line(self) -> str:
        """`void line(plan, source, target, room, sign, scale)`: one complex line of neighbours."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, ends = self._line_parameters()

        def by(way: str) -> Callable[[], None]:
            return lambda: self._call_for(f, way, plan, ends, *self._parts())

        def longer() -> None:
            f.when(e.icmp("eq", self._word(f, plan, ways.GRID), f.word(0)), by(ways.CHIRPS), by(ways.GRIDS))

        f.when(e.icmp("eq", self._word(f, plan, ways.COUNT), f.word(0)), longer, by(ways.CHAIN))
        e.line("ret void")
        return f.text(f"internal void @line({self._line_texts(plan, ends)})")

    def _to_half(self, f: Function, plan: Val, ends: Ends, length: Val, scale: Val) -> None:
        """Half of the transform of one real line."""
        e, half, minus = f.e, f.e.lshr(length, f.word(1)), f.e.const(-1, self.elem)
        more = self._word(f, plan, ways.MORE, "ptr")

        def even() -> None:
            halved = e.fmul(scale, e.const(0.5, self.elem))
            self._transform(f, more, ends, minus, halved)
            table = self._word(f, plan, ways.TABLE, "ptr")
            e.line(f"call void @apart({texts(ends.target, ends.target, half, table)})")

        def odd() -> None:
            inside = self._inside(f, ends.room, length)
            e.line(f"call void @widen({texts(ends.source, ends.room, length)})")
            self._transform(f, more, inside, minus, scale)
            e.copy_bytes(
                ends.target, inside.target, e.mul(e.add(half, f.word(1)), f.word(8 if self.elem == "float" else 16))
            )

        self._by_parity(f, length, even, odd)

    def _from_half(self, f: Function, plan: Val, ends: Ends, length: Val, scale: Val) -> None:
        """The real line whose transform has this half."""
        e, half, plus = f.e, f.e.lshr(length, f.word(1)), f.e.const(1, self.elem)
        more = self._word(f, plan, ways.MORE, "ptr")

        def even() -> None:
            table = self._word(f, plan, ways.TABLE, "ptr")
            e.line(f"call void @together({texts(ends.source, ends.room, half, table)})")
            self._transform(f, more, Ends(ends.room, ends.target, self._at(f, ends.room, half)), plus, scale)

        def odd() -> None:
            inside = self._inside(f, ends.room, length)
            e.line(f"call void @mirror({texts(ends.source, ends.room, length)})")
            self._transform(f, more, inside, plus, scale)
            e.line(f"call void @narrow({texts(inside.target, ends.target, length)})")

        self._by_parity(f, length, even, odd)

    def _inside(self, f: Function, room: Val, length: Val) -> Ends:
        """A line in the room that goes to another there."""
        target = self._at(f, room, length)
        return Ends(room, target, self._at(f, target, length))

    def _by_parity(self, f: Function, length: Val, even: Callable[[], None], odd: Callable[[], None]) -> None:
        """What is done with real lines of an even length, and of an odd one."""
        if not self.way.parity:
            f.when(f.e.icmp("eq", f.e.bit_and(length, f.word(1)), f.word(0)), even, odd)
        else:
            (even if self.way.parity == ways.EVEN else odd)()

    def _block(self, f: Function, plan: Val, ends: Ends, length: Val, count: Val, scale: Val) -> None:
        """So many real lines of odd length, or halves of their transforms, which lie across in the room."""
        e, several = f.e, self._word(f, plan, ways.SEVERAL, "ptr")
        inside = self._inside(f, ends.room, e.mul(length, count))
        arrays = (inside.source, inside.target, inside.room, inside.target)
        before, after, sign = ("widen", "halve", -1) if self.kind == "realdft" else ("mirror", "narrow", 1)
        e.line(f"call void @{before}_across({texts(ends.source, ends.room, length, count)})")
        e.line(f"call void @chain({texts(several, *arrays, count, count, count, e.const(sign, self.elem), scale)})")
        e.line(f"call void @{after}_across({texts(inside.target, ends.target, length, count)})")

    # -- all lines -------------------------------------------------------------------------------------------

    def _pieces(self) -> str:
        """The routine itself: pieces are so many units, which are lines, or blocks of lines that go together."""
        f = Function(self.declarations, plain=True)
        unit = self._complex_unit if self.kind == "dft" else self._real_unit
        if self.way.lie == ways.SINGLE:
            unit(f, f.word(0), self._given(f, "room"))
        else:
            e, units = f.e, self._units(f)
            pieces = e.intrinsic("llvm.umax", self._given(f, "pieces"), f.word(1))
            first = Val("%begin", "i64")
            begin, end = (e.binary("udiv", e.mul(x, units), pieces) for x in (first, Val("%end", "i64")))
            room = self._at(f, self._given(f, "room"), e.mul(first, self._given(f, "size")))

            def one_by_one() -> None:
                f.loop(begin, end, 1, lambda number: unit(f, number, room))

            self._or_side_by_side(f, begin, end, one_by_one)
        f.e.line("ret void")
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)", cold=self.is_cold)

    def _units(self, f: Function) -> Val:
        """How many there are."""
        e, outer = f.e, self._given(f, "outer")
        if self.way.lie == ways.EACH:
            return outer
        # Lines of real numbers that go together are neighbours, others lie across.
        blocks = self._blocks(f, outer if self.kind != "dft" else self._given(f, "inner"))
        units = e.mul(outer, blocks) if self.kind == "dft" else blocks
        if self.way.lie:
            return units
        # A symbolic length may be 0: then there is nothing to do.
        return e.select(e.icmp("eq", self._given(f, "length"), f.word(0)), f.word(0), units)

    def _blocks(self, f: Function, lines: Val) -> Val:
        e, block = f.e, self._given(f, "block")
        return e.binary("udiv", e.sub(e.add(lines, block), f.word(1)), block)

    def _or_side_by_side(self, f: Function, begin: Val, end: Val, others: Callable[[], None]) -> None:
        """Units of short lines as one call, `others` where they are not short."""
        if self.way.lie not in ("", ways.SHORTS):
            others()
            return
        e, plan, block, outer = f.e, self._given(f, "plan"), self._given(f, "block"), self._given(f, "outer")
        first = e.mul(begin, block)
        lines = e.sub(e.intrinsic("llvm.smin", e.mul(end, block), outer), first)

        def short() -> None:
            function, length = self._word(f, plan, ways.SHORT, "ptr"), self._given(f, "length")
            there, here = (
                e.offset(self._given(f, array), e.mul(first, self._row(f, length, side)), self.elem)
                for side, array in enumerate(("source", "target"))
            )
            e.line(f"call void {function.ref}({texts(there, here, lines, self._sign(f), self._scale(f))})")

        if self.way.lie:
            short()
            return
        least = self._word(f, plan, ways.TOGETHER)
        known = e.icmp("ne", least, f.word(0))
        f.when(e.bit_and(known, e.icmp("sge", lines, least)), short, others)

    def _complex_unit(self, f: Function, unit: Val, room: Val) -> None:
        def alone() -> None:
            place = e.mul(unit, self._given(f, "length"))
            source, target = (self._at(f, self._given(f, name), place) for name in ("source", "target"))
            ends = Ends(source, target, room)
            self._transform(f, self._given(f, "plan"), ends, self._sign(f), self._scale(f))

        e, inner = f.e, self._given(f, "inner")
        if self.way.lie:
            self._across(f, unit, room) if self.way.lie == ways.ASIDE else alone()
        else:
            f.when(e.icmp("eq", inner, f.word(1)), alone, lambda: self._across(f, unit, room))

    def _across(self, f: Function, unit: Val, room: Val) -> None:
        """A block of lines across."""
        e = f.e
        plan, length, inner = (self._given(f, name) for name in ("plan", "length", "inner"))
        blocks = self._blocks(f, inner)
        column, count = block_extent(f, e.binary("urem", unit, blocks), self._given(f, "block"), inner)
        place = e.add(e.mul(e.mul(e.binary("udiv", unit, blocks), length), inner), column)
        source, target = (self._at(f, self._given(f, name), place) for name in ("source", "target"))
        sign, scale = self._sign(f), self._scale(f)

        def passes() -> None:
            second = self._at(f, room, e.mul(length, self._given(f, "block")))
            arrays = (source, target, room, second)
            e.line(f"call void @chain({texts(plan, *arrays, count, inner, inner, sign, scale)})")

        def convolved(number: Val) -> None:
            arrays = (self._at(f, source, number), self._at(f, target, number))
            e.line(f"call void @convolved({texts(plan, *arrays, room, inner, inner, sign, scale)})")

        def each_convolved() -> None:
            f.loop(f.word(0), count, 1, convolved)

        if self.way.by:
            (each_convolved if self.way.by == ways.CHIRPS else passes)()
        else:
            f.when(e.icmp("ne", self._word(f, plan, ways.CHIRP), f.word(0)), each_convolved, passes)

    def _real_unit(self, f: Function, unit: Val, room: Val) -> None:
        e, one = f.e, f.word(1)
        plan, length = self._given(f, "plan"), self._given(f, "length")

        def ends(first: Val) -> Ends:
            source, target = (
                e.offset(self._given(f, name), e.mul(first, self._row(f, length, side)), self.elem)
                for side, name in enumerate(("source", "target"))
            )
            return Ends(source, target, room)

        def alone() -> None:
            transform = self._to_half if self.kind == "realdft" else self._from_half
            transform(f, plan, ends(unit), length, self._scale(f))

        def several() -> None:
            first, count = block_extent(f, unit, self._given(f, "block"), self._given(f, "outer"))
            self._block(f, plan, ends(first), length, count, self._scale(f))

        if self.way.lie:
            (several if self.way.lie == ways.ASIDE else alone)()
        else:
            f.when(e.icmp("eq", self._given(f, "block"), one), alone, several)

    def _row(self, f: Function, length: Val, side: int) -> Val:
        """How many real numbers a line of the operand has (side 0), or one of the result (side 1)."""
        e, one = f.e, f.word(1)
        if self.kind == "dft":
            return e.shl(length, one)
        if (self.kind == "realdft") == (side == 0):
            return length
        return e.shl(e.add(e.lshr(length, one), one), one)

    def _sign(self, f: Function) -> Val:
        e = f.e
        if self.kind != "dft":
            return e.const(-1 if self.kind == "realdft" else 1, self.elem)
        inverse = e.icmp("ne", self._given(f, "inverse"), f.word(0))
        return e.select(inverse, e.const(1, self.elem), e.const(-1, self.elem))

    def _scale(self, f: Function) -> Val:
        scales = f.e.offset(self._given(f, "plan"), f.word(ways.SCALES), "i64")
        return f.e.load(f.e.offset(scales, self._given(f, "scaling"), "i64"), self.elem)

    # -- the plan --------------------------------------------------------------------------------------------

    def _begin(self) -> str:
        """The plan, from the table or from Python, becomes the last word."""
        f = Function(self.declarations, plain=True)
        e = f.e
        number = e.add(e.mul(self._given(f, "length"), f.word(ways.KINDS)), self._plan_kind(f))
        # The factor spreads lengths that are powers of two.
        spread = e.lshr(e.mul(number, f.word(-7046029254386353131)), f.word(64 - KNOWN.bit_length() + 1))
        entry = e.offset(Val("@plans", "ptr"), spread, "ptr")
        place = e.offset(Val("%words", "ptr"), f.word(WORDS.index("plan")), "ptr")
        found = e.define(f"load atomic ptr, ptr {entry.ref} acquire, align 8", "ptr")
        none = Val("@no_plan", "ptr")
        known = self._word(f, e.select(e.icmp("eq", found, Val("null", "ptr")), none, found), ways.NUMBER)
        e.store(found, place)
        fits, ask = e.label("fits"), e.label("ask")
        e.branch_if(e.icmp("eq", known, number), fits, ask)
        e.block(fits)
        e.line("ret i32 0")
        e.block(ask)
        planner = e.load(Val(f"@{PLANNER}", "ptr"), "ptr")
        status = e.define(f"call i32 @{HOST}({texts(planner, number, place)})", "i32")
        # Where there is no plan, this is the one found before.
        e.line(f"store atomic {e.load(place, 'ptr').typed}, ptr {entry.ref} release, align 8")
        e.line(f"ret i32 {status.ref}")
        return f.text(f"i32 @{self.name}{BEGIN}(ptr %words)", cold=self.is_cold)

    def _plan_kind(self, f: Function) -> Val:
        e, inner, way = f.e, self._given(f, "inner"), self.way
        is_whole = e.icmp("eq", e.bit_and(inner, f.word(GROUP - 1)), f.word(0))
        blocks, few = f.word(Kind.BLOCKS), f.word(Kind.FEW)
        if self.kind == "dft" and way.lie == ways.ASIDE:
            are_several = e.icmp("sgt", inner, f.word(GROUP))
            return e.select(is_whole, blocks, e.select(are_several, f.word(Kind.ACROSS), few))
        if way.lie:
            return f.word(ways.plan_kind(self.kind, way, 1))
        length, outer = self._given(f, "length"), self._given(f, "outer")
        are_short = e.bit_and(e.icmp("sle", length, f.word(SHORT_LENGTH)), e.icmp("sge", outer, f.word(MANY)))
        others = Kind.LINE if self.kind == "dft" else Kind.ANY_REAL
        beside = e.select(are_short, f.word(ways.SIDE_BY_SIDE[self.kind]), f.word(others))
        if self.kind != "dft":
            return beside
        return e.select(e.icmp("eq", inner, f.word(1)), beside, e.select(is_whole, blocks, few))
