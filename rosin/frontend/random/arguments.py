"""What the functions of random numbers take: keys, shapes, element types and parameters, checked.

A parameter that is a Python number is checked when the function is called. What an array holds is not looked at: where
a number of it is outside of the domain, the draw is NaN, or -1 among integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, u32
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Shape: TypeAlias = "Dim | Sequence[Dim]"


def one_key(name: str, key: ArrayLike) -> Array:
    """The key, checked.

    Raises:
        DTypeError: it is no array of u32.
        ShapeError: it is not one key.
    """
    operand = promote.array(name, key)
    if core.dtype_of(operand) != u32:
        promote.bad_dtype(f"{name}: a key is u32[2], as rosin.random.key(seed) makes it", operand)
    if core.shape_of(operand) != (2,):
        promote.bad_shape(f"{name}: takes one key, u32[2]; rosin.vmap draws from several", operand)
    return operand


def float_type(name: str, dtype: DTypeLike, *parameters: ArrayLike) -> DType:
    """The element type asked for, a real float; without one it is that of the parameters.

    Raises:
        DTypeError: it is no float.
    """
    if dtype is None:
        if not parameters:
            return DEFAULT_FLOAT
        own = promote.common_dtype(promote.operands(name, parameters))
        return own if own.is_float else DEFAULT_FLOAT
    own = core.as_dtype(dtype)
    if not own.is_float:
        promote.bad_dtype(f"{name}: gives floats, not {own}")
    return own


def integer_type(name: str, dtype: DTypeLike) -> DType:
    """The element type asked for, of integers.

    Raises:
        DTypeError: it is no type of integers.
    """
    own = core.as_dtype(dtype)
    if not own.is_integer:
        promote.bad_dtype(f"{name}: gives integers, not {own}")
    return own


@dataclass(frozen=True)
class Domain:
    """The numbers that a parameter may be."""

    text: str
    holds: Callable[[float], bool]


REAL = Domain("a number", lambda x: True)
POSITIVE = Domain("above 0", lambda x: x > 0)
NOT_NEGATIVE = Domain("at least 0", lambda x: x >= 0)
PROBABILITY = Domain("at least 0 and at most 1", lambda x: 0 <= x <= 1)


def parameter(name: str, label: str, x: ArrayLike, dtype: DType, domain: Domain = REAL) -> Array:
    """A parameter as an array of floats.

    Raises:
        AttributeValueError: it is a Python number outside of the domain.
        DTypeError: it holds complex numbers, or nothing that is a number.
    """
    if core.is_scalar(x) and not isinstance(x, complex):
        if not domain.holds(x):
            promote.bad_value(f"{name}: {label} is {x}; it has to be {domain.text}")
        return promote.number(name, float(x), TensorType(dtype))
    operand = promote.array(name, x)
    if core.dtype_of(operand).is_complex:
        promote.bad_dtype(f"{name}: {label} is a real number, not {core.dtype_of(operand)}", operand)
    return promote.cast(operand, dtype)


def drawn_shape(name: str, shape: Shape | None, *parameters: Array) -> promote.Shape:
    """The shape of a draw: a given one, or what the parameters broadcast to.

    Raises:
        ShapeError: they do not broadcast to one another.
    """
    if shape is None:
        return promote.broadcast_arrays_shape(name, parameters)
    return promote.as_shape(name, shape)
