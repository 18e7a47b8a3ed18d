"""The compile path and the cache of compiled objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.types import TensorType
from rosin.runtime.executable import NativeExecutable


def _graph(name: str) -> Graph:
    b = Builder()
    x = b.input(TensorType(dtypes.f32, (3,)), "x")
    return b.graph([b.exp(b.neg(x))], name)


def test_a_program_that_was_compiled_before_comes_from_the_disk() -> None:
    graph = _graph("kept")
    assert not NativeExecutable(graph, ()).from_cache
    again = NativeExecutable(graph, ())
    assert again.from_cache
    np.testing.assert_allclose(again(np.zeros(3, np.float32))[0], 1.0)


def test_passes_that_are_watched_run_though_the_object_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NativeExecutable(_graph("watched"), ())
    monkeypatch.setenv("ROSIN_DEBUG", f"check,dump={tmp_path}")
    assert not NativeExecutable(_graph("watched"), ()).from_cache
    assert (tmp_path / "watched" / "01-inline.txt").exists()
