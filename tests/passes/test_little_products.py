"""Products of few terms and columns, folds of which rows have a vector in common: how they are computed, and what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp

INTEGERS = np.random.default_rng(0).integers


def drawn(dtype: str, *shape: int) -> Any:
    """Small whole numbers, whose sums of products are exact in every type."""
    return rnp.asarray(INTEGERS(-4, 5, shape), dtype=dtype)


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(np.asarray(found, np.float64), expected)


def exact(x: Any) -> Any:
    return np.asarray(x).astype(np.float64)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int32", "int8"])
@pytest.mark.parametrize("columns", [2, 3, 4])
@pytest.mark.parametrize("terms", [1, 2, 3, 4, 7, 16, 17])
def test_rows_by_little_matrices_are_right(terms: int, columns: int, dtype: str) -> None:
    for rows in (1, 3, 16, 50, 131):
        x, w, b = drawn(dtype, rows, terms), drawn(dtype, terms, columns), drawn(dtype, columns)
        same(rosin.compile(lambda x, w: x @ w)(x, w), exact(x) @ exact(w))
        if dtype != "int8":
            turned = rosin.compile(lambda x, w, b: rnp.maximum(x @ w.T + b, 0))(x, rnp.matrix_transpose(w), b)
            same(turned, np.maximum(exact(x) @ exact(w) + exact(b), 0))


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_many_little_matrices_are_right(size: int) -> None:
    for count in (1, 7, 16, 33, 1000):
        m, n, x = (drawn("float32", count, *rest) for rest in ((size, size), (size, size), (size,)))
        same(
            rosin.compile(lambda m, x: rnp.einsum("nij,nj->ni", m, x))(m, x),
            np.einsum("nij,nj->ni", *map(exact, (m, x))),
        )
        same(rosin.compile(lambda m, n: m @ n)(m, n), exact(m) @ exact(n))


@pytest.mark.parametrize(("terms", "columns"), [(2, 2), (3, 3), (4, 4), (4, 2), (16, 3)])
def test_vectors_go_along_the_rows_of_little_products(terms: int, columns: int) -> None:
    given = drawn("float32", 500, terms), drawn("float32", terms, columns)
    (kernel,) = rosin.compile(lambda x, w: x @ w).text(*given, stage="loops").split("kernel ")[1:]
    assert "vector i0 in 500" in kernel
    assert all(f"out0[{columns}*i0{f' + {k}' if k else ''}]" in kernel for k in range(columns))


@pytest.mark.parametrize("rows", [8, 9, 10, 11, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_rows_that_share_a_vector_are_folded_some_at_once(rows: int, dtype: str) -> None:
    for length in (16, 50, 300):
        product = rosin.compile(lambda a, x, y: a @ x + y)
        a, x, y = drawn(dtype, rows, length), drawn(dtype, length), drawn(dtype, rows)
        same(product(a, x, y), exact(a) @ exact(x) + exact(y))
        many = rosin.compile(lambda a, x: rnp.max(a * x, axis=1))
        same(many(a, x), np.max(exact(a) * exact(x), axis=1))
        assert length < 300 or "i0_lot in" in product.text(a, x, y, stage="loops")


def test_rows_that_share_nothing_are_folded_one_by_one() -> None:
    text = rosin.compile(lambda a: rnp.sum(a, axis=1)).text(drawn("float32", 100, 300), stage="loops")
    assert "lot" not in text


def test_the_norm_of_a_product_leaves_its_rows_together() -> None:
    def step(a: Any, x: Any) -> Any:
        y = a @ x
        return y / rnp.sqrt(rnp.sum(y * y))

    a, x = drawn("float32", 202, 200), drawn("float32", 200)
    y = exact(a) @ exact(x)
    np.testing.assert_allclose(rosin.compile(step)(a, x), y / np.sqrt(np.sum(y * y)), rtol=2e-6)
    assert "i0_lot in" in rosin.compile(step).text(a, x, stage="loops")
