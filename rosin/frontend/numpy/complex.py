"""The parts of complex numbers: real and imaginary part, conjugate, angle, and questions about them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.ops import complex as ops
from rosin.ir.ops.arithmetic import Mul
from rosin.ir.ops.logic import Equal, NotEqual
from rosin.ir.ops.trigonometric import Atan2

if TYPE_CHECKING:
    from rosin.frontend.array import Array


@core.fresh
def real(x: ArrayLike, /) -> Array:
    """The real part of numbers: real numbers themselves."""
    operand = promote.numeric("real", x)
    return core.bind1(ops.Real(), operand) if core.dtype_of(operand).is_complex else operand


def imag(x: ArrayLike, /) -> Array:
    """The imaginary part of numbers, a real number: zeros for real ones."""
    operand = promote.numeric("imag", x)
    if core.dtype_of(operand).is_complex:
        return core.bind1(ops.Imag(), operand)
    return promote.numbers("imag", 0, operand)


@core.fresh
def conj(x: ArrayLike, /) -> Array:
    """The complex conjugate: real numbers themselves."""
    operand = promote.numeric("conj", x)
    return core.bind1(ops.Conj(), operand) if core.dtype_of(operand).is_complex else operand


def combined(x: Array, y: Array) -> Array:
    """x + i y of two arrays of floats of one type. No product with i makes NaN of an infinity."""
    return core.bind1(ops.Complex(), x, y)


def angle(x: ArrayLike, /, deg: bool = False) -> Array:
    """The angle of a number in the complex plane, in (-π, π] or in degrees: 0 or π of a real number."""
    operand = promote.floating("angle", x)
    turned = core.bind1(Atan2(), imag(operand), real(operand))
    return core.bind1(Mul(), turned, promote.numbers("angle", 180 / math.pi, turned)) if deg else turned


def isreal(x: ArrayLike, /) -> Array:
    """Whether the imaginary part is zero, element by element."""
    part = _imaginary("isreal", x)
    return core.bind1(Equal(), part, promote.numbers("isreal", 0, part))


def iscomplex(x: ArrayLike, /) -> Array:
    """Whether the imaginary part is not zero, element by element."""
    part = _imaginary("iscomplex", x)
    return core.bind1(NotEqual(), part, promote.numbers("iscomplex", 0, part))


def _imaginary(name: str, x: ArrayLike) -> Array:
    """The imaginary part, of truth values too, whose numbers are 0 and 1."""
    operand = promote.array(name, x)
    return imag(promote.cast(operand, core.DEFAULT_INT) if core.dtype_of(operand).kind == "bool" else operand)


def isrealobj(x: ArrayLike, /) -> bool:
    """Whether the element type is one of real numbers or truth values."""
    return not iscomplexobj(x)


def iscomplexobj(x: ArrayLike, /) -> bool:
    """Whether the element type is one of complex numbers."""
    return promote.own_dtype(x if core.is_scalar(x) else promote.array("iscomplexobj", x)).is_complex
