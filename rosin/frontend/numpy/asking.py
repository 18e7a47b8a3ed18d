"""Questions about arrays and what may become one: shapes, equality, text, and kinds of element types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import logic, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes, facts
from rosin.ir.dtypes import DType
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


# -- kinds of element types --------------------------------------------------------------------------------------------

generic = np.generic
number = np.number
integer = np.integer
signedinteger = np.signedinteger
unsignedinteger = np.unsignedinteger
inexact = np.inexact
floating = np.floating
complexfloating = np.complexfloating

_KINDS: dict[Any, tuple[str, ...]] = {
    generic: ("bool", "int", "uint", "float", "complex"),
    number: ("int", "uint", "float", "complex"),
    integer: ("int", "uint"),
    signedinteger: ("int",),
    unsignedinteger: ("uint",),
    inexact: ("float", "complex"),
    floating: ("float",),
    complexfloating: ("complex",),
}


def issubdtype(arg1: DTypeLike, arg2: Any, /) -> bool:
    """Whether an element type is of a kind (`floating`, `integer`, …), or is another element type."""
    own = core.as_dtype(arg1)
    return own.kind in _KINDS[arg2] if arg2 in _KINDS else own == core.as_dtype(arg2)


def promote_types(type1: DTypeLike, type2: DTypeLike, /) -> DType:
    """The element type of a combination of arrays of two."""
    return promote.promote_types(core.as_dtype(type1), core.as_dtype(type2))


__all__ = [
    "array_equiv",
    "array_repr",
    "array_str",
    "complexfloating",
    "floating",
    "generic",
    "inexact",
    "integer",
    "isscalar",
    "issubdtype",
    "iterable",
    "ndim",
    "number",
    "promote_types",
    "shape",
    "signedinteger",
    "size",
    "unsignedinteger",
]
