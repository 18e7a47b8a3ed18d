"""At the end of a run: how many operators and samples agreed, by what was compared and by element type."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # Properties of reports come through from the processes of xdist.
    samples: Counter[tuple[str, str]] = Counter()
    operators: dict[str, set[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "agreed" and report.when == "call":
                kind, dtype, count = str(value).rsplit(" ", 2)
                samples[kind, dtype] += int(count)
                if int(count):
                    operators.setdefault(kind, set()).add(_operator(report))
    if not samples:
        return
    terminalreporter.section("operators of PyTorch that agree")
    for kind, names in operators.items():
        counts = {dtype or "all": count for (k, dtype), count in samples.items() if k == kind and count}
        listed = ", ".join(f"{dtype} {count}" for dtype, count in sorted(counts.items()))
        terminalreporter.write_line(f"{kind}: {len(names)} operators, samples: {listed}")
    failed = {_operator(r) for r in terminalreporter.getreports("failed") if "test_operators" in r.nodeid}
    terminalreporter.write_line(f"differ: {len(failed)} operators{''.join(f' {name}' for name in sorted(failed))}")


def _operator(report: Any) -> str:
    return report.nodeid.partition("[")[2].removesuffix("]")
