"""The whole table: every work beside the peers, shares of the machine's limits, first calls, and peak memory.

    python benches/performance.py [FILE ...]

    FILE ...         files of benches without their ending (default: all of `FILES`)
    --processes N    processes of each file, one after all files had their turn (default 3)
    --rounds N       rounds of each work in a process (default 3)
    --peers A,B      contestants beside Rosin (default: all that are installed but `torch.compile`)
    --json FILE      where figures go, those of works that the file has already replaced (build/performance.json)
    --plot FILE      how many times ahead of the best peer each work is, as a picture
    --page FILE      a page with a line `BEGIN` and a line `END`: the tables go between the two
    --no-run         measure nothing: tables, picture and page from the figures that are there

Figures are medians over processes: where arrays lie differs from one to the next, and what else the machine does from
minute to minute. Compiled objects go to a new folder for each process, so that first calls compile, and so that what is
compiled before them is compiled, too: a compiler that has not been loaded by then would count as part of the first one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import _figures
import _rivals
from _rivals import Result

HERE = Path(__file__).parent
FILES = (
    "elementwise", "rows", "products", "attention", "convolutions", "resnet", "training", "recurrent", "transformer",
    "indexing", "layout", "sorting", "linalg", "fft", "loops",
)  # fmt: skip
STEPS = ("descent", "Adam", "step")
"""Works whose names have one of these are steps of training, whose memory is looked at."""
BESIDE = ("rosin", "jax")
BEGIN, END = "<!-- begin: written by benches/performance.py -->", "<!-- end -->"


def run(options: argparse.Namespace) -> list[str]:
    """Measure; gives the files that failed."""
    failed: dict[str, None] = {}
    with tempfile.TemporaryDirectory(prefix="rosin-performance-") as folder:

        def environment(file: str, turn: int) -> dict[str, str]:
            # What users have is compiled to Python's bytecode, as the peers are here.
            given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            return given | {"ROSIN_CACHE_DIR": str(Path(folder) / f"{file}-{turn}")}

        measured: list[Path] = []
        for turn in range(options.processes):
            for file in options.files:
                print(f"== {file}, {turn + 1} of {options.processes}", flush=True)
                path = Path(folder) / f"{file}-{turn}.json"
                command = [sys.executable, str(HERE / f"{file}.py"), "--rounds", str(options.rounds)]
                command += ["--json", str(path)] + (["--peers", options.peers] if options.peers else [])
                if subprocess.run(command, env=environment(file, turn), check=False).returncode:
                    failed[file] = None
                if path.exists():
                    measured.append(path)
        if not measured:
            return list(failed)
        figures = _figures.combined([_figures.read(path) for path in measured])
        for work in figures["works"]:
            if any(word in work["name"] for word in STEPS):
                work["peak"] = {
                    who: peak(work, who, environment(work["file"], 0)) for who in BESIDE if who in work["seconds"]
                }
        _figures.put(options.json, figures["works"], figures["machine"])
    return list(failed)


def peak(work: dict[str, Any], who: str, environment: dict[str, str]) -> dict[str, float]:
    """MiB of a work in a process of its own."""
    command = [sys.executable, str(HERE / "_peak.py"), work["file"], work["name"], who]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    print(f"{work['name']:40} {who:6} {found['steps']:8.1f} MiB", flush=True)
    return found


def results(figures: dict[str, Any]) -> list[Result]:
    return [result(work) for work in figures["works"]]


def result(work: dict[str, Any]) -> Result:
    return Result(work["name"], work["seconds"], work["first"], work["limit"], work.get("times", {}))


# -- tables ------------------------------------------------------------------------------------------------------------


def page(figures: dict[str, Any]) -> str:
    """The tables as Markdown."""
    return "\n\n".join(
        ["\n".join(part) for part in (_summary(figures), *_tables(figures), _memory(figures), _behind(figures))]
    )


def _summary(figures: dict[str, Any]) -> Iterator[str]:
    machine = figures["machine"]
    limits = machine["limits"]
    ahead = [found.ahead for found in results(figures) if found.ahead is not None]
    yield f"- {machine['cpu']}, {machine['threads']} threads, {machine['date']}, load {machine['load']:.1f}."
    rates = f"{limits['f32'] / 1e9:.0f} GFLOP/s of f32, {limits['f64'] / 1e9:.0f} of f64"
    moved = f"{limits['memory'] / 1e9:.0f} GB/s from memory, {limits['cache'] / 1e9:.0f} from the second-level cache"
    yield f"- Its limits, measured in the same run: {rates}, {moved}."
    yield f"- Versions: {', '.join(f'{name} {version}' for name, version in machine['versions'].items())}."
    if ahead:
        mean = math.exp(statistics.fmean(map(math.log, ahead)))
        behind = sum(a < 1 for a in ahead)
        yield (
            f"- Over {len(ahead)} works the best peer's time is {mean:.2f} times ours (geometric mean), at least "
            f"{min(ahead):.2f} times; {behind} are behind."
        )


def _tables(figures: dict[str, Any]) -> Iterator[Iterable[str]]:
    for file in dict.fromkeys(work["file"] for work in figures["works"]):
        works = [work for work in figures["works"] if work["file"] == file]
        yield _table(file, works)


def _table(file: str, works: Sequence[dict[str, Any]]) -> Iterator[str]:
    peers = list(dict.fromkeys(who for work in works for who in work["seconds"] if who != "rosin"))
    yield f"### {file}\n"
    yield f"| work | Rosin | {' | '.join(peers)} | ahead | of the limit | first call | JAX's |"
    yield "|---|" + "--:|" * (len(peers) + 5)
    for work in works:
        found = result(work)
        ours = found.seconds["rosin"]
        ratios = [f"{found.times[who]:.2f}" if who in found.times else "" for who in peers]
        ahead = "" if found.ahead is None else f"**{found.ahead:.2f}**"
        limit = "" if found.limit is None else f"{100 * found.limit / ours:.0f} %"
        first = [_rivals.time_text(found.first[who]) if who in found.first else "" for who in BESIDE]
        yield f"| {found.name} | {_rivals.time_text(ours)} | {' | '.join([*ratios, ahead, limit, *first])} |"


def _memory(figures: dict[str, Any]) -> Iterator[str]:
    works = [work for work in figures["works"] if work.get("peak")]
    yield "### Peak memory of steps of training\n"
    yield "MiB beyond the loaded library, arguments and results included; in brackets with compiling.\n"
    yield "| work | Rosin | JAX | ratio |"
    yield "|---|--:|--:|--:|"
    for work in works:
        found = work["peak"]
        cells = [f"{found[who]['steps']:.1f} ({found[who]['all']:.1f})" if who in found else "" for who in BESIDE]
        ratio = f"{found['jax']['steps'] / max(found['rosin']['steps'], 0.1):.2f}" if len(found) == len(BESIDE) else ""
        yield f"| {work['name']} | {' | '.join(cells)} | {ratio} |"


def _behind(figures: dict[str, Any]) -> Iterator[str]:
    yield "### What is behind\n"
    behind = sorted((r for r in results(figures) if r.ahead is not None and r.ahead < 1), key=lambda r: r.ahead or 0)
    slow = [r for r in results(figures) if r.first.get("jax", math.inf) < r.first["rosin"]]
    large = [
        w["name"] for w in figures["works"] if w.get("peak") and len(w["peak"]) == len(BESIDE)
        and w["peak"]["jax"]["steps"] < w["peak"]["rosin"]["steps"]
    ]  # fmt: skip
    yield "- Time: " + ("; ".join(f"{r.name} ({r.best}, {r.ahead:.2f})" for r in behind) or "nothing") + "."
    ratios = [f"{r.name} ({r.first['jax'] / r.first['rosin']:.2f})" for r in slow]
    yield "- First call, beside `jax.jit`: " + ("; ".join(ratios) or "nothing") + "."
    yield "- Peak memory, beside JAX: " + ("; ".join(large) or "nothing") + "."


def write_page(path: Path, tables: str) -> None:
    """Put the tables between the two lines of a page that say where they belong."""
    text = path.read_text()
    before, _, rest = text.partition(f"{BEGIN}\n")
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{path} has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="")
    parser.add_argument("--json", type=Path, default=HERE.parent / "build" / "performance.json")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--no-run", action="store_true")
    options = parser.parse_args()
    failed = [] if options.no_run else run(options)
    figures = _figures.read(options.json)
    tables = page(figures)
    print(f"\n{tables}")
    if options.page:
        write_page(options.page, tables)
    if options.plot:
        _rivals.plot(options.plot, results(figures), __doc__ or "")
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
