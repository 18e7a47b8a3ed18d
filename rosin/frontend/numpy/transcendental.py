"""Exponentials, logarithms, roots, trigonometric, hyperbolic and special functions, element by element.

Integers and truth values become the default float first. Every function raises `DTypeError` for operands that are no
numbers, and those of two operands raise `ShapeError` when the shapes do not broadcast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.complex import real
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.op import Op
from rosin.ir.ops import arithmetic, exponential, logic, special, trigonometric

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _unary(name: str, op: Op, x: ArrayLike) -> Array:
    return core.bind1(op, promote.floating(name, x))


def _binary(name: str, op: Op, x1: ArrayLike, x2: ArrayLike) -> Array:
    return core.bind1(op, *promote.promoted(name, x1, x2, floating=True))


# -- exponentials, logarithms, roots -----------------------------------------------------------------------------------


def exp(x: ArrayLike, /) -> Array:
    """e to the power x."""
    return _unary("exp", exponential.Exp(), x)


def exp2(x: ArrayLike, /) -> Array:
    """2 to the power x."""
    return _unary("exp2", exponential.Exp2(), x)


def expm1(x: ArrayLike, /) -> Array:
    """exp(x) - 1, accurate near 0."""
    return _unary("expm1", exponential.Expm1(), x)


def log(x: ArrayLike, /) -> Array:
    """The natural logarithm; -inf at 0, NaN below."""
    return _unary("log", exponential.Log(), x)


def log1p(x: ArrayLike, /) -> Array:
    """log(1 + x), accurate near 0."""
    return _unary("log1p", exponential.Log1p(), x)


def log2(x: ArrayLike, /) -> Array:
    """The logarithm to base 2; -inf at 0, NaN below."""
    return _unary("log2", exponential.Log2(), x)


def log10(x: ArrayLike, /) -> Array:
    """The logarithm to base 10; -inf at 0, NaN below."""
    return _unary("log10", exponential.Log10(), x)


def sqrt(x: ArrayLike, /) -> Array:
    """The square root; NaN for negative numbers."""
    return _unary("sqrt", exponential.Sqrt(), x)


def rsqrt(x: ArrayLike, /) -> Array:
    """1 / sqrt(x)."""
    return _unary("rsqrt", exponential.Rsqrt(), x)


def cbrt(x: ArrayLike, /) -> Array:
    """The real cube root, of negative numbers too."""
    return _unary("cbrt", exponential.Cbrt(), x)


# -- trigonometric functions; angles are in radians --------------------------------------------------------------------


def sin(x: ArrayLike, /) -> Array:
    """Sine."""
    return _unary("sin", trigonometric.Sin(), x)


def cos(x: ArrayLike, /) -> Array:
    """Cosine."""
    return _unary("cos", trigonometric.Cos(), x)


def tan(x: ArrayLike, /) -> Array:
    """Tangent."""
    return _unary("tan", trigonometric.Tan(), x)


def asin(x: ArrayLike, /) -> Array:
    """Inverse sine, in [-π/2, π/2]; NaN outside [-1, 1]."""
    return _unary("asin", trigonometric.Asin(), x)


def acos(x: ArrayLike, /) -> Array:
    """Inverse cosine, in [0, π]; NaN outside [-1, 1]."""
    return _unary("acos", trigonometric.Acos(), x)


def atan(x: ArrayLike, /) -> Array:
    """Inverse tangent, in [-π/2, π/2]."""
    return _unary("atan", trigonometric.Atan(), x)


# -- hyperbolic functions ----------------------------------------------------------------------------------------------


def sinh(x: ArrayLike, /) -> Array:
    """Hyperbolic sine."""
    return _unary("sinh", trigonometric.Sinh(), x)


def cosh(x: ArrayLike, /) -> Array:
    """Hyperbolic cosine."""
    return _unary("cosh", trigonometric.Cosh(), x)


def tanh(x: ArrayLike, /) -> Array:
    """Hyperbolic tangent."""
    return _unary("tanh", trigonometric.Tanh(), x)


def asinh(x: ArrayLike, /) -> Array:
    """Inverse hyperbolic sine."""
    return _unary("asinh", trigonometric.Asinh(), x)


def acosh(x: ArrayLike, /) -> Array:
    """Inverse hyperbolic cosine, not negative; NaN below 1."""
    return _unary("acosh", trigonometric.Acosh(), x)


def atanh(x: ArrayLike, /) -> Array:
    """Inverse hyperbolic tangent; NaN outside [-1, 1]."""
    return _unary("atanh", trigonometric.Atanh(), x)


# -- special functions -------------------------------------------------------------------------------------------------


def _complex_sigmoid(x: Array) -> Array:
    # Of the two exponentials the one that does not overflow.
    left = core.bind1(logic.Less(), real(x), promote.numbers("sigmoid", 0, real(x)))
    power = exp(core.bind1(logic.Select(), left, x, core.bind1(arithmetic.Neg(), x)))
    one = promote.numbers("sigmoid", 1, x)
    top = core.bind1(logic.Select(), left, power, one)
    return core.bind1(arithmetic.Div(), top, core.bind1(arithmetic.Add(), one, power))


def sigmoid(x: ArrayLike, /) -> Array:
    """1 / (1 + exp(-x)), the logistic function."""
    operand = promote.floating("sigmoid", x)
    if core.dtype_of(operand).is_complex:
        return _complex_sigmoid(operand)
    return _unary("sigmoid", special.Sigmoid(), x)


def erf(x: ArrayLike, /) -> Array:
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt."""
    return _unary("erf", special.Erf(), x)


def erfc(x: ArrayLike, /) -> Array:
    """1 - erf(x), accurate where it is small."""
    return _unary("erfc", special.Erfc(), x)


def erfinv(x: ArrayLike, /) -> Array:
    """The inverse of erf: ±inf at ±1, NaN outside [-1, 1]."""
    return _unary("erfinv", special.Erfinv(), x)


def lgamma(x: ArrayLike, /) -> Array:
    """The logarithm of |Γ(x)|; +inf at 0 and the negative integers."""
    return _unary("lgamma", special.Lgamma(), x)


def digamma(x: ArrayLike, /) -> Array:
    """The derivative of lgamma; NaN at the negative integers."""
    return _unary("digamma", special.Digamma(), x)


# -- functions of two --------------------------------------------------------------------------------------------------


def atan2(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The angle of the point (x2, x1), in [-π, π]."""
    return _binary("atan2", trigonometric.Atan2(), x1, x2)


def hypot(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """sqrt(x1² + x2²) without overflow in between; its derivative at the origin is taken as 0."""
    return _binary("hypot", trigonometric.Hypot(), x1, x2)


def logaddexp(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """log(exp(x1) + exp(x2)) without overflow in between, right at infinities of real numbers."""
    x, y = promote.promoted("logaddexp", x1, x2, floating=True)
    # The greater operand is chosen by a selection, so that derivatives of every order are right where both are equal.
    swap = core.bind1(logic.Less(), real(x), real(y))
    high, low = core.bind1(logic.Select(), swap, y, x), core.bind1(logic.Select(), swap, x, y)
    gap = core.bind1(arithmetic.Sub(), low, high)
    # Two equal infinities have no difference; any gap that is a number leaves the infinity as it is.
    same = core.bind1(logic.And(), core.bind1(logic.Equal(), x, y), core.bind1(logic.IsNan(), gap))
    gap = core.bind1(logic.Select(), same, promote.numbers("logaddexp", 0, gap), gap)
    return core.bind1(arithmetic.Add(), high, log1p(exp(gap)))
