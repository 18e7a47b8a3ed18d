"""A loop-level program as the text of one LLVM module.

The module defines `i32 <name>(ptr buffers, ptr arena)`. `buffers` holds the addresses of the arguments, then of the
results; `arena` is memory for everything in between. Where a program has a setup, the address of the block that this
fills stands between arguments and results, and a second function, `i32 setup(ptr buffers, ptr arena)`, fills it.
Constants are globals of the module. Kernels get a context that
holds both addresses, the tapes and the variables of the loops around them. They run one after the other, those with a
parallel loop on the threads of the pool, through `rosin_parallel(function, context, count)`.

A tape is three words: its address, for how many records it has room, and its bytes. `rosin_tape_grow(tape, records,
record)` makes room, and answers other than 0 when there is none; `rosin_tapes_free(tapes, count)` gives all back.

A kernel that comes again is one function for all its calls. The context says which table is that of the call: two words
for each buffer, the number of an address among those of the caller, or `IN_ARENA`, `IN_SLOT` or `IN_ROOM`, and how many
bytes behind that address it starts, or which word of the block of sizes says so; then a word for each number that is
given.

A loop whose steps threads share is a function of its own (rosin.backends.llvm.team).

What Python computes is asked of `rosin_host(receiver, number, pointers)`: the number counts such calls in the order of
the text, the pointers are to operands and results, and a status that is not zero ends the program. So does one that
`rosin_poll(state)` gives, which loops ask now and then whether a signal wants them to stop, or that a kernel leaves
in the context. A kernel on several threads asks `rosin_poll_team`, and so does the thread that waits for the others
(`rosin_parallel_polling`). The program returns the status: 0, or `OUT_OF_MEMORY`, or what these functions gave.

Of a program with symbolic sizes the last buffer is the block that its function `sizes` has filled
(rosin.backends.llvm.sizes).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np

from rosin.backends.llvm.around import MOST_RECORDS, blocks_of, has_turns, may_stop, open_extents
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.kernel import kernel_text
from rosin.backends.llvm.modules import AHEAD_CHARACTERS, AHEAD_SHARE, Text
from rosin.backends.llvm.names import BEGIN, ENTRY, FREE, GROW, HOST, OUT_OF_MEMORY, PARALLEL, RECEIVER, ROUTINE, SETUP
from rosin.backends.llvm.sizes import SizeEmitter, fails, result_words, sizes_text
from rosin.backends.llvm.team import team_text
from rosin.backends.llvm.types import memory_type
from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Load, Local, Room, Scope, Tape
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Kernel,
    Measured,
    Nest,
    Program,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
    Team,
    kernels,
    parts,
)
from rosin.passes import nest
from rosin.passes.alike import ANYWHERE

Give: TypeAlias = "Callable[[str], None]"

POLL, POLL_TEAM = "rosin_poll", "rosin_poll_team"
PARALLEL_POLLING = "rosin_parallel_polling"
LOOK_OUT_STEPS = 16
"""A thread of a team asks whether to stop once in so many steps of a loop in a step: a power of two."""
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
LONG_RUN = 8
"""So many calls in a row that differ in nothing but function and table are a loop over both."""
TAPE_WORDS = 3


def program_text(program: Program, vector_bytes: int) -> str:
    """The module for a program, for a host whose vector registers hold `vector_bytes`.

    Raises:
        UnsupportedError: an op has no rule on this target.
    """
    return _Module(program, vector_bytes).text().module()


def program_texts(program: Program, vector_bytes: int, most: int, give: Give | None = None) -> list[str]:
    """As `program_text`, in at most `most` modules that are linked together, for as many threads to compile. Those of
    a long program are `give`n first, one by one, as soon as they are there."""
    return _Module(program, vector_bytes, give).text().modules(most)


class _Module:
    def __init__(self, program: Program, vector_bytes: int, give: Give | None = None) -> None:
        self.program = program
        self.vector_bytes = vector_bytes
        self.give = give
        self.declarations: set[str] = set()
        block = () if program.block is None else (program.block,)
        self.addresses = {b: i for i, b in enumerate((*program.arguments, *block, *program.results))}
        symbols = program.sizes.symbols if program.sizes is not None else ()
        self.measures = frozenset(program.sizes.measured if program.sizes is not None else ())
        self.symbols = {name: number for number, name in enumerate(symbols)}
        self.functions: list[str] = []
        """Those that have not been given away."""
        self.function_count = 0
        self.given = Text(f"; {program.name}", [_constant(b, program) for b in program.constants], (), (), "")
        """What is known of modules that have been."""
        self.given_characters = 0
        """Of these modules."""
        self.characters = 0
        """Of the functions since the last one of these."""
        self.calls: dict[Kernel, list[str]] = {}
        """For the kernels that come again, the names of all their calls."""
        for step in kernels((*program.setup, *program.steps)):
            if isinstance(step, Again):
                self.calls.setdefault(step.kernel, [step.kernel.name]).append(step.name)
        self.short = {kernel for kernel in self.calls if self.runs_at_once(kernel)}
        self.shared: dict[Kernel, str] = {}
        """The functions of these kernels, as far as they are there."""
        self.rows: dict[Buffer, int] = {}
        """Where the table has each buffer, while such a function is emitted."""
        self.words: dict[Local, int] = {}
        """Where it has each number."""
        self.table_words: list[int] = []
        """The tables of all calls, one after the other."""
        self.runs: list[str] = []
        """What the loops over calls call."""
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
        self.host_calls = 0
        self.most_pointers = 0
        self.most_words = 0
        self.has_teams = False
        """Whether threads share a kernel that may have to be stopped."""
        self.main = Emitter(self.declarations)
        self.first = Emitter(self.declarations, prefix="d", head=True)
        """What the program does before all else."""
        self.is_large = False
        """Whether steps are emitted that only large sizes take."""
        self.sizes = SizeEmitter(self.first, lambda symbol: self.size(self.first, symbol))

    def text(self) -> Text:
        setup = Emitter(self.declarations)
        self.steps(setup, self.program.setup)
        setup.branch("end")
        setup.block("end")
        setup.line(f"ret i32 {setup.load(self.status(setup), 'i32').ref}")
        self.steps(self.main, self.program.steps)
        self.end(self.main)
        empty: list[str] = []
        if self.tapes:
            words = f"ptr %tapes, i8 0, i64 {8 * TAPE_WORDS * len(self.tapes)}"
            empty = [f"  %tapes = getelementptr inbounds ptr, ptr %context, i64 {CONTEXT_HEAD}"]
            empty.append(f"  call void @llvm.memset.p0.i64({words}, i1 false)")
            self.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        # Code that calls kernels one after the other gets no better by optimisation, but for what it computes of sizes.
        plain = self.program.sizes is None and all(isinstance(step, Kernel | Again) for step in self.program.steps)
        attributes = " noinline optnone" if plain else ""
        if self.has_teams:
            self.declarations.add("declare i64 @pthread_self()")
            self.first.store(self.first.define("call i64 @pthread_self()", "i64"), self.word(self.first, CALLER))
        rooms: list[str] = []
        if self.has_rooms:
            rooms = ["  %owners = alloca i64", "  store i64 0, ptr %owners"]
            rooms.append(f"  %place = getelementptr inbounds ptr, ptr %context, i64 {OWNERS}")
            rooms.append("  store ptr %owners, ptr %place")
        context = [
            f"  %context = alloca [{self.first_slot + self.deepest} x ptr]",
            "  store ptr %buffers, ptr %context",
            "  %second = getelementptr inbounds ptr, ptr %context, i64 1",
            "  store ptr %arena, ptr %second",
            f"  %cleared = getelementptr inbounds ptr, ptr %context, i64 {POLL_STATE}",
            f"  store [{CONTEXT_HEAD - POLL_STATE} x i64] zeroinitializer, ptr %cleared",
        ]
        body = "\n".join(
            [
                f"define i32 @{ENTRY}(ptr %buffers, ptr %arena){attributes} {{",
                *context,
                *([f"  %words = alloca [{self.most_words} x i64]"] if self.most_words else []),
                *([f"  %pointers = alloca [{self.most_pointers} x ptr]"] if self.host_calls else []),
                *empty,
                *rooms,
                *self.first.lines,
                *self.main.lines,
                "}",
            ]
        )
        if self.program.setup:
            once = [f"define i32 @{SETUP}(ptr %buffers, ptr %arena) noinline optnone {{", *context, *setup.lines, "}"]
            body = "\n".join([*once, body])
        if self.program.sizes is not None:
            body = f"{sizes_text(self.program, self.declarations)}\n{body}"
        receiver = [f"@{RECEIVER} = global ptr null"] if self.host_calls else []
        words = ", ".join(f"i64 {word}" for word in self.table_words)
        tables = [f"@tables = private constant [{len(self.table_words)} x i64] [{words}]"] if words else []
        variables = [*receiver, *self.given.variables, *tables, *self.runs]
        helpers = sorted(self.declarations)
        return replace(self.given, variables=variables, helpers=helpers, functions=self.functions, body=body)

    def steps(self, e: Emitter, steps: Sequence[Step]) -> None:
        for again, run in itertools.groupby(steps, self._is_short):
            together = list(run)
            if again and len(together) >= LONG_RUN:
                self.run_of_calls(e, together)
            else:
                for step in together:
                    self.step(e, step, 0)

    def end(self, e: Emitter) -> None:
        """The end of the program, to which also goes whoever has left a status."""
        self.measured_results(e)
        e.branch("end")
        e.block("end")
        if self.tapes:
            self.declarations.add(f"declare void @{FREE}(ptr, i64)")
            e.line(f"call void @{FREE}({self.word(e, CONTEXT_HEAD).typed}, i64 {len(self.tapes)})")
        e.line(f"ret i32 {e.load(self.status(e), 'i32').ref}")

    # -- addresses -----------------------------------------------------------------------------------------

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
            block = self._buffer(e, self.addresses[self.program.block], "kept")
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
        return self._buffer(e, self.addresses[buffer], buffer.name)

    def _from_table(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer of a kernel that comes again."""
        holder, distance = (e.load(self._table_word(e, 2 * self.rows[buffer] + i), "i64") for i in range(2))
        if self.program.slots:
            in_slot = e.icmp("eq", holder, e.const(IN_SLOT, "i64"))
            word = e.select(in_slot, distance, e.const(0, "i64"))
            start = e.load(e.offset(self._buffer(e, len(self.addresses), "sizes"), word, "i64"), "i64")
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

    def _row(self, buffer: Buffer) -> tuple[int, int]:
        """What tables say of a buffer."""
        if buffer in self.addresses:
            return self.addresses[buffer], 0
        if buffer in self.program.kept and self.program.block is not None:
            return self.addresses[self.program.block], self.program.kept[buffer]
        if self.team and buffer in self.team.offsets:
            return IN_ROOM, self.team.offsets[buffer]
        slot = self.program.slot_of.get(buffer)
        return (IN_ARENA, self.program.arena[buffer]) if slot is None else (IN_SLOT, self._slot_word(slot))

    def _buffer(self, e: Emitter, number: int, name: str) -> Val:
        table = self._given(e, 0)
        slot = e.define(f"getelementptr inbounds ptr, ptr {table.ref}, i64 {number}", "ptr")
        return e.define(f"load ptr, ptr {slot.ref}", "ptr", hint=name)

    def _block_word(self, e: Emitter, number: int) -> Val:
        """A word of the block of sizes."""
        return e.load(self._block_place(e, number), "i64")

    def _block_place(self, e: Emitter, number: int) -> Val:
        block = self._buffer(e, len(self.addresses), "sizes")
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

    # -- steps ---------------------------------------------------------------------------------------------

    def step(self, e: Emitter, step: Step, depth: int) -> None:
        match step:
            case Kernel() if step not in self.calls:
                self.call(e, step, self.function(step, step.name))
            case Kernel() | Again():
                name, table = self.shared_call(step)
                e.store(Val(table, "ptr"), self.word(e, TABLE))
                self.call(e, _kernel_of(step), name)
            case Nest():
                raise AssertionError("nests are kernels by the time that a program is whole")
            case Repeat(team=Team() as team):
                self.on_team(e, step, team, depth)
            case Repeat():
                self.repeat(e, step, depth)
            case RepeatWhile():
                self.repeat_while(e, step, depth)
            case Branch():
                self.branch(e, step, depth)
            case Either():
                small = e.icmp("sle", self.dim(e, step.size), e.const(step.most, "i64"))
                self.choose(e, small, step, depth)
            case Room():
                self.room(e, step)
            case HostCall():
                self.host_call(e, step)
            case Measured():
                self.measured(e, step)
            case RoutineCall():
                self.routine_call(e, step)

    def function(self, kernel: Kernel, title: str) -> str:
        """The name of a function that does what a kernel does."""
        name = f"k{self.function_count}"
        text = kernel_text(kernel, name, self, self.vector_bytes, self.declarations)
        self.add(f"; {title}\n{text}")
        return name

    def add(self, function: str) -> None:
        """One more function; if there are enough, they are given away."""
        self.functions.append(function)
        self.function_count += 1
        self.characters += len(function)
        if self.give is not None and self.characters >= max(AHEAD_CHARACTERS, self.given_characters // AHEAD_SHARE):
            text = replace(self.given, helpers=sorted(self.declarations), functions=self.functions)
            module, self.given = text.ahead()
            self.given_characters += self.characters
            self.functions, self.characters = list(self.given.functions), 0
            self.give(module)

    def shared_call(self, step: Kernel | Again) -> tuple[str, str]:
        """The function of a kernel that comes again, and the table for a call."""
        kernel = _kernel_of(step)
        places: Mapping[Buffer, Buffer] = step.places if isinstance(step, Again) else {}
        buffers = [b for b in kernel.buffers if b.scope in ANYWHERE]
        name = self.shared.get(kernel)
        if name is None:
            self.rows = {b: row for row, b in enumerate(buffers)}
            self.words = {local: 2 * len(buffers) + at for at, local in enumerate(kernel.numbers)}
            name = self.shared[kernel] = self.function(kernel, ", ".join(self.calls[kernel]))
            self.rows = {}
        start = len(self.table_words)
        self.table_words += [word for b in buffers for word in self._row(places.get(b, b))]
        for local in kernel.numbers:
            self.table_words.append(int.from_bytes(step.numbers[local].array.tobytes(), "little"))
        return name, f"getelementptr (i64, ptr @tables, i64 {start})"

    def _is_short(self, step: Step) -> bool:
        """Whether a step is one plain call of a function that is called more than once."""
        return isinstance(step, Kernel | Again) and _kernel_of(step) in self.short

    def runs_at_once(self, kernel: Kernel) -> bool:
        """Whether a kernel runs on one thread, to its end."""
        blocks = blocks_of(kernel, self.vector_bytes)
        return isinstance(blocks, int) and blocks <= 1 and not may_stop(kernel) and not has_turns(kernel)

    def run_of_calls(self, e: Emitter, steps: Sequence[Step]) -> None:
        """Plain calls in a row, as data: functions with their tables, and a loop that calls one after the other."""
        rows: list[str] = []
        for step in steps:
            assert isinstance(step, Kernel | Again)
            name, table = self.shared_call(step)
            rows.append(f"[2 x ptr] [ptr @{name}, ptr {table}]")
        calls = f"@calls{len(self.runs)}"
        self.runs.append(f"{calls} = private constant [{len(rows)} x [2 x ptr]] [{', '.join(rows)}]")
        head, inside, after = e.label("calls"), e.label("call"), e.label("done")
        count = e.define("alloca i64", "ptr", hint="count")
        e.store(e.const(0, "i64"), count)
        e.branch(head)
        e.block(head)
        at = e.load(count, "i64")
        e.branch_if(e.icmp("slt", at, e.const(len(rows), "i64")), inside, after)
        e.block(inside)
        row = e.offset(Val(calls, "ptr"), at, "[2 x ptr]")
        e.store(e.load(e.offset(row, e.const(1, "i64"), "ptr"), "ptr"), self.word(e, TABLE))
        e.line(f"call void {e.load(row, 'ptr').ref}(ptr %context, i64 0, i64 1)")
        e.store(e.add(at, e.const(1, "i64")), count)
        e.branch(head)
        e.block(after)

    def call(self, e: Emitter, kernel: Kernel, name: str) -> None:
        blocks = blocks_of(kernel, self.vector_bytes)
        extents, passed = open_extents(kernel), e.label("passed")
        for extent in extents:
            # A tile that the sizes of a call have no use for costs next to nothing.
            some = e.label("some")
            e.branch_if(e.icmp("sgt", self.dim(e, extent), e.const(0, "i64")), some, passed)
            e.block(some)
        if has_turns(kernel):
            for count in self.turns(e):
                e.store(e.const(0, "i64"), count)
        if isinstance(blocks, int) and blocks <= 1:
            e.line(f"call void @{name}(ptr %context, i64 0, i64 {max(blocks, 1)})")
        elif self.team:
            e.line(f"call void @{name}(ptr %context, i64 0, {self.dim(e, blocks).typed})")
        else:
            self._on_threads(e, kernel.work, name, "%context", self.dim(e, blocks), may_stop(kernel))
        if extents:
            e.branch(passed)
            e.block(passed)
        if may_stop(kernel):
            on = e.label("on")
            e.branch_if(e.icmp("eq", e.load(self.status(e), "i32"), e.const(0, "i32")), on, "end")
            e.block(on)

    def _on_threads(
        self, e: Emitter, work: Dim | None, name: str, context: str, blocks: Val, stops: bool = False
    ) -> None:
        """Run the blocks of a kernel on threads, where it may be known only now whether there is enough to do. While it
        waits for others, the thread that runs the program looks whether a kernel is to stop, if that `stops` at all."""
        function, types, arguments = PARALLEL, "ptr, ptr, i64", f"ptr @{name}, ptr {context}, {blocks.typed}"
        if stops:
            function, types = PARALLEL_POLLING, f"{types}, ptr, ptr"
            arguments += f", ptr @{POLL_TEAM}, {self.word(e, POLL_STATE).typed}"
            self.declarations.add(f"declare i32 @{POLL_TEAM}(ptr)")
        self.declarations.add(f"declare void @{function}({types})")
        shared = f"call void @{function}({arguments})"
        if work is None or isinstance(work, int):
            e.line(shared)
            return
        many, alone, after = e.label("threads"), e.label("alone"), e.label("after")
        e.branch_if(e.icmp("sge", self.dim(e, work), e.const(nest.PARALLEL_WORK, "i64")), many, alone)
        for label, line in ((many, shared), (alone, f"call void @{name}(ptr {context}, i64 0, {blocks.typed})")):
            e.block(label)
            e.line(line)
            e.branch(after)
        e.block(after)

    def choose(self, e: Emitter, small: Val, step: Either, depth: int) -> None:
        """The steps for small sizes, or those for large ones."""
        labels, after, outer = (e.label("small"), e.label("large")), e.label("done"), self.is_large
        e.branch_if(small, *labels)
        for label, steps in zip(labels, (step.small, step.large), strict=True):
            self.is_large = outer or steps is step.large
            e.block(label)
            for inner in steps:
                self.step(e, inner, depth)
            e.branch(after)
        self.is_large = outer
        e.block(after)

    def on_team(self, e: Emitter, step: Repeat, team: Team, depth: int) -> None:
        """A loop whose steps threads share, in a function of its own."""
        self.slots[step.var] = depth
        self.team = team
        inside = Emitter(self.declarations)
        arena = inside.load(self.word(inside, 1), "ptr")
        first = self.program.arena[team.room]
        own = inside.define(f"mul i64 %number, {team.bytes}", "i64")
        rooms = inside.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {first}", "ptr")
        room = inside.define(f"getelementptr inbounds i8, ptr {rooms.ref}, {own.typed}", "ptr")
        inside.store(room, self.word(inside, ROOM))
        word = self.first_slot + depth
        inside.store(Val("%first", "i64"), self.word(inside, word))
        inside.branch("more")
        inside.block("more")
        count = self.variable(inside, step.var)
        inside.branch_if(inside.icmp("slt", count, Val("%stop", "i64")), "look_out", "end")
        inside.block("look_out")
        self.look_out(inside)
        for inner in step.body:
            self.step(inside, inner, depth + 1)
        following = inside.add(self.variable(inside, step.var), inside.const(1, "i64"))
        inside.store(following, self.word(inside, word))
        inside.branch("more")
        self.team = None
        name = f"team{self.function_count}"
        words = self.first_slot + self.deepest
        self.add(team_text(name, words, OWNERS, team.most, inside.lines, self.declarations))
        self.has_teams = True
        self._on_threads(e, None, name, "%context", self.dim(e, step.var.extent), stops=True)
        on = e.label("on")
        e.branch_if(e.icmp("eq", e.load(self.status(e), "i32"), e.const(0, "i32")), on, "end")
        e.block(on)

    def look_out(self, e: Emitter) -> None:
        """Have a thread of a team end if the program is to stop."""
        state = e.define(f"getelementptr inbounds ptr, ptr %shared, i64 {POLL_STATE}", "ptr")
        self.declarations.add(f"declare i32 @{POLL_TEAM}(ptr)")
        status, on = e.define(f"call i32 @{POLL_TEAM}({state.typed})", "i32"), e.label("on")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), on, "end")
        e.block(on)

    def look_out_at(self, e: Emitter, count: Val) -> None:
        """The same at some steps of a loop, of which this is number `count`."""
        number = e.define(f"and i64 {count.ref}, {LOOK_OUT_STEPS - 1}", "i64")
        look, go_on = e.label("look_out"), e.label("go_on")
        e.branch_if(e.icmp("eq", number, e.const(0, "i64")), look, go_on)
        e.block(look)
        self.look_out(e)
        e.branch(go_on)
        e.block(go_on)

    def repeat(self, e: Emitter, step: Repeat, depth: int) -> None:
        self.slots[step.var] = depth
        head, inside, after = e.label("repeat"), e.label("step"), e.label("done")
        zero, one, extent = e.const(0, "i64"), e.const(1, "i64"), self.dim(e, step.var.extent)
        start = self.bound(e, step.start, extent) if step.start else zero
        stop = self.bound(e, step.stop, extent) if step.stop else extent
        e.store(e.sub(stop, one) if step.backward else start, self.word(e, self.first_slot + depth))
        e.branch(head)
        e.block(head)
        count = self.variable(e, step.var)
        more = e.icmp("sge", count, start) if step.backward else e.icmp("slt", count, stop)
        e.branch_if(more, inside, after)
        e.block(inside)
        if self.team:
            self.look_out_at(e, count)
        else:
            self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth + 1)
        # The count is read again: what stands before may be another block by now.
        following = e.add(self.variable(e, step.var), e.const(-1 if step.backward else 1, "i64"))
        e.store(following, self.word(e, self.first_slot + depth))
        e.branch(head)
        e.block(after)

    def bound(self, e: Emitter, load: Load, extent: Val) -> Val:
        """A bound of a loop, within 0 … extent."""
        wide = e.convert("sext", self.scalar(e, load, memory_type(load.dtype)), "i64")
        return e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", wide, e.const(0, "i64")), extent)

    def repeat_while(self, e: Emitter, step: RepeatWhile, depth: int) -> None:
        head, inside, after = e.label("while"), e.label("step"), e.label("done")
        if step.var is not None:
            self.slots[step.var] = depth
            e.store(e.const(0, "i64"), self.word(e, self.first_slot + depth))
            depth += 1
        e.branch(head)
        e.block(head)
        for inner in step.test:
            self.step(e, inner, depth)
        again = e.icmp("ne", self.scalar(e, step.predicate, "i8"), e.const(0, "i8"))
        if step.var is not None:
            again = e.bit_and(again, e.icmp("slt", self.variable(e, step.var), self.dim(e, step.var.extent)))
        e.branch_if(again, inside, after)
        e.block(inside)
        self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth)
        if step.var is not None:
            following = e.add(self.variable(e, step.var), e.const(1, "i64"))
            e.store(following, self.word(e, self.first_slot + self.slots[step.var]))
        e.branch(head)
        e.block(after)

    def room(self, e: Emitter, step: Room) -> None:
        number, most = step.number, e.const(MOST_RECORDS, "i64")
        wanted = self.index(e, number) if isinstance(number, Index) else self.bound(e, number, most)
        enough = e.label("enough")
        e.block(self.grow(e, step.tape, wanted, enough))
        e.branch("end")
        e.block(enough)

    def grow(self, e: Emitter, tape: Tape, wanted: Val, enough: str) -> str:
        """Room for so many records on a tape, then on to `enough`; else the status says so, and it goes on at the label
        that this gives."""
        words = self.word(e, self.tapes[tape])
        room = self.word(e, self.tapes[tape] + 1)
        grow, failed, stop = e.label("grow"), e.label("failed"), e.label("stop")
        e.branch_if(e.icmp("sgt", wanted, e.load(room, "i64")), grow, enough)
        e.block(grow)
        self.declarations.add(f"declare i32 @{GROW}(ptr, i64, i64)")
        record = self.dim(e, tape.record)
        if not isinstance(tape.record, int):
            # Records that turn out to be empty take a byte, so that there is something to grow.
            record = e.intrinsic("llvm.smax", record, e.const(1, "i64"))
        code = e.define(f"call i32 @{GROW}({words.typed}, {wanted.typed}, {record.typed})", "i32")
        e.branch_if(e.icmp("eq", code, e.const(0, "i32")), enough, failed)
        e.block(failed)
        e.store(e.const(OUT_OF_MEMORY, "i32"), self.word(e, STATUS))
        e.branch(stop)
        return stop

    def poll(self, e: Emitter) -> None:
        """Ask whether to stop, if it is time to."""
        ask, on = e.label("poll"), e.label("on")
        state = self.word(e, POLL_STATE)
        left = e.sub(e.load(state, "i64"), e.const(1, "i64"))
        e.store(left, state)
        e.branch_if(e.icmp("sgt", left, e.const(0, "i64")), on, ask)
        e.block(ask)
        self.stop_unless_zero(e, self.asked(e), on)

    def asked(self, e: Emitter, team: bool = False) -> Val:
        """What `rosin_poll` says, or `rosin_poll_team`."""
        self.has_teams = self.has_teams or team
        asked = POLL_TEAM if team else POLL
        self.declarations.add(f"declare i32 @{asked}(ptr)")
        return e.define(f"call i32 @{asked}({self.word(e, POLL_STATE).typed})", "i32")

    def status(self, e: Emitter) -> Val:
        """Where the status is."""
        return self.word(e, STATUS)

    def turns(self, e: Emitter) -> tuple[Val, Val]:
        """Where it is counted how many iterations threads have begun, and how many have had their turn."""
        return self.word(e, BEGUN), self.word(e, TURN)

    def branch(self, e: Emitter, step: Branch, depth: int) -> None:
        def all_of(steps: tuple[Step, ...]) -> None:
            for inner in steps:
                self.step(e, inner, depth)

        e.choice(self.scalar(e, step.index, "i32"), [partial(all_of, steps) for steps in step.branches])

    def host_call(self, e: Emitter, step: HostCall) -> None:
        number, after = self.host_calls, e.label("done")
        self.host_calls += 1
        if step.when is not None:
            called = e.label("host")
            e.branch_if(e.icmp("ne", self.scalar(e, step.when, "i8"), e.const(0, "i8")), called, after)
            e.block(called)
        pointers = [self.address(e, load) for load in (*step.reads, *step.writes)]
        if self.program.sizes is not None:
            pointers.append(self._buffer(e, len(self.addresses), "sizes"))
        self.most_pointers = max(self.most_pointers, len(pointers))
        for position, pointer in enumerate(pointers):
            e.store(pointer, e.define(f"getelementptr inbounds ptr, ptr %pointers, i64 {position}", "ptr"))
        self.declarations.add(f"declare i32 @{HOST}(ptr, i64, ptr)")
        receiver = e.load(Val(f"@{RECEIVER}", "ptr"), "ptr")
        status = e.define(f"call i32 @{HOST}(ptr {receiver.ref}, i64 {number}, ptr %pointers)", "i32")
        self.stop_unless_zero(e, status, after)

    def measured(self, e: Emitter, step: Measured) -> None:
        number = self.scalar(e, step.number, "i64")
        e.store(number, self._block_place(e, self.symbols[step.symbol]))
        failed = e.const(False, "i1")
        sizes = SizeEmitter(e, lambda symbol: self.size(e, symbol))
        for check in step.asked:
            failed = e.bit_or(failed, fails(sizes, check))
        misfit, fits = e.label("misfit"), e.label("fits")
        e.branch_if(failed, misfit, fits)
        e.block(misfit)
        self.host_call(e, step.misfit)
        e.branch(fits)
        e.block(fits)

    def measured_results(self, e: Emitter) -> None:
        """Write the sizes of results that were not known before."""
        sizes = self.program.sizes
        if sizes is not None:
            first = len(sizes.symbols) + 1 + len(self.program.slots)
            for number, dim in result_words(sizes).items():
                e.store(self.dim(e, dim), self._block_place(e, first + number))

    def routine_call(self, e: Emitter, step: RoutineCall) -> None:
        """The routine gets words: the addresses of operands and results, the numbers, and the address of the room.

        One that begins with something leaves what comes of it in one more word.
        """
        # Most programs call none, and need not load all of them.
        from rosin.backends.llvm.routines import routine_for

        results, room = (step.writes[:-1], step.writes[-1:]) if step.has_room else (step.writes, ())
        words = [self.address(e, load) for load in (*step.reads, *results)]
        words += [self.dim(e, number) for number in step.numbers]
        words += [self.address(e, load) for load in room] or [Val("null", "ptr")]
        if step.begins:
            words.append(Val("null", "ptr"))
        self.most_words = max(self.most_words, len(words))
        for position, word in enumerate(words):
            e.store(word, e.define(f"getelementptr inbounds i64, ptr %words, i64 {position}", "ptr"))
        name = ROUTINE + routine_for(step.name, step.numbers, self.vector_bytes)
        count = self.dim(e, step.count)
        if step.begins:
            self.declarations.add(f"declare i32 @{name}{BEGIN}(ptr)")
            self.stop_unless_zero(e, e.define(f"call i32 @{name}{BEGIN}(ptr %words)", "i32"), e.label("begun"))
        self.declarations.add(f"declare void @{name}(ptr, i64, i64)")
        if step.work is None:
            e.line(f"call void @{name}(ptr %words, i64 0, {count.typed})")
        else:
            self._on_threads(e, step.work, name, "%words", count)

    def stop_unless_zero(self, e: Emitter, status: Val, after: str) -> None:
        """End the program with a status that is not zero; else go on at `after`."""
        stop = e.label("stop")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), after, stop)
        e.block(stop)
        e.store(status, self.status(e))
        e.branch("end")
        e.block(after)

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


def _kernel_of(step: Kernel | Again) -> Kernel:
    return step.kernel if isinstance(step, Again) else step


def _constant(buffer: Buffer, program: Program) -> str:
    data = np.ascontiguousarray(program.data[buffer].full()).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@constant.{buffer.name} = private constant [{len(data)} x i8] c"{text}", align 64'
