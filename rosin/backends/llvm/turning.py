"""Squares of memory are transposed: in registers, or by functions that all kernels of a module call.

Of all code, LLVM takes longest for shuffles: a square of 16 by 16 takes it as long as the rest of a small kernel. A
call costs a few nanoseconds and a way through memory: little beside the sums of a tile, and nothing at all where
a square is moved from memory to memory anyway.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence

from rosin.backends.llvm.assembler import alone_with_vectors
from rosin.backends.llvm.emit import Emitter, Val, first_of
from rosin.backends.llvm.interleave import MOST_PARTS
from rosin.backends.llvm.modules import COLD
from rosin.backends.llvm.places import OF_LANES, Places
from rosin.backends.llvm.squares import Column, Place, columns_of, power_of_two, rows_of
from rosin.backends.llvm.types import memory_type
from rosin.backends.llvm.whole_squares import fills_registers, is_whole, transpose, write_rows
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index
from rosin.ir.loops import Buffer, Load, Loop, Scope, Statement, Store

FEWEST_MOVED, FEWEST_KEPT = 64, 100
"""Of how many numbers squares are that pay for a call: of those that are moved, and those on the way to or from
registers. Smaller ones are transposed where they are."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The transposition of a square of memory, of so many columns; of its `lanes`, the first `rows` take part.

    It reads rows and writes columns, as vectors of all lanes; or `by_row` it reads columns and writes rows.
    """

    elem: str
    bytes: int
    lanes: int
    rows: int
    columns: int
    by_row: bool
    assembled: bool = False
    """Whether the function is text of the assembler."""

    @property
    def numbers(self) -> int:
        return self.lanes * self.columns

    def call(self, e: Emitter, source: Val, apart: Val, target: Val, between: Val) -> None:
        """Transpose; so many bytes are from one vector that is read to the next, and of those that are written."""
        name, texts = _function(self)
        e.declarations |= texts
        e.line(f"call void {name}({source.typed}, {apart.typed}, {target.typed}, {between.typed})")


@functools.cache
def _function(turn: Turn) -> tuple[str, frozenset[str]]:
    """The name of `void (ptr from, i64 apart, ptr to, i64 between)`, and the texts that a module needs for it."""
    e = Emitter(set())
    if turn.assembled:
        transpose(e, turn.bytes)
    else:
        _transpose(e, turn)
    name = f"@turn.{turn.elem}.{turn.lanes}.{turn.rows}x{turn.columns}.{'rows' if turn.by_row else 'columns'}"
    head = f"define internal void {name}(ptr %from, i64 %apart, ptr %to, i64 %between){COLD * turn.assembled} {{"
    body = "\n".join(e.lines)
    body = alone_with_vectors(body) if turn.assembled else body
    return name, frozenset({*e.declarations, "\n".join([head, body, "  ret void", "}"])})


def _transpose(e: Emitter, turn: Turn) -> None:
    """The same for squares of any kind, by shuffles of LLVM's."""
    count = power_of_two(turn.columns)
    few = None if turn.columns == count else first_of(turn.columns, count)

    def place(start: str, step: str, number: int) -> Val:
        return e.offset(Val(start, "ptr"), e.mul(Val(step, "i64"), e.const(number, "i64")), "i8")

    def given(number: int) -> Val:
        mask, lanes = (None, turn.lanes) if turn.by_row else (few, count)
        return e.masked_load(place("%from", "%apart", number), turn.elem, lanes, mask, turn.bytes)

    vectors = [given(number) for number in range(turn.columns if turn.by_row else turn.rows)]
    missing = (count if turn.by_row else turn.lanes) - len(vectors)
    vectors += [Val("zeroinitializer", turn.elem, vectors[0].lanes)] * missing
    made = rows_of(e, vectors, turn.rows) if turn.by_row else columns_of(e, vectors, turn.lanes)[: turn.columns]
    for number, vector in enumerate(made):
        e.masked_store(vector, place("%to", "%between", number), few if turn.by_row else None, turn.bytes)


class Turning(Places):
    """The squares of a kernel."""

    def columns(self, expr: Load, mask: Val | None) -> list[Val] | None:
        """The columns of the square that a load is part of, one for each neighbour; None where it is in none."""
        column = self.read_squares.get((expr.buffer, expr.offset))
        rows = self.rows()
        if (
            column is None
            or rows is None
            or self.guard is not None
            or mask is not self.mask
            or expr.buffer in self.written
        ):
            return None
        key = ("square", expr.buffer, column.start)
        found = self.known(key)
        if found is None:
            turn = self._turn(expr.buffer, rows, column.count, by_row=False)
            if turn.numbers >= FEWEST_KEPT and self.is_after_sums():
                between = self.e.const(turn.bytes * turn.lanes, "i64")
                turn.call(self.e, *self._rows_at(expr.buffer, column.start), self._scratch(turn), between)
                found = [self.e.load(self._kept(turn, k), turn.elem, turn.lanes) for k in range(turn.columns)]
            else:
                count = power_of_two(column.count)
                few = None if column.count == count else first_of(column.count, count)
                loaded = [
                    self.e.masked_load(pointer, turn.elem, count, few, turn.bytes)
                    for pointer in self._row_pointers(expr.buffer, column.start, rows)
                ]
                loaded += [Val("zeroinitializer", turn.elem, count)] * (self.lanes - rows)
                found = columns_of(self.e, loaded, self.lanes)
            self.frames[-1][key] = found
        return found

    def write_square(self, buffer: Buffer, start: Index, columns: Sequence[Val], rows: int) -> None:
        """Write the rows of a square."""
        bytes = buffer.dtype.bytes
        if self.around.assembles and self.is_after_sums() and fills_registers(bytes, self.lanes, len(columns)):
            write_rows(self.e, columns, bytes, rows, *self._rows_at(buffer, start))
            return
        turn = self._turn(buffer, rows, len(columns), by_row=True)
        if turn.numbers >= FEWEST_KEPT and self.is_after_sums():
            for number, column in enumerate(columns):
                self.e.store(column, self._kept(turn, number))
            apart = self.e.const(turn.bytes * turn.lanes, "i64")
            turn.call(self.e, self._scratch(turn), apart, *self._rows_at(buffer, start))
            return
        count = power_of_two(len(columns))
        few = None if len(columns) == count else first_of(len(columns), count)
        none = Val("zeroinitializer", columns[0].elem, self.lanes)
        all_columns = [*columns, *[none] * (count - len(columns))]
        pointers = self._row_pointers(buffer, start, rows)
        for pointer, row in zip(pointers, rows_of(self.e, all_columns, rows), strict=True):
            self.e.masked_store(row, pointer, few, bytes)

    def rows(self) -> int | None:
        """How many lanes, the first ones, take part; None where that is not known."""
        if self.mask is None:
            return self.lanes
        return self.rest[1] if self.rest is not None and self.rest[0] is self.mask else None

    def is_after_sums(self) -> bool:
        """Whether what is emitted now runs once after a loop that has summed up."""
        return bool(self.known("sums"))

    # -- squares that are moved --------------------------------------------------------------------------------

    def move_square(self, body: Sequence[Statement], at: int) -> int:
        """If the statements from here on move a square from memory to memory, do that; gives how many these are."""
        first = body[at]
        if not isinstance(first, Store) or not isinstance(first.value, Load) or self.mask or self.guard or self.parts:
            return 0
        target, source = (first.buffer, first.offset), (first.value.buffer, first.value.offset)
        by_row = target in self.written_squares
        column = (self.written_squares if by_row else self.read_squares).get(target if by_row else source)
        if self.lanes == 1 or column is None or not self._is_plain(first.buffer, first.value.buffer):
            return 0
        turn = self._turn(first.buffer, self.lanes, column.count, by_row)
        near, far = (source, target) if by_row else (target, source)
        if turn.numbers < FEWEST_MOVED or self.between_lanes(near[1]) != (1, None) or not self._lies_apart(far[1]):
            return 0
        apart = _apart(
            body[at : at + column.count], column, by_row, self.written_squares if by_row else self.read_squares
        )
        if apart is None:
            return 0
        vectors = self.address(near[0], near[1] - apart * column.number), self.e.const(apart * turn.bytes, "i64")
        rows = self._rows_at(far[0], column.start)
        turn.call(self.e, *(vectors if by_row else rows), *(rows if by_row else vectors))
        return column.count

    def moves_squares(self, loop: Loop) -> bool:
        """Whether all that a vector loop does, of a vector or more, is to move squares from memory to memory."""
        if not isinstance(loop.var.extent, int) or loop.var.extent < self.width or loop.backward or loop.carries:
            return False
        return all(
            isinstance(s, Store)
            and isinstance(s.value, Load)
            and self._is_plain(s.buffer, s.value.buffer)
            and ((s.buffer, s.offset) in self.written_squares or (s.value.buffer, s.value.offset) in self.read_squares)
            for s in loop.body
        )

    def _is_plain(self, target: Buffer, source: Buffer) -> bool:
        """Whether what is read from one buffer lies in the other as it is, and does not change meanwhile."""
        scopes = target.scope, source.scope
        return (
            target.dtype is source.dtype
            and target.dtype.kind != "bool"
            and (source not in self.written or (source.scope is Scope.LOCAL and source is not target))
            and not any(scope in OF_LANES for scope in scopes)
        )

    def _lies_apart(self, offset: Index) -> bool:
        """Whether lanes are at equal distances that are too large for one block of memory."""
        step, spread = self.between_lanes(offset)
        return spread is None and not (isinstance(step, int) and step <= MOST_PARTS)

    # -- places ------------------------------------------------------------------------------------------------

    def _turn(self, buffer: Buffer, rows: int, columns: int, by_row: bool) -> Turn:
        bytes = buffer.dtype.bytes
        assembled = self.around.assembles and is_whole(bytes, self.lanes, rows, columns)
        return Turn(memory_type(buffer.dtype), bytes, self.lanes, rows, columns, by_row, assembled)

    def _rows_at(self, buffer: Buffer, start: Index) -> tuple[Val, Val]:
        """Where the row of the first lane starts, and how many bytes are from lane to lane."""
        step, spread = self.between_lanes(start)
        assert spread is None, "lanes of a square are at equal distances"
        return self.address(buffer, start), self.dim(step * buffer.dtype.bytes)

    def _row_pointers(self, buffer: Buffer, start: Index, rows: int) -> list[Val]:
        """Where the lanes are that the place is that of the first of."""
        first, _ = self._rows_at(buffer, start)
        step, _ = self.between_lanes(start)
        return [self.e.offset(first, self.dim(step * lane), memory_type(buffer.dtype)) for lane in range(rows)]

    def _scratch(self, turn: Turn) -> Val:
        """Room for the columns of a square, which all squares of the function share."""
        text = f"alloca [{turn.lanes * turn.lanes * turn.bytes} x i8], align 64"
        return self.head.once(text, "ptr")

    def _kept(self, turn: Turn, number: int) -> Val:
        """Where that room has a column."""
        vector = Val("", turn.elem, turn.lanes).type
        return self.e.offset(self._scratch(turn), self.e.const(number, "i64"), vector)


def _apart(body: Sequence[Statement], column: Column, by_row: bool, squares: Mapping[Place, Column]) -> int | None:
    """How far apart the vectors are that the statements move, each a column of one square; None where they are not."""
    places: list[tuple[int, Index]] = []
    buffers: set[tuple[Buffer, Buffer]] = set()
    for statement in body:
        if not isinstance(statement, Store) or not isinstance(statement.value, Load):
            return None
        ends = (statement.buffer, statement.offset), (statement.value.buffer, statement.value.offset)
        far, near = ends if by_row else ends[::-1]
        found = squares.get(far)
        if found is None or (found.start, found.count) != (column.start, column.count):
            return None
        places.append((found.number, near[1]))
        buffers.add((statement.buffer, statement.value.buffer))
    places.sort(key=lambda place: place[0])
    if len(buffers) != 1 or [number for number, _ in places] != list(range(column.count)):
        return None
    apart = {b[1] - a[1] for a, b in itertools.pairwise(places)}
    (step,) = apart if len(apart) == 1 else (None,)
    return step.constant if step is not None and not step.terms and isinstance(step.constant, int) else None
