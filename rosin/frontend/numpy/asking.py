"""Questions about arrays and what may become one: shapes, kinds, equality, text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import logic, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes, facts
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def ndim(x: core.ArrayLike, /) -> int:
    """The number of axes."""
    return len(core.shape_of(core.asarray(x)))


def shape(x: core.ArrayLike, /) -> Any:
    """The size of each axis, as `x.shape` gives it."""
    return core.asarray(x).shape


def isscalar(x: Any, /) -> bool:
    """Whether it is a number: of Python's, of NumPy's, or an array without axes."""
    return core.is_scalar(x) or isinstance(x, np.generic) or (core.is_array(x) and core.shape_of(x) == ())


def iterable(x: Any, /) -> bool:
    """Whether `iter` takes it: an array has an axis then."""
    if core.is_array(x):
        return bool(core.shape_of(x))
    try:
        iter(x)
    except TypeError:
        return False
    return True


def array_equiv(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Whether two arrays broadcast to one shape and have equal elements then."""
    a, b = promote.alike("array_equiv", x1, x2)
    own, other = core.shape_of(a), core.shape_of(b)
    pairs = zip(reversed(own), reversed(other), strict=False)
    if not all(n == 1 or m == 1 or facts.same(n, m) for n, m in pairs):
        return promote.number("array_equiv", False, TensorType(dtypes.bool_))
    return reductions.all(logic.equal(a, b))


def array_str(x: ArrayLike, /) -> str:
    """The elements as text, as `str` gives them."""
    return str(promote.array("array_str", x))


def array_repr(x: ArrayLike, /) -> str:
    """The array as text, as `repr` gives it."""
    return repr(promote.array("array_repr", x))


def size(x: core.ArrayLike, /, axis: int | None = None) -> Any:
    """The number of elements, or that along an axis. (`rosin.size` makes a size of a number.)"""
    own = core.asarray(x)
    return own.size if axis is None else own.shape[promote.as_axis("size", axis, len(own.shape), own)]


__all__ = ["array_equiv", "array_repr", "array_str", "isscalar", "iterable", "ndim", "shape", "size"]
