"""Distinct elements and sets, compiled, interpreted and eager, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from tests.frontend.test_selecting import agree

RNG = np.random.default_rng(3)
LINES: list[Any] = [
    RNG.integers(0, 7, 40).astype(np.int32),
    RNG.integers(0, 5, (4, 6)).astype(np.int64),
    np.array([2.0, np.nan, -0.5, 2.0, np.nan, np.inf, -0.5], np.float32),
    np.array([3.0], np.float64),
    np.array([True, False, True]),
    np.zeros(0, np.float32),
    np.full(9, 4, np.uint8),
]
over_lines = pytest.mark.parametrize("x", LINES, ids=lambda x: f"{x.dtype}-{x.shape}")


@over_lines
def test_unique(x: Any) -> None:
    agree(rnp.unique, np.unique(x), x)
    np.testing.assert_array_equal(rnp.unique(x), np.unique(x))
    every = dict.fromkeys(("return_index", "return_inverse", "return_counts"), True)
    agree(lambda x: rnp.unique(x, **every), np.unique(x, **every), x)
    for found, expected in zip(rnp.unique(x, **every), np.unique(x, **every), strict=True):
        np.testing.assert_array_equal(found, expected)
    agree(
        lambda x: rnp.unique(x, return_counts=True, equal_nan=False),
        np.unique(x, return_counts=True, equal_nan=False),
        x,
    )


@over_lines
def test_unique_of_the_standard(x: Any) -> None:
    # NumPy's are in no order.
    agree(rnp.unique_values, np.sort(np.unique_values(x)), x)
    agree(lambda x: tuple(rnp.unique_all(x)), tuple(np.unique_all(x)), x)
    agree(lambda x: tuple(rnp.unique_counts(x)), tuple(np.unique_counts(x)), x)
    agree(lambda x: tuple(rnp.unique_inverse(x)), tuple(np.unique_inverse(x)), x)
    found = rosin.compile(rnp.unique_all)(x)
    assert found._fields == ("values", "indices", "inverse_indices", "counts")


def test_a_fixed_number_of_them() -> None:
    x = np.array([3, 1, 3, 7, 1])
    for f in (rnp.unique_all, rosin.compile(rnp.unique_all, static_argnames=("size",))):
        values, indices, inverse, counts = f(x, size=5)
        np.testing.assert_array_equal(values, [1, 3, 7, 1, 1])
        np.testing.assert_array_equal(indices, [1, 0, 3, 1, 1])
        np.testing.assert_array_equal(inverse, [1, 0, 1, 2, 0])
        np.testing.assert_array_equal(counts, [2, 2, 1, 0, 0])
        np.testing.assert_array_equal(f(x, size=2).values, [1, 3])
        np.testing.assert_array_equal(f(x, size=2).counts, [2, 2])
    rows = rosin.vmap(lambda row: rnp.unique(row, size=3))(np.array([[1, 1, 0], [5, 4, 6]]))
    np.testing.assert_array_equal(rows, [[0, 1, 0], [4, 5, 6]])


@pytest.mark.thinned(4)
@pytest.mark.parametrize("a", LINES[:4], ids=lambda x: f"{x.dtype}-{x.shape}")
@pytest.mark.parametrize("b", LINES, ids=lambda x: f"{x.dtype}-{x.shape}")
def test_sets(a: Any, b: Any) -> None:
    agree(rnp.isin, np.isin(a, b), a, b)
    agree(lambda a, b: rnp.isin(a, b, invert=True), np.isin(a, b, invert=True), a, b)
    np.testing.assert_array_equal(rnp.isin(a, b), np.isin(a, b))
    agree(rnp.union1d, np.union1d(a, b), a, b)
    agree(rnp.intersect1d, np.intersect1d(a, b), a, b)
    agree(rnp.setdiff1d, np.setdiff1d(a, b), a, b)
    agree(rnp.setxor1d, np.setxor1d(a, b), a, b)


def test_symbolic_sizes_below() -> None:
    f = rosin.compile(lambda x: rnp.unique(x, return_counts=True), dynamic={"x": 0})
    for n in (5, 0, 1, 300):
        x = RNG.integers(0, 20, n)
        for found, expected in zip(f(x), np.unique(x, return_counts=True), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert len(f.signatures()) == 1


def test_what_follows() -> None:
    def means(labels: Any, values: Any) -> Any:
        which = rnp.unique_inverse(labels)
        sums = rnp.zeros((which.values.shape[0],)).at[which.inverse_indices].add(values)
        return sums / rnp.unique_counts(labels).counts

    labels, values = RNG.integers(0, 6, 50), RNG.standard_normal(50).astype(np.float32)
    expected = np.array([values[labels == k].mean() for k in np.unique(labels)])
    agree(means, expected, labels, values)
    slope = rosin.grad(lambda v: rnp.sum(means(rnp.asarray(labels), v) ** 2))
    counts = np.unique(labels, return_counts=True)[1]
    near = (2 * expected / counts)[np.unique(labels, return_inverse=True)[1]]
    agree(slope, near, values)
