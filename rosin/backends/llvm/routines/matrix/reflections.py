"""Householder's reflections of matrices in lanes: 1 - s v vᴴ, each of which makes one column zero but for a number.

The vector v is 1 at its head. What is below stands in the place of the numbers that become zero.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import Number
from rosin.backends.llvm.routines.matrix.tiles import TINY, Grid, Tiles


class Reflecting(Tiles):
    """A routine that makes orthogonal factors in lanes."""

    def power_of_two(self, f: Function, size: Val) -> tuple[Val, Val]:
        """Powers of two of the size of numbers that are not negative, and their inverses."""
        e = f.e
        bits, mantissa, bias = (32, 23, 127) if self.elem == "float" else (64, 52, 1023)
        word = f"i{bits}"
        # Inverses of the least and of the greatest numbers would have no exponent.
        low, high = (self.number(e, 2.0**power) for power in (2 - bias, bias - 2))
        size = e.intrinsic("llvm.minnum", e.intrinsic("llvm.maxnum", size, low), high)
        exponent = e.bit_and(e.bitcast(size, word), e.const(-1 << mantissa, word, self.vector))
        inverse = e.sub(e.const(2 * bias << mantissa, word, self.vector), exponent)
        return e.bitcast(exponent, self.elem), e.bitcast(inverse, self.elem)

    def greatest(self, f: Function, grid: Grid, begin: Val, end: Val, j: Val) -> Val:
        """The greatest magnitude of a part in rows begin … end - 1 of a column."""
        e = f.e
        most = f.variable(self.number(e, 0.0))

        def look(i: Val) -> None:
            for part in self.load(f, self.cell(f, grid, i, j)):
                size = e.intrinsic("llvm.fabs", part)
                e.store(e.intrinsic("llvm.maxnum", size, e.load(most, self.elem, self.vector)), most)

        f.loop(begin, end, 1, look)
        return e.load(most, self.elem, self.vector)

    def reflect(self, f: Function, a: Grid, head: Val, m: Val, column: Val, scales: Val) -> None:
        """Find the reflection that makes zeros of what is below row `head` in a column; put the number that is left
        into that row, and s into `scales`, at the column. The number is real, and of the other sign than before."""
        e = f.e
        zero, one = self.number(e, 0.0), self.number(e, 1.0)
        size = e.intrinsic("llvm.maxnum", self.greatest(f, a, head, m, column), self.number(e, TINY[self.elem]))
        inverse = e.fdiv(one, size)
        top = self.cell(f, a, head, column)
        alpha = self.scaled(e, given := self.load(f, top), inverse)
        below = e.add(head, f.word(1))
        squares = f.variable(zero)

        def add(i: Val) -> None:
            for part in self.scaled(e, self.load(f, self.cell(f, a, i, column)), inverse):
                e.store(e.fma(part, part, e.load(squares, self.elem, self.vector)), squares)

        f.loop(below, m, 1, add)
        tail = e.load(squares, self.elem, self.vector)
        still = e.fcmp("oeq", tail, zero)
        for part in alpha[1:]:
            still = e.bit_and(still, e.fcmp("oeq", part, zero))
            tail = e.fma(part, part, tail)
        length = e.intrinsic("llvm.sqrt", e.fma(alpha[0], alpha[0], tail))
        beta = e.select(still, one, e.intrinsic("llvm.copysign", length, e.fneg(alpha[0])))
        scale = (e.fdiv(e.fsub(beta, alpha[0]), beta), *(e.fdiv(e.fneg(part), beta) for part in alpha[1:]))
        divisor = self.chosen(e, still, self.real(f, one), (e.fsub(alpha[0], beta), *alpha[1:]))
        by = self.quotient(e, self.real(f, one), divisor)

        def put(i: Val) -> None:
            at = self.cell(f, a, i, column)
            # One factor after the other: both together may overflow.
            found = self.product(e, self.scaled(e, self.load(f, at), inverse), by)
            self.store(f, self.chosen(e, still, self.real(f, zero), found), at)

        f.loop(below, m, 1, put)
        self.store(f, self.chosen(e, still, given, self.real(f, e.fmul(beta, size))), top)
        self.store(f, self.chosen(e, still, self.real(f, zero), scale), self.at(e, scales, column))

    def apply(
        self, f: Function, v: Grid, head: Val, m: Val, column: Val, scale: Number, x: Grid, begin: Val, end: Val
    ) -> None:
        """Reflect columns begin … end - 1 of x by the reflection that stands in a column of v."""
        e = f.e
        below = e.add(head, f.word(1))

        def columns(j: Val, width: int) -> None:
            numbers = [e.add(j, f.word(c)) for c in range(width)]
            tops = [self.cell(f, x, head, c) for c in numbers]
            negative = [tuple(e.fneg(part) for part in self.load(f, top)) for top in tops]
            sums = self.sums(f, [negative])

            def gather(i: Val) -> None:
                own = self.load(f, self.cell(f, v, i, column))
                for c, total in zip(numbers, sums[0], strict=True):
                    other = self.load(f, self.cell(f, x, i, c))
                    self.assign(f, self.minus_product(e, self.value(f, total), other, own, conj=True), total)

            f.loop(below, m, 1, gather)
            products = [self.product(e, tuple(map(e.fneg, self.value(f, t))), scale) for t in sums[0]]
            for top, product in zip(tops, products, strict=True):
                old = self.load(f, top)
                self.store(f, tuple(e.fsub(p, q) for p, q in zip(old, product, strict=True)), top)

            def spread(i: Val) -> None:
                own = self.load(f, self.cell(f, v, i, column))
                for c, product in zip(numbers, products, strict=True):
                    at = self.cell(f, x, i, c)
                    self.store(f, self.minus_product(e, self.load(f, at), own, product), at)

            f.loop(below, m, 1, spread)

        self.tiled(f, begin, end, self.tile[0], columns)

    def factor(self, f: Function, a: Grid, m: Val, n: Val, scales: Val) -> None:
        """Put R into the upper triangle, and reflections below it."""
        e = f.e

        def step(k: Val) -> None:
            self.reflect(f, a, k, m, k, scales)
            re, *im = self.load(f, self.at(e, scales, k))
            self.apply(f, a, k, m, k, (re, *map(e.fneg, im)), a, e.add(k, f.word(1)), n)

        f.loop(f.word(0), e.intrinsic("llvm.smin", m, n), 1, step)

    def unfold(self, f: Function, a: Grid, m: Val, n: Val, scales: Val, q: Grid, width: Val) -> None:
        """Q, of so many columns, from the reflections of `factor`."""
        e = f.e
        least = e.intrinsic("llvm.smin", m, n)
        self.unit(f, q, m, width)

        def step(t: Val) -> None:
            k = e.sub(e.sub(least, f.word(1)), t)
            self.apply(f, a, k, m, k, self.load(f, self.at(e, scales, k)), q, k, width)

        f.loop(f.word(0), least, 1, step)
