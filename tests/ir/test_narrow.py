"""Mixed precision as a transform of graphs: which ops take narrow floats, and that everything else is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given

from rosin.ir import printer
from rosin.ir.builder import Builder
from rosin.ir.dtypes import bf16, f16, f32, f64
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.contract import Contraction
from rosin.ir.ops.control import Switch
from rosin.ir.ops.scan import Scan
from rosin.ir.transform.narrow import narrowed
from rosin.ir.types import TensorType, parse_type
from rosin.ir.verify import verify
from tests.random_graphs import arguments, graphs

Golden = Callable[[str, str], None]

SQUARE = TensorType(f32, (4, 4))


def products(graph: Graph) -> list[Node]:
    """The products of a graph, however deep."""
    return list(_products(graph))


def _products(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        if isinstance(node.op, Contraction):
            yield node
        for region in node.regions:
            yield from _products(region)


def test_products_are_narrow_and_the_rest_is_not(golden: Golden) -> None:
    b = Builder()
    x, w, bias = b.input(SQUARE, "x"), b.input(SQUARE, "w"), b.input(parse_type("f32[4]"), "bias")
    h = b.maximum(b.add(b.matmul(x, w), b.broadcast(bias, (4, 4), (1,))), 0.0)
    y = b.transpose(b.reshape(b.matmul(h, w), (2, 2, 4)), (0, 2, 1))
    z = b.matmul(b.reshape(y, (4, 4)), x)
    golden("narrow/network.txt", printer.text(narrowed(b.graph([b.sum(z, (0,)), h], "net"), f32, bf16)))


def test_what_only_moves_stays_narrow() -> None:
    b = Builder()
    x = b.input(SQUARE, "x")
    y = b.matmul(x, x)
    padded = b.pad(y, 0.0, (0, 0), (4, 0), (0, 0))
    joined = b.concatenate([b.slice(padded, (4, 0), (8, 4), (1, 1)), y], 0)
    start = b.full(0, parse_type("i32[]"))
    part = b.dynamic_slice(joined, [start, start], (4, 4))
    graph = narrowed(b.graph([b.matmul(part, x)]), f32, bf16)
    verify(graph)
    assert {v.type.dtype for v in graph.values()} >= {bf16}
    wide = [n for n in graph.nodes if n.op.moves_elements and n.results[0].type.dtype == f32]
    assert not wide


def test_a_constant_that_the_type_does_not_hold_is_not_moved_in_it() -> None:
    b = Builder()
    x = b.input(SQUARE, "x")
    graph = narrowed(b.graph([b.pad(b.matmul(x, x), 1 / 3, (0, 0), (1, 0), (0, 0))]), f32, bf16)
    (found,) = evaluate(graph, [np.eye(4, dtype="f")])
    assert found[4, 0] == np.float32(1 / 3)


def square(scale: float) -> Graph:
    """The scaled square of a matrix."""
    b = Builder()
    x = b.input(SQUARE, "x")
    return b.graph([b.mul(b.matmul(x, x), scale)], "square")


def step() -> Graph:
    b = Builder()
    h, w, x = (b.input(SQUARE, name) for name in ("h", "w", "x"))
    h = b.exp(b.matmul(b.add(h, x), w))
    return b.graph([h, h], "step")


def test_regions_and_bodies_keep_their_types() -> None:
    b = Builder()
    x, w, xs, which = (
        b.input(SQUARE),
        b.input(SQUARE),
        b.input(TensorType(f32, (3, 4, 4))),
        b.input(parse_type("i32[]")),
    )
    last, _ = b.node(Scan(step(), 1, 1, 3, False), x, w, xs)
    (chosen,) = b.node(Switch((square(2.0), square(3.0))), which, last)
    graph = narrowed(b.graph(b.node(Checkpoint(square(1.0)), chosen)), f32, bf16)
    verify(graph)
    assert len(products(graph)) == 4
    for node in products(graph):
        assert {v.type.dtype for v in (*node.operands, *node.results)} == {bf16}


def test_other_types_are_left_alone() -> None:
    b = Builder()
    wide, small = b.input(parse_type("f64[4, 4]")), b.input(parse_type("i8[4, 4]"))
    graph = b.graph([b.matmul(wide, wide), b.matmul(small, small), b.matmul(b.cast(wide, f16), b.cast(wide, f16))])
    assert printer.text(narrowed(graph, f32, bf16)) == printer.text(graph)
    assert narrowed(graph, f64, f64) is graph


@given(graphs())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_graphs_keep_their_types(graph: Graph) -> None:
    found = narrowed(graph, f32, bf16)
    verify(found)
    assert [v.type for v in found.outputs] == [v.type for v in graph.outputs]
    if not any(n.operands[0].type.dtype == f32 for n in products(graph)):
        values = arguments(graph)
        for a, b in zip(evaluate(found, values), evaluate(graph, values), strict=True):
            assert a.tobytes() == b.tobytes()


def test_values_keep_their_names() -> None:
    b = Builder()
    x = b.input(SQUARE, "x")
    y: Value = b.matmul(x, x)
    y.name = "y"
    found = narrowed(b.graph([b.exp(y)]), f32, bf16)
    assert "y" in [v.name for n in products(found) for v in n.results]
