"""Vectors of few components: what sums over pairs become, and that they stay what they were."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.verify import verify
from rosin.passes import pipeline
from rosin.passes.components import Components
from rosin.passes.to_loops import to_loops

Fn = Callable[..., Any]


def graph_of(f: Fn, count: int, parts: int) -> Graph:
    given = [rnp.asarray(np.zeros(shape)) for shape in ((count, parts), (count,))]
    return rosin.compile(f).ir(*given, stage="residuals")


def forces(places: Any, masses: Any) -> Any:
    apart = places[None] - places[:, None]
    squared = rnp.sum(apart * apart, axis=-1) + 0.01
    return rnp.sum(apart * (masses / (squared * rnp.sqrt(squared)))[..., None], axis=1)


def along_the_other_axis(places: Any, masses: Any) -> Any:
    apart = places[:, None] - places[None]
    length = rnp.sqrt(rnp.sum(apart**2, axis=-1) + 0.01)
    return rnp.sum(apart / length[..., None] ** 3 * masses[:, None, None], axis=0)


def potential(places: Any, masses: Any) -> Any:
    apart = places[None] - places[:, None]
    return rnp.sum(masses * masses[:, None] / rnp.sqrt(rnp.sum(apart * apart, axis=-1) + 0.01))


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("f", [forces, along_the_other_axis, rosin.grad(potential)])
def test_sums_of_scaled_vectors_stay_what_they_were(f: Fn, parts: int) -> None:
    graph = graph_of(f, 40, parts)
    after = Components().run(graph)
    verify(after)
    assert after is not graph
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((40, parts)), rng.random(40)]
    for x, y in zip(evaluate(graph, given), evaluate(after, given), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-12)
    np.testing.assert_allclose(rosin.compile(f)(*map(rnp.asarray, given)), evaluate(graph, given)[0], rtol=1e-12)


def test_forces_store_nothing_for_pairs() -> None:
    program = to_loops(pipeline.run(graph_of(forces, 200, 3)))
    assert program.arena_bytes < 200 * 200
    stored = to_loops(graph_of(forces, 200, 3)).arena_bytes
    assert stored >= prod((200, 200, 3)) * 8


def test_vectors_of_many_components_and_few_pairs_stay() -> None:
    for count, parts in ((40, 5), (8, 3)):
        graph = graph_of(forces, count, parts)
        assert Components().run(graph) is graph


def test_sums_without_a_length_stay() -> None:
    graph = graph_of(lambda x, m: rnp.sum((x[None] - x[:, None]) * (m * m[:, None])[..., None], axis=1), 40, 3)
    assert Components().run(graph) is graph
