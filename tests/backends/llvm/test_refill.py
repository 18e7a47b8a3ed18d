"""Lanes that change places when others are done: each computes what it computes alone, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rosin.backends.llvm import refill
from rosin.ir.builder import Builder
from rosin.ir.dtypes import bf16
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.loops import Load, Loop, Scope, Store
from rosin.ir.op import Value
from rosin.ir.ops.index import DynamicSlice
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.statements import nested
from rosin.ir.steps import kernels
from rosin.ir.transform.batch import batch_graph
from rosin.passes import on_threads, pipeline
from rosin.passes.to_loops import to_loops
from tests.backends.llvm.test_kernels import run
from tests.ir.test_while import random_while
from tests.random_graphs import arguments
from tests.samples.control import region
from tests.thinning import examples

Array = NDArray[Any]
STATE = "i: i32[]; x: f64[]; y: f32[3]; odd: bool[]; small: bf16[]; n: i32[]; k: f64[]; table: f64[5]"


def step(b: Builder, i: Value, x: Value, y: Value, odd: Value, small: Value, *constants: Value) -> list[Value]:
    """Numbers of many types, an array in registers that is read at a place of each lane, and a table."""
    n, k, table = constants
    place = b.remainder(b.add(i, n), b.full(3, i.type))
    (own,) = b.node(DynamicSlice((1,)), y, place)
    (entry,) = b.node(DynamicSlice((1,)), table, b.remainder(i, b.full(5, i.type)))
    x = b.add(b.mul(x, k), b.reshape(entry, ()))
    y = b.add(b.reverse(y, (0,)), b.broadcast(b.mul(b.reshape(own, ()), 0.5), (3,), ()))
    return [b.add(i, 1), x, y, b.logical_not(odd), b.mul(small, b.full(0.75, small.type))]


def counting(lanes: int, tables: bool) -> Graph:
    """As many steps as each lane's `n`, with a table of its own for each lane or one for all."""
    op = While(region("below", STATE, lambda b, i, *rest: [b.less(i, rest[4])]), region("step", STATE, step), 5)
    graph = region("main", STATE, lambda b, *operands: b.node(op, *operands))
    return pipeline.run(batch_graph(graph, [True] * 7 + [tables], lanes))


def operands(lanes: int, counts: Array, tables: bool) -> list[Array]:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(lanes, 5) if tables else 5)
    floats = [rng.normal(size=lanes), rng.normal(size=(lanes, 3)).astype(np.float32)]
    flags, small = rng.random(lanes) < 0.5, rng.normal(size=lanes).astype(bf16.numpy)
    return [np.zeros(lanes, np.int32), *floats, flags, small, counts.astype(np.int32), rng.random(lanes), table]


def counts_of(pattern: str, lanes: int) -> Array:
    rng = np.random.default_rng(lanes)
    match pattern:
        case "alike":
            return np.full(lanes, 5)
        case "geometric":
            return rng.geometric(0.05, lanes) - 1
        case "heavy":
            return np.minimum(rng.pareto(0.8, lanes), 500)
        case "one":
            return np.where(np.arange(lanes) == lanes // 2, 200, 1)
        case _:
            return np.zeros(lanes)


def eager(patch: pytest.MonkeyPatch) -> None:
    """Have lanes change places as soon as one is done."""
    for name in ("EXCHANGE", "EXCHANGED", "MOVED"):
        patch.setattr(refill, name, 0)


def shared(patch: pytest.MonkeyPatch) -> None:
    """Run lanes on threads, however few there are."""
    eager(patch)
    patch.setattr(on_threads, "PARALLEL_WORK", 0)


def waiting(patch: pytest.MonkeyPatch) -> None:
    """Have lanes that are done wait for the others of their vector."""
    patch.setattr(refill, "MOST_PLACES", 0)


def is_refilled(graph: Graph) -> bool:
    found = [s for k in kernels(to_loops(graph).steps) for s in k.body if isinstance(s, Loop)]
    return any(loop.refill for loop in found)


def same_bits(found: Sequence[Array], expected: Sequence[Array]) -> None:
    for x, y in zip(found, expected, strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


@pytest.mark.thinned(8)
@pytest.mark.parametrize("pattern", ["alike", "geometric", "heavy", "one", "none"])
@pytest.mark.parametrize("lanes", [4, 16, 31, 64, 65, 200, 1000])
@pytest.mark.parametrize("tables", [False, True], ids=["table", "tables"])
@pytest.mark.parametrize("way", [None, eager, waiting, shared])
def test_every_lane_computes_what_it_computes_alone(
    pattern: str, lanes: int, tables: bool, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = counting(lanes, tables)
    assert is_refilled(graph)
    given = operands(lanes, counts_of(pattern, lanes), tables)
    if way is not None:
        way(monkeypatch)
    vector_bytes = {4: 16, 31: 32, 200: 16}.get(lanes, 64)
    same_bits(run(graph, given, vector_bytes), evaluate(graph, given))


def batch_of(seed: int, lanes: int) -> tuple[Graph, list[Array]]:
    graph = random_while(seed, 4)
    many = batch_graph(graph, [True] * len(graph.inputs), lanes)
    columns = zip(*(arguments(graph, k) for k in range(lanes)), strict=True)
    return pipeline.run(many), [np.stack(c) for c in columns]


@examples(25)
@given(st.integers(0, 10_000), st.sampled_from([5, 21]), st.sampled_from([16, 32]))
def test_random_loops_give_the_same_bits_in_other_places(seed: int, lanes: int, vector_bytes: int) -> None:
    graph, given = batch_of(seed, lanes)
    found: list[list[Array]] = []
    for way in (eager, waiting):
        with pytest.MonkeyPatch.context() as patch:
            way(patch)
            found.append(run(graph, given, vector_bytes))
    same_bits(*found)


def test_lanes_that_read_what_lies_side_by_side_stay_where_they_are() -> None:
    """Each step goes over rows of numbers, one for each lane."""
    types = "x: f64[100]; rows: f64[40, 100]"

    def add_rows(b: Builder, x: Value, rows: Value) -> list[Value]:
        add = region("row", "x: f64[100]; row: f64[100]", lambda b, x, row: [b.add(b.mul(x, 0.99), row)])
        return [b.node(Scan(add, 1, 1, 40, False), x, rows)[0]]

    op = While(region("small", types, lambda b, x, rows: [b.less(b.abs(x), 9.0)]), region("add", types, add_rows), 1)
    graph = region("main", types, lambda b, *operands: b.node(op, *operands))
    loop_kernels = [k for k in kernels(to_loops(graph).steps) if any(s.scope is Scope.STATE for s in k.scratch)]
    assert loop_kernels
    assert not is_refilled(graph)
    rng = np.random.default_rng(0)
    given = [rng.random(100), rng.random((40, 100))]
    same_bits(run(graph, given, 32), evaluate(graph, given))


def test_nothing_is_read_beyond_an_array() -> None:
    """The first lane has no neighbour before it, and what is read for it stands under a test."""
    types = "x: f64[100]; row: f64[100]"

    def step(b: Builder, x: Value, row: Value) -> list[Value]:
        shifted = b.pad(b.slice_axis(row, 0, 0, 99), 7.0, (1,), (0,), (0,))
        return [b.add(b.mul(x, 1.01), shifted)]

    op = While(region("small", types, lambda b, x, row: [b.less(b.abs(x), 3.0)]), region("add", types, step), 1)
    graph = region("main", types, lambda b, *operands: b.node(op, *operands))
    for kernel in kernels(to_loops(graph).steps):
        inside = [s for s in nested(kernel.body) if isinstance(s, Store) and s.buffer.scope is Scope.STATE]
        assert not any(isinstance(s.value, Load) and s.value.offset.constant == -1 for s in inside)
    rng = np.random.default_rng(0)
    given = [rng.random(100), rng.random(100) + 0.1]
    same_bits(run(graph, given, 32), evaluate(graph, given))
