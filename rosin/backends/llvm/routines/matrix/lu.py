"""The routines `lu_<dtype>`, `lu_diagonal_<dtype>`, `lu_solve_<dtype>`, `solve_<dtype>` and `inverse_<dtype>`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import Number
from rosin.backends.llvm.routines.matrix.large_solve import LargeSolve
from rosin.backends.llvm.routines.matrix.shared import Given, cut, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import LARGE, ONE_BY_ONE, Room, passed
from rosin.backends.llvm.routines.matrix.tiles import TINY, Grid, Moved
from rosin.backends.llvm.routines.matrix.triangular import ByColumns, Substituting
from rosin.ir.ops.matrix import SMALL

BLOCK = 64
"""Columns of a step; of large matrices it is twice as many, and small ones take one step."""
ONE_STEP = 160
"""Matrices with so many rows or columns, or fewer, are factored in one step."""
LEAST = 32
"""Columns of a piece of those behind a step's."""


class Eliminating(Substituting):
    """A routine that makes LU factors in lanes."""

    def moved_too(self) -> tuple[str, ...]:
        return ("i32",)

    def helpers(self) -> list[str]:
        swaps = self.swaps(self.elem, *self.moved_too())
        updates = [self._update_columns(size) for size in sorted({1, self.tile[1]})]
        return [*super().helpers(), *swaps, self._find_pivots(), *updates, self._behind(), self._before()]

    def eliminate(self, f: Function, number: Val, a: Val, m: Val, n: Val, pivots: Val, moved: Sequence[Moved]) -> None:
        """Put factors in the place of the first operand's matrices in vectors, whose rows are as `exchange_rows` puts
        them, and write pivots.

        What is `moved` has its rows exchanged as those of the matrices are, each lane's in its own way. Panel by panel
        of columns: what the columns before contribute is subtracted first, in tiles.
        """
        e = f.e
        row, least = self.row(f, n), e.intrinsic("llvm.smin", m, n)
        rows = (self.rows(f, a, n, row), *moved)

        def update(j: Val, size: int) -> None:
            e.line(f"call void @update_{size}({passed(a, m, row, j)})")

        def panel(j: Val, size: int) -> None:
            self.prefetch(f, 0, number, e.mul(j, m), e.mul(m, f.word(size)), e.mul(m, n))
            update(j, size)
            for c in range(size):
                k = e.add(j, f.word(c))
                e.line(f"call void @find_pivots({passed(a, m, row, k, self.integers_at(f, pivots, k))})")
                self.swap(f, e.load(self.integers_at(f, pivots, k), "i32", self.vector), k, m, rows)
                self._reduce(f, a, m, row, k, size - c)

        self.tiled(f, f.word(0), least, self.tile[1], panel)
        # Of matrices that are wide, what is right of the square is but solved for.
        self.tiled(f, least, e.intrinsic("llvm.smax", least, n), self.tile[1], update)

    def _update_columns(self, size: int) -> str:
        """`void update_4(ptr a, i64 m, i64 row, i64 j)`: columns from j on, less the products of known factors."""
        f = self.function()
        m, row, j = (Val(f"%{name}", "i64") for name in ("m", "row", "j"))
        a = Val("%a", "ptr")
        self.tiled(f, f.word(0), m, self.tile[0], lambda i, count: self._update(f, a, row, i, j, count, size))
        f.e.line("ret void")
        return f.text(f"internal void @update_{size}(ptr %a, i64 %m, i64 %row, i64 %j)")

    def _update(self, f: Function, a: Val, row: Val, i: Val, j: Val, count: int, size: int) -> None:
        """A tile from element (i, j) on. What of it is above the diagonal is final then."""
        e, one = f.e, f.word(1)
        starts = [self.at(e, a, e.mul(e.add(i, f.word(r)), row)) for r in range(count)]
        goals = [[self.at(e, start, e.add(j, f.word(c))) for c in range(size)] for start in starts]
        sums = self.sums(f, [[self.load(f, at) for at in line] for line in goals])
        tops = [self.at(e, a, e.add(j, f.word(c))) for c in range(size)]
        self.subtract_products(f, sums, starts, one, tops, row, e.intrinsic("llvm.smin", i, j))
        values = self.values(f, sums)
        for r, line in enumerate(values):
            # Row i + k is one of U's, and its products with L's column are still to come, where that is left of j.
            for k in range(r):
                place = e.add(i, f.word(k))
                factor = self.load(f, self.at(e, starts[r], place))
                inside = e.icmp("slt", place, j)
                less = [self.minus_product(e, x, factor, y) for x, y in zip(line, values[k], strict=True)]
                line[:] = [self.chosen(e, inside, x, y) for x, y in zip(less, line, strict=True)]
        for line, places in zip(values, goals, strict=True):
            for value, at in zip(line, places, strict=True):
                self.store(f, value, at)

    def _size(self, f: Function, value: Number) -> Val:
        parts = [f.e.intrinsic("llvm.fabs", x) for x in value]
        return parts[0] if len(parts) == 1 else f.e.fadd(*parts)

    def _find_pivots(self) -> str:
        """`void find_pivots(ptr a, i64 m, i64 row, i64 k, ptr pivots)`: each lane's row, from k on, with the greatest
        element of column k."""
        f = self.function()
        e, lanes = f.e, self.vector
        m, row, k = (Val(f"%{name}", "i64") for name in ("m", "row", "k"))

        def size(i: Val) -> Val:
            return self._size(f, self.load(f, self.at(e, Val("%a", "ptr"), e.add(e.mul(i, row), k))))

        most, where = f.variable(size(k)), f.variable(self.everywhere(f, k))

        def look(i: Val) -> None:
            other, best = size(i), e.load(most, self.elem, lanes)
            greater = e.fcmp("ogt", other, best)
            e.store(e.select(greater, other, best), most)
            e.store(e.select(greater, self.everywhere(f, i), e.load(where, "i32", lanes)), where)

        f.loop(e.add(k, f.word(1)), m, 1, look)
        e.store(e.load(where, "i32", lanes), Val("%pivots", "ptr"))
        e.line("ret void")
        return f.text("internal void @find_pivots(ptr %a, i64 %m, i64 %row, i64 %k, ptr %pivots)")

    def _reduce(self, f: Function, a: Val, m: Val, row: Val, k: Val, width: int) -> None:
        """Column k of L, and what it takes from the rows below in a panel, in so many columns with this one."""
        e = f.e
        top = self.at(e, a, e.add(e.mul(k, row), k))
        pivot, *above = (self.load(f, self.at(e, top, f.word(c))) for c in range(width))
        zero, one = self.number(e, 0.0), self.number(e, 1.0)
        none = e.fcmp("oeq", pivot[0], zero)
        for part in pivot[1:]:
            none = e.bit_and(none, e.fcmp("oeq", part, zero))
        pivot = self.chosen(e, none, (one, *[zero] * (self.parts - 1)), pivot)
        inverse = self.quotient(e, (one, *[zero] * (self.parts - 1)), pivot)
        # The inverse of a number may be infinite where quotients are not.
        tiny = e.fcmp("olt", self._size(f, pivot), self.number(e, TINY[self.elem]))
        some = e.intrinsic_across("llvm.vector.reduce.or", tiny)

        def below(i: Val) -> None:
            own = self.at(e, a, e.add(e.mul(i, row), k))
            x = self.load(f, own)
            factor = self.variables(f, self.product(e, x, inverse))
            f.when(some, lambda: self.assign(f, self.quotient(e, x, pivot), factor))
            by = self.value(f, factor)
            self.store(f, by, own)
            for c, y in enumerate(above, 1):
                at = self.at(e, own, f.word(c))
                self.store(f, self.minus_product(e, self.load(f, at), by, y), at)

        f.loop(e.add(k, f.word(1)), m, 1, below)

    # -- one large matrix ----------------------------------------------------------------------------------

    def factor(self, f: Function, a: Val, m: Val, n: Val, pivots: Val, least: Val) -> Val:
        """Put factors in the place of one matrix that lies column by column, `least` being the lesser of rows and
        columns, and write its pivots, counted from 1. Gives whether a pivot is zero.

        Threads share what each step changes behind its columns. The one that has those of the next step goes on with
        their factors, so that the others need not wait for these.
        """
        e = f.e
        block = e.select(e.icmp("sge", least, f.word(LARGE)), f.word(2 * BLOCK), f.word(BLOCK))
        alone = e.icmp("sle", least, f.word(ONE_STEP))
        block = e.select(alone, e.intrinsic("llvm.smax", least, f.word(1)), block)
        failed = f.variable(f.word(0))
        known = {"a": a, "pivots": pivots, "failed": failed, "m": m, "n": n}
        some = e.icmp("sgt", least, f.word(0))
        f.when(some, lambda: self._panel(f, known, f.word(0), e.intrinsic("llvm.smin", block, least)))

        def step(k: Val) -> None:
            size = e.intrinsic("llvm.smin", e.sub(least, k), block)
            begin = e.add(k, size)
            following = e.intrinsic("llvm.smin", e.sub(least, begin), block)
            pieces, width = cut(f, e.sub(e.sub(n, begin), following), LEAST)
            told = {"k": k, "size": size, "following": following, "width": width}
            share(f, "behind", e.add(pieces, f.word(1)), {**known, **told})

        f.loop(f.word(0), least, block, step)
        steps = e.binary("sdiv", e.sub(least, f.word(1)), block)
        share(f, "before", steps, {"a": a, "pivots": pivots, "m": m, "least": least, "block": block})
        return e.icmp("ne", e.load(failed, "i64"), f.word(0))

    def _panel(self, f: Function, given: Given, k: Val, size: Val) -> None:
        """Factors of so many columns from the diagonal's element k on down."""
        e, lapack, info = f.e, self.lapack(f), self.lapack(f).info()
        m, place = given["m"], e.offset(given["pivots"], k, lapack.word_type)
        own = self.place(e, given["a"], e.mul(k, e.add(m, f.word(1))))
        lapack.call("getrf", e.sub(m, k), size, own, lapack.least_one(m), place, info)
        f.when(lapack.failed(info), lambda: e.store(f.word(1), given["failed"]))

        def count_from_first(i: Val) -> None:
            at = e.offset(place, i, lapack.word_type)
            e.store(lapack.to_integer(e.add(lapack.integer(place, i), k)), at)

        f.loop(f.word(0), size, 1, count_from_first)

    def _behind(self) -> str:
        """Some columns behind a step's; those of the next step come first."""
        f = self.function()
        e, lapack = f.e, self.lapack(f)

        def columns(number: Val, given: Given) -> None:
            a, m, n, k, size, following, width = (
                given[name] for name in ("a", "m", "n", "k", "size", "following", "width")
            )
            begin, first = e.add(k, size), e.icmp("eq", number, f.word(0))
            later = e.add(e.add(begin, following), e.mul(e.sub(number, f.word(1)), width))
            j = e.select(first, begin, later)
            count = e.select(first, following, e.intrinsic("llvm.smin", width, e.sub(n, j)))
            line = self.place(e, a, e.mul(j, m))
            top, square = self.place(e, line, k), self.place(e, a, e.mul(k, e.add(m, f.word(1))))
            less, one = lapack.number(-1), lapack.number(1)
            exchanges = e.add(k, f.word(1)), begin, given["pivots"], f.word(1)

            def work() -> None:
                lapack.call("laswp", count, line, m, *exchanges)
                lapack.call("trsm", "L", "L", "N", "U", size, count, one, square, m, top, m)
                below, goal = self.place(e, square, size), self.place(e, top, size)
                rows = e.sub(m, begin)
                lapack.call("gemm", "N", "N", rows, count, size, less, below, m, top, m, one, goal, m)
                f.when(first, lambda: self._panel(f, given, begin, following))

            f.when(e.icmp("sgt", count, f.word(0)), work)

        numbers = dict.fromkeys(("m", "n", "k", "size", "following", "width"), "i64")
        return piece_text(f, "behind", {**dict.fromkeys(("a", "pivots", "failed"), "ptr"), **numbers}, columns)

    def _before(self) -> str:
        """The columns of some steps, whose rows are exchanged as later steps have exchanged theirs."""
        f = self.function()
        e, lapack = f.e, self.lapack(f)

        def columns(number: Val, given: Given) -> None:
            a, pivots, m, least, block = given.values()
            j = e.mul(number, block)
            line, first = self.place(e, a, e.mul(j, m)), e.add(e.add(j, block), f.word(1))
            lapack.call("laswp", block, line, m, first, least, pivots, f.word(1))

        given = {"a": "ptr", "pivots": "ptr", **dict.fromkeys(("m", "least", "block"), "i64")}
        return piece_text(f, "before", given, columns)

    def exchanged(self, f: Function, pivots: Val, count: Val, order: Val, m: Val) -> None:
        """Which row each of m rows was, before so many exchanges."""
        e, lapack = f.e, self.lapack(f)

        def swap(i: Val) -> None:
            other = e.sub(lapack.integer(pivots, i), f.word(1))
            here, there = e.offset(order, i, "i32"), e.offset(order, other, "i32")
            a, b = e.load(here, "i32"), e.load(there, "i32")
            e.store(b, here)
            e.store(a, there)

        f.loop(f.word(0), m, 1, lambda i: e.store(e.convert("trunc", i, "i32"), e.offset(order, i, "i32")))
        f.loop(f.word(0), count, 1, swap)

    # -- in lanes ------------------------------------------------------------------------------------------

    def start_order(self, f: Function, order: Val, m: Val) -> None:
        """Rows in their own order."""
        e = f.e

        def start(i: Val) -> None:
            e.store(self.everywhere(f, i), self.integers_at(f, order, i))

        f.loop(f.word(0), m, 1, start)

    def rows_in_order(self, f: Function, order: Val) -> Moved:
        """An order of rows, as what moves with them."""
        return Moved(order, f.word(1), f.word(1), f.word(1), "i32", 1)


class Lu(Eliminating):
    operands, results, told = 1, 3, ("m", "n")
    sizes: ClassVar[tuple[str, ...]] = told

    def _least(self, f: Function) -> Val:
        return f.e.intrinsic("llvm.smin", self.word(f, "m"), self.word(f, "n"))

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, k = f.e, self.word(f, "m"), self.word(f, "n"), self._least(f)
        count = e.mul(m, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        pivots, order = self.part(f, 2, number, k, 4), self.part(f, 3, number, m, 4)
        work, found = room.take(count, self.dtype.bytes), room.take(k, 8)
        self.turn(f, source, n, work, m, m, n)
        # A pivot that is zero is no failure here.
        self.factor(f, work, m, n, found, k)
        self.turn(f, work, m, target, n, n, m)
        self.exchanged(f, found, k, order, m)
        lapack = self.lapack(f)

        def pivot(i: Val) -> None:
            other = e.sub(lapack.integer(found, i), f.word(1))
            e.store(e.convert("trunc", other, "i32"), e.offset(pivots, i, "i32"))

        f.loop(f.word(0), k, 1, pivot)

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        m, n, least = self.word(f, "m"), self.word(f, "n"), self._least(f)
        a = self.matrices(f)
        pivots, order = (f.room("i32", SMALL * self.vector) for _ in range(2))
        self.exchange_rows(f, 0, number, final, m, n, a, True)
        self.start_order(f, order, m)
        self.eliminate(f, number, a, m, n, pivots, [self.rows_in_order(f, order)])
        self.exchange_rows(f, 1, number, final, m, n, a, False)
        self.exchange(f, 2, number, final, least, pivots, False, "i32")
        self.exchange(f, 3, number, final, m, order, False, "i32")


class LuDiagonal(Eliminating):
    operands, results, told = 1, 2, ("n",)

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        source, values = self.part(f, 0, number, e.mul(n, n)), self.part(f, 1, number, n)
        work, found = room.take(e.mul(n, n), self.dtype.bytes), room.take(n, 8)
        self.turn(f, source, n, work, n, n, n)
        lapack = self.lapack(f)
        # A pivot that is zero is no failure here.
        self.factor(f, work, n, n, found, n)
        odd = f.variable(e.const(0, "i32"))

        def step(i: Val) -> None:
            self.move(e, self.place(e, work, e.mul(i, e.add(n, f.word(1)))), self.place(e, values, i))
            moved = e.icmp("ne", lapack.integer(found, i), e.add(i, f.word(1)))
            e.store(e.bit_xor(e.load(odd, "i32"), e.convert("zext", moved, "i32")), odd)

        f.loop(f.word(0), n, 1, step)
        e.store(e.load(odd, "i32"), self.part(f, 2, number, f.word(1), 4))

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n = f.e, self.word(f, "n")
        a, values = self.matrices(f), self.vectors(f, SMALL)
        pivots, odd = (f.room("i32", size * self.vector) for size in (SMALL, 1))
        self.exchange_rows(f, 0, number, final, n, n, a, True)
        self.eliminate(f, number, a, n, n, pivots, [])
        e.store(e.const(0, "i32", self.vector), odd)

        def step(i: Val) -> None:
            self.store(
                f, self.load(f, self.at(e, a, e.mul(i, e.add(self.row(f, n), f.word(1))))), self.at(e, values, i)
            )
            pivot = e.load(self.integers_at(f, pivots, i), "i32", self.vector)
            moved = e.convert("zext", e.icmp("ne", pivot, self.everywhere(f, i)), "i32")
            e.store(e.bit_xor(e.load(odd, "i32", self.vector), moved), odd)

        f.loop(f.word(0), n, 1, step)
        self.exchange(f, 1, number, final, n, values, False)
        self.exchange(f, 2, number, final, f.word(1), odd, False, "i32")


class LuSolve(LargeSolve, ByColumns):
    operands, results, told = 4, 1, ("n", "count", "transpose")
    sizes: ClassVar[tuple[str, ...]] = ("n", "count")
    arrays: ClassVar[tuple[str, ...]] = ("a", "order", "source", "work", "target")
    numbers: ClassVar[tuple[str, ...]] = ("n", "count", "transpose")

    def moved_too(self) -> tuple[str, ...]:
        return ("i32",)

    def helpers(self) -> list[str]:
        found = [] if self.way in ONE_BY_ONE else [self.rows_reader()]
        return [*super().helpers(), *found, *(self.strip_helpers() if self.has_strips else [])]

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        factors, order = self.part(f, 1, number, e.mul(n, n)), self.part(f, 2, number, n, 4)
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (3, 4))
        numbers = {"n": n, "count": count, "transpose": self.word(f, "transpose")}
        given = {"a": factors, "order": order, "source": source, "target": target, **numbers}

        # One of the two ways takes the room.
        work = Room(f, room.next).take(e.mul(n, count), self.dtype.bytes)
        self.when_wide(
            f,
            count,
            lambda: self.solve_in_strips(f, given, room),
            lambda: self.by_columns(f, {**given, "work": work}),
        )

    def columns(self, f: Function, given: Given, c: Val, width: Val) -> None:
        e, lapack = f.e, self.lapack(f)
        source, work, target = (self.place(e, given[name], c) for name in ("source", "work", "target"))
        factors, n, count, order = (given[name] for name in ("a", "n", "count", "order"))

        def plain() -> None:
            self.copy_rows(f, source, target, given, width, order)
            lapack.solve(True, False, True, factors, n, target, width, count)
            lapack.solve(False, False, False, factors, n, target, width, count)

        def turned() -> None:
            self.copy_rows(f, source, work, given, width)
            lapack.solve(False, True, False, factors, n, work, width, count)
            lapack.solve(True, True, True, factors, n, work, width, count)
            self.copy_rows(f, work, target, given, width, order, back=True)

        f.when(e.icmp("ne", given["transpose"], f.word(0)), turned, plain)

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        a, given, x = (self.matrices(f) for _ in range(3))
        order = f.room("i32", SMALL * self.vector)
        self.exchange_rows(f, 1, number, final, n, n, a, True)
        self.exchange(f, 2, number, final, n, order, True, "i32")
        yes, no = e.const(True, "i1"), e.const(False, "i1")
        transpose = e.icmp("ne", self.word(f, "transpose"), f.word(0))
        in_order = e.bit_and(self.fills_vectors(f, count), e.bit_xor(transpose, yes))
        f.when(
            in_order,
            lambda: self.read_rows(f, 3, number, final, n, count, order, x),
            lambda: self.exchange_rows(f, 3, number, final, n, count, given, True),
        )

        def plain() -> None:
            f.when(e.bit_xor(in_order, yes), lambda: self._permute(f, given, x, order, False))
            self.substitute(f, a, x, n, count, yes, no, yes)
            self.substitute(f, a, x, n, count, no, no, no)

        def turned() -> None:
            self.substitute(f, a, given, n, count, no, yes, no)
            self.substitute(f, a, given, n, count, yes, yes, yes)
            self._permute(f, given, x, order, True)

        f.when(transpose, turned, plain)
        self.exchange_rows(f, 4, number, final, n, count, x, False)

    def _permute(self, f: Function, source: Val, target: Val, order: Val, back: bool) -> None:
        """Row i becomes what row order[i] was, or `back`; each lane has an order of its own."""
        e, lanes = f.e, self.vector
        count = self.word(f, "count")
        numbers, apart = (e.mul(columns, f.word(self.parts)) for columns in (count, self.row(f, count)))

        def row(i: Val) -> None:
            def lane(number: Val) -> None:
                entry = e.offset(e.offset(order, i, f"[{lanes} x i32]"), number, "i32")
                other = e.convert("sext", e.load(entry, "i32"), "i64")
                read, write = (i, other) if back else (other, i)
                starts = [
                    e.offset(e.offset(matrix, e.mul(e.mul(r, apart), f.word(lanes)), self.elem), number, self.elem)
                    for matrix, r in ((source, read), (target, write))
                ]

                def element(j: Val) -> None:
                    places = [e.offset(start, e.mul(j, f.word(lanes)), self.elem) for start in starts]
                    e.store(e.load(places[0], self.elem), places[1])

                f.loop(f.word(0), numbers, 1, element)

            f.loop(f.word(0), f.word(lanes), 1, lane)

        f.loop(f.word(0), self.word(f, "n"), 1, row)


class Solve(ByColumns, Eliminating):
    operands, results, told = 2, 1, ("n", "count")
    sizes: ClassVar[tuple[str, ...]] = told
    arrays: ClassVar[tuple[str, ...]] = ("a", "pivots", "source", "target")

    def helpers(self) -> list[str]:
        return [*super().helpers(), *([] if self.way in ONE_BY_ONE else [self.rows_reader()])]

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        matrix = self.part(f, 0, number, e.mul(n, n))
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (1, 2))
        factors, pivots = room.take(e.mul(n, n), self.dtype.bytes), room.take(n, 8)
        # Column by column it is the transpose.
        self.copy(f, matrix, factors, e.mul(n, n))
        failed = self.factor(f, factors, n, n, pivots, n)
        arrays = {"a": factors, "pivots": pivots, "source": source, "target": target}
        # A singular matrix is not solved for.
        f.when(
            failed,
            lambda: self.nans(f, target, e.mul(n, count)),
            lambda: self.by_columns(f, {**arrays, "n": n, "count": count}),
        )

    def columns(self, f: Function, given: Given, c: Val, width: Val) -> None:
        """Of the transpose's factors P L U, the matrix has Uᵀ Lᵀ Pᵀ; row by row, they lie as these."""
        e, lapack = f.e, self.lapack(f)
        source, target = (self.place(e, given[name], c) for name in ("source", "target"))
        factors, n, count = (given[name] for name in ("a", "n", "count"))
        self.copy_rows(f, source, target, given, width)
        lapack.solve(True, False, False, factors, n, target, width, count)
        lapack.solve(False, False, True, factors, n, target, width, count)

        def exchange(t: Val) -> None:
            i = e.sub(e.sub(n, f.word(1)), t)
            other = e.sub(lapack.integer(given["pivots"], i), f.word(1))
            rows = [self.place(e, target, e.mul(row, count)) for row in (i, other)]
            swap = ("swap", width, rows[0], f.word(1), rows[1], f.word(1))
            f.when(e.icmp("ne", i, other), lambda: lapack.call(*swap))

        f.loop(f.word(0), n, 1, exchange)

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        yes, no = e.const(True, "i1"), e.const(False, "i1")
        a, x = (self.matrices(f) for _ in range(2))
        pivots, order = (f.room("i32", SMALL * self.vector) for _ in range(2))
        self.exchange_rows(f, 0, number, final, n, n, a, True)
        # Rows that fill vectors are read in their order when it is known; others are exchanged as those of `a` are.
        wide = self.fills_vectors(f, count)
        rows, right = self.rows_in_order(f, order), self.rows(f, x, count, self.row(f, count))
        read = partial(self.exchange_rows, f, 1, number, final, n, count, x, True)
        f.when(wide, lambda: self.start_order(f, order, n), read)
        rows = rows._replace(width=e.select(wide, rows.width, f.word(0)))
        right = right._replace(width=e.select(wide, f.word(0), count))
        self.eliminate(f, number, a, n, n, pivots, [right, rows])
        f.when(wide, lambda: self.read_rows(f, 1, number, final, n, count, order, x))
        self.substitute(f, a, x, n, count, yes, no, yes)
        self.substitute(f, a, x, n, count, no, no, no)
        self.exchange_rows(f, 2, number, final, n, count, x, False)


class Inverse(ByColumns, Eliminating):
    operands, results, told = 1, 1, ("n",)
    arrays: ClassVar[tuple[str, ...]] = ("a", "order", "work", "target")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        factors, work = (room.take(count, self.dtype.bytes) for _ in range(2))
        pivots, order = room.take(n, 8), room.take(n, 4)
        # Column by column it is the transpose, and so is its inverse.
        self.copy(f, source, factors, count)
        failed = self.factor(f, factors, n, n, pivots, n)

        def invert() -> None:
            self.exchanged(f, pivots, n, order, n)
            arrays = {"a": factors, "order": order, "work": work, "target": target}
            self.by_columns(f, {**arrays, "n": n, "count": n})

        f.when(failed, lambda: self.nans(f, target, count), invert)

    def piece(self, f: Function, number: Val, given: Given) -> Val:
        """From both ends: the first columns take the longest."""
        e, one, width = f.e, f.word(1), given["width"]
        pieces = e.binary("sdiv", e.add(given["count"], e.sub(width, one)), width)
        half = e.ashr(number, one)
        is_front = e.icmp("eq", e.bit_and(number, one), f.word(0))
        return e.select(is_front, half, e.sub(e.sub(pieces, one), half))

    def columns(self, f: Function, given: Given, c: Val, width: Val) -> None:
        """Columns of the product of both factors' inverses, which are the inverse's in another order."""
        e, lapack = f.e, self.lapack(f)
        factors, work, n = (given[name] for name in ("a", "work", "n"))
        x, one = self.place(e, work, e.mul(c, n)), lapack.number(1)
        self.fill(f, x, e.mul(e.mul(n, width), f.word(self.parts)), 0.0)

        def start(j: Val) -> None:
            e.store(e.const(1.0, self.elem), self.place(e, x, e.add(e.mul(j, n), e.add(c, j))))

        f.loop(f.word(0), width, 1, start)
        # What is above the first column's one stays zero.
        corner, below = self.place(e, factors, e.mul(c, e.add(n, f.word(1)))), self.place(e, x, c)
        lapack.call("trsm", "L", "L", "N", "U", e.sub(n, c), width, one, corner, n, below, n)
        lapack.call("trsm", "L", "U", "N", "N", n, width, one, factors, n, x, n)

        def finish(j: Val) -> None:
            goal = e.convert("sext", e.load(e.offset(given["order"], e.add(c, j), "i32"), "i32"), "i64")
            self.copy(f, self.place(e, x, e.mul(j, n)), self.place(e, given["target"], e.mul(goal, n)), n)

        f.loop(f.word(0), width, 1, finish)

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        """The inverse of the upper factor's product with that of the lower one; then exchanges go back, in columns."""
        e, n = f.e, self.word(f, "n")
        row = self.row(f, n)
        a, x = (self.matrices(f) for _ in range(2))
        pivots = f.room("i32", SMALL * self.vector)
        self.exchange_rows(f, 0, number, final, n, n, a, True)
        self.eliminate(f, number, a, n, n, pivots, [])
        self.unit(f, Grid(x, row, f.word(1)), n, row)
        yes, no = e.const(True, "i1"), e.const(False, "i1")
        self.substitute(f, a, x, n, n, yes, no, yes, unit_right=True)
        self.substitute(f, a, x, n, n, no, no, no)
        columns = Moved(x, f.word(1), n, row, self.elem, self.parts)

        def back(t: Val) -> None:
            k = e.sub(e.sub(n, f.word(1)), t)
            self.swap(f, e.load(self.integers_at(f, pivots, k), "i32", self.vector), k, n, [columns])

        f.loop(f.word(0), n, 1, back)
        self.exchange_rows(f, 1, number, final, n, n, x, False)
