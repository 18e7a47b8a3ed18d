"""The statistics of benches/compare.py: one commit against itself raises no alarm, and a tenth more is found."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parent.parent / "benches" / "compare.py"
VALUES = {"time": 1e-3, "first call": 0.5, "memory": 500 << 20}
NOISE = {"quiet": (0.005, 0.0), "usual": (0.02, 0.05), "busy": (0.04, 0.15)}
"""How much pairs differ by themselves, and the share of those that something else disturbs by 30 %."""


@pytest.fixture(scope="module")
def compare() -> Any:
    found = importlib.util.spec_from_file_location("compare", PATH)
    assert found is not None
    assert found.loader is not None
    # Its dataclasses look their module up.
    module = sys.modules["compare"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def comparisons(compare: Any, noise: str, count: int, planted: dict[str, float]) -> list[Any]:
    """Comparisons of drawn figures in which HEAD needs so many times as much of what is planted."""
    spread, disturbed = NOISE[noise]
    rng = random.Random(f"{noise} {planted}")

    def one_pair(comparison: Any) -> None:
        for kind, value in VALUES.items():
            ratio = math.exp(rng.gauss(0, spread)) * planted.get(kind, 1.0)
            if rng.random() < disturbed:
                ratio *= rng.choice((1.3, 1 / 1.3))
            comparison.add(kind, value, value * ratio, ratio)

    return [compare.compare("work", one_pair) for _ in range(count)]


@pytest.mark.parametrize("noise", NOISE)
def test_one_commit_against_itself_raises_no_alarm(compare: Any, noise: str) -> None:
    found = comparisons(compare, noise, 600, {})
    assert sum(bool(compare.report(each)) for each in found) <= 600 // 200
    # Most are done after a few pairs.
    assert sum(len(each.ratios["time"]) for each in found) < 600 * compare.PAIRS * 1.5


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(("noise", "found_at_least"), [("quiet", 1.0), ("usual", 0.95), ("busy", 0.65)])
def test_a_tenth_more_is_found(compare: Any, noise: str, found_at_least: float, kind: str) -> None:
    found = [compare.report(each) for each in comparisons(compare, noise, 100, {kind: 1.1})]
    assert sum(any(f"work: {kind} 1." in line for line in lines) for lines in found) >= 100 * found_at_least


def test_differences_that_are_nobodys_concern(compare: Any) -> None:
    comparison = compare.Comparison("work")
    for _ in range(compare.SURE_PAIRS):
        comparison.add("time", 1e-3, 1e-3, 1.0)
        comparison.add("first call", 2e-3, 4e-3, 2.0)
        comparison.add("memory", 1 << 20, 2 << 20, 2.0)
    assert compare.report(comparison) == []


def test_the_report_names_what_and_by_how_much(compare: Any) -> None:
    comparison = compare.Comparison("work")
    for _ in range(compare.SURE_PAIRS):
        comparison.add("time", 1e-3, 2e-3, 2.0)
        comparison.add("first call", 0.2, 0.2, 1.0)
        comparison.add("memory", 100 << 20, 100 << 20, 1.0)
    assert compare.report(comparison) == ["work: time 2.00 times, from 0.001 to 0.002 s, 12 pairs"]
