"""Works beside the peers: the same arrays, two threads each, rounds in turn, medians; what each file of benches runs.

A file lists its works and calls `main(works, __doc__)`. Its command takes

    [NAME ...]       works whose name has one of these in it
    --rounds N       rounds (default 11)
    --peers A,B      contestants beside Rosin (default: all that are installed but `torch.compile`, which `--all` adds)
    --json FILE      the figures as JSON, after those that the file has already
    --plot FILE      how many times ahead of the best peer each work is, as a picture

A row gives Rosin's time, each peer's as a multiple of it (above 1, Rosin is ahead), the best peer's, the share of the
machine's limit that Rosin reaches where the work's operations and bytes are known, and seconds of first calls.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

THREADS = int(os.environ.setdefault("ROSIN_NUM_THREADS", "2"))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, str(THREADS))
# A thread of OpenBLAS that waits for work spins for 2 to this power of ticks of the clock: by default 28, longer than
# the pause between contestants. With 24, it has given up by then.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "24")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import _figures  # noqa: E402
import _libraries  # noqa: E402  # the number of threads comes first
import numpy as np  # noqa: E402
from _libraries import Library  # noqa: E402

from rosin.passes.explain import Limits  # noqa: E402
from rosin.runtime import limits as machine  # noqa: E402

LEAST_SECONDS = 5e-3
"""A round repeats short work until it takes so long."""
WARM_SECONDS = 10e-3
"""Before it is timed, a contestant runs for so long: after a pause processor and memory are slower for some 5 ms."""
PEERS = ("numpy", "scipy", "torch", "jax", "numba", "onnxruntime")
PAUSE = 10e-3
MOST_PAUSES = 20
"""Between contestants there are pauses until one passes in which nothing runs: threads that wait for work by spinning
hold another contestant's processor (libgomp's, which Numba and PyTorch use, for 5 to 15 ms, ONNX Runtime's for 40)."""
Arrays = Sequence[Any]
Run = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """One piece of work.

    `generic` gives a function of the arrays over a library; it is compiled where the library compiles. `own` replaces
    it for contestants that have a better way, or none (None): from the arrays to what runs the work once.
    """

    name: str
    arrays: Callable[[], Arrays]
    generic: Callable[[Library], Callable[..., Any]] | None
    own: Mapping[str, Callable[[Arrays], Run] | None] = field(default_factory=dict)
    operations: float = 0
    bytes: float = 0
    resident: bool = False
    """Whether the bytes are in the second-level cache."""


@dataclass
class Result:
    """Medians of seconds, seconds of first calls, and each peer's time as a multiple of ours, by contestant."""

    name: str
    seconds: dict[str, float]
    first: dict[str, float]
    limit: float | None = None
    times: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times = self.times or _figures.times(self.seconds)

    @property
    def best(self) -> str | None:
        return min(self.times, key=self.times.__getitem__, default=None)

    @property
    def ahead(self) -> float | None:
        """The best peer's time divided by ours."""
        return None if self.best is None else self.times[self.best]


def draw(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def drawn(*shapes: tuple[int, ...], dtype: Any = np.float32) -> Callable[[], Arrays]:
    """What draws arrays of these shapes, each from a seed of its own."""
    return lambda: [draw(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(shapes)]


def prepared(work: Work, who: str, arrays: Arrays) -> Run | None:
    """What runs the work once as this contestant does it and waits for the result; None where it does not."""
    if who in work.own:
        make = work.own[who]
        return None if make is None else make(arrays)
    if work.generic is None or who not in _libraries.MAKERS:
        return None
    library = _libraries.MAKERS[who]()
    function = library.compile(work.generic(library))
    given = [library.array(a) for a in arrays]
    return lambda: library.wait(function(*given))


def finish_code() -> None:
    """Wait until our routines have the code that stays."""
    # Earlier states of Rosin, which are compared with this one, have no other code before that.
    routines = sys.modules.get("rosin.runtime.routines")
    getattr(routines, "settle", lambda: None)()


def settle() -> None:
    """Wait until no thread of this process runs."""
    finish_code()
    for _ in range(MOST_PAUSES):
        before = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - before < PAUSE / 5:
            return


def run_for(seconds: float, run: Run) -> None:
    """Run once, and again until so much time has passed."""
    end = time.perf_counter() + seconds
    run()
    while time.perf_counter() < end:
        run()


def warm_up(contestants: Sequence[str]) -> None:
    """Have each contestant load what it needs, on a small piece of work, so that no first call counts that."""
    small = Work("warm-up", lambda: [draw(3, 4), draw(4, 5)], lambda n: lambda x, w: n.xp.sum(n.xp.exp(x @ w)))
    for who in contestants:
        run = prepared(small, who, small.arrays())
        if run is not None:
            run()


def measure(work: Work, contestants: Sequence[str], rounds: int, limits: Limits | None) -> Result:
    """All contestants over one piece of work."""
    arrays = work.arrays()
    runs: dict[str, Run] = {}
    times: dict[str, int] = {}
    first: dict[str, float] = {}
    for who in contestants:
        settle()
        start = time.perf_counter()
        try:
            run = prepared(work, who, arrays)
            if run is None:
                continue
            run()
        except _libraries.Lacks:
            if who == "rosin":
                raise
            continue
        first[who] = time.perf_counter() - start
        runs[who] = run
        finish_code()
        run()
        start = time.perf_counter()
        run()
        times[who] = max(1, int(LEAST_SECONDS / (time.perf_counter() - start)))
    found: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            settle()
            run_for(WARM_SECONDS, run)
            start = time.perf_counter()
            for _ in range(times[who]):
                run()
            found[who].append((time.perf_counter() - start) / times[who])
    limit = None
    if limits is not None and (work.operations or work.bytes):
        double = any(getattr(a, "dtype", None) == np.float64 for a in arrays)
        limit = limits.seconds(work.operations, work.bytes, "float64" if double else "float32", work.resident)
    return Result(work.name, {who: statistics.median(seconds) for who, seconds in found.items()}, first, limit)


# -- the command ---------------------------------------------------------------------------------------------------


def main(works: Sequence[Work], about: str | None) -> None:
    options = _options(about)
    chosen = [work for work in works if not options.names or any(part in work.name for part in options.names)]
    peers = options.peers.split(",") if options.peers else _installed(options.all)
    limits = machine.measured(THREADS) if any(work.operations or work.bytes for work in chosen) else None
    print((about or "").split("\n")[0])
    print(f"{THREADS} threads, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}", end="")
    if limits is not None:
        giga = f"{limits.f32 / 1e9:.0f} f32 and {limits.f64 / 1e9:.0f} f64 GFLOP/s, {limits.memory / 1e9:.0f} GB/s"
        print(f"; limits of this machine: {giga} from memory, {limits.cache / 1e9:.0f} from the cache", end="")
    print(
        f"\n{'':34}{'rosin':>11}" + "".join(f"{who:>15}" for who in peers) + f"{'ahead':>8}{'limit':>8}   first calls"
    )
    results: list[Result] = []
    warm_up(("rosin", *peers))
    for work in chosen:
        results.append(measure(work, ("rosin", *peers), options.rounds, limits))
        print(_row(results[-1], peers), flush=True)
    ahead = [result.ahead for result in results if result.ahead is not None]
    if ahead:
        mean = math.exp(statistics.fmean(map(math.log, ahead)))
        print(f"geometric mean of the best peer's time by ours: {mean:.2f}; the least: {min(ahead):.2f}")
    if options.json:
        file = Path(sys.argv[0]).stem
        rows = [
            {"file": file, "name": r.name, "seconds": r.seconds, "first": r.first, "limit": r.limit} for r in results
        ]
        _figures.put(options.json, rows, _machine(limits or machine.measured(THREADS)))
    if options.plot:
        plot(options.plot, results, about or "")


def _options(about: str | None) -> Any:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--peers", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    return parser.parse_args()


def _installed(everyone: bool) -> list[str]:
    modules = {name: name for name in PEERS}
    modules["torch.compile"] = "torch"
    found = [who for who, module in modules.items() if importlib.util.find_spec(module)]
    return [who for who in found if everyone or who != "torch.compile"]


def _row(result: Result, peers: Sequence[str]) -> str:
    ours = result.seconds["rosin"]
    cells = "".join(f"{result.times[who]:14.2f}x" if who in result.times else f"{'':15}" for who in peers)
    ahead = "" if result.ahead is None else f"{result.ahead:.2f}"
    limit = "" if result.limit is None else f"{100 * result.limit / ours:.0f} %"
    first = ", ".join(f"{who} {seconds:.2f}" for who, seconds in result.first.items() if who != "numpy")
    return f"{result.name:34}{time_text(ours):>11}{cells}{ahead:>8}{limit:>8}   {first} s"


def time_text(seconds: float) -> str:
    unit, factor = next((u, f) for u, f in (("s", 1), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)) if seconds * f >= 1)
    return f"{seconds * factor:.3g} {unit}"


def _machine(limits: Limits) -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")
    return {
        "cpu": model,
        "threads": THREADS,
        "date": time.strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],
        "versions": {name: version(name) for name in PEERS if importlib.util.find_spec(name)},
        "limits": asdict(limits),
    }


def plot(path: Path, results: Sequence[Result], about: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [(result.name, result.ahead) for result in results if result.ahead is not None]
    figure, axes = plt.subplots(figsize=(8, 1 + 0.3 * len(rows)))
    colours = ["tab:green" if ahead >= 1 else "tab:red" for _, ahead in rows]
    axes.barh([name for name, _ in rows], [ahead for _, ahead in rows], color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("the best peer's time divided by Rosin's")
    axes.set_title(about.split("\n")[0])
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
