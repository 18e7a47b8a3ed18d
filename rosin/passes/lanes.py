"""Which axis of a contraction runs as vectors, and in what form its operands and the tiles of its result are.

Each axis gets a rough count of machine steps, with what is packed for it; the least wins. Where windows slide over an
operand that the lanes share, as over the images of a convolution, its channels lie side by side in blocks, the other
operand in the order of the sums, and tiles have a form of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import gcd, prod

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim, is_static, static
from rosin.ir.index import LoopVar
from rosin.ir.op import elements
from rosin.passes.overlap import Overlap
from rosin.passes.packing import PACK_COST, Operand, Packing
from rosin.passes.reads import Form, Reads
from rosin.passes.tiles import Tile, row_blocks

GATHER_COST = 8.0
"""Machine steps to load a vector whose elements do not lie side by side, beyond those of one that does."""

NEAR_BYTES = 1 << 19
FAR_BYTES = 1 << 23
FAR_COST = 0.5
"""Machine steps to load a vector of an operand of which a tile reads more than `NEAR_BYTES`, or that has more than
`FAR_BYTES`, from rows that lie apart: those do not stay in a near cache, or come from memory."""

WHOLE_BYTES = 1 << 20
"""An operand of no more bytes stays in the second cache, in whatever order it is read."""
CLOSE_BYTES = 1 << 17
PAGE_BYTES = 4096
NEAR_PAGES = 64
APART_COST = 0.03
"""The same of a larger operand of which a tile reads at least `CLOSE_BYTES`, or half of that from rows that share a set
of the nearest cache, or what lies on more than `NEAR_PAGES` pages: few rows of a result do not pay for a copy of it."""

ACROSS_COST = 0.3
"""The same where rows of a tile are read from it, a line of the cache here and another one far from it."""

TURNED_COST = 2.2
"""How many times as long a copy of an operand of a product takes in which other neighbours lie side by side."""

NEAREST_BYTES, FULL_BYTES = 24 << 10, 48 << 10
"""A panel of no more bytes stays in the nearest cache beside what else a tile reads, and up to so many fill it. Where
lanes lie apart in the result, tiles of narrower panels have more rows, and write longer pieces of memory."""

TILE_ROWS = 12
"""An axis of so many elements or more gives tiles enough rows."""

MANY_VECTORS = 64
"""Rows of a tile that lie across what is folded are packed where they are read for so many vectors."""

FAR_PAGES, FEWER_VECTORS = 1024, 16
"""The same of rows on more pages than a processor remembers: to find each page takes longer than a copy."""

SET_BYTES = 4096
SET_ROWS = 6
"""Rows that lie a multiple of so many bytes apart share a set of the nearest cache, which has room for so many."""

PANEL_BYTES = 1 << 20
"""A panel of vectors of more bytes comes from far each time that it passes by."""

FEW_ROWS = 400
"""Fewer rows of a result do not pay for a copy of a large operand that each passes by."""

CHANNELS = (16, 32, 24, 20, 12, 28, 8)
"""Blocks of so many channels fill lines of the caches; the first of these that divides them all is taken."""

BUSY_SUMS = 8
"""So many sums keep the multipliers busy: a product is added while others are on their way."""

GUARD_COST = 1.0
SCATTER_COST = 4.0
SQUARE_COST = 1.0
LANE_SUM_COST = 4.0
"""Machine steps an element of the result to store it apart from its neighbours (and to load another one that goes into
it), in a square with the other rows of its tile, or to add up its lanes."""

SQUARE_ROWS = 4
FAR_SCATTER = 4.0
"""How many times as long it takes to reach elements one by one of arrays that do not stay near."""


FORM_COST = 0.25
BLOCK_COST = 0.02
KIND_COST = 0.05
"""What loads beside multiply-adds cost a tile over windows, what it costs to go through blocks of channels, and code of
its own for each further kind of tile: the time to compile it counts for more than what it gains."""


class Lanes(Reads):
    """A contraction of which an axis is chosen."""

    def lanes(self) -> LoopVar | None:
        """The variable that runs as vectors, with the operands packed for it: the one with the least estimated work."""
        best: tuple[float, LoopVar, list[tuple[int, Packing]]] | None = None
        for var in [*self._in_turn(), *self.folded]:
            cost, packs = self._estimate(var)
            if best is None or cost < best[0]:
                best = (cost, var, packs)
        if best is None:
            return None
        if self.means.size is not None and best[1] not in self.folded and self.partners(best[1]):
            self.size = self.means.size
        groups = self.groups(best[1])
        self.is_chosen = True
        if self.size is not None or self.groups(best[1]) != groups:
            best = (0.0, best[1], self._estimate(best[1])[1])
        packs = self._along_windows(best[1], dict(best[2]))
        for position, packing in packs.items():
            self._pack(position, packing)
        self.terms = self._terms()
        return best[1]

    def _in_turn(self) -> list[LoopVar]:
        """The variables of the result, the innermost first: of several that are as good, its neighbours lie nearest."""
        return [v for v in reversed(self.result) if v.extent != 1]

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
        partners = self.partners(lanes)
        groups, rows = self.groups(lanes), self._rows(lanes, partners, self.groups(lanes))[0]
        filled = prod(tile.block for tile in rows.values())
        usual = 1 + FORM_COST * (2 / filled + 1 / groups) + self._stores_cost(self._in_squares(lanes))
        best: tuple[float, Form | None] = usual, None
        for row in self._by_nearness(partners):
            share = self._within_share(still, row)
            phase = self._near_phase(lanes)
            phase = phase if phase is not None and self.place.coefficient(row) == phase.extent else None
            near = 1 if phase is None else facts.estimate(phase.extent)
            squares = self.place.coefficient(row) == near and facts.estimate(row.extent) * near >= SQUARE_ROWS
            for groups in range(1, min(self.registers // 8, vectors) + 1):
                blocks = row_blocks(row.extent, max(self.room(groups) // near, 1), False)
                filled = facts.estimate(row.extent) / sum(facts.estimate(t.count) for t in blocks)
                whole, rest = divmod(vectors, groups)
                loads = 2 / filled + (whole + bool(rest)) / vectors
                cost = share * (1 + FORM_COST * loads) + self._stores_cost(squares)
                cost += BLOCK_COST + KIND_COST * (len(blocks) * (1 + bool(rest)) - 1)
                if cost < best[0]:
                    best = cost, Form(row, groups, phase)
        return best[1]

    def _overlapping(self, lanes: LoopVar) -> Overlap | None:
        """The form of tiles beneath windows that overlap along some rows, if lanes lie side by side."""
        if self.form is not None or self.place.coefficient(lanes) != 1:
            return None
        vectors = -(-facts.estimate(lanes.extent) // self.width)
        for row, folded in itertools.product(self.partners(lanes), self.folded):
            steps = self._window_steps(lanes, row, folded)
            if steps is not None:
                choices = range(1, min(self.registers // 8, vectors) + 1)
                return min((Overlap(row, steps[0], folded, steps[1], n) for n in choices), key=self._loads_of)
        return None

    def _loads_of(self, overlap: Overlap) -> float:
        return overlap.loads(self.registers)

    def _window_steps(self, lanes: LoopVar, row: LoopVar, folded: LoopVar) -> tuple[int, int] | None:
        """How far windows lie apart along rows, and their elements along what is folded, if nothing else moves with the
        rows."""
        if not isinstance(folded.extent, int) or not 1 < folded.extent < self.registers // 2:
            return None
        moving = [o for o in self.operands if o is None or o.step(row) != 0]
        if len(moving) != 1 or moving[0] is None or moving[0].step(lanes) != 1:
            return None
        both = [i for i in moving[0].index if not i.variables().isdisjoint((row, folded))]
        steps = [i.coefficient(v) for i in both for v in (row, folded)]
        known = [n for n in steps if isinstance(n, int) and n > 0]
        return (known[0], known[1]) if len(known) == len(steps) == 2 else None

    def _stores_cost(self, squares: bool) -> float:
        """What it costs a step to store what becomes of a sum, and to load what goes into it."""
        size = facts.estimate(elements(self.node.results[0].type))
        far = size * self.node.results[0].type.dtype.bytes > NEAR_BYTES
        each = SQUARE_COST if squares else SCATTER_COST * (FAR_SCATTER if far else 1)
        return each * self._arrays_beside() * self.width / prod(facts.estimate(v.extent) for v in self.folded)

    def _within_share(self, still: Operand, row: LoopVar) -> float:
        """Which share of the terms has nothing beyond a border, as far as that is the same for all rows of a tile."""
        share = 1.0
        for test in still.tests:
            steps = [c for _, c in test.index.terms]
            extents = [v.extent for v, _ in test.index.terms if isinstance(v, LoopVar) and v is not row]
            numbers = [test.index.constant, test.low, test.high, *steps, *extents]
            if len(extents) < len(steps) or len(extents) > 2 or not is_static(numbers):
                continue
            start, low, high, *others = static(numbers, "a test")
            moving = zip(others[: len(steps)], others[len(steps) :], strict=True)
            places = [sum(at) for at in itertools.product(*[range(0, c * n, c) for c, n in moving])]
            share *= sum(low <= start + at < high for at in places) / max(len(places), 1)
        return share

    def _slides(self, position: int, lanes: LoopVar) -> bool:
        """Whether an operand that the lanes share is read at places that windows have in common."""
        operand = self.operands[position]
        return operand is not None and operand.step(lanes) == 0 and self._is_beneath_windows(operand)

    def _is_beneath_windows(self, operand: Operand) -> bool:
        """Whether an axis of an operand is read at places of the result and of what is folded."""
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
            cost += steps * ACROSS_COST if self._lies_across(operand, var) else 0.0
            if self.means.copies and self.packs_rows(operand, var):
                cost += facts.estimate(elements(operand.value.type)) * PACK_COST / self.memory.same_for(operand.value)
            smooth = step in (0, 1) and not (var in self.folded and step == 0)
            trouble = (0.0 if smooth else GATHER_COST) + (GUARD_COST if operand.tests else 0.0)
            if var not in self.folded and step == 1 and self.means.copies:
                trouble += self._distance(operand, extent, self.groups(var), self._pays(var, operand))
            # What a tile of dot products reads of a row is all of it.
            block = 0 if var in self.folded else self.groups(var) * self.width
            asks = trouble > 0 and self.means.copies
            packing = operand.packing([var] if step != 0 else [], [block] if step != 0 else []) if asks else None
            copying = 0.0 if packing is None else self._copying(operand, packing, var)
            if packing is not None and copying < steps * trouble:
                packs.append((position, packing))
                cost += copying
                if var not in self.folded and step != 0:
                    cost += steps * self._passing(var, packing, operand.value.type.dtype.bytes)
            else:
                cost += steps * trouble
        return cost, packs

    def _copying(self, operand: Operand, packing: Packing, var: LoopVar) -> float:
        """What a copy of an operand costs, of which pieces beside this one read what it has of it, too."""
        cost = packing.cost
        if operand.step(var) not in (0, 1) and not any(o is None or self._is_beneath_windows(o) for o in self.operands):
            cost *= TURNED_COST
        if self.beside > 1:
            cost = min(cost, elements(operand.value.type) * PACK_COST / self.beside)
        return cost / self.memory.same_for(operand.value)

    def _passing(self, lanes: LoopVar, packing: Packing, width: int) -> float:
        """What it costs a step that a panel of vectors is more than stays near, and so comes from far for each tile."""
        groups = self.groups(lanes)
        panel = facts.estimate(packing.size) * width * groups * self.width / max(facts.estimate(lanes.extent), 1)
        rows = self._rows(lanes, self.partners(lanes), groups)[0]
        return FAR_COST / prod(tile.block for tile in rows.values()) if panel > PANEL_BYTES else 0.0

    def _pays(self, lanes: LoopVar, operand: Operand) -> bool:
        """Whether a copy of a far operand pays for itself: few rows pass by it block by block where it lies."""
        partners = self.partners(lanes)
        rows = facts.estimate(partners[0].extent) if partners else 0
        static = is_static((lanes.extent, *(v.extent for v in (*partners[:1], *self.folded))))
        return not static or rows >= FEW_ROWS or self.memory.same_for(operand.value) > 1

    def _distance(self, operand: Operand, extent: int, groups: int, pays: bool) -> float:
        """What a vector of an operand costs, of so many beside each other in rows that lie apart."""
        size, share = operand.value.type.bytes, min(groups * self.width / max(extent, 1), 1)
        if size * share >= NEAR_BYTES or size > FAR_BYTES:
            return FAR_COST if pays else APART_COST
        if share == 1:
            return 0.0
        if self.memory.same_for(operand.value) > 1:
            # A copy for many steps costs each of them little, and has the rows of a tile on few pages, in all sets.
            return APART_COST
        if size <= WHOLE_BYTES:
            return 0.0
        close = CLOSE_BYTES // 2 if self._share_a_set(operand) else CLOSE_BYTES
        return APART_COST if self._pages(operand) > NEAR_PAGES or size * share >= close else 0.0

    def _lies_across(self, operand: Operand, lanes: LoopVar) -> bool:
        """Whether a tile reads rows of a large operand that lie across what is folded, for few vectors."""
        if operand.step(lanes) != 0 or operand.value.type.bytes <= WHOLE_BYTES or lanes in self.folded:
            return False
        return not any(map(operand.runs_along, self.folded)) and not self._pays_for_rows(operand)

    def packs_rows(self, operand: Operand, lanes: LoopVar) -> bool:
        """Whether a large operand of which a tile reads rows is packed, for there are many vectors to read them for.

        Rows that run along what is folded pass by as they are.
        """
        if lanes in self.folded or operand.step(lanes) != 0 or operand.value.type.bytes <= NEAR_BYTES:
            return False
        return self._pays_for_rows(operand) and not any(map(operand.runs_along, self.folded))

    def _pays_for_rows(self, operand: Operand) -> bool:
        """Whether enough vectors read rows of an operand to pay for a copy in which these lie together."""
        vectors = FEWER_VECTORS if self._pages(operand) > FAR_PAGES else MANY_VECTORS
        return self.times_read(operand) >= vectors * self.width

    def times_read(self, operand: Operand) -> int:
        """For how many elements of the result each element of an operand is read."""
        return prod(facts.estimate(v.extent) for v in self.result if operand.step(v) == 0)

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
        """How many vectors of lanes a tile has: one where all of some short axes are rows, to have many of these, but
        more where these are few, and there are no others."""
        if self.size is not None:
            return max(1, min(self.size.vectors, -(-facts.estimate(lanes.extent) // self.width)))
        if self.form is not None:
            return self.form.groups
        if self.overlap is not None:
            return self.overlap.groups
        most = self.registers // 8
        if isinstance(lanes.extent, int):
            most = max(1, min(most, -(-lanes.extent // self.width)))
        if lanes in self.folded or self.place.coefficient(lanes) == 1:
            return most
        whole = 1
        for var in self._near_rows(lanes, self.partners(lanes)):
            if not isinstance(var.extent, int) or var.extent >= TILE_ROWS or whole * var.extent > self.room(1):
                return 1 if whole > 1 else self._most_near(most)
            whole *= var.extent
        return min(most, -(-BUSY_SUMS // whole))

    def _most_near(self, groups: int) -> int:
        """How many vectors a tile has of up to so many where it has rows enough: a panel of two may stay in the nearest
        cache where one of more does not."""
        each = prod(facts.estimate(v.extent) for v in self.folded) * self.means.vector_bytes
        narrower = self.is_chosen and each * groups > NEAREST_BYTES and each * 2 <= FULL_BYTES
        return 2 if narrower else groups

    def _arrays_beside(self) -> int:
        """How many arrays as large as the result are written, or read by what follows the product."""
        uses_of, nodes = self.memory.fusion.uses_of, self.group.nodes
        touched = {v for node in nodes for v in node.results if v in self.memory}
        touched |= {read.value for node in nodes[1:] for read in uses_of[node].reads if read.value in self.memory}
        outputs = elements(self.node.results[0].type)
        return sum(elements(v.type) >= outputs for v in touched)

    def _in_squares(self, lanes: LoopVar) -> bool:
        """Whether rows of a tile are pieces of memory in each lane, or what is between lanes."""
        run: Dim = 1
        for var in self._near_rows(lanes, self.partners(lanes)):
            if self.place.coefficient(var) != run:
                break
            run *= var.extent
        return facts.estimate(run) >= min(SQUARE_ROWS, max(facts.estimate(self.place.coefficient(lanes)), 2))

    def _near_phase(self, lanes: LoopVar) -> LoopVar | None:
        """A phase whose places lie side by side in the result, if a tile has room for all of them: it writes what is
        between others then."""
        near = (v for v in self.phases if v is not lanes and self.place.coefficient(v) == 1)
        return next((v for v in near if isinstance(v.extent, int) and 2 * v.extent <= self.room(1)), None)

    def _near_rows(self, lanes: LoopVar, partners: Sequence[LoopVar]) -> list[LoopVar]:
        """What a tile has rows along where lanes lie apart, nearest first."""
        phase = self._near_phase(lanes)
        return self._by_nearness([*partners, *([phase] if phase is not None and phase not in partners else [])])

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
        fit = [v for v in candidates if all(self.steps(v)[i] == 0 for i in still)] or candidates

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

    def _rows(self, lanes: LoopVar, partners: Sequence[LoopVar], groups: int) -> list[dict[LoopVar, Tile]]:
        """The rows of tiles. Where lanes lie apart in the result, they are those nearest to each other: all of some
        short axes and a block of the next, so that a tile writes pieces of memory."""
        apart = self.place.coefficient(lanes) != 1
        near = self._near_rows(lanes, partners) if apart else partners
        if not near:
            return [{}]
        if not apart:
            room = self._room(partners[0], groups) if self.overlap is None else self.overlap.room(self.registers)
            if self.size is not None:
                room = max(min(self.size.rows, room), 1)
            return [{partners[0]: block} for block in row_blocks(partners[0].extent, room, True)]
        room = self.room(groups)
        if self.form is not None:
            row, phase = self.form.row, self.form.phase
            count = 1 if phase is None else facts.estimate(phase.extent)
            first = {} if phase is None else {phase: Tile(0, 1, count)}
            return [{**first, row: block} for block in row_blocks(row.extent, max(room // count, 1), False)]
        rows: dict[LoopVar, Tile] = {}
        for var in near:
            if not isinstance(var.extent, int) or var.extent > room:
                last = row_blocks(var.extent, min(room, self._room(var, groups)), False)
                return [{**rows, var: block} for block in last]
            rows[var] = Tile(0, 1, var.extent)
            room //= var.extent
        return [rows]
