"""Whether rows have left the caches when their folds are done, and are read again for what follows.

In groups of their own the folds and what follows run on threads, and read memory from one end to the other. Rows whose
elements lie apart, between those of other rows, leave a cache sooner than others: a line of memory has a few numbers of
each of many rows, of which only some are folded at a time, and lines that lie whole pages apart have few places in it.
Where the folds of a row feed further folds of it, as a mean does a variance, each of these would be one more pass over
all of memory, and somewhat longer rows are folded where they are.
"""

from __future__ import annotations

from rosin.ir.dims import product
from rosin.ir.facts import estimate
from rosin.ir.op import Elementwise, Fold, Value
from rosin.passes.flow import Flow
from rosin.passes.groups import Group, Uses

LENGTH = 1 << 19
"""Rows of so many elements have left the cache, wherever these lie."""

LEAST = 1 << 18
"""Where all rows between whose elements those of others lie have no more elements than these, all are in a cache."""

PAGE_BYTES, COLLIDING = 1 << 12, 256
"""Of elements that lie a number of whole pages apart, a cache has no room for more than these."""

ONCE, LARGE = 512, 1 << 22
"""Rows of so many elements are far if they are folded but once, or shorter ones in so large an array,"""
SEVERAL = 1536
"""and longer ones in any case."""

MOST_READERS = 64
"""So many nodes are looked at to find further folds."""


def is_far(group: Group, uses: Uses, flow: Flow) -> bool:
    """Whether a node reads what folds of rows give, beside rows that are in no cache any more."""
    length = estimate(product(tuple(group.domain[axis] for axis in group.reduced)))
    if length < LENGTH and not _is_far_apart(group, length, flow):
        return False
    kept = (group.axes.get(read.value) for read in uses.reads)
    return any(axes is not None and group.reduced.isdisjoint(axes) for axes in kept)


def _is_far_apart(group: Group, length: int, flow: Flow) -> bool:
    """Whether rows of such a length have elements that lie apart, in an array that leaves the cache meanwhile."""
    for value, axes in group.reads.items():
        order = [axis for axis in axes if axis is not None and axis in group.every]
        folded = [at for at, axis in enumerate(order) if axis in group.reduced]
        if not folded or order[-1] in group.reduced:
            continue
        sizes = [group.domain[axis] for axis in order]
        among = estimate(product(tuple(sizes[folded[0] :])))
        step = estimate(product(tuple(sizes[folded[-1] + 1 :]))) * value.type.dtype.bytes
        if among < LEAST:
            continue
        if length >= SEVERAL or (length >= COLLIDING and step % PAGE_BYTES == 0):
            return True
        return (length >= ONCE or among >= LARGE) and not _feeds_folds(group, flow)
    return False


def _feeds_folds(group: Group, flow: Flow) -> bool:
    """Whether what the folds of a group give goes into further folds of its rows."""
    waiting = [value for node in group.folded for value in node.results]
    sizes = {value.type.size for value in waiting}
    seen: set[Value] = {*waiting}
    while waiting and len(seen) < MOST_READERS:
        for node in flow.readers(waiting.pop()):
            if isinstance(node.op, Fold) and node.results[0].type.size in sizes:
                return True
            if isinstance(node.op, Elementwise) and node.results[0] not in seen:
                seen.add(node.results[0])
                waiting.append(node.results[0])
    return False
