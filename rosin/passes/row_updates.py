"""Many updates of whole rows of an array, row by row.

A row is read once, all updates that go there are combined into it in registers, in their order, and it is written once;
threads share the rows. Which updates a row gets is known as soon as it is known where they begin and end, if they come
in the order of their rows, as the elements of sparse matrices and sorted segments do. Whether they come so is found out
when the program runs, of some of them first, which mostly tell. Mixed ones are brought into that order by a counting
sort, if they are so wide that it pays: threads count the updates of each row in some parts, and when it is known how
many all parts before have, they put the numbers of a part's own where they belong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.ir import dims, dtypes, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Carry,
    Const,
    Expr,
    FromIndex,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    guard,
)
from rosin.ir.op import Push, apply
from rosin.ir.ops.arithmetic import Add, Maximum
from rosin.ir.ops.cast import convert
from rosin.ir.ops.logic import Less
from rosin.ir.steps import Branch, Kernel, Nest
from rosin.passes.groups import Group
from rosin.passes.on_threads import threads
from rosin.passes.where import Memory

LEAST_WIDTH, LEAST_SORTED = 8, 64
"""Rows of so many elements or more are taken one by one, where updates come in their order; and where they do not."""

EACH = 32
"""Rows get so many elements each, on average: with less, time goes to finding out which updates a row gets."""

MOST_ROWS = 2
"""There are at most so many rows for each update: most rows of more get none, and need not be touched if the result is
written over the array."""

SAMPLES = 128
"""Of so many updates it is looked first whether they come in order."""

PARTS = 16
"""Threads look at updates in so many parts."""

NARROW_BYTES, NEAR_BYTES, FAR_BYTES = 512, 1 << 22, 1 << 25
"""Updates of rows of no more bytes, of an array of no more, that are so many bytes together, are not sorted either, if
threads may share each of them: they come from memory one after the other then, which is faster than row by row, and the
array stays in the caches."""

MOST_SORTED, EACH_SORTED = 8, 4
"""A sort has at most so many parts, and in each of several parts rows get so many updates on average: with less, time
goes to what each part counts."""

REGISTERS = 8
"""So many vector registers of a row are combined at once."""

Steps: TypeAlias = "list[Kernel | Nest | Branch]"


def row_updates(group: Group, memory: Memory, name: str, otherwise: Sequence[Kernel | Nest]) -> Steps | None:
    """The steps of updates of whole rows, some of which may be those of what is done `otherwise`; None where that is
    better in any case."""
    updates = _Updates(group, memory, name)
    return updates.steps(otherwise) if updates.pays() else None


class _Updates:
    """Updates on their way to kernels. `row` numbers the rows; one update after the other goes to one of them."""

    def __init__(self, group: Group, memory: Memory, name: str) -> None:
        node = group.nodes[0]
        op = node.op
        assert isinstance(op, Push)
        self.op, self.memory, self.name, self.operands, (self.result,) = op, memory, name, node.operands, node.results
        self.types = tuple(v.type for v in node.operands)
        self.readers = tuple(memory.read(v) for v in node.operands)
        self.domain = tuple(LoopVar(f"u{i}", n) for i, n in enumerate(op.domain(self.types)))
        apart = op.disjoint(self.types)
        self.free = tuple(v for v, a in zip(self.domain, apart, strict=True) if a and v.extent != 1)
        self.ordered = tuple(v for v, a in zip(self.domain, apart, strict=True) if not a and v.extent != 1)
        self.tests, self.goal = op.place(self.start(), self.readers, self.types)
        shape = self.result.type.shape
        self.split = len(shape) - self._trailing()
        self.rows: Dim = dims.product(shape[: self.split])
        self.width: Dim = dims.product(shape[self.split :])
        self.count: Dim = dims.product(v.extent for v in self.ordered)
        self.dtype = self._number_type()
        self.keys = self.buffer("row", self.count + 2)
        """The row of each update, `rows` for one that is left out, between one less and one more than these."""
        self.begins, self.ends = (self.buffer(what, self.rows + 1) for what in ("begin", "end"))
        """The first update of each row, and where those of a row end."""

    def start(self) -> tuple[Index, ...]:
        return tuple(indices.of(v) if v.extent != 1 else indices.ZERO for v in self.domain)

    def _trailing(self) -> int:
        """How many axes of the result, the last ones, updates span as wholes."""
        free = list(self.free)
        found = 0
        for place, size in zip(reversed(self.goal), reversed(self.result.type.shape), strict=True):
            spans = bool(free) and place == indices.of(free[-1]) and size == free[-1].extent
            if spans:
                free.pop()
            elif size != 1:
                break
            found += 1
        return found

    def _number_type(self) -> DType:
        """The type of numbers of rows and updates."""
        most = max(self.rows, self.count) if isinstance(self.rows, int) and isinstance(self.count, int) else None
        return dtypes.i32 if most is not None and most + 2 <= dtypes.i32.highest else dtypes.i64

    def buffer(self, what: str, size: Dim) -> Buffer:
        return Buffer(f"{self.name.partition('_')[0]}_{what}", self.dtype, size, Scope.ARENA)

    def pays(self) -> bool:
        """Whether updates span rows, are many, and are told where they go."""
        before = self.goal[: self.split]
        told = any(i.dynamics() for i in before)
        alone = all(v not in i.variables() for v in self.free for i in (*before, *(t.index for t in self.tests)))
        spanned = bool(self.free) and self.width == dims.product(v.extent for v in self.free)
        if not (told and alone and spanned and self.ordered) or self.result.type.dtype.is_complex:
            return False
        wide = facts.estimate(self.width) >= LEAST_WIDTH
        count, rows = facts.estimate(self.count), facts.estimate(self.rows)
        often = count * MOST_ROWS >= rows and count * facts.estimate(self.width) >= EACH * rows
        return wide and often and threads(self.count * self.width)[0]

    def steps(self, otherwise: Sequence[Kernel | Nest]) -> Steps:
        flag = self.buffer("mixed", 1)
        mixed = Load(flag, indices.ZERO)
        sorts = facts.estimate(self.width) >= LEAST_SORTED and not self.streams(otherwise)
        order = self.buffer("order", self.count)
        in_order = (self.clear(), self.find_ends(), self.combine("in_order", None))
        if sorts:
            sorting = (*self.sort(order), self.combine("mixed", order))
            looking = Branch(mixed, (self.look(flag), ()))
            return [self.find_rows(), self.sample(flag), looking, Branch(mixed, (in_order, sorting))]
        looking = (self.find_rows(), *self.look(flag))
        return [self.sample(flag), Branch(mixed, (looking, ())), Branch(mixed, (in_order, tuple(otherwise)))]

    def streams(self, otherwise: Sequence[Kernel | Nest]) -> bool:
        """Whether mixed updates had better be done `otherwise`: as they come."""
        row = facts.estimate(self.width) * self.result.type.dtype.bytes
        near = row <= NARROW_BYTES and facts.estimate(self.rows) * row <= NEAR_BYTES
        far = facts.estimate(self.count) * row >= FAR_BYTES
        return near and far and any(isinstance(s, Loop) and s.parallel for s in otherwise[-1].body)

    # -- which update goes where -----------------------------------------------------------------------------

    def point(self, number: Index, lane: Index = indices.ZERO) -> tuple[Index, ...]:
        """The point of an element of an update."""
        places = dict(zip(self.ordered, indices.unflatten(number, [v.extent for v in self.ordered]), strict=True))
        places.update(zip(self.free, indices.unflatten(lane, [v.extent for v in self.free]), strict=True))
        return tuple(places.get(v, indices.ZERO) for v in self.domain)

    def row_of(self, number: Index) -> Expr:
        """The row of an update, found out from what tells it."""
        tests, goal = self.op.place(self.point(number), self.readers, self.types)
        row = indices.flatten(goal[: self.split], self.result.type.shape[: self.split])
        return guard(tests, FromIndex(row, self.dtype), FromIndex(Index(self.rows), self.dtype))

    def sample(self, flag: Buffer) -> Kernel:
        """Look whether some updates, evenly spread, come in the order of their rows."""
        at = LoopVar("at", SAMPLES - 1)
        carry = self.carry("mixed", lambda a, b: apply(Maximum(), a, b), Const(0, self.dtype))
        here, there = ((indices.of(at) + k) * (self.count // SAMPLES) for k in range(2))
        falls = convert(apply(Less(), self.row_of(there), self.row_of(here)), self.dtype)
        put = Store(flag, indices.ZERO, carry.locals[0])
        return self.kernel("sample", [Loop(at, Kind.SERIAL, (Accumulate(carry, (falls,)),), (carry,)), put])

    def find_rows(self) -> Nest:
        number = indices.of(var := LoopVar("u", self.count))
        return Nest(f"{self.name}_rows", (var,), (), (Store(self.keys, number + 1, self.row_of(number)),))

    def look(self, flag: Buffer) -> tuple[Kernel, ...]:
        """Find out whether all updates come in the order of their rows."""
        found = self.buffer("found", PARTS)
        rest = FromIndex(Index(self.rows + 1), self.dtype)
        around = (Store(self.keys, indices.ZERO, Const(-1, self.dtype)), Store(self.keys, Index(self.count + 1), rest))
        part, at, inside = self.parts(self.count + 1)
        carry = self.carry("mixed", lambda a, b: apply(Maximum(), a, b), Const(0, self.dtype))
        falls = apply(Less(), Load(self.keys, at + 1), Load(self.keys, at))
        each = When((Within(at, 0, self.count + 1),), (Accumulate(carry, (convert(falls, self.dtype),)),))
        body: list[Statement] = [
            Loop(inside, Kind.VECTOR, (each,), (carry,), unroll=4),
            Store(found, indices.of(part), carry.locals[0]),
        ]
        total = self.carry("mixed", lambda a, b: apply(Maximum(), a, b), Const(0, self.dtype))
        end = LoopVar("part", PARTS)
        put = Accumulate(total, (Load(found, indices.of(end)),))
        together = [Loop(end, Kind.SERIAL, (put,), (total,)), Store(flag, indices.ZERO, total.locals[0])]
        return (
            self.kernel("around", around),
            self.kernel("look", [Loop(part, Kind.SERIAL, tuple(body), parallel=True)]),
            self.kernel("looked", together),
        )

    def clear(self) -> Nest:
        row = LoopVar("row", self.rows + 1)
        zero = Const(0, self.dtype)
        stores = tuple(Store(buffer, indices.of(row), zero) for buffer in (self.begins, self.ends))
        return Nest(f"{self.name}_clear", (row,), (), stores)

    def find_ends(self) -> Kernel:
        """Where the updates of each row begin and end, where they come in order."""
        part, number, inside = self.parts(self.count)
        before, own, after = (Load(self.keys, number + k) for k in range(3))
        row = indices.of(Dynamic(own, 0, self.rows))
        first = Within(row - indices.of(Dynamic(before, -1, self.rows)), 1, self.rows + 2)
        last = Within(indices.of(Dynamic(after, 0, self.rows + 1)) - row, 1, self.rows + 2)
        starts = When((first,), (Store(self.begins, row, FromIndex(number, self.dtype)),))
        stops = When((last,), (Store(self.ends, row, FromIndex(number + 1, self.dtype)),))
        body = Loop(inside, Kind.SERIAL, (When((Within(number, 0, self.count),), (starts, stops)),))
        return self.kernel("ends", [Loop(part, Kind.SERIAL, (body,), parallel=True)])

    def sort(self, order: Buffer) -> tuple[Kernel, ...]:
        """Put the numbers of updates into the order of their rows, those of a row as they come."""
        apart = self.rows + 1
        pieces = self.pieces()
        counts = self.buffer("counts", apart * pieces)
        """Of each part the updates that each row gets; then, where the next one is put."""
        part, number, inside = self.parts(self.count, pieces)
        is_there = (Within(number, 0, self.count),)
        place = Load(counts, indices.of(part) * apart + indices.of(Dynamic(Load(self.keys, number + 1), 0, self.rows)))
        row, cleared = LoopVar("row", apart), LoopVar("row", apart)
        zero, one = Const(0, self.dtype), Const(1, self.dtype)

        def sum_of(a: Expr, b: Expr) -> Expr:
            return apply(Add(), a, b)

        def on_parts(*loops: Loop) -> list[Statement]:
            return [Loop(part, Kind.SERIAL, loops, parallel=pieces > 1)]

        clear = Store(counts, indices.of(part) * apart + indices.of(cleared), zero)
        count = When(is_there, (Store(counts, place.offset, sum_of(place, one)),))

        here, carry = indices.of(row), self.carry("sum", sum_of, zero)
        parts = [Load(counts, here + k * apart) for k in range(pieces)]
        own = [Local(f"own{k}", self.dtype) for k in range(pieces)]
        before: Expr = carry.locals[0]
        summed: list[Statement] = [Let(local, load) for local, load in zip(own, parts, strict=True)]
        summed.append(Store(self.begins, here, before))
        for local, load in zip(own, parts, strict=True):
            summed.append(Store(counts, load.offset, before))
            before = sum_of(before, local)
        summed += [Store(self.ends, here, before), Accumulate(carry, (functools.reduce(sum_of, own),))]

        goal = Local("place", self.dtype)
        put = (
            Let(goal, place),
            Store(order, indices.of(Dynamic(goal, 0, self.count - 1)), FromIndex(number, self.dtype)),
            Store(counts, place.offset, sum_of(goal, one)),
        )
        counting = on_parts(Loop(cleared, Kind.VECTOR, (clear,)), Loop(inside, Kind.SERIAL, (count,)))
        putting = on_parts(Loop(inside, Kind.SERIAL, (When(is_there, put),)))
        return (
            self.kernel("count", counting),
            self.kernel("places", [Loop(row, Kind.SERIAL, tuple(summed), (carry,))]),
            self.kernel("sort", putting),
        )

    def pieces(self) -> int:
        """How many parts a sort has."""
        each = facts.estimate(self.count) // (EACH_SORTED * max(facts.estimate(self.rows), 1))
        return 1 << (min(max(each, 1), MOST_SORTED).bit_length() - 1)

    # -- the updates -----------------------------------------------------------------------------------------

    def combine(self, what: str, order: Buffer | None) -> Kernel:
        """Combine into each row its updates, of which `order` has the numbers, if they do not come in order."""
        row, lane, at = LoopVar("row", self.rows), LoopVar("lane", self.width), LoopVar("at", self.count)
        here, shape = indices.of(row), self.result.type.shape
        place = (
            *indices.unflatten(here, shape[: self.split]),
            *indices.unflatten(indices.of(lane), shape[self.split :]),
        )
        number = indices.of(at)
        if order is not None:
            number = indices.of(Dynamic(Load(order, number), 0, self.count - 1))
        dtype = self.result.type.dtype
        now, left, right = Local("now", dtype), Local("left", dtype), Local("right", dtype)
        # What a row comes to is computed of all before and one update: it is that, and no sum of terms.
        carry = Carry((now,), (self.readers[0](place),), (left,), (right,), (right,))
        new = self.op.update(self.point(number, indices.of(lane)), now, self.readers, self.types)
        start, stop = (Load(buffer, here) for buffer in (self.begins, self.ends))
        inside = (
            Loop(at, Kind.SERIAL, (Accumulate(carry, (new,)),), (carry,), start=start, stop=stop),
            self.memory.store(self.result, place, now),
        )
        lanes = Loop(lane, Kind.VECTOR, inside)
        body = [Loop(row, Kind.SERIAL, (lanes,), parallel=True)]
        return self.kernel(what, body, REGISTERS)

    # -- pieces ----------------------------------------------------------------------------------------------

    def parts(self, count: Dim, pieces: int = PARTS) -> tuple[LoopVar, Index, LoopVar]:
        """A loop over parts of so many, the place in the whole, and the loop in a part."""
        part, inside = LoopVar("part", pieces), LoopVar("inside", (count + (pieces - 1)) // pieces)
        return part, indices.of(part) * inside.extent + indices.of(inside), inside

    def carry(self, name: str, combine: Callable[[Expr, Expr], Expr], start: Expr) -> Carry:
        own, left, right = (Local(what, self.dtype) for what in (name, "left", "right"))
        return Carry((own,), (start,), (left,), (right,), (combine(left, right),))

    def kernel(self, what: str, body: Sequence[Statement], registers: int = 1) -> Kernel:
        on_threads = any(isinstance(s, Loop) and s.parallel for s in body)
        work = threads(self.count * self.width)[1] if on_threads else None
        return Kernel(f"{self.name}_{what}", tuple(body), registers=registers, work=work)
