"""In what order items come: plain or shuffled, by seed and epoch alone, and by length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Indices = np.ndarray[Any, Any]


def batches(count: int, size: int, *, shuffle: bool, seed: int, epoch: int, drop_last: bool) -> list[Indices]:
    """The places of the items of each batch of an epoch."""
    order = np.arange(count)
    if shuffle:
        order = np.random.default_rng((seed, epoch)).permutation(count)
    ends = range(0, count - size + 1 if drop_last else count, size)
    return [order[begin : begin + size] for begin in ends]


def by_length(lengths: Sequence[int], size: int, *, seed: int, epoch: int, pool: int = 50) -> list[Indices]:
    """Shuffled batches of items of about one length: `pool` batches at a time are sorted before they are cut."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(lengths))
    known = np.asarray(lengths)
    cut: list[Indices] = []
    for begin in range(0, len(order), size * pool):
        part = order[begin : begin + size * pool]
        part = part[np.argsort(known[part], kind="stable")]
        cut += [part[i : i + size] for i in range(0, len(part), size)]
    return [cut[i] for i in rng.permutation(len(cut))]
