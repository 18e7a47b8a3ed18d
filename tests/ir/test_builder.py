"""What the builder checks beyond the ops' own rules."""

from __future__ import annotations

import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.errors import ShapeError
from rosin.ir.location import Location
from rosin.ir.types import MAX_BYTES, TensorType


def test_a_value_beyond_every_address_is_refused() -> None:
    b = Builder()
    x = b.input(TensorType(dtypes.f64, ()))
    with pytest.raises(ShapeError, match=rf"broadcast: a result of type f64\[.*\] takes {1 << 63} bytes"):
        b.broadcast(x, (1 << 30, 1 << 30), ())
    assert b.nodes == []


def test_the_greatest_value_that_has_addresses_is_taken() -> None:
    b = Builder()
    x = b.input(TensorType(dtypes.u8, ()))
    assert b.broadcast(x, (MAX_BYTES,), ()).type.bytes == MAX_BYTES


def test_errors_carry_the_users_line() -> None:
    b = Builder()
    x, y = b.input(TensorType(dtypes.f32, (2,))), b.input(TensorType(dtypes.f32, (3,)))
    b.location = Location("model.py", 12)
    with pytest.raises(ShapeError) as caught:
        b.add(x, y)
    assert caught.value.location is b.location
