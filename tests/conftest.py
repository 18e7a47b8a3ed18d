"""What every test shares: Hypothesis profiles, a compile cache for the session, golden files, ops of a test's own."""

from __future__ import annotations

import difflib
import gc
import itertools
import os
import shutil
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"

# SciPy and scikit-learn ask for it when they are imported: they take arrays of other libraries only then.
os.environ["SCIPY_ARRAY_API"] = "1"
# Else JAX, where libtpu is installed, asks the network for a minute whether the machine is a TPU.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# The profiles of the quick tests and of all draw the same examples on every run. HYPOTHESIS_PROFILE=thorough draws many
# new ones. How long an example takes depends on what else the machine does, so no profile judges that.
for _name in ("quick", "all"):
    settings.register_profile(
        _name, derandomize=True, max_examples=50, database=None, deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
settings.register_profile(
    "thorough", max_examples=2000, print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_cache_dir = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden that differ")


def pytest_configure(config: pytest.Config) -> None:
    if "not slow" not in config.option.markexpr and "HYPOTHESIS_PROFILE" not in os.environ:
        settings.load_profile("all")
    # The xdist workers inherit the environment, so they share the folder that the main process makes and removes.
    if not hasattr(config, "workerinput"):
        config.stash[_cache_dir] = os.environ["ROSIN_CACHE_DIR"] = tempfile.mkdtemp(prefix="rosin-test-cache-")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark most cases of a `thinned` test slow: all but one in so many."""
    cases: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("thinned") and not _is_slow(item):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for every in cases.values():
        kept = _kept(every)
        for item in every:
            if item not in kept:
                item.add_marker(pytest.mark.slow)


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _kept(cases: list[pytest.Function]) -> set[pytest.Function]:
    """One case in so many, whichever their names choose, with every value of each parameter that has no more values."""
    thinned = cases[0].get_closest_marker("thinned")
    assert thinned is not None
    share: int = thinned.args[0]
    cases = sorted(cases, key=lambda case: zlib.crc32(case.name.encode()))
    # Values need not be equal to themselves, nor have a hash.
    values = {case: {(name, id(value)) for name, value in case.callspec.params.items()} for case in cases}
    counts = Counter(name for name, _ in set[tuple[str, int]]().union(*values.values()))
    missing = {(n, v) for case in cases for n, v in values[case] if counts[n] * share <= len(cases)}
    kept: set[pytest.Function] = set()
    while missing:
        best = max(cases, key=lambda case: len(values[case] & missing))
        kept.add(best)
        missing -= values[best]
    for case in cases:
        if len(kept) * share < len(cases):
            kept.add(case)
    return kept


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collecting makes millions of objects that stay: looks for garbage among them would be half of its time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    modules = {item.module for item in session.items if isinstance(item, pytest.Function) and item.module}
    helpers = {m for name, m in sys.modules.items() if name.startswith("tests.") and m not in modules}
    _generators.update((module, _generators_of(module)) for module in modules | helpers)
    _generators[None] = [pair for helper in helpers for pair in _generators[helper]]
    _freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test draws from a generator of its module is the same whichever tests ran before it."""
    if isinstance(item, pytest.Function):
        for generator, state in (*_generators.get(item.module, ()), *_generators.get(None, ())):
            generator.bit_generator.state = state


_generators: dict[ModuleType | None, list[tuple[np.random.Generator, Any]]] = {}
"""The random generators of each module of tests, and under None of what they share, as they were before all tests."""


def _generators_of(module: ModuleType) -> list[tuple[np.random.Generator, Any]]:
    found = [value for value in vars(module).values() if isinstance(value, np.random.Generator)]
    return [(generator, generator.bit_generator.state) for generator in found]


def pytest_runtest_logfinish(nodeid: str, location: object) -> None:
    if next(_finished) % 500 == 0:
        _freeze()


_finished = itertools.count(1)


def _freeze() -> None:
    """Leave what there is out of the looks for garbage, of which some tests ask for many: tests, samples and reports
    live to the end, and are millions of objects."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _cache_dir in config.stash:
        shutil.rmtree(config.stash[_cache_dir], ignore_errors=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(path, text)` fails unless `text` is what tests/golden/`path` holds.

    With `--update-golden` it writes the file instead. A final newline is added where there is none.
    """
    update: bool = request.config.getoption("--update-golden")

    def check(path: str, text: str) -> None:
        file = GOLDEN / path
        if ".." in Path(path).parts or not file.is_relative_to(GOLDEN):
            raise ValueError(f"{path} is not inside tests/golden")
        text = text if text.endswith("\n") else text + "\n"
        if update:
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            return
        if not file.exists():
            pytest.fail(
                f"tests/golden/{path} does not exist: write it with --update-golden, then read it", pytrace=False
            )
        expected = file.read_text(encoding="utf-8")
        if expected != text:
            diff = difflib.unified_diff(
                expected.splitlines(keepends=True), text.splitlines(keepends=True), f"tests/golden/{path}", "this run"
            )
            pytest.fail(
                f"differs from tests/golden/{path}; if the new text is right, use --update-golden\n{''.join(diff)}",
                pytrace=False,
            )

    return check


@pytest.fixture
def own_ops() -> Generator[None]:
    """Ops that a test defines are known to that test alone."""
    from rosin.ir.op import REGISTRY

    before = set(REGISTRY)
    yield
    for name in set(REGISTRY) - before:
        del REGISTRY[name]
