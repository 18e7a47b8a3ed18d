"""Short rows beside each other: the numbers, with rests, of any element type, and where rows are turned at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import loop_printer
from rosin.ir.builder import Builder
from rosin.ir.op import Value
from rosin.passes import nest
from rosin.passes.to_loops import to_loops
from tests.backends.llvm.test_kernels import Build, check, graph_of

ROWS = [64, 67, 200]
COLUMNS = [4, 5, 8, 17, 24]


@pytest.fixture(params=[16, 32, 64])
def width(request: pytest.FixtureRequest) -> int:
    return request.param


def is_turned(build: Build, *types: str) -> bool:
    return "turned0" in loop_printer.text(to_loops(graph_of(build, *types), 64))


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
    monkeypatch.setattr(nest, "PARALLEL_WORK", 0)
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
        part = b.slice(x, (0, 2), (150, 13), (1, 1))
        z = b.add(b.mul(b.mul(part, y), b.broadcast(w, (150, 11), (1,))), b.broadcast(shift, (150, 11), (0,)))
        least = b.broadcast(b.min(z, (1,)), (150, 11), (0,))
        return [z, b.sub(z, least), b.sum(b.mul(z, b.sub(z, least)), (1,))]

    types = "f32[150, 16]", "f32[150, 11]", "f32[11]", "f32[150]"
    assert is_turned(build, *types)
    check(build, *types, vector_bytes=width)


def test_few_rows_and_long_ones_run_along_their_elements() -> None:
    def sums(b: Builder, x: Value) -> Value:
        return b.sum(x, (1,))

    assert is_turned(sums, "f32[1000, 17]")
    assert not is_turned(sums, "f32[63, 17]")
    assert not is_turned(sums, "f32[1000, 64]"), "whole vectors take no longer than turning them"
    assert is_turned(lambda b, x: b.argmax(x, 1), "f32[1000, 64]"), "pairs take long to combine within a vector"
    assert not is_turned(lambda b, x: b.argmax(x, 1), "f32[1000, 500]")
    assert not is_turned(lambda b, x: b.add(x, x), "f32[1000, 17]"), "nothing is folded"


@pytest.mark.parametrize("around", [(), (3,)], ids=["rows", "stacks"])
def test_rows_that_are_counted_when_the_kernel_runs(around: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows, whole bands, and rests."""
    monkeypatch.setattr(nest, "PARALLEL_WORK", 0)

    def scaled(x: Any) -> Any:
        return rosin.nn.softmax(x, axis=-1), rnp.argmax(x, axis=-1), rnp.var(x, axis=-1)

    symbolic = rosin.compile(scaled, dynamic={"x": (len(around),)})
    assert is_turned(softmax, "f32[n, 17]")
    for rows in (48, 1, 63, 64, 65, 128, 1000):
        x = np.random.default_rng(rows).standard_normal((*around, rows, 17)).astype(np.float32)
        static = rosin.compile(scaled, dynamic=False)
        for one, other in zip(symbolic(x), static(x), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)
    assert len(symbolic.signatures()) == 1
