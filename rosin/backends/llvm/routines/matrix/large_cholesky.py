"""Cholesky factors of one large matrix on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.shared import Given, context_of, piece_text, put_in, share_in
from rosin.backends.llvm.routines.matrix.stack import BY_LAPACK, IN_STRIPS, LARGE, Room, parameters, passed
from rosin.backends.llvm.routines.matrix.strips import Strips
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.ir.dims import Dim

BLOCK = 48
"""Rows of a step, which are whole strips; of large matrices they are twice as many."""

NAN = -1
"""Numbers whose bytes are all this one are NaN."""

GIVEN = {
    **dict.fromkeys(("source", "target", "strips", "inverses"), "ptr"),
    **dict.fromkeys(("n", "begin", "end", "following"), "i64"),
}
"""What pieces are given: rows begin … end - 1 are a step's, and those up to `following` the next one's."""

STEP = parameters(("strips", "ptr"), ("inverses", "ptr"), ("begin", "i64"), ("end", "i64"))
"""Parameters of functions that do a part of a step."""


class LargeCholesky(Strips):
    """The transpose of the factor in strips, each of which ends with its square on the diagonal.

    Step by step, some rows are solved for, and their products are taken from all rows below. The square on the diagonal
    that comes next is factored meanwhile, so that threads need not wait for it.
    """

    factors: ClassVar[bool] = True

    @property
    def by_lapack(self) -> bool:
        return not self.has_strips

    def way_of(self, numbers: Sequence[Dim]) -> str:
        found = super().way_of(numbers)
        return IN_STRIPS if found == BY_LAPACK and self.has_strips else found

    def in_strips(self, f: Function, source: Val, target: Val, n: Val, room: Room) -> None:
        e, width, height = f.e, f.word(self.width), f.word(self.height)
        count = self.strips_of(f, n)
        strips = room.take(e.mul(self._rows_before(f, count), width), self.dtype.bytes)
        inverses = room.take(e.mul(count, width), self.dtype.bytes)
        rows = e.mul(e.binary("sdiv", e.add(n, e.sub(height, f.word(1))), height), height)
        block = e.select(e.icmp("sge", n, f.word(LARGE)), f.word(2 * BLOCK), f.word(BLOCK))
        arrays = {"source": source, "target": target, "strips": strips, "inverses": inverses}
        context = context_of(f, {**dict.fromkeys(GIVEN, f.word(0)), **arrays, "n": n})
        share_in(f, "fill", count, context)

        def step(begin: Val) -> None:
            end = e.intrinsic("llvm.smin", e.add(begin, block), rows)
            following = e.intrinsic("llvm.smin", e.add(end, block), rows)
            put_in(f, context, {"begin": begin, "end": end, "following": following}, GIVEN)
            f.when(e.icmp("eq", begin, f.word(0)), lambda: self._diagonal(f, strips, inverses, begin, end))
            share_in(f, "solve", e.sub(count, self.strips_of(f, end)), context)
            share_in(f, "behind", e.add(e.sub(count, self.strips_of(f, following)), f.word(1)), context)

        f.loop(f.word(0), rows, block, step)
        share_in(f, "write", count, context)

    def strip_helpers(self) -> list[str]:
        found = [*super().strip_helpers(), self._tile(), self._diagonal_text()]
        return [*found, self._fill(), self._solve(), self._behind(), self._write()]

    def _rows_before(self, f: Function, strip: Val) -> Val:
        """How many rows all strips before one have."""
        e = f.e
        return e.mul(e.mul(strip, e.add(strip, f.word(1))), f.word(self.width // 2))

    def _strip(self, f: Function, strips: Val, number: Val) -> Val:
        return self.row_at(f, strips, self._rows_before(f, number))

    # -- steps ---------------------------------------------------------------------------------------------

    def _tile(self) -> str:
        """`void tile(…)`: rows from i on of a strip, less the products of a step's rows above them. The step's own are
        solved for, and factored in the strip that has their square on the diagonal."""
        f = self.function()
        e, width, last = f.e, f.word(self.width), f.word(self.height - 1)
        strips, inverses = Val("%strips", "ptr"), Val("%inverses", "ptr")
        begin, end, i, strip = (Val(f"%{name}", "i64") for name in ("begin", "end", "i", "strip"))
        above = e.binary("sdiv", i, width)
        column = e.sub(i, e.mul(above, width))
        others, own = (self._strip(f, strips, number) for number in (above, strip))
        right, goal = (self.row_at(f, own, row) for row in (begin, i))

        def left(row: Val) -> Grid:
            return Grid(e.offset(self.row_at(f, others, row), column, self.elem), f.word(1), width)

        count = e.sub(e.intrinsic("llvm.smin", i, end), begin)
        self.less_rows(f, goal, left(begin), last, right, count)

        def solve() -> None:
            on_diagonal = e.select(e.icmp("eq", above, strip), column, f.word(-1))
            self.solve_rows(f, goal, left(i), last, e.offset(inverses, i, self.elem), on_diagonal)

        f.when(e.icmp("slt", i, end), solve)
        e.line("ret void")
        return f.text(f"internal void @tile({STEP}, i64 %i, i64 %strip)")

    def _tiles(self, f: Function, given: Given, first: Val, after: Val, strip: Val) -> None:
        """The tiles of some rows of a strip."""
        step = passed(*(given[name] for name in ("strips", "inverses", "begin", "end")))
        f.loop(first, after, self.height, lambda i: f.e.line(f"call void @tile({step}, {passed(i, strip)})"))

    def _diagonal(self, f: Function, strips: Val, inverses: Val, begin: Val, end: Val) -> None:
        f.e.line(f"call void @diagonal({passed(strips, inverses, begin, end)})")

    def _diagonal_text(self) -> str:
        """`void diagonal(…)`: the square on the diagonal from row `begin` to row `end` is factored."""
        f = self.function()
        e = f.e
        given = {name: Val(f"%{name}", kind) for name, kind in GIVEN.items()}
        begin, end, height = given["begin"], given["end"], f.word(self.height)

        def rows(i: Val) -> None:
            first = e.binary("sdiv", i, f.word(self.width))
            each = self.strips_of(f, end)
            f.loop(first, each, 1, lambda strip: self._tiles(f, given, i, e.add(i, height), strip))

        f.loop(begin, end, self.height, rows)
        e.line("ret void")
        return f.text(f"internal void @diagonal({STEP})", cold=True)

    def _solve(self) -> str:
        """The rows of a step, in a strip behind the square on the diagonal; the last strip comes first."""
        f = self.function()
        e = f.e

        def solve(number: Val, given: Given) -> None:
            strip = e.sub(e.sub(self.strips_of(f, given["n"]), f.word(1)), number)
            self._tiles(f, given, given["begin"], given["end"], strip)

        return piece_text(f, "solve", GIVEN, solve, cold=True)

    def _behind(self) -> str:
        """The rows behind a step's, less the products of these. The strips of the next step come first, then all others
        from the last one on."""
        f = self.function()
        e, one, width = f.e, f.word(1), f.word(self.width)

        def behind(number: Val, given: Given) -> None:
            n, end, following = (given[name] for name in ("n", "end", "following"))
            first, last = e.icmp("eq", number, f.word(0)), e.sub(self.strips_of(f, n), number)
            begin = e.select(first, self.strips_of(f, end), last)

            def strip(each: Val) -> None:
                after = e.intrinsic("llvm.smin", e.mul(e.add(each, one), width), n)
                self._tiles(f, given, end, after, each)

            f.loop(begin, e.select(first, self.strips_of(f, following), e.add(last, one)), 1, strip)
            f.when(first, lambda: self._diagonal(f, given["strips"], given["inverses"], end, following))

        return piece_text(f, "behind", GIVEN, behind, cold=True)

    # -- in and out ----------------------------------------------------------------------------------------

    def _columns_of(self, f: Function, given: Given, strip: Val) -> tuple[Val, Val]:
        """The first column of a strip, and how many it has."""
        first = f.e.mul(strip, f.word(self.width))
        return first, f.e.intrinsic("llvm.smin", f.e.sub(given["n"], first), f.word(self.width))

    def _fill(self) -> str:
        """A strip of the Hermitian part; beyond the matrix there are zeros."""
        f = self.function()
        e, elem, size, width = f.e, self.elem, self.dtype.bytes, f.word(self.width)

        def fill(strip: Val, given: Given) -> None:
            n, source, goal = given["n"], given["source"], self._strip(f, given["strips"], strip)
            first, count = self._columns_of(f, given, strip)
            rows = e.add(first, count)
            line = e.offset(source, e.mul(first, n), elem)
            numbers = e.mul(e.add(first, width), width)
            f.when(e.icmp("slt", count, width), lambda: self.set_bytes(f, goal, numbers, 0))
            self.turn(f, line, n, goal, width, count, rows)

            def row(r: Val) -> None:
                other, own = e.offset(source, e.add(e.mul(r, n), first), elem), self.row_at(f, goal, r)

                def mean(c: Val, lanes: int) -> None:
                    at = e.offset(own, c, elem)
                    x, y = (e.load(place, elem, lanes, align=size) for place in (at, e.offset(other, c, elem)))
                    e.store(e.fmul(e.fadd(x, y), e.like(0.5, x)), at, align=size)

                f.each(count, self.vector, mean)

            f.loop(f.word(0), rows, 1, row)

        return piece_text(f, "fill", GIVEN, fill)

    def _write(self) -> str:
        """The rows of the factor that a strip has the transpose of. Where the last pivot is NaN, as it is when any one
        was, all of its numbers are."""
        f = self.function()
        e, elem = f.e, self.elem

        def write(strip: Val, given: Given) -> None:
            n, source = given["n"], self._strip(f, given["strips"], strip)
            first, count = self._columns_of(f, given, strip)
            end = e.add(first, count)
            line = e.offset(given["target"], e.mul(first, n), elem)
            self.turn(f, source, f.word(self.width), line, n, end, count)
            last = e.load(e.offset(given["inverses"], e.sub(n, f.word(1)), elem), elem)

            def clear(i: Val) -> None:
                after, row = e.add(i, f.word(1)), e.offset(given["target"], e.mul(i, n), elem)
                self.set_bytes(f, e.offset(row, after, elem), e.sub(n, after), 0)
                f.when(e.fcmp("uno", last, last), lambda: self.set_bytes(f, row, after, NAN))

            f.loop(first, end, 1, clear)

        return piece_text(f, "write", GIVEN, write, cold=True)
