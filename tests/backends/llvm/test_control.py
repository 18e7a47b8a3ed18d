"""Loops and branches as machine code: random bodies, their derivatives and batches, carried values in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note

import rosin
from rosin.ir import loop_printer, steps
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Op
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.printer import text
from rosin.ir.statements import stores
from rosin.ir.transform.batch import batch_graph
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import vjp_graph
from tests.ir.test_control import close, collatz, scans
from tests.random_graphs import arguments
from tests.samples import draw
from tests.samples.control import COLLATZ, region
from tests.thinning import examples

RTOL = 1e-8
"""Steps hand rounding errors on, and some bodies make them grow."""


def of_types(op: Op, types: str) -> Graph:
    return region("main", types, lambda b, *operands: b.node(op, *operands))


@examples(150)
@given(scans())
def test_scans_of_random_bodies(graph: Graph) -> None:
    note(text(graph))
    operands = arguments(graph)
    close(compile_graph(graph)(*operands), evaluate(graph, operands), RTOL)


@examples(60)
@given(scans(steps=4))
def test_derivatives_of_scans(graph: Graph) -> None:
    backward = vjp_graph(graph, [v.type.dtype.is_float for v in graph.inputs])
    note(text(backward))
    cotangents = [draw(v.type.dtype, v.type.sizes, -1, 1) for v in graph.outputs if v.type.dtype.is_float]
    operands = [*arguments(graph), *cotangents]
    close(compile_graph(backward)(*operands), evaluate(backward, operands), RTOL)


@examples(60)
@given(scans(exact=True, steps=4))
def test_batches_of_scans(graph: Graph) -> None:
    many = batch_graph(graph, [True] * len(graph.inputs), 3)
    note(text(many))
    operands = arguments(many)
    close(compile_graph(many)(*operands), evaluate(many, operands), RTOL)


def test_collatz_for_many_numbers_at_once() -> None:
    numbers = np.arange(1, 60)
    many = batch_graph(of_types(COLLATZ, "n: i64[]; steps: i32[]"), [True, False], len(numbers))
    _, steps = compile_graph(many)(numbers, np.array(0, np.int32))
    assert steps.tolist() == [collatz(int(k)) for k in numbers]


def stirred(width: int) -> Scan:
    """A step that reads its neighbours, so that the next values cannot be written over the old ones."""
    body = region(
        "stir",
        f"x: f64[{width}]; k: f64[]",
        lambda b, x, k: [b.mul(b.add(b.reverse(x, (0,)), x), b.broadcast(k, (width,), ()))],
    )
    return Scan(body, 1, 0, 20, False)


@pytest.mark.parametrize("width", [3, 16, 200])
def test_a_step_that_reads_elsewhere_keeps_old_and_new_apart(width: int) -> None:
    graph = of_types(stirred(width), f"x: f64[{width}]; k: f64[]")
    operands = [draw(v.type.dtype, v.type.sizes, 0.2, 0.6) for v in graph.inputs]
    np.testing.assert_allclose(compile_graph(graph)(*operands)[0], evaluate(graph, operands)[0], rtol=1e-12)


def test_carried_values_that_change_places() -> None:
    body = region("rotate", "a: i32[3]; b: i32[3]; c: i32[3]", lambda b, x, y, z: [y, z, x])
    graph = of_types(Scan(body, 3, 0, 4, False), "a: i32[3]; b: i32[3]; c: i32[3]")
    a, b, c = (np.full(3, k, np.int32) for k in (1, 2, 3))
    assert [int(x[0]) for x in compile_graph(graph)(a, b, c)] == [2, 3, 1]


def growing(length: int) -> Graph:
    body = region("grow", "x: f64[64]; k: f64[]", lambda b, x, k: [b.add(b.mul(x, b.broadcast(k, (64,), ())), 1.0)])
    return of_types(Scan(body, 1, 0, length, False), "x: f64[64]; k: f64[]")


def test_a_step_writes_over_what_it_read_where_it_may() -> None:
    """No room besides the result, no copy in the loop."""
    program = to_loops(pipeline.run(growing(7)))
    start, loop = program.steps
    assert isinstance(start, steps.Kernel)
    assert isinstance(loop, steps.Kernel)
    assert set(loop.buffers) == {*program.results, program.arguments[1]}
    assert sum(store.buffer in program.results for store in stores(loop.body)) == 1
    assert program.arena_bytes == 0


def test_a_counted_scan_makes_no_step_too_many() -> None:
    """A million million steps would take hours."""
    body = region("double", "x: f64[]; n: i64[]", lambda b, x, n: [b.mul(x, 2.0)])
    program = compile_graph(of_types(Scan(body, 1, 0, 10**12, False, True), "x: f64[]; n: i64[]"))
    for count, result in ((0, 1.0), (5, 32.0), (-3, 1.0)):
        assert program(np.array(1.0), np.array(count))[0] == result


def test_the_program_does_not_grow_with_the_number_of_steps() -> None:
    short, long = (loop_printer.text(to_loops(pipeline.run(growing(n)))) for n in (3, 3_000_000))
    assert len(long.splitlines()) == len(short.splitlines())


def test_branches_beyond_the_ends(golden: Callable[[str, str], None]) -> None:
    branches = tuple(
        region(f"times_{k}", "x: f32[5]", lambda b, x, k=k: [b.mul(x, float(k)), b.add(x, float(k))]) for k in range(3)
    )
    graph = of_types(Switch(branches), "i: i32[]; x: f32[5]")
    program = compile_graph(graph)
    x = draw(graph.inputs[1].type.dtype, (5,))
    for index, chosen in ((-7, 0), (0, 0), (1, 1), (2, 2), (9, 2)):
        times, plus = program(np.array(index, np.int32), x)
        np.testing.assert_array_equal(times, x * np.float32(chosen))
        np.testing.assert_array_equal(plus, x + np.float32(chosen))
    golden("loops/switch.txt", loop_printer.text(to_loops(pipeline.run(graph))))


def test_loops_in_branches_in_loops(golden: Callable[[str, str], None]) -> None:
    """A scan whose step halves its number while that is large, or doubles it, as its element says."""
    shrink = While(
        region("large", "x: f64[]", lambda b, x: [b.greater(x, 1.0)]),
        region("halve", "x: f64[]", lambda b, x: [b.mul(x, 0.5)]),
        1,
    )
    choice = Switch(
        (
            region("shrink", "x: f64[]", lambda b, x: b.node(shrink, x)),
            region("double", "x: f64[]", lambda b, x: [b.mul(x, 2.0)]),
        )
    )

    def step(b: Builder, x, which):  # values
        following = b.node(choice, which, x)[0]
        return [following, following]

    op = Scan(region("step", "x: f64[]; which: i32[]", step), 1, 1, 8, False)
    graph = of_types(op, "x: f64[]; which: i32[8]")
    operands = [np.array(3.0), np.array([1, 1, 0, 1, 1, 1, 0, 1], np.int32)]
    for x, y in zip(compile_graph(graph)(*operands), evaluate(graph, operands), strict=True):
        np.testing.assert_array_equal(x, y)
    golden("loops/nested_control.txt", loop_printer.text(to_loops(pipeline.run(graph))))


def test_matrix_products_in_loops_may_be_packed() -> None:
    body = region(
        "layer",
        "x: f32[33, 40]; w: f32[40, 40]",
        lambda b, x, w: [b.mul(b.dot_general(x, w, ((1,), (1,))), 0.05), b.sum(x, (0,))],
    )
    graph = of_types(Scan(body, 1, 1, 5, False), "x: f32[33, 40]; w: f32[5, 40, 40]")
    operands = [draw(v.type.dtype, v.type.sizes, 0.0, 1.0) for v in graph.inputs]
    for x, y in zip(compile_graph(graph)(*operands), evaluate(graph, operands), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)


def attention(x: Any) -> Any:
    return rosin.nn.scaled_dot_product_attention(x, x, x, is_causal=True)


def slope(x: Any) -> Any:
    """Threads share loops, and have room of their own."""
    heads = rosin.nn.scaled_dot_product_attention
    return rosin.grad(lambda q, k, v: heads(q, k, v).sum(), (0, 1, 2))(x, x * 2, x * 3)


@pytest.mark.parametrize("function", [attention, slope])
def test_the_text_of_a_program_is_the_same_each_time(function: Callable[[Any], Any]) -> None:
    """What stands for variables and arrays is found in one order, wherever these objects lie."""
    x = np.ones((2, 12, 512, 64), np.float32)
    texts = {rosin.compile(function, dynamic=False).text(x, stage="llvm") for _ in range(5)}
    assert len(texts) == 1
