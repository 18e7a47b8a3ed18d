"""Airy's and Struve's functions, Hankel's, and derivatives of Bessel functions by the argument."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.numpy import complex as parts
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy import promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.functions import iv, jv, kv, yv
from rosin.frontend.scipy.special.operands import elementwise, order
from rosin.ir.ops.formulas import airy as ai
from rosin.ir.ops.formulas import struve as st

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Four = tuple["Array", "Array", "Array", "Array"]


def _airy(name: str, x: ArrayLike, scaled: bool) -> Four:
    operand = promote.floating(name, x)
    first, slope, second, other = (
        core.bind1(ai.Airy(second, slope, scaled), operand) for second in (False, True) for slope in (False, True)
    )
    return first, slope, second, other


def airy(z: ArrayLike, /) -> Four:
    """Airy's functions of real numbers and their slopes: Ai(z), Ai'(z), Bi(z) and Bi'(z)."""
    return _airy("airy", z, False)


def airye(z: ArrayLike, /) -> Four:
    """Ai and Ai' times exp(2/3 z^(3/2)), NaN of z < 0, and Bi and Bi' times the inverse of that for z > 0."""
    return _airy("airye", z, True)


def struve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Struve's function H_v(x) of real orders from -40 to 100: of x < 0 NaN unless v is whole."""
    return elementwise("struve", st.Struve(), v, x)


def modstruve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """Struve's modified function L_v(x) of real orders from -40 to 100: of x < 0 NaN unless v is whole."""
    return elementwise("modstruve", st.ModifiedStruve(), v, x)


# -- Hankel's functions ------------------------------------------------------------------------------------------------


def _hankel(name: str, v: ArrayLike, z: ArrayLike, sign: int, scaled: bool) -> Array:
    given = promote.floating(name, z)
    j, y = jv(v, given), yv(v, given)
    if not scaled:
        return parts.combined(j, el.negative(y) if sign < 0 else y)
    # Times exp(-iz), or exp(iz).
    cosine, sine = transcendental.cos(given), transcendental.sin(given)
    real = el.add(el.multiply(j, cosine), el.multiply(y, sine))
    imaginary = el.subtract(el.multiply(y, cosine), el.multiply(j, sine))
    return parts.combined(real, el.negative(imaginary) if sign < 0 else imaginary)


def hankel1(v: ArrayLike, z: ArrayLike, /) -> Array:
    """Hankel's function J_v(z) + i Y_v(z) of real numbers, which is complex."""
    return _hankel("hankel1", v, z, 1, False)


def hankel1e(v: ArrayLike, z: ArrayLike, /) -> Array:
    """hankel1(v, z) times exp(-iz)."""
    return _hankel("hankel1e", v, z, 1, True)


def hankel2(v: ArrayLike, z: ArrayLike, /) -> Array:
    """Hankel's function J_v(z) - i Y_v(z) of real numbers, which is complex."""
    return _hankel("hankel2", v, z, -1, False)


def hankel2e(v: ArrayLike, z: ArrayLike, /) -> Array:
    """hankel2(v, z) times exp(iz)."""
    return _hankel("hankel2e", v, z, -1, True)


# -- derivatives of Bessel functions -----------------------------------------------------------------------------------


def _derivative(
    name: str, function: Callable[[Any, ArrayLike], Array], v: ArrayLike, z: ArrayLike, n: Any, sign: int
) -> Array:
    """The n-th derivative by z, DLMF 10.6.7 and 10.29.5: 2^-n Σ (n over k) sign^k f(v - n + 2k)."""
    count = order(name, n, "the order of the derivative")

    def term(k: int) -> Array:
        # A Python number stays one: its type is that of z, and if it is an integer the function is a quicker one.
        at = v + (2 * k - count) if isinstance(v, int | float) else el.add(v, 2 * k - count)
        return el.multiply(function(at, z), sign**k * math.comb(count, k) / 2**count)

    total = term(0)
    for k in range(1, count + 1):
        total = el.add(total, term(k))
    return total


def jvp(v: ArrayLike, z: ArrayLike, n: int = 1, /) -> Array:
    """The n-th derivative of jv(v, z) by z."""
    return _derivative("jvp", jv, v, z, n, -1)


def yvp(v: ArrayLike, z: ArrayLike, n: int = 1, /) -> Array:
    """The n-th derivative of yv(v, z) by z."""
    return _derivative("yvp", yv, v, z, n, -1)


def ivp(v: ArrayLike, z: ArrayLike, n: int = 1, /) -> Array:
    """The n-th derivative of iv(v, z) by z."""
    return _derivative("ivp", iv, v, z, n, 1)


def kvp(v: ArrayLike, z: ArrayLike, n: int = 1, /) -> Array:
    """The n-th derivative of kv(v, z) by z."""
    derived = _derivative("kvp", kv, v, z, n, 1)
    return el.negative(derived) if n % 2 else derived
