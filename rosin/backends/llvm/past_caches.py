"""Stores of large arrays that go past the caches.

Before a processor writes to a line it reads it, into a cache that will have dropped it long before somebody wants it
again: where one array is read and one is written, three go through the memory's wires. Stores past the caches
("non-temporal") spare that one. They pay where memory is what takes the time: a sum of two arrays takes a quarter less.
Where a loop computes much for each number they do not, and may cost, since on some processors (Zen 4) vectors that
straddle two lines, as most of NumPy's arrays are read, wait for such stores.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.around import Surroundings
from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.emit import LINE_BYTES
from rosin.ir import index as indices
from rosin.ir.dims import is_static, static
from rosin.ir.index import Index
from rosin.ir.loops import Loop, Store, decides
from rosin.ir.statements import expressions, flops

MOST_FLOPS = 16
"""Loops of more operations for each number that they write take longer than memory does."""

LEAST_BYTES = 16
"""Shorter vectors are not written past the caches."""

LEAST_LINES, LEAST_APART = 8, 32
"""Rows of fewer lines are mostly begun and ended; those that begin anywhere in a line have more of that."""

MOST_PARTIAL = 2
"""So many lines at once may wait for the rest of their numbers, where a vector has less than a line."""

MOST_STORES = 4
"""Loops with more stores write rows that begin in different places of lines."""

LEAST_SHARE = 16
"""What is written is at least this part of what arrays have to take together: less is not worth it."""


def past_caches(inside: KernelContents, around: Surroundings) -> tuple[frozenset[Store], dict[Loop, Store]]:
    """The stores of a kernel that go past the caches, in those iterations that are whole vectors, and the loops whose
    vectors must begin where lines do that such a store writes, wherever its row begins."""
    far, sizes = around.far_bytes, [b.bytes for b in inside.kernel.buffers]
    if not far or not is_static(sizes) or sum(static(sizes, "arrays of a kernel")) < far:
        return frozenset(), {}
    read, lanes = inside.contents.loaded, inside.lanes
    found: set[Store] = set()
    moved: dict[Loop, Store] = {}
    for loop in inside.contents.vector_loops:
        if not _is_light(loop):
            continue
        own = [s for s in loop.body if isinstance(s, Store)]
        able = [s for s in own if s.buffer not in read and around.begins_line(s.buffer) and _is_large(s, far)]
        even = set(able).intersection(_in_lines(loop, own, lanes))
        found |= even
        apart = [] if even or len(own) > MOST_STORES else [s for s in able if _is_row(loop, s, lanes)]
        if apart:
            moved[loop] = apart[0]
            found.update(s for s in apart if _is_aligned(s.offset - apart[0].offset, lanes))
    return frozenset(found), moved


def _is_light(loop: Loop) -> bool:
    """Whether it is a plain loop of vectors that memory bounds."""
    if loop.backward or loop.refill or decides(loop):
        return False
    count = sum(isinstance(s, Store) for s in loop.body)
    return flops(list(expressions(loop.body))) <= MOST_FLOPS * count


def _in_lines(loop: Loop, own: Sequence[Store], lanes: int) -> list[Store]:
    """The stores of a vector loop that write line after line, in vectors that lie in one each, or are lines."""
    even = [s for s in own if _is_neighbours(loop, s) and _is_aligned(s.offset - indices.of(loop.var), lanes)]
    apart = {s.buffer for s in own if s not in even}
    few = len(own) <= MOST_PARTIAL
    return [
        s
        for s in own
        if s.buffer not in apart
        and _has_lines(loop, s, LEAST_LINES)
        and (_is_whole(s, lanes) or (few and lanes * s.buffer.dtype.bytes >= LEAST_BYTES))
    ]


def _is_row(loop: Loop, store: Store, lanes: int) -> bool:
    """Whether a loop writes rows that may begin anywhere, but are long enough to have lines of their own."""
    whole = _is_whole(store, lanes) and not loop.parallel and not loop.carries
    return whole and _is_neighbours(loop, store) and _has_lines(loop, store, LEAST_APART)


def _is_whole(store: Store, lanes: int) -> bool:
    """Whether vectors are lines."""
    return lanes * store.buffer.dtype.bytes % LINE_BYTES == 0


def _has_lines(loop: Loop, store: Store, least: int) -> bool:
    return isinstance(loop.var.extent, int) and loop.var.extent * store.buffer.dtype.bytes >= least * LINE_BYTES


def _is_neighbours(loop: Loop, store: Store) -> bool:
    """Whether lanes are neighbours in memory."""
    return dict(store.offset.terms).get(loop.var) == 1


def _is_aligned(offset: Index, lanes: int) -> bool:
    """Whether it is known to be a multiple of the lanes."""
    return all(isinstance(n, int) and n % lanes == 0 for n in (offset.constant, *(step for _, step in offset.terms)))


def _is_large(store: Store, far_bytes: int) -> bool:
    return isinstance(store.buffer.bytes, int) and store.buffer.bytes * LEAST_SHARE >= far_bytes
