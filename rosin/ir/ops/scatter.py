"""Writing into an array at places that the program computes.

Operands are the array, the indices and the updates; the dimension numbers are explained in rosin.ir.ops.index. What
StableHLO calls update_window_dims, inserted_window_dims, input_batching_dims, scatter_indices_batching_dims and
scatter_dims_to_operand_dims is called offset_dims, collapsed_slice_dims, operand_batching_dims,
start_indices_batching_dims and start_index_map here, as in a gather, whose transpose a scatter is.

Slices are written one after the other, in the row-major order of their indices, and each update rounds to the array's
element type; so updates of one place have a result that does not depend on the target. `unique` promises that no two
updates go to one place, which frees the order; a program that breaks the promise gets what some order gives.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Index
from rosin.ir.loops import Const, Expr, Within
from rosin.ir.op import (
    Arrays,
    Cost,
    Elementwise,
    Linear,
    Maybe,
    Monoid,
    NumpyArray,
    Push,
    Reader,
    Types,
    Value,
    Values,
    apply,
    define,
    elements,
    with_attributes,
)
from rosin.ir.ops.arithmetic import Add, Maximum, Minimum, Mul
from rosin.ir.ops.index import Indexed
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

Kind = Literal["set", "add", "mul", "min", "max"]


@with_attributes
class Scatter(Indexed, Push):
    """Operand 0 with slices of it combined with operand 2, at the places that operand 1 tells."""

    unique: bool
    modes = ("clip", "drop")
    kind: ClassVar[Kind]
    accepts: ClassVar[frozenset[DType]] = dtypes.NUMBERS

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 3)
        x, index, updates = operands
        if updates.dtype != x.dtype:
            self.bad_dtype(operands, f"the array is {x.dtype} and the updates {updates.dtype}")
        if x.dtype not in self.accepts:
            what = "ordered numbers" if self.accepts == dtypes.REALS else "numbers"
            self.bad_dtype(operands, f"combines {what}, not {x.dtype}")
        self.check_numbers(operands)
        batch = self.batch_sizes(index)
        if updates.rank != len(batch) + len(self.offset_dims):
            axes = f"{len(batch)} axes of the indices and {len(self.offset_dims)} of slices"
            self.bad_shape(operands, f"the updates have rank {updates.rank} for {axes}")
        found = tuple(size for axis, size in enumerate(updates.shape) if axis not in self.offset_dims)
        if not facts.same_shape(found, batch):
            self.bad_shape(operands, f"there are {shape_text(batch)} indices and {shape_text(found)} updates")
        self.check_slices(operands, self.slice_sizes(x, updates), updates.rank)
        return (x,)

    def slice_sizes(self, x: TensorType, updates: TensorType) -> tuple[Dim, ...]:
        """How far the updates of one index extend along each axis of the array."""
        offsets = [axis for axis in self.offset_dims if 0 <= axis < updates.rank]
        extents = dict(zip(self.spanned(x.rank), (updates.shape[axis] for axis in offsets), strict=False))
        return tuple(extents.get(axis, 1) for axis in range(x.rank))

    def extents(self, operands: Types) -> tuple[Dim, ...]:
        return self.slice_sizes(operands[0], operands[2])

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(elements(operands[2]), sum(t.bytes for t in operands) + results[0].bytes)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        x, indices, updates = operands
        x, updates = b.batch_front(x, batched[0], size), b.batch_front(updates, batched[2], size)
        numbers = self.numbers.with_examples() if batched[1] else self.numbers.with_longer_slices()
        return (b.scatter(self.kind, x, indices, updates, numbers, self.mode, unique=self.unique),)

    # -- meaning -------------------------------------------------------------------------------------------

    def order(self, rank: int) -> tuple[int, ...]:
        """The axes of the updates, outermost first, in the order in which updates are made."""
        return (*(axis for axis in range(rank) if axis not in self.offset_dims), *self.offset_dims)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, indices, updates = operands
        types = [TensorType(dtypes.from_numpy(o.dtype), o.shape) for o in operands]
        sizes = dims.static(self.slice_sizes(types[0], types[2]), self.name)
        places, valid = self.find(x, indices, sizes, updates.shape)
        order = self.order(updates.ndim)
        made = valid.transpose(order)
        result = np.array(x, order="C")
        if made.any():
            where = [place.transpose(order)[made] for place in places]
            flat = np.ravel_multi_index(where, x.shape) if where else np.zeros(made.sum(), np.int64)
            self.write(result.reshape(-1), flat, updates.transpose(order)[made])
        return (result,)

    @abstractmethod
    def write(self, result: NumpyArray, places: NumpyArray, updates: NumpyArray) -> None:
        """Make the updates, in order, in an array of rank 1."""

    def domain(self, types: Types) -> tuple[Dim, ...]:
        return tuple(types[2].shape[axis] for axis in self.order(types[2].rank))

    def at(self, point: tuple[Index, ...]) -> tuple[Index, ...]:
        """The place in the updates of a point of the domain."""
        known = dict(zip(self.order(len(point)), point, strict=True))
        return tuple(known[axis] for axis in range(len(point)))

    def disjoint(self, types: Types) -> tuple[bool, ...]:
        order = self.order(types[2].rank)
        if self.unique:
            return (True,) * len(order)
        offsets = zip(self.spanned(types[0].rank), self.offset_dims, strict=True)
        free = {offset for axis, offset in offsets if axis not in self.start_index_map}
        free |= {order[other - (other > self.index_vector_dim)] for other in self.start_indices_batching_dims}
        return tuple(axis in free for axis in order)

    def place(
        self, point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[tuple[Within, ...], tuple[Index, ...]]:
        sizes = self.slice_sizes(types[0], types[2])
        return self.locate(self.at(point), operands[1], types, sizes)

    # -- for derivatives -----------------------------------------------------------------------------------

    def read(self, b: Builder, values: Value, operands: Values) -> Value:
        """For each update the element of `values`, of the array's shape, that it goes to; 0 for one left out."""
        sizes = self.slice_sizes(operands[0].type, operands[2].type)
        return b.gather(values, operands[1], self.numbers, sizes, "clip" if self.clips else "fill")

    def scattered(self, b: Builder, kind: Kind, x: Value, updates: Value, operands: Values) -> Value:
        """A scatter to the same places."""
        return b.scatter(kind, x, operands[1], updates, self.numbers, self.mode, unique=self.unique)


class Combining(Scatter):
    """A scatter that combines each update with what is at its place by an elementwise op."""

    combine: ClassVar[Elementwise]
    function: ClassVar[Any]

    def write(self, result: NumpyArray, places: NumpyArray, updates: NumpyArray) -> None:
        self.function.at(result, places, updates)

    def update(self, point: tuple[Index, ...], old: Expr, operands: tuple[Reader, ...], types: Types) -> Expr:
        return apply(self.combine, old, operands[2](self.at(point)))

    @abstractmethod
    def identity(self, dtype: DType) -> float | int | bool:
        """The integer that changes nothing."""

    def monoid(self, types: Types) -> Monoid | None:
        dtype = types[0].dtype
        if not dtype.is_integer:
            return None
        start = Const(self.identity(dtype), dtype)
        return Monoid((start,), lambda left, right: (apply(self.combine, left[0], right[0]),))


@define("scatter_set")
class ScatterSet(Linear, Scatter):
    """Each update replaces what is at its place; of several updates of one place the last one stays."""

    kind = "set"
    accepts = dtypes.ANY

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0, 2),)

    def write(self, result: NumpyArray, places: NumpyArray, updates: NumpyArray) -> None:
        result[places] = updates

    def update(self, point: tuple[Index, ...], old: Expr, operands: tuple[Reader, ...], types: Types) -> Expr:
        return operands[2](self.at(point))

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        x, _, updates = operands
        by_x = self.scattered(b, "set", cotangent, b.zeros(updates.type), operands)
        by_updates = self.read(b, cotangent, operands)
        if not self.unique:
            # The update that stays is the one whose number is found at its place when numbers are scattered alike.
            number = b.iota(TensorType(dtypes.i64, (updates.type.size,)), 0)
            number = b.reshape(number, updates.type.shape)
            last = self.scattered(b, "set", b.zeros(x.type.with_dtype(dtypes.i64)), number, operands)
            stays = b.equal(self.read(b, last, operands), number)
            by_updates = b.select(stays, by_updates, b.zeros(updates.type))
        return (by_x, None, by_updates)


@define("scatter_add")
class ScatterAdd(Linear, Combining):
    """Each update is added to what is at its place; integers wrap around."""

    kind = "add"
    combine = Add()
    function = np.add

    def identity(self, dtype: DType) -> float | int | bool:
        return 0

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0, 2),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        return (cotangent, None, self.read(b, cotangent, operands))


class Weighted(Combining):
    """A scatter that states its partial derivatives."""

    @abstractmethod
    def slopes(self, b: Builder, operands: Values, result: Value) -> tuple[Value, Value]:
        """The derivative of each result by its element of the array, and of the result at its place by each update."""

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        x_dot, _, updates_dot = tangents
        if x_dot is None and updates_dot is None:
            return (None,)
        by_x, by_updates = self.slopes(b, operands, results[0])
        total = b.zeros(results[0].type) if x_dot is None else b.mul(x_dot, by_x)
        if updates_dot is None:
            return (total,)
        return (self.scattered(b, "add", total, b.mul(updates_dot, by_updates), operands),)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        if cotangent is None:
            return (None, None, None)
        by_x, by_updates = self.slopes(b, operands, results[0])
        return (b.mul(cotangent, by_x), None, b.mul(self.read(b, cotangent, operands), by_updates))


@define("scatter_mul")
class ScatterMul(Weighted):
    """What is at the place of an update is multiplied by it; integers wrap around.

    First derivatives are right everywhere. Where `unique` is not promised and an update is 0, second derivatives that
    mix it with another update of the same place come out as 0.
    """

    kind = "mul"
    combine = Mul()
    function = np.multiply

    def identity(self, dtype: DType) -> float | int | bool:
        return 1

    def slopes(self, b: Builder, operands: Values, result: Value) -> tuple[Value, Value]:
        x, _, updates = operands
        by_x = self.scattered(b, "mul", b.like(1.0, x), updates, operands)
        if self.unique:
            return by_x, self.read(b, x, operands)
        # The product of all other factors: all that are not 0, over this one, if no other is 0.
        zero = b.equal(updates, 0.0)
        others = b.select(zero, b.like(1.0, updates), updates)
        product = self.read(b, self.scattered(b, "mul", x, others, operands), operands)
        wide = x.type.dtype.accumulator
        one = b.cast(zero, wide)
        zeros = self.read(b, self.scattered(b, "add", b.zeros(x.type.with_dtype(wide)), one, operands), operands)
        left = b.equal(b.sub(zeros, one), 0.0)
        return by_x, b.select(left, b.div(product, others), b.zeros(updates.type))


class ScatterExtremum(Weighted):
    """An extreme of what is at a place and all its updates. Those that tie share the derivative equally."""

    accepts = dtypes.REALS

    def slopes(self, b: Builder, operands: Values, result: Value) -> tuple[Value, Value]:
        x, _, updates = operands
        wide = x.type.dtype.accumulator
        kept = b.cast(b.equal(x, result), wide)
        came = b.cast(b.equal(updates, self.read(b, result, operands)), wide)
        # Where NaN is the result nothing equals it, and an update that is left out reads a count of 0.
        count = self.scattered(b, "add", kept, came, operands)
        by_x = b.div(kept, b.maximum(count, 1.0))
        by_updates = b.div(came, b.maximum(self.read(b, count, operands), 1.0))
        return b.cast(by_x, x.type.dtype), b.cast(by_updates, x.type.dtype)


@define("scatter_min")
class ScatterMin(ScatterExtremum):
    """The least of what is at a place and all its updates; NaN when one is NaN."""

    kind = "min"
    combine = Minimum()
    function = np.minimum

    def identity(self, dtype: DType) -> float | int | bool:
        return dtype.highest


@define("scatter_max")
class ScatterMax(ScatterExtremum):
    """The greatest of what is at a place and all its updates; NaN when one is NaN."""

    kind = "max"
    combine = Maximum()
    function = np.maximum

    def identity(self, dtype: DType) -> float | int | bool:
        return dtype.lowest


KINDS: dict[Kind, type[Scatter]] = {op.kind: op for op in (ScatterSet, ScatterAdd, ScatterMul, ScatterMin, ScatterMax)}
