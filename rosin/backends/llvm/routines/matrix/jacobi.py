"""Singular values of real matrices in lanes, by one-sided Jacobi rotations of pairs of columns.

Columns that are orthogonal to each other are the left vectors, but for their lengths. Reflections make them orthonormal
ones, also where a length is zero. Demmel & Veselić, "Jacobi's method is more accurate than QR", 1992.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.tiles import TINY, UNIT, Grid, Moved
from rosin.ir.dataclass import dataclass
from rosin.ir.ops.matrix import SMALL

SWEEPS = 40
"""Turns over all pairs of columns, at most; six to ten are usual."""


@dataclass(frozen=True)
class Columns:
    """Matrices of at least as many rows as columns, and the product of all rotations, its columns as rows."""

    a: Grid
    m: Val
    n: Val
    turned: Grid | None


class Rotating(Reflecting):
    """A routine that finds singular values of real matrices in lanes."""

    def normalize(self, f: Function, a: Val, count: Val) -> tuple[Val, Val]:
        """Scale matrices by powers of two to numbers near 1, and make those zero where a number is not finite; what to
        scale singular values by, and which matrices are finite."""
        e, zero = f.e, self.number(f.e, 0.0)
        most, sums = f.variable(zero), f.variable(zero)

        def look(i: Val) -> None:
            x = self.vector_at(f, a, i)
            e.store(e.intrinsic("llvm.maxnum", e.intrinsic("llvm.fabs", x), e.load(most, self.elem, self.vector)), most)
            e.store(e.fma(x, zero, e.load(sums, self.elem, self.vector)), sums)

        f.loop(f.word(0), count, 1, look)
        good = e.fcmp("oeq", e.load(sums, self.elem, self.vector), zero)
        scale, inverse = self.power_of_two(f, e.load(most, self.elem, self.vector))

        def put(i: Val) -> None:
            self.put_vector(f, e.select(good, e.fmul(self.vector_at(f, a, i), inverse), zero), a, i)

        f.loop(f.word(0), count, 1, put)
        return scale, good

    def orthogonalize(self, f: Function, x: Columns) -> Val:
        """Turn columns until they are orthogonal; which lanes have come to that."""
        e, lanes = f.e, self.vector
        if x.turned is not None:
            self.unit(f, x.turned, x.n, x.n)
        rounding = e.fmul(e.convert("sitofp", x.m, self.elem), e.const(UNIT[self.elem], self.elem))
        share = e.splat(e.fmul(rounding, rounding), lanes)
        moving, count = f.variable(e.const(True, "i1", lanes)), f.variable(f.word(0))

        def sweep() -> None:
            e.store(e.const(False, "i1", lanes), moving)

            def first(p: Val) -> None:
                f.loop(e.add(p, f.word(1)), x.n, 1, lambda q: self._rotate(f, x, p, q, share, moving))

            f.loop(f.word(0), x.n, 1, first)

        def goes_on() -> Val:
            some = e.intrinsic_across("llvm.vector.reduce.or", e.load(moving, "i1", lanes))
            return e.bit_and(some, e.icmp("slt", f.add_to(count, f.word(1)), f.word(SWEEPS)))

        f.repeat(goes_on, sweep)
        return e.bit_xor(e.load(moving, "i1", lanes), e.const(True, "i1", lanes))

    def _rotate(self, f: Function, x: Columns, p: Val, q: Val, share: Val, moving: Val) -> None:
        """Make columns p and q orthogonal where the square of their cosine is above a bound."""
        e, lanes = f.e, self.vector
        zero, one = self.number(e, 0.0), self.number(e, 1.0)
        sums = [f.variable(zero) for _ in range(3)]

        def add(i: Val) -> None:
            a, b = (e.load(self.cell(f, x.a, i, c), self.elem, lanes) for c in (p, q))
            for (left, right), total in zip(((a, a), (b, b), (a, b)), sums, strict=True):
                e.store(e.fma(left, right, e.load(total, self.elem, lanes)), total)

        f.loop(f.word(0), x.m, 1, add)
        own, other, both = (e.load(total, self.elem, lanes) for total in sums)
        # Of columns so short that these products vanish, no singular value is known to any digit.
        on = e.fcmp("ogt", e.fmul(both, both), e.fmul(e.fmul(own, other), share))

        def rotate() -> None:
            e.store(e.bit_or(e.load(moving, "i1", lanes), on), moving)
            gap, double = e.fsub(other, own), e.fadd(both, both)
            root = e.intrinsic("llvm.sqrt", e.fma(gap, gap, e.fmul(double, double)))
            tangent = e.fdiv(double, e.fadd(gap, e.intrinsic("llvm.copysign", root, gap)))
            tangent = e.select(on, tangent, zero)
            cosine = e.fdiv(one, e.intrinsic("llvm.sqrt", e.fma(tangent, tangent, one)))
            sine = e.fmul(cosine, tangent)

            def turn(pair: list[Val]) -> None:
                a, b = (e.load(at, self.elem, lanes) for at in pair)
                e.store(e.fma(cosine, a, e.fneg(e.fmul(sine, b))), pair[0])
                e.store(e.fma(sine, a, e.fmul(cosine, b)), pair[1])

            f.loop(f.word(0), x.m, 1, lambda i: turn([self.cell(f, x.a, i, c) for c in (p, q)]))
            if x.turned is not None:
                turned = x.turned
                f.loop(f.word(0), x.n, 1, lambda i: turn([self.cell(f, turned, c, i) for c in (p, q)]))

        f.when(e.intrinsic_across("llvm.vector.reduce.or", on), rotate)

    def order_columns(self, f: Function, x: Columns, lengths: Val) -> None:
        """Write the columns' lengths, the greatest first, with columns and rotations in their order."""
        e = f.e

        def measure(j: Val) -> None:
            # Scaled by the column's own size, so that squares do not underflow.
            size = e.intrinsic("llvm.maxnum", self.greatest(f, x.a, f.word(0), x.m, j), self.number(e, TINY[self.elem]))
            inverse, total = e.fdiv(self.number(e, 1.0), size), f.variable(self.number(e, 0.0))

            def add(i: Val) -> None:
                value = e.fmul(e.load(self.cell(f, x.a, i, j), self.elem, self.vector), inverse)
                e.store(e.fma(value, value, e.load(total, self.elem, self.vector)), total)

            f.loop(f.word(0), x.m, 1, add)
            length = e.intrinsic("llvm.sqrt", e.load(total, self.elem, self.vector))
            self.put_vector(f, e.fmul(length, size), lengths, j)

        f.loop(f.word(0), x.n, 1, measure)
        moved = [self.rows(f, lengths, f.word(1))]
        if x.turned is not None:
            # Columns are exchanged as rows of what is turned.
            moved.append(Moved(x.a.start, x.a.column, x.m, x.a.row, self.elem, self.parts))
            moved.append(self.rows(f, x.turned.start, x.n))
        self.sort(f, lengths, x.n, moved, descending=True)

    def orthonormalize(self, f: Function, x: Columns, q: Grid, width: Val) -> None:
        """Fill q, of so many columns, with columns of norm 1 in the directions of those of `x.a`, then with others."""
        e = f.e
        scales = self.vectors(f, SMALL)
        self.factor(f, x.a, x.m, x.n, scales)
        self.unfold(f, x.a, x.m, x.n, scales, q, width)

        def sign(j: Val) -> None:
            # A reflection gives a column's length either sign.
            diagonal = e.load(self.cell(f, x.a, j, j), self.elem, self.vector)
            sign = e.intrinsic("llvm.copysign", self.number(e, 1.0), diagonal)

            def row(i: Val) -> None:
                at = self.cell(f, q, i, j)
                e.store(e.fmul(e.load(at, self.elem, self.vector), sign), at)

            f.loop(f.word(0), x.m, 1, row)

        f.loop(f.word(0), x.n, 1, sign)
