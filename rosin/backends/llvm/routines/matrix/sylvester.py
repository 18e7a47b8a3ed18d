"""The routines `sylvester_<dtype>`."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.schur import Triangulating
from rosin.backends.llvm.routines.matrix.stack import Room


class Sylvester(Triangulating):
    """What lies row by row is, column by column, the transpose: bᵀ xᵀ + xᵀ aᵀ = cᵀ, with n rows and m columns."""

    operands, results, told = 3, 1, ("m", "n")

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n = f.e, self.word(f, "m"), self.word(f, "n")
        size = e.mul(m, n)
        squares = [(self.part(f, name, number, e.mul(k, k)), k) for name, k in ((1, n), (0, m))]
        source, target = (self.part(f, name, number, size) for name in (2, 3))

        def fail() -> None:
            self.nans(f, target, size)

        def solve() -> None:
            lapack = self.lapack(f)
            triangular: list[Val] = []
            unitary: list[Val] = []
            failures: list[Val] = []
            for matrix, k in squares:
                t, z = (room.take(e.mul(k, k), self.dtype.bytes) for _ in range(2))
                self.copy(f, matrix, t, e.mul(k, k))
                failures.append(self.triangulate(f, room, k, t, z))
                triangular.append(t)
                unitary.append(z)
            near, far = (room.take(size, self.dtype.bytes) for _ in range(2))
            self._product(f, "C", "N", (n, m, n), unitary[0], source, near)
            self._product(f, "N", "N", (n, m, m), near, unitary[1], far)
            info, scale = lapack.info(), f.variable(e.const(1.0, self.elem))
            sizes = (triangular[0], lapack.least_one(n), triangular[1], lapack.least_one(m), far, lapack.least_one(n))
            lapack.call("trsyl", "N", "N", f.word(1), n, m, *sizes, scale, info)
            self._product(f, "N", "N", (n, m, n), unitary[0], far, near)
            # What was scaled, so that nothing overflows in between, is scaled back.
            back = e.fdiv(e.const(1.0, self.elem), e.load(scale, self.elem))
            self._product(f, "N", "C", (n, m, m), near, unitary[1], target, back)
            failures.append(lapack.failed(info))
            f.when(e.bit_or(e.bit_or(*failures[:2]), failures[2]), fail)

        good = [self.finite(f, matrix, e.mul(k, k)) for matrix, k in squares]
        f.when(e.bit_and(*good), solve, fail)

    def _product(
        self,
        f: Function,
        left: str,
        right: str,
        sizes: tuple[Val, Val, Val],
        a: Val,
        b: Val,
        result: Val,
        by: Val | None = None,
    ) -> None:
        """A product of rows by columns over `inner`, times a real number; letters say what is turned."""
        e, lapack = f.e, self.lapack(f)
        rows, columns, inner = sizes
        one, zero = lapack.number(1), f.room(self.elem, 2)
        if by is not None:
            e.store(by, one)
        for part in range(2):
            e.store(e.const(0.0, self.elem), e.offset(zero, f.word(part), self.elem))
        steps = [
            lapack.least_one(k) for k in (inner if left == "C" else rows, columns if right == "C" else inner, rows)
        ]
        lapack.call("gemm", left, right, rows, columns, inner, one, a, steps[0], b, steps[1], zero, result, steps[2])
