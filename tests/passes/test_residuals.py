"""What loops keep for their way back: the same bits from fewer bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, note

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType
from rosin.passes import pipeline
from rosin.passes.cse import Cse
from rosin.passes.dce import Dce
from rosin.passes.inline import Inline
from rosin.passes.residuals import Residuals
from rosin.passes.simplify import Simplify
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import vjp_graph
from tests.ir.test_control import scans
from tests.ir.test_while import whiles
from tests.passes.graphs import check_pass
from tests.samples import draw
from tests.samples.control import region
from tests.thinning import examples

EVERYTHING = Residuals(flops=1 << 40, reads=1 << 40, most=1.0)
"""Computes again whatever it may, and saves the least bit of memory."""

WITHOUT = tuple(p for p in pipeline.GRAPH_PASSES if not isinstance(p, Residuals))


def prepared(graph: Graph) -> Graph:
    for pass_ in (Inline(), Dce(), Cse(), Simplify(), Cse(), Dce()):
        graph = pass_.run(graph)
    return graph


def gradient(graph: Graph) -> Graph:
    return prepared(vjp_graph(graph, [v.type.dtype.is_float for v in graph.inputs]))


def logistic(b: Builder, x: Value, k: Value, e: Value) -> list[Value]:
    """Some products, a quotient and a tanh, from a carry, a constant and an element."""
    y = b.mul(b.mul(k, x), b.sub(1.0, x))
    z = b.div(y, b.add(b.mul(y, y), 1.0))
    return [b.add(b.mul(z, e), b.mul(b.mul(z, z), 0.25))]


def trajectory(length: int = 7, shape: str = "", reverse: bool = False) -> Graph:
    body = region("logistic", f"x: f64[{shape}]; k: f64[{shape}]; e: f64[{shape}]", logistic)
    rows = f"{length}, {shape}" if shape else f"{length}"
    types = f"x: f64[{shape}]; k: f64[{shape}]; e: f64[{rows}]"
    return region("main", types, lambda b, *xs: b.node(Scan(body, 1, 1, length, reverse), *xs))


def scan_nodes(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.op, Scan)]


def stacked(graph: Graph) -> int:
    """How many numbers the first scan of the graph stacks."""
    first = scan_nodes(graph)[0]
    assert isinstance(first.op, Scan)
    return len(first.results) - first.op.carried


def test_a_step_keeps_what_it_carries(golden: Callable[[str, str], None]) -> None:
    before = gradient(trajectory())
    after = Dce().run(check_pass(Residuals(), before))
    assert stacked(before) > 2
    assert stacked(after) == 1
    golden("residuals/scan.txt", f"{text(before)}\n{text(after)}")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", ["", "3"])
def test_gradients_keep_every_bit(reverse: bool, shape: str) -> None:
    graph = vjp_graph(trajectory(9, shape, reverse), [True] * 3)
    operands = [draw(v.type.dtype, v.type.sizes, 0.1, 0.9, seed=i) for i, v in enumerate(graph.inputs)]
    plain = evaluate(pipeline.run(graph, WITHOUT), operands)
    for x, y, z in zip(evaluate(pipeline.run(graph), operands), plain, compile_graph(graph)(*operands), strict=True):
        assert x.tobytes() == y.tobytes()
        np.testing.assert_allclose(z, y, rtol=1e-12)


def test_a_gradient_takes_a_third_of_the_memory() -> None:
    graph = vjp_graph(trajectory(1000, "50"), [True, True, True])
    sizes = [to_loops(pipeline.run(graph, passes)).arena_bytes for passes in (pipeline.GRAPH_PASSES, WITHOUT)]
    assert 3 * sizes[0] < sizes[1]


def test_what_is_dear_is_kept() -> None:
    """A product of matrices is not computed twice."""
    types = "x: f64[9]; w: f64[9, 9]"
    body = region("mix", types, lambda b, x, w: [b.sin(b.exp(b.dot_general(w, b.sin(x), ((1,), (0,)))))])
    before = gradient(region("main", types, lambda b, *xs: b.node(Scan(body, 1, 0, 5, False), *xs)))
    after = Residuals().run(before)
    assert after is not before
    products = [
        sum(node.op.name == "dot_general" for node in scan_nodes(graph)[1].regions[0].nodes)
        for graph in (before, after, Dce().run(EVERYTHING.run(before)))
    ]
    assert products[0] == products[1] < products[2]


def test_a_sum_with_a_bias_is_kept_whole() -> None:
    """Not the sum without it, which takes as many bytes, and from which it would be computed again."""

    def step(b: Builder, h: Value, w: Value, bias: Value) -> list[Value]:
        y = b.add(b.matmul(h, w), b.broadcast(bias, (2, 9), (1,)))
        return [b.mul(b.sin(y), b.mul(b.cos(y), b.exp(b.neg(b.mul(y, y)))))]

    types = "h: f64[2, 9]; w: f64[9, 9]; bias: f64[9]"
    body = region("affine", types, step)
    before = gradient(region("main", types, lambda b, *xs: b.node(Scan(body, 1, 0, 5, False), *xs)))
    after = Dce().run(check_pass(Residuals(), before))
    assert stacked(after) < stacked(before)
    assert not any(node.op.name == "broadcast" for node in scan_nodes(after)[1].regions[0].nodes)


def test_what_is_asked_for_anyway_is_read_from_there() -> None:
    """The trajectory itself is a result: nothing is gained by keeping something else of as many bytes."""

    def step(b: Builder, x: Value, k: Value) -> list[Value]:
        y = b.mul(b.sin(x), k)
        return [b.add(b.mul(y, y), x), x, y]

    types = "x: f64[]; k: f64[]"
    body = region("step", types, step)
    graph = region("main", types, lambda b, *xs: b.node(Scan(body, 1, 0, 6, False), *xs))
    b = Builder()
    inputs = [b.input(v.type, v.name) for v in graph.inputs]
    outputs, pull = vjp(b, graph, inputs, [True, True])
    slopes = pull([b.like(1.0, v) for v in outputs])
    before = prepared(b.graph([*outputs, *(v for v in slopes if v is not None)]))
    assert stacked(before) > 2
    assert stacked(Dce().run(check_pass(EVERYTHING, before))) == 2


def test_a_loop_that_counts_less_is_left_alone() -> None:
    """Rows beyond the count are zeros, which no step gives."""
    first = region("first", "x: f64[]; n: i32[]", lambda b, x, n: [b.add(b.cos(x), 1.0), b.cos(x), b.mul(x, x)])
    types = "s: f64[]; c: f64[]; q: f64[]"
    second = region("second", types, lambda b, s, c, q: [b.add(s, b.exp(b.add(c, q)))])

    def both(b: Builder, x: Value, n: Value) -> Sequence[Value]:
        _, c, q = b.node(Scan(first, 1, 0, 6, False, counted=True), x, n)
        return b.node(Scan(second, 1, 2, 6, False), x, c, q)

    graph = prepared(region("main", "x: f64[]; n: i32[]", both))
    assert EVERYTHING.run(graph) is graph
    given = [np.float64(0.3), np.int32(4)]
    np.testing.assert_allclose(compile_graph(graph)(*given)[0], evaluate(graph, given)[0], rtol=1e-12)


@examples(60)
@given(scans())
def test_random_scans(graph: Graph) -> None:
    assume(any(v.type.dtype.is_float for v in graph.inputs))
    backward = gradient(graph)
    note(text(backward))
    check_pass(EVERYTHING, backward)


@examples(30)
@given(scans(steps=4))
def test_random_scans_differentiated_twice_and_batched(graph: Graph) -> None:
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    backward = vjp_graph(graph, moving)
    for after in (
        gradient(backward),
        prepared(batch_graph(backward, [True] * len(backward.inputs), 3)),
    ):
        note(text(after))
        check_pass(EVERYTHING, after, seeds=(0,))


@examples(40)
@given(whiles(steps=4))
def test_random_whiles(graph: Graph) -> None:
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving) and any(v.type.dtype.is_float for v in graph.outputs))
    backward = gradient(graph)
    note(text(backward))
    check_pass(EVERYTHING, backward)
    given = [draw(v.type.dtype, v.type.sizes, -1, 1, seed=i) for i, v in enumerate(backward.inputs)]
    for x, y in zip(compile_graph(EVERYTHING.run(backward))(*given), evaluate(backward, given), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-10)


def test_the_tape_of_a_while_has_what_it_carries() -> None:
    types = "i: i32[]; x: f64[]; k: f64[]; n: i32[]"
    op = While(
        region("below", types, lambda b, i, x, k, n: [b.less(i, n)]),
        region("step", types, lambda b, i, x, k, n: [b.add(i, 1), *logistic(b, x, k, k)]),
        2,
    )
    start = TensorType(dtypes.i32)
    types = "x: f64[]; k: f64[]; n: i32[]"
    graph = region("main", types, lambda b, x, k, n: [b.node(op, b.full(0, start), x, k, n)[1]])
    backward = pipeline.run(vjp_graph(graph, [True, True, False]))
    (sweeps,) = [node.op for node in backward.nodes if isinstance(node.op, Sweeps)]
    assert isinstance(sweeps, Sweeps)
    assert [v.type for v in sweeps.legs[0].outputs[sweeps.carried[0] :]] == [TensorType(dtypes.f64)]
    program = to_loops(backward)
    assert {tape.record for tape, _ in program.tapes.values()} - {0} == {8}
