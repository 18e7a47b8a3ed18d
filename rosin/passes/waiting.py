"""Sums of a product that wait: long panels pass by block after block of what is folded.

The vectors that a tile reads of an operand, its panel, are read again by each tile of other rows. A panel that does not
stay in the second cache is read in blocks that do: a band of tiles passes by one block, and their sums wait in an array
beside it for the next one. Each block of a panel is copied if enough rows pass by it (Goto and van de Geijn, 2008).

A sum goes on from where it waited, so that it is the same to the last bit as in one loop.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from math import prod

from rosin.ir import dims
from rosin.ir import index as indices
from rosin.ir.dims import Dim, static
from rosin.ir.dtypes import DType
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Expr, Kind, Load, Loop, Scope, Statement, Store, When, Within, relocate
from rosin.ir.statements import rebuilt, replace, under
from rosin.ir.steps import Nest
from rosin.passes.nest import copied
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

ROWS, FEWEST_ROWS = 96, 16

SUMS_BYTES = 1 << 17
"""The sums of a band take at most so many bytes, which stay near."""

OPEN_DEPTH, OPEN_ROWS, OPEN_BYTES, OPEN_TILES = 128, 512, 9 << 15, 8
"""Of symbolic sizes, blocks have so many steps and are copied, bands at most so many rows, and sums at most so many
bytes: as many as a band and so many tiles more have of each panel beside others, that these are not too many."""

FAR_ROWS = 8
"""So many rows pay for a copy of blocks of an operand that does not stay in the second cache."""

PAGE_BYTES, BESIDE_DEPTH, BESIDE_BYTES = 1 << 12, 64, 1 << 18
"""Where few rows pass by panels that are read as they lie, panels beside each other pass by in blocks of so many steps,
one after the other, as many as fill a page: to find the page of each step would take longer than what is done with a
panel. Their sums take at most so many bytes."""

COPY_ROWS, COPIED_LONG_BYTES = 32, 1 << 16
"""So many rows pay for a copy of each block of a panel, in which its steps lie side by side; then panels of more bytes
are read in blocks, as they lie in few sets of the nearest cache."""


def panels_beside(panels: int, others: int, panel_bytes: int, rows: int) -> int:
    """How many of so many panels, of so many bytes a step, pass by a block together, for so many rows; there are
    `others` pieces beside panels."""
    most = min(PAGE_BYTES // panel_bytes, BESIDE_BYTES // (rows * panel_bytes), panels * others // FEWEST_PIECES)
    return min(max(most, 1), panels)


def block_of(depth: int, wanted: int) -> int:
    """How many steps a block has: a number near what is wanted that divides all, if there is one."""
    near = (n for n in range(wanted // 2, wanted * 3 // 2 + 1) if depth % n == 0)
    return min(near, key=lambda n: abs(n - wanted), default=wanted)


def _pieces(count: Dim, most: Dim) -> Dim:
    """How many pieces of at most so many make up a count."""
    return dims.floor_divide(count + most - 1, most)


class Blocks:
    """What is folded in blocks, so many and a last one of fewer steps, if there is one: where a step of a block is
    among all."""

    def __init__(self, folded: LoopVar, beside: int | None) -> None:
        """`beside` is how many panels pass by a block together, of sizes that are numbers; None of symbolic ones."""
        depth, self.beside, self.size = folded.extent, beside, OPEN_DEPTH
        self.depth = depth
        if beside is not None:
            assert isinstance(depth, int), "sizes are numbers"
            self.size = block_of(depth, DEPTH if beside == 1 else BESIDE_DEPTH)
        even = isinstance(depth, int) and depth % self.size == 0
        self.number = LoopVar(f"{folded.name}_block", depth // self.size if even else (depth - 1) // self.size)
        self.step = LoopVar(folded.name, self.size)
        self.rest = depth - self.number.extent * self.size
        self.place = indices.of(self.number) * self.size + indices.of(self.step)

    def whether_last(self, before: Sequence[Statement], last: Sequence[Statement]) -> list[Statement]:
        """What follows a block before the last one, or the last one, of blocks that all have as many steps."""
        end = self.number.extent - 1
        tests = Within(indices.of(self.number), 0, end), Within(indices.of(self.number), end, self.number.extent)
        return [When((test,), tuple(body)) for test, body in zip(tests, (before, last), strict=True)]

    def last(self, body: Sequence[Statement]) -> list[Statement]:
        """The statements for the steps of the last block, which may be fewer than the others have."""
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
        """`others` is how many pieces there are beside bands, and panels. From then on the tiling counts tiles and
        panels as the loops of the band do."""
        (row,) = (v for v in tiling.axes if v is not tiling.lanes)
        assert tiling.lanes is not None, "panels consist of vectors"
        tile, lanes = tiling.tiles[row], tiling.tiles[tiling.lanes]
        assert isinstance(lanes.width, int), "panels consist of whole vectors"
        self.tiling, self.blocks, self.row = tiling, blocks, row
        self.count, self.block, self.width = tile.count, tile.block, lanes.width
        self.each = prod(t.block for t in tiling.tiles.values()) * self.width
        self.lanes, self.panels = tiling.lanes, lanes.count
        beside = blocks.beside
        shares = self._open_shares(dtype) if beside is None else self._shares(beside, others, dtype)
        self.tiles, self.beside, room = shares
        self.number = LoopVar(f"{row.name}_band", _pieces(self.count, self.tiles))
        self.tile = LoopVar(tiling.blocks[row].name, self.tiles)
        self.chunk = self.panel = tiling.blocks[tiling.lanes]
        """The numbers of a tile in its band, of panels beside each other, and of a panel among these."""
        tiling.numbers[row] = _start(self.number, self.tiles) + indices.of(self.tile)
        waiting = indices.of(self.tile)
        if self.beside != 1:
            self.chunk = LoopVar(f"{self.panel.name}s", _pieces(self.panels, self.beside))
            self.panel = LoopVar(self.panel.name, self.beside)
            tiling.numbers[tiling.lanes] = _start(self.chunk, self.beside) + indices.of(self.panel)
            waiting = waiting + indices.of(self.panel) * self.tiles
        lane = indices.ZERO if tiling.lane is None or self.width == 1 else indices.of(tiling.lane)
        self.first_sum = waiting * self.each + lane
        """Where that of the first position of a tile waits."""
        self.sums = Buffer("waiting", dtype, room * self.each, Scope.LOCAL)
        self.scratch: tuple[Buffer, ...] = (self.sums,)
        self.copies: tuple[Statement, ...] = ()
        self.last_copies: tuple[Statement, ...] = ()
        """What copies a block of a panel, and the last one, if that is copied."""

    def _shares(self, beside: int, others: int, dtype: DType) -> tuple[Dim, Dim, int]:
        """How many tiles a band has, how many panels are beside each other, and for how many tiles there is room."""
        count, panels = static((self.count, self.panels), "a band")
        chunks = -(-panels // beside)
        beside = -(-panels // chunks)
        others *= chunks
        most = max((SUMS_BYTES if beside == 1 else BESIDE_BYTES) // (self.each * beside * dtype.bytes), 1)
        many, few = (max(rows // self.block, 1) for rows in (ROWS, FEWEST_ROWS))
        shared = min(-(-PIECES // others), count // many), min(-(-FEWEST_PIECES // others), count // few)
        tiles = -(-count // max(-(-count // most), *shared))
        return tiles, beside, tiles * beside

    def _open_shares(self, dtype: DType) -> tuple[Dim, Dim, int]:
        """The same of symbolic sizes: the fewer tiles, the more panels, but for the sake of a few pieces."""
        room = OPEN_BYTES // (self.each * dtype.bytes)
        most = min(-(-OPEN_ROWS // self.block), room - OPEN_TILES)
        bands = _pieces(self.count, most)
        tiles = _pieces(self.count, bands)
        chunks = _pieces(self.panels, dims.floor_divide(room, tiles + OPEN_TILES))
        chunks = chunks + dims.floor_divide(FEWEST_PIECES - 1, bands)
        beside = _pieces(self.panels, chunks)
        return tiles, beside, room

    @property
    def outer(self) -> list[LoopVar]:
        """The loops around its statements."""
        return [v for v in (self.number, self.chunk) if v.extent != 1]

    def at(self, position: int) -> Index:
        """Where the sum at a position of a tile waits."""
        return self.first_sum + position * self.width

    def copy(self, load: Load, terms: Sequence[Expr]) -> tuple[Expr, ...]:
        """The terms reading a copy of the block of a panel, which `load` reads along lanes: from then on a block of a
        panel is copied before tiles pass by it."""
        panel, step = self.tiling.tiles[self.lanes], self.blocks.step
        assert isinstance(panel.width, int), "panels have a width"
        width = panel.width * panel.block
        start = indices.ZERO + panel.start
        if panel.count != 1:
            start = start + self.tiling.numbers[self.lanes] * width
        copy = Buffer("panel", load.buffer.dtype, self.blocks.size * width, Scope.LOCAL)

        def copied_to(step: LoopVar, places: Mapping[LoopVar, Index]) -> tuple[Statement, ...]:
            column = LoopVar("column", width)
            offset = load.offset.substitute({self.lanes: start + indices.of(column)}).substitute(places)
            store = Store(copy, indices.of(step) * width + indices.of(column), Load(load.buffer, offset))
            return copied(Nest("panel", (step, column), (), (store,)), counts=0).body

        last, number = LoopVar(step.name, self.blocks.rest), self.blocks.number
        self.copies = copied_to(step, {})
        if self.blocks.rest != 0:
            self.last_copies = copied_to(last, {step: indices.of(last), number: indices.ZERO + number.extent})
        self.scratch += (copy,)
        column = indices.of(self.lanes) - start
        memo: dict[int, Expr] = {}

        def place(buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
            is_panel = buffer is load.buffer and offset == load.offset
            return (copy, indices.of(step) * width + column) if is_panel else (buffer, offset)

        return tuple([relocate(term, place, memo) for term in terms])

    def statements(self, body: Sequence[Statement], *last: Sequence[Statement]) -> list[Statement]:
        """The `body` for each tile, block by block, and that of the last block, which finishes the sums, if it has one
        of its own."""
        at = LoopVar("sum", self.tiles * self.each * self.beside)
        cleared = Loop(at, Kind.VECTOR, (Store(self.sums, indices.of(at), Const(0, self.sums.dtype)),))
        whole = Loop(self.blocks.number, Kind.SERIAL, tuple(self._panels([*self.copies, self._rows(body)])))
        ends = [self.blocks.last(self._panels([*self.last_copies, self._rows(body)])) for body in last]
        return [cleared, whole, *itertools.chain(*ends)]

    def _panels(self, body: Sequence[Statement]) -> list[Statement]:
        """The statements for each panel."""
        if self.beside == 1:
            return list(body)
        return [_counted(self.panel, Within(self.tiling.numbers[self.lanes], 0, self.panels), body)]

    def _rows(self, body: Sequence[Statement]) -> Statement:
        """The statements for each tile of the band, of one panel."""
        return _counted(self.tile, Within(self.tiling.numbers[self.row], 0, self.count), body)


def _counted(var: LoopVar, test: Within, body: Sequence[Statement]) -> Loop:
    """A loop over the statements, where the test holds."""
    return Loop(var, Kind.SERIAL, tuple(under(() if test.always else (test,), body)))


def _start(pieces: LoopVar, size: Dim) -> Index:
    """Where one of some pieces of this size starts."""
    return indices.of(pieces) * size if pieces.extent != 1 else indices.ZERO
