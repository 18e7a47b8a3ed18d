"""Figures of works as JSON: what is measured in several processes, and a file of them.

`machine` says where, with rates as `limits`; each of `works` has its `file` and `name`, `seconds` of a run and of the
`first` call by contestant, and a `limit` or null; those whose memory has been measured have a `peak`, too. Figures of
several processes have each peer's `times`, too, which are multiples of ours: what the machine does from minute to
minute, it does to all contestants of a process.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def put(path: Path, rows: Sequence[dict[str, Any]], machine: Mapping[str, Any]) -> None:
    """Put works' figures in a file, in place of those that it has for them, with the machine that they are from."""
    figures = read(path) if path.exists() else {"machine": {}, "works": []}
    names = {(row["file"], row["name"]) for row in rows}
    figures["works"] = [row for row in figures["works"] if (row["file"], row["name"]) not in names] + list(rows)
    figures["machine"] = {**figures["machine"], **machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


def combined(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of several processes as their medians, each of some works or of all."""
    works: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for turn in turns:
        for work in turn["works"]:
            works.setdefault((work["file"], work["name"]), []).append(work)
    machine = turns[-1]["machine"] | {"limits": _medians([turn["machine"]["limits"] for turn in turns])}
    return {"machine": machine, "works": [_combined(found) for found in works.values()]}


def _combined(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    limits = [work["limit"] for work in found]
    parts = {part: _medians([work[part] for work in found]) for part in ("seconds", "first")}
    parts["times"] = _medians([times(work["seconds"]) for work in found])
    return found[0] | parts | {"limit": None if None in limits else statistics.median(limits)}


def times(seconds: Mapping[str, float]) -> dict[str, float]:
    """Each peer's time as a multiple of ours."""
    return {who: each / seconds["rosin"] for who, each in seconds.items() if who != "rosin"}


def _medians(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median under each name that all have."""
    return {name: statistics.median(f[name] for f in figures) for name in figures[0] if all(name in f for f in figures)}
