"""Orders and choices: what is there already, shuffled or drawn from. No derivative flows through which place it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DEFAULT_INT
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random.arguments import Shape, float_type, one_key
from rosin.frontend.random.continuous import gumbels
from rosin.frontend.random.drawing import drawn, drawn_exactly
from rosin.frontend.random.uniforms import randint, random_bits, unit
from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, u64
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


PACKED = 1 << 21
"""So many 64-bit numbers that end in their places have random bits enough: no two are expected to begin alike."""


def permutation(key: ArrayLike, x: ArrayLike, axis: int = 0, independent: bool = False) -> Array:
    """The numbers below an integer `x` in random order, or the slices of an array along an axis.

    With `independent` each line along the axis gets an order of its own. Orders come from sorting random bits.

    Raises:
        AttributeValueError: `x` is a negative integer.
        DTypeError: `x` is a number, and no integer.
        ShapeError: there is no such axis.
    """
    source = one_key("permutation", key)
    if not core.is_array(x) or not core.shape_of(x):
        operand = None if isinstance(x, int) else promote.array("permutation", x)
        if operand is None or not core.shape_of(operand):
            count = promote.as_int("permutation", x, "the length")
            if count < 0:
                promote.bad_value(f"permutation: there are no {count} numbers")
            return _order(source, shape=(count,), dtype=DEFAULT_INT)
    operand = promote.array("permutation", x)
    shape = core.shape_of(operand)
    along = promote.as_axis("permutation", axis, len(shape), operand)
    if not independent:
        return rnp.take(operand, _order(source, shape=(shape[along],), dtype=DEFAULT_INT), axis=along)
    lines = rnp.moveaxis(operand, along, -1)
    order = _order(source, shape=core.shape_of(lines), dtype=DEFAULT_INT)
    return rnp.moveaxis(rnp.take_along_axis(lines, order, axis=-1), -1, along)


@drawn_exactly
def _order(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """The places along the last axis in random order."""
    random, size = random_bits(key, shape, u64), shape[-1]
    if not isinstance(size, int) or size > PACKED:
        return promote.cast(rnp.argsort(random, axis=-1), dtype)
    # Numbers that end in their places are sorted faster than places are.
    width = max(size - 1, 0).bit_length()
    places = rnp.arange(size, dtype=u64)
    ordered = rnp.sort(random >> width << width | places, axis=-1)
    return promote.cast(ordered & (1 << width) - 1, dtype)


def choice(
    key: ArrayLike,
    a: ArrayLike,
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
    operand = None if isinstance(a, int) else promote.array("choice", a)
    if operand is not None and core.shape_of(operand):
        along = promote.as_axis("choice", axis, len(core.shape_of(operand)), operand)
        size = core.shape_of(operand)[along]
        return rnp.take(operand, _places(source, size, wanted, replace, p), axis=along)
    return _places(source, promote.as_int("choice", a, "the number of choices"), wanted, replace, p)


def _places(key: Array, size: Dim, shape: promote.Shape, replace: bool, p: ArrayLike | None) -> Array:
    count = dims.product(shape)
    if isinstance(count, int) and isinstance(size, int) and (size < 1 <= count or (not replace and count > size)):
        promote.bad_value(f"choice: takes {count} of {size}" + ("" if replace else " without replacement"))
    if p is None:
        if replace:
            return randint(key, shape, 0, rnp.asarray(size, dtype=DEFAULT_INT))
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
    own = core.dtype_of(p)
    sums = rnp.cumulative_sum(rnp.where(p > 0, p, 0))
    # Above 0 and up to the sum, so that what has no chance is never chosen.
    return rnp.searchsorted(sums, sums[-1] * (1 - unit(key, shape, own)))


@drawn
def _likely_order(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """All places, each as likely as its share in what is left to be the next (Yellott, 1977)."""
    noise = gumbels(key, shape, core.dtype_of(p))
    return rnp.argsort(noise + rnp.log(rnp.where(p > 0, p, 0)), descending=True)


__all__ = ["choice", "permutation"]
