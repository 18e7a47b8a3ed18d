"""Reverse mode that computes states again: the same derivatives, no more steps than need be."""

from __future__ import annotations

import functools
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from rosin.ir import dims, dtypes
from rosin.ir.builder import Builder
from rosin.ir.errors import AttributeValueError
from rosin.ir.graph import Graph, Node
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.ops.effect import Print
from rosin.ir.ops.loop import While
from rosin.ir.ops.revolve import NUMBER, Plan, Revolve, row_of
from rosin.ir.ops.scan import Scan
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from tests.differentiation import pull, push, random_directions, vjp_graph
from tests.ir.test_control import close, scans
from tests.ir.test_while import floats, over_examples, seeds_of, whiles
from tests.random_graphs import arguments
from tests.samples.control import region
from tests.thinning import examples

PLANS: list[Plan] = ["sqrt", 1, 2, 3]


def planned(graph: Graph, plan: Plan) -> Graph:
    """The graph whose loops, those outside, keep their states by a plan."""
    nodes = [
        Node(replace(n.op, checkpoint=plan), n.operands, n.results) if isinstance(n.op, Scan | While) else n
        for n in graph.nodes
    ]
    return Graph(graph.inputs, tuple(nodes), graph.outputs, graph.name)


LOOPS = st.one_of(whiles(steps=3), scans(steps=3))


@examples(120)
@given(LOOPS, st.sampled_from(PLANS), st.integers(0, 3))
def test_the_derivatives_are_the_same(graph: Graph, plan: Plan, seed: int) -> None:
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    loop = planned(graph, plan)
    note(text(loop))
    verify(loop)
    assert parse(text(loop)) == loop
    operands = arguments(graph, seed)
    for x, y in zip(evaluate(loop, operands), evaluate(graph, operands), strict=True):
        assert x.tobytes() == y.tobytes()
    backward = vjp_graph(loop, moving)
    verify(backward)
    assert parse(text(backward)) == backward
    close(evaluate(backward, [*operands, *seeds_of(graph)]), pull(graph, operands, seeds_of(graph), moving), 1e-12)
    tangents = random_directions([v.type for v in graph.inputs], moving, 1)
    close(push(loop, operands, tangents), push(graph, operands, tangents), 1e-12)


@examples(30)
@given(LOOPS, st.sampled_from(PLANS))
def test_second_derivatives_are_the_same(graph: Graph, plan: Plan) -> None:
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    backward, expected = vjp_graph(planned(graph, plan), moving), vjp_graph(graph, moving)
    note(text(backward))
    operands = arguments(backward)
    every = floats(backward)
    tangents = random_directions([v.type for v in backward.inputs], every, 3)
    close(push(backward, operands, tangents), push(expected, operands, tangents), 1e-9)
    again = seeds_of(backward)
    close(pull(backward, operands, again, every), pull(expected, operands, again, every), 1e-9)


@examples(30)
@given(LOOPS, st.sampled_from(PLANS))
def test_batches_of_derivatives_are_a_loop_over_them(graph: Graph, plan: Plan) -> None:
    moving = floats(graph)
    assume(any(moving) and seeds_of(graph))
    backward = vjp_graph(planned(graph, plan), moving)
    note(text(backward))
    over_examples(backward, [True] * len(backward.inputs))


@functools.cache
def fewest(steps: int, slots: int) -> int:
    """The least number of steps forward, but for the last one each, that walking back through `steps` takes."""
    if steps <= 1:
        return 0
    if slots == 1:
        return steps * (steps - 1) // 2
    return min(far + fewest(steps - far, slots - 1) + fewest(far, slots) for far in range(1, steps))


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_no_schedule_takes_fewer_steps(slots: int) -> None:
    for steps in (1, 2, 3, 4, 7, 12, 25, 40):
        assert taken(slots, steps) == fewest(steps, slots)


def taken(slots: int, steps: int) -> int:
    """How many steps forward the schedule takes. What the loop carries is the number of the step."""
    leg = region("leg", "step: i64[]; x: i64[]", lambda b, k, x: [b.add(k, 1), b.add(x, 1)])
    revolve = Revolve(slots, leg, 1, While)
    b = Builder()
    held = revolve.start(b, [b.full(0, NUMBER)])
    numbers: list[Value] = []
    for step in reversed(range(steps)):
        origin = row_of(b, held[1], held[0])
        (reached,), held = revolve.before(b, held, b.full(step, NUMBER), [])
        numbers += [origin, reached]
    found = [int(x) for x in evaluate(b.graph(numbers), [])]
    assert found[1::2] == list(reversed(range(steps)))
    return sum(found[1::2]) - sum(found[::2])


@pytest.mark.parametrize("plan", [0, -1, "root", True])
def test_what_is_no_plan(plan: Plan) -> None:
    body = region("step", "x: f64[]", lambda b, x: [b.sin(x)])
    cond = region("cond", "x: f64[]", lambda b, x: [b.less(x, 1.0)])
    for op in (Scan(body, 1, 0, 3, False, checkpoint=plan), While(cond, body, 1, plan)):
        with pytest.raises(AttributeValueError, match='a checkpoint is "sqrt" or a positive number of slots'):
            op.type(TensorType(dtypes.f64))


def test_a_length_that_is_a_symbol_has_no_segments() -> None:
    op = Scan(region("step", "x: f64[]", lambda b, x: [x]), 1, 0, dims.symbol("n"), False, checkpoint="sqrt")
    with pytest.raises(AttributeValueError, match="a checkpoint is for a length that is a number, and n is symbolic"):
        op.type(TensorType(dtypes.f64))


def test_python_does_its_part_once(capsys: pytest.CaptureFixture[str]) -> None:
    """What has an effect is left out of the steps that are made again."""
    say = Print("{}")

    def step(b: Builder, x: Value) -> list[Value]:
        b.node(say, b.full(True, TensorType(dtypes.bool_)), x)
        return [b.mul(x, x)]

    body = region("step", "x: f64[]", step)
    cond = region("cond", "x: f64[]", lambda b, x: [b.less(x, 100.0)])
    for plan in (None, *PLANS):
        for op in (Scan(body, 1, 0, 4, False, checkpoint=plan), While(cond, body, 1, plan)):
            graph = region("main", "x: f64[]", lambda b, x, op=op: b.node(op, x))
            (slope,) = pull(graph, [np.array(2.0)], [np.array(1.0)], [True])
            assert (
                capsys.readouterr().out.split() == ["2.0", "4.0", "16.0", "256.0"][: 4 if isinstance(op, Scan) else 3]
            )
            assert slope > 0


def test_bits_are_the_same_where_steps_are_computed_again() -> None:
    rng = random.Random(4)
    body = region("step", "x: f64[3]; w: f64[3]", lambda b, x, w: [b.mul(b.sin(x), w)])
    start = [np.array([rng.random() for _ in range(3)]) for _ in range(2)]
    for length in (1, 5, 16, 37):
        graph = region("main", "x: f64[3]; w: f64[3]", lambda b, *xs, n=length: b.node(Scan(body, 1, 0, n, False), *xs))
        expected = pull(graph, start, [np.ones(3)], [True, False])
        for plan in PLANS:
            found = pull(planned(graph, plan), start, [np.ones(3)], [True, False])
            assert found[0].tobytes() == expected[0].tobytes()
