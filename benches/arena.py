"""How near the planned memory of programs comes to what is live at once, which no plan can go below.

    python benches/arena.py [FILE ...] [--all]

    FILE ...         files of benches without their ending (default: those of performance.py)
    --all            a line for every work that has an arena, not for steps of training and what is beyond the bar alone

A work's line is about the largest arena among its programs. Arguments and results are no part of it.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

os.environ["ROSIN_CACHE"] = "0"

import _rivals
from _rivals import Work
from performance import FILES, STEPS

from rosin.passes import memory
from rosin.passes.memory import Lifetime, Plan

BAR = 1.05
MIB = 1 << 20


@contextmanager
def recorded() -> Iterator[list[Plan]]:
    """The plans of what is compiled inside."""
    plans: list[Plan] = []
    plan = memory.plan

    def noted(buffers: Sequence[Lifetime], *given: Any, **named: Any) -> Plan:
        plans.append(plan(buffers, *given, **named))
        return plans[-1]

    memory.plan = noted
    try:
        yield plans
    finally:
        memory.plan = plan


def planned(work: Work) -> Plan:
    """The largest plan of the work's programs."""
    with recorded() as plans:
        run = _rivals.prepared(work, "rosin", work.arrays())
        assert run is not None, f"rosin does not do {work.name}"
        run()
    return max(plans, key=lambda plan: plan.total_bytes, default=Plan((), 0, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    print(f"{'MiB':44}{'live at once':>13}{'arena':>10}{'more':>8}")
    ratios: list[float] = []
    for file in options.files:
        for work in importlib.import_module(file).works():
            found = planned(work)
            if not found.total_bytes:
                continue
            ratios.append(found.total_bytes / found.lower_bound)
            is_step = any(word in work.name for word in STEPS)
            if not (options.all or is_step or ratios[-1] > BAR):
                continue
            more = f"{100 * (ratios[-1] - 1):6.1f} %"
            sizes = f"{found.lower_bound / MIB:13.3f}{found.total_bytes / MIB:10.3f}"
            print(f"{work.name:44}{sizes}{more}", flush=True)
    beyond = sum(ratio > BAR for ratio in ratios)
    print(f"{len(ratios)} works with an arena; {beyond} take over {100 * (BAR - 1):.0f} % more than is live at once")


if __name__ == "__main__":
    main()
