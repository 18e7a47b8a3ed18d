"""Random numbers from explicit keys: the same key and shape give the same numbers, everywhere and always.

A key is an array `u32[2]`. It is used once: for numbers, or for new keys (`split`, `fold_in`), since what is drawn
twice from one key is equal, or related. The bits are made by counting (rosin.ir.ops.random), so each element depends on
its key and its place alone; under `vmap` every example has the bits that it has by itself.

Floats of 23 (f32) or 52 (f64) random bits are made in the way of JAX, and `uniform` and `normal` give the numbers that
JAX gives for the same key, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DEFAULT_INT, DTypeLike
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.datatypes import finfo
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, dtypes, literal
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, u8, u16, u32, u64
from rosin.ir.ops.cast import Bitcast
from rosin.ir.ops.movement import Constant
from rosin.ir.ops.normal import RandomNormal
from rosin.ir.ops.random import RandomBits, RandomFoldIn

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Shape: TypeAlias = "Dim | Sequence[Dim]"


# -- keys --------------------------------------------------------------------------------------------------------------


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


def _one_key(name: str, key: ArrayLike) -> Array:
    """The key, checked.

    Raises:
        DTypeError: it is no array of u32.
        ShapeError: it is not one key.
    """
    operand = promote.array(name, key)
    if core.dtype_of(operand) != u32:
        promote.bad_dtype(f"{name}: a key is u32[2], as rosin.random.key(seed) makes it", operand)
    if core.shape_of(operand) != (2,):
        promote.bad_shape(f"{name}: takes one key, u32[2]; rosin.vmap draws from several", operand)
    return operand


def split(key: ArrayLike, num: Shape = 2) -> Array:
    """New keys `u32[num, 2]` from a key; `num` may be a shape. They are those of folding in 0, 1, …"""
    source = _one_key("split", key)
    shape = promote.as_shape("split", num)
    count = dims.product(shape)
    keys = core.bind1(RandomFoldIn(), promote.spread(source, (count, 2)), creation.iota(u32, (count,), 0))
    return manipulation.reshape(keys, (*shape, 2))


def fold_in(key: ArrayLike, data: ArrayLike) -> Array:
    """A new key from a key and an integer, such as the number of a step; of the integer the low 32 bits count.

    Raises:
        DTypeError: `data` is not one integer.
    """
    source = _one_key("fold_in", key)
    if isinstance(data, int) and not isinstance(data, bool):
        data = np.uint32(data & 0xFFFFFFFF)
    number = promote.array("fold_in", data)
    if not core.dtype_of(number).is_integer or core.shape_of(number) != ():
        promote.bad_dtype("fold_in: takes one integer", number)
    return core.bind1(RandomFoldIn(), source, promote.cast(number, u32))


# -- bits and uniform numbers ------------------------------------------------------------------------------------------


def bits(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = u32) -> Array:
    """Uniform random bits, as unsigned integers.

    Raises:
        DTypeError: the element type is no unsigned integer.
    """
    return _bits("bits", key, shape, core.as_dtype(dtype))


def _bits(name: str, key: ArrayLike, shape: Shape, dtype: DType) -> Array:
    return core.bind1(RandomBits(promote.as_shape(name, shape), dtype), _one_key(name, key))


_WORDS = {"f64": (u64, u64, 52), "f32": (u32, u32, 23), "f16": (u16, u16, 10), "bf16": (u8, u16, 7)}
"""For each float type the bits that are drawn, the bits that a float has, and how many of these are its fraction."""


def _float(name: str, dtype: DTypeLike) -> DType:
    own = core.as_dtype(dtype)
    if not own.is_float:
        promote.bad_dtype(f"{name}: gives floats, not {own}")
    return own


def _unit(name: str, key: ArrayLike, shape: Shape, dtype: DType) -> Array:
    """Uniform floats in [0, 1): random fractions of floats in [1, 2), less 1."""
    drawn, own, fraction = _WORDS[dtype.name]
    random = _bits(name, key, shape, drawn)
    random = promote.cast(logic.bitwise_right_shift(random, drawn.bits - fraction), own)
    one = int(np.ones((), dtype.numpy).view(own.numpy))
    return elementwise.subtract(core.bind1(Bitcast(dtype), logic.bitwise_or(random, one)), 1)


def uniform(
    key: ArrayLike,
    shape: Shape = (),
    dtype: DTypeLike = DEFAULT_FLOAT,
    minval: ArrayLike = 0.0,
    maxval: ArrayLike = 1.0,
) -> Array:
    """Uniform floats in [minval, maxval); the bounds are numbers, or arrays that broadcast to the shape.

    Raises:
        DTypeError: the element type is no float.
        ShapeError: a bound does not broadcast to the shape.
    """
    own = _float("uniform", dtype)
    if core.is_scalar(minval) and core.is_scalar(maxval) and (minval, maxval) == (0, 1):
        return _unit("uniform", key, shape, own)
    return _between("uniform", key, shape, own, minval, maxval)


def _between(name: str, key: ArrayLike, shape: Shape, dtype: DType, minval: ArrayLike, maxval: ArrayLike) -> Array:
    unit = _unit(name, key, shape, dtype)
    low, high = (_bound(name, x, dtype, core.shape_of(unit)) for x in (minval, maxval))
    scaled = elementwise.add(elementwise.multiply(unit, elementwise.subtract(high, low)), low)
    # Rounding may take the least numbers below the bound.
    return elementwise.maximum(low, scaled)


def _bound(name: str, x: ArrayLike, dtype: DType, shape: promote.Shape) -> Array:
    if isinstance(x, bool | int | float):
        return promote.number(name, float(x), promote.TensorType(dtype, shape))
    return promote.spread_to(name, promote.cast(promote.array(name, x), dtype), shape)


def bernoulli(key: ArrayLike, p: ArrayLike = 0.5, shape: Shape | None = None) -> Array:
    """Truth values that are true with probability p; p broadcasts to the shape, which is its own by default."""
    chance = promote.floating("bernoulli", p)
    wide = promote.cast(chance, core.dtype_of(chance).accumulator)
    wanted = core.shape_of(wide) if shape is None else promote.as_shape("bernoulli", shape)
    return logic.less(
        _unit("bernoulli", key, wanted, core.dtype_of(wide)), promote.spread_to("bernoulli", wide, wanted)
    )


def randint(
    key: ArrayLike, shape: Shape, minval: ArrayLike, maxval: ArrayLike, dtype: DTypeLike = DEFAULT_INT
) -> Array:
    """Uniform integers in minval … maxval - 1; the bounds are integers, or arrays of them that broadcast to the shape.

    The fraction of 2**64 (2**128 for 64-bit integers) that random bits make is multiplied with the number of integers,
    and its whole part taken (Lemire, 2019): no integer's probability is off by more than a part in 2**32 (2**64).
    Where a traced maxval is not above minval, it gives minval.

    Raises:
        AttributeValueError: known bounds have no integer between them, or do not fit the element type.
        DTypeError: the element type or a bound is no integer.
    """
    own, wanted = core.as_dtype(dtype), promote.as_shape("randint", shape)
    if not own.is_integer:
        promote.bad_dtype(f"randint: gives integers, not {own}")
    if core.is_scalar(minval) and core.is_scalar(maxval):
        low, high = (promote.as_int("randint", bound, "a bound") for bound in (minval, maxval))
        if low >= high:
            promote.bad_value(f"randint: there is no integer from {low} to below {high}")
        for extreme in (low, high - 1):
            promote.check_fits("randint", extreme, own)
        if high - low == 1 << 64:
            return core.bind1(Bitcast(own), _bits("randint", key, wanted, u64))
        span = promote.number("randint", high - low, promote.TensorType(u64, wanted))
        start = promote.number("randint", low, promote.TensorType(own, wanted))
    else:
        first, last = (_integer_bound(x, own, wanted) for x in (minval, maxval))
        # Both are taken modulo 2**64, where their difference is right.
        span = elementwise.subtract(promote.cast(last, u64), promote.cast(first, u64))
        span = logic.where(logic.greater(last, first), span, 1)
        start = promote.cast(first, own)
    below = _below_64(key, span, wanted) if own.bits == 64 else _below_32(_bits("randint", key, wanted, u64), span)
    return elementwise.add(start, promote.cast(below, own))


def _integer_bound(x: ArrayLike, dtype: DType, shape: promote.Shape) -> Array:
    wide = u64 if dtype == u64 else dtypes.i64
    operand = (
        promote.number("randint", x, promote.TensorType(wide)) if core.is_scalar(x) else promote.array("randint", x)
    )
    if not core.dtype_of(operand).is_integer:
        promote.bad_dtype("randint: the bounds are integers", operand)
    return promote.spread_to("randint", promote.cast(operand, wide), shape)


def _halves(x: Array) -> tuple[Array, Array]:
    return logic.bitwise_right_shift(x, 32), logic.bitwise_and(x, 0xFFFFFFFF)


def _below_32(random: Array, span: Array) -> Array:
    """The whole part of random / 2**64 * span, for spans up to 2**32."""
    high, low = _halves(random)
    carried = logic.bitwise_right_shift(elementwise.multiply(low, span), 32)
    # At a span of 2**32 the sum is below 2**64 too: (2**32 - 1) * 2**32 + 2**32 - 1.
    return logic.bitwise_right_shift(elementwise.add(elementwise.multiply(high, span), carried), 32)


def _below_64(key: ArrayLike, span: Array, shape: promote.Shape) -> Array:
    """The whole part of random / 2**128 * span."""
    keys = split(_one_key("randint", key))
    first, second = (_bits("randint", key_, shape, u64) for key_ in manipulation.unstack(keys))
    low = elementwise.multiply(first, span)
    total = elementwise.add(low, _high_product(second, span))
    carry = promote.cast(logic.less(total, low), u64)
    return elementwise.add(_high_product(first, span), carry)


def _high_product(x: Array, y: Array) -> Array:
    """The high 64 bits of the product of u64 numbers, by the products of their halves."""
    (a, b), (c, d) = _halves(x), _halves(y)
    middle = elementwise.add(elementwise.multiply(a, d), logic.bitwise_right_shift(elementwise.multiply(b, d), 32))
    high, low = _halves(middle)
    cross = logic.bitwise_right_shift(elementwise.add(elementwise.multiply(b, c), low), 32)
    return elementwise.add(elementwise.add(elementwise.multiply(a, c), high), cross)


# -- distributions -----------------------------------------------------------------------------------------------------


def _wide(dtype: DType) -> DType:
    """What numbers are worked out in: f16 and bf16 have too few bits for the tails."""
    return dtype.accumulator


def normal(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Normal numbers of mean 0 and variance 1, by the inverse of their distribution function.

    In f32 they lie within ±5.42, since a uniform f32 has 23 random bits; f16 and bf16 are rounded from f32.
    """
    own = _float("normal", dtype)
    words = _WORDS[_wide(own).name][0]
    return promote.cast(core.bind1(RandomNormal(), _bits("normal", key, shape, words)), own)


def truncated_normal(
    key: ArrayLike, lower: ArrayLike, upper: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = DEFAULT_FLOAT
) -> Array:
    """Normal numbers of mean 0 and variance 1, given that they lie strictly between lower and upper.

    The bounds broadcast to the shape, which is what they broadcast to by default. They are meant to leave numbers
    within some 4 (f32) or 6 (f64) of 0: beyond, the distribution function has no resolution left in its type.
    """
    own = _float("truncated_normal", dtype)
    wide = _wide(own)
    low, high = (promote.cast(promote.array("truncated_normal", x), wide) for x in (lower, upper))
    wanted = promote.broadcast_arrays_shape("truncated_normal", [low, high])
    if shape is not None:
        wanted = promote.as_shape("truncated_normal", shape)
    low, high = (promote.spread_to("truncated_normal", x, wanted) for x in (low, high))
    start, stop = (transcendental.erf(elementwise.multiply(x, math.sqrt(0.5))) for x in (low, high))
    unit = _between("truncated_normal", key, wanted, wide, start, stop)
    found = elementwise.multiply(transcendental.erfinv(unit), math.sqrt(2))
    inside = elementwise.clip(found, elementwise.nextafter(low, math.inf), elementwise.nextafter(high, -math.inf))
    return promote.cast(inside, own)


def exponential(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Exponential numbers of mean 1, not negative."""
    own = _float("exponential", dtype)
    unit = _unit("exponential", key, shape, _wide(own))
    return promote.cast(elementwise.negative(transcendental.log1p(elementwise.negative(unit))), own)


def gumbel(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Gumbel numbers of location 0 and scale 1: -log(-log(u)) for uniform u in (0, 1)."""
    own = _float("gumbel", dtype)
    return promote.cast(_gumbel("gumbel", key, shape, _wide(own)), own)


def _gumbel(name: str, key: ArrayLike, shape: Shape, dtype: DType) -> Array:
    unit = _between(name, key, shape, dtype, finfo(dtype).smallest_normal, 1.0)
    inner = elementwise.negative(transcendental.log(unit))
    return elementwise.negative(transcendental.log(inner))


def laplace(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT) -> Array:
    """Laplace numbers of location 0 and scale 1, whose density is exp(-|x|) / 2."""
    own = _float("laplace", dtype)
    wide = _wide(own)
    unit = _between("laplace", key, shape, wide, -1.0 + finfo(wide).eps, 1.0)
    size = transcendental.log1p(elementwise.negative(elementwise.abs(unit)))
    return promote.cast(elementwise.multiply(elementwise.sign(unit), size), own)


def categorical(key: ArrayLike, logits: ArrayLike, axis: int = -1, shape: Shape | None = None) -> Array:
    """Places along an axis of logits, each with the probability that softmax gives it: i32 numbers.

    The shape of the result is that of the logits without the axis, or a longer one that ends so, for several draws.
    They are found as the greatest of the logits with Gumbel numbers added (Gumbel, 1954), so a logit of -inf is never
    chosen.

    Raises:
        ShapeError: the shape does not end in that of the logits without the axis.
    """
    given = promote.floating("categorical", logits)
    wide = promote.cast(given, core.dtype_of(given).accumulator)
    sizes = list(core.shape_of(wide))
    place = promote.as_axis("categorical", axis, len(sizes), wide) - len(sizes)
    line = manipulation.moveaxis(wide, place, -1)
    batch = core.shape_of(line)[:-1]
    wanted = batch if shape is None else promote.as_shape("categorical", shape)
    if wanted[len(wanted) - len(batch) :] != batch:
        promote.bad_shape(f"categorical: the shape {list(wanted)} does not end in {list(batch)}", given)
    noise = _gumbel("categorical", key, (*wanted, core.shape_of(line)[-1]), core.dtype_of(wide))
    return reductions.argmax(elementwise.add(noise, line), axis=-1)


__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "exponential",
    "fold_in",
    "gumbel",
    "key",
    "laplace",
    "normal",
    "randint",
    "split",
    "truncated_normal",
    "uniform",
]
