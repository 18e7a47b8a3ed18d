"""Random graphs: text, derivatives and batches against the reference interpreter."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, note
from hypothesis import strategies as st

from rosin.ir import dtypes
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.parser import parse
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.verify import verify
from tests.complex_graphs import complex_arguments, complex_graphs
from tests.differentiation import Array, assert_adjoint, push, random_directions, vjp_graph
from tests.random_graphs import arguments, assert_outputs_agree, graphs
from tests.thinning import examples

SMOOTH_TYPES = (dtypes.f64, dtypes.f64, dtypes.f64, dtypes.i32)


def _finite(arrays: list[Array]) -> bool:
    return all(bool(np.isfinite(x.astype(np.float64)).all()) for x in arrays)


@examples(300)
@given(graphs())
def test_graphs_verify_and_read_back(graph: Graph) -> None:
    note(text(graph))
    verify(graph)
    again = parse(text(graph))
    assert again == graph
    assert text(again) == text(graph)
    for actual, expected in zip(evaluate(again, arguments(graph)), evaluate(graph, arguments(graph)), strict=True):
        assert actual.tobytes() == expected.tobytes()


@examples(150)
@given(graphs(SMOOTH_TYPES, steps=8))
def test_reverse_mode_is_the_adjoint_of_forward_mode(graph: Graph) -> None:
    note(text(graph))
    operands = arguments(graph)
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    tangents = random_directions([v.type for v in graph.inputs], moving, 1)
    pushed = push(graph, operands, tangents)
    assume(_finite(pushed))
    assert_adjoint(graph, operands, tangents, pushed, 1e-9, 2)
    backward = vjp_graph(graph, moving)
    verify(backward)
    assert parse(text(backward)) == backward


@examples(50)
@given(graphs(SMOOTH_TYPES, steps=5))
def test_second_derivatives_are_adjoint_too(graph: Graph) -> None:
    note(text(graph))
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    backward = vjp_graph(graph, moving)
    cotangents = [
        np.random.default_rng(i).standard_normal(v.type.sizes)
        for i, v in enumerate(graph.outputs)
        if v.type.dtype.is_float
    ]
    operands = [*arguments(graph), *(np.asarray(c) for c in cotangents)]
    tangents = random_directions([v.type for v in backward.inputs], [*moving, *(True for _ in cotangents)], 3)
    pushed = push(backward, operands, tangents)
    assume(_finite(pushed))
    assert_adjoint(backward, operands, tangents, pushed, 1e-8, 4)


@examples(150)
@given(graphs(steps=8), st.data())
def test_batch_is_a_loop_over_examples(graph: Graph, data: st.DataObject) -> None:
    note(text(graph))
    flags = data.draw(st.lists(st.booleans(), min_size=len(graph.inputs), max_size=len(graph.inputs)))
    batched = batch_graph(graph, flags, 3)
    verify(batched)
    examples = [arguments(graph, seed) for seed in range(3)]
    columns = list(zip(*examples, strict=True))
    results = evaluate(batched, [np.stack(c) if flag else c[0] for c, flag in zip(columns, flags, strict=True)])
    for k in range(3):
        mixed = [c[k] if flag else c[0] for c, flag in zip(columns, flags, strict=True)]
        assert_outputs_agree(graph, mixed, [many[k] for many in results])


@examples(100)
@given(complex_graphs((dtypes.c128,), steps=6))
def test_derivatives_of_complex_numbers_are_adjoint(graph: Graph) -> None:
    """Reverse mode to forward mode, and reverse over reverse to forward over reverse."""
    note(text(graph))
    operands = complex_arguments(graph)
    verify(graph)
    assert parse(text(graph)) == graph
    moving = [True, True]
    tangents = random_directions([v.type for v in graph.inputs], moving, 1)
    assert_adjoint(graph, operands, tangents, push(graph, operands, tangents), 1e-9, 2)
    backward = vjp_graph(graph, moving)
    cotangents = [c for c in random_directions([v.type for v in graph.outputs], moving, 3) if c is not None]
    everything = [*operands, *cotangents]
    tangents = random_directions([v.type for v in backward.inputs], [True] * len(everything), 4)
    assert_adjoint(backward, everything, tangents, push(backward, everything, tangents), 1e-8, 5)
