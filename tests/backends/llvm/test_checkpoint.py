"""Reverse mode that computes states again, as machine code: the same numbers, and as little memory as was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.loop import While
from rosin.ir.ops.revolve import Plan
from rosin.ir.ops.scan import Scan
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from rosin.runtime import tapes
from rosin.runtime.compile_path import compile_graph
from tests.differentiation import vjp_graph
from tests.ir.test_checkpoint import LOOPS, PLANS, planned
from tests.ir.test_control import close
from tests.ir.test_while import floats, seeds_of
from tests.random_graphs import arguments
from tests.samples.control import region
from tests.thinning import examples

STATE = 1024
"""Elements of the state of the loops whose memory is measured."""


@examples(40)
@given(LOOPS, st.sampled_from(PLANS))
def test_derivatives(graph: Graph, plan: Plan) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    backward = vjp_graph(planned(graph, plan), floats(graph))
    note(text(backward))
    for seed in range(2):
        operands = arguments(backward, seed)
        close(compile_graph(backward)(*operands), evaluate(backward, operands), 1e-8)


@examples(15)
@given(LOOPS, st.sampled_from(PLANS))
def test_batches_of_derivatives(graph: Graph, plan: Plan) -> None:
    assume(any(floats(graph)) and seeds_of(graph))
    backward = vjp_graph(planned(graph, plan), floats(graph))
    many = batch_graph(backward, [True] * len(backward.inputs), 3)
    note(text(many))
    operands = arguments(many)
    close(compile_graph(many)(*operands), evaluate(many, operands), 1e-8)


def wave(b: Builder, x: Value) -> Value:
    return b.mul(b.sin(b.add(x, b.mul(b.reverse(x, (0,)), 0.25))), 1.5)


def scan_of(steps: int, plan: Plan) -> Graph:
    body = region("step", f"x: f64[{STATE}]", lambda b, x: [wave(b, x)])
    op = Scan(body, 1, 0, steps, False, checkpoint=plan)
    return vjp_graph(region("main", f"x: f64[{STATE}]", lambda b, x: b.node(op, x)), [True])


def states(graph: Graph) -> float:
    return compile_graph(graph).arena_bytes / (8 * STATE)  # type: ignore[attr-defined]


def test_the_states_of_a_scan_in_segments_grow_like_the_root() -> None:
    few, many, most = (states(scan_of(n, "sqrt")) for n in (64, 256, 1024))
    assert few <= 5 * 8
    assert many < 2.2 * few
    assert most < 2.2 * many
    assert states(scan_of(1024, None)) > 1024


@pytest.mark.parametrize("slots", [2, 5, 20])
def test_a_scan_keeps_as_many_states_as_it_has_slots(slots: int) -> None:
    assert states(scan_of(1000, slots)) <= slots + 6
    assert states(scan_of(1000, slots)) == states(scan_of(50, slots))


def while_of(plan: Plan) -> Graph:
    types = f"i: i32[]; x: f64[{STATE}]; n: i32[]"
    op = While(
        region("below", types, lambda b, i, x, n: [b.less(i, n)]),
        region("step", types, lambda b, i, x, n: [b.add(i, 1), wave(b, x)]),
        2,
        plan,
    )
    zero = TensorType(dtypes.i32)
    types = f"x: f64[{STATE}]; n: i32[]"
    graph = region("main", types, lambda b, x, n: [b.node(op, b.full(0, zero), x, n)[1]])
    return vjp_graph(graph, [True, False])


@pytest.mark.parametrize(("plan", "most"), [("sqrt", 120), (5, 25), (None, None)])
def test_a_while_keeps_to_its_plan(plan: Plan, most: int | None) -> None:
    """With room for so many states it makes 400 steps; when it keeps all of them that is too little."""
    program = compile_graph(while_of(plan))
    rng = np.random.default_rng(1)
    given = [rng.normal(size=STATE), np.array(400, np.int32), rng.normal(size=STATE)]
    expected = compile_graph(while_of(None))(*given)
    before = tapes.limit()
    tapes.set_limit((most or 120) * 8 * STATE)
    try:
        if most is None:
            with pytest.raises(MemoryError):
                program(*given)
        else:
            np.testing.assert_allclose(program(*given)[0], expected[0], rtol=1e-12, atol=1e-300)
            assert states(while_of(plan)) <= most
    finally:
        tapes.set_limit(before)
