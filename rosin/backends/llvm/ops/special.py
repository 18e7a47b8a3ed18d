"""The logistic function, the error function and its kin, and log-gamma with its derivative as inlined vector code.

Every function takes and returns floats or doubles, of any number of lanes. Special values are those of C99, annex F,
and for erfinv and digamma those of scipy.special.
Errors are the greatest measured: for double against 113-bit arithmetic on millions of arguments over all exponents, for
float the same and mostly all 2**32 arguments. Float goes through double unless said otherwise: at most 0.501 ulp.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import approximation as ap
from rosin.backends.llvm.ops.approximation import Pair
from rosin.backends.llvm.ops.exponential import emit_exp, emit_log
from rosin.backends.llvm.ops.parts import ERF_PARTS, ERFC_PARTS, ERFINV_PARTS, by_parts, saturating
from rosin.backends.llvm.ops.trigonometric import sin_of_rest, tan_of_rest
from rosin.ir.coefficients import (
    ERF_DOUBLE,
    ERFINV_CENTRAL,
    ERFINV_MIDDLE,
    ERFINV_OUTER,
    EXP2_DOUBLE,
    EXP_DOUBLE,
    HALF_LOG_TWO_PI_LESS_HALF,
    LGAMMA,
    LOG2_ERFC_DOUBLE,
    SCALED_ERFC,
    STIRLING,
)
from rosin.ir.op import Op
from rosin.ir.ops import special as ops


def emit_sigmoid(e: Emitter, x: Val) -> Val:
    """1 / (1 + exp(-x)) as a - a q with q = z / (1 + z) and z = exp(-|x|), where a is z for negative x, else 1.

    This falls to zero through subnormal numbers, and a small q carries few of its rounding errors into the sum. At most
    1.7 ulp; float in float.
    """
    one = e.like(1.0, x)
    power = emit_exp(e, e.fneg(ap.absolute(e, x)))
    quotient = e.fdiv(power, e.fadd(power, one))
    scale = e.select(e.fcmp("olt", x, e.like(0.0, x)), power, one)
    return e.fma(e.fneg(scale), quotient, scale)


# -- the error function ----------------------------------------------------------------------------------------

# Minimax for erf(x) / x - 1 in x**2, |x| <= 1: 2^-29.0 of erf(x).
ERF_FLOAT = (
    0.12837916612625122,
    -0.3761262595653534,
    0.11283578723669052,
    -0.026853347197175026,
    0.005187164526432753,
    -0.0007997883367352188,
    7.807041401974857e-05,
)
# Minimax for log2(erfc(1 + t)), 0 <= t, up to where erf rounds to one: 2^-27.4 of erf.
LOG2_ERFC_FLOAT = (
    -2.668416738510132,
    -3.8072211742401123,
    -1.2164064645767212,
    -0.059672847390174866,
    0.013891870155930519,
    -0.002330248011276126,
    0.00018183847714681178,
)
# Minimax for 2**r, |r| <= 1/2, good enough where erfc is below 0.16: 2^-23.4.
EXP2_FOR_ERF = (
    1.0,
    0.6931470036506653,
    0.24022246897220612,
    0.0555071197450161,
    0.009671308100223541,
    0.001326914643868804,
)
ERF_LIMIT = {"float": 2.95, "double": 4.95}


def emit_erf(e: Emitter, x: Val) -> Val:
    """erf(x) by a polynomial up to 1; above, 1 - 2**q(|x|) with q a polynomial for log2(erfc).

    At most 1.1 ulp; float in float, and by parts where registers are looked up.
    """
    if e.avx512 and x.elem == "float":
        return saturating(e, x, 4.0, 1.87, ERF_PARTS)
    one, size = e.like(1.0, x), ap.absolute(e, x)
    square = e.fmul(x, x)
    near = e.fma(ap.horner(e, square, ap.by_type(x, ERF_FLOAT, ERF_DOUBLE)), size, size)
    t = ap.at_most(e, e.fsub(size, one), ERF_LIMIT[x.elem])
    exponent = ap.horner(e, t, ap.by_type(x, LOG2_ERFC_FLOAT, LOG2_ERFC_DOUBLE))
    n, bits = ap.nearest_integer(e, exponent, 1.0, ap.format_of(x).bias)
    fraction = ap.horner(e, e.fsub(exponent, n), ap.by_type(x, EXP2_FOR_ERF, EXP2_DOUBLE))
    far = e.fsub(one, e.fmul(fraction, ap.power_of_two(e, bits, x.elem)))
    return ap.copysign(e, e.select(e.fcmp("olt", size, one), near, far), x)


def erfc_of_double(e: Emitter, x: Val) -> Val:
    one, half, two = e.like(1.0, x), e.like(0.5, x), e.like(2.0, x)
    size = ap.at_most(e, ap.absolute(e, x), 28.0)
    square = ap.two_product(e, size, size)
    # Up to 1/2: 1 - erf(x).
    near = e.fma(ap.horner(e, square.high, ERF_DOUBLE), x, x)
    # Above: exp(-x**2) times the scaled function.
    t = e.fdiv(e.fsub(size, e.like(4.0, x)), e.fadd(size, e.like(4.0, x)))
    above = ap.fast_two_sum(e, e.like(SCALED_ERFC[0], x), e.fmul(t, ap.horner(e, t, SCALED_ERFC[1:])))
    below = ap.fast_two_sum(e, e.fadd(size, size), one)
    inverse = e.fdiv(one, below.high)
    scaled = e.fmul(above.high, inverse)
    left = e.fadd(e.fma(e.fneg(scaled), below.low, e.fma(e.fneg(scaled), below.high, above.high)), above.low)
    low = e.fmul(left, inverse)
    reduced = ap.reduce_by_ln2(e, e.fneg(square.high), 2 * ap.FORMATS["double"].bias)
    rest = e.fsub(reduced.rest, square.low)
    # (scaled + low) * exp(rest), rounded once but for little.
    tail = e.fma(e.fmul(scaled, rest), ap.horner(e, rest, EXP_DOUBLE[1:]), e.fma(low, rest, low))
    far = ap.scaled(e, e.fadd(scaled, tail), reduced.n, reduced.bits)
    negative = e.fcmp("olt", x, e.like(0.0, x))
    far = e.select(negative, e.fsub(two, far), far)
    return e.select(e.fcmp("olt", size, half), e.fsub(one, near), far)


# sqrt(1/2) in two parts.
ROOT_HALF_FLOAT = (0.7071067690849304, 1.2101617485882343e-08)


def erfc_of_size(e: Emitter, size: Val, low: Val | None = None) -> Val:
    """erfc of floats that are not negative, of the sum `size + low` if low is given."""
    size = ap.at_most(e, size, 10.5)
    part = by_parts(e, size, e.fadd(size, e.like(0.75, size)), ERFC_PARTS, low)
    scaled = e.fma(part.slope(e), part.distance, part.constant)
    square = ap.two_product(e, size, size)
    if low is not None:
        square = Pair(square.high, e.fma(e.fadd(size, size), low, square.low))
    # Times exp(-square), of whose argument what is less than half a unit is added last.
    n, bits = ap.nearest_integer(e, square.high, -ap.LOG2_E, 2 * ap.FORMATS["float"].bias)
    ln2 = [e.like(part, size) for part in ap.LN2_FLOAT]
    less, least = e.fma(n, ln2[0], square.high), e.fma(n, ln2[1], square.low)
    rest = e.fneg(e.fadd(less, least))
    tail = e.fma(e.fmul(rest, rest), ap.horner(e, rest, ap.EXPM1_FLOAT), e.fneg(least))
    return ap.scaled(e, e.fma(scaled, e.fsub(tail, less), scaled), n, bits)


def emit_erfc(e: Emitter, x: Val) -> Val:
    """erfc(x) = exp(-x**2) times a polynomial, and 2 - erfc(-x) for negative x; of doubles 1 - erf(x) up to 1/2.

    At most 1.7 ulp; float in float.
    """
    if x.elem == "double":
        return erfc_of_double(e, x)
    result = erfc_of_size(e, ap.absolute(e, x))
    return e.select(e.fcmp("olt", x, e.like(0.0, x)), e.fsub(e.like(2.0, x), result), result)


def ndtr_of_float(e: Emitter, x: Val) -> Val:
    """The normal distribution function, erfc(-x / sqrt(2)) / 2, where the argument's rounding error counts as well.

    At most 1.9 ulp.
    """
    size, root_half = ap.absolute(e, x), [e.like(part, x) for part in ROOT_HALF_FLOAT]
    # The greatest argument, so that infinity has no rounding error.
    size = ap.at_most(e, size, 15.0)
    scaled = ap.two_product(e, size, root_half[0])
    half = e.fmul(erfc_of_size(e, scaled.high, e.fma(size, root_half[1], scaled.low)), e.like(0.5, x))
    return e.select(e.fcmp("ogt", x, e.like(0.0, x)), e.fsub(e.like(1.0, x), half), half)


# Low parts of the constant terms of erfinv's three polynomials.
ERFINV_LOW = (-2.1687449186431507e-17, -8.764300287650756e-17, 2.807933804991707e-17)


def erfinv_of_double(e: Emitter, x: Val) -> Val:
    one = e.like(1.0, x)
    w = e.fneg(emit_log(e, e.fma(e.fneg(x), x, one)))
    root = ap.square_root(e, w)
    pieces = [(w, 3.125, ERFINV_CENTRAL), (root, 3.25, ERFINV_MIDDLE), (root, 5.0625, ERFINV_OUTER)]
    # The constant term is added last, and what that loses counts too.
    first = [e.like(coefficients[0], x) for *_, coefficients in pieces]
    shifted = [e.fsub(v, e.like(middle, x)) for v, middle, _ in pieces]
    rest = [e.fmul(t, ap.horner(e, t, c[1:])) for t, (*_, c) in zip(shifted, pieces, strict=True)]
    outer, central = e.fcmp("olt", w, e.like(16.0, x)), e.fcmp("olt", w, e.like(6.25, x))
    low = [e.like(value, x) for value in ERFINV_LOW]
    constant, low, small = (e.select(central, v[0], e.select(outer, v[1], v[2])) for v in (first, low, rest))
    factor = ap.fast_two_sum(e, constant, small)
    result = ap.copysign(e, e.fma(x, factor.high, e.fmul(x, e.fadd(factor.low, low))), x)
    edge = e.fcmp("oeq", ap.absolute(e, x), one)
    return e.select(edge, ap.copysign(e, e.like(math.inf, x), x), result)


def erfinv_of_float(e: Emitter, x: Val) -> Val:
    one = e.like(1.0, x)
    w = e.fneg(emit_log(e, e.fma(e.fneg(x), x, one)))
    part = by_parts(e, w, e.fma(w, e.like(0.9, x), one), ERFINV_PARTS)
    result = e.fma(x, part.constant, e.fmul(e.fmul(x, part.distance), part.slope(e)))
    at_end = e.fcmp("oeq", ap.absolute(e, x), one)
    return ap.copysign(e, e.select(at_end, e.like(math.inf, x), result), x)


def emit_erfinv(e: Emitter, x: Val) -> Val:
    """erfinv(x) as x times polynomials in w = -log(1 - x**2) or its root, in the manner of Giles (2010).

    At most 1.4 ulp (float, by parts of w), 2 (double); float in float.
    """
    return erfinv_of_float(e, x) if x.elem == "float" else erfinv_of_double(e, x)


# -- the gamma function ----------------------------------------------------------------------------------------

LOG_PI = 1.1447298858494002
PI_LOW = 1.2246467991473532e-16


def lgamma_of_positive(e: Emitter, x: Val) -> Val:
    """lgamma of doubles > 0.

    From 8 on Stirling's series. Below, x is shifted to y = 2 + t, |t| <= 1/2, by lgamma(x + 1) = lgamma(x) + log(x);
    the factors are multiplied, so that one logarithm serves all cases.
    """
    zero, one, half = e.like(0.0, x), e.like(1.0, x), e.like(0.5, x)
    large = e.fcmp("oge", x, e.like(8.0, x))
    # Downwards: the product of the numbers from y to x - 1.
    y, product = x, one
    for _ in range(6):
        above = e.fcmp("oge", y, e.like(2.5, x))
        lower = e.fsub(y, one)
        product = e.select(above, e.fmul(product, lower), product)
        y = e.select(above, lower, y)
    t = e.fsub(y, e.like(2.0, x))
    # Upwards by one or two.
    tiny, small = e.fcmp("olt", x, half), e.fcmp("olt", x, e.like(1.5, x))
    t = e.select(small, e.select(tiny, x, e.fsub(x, one)), t)
    product = e.select(small, e.select(tiny, e.fmul(x, e.fadd(x, one)), x), product)
    logarithm = ap.log_pair(e, e.select(large, x, product))
    # factor * (log - less) + rest
    less = e.select(large, one, zero)
    factor = e.select(large, e.fsub(x, half), e.select(small, e.like(-1.0, x), one))
    base = ap.two_sum(e, logarithm.high, e.fneg(less))
    base = Pair(base.high, e.fadd(base.low, logarithm.low))
    inverse = e.fdiv(one, x)
    series = e.fmul(ap.horner(e, e.fmul(inverse, inverse), STIRLING), inverse)
    # t times the polynomial as a sum: next to 1 it cancels most of the logarithm.
    step = ap.two_product(e, t, ap.horner(e, t, LGAMMA[1:]))
    slope = ap.fast_two_sum(e, e.like(LGAMMA[0], x), step.high)
    near = ap.multiply_pairs(e, Pair(t, zero), Pair(slope.high, e.fadd(slope.low, step.low)))
    rest = e.select(large, e.fadd(series, e.like(HALF_LOG_TWO_PI_LESS_HALF, x)), near.low)
    main = e.fmul(factor, base.high)
    low = e.fma(factor, base.low, e.fma(factor, base.high, e.fneg(main)))
    total = ap.two_sum(e, main, e.select(large, zero, near.high))
    result = e.fadd(total.high, e.fadd(total.low, e.fadd(low, rest)))
    return e.select(e.fcmp("olt", main, e.like(math.inf, x)), result, main)


def lgamma_of_double(e: Emitter, x: Val) -> Val:
    size, infinity = ap.absolute(e, x), e.like(math.inf, x)
    positive = lgamma_of_positive(e, size)
    # Reflection: Gamma(x) Gamma(-x) = -pi / (x sin(pi x)).
    fraction = ap.absolute(e, e.fsub(size, e.intrinsic("llvm.rint", size)))
    sine = sin_of_rest(e, e.fmul(fraction, e.like(math.pi, x)))
    first = ap.two_sum(e, e.like(LOG_PI, x), e.fneg(emit_log(e, e.fmul(size, sine))))
    second = ap.two_sum(e, first.high, e.fneg(positive))
    reflected = e.fadd(second.high, e.fadd(first.low, second.low))
    # Next to zero both are -log(|x|), and at integers the sine is zero.
    mirror = e.bit_and(e.fcmp("olt", x, e.like(0.0, x)), e.fcmp("ogt", size, e.like(2.0**-60, x)))
    result = e.select(mirror, reflected, positive)
    pole = e.bit_and(mirror, e.fcmp("oeq", fraction, e.like(0.0, x)))
    pole = e.bit_or(pole, e.bit_or(e.fcmp("oeq", size, infinity), e.fcmp("oeq", size, e.like(0.0, x))))
    return e.select(pole, infinity, e.select(e.fcmp("uno", x, x), x, result))


def emit_lgamma(e: Emitter, x: Val) -> Val:
    """log |Gamma(x)|, +inf at the poles.

    At most 2.3 ulp for positive x. For negative x at most 4 ulp or an absolute error of 1e-15, which shows next to the
    zeros between the poles.
    """
    return ap.in_double(e, lgamma_of_double, x)


# The zero of digamma between 1 and 2, as a high and a low part.
DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)
# Minimax for digamma(y) / (y - root) in y - 3/2, 1 <= y <= 2: 2^-53.3.
DIGAMMA = (
    0.9510558760318328,
    -0.4236274212814584,
    0.24054248424078925,
    -0.14840492305468125,
    0.09498872445363893,
    -0.061922133200245665,
    0.04076083386587598,
    -0.02697579977741514,
    0.01790725122282667,
    -0.011908150292794267,
    0.00792696129450878,
    -0.005280868745514069,
    0.003518864010704689,
    -0.0023377450307263386,
    0.001557397948582842,
    -0.001077035611090192,
    0.0007208081358185798,
    -0.0003559815354595399,
    0.00023185044898612036,
    -0.00037742217522917154,
    0.0002560680205214532,
)
# Minimax for x**2 (log(x) - 1 / (2 x) - digamma(x)) in 1 / x**2, x >= 5: 2^-52.7 of its first term.
DIGAMMA_TAIL = (
    0.08333333333333333,
    -0.00833333333329611,
    0.003968253940008949,
    -0.004166658828427111,
    0.007574677200628637,
    -0.021008411360313124,
    0.07935526284338613,
    -0.3269236141694964,
    0.9107630529122221,
)


def digamma_of_positive(e: Emitter, x: Val) -> Val:
    """digamma of doubles >= 0; -0 gives +inf.

    From 5 on the asymptotic series. Below, x is shifted to 1 <= y <= 2 by digamma(x + 1) = digamma(x) + 1 / x; the
    reciprocals are summed as one fraction.
    """
    zero, one = e.like(0.0, x), e.like(1.0, x)
    y, above, below = x, zero, one
    for _ in range(3):
        higher = e.fcmp("oge", y, e.like(2.0, x))
        lower = e.fsub(y, one)
        above = e.select(higher, e.fma(above, lower, below), above)
        below = e.select(higher, e.fmul(below, lower), below)
        y = e.select(higher, lower, y)
    small = e.fcmp("olt", x, one)
    y = e.select(small, e.fadd(x, one), y)
    above, below = e.select(small, e.like(-1.0, x), above), e.select(small, x, below)
    from_root = e.fsub(e.fsub(y, e.like(DIGAMMA_ROOT[0], x)), e.like(DIGAMMA_ROOT[1], x))
    # The fraction without its rounding error.
    reciprocal = e.fdiv(one, below)
    quotient = e.fmul(above, reciprocal)
    remainder = e.fmul(e.fma(e.fneg(quotient), below, above), reciprocal)
    remainder = e.select(e.fcmp("ogt", x, e.like(2.0**-500, x)), remainder, zero)
    near = e.fma(from_root, ap.horner(e, e.fsub(y, e.like(1.5, x)), DIGAMMA), remainder)
    near = e.fadd(quotient, near)
    inverse = e.fdiv(one, x)
    square = e.fmul(inverse, inverse)
    tail = e.fma(ap.horner(e, square, DIGAMMA_TAIL), square, e.fmul(inverse, e.like(0.5, x)))
    return e.select(e.fcmp("oge", x, e.like(5.0, x)), e.fsub(emit_log(e, x), tail), near)


def cotangent_of_pi(e: Emitter, x: Val, factor: float) -> Val:
    """factor * cot(pi x) of doubles, from the tangent of an angle up to pi/4."""
    zero, pi = e.like(0.0, x), Pair(e.like(math.pi, x), e.like(PI_LOW, x))
    fraction = e.fsub(x, e.intrinsic("llvm.rint", x))
    size = ap.absolute(e, fraction)
    steep = e.fcmp("ogt", size, e.like(0.25, x))
    part = e.select(steep, e.fsub(e.like(0.5, x), size), size)
    tangent = tan_of_rest(e, ap.multiply_pairs(e, Pair(part, zero), pi))
    scale = e.like(factor, x)
    return ap.copysign(e, e.select(steep, e.fmul(tangent, scale), e.fdiv(scale, tangent)), fraction)


def is_whole(e: Emitter, x: Val) -> Val:
    """Whether x is an integer; infinities are, NaN is not."""
    return e.fcmp("oeq", e.intrinsic("llvm.rint", x), x)


def digamma_of_double(e: Emitter, x: Val) -> Val:
    one, zero = e.like(1.0, x), e.like(0.0, x)
    negative = e.fcmp("olt", x, zero)
    positive = digamma_of_positive(e, e.select(negative, e.fsub(one, x), x))
    # Reflection: digamma(x) = digamma(1 - x) - pi cot(pi x).
    result = e.select(negative, e.fsub(positive, cotangent_of_pi(e, x, math.pi)), positive)
    return e.select(e.bit_and(negative, is_whole(e, x)), e.like(math.nan, x), result)


def emit_digamma(e: Emitter, x: Val) -> Val:
    """The derivative of lgamma: -inf at 0, +inf at -0, NaN at the negative integers.

    At most 3.5 ulp for positive x, the zero included. For negative x at most 4 ulp of the larger of digamma(1 - x) and
    pi cot(pi x): an absolute error below 2e-15 next to the zeros down to -1000.
    """
    return ap.in_double(e, digamma_of_double, x)


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def power(e: Emitter, x: Val, exponent: int) -> Val:
    """x**exponent for an exponent >= 1, by repeated squaring."""
    if exponent == 1:
        return x
    half = power(e, x, exponent // 2)
    square = e.fmul(half, half)
    return e.fmul(square, x) if exponent % 2 else square


def polygamma_of_positive(e: Emitter, x: Val, order: int) -> Val:
    """|polygamma(order, x)| of doubles > 0: the recurrence up to 12 + order, then the asymptotic series."""
    one, zero = e.like(1.0, x), e.like(0.0, x)
    limit = e.like(12.0 + order, x)
    total = lost = zero
    for _ in range(12 + order):
        below = e.fcmp("olt", x, limit)
        term = power(e, e.fdiv(one, x), order + 1)
        # The first term may be far greater than all others, which would each lose some digits in it.
        added = ap.fast_two_sum(e, total, term) if total is not zero else Pair(term, zero)
        total = e.select(below, added.high, total)
        counts = e.bit_and(below, e.fcmp("olt", added.high, e.like(math.inf, x)))
        lost = e.select(counts, e.fadd(lost, added.low), lost)
        x = e.select(below, e.fadd(x, one), x)
    inverse = e.fdiv(one, x)
    square = e.fmul(inverse, inverse)
    # Over order!: x**-n (1/n + 1/(2 x) + sum of B_2k C(2k + n - 1, n) / (2k) x**-2k).
    terms = [b * math.comb(2 * k + order - 1, order) / (2 * k) for k, b in enumerate(BERNOULLI, start=1)]
    series = e.fma(inverse, e.like(0.5, x), e.fmul(square, ap.horner(e, square, terms)))
    series = e.fmul(e.fadd(series, e.like(1 / order, x)), power(e, inverse, order))
    return e.fmul(e.fadd(total, e.fadd(series, lost)), e.like(math.factorial(order), x))


def emit_polygamma(e: Emitter, op: Op, x: Val) -> Val:
    """The derivative of digamma of the op's order, +inf (odd order) or -inf at 0 and the negative integers.

    Negative x by reflection (DLMF 5.15.6) with the derivatives of the cotangent, polynomials in it. Relative error at
    most 8e-16 up to order 3, 1.6e-15 at order 8.
    """
    assert isinstance(op, ops.Polygamma)
    order = op.order
    odd = order % 2 == 1

    def of_double(e: Emitter, x: Val) -> Val:
        zero, nan = e.like(0.0, x), e.like(math.nan, x)
        negative = e.fcmp("olt", x, zero)
        positive = polygamma_of_positive(e, e.select(negative, e.fsub(e.like(1.0, x), x), x), order)
        coefficients = [-c * math.pi ** (order + 1) for c in ops.cotangent_polynomial(order)]
        cotangents = ap.horner(e, cotangent_of_pi(e, x, 1.0), coefficients)
        signed = positive if odd else e.fneg(positive)
        result = e.select(negative, e.fsub(cotangents, positive), signed)
        pole = e.bit_and(e.fcmp("ole", x, zero), is_whole(e, x))
        result = e.select(pole, e.like(math.inf if odd else -math.inf, x), result)
        return e.select(e.fcmp("oeq", x, e.like(-math.inf, x)), nan, result)

    return ap.in_double(e, of_double, x)


EMIT: dict[type[Op], Callable[..., Val]] = {
    ops.Sigmoid: emit_sigmoid,
    ops.Erf: emit_erf,
    ops.Erfc: emit_erfc,
    ops.Erfinv: emit_erfinv,
    ops.Lgamma: emit_lgamma,
    ops.Digamma: emit_digamma,
    ops.Polygamma: emit_polygamma,
}

OF_FLOATS: dict[str, Callable[..., Val]] = {"ndtr": ndtr_of_float}
"""Formulas, of which code in double is made elsewhere, as code for floats: by name, since few programs load them."""
