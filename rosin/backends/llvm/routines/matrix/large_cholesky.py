"""Cholesky factors of one large matrix on several threads."""

from __future__ import annotations

from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.shared import Given, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import LARGE, Room, passed
from rosin.backends.llvm.routines.matrix.strips import Rows, Strips
from rosin.backends.llvm.routines.matrix.tiles import Grid

BLOCK = 48
"""Rows of a step, which are whole strips; of large matrices they are twice as many."""

GIVEN = {
    **dict.fromkeys(("source", "target", "strips", "inverses"), "ptr"),
    **dict.fromkeys(("n", "begin", "end", "following"), "i64"),
}
"""What pieces are given: rows begin … end - 1 are a step's, and those up to `following` the next one's."""


class LargeCholesky(Strips):
    """The transpose of the factor in strips, each of which ends with its square on the diagonal.

    Step by step, some rows are solved for, and their products are taken from all rows below. The square on the diagonal
    that comes next is factored meanwhile, so that threads need not wait for it.
    """

    factors: ClassVar[bool] = True

    def in_strips(self, f: Function, source: Val, target: Val, n: Val, room: Room) -> None:
        e = f.e
        count = self._strips_of(f, n)
        numbers = e.mul(e.mul(count, e.add(count, f.word(1))), f.word(self.width**2 // 2))
        arrays = {"source": source, "target": target}
        arrays["strips"] = room.take(numbers, self.dtype.bytes)
        arrays["inverses"] = room.take(e.mul(count, f.word(self.width)), self.dtype.bytes)
        height = f.word(self.height)
        rows = e.mul(e.binary("sdiv", e.add(n, e.sub(height, f.word(1))), height), height)
        block = e.select(e.icmp("sge", n, f.word(LARGE)), f.word(2 * BLOCK), f.word(BLOCK))

        def ends(begin: Val) -> dict[str, Val]:
            end = e.intrinsic("llvm.smin", e.add(begin, block), rows)
            following = e.intrinsic("llvm.smin", e.add(end, block), rows)
            return {"n": n, "begin": begin, "end": end, "following": following}

        first = {**arrays, **ends(f.word(0))}
        share(f, "fill", count, first)
        self._diagonal(f, first, f.word(0), first["end"])

        def step(begin: Val) -> None:
            given = {**arrays, **ends(begin)}
            share(f, "solve", e.sub(count, self._strips_of(f, given["end"])), given)
            share(f, "behind", e.add(e.sub(count, self._strips_of(f, given["following"])), f.word(1)), given)

        f.loop(f.word(0), e.sub(rows, block), block, step)
        share(f, "write", count, first)
        last = e.load(e.offset(arrays["inverses"], e.sub(n, f.word(1)), self.elem), self.elem)

        def fail(i: Val, j: Val) -> None:
            self.nans(f, self.place(e, target, e.add(e.mul(i, n), j)), f.word(1))

        f.when(e.fcmp("uno", last, last), lambda: self.triangle(f, n, n, False, fail))

    def strip_helpers(self) -> list[str]:
        found = [*super().strip_helpers(), self.turner(), self._fill(), self._factor_diagonal()]
        return [*found, self._solve_strip(), self._behind_step(), self._write()]

    def _strips_of(self, f: Function, columns: Val) -> Val:
        """In how many strips so many columns lie."""
        return f.e.binary("sdiv", f.e.add(columns, f.word(self.width - 1)), f.word(self.width))

    def _strip(self, f: Function, given: Given, number: Val) -> Rows:
        e = f.e
        before = e.mul(e.mul(number, e.add(number, f.word(1))), f.word(self.width**2 // 2))
        return Rows(e.offset(given["strips"], before, self.elem), f.word(self.width))

    def _tile(self, f: Function, given: Given, begin: Val, i: Val, strip: Val, own: bool = False) -> None:
        """Rows from i on of a strip, less the products of those from `begin` on, and solved for; or, with `own`, those
        that have the square on the diagonal."""
        e = f.e
        above = e.binary("sdiv", i, f.word(self.width))
        column = e.sub(i, e.mul(above, f.word(self.width)))
        others, goal = (self._strip(f, given, number) for number in (above, strip))

        def left(row: Val) -> Grid:
            start = e.offset(others.from_(f, row, self.elem).start, column, self.elem)
            return Grid(start, f.word(1), f.word(self.width))

        last, rows = f.word(self.height - 1), goal.from_(f, i, self.elem)
        self.less_rows(f, rows, left(begin), goal.from_(f, begin, self.elem), e.sub(i, begin), last)
        inverses = e.offset(given["inverses"], i, self.elem)
        self.solve_rows(f, rows, left(i), inverses, last, column if own else None)

    def _diagonal(self, f: Function, given: Given, begin: Val, end: Val) -> None:
        f.e.line(f"call void @diagonal({passed(given['strips'], given['inverses'], begin, end)})")

    def _factor_diagonal(self) -> str:
        """`void diagonal(…)`: the square on the diagonal from row `begin` to row `end` is factored."""
        f = self.function()
        e = f.e
        given = {name: Val(f"%{name}", kind) for name, kind in GIVEN.items()}
        begin, end = given["begin"], given["end"]

        def rows(i: Val) -> None:
            first = e.binary("sdiv", i, f.word(self.width))
            self._tile(f, given, begin, i, first, True)
            others = e.add(first, f.word(1)), self._strips_of(f, end)
            f.loop(*others, 1, lambda strip: self._tile(f, given, begin, i, strip))

        f.loop(begin, end, self.height, rows)
        e.line("ret void")
        return f.text("internal void @diagonal(ptr %strips, ptr %inverses, i64 %begin, i64 %end)")

    def _solve_strip(self) -> str:
        """The rows of a step, in a strip behind the square on the diagonal; the last strip comes first."""
        f = self.function()
        e = f.e

        def solve(number: Val, given: Given) -> None:
            strip = e.sub(e.sub(self._strips_of(f, given["n"]), f.word(1)), number)
            begin = given["begin"]
            f.loop(begin, given["end"], self.height, lambda i: self._tile(f, given, begin, i, strip))

        return piece_text(f, "solve", GIVEN, solve)

    def _behind_step(self) -> str:
        """The rows behind a step's, less the products of these. The strips of the next step come first, then all others
        from the last one on."""
        f = self.function()
        e = f.e

        def less(given: Given, strip: Val) -> None:
            begin, goal = given["begin"], self._strip(f, given, strip)
            right = goal.from_(f, begin, self.elem)
            after = e.mul(e.add(strip, f.word(1)), f.word(self.width))

            def tile(i: Val) -> None:
                above = e.binary("sdiv", i, f.word(self.width))
                column = e.sub(i, e.mul(above, f.word(self.width)))
                start = self._strip(f, given, above).from_(f, begin, self.elem).start
                left = Grid(e.offset(start, column, self.elem), f.word(1), f.word(self.width))
                last = f.word(self.height - 1)
                self.less_rows(f, goal.from_(f, i, self.elem), left, right, e.sub(given["end"], begin), last)

            f.loop(given["end"], e.intrinsic("llvm.smin", after, given["n"]), self.height, tile)

        def behind(number: Val, given: Given) -> None:
            end, following = (self._strips_of(f, given[name]) for name in ("end", "following"))
            first = e.icmp("eq", number, f.word(0))
            last = e.sub(self._strips_of(f, given["n"]), number)
            begin = e.select(first, end, last)
            f.loop(begin, e.select(first, following, e.add(last, f.word(1))), 1, lambda strip: less(given, strip))
            f.when(first, lambda: self._diagonal(f, given, given["end"], given["following"]))

        return piece_text(f, "behind", GIVEN, behind)

    # -- in and out ----------------------------------------------------------------------------------------

    def _fill(self) -> str:
        """A strip of the Hermitian part; beyond the matrix there are zeros."""
        f = self.function()
        e, elem, lanes, size = f.e, self.elem, self.vector, self.dtype.bytes

        def fill(strip: Val, given: Given) -> None:
            n, source, goal = given["n"], given["source"], self._strip(f, given, strip)
            first = e.mul(strip, f.word(self.width))
            count = e.intrinsic("llvm.smin", e.sub(n, first), f.word(self.width))

            def places(r: Val, c: Val) -> tuple[Val, Val, Val]:
                j = e.add(first, c)
                here, there = e.add(e.mul(r, n), j), e.add(e.mul(j, n), r)
                own = e.offset(goal.from_(f, r, elem).start, c, elem)
                return e.offset(source, here, elem), e.offset(source, there, elem), own

            def mean(x: Val, y: Val) -> Val:
                return e.fmul(e.fadd(x, y), e.like(0.5, x))

            def single(r: Val, c: Val) -> None:
                here, there, own = places(r, c)
                e.store(mean(e.load(here, elem), e.load(there, elem)), own)

            def square(r: Val, c: Val) -> None:
                _, there, own = places(r, c)
                self.turn_square(f, Rows(there, n), Rows(own, goal.apart))

                def row(k: Val) -> None:
                    here, _, own = places(e.add(r, k), c)
                    x, y = (e.load(at, elem, lanes, align=size) for at in (here, own))
                    e.store(mean(x, y), own, align=size)

                f.loop(f.word(0), f.word(lanes), 1, row)

            rows = e.add(first, f.word(self.width))
            beyond = e.icmp("slt", count, f.word(self.width))
            f.when(beyond, lambda: self.fill(f, goal.start, e.mul(rows, goal.apart), 0.0))
            self.squares(f, e.intrinsic("llvm.smin", rows, n), count, lanes, square, single)

        return piece_text(f, "fill", GIVEN, fill)

    def _write(self) -> str:
        """The rows of the factor that a strip has the transpose of."""
        f = self.function()
        e, elem = f.e, self.elem

        def write(strip: Val, given: Given) -> None:
            n, target, source = given["n"], given["target"], self._strip(f, given, strip)
            first = e.mul(strip, f.word(self.width))
            count = e.intrinsic("llvm.smin", e.sub(n, first), f.word(self.width))

            def places(r: Val, c: Val) -> tuple[Val, Val]:
                goal = e.offset(target, e.add(e.mul(e.add(first, c), n), r), elem)
                return e.offset(source.from_(f, r, elem).start, c, elem), goal

            def single(r: Val, c: Val) -> None:
                own, goal = places(r, c)
                e.store(e.load(own, elem), goal)

            def square(r: Val, c: Val) -> None:
                own, goal = places(r, c)
                self.turn_square(f, Rows(own, source.apart), Rows(goal, n))

            def clear(i: Val) -> None:
                after = e.add(i, f.word(1))
                self.fill(f, self.place(e, target, e.add(e.mul(i, n), after)), e.sub(n, after), 0.0)

            end = e.add(first, count)
            self.squares(f, end, count, self.vector, square, single)
            f.loop(first, end, 1, clear)

        return piece_text(f, "write", GIVEN, write)
