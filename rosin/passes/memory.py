"""Memory planning: one arena for all buffers of a program, in which buffers that are not live together share bytes.

The problem is dynamic storage allocation, which is NP-hard, so greedy orders are tried until one needs no more than
the bound, and the best is kept: buffers as they start, from large to small (Pisarchyk and Lee, "Efficient memory
management for deep neural net inference", 2020), from long-lived to short-lived. Each buffer goes into the tightest
hole that is free for the whole of its life. An order that needs more is tried again with those buffers first that
ended highest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rosin.ir.dataclass import dataclass

Places: TypeAlias = NDArray[np.int64]

TURNS = 8
WORK = 1 << 21
"""From each order on there are so many more turns at most; fewer where more pairs of buffers would be looked at."""
NEAR = 64
"""No turn is taken for less than this part of the bound."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A buffer of `size_bytes`, live from step `first` to step `last`, both included."""

    size_bytes: int
    first: int
    last: int


_ORDERS: tuple[Callable[[Lifetime, int], tuple[int, int]], ...] = (
    lambda b, size: (b.first, -size),
    lambda b, size: (-size, b.first),
    lambda b, size: (b.first - b.last, -size),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The offset of each buffer and the size of the arena; no plan can take less than `lower_bound`."""

    offsets: tuple[int, ...]
    total_bytes: int
    lower_bound: int


def plan(buffers: Sequence[Lifetime], alignment: int = 64, reuse: Sequence[tuple[int, int]] = ()) -> Plan:
    """Offsets, multiples of `alignment`, at which buffers that are live at one step do not overlap.

    A pair `(i, j)` in `reuse` says that buffer j may be written over buffer i in place: the last step of i is the first
    of j. The two then either start at the same offset or do not overlap.

    Raises:
        ValueError: a size is negative, a buffer ends before it starts, the alignment is not a positive number, or a
            pair in `reuse` does not meet at one step.
    """
    _check(buffers, alignment, reuse)
    sizes = [-(-b.size_bytes // alignment) * alignment for b in buffers]
    bound = _lower_bound(buffers, sizes, reuse)
    partners: defaultdict[int, set[int]] = defaultdict(set)
    for i, j in reuse:
        partners[i].add(j)
        partners[j].add(i)
    real = [i for i, size in enumerate(sizes) if size]
    best, total = [0] * len(buffers), sum(sizes) + 1
    turns = min(TURNS, WORK // max(len(real), 1) ** 2)
    for key in _ORDERS:
        order = sorted(real, key=lambda i: key(buffers[i], sizes[i]))
        for _ in range(1 + turns):
            found = _in_order(buffers, sizes, partners, order)
            extent = _extent(found, sizes)
            if extent < total:
                best, total = found, extent
            if total <= bound + bound // NEAR:
                break
            # What ended highest goes first in the next turn.
            order.sort(key=lambda i: found[i] + sizes[i] < extent)
        if total <= bound:
            break
    return Plan(tuple(best), total, bound)


def _check(buffers: Sequence[Lifetime], alignment: int, reuse: Sequence[tuple[int, int]]) -> None:
    if alignment < 1:
        raise ValueError(f"the alignment is {alignment}; it must be positive")
    for i, b in enumerate(buffers):
        if b.size_bytes < 0 or b.last < b.first:
            raise ValueError(f"buffer {i} has {b.size_bytes} bytes and lives from step {b.first} to {b.last}")
    for i, j in reuse:
        if i == j or buffers[i].last != buffers[j].first:
            steps = f"buffer {i} is last live at step {buffers[i].last} and buffer {j} first at {buffers[j].first}"
            raise ValueError(f"buffer {j} cannot take the memory of buffer {i}: {steps}")


def _extent(offsets: Sequence[int], sizes: Sequence[int]) -> int:
    return max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0)


def _lower_bound(buffers: Sequence[Lifetime], sizes: Sequence[int], reuse: Iterable[tuple[int, int]]) -> int:
    """The most bytes that are live at one step, where a buffer that may lie in another counts only what exceeds it."""
    change: defaultdict[int, int] = defaultdict(int)
    for b, size in zip(buffers, sizes, strict=True):
        change[b.first] += size
        change[b.last + 1] -= size
    shared: defaultdict[int, int] = defaultdict(int)
    for i, j in reuse:
        shared[j] = max(shared[j], min(sizes[i], sizes[j]))
    saved: defaultdict[int, int] = defaultdict(int)
    for j, size in shared.items():
        saved[buffers[j].first] += size
    live = peak = 0
    for step in sorted(change):
        live += change[step]
        peak = max(peak, live - saved[step])
    return peak


def _in_order(
    buffers: Sequence[Lifetime], sizes: Sequence[int], partners: dict[int, set[int]], order: Sequence[int]
) -> list[int]:
    """Offsets when buffers are placed in `order`, among all that were placed and are live at some step with them."""
    first = np.array([buffers[i].first for i in order])
    last = np.array([buffers[i].last for i in order])
    needed = np.array([sizes[i] for i in order])
    rank = {i: position for position, i in enumerate(order)}
    found = np.zeros(len(order), np.int64)
    for position, i in enumerate(order):
        together = (first[:position] <= buffers[i].last) & (last[:position] >= buffers[i].first)
        starts = found[:position][together]
        ends = starts + needed[:position][together]
        at = None
        if i in partners:
            ranks = (rank[partner] for partner in partners[i] if partner in rank)
            placed = [int(found[k]) for k in ranks if k < position and together[k]]
            at = next((at for at in placed if _holds_one(starts, ends, at, sizes[i])), None)
        found[position] = _tightest(starts, ends, sizes[i]) if at is None else at
    offsets = [0] * len(buffers)
    for i, at in zip(order, found.tolist(), strict=True):
        offsets[i] = at
    return offsets


def _holds_one(starts: Places, ends: Places, at: int, size: int) -> bool:
    """Whether there is one buffer alone where so many bytes from `at` on would be: the partner that begins there."""
    return np.count_nonzero((ends > at) & (starts < at + size)) == 1


def _tightest(starts: Places, ends: Places, size: int) -> int:
    """The begin of the tightest hole of so many bytes, or the end of all."""
    if not len(starts):
        return 0
    by_start = starts.argsort(kind="stable")
    free = np.zeros(len(starts) + 1, np.int64)
    np.maximum.accumulate(ends[by_start], out=free[1:])
    holes = starts[by_start] - free[:-1]
    (fits,) = (holes >= size).nonzero()
    return int(free[fits[holes[fits].argmin()]] if fits.size else free[-1])
