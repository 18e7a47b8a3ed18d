"""Fourier, cosine and sine transforms under SciPy's names.

The Fourier transforms are those of `rosin.numpy.fft`. Cosine and sine transforms are of lines along `axis`, cut or
filled with zeros to a size `n`; of complex numbers they transform both parts. Each is made of one Fourier transform, of
real numbers and of the same size but for types 1 and, where the size is odd, 4. Type and norm are SciPy's: with
"backward" the inverse is divided by twice the size (of type 1 by twice the intervals), with "forward" the other one;
"ortho" divides both by the root and makes the matrix orthogonal, unless `orthogonalize` is False. All raise

    ShapeError: there is no such axis, or lines have too few elements
    DTypeError: an operand is no array or number
    AttributeValueError: the type is not 1, 2, 3 or 4, `n` is not positive, or there is no such norm
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.numpy import fft as transforms
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.complex import combined, conj
from rosin.frontend.numpy.fft import (
    PLANE,
    Axes,
    Norm,
    Sizes,
    fft,
    fft2,
    fftfreq,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftfreq,
    rfftn,
)
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.sizes import Size, as_dim
from rosin.ir import facts
from rosin.ir.dataclass import dataclass

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = [
    "dct",
    "dst",
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "idct",
    "idst",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "next_fast_len",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]


def next_fast_len(target: int, real: bool = False) -> int:
    """The least size from `target` on of which transforms are fast: without prime factors above 11, or 5 for real ones.

    Raises:
        DTypeError: the target is no integer.
        AttributeValueError: it is negative.
    """
    size = promote.as_int("next_fast_len", target, "a size")
    if size < 0:
        promote.bad_value(f"next_fast_len: a size of {size} is negative")
    return _next_fast(size, (2, 3, 5) if real else (2, 3, 5, 7, 11))


@functools.cache
def _next_fast(target: int, primes: tuple[int, ...]) -> int:
    found = 1 << max(target - 1, 0).bit_length()
    products = [1]
    for prime in primes[1:]:
        powers = [prime**k for k in range(found.bit_length())]
        products = [product * power for product in products for power in powers if product * power < found]
    for product in products:
        # The least power of two that lifts the product to the target.
        found = min(found, product << max(-(-target // product) - 1, 0).bit_length())
    return found if target else 0


# -- of numbers whose other half is conjugates -------------------------------------------------------------------------


OTHER: dict[Norm, Norm] = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
"""The norm by which the inverse is scaled as a transform is by another."""


def _other(name: str, norm: Norm) -> Norm:
    if norm not in OTHER:
        promote.bad_value(f"{name}: norm is {norm!r}; it is 'backward', 'ortho' or 'forward'")
    return OTHER[norm]


def hfftn(x: ArrayLike, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """The real transform along several axes of numbers whose second half, along the last of these, is conjugates."""
    operand = promote.array("hfftn", x)
    operand = conj(operand) if core.dtype_of(operand).is_complex else operand
    return irfftn(operand, s, axes, _other("hfftn", norm))


def ihfftn(x: ArrayLike, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """What `hfftn` made real numbers of."""
    return conj(rfftn(x, s, axes, _other("ihfftn", norm)))


def hfft2(x: ArrayLike, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """`hfftn` along two axes, the last ones by default."""
    return hfftn(x, s, axes, norm)


def ihfft2(x: ArrayLike, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """`ihfftn` along two axes, the last ones by default."""
    return ihfftn(x, s, axes, norm)


# -- cosine and sine transforms ----------------------------------------------------------------------------------------

INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type of the inverse of each type."""


def dct(
    x: ArrayLike,
    /,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: Norm = None,
    *,
    orthogonalize: bool | None = None,
) -> Array:
    """Discrete cosine transforms of one of four types."""
    return _transform("dct", _COSINES, x, type, n, axis, norm, orthogonalize, inverse=False)


def idct(
    x: ArrayLike,
    /,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: Norm = None,
    *,
    orthogonalize: bool | None = None,
) -> Array:
    """What `dct` of this type made `x` of."""
    return _transform("idct", _COSINES, x, type, n, axis, norm, orthogonalize, inverse=True)


def dst(
    x: ArrayLike,
    /,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: Norm = None,
    *,
    orthogonalize: bool | None = None,
) -> Array:
    """Discrete sine transforms of one of four types."""
    return _transform("dst", _SINES, x, type, n, axis, norm, orthogonalize, inverse=False)


def idst(
    x: ArrayLike,
    /,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: Norm = None,
    *,
    orthogonalize: bool | None = None,
) -> Array:
    """What `dst` of this type made `x` of."""
    return _transform("idst", _SINES, x, type, n, axis, norm, orthogonalize, inverse=True)


def _transform(
    name: str,
    family: _Family,
    x: ArrayLike,
    type: int,
    n: int | None,
    axis: int,
    norm: Norm,
    orthogonalize: bool | None,
    inverse: bool,
) -> Array:
    if type not in INVERSE:
        promote.bad_value(f"{name}: the type is 1, 2, 3 or 4, not {type!r}")
    if norm not in transforms.FORTH:
        promote.bad_value(f'{name}: the norm is "backward", "forward" or "ortho", not {norm!r}')
    kind = INVERSE[type] if inverse else type
    operand, along = transforms.prepared(name, transforms.numbers(name, x), n, axis)
    size = operand.shape[along]
    if kind == 1 and not facts.at_least(as_dim(size), family.least):
        promote.bad_shape(f"{name}: lines of type 1 have at least {family.least} elements, not {size}", operand)
    # So many numbers have the lines with their mirrored images.
    period = 2 * (size + family.more if kind == 1 else size)
    scaled = norm == "ortho" or (norm == "forward") != inverse
    orthogonal = norm == "ortho" if orthogonalize is None else orthogonalize

    def lines(x: Array) -> Array:
        x = _weighted(x, family, kind, math.sqrt(2), (1, 3)) if orthogonal else x
        y = family.kinds[kind - 1](x)
        y = _weighted(y, family, kind, math.sqrt(0.5), (1, 2)) if orthogonal else y
        return y if not scaled else y / rnp.sqrt(_like(period, y)) if norm == "ortho" else y / _like(period, y)

    def both_parts(x: Array) -> Array:
        return combined(lines(rnp.real(x)), lines(rnp.imag(x))) if rnp.iscomplexobj(x) else lines(x)

    return transforms.last(operand, along, both_parts)


def _like(size: int | Size, x: Array) -> Array:
    """A size as a number of the element type of an array."""
    dtype = core.dtype_of(x)
    return core.asarray(size, dtype) if isinstance(size, int) else core.size_array(as_dim(size), dtype)


def _weighted(x: Array, family: _Family, kind: int, weight: float, kinds: tuple[int, ...]) -> Array:
    """Numbers at the ends multiplied by a weight, for the types where that is part of making the matrix orthogonal."""
    if kind not in kinds or (kind == 1 and family is _SINES):
        return x
    size = x.shape[-1]
    places = rnp.arange(size)
    ends = (0, size - 1) if kind == 1 else (0,) if family is _COSINES else (size - 1,)
    chosen = functools.reduce(rnp.logical_or, [places == end for end in ends])
    return rnp.where(chosen, x * weight, x)


def _turns(x: Array, count: int | Size, first: float, step: float, period: int | Size) -> Array:
    """Numbers turned by first, first + step … of so many parts of a circle, with the precision of `x`."""
    dtype = core.dtype_of(x)
    if isinstance(count, int) and isinstance(period, int):
        return core.asarray(np.exp(2j * np.pi / period * (first + step * np.arange(count))), dtype.complex)
    places = rnp.arange(as_dim(count), dtype=rnp.float64)
    angle = (first + step * places) * (2 * math.pi) / _like(period, places)
    return combined(rnp.astype(rnp.cos(angle), dtype), rnp.astype(rnp.sin(angle), dtype))


def _flipped(x: Array) -> Array:
    return rnp.flip(x, axis=-1)


def _alternating(x: Array) -> Array:
    """x with the sign of every other element changed."""
    return rnp.where(rnp.arange(x.shape[-1]) % 2 == 1, -x, x)


def _interleaved(even: Array, odd: Array) -> Array:
    """The lines whose elements at even and at odd places are given; there may be one more even one."""
    count = odd.shape[-1]
    pairs = rnp.stack([even[..., :count], odd], axis=-1)
    pairs = rnp.reshape(pairs, (*odd.shape[:-1], 2 * count))
    return rnp.concat([pairs, even[..., count:]], axis=-1)


def _cosine1(x: Array) -> Array:
    return rnp.real(rfft(rnp.concat([x, _flipped(x[..., 1:-1])], axis=-1)))


def _cosine2(x: Array) -> Array:
    """By the transform of the elements at even places and then those at odd ones, from the last to the first (Makhoul,
    A fast cosine transform in one and two dimensions, 1980)."""
    size = x.shape[-1]
    ordered = rnp.concat([x[..., ::2], _flipped(x[..., 1::2])], axis=-1)
    turned = rfft(ordered) * _turns(x, size // 2 + 1, 0, -0.25, size)
    behind = _flipped(rnp.imag(turned[..., 1 : (size + 1) // 2]))
    return 2 * rnp.concat([rnp.real(turned), -behind], axis=-1)


def _cosine3(x: Array) -> Array:
    """The same backwards."""
    size = x.shape[-1]
    half, even = size // 2 + 1, (size + 1) // 2
    behind = rnp.concat([rnp.zeros_like(x[..., :1]), _flipped(x)[..., : half - 1]], axis=-1)
    turned = combined(x[..., :half], -behind) * _turns(x, half, 0, 0.25, size)
    ordered = irfft(turned, size, norm="forward")
    return _interleaved(ordered[..., :even], _flipped(ordered[..., even:]))


def _cosine4(x: Array) -> Array:
    """Of an even size by half as many complex numbers, of an odd one by twice as many."""
    size = x.shape[-1]
    if size % 2:
        turned = fft(x * _turns(x, size, 0, -0.25, size), 2 * size)[..., :size]
        return 2 * rnp.real(turned * _turns(x, size, -0.125, -0.25, size))
    turns = _turns(x, size // 2, -0.0625, -0.5, size)
    turned = fft(combined(x[..., ::2], _flipped(x)[..., ::2]) * turns) * turns
    return 2 * _interleaved(rnp.real(turned), _flipped(-rnp.imag(turned)))


def _sine1(x: Array) -> Array:
    none = rnp.zeros_like(x[..., :1])
    mirrored = rnp.concat([none, x, none, _flipped(-x)], axis=-1)
    return -rnp.imag(rfft(mirrored))[..., 1:-1]


def _sine2(x: Array) -> Array:
    return _flipped(_cosine2(_alternating(x)))


def _sine3(x: Array) -> Array:
    return _alternating(_cosine3(_flipped(x)))


def _sine4(x: Array) -> Array:
    return _alternating(_cosine4(_flipped(x)))


@dataclass(frozen=True, slots=True)
class _Family:
    """The four types of transforms of a family, without weights; how many elements lines of type 1 have at least, and
    by
    how many more of them the mirrored ones join on each side."""

    kinds: tuple[Callable[[Array], Array], ...]
    least: int
    more: int


_COSINES = _Family((_cosine1, _cosine2, _cosine3, _cosine4), 2, -1)
_SINES = _Family((_sine1, _sine2, _sine3, _sine4), 1, 1)
