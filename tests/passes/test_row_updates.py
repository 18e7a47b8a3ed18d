"""Updates of whole rows: in order and mixed, some left out, on any number of threads, with the bits of one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.ir.loops import Loop
from rosin.ir.steps import Again, Branch, kernels
from rosin.passes import on_threads, pipeline, row_updates
from rosin.passes.to_loops import to_loops
from rosin.runtime import threads

RANDOM = np.random.default_rng(11)
ROWS = 40
KINDS: dict[str, Any] = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share everything."""
    monkeypatch.setenv("ROSIN_CACHE", "0")
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)


def places_of(count: int, which: str) -> np.ndarray[Any, Any]:
    """Places of which some are none, in the order of their rows or not, or such that a few at the end are not."""
    places = RANDOM.integers(0, ROWS + 3, count)
    if which == "mixed":
        return places - RANDOM.integers(0, 2, count) * (ROWS + 1)
    places.sort()
    if which == "late":
        places[-5:] = places[-5:][::-1] - np.arange(5) * 3
    return np.where(places == 7, 9, places)


def one_by_one(kind: str, x: Any, places: Any, updates: Any) -> Any:
    places = np.where(places < 0, places + len(x), places)
    inside = (places >= 0) & (places < len(x))
    result = x.copy()
    KINDS[kind].at(result, places[inside], updates[inside])
    return result


def check_on_threads(
    function: Callable[..., Any], arrays: Sequence[Any], wanted: Any, numbers: Sequence[int] = (1, 2, 3)
) -> None:
    """Whether each of these numbers of threads gives the bits that are wanted."""
    before = threads.num_threads()
    try:
        for number in numbers:
            threads.set_num_threads(number)
            np.testing.assert_array_equal(np.asarray(function(*arrays)), wanted)
    finally:
        threads.set_num_threads(before)


def names(function: Callable[..., Any], *arrays: Any) -> str:
    return loop_printer.text(to_loops(pipeline.run(rosin.compile(function).ir(*map(rnp.asarray, arrays)))))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("which", ["in order", "mixed", "late"])
@pytest.mark.parametrize("width", [8, 13, 64, 100])
@pytest.mark.parametrize("count", [30, 700])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_the_bits_are_those_of_one_update_after_the_other(which: str, width: int, count: int, dtype: str) -> None:
    x, updates = ((RANDOM.normal(size=(n, width)) * 9).astype(dtype) for n in (ROWS, count))
    places = places_of(count, which)
    run = rosin.compile(lambda x, p, u: x.at[p].add(u))
    check_on_threads(run, (x, places, updates), one_by_one("add", x, places, updates))


@pytest.mark.parametrize("in_order", [False, True], ids=["mixed", "in order"])
@pytest.mark.parametrize("far", [0, 1 << 40], ids=["as they come", "sorted"])
@pytest.mark.parametrize(
    ("width", "rows", "count", "pieces"),
    [(64, 3000, 20000, 1), (66, 1900, 19001, 2), (128, 300, 9000, 4), (100, 90, 20000, 8), (300, 400, 9000, 4)],
)
def test_rows_get_their_updates_in_order(
    width: int, rows: int, count: int, pieces: int, far: int, in_order: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sorted by threads, a part of the updates on each, or as they come, a part of each row on a thread."""
    monkeypatch.setattr(row_updates, "FAR_BYTES", far)
    rng = np.random.default_rng(width)
    x, updates = rng.standard_normal((rows, width), np.float32), rng.standard_normal((count, width), np.float32)
    places = rng.integers(-rows - 5, rows + 5, count)
    if in_order:
        places = np.sort(np.abs(places))
    function = rosin.compile(lambda x, places, updates: x.at[places].add(updates))
    program = to_loops(pipeline.run(function.ir(*map(rnp.asarray, (x, places, updates)))))
    found = {k.name.rpartition("scatter_add")[2]: k for k in kernels(program.steps)}
    if far or width > 128:
        (loop,) = found["_sort"].body
        assert isinstance(loop, Loop)
        assert loop.var.extent == pieces
        assert loop.parallel == (pieces > 1)
    else:
        (loop,) = found[""].body
        assert isinstance(loop, Loop)
        assert (loop.var.name, loop.var.extent) == ("part", 2)
    check_on_threads(function, (x, places, updates), one_by_one("add", x, places, updates), (1, 2, 5))


@pytest.mark.parametrize("kind", [*KINDS])
@pytest.mark.parametrize("which", ["in order", "mixed"])
def test_every_kind_of_update(kind: str, which: str) -> None:
    x, updates, places = RANDOM.normal(size=(ROWS, 70)), RANDOM.normal(size=(900, 70)), places_of(900, which)
    updates[RANDOM.random(updates.shape) < 0.01] = np.nan
    found = rosin.compile(lambda x, p, u: getattr(x.at[p], kind)(u))(x, places, updates)
    np.testing.assert_array_equal(np.asarray(found), one_by_one(kind, x, places, updates))


@pytest.mark.parametrize("which", ["in order", "mixed"])
def test_narrow_floats_are_rounded_at_every_update(which: str) -> None:
    x, updates = (rnp.asarray(RANDOM.normal(size=(n, 64)), dtype="bfloat16") for n in (ROWS, 500))
    places, run = places_of(500, which), rosin.compile(lambda x, p, u: x.at[p].add(u))
    want = rosin.compile(lambda x, p, u: x.at[p].add(u), target="interpreter")(x, places, updates)
    np.testing.assert_array_equal(
        np.asarray(run(x, places, updates)).astype(np.float32), np.asarray(want).astype(np.float32)
    )


@pytest.mark.parametrize("which", ["in order", "mixed"])
def test_rows_of_several_axes_told_by_several_places(which: str) -> None:
    x, updates = RANDOM.normal(size=(5, 8, 6, 3)), RANDOM.normal(size=(20, 30, 6, 3))
    places = np.clip(places_of(600, which), 0, ROWS - 1).reshape(20, 30)
    first, second = places // 8, places % 8
    assert "in_order" in names(lambda x, i, j, u: x.at[i, j].add(u), x, first, second, updates)
    found = rosin.compile(lambda x, i, j, u: x.at[i, j].add(u))(x, first, second, updates)
    wanted = x.copy()
    np.add.at(wanted, (first, second), updates)
    np.testing.assert_array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("donated", [(), (0,)], ids=["kept", "donated"])
@pytest.mark.parametrize("which", ["in order", "mixed"])
def test_updates_read_what_was_there_before_all_of_them(donated: Any, which: str) -> None:
    """In loops and in donated memory too."""
    x, places = RANDOM.normal(size=(ROWS, 64)), np.clip(places_of(200, which), 0, ROWS - 1)

    def run(x: Any, places: Any) -> Any:
        return rosin.fori_loop(0, 3, lambda _, c: c.at[places].add(c[places[::-1]] * 0.5), x)

    wanted = x.copy()
    for _ in range(3):
        wanted = one_by_one("add", wanted, places, wanted[places[::-1]] * 0.5)
    found = rosin.compile(run, donate_argnums=donated)(rnp.asarray(x), places)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-12)


@pytest.mark.parametrize("which", ["in order", "mixed"])
def test_sizes_may_be_symbolic(which: str) -> None:
    run = rosin.compile(lambda x, p, u: x.at[p].add(u), dynamic={"x": {0: "n"}, "p": {0: "m"}, "u": {0: "m"}})
    for rows, count in ((ROWS, 400), (3, 90), (60, 1), (1, 5), (50, 0)):
        x, updates = RANDOM.normal(size=(rows, 64)), RANDOM.normal(size=(count, 64))
        places = places_of(count, which) if count else np.zeros(0, np.int64)
        np.testing.assert_array_equal(np.asarray(run(x, places, updates)), one_by_one("add", x, places, updates))


def test_equal_updates_have_the_kernels_of_one() -> None:
    def run(x: Any, y: Any, p: Any, q: Any, u: Any, w: Any) -> Any:
        return x.at[p].add(u), y.at[q].add(w)

    x, updates = RANDOM.normal(size=(2, ROWS, 64)), RANDOM.normal(size=(2, 300, 64))
    p, q = places_of(300, "in order"), places_of(300, "mixed")
    program = to_loops(pipeline.run(rosin.compile(run).ir(*map(rnp.asarray, (*x, p, q, *updates)))))
    assert sum(isinstance(step, Branch) for step in program.steps) == 4
    assert any(isinstance(k, Again) and k.name.endswith("in_order") for k in kernels(program.steps))
    first, second = rosin.compile(run)(*x, p, q, *updates)
    np.testing.assert_array_equal(np.asarray(first), one_by_one("add", x[0], p, updates[0]))
    np.testing.assert_array_equal(np.asarray(second), one_by_one("add", x[1], q, updates[1]))


@pytest.mark.parametrize(
    ("rows", "count", "width"),
    [(1000, 100, 64), (500, 300, 8), (100, 300, 4)],
    ids=["few updates", "few elements", "narrow"],
)
def test_others_are_made_one_by_one(rows: int, count: int, width: int) -> None:
    x, updates, places = np.zeros((rows, width)), np.ones((count, width)), np.zeros(count, np.int64)
    assert "in_order" not in names(lambda x, p, u: x.at[p].add(u), x, places, updates)
