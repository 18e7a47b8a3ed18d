"""Orders and choices: what is there already, shuffled or drawn from. No derivative flows through which place it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random import exactly
from rosin.frontend.random.arguments import Shape, float_type, one_key
from rosin.frontend.random.continuous import gumbels
from rosin.frontend.random.drawing import drawn, drawn_exactly
from rosin.frontend.random.uniforms import randint, random_bits, unit
from rosin.frontend.sizes import Size
from rosin.ir import dims, facts
from rosin.ir.dims import Dim, Sym
from rosin.ir.dtypes import DType, f64, u64
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def permutation(key: ArrayLike, x: ArrayLike | Size, axis: int = 0, independent: bool = False) -> Array:
    """The numbers below an integer `x` in random order, or the slices of an array along an axis.

    With `independent` each line along the axis gets an order of its own. Orders come from sorting random bits.

    Raises:
        AttributeValueError: `x` is a negative integer.
        DTypeError: `x` is a number, and no integer.
        ShapeError: there is no such axis.
    """
    source = one_key("permutation", key)
    operand = _count_or_array("permutation", x)
    if isinstance(operand, int | Sym):
        return _order(source, shape=(operand,), dtype=DEFAULT_INT)
    shape = core.shape_of(operand)
    along = promote.as_axis("permutation", axis, len(shape), operand)
    if not independent:
        return rnp.take(operand, _order(source, shape=(shape[along],), dtype=DEFAULT_INT), axis=along)
    lines = rnp.moveaxis(operand, along, -1)
    order = _order(source, shape=core.shape_of(lines), dtype=DEFAULT_INT)
    return rnp.moveaxis(rnp.take_along_axis(lines, order, axis=-1), -1, along)


@drawn_exactly
def _order(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """The places along the last axis in random order.

    Numbers are sorted that begin with random bits and end in their places, which is faster than sorting places. Of a
    million no two are expected to begin alike.
    """
    size, one = shape[-1], promote.number("permutation", 1, TensorType(u64))
    # As many bits as the places take, of which a size that is a symbol tells the number when it is known.
    powers = one << rnp.arange(32, dtype=u64)
    width = promote.cast(rnp.count_nonzero(powers < _number(size, u64)), u64)
    packed = random_bits(key, shape, u64) >> width << width | rnp.arange(size, dtype=u64)
    return promote.cast(rnp.sort(packed, axis=-1) & (one << width) - 1, dtype)


def _count_or_array(name: str, x: ArrayLike | Size) -> Dim | Array:
    """How many numbers there are below `x`, where it is a number itself, or the array with axes that it is."""
    if not isinstance(x, int | Size):
        operand = promote.array(name, x)
        if core.shape_of(operand):
            return operand
    count = promote.as_size(name, x, "how many there are")
    if isinstance(count, int) and count < 0:
        promote.bad_value(f"{name}: there are no {count} numbers")
    return count


def _number(size: Dim, dtype: DType) -> Array:
    """A size as an array."""
    return core.size_array(size, dtype) if isinstance(size, Sym) else promote.number("size", size, TensorType(dtype))


def choice(
    key: ArrayLike,
    a: ArrayLike | Size,
    shape: Shape = (),
    replace: bool = True,
    p: ArrayLike | None = None,
    axis: int = 0,
) -> Array:
    """Slices of an array along an axis, or numbers below an integer `a`, at random.

    Args:
        shape: of the choices; the axis is replaced by axes of this shape.
        replace: whether one can be chosen twice.
        p: how likely each is; the shares count, so it need not sum to 1, and what is negative or NaN counts for 0.

    Raises:
        AttributeValueError: there is nothing to choose from, or without `replace` less than is asked for.
        DTypeError: `a` is a number, and no integer.
        ShapeError: p is not one number for each slice, or there is no such axis.
    """
    source, wanted = one_key("choice", key), promote.as_shape("choice", shape)
    operand = _count_or_array("choice", a)
    if isinstance(operand, int | Sym):
        return _places(source, operand, wanted, replace, p)
    along = promote.as_axis("choice", axis, len(core.shape_of(operand)), operand)
    return rnp.take(operand, _places(source, core.shape_of(operand)[along], wanted, replace, p), axis=along)


def _places(key: Array, size: Dim, shape: promote.Shape, replace: bool, p: ArrayLike | None) -> Array:
    count = dims.product(shape)
    if isinstance(count, int) and isinstance(size, int) and (size < 1 <= count or (not replace and count > size)):
        promote.bad_value(f"choice: takes {count} of {size}" + ("" if replace else " without replacement"))
    if p is None:
        if replace:
            return randint(key, shape, np.int32(0), _number(size, DEFAULT_INT))
        return rnp.reshape(_order(key, shape=(size,), dtype=DEFAULT_INT)[:count], shape)
    own = float_type("choice", None, p).accumulator
    chances = promote.cast(promote.array("choice", p), own)
    given = core.shape_of(chances)
    if len(given) != 1 or not facts.same(given[0], size):
        promote.bad_shape(f"choice: p has the shape {shape_text(given)}, and there are {size} to choose from", chances)
    if replace:
        return _likely(key, chances, shape=shape, dtype=DEFAULT_INT)
    return rnp.reshape(_likely_order(key, chances, shape=(size,), dtype=DEFAULT_INT)[:count], shape)


@drawn
def _likely(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    likely = rnp.where(p > 0, p, 0)
    top = rnp.max(likely)
    # Beside an infinite share no other one has a chance.
    chances = rnp.where(
        (likely == top) & (top > 0), 1, exactly.quotient(likely, promote.spread_to("choice", top, core.shape_of(p)))
    )
    sums = exactly.running_shares(chances)
    # Above 0 and up to the sum, so that what has no chance is never chosen.
    shares = sums[-1] * promote.cast(1 - unit(key, shape, core.dtype_of(p)), f64)
    return rnp.searchsorted(sums, shares)


@drawn
def _likely_order(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """All places, each as likely as its share in what is left to be the next (Yellott, 1977)."""
    noise = gumbels(key, shape, core.dtype_of(p))
    return rnp.argsort(noise + exactly.log(rnp.where(p > 0, p, 0)), descending=True)


__all__ = ["choice", "permutation"]
