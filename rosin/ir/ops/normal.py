"""Normal numbers from random bits, the same on every target: an op that is put together of exactly rounded ones.

A uniform number x in (-1, 1) is made of the bits, and √2 erfinv(x) of it as x f(w) for w = -log(1 - x²): a polynomial
in w near zero, and polynomials in √w beyond (in the manner of M. Giles, "Approximating the erfinv function", 2010).
Sums, products, quotients and roots are rounded exactly by IEEE 754, and nothing else is used, so that the interpreter
and all targets agree to the last bit. Relative errors are at most 3e-7 in f32 and 5e-15 in f64: no test of a sample can
see them, and fewer digits are fewer operations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.ir import exactly
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import u32, u64
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


FORMATS = {u32: (exactly.SINGLE, REGIONS_F32), u64: (exactly.DOUBLE, REGIONS_F64)}


@define("random_normal")
class RandomNormal(Constantlike, Pull):
    """Normal numbers of mean 0 and variance 1 from random bits: f32 from u32, f64 from u64, of which it takes the high
    23 or 52 bits."""

    slow_in_numpy = True

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        if operands[0].dtype not in FORMATS:
            self.bad_dtype(operands, f"makes numbers of u32 and u64 bits, not {operands[0].dtype}")
        layout, _ = FORMATS[operands[0].dtype]
        return (TensorType(layout.dtype, operands[0].shape),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (bits,) = operands
        local = Local("bits", next(words for words in FORMATS if words.numpy == bits.dtype))
        return (evaluate(_normal(Real(local)).expr, {local: bits}),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(self, operands[0])

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(100 * elements(results[0]), operands[0].bytes + results[0].bytes)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return _normal(Real(operands[0](index))).expr


def _normal(bits: Real) -> Real:
    """√2 erfinv(x) for a uniform x; its least value is the one next to -1, above which erfinv is finite."""
    layout, regions = FORMATS[bits.dtype]
    unit = (bits >> layout.words.bits - layout.mantissa | layout.one).bits(layout.dtype) - 1.0
    # As JAX has it: twice the number in [0, 1), less the greatest number below 1.
    x = unit * 2.0 + -(1.0 - 2.0 ** -(layout.mantissa + 1))
    # Next to ±1, 1 - x² by itself would lose its digits.
    w = -exactly.log_of_normal((1.0 - x) * (1.0 + x))
    root = sqrt(w)
    *inner, last = regions
    argument, coefficients = root - last.middle, [x.like(c) for c in last.coefficients]
    for region in reversed(inner):
        near = w < region.end
        variable = w if region is regions[0] else root
        argument = where(near, variable - region.middle, argument)
        pairs = zip(region.coefficients, coefficients, strict=True)
        coefficients = [where(near, x.like(own), beyond) for own, beyond in pairs]
    return x * exactly.polynomial(argument, coefficients)


__all__ = ["RandomNormal"]
