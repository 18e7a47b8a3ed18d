"""Airy's functions of real numbers: polynomials between -5 and 5, Hankel's kind of expansions beyond.

Above, what is left of a function without its exponential is a polynomial of 1 / z, z = 2/3 x^(3/2); below, the
amplitudes of both functions are polynomials of 1 / z² (DLMF 9.7). Zeros are taken out, so that nothing is lost there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Value, Values, define
from rosin.ir.ops.formulas import airy_tables as tables
from rosin.ir.ops.formulas.bessel import ROOT_HALF, Between
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.pairs import Constant, Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosin.ir.builder import Builder

LOW, MIDDLE, UNIT, TOP, HIGH = -5.0, -3.0, -1.0, 1.0, 5.0
"""Where one polynomial ends and the next begins."""
LIMIT = 2.0**50
"""Below minus this number the angle has lost too many digits."""
ONE_OVER_ROOT_PI = 1.0 / math.sqrt(math.pi)


class Shape(NamedTuple):
    """One of the four functions: its zeros, of which the lowest polynomial skips the first one and others take it out,
    if `near_one`; what is taken out as exp(-growth x) next to 0, and the polynomials.
    """

    roots: Sequence[Constant]
    near_one: bool
    growth: float
    lower: Sequence[float]
    middle: Sequence[float]
    unit: Sequence[float]
    high: Sequence[float]
    far: Sequence[float]


AI = Shape(
    (
        (-2.338107410459767, -3.912260409818305e-17),
        (-4.08794944413097, -3.387261694242901e-16),
        (-5.520559828095551, -2.674142599618633e-16),
    ),
    False,
    0.5,
    tables.AI_LOW,
    tables.AI_MIDDLE,
    tables.AI_UNIT,
    (),
    tables.AI_FAR,
)
AI_SLOPE = Shape(
    (
        (-1.018792971647471, -2.0609116444448518e-17),
        (-3.2481975821798366, 2.435739819073974e-17),
        (-4.820099211178736, 1.0363241404277874e-16),
    ),
    True,
    1.0,
    tables.AI_SLOPE_LOW,
    tables.AI_SLOPE_MIDDLE,
    tables.AI_SLOPE_UNIT,
    (),
    tables.AI_SLOPE_FAR,
)
BI = Shape(
    (
        (-1.173713222709128, 1.0961770450823225e-16),
        (-3.271093302836353, 1.961307626775628e-16),
        (-4.830737841662016, -2.3577023958790265e-16),
    ),
    True,
    0.0,
    tables.BI_LOW,
    tables.BI_MIDDLE,
    tables.BI_UNIT,
    tables.BI_HIGH,
    tables.BI_FAR,
)
BI_SLOPE = Shape(
    (
        (-2.294439682614123, -1.2502681914203563e-16),
        (-4.073155089071828, -2.2107881714419072e-16),
        (-5.5123957296635995, -2.111411794944301e-17),
    ),
    False,
    0.0,
    tables.BI_SLOPE_LOW,
    tables.BI_SLOPE_MIDDLE,
    tables.BI_SLOPE_UNIT,
    tables.BI_SLOPE_HIGH,
    tables.BI_SLOPE_FAR,
)
SHAPES = {(False, False): AI, (False, True): AI_SLOPE, (True, False): BI, (True, True): BI_SLOPE}
AMPLITUDES = {False: (tables.AIRY_P, tables.AIRY_Q), True: (tables.AIRY_R, tables.AIRY_S)}


def _z(m: Algebra, x: Real) -> Pair:
    """2/3 x^(3/2), x > 0."""
    return pairs.sqrt(m, Pair(m, x)) * x * pairs.constant(m, pairs.TWO_THIRDS, x)


def _power(m: Algebra, x: Real, slope: bool) -> Real:
    """The fourth root of x > 0 over √π, or 1 over its product with √π."""
    root = m.sqrt(m.sqrt(x))
    return root * ONE_OVER_ROOT_PI if slope else ONE_OVER_ROOT_PI / root


@define("airy")
class Airy(Formula):
    """Ai(x), or Bi(x) if `second`, or the slope of that, times exp(z) or exp(-z) of z = 2/3 x^(3/2) if `scaled`.

    Scaled, Ai of x < 0 is NaN and Bi is as it is otherwise. Below -2^50 there is nothing but limits.
    """

    second: bool = False
    slope: bool = False
    scaled: bool = False
    flops = 250

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        near, below = self._near(m, x), self._oscillating(m, m.where(x < LOW, -x, -LOW))
        value = m.where(x > self._edge(), self._far(m, x), m.where(x < LOW, below, near))
        if self.scaled and not self.second:
            return m.nan_where(~(x >= 0.0), value)
        lost = m.where(m.equal(x, -math.inf), math.nan if self.slope else m.number(0.0, x), math.nan)
        return m.where(x < -LIMIT, lost, m.nan_where(~m.equal(x, x), value))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        other = node(b, Airy(self.second, not self.slope, self.scaled), x)
        slope = b.mul(x, other) if self.slope else other
        if self.scaled:
            negative = b.less(x, 0.0)
            root = b.select(negative, b.like(0.0, x), b.sqrt(b.select(negative, b.like(1.0, x), x)))
            slope = b.add(slope, b.mul(b.neg(root) if self.second else root, result))
        return (slope,)

    @property
    def shape(self) -> Shape:
        return SHAPES[self.second, self.slope]

    def _edge(self) -> float:
        """Where the function is far from 0."""
        return HIGH if self.second else TOP

    def _near(self, m: Algebra, x: Real) -> Real:
        """The value between -5 and the edge."""
        shape = self.shape
        first = int(shape.near_one)
        low = Between(LOW, MIDDLE, shape.roots[first:], shape.lower).at(m, x)
        middle = Between(MIDDLE, UNIT, shape.roots[: 1 + first], shape.middle).at(m, x)
        value = Between(UNIT, TOP, shape.roots[:first], shape.unit).at(m, x)
        kept = m.where(x < UNIT, UNIT, m.where(x < self._edge(), x, self._edge()))
        over = m.where(kept > TOP, kept - TOP, 0.0)
        exponent = 2.0 * over if self.second else -(kept * shape.growth)
        if self.scaled:
            above = kept > 0.0
            z = pairs.where(m, above, _z(m, m.where(above, kept, 1.0)), 0.0)
            exponent = ((-z if self.second else z) + exponent).value
        if self.second:
            value = m.where(kept > TOP, m.polynomial((over - 2.0) * 0.5, shape.high), value)
        value = value * m.exp(exponent)
        return m.where(x < MIDDLE, low, m.where(x < UNIT, middle, value))

    def _far(self, m: Algebra, x: Real) -> Real:
        """The value above the edge."""
        edge = self._edge()
        size = m.where(x > edge, x, edge)
        kept = m.where(size < 1e3, size, 1e3)  # So far out there is nothing left but limits.
        s = (2.0 * edge * math.sqrt(edge)) / (size * m.sqrt(size)) - 1.0
        z = _z(m, kept)
        factor = m.polynomial(s, self.shape.far) * (1.0 if self.second else 0.5)
        factor = factor * _power(m, size if self.scaled else kept, self.slope)
        if self.scaled:
            return factor
        return pairs.exp_product(m, z if self.second else -z, Pair(m, factor))

    def _oscillating(self, m: Algebra, x: Real) -> Real:
        """The value at -x of x >= 5."""
        z = _z(m, m.where(x < LIMIT, x, LIMIT))
        sine, cosine = m.sin(z.high), m.cos(z.high)
        sine_low, cosine_low = m.sin(z.low), m.cos(z.low)
        sine, cosine = sine * cosine_low + cosine * sine_low, cosine * cosine_low - sine * sine_low
        # Those of z - pi / 4.
        sine, cosine = (sine - cosine) * ROOT_HALF, (cosine + sine) * ROOT_HALF
        ratio = -LOW / x
        s = 2.0 * ratio * ratio * ratio - 1.0
        even_table, odd_table = AMPLITUDES[self.slope]
        even, odd = m.polynomial(s, even_table), m.polynomial(s, odd_table) / z.high
        if self.slope:
            first, second = (cosine, sine) if self.second else (sine, -cosine)
        else:
            first, second = (-sine, cosine) if self.second else (cosine, sine)
        return (even * first + odd * second) * _power(m, x, self.slope)
