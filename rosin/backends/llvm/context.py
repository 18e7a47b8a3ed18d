"""What the steps of a program share: where buffers, sizes, tapes and loop variables are while it runs.

The program and its kernels find all of it through the context, a table of words in the stack frame of the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosin.backends.llvm.emit import LINE_BYTES, Emitter, Val
from rosin.backends.llvm.names import LARGE_BYTES
from rosin.backends.llvm.sizes import SizeEmitter
from rosin.backends.llvm.types import memory_type
from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Load, Local, Scope
from rosin.ir.steps import Program, Repeat, RepeatWhile, Step, Team, parts

POLL, POLL_TEAM = "rosin_poll", "rosin_poll_team"

POLL_STATE = 2
STATUS = 6
CALLER = 7
TABLE = 8
OWNERS, ROOM = 9, 10
BEGUN, TURN = 11, 12
CONTEXT_HEAD = 13
"""The context's first words: the addresses of the buffers and of the arena, from word `POLL_STATE` on the four that
`rosin_poll` keeps, the status, the thread that runs the program, the table of a kernel that comes again, the word that
says whose rooms are taken, the address of the room of this thread, and, of a loop whose iterations wait for each other,
how many have begun, and how many have had their turn. Tapes and loop variables follow."""
IN_ARENA, IN_SLOT, IN_ROOM = -1, -2, -3
TAPE_WORDS = 3


class Context:
    """The context of a program, and what is emitted to read it and to write to it."""

    def __init__(self, program: Program, vector_bytes: int, assembles: bool, far_bytes: int) -> None:
        self.program = program
        self.vector_bytes = vector_bytes
        self.assembles = assembles
        self.far_bytes = far_bytes
        self.anywhere: set[Buffer] = set()
        """Buffers of kernels that come again, in whose place one is that need not begin where a line of memory does."""
        self.declarations: set[str] = set()
        block = () if program.block is None else (program.block,)
        self.addresses = {b: i for i, b in enumerate((*program.arguments, *block, *program.results))}
        symbols = program.sizes.symbols if program.sizes is not None else ()
        self.measures = frozenset(program.sizes.measured if program.sizes is not None else ())
        self.symbols = {name: number for number, name in enumerate(symbols)}
        self.rows: dict[Buffer, int] = {}
        """Where the table has each buffer, while the function of a kernel that comes again is emitted."""
        self.words: dict[Local, int] = {}
        """Where it has each number."""
        tapes = dict.fromkeys(tape for tape, _ in program.tapes.values())
        self.tapes = {tape: CONTEXT_HEAD + TAPE_WORDS * i for i, tape in enumerate(tapes)}
        """Where in the context each tape stands."""
        self.first_slot = CONTEXT_HEAD + TAPE_WORDS * len(tapes)
        self.slots: dict[LoopVar, int] = {}
        """Where in the context each loop variable stands; loops that do not nest share places."""
        self.deepest = _depth(program.steps)
        self.team: Team | None = None
        """The team, while the steps of a loop are emitted that threads share."""
        self.has_rooms = any(isinstance(step, Repeat) and step.team for step in _all(program.steps))
        self.has_teams = False
        """Whether threads share a kernel that may have to be stopped."""
        self.main = Emitter(self.declarations)
        self.first = Emitter(self.declarations, prefix="d", head=True)
        """What the program does before all else."""
        self.is_large = False
        """Whether steps are emitted that only large sizes take."""
        self.sizes = SizeEmitter(self.first, lambda symbol: self.size(self.first, symbol))

    # -- addresses -----------------------------------------------------------------------------------------

    def begins_line(self, buffer: Buffer) -> bool:
        """Whether a buffer is known to begin where a line of memory does."""
        if self.team or buffer in self.anywhere or buffer in self.program.kept or buffer in self.program.slot_of:
            return False
        if buffer.scope is Scope.RESULT:
            is_large = isinstance(buffer.bytes, int) and buffer.bytes >= LARGE_BYTES
            return is_large and buffer not in self.program.aliases
        at = self.program.arena.get(buffer)
        return buffer.scope is Scope.ARENA and at is not None and at % LINE_BYTES == 0

    def pointer(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer, from the context."""
        if buffer in self.rows:
            return self._from_table(e, buffer)
        at = self.team.offsets.get(buffer) if self.team else None
        if at is not None:
            room = e.load(self.word(e, ROOM), "ptr")
            return e.define(f"getelementptr inbounds i8, ptr {room.ref}, i64 {at}", "ptr", hint=buffer.name)
        if buffer.scope is Scope.CONSTANT:
            return Val(f"@constant.{buffer.name}", "ptr")
        if buffer in self.program.kept and self.program.block is not None:
            block = self.buffer(e, self.addresses[self.program.block], "kept")
            offset = self.program.kept[buffer]
            return e.define(f"getelementptr inbounds i8, ptr {block.ref}, i64 {offset}", "ptr", hint=buffer.name)
        if buffer.scope is Scope.ARENA:
            arena = self._given(e, 1)
            slot = self.program.slot_of.get(buffer)
            offset = str(self.program.arena[buffer]) if slot is None else self._slot_offset(e, slot).ref
            return e.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {offset}", "ptr", hint=buffer.name)
        if buffer.scope is Scope.TAPE:
            tape, at = self.program.tapes[buffer]
            start = e.load(self.word(e, self.tapes[tape]), "ptr")
            return e.define(
                f"getelementptr inbounds i8, ptr {start.ref}, {self.dim(e, at).typed}", "ptr", hint=buffer.name
            )
        return self.buffer(e, self.addresses[buffer], buffer.name)

    def _from_table(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer of a kernel that comes again."""
        holder, distance = (e.load(self._table_word(e, 2 * self.rows[buffer] + i), "i64") for i in range(2))
        if self.program.slots:
            in_slot = e.icmp("eq", holder, e.const(IN_SLOT, "i64"))
            word = e.select(in_slot, distance, e.const(0, "i64"))
            start = e.load(e.offset(self.buffer(e, len(self.addresses), "sizes"), word, "i64"), "i64")
            distance = e.select(in_slot, start, distance)
        given = self._given(e, 0)
        outside = e.define(f"getelementptr ptr, ptr {given.ref}, {holder.typed}", "ptr")
        inside = e.icmp("slt", holder, e.const(0, "i64"))
        place = e.select(inside, self.word(e, 1), outside)
        if self.has_rooms:
            place = e.select(e.icmp("eq", holder, e.const(IN_ROOM, "i64")), self.word(e, ROOM), place)
        base = e.load(place, "ptr")
        return e.define(f"getelementptr inbounds i8, ptr {base.ref}, {distance.typed}", "ptr", hint=buffer.name)

    def _table_word(self, e: Emitter, number: int) -> Val:
        return e.offset(self._given(e, TABLE), e.const(number, "i64"), "i64")

    def number(self, e: Emitter, local: Local) -> Val:
        """A number that the kernel is given, as it lies in memory."""
        return e.load(self._table_word(e, self.words[local]), memory_type(local.dtype))

    def row(self, buffer: Buffer) -> tuple[int, int]:
        """What tables say of a buffer."""
        if buffer in self.addresses:
            return self.addresses[buffer], 0
        if buffer in self.program.kept and self.program.block is not None:
            return self.addresses[self.program.block], self.program.kept[buffer]
        if self.team and buffer in self.team.offsets:
            return IN_ROOM, self.team.offsets[buffer]
        slot = self.program.slot_of.get(buffer)
        return (IN_ARENA, self.program.arena[buffer]) if slot is None else (IN_SLOT, self._slot_word(slot))

    def buffer(self, e: Emitter, number: int, name: str) -> Val:
        table = self._given(e, 0)
        slot = e.define(f"getelementptr inbounds ptr, ptr {table.ref}, i64 {number}", "ptr")
        return e.define(f"load ptr, ptr {slot.ref}", "ptr", hint=name)

    def _block_word(self, e: Emitter, number: int) -> Val:
        """A word of the block of sizes."""
        return e.load(self.block_place(e, number), "i64")

    def block_place(self, e: Emitter, number: int) -> Val:
        block = self.buffer(e, len(self.addresses), "sizes")
        return e.define(f"getelementptr inbounds i64, ptr {block.ref}, i64 {number}", "ptr")

    def _slot_offset(self, e: Emitter, slot: int) -> Val:
        return self._block_word(e, self._slot_word(slot))

    def _slot_word(self, slot: int) -> int:
        """Which word of the block of sizes says where a slot starts."""
        assert self.program.sizes is not None
        return len(self.program.sizes.symbols) + 1 + slot

    def size(self, e: Emitter, symbol: str) -> Val:
        """The value of a symbol."""
        return self._block_word(e, self.symbols[symbol])

    def dim(self, e: Emitter, dim: Dim) -> Val:
        """A size; the program computes what it knows from the beginning on there, once for all steps but those
        that only large sizes take."""
        if e is self.main and not self.is_large and self.measures.isdisjoint(dims.names(dim)):
            return self.sizes.value(dim)
        return SizeEmitter(e, lambda symbol: self.size(e, symbol)).value(dim)

    def word(self, e: Emitter, number: int) -> Val:
        return e.once(f"getelementptr inbounds ptr, ptr %context, i64 {number}", "ptr")

    def _given(self, e: Emitter, number: int) -> Val:
        """What a word of the context holds that stays the same during a call."""
        return e.once(f"load ptr, ptr {self.word(e, number).ref}", "ptr")

    def variable(self, e: Emitter, var: LoopVar) -> Val:
        """The value of a loop variable of the program, from the context."""
        return e.load(self.word(e, self.first_slot + self.slots[var]), "i64")

    # -- values --------------------------------------------------------------------------------------------

    def address(self, e: Emitter, load: Load) -> Val:
        """The address of an element."""
        return e.offset(self.pointer(e, load.buffer), self.index(e, load.offset), memory_type(load.dtype))

    def scalar(self, e: Emitter, load: Load, elem: str) -> Val:
        pointer = self.pointer(e, load.buffer)
        return e.load(e.offset(pointer, self.index(e, load.offset), elem), elem)

    def index(self, e: Emitter, index: Index) -> Val:
        """An index over loop variables of the program."""
        total = self.dim(e, index.constant)
        for atom, coefficient in index.terms:
            assert isinstance(atom, LoopVar), "the place of a value is affine in the loops around it"
            total = e.add(total, e.mul(self.variable(e, atom), self.dim(e, coefficient)))
        return total

    # -- whether to go on ----------------------------------------------------------------------------------

    def status(self, e: Emitter) -> Val:
        """Where the status is."""
        return self.word(e, STATUS)

    def turns(self, e: Emitter) -> tuple[Val, Val]:
        """Where it is counted how many iterations threads have begun, and how many have had their turn."""
        return self.word(e, BEGUN), self.word(e, TURN)

    def asked(self, e: Emitter, team: bool = False) -> Val:
        """What `rosin_poll` says, or `rosin_poll_team`."""
        self.has_teams = self.has_teams or team
        asked = POLL_TEAM if team else POLL
        self.declarations.add(f"declare i32 @{asked}(ptr)")
        return e.define(f"call i32 @{asked}({self.word(e, POLL_STATE).typed})", "i32")

    def stop_unless_zero(self, e: Emitter, status: Val, after: str) -> None:
        """End the program with a status that is not zero; else go on at `after`."""
        stop = e.label("stop")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), after, stop)
        e.block(stop)
        e.store(status, self.status(e))
        e.branch("end")
        e.block(after)


def _all(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, and those in them."""
    for step in steps:
        yield step
        for inner in parts(step):
            yield from _all(inner)


def _depth(steps: Sequence[Step]) -> int:
    """How many loops with variables are around each other at most."""
    own = (isinstance(step, Repeat) or (isinstance(step, RepeatWhile) and step.var is not None) for step in steps)
    inside = (max(map(_depth, parts(step)), default=0) for step in steps)
    return max((a + b for a, b in zip(own, inside, strict=True)), default=0)
