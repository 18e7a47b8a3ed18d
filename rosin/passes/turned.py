"""Short rows beside each other: a lane for each row, and not for each element.

A row of a few elements fills no vector, and to combine the lanes of a vector among themselves takes longer than all
that is done with them. Here a band of rows is copied to scratch arrays in which its columns lie side by side, in
squares (rosin.backends.llvm.turning); every pass runs along the columns with a lane for each row, and what has an
element for each column is turned back. All rows, also those that do not fill a band, fold their elements in order.

Where sizes are known only when the kernel runs, it has loops of both kinds: its iterations are bands of rows if these
turn out to be short and no fewer than a band, and otherwise rows with lanes along them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Buffer,
    Const,
    Expr,
    FromIndex,
    Guard,
    Kind,
    Load,
    Loop,
    Placing,
    Scope,
    Statement,
    Store,
    When,
    Within,
    walk,
)
from rosin.ir.statements import expressions, flops, moved, relocated, serial_loops, stores
from rosin.ir.steps import Inner, Kernel, statements_of

BAND = 16
"""So many rows are turned at a time, and are worth it."""

LEAST_COLUMNS, MOST_COLUMNS = 4, 128
"""Of how many elements rows are turned: what needs no squares is better off without, and a band has to stay near."""

TYPICALLY_LONG = 1000
"""Rows of unknown length that count as so long are not worth the code for short ones, which takes long to compile."""

SQUARES = (16, 8, 4)
"""Of rows of unknown length so many columns are turned at a time, if so many are left."""

VECTOR_BYTES = 64
"""A vector has about so many bytes."""

TURN_COST = 0.12
"""Machine steps to turn a byte."""

REST_COST = 2.0
"""Machine steps to move an element of the rows that fill no band, which are moved one by one."""

GAIN = 0.8
"""Rows are turned where that takes less than such a part of the time: what is read and written takes its own."""

Place = tuple[Buffer, Index]
Steps = Callable[[int], float]
"""How many machine steps a row of so many columns takes."""


def turned(
    name: str,
    rows: Sequence[LoopVar],
    column: LoopVar,
    body: Sequence[Statement | Inner],
    scratch: Sequence[Buffer],
    along: Callable[[], Sequence[Statement]],
) -> Kernel | None:
    """The kernel of a nest over `rows` of one column each, with the last of its rows beside each other; None where
    these are few, where they are read or written otherwise than by row or by column, or where lanes along a row are as
    good. `along` makes the statements of one row with lanes along it, for where rows turn out to be few or long when
    the kernel runs."""
    if not rows or any(s.scope is not Scope.LOCAL for s in scratch):
        return None
    nest = _Turned(name, rows[:-1], rows[-1], column, body, scratch, [])
    most = nest.most_columns()
    return nest.kernel(most, along) if most else None


@dataclass(frozen=True)
class _Turned:
    """A nest on its way to a kernel."""

    name: str
    outer: Sequence[LoopVar]
    row: LoopVar
    column: LoopVar
    body: Sequence[Statement | Inner]
    scratch: Sequence[Buffer]
    places: list[Place]
    """The places that have an element for each column of a row, and are turned."""

    # -- whether it pays ---------------------------------------------------------------------------------------

    def most_columns(self) -> int:
        """Of up to how many columns rows are better turned, 0 if of none; then it is known what is turned."""
        columns = self.column.extent
        known = isinstance(columns, int)
        if (known and columns < LEAST_COLUMNS) or facts.known_at_least(columns, MOST_COLUMNS + 1):
            return 0
        if facts.estimate(columns) >= TYPICALLY_LONG or facts.known_at_least(BAND - 1, self.row.extent):
            return 0
        statements = self._statements()
        if any(isinstance(e, Guard) for e in walk(*expressions(statements))) or not self._take_places(statements):
            return 0
        if not any(part.carries for part in self.body if isinstance(part, Inner)):
            return 0
        lengths = [columns] if known else range(MOST_COLUMNS, LEAST_COLUMNS - 1, -1)
        along, beside = self._along(), self._beside(statements)
        return next((n for n in lengths if beside(n) < GAIN * along(n)), 0)

    def _along(self) -> Steps:
        """Machine steps of a row with lanes along it."""
        passes = [part for part in self.body if isinstance(part, Inner)]
        carries = [carry for part in passes for carry in part.carries]
        lanes, work, of_row = _lanes([s for part in passes for s in part.body]), self._work, self._of_row
        # Each half of a vector is combined with the other one, and then the halves of these; shuffles bring them there.
        across = sum(flops(carry.combine) for carry in carries) * (lanes.bit_length() - 1)
        return lambda columns: -(-columns // lanes) * work + across + of_row

    def _beside(self, statements: Sequence[Statement]) -> Steps:
        """Machine steps of a row that is one of many beside each other."""
        bytes = sum(buffer.dtype.bytes for buffer, _ in self.places)
        lanes, work, of_row = _lanes(statements), self._work, self._of_row
        count = self.row.extent
        apart = REST_COST * len(self.places) * (count % BAND) / count if isinstance(count, int) else 0.0
        return lambda columns: (columns * work + of_row) / lanes + (TURN_COST * bytes + apart) * columns

    @property
    def _work(self) -> int:
        """Machine operations of an element."""
        return sum(flops(list(expressions(part.body))) + 1 for part in self.body if isinstance(part, Inner))

    @property
    def _of_row(self) -> int:
        """Machine operations of a row beside those of its elements."""
        return flops(list(expressions([part for part in self.body if not isinstance(part, Inner)])))

    def _take_places(self, statements: Sequence[Statement]) -> bool:
        """Note each place that is turned; gives whether all others are read and written well."""
        written = [(s.buffer, s.offset) for s in stores(statements)]
        reached = [*written, *((e.buffer, e.offset) for e in walk(*expressions(statements)) if isinstance(e, Load))]
        for buffer, offset in reached:
            if buffer in self.scratch:
                if offset != indices.of(self.column):
                    return False
                continue
            if not all(isinstance(atom, LoopVar) for atom, _ in offset.terms):
                return False
            along, apart = offset.coefficient(self.column), offset.coefficient(self.row)
            if (buffer, offset) in written and apart == 0:
                return False
            if along == 0 or apart == 1 or (along == 1 and apart == 0):
                continue
            if along != 1 or (isinstance(apart, int) and apart < LEAST_COLUMNS) or buffer.dtype.is_complex:
                return False
            if (buffer, offset) not in self.places:
                self.places.append((buffer, offset))
        changed = {buffer for buffer, _ in written}
        return all(len({o for b, o in reached if b == buffer}) == 1 for buffer, _ in self.places if buffer in changed)

    def _statements(self) -> list[Statement]:
        return statements_of(self.body)

    # -- the kernel --------------------------------------------------------------------------------------------

    def kernel(self, most: int, along: Callable[[], Sequence[Statement]]) -> Kernel:
        """The kernel, on one thread, that turns rows of up to so many columns."""
        count = self.row.extent
        whole = count // BAND
        rest = count - whole * BAND
        turns = self._turns(most)
        # As many iterations as there are bands, or rows.
        together = 1 + (BAND - 1) * turns
        number = LoopVar(f"{self.row.name}_band", dims.floor_divide(count + together - 1, together))
        at = indices.of(number)
        wide: dict[Buffer | Place, Buffer]
        wide = {b: Buffer(f"{b.name}_wide", b.dtype, most * BAND, b.scope) for b in self.scratch}
        for place in self.places:
            wide[place] = Buffer(f"turned{len(wide)}", place[0].dtype, most * BAND, Scope.LOCAL)
        scratch = list(wide.values())
        body = self._band(LoopVar(self.row.name, BAND), at * BAND, most, wide, squares=True)
        if rest != 0:
            left = self._band(LoopVar(self.row.name, rest), Index(whole * BAND), most, wide, squares=False)
            body = [When((Within(at, 0, whole),), tuple(body)), When((Within(at, whole, whole + 1),), tuple(left))]
        if turns != 1:
            one = moved(along(), {self.row: at})
            body = [When((Within(Index(turns), 1, 2),), tuple(body)), When((Within(Index(turns), 0, 1),), tuple(one))]
            scratch += self.scratch
        body = serial_loops([*self.outer, number], body)
        return Kernel(self.name, tuple(body), tuple(scratch))

    def _turns(self, most: int) -> Dim:
        """1 where rows are short and no fewer than a band, else 0."""
        count, columns = self.row.extent, self.column.extent
        long = 0 if facts.known_at_least(most, columns) else dims.floor_divide(columns, most + 1)
        few = 0 if facts.known_at_least(count, BAND) else dims.floor_divide(1, dims.floor_divide(count, BAND) + 1)
        return dims.floor_divide(1, long + few + 1)

    def _band(
        self, lanes: LoopVar, first: Index, most: int, wide: Mapping[Buffer | Place, Buffer], squares: bool
    ) -> list[Statement]:
        """The statements for some rows, a lane each, from a first one on."""
        lane = indices.of(lanes)

        def place(buffer: Buffer, offset: Index) -> Place:
            if (buffer, offset) in wide:
                return wide[buffer, offset], indices.of(self.column) * BAND + lane
            return (wide[buffer], offset * BAND + lane) if buffer in wide else (buffer, offset)

        memo: dict[int, Expr] = {}
        inside: list[Statement] = [*self._moves(place, squares, back=False)]
        for part in self.body:
            if isinstance(part, Inner):
                terms = tuple(relocated(s, place, memo) for s in part.body)
                inside.append(Loop(self.column, Kind.SERIAL, terms, part.carries, most=most))
            else:
                inside.append(relocated(part, place, memo))
        inside += self._moves(place, squares, back=True)
        return [Loop(lanes, Kind.VECTOR, tuple(moved(inside, {self.row: first + lane})))]

    def _moves(self, place: Placing, squares: bool, back: bool) -> Iterator[Statement]:
        """Copies of what is turned: all that is read before it is written, or `back` all that is written."""
        written = {(s.buffer, s.offset) for s in stores(self._statements())}
        for buffer, offset in self.places:
            if back and (buffer, offset) not in written:
                continue
            if not back and not self._is_read_first(buffer, offset):
                continue
            near = place(buffer, offset)
            move = Store(buffer, offset, Load(*near)) if back else Store(*near, Load(buffer, offset))
            yield from self._in_squares(move) if squares else (Loop(self.column, Kind.SERIAL, (move,)),)

    def _in_squares(self, move: Store) -> Iterator[Statement]:
        """The move of all columns as squares; of an unknown number, the last one may reach back to where it is full."""
        columns = self.column.extent
        if isinstance(columns, int):
            yield from (s for at in range(columns) for s in moved([move], {self.column: Index(at)}))
            return
        *larger, least = SQUARES
        squares: list[Statement] = []
        start: Dim = 0
        for size in larger:
            number = LoopVar(self.column.name, (columns - start) // size)
            squares.append(self._square(move, number, size, indices.of(number) * size + start))
            start = start + number.extent * size
        number = LoopVar(self.column.name, (columns - start + least - 1) // least)
        last = indices.least(indices.of(number) * least + start, columns - least)
        squares.append(self._square(move, number, least, last))
        yield When((Within(Index(columns), least, columns + 1),), tuple(squares))
        yield When((Within(Index(columns), 0, least),), (Loop(self.column, Kind.SERIAL, (move,)),))

    def _square(self, move: Store, number: LoopVar, size: int, start: Index) -> Statement:
        """The move of some squares of so many columns, from where each starts on."""
        each = (s for at in range(size) for s in moved([move], {self.column: start + at}))
        return Loop(number, Kind.SERIAL, tuple(each))

    def _is_read_first(self, buffer: Buffer, offset: Index) -> bool:
        """Whether the nest reads an element of a place before it writes it."""
        for statement in self._statements():
            reads = (e for e in walk(*expressions([statement])) if isinstance(e, Load))
            if any((e.buffer, e.offset) == (buffer, offset) for e in reads):
                return True
            if isinstance(statement, Store) and (statement.buffer, statement.offset) == (buffer, offset):
                return False
        return False


def _lanes(statements: Sequence[Statement]) -> int:
    """How many lanes a vector of the widest numbers has."""
    found = {e.dtype for e in walk(*expressions(statements)) if not isinstance(e, FromIndex | Const)}
    widest = max((dtype.accumulator.bytes for dtype in found if dtype.kind != "bool"), default=1)
    return VECTOR_BYTES // max(widest, 4)
