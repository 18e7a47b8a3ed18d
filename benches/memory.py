"""What compiled programs and loops in reverse hold in memory, in MiB of a process of its own.

    python benches/memory.py

Two tables: 1,000 sizes through one function that is told not to make them symbolic, under the default limit of kept
programs, and what `clear` gives back of them; and the gradient of a loop over a state of 64 KiB by the number of its
steps, with every state kept and with `checkpoint="sqrt"`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import rosin
from rosin import numpy as rnp

SIZES = 1000
ROUNDS = 3
STATE = 1 << 14
STEPS = (100, 400, 1600, 6400)


def resident(word: str) -> float:
    """MiB by the kernel's account of this process: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(word))) / 1024


def rows(x: Any, w: Any) -> Any:
    return rnp.sum(rnp.tanh(x * w) + rnp.exp(-x) * 2, axis=-1)


def dense(x: Any, w: Any) -> Any:
    return rnp.maximum(x @ w[:, None], 0)


def step(x: Any, w: Any) -> Any:
    """A step of gradient descent for two layers, from one row of weights."""

    def loss(first: Any, second: Any) -> Any:
        hidden = rnp.tanh(x.T @ first)
        return rnp.mean((hidden @ second - w[:, None]) ** 2)

    first, second = rnp.full((4, 8), 0.1, rnp.float32), rnp.full((8, 1), 0.2, rnp.float32)
    by_first, by_second = rosin.grad(loss, argnums=(0, 1))(first, second)
    return first - 0.1 * by_first, second - 0.1 * by_second


def sizes(f: Callable[..., Any]) -> list[tuple[float, float]]:
    """What `SIZES` sizes take and what `clear` leaves of it, in `ROUNDS` rounds."""
    warnings.simplefilter("ignore", rosin.RecompileWarning)
    compiled = rosin.compile(f, dynamic=False)

    def call(numbers: range) -> None:
        for n in numbers:
            compiled(np.ones((4, n), np.float32), np.ones(n, np.float32))

    # What any first programs load and prepare, and the arena that Python keeps for what comes next.
    call(range(2, 100 + ROUNDS * SIZES, 12))
    compiled.clear()
    # A number made when memory is full, and kept, would keep the memory around it from the system.
    start, full, cleared = np.zeros((3, ROUNDS))
    for round in range(ROUNDS):
        start[round] = resident("VmRSS")
        call(range(100 + round * SIZES, 100 + (round + 1) * SIZES))
        full[round] = resident("VmRSS")
        compiled.clear()
        cleared[round] = resident("VmRSS")
    return list(zip((full - start).tolist(), (cleared - start).tolist(), strict=True))


def loop(steps: int, plan: Any) -> float:
    """What the gradient of a loop takes at most beyond what the process had before."""

    def loss(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            return rnp.sin(c + c[::-1] * 0.25) * 1.5, None

        return rnp.sum(rosin.scan(step, x, None, length=steps, checkpoint=plan)[0])

    gradient = rosin.compile(rosin.grad(loss))
    small = rosin.compile(rosin.grad(lambda x: rnp.sum(rnp.sin(x))))
    small(x := np.ones(STATE, np.float32))
    start = resident("VmHWM")
    gradient(x)
    return resident("VmHWM") - start


def apart(task: str, *arguments: Any) -> Any:
    """What a task of this file gives in a fresh process that compiles everything itself."""
    command = [sys.executable, __file__, task, json.dumps(arguments)]
    environment = {**os.environ, "ROSIN_CACHE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    print(f"{SIZES} sizes, MiB")
    for name in ("rows", "dense", "step"):
        for number, (grown, left) in enumerate(apart("sizes", name), 1):
            back = 100 * (grown - left) / grown
            print(f"  {name:6} round {number}: {grown:6.1f} more; clear gives {back:3.0f} % back, {left:5.1f} stay")
    print("gradient of a loop over 64 KiB, MiB")
    print(f"  {'steps':>6} {'all kept':>9} {'sqrt':>7}")
    for steps in STEPS:
        print(f"  {steps:6} {apart('loop', steps, None):9.1f} {apart('loop', steps, 'sqrt'):7.1f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        task, arguments = sys.argv[1], json.loads(sys.argv[2])
        print(json.dumps(sizes(globals()[arguments[0]]) if task == "sizes" else loop(*arguments)))
    else:
        main()
