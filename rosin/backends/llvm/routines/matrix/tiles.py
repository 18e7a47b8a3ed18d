"""Tiles of lane matrices: rows by columns of sums that stay in registers while products are taken from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lanes import Lanes, Number

Sums: TypeAlias = "list[list[list[Val]]]"
"""The variables of a tile: by row, by column, by part. A row may have fewer columns than others."""


class Tiles(Lanes):
    """A routine that works on matrices in lanes tile by tile."""

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile: as many sums as leave registers for what they are made of."""
        rows, columns = (4, 4) if self.vector_bytes == 64 else (4, 2)
        return rows, max(columns // self.parts, 1)

    def tiled(self, f: Function, begin: Val, end: Val, size: int, body: Callable[[Val, int], None]) -> None:
        """The body for begin … end - 1: for so many places at once, then for single ones."""
        e = f.e
        if size == 1:
            return f.loop(begin, end, 1, lambda place: body(place, 1))
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
