"""Window functions under NumPy's names. Those of `rosin.scipy.signal.windows` are made in the same way.

A window is computed in f64 and has the default float as element type, or `dtype`. All functions raise

    DTypeError: M is no integer, or the dtype no float
    AttributeValueError: M is negative
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import creation, elementwise, manipulation, promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import f64
from rosin.ir.op import Op

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser"]

Shape: TypeAlias = "Callable[[Array, Any], Array]"
"""Gives a window's elements at places 0 … M - 1, and M itself as a number."""


def windowed(name: str, M: Dim, sym: bool, dtype: DTypeLike | None, shape: Shape) -> Array:
    """The window `name` of `M` elements, whose shape is given. Without `sym` it lacks the last one of a symmetric one.

    Raises:
        DTypeError: M is no integer, or the dtype no float.
        AttributeValueError: M is negative.
    """
    found = core.DEFAULT_FLOAT if dtype is None else core.as_dtype(dtype)
    if not found.is_float:
        promote.bad_dtype(f"{name} makes floats, not {found}")
    size = promote.as_size(name, M, "the size of a window")
    if not facts.at_least(size, 0):
        promote.bad_value(f"{name}: the size of a window is not {size}")
    if size in (0, 1):
        return creation.ones(size, dtype=found)
    places = creation.iota(f64, (size,), 0)
    whole = size if sym else size + 1
    count = float(whole) if isinstance(whole, int) else core.size_array(whole, f64)
    return manipulation.astype(shape(places, count), found)


def _cosines(name: str, M: Dim, dtype: DTypeLike | None, *weights: float) -> Array:
    def shape(n: Array, M: Any) -> Array:
        angle = n * (2 * math.pi) / (M - 1)
        terms = [transcendental.cos(angle * k) * weight for k, weight in enumerate(weights)]
        return sum(terms[1:], terms[0])

    return windowed(name, M, True, dtype, shape)


def bartlett(M: Dim, *, dtype: DTypeLike | None = None) -> Array:
    """A triangle whose ends are zero."""
    return windowed("bartlett", M, True, dtype, lambda n, M: 1 - elementwise.abs(n * 2 - (M - 1)) / (M - 1))


def hanning(M: Dim, *, dtype: DTypeLike | None = None) -> Array:
    """A raised cosine whose ends are zero."""
    return _cosines("hanning", M, dtype, 0.5, -0.5)


def hamming(M: Dim, *, dtype: DTypeLike | None = None) -> Array:
    """A raised cosine that keeps the first side lobe small."""
    return _cosines("hamming", M, dtype, 0.54, -0.46)


def blackman(M: Dim, *, dtype: DTypeLike | None = None) -> Array:
    """Blackman's sum of three cosines."""
    return _cosines("blackman", M, dtype, 0.42, -0.5, 0.08)


def kaiser(M: Dim, beta: float | Array, *, dtype: DTypeLike | None = None) -> Array:
    """Kaiser's window, near to the one with the most of its power in the main lobe, which `beta` makes wider."""
    return windowed("kaiser", M, True, dtype, lambda n, M: kaiser_shape(n, M, beta))


def i0(x: ArrayLike, /) -> Array:
    """The modified Bessel function I₀(x), of which Kaiser's window is made."""
    return core.bind1(_bessel(False), promote.floating("i0", x))


def _bessel(scaled: bool) -> Op:
    # The special functions take long to load, and no other window needs them.
    from rosin.ir.ops.formulas.bessel import BesselI

    return BesselI(0, scaled)


def kaiser_shape(n: Array, M: Any, beta: float | Array) -> Array:
    """What `windowed` takes for Kaiser's window: modified Bessel functions, scaled so that they do not overflow."""
    weight = core.asarray(beta, f64)
    x = n * 2 / (M - 1) - 1
    root = elementwise.abs(weight) * transcendental.sqrt(elementwise.maximum(1 - x * x, 0.0))
    whole = elementwise.abs(weight)
    scaled = (core.bind1(_bessel(True), y) for y in (root, whole))
    return next(scaled) / next(scaled) * transcendental.exp(root - whole)
