"""Ops that make constants and move elements: no arithmetic but that of indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir import index as indices
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Index
from rosin.ir.literal import Literal
from rosin.ir.loops import Const, Expr, FromIndex, Within, guard
from rosin.ir.op import (
    Arrays,
    Constantlike,
    Linear,
    Maybe,
    NumpyArray,
    Op,
    Pull,
    Reader,
    Types,
    Value,
    Values,
    define,
)
from rosin.ir.ops.cast import convert
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Source(Constantlike, Pull):
    """An op without operands."""

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        raise AssertionError(f"{self.name} has no operand that could be batched")


@define("constant")
class Constant(Source):
    """Data that is known when the graph is made."""

    value: Literal

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 0)
        _refuse_negative(self, operands, self.value.type.shape)
        return (self.value.type,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (self.value.full(),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        assert self.value.is_splat, "an array of constants is a buffer, not an expression"
        return Const(self.value.scalar, self.value.type.dtype)


@define("iota")
class Iota(Source):
    """0, 1, 2, … along one axis of a shape, the same along the others."""

    result: TensorType
    axis: int

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 0)
        self.check_axis((self.result,), self.axis, self.result.rank)
        if self.result.dtype == dtypes.bool_:
            self.bad_dtype((self.result,), "counts in numbers, not in bool")
        _refuse_negative(self, operands, self.result.shape)
        return (self.result,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        shape = self.result.sizes
        line = np.arange(shape[self.axis]).astype(self.result.dtype.numpy)
        others = [i for i in range(len(shape)) if i != self.axis]
        return (np.broadcast_to(np.expand_dims(line, others), shape),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return convert(FromIndex(index[self.axis], dtypes.i64), self.result.dtype)


@define("dimension")
class Dimension(Source):
    """A size as a scalar of an integer type."""

    size: Dim
    dtype: DType

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 0)
        if not self.dtype.is_integer:
            self.bad_dtype((TensorType(self.dtype),), f"a size is an integer, not {self.dtype}")
        return (TensorType(self.dtype),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (np.asarray(dims.static((self.size,), self.name)[0]).astype(self.dtype.numpy),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return convert(FromIndex(Index(self.size), dtypes.i64), self.dtype)


def _refuse_negative(op: Op, operands: Types, shape: tuple[Dim, ...]) -> None:
    for axis, size in enumerate(shape):
        if (type(size) is not int or size < 0) and not facts.at_least(size, 0):
            op.bad_shape(operands, f"axis {axis} of the result has size {size}")


class Move(Linear, Pull):
    """Elements of one operand at other places."""

    moves_elements = True


@define("reshape")
class Reshape(Move):
    """The same elements in row-major order, in another shape."""

    shape: tuple[Dim, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        if not facts.same(x.size, dims.product(self.shape)):
            sizes = f"{x.size} elements do not fill {shape_text(self.shape)}, which has {dims.product(self.shape)}"
            self.bad_shape(operands, sizes)
        _refuse_negative(self, operands, self.shape)
        return (x.with_shape(self.shape),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (operands[0].reshape(dims.static(self.shape, "reshape")),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.reshape(cotangent, operands[0].type.shape),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (b.reshape(operands[0], (size, *self.shape)),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return operands[0](indices.reshaped(index, self.shape, types[0].shape))


@define("transpose")
class Transpose(Move):
    """Axes in another order: axis i of the result is axis `permutation[i]` of the operand."""

    permutation: tuple[int, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        if sorted(self.permutation) != list(range(x.rank)):
            self.bad_shape(operands, f"{self.permutation} is not an order of the {x.rank} axes")
        return (x.with_shape(tuple(x.shape[i] for i in self.permutation)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (operands[0].transpose(self.permutation),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        inverse = sorted(range(len(self.permutation)), key=self.permutation.__getitem__)
        return (b.transpose(cotangent, tuple(inverse)),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (b.transpose(operands[0], (0, *(i + 1 for i in self.permutation))),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        source: list[Index] = [indices.ZERO] * len(index)
        for position, axis in zip(index, self.permutation, strict=True):
            source[axis] = position
        return operands[0](tuple(source))


@define("broadcast")
class Broadcast(Move):
    """Copies along new axes: axis i of the operand is axis `axes[i]` of the result, of the same size."""

    shape: tuple[Dim, ...]
    axes: tuple[int, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        if len(self.axes) != x.rank or list(self.axes) != sorted(set(self.axes)):
            self.bad_shape(operands, f"axes {self.axes} do not name one result axis, in order, for each of {x.rank}")
        for axis, target in enumerate(self.axes):
            self.check_axis(operands, target, len(self.shape))
            if not facts.same(x.shape[axis], self.shape[target]):
                message = f"axis {axis} has size {x.shape[axis]} and axis {target} of the result {self.shape[target]}"
                self.bad_shape(operands, message)
        _refuse_negative(self, operands, self.shape)
        return (x.with_shape(self.shape),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        shape = dims.static(self.shape, "broadcast")
        new = [i for i in range(len(shape)) if i not in self.axes]
        return (np.broadcast_to(np.expand_dims(operands[0], new), shape),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        new = tuple(i for i in range(len(self.shape)) if i not in self.axes)
        return (b.sum(cotangent, new),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (b.broadcast(operands[0], (size, *self.shape), (0, *(i + 1 for i in self.axes))),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return operands[0](tuple(index[axis] for axis in self.axes))


@define("slice")
class Slice(Move):
    """Elements `starts`, `starts + steps`, … below `limits` along every axis."""

    starts: tuple[Dim, ...]
    limits: tuple[Dim, ...]
    steps: tuple[int, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        if not len(self.starts) == len(self.limits) == len(self.steps) == x.rank:
            counts = f"{len(self.starts)} starts, {len(self.limits)} limits and {len(self.steps)} steps"
            self.bad_shape(operands, f"{counts} for rank {x.rank}")
        shape: list[Dim] = []
        for axis, (start, limit, step) in enumerate(zip(self.starts, self.limits, self.steps, strict=True)):
            size = x.shape[axis]
            if step < 1:
                self.bad_attribute(operands, f"the step along axis {axis} is {step}; it must be positive")
            within = facts.at_least(start, 0) and facts.at_least(limit, start) and facts.at_least(size, limit)
            if not within:
                self.bad_shape(operands, f"{start}:{limit} along axis {axis} is not within 0:{size}")
            shape.append((limit - start + (step - 1)) // step)
        return (x.with_shape(tuple(shape)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        bounds = zip(self.starts, self.limits, self.steps, strict=True)
        return (operands[0][tuple(slice(start, limit, step) for start, limit, step in bounds)],)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        low: list[Dim] = []
        high: list[Dim] = []
        interior: list[int] = []
        for axis, size in enumerate(operands[0].type.shape):
            count = cotangent.type.shape[axis]
            covered = self.starts[axis] + (count - 1) * self.steps[axis] + 1 if count != 0 else self.starts[axis]
            low.append(self.starts[axis])
            high.append(size - covered)
            interior.append(self.steps[axis] - 1 if count != 0 else 0)
        return (b.pad(cotangent, 0.0, tuple(low), tuple(high), tuple(interior)),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (b.slice(operands[0], (0, *self.starts), (size, *self.limits), (1, *self.steps)),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        places = zip(index, self.starts, self.steps, strict=True)
        return operands[0](tuple(i * step + start for i, start, step in places))


@define("pad")
class Pad(Linear, Pull):
    """The operand with `interior` paddings between neighbours and `low`, `high` ones at the ends; of (x, value).

    Negative `low` and `high` cut elements off.
    """

    low: tuple[Dim, ...]
    high: tuple[Dim, ...]
    interior: tuple[int, ...]

    moves_elements: ClassVar[bool] = True

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0, 1),)

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        x, value = operands
        self.same_dtype(operands)
        if value.rank:
            self.bad_shape(operands, f"the padding value is a scalar, not of rank {value.rank}")
        if not len(self.low) == len(self.high) == len(self.interior) == x.rank:
            counts = f"{len(self.low)} low, {len(self.high)} high and {len(self.interior)} interior paddings"
            self.bad_shape(operands, f"{counts} for rank {x.rank}")
        shape: list[Dim] = []
        for axis, (low, high, interior) in enumerate(zip(self.low, self.high, self.interior, strict=True)):
            if interior < 0:
                self.bad_attribute(operands, f"the interior padding of axis {axis} is {interior}; it is not negative")
            size = x.shape[axis]
            total = low + high + (size if size == 0 else size + (size - 1) * interior)
            if interior and size != 0 and not facts.at_least(size, 1):
                self.bad_shape(operands, f"axis {axis} has no neighbours to pad between")
            if not facts.at_least(total, 0):
                self.bad_shape(operands, f"padding {low}, {high} leaves axis {axis} of size {size} with size {total}")
            shape.append(total)
        return (x.with_shape(tuple(shape)),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, value = operands
        (shape,) = (t.sizes for t in self.type(*(TensorType(dtypes.from_numpy(o.dtype), o.shape) for o in operands)))
        result = np.full(shape, value, x.dtype)
        source: list[slice] = []
        target: list[slice] = []
        for axis, size in enumerate(x.shape):
            step, low = self.interior[axis] + 1, dims.static(self.low, "pad")[axis]
            first = max(0, -(low // step))
            count = max(0, min(size, -((low - shape[axis]) // step)) - first)
            source.append(slice(first, first + count))
            start = low + first * step
            target.append(slice(start, start + count * step, step) if count else slice(0, 0))
        result[tuple(target)] = x[tuple(source)]
        return (result,)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        x, _ = operands
        by_x = b.unpad(cotangent, x.type.shape, self.low, self.interior)
        every = tuple(range(x.type.rank))
        padding = b.sub(b.sum(cotangent, every), b.sum(by_x, every))
        return (by_x, padding)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        x, value = operands
        x = b.batch_front(x, batched[0], size)
        low, high, interior = (0, *self.low), (0, *self.high), (0, *self.interior)
        if not batched[1]:
            return b.node(Pad(low, high, interior), x, value)
        # A padding value of its own for each example: pad a mask too, and select.
        zero = b.constant(0, TensorType(value.type.dtype))
        inside = b.full(True, TensorType(dtypes.bool_, x.type.shape))
        padded = b.node(Pad(low, high, interior), x, zero)[0]
        mask = b.node(Pad(low, high, interior), inside, b.constant(False, TensorType(dtypes.bool_)))[0]
        return (b.select(mask, padded, b.broadcast(value, padded.type.shape, (0,))),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        x, value = operands
        tests: list[Within] = []
        source: list[Index] = []
        for axis, position in enumerate(index):
            step, size = self.interior[axis] + 1, types[0].shape[axis]
            shifted = position - self.low[axis]
            if step > 1:
                tests.append(Within(shifted, 0, (size - 1) * step + 1))
                tests.append(Within(shifted % step, 0, 1))
            else:
                tests.append(Within(shifted, 0, size))
            source.append(shifted // step)
        return guard(tuple(tests), x(tuple(source)), value(()))


@define("concatenate")
class Concatenate(Linear, Pull):
    """Operands one after the other along an axis."""

    axis: int

    moves_elements: ClassVar[bool] = True

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return (tuple(range(count)),)

    def type(self, *operands: TensorType) -> Types:
        if not operands:
            self.bad_shape(operands, "needs at least one operand")
        self.same_dtype(operands)
        first = operands[0]
        self.check_axis(operands, self.axis, first.rank)
        total: Dim = 0
        for position, operand in enumerate(operands):
            if operand.rank != first.rank:
                self.bad_shape(operands, f"operand {position} has rank {operand.rank} and operand 0 rank {first.rank}")
            for axis in range(first.rank):
                if axis != self.axis and not facts.same(operand.shape[axis], first.shape[axis]):
                    sizes = f"{operand.shape[axis]} and in operand 0 {first.shape[axis]}"
                    self.bad_shape(operands, f"axis {axis} of operand {position} has size {sizes}")
            total = total + operand.shape[self.axis]
        return (first.with_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :])),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (np.concatenate(operands, self.axis),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        parts: list[Value] = []
        start: Dim = 0
        for operand in operands:
            size = operand.type.shape[self.axis]
            parts.append(b.slice_axis(cotangent, self.axis, start, start + size))
            start = start + size
        return tuple(parts)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        front = [b.batch_front(v, is_batched, size) for v, is_batched in zip(operands, batched, strict=True)]
        return (b.concatenate(front, self.axis + 1),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        along = index[self.axis]
        sizes = [t.shape[self.axis] for t in types]
        end = dims.total(sizes)
        # Each operand is read where its own elements go and nowhere else: what lies around it may be no memory of ours.
        result: Expr = Const(types[0].dtype.numpy.type(0).item(), types[0].dtype)
        for reader, size in reversed(list(zip(operands, sizes, strict=True))):
            end = end - size
            if size == 0:
                continue
            place = (*index[: self.axis], along - end, *index[self.axis + 1 :])
            inside = (Within(along, end, end + size),)
            result = guard(inside, reader(place), result)
        return result


@define("reverse")
class Reverse(Move):
    """Elements in opposite order along some axes."""

    axes: tuple[int, ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        for axis in self.axes:
            self.check_axis(operands, axis, operands[0].rank)
        if len(set(self.axes)) != len(self.axes):
            self.bad_shape(operands, f"axes {self.axes} name an axis twice")
        return (operands[0],)

    def eval(self, *operands: NumpyArray) -> Arrays:
        return (np.flip(operands[0], self.axes),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (b.reverse(cotangent, self.axes),)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (b.reverse(operands[0], tuple(i + 1 for i in self.axes)),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        source = list(index)
        for axis in self.axes:
            source[axis] = index[axis] * -1 + (types[0].shape[axis] - 1)
        return operands[0](tuple(source))
