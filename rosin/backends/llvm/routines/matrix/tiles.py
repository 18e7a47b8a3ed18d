"""Tiles of lane matrices: rows by columns of sums that stay in registers while products are taken from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, NamedTuple, TypeAlias

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import Lanes, Number
from rosin.backends.llvm.routines.matrix.stack import parameters, passed
from rosin.ir.ops.matrix import SMALL

Sums: TypeAlias = "list[list[list[Val]]]"
"""The variables of a tile: by row, by column, by part. A row may have fewer columns than others."""


TINY = {"float": 2.0**-126, "double": 2.0**-1022}
"""The least normal numbers."""

UNIT = {"float": 2.0**-23, "double": 2.0**-52}
"""The distances between 1 and the next number."""


class Grid(NamedTuple):
    """Matrices in vectors: how far rows and columns are apart, in numbers."""

    start: Val
    row: Val
    column: Val

    @property
    def turned(self) -> Grid:
        return Grid(self.start, self.column, self.row)


class Moved(NamedTuple):
    """What has rows exchanged, `row` places apart: `width` numbers of each, `step` places apart, in every lane."""

    start: Val
    row: Val
    width: Val
    step: Val
    elem: str
    parts: int

    def at(self, f: Function, lanes: int, row: Val, place: Val, part: int) -> Val:
        """Where a part of a number of a row is."""
        e = f.e
        number = e.add(e.mul(row, self.row), e.mul(place, self.step))
        return e.offset(self.start, e.add(e.mul(number, f.word(self.parts)), f.word(part)), f"[{lanes} x {self.elem}]")


class Tiles(Lanes):
    """A routine that works on matrices in lanes tile by tile."""

    swapped: ClassVar[tuple[int, ...]] = (8, 4, 1)
    """So many vectors of a row are exchanged at once with those of other rows, as long as there are as many."""

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile: as many sums as leave registers for what they are made of."""
        rows, columns = (4, 4) if self.vector_bytes == 64 else (4, 2)
        return rows, max(columns // self.parts, 1)

    def columns_of(self, rows: int) -> int:
        """Columns of a tile that has so many rows: a single one has more, whose sums wait for each other otherwise."""
        return self.tile[1] if rows > 1 else self.tile[0]

    def tiled(self, f: Function, begin: Val, end: Val, size: int, body: Callable[[Val, int], None]) -> None:
        """The body for begin … end - 1: for so many places at once, then for single ones."""
        e = f.e
        if size == 1:
            f.loop(begin, end, 1, lambda place: body(place, 1))
            return
        count = e.intrinsic("llvm.smax", e.sub(end, begin), f.word(0))
        whole = e.add(begin, e.bit_and(count, f.word(-size)))
        f.loop(begin, whole, size, lambda place: body(place, size))
        f.loop(whole, end, 1, lambda place: body(place, 1))

    def sums(self, f: Function, values: Sequence[Sequence[Number]]) -> Sums:
        return [[self.variables(f, value) for value in row] for row in values]

    def values(self, f: Function, sums: Sums) -> list[list[Number]]:
        return [[self.value(f, total) for total in row] for row in sums]

    def subtract_products(
        self,
        f: Function,
        sums: Sums,
        left: Sequence[Val],
        left_step: Val,
        right: Sequence[Val],
        right_step: Val,
        count: Val,
        conj: bool = False,
    ) -> None:
        """Take from each sum the products of `count` numbers from its row's place on and from its column's place on,
        which are so many places apart; those of columns are conjugated or not."""
        e = f.e

        def product(k: Val) -> None:
            distances = e.mul(k, left_step), e.mul(k, right_step)
            rows = [self.load(f, self.at(e, place, distances[0])) for place in left]
            columns = [self.load(f, self.at(e, place, distances[1])) for place in right]
            for row, own in zip(sums, rows, strict=True):
                for total, other in zip(row, columns, strict=False):
                    self.assign(f, self.minus_product(e, self.value(f, total), own, other, conj), total)

        f.loop(f.word(0), count, 1, product)

    def integers_at(self, f: Function, integers: Val, i: Val) -> Val:
        """Where small numbers of all lanes are."""
        return f.e.offset(integers, i, f"[{self.vector} x i32]")

    def everywhere(self, f: Function, i: Val) -> Val:
        """A small number in every lane."""
        return f.e.splat(f.e.convert("trunc", i, "i32"), self.vector)

    def swap(self, f: Function, found: Val, k: Val, m: Val, moved: Sequence[Moved]) -> None:
        """Exchange rows k with those that are found below, each lane another one."""
        e = f.e
        place = self.everywhere(f, k)

        def exchange() -> None:
            listed = f.room("i64", SMALL)
            count = e.define(f"call i64 @list_found({passed(found, k, m, listed)})", "i64")

            def call(rows: Moved) -> None:
                sizes = passed(rows.start, rows.row, rows.width, rows.step, k, listed, count)
                e.line(f"call void @swap_{rows.elem}({found.typed}, {sizes})")

            for rows in moved:
                f.when(e.icmp("ne", rows.width, f.word(0)), partial(call, rows))

        f.when(e.intrinsic_across("llvm.vector.reduce.or", e.icmp("ne", found, place)), exchange)

    def swaps(self, *elems: str) -> list[str]:
        """The functions that exchange rows of such numbers."""
        return [self._list_found(), *map(self._swap, elems)]

    def _list_found(self) -> str:
        """`i64 list_found(<8 x i32> found, i64 k, i64 m, ptr listed)`: list the rows from k + 1 on that a lane has
        found; gives how many they are."""
        f = self.function()
        e, found = f.e, Val("%found", "i32", self.vector)
        count = f.variable(f.word(0))

        def look(i: Val) -> None:
            own = e.icmp("eq", found, self.everywhere(f, i))
            some = e.convert("zext", e.intrinsic_across("llvm.vector.reduce.or", own), "i64")
            e.store(i, e.offset(Val("%listed", "ptr"), e.load(count, "i64"), "i64"))
            f.add_to(count, some)

        f.loop(e.add(Val("%k", "i64"), f.word(1)), Val("%m", "i64"), 1, look)
        e.line(f"ret {e.load(count, 'i64').typed}")
        return f.text(f"internal i64 @list_found({found.typed}, i64 %k, i64 %m, ptr %listed)")

    def _swap(self, elem: str) -> str:
        """The function for rows of such numbers: some numbers at a time of row k and of the rows in a list."""
        f = self.function()
        e, lanes = f.e, self.vector
        row, width, step, k, count = (Val(f"%{name}", "i64") for name in ("row", "width", "step", "k", "count"))
        found = Val("%found", "i32", lanes)
        rows = Moved(Val("%start", "ptr"), row, width, step, elem, 1 if elem == "i32" else self.parts)

        def numbers(first: Val, size: int) -> None:
            places = [(e.add(first, f.word(c)), part) for c in range(size) for part in range(rows.parts)]
            tops = [e.load(rows.at(f, lanes, k, *place), elem, lanes) for place in places]
            news = [f.variable(top) for top in tops]

            def exchange(number: Val) -> None:
                i = e.load(e.offset(Val("%listed", "ptr"), number, "i64"), "i64")
                own = e.icmp("eq", found, self.everywhere(f, i))
                for place, top, new in zip(places, tops, news, strict=True):
                    at = rows.at(f, lanes, i, *place)
                    other = e.load(at, elem, lanes)
                    e.store(e.select(own, top, other), at)
                    e.store(e.select(own, other, e.load(new, elem, lanes)), new)

            f.loop(f.word(0), count, 1, exchange)
            for place, new in zip(places, news, strict=True):
                e.store(e.load(new, elem, lanes), rows.at(f, lanes, k, *place))

        done: Val = f.word(0)
        for vectors in self.swapped:
            size = vectors // rows.parts or 1
            end = e.add(done, e.bit_and(e.sub(width, done), f.word(-size)))
            f.loop(done, end, size, partial(numbers, size=size))
            done = end
        e.line("ret void")
        given = (
            (name, "ptr" if name == "listed" else "i64") for name in ("row", "width", "step", "k", "listed", "count")
        )
        return f.text(f"internal void @swap_{elem}({found.typed}, ptr %start, {parameters(*given)})")

    def rows(self, f: Function, a: Val, count: Val, apart: Val | None = None) -> Moved:
        """The rows of matrices in vectors, which have no gaps between them, or are so many numbers apart."""
        return Moved(a, apart or count, count, f.word(1), self.elem, self.parts)

    def vector_at(self, f: Function, vectors: Val, i: Val) -> Val:
        return f.e.load(self.at(f.e, vectors, i), self.elem, self.vector)

    def put_vector(self, f: Function, value: Val, vectors: Val, i: Val) -> None:
        f.e.store(value, self.at(f.e, vectors, i))

    def sort(self, f: Function, keys: Val, n: Val, moved: Sequence[Moved], *, descending: bool) -> None:
        """Bring rows in the order of n real numbers, which are among what is moved."""
        e, lanes = f.e, self.vector

        def place(k: Val) -> None:
            best, where = f.variable(self.vector_at(f, keys, k)), f.variable(self.everywhere(f, k))

            def look(i: Val) -> None:
                x, known = self.vector_at(f, keys, i), e.load(best, self.elem, lanes)
                better = e.fcmp("ogt" if descending else "olt", x, known)
                e.store(e.select(better, x, known), best)
                e.store(e.select(better, self.everywhere(f, i), e.load(where, "i32", lanes)), where)

            f.loop(e.add(k, f.word(1)), n, 1, look)
            self.swap(f, e.load(where, "i32", lanes), k, n, moved)

        f.loop(f.word(0), n, 1, place)

    # -- matrices in vectors -----------------------------------------------------------------------------------

    def cell(self, f: Function, grid: Grid, i: Val, j: Val) -> Val:
        e = f.e
        return self.at(e, grid.start, e.add(e.mul(i, grid.row), e.mul(j, grid.column)))

    def real(self, f: Function, value: Val) -> Number:
        return (value, *[self.number(f.e, 0.0)] * (self.parts - 1))

    def unit(self, f: Function, x: Grid, rows: Val, columns: Val) -> None:
        """Ones on the diagonal, and zeros elsewhere; the matrices lie without gaps."""
        e, zero, one = f.e, self.number(f.e, 0.0), self.number(f.e, 1.0)
        count = e.mul(rows, columns)
        f.loop(f.word(0), count, 1, lambda i: self.store(f, self.real(f, zero), self.at(e, x.start, i)))
        least = e.intrinsic("llvm.smin", rows, columns)
        f.loop(f.word(0), least, 1, lambda i: self.store(f, self.real(f, one), self.cell(f, x, i, i)))
