"""A loop-level program as the text of one LLVM module.

The module defines `i32 <name>(ptr buffers, ptr arena)`. `buffers` holds the addresses of the arguments, then of the
results; `arena` is memory for everything in between. Constants are globals of the module. Kernels get a context that
holds both addresses and the variables of the loops around them. They run one after the other, those with a parallel
loop on the threads of the pool, through `rosin_parallel(function, context, count)`. What Python computes is asked of
`rosin_host(receiver, number, pointers)`: the number counts such calls in the order of the text, the pointers are to
operands and results, and a status that is not zero ends the program. So does one that `rosin_poll(state)` gives, which
loops ask now and then whether a signal wants them to stop.
"""

from __future__ import annotations

import numpy as np

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.kernel import blocks_of, kernel_text
from rosin.backends.llvm.types import memory_type
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Branch, Buffer, HostCall, Kernel, Load, Program, Repeat, RepeatWhile, Scope, Step

ENTRY = "program"
PARALLEL = "rosin_parallel"
HOST = "rosin_host"
RECEIVER = "host_receiver"
"""The global that holds what `rosin_host` passes calls on to; whoever loads the module sets it."""
POLL = "rosin_poll"
POLL_STATE = 2
CONTEXT_HEAD = 6
"""The context's first words: the addresses of the buffers and of the arena, and from word `POLL_STATE` on the four that
`rosin_poll` keeps. Loop variables follow."""


def program_text(program: Program, vector_bytes: int) -> str:
    """The module for a program, for a host whose vector registers hold `vector_bytes`.

    Raises:
        UnsupportedError: an op has no rule on this target.
    """
    return _Module(program, vector_bytes).text()


class _Module:
    def __init__(self, program: Program, vector_bytes: int) -> None:
        self.program = program
        self.vector_bytes = vector_bytes
        self.declarations: set[str] = set()
        self.addresses = {b: i for i, b in enumerate((*program.arguments, *program.results))}
        self.functions: list[str] = []
        self.slots: dict[LoopVar, int] = {}
        """Where in the context each loop variable stands; loops that do not nest share places."""
        self.deepest = 0
        self.host_calls = 0
        self.most_pointers = 0

    def text(self) -> str:
        main = Emitter(self.declarations)
        for step in self.program.steps:
            self.step(main, step, 0)
        body = "\n".join(
            [
                f"define i32 @{ENTRY}(ptr %buffers, ptr %arena) {{",
                f"  %context = alloca [{CONTEXT_HEAD + self.deepest} x ptr]",
                "  store ptr %buffers, ptr %context",
                "  %second = getelementptr inbounds ptr, ptr %context, i64 1",
                "  store ptr %arena, ptr %second",
                f"  %poll = getelementptr inbounds ptr, ptr %context, i64 {POLL_STATE}",
                f"  store [{CONTEXT_HEAD - POLL_STATE} x i64] zeroinitializer, ptr %poll",
                *([f"  %pointers = alloca [{self.most_pointers} x ptr]"] if self.host_calls else []),
                *main.lines,
                "  ret i32 0",
                "}",
            ]
        )
        receiver = [f"@{RECEIVER} = global ptr null"] if self.host_calls else []
        constants = [_constant(buffer, self.program) for buffer in self.program.constants]
        return "\n".join(
            [f"; {self.program.name}", *receiver, *constants, *sorted(self.declarations), "", *self.functions, body, ""]
        )

    # -- addresses -----------------------------------------------------------------------------------------

    def pointer(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer, from the context."""
        if buffer.scope is Scope.CONSTANT:
            return Val(f"@constant.{buffer.name}", "ptr")
        if buffer.scope is Scope.ARENA:
            arena = e.load(self.word(e, 1), "ptr")
            offset = self.program.arena[buffer]
            return e.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {offset}", "ptr", hint=buffer.name)
        table = e.load(Val("%context", "ptr"), "ptr")
        slot = e.define(f"getelementptr inbounds ptr, ptr {table.ref}, i64 {self.addresses[buffer]}", "ptr")
        return e.define(f"load ptr, ptr {slot.ref}", "ptr", hint=buffer.name)

    def word(self, e: Emitter, number: int) -> Val:
        return e.define(f"getelementptr inbounds ptr, ptr %context, i64 {number}", "ptr")

    def variable(self, e: Emitter, var: LoopVar) -> Val:
        """The value of a loop variable of the program, from the context."""
        return e.load(self.word(e, CONTEXT_HEAD + self.slots[var]), "i64")

    # -- steps ---------------------------------------------------------------------------------------------

    def step(self, e: Emitter, step: Step, depth: int) -> None:
        match step:
            case Kernel():
                self.call(e, step)
            case Repeat():
                self.repeat(e, step, depth)
            case RepeatWhile():
                self.repeat_while(e, step, depth)
            case Branch():
                self.branch(e, step, depth)
            case HostCall():
                self.host_call(e, step)

    def call(self, e: Emitter, kernel: Kernel) -> None:
        name = f"k{len(self.functions)}"
        text = kernel_text(kernel, name, self.pointer, self.variable, self.vector_bytes, self.declarations)
        self.functions.append(f"; {kernel.name}\n{text}")
        blocks = blocks_of(kernel, self.vector_bytes)
        if blocks > 1:
            self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            e.line(f"call void @{PARALLEL}(ptr @{name}, ptr %context, i64 {blocks})")
        else:
            e.line(f"call void @{name}(ptr %context, i64 0, i64 {max(blocks, 1)})")

    def repeat(self, e: Emitter, step: Repeat, depth: int) -> None:
        self.slots[step.var] = depth
        self.deepest = max(self.deepest, depth + 1)
        head, inside, after = e.label("repeat"), e.label("step"), e.label("done")
        e.store(e.const(0, "i64"), self.word(e, CONTEXT_HEAD + depth))
        e.branch(head)
        e.block(head)
        count = self.variable(e, step.var)
        e.branch_if(e.icmp("slt", count, e.const(step.var.extent, "i64")), inside, after)
        e.block(inside)
        self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth + 1)
        # The count is read again: what stands before may be another block by now.
        e.store(e.add(self.variable(e, step.var), e.const(1, "i64")), self.word(e, CONTEXT_HEAD + depth))
        e.branch(head)
        e.block(after)

    def repeat_while(self, e: Emitter, step: RepeatWhile, depth: int) -> None:
        head, inside, after = e.label("while"), e.label("step"), e.label("done")
        e.branch(head)
        e.block(head)
        for inner in step.test:
            self.step(e, inner, depth)
        e.branch_if(e.icmp("ne", self.scalar(e, step.predicate, "i8"), e.const(0, "i8")), inside, after)
        e.block(inside)
        self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth)
        e.branch(head)
        e.block(after)

    def poll(self, e: Emitter) -> None:
        """Ask whether to stop, if it is time to."""
        ask, on = e.label("poll"), e.label("on")
        state = Val("%poll", "ptr")
        left = e.sub(e.load(state, "i64"), e.const(1, "i64"))
        e.store(left, state)
        e.branch_if(e.icmp("sgt", left, e.const(0, "i64")), on, ask)
        e.block(ask)
        self.declarations.add(f"declare i32 @{POLL}(ptr)")
        self.stop_unless_zero(e, e.define(f"call i32 @{POLL}(ptr %poll)", "i32"), on)

    def branch(self, e: Emitter, step: Branch, depth: int) -> None:
        last = len(step.branches) - 1
        index = e.intrinsic("llvm.smax", self.scalar(e, step.index, "i32"), e.const(0, "i32"))
        labels = [e.label(f"branch{number}") for number in range(last + 1)]
        after = e.label("done")
        cases = " ".join(f"i32 {number}, label %{label}" for number, label in enumerate(labels[:-1]))
        e.line(f"switch i32 {index.ref}, label %{labels[-1]} [ {cases} ]")
        for label, steps in zip(labels, step.branches, strict=True):
            e.block(label)
            for inner in steps:
                self.step(e, inner, depth)
            e.branch(after)
        e.block(after)

    def host_call(self, e: Emitter, step: HostCall) -> None:
        number, after = self.host_calls, e.label("done")
        self.host_calls += 1
        if step.when is not None:
            called = e.label("host")
            e.branch_if(e.icmp("ne", self.scalar(e, step.when, "i8"), e.const(0, "i8")), called, after)
            e.block(called)
        loads = (*step.reads, *step.writes)
        self.most_pointers = max(self.most_pointers, len(loads))
        for position, load in enumerate(loads):
            at = e.define(f"getelementptr inbounds ptr, ptr %pointers, i64 {position}", "ptr")
            e.store(self.address(e, load), at)
        self.declarations.add(f"declare i32 @{HOST}(ptr, i64, ptr)")
        receiver = e.load(Val(f"@{RECEIVER}", "ptr"), "ptr")
        status = e.define(f"call i32 @{HOST}(ptr {receiver.ref}, i64 {number}, ptr %pointers)", "i32")
        self.stop_unless_zero(e, status, after)

    def stop_unless_zero(self, e: Emitter, status: Val, after: str) -> None:
        """End the program with a status that is not zero; else go on at `after`."""
        stop = e.label("stop")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), after, stop)
        e.block(stop)
        e.line(f"ret i32 {status.ref}")
        e.block(after)

    def address(self, e: Emitter, load: Load) -> Val:
        """The address of an element."""
        return e.offset(self.pointer(e, load.buffer), self.index(e, load.offset), memory_type(load.dtype))

    def scalar(self, e: Emitter, load: Load, elem: str) -> Val:
        pointer = self.pointer(e, load.buffer)
        return e.load(e.offset(pointer, self.index(e, load.offset), elem), elem)

    def index(self, e: Emitter, index: Index) -> Val:
        """An index over loop variables of the program."""
        total = e.const(index.constant, "i64")
        for atom, coefficient in index.terms:
            assert isinstance(atom, LoopVar), "the place of a value is affine in the loops around it"
            total = e.add(total, e.mul(self.variable(e, atom), e.const(coefficient, "i64")))
        return total


def _constant(buffer: Buffer, program: Program) -> str:
    data = np.ascontiguousarray(program.data[buffer].full()).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@constant.{buffer.name} = private constant [{len(data)} x i8] c"{text}", align 64'
