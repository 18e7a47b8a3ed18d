"""The parts of exponentials, logarithms, roots and powers of complex numbers; C99, Annex G, has the special cases."""

from __future__ import annotations

import math
from collections.abc import Callable

from rosin.ir import dtypes
from rosin.ir.op import Op
from rosin.ir.ops import exponential as ex
from rosin.ir.scalar import (
    Pair,
    Real,
    atan2,
    call,
    cos,
    exact_square,
    exact_sum,
    exp,
    greater,
    hypot,
    is_finite,
    is_infinite,
    is_nan,
    log,
    log1p,
    magnitude,
    sin,
    sqrt,
    where,
    where_pair,
    with_sign,
)
from rosin.passes.parts.arithmetic import divide

INFINITY = float("inf")


_FAR = {32: 80.0, 64: 700.0}
"""Exponentials beyond are near the greatest number of a type of so many bits."""


def nearly_overflows(x: Real) -> Real:
    """Whether exp(x) is so great that it may have to be kept in two factors."""
    return x > _FAR[x.dtype.bits]


def scaled_exponential(x: Real) -> tuple[Real, Real]:
    """exp(x) as a product of two numbers, so that the first may be made smaller where exp(x) overflows."""
    far = _FAR[x.dtype.bits]
    # The difference is exact, since an exponential beyond twice as far is infinite anyway.
    size = exp(where(nearly_overflows(x), x - far, x))
    return size, where(nearly_overflows(x), x.like(math.exp(far)), 1.0)


def extremes(size: Real) -> tuple[Real, Real]:
    """Whether a magnitude is so great that sums with it overflow, and whether it is so small that it has few digits."""
    if size.dtype.bits == 32:
        return size > 2.0**126, size < 2.0**-100
    return size > 2.0**1022, size < 2.0**-960


def exponential(z: Pair) -> Pair:
    x, y = z
    size, factor = scaled_exponential(x)
    real, imag = size * cos(y) * factor, size * sin(y) * factor
    whole = size * factor
    wild = ~is_finite(y)
    real = where(wild & is_infinite(x), where(x > 0.0, x, 0.0), real)
    imag = where(wild & x.equals(-INFINITY), with_sign(0.0, y), imag)
    return where_pair(y.equals(0.0), (whole, y), (real, imag))


def exponential_minus_one(z: Pair) -> Pair:
    """exp(x) cos(y) - 1 = (exp(x) - 1) cos(y) - 2 sin(y / 2)²"""
    x, y = z
    half = sin(y * 0.5)
    near = call(ex.Expm1(), x) * cos(y) - half * half * 2.0
    real, imag = exponential(z)
    real = where(x > 40.0, real, where(is_finite(x) & is_finite(y), near, real - 1.0))
    # The array API standard wants +0 of -0 here, which the sum gives.
    return where(y.equals(0.0), call(ex.Expm1(), x) + 0.0, real), imag


def log_radius(x: Real, y: Real) -> Real:
    """log |x + i y|, accurate where it is near 0 too, and for numbers whose radius overflows or is denormal."""
    a, b = magnitude(x), magnitude(y)
    large, small = where(a < b, b, a), where(a < b, a, b)
    huge, tiny = extremes(large)
    shift = 60 if x.dtype.bits == 32 else 120
    factor = where(huge, large.like(0.25), where(tiny, large.like(2.0**shift), 1.0))
    offset = where(huge, large.like(math.log(4.0)), where(tiny, large.like(-shift * math.log(2.0)), 0.0))
    far = log(hypot(large * factor, small * factor)) + offset
    near = _squares_minus_one(large, small)
    # Beyond a part of 1.5 or below one of 0.5 the radius is not near 1.
    return where((large > 0.5) & (large < 1.5) & (magnitude(near) < 0.5), log1p(near) * 0.5, far)


def _squares_minus_one(large: Real, small: Real) -> Real:
    """large² + small² - 1 with a small relative error, near 0 too."""
    first, first_rest = exact_square(large)
    second, second_rest = exact_square(small)
    total, rest = exact_sum(first - 1.0, second)
    return total + (rest + first_rest + second_rest)


def logarithm(z: Pair) -> Pair:
    x, y = z
    return log_radius(x, y), atan2(y, x)


def logarithm_of_one_plus(z: Pair) -> Pair:
    """log1p(x (2 + x) + y²) / 2 where that is no difference of numbers that are nearly equal."""
    x, y = z
    first, first_rest = exact_square(x)
    second, second_rest = exact_square(y)
    part, part_rest = exact_sum(x * 2.0, first)
    total, rest = exact_sum(part, second)
    total = total + (rest + part_rest + first_rest + second_rest)
    near = greater(magnitude(x), magnitude(y)) < 1024.0
    real = where(near & (total > -0.5), log1p(total) * 0.5, log_radius(x + 1.0, y))
    return real, atan2(y, x + 1.0)


def square_root(z: Pair) -> Pair:
    """W. Kahan, "Branch cuts for complex elementary functions" (1987): of the part of z with the sign that adds up."""
    x, y = z
    a, b = magnitude(x), magnitude(y)
    huge, tiny = extremes(greater(a, b))
    up = 24 if x.dtype.bits == 32 else 54
    factor = where(huge, x.like(0.0625), where(tiny, x.like(2.0**up), 1.0))
    back = where(huge, x.like(4.0), where(tiny, x.like(2.0 ** (-up // 2)), 1.0))
    scaled_a, scaled_b = a * factor, b * factor
    root = sqrt((scaled_a + hypot(scaled_a, scaled_b)) * 0.5)
    other = scaled_b / (root * 2.0) * back
    root = root * back
    left = x < 0.0
    real, imag = where(left, other, root), with_sign(where(left, root, other), y)
    zero = x.equals(0.0) & y.equals(0.0)
    real, imag = where(zero, 0.0, real), where(zero, y, imag)
    # At the infinities: of x alone the root lies along an axis.
    right_end, left_end = x.equals(INFINITY), x.equals(-INFINITY)
    known = ~is_nan(y)
    real = where(right_end, x, where(left_end & known, 0.0, real))
    imag = where(right_end & known, with_sign(0.0, y), where(left_end, with_sign(INFINITY, y), imag))
    return where(is_infinite(y), INFINITY, real), where(is_infinite(y), y, imag)


def reciprocal_root(z: Pair) -> Pair:
    one = z[0].like(1.0), z[0].like(0.0)
    return divide(one, square_root(z))


def power(z: Pair, w: Pair) -> Pair:
    """exp(w log(z)); narrow numbers are computed in f64, since an error of the exponent is one of so many digits."""
    dtype = z[0].dtype
    (a, b), (c, d) = ((x.cast(dtypes.f64), y.cast(dtypes.f64)) for x, y in (z, w))
    size, angle = logarithm((a, b))
    real, imag = exponential((c * size - d * angle, d * size + c * angle))
    zero, one, nan = a.like(0.0), a.like(1.0), a.like(float("nan"))
    at_zero = a.equals(0.0) & b.equals(0.0)
    result = where_pair(at_zero, where_pair(c > 0.0, (zero, zero), (nan, nan)), (real, imag))
    result = where_pair(c.equals(0.0) & d.equals(0.0), (one, zero), result)
    return result[0].cast(dtype), result[1].cast(dtype)


def _times(function: Callable[[Pair], Pair], factor: float) -> Callable[[Pair], Pair]:
    def scaled(z: Pair) -> Pair:
        x, y = function(z)
        return x * factor, y * factor

    return scaled


def _power_of_two(z: Pair) -> Pair:
    """exp(z log 2), of angles rounded to f64."""
    dtype = z[0].dtype
    x, y = (part.cast(dtypes.f64) for part in z)
    real, imag = exponential((x * math.log(2.0), y * math.log(2.0)))
    size, angle = call(ex.Exp2(), x), y * math.log(2.0)
    plain = is_finite(size) & size.differs(0.0) & y.differs(0.0)
    real, imag = where_pair(plain, (size * cos(angle), size * sin(angle)), (real, imag))
    return real.cast(dtype), imag.cast(dtype)


FUNCTIONS: dict[type[Op], Callable[..., Pair]] = {
    ex.Exp: exponential,
    ex.Exp2: _power_of_two,
    ex.Expm1: exponential_minus_one,
    ex.Log: logarithm,
    ex.Log2: _times(logarithm, 1.0 / math.log(2.0)),
    ex.Log10: _times(logarithm, 1.0 / math.log(10.0)),
    ex.Log1p: logarithm_of_one_plus,
    ex.Sqrt: square_root,
    ex.Rsqrt: reciprocal_root,
    ex.Pow: power,
}
