"""Spherical Bessel functions, and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, logic, promote, transcendental
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.operands import order
from rosin.ir.op import Op
from rosin.ir.ops.formulas import bessel
from rosin.ir.ops.formulas import bessel_real as real

if TYPE_CHECKING:
    from rosin.frontend.array import Array

SMALL = 1e-3
"""Below, i_n is a few terms of its series, whose derivatives are right at 0 too."""


def _of_half(op: Op, n: int, x: Array) -> Array:
    """√(π/2x) times a Bessel function of order n + 1/2."""
    value = core.bind1(op, creation.full_like(x, n + 0.5), x)
    return el.multiply(transcendental.sqrt(el.divide(math.pi / 2, x)), value)


def _j(n: int, x: Array) -> Array:
    return core.bind1(bessel.SphericalBesselJ(n), x)


def _y(n: int, x: Array) -> Array:
    size = el.abs(x)
    value = logic.where(logic.equal(size, 0), -math.inf, _of_half(real.BesselYv(), n, size))
    return value if n % 2 else logic.where(logic.less(x, 0), el.negative(value), value)


def _i(n: int, x: Array) -> Array:
    size = el.abs(x)
    small = logic.less(size, SMALL)
    far = _of_half(real.BesselIv(), n, logic.where(small, 1, size))
    far = logic.where(logic.equal(size, math.inf), math.inf, far)
    near, square = logic.where(small, x, 0), el.multiply(logic.where(small, el.multiply(x, x), 0), 0.5)
    series = creation.ones_like(x)
    for k in (3, 2, 1):
        series = el.add(1, el.divide(el.multiply(square, series), k * (2 * n + 2 * k + 1)))
    power = el.pow(near, n) if n else creation.ones_like(x)
    # The product of 1, 3, … 2n + 1, which overflows where the function vanishes.
    series = el.multiply(series, math.exp(math.lgamma(n + 1) - math.lgamma(2 * n + 2) + n * math.log(2)))
    signed = logic.where(logic.less(x, 0), el.negative(far), far) if n % 2 else far
    return logic.where(small, el.multiply(power, series), signed)


def _k(n: int, x: Array) -> Array:
    value = logic.where(logic.equal(x, 0), math.inf, _of_half(real.BesselKv(), n, x))
    return logic.where(logic.equal(x, math.inf), 0, value)


def _function(
    name: str, n: int, z: ArrayLike, derivative: bool, value: Callable[[int, Array], Array], sign: int, last: int
) -> Array:
    """f_n, or its slope (`sign` n f_{n-1} + `last` (n + 1) f_{n+1}) / (2n + 1) (DLMF 10.51), in which no term is
    divided by z.
    """
    degree, x = order(name, n), promote.floating(name, z)
    if not derivative:
        return value(degree, x)
    if degree == 0:
        return el.multiply(value(1, x), last)
    below, above = value(degree - 1, x), value(degree + 1, x)
    total = el.add(el.multiply(below, sign * degree), el.multiply(above, last * (degree + 1)))
    return el.divide(total, 2 * degree + 1)


def spherical_jn(n: int, z: ArrayLike, derivative: bool = False) -> Array:
    """The spherical Bessel function j_n(z) = √(π/2z) J_{n+1/2}(z), or its derivative, of n ≥ 0."""
    return _function("spherical_jn", n, z, derivative, _j, 1, -1)


def spherical_yn(n: int, z: ArrayLike, derivative: bool = False) -> Array:
    """The spherical Bessel function y_n(z) = √(π/2z) Y_{n+1/2}(z), or its derivative, of n ≥ 0: -inf at 0."""
    return _function("spherical_yn", n, z, derivative, _y, 1, -1)


def spherical_in(n: int, z: ArrayLike, derivative: bool = False) -> Array:
    """The modified spherical Bessel function i_n(z) = √(π/2z) I_{n+1/2}(z), or its derivative, of n ≥ 0."""
    return _function("spherical_in", n, z, derivative, _i, 1, 1)


def spherical_kn(n: int, z: ArrayLike, derivative: bool = False) -> Array:
    """The modified spherical Bessel function k_n(z) = √(π/2z) K_{n+1/2}(z), or its derivative, of n ≥ 0: inf at 0, NaN
    below.
    """
    return _function("spherical_kn", n, z, derivative, _k, -1, -1)
