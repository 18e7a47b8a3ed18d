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
lines across. Many short lines are done side by side instead, by straight code for their length (short.py). Where the
length is known and passes are all that it takes, or a convolution is, the routine has no more code than these need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import BEGIN, HOST, PLANNER
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.grids import grid_texts
from rosin.backends.llvm.routines.records import texts
from rosin.backends.llvm.routines.short import MANY
from rosin.backends.llvm.routines.spectra import spectra_texts
from rosin.backends.llvm.types import memory_type
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.fourier import GRID as GRID_LENGTH
from rosin.ir.ops.fourier import NUMBERS, SHORT_LENGTH, is_smooth

KNOWN = 256
"""Plans that the table of a routine holds, a power of two."""

NUMBER, COUNT, CHIRP, TABLE, KERNEL, MORE, SEVERAL, GRID, SHORT, TOGETHER, PASSES = range(11)
"""The words of a plan: which it is, how many passes, the plan of the convolution or 0, the chirp or what takes real
transforms apart, the transformed chirp, the plan of half as many complex numbers or of an odd line, that of several odd
lines or 0, the grid or 0, the address of the function for short lines (short.py), how many of them it takes, and from
word `PASSES` on the passes."""
FUNCTION, SETS, DONE, RADIX, FACTORS = range(5)
"""The words of a pass: its address, how many sets it has in one line, the product of the radices before it, its radix,
and the address of its factors."""
PASS_WORDS = 5
LINE, ACROSS, REAL, INNER, LINES, REALS, HALVES = range(7)
"""What plans are for: complex lines of neighbours, complex lines across, real lines of neighbours, complex lines of
neighbours that are no grids; and many short ones: complex lines, real lines, and halves that real lines are made of."""
KINDS = 8
"""A plan is known by its length times this, and what it is for."""

POINTERS = ("source", "target", "room", "plan")
WORDS = ("source", "target", *NUMBERS, "room", "plan")

ANY, PASSES_ALONE, EVEN, ODD, CHIRPS = "", "passes", "even", "odd", "chirp"
"""The lines that a routine may have code for: those that passes transform, which of real numbers are of an even length
or of an odd one, and complex ones that become a convolution."""


def fourier_text(kind: str, dtype: DType, name: str, vector_bytes: int, way: str = ANY) -> str:
    """The module of a routine called `name`, for a kind of transform and a real element type."""
    return _Fourier(kind, memory_type(dtype), name, vector_bytes, way).text()


def fourier_way(kind: str, numbers: Sequence[Dim]) -> str:
    """The lines that those of a call are among for which the routine is told these numbers, if that is known."""
    length, inner = (numbers[NUMBERS.index(name)] for name in ("length", "inner"))
    if not isinstance(length, int) or length == 0:
        return ANY
    points = length // 2 if kind != "dft" and length % 2 == 0 else length
    if kind == "dft" and not is_smooth(points):
        return CHIRPS
    if not is_smooth(points) or (points >= GRID_LENGTH and inner == 1):
        return ANY
    return PASSES_ALONE if kind == "dft" else ODD if length % 2 else EVEN


def plan_number(kind: str, numbers: Sequence[Dim]) -> int | None:
    """The plan that a call with these numbers asks for, as `_begin` finds it, if that is known."""
    length, inner, outer = (numbers[NUMBERS.index(name)] for name in ("length", "inner", "outer"))
    if not isinstance(length, int) or not isinstance(inner, int) or not isinstance(outer, int):
        return None
    are_short = length <= SHORT_LENGTH and outer >= MANY
    if kind == "dft":
        return length * KINDS + (ACROSS if inner != 1 else LINES if are_short else LINE)
    return length * KINDS + (REAL if not are_short else REALS if kind == "realdft" else HALVES)


class _Fourier:
    def __init__(self, kind: str, elem: str, name: str, vector_bytes: int, way: str) -> None:
        self.kind, self.elem, self.name, self.way = kind, elem, name, way
        self.complex = f"[2 x {elem}]"
        self.width = max(vector_bytes // (8 if elem == "float" else 16), 1)
        self.declarations = {f"declare i32 @{HOST}(ptr, i64, ptr)"}

    def text(self) -> str:
        functions = spectra_texts(self.elem, self.width, self.declarations)
        if self.way == ANY:
            functions += grid_texts(self.elem, self.width, self.declarations)
        if self.way in (ANY, CHIRPS):
            functions.append(self._convolved())
        functions += [self._chain(), self._line()]
        if self.kind != "dft":
            functions += [self._to_half() if self.kind == "realdft" else self._from_half()]
            functions += [self._block()] if self.way != EVEN else []
        functions += [self._pieces(), self._begin()]
        heads = [f"@{PLANNER} = global ptr null", f"@plans = internal global [{KNOWN} x ptr] zeroinitializer"]
        return "\n".join([*heads, *sorted(self.declarations), "", *functions])

    # -- helpers ---------------------------------------------------------------------------------------------

    def _word(self, f: Function, array: str | Val, number: int, elem: str = "i64") -> Val:
        pointer = Val(array, "ptr") if isinstance(array, str) else array
        return f.e.load(f.e.offset(pointer, f.word(number), "i64"), elem)

    def _at(self, f: Function, array: Val, place: Val) -> Val:
        """The address of a complex number of an array."""
        return f.e.offset(array, place, self.complex)

    def _parts(self) -> tuple[Val, Val]:
        return Val("%sign", self.elem), Val("%scale", self.elem)

    # -- one line --------------------------------------------------------------------------------------------

    def _chain(self) -> str:
        """`void chain(plan, source, target, odd, even, neighbours, in, out, sign, scale)`: all passes of a plan.

        Numbers of a line are `in` apart in the source and `out` in the target; so many neighbours go together. Passes
        that are an odd number of passes before the last one write to `odd`, others to `even`, the last to `target`.
        """
        f = Function(self.declarations, plain=True)
        e = f.e
        names = ("plan", "source", "target", "odd", "even")
        plan, source, target, odd, even = (Val(f"%{name}", "ptr") for name in names)
        neighbours, step_in, step_out = (Val(f"%{name}", "i64") for name in ("neighbours", "in", "out"))
        count = self._word(f, plan, COUNT)
        one = f.word(1)
        together = e.bit_and(e.icmp("eq", neighbours, one), e.icmp("eq", step_out, one))
        here = f.variable(source)

        def one_pass(number: Val) -> None:
            row = e.offset(plan, e.add(f.word(PASSES), e.mul(number, f.word(PASS_WORDS))), "i64")
            function, factors = self._word(f, row, FUNCTION, "ptr"), self._word(f, row, FACTORS, "ptr")
            sets, done, radix = (self._word(f, row, i) for i in (SETS, DONE, RADIX))
            left = e.sub(e.sub(count, one), number)
            first, last = e.icmp("eq", number, f.word(0)), e.icmp("eq", left, f.word(0))
            flat = e.bit_or(together, e.bit_xor(last, e.const(True, "i1")))
            on_way = e.select(e.icmp("eq", e.bit_and(left, one), one), odd, even)
            there = e.select(last, target, on_way)
            group = e.mul(neighbours, done)
            read_step = e.select(first, step_in, group)
            # The last pass of lines across has sets that lie apart in the result.
            arguments = (
                e.select(flat, sets, done),
                e.select(flat, group, neighbours),
                e.select(flat, read_step, neighbours),
                e.mul(read_step, sets),
                e.select(flat, e.mul(group, radix), step_out),
                e.select(flat, group, e.mul(step_out, done)),
            )
            given = texts(e.load(here, "ptr"), there, *arguments, factors, *self._parts())
            e.line(f"call void {function.ref}({given})")
            e.store(there, here)

        f.loop(f.word(0), count, 1, one_pass)
        e.line("ret void")
        pointers = texts(plan, source, target, odd, even, neighbours, step_in, step_out, *self._parts())
        return f.text(f"internal void @chain({pointers})")

    def _convolved(self) -> str:
        """`void convolved(plan, source, target, room, in, out, sign, scale)`: one line by convolution with a chirp."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        step_in, step_out = Val("%in", "i64"), Val("%out", "i64")
        sign, scale = self._parts()
        inner = self._word(f, plan, CHIRP, "ptr")
        chirp, kernel = (self._word(f, plan, i, "ptr") for i in (TABLE, KERNEL))
        length, most = (e.lshr(self._word(f, p, NUMBER), f.word(KINDS.bit_length() - 1)) for p in (plan, inner))
        a, b, c = room, self._at(f, room, most), self._at(f, room, e.add(most, most))
        one, plus, minus = f.word(1), e.const(1, self.elem), e.const(-1, self.elem)
        mirrored = e.fneg(sign)
        given = texts(source, a, chirp, length, step_in, one, mirrored, plus, plus)
        e.line(f"call void @multiply({given})")
        size = e.mul(e.sub(most, length), f.word(8 if self.elem == "float" else 16))
        self.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        e.line(f"call void @llvm.memset.p0.i64({texts(self._at(f, a, length))}, i8 0, {size.typed}, i1 false)")
        e.line(f"call void @chain({texts(inner, a, b, c, b, one, one, one, minus, plus)})")
        e.line(f"call void @multiply({texts(b, b, kernel, most, one, one, plus, plus, plus)})")
        e.line(f"call void @chain({texts(inner, b, a, c, a, one, one, one, plus, scale)})")
        e.line(f"call void @multiply({texts(a, target, chirp, length, one, step_out, plus, mirrored, plus)})")
        e.line("ret void")
        parameters = texts(plan, source, target, room, step_in, step_out, sign, scale)
        return f.text(f"internal void @convolved({parameters})")

    def _line(self) -> str:
        """`void line(plan, source, target, room, sign, scale)`: one complex line of neighbours."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        one = f.word(1)

        def passes() -> None:
            given = texts(plan, source, target, room, target, one, one, one, *self._parts())
            e.line(f"call void @chain({given})")

        def convolved() -> None:
            given = texts(plan, source, target, room, one, one, *self._parts())
            e.line(f"call void @convolved({given})")

        def grid() -> None:
            given = texts(self._word(f, plan, GRID, "ptr"), source, target, room, *self._parts())
            e.line(f"call void @grid({given})")

        def longer() -> None:
            f.when(e.icmp("eq", self._word(f, plan, GRID), f.word(0)), convolved, grid)

        if self.way:
            (convolved if self.way == CHIRPS else passes)()
        else:
            f.when(e.icmp("eq", self._word(f, plan, COUNT), f.word(0)), longer, passes)
        e.line("ret void")
        return f.text(f"internal void @line({texts(plan, source, target, room, *self._parts())})")

    def _to_half(self) -> str:
        """`void real(plan, source, target, room, length, scale)`: half of the transform of one real line."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        length, scale = Val("%length", "i64"), Val("%scale", self.elem)
        more, table = self._word(f, plan, MORE, "ptr"), self._word(f, plan, TABLE, "ptr")
        minus = e.const(-1, self.elem)
        half = e.lshr(length, f.word(1))

        def even() -> None:
            halved = e.fmul(scale, e.const(0.5, self.elem))
            e.line(f"call void @line({texts(more, source, target, room, minus, halved)})")
            e.line(f"call void @apart({texts(target, target, half, table)})")

        def odd() -> None:
            whole, rest = self._at(f, room, length), self._at(f, room, e.add(length, length))
            e.line(f"call void @widen({texts(source, room, length)})")
            e.line(f"call void @line({texts(more, room, whole, rest, minus, scale)})")
            bytes = e.mul(e.add(half, f.word(1)), f.word(8 if self.elem == "float" else 16))
            self.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
            e.line(f"call void @llvm.memcpy.p0.p0.i64({texts(target, whole, bytes)}, i1 false)")

        self._by_parity(f, length, even, odd)
        e.line("ret void")
        return f.text(f"internal void @real({texts(plan, source, target, room, length, scale)})")

    def _from_half(self) -> str:
        """`void real(plan, source, target, room, length, scale)`: the real line whose transform has this half."""
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        length, scale = Val("%length", "i64"), Val("%scale", self.elem)
        more, table = self._word(f, plan, MORE, "ptr"), self._word(f, plan, TABLE, "ptr")
        plus = e.const(1, self.elem)
        half = e.lshr(length, f.word(1))

        def even() -> None:
            e.line(f"call void @together({texts(source, room, half, table)})")
            e.line(f"call void @line({texts(more, room, target, self._at(f, room, half), plus, scale)})")

        def odd() -> None:
            whole, rest = self._at(f, room, length), self._at(f, room, e.add(length, length))
            e.line(f"call void @mirror({texts(source, room, length)})")
            e.line(f"call void @line({texts(more, room, whole, rest, plus, scale)})")
            e.line(f"call void @narrow({texts(whole, target, length)})")

        self._by_parity(f, length, even, odd)
        e.line("ret void")
        return f.text(f"internal void @real({texts(plan, source, target, room, length, scale)})")

    def _by_parity(self, f: Function, length: Val, even: Callable[[], None], odd: Callable[[], None]) -> None:
        """What is done with real lines of an even length, and of an odd one."""
        if self.way == ANY:
            f.when(f.e.icmp("eq", f.e.bit_and(length, f.word(1)), f.word(0)), even, odd)
        else:
            (even if self.way == EVEN else odd)()

    def _block(self) -> str:
        """`void block(plan, source, target, room, length, count, scale)`: so many real lines of odd length, or halves
        of their transforms, which lie across in the room.
        """
        f = Function(self.declarations, plain=True)
        e = f.e
        plan, source, target, room = (Val(f"%{name}", "ptr") for name in ("plan", "source", "target", "room"))
        length, count, scale = Val("%length", "i64"), Val("%count", "i64"), Val("%scale", self.elem)
        numbers = e.mul(length, count)
        whole = self._at(f, room, numbers)
        arrays = (self._word(f, plan, SEVERAL, "ptr"), room, whole, self._at(f, whole, numbers), whole)
        before, after, sign = ("widen", "halve", -1) if self.kind == "realdft" else ("mirror", "narrow", 1)
        e.line(f"call void @{before}_across({texts(source, room, length, count)})")
        e.line(f"call void @chain({texts(*arrays, count, count, count, e.const(sign, self.elem), scale)})")
        e.line(f"call void @{after}_across({texts(whole, target, length, count)})")
        e.line("ret void")
        return f.text(f"internal void @block({texts(plan, source, target, room, length, count, scale)})")

    # -- all lines -------------------------------------------------------------------------------------------

    def _pieces(self) -> str:
        """The routine itself: each piece is so many units, which are lines, or blocks of lines that lie across."""
        f = Function(self.declarations, plain=True)
        e, one = f.e, f.word(1)
        given = {name: self._word(f, "%words", i, "ptr" if name in POINTERS else "i64") for i, name in enumerate(WORDS)}
        source, target, room, plan = (given[name] for name in POINTERS)
        length, inner, outer, block, pieces = (given[n] for n in ("length", "inner", "outer", "block", "pieces"))
        inverse = e.icmp("ne", given["inverse"], f.word(0))
        sign = e.select(inverse, e.const(1, self.elem), e.const(-1, self.elem))
        scale = self._scale(f, length, given["scaling"])
        # Lines of real numbers that go together are neighbours, others lie across.
        beside = outer if self.kind != "dft" else inner
        blocks = e.binary("sdiv", e.sub(e.add(beside, block), one), block)
        # A symbolic length may be 0: then there is nothing to do.
        units = e.select(
            e.icmp("eq", length, f.word(0)), f.word(0), e.mul(outer, blocks) if self.kind == "dft" else blocks
        )
        size = given["size"]

        def complex_unit(unit: Val, own: Val) -> None:
            def line() -> None:
                place = e.mul(unit, length)
                arrays = (self._at(f, source, place), self._at(f, target, place), own)
                e.line(f"call void @line({texts(plan, *arrays, sign, scale)})")

            def across() -> None:
                row, column = e.binary("sdiv", unit, blocks), e.mul(e.binary("srem", unit, blocks), block)
                place = e.add(e.mul(e.mul(row, length), inner), column)
                count = e.intrinsic("llvm.smin", block, e.sub(inner, column))
                there, here = self._at(f, source, place), self._at(f, target, place)

                def passes() -> None:
                    second = self._at(f, own, e.mul(length, block))
                    e.line(
                        f"call void @chain({texts(plan, there, here, own, second, count, inner, inner, sign, scale)})"
                    )

                def convolved(number: Val) -> None:
                    arrays = (self._at(f, there, number), self._at(f, here, number))
                    e.line(f"call void @convolved({texts(plan, *arrays, own, inner, inner, sign, scale)})")

                def each_convolved() -> None:
                    f.loop(f.word(0), count, 1, convolved)

                if self.way:
                    (each_convolved if self.way == CHIRPS else passes)()
                    return
                is_chirp = e.icmp("ne", self._word(f, plan, CHIRP), f.word(0))
                f.when(is_chirp, each_convolved, passes)

            f.when(e.icmp("eq", inner, one), line, across)

        def real_unit(unit: Val, own: Val) -> None:
            half = e.add(e.lshr(length, one), one)
            first = e.mul(unit, block)
            reals, complexes = e.mul(first, length), e.mul(first, half)
            if self.kind == "realdft":
                arrays = (e.offset(source, reals, self.elem), self._at(f, target, complexes))
            else:
                arrays = (self._at(f, source, complexes), e.offset(target, reals, self.elem))

            def single() -> None:
                e.line(f"call void @real({texts(plan, *arrays, own, length, scale)})")

            def several() -> None:
                count = e.intrinsic("llvm.smin", block, e.sub(outer, first))
                e.line(f"call void @block({texts(plan, *arrays, own, length, count, scale)})")

            if self.way == EVEN:
                single()
            else:
                f.when(e.icmp("eq", block, one), single, several)

        do: Callable[[Val, Val], None] = complex_unit if self.kind == "dft" else real_unit

        before, after = self._row(f, length, 0), self._row(f, length, 1)

        def piece(number: Val) -> None:
            begin, end = (e.binary("sdiv", e.mul(x, units), pieces) for x in (number, e.add(number, one)))
            own = self._at(f, room, e.mul(number, size))
            first = e.mul(begin, block)
            lines = e.sub(e.intrinsic("llvm.smin", e.mul(end, block), outer), first)

            def short() -> None:
                function = self._word(f, plan, SHORT, "ptr")
                there, here = (
                    e.offset(array, e.mul(first, row), self.elem) for array, row in ((source, before), (target, after))
                )
                e.line(f"call void {function.ref}({texts(there, here, lines, sign, scale)})")

            def others() -> None:
                f.loop(begin, end, 1, lambda unit: do(unit, own))

            together = self._word(f, plan, TOGETHER)
            known = e.icmp("ne", together, f.word(0))
            f.when(e.bit_and(known, e.icmp("sge", lines, together)), short, others)

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
        e.line("ret void")
        return f.text(f"void @{self.name}(ptr %words, i64 %begin, i64 %end)")

    def _row(self, f: Function, length: Val, side: int) -> Val:
        """How many real numbers a line of the operand has (side 0), or one of the result (side 1)."""
        e, one = f.e, f.word(1)
        if self.kind == "dft":
            return e.shl(length, one)
        if (self.kind == "realdft") == (side == 0):
            return length
        return e.shl(e.add(e.lshr(length, one), one), one)

    def _scale(self, f: Function, length: Val, scaling: Val) -> Val:
        e = f.e
        count = e.convert("sitofp", length, "double")
        over = e.fdiv(e.const(1, "double"), count)
        root = e.fdiv(e.const(1, "double"), e.intrinsic("llvm.sqrt", count))
        scaled = e.select(e.icmp("eq", scaling, f.word(1)), over, root)
        chosen = e.select(e.icmp("eq", scaling, f.word(0)), e.const(1, "double"), scaled)
        return e.convert("fptrunc", chosen, self.elem)

    def _begin(self) -> str:
        """The plan, from the table or from Python, becomes the last word."""
        f = Function(self.declarations, plain=True)
        e = f.e
        length, inner, outer = (self._word(f, "%words", WORDS.index(name)) for name in ("length", "inner", "outer"))
        are_short = e.bit_and(e.icmp("sle", length, f.word(SHORT_LENGTH)), e.icmp("sge", outer, f.word(MANY)))
        if self.kind == "dft":
            beside = e.select(are_short, f.word(LINES), f.word(LINE))
            kind = e.select(e.icmp("eq", inner, f.word(1)), beside, f.word(ACROSS))
        else:
            kind = e.select(are_short, f.word(REALS if self.kind == "realdft" else HALVES), f.word(REAL))
        number = e.add(e.mul(length, f.word(KINDS)), kind)
        # The factor spreads lengths that are powers of two.
        spread = e.lshr(e.mul(number, f.word(-7046029254386353131)), f.word(64 - KNOWN.bit_length() + 1))
        entry = e.offset(Val("@plans", "ptr"), spread, "ptr")
        place = e.offset(Val("%words", "ptr"), f.word(WORDS.index("plan")), "ptr")
        found = e.define(f"load atomic ptr, ptr {entry.ref} acquire, align 8", "ptr")
        e.store(found, place)
        known, fits, ask, done = (e.label(hint) for hint in ("known", "fits", "ask", "done"))
        e.branch_if(e.icmp("ne", found, Val("null", "ptr")), known, ask)
        e.block(known)
        e.branch_if(e.icmp("eq", self._word(f, found, NUMBER), number), fits, ask)
        e.block(fits)
        e.line("ret i32 0")
        e.block(ask)
        planner = e.load(Val(f"@{PLANNER}", "ptr"), "ptr")
        status = e.define(f"call i32 @{HOST}({texts(planner, number, place)})", "i32")
        made = e.label("made")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), made, done)
        e.block(made)
        e.line(f"store atomic {e.load(place, 'ptr').typed}, ptr {entry.ref} release, align 8")
        e.branch(done)
        e.block(done)
        e.line(f"ret i32 {status.ref}")
        return f.text(f"i32 @{self.name}{BEGIN}(ptr %words)")
