"""Random bits, and what is uniform: floats, integers, truth values and signs. No target rounds them otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DEFAULT_INT, DTypeLike
from rosin.frontend.numpy import complex, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random.arguments import (
    PROBABILITY,
    Shape,
    drawn_shape,
    float_type,
    integer_type,
    one_key,
    parameter,
)
from rosin.frontend.random.drawing import drawn_exactly
from rosin.frontend.random.keys import split
from rosin.ir import dtypes
from rosin.ir.dtypes import DType, u8, u16, u32, u64
from rosin.ir.ops.cast import Bitcast
from rosin.ir.ops.exactly import Rounded
from rosin.ir.ops.random import RandomBits

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- bits and floats ---------------------------------------------------------------------------------------------------


def bits(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = u32) -> Array:
    """Uniform random bits, as unsigned integers.

    Raises:
        DTypeError: the element type is no unsigned integer.
    """
    return _bits(one_key("bits", key), shape=promote.as_shape("bits", shape), dtype=core.as_dtype(dtype))


@drawn_exactly
def _bits(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return random_bits(key, shape, dtype)


def random_bits(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    """Bits in a draw."""
    return core.bind1(RandomBits(shape, dtype), key)


WORDS = {"f64": (u64, u64, 52), "f32": (u32, u32, 23), "f16": (u16, u16, 10), "bf16": (u8, u16, 7)}
"""For each float type the bits that are drawn, the bits that a float has, and how many of these are its fraction."""


def unit(key: Array, shape: promote.Shape, dtype: DType) -> Array:
    """Uniform floats in [0, 1), in a draw."""
    return unit_of(random_bits(key, shape, WORDS[dtype.name][0]), dtype)


def unit_of(random: Array, dtype: DType) -> Array:
    """Uniform floats in [0, 1) of random bits: random fractions of floats in [1, 2), less 1."""
    drawn, own, fraction = WORDS[dtype.name]
    one = int(np.ones((), dtype.numpy).view(own.numpy))
    return core.bind1(Bitcast(dtype), promote.cast(random >> drawn.bits - fraction, own) | one) - 1


def between(key: Array, shape: promote.Shape, dtype: DType, low: Array | float, high: Array | float) -> Array:
    """Uniform floats in [low, high), in a draw."""
    # Rounding may take the least numbers below the bound.
    spread = core.bind1(Rounded(), unit(key, shape, dtype) * (high - low))
    return elementwise.maximum(low, spread + low)


def uniform(
    key: ArrayLike,
    shape: Shape = (),
    dtype: DTypeLike = DEFAULT_FLOAT,
    minval: ArrayLike = 0.0,
    maxval: ArrayLike = 1.0,
) -> Array:
    """Uniform floats in [minval, maxval); the bounds are numbers, or arrays that broadcast to the shape.

    Of a complex number both parts are drawn so, each from a key of its own.

    Raises:
        DTypeError: the element type is no float.
        ShapeError: a bound does not broadcast to the shape.
    """
    own, wanted, source = core.as_dtype(dtype), promote.as_shape("uniform", shape), one_key("uniform", key)
    if own.is_complex:
        parts = [uniform(k, wanted, own.part, minval, maxval) for k in manipulation.unstack(split(source))]
        return complex.combined(*parts)
    own = float_type("uniform", own)
    if core.is_scalar(minval) and core.is_scalar(maxval) and (minval, maxval) == (0, 1):
        return _unit(source, shape=wanted, dtype=own)
    low, high = (parameter("uniform", n, x, own) for n, x in (("minval", minval), ("maxval", maxval)))
    return _uniform(source, low, high, shape=wanted, dtype=own)


@drawn_exactly
def _unit(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return unit(key, shape, dtype)


@drawn_exactly
def _uniform(key: Array, low: Array, high: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    low, high = (promote.spread_to("uniform", x, shape) for x in (low, high))
    return between(key, shape, dtype, low, high)


# -- truth values, signs and integers ----------------------------------------------------------------------------------


def bernoulli(key: ArrayLike, p: ArrayLike = 0.5, shape: Shape | None = None) -> Array:
    """Truth values that are true with probability p; p broadcasts to the shape, which is its own by default.

    Raises:
        AttributeValueError: p is a Python number outside of [0, 1].
        ShapeError: p does not broadcast to the shape.
    """
    own = float_type("bernoulli", None, p).accumulator
    chance = parameter("bernoulli", "p", p, own, PROBABILITY)
    wanted = drawn_shape("bernoulli", shape, chance)
    return _bernoulli(one_key("bernoulli", key), chance, shape=wanted, dtype=own)


@drawn_exactly
def _bernoulli(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return unit(key, shape, dtype) < promote.spread_to("bernoulli", p, shape)


def rademacher(key: ArrayLike, shape: Shape = (), dtype: DTypeLike = DEFAULT_INT) -> Array:
    """-1 or 1, each with probability 1/2, in a type of integers or floats.

    Raises:
        DTypeError: the element type has no -1.
    """
    own = core.as_dtype(dtype)
    if own.kind not in ("int", "float"):
        promote.bad_dtype(f"rademacher: gives signed numbers, not {own}")
    return _rademacher(one_key("rademacher", key), shape=promote.as_shape("rademacher", shape), dtype=own)


@drawn_exactly
def _rademacher(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return promote.cast(unit(key, shape, DEFAULT_FLOAT) < 0.5, dtype) * 2 - 1


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
    own, wanted = integer_type("randint", dtype), promote.as_shape("randint", shape)
    source = one_key("randint", key)
    if core.is_scalar(minval) and core.is_scalar(maxval):
        low, high = (promote.as_int("randint", bound, "a bound") for bound in (minval, maxval))
        if low >= high:
            promote.bad_value(f"randint: there is no integer from {low} to below {high}")
        for extreme in (low, high - 1):
            promote.check_fits("randint", extreme, own)
        if high - low == 1 << 64:
            return core.bind1(Bitcast(own), bits(source, wanted, u64))
        span = promote.number("randint", high - low, promote.TensorType(u64))
        start = promote.number("randint", low, promote.TensorType(own))
        return _randint(source, start, span, shape=wanted, dtype=own)
    first, last = (_integer_bound(x, own) for x in (minval, maxval))
    return _randint_between(source, first, last, shape=wanted, dtype=own)


@drawn_exactly
def _randint_between(key: Array, first: Array, last: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    first, last = (promote.spread_to("randint", x, shape) for x in (first, last))
    # Both are taken modulo 2**64, where their difference is right.
    span = promote.cast(last, u64) - promote.cast(first, u64)
    return _randint(key, promote.cast(first, dtype), logic.where(last > first, span, 1), shape=shape, dtype=dtype)


@drawn_exactly
def _randint(key: Array, start: Array, span: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """`start` and what is below `span`, u64, of which 0 stands for none."""
    start, span = (promote.spread_to("randint", x, shape) for x in (start, span))
    below = _below_64(key, span, shape) if dtype.bits == 64 else _below_32(random_bits(key, shape, u64), span)
    return start + promote.cast(below, dtype)


def _integer_bound(x: ArrayLike, dtype: DType) -> Array:
    wide = u64 if dtype == u64 else dtypes.i64
    operand = (
        promote.number("randint", x, promote.TensorType(wide)) if core.is_scalar(x) else promote.array("randint", x)
    )
    if not core.dtype_of(operand).is_integer:
        promote.bad_dtype("randint: the bounds are integers", operand)
    return promote.cast(operand, wide)


def _halves(x: Array) -> tuple[Array, Array]:
    return x >> 32, x & 0xFFFFFFFF


def _below_32(random: Array, span: Array) -> Array:
    """The whole part of random / 2**64 * span, for spans up to 2**32."""
    high, low = _halves(random)
    # At a span of 2**32 the sum is below 2**64 too: (2**32 - 1) * 2**32 + 2**32 - 1.
    return high * span + (low * span >> 32) >> 32


def _below_64(key: Array, span: Array, shape: promote.Shape) -> Array:
    """The whole part of random / 2**128 * span."""
    first, second = (random_bits(k, shape, u64) for k in manipulation.unstack(split(key)))
    low = first * span
    carry = promote.cast(low + _high_product(second, span) < low, u64)
    return _high_product(first, span) + carry


def _high_product(x: Array, y: Array) -> Array:
    """The high 64 bits of the product of u64 numbers, by the products of their halves."""
    (a, b), (c, d) = _halves(x), _halves(y)
    high, low = _halves(a * d + (b * d >> 32))
    cross = b * c + low >> 32
    return a * c + high + cross


__all__ = ["bernoulli", "bits", "rademacher", "randint", "uniform"]
