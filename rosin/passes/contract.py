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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, prod

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Const,
    Expr,
    Guard,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    substitute,
    walk,
)
from rosin.ir.op import Fold, Reader, elements
from rosin.ir.ops.arithmetic import Mul
from rosin.ir.statements import replace, used_buffers
from rosin.ir.steps import Kernel
from rosin.passes.epilogue import Epilogue
from rosin.passes.fusion import Group
from rosin.passes.nest import Memory, on_many, threads
from rosin.passes.packing import Operand, Packing, packing_kernels
from rosin.passes.pieces import Piece, pieces, reduced
from rosin.passes.tiles import Tile, TileSize, Tiling, padded_blocks, row_blocks, vector_blocks


def contraction_kernels(
    group: Group, memory: Memory, name: str, vector_bytes: int, size: TileSize | None = None
) -> list[Kernel]:
    """The kernels of a contraction, in tiles of a size that somebody has found to be the best, if it is given.

    The size of a tile changes no bits: each sum runs over the same terms in the same order.
    """
    node = group.nodes[0]
    op, uses = node.op, memory.fusion.uses_of[node]
    assert isinstance(op, Fold)
    found = pieces(op, uses.variables, uses.result_rank, tuple(v.type for v in node.operands))
    names = [name] if len(found) == 1 else [f"{name}_piece{i}" for i in range(len(found))]
    nests = (_Contraction(group, memory, each, vector_bytes, p, size) for each, p in zip(names, found, strict=True))
    return [kernel for nest in nests for kernel in nest.kernels()]


GATHER_COST = 8.0
"""Machine steps to load a vector whose elements do not lie side by side, beyond those of one that does."""

BAND_BYTES = 1 << 20
"""Rows of an operand of about so many bytes are passed by one panel of the other after the other."""

NEAR_BYTES = 1 << 19
FAR_BYTES = 1 << 23
FAR_COST = 0.5
"""Machine steps to load a vector of an operand of which a tile reads more than `NEAR_BYTES`, or that has more than
`FAR_BYTES`, from rows that lie apart: those do not stay in a near cache, or come from memory."""

CLOSE_BYTES = 1 << 17
APART_COST = 0.1
"""The same where a tile reads at least `CLOSE_BYTES`, or half of that from rows that share a set of the nearest cache:
those come from a second cache, and what is ahead in one row is not what comes next."""

PAGE_BYTES = 4096
NEAR_PAGES = 64
PAGES_COST = 0.3
"""The same where what a tile reads lies on more than `NEAR_PAGES` pages, whose addresses have to be looked up again."""

TILE_ROWS = 12
"""An axis of so many elements or more gives tiles enough rows."""

SET_BYTES = 4096
SET_ROWS = 6
"""Rows that lie a multiple of so many bytes apart share a set of the nearest cache, which has room for so many."""

PANEL_BYTES = 1 << 20
"""A panel of vectors of more bytes comes from far each time that it passes by."""

CHANNELS = (16, 32, 24, 20, 12, 28, 8)
"""Blocks of so many channels fill lines of the caches; the first of these that divides them all is taken."""

GUARD_COST = 1.0
SCATTER_COST = 4.0
SQUARE_COST = 1.0
LANE_SUM_COST = 0.7
"""Machine steps an element of the result to store it apart from its neighbours (and to load another one that goes into
it), in a square with the other rows of its tile, or to add up its lanes."""

SQUARE_ROWS = 4


FORM_COST = 0.25
KIND_COST = 0.02
"""What loads beside multiply-adds cost a tile over windows, and code of its own for each kind of tile."""


@dataclass(frozen=True)
class Form:
    """The form of tiles: rows along an axis, each of so many vectors."""

    row: LoopVar
    groups: int


class _Contraction:
    def __init__(
        self, group: Group, memory: Memory, name: str, vector_bytes: int, piece: Piece, size: TileSize | None
    ) -> None:
        self.group = group
        self.wanted = size
        self.size: TileSize | None = None
        """The wanted size of tiles, once it is known what runs as vectors."""
        self.memory = memory
        self.name = name
        self.node = group.nodes[0]
        op = self.node.op
        assert isinstance(op, Fold)
        self.op = op
        self.types = tuple(v.type for v in self.node.operands)
        self.result, self.index, self.point = piece.result, piece.index, piece.point
        self.folded = [v for v in piece.folded if v.extent != 1]
        self.place = self._place()
        self.monoid = op.monoid(self.types)
        self.packed: dict[int, tuple[Packing, Buffer]] = {}
        self.form: Form | None = None
        self.operands = self._operands()
        self.terms = self._terms()
        widest = max(e.dtype.part.bytes for t in self.terms for e in walk(t))
        self.width = max(vector_bytes // max(widest, 4), 1)
        # A complex number takes two registers.
        parts = 2 if any(c.dtype.is_complex for c in self.monoid.identity) else 1
        self.registers = (32 if vector_bytes >= 64 else 16) // parts

    def _place(self) -> Index:
        """Where what becomes of an element of the result is stored first."""
        stored = (v for node in self.group.nodes for v in node.results if v in self.memory)
        value = next(stored, self.node.results[0])
        axes = self.group.axes[value]
        return indices.flatten([indices.ZERO if a is None else self.index[a] for a in axes], value.type.shape)

    # -- reading -------------------------------------------------------------------------------------------

    def _operands(self) -> list[Operand | None]:
        """How each operand is read; None for one that is not read at exactly one place."""
        found: dict[int, list[Operand]] = {i: [] for i in range(len(self.node.operands))}
        marks: dict[int, tuple[int, tuple[Index, ...]]] = {}

        def reader(position: int) -> Reader:
            def read(index: tuple[Index, ...]) -> Expr:
                mark = Local(f"operand{position}", self.types[position].dtype)
                marks[id(mark)] = (position, index)
                kept.append(mark)
                found[position].append(Operand.at(self.memory, self.node.operands[position], index))
                return mark

            return read

        kept: list[Expr] = []
        terms = self.op.terms(self.index, self.point, tuple(reader(i) for i in found), self.types)
        for expr in (e for t in terms for e in walk(t)):
            if isinstance(expr, Guard) and id(expr.then) in marks and isinstance(expr.otherwise, Const):
                position, index = marks[id(expr.then)]
                tests = tuple(map(reduced, expr.tests))
                operand = Operand.at(self.memory, self.node.operands[position], index, tests, expr.otherwise)
                found[position] = [operand]
        return [reads[0] if len(reads) == 1 else None for reads in found.values()]

    def _terms(self) -> tuple[Expr, ...]:
        """The terms, reading packed operands from their copies."""
        packs: set[int] = set()

        def reader(position: int) -> Reader:
            if position not in self.packed:
                return self.memory.read(self.node.operands[position])
            packing, buffer = self.packed[position]

            def read(index: tuple[Index, ...]) -> Expr:
                load = Load(buffer, packing.offset(index))
                packs.add(id(load))
                keep.append(load)
                return load

            return read

        keep: list[Expr] = []
        terms = self.op.terms(self.index, self.point, tuple(map(reader, range(len(self.node.operands)))), self.types)
        return tuple(_unguarded(t, packs) for t in terms)

    @property
    def loads(self) -> list[Load]:
        return [e for t in self.terms for e in walk(t) if isinstance(e, Load)]

    def steps(self, var: LoopVar) -> list[Dim | None]:
        """How far each load moves with a step of the variable; None where that is not one number."""
        return [e.offset.coefficient(var) if e.offset.affine_in(var) else None for e in self.loads]

    # -- choosing the lanes ----------------------------------------------------------------------------------

    def lanes(self) -> LoopVar | None:
        """The variable that runs as vectors, with the operands packed for it: the one with the least estimated work."""
        best: tuple[float, LoopVar, list[tuple[int, Packing]]] | None = None
        for var in [*(v for v in self.result if v.extent != 1), *self.folded]:
            cost, packs = self._estimate(var)
            if best is None or cost < best[0]:
                best = (cost, var, packs)
        if best is None:
            return None
        if self.wanted is not None and best[1] not in self.folded and self.partners(best[1]):
            self.size = self.wanted
            best = (0.0, best[1], self._estimate(best[1])[1])
        packs = self._along_windows(best[1], dict(best[2]))
        for position, packing in packs.items():
            self._pack(position, packing)
        self.terms = self._terms()
        return best[1]

    def _along_windows(self, lanes: LoopVar, packs: dict[int, Packing]) -> dict[int, Packing]:
        """Packed forms for an operand that slides beneath windows: neighbours along another folded axis, its channels,
        lie side by side, and all sums run over a block of these for each place of the window."""
        sliding = [i for i in packs if lanes not in self.folded and self._slides(i, lanes)]
        if not sliding:
            return packs
        still, others = self.operands[sliding[0]], [i for i in packs if i != sliding[0]]
        alone = [v for v in self.folded if isinstance(v.extent, int) and still and indices.of(v) in still.index]
        if still is None or not alone:
            return packs
        channel = max(alone, key=lambda v: facts.estimate(v.extent))
        assert isinstance(channel.extent, int)
        block = next((b for b in CHANNELS if channel.extent % b == 0), 0)
        form = self._form(lanes, still)
        found = {sliding[0]: still.packing([channel], [block])}
        for i in others:
            operand = self.operands[i]
            panel = 0 if form is None else form.groups * self.width
            found[i] = None if operand is None else operand.packing([channel, lanes], [block, panel])
        if form is None or any(p is None for p in found.values()):
            return packs
        self.form = form
        window = [v for v in self.folded if v is not channel]
        if 0 < block < channel.extent:
            outer, inner = LoopVar(f"{channel.name}_block", channel.extent // block), LoopVar(channel.name, block)
            self.point = tuple(
                i.substitute({channel: indices.of(outer) * block + indices.of(inner)}) for i in self.point
            )
            self.folded = [outer, *window, inner]
            self.operands = self._operands()
        else:
            self.folded = [*window, channel]
        return {i: p for i, p in found.items() if p is not None}

    def _form(self, lanes: LoopVar, still: Operand) -> Form | None:
        """The form of tiles over windows, where lanes lie apart: the axis that has their rows, and how many vectors."""
        if self.place.coefficient(lanes) == 1:
            return None
        vectors = -(-facts.estimate(lanes.extent) // self.width)
        depth = prod(facts.estimate(v.extent) for v in self.folded)
        best: tuple[float, Form] | None = None
        for row in self._by_nearness(self.partners(lanes)):
            squares = self.place.coefficient(row) == 1 and facts.estimate(row.extent) >= SQUARE_ROWS
            stores = (SQUARE_COST if squares else SCATTER_COST) * self.width / depth
            share = self._within_share(still, row)
            for groups in range(1, min(self.registers // 8, vectors) + 1):
                blocks = row_blocks(row.extent, self.room(groups), False)
                rows = facts.estimate(row.extent) / sum(facts.estimate(t.count) for t in blocks)
                whole, rest = divmod(vectors, groups)
                near = (whole + bool(rest)) / vectors
                kinds = len(blocks) * (1 + bool(rest))
                cost = share * (1 + FORM_COST * (2 / rows + near)) + stores + KIND_COST * kinds
                if best is None or cost < best[0]:
                    best = cost, Form(row, groups)
        return None if best is None else best[1]

    def _within_share(self, still: Operand, row: LoopVar) -> float:
        """Which share of the terms has nothing beyond a border, as far as that is the same for all rows of a tile."""
        share = 1.0
        for test in still.tests:
            moving = sorted(test.index.variables(), key=lambda v: v.serial)
            extents = [v.extent for v in moving]
            sizes = [n for n in extents if isinstance(n, int)]
            if row in moving or len(sizes) < len(extents) or len(sizes) > 2:
                continue
            places = [dict(zip(moving, map(Index, at), strict=True)) for at in itertools.product(*map(range, sizes))]
            inside = sum(Within(test.index.substitute(at), test.low, test.high).always for at in places)
            share *= inside / max(len(places), 1)
        return share

    def _slides(self, position: int, lanes: LoopVar) -> bool:
        """Whether an operand that the lanes share is read at places that windows have in common."""
        operand = self.operands[position]
        if operand is None or operand.step(lanes) != 0:
            return False
        both = (i.variables() for i in operand.index)
        return any(not v.isdisjoint(self.result) and not v.isdisjoint(self.folded) for v in both)

    def _estimate(self, var: LoopVar) -> tuple[float, list[tuple[int, Packing]]]:
        """A rough count of machine steps when `var` runs as vectors, and what is packed for it."""
        extent = facts.estimate(var.extent)
        vectors = -(-extent // self.width)
        steps = facts.estimate(self.work) / max(extent, 1) * vectors
        outputs = prod(facts.estimate(v.extent) for v in self.result)
        cost = steps
        if var in self.folded:
            cost = steps * 1.3 + outputs * LANE_SUM_COST
        elif self.place.coefficient(var) != 1:
            cost += outputs * (SQUARE_COST if self._in_squares(var) else SCATTER_COST) * self._arrays_beside()
        packs: list[tuple[int, Packing]] = []
        for position, operand in enumerate(self.operands):
            if operand is None:
                cost += steps * GATHER_COST
                continue
            step = operand.step(var)
            smooth = step in (0, 1) and not (var in self.folded and step == 0)
            trouble = (0.0 if smooth else GATHER_COST) + (GUARD_COST if operand.tests else 0.0)
            if var not in self.folded and step == 1:
                trouble += self._distance(operand, extent, self.groups(var))
            # What a tile of dot products reads of a row is all of it.
            block = 0 if var in self.folded else self.groups(var) * self.width
            packing = operand.packing([var] if step != 0 else [], [block] if step != 0 else []) if trouble else None
            copying = 0.0 if packing is None else packing.cost / self.memory.same_for(operand.value)
            if packing is not None and copying < steps * trouble:
                packs.append((position, packing))
                cost += copying
                if var not in self.folded and step != 0:
                    cost += steps * self._passing(var, packing, operand.value.type.dtype.bytes)
            else:
                cost += steps * trouble
        return cost, packs

    def _passing(self, lanes: LoopVar, packing: Packing, width: int) -> float:
        """What it costs a step that a panel of vectors is more than stays near, and so comes from far for each tile."""
        groups = self.groups(lanes)
        panel = facts.estimate(packing.size) * width * groups * self.width / max(facts.estimate(lanes.extent), 1)
        rows = self._rows(lanes, self.partners(lanes), groups)[0]
        return FAR_COST / prod(tile.block for tile in rows.values()) if panel > PANEL_BYTES else 0.0

    def _distance(self, operand: Operand, extent: int, groups: int) -> float:
        """What a vector of an operand costs, of so many beside each other in rows that lie apart."""
        size, share = operand.value.type.bytes, min(groups * self.width / max(extent, 1), 1)
        if size * share > NEAR_BYTES or size > FAR_BYTES:
            return FAR_COST
        if share == 1:
            return 0.0
        close = CLOSE_BYTES // 2 if self._share_a_set(operand) else CLOSE_BYTES
        return PAGES_COST if self._pages(operand) > NEAR_PAGES else APART_COST if size * share >= close else 0.0

    def _pages(self, operand: Operand) -> int:
        """On about how many pages what is folded together lies."""
        width, pages = operand.value.type.dtype.bytes, 1
        for var in self.folded:
            extent, step = facts.estimate(var.extent), operand.step(var)
            apart = 0 if step is None else min(facts.estimate(step) * width, PAGE_BYTES)
            pages *= max(extent * apart // PAGE_BYTES, 1)
        return pages

    def _share_a_set(self, operand: Operand) -> bool:
        """Whether all rows of an operand share a set of the nearest cache."""
        steps = (operand.step(var) for var in self.folded)
        width = operand.value.type.dtype.bytes
        return any(isinstance(step, int) and step and step * width % SET_BYTES == 0 for step in steps)

    def groups(self, lanes: LoopVar) -> int:
        """How many vectors of lanes a tile has: one where all of some short axes are rows, to have many of these."""
        if self.size is not None:
            return max(1, min(self.size.vectors, -(-facts.estimate(lanes.extent) // self.width)))
        if self.form is not None:
            return self.form.groups
        most = max(1, min(self.registers // 8, -(-facts.estimate(lanes.extent) // self.width)))
        if lanes in self.folded or self.place.coefficient(lanes) == 1:
            return most
        whole = 1
        for var in self._by_nearness(self.partners(lanes)):
            if not isinstance(var.extent, int) or var.extent >= TILE_ROWS or whole * var.extent > self.room(1):
                break
            whole *= var.extent
        return 1 if whole > 1 else most

    def _arrays_beside(self) -> int:
        """How many arrays as large as the result are written, or read by what follows the product."""
        uses_of, nodes = self.memory.fusion.uses_of, self.group.nodes
        touched = {v for node in nodes for v in node.results if v in self.memory}
        touched |= {read.value for node in nodes[1:] for read in uses_of[node].reads if read.value in self.memory}
        outputs = elements(self.node.results[0].type)
        return sum(elements(v.type) >= outputs for v in touched)

    def _in_squares(self, lanes: LoopVar) -> bool:
        """Whether rows of a tile are pieces of memory in each lane."""
        run: Dim = 1
        for var in self._by_nearness(self.partners(lanes)):
            if self.place.coefficient(var) != run:
                break
            run *= var.extent
        return facts.estimate(run) >= SQUARE_ROWS

    def room(self, groups: int) -> int:
        """How many rows of so many vectors have their sums in registers."""
        return (self.registers - groups - 1) // groups

    def _by_nearness(self, axes: Sequence[LoopVar]) -> list[LoopVar]:
        """Axes of the result by how near neighbours along them lie, nearest first."""
        return sorted(axes, key=lambda v: facts.estimate(self.place.coefficient(v)))

    def partners(self, lanes: LoopVar) -> list[LoopVar]:
        """Result axes to tile besides the lanes, best first: a step along them leaves some load where it is."""
        candidates = [v for v in self.result if v is not lanes and v.extent != 1 and 0 in self.steps(v)]
        if lanes in self.folded:
            return sorted(candidates, key=lambda v: -facts.estimate(v.extent))
        still = [i for i, step in enumerate(self.steps(lanes)) if step != 0]
        fit = (v for v in candidates if all(self.steps(v)[i] == 0 for i in still))

        def fitness(var: LoopVar) -> tuple[int, int]:
            """Of those that fill a tile, the one whose neighbours lie nearest is best."""
            return -min(facts.estimate(var.extent), TILE_ROWS), facts.estimate(self.place.coefficient(var))

        return sorted(fit, key=fitness)

    def _room(self, row: LoopVar, groups: int) -> int:
        """How many rows a tile may have: their sums fit the registers, and what is read of them the nearest cache."""
        room = self.room(groups)
        for operand, dtype in zip(self.operands, (t.dtype for t in self.types), strict=True):
            step = None if operand is None else operand.step(row)
            if step is not None and step != 0:
                room = min(room, max(SET_ROWS * SET_BYTES // gcd(facts.estimate(step) * dtype.bytes, SET_BYTES), 1))
        return room

    # -- kernels -------------------------------------------------------------------------------------------

    def kernels(self) -> list[Kernel]:
        lanes = self.lanes()
        if lanes is None:
            return [self.kernel({}, None, 0)]
        partners = self.partners(lanes)
        if lanes in self.folded:
            first = partners[:1]
            second = [v for v in partners[1:] if _apart(self.steps(first[0]), self.steps(v))][:1] if first else []
            # A square of sums and the loads of its two sides fit the registers.
            side = {32: 4, 16: 3}.get(self.registers, 2)
            blocks = [row_blocks(v.extent, side, True) for v in (*first, *second)]
            choices = [dict(zip((*first, *second), tiles, strict=True)) for tiles in itertools.product(*blocks)]
        else:
            groups = self.groups(lanes)
            if not partners:
                groups = max(groups, min(8, facts.estimate(lanes.extent) // self.width))
            # Stores of lanes that lie apart are put together over several rows, which no test may part.
            over = self.place.coefficient(lanes) == 1
            vectors = vector_blocks(lanes.extent, groups, self.width, over)
            rows = self._rows(lanes, partners, groups)
            row = next((v for v in rows[0] if v is partners[0]), None)
            if row is not None and len(rows[0]) == 1 and self._pack_rows(row, rows[0][row].block, lanes) and over:
                rows = [{row: tile} for tile in padded_blocks(row.extent, rows[0][row].block)]
            choices = [{lanes: v, **r} for v, r in itertools.product(vectors, rows)]
        packing = [kernel for position in self.packed for kernel in self._packing(position)]
        return [*packing, *(self.kernel(choice, lanes, i) for i, choice in enumerate(choices))]

    def _rows(self, lanes: LoopVar, partners: Sequence[LoopVar], groups: int) -> list[dict[LoopVar, Tile]]:
        """The rows of tiles. Where lanes lie apart in the result, they are those nearest to each other: all of some
        short axes and a block of the next, so that a tile writes pieces of memory."""
        if not partners:
            return [{}]
        if self.place.coefficient(lanes) == 1:
            room = self._room(partners[0], groups)
            if self.size is not None:
                room = max(min(self.size.rows, room), 1)
            return [{partners[0]: block} for block in row_blocks(partners[0].extent, room, True)]
        room = self.room(groups)
        if self.form is not None:
            return [{self.form.row: block} for block in row_blocks(self.form.row.extent, room, False)]
        rows: dict[LoopVar, Tile] = {}
        for var in self._by_nearness(partners):
            if not isinstance(var.extent, int) or var.extent > room:
                last = row_blocks(var.extent, min(room, self._room(var, groups)), False)
                return [{**rows, var: block} for block in last]
            rows[var] = Tile(0, 1, var.extent)
            room //= var.extent
        return [rows]

    def _pack_rows(self, row: LoopVar, block: int, lanes: LoopVar) -> bool:
        """Pack a large operand of which a tile reads rows, when there are many vectors to read them for.

        Rows that run along what is folded pass by as they are. Gives whether all that is read of rows is packed in
        such blocks.
        """
        for position, operand in enumerate(self.operands):
            if operand is None or position in self.packed or operand.step(lanes) != 0:
                continue
            if any(map(operand.runs_along, self.folded)):
                continue
            again = prod(facts.estimate(v.extent) for v in self.result if operand.step(v) == 0)
            if operand.value.type.bytes > NEAR_BYTES and again >= 16 * self.width:
                packing = operand.packing([row], [block])
                if packing is not None and packing.cut:
                    self._pack(position, packing)
        self.terms = self._terms()
        moving = [i for i, o in enumerate(self.operands) if o is None or o.step(row) != 0]
        return all(i in self.packed and self.packed[i][0].axes[-1].block == block for i in moving)

    def _pack(self, position: int, packing: Packing) -> None:
        name = f"{self.name}_packed{position}"
        self.packed[position] = packing, Buffer(name, self.types[position].dtype, packing.size, Scope.ARENA)

    def _packing(self, position: int) -> list[Kernel]:
        operand = self.operands[position]
        assert operand is not None
        return packing_kernels(f"{self.name}_pack{position}", operand, *self.packed[position], self.memory)

    def kernel(self, tiles: Mapping[LoopVar, Tile], lanes: LoopVar | None, number: int) -> Kernel:
        """The nest over one kind of tile."""
        outer = [v for v in self.result if v.extent != 1 and v not in tiles]
        tiling = Tiling(tiles, lanes)
        epilogue = Epilogue(self.group, self.memory)
        late = self._late(tiling, epilogue)
        positions = list(itertools.product(*(range(tiles[v].block) for v in tiling.axes)))
        sums = self._sums(tiling, len(positions))
        carries: list[Carry] = []
        steps: list[Statement] = []
        ends: list[tuple[tuple[Within, ...], list[Statement]]] = []
        for at, position in enumerate(positions):
            places, inside = tiling.at(position)
            carry = self.monoid.carry("acc" + "".join(f"_{p}" for p in position))
            carries.append(carry)
            memo: dict[int, Expr] = {}
            terms = [epilogue.sharing.intern(substitute(t, places, memo)) for t in self.terms]
            steps.append(Accumulate(carry, tuple(terms)))
            finished = self.op.finish(carry.locals, self.types)
            local = Local(carry.locals[0].name + "_end", finished.dtype)
            if late is None:
                ends.append((inside, [Let(local, finished), *epilogue.statements(local, self._along(places))]))
            else:
                ends.append(((), [Let(local, finished), Store(sums, Index(at), local)]))
        if late is not None:
            ends.append(((), [self._row_by_row(tiling, late, epilogue, sums)]))
        within = [] if lanes in self.folded else self._within(tiles)
        folds = self._fold_loops(steps, tuple(carries), lanes if lanes in self.folded else None, within)
        body = [*folds, *_guarded(ends)]
        if tiling.lane is not None and tiling.is_vector:
            body = [Loop(tiling.lane, Kind.VECTOR, tuple(body))]
        # A panel of vectors stays near while all rows pass by it.
        order = [*outer, *(tiling.blocks[v] for v in reversed(tiling.axes) if tiles[v].count != 1)]
        if lanes is not None and lanes in tiles and tiles[lanes].count != 1:
            order = self._panels_first(order, outer, lanes, tiling.blocks[lanes])
        row = next((v for v in tiling.axes if v is not lanes and tiles[v].count != 1 and tiles[v].is_regular), None)
        if row is not None and lanes in tiles:
            body, order = self._row_bands(body, order, tiling.blocks[row], tiles[row].block)
        for var in reversed(order):
            body = [Loop(var, Kind.SERIAL, tuple(body))]
        on_threads, work = threads(self.work)
        loop = body[0]
        if on_threads and isinstance(loop, Loop) and len(body) == 1 and loop.kind is Kind.SERIAL and not loop.carries:
            body = [on_many(loop)]
        name = f"{self.name}_{number}" if number else self.name
        return Kernel(
            name, used_buffers(body), tuple(body), () if late is None else (sums,), work=work, tile=str(tiling)
        )

    def _along(self, places: dict[LoopVar, Index]) -> dict[int, Index]:
        """Where an element of the result is along each axis."""
        return {axis: place.substitute(places) for axis, place in enumerate(self.index)}

    def _late(self, tiling: Tiling, epilogue: Epilogue) -> LoopVar | None:
        """The axis of the tile along which what follows runs in a loop; None where it is unrolled."""
        rows = (v for v in tiling.axes if v is not tiling.lanes and tiling.tiles[v].block > 1)
        row = next(rows, None)
        return row if epilogue.is_long and all(t.is_regular for t in tiling.tiles.values()) else None

    def _sums(self, tiling: Tiling, count: int) -> Buffer:
        """A scratch array for the finished sums of a tile."""
        scope = Scope.LANES if tiling.is_vector else Scope.LOCAL
        return Buffer("sums", self.node.results[0].type.dtype, count, scope)

    def _row_by_row(self, tiling: Tiling, row: LoopVar, epilogue: Epilogue, sums: Buffer) -> Statement:
        """What follows the finished sums of a tile, in a loop along one axis."""
        again = LoopVar(f"{row.name}_row", tiling.tiles[row].block)
        shape = [tiling.tiles[v].block for v in tiling.axes]
        along = zip(tiling.axes, shape, strict=True)
        each: list[Sequence[int | Index]] = [[indices.of(again)] if v is row else range(n) for v, n in along]
        ends: list[tuple[tuple[Within, ...], list[Statement]]] = []
        for position in itertools.product(*each):
            places, inside = tiling.at(position)
            sum_ = Load(sums, indices.flatten([indices.ZERO + at for at in position], shape))
            ends.append((inside, epilogue.statements(sum_, self._along(places))))
        return Loop(again, Kind.SERIAL, tuple(_guarded(ends)))

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

    def _reached(self, load: int) -> int:
        """About how many elements a load reads in all."""
        moving = [v for v in (*self.result, *self.folded) if self.steps(v)[load] != 0]
        return min(facts.estimate(self.loads[load].buffer.size), prod(facts.estimate(v.extent) for v in moving))

    def _row_bands(
        self, body: Sequence[Statement], order: list[LoopVar], row: LoopVar, block: int
    ) -> tuple[list[Statement], list[LoopVar]]:
        """Cut the loop over rows into bands that stay in the cache, with the loop over bands outside of the panels'."""
        depth = prod(facts.estimate(v.extent) for v in self.folded)
        band = max(BAND_BYTES // max(block * depth * max(t.dtype.bytes for t in self.types), 1), 1)
        if facts.estimate(row.extent) <= band:
            return list(body), order
        count = -(-row.extent // band)
        if isinstance(row.extent, int) and isinstance(count, int):
            # Bands run on threads; a number of them that many divide keeps all busy.
            count = -(-count // 4) * 4
            band = -(-row.extent // count)
        outer, inner = LoopVar(f"{row.name}_band", count), LoopVar(row.name, band)
        place = indices.of(outer) * band + indices.of(inner)
        memo: dict[int, Expr] = {}
        banded: list[Statement] = [replace(s, {row: place}, memo) for s in body]
        if not facts.known_at_least(row.extent, count * band):
            banded = [When((Within(place, 0, row.extent),), tuple(banded))]
        others = [v for v in order if v is not row]
        return banded, [*others[: len(others) - 1], outer, *others[len(others) - 1 :], inner] if others else [
            outer,
            inner,
        ]

    @property
    def work(self) -> Dim:
        return dims.product(var.extent for var in (*self.result, *self.folded))

    def _within(self, tiles: Mapping[LoopVar, Tile]) -> list[Within]:
        """Tests of which all terms of a tile that fail one are zero: of products with what is beyond a border."""
        products = [t for t in self.terms if isinstance(t, Apply) and isinstance(t.op, Mul)]
        if len(products) != len(self.terms):
            return []
        borders = (o.tests for o in self.operands if o is not None and o.border is not None and o.border.value == 0)
        return [t for tests in borders for t in tests if t.index.variables().isdisjoint(tiles)]

    def _fold_loops(
        self, steps: list[Statement], carries: tuple[Carry, ...], lanes: LoopVar | None, within: Sequence[Within]
    ) -> list[Statement]:
        """The folded loops; the terms that do not pass tests are left out."""
        order = [v for v in self.folded if v is not lanes] + [v for v in self.folded if v is lanes]
        if not order:
            return [Loop(LoopVar("once", 1), Kind.SERIAL, tuple(steps), carries)]
        body: list[Statement] = steps
        known: set[LoopVar] = set(order)
        for var in reversed(order):
            tests = tuple(t for t in within if var in t.index.variables() and t.index.variables() & set(order) <= known)
            body = [When(tests, tuple(body))] if tests else body
            kind = Kind.VECTOR if var is lanes else Kind.SERIAL
            body = [Loop(var, kind, tuple(body), carries if var is order[0] else ())]
            known.discard(var)
            within = [t for t in within if t not in tests]
        return body


def _guarded(ends: Sequence[tuple[tuple[Within, ...], list[Statement]]]) -> Iterator[Statement]:
    """Statements under tests, neighbours under the same ones together."""
    for inside, group in itertools.groupby(ends, lambda end: end[0]):
        together = [statement for _, statements in group for statement in statements]
        yield from [When(inside, tuple(together))] if inside else together


def _unguarded(expr: Expr, packed: set[int]) -> Expr:
    """The expression without the guards of reads from packed copies, which hold the border."""
    if isinstance(expr, Guard) and id(expr.then) in packed:
        return expr.then
    children = tuple(_unguarded(c, packed) for c in expr.children())
    return expr if children == expr.children() else expr.rebuild(children, expr.indices())


def _apart(a: list[Dim | None], b: list[Dim | None]) -> bool:
    """Whether two axes move different loads."""
    return any(x == 0 and y != 0 for x, y in zip(a, b, strict=True))
