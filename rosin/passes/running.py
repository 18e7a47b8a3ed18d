"""The loop nests of running combinations along an axis.

One element after the other waits for the one before, and not for memory. So what is apart runs at once: lines that lie
side by side as vectors; of a line that lies in order, as many elements as a vector has lanes, which are combined among
themselves first; other lines a few at a time; and of one long line a few parts, each for itself, after which the
combination of all that is before a part is combined into it. A line that is so long that threads shall share it is
cut into chunks that a near cache holds. A thread combines a chunk for itself, waits until what is before it is known,
says what all up to its end comes to, and combines what is before into the chunk, which is in its cache still. So memory
is read and written once, and threads wait for no more than one combination of each other (a chained scan: Merrill and
Garland 2016, "Single-pass parallel prefix scan with decoupled look-back").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Carry,
    Expr,
    InTurn,
    Kind,
    Load,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    guard,
)
from rosin.ir.op import Running, Types
from rosin.ir.statements import offsets
from rosin.ir.steps import Kernel
from rosin.passes.groups import Group
from rosin.passes.nest import COLUMN_REGISTERS, choose_lanes
from rosin.passes.on_threads import threads
from rosin.passes.where import Memory

CHAINS = 8
"""How many lines, or parts of a line, run at once: their steps take turns while each waits for its last one."""

WIDE = 512
"""From twice so many lines side by side on, they are taken row by row."""

DEPTH = 4
"""So many rows are taken together, that running values are read and written only now and then."""

MANY_ROWS, MOST_COLUMNS = 128, 8192
"""From so many rows on threads share these, unless a row is so long that few fit the caches."""

ORDERED = 32
"""Lines of so many elements or more are combined in vectors, where they lie in order."""

PART = 528
"""Elements of a part of a long line; all parts that run at once are in the nearest cache when they are put together.
It is no power of two: parts that are so far apart would share a set of that cache, and push one another out."""

BLOCK = CHAINS * PART

LONG = 1 << 17
"""From so many elements on threads share a line."""

CHUNK_BYTES, LEAST_CHUNKS = 1 << 17, 16
"""A chunk has about so many bytes, of which a near cache holds a few, but there are at least so many chunks."""

STEP = 64
"""Chunks of a line in order are multiples of so many elements, which vectors divide."""


def running_kernels(group: Group, memory: Memory, name: str) -> list[Kernel]:
    """The kernels of a running combination; how lines are taken never changes what a line gives, but that the parts of
    a long one are combined as wholes."""
    return _Lines(group, memory).kernels(name)


class _Lines:
    """A running combination while its loops are made."""

    def __init__(self, group: Group, memory: Memory) -> None:
        node = group.nodes[0]
        op = node.op
        assert isinstance(op, Running)
        self.op, self.memory, self.operands, (self.result,) = op, memory, node.operands, node.results
        self.types: Types = tuple(v.type for v in node.operands)
        self.shape = self.result.type.shape
        self.axis, self.backward = op.line(self.types)
        self.monoid = op.monoid(self.types)
        self.along = LoopVar(f"i{self.axis}", self.shape[self.axis])
        self.others = {i: LoopVar(f"i{i}", n) for i, n in enumerate(self.shape) if i != self.axis and n != 1}

    def kernels(self, name: str) -> list[Kernel]:
        carry = self.monoid.carry("run")
        body = self.step(carry, indices.of(self.along))
        lanes = choose_lanes(list(self.others.values()), body)
        if lanes is not None and all(i.affine_in(lanes) and i.coefficient(lanes) == 1 for i in _stored(body)):
            if self._has_shared_rows(lanes):
                return self.rows_on_threads(name, lanes)
            if self._is_one_value() and isinstance(lanes.extent, int) and lanes.extent >= 2 * WIDE:
                return self.row_by_row(name, lanes)
            return [self.kernel(name, [Loop(self.along, Kind.SERIAL, tuple(body), (carry,))], self.others, lanes)]
        if self._is_shared():
            return self.on_threads(name)
        if self._is_in_order(self.along, body):
            return [self.kernel(name, [self.in_order(self.along, indices.of(self.along))], self.others)]
        if self.others:
            axis, lines = max(self.others.items())
            if facts.known_at_least(lines.extent, self.chains):
                return self.taking_turns(name, axis, lines)
        if self._has_parts():
            return [self.kernel(name, self.in_parts(), self.others)]
        return [self.kernel(name, [Loop(self.along, Kind.SERIAL, tuple(body), (carry,))], self.others)]

    def _has_parts(self) -> bool:
        """Whether a line may be cut, and is long enough. Integers wait for what is before no longer than for memory."""
        cut = self.op.divides and self._is_one_value() and self.monoid.identity[0].dtype.differentiable
        return cut and not facts.known_at_least(2 * BLOCK - 1, self.along.extent)

    def _is_in_order(self, var: LoopVar, body: Sequence[Statement]) -> bool:
        """Whether neighbours of a line lie side by side in memory, and may be combined before what is before them."""
        if not self.op.divides or len(self.monoid.identity) != 1 or self.monoid.identity[0].dtype.is_complex:
            return False
        if facts.known_at_least(ORDERED - 1, var.extent):
            return False
        places = list(offsets(body))
        return all(i.affine_in(var) and i.coefficient(var) in (-1, 0, 1) for i in places)

    def _has_shared_rows(self, lanes: LoopVar) -> bool:
        """Whether threads share the rows of lines that lie side by side: columns of them would be read in small pieces,
        each from another page."""
        if not self.op.divides or not self._is_one_value() or len(self.others) != 1:
            return False
        rows, columns = self.along.extent, lanes.extent
        if not isinstance(rows, int) or not isinstance(columns, int):
            return False
        return rows >= MANY_ROWS and columns <= MOST_COLUMNS and threads(self.work)[0]

    def _is_shared(self) -> bool:
        """Whether threads share a line."""
        long = isinstance(self.along.extent, int) and self.along.extent >= LONG and threads(self.work)[0]
        return long and not self.others and self.op.divides and self._is_one_value()

    @property
    def work(self) -> Dim:
        """What all of it costs."""
        return self.result.type.size * (4 * self.result.type.dtype.bytes)

    @property
    def chunks(self) -> int:
        """Into about how many chunks threads cut what they share."""
        return max(self.result.type.bytes // CHUNK_BYTES, LEAST_CHUNKS)

    @property
    def chains(self) -> int:
        """How many lines take turns: fewer where the running values are several."""
        return CHAINS // len(self.monoid.identity)

    def _is_one_value(self) -> bool:
        """Whether the running value is one number, and what is stored of it is all of it."""
        values = self.monoid.identity
        return len(values) == 1 and values[0].dtype == self.result.type.dtype

    # -- statements --------------------------------------------------------------------------------------------

    def place(self, k: Index, moved: Mapping[int, Index] = MappingProxyType({})) -> tuple[Index, ...]:
        """The element number k of a line, at the places of others that are `moved` or their variables."""
        along = k * -1 + (self.along.extent - 1) if self.backward else k
        whole = {i: indices.of(v) for i, v in self.others.items()} | dict(moved) | {self.axis: along}
        return tuple(whole.get(i, indices.ZERO) for i in range(len(self.shape)))

    def term(self, place: tuple[Index, ...]) -> tuple[Expr, ...]:
        """What the element at a place adds."""
        return self.op.term(*(self.memory.read(v)(place) for v in self.operands))

    def step(self, carry: Carry, k: Index, moved: Mapping[int, Index] = MappingProxyType({})) -> list[Statement]:
        """Element k combined into a running value, and stored."""
        place = self.place(k, moved)
        store = self.memory.store(self.result, place, self.op.finish(carry.locals, self.types))
        return [Accumulate(carry, self.term(place)), store]

    # -- loops -------------------------------------------------------------------------------------------------

    def kernel(
        self, name: str, body: list[Statement], others: Mapping[int, LoopVar], lanes: LoopVar | None = None
    ) -> Kernel:
        """The loops over lines around a body, the lanes innermost."""
        on_threads, work = threads(self.work)
        variables = list(others.values())
        order = [v for v in variables if v is not lanes] + [v for v in variables if v is lanes]
        for var in reversed(order):
            parallel = var is order[0] and on_threads
            body = [Loop(var, Kind.VECTOR if var is lanes else Kind.SERIAL, tuple(body), parallel=parallel)]
        registers = 1 if lanes is None else COLUMN_REGISTERS
        return Kernel(name, tuple(body), (), registers, work if order else None)

    def in_order(self, var: LoopVar, k: Index, before: Expr | None = None) -> Loop:
        """Elements k, which the variable counts, as vectors; before them the line has come to `before`.

        Where elements run backward in memory, lines do too: so it is one way from its end to its beginning.
        """
        carry = replace(self.monoid.carry("run"), neutral=self.monoid.identity)
        if before is not None:
            carry = replace(carry, initial=(before,))
        moved = {i: _mirrored(v) for i, v in self.others.items()} if self.backward else {}
        steps = self.step(carry, k, moved)
        backward = all(i.coefficient(var) in (-1, 0) for i in offsets(steps))
        if backward:
            steps = self.step(carry, k.substitute({var: _mirrored(var)}), moved)
        return Loop(var, Kind.VECTOR, tuple(steps), (carry,), backward=backward)

    def row_by_row(self, name: str, lanes: LoopVar) -> list[Kernel]:
        """Many lines side by side, in blocks of some: memory is read and written as it lies, and the element before is
        taken from there."""
        axis = next(i for i, v in self.others.items() if v is lanes)
        assert isinstance(lanes.extent, int)
        count = lanes.extent // WIDE
        width = lanes.extent // count
        block = LoopVar("block", count)
        kernels = [self.columns(name, axis, indices.of(block) * width, width, block)]
        left = lanes.extent - count * width
        if left:
            kernels.append(self.columns(f"{name}_rest", axis, Index(count * width), left, None))
        return kernels

    def columns(self, name: str, axis: int, start: Index, width: int, block: LoopVar | None) -> Kernel:
        """Some columns, one row of them after the other."""
        body = self.rows(LoopVar("column", width), {axis: start}, indices.ZERO, self.along.extent)
        others = {i: v for i, v in self.others.items() if i != axis}
        return self.kernel(name, body, others if block is None else others | {axis: block})

    def rows(
        self, column: LoopVar, start: Mapping[int, Index], k: Index, count: Dim, before: tuple[Expr, ...] = ()
    ) -> list[Statement]:
        """So many rows from number k on, of columns from `start` on along its axis; the lines have come to `before`, if
        there is anything before them."""
        moved = {axis: first + indices.of(column) for axis, first in start.items()}

        def some(first: Index, count: int) -> Loop:
            running = before or self.monoid.identity
            if first != k:
                running = (self.memory.stored(self.result)(self.place(first - 1, moved)),)
            stores: list[Statement] = []
            for place in (self.place(first + i, moved) for i in range(count)):
                running = self.monoid.combine(running, self.term(place))
                stores.append(self.memory.store(self.result, place, self.op.finish(running, self.types)))
            return Loop(column, Kind.VECTOR, tuple(stores))

        return _few_at_a_time(k, count, some)

    def rows_on_threads(self, name: str, lanes: LoopVar) -> list[Kernel]:
        """As `on_threads`, for lines side by side: chunks are rows of all of them."""
        (axis,) = self.others
        rows, width = self.along.extent, lanes.extent
        assert isinstance(rows, int)
        assert isinstance(width, int)
        length = max(rows // self.chunks, 1)
        count = rows // length
        ends = Buffer(f"{name}_ends", self.result.type.dtype, count * width, Scope.ARENA)
        column, chunk = LoopVar("column", width), LoopVar("chunk", count)
        number, across = indices.of(chunk), indices.of(column)
        start = number * length

        def place(k: Index) -> tuple[Index, ...]:
            return self.place(k, {axis: across})

        def end(number: Index) -> Load:
            return Load(ends, number * width + across)

        def put(value: Expr) -> Loop:
            return Loop(column, Kind.VECTOR, (Store(ends, end(number).offset, value),))

        def some(first: Index, count: int) -> Loop:
            before = end(number - 1)
            return Loop(column, Kind.VECTOR, tuple(self.onto(before, place(first + i)) for i in range(count)))

        body = [
            *self.rows(column, {axis: indices.ZERO}, start, length),
            put(self.memory.stored(self.result)(place(start + (length - 1)))),
            *self.turn(number, count, end, put, _few_at_a_time(start, length, some)),
        ]
        kernels = [self.kernel(name, body, {0: chunk})]
        if left := rows - count * length:
            done = Index(count * length)
            last = self.memory.stored(self.result)(self.place(done - 1, {axis: indices.of(column)}))
            rest = self.rows(column, {axis: indices.ZERO}, done, left, (last,))
            kernels.append(self.kernel(f"{name}_rest", rest, {}))
        return kernels

    def taking_turns(self, name: str, axis: int, lines: LoopVar) -> list[Kernel]:
        """Lines that are apart, a few at a time, and then those that are left."""
        count = lines.extent // self.chains
        group = LoopVar(lines.name, count)
        carries = tuple(self.monoid.carry(f"run{i}") for i in range(self.chains))
        steps = [
            s
            for i, carry in enumerate(carries)
            for s in self.step(carry, indices.of(self.along), {axis: indices.of(group) * self.chains + i})
        ]
        body: list[Statement] = [Loop(self.along, Kind.SERIAL, tuple(steps), carries)]
        kernels = [self.kernel(name, body, self.others | {axis: group})]
        left = LoopVar(lines.name, lines.extent - count * self.chains)
        if left.extent != 0:
            carry = self.monoid.carry("run")
            steps = self.step(carry, indices.of(self.along), {axis: indices.of(left) + count * self.chains})
            body = [Loop(self.along, Kind.SERIAL, tuple(steps), (carry,))]
            kernels.append(self.kernel(f"{name}_rest", body, self.others | {axis: left}))
        return kernels

    def turn(
        self,
        number: Index,
        count: int,
        end: Callable[[Index], Expr],
        put: Callable[[Expr], Statement],
        again: Sequence[Statement],
    ) -> list[Statement]:
        """What is done to a chunk that is combined for itself. In turn, where it has put what it comes to, it puts what
        all up to its end come to, which `end` reads of each chunk; then what is before gets into it `again`."""
        later = (Within(number, 1, count),)
        whole = self.monoid.combine((end(number - 1),), (end(number),))[0]
        return [InTurn((When(later, (put(whole),)),)), When(later, tuple(again))]

    def onto(self, before: Expr, place: tuple[Index, ...]) -> Store:
        """What is before an element combined into it where it is stored."""
        whole = self.monoid.combine((before,), (self.memory.stored(self.result)(place),))
        return self.memory.store(self.result, place, *whole)

    def on_threads(self, name: str) -> list[Kernel]:
        """The chunks of a line, and what is left of it after them."""
        assert isinstance(self.along.extent, int)
        in_order = self._is_in_order(self.along, self.step(self.monoid.carry("run"), indices.of(self.along)))
        step = STEP if in_order else BLOCK
        length = max(self.along.extent // self.chunks // step, 1) * step
        count = self.along.extent // length
        ends = Buffer(f"{name}_ends", self.result.type.dtype, count, Scope.ARENA)
        chunk, again = LoopVar("chunk", count), LoopVar("again", length)
        number = indices.of(chunk)
        start = number * length

        def end(number: Index) -> Load:
            return Load(ends, number)

        def put(value: Expr) -> Store:
            return Store(ends, number, value)

        into = Loop(again, Kind.VECTOR, (self.onto(end(number - 1), self.place(start + indices.of(again))),))
        body: list[Statement] = [
            *self.chunk(start, length),
            put(self.stored(start + (length - 1))),
            *self.turn(number, count, end, put, [into]),
        ]
        kernels = [self.kernel(name, body, {0: chunk})]
        rest = self.after(count * length)
        return [*kernels, self.kernel(f"{name}_rest", rest, {})] if rest else kernels

    def chunk(self, start: Index, length: int) -> list[Statement]:
        """The elements of a chunk, combined for themselves."""
        inside = LoopVar("inside", length)
        place, carry = start + indices.of(inside), self.monoid.carry("run")
        steps = self.step(carry, place)
        if self._is_in_order(inside, steps):
            return [self.in_order(inside, place)]
        if not self.monoid.identity[0].dtype.differentiable:
            return [Loop(inside, Kind.SERIAL, tuple(steps), (carry,))]
        blocks = LoopVar("block", length // BLOCK)
        first = start + (indices.of(blocks) * BLOCK if blocks.extent != 1 else indices.ZERO)
        later = Within(indices.of(blocks), 1, length // BLOCK)
        before = guard((later,), self.stored(first - 1), self.monoid.identity[0])
        return [Loop(blocks, Kind.SERIAL, tuple(self.block(first, before)))]

    def in_parts(self) -> list[Statement]:
        """A long line, a block of parts after the other, and then what is left of it."""
        blocks = LoopVar("block", self.along.extent // BLOCK)
        start = indices.of(blocks) * BLOCK
        block = self.block(start, self.before(start))
        return [Loop(blocks, Kind.SERIAL, tuple(block)), *self.after(blocks.extent * BLOCK)]

    def block(self, start: Index, before: Expr) -> list[Statement]:
        """One block: the first part goes on from what is before it, and the others get that afterwards."""
        inside = LoopVar("inside", PART)
        begin = [self.monoid.carry(f"part{i}") for i in range(CHAINS)]
        parts = (replace(begin[0], initial=(before,)), *begin[1:])
        steps = [s for i, part in enumerate(parts) for s in self.step(part, start + i * PART + indices.of(inside))]
        body: list[Statement] = [Loop(inside, Kind.SERIAL, tuple(steps), parts)]
        for i in range(1, CHAINS):
            first, again = start + i * PART, LoopVar("again", PART)
            onto = self.onto(self.stored(first - 1), self.place(first + indices.of(again)))
            body.append(Loop(again, Kind.VECTOR, (onto,)))
        return body

    def after(self, done: Dim) -> list[Statement]:
        """What is left of a line after its blocks."""
        left = LoopVar("left", self.along.extent - done)
        if left.extent == 0:
            return []
        place, before = indices.of(left) + done, self.before(Index(done))
        tail = replace(self.monoid.carry("tail"), initial=(before,))
        steps = self.step(tail, place)
        in_order = self._is_in_order(left, steps)
        return [self.in_order(left, place, before) if in_order else Loop(left, Kind.SERIAL, tuple(steps), (tail,))]

    def before(self, k: Index) -> Expr:
        """The result's element before number k, or what a line begins with."""
        there = Within(k, 1, self.along.extent + 1)
        return guard((there,), self.stored(k - 1), self.monoid.identity[0])

    def stored(self, k: Index) -> Expr:
        """The result's element number k."""
        return self.memory.stored(self.result)(self.place(k))


def _few_at_a_time(k: Index, count: Dim, some: Callable[[Index, int], Statement]) -> list[Statement]:
    """What `some` does with so many rows from a first one on, for all rows from number k on: those that `DEPTH` does
    not divide, and then `DEPTH` at a time."""
    depth = DEPTH if isinstance(count, int) else 1
    first = (count % depth or depth) if isinstance(count, int) else 1
    after = LoopVar("after", (count - first) // depth)
    later = Loop(after, Kind.SERIAL, (some(k + indices.of(after) * depth + first, depth),))
    return [some(k, first)] if after.extent == 0 else [some(k, first), later]


def _mirrored(var: LoopVar) -> Index:
    """The variable, counted from the end."""
    return indices.of(var) * -1 + (var.extent - 1)


def _stored(body: Sequence[Statement]) -> list[Index]:
    return [s.offset for s in body if isinstance(s, Store)]
