"""Signals as a whole: trends taken out, analytic signals, and other sampling rates, along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.numpy import fft, promote
from rosin.frontend.numpy.complex import combined
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dims import Dim

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = ["detrend", "hilbert", "resample"]


def detrend(data: ArrayLike, axis: int = -1, type: str | bool = "linear", bp: int | Sequence[int] = 0) -> Array:
    """The signal without its mean ("constant"), or without the straight line that fits it best ("linear").

    At the break points `bp` another line begins.

    Raises:
        ShapeError: there is no such axis, or a break point is not in the signal.
        AttributeValueError: there is no such type.
    """
    x = fft.numbers("detrend", data)
    along = promote.as_axis("detrend", axis, len(x.shape), x)
    if type in ("constant", "c"):
        return x - rnp.mean(x, axis=along, keepdims=True)
    if type not in ("linear", "l"):
        promote.bad_value(f'detrend: the type is "constant" or "linear", not {type!r}', x)
    x = rnp.moveaxis(x, along, -1)
    points = {promote.as_int("detrend", p, "a break point") for p in (bp if isinstance(bp, Sequence) else (bp,))}
    if points - {0} and not all(0 <= p and facts.at_least(core.shape_of(x)[-1], p) for p in points):
        promote.bad_shape(
            f"detrend: break points {sorted(points)} are not all in a signal of {x.shape[-1]} elements", x
        )
    cuts = [*sorted(points | {0}), x.shape[-1]]
    parts = [_without_line(x[..., cuts[i] : cuts[i + 1]]) for i in range(len(cuts) - 1)]
    return rnp.moveaxis(parts[0] if len(parts) == 1 else rnp.concat(parts, axis=-1), -1, along)


def _without_line(x: Array) -> Array:
    """The residuals of the line that fits best along the last axis."""
    dtype = core.dtype_of(x).part
    # Places from the middle on are orthogonal to a constant.
    places = rnp.arange(x.shape[-1], dtype=dtype)
    places = places - rnp.mean(places)
    centered = x - rnp.mean(x, axis=-1, keepdims=True)
    square = rnp.sum(places**2)
    slope = rnp.sum(centered * places, axis=-1, keepdims=True) / rnp.where(square == 0, 1, square)
    return centered - slope * places


def hilbert(x: ArrayLike, N: Dim | None = None, axis: int = -1) -> Array:
    """The analytic signal: its real part is `x`, and the imaginary one the Hilbert transform. `N` is as `n` of `fft`.

    Raises:
        ShapeError: there is no such axis, or lines have no elements.
        DTypeError: the signal is complex.
    """
    operand = fft.numbers("hilbert", x)
    if core.dtype_of(operand).is_complex:
        promote.bad_dtype(f"hilbert takes real signals, not {core.dtype_of(operand)}", operand)
    operand, along = fft.prepared("hilbert", operand, N, axis)
    size = operand.shape[along]
    half = rnp.moveaxis(fft.rfft(operand, axis=along), along, -1)
    places = rnp.arange(half.shape[-1])
    # Frequency 0, and the highest one of an even size, have no negative ones that they could take the place of.
    alone = (places == 0) | (places * 2 == size)
    return rnp.moveaxis(fft.ifft(rnp.where(alone, half, 2 * half), size), -1, along)


def resample(x: ArrayLike, num: int, axis: int = 0) -> Array:
    """The signal at `num` places in place of those that it has, as if it went on periodically: higher frequencies are
    cut off, or are zero.

    Raises:
        ShapeError: there is no such axis, or signals have no elements.
        AttributeValueError: `num` is not positive.
    """
    operand, along = fft.prepared("resample", fft.numbers("resample", x), None, axis)
    count = promote.as_int("resample", num, "a number of samples")
    if count < 1:
        promote.bad_value(f"resample: {count} samples are not a positive number of them", operand)
    if core.dtype_of(operand).is_complex:
        return combined(*(resample(part, count, along) for part in (rnp.real(operand), rnp.imag(operand))))
    size: Any = operand.shape[along]
    spectrum = rnp.moveaxis(fft.rfft(operand, axis=along), along, -1)
    fewer = min(size, count)
    if fewer % 2 == 0 and size != count:
        # The number at the end stands for one frequency on one side, and for two on the other.
        end = rnp.arange(spectrum.shape[-1]) == fewer // 2
        spectrum = rnp.where(end, spectrum * (2.0 if count < size else 0.5), spectrum)
    made = fft.irfft(spectrum, count) * (count / size)
    return rnp.moveaxis(made, -1, along)
