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
from rosin.backends.llvm.ops.exponential import EXP2_DOUBLE, emit_exp, emit_log
from rosin.backends.llvm.ops.trigonometric import sin_of_rest, tan_of_rest
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

# Minimax for erf(x) / x - 1 in x**2, |x| <= 1: 2^-29.0 and 2^-56.3 of erf(x).
ERF_FLOAT = (
    0.12837916612625122,
    -0.3761262595653534,
    0.11283578723669052,
    -0.026853347197175026,
    0.005187164526432753,
    -0.0007997883367352188,
    7.807041401974857e-05,
)
ERF_DOUBLE = (
    0.1283791670955126,
    -0.376126389031841,
    0.1128379167097117,
    -0.026866170648059257,
    0.00522397765310464,
    -0.0008548328567114153,
    0.00012055387600475236,
    -1.4926921322149181e-05,
    1.6481790281899746e-06,
    -1.656580947677295e-07,
    1.6077521973977685e-08,
    -1.673495445013962e-09,
    1.483550479480156e-10,
)
# Minimax for log2(erfc(1 + t)), 0 <= t, up to where erf rounds to one: 2^-27.4 and 2^-54.8 of erf.
LOG2_ERFC_FLOAT = (
    -2.668416738510132,
    -3.8072211742401123,
    -1.2164064645767212,
    -0.059672847390174866,
    0.013891870155930519,
    -0.002330248011276126,
    0.00018183847714681178,
)
LOG2_ERFC_DOUBLE = (
    -2.6684166967815997,
    -3.8072253458535448,
    -1.216346657690049,
    -0.0599599899491789,
    0.014475749079891647,
    -0.002853503334265783,
    0.00034235446610690227,
    3.7996426764680086e-05,
    -3.935635890619428e-05,
    1.4118142878114712e-05,
    -3.2460326160189003e-06,
    4.235899229165419e-07,
    1.356287973910043e-08,
    -2.0622432475661165e-08,
    4.7430308548660535e-09,
    -5.3770433667981e-10,
    2.5843235492010468e-11,
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

    At most 1.1 ulp; float in float.
    """
    one, size = e.like(1.0, x), ap.absolute(e, x)
    square = e.fmul(x, x)
    near = e.fma(ap.horner(e, square, ap.by_type(x, ERF_FLOAT, ERF_DOUBLE)), size, size)
    t = ap.at_most(e, e.fsub(size, one), ERF_LIMIT[x.elem])
    exponent = ap.horner(e, t, ap.by_type(x, LOG2_ERFC_FLOAT, LOG2_ERFC_DOUBLE))
    n, bits = ap.nearest_integer(e, exponent, 1.0, ap.format_of(x).bias)
    fraction = ap.horner(e, e.fsub(exponent, n), ap.by_type(x, EXP2_FOR_ERF, EXP2_DOUBLE))
    far = e.fsub(one, e.fmul(fraction, ap.power_of_two(e, bits, x.elem)))
    return ap.copysign(e, e.select(e.fcmp("olt", size, one), near, far), x)


# Minimax for (1 + 2 x) exp(x**2) erfc(x) in (x - 4) / (x + 4), 1/2 <= x <= 28: 2^-54.5.
SCALED_ERFC = (
    1.2329951186255526,
    -0.1396211168405625,
    0.015379652102618912,
    0.0680970542546897,
    -0.10103906603624625,
    0.09373283499847562,
    -0.06633036581379599,
    0.037167515535000376,
    -0.016197734035889942,
    0.005031970005351768,
    -0.0007577734656235624,
    -0.00019925688035703733,
    0.00015062256795347944,
    -2.4398395961378512e-05,
    -1.1224924333824193e-05,
    5.707333896730908e-06,
    2.9986193181329256e-07,
    -8.207704978629204e-07,
    6.675966848194408e-08,
    1.0430994328033396e-07,
    -1.2126465852866058e-08,
    -1.0026341591604758e-08,
)


def erfc_of_double(e: Emitter, x: Val) -> Val:
    one, half, two = e.like(1.0, x), e.like(0.5, x), e.like(2.0, x)
    size = ap.at_most(e, ap.absolute(e, x), 28.0)
    square = ap.two_product(e, size, size)
    # Up to 1/2: 1 - erf(x).
    near = e.fma(ap.horner(e, square.high, ERF_DOUBLE), x, x)
    # Above: exp(-x**2) times the scaled function.
    t = e.fdiv(e.fsub(size, e.like(4.0, x)), e.fadd(size, e.like(4.0, x)))
    scaled = e.fdiv(ap.horner(e, t, SCALED_ERFC), e.fma(size, two, one))
    reduced = ap.reduce_by_ln2(e, e.fneg(square.high), 2 * ap.FORMATS["double"].bias)
    rest = e.fsub(reduced.rest, square.low)
    # scaled * exp(rest), without rounding exp(rest).
    far = e.fma(e.fmul(scaled, rest), ap.horner(e, rest, ap.EXP_DOUBLE[1:]), scaled)
    far = ap.scale_in_two_steps(e, far, reduced.bits)
    negative = e.fcmp("olt", x, e.like(0.0, x))
    far = e.select(negative, e.fsub(two, far), far)
    return e.select(e.fcmp("olt", size, half), e.fsub(one, near), far)


def emit_erfc(e: Emitter, x: Val) -> Val:
    """erfc(x) = 1 - erf(x) up to 1/2; above, exp(-x**2) times a polynomial, and 2 - erfc(-x) below -1/2.

    At most 3.3 ulp.
    """
    return ap.in_double(e, erfc_of_double, x)


# Chebyshev's interpolation of erfinv(x) / x with w = -log(1 - x**2): in w - 3.125 for w <= 6.25, in sqrt(w) - 3.25 for
# 2.5 <= sqrt(w) <= 4, in sqrt(w) - 5.0625 for the rest of the doubles: below 2^-57. Constant terms have low parts.
ERFINV_CENTRAL = (
    1.6536545626831027,
    0.24015818242558834,
    -0.006033670871426908,
    -0.0007407025341546572,
    0.00018673420802008554,
    -1.3882523393920442e-05,
    -1.3654691764001387e-06,
    4.2347881677716927e-07,
    -2.9070390761936884e-08,
    -4.1126604066482585e-09,
    1.0512230784674892e-09,
    -5.4143045472080583e-11,
    -1.2978695334656446e-11,
    2.6305301926231066e-12,
    -8.074595688729043e-14,
    -4.0020617748552674e-14,
    6.525655141401077e-15,
    -3.933508641199522e-17,
    -1.2261848463709764e-16,
    1.5506009496679205e-17,
    6.38844750019161e-19,
    -3.4715307676023003e-19,
    1.877151678052992e-20,
    3.1905586173417536e-21,
    -3.3850330157210103e-22,
)
ERFINV_MIDDLE = (
    3.0838856104922208,
    1.0052589676941655,
    0.005370914553555201,
    -0.003751208508224261,
    0.0024914420979470237,
    -0.0016882755354636595,
    0.0009532893418069925,
    -0.0003550378135746499,
    2.4031510221694095e-05,
    6.828711576985263e-05,
    -4.7320663035945735e-05,
    1.2465035568283125e-05,
    2.932506943526351e-06,
    -3.985726034382243e-06,
    1.4817772244790875e-06,
    -2.7584506876359507e-08,
    -2.4577015472044047e-07,
    1.3155760748321638e-07,
    -2.0686402109195944e-08,
    -1.5294532436152358e-08,
    7.598895200781737e-09,
)
ERFINV_OUTER = (
    4.913049587233785,
    1.0102806778035605,
    -0.00017730336129492263,
    -0.00019677853802503456,
    7.010167456756846e-05,
    -1.8062952331758508e-05,
    4.1153571818262815e-06,
    -8.872227844591137e-07,
    1.955876568954698e-07,
    -5.231889183905156e-08,
    2.0343460353279972e-08,
    -1.0320032463052472e-08,
    5.385736987134786e-09,
    -2.520635061779153e-09,
    9.843164544800767e-10,
    -3.1546230777204394e-10,
    7.953614033947518e-11,
    3.643834107490408e-13,
    -1.4636119900738372e-11,
    4.789062702419433e-12,
)
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
    result = e.fma(x, factor.high, e.fmul(x, e.fadd(factor.low, low)))
    edge = e.fcmp("oeq", ap.absolute(e, x), one)
    return e.select(edge, ap.copysign(e, e.like(math.inf, x), x), result)


def emit_erfinv(e: Emitter, x: Val) -> Val:
    """erfinv(x) as x times polynomials in w = -log(1 - x**2) or its root, in the manner of Giles (2010).

    At most 2 ulp.
    """
    return ap.in_double(e, erfinv_of_double, x)


# -- the gamma function ----------------------------------------------------------------------------------------

# Minimax for lgamma(2 + t) / t, |t| <= 1/2: 2^-55.7.
LGAMMA = (
    0.42278433509846713,
    0.3224670334241132,
    -0.06735230105319617,
    0.020580808427776997,
    -0.007385551028884789,
    0.002890510331440327,
    -0.0011927539025910793,
    0.0005096695023204387,
    -0.00022315495329942395,
    9.945787167167148e-05,
    -4.492392682340664e-05,
    2.0503972415381524e-05,
    -9.455374642749915e-06,
    4.392045716619249e-06,
    -1.9765020835690457e-06,
    9.026381775768441e-07,
    -5.789853531608293e-07,
    2.955949696151427e-07,
)
# Minimax for the sum of Stirling's series times x, in 1 / x**2, x >= 8: 2^-54 of its first term.
STIRLING = (
    0.08333333333333333,
    -0.0027777777777548427,
    0.0007936507750831649,
    -0.0005952324981494137,
    0.0008409576926414451,
    -0.0018608590278901245,
    0.004429391299054849,
)
LOG_PI = 1.1447298858494002
PI_LOW = 1.2246467991473532e-16
HALF_LOG_TWO_PI_LESS_HALF = 0.4189385332046728


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
    total = zero
    for _ in range(12 + order):
        below = e.fcmp("olt", x, limit)
        term = power(e, e.fdiv(one, x), order + 1)
        total = e.select(below, e.fadd(total, term), total)
        x = e.select(below, e.fadd(x, one), x)
    inverse = e.fdiv(one, x)
    square = e.fmul(inverse, inverse)
    # Over order!: x**-n (1/n + 1/(2 x) + sum of B_2k C(2k + n - 1, n) / (2k) x**-2k).
    terms = [b * math.comb(2 * k + order - 1, order) / (2 * k) for k, b in enumerate(BERNOULLI, start=1)]
    series = e.fma(inverse, e.like(0.5, x), e.fmul(square, ap.horner(e, square, terms)))
    series = e.fmul(e.fadd(series, e.like(1 / order, x)), power(e, inverse, order))
    return e.fmul(e.fadd(total, series), e.like(math.factorial(order), x))


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
