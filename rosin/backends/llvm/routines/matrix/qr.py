"""The routines `qr_<dtype>`."""

from __future__ import annotations

from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.reflections import Reflecting
from rosin.backends.llvm.routines.matrix.shared import Given, cut, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import Room
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.ir.ops.matrix import SMALL
from rosin.ir.ops.qr import BLOCK

LEAST = 32
"""Columns of a piece."""
KNOWN = {"matrix": "ptr", "together": "ptr", "work": "ptr", "m": "i64"}
"""What every piece is given."""


class Qr(Reflecting):
    operands, results, told = 1, 2, ("m", "n", "width")
    sizes: ClassVar[tuple[str, ...]] = told

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, width = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "width")
        least = e.intrinsic("llvm.smin", m, n)
        source = self.part(f, 0, number, e.mul(m, n))
        q, r = self.part(f, 1, number, e.mul(m, width)), self.part(f, 2, number, e.mul(width, n))
        bytes = self.dtype.bytes
        matrix, wide = room.take(e.mul(m, n), bytes), room.take(e.mul(m, width), bytes)
        # What a step's reflections are together, and work for as many columns as there are of either result.
        together = room.take(e.mul(least, f.word(BLOCK)), bytes)
        work = room.take(e.mul(e.intrinsic("llvm.smax", m, n), f.word(BLOCK)), bytes)
        self.turn(f, source, n, matrix, m, m, n)
        known = {"matrix": matrix, "together": together, "work": work, "m": m}
        f.loop(f.word(0), least, BLOCK, lambda k: self._step(f, known, n, k, least))
        self._upper(f, matrix, r, m, n, width)
        pieces, each = cut(f, width, LEAST)
        share(f, "unfold", pieces, {**known, "wide": wide, "q": q, "columns": width, "least": least, "width": each})

    def _reflect(
        self, f: Function, given: Given, k: Val, size: Val, letter: str, c: Val, count: Val, number: Val
    ) -> None:
        """Apply the reflections of step k to so many columns of c from row k on, in the work of a piece."""
        e, lapack, m = f.e, self.lapack(f), given["m"]
        own = self.place(e, given["matrix"], e.mul(k, e.add(m, f.word(1))))
        step = self.place(e, given["together"], e.mul(k, f.word(BLOCK)))
        work = self.place(e, given["work"], e.mul(e.mul(number, given["width"]), f.word(BLOCK)))
        rows, far = e.sub(m, k), f.word(BLOCK)
        lapack.call("larfb", "L", letter, "F", "C", rows, count, size, own, m, step, far, c, m, work, count)

    def _step(self, f: Function, known: Given, n: Val, k: Val, least: Val) -> None:
        """The reflections of some columns, and what they make of those behind."""
        e, lapack, m = f.e, self.lapack(f), known["m"]
        size = e.intrinsic("llvm.smin", e.sub(least, k), f.word(BLOCK))
        own = self.place(e, known["matrix"], e.mul(k, e.add(m, f.word(1))))
        step = self.place(e, known["together"], e.mul(k, f.word(BLOCK)))
        lapack.call("geqrt3", e.sub(m, k), size, own, m, step, f.word(BLOCK), lapack.info())
        pieces, width = cut(f, e.sub(e.sub(n, k), size), LEAST)
        share(f, "behind", pieces, {**known, "n": n, "k": k, "size": size, "width": width})

    def helpers(self) -> list[str]:
        return [*super().helpers(), self._behind(), self._unfold()]

    def _behind(self) -> str:
        """Some columns behind a step's."""
        f = self.function()
        e = f.e

        def columns(number: Val, given: Given) -> None:
            m, n, k, size, width = (given[name] for name in ("m", "n", "k", "size", "width"))
            j = e.add(e.add(k, size), e.mul(number, width))
            goal = self.place(e, given["matrix"], e.add(e.mul(j, m), k))
            count = e.intrinsic("llvm.smin", width, e.sub(n, j))
            self._reflect(f, given, k, size, "C", goal, count, number)

        return piece_text(f, "behind", {**KNOWN, **dict.fromkeys(("n", "k", "size", "width"), "i64")}, columns)

    def _unfold(self) -> str:
        """Some columns of q: those of a unit matrix, reflected by the last step first. Later steps leave them alone."""
        f = self.function()
        e = f.e

        def columns(number: Val, given: Given) -> None:
            m, wide, least, width = (given[name] for name in ("m", "wide", "least", "width"))
            j = e.mul(number, width)
            count = e.intrinsic("llvm.smin", width, e.sub(given["columns"], j))
            goal = self.place(e, wide, e.mul(j, m))
            self.fill(f, goal, e.mul(e.mul(count, m), f.word(self.parts)), 0.0)

            def one(c: Val) -> None:
                place = self.place(e, goal, e.add(e.mul(c, m), e.add(j, c)))
                e.store(e.const(1.0, self.elem), place)

            f.loop(f.word(0), count, 1, one)
            beyond = e.intrinsic("llvm.smin", e.add(j, count), least)
            steps = e.binary("sdiv", e.add(beyond, f.word(BLOCK - 1)), f.word(BLOCK))

            def step(t: Val) -> None:
                k = e.mul(e.sub(e.sub(steps, f.word(1)), t), f.word(BLOCK))
                size = e.intrinsic("llvm.smin", e.sub(least, k), f.word(BLOCK))
                self._reflect(f, given, k, size, "N", self.place(e, goal, k), count, number)

            f.loop(f.word(0), steps, 1, step)
            self.turn(f, goal, m, self.place(e, given["q"], j), given["columns"], count, m)

        given = {**KNOWN, "wide": "ptr", "q": "ptr", **dict.fromkeys(("columns", "least", "width"), "i64")}
        return piece_text(f, "unfold", given, columns)

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
