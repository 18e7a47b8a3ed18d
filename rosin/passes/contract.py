"""The loop nests of a contraction (matrix product, convolution): register tiles around the folded loops.

One axis runs as vectors. When it is an axis of the result, the tile is a block of `rows x vectors` running sums, each
step loads a few vectors of one operand and a few scalars of the other, and multiplies all pairs. When only a folded
axis lies side by side in memory in both operands, the tile is a block of dot products, whose lanes are added up at
the end. What follows elementwise is computed from the finished tile before it is stored: unrolled like the tile where
that is little code, and else row by row.

Where neighbours along the vectors lie apart in the result, the rows of a tile are those that lie nearest to each other,
all of some short axes and a block of the next, so that a tile writes pieces of memory (squares, for the target).

Sizes that the tile does not divide get kernels of their own with smaller tiles. Of a symbolic size it is not known how
much is left: along the vectors' axis that is a loop over single vectors and one under a mask, along another axis one
more tile, which computes its last row again for each that it has too many, and does not store those.

An operand that does not lie as the vectors want it, or that is read under a guard at its border, is first copied to a
buffer in which it does, border included, when the copy costs little beside the products: it is *packed*
(rosin.passes.packing).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, is_static, static
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Scope,
    Statement,
    Store,
    Within,
)
from rosin.ir.ops.arithmetic import Mul
from rosin.ir.statements import serial_loops, under
from rosin.ir.steps import Kernel
from rosin.passes.borders import FoldLoops, Term
from rosin.passes.epilogue import Copies, Epilogue
from rosin.passes.lanes import NEAR_BYTES
from rosin.passes.on_threads import IN_LOOPS, on_many, threads
from rosin.passes.packing import Operand, Packing, on_one_thread, packing_kernels
from rosin.passes.products import TileLanes
from rosin.passes.staging import Staging
from rosin.passes.tiles import (
    Tile,
    Tiling,
    alike_vectors,
    ends_of_rows,
    open_row_blocks,
    padded_blocks,
    row_blocks,
    stored_again,
    vector_blocks,
)
from rosin.passes.waiting import (
    COPIED_LONG_BYTES,
    COPY_ROWS,
    LONG_BYTES,
    PACKED_LONG_BYTES,
    Band,
    Blocks,
    panels_beside,
)
from rosin.passes.words import WORD_BYTES

END_ROWS = 8
"""Tiles of what is left of symbolic rows have so many, or what their sums have room for: enough to keep the multipliers
busy with single vectors."""

LEAST_SLICES, FEWER_SLICES, COPIED_WORK = 16, 8, 12
SLICE_BYTES = 1 << 18
"""An operand is packed slice by slice where there are so many, which threads share, of at most so many bytes. Fewer are
enough where what is done with an element of the copy takes no more than so many steps, and to make it a good part."""

BAND_BYTES = 1 << 20
"""Rows of an operand of about so many bytes are passed by one panel of the other after the other."""

FEW_BLOCKS = 16
"""So few blocks of rows are not cut into bands for the sake of threads."""


@dataclass(frozen=True)
class TileNest:
    """The nest over one kind of tile: loops in this order, the outermost first, around a body."""

    order: Sequence[LoopVar]
    body: list[Statement]
    scratch: tuple[Buffer, ...]
    tile: str


@dataclass(frozen=True)
class Slice:
    """What is read of a packed operand in a step of outer loops, which alone reads it: it is packed there."""

    position: int
    outer: Sequence[LoopVar]
    operand: Operand


class Contraction(TileLanes):
    """The kernels of a contraction, or of a piece of it."""

    reach_beyond = False
    """Whether tiles read what copies of operands have beyond a border."""
    along: LoopVar | None = None
    """What runs as vectors, once that is chosen."""
    choices: Sequence[Mapping[LoopVar, Tile]] = ()
    """The kinds of tiles, once these are."""

    blocks: Blocks | None = None
    """The blocks of what is folded, if sums wait from one to the next."""

    pads = False
    """Whether tiles read what is beyond the end of a copy, up to a whole vector."""

    slice: Slice | None = None
    """What is packed slice by slice, if anything is."""

    # -- kernels -------------------------------------------------------------------------------------------

    def choose(self) -> None:
        """Choose what runs as vectors, in which tiles, and what is packed for them."""
        self.choices = self._choose()

    @property
    def first(self) -> Tile | None:
        """The first kind of tiles along vectors."""
        return None if self.along is None else self.choices[0].get(self.along)

    def kernels(self) -> list[Kernel]:
        """A kernel for each kind of tile; they read copies of operands that are made before."""
        nests = [self._nest(choice, self.along) for choice in self.choices]
        if self.slice is not None:
            return [self._slice_by_slice(self.slice, nests)]
        names = [f"{self.name}_{i}" if i else self.name for i in range(len(nests))]
        return [self._kernel(name, nest) for name, nest in zip(names, nests, strict=True)]

    def read_copy(self, position: int, packing: Packing, buffer: Buffer) -> None:
        """Read an operand from another copy of it, in which its axes are the same in the same blocks."""
        self.packed[position] = packing, buffer
        self.terms = self._terms()

    def _choose(self) -> list[Mapping[LoopVar, Tile]]:
        """The kinds of tiles."""
        lanes = self.along = self.lanes()
        if lanes is None:
            return [{}]
        if self.in_tiles:
            return self.squares(lanes)
        partners = self.partners(lanes)
        if lanes in self.folded:
            first = partners[:1]
            second = [v for v in partners[1:] if _apart(self.steps(first[0]), self.steps(v))][:1] if first else []
            # A square of sums and the loads of its two sides fit the registers.
            side = {32: 4, 16: 3}.get(self.registers, 2)
            blocks = [row_blocks(v.extent, side, True) for v in (*first, *second)]
            return [dict(zip((*first, *second), tiles, strict=True)) for tiles in itertools.product(*blocks)]
        self.overlap = self._overlapping(lanes) if self.kind is None else None
        partners = partners if self.overlap is None else [self.overlap.row]
        groups = self.groups(lanes)
        if not partners:
            groups = max(groups, min(8, facts.estimate(lanes.extent) // self.width))
        # Stores of lanes that lie apart are put together over several rows, which no test may part.
        over = self.place.coefficient(lanes) == 1
        # What is stored again must not be what it has been computed from.
        again = self.form is None and self._arrays_beside() <= 1
        vectors = vector_blocks(lanes.extent, groups, self.width, over or (again and groups > 1))
        vectors = [stored_again(tile) if again else tile for tile in vectors]
        rows = self._rows(lanes, partners, groups)
        if again:
            rows = [{v: stored_again(tile) for v, tile in kinds.items()} for kinds in rows]
        row = next((v for v in partners[:1] if v in rows[0]), None)
        one = row is not None and len(rows[0]) == 1 and self.overlap is None
        if row is not None and one and self.means.copies and self.pack_rows(row, rows[0][row].block, lanes) and over:
            rows = [{row: tile} for tile in padded_blocks(row.extent, rows[0][row].block)]
        self.blocks = self._blocks(lanes, rows)
        ends = self._open_ends(lanes, row, groups) if over and row is not None and self.overlap is None else []
        if ends:
            vectors = vectors[:1]
        plain = self.kind is None and self.overlap is None and self.blocks is None and not self.packed
        if over and again and plain and is_static(v.extent for v in (*self.result, *self.folded)):
            vectors = alike_vectors(lanes.extent, vectors)
        self._slice([lanes, *rows[0]])
        found: list[Mapping[LoopVar, Tile]] = []
        for tile in vectors:
            beside = rows
            if tile.block < groups and row is not None and one and over and len(rows) == 1 and not self.packed:
                # What is left of vectors has more rows, for as many sums.
                room = min(self._room(row, tile.block), 2 * END_ROWS)
                beside = [{row: stored_again(t) if again else t} for t in row_blocks(row.extent, room, True)]
            found += ({lanes: tile, **r} for r in beside)
        return [*found, *ends]

    def _open_ends(self, lanes: LoopVar, row: LoopVar, groups: int) -> list[dict[LoopVar, Tile]]:
        """The tiles after blocks of so many vectors along lanes of a symbolic number: as few vectors as there may be.
        None where operands have copies in blocks."""
        if isinstance(lanes.extent, int) or self.packed:
            return []
        return [
            {lanes: end, row: tile}
            for end in ends_of_rows(lanes.extent, groups, self.width)
            for tile in open_row_blocks(row.extent, END_ROWS, end.block, self._room(row, end.block))
        ]

    def pack_rows(self, row: LoopVar, block: int, lanes: LoopVar) -> bool:
        """Pack operands of which a tile reads rows in blocks of these, where that is better; gives whether all are."""
        for position, operand in enumerate(self.operands):
            if operand is not None and position not in self.packed and self.packs_rows(operand, lanes):
                packing = operand.packing([row], [block])
                if packing is not None and packing.cut:
                    self._pack(position, packing)
        self.terms = self._terms()
        moving = [i for i, o in enumerate(self.operands) if o is None or o.step(row) != 0]
        return all(i in self.packed and self.packed[i][0].axes[-1].block == block for i in moving)

    def _blocks(self, lanes: LoopVar, rows: Sequence[Mapping[LoopVar, Tile]]) -> Blocks | None:
        """The blocks of what is folded, where rows of tiles pass by long panels of an operand that lies as it is, or by
        longer ones of a copy. From then on a block is what is folded."""
        moving = [i for i, o in enumerate(self.operands) if o is not None and o.step(lanes) != 0]
        packed = not set(self.packed).isdisjoint(moving)
        plain = self.kind is None and self.form is None and self.overlap is None
        plain = plain and (packed or self.place.coefficient(lanes) == 1)
        if not plain or len(rows) != 1 or any(t.count == 1 for t in rows[0].values()):
            return None
        folded, places = self.joined()
        if folded is None:
            return None
        dtype = self.monoid.identity[0].dtype
        sizes = folded.extent, lanes.extent, *(v.extent for v in rows[0])
        if dtype.is_complex or not rows[0] or not is_static(sizes):
            return None
        depth, columns, *rows_of = static(sizes, "a block")
        panel = self.groups(lanes) * self.width
        if depth * panel * dtype.bytes <= self._near_panel(moving, packed, panel, prod(rows_of)):
            return None
        others = prod(facts.estimate(v.extent) for v in self.result if v is not lanes and v not in rows[0])
        beside = 1 if packed else panels_beside(-(-columns // panel), others, panel * dtype.bytes, prod(rows_of))
        return self.in_blocks(folded, places, beside)

    def in_blocks(self, folded: LoopVar, places: Mapping[LoopVar, Index], beside: int | None) -> Blocks:
        """The blocks of what is folded, which so many panels pass by together. From then on a block is folded."""
        blocks = Blocks(folded, beside)
        places = {v: place.substitute({folded: blocks.place}) for v, place in places.items()}
        self.point = tuple(i.substitute(places) for i in self.point)
        self.folded, self.operands = [blocks.step], self._operands()
        self.terms = self._terms()
        return blocks

    def _near_panel(self, moving: Sequence[int], packed: bool, panel: int, rows: int) -> int:
        """Of up to how many bytes a panel, of so many elements a step, is read as a whole by so many rows."""
        if packed:
            return PACKED_LONG_BYTES
        operands = [o for i, o in enumerate(self.operands) if o is not None and i in moving]
        if rows >= COPY_ROWS and all(_lies_apart(o.step(self.folded[-1]), panel) for o in operands):
            return COPIED_LONG_BYTES
        return LONG_BYTES if any(map(self._share_a_set, operands)) else 2 * LONG_BYTES

    def joined(self) -> tuple[LoopVar | None, dict[LoopVar, Index]]:
        """One variable for all that is folded, and where the others are for it; None where operands do not have these
        one behind the other."""
        if len(self.folded) == 1:
            return self.folded[0], {self.folded[0]: indices.of(self.folded[0])}
        if len(self.folded) != 2:
            return None, {}
        outer, inner = self.folded
        for operand in self.operands:
            steps = (None, None) if operand is None else (operand.step(outer), operand.step(inner))
            if steps[0] is None or steps[1] is None or steps[0] != steps[1] * inner.extent:
                return None, {}
        both = LoopVar(outer.name, outer.extent * inner.extent)
        place = indices.of(both)
        return both, {outer: place // inner.extent, inner: place % inner.extent}

    def _slice(self, tiled: Collection[LoopVar]) -> None:
        """Pack a large operand slice by slice, in loops over what tiles lack, if a step of these alone reads a slice:
        that stays near, while all slices together are written to memory and read again."""
        if self.kind is not None or self.blocks is not None or self.beside > 1:
            return
        outer = [v for v in self.result if v.extent != 1 and v not in tiled]
        for position, (packing, buffer) in self.packed.items():
            operand = self.operands[position]
            assert operand is not None, "what is packed is read at one place"
            own = [v for v in outer if operand.step(v) not in (0, None)]
            own = [v for v in own if all(v not in t.index.variables() for t in operand.tests)]
            found, part = operand.slice(packing, own)
            sizes = (packing.size, part.size, *(v.extent for v in own))
            if self.memory.same_for(operand.value) > 1 or not is_static(sizes):
                continue
            whole, size, *counts = static(sizes, "a slice")
            least = LEAST_SLICES if facts.estimate(self.work) > COPIED_WORK * self.width * whole else FEWER_SLICES
            if prod(counts) < least or size * buffer.dtype.bytes > SLICE_BYTES or size * prod(counts) > whole:
                continue
            self.slice = Slice(position, own, found)
            self.read_copy(position, part, Buffer(buffer.name, buffer.dtype, size, Scope.LOCAL))
            return

    def _nest(self, tiles: Mapping[LoopVar, Tile], lanes: LoopVar | None) -> TileNest:
        """The nest over one kind of tile."""
        outer = [v for v in self.result if v.extent != 1 and v not in tiles]
        tiling = Tiling(tiles, lanes)
        band = self._band(tiling, outer)
        epilogue = Epilogue(self.group, self.memory)
        order, tests = ([*outer, *band.outer], ()) if band is not None else self._order(tiling, outer)
        if self.in_tiles:
            square, kept = self.square(tiling, epilogue)
            return TileNest(order, under(tests, square), (kept,), str(tiling))
        late = self._late(tiling, epilogue)
        positions = list(itertools.product(*(range(tiles[v].block) for v in tiling.axes)))
        sums = self._sums(tiling, len(positions))
        panel = None if band is None else self._panel_to_copy(tiling)
        terms = self.terms if band is None or panel is None else band.copy(panel, self.terms)
        terms_at = Copies(terms, epilogue.sharing).at
        starts: list[Statement] = []
        stops: list[Statement] = []
        carries: list[Carry] = []
        steps: list[tuple[int, Term]] = []
        borders = [] if lanes in self.folded or self.overlap is not None else self._borders()
        shared = [t for t in borders if t.index.variables().isdisjoint(tiles)]
        ends: list[tuple[tuple[Within, ...], list[Statement]]] = []
        for at, position in enumerate(positions):
            places, inside = tiling.at(position)
            name = "acc" + "".join([f"_{p}" for p in position])
            before = [] if band is None else [Local(f"{name}_before", band.sums.dtype)]
            carry = self.monoid.carry(name, tuple(before))
            if band is not None:
                starts.append(Let(before[0], Load(band.sums, band.at(at))))
                stops.append(Store(band.sums, band.at(at), carry.locals[0]))
            carries.append(carry)
            for met, there in self._written_out(tiling, position, places):
                here = terms_at(there)
                own = [Within(t.index.substitute(there), t.low, t.high) for t in borders if t not in shared]
                alike = tuple(t for t in own if tiling.lane not in t.index.variables())
                self.reach_beyond |= len(alike) < len(own)
                steps.append((met, Term(Accumulate(carry, here), alike)))
            finished = self.op.finish(self.total(carry.locals, places), self.types)
            local = Local(carry.locals[0].name + "_end", finished.dtype)
            if late is None:
                along = self._along(tiling.at(position, tested=True)[0])
                ends.append((inside, [Let(local, finished), *epilogue.statements(local, along)]))
            else:
                ends.append(((), [Let(local, finished), Store(sums, Index(at), local)]))
        scratch: tuple[Buffer, ...] = ()
        if late is not None:
            after, near = self._row_by_row(tiling, late, epilogue, sums)
            ends.append(((), after))
            scratch = (sums, *near)
        folds = FoldLoops(lanes if lanes in self.folded else None)
        written = None if self.overlap is None else self.overlap.folded
        folded = [v for v in self.folded if v not in (lanes, written)] + [v for v in self.folded if v is lanes]
        together = [term for _, term in sorted(steps, key=lambda step: step[0])]
        inner = folds.around(folded or [LoopVar("once", 1)], together, tuple(carries), shared)
        self.reach_beyond |= folds.reach_beyond or not borders
        last = list(_guarded(ends))
        body = self._lane_by_lane(tiling, [*starts, *inner, *last])
        if band is not None:
            ways = [[*inner, *stops], [*inner, *last]]
            if band.blocks.rest == 0:
                ways = [[*inner, *band.blocks.whether_last(stops, last)]]
            bodies = [self._lane_by_lane(tiling, [*starts, *way]) for way in ways]
            body, scratch = band.statements(*bodies), (*scratch, *band.scratch)
        return TileNest(order, under(tests, body), scratch, str(tiling))

    def _order(self, tiling: Tiling, outer: Sequence[LoopVar]) -> tuple[list[LoopVar], tuple[Within, ...]]:
        """The loops over tiles, and the tests that there is one: a panel of vectors stays near while all rows pass by
        it."""
        tiles, lanes = tiling.tiles, tiling.lanes
        axes = [v for v in reversed(tiling.axes) if tiles[v].count != 1]
        if lanes in self.folded:
            axes.sort(key=self._bytes_along, reverse=True)
        order = [*outer, *(tiling.blocks[v] for v in axes)]
        if lanes is not None and lanes in tiles and tiles[lanes].count != 1:
            order = self._panels_first(order, outer, lanes, tiling.blocks[lanes])
        row = next((v for v in tiling.axes if v is not lanes and tiles[v].count != 1 and tiles[v].is_regular), None)
        if row is None or lanes not in tiles:
            return order, ()
        # Threads that had other columns of the same rows would write to the same lines of memory. But one that has
        # packed some columns finds them in its own cache.
        columns = self.on_threads[0] and lanes is not None and order[0] is tiling.blocks[lanes] and not self.packed
        return self._row_bands(tiling, order, row, columns)

    def _written_out(
        self, tiling: Tiling, position: Sequence[int], places: dict[LoopVar, Index]
    ) -> Iterator[tuple[int, dict[LoopVar, Index]]]:
        """The places of the terms of an element of a tile, with a number by which those that read the same are
        neighbours."""
        if self.overlap is None:
            yield 0, places
            return
        row = position[tiling.axes.index(self.overlap.row)]
        for step in range(self.overlap.steps):
            yield self.overlap.place(row, step), {**places, self.overlap.folded: Index(step)}

    def _kernel(self, name: str, nest: TileNest) -> Kernel:
        """The kernel of one nest."""
        return self._on_threads(name, serial_loops(nest.order, nest.body), nest.scratch, nest.tile)

    def _slice_by_slice(self, slice: Slice, nests: Sequence[TileNest]) -> Kernel:
        """One kernel of all nests, which packs an operand where a slice of it is read."""
        packing, buffer = self.packed[slice.position]
        copies = packing_kernels(self.name, slice.operand, packing, buffer, self.memory, self.reach_beyond)
        body = [on_one_thread(statement) for copy in copies for statement in copy.body]
        for nest in nests:
            body += serial_loops([v for v in nest.order if v not in slice.outer], nest.body)
        scratch = (buffer, *(b for nest in nests for b in nest.scratch))
        tile = " and ".join(dict.fromkeys(nest.tile for nest in nests))
        return self._on_threads(self.name, serial_loops(slice.outer, body), scratch, tile)

    @property
    def work(self) -> Dim:
        """Of all blocks of what is folded."""
        if self.blocks is None:
            return super().work
        return dims.product((*(v.extent for v in self.result), self.blocks.depth))

    @property
    def on_threads(self) -> tuple[bool, Dim | None]:
        """Whether there is enough to do for threads, and the work where that is known when it runs."""
        elements = dims.product(v.extent for v in self.result)
        done = self.work + elements * Epilogue(self.group, self.memory).cost
        read = dims.total(v.type.size * v.type.dtype.bytes for v in self.node.operands)
        work = read if facts.estimate(read) > facts.estimate(done) else done
        return threads(work, IN_LOOPS if self.memory.in_loop else 1)

    def _on_threads(self, name: str, body: list[Statement], scratch: tuple[Buffer, ...], tile: str) -> Kernel:
        """The kernel of a body, on threads if there is enough to do and it is one loop."""
        on_threads, work = self.on_threads
        loop = body[0]
        if on_threads and isinstance(loop, Loop) and len(body) == 1 and loop.kind is Kind.SERIAL and not loop.carries:
            body = [on_many(loop)]
        return Kernel(name, tuple(body), scratch, work=work, tile=tile)

    def _lane_by_lane(self, tiling: Tiling, body: list[Statement]) -> list[Statement]:
        if tiling.lane is None or not tiling.is_vector:
            return body
        return [Loop(tiling.lane, Kind.VECTOR, tuple(body))]

    def _band(self, tiling: Tiling, outer: Sequence[LoopVar]) -> Band | None:
        """The tiles whose sums wait together, if sums wait."""
        if self.blocks is None or tiling.lanes is None:
            return None
        others = prod(facts.estimate(v.extent) for v in outer)
        return Band(tiling, self.blocks, others, self.monoid.identity[0].dtype)

    def _panel_to_copy(self, tiling: Tiling) -> Load | None:
        """What is read of an operand that lies as it is and is better copied block by block."""
        lanes, blocks = tiling.lanes, self.blocks
        assert lanes is not None, "only sums of vectors wait"
        assert blocks is not None, "only sums in blocks wait"
        tile, rows = tiling.tiles[lanes], [v for v in tiling.axes if v is not lanes]
        count = prod(facts.estimate(tiling.tiles[v].count * tiling.tiles[v].block) for v in rows)
        whole = tiling.is_vector and tile.end is None and tile.begin is None and tile.last is None
        moving = {(e.buffer, e.offset): e for e in self.loads if lanes in e.offset.variables()}
        if len(moving) != 1 or not whole or self.packed:
            return None
        (load,) = moving.values()
        if not load.offset.affine_in(lanes):
            return None
        still = all(load.offset.coefficient(v) == 0 for v in rows)
        side_by_side = load.offset.coefficient(lanes) == 1
        apart = _lies_apart(load.offset.coefficient(blocks.step), tile.block * self.width)
        return load if still and (not side_by_side or (apart and count >= COPY_ROWS)) else None

    def _along(self, places: dict[LoopVar, Index]) -> dict[int, Index]:
        """Where an element of the result is along each axis."""
        return {axis: place.substitute(places) for axis, place in enumerate(self.index)}

    def _late(self, tiling: Tiling, epilogue: Epilogue) -> LoopVar | None:
        """The axis of the tile along which what follows runs in a loop; None where it is unrolled."""
        rows = (v for v in tiling.axes if v is not tiling.lanes and tiling.tiles[v].block > 1)
        row = next(rows, None)
        terms = prod(facts.estimate(v.extent) for v in self.folded)
        regular = all(tile.is_regular for tile in tiling.tiles.values())
        return row if regular and epilogue.is_long(terms) else None

    def _sums(self, tiling: Tiling, count: int) -> Buffer:
        """A scratch array for the finished sums of a tile."""
        scope = Scope.LANES if tiling.is_vector else Scope.LOCAL
        return Buffer("sums", self.node.results[0].type.dtype, count, scope)

    def _row_by_row(
        self, tiling: Tiling, row: LoopVar, epilogue: Epilogue, sums: Buffer
    ) -> tuple[list[Statement], tuple[Buffer, ...]]:
        """What follows the finished sums of a tile, in a loop along one axis, and arrays that it needs."""
        again = LoopVar(f"{row.name}_row", tiling.tiles[row].block)
        shape = [tiling.tiles[v].block for v in tiling.axes]
        along = zip(tiling.axes, shape, strict=True)
        each: list[Sequence[int | Index]] = [[indices.of(again)] if v is row else range(n) for v, n in along]
        lane, staging = tiling.lane, None
        if lane is not None and tiling.is_vector and isinstance(lane.extent, int):
            staging = Staging(again, lane, lane.extent, prod(shape) // tiling.tiles[row].block)
        ends: list[tuple[tuple[Within, ...], list[Statement]]] = []
        for number, position in enumerate(itertools.product(*each)):
            places, inside = tiling.at(position, tested=True)
            sum_ = Load(sums, indices.flatten([indices.ZERO + at for at in position], shape))
            stores = epilogue.statements(sum_, self._along(places))
            if staging is not None and not inside:
                staging.number = number
                stores = [staging.staged(store) for store in stores]
            ends.append((inside, [*stores]))
        loop = Loop(again, Kind.SERIAL, tuple(_guarded(ends)))
        return ([loop], ()) if staging is None else ([*staging.before, loop, *staging.after], staging.scratch)

    def _panels_first(
        self, order: list[LoopVar], outer: Sequence[LoopVar], lanes: LoopVar, block: LoopVar
    ) -> list[LoopVar]:
        """The loops with that over panels of vectors outside of those that meet the same panels again and again, if
        all panels together do not stay near and to read the other operands once for each panel takes less."""
        steps, widths = self.steps(lanes), [e.dtype.bytes for e in self.loads]
        moving = [i for i, step in enumerate(steps) if step != 0]
        again = [v for v in outer if all(self.steps(v)[i] == 0 for i in moving)]
        panels = sum(widths[i] * self._reached(i) for i in moving)
        others = sum(width * self._reached(i) for i, width in enumerate(widths) if i not in moving)
        times = prod(facts.estimate(v.extent) for v in again)
        if not again or panels <= NEAR_BYTES or panels * times <= others * facts.estimate(block.extent):
            return order
        first = [v for v in outer if v not in again]
        return [*first, block, *(v for v in order if v not in first and v is not block)]

    def _bytes_along(self, var: LoopVar) -> int:
        """How much is read in all by loads that move with a variable."""
        moving = [i for i, step in enumerate(self.steps(var)) if step != 0]
        return sum(self._reached(i) * self.loads[i].dtype.bytes for i in moving)

    def _reached(self, load: int) -> int:
        """About how many elements a load reads in all."""
        moving = [v for v in (*self.result, *self.folded) if self.steps(v)[load] != 0]
        return min(facts.estimate(self.loads[load].buffer.size), prod(facts.estimate(v.extent) for v in moving))

    def _row_bands(
        self, tiling: Tiling, order: list[LoopVar], row: LoopVar, for_threads: bool
    ) -> tuple[list[LoopVar], tuple[Within, ...]]:
        """Cut the loop over rows into bands that stay in the cache, or for threads, with the loop over bands outside of
        the panels'."""
        number, block = tiling.blocks[row], tiling.tiles[row].block
        depth = prod(facts.estimate(v.extent) for v in self.folded)
        bytes = WORD_BYTES if self.kind is not None else max(t.dtype.bytes for t in self.types)
        band = max(BAND_BYTES // max(block * depth * bytes, 1), 1)
        few = min(band, FEW_BLOCKS) if for_threads and isinstance(number.extent, int) else band
        if facts.estimate(number.extent) <= few:
            return order, ()
        count = -(-number.extent // band)
        if isinstance(count, int):
            # Bands run on threads; a number of them that many divide keeps all busy.
            count = -(-count // 4) * 4
        band = dims.floor_divide(number.extent + count - 1, count)
        outer, inner = LoopVar(f"{number.name}_band", count), LoopVar(number.name, band)
        place = tiling.numbers[row] = indices.of(outer) * band + indices.of(inner)
        others = [v for v in order if v is not number]
        order = [*others[:-1], outer, *others[-1:], inner]
        return order, () if facts.known_at_least(number.extent, count * band) else (Within(place, 0, number.extent),)

    def _borders(self) -> list[Within]:
        """Tests of which all terms that fail one are zero: of products with what is beyond a border."""
        borders = [o for o in self.operands if o is not None and o.border is not None]
        zeros = all(o.border is not None and o.border.value == 0 for o in borders)
        products = all(isinstance(t, Apply) and isinstance(t.op, Mul) for t in self.terms)
        return [t for o in borders for t in o.tests] if zeros and products else []


def _guarded(ends: Sequence[tuple[tuple[Within, ...], list[Statement]]]) -> Iterator[Statement]:
    """Statements under tests, neighbours under the same ones together."""
    for inside, group in itertools.groupby(ends, lambda end: end[0]):
        together = [statement for _, statements in group for statement in statements]
        yield from under(inside, together)


def _lies_apart(step: Dim | None, panel: int) -> bool:
    """Whether steps of a panel of so many elements are far from each other in memory."""
    return step is not None and facts.known_at_least(step, 2 * panel)


def _apart(a: list[Dim | None], b: list[Dim | None]) -> bool:
    """Whether two axes move different loads."""
    return any(x == 0 and y != 0 for x, y in zip(a, b, strict=True))
