"""The routines `cholesky_<dtype>`."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import SMALL, Lanes
from rosin.backends.llvm.routines.matrix.stack import Room


class Cholesky(Lanes):
    operands, results, told = 1, 1, ("n", "columns")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source, target = (self.part(f, name, number, count) for name in (0, 1))
        self.hermitian(f, source, target, n, False)
        lapack = self.lapack(f)
        info = lapack.info()
        # Column by column, the lower triangle is the upper one, of the transpose.
        lapack.call("potrf", "U", n, target, n, info)

        def clear(i: Val, j: Val) -> None:
            self.zero(e, self.place(e, target, e.add(e.mul(i, n), j)))

        self.triangle(f, n, n, True, clear)
        last = e.load(self.place(e, target, e.sub(count, f.word(1))), self.elem)
        failed = e.bit_or(lapack.failed(info), e.fcmp("uno", last, last))

        def fail(i: Val, j: Val) -> None:
            self.nans(f, self.place(e, target, e.add(e.mul(i, n), j)), f.word(1))

        f.when(failed, lambda: self.triangle(f, n, n, False, fail))

    # -- in lanes ------------------------------------------------------------------------------------------

    def is_small(self, f: Function) -> Val:
        return self.small(f, "n")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        a = self.vectors(f, SMALL * SMALL)
        self.exchange(f, 0, number, final, count, a, True)
        self._take_hermitian_part(f, a, n)

        def column(j: Val) -> None:
            row = self.at(e, a, e.mul(j, n))
            pivot = self._pivot(f, row, j)
            inverse = e.fdiv(self.number(e, 1.0), pivot)
            below = e.add(j, f.word(1))
            self.blocks(f, below, n, lambda i, size: self._below(f, a, n, row, i, j, size, inverse))

        f.loop(f.word(0), n, 1, column)
        self._mark_failures(f, a, n)

        def clear(i: Val, j: Val) -> None:
            at = self.at(e, a, e.add(e.mul(i, n), j))
            self.store(f, (self.number(e, 0.0),) * self.parts, at)

        self.triangle(f, n, n, True, clear)
        self.exchange(f, 1, number, final, count, a, False)

    def _take_hermitian_part(self, f: Function, a: Val, n: Val) -> None:
        e, half = f.e, self.number(f.e, 0.5)

        def element(i: Val, j: Val) -> None:
            at = self.at(e, a, e.add(e.mul(i, n), j))
            here, there = self.load(f, at), self.load(f, self.at(e, a, e.add(e.mul(j, n), i)))
            sums = [e.fsub(x, y) if part else e.fadd(x, y) for part, (x, y) in enumerate(zip(here, there, strict=True))]
            self.store(f, self.scaled(e, tuple(sums), half), at)

        self.triangle(f, n, n, False, element)

    def _pivot(self, f: Function, row: Val, j: Val) -> Val:
        """Element j of the row j, put in its place: real, or NaN where its square is not positive."""
        e, at = f.e, self.at(f.e, row, j)
        square = f.variable(self.load(f, at)[0])

        def less(k: Val) -> None:
            for part in self.load(f, self.at(e, row, k)):
                e.store(e.fma(e.fneg(part), part, e.load(square, self.elem, self.vector)), square)

        f.loop(f.word(0), j, 1, less)
        found = e.load(square, self.elem, self.vector)
        root = e.intrinsic("llvm.sqrt", found)
        pivot = e.select(e.fcmp("ogt", found, self.number(e, 0.0)), root, self.number(e, float("nan")))
        self.store(f, (pivot, *[self.number(e, 0.0)] * (self.parts - 1)), at)
        return pivot

    def _below(self, f: Function, a: Val, n: Val, row: Val, i: Val, j: Val, size: int, inverse: Val) -> None:
        """Elements j of the rows from i on."""
        e = f.e
        rows = [self.at(e, a, e.mul(e.add(i, f.word(k)), n)) for k in range(size)]
        sums = [self.variables(f, self.load(f, self.at(e, r, j))) for r in rows]

        def less(k: Val) -> None:
            above = self.load(f, self.at(e, row, k))
            for r, total in zip(rows, sums, strict=True):
                own = self.load(f, self.at(e, r, k))
                self.assign(f, self.minus_product(e, self.value(f, total), own, above, conj=True), total)

        f.loop(f.word(0), j, 1, less)
        for r, total in zip(rows, sums, strict=True):
            self.store(f, self.scaled(e, self.value(f, total), inverse), self.at(e, r, j))

    def _mark_failures(self, f: Function, a: Val, n: Val) -> None:
        """NaN in all of the lower triangle where the last pivot is NaN, as it is when any one was."""
        e = f.e
        last = self.load(f, self.at(e, a, e.sub(e.mul(n, n), f.word(1))))[0]
        failed = e.fcmp("uno", last, last)
        nan = self.number(e, float("nan"))

        def mark(i: Val, j: Val) -> None:
            at = self.at(e, a, e.add(e.mul(i, n), j))
            self.store(f, self.chosen(e, failed, (nan,) * self.parts, self.load(f, at)), at)

        some = e.intrinsic_across("llvm.vector.reduce.or", failed)
        f.when(some, lambda: self.triangle(f, n, n, False, mark))
