"""Lanes that are done give their places to the next ones, so that vectors stay full.

Where a `While` is all that a vector loop does, each place of a vector holds a lane, and those that are done are counted
in every step. When idle places have cost about as much as an exchange does, the state of all lanes goes to memory, the
results of those that are done are stored, the next ones are read in, and the vectors go on. Where all are done at once,
as neighbours often are, a whole block is stored and the next one read as vectors.

Which place a lane has does not matter to what it computes: the results are the same, bit for bit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from rosin.backends.llvm.advance import Advancing
from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.places import OF_LANES
from rosin.backends.llvm.types import memory_type
from rosin.backends.llvm.variables import Variable
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Expr, Loop, Scope, Statement, While
from rosin.ir.statements import Contents, relocated

EXCHANGE, EXCHANGED, MOVED = 60, 8, 4
"""Machine steps that an exchange takes, those for each place, and those for each vector of the state."""

MOST_PLACES = 64
"""Which places hold a lane is a number of so many bits."""

ENDLESS = (1 << 63) - 1
"""More than idle places ever cost."""


@dataclass(frozen=True)
class _Slots:
    """Where a loop that refills keeps what it knows."""

    going: Variable
    """Which places hold a lane that goes on."""
    held: Variable
    """Which places hold a lane, a bit for each."""
    numbers: Val
    """The lane of each place, in memory."""
    packed: Variable
    """Whether the places hold neighbours, all of them."""
    following: Variable
    """The next lane to be read in."""
    wasted: Variable
    """How many steps places have been idle since the last exchange, all of them together."""
    bearable: Variable
    """How many such steps it takes for an exchange to pay."""


@dataclass(frozen=True)
class _Moves:
    """What brings a lane in, and what takes its results out: for neighbours as vectors, and for one lane by itself."""

    before: tuple[Statement, ...]
    after: tuple[Statement, ...]
    place: LoopVar
    """Which place the one lane has."""
    one_before: tuple[Statement, ...]
    one_after: tuple[Statement, ...]
    memory: dict[Buffer, Buffer]
    """For scratch arrays in registers, where they are while lanes change places."""
    bearable: int


class Refilling(Advancing):
    """Vector loops whose lanes end at different times."""

    @abstractmethod
    def statements(self, body: Sequence[Statement]) -> None:
        """Emit statements."""

    @abstractmethod
    def block(self, body: Sequence[Statement]) -> None:
        """Emit statements that stand in a block of their own."""

    @abstractmethod
    def poll(self) -> None:
        """Ask now and then whether to stop."""

    def refilled_loop(self, loop: Loop) -> None:
        """A vector loop that refills its places, over the blocks from `%begin` to `%end` where it is parallel."""
        e, width = self.e, self.width
        begin, end = e.const(0, "i64"), self.dim(loop.var.extent)
        if loop.parallel:
            begin, last = (e.mul(Val(name, "i64"), e.const(width, "i64")) for name in ("%begin", "%end"))
            end = e.intrinsic("llvm.smin", last, end)
        slots, (moves, one) = self._slots(), self._parted(loop)
        e.write(begin, slots.following)
        e.write(e.const(0, "i64"), slots.held)
        e.write(e.const(False, "i1"), slots.packed)
        e.write(e.const(False, "i1", width), slots.going)
        head, step, exchange, done = (e.label(name) for name in ("while", "step", "exchange", "done"))
        # No place is the lane of its number: what depends on lanes is read and written where each has it.
        self.lane, self.lanes = LoopVar("place", width), width
        with self.frame():
            self.hoist((*one.test, *one.body), width)
            e.branch(exchange)
            e.block(head, is_loop=True)
            with self.frame():
                self.variables[loop.var] = e.load(slots.numbers, "i64", width)
                self._tested(one, slots, step, exchange)
                e.block(step)
                self.poll()
                self.block(one.body)
            e.branch(head)
            self.mask = None
            e.block(exchange)
            self._exchange(loop, moves, slots, end, head, done)
            e.close(head)
            e.block(done)
        self.lane, self.lanes = None, 1

    def _slots(self) -> _Slots:
        e, width = self.e, self.width
        going = e.variable("i1", width, hint="going")
        numbers = self.head.define(f"alloca {Val('', 'i64', width).type}, align 64", "ptr", hint="numbers")
        packed = e.variable("i1", hint="packed")
        held, *rest = (e.variable("i64", hint=name) for name in ("held", "following", "wasted", "bearable"))
        return _Slots(going, held, numbers, packed, *rest)

    def _tested(self, one: While, slots: _Slots, step: str, exchange: str) -> None:
        """Which lanes go on, and whether enough do: to `step`, or to `exchange`."""
        e = self.e
        self.mask = e.read(slots.going)
        self.statements(one.test)
        self._write_parts()
        self.mask = e.bit_and(self.mask, e.splat(self.expr(one.predicate), self.width))
        e.write(self.mask, slots.going)
        bits = self._bits(self.mask)
        idle = e.sub(e.const(self.width, "i64"), e.intrinsic("llvm.ctpop", bits))
        wasted = e.add(e.read(slots.wasted), idle)
        e.write(wasted, slots.wasted)
        enough = e.icmp("slt", wasted, e.read(slots.bearable))
        e.branch_if(e.bit_and(e.icmp("ne", bits, e.const(0, "i64")), enough), step, exchange)

    def _bits(self, mask: Val) -> Val:
        """The lanes of a mask as the bits of a number."""
        narrow = self.e.define(f"bitcast {mask.typed} to i{self.width}", f"i{self.width}")
        return self.e.convert("zext", narrow, "i64")

    def _exchange(self, loop: Loop, moves: _Moves, slots: _Slots, end: Val, head: str, done: str) -> None:
        """What was found goes out, other lanes come in: on to `head`, or to `done` when there are no more."""
        e, none = self.e, self.e.const(0, "i64")
        finished, together, idle, block, swap = map(e.label, ("finished", "together", "idle", "block", "swap"))
        bits = self._bits(e.read(slots.going))
        e.branch_if(e.icmp("eq", bits, none), finished, swap)
        e.block(finished)
        e.branch_if(e.read(slots.packed), together, idle)
        e.block(together)
        self._as_vectors(loop, moves.after, e.load(slots.numbers, "i64"))
        e.write(none, slots.held)
        e.branch(idle)
        e.block(idle)
        following = e.read(slots.following)
        after = e.add(following, e.const(self.width, "i64"))
        fits = e.bit_and(e.icmp("sle", after, end), e.icmp("eq", e.read(slots.held), none))
        e.branch_if(fits, block, swap)
        e.block(block)
        self._as_vectors(loop, moves.before, following)
        e.store(e.add(e.splat(following, self.width), self.ramp(1)), slots.numbers)
        e.write(after, slots.following)
        self._go_on(moves, slots, self._everyone(), end, packed=True)
        e.branch(head)
        e.block(swap)
        self._swap(loop, moves, slots, bits, end)
        e.branch_if(e.icmp("eq", e.read(slots.held), none), done, head)

    def _swap(self, loop: Loop, moves: _Moves, slots: _Slots, going: Val, end: Val) -> None:
        """Every place whose lane is done gets another lane, as long as there are some."""
        e, none = self.e, self.e.const(0, "i64")
        self._copy_state(moves, out=True)
        pending, now = (e.variable("i64", hint=name) for name in ("pending", "now"))
        e.write(e.bit_xor(going, self._everyone()), pending)
        e.write(going, now)
        look, one, out, more, come, over = map(e.label, ("look", "one", "out", "more", "come", "over"))
        e.branch(look)
        e.block(look, is_loop=True)
        left = e.read(pending)
        e.branch_if(e.icmp("ne", left, none), one, over)
        e.block(one)
        place = e.intrinsic("llvm.cttz", left, trailing=("i1 true",))
        e.write(e.bit_and(left, e.sub(left, e.const(1, "i64"))), pending)
        bit = e.shl(e.const(1, "i64"), place)
        number = e.offset(slots.numbers, place, "i64")
        e.branch_if(e.icmp("ne", e.bit_and(e.read(slots.held), bit), none), out, more)
        e.block(out)
        self._one_lane(loop, moves.one_after, {moves.place: place, loop.var: e.load(number, "i64")})
        e.branch(more)
        e.block(more)
        following = e.read(slots.following)
        e.branch_if(e.icmp("slt", following, end), come, look)
        e.block(come)
        e.store(following, number)
        e.write(e.add(following, e.const(1, "i64")), slots.following)
        e.write(e.bit_or(e.read(now), bit), now)
        self._one_lane(loop, moves.one_before, {moves.place: place, loop.var: following})
        e.branch(look)
        e.close(look)
        e.block(over)
        self._copy_state(moves, out=False)
        self._go_on(moves, slots, e.read(now), end, packed=False)

    def _go_on(self, moves: _Moves, slots: _Slots, going: Val, end: Val, packed: bool) -> None:
        """Note which places hold lanes, all of which go on."""
        e = self.e
        narrow = e.convert("trunc", going, f"i{self.width}")
        e.write(e.define(f"bitcast {narrow.typed} to <{self.width} x i1>", "i1", self.width), slots.going)
        e.write(going, slots.held)
        e.write(e.const(packed, "i1"), slots.packed)
        e.write(e.const(0, "i64"), slots.wasted)
        more = e.icmp("slt", e.read(slots.following), end)
        bearable = e.select(more, e.const(moves.bearable, "i64"), e.const(ENDLESS, "i64"))
        e.write(bearable, slots.bearable)

    def _everyone(self) -> Val:
        return self.e.const(-1 if self.width == 64 else (1 << self.width) - 1, "i64")

    def _as_vectors(self, loop: Loop, statements: Sequence[Statement], first: Val) -> None:
        """Statements for neighbours, from the lane `first` on."""
        place, self.lane = self.lane, loop.var
        self._inside(statements, {loop.var: first})
        self.lane = place

    def _one_lane(self, loop: Loop, statements: Sequence[Statement], variables: dict[LoopVar, Val]) -> None:
        place, self.lane, self.lanes = self.lane, None, 1
        self._inside(statements, variables)
        self.lane, self.lanes = place, self.width

    def _inside(self, statements: Sequence[Statement], variables: dict[LoopVar, Val]) -> None:
        self.variables.update(variables)
        self.block(statements)
        for var in variables:
            del self.variables[var]

    def _copy_state(self, moves: _Moves, out: bool) -> None:
        """The scratch arrays of lanes to memory, or back."""
        e = self.e
        for scratch, memory in moves.memory.items():
            assert isinstance(scratch.size, int), "scratch arrays have a size that is a number"
            elem = memory_type(scratch.dtype)
            for k in range(scratch.size):
                inside = e.offset(self.base(scratch), e.const(k, "i64"), Val("", elem, self.width).type)
                outside = e.offset(self.base(memory), e.const(k * self.width, "i64"), elem)
                source, target = (inside, outside) if out else (outside, inside)
                e.store(e.load(source, elem, self.width), target)

    def _parted(self, loop: Loop) -> tuple[_Moves, While]:
        """What stands around the `While` of a loop, and that itself."""
        (at,) = (i for i, s in enumerate(loop.body) if isinstance(s, While))
        one, around = loop.body[at], (loop.body[:at], loop.body[at + 1 :])
        assert isinstance(one, While)
        contents = [Contents(part) for part in around]
        used = [b for each in contents for b in (*(s.buffer for s in each.stores), *(e.buffer for e in each.loads))]
        memory: dict[Buffer, Buffer] = {}
        for buffer in dict.fromkeys(b for b in used if b.scope in OF_LANES):
            memory[buffer] = Buffer(buffer.name, buffer.dtype, buffer.size * self.width, Scope.LOCAL)
        self.bases.update((b, self._base(b)) for b in memory.values())
        self.written.update(memory.values())
        place = LoopVar("place", self.width)

        def apart(buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
            if buffer not in memory:
                return buffer, offset
            return memory[buffer], offset * self.width + indices.of(place)

        memo: dict[int, Expr] = {}
        before, after = (tuple(relocated(s, apart, memo) for s in part) for part in around)
        vectors = sum(b.size for b in memory if isinstance(b.size, int)) * self.kernel.registers
        exchange = EXCHANGE + EXCHANGED * self.width // 2 + MOVED * vectors
        bearable = exchange * self.width // (loop.refill * self.kernel.registers)
        return _Moves(*around, place, before, after, memory, max(bearable, 1)), one
