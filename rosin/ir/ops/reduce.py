"""Reductions: sums, products, extremes and truth over axes, and where an extreme is."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Index
from rosin.ir.loops import Apply, Const, Expr, FromIndex
from rosin.ir.op import (
    Arrays,
    Constantlike,
    Cost,
    Elementwise,
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
from rosin.ir.ops.arithmetic import Add, Maximum, Minimum, Mul
from rosin.ir.ops.cast import convert
from rosin.ir.ops.logic import And, Equal, Greater, GreaterEqual, IsNan, Less, LessEqual, Not, Or, Select
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosin.ir.builder import Builder


Exprs: TypeAlias = tuple[Expr, ...]
Combine: TypeAlias = "Callable[[Exprs, Exprs], Exprs]"


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
        return b.node(replace(self, axes=tuple(axis + 1 for axis in self.axes)), operands[0])

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(elements(operands[0]), operands[0].bytes + results[0].bytes)

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return tuple(types[0].shape[axis] for axis in self.axes)

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


def _wide(x: NumpyArray) -> np.dtype[Any]:
    """The NumPy dtype that values of `x` are combined in."""
    return dtypes.from_numpy(x.dtype).accumulator.numpy


SUM_ROWS = 128
"""NumPy adds numbers that lie side by side in pairs, but rows one after the other: so many of them at most, here."""


def _sum(x: NumpyArray, axes: tuple[int, ...], dtype: np.dtype[Any]) -> NumpyArray:
    """The sum over axes, with an error that does not grow with the number of rows that are added."""
    side_by_side = axes == tuple(range(x.ndim - len(axes), x.ndim))
    if dtype.kind not in "fc" or side_by_side or math.prod(x.shape[axis] for axis in axes) <= SUM_ROWS:
        return np.sum(x, axes, dtype=dtype)
    for axis in reversed(axes):
        while axis < x.ndim - 1 and x.shape[axis] > SUM_ROWS:
            x = _sums_of_blocks(x, axis, dtype)
        x = np.sum(x, axis, dtype=dtype)
    return x


def _sums_of_blocks(x: NumpyArray, axis: int, dtype: np.dtype[Any]) -> NumpyArray:
    """The sums of blocks of `SUM_ROWS` rows along an axis, the last of which may have fewer."""
    count = x.shape[axis] // SUM_ROWS
    blocks, rest = np.split(x, [count * SUM_ROWS], axis)
    blocks = blocks.reshape(*x.shape[:axis], count, SUM_ROWS, *x.shape[axis + 1 :])
    return np.concatenate([np.sum(blocks, axis + 1, dtype=dtype), np.sum(rest, axis, dtype=dtype, keepdims=True)], axis)


@define("sum")
class Sum(Linear, Reduction):
    """The sum over axes. Narrow floats are summed in f32; integers wrap around."""

    axes: tuple[int, ...]

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(_sum(x, self.axes, _wide(x))).astype(x.dtype),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (restore(b, cotangent, operands[0], self.axes),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(0, dtype),), lambda left, right: (apply(Add(), left[0], right[0]),))


class Weighted(Reduction):
    """A reduction that states its partial derivative by each element."""

    @abstractmethod
    def slope(self, b: Builder, x: Value, y: Value) -> Value:
        """The derivative of the result by each element of the operand, at the operand's shape."""

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        if tangent is None:
            return (None,)
        return (b.sum(b.mul(tangent, self.slope(b, operands[0], results[0])), self.axes),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None:
            return (None,)
        (x,) = operands
        return (b.mul(restore(b, cotangent, x, self.axes), self.slope(b, x, results[0])),)


@define("prod")
class Prod(Weighted):
    """The product over axes. Narrow floats are multiplied in f32; integers wrap around."""

    axes: tuple[int, ...]

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(np.prod(x, self.axes, dtype=_wide(x))).astype(x.dtype),)

    def slope(self, b: Builder, x: Value, y: Value) -> Value:
        """The product of the other elements, from both sides: a division by the element would fail at zeros."""
        kept = tuple(axis for axis in range(x.type.rank) if axis not in self.axes)
        order = (*kept, *self.axes)
        shape = tuple(x.type.shape[axis] for axis in kept)
        line = b.reshape(b.transpose(x, order), (*shape, dims.product(x.type.shape[axis] for axis in self.axes)))
        line = b.cast(line, x.type.dtype.accumulator)
        axis = len(kept)
        before = b.shift(b.cumprod(line, axis), axis, 1, 1.0)
        after = b.shift(b.cumprod(line, axis, reverse=True), axis, -1, 1.0)
        others = b.reshape(b.mul(before, after), tuple(x.type.shape[axis] for axis in order))
        inverse = sorted(range(len(order)), key=order.__getitem__)
        return b.cast(b.transpose(others, tuple(inverse)), x.type.dtype)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(1, dtype),), lambda left, right: (apply(Mul(), left[0], right[0]),))


class Extremum(Weighted):
    """The greatest or the least element; NaN when one is NaN. Elements that tie share the derivative equally."""

    accepts = dtypes.REALS

    def type(self, *operands: TensorType) -> Types:
        result = Reduction.type(self, *operands)
        _refuse_empty(self, operands, self.axes)
        return result

    def slope(self, b: Builder, x: Value, y: Value) -> Value:
        # Counted in the accumulator: f16 has no odd numbers above 2048.
        chosen = b.cast(b.equal(x, restore(b, y, x, self.axes)), x.type.dtype.accumulator)
        share = b.div(chosen, restore(b, b.sum(chosen, self.axes), x, self.axes))
        return b.cast(share, x.type.dtype)


def _refuse_empty(op: Reduction | ArgExtremum, operands: Types, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if not facts.at_least(operands[0].shape[axis], 1):
            op.bad_shape(operands, f"axis {axis} has no elements, and {op.name} of none is undefined")


@define("max")
class Max(Extremum):
    """The greatest element over axes; NaN when one is NaN."""

    axes: tuple[int, ...]

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(np.max(x.astype(_wide(x)), self.axes)).astype(x.dtype),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(dtype.lowest, dtype),), lambda left, right: (apply(Maximum(), left[0], right[0]),))


@define("min")
class Min(Extremum):
    """The least element over axes; NaN when one is NaN."""

    axes: tuple[int, ...]

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(np.min(x.astype(_wide(x)), self.axes)).astype(x.dtype),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(dtype.highest, dtype),), lambda left, right: (apply(Minimum(), left[0], right[0]),))


@define("any")
class Any_(Constantlike, Reduction):
    """Whether one element is true; false for none."""

    axes: tuple[int, ...]
    accepts = frozenset({dtypes.bool_})

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (np.asarray(np.any(operands[0], self.axes)),)

    def monoid(self, types: Types) -> Monoid:
        return Monoid((Const(False, dtypes.bool_),), lambda left, right: (apply(Or(), left[0], right[0]),))


@define("all")
class All(Constantlike, Reduction):
    """Whether every element is true; true for none."""

    axes: tuple[int, ...]
    accepts = frozenset({dtypes.bool_})

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (np.asarray(np.all(operands[0], self.axes)),)

    def monoid(self, types: Types) -> Monoid:
        return Monoid((Const(True, dtypes.bool_),), lambda left, right: (apply(And(), left[0], right[0]),))


def first_extreme(beats: Elementwise, worst: Const, place: Const, take: Combine | None = None) -> Monoid:
    """Pairs of value and place, of which the better one is kept; `beats` is true of a better value and a worse one.

    Places are compared where values tie, so partial results combine in any order. A NaN beats every number. `worst` and
    `place` are the pair to start from.
    """

    def combine(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> tuple[Expr, ...]:
        x, y = left[0], right[0]
        better, same = apply(beats, y, x), apply(Equal(), x, y)
        if worst.dtype.is_float:
            x_nan, y_nan = apply(IsNan(), x), apply(IsNan(), y)
            better = apply(Or(), better, apply(And(), y_nan, apply(Not(), x_nan)))
            same = apply(Or(), same, apply(And(), x_nan, y_nan))
        return _chosen(apply(Or(), better, apply(And(), same, apply(Less(), right[1], left[1]))), left, right)

    return Monoid((worst, place), combine, take)


def _chosen(condition: Expr, old: Exprs, new: Exprs) -> Exprs:
    """The new values where a condition holds."""
    return tuple(Apply(Select(), (condition, y, x), x.dtype) for x, y in zip(old, new, strict=True))


class ArgExtremum(Constantlike, Fold):
    """Where along an axis the extreme is, as i64: the first place of those that tie, the first NaN if there is one."""

    axis: int
    beats: ClassVar[Elementwise]
    """The comparison that is true of a better value and a worse one."""
    fails: ClassVar[Elementwise]
    """The comparison that is true of two numbers of which the first is not better."""

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        self.check_axis(operands, self.axis, x.rank)
        if x.dtype.is_complex:
            self.bad_dtype(operands, f"{x.dtype} has no order")
        _refuse_empty(self, operands, (self.axis,))
        return (TensorType(dtypes.i64, (*x.shape[: self.axis], *x.shape[self.axis + 1 :])),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(replace(self, axis=self.axis + 1), operands[0])

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(2 * elements(operands[0]), operands[0].bytes + results[0].bytes)

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return (types[0].shape[self.axis],)

    @abstractmethod
    def worst(self, dtype: DType) -> float:
        """The value that no other is worse than."""

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        # Where all are the worst there is, place 0 is the first of them, and elsewhere nothing is left of it.
        start = Const(0, self._place(types))
        return first_extreme(self.beats, Const(self.worst(dtype), dtype), start, self._take)

    def _take(self, old: Exprs, new: Exprs) -> Exprs:
        """The next element in order: it has to be better, and nothing is better than a NaN."""
        x, y = old[0], new[0]
        if not x.dtype.is_float:
            return _chosen(apply(self.beats, y, x), old, new)
        better = apply(Not(), apply(self.fails, y, x))
        return _chosen(apply(And(), better, apply(Equal(), x, x)), old, new)

    def _place(self, types: Types) -> DType:
        """The type that places are kept in: as wide as the elements, so that as many fit a register."""
        wide = types[0].dtype.accumulator.bits == 64
        short = facts.known_at_least((1 << 31) - 1, types[0].shape[self.axis])
        return dtypes.i32 if short and not wide else dtypes.i64

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        element = operands[0](merge(index, point, (self.axis,)))
        return (convert(element, element.dtype.accumulator), FromIndex(point[0], self._place(types)))

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[1], dtypes.i64)


@define("argmax")
class ArgMax(ArgExtremum):
    """Where the greatest element is."""

    axis: int
    beats, fails = Greater(), LessEqual()

    def worst(self, dtype: DType) -> float:
        return dtype.lowest

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(np.argmax(x.astype(_wide(x)), self.axis), np.int64),)


@define("argmin")
class ArgMin(ArgExtremum):
    """Where the least element is."""

    axis: int
    beats, fails = Less(), GreaterEqual()

    def worst(self, dtype: DType) -> float:
        return dtype.highest

    def eval(self, *operands: NumpyArray) -> Arrays:
        (x,) = operands
        return (np.asarray(np.argmin(x.astype(_wide(x)), self.axis), np.int64),)
