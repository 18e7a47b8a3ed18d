"""What runs on threads."""

from __future__ import annotations

from dataclasses import replace as replace_fields

from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.loops import Kind, Loop

PARALLEL_WORK = 1_000_000
"""Kernels of fewer scalar operations, which take less than some 20 microseconds on one thread, stay on it. A byte
that is read or written counts as one: so many do not fit a near cache."""

IN_LOOPS = 4
"""Work of products in loops of the program counts so many times: threads that have just done their part of a step are
still awake."""

AHEAD = 20
"""So does that of copies for a kernel on threads that comes right after: it finds them awake, and a part of the copy
near them."""

COPIED = 2
"""And that of all other copies: what takes one thread ten microseconds takes two half of that."""

SHARED = 64
"""With so many iterations threads end about together."""


def threads(work: Dim, counts: int = 1) -> tuple[bool, Dim | None]:
    """Whether a kernel of so much work, which counts so many times, may run on threads, and the work where that is
    decided when it runs. What counts for nothing is part of a kernel on threads, and stays on one."""
    if not counts:
        return False, None
    if isinstance(work, int):
        return work * counts >= PARALLEL_WORK, None
    if facts.known_at_least(work, PARALLEL_WORK):
        return True, None
    return not facts.known_at_least(PARALLEL_WORK - 1, work), work


def on_many(loop: Loop, around: Dim = 1) -> Loop:
    """A loop for threads, which share the iterations of those inside of it too, until these are enough with so many
    around."""
    many, body = around * loop.var.extent, loop.body
    if loop.kind is Kind.SERIAL and len(body) == 1 and not facts.known_at_least(many, SHARED):
        (inner,) = body
        if isinstance(inner, Loop) and inner.kind is Kind.SERIAL and _is_plain(inner):
            body = (on_many(inner, many),)
    return replace_fields(loop, body=body, parallel=True)


def _is_plain(loop: Loop) -> bool:
    """Whether a loop does nothing but to run its body so many times."""
    return not (loop.carries or loop.start or loop.stop or loop.backward)
