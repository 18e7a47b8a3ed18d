"""Discrete Fourier transforms, under the names of NumPy and of the array API's extension.

Number k of the transform of n numbers is the sum of `x[j] exp(-2 pi i j k / n)`. Any size goes, in a time of order
n log n; sizes without prime factors above 31 are the fastest. Integers and truth values become the default float first,
narrow floats become f32; results are of the precision of the operand.

What several functions have in common: `n` cuts lines, or adds zeros to their ends, until they have that size; `axis` is
the axis along which lines run; `norm` says which of the transforms is divided by n: "backward" (the default) the
inverse one, "forward" the other one, "ortho" both by the root of n. All raise

    ShapeError: there is no such axis, or lines have no elements
    DTypeError: an operand is no array or number, or is complex where real numbers are transformed
    AttributeValueError: `n` is not positive, or there is no such norm
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import complex as parts
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.ops.fourier import Dft, HalfDft, RealDft
from rosin.ir.ops.movement import Pad
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

Norm: TypeAlias = str | None
Sizes: TypeAlias = "Sequence[Dim] | None"
Axes: TypeAlias = "int | Sequence[int] | None"

FORTH = {None: "none", "backward": "none", "forward": "over", "ortho": "root"}
"""The scaling of a forward transform for each norm."""
BACK = {None: "over", "backward": "over", "forward": "none", "ortho": "root"}


# -- what the transforms are made of -----------------------------------------------------------------------------------


def numbers(name: str, x: ArrayLike) -> Array:
    """The operand as floats that there are transforms of."""
    operand = promote.floating(name, x)
    dtype = core.dtype_of(operand)
    return promote.cast(operand, dtypes.f32) if dtype.is_float and dtype.bits < 32 else operand


def _complex(name: str, x: ArrayLike) -> Array:
    operand = numbers(name, x)
    return promote.cast(operand, core.dtype_of(operand).complex)


def _real(name: str, x: ArrayLike) -> Array:
    operand = numbers(name, x)
    if core.dtype_of(operand).is_complex:
        promote.bad_dtype(f"{name} transforms real numbers, not {core.dtype_of(operand)}", operand)
    return operand


def _scaling(name: str, norm: Norm, scalings: dict[str | None, str]) -> str:
    if norm not in scalings:
        promote.bad_value(f'{name}: the norm is "backward", "forward" or "ortho", not {norm!r}')
    return scalings[norm]


def _size(name: str, n: Dim, x: Array) -> Dim:
    size = promote.as_size(name, n, "a size")
    if not facts.at_least(size, 1):
        promote.bad_value(f"{name}: a size of {size} is not positive", x)
    return size


def sized(name: str, x: Array, axis: int, size: Dim) -> Array:
    """Lines along an axis cut, or filled up with zeros, to a size."""
    own = core.shape_of(x)[axis]
    if own == size:
        return x
    if not facts.known_at_least(own, size):
        # Where it is not known which of both is greater, there are as many zeros as may be needed.
        more = size - own if facts.known_at_least(size, own) else size
        high: list[Dim] = [0] * len(core.shape_of(x))
        high[axis] = more
        none = (0,) * len(high)
        x = core.bind1(Pad(none, tuple(high), none), x, promote.number(name, 0, TensorType(core.dtype_of(x))))
    return manipulation.slice_axis(x, axis, 0, size) if core.shape_of(x)[axis] != size else x


def prepared(name: str, x: Array, n: Dim | None, axis: int) -> tuple[Array, int]:
    """An operand with lines of a size, and their axis counted from the front."""
    shape = core.shape_of(x)
    along = promote.as_axis(name, axis, len(shape), x)
    if n is not None:
        return sized(name, x, along, _size(name, n, x)), along
    if not facts.at_least(shape[along], 1):
        promote.bad_shape(f"{name}: lines along axis {along} have no elements", x)
    return x, along


def last(x: Array, axis: int, transform: Callable[[Array], Array]) -> Array:
    """A transform along the last axis, applied along another one."""
    if axis == len(core.shape_of(x)) - 1:
        return transform(x)
    return manipulation.moveaxis(transform(manipulation.moveaxis(x, axis, -1)), -1, axis)


def _dft(name: str, x: ArrayLike, n: Dim | None, axis: int, norm: Norm, inverse: bool) -> Array:
    scaling = _scaling(name, norm, BACK if inverse else FORTH)
    operand, along = prepared(name, _complex(name, x), n, axis)
    return core.bind1(Dft(scaling, along, inverse), operand)


def _half(name: str, x: ArrayLike, n: Dim | None, axis: int, scaling: str) -> Array:
    operand, along = prepared(name, _real(name, x), n, axis)
    return last(operand, along, lambda lines: core.bind1(RealDft(scaling), lines))


def _whole(name: str, x: Array, n: Dim | None, axis: int, scaling: str) -> Array:
    shape = core.shape_of(x)
    along = promote.as_axis(name, axis, len(shape), x)
    if n is None and not facts.at_least(shape[along], 2):
        promote.bad_shape(
            f"{name}: {shape[along]} numbers along axis {along} give a line without elements; n says more", x
        )
    size = (shape[along] - 1) * 2 if n is None else _size(name, n, x)
    operand = sized(name, x, along, dims.floor_divide(size, 2) + 1)
    return last(operand, along, lambda lines: core.bind1(HalfDft(scaling, size), lines))


# -- along one axis ----------------------------------------------------------------------------------------------------


def fft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """The discrete Fourier transforms of lines of numbers."""
    return _dft("fft", x, n, axis, norm, False)


def ifft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """What `fft` made `x` of."""
    return _dft("ifft", x, n, axis, norm, True)


def rfft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """Numbers 0 … n // 2 of the transforms of lines of real numbers; the others are their conjugates."""
    return _half("rfft", x, n, axis, _scaling("rfft", norm, FORTH))


def irfft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """The lines of real numbers that `rfft` made `x` of. Their size is `n`, or else the even one.

    The imaginary parts of the first number, and of the last one of lines of even size, are taken for zero.
    """
    return _whole("irfft", _complex("irfft", x), n, axis, _scaling("irfft", norm, BACK))


def hfft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """The transforms, which are real, of lines whose second half is the conjugates of the first, which is `x`."""
    return _whole("hfft", parts.conj(_complex("hfft", x)), n, axis, _scaling("hfft", norm, FORTH))


def ihfft(x: ArrayLike, /, n: Dim | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """The first halves of the lines that `hfft` made `x` of."""
    return parts.conj(_half("ihfft", x, n, axis, _scaling("ihfft", norm, BACK)))


# -- along several axes ------------------------------------------------------------------------------------------------


def _many(name: str, x: Array, s: Sizes, axes: Axes) -> list[tuple[int, Dim | None]]:
    """The axes to transform along, each with its size, None where that is its own."""
    rank = len(core.shape_of(x))
    if s is not None:
        s = list(s)
    if axes is None:
        if s is not None and len(s) > rank:
            promote.bad_shape(f"{name}: {len(s)} sizes are given for rank {rank}", x)
        chosen = range(rank) if s is None else range(rank - len(s), rank)
    else:
        given = axes if isinstance(axes, Sequence) else (axes,)
        chosen = [promote.as_axis(name, axis, rank, x) for axis in given]
    if s is None:
        return [(axis, None) for axis in chosen]
    if len(s) != len(chosen):
        promote.bad_shape(f"{name}: {len(s)} sizes are given for {len(chosen)} axes", x)
    own = core.shape_of(x)
    return [(axis, own[axis] if size == -1 else size) for axis, size in zip(chosen, s, strict=True)]


def _along_all(name: str, x: Array, axes: Sequence[tuple[int, Dim | None]], norm: Norm, inverse: bool) -> Array:
    for axis, size in reversed(axes):
        x = _dft(name, x, size, axis, norm, inverse)
    return x


@core.fresh
def fftn(x: ArrayLike, /, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """The transform along several axes, all by default, or as many of the last ones as `s` has sizes.

    A size of -1 is the own one of its axis.
    """
    operand = _complex("fftn", x)
    return _along_all("fftn", operand, _many("fftn", operand, s, axes), norm, False)


@core.fresh
def ifftn(x: ArrayLike, /, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """What `fftn` made `x` of."""
    operand = _complex("ifftn", x)
    return _along_all("ifftn", operand, _many("ifftn", operand, s, axes), norm, True)


def rfftn(x: ArrayLike, /, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """The transform of real numbers along several axes, along the last one of these as by `rfft`."""
    operand = _real("rfftn", x)
    *others, (last, size) = _at_least_one("rfftn", operand, _many("rfftn", operand, s, axes))
    return _along_all("rfftn", rfft(operand, size, last, norm), others, norm, False)


def irfftn(x: ArrayLike, /, s: Sizes = None, axes: Axes = None, norm: Norm = None) -> Array:
    """What `rfftn` made `x` of. Along the last of the axes the size is that of `s`, or else the even one."""
    operand = _complex("irfftn", x)
    *others, (last, size) = _at_least_one("irfftn", operand, _many("irfftn", operand, s, axes))
    return irfft(_along_all("irfftn", operand, others, norm, True), size, last, norm)


def _at_least_one(name: str, x: Array, axes: list[tuple[int, Dim | None]]) -> list[tuple[int, Dim | None]]:
    if not axes:
        promote.bad_shape(f"{name} transforms along at least one axis", x)
    return axes


PLANE = (-2, -1)
"""The axes of transforms of two dimensions."""


def fft2(x: ArrayLike, /, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """The transform along two axes, the last ones by default."""
    return fftn(x, s, axes, norm)


def ifft2(x: ArrayLike, /, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """What `fft2` made `x` of."""
    return ifftn(x, s, axes, norm)


def rfft2(x: ArrayLike, /, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """The transform of real numbers along two axes, along the last one of these as by `rfft`."""
    return rfftn(x, s, axes, norm)


def irfft2(x: ArrayLike, /, s: Sizes = None, axes: Axes = PLANE, norm: Norm = None) -> Array:
    """What `rfft2` made `x` of."""
    return irfftn(x, s, axes, norm)


# -- frequencies -------------------------------------------------------------------------------------------------------


def _spacing(places: Array, n: Dim, d: float | Array, dtype: DType) -> Array:
    """Places over the length of a line of n numbers that are `d` apart."""
    size = n if isinstance(n, int) else core.size_array(n, dtype)
    step = 1 / (size * d)
    return promote.cast(elementwise.multiply(promote.cast(places, dtype), step), dtype)


def _float_dtype(name: str, dtype: DTypeLike | None) -> DType:
    found = core.DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype)
    if not found.is_float:
        promote.bad_dtype(f"{name} makes floats, not {found}")
    return found


def fftfreq(n: Dim, /, d: float | Array = 1.0, *, dtype: DTypeLike | None = None, device: str | None = None) -> Array:
    """The frequencies, in cycles for each unit of `d`, of the numbers that `fft` gives for n samples `d` apart.

    Raises:
        AttributeValueError: n is not positive.
        DTypeError: n is no integer, or the dtype no float.
    """
    promote.check_device("fftfreq", device)
    count, found = _count("fftfreq", n), _float_dtype("fftfreq", dtype)
    places = creation.iota(dtypes.i64, (count,), 0)
    length = count if isinstance(count, int) else core.size_array(count, dtypes.i64)
    ahead = logic.less(elementwise.multiply(places, 2), length)
    places = logic.where(ahead, places, elementwise.subtract(places, length))
    return _spacing(places, count, d, found)


def rfftfreq(n: Dim, /, d: float | Array = 1.0, *, dtype: DTypeLike | None = None, device: str | None = None) -> Array:
    """The frequencies of the numbers that `rfft` gives for n samples `d` apart. Raises what `fftfreq` does."""
    promote.check_device("rfftfreq", device)
    count, found = _count("rfftfreq", n), _float_dtype("rfftfreq", dtype)
    places = creation.iota(dtypes.i64, (dims.floor_divide(count, 2) + 1,), 0)
    return _spacing(places, count, d, found)


def _count(name: str, n: Dim) -> Dim:
    count = promote.as_size(name, n, "a number of samples")
    if not facts.at_least(count, 1):
        promote.bad_value(f"{name}: {count} samples are not a positive number of them")
    return count


def _rolled(name: str, x: ArrayLike, axes: Axes, back: bool) -> Array:
    operand = promote.array(name, x)
    for axis in promote.as_axes(name, axes, operand):
        size = core.shape_of(operand)[axis]
        half = dims.floor_divide(size, 2)
        cut = half if back else size - half
        ends = (manipulation.slice_axis(operand, axis, cut, size), manipulation.slice_axis(operand, axis, 0, cut))
        operand = manipulation.concat(ends, axis=axis)
    return operand


@core.fresh
def fftshift(x: ArrayLike, /, axes: Axes = None) -> Array:
    """The numbers with that of frequency 0 in the middle of each of the axes, all by default.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
    """
    return _rolled("fftshift", x, axes, False)


@core.fresh
def ifftshift(x: ArrayLike, /, axes: Axes = None) -> Array:
    """What `fftshift` made `x` of. Raises what it does."""
    return _rolled("ifftshift", x, axes, True)
