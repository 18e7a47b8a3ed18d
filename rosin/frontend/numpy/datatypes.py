"""Questions about element types: what they combine to, what kind they are, what numbers they hold."""

from __future__ import annotations

from typing import Any, cast

import ml_dtypes
import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType

_KINDS: dict[str, frozenset[DType]] = {
    "bool": frozenset({dtypes.bool_}),
    "signed integer": frozenset(d for d in dtypes.ALL if d.kind == "int"),
    "unsigned integer": frozenset(d for d in dtypes.ALL if d.kind == "uint"),
    "integral": dtypes.INTEGERS,
    "real floating": dtypes.FLOATS,
    "complex floating": dtypes.COMPLEX,
    "numeric": dtypes.NUMBERS,
}


def result_type(*arrays_and_dtypes: ArrayLike | DTypeLike) -> DType:
    """The element type that these arrays, element types and Python numbers combine to (see `promote.py`).

    Raises:
        AttributeValueError: there is nothing to combine.
    """
    if not arrays_and_dtypes:
        promote.bad_value("result_type: needs at least one array, number or element type")
    firm: DType | None = None
    weak: list[DType] = []
    for x in arrays_and_dtypes:
        if core.is_weak(x) and (core.is_scalar(x) or promote.is_array(x)):
            weak.append(promote.own_dtype(x))
        else:
            own = _own(x)
            firm = own if firm is None else promote.promote_types(firm, own)
    result = firm
    for own in weak:
        asked = promote.promote_weak(firm, own)
        result = asked if result is None else promote.promote_types(result, asked)
    assert result is not None
    return result


def _own(x: ArrayLike | DTypeLike) -> DType:
    if promote.is_array(x):
        return core.dtype_of(x)
    return dtypes.from_numpy(x.dtype) if isinstance(x, np.ndarray | np.generic) else core.as_dtype(x)  # pyright: ignore[reportUnknownMemberType]  # of any dtype


def can_cast(from_: ArrayLike | DTypeLike, to: DTypeLike, /) -> bool:
    """Whether combining the first type, or that of an array, with the second gives the second."""
    target = core.as_dtype(to)
    return result_type(from_, target) == target


def isdtype(dtype: DTypeLike, kind: DTypeLike | tuple[DTypeLike, ...]) -> bool:
    """Whether an element type is of a kind, or of one of several.

    A kind is an element type or "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating" or "numeric".
    """
    own = core.as_dtype(dtype)
    kinds: tuple[Any, ...] = kind if isinstance(kind, tuple) else (kind,)  # pyright: ignore[reportUnknownVariableType]  # of Any
    return any(own in _KINDS[k] if isinstance(k, str) and k in _KINDS else own == core.as_dtype(k) for k in kinds)


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a float type, as Python floats."""

    bits: int
    eps: float
    """The distance from 1 to the next greater number."""
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer type."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: ArrayLike | DTypeLike, /) -> FloatInfo:
    """The limits of a float type, or of that of an array; of a complex type those of its parts.

    Raises:
        DTypeError: it is no float type.
    """
    dtype = _own(type).part
    if not dtype.is_float:
        promote.bad_dtype(f"finfo tells of floats, not {dtype}; iinfo tells of integers")
    info = cast(Any, ml_dtypes.finfo(dtype.numpy))
    return FloatInfo(dtype.bits, float(info.eps), float(info.max), float(info.min), float(info.smallest_normal), dtype)


def iinfo(type: ArrayLike | DTypeLike, /) -> IntegerInfo:
    """The limits of an integer type, or of that of an array.

    Raises:
        DTypeError: it is no integer type.
    """
    dtype = _own(type)
    if not dtype.is_integer:
        promote.bad_dtype(f"iinfo tells of integers, not {dtype}; finfo tells of floats")
    return IntegerInfo(dtype.bits, int(dtype.highest), int(dtype.lowest), dtype)
