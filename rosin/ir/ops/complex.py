"""Complex numbers: their parts, their conjugates, and numbers made of two parts.

These ops are linear over the real numbers alone. The transpose of a linear map is taken for the pairing Re(c z), in
which no operand is conjugated, so that it is the usual transpose wherever a map is linear over complex numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.op import Elementwise, Linear, Maybe, NumpyArray, Partial, Value, Values, define

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def paired(real: NumpyArray, imag: NumpyArray) -> NumpyArray:
    """The NumPy array of complex numbers with these parts, of one float type.

    A sum with i times the imaginary part would lose the signs of zeros, and make NaN of infinities.
    """
    parts = np.stack([real, imag], -1)
    return np.asarray(parts.view(np.result_type(parts.dtype, np.complex64))[..., 0])


class Part(Linear, Elementwise):
    """An elementwise op that is linear over the real numbers."""

    accepts = dtypes.COMPLEX

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        raise AssertionError(f"{self.name} is no product with a partial derivative; it states a transpose")


@define("real")
class Real(Part):
    """The real part."""

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.part

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.real(*operands)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.cast(cotangent, operands[0].type.dtype),)


@define("imag")
class Imag(Part):
    """The imaginary part, a real number."""

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.part

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.imag(*operands)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        """c Im(z) = Re(-i c z)"""
        return (b.complex(b.zeros(cotangent.type), b.neg(cotangent)),)


@define("conj")
class Conj(Part):
    """The complex conjugate: x - i y of x + i y."""

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return np.conj(*operands)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.conj(cotangent),)


@define("complex")
class Complex(Part):
    """x + i y of two real numbers `(x, y)`."""

    arity = 2
    accepts = frozenset({dtypes.f32, dtypes.f64})

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0, 1),)

    def result_dtype(self, dtype: DType) -> DType:
        return dtype.complex

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        return paired(*operands)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        """Re(c (x + i y)) = Re(c) x - Im(c) y"""
        return (b.real(cotangent), b.neg(b.imag(cotangent)))
