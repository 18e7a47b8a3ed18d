"""Convolution and correlation of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import manipulation, promote
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.ops.contract import Convolution

if TYPE_CHECKING:
    from rosin.frontend.array import Array

MODES = ("full", "same", "valid")


def _vectors(name: str, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    a, b = promote.alike(name, x, y)
    for operand in (a, b):
        shape = core.shape_of(operand)
        if len(shape) != 1:
            promote.bad_shape(f"{name}: takes vectors, not an array of rank {len(shape)}", a, b)
        if shape[0] == 0:
            promote.bad_shape(f"{name}: a vector has no elements", a, b)
    return a, b


def _slid(name: str, x: Array, kernel: Array, mode: str) -> Array:
    """The products of x with a kernel that slides along it and is not longer, summed at each place."""
    if mode not in MODES:
        promote.bad_value(f'{name}: the mode is "full", "same" or "valid", not {mode!r}', x, kernel)
    length = core.shape_of(kernel)[0]
    low: Dim = 0
    high: Dim = 0
    if mode == "full":
        low = high = length - 1
    elif mode == "same":
        low = length // 2
        high = length - 1 - low
    op = Convolution((1,), (low,), (high,), (1,), (1,), 1, 1, core.dtype_of(x))
    lines = (manipulation.reshape(line, (1, 1, core.shape_of(line)[0])) for line in (x, kernel))
    return manipulation.reshape(core.bind1(op, *lines), (-1,))


def _truth(x: Array) -> Array:
    """Sums of truth values are counted in the narrowest integers that NumPy's truth values stand for."""
    return promote.cast(x, dtypes.i32) if core.dtype_of(x).kind == "bool" else x


def _is_longer(x: Array, y: Array) -> bool:
    sizes = core.shape_of(x)[0], core.shape_of(y)[0]
    return isinstance(sizes[0], int) and isinstance(sizes[1], int) and sizes[0] > sizes[1]


def convolve(a: ArrayLike, v: ArrayLike, mode: str = "full") -> Array:
    """The discrete convolution of vectors: element k is the sum of a[i] v[k - i].

    mode: "full", wherever they overlap (n + m - 1 places); "same", as many places as the longer vector has, in the
        middle of those; "valid", where the shorter lies within the longer (max(n, m) - min(n, m) + 1).

    Raises:
        ShapeError: an operand is no vector, or has no elements.
        AttributeValueError: there is no such mode.
    """
    x, kernel = _vectors("convolve", a, v)
    if _is_longer(kernel, x):
        x, kernel = kernel, x
    return _slid("convolve", _truth(x), manipulation.flip(_truth(kernel)), mode)


def correlate(a: ArrayLike, v: ArrayLike, mode: str = "valid") -> Array:
    """The correlation of vectors: element k is the sum of a[i + k] conj(v[i]), for the places that `convolve` names.

    Raises:
        ShapeError: an operand is no vector, or has no elements.
        AttributeValueError: there is no such mode.
    """
    x, kernel = _vectors("correlate", a, v)
    if _is_longer(kernel, x):
        # The other way round it is the same numbers from the end, conjugated.
        return conj(manipulation.flip(correlate(kernel, x, mode)))
    return _slid("correlate", _truth(x), conj(_truth(kernel)), mode)


__all__ = ["convolve", "correlate"]
