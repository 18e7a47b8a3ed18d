"""Products whose operands are copied in panels, or turned, where sizes are large enough: tiles that a contraction does
not choose by itself.

Panels of an operand whose columns lie side by side are copied as a whole, or block by block while sums wait. Where both
operands have what is folded side by side, as rows by rows have, panels of the one are turned on the way, or all of the
other one is, of which there are few rows: these run as vectors then, and squares of the result are turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.passes.contract import END_ROWS, Contraction
from rosin.passes.lanes import FEW_ROWS, WHOLE_BYTES
from rosin.passes.packing import Operand
from rosin.passes.tiles import ends_of_rows, over_blocks, padded_blocks, padded_ends, vector_blocks
from rosin.passes.waiting import COPIED_LONG_BYTES, COPY_ROWS, FAR_ROWS

TURNED_ROWS = 12
"""So many rows, and columns, pay for a copy of an operand in which its columns are turned to rows."""

STORE_COST = 4
"""Rows that are few enough are turned instead: to store a number of the result in a square takes so many times as long
as to turn one."""


class Found(NamedTuple):
    """An operand that has panels."""

    lanes: LoopVar
    """What runs as vectors: neighbours in the result."""
    row: LoopVar
    """The rows that pass by panels."""
    folded: LoopVar
    """All that is folded."""
    places: Mapping[LoopVar, Index]
    """Where variables that are folded are for it."""
    position: int
    operand: Operand

    @property
    def lies_across(self) -> bool:
        """Whether its columns lie each in one piece, rather than side by side."""
        return self.operand.step(self.lanes) != 1


class InPanels(Contraction):
    """A contraction of which tiles are chosen for panels. Sizes may be symbolic: what is chosen counts on them to be
    large enough, and from then on it is known that they are."""

    pays: Dim = 1
    """Positive where sizes are large enough for what is chosen."""

    def choose_panels(self, whole: bool) -> bool:
        """Choose tiles for panels of an operand: they are copied as a `whole`, or block by block, and sums wait. Gives
        whether operands are such that this can be."""
        found = self._operand()
        if found is None:
            return False
        lanes, row, folded, places, position, panels = found
        groups, dtype = self.groups(lanes), self.monoid.identity[0].dtype
        panel, bytes = groups * self.width, panels.value.type.size * dtype.bytes
        far = dims.floor_divide(bytes, WHOLE_BYTES + 1)
        most = self._room(row, groups)
        if found.lies_across:
            pays, least, most = 1, [(row.extent, TURNED_ROWS), (lanes.extent, panel)], min(most, TURNED_ROWS)
            if whole:
                shallow = _at_most(folded.extent, COPIED_LONG_BYTES // (panel * dtype.bytes))
                pays = far * dims.floor_divide(row.extent, 2 * FEW_ROWS) + shallow * _at_most(bytes, WHOLE_BYTES)
        elif whole:
            pays, least = far, [(row.extent, FEW_ROWS), (lanes.extent, 2 * panel)]
        else:
            pays = dims.floor_divide(row.extent, COPY_ROWS) + far
            deep = COPIED_LONG_BYTES // (panel * dtype.bytes) + 1
            least = [(row.extent, FAR_ROWS), (folded.extent, deep), (lanes.extent, 2 * panel)]
        self.pays = pays * _learned(least)
        if facts.known_at_least(0, self.pays):
            return False
        rows = over_blocks(row.extent, most)
        if whole:
            packing = panels.packing([lanes], [panel])
            if packing is None:
                return False
            self._pack(position, packing.part(0, lanes.extent // panel * panel, panel))
            if self.pack_rows(row, rows.block, lanes):
                (rows,) = padded_blocks(row.extent, rows.block)
        else:
            self.blocks = self.in_blocks(folded, places, None)
        self.choices = [{lanes: vector_blocks(lanes.extent, groups, self.width, True)[0], row: rows}]
        return True

    def choose_ends(self) -> bool:
        """Choose tiles for what whole panels leave of an operand that lies across them, which read a copy of that.
        Gives whether there is such an operand; from then on it is known that there are enough rows and columns."""
        found = self._operand()
        if found is None:
            return False
        lanes, row, folded, _, position, panels = found
        groups = self.groups(lanes)
        panel = groups * self.width
        packing = panels.packing([lanes], [panel])
        least = [(row.extent, TURNED_ROWS), (lanes.extent, TURNED_ROWS), (folded.extent, 1)]
        self.pays = _learned(least)
        if packing is None or not found.lies_across or facts.known_at_least(0, self.pays):
            return False
        start = lanes.extent // panel * panel
        self._pack(position, packing.part(start, lanes.extent - start, panel))
        self.terms, self.pads = self._terms(), True
        self.choices = [
            {lanes: end, row: over_blocks(row.extent, min(self.room(end.block), END_ROWS))}
            for end in padded_ends(lanes.extent, groups, self.width)
        ]
        return True

    def choose_turned(self) -> bool:
        """Choose tiles for few rows that run as vectors, side by side in a copy, beside many rows of another operand
        that are read as they lie. Gives whether operands are such; from then on it is known that sizes are for it."""
        found = self._operand()
        if found is None:
            return False
        columns, lanes, folded, _, panel, _ = found
        position, operand = self._moving(lanes)
        # What is stored again must not be what it has been computed from.
        if operand is None or position == panel or self._arrays_beside() > 1:
            return False
        packing = operand.packing([lanes], [0])
        if packing is None:
            return False
        rows, many, depth = lanes.extent, columns.extent, folded.extent
        self.pays = _learned([(rows, self.width), (many, TURNED_ROWS), (depth, 1)])
        self.pays = self.pays * dims.floor_divide(many * depth, rows * (depth + STORE_COST * many) + 1)
        self.pays = self.pays * _at_most(rows * depth * operand.value.type.dtype.bytes, WHOLE_BYTES)
        if facts.known_at_least(0, self.pays):
            return False
        self.along = lanes
        self._pack(position, packing.aligned(self.width))
        self.terms = self._terms()
        groups = self.groups(lanes)
        tiles = vector_blocks(rows, groups, self.width, True)
        if not isinstance(rows, int):
            tiles = [tiles[0], *ends_of_rows(rows, groups, self.width)]
        self.choices = [
            {
                lanes: replace(tile, again=True),
                columns: replace(over_blocks(many, min(self.room(tile.block), TURNED_ROWS)), again=True),
            }
            for tile in tiles
        ]
        return True

    def _operand(self) -> Found | None:
        """The operand that has panels, and what passes by them; None where there is no such."""
        lanes = self.along = next((v for v in self.result if v.extent != 1 and self.place.coefficient(v) == 1), None)
        if lanes is None or self.packed or self.kind is not None or self.form is not None:
            return None
        partners, (folded, places), (position, operand) = self.partners(lanes), self.joined(), self._moving(lanes)
        if self.monoid.identity[0].dtype.is_complex or not partners or folded is None or operand is None:
            return None
        rows_by_rows = all(o is not None and o.step(self.folded[-1]) == 1 for o in self.operands)
        found = Found(lanes, partners[0], folded, places, position, operand)
        return found if rows_by_rows or not found.lies_across else None

    def _moving(self, var: LoopVar) -> tuple[int, Operand | None]:
        """The operand that alone moves with a variable, if it is read at one place, with its position."""
        moving = [i for i, o in enumerate(self.operands) if o is None or o.step(var) != 0]
        return (moving[0], self.operands[moving[0]]) if len(moving) == 1 else (0, None)


def _learned(least: Sequence[tuple[Dim, int]]) -> Dim:
    """What is positive where sizes are at least so much, which is known of them from then on."""
    pays: Dim = 1
    for size, few in least:
        pays = pays * dims.floor_divide(size, few)
        if not isinstance(size, int):
            facts.current().learn(facts.Check(size, ">=", few))
    return pays


def _at_most(size: Dim, most: int) -> Dim:
    """1 where a size is at most so much, and else 0."""
    return dims.floor_divide(2 * most, size + most)
