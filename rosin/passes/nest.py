"""Loop nests: which loop is outermost, which runs as vectors, which is divided in two, which neighbours are one loop,
what runs on threads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace as replace_fields
from math import prod

from rosin.ir import dims, facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Index, Least, LoopVar, Quotient, Remainder
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Expr,
    Kind,
    Let,
    Load,
    Loop,
    Statement,
    Store,
    When,
    Within,
    values,
)
from rosin.ir.statements import (
    Contents,
    all_indices,
    expressions,
    flops,
    moved,
    offsets,
    replace,
    stores,
    under,
)
from rosin.ir.steps import Inner, Kernel, Nest, statements_of
from rosin.passes.lane_cuts import WIDEST, where_to_cut
from rosin.passes.on_threads import COPIED, on_many, threads
from rosin.passes.rows_at_once import ROWS, rows_at_once
from rosin.passes.streamed import streamed
from rosin.passes.turned import turned
from rosin.passes.written_out import written_out

ACROSS = 256
"""What it takes to combine the lanes of a vector among themselves, in such operations: short rows take little else."""

SCRATCH_BYTES = 1 << 18
"""The most that the scratch arrays of one row, for all lanes, may take."""

BAND_BYTES, LEAST_BAND = 1 << 15, 64
"""Where they would take more, a band of lanes runs at a time: so many that scratch arrays stay near, and no fewer than
memory is read well with, as long as these take no more than that."""

COLUMN_REGISTERS = 4
"""How many vector registers of neighbouring columns are folded at once."""

CHAIN_FLOPS = 150
"""So many operations an element wait for each other: several vectors run together, each while the others wait."""

CHAIN_REGISTERS = 4

SQUARE = 16
"""So many neighbours are read at once of lanes that lie apart, as many as a vector has of the smallest lanes."""

TILE, TOGETHER, LEAST_GROUPS = 256, (8, 4, 2), 16
"""Lanes of so many squares beside each other go so many at a time, where that leaves threads enough groups."""

LONG = 64
"""So many lanes are as good as more; and so are symbolic ones, which may be as many as they like."""

FEW = 4
"""What blocks of so many leave of a symbolic number is read by so many at once."""

SQUARE_FLOPS = 4
"""Elements of more operations are so much code that they are computed one by one."""

BLOCK_FLOPS = 40
"""So are the two to four elements of a block,"""
FOLD_FLOPS = 80
"""but for those that are folds written out, which would be computed across lanes."""

SHORT_FLOPS = 12
"""Of so many operations, a division of an index is much beside them, and they may run in short vectors instead."""

STEP_SCORES = {-1: 1.0, 0: 0.0, 1: 2.0, 2: 0.5, 3: 0.0}
"""How good it is that neighbours are so many elements apart: what runs backward is turned in its vector, and of every
second or third one, vectors come of a block of memory by shuffles."""

WINDOW_FLOPS = 80
"""A fold of so many operations in all, as over a small window, is written out: what terms share is computed once."""

UNROLL_FLOPS = 12
"""A vector reduction of at most so many operations an element keeps several partial results, to hide latency."""


def arranged(nest: Nest) -> Kernel:
    """The kernel of a nest, its loops in the order that suits memory."""
    return Arrangement(nest).kernel()


def copied(nest: Nest, counts: int = 1) -> Kernel:
    """The kernel of a nest that moves elements: what is side by side is written at once, be it read from far apart.
    As in `threads` its work counts so many times."""
    return Arrangement(nest, counts).kernel(as_written=True)


def goes_by_blocks(nest: Nest) -> bool:
    """Whether folds are written out so that vectors go from block to block."""
    return Arrangement(nest).write_out()


class Arrangement:
    """A nest while its loops are put in order."""

    def __init__(self, nest: Nest, counts: int = 1) -> None:
        self.counts = counts
        self.name, self.flops, self.scratch = nest.name, nest.flops, nest.scratch
        self.rows, self.columns, self.body = list(nest.rows), list(nest.columns), list(nest.body)
        self.bands: _Bands | None = None
        self.block_flops = BLOCK_FLOPS

    def kernel(self, as_written: bool = False) -> Kernel:
        self.write_out()
        self.divide()
        self.collapse(self.rows)
        self.collapse(self.columns)
        inner = [s for p in self.body if isinstance(p, Inner) for s in p.body] if self.columns else self.statements()
        lanes = self._written_along() if as_written else None
        lanes = lanes or choose_lanes([*self.rows, *self.columns], inner or self.statements())
        lanes = self._across_blocks(lanes)
        if lanes in self.columns and facts.estimate(lanes.extent) < SQUARE:
            lanes = self._beside(inner) or lanes
        if self.scratch and lanes in self.rows:
            lanes = self._widen_scratch(lanes)
        counts = self.counts if self.flops else COPIED * self.counts
        on_threads, work = threads(self.work + self._across_lanes(lanes), counts)
        if lanes is not None and self.columns == [lanes]:
            column = lanes
            short = turned(self.name, self.rows, column, self.body, self.scratch, lambda: self._row_along(column))
            if short is not None:
                body = tuple(on_many(s) if on_threads and isinstance(s, Loop) else s for s in short.body)
                return replace_fields(short, body=body, work=work)
        if lanes in self.rows and not self.scratch:
            outer = [v for v in self.rows if v is not lanes]
            found = streamed(self.name, outer, lanes, self.columns, self.body, self.flops, (on_threads, work))
            if found is not None:
                return found
        loops = self._loops(lanes, on_threads)
        # Lanes that each run a loop of their own step through memory far apart: more of them use what a step brings in.
        apart = lanes in self.rows and any(isinstance(p, Inner) and p.carries for p in self.body) and bool(self.columns)
        chain = self.flops >= CHAIN_FLOPS
        registers = COLUMN_REGISTERS if apart else CHAIN_REGISTERS if chain else 1
        if (as_written or self.bands) and len(loops) == 1 and isinstance(loops[0], Loop) and loops[0].parallel:
            loops = [on_many(loops[0])]
        return Kernel(self.name, tuple(loops), self.scratch, registers, work)

    def _row_along(self, lanes: LoopVar) -> list[Statement]:
        """The statements of one row, with lanes along it."""
        one = copy(self)
        one.rows = []
        return one._loops(lanes, on_threads=False)

    def statements(self) -> list[Statement]:
        return statements_of(self.body)

    @property
    def work(self) -> Dim:
        domain = dims.product(var.extent for var in (*self.rows, *self.columns))
        whole = [b for b in Contents(self.statements()).buffers if facts.estimate(b.size) >= facts.estimate(domain)]
        return domain * max(self.flops + 1, sum(b.dtype.bytes for b in whole))

    def _across_lanes(self, lanes: LoopVar | None) -> Dim:
        """What it takes to combine lanes among themselves, where rows are folded along them."""
        if lanes not in self.columns:
            return 0
        values = sum(len(c.locals) for p in self.body if isinstance(p, Inner) for c in p.carries)
        return dims.product(v.extent for v in self.rows) * (ACROSS * values)

    # -- building ------------------------------------------------------------------------------------------

    def _loops(self, lanes: LoopVar | None, on_threads: bool) -> list[Statement]:
        body: list[Statement] = []
        columns = [v for v in self.columns if v is not lanes] + [v for v in self.columns if v is lanes]
        rows = [v for v in self.rows if v is not lanes] + [v for v in self.rows if v is lanes]
        lots = None
        if rows and lanes is not None and columns == [lanes] and not self.scratch:
            lots = rows_at_once(rows[-1], lanes, self.body, lambda part: self.inner(part, columns, lanes))
        if lots is not None:
            rows[-1], body = lots
        for part in self.body if lots is None else ():
            body += [self.inner(part, columns, lanes)] if isinstance(part, Inner) and columns else plain(part)
        across = self._across(lanes)
        if lanes is not None and across is not None:
            width = min(across.extent, SQUARE) if isinstance(across.extent, int) else SQUARE
            block = LoopVar(across.name, -(-across.extent // width))
            rows = [v for v in rows if v not in (across, lanes)]
            groups = self._in_tiles(body, lanes, across, block, width)
            if groups is not None:
                block, body = groups
            else:
                body = self._squares(body, lanes, across, block, width)
            rows += [block] if block.extent != 1 else []
            if not rows and on_threads:
                (vectors,) = body
                body = [replace_fields(vectors, parallel=True)]
        for var in reversed(rows):
            parallel = var is rows[0] and on_threads
            kind = Kind.VECTOR if var is lanes else Kind.SERIAL
            may_cut = kind is Kind.VECTOR and not parallel and not self.scratch
            cut = where_to_cut(var, body, self.flops) if may_cut else None
            if cut is not None:
                body = cut
            elif self.bands is not None and var is lanes:
                body = self.bands.loops(body)
            else:
                body = [Loop(var, kind, tuple(body), parallel=parallel)]
        return body

    def _beside(self, inner: Sequence[Statement]) -> LoopVar | None:
        """The loop over rows that lie side by side, as windows that slide do: folds over few terms run beside each
        other along it, rather than each across lanes."""
        reads = list(offsets(inner))
        long = [v for v in self.rows if facts.estimate(v.extent) >= SQUARE // 4]
        return next((v for v in long if all(i.affine_in(v) and i.coefficient(v) in (0, 1) for i in reads)), None)

    def _across_blocks(self, lanes: LoopVar | None) -> LoopVar | None:
        """The loop from block to block, where lanes would be the few elements of one."""
        if lanes is None or lanes not in self.rows:
            return lanes
        return next((v for v in self.rows if self._are_mixed(lanes, v)), lanes)

    def _are_mixed(self, var: LoopVar, lanes: LoopVar) -> bool:
        """Whether the few elements along a loop lie side by side, and then those of the next lane: a block of memory
        holds all of them, of a whole vector."""
        if not isinstance(var.extent, int) or not 1 < var.extent <= SQUARE // 4:
            return False
        return any(
            i.affine_in(var) and i.coefficient(var) == 1 and i.coefficient(lanes) == var.extent
            for i in offsets(self.statements())
        )

    def _written_along(self) -> LoopVar | None:
        """The loop along which all that is written is side by side, if it is long enough for vectors."""
        written = [s.offset for s in stores(self.statements())]
        long = [v for v in self.rows if facts.estimate(v.extent) >= SQUARE // 4]
        return next((v for v in long if all(i.affine_in(v) and i.coefficient(v) == 1 for i in written)), None)

    def _across(self, lanes: LoopVar | None) -> LoopVar | None:
        """The loop along which elements are side by side that are apart from lane to lane."""
        if (
            lanes is None
            or self.columns
            or self.flops > self.block_flops
            or any(isinstance(p, Inner) for p in self.body)
        ):
            return None
        others = [v for v in self.rows if v is not lanes]
        mixed = next((v for v in others if self._are_mixed(v, lanes)), None)
        if mixed is not None or self.flops > SQUARE_FLOPS:
            return mixed
        apart = [i for i in offsets(self.statements()) if _is_apart(i, lanes)]
        rows = [v for v in others if facts.estimate(v.extent) >= SQUARE // 4]
        return next((v for v in rows if any(i.affine_in(v) and i.coefficient(v) in (1, -1) for i in apart)), None)

    def _folded_across(
        self, body: Sequence[Statement], columns: Sequence[LoopVar], lanes: LoopVar | None
    ) -> LoopVar | None:
        """Likewise among the loops of a fold, of which the lanes are one."""
        if lanes is None or lanes not in columns or flops([v for s in body for v in values(s)]) > SQUARE_FLOPS:
            return None
        apart = [i for i in offsets(body) if _is_apart(i, lanes)]
        long = [v for v in columns if v is not lanes and facts.estimate(v.extent) >= SQUARE]
        return next((v for v in long if any(i.affine_in(v) and i.coefficient(v) == 1 for i in apart)), None)

    def _in_tiles(
        self, body: Sequence[Statement], lanes: LoopVar, across: LoopVar, block: LoopVar, width: int
    ) -> tuple[LoopVar, list[Statement]] | None:
        """The loop over groups of blocks, and a body in which the lanes of all blocks of a group go some at a
        time: what one has read of a line is near when the next one reads the rest. None where there are few lanes or
        blocks."""
        count, extent = block.extent, lanes.extent
        if not isinstance(count, int) or not isinstance(extent, int) or extent < 2 * TILE or width < SQUARE:
            return None
        together = next((n for n in TOGETHER if count >= LEAST_GROUPS * n), None)
        if together is None:
            return None
        group, member = LoopVar(block.name, -(-count // together)), LoopVar(f"{block.name}_square", together)
        here = indices.of(group) * together + indices.of(member)
        inside = () if count % together == 0 else (Within(here, 0, count),)

        def tile(start: Index, some: LoopVar) -> Statement:
            place = start + indices.of(some)
            squares = self._squares(moved(body, {lanes: place}), some, across, block, width)
            squares = moved(squares, {block: here})
            return Loop(member, Kind.SERIAL, tuple(under(inside, squares)))

        tiles, rest = LoopVar(f"{lanes.name}_tile", extent // TILE), extent % TILE
        found: list[Statement] = [
            Loop(tiles, Kind.SERIAL, (tile(indices.of(tiles) * TILE, LoopVar(lanes.name, TILE)),))
        ]
        if rest:
            found.append(tile(indices.ZERO + (extent - rest), LoopVar(lanes.name, rest)))
        return group, found

    def _squares(
        self, body: Sequence[Statement], lanes: LoopVar, across: LoopVar, block: LoopVar, width: int
    ) -> list[Statement]:
        """The body for a block of `width` neighbours along `across`, all of them for each vector."""

        def beside(start: Index, count: int) -> Statement:
            each = [s for at in range(count) for s in moved(body, {across: start + at})]
            return Loop(lanes, Kind.VECTOR, tuple(each))

        whole = across.extent // width
        rest, place = across.extent - whole * width, indices.of(block) if block.extent != 1 else indices.ZERO
        if isinstance(rest, int) and rest >= FEW and block.extent != 1 and _moves(body):
            # What the last square and the one before it have in common is moved twice.
            return [beside(indices.least(place * width, across.extent - width), width)]
        squares = beside(place * width, width)
        if rest == 0:
            return [squares]
        start, left = indices.ZERO + whole * width, list[Statement]()
        if isinstance(rest, int):
            left = [beside(start, rest)]
        else:
            few, last = LoopVar(across.name, rest // FEW), LoopVar(across.name, rest - rest // FEW * FEW)
            left = [
                Loop(few, Kind.SERIAL, (beside(start + indices.of(few) * FEW, FEW),)),
                Loop(last, Kind.SERIAL, (beside(start + few.extent * FEW + indices.of(last), 1),)),
            ]
        return [When((Within(place, 0, whole),), (squares,)), When((Within(place, whole, whole + 1),), tuple(left))]

    def inner(self, part: Inner, columns: list[LoopVar], lanes: LoopVar | None) -> Statement:
        body: list[Statement] = list(part.body)
        work = flops([v for s in body for v in values(s)])
        sizes = [v.extent for v in columns if isinstance(v.extent, int)]
        short = len(sizes) == len(columns) and prod(sizes) * (work + 1) <= WINDOW_FLOPS
        if part.carries and short and lanes not in columns:
            places = [dict(zip(columns, map(Index, at), strict=True)) for at in itertools.product(*map(range, sizes))]
            each = [s for place in places for s in moved(body, place)]
            return Loop(LoopVar("once", 1), Kind.SERIAL, tuple(each), part.carries)
        across = self._folded_across(body, columns, lanes) if part.carries else None
        if lanes is not None and across is not None:
            block = LoopVar(across.name, -(-across.extent // SQUARE))
            inside = self._squares(body, lanes, across, block, SQUARE)
            rest = [v for v in columns if v not in (across, lanes)]
            for var in reversed([*rest, block]):
                carries = part.carries if var is (*rest, block)[0] else ()
                inside = [Loop(var, Kind.SERIAL, tuple(inside), carries)]
            return inside[0]
        for var in reversed(columns):
            vector = var is lanes
            many = vector and bool(part.carries) and work <= UNROLL_FLOPS
            unroll = 4 if many and len(part.carries) < ROWS else 1
            carries = part.carries if var is columns[0] else ()
            body = [Loop(var, Kind.VECTOR if vector else Kind.SERIAL, tuple(body), carries, unroll=unroll)]
        return body[0]

    def _widen_scratch(self, lanes: LoopVar) -> LoopVar | None:
        """Give each lane a scratch array of its own, for a band of lanes at a time where all of them would take too
        much; where that does too, run the columns as vectors."""
        bytes = dims.total(b.bytes for b in self.scratch)
        if not facts.known_at_least(SCRATCH_BYTES, bytes * lanes.extent):
            self.bands = _Bands.of(lanes, bytes)
            if self.bands is None:
                return choose_lanes(self.columns, self.statements())
            self.body = placed(self.body, {lanes: self.bands.place})
            at = self.rows.index(lanes)
            self.rows[at : at + 1] = [self.bands.band, self.bands.lanes]
            lanes = self.bands.lanes
        wide = {b: Buffer(b.name, b.dtype, b.size * lanes.extent, b.scope) for b in self.scratch}
        memo: dict[int, Expr] = {}

        def widen(expr: Expr) -> Expr:
            found = memo.get(id(expr))
            if found is None:
                if isinstance(expr, Load) and expr.buffer in wide:
                    found = Load(wide[expr.buffer], expr.offset * lanes.extent + indices.of(lanes))
                else:
                    children = tuple(widen(c) for c in expr.children())
                    found = expr if children == expr.children() else expr.rebuild(children, expr.indices())
                memo[id(expr)] = found
            return found

        def statement(s: Statement) -> Statement:
            if isinstance(s, Store) and s.buffer in wide:
                return Store(wide[s.buffer], s.offset * lanes.extent + indices.of(lanes), widen(s.value))
            if isinstance(s, Store):
                return Store(s.buffer, s.offset, widen(s.value))
            if isinstance(s, Let):
                return Let(s.local, widen(s.value))
            assert isinstance(s, Accumulate)
            return Accumulate(s.carry, tuple(widen(v) for v in s.values))

        self.body = [
            Inner(tuple(map(statement, p.body)), p.carries) if isinstance(p, Inner) else statement(p) for p in self.body
        ]
        self.scratch = tuple(wide.values())
        return lanes

    # -- writing out, dividing and collapsing ----------------------------------------------------------------

    def write_out(self) -> bool:
        """Make plain numbers of folds of few terms whose results lie in blocks, as those of small matrices do: vectors
        go from block to block then. Says whether it did."""
        sizes = [v.extent for v in self.columns if isinstance(v.extent, int)]
        folds = [p for p in self.body if isinstance(p, Inner)]
        work = flops([v for p in folds for s in p.body for v in values(s)])
        if not folds or self.scratch or len(sizes) < len(self.columns) or prod(sizes) * (work + 1) > WINDOW_FLOPS:
            return False
        statements = written_out(self.columns, self.body)
        if statements is None:
            return False
        one = copy(self)
        one.columns, one.body = list[LoopVar](), list(statements)
        one.flops, one.block_flops = _operations(one.statements()), FOLD_FLOPS
        lanes = one._across_blocks(choose_lanes(one.rows, one.statements()))
        if lanes is None or one._across(lanes) is None:
            return False
        self.columns, self.body = one.columns, one.body
        self.flops, self.block_flops = one.flops, one.block_flops
        return True

    def divide(self) -> None:
        """Make two loops of one where elements are read at its number divided by another one, or at the remainder, as
        those that are repeated are: then both are plain numbers. Short vectors pay where there is little to compute."""
        if self.columns or any(isinstance(p, Inner) for p in self.body):
            return
        # Each time a loop becomes two shorter ones.
        while (found := self._to_divide()) is not None:
            var, count, divisor = found
            outer, inside = LoopVar(f"{var.name}_block", count), LoopVar(var.name, divisor)
            self.body = placed(self.body, {var: indices.of(outer) * divisor + indices.of(inside)})
            at = self.rows.index(var)
            self.rows[at : at + 1] = [outer, inside]

    def _to_divide(self) -> tuple[LoopVar, Dim, Dim] | None:
        """A loop to divide, if there is one: into how many blocks, and how many elements each has."""
        atoms = [a for i in all_indices(self.statements()) for a in _divided(i)]
        for var in self.rows if atoms else ():
            divisor = self._divisor(var, atoms)
            count = None if divisor is None else facts.divide(var.extent, divisor)
            if divisor is not None and count is not None and count != 1:
                return var, count, divisor
        return None

    def _divisor(self, var: LoopVar, atoms: Sequence[Quotient | Remainder]) -> Dim | None:
        """What to divide a loop by, if it is divided anywhere, and nowhere by what does not go with that."""
        found = {a.divisor for a in atoms if a.dividend == indices.of(var)}
        # The few elements of a block are written one by one, each at a place that is plain then.
        shifted = {a.divisor for a in atoms if not (a.dividend - indices.of(var)).terms}
        found |= {n for n in shifted if isinstance(n, int) and n <= SQUARE // 4}
        numbers = [n for n in found if isinstance(n, int)]
        if not found or (len(found) > 1 and len(numbers) < len(found)):
            return None
        if any(n % min(numbers) for n in numbers):
            return None
        least = min(numbers) if numbers else found.pop()
        if facts.estimate(least) >= LONG:
            return least
        is_block = facts.estimate(least) <= SQUARE // 4
        return least if self.flops <= (BLOCK_FLOPS if is_block else SHORT_FLOPS) else None

    def collapse(self, variables: list[LoopVar]) -> None:
        """Make one loop of neighbours that every index steps through as through one."""
        variables[:], places = together(variables, self.statements())
        if places:
            self.body = placed(self.body, places)


@dataclass(frozen=True, slots=True)
class _Bands:
    """Lanes that run some at a time: those of a number of whole bands, and the rest."""

    band: LoopVar
    lanes: LoopVar
    """Those of a whole band."""
    whole: Dim
    """The number of whole bands."""
    rest: Dim

    @classmethod
    def of(cls, lanes: LoopVar, bytes: Dim) -> _Bands | None:
        """Bands of lanes each of which needs so many bytes; None where a whole vector would need too many."""
        if not isinstance(bytes, int) or WIDEST * bytes > SCRATCH_BYTES:
            return None
        width = WIDEST
        while 2 * width * bytes <= (BAND_BYTES if width >= LEAST_BAND else SCRATCH_BYTES):
            width *= 2
        whole = lanes.extent // width
        bands = (lanes.extent + width - 1) // width
        return cls(LoopVar("band", bands), LoopVar(lanes.name, width), whole, lanes.extent - whole * width)

    @property
    def place(self) -> Index:
        """The number of a lane among all."""
        return indices.of(self.band) * self.lanes.extent + indices.of(self.lanes)

    def loops(self, body: Sequence[Statement]) -> list[Statement]:
        """The body for the lanes of one band."""
        all_of_them = Loop(self.lanes, Kind.VECTOR, tuple(body))
        if self.rest == 0:
            return [all_of_them]
        number, last = indices.of(self.band), LoopVar(self.lanes.name, self.rest)
        left = Loop(last, Kind.VECTOR, tuple(moved(body, {self.lanes: indices.of(last)})))
        whole, beyond = Within(number, 0, self.whole), Within(number, self.whole, self.band.extent)
        return [When((whole,), (all_of_them,)), When((beyond,), (left,))]


def _operations(statements: Sequence[Statement]) -> int:
    return flops(list(expressions(statements)))


def plain(part: Statement | Inner) -> list[Statement]:
    """A part of a nest without columns as statements."""
    if isinstance(part, Inner):
        if part.carries:
            # Folds over no loop at all: one term each. A loop of one iteration carries them.
            return [Loop(LoopVar("once", 1), Kind.SERIAL, part.body, part.carries)]
        return list(part.body)
    return [part]


def _is_apart(index: Index, lanes: LoopVar) -> bool:
    """Whether lanes are at least so far from each other that blocks of memory hold few of them."""
    step = index.coefficient(lanes)
    return index.affine_in(lanes) and abs(facts.estimate(step)) > SQUARE // 4


def _divided(index: Index) -> Iterator[Quotient | Remainder]:
    """The quotients and remainders in an index."""
    for atom, _ in index.terms:
        if isinstance(atom, Quotient | Remainder):
            yield atom
        if isinstance(atom, Quotient | Remainder | Least):
            yield from _divided(indices.inner(atom))


def collapsed(nest: Nest) -> Nest:
    """The nest with one row in place of neighbours that every index steps through as through one."""
    rows, places = together(nest.rows, nest.contents.body)
    return replace_fields(nest, rows=tuple(rows), body=tuple(placed(nest.body, places))) if places else nest


def together(
    variables: Sequence[LoopVar], statements: Sequence[Statement]
) -> tuple[list[LoopVar], dict[LoopVar, Index]]:
    """The variables with one in place of neighbours that every index steps through as through one, and what those are
    in it."""
    found: list[LoopVar] = []
    places: dict[LoopVar, Index] = {}
    last = inner = None
    for var in reversed(variables):
        if last is not None and inner is not None and all(joins(i, var, inner) for i in all_indices(statements)):
            found[-1] = LoopVar(last.name, var.extent * found[-1].extent)
            places |= {var: indices.ZERO, last: indices.of(found[-1])}
        else:
            found.append(var)
            last = var
        inner = var
    return found[::-1], places


def _moves(body: Sequence[Statement]) -> bool:
    """Whether elements are moved from some arrays to others, and that is all."""
    pairs = [(s.buffer, s.value.buffer) for s in body if isinstance(s, Store) and isinstance(s.value, Load)]
    return len(pairs) == len(body) and {to for to, _ in pairs}.isdisjoint(start for _, start in pairs)


def placed(body: Sequence[Statement | Inner], places: Mapping[LoopVar, Index]) -> list[Statement | Inner]:
    """The body of a nest with loop variables replaced."""
    memo: dict[int, Expr] = {}
    return [
        Inner(tuple(replace(s, places, memo) for s in part.body), part.carries)
        if isinstance(part, Inner)
        else replace(part, places, memo)
        for part in body
    ]


def joins(index: Index, outer: LoopVar, inner: LoopVar) -> bool:
    """Whether an index steps through two loops as through one."""
    affine = index.affine_in(outer) and index.affine_in(inner)
    return affine and index.coefficient(outer) == inner.extent * index.coefficient(inner)


def choose_lanes(variables: Sequence[LoopVar], statements: Sequence[Statement]) -> LoopVar | None:
    """The variable along which most memory is read and written side by side; of several a long one, the innermost."""
    accesses = list(offsets(statements))

    def score(position: int) -> tuple[float, int, int]:
        var = variables[position]
        total = 0.0
        for offset in accesses:
            if not offset.affine_in(var):
                total -= 2
            else:
                step = offset.coefficient(var)
                total += STEP_SCORES.get(step, -1.5) if isinstance(step, int) else -1.5
        extent = facts.estimate(var.extent)
        if extent < 4:
            total -= 3 * len(accesses)
        long = extent >= SQUARE and not isinstance(var.extent, int)
        return total, LONG if long else min(extent, LONG), position

    if not variables:
        return None
    return variables[max(range(len(variables)), key=score)]
