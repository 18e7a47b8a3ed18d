"""Exponential, sine and cosine integrals, Fresnel's integrals, and the dilogarithm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.bessel import Between, OfOrder, SphericalBesselJ, log_over_root
from rosin.ir.ops.formulas.elementary import Exprel
from rosin.ir.ops.formulas.gamma import Cospi, Sinpi, node
from rosin.ir.ops.formulas.incomplete import gamma_fraction
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

# The zeros of Ei, and of Ci up to where its polynomial sees them, each as a high and a low part.
EI_ROOT = (0.3725074107813666, 1.3140183414386028e-17)
LOG_EI_ROOT = (-0.9874983466453419, 1.0504707614307875e-17)
LOG_CI_ROOT = (-0.48368805841129714, 9.375181261740495e-18)
CI_ROOTS = (
    (0.6165054856207163, -4.209920321433186e-17),
    (3.3841804225511862, 1.972125462363411e-16),
    (6.427047744050369, -1.8747970603033628e-16),
    (9.525575457580667, 0.0),
)
CI_LOW = Between(2.0, 5.0, CI_ROOTS[1:3], tables.CI_LOW)
CI_MIDDLE = Between(5.0, 8.0, CI_ROOTS[2:], tables.CI_MIDDLE)


# -- exponential -------------------------------------------------------------------------------------------------------


def exp1(m: Algebra, x: Real) -> Real:
    """E1(x), x > 0."""
    near = m.where(x < 1.0, x, 1.0)
    small = m.polynomial(2.0 * near - 1.0, tables.E1_NEAR) - m.log(near)
    far = m.where(x < 1.0, 1.0, m.where(x < 1e3, x, 1e3))
    large = m.polynomial((far - 3.0) / (far + 1.0), tables.E1_FAR) / (far + 0.5) * m.exp(-far)
    return m.where(x < 1.0, small, large)


@define("exp1")
class Exp1(Formula):
    """E₁(x) = ∫ₓ^∞ exp(-t) / t dt: ∞ at 0, NaN below."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        value = m.where(m.equal(x, 0.0), math.inf, exp1(m, x))
        return m.nan_where(~(x >= 0.0), value)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.neg(b.div(b.exp(b.neg(x)), x)),)


@define("expi")
class Expi(Formula):
    """Ei(x), the principal value of ∫ exp(t) / t dt up to x: -∞ at 0."""

    flops = 250

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        near = m.where(x < 6.0, m.where(x > 0.0, x, 1.0), 6.0)
        logarithm, away = log_over_root(m, near, EI_ROOT, LOG_EI_ROOT)
        value = (logarithm + away * m.polynomial(near * (1 / 3) - 1.0, tables.EI_NEAR)).value
        size = m.where(x < 6.0, 6.0, m.where(x < 720.0, x, 720.0))
        middle = m.polynomial(m.where(size < 12.0, size, 12.0) * (1 / 3) - 3.0, tables.EI_MIDDLE)
        large = m.polynomial(
            m.where(size < 12.0, 12.0, m.where(size < 28.0, size, 28.0)) * 0.125 - 2.5, tables.EI_LARGE
        )
        far = m.polynomial(56.0 / m.where(size < 28.0, 28.0, size) - 1.0, tables.EI_FAR)
        factor = m.where(size < 12.0, middle, m.where(size < 28.0, large, far)) / size
        grown = pairs.exp_product(m, Pair(m, size), Pair(m, factor))
        value = m.where(x < 6.0, value, m.where(x > 720.0, math.inf, grown))
        value = m.where(x < 0.0, -exp1(m, m.abs(x)), value)
        return m.where(m.equal(x, 0.0), -math.inf, m.where(m.equal(x, x), value, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.div(b.exp(x), x),)


@define("expn")
class Expn(OfOrder):
    """E_n(x) = ∫₁^∞ exp(-x t) / tⁿ dt: 1 / (n - 1) at 0, NaN below."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,), n = operands, self.order
        decay = m.exp(-x)
        if n == 0:
            value = decay / x
        elif n == 1:
            value = exp1(m, x)
        else:
            # Up to 1 by the recurrence k E(k+1) = exp(-x) - x E(k), beyond by the continued fraction.
            near = m.where(x < 1.0, x, 1.0)
            start = exp1(m, m.where(near > 0.0, near, 1.0))
            end = m.exp(-near)

            def going(value: Real, k: Real) -> Real:
                return k < float(n)

            def step(value: Real, k: Real) -> State:
                return (end - near * value) / k, k + 1.0

            small, _ = m.loop(going, step, (start, m.number(1.0, x)), n)
            far = m.where(x < 1.0, 1.0, m.where(x < 1e4, x, 1e4))
            value = m.where(x < 1.0, small, decay * gamma_fraction(m, m.number(1.0 - n, x), far))
        at_zero = math.inf if n < 2 else 1.0 / (n - 1)
        value = m.where(m.equal(x, 0.0), at_zero, m.where(m.equal(x, math.inf), 0.0, value))
        return m.nan_where(~(x >= 0.0), value)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        if self.order == 0:
            return (b.neg(b.mul(result, b.add(b.div(1.0, x), 1.0))),)
        return (b.neg(self.at(b, self.order - 1, x)),)


# -- sine and cosine ---------------------------------------------------------------------------------------------------


def _auxiliary(m: Algebra, x: Real) -> tuple[Real, Real]:
    """f and g of x >= 8 (DLMF 6.2.17)."""
    ratio = 8.0 / x
    s = 2.0 * ratio * ratio - 1.0
    return m.polynomial(s, tables.SICI_F) / x, m.polynomial(s, tables.SICI_G) / (x * x)


@define("sine_integral")
class SineIntegral(Formula):
    """Si(x) = ∫₀ˣ sin(t) / t dt."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        size = m.abs(x)
        near = m.where(size < 8.0, size, 8.0)
        small = near * m.polynomial(near * near * (1 / 32) - 1.0, tables.SI_NEAR)
        far = m.where(size < 8.0, 8.0, m.where(size < 1e150, size, 1e150))
        f, g = _auxiliary(m, far)
        value = m.where(size < 8.0, small, 0.5 * math.pi - f * m.cos(far) - g * m.sin(far))
        return m.where(size > 0.0, m.where(x < 0.0, -value, value), x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, SphericalBesselJ(0), *operands),)


@define("cosine_integral")
class CosineIntegral(Formula):
    """Ci(|x|) = γ + log |x| + ∫₀ˣ (cos(t) - 1) / t dt: -∞ at 0."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        x = m.abs(operands[0])
        near = m.where(x < 2.0, m.where(x > 0.0, x, 1.0), 2.0)
        logarithm, away = log_over_root(m, near, CI_ROOTS[0], LOG_CI_ROOT)
        slope = m.polynomial(near * near * 0.5 - 1.0, tables.CI_NEAR)
        small = (logarithm + away * (near + CI_ROOTS[0][0]) * slope).value
        far = m.where(x < 8.0, 8.0, m.where(x < 1e150, x, 1e150))
        f, g = _auxiliary(m, far)
        large = f * m.sin(far) - g * m.cos(far)
        middle = m.where(x < 5.0, CI_LOW.at(m, x), CI_MIDDLE.at(m, x))
        value = m.where(x < 2.0, small, m.where(x < 8.0, middle, large))
        value = m.where(m.equal(x, 0.0), -math.inf, m.where(m.equal(x, math.inf), 0.0, value))
        return m.where(m.equal(x, x), value, x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.div(b.cos(x), x),)


def _fresnel(m: Algebra, x: Real, cosine: bool) -> Real:
    size = m.abs(x)
    near = m.where(size < 2.0, size, 2.0)
    square = near * near
    s = square * square * 0.125 - 1.0
    small = near * m.polynomial(s, tables.FRESNEL_C) if cosine else square * near * m.polynomial(s, tables.FRESNEL_S)
    far = m.where(size < 2.0, 2.0, m.where(size < 1e70, size, 1e70))
    ratio = 2.0 / far
    ratio = ratio * ratio
    s = 2.0 * ratio * ratio - 1.0
    f = m.polynomial(s, tables.FRESNEL_F) / (math.pi * far)
    g = m.polynomial(s, tables.FRESNEL_G) / (math.pi**2 * far * far * far)
    # The angle is pi x^2 / 2: full turns are dropped from the square before its rounding error is added.
    square, error = m.product(far, far)
    turns = (square * 0.5 - 2.0 * m.round(square * 0.25)) + error * 0.5
    sine, cos = m.apply(Sinpi(), turns), m.apply(Cospi(), turns)
    large = 0.5 + (f * sine - g * cos if cosine else -f * cos - g * sine)
    value = m.where(size < 2.0, small, large)
    return m.where(size > 0.0, m.where(x < 0.0, -value, value), x)


@define("fresnel_sine")
class FresnelSine(Formula):
    """S(x) = ∫₀ˣ sin(π t²/2) dt."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return _fresnel(m, *operands, cosine=False)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (node(b, Sinpi(), b.mul(b.mul(x, x), 0.5)),)


@define("fresnel_cosine")
class FresnelCosine(Formula):
    """C(x) = ∫₀ˣ cos(π t²/2) dt."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        return _fresnel(m, *operands, cosine=True)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (node(b, Cospi(), b.mul(b.mul(x, x), 0.5)),)


# -- the dilogarithm ---------------------------------------------------------------------------------------------------

# B_2k / (2k + 1)!
DILOGARITHM = (
    1 / 36,
    -1 / 3600,
    1 / 211680,
    -1 / 10886400,
    1 / 526901760,
    -691 / 16999766784000,
    1 / 1120863744000,
    -3617 / 181400588328960000,
    43867 / 97072790126247936000,
)


def _dilogarithm(m: Algebra, u: Real) -> Real:
    """Li2(1 - exp(-u)) of |u| <= log(2): u - u²/4 + Σ B_2k u^(2k+1) / (2k+1)!."""
    return u - u * u * 0.25 + u * u * u * m.polynomial(u * u, DILOGARITHM)


@define("spence")
class Spence(Formula):
    """Spence's function ∫₁ˣ log(t) / (1 - t) dt = Li₂(1 - x): NaN below 0."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        over = x > 2.0
        y = m.where(over, 1.0 / x, x)
        small = y < 0.5
        u = -m.log1p(m.where(small, -y, y - 1.0))
        value = _dilogarithm(m, u)
        # That of x where y is 1/x, which may be too small to be normal.
        logarithm = m.log(m.where(over, x, m.where(m.equal(y, 0.0), 1.0, y)))
        logarithm = m.where(over, -logarithm, logarithm)
        value = m.where(small, (math.pi**2 / 6 + u * logarithm) - value, value)
        # spence(x) + spence(1/x) = -log(x)^2 / 2.
        value = m.where(over, -0.5 * logarithm * logarithm - value, value)
        return m.where(m.equal(x, math.inf), -x, m.nan_where(~(x >= 0.0), value))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        # log(x) / (1 - x), which is -1 at 1.
        return (b.div(-1.0, node(b, Exprel(), b.log(operands[0]))),)
