"""Sums of a product that wait: long panels pass by block after block of what is folded.

The vectors that a tile reads of an operand, its panel, are read again by each tile of other rows. A panel that does not
stay in the second cache is read in blocks that do: a band of tiles passes by one block, and their sums wait in an array
beside it for the next one (Goto and van de Geijn, 2008, who copy each block as well, which pays for many rows only).

A sum goes on from where it waited, so that it is the same to the last bit as in one loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import prod

from rosin.ir import index as indices
from rosin.ir.dtypes import DType
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Expr, Kind, Loop, Scope, Statement, Store, When, Within
from rosin.ir.statements import moved, rebuilt, replace
from rosin.passes.tiles import Tiling

DEPTH = 256
"""A block of what is folded has about so many steps: what lies a power of two apart shares few sets of the second
cache, which has room for little more of it."""

LONG_BYTES = 1 << 17
"""A panel of more bytes is read in blocks; of twice as many where its rows do not share sets."""

PACKED_LONG_BYTES = 1 << 19
"""The same of a panel of a copy, which lies in one piece: it comes in time until it fills the second cache."""

PIECES, FEWEST_PIECES = 16, 4
"""Rows are cut into bands for the sake of so many pieces, which threads share evenly, while bands have `ROWS` rows; and
for the sake of fewer pieces, while they have `FEWEST_ROWS`."""

ROWS, FEWEST_ROWS = 48, 16

SUMS_BYTES = 1 << 17
"""The sums of a band take at most so many bytes, which stay near."""


def block_of(depth: int) -> int:
    """How many steps a block has: a number near `DEPTH` that divides all, if there is one."""
    near = (n for n in range(DEPTH // 2, DEPTH * 3 // 2 + 1) if depth % n == 0)
    return min(near, key=lambda n: abs(n - DEPTH), default=DEPTH)


class Blocks:
    """What is folded in blocks: where a step of a block is among all."""

    def __init__(self, folded: LoopVar, depth: int) -> None:
        self.size = block_of(depth)
        self.number = LoopVar(f"{folded.name}_block", depth // self.size)
        self.step = LoopVar(folded.name, self.size)
        self.rest = depth % self.size
        self.place = indices.of(self.number) * self.size + indices.of(self.step)

    def last(self, body: Sequence[Statement]) -> list[Statement]:
        """The statements for the steps that are left, which are fewer than a block has."""
        step, memo = LoopVar(self.step.name, self.rest), dict[int, Expr]()
        places = {self.number: Index(0) + self.number.extent, self.step: indices.of(step)}

        def shorter(statement: Statement) -> Statement:
            if isinstance(statement, Loop) and statement.var is self.step:
                statement = dataclasses.replace(statement, var=step)
            return rebuilt(statement, shorter)

        return [replace(shorter(statement), places, memo) for statement in body]


class Band:
    """The tiles above each other that pass by a block of a panel together, and their sums."""

    def __init__(self, tiling: Tiling, blocks: Blocks, others: int, dtype: DType) -> None:
        """`others` is how many pieces there are beside bands."""
        (row,) = (v for v in tiling.axes if v is not tiling.lanes)
        assert tiling.lanes is not None, "panels consist of vectors"
        tile, lanes = tiling.tiles[row], tiling.tiles[tiling.lanes]
        assert isinstance(tile.count, int), "only sums for sizes that are numbers wait"
        assert isinstance(lanes.width, int), "only sums for sizes that are numbers wait"
        self.tiling, self.blocks, self.row, self.count = tiling, blocks, tiling.blocks[row], tile.count
        self.width = lanes.width
        self.each = prod(t.block for t in tiling.tiles.values()) * self.width
        many, few = (max(rows // tile.block, 1) for rows in (ROWS, FEWEST_ROWS))
        most = max(SUMS_BYTES // (self.each * dtype.bytes), 1)
        shared = min(-(-PIECES // others), tile.count // many), min(-(-FEWEST_PIECES // others), tile.count // few)
        bands = max(-(-tile.count // most), *shared)
        self.tiles = -(-tile.count // bands)
        self.number = LoopVar(f"{row.name}_band", -(-tile.count // self.tiles))
        self.sums = Buffer("waiting", dtype, self.tiles * self.each, Scope.LOCAL)

    @property
    def first(self) -> Index:
        """The number of the first tile."""
        return indices.of(self.number) * self.tiles if self.number.extent != 1 else indices.ZERO

    def at(self, position: int) -> Index:
        """Where the sum at a position of a tile waits."""
        lane = indices.ZERO if self.tiling.lane is None or self.width == 1 else indices.of(self.tiling.lane)
        return (indices.of(self.row) - self.first) * self.each + lane + position * self.width

    def statements(self, body: Sequence[Statement], last: Sequence[Statement]) -> list[Statement]:
        """The `body` for each tile, block by block, and what comes `last`, for finished sums."""
        at = LoopVar("sum", self.sums.size)
        cleared = Loop(at, Kind.VECTOR, (Store(self.sums, indices.of(at), Const(0, self.sums.dtype)),))
        whole = Loop(self.blocks.number, Kind.SERIAL, (self._rows(body),))
        rest = [self._rows(self.blocks.last(body))] if self.blocks.rest else []
        return [cleared, whole, *rest, self._rows(last)]

    def _rows(self, body: Sequence[Statement]) -> Statement:
        """The statements for each tile of the band."""
        inside = LoopVar(self.row.name, self.tiles)
        place = self.first + indices.of(inside)
        statements, test = tuple(moved(body, {self.row: place})), Within(place, 0, self.count)
        return Loop(inside, Kind.SERIAL, statements if test.always else (When((test,), statements),))
