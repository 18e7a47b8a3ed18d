"""The routines `triangular_solve_<dtype>`, and how solutions are found in lanes."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import SMALL, Lanes
from rosin.backends.llvm.routines.matrix.stack import Room, parameters, passed


class Substituting(Lanes):
    """A routine that finds solutions for triangular matrices in lanes."""

    def helpers(self) -> list[str]:
        return [*super().helpers(), self._substitute()]

    def substitute(
        self, f: Function, a: Val, x: Val, n: Val, count: Val, lower: Val, transpose: Val, unit: Val
    ) -> None:
        """Put solutions in the place of right-hand sides, n rows of `count` numbers, all in vectors."""
        e = f.e
        down = e.icmp("eq", lower, e.bit_xor(transpose, e.const(True, "i1")))
        start = e.select(down, f.word(0), e.sub(n, f.word(1)))
        step = e.select(down, f.word(1), f.word(-1))
        row, column = e.select(transpose, f.word(1), n), e.select(transpose, n, f.word(1))
        e.line(f"call void @substitute({passed(a, x, n, count, start, step, row, column, unit)})")

    def _substitute(self) -> str:
        """Rows are taken from `start` on in steps; elements of `a` are `row` and `column` places apart."""
        f = self.function()
        e = f.e
        names = ("n", "count", "start", "step", "row", "column")
        n, count, start, step, row, column = (Val(f"%{name}", "i64") for name in names)
        a, x, unit = Val("%a", "ptr"), Val("%x", "ptr"), Val("%unit", "i1")

        def solve(t: Val) -> None:
            i = e.add(start, e.mul(t, step))
            own = self.at(e, a, e.mul(i, row))
            pivot = self.at(e, own, e.mul(i, column))
            goal = self.at(e, x, e.mul(i, count))

            def columns(c: Val, size: int) -> None:
                places = [self.at(e, goal, e.add(c, f.word(k))) for k in range(size)]
                sums = [self.variables(f, self.load(f, at)) for at in places]

                def less(u: Val) -> None:
                    k = e.add(start, e.mul(u, step))
                    factor = self.load(f, self.at(e, own, e.mul(k, column)))
                    known = self.at(e, x, e.add(e.mul(k, count), c))
                    for position, total in enumerate(sums):
                        other = self.load(f, self.at(e, known, f.word(position)))
                        self.assign(f, self.minus_product(e, self.value(f, total), factor, other), total)

                f.loop(f.word(0), t, 1, less)

                def divide() -> None:
                    by = self.load(f, pivot)
                    for total in sums:
                        self.assign(f, self.quotient(e, self.value(f, total), by), total)

                f.when(unit, lambda: None, divide)
                for at, total in zip(places, sums, strict=True):
                    self.store(f, self.value(f, total), at)

            self.blocks(f, f.word(0), count, columns)

        f.loop(f.word(0), n, 1, solve)
        e.line("ret void")
        given = parameters(("a", "ptr"), ("x", "ptr"), *((name, "i64") for name in names), ("unit", "i1"))
        return f.text(f"internal void @substitute({given})")


class TriangularSolve(Substituting):
    operands, results, told = 2, 1, ("n", "count", "lower", "transpose", "unit")

    def flags(self, f: Function) -> tuple[Val, Val, Val]:
        lower, transpose, unit = (f.e.icmp("ne", self.word(f, name), f.word(0)) for name in self.told[2:])
        return lower, transpose, unit

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        matrix = self.part(f, 0, number, e.mul(n, n))
        source, target = (self.part(f, name, number, e.mul(n, count)) for name in (1, 2))
        self.copy(f, source, target, e.mul(n, count))
        self.lapack(f).solve(*self.flags(f), matrix, n, target, count)

    def is_small(self, f: Function) -> Val:
        return self.small(f, "n", "count")

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, count = f.e, self.word(f, "n"), self.word(f, "count")
        a, x = (self.vectors(f, SMALL * SMALL) for _ in range(2))
        self.exchange(f, 0, number, final, e.mul(n, n), a, True)
        self.exchange(f, 1, number, final, e.mul(n, count), x, True)
        self.substitute(f, a, x, n, count, *self.flags(f))
        self.exchange(f, 2, number, final, e.mul(n, count), x, False)
