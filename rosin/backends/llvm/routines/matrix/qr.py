"""The routines `qr_<dtype>`."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import SMALL
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.stack import Room
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.ir.ops.qr import BLOCK


class Qr(Reflecting):
    operands, results, told = 1, 2, ("m", "n", "width")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, width = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "width")
        least = e.intrinsic("llvm.smin", m, n)
        source = self.part(f, 0, number, e.mul(m, n))
        q, r = self.part(f, 1, number, e.mul(m, width)), self.part(f, 2, number, e.mul(width, n))
        bytes = self.dtype.bytes
        matrix, wide = room.take(e.mul(m, n), bytes), room.take(e.mul(m, width), bytes)
        scales = room.take(least, bytes)
        many = e.mul(e.add(m, n), f.word(BLOCK))
        work = room.take(many, bytes)
        lapack = self.lapack(f)
        far = lapack.least_one(m)
        self.turn(f, source, n, matrix, m, m, n)
        lapack.call("geqrf", m, n, matrix, far, scales, work, many, lapack.info())
        self._upper(f, matrix, r, m, n, width)
        self.copy(f, matrix, wide, e.mul(m, e.intrinsic("llvm.smin", n, width)))
        name = "ungqr" if self.dtype.is_complex else "orgqr"
        lapack.call(name, m, width, least, wide, far, scales, work, many, lapack.info())
        self.turn(f, wide, m, q, width, width, m)

    def _upper(self, f: Function, matrix: Val, r: Val, m: Val, n: Val, rows: Val) -> None:
        """The upper triangle of a matrix that lies column by column, row by row, with zeros below."""
        e = f.e

        def row(i: Val) -> None:
            def element(j: Val) -> None:
                target = self.place(e, r, e.add(e.mul(i, n), j))
                above = e.icmp("sle", i, j)
                f.when(
                    above,
                    lambda: self.move(e, self.place(e, matrix, e.add(e.mul(j, m), i)), target),
                    lambda: self.zero(e, target),
                )

            f.loop(f.word(0), n, 1, element)

        f.loop(f.word(0), rows, 1, row)

    # -- in lanes ------------------------------------------------------------------------------------------

    def is_small(self, f: Function) -> Val:
        return self.small(f, "m", "n", "width")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, m, n, width = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "width")
        count, one = e.mul(m, n), f.word(1)
        given, x = (self.vectors(f, SMALL * SMALL) for _ in range(2))
        scales = self.vectors(f, SMALL)
        a = Grid(given, n, one)
        self.exchange(f, 0, number, final, count, given, True)
        self.prefetch(f, 0, number, f.word(0), count, count)
        self.factor(f, a, m, n, scales)
        self.unfold(f, a, m, n, scales, Grid(x, width, one), width)
        self.exchange(f, 1, number, final, e.mul(m, width), x, False)

        def clear(i: Val) -> None:
            def zero(j: Val) -> None:
                self.store(f, self.real(f, self.number(e, 0.0)), self.cell(f, a, i, j))

            f.loop(f.word(0), e.intrinsic("llvm.smin", i, n), 1, zero)

        f.loop(f.word(0), width, 1, clear)
        self.exchange(f, 2, number, final, e.mul(width, n), given, False)
