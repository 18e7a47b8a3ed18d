"""Functions of floats put together of exactly rounded operations alone, so that all targets agree to the last bit.

Sums, products, quotients and roots are rounded by IEEE 754 in one way, and what is done with bits is exact. So nothing
else is used here: no product is fused with a sum, and constants stand second in sums whose rounding errors count.
Errors are below 2 ulp where nothing else is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rosin.ir import coefficients as table
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType, f32, f64, u32, u64
from rosin.ir.ops import arithmetic as ar
from rosin.ir.scalar import Real, call, exact_square, exact_sum, magnitude, sqrt, where, with_sign


@dataclass(frozen=True, slots=True)
class Format:
    """A float type: its bits as integers, the place of its exponent, and what the functions below need to know."""

    dtype: DType
    words: DType
    mantissa: int
    bias: int
    sqrt_half: int
    """The bits of the float next to √½."""
    tiny: float
    """The least normal number."""
    atanh: Sequence[float]
    """Minimax for (2 atanh(s) - 2 s) / s³ in s², s <= (√2 - 1) / (√2 + 1)."""
    log2: tuple[float, float]
    """log(2) in two parts, of which the first has so few digits that its product with an exponent is exact."""
    exponents: tuple[float, float]
    """Beyond these arguments exp rounds to zero, or is infinite."""
    exp: Sequence[float]
    tan: Sequence[float]
    half_pi: tuple[float, float]

    @property
    def one(self) -> int:
        """The bits of the number 1."""
        return self.bias << self.mantissa


SINGLE = Format(
    dtype=f32,
    words=u32,
    mantissa=23,
    bias=127,
    sqrt_half=0x3F3504F3,
    tiny=2.0**-126,
    atanh=(0.6666668653488159, 0.3998876214027405, 0.29580605030059814),
    log2=(0.693145751953125, 1.42860677e-6),
    exponents=(-104.0, 89.0),
    exp=table.EXP_FLOAT,
    tan=table.TAN_FOR_FLOAT,
    half_pi=(1.5707963705062866, -4.371138828673793e-08),
)
DOUBLE = Format(
    dtype=f64,
    words=u64,
    mantissa=52,
    bias=1023,
    sqrt_half=0x3FE6A09E667F3BCD,
    tiny=2.0**-1022,
    atanh=table.LOG_DOUBLE,
    log2=(0.693147180559663, 2.8235290563031577e-13),
    exponents=(-746.0, 710.0),
    exp=table.EXP_DOUBLE,
    tan=table.TAN_DOUBLE,
    half_pi=(1.5707963267948966, 6.123233995736766e-17),
)
FORMATS = {f32: SINGLE, f64: DOUBLE}


def polynomial(x: Real, coefficients: Sequence[Real | float]) -> Real:
    """The polynomial with these coefficients, constant term first, in few steps one after the other (Estrin, 1960)."""
    terms = [x.like(c) for c in coefficients]
    while len(terms) > 1:
        pairs = [low + high * x for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms = [*pairs, *terms[len(pairs) * 2 :]]
        x = x * x
    return terms[0]


# -- logarithms --------------------------------------------------------------------------------------------------------


def log_of_normal(v: Real) -> Real:
    """log(v) of a positive normal number: k log(2) + log(m) for v = m 2ᵏ with √½ <= m < √2, in the manner of fdlibm."""
    layout = FORMATS[v.dtype]
    moved = v.bits(layout.words) + (layout.one - layout.sqrt_half)
    magic = layout.bias + layout.mantissa << layout.mantissa  # The bits of 2 ** mantissa, to which k is added exactly.
    k = (moved >> layout.mantissa | magic).bits(layout.dtype) - (2.0**layout.mantissa + layout.bias)
    m = ((moved & (1 << layout.mantissa) - 1) + layout.sqrt_half).bits(layout.dtype)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    tail = square * s * polynomial(square, layout.atanh)
    return k * math.log(2) + (s * 2.0 + tail)


def log(x: Real) -> Real:
    """log(x), with the special values of C99."""
    layout = FORMATS[x.dtype]
    small = x < layout.tiny
    lifted = where(small, x * 2.0**layout.mantissa, x)
    found = log_of_normal(lifted)
    found = where(small, found - layout.mantissa * math.log(2), found)
    found = where(x < math.inf, found, x)
    return where(x <= 0.0, where(x.equals(0.0), x.like(-math.inf), math.nan), found)


def log1p(x: Real) -> Real:
    """log(1 + x): the rounding error of the sum is added to the logarithm; at most 2.3 ulp."""
    total, error = exact_sum(x, x.like(1.0))
    plain = (total > 0.0) & (total < math.inf)
    return where(plain, log(total) + where(plain, error / total, 0.0), log(total))


# -- exponentials ------------------------------------------------------------------------------------------------------


def exp(x: Real) -> Real:
    """exp(x) = 2ⁿ exp(r) with |r| <= log(2) / 2."""
    layout = FORMATS[x.dtype]
    lowest, highest = layout.exponents
    x = where(x < lowest, lowest, where(x > highest, x.like(highest), x))
    n = call(ar.Round(), x * (1 / math.log(2)))
    high, low = layout.log2
    rest = (x - n * high) - n * low
    # n and twice the bias, in the low bits of a float next to which there are only integers.
    held = (n + (1.5 * 2.0**layout.mantissa + 2 * layout.bias)).bits(layout.words)
    half = held >> 1
    first, second = ((bits << layout.mantissa).bits(layout.dtype) for bits in (half, held - half))
    return polynomial(rest, layout.exp) * first * second


# -- the tangent -------------------------------------------------------------------------------------------------------


def tan(x: Real) -> Real:
    """tan(x) for |x| < π/2; at most 2.3 ulp."""
    layout = FORMATS[x.dtype]
    size = magnitude(x)
    steep = size > math.pi / 4
    high, low = layout.half_pi
    # Two constants next to each other XLA would add first.
    rest = where(steep, x.like(high) - size, size) + where(steep, x.like(low), 0.0)
    square = rest * rest
    found = rest + rest * square * polynomial(square, layout.tan)
    return with_sign(where(steep, 1.0 / found, found), x)


# -- the error function, of doubles ------------------------------------------------------------------------------------


def _erf_near(x: Real) -> Real:
    return x + x * polynomial(x * x, table.ERF_DOUBLE)


def erf(x: Real) -> Real:
    """erf(x) by a polynomial up to 1; above, 1 - 2**q(|x|) with q a polynomial for log2(erfc)."""
    size = magnitude(x)
    t = size - 1.0
    exponent = polynomial(where(t > 4.95, x.like(4.95), t), table.LOG2_ERFC_DOUBLE)
    n = call(ar.Round(), exponent)
    power = ((n + (1.5 * 2.0**52 + 1023)).bits(u64) << 52).bits(f64)
    far = 1.0 - polynomial(exponent - n, table.EXP2_DOUBLE) * power
    return where(size < 1.0, _erf_near(x), with_sign(far, x))


def _scaled_erfc(x: Real) -> Real:
    """exp(x²) erfc(x) from 1/2 on."""
    t = (x - 4.0) / (x + 4.0)
    return polynomial(t, table.SCALED_ERFC) / (x * 2.0 + 1.0)


def erfc(x: Real) -> Real:
    """erfc(x), with an error of at most 5.5 ulp: 1 - erf(x) up to 1/2; above, exp(-x²) times a polynomial."""
    size = magnitude(x)
    size = where(size > 28.0, x.like(28.0), size)
    square, error = exact_square(size)
    far = _scaled_erfc(where(size < 0.5, x.like(0.5), size)) * (1.0 - error) * exp(-square)
    far = where(x < 0.0, 2.0 - far, far)
    return where(size < 0.5, 1.0 - _erf_near(x), far)


def erfinv(x: Real) -> Real:
    """erfinv(x) as x times polynomials in w = -log(1 - x²) or its root (M. Giles, 2010); at most 4 ulp."""
    w = -log((1.0 - x) * (1.0 + x))
    root = sqrt(w)
    central, middle = w < 6.25, w < 16.0
    regions = ((root, 5.0625, table.ERFINV_OUTER), (root, 3.25, table.ERFINV_MIDDLE), (w, 3.125, table.ERFINV_CENTRAL))
    found = [polynomial(variable - centre, coefficients) for variable, centre, coefficients in regions]
    factor = where(central, found[2], where(middle, found[1], found[0]))
    return where(magnitude(x).equals(1.0), x * math.inf, x * factor)


def erfcinv(y: Real) -> Real:
    """erfcinv(y) for y in [0, 1]: Newton's steps for the logarithm of erfc below 1/2."""
    kept = where(y < 0.5, y, y.like(0.5))
    logarithm = log(kept)
    t = -logarithm - 0.5 * math.log(math.pi)
    x = sqrt(t - log(where(t > 1.0, t, t.like(1.0))) * 0.5 + 0.3)
    for _ in range(4):
        scaled = _scaled_erfc(where(x < 28.0, x, x.like(28.0)))
        x = x + ((log(scaled) - logarithm) - x * x) * scaled * (math.sqrt(math.pi) / 2)
    x = where(y.equals(0.0), y.like(math.inf), x)
    return where(y < 0.5, x, erfinv(1.0 - y))


# -- the gamma function, of doubles ------------------------------------------------------------------------------------


def lgamma(x: Real) -> Real:
    """lgamma(x) from 1 on, with an absolute error of some 1e-15 next to its zeros.

    From 8 on Stirling's series. Below, x is shifted to 2 + t, |t| <= 1/2, by lgamma(x + 1) = lgamma(x) + log(x).
    """
    large = x >= 8.0
    y, product = x, x.like(1.0)
    for _ in range(6):
        above = y >= 2.5
        lower = y - 1.0
        product, y = where(above, product * lower, product), where(above, lower, y)
    small = x < 1.5
    product, y = where(small, 1.0 / x, product), where(small, x + 1.0, y)
    logarithm = log(where(large, x, product))
    inverse = 1.0 / x
    series = polynomial(inverse * inverse, table.STIRLING) * inverse
    far = (x - 0.5) * (logarithm - 1.0) + (series + table.HALF_LOG_TWO_PI_LESS_HALF)
    t = y - 2.0
    return where(large, where(x < math.inf, far, x), logarithm + t * polynomial(t, table.LGAMMA))
