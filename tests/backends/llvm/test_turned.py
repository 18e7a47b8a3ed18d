"""Short rows beside each other: the numbers, with rests, of any element type, and where rows are turned at all."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.ir.builder import Builder
from rosin.ir.op import Value
from rosin.passes import on_threads
from rosin.passes.to_loops import to_loops
from tests.backends.llvm.test_kernels import Build, check, graph_of

ROWS = [16, 19, 200]
COLUMNS = [4, 5, 8, 17, 24]


@pytest.fixture(params=[16, 32, 64])
def width(request: pytest.FixtureRequest) -> int:
    return request.param


def loops_text(build: Build, *types: str) -> str:
    return loop_printer.text(to_loops(graph_of(build, *types), 64))


def is_turned(build: Build, *types: str) -> bool:
    return "turned" in loops_text(build, *types)


def softmax(b: Builder, x: Value) -> list[Value]:
    """What has an element for each column, and what has one for each row."""
    shape = x.type.shape
    axes = tuple(range(len(shape) - 1))
    exps = b.exp(b.sub(x, b.broadcast(b.max(x, (len(shape) - 1,)), shape, axes)))
    total = b.sum(exps, (len(shape) - 1,))
    return [b.div(exps, b.broadcast(total, shape, axes)), b.log(total)]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_any_number_and_length(rows: int, columns: int, width: int) -> None:
    assert is_turned(softmax, f"f32[{rows}, {columns}]")
    check(softmax, f"f32[{rows}, {columns}]", vector_bytes=width)


def test_threads_share_bands(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)
    check(softmax, "f32[5, 700, 9]", vector_bytes=width)


@pytest.mark.parametrize("dtype", ["f64", "f16", "bf16", "i32", "i64", "i8", "u8"])
def test_element_types(dtype: str, width: int) -> None:
    def extremes(b: Builder, x: Value) -> list[Value]:
        return [b.argmax(x, 1), b.argmin(x, 1), b.max(x, (1,))]

    assert is_turned(extremes, f"{dtype}[131, 19]")
    check(extremes, f"{dtype}[131, 19]", vector_bytes=width)


def test_what_is_shared_and_what_belongs_to_a_row(width: int) -> None:
    """Weights of the columns, numbers of the rows, and rows that are parts of longer ones."""

    def build(b: Builder, x: Value, y: Value, w: Value, shift: Value) -> list[Value]:
        part = b.slice(x, (0, 2), (710, 13), (1, 1))
        z = b.add(b.mul(b.mul(part, y), b.broadcast(w, (710, 11), (1,))), b.broadcast(shift, (710, 11), (0,)))
        least = b.broadcast(b.min(z, (1,)), (710, 11), (0,))
        return [z, b.sub(z, least), b.sum(b.mul(z, b.sub(z, least)), (1,))]

    types = "f32[710, 16]", "f32[710, 11]", "f32[11]", "f32[710]"
    assert is_turned(build, *types)
    check(build, *types, vector_bytes=width)


def test_few_rows_and_long_ones_run_along_their_elements() -> None:
    def sums(b: Builder, x: Value) -> Value:
        return b.sum(x, (1,))

    assert is_turned(sums, "f32[1000, 17]")
    assert not is_turned(sums, "f32[15, 17]")
    assert not is_turned(sums, "f32[n, 500]")
    assert not is_turned(sums, "f32[1000, 64]"), "whole vectors take no longer than turning them"
    assert is_turned(lambda b, x: b.argmax(x, 1), "f32[1000, 64]"), "pairs take long to combine within a vector"
    assert not is_turned(lambda b, x: b.argmax(x, 1), "f32[1000, 500]")
    assert not is_turned(lambda b, x: b.add(x, x), "f32[1000, 17]"), "nothing is folded"


def scaled(x: Any) -> Any:
    """What reads a row once or again, with an element for each column, and one for each row."""
    return rosin.nn.softmax(x, axis=-1), rnp.argmax(x, axis=-1), rnp.var(x, axis=-1)


def agree(symbolic: Any, *shape: int) -> None:
    """The program with symbolic sizes has NumPy's numbers."""
    x = np.random.default_rng(math.prod(shape)).standard_normal(shape).astype(np.float32)
    exps = np.exp(x.astype(np.float64))
    wanted = exps / exps.sum(axis=-1, keepdims=True), x.argmax(axis=-1), x.astype(np.float64).var(axis=-1)
    for found, number in zip(symbolic(x), wanted, strict=True):
        np.testing.assert_allclose(found, number, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("around", [(), (3,)], ids=["rows", "stacks"])
@pytest.mark.parametrize("columns", [3, 17])
def test_rows_that_are_counted_when_the_kernel_runs(
    columns: int, around: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few rows, whole bands, and rests."""
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)
    symbolic = rosin.compile(scaled, dynamic={"x": (len(around),)})
    assert is_turned(softmax, "f32[n, 17]")
    for rows in (48, 1, 15, 16, 17, 32, 1000):
        agree(symbolic, *around, rows, columns)
    assert len(symbolic.signatures()) == 1


@pytest.mark.parametrize("around", [(), (3,)], ids=["rows", "stacks"])
def test_rows_whose_length_is_known_when_the_kernel_runs(
    around: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number of columns that some squares make up, and lengths beyond; with few rows, bands and rests."""
    monkeypatch.setattr(on_threads, "PARALLEL_WORK", 0)
    symbolic = rosin.compile(scaled, dynamic={"x": (len(around), len(around) + 1)})
    assert is_turned(softmax, "f32[n, m]")
    assert is_turned(softmax, "f32[100, m]")
    for columns in (*range(1, 42), 64, 100, 129, 700):
        for rows in (3, 16, 37):
            agree(symbolic, *around, rows, columns)
    assert len(symbolic.signatures()) == 1


def test_rows_that_are_known_to_be_long_are_not_turned() -> None:
    """Neither are those that do not fit scratch arrays, in the loops that are made for them."""
    m = rosin.dim("m", min=129)
    symbolic = rosin.compile(scaled, dynamic={"x": rosin.spec(rosin.float32, (rosin.dim("n"), m))})
    x = np.ones((20, 200), np.float32)
    assert "turned" not in symbolic.text(x, stage="loops")
    short, _, long = loops_text(softmax, "f32[n, m]").partition("otherwise:")
    assert "turned" in short
    assert "turned" not in long


def test_rows_that_are_typically_long_are_not_turned() -> None:
    symbolic = rosin.compile(scaled, dynamic={"x": (0, 1)})
    assert "turned" not in symbolic.text(np.ones((20, 2000), np.float32), stage="loops")


def test_scratch_arrays_of_bands_are_as_long_as_turned_rows() -> None:
    """And not as the longest rows that are kept, for each lane."""
    text = loops_text(softmax, "f32[n, m]")
    sizes = [int(number) for number in re.findall(r"local \w+_wide: f32\[(\d+)\]", text)]
    assert sizes
    assert max(sizes) <= 16 * 128
