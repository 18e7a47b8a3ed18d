"""Linear algebra beside the peers: NumPy and SciPy, and JAX and PyTorch where they are installed.

    python benches/linalg.py [NAME ...]

Every contestant gets the same matrices and two threads. Rounds are interleaved and the median is shown, with the time
of a first call of ours, in which routines come from the disk when they have been there before. The last column is the
best peer's time divided by ours: above 1, we are ahead.
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
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ROSIN_NUM_THREADS"):
    os.environ.setdefault(_name, str(THREADS))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np  # noqa: E402  # the number of threads comes first

import rosin  # noqa: E402
from rosin import numpy as rnp  # noqa: E402

ROUNDS = 7
LEAST_SECONDS = 2e-3
"""Short work is repeated until a round takes so long."""
STACK = 10_000
Run = Callable[..., object]


@dataclass(frozen=True)
class Bench:
    """One piece of work, as a function of the same arrays for each contestant."""

    name: str
    arrays: tuple[Any, ...]
    runs: dict[str, Run]


def matrices(dtype: str, *shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def positive(dtype: str, *shape: int) -> Any:
    x = matrices(dtype, *shape)
    return (x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1]) * shape[-1]).astype(dtype)


def small() -> Iterator[Bench]:
    """Many small matrices."""
    for dtype in ("float32", "float64"):
        for n in (4, 8, 16, 32):
            text = f"{dtype} {STACK} x {n} x {n}"
            a, b = positive(dtype, STACK, n, n), matrices(dtype, STACK, n, 1)
            yield Bench(f"cholesky {text}", (a,), contestants("cholesky"))
            yield Bench(f"solve {text}", (a, b), contestants("solve"))
            yield Bench(f"inv {text}", (a,), contestants("inv"))


def large() -> Iterator[Bench]:
    """One large matrix."""
    for n in (200, 1000):
        a, b = positive("float64", n, n), matrices("float64", n, n, seed=1)
        for name in ("cholesky", "inv", "qr", "eigh", "svdvals"):
            if n <= 200 or name in ("cholesky", "inv", "qr"):
                yield Bench(f"{name} float64 {n} x {n}", (a,), contestants(name))
        yield Bench(f"solve float64 {n} x {n}", (a, b), contestants("solve"))
        if n <= 200:
            yield Bench(f"expm float64 {n} x {n}", (b,), contestants("expm"))


def contestants(name: str) -> dict[str, Run]:
    """The function of this name, which takes NumPy's arrays as its own make them."""
    runs: dict[str, Run] = {"rosin": rosin.compile(getattr(rosin.scipy.linalg if name == "expm" else rnp.linalg, name))}
    if name != "expm":
        runs["numpy"] = getattr(np.linalg, name)
    if importlib.util.find_spec("scipy"):
        import scipy.linalg

        if name in ("expm", "qr", "eigh"):  # The others take one matrix, as NumPy's do, with more checks.
            runs["scipy"] = getattr(scipy.linalg, name)
    if importlib.util.find_spec("jax"):
        import jax

        theirs = jax.jit(jax.scipy.linalg.expm if name == "expm" else getattr(jax.numpy.linalg, name))
        runs["jax"] = lambda *xs: jax.block_until_ready(theirs(*xs))
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(THREADS)
        runs["torch"] = torch.linalg.matrix_exp if name == "expm" else getattr(torch.linalg, name)
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
    given = {name: converted(name, bench.arrays) for name in bench.runs}
    first = {name: seconds(run, given[name], 1) for name, run in bench.runs.items()}
    times = {n: max(1, int(LEAST_SECONDS / seconds(run, given[n], 1))) for n, run in bench.runs.items()}
    found: dict[str, list[float]] = {name: [] for name in bench.runs}
    for _ in range(ROUNDS):
        for name, run in bench.runs.items():
            found[name].append(seconds(run, given[name], times[name]))
    medians = {name: statistics.median(rounds) for name, rounds in found.items()}
    best = min(medians[name] for name in medians if name != "rosin")
    cells = "".join(f"{name} {1e3 * median:9.3f}  " for name, median in medians.items())
    return f"{bench.name:34} {cells} first {1e3 * first['rosin']:6.1f}  {best / medians['rosin']:6.2f}"


def main() -> None:
    wanted = sys.argv[1:]
    print(f"milliseconds, median of {ROUNDS} rounds, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    for bench in (*small(), *large()):
        if not wanted or any(word in bench.name for word in wanted):
            print(measure(bench), flush=True)


if __name__ == "__main__":
    main()
