"""Scalars of the loop IR as Python numbers are written: `a * b + c` for expressions of more than a few ops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import BY_NAME, DType
from rosin.ir.loops import Apply, Const, Expr, Local, walk
from rosin.ir.op import Elementwise, NumpyArray, apply
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import exponential as ex
from rosin.ir.ops import logic
from rosin.ir.ops import trigonometric as tr
from rosin.ir.ops.cast import Bitcast, convert


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A real number, an integer or a truth value that an expression computes."""

    expr: Expr

    @property
    def dtype(self) -> DType:
        return self.expr.dtype

    def like(self, value: Real | float) -> Real:
        """A number of the type of this one."""
        return value if isinstance(value, Real) else Real(Const(value, self.dtype))

    def _with(self, op: Elementwise, other: Real | float) -> Real:
        return Real(apply(op, self.expr, self.like(other).expr))

    def __add__(self, other: Real | float) -> Real:
        return self._with(ar.Add(), other)

    def __sub__(self, other: Real | float) -> Real:
        return self._with(ar.Sub(), other)

    def __mul__(self, other: Real | float) -> Real:
        return self._with(ar.Mul(), other)

    def __truediv__(self, other: Real | float) -> Real:
        return self._with(ar.Div(), other)

    def __radd__(self, other: float) -> Real:
        return self.like(other) + self

    def __rsub__(self, other: float) -> Real:
        return self.like(other) - self

    def __rmul__(self, other: float) -> Real:
        return self.like(other) * self

    def __rtruediv__(self, other: float) -> Real:
        return self.like(other) / self

    def __neg__(self) -> Real:
        inner = self.expr
        if isinstance(inner, Apply) and isinstance(inner.op, ar.Neg):
            return Real(inner.args[0])
        return Real(apply(ar.Neg(), inner))

    def __lt__(self, other: Real | float) -> Real:
        return self._with(logic.Less(), other)

    def __le__(self, other: Real | float) -> Real:
        return self._with(logic.LessEqual(), other)

    def __gt__(self, other: Real | float) -> Real:
        return self._with(logic.Greater(), other)

    def __ge__(self, other: Real | float) -> Real:
        return self._with(logic.GreaterEqual(), other)

    def equals(self, other: Real | float) -> Real:
        return self._with(logic.Equal(), other)

    def differs(self, other: Real | float) -> Real:
        return self._with(logic.NotEqual(), other)

    def __and__(self, other: Real | int) -> Real:
        return self._with(logic.And(), other)

    def __or__(self, other: Real | int) -> Real:
        return self._with(logic.Or(), other)

    def __xor__(self, other: Real | int) -> Real:
        return self._with(logic.Xor(), other)

    def __lshift__(self, other: Real | int) -> Real:
        return self._with(logic.ShiftLeft(), other)

    def __rshift__(self, other: Real | int) -> Real:
        return self._with(logic.ShiftRight(), other)

    def __invert__(self) -> Real:
        return Real(apply(logic.Not(), self.expr))

    def cast(self, dtype: DType) -> Real:
        return Real(convert(self.expr, dtype))

    def bits(self, dtype: DType) -> Real:
        """The number of another type that has the same bits."""
        return call(Bitcast(dtype), self)


Pair: TypeAlias = tuple[Real, Real]
"""The real and the imaginary part of a complex number."""


def call(op: Elementwise, *args: Real) -> Real:
    """A function of real numbers."""
    return Real(apply(op, *(x.expr for x in args)))


def evaluate(expr: Expr, values: Mapping[Local, NumpyArray]) -> NumpyArray:
    """What an expression of constants and elementwise ops comes to, for arrays of one shape in place of locals."""
    known: dict[int, NumpyArray] = {}
    for part in walk(expr):
        if isinstance(part, Local):
            known[id(part)] = values[part]
        elif isinstance(part, Const):
            known[id(part)] = np.asarray(part.value, part.dtype.numpy)
        else:
            assert isinstance(part, Apply), f"{part} is no elementwise op"
            known[id(part)] = part.op.apply(*[known[id(arg)] for arg in part.args])
    return known[id(expr)]


def where(condition: Real, x: Real | float, y: Real | float) -> Real:
    """x where the condition holds, else y; one of them is an expression."""
    if not isinstance(x, Real):
        assert isinstance(y, Real)
        x = y.like(x)
    chosen = x.like(y)
    return Real(Apply(logic.Select(), (condition.expr, x.expr, chosen.expr), x.dtype))


def where_pair(condition: Real, x: Pair, y: Pair) -> Pair:
    return where(condition, x[0], y[0]), where(condition, x[1], y[1])


def magnitude(x: Real) -> Real:
    return call(ar.Abs(), x)


def is_finite(x: Real) -> Real:
    return call(logic.IsFinite(), x)


def is_nan(x: Real) -> Real:
    return call(logic.IsNan(), x)


def is_infinite(x: Real) -> Real:
    return magnitude(x).equals(float("inf"))


def has_sign(x: Real) -> Real:
    """Whether the sign bit is set, of -0.0 too."""
    bits = BY_NAME[f"i{x.dtype.bits}"]
    return Real(apply(Bitcast(bits), x.expr)) < 0


def with_sign(x: Real | float, sign: Real) -> Real:
    """The magnitude of x with the sign of another number."""
    size = magnitude(sign.like(x))
    return where(has_sign(sign), -size, size)


def greater(x: Real, y: Real) -> Real:
    """The greater of two numbers, one of them when the other is NaN."""
    return where(x > y, x, y)


def hypot(x: Real, y: Real) -> Real:
    return call(tr.Hypot(), x, y)


def sqrt(x: Real) -> Real:
    return call(ex.Sqrt(), x)


def exp(x: Real) -> Real:
    return call(ex.Exp(), x)


def log(x: Real) -> Real:
    return call(ex.Log(), x)


def log1p(x: Real) -> Real:
    return call(ex.Log1p(), x)


def sin(x: Real) -> Real:
    return call(tr.Sin(), x)


def cos(x: Real) -> Real:
    return call(tr.Cos(), x)


def sinh(x: Real) -> Real:
    return call(tr.Sinh(), x)


def cosh(x: Real) -> Real:
    return call(tr.Cosh(), x)


def atan2(y: Real, x: Real) -> Real:
    return call(tr.Atan2(), y, x)


def exact_square(x: Real) -> Pair:
    """x * x as a sum of two floats without error, for |x| neither huge nor tiny.

    T. J. Dekker, "A floating-point technique for extending the available precision" (1971).
    """
    splitter = 4097.0 if x.dtype.bits == 32 else 134217729.0
    scaled = x * splitter
    high = scaled - (scaled - x)
    low = x - high
    product = x * x
    return product, low * low - ((product - high * high) - high * low * 2.0)


def exact_sum(x: Real, y: Real) -> Pair:
    """x + y as a sum of two floats without error.

    D. E. Knuth, "The Art of Computer Programming", volume 2, section 4.2.2.
    """
    total = x + y
    shadow = total - x
    return total, (x - (total - shadow)) + (y - shadow)
