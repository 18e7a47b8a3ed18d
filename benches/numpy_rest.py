"""NumPy's well-used rest beside the peers: NumPy, and JAX where it is installed.

    python benches/numpy_rest.py [NAME ...]

Every contestant gets the same numbers and two threads. Rounds are interleaved and the median is shown, with the time of
a first call of ours. The last column is the best peer's time divided by ours: above 1, we are ahead.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

THREADS = 2
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ["ROSIN_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402  # the number of threads comes first

import rosin  # noqa: E402
from rosin import numpy as rnp  # noqa: E402

ROUNDS = 7
LEAST_SECONDS = 1e-3
"""Short work is repeated until a round takes so long."""
Work = Callable[..., Any]

RANDOM = np.random.default_rng(0)
LINE = RANDOM.normal(size=1_000_000).astype(np.float32)
WIDE = RANDOM.normal(size=1_000_000)
TABLE = RANDOM.normal(size=(2000, 2500)).astype(np.float32)
WHOLE = RANDOM.integers(0, 1000, 1_000_000).astype(np.int32)
NANS = np.where(LINE > 1, np.nan, LINE)
POINTS = np.sort(RANDOM.normal(size=1000)).astype(np.float32)


def _top(xp: Any, x: Any) -> Any:
    if xp is np:
        return np.sort(np.partition(x, -10)[-10:])[::-1]
    if xp is rnp:
        return rnp.top_k(x, 10)
    import jax

    return jax.lax.top_k(x, 10)


def _counts(xp: Any, x: Any) -> Any:
    return np.bincount(x, minlength=1000) if xp is np else xp.bincount(x, length=1000)


WORK: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "bincount 1e6 in 1000": (_counts, (WHOLE,)),
    "histogram 1e6 in 100": (lambda xp, x: xp.histogram(x, 100), (LINE,)),
    "histogram 1e6 in 999 edges": (lambda xp, x, edges: xp.histogram(x, edges), (LINE, POINTS)),
    "interp 1e6 in 1000": (lambda xp, x, p, f: xp.interp(x, p, f), (LINE, POINTS, POINTS**2)),
    "convolve 1e5 by 101": (lambda xp, x, y: xp.convolve(x, y), (LINE[:100_000], LINE[:101])),
    "cumsum 1e4 f32": (lambda xp, x: xp.cumsum(x), (LINE[:10_000],)),
    "cumsum 1e6 f32": (lambda xp, x: xp.cumsum(x), (LINE,)),
    "cumsum 1e6 f64": (lambda xp, x: xp.cumsum(x), (WIDE,)),
    "cumsum 1e6 i32": (lambda xp, x: xp.cumsum(x, dtype=np.int32), (WHOLE,)),
    "cumsum rows 2000 x 2500": (lambda xp, x: xp.cumsum(x, axis=1), (TABLE,)),
    "cumsum columns 2000 x 2500": (lambda xp, x: xp.cumsum(x, axis=0), (TABLE,)),
    "top_k 10 of 1e6": (_top, (LINE,)),
    "median 1e6": (lambda xp, x: xp.median(x), (LINE,)),
    "median of rows": (lambda xp, x: xp.median(x, axis=1), (TABLE,)),
    "nanmean 1e6": (lambda xp, x: xp.nanmean(x), (NANS,)),
    "nanvar 1e6": (lambda xp, x: xp.nanvar(x), (NANS,)),
    "cov 100 x 2500": (lambda xp, x: xp.cov(x), (TABLE[:100],)),
    "gradient 1e6": (lambda xp, x: xp.gradient(x), (LINE,)),
    "pad reflect 2000 x 2500": (lambda xp, x: xp.pad(x, 3, mode="reflect"), (TABLE,)),
}


def contestants(function: Callable[..., Any], arrays: tuple[Any, ...]) -> dict[str, Callable[[], object]]:
    """The work of each contestant, which waits until it is done."""
    compiled, ours = rosin.compile(lambda *xs: function(rnp, *xs)), [rnp.asarray(x) for x in arrays]
    runs: dict[str, Callable[[], object]] = {
        "rosin": lambda: compiled(*ours),
        "numpy": lambda: function(np, *arrays),
    }
    if importlib.util.find_spec("jax"):
        import jax

        jitted, theirs = jax.jit(lambda *xs: function(jax.numpy, *xs)), [jax.numpy.asarray(x) for x in arrays]
        runs["jax"] = lambda: jax.block_until_ready(jitted(*theirs))
    return runs


def seconds(run: Callable[[], object], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def measure(name: str) -> str:
    """A line of the table."""
    runs = contestants(*WORK[name])
    first = {who: seconds(run) for who, run in runs.items()}
    times = {who: max(1, int(LEAST_SECONDS / seconds(run))) for who, run in runs.items()}
    found: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(ROUNDS):
        for who, run in runs.items():
            found[who].append(seconds(run, times[who]))
    medians = {who: statistics.median(rounds) for who, rounds in found.items()}
    best = min(median for who, median in medians.items() if who != "rosin")
    cells = "".join(f"{who} {1e3 * median:9.3f}  " for who, median in medians.items())
    return f"{name:28} {cells} first {1e3 * first['rosin']:6.1f} ms  {best / medians['rosin']:6.2f}"


def main() -> None:
    wanted = sys.argv[1:]
    print(f"milliseconds, median of {ROUNDS} rounds, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    for name in WORK:
        if not wanted or any(word in name for word in wanted):
            print(measure(name), flush=True)


if __name__ == "__main__":
    main()
