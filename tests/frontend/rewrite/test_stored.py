"""Rewritten code comes from the disk when nothing that it was made of has changed, and only then."""

import linecache
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.rewrite import build, functions, stored
from rosin.runtime import cache

TEXT = """\
import math
from numpy import sum as helper


def f(x):
    if x > 1:
        y = x * 2
    else:
        y = x - 1
    for i in range(3):
        y = y + i
    return helper([y * math.sqrt(4.0), 0])
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of functions that had to be rewritten, with an empty cache."""
    store = cache.ObjectCache(tmp_path / "cache")
    monkeypatch.setattr(cache, "default", lambda: store)
    found: list[str] = []
    real = build.rewrite

    def rewrite(function: types.FunctionType, is_fixed: Callable[..., bool]) -> Any:
        found.append(function.__name__)
        return real(function, is_fixed)

    monkeypatch.setattr(build, "rewrite", rewrite)
    return found


def load(path: Path, text: str) -> Any:
    """The module of a text, as a new process has it."""
    path.write_text(text)
    linecache.clearcache()
    functions._codes.clear()
    module = types.ModuleType("users")
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def result(module: Any, x: float = 3.0) -> float:
    module.helper = lambda parts: parts[0] + parts[1]
    return float(rosin.compile(module.f)(rnp.asarray(x)))


def test_a_second_process_parses_nothing(asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "users.py"
    assert result(load(path, TEXT)) == 18
    count = len(asked)
    assert "f" in asked
    assert result(load(path, TEXT)) == 18
    assert result(load(path, TEXT), 0.5) == 5
    assert len(asked) == count


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("x * 2", "x * 3", 24.0),  # of the same length
        ("if x > 1", "if x > 9", 10.0),
        ("y + i", "y - i", 6.0),
        ("    return", "    y = y + 1\n    return", 20.0),
    ],
)
def test_other_text_is_rewritten_anew(asked: list[str], tmp_path: Path, old: str, new: str, value: float) -> None:
    path = tmp_path / "users.py"
    assert result(load(path, TEXT)) == 18
    del asked[:]
    assert result(load(path, TEXT.replace(old, new))) == value
    assert "f" in asked
    assert result(load(path, TEXT)) == 18


def test_a_comment_counts_and_so_does_the_rewriter(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.py"
    result(load(path, TEXT))
    del asked[:]
    result(load(path, TEXT + "# more\n"))
    assert "f" in asked
    del asked[:]
    monkeypatch.setattr(stored, "_version", lambda: "another")
    result(load(path, TEXT + "# more\n"))
    assert "f" in asked


def test_names_that_stand_for_other_things(asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "users.py"
    module = load(path, TEXT)
    fixed = stored.rewrite(module.f, lambda names: True)
    free = stored.rewrite(module.f, lambda names: names != ("math", "sqrt"))
    assert asked == ["f", "f"]
    assert fixed.fixed[("math", "sqrt")]
    assert not free.fixed[("math", "sqrt")]
    assert fixed.code != free.code
    assert stored.rewrite(module.f, lambda names: names != ("math", "sqrt")) == free
    assert asked == ["f", "f"]


def test_reasons_are_kept(asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "users.py"
    text = "def f(x):\n    if x > 1:\n        return locals()['x']\n    return x\n"
    for _ in range(2):
        outcome = stored.rewrite(load(path, text).f, lambda names: False)
        assert outcome.code is None
        assert "locals()" in outcome.reason
    assert asked == ["f"]


def test_blocks_come_back(asked: list[str], tmp_path: Path) -> None:
    module = load(tmp_path / "users.py", TEXT)
    first = stored.rewrite(module.f, lambda names: False)
    assert [block.kind for block in first.blocks] == ["if", "for"]
    assert stored.rewrite(module.f, lambda names: False) == first
    assert asked == ["f"]


def test_code_that_has_no_bytes(asked: list[str], tmp_path: Path) -> None:
    module = load(tmp_path / "users.py", TEXT)
    code = module.f.__code__
    strange = types.FunctionType(code.replace(co_consts=(*code.co_consts, object())), module.__dict__)
    for _ in range(2):
        assert stored.rewrite(strange, lambda names: False).code is not None
    assert asked == ["f", "f"]


def test_without_a_cache(asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSIN_CACHE", "0")
    store = cache.ObjectCache(tmp_path / "none")
    monkeypatch.setattr(cache, "default", lambda: store)
    for _ in range(2):
        assert result(load(tmp_path / "users.py", TEXT)) == 18
    assert asked.count("f") == 2
