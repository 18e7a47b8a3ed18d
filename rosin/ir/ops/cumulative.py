"""Running combinations along an axis: cumulative sums, products and extremes, and the first-order linear recurrence.

The derivative of each but the sum is a linear recurrence again, y'ₖ = keepₖ y'ₖ₋₁ + gainₖ x'ₖ, and the derivative of
a linear recurrence is one too. So every order of derivative takes one pass, and none divides by an element.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.loops import Apply, Const, Expr
from rosin.ir.op import (
    Arrays,
    Cost,
    Linear,
    Maybe,
    Monoid,
    NumpyArray,
    Running,
    Types,
    Value,
    Values,
    apply,
    define,
    elements,
)
from rosin.ir.ops.arithmetic import Add, Maximum, Minimum, Mul, Sub
from rosin.ir.ops.cast import convert
from rosin.ir.ops.exponential import Exp, Log
from rosin.ir.ops.logic import Equal, Select
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Cumulative(Running):
    """Operands of one type; element k of the result combines their elements 0 … k along `axis`.

    With `reverse`, k counts from the end. Narrow floats are combined in f32.
    """

    axis: int
    reverse: bool
    accepts: ClassVar[frozenset[DType]] = dtypes.NUMBERS
    arity: ClassVar[int] = 1
    flops: ClassVar[int] = 1

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, self.arity)
        dtype, first = self.same_dtype(operands), operands[0]
        if dtype not in self.accepts:
            names = ", ".join(d.name for d in dtypes.ALL if d in self.accepts)
            self.bad_dtype(operands, f"takes {names}, not {dtype}")
        self.check_axis(operands, self.axis, first.rank)
        for other in operands[1:]:
            if not facts.same_shape(other.shape, first.shape):
                self.bad_shape(operands, f"operands have shapes {list(first.shape)} and {list(other.shape)}")
        return (first,)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        front = (b.batch_front(v, is_batched, size) for v, is_batched in zip(operands, batched, strict=True))
        return b.node(replace(self, axis=self.axis + 1), *front)

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(self.flops * elements(results[0]), sum(t.bytes for t in (*operands, *results)))

    def line(self, types: Types) -> tuple[int, bool]:
        return self.axis, self.reverse

    def term(self, *elements: Expr) -> tuple[Expr, ...]:
        return tuple(convert(element, element.dtype.accumulator) for element in elements)

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[-1], types[0].dtype)

    def previous(self, b: Builder, x: Value, fill: float) -> Value:
        """Each element's predecessor in the direction of the line; `fill` for the first."""
        return b.shift(x, self.axis, -1 if self.reverse else 1, fill)

    def following(self, b: Builder, x: Value, fill: float) -> Value:
        """Each element's successor in the direction of the line; `fill` for the last."""
        return b.shift(x, self.axis, 1 if self.reverse else -1, fill)

    def along(self, function: Callable[[NumpyArray], NumpyArray], x: NumpyArray) -> NumpyArray:
        """A NumPy function along axis 0 of the widened operand, applied in the direction of the line."""
        wide = np.moveaxis(x.astype(dtypes.from_numpy(x.dtype).accumulator.numpy), self.axis, 0)
        result = function(wide[::-1])[::-1] if self.reverse else function(wide)
        return np.ascontiguousarray(np.moveaxis(result, 0, self.axis)).astype(x.dtype)


@define("cumsum")
class CumSum(Linear, Cumulative):
    """The sum of the elements so far; integers wrap around."""

    axis: int
    reverse: bool
    divides = True

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.along(lambda x: np.cumsum(x, 0, dtype=x.dtype), operands[0]),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.cumsum(cotangent, self.axis, not self.reverse),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(0, dtype),), lambda left, right: (apply(Add(), left[0], right[0]),))


@define("linear_recurrence")
class LinearRecurrence(Cumulative):
    """yₖ = aₖ yₖ₋₁ + bₖ of operands `(a, b)`, with y₋₁ = 0.

    It composes as affine maps do, which is what lets it run in parallel: Blelloch, "Prefix sums and their
    applications" (1990), section 1.4.
    """

    axis: int
    reverse: bool
    accepts = dtypes.FIELDS
    arity = 2
    flops = 2
    slow_in_numpy = True

    def eval(self, *operands: NumpyArray) -> Arrays:
        factors, addends = (x.astype(dtypes.from_numpy(x.dtype).accumulator.numpy) for x in operands)
        factors, addends = np.moveaxis(factors, self.axis, 0), np.moveaxis(addends, self.axis, 0)
        result = np.empty_like(addends)
        value: Any = np.zeros(result.shape[1:], result.dtype)
        steps = range(len(result))
        for k in reversed(steps) if self.reverse else steps:
            value = factors[k] * value + addends[k]
            result[k] = value
        return (np.ascontiguousarray(np.moveaxis(result, 0, self.axis)).astype(operands[0].dtype),)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        factor_dot, addend_dot = tangents
        forcing = addend_dot
        if factor_dot is not None:
            through = b.mul(factor_dot, self.previous(b, results[0], 0.0))
            forcing = through if addend_dot is None else b.add(through, addend_dot)
        if forcing is None:
            return (None,)
        return (b.linear_recurrence(operands[0], forcing, self.axis, self.reverse),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None:
            return (None, None)
        back = b.linear_recurrence(self.following(b, operands[0], 0.0), cotangent, self.axis, not self.reverse)
        return (b.mul(back, self.previous(b, results[0], 0.0)), back)

    def monoid(self, types: Types) -> Monoid:
        """Affine maps y ↦ a y + b, the left one applied first."""
        dtype = types[0].dtype.accumulator

        def combine(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> tuple[Expr, ...]:
            (a, b), (c, d) = left, right
            return (apply(Mul(), a, c), apply(Add(), apply(Mul(), c, b), d))

        return Monoid((Const(1, dtype), Const(0, dtype)), combine)


class Recurrent(Cumulative):
    """An op whose derivative follows y'ₖ = keepₖ y'ₖ₋₁ + gainₖ x'ₖ."""

    @abstractmethod
    def slopes(self, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
        """`keep`, the derivative of yₖ by yₖ₋₁, and `gain`, that by xₖ."""

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (tangent,) = tangents
        if tangent is None:
            return (None,)
        keep, gain = self.slopes(b, operands[0], results[0])
        return (b.linear_recurrence(keep, b.mul(gain, tangent), self.axis, self.reverse),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None:
            return (None,)
        keep, gain = self.slopes(b, operands[0], results[0])
        back = b.linear_recurrence(self.following(b, keep, 0.0), cotangent, self.axis, not self.reverse)
        return (b.mul(gain, back),)


@define("cumprod")
class CumProd(Recurrent):
    """The product of the elements so far; integers wrap around."""

    axis: int
    reverse: bool

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.along(lambda x: np.cumprod(x, 0, dtype=x.dtype), operands[0]),)

    def slopes(self, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
        return x, self.previous(b, y, 1.0)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(1, dtype),), lambda left, right: (apply(Mul(), left[0], right[0]),))


class CumExtremum(Recurrent):
    """The extreme of the elements so far; NaN from the first NaN on.

    The derivative goes to the element that first attained the extreme. (PyTorch takes the last one, and JAX shares
    it among those that tie in the order of its scan; all three are subgradients.)
    """

    accepts = dtypes.REALS
    divides = True

    def slopes(self, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
        first = self.previous(b, b.full(False, TensorType(dtypes.bool_, x.type.shape)), True)
        new = b.logical_or(first, b.not_equal(y, self.previous(b, y, 0.0)))
        gain = b.cast(new, x.type.dtype)
        return b.sub(1.0, gain), gain


@define("cummax")
class CumMax(CumExtremum):
    """The greatest of the elements so far."""

    axis: int
    reverse: bool

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.along(np.maximum.accumulate, operands[0]),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(dtype.lowest, dtype),), lambda left, right: (apply(Maximum(), left[0], right[0]),))


@define("cummin")
class CumMin(CumExtremum):
    """The least of the elements so far."""

    axis: int
    reverse: bool

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.along(np.minimum.accumulate, operands[0]),)

    def monoid(self, types: Types) -> Monoid:
        dtype = types[0].dtype.accumulator
        return Monoid((Const(dtype.highest, dtype),), lambda left, right: (apply(Minimum(), left[0], right[0]),))


@define("cumlogsumexp")
class CumLogSumExp(Recurrent):
    """log Σ exp of the elements so far, without overflow in between. Where it is infinite its derivative is 0."""

    axis: int
    reverse: bool
    accepts = dtypes.FLOATS
    flops = 40
    slow_in_numpy = True

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.along(_running_logsumexp, operands[0]),)

    def slopes(self, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
        infinite = b.equal(b.abs(y), float("inf"))
        low = b.like(float("-inf"), y)

        def ratio(part: Value) -> Value:
            # The difference is replaced before the exponential, so that no derivative multiplies 0 by a NaN.
            return b.exp(b.select(infinite, low, b.sub(part, y)))

        return ratio(self.previous(b, y, float("-inf"))), ratio(x)

    def monoid(self, types: Types) -> Monoid:
        """Pairs of the greatest element and the sum of exponentials relative to it."""
        dtype = types[0].dtype.accumulator

        def combine(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> tuple[Expr, ...]:
            top = apply(Maximum(), left[0], right[0])

            def scaled(part: Expr, total: Expr) -> Expr:
                # Two infinities of one sign differ by 0 here and not by NaN.
                gap = Apply(Select(), (apply(Equal(), part, top), Const(0, dtype), apply(Sub(), part, top)), dtype)
                return apply(Mul(), total, apply(Exp(), gap))

            return (top, apply(Add(), scaled(*left), scaled(*right)))

        return Monoid((Const(dtype.lowest, dtype), Const(0, dtype)), combine)

    def term(self, *elements: Expr) -> tuple[Expr, ...]:
        dtype = elements[0].dtype.accumulator
        return (convert(elements[0], dtype), Const(1, dtype))

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        top, total = values
        return convert(apply(Add(), top, apply(Log(), total)), types[0].dtype)


def _running_logsumexp(x: NumpyArray) -> NumpyArray:
    """Along axis 0: the running maximum, and the running sum of exponentials relative to it."""
    result = np.empty_like(x)
    top: Any = np.full(x.shape[1:], -np.inf, x.dtype)
    total: Any = np.zeros(x.shape[1:], x.dtype)
    for k, element in enumerate(x):
        new = np.maximum(top, element)
        total = total * np.exp(np.where(top == new, 0, top - new)) + np.exp(np.where(element == new, 0, element - new))
        top = new
        result[k] = top + np.log(total)
    return result
