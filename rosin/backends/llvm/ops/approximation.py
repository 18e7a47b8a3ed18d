"""Pieces that the elementwise mathematical functions share: polynomials, double-word sums, exponentials, logarithms.

All code is straight-line and lane by lane, so a function gives the same bits at any number of lanes. An fma that
IR asks for is taken as one instruction. Bounds are in ulp, the spacing of floats at the true value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rosin.backends.llvm.emit import Emitter, Val
from rosin.ir.coefficients import EXP_DOUBLE, EXP_FLOAT, LOG_DOUBLE
from rosin.ir.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """The layout of a floating type: `integer` is the integer type of the same width."""

    integer: str
    mantissa: int
    bias: int
    tiny: float  # smallest normal number
    sqrt_half: int  # bits of the float next to sqrt(1/2)

    @property
    def sign(self) -> int:
        """The place of the sign bit."""
        return 31 if self.integer == "i32" else 63

    @property
    def bytes(self) -> int:
        return (self.sign + 1) // 8

    @property
    def magic(self) -> float:
        """Added to a float of small size, leaves its nearest integer in the low bits of the sum's mantissa."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {
    "float": Format("i32", 23, 127, 2.0**-126, 0x3F3504F3),
    "double": Format("i64", 52, 1023, 2.0**-1022, 0x3FE6A09E667F3BCD),
}


class Pair(NamedTuple):
    """An unevaluated sum `high + low` with `low` far smaller than `high`: about twice the precision of one float."""

    high: Val
    low: Val


def format_of(x: Val) -> Format:
    return FORMATS[x.elem]


def by_type(x: Val, single: Sequence[float], double: Sequence[float]) -> Sequence[float]:
    """The coefficients for the type of `x`."""
    return single if x.elem == "float" else double


# -- small helpers ---------------------------------------------------------------------------------------------


def horner(e: Emitter, x: Val, coefficients: Sequence[float]) -> Val:
    """The polynomial with these coefficients, constant term first, at `x`."""
    result = e.like(coefficients[-1], x)
    for coefficient in reversed(coefficients[:-1]):
        result = e.fma(result, x, e.like(coefficient, x))
    return result


def absolute(e: Emitter, x: Val) -> Val:
    return e.intrinsic("llvm.fabs", x)


def copysign(e: Emitter, magnitude: Val, sign: Val) -> Val:
    return e.intrinsic("llvm.copysign", magnitude, sign)


def square_root(e: Emitter, x: Val) -> Val:
    return e.intrinsic("llvm.sqrt", x)


def at_most(e: Emitter, x: Val, bound: float) -> Val:
    """`min(x, bound)`, where NaN stays NaN."""
    limit = e.like(bound, x)
    return e.select(e.fcmp("olt", limit, x), limit, x)


def at_least(e: Emitter, x: Val, bound: float) -> Val:
    """`max(x, bound)`, where NaN stays NaN."""
    limit = e.like(bound, x)
    return e.select(e.fcmp("ogt", limit, x), limit, x)


def keep_tiny(e: Emitter, x: Val, result: Val, bound: float) -> Val:
    """`x` itself where |x| < bound, else `result`: for functions close to the identity near zero.

    It keeps the sign of zero and the bits of a denormal.
    """
    return e.select(e.fcmp("olt", absolute(e, x), e.like(bound, x)), x, result)


def sign_bit(e: Emitter, x: Val) -> Val:
    """The bits of `x` but for the sign cleared, as integers."""
    layout = format_of(x)
    return e.bit_and(e.bitcast(x, layout.integer), integer_like(e, -1 << (layout.sign), x))


def with_sign_of(e: Emitter, x: Val, sign: Val) -> Val:
    """`x`, negative where `sign` is: for an `x` that has this sign already unless it is zero."""
    layout = format_of(x)
    return e.bitcast(e.bit_or(e.bitcast(x, layout.integer), sign_bit(e, sign)), x.elem)


def integer_like(e: Emitter, value: int, x: Val) -> Val:
    """An integer constant of the width and lanes of the float `x`."""
    return e.const(value, format_of(x).integer, x.lanes)


def in_double(e: Emitter, function: Callable[..., Val], *arguments: Val) -> Val:
    """Evaluate `function` in double whatever the type of the arguments, and round once to their type."""
    elem = arguments[0].elem
    wide = [e.convert("fpext", x, "double") for x in arguments]
    return e.convert("fptrunc", function(e, *wide), elem)


# -- double-word arithmetic (Dekker 1971, Knuth) ---------------------------------------------------------------


def fast_two_sum(e: Emitter, a: Val, b: Val) -> Pair:
    """`a + b` exactly, for |a| >= |b| or a = 0."""
    total = e.fadd(a, b)
    return Pair(total, e.fsub(b, e.fsub(total, a)))


def two_sum(e: Emitter, a: Val, b: Val) -> Pair:
    """`a + b` exactly, for operands of any size."""
    total = e.fadd(a, b)
    part = e.fsub(total, a)
    return Pair(total, e.fadd(e.fsub(a, e.fsub(total, part)), e.fsub(b, part)))


def two_product(e: Emitter, a: Val, b: Val) -> Pair:
    """`a * b` exactly."""
    product = e.fmul(a, b)
    return Pair(product, e.fma(a, b, e.fneg(product)))


def multiply_pairs(e: Emitter, a: Pair, b: Pair) -> Pair:
    """`a * b`, not renormalised, with a relative error near the square of one rounding."""
    product = e.fmul(a.high, b.high)
    low = e.fma(a.high, b.high, e.fneg(product))
    return Pair(product, e.fma(a.low, b.high, e.fma(a.high, b.low, low)))


# -- exponentials ----------------------------------------------------------------------------------------------

# ln 2 in two parts. The product of the high part of the double with an integer below 2**11 is exact.
LN2_FLOAT = (0.693147182464599609375, -1.904654299957768e-09)
LN2_DOUBLE = (0.693147180559663, 2.8235290563031577e-13)
LOG2_E = 1.4426950408889634


class Reduced(NamedTuple):
    """`x = n ln 2 + rest`; the low bits of `bits` hold n plus the asked offset."""

    n: Val
    bits: Val
    rest: Val


def nearest_integer(e: Emitter, x: Val, factor: float, offset: int) -> tuple[Val, Val]:
    """The integer next to `x * factor` as a float, and integer bits whose low part is that integer plus `offset`."""
    magic = e.like(format_of(x).magic + offset, x)
    shifted = e.fma(x, e.like(factor, x), magic)
    return e.fsub(shifted, magic), e.bitcast(shifted, format_of(x).integer)


def reduce_by_ln2(e: Emitter, x: Val, offset: int) -> Reduced:
    high, low = LN2_FLOAT if x.elem == "float" else LN2_DOUBLE
    n, bits = nearest_integer(e, x, LOG2_E, offset)
    rest = e.fma(n, e.like(-high, x), x)
    return Reduced(n, bits, e.fma(n, e.like(-low, x), rest))


def power_of_two(e: Emitter, bits: Val, elem: str) -> Val:
    """2**n from `bits` whose low part holds n plus the bias; n must give a normal number."""
    shift = e.const(FORMATS[elem].mantissa, bits.elem, bits.lanes)
    return e.bitcast(e.shl(bits, shift), elem)


def scaled(e: Emitter, y: Val, n: Val, bits: Val) -> Val:
    """`y * 2**n`, rounded once, for 0 <= y < 2 and any n of results from overflow to zero; n and `bits` are those of
    `nearest_integer` with twice the bias as its offset.

    Without an instruction for it: two factors of half the exponent each stay normal, and only the last product can
    round. Where n alone makes the result zero, so is the last factor: a product that underflows takes some processors a
    hundred cycles, and masks are made of exponentials that are zero.
    """
    if e.avx512 and y.lanes * FORMATS[y.elem].bytes >= 16:
        return by_avx512(e, "scalef", y, n)
    layout = format_of(y)
    zero = e.like(layout.magic + layout.bias - layout.mantissa, y)
    vanishes = e.icmp("slt", bits, e.bitcast(zero, bits.elem))
    half = e.lshr(bits, e.const(1, bits.elem, bits.lanes))
    first, second = power_of_two(e, half, y.elem), power_of_two(e, e.sub(bits, half), y.elem)
    return e.fmul(e.fmul(y, first), e.select(vanishes, e.like(0.0, y), second))


def in_registers(e: Emitter, least: int, most: int, make: Callable[..., Val], *values: Val) -> Val:
    """What `make` makes of vectors of some number of lanes, where it takes no fewer than `least` and no more than
    `most`."""
    lanes = values[0].lanes
    if lanes > most:
        halves = range(lanes // 2), range(lanes // 2, lanes)
        low, high = (in_registers(e, least, most, make, *(e.take(v, half) for v in values)) for half in halves)
        return e.shuffle(low, high, range(lanes))
    if lanes < least:
        places = [min(i, lanes - 1) for i in range(least)]
        return e.take(make(*(e.take(v, places) for v in values)), range(lanes))
    return make(*values)


def by_avx512(e: Emitter, name: str, *values: Val, how: int | None = None) -> Val:
    """An instruction of AVX-512 on floats or doubles; `how` is the number that is part of it, if there is one."""
    x = values[0]
    each = FORMATS[x.elem].bytes

    def made(*values: Val) -> Val:
        kind, bytes = values[0].type, values[0].lanes * each
        every = f"i{max(values[0].lanes, 8)} -1"
        taken = [v.typed for v in values] + ([] if how is None else [f"i32 {how}"])
        taken += [f"{kind} poison", every, *(["i32 4"] if bytes == 64 else [])]  # rounded as always
        function = f"@llvm.x86.avx512.mask.{name}.p{'s' if x.elem == 'float' else 'd'}.{8 * bytes}"
        e.declarations.add(f"declare {kind} {function}({', '.join(v.rsplit(' ', 1)[0] for v in taken)})")
        return e.define(f"call {kind} {function}({', '.join(taken)})", x.elem, values[0].lanes)

    return in_registers(e, 16 // each, 64 // each, made, *values)


# Minimax for (exp(r) - 1 - r) / r**2 on the same interval, in terms of exp(r) - 1: 2^-26.1 and 2^-61.2.
EXPM1_FLOAT = (
    0.4999999701976776,
    0.1666654497385025,
    0.04166746512055397,
    0.008366423659026623,
    0.0013868327951058745,
)
EXPM1_DOUBLE = (
    0.5,
    0.16666666666666677,
    0.04166666666666667,
    0.008333333333321726,
    0.0013888888888899315,
    0.00019841269885625322,
    2.4801587269722556e-05,
    2.75572447895668e-06,
    2.755733591877611e-07,
    2.5108834848291264e-08,
    2.0892357148193836e-09,
)


def exp_of_rest(e: Emitter, rest: Val) -> Val:
    return horner(e, rest, by_type(rest, EXP_FLOAT, EXP_DOUBLE))


def scaled_expm1(e: Emitter, rest: Val, power: Val, less: float) -> Val:
    """`power * exp(rest) - less`, for `less` at most `power` or where the sum is of no smaller size than `rest`.

    The sum without the terms of second order is rounded first, so that the last rounding is nearly the only one.
    """
    tail = e.fmul(e.fmul(rest, rest), horner(e, rest, by_type(rest, EXPM1_FLOAT, EXPM1_DOUBLE)))
    return e.fma(power, tail, e.fma(power, rest, e.fsub(power, e.like(less, power))))


# -- logarithms ------------------------------------------------------------------------------------------------


def split_exponent(e: Emitter, x: Val, subnormal: bool = True) -> tuple[Val, Val]:
    """`x = m * 2**k` with sqrt(1/2) <= m < sqrt(2), for positive finite x: (k, m), both as floats.

    With `subnormal` false, x must be a normal number.
    """
    layout = format_of(x)
    # An integer k below 2**mantissa is read from the bits of the float 2**mantissa + k.
    offset = e.like(2.0**layout.mantissa + layout.bias, x)
    if subnormal:
        small = e.fcmp("olt", x, e.like(layout.tiny, x))
        x = e.select(small, e.fmul(x, e.like(2.0**layout.mantissa, x)), x)
        offset = e.select(small, e.like(2.0**layout.mantissa + layout.bias + layout.mantissa, x), offset)
    moved = e.add(e.bitcast(x, layout.integer), integer_like(e, (layout.bias << layout.mantissa) - layout.sqrt_half, x))
    biased = e.lshr(moved, integer_like(e, layout.mantissa, x))
    k = e.fsub(
        e.bitcast(e.bit_or(biased, integer_like(e, (layout.bias + layout.mantissa) << layout.mantissa, x)), x.elem),
        offset,
    )
    fraction = e.bit_and(moved, integer_like(e, (1 << layout.mantissa) - 1, x))
    return k, e.bitcast(e.add(fraction, integer_like(e, layout.sqrt_half, x)), x.elem)


# Minimax for (log(1+f) - f + f**2/2) / f**3, sqrt(1/2) <= 1+f <= sqrt(2): 2^-27.3 of log(1+f).
LOG_FLOAT = (
    0.3333333134651184,
    -0.2500081956386566,
    0.20001238584518433,
    -0.1662341058254242,
    0.14201664924621582,
    -0.1315971165895462,
    0.12761659920215607,
    -0.07635445147752762,
)
# Minimax for (2 atanh(s) - 2 s - 2 s**3 / 3) / s**5 in s**2 on the same interval: 2^-72.5 of log.
LOG_PAIR = (
    0.3999999999999998,
    0.2857142857144384,
    0.22222222217789725,
    0.18181818843995406,
    0.1538455842840775,
    0.133362644999557,
    0.1167578080917484,
    0.11981751481276548,
)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)


def log1p_correction(e: Emitter, f: Val) -> Val:
    """`log(1 + f) - f` for sqrt(1/2) <= 1 + f <= sqrt(2)."""
    if f.elem == "float":
        square = e.fmul(f, f)
        cubic = e.fmul(e.fmul(f, square), horner(e, f, LOG_FLOAT))
        return e.fma(square, e.like(-0.5, f), cubic)
    # With s = f / (2 + f): log(1+f) = f - f**2/2 + s (f**2/2 + R), as in Ng's log of fdlibm.
    s = e.fdiv(f, e.fadd(f, e.like(2.0, f)))
    square = e.fmul(s, s)
    half = e.fmul(e.fmul(f, e.like(0.5, f)), f)
    return e.fsub(e.fmul(s, e.fma(square, horner(e, square, LOG_DOUBLE), half)), half)


def log_special_cases(e: Emitter, x: Val, result: Val) -> Val:
    """A logarithm's result, put right for zeros (-inf), negative numbers (NaN), infinity and NaN."""
    result = e.select(e.fcmp("olt", x, e.like(math.inf, x)), result, x)
    outside = e.select(e.fcmp("oeq", x, e.like(0.0, x)), e.like(-math.inf, x), e.like(math.nan, x))
    return e.select(e.fcmp("ole", x, e.like(0.0, x)), outside, result)


def log_pair(e: Emitter, x: Val) -> Pair:
    """log(x) of a positive finite double with a relative error below 2^-64.

    The fraction s = (m-1)/(m+1) and the first terms of 2 atanh(s) are double-word, the tail is a polynomial.
    """
    one = e.like(1.0, x)
    k, m = split_exponent(e, x)
    f = e.fsub(m, one)
    below = e.fadd(m, one)
    below_low = e.fsub(m, e.fsub(below, one))
    reciprocal = e.fdiv(one, below)
    s = e.fmul(f, reciprocal)
    remainder = e.fma(e.fneg(s), below_low, e.fma(e.fneg(s), below, f))
    ratio = Pair(s, e.fmul(remainder, reciprocal))
    square = multiply_pairs(e, ratio, ratio)
    tail = e.fmul(square.high, horner(e, square.high, LOG_PAIR))
    factor = fast_two_sum(e, e.like(TWO_THIRDS[0], x), tail)
    factor = Pair(factor.high, e.fadd(factor.low, e.like(TWO_THIRDS[1], x)))
    cubic = multiply_pairs(e, ratio, multiply_pairs(e, square, factor))
    two = e.like(2.0, x)
    near = fast_two_sum(e, e.fmul(s, two), cubic.high)
    near_low = e.fadd(near.low, e.fma(ratio.low, two, cubic.low))
    total = fast_two_sum(e, e.fmul(k, e.like(LN2_DOUBLE[0], x)), near.high)
    low = e.fadd(total.low, e.fma(k, e.like(LN2_DOUBLE[1], x), near_low))
    return fast_two_sum(e, total.high, low)
