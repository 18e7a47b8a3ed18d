"""Updates of few elements in parts: integers, in any order, some left out, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.passes import on_threads, pipeline
from rosin.passes.to_loops import to_loops
from tests.passes.test_row_updates import KINDS, check_on_threads, one_by_one

RANDOM = np.random.default_rng(13)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share everything."""
    monkeypatch.setenv("ROSIN_CACHE", "0")
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("kind", [*KINDS])
@pytest.mark.parametrize("count", [640, 1000, 3001])
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64"])
def test_integers_in_parts(kind: str, count: int, dtype: str) -> None:
    x, updates = (RANDOM.integers(0, 100, n).astype(dtype) for n in (9, count))
    places = RANDOM.integers(-12, 12, count)
    run = rosin.compile(lambda x, p, u: getattr(x.at[p], kind)(u))
    assert "parts" in loop_printer.text(to_loops(pipeline.run(run.ir(x, places, updates))))
    check_on_threads(run, (x, places, updates), one_by_one(kind, x, places, updates))


def test_places_of_several_axes() -> None:
    x, updates = RANDOM.integers(-9, 9, (3, 4, 2)), RANDOM.integers(-9, 9, (1999, 2))
    first, second = RANDOM.integers(0, 3, 1999), RANDOM.integers(0, 4, 1999)
    found = rosin.compile(lambda x, i, j, u: x.at[i, j].add(u))(x, first, second, updates)
    wanted = x.copy()
    np.add.at(wanted, (first, second), updates)
    np.testing.assert_array_equal(np.asarray(found), wanted)


def test_floats_keep_their_order() -> None:
    x, updates, places = np.zeros(3), RANDOM.normal(size=5000), RANDOM.integers(0, 3, 5000)
    run = rosin.compile(lambda x, p, u: x.at[p].add(u))
    assert "parts" not in loop_printer.text(to_loops(pipeline.run(run.ir(x, places, updates))))
    wanted = x.copy()
    np.add.at(wanted, places, updates)
    np.testing.assert_array_equal(np.asarray(run(x, places, updates)), wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64", "bool"])
def test_counts_leave_out_what_is_no_place(dtype: str) -> None:
    x = RANDOM.integers(-5, 100, 4001).astype(dtype)
    inside = x.astype(np.int64)[(x.astype(np.int64) >= 0) & (x.astype(np.int64) < 30)]
    found = rosin.compile(lambda x: rnp.bincount(x, length=30))(x)
    np.testing.assert_array_equal(np.asarray(found), np.bincount(inside, minlength=30))


def test_sizes_may_be_symbolic() -> None:
    run = rosin.compile(lambda x: rnp.bincount(x, length=7), dynamic={"x": {0: "n"}})
    for count in (5000, 3, 0, 17):
        x = RANDOM.integers(0, 9, count)
        np.testing.assert_array_equal(np.asarray(run(x)), np.bincount(x[x < 7], minlength=7))
