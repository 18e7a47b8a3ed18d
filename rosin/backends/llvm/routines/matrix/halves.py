"""Eigenvalues and eigenvectors of one Hermitian matrix on several threads: the matrix is reduced to three diagonals,
and these are cut in half, again and again.

Where a matrix T of three diagonals is cut, it is two such matrices and a product z zᵀ. Of the eigenvalues and
eigenvectors of both come those of T (secular.py): as many zeros of an equation, and a product of matrices.

Cuppen, "A divide and conquer method for the symmetric tridiagonal eigenproblem", 1981; Gu and Eisenstat, "A
divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem", 1995. LAPACK reduces the matrix, takes out
what a cut leaves as it is ("deflation", `laed2`), and does the parts that are not cut any more.
"""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.secular import PART, Secular
from rosin.backends.llvm.routines.matrix.shared import Given, context_of, cut, piece_text, put_in, share_in
from rosin.backends.llvm.routines.matrix.stack import Room, passed
from rosin.ir.ops.eigen import REFLECTED

LEAF = 32
"""Parts of so many rows are not cut any more."""

LEAST = 32
"""Columns of a piece of a product."""

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

LINES = ("z", "poles", "weights", "squares", "placed", "exact")
INTEGERS = ("order", "sorted", "grouped", "parted", "types", "info")


class Halves(Secular, Reflecting):
    """A routine that finds eigenvectors of one Hermitian matrix."""

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
        one = e.across(greatest, lambda a, b: e.intrinsic("llvm.maxnum", a, b))
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
            *self.secular_helpers(),
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
                self.prepare_secular(f, given)
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
