"""Ops over a named axis: batching over the axis replaces them, batching over another leaves them."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.errors import DTypeError, ShapeError, UnsupportedError
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.collective import AxisGather, AxisIndex, AxisPermute, AxisSum, AxisSumScatter, NamedAxis
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType

X = TensorType(dtypes.f64, (3, 2))
OPS = (AxisSum("i", 3), AxisGather("i", 3), AxisSumScatter("i", 3), AxisPermute("i", 3, ((0, 2), (1, 0))))


def graph_of(op: Op, *types: TensorType) -> Graph:
    b = Builder()
    return b.graph(b.node(op, *[b.input(t, f"x{i}") for i, t in enumerate(types)]))


def expected(op: Op, x: np.ndarray) -> np.ndarray:
    """The results for a batch along axis 0."""
    if isinstance(op, AxisSum):
        return np.broadcast_to(x.sum(0), x.shape)
    if isinstance(op, AxisGather):
        return np.broadcast_to(x, (x.shape[0], *x.shape))
    if isinstance(op, AxisPermute):
        result = np.zeros_like(x)
        for source, target in op.pairs:
            result[target] = x[source]
        return result
    return x.sum(0)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_batching_over_the_axis(op: Op) -> None:
    x = np.random.default_rng(0).normal(size=(3, 3, 2))
    (found,) = evaluate(batch_graph(graph_of(op, X), [True], 3, "i"), [x])
    np.testing.assert_allclose(found, expected(op, x), rtol=1e-14)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_batching_over_the_axis_of_what_all_examples_share(op: Op) -> None:
    x = np.random.default_rng(0).normal(size=(3, 2))
    (found,) = evaluate(batch_graph(graph_of(op, X), [False], 3, "i"), [x])
    np.testing.assert_allclose(found, expected(op, np.broadcast_to(x, (3, 3, 2))), rtol=1e-14)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("name", [None, "j"])
def test_batching_over_another_axis_first(op: Op, name: str | None) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 3, 2))
    inner = batch_graph(graph_of(op, X), [True], 4, name)
    assert any(isinstance(node.op, NamedAxis) for node in inner.nodes)
    (found,) = evaluate(batch_graph(inner, [True], 3, "i"), [x])
    columns = [expected(op, x[:, k]) for k in range(4)]
    np.testing.assert_allclose(found, np.stack(columns, axis=1), rtol=1e-14)


def test_index_and_what_stands_in_a_region() -> None:
    b = Builder()
    body = b.graph([b.node(AxisIndex("i", 4))[0]])
    outer = graph_of(Checkpoint(body))
    for graph in (body, outer):
        (found,) = evaluate(batch_graph(graph, [], 4, "i"), [])
        np.testing.assert_array_equal(found, np.arange(4))


@pytest.mark.parametrize("op", [*OPS, AxisIndex("i", 3)], ids=lambda op: op.name)
def test_text_and_no_meaning_outside_a_batch(op: Op) -> None:
    graph = graph_of(op, *([] if isinstance(op, AxisIndex) else [X]))
    assert parse(text(graph)) == graph
    with pytest.raises(UnsupportedError, match="'i' has no meaning outside"):
        evaluate(graph, [np.zeros(t.type.sizes) for t in graph.inputs])


def test_type_rules() -> None:
    with pytest.raises(DTypeError, match="numbers"):
        graph_of(AxisSum("i", 3), TensorType(dtypes.bool_))
    with pytest.raises(DTypeError, match="numbers"):
        graph_of(AxisSumScatter("i", 3), TensorType(dtypes.bool_, (3,)))
    with pytest.raises(ShapeError, match="size of the axis 'i', 4"):
        graph_of(AxisSumScatter("i", 4), X)
