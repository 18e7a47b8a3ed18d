"""The most memory that one work of a file needs in a process of its own, done by one contestant; for performance.py.

    python benches/_peak.py FILE NAME WHO

Prints MiB beyond what the process had once the library was loaded and had compiled something small: while the work is
done a few times again, its arrays and results included (`steps`), and from the beginning, compiling included (`all`).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import unittest.mock
from pathlib import Path

import _rivals

RUNS = 3


def resident(word: str) -> float:
    """MiB by the kernel's account of this process: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(word))) / 1024


def main(file: str, name: str, who: str) -> None:
    work = next(work for work in importlib.import_module(file).works() if work.name == name)
    # The small piece of work is compiled, not found on the disk: what compiles is loaded by then, should it be needed.
    with unittest.mock.patch.dict(os.environ, ROSIN_CACHE="0"):
        _rivals.warm_up([who])
    base = resident("VmRSS")
    run = _rivals.prepared(work, who, work.arrays())
    assert run is not None, f"{who} does not do {name}"
    run()
    whole = resident("VmHWM") - base
    # Writing a 5 forgets the most so far.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(RUNS):
        run()
    steps = resident("VmHWM") - base
    print(json.dumps({"steps": steps, "all": max(whole, steps)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
