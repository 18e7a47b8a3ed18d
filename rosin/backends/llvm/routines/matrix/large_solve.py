"""Solutions of one large system of linear equations with many right-hand sides, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.shared import Given, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import BY_LAPACK, IN_STRIPS, NUMBERS, Room, passed
from rosin.backends.llvm.routines.matrix.strips import Strips
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.ir.dims import Dim

BLOCK = 96
"""Rows that are solved for before their products are taken from all others."""

TOGETHER = 4
"""A piece has at most so many strips, for which a part of the factors stays near."""

PIECES = 8
"""There are so many pieces at least, if there are as many strips."""

_GIVEN = {
    **dict.fromkeys(("strips", "a", "inverses", "order", "source", "target"), "ptr"),
    **dict.fromkeys(("n", "count", "transpose", "rows", "together"), "i64"),
}

_MOVED = "ptr %strip, i64 %n, ptr %matrix, i64 %count, i64 %width, ptr %order, i1 %turned"
"""Parameters of functions that move the columns of a matrix from one on into a strip, or out of it."""


class LargeSolve(Strips):
    """A routine that solves for columns in strips, if there are enough of them."""

    @property
    def least_columns(self) -> int:
        """For so many columns strips pay."""
        return self.width // 2

    def way_of(self, numbers: Sequence[Dim]) -> str:
        found = super().way_of(numbers)
        count = numbers[len(NUMBERS) + self.told.index("count")]
        is_wide = self.has_strips and isinstance(count, int) and count >= self.least_columns
        return IN_STRIPS if found == BY_LAPACK and is_wide else found

    def when_wide(self, f: Function, count: Val, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """What is done for so many columns in strips, or otherwise."""
        if self.way == IN_STRIPS:
            then()
        elif self.way == BY_LAPACK or not self.has_strips:
            otherwise()
        else:
            f.when(f.e.icmp("sge", count, f.word(self.least_columns)), then, otherwise)

    def solve_in_strips(self, f: Function, given: Given, room: Room) -> None:
        """The solutions for a matrix whose factors are given, with the order of its rows that they are of; or for its
        transpose."""
        e, n, one = f.e, given["n"], f.word(1)
        count = self.strips_of(f, given["count"])
        rows = e.bit_and(e.add(n, f.word(self.height - 1)), f.word(-self.height))
        strips = room.take(e.mul(e.mul(count, rows), f.word(self.width)), self.dtype.bytes)
        inverses = room.take(rows, self.dtype.bytes)
        turned = e.icmp("ne", given["transpose"], f.word(0))

        def invert(i: Val) -> None:
            # The upper factor is solved for from its last row on, its transpose from the first one.
            own = e.select(turned, i, e.sub(e.sub(n, i), one))
            x = e.load(self.place(e, given["a"], e.mul(own, e.add(n, one))), self.elem)
            e.store(e.fdiv(e.like(1.0, x), x), e.offset(inverses, i, self.elem))

        f.loop(f.word(0), n, 1, invert)
        together = e.binary("sdiv", count, f.word(PIECES))
        together = e.intrinsic("llvm.smax", e.intrinsic("llvm.smin", together, f.word(TOGETHER)), one)
        pieces = e.binary("sdiv", e.add(count, e.sub(together, one)), together)
        own = {"strips": strips, "inverses": inverses, "rows": rows, "together": together}
        share(f, "solve_strips", pieces, {name: {**given, **own}[name] for name in _GIVEN})

    def strip_helpers(self) -> list[str]:
        found = [*super().strip_helpers(), self._substitute_strips(), self._solve_strips()]
        return [*found, self._read(), self._reverse(), self._write()]

    def _strip(self, f: Function, given: Given, number: Val) -> Val:
        return self.row_at(f, given["strips"], f.e.mul(number, given["rows"]))

    def _solve_strips(self) -> str:
        """Some strips: they are read, solved for twice, the second time from the last row on, and written."""
        f = self.plain_function()
        e, one, zero = f.e, f.word(1), f.word(0)

        def solve(number: Val, given: Given) -> None:
            n, a, count = given["n"], given["a"], given["count"]
            turned = e.icmp("ne", given["transpose"], zero)
            first = e.mul(number, given["together"])
            after = e.intrinsic("llvm.smin", e.add(first, given["together"]), self.strips_of(f, count))
            row, column = e.select(turned, one, n), e.select(turned, n, one)
            ones = self._ones(f)

            def each(name: str, array: str) -> None:
                """Have a function do all strips."""

                def strip(number: Val) -> None:
                    first = e.mul(number, f.word(self.width))
                    width = e.intrinsic("llvm.smin", e.sub(count, first), f.word(self.width))
                    own, matrix = self._strip(f, given, number), e.offset(given[array], first, self.elem)
                    e.line(f"call void @{name}({passed(own, n, matrix, count, width, given['order'], turned)})")

                f.loop(first, after, 1, strip)

            def substitute(left: Grid, is_unit: Val) -> None:
                strips, many = self._strip(f, given, first), e.sub(after, first)
                inverses, step = e.select(is_unit, ones, given["inverses"]), e.select(is_unit, zero, one)
                told = passed(strips, many, given["rows"], *left, n, inverses, step)
                e.line(f"call void @substitute_strips({told})")

            each("read_strip", "source")
            substitute(Grid(a, row, column), e.bit_xor(turned, e.const(True, "i1")))
            each("reverse_strip", "target")
            last = e.offset(a, e.sub(e.mul(n, n), one), self.elem)
            substitute(Grid(last, e.sub(zero, row), e.sub(zero, column)), turned)
            each("write_strip", "target")

        return piece_text(f, "solve_strips", _GIVEN, solve, cold=True)

    def _ones(self, f: Function) -> Val:
        """The inverses of a diagonal of ones, for the rows of a tile."""
        ones = f.room(self.elem, self.height)
        for r in range(self.height):
            f.e.store(f.e.const(1.0, self.elem), f.e.offset(ones, f.word(r), self.elem))
        return ones

    def _substitute_strips(self) -> str:
        """Put solutions for a lower triangle in the place of `many` strips. The inverses of its diagonal are a `step`
        apart."""
        f = self.plain_function()
        e = f.e
        names = ("many", "rows", "row", "column", "n", "step")
        many, rows, row, column, n, step = (Val(f"%{name}", "i64") for name in names)

        def block(begin: Val) -> None:
            end = e.intrinsic("llvm.smin", e.add(begin, f.word(BLOCK)), n)

            def strip(number: Val) -> None:
                own = self.row_at(f, Val("%strips", "ptr"), e.mul(number, rows))
                right = self.row_at(f, own, begin)

                def tile(i: Val) -> None:
                    goal, line = self.row_at(f, own, i), e.offset(Val("%left", "ptr"), e.mul(i, row), self.elem)
                    last = e.intrinsic("llvm.smin", f.word(self.height - 1), e.sub(e.sub(n, i), f.word(1)))
                    left, square = (Grid(e.offset(line, e.mul(j, column), self.elem), row, column) for j in (begin, i))
                    self.less_rows(f, goal, left, last, right, e.sub(e.intrinsic("llvm.smin", i, end), begin))
                    inverses = e.offset(Val("%inverses", "ptr"), e.mul(i, step), self.elem)
                    f.when(e.icmp("slt", i, end), lambda: self.solve_rows(f, goal, square, last, inverses))

                f.loop(begin, n, self.height, tile)

            f.loop(f.word(0), many, 1, strip)

        f.loop(f.word(0), n, BLOCK, block)
        e.line("ret void")
        given = "ptr %strips, i64 %many, i64 %rows, ptr %left, i64 %row, i64 %column, i64 %n, ptr %inverses, i64 %step"
        return f.text(f"internal void @substitute_strips({given})")

    # -- in and out ----------------------------------------------------------------------------------------

    def _moved(self, f: Function, i: Val, in_order: Val) -> Val:
        """The row of a matrix that row i is, in order or not."""
        e = f.e
        found = e.convert("sext", e.load(e.offset(Val("%order", "ptr"), i, "i32"), "i32"), "i64")
        row = e.select(in_order, found, i)
        return self.place(e, Val("%matrix", "ptr"), e.mul(row, Val("%count", "i64")))

    def _read(self) -> str:
        """Rows of a matrix go to a strip; what it lacks are zeros."""
        f = self.plain_function()
        e, strip, n, width = f.e, Val("%strip", "ptr"), Val("%n", "i64"), Val("%width", "i64")
        in_order = e.bit_xor(Val("%turned", "i1"), e.const(True, "i1"))
        numbers = e.mul(n, f.word(self.width))
        f.when(e.icmp("slt", width, f.word(self.width)), lambda: self.set_bytes(f, strip, numbers, 0))
        f.loop(f.word(0), n, 1, lambda i: self.copy(f, self._moved(f, i, in_order), self.row_at(f, strip, i), width))
        e.line("ret void")
        return f.text(f"internal void @read_strip({_MOVED})", cold=True)

    def _write(self) -> str:
        """The rows of a strip, of which the first one is the last, go to a matrix."""
        f = self.plain_function()
        e, n, width = f.e, Val("%n", "i64"), Val("%width", "i64")

        def row(i: Val) -> None:
            own = self.row_at(f, Val("%strip", "ptr"), e.sub(e.sub(n, i), f.word(1)))
            self.copy(f, own, self._moved(f, i, Val("%turned", "i1")), width)

        f.loop(f.word(0), n, 1, row)
        e.line("ret void")
        return f.text(f"internal void @write_strip({_MOVED})", cold=True)

    def _reverse(self) -> str:
        """The last row of a strip becomes the first one, and so on."""
        f = self.plain_function()
        e, n, lanes, size = f.e, Val("%n", "i64"), self.vector, self.dtype.bytes

        def exchange(i: Val) -> None:
            rows = (i, e.sub(e.sub(n, i), f.word(1)))
            above, below = (self.vectors_at(f, self.row_at(f, Val("%strip", "ptr"), row)) for row in rows)
            for pair in zip(above, below, strict=True):
                x, y = (e.load(at, self.elem, lanes, align=size) for at in pair)
                e.store(x, pair[1], align=size)
                e.store(y, pair[0], align=size)

        f.loop(f.word(0), e.ashr(n, f.word(1)), 1, exchange)
        e.line("ret void")
        return f.text(f"internal void @reverse_strip({_MOVED})", cold=True)
