"""The CPU seconds that `import rosin` costs beyond NumPy's own, the least of several fresh interpreters.

python benches/import_time.py [runs]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# NumPy goes first, so that what Rosin is charged with is only what it adds.
PROGRAM = """
import json, sys, time
seconds = {}
for module in ["numpy", "optree", "ml_dtypes", "rosin"]:
    start = time.process_time()
    __import__(module)
    seconds[module] = time.process_time() - start
print(json.dumps(seconds))
"""


def measure() -> dict[str, float]:
    """CPU seconds of each import in one fresh interpreter, in the order in which they are made."""
    # Users have bytecode on disk, whatever this shell says about writing it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(runs: int = 15) -> None:
    measure()  # The first run may compile bytecode.
    samples = [measure() for _ in range(runs)]
    best = {module: min(sample[module] for sample in samples) for module in samples[0]}
    beyond = min(sum(sample.values()) - sample["numpy"] for sample in samples)
    for module, seconds in best.items():
        print(f"{module:10s} {seconds * 1e3:8.1f} ms CPU")
    print(f"import rosin costs {beyond * 1e3:.1f} ms CPU beyond NumPy's {best['numpy'] * 1e3:.1f} ms (best of {runs})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
