"""The tiles of a contraction's result: along each of some axes, blocks of neighbours that are computed together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Within

MANY = 32
"""Of so many blocks it costs next to nothing that the last one lies over the one before it."""

ENOUGH_ROWS, LITTLE_MORE = 12, 1.05
"""To compute so many times the rows takes less than to load more for each, in blocks of fewer rows than are enough."""


@dataclass(frozen=True)
class Tile:
    """A piece of the result: along one axis, `count` blocks of `block` neighbours starting at `start`."""

    start: Dim
    count: Dim
    block: int
    width: Dim = 1
    """Lanes of a neighbour, when it is a vector."""
    end: Dim | None = None
    """Where the axis ends, for a piece that may reach beyond."""
    padded: bool = False
    """Whether what lies beyond the end may be read, so that it is only not stored."""
    begin: Dim | None = None
    """Where the last block begins, for one that lies over those before it, and stores only what they do not."""
    last: Dim | None = None
    """Where the last vector begins, for one that lies over the one before it, of a piece of one block."""
    is_one: bool = False
    """Whether there is one block, or none, which its count says."""
    again: bool = False
    """Whether what lies over another block or vector is stored again: each time it is the same."""

    @property
    def is_regular(self) -> bool:
        """Whether all blocks have the same form."""
        return self.end is None or self.padded


@dataclass(frozen=True)
class TileSize:
    """A tile that measuring has shown to be quick: so many vectors beside each other, in so many rows."""

    vectors: int
    rows: int


def tile_sizes(registers: int) -> list[TileSize]:
    """The tiles worth trying: their sums, a row of vectors and one number fill the registers, or most of them."""
    found: dict[TileSize, None] = {}
    for vectors in range(1, registers // 8 + 2):
        most = (registers - vectors - 1) // vectors
        found.update((TileSize(vectors, rows), None) for rows in (most, max(most * 2 // 3, 1)))
    return list(found)


class Tiling:
    """One kind of tile: a piece along each axis, of which that of `lanes` runs as vectors."""

    def __init__(self, tiles: Mapping[LoopVar, Tile], lanes: LoopVar | None) -> None:
        self.tiles = tiles
        self.lanes = lanes
        # Vectors innermost: a scalar is spent before the next one is broadcast, so that the tile fits the registers.
        self.axes = sorted(tiles, key=lambda v: v is lanes)
        self.blocks = {v: LoopVar(f"{v.name}_block", t.count) for v, t in tiles.items()}
        self.numbers = {v: indices.of(block) for v, block in self.blocks.items()}
        """The number of a block along each axis, for loops that count something else than blocks."""
        self.lane: LoopVar | None = None
        """The number of a lane in its vector."""
        if lanes is not None and lanes in tiles:
            self.lane = LoopVar(f"{lanes.name}_lane", tiles[lanes].width)
        self.known: dict[tuple[LoopVar, int | Index, bool], tuple[Index, list[Within]]] = {}
        """Where neighbours of these numbers are along an axis, tested before or not, and the tests that there are."""

    def __str__(self) -> str:
        sides = [f"{self.tiles[v].block} of {v.name}" for v in self.axes if v is not self.lanes]
        if self.lanes is not None and self.lanes in self.tiles:
            tile = self.tiles[self.lanes]
            sides.append(f"{tile.block} vectors of {tile.width} of {self.lanes.name}")
        return " x ".join(sides) or "one element"

    @property
    def is_vector(self) -> bool:
        """Whether the elements of a tile are vectors."""
        return self.lane is not None and self.lane.extent != 1

    def at(
        self, position: Sequence[int | Index], tested: bool = False
    ) -> tuple[dict[LoopVar, Index], tuple[Within, ...]]:
        """Where the neighbours of these numbers are along the axes, and the tests that there are such. Unless these are
        `tested` before, places beyond the end of an axis are that of its last element."""
        places: dict[LoopVar, Index] = {}
        inside: list[Within] = []
        for var, number in zip(self.axes, position, strict=True):
            found = self.known.get((var, number, tested))
            if found is None:
                found = self.known[var, number, tested] = self._along(var, number, tested)
            places[var] = found[0]
            inside += found[1]
        return places, tuple(inside)

    def _along(self, var: LoopVar, number: int | Index, tested: bool) -> tuple[Index, list[Within]]:
        """The same along one axis."""
        inside: list[Within] = []
        tile = self.tiles[var]
        block = indices.ZERO + tile.start
        if tile.count != 1 and not tile.is_one:
            block = self.numbers[var] * (tile.width * tile.block) + block
        place = block + tile.width * number
        if var is self.lanes and self.lane is not None and tile.end is not None:
            inside += [Within(place + indices.of(self.lane), 0, tile.end)] if number == tile.block - 1 else []
        elif tile.end is not None and number != 0:
            test = Within(place, 0, tile.end)
            inside += [] if test.always else [test]
            place = place if tile.padded or tested else indices.least(place, tile.end - 1)
        if tile.begin is not None:
            place = indices.least(block, tile.begin) + tile.width * number
            alone = number == tile.block - 1 or tile.again
            inside += [] if alone else [Within(place - block, 0, tile.block)]
        if var is self.lanes and self.lane is not None and tile.width != 1:
            own = place
            if tile.last is not None and number == tile.block - 1:
                place = indices.ZERO + tile.last
                test = Within(place - own + indices.of(self.lane), 0, tile.width)
                inside += [] if tile.again else [test]
            place = place + indices.of(self.lane)
        return place, inside


def padded_blocks(extent: Dim, block: int) -> list[Tile]:
    """An extent of which more may be read than there is, in blocks."""
    whole = facts.divide(extent, block) is not None
    return [Tile(0, -(-extent // block), block, end=None if whole else extent, padded=not whole)]


def over_blocks(extent: Dim, block: int) -> Tile:
    """An extent of at least a block in blocks that are all alike, as the last one may lie over the one before it."""
    if facts.divide(extent, block) is not None:
        return Tile(0, extent // block, block)
    return Tile(0, -(-extent // block), block, begin=extent - block)


def row_blocks(extent: Dim, most: int, over: bool) -> list[Tile]:
    """The extent in blocks of at most `most`: all alike when that wastes little, else with a smaller last one.

    Where the last one may lie `over` the one before it, all of a known extent are alike.
    """
    likely = max(facts.estimate(extent), 1)
    smallest = max(most // 2, 1) if likely < 16 * most else max(most - 1, 1)
    if not isinstance(extent, int):
        choices = range(most, smallest - 1, -1)
        exact = next((b for b in choices if facts.divide(extent, b) is not None), None)
        if exact is not None:
            return [Tile(0, extent // exact, exact)]
        block = next((b for b in choices if likely % b == 0), most)
        whole = extent // block * block
        return [
            Tile(0, extent // block, block),
            Tile(whole, (extent - whole + (block - 1)) // block, block, end=extent),
        ]
    if over and extent >= MANY * most:
        return [over_blocks(extent, most)]
    count = -(-extent // most)
    even = -(-extent // count)
    block = next((b for b in range(min(most, extent), smallest - 1, -1) if extent % b == 0), even)
    if over and block < ENOUGH_ROWS and count * even <= LITTLE_MORE * extent:
        block = even
    if over and extent % block:
        return [over_blocks(extent, block)]
    tiles = [Tile(0, extent // block, block)]
    if extent % block:
        tiles.append(Tile(extent - extent % block, 1, extent % block))
    return tiles


def open_row_blocks(extent: Dim, rows: int, vectors: int, room: int) -> list[Tile]:
    """A symbolic number of rows of so many vectors in blocks of `rows`, or fewer where registers have no room for them.
    Of single vectors, those of whole blocks of twice as many come first."""
    most, twice = min(rows, room), min(2 * rows, room)
    if vectors > 1 or twice == most:
        return [Tile(0, (extent + (most - 1)) // most, most, end=extent)]
    whole = extent // twice * twice
    return [
        Tile(0, extent // twice, twice),
        Tile(whole, (extent - whole + (most - 1)) // most, most, end=extent),
    ]


def vector_blocks(extent: Dim, groups: int, width: int, over: bool) -> list[Tile]:
    """The extent in blocks of `groups` vectors, then one of the whole vectors left, then what is less than a vector.

    Where the last vector may lie `over` the one before it, what is left is one block.
    """
    if not isinstance(extent, int):
        return _open_vector_blocks(extent, groups, width)
    block = groups * width
    many, rest = divmod(extent, block)
    tiles = [Tile(0, many, groups, width)] if many else []
    vectors, few = divmod(rest, width)
    if few and over and extent >= width:
        return [*tiles, Tile(many * block, 1, vectors + 1, width, last=extent - width)]
    if vectors:
        tiles.append(Tile(many * block, 1, vectors, width))
    if few:
        tiles.append(Tile(extent - few, 1, 1, few))
    return tiles


def stored_again(tile: Tile) -> Tile:
    """The tile, which stores what lies over another block or vector again."""
    return tile if tile.begin is None and tile.last is None else replace(tile, again=True)


def alike_vectors(extent: Dim, tiles: list[Tile]) -> list[Tile]:
    """These blocks of vectors as ones that are all alike, where the last one may lie over the one before it and be
    stored again, and that wastes little."""
    first, *others = tiles
    if not others or not isinstance(extent, int) or not isinstance(first.count, int):
        return tiles
    assert isinstance(first.width, int), "blocks of vectors have a width"
    block, count = first.block * first.width, first.count + 1
    if count * first.block > LITTLE_MORE * -(-extent // first.width):
        return tiles
    return [replace(first, count=count, begin=extent - block, again=True)]


def ends_of_rows(extent: Dim, groups: int, width: int) -> list[Tile]:
    """What blocks of `groups` vectors leave of a symbolic extent: a tile for each number of vectors that this may be,
    the last of which lies over the one before it, and one for an extent of less than a vector. Of all these one is
    there, or none."""
    least = 0 if facts.known_at_least(extent, width) else dims.floor_divide(1, extent // width + 1)
    tiles: list[Tile] = []
    for vectors, start, here in _ends(extent, groups, width):
        count = here - least if vectors == 1 else here
        tiles.append(Tile(start, count, vectors, width, last=extent - width, is_one=True))
    return [*tiles, *([Tile(0, least, 1, extent % width, is_one=True)] if least != 0 else [])]


def padded_ends(extent: Dim, groups: int, width: int) -> list[Tile]:
    """What blocks of `groups` vectors leave of an extent of which more may be read than there is: a tile for each
    number of vectors that this may be. Of all these one is there, or none."""
    return [
        Tile(start, here, vectors, width, end=extent, padded=True, is_one=True)
        for vectors, start, here in _ends(extent, groups, width)
        if here != 0
    ]


def _ends(extent: Dim, groups: int, width: int) -> Iterator[tuple[int, Dim, Dim]]:
    """For each number of vectors that blocks of `groups` may leave: that, where they start, and 1 where so many are
    left and else 0."""
    start = extent // (groups * width) * (groups * width)
    left = (extent - start + (width - 1)) // width
    for vectors in range(1, groups + 1):
        more = (left + (groups - vectors - 1)) // groups if vectors < groups else 0
        yield vectors, start, (left + (groups - vectors)) // groups - more


def _open_vector_blocks(extent: Dim, groups: int, width: int) -> list[Tile]:
    """A symbolic extent in blocks of `groups` vectors, single vectors, and what is less than a vector, where needed."""
    block = groups * width
    tiles = [Tile(0, extent // block, groups, width)]
    if groups > 1 and facts.divide(extent, block) is None:
        start = extent // block * block
        tiles.append(Tile(start, (extent - start) // width, 1, width))
    if facts.divide(extent, width) is None:
        start = extent // width * width
        tiles.append(Tile(start, 1, 1, extent - start))
    return tiles
