"""Stores of large arrays that go past the caches.

Before a processor writes to a line it reads it, into a cache that will have dropped it long before somebody wants it
again: where one array is read and one is written, three go through the memory's wires. Stores past the caches
("non-temporal") spare that one. They pay where memory is what takes the time: a sum of two arrays takes a quarter less.
Where a loop computes much for each number they do not, and may cost, since on some processors (Zen 4) vectors that
straddle two lines, as most of NumPy's arrays are read, wait for such stores.
"""

from __future__ import annotations

from collections.abc import Iterator

from rosin.backends.llvm.around import Surroundings
from rosin.backends.llvm.emit import LINE_BYTES
from rosin.ir.index import LoopVar
from rosin.ir.loops import Kind, Loop, Store
from rosin.ir.statements import expressions, flops, loaded_buffers, nested
from rosin.ir.steps import Kernel, decides

MOST_FLOPS = 16
"""Loops of more operations for each number that they write take longer than memory does."""

LEAST_BYTES = 16
"""Shorter vectors are not written past the caches."""

LEAST_LINES = 8
"""Rows of fewer lines are mostly begun and ended."""

MOST_PARTIAL = 2
"""So many lines at once may wait for the rest of their numbers, where a vector has less than a line."""

LEAST_SHARE = 16
"""What is written is at least this part of what arrays have to take together: less is not worth it."""


def past_caches(kernel: Kernel, lanes: int, around: Surroundings) -> frozenset[Store]:
    """The stores of a kernel that go past the caches, in those iterations that are whole vectors."""
    sizes = [b.bytes for b in kernel.buffers]
    if not around.far_bytes or not all(isinstance(n, int) for n in sizes):
        return frozenset()
    if sum(n for n in sizes if isinstance(n, int)) < around.far_bytes:
        return frozenset()
    read = loaded_buffers(kernel.body)
    return frozenset(
        store
        for loop in nested(kernel.body)
        if isinstance(loop, Loop) and _is_light(loop)
        for store in _in_lines(loop, lanes)
        if store.buffer not in read and around.begins_line(store.buffer) and _is_large(store, around.far_bytes)
    )


def _is_light(loop: Loop) -> bool:
    """Whether it is a plain vector loop that memory bounds."""
    if loop.kind is not Kind.VECTOR or loop.backward or loop.refill or decides(loop):
        return False
    count = sum(isinstance(s, Store) for s in loop.body)
    return flops(list(expressions(loop.body))) <= MOST_FLOPS * count


def _in_lines(loop: Loop, lanes: int) -> Iterator[Store]:
    """The stores of a vector loop that write line after line, in vectors that lie in one each, or are lines."""
    own = [s for s in loop.body if isinstance(s, Store)]
    apart = {s.buffer for s in own if not _is_aligned(s, loop.var, lanes)}
    for store in own:
        item, extent = store.buffer.dtype.bytes, loop.var.extent
        is_long = isinstance(extent, int) and extent * item >= LEAST_LINES * LINE_BYTES
        is_even = lanes * item % LINE_BYTES == 0 or (lanes * item >= LEAST_BYTES and len(own) <= MOST_PARTIAL)
        if is_long and is_even and store.buffer not in apart:
            yield store


def _is_aligned(store: Store, lane: LoopVar, lanes: int) -> bool:
    """Whether vectors begin at multiples of their lanes."""
    steps = dict(store.offset.terms)
    others = [store.offset.constant, *(step for atom, step in steps.items() if atom is not lane)]
    return steps.get(lane) == 1 and all(isinstance(step, int) and step % lanes == 0 for step in others)


def _is_large(store: Store, far_bytes: int) -> bool:
    return isinstance(store.buffer.bytes, int) and store.buffer.bytes * LEAST_SHARE >= far_bytes
