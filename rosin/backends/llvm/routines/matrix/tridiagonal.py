"""Eigenvalues of real symmetric matrices in lanes: Householder's reduction to three diagonals, then implicit QL steps.

Each lane has its own place where its matrix falls apart, and its own number of steps: a lane that is done, or whose
rotations have not begun, turns nothing until the others are done.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.tiles import UNIT, Grid
from rosin.ir.dataclass import dataclass
from rosin.ir.ops.matrix import SMALL

STEPS = 60
"""QL steps for one eigenvalue, at most; two or three are usual."""

NEGLIGIBLE = {"float": 2.0**-45, "double": 2.0**-400}
"""What counts as zero in matrices whose greatest number is near 1: far below rounding, though its square is normal."""


@dataclass(frozen=True)
class Band:
    """Three diagonals: the main one, and the one beside it, whose last number is zero; and rows that turn with them."""

    main: Val
    beside: Val
    n: Val
    turned: Grid | None
    """Row i becomes eigenvector i."""


class Tridiagonal(Reflecting):
    """A routine that finds eigenvalues of real matrices in lanes."""

    plain = True

    # -- to three diagonals --------------------------------------------------------------------------------

    def symmetrize(self, f: Function, a: Val, n: Val) -> tuple[Val, Val]:
        """Make matrices their symmetric part, scaled by powers of two to numbers near 1, and zero where a number is not
        finite; what to scale eigenvalues by, and which matrices are finite."""
        e = f.e
        half, zero = self.number(e, 0.5), self.number(e, 0.0)
        most, sums = f.variable(zero), f.variable(zero)

        def mean(i: Val, j: Val) -> None:
            here, there = (e.add(e.mul(x, n), y) for x, y in ((i, j), (j, i)))
            # Halves first: their sum does not overflow.
            x, y = (e.fmul(self.vector_at(f, a, at), half) for at in (here, there))
            value = e.fadd(x, y)
            for at in (here, there):
                self.put_vector(f, value, a, at)
            e.store(
                e.intrinsic("llvm.maxnum", e.intrinsic("llvm.fabs", value), e.load(most, self.elem, self.vector)), most
            )
            e.store(e.fma(value, zero, e.load(sums, self.elem, self.vector)), sums)

        self.triangle(f, n, n, False, mean)
        good = e.fcmp("oeq", e.load(sums, self.elem, self.vector), zero)
        scale, inverse = self.power_of_two(f, e.load(most, self.elem, self.vector))

        def put(i: Val) -> None:
            x = e.fmul(self.vector_at(f, a, i), inverse)
            self.put_vector(f, e.select(good, x, zero), a, i)

        f.loop(f.word(0), e.mul(n, n), 1, put)
        return scale, good

    def reduce(self, f: Function, a: Val, band: Band, scales: Val) -> None:
        """Fill a band; reflections stay below the diagonal beside the main one."""
        e, n, one = f.e, band.n, f.word(1)
        grid = Grid(a, n, one)
        line = self.vectors(f, SMALL)

        def step(k: Val) -> None:
            head = e.add(k, one)
            self.put_vector(f, self.vector_at(f, a, e.mul(k, e.add(n, one))), band.main, k)

            def beside() -> None:
                self.reflect(f, grid, head, n, k, scales)
                self.put_vector(f, self.vector_at(f, a, e.add(e.mul(head, n), k)), band.beside, k)
                self.put_vector(f, self.number(e, 1.0), a, e.add(e.mul(head, n), k))
                self._update(f, grid, k, n, self.vector_at(f, scales, k), line)

            f.when(e.icmp("slt", head, n), beside, lambda: self.put_vector(f, self.number(e, 0.0), band.beside, k))

        f.loop(f.word(0), n, 1, step)

    def _update(self, f: Function, a: Grid, k: Val, n: Val, scale: Val, line: Val) -> None:
        """Reflect what is right of and below column k from both sides: a - v wᵀ - w vᵀ."""
        e, head = f.e, f.e.add(k, f.word(1))
        zero = self.number(e, 0.0)
        along = f.variable(zero)

        def products(i: Val, count: int) -> None:
            sums = self.sums(f, [[(zero,)] for _ in range(count)])
            rows = [self.cell(f, a, e.add(i, f.word(r)), head) for r in range(count)]
            self.subtract_products(f, sums, rows, a.column, [self.cell(f, a, head, k)], a.row, e.sub(n, head))
            for r, (row,) in enumerate(sums):
                place = e.add(i, f.word(r))
                value = e.fmul(e.fneg(self.value(f, row)[0]), scale)
                self.put_vector(f, value, line, place)
                own = e.load(self.cell(f, a, place, k), self.elem, self.vector)
                e.store(e.fma(value, own, e.load(along, self.elem, self.vector)), along)

        self.tiled(f, head, n, self.tile[0], products)
        half = e.fmul(e.fmul(scale, self.number(e, -0.5)), e.load(along, self.elem, self.vector))

        def direct(i: Val) -> None:
            own = e.load(self.cell(f, a, i, k), self.elem, self.vector)
            self.put_vector(f, e.fma(half, own, self.vector_at(f, line, i)), line, i)

        f.loop(head, n, 1, direct)

        def rows(i: Val, count: int) -> None:
            places = [e.add(i, f.word(r)) for r in range(count)]
            pairs = [
                (e.load(self.cell(f, a, p, k), self.elem, self.vector), self.vector_at(f, line, p)) for p in places
            ]

            def column(j: Val) -> None:
                v, w = e.load(self.cell(f, a, j, k), self.elem, self.vector), self.vector_at(f, line, j)
                for place, (own_v, own_w) in zip(places, pairs, strict=True):
                    at = self.cell(f, a, place, j)
                    x = e.load(at, self.elem, self.vector)
                    e.store(e.fma(e.fneg(own_v), w, e.fma(e.fneg(own_w), v, x)), at)

            f.loop(head, n, 1, column)

        self.tiled(f, head, n, self.tile[0], rows)

    def unfold_reduction(self, f: Function, a: Val, n: Val, scales: Val, turned: Grid) -> None:
        """The product of the reflections of `reduce`, its columns as rows."""
        e, one = f.e, f.word(1)
        x = turned.turned
        self.unit(f, x, n, n)

        def step(t: Val) -> None:
            k = e.sub(e.sub(n, f.word(2)), t)
            head = e.add(k, one)
            scale = self.load(f, self.at(e, scales, k))
            self.apply(f, Grid(a, n, one), head, n, k, scale, x, head, n)

        f.loop(f.word(0), e.sub(n, one), 1, step)

    # -- QL steps ------------------------------------------------------------------------------------------

    def diagonalize(self, f: Function, band: Band) -> Val:
        """Make the main diagonal eigenvalues, in no order; which lanes have found all of them."""
        e, lanes = f.e, self.vector
        done = f.variable(e.const(True, "i1", lanes))

        def value(place: Val) -> None:
            count, going = f.variable(f.word(0)), f.variable(e.const(True, "i1"))

            def step() -> None:
                self._ql_step(f, band, place, going)
                more = e.icmp("slt", f.add_to(count, f.word(1)), f.word(STEPS))
                e.store(e.bit_and(e.load(going, "i1"), more), going)

            f.repeat(lambda: e.load(going, "i1"), step)
            # The last step of those allowed was not the one that found nothing left to do.
            left = e.icmp("sgt", e.load(count, "i64"), f.word(STEPS))
            ended = self._small(f, band, place)
            e.store(
                e.bit_and(
                    e.load(done, "i1", lanes), e.bit_or(e.splat(e.bit_xor(left, e.const(True, "i1")), lanes), ended)
                ),
                done,
            )

        f.loop(f.word(0), band.n, 1, value)
        return e.load(done, "i1", lanes)

    def _small(self, f: Function, band: Band, i: Val) -> Val:
        """Where the number beside the diagonal at a place is but rounding of those on it."""
        e = f.e
        following = e.intrinsic("llvm.smin", e.add(i, f.word(1)), e.sub(band.n, f.word(1)))
        sizes = [e.intrinsic("llvm.fabs", self.vector_at(f, band.main, k)) for k in (i, following)]
        bound = e.fma(e.fadd(*sizes), self.number(e, UNIT[self.elem]), self.number(e, NEGLIGIBLE[self.elem]))
        return e.fcmp("ole", e.intrinsic("llvm.fabs", self.vector_at(f, band.beside, i)), bound)

    def _ql_step(self, f: Function, band: Band, first: Val, going: Val) -> None:
        """A step on what hangs together from place `first` on, or word that nothing does in any lane."""
        e, n, lanes = f.e, band.n, self.vector
        last = e.sub(n, f.word(1))
        end = f.variable(self.everywhere(f, last))
        final = f.variable(self.vector_at(f, band.main, last))

        def look(t: Val) -> None:
            i = e.sub(e.add(first, last), e.add(t, f.word(1)))
            small = self._small(f, band, i)
            e.store(e.select(small, self.everywhere(f, i), e.load(end, "i32", lanes)), end)
            e.store(e.select(small, self.vector_at(f, band.main, i), e.load(final, self.elem, lanes)), final)

        f.loop(first, last, 1, look)
        ends = e.load(end, "i32", lanes)
        active = e.icmp("sgt", ends, self.everywhere(f, first))
        some = e.intrinsic_across("llvm.vector.reduce.or", active)
        e.store(some, going)
        f.when(some, lambda: self._chase(f, band, first, ends, active, e.load(final, self.elem, lanes)))

    def _chase(self, f: Function, band: Band, first: Val, ends: Val, active: Val, final: Val) -> None:
        """Rotations from the end of each lane's block to its begin."""
        e, lanes, n = f.e, self.vector, band.n
        zero, one = self.number(e, 0.0), self.number(e, 1.0)
        after = e.add(first, f.word(1))
        top, beside = self.vector_at(f, band.main, first), self.vector_at(f, band.beside, first)
        beside = e.select(active, beside, one)
        shift = e.fdiv(e.fsub(self.vector_at(f, band.main, after), top), e.fadd(beside, beside))
        root = e.intrinsic("llvm.sqrt", e.fma(shift, shift, one))
        shift = e.fadd(shift, e.intrinsic("llvm.copysign", root, shift))
        g = f.variable(e.fadd(e.fsub(final, top), e.fdiv(beside, shift)))
        s, c, p = f.variable(one), f.variable(one), f.variable(zero)

        def rotate(t: Val) -> None:
            i = e.sub(e.sub(n, f.word(2)), e.sub(t, first))
            following = e.add(i, f.word(1))
            on = e.bit_and(active, e.icmp("slt", self.everywhere(f, i), ends))
            sine, cosine, gap, less = (e.load(v, self.elem, lanes) for v in (s, c, g, p))
            own = self.vector_at(f, band.beside, i)
            bulge, side = e.fmul(sine, own), e.fmul(cosine, own)
            square = e.fma(bulge, bulge, e.fmul(gap, gap))
            none = e.fcmp("olt", square, self.number(e, NEGLIGIBLE[self.elem] ** 2))
            length = e.intrinsic("llvm.sqrt", square)
            inverse = e.fdiv(one, e.select(none, one, length))
            begins = e.icmp("eq", self.everywhere(f, following), ends)
            old = self.vector_at(f, band.beside, following)
            kept = e.select(none, zero, length)
            self.put_vector(f, e.select(on, e.select(begins, zero, kept), old), band.beside, following)
            # Nothing to make zero: no rotation.
            sine = e.select(none, zero, e.fmul(bulge, inverse))
            cosine = e.select(none, one, e.fmul(gap, inverse))
            upper, lower = self.vector_at(f, band.main, following), self.vector_at(f, band.main, i)
            rest = e.fsub(upper, less)
            turn = e.fma(e.fsub(lower, rest), sine, e.fmul(e.fadd(cosine, cosine), side))
            less = e.fmul(sine, turn)
            self.put_vector(f, e.select(on, e.fadd(rest, less), upper), band.main, following)
            found = e.fsub(e.fmul(cosine, turn), side)
            for value, variable in ((sine, s), (cosine, c), (found, g), (less, p)):
                e.store(e.select(on, value, e.load(variable, self.elem, lanes)), variable)
            if band.turned is not None:
                turned = band.turned
                sine, cosine = e.select(on, sine, zero), e.select(on, cosine, one)

                def element(k: Val) -> None:
                    places = [self.cell(f, turned, row, k) for row in (i, following)]
                    x, y = (e.load(at, self.elem, lanes) for at in places)
                    e.store(e.fma(cosine, x, e.fneg(e.fmul(sine, y))), places[0])
                    e.store(e.fma(sine, x, e.fmul(cosine, y)), places[1])

                f.loop(f.word(0), n, 1, element)

        f.loop(first, e.sub(n, f.word(1)), 1, rotate)
        less = e.fsub(top, e.load(p, self.elem, lanes))
        self.put_vector(f, e.select(active, less, top), band.main, first)
        found = e.load(g, self.elem, lanes)
        self.put_vector(f, e.select(active, found, self.vector_at(f, band.beside, first)), band.beside, first)
