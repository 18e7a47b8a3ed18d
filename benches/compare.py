"""Two commits of Rosin against each other: which works got slower, compile slower or need more memory.

    python benches/compare.py [BASE [HEAD]] [--works NAME,…] [--files FILE,…] [--json FILE]

BASE is `HEAD` where it is left out, and HEAD the files as they are. Works are those of the other files here. For each,
several pairs of fresh processes, one of each commit, take turns, and the pairs in which of the two starts first; a
pair's figure is the median ratio of its rounds, so that what the machine does meanwhile meets both. Where code and data
happen to lie differs from process to process: what decides is how much pairs differ among themselves. Of the ratios a
fifth at either end is left out, since a pair may meet something else that runs. A work is reported when the mean of the
others is above `TOLERATED` by `SURE` standard errors (of a trimmed mean: Yuen, "The two-sample trimmed t for unequal
population variances", 1974) after `SURE_PAIRS` at least; works whose mean is not above it are done after `PAIRS`, and
others get further pairs. The command ends with 1 when anything is reported. What that means, tests/test_compare.py
says: of 200 comparisons of one commit with itself at most one is reported, and a tenth more time is found.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILES = (
    "attention", "convolutions", "elementwise", "indexing", "products", "recurrent", "rows", "training", "transformer",
)  # fmt: skip
ROUNDS = 15
PAIRS, SURE_PAIRS, MOST_PAIRS = 6, 12, 20
SURE = 3.5
TRIMMED = 0.2
"""The share of the ratios that is left out at either end."""
TOLERATED = {"time": 1.03, "first call": 1.05, "memory": 1.03}
LONGEST = 1 << 12
"""A root's path has fewer bytes."""
LEAST_SPREAD = 0.01
"""Standard deviations among few pairs come out smaller by chance: they count as this at least."""
IGNORED = {"first call": 5e-3, "memory": 2 << 20}
"""Differences below so many seconds and bytes are nobody's concern."""


@dataclass
class Comparison:
    """The logarithms of ratios of HEAD to BASE, by what is compared, one for each pair, and means of both."""

    name: str
    ratios: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in TOLERATED})
    values: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {kind: [] for kind in TOLERATED})

    def add(self, kind: str, base: float, head: float, ratio: float) -> None:
        small = abs(head - base) < IGNORED.get(kind, 0)
        self.ratios[kind].append(0.0 if small else math.log(ratio))
        self.values[kind].append((base, head))

    def mean(self, kind: str) -> float:
        """The mean ratio, without those at either end."""
        return math.exp(statistics.fmean(self._trimmed(kind)[0]))

    def least(self, kind: str) -> float:
        """The mean ratio less what pairs leave open."""
        kept, out = self._trimmed(kind)
        found = [kept[0]] * out + kept + [kept[-1]] * out
        spread = max(statistics.stdev(found) * len(found) / len(kept), LEAST_SPREAD) / math.sqrt(len(found))
        return math.exp(statistics.fmean(kept) - SURE * spread)

    def is_worse(self, kind: str) -> bool:
        return len(self.ratios[kind]) >= SURE_PAIRS and self.least(kind) > TOLERATED[kind]

    @property
    def is_open(self) -> bool:
        """Whether more pairs may show that something is worse: the mean is above what is tolerated, but not surely."""
        if len(next(iter(self.ratios.values()))) < PAIRS:
            return True
        return any(self.mean(kind) > TOLERATED[kind] and not self.is_worse(kind) for kind in TOLERATED)

    def _trimmed(self, kind: str) -> tuple[list[float], int]:
        """The logarithms in order without some at either end, and how many those are."""
        found = sorted(self.ratios[kind])
        out = max(int(TRIMMED * len(found)), 1)
        return found[out : len(found) - out], out


class Worker:
    """A fresh process with one commit of Rosin, which does one work when told to."""

    def __init__(self, root: Path, file: str, name: str, length: int = 0) -> None:
        """The stack begins where the variables of the environment end, so that these decide what on it lies a power of
        two from something else (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!",
        2009): workers of the same `length`, whatever their root, have as many bytes of them."""
        path = os.pathsep.join([str(root), str(HERE)])
        rest = "-" * (LONGEST + length - len(path))
        environment = {**os.environ, "PYTHONPATH": path, "ROSIN_CACHE": "0", "ROSIN_COMPARED": rest}
        command = [sys.executable, str(HERE / "_worker.py"), file, name]
        self.name = f"{name} of {file}, at {root},"
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        self.first = self._answer()

    def ask(self, times: int) -> float:
        """Seconds of so many runs."""
        assert self.process.stdin is not None
        print(times, file=self.process.stdin, flush=True)
        return self._answer()["seconds"]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} failed")
        return json.loads(line)


def with_bytecode(root: Path) -> Path:
    """The same folder, in which no process has to translate the package first."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(root / "rosin")], check=True)
    return root


def one_pair(roots: Sequence[Path], file: str, comparison: Comparison) -> None:
    # Which processor each gets depends on who starts first, for as long as both live: they take turns in that, too.
    first, length = len(comparison.ratios["time"]) % 2, random.randrange(LONGEST)
    workers = [Worker(roots[k], file, comparison.name, length) for k in (first, 1 - first)]
    try:
        base, head = workers if first == 0 else reversed(workers)
        for kind, key in (("first call", "first"), ("memory", "memory")):
            comparison.add(kind, base.first[key], head.first[key], head.first[key] / base.first[key])
        times = int(base.first["times"])
        taken = [{worker: worker.ask(times) for worker in workers} for _ in range(ROUNDS)]
        ratio = statistics.median(each[head] / each[base] for each in taken)
        before, after = (statistics.median(each[worker] for each in taken) / times for worker in (base, head))
        comparison.add("time", before, after, ratio)
    finally:
        for worker in workers:
            worker.close()


def compare(name: str, one_pair: Callable[[Comparison], None]) -> Comparison:
    """Compare a work by as many pairs as it takes; `one_pair` adds one."""
    comparison = Comparison(name)
    for _ in range(MOST_PAIRS):
        one_pair(comparison)
        if not comparison.is_open:
            break
    return comparison


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A commit's files in a folder of their own."""
    root = HERE.parent
    with tempfile.TemporaryDirectory(prefix="rosin-compare-") as folder:
        place = Path(folder) / "rosin"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(place), commit], cwd=root, check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(place)], cwd=root, check=True)


def listed(file: str) -> list[str]:
    """The names of a file's works."""
    command = [sys.executable, str(HERE / "_worker.py"), file]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def report(comparison: Comparison) -> list[str]:
    """A line for everything that is worse."""
    lines: list[str] = []
    for kind in TOLERATED:
        if comparison.is_worse(kind):
            base, head = (statistics.fmean(each) for each in zip(*comparison.values[kind], strict=True))
            unit = (
                f"{base / 2**20:.1f} to {head / 2**20:.1f} MiB" if kind == "memory" else f"{base:.3g} to {head:.3g} s"
            )
            pairs = len(comparison.ratios[kind])
            lines.append(f"{comparison.name}: {kind} {comparison.mean(kind):.2f} times, from {unit}, {pairs} pairs")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="HEAD")
    parser.add_argument("head", nargs="?")
    parser.add_argument("--works", default="", help="parts of names, with commas")
    parser.add_argument("--files", default=",".join(FILES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = [part for part in options.works.split(",") if part]
    chosen = [
        (file, name)
        for file in options.files.split(",")
        for name in listed(file)
        if not parts or any(part in name for part in parts)
    ]
    worse: list[str] = []
    rows: list[dict[str, Any]] = []
    with checked_out(options.base) as base, _head(options.head) as head:
        roots = [with_bytecode(root) for root in (base, head)]
        for file, name in chosen:
            comparison = compare(name, partial(one_pair, roots, file))
            cells = "".join(f"{kind} {comparison.mean(kind):5.2f}   " for kind in TOLERATED)
            print(f"{name:40} {cells}", flush=True)
            worse += report(comparison)
            rows.append({"name": name, "file": file, **{kind: comparison.mean(kind) for kind in TOLERATED}})
    if options.json:
        options.json.write_text(json.dumps({"works": rows, "worse": worse}, indent=1) + "\n")
    print("\n".join(["", "worse:", *worse] if worse else ["", "nothing is worse"]))
    return 1 if worse else 0


@contextmanager
def _head(commit: str | None) -> Iterator[Path]:
    if commit is None:
        yield HERE.parent
    else:
        with checked_out(commit) as place:
            yield place


if __name__ == "__main__":
    sys.exit(main())
