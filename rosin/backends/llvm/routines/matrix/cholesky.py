"""The routines `cholesky_<dtype>`."""

from __future__ import annotations

import math

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import SMALL, Number
from rosin.backends.llvm.routines.matrix.shared import Given, cut, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import LARGE, Room
from rosin.backends.llvm.routines.matrix.tiles import Sums, Tiles

BLOCK = 64
"""Columns of a step; of large matrices it is twice as many."""
LEAST = 32
"""Rows of a piece."""


class Cholesky(Tiles):
    operands, results, told = 1, 1, ("n", "columns")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        self.hermitian(f, source, target, n, False)
        failed = f.variable(e.const(False, "i1"))
        block = e.select(e.icmp("sge", n, f.word(LARGE)), f.word(2 * BLOCK), f.word(BLOCK))
        f.loop(f.word(0), n, block, lambda k: self._step(f, target, n, k, block, failed))

        def clear(i: Val) -> None:
            """The rest of a row, beyond the diagonal."""
            after = e.add(i, f.word(1))
            count = e.mul(e.sub(n, after), f.word(self.parts))
            self.fill(f, self.place(e, target, e.add(e.mul(i, n), after)), count, 0.0)

        f.loop(f.word(0), n, 1, clear)
        last = e.load(self.place(e, target, e.sub(count, f.word(1))), self.elem)
        is_failed = e.bit_or(e.load(failed, "i1"), e.fcmp("uno", last, last))

        def fail(i: Val, j: Val) -> None:
            self.nans(f, self.place(e, target, e.add(e.mul(i, n), j)), f.word(1))

        f.when(is_failed, lambda: self.triangle(f, n, n, False, fail))

    def _step(self, f: Function, matrix: Val, n: Val, k: Val, block: Val, failed: Val) -> None:
        """Some columns of the factor, given those before: the square on the diagonal, then what is below it.

        Column by column, the lower triangle is the upper one, of the transpose.
        """
        e, lapack = f.e, self.lapack(f)
        size = e.intrinsic("llvm.smin", e.sub(n, k), block)
        top, square = self.place(e, matrix, e.mul(k, n)), self.place(e, matrix, e.mul(k, e.add(n, f.word(1))))
        less, one, info = lapack.number(-1), lapack.number(1), lapack.info()
        lapack.call("herk" if self.dtype.is_complex else "syrk", "U", "C", size, k, less, top, n, one, square, n)
        lapack.call("potrf", "U", size, square, n, info)
        e.store(e.bit_or(e.load(failed, "i1"), lapack.failed(info)), failed)
        pieces, width = cut(f, e.sub(e.sub(n, k), size), LEAST)
        share(f, "below", pieces, {"matrix": matrix, "n": n, "k": k, "size": size, "width": width})

    def helpers(self) -> list[str]:
        return [*super().helpers(), self._below()]

    def _below(self) -> str:
        """Some rows below the square."""
        f = self.function()
        e, lapack = f.e, self.lapack(f)

        def rows(number: Val, given: Given) -> None:
            matrix, n, k, size, width = given.values()
            i = e.add(e.add(k, size), e.mul(number, width))
            count = e.intrinsic("llvm.smin", width, e.sub(n, i))
            line = self.place(e, matrix, e.mul(i, n))
            top, square = self.place(e, matrix, e.mul(k, n)), self.place(e, matrix, e.mul(k, e.add(n, f.word(1))))
            less, one, goal = lapack.number(-1), lapack.number(1), self.place(e, line, k)
            lapack.call("gemm", "C", "N", size, count, k, less, top, n, line, n, one, goal, n)
            lapack.call("trsm", "L", "U", "C", "N", size, count, one, square, n, goal, n)

        return piece_text(f, "below", {"matrix": "ptr", **dict.fromkeys(("n", "k", "size", "width"), "i64")}, rows)

    # -- in lanes ------------------------------------------------------------------------------------------

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        a = self.vectors(f, SMALL * SMALL)
        self.exchange(f, 0, number, final, count, a, True)

        def panel(j: Val, size: int) -> None:
            self.prefetch(f, 0, number, e.mul(j, n), e.mul(f.word(size), n), count)
            self._panel(f, a, n, j, size)

        self.tiled(f, f.word(0), n, self.tile[1], panel)
        self._mark_failures(f, a, n)
        self.exchange(f, 1, number, final, count, a, False)

    def _panel(self, f: Function, a: Val, n: Val, j: Val, size: int) -> None:
        """So many columns of the factor from column j on, and zeros in their rows above the diagonal."""
        e = f.e
        places = [self.at(e, a, e.mul(e.add(j, f.word(k)), n)) for k in range(size)]
        one = f.word(1)

        def tile(i: Val, rows: list[Val], widths: list[int]) -> Sums:
            taken = [
                [self._taken(f, a, n, e.add(i, f.word(r)), e.add(j, f.word(c))) for c in range(width)]
                for r, width in enumerate(widths)
            ]
            sums = self.sums(f, taken)
            self.subtract_products(f, sums, rows, one, places, one, j, conj=True)
            return sums

        square = self.values(f, tile(j, places, [k + 1 for k in range(size)]))
        inverses = self._factor(f, square)
        self._store(f, square, places, j)

        def below(i: Val, count: int) -> None:
            rows = [self.at(e, a, e.mul(e.add(i, f.word(r)), n)) for r in range(count)]
            found = self.values(f, tile(i, rows, [size] * count))
            for row in found:
                for c in range(size):
                    row[c] = self.scaled(e, row[c], inverses[c])
                    for k in range(c + 1, size):
                        row[k] = self.minus_product(e, row[k], row[c], square[k][c], conj=True)
            self._store(f, found, rows, j)

        self.tiled(f, e.add(j, f.word(size)), n, self.tile[0], below)

    def _taken(self, f: Function, a: Val, n: Val, i: Val, j: Val) -> Number:
        """Element (i, j) of the Hermitian part; its mirror image becomes zero."""
        e = f.e
        here, there = (self.at(e, a, e.add(e.mul(x, n), y)) for x, y in ((i, j), (j, i)))
        x, y = self.load(f, here), self.load(f, there)
        sums = [e.fsub(p, q) if part else e.fadd(p, q) for part, (p, q) in enumerate(zip(x, y, strict=True))]
        self.store(f, (self.number(e, 0.0),) * self.parts, there)
        return self.scaled(e, tuple(sums), self.number(e, 0.5))

    def _store(self, f: Function, values: list[list[Number]], rows: list[Val], j: Val) -> None:
        for row, place in zip(values, rows, strict=True):
            for c, value in enumerate(row):
                self.store(f, value, self.at(f.e, place, f.e.add(j, f.word(c))))

    def _factor(self, f: Function, square: list[list[Number]]) -> list[Val]:
        """Make its factor of the lower triangle of a square; the inverses of the diagonal."""
        e, zero, one = f.e, self.number(f.e, 0.0), self.number(f.e, 1.0)
        inverses: list[Val] = []
        for c, line in enumerate(square):
            found = line[c][0]
            pivot = e.select(e.fcmp("ogt", found, zero), e.intrinsic("llvm.sqrt", found), self.number(e, math.nan))
            line[c] = (pivot, *[zero] * (self.parts - 1))
            inverses.append(e.fdiv(one, pivot))
            below = square[c + 1 :]
            for row in below:
                row[c] = self.scaled(e, row[c], inverses[c])
            for k, other in enumerate(below, c + 1):
                for row in square[k:]:
                    row[k] = self.minus_product(e, row[k], row[c], other[c], conj=True)
        return inverses

    def _mark_failures(self, f: Function, a: Val, n: Val) -> None:
        """NaN in all of the lower triangle where the last pivot is NaN, as it is when any one was."""
        e = f.e
        last = self.load(f, self.at(e, a, e.sub(e.mul(n, n), f.word(1))))[0]
        failed = e.fcmp("uno", last, last)
        nan = self.number(e, math.nan)

        def mark(i: Val, j: Val) -> None:
            at = self.at(e, a, e.add(e.mul(i, n), j))
            self.store(f, self.chosen(e, failed, (nan,) * self.parts, self.load(f, at)), at)

        some = e.intrinsic_across("llvm.vector.reduce.or", failed)
        f.when(some, lambda: self.triangle(f, n, n, False, mark))
