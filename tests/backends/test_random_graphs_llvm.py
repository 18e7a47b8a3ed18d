"""Random graphs on the CPU backend, against the reference interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import assume, given, note

from rosin.ir import dims, dtypes
from rosin.ir.errors import ConstraintError
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.passes import pipeline
from rosin.runtime.compile_path import compile_graph
from tests.complex_graphs import assert_complex_outputs, complex_arguments, complex_graphs
from tests.differentiation import vjp_graph
from tests.random_graphs import MIXED, arguments, assert_outputs_agree, graphs
from tests.samples import Array, draw
from tests.thinning import examples


def agrees_at_every_stage(graph: Graph, operands: Sequence[Array], agree: Callable[..., None]) -> None:
    """After every pass the interpreter, and at the end LLVM, still give what the graph as traced gives."""
    note(text(graph))
    for stage, after in pipeline.stages(graph):
        note(stage)
        agree(graph, operands, evaluate(after, operands))
    agree(graph, operands, compile_graph(graph, "llvm")(*operands))


@examples(1000)
@given(graphs(MIXED))
def test_llvm_agrees_with_the_interpreter(graph: Graph) -> None:
    agrees_at_every_stage(graph, arguments(graph), assert_outputs_agree)


@examples(100)
@given(graphs(MIXED, steps=8))
def test_llvm_agrees_on_symbolic_batches(graph: Graph) -> None:
    """Compiled once for batches of any size, some of whose inputs are shared."""
    assume(graph.inputs)
    flags = [position % 3 != 2 for position in range(len(graph.inputs))]
    batched = batch_graph(graph, flags, dims.symbol("n"))
    note(text(batched))
    executable = compile_graph(batched, "llvm")
    for count in (1, 3, 9, 0):
        pairs = zip(arguments(graph), flags, strict=True)
        operands = [np.repeat(x[None], count, 0) if flag else x for x, flag in pairs]
        try:
            executable.bind(operands)
        except ConstraintError:
            assert count == 0, "an extreme over no examples, say"
            continue
        assert_outputs_agree(batched, operands, executable(*operands))


@examples(40)
@given(graphs((dtypes.f32, dtypes.f32, dtypes.i32), steps=5))
def test_llvm_agrees_on_derivatives_of_symbolic_batches(graph: Graph) -> None:
    assume(any(v.type.dtype.is_float for v in graph.inputs))
    batched = batch_graph(graph, [True] * len(graph.inputs), dims.symbol("n"))
    backward = vjp_graph(batched, [v.type.dtype.is_float for v in graph.inputs])
    note(text(backward))
    executable = compile_graph(backward, "llvm")
    for count in (4, 1):
        outputs = [v.type for v in graph.outputs if v.type.dtype.is_float]
        cotangents = [draw(t.dtype, (count, *t.sizes), -1, 1) for t in outputs]
        operands = [*(np.repeat(x[None], count, 0) for x in arguments(graph)), *cotangents]
        assert_outputs_agree(backward, operands, executable(*operands))


@examples(300)
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


@examples(150)
@given(complex_graphs((dtypes.c64, dtypes.c128)))
def test_llvm_agrees_on_complex_numbers(graph: Graph) -> None:
    agrees_at_every_stage(graph, complex_arguments(graph), assert_complex_outputs)


@examples(60)
@given(complex_graphs((dtypes.c64, dtypes.c128), steps=4))
def test_llvm_agrees_on_derivatives_of_batches_of_complex_numbers(graph: Graph) -> None:
    batched = batch_graph(graph, [True, True], dims.symbol("n"))
    backward = vjp_graph(batched, [True, True])
    note(text(backward))
    executable = compile_graph(backward, "llvm")
    for count in (4, 1):
        cotangents = [draw(v.type.dtype, (count, *v.type.sizes), -1, 1, seed=2) for v in graph.outputs]
        operands = [*(np.repeat(x[None], count, 0) for x in complex_arguments(graph)), *cotangents]
        scaled = [x / 16 for x in operands[-2:]]
        assert_complex_outputs(backward, [*operands[:-2], *scaled], executable(*operands[:-2], *scaled))
