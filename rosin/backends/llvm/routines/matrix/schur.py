"""The routines `schur_<dtype>`, and Schur's form as LAPACK finds it."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import Room, Stack
from rosin.ir.ops.qr import BLOCK


class Triangulating(Stack):
    """A routine that finds Schur's form."""

    def triangulate(self, f: Function, room: Room, n: Val, matrix: Val, unitary: Val) -> Val:
        """Put the triangular matrix in the place of one that lies column by column; whether that failed."""
        e, lapack, none = f.e, self.lapack(f), Val("null", "ptr")
        values = room.take(e.mul(n, f.word(2)), self.dtype.bytes)
        many = lapack.least_one(e.mul(n, f.word(BLOCK + 4)))
        work = room.take(many, self.dtype.bytes)
        info, least = lapack.info(), lapack.least_one(n)
        # Eigenvalues in no order: nothing selects them.
        given = ("V", "N", none, n, matrix, least, f.word(0))
        if self.dtype.is_complex:
            reals = room.take(n, self.dtype.part.bytes)
            given = (*given, values, unitary, least, work, many, reals, none, info)
        else:
            given = (*given, values, e.offset(values, n, self.elem), unitary, least, work, many, none, info)
        self.with_its_threads(f, n, lambda: lapack.call("gees", *given))
        return lapack.failed(info)


class Schur(Triangulating):
    operands, results, told = 1, 2, ("n",)

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source, triangular, unitary = (self.part(f, name, number, count) for name in range(3))

        def fail() -> None:
            self.nans(f, triangular, count)
            self.nans(f, unitary, count)

        def found() -> None:
            matrix, vectors = (room.take(count, self.dtype.bytes) for _ in range(2))
            self.turn(f, source, n, matrix, n, n, n)
            failed = self.triangulate(f, room, n, matrix, vectors)
            self.turn(f, matrix, n, triangular, n, n, n)
            self.turn(f, vectors, n, unitary, n, n, n)
            f.when(failed, fail)

        f.when(self.finite(f, source, count), found, fail)
