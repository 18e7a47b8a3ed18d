"""The error function's kin: scaled, inverse, Dawson's integral, and the normal distribution function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas import tables
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.ops.special import Erf, Erfinv
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

ROOT_HALF = (0.7071067811865476, -4.833646656726457e-17)
TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def exp_of_square(m: Algebra, x: Real, sign: float) -> Real:
    """exp(sign x²), as if the square were not rounded."""
    square, error = m.product(x, x)
    return m.exp(sign * square) * (1.0 + sign * error)


@define("erfcx")
class Erfcx(Formula):
    """exp(x²) erfc(x), which falls like 1 / x."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        size = m.abs(x)
        kept = m.where(size > 1e300, 1e300, m.where(size < 0.5, 0.5, size))
        t = (kept - 3.0) / (kept + 3.0)
        far = m.polynomial((7.0 * t - 1.0) / 6.0, tables.ERFCX) / (1.0 + 2.0 * kept)
        near = exp_of_square(m, m.where(size < 27.0, x, 27.0), 1.0)
        # Below -1/2 by erfcx(x) + erfcx(-x) = 2 exp(x^2), which is infinite from -26.7 on.
        result = m.where(x > 0.0, far, m.where(x < -27.0, math.inf, 2.0 * near - far))
        result = m.where(size < 0.5, near * m.erfc(x), result)
        return m.where(m.equal(x, math.inf), 0.0, m.where(m.equal(x, x), result, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.sub(b.mul(b.mul(x, result), 2.0), TWO_OVER_ROOT_PI),)


@define("erfcinv")
class Erfcinv(Formula):
    """The inverse of erfc: ±∞ at 0 and 2, NaN outside of [0, 2]."""

    flops = 400

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (y,) = operands
        tail = m.where(y > 1.0, 2.0 - y, y)
        # erfc(x) is nearly exp(-x^2) / (x sqrt(pi)); Newton's steps for its logarithm do the rest.
        logarithm = m.log(m.where(tail < 0.5, tail, 0.5))
        t = -logarithm - 0.5 * math.log(math.pi)
        x = m.sqrt(t - 0.5 * m.log(m.where(t > 1.0, t, 1.0)) + 0.3)
        for _ in range(4):
            scaled = m.apply(Erfcx(), x)
            x = x + ((m.log(scaled) - logarithm) - x * x) * scaled * (1.0 / TWO_OVER_ROOT_PI)
        result = m.where(m.equal(tail, 0.0), math.inf, x)
        result = m.where(y > 1.0, -result, result)
        middle = (y >= 0.5) & (y <= 1.5)
        result = m.where(middle, m.apply(Erfinv(), 1.0 - y), result)
        return m.nan_where(~((y >= 0.0) & (y <= 2.0)), result)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.exp(b.mul(result, result)), -1.0 / TWO_OVER_ROOT_PI),)


@define("erfi")
class Erfi(Formula):
    """The imaginary error function 2/√π ∫₀ˣ exp(t²) dt, by Dawson's integral."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        kept = m.where(x > 27.0, 27.0, m.where(x < -27.0, -27.0, x))
        scaled = Pair(m, m.apply(Dawsn(), kept)) * TWO_OVER_ROOT_PI
        value = pairs.exp_product(m, pairs.exact_product(m, kept, kept), scaled)
        # Next to 0 a product of pairs would lose what is too small for a number.
        return m.where(m.abs(x) > 1e-100, value, m.where(m.equal(x, x), x * TWO_OVER_ROOT_PI, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.mul(b.exp(b.mul(x, x)), TWO_OVER_ROOT_PI),)


@define("dawsn")
class Dawsn(Formula):
    """Dawson's integral exp(-x²) ∫₀ˣ exp(t²) dt."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        size = m.abs(x)
        near = m.where(size < 2.5, size, 2.5)
        kept = near * 0.4
        near = m.polynomial(2.0 * kept * kept - 1.0, tables.DAWSON_NEAR) * size / (1.0 + 2.0 * (near * near))
        kept = m.where(size < 5.5, m.where(size > 2.5, size, 2.5), 5.5)
        middle = m.polynomial((kept - 4.0) / 1.5, tables.DAWSON_MIDDLE) / size
        ratio = 5.5 / m.where(size > 5.5, size, 5.5)
        far = m.polynomial(2.0 * ratio * ratio - 1.0, tables.DAWSON_FAR) * (0.5 / size)
        result = m.where(size < 2.5, near, m.where(size < 5.5, middle, far))
        return m.where(m.equal(x, x) & (size > 0.0), m.where(x < 0.0, -result, result), x)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.sub(1.0, b.mul(b.mul(operands[0], result), 2.0)),)


# -- the normal distribution -------------------------------------------------------------------------------------------


def _density_over_root_pi(m: Algebra, z: Real) -> Real:
    return m.exp(-z * z) * (1.0 / math.sqrt(math.pi))


def _over_root_two(m: Algebra, x: Real) -> tuple[Real, Real]:
    """x / √2 in two parts."""
    high, low = m.product(x, m.number(ROOT_HALF[0], x))
    return high, low + x * ROOT_HALF[1]


@define("ndtr")
class Ndtr(Formula):
    """The normal distribution function Φ(x) = erfc(-x / √2) / 2."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        kept = m.where(m.abs(x) > 40.0, m.sign(x) * 40.0, x)
        z, error = _over_root_two(m, -kept)
        return 0.5 * m.erfc(z) - _density_over_root_pi(m, z) * error

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        return (b.mul(b.exp(b.mul(b.mul(x, x), -0.5)), 1.0 / ROOT_TWO_PI),)


@define("log_ndtr")
class LogNdtr(Formula):
    """log Φ(x), of numbers far below 0 too."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        low = x < -1.0
        scaled = m.apply(Erfcx(), m.where(low, x, -1.0) * -ROOT_HALF[0])
        tail = m.log(scaled * 0.5) - 0.5 * x * x
        above = m.log1p(-m.apply(Ndtr(), -x))
        result = m.where(low, tail, above)
        return m.where(m.equal(x, -math.inf), x, result)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        # The density over Φ, by erfcx, which does not vanish.
        scaled = node(b, Erfcx(), b.mul(x, -ROOT_HALF[0]))
        return (b.div(2.0 / ROOT_TWO_PI, scaled),)


@define("ndtri")
class Ndtri(Formula):
    """The inverse of Φ: -∞ at 0, ∞ at 1, NaN outside of [0, 1]."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (p,) = operands
        upper = p > 0.5
        size = m.apply(Erfcinv(), m.where(upper, 1.0 - p, p) * 2.0)
        return m.where(m.equal(p, 0.5), 0.0, m.where(upper, size, -size) * math.sqrt(2.0))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(b.exp(b.mul(b.mul(result, result), 0.5)), ROOT_TWO_PI),)


@define("owens_t")
class OwensT(Formula):
    """T(h, a) = ∫₀ᵃ exp(-h² (1+x²) / 2) / (1+x²) dx / 2π (Owen 1956), of a > 1 by its reflection at 1."""

    arity = 2
    flops = 2000

    def formula(self, m: Algebra, *operands: Real) -> Real:
        h, a = m.abs(operands[0]), m.abs(operands[1])
        steep, finite = a > 1.0, (h < 60.0) & (a < math.inf)
        kept, slope = m.where(finite, h, 0.0), m.where(finite, a, 0.5)
        product = pairs.exact_product(m, kept, slope)
        height = pairs.where(m, steep, product, kept)
        height = pairs.where(m, height.high < 60.0, height, 60.0)
        most = m.where(steep, 1.0 / slope, slope)
        # Beyond nine standard deviations there is nothing to add.
        width = m.where(most * height.high > 9.0, 9.0 / height.high, most)
        half = (height * height).scaled(-0.5)
        square, decay = width * width, pairs.exp(m, half).value
        total = m.number(0.0, h)
        for place, weight in zip(tables.GAUSS_PLACES, tables.GAUSS_WEIGHTS, strict=True):
            t = square * (place * place)
            total = total + weight * m.exp(half.high * t) / (1.0 + t)
        area = decay * width * total * (0.5 / math.pi)
        tail = m.apply(Ndtr(), -kept)
        other = m.apply(Ndtr(), -product.high) - decay * (product.low * (1.0 / ROOT_TWO_PI))
        value = m.where(steep, 0.5 * (tail + other) - tail * other - area, area)
        value = m.where(finite, value, m.where(h < 60.0, 0.5 * m.apply(Ndtr(), -h), h * 0.0))
        value = m.where(m.equal(h, math.inf) & m.equal(a, a), 0.0, value)
        return m.where(operands[1] < 0.0, -value, m.nan_where(~m.equal(a, a), value))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        h, a = operands
        square, above = b.mul(b.mul(h, h), -0.5), b.add(b.mul(a, a), 1.0)
        by_h = b.mul(b.mul(b.exp(square), node(b, Erf(), b.mul(b.mul(a, h), ROOT_HALF[0]))), -0.5 / ROOT_TWO_PI)
        return by_h, b.mul(b.div(b.exp(b.mul(square, above)), above), 0.5 / math.pi)
