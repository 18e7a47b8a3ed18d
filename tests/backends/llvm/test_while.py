"""Reverse mode through loops of unknown length as machine code: sweeps, and the tapes that they write."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, note

from rosin.ir import dtypes, loop_printer, loops, steps
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.loop import While
from rosin.ir.printer import text
from rosin.ir.statements import nested
from rosin.ir.transform.batch import batch_graph
from rosin.ir.transform.vjp import vjp
from rosin.ir.types import TensorType
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from rosin.runtime import tapes
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import vjp_graph
from tests.ir.test_control import close
from tests.ir.test_while import blocked, floats, seeds_of, whiles
from tests.random_graphs import arguments
from tests.samples.control import NESTED, region
from tests.thinning import examples

RTOL = 1e-8


def agree(graph: Graph) -> None:
    """Compiled and interpreted give the same, but for rounding, and no tape is left."""
    note(text(graph))
    for seed in range(2):
        operands = arguments(graph, seed)
        close(compile_graph(graph)(*operands), evaluate(graph, operands), RTOL)
    assert tapes.bytes_in_use() == 0


@examples(60)
@given(whiles())
def test_derivatives(graph: Graph) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    agree(vjp_graph(graph, floats(graph)))


@examples(25)
@given(whiles(steps=3))
def test_second_derivatives(graph: Graph) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    backward = vjp_graph(graph, floats(graph))
    agree(vjp_graph(backward, floats(backward)))


@examples(30)
@given(whiles(steps=3))
def test_batches_of_derivatives(graph: Graph) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    backward = vjp_graph(graph, floats(graph))
    agree(batch_graph(backward, [True] * len(backward.inputs), 3))


@examples(20)
@given(whiles(steps=3))
def test_blocks_of_examples(graph: Graph) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    agree(blocked(vjp_graph(graph, floats(graph)), 5))


@examples(25)
@given(whiles(steps=3))
def test_derivatives_of_batches(graph: Graph) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    many = batch_graph(graph, [True] * len(graph.inputs), 3)
    agree(vjp_graph(many, floats(many)))


def rotating() -> Graph:
    """n steps of a map of a vector, from an angle that is the same in all of them."""
    types = "i: i32[]; p: f64[3]; w: f64[]; n: i32[]"

    def step(b: Builder, i: Value, p: Value, w: Value, n: Value) -> list[Value]:
        turned = b.mul(b.sin(p), b.broadcast(b.exp(w), (3,), ()))
        return [b.add(i, 1), b.add(b.mul(p, 0.5), turned)]

    op = While(region("below", types, lambda b, i, p, w, n: [b.less(i, n)]), region("turn", types, step), 2)
    start = TensorType(dtypes.i32)
    return region("main", "p: f64[3]; w: f64[]; n: i32[]", lambda b, *xs: [b.node(op, b.full(0, start), *xs)[1]])


def settling() -> Graph:
    """Steps of a map of a vector until it is short; the vector, and the derivatives of its sum."""
    types = "p: f64[3]; w: f64[]"

    def step(b: Builder, p: Value, w: Value) -> list[Value]:
        return [b.add(b.mul(p, 0.5), b.mul(b.sin(p), b.broadcast(b.exp(w), (3,), ())))]

    op = While(
        region("long", types, lambda b, p, w: [b.greater(b.sum(b.mul(p, p), (0,)), 1e-2)]),
        region("turn", types, step),
        1,
    )
    b = Builder()
    graph = region("main", types, lambda b, *xs: b.node(op, *xs))
    operands = [b.input(v.type, v.name) for v in graph.inputs]
    values, pull = vjp(b, graph, operands, [True, True])
    return b.graph([*values, *pull([b.full(1.0, values[0].type)])])  # type: ignore[list-item]


def test_the_loop_itself_writes_the_tape(golden: Callable[[str, str], None]) -> None:
    graph = settling()
    program = to_loops(pipeline.run(graph))
    every = [s for kernel in steps.kernels(program.steps) for s in nested(kernel.body)]
    forward, block = (s for s in every if isinstance(s, loops.While))
    assert block in forward.body
    (back,) = (s for s in every if isinstance(s, loops.Loop) and s.stop)
    assert any(isinstance(s, loops.Room) for s in forward.body)
    assert back.backward
    golden("loops/vjp_of_while.txt", loop_printer.text(program))
    given = [np.array([1.0, 2.0, -0.5]), np.array(-1.0)]
    close(compile_graph(graph)(*given), evaluate(graph, given), 1e-12)


def test_a_million_steps() -> None:
    backward = compile_graph(vjp_graph(rotating(), [True, True, False]))
    steps = 1_000_000
    given = [np.array([0.1, 0.2, 0.3]), np.array(0.0), np.array(steps, np.int32), np.ones(3)]
    slope, by_w = backward(*given)
    # The map comes to a point that draws it, so that early steps no longer count; the interpreter takes fewer.
    few = evaluate(vjp_graph(rotating(), [True, True, False]), [*given[:2], np.array(400, np.int32), given[3]])
    np.testing.assert_allclose(slope, few[0], rtol=1e-9, atol=1e-20)
    np.testing.assert_allclose(by_w, few[1], rtol=1e-9)
    assert tapes.bytes_in_use() == 0


def test_no_memory_for_a_tape_is_an_error_and_frees_what_there_was() -> None:
    backward = compile_graph(vjp_graph(rotating(), [True, True, False]))
    given = [np.zeros(3), np.array(0.0), np.array(100_000, np.int32), np.ones(3)]
    before = tapes.limit()
    tapes.set_limit(1 << 20)
    try:
        with pytest.raises(MemoryError, match="no memory for what reverse mode keeps"):
            backward(*given)
        assert tapes.bytes_in_use() == 0
        few = backward(*given[:2], np.array(1000, np.int32), given[3])
    finally:
        tapes.set_limit(before)
    assert np.all(np.isfinite(few[0]))
    with pytest.raises(ValueError, match="is negative"):
        tapes.set_limit(-1)


def test_an_inner_loop_is_walked_again_for_each_step_of_the_outer_one() -> None:
    graph = region("main", "x: f64[]; y: f64[]", lambda b, *xs: b.node(NESTED, *xs))
    backward = vjp_graph(graph, [True, True])
    given = [np.array(0.5), np.array(1.0), np.array(1.0), np.array(2.0)]
    close(compile_graph(backward)(*given), evaluate(backward, given), 1e-12)
