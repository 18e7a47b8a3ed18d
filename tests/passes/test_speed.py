"""Passes take time in proportion to the graph, and little of it."""

from __future__ import annotations

import time

import pytest

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.passes import pipeline
from rosin.passes.base import Pass
from rosin.passes.remat import Remat
from tests.passes.graphs import build, chain


def seconds(passes: tuple[Pass, ...], graph: Graph) -> float:
    """The least CPU time of three runs."""
    found: list[float] = []
    for _ in range(3):
        start = time.process_time()
        pipeline.run(graph, passes)
        found.append(time.process_time() - start)
    return min(found)


def test_a_thousand_nodes_take_tens_of_milliseconds() -> None:
    assert seconds(pipeline.GRAPH_PASSES, chain(1000)) < 0.15  # 10 to 20 ms on a quiet machine


@pytest.mark.parametrize("pass_", pipeline.GRAPH_PASSES, ids=pipeline.stage_names(pipeline.GRAPH_PASSES))
def test_no_pass_is_quadratic(pass_: Pass) -> None:
    small, large = chain(1000), chain(8000)
    assert seconds((pass_,), large) < 24 * seconds((pass_,), small) + 0.01


def test_long_chains_and_wide_graphs_do_not_recurse() -> None:
    def deep(b: Builder, x: object) -> object:
        for _ in range(5000):
            x = b.mul(b.neg(x), 2.0)  # type: ignore[arg-type]
        return x

    def wide(b: Builder, x: object) -> object:
        return [b.mul(x, float(i)) for i in range(2500)]  # type: ignore[arg-type]

    for make in (deep, wide):
        graph = build("f32[4]", make)  # type: ignore[arg-type]
        assert len(pipeline.run(graph).nodes) <= len(graph.nodes)


def test_recomputation_of_a_long_chain_takes_seconds_at_most() -> None:
    graph = pipeline.run(chain(2000))
    start = time.process_time()
    Remat(threshold=0).run(graph)
    assert time.process_time() - start < 10
