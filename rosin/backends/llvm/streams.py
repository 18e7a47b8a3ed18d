"""What the steps of a loop read of memory, asked for before it is needed.

The loop of a tile of sums reads a line or more of a panel in each step, which stays in the second cache for the tiles
after it. Its multipliers wait for each step a little, and longer where the other half of the core is busy, unless these
lines are on their way to the nearest cache long before. What several steps find in one line comes by itself.

A loop may read rows of an array whose numbers are in memory: the updates of a segment, or what a row of a sparse matrix
is multiplied by. No processor foresees where the next row is. The loop knows the numbers of those after it, and asks
for them while it adds up others (Ainsworth and Jones, "Software Prefetching for Indirect Memory Accesses", 2017).

Several rows of a large array at a time, or parts of them, are several streams, which processors follow to the end of a
page each. While a loop reads some rows, it asks for those that the loop around it reads next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from operator import itemgetter
from typing import TypeAlias

from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.emit import LINE_BYTES
from rosin.backends.llvm.places import PRIVATE
from rosin.backends.llvm.vector_loops import MOST_SUMS
from rosin.ir import facts
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import Accumulate, Apply, Buffer, Const, FromIndex, Kind, Load, Loop, walk
from rosin.ir.statements import expressions, nested

STEPS_AHEAD = 8
"""So many steps take longer than a line of the second cache takes to come."""

ROWS_AHEAD = 8
"""So many rows of a few lines are added up while one comes from memory."""

FAR_BYTES = 1 << 20
"""Arrays of no more are in the second cache, mostly, from which rows come soon enough."""

FAR_SHARE = 4
"""Of arrays with so small a part of what is in no cache, some may be in the last one: to ask costs more there."""

MOST_NEXT_BYTES = 1 << 18
"""What is asked for is to be in the second cache still when it is read."""

NEAREST_BYTES = 1 << 14
"""What a kernel has copied for itself is in the nearest cache, if it is no more than this."""


def streams(loop: Loop, by_line: Callable[[Load], bool]) -> Iterator[tuple[Load, int]]:
    """Loads that read other lines in each step of the loop of a tile, one for each line, and how many elements further
    they read `STEPS_AHEAD` steps later. `by_line` tells of a load whether it reads no more than a line at a time."""
    if loop.kind is not Kind.SERIAL or loop.backward or facts.estimate(loop.var.extent) < STEPS_AHEAD:
        return
    inside = list(nested(loop.body))
    if sum(isinstance(s, Accumulate) for s in inside) <= MOST_SUMS or any(isinstance(s, Loop) for s in inside):
        return
    together: dict[tuple[Buffer, Index], dict[int, tuple[Load, int]]] = {}
    for load in walk(*expressions(loop.body)):
        if not isinstance(load, Load) or _is_near(load.buffer):
            continue
        step, place = load.offset.coefficient(loop.var), load.offset.constant
        if not isinstance(step, int) or abs(step) * load.dtype.bytes < LINE_BYTES:
            continue
        if isinstance(place, int) and load.offset.affine_in(loop.var) and by_line(load):
            beside = together.setdefault((load.buffer, load.offset - place), {})
            beside[place * load.dtype.bytes] = load, step * STEPS_AHEAD
    for beside in together.values():
        end: int | None = None
        for place, found in sorted(beside.items(), key=itemgetter(0)):
            if end is None or place >= end:
                end = place + LINE_BYTES
                yield found


def gathered(loop: Loop) -> list[Load]:
    """Loads of a loop, in which no loop is, that are of places which memory tells for each step, and is able to tell
    for later ones."""
    if loop.kind is not Kind.SERIAL or loop.backward or facts.estimate(loop.var.extent) <= ROWS_AHEAD:
        return []
    if any(isinstance(s, Loop) for s in nested(loop.body)):
        return []
    return [
        load
        for load in walk(*expressions(loop.body))
        if isinstance(load, Load)
        and load.buffer.scope not in PRIVATE
        and facts.estimate(load.buffer.bytes) > FAR_BYTES
        and not load.offset.affine_in(loop.var)
        and all(_is_foreseen(atom, loop.var) for atom in load.offset.dynamics())
    ]


NextRows: TypeAlias = "Mapping[Loop, Sequence[tuple[Load, int]]]"


def next_rows(inside: KernelContents, far_bytes: int) -> NextRows:
    """Loads of vector loops that read rows of large arrays, other ones in each step of the loop around, and how many
    elements further they read in its next step."""
    found: dict[Loop, list[tuple[Load, int]]] = {}
    large = {b for b in inside.contents.buffers if 0 < far_bytes <= FAR_SHARE * facts.estimate(b.bytes)}
    if not large:
        return found
    for around in inside.contents.statements:
        if not isinstance(around, Loop) or around.kind is not Kind.SERIAL or around.backward:
            continue
        for loop in around.body:
            if isinstance(loop, Loop) and loop.kind is Kind.VECTOR and not loop.backward and not loop.refill:
                rows = list(_rows(around, loop, large))
                if rows and sum(_row_bytes(loop, load) for load, _ in rows) <= MOST_NEXT_BYTES:
                    found[loop] = rows
    return found


def _rows(around: Loop, loop: Loop, large: Set[Buffer]) -> Iterator[tuple[Load, int]]:
    inner = {s.var for s in nested(loop.body) if isinstance(s, Loop)}
    for load in walk(*expressions(loop.body)):
        if not isinstance(load, Load) or load.buffer not in large or load.offset.dynamics():
            continue
        step, by_lane = load.offset.coefficient(around.var), load.offset.coefficient(loop.var)
        if by_lane != 1 or not isinstance(step, int) or not inner.isdisjoint(load.offset.variables()):
            continue
        if abs(step) * load.dtype.bytes >= _row_bytes(loop, load):
            yield load, step


def _row_bytes(loop: Loop, load: Load) -> int:
    return facts.estimate(loop.var.extent) * load.dtype.bytes


def _is_foreseen(place: Dynamic, var: LoopVar) -> bool:
    """Whether a place can be computed for another step: from memory that step after step reads line after line."""
    return all(
        (isinstance(e, Load) and e.buffer.scope not in PRIVATE and e.offset.affine_in(var))
        or isinstance(e, Apply | Const | FromIndex)
        for e in walk(place.value)
    )


def _is_near(buffer: Buffer) -> bool:
    return buffer.scope in PRIVATE and isinstance(buffer.bytes, int) and buffer.bytes <= NEAREST_BYTES
