"""Strips: some columns of a large matrix, row by row, that have as many numbers in a row as a tile.

What is read together lies together in a strip, however long the rows of the matrix are. Tiles are rows of a strip
whose sums stay in registers while products are taken from them; then they are solved for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import parameters, passed
from rosin.backends.llvm.routines.matrix.tiles import Grid, Tiles

_GRID = (("left", "ptr"), ("left_row", "i64"), ("left_column", "i64"), ("last", "i64"))
_LEFT = Grid(Val("%left", "ptr"), Val("%left_row", "i64"), Val("%left_column", "i64"))


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

    def strips_of(self, f: Function, columns: Val) -> Val:
        """In how many strips so many columns lie."""
        return f.e.binary("sdiv", f.e.add(columns, f.word(self.width - 1)), f.word(self.width))

    def row_at(self, f: Function, strip: Val, row: Val) -> Val:
        """Where a row of a strip is."""
        return f.e.offset(strip, row, f"[{self.width} x {self.elem}]")

    def vectors_at(self, f: Function, row: Val) -> list[Val]:
        """Where the vectors of a row of a strip are."""
        return [f.e.offset(row, f.word(first), self.elem) for first in range(0, self.width, self.vector)]

    def strip_helpers(self) -> list[str]:
        return [self._less_rows(), self._solve_rows()]

    def less_rows(self, f: Function, goal: Val, left: Grid, last: Val, right: Val, count: Val) -> None:
        """Take from the rows of a tile the products of `count` numbers of each row of the left and as many rows of the
        right; the left has rows up to `last`."""
        f.e.line(f"call void @less_rows({passed(goal, *left, last, right, count)})")

    def _less_rows(self) -> str:
        f = self.plain_function()
        e, lanes, elem, size = f.e, self.vector, self.elem, self.dtype.bytes
        numbers = [f.word(r) for r in range(self.height)]
        goals = [self.vectors_at(f, self.row_at(f, Val("%goal", "ptr"), r)) for r in numbers]
        sums = [[f.variable(e.load(at, elem, lanes, align=size)) for at in row] for row in goals]
        starts = [self._factors_of(f, r) for r in numbers]

        def product(k: Val) -> None:
            right = self.vectors_at(f, self.row_at(f, Val("%right", "ptr"), k))
            others = [e.load(at, elem, lanes, align=size) for at in right]
            place = e.mul(k, _LEFT.column)
            for start, row in zip(starts, sums, strict=True):
                own = e.fneg(e.splat(e.load(e.offset(start, place, elem), elem), lanes))
                for total, other in zip(row, others, strict=True):
                    e.store(e.fma(own, other, e.load(total, elem, lanes)), total)

        f.loop(f.word(0), Val("%count", "i64"), 1, product)
        for row, places in zip(sums, goals, strict=True):
            for total, at in zip(row, places, strict=True):
                e.store(e.load(total, elem, lanes), at, align=size)
        e.line("ret void")
        given = parameters(("goal", "ptr"), *_GRID, ("right", "ptr"), ("count", "i64"))
        return f.text(f"internal void @less_rows({given})")

    def _factors_of(self, f: Function, row: Val) -> Val:
        """Where a row of the left begins, or its last one instead of those that it does not have."""
        e = f.e
        return e.offset(_LEFT.start, e.mul(e.intrinsic("llvm.smin", row, Val("%last", "i64")), _LEFT.row), self.elem)

    def solve_rows(
        self, f: Function, goal: Val, square: Grid, last: Val, inverses: Val, own: Val | None = None
    ) -> None:
        """Solve for the rows of a tile, given a lower triangle and the inverses of its diagonal.

        The tile that has the square itself from column `own` on, which is negative for others, is factored.
        """
        given = passed(goal, *square, last, inverses, *([own or f.word(-1)] if self.factors else []))
        f.e.line(f"call void @solve_rows({given})")

    def _solve_rows(self) -> str:
        f = self.plain_function()
        e, lanes, elem, size = f.e, self.vector, self.elem, self.dtype.bytes
        goal = Val("%goal", "ptr")

        def row(r: Val) -> None:
            places, factors = self.vectors_at(f, self.row_at(f, goal, r)), self._factors_of(f, r)
            sums = [f.variable(e.load(at, elem, lanes, align=size)) for at in places]

            def less(k: Val) -> None:
                factor = e.fneg(e.splat(e.load(e.offset(factors, e.mul(k, _LEFT.column), elem), elem), lanes))
                for total, at in zip(sums, self.vectors_at(f, self.row_at(f, goal, k)), strict=True):
                    e.store(e.fma(factor, e.load(at, elem, lanes, align=size), e.load(total, elem, lanes)), total)

            f.loop(f.word(0), r, 1, less)
            inverse = e.offset(Val("%inverses", "ptr"), r, elem)

            def scale() -> None:
                by = e.splat(e.load(inverse, elem), lanes)
                for total, at in zip(sums, places, strict=True):
                    e.store(e.fmul(e.load(total, elem, lanes), by), at, align=size)

            if self.factors:
                own = Val("%own", "i64")
                is_own = e.icmp("sge", own, f.word(0))
                f.when(is_own, lambda: self._factor_row(f, sums, places, e.add(own, r), inverse, scale), scale)
            else:
                scale()

        f.loop(f.word(0), f.word(self.height), 1, row)
        e.line("ret void")
        given = parameters(("goal", "ptr"), *_GRID, ("inverses", "ptr"), *([("own", "i64")] if self.factors else []))
        return f.text(f"internal void @solve_rows({given})")

    def _factor_row(
        self, f: Function, sums: list[Val], places: list[Val], column: Val, inverse: Val, scale: Callable[[], None]
    ) -> None:
        """A row whose number in a column is the pivot's square: the inverse of this, then all numbers."""
        e, elem = f.e, self.elem
        for total, at in zip(sums, places, strict=True):
            e.store(e.load(total, elem, self.vector), at, align=self.dtype.bytes)
        diagonal = e.offset(places[0], column, elem)
        found = e.load(diagonal, elem)
        is_positive = e.fcmp("ogt", found, e.like(0.0, found))
        pivot = e.select(is_positive, e.intrinsic("llvm.sqrt", found), e.like(math.nan, found))
        e.store(e.fdiv(e.like(1.0, pivot), pivot), inverse)
        scale()
        e.store(pivot, diagonal)
