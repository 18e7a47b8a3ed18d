"""NumPy's well-used rest beside the peers.

python benches/numpy_rest.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Work, main

RANDOM = np.random.default_rng(0)
LINE = RANDOM.normal(size=1_000_000).astype(np.float32)
WIDE = RANDOM.normal(size=1_000_000)
TABLE = RANDOM.normal(size=(2000, 2500)).astype(np.float32)
WHOLE = RANDOM.integers(0, 1000, 1_000_000).astype(np.int32)
NANS = np.where(LINE > 1, np.nan, LINE)
POINTS = np.sort(RANDOM.normal(size=1000)).astype(np.float32)


def _top(n: Library) -> Callable[..., Any]:
    if n.name == "numpy":
        return lambda x: np.sort(np.partition(x, -10)[-10:])[::-1]
    if n.name == "jax":
        import jax

        return lambda x: jax.lax.top_k(x, 10)
    return lambda x: n.xp.top_k(x, 10)


def _counts(n: Library) -> Callable[..., Any]:
    if n.name == "numpy":
        return lambda x: np.bincount(x, minlength=1000)
    return lambda x: n.xp.bincount(x, length=1000)


def named(name: str, **options: Any) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda *xs: getattr(n.xp, name)(*xs, **options)


WORK: dict[str, tuple[Callable[[Library], Callable[..., Any]], tuple[Any, ...]]] = {
    "bincount 1e6 in 1000": (_counts, (WHOLE,)),
    "histogram 1e6 in 100": (named("histogram", bins=100), (LINE,)),
    "histogram 1e6 in 999 edges": (named("histogram"), (LINE, POINTS)),
    "interp 1e6 in 1000": (named("interp"), (LINE, POINTS, POINTS**2)),
    "convolve 1e5 by 101": (named("convolve"), (LINE[:100_000], LINE[:101])),
    **{
        f"cumsum {size:.0e} {dtype}".replace("e+0", "e"): (
            named("cumsum", dtype=dtype),
            (RANDOM.normal(scale=9, size=size).astype(dtype),),
        )
        for dtype in ("int32", "int64", "float32", "float64")
        for size in (10_000, 1_000_000, 10_000_000)
    },
    "cumsum rows 2000 x 2500": (named("cumsum", axis=1), (TABLE,)),
    "cumsum columns 2000 x 2500": (named("cumsum", axis=0), (TABLE,)),
    "top_k 10 of 1e6": (_top, (LINE,)),
    "median 1e6": (named("median"), (LINE,)),
    "median of rows": (named("median", axis=1), (TABLE,)),
    "nanmean 1e6": (named("nanmean"), (NANS,)),
    "nanvar 1e6": (named("nanvar"), (NANS,)),
    "cov 100 x 2500": (named("cov"), (TABLE[:100],)),
    "gradient 1e6": (named("gradient"), (LINE,)),
    "pad reflect 2000 x 2500": (named("pad", pad_width=3, mode="reflect"), (TABLE,)),
}


def works() -> Iterator[Work]:
    """PyTorch has other names for most of these."""
    for name, (generic, arrays) in WORK.items():
        yield Work(name, lambda arrays=arrays: list(arrays), generic, {"torch": None})


if __name__ == "__main__":
    main(list(works()), __doc__)
