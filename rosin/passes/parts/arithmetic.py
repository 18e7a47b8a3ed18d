"""The parts of sums, products, quotients, conversions and comparisons of complex numbers."""

from __future__ import annotations

from collections.abc import Callable

from rosin.ir.op import Op
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import complex as cx
from rosin.ir.ops import logic
from rosin.ir.ops.cast import Cast
from rosin.ir.scalar import (
    Pair,
    Real,
    hypot,
    is_finite,
    is_infinite,
    is_nan,
    magnitude,
    where,
    where_pair,
    with_sign,
)

Rule = Callable[..., "Real | Pair"]


def real(x: Pair) -> Real:
    return x[0]


def imag(x: Pair) -> Real:
    return x[1]


def combine(x: Real, y: Real) -> Pair:
    return x, y


def conjugate(x: Pair) -> Pair:
    return x[0], -x[1]


def negate(x: Pair) -> Pair:
    return -x[0], -x[1]


def radius(x: Pair) -> Real:
    return hypot(x[0], x[1])


def add(x: Pair, y: Pair) -> Pair:
    return x[0] + y[0], x[1] + y[1]


def subtract(x: Pair, y: Pair) -> Pair:
    return x[0] - y[0], x[1] - y[1]


def multiply(x: Pair, y: Pair) -> Pair:
    (a, b), (c, d) = x, y
    return a * c - b * d, a * d + b * c


def divide(x: Pair, y: Pair) -> Pair:
    """R. L. Smith, "Algorithm 116: Complex division" (1962): no square of a part, which might overflow, is made."""
    (a, b), (c, d) = x, y
    swap = magnitude(c) < magnitude(d)
    large, small = where(swap, d, c), where(swap, c, d)
    first, second = where(swap, b, a), where(swap, a, b)
    ratio = small / large
    scale = large + small * ratio
    quotient, rest = (first + second * ratio) / scale, (second - first * ratio) / scale
    by_zero = large.equals(0.0)
    size = magnitude(large)
    return where_pair(by_zero, (a / size, b / size), (quotient, where(swap, -rest, rest)))


def sign(x: Pair) -> Pair:
    """z / |z|; a direction along an axis where one part is infinite, NaN where both are."""
    a, b = x
    # Of finite numbers whose radius overflows, a quarter has the same sign.
    large = is_infinite(hypot(a, b)) & is_finite(a) & is_finite(b)
    a, b = where(large, a * 0.25, a), where(large, b * 0.25, b)
    size = hypot(a, b)
    plain = where_pair(size.equals(0.0), (a.like(0.0), a.like(0.0)), (a / size, b / size))
    along_a = with_sign(1.0, a), a.like(0.0)
    along_b = a.like(0.0), with_sign(1.0, b)
    plain = where_pair(is_infinite(a) & is_finite(b), along_a, plain)
    plain = where_pair(is_infinite(b) & is_finite(a), along_b, plain)
    nan = a.like(float("nan"))
    return where_pair(is_nan(a) | is_nan(b), (nan, nan), plain)


def _cast(op: Cast, x: Real | Pair) -> Real | Pair:
    part = op.dtype.part
    if isinstance(x, Real):
        value = x.cast(part)
        return value, value.like(0.0)
    a, b = x
    return (a.cast(part), b.cast(part)) if op.dtype.is_complex else a.differs(0.0) | b.differs(0.0)


def equal(x: Pair, y: Pair) -> Real:
    return x[0].equals(y[0]) & x[1].equals(y[1])


def not_equal(x: Pair, y: Pair) -> Real:
    return x[0].differs(y[0]) | x[1].differs(y[1])


def both_finite(x: Pair) -> Real:
    return is_finite(x[0]) & is_finite(x[1])


def either_nan(x: Pair) -> Real:
    return is_nan(x[0]) | is_nan(x[1])


FUNCTIONS: dict[type[Op], Rule] = {
    ar.Add: add,
    ar.Sub: subtract,
    ar.Mul: multiply,
    ar.Div: divide,
    ar.Neg: negate,
    ar.Abs: radius,
    ar.Sign: sign,
    cx.Real: real,
    cx.Imag: imag,
    cx.Conj: conjugate,
    cx.Complex: combine,
    logic.Equal: equal,
    logic.NotEqual: not_equal,
    logic.IsFinite: both_finite,
    logic.IsNan: either_nan,
    logic.Select: where_pair,
    Cast: _cast,
}
