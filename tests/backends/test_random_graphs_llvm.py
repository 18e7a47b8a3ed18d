"""Random graphs on the CPU backend, against the reference interpreter."""

from __future__ import annotations

from hypothesis import assume, given, note, settings

from rosin.ir import dtypes
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.printer import text
from rosin.passes import pipeline
from rosin.runtime.executable import compile_graph
from tests.differentiation import vjp_graph
from tests.random_graphs import MIXED, arguments, assert_outputs_agree, graphs
from tests.samples import draw


@settings(max_examples=1000)
@given(graphs(MIXED))
def test_llvm_agrees_with_the_interpreter(graph: Graph) -> None:
    """After every pass the interpreter, and at the end LLVM, still give what the graph as traced gives."""
    note(text(graph))
    operands = arguments(graph)
    for stage, after in pipeline.stages(graph):
        note(stage)
        assert_outputs_agree(graph, operands, evaluate(after, operands))
    assert_outputs_agree(graph, operands, compile_graph(graph, "llvm")(*operands))


@settings(max_examples=300)
@given(graphs((dtypes.f32, dtypes.f32, dtypes.i32), steps=6))
def test_llvm_agrees_on_derivatives(graph: Graph) -> None:
    """The graphs that reverse mode makes: many scatters, paddings and recurrences, and much to fuse."""
    moving = [v.type.dtype.is_float for v in graph.inputs]
    assume(any(moving))
    backward = vjp_graph(graph, moving)
    note(text(backward))
    cotangents = [draw(v.type.dtype, v.type.sizes, -1, 1) for v in graph.outputs if v.type.dtype.is_float]
    operands = [*arguments(graph), *cotangents]
    assert_outputs_agree(backward, operands, compile_graph(backward, "llvm")(*operands))
