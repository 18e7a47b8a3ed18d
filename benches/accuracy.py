"""The errors of compiled functions against mpmath, in ulp: the spacing of floats at the true value.

    python benches/accuracy.py                  # the table of docs/accuracy.md; minutes
    python benches/accuracy.py tan gamma        # some functions
    python benches/accuracy.py --dense          # ten times the arguments

Arguments are stratified: every power of ten that a function's domain and the element type have, of both signs, and
uniform numbers in the intervals in which the function varies. Where a function has zeros that are no simple numbers,
errors next to them are measured at the size that stands with the function.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import rosin
import rosin.scipy.special as rs
from rosin import numpy as rnp

Number = Any
Interval = tuple[float, float]
HUGE = (-300, 300)


@dataclass(frozen=True)
class Function:
    """How a function is measured.

    spans: intervals of each argument, in turn; an argument of several functions is drawn from its own list.
    powers: exponents of ten between which arguments of every size are drawn, with these signs.
    floor: the size at which errors are measured where the true value is smaller, or that size at an argument.
    count: arguments from each span and from the powers.
    """

    call: Callable[..., Any]
    exact: Callable[..., Number]
    spans: Sequence[Sequence[Interval]]
    powers: tuple[int, int] | None = None
    signs: tuple[int, ...] = (1, -1)
    floor: float | Callable[..., Number] = 0.0
    count: int = 300
    digits: int = 40


def one(call: Any, exact: Any, *spans: Interval, powers: tuple[int, int] | None = None, **options: Any) -> Function:
    return Function(call, exact, [[span] for span in spans], powers, **options)


def _erfinv(y: Number) -> Number:
    x = mpmath.mpf(float(rs.erfinv(rnp.asarray(float(y), dtype=rnp.float64))))
    for _ in range(3):
        x -= (mpmath.erf(x) - y) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(x * x)
    return x


def _erfcinv(y: Number) -> Number:
    x = mpmath.mpf(float(rs.erfcinv(rnp.asarray(float(y), dtype=rnp.float64))))
    for _ in range(3):
        x += (mpmath.erfc(x) - y) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(x * x)
    return x


def _lgamma(x: Number) -> Number:
    if x > 0:
        return mpmath.loggamma(x)
    return mpmath.log(mpmath.pi / abs(x * mpmath.sinpi(x))) - mpmath.loggamma(-x)


def _erfcx(x: Number) -> Number:
    if x < 1e4:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    return (1 - 1 / (2 * x * x) + 3 / (4 * x**4)) / (x * mpmath.sqrt(mpmath.pi))


def _dawson(x: Number) -> Number:
    if abs(x) > 1e3:
        return (1 + 1 / (2 * x * x) + 3 / (4 * x**4) + 15 / (8 * x**6)) / (2 * x)
    return mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x)


def _spherical(order: int, bessel: Callable[..., Number] = mpmath.besselj) -> Callable[[Number], Number]:
    return lambda x: mpmath.sqrt(mpmath.pi / 2 / x) * bessel(order + mpmath.mpf(1) / 2, x)


def _log_ndtr(x: Number) -> Number:
    return mpmath.log(mpmath.ncdf(x)) if x < 0 else mpmath.log1p(-mpmath.ncdf(-x))


def _lower_gamma(a: Number, x: Number) -> Number:
    """P(a, x), by its series of positive terms."""
    total = term = mpmath.mpf(1)
    below = a
    while term > total * mpmath.mpf(10) ** -(mpmath.mp.dps + 2):
        below += 1
        term *= x / below
        total += term
    return mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a + 1)) * total


def _owens_t(h: Number, a: Number) -> Number:
    places = [a * k / 8 for k in range(9)]
    return mpmath.quad(lambda x: mpmath.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), places) / (2 * mpmath.pi)


def _betaln(a: Number, b: Number) -> Number:
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def _beta(a: Number, b: Number, x: Number) -> Number:
    return mpmath.betainc(a, b, 0, x, regularized=True)


def _amplitude(x: Number, first: float = 8.0) -> Number:
    """That of Bessel functions, √(2/πx), from the first zero on next to which digits are lost."""
    return mpmath.sqrt(2 / (mpmath.pi * abs(x))) if abs(x) > first else 0


def _besselk(v: Number, x: Number) -> Number:
    """K of an order that is not whole, by its definition; that of mpmath is wrong of some large orders."""
    with mpmath.workdps(mpmath.mp.dps + 30 + int(x)):
        return mpmath.pi / 2 * (mpmath.besseli(-v, x) - mpmath.besseli(v, x)) / mpmath.sinpi(v)


def _inverse(
    call: Callable[..., Any], function: Callable[..., Number], of: Callable[[Number], Number] = lambda y: y
) -> Callable[..., Number]:
    """The inverse at of(y) by the last argument of a function of mpmath's numbers, by secants from what is found."""

    def exact(*numbers: Number) -> Number:
        *others, y = numbers
        x = mpmath.mpf(float(call(*(rnp.asarray(float(v), dtype=rnp.float64) for v in numbers))))
        for _ in range(2):
            near, value = abs(x) * mpmath.mpf(10) ** (-mpmath.mp.dps // 3), function(*others, x)
            x -= (value - of(y)) * near / (function(*others, x + near) - value)
        return x

    return exact


def _upper_gamma(a: Number, x: Number) -> Number:
    return mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def _upper_beta(a: Number, b: Number, x: Number) -> Number:
    return _beta(b, a, 1 - x)


def _student(v: Number, t: Number) -> Number:
    tail = _beta(v / 2, mpmath.mpf(1) / 2, v / (v + t * t)) / 2
    return tail if t < 0 else 1 - tail


def _fisher(first: Number, second: Number, x: Number) -> Number:
    return _beta(first / 2, second / 2, first * x / (first * x + second))


def _binomial(beta: Callable[..., Number]) -> Callable[..., Number]:
    return lambda k, n, p: beta(mpmath.floor(k) + 1, n - mpmath.floor(k), p)


def _harmonic(theta: Number, phi: Number) -> Number:
    return mpmath.re(mpmath.spherharm(5, 2, theta, phi))


def _airy_floor(slope: bool) -> Callable[[Number], Number]:
    """The amplitude, beyond the zeros that are known."""
    power = mpmath.mpf(1) / 4 if slope else -mpmath.mpf(1) / 4
    return lambda x: abs(x) ** power / mpmath.sqrt(mpmath.pi) if x < -5 else 0


def _airy(which: int, scaled: bool = False) -> Function:
    function, slope = (mpmath.airybi, mpmath.airyai)[which < 2], which % 2

    def exact(x: Number) -> Number:
        scale = mpmath.exp((1 if which < 2 else -1) * mpmath.sqrt(x**3) * 2 / 3) if scaled else 1
        return function(x, derivative=slope) * scale

    if scaled:
        return one(lambda x: rs.airye(x)[which], exact, (0, 5), (5, 1000), powers=(-300, 2), signs=(1,), count=100)
    spans = (-5, 0), (0, 5), (5, 100), (-30, -5)
    floor = _airy_floor(bool(slope))
    return one(lambda x: rs.airy(x)[which], exact, *spans, powers=(-300, 9), floor=floor, count=100, digits=60)


def _faddeeva(z: Number) -> Number:
    return mpmath.exp(-z * z) * mpmath.erfc(mpmath.mpc(0, -1) * z)


def _voigt(x: Number, sigma: Number, gamma: Number) -> Number:
    z = mpmath.mpc(x, gamma) / (sigma * mpmath.sqrt(2))
    return _faddeeva(z).real / (sigma * mpmath.sqrt(2 * mpmath.pi))


def _kolmogorov(x: Number) -> Number:
    if x < 1:
        below = mpmath.fsum(mpmath.exp(-(((2 * k - 1) * mpmath.pi / x) ** 2) / 8) for k in range(1, 12))
        return 1 - mpmath.sqrt(2 * mpmath.pi) / x * below
    return 2 * mpmath.fsum((-1) ** (k - 1) * mpmath.exp(-2 * (k * x) ** 2) for k in range(1, 16))


def _amplitude_of_jacobi(u: Number, m: Number) -> Number:
    """am(u, m), by Newton's steps from what is found."""
    angle = mpmath.mpf(float(rs.ellipj(rnp.asarray(float(u), dtype=rnp.float64), float(m))[3]))
    for _ in range(3):
        angle -= (mpmath.ellipf(angle, m) - u) * mpmath.sqrt(1 - m * mpmath.sin(angle) ** 2)
    return angle


def _half_turns(degrees: Number) -> Number:
    return mpmath.fmod(degrees, 360) / 180


def _huber(delta: Number, r: Number) -> Number:
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def _logaddexp(x: Number, y: Number) -> Number:
    return max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y)))


ELEMENTARY: dict[str, Function] = {
    "exp": one(rnp.exp, mpmath.exp, (-745, 709), (-2, 2), powers=HUGE),
    "exp2": one(rnp.exp2, lambda x: mpmath.power(2, x), (-1074, 1023), (-2, 2), powers=HUGE),
    "expm1": one(rnp.expm1, mpmath.expm1, (-40, 709), (-2, 2), powers=HUGE),
    "log": one(rnp.log, mpmath.log, (0, 4), powers=HUGE, signs=(1,)),
    "log1p": one(rnp.log1p, mpmath.log1p, (-1, 4), powers=(-300, -1)),
    "log2": one(rnp.log2, lambda x: mpmath.log(x, 2), (0, 4), powers=HUGE, signs=(1,)),
    "log10": one(rnp.log10, mpmath.log10, (0, 4), powers=HUGE, signs=(1,)),
    "sqrt": one(rnp.sqrt, mpmath.sqrt, (0, 4), powers=HUGE, signs=(1,)),
    "rsqrt": one(rnp.rsqrt, lambda x: 1 / mpmath.sqrt(x), (0, 4), powers=HUGE, signs=(1,)),
    "cbrt": one(rnp.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), (-4, 4), powers=HUGE),
    "sin": one(rnp.sin, mpmath.sin, (-10, 10), (-1e4, 1e4), powers=HUGE, digits=360),
    "cos": one(rnp.cos, mpmath.cos, (-10, 10), (-1e4, 1e4), powers=HUGE, digits=360),
    "tan": one(rnp.tan, mpmath.tan, (-10, 10), (-1e4, 1e4), powers=HUGE, digits=360),
    "asin": one(rnp.asin, mpmath.asin, (-1, 1), (0.999, 1), powers=(-300, 0)),
    "acos": one(rnp.acos, mpmath.acos, (-1, 1), (0.999, 1), powers=(-300, 0)),
    "atan": one(rnp.atan, mpmath.atan, (-4, 4), powers=HUGE),
    "sinh": one(rnp.sinh, mpmath.sinh, (-710, 710), (-2, 2), powers=(-300, 2)),
    "cosh": one(rnp.cosh, mpmath.cosh, (-710, 710), (-2, 2), powers=(-300, 2)),
    "tanh": one(rnp.tanh, mpmath.tanh, (-20, 20), (-2, 2), powers=(-300, 2), digits=60),
    "asinh": one(rnp.asinh, mpmath.asinh, (-4, 4), powers=HUGE, digits=650),
    "acosh": one(rnp.acosh, mpmath.acosh, (1, 4), (1, 1.001), powers=(0, 300), signs=(1,), digits=650),
    "atanh": one(rnp.atanh, mpmath.atanh, (-1, 1), (0.999, 1), powers=(-300, -1), digits=650),
    "sigmoid": one(rnp.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), (-745, 40), (-4, 4), powers=(-300, 1)),
    "erf": one(rnp.erf, mpmath.erf, (-6, 6), powers=(-300, 0)),
    "erfc": one(rnp.erfc, mpmath.erfc, (-6, 27), powers=(-300, 1)),
    "erfinv": one(rnp.erfinv, _erfinv, (-1, 1), powers=(-300, -1)),
    "lgamma": one(rnp.lgamma, _lgamma, (0.5, 20), (0.9, 2.1), powers=(-300, 100), signs=(1,)),
    "lgamma, x < 0": one(rnp.lgamma, _lgamma, (-20, 0), floor=1.0),
    "digamma": one(rnp.digamma, mpmath.digamma, (1, 20), (1.4, 1.6), powers=(-300, 100), signs=(1,)),
    "digamma, x < 0": one(rnp.digamma, mpmath.digamma, (-20, 0), floor=4.0),
    "pow": Function(rnp.pow, mpmath.power, [[(0, 10), (0.9, 1.1)], [(-300, 300), (-5000, 5000)]], count=600),
    "atan2": Function(rnp.atan2, mpmath.atan2, [[(-5, 5), (-5, 5)], [(-1e-3, 1e-3), (-5, 5)]], powers=(-150, 150)),
    "hypot": Function(rnp.hypot, mpmath.hypot, [[(-5, 5), (-5, 5)]], powers=(-150, 150)),
    "logaddexp": Function(rnp.logaddexp, _logaddexp, [[(-5, 5), (-5, 5)], [(-700, 700), (-700, 700)]], floor=1.0),
    "logaddexp2": Function(
        rnp.logaddexp2,
        lambda x, y: max(x, y) + mpmath.log(1 + mpmath.power(2, -abs(x - y)), 2),
        [[(-5, 5), (-5, 5)], [(-700, 700), (-700, 700)]],
        floor=1.0,
    ),
    "sinc": one(rnp.sinc, lambda x: mpmath.sincpi(x), (-10, 10), (-1e3, 1e3), powers=(-300, 15), digits=60),
    "deg2rad": one(rnp.deg2rad, mpmath.radians, (-400, 400), powers=(-290, 300)),
    "rad2deg": one(rnp.rad2deg, mpmath.degrees, (-400, 400), powers=HUGE),
    "reciprocal": one(rnp.reciprocal, lambda x: 1 / x, (-5, 5), powers=HUGE),
}

REAL_ORDERS = [[(0, 10), (0, 30)], [(0, 100), (0, 100)], [(0, 50), (0, 700)], [(0, 500), (0, 500)]]
"""Orders and arguments: where each of the algorithms is used, and where they meet."""

CHANCE = (0, 1)
BETA_SPANS = [
    [(0.1, 10), (0.1, 10), CHANCE],
    [(0.003, 1), (0.003, 1), CHANCE],
    [(0.003, 1), (1, 99), (0, 0.1)],
    [(10, 99), (10, 99), CHANCE],
]
INVERSE_BETA_SPANS = [
    [(0.3, 9), (0.3, 9), CHANCE],
    [(0.01, 1), (0.01, 1), CHANCE],
    [(0.01, 1), (1, 99), CHANCE],
    [(9, 99), (9, 99), CHANCE],
]
"""Parameters, of which those below 1 have their own ways, and arguments."""

AIRY = "Ai", "Ai'", "Bi", "Bi'"

ORTHOGONAL: list[tuple[str, Callable[..., Number], tuple[float, ...], Interval]] = [
    ("legendre", mpmath.legendre, (), (-1, 1)),
    ("chebyt", mpmath.chebyt, (), (-3, 3)),
    ("chebyu", mpmath.chebyu, (), (-3, 3)),
    ("hermite", mpmath.hermite, (), (-4, 4)),
    ("hermitenorm", lambda n, x: mpmath.hermite(n, x / mpmath.sqrt(2)) / mpmath.sqrt(2) ** n, (), (-4, 4)),
    ("laguerre", lambda n, x: mpmath.laguerre(n, 0, x), (), (0, 20)),
    ("genlaguerre", mpmath.laguerre, (0.5,), (0, 20)),
    ("gegenbauer", mpmath.gegenbauer, (0.75,), (-1, 1)),
    ("jacobi", mpmath.jacobi, (0.5, -0.25), (-1, 1)),
]


def _polynomial(name: str, exact: Callable[..., Number], parameters: tuple[float, ...], span: Interval) -> Function:
    """An orthogonal polynomial of degree 14."""
    return one(
        lambda x: getattr(rs, f"eval_{name}")(14, *parameters, x),
        lambda x: exact(14, *map(mpmath.mpf, parameters), x),
        span,
        digits=60,
    )


SPECIAL: dict[str, Function] = {
    "gamma": one(rs.gamma, mpmath.gamma, (0, 10), (10, 171), (-170, 0), powers=(-300, 0)),
    "rgamma": one(rs.rgamma, mpmath.rgamma, (0, 10), (10, 171), (-170, 0), powers=(-300, 0)),
    "beta": Function(
        rs.beta, mpmath.beta, [[(0, 10), (0, 10)], [(0, 300), (0, 10)], [(0, 300), (0, 300)]], (-280, 5), (1,)
    ),
    "betaln": Function(
        rs.betaln,
        _betaln,
        [[(0, 10), (0, 10)], [(0, 1e4), (0, 10)], [(0, 1e4), (0, 1e4)]],
        (-280, 15),
        (1,),
        floor=1.0,
        digits=80,
    ),
    "polygamma(1, x)": one(
        lambda x: rs.polygamma(1, x), lambda x: mpmath.psi(1, x), (0.01, 30), powers=(-10, 10), signs=(1,), count=100
    ),
    "gammainc": Function(
        rs.gammainc, _lower_gamma, [[(0.01, 10), (0.01, 10)], [(20, 200), (20, 200)], [(1e3, 1.1e3)] * 2], (-3, 2), (1,)
    ),
    "gammaincc": Function(
        rs.gammaincc,
        lambda a, x: 1 - _lower_gamma(a, x),
        [[(0.01, 10), (0.01, 10)], [(20, 200), (20, 200)], [(1e3, 1.1e3)] * 2],
        digits=120,
    ),
    "betainc": Function(rs.betainc, _beta, BETA_SPANS, count=60, digits=60),
    "binom": Function(rs.binom, mpmath.binomial, [[(50, 100), (0, 50)], [(0, 10), (0, 10)], [(-10, 10), (-10, 10)]]),
    "poch": Function(rs.poch, mpmath.rf, [[(0, 10), (0, 10)], [(0, 100), (0, 50)], [(5, 20), (-5, 5)]]),
    "zeta": one(rs.zeta, mpmath.zeta, (1, 20), (-1, 1), (-170, -1), powers=(-300, 1), count=100),
    "zeta(x, q)": Function(rs.zeta, mpmath.zeta, [[(1, 20), (0.1, 20)], [(1, 3), (0, 1)]], count=100, digits=60),
    "erfcx": one(rs.erfcx, _erfcx, (-26, 30), (-2, 2), powers=(-300, 300), signs=(1,)),
    "erfcinv": one(rs.erfcinv, _erfcinv, (0, 2), powers=(-300, 0), signs=(1,)),
    "ndtr": one(rs.ndtr, mpmath.ncdf, (-37, 8), (-2, 2)),
    "log_ndtr": one(rs.log_ndtr, _log_ndtr, (-37, 8), (-2, 2), digits=60),
    "ndtri": one(rs.ndtri, lambda p: -mpmath.sqrt(2) * _erfcinv(2 * p), (0.01, 0.99), powers=(-300, -1), signs=(1,)),
    "owens_t": Function(rs.owens_t, _owens_t, [[(-8, 8), (-3, 3)], [(-2, 2), (-50, 50)]], count=40),
    "dawsn": one(rs.dawsn, _dawson, (-10, 10), powers=HUGE),
    "logit": one(rs.logit, lambda x: mpmath.log(x) - mpmath.log1p(-x), (0, 1), powers=(-300, -1), signs=(1,)),
    "log_expit": one(rs.log_expit, lambda x: -mpmath.log1p(mpmath.exp(-x)), (-700, 700), (-4, 4), digits=400),
    "xlogy": Function(rs.xlogy, lambda x, y: x * mpmath.log(y), [[(-5, 5), (0, 5)]], (-150, 150), (1,)),
    "entr": one(rs.entr, lambda x: -x * mpmath.log(x), (0, 5), powers=HUGE, signs=(1,)),
    "rel_entr": Function(rs.rel_entr, lambda x, y: x * mpmath.log(x / y), [[(0, 5), (0, 5)]], (-150, 150), (1,)),
    "kl_div": Function(rs.kl_div, lambda x, y: x * mpmath.log(x / y) - x + y, [[(0, 5), (0, 5)]], (-100, 100), (1,)),
    "exprel": one(rs.exprel, lambda x: mpmath.expm1(x) / x, (-50, 700), (-2, 2), powers=(-300, 0)),
    "j0": one(rs.j0, lambda x: mpmath.besselj(0, x), (0, 8), (8, 100), powers=(-300, 5), floor=_amplitude),
    "j1": one(rs.j1, lambda x: mpmath.besselj(1, x), (0, 8), (8, 100), powers=(-300, 5), floor=_amplitude),
    "jv(5, x)": one(lambda x: rs.jv(5, x), lambda x: mpmath.besselj(5, x), (0.1, 8), (8, 100), floor=_amplitude),
    "y0": one(rs.y0, lambda x: mpmath.bessely(0, x), (0, 8), (8, 100), powers=(-300, 5), signs=(1,), floor=_amplitude),
    "y1": one(rs.y1, lambda x: mpmath.bessely(1, x), (0, 8), (8, 100), powers=(-300, 5), signs=(1,), floor=_amplitude),
    "yn(5, x)": one(
        lambda x: rs.yn(5, x), lambda x: mpmath.bessely(5, x), (0.1, 8), (8, 100), floor=lambda x: _amplitude(x, 5.0)
    ),
    "jv(20, x)": one(lambda x: rs.jv(20, x), lambda x: mpmath.besselj(20, x), (0.1, 20), (20, 100), floor=_amplitude),
    "i0": one(rs.i0, lambda x: mpmath.besseli(0, x), (0, 10), (0, 700), powers=(-300, 2)),
    "i0e": one(rs.i0e, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x), (0, 10), (0, 700), powers=(-300, 4)),
    "i1": one(rs.i1, lambda x: mpmath.besseli(1, x), (0, 10), (0, 700), powers=(-300, 2)),
    "i1e": one(rs.i1e, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x), (0, 10), (0, 700), powers=(-300, 4)),
    "iv(5, x)": one(lambda x: rs.iv(5, x), lambda x: mpmath.besseli(5, x), (0.1, 10), (0.1, 700), powers=(-60, 1)),
    "k0": one(rs.k0, lambda x: mpmath.besselk(0, x), (0, 10), (0, 700), powers=(-300, 2), signs=(1,)),
    "k1": one(rs.k1, lambda x: mpmath.besselk(1, x), (0, 10), (0, 700), powers=(-300, 2), signs=(1,)),
    "kn(5, x)": one(lambda x: rs.kn(5, x), lambda x: mpmath.besselk(5, x), (0.1, 10), (0.1, 700)),
    "spherical_jn(2, x)": one(lambda x: rs.spherical_jn(2, x), _spherical(2), (0.01, 30), floor=0.1),
    "exp1": one(rs.exp1, mpmath.e1, (0, 5), (5, 700), powers=(-300, 0), signs=(1,)),
    "expi": one(rs.expi, mpmath.ei, (-20, 20), (0.3, 0.45), (20, 700), powers=(-300, 0)),
    "expn(3, x)": one(lambda x: rs.expn(3, x), lambda x: mpmath.expint(3, x), (0.001, 5), (5, 700)),
    "sici, Si": one(lambda x: rs.sici(x)[0], mpmath.si, (-8, 8), (8, 100), powers=(-300, 5)),
    "sici, Ci": one(
        lambda x: rs.sici(x)[1],
        lambda x: mpmath.ci(abs(x)),
        (0, 8),
        (8, 100),
        powers=(-300, 5),
        floor=lambda x: 1 / abs(x) if abs(x) > 8 else 0,
    ),
    "fresnel, S": one(lambda x: rs.fresnel(x)[0], mpmath.fresnels, (0, 2.5), (2.5, 100), powers=(-100, 2)),
    "fresnel, C": one(lambda x: rs.fresnel(x)[1], mpmath.fresnelc, (0, 2.5), (2.5, 100), powers=(-100, 2)),
    "spence": one(rs.spence, lambda x: mpmath.polylog(2, 1 - x), (0, 1), (0.5, 10), count=100),
    "jv(v, x)": Function(rs.jv, mpmath.besselj, REAL_ORDERS, floor=lambda v, x: _amplitude(x, v)),
    "yv(v, x)": Function(rs.yv, mpmath.bessely, REAL_ORDERS, floor=lambda v, x: _amplitude(x, v)),
    "iv(v, x)": Function(rs.iv, mpmath.besseli, REAL_ORDERS, (-9, 2), (1,)),
    "kv(v, x)": Function(rs.kv, _besselk, REAL_ORDERS, (-9, 2), (1,)),
    "ellipk": one(rs.ellipk, mpmath.ellipk, (0, 1), (-10, 0), powers=(-300, 15), signs=(-1,)),
    "ellipe": one(rs.ellipe, mpmath.ellipe, (0, 1), (-10, 0), powers=(-300, 15), signs=(-1,)),
    "ellipkinc": Function(rs.ellipkinc, mpmath.ellipf, [[(-5, 5), (-3, 1)]], count=150),
    "ellipeinc": Function(rs.ellipeinc, mpmath.ellipe, [[(-5, 5), (-3, 1)]], count=150),
    "elliprf": Function(rs.elliprf, mpmath.elliprf, [[(0, 5), (0, 5), (0, 5)]], (-9, 9), (1,), count=150),
    "elliprd": Function(rs.elliprd, mpmath.elliprd, [[(0, 5), (0, 5), (0, 5)]], (-9, 9), (1,), count=150),
    "elliprg": Function(rs.elliprg, mpmath.elliprg, [[(0, 5), (0, 5), (0, 5)]], (-9, 9), (1,), count=150),
    "elliprj": Function(rs.elliprj, mpmath.elliprj, [[(0, 5), (0, 5), (0, 5), (0.1, 5)]], count=100),
    "hyp1f1": Function(rs.hyp1f1, mpmath.hyp1f1, [[(0.1, 5), (0.1, 5), (-50, 100)], [(-5, 5), (0.1, 5), (-5, 5)]]),
    "hyp2f1": Function(
        rs.hyp2f1,
        mpmath.hyp2f1,
        [[(0.1, 3), (0.1, 3), (0.5, 5), (-5, 0.9)], [(-3, 3), (-3, 3), (0.5, 5), (-1, 0.8)]],
        count=100,
    ),
    "lambertw": one(rs.lambertw, lambda z: mpmath.re(mpmath.lambertw(z)), (-0.36, 3), powers=(-300, 300), signs=(1,)),
    "legendre_p(5, x)": one(lambda x: rs.legendre_p(5, x), lambda x: mpmath.legendre(5, x), (-1, 1)),
    **{
        f"eval_{name}({', '.join(map(str, (14, *parameters)))}, x)": _polynomial(name, exact, parameters, span)
        for name, exact, parameters, span in ORTHOGONAL
    },
    "lpmv(2, 5, x)": one(lambda x: rs.lpmv(2, 5, x), lambda x: mpmath.legenp(5, 2, x, type=2), (-1, 1), count=30),
    "sph_harm_y(5, 2, …)": Function(
        lambda t, p: rnp.real(rs.sph_harm_y(5, 2, t, p)), _harmonic, [[(0, 3.14), (0, 6.28)]], floor=1.0, count=80
    ),
    "exp10": one(rs.exp10, lambda x: mpmath.power(10, x), (-300, 300), (-2, 2), powers=(-300, 1)),
    "softplus": one(rs.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), (-700, 700), (-4, 4), digits=400),
    "xlog1py": Function(rs.xlog1py, lambda x, y: x * mpmath.log1p(y), [[(-5, 5), (-1, 5)]], (-150, 150), (1,)),
    "cosm1": one(rs.cosm1, lambda x: -2 * mpmath.sin(x / 2) ** 2, (-10, 10), powers=(-150, 5), digits=60),
    "sindg": one(rs.sindg, lambda x: mpmath.sinpi(_half_turns(x)), (-720, 720), powers=(-290, 300), digits=360),
    "cosdg": one(rs.cosdg, lambda x: mpmath.cospi(_half_turns(x)), (-720, 720), powers=HUGE, digits=360),
    "tandg": one(rs.tandg, lambda x: mpmath.tan(mpmath.pi * _half_turns(x)), (-720, 720), powers=(-290, 0), digits=330),
    "cotdg": one(rs.cotdg, lambda x: mpmath.cot(mpmath.pi * _half_turns(x)), (-720, 720), powers=(-290, 0), digits=330),
    "erfi": one(rs.erfi, mpmath.erfi, (-26, 26), (-2, 2), powers=(-300, 0)),
    "loggamma": one(rs.loggamma, mpmath.loggamma, (0.5, 20), (0.9, 2.1), powers=(-300, 100), signs=(1,)),
    "multigammaln(a, 3)": one(
        lambda x: rs.multigammaln(x, 3),
        lambda a: sum(mpmath.loggamma(a - mpmath.mpf(j) / 2) for j in range(3)) + 1.5 * mpmath.log(mpmath.pi),
        (1, 20),
        (20, 1000),
        floor=1.0,
    ),
    "factorial": one(rs.factorial, mpmath.factorial, (0, 10), (10, 170)),
    "comb": Function(rs.comb, mpmath.binomial, [[(50, 100), (0, 50)]]),
    "perm": Function(rs.perm, lambda n, k: mpmath.rf(n - k + 1, k), [[(50, 100), (0, 50)], [(5, 10), (0, 5)]]),
    "zetac": one(rs.zetac, lambda x: mpmath.zeta(x) - 1, (1, 50), (-1, 1), powers=(-300, 0), count=100, digits=80),
    "betaincc": Function(rs.betaincc, _upper_beta, BETA_SPANS, count=60, digits=60),
    "gammaincinv": Function(
        rs.gammaincinv,
        _inverse(rs.gammaincinv, _lower_gamma),
        [[(0.1, 10), CHANCE], [(0.005, 1), CHANCE], [(20, 200), CHANCE]],
        count=40,
    ),
    "gammainccinv": Function(
        rs.gammainccinv,
        _inverse(rs.gammainccinv, _upper_gamma),
        [[(0.1, 10), CHANCE], [(0.005, 1), CHANCE], [(20, 99), CHANCE]],
        count=40,
    ),
    "betaincinv": Function(
        rs.betaincinv,
        _inverse(rs.betaincinv, _beta),
        [
            [(0.3, 9), (0.3, 9), CHANCE],
            [(0.01, 1), (0.01, 1), CHANCE],
            [(0.01, 1), (1, 99), CHANCE],
            [(9, 99)] * 2 + [CHANCE],
        ],
        count=30,
    ),
    "betainccinv": Function(
        rs.betainccinv,
        _inverse(rs.betainccinv, _beta, lambda y: 1 - y),
        [
            [(0.3, 9), (0.3, 9), CHANCE],
            [(0.01, 1), (0.01, 1), CHANCE],
            [(0.01, 1), (1, 99), CHANCE],
            [(9, 99)] * 2 + [CHANCE],
        ],
        count=30,
    ),
    "boxcox": Function(
        rs.boxcox, lambda x, k: mpmath.expm1(k * mpmath.log(x)) / k, [[(0, 5), (-3, 3)], [(0, 100), (-0.01, 0.01)]]
    ),
    "boxcox1p": Function(
        rs.boxcox1p, lambda x, k: mpmath.expm1(k * mpmath.log1p(x)) / k, [[(-1, 5), (-3, 3)], [(-0.01, 0.01), (-3, 3)]]
    ),
    "inv_boxcox": Function(
        rs.inv_boxcox, lambda y, k: mpmath.exp(mpmath.log1p(k * y) / k), [[(0, 5), (0, 3)], [(-0.3, 0.3), (-3, 3)]]
    ),
    "inv_boxcox1p": Function(
        rs.inv_boxcox1p, lambda y, k: mpmath.expm1(mpmath.log1p(k * y) / k), [[(0, 5), (0, 3)], [(-0.3, 0.3), (-3, 3)]]
    ),
    "huber": Function(rs.huber, _huber, [[(0, 5), (-9, 9)]]),
    "pseudo_huber": Function(
        rs.pseudo_huber,
        lambda d, r: d * d * (mpmath.sqrt(1 + (r / d) ** 2) - 1),
        [[(0, 5), (-9, 9)], [(0, 5), (-0.01, 0.01)]],
        digits=80,
    ),
    "agm": Function(rs.agm, mpmath.agm, [[(0, 5), (0, 5)]], (-150, 150), (1,)),
    "ellipkm1": one(
        rs.ellipkm1, lambda p: mpmath.ellipk(1 - p), (0, 1), (1, 10), powers=(-300, 0), signs=(1,), digits=340, count=60
    ),
    "elliprc": Function(rs.elliprc, mpmath.elliprc, [[(0, 5), (0, 5)]], (-9, 9), (1,), count=150),
    "ive(5, x)": one(
        lambda x: rs.ive(5, x), lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(5, x), (0.1, 10), (0.1, 700)
    ),
    "ive(v, x)": Function(rs.ive, lambda v, x: mpmath.exp(-x) * mpmath.besseli(v, x), REAL_ORDERS, count=60),
    "k0e": one(
        rs.k0e,
        lambda x: mpmath.exp(x) * mpmath.besselk(0, x),
        (0, 10),
        (0, 700),
        powers=(-300, 2),
        signs=(1,),
        count=60,
    ),
    "k1e": one(
        rs.k1e,
        lambda x: mpmath.exp(x) * mpmath.besselk(1, x),
        (0, 10),
        (0, 700),
        powers=(-300, 2),
        signs=(1,),
        count=60,
    ),
    "kve(v, x)": Function(rs.kve, lambda v, x: mpmath.exp(x) * _besselk(v, x), REAL_ORDERS, count=20),
    "spherical_yn(2, x)": one(lambda x: rs.spherical_yn(2, x), _spherical(2, mpmath.bessely), (0.01, 30), floor=0.1),
    "spherical_in(2, x)": one(lambda x: rs.spherical_in(2, x), _spherical(2, mpmath.besseli), (0.01, 30)),
    "spherical_kn(2, x)": one(lambda x: rs.spherical_kn(2, x), _spherical(2, mpmath.besselk), (0.01, 30)),
    "shichi, Shi": one(lambda x: rs.shichi(x)[0], mpmath.shi, (-8, 8), (8, 700), powers=(-300, 0)),
    "shichi, Chi": one(
        lambda x: rs.shichi(x)[1],
        lambda x: mpmath.re(mpmath.chi(abs(x))),
        (0, 8),
        (8, 700),
        powers=(-300, 0),
        floor=0.5,
    ),
    **{f"airy, {name}": _airy(k) for k, name in enumerate(AIRY)},
    **{f"airye, {name}": _airy(k, scaled=True) for k, name in enumerate(AIRY)},
    "voigt_profile": Function(
        rs.voigt_profile,
        _voigt,
        [[(-5, 5), (0, 3), (0, 3)], [(-10, 10), (0.5, 2), (0, 1e-4)], [(-99, 99), (0.1, 2), (0, 10)]],
        (-9, 9),
        (1,),
        digits=80,
    ),
    "struve(v, x)": Function(
        rs.struve,
        mpmath.struveh,
        [[(0, 10), (0, 30)], [(0, 10), (30, 100)], [(0, 100), (0, 200)], [(-10, 0), (0, 60)]],
        floor=lambda v, x: _amplitude(x, max(abs(v), 2)),
        count=100,
    ),
    "modstruve(v, x)": Function(
        rs.modstruve,
        mpmath.struvel,
        [[(0, 10), (0, 60)], [(0, 100), (0, 200)], [(0, 20), (0, 700)], [(-10, 0), (0, 60)]],
        count=100,
    ),
    **{
        f"ellipj, {name}": Function(
            lambda u, m, k=k: rs.ellipj(u, m)[k],
            lambda u, m, name=name: mpmath.ellipfun(name, u=u, m=m),
            [[(-10, 10), (0, 1)], [(-20, 20), (0.99, 1)]],
            floor=1.0,
            count=60,
        )
        for k, name in enumerate(("sn", "cn", "dn"))
    },
    "ellipj, am": Function(
        lambda u, m: rs.ellipj(u, m)[3], _amplitude_of_jacobi, [[(-10, 10), (0, 1)], [(-20, 20), (0.99, 1)]], count=40
    ),
}

DISTRIBUTION: dict[str, Function] = {
    "chdtr": Function(
        rs.chdtr, lambda v, x: _lower_gamma(v / 2, x / 2), [[(0.1, 20), (0, 40)], [(20, 300), (20, 300)]], count=60
    ),
    "chdtrc": Function(
        rs.chdtrc, lambda v, x: _upper_gamma(v / 2, x / 2), [[(0.1, 20), (0, 40)], [(20, 300), (20, 300)]], count=60
    ),
    "chdtri": Function(
        rs.chdtri,
        _inverse(rs.chdtri, lambda v, x: _upper_gamma(v / 2, x / 2)),
        [[(1, 20), CHANCE], [(0.02, 2), CHANCE]],
        count=40,
    ),
    "gdtr": Function(rs.gdtr, lambda a, b, x: _lower_gamma(b, a * x), [[(0.1, 5), (0.1, 20), (0, 10)]], count=60),
    "gdtrc": Function(rs.gdtrc, lambda a, b, x: _upper_gamma(b, a * x), [[(0.1, 5), (0.1, 20), (0, 10)]], count=60),
    "gdtrix": Function(
        rs.gdtrix,
        _inverse(rs.gdtrix, lambda a, b, x: _lower_gamma(b, a * x)),
        [[(0.1, 5), (0.5, 20), CHANCE], [(0.1, 5), (0.01, 1), CHANCE]],
        count=40,
    ),
    "pdtr": Function(rs.pdtr, lambda k, m: _upper_gamma(mpmath.floor(k) + 1, m), [[(0, 20), (0, 30)]], count=60),
    "pdtrc": Function(rs.pdtrc, lambda k, m: _lower_gamma(mpmath.floor(k) + 1, m), [[(0, 20), (0, 30)]], count=60),
    "pdtri": Function(
        rs.pdtri,
        _inverse(rs.pdtri, lambda k, m: _upper_gamma(mpmath.floor(k) + 1, m)),
        [[(0, 20), CHANCE]],
        count=40,
    ),
    "bdtr": Function(rs.bdtr, _binomial(_upper_beta), [[(0, 20), (20, 50), CHANCE]], count=60, digits=60),
    "bdtrc": Function(rs.bdtrc, _binomial(_beta), [[(0, 20), (20, 50), CHANCE]], count=60, digits=60),
    "bdtri": Function(rs.bdtri, _inverse(rs.bdtri, _binomial(_upper_beta)), [[(0, 20), (20, 50), CHANCE]], count=30),
    "nbdtr": Function(
        rs.nbdtr, lambda k, n, p: _beta(n, mpmath.floor(k) + 1, p), [[(0, 20), (1, 20), CHANCE]], count=60, digits=60
    ),
    "nbdtrc": Function(
        rs.nbdtrc,
        lambda k, n, p: _upper_beta(n, mpmath.floor(k) + 1, p),
        [[(0, 20), (1, 20), CHANCE]],
        count=60,
        digits=60,
    ),
    "fdtr": Function(rs.fdtr, _fisher, [[(0.5, 20), (0.5, 20), (0, 6)]], count=60, digits=60),
    "fdtrc": Function(
        rs.fdtrc, lambda a, b, x: _fisher(b, a, 1 / x), [[(0.5, 20), (0.5, 20), (0, 6)]], count=60, digits=60
    ),
    "fdtri": Function(
        rs.fdtri, _inverse(rs.fdtri, _fisher), [[(1, 20), (1, 20), CHANCE], [(0.1, 2), (0.1, 2), CHANCE]], count=30
    ),
    "stdtr": Function(rs.stdtr, _student, [[(0.5, 30), (-10, 10)]], count=100, digits=60),
    "stdtrit": Function(rs.stdtrit, _inverse(rs.stdtrit, _student), [[(1, 30), CHANCE], [(0.05, 1), CHANCE]], count=30),
}
DISTRIBUTION |= {
    "kolmogorov": one(rs.kolmogorov, _kolmogorov, (0, 4), (4, 19)),
    "kolmogi": one(rs.kolmogi, _inverse(rs.kolmogi, _kolmogorov), CHANCE, powers=(-300, 0), signs=(1,), count=60),
}

_Z = [[(-3.0, 3.0), (-3.0, 3.0)]]
COMPLEX: dict[str, Function] = {
    name: Function(getattr(rnp, name), getattr(mpmath, name), _Z)
    for name in (
        "exp",
        "log",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
    )
}
# Away from the zeros, which lie below the real axis.
COMPLEX["wofz"] = Function(
    rs.wofz, _faddeeva, [[(-6, 6), (0, 6)], [(-1, 1), (-3, 0)]], (-5, 5), (1,), count=150, digits=60
)


def arguments(name: str, function: Function, dtype: type[np.floating], scale: float = 1.0) -> list[np.ndarray]:
    """Stratified arguments, as floats of the type: one array for each operand."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    count, info = max(int(function.count * scale), 4), np.finfo(dtype)
    rows = [np.array([random.uniform(*span, count) for span in spans]) for spans in function.spans]
    if function.powers is not None:
        most, least = np.log10(float(info.max)) - 0.01, np.log10(float(info.smallest_subnormal))
        low, high = max(function.powers[0], least), min(function.powers[1], most)
        powers = 10.0 ** random.uniform(low, high, (len(function.spans[0]), count))
        rows.append(powers * random.choice(function.signs, powers.shape))
    together = np.concatenate(rows, axis=1)
    with np.errstate(over="ignore"):
        return [row.astype(dtype) for row in together]


def spacing(size: Number, dtype: type[np.floating]) -> Number:
    """The distance of floats of a type at numbers of this size."""
    info = np.finfo(dtype)
    exponent = int(mpmath.frexp(size)[1]) - 1 if size else info.minexp
    return mpmath.ldexp(1, max(exponent, int(info.minexp)) - info.nmant)


def errors(
    function: Function, operands: Sequence[np.ndarray], dtype: type[np.floating]
) -> Iterator[tuple[float, tuple[float, ...]]]:
    """The error at every argument at which the true value is a number of the type, with the argument."""
    found = np.asarray(rosin.compile(function.call)(*map(rnp.asarray, operands)))
    largest = mpmath.mpf(float(np.finfo(dtype).max))
    with mpmath.workdps(function.digits):
        for value, *numbers in zip(found.tolist(), *(x.tolist() for x in operands), strict=True):
            try:
                true = function.exact(*map(mpmath.mpf, numbers))
            except (ValueError, ZeroDivisionError):
                continue
            if isinstance(true, mpmath.mpc) or not mpmath.isfinite(true) or abs(true) > largest:
                continue
            floor = function.floor(*map(mpmath.mpf, numbers)) if callable(function.floor) else function.floor
            size = max(abs(true), mpmath.mpf(floor))
            error = abs(mpmath.mpf(value) - true) / spacing(size, dtype) if np.isfinite(value) else mpmath.inf
            yield float(error), tuple(numbers)


def complex_errors(
    function: Function, operands: Sequence[np.ndarray], dtype: type[np.floating]
) -> Iterator[tuple[float, tuple[float, ...]]]:
    """The distance from the true value in ulp of its absolute value."""
    z = (operands[0] + 1j * operands[1]).astype(np.complex64 if dtype is np.float32 else np.complex128)
    found = np.asarray(rosin.compile(function.call)(rnp.asarray(z)))
    with mpmath.workdps(function.digits):
        for value, argument in zip(found.tolist(), z.tolist(), strict=True):
            true = function.exact(mpmath.mpc(argument))
            yield float(abs(mpmath.mpc(value) - true) / spacing(abs(true), dtype)), (argument.real, argument.imag)


def worst(name: str, kind: str, dtype: type[np.floating], scale: float = 1.0) -> tuple[float, tuple[float, ...]]:
    """The greatest error of a function, and where it is."""
    function = TABLES[kind][name]
    measure = complex_errors if kind == "complex" else errors
    return max(measure(function, arguments(name, function, dtype, scale), dtype))


TABLES = {"elementary": ELEMENTARY, "special": SPECIAL, "distribution": DISTRIBUTION, "complex": COMPLEX}


HARD = frozenset(
    name
    for names in (
        ("digamma", "digamma, x < 0", "polygamma(1, x)", "gammainc", "gammaincc", "betainc"),
        ("ndtr", "log_ndtr", "ndtri", "dawsn", "owens_t", "expi", "expn(3, x)", "spence"),
        ("j0", "j1", "jv(5, x)", "jv(20, x)", "y0", "y1", "yn(5, x)", "k0", "k1", "kn(5, x)", "spherical_jn(2, x)"),
        ("i0", "i0e", "i1", "i1e", "iv(5, x)", "sici, Si", "sici, Ci", "fresnel, S", "fresnel, C"),
        ("ellipkinc", "ellipeinc", "elliprf", "elliprd", "elliprg", "elliprj", "tan", "tanh"),
        ("binom", "exprel", "lambertw", "hyp2f1", "erfcx", "erfcinv", "exp1", "zeta"),
        ("sinc", "cosm1", "cotdg", "tandg", "erfi", "perm", "boxcox", "boxcox1p", "betaincc", "pseudo_huber"),
        ("gammaincinv", "gammainccinv", "betaincinv", "betainccinv", "lpmv(2, 5, x)", "sph_harm_y(5, 2, …)"),
        ("ive(5, x)", "k0e", "k1e", "elliprc", "shichi, Shi", "shichi, Chi"),
        (
            "voigt_profile",
            "wofz",
            "struve(v, x)",
            "modstruve(v, x)",
            "ellipj, sn",
            "ellipj, cn",
            "ellipj, dn",
            "ellipj, am",
        ),
        (f"{function}, {name}" for function in ("airy", "airye") for name in AIRY),
        ("spherical_yn(2, x)", "spherical_in(2, x)", "spherical_kn(2, x)"),
        DISTRIBUTION,
    )
    for name in names
)
"""Functions that are promised within 4 ulp; others are within 2."""


def line(kind: str, name: str) -> int:
    """The error that is promised, in ulp."""
    if name in ("tan", "tanh"):
        return 4 if kind == "complex" else 2
    return 4 if name in HARD else 2


def main(names: Sequence[str], scale: float) -> None:
    for kind, functions in TABLES.items():
        rows = [name for name in functions if not names or name in names]
        if not rows:
            continue
        print(f"\n## {kind}\n\n| function | f32 | f64 | line | measured at |\n|---|---|---|---|---|")
        for name in rows:
            single, double = (worst(name, kind, dtype, scale)[0] for dtype in (np.float32, np.float64))
            floor = functions[name].floor
            at = "its amplitude far out" if callable(floor) else f"{floor:g} at least" if floor else "the value"
            print(f"| {name} | {single:.2f} | {double:.2f} | {line(kind, name)} | {at} |", flush=True)


if __name__ == "__main__":
    dense = "--dense" in sys.argv
    main([name for name in sys.argv[1:] if name != "--dense"], 10.0 if dense else 1.0)
