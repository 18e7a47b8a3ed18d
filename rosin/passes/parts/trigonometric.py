"""The parts of circular and hyperbolic functions of complex numbers and their inverses: C99's Annex G.

A circular function is the hyperbolic one turned by a right angle: sin(z) = -i sinh(i z).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rosin.ir.op import Op
from rosin.ir.ops import trigonometric as tr
from rosin.ir.scalar import (
    Pair,
    Real,
    atan2,
    call,
    cos,
    cosh,
    exp,
    has_sign,
    hypot,
    is_finite,
    is_infinite,
    is_nan,
    log,
    log1p,
    magnitude,
    sin,
    sinh,
    sqrt,
    where,
    where_pair,
    with_sign,
)
from rosin.passes.parts.exponential import INFINITY, log_radius, nearly_overflows, scaled_exponential, square_root


def _turned(z: Pair) -> Pair:
    """i z"""
    return -z[1], z[0]


def _turned_back(z: Pair) -> Pair:
    """-i z"""
    return z[1], -z[0]


def _products(x: Real, first: Real, second: Real) -> Pair:
    """sinh(x) times a factor and cosh(x) times another, each at most 1, also where sinh(x) overflows."""
    size = magnitude(x)
    reduced, factor = scaled_exponential(size)
    half = reduced * 0.5
    odd, even = half * first * factor, half * second * factor
    beyond = where(has_sign(x), -odd, odd), even
    return where_pair(nearly_overflows(size), beyond, (sinh(x) * first, cosh(x) * second))


def hyperbolic_sine(z: Pair) -> Pair:
    x, y = z
    real, imag = _products(x, cos(y), sin(y))
    wild = ~is_finite(y)
    real = where(wild & (is_infinite(x) | x.equals(0.0)), x, real)
    return where_pair(y.equals(0.0), (sinh(x), y), (real, imag))


def hyperbolic_cosine(z: Pair) -> Pair:
    x, y = z
    imag, real = _products(x, sin(y), cos(y))
    wild = ~is_finite(y)
    real = where(wild & is_infinite(x), INFINITY, real)
    imag = where(wild & x.equals(0.0), where(has_sign(y), -x, x), imag)
    return where_pair(y.equals(0.0), (cosh(x), where(has_sign(x), -y, y)), (real, imag))


def hyperbolic_tangent(z: Pair) -> Pair:
    """W. Kahan, "Branch cuts for complex elementary functions" (1987)."""
    x, y = z
    size = magnitude(x)
    far = size > (11.0 if x.dtype.bits == 32 else 22.0)
    t, s = call(tr.Tan(), y), sinh(where(far, 0.0, x))
    square = 1.0 + t * t
    denominator = 1.0 + square * s * s
    real, imag = square * sqrt(1.0 + s * s) * s / denominator, t / denominator
    beyond = where(is_infinite(x), with_sign(0.0, y), sin(y) * cos(y) * exp(size * -2.0) * 4.0)
    known = far & (is_finite(y) | is_infinite(x))
    real, imag = where(known, with_sign(1.0, x), real), where(far, beyond, imag)
    real = where(x.equals(0.0), x, real)
    return where_pair(y.equals(0.0), (call(tr.Tanh(), x), y), (real, imag))


def _is_far(z: Pair) -> Real:
    """Whether a part is so large that 1 is nothing beside its square."""
    limit = 2.0**14 if z[0].dtype.bits == 32 else 2.0**28
    return (magnitude(z[0]) > limit) | (magnitude(z[1]) > limit)


def _log_of_double(z: Pair) -> Real:
    return log_radius(*z) + math.log(2.0)


def _roots(z: Pair) -> tuple[Pair, Pair]:
    """The roots of 1 - z and 1 + z, whose imaginary parts have opposite signs, so that nothing below cancels."""
    x, y = z
    return square_root((1.0 - x, -y)), square_root((1.0 + x, y))


def inverse_sine(z: Pair) -> Pair:
    """W. Kahan, "Branch cuts for complex elementary functions" (1987)."""
    x, y = z
    (a, b), (c, d) = _roots(z)
    real, imag = atan2(x, a * c - b * d), call(tr.Asinh(), a * d - b * c)
    far = _is_far(z)
    real = where(far, atan2(x, magnitude(y)), real)
    imag = where(far, with_sign(_log_of_double(z), y), imag)
    return where(x.equals(0.0), x, real), with_sign(imag, y)


def inverse_cosine(z: Pair) -> Pair:
    """W. Kahan, "Branch cuts for complex elementary functions" (1987)."""
    x, y = z
    (a, b), (c, d) = _roots(z)
    real, imag = atan2(a, c) * 2.0, call(tr.Asinh(), c * b - d * a)
    far = _is_far(z)
    real = where(far, atan2(magnitude(y), x), real)
    imag = where(far, _log_of_double(z), imag)
    return where(x.equals(0.0), math.pi / 2, real), with_sign(imag, -y)


def inverse_hyperbolic_cosine(z: Pair) -> Pair:
    real, imag = inverse_cosine(z)
    return magnitude(imag), with_sign(real, z[1])


def inverse_hyperbolic_tangent(z: Pair) -> Pair:
    x, y = z
    epsilon = x.dtype.epsilon
    a, b = magnitude(x), magnitude(y)
    gap = (1.0 - a) * (1.0 - a) + b * b
    size = log1p(a * 4.0 / gap) * 0.25
    # So near to 1 that the square of the distance is nothing.
    size = where(a.equals(1.0) & (b < epsilon), (math.log(2.0) - log(b)) * 0.5, size)
    angle = atan2(y * 2.0, (1.0 - a) * (1.0 + a) - b * b) * 0.5
    radius = hypot(a, b)
    far, endless = _is_far(z), is_infinite(x) | is_infinite(y)
    size = where(far, where(endless, 0.0, a / radius / radius), size)
    unknown = is_nan(y) | (is_nan(x) & ~is_infinite(y))
    # A right angle less that of z, which is small but not nothing.
    right = where(endless, math.pi / 2, math.pi / 2 - b / radius / radius)
    angle = where(far, where(unknown, float("nan"), with_sign(right, y)), angle)
    on_axis = x.equals(0.0)
    return where(on_axis, x, with_sign(size, x)), where(on_axis, call(tr.Atan(), y), angle)


def cosine(z: Pair) -> Pair:
    return hyperbolic_cosine(_turned(z))


def _circular(function: Callable[[Pair], Pair]) -> Callable[[Pair], Pair]:
    """The function turned by a right angle: -i f(i z)."""
    return lambda z: _turned_back(function(_turned(z)))


def _inverse_hyperbolic_sine(z: Pair) -> Pair:
    """i asin(-i z)"""
    return _turned(inverse_sine(_turned_back(z)))


FUNCTIONS: dict[type[Op], Callable[..., Pair]] = {
    tr.Sinh: hyperbolic_sine,
    tr.Cosh: hyperbolic_cosine,
    tr.Tanh: hyperbolic_tangent,
    tr.Sin: _circular(hyperbolic_sine),
    tr.Cos: cosine,
    tr.Tan: _circular(hyperbolic_tangent),
    tr.Asin: inverse_sine,
    tr.Acos: inverse_cosine,
    tr.Atan: _circular(inverse_hyperbolic_tangent),
    tr.Asinh: _inverse_hyperbolic_sine,
    tr.Acosh: inverse_hyperbolic_cosine,
    tr.Atanh: inverse_hyperbolic_tangent,
}
