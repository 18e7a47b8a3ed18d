"""Products of many terms in parts: which ones are, and that they come to the same, on one thread and on several."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir.builder import Builder
from rosin.ir.dtypes import f64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.types import parse_type
from rosin.ir.verify import verify
from rosin.passes import long_products
from rosin.passes.long_products import LongProducts
from rosin.runtime import threads
from rosin.runtime.compile_path import compile_graph


def product(lhs: str, rhs: str, axes: tuple[tuple[int, ...], tuple[int, ...]], batch: int = 0) -> Graph:
    b = Builder()
    x, y = b.input(parse_type(lhs)), b.input(parse_type(rhs))
    both = tuple(range(batch))
    return b.graph([b.dot_general(x, y, axes, (both, both))], "main")


def parts(graph: Graph) -> int:
    """Into how many parts the product of a graph is cut, 1 for none."""
    (node,) = (node for node in graph.nodes if isinstance(node.op, DotGeneral))
    return node.operands[0].type.sizes[node.op.lhs_batch[0]] if node.op.lhs_batch else 1


def check_parts(graph: Graph, number: int) -> None:
    """Into how many parts a product is cut, and that these come to the same, on any number of threads."""
    after = LongProducts().run(graph)
    verify(after)
    assert parts(after) == number
    assert LongProducts().run(after) is after
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]
    random = np.random.default_rng(0)
    given = [random.standard_normal(v.type.sizes).astype(v.type.dtype.numpy) for v in graph.inputs]
    close = {"rtol": 1e-9, "atol": 1e-9} if graph.inputs[0].type.dtype == f64 else {"rtol": 2e-3, "atol": 2e-3}
    (expected,) = evaluate(graph, given)
    np.testing.assert_allclose(evaluate(after, given)[0], expected, **close)
    run = compile_graph(graph)
    before = threads.num_threads()
    found = []
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        found.append(run(*given)[0])
    threads.set_num_threads(before)
    np.testing.assert_allclose(found[0], expected, **close)
    assert all(np.array_equal(x, found[0]) for x in found)


@pytest.mark.parametrize(
    ("lhs", "rhs", "axes", "number"),
    [
        ("f64[1200, 40]", "f64[1200, 33]", ((0,), (0,)), 4),
        ("f32[2050, 40]", "f32[2050, 33]", ((0,), (0,)), 2),
        ("f64[2025, 40]", "f64[2025, 33]", ((0,), (0,)), 3),
        ("f64[8, 250, 40]", "f64[8, 250, 20]", ((0, 1), (0, 1)), 4),
        ("f64[8, 40, 250]", "f64[250, 20, 8]", ((2, 0), (0, 2)), 1),
        ("f64[8, 40, 250]", "f64[8, 250, 20]", ((2, 0), (1, 0)), 4),
        ("f64[4000, 20, 2]", "f64[4000, 10]", ((0,), (0,)), 4),
        ("f64[512, 128]", "f64[512, 128]", ((0,), (0,)), 2),
    ],
)
def test_terms_are_cut_along_the_first_axes(
    lhs: str, rhs: str, axes: tuple[tuple[int, ...], tuple[int, ...]], number: int
) -> None:
    check_parts(product(lhs, rhs, axes), number)


@pytest.mark.parametrize(
    ("lhs", "rhs", "axes", "number"),
    [
        ("f64[20, 1600]", "f64[1600, 30]", ((1,), (0,)), 8),
        ("f64[20, 1600]", "f64[30, 1600]", ((1,), (1,)), 8),
        ("f64[1600, 20]", "f64[30, 1600]", ((0,), (1,)), 8),
        ("f32[20, 1604]", "f32[1604, 3, 10]", ((1,), (0,)), 4),
        ("f64[4, 1600, 5]", "f64[1600, 30]", ((1,), (0,)), 8),
        ("f64[20, 400]", "f64[400, 30]", ((1,), (0,)), 1),
        ("f64[120, 1920]", "f64[1920, 120]", ((1,), (0,)), 8),
        ("f64[121, 1920]", "f64[1920, 120]", ((1,), (0,)), 1),
    ],
)
def test_long_sums_of_rows_that_lie_anyhow(
    lhs: str,
    rhs: str,
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_products, "LONG_WORK", 1 << 19)
    monkeypatch.setattr(long_products, "PARALLEL_WORK", 1 << 10)
    check_parts(product(lhs, rhs, axes), number)


@pytest.mark.parametrize(
    ("lhs", "rhs", "axes", "batch"),
    [
        pytest.param("f32[64, 4096]", "f32[4096, 64]", ((1,), (0,)), 0, id="rows of one operand are not folded"),
        pytest.param("f32[1024, 600]", "f32[1024, 600]", ((0,), (0,)), 0, id="many results"),
        pytest.param("f32[64, 16]", "f32[64, 16]", ((0,), (0,)), 0, id="little work"),
        pytest.param("f32[3, 4096, 64]", "f32[3, 4096, 64]", ((1,), (1,)), 1, id="a batch"),
        pytest.param("f32[4096, 800]", "f32[4096]", ((0,), (0,)), 0, id="a vector"),
        pytest.param("f16[4096, 64]", "f16[4096, 64]", ((0,), (0,)), 0, id="sums that would be rounded twice"),
        pytest.param("f32[4093, 64]", "f32[4093, 64]", ((0,), (0,)), 0, id="a prime number of terms"),
        pytest.param("f32[n, 64]", "f32[n, 64]", ((0,), (0,)), 0, id="a number of terms that is not known"),
    ],
)
def test_others_stay_whole(lhs: str, rhs: str, axes: tuple[tuple[int, ...], tuple[int, ...]], batch: int) -> None:
    graph = product(lhs, rhs, axes, batch)
    assert LongProducts().run(graph) is graph
