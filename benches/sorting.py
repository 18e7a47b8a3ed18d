"""Sorting and searching beside the peers; the numbers of an element are of all magnitudes of its type.

    python benches/sorting.py [NAME ...]     (see _rivals.py for more)

Every run sorts other numbers than the one before, so that no branch is learned. In a first call of ours the routine
comes from the disk when it has been there before.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import _libraries
import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, main

LEAST_VARIANTS, VARIED = 3, 150_000
"""Arrays of so many numbers together take turns: a processor learns the branches of a few that are sorted again and
again, as it does not those of new ones."""

SHAPES = ((100,), (1000,), (10_000,), (100_000,), (1_000_000,), (10_000_000,), (10_000, 32))


def numbers(dtype: str, shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    kind: Any = np.dtype(dtype)
    if kind.kind == "f":
        return rng.standard_normal(shape).astype(kind)
    return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, kind, endpoint=True)


def variants(dtype: str, shape: tuple[int, ...]) -> Arrays:
    count = max(LEAST_VARIANTS, VARIED // math.prod(shape))
    return [numbers(dtype, shape, seed) for seed in range(count)]


def function(name: str, n: Library) -> Callable[..., Any]:
    """Stable where places are asked for; all are in NumPy's order."""
    options = {"numpy": {"kind": "stable"}, "torch": {"stable": True}}.get(n.name, {}) if name == "argsort" else {}
    return lambda x: getattr(n.xp, name)(x, **options)


def in_turn(name: str, who: str, arrays: Arrays) -> Run:
    """What sorts the next one of some arrays."""
    library = _libraries.MAKERS[who]()
    run = library.compile(function(name, library))
    given = itertools.cycle([library.array(x) for x in arrays])
    return lambda: library.wait(run(next(given)))


def works() -> Iterator[Work]:
    for dtype in ("int32", "int64", "float32", "float64"):
        for shape in SHAPES:
            for name in ("sort", "argsort"):
                if shape[0] == 10_000_000 and name == "argsort":
                    continue
                text = f"{name} {dtype} {' x '.join(map(str, shape))}"
                own = {who: partial(in_turn, name, who) for who in ("rosin", "numpy", "jax", "torch")}
                yield Work(text, partial(variants, dtype, shape), None, own)
    for length, count in ((100, 1000), (100_000, 100_000)):
        arrays = partial(_searched, length, count)
        yield Work(f"searchsorted {count} in {length}", arrays, lambda n: lambda line, x: n.xp.searchsorted(line, x))


def _searched(length: int, count: int) -> Arrays:
    return [np.sort(numbers("float32", (length,), 0)), numbers("float32", (count,), 1)]


if __name__ == "__main__":
    main(list(works()), __doc__)
