"""Products of narrow numbers: bytes that are summed up in 32 bits, exactly, and bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.runtime import jit, threads

SIZES = [
    (8, 16, 16),
    (9, 1000, 17),
    (17, 19, 777),
    (33, 67, 50),
    (64, 64, 64),
    (7, 64, 64),
    (130, 257, 100),
    (40, 300, 15),
]
INSTRUCTIONS = {"i8": "vpdpbusd", "bf16": "vdpbf16ps"}


def drawn(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def halves(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(ml_dtypes.bfloat16)


def whole(x: Any, y: Any) -> Any:
    return x.astype(rnp.int32) @ y.astype(rnp.int32)


def product(x: Any, y: Any) -> Any:
    return x @ y


def compiled(f: Callable[..., Any], *arrays: Any) -> np.ndarray[Any, Any]:
    return np.asarray(rosin.compile(f)(*arrays))


@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_sums_of_bytes_are_exact(m: int, k: int, n: int) -> None:
    x, y = drawn(m, k), drawn(k, n, seed=1)
    want = x.astype(np.int32) @ y.astype(np.int32)
    np.testing.assert_array_equal(compiled(whole, x, y), want)
    across = compiled(lambda x, y: whole(x.T, y.T), np.ascontiguousarray(x.T), np.ascontiguousarray(y.T))
    np.testing.assert_array_equal(across, want)


def test_rows_of_any_number_are_multiplied_by_one_program() -> None:
    f, y = rosin.compile(whole), drawn(70, 48, seed=1)
    for m in (16, 9, 40, 1, 23):
        x = drawn(m, 70, seed=m)
        np.testing.assert_array_equal(np.asarray(f(x, y)), x.astype(np.int32) @ y.astype(np.int32))


def test_an_operand_may_be_both() -> None:
    x = drawn(50, 70)
    np.testing.assert_array_equal(compiled(lambda x: whole(x, x.T), x), x.astype(np.int32) @ x.astype(np.int32).T)


def test_sums_of_the_extreme_bytes_are_exact() -> None:
    for x, y in ((-128, -128), (-128, 127), (127, 127), (127, -128)):
        left, right = np.full((9, 1003), x, np.int8), np.full((1003, 33), y, np.int8)
        np.testing.assert_array_equal(compiled(whole, left, right), np.full((9, 33), x * y * 1003, np.int32))


def test_sums_of_bytes_in_a_byte_wrap_around() -> None:
    x, y = drawn(16, 50), drawn(50, 40, seed=1)
    np.testing.assert_array_equal(compiled(product, x, y), (x.astype(np.int32) @ y.astype(np.int32)).astype(np.int8))


def test_what_follows_a_product_of_bytes_is_computed_from_exact_sums() -> None:
    x, y, bias = drawn(3, 20, 70), drawn(3, 70, 48, seed=1), drawn(48, seed=2).astype(np.int32)
    found = compiled(lambda x, y, b: rnp.maximum(whole(x, y) + b, 0).astype(rnp.float32) * 0.5, x, y, bias)
    want = np.maximum(x.astype(np.int32) @ y.astype(np.int32) + bias, 0).astype(np.float32) * 0.5
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(("m", "k", "n"), SIZES)
def test_sums_of_halves_round_as_sums_of_floats(m: int, k: int, n: int) -> None:
    x, y = halves(m, k), halves(k, n, seed=1)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    size = np.abs(x.astype(np.float64)) @ np.abs(y.astype(np.float64))
    bound = k * 2.0**-24 * size + 2.0**-8 * np.abs(exact)
    assert np.all(np.abs(compiled(product, x, y).astype(np.float64) - exact) <= bound)


def test_infinities_and_nans_of_halves_stay_where_they_belong() -> None:
    """What fills up the last word meets no number that is not one."""
    x, y = halves(16, 33), halves(33, 40, seed=1)
    x[3, 32], x[5, 0], y[32, 7] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        want = x.astype(np.float32) @ y.astype(np.float32)
    found = compiled(product, x, y).astype(np.float32)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(want))


@pytest.mark.parametrize("dtype", ["i8", "bf16"])
def test_a_product_is_the_same_on_any_number_of_threads(dtype: str) -> None:
    x, y = (drawn(200, 150), drawn(150, 170)) if dtype == "i8" else (halves(200, 150), halves(150, 170))
    f = rosin.compile(whole if dtype == "i8" else product)
    before, found = threads.num_threads(), list[bytes]()
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found.append(np.asarray(f(x, y)).tobytes())
    finally:
        threads.set_num_threads(before)
    assert len(set(found)) == 1


@pytest.mark.parametrize("dtype", ["i8", "bf16"])
def test_a_target_that_multiplies_words_is_asked_to(dtype: str) -> None:
    if dtype not in jit.host().words:
        pytest.skip(f"this processor has no products of words of {dtype}")
    x, y = (drawn(32, 64), drawn(64, 48)) if dtype == "i8" else (halves(32, 64), halves(64, 48))
    text = rosin.compile(whole if dtype == "i8" else product).text(x, y, stage="assembly")
    assert INSTRUCTIONS[dtype] in text
