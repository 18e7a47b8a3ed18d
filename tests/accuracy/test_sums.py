"""Sums of many numbers, and what stands on them: errors stay near one rounding, at once and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp

EPSILON = 2.0**-23
COUNT = 3_000_000


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, COUNT).astype(np.float32)


REDUCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], float]]] = {
    "sum": (rnp.sum, lambda x: math.fsum(x.tolist())),
    "mean": (rnp.mean, lambda x: math.fsum(x.tolist()) / x.size),
    "var": (rnp.var, np.var),
    "std": (rnp.std, np.std),
    "logsumexp": (rnp.logsumexp, lambda x: math.log(math.fsum(np.exp(x).tolist()))),
    "norm": (lambda x: rnp.sqrt(rnp.sum(x * x)), lambda x: math.sqrt(math.fsum((x * x).tolist()))),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("compiled", [False, True])
def test_reductions_of_millions(name: str, compiled: bool, numbers: np.ndarray) -> None:
    function, exact = REDUCTIONS[name]
    found = float((rosin.compile(function) if compiled else function)(rnp.asarray(numbers)))
    true = exact(numbers.astype(np.float64))
    assert abs(found - true) < 4 * EPSILON * abs(true)


@pytest.mark.parametrize(
    ("shape", "axis"), [((COUNT // 10, 10), 0), ((1000, COUNT // 1000), 0), ((300, COUNT // 300), 1)]
)
def test_sums_over_either_axis(shape: tuple[int, int], axis: int, numbers: np.ndarray) -> None:
    """Also where other work is fused into the loop of a sum."""
    x = numbers.reshape(shape)
    true = (2 * x.astype(np.float64) + 1).sum(axis)

    def total(a: Any) -> Any:
        return rnp.sum(2 * a + 1, axis=axis)

    for found in (total(rnp.asarray(x)), rosin.compile(total)(rnp.asarray(x))):
        assert np.max(np.abs(np.asarray(found) - true) / true) < 16 * EPSILON


def test_sums_of_a_symbolic_size(numbers: np.ndarray) -> None:
    function = rosin.compile(lambda x: rnp.sum(x * 2), dynamic=True)
    for count in (5, 1000, COUNT - 3):
        true = 2 * math.fsum(numbers[:count].tolist())
        assert abs(float(function(rnp.asarray(numbers[:count]))) - true) < 4 * EPSILON * true


def test_the_variance_of_numbers_far_from_zero(numbers: np.ndarray) -> None:
    x = (numbers + np.float32(1e4)).astype(np.float32)
    found = float(rosin.compile(rnp.var)(rnp.asarray(x)))
    assert abs(found / np.var(x.astype(np.float64)) - 1) < 1e-4


def test_softmax_and_hypot_of_extremes() -> None:
    big = rnp.asarray(np.array([3e38, -3e38, 1e38], np.float32))
    assert np.asarray(rosin.nn.softmax(big)).tolist() == [1, 0, 0]
    assert float(rnp.logsumexp(big)) == np.float32(3e38)
    assert np.isfinite(np.asarray(rosin.nn.log_softmax(big / 2))).all()
    assert float(rnp.hypot(rnp.asarray(3e38, dtype=rnp.float32), 1e38)) == np.float32(np.hypot(3e38, 1e38))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_integer_division_at_its_edges(dtype: type[np.integer]) -> None:
    """As NumPy answers, with no trap: by zero, and the least integer by -1."""
    least = np.iinfo(dtype).min
    x, y = (np.array(v, dtype) for v in ([least, least, 7, -7, least], [-1, 0, 0, 2, 2]))
    for function in (lambda a, b: a // b, lambda a, b: a % b):
        with np.errstate(all="ignore"):
            expected = function(x, y)
        for found in (
            function(rnp.asarray(x), rnp.asarray(y)),
            rosin.compile(function)(rnp.asarray(x), rnp.asarray(y)),
        ):
            np.testing.assert_array_equal(np.asarray(found), expected)
