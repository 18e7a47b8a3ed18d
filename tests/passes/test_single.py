"""Updates pushed into places: computed on the way, in order, also in loops, in donated memory and on threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import steps
from rosin.ir.builder import Builder
from rosin.ir.loops import Loop
from rosin.ir.op import Value
from rosin.ir.ops.index import Numbers
from rosin.passes import pipeline, row_updates
from rosin.passes.to_loops import to_loops
from rosin.runtime import threads
from tests.passes.test_fusion import graph_of
from tests.passes.test_row_updates import check_on_threads, one_by_one

RANDOM = np.random.default_rng(5)
LINES = Numbers((1,), (0,), (), (), (0,), 1)


def added(x: Any, places: Any) -> Any:
    """Each update reads what others write to."""
    return x.at[places].add(x[::-1][: len(places)] * 2)


def wanted(x: Any, places: Any, times: int) -> Any:
    x = x.copy()
    for _ in range(times):
        np.add.at(x, places, x[::-1][: len(places)] * 2)
    return x


@pytest.mark.parametrize("shape", [(7,), (3000,), (40, 6), (4000, 256)], ids=str)
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("donated", [(), (0,)], ids=["kept", "donated"])
def test_updates_read_what_was_there_before_all_of_them(shape: tuple[int, ...], times: int, donated: Any) -> None:
    x, places = RANDOM.normal(size=shape), RANDOM.integers(0, shape[0], shape[0])

    def run(x: Any, places: Any) -> Any:
        if times == 1:
            return added(x, places)
        return rosin.scan(lambda c, _: (added(c, places), None), x, None, length=times)[0]

    found = rosin.compile(run, donate_argnums=donated)(rnp.asarray(x), places)
    np.testing.assert_allclose(np.asarray(found), wanted(x, places, times), rtol=1e-10, atol=1e-10)


def test_cheap_updates_are_not_stored() -> None:
    def build(b: Builder, x: Value, places: Value, updates: Value, weights: Value) -> list[Value]:
        spread = b.broadcast(weights, updates.type.shape, (0,))
        return [b.scatter("add", x, places, b.mul(updates, spread), LINES, "clip")]

    program = to_loops(graph_of(build, "f32[9, 4]", "i32[5, 1]", "f32[5, 4]", "f32[5]"), 32)
    assert program.arena_bytes == 0
    assert len(list(steps.kernels(program.steps))) == 2


def test_updates_that_something_else_needs_are_computed_once() -> None:
    def build(b: Builder, x: Value, places: Value, updates: Value) -> list[Value]:
        twice = b.mul(updates, 2.0)
        return [b.scatter("add", x, places, twice, LINES, "clip"), twice]

    program = to_loops(graph_of(build, "f32[9, 4]", "i32[5, 1]", "f32[5, 4]"), 32)
    assert len(list(steps.kernels(program.steps))) == 3


def test_threads_share_neighbours_and_not_the_order() -> None:
    table, places = RANDOM.normal(size=(50, 512)).astype(np.float32), RANDOM.integers(-60, 60, 4000)
    weights = RANDOM.normal(size=(4000, 512)).astype(np.float32)
    run = rosin.compile(lambda t, p, w: t.at[p].add(w))
    before, bits = threads.num_threads(), list[bytes]()
    for number in (1, 2, 3):
        threads.set_num_threads(number)
        bits.append(np.asarray(run(table, places, weights)).tobytes())
    threads.set_num_threads(before)
    total = table.copy()
    inside = (places >= -50) & (places < 50)
    np.add.at(total, places[inside], weights[inside])
    assert bits == [total.tobytes()] * 3


@pytest.mark.parametrize("most", [-30, 7, 2000], ids=["some beyond", "few", "all"])
def test_threads_have_places_of_their_own_and_not_the_order(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide rows, to places of which some are no places, or are the same again and again: the bits do not depend on
    who makes which update."""
    monkeypatch.setattr(row_updates, "MOST_ROWS", 0)
    rng = np.random.default_rng(1)
    x, updates = rng.standard_normal((2000, 300), np.float32), rng.standard_normal((5000, 300), np.float32)
    places = rng.integers(min(most, 0), 2030 if most < 0 else most, 5000)
    function = rosin.compile(lambda x, places, updates: x.at[places].add(updates))
    program = to_loops(pipeline.run(function.ir(*map(rnp.asarray, (x, places, updates)))))
    (update,) = (k for k in steps.kernels(program.steps) if k.name.endswith("scatter_add"))
    assert isinstance(update, steps.Kernel)
    (loop,) = update.body
    assert isinstance(loop, Loop)
    assert loop.parallel
    assert loop.var.name == "owner"
    check_on_threads(function, (x, places, updates), one_by_one("add", x, places, updates), (1, 2, 5))
