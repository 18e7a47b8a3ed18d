"""The gamma function, its reciprocal and its sign, the beta function, and binomial coefficients of real numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rosin.ir import pairs
from rosin.ir.formula import Algebra, Formula, Real, State
from rosin.ir.op import Flat, Op, Partial, Value, Values, define
from rosin.ir.ops.formulas import tables
from rosin.ir.pairs import Pair

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

HALF_LOG_2PI = (0.9189385332046728, -3.8782941580672414e-17)
PI = (math.pi, 1.2246467991473532e-16)
TWO_PI = (2.0 * math.pi, 2.4492935982947064e-16)
# Beyond this size of x gamma(x) is infinite, or zero.
LIMIT = 400.0
# Below this size gamma(x) is 1 / x.
NEXT_TO_ZERO = 2.0**-56
NEAR = 10.0
"""Up to here gamma is a polynomial times the numbers between, beyond by Stirling's series."""


def node(b: Builder, op: Op, *operands: Value) -> Value:
    """The result of an op that the builder has no method for."""
    return b.node(op, *operands)[0]


# The sine of pi t over pi t in t^2: 1 - pi^2/6 t^2, and the terms from t^4 on.
SINE_SQUARE = (-1.6449340668482264, -1.1189976514219582e-16)
SINE_REST = tuple((-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(2, 12))


def sine_pair(m: Algebra, x: Real) -> Pair:
    """sin(pi x), from the distance to the nearest integer."""
    nearest = m.round(x)
    t = x - nearest
    square = pairs.exact_product(m, t, t)
    rest = square.high * m.polynomial(square.high, SINE_REST)
    ratio = square * (pairs.constant(m, SINE_SQUARE, t) + rest) + 1.0
    sine = pairs.constant(m, PI, t) * t * ratio
    even = m.equal(m.round(nearest * 0.5) * 2.0, nearest)
    return pairs.where(m, even, sine, -sine)


def sine_of_pi(m: Algebra, x: Real) -> Real:
    return sine_pair(m, x).value


# B_2k / (2k (2k - 1)), of Stirling's series in 1 / x.
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400, 43867 / 244188)


def stirling_series(m: Algebra, x: Real) -> Real:
    """What log gamma(x) is more than the first terms of Stirling's formula, for x >= 10."""
    inverse = 1.0 / x
    return inverse * m.polynomial(inverse * inverse, STIRLING)


def log_gamma_far(m: Algebra, x: Pair) -> Pair:
    """log gamma(x), for x >= 10."""
    main = (x - 0.5) * pairs.log(m, x) - x + pairs.constant(m, HALF_LOG_2PI, x.high)
    return main + stirling_series(m, x.high)


def gamma_near(m: Algebra, x: Real, most: int = 10) -> tuple[Pair, Pair]:
    """(above, below) with gamma(x) = above / below for 0 <= x <= `most`, by gamma between 3/2 and 5/2."""

    def down(y: Real, product: Real, low: Real) -> State:
        lower = y - 1.0
        product, error = m.product(product, lower)
        return lower, product, low * lower + error

    def going(y: Real, product: Real, low: Real) -> Real:
        return y >= 2.5

    y, product, low = m.loop(going, down, (x, m.number(1.0, x), m.number(0.0, x)), most - 2)
    small, tiny = x < 1.5, x < 0.5
    t = m.where(small, m.where(tiny, x, x - 1.0), y - 2.0)
    kept, one = Pair(m, x), Pair(m, m.number(1.0, x))
    below = pairs.where(m, small, pairs.where(m, tiny, kept * (kept + 1.0), kept), one)
    near = pairs.polynomial(m, t + t, (1.0, *tables.GAMMA_NEAR), (0.0, *tables.GAMMA_NEAR_LOW))
    return near * Pair(m, product, low), below


def gamma_of_next(m: Algebra, x: Real) -> Pair:
    """Gamma(x + 1) for 0 <= x <= 10, as if x + 1 were not rounded."""
    above, _ = gamma_near(m, x)
    one, kept = Pair(m, m.number(1.0, x)), Pair(m, x)
    return above * pairs.where(m, x < 1.5, one, kept) / pairs.where(m, x < 0.5, kept + 1.0, one)


class Factors(NamedTuple):
    """A product of gamma functions: above / below · exp(exponent)."""

    above: Pair
    below: Pair
    exponent: Pair

    def times(self, other: Factors) -> Factors:
        return Factors(self.above * other.above, self.below * other.below, self.exponent + other.exponent)

    def inverse(self) -> Factors:
        return Factors(self.below, self.above, -self.exponent)

    def value(self) -> Real:
        return pairs.exp_product(self.above.m, self.exponent, self.above / self.below)


def gamma_factors(m: Algebra, x: Pair, rounded: bool = False) -> Factors:
    """Gamma(x) up to a size of LIMIT; negative x by gamma(x) gamma(-x) = -pi / (x sin(pi x)).

    At the poles `below` is 0. What x lost in rounding counts if it is `rounded`.
    """
    negative = x.high < 0.0
    size = pairs.where(m, negative, -x, x)
    large = size.high > NEAR
    kept = pairs.where(m, large, NEAR, size)
    above, below = gamma_near(m, kept.high)
    above = shifted(m, above, kept) if rounded else above
    far = pairs.where(m, large, pairs.where(m, size.high > LIMIT, LIMIT, size), NEAR)
    one = Pair(m, m.number(1.0, x.high))
    found = Factors(
        pairs.where(m, large, one, above),
        pairs.where(m, large, one, below),
        pairs.where(m, large, log_gamma_far(m, far), 0.0),
    )
    sine = sine_pair(m, size.high)
    if rounded:
        sine = sine + m.apply(Cospi(), size.high) * (size.low * math.pi)
    turned = found.inverse()
    mirrored = Factors(
        turned.above * pairs.constant(m, (-PI[0], -PI[1]), x.high),
        turned.below * pairs.where(m, negative, sine * size, one),
        turned.exponent,
    )
    return Factors(*(pairs.where(m, negative, y, z) for y, z in zip(mirrored, found, strict=True)))


def _is_pole(m: Algebra, x: Real) -> Real:
    return (x < 0.0) & m.equal(m.floor(x), x)


@define("gamma")
class Gamma(Formula):
    """Γ(x); ±∞ at ±0, NaN at the negative integers and -∞."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        tiny = m.abs(x) < NEXT_TO_ZERO
        usual = ~(tiny | _is_pole(m, x)) & (x < LIMIT)
        result = gamma_factors(m, Pair(m, m.where(usual, x, 1.0))).value()
        far = m.nan_where(_is_pole(m, x), m.where(x > 0.0, m.number(math.inf, x), x * 0.0))
        return m.where(usual, result, m.where(tiny, 1.0 / x, far))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(result, b.digamma(operands[0])),)


@define("rgamma")
class Rgamma(Formula):
    """1 / Γ(x), which is 0 at 0 and the negative integers; NaN at -∞."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        tiny = m.abs(x) < NEXT_TO_ZERO
        usual = ~(tiny | _is_pole(m, x)) & (x < LIMIT)
        result = gamma_factors(m, Pair(m, m.where(usual, x, 1.0))).inverse().value()
        far = m.where(x > 0.0, m.number(0.0, x), m.where(_is_pole(m, x) & (x > -math.inf), 0.0, x * math.nan))
        return m.where(usual, result, m.where(tiny, x, far))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        (x,) = operands
        # Below 1/2 by reflection, sin(pi x) gamma(1 - x) / pi, since digamma has poles there.
        low = b.less(x, 0.5)
        mirrored = b.select(low, b.sub(1.0, x), x)
        by_digamma = b.mul(result, b.digamma(mirrored))
        reflected = b.sub(b.mul(node(b, Cospi(), x), node(b, Gamma(), mirrored)), by_digamma)
        return (b.select(low, reflected, b.neg(by_digamma)),)


@define("gammasgn")
class Gammasgn(Flat, Formula):
    """The sign of Γ(x): ±1 at ±0, NaN at the negative integers and -∞."""

    flops = 10

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        whole = m.floor(x)
        even = m.equal(m.floor(whole * 0.5) * 2.0, whole)
        below = m.nan_where(m.equal(whole, x), m.where(even, m.number(1.0, x), -1.0))
        zero = m.where(m.equal(1.0 / x, -math.inf), m.number(-1.0, x), 1.0)
        return m.where(x < 0.0, below, m.where(m.equal(x, x), zero, x))


class OfPi(Formula):
    """A circular function of half turns."""

    flops = 30


@define("sinpi")
class Sinpi(OfPi):
    """sin(π x), exact at multiples of 1/2."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        # Even floats are all there is from 2^53 on; at integers the zero has the sign of x.
        whole = m.equal(m.round(x), x)
        return m.where(whole, x * 0.0, sine_of_pi(m, x))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(node(b, Cospi(), operands[0]), math.pi),)


@define("cospi")
class Cospi(OfPi):
    """cos(π x), exact at multiples of 1/2."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        (x,) = operands
        nearest = m.round(x)
        even = m.equal(m.round(nearest * 0.5) * 2.0, nearest)
        # By the sine of what is left to a quarter turn, which is exact.
        cosine = m.sin((0.5 - m.abs(x - nearest)) * math.pi)
        return m.nan_where(m.equal(m.abs(x), math.inf), m.where(even, cosine, -cosine))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (b.mul(node(b, Sinpi(), operands[0]), -math.pi),)


# -- the beta function -------------------------------------------------------------------------------------------------


def shifted(m: Algebra, gamma: Pair, x: Pair) -> Pair:
    """Gamma(x) from gamma(x.high): by digamma, which need not be exact."""
    above, kept = x.high + 1.0, m.where(m.equal(x.high, 0.0), 1.0, x.high)
    return gamma * (x.low * (m.log(above) - 0.5 / above - 1.0 / kept) + 1.0)


def _ratio(m: Algebra, factors: Callable[[Pair], Factors], first: Pair, second: Pair, last: Pair) -> Factors:
    """f(first) f(second) / f(last), one after the other in a loop, since the code of f is long."""

    def going(*state: Real) -> Real:
        return state[-1] < 3.0

    def step(*state: Real) -> State:
        i, known = state[-1], Factors(*(Pair(m, *state[k : k + 2]) for k in (0, 2, 4)))
        is_last = i > 1.0
        found = factors(pairs.where(m, is_last, last, pairs.where(m, i > 0.0, second, first)))
        turned = zip(found.inverse(), found, strict=True)
        product = known.times(Factors(*(pairs.where(m, is_last, x, y) for x, y in turned)))
        return *(part for x in product for part in (x.high, x.low)), i + 1.0

    one, zero = m.number(1.0, first.high), m.number(0.0, first.high)
    state = m.loop(going, step, (one, zero, one, zero, zero, zero, zero), 3)
    return Factors(*(Pair(m, *state[k : k + 2]) for k in (0, 2, 4)))


def beta_factors(m: Algebra, a: Pair, b: Pair, total: Pair) -> Factors:
    """B(a, b) of positive numbers and their sum: by gamma up to 10, with Stirling's series for what is beyond."""
    swap = a.high > b.high
    small, large = pairs.where(m, swap, b, a), pairs.where(m, swap, a, b)
    one, both = large.high > NEAR, small.high > NEAR

    # Those that are at most 10, by gamma.
    def near(x: Pair) -> Factors:
        above, below = gamma_near(m, x.high, 20)
        return Factors(shifted(m, above, x), below, Pair(m, m.number(0.0, x.high)))

    of_large, of_total = pairs.where(m, one, 1.0, large), pairs.where(m, one, 1.0, total)
    above, below, _ = _ratio(m, near, pairs.where(m, both, 1.0, small), of_large, of_total)
    # One is large: gamma(a) (b / (a + b))^(b - 1/2) ((a + b) / e)^-a. Both are: sqrt(2 pi / a) (a / (a + b))^a (…).
    kept, whole = pairs.where(m, one, large, 20.0), pairs.where(m, one, total, 30.0)
    part = pairs.where(m, both, small, 1.0)
    share = pairs.log(m, part / whole) + m.where(both, 0.0, m.number(1.0, part.high))
    exponent = (kept - 0.5) * pairs.log(m, kept / whole) + pairs.where(m, one, small, 0.0) * share
    series = stirling_series(m, kept.high) - stirling_series(m, whole.high)
    exponent = exponent + (series + m.where(both, stirling_series(m, m.where(both, small.high, NEAR)), 0.0))
    root = pairs.sqrt(m, pairs.constant(m, TWO_PI, part.high) / part)
    unit = Pair(m, m.number(1.0, part.high))
    return Factors(
        pairs.where(m, both, root, above), pairs.where(m, both, unit, below), pairs.where(m, one, exponent, 0.0)
    )


def beta_of_positive(m: Algebra, a: Real, b: Real) -> Factors:
    return beta_factors(m, Pair(m, a), Pair(m, b), pairs.exact_sum(m, a, b))


def gamma_ratio(m: Algebra, x: Pair, a: Pair, b: Pair) -> Real:
    """Gamma(x) / (gamma(a) gamma(b)): by factors while they are of moderate size, else by logarithms."""
    highs = x.high, a.high, b.high
    direct = (m.abs(highs[0]) < LIMIT) & (m.abs(highs[1]) < LIMIT) & (m.abs(highs[2]) < LIMIT)
    top, first, second = (pairs.where(m, direct, v, 1.0) for v in (x, a, b))
    value = _ratio(m, partial(gamma_factors, m, rounded=True), first, second, top).inverse().value()
    signs, (p, q, r) = [m.apply(Gammasgn(), v) for v in highs], map(m.lgamma, highs)
    return m.where(direct, value, m.exp(p - (q + r)) * (signs[0] * signs[1] * signs[2]))


class OfTwo(Formula):
    """A function of two numbers."""

    arity = 2
    flops = 400


@define("beta")
class Beta(OfTwo):
    """B(a, b) = Γ(a) Γ(b) / Γ(a + b)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        a, b = operands
        total = a + b
        # One that is not positive: by gamma while it is finite, else by logarithms.
        positive = (a > TINY) & (b > TINY) & (total < math.inf)
        meets, first, k = _meets_pole(m, a, b)
        inside = beta_of_positive(m, m.where(positive, a, first), m.where(positive, b, k)).value()
        even = m.equal(m.floor(k * 0.5) * 2.0, k)
        inside = m.where(meets & ~even, -inside, inside)
        found = m.where(
            positive | meets, inside, 1.0 / gamma_ratio(m, pairs.exact_sum(m, a, b), Pair(m, a), Pair(m, b))
        )
        found = m.where(_are_tiny(m, a, b), 1.0 / a + 1.0 / b, found)
        return _at_edges(m, a, b, found, 0.0)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return tuple(b.mul(result, slope) for slope in Betaln().partials(b, operands, result))


TINY = 1e-140
"""Products of positive numbers up to this one are not worth pairs, whose low parts would vanish."""


def _are_tiny(m: Algebra, a: Real, b: Real) -> Real:
    """Whether one of two positive numbers is so small that B is the sum of their reciprocals."""
    return (a > 0.0) & (b > 0.0) & ((a <= TINY) | (b <= TINY)) & (a < 1e280) & (b < 1e280)


def _at_edges(m: Algebra, a: Real, b: Real, value: Real, far: float) -> Real:
    """The value, but for infinite operands beside positive ones, and at 0 and the negative integers."""
    infinite = (m.equal(a, math.inf) & (b > 0.0)) | (m.equal(b, math.inf) & (a > 0.0))
    pole = (_is_whole_and_least(m, a) & (b < math.inf)) | (_is_whole_and_least(m, b) & (a < math.inf))
    return m.where(infinite, far, m.where(pole & ~_meets_pole(m, a, b)[0], math.inf, value))


def _is_whole_and_least(m: Algebra, x: Real) -> Real:
    return (x <= 0.0) & m.equal(m.floor(x), x) & (x > -math.inf)


def _meets_pole(m: Algebra, a: Real, b: Real) -> tuple[Real, Real, Real]:
    """Whether one is a pole n and the other a whole k with 1 - n - k > 0, so that B = (-1)^k B(1 - n - k, k), and both
    operands of that.
    """
    swap = _is_whole_and_least(m, b)
    n, k = m.where(swap, b, a), m.where(swap, a, b)
    first = (1.0 - n) - k
    meets = _is_whole_and_least(m, n) & m.equal(m.floor(k), k) & (k > 0.0) & (first > 0.0)
    return meets, m.where(meets, first, 1.0), m.where(meets, k, 1.0)


@define("betaln")
class Betaln(OfTwo):
    """log |B(a, b)|."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        a, b = operands
        other = m.lgamma(a) + m.lgamma(b) - m.lgamma(a + b)
        positive = (a > TINY) & (b > TINY) & (a + b < math.inf)
        meets, first, k = _meets_pole(m, a, b)
        inside = beta_of_positive(m, m.where(positive, a, first), m.where(positive, b, k))
        logarithm = pairs.log(m, inside.above / inside.below) + inside.exponent
        small, large = m.where(a < b, a, b), m.where(a < b, b, a)
        tiny = m.log1p(m.where(_are_tiny(m, a, b), small / large, 1.0)) - m.log(m.where(small > 0.0, small, 1.0))
        found = m.where(positive | meets, logarithm.value, m.where(_are_tiny(m, a, b), tiny, other))
        return _at_edges(m, a, b, found, -math.inf)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Value, ...]:
        total = b.digamma(b.add(*operands))
        return tuple(b.sub(b.digamma(x), total) for x in operands)


# -- binomial coefficients ---------------------------------------------------------------------------------------------

EXACT = 20
"""Up to this k, coefficients of an integer k are products."""


@define("binom")
class Binom(OfTwo):
    """The binomial coefficient Γ(n + 1) / (Γ(k + 1) Γ(n - k + 1)); NaN where n is a negative integer."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        n, k = operands
        whole = m.equal(m.floor(k), k)
        integers = whole & m.equal(m.floor(n), n) & (n > 0.0)
        few = m.where(integers & (k > n * 0.5), n - k, k)

        def going(product: Real, i: Real) -> Real:
            return whole & (i <= few) & (few <= float(EXACT))

        def step(product: Real, i: Real) -> State:
            return product * ((n - few) + i) / i, i + 1.0

        product, _ = m.loop(going, step, (m.number(1.0, n), m.number(1.0, n)), EXACT)
        inside = (n > -1.0) & (k > -1.0) & (n - k > -1.0)
        # 1 / ((n + 1) B(n - k + 1, k + 1)), of numbers as if they were not rounded.
        top = pairs.exact_sum(m, m.where(inside, n, 1.0), m.number(1.0, n))
        bottom = pairs.exact_sum(m, m.where(inside, k, 1.0), m.number(1.0, n))
        by_beta = beta_factors(m, top - bottom + 1.0, bottom, top + 1.0).inverse()
        by_beta = Factors(by_beta.above, by_beta.below * top, by_beta.exponent).value()
        one = m.number(1.0, n)
        outside = gamma_ratio(
            m, *(pairs.exact_sum(m, n, one), pairs.exact_sum(m, k, one), pairs.exact_sum(m, n, -k) + 1.0)
        )
        result = m.where(inside, by_beta, outside)
        # Of a huge n it is n^k / k!.
        result = m.where(n > 1e17 * (m.abs(k) + 1.0), m.pow(n, k) * m.apply(Rgamma(), k + 1.0), result)
        result = m.where(whole & (few >= 0.0) & (few <= float(EXACT)), product, result)
        result = m.where(whole & (k < 0.0), 0.0, m.where(integers & (k > n), 0.0, result))
        return m.nan_where((n < 0.0) & m.equal(m.floor(n), n), result + (n * 0.0 + k * 0.0))

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        n, k = operands
        top, bottom, rest = (b.digamma(b.add(x, 1.0)) for x in (n, k, b.sub(n, k)))
        return b.mul(result, b.sub(top, rest)), b.mul(result, b.sub(rest, bottom))


@define("poch")
class Poch(OfTwo):
    """Pochhammer's symbol Γ(z + m) / Γ(z)."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        z, k = operands
        whole = m.equal(m.floor(k), k) & (k >= 0.0) & (k <= float(EXACT))

        def going(product: Real, i: Real) -> Real:
            return whole & (i < k)

        def step(product: Real, i: Real) -> State:
            return product * (z + i), i + 1.0

        product, _ = m.loop(going, step, (m.number(1.0, z), m.number(0.0, z)), EXACT)
        one, total = Pair(m, m.number(1.0, z)), pairs.exact_sum(m, z, k)
        # Of large numbers by Stirling's series.
        large = (z > NEAR) & (total.high > NEAR) & (total.high < math.inf)
        top, base = pairs.where(m, large, total, 20.0), pairs.where(m, large, z, 20.0)
        rise = (pairs.log(m, top) - 1.0) * m.where(large, k, 0.0)
        series = stirling_series(m, top.high) - stirling_series(m, base.high)
        exponent = (base - 0.5) * pairs.log(m, top / base) + rise + series
        ratio = pairs.exp_product(m, exponent, one)
        found = m.where(large, ratio, gamma_ratio(m, total, Pair(m, z), one))
        found = m.where(whole, product, found)
        return m.where((m.abs(k) < 1e-290) & (z > 0.0), 1.0, found)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        z, _ = operands
        top = b.mul(result, b.digamma(b.add(*operands)))
        return b.sub(top, b.mul(result, b.digamma(z))), top
