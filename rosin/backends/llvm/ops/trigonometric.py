"""Circular and hyperbolic functions and their inverses as inlined vector code.

Every function takes and returns floats or doubles, of any number of lanes. Special values are those of C99, annex F.
Errors are the greatest measured: for double against 113-bit arithmetic on millions of arguments over all exponents, for
float the same and mostly all 2**32 arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import approximation as ap
from rosin.backends.llvm.ops import reduction
from rosin.backends.llvm.ops.approximation import Pair
from rosin.backends.llvm.ops.exponential import log1p_of_sum
from rosin.backends.llvm.ops.parts import TANH_PARTS, saturating
from rosin.ir.coefficients import TAN_DOUBLE, TAN_FOR_FLOAT
from rosin.ir.op import Op
from rosin.ir.ops import trigonometric as ops

# Minimax for (sin(r) - r) / r**3 in r**2, |r| <= pi/2: 2^-27.2 and 2^-60.8 of sin(r).
SIN_FLOAT = (-0.16666659712791443, 0.008333067409694195, -0.00019809552759397775, 2.605461986604496e-06)
SIN_DOUBLE = (
    -0.16666666666666666,
    0.008333333333333207,
    -0.00019841269841212476,
    2.7557319211568085e-06,
    -2.5052106904218457e-08,
    1.6058940987909095e-10,
    -7.643018882545688e-13,
    2.7214131219765813e-15,
)
# Minimax for (atan(t) - t) / t**3 in t**2, |t| <= 35/64: 2^-26.1 and 2^-58.6 of atan(t).
ATAN_FLOAT = (-0.3333311676979065, 0.1998937577009201, -0.14114020764827728, 0.09862072020769119, -0.04636044427752495)
ATAN_DOUBLE = (
    -0.3333333333333317,
    0.19999999999956206,
    -0.14285714281599016,
    0.11111110916074442,
    -0.09090903624259572,
    0.0769220883595887,
    -0.06665451955458719,
    0.0587189157293867,
    -0.05198948356392612,
    0.044794728153422135,
    -0.034608959399775055,
    0.020320206546728076,
    -0.006405109871270875,
)
# Minimax for (asin(s) - s) / s**3 in s**2, |s| <= 1/2: 2^-27.6 and 2^-59.8 of asin(s).
ASIN_FLOAT = (0.16666752099990845, 0.074953094124794, 0.04546915367245674, 0.024184737354516983, 0.042158421128988266)
ASIN_DOUBLE = (
    0.1666666666666676,
    0.07499999999970867,
    0.044642857174559236,
    0.03038194270996133,
    0.02237221493287453,
    0.017351612911747808,
    0.013980810571981082,
    0.011398988630112706,
    0.010779848895729974,
    0.003707856041220458,
    0.02170409000739215,
    -0.020994514540208162,
    0.03262589126518357,
)

# pi / 4 as a high and a low part; the parts of pi / 2 and pi are their multiples.
QUARTER_PI = {
    "float": (0.7853981852531433, -2.1855694143368964e-08),
    "double": (0.7853981633974483, 3.061616997868383e-17),
}
LN2 = math.log(2.0)


# -- circular --------------------------------------------------------------------------------------------------


def sin_of_rest(e: Emitter, rest: Val) -> Val:
    """sin(rest) for |rest| <= pi/2; a zero keeps its sign."""
    size = ap.absolute(e, rest)
    square = e.fmul(size, size)
    tail = ap.horner(e, square, ap.by_type(rest, SIN_FLOAT, SIN_DOUBLE))
    result = e.fma(e.fmul(size, square), tail, size)
    # Rounding may lift the top of the wave above one.
    result = ap.at_most(e, result, 1.0)
    return ap.with_sign_of(e, result, rest)


def emit_sin(e: Emitter, x: Val) -> Val:
    """sin(x) = (-1)**n sin(r) with x = n pi + r, |r| <= pi/2, for any x; at most 1.75 ulp, never above 1."""
    return sin_of_rest(e, reduction.reduce_for_sin(e, x))


def emit_cos(e: Emitter, x: Val) -> Val:
    """cos(x) = (-1)**n sin(r) with x + pi/2 = n pi + r, |r| <= pi/2, for any x; at most 1.85 ulp, never above 1."""
    return sin_of_rest(e, reduction.reduce_for_cos(e, x))


def tan_parts(e: Emitter, rest: Pair, coefficients: Sequence[float]) -> Pair:
    """tan(rest) for |rest| <= pi/4 as a sum."""
    square = e.fmul(rest.high, rest.high)
    tail = e.fmul(e.fmul(rest.high, square), ap.horner(e, square, coefficients))
    tangent = ap.fast_two_sum(e, rest.high, tail)
    # The angle's rounding error, times the derivative 1 + tan(r)**2.
    low = e.fma(e.fmul(rest.low, tangent.high), tangent.high, rest.low)
    return Pair(tangent.high, e.fadd(tangent.low, low))


def tan_of_rest(e: Emitter, rest: Pair) -> Val:
    return e.fadd(*tan_parts(e, rest, TAN_DOUBLE))


def tan_of_double(e: Emitter, x: Val, coefficients: Sequence[float]) -> Val:
    rest, odd = reduction.reduce_for_tan(e, x)
    high, low = tan_parts(e, rest, coefficients)
    # -1 / (high + low) to first order in low, which spares it the rounding of the sum.
    inverse = e.fdiv(e.like(-1.0, x), high)
    inverse = e.fma(e.fmul(inverse, inverse), low, inverse)
    return e.select(odd, inverse, ap.with_sign_of(e, e.fadd(high, low), rest.high))


def tan_for_float(e: Emitter, x: Val) -> Val:
    return tan_of_double(e, x, TAN_FOR_FLOAT)


def emit_tan(e: Emitter, x: Val) -> Val:
    """tan(x) = tan(r) or -1 / tan(r) with x = n pi/2 + r, |r| <= pi/4, for any x.

    At most 1.3 ulp, for float, which goes through double, 0.53.
    """
    return ap.in_double(e, tan_for_float, x) if x.elem == "float" else tan_of_double(e, x, TAN_DOUBLE)


# -- inverse circular ------------------------------------------------------------------------------------------


def asin_parts(e: Emitter, size: Val) -> tuple[Val, Val, Val]:
    """(above, s, tail) with asin(s) = s + tail, s = size up to 1/2 and above it s = sqrt((1 - size) / 2)."""
    above = e.fcmp("ogt", size, e.like(0.5, size))
    square = e.select(above, e.fma(size, e.like(-0.5, size), e.like(0.5, size)), e.fmul(size, size))
    s = e.select(above, ap.square_root(e, square), size)
    tail = e.fmul(e.fmul(s, square), ap.horner(e, square, ap.by_type(size, ASIN_FLOAT, ASIN_DOUBLE)))
    return above, s, tail


def emit_asin(e: Emitter, x: Val) -> Val:
    """asin(x) by a polynomial up to 1/2; above, pi/2 - 2 asin(sqrt((1 - |x|) / 2)); at most 1.2 ulp."""
    size = ap.absolute(e, x)
    above, s, tail = asin_parts(e, size)
    high, low = QUARTER_PI[x.elem]
    zero, two = e.like(0.0, x), e.like(-2.0, x)
    factor = e.select(above, two, e.like(1.0, x))
    base, base_low = e.select(above, e.like(2 * high, x), zero), e.select(above, e.like(2 * low, x), zero)
    near = ap.fast_two_sum(e, base, e.fmul(s, factor))
    return ap.copysign(e, e.fadd(near.high, e.fadd(near.low, e.fma(tail, factor, base_low))), x)


def emit_acos(e: Emitter, x: Val) -> Val:
    """acos(x) = pi/2 - asin(x) up to |x| = 1/2; above, 2 asin(sqrt((1 - |x|) / 2)), and pi minus that for negative x.

    At most 1.15 ulp.
    """
    size = ap.absolute(e, x)
    above, s, tail = asin_parts(e, size)
    positive = e.fcmp("ogt", x, e.like(0.0, x))
    right = e.bit_and(above, positive)
    high, low = QUARTER_PI[x.elem]
    # The angle is base + factor * asin(s).
    zero = e.like(0.0, x)
    base = e.select(above, e.like(4 * high, x), e.like(2 * high, x))
    base_low = e.select(above, e.like(4 * low, x), e.like(2 * low, x))
    base, base_low = e.select(right, zero, base), e.select(right, zero, base_low)
    outer = e.select(positive, e.like(2.0, x), e.like(-2.0, x))
    factor = e.select(above, outer, e.select(positive, e.like(-1.0, x), e.like(1.0, x)))
    near = ap.fast_two_sum(e, base, e.fmul(s, factor))
    return e.fadd(near.high, e.fadd(near.low, e.fma(tail, factor, base_low)))


def angle_of_quotient(e: Emitter, small: Val, large: Val) -> tuple[Val, Val]:
    """atan(small / large) for 0 <= small <= large as (m, p): m pi/4 + p, m being 0.0 or 1.0.

    From a quotient of 35/64 on, where the angle is above 1/2, tan(a - pi/4) = (small - large) / (small + large).
    """
    turned = e.fcmp("ogt", small, e.fmul(large, e.like(0.546875, large)))
    above = e.select(turned, e.fsub(small, large), small)
    below = e.select(turned, e.fadd(small, large), large)
    t = e.fdiv(above, below)
    square = e.fmul(t, t)
    tail = ap.horner(e, square, ap.by_type(t, ATAN_FLOAT, ATAN_DOUBLE))
    return e.select(turned, e.like(1.0, t), e.like(0.0, t)), e.fma(e.fmul(t, square), tail, t)


def sum_of_angle(e: Emitter, quarters: Val, rest: Val) -> Val:
    """quarters * pi/4 + rest."""
    high, low = QUARTER_PI[rest.elem]
    return e.fma(quarters, e.like(high, rest), e.fma(quarters, e.like(low, rest), rest))


def emit_atan(e: Emitter, x: Val) -> Val:
    """atan(x) from the quotient x / 1 or 1 / x below one, which `angle_of_quotient` reduces; at most 1.4 ulp."""
    size, one = ap.absolute(e, x), e.like(1.0, x)
    swapped = e.fcmp("ogt", size, one)
    quarters, rest = angle_of_quotient(e, e.select(swapped, one, size), e.select(swapped, size, one))
    quarters = e.select(swapped, e.fsub(e.like(2.0, x), quarters), quarters)
    rest = e.select(swapped, e.fneg(rest), rest)
    return ap.copysign(e, sum_of_angle(e, quarters, rest), x)


def emit_atan2(e: Emitter, y: Val, x: Val) -> Val:
    """The angle of the point (x, y), from the smaller over the larger coordinate; zeros and infinities as in C99.

    At most 1.7 ulp.
    """
    one, infinity = e.like(1.0, x), e.like(math.inf, x)
    height, width = ap.absolute(e, y), ap.absolute(e, x)
    swapped = e.fcmp("ogt", height, width)
    small, large = e.select(swapped, width, height), e.select(swapped, height, width)
    # 0 / 0 stands for 0 / 1, inf / inf for 1 / 1. Scaling keeps the sum of large coordinates finite and lifts
    # subnormal ones.
    scale = e.select(e.fcmp("ogt", large, e.like(2.0**100, x)), e.like(0.25, x), one)
    scale = e.select(e.fcmp("olt", large, e.like(2.0**-100, x)), e.like(2.0**60, x), scale)
    both_infinite = e.bit_and(e.fcmp("oeq", small, infinity), e.fcmp("oeq", large, infinity))
    small = e.select(both_infinite, one, e.fmul(small, scale))
    large = e.select(both_infinite, one, e.fmul(large, scale))
    large = e.select(e.fcmp("oeq", large, e.like(0.0, x)), one, large)
    quarters, rest = angle_of_quotient(e, small, large)
    quarters = e.select(swapped, e.fsub(e.like(2.0, x), quarters), quarters)
    left = e.icmp("slt", e.bitcast(x, ap.format_of(x).integer), ap.integer_like(e, 0, x))
    quarters = e.select(left, e.fsub(e.like(4.0, x), quarters), quarters)
    rest = e.select(e.bit_xor(swapped, left), e.fneg(rest), rest)
    return ap.copysign(e, sum_of_angle(e, quarters, rest), y)


# -- hyperbolic ------------------------------------------------------------------------------------------------


# Minimax for (sinh(x) - x) / x**3 in x**2, |x| <= 1: 2^-31.6 and 2^-61.8 of sinh(x).
SINH_FLOAT = (0.1666666716337204, 0.00833331048488617, 0.00019842895562760532, 2.78222000815731e-06)
SINH_DOUBLE = (
    0.16666666666666669,
    0.008333333333332912,
    0.0001984126984159339,
    2.7557319106771762e-06,
    2.5052130994944385e-08,
    1.605665957133861e-10,
    7.77658456506923e-13,
)
# Beyond, sinh and cosh overflow; up to here a quarter of exp(x) does not.
SINH_LIMIT = {"float": 89.42, "double": 710.48}


def quarter_exponentials(e: Emitter, size: Val) -> Pair:
    """A quarter of exp(size) and of exp(-size), for size >= 0."""
    reduced = ap.reduce_by_ln2(e, ap.at_most(e, size, SINH_LIMIT[size.elem]), ap.format_of(size).bias - 2)
    quarter = e.fmul(ap.power_of_two(e, reduced.bits, size.elem), ap.exp_of_rest(e, reduced.rest))
    return Pair(quarter, e.fdiv(e.like(0.0625, size), quarter))


def emit_sinh(e: Emitter, x: Val) -> Val:
    """sinh(x) = (exp(|x|) - exp(-|x|)) / 2 with the sign of x, below 1 by a polynomial; at most 1.7 ulp."""
    size = ap.absolute(e, x)
    grown, decayed = quarter_exponentials(e, size)
    result = ap.copysign(e, e.fmul(e.fsub(grown, decayed), e.like(2.0, x)), x)
    square = e.fmul(x, x)
    tail = ap.horner(e, square, ap.by_type(x, SINH_FLOAT, SINH_DOUBLE))
    near = ap.with_sign_of(e, e.fma(e.fmul(x, square), tail, x), x)
    return e.select(e.fcmp("olt", size, e.like(1.0, x)), near, result)


def emit_cosh(e: Emitter, x: Val) -> Val:
    """cosh(x) = (exp(|x|) + exp(-|x|)) / 2; at most 1.35 ulp."""
    grown, decayed = quarter_exponentials(e, ap.absolute(e, x))
    return e.fmul(e.fadd(grown, decayed), e.like(2.0, x))


# Minimax for (tanh(x) - x) / x**3 in x**2, |x| <= 0.55: 2^-24.7 and 2^-55.5 of tanh(x).
TANH_FLOAT = (-0.3333294689655304, 0.13320721685886383, -0.05267124995589256, 0.016436055302619934)
TANH_DOUBLE = (
    -0.33333333333332305,
    0.1333333333316744,
    -0.053968253875454154,
    0.021869485959744705,
    -0.008863194299807179,
    0.003591718031050978,
    -0.0014532084171342623,
    0.0005791119649908775,
    -0.0002102609635885425,
    5.0992478966078085e-05,
)
# From here on tanh rounds to one.
TANH_LIMIT = {"float": 10.0, "double": 20.0}


def emit_tanh(e: Emitter, x: Val) -> Val:
    """tanh(x) by a polynomial up to 0.55; above, 1 - 2 / (exp(2 |x|) + 1), which is more than 1/2; at most 1.6 ulp.

    Float by parts, where registers are looked up.
    """
    if e.avx512 and x.elem == "float":
        return saturating(e, x, 9.02, 0.83, TANH_PARTS)
    one, size = e.like(1.0, x), ap.absolute(e, x)
    limited = ap.at_most(e, size, TANH_LIMIT[x.elem])
    reduced = ap.reduce_by_ln2(e, e.fadd(limited, limited), ap.format_of(x).bias)
    power = e.fmul(ap.exp_of_rest(e, reduced.rest), ap.power_of_two(e, reduced.bits, x.elem))
    far = e.fsub(one, e.fdiv(e.like(2.0, x), e.fadd(power, one)))
    square = e.fmul(x, x)
    tail = ap.horner(e, square, ap.by_type(x, TANH_FLOAT, TANH_DOUBLE))
    near = e.fma(e.fmul(size, square), tail, size)
    return ap.copysign(e, e.select(e.fcmp("olt", size, e.like(0.55, x)), near, far), x)


# Above this size 1 + x rounds to x in log1p, and x**2 is still finite.
LARGE = {"float": 2.0**30, "double": 2.0**60}


def emit_asinh(e: Emitter, x: Val) -> Val:
    """asinh(x) = log1p(|x| + x**2 / (1 + sqrt(x**2 + 1))), for large x log(|x|) + log(2); at most 1.25 ulp."""
    size, one = ap.absolute(e, x), e.like(1.0, x)
    large = e.fcmp("ogt", size, e.like(LARGE[x.elem], x))
    root = ap.square_root(e, e.fma(size, size, one))
    ratio = e.fdiv(size, e.fadd(one, root))
    argument = e.fma(size, ratio, size)
    low = e.fma(size, ratio, e.fsub(size, argument))
    result = log1p_of_sum(e, e.select(large, size, argument), e.select(large, e.like(0.0, x), low))
    return ap.copysign(e, e.fadd(result, e.select(large, e.like(LN2, x), e.like(0.0, x))), x)


def emit_acosh(e: Emitter, x: Val) -> Val:
    """acosh(x) = log1p(t + sqrt(2 t + t**2)) with t = x - 1, for large x log(x) + log(2); at most 1.65 ulp."""
    one = e.like(1.0, x)
    large = e.fcmp("ogt", x, e.like(LARGE[x.elem], x))
    t = e.fsub(x, one)
    root = ap.square_root(e, e.fma(t, t, e.fadd(t, t)))
    argument = ap.fast_two_sum(e, root, t)
    high = e.select(e.fcmp("olt", x, one), e.like(math.nan, x), argument.high)
    result = log1p_of_sum(e, e.select(large, x, high), e.select(large, e.like(0.0, x), argument.low))
    return e.fadd(result, e.select(large, e.like(LN2, x), e.like(0.0, x)))


def emit_atanh(e: Emitter, x: Val) -> Val:
    """atanh(x) = log1p(2 |x| + 2 x**2 / (1 - |x|)) / 2; at most 1.3 ulp."""
    size = ap.absolute(e, x)
    size = e.select(e.fcmp("ogt", size, e.like(1.0, x)), e.like(math.nan, x), size)
    twice = e.fadd(size, size)
    ratio = e.fdiv(size, e.fsub(e.like(1.0, x), size))
    argument = e.fma(twice, ratio, twice)
    result = log1p_of_sum(e, argument, e.fma(twice, ratio, e.fsub(twice, argument)))
    return ap.copysign(e, e.fmul(result, e.like(0.5, x)), x)


# -- lengths ---------------------------------------------------------------------------------------------------


def hypot_of_doubles(e: Emitter, large: Val, small: Val) -> Val:
    return ap.square_root(e, e.fma(large, large, e.fmul(small, small)))


def emit_hypot(e: Emitter, x: Val, y: Val) -> Val:
    """sqrt(x**2 + y**2), the coordinates scaled by a power of two; infinite if one is, even beside NaN.

    At most 0.95 ulp, for float, which goes through double, 0.501.
    """
    infinity = e.like(math.inf, x)
    a, b = ap.absolute(e, x), ap.absolute(e, y)
    if x.elem == "float":
        result = ap.in_double(e, hypot_of_doubles, a, b)
    else:
        swapped = e.fcmp("olt", a, b)
        large, small = e.select(swapped, b, a), e.select(swapped, a, b)
        up = e.fcmp("olt", large, e.like(2.0**-400, x))
        down = e.fcmp("ogt", large, e.like(2.0**500, x))
        scale = e.select(up, e.like(2.0**650, x), e.select(down, e.like(2.0**-550, x), e.like(1.0, x)))
        back = e.select(up, e.like(2.0**-650, x), e.select(down, e.like(2.0**550, x), e.like(1.0, x)))
        result = e.fmul(hypot_of_doubles(e, e.fmul(large, scale), e.fmul(small, scale)), back)
    infinite = e.bit_or(e.fcmp("oeq", a, infinity), e.fcmp("oeq", b, infinity))
    return e.select(infinite, infinity, result)


EMIT: dict[type[Op], Callable[..., Val]] = {
    ops.Sin: emit_sin,
    ops.Cos: emit_cos,
    ops.Tan: emit_tan,
    ops.Asin: emit_asin,
    ops.Acos: emit_acos,
    ops.Atan: emit_atan,
    ops.Atan2: emit_atan2,
    ops.Sinh: emit_sinh,
    ops.Cosh: emit_cosh,
    ops.Tanh: emit_tanh,
    ops.Asinh: emit_asinh,
    ops.Acosh: emit_acosh,
    ops.Atanh: emit_atanh,
    ops.Hypot: emit_hypot,
}
