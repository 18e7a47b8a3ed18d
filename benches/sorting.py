"""Sorting and searching beside the peers: NumPy, and JAX and PyTorch where they are installed.

    python benches/sorting.py [NAME ...]

Every contestant gets the same numbers and two threads. Rounds are interleaved and the median is shown, with the time of
a first call of ours, in which the routine comes from the disk when it has been there before. The last column is the
best peer's time divided by ours: above 1, we are ahead. Every round sorts other numbers, so that no branch is learned.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
VARIANTS = 3
"""How many arrays of numbers take turns."""
LEAST_SECONDS = 2e-4
"""Short work is repeated until a round takes so long."""
Run = Callable[..., object]


@dataclass(frozen=True)
class Bench:
    """One piece of work, as a function of the same arrays for each contestant."""

    name: str
    arrays: list[tuple[Any, ...]]
    """The operands of each variant."""
    runs: dict[str, Run]


def numbers(dtype: str, shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    kind: Any = np.dtype(dtype)
    if kind.kind == "f":
        return rng.standard_normal(shape).astype(kind)
    return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, kind, endpoint=True)


def sorts() -> Iterator[Bench]:
    for dtype in ("int32", "int64", "float32", "float64"):
        for shape in ((100,), (10_000,), (1_000_000,), (10_000, 32)):
            arrays = [(numbers(dtype, shape, seed),) for seed in range(VARIANTS)]
            text = f"{dtype} {' x '.join(map(str, shape))}"
            yield Bench(f"sort {text}", arrays, contestants("sort"))
            yield Bench(f"argsort {text}", arrays, contestants("argsort"))


def searches() -> Iterator[Bench]:
    for length, count in ((100, 1000), (100_000, 100_000)):
        line, wanted = numbers("float32", (length,), 0), numbers("float32", (count,), 1)
        yield Bench(f"searchsorted {count} in {length}", [(np.sort(line), wanted)], contestants("searchsorted"))


def contestants(name: str) -> dict[str, Run]:
    """The function of this name, which takes NumPy's arrays as its own make them."""
    numpy: dict[str, Run] = {
        "sort": np.sort,
        "argsort": lambda x: np.argsort(x, kind="stable"),
        "searchsorted": np.searchsorted,
    }
    runs: dict[str, Run] = {"rosin": rosin.compile(getattr(rnp, name)), "numpy": numpy[name]}
    if importlib.util.find_spec("jax"):
        import jax

        ours = jax.jit(getattr(jax.numpy, name))
        runs["jax"] = lambda *xs: ours(*xs).block_until_ready()
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(THREADS)
        function: Any = getattr(torch, name)
        runs["torch"] = lambda *xs: function(*xs, stable=True) if name == "argsort" else function(*xs)
    return runs


def converted(contestant: str, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    if contestant == "jax":
        import jax

        return tuple(map(jax.numpy.asarray, arrays))
    if contestant == "torch":
        import torch

        return tuple(map(torch.from_numpy, arrays))
    return tuple(map(rnp.asarray, arrays)) if contestant == "rosin" else arrays


def seconds(run: Run, arrays: tuple[Any, ...], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run(*arrays)
    return (time.perf_counter() - start) / times


def measure(bench: Bench) -> str:
    """A line of the table."""
    given = {name: [converted(name, arrays) for arrays in bench.arrays] for name in bench.runs}
    first = {name: seconds(run, given[name][0], 1) for name, run in bench.runs.items()}
    times = {n: max(1, int(LEAST_SECONDS / seconds(run, given[n][0], 1))) for n, run in bench.runs.items()}
    found: dict[str, list[float]] = {name: [] for name in bench.runs}
    for number in range(ROUNDS):
        for name, run in bench.runs.items():
            found[name].append(seconds(run, given[name][number % len(given[name])], times[name]))
    medians = {name: statistics.median(rounds) for name, rounds in found.items()}
    best = min(medians[name] for name in medians if name != "rosin")
    cells = "".join(f"{name} {1e6 * median:10.2f}  " for name, median in medians.items())
    return f"{bench.name:32} {cells} first {1e3 * first['rosin']:6.1f} ms  {best / medians['rosin']:6.2f}"


def main() -> None:
    wanted = sys.argv[1:]
    print(f"microseconds, median of {ROUNDS} rounds, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    for bench in (*sorts(), *searches()):
        if not wanted or any(word in bench.name for word in wanted):
            print(measure(bench), flush=True)


if __name__ == "__main__":
    main()
