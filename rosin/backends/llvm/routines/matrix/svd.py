"""The routines `svd_<dtype>`, and `svd_values_<dtype>` for values alone."""

from __future__ import annotations

from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.stack import Room, Stack
from rosin.ir.ops.qr import BLOCK


class Svd(Stack):
    """A matrix that lies row by row is, column by column, its transpose: its left vectors are the right ones of the
    matrix, and they too come to lie as they should."""

    operands, results, told = 1, 3, ("m", "n", "least", "full")
    vectors: ClassVar[bool] = True

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, m, n, least = f.e, self.word(f, "m"), self.word(f, "n"), self.word(f, "least")
        source = self.part(f, 0, number, e.mul(m, n))
        full = e.icmp("ne", self.word(f, "full"), f.word(0))
        left, right = e.select(full, m, least), e.select(full, n, least)
        counts = [e.mul(m, left), least, e.mul(right, n)]
        real = self.dtype.part.bytes
        if self.vectors:
            u, s, vh = (self.part(f, i + 1, number, c, real if i == 1 else None) for i, c in enumerate(counts))
        else:
            s = self.part(f, 1, number, least, real)
            # Never written, and never read.
            u = vh = s

        def fail() -> None:
            self.fill(f, s, least, float("nan"))
            if self.vectors:
                self.nans(f, u, counts[0])
                self.nans(f, vh, counts[2])

        def empty() -> None:
            if self.vectors:
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
        wanted = e.select(full, *letters) if self.vectors else "N"
        info = lapack.info()
        lapack.call("gesdd", wanted, n, m, matrix, n, s, vh, n, u, left, *arguments, info)
        return lapack.failed(info)


class SvdValues(Svd):
    results, vectors = 1, False
