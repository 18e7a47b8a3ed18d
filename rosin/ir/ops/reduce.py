"""Reductions: sums, products, extremes and truth over axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Index
from rosin.ir.loops import Const, Expr
from rosin.ir.op import (
    Arrays,
    Cost,
    Fold,
    Linear,
    Maybe,
    Monoid,
    NumpyArray,
    Reader,
    Types,
    Value,
    Values,
    apply,
    define,
    elements,
)
from rosin.ir.ops.arithmetic import Add
from rosin.ir.ops.cast import convert
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Reduction(Fold):
    """One operand, combined over some of its axes, which the result lacks."""

    axes: tuple[int, ...]
    accepts: ClassVar[frozenset[DType]] = dtypes.NUMBERS

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        for axis in self.axes:
            self.check_axis(operands, axis, x.rank)
        if list(self.axes) != sorted(set(self.axes)):
            self.bad_shape(operands, f"axes {self.axes} are not distinct and in order")
        if x.dtype not in self.accepts:
            names = ", ".join(d.name for d in dtypes.ALL if d in self.accepts)
            self.bad_dtype(operands, f"takes {names}, not {x.dtype}")
        return (x.with_shape(tuple(size for axis, size in enumerate(x.shape) if axis not in self.axes)),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(type(self)(tuple(axis + 1 for axis in self.axes)), operands[0])  # type: ignore[call-arg]

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(elements(operands[0]), operands[0].bytes + results[0].bytes)

    def domain(self, types: Types) -> tuple[int, ...]:
        return tuple(types[0].sizes[axis] for axis in self.axes)

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        element = operands[0](merge(index, point, self.axes))
        return (convert(element, element.dtype.accumulator),)

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[0], types[0].dtype)


def merge(index: tuple[Index, ...], point: tuple[Index, ...], axes: tuple[int, ...]) -> tuple[Index, ...]:
    """The operand's index: `point` along the reduced axes, `index` along the others."""
    kept, reduced = iter(index), iter(point)
    return tuple(next(reduced) if axis in axes else next(kept) for axis in range(len(index) + len(point)))


def restore(b: Builder, x: Value, operand: Value, axes: tuple[int, ...]) -> Value:
    """`x`, a value of a reduction's result type, spread over the operand's shape again."""
    kept = tuple(axis for axis in range(operand.type.rank) if axis not in axes)
    return b.broadcast(x, operand.type.shape, kept)


@define("sum")
class Sum(Linear, Reduction):
    """The sum over axes. Narrow floats are summed in f32; integers wrap around."""

    axes: tuple[int, ...]

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        wide = dtypes.from_numpy(x.dtype).accumulator.numpy
        return (np.asarray(np.sum(x, self.axes, dtype=wide)).astype(x.dtype),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (restore(b, cotangent, operands[0], self.axes),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(0, dtype),), lambda left, right: (apply(Add(), left[0], right[0]),))
