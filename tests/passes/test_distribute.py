"""Products that leave a loop: which ones do, and that the loop computes the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.ops.scan import Scan
from rosin.ir.verify import verify
from rosin.passes.distribute import Distribute
from tests.passes.graphs import arguments
from tests.samples.control import region


def checked(graph: Graph) -> Graph:
    """The graph after the pass; it computes the same to the last digits of f64."""
    after = Distribute().run(graph)
    verify(after)
    assert [v.type for v in after.outputs] == [v.type for v in graph.outputs]
    given = arguments(graph, 0)
    for x, y in zip(evaluate(graph, given), evaluate(after, given), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-12, atol=1e-12)
    assert Distribute().run(after) is after
    return after


def products(graph: Graph) -> tuple[int, int]:
    """How many products there are inside of loops, and outside."""
    inside = sum(isinstance(n.op, DotGeneral) for m in graph.nodes for r in m.regions for n in r.nodes)
    return inside, sum(isinstance(n.op, DotGeneral) for n in graph.nodes)


def loop(body: Graph, carried: int, stacked: int, steps: int = 5, reverse: bool = False, types: str = "") -> Graph:
    return region("main", types, lambda b, *xs: b.node(Scan(body, carried, stacked, steps, reverse), *xs))


RECURRENT = "h: f64[{0}, 3]; w: f64[4, 3]; u: f64[3, 3]; x: f64[{0}, 4]"


def recurrent(b: Builder, h: Value, w: Value, u: Value, x: Value) -> list[Value]:
    h = b.sin(b.add(b.matmul(h, u), b.matmul(b.sin(x), w)))
    return [h, h]


@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_elements_go_before_the_loop(reverse: bool) -> None:
    types = RECURRENT.format(1).replace("x: f64[1, 4]", "x: f64[5, 1, 4]")
    graph = loop(region("step", RECURRENT.format(1), recurrent), 1, 1, 5, reverse, types)
    assert products(graph) == (2, 0)
    assert products(checked(graph)) == (1, 1)


def test_products_of_many_rows_stay() -> None:
    types = RECURRENT.format(9).replace("x: f64[9, 4]", "x: f64[5, 9, 4]")
    graph = loop(region("step", RECURRENT.format(9), recurrent), 1, 1, 5, False, types)
    assert Distribute().run(graph) is graph


def summed(b: Builder, total: Value, h: Value, w: Value, x: Value) -> list[Value]:
    """A sum of products of what the step computes with its element, turned."""
    h = b.sin(b.matmul(h, w))
    product = b.dot_general(x, h, ((0,), (0,)))
    return [b.add(b.transpose(product, (1, 0)), total), h, h]


@pytest.mark.parametrize("reverse", [False, True])
def test_sums_of_products_go_behind_the_loop(reverse: bool) -> None:
    types = "total: f64[8, 6]; h: f64[2, 8]; w: f64[8, 8]; x: f64[{}2, 6]"
    graph = loop(region("step", types.format(""), summed), 2, 1, 5, reverse, types.format("5, "))
    after = checked(graph)
    assert products(after) == (1, 1)
    (node,) = (n for n in after.nodes if isinstance(n.op, Scan))
    assert isinstance(node.op, Scan)
    assert node.op.carried == 1


def with_bias(b: Builder, bias: Value, total: Value, h: Value, w: Value, x: Value) -> list[Value]:
    """Beside a sum of products, the sum of rows of what these are made of."""
    h = b.sin(b.matmul(h, w))
    return [b.add(bias, b.sum(h, (0,))), b.add(total, b.dot_general(x, h, ((0,), (0,)))), h]


def test_sums_of_what_is_stacked_go_with_products() -> None:
    types = "bias: f64[8]; total: f64[6, 8]; h: f64[2, 8]; w: f64[8, 8]; x: f64[{}2, 6]"
    after = checked(loop(region("step", types.format(""), with_bias), 3, 1, 5, True, types.format("5, ")))
    (node,) = (n for n in after.nodes if isinstance(n.op, Scan))
    assert isinstance(node.op, Scan)
    assert node.op.carried == 1
    assert len(node.results) == 2


def test_sums_stay_without_products() -> None:
    def body(b: Builder, bias: Value, h: Value, x: Value) -> list[Value]:
        h = b.sin(b.mul(h, x))
        return [b.add(bias, b.sum(h, (0,))), h]

    types = "bias: f64[8]; h: f64[2, 8]; x: f64[{}2, 8]"
    graph = loop(region("step", types.format(""), body), 2, 1, 5, False, types.format("5, "))
    assert Distribute().run(graph) is graph


def outer(b: Builder, total: Value, h: Value, x: Value) -> list[Value]:
    h = b.sin(h)
    product = b.mul(b.broadcast(x, (8, 6), (1,)), b.broadcast(h, (8, 6), (0,)))
    return [b.add(total, b.add(product, b.zeros(product.type))), h]


def test_sums_of_outer_products_do_too() -> None:
    types = "total: f64[8, 6]; h: f64[8]; x: f64[{}6]"
    after = checked(loop(region("step", types.format(""), outer), 2, 1, 5, False, types.format("5, ")))
    assert products(after) == (0, 1)


def test_a_sum_that_the_steps_look_at_stays() -> None:
    def body(b: Builder, total: Value, h: Value, x: Value) -> list[Value]:
        product = b.mul(b.broadcast(x, (8, 6), (1,)), b.broadcast(h, (8, 6), (0,)))
        return [b.add(total, product), b.sin(b.sum(total, (1,)))]

    types = "total: f64[8, 6]; h: f64[8]; x: f64[{}6]"
    graph = loop(region("step", types.format(""), body), 2, 1, 5, False, types.format("5, "))
    assert Distribute().run(graph) is graph


def test_a_sum_smaller_than_what_it_is_made_of_stays() -> None:
    def body(b: Builder, total: Value, h: Value, x: Value) -> list[Value]:
        h = b.sin(h)
        return [b.add(total, b.dot_general(x, h, ((0,), (0,)))), h]

    types = "total: f64[2, 2]; h: f64[50, 2]; x: f64[{}50, 2]"
    graph = loop(region("step", types.format(""), body), 2, 1, 5, False, types.format("5, "))
    assert Distribute().run(graph) is graph


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_gradients_of_a_recurrent_network(rows: int) -> None:
    """Compiled, against the interpreter, which runs no passes; with a length that is a number and a symbolic one."""
    rng = np.random.default_rng(0)
    w, u = rng.standard_normal((4, 32)) * 0.3, rng.standard_normal((32, 32)) * 0.3
    xs = rng.standard_normal((7, rows, 4))

    def loss(weights: Sequence[rosin.Array], xs: rosin.Array) -> rosin.Array:
        def step(h: rosin.Array, x: rosin.Array) -> tuple[rosin.Array, rosin.Array]:
            h = rnp.tanh(x @ weights[0] + h @ weights[1])
            return h, h

        start = rnp.zeros((rows, 32), dtype=rnp.float64)
        return rnp.sum(rosin.scan(step, start, xs)[1] ** 2)

    gradient = rosin.grad(loss)
    expected = rosin.compile(gradient, target="interpreter")((w, u), xs)
    for dynamic in (False, True):
        found = rosin.compile(gradient, dynamic=dynamic)((w, u), xs)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-10, atol=1e-12)
