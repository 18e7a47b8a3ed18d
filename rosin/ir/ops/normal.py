"""Normal numbers from random bits, the same on every target: an op that is put together of exactly rounded ones.

A uniform number x in (-1, 1) is made of the bits, and √2 erfinv(x) of it as x f(w) for w = -log(1 - x²): a polynomial
in w near zero, and polynomials in √w beyond (in the manner of M. Giles, "Approximating the erfinv function", 2010).
Sums, products, quotients and roots are rounded exactly by IEEE 754, and nothing else is used, so that the interpreter
and all targets agree to the last bit. Relative errors are at most 3e-7 in f32 and 5e-15 in f64: no test of a sample can
see them, and fewer digits are fewer operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, f32, f64, u32, u64
from rosin.ir.index import Index
from rosin.ir.loops import Expr, Local
from rosin.ir.op import Arrays, Constantlike, Cost, NumpyArray, Pull, Reader, Types, Values, define, elements
from rosin.ir.scalar import Real, evaluate, sqrt, where
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@dataclass(frozen=True, slots=True)
class Region:
    """Up to w = `end`, f is a polynomial of these coefficients, constant term first, in w or √w less `middle`."""

    end: float
    middle: float
    coefficients: tuple[float, ...]


# Minimax for f: 2^-27.4 for w, 2^-26.9 for √w.
REGIONS_F32 = (
    Region(
        5.0,
        2.5,
        (
            2.1233134269714355,
            0.34880203008651733,
            -0.005907717160880566,
            -0.0017716445727273822,
            0.00030878567486070096,
            -7.01923363521928e-06,
            -4.8970041461871006e-06,
            6.592648560399539e-07,
            3.285591887447481e-08,
            -1.2432431084619111e-08,
        ),
    ),
    Region(
        math.inf,
        3.143033988749895,
        (
            4.209298610687256,
            1.4198249578475952,
            0.00957400631159544,
            -0.007121074944734573,
            0.005031563341617584,
            -0.003375682048499584,
            0.001803356222808361,
            -0.0004738411807920784,
            -0.00022318240371532738,
            0.00017158070113509893,
        ),
    ),
)
# Minimax for f: 2^-48.5 for w, 2^-52.9 for √w <= 3.5, 2^-47.8 beyond.
REGIONS_F64 = (
    Region(
        5.0,
        2.5,
        (
            2.123313467014666,
            0.3488020243990252,
            -0.005907619380060338,
            -0.0017715965126299665,
            0.0003086524833544357,
            -7.065524357557184e-06,
            -4.8318289402629804e-06,
            6.770207794369387e-07,
            1.8973483181985825e-08,
            -1.536077618359311e-08,
            1.2835027422995232e-09,
            1.6946634165870275e-10,
            -4.410550405772382e-11,
            1.2096751406144937e-12,
            7.807725260863963e-13,
            -9.571765598465947e-14,
            -6.854140282675738e-15,
            1.6822180075689617e-15,
        ),
    ),
    Region(
        12.25,
        2.868033988749895,
        (
            3.819753558142478,
            1.4124103417567122,
            0.018603061621888704,
            -0.016028164085137155,
            0.011915960061115673,
            -0.0067081444791068385,
            0.00203806426503237,
            0.0004081856886373422,
            -0.0007797764438148643,
            0.00032913104575584527,
            2.1316265318164195e-05,
            -8.962998196527936e-05,
            3.848574207578766e-05,
            2.0985380736832696e-06,
            -9.783953189285836e-06,
            3.888780392257274e-06,
            7.141104624855919e-07,
            -8.482310721615429e-07,
        ),
    ),
    Region(
        math.inf,
        4.775,
        (
            6.537321594419015,
            1.4288174380077252,
            4.5167707014394834e-05,
            -0.0004165116173399743,
            0.00014427392329100414,
            -3.821334299363085e-05,
            9.192999506008198e-06,
            -2.242306176785535e-06,
            6.689648172683603e-07,
            -2.8709514322763394e-07,
            1.551242672092174e-07,
            -8.105288349976863e-08,
            3.537991760251223e-08,
            -1.3905582489952234e-08,
            5.09499647889036e-09,
            -5.00545877990229e-10,
            -7.374789581845286e-10,
            2.543647400854085e-10,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Format:
    """A float type: its bits as integers, the place of its exponent, and what the functions below need to know."""

    dtype: DType
    words: DType
    mantissa: int
    bias: int
    sqrt_half: int
    """The bits of the float next to √½."""
    atanh: tuple[float, ...]
    """Minimax for (2 atanh(s) - 2 s) / s³ in s², s <= (√2 - 1) / (√2 + 1)."""
    regions: tuple[Region, ...]

    @property
    def one(self) -> int:
        """The bits of the number 1."""
        return self.bias << self.mantissa


FORMATS = {
    u32: Format(
        f32, u32, 23, 127, 0x3F3504F3, (0.6666668653488159, 0.3998876214027405, 0.29580605030059814), REGIONS_F32
    ),
    u64: Format(
        f64,
        u64,
        52,
        1023,
        0x3FE6A09E667F3BCD,
        (
            0.6666666666666734,
            0.3999999999941657,
            0.2857142874205098,
            0.22222198602257123,
            0.18183563014774906,
            0.15314080293532906,
            0.14795681766239827,
        ),
        REGIONS_F64,
    ),
}


@define("random_normal")
class RandomNormal(Constantlike, Pull):
    """Normal numbers of mean 0 and variance 1 from random bits: f32 from u32, f64 from u64, of which it takes the high
    23 or 52 bits."""

    slow_in_numpy = True

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        if operands[0].dtype not in FORMATS:
            self.bad_dtype(operands, f"makes numbers of u32 and u64 bits, not {operands[0].dtype}")
        return (TensorType(FORMATS[operands[0].dtype].dtype, operands[0].shape),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (bits,) = operands
        layout = next(f for f in FORMATS.values() if f.words.numpy == bits.dtype)
        local = Local("bits", layout.words)
        return (evaluate(_normal(Real(local), layout).expr, {local: bits}),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(100 * elements(results[0]), operands[0].bytes + results[0].bytes)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return _normal(Real(operands[0](index)), FORMATS[types[0].dtype]).expr


def _normal(bits: Real, layout: Format) -> Real:
    """√2 erfinv(x) for a uniform x; its least value is the one next to -1, above which erfinv is finite."""
    unit = (bits >> layout.words.bits - layout.mantissa | layout.one).bits(layout.dtype) - 1.0
    # As JAX has it: twice the number in [0, 1), less the greatest number below 1.
    x = unit * 2.0 + -(1.0 - 2.0 ** -(layout.mantissa + 1))
    # Next to ±1, 1 - x² by itself would lose its digits.
    w = -_log((1.0 - x) * (1.0 + x), layout)
    root = sqrt(w)
    *inner, last = layout.regions
    argument, coefficients = root - last.middle, [x.like(c) for c in last.coefficients]
    for region in reversed(inner):
        near = w < region.end
        variable = w if region is layout.regions[0] else root
        argument = where(near, variable - region.middle, argument)
        pairs = zip(region.coefficients, coefficients, strict=True)
        coefficients = [where(near, x.like(own), beyond) for own, beyond in pairs]
    return x * _polynomial(argument, coefficients)


def _log(v: Real, layout: Format) -> Real:
    """log(v) for normal v of at most 1: k log(2) + log(m) for v = m 2ᵏ with √½ <= m < √2, in the manner of fdlibm."""
    moved = v.bits(layout.words) + (layout.one - layout.sqrt_half)
    magic = layout.bias + layout.mantissa << layout.mantissa  # The bits of 2 ** mantissa, to which k is added exactly.
    k = (moved >> layout.mantissa | magic).bits(layout.dtype) - (2.0**layout.mantissa + layout.bias)
    m = ((moved & (1 << layout.mantissa) - 1) + layout.sqrt_half).bits(layout.dtype)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    tail = square * s * _polynomial(square, [v.like(c) for c in layout.atanh])
    return k * math.log(2) + (s * 2.0 + tail)


def _polynomial(x: Real, coefficients: Sequence[Real]) -> Real:
    """The polynomial with these coefficients, constant term first, in few steps one after the other (Estrin, 1960)."""
    while len(coefficients) > 1:
        pairs = [low + high * x for low, high in zip(coefficients[::2], coefficients[1::2], strict=False)]
        coefficients = [*pairs, *coefficients[len(pairs) * 2 :]]
        x = x * x
    return coefficients[0]


__all__ = ["RandomNormal"]
