"""Elements of lanes that lie a few places apart, such as the parts of a pair: whole blocks of memory, and shuffles.

Lane i of the vector for part k is element `parts * i + k` of a block. A block is read or written as one vector, which
costs a fraction of what it costs to reach each element by an address of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosin.backends.llvm.emit import Emitter, Val

MOST_PARTS = 4


def zipped(e: Emitter, values: Sequence[Val]) -> Val:
    """The block whose parts are the values, all of one type."""
    lanes = values[0].lanes
    halves = list(values)
    while len(halves) > 2:
        pairs = [halves[i : i + 2] for i in range(0, len(halves), 2)]
        halves = [_joined(e, *pair) if len(pair) == 2 else _widened(e, pair[0]) for pair in pairs]
    left, right = halves
    # Laid end to end, the halves have the parts one after the other.
    order = [part * lanes + i for i in range(lanes) for part in range(len(values))]
    return e.shuffle(left, right, order)


def unzipped(e: Emitter, block: Val, parts: int, part: int) -> Val:
    """One part of a block."""
    poison = Val("poison", block.elem, block.lanes)
    return e.shuffle(block, poison, range(part, block.lanes, parts))


def _joined(e: Emitter, left: Val, right: Val) -> Val:
    return e.shuffle(left, right, range(2 * left.lanes))


def _widened(e: Emitter, x: Val) -> Val:
    """`x` and as many lanes of which nothing is known."""
    return _joined(e, x, Val("poison", x.elem, x.lanes))
