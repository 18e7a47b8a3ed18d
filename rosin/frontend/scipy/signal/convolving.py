"""Convolution and correlation of signals of any rank.

The mode says which places a result has: "full" all where the operands overlap, n + m - 1 along an axis; "same" as many
as the first operand has, from the middle of those; "valid" those where one operand lies within the other, |n - m| + 1.
All functions raise

    ShapeError: the ranks differ, or in mode "valid" neither operand is the larger one along every axis
    AttributeValueError: there is no such mode, method or boundary
    DTypeError: an operand is no array or number
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.numpy import fft, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.fft import next_fast_len
from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.op import NumpyArray
from rosin.ir.ops.contract import Convolution

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve"]

MODES = ("full", "same", "valid")
METHODS = ("auto", "direct", "fft")
DIRECT = 8
"""Products for each result, and for each halving of the larger operand, that take about as long as transforms."""


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Array:
    """The convolution of two arrays of the same rank: at k the sum of `in1[i] in2[k - i]`.

    The method is "direct", by the sums; "fft", by Fourier transforms, which rounds by the largest numbers there are; or
    "auto", for floats whichever takes less time, and for integers the direct one, which is exact.
    """
    return _convolved("convolve", *_operands("convolve", in1, in2), mode, method)


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Array:
    """The correlation of two arrays of the same rank: the convolution with the conjugate of `in2` from its other
    end."""
    x, y = _operands("correlate", in1, in2)
    return _convolved("correlate", x, rnp.conj(rnp.flip(y)), mode, method)


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """The convolution along some axes, all by default, by Fourier transforms. Other axes broadcast."""
    x, y = (fft.numbers("fftconvolve", operand) for operand in _operands("fftconvolve", in1, in2))
    along = promote.as_axes("fftconvolve", axes, x)
    others = [axis for axis in range(len(x.shape)) if axis not in along]
    shapes = [tuple(core.shape_of(z)[axis] for axis in others) for z in (x, y)]
    promote.broadcast_batch("fftconvolve", *zip((x, y), shapes, strict=True))
    return _by_transforms("fftconvolve", x, y, mode, along)


def convolve2d(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: ArrayLike = 0
) -> Array:
    """The convolution of two matrices.

    The boundary says what is outside of the first one: "fill" `fillvalue`, "wrap" the matrix again, "symm" its image in
    a mirror.
    """
    x, y = _operands("convolve2d", in1, in2)
    return _two_dimensional("convolve2d", x, y, mode, boundary, fillvalue, 0)


def correlate2d(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: ArrayLike = 0
) -> Array:
    """The correlation of two matrices, with boundaries as those of `convolve2d`.

    The middle of a matrix of even size is the other one of the two in the middle than it is for a convolution.
    """
    x, y = _operands("correlate2d", in1, in2)
    return _two_dimensional("correlate2d", x, rnp.conj(rnp.flip(y)), mode, boundary, fillvalue, 1)


# -- what they are made of ---------------------------------------------------------------------------------------------


def _operands(name: str, in1: ArrayLike, in2: ArrayLike) -> tuple[Array, Array]:
    x, y = promote.alike(name, in1, in2)
    if core.dtype_of(x).kind == "bool":
        x, y = promote.cast(x, dtypes.i32), promote.cast(y, dtypes.i32)
    if len(x.shape) != len(y.shape):
        promote.bad_shape(f"{name}: operands have ranks {len(x.shape)} and {len(y.shape)}", x, y)
    return x, y


def _check_mode(name: str, mode: str) -> None:
    if mode not in MODES:
        promote.bad_value(f'{name}: the mode is "full", "same" or "valid", not {mode!r}')


def _ordered(name: str, x: Array, y: Array, axes: Sequence[int]) -> tuple[Array, Array]:
    """The operands of a convolution in mode "valid", the larger one first."""
    pairs = [(core.shape_of(x)[axis], core.shape_of(y)[axis]) for axis in axes]
    if all(facts.at_least(n, m) for n, m in pairs):
        return x, y
    if not all(facts.at_least(m, n) for n, m in pairs):
        promote.bad_shape(
            f'{name}: in mode "valid" one operand is at least as large as the other along every axis', x, y
        )
    return y, x


def _convolved(name: str, x: Array, y: Array, mode: str, method: str) -> Array:
    _check_mode(name, mode)
    if method not in METHODS:
        promote.bad_value(f'{name}: the method is "auto", "direct" or "fft", not {method!r}')
    axes = range(len(x.shape))
    if mode == "valid":
        x, y = _ordered(name, x, y, axes)
    if not axes or 0 in (*core.shape_of(x), *core.shape_of(y)):
        return x * y if not axes else rnp.zeros((0,) * len(axes), dtype=core.dtype_of(x))
    dtype = core.dtype_of(x)
    if method == "auto":
        method = "fft" if dtype.differentiable and _pays(x, y) else "direct"
    if method == "direct":
        return _direct(x, y, mode)
    if dtype.differentiable:
        return _by_transforms(name, x, y, mode, axes)
    floats = _by_transforms(name, rnp.astype(x, rnp.float64), rnp.astype(y, rnp.float64), mode, axes)
    return rnp.astype(rnp.round(floats), dtype)


def _pays(x: Array, y: Array) -> bool:
    """Whether transforms take less time than sums of products."""
    sizes = [facts.estimate(dims.product(core.shape_of(z))) for z in (x, y)]
    return min(sizes) > DIRECT * max(sizes).bit_length()


def _direct(x: Array, y: Array, mode: str) -> Array:
    sizes = core.shape_of(y)
    before: tuple[Dim, ...] = (0,) * len(sizes)
    after = before
    if mode == "full":
        before = after = tuple(size - 1 for size in sizes)
    elif mode == "same":
        after = tuple(dims.floor_divide(size - 1, 2) for size in sizes)
        before = tuple(size - 1 - half for size, half in zip(sizes, after, strict=True))
    ones = (1,) * len(sizes)
    op = Convolution(ones, before, after, ones, ones, 1, 1, core.dtype_of(x))
    result = core.bind1(op, x[None, None], rnp.flip(y)[None, None])
    return result[0, 0]


def _by_transforms(name: str, x: Array, y: Array, mode: str, axes: Sequence[int]) -> Array:
    _check_mode(name, mode)
    if mode == "valid":
        x, y = _ordered(name, x, y, axes)
    if not axes:
        return x * y
    first, second = core.shape_of(x), core.shape_of(y)
    real = not core.dtype_of(x).is_complex
    full = [first[axis] + second[axis] - 1 for axis in axes]
    # Any size goes; of symbolic ones the next fast one is not known.
    sizes = [next_fast_len(size, real) if isinstance(size, int) else size for size in full]
    forth, back = (fft.rfftn, fft.irfftn) if real else (fft.fftn, fft.ifftn)
    result = back(forth(x, sizes, axes) * forth(y, sizes, axes), sizes, axes)
    for axis, size in zip(axes, full, strict=True):
        count, start = size, 0
        if mode != "full":
            count = first[axis] if mode == "same" else first[axis] - second[axis] + 1
            start = dims.floor_divide(size - count, 2)
        result = rnp.moveaxis(rnp.moveaxis(result, axis, 0)[start : start + count], 0, axis)
    return result


def _two_dimensional(
    name: str, x: Array, y: Array, mode: str, boundary: str, fillvalue: ArrayLike, above: int
) -> Array:
    """A convolution. Of two places in the middle mode "same" counts from the lower one, or from the one `above`."""
    _check_mode(name, mode)
    if len(x.shape) != 2:
        promote.bad_shape(f"{name}: takes matrices, not arrays of rank {len(x.shape)}", x, y)
    if boundary not in ("fill", "wrap", "symm"):
        promote.bad_value(f'{name}: the boundary is "fill", "wrap" or "symm", not {boundary!r}')
    if mode == "valid":
        return _direct(*_ordered(name, x, y, (0, 1)), "valid")
    around = [promote.static_size(name, y, axis) - 1 for axis in (0, 1)]
    if boundary == "fill":
        x = rnp.pad(x, [(width, width) for width in around], constant_values=fillvalue)
    else:
        for axis, width in enumerate(around):
            places: NumpyArray = np.arange(promote.static_size(name, x, axis))
            places = np.pad(places, width, mode="wrap" if boundary == "wrap" else "symmetric")
            x = rnp.take(x, core.asarray(places), axis=axis)
    result = _direct(x, y, "valid")
    if mode == "full":
        return result
    starts = [(width + above) // 2 for width in around]
    ends = [start + size - width for start, size, width in zip(starts, result.shape, around, strict=True)]
    return result[starts[0] : ends[0], starts[1] : ends[1]]
