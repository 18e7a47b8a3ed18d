"""Bits of integers: counted, and packed eight to a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, logic, manipulation, padding, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes

if TYPE_CHECKING:
    from rosin.frontend.array import Array

_BYTE = 8


def bitwise_count(x: ArrayLike, /) -> Array:
    """How many bits of |x| are set, as uint8.

    Raises:
        DTypeError: x is not of integers or truth values.
    """
    operand = promote.array("bitwise_count", x)
    dtype = core.dtype_of(operand)
    if dtype.kind == "bool":
        return promote.cast(operand, dtypes.u8)
    if not dtype.is_integer:
        promote.bad_dtype(f"bitwise_count: takes integers, not {dtype}", operand)
    bits = promote.cast(elementwise.abs(operand), dtypes.BY_NAME[f"u{dtype.bits}"])
    # Sums of neighbouring bits, of pairs, of fours, and so on, each in its own part of the number.
    width = 1
    while width < dtype.bits:
        mask = sum(((1 << width) - 1) << place for place in range(0, dtype.bits, 2 * width))
        shifted = logic.bitwise_right_shift(bits, width)
        bits = elementwise.add(logic.bitwise_and(bits, mask), logic.bitwise_and(shifted, mask))
        width *= 2
    return promote.cast(bits, dtypes.u8)


def _is_big(name: str, bitorder: str) -> bool:
    if bitorder not in ("big", "little"):
        promote.bad_value(f'{name}: the bitorder is "big" or "little", not {bitorder!r}')
    return bitorder == "big"


def _weights(big: bool) -> Array:
    places = [_BYTE - 1 - i if big else i for i in range(_BYTE)]
    return core.asarray(places, dtypes.u8)


def packbits(x: ArrayLike, /, axis: int | None = None, bitorder: str = "big") -> Array:
    """Truth values, or whether integers are not zero, as bits: eight of them along an axis are one uint8.

    Without an axis they are taken in row-major order. Bits that are missing in the last byte are 0. The first of eight
    is the highest bit, or the lowest one where `bitorder` is "little".

    Raises:
        DTypeError: x is not of integers or truth values.
    """
    operand = promote.array("packbits", x)
    if core.dtype_of(operand).differentiable:
        promote.bad_dtype(f"packbits: takes integers and truth values, not {core.dtype_of(operand)}", operand)
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    along = promote.as_axis("packbits", axis, len(core.shape_of(operand)), operand)
    lines = promote.cast(logic.truth("packbits", manipulation.moveaxis(operand, along, -1)), dtypes.u8)
    size = promote.static_size("packbits", lines, len(core.shape_of(lines)) - 1)
    none = [(0, 0)] * (len(core.shape_of(lines)) - 1)
    padded = padding.pad(lines, [*none, (0, -size % _BYTE)])
    bits = manipulation.reshape(padded, (*core.shape_of(lines)[:-1], -(-size // _BYTE), _BYTE))
    bits = logic.bitwise_left_shift(bits, _weights(_is_big("packbits", bitorder)))
    return manipulation.moveaxis(reductions.sum(bits, axis=-1, dtype=dtypes.u8), -1, along)


def unpackbits(x: ArrayLike, /, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of bytes (uint8) along an axis, as numbers 0 and 1 of type uint8: what `packbits` packs.

    count: how many of them there are to be: zeros are added, or bits left out; a negative one leaves out so many.

    Raises:
        DTypeError: x is not of type uint8.
    """
    operand = promote.array("unpackbits", x)
    if core.dtype_of(operand) != dtypes.u8:
        promote.bad_dtype(f"unpackbits: takes u8, not {core.dtype_of(operand)}", operand)
    if axis is None:
        operand, axis = manipulation.ravel(operand), 0
    along = promote.as_axis("unpackbits", axis, len(core.shape_of(operand)), operand)
    lines = manipulation.expand_dims(manipulation.moveaxis(operand, along, -1), -1)
    bits = logic.bitwise_right_shift(lines, _weights(_is_big("unpackbits", bitorder)))
    bits = logic.bitwise_and(bits, 1)
    shape = core.shape_of(lines)
    total = promote.static_size("unpackbits", lines, len(shape) - 2) * _BYTE
    bits = manipulation.reshape(bits, (*shape[:-2], total))
    if count is not None:
        wanted = promote.as_int("unpackbits", count, "count")
        wanted = wanted if wanted >= 0 else max(total + wanted, 0)
        bits = bits[..., : min(wanted, total)]
        if wanted > total:
            bits = padding.pad(bits, [*[(0, 0)] * (len(shape) - 2), (0, wanted - total)])
    return manipulation.moveaxis(bits, -1, along)


__all__ = ["bitwise_count", "packbits", "unpackbits"]
