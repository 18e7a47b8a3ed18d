"""Squares of memory on their way to and from a loop over the rows of a tile, whose lanes lie apart.

What a row reads and writes there is one element of each lane, far from the next. All rows together are squares, which
targets move as wholes: before the loop to an array that stays near, where lanes lie side by side, and after it back.
"""

from __future__ import annotations

from collections.abc import Iterator

from rosin.ir import index as indices
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Expr, Load, Scope, Statement, Store, relocate


class Staging:
    """What one loop over rows reads and writes in squares, and near arrays for it."""

    def __init__(self, row: LoopVar, lane: LoopVar, lanes: int, count: int) -> None:
        """For `count` tiles of so many lanes, each with all rows of the loop."""
        self.row, self.lane = row, lane
        self.lanes, self.count = lanes, count
        self.number = 0
        """Which tile it is."""
        self.before: list[Statement] = []
        self.after: list[Statement] = []
        self._read: dict[Buffer, Buffer] = {}
        self._written: dict[Buffer, Buffer] = {}
        self._memo: dict[int, Expr] = {}

    @property
    def scratch(self) -> tuple[Buffer, ...]:
        """The near arrays."""
        return (*self._read.values(), *self._written.values())

    def staged(self, statement: Store) -> Store:
        """A statement of the loop, which reads and writes the near arrays."""
        value = relocate(statement.value, self._near, self._memo)
        if not self._is_square(statement.offset):
            return Store(statement.buffer, statement.offset, value)
        near = self._room(self._written, statement.buffer)
        for row, place in self._rows():
            self.after.append(Store(statement.buffer, statement.offset.substitute(row), Load(near, place)))
        return Store(near, self._place(indices.of(self.row)), value)

    def _near(self, buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
        """From where the loop reads what lies there."""
        if not self._is_square(offset):
            return buffer, offset
        near = self._room(self._read, buffer)
        for row, place in self._rows():
            self.before.append(Store(near, place, Load(buffer, offset.substitute(row))))
        return near, self._place(indices.of(self.row))

    def _is_square(self, offset: Index) -> bool:
        """Whether rows are neighbours in memory, and lanes are not."""
        affine = offset.affine_in(self.row) and offset.affine_in(self.lane)
        return affine and offset.coefficient(self.row) == 1 and offset.coefficient(self.lane) not in (0, 1)

    def _rows(self) -> Iterator[tuple[dict[LoopVar, Index], Index]]:
        """All rows, each with its place in a near array."""
        assert isinstance(self.row.extent, int), "tiles have so many rows"
        for number in range(self.row.extent):
            yield {self.row: Index(number)}, self._place(Index(number))

    def _place(self, row: Index) -> Index:
        return (row + self.row.extent * self.number) * self.lanes + indices.of(self.lane)

    def _room(self, rooms: dict[Buffer, Buffer], buffer: Buffer) -> Buffer:
        if buffer not in rooms:
            size = self.count * self.row.extent * self.lanes
            rooms[buffer] = Buffer(f"near_{buffer.name}", buffer.dtype, size, Scope.LOCAL)
        return rooms[buffer]
