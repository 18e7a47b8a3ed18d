"""A loop-level program as the text of one LLVM module.

The module defines `i32 <name>(ptr buffers, ptr arena)`. `buffers` holds the addresses of the arguments, then of the
results; `arena` is memory for everything in between. Constants are globals of the module. Kernels run one after the
other, those with a parallel loop on the threads of the pool, through `rosin_parallel(function, context, count)`.
"""

from __future__ import annotations

import numpy as np

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.kernel import blocks_of, kernel_text
from rosin.ir.loops import Buffer, Program, Scope

ENTRY = "program"
PARALLEL = "rosin_parallel"


def program_text(program: Program, vector_bytes: int) -> str:
    """The module for a program, for a host whose vector registers hold `vector_bytes`.

    Raises:
        UnsupportedError: an op has no rule on this target.
    """
    declarations: set[str] = set()
    addresses = {b: i for i, b in enumerate((*program.arguments, *program.results))}

    def pointer(e: Emitter, buffer: Buffer) -> Val:
        if buffer.scope is Scope.CONSTANT:
            return Val(f"@constant.{buffer.name}", "ptr")
        if buffer.scope is Scope.ARENA:
            arena_at = e.define("getelementptr inbounds ptr, ptr %context, i64 1", "ptr")
            arena = e.load(arena_at, "ptr")
            offset = program.arena[buffer]
            return e.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {offset}", "ptr", hint=buffer.name)
        table = e.load(Val("%context", "ptr"), "ptr")
        slot = e.define(f"getelementptr inbounds ptr, ptr {table.ref}, i64 {addresses[buffer]}", "ptr")
        return e.define(f"load ptr, ptr {slot.ref}", "ptr", hint=buffer.name)

    functions: list[str] = []
    calls = Emitter(declarations)
    for position, kernel in enumerate(program.kernels):
        name = f"k{position}"
        functions.append(f"; {kernel.name}\n" + kernel_text(kernel, name, pointer, vector_bytes, declarations))
        blocks = blocks_of(kernel, vector_bytes)
        if blocks > 1:
            declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
            calls.line(f"call void @{PARALLEL}(ptr @{name}, ptr %context, i64 {blocks})")
        else:
            calls.line(f"call void @{name}(ptr %context, i64 0, i64 {max(blocks, 1)})")
    main = "\n".join(
        [
            f"define i32 @{ENTRY}(ptr %buffers, ptr %arena) {{",
            "  %context = alloca [2 x ptr]",
            "  store ptr %buffers, ptr %context",
            "  %second = getelementptr inbounds ptr, ptr %context, i64 1",
            "  store ptr %arena, ptr %second",
            *calls.lines,
            "  ret i32 0",
            "}",
        ]
    )
    constants = [_constant(buffer, program) for buffer in program.constants]
    return "\n".join([f"; {program.name}", *constants, *sorted(declarations), "", *functions, main, ""])


def _constant(buffer: Buffer, program: Program) -> str:
    data = np.ascontiguousarray(program.data[buffer].full()).tobytes()
    text = "".join(f"\\{byte:02X}" for byte in data)
    return f'@constant.{buffer.name} = private constant [{len(data)} x i8] c"{text}", align 64'
