"""Faddeeva's function w(z) = exp(-z²) erfc(-iz), and Voigt's profile, which is its real part.

Both are sums of the trapezoidal rule for i z / π ∫ exp(-t²) / (z² - t²) dt, to which the residue at the pole is added
(Chiarella and Reichel 1968; Al Azah and Chandler-Wilde 2021). The places are multiples of 1/2, or those in between,
whichever are further from the real part of z; all are exact numbers, so that distances from them are too.
"""

from __future__ import annotations

import math

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Real
from rosin.ir.op import define
from rosin.ir.ops.formulas.derived import DerivedByAll
from rosin.ir.ops.formulas.gamma import Cospi, Sinpi
from rosin.ir.pairs import Pair

STEP = 0.5
PLACES = 14
"""What lies beyond 7 is below 1e-18 of the sum."""
NO_POLE = 2.0 * math.pi
"""From this imaginary part on the residue is nothing beside the sum."""
FAR = 256.0
"""Beyond this size of z four terms of the asymptotic series are exact."""
ROOT_HALF = (0.7071067811865476, -4.833646656726457e-17)
ONE_OVER_PI = 1.0 / math.pi
ONE_OVER_ROOT_PI = 1.0 / math.sqrt(math.pi)
ROOT_TWO_PI = (2.5066282746310007, -1.8328579980459167e-16)


def faddeeva(m: Algebra, x: Pair, y: Real) -> tuple[Real, Real]:
    """The real and the imaginary part of w(x + iy), of 0 <= y < FAR and |x| < FAR."""
    high, low = x.high, x.low
    phase = high * 2.0 - m.floor(high * 2.0)
    between = (phase < 0.25) | (phase > 0.75)  # Whether the places are 1/4, 3/4, …
    square = y * y
    real, imaginary = m.number(0.0, y), m.number(0.0, y)
    for k in reversed(range(PLACES)):
        odd, even = (k + 0.5) * STEP, k * STEP
        place = m.where(between, odd, m.number(even, y))
        # The place 0 has half a weight, since the others stand for two.
        first, second = math.exp(-odd * odd), math.exp(-even * even) * (0.5 if k == 0 else 1.0)
        weight = m.where(between, first * STEP / math.pi, m.number(second * STEP / math.pi, y))
        left, right = (high - place) + low, (high + place) + low
        left_share, right_share = weight / (left * left + square), weight / (right * right + square)
        real = real + (left_share + right_share)
        imaginary = imaginary + (left_share * left + right_share * right)
    pole_real, pole_imaginary = _residue(m, x, y, between)
    return real * y + pole_real, imaginary + pole_imaginary


def asymptotic(m: Algebra, u: Real, v: Real, t: Real) -> tuple[Real, Real]:
    """i / z (1 + a + 3 a² + 15 a³) with a = (t / z)² and z = u + iv: for t = √½ that is √π w(z) of |z| > FAR."""
    radius = u * u + v * v
    ratio = t / radius
    ratio = ratio * ratio
    p, q = ratio * (u * u - v * v), ratio * (-2.0 * u * v)
    real, imaginary = m.number(0.0, u), m.number(0.0, u)
    for factor in (5.0, 3.0, 1.0):
        real, imaginary = (1.0 + real) * p - imaginary * q, (1.0 + real) * q + imaginary * p
        real, imaginary = real * factor, imaginary * factor
    return (v + (v * real - u * imaginary)) / radius, (u + (u * real + v * imaginary)) / radius


def _scale(m: Algebra, size: Real) -> Real:
    """A power of two, by which numbers up to this size have squares that are numbers."""
    return m.where(size > 1e140, 2.0**-600, m.where(size < 1e-140, m.number(2.0**600, size), 1.0))


def _residue(m: Algebra, x: Pair, y: Real, between: Real) -> tuple[Real, Real]:
    """2 exp(-z²) / (1 ± exp(-4 πi z)), with the plus for places that lie in between."""
    none, high = y > NO_POLE, x.high
    y = m.where(none, NO_POLE, y)
    # exp(-4 πi z) is exp(4 πy) (cosine - i sine).
    cosine, sine = m.apply(Cospi(), high * 4.0), m.apply(Sinpi(), high * 4.0)
    turn = x.low * (4.0 * math.pi)
    cosine, sine = cosine - sine * turn, sine + cosine * turn
    sign = m.where(between, 1.0, m.number(-1.0, y))
    cosine, sine = cosine * sign, sine * sign
    far = m.abs(high) > 40.0
    kept = pairs.where(m, far, 40.0, x)
    decay = pairs.exp(m, -(kept * kept) + y * (y - 4.0 * math.pi)).value
    q = m.exp(y * (-4.0 * math.pi))
    below = q + cosine
    size = decay * 2.0 / (below * below + sine * sine)
    angle = m.where(far, 0.0, high * y * 2.0)
    angle_cosine, angle_sine = m.cos(angle), m.sin(angle)
    real = size * (angle_cosine * below + angle_sine * sine)
    imaginary = size * (angle_cosine * sine - angle_sine * below)
    return m.where(none, 0.0, real), m.where(none, 0.0, imaginary)


@define("faddeeva")
class Faddeeva(DerivedByAll):
    """The real part of w(x + iy), or its imaginary part."""

    imaginary: bool = False
    arity = 2
    flops = 600

    @property
    def times(self) -> tuple[int, ...]:
        return self.orders

    def value(self, m: Algebra, *operands: Real) -> Real:
        x, y = operands
        below = y < 0.0
        height = m.where(below, -y, y)
        near = (m.abs(x) < FAR) & (height < FAR)
        found = faddeeva(m, Pair(m, m.where(near, x, 0.0)), m.where(near, height, 1.0))[self.imaginary]
        u, v = m.where(near, 1.0, x), m.where(near, 1.0, height)
        scale = _scale(m, m.where(m.abs(u) > v, m.abs(u), v))
        far = asymptotic(m, u * scale, v * scale, scale * ROOT_HALF[0])[self.imaginary] * scale * ONE_OVER_ROOT_PI
        found = m.where(near, found, far)
        infinite = (m.equal(m.abs(x), math.inf) & m.equal(y, y)) | (m.equal(height, math.inf) & m.equal(x, x))
        found = m.where(infinite, 0.0, found)
        # w(z) + w(-z) = 2 exp(-z²).
        kept, height = m.where(below, x, 0.0), m.where(below, y, 0.0)
        exponent = pairs.exact_product(m, height, height) - pairs.exact_product(m, kept, kept)
        turn, error = m.product(kept, height)
        angle, rest = turn * 2.0, error * 2.0
        sine, cosine = m.sin(angle), m.cos(angle)
        part = -(sine + rest * cosine) if self.imaginary else cosine - rest * sine
        mirrored = pairs.exp_product(m, exponent, Pair(m, part * 2.0))
        return m.where(below, mirrored + found if self.imaginary else mirrored - found, found)


@define("voigt_profile")
class VoigtProfile(DerivedByAll):
    """The density at x of a normal number of deviation sigma and a Cauchy number of half width gamma, added up.

    NaN of sigma or gamma below 0.
    """

    arity = 3
    flops = 600

    def value(self, m: Algebra, *operands: Real) -> Real:
        x, sigma, gamma = operands
        far = ~((m.abs(x) < sigma * FAR) & (gamma < sigma * FAR) & (sigma < math.inf) & (sigma > 1e-290))
        kept = m.where(far, 1.0, sigma)
        z = pairs.quotient(m, m.where(far, 1.0, x), kept) * pairs.constant(m, ROOT_HALF, x)
        y = (pairs.quotient(m, m.where(far, 1.0, gamma), kept) * pairs.constant(m, ROOT_HALF, x)).value
        width = pairs.constant(m, ROOT_TWO_PI, x) * kept
        near = (Pair(m, faddeeva(m, z, y)[0]) / width).value
        # Cauchy's density in the end.
        size = m.where(m.abs(x) > gamma, m.abs(x), gamma)
        usual = far & (size > 0.0) & (size < math.inf) & (sigma < math.inf)
        scale = _scale(m, m.where(usual, size, 1.0))
        u, v, t = (m.where(usual, part, 1.0) * scale for part in (x, gamma, sigma))
        cauchy = asymptotic(m, u, v, t)[0] * scale * ONE_OVER_PI
        edge = m.where(m.equal(size, 0.0) & m.equal(sigma, 0.0), m.number(math.inf, x), 0.0)
        value = m.where(far, m.where(usual, cauchy, edge), near)
        known = (sigma >= 0.0) & (gamma >= 0.0) & m.equal(x, x)
        return m.nan_where(~known, value)
