"""The function in which one thread runs some steps of a loop that threads share.

It has a context of its own, since that holds the variables of loops and the table of a kernel that comes again, and
room of its own: of as many rooms as there are the first that is free, which it gives back at the end. Who has which
room stands in a word for the whole program, a bit for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.emit import Emitter


def team_text(name: str, words: int, owners: int, most: int, body: Sequence[str], declarations: set[str]) -> str:
    """`void name(ptr shared, i64 first, i64 stop)` around a body, in which `%context` is the thread's own, of so many
    words, `%shared` that of the program, and `%number` the number of the room. The body goes on to `end`.

    Word `owners` of the context is the address of the word that says which of the `most` rooms are taken.
    """
    declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    declarations.add("declare i64 @llvm.cttz.i64(i64, i1)")
    e = Emitter(declarations, prefix="team")
    e.line(f"%context = alloca [{words} x ptr]")
    e.line(f"call void @llvm.memcpy.p0.p0.i64(ptr %context, ptr %shared, i64 {8 * words}, i1 false)")
    e.line(f"%place = getelementptr inbounds ptr, ptr %shared, i64 {owners}")
    e.line("%owners = load ptr, ptr %place")
    e.branch("look")
    e.block("look")
    e.line("%taken = load atomic i64, ptr %owners monotonic, align 8")
    e.line(f"%free = xor i64 %taken, {(1 << most) - 1}")
    e.line("%none = icmp eq i64 %free, 0")
    e.line("br i1 %none, label %look, label %take")
    e.block("take")
    e.line("%number = call i64 @llvm.cttz.i64(i64 %free, i1 true)")
    e.line("%bit = shl i64 1, %number")
    e.line("%new = or i64 %taken, %bit")
    e.line("%tried = cmpxchg ptr %owners, i64 %taken, i64 %new acquire monotonic")
    e.line("%has = extractvalue { i64, i1 } %tried, 1")
    e.line("br i1 %has, label %begin_steps, label %look")
    e.block("begin_steps")
    e.lines += body
    e.block("end")
    e.line("%others = xor i64 %bit, -1")
    e.line("%before = atomicrmw and ptr %owners, i64 %others release")
    e.line("ret void")
    lines = "\n".join(e.lines)
    return f"define internal void @{name}(ptr %shared, i64 %first, i64 %stop) {{\n{lines}\n}}\n"
