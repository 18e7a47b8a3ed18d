"""Fourier transforms beside the peers: SciPy and NumPy (pocketfft), and PyTorch (MKL) and JAX where they are installed.

    python benches/fft.py [THREADS] [NAME ...]

Every contestant gets the same numbers and as many threads, 1 by default. Rounds are interleaved and the median is
shown, with the time of a first call of ours, in which passes come from the disk when they have been there before. The
last columns are SciPy's time and the best peer's divided by ours: above 1, we are ahead.
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

THREADS = int(sys.argv.pop(1)) if sys.argv[1:] and sys.argv[1].isdigit() else 1
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ROSIN_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np  # noqa: E402  # the number of threads comes first
import scipy.fft  # noqa: E402

import rosin  # noqa: E402
from rosin import numpy as rnp  # noqa: E402

ROUNDS = 7
LEAST_SECONDS = 2e-4
"""Short work is repeated until a round takes so long."""
Run = Callable[[], object]
WORK: list[tuple[str, tuple[int, ...]]] = [
    *(("fft", (n,)) for n in (16, 64, 100, 256, 1000, 1024, 1155, 4096, 10007, 1 << 16, 1 << 18, 1 << 20)),
    *(("rfft", (n,)) for n in (16, 256, 1000, 1024, 1155, 1 << 16, 1 << 20)),
    *(("irfft", (n,)) for n in (256, 1000, 1 << 16)),
    *((name, shape) for name in ("fft", "rfft") for shape in ((1000, 8), (1000, 15), (1000, 256), (100, 1000))),
    *((name, shape) for name in ("fft2", "rfft2") for shape in ((512, 512), (360, 500))),
]


@dataclass(frozen=True)
class Bench:
    """One piece of work, as a function without operands for each contestant."""

    name: str
    runs: dict[str, Run]


def benches() -> Iterator[Bench]:
    for name, shape in WORK:
        for real in ("float32", "float64"):
            x: Any = np.random.default_rng(0).standard_normal(shape).astype(real)
            if not name.startswith("rfft"):
                x = x + 1j * x[..., ::-1]
            if name == "irfft":
                x = x[..., : shape[-1] // 2 + 1]
            yield Bench(f"{name} {real} {' x '.join(map(str, shape))}", contestants(name, np.ascontiguousarray(x)))


def contestants(name: str, x: Any) -> dict[str, Run]:
    own, given = rosin.compile(getattr(rnp.fft, name)), rnp.asarray(x)
    runs: dict[str, Run] = {
        "rosin": lambda: own(given),
        "scipy": lambda: getattr(scipy.fft, name)(x, workers=THREADS),
        "numpy": lambda: getattr(np.fft, name)(x),
    }
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(THREADS)
        tensor: Any = torch.from_numpy(x)
        runs["torch"] = lambda: getattr(torch.fft, name)(tensor)
    if importlib.util.find_spec("jax"):
        import jax

        function, array = jax.jit(getattr(jax.numpy.fft, name)), jax.numpy.asarray(x)
        runs["jax"] = lambda: function(array).block_until_ready()
    return runs


def seconds(run: Run, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def measure(bench: Bench) -> str:
    """A line of the table."""
    first = {name: seconds(run, 1) for name, run in bench.runs.items()}
    times = {name: max(1, int(LEAST_SECONDS / seconds(run, 1))) for name, run in bench.runs.items()}
    found: dict[str, list[float]] = {name: [] for name in bench.runs}
    for _ in range(ROUNDS):
        for name, run in bench.runs.items():
            found[name].append(seconds(run, times[name]))
    medians = {name: statistics.median(values) for name, values in found.items()}
    ours, best = medians["rosin"], min(value for name, value in medians.items() if name != "rosin")
    shown = "  ".join(f"{name} {value * 1e6:9.1f}" for name, value in medians.items())
    ratios = f"{medians['scipy'] / ours:6.2f} {best / ours:6.2f}"
    return f"{bench.name:28} {shown}  first {first['rosin'] * 1e3:6.1f} ms {ratios}"


def main() -> None:
    print(f"microseconds, {THREADS} thread{'s' * (THREADS > 1)}; load {os.getloadavg()[0]:.1f}")
    for bench in benches():
        if len(sys.argv) < 2 or any(word in bench.name for word in sys.argv[1:]):
            print(measure(bench), flush=True)


if __name__ == "__main__":
    main()
