"""Keys: from seeds, from other keys, and from the bits that they consist of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import creation, logic, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random.arguments import Shape, one_key
from rosin.frontend.random.drawing import drawn_exactly
from rosin.ir import dims, dtypes, literal
from rosin.ir.dtypes import DType, u32, u64
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.random import RandomFoldIn

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def key(seed: ArrayLike) -> Array:
    """The key of a seed, an integer of up to 64 bits: its high and its low 32 bits. Negative seeds count from 2**64.

    Raises:
        DTypeError: the seed is no integer.
        AttributeValueError: it has more than 64 bits.
    """
    if isinstance(seed, int) and not isinstance(seed, bool):
        number = seed
        if not -(1 << 63) <= number < 1 << 64:
            promote.bad_value(f"key: the seed {number} has more than 64 bits")
        words = np.array([number >> 32 & 0xFFFFFFFF, number & 0xFFFFFFFF], np.uint32)
        return core.bind1(Constant(literal.from_array(words)))
    operand = promote.array("key", seed)
    own = core.dtype_of(operand)
    if not own.is_integer or core.shape_of(operand) != ():
        promote.bad_dtype("key: a seed is one integer", operand)
    wide = promote.cast(operand, u64 if own.kind == "uint" else dtypes.i64)
    high = logic.bitwise_right_shift(wide, 32)
    return manipulation.stack([promote.cast(high, u32), promote.cast(wide, u32)])


def split(key: ArrayLike, num: Shape = 2) -> Array:
    """New keys `u32[num, 2]` from a key; `num` may be a shape. They are those of folding in 0, 1, …"""
    return _split(one_key("split", key), shape=promote.as_shape("split", num), dtype=u32)


@drawn_exactly
def _split(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    count = dims.product(shape)
    keys = core.bind1(RandomFoldIn(), promote.spread(key, (count, 2)), creation.iota(dtype, (count,), 0))
    return manipulation.reshape(keys, (*shape, 2))


def fold_in(key: ArrayLike, data: ArrayLike) -> Array:
    """A new key from a key and an integer, such as the number of a step; of the integer the low 32 bits count.

    Raises:
        DTypeError: `data` is not one integer.
    """
    source = one_key("fold_in", key)
    if isinstance(data, int) and not isinstance(data, bool):
        data = np.uint32(data & 0xFFFFFFFF)
    number = promote.array("fold_in", data)
    if not core.dtype_of(number).is_integer or core.shape_of(number) != ():
        promote.bad_dtype("fold_in: takes one integer", number)
    return _fold_in(source, promote.cast(number, u32), shape=(), dtype=u32)


@drawn_exactly
def _fold_in(key: Array, number: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return core.bind1(RandomFoldIn(), key, number)


@core.fresh
def key_data(key: ArrayLike) -> Array:
    """The bits of a key, u32[2]: the key itself. Other libraries, where a key is more than that, have this name."""
    return one_key("key_data", key)


@core.fresh
def wrap_key_data(data: ArrayLike) -> Array:
    """The key that consists of these bits, u32[2].

    Raises:
        DTypeError: they are no u32 numbers.
        ShapeError: they are not two.
    """
    return one_key("wrap_key_data", data)


@core.fresh
def clone(key: ArrayLike) -> Array:
    """The same key again, for those who mean to draw the same numbers twice."""
    return one_key("clone", key)


__all__ = ["clone", "fold_in", "key", "key_data", "split", "wrap_key_data"]
