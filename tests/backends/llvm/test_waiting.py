"""Products whose sums wait, block by block of what is folded: the numbers, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.runtime import threads
from rosin.runtime.jit import host

RANDOM = np.random.default_rng(5)
SHAPES = [(100, 4096, 64), (40, 2051, 300), (45, 5000, 70), (129, 4099, 100), (13, 4096, 1000)]
SHAPES += [(100, 257, 512), (310, 769, 148)]
"""Odd ends along every axis, blocks of one length and a shorter one, or one of a single step, bands and none."""


def drawn(*shape: int, dtype: str = "f32") -> Any:
    return RANDOM.standard_normal(shape).astype(dtypes.BY_NAME[dtype].numpy)


def waits(f: Any, *arrays: Any) -> bool:
    return "waiting[" in f.text(*arrays, stage="loops")


def few_rows_at_a_time(f: Callable[..., Any], x: Any, *others: Any) -> Any:
    """The same, of so few rows that no sum waits."""
    few = rosin.compile(f)
    assert not waits(few, x[:5], *others)
    return np.concatenate([np.asarray(few(x[i : i + 5], *others)) for i in range(0, len(x) - len(x) % 5, 5)])


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_go_on_where_they_waited(shape: tuple[int, int, int], dtype: str) -> None:
    m, k, n = shape
    x, w = drawn(m, k, dtype=dtype), drawn(k, n, dtype=dtype)
    f = rosin.compile(lambda x, w: x @ w)
    if host().vector_bytes == 64:  # Of narrower vectors some of these have panels that stay near as a whole.
        assert waits(f, x, w)
    found = np.asarray(f(x, w))
    expected = few_rows_at_a_time(lambda x, w: x @ w, x, w)
    np.testing.assert_array_equal(found[: len(expected)], expected)
    np.testing.assert_allclose(
        found, x.astype(np.float64) @ w.astype(np.float64), rtol=0, atol=2e-3 if dtype == "f32" else 1e-11
    )


def test_blocks_of_as_many_steps_have_one_tile() -> None:
    def tiles(depth: int) -> int:
        text = rosin.compile(lambda x, w: x @ w).text(drawn(100, depth), drawn(depth, 64), stage="loops")
        return text.count("carrying acc_0_0 =")

    assert tiles(4096) == 1
    assert tiles(4099) == 2, "the last block has fewer steps"


def test_threads_change_no_bits() -> None:
    x, w = drawn(100, 4099), drawn(4099, 200)
    before, found = threads.num_threads(), list[Any]()
    try:
        for number in (1, 2, 3):
            threads.set_num_threads(number)
            found.append(np.asarray(rosin.compile(lambda x, w: x @ w)(x, w)))
    finally:
        threads.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[tuple[int, ...]]]] = {
    "weights that lie across": (lambda x, w: x @ w.T, lambda x, w: x @ w.T, [(96, 4096), (300, 4096)]),
    "both that lie across": (lambda x, w: x.T @ w.T, lambda x, w: x.T @ w.T, [(4096, 96), (300, 4096)]),
    "copies of both": (lambda x, w: x.T @ w, lambda x, w: x.T @ w, [(4100, 515), (4100, 390)]),
    "a copy that lies across": (lambda x, w: x @ w.T, lambda x, w: x @ w.T, [(515, 4100), (390, 4100)]),
    "a copy": (lambda x, w: rnp.tanh(x @ w), lambda x, w: np.tanh(x @ w), [(515, 4100), (4100, 390)]),
    "stacks": (lambda x, w: x @ w, lambda x, w: x @ w, [(3, 70, 4100), (3, 4100, 120)]),
    "a stack and weights": (lambda x, w: x @ w, lambda x, w: x @ w, [(2, 3, 70, 4100), (4100, 130)]),
    "what follows": (
        lambda x, w, b, r: rnp.tanh(x @ w + b) * r,
        lambda x, w, b, r: np.tanh(x @ w + b) * r,
        [(100, 4096), (4096, 130), (130,), (100, 130)],
    ),
    "much that follows": (
        lambda x, w: rosin.nn.gelu(rosin.nn.gelu(x @ w * 0.015)),
        lambda x, w: np.asarray(rosin.nn.gelu(rosin.nn.gelu(rnp.asarray(x @ w * 0.015)))),
        [(100, 4096), (4096, 130)],
    ),
    "what is computed of the weights": (
        lambda x, w: x @ (w * w + 1),
        lambda x, w: x @ (w * w + 1),
        [(100, 4096), (4096, 130)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operands_of_any_form(name: str) -> None:
    function, reference, shapes = CASES[name]
    arrays = [drawn(*shape) for shape in shapes]
    f = rosin.compile(function)
    found = np.asarray(f(*arrays))
    assert found.dtype == np.float32
    expected = reference(*(a.astype(np.float64) for a in arrays))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=5e-3)


def test_numbers_that_are_none_stay_in_their_rows() -> None:
    """An infinite weight meets its own column, a NaN its own row, in whatever block they are."""
    x, w = drawn(60, 4096), drawn(4096, 200)
    x[7, 2700], w[1300, 5] = np.nan, np.inf
    found = np.asarray(rosin.compile(lambda x, w: x @ w)(x, w))
    wrong = ~np.isfinite(found)
    expected = np.zeros_like(wrong)
    expected[7], expected[:, 5] = True, True
    np.testing.assert_array_equal(wrong, expected)
    assert np.isnan(found[7]).all()
