"""Running sums beside a copy of the same array by `np.copyto`, as NumPy: *ahead* is our share of a copy's speed.

    python benches/running_sums.py --peers numpy [NAME ...]     (see _rivals.py for more)

Both write to memory that they have written to before. *limit* counts what is read and written by the rate of memory,
which says nothing where the arrays stay in a cache: those of a million numbers do, and those of 4096x512.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, main

SHAPES = (((1_000_000,), 0), ((10_000_000,), 0), ((4096, 512), 1), ((4096, 512), 0))


def copied(arrays: Arrays) -> Run:
    (x,) = arrays
    return partial(np.copyto, np.copy(x), x)


def summed(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.cumulative_sum(x, axis=axis)


def summed_backward(axis: int) -> Callable[[Library], Callable[..., Any]]:
    """What the gradient of a running sum is."""
    return lambda n: lambda x: n.xp.flip(n.xp.cumulative_sum(n.xp.flip(x, axis=axis), axis=axis), axis=axis)


def greatest(axis: int) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda x: n.xp.cummax(x, axis=axis)


def numbers(shape: tuple[int, ...], dtype: str) -> Arrays:
    return [np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)]


def works() -> Iterator[Work]:
    kinds = (("sums", summed), ("backward sums", summed_backward), ("maxima", greatest))
    for kind, make in kinds:
        for dtype in ("float32", "float64", "int32", "int64"):
            for shape, axis in SHAPES:
                name = f"{kind} {dtype} {'x'.join(map(str, shape))} along {axis}"
                size = 2.0 * math.prod(shape) * np.dtype(dtype).itemsize
                yield Work(name, partial(numbers, shape, dtype), make(axis), {"numpy": copied}, bytes=size)


if __name__ == "__main__":
    main(list(works()), __doc__)
