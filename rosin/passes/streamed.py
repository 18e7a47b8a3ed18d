"""Folds whose terms lie far apart in memory while neighbours of the results lie side by side: sums of columns, say, or
the product of a vector and a matrix.

Folded in registers, a few columns at a time, such an array is read in small pieces, each from another page. Here the
running values of a band of columns lie in scratch arrays. A few rows of the array are read together from one end of the
band to the other, and what they give is folded into these; then the next few rows are. Many rows are folded in blocks,
so that rounding errors do not pile up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Carry,
    Expr,
    Kind,
    Let,
    Load,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    walk,
)
from rosin.ir.statements import replace as replaced
from rosin.ir.steps import Inner, Kernel

LEAST_BYTES = 1 << 15
"""An array of fewer bytes is near, however it is read."""

DEPTH = 8
"""So many rows are read together."""

BLOCK = 256
"""After so many rows what they give goes into a total."""

MOST_COLUMNS = 4096
"""A band is no wider, so that its running values stay near."""

BANDS = 2
"""On threads there are at least so many bands: a number that many divide."""

LEAST_COLUMNS = 256
"""Narrower bands would be read in pieces too small."""

STEP = 64
"""Bands are as wide as some multiple of this, which vectors divide."""

APART = 64
"""So many bytes are between the running values of several folds: in steps of a power of two they would share few sets
of the nearest cache."""

VECTOR_FLOPS = 12
"""Terms of more operations take more registers: fewer vectors run together."""


def streamed(
    name: str,
    outer: Sequence[LoopVar],
    lanes: LoopVar,
    columns: Sequence[LoopVar],
    body: Sequence[Statement | Inner],
    flops: int,
    on_threads: tuple[bool, Dim | None],
    in_blocks: bool = True,
) -> Kernel | None:
    """The kernel of a nest with rows `outer` and `lanes`, these as vectors; None where another one is as good. Many
    rows are folded one after the other all the same if they are not to be folded `in_blocks`."""
    fold, *after = body
    if not isinstance(fold, Inner) or len(columns) != 1 or not isinstance(lanes.extent, int):
        return None
    (folded,), parallel = columns, on_threads[0]
    after = [s for s in after if not isinstance(s, Inner)]
    if len(after) != len(body) - 1 or not all(isinstance(s, Accumulate) for s in fold.body) or not fold.carries:
        return None
    if facts.estimate(folded.extent) < 2 * DEPTH or lanes.extent < STEP or not _is_far(fold.body, lanes, folded):
        return None
    return _Streamed(name, outer, lanes, folded, fold, after, in_blocks).kernel(flops, parallel, on_threads[1])


def _is_far(body: Sequence[Statement], lanes: LoopVar, folded: LoopVar) -> bool:
    """Whether what is read side by side along the lanes, and apart along the folded axis, is more than lies near."""
    loads = [e for s in body if isinstance(s, Accumulate) for v in s.values for e in walk(v) if isinstance(e, Load)]
    if not all(e.offset.affine_in(v) for e in loads for v in (lanes, folded)):
        return False
    moving = [e for e in loads if e.offset.coefficient(lanes) != 0]
    if not all(e.offset.coefficient(lanes) == 1 for e in moving):
        return False
    size = facts.estimate(lanes.extent) * facts.estimate(folded.extent)
    return any(size * e.dtype.bytes > LEAST_BYTES and e.offset.coefficient(folded) != 0 for e in moving)


Scratch: TypeAlias = "Sequence[tuple[Buffer, int]]"
"""For each running value the array in which it lies, and where it begins there."""


@dataclass(frozen=True)
class _Band:
    """Columns from `start` on, and where their running values lie, and the totals of blocks."""

    start: Index
    columns: int
    running: Scratch
    totals: Scratch


@dataclass(frozen=True)
class _Streamed:
    """A fold on its way to a kernel."""

    name: str
    outer: Sequence[LoopVar]
    lanes: LoopVar
    folded: LoopVar
    fold: Inner
    after: Sequence[Statement]
    in_blocks: bool

    def kernel(self, flops: int, parallel: bool, work: Dim | None) -> Kernel:
        """The nest over all bands, the last of which may be narrower."""
        columns = self.lanes.extent
        assert isinstance(columns, int), "a band has a width that is a number"
        width = self._width(columns, parallel and not self.outer)
        whole, rest = divmod(columns, width)
        number = LoopVar(f"{self.lanes.name}_band", whole + (rest != 0))
        at = indices.of(number) if number.extent != 1 else indices.ZERO
        running = self._scratch("running", width)
        totals: Scratch = self._scratch("total", width) if self._is_long else ()
        body = self._of_band(_Band(at * width, width, running, totals))
        if rest:
            narrow = self._of_band(_Band(at * width, rest, running, totals))
            body = [
                When((Within(at, 0, whole),), tuple(body)),
                When((Within(at, whole, whole + 1),), tuple(narrow)),
            ]
        for var in (number, *reversed(self.outer)):
            body = [Loop(var, Kind.SERIAL, tuple(body))]
        (loop,) = body
        assert isinstance(loop, Loop)
        body = [replace(loop, parallel=parallel and loop.var.extent != 1)]
        registers = 4 if flops <= VECTOR_FLOPS else 1
        scratch = dict.fromkeys(buffer for buffer, _ in (*running, *totals))
        return Kernel(self.name, tuple(body), tuple(scratch), registers, work)

    @property
    def _is_long(self) -> bool:
        """Whether rounding errors matter."""
        floats = any(local.dtype.is_float for carry in self.fold.carries for local in carry.locals)
        return self.in_blocks and floats and not facts.known_at_least(2 * BLOCK, self.folded.extent)

    def _width(self, columns: int, on_threads: bool) -> int:
        """How many columns a band has: all bands as many where that is possible."""
        count = -(-columns // MOST_COLUMNS)
        if on_threads:
            count = max(min(-(-count // BANDS) * BANDS, columns // LEAST_COLUMNS), count)
        even = next((n for n in range(count, 2 * count) if columns % n == 0), None)
        return columns // even if even else -(-columns // (count * STEP)) * STEP

    def _scratch(self, name: str, width: int) -> Scratch:
        """Room for each running value: an array for those of one type."""
        parts = [local.dtype for carry in self.fold.carries for local in carry.locals]
        apart = {dtype: width + APART // dtype.bytes for dtype in parts}
        arrays = {
            dtype: Buffer(f"{name}{number}", dtype, (count - 1) * apart[dtype] + width, Scope.LOCAL)
            for number, (dtype, count) in enumerate(Counter(parts).items())
        }
        return [(arrays[dtype], parts[:at].count(dtype) * apart[dtype]) for at, dtype in enumerate(parts)]

    def _of_band(self, band: _Band) -> list[Statement]:
        """The statements of one band."""
        extent = self.folded.extent
        count = extent // DEPTH
        block = LoopVar(f"{self.folded.name}_block", count)
        places = [indices.of(block) * DEPTH + at for at in range(DEPTH)]
        body: list[Statement] = [self._pass(band, places)]
        if band.totals:
            last = Within(indices.of(block) % (BLOCK // DEPTH), BLOCK // DEPTH - 1, BLOCK // DEPTH)
            body.append(When((last,), (self._added(band), self._cleared(band, band.running))))
        found = [self._cleared(band, (*band.running, *band.totals)), Loop(block, Kind.SERIAL, tuple(body))]
        rest = extent - count * DEPTH
        if isinstance(rest, int):
            if rest:
                found.append(self._pass(band, [Index(count * DEPTH + at) for at in range(rest)]))
        else:
            single = LoopVar(f"{self.folded.name}_rest", rest)
            found.append(Loop(single, Kind.SERIAL, (self._pass(band, [indices.of(single) + count * DEPTH]),)))
        if band.totals:
            found.append(self._added(band))
        return [*found, self._end(band)]

    def _cleared(self, band: _Band, arrays: Scratch) -> Statement:
        """What running values start from."""
        column = LoopVar("column", band.columns)
        initial = [value for carry in self.fold.carries for value in carry.initial]
        starts = zip(_at(arrays, column), [*initial, *initial], strict=False)
        return Loop(column, Kind.VECTOR, tuple(Store(*place, value) for place, value in starts))

    def _pass(self, band: _Band, places: Sequence[Index]) -> Statement:
        """A few rows passing by together, from one end of the band to the other."""
        column = LoopVar("column", band.columns)
        carries = self._going_on(band.running, column)
        renamed = dict(zip(self.fold.carries, carries, strict=True))
        body: list[Statement] = []
        for place in places:
            memo: dict[int, Expr] = {}
            for statement in self.fold.body:
                moved = replaced(statement, {self.lanes: band.start + indices.of(column), self.folded: place}, memo)
                assert isinstance(moved, Accumulate)
                body.append(Accumulate(renamed[moved.carry], moved.values))
        return self._folded_into(band.running, column, carries, body)

    def _added(self, band: _Band) -> Statement:
        """Running values folded into the totals of blocks."""
        column = LoopVar("column", band.columns)
        carries = self._going_on(band.totals, column)
        values = iter([Load(*place) for place in _at(band.running, column)])
        body = [Accumulate(carry, tuple(next(values) for _ in carry.locals)) for carry in carries]
        return self._folded_into(band.totals, column, carries, body)

    def _going_on(self, arrays: Scratch, column: LoopVar) -> list[Carry]:
        """The carries of the fold, starting from what the arrays hold for a column."""
        values = iter([Load(*place) for place in _at(arrays, column)])
        return [replace(carry, initial=tuple(next(values) for _ in carry.locals)) for carry in self.fold.carries]

    def _folded_into(
        self, arrays: Scratch, column: LoopVar, carries: Sequence[Carry], body: Sequence[Statement]
    ) -> Statement:
        """A pass over the columns of a band, whose running values go back to where they came from."""
        values = (local for carry in carries for local in carry.locals)
        stores = [Store(*place, value) for place, value in zip(_at(arrays, column), values, strict=True)]
        once = Loop(LoopVar("once", 1), Kind.SERIAL, tuple(body), tuple(carries))
        return Loop(column, Kind.VECTOR, (once, *stores))

    def _end(self, band: _Band) -> Statement:
        """What follows the finished values."""
        column = LoopVar("column", band.columns)
        values = (Load(*place) for place in _at(band.totals or band.running, column))
        locals_ = (local for carry in self.fold.carries for local in carry.locals)
        lets = [Let(local, value) for local, value in zip(locals_, values, strict=True)]
        memo: dict[int, Expr] = {}
        rest = [replaced(s, {self.lanes: band.start + indices.of(column)}, memo) for s in self.after]
        return Loop(column, Kind.VECTOR, (*lets, *rest))


def _at(arrays: Scratch, column: LoopVar) -> list[tuple[Buffer, Index]]:
    """Where the running values of a column lie."""
    return [(buffer, indices.of(column) + start) for buffer, start in arrays]
