"""The routines `eigh_<dtype>`, `eig_<dtype>`, and the same for values alone."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.halves import LEAF, Halves
from rosin.backends.llvm.routines.matrix.stack import BY_LAPACK, EITHER, IN_HALVES, SIDE_BY_SIDE, Room, Stack
from rosin.backends.llvm.routines.matrix.tiles import Grid
from rosin.backends.llvm.routines.matrix.tridiagonal import Band, Tridiagonal
from rosin.ir.dims import Dim
from rosin.ir.ops.eigen import REFLECTED
from rosin.ir.ops.matrix import SMALL
from rosin.ir.ops.qr import BLOCK


class Eigen(Stack):
    """A routine whose results are values, and vectors."""

    operands, results, told = 1, 2, ("n",)
    vectors_too: ClassVar[bool] = True

    def one(self, f: Function, number: Val, room: Room) -> None:
        e, n = f.e, self.word(f, "n")
        count = e.mul(n, n)
        source = self.part(f, 0, number, count)
        scale = self.width
        values = self.part(f, 1, number, n, scale * self.dtype.part.bytes)
        vectors = (
            self.part(f, 2, number, count, self.vector_parts * self.dtype.part.bytes) if self.vectors_too else None
        )

        def fail() -> None:
            self.fill(f, values, e.mul(n, f.word(scale)), float("nan"))
            if vectors is not None:
                self.fill(f, vectors, e.mul(count, f.word(self.vector_parts)), float("nan"))

        def found() -> None:
            matrix = room.take(count, self.dtype.bytes)
            self.prepare(f, source, matrix, n)
            f.when(self.decompose(f, room, n, matrix, values, vectors), fail)

        f.when(self.finite(f, source, count), found, fail)

    def prepare(self, f: Function, source: Val, matrix: Val, n: Val) -> None:
        """The matrix, column by column, as far as LAPACK reads it."""
        self.turn(f, source, n, matrix, n, n, n)

    width: ClassVar[int]
    """Real numbers in an eigenvalue."""

    @property
    def vector_parts(self) -> int:
        """Real numbers in an element of an eigenvector."""
        return self.parts

    @abstractmethod
    def decompose(self, f: Function, room: Room, n: Val, matrix: Val, values: Val, vectors: Val | None) -> Val:
        """Write the results for a matrix that lies column by column; whether that failed."""


class Eigh(Halves, Tridiagonal, Eigen):
    width = 1
    swapped: ClassVar[tuple[int, ...]] = (4, 1)

    def way_of(self, numbers: Sequence[Dim]) -> str:
        found, n = super().way_of(numbers), numbers[-1]
        if found in SIDE_BY_SIDE or not self.vectors_too or not isinstance(n, int):
            return found
        if n > LEAF:
            return IN_HALVES
        return found if self.has_lanes else BY_LAPACK

    def prepare(self, f: Function, source: Val, matrix: Val, n: Val) -> None:
        self.hermitian(f, source, matrix, n, True)

    def decompose(self, f: Function, room: Room, n: Val, matrix: Val, values: Val, vectors: Val | None) -> Val:
        if vectors is None or self.way == BY_LAPACK:
            return self._by_lapack(f, room, n, matrix, values, vectors)
        if self.way == IN_HALVES:
            return self.in_halves(f, room, n, matrix, values, vectors)
        e, start = f.e, room.next
        failed = f.variable(e.const(False, "i1"))

        def whole() -> None:
            e.store(self._by_lapack(f, Room(f, start), n, matrix, values, vectors), failed)

        def in_halves() -> None:
            e.store(self.in_halves(f, Room(f, start), n, matrix, values, vectors), failed)

        f.when(e.icmp("sgt", n, f.word(LEAF)), in_halves, whole)
        return e.load(failed, "i1")

    def _by_lapack(self, f: Function, room: Room, n: Val, matrix: Val, values: Val, vectors: Val | None) -> Val:
        """Values, and vectors of a short matrix."""
        e, lapack, bytes, is_complex = f.e, self.lapack(f), self.dtype.bytes, self.dtype.is_complex
        square = e.mul(n, n) if vectors else f.word(0)
        many = e.add(e.mul(n, f.word(REFLECTED + 6)), e.add(e.mul(square, f.word(1 if is_complex else 2)), f.word(1)))
        arguments: list[Val] = [room.take(many, bytes), many]
        if is_complex:
            reals = e.add(e.mul(n, f.word(5)), e.add(e.mul(square, f.word(2)), f.word(1)))
            arguments += [room.take(reals, self.dtype.part.bytes), reals]
        integers = e.add(e.mul(n, f.word(5)), f.word(3))
        arguments += [room.take(integers, 8), integers]
        info = lapack.info()
        name = "heevd" if is_complex else "syevd"
        sizes = ("V" if vectors else "N", "L", n, matrix, n, values)
        self.with_its_threads(f, n, lambda: lapack.call(name, *sizes, *arguments, info))
        if vectors:
            self.turn(f, matrix, n, vectors, n, n, n)
        return lapack.failed(info)

    # -- in lanes ------------------------------------------------------------------------------------------

    def helpers(self) -> list[str]:
        halves = self.half_helpers() if self.vectors_too and self.way in (EITHER, IN_HALVES) else []
        return [*super().helpers(), *(self.swaps(self.elem) if self.has_lanes else []), *halves]

    @property
    def has_lanes(self) -> bool:
        return self.parts == 1

    def group(self, f: Function, number: Val, final: Val) -> None:
        e, n, lanes = f.e, self.word(f, "n"), self.vector
        count, one = e.mul(n, n), f.word(1)
        a = self.vectors(f, SMALL * SMALL)
        main, beside, scales = (self.vectors(f, SMALL) for _ in range(3))
        turned = Grid(self.vectors(f, SMALL * SMALL), n, one) if self.vectors_too else None
        band = Band(main, beside, n, turned)
        self.exchange(f, 0, number, final, count, a, True)
        scale, good = self.symmetrize(f, a, n)
        f.apart("reduce", lambda: self.reduce(f, a, band, scales))
        if turned:
            f.apart("unfold_reduction", lambda: self.unfold_reduction(f, a, n, scales, turned))
        is_done = f.variable(e.const(False, "i1", lanes))
        f.apart("diagonalize", lambda: f.e.store(self.diagonalize(f, band), is_done))
        good = e.bit_and(good, e.load(is_done, "i1", lanes))
        moved = [self.rows(f, main, one)] + ([self.rows(f, turned.start, n)] if turned else [])
        self.sort(f, main, n, moved, descending=False)
        nan = self.number(e, math.nan)

        def put(i: Val) -> None:
            self.put_vector(f, e.select(good, e.fmul(self.vector_at(f, main, i), scale), nan), main, i)

        f.loop(f.word(0), n, 1, put)
        self.exchange(f, 1, number, final, n, main, False)
        if turned:

            def row(i: Val) -> None:
                def element(j: Val) -> None:
                    x = e.load(self.cell(f, turned, j, i), self.elem, lanes)
                    self.put_vector(f, e.select(good, x, nan), a, e.add(e.mul(i, n), j))

                f.loop(f.word(0), n, 1, element)

            f.loop(f.word(0), n, 1, row)
            self.exchange(f, 2, number, final, count, a, False)


class EighValues(Eigh):
    results, vectors_too = 1, False
    swapped = (1,)


class Eig(Eigen):
    width = 2

    @property
    def vector_parts(self) -> int:
        return 2

    def decompose(self, f: Function, room: Room, n: Val, matrix: Val, values: Val, vectors: Val | None) -> Val:
        e, lapack, bytes = f.e, self.lapack(f), self.dtype.bytes
        right = room.take(e.mul(n, n), bytes)
        many = e.mul(n, f.word(BLOCK + 4))
        work = room.take(many, bytes)
        reals = room.take(e.mul(n, f.word(2)), self.dtype.part.bytes)
        info = lapack.info()
        wanted = "V" if vectors else "N"
        sides = (right, f.word(1), right, n)
        if self.dtype.is_complex:
            ends = (values, *sides, work, many, reals, info)
            self.with_its_threads(f, n, lambda: lapack.call("geev", "N", wanted, n, matrix, n, *ends))
            if vectors:
                self.turn(f, right, n, vectors, n, n, n)
            return lapack.failed(info)
        imag = e.offset(reals, n, self.elem)
        ends = (reals, imag, *sides, work, many, info)
        self.with_its_threads(f, n, lambda: lapack.call("geev", "N", wanted, n, matrix, n, *ends))

        def pair(j: Val) -> None:
            place = e.offset(values, j, f"[2 x {self.elem}]")
            for i, array in enumerate((reals, imag)):
                e.store(e.load(e.offset(array, j, self.elem), self.elem), e.offset(place, f.word(i), self.elem))

        f.loop(f.word(0), n, 1, pair)
        if vectors:
            self._assemble(f, n, imag, right, vectors)
        return lapack.failed(info)

    def _assemble(self, f: Function, n: Val, imag: Val, right: Val, vectors: Val) -> None:
        """Complex vectors: those of a conjugate pair have their real parts in its first column, imaginary ones in its
        second."""
        e = f.e
        zero = e.const(0.0, self.elem)

        def column(j: Val) -> None:
            turn = e.load(e.offset(imag, j, self.elem), self.elem)
            first, second = e.fcmp("ogt", turn, zero), e.fcmp("olt", turn, zero)
            real_at = e.mul(e.sub(j, e.convert("zext", second, "i64")), n)
            imag_at = e.mul(e.add(j, e.convert("zext", first, "i64")), n)

            def element(i: Val) -> None:
                re = e.load(e.offset(right, e.add(real_at, i), self.elem), self.elem)
                other = e.load(e.offset(right, e.add(imag_at, i), self.elem), self.elem)
                im = e.select(first, other, e.select(second, e.fneg(other), zero))
                place = e.offset(vectors, e.add(e.mul(i, n), j), f"[2 x {self.elem}]")
                e.store(re, place)
                e.store(im, e.offset(place, f.word(1), self.elem))

            f.loop(f.word(0), n, 1, element)

        f.loop(f.word(0), n, 1, column)


class EigValues(Eig):
    results, vectors_too = 1, False
