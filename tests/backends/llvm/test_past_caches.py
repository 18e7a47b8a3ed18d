"""Stores past the caches: which ones go there, and that what they write is what other stores would."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.names import ENTRY, LARGE_BYTES
from rosin.backends.llvm.program import program_text
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.ir.types import parse_type
from rosin.passes.to_loops import to_loops
from rosin.runtime import entry, jit, loading, threads
from tests.samples import draw

Build = Callable[..., Value | Sequence[Value]]

FAR = 2 * LARGE_BYTES
LINE = "!nontemporal"


def graph_of(build: Build, *types: str) -> Graph:
    b = Builder()
    outputs = build(b, *(b.input(parse_type(t), f"x{i}") for i, t in enumerate(types)))
    return b.graph([outputs] if isinstance(outputs, Value) else outputs)


def text(build: Build, *types: str, donated: Sequence[int] = (), far_bytes: int = FAR) -> str:
    return program_text(to_loops(graph_of(build, *types), 64, donated), 64, True, far_bytes)


def add(b: Builder, x: Value, y: Value) -> Value:
    return b.add(x, y)


def rows(b: Builder, x: Value) -> Value:
    """Each row without its mean."""
    return b.sub(x, b.broadcast(b.sum(x, axes=(1,)), x.type.shape, (0,)))


def turned(b: Builder, x: Value) -> Value:
    return b.mul(b.transpose(x, (1, 0)), 2.0)


BIG = "f32[400000]"


def test_what_is_written_and_not_read_goes_past_the_caches() -> None:
    found = text(add, BIG, BIG)
    assert found.count(LINE) == 1
    assert f"align 64, {LINE}" in found
    # Threads that wait for the kernel find all of it.
    assert found.index(LINE) < found.index("fence seq_cst") < found.index("ret void")


def test_what_memory_does_not_bound_does_not() -> None:
    def many(b: Builder, x: Value, y: Value) -> Value:
        return b.exp(b.log(b.add(x, y)))

    assert LINE not in text(many, BIG, BIG)


def test_what_stays_in_caches_does_not() -> None:
    assert LINE not in text(add, BIG, BIG, far_bytes=4 * 1200000 + 1)
    assert LINE not in text(add, BIG, BIG, far_bytes=0)


def test_what_is_written_over_an_argument_does_not() -> None:
    """Its lines have been read, and an argument may begin anywhere."""
    assert LINE not in text(add, BIG, BIG, donated=(0,))


def test_results_that_may_begin_anywhere_do_not() -> None:
    assert LINE not in text(add, "f32[100000]", "f32[100000]", far_bytes=1 << 20)


@pytest.mark.parametrize(("columns", "passes"), [(4000, True), (3996, True), (4001, True), (320, True), (323, False)])
def test_rows_begin_where_lines_do_or_have_many_lines(columns: int, passes: bool) -> None:
    found = text(rows, f"f32[{1200000 // columns}, {columns}]")
    assert (LINE in found) is passes
    # The ends of rows that begin elsewhere are written as others are.
    assert ("masked.store" in found) is (columns % 16 != 0)


def test_simple_rows_do() -> None:
    """They would be lines of the assembler."""

    def shifted(b: Builder, x: Value, y: Value) -> Value:
        return b.add(x, b.broadcast(y, x.type.shape, (1,)))

    assert LINE in text(shifted, "f32[300, 4000]", "f32[4000]")
    assert LINE in text(shifted, "f32[300, 4001]", "f32[4001]")


def test_columns_that_begin_in_different_places_of_lines_do_not() -> None:
    assert LINE in text(turned, "f32[4000, 304]")
    assert LINE not in text(turned, "f32[4001, 304]")


def run(graph: Graph, operands: Sequence[NDArray[np.generic]], width: int) -> list[NDArray[np.generic]]:
    program = to_loops(graph, width)
    threads.install()
    library = loading.load_object(jit.compile_object(program_text(program, width, far_bytes=FAR)))
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(library.address(ENTRY))
    results = [entry.empty(v.type.sizes, v.type.dtype.numpy) for v in graph.outputs]
    for result in results:
        result.fill(77)
    arena = np.full(program.arena_bytes + 64, 0xFF, np.uint8)
    pointers = (ctypes.c_void_p * (len(operands) + len(results)))(*(a.ctypes.data for a in (*operands, *results)))
    assert function(pointers, arena.ctypes.data + -arena.ctypes.data % 64) == 0
    return results


@pytest.mark.parametrize("width", [16, 32, 64])
@pytest.mark.parametrize("dtype", ["f32", "f64", "i8", "i16", "bf16", "bool"])
def test_numbers(dtype: str, width: int) -> None:
    """Of arrays whose ends fill no vector and no line, and are turned."""

    def build(b: Builder, x: Value, y: Value) -> list[Value]:
        if dtype == "bool":
            return [b.logical_or(x, y), b.logical_and(x, y)]
        whole = b.sub(b.add(x, y), b.broadcast(b.max(x, (1,)), x.type.shape, (0,)))
        return [whole, b.add(x, y), b.transpose(b.sub(x, y), (1, 0)), b.greater(x, y)]

    graph = graph_of(build, f"{dtype}[1100, 2051]", f"{dtype}[1100, 2051]")
    operands = [draw(v.type.dtype, v.type.sizes, -3, 4, seed=k) for k, v in enumerate(graph.inputs)]
    for got, expected in zip(run(graph, operands, width), evaluate(graph, operands), strict=True):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_large_arrays_of_the_user(start: int) -> None:
    """Of more bytes than the caches of most processors have, beginning anywhere."""
    n = 8_000_003
    x = np.arange(n + 4, dtype=np.float32)[start : start + n]

    @rosin.compile
    def f(x: rnp.ndarray) -> tuple[rnp.ndarray, rnp.ndarray, rnp.ndarray]:
        z = x * 2.0
        return z, x + 1.0, z - rnp.mean(z)

    a, b, c = f(x)
    assert np.array_equal(a, x * 2)
    assert np.array_equal(b, x + 1)
    np.testing.assert_allclose(c, x * 2 - np.mean(x.astype(np.float64) * 2), atol=8)
