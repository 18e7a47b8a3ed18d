"""Elliptic integrals: complete ones by the arithmetic-geometric mean, others by Carlson's symmetric integrals; Jacobi's
functions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Partial, Types, Value, Values, define, with_attributes
from rosin.ir.ops.formulas.derived import Derived, DerivedByAll
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import PI, node
from rosin.ir.ops.trigonometric import Atan, Cosh, Tanh
from rosin.ir.pairs import Pair
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

# Means that are so near to each other give the common limit to all digits.
NEAR = 2.0**-27
HALF_PI = (0.5 * math.pi, 6.123233995736766e-17)
THIRD = (1 / 3, 1.850371707708594e-17)
QUARTER_PI = (0.25 * math.pi, 3.061616997868383e-17)


# -- complete ----------------------------------------------------------------------------------------------------------


def mean_of_one(m: Algebra, other: Pair) -> Pair:
    """The arithmetic-geometric mean of 1 and a positive number."""

    def going(a: Real, a_low: Real, g: Real, g_low: Real) -> Real:
        return m.magnitude(a - g) > NEAR * m.magnitude(a)

    def step(a: Real, a_low: Real, g: Real, g_low: Real) -> State:
        old, root = Pair(m, a, a_low), Pair(m, g, g_low)
        mean, product = (old + root).scaled(0.5), pairs.sqrt(m, old * root)
        return mean.high, mean.low, product.high, product.low

    one, zero = m.number(1.0, other.high), m.number(0.0, other.high)
    state = m.loop(going, step, (one, zero, other.high, other.low), 20)
    return (Pair(m, *state[:2]) + Pair(m, *state[2:])).scaled(0.5)


def ellipk_of_rest(m: Algebra, rest: Real) -> Pair:
    """K of the parameter 1 - rest, rest > 0: pi / 2 over the arithmetic-geometric mean of 1 and its root."""
    return pairs.constant(m, HALF_PI, rest) / mean_of_one(m, pairs.sqrt(m, Pair(m, rest)))


def ellipe_of_rest(m: Algebra, rest: Real) -> Pair:
    """E of the parameter 1 - rest, rest > 0: Bulirsch's cel(√rest, 1, 1, rest), which adds positive numbers only."""

    def step(k: Real, k_low: Real, mean: Real, mean_low: Real, a: Real, a_low: Real, b: Real, b_low: Real) -> State:
        old = Pair(m, k, k_low), Pair(m, mean, mean_low), Pair(m, a, a_low), Pair(m, b, b_low)
        return tuple(part for x in following(*old) for part in (x.high, x.low))

    def following(k: Pair, mean: Pair, a: Pair, b: Pair) -> tuple[Pair, ...]:
        return pairs.sqrt(m, k * mean).scaled(2.0), mean + k, a + b / mean, (b + a * k).scaled(2.0)

    def going(k: Real, k_low: Real, mean: Real, *rest: Real) -> Real:
        return m.magnitude(mean - k) > NEAR * m.magnitude(mean)

    root = pairs.sqrt(m, Pair(m, rest))
    one, zero = m.number(1.0, rest), m.number(0.0, rest)
    state = m.loop(going, step, (root.high, root.low, one, zero, one, zero, rest, zero), 20)
    # The limit is pi/4 (a + b / mean) / mean of one step more.
    _, mean, a, b = following(*(Pair(m, *state[i : i + 2]) for i in range(0, 8, 2)))
    found = (a + b / mean) * pairs.constant(m, QUARTER_PI, rest) / mean
    # Of huge numbers it is the root to all digits, and what is added up overflows.
    return pairs.where(m, rest > 1e40, root, found)


class OfParameter(Derived):
    """A complete elliptic integral, differentiated by its argument so many times."""

    flops = 300


@define("ellipk")
class Ellipk(OfParameter):
    """K(m) = ∫ dθ / √(1 - m sin²θ) up to π/2: ∞ at m = 1, NaN above."""

    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def value(m: Algebra, x: Real) -> Real:
            return _at_rest(m, 1.0 - x, ellipk_of_rest, math.inf)

        return derivative(value, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, Ellipk(self.order + 1), *operands),)


@define("ellipkm1")
class Ellipkm1(OfParameter):
    """K(1 - p), accurate next to p = 0."""

    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def value(m: Algebra, rest: Real) -> Real:
            return _at_rest(m, rest, ellipk_of_rest, math.inf)

        return derivative(value, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, Ellipkm1(self.order + 1), *operands),)


@define("ellipe")
class Ellipe(OfParameter):
    """E(m) = ∫ √(1 - m sin²θ) dθ up to π/2: 1 at m = 1, NaN above."""

    order: int = 0

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def value(m: Algebra, x: Real) -> Real:
            return _at_rest(m, 1.0 - x, ellipe_of_rest, 1.0)

        return derivative(value, m, operands, 0, self.order)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (node(b, Ellipe(self.order + 1), *operands),)


@define("agm")
class Agm(DerivedByAll):
    """The arithmetic-geometric mean of two numbers of one sign, 0 if one of them is 0; NaN of different signs."""

    arity = 2
    flops = 600

    def value(self, m: Algebra, *x: Real) -> Real:
        a, b = m.abs(x[0]), m.abs(x[1])
        same = ((x[0] >= 0.0) & (x[1] >= 0.0)) | ((x[0] <= 0.0) & (x[1] <= 0.0))
        inside = same & (a > 0.0) & (b > 0.0) & (a < math.inf) & (b < math.inf)
        p, q = Pair(m, m.where(inside, a, 1.0)), Pair(m, m.where(inside, b, 1.0))
        # The first step apart, since the product of both may be no number.
        mean, root = p.scaled(0.5) + q.scaled(0.5), pairs.sqrt(m, p) * pairs.sqrt(m, q)
        # The inverse of a mean next to the greatest floats would be too small to be normal.
        by = m.where(mean.high > 1e300, 2.0**-100, m.number(1.0, a))
        found = (mean_of_one(m, root.scaled(by) / mean.scaled(by)) * mean).value
        edge = m.where(m.equal(a, 0.0) | m.equal(b, 0.0), m.nan_where(~(a + b < math.inf), a * 0.0), a + b)
        found = m.where(inside, found, edge)
        return m.nan_where(~same, m.where((x[0] < 0.0) | (x[1] < 0.0), -found, found))


def _at_rest(m: Algebra, rest: Real, integral: Callable[[Algebra, Real], Pair], at_zero: float) -> Real:
    inside = (rest > 0.0) & (rest < math.inf)
    value = integral(m, m.where(inside, rest, 1.0)).value
    at_edge = m.where(m.equal(rest, math.inf), m.number(0.0 if at_zero == math.inf else math.inf, rest), math.nan)
    return m.where(inside, value, m.where(m.equal(rest, 0.0), m.number(at_zero, rest), at_edge))


# -- symmetric ---------------------------------------------------------------------------------------------------------


def carlson_rf(m: Algebra, x: Real, y: Real, z: Real) -> Real:
    """R_F of numbers that are not negative, at most one of them 0, by duplication (DLMF 19.36.1)."""

    def going(x: Real, y: Real, z: Real) -> Real:
        mean = (x + y + z) * (1 / 3)
        limit = m.magnitude(mean) * 0.004
        return (m.magnitude(mean - x) > limit) | (m.magnitude(mean - y) > limit) | (m.magnitude(mean - z) > limit)

    def step(x: Real, y: Real, z: Real) -> State:
        between = _between(m, x, y, z)
        return (x + between) * 0.25, (y + between) * 0.25, (z + between) * 0.25

    x, y, z = m.loop(going, step, (x, y, z), 600)
    mean = (x + y + z) * (1 / 3)
    dx, dy = 1.0 - x / mean, 1.0 - y / mean
    dz = -(dx + dy)
    e2, e3 = dx * dy - dz * dz, dx * dy * dz
    series = 1.0 + e2 * (-1 / 10 + e2 * (1 / 24 - 5 / 208 * e2) + e3 * (-3 / 44 + e2 * (1 / 16)))
    return (series + e3 * (1 / 14 + 3 / 104 * e3)) / m.sqrt(mean)


def _between(m: Algebra, x: Real, y: Real, z: Real) -> Real:
    """√x √y + √x √z + √y √z."""
    a, b, c = m.sqrt(x), m.sqrt(y), m.sqrt(z)
    return (pairs.exact_product(m, a, b) + pairs.exact_product(m, a + b, c)).value


def _end_of_duplication(m: Algebra, mean: Real, e2: Real, e3: Real, e4: Real, e5: Real) -> Real:
    """The series of R_D and R_J (DLMF 19.36.2)."""
    series = 1.0 + e2 * (-3 / 14 + e2 * (9 / 88 - e2 * (1 / 16) + e3 * (45 / 272)) + e4 * (3 / 20) - e3 * (9 / 52))
    series = series + e3 * (1 / 6 + e3 * (3 / 40)) - e4 * (3 / 22) + e5 * (3 / 26) - (e3 * e4 + e2 * e5) * (9 / 68)
    return series / (mean * m.sqrt(mean))


def carlson_rd(m: Algebra, x: Real, y: Real, z: Real) -> Real:
    """R_D of numbers that are not negative, z positive and not both others 0."""

    def mean_of(x: Real, y: Real, z: Real) -> Real:
        return (x + y + 3.0 * z) * 0.2

    def going(x: Real, y: Real, z: Real, total: Real, low: Real, scale: Real) -> Real:
        mean = mean_of(x, y, z)
        limit = m.magnitude(mean) * 0.003
        return (m.magnitude(mean - x) > limit) | (m.magnitude(mean - y) > limit) | (m.magnitude(mean - z) > limit)

    def step(x: Real, y: Real, z: Real, total: Real, low: Real, scale: Real) -> State:
        between = _between(m, x, y, z)
        total, error = pairs.two_sum(total, scale / (m.sqrt(z) * (z + between)))
        return (x + between) * 0.25, (y + between) * 0.25, (z + between) * 0.25, total, low + error, scale * 0.25

    zero = m.number(0.0, x)
    x, y, z, total, low, scale = m.loop(going, step, (x, y, z, zero, zero, m.number(1.0, x)), 600)
    mean = mean_of(x, y, z)
    dx, dy = 1.0 - x / mean, 1.0 - y / mean
    dz = (dx + dy) * (-1 / 3)
    both, square = dx * dy, dz * dz
    e2, e3 = both - 6.0 * square, (3.0 * both - 8.0 * square) * dz
    e4, e5 = 3.0 * (both - square) * square, both * square * dz
    return (Pair(m, total, low) * 3.0 + scale * _end_of_duplication(m, mean, e2, e3, e4, e5)).value


def carlson_rc(m: Algebra, x: Real, y: Real) -> Real:
    """R_C of x >= 0 and y that is not 0; Cauchy's principal value for negative y (DLMF 19.2.20)."""
    below = y < 0.0
    value = carlson_rf(m, m.where(below, x - y, x), m.where(below, -y, y), m.where(below, -y, y))
    return m.where(below, m.sqrt(m.where(below, x / (x - y), 1.0)) * value, value)


def carlson_rj(m: Algebra, x: Real, y: Real, z: Real, p: Real) -> Real:
    """R_J of numbers that are not negative, at most one of the first three 0, p positive."""
    product = (p - x) * (p - y) * (p - z)

    def mean_of(x: Real, y: Real, z: Real, p: Real) -> Real:
        return (x + y + z + 2.0 * p) * 0.2

    def going(x: Real, y: Real, z: Real, p: Real, total: Real, low: Real, scale: Real) -> Real:
        mean = mean_of(x, y, z, p)
        limit = m.magnitude(mean) * 0.003
        first = (m.magnitude(mean - x) > limit) | (m.magnitude(mean - y) > limit)
        return first | (m.magnitude(mean - z) > limit) | (m.magnitude(mean - p) > limit)

    def step(x: Real, y: Real, z: Real, p: Real, total: Real, low: Real, scale: Real) -> State:
        between = _between(m, x, y, z)
        root = m.sqrt(p)
        first, second, third = (pairs.exact_sum(m, root, m.sqrt(v)) for v in (x, y, z))
        d = (first * second * third).value
        e = product * scale * scale * scale / (d * d)
        one = m.number(1.0, x)
        total, error = pairs.two_sum(total, scale / d * carlson_rc(m, one, one + e))
        x, y, z, p = ((v + between) * 0.25 for v in (x, y, z, p))
        return x, y, z, p, total, low + error, scale * 0.25

    zero = m.number(0.0, x)
    x, y, z, p, total, low, scale = m.loop(going, step, (x, y, z, p, zero, zero, m.number(1.0, x)), 600)
    mean = mean_of(x, y, z, p)
    dx, dy, dz = 1.0 - x / mean, 1.0 - y / mean, 1.0 - z / mean
    dp = (dx + dy + dz) * -0.5
    triple, square = dx * dy * dz, dp * dp
    e2 = dx * dy + dx * dz + dy * dz - 3.0 * square
    e3 = triple + 2.0 * e2 * dp + 4.0 * square * dp
    e4 = (2.0 * triple + e2 * dp + 3.0 * square * dp) * dp
    return (Pair(m, total, low) * 6.0 + scale * _end_of_duplication(m, mean, e2, e3, e4, triple * square)).value


def carlson_rg(m: Algebra, x: Real, y: Real, z: Real) -> Real:
    """R_G of numbers that are not negative (DLMF 19.21.10), the middle one apart, so that all terms are positive."""
    low, high = m.where(x < y, x, y), m.where(x < y, y, x)
    middle = m.where(z < low, low, m.where(z > high, high, z))
    low, high = m.where(z < low, z, low), m.where(z > high, z, high)
    away = pairs.exact_product(m, high - middle, middle - low) * pairs.constant(m, THIRD, low)
    by_rd = pairs.where(m, away.high > 0.0, away * carlson_rd(m, low, high, middle), 0.0)
    by_rf = pairs.exact_product(m, middle, carlson_rf(m, low, high, middle))
    return 0.5 * (by_rf + by_rd + m.sqrt(low * high / middle)).value


class Symmetric(DerivedByAll):
    """One of Carlson's integrals."""

    flops = 600

    @abstractmethod
    def integral(self, m: Algebra, *x: Real) -> Real:
        """The integral where it converges."""

    def domain(self, m: Algebra, *x: Real) -> Real:
        """Where the integral converges, of numbers that are not negative: where at most one of the first is 0."""
        positive = [v > 0.0 for v in x[:3]]
        return (positive[0] & positive[1]) | (positive[0] & positive[2]) | (positive[1] & positive[2])

    def value(self, m: Algebra, *x: Real) -> Real:
        within, infinite = x[0] >= 0.0, m.equal(m.abs(x[0]), math.inf)
        for v in x[1:]:
            within = within & (v >= 0.0 if self.arity > 2 else m.equal(v, v))
            infinite = infinite | m.equal(m.abs(v), math.inf)
        inside = self.domain(m, *x) & within & ~infinite
        value = self.integral(m, *(m.where(inside, v, 1.0) for v in x))
        # Where one is infinite the integral vanishes, and where too many are 0 it diverges.
        edge = m.where(infinite, m.number(self.far, value), self.at_zeros(m, *x))
        return m.where(inside, value, m.nan_where(~within, edge))

    far: ClassVar[float] = 0.0
    """The limit where an operand grows to infinity."""

    def at_zeros(self, m: Algebra, *x: Real) -> Real:
        """The value where the integral diverges."""
        return m.number(math.inf, x[0])


@define("elliprf")
class Elliprf(Symmetric):
    """R_F(x, y, z) = ½ ∫₀^∞ dt / √((t+x)(t+y)(t+z)). Carlson, 1995."""

    arity = 3

    def integral(self, m: Algebra, *x: Real) -> Real:
        return carlson_rf(m, *x)


@define("elliprd")
class Elliprd(Symmetric):
    """R_D(x, y, z) = R_J(x, y, z, z)."""

    arity = 3

    def domain(self, m: Algebra, *x: Real) -> Real:
        return ((x[0] > 0.0) | (x[1] > 0.0)) & (x[2] > 0.0)

    def integral(self, m: Algebra, *x: Real) -> Real:
        return carlson_rd(m, *x)


@define("elliprc")
class Elliprc(Symmetric):
    """R_C(x, y) = R_F(x, y, y); for negative y its principal value, and NaN at y = 0 between these."""

    arity = 2

    def at_zeros(self, m: Algebra, *x: Real) -> Real:
        return m.number(math.nan, x[0])

    def domain(self, m: Algebra, *x: Real) -> Real:
        return (x[0] >= 0.0) & ~m.equal(x[1], 0.0) & (m.abs(x[1]) < math.inf)

    def integral(self, m: Algebra, *x: Real) -> Real:
        return carlson_rc(m, *x)


@define("elliprj")
class Elliprj(Symmetric):
    """R_J(x, y, z, p) = 3/2 ∫₀^∞ dt / ((t+p) √((t+x)(t+y)(t+z))), of p > 0."""

    arity = 4

    def domain(self, m: Algebra, *x: Real) -> Real:
        return Symmetric.domain(self, m, *x) & (x[3] > 0.0)

    def integral(self, m: Algebra, *x: Real) -> Real:
        return carlson_rj(m, *x)


@define("elliprg")
class Elliprg(Symmetric):
    """R_G(x, y, z) = ¼ ∫₀^∞ (x/(t+x) + y/(t+y) + z/(t+z)) t dt / √((t+x)(t+y)(t+z))."""

    arity = 3
    far = math.inf

    def integral(self, m: Algebra, *x: Real) -> Real:
        return carlson_rg(m, *x)

    def at_zeros(self, m: Algebra, *x: Real) -> Real:
        return 0.5 * m.sqrt(m.abs(x[0] + x[1] + x[2]))


# -- incomplete --------------------------------------------------------------------------------------------------------


@with_attributes
class OfAngle(Derived):
    """An incomplete integral of (φ, m) up to the angle φ, differentiated by m so many times."""

    order: int = 0
    arity = 2
    flops = 1500
    exponent = 0.0
    """The integrand is (1 - m sin²θ) to this power."""

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        angle, parameter = operands
        sine = b.sin(angle)
        square = b.mul(sine, sine)
        base = b.sub(1.0, b.mul(parameter, square))
        slope = b.pow(base, self.exponent - self.order)
        for i in range(self.order):
            slope = b.mul(b.mul(slope, square), i - self.exponent)
        return slope, node(b, type(self)(self.order + 1), angle, parameter)


def _far_out(m: Algebra, angle: Real, parameter: Real, value: Real, limit: float) -> Real:
    """The value, but for infinite angles, and for an infinite parameter its limit."""
    value = m.where(m.equal(parameter, -math.inf) & (m.abs(angle) < math.inf), limit, value)
    return m.where(m.equal(m.abs(angle), math.inf) & (parameter <= 1.0) & (parameter > -math.inf), angle, value)


def _by_half_turns(m: Algebra, angle: Real) -> tuple[Real, Real, Real]:
    """The number of half turns next to an angle, and the sine and the squared cosine of what is left."""
    turns = m.round(angle * (1.0 / math.pi))
    even = m.equal(m.round(turns * 0.5) * 2.0, turns)
    sine, cosine = m.sin(angle), m.cos(angle)
    return turns, m.where(even, sine, -sine), cosine * cosine


@define("ellipkinc")
class Ellipkinc(OfAngle):
    """F(φ, m) = ∫₀^φ dθ / √(1 - m sin²θ), of m ≤ 1."""

    exponent = -0.5

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def value(m: Algebra, angle: Real, parameter: Real) -> Real:
            turns, sine, square = _by_half_turns(m, angle)
            rest = square + (1.0 - parameter) * (sine * sine)
            inside = (rest > 0.0) & (parameter <= 1.0) & (m.abs(angle) < math.inf)
            x, y, one = m.where(inside, square, 1.0), m.where(inside, rest, 1.0), m.number(1.0, rest)
            part = pairs.exact_product(m, sine, carlson_rf(m, x, y, one))
            partial = inside & (parameter < 1.0)
            complete = ellipk_of_rest(m, m.where(partial, 1.0 - parameter, 1.0))
            whole = m.where(partial, (part + complete * (2.0 * turns)).value, turns * math.inf)
            found = m.where(inside, m.where(m.equal(turns, 0.0), part.value, whole), math.nan)
            return _far_out(m, angle, parameter, found, 0.0)

        return derivative(value, m, operands, 1, self.order)


@define("ellipeinc")
class Ellipeinc(OfAngle):
    """E(φ, m) = ∫₀^φ √(1 - m sin²θ) dθ, of m ≤ 1."""

    exponent = 0.5

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def value(m: Algebra, angle: Real, parameter: Real) -> Real:
            turns, sine, square = _by_half_turns(m, angle)
            rest = square + (1.0 - parameter) * (sine * sine)
            inside = (rest >= 0.0) & (parameter <= 1.0) & (m.abs(angle) < math.inf)
            x, y, one = m.where(inside, square, 1.0), m.where(inside & (rest > 0.0), rest, 1.0), m.number(1.0, rest)
            first = sine * carlson_rf(m, x, y, one)
            cubed = parameter * (sine * sine * sine)
            # Positive terms only (DLMF 19.25.9 and 19.25.10).
            up = parameter > 0.0
            by_rd = cubed * carlson_rd(m, x, m.where(up, one, y), m.where(up, y, one)) * (1 / 3)
            turned = pairs.exact_sum(m, first, by_rd) * (1.0 - parameter) + parameter * sine * m.sqrt(x / y)
            part = pairs.where(m, up, turned, pairs.exact_sum(m, first, -by_rd))
            partial = inside & (parameter < 1.0)
            complete = ellipe_of_rest(m, m.where(partial, 1.0 - parameter, 1.0))
            whole = part + pairs.where(m, partial, complete, 1.0) * (2.0 * turns)
            found = m.where(inside, m.where(m.equal(turns, 0.0), part.value, whole.value), math.nan)
            return _far_out(m, angle, parameter, found, math.inf)

        return derivative(value, m, operands, 1, self.order)


# -- Jacobi's functions ------------------------------------------------------------------------------------------------

LANDEN = 10
"""Steps of the arithmetic-geometric mean after which no parameter below 1 leaves anything."""


@define("jacobi_elliptic")
class JacobiElliptic(Formula):
    """Of u and 0 <= m <= 1 the angle φ = am(u, m) with F(φ, m) = u, its sine sn, its cosine cn, or dn = √(1 - m sn²).

    From the cotangent of the angle of parameter 0 to that of m, which keeps the digits of each (Bulirsch 1965).
    """

    function: str = "am"
    arity = 2
    flops = 500

    def type(self, *operands: TensorType) -> Types:
        if self.function not in ("am", "sn", "cn", "dn"):
            self.bad_attribute(operands, f'the function is "am", "sn", "cn" or "dn", not {self.function!r}')
        return Formula.type(self, *operands)

    def formula(self, m: Algebra, *operands: Real) -> Real:
        u, parameter = operands
        inside, tiny = (parameter >= 0.0) & (parameter < 1.0), m.abs(u) < 1e-100
        mean, rest = Pair(m, m.number(1.0, u)), pairs.exact_sum(m, -m.where(inside, parameter, 0.5), m.number(1.0, u))
        means: list[tuple[Real, Real]] = []
        for _ in range(LANDEN):
            root = pairs.sqrt(m, rest)
            means.append((mean.high, root.high))
            rest, mean = mean * root, (mean + root).scaled(0.5)
        angle = mean * m.where(tiny, 1.0, u)
        turns = m.round(angle.high * (1.0 / math.pi))
        away = angle - pairs.constant(m, PI, u) * turns
        sine, cosine = m.sin(away.high), m.cos(away.high)
        cotangent = (cosine - sine * away.low) / (sine + cosine * away.low)
        scaled, dn = mean.high * cotangent, m.number(1.0, u)
        for over, under in reversed(means):
            product = cotangent * scaled
            scaled, dn = scaled * dn, (under + product) / (over + product)
            cotangent = scaled / over
        found, at_one = self._of_cotangent(m, cotangent, turns, away.high, dn), self._at_one(m, u)
        small = u if self.function in ("am", "sn") else m.number(1.0, u)
        found = m.where(m.equal(parameter, 1.0), at_one, m.nan_where(~inside, m.where(tiny, small, found)))
        return m.nan_where(~(m.equal(u, u) & m.equal(parameter, parameter)), found)

    def _of_cotangent(self, m: Algebra, cotangent: Real, turns: Real, away: Real, dn: Real) -> Real:
        """The result, given the cotangent of φ, and the half turns next to φ and the side on which it lies."""
        if self.function == "dn":
            return dn
        side = m.where(away < 0.0, -1.0, m.number(1.0, away))
        if self.function == "am":
            steep = m.abs(cotangent) > 1.0
            near = m.apply(Atan(), m.where(steep, 1.0 / cotangent, 0.0))
            rest = m.where(steep, near, side * HALF_PI[0] - m.apply(Atan(), m.where(steep, 0.0, cotangent)))
            return turns * PI[0] + (turns * PI[1] + rest)
        even = m.equal(m.round(turns * 0.5) * 2.0, turns)
        sine = m.where(even, side, -side) / m.sqrt(cotangent * cotangent + 1.0)
        return sine if self.function == "sn" else cotangent * sine

    def _at_one(self, m: Algebra, u: Real) -> Real:
        """Of parameter 1 they are hyperbolic functions, and Gudermann's."""
        if self.function == "am":
            return 2.0 * m.apply(Atan(), m.apply(Tanh(), u * 0.5))
        return m.apply(Tanh(), u) if self.function == "sn" else 1.0 / m.apply(Cosh(), u)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        sn, cn, dn, angle = (node(b, JacobiElliptic(name), *operands) for name in ("sn", "cn", "dn", "am"))
        _, parameter = operands
        by_m = b.neg(b.mul(dn, node(b, Ellipkinc(1), angle, parameter)))
        if self.function == "am":
            return dn, by_m
        if self.function == "dn":
            product = b.mul(sn, cn)
            share = b.add(b.mul(b.mul(parameter, product), by_m), b.mul(b.mul(sn, sn), 0.5))
            return b.neg(b.mul(parameter, product)), b.neg(b.div(share, dn))
        slope = cn if self.function == "sn" else b.neg(sn)
        return b.mul(slope, dn), b.mul(slope, by_m)
