"""Sums of products: matrix products in their general form, and convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dims, dtypes, facts
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
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.ops.cast import convert
from rosin.ir.ops.movement import Pad
from rosin.ir.ops.sliding import count, extent, windows
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Contraction(Linear, Fold):
    """Sums of products of elements of two operands of one element type.

    Products and sums are taken in the accumulator type of `dtype`, the element type of the result; integers wrap.
    """

    dtype: DType

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0,), (1,))

    def check_dtypes(self, operands: Types) -> None:
        dtype = self.same_dtype(operands)
        if dtype not in dtypes.NUMBERS:
            self.bad_dtype(operands, f"multiplies numbers, not {dtype}")
        signed = dtype.kind == "uint" and self.dtype.kind == "int"
        wider = self.dtype.bits > dtype.bits and (self.dtype.kind == dtype.kind or signed)
        if self.dtype != dtype and not wider:
            self.bad_dtype(operands, f"a result of {self.dtype} does not hold products of {dtype}")

    def widened(self, operands: Arrays) -> Arrays:
        """The operands in the element type that products are taken in."""
        return tuple(x.astype(self.dtype.accumulator.numpy, copy=False) for x in operands)

    def monoid(self, types: Types) -> Monoid:
        zero = Const(0, self.dtype.accumulator)
        return Monoid((zero,), lambda left, right: (apply(Add(), left[0], right[0]),))

    def product(self, x: Expr, y: Expr) -> tuple[Expr, ...]:
        wide = self.dtype.accumulator
        return (apply(Mul(), convert(x, wide), convert(y, wide)),)

    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        return convert(values[0], self.dtype)


def _others(axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """The axes that are not among `axes`, in order."""
    known = set(axes)
    return tuple(axis for axis in range(rank) if axis not in known)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


@define("dot_general")
class DotGeneral(Contraction):
    """The product of two arrays, summed over pairs of axes, separately for each place along pairs of batch axes.

    The result's axes are the batch axes, the other axes of `lhs`, the other axes of `rhs`, as in StableHLO. `dtype` is
    the result's element type: that of the operands or a wider one of the same kind.
    """

    lhs_contract: tuple[int, ...]
    rhs_contract: tuple[int, ...]
    lhs_batch: tuple[int, ...]
    rhs_batch: tuple[int, ...]
    dtype: DType

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        self.check_dtypes(operands)
        lhs, rhs = operands
        self._check_pairs(operands, "contracted", self.lhs_contract, self.rhs_contract)
        self._check_pairs(operands, "batch", self.lhs_batch, self.rhs_batch)
        for side, batch, contract in (
            ("lhs", self.lhs_batch, self.lhs_contract),
            ("rhs", self.rhs_batch, self.rhs_contract),
        ):
            used = (*batch, *contract)
            twice = next((axis for axis in used if used.count(axis) > 1), None)
            if twice is not None:
                self.bad_shape(operands, f"axis {twice} of {side} is named twice: batch {batch}, contract {contract}")
        batch = tuple(lhs.shape[axis] for axis in self.lhs_batch)
        left, right = self._free(operands)
        shape = (*batch, *(lhs.shape[axis] for axis in left), *(rhs.shape[axis] for axis in right))
        return (TensorType(self.dtype, shape),)

    def _check_pairs(self, operands: Types, what: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
        lhs, rhs = operands
        if len(left) != len(right):
            self.bad_shape(operands, f"{what} axes {left} of lhs and {right} of rhs differ in number")
        for i, j in zip(left, right, strict=True):
            if not 0 <= i < lhs.rank:
                self.bad_shape(operands, f"{what} axis {i} of lhs is out of range for rank {lhs.rank}")
            if not 0 <= j < rhs.rank:
                self.bad_shape(operands, f"{what} axis {j} of rhs is out of range for rank {rhs.rank}")
            if not facts.same(lhs.shape[i], rhs.shape[j]):
                sizes = f"{lhs.shape[i]} and {rhs.shape[j]}"
                self.bad_shape(operands, f"{what} axes {i} of lhs and {j} of rhs have sizes {sizes}")

    def _free(self, operands: Types) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes of each operand that are neither batch nor contracted."""
        lhs, rhs = operands
        left = _others((*self.lhs_batch, *self.lhs_contract), lhs.rank)
        return left, _others((*self.rhs_batch, *self.rhs_contract), rhs.rank)

    def eval(self, *operands: NumpyArray) -> Arrays:
        lhs, rhs = self.widened(operands)
        left = _others((*self.lhs_batch, *self.lhs_contract), lhs.ndim)
        right = _others((*self.rhs_batch, *self.rhs_contract), rhs.ndim)
        batch = [lhs.shape[axis] for axis in self.lhs_batch]
        rows, columns = [lhs.shape[axis] for axis in left], [rhs.shape[axis] for axis in right]
        depth = math.prod(lhs.shape[axis] for axis in self.lhs_contract)
        a = lhs.transpose(*self.lhs_batch, *left, *self.lhs_contract).reshape(math.prod(batch), math.prod(rows), depth)
        b = rhs.transpose(*self.rhs_batch, *self.rhs_contract, *right).reshape(len(a), depth, math.prod(columns))
        # A BLAS rounds otherwise for a transposed operand, so both are laid out afresh.
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        return (np.matmul(a, b).astype(self.dtype.numpy, copy=False).reshape([*batch, *rows, *columns]),)

    def cost(self, operands: Types, results: Types) -> Cost:
        depth = math.prod(facts.estimate(operands[0].shape[axis]) for axis in self.lhs_contract)
        pairs = depth * elements(results[0])
        return Cost(2 * pairs, operands[0].bytes + operands[1].bytes + results[0].bytes, pairs)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        lhs, rhs = operands
        wide_lhs, wide_rhs = b.cast(lhs, self.dtype), b.cast(rhs, self.dtype)
        left, right = self._free((lhs.type, rhs.type))
        n, rows = len(self.lhs_batch), len(self.lhs_batch) + len(left)
        batch, end = tuple(range(n)), cotangent.type.rank
        # For lhs: batch, its free axes, then its contracted axes in the order that rhs has them; for rhs alike.
        by_lhs = b.dot_general(cotangent, wide_rhs, (tuple(range(rows, end)), right), (batch, self.rhs_batch))
        by_rhs = b.dot_general(wide_lhs, cotangent, (left, tuple(range(n, rows))), (self.lhs_batch, batch))
        pairs = list(zip(self.lhs_contract, self.rhs_contract, strict=True))
        lhs_order = (*self.lhs_batch, *left, *(i for i, _ in sorted(pairs, key=lambda pair: pair[1])))
        rhs_order = (*self.rhs_batch, *(j for _, j in sorted(pairs)), *right)
        return (
            b.cast(b.transpose(by_lhs, _inverse(lhs_order)), lhs.type.dtype),
            b.cast(b.transpose(by_rhs, _inverse(rhs_order)), rhs.type.dtype),
        )

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        lhs, rhs = operands
        in_lhs, in_rhs = batched
        contract = _shift(self.lhs_contract, in_lhs), _shift(self.rhs_contract, in_rhs)
        axes = _shift(self.lhs_batch, in_lhs), _shift(self.rhs_batch, in_rhs)
        if in_lhs and in_rhs:
            return (b.dot_general(lhs, rhs, contract, ((0, *axes[0]), (0, *axes[1])), self.dtype),)
        # The batch is one more free axis of one side, its first.
        n = len(self.lhs_batch)
        single = rhs.type.rank == n + len(self.rhs_contract) + 1
        if in_rhs and single:
            # rhs has no other free axis, so with the sides exchanged the batch comes right after the batch axes.
            lhs, rhs, at = rhs, lhs, n
            contract, axes = (contract[1], contract[0]), (axes[1], axes[0])
        else:
            at = n if in_lhs else lhs.type.rank - len(self.lhs_contract)
        result = b.dot_general(lhs, rhs, contract, axes, self.dtype)
        return (b.transpose(result, (at, *_others((at,), result.type.rank))),)

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return tuple(types[0].shape[axis] for axis in self.lhs_contract)

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        left, right = self._free(types)
        n, rows = len(self.lhs_batch), len(self.lhs_batch) + len(left)
        lhs = dict(zip((*self.lhs_batch, *left, *self.lhs_contract), (*index[:rows], *point), strict=True))
        rhs = dict(zip((*self.rhs_batch, *right, *self.rhs_contract), (*index[:n], *index[rows:], *point), strict=True))
        at_lhs, at_rhs = (tuple(place[axis] for axis in range(len(place))) for place in (lhs, rhs))
        return self.product(operands[0](at_lhs), operands[1](at_rhs))


def _shift(axes: tuple[int, ...], batched: bool) -> tuple[int, ...]:
    return tuple(axis + batched for axis in axes)


@define("convolution")
class Convolution(Contraction):
    """The cross-correlation of `x[N, C, spatial…]` with `kernel[O, C / feature_groups, window…]`.

    Along each spatial axis `x` gets `lhs_dilation - 1` zeros between neighbours and `low` and `high` zeros at the ends
    (negative ones cut elements off); the kernel, its elements `rhs_dilation` apart, moves over it by `strides`. The
    result is `[N / batch_groups, O, spatial…]`.

    With feature groups, channels of `x` and of the result are cut into as many consecutive groups, and each group of
    the result sees its group of `x` only. With batch groups, the batch of `x` and the channels of the result are, as in
    XLA: that is the form of a grouped convolution's gradient by its kernel. At most one of the two is above 1.
    """

    strides: tuple[int, ...]
    low: tuple[Dim, ...]
    high: tuple[Dim, ...]
    lhs_dilation: tuple[int, ...]
    rhs_dilation: tuple[int, ...]
    feature_groups: Dim
    batch_groups: Dim
    dtype: DType
    slow_in_numpy = True

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        self.check_dtypes(operands)
        x, kernel = operands
        if x.rank < 2 or x.rank != kernel.rank:
            ranks = f"{x.rank} and {kernel.rank}"
            self.bad_shape(operands, f"input and kernel have ranks {ranks}; both are 2 plus the number of spatial axes")
        self._check_attributes(operands)
        batch, out = self._check_groups(operands)
        shape: list[Dim] = [batch, out]
        for axis, (size, window) in enumerate(zip(x.shape[2:], kernel.shape[2:], strict=True)):
            length = extent(size, self.lhs_dilation[axis]) + self.low[axis] + self.high[axis]
            shape.append(count(length, extent(window, self.rhs_dilation[axis]), self.strides[axis]))
        return (TensorType(self.dtype, tuple(shape)),)

    def _check_attributes(self, operands: Types) -> None:
        spatial = operands[0].rank - 2
        for name in ("strides", "low", "high", "lhs_dilation", "rhs_dilation"):
            values: tuple[Dim, ...] = getattr(self, name)
            if len(values) != spatial:
                self.bad_attribute(operands, f"{name} {values} has {len(values)} entries for {spatial} spatial axes")
            if name in ("low", "high"):
                continue
            for axis, value in enumerate(values):
                if isinstance(value, int) and value < 1:
                    self.bad_attribute(operands, f"{name} of spatial axis {axis} is {value}; it must be positive")
        for name in ("feature_groups", "batch_groups"):
            if not facts.at_least(getattr(self, name), 1):
                self.bad_attribute(operands, f"{name} is {getattr(self, name)}; it must be positive")
        if self.feature_groups != 1 and self.batch_groups != 1:
            both = f"{self.feature_groups} feature groups and {self.batch_groups} batch groups"
            self.bad_attribute(operands, f"{both}; at most one of the two may be above 1")

    def _check_groups(self, operands: Types) -> tuple[Dim, Dim]:
        """The result's batch size and channels."""
        x, kernel = operands
        channels = facts.divide(x.shape[1], self.feature_groups)
        if channels is None:
            self.bad_shape(operands, f"{self.feature_groups} feature groups do not divide {x.shape[1]} input channels")
        if not facts.same(channels, kernel.shape[1]):
            per = f"{x.shape[1]} input channels in {self.feature_groups} groups are {channels} in each"
            self.bad_shape(operands, f"{per}, and the kernel (axis 1) takes {kernel.shape[1]}")
        batch = facts.divide(x.shape[0], self.batch_groups)
        if batch is None:
            self.bad_shape(operands, f"{self.batch_groups} batch groups do not divide a batch of {x.shape[0]}")
        for name, groups in (("feature", self.feature_groups), ("batch", self.batch_groups)):
            if facts.divide(kernel.shape[0], groups) is None:
                self.bad_shape(operands, f"{groups} {name} groups do not divide {kernel.shape[0]} output channels")
        return batch, kernel.shape[0]

    @property
    def _pad(self) -> Pad:
        """What is done to the input first."""
        interior = (0, 0, *(dilation - 1 for dilation in self.lhs_dilation))
        return Pad((0, 0, *self.low), (0, 0, *self.high), interior)

    def eval(self, *operands: NumpyArray) -> Arrays:
        types = tuple(TensorType(self.dtype, x.shape) for x in operands)
        shape = self.type(*types)[0].sizes
        if 0 in shape:
            return (np.zeros(shape, self.dtype.numpy),)
        x, kernel = self.widened(operands)
        batch, out, *spatial = shape
        channels, *window = kernel.shape[1:]
        (padded,) = self._pad.eval(x, np.zeros((), x.dtype))
        patches = windows(padded, window, self.strides, self.rhs_dilation)
        batches, features = dims.static((self.batch_groups, self.feature_groups), "convolution")
        groups, n = batches * features, len(window)
        patches = patches.reshape([batches, batch, features, channels, *spatial, *window])
        places, inside = range(4, 4 + n), range(4 + n, 4 + 2 * n)
        rows = patches.transpose(0, 2, 1, *places, 3, *inside)
        depth = channels * math.prod(window)
        columns = kernel.reshape(groups, out // groups, depth).transpose(0, 2, 1)
        result = np.matmul(rows.reshape(groups, batch * math.prod(spatial), depth), columns)
        result = result.reshape(groups, batch, *spatial, out // groups).transpose(1, 0, n + 2, *range(2, n + 2))
        return (result.reshape(shape).astype(self.dtype.numpy, copy=False),)

    def cost(self, operands: Types, results: Types) -> Cost:
        depth = math.prod(facts.estimate(size) for size in operands[1].shape[1:])
        pairs = depth * elements(results[0])
        return Cost(2 * pairs, operands[0].bytes + operands[1].bytes + results[0].bytes, pairs)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        x, kernel = operands
        by_x = self._by_input(b, x.type, b.cast(kernel, self.dtype), cotangent)
        by_kernel = self._by_kernel(b, b.cast(x, self.dtype), kernel.type, cotangent)
        return b.cast(by_x, x.type.dtype), b.cast(by_kernel, kernel.type.dtype)

    def _extents(self, x: TensorType, kernel: TensorType, result: TensorType) -> list[tuple[Dim, Dim, Dim]]:
        """For each spatial axis, the lengths of the dilated input, of the kernel, and of the strided result."""
        sizes = zip(x.shape[2:], kernel.shape[2:], result.shape[2:], strict=True)
        steps = zip(self.lhs_dilation, self.rhs_dilation, self.strides, strict=True)
        return [
            (extent(size, spread), extent(window, apart), extent(places, stride))
            for (size, window, places), (spread, apart, stride) in zip(sizes, steps, strict=True)
        ]

    def _by_input(self, b: Builder, x: TensorType, kernel: Value, cotangent: Value) -> Value:
        """The cotangent, strides now its dilation, under the kernel reversed, inputs and outputs exchanged."""
        groups = self.feature_groups * self.batch_groups
        out, channels, *window = kernel.type.shape
        flipped = b.reverse(kernel, tuple(range(2, kernel.type.rank)))
        split = _split(b, flipped, 0, groups, out // groups)
        swapped = b.transpose(split, (0, 2, 1, *range(3, split.type.rank)))
        swapped = b.reshape(swapped, (channels * groups, out // groups, *window))
        extents = self._extents(x, kernel.type, cotangent.type)
        low = tuple(k - 1 - before for (_, k, _), before in zip(extents, self.low, strict=True))
        high = tuple(size + k - 1 - r - before for (size, k, r), before in zip(extents, low, strict=True))
        op = Convolution(self.lhs_dilation, low, high, self.strides, self.rhs_dilation, groups, 1, self.dtype)
        (result,) = b.node(op, cotangent, swapped)
        if self.batch_groups == 1:
            return result
        # The groups came out along the channels; they belong to the batch.
        split = _split(b, result, 1, groups, channels)
        return b.reshape(b.transpose(split, (1, 0, *range(2, split.type.rank))), x.shape)

    def _by_kernel(self, b: Builder, x: Value, kernel: TensorType, cotangent: Value) -> Value:
        """The input under the cotangent as a kernel, batch and channels exchanged, feature groups as batch groups."""
        swap = (1, 0, *range(2, kernel.rank))
        extents = self._extents(x.type, kernel, cotangent.type)
        high = tuple(r + k - 1 - size - before for (size, k, r), before in zip(extents, self.low, strict=True))
        groups = self.batch_groups, self.feature_groups
        op = Convolution(self.rhs_dilation, self.low, high, self.lhs_dilation, self.strides, *groups, self.dtype)
        (result,) = b.node(op, b.transpose(x, swap), b.transpose(cotangent, swap))
        return b.transpose(result, swap)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        if all(batched):
            return (self._batch_both(b, operands, size),)
        return (self._batch_input(b, operands, size) if batched[0] else self._batch_kernel(b, operands, size),)

    def _batch_input(self, b: Builder, operands: Values, size: Dim) -> Value:
        """The examples join the batch of the input."""
        x, kernel = operands
        rest = x.type.shape[2:]
        if self.batch_groups != 1:
            # The batch group stays the outer part of the batch.
            split = _split(b, x, 1, self.batch_groups, x.type.shape[1] // self.batch_groups)
            x = b.transpose(split, (1, 0, *range(2, split.type.rank)))
        examples = dims.product(x.type.shape[: x.type.rank - len(rest)])
        (result,) = b.node(self, b.reshape(x, (examples, *rest)), kernel)
        return _split(b, result, 0, size, operands[0].type.shape[1] // self.batch_groups)

    def _batch_kernel(self, b: Builder, operands: Values, size: Dim) -> Value:
        """The examples join the channels of the result, each group's on their own."""
        x, kernel = operands
        groups = self.feature_groups * self.batch_groups
        per = kernel.type.shape[1] // groups
        split = _split(b, kernel, 1, groups, per)
        grouped = b.transpose(split, (1, 0, *range(2, split.type.rank)))
        (result,) = b.node(self, x, b.reshape(grouped, (size * kernel.type.shape[1], *kernel.type.shape[2:])))
        n, _, *spatial = result.type.shape
        split = b.reshape(result, (n, groups, size, per, *spatial))
        front = b.transpose(split, (2, 0, 1, *range(3, split.type.rank)))
        return b.reshape(front, (size, n, kernel.type.shape[1], *spatial))

    def _batch_both(self, b: Builder, operands: Values, size: Dim) -> Value:
        """Each example is a group of its own: a batch group where there are such already, else a feature group."""
        x, kernel = operands
        examples, n, channels, *spatial = x.type.shape
        merged = b.reshape(kernel, (size * kernel.type.shape[1], *kernel.type.shape[2:]))
        if self.batch_groups != 1:
            op = self._with_groups(self.feature_groups, size * self.batch_groups)
            (result,) = b.node(op, b.reshape(x, (examples * n, channels, *spatial)), merged)
        else:
            op = self._with_groups(size * self.feature_groups, 1)
            front = b.transpose(x, (1, 0, *range(2, x.type.rank)))
            (result,) = b.node(op, b.reshape(front, (n, examples * channels, *spatial)), merged)
        split = _split(b, result, 1, size, kernel.type.shape[1])
        return b.transpose(split, (1, 0, *range(2, split.type.rank)))

    def _with_groups(self, feature: Dim, batch: Dim) -> Convolution:
        sizes = self.strides, self.low, self.high, self.lhs_dilation, self.rhs_dilation
        return Convolution(*sizes, feature, batch, self.dtype)

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return types[1].shape[1:]

    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        x, kernel = types
        example, out, *place = index
        channel, *offset = point
        groups = self.feature_groups * self.batch_groups
        each = facts.divide(kernel.shape[0], groups)
        assert each is not None, "the type rule says that groups divide the output channels"
        group = out // each if each != 0 else out
        if self.batch_groups != 1:
            inside = facts.divide(x.shape[0], groups)
            assert inside is not None, "the type rule says that batch groups divide the batch"
            example = group * inside + example
        else:
            channel = group * kernel.shape[1] + channel
        steps = zip(place, self.strides, offset, self.rhs_dilation, strict=True)
        source = (example, channel, *(p * s + o * d for p, s, o, d in steps))
        padded = self._pad.element(source, (operands[0], lambda _: Const(0, x.dtype)), (x, TensorType(x.dtype)))
        return self.product(padded, operands[1]((out, *point)))


def _split(b: Builder, x: Value, axis: int, outer: Dim, inner: Dim) -> Value:
    """`x` with an axis of size `outer * inner` cut in two."""
    shape = x.type.shape
    return b.reshape(x, (*shape[:axis], outer, inner, *shape[axis + 1 :]))
