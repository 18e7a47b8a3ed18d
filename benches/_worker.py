"""One work of a file, done by Rosin alone when standard input says how many times; for compare.py.

    python benches/_worker.py FILE [NAME]

Without a name it lists the file's works. The first line of output has the CPU seconds of the first call, the most
memory that the process needed, and how many runs make a round; each further one the seconds of the runs asked for.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time

import _rivals

SECONDS = 5e-3
"""A round takes about so long."""


def main(file: str, name: str | None = None) -> None:
    works = list(importlib.import_module(file).works())
    if name is None:
        print(json.dumps([work.name for work in works if work.generic is not None]))
        return
    work = next(work for work in works if work.name == name)
    arrays = work.arrays()
    start = time.process_time()
    run = _rivals.prepared(work, "rosin", arrays)
    assert run is not None
    run()
    first = time.process_time() - start
    _rivals.finish_code()
    start = time.perf_counter()
    run()
    times = max(1, int(SECONDS / (time.perf_counter() - start)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"first": first, "memory": memory, "times": times}), flush=True)
    for line in sys.stdin:
        run()
        start = time.perf_counter()
        for _ in range(int(line)):
            run()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
