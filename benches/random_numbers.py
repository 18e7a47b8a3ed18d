"""Random numbers beside the peers: NumPy, and JAX and PyTorch where they are installed.

    python benches/random_numbers.py [NAME ...]

Every contestant draws as many numbers of the same distribution, from its own generator, with two threads; ours is a
compiled function of the key, `eager` the function of rosin.random called as it is. Rounds are interleaved and the
median is shown, in nanoseconds for a number, with the time of the first call of ours. The last columns are NumPy's
time and the best peer's divided by ours: above 1, we are ahead.
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

ROUNDS = 7
LEAST_SECONDS = 2e-4
"""Short work is repeated until a round takes so long."""
Run = Callable[[], object]
WEIGHTS = np.arange(1, 101, dtype=np.float32) / 5050


@dataclass(frozen=True)
class Bench:
    """One distribution: how each contestant draws `count` numbers of it."""

    name: str
    count: int
    runs: dict[str, Run]


def benches() -> Iterator[Bench]:
    for dtype in ("float32", "float64"):
        for count in (1_000, 100_000, 10_000_000):
            yield _floats("uniform", dtype, count)
            yield _floats("normal", dtype, count)
        yield _floats("exponential", dtype, 1_000_000)
        yield _floats("gamma", dtype, 1_000_000)
    for name in ("poisson 4", "poisson 100", "binomial", "choice", "choice by p", "categorical", "permutation"):
        yield _others(name, 1_000_000)


def _floats(name: str, dtype: str, count: int) -> Bench:
    generator: Any = np.random.default_rng(0)
    numpy = {
        "uniform": lambda: generator.random(count, dtype),
        "normal": lambda: generator.standard_normal(count, dtype),
        "exponential": lambda: generator.standard_exponential(count, dtype),
        "gamma": lambda: generator.standard_gamma(2.5, count, dtype),
    }[name]

    def draw(random: Any, key: Any) -> Any:
        if name == "gamma":
            return random.gamma(key, np.asarray(2.5, dtype), (count,), dtype)
        return getattr(random, name)(key, (count,), dtype)

    return Bench(f"{name} {dtype} {count}", count, {**_keyed(draw), "numpy": numpy, **_torch(name, dtype, count)})


def _others(name: str, count: int) -> Bench:
    generator: Any = np.random.default_rng(0)
    numpy = {
        "poisson 4": lambda: generator.poisson(4.0, count),
        "poisson 100": lambda: generator.poisson(100.0, count),
        "binomial": lambda: generator.binomial(100, 0.3, count),
        "choice": lambda: generator.choice(100, count),
        "choice by p": lambda: generator.choice(100, count, p=WEIGHTS / WEIGHTS.sum(dtype=np.float64)),
        "categorical": lambda: generator.choice(100, count // 10, p=WEIGHTS / WEIGHTS.sum(dtype=np.float64)),
        "permutation": lambda: generator.permutation(count),
    }[name]
    ours: dict[str, Callable[[Any, Any], Any]] = {
        "poisson 4": lambda random, key: random.poisson(key, 4.0, (count,)),
        "poisson 100": lambda random, key: random.poisson(key, 100.0, (count,)),
        "binomial": lambda random, key: random.binomial(key, 100.0, 0.3, (count,)),
        "choice": lambda random, key: random.choice(key, 100, (count,)),
        "choice by p": lambda random, key: random.choice(key, 100, (count,), p=WEIGHTS),
        "categorical": lambda random, key: random.categorical(key, np.log(WEIGHTS), shape=(count // 10,)),
        "permutation": lambda random, key: random.permutation(key, count),
    }
    return Bench(f"{name} {count}", count, {**_keyed(ours[name]), "numpy": numpy, **_torch(name, "float32", count)})


def _keyed(draw: Callable[[Any, Any], Any]) -> dict[str, Run]:
    """Ours, and JAX, which have the same functions of keys."""
    key = rosin.random.key(0)
    compiled = rosin.compile(lambda key: draw(rosin.random, key))
    runs: dict[str, Run] = {"rosin": lambda: compiled(key), "eager": lambda: draw(rosin.random, key)}
    if importlib.util.find_spec("jax"):
        import jax

        other = jax.random.key(0)
        jitted = jax.jit(lambda key: draw(jax.random, key))
        runs["jax"] = lambda: jitted(other).block_until_ready()
    return runs


def _torch(name: str, dtype: str, count: int) -> dict[str, Run]:
    if not importlib.util.find_spec("torch"):
        return {}
    import torch

    torch.set_num_threads(THREADS)
    kind: Any = getattr(torch, dtype)
    means: Any = {"poisson 4": 4.0, "poisson 100": 100.0}
    runs: dict[str, Run] = {
        "uniform": lambda: torch.rand(count, dtype=kind),
        "normal": lambda: torch.randn(count, dtype=kind),
        "exponential": lambda: torch.empty(count, dtype=kind).exponential_(),
        "gamma": lambda: torch._standard_gamma(torch.full((count,), 2.5, dtype=kind)),
        "poisson 4": lambda: torch.poisson(torch.full((count,), means["poisson 4"])),
        "poisson 100": lambda: torch.poisson(torch.full((count,), means["poisson 100"])),
        "choice": lambda: torch.randint(100, (count,)),
        "choice by p": lambda: torch.multinomial(torch.from_numpy(WEIGHTS), count, replacement=True),
        "permutation": lambda: torch.randperm(count),
    }
    return {"torch": runs[name]} if name in runs else {}


def seconds(run: Run, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


def measure(bench: Bench) -> str:
    """A line of the table."""
    first = {name: seconds(run, 1) for name, run in bench.runs.items()}
    for run in bench.runs.values():
        seconds(run, 1)
    times = {name: max(1, int(LEAST_SECONDS / seconds(run, 1))) for name, run in bench.runs.items()}
    found: dict[str, list[float]] = {name: [] for name in bench.runs}
    for _ in range(ROUNDS):
        for name, run in bench.runs.items():
            found[name].append(seconds(run, times[name]))
    medians = {name: statistics.median(rounds) for name, rounds in found.items()}
    peers = {name: median for name, median in medians.items() if name not in ("rosin", "eager")}
    cells = "".join(f"{name} {1e9 * median / bench.count:7.2f}  " for name, median in medians.items())
    ahead = f"{peers['numpy'] / medians['rosin']:6.2f} {min(peers.values()) / medians['rosin']:6.2f}"
    return f"{bench.name:26} {cells} first {1e3 * first['rosin']:6.1f} ms {ahead}"


def main() -> None:
    wanted = sys.argv[1:]
    print(f"nanoseconds a number, median of {ROUNDS} rounds, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    for bench in benches():
        if not wanted or any(word in bench.name for word in wanted):
            print(measure(bench), flush=True)


if __name__ == "__main__":
    main()
