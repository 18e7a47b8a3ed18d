"""The seconds of a work's first call in this process, for first_call.py: `python _fresh.py FILE NAME WHO` prints them.

What the contestant loads with `import` is loaded before, and nothing has been compiled.
"""

from __future__ import annotations

import importlib
import json
import sys
import time


def main(file: str, name: str, who: str) -> None:
    start = time.perf_counter()
    importlib.import_module({"rosin": "rosin.numpy", "jax": "jax.numpy"}[who])
    imported = time.perf_counter() - start
    import _rivals

    work = next(work for work in importlib.import_module(file).works() if work.name == name)
    arrays = work.arrays()
    start = time.perf_counter()
    run = _rivals.prepared(work, who, arrays)
    assert run is not None
    run()
    print(json.dumps({"first": time.perf_counter() - start, "import": imported}))


if __name__ == "__main__":
    main(*sys.argv[1:])
