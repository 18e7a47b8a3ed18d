"""Rows that have left the caches when their folds are done: what follows is apart, and stores nothing on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import steps
from rosin.passes import pipeline
from rosin.passes.to_loops import to_loops
from tests.passes.test_fusion import graph_of


def centred(x: Any) -> Any:
    return x - rnp.mean(x, axis=-2, keepdims=True)


def standardised(x: Any) -> Any:
    return centred(x) / rnp.sqrt(rnp.var(x, axis=-2, keepdims=True) + 1e-5)


def softmax(x: Any) -> Any:
    e = rnp.exp(x - rnp.max(x, axis=-2, keepdims=True))
    return e / rnp.sum(e, axis=-2, keepdims=True)


def is_fused(function: Callable[..., Any], *shape: int) -> bool:
    """Whether the kernel that writes the result folds as well."""
    text = rosin.compile(function).text(np.zeros(shape, np.float32), stage="loops")
    (last,) = [part for part in text.split("kernel ")[1:] if "out0[" in part]
    return "carrying" in last


@pytest.mark.parametrize(
    ("function", "shape", "fused"),
    [
        (centred, (300, 300), True),  # all of it is in a cache
        (centred, (1000, 1000), False),
        (centred, (256, 3000), True),
        (centred, (256, 4096), False),  # rows a number of pages apart
        (centred, (64, 100000), False),
        (centred, (8, 500, 100), True),  # what lies between the elements of a row is in a cache
        (standardised, (1000, 1000), True),
        (standardised, (2000, 1000), False),
        (softmax, (700, 900), True),
        (softmax, (20000, 100), False),
    ],
)
def test_what_follows_the_folds_of_columns(function: Callable[..., Any], shape: tuple[int, ...], fused: bool) -> None:
    assert is_fused(function, *shape) is fused


def test_nothing_is_stored_between() -> None:
    """The difference to the mean is computed again, by the sum of squares and by what follows it."""
    text = rosin.compile(standardised).text(np.zeros((4000, 500), np.float32), stage="loops")
    sizes = [int(line.split("f32[")[1].split("]")[0]) for line in text.splitlines() if line.startswith("  arena ")]
    assert max(sizes) < 4000 * 500 // 8


@pytest.mark.parametrize("function", [centred, standardised, softmax])
@pytest.mark.parametrize("shape", [(1000, 1000), (2000, 300), (20000, 16), (20000, 37), (3, 2100, 130), (600, 4096)])
def test_numbers(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    wide = x.astype(np.float64)
    means = wide.mean(-2, keepdims=True)
    e = np.exp(wide - wide.max(-2, keepdims=True))
    expected = {
        centred: wide - means,
        standardised: (wide - means) / np.sqrt(wide.var(-2, keepdims=True) + 1e-5),
        softmax: e / e.sum(-2, keepdims=True),
    }
    np.testing.assert_allclose(rosin.compile(function)(x), expected[function], rtol=1e-4, atol=1e-5)


def test_narrow_folds_of_many_rows_run_on_threads() -> None:
    graph = graph_of(lambda b, x: b.sum(b.exp(x), (0,)), "f32[1500, 400]")
    first = next(steps.kernels(to_loops(pipeline.run(graph)).steps))
    assert isinstance(first, steps.Kernel)
    (loop,) = first.body
    assert getattr(loop, "parallel", False)
