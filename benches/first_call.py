"""What first calls cost in a new process that finds its programs on the disk, and what they cost without that.

python benches/first_call.py [runs]

CPU milliseconds on one thread from the first call to code that is ready to run, of processes that have imported Rosin
and made the arguments: the least and the median of several.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _first import PROGRAMS

HERE = Path(__file__).parent


def seconds(program: str, cache: str) -> float:
    """CPU seconds of a first call in a fresh interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = (str(HERE.parent), environment.get("PYTHONPATH"))
    environment |= {"ROSIN_CACHE_DIR": cache, "ROSIN_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, paths))}
    command = [sys.executable, str(HERE / "_first.py"), program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(runs: int = 10) -> None:
    print(f"{'ms CPU':32} {'compiled':>9} {'from the disk':>14} {'median':>7}   of {runs}")
    for program in PROGRAMS:
        with tempfile.TemporaryDirectory(prefix="rosin-first-call-") as cache:
            compiled = seconds(program, cache)
            found = [seconds(program, cache) for _ in range(runs)]
        print(f"{program:32} {compiled * 1e3:9.1f} {min(found) * 1e3:14.1f} {statistics.median(found) * 1e3:7.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
