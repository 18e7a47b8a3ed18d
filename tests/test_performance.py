"""The tables of benches/performance.py, made of figures that are there, and the page that they go to."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

COMMAND = Path(__file__).parent.parent / "benches" / "performance.py"
LIMITS = {"threads": 2, "f32": 2e11, "f64": 1e11, "memory": 2.5e10, "cache": 1.5e11, "cache_bytes": 1 << 20}
FIGURES: dict[str, Any] = {
    "machine": {
        "cpu": "a processor", "threads": 2, "date": "2026-01-01", "load": 0.5, "limits": LIMITS,
        "versions": {"numpy": "2.4", "jax": "0.10"},
    },
    "works": [
        {
            "file": "rows", "name": "softmax", "seconds": {"rosin": 1e-3, "numpy": 4e-3, "jax": 2e-3},
            "first": {"rosin": 0.1, "numpy": 4e-3, "jax": 0.3}, "limit": 0.5e-3,
        },
        {
            "file": "training", "name": "descent", "seconds": {"rosin": 2e-6, "jax": 1e-6},
            "first": {"rosin": 0.4, "jax": 0.3}, "limit": None,
            "peak": {"rosin": {"steps": 10.0, "all": 12.0}, "jax": {"steps": 25.0, "all": 25.0}},
        },
    ],
}  # fmt: skip


def test_the_page(tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    figures.write_text(json.dumps(FIGURES))
    begin, end = "<!-- begin: written by benches/performance.py -->", "<!-- end -->"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for _ in range(2):
        command = [sys.executable, str(COMMAND), "--no-run", "--json", str(figures), "--page", str(page)]
        subprocess.run(command, check=True, capture_output=True)
        text = page.read_text()
        assert text.startswith(f"before\n{begin}\n\n- a processor, 2 threads")
        assert text.endswith(f"\n\n{end}\nafter\n")
        assert "old" not in text
        assert "| softmax | 1 ms | 4.00 | 2.00 | **2.00** | 50 % | 100 ms | 300 ms |" in text
        assert "| descent | 2 µs | 0.50 | **0.50** |  | 400 ms | 300 ms |" in text
        assert "| descent | 10.0 (12.0) | 25.0 (25.0) | 2.50 |" in text
        assert "the best peer's time is 1.00 times ours (geometric mean), at least 0.50 times; 1 are behind." in text
        assert "- Time: descent (jax, 0.50)." in text
        assert "- First call, beside `jax.jit`: descent (0.75)." in text
        assert "- Peak memory, beside JAX: nothing." in text


def test_figures_of_several_processes() -> None:
    """Medians of each number, and of how many times ours a peer's is in each; who failed in one of them has none."""
    found_at = spec_from_file_location("figures", COMMAND.parent / "_figures.py")
    assert found_at is not None
    assert found_at.loader is not None
    figures = module_from_spec(found_at)
    found_at.loader.exec_module(figures)
    turns = [copy.deepcopy(FIGURES) for _ in range(3)]
    for turn, (seconds, rate) in zip(turns, ((1e-3, 1e11), (9e-3, 3e11), (2e-3, 2e11)), strict=True):
        turn["works"][0]["seconds"]["rosin"] = seconds
        turn["works"][0]["first"]["rosin"] = 100 * seconds
        turn["machine"]["limits"]["f32"] = rate
    del turns[1]["works"][0]["seconds"]["jax"]
    found = figures.combined(turns)
    softmax, descent = found["works"]
    assert softmax["seconds"] == {"rosin": 2e-3, "numpy": 4e-3}
    assert softmax["times"] == {"numpy": 2.0}, "4, 4 / 9 and 2"
    assert softmax["first"]["rosin"] == 0.2
    assert (softmax["limit"], descent["limit"]) == (0.5e-3, None)
    assert descent == FIGURES["works"][1] | {"times": {"jax": 0.5}}
    assert found["machine"]["limits"]["f32"] == 2e11
