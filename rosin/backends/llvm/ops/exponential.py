"""Exponentials, logarithms, roots and powers as inlined vector code.

Every function takes and returns floats or doubles, of any number of lanes. Special values are those of C99, annex F.
Errors are the greatest measured: for double against 113-bit arithmetic on millions of arguments over all exponents, for
float the same and mostly all 2**32 arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import approximation as ap
from rosin.backends.llvm.ops.parts import LOG_PARTS, by_parts
from rosin.ir.coefficients import EXP2_DOUBLE
from rosin.ir.op import Op
from rosin.ir.ops import exponential as ops

# Beyond these arguments the result is infinite or rounds to zero, and is zero by the exponent alone at the lowest ones.
EXP_RANGE = {"float": (-105.0, 89.0), "double": (-746.0, 710.0)}
EXP2_RANGE = {"float": (-151.0, 129.0), "double": (-1076.0, 1025.0)}

# 1 / ln 2, 1 / ln 10 and log10(2), each as a high and a low part.
LOG2_E = {"float": (1.4426950216293335, 1.9259629911266175e-08), "double": (1.4426950408889634, 2.0355273740931033e-17)}
LOG10_E = {
    "float": (0.4342944920063019, -1.0103050052231683e-08),
    "double": (0.4342944819032518, 1.098319650216765e-17),
}
LOG10_2 = {
    "float": (0.3010300099849701, -1.4320988897559699e-08),
    "double": (0.3010299956639812, -2.8037281277851704e-18),
}

# Minimax for 2**r, |r| <= 1/2: 2^-28.3.
EXP2_FLOAT = (
    1.0,
    0.6931471824645996,
    0.24022647738456726,
    0.05550359562039375,
    0.009618500247597694,
    0.001339097274467349,
    0.00015328964218497276,
)
# Minimax for m**(-1/3), 1 <= m <= 2: 2^-11.9.
RECIPROCAL_CBRT = (1.5418864488601685, -0.8099589943885803, 0.31775617599487305, -0.0499366857111454)


def emit_exp(e: Emitter, x: Val) -> Val:
    """exp(x) = 2**n exp(r) with |r| <= ln(2)/2 by a minimax polynomial; at most 0.90 ulp (float), 0.85 (double)."""
    lowest, highest = EXP_RANGE[x.elem]
    x = ap.at_most(e, ap.at_least(e, x, lowest), highest)
    reduced = ap.reduce_by_ln2(e, x, 2 * ap.format_of(x).bias)
    return ap.scaled(e, ap.exp_of_rest(e, reduced.rest), reduced.n, reduced.bits)


def emit_exp2(e: Emitter, x: Val) -> Val:
    """2**x = 2**n 2**r with |r| <= 1/2 by a minimax polynomial; exact at integers; at most 0.85 ulp, 0.83 (double)."""
    lowest, highest = EXP2_RANGE[x.elem]
    x = ap.at_most(e, ap.at_least(e, x, lowest), highest)
    n, bits = ap.nearest_integer(e, x, 1.0, 2 * ap.format_of(x).bias)
    fraction = ap.horner(e, e.fsub(x, n), ap.by_type(x, EXP2_FLOAT, EXP2_DOUBLE))
    return ap.scaled(e, fraction, n, bits)


def emit_expm1(e: Emitter, x: Val) -> Val:
    """exp(x) - 1 = 2**n exp(r) - 1, halved until the last step so that 2**n cannot overflow; at most 1.5 ulp."""
    clamped = ap.at_most(e, ap.at_least(e, x, -40.0), EXP_RANGE[x.elem][1])
    reduced = ap.reduce_by_ln2(e, clamped, ap.format_of(x).bias - 1)
    half = ap.power_of_two(e, reduced.bits, x.elem)
    result = ap.scaled_expm1(e, reduced.rest, half, 0.5)
    return ap.keep_tiny(e, x, e.fmul(result, e.like(2.0, x)), 2.0**-60)


def log_of_parts(e: Emitter, k: Val, f: Val, low: Val | None = None) -> Val:
    """k ln 2 + log(1 + f), and `low` added before the last roundings."""
    correction = ap.log1p_correction(e, f)
    if low is not None:
        correction = e.fadd(correction, low)
    if f.elem == "float":
        return e.fma(k, e.like(ap.LN2_FLOAT[0], f), e.fadd(f, correction))
    correction = e.fma(k, e.like(ap.LN2_DOUBLE[1], f), correction)
    return e.fma(k, e.like(ap.LN2_DOUBLE[0], f), e.fadd(f, correction))


# What AVX-512 takes of a number: m with 3/4 <= m < 3/2, and NaN where the number is negative.
MANTISSA = 11


def log_by_parts(e: Emitter, x: Val) -> Val:
    m = ap.by_avx512(e, "getmant", x, how=MANTISSA)
    k = e.fsub(ap.by_avx512(e, "getexp", x), ap.by_avx512(e, "getexp", m))
    part = by_parts(e, m, m, LOG_PARTS, bits=4)
    # Next to 1 the constant is 0, and the distance stands for it: of the slope the table has what is more than 1.
    at_one = e.fcmp("oeq", part.constant, e.like(0.0, x))
    fraction = e.fma(part.slope(e), part.distance, e.select(at_one, part.distance, part.constant))
    return e.fma(k, e.like(math.log(2), x), fraction)


def emit_log(e: Emitter, x: Val) -> Val:
    """log(x) = k ln 2 + log(m) with sqrt(1/2) <= m < sqrt(2); at most 0.91 ulp (float), 0.86 (double).

    Float by parts of m, 3/4 <= m < 3/2, where registers are looked up: at most 0.84 ulp.
    """
    if e.avx512 and x.elem == "float":
        return log_by_parts(e, x)
    k, m = ap.split_exponent(e, x)
    return ap.log_special_cases(e, x, log_of_parts(e, k, e.fsub(m, e.like(1.0, x))))


def log1p_of_sum(e: Emitter, x: Val, low: Val | None = None) -> Val:
    """log(1 + x + low) as the logarithm of the rounded 1 + x, whose rounding error is added to the fraction."""
    one = e.like(1.0, x)
    total = ap.two_sum(e, one, x)
    k, m = ap.split_exponent(e, total.high, subnormal=False)
    layout = ap.format_of(m)
    # 2**(1-k), zero for the largest k, where the rounding error no longer counts.
    exponent = e.bitcast(e.fsub(e.like(layout.magic + layout.bias + 1, m), k), layout.integer)
    scale = ap.power_of_two(e, exponent, m.elem)
    near, half = e.fsub(m, one), e.like(0.5, m)
    if low is None:
        result = log_of_parts(e, k, e.fma(e.fmul(total.low, half), scale, near))
    else:
        # Keep what the fraction loses in rounding as well.
        fraction = ap.fast_two_sum(e, near, e.fmul(e.fmul(e.fadd(total.low, low), half), scale))
        result = log_of_parts(e, k, fraction.high, fraction.low)
    result = ap.log_special_cases(e, total.high, result)
    return ap.keep_tiny(e, x, result, 2.0**-60)


def emit_log1p(e: Emitter, x: Val) -> Val:
    """log(1 + x), the rounding error of the sum carried along; at most 1.5 ulp."""
    return log1p_of_sum(e, x)


def scaled_log(e: Emitter, f: Val, scale: tuple[float, float], low: Val | None) -> Val:
    """log(1 + f) times the constant `scale`, plus `low`."""
    correction = ap.log1p_correction(e, f)
    high = e.like(scale[0], f)
    tail = e.fmul(f, e.like(scale[1], f)) if low is None else e.fma(f, e.like(scale[1], f), low)
    return e.fma(f, high, e.fma(correction, high, tail))


def emit_log2(e: Emitter, x: Val) -> Val:
    """log2(x) = k + log(m) / ln 2; exact at powers of two; at most 1.1 ulp."""
    k, m = ap.split_exponent(e, x)
    result = e.fadd(k, scaled_log(e, e.fsub(m, e.like(1.0, x)), LOG2_E[x.elem], None))
    return ap.log_special_cases(e, x, result)


def emit_log10(e: Emitter, x: Val) -> Val:
    """log10(x) = k log10(2) + log(m) / ln 10; at most 0.96 ulp."""
    k, m = ap.split_exponent(e, x)
    high, low = LOG10_2[x.elem]
    fraction = scaled_log(e, e.fsub(m, e.like(1.0, x)), LOG10_E[x.elem], e.fmul(k, e.like(low, x)))
    return ap.log_special_cases(e, x, e.fma(k, e.like(high, x), fraction))


def emit_sqrt(e: Emitter, x: Val) -> Val:
    """The correctly rounded square root of the hardware: 0.5 ulp."""
    return ap.square_root(e, x)


def emit_rsqrt(e: Emitter, x: Val) -> Val:
    """1 / sqrt(x), each step correctly rounded: below 1.5 ulp; -inf at -0."""
    return e.fdiv(e.like(1.0, x), ap.square_root(e, x))


def emit_cbrt(e: Emitter, x: Val) -> Val:
    """The cube root of |x| = 8**q m, 1 <= m < 8, with the sign of x.

    m**(-1/3) by a polynomial and one third-order step, then m**(1/3) by a Newton step with an exact residual:
    at most 0.501 ulp.
    """
    layout = ap.format_of(x)
    size = ap.absolute(e, x)
    small = e.fcmp("olt", size, e.like(layout.tiny, x))
    lift = 3 * (layout.mantissa // 3 + 1)
    scaled = e.select(small, e.fmul(size, e.like(2.0**lift, x)), size)
    one_bits = layout.bias << layout.mantissa
    bits = e.bitcast(scaled, layout.integer)
    biased = e.lshr(bits, ap.integer_like(e, layout.mantissa, x))
    read = ap.integer_like(e, (layout.bias + layout.mantissa) << layout.mantissa, x)
    offset = 2.0**layout.mantissa + layout.bias
    k = e.fsub(e.bitcast(e.bit_or(biased, read), x.elem), e.select(small, e.like(offset + lift, x), e.like(offset, x)))
    fraction = e.bit_and(bits, ap.integer_like(e, (1 << layout.mantissa) - 1, x))
    m = e.bitcast(e.bit_or(fraction, ap.integer_like(e, one_bits, x)), x.elem)
    third = 1 / 3
    q = e.intrinsic("llvm.floor", e.fmul(e.fadd(k, e.like(0.5, x)), e.like(third, x)))
    rest = e.fma(q, e.like(-3.0, x), k)
    one, two = e.fcmp("oeq", rest, e.like(1.0, x)), e.fcmp("oeq", rest, e.like(2.0, x))

    def by_rest(value: Val, first: float, second: float) -> Val:
        return e.fmul(value, e.select(two, e.like(second, x), e.select(one, e.like(first, x), e.like(1.0, x))))

    inverse = by_rest(ap.horner(e, m, RECIPROCAL_CBRT), 2.0**-third, 4.0**-third)
    m = by_rest(m, 2.0, 4.0)
    error = e.fma(e.fneg(e.fmul(m, inverse)), e.fmul(inverse, inverse), e.like(1.0, x))
    step = e.fma(error, e.like(2 / 9, x), e.like(third, x))
    inverse = e.fma(e.fmul(inverse, error), step, inverse)
    square = e.fmul(inverse, inverse)
    root = e.fmul(m, square)
    root_square = ap.two_product(e, root, root)
    residual = e.fma(root_square.low, root, e.fma(root_square.high, root, e.fneg(m)))
    root = e.fma(residual, e.fmul(square, e.like(-third, x)), root)
    scale = ap.power_of_two(e, e.bitcast(e.fadd(q, e.like(layout.magic + layout.bias, x)), layout.integer), x.elem)
    result = ap.copysign(e, e.fmul(root, scale), x)
    plain = e.bit_and(e.fcmp("olt", size, e.like(math.inf, x)), e.fcmp("ogt", size, e.like(0.0, x)))
    return e.select(plain, result, x)


# -- powers ----------------------------------------------------------------------------------------------------


def power_of_positive(e: Emitter, x: Val, y: Val) -> Val:
    """x**y of doubles for 0 < x < inf: exp of a double-word y log(x)."""
    logarithm = ap.log_pair(e, x)
    product = e.fmul(logarithm.high, y)
    low = e.fma(logarithm.low, y, e.fma(logarithm.high, y, e.fneg(product)))
    lowest, highest = EXP_RANGE["double"]
    inside = e.fcmp("olt", ap.absolute(e, product), e.like(1000.0, x))
    low = e.select(inside, low, e.like(0.0, x))
    product = ap.at_most(e, ap.at_least(e, product, lowest), highest)
    reduced = ap.reduce_by_ln2(e, product, 2 * ap.FORMATS["double"].bias)
    return ap.scaled(e, ap.exp_of_rest(e, e.fadd(reduced.rest, low)), reduced.n, reduced.bits)


# Minimax for log2((1+s) / (1-s)) / s in s**2 and for 2**r as above, for a result in float: 2^-37.8 and 2^-26.6.
LOG2_FOR_FLOAT = (
    2.8853900817900806,
    0.9617966733493339,
    0.5770835834298107,
    0.4116728163225249,
    0.3407282178480888,
)
EXP2_FOR_FLOAT = (
    1.0,
    0.6931472918701687,
    0.24022657719336324,
    0.05550179174476219,
    0.009616941165760222,
    0.001344993359046825,
    0.0001582146308941744,
)


def power_for_float(e: Emitter, x: Val, y: Val) -> Val:
    """x**y in double, good to 26 bits, for the float result."""
    k, m = ap.split_exponent(e, x, subnormal=False)
    s = e.fdiv(e.fsub(m, e.like(1.0, x)), e.fadd(m, e.like(1.0, x)))
    square = e.fmul(s, s)
    fraction = e.fmul(s, ap.horner(e, square, LOG2_FOR_FLOAT))
    exponent = e.fmul(e.fadd(k, fraction), y)
    exponent = ap.at_most(e, ap.at_least(e, exponent, -200.0), 200.0)
    n, bits = ap.nearest_integer(e, exponent, 1.0, ap.FORMATS["double"].bias)
    return e.fmul(ap.horner(e, e.fsub(exponent, n), EXP2_FOR_FLOAT), ap.power_of_two(e, bits, "double"))


def emit_pow(e: Emitter, x: Val, y: Val) -> Val:
    """x**y as exp(y log|x|) with the sign and the special values of C99's pow.

    y log|x| is double-word for double: at most 1.05 ulp. Float goes through double: at most 0.66.
    """
    zero, one, infinity = e.like(0.0, x), e.like(1.0, x), e.like(math.inf, x)
    size = ap.absolute(e, x)
    # A huge y acts like a finite one, and stays clear of 0 * inf.
    limit = 1e30 if x.elem == "float" else 1e300
    exponent = ap.at_most(e, ap.at_least(e, y, -limit), limit)
    result = (
        ap.in_double(e, power_for_float, size, exponent) if x.elem == "float" else power_of_positive(e, size, exponent)
    )
    # |x| zero or infinite: zero or infinity, by the sign of y.
    extreme = e.bit_or(e.fcmp("oeq", size, zero), e.fcmp("oeq", size, infinity))
    grows = e.bit_xor(e.fcmp("oeq", size, infinity), e.fcmp("olt", y, zero))
    result = e.select(extreme, e.select(grows, infinity, zero), result)
    # Negative x: the sign of an odd power, NaN for a fractional one.
    whole = e.fcmp("oeq", e.intrinsic("llvm.rint", y), y)
    half = e.fmul(y, e.like(0.5, x))
    odd = e.bit_and(whole, e.fcmp("one", e.intrinsic("llvm.rint", half), half))
    result = e.select(odd, ap.copysign(e, result, x), result)
    negative = e.bit_and(e.fcmp("olt", x, zero), e.fcmp("ogt", x, e.fneg(infinity)))
    fractional = e.bit_and(negative, e.fcmp("one", e.intrinsic("llvm.rint", y), y))
    result = e.select(fractional, e.like(math.nan, x), result)
    result = e.select(e.fcmp("uno", x, y), e.fadd(x, y), result)
    unit = e.bit_or(e.fcmp("oeq", y, zero), e.fcmp("oeq", x, one))
    return e.select(unit, one, result)


EMIT: dict[type[Op], Callable[..., Val]] = {
    ops.Exp: emit_exp,
    ops.Exp2: emit_exp2,
    ops.Expm1: emit_expm1,
    ops.Log: emit_log,
    ops.Log1p: emit_log1p,
    ops.Log2: emit_log2,
    ops.Log10: emit_log10,
    ops.Sqrt: emit_sqrt,
    ops.Rsqrt: emit_rsqrt,
    ops.Cbrt: emit_cbrt,
    ops.Pow: emit_pow,
}
