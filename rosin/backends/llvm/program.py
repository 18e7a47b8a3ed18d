"""A loop-level program as the text of one LLVM module.

The module defines `i32 <name>(ptr buffers, ptr arena)`. `buffers` holds the addresses of the arguments, then of the
results; `arena` is memory for everything in between. Where a program has a setup, the address of the block that this
fills stands between arguments and results, and a second function, `i32 setup(ptr buffers, ptr arena)`, fills it.
Constants are globals of the module. Kernels get a context (rosin.backends.llvm.context) that holds both addresses, the
tapes and the variables of the loops around them. They run one after the other, those with a parallel loop on the
threads of the pool, through `rosin_parallel(function, context, count)`.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.context import CALLER, CONTEXT_HEAD, OWNERS, POLL_STATE, POLL_TEAM, TABLE, TAPE_WORDS
from rosin.backends.llvm.control import ControlSteps
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.kernel import kernel_text
from rosin.backends.llvm.modules import AHEAD_CHARACTERS, AHEAD_SHARE, COLD, Text
from rosin.backends.llvm.names import BEGIN, ENTRY, FREE, HOST, PARALLEL, RECEIVER, ROUTINE, SETUP
from rosin.backends.llvm.sizes import SizeEmitter, fails, result_words, sizes_text
from rosin.ir.dims import Dim
from rosin.ir.loops import Buffer, Room
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
)
from rosin.passes import on_threads
from rosin.passes.alike import ANYWHERE

Give: TypeAlias = "Callable[[str], None]"

PARALLEL_POLLING = "rosin_parallel_polling"
LONG_RUN = 8
"""So many calls in a row that differ in nothing but function and table are a loop over both."""


def program_text(program: Program, vector_bytes: int, assembles: bool = False, far_bytes: int = 0) -> str:
    """The module for a program, for a host whose vector registers hold `vector_bytes`. Where it `assembles`, some code
    is text of the assembler of x86. Kernels whose arrays take `far_bytes` together write past the caches, if it is not
    0: results of `LARGE_BYTES` and the arena must then begin where lines of memory do.

    Raises:
        UnsupportedError: an op has no rule on this target.
    """
    return _Module(program, vector_bytes, assembles, far_bytes).text().module()


def program_texts(
    program: Program,
    vector_bytes: int,
    most: int,
    give: Give | None = None,
    assembles: bool = False,
    far_bytes: int = 0,
) -> list[str]:
    """As `program_text`, in at most `most` modules that are linked together, for as many threads to compile. Those of
    a long program are `give`n first, one by one, as soon as they are there."""
    return _Module(program, vector_bytes, assembles, far_bytes, give).text().modules(most)


class _Module(ControlSteps):
    def __init__(
        self, program: Program, vector_bytes: int, assembles: bool, far_bytes: int, give: Give | None = None
    ) -> None:
        super().__init__(program, vector_bytes, assembles, far_bytes)
        self.give = give
        self.functions: list[str] = []
        """Those that have not been given away."""
        self.function_count = 0
        self.given = Text(f"; {program.name}", [_constant(b, program) for b in program.constants], (), (), "")
        """What is known of modules that have been."""
        self.given_characters = 0
        """Of these modules."""
        self.characters = 0
        """Of the functions since the last one of these, and of what they alone call."""
        self.helper_characters = 0
        """Of all that functions call."""
        self.contents: dict[Kernel, KernelContents] = {}
        """What stands in kernels, as far as somebody has asked."""
        self.calls: dict[Kernel, list[str]] = {}
        """For the kernels that come again, the names of all their calls."""
        different: set[Kernel] = set()
        for step in kernels((*program.setup, *program.steps)):
            different.add(_kernel_of(step))
            if isinstance(step, Again):
                self.calls.setdefault(step.kernel, [step.kernel.name]).append(step.name)
                self.anywhere |= {own for own, there in step.places.items() if not self.begins_line(there)}
        self.to_come = len(different)
        """Of how many kernels there is no function so far."""
        self.short = {kernel for kernel in self.calls if self.runs_at_once(kernel)}
        self.shared: dict[Kernel, str] = {}
        """The functions of these kernels, as far as they are there."""
        self.table_words: list[int] = []
        """The tables of all calls, one after the other."""
        self.runs: list[str] = []
        """What the loops over calls call."""
        self.host_calls = 0
        self.most_pointers = 0
        self.most_words = 0

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
        plain = self.program.sizes is None and all(
            isinstance(step, Kernel | Again | RoutineCall) for step in self.program.steps
        )
        attributes = COLD if plain else ""
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
            once = [f"define i32 @{SETUP}(ptr %buffers, ptr %arena){COLD} {{", *context, *setup.lines, "}"]
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
        text = kernel_text(self.inside(kernel), name, self, self.declarations)
        self.to_come -= 1
        self.add(f"; {title}\n{text}")
        return name

    def add(self, function: str) -> None:
        """One more function; if there are enough, they are given away, but for those at the end."""
        self.functions.append(function)
        self.function_count += 1
        helpers = sum(map(len, self.declarations))
        self.characters += len(function) + helpers - self.helper_characters
        self.helper_characters = helpers
        enough = self.characters >= max(AHEAD_CHARACTERS, self.given_characters // AHEAD_SHARE)
        if self.give is not None and enough and self.to_come > 0:
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
        self.table_words += [word for b in buffers for word in self.row(places.get(b, b))]
        for local in kernel.numbers:
            self.table_words.append(int.from_bytes(step.numbers[local].array.tobytes(), "little"))
        return name, f"getelementptr (i64, ptr @tables, i64 {start})"

    def _is_short(self, step: Step) -> bool:
        """Whether a step is one plain call of a function that is called more than once."""
        return isinstance(step, Kernel | Again) and _kernel_of(step) in self.short

    def runs_at_once(self, kernel: Kernel) -> bool:
        """Whether a kernel runs on one thread, to its end."""
        inside = self.inside(kernel)
        blocks = inside.blocks
        return isinstance(blocks, int) and blocks <= 1 and not inside.may_stop and not inside.has_turns

    def inside(self, kernel: Kernel) -> KernelContents:
        """What stands in a kernel."""
        found = self.contents.get(kernel)
        if found is None:
            found = self.contents[kernel] = KernelContents(kernel, self.vector_bytes)
        return found

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
        inside, passed = self.inside(kernel), e.label("passed")
        blocks, extents = inside.blocks, inside.open_extents
        for extent in extents:
            # A tile that the sizes of a call have no use for costs next to nothing.
            some = e.label("some")
            e.branch_if(e.icmp("sgt", self.dim(e, extent), e.const(0, "i64")), some, passed)
            e.block(some)
        if inside.has_turns:
            for count in self.turns(e):
                e.store(e.const(0, "i64"), count)
        if isinstance(blocks, int) and blocks <= 1:
            e.line(f"call void @{name}(ptr %context, i64 0, i64 {max(blocks, 1)})")
        elif self.team:
            e.line(f"call void @{name}(ptr %context, i64 0, {self.dim(e, blocks).typed})")
        else:
            self.on_threads(e, kernel.work, name, "%context", self.dim(e, blocks), inside.may_stop)
        if extents:
            e.branch(passed)
            e.block(passed)
        if inside.may_stop:
            on = e.label("on")
            e.branch_if(e.icmp("eq", e.load(self.status(e), "i32"), e.const(0, "i32")), on, "end")
            e.block(on)

    def on_threads(
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
        alone = f"call void @{name}(ptr {context}, i64 0, {blocks.typed})"
        is_much = e.icmp("sge", self.dim(e, work), e.const(on_threads.PARALLEL_WORK, "i64"))
        e.either(is_much, lambda: e.line(shared), lambda: e.line(alone), names=("threads", "alone"))

    def host_call(self, e: Emitter, step: HostCall) -> None:
        number, after = self.host_calls, e.label("done")
        self.host_calls += 1
        if step.when is not None:
            called = e.label("host")
            e.branch_if(e.icmp("ne", self.scalar(e, step.when, "i8"), e.const(0, "i8")), called, after)
            e.block(called)
        pointers = [self.address(e, load) for load in (*step.reads, *step.writes)]
        if self.program.sizes is not None:
            pointers.append(self.buffer(e, len(self.addresses), "sizes"))
        self.most_pointers = max(self.most_pointers, len(pointers))
        for position, pointer in enumerate(pointers):
            e.store(pointer, e.define(f"getelementptr inbounds ptr, ptr %pointers, i64 {position}", "ptr"))
        self.declarations.add(f"declare i32 @{HOST}(ptr, i64, ptr)")
        receiver = e.load(Val(f"@{RECEIVER}", "ptr"), "ptr")
        status = e.define(f"call i32 @{HOST}(ptr {receiver.ref}, i64 {number}, ptr %pointers)", "i32")
        self.stop_unless_zero(e, status, after)

    def measured(self, e: Emitter, step: Measured) -> None:
        number = self.scalar(e, step.number, "i64")
        e.store(number, self.block_place(e, self.symbols[step.symbol]))
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
                e.store(self.dim(e, dim), self.block_place(e, first + number))

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
        if step.on_threads:
            self.on_threads(e, step.work, name, "%words", count)
        else:
            e.line(f"call void @{name}(ptr %words, i64 0, {count.typed})")


def _kernel_of(step: Kernel | Again) -> Kernel:
    return step.kernel if isinstance(step, Again) else step


def _constant(buffer: Buffer, program: Program) -> str:
    data = np.ascontiguousarray(program.data[buffer].full()).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@constant.{buffer.name} = private constant [{len(data)} x i8] c"{text}", align 64'
