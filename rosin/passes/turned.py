"""Short rows beside each other: a lane for each row, and not for each element.

A row of a few elements fills no vector, and to combine the lanes of a vector among themselves takes longer than all
that is done with them. Here a band of rows is copied to scratch arrays in which its columns lie side by side, in
squares (rosin.backends.llvm.turning); every pass runs along the columns with a lane for each row, and what has an
element for each column is turned back. All rows, also those that do not fill a band, fold their elements in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
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
from rosin.ir.statements import expressions, flops, moved, relocated, stores, used_buffers
from rosin.ir.steps import Inner, Kernel

BAND = 64
"""So many rows are turned at a time."""

LEAST_COLUMNS, MOST_COLUMNS = 4, 128
"""Of how many elements rows are turned: what needs no squares is better off without, and a band has to stay near."""

VECTOR_BYTES = 64
"""A vector has about so many bytes."""

TURN_COST = 0.12
"""Machine steps to turn a byte."""

GAIN = 0.8
"""Rows are turned where that takes less than such a part of the time: what is read and written takes its own."""

Place = tuple[Buffer, Index]


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
    good. `along` makes the loop over the last of the rows with lanes along them, for where they turn out to be few when
    the kernel runs."""
    if not rows or any(s.scope is not Scope.LOCAL for s in scratch):
        return None
    found = _Turned(name, rows[:-1], rows[-1], column, body, scratch, {})
    return found.kernel(along) if found.fits() else None


@dataclass(frozen=True)
class _Turned:
    """A nest on its way to a kernel."""

    name: str
    outer: Sequence[LoopVar]
    row: LoopVar
    column: LoopVar
    body: Sequence[Statement | Inner]
    scratch: Sequence[Buffer]
    places: dict[Place, Buffer]
    """The scratch array of each place that has an element for each column of a row."""

    # -- whether it pays ---------------------------------------------------------------------------------------

    def fits(self) -> bool:
        """Whether the nest is of this kind, and better computed so; then it is known what is turned."""
        count, columns = self.row.extent, self.column.extent
        if not isinstance(columns, int) or (isinstance(count, int) and count < BAND):
            return False
        if not LEAST_COLUMNS <= columns <= MOST_COLUMNS or not all(isinstance(b.size, int) for b in self.scratch):
            return False
        statements = self._statements()
        if any(isinstance(e, Guard) for e in walk(*expressions(statements))) or not self._take_places(statements):
            return False
        if not any(part.carries for part in self.body if isinstance(part, Inner)):
            return False
        return self._beside(columns, statements) < GAIN * self._along(columns)

    def _along(self, columns: int) -> float:
        """Machine steps of a row with lanes along it."""
        passes = [part for part in self.body if isinstance(part, Inner)]
        carries = [carry for part in passes for carry in part.carries]
        lanes = _lanes([s for part in passes for s in part.body])
        # Each half of a vector is combined with the other one, and then the halves of these; shuffles bring them there.
        across = sum(flops(carry.combine) for carry in carries) * (lanes.bit_length() - 1)
        work = sum(flops(list(expressions(part.body))) + 1 for part in passes)
        return -(-columns // lanes) * work + across + self._of_rows

    def _beside(self, columns: int, statements: Sequence[Statement]) -> float:
        """Machine steps of a row that is one of many beside each other."""
        work = sum(flops(list(expressions(part.body))) + 1 for part in self.body if isinstance(part, Inner))
        bytes = sum(buffer.dtype.bytes for buffer, _ in self.places)
        return (columns * work + self._of_rows) / _lanes(statements) + TURN_COST * columns * bytes

    @property
    def _of_rows(self) -> int:
        """Machine operations of a row beside those of its elements."""
        return flops(list(expressions([part for part in self.body if not isinstance(part, Inner)])))

    def _take_places(self, statements: Sequence[Statement]) -> bool:
        """Give each place that is turned its scratch array; gives whether all others are read and written well."""
        written = [(s.buffer, s.offset) for s in stores(statements)]
        reached = [*written, *((e.buffer, e.offset) for e in walk(*expressions(statements)) if isinstance(e, Load))]
        for buffer, offset in reached:
            if buffer in self.scratch:
                continue
            if not all(isinstance(atom, LoopVar) for atom, _ in offset.terms):
                return False
            along, apart = offset.coefficient(self.column), offset.coefficient(self.row)
            if (buffer, offset) in written and apart == 0:
                return False
            if along == 0 or apart == 1 or (along == 1 and apart == 0):
                continue
            if along != 1 or not isinstance(apart, int) or apart < LEAST_COLUMNS or buffer.dtype.is_complex:
                return False
            columns = Buffer(f"turned{len(self.places)}", buffer.dtype, self.column.extent, Scope.LOCAL)
            self.places.setdefault((buffer, offset), columns)
        changed = {buffer for buffer, _ in written}
        return all(len({o for b, o in reached if b == buffer}) == 1 for buffer, _ in self.places if buffer in changed)

    def _statements(self) -> list[Statement]:
        return [s for part in self.body for s in (part.body if isinstance(part, Inner) else [part])]

    # -- the kernel --------------------------------------------------------------------------------------------

    def kernel(self, along: Callable[[], Sequence[Statement]]) -> Kernel:
        """The kernel, on one thread."""
        count = self.row.extent
        whole = count // BAND
        rest = count - whole * BAND
        band = LoopVar(f"{self.row.name}_band", -(-count // BAND))
        wide = {b: Buffer(f"{b.name}_wide", b.dtype, b.size * BAND, b.scope) for b in self.scratch}
        wide |= {b: Buffer(b.name, b.dtype, b.size * BAND, b.scope) for b in self.places.values()}
        scratch = list(wide.values())
        body = self._band(LoopVar(self.row.name, BAND), indices.of(band) * BAND, wide, squares=True)
        if rest != 0:
            left = self._band(LoopVar(self.row.name, rest), Index(whole * BAND), wide, squares=False)
            at = indices.of(band)
            cases: list[tuple[tuple[Within, ...], list[Statement]]]
            cases = [((Within(at, 0, whole),), body), ((Within(at, whole, whole + 1),), left)]
            if not isinstance(count, int):
                # The rows of the only band are the rest, or too few.
                cases[1] = ((*cases[1][0], Within(Index(count), BAND, count + 1)), left)
                cases.append(((Within(Index(count), 0, BAND),), list(along())))
                scratch += self.scratch
            body = [When(tests, tuple(statements)) for tests, statements in cases]
        for var in (band, *reversed(self.outer)):
            body = [Loop(var, Kind.SERIAL, tuple(body))]
        return Kernel(self.name, used_buffers(body), tuple(body), tuple(scratch))

    def _band(self, lanes: LoopVar, first: Index, wide: Mapping[Buffer, Buffer], squares: bool) -> list[Statement]:
        """The statements for some rows, a lane each, from a first one on."""
        lane = indices.of(lanes)

        def place(buffer: Buffer, offset: Index) -> Place:
            own = self.places.get((buffer, offset))
            if own is not None:
                buffer, offset = own, indices.of(self.column)
            return (wide[buffer], offset * BAND + lane) if buffer in wide else (buffer, offset)

        memo: dict[int, Expr] = {}
        inside: list[Statement] = [*self._moves(place, squares, back=False)]
        for part in self.body:
            if isinstance(part, Inner):
                terms = tuple(relocated(s, place, memo) for s in part.body)
                inside.append(Loop(self.column, Kind.SERIAL, terms, part.carries))
            else:
                inside.append(relocated(part, place, memo))
        inside += self._moves(place, squares, back=True)
        return [Loop(lanes, Kind.VECTOR, tuple(moved(inside, {self.row: first + lane})))]

    def _moves(self, place: Placing, squares: bool, back: bool) -> Iterator[Statement]:
        """Copies of what is turned: all that is read before it is written, or `back` all that is written."""
        written = {(s.buffer, s.offset) for s in stores(self._statements())}
        assert isinstance(self.column.extent, int), "columns are few"
        for buffer, offset in self.places:
            if back and (buffer, offset) not in written:
                continue
            if not back and not self._is_read_first(buffer, offset):
                continue
            near = place(buffer, offset)
            move = Store(buffer, offset, Load(*near)) if back else Store(*near, Load(buffer, offset))
            if squares:
                yield from (s for at in range(self.column.extent) for s in moved([move], {self.column: Index(at)}))
            else:
                yield Loop(self.column, Kind.SERIAL, (move,))

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
