"""Eigenvalues and eigenvectors of one Hermitian matrix on several threads: the matrix is reduced to three diagonals,
and these are cut in half, again and again.

Where a matrix T of three diagonals is cut, it is two such matrices and a product z zᵀ. The eigenvalues d of both are
known before those of T, which are the zeros x of the secular equation

    1 / ρ + Σ w_i² / (d_i - x) = 0,

one between each pair of neighbours of d and one behind the last. All are found at once, one in each lane of vectors: a
step goes to the zero of a rational function with the poles next to it ("the middle way"); where that is slow, to the
zero of one that has the nearer pole, as it is, and a straight line for all others; or to the middle of where the zero
can be. From the distances between zeros and poles come weights for which the zeros are exact, and from these the
vectors, which are orthogonal without more ado. A product of matrices makes eigenvectors of T of them.

Cuppen, "A divide and conquer method for the symmetric tridiagonal eigenproblem", 1981; Gu and Eisenstat, "A
divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem", 1995; Li, "Solving secular equations stably
and efficiently", 1993. LAPACK reduces the matrix, takes out what a cut leaves as it is ("deflation", `laed2`), and does
the parts that are not cut any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lapack import Lapack
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.shared import Given, context_of, cut, piece_text, put_in, share_in
from rosin.backends.llvm.routines.matrix.stack import Room, passed
from rosin.ir.ops.eigen import REFLECTED

LEAF = 32
"""Parts of so many rows are not cut any more."""

LEAST = 32
"""Columns of a piece of a product."""

STEPS = 60
"""Steps to a zero, at most; four are usual."""

SLOW = 0.1
"""A step after which a value is more than so much of what it was, and of the same sign, was of the wrong kind."""

WHOLE = {
    **dict.fromkeys(("matrix", "tau", "together", "work", "values", "beside", "vectors"), "ptr"),
    **dict.fromkeys(("q", "kept", "shape"), "ptr"),
    **dict.fromkeys(("z", "poles", "weights", "squares", "placed", "exact"), "ptr"),
    **dict.fromkeys(("order", "sorted", "grouped", "parted", "types", "info"), "ptr"),
    **dict.fromkeys(("n", "padded", "level", "width"), "i64"),
}
"""What pieces of the whole matrix are given. `values` are the diagonal and `beside` the one below it; `q` are the
eigenvectors of parts, as columns; `kept` and `shape` are for what `q` is made of; then come lines of numbers, and of
LAPACK's integers. A level has twice as many parts as the one before."""

PART = {
    **dict.fromkeys(("values", "q", "kept", "shape", "poles", "weights", "squares", "placed", "exact"), "ptr"),
    **dict.fromkeys(("grouped", "rho"), "ptr"),
    **dict.fromkeys(("n", "n1", "n2", "count", "row", "first", "upper", "lower", "width"), "i64"),
}
"""What pieces of a part are given, from where it begins: `count` zeros are wanted; rows of `shape` are `row` numbers
apart; of its rows `upper` belong to the first half, and `lower` after the `first` to the other."""

LINES = ("z", "poles", "weights", "squares", "placed", "exact")
INTEGERS = ("order", "sorted", "grouped", "parted", "types", "info")


class Halves(Reflecting):
    """A routine that finds eigenvectors of one Hermitian matrix."""

    @property
    def real_bytes(self) -> int:
        """Bytes of a real number."""
        return self.dtype.part.bytes

    def reals(self, f: Function) -> Lapack:
        """LAPACK's functions of real numbers."""
        return Lapack(f, self.dtype.part, self.lapack_word)

    def real_at(self, f: Function, start: Val, index: Val) -> Val:
        """The address of a real number."""
        return f.e.offset(start, index, self.elem)

    def integer_at(self, f: Function, start: Val, index: Val) -> Val:
        return f.e.offset(start, index, self.lapack_word)

    def row_from(self, f: Function, start: Val, index: Val) -> Val:
        """One of LAPACK's numbers of rows, which it counts from 1."""
        return f.e.sub(self.reals(f).integer(start, index), f.word(1))

    def numbers(self, f: Function, start: Val, index: Val) -> Val:
        """A vector of real numbers."""
        return f.e.load(self.real_at(f, start, index), self.elem, self.vector, align=self.real_bytes)

    def number_at(self, f: Function, start: Val, index: Val) -> Val:
        """One real number."""
        return f.e.load(self.real_at(f, start, index), self.elem)

    def in_all_lanes(self, f: Function, x: Val) -> Val:
        return f.e.splat(x, self.vector)

    def lanes_from(self, f: Function, first: Val) -> Val:
        """Numbers of lanes, from one on."""
        e, few = f.e, f.e.define(f"trunc {first.typed} to i32", "i32")
        ramp = ", ".join(f"i32 {lane}" for lane in range(self.vector))
        return e.add(e.splat(few, self.vector), Val(f"<{ramp}>", "i32", self.vector))

    def below(self, f: Function, places: Val, end: Val) -> Val:
        """Which places are before an end."""
        few = f.e.define(f"trunc {end.typed} to i32", "i32")
        return f.e.icmp("slt", places, f.e.splat(few, self.vector))

    def across(self, f: Function, x: Val, combine: Callable[[Val, Val], Val]) -> Val:
        """The lanes of a vector combined, halves with halves."""
        while x.lanes > 1:
            half = x.lanes // 2
            x = combine(f.e.take(x, range(half)), f.e.take(x, range(half, 2 * half)))
        return x

    # -- the whole -----------------------------------------------------------------------------------------

    def in_halves(self, f: Function, room: Room, n: Val, matrix: Val, values: Val, vectors: Val) -> Val:
        """Write eigenvalues and eigenvectors of a matrix, whose lower triangle lies column by column; whether that
        failed."""
        e, bytes, lapack = f.e, self.dtype.bytes, self.lapack(f)
        padded = e.add(n, f.word(self.vector))
        given = {"matrix": matrix, "values": values, "vectors": vectors, "n": n, "padded": padded}
        given["tau"] = room.take(n, bytes)
        given["together"], given["work"] = (room.take(e.mul(n, f.word(REFLECTED)), bytes) for _ in range(2))
        given["beside"] = room.take(n, self.real_bytes)
        given["q"], given["kept"] = (room.take(e.mul(n, n), self.real_bytes) for _ in range(2))
        given["shape"] = room.take(e.mul(n, padded), self.real_bytes)
        for name in LINES:
            given[name] = room.take(e.mul(padded, f.word(2)), self.real_bytes)
        for name in INTEGERS:
            given[name] = room.take(n, 8)
        scale = self._scaled(f, matrix, n)
        name = "hetrd" if self.dtype.is_complex else "sytrd"
        work, many = given["work"], e.mul(n, f.word(REFLECTED))
        diagonals = (values, given["beside"], given["tau"])
        self.with_its_threads(f, n, lambda: lapack.call(name, "L", n, matrix, n, *diagonals, work, many, lapack.info()))
        level = self._cut(f, n)
        pieces, given["width"] = cut(f, n, LEAST)
        given["level"] = level
        context = context_of(f, {name: given[name] for name in WHOLE})
        self.fill(f, given["q"], e.mul(n, n), 0.0)
        failed = f.variable(e.const(False, "i1"))
        parts = e.shl(f.word(1), level)
        share_in(f, "gather", self._blocks(f, n), context)
        share_in(f, "leaf", parts, context)

        def look(number: Val) -> None:
            info = lapack.integer(given["info"], number)
            e.store(e.bit_or(e.load(failed, "i1"), e.icmp("ne", info, f.word(0))), failed)

        f.loop(f.word(0), parts, 1, look)

        def join(number: Val) -> None:
            above = e.sub(e.sub(level, f.word(1)), number)
            put_in(f, context, {"level": above}, WHOLE)
            share_in(f, "join", e.shl(f.word(1), above), context)

        f.loop(f.word(0), level, 1, join)
        self._sort(f, given)
        share_in(f, "unfold", pieces, context)
        self._put_values(f, given, scale)
        return e.load(failed, "i1")

    def _scaled(self, f: Function, matrix: Val, n: Val) -> Val:
        """Scale the lower triangle by a power of two, so that its greatest number is near 1; what to scale back by."""
        e, parts = f.e, f.word(self.parts)
        most = [f.variable(e.const(0.0, self.elem, lanes)) for lanes in (self.vector, 1)]

        def of_columns(body: Callable[[Val, int], None]) -> None:
            def column(j: Val) -> None:
                start = e.mul(e.mul(j, e.add(n, f.word(1))), parts)

                def some(place: Val, lanes: int) -> None:
                    body(self.real_at(f, matrix, e.add(start, place)), lanes)

                f.each(e.mul(e.sub(n, j), parts), self.vector, some)

            f.loop(f.word(0), n, 1, column)

        def look(at: Val, lanes: int) -> None:
            slot = most[lanes == 1]
            size = e.intrinsic("llvm.fabs", e.load(at, self.elem, lanes, align=self.real_bytes))
            e.store(e.intrinsic("llvm.maxnum", size, e.load(slot, self.elem, lanes)), slot)

        of_columns(look)
        rest = self.in_all_lanes(f, e.load(most[1], self.elem))
        greatest = e.intrinsic("llvm.maxnum", e.load(most[0], self.elem, self.vector), rest)
        one = self.across(f, greatest, lambda a, b: e.intrinsic("llvm.maxnum", a, b))
        power, inverse = (e.take(x, [0]) for x in self.power_of_two(f, self.in_all_lanes(f, one)))

        def put(at: Val, lanes: int) -> None:
            x = e.load(at, self.elem, lanes, align=self.real_bytes)
            e.store(e.fmul(x, e.splat(inverse, lanes)), at, align=self.real_bytes)

        of_columns(put)
        return power

    def _cut(self, f: Function, n: Val) -> Val:
        """How often the matrix is cut in half."""
        e = f.e
        level = f.variable(f.word(0))

        def is_long() -> Val:
            part = e.ashr(e.sub(n, f.word(1)), e.load(level, "i64"))
            return e.icmp("sge", part, f.word(LEAF))

        f.repeat(is_long, lambda: e.store(e.add(e.load(level, "i64"), f.word(1)), level))
        return e.load(level, "i64")

    def _sort(self, f: Function, given: Given) -> None:
        """Put the numbers of eigenvalues into their order, where those that are equal but for rounding may be out of
        it."""
        e, one, order = f.e, f.word(1), given["order"]

        def value_of(number: Val) -> Val:
            place = e.sub(e.convert("sext", number, "i64"), one)
            return self.number_at(f, given["values"], place)

        def number_at(i: Val) -> Val:
            return e.load(self.integer_at(f, order, i), self.lapack_word)

        def insert(j: Val) -> None:
            own, to = number_at(j), f.variable(j)
            value = value_of(own)

            def is_less() -> Val:
                i = e.load(to, "i64")
                before = e.intrinsic("llvm.smax", e.sub(i, one), f.word(0))
                is_less = e.fcmp("olt", value, value_of(number_at(before)))
                return e.bit_and(is_less, e.icmp("sgt", i, f.word(0)))

            def move() -> None:
                i = e.load(to, "i64")
                before = e.sub(i, one)
                e.store(number_at(before), self.integer_at(f, order, i))
                e.store(before, to)

            f.repeat(is_less, move)
            e.store(own, self.integer_at(f, order, e.load(to, "i64")))

        f.loop(one, given["n"], 1, insert)

    def _put_values(self, f: Function, given: Given, scale: Val) -> None:
        """Put eigenvalues into their order, as large as they are."""
        e, n, line = f.e, given["n"], given["z"]

        def find(j: Val) -> None:
            x = self.number_at(f, given["values"], self.row_from(f, given["order"], j))
            e.store(e.fmul(x, scale), self.real_at(f, line, j))

        f.loop(f.word(0), n, 1, find)
        e.copy_bytes(given["values"], line, e.mul(n, f.word(self.real_bytes)))

    def half_helpers(self) -> list[str]:
        """The functions that `in_halves` calls."""
        return [
            self._bounds(),
            self._leaf(),
            self._terms(),
            self._roots(),
            self._exact(),
            self._shape(),
            self._multiply(),
            self._join(),
            self._gather(),
            self._unfold(),
        ]

    def _bounds(self) -> str:
        """`void bounds(i64 n, i64 level, i64 number, ptr found)`: where a part begins and ends. The first half of each
        is no longer than the other."""
        f = self.function()
        e, one = f.e, f.word(1)
        level, number = Val("%level", "i64"), Val("%number", "i64")
        low, high = (f.variable(x) for x in (f.word(0), Val("%n", "i64")))

        def halve(step: Val) -> None:
            begin, end = e.load(low, "i64"), e.load(high, "i64")
            middle = e.ashr(e.add(begin, end), one)
            bit = e.bit_and(e.ashr(number, e.sub(e.sub(level, one), step)), one)
            is_first = e.icmp("eq", bit, f.word(0))
            e.store(e.select(is_first, begin, middle), low)
            e.store(e.select(is_first, middle, end), high)

        f.loop(f.word(0), level, 1, halve)
        for at, slot in enumerate((low, high)):
            e.store(e.load(slot, "i64"), e.offset(Val("%found", "ptr"), f.word(at), "i64"))
        e.line("ret void")
        return f.text("internal void @bounds(i64 %n, i64 %level, i64 %number, ptr %found)", cold=True)

    def _part(self, f: Function, given: Given, number: Val) -> tuple[Val, Val]:
        """Where a part of the level begins and ends."""
        found = f.room("i64", 2)
        f.e.line(f"call void @bounds({passed(given['n'], given['level'], number, found)})")
        begin, end = (f.e.load(f.e.offset(found, f.word(at), "i64"), "i64") for at in range(2))
        return begin, end

    def _leaf(self) -> str:
        """A part that is not cut any more. Where those around it are cut off, its diagonal has that much less."""
        f = self.function()
        e, one = f.e, f.word(1)

        def solve(number: Val, given: Given) -> None:
            n, values, beside = given["n"], given["values"], given["beside"]
            begin, end = self._part(f, given, number)

            def less(inside: Val, neighbour: Val) -> None:
                size = e.intrinsic("llvm.fabs", self.number_at(f, beside, neighbour))
                at = self.real_at(f, values, inside)
                e.store(e.fsub(e.load(at, self.elem), size), at)

            before, last = e.sub(begin, one), e.sub(end, one)
            f.when(e.icmp("ne", begin, f.word(0)), lambda: less(begin, before))
            f.when(e.icmp("ne", end, n), lambda: less(last, last))
            size, row = e.sub(end, begin), e.add(n, one)
            work = self.real_at(f, given["shape"], e.mul(begin, given["padded"]))
            own = (
                self.real_at(f, values, begin),
                self.real_at(f, beside, begin),
                self.real_at(f, given["q"], e.mul(begin, row)),
            )
            info = self.integer_at(f, given["info"], number)
            self.reals(f).call("steqr", "I", size, *own, n, work, info)
            self._count_up(f, self.integer_at(f, given["order"], begin), size)

        return piece_text(f, "leaf", WHOLE, solve, cold=True)

    def _count_up(self, f: Function, order: Val, count: Val) -> None:
        """Numbers from 1 on."""
        e = f.e

        def put(i: Val) -> None:
            e.store(self.reals(f).to_integer(e.add(i, f.word(1))), self.integer_at(f, order, i))

        f.loop(f.word(0), count, 1, put)

    # -- two halves ----------------------------------------------------------------------------------------

    def _join(self) -> str:
        """Make the eigenvectors of a part of those of its halves."""
        f = self.function()
        e, one = f.e, f.word(1)

        def join(number: Val, whole: Given) -> None:
            n, lapack = whole["n"], self.reals(f)
            begin, end = self._part(f, whole, number)
            middle = e.ashr(e.add(begin, end), one)
            size, n1, n2 = e.sub(end, begin), e.sub(middle, begin), e.sub(end, middle)
            line = e.mul(begin, f.word(2))
            given: dict[str, Val] = {name: self.real_at(f, whole[name], line) for name in LINES}
            integers = {name: self.integer_at(f, whole[name], begin) for name in INTEGERS}
            given |= {"n": n, "n1": n1, "n2": n2, "grouped": integers["grouped"]}
            given["values"] = self.real_at(f, whole["values"], begin)
            given["q"] = self.real_at(f, whole["q"], e.mul(begin, e.add(n, one)))
            given["kept"] = self.real_at(f, whole["kept"], e.mul(begin, n))
            given["shape"] = self.real_at(f, whole["shape"], e.mul(begin, whole["padded"]))
            given["rho"] = f.variable(self.number_at(f, whole["beside"], e.sub(middle, one)))
            self._touching(f, given, size)
            found = f.variable(f.word(0))
            parts = (given["values"], given["q"], n, integers["order"], given["rho"])
            lines = [given[name] for name in ("z", "poles", "weights", "kept")]
            numbers = [integers[name] for name in ("sorted", "grouped", "parted", "types")]
            lapack.call("laed2", found, size, n1, *parts, *lines, *numbers, lapack.info())
            count = given["count"] = lapack.integer(found, f.word(0))

            def solve() -> None:
                kinds = [lapack.integer(integers["types"], f.word(kind)) for kind in range(3)]
                given["first"], given["upper"] = kinds[0], e.add(kinds[0], kinds[1])
                given["lower"] = e.add(kinds[1], kinds[2])
                lanes = f.word(self.vector)
                vectors = e.binary("sdiv", e.add(count, e.sub(lanes, one)), lanes)
                given["row"] = e.mul(vectors, lanes)
                pieces, given["width"] = cut(f, count, LEAST)
                self._prepare(f, given)
                context = context_of(f, {name: given[name] for name in PART})
                share_in(f, "roots", vectors, context)
                share_in(f, "exact", count, context)
                share_in(f, "shape", vectors, context)
                share_in(f, "multiply", pieces, context)
                steps = (one, f.word(-1))
                lapack.call("lamrg", count, e.sub(size, count), given["values"], *steps, integers["order"])

            f.when(e.icmp("ne", count, f.word(0)), solve, lambda: self._count_up(f, integers["order"], size))

        return piece_text(f, "join", WHOLE, join, cold=True)

    def _touching(self, f: Function, given: Given, size: Val) -> None:
        """What eigenvectors of the halves have where these touch."""
        e, n, n1, one = f.e, given["n"], given["n1"], f.word(1)

        def put(row: Val) -> Callable[[Val], None]:
            def one_of(j: Val) -> None:
                e.store(self.number_at(f, given["q"], e.add(e.mul(j, n), row)), self.real_at(f, given["z"], j))

            return one_of

        f.loop(f.word(0), n1, 1, put(e.sub(n1, one)))
        f.loop(n1, size, 1, put(n1))

    def _prepare(self, f: Function, given: Given) -> None:
        """Squares of weights; poles in the order in which rows are multiplied; and what stands for poles behind the
        last one, so far away that the last zero is before them."""
        e, count = f.e, given["count"]
        poles, rho = given["poles"], e.load(given["rho"], self.elem)

        def square(i: Val) -> None:
            x = self.number_at(f, given["weights"], i)
            e.store(e.fmul(x, x), self.real_at(f, given["squares"], i))
            pole = self.number_at(f, poles, self.row_from(f, given["grouped"], i))
            e.store(pole, self.real_at(f, given["placed"], i))

        f.loop(f.word(0), count, 1, square)
        last = f.variable(self.number_at(f, poles, e.sub(count, f.word(1))))
        far = e.fmul(rho, e.const(4.0, self.elem))

        def beyond(i: Val) -> None:
            e.store(e.fadd(e.load(last, self.elem), far), last)
            e.store(e.load(last, self.elem), self.real_at(f, poles, e.add(count, i)))
            e.store(e.const(0.0, self.elem), self.real_at(f, given["squares"], e.add(count, i)))

        f.loop(f.word(0), f.word(self.vector + 1), 1, beyond)

    # -- zeros of the secular equation ---------------------------------------------------------------------

    SUMS = ("before", "behind", "slope_before", "slope_behind")
    """Of the terms of poles before the zero and of those behind it, what they are together, and how that grows."""

    def _terms(self) -> str:
        """`void terms(…)`: the terms of the equation, where x is so far from an origin in each lane, whose zero is
        behind the pole of the same number."""
        f = self.function()
        e, lanes = f.e, self.vector
        poles, squares, found = (Val(f"%{name}", "ptr") for name in ("poles", "squares", "found"))
        origin, x, first = Val("%origin", self.elem, lanes), Val("%x", self.elem, lanes), Val("%first", "i64")
        own = self.lanes_from(f, first)
        zero, one = (e.const(value, self.elem, lanes) for value in (0.0, 1.0))
        sums = [f.variable(zero) for _ in self.SUMS]

        def add(i: Val) -> None:
            distance = e.fsub(e.fsub(self.in_all_lanes(f, self.number_at(f, poles, i)), origin), x)
            inverse = e.fdiv(one, distance)
            term = e.fmul(self.in_all_lanes(f, self.number_at(f, squares, i)), inverse)
            few = e.define(f"trunc {i.typed} to i32", "i32")
            is_before = e.icmp("sge", own, e.splat(few, lanes))
            for at, value in enumerate((term, e.fmul(term, inverse))):
                for slot, is_own in zip(sums[2 * at : 2 * at + 2], (True, False), strict=True):
                    part = e.select(is_before, *((value, zero) if is_own else (zero, value)))
                    e.store(e.fadd(e.load(slot, self.elem, lanes), part), slot)

        f.loop(f.word(0), Val("%count", "i64"), 1, add)
        for at, slot in enumerate(sums):
            e.store(e.load(slot, self.elem, lanes), e.offset(found, f.word(at), origin.type))
        e.line("ret void")
        vector = origin.type
        given = f"ptr %poles, ptr %squares, i64 %count, i64 %first, {vector} %origin, {vector} %x, ptr %found"
        return f.text(f"internal void @terms({given})")

    def _sums(self, f: Function, given: Given, first: Val, origin: Val, x: Val) -> Mapping[str, Val]:
        found = f.room(origin.type, len(self.SUMS))
        names = passed(given["poles"], given["squares"], given["count"], first, origin, x, found)
        f.e.line(f"call void @terms({names})")
        return {
            name: f.e.load(f.e.offset(found, f.word(at), origin.type), self.elem, self.vector)
            for at, name in enumerate(self.SUMS)
        }

    def _root(self, f: Function, a: Val, b: Val, c: Val) -> Val:
        """The root of c x² - a x + b that is between the poles."""
        e, lanes = f.e, self.vector
        zero, two, four = (e.const(value, self.elem, lanes) for value in (0.0, 2.0, 4.0))
        inside = e.fsub(e.fmul(a, a), e.fmul(four, e.fmul(b, c)))
        length = e.intrinsic("llvm.sqrt", e.intrinsic("llvm.maxnum", inside, zero))
        is_low = e.fcmp("ole", a, zero)
        above = e.select(is_low, e.fsub(a, length), e.fmul(two, b))
        return e.fdiv(above, e.select(is_low, e.fmul(two, c), e.fadd(a, length)))

    def _roots(self) -> str:
        """A vector of zeros, and how far they are from the poles: a column of `shape` in each lane."""
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem

        def constant(value: float) -> Val:
            return e.const(value, elem, lanes)

        def negated(x: Val) -> Val:
            return e.bit_xor(x, e.like(True, x))

        def find(number: Val, given: Given) -> None:
            count, first = given["count"], e.mul(number, f.word(lanes))
            own = self.lanes_from(f, first)
            rho = self.in_all_lanes(f, e.load(given["rho"], elem))
            inverse, zero, half = e.fdiv(constant(1.0), rho), constant(0.0), constant(0.5)
            one_less = e.sub(count, f.word(1))
            is_last = negated(self.below(f, own, one_less))
            neighbours = (first, e.add(first, f.word(1)))
            left, right = (self.numbers(f, given["poles"], at) for at in neighbours)
            at_left, at_right = (self.numbers(f, given["squares"], at) for at in neighbours)
            gap = e.fsub(right, left)
            middle = e.fmul(gap, e.select(is_last, constant(0.125), half))
            sums = self._sums(f, given, first, left, middle)
            value = e.fadd(inverse, e.fadd(sums["before"], sums["behind"]))
            is_beyond = e.fcmp("olt", value, zero)
            # The origin is the pole that is nearer, so that distances from both are as exact as they can be.
            from_right = e.bit_and(is_beyond, negated(is_last))
            last_beyond = e.bit_and(is_beyond, is_last)
            origin = e.select(from_right, right, left)
            to_left, to_right = e.fsub(left, origin), e.fsub(right, origin)
            x = f.variable(e.select(from_right, e.fsub(middle, gap), middle))
            low = e.select(from_right, e.fneg(e.fmul(gap, half)), e.select(last_beyond, middle, zero))
            most = e.fmul(rho, constant(1.0001))
            high = e.select(from_right, zero, e.select(last_beyond, most, middle))
            lowest, highest = f.variable(low), f.variable(high)
            done = f.variable(negated(self.below(f, own, count)))
            by_line = f.variable(e.const(False, "i1", lanes))
            previous = f.variable(value)
            steps = f.variable(f.word(0))
            nearer = e.select(from_right, at_right, at_left)

            def is_inside(wanted: Val) -> Val:
                low, high = (e.load(slot, elem, lanes) for slot in (lowest, highest))
                return e.bit_and(e.fcmp("ogt", wanted, low), e.fcmp("olt", wanted, high))

            def line_root(now: Val, value: Val, slope: Val) -> Val:
                """Where the term of the nearer pole and a line for all others are zero together."""
                own_term = e.fdiv(nearer, now)
                rise = e.intrinsic("llvm.maxnum", e.fsub(slope, e.fdiv(own_term, now)), zero)
                start = e.fsub(e.fadd(value, own_term), e.fmul(rise, now))
                start = e.select(from_right, e.fneg(start), start)
                inside = e.fadd(e.fmul(start, start), e.fmul(e.fmul(constant(4.0), rise), nearer))
                length = e.intrinsic("llvm.sqrt", inside)
                is_high = e.fcmp("ogt", start, zero)
                above = e.select(is_high, e.fmul(constant(2.0), nearer), e.fsub(length, start))
                root = e.fdiv(above, e.select(is_high, e.fadd(start, length), e.fmul(constant(2.0), rise)))
                return e.select(from_right, e.fneg(root), root)

            def go(now: Val, middle_way: Val, line: Val) -> Val:
                """On to where one way leads, or the other one if that is out of bounds, or to the middle, in lanes that
                are not done; which of these hardly move."""
                is_line = e.load(by_line, "i1", lanes)
                first, second = e.select(is_line, line, middle_way), e.select(is_line, middle_way, line)
                low, high = (e.load(slot, elem, lanes) for slot in (lowest, highest))
                new = e.select(is_inside(second), second, e.fmul(e.fadd(low, high), half))
                new = e.select(is_inside(first), first, new)
                still = e.fcmp("ole", e.intrinsic("llvm.fabs", e.fsub(new, now)), self._rounding(f, now))
                e.store(e.select(e.load(done, "i1", lanes), now, new), x)
                return still

            def distances(now: Val) -> tuple[Val, Val]:
                return e.fsub(to_left, now), e.fsub(to_right, now)

            # First as if but two poles were near, and what all others make were the same everywhere.
            now = e.load(x, elem, lanes)
            before, behind = distances(now)
            rest = e.fsub(e.fsub(value, e.fdiv(at_left, before)), e.fdiv(at_right, behind))
            a = e.fadd(e.fmul(rest, e.fadd(to_left, to_right)), e.fadd(at_left, at_right))
            b = e.fmul(rest, e.fmul(to_left, to_right))
            b = e.fadd(b, e.fadd(e.fmul(at_left, to_right), e.fmul(at_right, to_left)))
            slope = e.fadd(sums["slope_before"], sums["slope_behind"])
            go(now, self._root(f, a, b, rest), line_root(now, value, slope))

            def goes_on() -> Val:
                all_done = e.intrinsic_across("llvm.vector.reduce.and", e.load(done, "i1", lanes))
                few = e.icmp("slt", e.load(steps, "i64"), f.word(STEPS))
                return e.bit_and(few, negated(all_done))

            def step() -> None:
                f.add_to(steps, f.word(1))
                now = e.load(x, elem, lanes)
                sums = self._sums(f, given, first, origin, now)
                value = e.fadd(inverse, e.fadd(sums["before"], sums["behind"]))
                slope = e.fadd(sums["slope_before"], sums["slope_behind"])
                size = e.fmul(constant(8.0), e.fsub(sums["behind"], sums["before"]))
                size = e.fadd(e.fadd(size, inverse), e.fmul(e.intrinsic("llvm.fabs", now), slope))
                magnitude = e.intrinsic("llvm.fabs", value)
                is_zero = e.fcmp("ole", magnitude, self._rounding(f, size))
                is_low = e.fcmp("olt", value, zero)
                e.store(e.select(is_low, now, e.load(lowest, elem, lanes)), lowest)
                e.store(e.select(is_low, e.load(highest, elem, lanes), now), highest)
                last = e.load(previous, elem, lanes)
                slow = e.fcmp("ogt", magnitude, e.fmul(constant(SLOW), e.intrinsic("llvm.fabs", last)))
                slow = e.bit_and(slow, negated(e.bit_xor(is_low, e.fcmp("olt", last, zero))))
                e.store(e.bit_xor(e.load(by_line, "i1", lanes), slow), by_line)
                e.store(value, previous)
                before, behind = distances(now)
                both = e.fmul(before, behind)
                c = e.fsub(value, e.fmul(before, sums["slope_before"]))
                c = e.fsub(c, e.fmul(behind, sums["slope_behind"]))
                a = e.fsub(e.fmul(e.fadd(before, behind), value), e.fmul(both, slope))
                middle_way = e.fadd(now, self._root(f, a, e.fmul(both, value), c))
                e.store(e.bit_or(e.load(done, "i1", lanes), is_zero), done)
                still = go(now, middle_way, line_root(now, value, slope))
                e.store(e.bit_or(e.load(done, "i1", lanes), still), done)

            f.repeat(goes_on, step)
            found = e.load(x, elem, lanes)
            is_own = self.below(f, own, count)
            e.masked_store(e.fadd(origin, found), self.real_at(f, given["values"], first), is_own, self.real_bytes)

            def row(p: Val) -> None:
                pole = self.in_all_lanes(f, self.number_at(f, given["placed"], p))
                at = self.real_at(f, given["shape"], e.add(e.mul(p, given["row"]), first))
                e.store(e.fsub(e.fsub(pole, origin), found), at, align=self.real_bytes)

            f.loop(f.word(0), count, 1, row)

        return piece_text(f, "roots", PART, find)

    def _rounding(self, f: Function, x: Val) -> Val:
        """What rounding makes of a number of this size."""
        e = f.e
        return e.fmul(e.intrinsic("llvm.fabs", x), e.like(self.dtype.part.epsilon, x))

    # -- vectors -------------------------------------------------------------------------------------------

    def _exact(self) -> str:
        """A weight for which the zeros that were found are exact, in the order of rows."""
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem

        def find(p: Val, given: Given) -> None:
            own = self.row_from(f, given["grouped"], p)
            few = e.splat(e.define(f"trunc {own.typed} to i32", "i32"), lanes)
            pole = self.in_all_lanes(f, self.number_at(f, given["placed"], p))
            one = e.const(1.0, elem, lanes)
            product = f.variable(one)
            line = self.real_at(f, given["shape"], e.mul(p, given["row"]))

            def some(j: Val) -> None:
                places = self.lanes_from(f, j)
                apart = e.fsub(pole, self.numbers(f, given["poles"], j))
                apart = e.select(e.icmp("eq", places, few), one, apart)
                factor = e.fdiv(self.numbers(f, line, j), apart)
                factor = e.select(self.below(f, places, given["count"]), factor, one)
                e.store(e.fmul(e.load(product, elem, lanes), factor), product)

            f.loop(f.word(0), given["row"], lanes, some)
            total = self.across(f, e.load(product, elem, lanes), e.fmul)
            size = e.intrinsic("llvm.sqrt", e.intrinsic("llvm.maxnum", e.fneg(total), e.const(0.0, elem)))
            weight = e.intrinsic("llvm.copysign", size, self.number_at(f, given["weights"], own))
            e.store(weight, self.real_at(f, given["exact"], p))

        return piece_text(f, "exact", PART, find)

    def _shape(self) -> str:
        """Of weights and distances eigenvectors, of length 1: a column in each lane."""
        f = self.function()
        e, lanes, elem = f.e, self.vector, self.elem

        def find(number: Val, given: Given) -> None:
            first = e.mul(number, f.word(lanes))
            squares = f.variable(e.const(0.0, elem, lanes))

            def place(p: Val) -> Val:
                return self.real_at(f, given["shape"], e.add(e.mul(p, given["row"]), first))

            def divide(p: Val) -> None:
                at = place(p)
                weight = self.in_all_lanes(f, self.number_at(f, given["exact"], p))
                x = e.fdiv(weight, e.load(at, elem, lanes, align=self.real_bytes))
                e.store(x, at, align=self.real_bytes)
                e.store(e.fma(x, x, e.load(squares, elem, lanes)), squares)

            f.loop(f.word(0), given["count"], 1, divide)
            length = e.intrinsic("llvm.sqrt", e.load(squares, elem, lanes))
            inverse = e.fdiv(e.const(1.0, elem, lanes), length)

            def scale(p: Val) -> None:
                at = place(p)
                e.store(e.fmul(e.load(at, elem, lanes, align=self.real_bytes), inverse), at, align=self.real_bytes)

            f.loop(f.word(0), given["count"], 1, scale)

        return piece_text(f, "shape", PART, find)

    def _multiply(self) -> str:
        """Some of the eigenvectors: those of the halves, which `kept` has, multiplied."""
        f = self.function()
        e = f.e

        def columns(number: Val, given: Given) -> None:
            lapack, n, n1, n2, row = self.reals(f), *(given[name] for name in ("n", "n1", "n2", "row"))
            j = e.mul(number, given["width"])
            width = e.intrinsic("llvm.smin", given["width"], e.sub(given["count"], j))
            shape = self.real_at(f, given["shape"], j)
            below = self.real_at(f, shape, e.mul(given["first"], row))
            goal = self.real_at(f, given["q"], e.mul(j, n))
            other = self.real_at(f, given["kept"], e.mul(n1, given["upper"]))
            halves = (
                (n1, given["upper"], given["kept"], shape, goal),
                (n2, given["lower"], other, below, self.real_at(f, goal, n1)),
            )
            for rows, inner, left, right, target in halves:
                ends = (lapack.number(0), target, n)
                lapack.call("gemm", "N", "T", rows, width, inner, lapack.number(1), left, rows, right, row, *ends)

        return piece_text(f, "multiply", PART, columns, cold=True)

    # -- back to the matrix --------------------------------------------------------------------------------

    def _reflections(self, f: Function, given: Given, k: Val) -> tuple[Val, Val, Val]:
        """How many reflections are applied together from the one of column k on, how long they are, and where they
        stand."""
        e, n, one = f.e, given["n"], f.word(1)
        many = e.intrinsic("llvm.smin", f.word(REFLECTED), e.sub(e.sub(n, one), k))
        own = self.place(e, given["matrix"], e.add(e.mul(k, e.add(n, one)), one))
        return many, e.sub(e.sub(n, one), k), own

    def _blocks(self, f: Function, n: Val) -> Val:
        """How many times reflections are applied together."""
        return f.e.binary("sdiv", f.e.add(n, f.word(REFLECTED - 2)), f.word(REFLECTED))

    def _gather(self) -> str:
        """What some reflections are together."""
        f = self.function()
        e = f.e

        def gather(number: Val, given: Given) -> None:
            k = e.mul(number, f.word(REFLECTED))
            many, rows, own = self._reflections(f, given, k)
            together = self.place(e, given["together"], e.mul(k, f.word(REFLECTED)))
            scales = self.place(e, given["tau"], k)
            ends = (own, given["n"], scales, together, f.word(REFLECTED))
            self.lapack(f).call("larft", "F", "C", rows, many, *ends)

        return piece_text(f, "gather", WHOLE, gather, cold=True)

    def _unfold(self) -> str:
        """Some eigenvectors, in their order, of those of the three diagonals: the reflections that made these."""
        f = self.function()
        e, one = f.e, f.word(1)

        def columns(number: Val, given: Given) -> None:
            n, lapack = given["n"], self.lapack(f)
            j = e.mul(number, given["width"])
            width = e.intrinsic("llvm.smin", given["width"], e.sub(n, j))
            start = self.place(e, given["kept"], e.mul(j, n))

            def take(c: Val) -> None:
                column = self.row_from(f, given["order"], e.add(j, c))
                source, goal = self.real_at(f, given["q"], e.mul(column, n)), self.place(e, start, e.mul(c, n))
                if not self.dtype.is_complex:
                    e.copy_bytes(goal, source, e.mul(n, f.word(self.real_bytes)))
                    return

                def element(i: Val) -> None:
                    at = self.place(e, goal, i)
                    e.store(self.number_at(f, source, i), at)
                    e.store(e.const(0.0, self.elem), e.offset(at, one, self.elem))

                f.loop(f.word(0), n, 1, element)

            f.loop(f.word(0), width, 1, take)
            work = self.place(e, given["work"], e.mul(j, f.word(REFLECTED)))
            steps = self._blocks(f, n)

            def reflect(t: Val) -> None:
                k = e.mul(e.sub(e.sub(steps, one), t), f.word(REFLECTED))
                many, rows, own = self._reflections(f, given, k)
                together = self.place(e, given["together"], e.mul(k, f.word(REFLECTED)))
                goal = self.place(e, start, e.add(k, one))
                sizes = (rows, width, many)
                ends = (together, f.word(REFLECTED), goal, n, work, width)
                lapack.call("larfb", "L", "N", "F", "C", *sizes, own, n, *ends)

            f.loop(f.word(0), steps, 1, reflect)
            self.turn(f, start, n, self.place(e, given["vectors"], j), n, width, n)

        return piece_text(f, "unfold", WHOLE, columns, cold=True)
