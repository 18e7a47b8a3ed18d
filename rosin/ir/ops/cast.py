"""Changes of element type: by value and by bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.loops import Apply, Expr
from rosin.ir.op import (
    Arrays,
    Elementwise,
    Maybe,
    NumpyArray,
    Partial,
    Types,
    Undifferentiable,
    Value,
    Values,
    define,
)

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("cast")
class Cast(Elementwise):
    """The nearest value of another type.

    Floats round to nearest even, f64 and integers on their way to bf16 by way of f32. A float becomes an integer by
    truncation, saturating at the type's ends, NaN giving 0; integers wrap around; a number is true when it is not zero.
    A real number becomes a complex one without an imaginary part. A complex one has no real number near it.
    """

    dtype: DType
    accepts = dtypes.ANY

    def result_dtype(self, dtype: DType) -> DType:
        return self.dtype

    def check_elementwise(self, operands: Types) -> None:
        super().check_elementwise(operands)
        source = operands[0].dtype
        if source.is_complex and not (self.dtype.is_complex or self.dtype == dtypes.bool_):
            self.bad_dtype(operands, f"{source} does not become {self.dtype}: take the real or imaginary part, or abs")

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.apply(*operands),)

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        source = dtypes.from_numpy(x.dtype)
        if not (source.is_float and self.dtype.is_integer):
            return x.astype(self.dtype.numpy)
        wide = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0)
        low, high = int(self.dtype.lowest), int(self.dtype.highest)
        inside = np.clip(wide, float(low), np.nextafter(float(high + 1), 0.0))
        return np.where(wide >= high + 1, high, inside.astype(self.dtype.numpy)).astype(self.dtype.numpy)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        raise AssertionError("cast casts its tangents")

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        return (b.cast(tangent, self.dtype) if tangent and self.dtype.differentiable else None,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        source = operands[0].type.dtype
        if cotangent is None or not source.differentiable:
            return (None,)
        return (b.cast(cotangent if source.is_complex else b.real_part(cotangent), source),)


@define("bitcast")
class Bitcast(Elementwise, Undifferentiable):
    """The value of another type that has the same bits."""

    dtype: DType
    accepts = dtypes.REALS
    reason = "bits have no derivative; cast converts by value"

    def result_dtype(self, dtype: DType) -> DType:
        return self.dtype

    def check_elementwise(self, operands: Types) -> None:
        Elementwise.check_elementwise(self, operands)
        if operands[0].dtype.bits != self.dtype.bits or self.dtype not in self.accepts:
            self.bad_dtype(operands, f"{operands[0].dtype} has not the width of {self.dtype}")

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.apply(*operands),)

    def apply(self, *operands: NumpyArray) -> NumpyArray:
        (x,) = operands
        return np.ascontiguousarray(x).reshape(-1).view(self.dtype.numpy).reshape(x.shape)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (None,)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        return Undifferentiable.jvp(self, b, operands, results, tangents)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return Undifferentiable.vjp(self, b, operands, results, cotangents)


def convert(value: Expr, dtype: DType) -> Expr:
    """A loop-level value as an element of `dtype`."""
    return value if value.dtype == dtype else Apply(Cast(dtype), (value,), dtype)
