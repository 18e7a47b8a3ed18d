"""Computes the coefficients of rosin/ir/ops/formulas/tables.py and airy_tables.py, and says how good they are.

    python tools/special_tables.py            # all of tables.py, as the file's text; minutes
    python tools/special_tables.py airy       # all of airy_tables.py
    python tools/special_tables.py I0_SMALL   # some

Each table is a Chebyshev interpolation, at 40 digits, of a function on an interval, cut off where what follows is below
2**-57 of the function, and rewritten as a polynomial of a variable from -1 to 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import mpmath as mp

mp.mp.dps = 75
Number = Any


@dataclass(frozen=True)
class Table:
    """A function of s, -1 <= s <= 1, and what is said of it."""

    about: str
    function: Callable[[Number], Number]
    nodes: int = 64
    leads: int = 0  # How many coefficients have a low part too.


def erfcx(x: Number) -> Number:
    """exp(x^2) erfc(x)."""
    return mp.exp(x * x) * mp.erfc(x) if x < 1e5 else (1 - 1 / (2 * x * x) + 3 / (4 * x**4)) / (x * mp.sqrt(mp.pi))


def rational(s: Number, middle: Number) -> Number:
    """x with s = (x - middle) / (x + middle)."""
    return middle * (1 + s) / (1 - s) if s < 1 else mp.mpf(10) ** 60


def dawson(x: Number) -> Number:
    if x > 300:
        return mp.fsum(mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(12)) / (2 * x)
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def near_zero(value: Callable[[Number], Number], x: Number) -> Number:
    """`value` at x, or at a number next to 0 instead of it."""
    return value(x if abs(x) > mp.mpf(10) ** -22 else mp.mpf(10) ** -22)


EI_ROOT = mp.findroot(mp.ei, 0.3725)


def bessel_pq(order: int, which: str) -> Callable[[Number], Number]:
    """P, or Q over 8/x, of J = sqrt(2 / (pi x)) (P cos t - Q sin t), t = x - (order + 1/2) pi/2, s = 2 (8/x)^2 - 1."""

    def function(s: Number) -> Number:
        inverse = mp.sqrt((s + 1) / 2)
        if inverse < mp.mpf(10) ** -9:
            inverse = mp.mpf(10) ** -9
        x = 8 / inverse
        t = x - order * mp.pi / 2 - mp.pi / 4
        j, y = mp.besselj(order, x), mp.bessely(order, x)
        scale = mp.sqrt(mp.pi * x / 2)
        if which == "P":
            return scale * (j * mp.cos(t) + y * mp.sin(t))
        return scale * (y * mp.cos(t) - j * mp.sin(t)) / inverse

    return function


def between(low: Number, high: Number, function: Callable[[Number], Number]) -> Callable[[Number], Number]:
    return lambda s: near_zero(function, (mp.mpf(low) + high) / 2 + s * (mp.mpf(high) - low) / 2)


J_ROOTS = {order: [mp.besseljzero(order, k) for k in (1, 2, 3)] for order in (0, 1)}


def over_roots(
    low: Number, high: Number, function: Callable[[Number], Number], roots: Sequence[Number]
) -> Callable[[Number], Number]:
    """A function between two numbers, over the distances from these zeros."""
    return between(low, high, lambda x: function(x) / mp.fprod(x - root for root in roots))


def j_near(order: int) -> Callable[[Number], Number]:
    """J over x^order and the first two zeros, in x^2."""

    def function(square: Number) -> Number:
        x = mp.sqrt(square)
        return mp.besselj(order, x) / x**order / mp.fprod(square - r * r for r in J_ROOTS[order][:2])

    return function


def j_middle(order: int, first: int, last: int) -> Callable[[Number], Number]:
    return over_roots(5, 8, lambda x: mp.besselj(order, x), J_ROOTS[order][first:last])


def auxiliary(which: str) -> Callable[[Number], Number]:
    """x f or x^2 g of the sine and cosine integrals, in s = 2 (8/x)^2 - 1."""

    def function(s: Number) -> Number:
        inverse = mp.sqrt(max((s + 1) / 2, mp.mpf(10) ** -16))
        x = 8 / inverse
        si, ci = mp.si(x) - mp.pi / 2, mp.ci(x)
        f, g = ci * mp.sin(x) - si * mp.cos(x), -ci * mp.cos(x) - si * mp.sin(x)
        return x * f if which == "f" else x * x * g

    return function


def fresnel_auxiliary(which: str) -> Callable[[Number], Number]:
    """pi x f or pi^2 x^3 g, in s = 2 (2/x)^4 - 1."""

    def function(s: Number) -> Number:
        x = 2 / mp.root(max((s + 1) / 2, mp.mpf(10) ** -16), 4)
        t = mp.pi * x * x / 2
        a, b = mp.mpf(1) / 2 - mp.fresnels(x), mp.mpf(1) / 2 - mp.fresnelc(x)
        f, g = a * mp.cos(t) - b * mp.sin(t), b * mp.cos(t) + a * mp.sin(t)
        return mp.pi * x * f if which == "f" else mp.pi**2 * x**3 * g

    return function


def k_near(order: int) -> Callable[[Number], Number]:
    """What is left of K0, or of K1 over x, without the logarithm and the pole, in x^2."""

    def function(square: Number) -> Number:
        x = mp.sqrt(square)
        if order == 0:
            return mp.besselk(0, x) + mp.log(x / 2) * mp.besseli(0, x)
        return (mp.besselk(1, x) - 1 / x - mp.log(x / 2) * mp.besseli(1, x)) / x

    return function


Y_ROOTS = {order: [mp.besselyzero(order, k) for k in (1, 2, 3, 4)] for order in (0, 1)}
CI_ROOTS = [mp.findroot(mp.ci, guess) for guess in ("0.6165", "3.384", "6.427", "9.523")]


def y_near(order: int) -> Callable[[Number], Number]:
    """What is left of Y without its logarithm, over the first zero, in x^2."""

    def function(square: Number) -> Number:
        x, root = mp.sqrt(square), Y_ROOTS[order][0]
        rest = mp.bessely(order, x) - 2 / mp.pi * mp.log(x / root) * mp.besselj(order, x)
        return rest * x**order / (square - root**2)

    return function


def y_middle(order: int, low: Number, high: Number, first: int, last: int) -> Callable[[Number], Number]:
    return over_roots(low, high, lambda x: mp.bessely(order, x), Y_ROOTS[order][first:last])


def ci_middle(low: Number, high: Number, first: int, last: int) -> Callable[[Number], Number]:
    return over_roots(low, high, mp.ci, CI_ROOTS[first:last])


def in_inverse(least: Number, function: Callable[[Number], Number]) -> Callable[[Number], Number]:
    """A function of x from `least` on, in s = 2 least / x - 1."""
    return lambda s: function(2 * mp.mpf(least) / max(s + 1, mp.mpf(10) ** -20))


def asymptotic_k(order: int) -> Callable[[Number], Number]:
    def function(x: Number) -> Number:
        if x > 1e15:
            return mp.sqrt(mp.pi / 2) * (1 + (4 * order * order - 1) / (8 * x))
        return mp.sqrt(x) * mp.exp(x) * mp.besselk(order, x)

    return function


def asymptotic_i(order: int) -> Callable[[Number], Number]:
    def function(x: Number) -> Number:
        if x > 1e4:
            return mp.nsum(lambda k: _i_term(order, int(k), x), [0, 12]) / mp.sqrt(2 * mp.pi)
        return mp.sqrt(x) * mp.exp(-x) * mp.besseli(order, x)

    return function


def _i_term(order: int, k: int, x: Number) -> Number:
    product = mp.fprod(4 * order * order - (2 * i - 1) ** 2 for i in range(1, k + 1))
    return (-1) ** k * product / (mp.factorial(k) * (8 * x) ** k)


def scaled_ei(x: Number) -> Number:
    if x > 200:
        return mp.nsum(lambda k: mp.factorial(int(k)) / x ** int(k), [0, min(90, int(x / 2))])
    return x * mp.exp(-x) * mp.ei(x)


def scaled_e1(s: Number) -> Number:
    """(x + 1/2) e^x E1(x), x >= 1, in s = (x - 3) / (x + 1)."""
    x = (3 + s) / (1 - s) if s < 1 else mp.mpf(10) ** 60
    if x > 200:
        return (
            (x + mp.mpf(1) / 2)
            / x
            * mp.nsum(lambda k: (-1) ** int(k) * mp.factorial(int(k)) / x ** int(k), [0, min(90, int(x / 2))])
        )
    return (x + mp.mpf(1) / 2) * mp.exp(x) * mp.e1(x)


def rgammas(square: Number, sign: int) -> Number:
    u = mp.sqrt(square)
    total = (mp.rgamma(1 - u) + sign * mp.rgamma(1 + u)) / 2
    return total if sign > 0 else total / u


def airy(name: str, x: Number) -> Number:
    """Ai, Ai', Bi or Bi'."""
    return (mp.airyai if name.startswith("AI") else mp.airybi)(x, derivative=int(name.endswith("SLOPE")))


AIRY_ROOTS = {
    f"{letter}I{part}": [zero(k, derivative=slope) for k in (1, 2, 3)]
    for letter, zero in (("A", mp.airyaizero), ("B", mp.airybizero))
    for slope, part in enumerate(("", "_SLOPE"))
}


def airy_far(name: str, least: Number) -> Callable[[Number], Number]:
    """What is left of a function of x >= `least` without its exponential and its power, in s = 2 z(least) / z - 1."""
    sign, power = (1 if name.startswith("AI") else -1), (-1 if name.endswith("SLOPE") else 1)

    def function(zeta: Number) -> Number:
        zeta = min(zeta, mp.mpf(10) ** 18)
        x = mp.cbrt((zeta * 3 / 2) ** 2)
        scale = mp.sqrt(mp.pi) * (2 if sign > 0 else 1) * mp.root(x, 4) ** power
        with mp.workdps(mp.mp.dps + 30):
            return scale * mp.exp(sign * zeta) * airy(name, x)

    return in_inverse(mp.sqrt(mp.mpf(least) ** 3) * 2 / 3, function)


def airy_amplitude(name: str) -> Callable[[Number], Number]:
    """P and Q of Ai(-x) and Bi(-x), R and S of their slopes (DLMF 9.7), in s = 2 (5/x)^3 - 1; Q and S are times z."""

    def function(s: Number) -> Number:
        x = 5 / mp.cbrt(max((s + 1) / 2, mp.mpf(10) ** -21))
        zeta = mp.sqrt(x**3) * 2 / 3
        slope = name in "RS"
        a, b = (airy(f"{letter}I{'_SLOPE' if slope else ''}", -x) for letter in "AB")
        sine, cosine = mp.sin(zeta - mp.pi / 4), mp.cos(zeta - mp.pi / 4)
        scale = mp.sqrt(mp.pi) * mp.root(x, 4) ** (-1 if slope else 1)
        even = a * sine + b * cosine if slope else a * cosine - b * sine
        odd = b * sine - a * cosine if slope else a * sine + b * cosine
        return scale * (even if name in "PR" else odd * zeta)

    return function


AIRY_GROWTH = {"AI": mp.mpf(1) / 2, "AI_SLOPE": mp.mpf(1), "BI": 0, "BI_SLOPE": 0}
AIRY = {
    **{
        f"{name}_LOW": Table(
            f"{name} over zeros, -5 <= x <= -3, s = x + 4",
            over_roots(-5, -3, lambda x, name=name: airy(name, x), roots[name in ("AI_SLOPE", "BI") :]),
        )
        for name, roots in AIRY_ROOTS.items()
    },
    **{
        f"{name}_MIDDLE": Table(
            f"{name} over zeros, -3 <= x <= -1, s = x + 2",
            over_roots(-3, -1, lambda x, name=name: airy(name, x), roots[: 2 if name in ("AI_SLOPE", "BI") else 1]),
        )
        for name, roots in AIRY_ROOTS.items()
    },
    **{
        f"{name}_UNIT": Table(
            f"{name} exp({float(growth):g} x) over zeros, -1 <= x <= 1, s = x",
            over_roots(
                -1,
                1,
                lambda x, name=name, growth=growth: airy(name, x) * mp.exp(growth * x),
                AIRY_ROOTS[name][: name in ("AI_SLOPE", "BI")],
            ),
        )
        for name, growth in AIRY_GROWTH.items()
    },
    **{
        f"{name}_HIGH": Table(
            f"{name} exp(-2 (x - 1)), 1 <= x <= 5, s = (x - 3) / 2",
            between(1, 5, lambda x, name=name: airy(name, x) * mp.exp(-2 * (x - 1))),
        )
        for name in ("BI", "BI_SLOPE")
    },
    **{
        f"{name}_FAR": Table(
            f"{name} over exp({'-' if name.startswith('AI') else ''}z) and a power of x, x >= {least}, z = 2/3 x^1.5",
            airy_far(name, least),
            100,
        )
        for name, least in (("AI", 1), ("AI_SLOPE", 1), ("BI", 5), ("BI_SLOPE", 5))
    },
    **{
        f"AIRY_{name}": Table(
            f"{name} of {'the slopes of ' if name in 'RS' else ''}Ai(-x) and Bi(-x)"
            f"{' times z' if name in 'QS' else ''}, x >= 5, s = 2 (5/x)^3 - 1",
            airy_amplitude(name),
        )
        for name in "PQRS"
    },
}


TABLES = {
    "GAMMA_NEAR": Table(
        "(gamma(2 + s/2) - 1) / s", lambda s: near_zero(lambda s: (mp.gamma(2 + s / 2) - 1) / s, s), leads=1
    ),
    "LGAMMA_OF_NEXT": Table(
        "(lgamma(1 + a) / a + euler) / a, 0 <= a <= 5/4, s = 8/5 a - 1",
        between(0, 1.25, lambda a: near_zero(lambda a: (mp.loggamma(1 + a) / a + mp.euler) / a, a)),
    ),
    "RGAMMA_ODD": Table(
        "(1/gamma(1-u) - 1/gamma(1+u)) / 2u, |u| <= 1/2, s = 8 u^2 - 1",
        between(0, 0.25, lambda w: rgammas(w, -1)),
        leads=2,
    ),
    "RGAMMA_EVEN": Table(
        "(1/gamma(1-u) + 1/gamma(1+u)) / 2, |u| <= 1/2, s = 8 u^2 - 1",
        between(0, 0.25, lambda w: rgammas(w, 1)),
        leads=2,
    ),
    "ZETA_NEAR": Table(
        "zeta(x) - 1 / (x - 1), -1/4 <= x <= 9/4, s = 4/5 (x - 1)",
        between(-0.25, 2.25, lambda x: mp.euler if x == 1 else mp.zeta(x) - 1 / (x - 1)),
        40,
    ),
    "ERFCX": Table(
        "(1 + 2 x) exp(x^2) erfc(x), x >= 1/2, (x - 3) / (x + 3) = (1 + 6 s) / 7",
        lambda s: (lambda x: (1 + 2 * x) * erfcx(x))(rational((1 + 6 * s) / 7, 3)),
    ),
    "DAWSON_NEAR": Table(
        "dawsn(x) (1 + 2 x^2) / x, |x| <= 2.5, s = 2 (x/2.5)^2 - 1",
        between(0, mp.mpf("6.25"), lambda u: dawson(mp.sqrt(u)) * (1 + 2 * u) / mp.sqrt(u)),
    ),
    "DAWSON_MIDDLE": Table(
        "x dawsn(x), 2.5 <= x <= 5.5, s = (x - 4) / 1.5", between(2.5, 5.5, lambda x: x * dawson(x))
    ),
    "DAWSON_FAR": Table(
        "2 x dawsn(x), x >= 5.5, s = 2 (5.5/x)^2 - 1",
        lambda s: (lambda x: 2 * x * dawson(x))(mp.mpf("5.5") / mp.sqrt(max((s + 1) / 2, mp.mpf(10) ** -20))),
    ),
    "I0_FAR": Table("sqrt(x) exp(-x) I0(x), x >= 8, s = 16/x - 1", in_inverse(8, asymptotic_i(0))),
    "I1_FAR": Table("sqrt(x) exp(-x) I1(x), x >= 8, s = 16/x - 1", in_inverse(8, asymptotic_i(1))),
    "I0_UNIT": Table("I0(x), 0 <= x <= 1, s = 2 x^2 - 1", between(0, 1, lambda u: mp.besseli(0, mp.sqrt(u)))),
    "I1_UNIT": Table(
        "I1(x) / x, 0 <= x <= 1, s = 2 x^2 - 1", between(0, 1, lambda u: mp.besseli(1, mp.sqrt(u)) / mp.sqrt(u))
    ),
    "K0_NEAR": Table("K0(x) + log(x/2) I0(x), 0 < x <= 1, s = 2 x^2 - 1", between(0, 1, k_near(0))),
    "K1_NEAR": Table("(K1(x) - 1/x - log(x/2) I1(x)) / x, 0 < x <= 1, s = 2 x^2 - 1", between(0, 1, k_near(1))),
    "K0_FAR": Table("sqrt(x) exp(x) K0(x), x >= 1, s = 2/x - 1", in_inverse(1, asymptotic_k(0)), 100),
    "K1_FAR": Table("sqrt(x) exp(x) K1(x), x >= 1, s = 2/x - 1", in_inverse(1, asymptotic_k(1)), 100),
    "J0_NEAR": Table("J0(x) over x^2 - r^2 of two zeros, 0 <= x <= 5, s = 2/25 x^2 - 1", between(0, 25, j_near(0))),
    "J0_MIDDLE": Table("J0(x) over its zeros 5.52 and 8.65, 5 <= x <= 8, s = 2/3 (x - 13/2)", j_middle(0, 1, 3)),
    "J1_NEAR": Table("J1(x) / x over x^2 - r^2 of two zeros, 0 <= x <= 5, s = 2/25 x^2 - 1", between(0, 25, j_near(1))),
    "J1_MIDDLE": Table("J1(x) over its zero 7.02, 5 <= x <= 8, s = 2/3 (x - 13/2)", j_middle(1, 1, 2)),
    "Y0_NEAR": Table(
        "(Y0(x) - 2/pi log(x/r) J0(x)) / (x^2 - r^2), 0 < x <= 2, s = x^2/2 - 1", between(0, 4, y_near(0))
    ),
    "Y0_LOW": Table("Y0(x) over its zero 3.96, 2 <= x <= 5, s = 2/3 (x - 7/2)", y_middle(0, 2, 5, 1, 2)),
    "Y0_MIDDLE": Table("Y0(x) over its zero 7.09, 5 <= x <= 8, s = 2/3 (x - 13/2)", y_middle(0, 5, 8, 2, 3)),
    "Y1_NEAR": Table(
        "(Y1(x) - 2/pi log(x/r) J1(x)) x / (x^2 - r^2), 0 < x <= 4, s = x^2/8 - 1", between(0, 16, y_near(1))
    ),
    "Y1_MIDDLE": Table("Y1(x) over its zeros 5.43 and 8.60, 4 <= x <= 8, s = x/2 - 3", y_middle(1, 4, 8, 1, 3)),
    "P0": Table("P of J0 and Y0, x >= 8, s = 2 (8/x)^2 - 1", bessel_pq(0, "P")),
    "Q0": Table("Q of J0 and Y0 over 8/x, s = 2 (8/x)^2 - 1", bessel_pq(0, "Q")),
    "P1": Table("P of J1 and Y1, x >= 8, s = 2 (8/x)^2 - 1", bessel_pq(1, "P")),
    "Q1": Table("Q of J1 and Y1 over 8/x, s = 2 (8/x)^2 - 1", bessel_pq(1, "Q")),
    "E1_NEAR": Table("(E1(x) + log(x)) , 0 < x <= 1, s = 2 x - 1", between(0, 1, lambda x: mp.e1(x) + mp.log(x))),
    "E1_FAR": Table("(x + 1/2) exp(x) E1(x), x >= 1, s = (x - 3) / (x + 1)", scaled_e1, 100),
    "EI_NEAR": Table(
        "(Ei(x) - log(x/r)) / (x - r), 0 < x <= 6, s = x/3 - 1",
        between(0, 6, lambda x: (mp.ei(x) - mp.log(x / EI_ROOT)) / (x - EI_ROOT)),
    ),
    "EI_MIDDLE": Table("x exp(-x) Ei(x), 6 <= x <= 12, s = x/3 - 3", between(6, 12, scaled_ei)),
    "EI_LARGE": Table("x exp(-x) Ei(x), 12 <= x <= 28, s = x/8 - 5/2", between(12, 28, scaled_ei), 90),
    "EI_FAR": Table("x exp(-x) Ei(x), x >= 28, s = 56/x - 1", in_inverse(28, scaled_ei), 100),
    "SI_NEAR": Table("Si(x) / x, |x| <= 8, s = x^2/32 - 1", between(0, 64, lambda u: mp.si(mp.sqrt(u)) / mp.sqrt(u))),
    "CI_NEAR": Table(
        "(Ci(x) - log(x/r)) / (x^2 - r^2), 0 < x <= 2, s = x^2/2 - 1",
        between(0, 4, lambda u: (mp.ci(mp.sqrt(u)) - mp.log(u / CI_ROOTS[0] ** 2) / 2) / (u - CI_ROOTS[0] ** 2)),
    ),
    "CI_LOW": Table("Ci(x) over its zeros 3.38 and 6.43, 2 <= x <= 5, s = 2/3 (x - 7/2)", ci_middle(2, 5, 1, 3)),
    "CI_MIDDLE": Table("Ci(x) over its zeros 6.43 and 9.53, 5 <= x <= 8, s = 2/3 (x - 13/2)", ci_middle(5, 8, 2, 4)),
    "SICI_F": Table("x f(x), x >= 8, s = 2 (8/x)^2 - 1", auxiliary("f"), 90),
    "SICI_G": Table("x^2 g(x), x >= 8, s = 2 (8/x)^2 - 1", auxiliary("g"), 90),
    "FRESNEL_S": Table(
        "S(x) / x^3, |x| <= 2, s = 2 (x/2)^4 - 1",
        between(0, 2**4, lambda u: mp.fresnels(mp.root(u, 4)) / mp.root(u, 4) ** 3),
    ),
    "FRESNEL_C": Table(
        "C(x) / x, |x| <= 2, s = 2 (x/2)^4 - 1",
        between(0, 2**4, lambda u: mp.fresnelc(mp.root(u, 4)) / mp.root(u, 4)),
    ),
    "FRESNEL_F": Table("pi x f(x), x >= 2, s = 2 (2/x)^4 - 1", fresnel_auxiliary("f"), 100),
    "FRESNEL_G": Table("pi^2 x^3 g(x), x >= 2, s = 2 (2/x)^4 - 1", fresnel_auxiliary("g"), 100),
}


def chebyshev(function: Callable[[Number], Number], nodes: int) -> list[Number]:
    """The coefficients of the interpolation at Chebyshev's points."""
    angles = [mp.pi * (k + mp.mpf(1) / 2) / nodes for k in range(nodes)]
    values = [function(mp.cos(a)) for a in angles]
    found = [2 * mp.fsum(v * mp.cos(j * a) for v, a in zip(values, angles, strict=True)) / nodes for j in range(nodes)]
    found[0] /= 2
    return found


def polynomial(coefficients: list[Number]) -> list[Number]:
    """Chebyshev coefficients as those of a polynomial, constant term first."""
    before, current = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    total = [mp.mpf(0)] * len(coefficients)
    for c in coefficients:
        for k, b in enumerate(before):
            total[k] += c * b
        doubled = [mp.mpf(0), *(2 * b for b in current)]
        before, current = current, [a - (before[k] if k < len(before) else 0) for k, a in enumerate(doubled)]
    return total


def value_at(coefficients: Sequence[Number], s: Number) -> Number:
    """The polynomial with these coefficients, constant term first."""
    total = mp.mpf(0)
    for coefficient in reversed(coefficients):
        total = total * s + coefficient
    return total


def compute(table: Table) -> tuple[list[float], list[float], float, float]:
    """The coefficients, low parts of the first ones, the greatest relative error in exact arithmetic, and the size of
    the greatest coefficient.
    """
    series = chebyshev(table.function, table.nodes)
    scale = min(abs(table.function(mp.mpf(k) / 4)) for k in range(-4, 5))
    while abs(series[-1]) < scale * mp.mpf(2) ** -58:
        series.pop()
    exact = polynomial(series)
    found = [float(c) for c in exact]
    low = [float(c - f) for c, f in zip(exact, found[: table.leads], strict=False)]
    whole = [c if k < table.leads else mp.mpf(f) for k, (c, f) in enumerate(zip(exact, found, strict=True))]
    worst = 0.0
    for k in range(-50, 51):
        s = mp.mpf(k) / 50
        true = table.function(s)
        worst = max(worst, float(abs(value_at(whole, s) - true) / max(abs(true), scale)))
    return found, low, worst, max(map(abs, found)) / float(scale)


def temme(terms: int, digits: int) -> list[list[float]]:
    """The coefficients of Temme's expansion of the incomplete gamma functions, power series in eta (DLMF 8.12)."""
    length = digits + 2 * terms + 3
    mu = [Fraction(0), Fraction(1)]
    for n in range(2, length + 1):
        known = sum((mu[i] * (n + 1 - i) * mu[n + 1 - i] for i in range(2, n)), Fraction(0))
        mu.append((mu[n - 1] - known) / (n + 1))
    # eta / mu, a power series.
    inverse = [Fraction(1)]
    for n in range(1, length):
        inverse.append(-sum((mu[i + 1] * inverse[n - i] for i in range(1, n + 1)), Fraction(0)))
    # The coefficients of Stirling's series of gamma come from the same series: g_k = 1 3 ... (2k + 1) mu_{2k+1}.
    stirling = [prod(range(1, 2 * k + 2, 2)) * mu[2 * k + 1] for k in range(terms)]
    series, found = inverse[1:], []
    for k in range(terms):
        if k:
            slope = [n * c for n, c in enumerate(series)]
            sign = (-1) ** k * stirling[k]
            # The poles at eta = 0 of both parts cancel.
            series = [slope[n + 2] + sign * inverse[n + 1] for n in range(len(slope) - 2)]
        found.append([float(c) for c in series[: max(digits - 2 * k, 3)]])
    return found


def lambert(terms: int) -> list[float]:
    """The coefficients of W = u - 1 as a power series of p = sqrt(2 (e z + 1)): u u' (p^2 / 2 - 1) = p (u - 1)."""
    u, product = [Fraction(0), Fraction(1)], [Fraction(0), Fraction(1)]
    for k in range(2, terms):
        product.append(product[k - 2] / 2 - u[k - 1])
        inner = sum((u[i] * u[k + 1 - i] for i in range(2, k)), Fraction(0))
        u.append((2 * product[k] / (k + 1) - inner) / 2)
    return [-1.0, *map(float, u[1:])]


def gauss(count: int) -> tuple[list[float], list[float]]:
    """Places between 0 and 1, and weights, of Gauss's rule of so many places."""
    places, weights = [], []
    for k in range(count):
        x = mp.cos(mp.pi * (k + mp.mpf(3) / 4) / (count + mp.mpf(1) / 2))
        for _ in range(8):
            value, before = mp.legendre(count, x), mp.legendre(count - 1, x)
            slope = count * (before - x * value) / (1 - x * x)
            x -= value / slope
        slope = count * mp.legendre(count - 1, x) / (1 - x * x)
        places.append(float((1 + x) / 2))
        weights.append(float(1 / ((1 - x * x) * slope**2)))
    return places, weights


def rows(name: str, numbers: list[float]) -> str:
    lines = (", ".join(map(repr, numbers[k : k + 4])) for k in range(0, len(numbers), 4))
    return f"{name} = (\n" + "".join(f"    {line},\n" for line in lines) + ")"


HEAD = '''"""Coefficients of {of}: polynomials of s from -1 to 1, constant term first.

Computed by tools/special_tables.py; each error is that in exact arithmetic, relative to the function.
"""

# fmt: off
'''

if __name__ == "__main__":
    whole, of_airy = len(sys.argv) == 1, sys.argv[1:] == ["airy"]
    print(HEAD.format(of="Airy's functions" if of_airy else "special functions"))
    for name in AIRY if of_airy else sys.argv[1:] or TABLES:
        table = (AIRY | TABLES)[name]
        found, low, worst, size = compute(table)
        print(f"# {table.about}: 2^{mp.nstr(mp.log(worst, 2), 4)}." + ("" if size < 20 else f"  SIZE {size:.3g}"))
        print(rows(name, found), flush=True)
        if low:
            print(rows(f"{name}_LOW", low), flush=True)
    if whole:
        print("# Temme's expansion of the incomplete gamma functions in 1/a, each coefficient a power series of eta.")
        print("\n".join(rows(f"TEMME_{k}", row) for k, row in enumerate(temme(9, 20))))
        print(f"TEMME = ({', '.join(f'TEMME_{k}' for k in range(9))})")
        print("# Gauss's rule of 40 places on [0, 1].")
        print("\n".join(rows(f"GAUSS_{name}", row) for name, row in zip(("PLACES", "WEIGHTS"), gauss(40), strict=True)))
        print("# Lambert's W in p = sqrt(2 (e z + 1)).")
        print(rows("LAMBERT", lambert(26)))
