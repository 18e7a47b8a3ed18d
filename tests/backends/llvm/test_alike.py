"""Kernels that come again are one function, and compute the very bits that kernels of their own would."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from rosin.backends.llvm.program import program_text
from rosin.ir import dims
from rosin.ir.builder import Builder
from rosin.ir.dtypes import f32
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.printer import text
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import parse_type
from rosin.passes import on_threads, pipeline
from rosin.passes.alike import Alike
from rosin.passes.loop_kernels import arrange
from rosin.passes.to_loops import to_loops
from rosin.runtime.compile_path import compile_graph
from rosin.runtime.native import NativeExecutable
from tests.backends.llvm.test_kernels import graph_of, run
from tests.differentiation import vjp_graph
from tests.passes.graphs import same_bits
from tests.passes.test_alike import BLOCK, layers, residual
from tests.random_graphs import MIXED, arguments, assert_outputs_agree, graphs
from tests.samples import draw
from tests.thinning import examples

Array = np.ndarray[Any, Any]


def functions(graph: Graph) -> int:
    """How many functions the kernels of the graph are."""
    return len(re.findall("^define internal", program_text(to_loops(pipeline.run(graph)), 32), re.MULTILINE))


def repeated(graph: Graph, times: int) -> Graph:
    """The graph so many times, each on what the time before gave where types fit, and else on inputs of its own."""
    b = Builder()
    outputs: tuple[Value, ...] = ()
    for _ in range(times):
        free = list(outputs)
        operands: list[Value] = []
        for value in graph.inputs:
            fit = next((v for v in free if v.type == value.type and v not in graph.inputs), None)
            operands.append(b.input(value.type) if fit is None else free.pop(free.index(fit)))
        outputs = b.inline(graph, operands)
    return b.graph(outputs)


def apart(graph: Graph, operands: Sequence[Array]) -> list[Array]:
    """The outputs when every kernel is a function of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Alike, "steps", lambda self, group, name, make: list(arrange(make(), {})))
        return run(graph, operands, 32)


def check(graph: Graph) -> None:
    """The same bits with and without sharing, and the numbers of the interpreter."""
    graph = pipeline.run(graph)
    operands = arguments(graph)
    shared = run(graph, operands, 32)
    assert_outputs_agree(graph, operands, shared)
    for x, y in zip(shared, apart(graph, operands), strict=True):
        assert same_bits(x, y)


def test_a_hundred_layers_are_the_functions_of_one() -> None:
    one, many = layers(1, residual, *BLOCK), layers(100, residual, *BLOCK)
    assert functions(many) == functions(one)


def test_gradients_of_many_layers_are_the_functions_of_some() -> None:
    """The first layer and the last differ from those in between, whose number does not matter."""
    some, many = (vjp_graph(layers(n, residual, *BLOCK), [True] * (2 * n + 1)) for n in (4, 12))
    assert functions(many) == functions(some)


def test_layers_on_shared_weights_are_the_functions_of_one() -> None:
    def build(b: Builder, x: Value, w: Value, c: Value) -> Value:
        for _ in range(8):
            x = residual(b, x, w, c)
        return x

    assert functions(graph_of(build, *BLOCK)) == functions(layers(1, residual, *BLOCK))


def test_a_function_names_all_its_calls() -> None:
    module = program_text(to_loops(layers(3, lambda b, x, w, c: b.exp(b.mul(x, w)), "f32[9]", "f32[9]", "f32[9]")), 32)
    assert "; k0_mul_exp\n" in module, "three times the same elementwise work in a row is one group"
    module = program_text(to_loops(layers(3, lambda b, x, w, c: b.matmul(x, w), *BLOCK)), 32)
    assert re.search("^; k0_dot_general, k1_dot_general, k2_dot_general$", module, re.MULTILINE)


def scaled(numbers: Sequence[float], dtype: str) -> Graph:
    """Layers that differ in two numbers."""
    b = Builder()
    x = b.input(parse_type(f"{dtype}[8, 16]"), "x")
    for i, number in enumerate(numbers):
        h = b.matmul(x, b.input(parse_type(f"{dtype}[16, 16]"), f"w{i}"))
        shift = b.broadcast(b.full(0.5 - number, h.type.with_shape(())), (8, 16), ())
        x = b.add(b.maximum(b.mul(h, number), 0.25), shift)
    return b.graph([x])


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "f16"])
def test_layers_that_differ_in_numbers_are_one_function(dtype: str) -> None:
    graph = scaled([0.1, 0.3, 0.35, -1.5, 0.7], dtype)
    assert functions(graph) == functions(scaled([0.1], dtype))
    check(graph)


@pytest.mark.parametrize("numbers", [(0.5, -0.0, 0.0), (math.nan, 1.0, math.inf), (1.0, 1.0, 2.0)])
def test_numbers_are_told_apart_by_their_bits(numbers: tuple[float, ...]) -> None:
    b = Builder()
    inputs = [b.input(parse_type("f32[4, 8]"), f"x{i}") for i in range(len(numbers))]
    graph = b.graph([b.div(b.mul(x, n), x) for x, n in zip(inputs, numbers, strict=True)])
    assert len(re.findall("^define internal", program_text(to_loops(graph), 32), re.MULTILINE)) == 1
    operands = arguments(graph)
    for x, y in zip(run(graph, operands, 32), evaluate(graph, operands), strict=True):
        assert same_bits(x, y)


def test_numbers_that_kernels_are_made_after_stay_apart() -> None:
    """What a border holds is no operand of arithmetic, and neither is a whole number."""

    def build(b: Builder, x: Value, y: Value, n: Value, m: Value) -> list[Value]:
        borders = [b.sum(b.pad(v, c, (1, 1), (1, 1), (0, 0)), (0,)) for v, c in ((x, 1.0), (y, 2.0))]
        return [*borders, b.add(n, 3), b.add(m, 4)]

    graph = graph_of(build, "f32[5, 6]", "f32[5, 6]", "i32[7]", "i32[7]")
    assert len(re.findall("^define internal", program_text(to_loops(graph), 32), re.MULTILINE)) == 4
    check(graph)


def test_layers_give_the_right_bits() -> None:
    check(layers(5, residual, *BLOCK))


def test_operands_that_are_the_same_count() -> None:
    """A kernel that reads one value twice is not that of a kernel that reads two."""

    def build(b: Builder, x: Value, y: Value, z: Value) -> list[Value]:
        return [b.matmul(x, y), b.matmul(z, z), b.matmul(y, y), b.matmul(y, x)]

    graph = graph_of(build, *["f32[16, 16]"] * 3)
    assert functions(graph) == 2
    check(graph)


def test_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 1000)
    graph = layers(3, residual, "f32[300, 32]", *BLOCK[1:])
    assert "@rosin_parallel(ptr @k0" in program_text(to_loops(pipeline.run(graph)), 32)
    check(graph)


@pytest.mark.parametrize("count", [1, 7, 64])
def test_symbolic_sizes(count: int) -> None:
    """Arena buffers lie in slots whose places are known at each call only."""
    symbolic = batch_graph(layers(4, residual, *BLOCK), [True] + [False] * 8, dims.symbol("n"))
    operands = arguments(layers(4, residual, *BLOCK))
    operands[0] = draw(f32, (count, *operands[0].shape), -1, 1)
    executable = compile_graph(symbolic)
    assert isinstance(executable, NativeExecutable)
    assert executable.stage_text("llvm").count("define internal") < 12
    (expected,) = evaluate(batch_graph(layers(4, residual, *BLOCK), [True] + [False] * 8, count), operands)
    np.testing.assert_allclose(executable(*operands)[0], expected, rtol=2e-4, atol=2e-4)


def test_from_the_disk() -> None:
    """Long runs of calls are data with addresses in it, which are set right when the code is loaded."""
    graph = layers(9, residual, *BLOCK)
    first, second = compile_graph(graph), compile_graph(graph)
    assert isinstance(first, NativeExecutable)
    assert isinstance(second, NativeExecutable)
    assert second.from_cache
    assert "@calls0" in first.stage_text("llvm")
    operands = arguments(graph)
    assert same_bits(first(*operands)[0], second(*operands)[0])
    assert_outputs_agree(graph, operands, second(*operands))


def test_a_result_is_written_over_a_donated_argument() -> None:
    """Also by a kernel that comes again: each new weight lies where the old one did."""

    def step(b: Builder, *values: Value) -> list[Value]:
        half = len(values) // 2
        return [b.sub(w, b.mul(g, 0.5)) for w, g in zip(values[:half], values[half:], strict=True)]

    graph = graph_of(step, *["f32[40]", "f32[41]", "f32[40]"] * 2)
    executable = compile_graph(graph, donated=(0, 1, 2))
    assert isinstance(executable, NativeExecutable)
    assert executable.aliases == {0: 0, 1: 1, 2: 2}
    assert " as k0" in executable.stage_text("loops")
    operands = arguments(graph)
    for x, y in zip(executable(*operands), evaluate(graph, operands), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


@examples(100)
@given(graphs(MIXED, steps=8), st.integers(2, 3))
def test_random_graphs_in_a_row(graph: Graph, times: int) -> None:
    """What they compute grows from time to time, and with it rounding errors: the bits are compared with our own."""
    note(text(graph))
    graph = pipeline.run(repeated(graph, times))
    operands = arguments(graph)
    for x, y in zip(run(graph, operands, 32), apart(graph, operands), strict=True):
        assert same_bits(x, y)


@examples(100)
@given(graphs(MIXED, steps=8))
def test_random_graphs_side_by_side(graph: Graph) -> None:
    note(text(graph))
    b = Builder()
    check(b.graph([v for _ in range(2) for v in b.inline(graph, [b.input(x.type) for x in graph.inputs])]))
