"""Vector loops: blocks of full vectors, several at a time with running values of their own, and a rest under a mask.

Rows whose length is known only when the kernel runs pass by in loops that know nothing. Where they turn out to be
short, to count takes as long as what is counted, and several rows have to be under way at once to keep the processor
busy: these have code of their own, without loops.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.places import Running, is_zero
from rosin.backends.llvm.refill import MOST_PLACES
from rosin.backends.llvm.tile_registers import TileRegisters
from rosin.backends.llvm.variables import Variable
from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.loops import Apply, Carry, Expr, Kind, Local, Loop, Statement, Store, blocks, decides, walk
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.statements import expressions, flops

SUM_BLOCK = 256
"""Iterations after which the running value of a long sum goes into a total of such values."""
MOST_SUMS = 4

SHORT, MOST_VECTORS = 96, 8
"""Rows of up to about so many elements, and of no more vectors, count as short."""

LIGHT = 40
"""A row of more operations an element hides what loops take, and would be long twice."""


class VectorLoops(TileRegisters):
    """Loops whose iterations are lanes, and loops that count."""

    short: Dim | None = None
    """The length of rows that are short in what is being emitted."""

    @abstractmethod
    def scope(self, body: Sequence[Statement]) -> None:
        """Statements whose names are their own."""

    @abstractmethod
    def body(self, loop: Loop, value: Val) -> None:
        """An iteration."""

    @abstractmethod
    def serial_loop(self, loop: Loop, running: list[Running]) -> None:
        """A loop of iterations one after the other."""

    def _use(self, running: Running) -> None:
        self.running.update(running)

    @property
    def _most_vectors(self) -> int:
        return min(SHORT // self.width, MOST_VECTORS)

    def block(self, body: Sequence[Statement]) -> None:
        """Statements that stand in a block of their own; what is done with rows twice if these may be short."""
        length = _length(body) if self.lane is None and self.width > 1 else None
        if length is None or facts.known_at_least(length, SHORT + self.width):
            self.scope(body)
            return

        def short() -> None:
            self.short = length
            self.scope(body)
            self.short = None

        few = self.e.icmp("sle", self.dim(length // self.width), self.e.const(self._most_vectors, "i64"))
        self.e.either(few, short, lambda: self.scope(body), names=("short", "long"))

    def summed(
        self,
        loop: Loop,
        running: list[Running],
        begin: Val,
        end: Val,
        step: int,
        trips: Dim,
        body: Callable[[Val], None],
    ) -> None:
        """A counted loop of so many trips. Long sums are summed block by block, lest rounding errors pile up."""
        sums = [copy[carry.locals[0]] for copy in running for carry in long_sums(loop, trips)]
        if not sums:
            self.e.counted(begin, end, step, body)
            return
        e, zeros = self.e, [self.e.const(0, each.elem, each.lanes) for each in sums]
        totals = [e.variable(each.elem, each.lanes, hint="total") for each in sums]

        def clear() -> None:
            for total, zero in zip(totals, zeros, strict=True):
                e.write(zero, total)

        def add_up(into: Sequence[Variable], rest: Sequence[Variable]) -> None:
            for part, total, zero, target, cleared in zip(sums, totals, zeros, into, rest, strict=True):
                e.write(e.fadd(e.read(total), e.read(part)), target)
                e.write(zero, cleared)

        def block(first: Val) -> None:
            last = e.add(first, e.const(SUM_BLOCK * step, "i64"))
            self.e.counted(first, last if open_ended else e.intrinsic("llvm.smin", last, end), step, body)
            add_up(totals, sums)

        open_ended = not isinstance(trips, int)
        if not open_ended:
            clear()
            self.e.counted(begin, end, SUM_BLOCK * step, block)
            add_up(sums, totals)
            return
        # Most often there is but one block: the last one stands by itself, and what others need is done for them alone.
        start = e.variable("i64", hint="start")
        e.write(begin, start)
        last = e.add(end, e.const(-SUM_BLOCK * step, "i64"))
        several = e.icmp("slt", begin, last)

        def blocks() -> None:
            clear()
            e.write(e.counted(begin, last, SUM_BLOCK * step, block), start)

        e.either(several, blocks)
        e.counted(e.read(start), end, step, body)
        e.either(several, lambda: add_up(sums, totals))

    def vector_loop(self, loop: Loop, running: list[Running]) -> None:
        assert self.lane is None, "a vector loop stands in another"
        width, extent = self.width, loop.var.extent
        if width == 1:
            self.serial_loop(loop, running)
            return
        if loop.refill and width <= MOST_PLACES:
            self.refilled_loop(loop)
            return
        if loop in self.in_lines:
            self._in_lines(loop, self.in_lines[loop])
            return
        full, rest = extent // width, extent % width
        self.lane, self.lanes, self.counts_down = loop.var, width, loop.backward
        last = self.e.sub(self.dim(full * width), self.e.const(width, "i64")) if loop.backward else None

        def block(position: Val) -> None:
            self.body(loop, position if last is None else self.e.sub(last, position))

        def tail() -> None:
            if self.moves_squares(loop):
                # A whole square is a call, and what is moved twice is the same.
                block(self.dim(extent - width))
                return
            mask = self.first_lanes(rest)
            self.rest = (mask, rest) if isinstance(rest, int) else None
            self._some_lanes(loop, self.dim(full * width), mask)
            self.rest = None

        def all_tail() -> None:
            if isinstance(rest, int):
                if rest:
                    tail()
            else:
                self.e.either(self.e.icmp("ne", self.dim(rest), self.e.const(0, "i64")), tail)

        if loop.parallel:
            self._parallel_vectors(block, tail, full, rest)
        else:
            if loop.backward:
                all_tail()
            if extent == self.short:
                self._without_loops(running, full, block)
            else:
                self._in_copies(loop, running, full, block)
            if not loop.backward:
                all_tail()
        self.lane, self.lanes, self.counts_down = None, 1, False

    def _some_lanes(self, loop: Loop, position: Val, mask: Val) -> None:
        """A vector of which the lanes of the mask take part, at least one."""
        saved, self.mask = self.mask, mask
        self.frames[-1]["some", mask.ref] = self.e.const(True, "i1")
        self.body(loop, position)
        self.mask = saved

    def _in_lines(self, loop: Loop, store: Store) -> None:
        """Vectors that are lines of what a store writes. The first one may begin before the row, and the last one end
        after it: these are done under masks."""
        e, width, extent = self.e, self.width, loop.var.extent
        with self.ahead_of(len(self.entrances) - 1):
            start, _, _ = self.place(store.offset - indices.of(loop.var))
        before = e.bit_and(start, e.const(width - 1, "i64"))
        rest = e.bit_and(e.add(before, self.dim(extent)), e.const(width - 1, "i64"))
        self.lane, self.lanes = loop.var, width

        def last() -> None:
            self._some_lanes(loop, e.sub(self.dim(extent), rest), self.compared_lanes("slt", rest))

        self._some_lanes(loop, e.sub(e.const(0, "i64"), before), self.compared_lanes("sge", before))
        end = e.sub(self.dim(extent), e.const(width - 1, "i64"))
        e.counted(e.sub(e.const(width, "i64"), before), end, width, lambda position: self.body(loop, position))
        e.either(e.icmp("ne", rest, e.const(0, "i64")), last)
        self.lane, self.lanes = None, 1

    def _in_copies(self, loop: Loop, running: list[Running], full: Dim, block: Callable[[Val], None]) -> None:
        """Full vectors, so many at a time as there are copies of the running values, then one by one."""
        width = self.width

        def unrolled(position: Val) -> None:
            for at, copy in enumerate(running):
                self._use(copy)
                first = position if at == 0 else self.e.define(f"add nsw i64 {position.ref}, {at * width}", "i64")
                block(first)
            self._use(running[0])

        zero, many, step = self.e.const(0, "i64"), full - full % len(running), len(running) * width
        if many == len(running):
            unrolled(zero)
        elif not is_zero(many):
            self.summed(loop, running, zero, self.dim(many * width), step, many // len(running), unrolled)
        if isinstance(many, int) and isinstance(full, int):
            for number in range(many, full):
                block(self.e.const(number * width, "i64"))
        elif len(running) > 1:
            self.e.counted(self.dim(many * width), self.dim(full * width), width, block)

    def _without_loops(self, running: list[Running], full: Dim, block: Callable[[Val], None]) -> None:
        """Full vectors of a short row, one after the other until there are no more."""
        done = self.e.label("done")
        for at in range(self._most_vectors):
            number, inside = self.e.const(at, "i64"), self.e.label("vector")
            self.e.branch_if(self.e.icmp("slt", number, self.dim(full)), inside, done)
            self.e.block(inside)
            self._use(running[at % len(running)])
            block(self.e.const(at * self.width, "i64"))
        self._use(running[0])
        self.e.branch(done)
        self.e.block(done)

    def _parallel_vectors(self, block: Callable[[Val], None], tail: Callable[[], None], full: Dim, rest: Dim) -> None:
        end, width = Val("%end", "i64"), self.e.const(self.width, "i64")
        whole = self.e.intrinsic("llvm.smin", end, self.dim(full))
        self.e.counted(self.e.mul(Val("%begin", "i64"), width), self.e.mul(whole, width), self.width, block)
        if rest != 0:
            self.e.either(self.e.icmp("sgt", end, self.dim(full)), tail)


def _length(body: Sequence[Statement]) -> Dim | None:
    """The symbolic length of rows of which the statements are all that is done, if it takes little and has sums."""
    loops = [s for s in body if isinstance(s, Loop)]
    if len(loops) < 2 or not any(loop.carries for loop in loops) or not all(map(_is_plain, loops)):
        return None
    if any(blocks(s) for s in body if not isinstance(s, Loop)):
        return None
    first, *others = [loop.var.extent for loop in loops]
    if isinstance(first, int) or any(length != first for length in others):
        return None
    return first if sum(flops(list(expressions(loop.body))) for loop in loops) <= LIGHT else None


def _is_plain(loop: Loop) -> bool:
    """Whether it is a vector loop on one thread, from the first element to the last one."""
    return loop.kind is Kind.VECTOR and not (loop.parallel or loop.backward or loop.refill or decides(loop))


def long_sums(loop: Loop, trips: Dim) -> list[Carry]:
    """The sums of floats that a loop carries and does not read, if its trips are enough for rounding errors to matter.

    A loop of many sums holds a tile in registers; adding it up elsewhere now and then would cost it.
    """
    if (isinstance(trips, int) and trips <= 2 * SUM_BLOCK) or len(loop.carries) > MOST_SUMS:
        return []
    sums = [carry for carry in loop.carries if carry.fold is Add and carry.locals[0].dtype.is_float]
    read = {expr for expr in walk(*expressions(loop.body)) if isinstance(expr, Local)}
    return [carry for carry in sums if carry.locals[0] not in read]


def factors(carry: Carry, values: Sequence[Expr]) -> tuple[Expr, ...]:
    """The factors of a product that goes into a sum of floats, rounded once with it; none of anything else."""
    product = values[0]
    if len(values) > 1 or not isinstance(product, Apply) or not isinstance(product.op, Mul) or carry.fold is not Add:
        return ()
    return product.args if product.dtype.is_float and product.dtype.bits >= 32 else ()
