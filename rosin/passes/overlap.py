"""Tiles beneath windows that overlap: rows of a tile have vectors in common.

What is folded along the rows is written out, so that each vector is loaded once for all rows that meet it. Windows over
single channels have nothing else to share it with.
"""

from __future__ import annotations

from rosin.ir.dataclass import dataclass
from rosin.ir.index import LoopVar
from rosin.passes.tiles import row_blocks


@dataclass(frozen=True)
class Overlap:
    """Tiles with rows along one axis, each of so many vectors; all terms along a folded one are written out."""

    row: LoopVar
    row_step: int
    folded: LoopVar
    folded_step: int
    """How far the operand that windows slide over moves with a step of either."""
    groups: int

    @property
    def steps(self) -> int:
        """How many terms are written out for a row."""
        assert isinstance(self.folded.extent, int), "what is written out has a size that is a number"
        return self.folded.extent

    def place(self, row: int, step: int) -> int:
        """Which row of the operand one of the result meets at a step."""
        return row * self.row_step + step * self.folded_step

    def room(self, registers: int) -> int:
        """How many rows have their sums in registers, beside the numbers that are multiplied and one vector."""
        return max((registers - 2 - self.steps) // self.groups, 1)

    def loads(self, registers: int) -> float:
        """How many vectors and numbers a tile loads for each vector of its result."""
        rows = row_blocks(self.row.extent, self.room(registers), True)[0].block
        places = {self.place(row, step) for row in range(rows) for step in range(self.steps)}
        return (self.groups * len(places) + self.steps) / (self.groups * rows)
