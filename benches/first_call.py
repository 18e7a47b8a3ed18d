"""What first calls cost in a new process: what of it is on the disk, and what is not.

python benches/first_call.py [runs]

First CPU milliseconds on one thread from the first call to code that is ready to run, of processes that have imported
Rosin and made the arguments: the least and the median of several. Then milliseconds of time that all of the first call
takes on two threads: with nothing on the disk; where another process has compiled another program; where one has
compiled this; and JAX's, where it is installed. Contestants take turns; medians, and what `import` takes before.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _first import PROGRAMS

HERE = Path(__file__).parent
WORKS = (
    ("elementwise", "gelu 1000000 f32"),
    ("rows", "softmax 64x128"),
    ("products", "256x256 @ 256x256"),
    ("training", "Adam 784-128-10, 64 rows"),
    ("recurrent", "LSTM 100 steps, 32x128 to 256"),
    ("sorting", "sort float32 10000"),
    ("indexing", "top 10 of 1000000"),
    ("linalg", "solve float32 10000 x 8 x 8"),
)
"""What takes a first call in a new process, and in which file it is."""
OTHER = ("rows", "row sums 64x128")
"""What another process has compiled before."""


def told(arguments: Sequence[str], cache: str, threads: int) -> Any:
    """What a command of this folder says in a fresh interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = (str(HERE.parent), environment.get("PYTHONPATH"))
    environment |= {"ROSIN_CACHE_DIR": cache, "PYTHONPATH": ":".join(filter(None, paths))}
    environment |= {"ROSIN_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def seconds(program: str, cache: str) -> float:
    """CPU seconds of a first call."""
    return told(["_first.py", program], cache, 1)


def fresh(file: str, name: str, runs: int) -> dict[str, float]:
    """Seconds of first calls of a work, by what is on the disk, and JAX's."""
    found: dict[str, list[float]] = {}

    def note(state: str, cache: str, work: Sequence[str], who: str = "rosin") -> None:
        said = told(["_fresh.py", *work, who], cache, 2)
        found.setdefault(state, []).append(said["first"])
        found.setdefault(f"import {who}", []).append(said["import"])

    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="rosin-first-call-") as cache:
            note("nothing", cache, (file, name))
            note("this one", cache, (file, name))
        with tempfile.TemporaryDirectory(prefix="rosin-first-call-") as cache:
            note("before", cache, OTHER)
            note("another one", cache, (file, name))
            if importlib.util.find_spec("jax") is not None:
                note("jax", cache, (file, name), "jax")
    return {state: statistics.median(values) for state, values in found.items()}


def main(runs: int = 10) -> None:
    print(f"{'ms CPU':32} {'compiled':>9} {'from the disk':>14} {'median':>7}   of {runs}")
    for program in PROGRAMS:
        with tempfile.TemporaryDirectory(prefix="rosin-first-call-") as cache:
            compiled = seconds(program, cache)
            found = [seconds(program, cache) for _ in range(runs)]
        print(f"{program:32} {compiled * 1e3:9.1f} {min(found) * 1e3:14.1f} {statistics.median(found) * 1e3:7.1f}")
    states = ("nothing", "another one", "this one", "jax", "import rosin", "import jax")
    print(f"\n{'ms in all; on the disk there is':32}" + "".join(f"{state:>14}" for state in states))
    for file, name in WORKS:
        took = fresh(file, name, runs)
        print(f"{name:32}" + "".join(f"{took[s] * 1e3:14.1f}" if s in took else " " * 14 for s in states))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
