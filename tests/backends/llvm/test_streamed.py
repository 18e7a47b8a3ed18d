"""Folds that are streamed: a vector times a matrix, sums of columns. With rests, bands, blocks, threads, any width."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir import loop_printer
from rosin.ir.builder import Builder
from rosin.ir.interpret import evaluate
from rosin.ir.op import Value
from rosin.passes import on_threads, streamed
from rosin.passes import rows as of_rows
from rosin.passes.rows import FEW_ROWS
from rosin.passes.to_loops import to_loops
from rosin.runtime import threads
from tests.backends.llvm.test_kernels import Build, check, draw_for, graph_of, run

SIZES = [(16, 64), (17, 67), (45, 300), (600, 100), (513, 1030)]


@pytest.fixture(params=[16, 32, 64])
def width(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is far, and bands are narrow."""
    monkeypatch.setattr(streamed, "LEAST_BYTES", 0)
    monkeypatch.setattr(streamed, "MOST_COLUMNS", 256)
    monkeypatch.setattr(streamed, "LEAST_COLUMNS", 64)


def is_streamed(build: Build, *types: str) -> bool:
    return "running0" in loop_printer.text(to_loops(graph_of(build, *types), 32))


def product(b: Builder, x: Value, y: Value, bias: Value) -> list[Value]:
    """A vector times a matrix, with what follows."""
    z = b.dot_general(x, y, ((1,), (0,)))
    return [z, b.maximum(b.add(z, bias), 0.0)]


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("k", "n"), SIZES)
@pytest.mark.parametrize("shared", [False, True])
def test_vector_times_matrix(k: int, n: int, shared: bool, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0 if shared else 1 << 60)
    types = f"f32[1, {k}]", f"f32[{k}, {n}]", f"f32[1, {n}]"
    assert is_streamed(product, *types)
    check(product, *types, vector_bytes=width)


@pytest.mark.parametrize("dtype", ["f64", "bf16", "i32", "c64"])
def test_element_types(dtype: str, width: int) -> None:
    def build(b: Builder, x: Value, y: Value) -> Value:
        return b.dot_general(x, y, ((1,), (0,)))

    types = f"{dtype}[1, 37]", f"{dtype}[37, 133]"
    assert is_streamed(build, *types)
    graph = graph_of(build, *types)
    operands = [draw_for(v, i) for i, v in enumerate(graph.inputs)]
    (found,), (wanted,) = run(graph, operands, width), evaluate(graph, operands)
    kind = np.complex128 if dtype == "c64" else np.float64
    np.testing.assert_allclose(found.astype(kind), wanted.astype(kind), rtol=1e-2 if dtype == "bf16" else 1e-5)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", ["f32", "i32"])
@pytest.mark.parametrize(("k", "n"), SIZES)
def test_columns(k: int, n: int, dtype: str, width: int) -> None:
    """Several folds at once, some of which keep more than one running value, and rows of batches around them."""

    def build(b: Builder, x: Value) -> list[Value]:
        return [b.sum(b.mul(x, x), (1,)), b.max(x, (1,)), b.argmax(x, 1), b.sum(x, (1,))]

    check(build, f"{dtype}[3, {k}, {n}]", vector_bytes=width)


def test_long_sums_are_summed_in_blocks(width: int) -> None:
    graph = graph_of(lambda b, x: b.sum(x, (0,)), "f32[40000, 64]")
    (found,) = run(graph, [np.full((40000, 64), 0.1, np.float32)], width)
    np.testing.assert_allclose(found.astype(np.float64), np.float64(np.float32(0.1)) * 40000, rtol=1e-5)


def test_bits_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)
    graph = graph_of(product, "f32[1, 700]", "f32[700, 900]", "f32[1, 900]")
    operands = [draw_for(v, i) for i, v in enumerate(graph.inputs)]
    before = threads.num_threads()
    found: list[list[bytes]] = []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append([x.tobytes() for x in run(graph, operands, 32)])
    finally:
        threads.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def few_rows(b: Builder, x: Value, y: Value, bias: Value) -> list[Value]:
    """A product of few rows, with what follows."""
    z = b.dot_general(x, y, ((1,), (0,)))
    return [z, b.maximum(b.add(z, b.broadcast(bias, z.type.shape, (1,))), 0.0)]


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("k", "n"), SIZES)
@pytest.mark.parametrize("rows", [2, 5, FEW_ROWS])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_few_rows_by_a_large_matrix(
    rows: int, k: int, n: int, dtype: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_rows, "FAR_BYTES", 0)
    monkeypatch.setattr(of_rows, "BYTES_OF_ROW", 0)
    types = f"{dtype}[{rows}, {k}]", f"{dtype}[{k}, {n}]", f"{dtype}[{n}]"
    assert is_streamed(few_rows, *types)
    check(few_rows, *types, vector_bytes=width)


@pytest.mark.parametrize("k", [300, 1000])
def test_what_a_row_comes_to_does_not_depend_on_how_many_there_are(
    k: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(b: Builder, x: Value, y: Value) -> Value:
        return b.dot_general(x, y, ((1,), (0,)))

    monkeypatch.setattr(of_rows, "FAR_BYTES", 0)
    monkeypatch.setattr(of_rows, "BYTES_OF_ROW", 0)
    many, few = (graph_of(build, f"f32[{rows}, {k}]", f"f32[{k}, 200]") for rows in (FEW_ROWS + 1, 3))
    x, y = (draw_for(v, i) for i, v in enumerate(many.inputs))
    np.testing.assert_array_equal(run(few, [x[:3], y], width)[0], run(many, [x, y], width)[0][:3])


def test_other_products_are_tiles() -> None:
    far = f"f32[4096, {of_rows.FAR_BYTES // (4096 * 4)}]"
    assert is_streamed(lambda b, x, y: b.dot_general(x, y, ((1,), (0,))), "f32[2, 4096]", far)
    for build, *types in (
        (lambda b, x, y: b.dot_general(x, y, ((1,), (0,))), "f32[2, 4096]", "f32[4096, 512]"),
        (lambda b, x, y: b.dot_general(x, y, ((1,), (0,))), "f32[4, 4096]", far),
        (lambda b, x, y: b.dot_general(x, y, ((1,), (0,))), "f32[9, 8192]", "f32[8192, 8192]"),
        (lambda b, x, y: b.dot_general(x, y, ((1,), (1,))), "f32[2, 8192]", "f32[8192, 8192]"),
    ):
        assert not is_streamed(build, *types)
