"""Bessel functions, integrals, elliptic and hypergeometric functions, Legendre functions and spherical harmonics.

Degrees are Python integers; so may be the orders of Bessel functions, which are quicker and more accurate then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import complex as parts
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy import logic, promote, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.operands import elementwise, in_doubles, order
from rosin.ir.op import Op
from rosin.ir.ops.formulas import bessel, elliptic, integrals
from rosin.ir.ops.formulas import bessel_real as real
from rosin.ir.ops.formulas import hypergeometric as hyper

if TYPE_CHECKING:
    from rosin.frontend.array import Array


# -- Bessel functions --------------------------------------------------------------------------------------------------


def _signed(name: str, n: Any, make: type[bessel.OfOrder], x: ArrayLike, sign: int, **options: Any) -> Array:
    """A function of an order that may be negative, for which it is `sign`^n times that of -n."""
    count = promote.as_int(name, n, "the order")
    found = elementwise(name, make(abs(count), **options), x)
    return el.negative(found) if count < 0 and sign < 0 and count % 2 else found


def _of_order(
    name: str,
    v: Any,
    whole: type[bessel.OfOrder],
    of_real: type[real.OfRealOrder],
    x: ArrayLike,
    sign: int,
    **options: Any,
) -> Array:
    """A function of an order that is a Python integer, or an array of real numbers."""
    if isinstance(v, int) and not isinstance(v, bool):
        return _signed(name, v, whole, x, sign, **options)
    return elementwise(name, of_real(**options), v, x)


def j0(x: ArrayLike, /) -> Array:
    """The Bessel function of the first kind J₀(x)."""
    return elementwise("j0", bessel.BesselJ(0), x)


def j1(x: ArrayLike, /) -> Array:
    """The Bessel function of the first kind J₁(x)."""
    return elementwise("j1", bessel.BesselJ(1), x)


def jv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """The Bessel function of the first kind of a real order: of x < 0 NaN unless v is whole."""
    return _of_order("jv", v, bessel.BesselJ, real.BesselJv, x, -1)


jn = jve = jv


def y0(x: ArrayLike, /) -> Array:
    """The Bessel function of the second kind Y₀(x): -inf at 0, NaN below."""
    return elementwise("y0", bessel.BesselY(0), x)


def y1(x: ArrayLike, /) -> Array:
    """The Bessel function of the second kind Y₁(x): -inf at 0, NaN below."""
    return elementwise("y1", bessel.BesselY(1), x)


def yn(n: int, x: ArrayLike, /) -> Array:
    """The Bessel function of the second kind of an integer order."""
    return _signed("yn", n, bessel.BesselY, x, -1)


def yv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """The Bessel function of the second kind of a real order: -inf at 0, NaN below."""
    return _of_order("yv", v, bessel.BesselY, real.BesselYv, x, -1)


yve = yv


def i0(x: ArrayLike, /) -> Array:
    """The modified Bessel function of the first kind I₀(x)."""
    return elementwise("i0", bessel.BesselI(0), x)


def i0e(x: ArrayLike, /) -> Array:
    """exp(-|x|) I₀(x)."""
    return elementwise("i0e", bessel.BesselI(0, True), x)


def i1(x: ArrayLike, /) -> Array:
    """The modified Bessel function of the first kind I₁(x)."""
    return elementwise("i1", bessel.BesselI(1), x)


def i1e(x: ArrayLike, /) -> Array:
    """exp(-|x|) I₁(x)."""
    return elementwise("i1e", bessel.BesselI(1, True), x)


def iv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """The modified Bessel function of the first kind of a real order: of x < 0 NaN unless v is whole."""
    return _of_order("iv", v, bessel.BesselI, real.BesselIv, x, 1)


def ive(v: ArrayLike, x: ArrayLike, /) -> Array:
    """exp(-|x|) iv(v, x)."""
    return _of_order("ive", v, bessel.BesselI, real.BesselIv, x, 1, scaled=True)


def k0(x: ArrayLike, /) -> Array:
    """The modified Bessel function of the second kind K₀(x): inf at 0, NaN below."""
    return elementwise("k0", bessel.BesselK(0), x)


def k0e(x: ArrayLike, /) -> Array:
    """exp(x) K₀(x)."""
    return elementwise("k0e", bessel.BesselK(0, True), x)


def k1(x: ArrayLike, /) -> Array:
    """The modified Bessel function of the second kind K₁(x): inf at 0, NaN below."""
    return elementwise("k1", bessel.BesselK(1), x)


def k1e(x: ArrayLike, /) -> Array:
    """exp(x) K₁(x)."""
    return elementwise("k1e", bessel.BesselK(1, True), x)


def kn(n: int, x: ArrayLike, /) -> Array:
    """The modified Bessel function of the second kind of an integer order."""
    return _signed("kn", n, bessel.BesselK, x, 1)


def kv(v: ArrayLike, x: ArrayLike, /) -> Array:
    """The modified Bessel function of the second kind of a real order: inf at 0, NaN below."""
    return _of_order("kv", v, bessel.BesselK, real.BesselKv, x, 1)


def kve(v: ArrayLike, x: ArrayLike, /) -> Array:
    """exp(x) kv(v, x)."""
    return _of_order("kve", v, bessel.BesselK, real.BesselKv, x, 1, scaled=True)


# -- integrals ---------------------------------------------------------------------------------------------------------


def exp1(x: ArrayLike, /) -> Array:
    """The exponential integral E₁(x) = ∫ₓ^∞ exp(-t) / t dt: inf at 0, NaN below."""
    return elementwise("exp1", integrals.Exp1(), x)


def expi(x: ArrayLike, /) -> Array:
    """The exponential integral Ei(x): -inf at 0."""
    return elementwise("expi", integrals.Expi(), x)


def expn(n: int, x: ArrayLike, /) -> Array:
    """The generalised exponential integral E_n(x) = ∫₁^∞ exp(-x t) / tⁿ dt, of n ≥ 0."""
    return elementwise("expn", integrals.Expn(order("expn", n)), x)


def _both(name: str, first: Op, second: Op, x: ArrayLike) -> tuple[Array, Array]:
    operand = promote.floating(name, x)
    return core.bind1(first, operand), core.bind1(second, operand)


def sici(x: ArrayLike, /) -> tuple[Array, Array]:
    """The sine and cosine integrals Si(x) and Ci(|x|)."""
    return _both("sici", integrals.SineIntegral(), integrals.CosineIntegral(), x)


def fresnel(x: ArrayLike, /) -> tuple[Array, Array]:
    """Fresnel's integrals S(x) and C(x), of sin(π t²/2) and cos(π t²/2)."""
    return _both("fresnel", integrals.FresnelSine(), integrals.FresnelCosine(), x)


SERIES = 16
"""Terms of Shi and Chi, of arguments below 2, the last of which is below 1e-20 of the first."""


def shichi(x: ArrayLike, /) -> tuple[Array, Array]:
    """The hyperbolic sine and cosine integrals Shi(x) and Chi(|x|)."""
    return in_doubles("shichi", _shichi, x)


def _shichi(operand: Array) -> tuple[Array, Array]:
    size = el.abs(operand)
    small = logic.less(size, 2)
    near, far = logic.where(small, operand, 0), logic.where(small, 2, size)
    square = el.multiply(near, near)
    odd = even = el.multiply(square, 0)
    for k in range(SERIES, 0, -1):
        odd = el.multiply(square, el.add(odd, 1 / ((2 * k + 1) * math.factorial(2 * k + 1))))
        even = el.multiply(square, el.add(even, 1 / (2 * k * math.factorial(2 * k))))
    up, down = expi(far), exp1(far)
    large = el.multiply(el.add(up, down), 0.5)
    shi = logic.where(small, el.multiply(near, el.add(odd, 1)), el.multiply(el.sign(operand), large))
    start = el.add(transcendental.log(logic.where(small, size, 1)), np.euler_gamma)
    return shi, logic.where(small, el.add(start, even), el.multiply(el.subtract(up, down), 0.5))


def spence(x: ArrayLike, /) -> Array:
    """Spence's function ∫₁ˣ log(t) / (1 - t) dt, the dilogarithm of 1 - x: NaN below 0."""
    return elementwise("spence", integrals.Spence(), x)


# -- elliptic integrals ------------------------------------------------------------------------------------------------


def ellipk(m: ArrayLike, /) -> Array:
    """The complete elliptic integral K(m) of the first kind, m being the parameter k²."""
    return elementwise("ellipk", elliptic.Ellipk(), m)


def ellipkm1(p: ArrayLike, /) -> Array:
    """K(1 - p), accurate near p = 0."""
    return elementwise("ellipkm1", elliptic.Ellipkm1(), p)


def ellipe(m: ArrayLike, /) -> Array:
    """The complete elliptic integral E(m) of the second kind."""
    return elementwise("ellipe", elliptic.Ellipe(), m)


def ellipkinc(phi: ArrayLike, m: ArrayLike, /) -> Array:
    """The incomplete elliptic integral F(φ, m) of the first kind, of m ≤ 1."""
    return elementwise("ellipkinc", elliptic.Ellipkinc(), phi, m)


def ellipeinc(phi: ArrayLike, m: ArrayLike, /) -> Array:
    """The incomplete elliptic integral E(φ, m) of the second kind, of m ≤ 1."""
    return elementwise("ellipeinc", elliptic.Ellipeinc(), phi, m)


def agm(a: ArrayLike, b: ArrayLike, /) -> Array:
    """The arithmetic-geometric mean: NaN of numbers of different signs."""
    return elementwise("agm", elliptic.Agm(), a, b)


def elliprc(x: ArrayLike, y: ArrayLike, /) -> Array:
    """Carlson's R_C(x, y), for negative y its principal value."""
    return elementwise("elliprc", elliptic.Elliprc(), x, y)


def elliprf(x: ArrayLike, y: ArrayLike, z: ArrayLike, /) -> Array:
    """Carlson's symmetric integral R_F(x, y, z) of the first kind."""
    return elementwise("elliprf", elliptic.Elliprf(), x, y, z)


def elliprd(x: ArrayLike, y: ArrayLike, z: ArrayLike, /) -> Array:
    """Carlson's R_D(x, y, z), symmetric in x and y."""
    return elementwise("elliprd", elliptic.Elliprd(), x, y, z)


def elliprg(x: ArrayLike, y: ArrayLike, z: ArrayLike, /) -> Array:
    """Carlson's symmetric integral R_G(x, y, z) of the second kind."""
    return elementwise("elliprg", elliptic.Elliprg(), x, y, z)


def elliprj(x: ArrayLike, y: ArrayLike, z: ArrayLike, p: ArrayLike, /) -> Array:
    """Carlson's integral R_J(x, y, z, p) of the third kind, of p > 0."""
    return elementwise("elliprj", elliptic.Elliprj(), x, y, z, p)


def ellipj(u: ArrayLike, m: ArrayLike, /) -> tuple[Array, Array, Array, Array]:
    """Jacobi's elliptic functions sn, cn and dn of the parameter 0 ≤ m ≤ 1, and the amplitude, an angle."""
    both = promote.promoted("ellipj", u, m, floating=True)
    sn, cn, dn, am = (core.bind1(elliptic.JacobiElliptic(name), *both) for name in ("sn", "cn", "dn", "am"))
    return sn, cn, dn, am


# -- hypergeometric ----------------------------------------------------------------------------------------------------


def hyp1f1(a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Array:
    """Kummer's confluent function M(a, b, x)."""
    return elementwise("hyp1f1", hyper.Hyp1f1(), a, b, x)


def hyp2f1(a: ArrayLike, b: ArrayLike, c: ArrayLike, x: ArrayLike, /) -> Array:
    """Gauss's hypergeometric function F(a, b; c; x) of x < 1."""
    return elementwise("hyp2f1", hyper.Hyp2f1(), a, b, c, x)


def lambertw(z: ArrayLike, k: int = 0, /) -> Array:
    """W with W exp(W) = z, on the real branch 0 or -1: real numbers, NaN where the branch is complex."""
    return elementwise("lambertw", hyper.LambertW(promote.as_int("lambertw", k, "the branch")), z)


# -- Legendre functions ------------------------------------------------------------------------------------------------


def legendre_p(n: int, z: ArrayLike, /) -> Array:
    """The Legendre polynomial P_n(z)."""
    return elementwise("legendre_p", hyper.Legendre(order("legendre_p", n, "the degree")), z)


def _associated(m: int, degree: int, x: Array, sine: Array) -> Array:
    """P_degree^m at x, with (1 - x²)^(m/2) given as a power of `sine`, Condon and Shortley's phase included."""
    size = abs(m)
    value = el.multiply(el.pow(sine, size), core.bind1(hyper.Legendre(degree, size), x))
    if m < 0:
        return el.multiply(value, math.exp(math.lgamma(degree - size + 1) - math.lgamma(degree + size + 1)))
    return el.negative(value) if size % 2 else value


def lpmv(m: int, v: int, x: ArrayLike, /) -> Array:
    """The associated Legendre function P_v^m(x), -1 ≤ x ≤ 1, of integer order and degree; 0 for |m| > v."""
    order_m, degree = promote.as_int("lpmv", m, "the order"), order("lpmv", v, "the degree")
    operand = promote.floating("lpmv", x)
    if abs(order_m) > degree:
        return el.multiply(operand, 0)
    sine = transcendental.sqrt(el.multiply(el.subtract(1, operand), el.add(1, operand)))
    return _associated(order_m, degree, operand, sine)


def sph_harm_y(n: int, m: int, theta: ArrayLike, phi: ArrayLike, /) -> Array:
    """The spherical harmonic of degree n and order m at the polar angle `theta` and the azimuth `phi`, complex.

    It is 0 for |m| > n.
    """
    degree, order_m = order("sph_harm_y", n, "the degree"), promote.as_int("sph_harm_y", m, "the order")
    polar, azimuth = promote.promoted("sph_harm_y", theta, phi, floating=True)
    size = abs(order_m)
    if size > degree:
        return parts.combined(el.multiply(polar, 0), el.multiply(azimuth, 0))
    ratio = math.exp(math.lgamma(degree - size + 1) - math.lgamma(degree + size + 1))
    scale = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio)
    value = _associated(size, degree, transcendental.cos(polar), transcendental.sin(polar))
    # Of order -m it is the conjugate, negated for odd m.
    value = el.multiply(value, -scale if order_m < 0 and size % 2 else scale)
    angle = el.multiply(azimuth, order_m)
    return parts.combined(el.multiply(value, transcendental.cos(angle)), el.multiply(value, transcendental.sin(angle)))
