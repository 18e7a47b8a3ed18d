"""Ops over named axes: what the examples of a batch tell one another, and how an array lies on devices.

Inside `vmap(f, axis_name="i")` the function sees one example, and these ops reach the others. Batching over the axis of
that name replaces them by ordinary ops along axis 0; batching over any other axis leaves the name standing. A graph
that runs holds none of them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from rosin.ir import facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import NUMBERS, i32
from rosin.ir.errors import UnsupportedError
from rosin.ir.index import Index
from rosin.ir.loops import Expr
from rosin.ir.op import Arrays, Constantlike, Linear, Maybe, NumpyArray, Op, Reader, Types, Value, Values, define
from rosin.ir.ops.index import Numbers
from rosin.ir.ops.movement import Move
from rosin.ir.types import TensorType


class NamedAxis(Op):
    """An op over the axis called `axis`, of `size` examples."""

    axis: str
    size: Dim

    def eval(self, *operands: NumpyArray) -> Arrays:
        raise UnsupportedError(f"{self.name}: the axis {self.axis!r} has no meaning outside a batch over it")

    @abstractmethod
    def collapse(self, b: Builder, operands: Values) -> Values:
        """The results for the whole batch along the axis, which is axis 0 of every operand and result."""

    @abstractmethod
    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        """The results for a batch along another axis, which is axis 0 of every operand and result."""

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        front = tuple(b.batch_front(v, flag, size) for v, flag in zip(operands, batched, strict=True))
        if b.batch_axis == self.axis:
            return self.collapse(b, front)
        return self.spread(b, front, size)


@define("axis_sum")
class AxisSum(NamedAxis, Linear):
    """The sum over all examples, the same for each."""

    axis: str
    size: Dim

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        if operands[0].dtype not in NUMBERS:
            self.bad_dtype(operands, f"takes numbers, not {operands[0].dtype}")
        return operands

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        # Every example's result depends on each example's operand, so each gets the sum of all cotangents.
        return (b.node(self, cotangent)[0],)

    def collapse(self, b: Builder, operands: Values) -> Values:
        (x,) = operands
        return (b.batch_front(b.sum(x, (0,)), False, x.type.shape[0]),)

    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        return b.node(self, *operands)


@define("axis_gather")
class AxisGather(NamedAxis, Linear):
    """The operands of all examples along a new axis 0, the same for each example."""

    axis: str
    size: Dim

    moves_elements: ClassVar[bool] = True

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        return (operands[0].with_shape((self.size, *operands[0].shape)),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return b.node(AxisSumScatter(self.axis, self.size), cotangent)

    def collapse(self, b: Builder, operands: Values) -> Values:
        (x,) = operands
        return (b.batch_front(x, False, x.type.shape[0]),)

    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        (gathered,) = b.node(self, *operands)
        rank = gathered.type.rank
        return (b.transpose(gathered, (1, 0, *range(2, rank))),)


@define("axis_sum_scatter")
class AxisSumScatter(NamedAxis, Linear):
    """For example i, the sum over all examples of element i along axis 0 of their operands."""

    axis: str
    size: Dim

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        (x,) = operands
        if x.dtype not in NUMBERS:
            self.bad_dtype(operands, f"takes numbers, not {x.dtype}")
        if not x.rank or not facts.same(x.shape[0], self.size):
            self.bad_shape(operands, f"axis 0 of the operand has the size of the axis {self.axis!r}, {self.size}")
        return (x.with_shape(x.shape[1:]),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return b.node(AxisGather(self.axis, self.size), cotangent)

    def collapse(self, b: Builder, operands: Values) -> Values:
        return (b.sum(operands[0], (0,)),)

    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        (x,) = operands
        return b.node(self, b.transpose(x, (1, 0, *range(2, x.type.rank))))


@define("axis_permute")
class AxisPermute(NamedAxis, Linear):
    """For example `target` of each pair `(source, target)`, the operand of example `source`; zeros for others."""

    axis: str
    size: Dim
    pairs: tuple[tuple[int, int], ...]

    moves_elements: ClassVar[bool] = True

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        for position, what in enumerate(("source", "target")):
            numbers = [pair[position] for pair in self.pairs]
            for number in numbers:
                if number < 0 or not facts.at_least(self.size, number + 1):
                    self.bad_attribute(operands, f"the {what} {number} is none of the {self.size} examples")
                if numbers.count(number) > 1:
                    self.bad_attribute(operands, f"the {what} {number} is in two pairs")
        return operands

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        back = tuple((target, source) for source, target in self.pairs)
        return b.node(AxisPermute(self.axis, self.size, back), cotangent)

    def collapse(self, b: Builder, operands: Values) -> Values:
        (x,) = operands
        zeros = b.zeros(x.type)
        if not self.pairs or 0 in x.type.shape:
            return (zeros,)
        sources, targets = (
            b.constant(np.array(numbers), TensorType(i32, (len(numbers),))) for numbers in self._sides()
        )
        rows = Numbers(tuple(range(1, x.type.rank)), (0,), (), (), (0,), 1)
        moved = b.gather(x, sources, rows, (1, *x.type.shape[1:]))
        return (b.scatter("set", zeros, targets, moved, rows, "drop", unique=True),)

    def _sides(self) -> tuple[list[int], list[int]]:
        return [source for source, _ in self.pairs], [target for _, target in self.pairs]

    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        return b.node(self, *operands)


@define("axis_index")
class AxisIndex(NamedAxis, Constantlike):
    """The number of the example along the axis, an i32 scalar."""

    axis: str
    size: Dim

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 0)
        return (TensorType(i32),)

    def collapse(self, b: Builder, operands: Values) -> Values:
        return (b.iota(TensorType(i32, (self.size,)), 0),)

    def spread(self, b: Builder, operands: Values, size: Dim) -> Values:
        raise AssertionError("it has no operand that could be batched along another axis")


# -- arrays on devices ---------------------------------------------------------------------------------------------


def check_sharding(op: Op, operands: Types, axes: tuple[tuple[str, ...], ...]) -> None:
    """Raise unless these axes of a mesh may cut the operand's axes."""
    if len(axes) > operands[0].rank:
        op.bad_shape(operands, f"says how {len(axes)} axes are cut, of an operand that has {operands[0].rank}")
    names = [name for along in axes for name in along]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        op.bad_attribute(operands, f"the axis {twice!r} of the mesh cuts the operand twice")


@define("sharding_constraint")
class ShardingConstraint(Move):
    """Its operand, which lies on the devices of a mesh cut along these axes of theirs, axis by axis; axes that are left
    out are whole. It tells something to a compiler that spreads a program over devices; where there is one device it
    means nothing.
    """

    axes: tuple[tuple[str, ...], ...]

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 1)
        check_sharding(self, operands, self.axes)
        return operands

    def eval(self, *operands: NumpyArray) -> Arrays:
        return operands

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return b.node(self, cotangent)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return b.node(ShardingConstraint(((), *self.axes)), *operands)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        return operands[0](index)
