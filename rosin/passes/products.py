"""Products of words by registers that hold tiles of them, where the target has such.

An instruction adds to a tile of sums the products of up to `ROWS` rows of words and as many columns. Two tiles of rows
and two of columns make four of sums, so that each tile is read for two. Columns lie in a packed copy, in panels as wide
as such a square; rows are read where they lie, if their numbers are neighbours and fill whole tiles. Finished sums go
to an array that stays near, from where what follows reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosin.ir import index as indices
from rosin.ir.dims import Dim, static
from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer, Dot, Kind, Let, Load, Local, Loop, Products, Scope, Statement, substitute
from rosin.ir.statements import under
from rosin.passes.epilogue import Epilogue
from rosin.passes.tiles import Tile, Tiling
from rosin.passes.words import ROWS, WordLanes

SQUARE = 2 * ROWS
"""How many rows a square of tiles has at most."""


class TileLanes(WordLanes):
    """A contraction while it is chosen how it is computed, by registers for tiles where the target has these."""

    @property
    def in_tiles(self) -> bool:
        """Whether registers for tiles are used."""
        return self.kind is not None and self.kind.is_tiled

    def squares(self, lanes: LoopVar) -> list[Mapping[LoopVar, Tile]]:
        """The kinds of squares: of whole panels, and of what is less than one."""
        row = self.row_of_tiles(lanes)
        assert row is not None, "tiles were chosen for their rows"
        rows, columns = static((row.extent, lanes.extent), "tiles")
        block = min(SQUARE, rows)
        down = Tile(0, -(-rows // block), block, begin=rows - block if rows % block else None)
        panels, few = divmod(columns, width := self.panel(lanes))
        found = [Tile(0, panels, 1, width)] if panels else []
        if few:
            found.append(Tile(panels * width, 1, 1, few))
        return [{row: down, lanes: tile} for tile in found]

    def square(self, tiling: Tiling, epilogue: Epilogue) -> tuple[list[Statement], Buffer]:
        """The statements of one square, and the array for its sums."""
        (row, lanes), lane = tiling.axes, tiling.lane
        assert lane is not None, "columns are lanes"
        (width,) = static((tiling.tiles[lanes].width,), "tiles")
        (word,), (term,) = self.folded, self.terms
        own_row, own_lane = LoopVar(row.name, tiling.tiles[row].block), LoopVar(lanes.name, -(-width // ROWS) * ROWS)
        places, _ = tiling.at([indices.of(own_row), 0])
        # The lane of a panel that is one wide is none in the code.
        places[lanes] = places[lanes].substitute({lane: indices.ZERO}) + indices.of(own_lane)
        product = substitute(term, places, {})
        assert isinstance(product, Dot), "tiles are of words"
        size = own_row.extent * own_lane.extent
        sums = Buffer("sums", self.monoid.identity[0].dtype, size, Scope.LOCAL)
        finished = self._finished(tiling, row, epilogue, sums, own_lane.extent)
        return [Products(sums, own_row, own_lane, word, product), finished], sums

    def _finished(self, tiling: Tiling, row: LoopVar, epilogue: Epilogue, sums: Buffer, columns: Dim) -> Statement:
        """What follows the sums of a square, row by row."""
        again = LoopVar(f"{row.name}_row", tiling.tiles[row].block)
        places, inside = tiling.at([indices.of(again), 0])
        assert tiling.lane is not None, "columns are lanes"
        lane = indices.of(tiling.lane) if tiling.lane.extent != 1 else indices.ZERO
        finished = self.op.finish((Load(sums, indices.of(again) * columns + lane),), self.types)
        local = Local("end", finished.dtype)
        along = {axis: place.substitute(places) for axis, place in enumerate(self.index)}
        each: Sequence[Statement] = [Let(local, finished), *epilogue.statements(local, along)]
        if tiling.is_vector:
            each = [Loop(tiling.lane, Kind.VECTOR, tuple(each))]
        return Loop(again, Kind.SERIAL, tuple(under(inside, each)))
