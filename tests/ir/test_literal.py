"""Constant data: what it is equal to, and its text."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rosin.ir import dtypes, literal
from rosin.ir.types import TensorType, parse_type
from tests.samples import special_values


@pytest.mark.parametrize(
    ("type", "value", "number", "expected"),
    [
        ("f32[2]", 0.0, 0, True),
        ("f32[2]", 0.0, -0.0, False),
        ("f32[2]", -0.0, -0.0, True),
        ("f32[2]", 0.1, 0.1, True),
        ("bf16[]", 0.1, 0.1, True),
        ("f32[]", math.inf, 1e300, True),
        ("f64[]", math.inf, 1e300, False),
        ("i32[2]", 0, 0.5, False),
        ("i32[2]", 0, -0.0, True),
        ("i8[2]", 44, 300, False),
        ("u8[2]", 255, -1, False),
        ("u8[2]", 255, 255, True),
        ("u64[]", 2**64 - 1, 2**64 - 1, True),
        ("i64[]", 3, math.inf, False),
        ("bool[]", True, 0.5, False),
        ("bool[]", True, 1, True),
    ],
)
def test_is_all(type: str, value: float, number: float, expected: bool) -> None:
    assert literal.splat(value, parse_type(type)).is_all(number) is expected


def test_an_array_is_no_splat() -> None:
    assert not literal.from_array(np.zeros(3)).is_all(0)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_text_keeps_every_bit(dtype: dtypes.DType) -> None:
    for array in (special_values(dtype), special_values(dtype)[:9], *special_values(dtype)):
        data = literal.from_array(np.asarray(array))
        written = str(data)
        again = literal.parse_array(written[len("dense(") : -1], data.type)
        assert again == data, written
        assert again.array.tobytes() == data.array.tobytes()


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d.is_float and d.bits == 16], ids=str)
def test_text_keeps_every_number_of_sixteen_bits(dtype: dtypes.DType) -> None:
    """All 65536 of them: every NaN, every denormal."""
    for bits in np.arange(1 << 16, dtype=np.uint16):
        data = literal.from_array(bits.reshape(()).view(dtype.numpy))
        written = str(data)
        assert literal.parse_array(written[len("dense(") : -1], TensorType(dtype)) == data, written
