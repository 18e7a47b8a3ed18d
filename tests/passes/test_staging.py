"""Loops over the rows of tiles whose lanes lie apart: squares of memory go to near arrays and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.ir import statements
from rosin.ir.builder import Builder
from rosin.ir.loops import Load, Loop, Scope, Statement, Store
from rosin.ir.op import Value
from rosin.ir.steps import Kernel
from rosin.runtime.jit import host
from tests.passes.test_contract import compiled
from tests.passes.test_fusion import graph_of


def joined(b: Builder, x: Value, kernel: Value, other: Value) -> Value:
    """A convolution with one thing added to it that lies as its result does, and no number below zero."""
    half = tuple(size // 2 for size in kernel.type.sizes[2:])
    total = b.add(b.convolution(x, kernel, low=half, high=half), other)
    return b.maximum(total, b.constant(0.0, total.type))


def kernel_of(side: int, channels: int) -> Kernel:
    x, kernel = f"f32[2, {channels}, {side}, {side}]", f"f32[32, {channels}, 3, 3]"
    (found,) = (k for k in compiled(graph_of(joined, x, kernel, f"f32[2, 32, {side}, {side}]"), 64) if k.tile)
    return found


def moves(kernel: Kernel) -> list[Store]:
    """What is moved between near arrays and memory."""
    near = [s for s in statements.stores(kernel.body) if isinstance(s.value, Load)]
    return [s for s in near if Scope.LOCAL in (s.buffer.scope, _source(s).scope)]


def _source(store: Store) -> Any:
    assert isinstance(store.value, Load)
    return store.value.buffer


def test_rows_of_long_sums_are_a_loop_between_squares() -> None:
    kernel = kernel_of(14, 64)
    loops = [s for s in statements.nested(kernel.body) if isinstance(s, Loop) and s.var.name.endswith("_row")]
    (loop,) = loops
    assert loop.var.extent == 14
    assert _stores(loop.body) == 2, "one for each vector of the tile"
    assert len(moves(kernel)) == 2 * 2 * 14, "two arrays, of two squares each"


def test_what_follows_short_sums_is_written_out() -> None:
    assert not moves(kernel_of(14, 8))


def _stores(body: tuple[Statement, ...]) -> int:
    return sum(1 for _ in statements.stores(body))


@pytest.mark.parametrize("shape", [(64, 14, 14, 32), (64, 7, 7, 40), (48, 5, 9, 33), (64, 28, 28, 16), (96, 3, 3, 64)])
def test_numbers(shape: tuple[int, int, int, int]) -> None:
    channels, height, width, outputs = shape
    random = np.random.default_rng(0)
    x, kernel, bias, other = (
        random.standard_normal(s).astype(np.float32)
        for s in ((2, channels, height, width), (outputs, channels, 3, 3), (outputs, 1, 1), (2, outputs, height, width))
    )

    def layer(x: Any, kernel: Any, bias: Any, other: Any) -> tuple[Any, Any]:
        y = rosin.nn.conv(x, kernel, padding=1) + bias
        return rnp.maximum(y + other, 0), y - other

    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    y = np.einsum("nchwij,ocij->nohw", windows, kernel.astype(np.float64)) + bias
    found = rosin.compile(layer)(x, kernel, bias, other)
    for value, wanted in zip(found, (np.maximum(y + other, 0), y - other), strict=True):
        np.testing.assert_allclose(np.asarray(value), wanted, rtol=1e-4, atol=1e-3)


def test_results_take_the_memory_of_what_squares_are_read_from() -> None:
    def layer(x: Any, kernel: Any, other: Any) -> Any:
        return rnp.maximum(rosin.nn.conv(x, kernel, padding=1) + other, 0)

    random = np.random.default_rng(0)
    shapes = ((2, 64, 14, 14), (32, 64, 3, 3), (2, 32, 14, 14))
    given = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
    over = rosin.compile(layer, donate_argnums=2)
    if host().vector_bytes == 64:  # Images of 14x14 have other tiles of narrower vectors.
        assert "takes the memory of other" in over.text(*given, stage="loops")
    found = over(*given[:2], rnp.asarray(given[2].copy()))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(rosin.compile(layer)(*given)))
