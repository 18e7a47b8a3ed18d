"""Strips: some columns of a large matrix, row by row, that have as many numbers in a row as a tile.

What is read together lies together in a strip, however long the rows of the matrix are. Tiles are rows of a strip
whose sums stay in registers while products are taken from them; then they are solved for.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import parameters, passed
from rosin.backends.llvm.routines.matrix.tiles import Grid, Tiles


class Rows(NamedTuple):
    """Rows of whole vectors, and how far they are apart, in numbers."""

    start: Val
    apart: Val

    def from_(self, f: Function, row: Val, elem: str) -> Rows:
        """The rows from one on."""
        return Rows(f.e.offset(self.start, f.e.mul(row, self.apart), elem), self.apart)


class Strips(Tiles):
    """A routine that works on large matrices of real numbers in strips."""

    factors: ClassVar[bool] = False
    """Whether squares on the diagonal are factored, too, or are factors already."""

    @property
    def has_strips(self) -> bool:
        return self.parts == 1

    @property
    def height(self) -> int:
        """Rows of a tile of a strip."""
        return 8 if self.vector_bytes == 64 else 4

    @property
    def width(self) -> int:
        """Numbers in a row of a strip: vectors for as many sums as leave registers for what they are made of."""
        return self.vector * (4 if self.vector_bytes == 16 else 3)

    def strip_helpers(self) -> list[str]:
        return [self._less_rows(), self._solve_rows()]

    def less_rows(self, f: Function, goal: Rows, left: Grid, right: Rows, count: Val, last: Val) -> None:
        """Take from the rows of a tile the products of `count` numbers of each row of the left and as many rows of the
        right; the left has rows up to `last`."""
        f.e.line(f"call void @less_rows({passed(*goal, *left, *right, count, last)})")

    def _less_rows(self) -> str:
        f = self.function()
        e, lanes, elem, size = f.e, self.vector, self.elem, self.dtype.bytes
        goal, right = (Rows(Val(f"%{x}", "ptr"), Val(f"%{x}_apart", "i64")) for x in ("goal", "right"))
        left = Grid(Val("%left", "ptr"), Val("%left_row", "i64"), Val("%left_column", "i64"))

        def vectors(start: Val) -> list[Val]:
            return [e.offset(start, f.word(first), elem) for first in range(0, self.width, lanes)]

        rows = [e.intrinsic("llvm.smin", f.word(r), Val("%last", "i64")) for r in range(self.height)]
        starts = [e.offset(left.start, e.mul(row, left.row), elem) for row in rows]
        goals = [vectors(goal.from_(f, f.word(r), elem).start) for r in range(self.height)]
        sums = [[f.variable(e.load(at, elem, lanes, align=size)) for at in row] for row in goals]

        def product(k: Val) -> None:
            others = [e.load(at, elem, lanes, align=size) for at in vectors(right.from_(f, k, elem).start)]
            place = e.mul(k, left.column)
            for start, row in zip(starts, sums, strict=True):
                own = e.fneg(e.splat(e.load(e.offset(start, place, elem), elem), lanes))
                for total, other in zip(row, others, strict=True):
                    e.store(e.fma(own, other, e.load(total, elem, lanes)), total)

        f.loop(f.word(0), Val("%count", "i64"), 1, product)
        for row, places in zip(sums, goals, strict=True):
            for total, at in zip(row, places, strict=True):
                e.store(e.load(total, elem, lanes), at, align=size)
        e.line("ret void")
        given = (
            *(("goal", "ptr"), ("goal_apart", "i64")),
            *(("left", "ptr"), ("left_row", "i64"), ("left_column", "i64")),
            *(("right", "ptr"), ("right_apart", "i64"), ("count", "i64"), ("last", "i64")),
        )
        return f.text(f"internal void @less_rows({parameters(*given)})")

    def solve_rows(self, f: Function, goal: Rows, square: Grid, inverses: Val, last: Val, own: Val | None = None) -> None:
        """Solve for the rows of a tile, given a lower triangle and the inverses of its diagonal.

        The tile that has the square itself from column `own` on, which is negative for others, is factored.
        """
        given = passed(*goal, *square, inverses, last, own or f.word(-1))
        f.e.line(f"call void @solve_rows({given})")

    def _solve_rows(self) -> str:
        f = self.function()
        e, lanes, elem, size = f.e, self.vector, self.elem, self.dtype.bytes
        goal = Rows(Val("%goal", "ptr"), Val("%goal_apart", "i64"))
        square = Grid(Val("%square", "ptr"), Val("%square_row", "i64"), Val("%square_column", "i64"))
        own = Val("%own", "i64")

        def vectors(start: Val) -> list[Val]:
            return [e.offset(start, f.word(first), elem) for first in range(0, self.width, lanes)]

        def row(r: Val) -> None:
            places = vectors(goal.from_(f, r, elem).start)
            sums = [f.variable(e.load(at, elem, lanes, align=size)) for at in places]
            factors = e.offset(square.start, e.mul(e.intrinsic("llvm.smin", r, Val("%last", "i64")), square.row), elem)

            def less(k: Val) -> None:
                factor = e.fneg(e.splat(e.load(e.offset(factors, e.mul(k, square.column), elem), elem), lanes))
                for total, at in zip(sums, vectors(goal.from_(f, k, elem).start), strict=True):
                    e.store(e.fma(factor, e.load(at, elem, lanes, align=size), e.load(total, elem, lanes)), total)

            f.loop(f.word(0), r, 1, less)
            inverse = e.offset(Val("%inverses", "ptr"), r, elem)

            def scale() -> None:
                by = e.splat(e.load(inverse, elem), lanes)
                for total, at in zip(sums, places, strict=True):
                    e.store(e.fmul(e.load(total, elem, lanes), by), at, align=size)

            def factor() -> None:
                for total, at in zip(sums, places, strict=True):
                    e.store(e.load(total, elem, lanes), at, align=size)
                diagonal = e.offset(places[0], e.add(own, r), elem)
                found = e.load(diagonal, elem)
                root = e.intrinsic("llvm.sqrt", found)
                pivot = e.select(e.fcmp("ogt", found, e.like(0.0, found)), root, e.like(math.nan, found))
                e.store(e.fdiv(e.like(1.0, pivot), pivot), inverse)
                scale()
                e.store(pivot, diagonal)

            if self.factors:
                f.when(e.icmp("sge", own, f.word(0)), factor, scale)
            else:
                scale()

        f.loop(f.word(0), f.word(self.height), 1, row)
        e.line("ret void")
        given = (
            *(("goal", "ptr"), ("goal_apart", "i64")),
            *(("square", "ptr"), ("square_row", "i64"), ("square_column", "i64")),
            *(("inverses", "ptr"), ("last", "i64"), ("own", "i64")),
        )
        return f.text(f"internal void @solve_rows({parameters(*given)})")
