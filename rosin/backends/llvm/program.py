"""A loop-level program as the text of one LLVM module.

The module defines `i32 <name>(ptr buffers, ptr arena)`. `buffers` holds the addresses of the arguments, then of the
results; `arena` is memory for everything in between. Constants are globals of the module. Kernels get a context that
holds both addresses and the variables of the loops around them. They run one after the other, those with a parallel
loop on the threads of the pool, through `rosin_parallel(function, context, count)`.

Of a program with symbolic sizes the last buffer is the block that its function `sizes` has filled
(rosin.backends.llvm.sizes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.kernel import blocks_of, kernel_text
from rosin.backends.llvm.sizes import SizeEmitter, sizes_text
from rosin.ir.dims import Dim
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Branch, Buffer, Either, Kernel, Load, Program, Repeat, RepeatWhile, Scope, Step
from rosin.passes import nest

ENTRY = "program"
PARALLEL = "rosin_parallel"
CONTEXT_HEAD = 2
"""The context's first words: the addresses of the buffers and of the arena. Loop variables follow."""


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
        sources = program.sizes.sources if program.sizes is not None else ()
        self.symbols = {source.name: number for number, source in enumerate(sources)}
        self.functions: list[str] = []
        self.slots: dict[LoopVar, int] = {}
        """Where in the context each loop variable stands; loops that do not nest share places."""
        self.deepest = 0

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
                *main.lines,
                "  ret i32 0",
                "}",
            ]
        )
        if self.program.sizes is not None:
            body = f"{sizes_text(self.program, self.declarations)}\n{body}"
        constants = [_constant(buffer, self.program) for buffer in self.program.constants]
        return "\n".join(
            [f"; {self.program.name}", *constants, *sorted(self.declarations), "", *self.functions, body, ""]
        )

    # -- addresses -----------------------------------------------------------------------------------------

    def pointer(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer, from the context."""
        if buffer.scope is Scope.CONSTANT:
            return Val(f"@constant.{buffer.name}", "ptr")
        if buffer.scope is Scope.ARENA:
            arena = e.load(self.word(e, 1), "ptr")
            slot = self.program.slot_of.get(buffer)
            offset = str(self.program.arena[buffer]) if slot is None else self._slot_offset(e, slot).ref
            return e.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {offset}", "ptr", hint=buffer.name)
        return self._buffer(e, self.addresses[buffer], buffer.name)

    def _buffer(self, e: Emitter, number: int, name: str) -> Val:
        table = e.load(Val("%context", "ptr"), "ptr")
        slot = e.define(f"getelementptr inbounds ptr, ptr {table.ref}, i64 {number}", "ptr")
        return e.define(f"load ptr, ptr {slot.ref}", "ptr", hint=name)

    def _block_word(self, e: Emitter, number: int) -> Val:
        """A word of the block of sizes."""
        block = self._buffer(e, len(self.addresses), "sizes")
        return e.load(e.define(f"getelementptr inbounds i64, ptr {block.ref}, i64 {number}", "ptr"), "i64")

    def _slot_offset(self, e: Emitter, slot: int) -> Val:
        assert self.program.sizes is not None
        return self._block_word(e, len(self.program.sizes.sources) + 1 + slot)

    def size(self, e: Emitter, symbol: str) -> Val:
        """The value of a symbol."""
        return self._block_word(e, self.symbols[symbol])

    def dim(self, e: Emitter, dim: Dim) -> Val:
        return SizeEmitter(e, lambda symbol: self.size(e, symbol)).value(dim)

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
            case Either():
                small = e.icmp("sle", self.dim(e, step.size), e.const(step.most, "i64"))
                self.choose(e, small, step.small, step.large, depth)

    def call(self, e: Emitter, kernel: Kernel) -> None:
        name = f"k{len(self.functions)}"
        text = kernel_text(kernel, name, self.pointer, self.variable, self.size, self.vector_bytes, self.declarations)
        self.functions.append(f"; {kernel.name}\n{text}")
        blocks = blocks_of(kernel, self.vector_bytes)
        if isinstance(blocks, int) and blocks <= 1:
            e.line(f"call void @{name}(ptr %context, i64 0, i64 {max(blocks, 1)})")
            return
        count = self.dim(e, blocks)
        self.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
        on_threads, alone = f"call void @{PARALLEL}(ptr @{name}, ptr %context, {count.typed})", e.label("alone")
        if kernel.work is None:
            e.line(on_threads)
            return
        many, after = e.label("threads"), e.label("after")
        enough = e.icmp("sge", self.dim(e, kernel.work), e.const(nest.PARALLEL_WORK, "i64"))
        e.branch_if(enough, many, alone)
        e.block(many)
        e.line(on_threads)
        e.branch(after)
        e.block(alone)
        e.line(f"call void @{name}(ptr %context, i64 0, {count.typed})")
        e.branch(after)
        e.block(after)

    def choose(self, e: Emitter, condition: Val, then: Sequence[Step], otherwise: Sequence[Step], depth: int) -> None:
        """The steps that a condition chooses."""
        labels, after = (e.label("small"), e.label("large")), e.label("done")
        e.branch_if(condition, *labels)
        for label, steps in zip(labels, (then, otherwise), strict=True):
            e.block(label)
            for step in steps:
                self.step(e, step, depth)
            e.branch(after)
        e.block(after)

    def repeat(self, e: Emitter, step: Repeat, depth: int) -> None:
        self.slots[step.var] = depth
        self.deepest = max(self.deepest, depth + 1)
        head, inside, after = e.label("repeat"), e.label("step"), e.label("done")
        extent = self.dim(e, step.var.extent)
        e.store(e.const(0, "i64"), self.word(e, CONTEXT_HEAD + depth))
        e.branch(head)
        e.block(head)
        count = self.variable(e, step.var)
        e.branch_if(e.icmp("slt", count, extent), inside, after)
        e.block(inside)
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
        for inner in step.body:
            self.step(e, inner, depth)
        e.branch(head)
        e.block(after)

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


def _constant(buffer: Buffer, program: Program) -> str:
    data = np.ascontiguousarray(program.data[buffer].full()).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@constant.{buffer.name} = private constant [{len(data)} x i8] c"{text}", align 64'
