"""The routines `svd_<dtype>`, and `svd_values_<dtype>` for values alone."""

from __future__ import annotations

import math
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.jacobi import Columns, Rotating
from rosin.backends.llvm.routines.matrix.stack import Room
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.ir.ops.matrix import SMALL
from rosin.ir.ops.qr import BLOCK

MOST_ROTATED = 20
"""So many rows or columns, whichever are fewer, matrices have at most that are worked on in lanes."""

MOST_ROTATED_ALONE = 4
"""The same for few matrices."""


class Svd(Rotating):
    """A matrix that lies row by row is, column by column, its transpose: its left vectors are the right ones of the
    matrix, and they too come to lie as they should."""

    operands, results, told = 1, 3, ("m", "n", "least", "full")
    sizes: ClassVar[tuple[str, ...]] = ("m", "n")
    vectors_too: ClassVar[bool] = True
    swapped: ClassVar[tuple[int, ...]] = (4, 1)
    plain = True

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, least = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "least")
        source = self.part(f, 0, number, e.mul(m, n))
        full = e.icmp("ne", self.word(f, "full"), f.word(0))
        left, right = e.select(full, m, least), e.select(full, n, least)
        counts = [e.mul(m, left), least, e.mul(right, n)]
        real = self.dtype.part.bytes
        if self.vectors_too:
            u, s, vh = (self.part(f, i + 1, number, c, real if i == 1 else None) for i, c in enumerate(counts))
        else:
            s = self.part(f, 1, number, least, real)
            # Never written, and never read.
            u = vh = s

        def fail() -> None:
            self.fill(f, s, least, math.nan)
            if self.vectors_too:
                self.nans(f, u, counts[0])
                self.nans(f, vh, counts[2])

        def empty() -> None:
            if self.vectors_too:
                self.identity(f, u, left)
                self.identity(f, vh, right)

        def found() -> None:
            f.when(self._decompose(f, room, source, u, s, vh, full, left), fail)

        def some() -> None:
            f.when(self.finite(f, source, e.mul(m, n)), found, fail)

        f.when(e.icmp("eq", least, f.word(0)), empty, some)

    def _decompose(self, f: Function, room: Room, source: Val, u: Val, s: Val, vh: Val, full: Val, left: Val) -> Val:
        """Write the results; whether that failed."""
        e, m, n, least = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "least")
        lapack, bytes, square = self.lapack(f), self.dtype.bytes, e.mul(least, least)
        matrix = room.take(e.mul(m, n), bytes)
        self.copy(f, source, matrix, e.mul(m, n))
        # 4 k² + 7 k + (m + n) (BLOCK + 1) numbers, as the op has made room for.
        many = e.add(e.mul(f.word(4), square), e.mul(f.word(7), least))
        many = e.add(many, e.mul(e.add(m, n), f.word(BLOCK + 1)))
        arguments: list[Val] = [room.take(many, bytes), many]
        if self.dtype.is_complex:
            reals = e.add(e.mul(f.word(5), square), e.mul(f.word(7), least))
            reals = e.add(reals, e.mul(f.word(2), e.mul(m, n)))
            arguments.append(room.take(reals, self.dtype.part.bytes))
        arguments.append(room.take(e.mul(least, f.word(8)), 8))
        letters = [Val(str(ord(letter)), "i8") for letter in "AS"]
        wanted = e.select(full, *letters) if self.vectors_too else "N"
        info = lapack.info()
        sizes = (wanted, n, m, matrix, n, s, vh, n, u, left, *arguments, info)
        self.with_its_threads(f, least, lambda: lapack.call("gesdd", *sizes))
        return lapack.failed(info)

    # -- in lanes ------------------------------------------------------------------------------------------

    def helpers(self) -> list[str]:
        return [*super().helpers(), *(self.swaps(self.elem) if self.has_lanes else [])]

    @property
    def has_lanes(self) -> bool:
        return self.parts == 1

    def limits(self) -> dict[str, tuple[int, int, int]]:
        # Rotations cost more than LAPACK's way from some size on.
        return {**super().limits(), "least": (1, MOST_ROTATED, MOST_ROTATED_ALONE)}

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, m, n, least = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "least")
        count, one = e.mul(m, n), f.word(1)
        given = self.vectors(f, SMALL * SMALL)
        turned = Grid(self.vectors(f, SMALL * SMALL), least, one) if self.vectors_too else None
        values = self.vectors(f, SMALL)
        wide, most = e.icmp("slt", m, n), e.intrinsic("llvm.smax", m, n)
        # What has more columns than rows is taken for its transpose. The columns of either lie as rows.
        a = Grid(self.vectors(f, SMALL * SMALL), one, most)
        columns = Columns(a, most, least, turned)
        self.exchange(f, 0, number, final, count, given, True)
        scale, good = self.normalize(f, given, count)
        source = Grid(given, e.select(wide, one, n), e.select(wide, n, one))

        def line(j: Val) -> None:
            def element(i: Val) -> None:
                value = e.load(self.cell(f, source, i, j), self.elem, self.vector)
                e.store(value, self.cell(f, a, i, j))

            f.loop(f.word(0), most, 1, element)

        f.loop(f.word(0), least, 1, line)
        is_done = f.variable(e.const(False, "i1", self.vector))
        f.apart("orthogonalize", lambda: f.e.store(self.orthogonalize(f, columns), is_done))
        good = e.bit_and(good, e.load(is_done, "i1", self.vector))
        f.apart("order_columns", lambda: self.order_columns(f, columns, values))
        nan = self.number(e, math.nan)

        def put(i: Val) -> None:
            self.put_vector(f, e.select(good, e.fmul(self.vector_at(f, values, i), scale), nan), values, i)

        f.loop(f.word(0), least, 1, put)
        if turned is None:
            self.exchange(f, 1, number, final, least, values, False)
            return
        self.exchange(f, 2, number, final, least, values, False)
        self._put_vectors(f, columns, turned, number, final, good, wide)

    def _put_vectors(
        self, f: Function, x: Columns, turned: Grid, number: Val, final: Val, good: Val, wide: Val
    ) -> None:
        """Write u and vh: the vectors of the side with more rows, and the rotations as those of the other side."""
        e, m, n = f.e, self.word(f, "m"), self.word(f, "n")
        full = e.icmp("ne", self.word(f, "full"), f.word(0))
        left, right = e.select(full, m, x.n), e.select(full, n, x.n)
        q = Grid(self.vectors(f, SMALL * SMALL), e.select(full, x.m, x.n), f.word(1))
        f.apart("orthonormalize", lambda: self.orthonormalize(f, x, q, q.row))
        shown = self.vectors(f, SMALL * SMALL)

        def show(result: int, grid: Grid, rows: Val, columns: Val) -> None:
            """Row by row, and NaN where there is no result."""

            def row(i: Val) -> None:
                def element(j: Val) -> None:
                    value = e.load(self.cell(f, grid, i, j), self.elem, self.vector)
                    value = e.select(good, value, self.number(e, math.nan))
                    self.put_vector(f, value, shown, e.add(e.mul(i, columns), j))

                f.loop(f.word(0), columns, 1, element)

            f.loop(f.word(0), rows, 1, row)
            self.exchange(f, result, number, final, e.mul(rows, columns), shown, False)

        def either(own: Grid, other: Grid) -> Grid:
            return Grid(*(e.select(wide, p, q) for p, q in zip(own, other, strict=True)))

        show(1, either(turned.turned, q), m, left)
        show(3, either(q.turned, turned), right, n)


class SvdValues(Svd):
    results, vectors_too = 1, False
    swapped = (1,)
