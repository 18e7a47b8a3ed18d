"""The routines `triangular_solve_<dtype>`, and how solutions are found in lanes."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.shared import Given, cut, piece_text, share
from rosin.backends.llvm.routines.matrix.stack import Room, parameters, passed
from rosin.backends.llvm.routines.matrix.tiles import Tiles

LEAST = 64
"""Columns of a piece."""


class Substituting(Tiles):
    """A routine that finds solutions for triangular matrices in lanes."""

    def helpers(self) -> list[str]:
        return [*super().helpers(), self._substitute()]

    # -- in lanes ------------------------------------------------------------------------------------------

    def substitute(
        self,
        f: Function,
        a: Val,
        x: Val,
        n: Val,
        count: Val,
        lower: Val,
        transpose: Val,
        unit: Val,
        *,
        unit_right: bool = False,
    ) -> None:
        """Put solutions in the place of right-hand sides, n rows of `count` numbers, all in vectors as of
        `exchange_rows`.

        With `unit_right` these are unit matrices, and rows are taken from the first one on: solutions are triangular.
        """
        e = f.e
        down = e.icmp("eq", lower, e.bit_xor(transpose, e.const(True, "i1")))
        start = e.select(down, f.word(0), e.sub(n, f.word(1)))
        step = e.select(down, f.word(1), f.word(-1))
        apart = self.row(f, n)
        row, column = e.select(transpose, f.word(1), apart), e.select(transpose, apart, f.word(1))
        given = (a, x, n, count, self.row(f, count), start, step, row, column, unit, e.const(unit_right, "i1"))
        e.line(f"call void @substitute({passed(*given)})")

    def _substitute(self) -> str:
        """Rows are taken from `start` on in steps; elements of `a` are `row` and `column` places apart, rows of `x`
        `apart`.

        Tile by tile: what known rows contribute is subtracted from a tile's rows, which then are solved for in turn.
        """
        f = self.function()
        e = f.e
        names = ("n", "count", "apart", "start", "step", "row", "column")
        n, count, apart, start, step, row, column = (Val(f"%{name}", "i64") for name in names)
        a, x, unit = Val("%a", "ptr"), Val("%x", "ptr"), Val("%unit", "i1")
        one = (self.number(e, 1.0), *[self.number(e, 0.0)] * (self.parts - 1))

        def block(t: Val, size: int) -> None:
            numbers = [e.add(start, e.mul(e.add(t, f.word(r)), step)) for r in range(size)]
            lines = [e.mul(i, row) for i in numbers]
            own = [
                [self.at(e, a, e.add(line, e.mul(i, column))) for i in numbers[: r + 1]] for r, line in enumerate(lines)
            ]
            inverses = [self.chosen(e, unit, one, self.quotient(e, one, self.load(f, places[-1]))) for places in own]
            first = e.mul(start, column)
            left = [self.at(e, a, e.add(line, first)) for line in lines]

            def tile(c: Val, width: int) -> None:
                goals = [
                    [self.at(e, x, e.add(e.mul(i, apart), e.add(c, f.word(k)))) for k in range(width)] for i in numbers
                ]
                sums = self.sums(f, [[self.load(f, at) for at in line] for line in goals])
                right = [self.at(e, x, e.add(e.mul(start, apart), e.add(c, f.word(k)))) for k in range(width)]
                # The first rows that are known to be zeros there contribute nothing.
                none = e.select(Val("%sparse", "i1"), e.intrinsic("llvm.smin", c, t), f.word(0))
                steps = e.mul(step, column), e.mul(step, apart)
                starts = [
                    [self.at(e, at, e.mul(none, by)) for at in side]
                    for side, by in zip((left, right), steps, strict=True)
                ]
                self.subtract_products(f, sums, starts[0], steps[0], starts[1], steps[1], e.sub(t, none))
                values = self.values(f, sums)
                for r, line in enumerate(values):
                    for above in range(r):
                        factor = self.load(f, own[r][above])
                        line[:] = [
                            self.minus_product(e, v, factor, w) for v, w in zip(line, values[above], strict=True)
                        ]
                    line[:] = [self.product(e, v, inverses[r]) for v in line]
                    for v, at in zip(line, goals[r], strict=True):
                        self.store(f, v, at)

            self.tiled(f, f.word(0), count, self.columns_of(size), tile)

        self.tiled(f, f.word(0), n, self.tile[0], block)
        e.line("ret void")
        given = parameters(
            ("a", "ptr"), ("x", "ptr"), *((name, "i64") for name in names), ("unit", "i1"), ("sparse", "i1")
        )
        return f.text(f"internal void @substitute({given})")


class ByColumns(Substituting):
    """A routine whose threads share the columns of one matrix's solutions."""

    arrays: ClassVar[tuple[str, ...]]
    """Names of the addresses that pieces are given."""
    numbers: ClassVar[tuple[str, ...]] = ("n", "count")
    """Names of the numbers; `count` is that of all columns."""

    def by_columns(self, f: Function, given: Given) -> None:
        """Have threads find some columns of the solutions each."""
        pieces, width = cut(f, given["count"], LEAST)
        share(f, "columns", pieces, {**{name: given[name] for name in (*self.arrays, *self.numbers)}, "width": width})

    def piece(self, f: Function, number: Val, given: Given) -> Val:
        """Which piece comes in that place. A thread begins with a row of places of its own."""
        return number

    @abstractmethod
    def columns(self, f: Function, given: Given, c: Val, width: Val) -> None:
        """Find the solutions' columns from c on, so many."""

    def helpers(self) -> list[str]:
        return [*super().helpers(), self._piece()]

    def _piece(self) -> str:
        f = self.function()
        e = f.e

        def some(number: Val, given: Given) -> None:
            c = e.mul(self.piece(f, number, given), given["width"])
            self.columns(f, given, c, e.intrinsic("llvm.smin", given["width"], e.sub(given["count"], c)))

        given = {**dict.fromkeys(self.arrays, "ptr"), **dict.fromkeys((*self.numbers, "width"), "i64")}
        return piece_text(f, "columns", given, some)

    def copy_rows(
        self,
        f: Function,
        source: Val,
        target: Val,
        given: Given,
        width: Val,
        order: Val | None = None,
        back: bool = False,
    ) -> None:
        """So many columns of n rows, which have `count` in memory. Row i is what row order[i] was, or `back`."""
        e = f.e

        def row(i: Val) -> None:
            other = i if order is None else e.convert("sext", e.load(e.offset(order, i, "i32"), "i32"), "i64")
            read, write = (i, other) if back else (other, i)
            from_, to = (self.place(e, at, e.mul(r, given["count"])) for at, r in ((source, read), (target, write)))
            self.copy(f, from_, to, width)

        f.loop(f.word(0), given["n"], 1, row)


class TriangularSolve(ByColumns):
    operands, results, told = 2, 1, ("n", "count", "lower", "transpose", "unit")
    sizes: ClassVar[tuple[str, ...]] = ("n", "count")
    arrays: ClassVar[tuple[str, ...]] = ("a", "source", "target")
    numbers: ClassVar[tuple[str, ...]] = told

    def flags(self, f: Function) -> tuple[Val, Val, Val]:
        lower, transpose, unit = (f.e.icmp("ne", self.word(f, name), f.word(0)) for name in self.told[2:])
        return lower, transpose, unit

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        matrix = self.part(f, 0, number, e.mul(n, n))
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (1, 2))
        flags = {name: self.word(f, name) for name in self.told[2:]}
        self.by_columns(f, {"a": matrix, "n": n, "source": source, "target": target, "count": count, **flags})

    def columns(self, f: Function, given: Given, c: Val, width: Val) -> None:
        e = f.e
        source, target = (self.place(e, given[name], c) for name in ("source", "target"))
        self.copy_rows(f, source, target, given, width)
        lower, transpose, unit = (e.icmp("ne", given[name], f.word(0)) for name in self.told[2:])
        self.lapack(f).solve(lower, transpose, unit, given["a"], given["n"], target, width, given["count"])

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        a, x = (self.matrices(f) for _ in range(2))
        self.exchange_rows(f, 0, number, final, n, n, a, True)
        self.exchange_rows(f, 1, number, final, n, count, x, True)
        self.prefetch(f, 0, number, f.word(0), e.mul(n, n), e.mul(n, n))
        self.substitute(f, a, x, n, count, *self.flags(f))
        self.exchange_rows(f, 2, number, final, n, count, x, False)
