"""The parts of sums, products, quotients, conversions and comparisons of complex numbers."""

from __future__ import annotations

from collections.abc import Callable

from rosin.ir.op import Op
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops import complex as cx
from rosin.ir.ops import logic
from rosin.ir.ops.cast import Cast
from rosin.passes.parts.scalar import (
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
    real, imag = (first + second * ratio) / scale, (second - first * ratio) / scale
    by_zero = large.equals(0.0)
    size = magnitude(large)
    return where_pair(by_zero, (a / size, b / size), (real, where(swap, -imag, imag)))


def sign(x: Pair) -> Pair:
    """z / |z|; a direction along an axis where one part is infinite, NaN where both are."""
    a, b = x
    # Of finite numbers whose radius overflows, a quarter has the same sign.
    large = is_infinite(hypot(a, b)) & is_finite(a) & is_finite(b)
    a, b = where(large, a * 0.25, a), where(large, b * 0.25, b)
    radius = hypot(a, b)
    plain = where_pair(radius.equals(0.0), (a.like(0.0), a.like(0.0)), (a / radius, b / radius))
    along_a = with_sign(1.0, a), a.like(0.0)
    along_b = a.like(0.0), with_sign(1.0, b)
    plain = where_pair(is_infinite(a) & is_finite(b), along_a, plain)
    plain = where_pair(is_infinite(b) & is_finite(a), along_b, plain)
    nan = a.like(float("nan"))
    return where_pair(is_nan(a) | is_nan(b), (nan, nan), plain)


def _cast(op: Cast, x: Real | Pair) -> Real | Pair:
    part = op.dtype.part
    if isinstance(x, Real):
        real = x.cast(part)
        return real, real.like(0.0)
    a, b = x
    return (a.cast(part), b.cast(part)) if op.dtype.is_complex else a.differs(0.0) | b.differs(0.0)


FUNCTIONS: dict[type[Op], Rule] = {
    ar.Add: lambda x, y: (x[0] + y[0], x[1] + y[1]),
    ar.Sub: lambda x, y: (x[0] - y[0], x[1] - y[1]),
    ar.Mul: multiply,
    ar.Div: divide,
    ar.Neg: lambda x: (-x[0], -x[1]),
    ar.Abs: lambda x: hypot(*x),
    ar.Sign: sign,
    cx.Real: lambda x: x[0],
    cx.Imag: lambda x: x[1],
    cx.Conj: lambda x: (x[0], -x[1]),
    cx.Complex: lambda x, y: (x, y),
    logic.Equal: lambda x, y: x[0].equals(y[0]) & x[1].equals(y[1]),
    logic.NotEqual: lambda x, y: x[0].differs(y[0]) | x[1].differs(y[1]),
    logic.IsFinite: lambda x: is_finite(x[0]) & is_finite(x[1]),
    logic.IsNan: lambda x: is_nan(x[0]) | is_nan(x[1]),
    logic.Select: where_pair,
    Cast: _cast,
}
