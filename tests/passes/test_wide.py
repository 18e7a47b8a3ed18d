"""Wide values in blocks: which ones vanish, and that the program computes the same, on the interpreter and natively."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dtypes import f64
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.scan import Scan
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from rosin.passes import wide
from rosin.passes.wide import Wide
from rosin.runtime import threads
from rosin.runtime.compile_path import compile_graph
from tests.passes.graphs import arguments

Fn = Callable[..., Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near caches of a few kilobytes, so that small arrays have blocks."""
    monkeypatch.setattr(wide, "BLOCK_BYTES", 1 << 11)
    monkeypatch.setattr(wide, "MOST_ROWS", 8)
    monkeypatch.setattr(wide, "FEWEST_ROWS", 4)


def graph_of(f: Fn, *shapes: tuple[int, ...], dtype: str = "float64") -> Graph:
    given = [rnp.asarray(np.zeros(shape, dtype)) for shape in shapes]
    return rosin.compile(f).ir(*given, stage="dce-2")


def checked(graph: Graph) -> Graph:
    """The graph after the pass; it computes the same, and there is nothing left to do."""
    after = Wide().run(graph)
    verify(after)
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]
    rng = np.random.default_rng(0)
    given = [rng.standard_normal(v.type.sizes).astype(v.type.dtype.numpy) for v in graph.inputs]
    expected = evaluate(graph, given)
    for x, y in zip(expected, evaluate(after, given), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-10, atol=1e-12)
    for x, y in zip(expected, compile_graph(after)(*given), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-10, atol=1e-12)
    assert Wide().run(after) is after
    return after


def products(graph: Graph) -> Iterator[Value]:
    """The results of all products, in loops too."""
    for node in graph.nodes:
        if isinstance(node.op, DotGeneral):
            yield node.results[0]
        for region in node.regions:
            yield from products(region)


def largest(graph: Graph) -> int:
    return max(v.type.bytes for v in products(graph))


def loops(graph: Graph) -> int:
    return sum(isinstance(node.op, Scan) for node in graph.nodes)


def plain(q: Any, k: Any, v: Any) -> Any:
    return rosin.nn.softmax(q @ rnp.matrix_transpose(k), axis=-1) @ v


def causal(q: Any, k: Any, v: Any) -> Any:
    steps = rnp.arange(q.shape[-2])
    scores = rnp.where(steps[:, None] >= steps, q @ rnp.matrix_transpose(k) * 0.5, -rnp.inf)
    return rosin.nn.softmax(scores, axis=-1) @ v


def by_names(q: Any, k: Any, v: Any) -> Any:
    weights = rosin.nn.softmax(rnp.einsum("bqhd,bkhd->bhqk", q, k), axis=-1)
    return rnp.einsum("bhqk,bkhd->bqhd", weights, v)


def slopes(f: Fn) -> Fn:
    return rosin.grad(lambda q, k, v, *more: rnp.sum(f(q, k, v, *more) ** 3), (0, 1, 2))


@pytest.mark.parametrize("f", [plain, causal])
@pytest.mark.parametrize("shape", [(2, 3, 24, 4), (3, 21, 4)])
def test_scores_of_attention_are_never_whole(f: Fn, shape: tuple[int, ...]) -> None:
    for function in (f, slopes(f)):
        graph = graph_of(function, shape, shape, shape)
        after = checked(graph)
        assert loops(after) >= 1
        assert largest(after) <= 8 * shape[-2] * 8 < largest(graph)


def test_axes_may_be_in_any_order() -> None:
    for function in (by_names, slopes(by_names)):
        graph = graph_of(function, *[(2, 24, 3, 4)] * 3)
        assert largest(checked(graph)) < largest(graph)


def test_one_head_has_blocks_forward() -> None:
    assert loops(checked(graph_of(plain, *[(40, 4)] * 3))) == 1


def test_queries_keys_and_values_may_be_one() -> None:
    assert loops(checked(graph_of(lambda x: plain(x, x, x), (3, 24, 4)))) == 1
    slope = rosin.grad(lambda x: rnp.sum(plain(x, x, x) ** 2))
    assert loops(checked(graph_of(slope, (3, 24, 4)))) == 1


def test_what_is_added_to_scores_gets_its_gradient() -> None:
    def f(q: Any, k: Any, v: Any, bias: Any) -> Any:
        return rnp.sum((rosin.nn.softmax(q @ rnp.matrix_transpose(k) + bias, axis=-1) @ v) ** 2)

    graph = graph_of(rosin.grad(f, (0, 3)), *[(2, 3, 24, 4)] * 3, (3, 24, 24))
    after = checked(graph)
    assert loops(after) == 1


def test_scores_are_made_again_where_a_loss_stands_between() -> None:
    def f(q: Any, k: Any, v: Any, w: Any) -> Any:
        mixed = plain(q, k, v).swapaxes(1, 2).reshape(2, 24, 12)
        return rnp.sum(rnp.sin(mixed @ w))

    graph = graph_of(rosin.grad(f, (0, 1, 2, 3)), *[(2, 3, 24, 4)] * 3, (12, 5))
    after = checked(graph)
    assert loops(after) == 2
    assert sum(v.type.shape[-1] == 24 for v in products(after)) > sum(v.type.shape[-1] == 24 for v in products(graph))


def test_weights_that_are_given_out_are_stored() -> None:
    def f(q: Any, k: Any, v: Any) -> Any:
        weights = rosin.nn.softmax(q @ rnp.matrix_transpose(k), axis=-1)
        return weights, weights @ v

    graph = graph_of(f, *[(2, 3, 24, 4)] * 3)
    checked(graph)


def test_masks_that_repeat_are_made_in_the_loop() -> None:
    def f(q: Any, k: Any, v: Any, lengths: Any) -> Any:
        seen = rnp.arange(k.shape[-2]) < lengths[:, None, None, None]
        return rosin.nn.scaled_dot_product_attention(q, k, v, seen)

    assert loops(checked(graph_of(f, *[(2, 3, 24, 4)] * 3, (2,)))) == 1


def test_layers_have_loops_of_their_own() -> None:
    assert loops(checked(graph_of(lambda q, k, v: plain(plain(q, k, v), k, v), *[(2, 3, 24, 4)] * 3))) == 2


def test_small_and_deep_products_stay_as_they_are() -> None:
    small = graph_of(plain, *[(1, 2, 4)] * 3)
    assert Wide().run(small) is small
    deep = graph_of(lambda q, k, v: plain(q, k, v), (2, 300, 300), (2, 300, 300), (2, 300, 4))
    assert Wide().run(deep) is deep


def test_what_is_symbolic_stays_as_it_is() -> None:
    b = Builder()
    n = dims.symbol("n")
    q, k = (b.input(TensorType(f64, (2, 24, 4)), name) for name in "qk")
    x = b.input(TensorType(f64, (2, 24, n)), "x")
    scores = b.exp(b.dot_general(q, k, ((2,), (2,)), ((0,), (0,))))
    graph = b.graph([b.dot_general(scores, x, ((2,), (1,)), ((0,), (0,)))])
    assert Wide().run(graph) is graph


def test_effects_keep_their_order() -> None:
    def f(q: Any, k: Any, v: Any) -> Any:
        out = plain(q, k, v)
        rosin.debug.print("{}", rnp.sum(out))
        return out

    graph = graph_of(f, *[(2, 3, 24, 4)] * 3)
    assert Wide().run(graph) is graph


def test_sums_of_narrow_floats_are_taken_in_wide_ones() -> None:
    given = [rnp.asarray(np.random.default_rng(i).standard_normal((2, 64, 8))).astype("bfloat16") for i in range(3)]
    graph = rosin.compile(slopes(plain)).ir(*given, stage="dce-2")
    after = Wide().run(graph)
    verify(after)
    carried = [v.type.dtype for node in after.nodes if isinstance(node.op, Scan) for v in node.op.body.outputs]
    assert carried
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]


def test_bits_do_not_depend_on_threads() -> None:
    graph = Wide().run(graph_of(slopes(causal), *[(2, 3, 64, 8)] * 3))
    given = arguments(graph, 0)
    run, before, found = compile_graph(graph), threads.num_threads(), []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append(run(*given))
    finally:
        threads.set_num_threads(before)
    for other in found[1:]:
        for x, y in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(y, x)


def test_a_product_of_two_wide_values_is_left_alone() -> None:
    b = Builder()
    q, k = (b.input(TensorType(f64, (2, 24, 4)), name) for name in "qk")
    scores = b.exp(b.dot_general(q, k, ((2,), (2,)), ((0,), (0,))))
    checked(b.graph([b.dot_general(scores, scores, ((2,), (2,)), ((0,), (0,)))]))
