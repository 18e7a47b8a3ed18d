"""The routines `lu_<dtype>`, `lu_solve_<dtype>` and `solve_<dtype>`."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import SMALL
from rosin.backends.llvm.routines.matrix.stack import Room
from rosin.backends.llvm.routines.matrix.triangular import Substituting


class Eliminating(Substituting):
    """A routine that makes LU factors in lanes."""

    def moved_too(self) -> tuple[str, ...]:
        return ("i32",)

    def eliminate(self, f: Function, a: Val, m: Val, n: Val, pivots: Val, order: Val) -> None:
        """Put factors in the place of matrices in vectors; rows are exchanged, and places written for each lane."""
        e = f.e

        def start(i: Val) -> None:
            e.store(e.splat(e.convert("trunc", i, "i32"), self.vector), self._row(f, order, i))

        def step(k: Val) -> None:
            self._exchange_rows(f, a, m, n, pivots, order, k)
            self._eliminate(f, a, m, n, k)

        f.loop(f.word(0), m, 1, start)
        f.loop(f.word(0), e.intrinsic("llvm.smin", m, n), 1, step)

    def _row(self, f: Function, integers: Val, i: Val) -> Val:
        return f.e.offset(integers, i, f"[{self.vector} x i32]")

    def _exchange_rows(self, f: Function, a: Val, m: Val, n: Val, pivots: Val, order: Val, k: Val) -> None:
        """Bring the row with the greatest element of column k to place k; each lane has another."""
        e, lanes = f.e, self.vector

        def size(i: Val) -> Val:
            parts = [e.intrinsic("llvm.fabs", x) for x in self.load(f, self.at(e, a, e.add(e.mul(i, n), k)))]
            return parts[0] if len(parts) == 1 else e.fadd(*parts)

        here = e.splat(e.convert("trunc", k, "i32"), lanes)
        most, where = f.variable(size(k)), f.variable(here)

        def look(i: Val) -> None:
            other, best = size(i), e.load(most, self.elem, lanes)
            greater = e.fcmp("ogt", other, best)
            e.store(e.select(greater, other, best), most)
            place = e.splat(e.convert("trunc", i, "i32"), lanes)
            e.store(e.select(greater, place, e.load(where, "i32", lanes)), where)

        f.loop(e.add(k, f.word(1)), m, 1, look)
        found = e.load(where, "i32", lanes)
        e.store(found, self._row(f, pivots, k))

        def lane(number: Val) -> None:
            other = e.convert("sext", e.load(e.offset(self._row(f, pivots, k), number, "i32"), "i32"), "i64")

            def swap() -> None:
                self._swap(
                    f,
                    e.offset(self._row(f, order, k), number, "i32"),
                    e.offset(self._row(f, order, other), number, "i32"),
                    "i32",
                )
                rows = [e.offset(self.at(e, a, e.mul(i, n)), number, self.elem) for i in (k, other)]

                def element(j: Val) -> None:
                    places = [e.offset(row, e.mul(j, f.word(lanes)), self.elem) for row in rows]
                    self._swap(f, places[0], places[1], self.elem)

                f.loop(f.word(0), e.mul(n, f.word(self.parts)), 1, element)

            f.when(e.icmp("ne", other, k), swap)

        moved = e.intrinsic_across("llvm.vector.reduce.or", e.icmp("ne", found, here))
        f.when(moved, lambda: f.loop(f.word(0), f.word(lanes), 1, lane))

    def _swap(self, f: Function, here: Val, there: Val, elem: str) -> None:
        a, b = f.e.load(here, elem), f.e.load(there, elem)
        f.e.store(b, here)
        f.e.store(a, there)

    def _eliminate(self, f: Function, a: Val, m: Val, n: Val, k: Val) -> None:
        """Column k of L, and what it takes from the rows below."""
        e = f.e
        top, after = self.at(e, a, e.mul(k, n)), e.add(k, f.word(1))
        pivot = self.load(f, self.at(e, top, k))
        zero, one = self.number(e, 0.0), self.number(e, 1.0)
        none = e.fcmp("oeq", pivot[0], zero)
        for part in pivot[1:]:
            none = e.bit_and(none, e.fcmp("oeq", part, zero))
        pivot = self.chosen(e, none, (one, *[zero] * (self.parts - 1)), pivot)

        def below(i: Val, size: int) -> None:
            rows = [self.at(e, a, e.mul(e.add(i, f.word(r)), n)) for r in range(size)]
            factors: list[tuple[Val, ...]] = []
            for row in rows:
                at = self.at(e, row, k)
                factors.append(self.quotient(e, self.load(f, at), pivot))
                self.store(f, factors[-1], at)

            def element(j: Val) -> None:
                above = self.load(f, self.at(e, top, j))
                for row, factor in zip(rows, factors, strict=True):
                    at = self.at(e, row, j)
                    self.store(f, self.minus_product(e, self.load(f, at), factor, above), at)

            f.loop(after, n, 1, element)

        self.blocks(f, after, m, below)

    def permute(self, f: Function, source: Val, target: Val, order: Val, back: bool) -> None:
        """Row i becomes what row order[i] was, or `back`; each lane has an order of its own."""
        e, lanes = f.e, self.vector
        numbers = e.mul(self.word(f, "count"), f.word(self.parts))

        def row(i: Val) -> None:
            def lane(number: Val) -> None:
                entry = e.offset(e.offset(order, i, f"[{lanes} x i32]"), number, "i32")
                other = e.convert("sext", e.load(entry, "i32"), "i64")
                read, write = (i, other) if back else (other, i)
                starts = [
                    e.offset(e.offset(matrix, e.mul(e.mul(r, numbers), f.word(lanes)), self.elem), number, self.elem)
                    for matrix, r in ((source, read), (target, write))
                ]

                def element(j: Val) -> None:
                    places = [e.offset(start, e.mul(j, f.word(lanes)), self.elem) for start in starts]
                    e.store(e.load(places[0], self.elem), places[1])

                f.loop(f.word(0), numbers, 1, element)

            f.loop(f.word(0), f.word(lanes), 1, lane)

        f.loop(f.word(0), self.word(f, "n"), 1, row)


class Lu(Eliminating):
    operands, results, told = 1, 3, ("m", "n")

    def _least(self, f: Function) -> Val:
        return f.e.intrinsic("llvm.smin", self.word(f, "m"), self.word(f, "n"))

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, k = f.e, self.word(f, "m"), self.word(f, "n"), self._least(f)
        count = e.mul(m, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        pivots, order = self.part(f, 2, number, k, 4), self.part(f, 3, number, m, 4)
        work, found = room.take(count, self.dtype.bytes), room.take(k, 8)
        self.turn(f, source, n, work, m, m, n)
        lapack = self.lapack(f)
        # A pivot that is zero is no failure here.
        lapack.call("getrf", m, n, work, lapack.least_one(m), found, lapack.info())
        self.turn(f, work, m, target, n, n, m)

        def start(i: Val) -> None:
            e.store(e.convert("trunc", i, "i32"), e.offset(order, i, "i32"))

        def swap(i: Val) -> None:
            other = e.sub(lapack.integer(found, i), f.word(1))
            e.store(e.convert("trunc", other, "i32"), e.offset(pivots, i, "i32"))
            here, there = e.offset(order, i, "i32"), e.offset(order, other, "i32")
            a, b = e.load(here, "i32"), e.load(there, "i32")
            e.store(b, here)
            e.store(a, there)

        f.loop(f.word(0), m, 1, start)
        f.loop(f.word(0), k, 1, swap)

    # -- in lanes ------------------------------------------------------------------------------------------

    def is_small(self, f: Function) -> Val:
        return self.small(f, "m", "n")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, m, n, least = f.e, self.word(f, "m"), self.word(f, "n"), self._least(f)
        a = self.vectors(f, SMALL * SMALL)
        pivots, order = (f.room("i32", SMALL * self.vector) for _ in range(2))
        self.exchange(f, 0, number, final, e.mul(m, n), a, True)

        self.eliminate(f, a, m, n, pivots, order)
        self.exchange(f, 1, number, final, e.mul(m, n), a, False)
        self.exchange(f, 2, number, final, least, pivots, False, "i32")
        self.exchange(f, 3, number, final, m, order, False, "i32")


class LuSolve(Eliminating):
    operands, results, told = 4, 1, ("n", "count", "transpose")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        factors, order = self.part(f, 1, number, e.mul(n, n)), self.part(f, 2, number, n, 4)
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (3, 4))
        lapack = self.lapack(f)

        def row(matrix: Val, i: Val) -> Val:
            return self.place(e, matrix, e.mul(i, count))

        def other(i: Val) -> Val:
            return e.convert("sext", e.load(e.offset(order, i, "i32"), "i32"), "i64")

        def plain() -> None:
            f.loop(f.word(0), n, 1, lambda i: self.copy(f, row(source, other(i)), row(target, i), count))
            lapack.solve(True, False, True, factors, n, target, count)
            lapack.solve(False, False, False, factors, n, target, count)

        def turned() -> None:
            work = room.take(e.mul(n, count), self.dtype.bytes)
            self.copy(f, source, work, e.mul(n, count))
            lapack.solve(False, True, False, factors, n, work, count)
            lapack.solve(True, True, True, factors, n, work, count)
            f.loop(f.word(0), n, 1, lambda i: self.copy(f, row(work, i), row(target, other(i)), count))

        f.when(e.icmp("ne", self.word(f, "transpose"), f.word(0)), turned, plain)

    # -- in lanes ------------------------------------------------------------------------------------------

    def is_small(self, f: Function) -> Val:
        return self.small(f, "n", "count")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        size = e.mul(n, count)
        a, given, x = (self.vectors(f, SMALL * SMALL) for _ in range(3))
        order = f.room("i32", SMALL * self.vector)
        self.exchange(f, 1, number, final, e.mul(n, n), a, True)
        self.exchange(f, 2, number, final, n, order, True, "i32")
        self.exchange(f, 3, number, final, size, given, True)
        yes, no = e.const(True, "i1"), e.const(False, "i1")

        def plain() -> None:
            self.permute(f, given, x, order, False)
            self.substitute(f, a, x, n, count, yes, no, yes)
            self.substitute(f, a, x, n, count, no, no, no)

        def turned() -> None:
            self.substitute(f, a, given, n, count, no, yes, no)
            self.substitute(f, a, given, n, count, yes, yes, yes)
            self.permute(f, given, x, order, True)

        f.when(e.icmp("ne", self.word(f, "transpose"), f.word(0)), turned, plain)
        self.exchange(f, 4, number, final, size, x, False)


class Solve(Eliminating):
    operands, results, told = 2, 1, ("n", "count")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        matrix = self.part(f, 0, number, e.mul(n, n))
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (1, 2))
        factors, x = (room.take(e.mul(n, size), self.dtype.bytes) for size in (n, count))
        pivots = room.take(n, 8)
        self.turn(f, matrix, n, factors, n, n, n)
        self.turn(f, source, count, x, n, n, count)
        lapack = self.lapack(f)
        info, far = lapack.info(), lapack.least_one(n)
        lapack.call("gesv", n, count, factors, far, pivots, x, far, info)
        self.turn(f, x, n, target, count, count, n)
        # A singular matrix is not solved for.
        f.when(lapack.failed(info), lambda: self.nans(f, target, e.mul(n, count)))

    def is_small(self, f: Function) -> Val:
        return self.small(f, "n", "count")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        a, given, x = (self.vectors(f, SMALL * SMALL) for _ in range(3))
        pivots, order = (f.room("i32", SMALL * self.vector) for _ in range(2))
        self.exchange(f, 0, number, final, e.mul(n, n), a, True)
        self.exchange(f, 1, number, final, e.mul(n, count), given, True)
        self.eliminate(f, a, n, n, pivots, order)
        self.permute(f, given, x, order, False)
        yes, no = e.const(True, "i1"), e.const(False, "i1")
        self.substitute(f, a, x, n, count, yes, no, yes)
        self.substitute(f, a, x, n, count, no, no, no)
        self.exchange(f, 2, number, final, e.mul(n, count), x, False)
