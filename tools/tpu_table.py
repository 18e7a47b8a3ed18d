"""Print the table of docs/tpu.md: the models of tests/models.py, with their large sizes, compiled for each chip.

Run from the root of the repository, where the extra `tpu` is installed: python -m tools.tpu_table [model …]
"""

from __future__ import annotations

import sys

import rosin
from rosin.runtime import tpu
from tests.models import MODELS

TOPOLOGIES = ("v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2")


def main() -> None:
    print("| model | chips | flops | bytes | memory | cycles | peak at most |\n|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or MODELS:
        model = MODELS[name]()
        text = rosin.export(model.function, *model.large).stablehlo()
        for topology in TOPOLOGIES:
            found = tpu.compile_for(text, topology)
            chips, memory = topology.partition(":")[0], found.total / 2**20
            peak = f"{found.peak * 100:.1f} %" if found.peak >= 0.0005 else "under 0.1 %"
            work = f"{found.flops:.3g}", f"{found.bytes:.3g}", f"{memory:.1f} MiB"
            cells = model.chips, chips, *work, found.cycles or "not known", peak
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
