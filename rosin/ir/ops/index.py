"""Reading an array at places that the program computes: gather, and slices at dynamic starts.

`Gather` and the scatters (rosin.ir.ops.scatter) share their dimension numbers, which are those of StableHLO's gather.
There are the array, the *indices*, and the *slices*: the result of a gather, the updates of a scatter.

    index_vector_dim             the axis of the indices that holds the components of one index; their rank means that
                                 an index is a single number
    start_index_map              for each component, the axis of the array that it counts along
    slice_sizes                  how far a slice extends along each axis of the array (a scatter's updates tell)
    collapsed_slice_dims         axes of the array, of slice size 1, that the slices lack
    operand_batching_dims        axes of the array that the slices lack too, since the place along them is the place
    start_indices_batching_dims  along these axes of the indices
    offset_dims                  the axes of the slices that run within one slice; the others are those of the indices

A slice lies within the array. `mode` says what becomes of one that would not: "clip" moves it to the nearest place
where it does; "fill", in a gather, makes all of it 0; "drop", in a scatter, leaves all of it out.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from rosin.ir import dims, dtypes, facts
from rosin.ir import index as positions
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Dynamic, Index
from rosin.ir.loops import Const, Expr, FromIndex, Within, guard
from rosin.ir.op import (
    Arrays,
    Linear,
    Maybe,
    NumpyArray,
    Op,
    Pull,
    Reader,
    Types,
    Value,
    Values,
    apply,
    define,
    with_attributes,
)
from rosin.ir.ops.arithmetic import Clamp, Minimum
from rosin.ir.ops.cast import convert
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

Axes = tuple[int, ...]


class Numbers(NamedTuple):
    """Dimension numbers, as told above."""

    offset_dims: Axes
    collapsed_slice_dims: Axes
    operand_batching_dims: Axes
    start_indices_batching_dims: Axes
    start_index_map: Axes
    index_vector_dim: int

    def with_examples(self) -> Numbers:
        """For array, indices and slices that have a batch in front, the place along it being the same in all."""
        return Numbers(
            _shift(self.offset_dims),
            _shift(self.collapsed_slice_dims),
            (0, *_shift(self.operand_batching_dims)),
            (0, *_shift(self.start_indices_batching_dims)),
            _shift(self.start_index_map),
            self.index_vector_dim + 1,
        )

    def with_longer_slices(self) -> Numbers:
        """For an array and slices that have an axis more in front, which slices span."""
        return self._replace(
            offset_dims=(0, *_shift(self.offset_dims)),
            collapsed_slice_dims=_shift(self.collapsed_slice_dims),
            operand_batching_dims=_shift(self.operand_batching_dims),
            start_index_map=_shift(self.start_index_map),
        )

    def with_more_indices(self) -> Numbers:
        """For indices and slices that have an axis more in front."""
        return self._replace(
            offset_dims=_shift(self.offset_dims),
            start_indices_batching_dims=_shift(self.start_indices_batching_dims),
            index_vector_dim=self.index_vector_dim + 1,
        )


def _shift(axes: Axes) -> Axes:
    return tuple(axis + 1 for axis in axes)


@with_attributes
class Indexed(Op):
    """An op whose operands 0 and 1 are the array and the indices."""

    offset_dims: Axes
    collapsed_slice_dims: Axes
    operand_batching_dims: Axes
    start_indices_batching_dims: Axes
    start_index_map: Axes
    index_vector_dim: int
    mode: str

    modes: ClassVar[tuple[str, str]]

    @property
    def numbers(self) -> Numbers:
        return Numbers(
            self.offset_dims,
            self.collapsed_slice_dims,
            self.operand_batching_dims,
            self.start_indices_batching_dims,
            self.start_index_map,
            self.index_vector_dim,
        )

    @property
    def clips(self) -> bool:
        return self.mode == "clip"

    # -- checks --------------------------------------------------------------------------------------------

    def check_numbers(self, operands: Types) -> None:
        """Raise where the dimension numbers do not fit the array and the indices."""
        x, index = operands[:2]
        if not index.dtype.is_integer:
            self.bad_dtype(operands, f"indices are integers, not {index.dtype}")
        if self.mode not in self.modes:
            self.bad_attribute(operands, f"the mode is one of {', '.join(self.modes)}, not {self.mode}")
        if not 0 <= self.index_vector_dim <= index.rank:
            at = f"index_vector_dim is {self.index_vector_dim}"
            self.bad_shape(operands, f"{at}; it is an axis of the indices, or their rank, {index.rank}")
        for name, rank in (
            ("collapsed_slice_dims", x.rank),
            ("operand_batching_dims", x.rank),
            ("start_index_map", x.rank),
            ("start_indices_batching_dims", index.rank),
        ):
            axes: Axes = getattr(self, name)
            for axis in axes:
                if not 0 <= axis < rank:
                    self.bad_shape(operands, f"{name}: axis {axis} is out of range for rank {rank}")
            if len(set(axes)) < len(axes):
                self.bad_shape(operands, f"{name} {axes} has an axis twice")
        self._check_batching(operands)
        components = index.shape[self.index_vector_dim] if self.index_vector_dim < index.rank else 1
        if components != len(self.start_index_map):
            message = f"an index has {components} components, and start_index_map {len(self.start_index_map)} entries"
            self.bad_shape(operands, message)

    def _check_batching(self, operands: Types) -> None:
        x, index = operands[:2]
        both = self.operand_batching_dims, self.start_indices_batching_dims
        if len(both[0]) != len(both[1]):
            self.bad_shape(operands, f"batching axes {both[0]} of the array and {both[1]} of the indices do not pair")
        if self.index_vector_dim in both[1]:
            self.bad_shape(operands, f"start_indices_batching_dims {both[1]} has index_vector_dim")
        for axis, other in zip(*both, strict=True):
            if not facts.same(x.shape[axis], index.shape[other]):
                sizes = f"sizes {x.shape[axis]} and {index.shape[other]}"
                self.bad_shape(operands, f"batching axes {axis} of the array and {other} of the indices have {sizes}")
        for name in ("collapsed_slice_dims", "start_index_map"):
            for axis in getattr(self, name):
                if axis in both[0]:
                    self.bad_shape(operands, f"axis {axis} is in operand_batching_dims and in {name}")

    def check_slices(self, operands: Types, slice_sizes: tuple[Dim, ...], rank: int) -> None:
        """Raise where slices of these sizes do not fit the array, or `offset_dims` does not fit slices of this rank."""
        x = operands[0]
        spanned = len(self.spanned(x.rank))
        offsets = self.offset_dims
        if list(offsets) != sorted(set(offsets)) or any(not 0 <= axis < rank for axis in offsets):
            self.bad_shape(operands, f"offset_dims {offsets} are not distinct axes, in order, of slices of rank {rank}")
        if len(offsets) != spanned:
            message = f"offset_dims {offsets} has {len(offsets)} entries for {spanned} axes that slices keep"
            self.bad_shape(operands, message)
        for axis, (size, whole) in enumerate(zip(slice_sizes, x.shape, strict=True)):
            if axis in (*self.collapsed_slice_dims, *self.operand_batching_dims) and not facts.same(size, 1):
                self.bad_shape(operands, f"slices lack axis {axis}, so their size along it is 1, not {size}")
            if axis in self.operand_batching_dims:
                continue
            # With no more slices of 1 than the axis is long, none is taken of an axis that is empty.
            few = size == 1 and facts.known_at_least(whole, dims.product(self.batch_sizes(operands[1])))
            if not few and not (facts.at_least(size, 0) and facts.at_least(whole, size)):
                self.bad_shape(operands, f"a slice of size {size} does not fit axis {axis} of size {whole}")

    def indexed(self, b: Builder, operands: Values) -> list[tuple[Value, int, Dim]]:
        x, index = operands[:2]
        sizes = self.extents(tuple(v.type for v in operands))
        found: list[tuple[Value, int, Dim]] = []
        for component, axis in enumerate(self.start_index_map):
            whole = self.index_vector_dim == index.type.rank
            part = index if whole else b.slice_axis(index, self.index_vector_dim, component, component + 1)
            found.append((part, axis, x.type.shape[axis] - sizes[axis]))
        return found

    @abstractmethod
    def extents(self, operands: Types) -> tuple[Dim, ...]:
        """How far a slice extends along each axis of the array."""

    # -- where things are ----------------------------------------------------------------------------------

    def spanned(self, rank: int) -> Axes:
        """The axes of the array that slices have too."""
        lacking = {*self.collapsed_slice_dims, *self.operand_batching_dims}
        return tuple(axis for axis in range(rank) if axis not in lacking)

    def batch_sizes(self, index: TensorType) -> tuple[Dim, ...]:
        """The sizes of the axes of the slices that are not offsets."""
        return tuple(size for axis, size in enumerate(index.shape) if axis != self.index_vector_dim)

    def span(self, dtype: DType, room: int) -> tuple[int, int]:
        """Bounds that an index component is clamped to without a change of meaning; slices start at 0 … room."""
        low = 0 if self.clips or dtype.kind == "uint" else -1
        return low, min(room if self.clips else room + 1, int(dtype.highest))

    def locate(
        self, at: tuple[Index, ...], indices: Reader, types: Types, slice_sizes: tuple[Dim, ...]
    ) -> tuple[tuple[Within, ...], tuple[Index, ...]]:
        """Where in the array the element `at` of the slices is, if the tests hold."""
        x, index = types[:2]
        batch = [i for axis, i in enumerate(at) if axis not in self.offset_dims]
        place: list[Index] = [positions.ZERO] * x.rank
        for axis, offset in zip(self.spanned(x.rank), self.offset_dims, strict=True):
            place[axis] = at[offset]
        for axis, other in zip(self.operand_batching_dims, self.start_indices_batching_dims, strict=True):
            place[axis] = batch[other - (other > self.index_vector_dim)]
        tests: list[Within] = []
        for component, axis in enumerate(self.start_index_map):
            room = x.shape[axis] - slice_sizes[axis]
            if room == 0 and self.clips:
                continue
            source = list(batch)
            if self.index_vector_dim < index.rank:
                source.insert(self.index_vector_dim, Index(component))
            value = indices(tuple(source))
            low = 0 if self.clips else -1
            if isinstance(room, int):
                start = dynamic(value, *self.span(index.dtype, room))
            else:
                start = dynamic_within(value, low, room if self.clips else room + 1)
            place[axis] = place[axis] + start
            if not self.clips:
                tests.append(Within(start, 0, room + 1))
        return tuple(tests), tuple(place)

    def find(
        self, x: NumpyArray, indices: NumpyArray, slice_sizes: tuple[int, ...], shape: tuple[int, ...]
    ) -> tuple[list[NumpyArray], NumpyArray]:
        """The same in NumPy for slices of a shape: along each axis of the array the places, and whether they are."""
        if self.index_vector_dim == indices.ndim:
            indices = indices[..., None]
        vectors = np.moveaxis(indices, self.index_vector_dim, 0)
        batch = [axis for axis in range(len(shape)) if axis not in self.offset_dims]
        grid = np.indices(shape, sparse=True) if shape else ()
        places: list[NumpyArray] = [np.zeros((1,) * len(shape), np.int64)] * x.ndim
        for axis, offset in zip(self.spanned(x.ndim), self.offset_dims, strict=True):
            places[axis] = grid[offset]
        for axis, other in zip(self.operand_batching_dims, self.start_indices_batching_dims, strict=True):
            places[axis] = grid[batch[other - (other > self.index_vector_dim)]]
        valid = np.ones((1,) * len(shape), bool)
        for component, axis in enumerate(self.start_index_map):
            room = x.shape[axis] - slice_sizes[axis]
            low, high = self.span(dtypes.from_numpy(indices.dtype), room)
            start = np.clip(vectors[component], low, high).astype(np.int64)
            start = np.expand_dims(start, self.offset_dims)
            inside = (start >= 0) & (start <= room)
            valid = valid & inside
            places[axis] = places[axis] + np.where(inside, start, 0)
        return [np.broadcast_to(place, shape) for place in places], np.broadcast_to(valid, shape)


def dynamic(value: Expr, low: int, high: int) -> Index:
    """A computed number, clamped to `low … high`, as an index."""
    bounds = Const(low, value.dtype), Const(high, value.dtype)
    return positions.of(Dynamic(apply(Clamp(), bounds[0], value, bounds[1]), low, high))


def dynamic_within(value: Expr, low: int, high: Dim) -> Index:
    """The same with a symbolic bound: the number is clamped as an i64, which no size exceeds."""
    if value.dtype == dtypes.u64:
        value = apply(Minimum(), value, Const(dtypes.i64.highest, dtypes.u64))
    bounds = Const(low, dtypes.i64), FromIndex(Index(high), dtypes.i64)
    return positions.of(Dynamic(apply(Clamp(), bounds[0], convert(value, dtypes.i64), bounds[1]), low, high))


@define("gather")
class Gather(Linear, Indexed, Pull):
    """Slices of operand 0 that start where operand 1 tells; see the text above."""

    slice_sizes: tuple[Dim, ...]
    modes = ("clip", "fill")

    def extents(self, operands: Types) -> tuple[Dim, ...]:
        return self.slice_sizes

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 2)
        x, index = operands
        self.check_numbers(operands)
        if len(self.slice_sizes) != x.rank:
            sizes = f"slice_sizes {self.slice_sizes} has {len(self.slice_sizes)} entries"
            self.bad_shape(operands, f"{sizes} for an array of rank {x.rank}")
        rank = len(self.batch_sizes(index)) + len(self.offset_dims)
        self.check_slices(operands, self.slice_sizes, rank)
        batch = iter(self.batch_sizes(index))
        window = iter(self.slice_sizes[axis] for axis in self.spanned(x.rank))
        return (x.with_shape(tuple(next(window if axis in self.offset_dims else batch) for axis in range(rank))),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, indices = operands
        types = (TensorType(dtypes.from_numpy(o.dtype), o.shape) for o in operands)
        (result,) = self.type(*types)
        places, valid = self.find(x, indices, dims.static(self.slice_sizes, self.name), result.sizes)
        found = np.broadcast_to(x[tuple(places)], result.sizes) if result.size != 0 else np.zeros(result.sizes, x.dtype)
        return (found if self.clips else np.where(valid, found, np.zeros((), x.dtype)),)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        x, indices = operands
        wide = x.type.dtype.accumulator
        zeros, updates = b.zeros(x.type.with_dtype(wide)), b.cast(cotangent, wide)
        total = b.scatter("add", zeros, indices, updates, self.numbers, "clip" if self.clips else "drop")
        return (b.cast(total, x.type.dtype), None)

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        x, indices = operands
        if all(batched):
            numbers, slice_sizes = self.numbers.with_examples(), (1, *self.slice_sizes)
        elif batched[0]:
            numbers, slice_sizes = self.numbers.with_longer_slices(), (size, *self.slice_sizes)
        else:
            numbers, slice_sizes = self.numbers.with_more_indices(), self.slice_sizes
        return (b.gather(x, indices, numbers, slice_sizes, self.mode),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        tests, place = self.locate(index, operands[1], types, self.slice_sizes)
        return guard(tests, operands[0](place), Const(0, types[0].dtype))


# -- one slice ---------------------------------------------------------------------------------------------------


class Sliding(Linear, Pull):
    """An op on an array and a part of it that starts at scalars, one for each axis, the last operands.

    Each start is clamped so that the part lies within the array.
    """

    moves_elements = True

    def check_starts(self, operands: Types, sizes: tuple[Dim, ...], starts: Types) -> None:
        x = operands[0]
        if len(starts) != x.rank:
            self.bad_shape(operands, f"{len(starts)} starts for an array of rank {x.rank}")
        for axis, start in enumerate(starts):
            if start.rank:
                self.bad_shape(operands, f"the start along axis {axis} is a scalar, not {start}")
            if not start.dtype.is_integer or start.dtype != starts[0].dtype:
                found = ", ".join(s.dtype.name for s in starts)
                self.bad_dtype(operands, f"starts are integers of one type, not {found}")
        for axis, (size, whole) in enumerate(zip(sizes, x.shape, strict=True)):
            if not (facts.at_least(size, 0) and facts.at_least(whole, size)):
                self.bad_shape(operands, f"a part of size {size} does not fit axis {axis} of size {whole}")

    def indexed(self, b: Builder, operands: Values) -> list[tuple[Value, int, Dim]]:
        x = operands[0].type
        starts = operands[len(operands) - x.rank :]
        sizes = self.extents(tuple(v.type for v in operands))
        return [(s, axis, x.shape[axis] - sizes[axis]) for axis, s in enumerate(starts)]

    @abstractmethod
    def extents(self, operands: Types) -> tuple[Dim, ...]:
        """How far the part extends along each axis of the array."""

    def starts(self, readers: tuple[Reader, ...], types: Types, x: TensorType, sizes: tuple[Dim, ...]) -> list[Index]:
        """The clamped starts in loops."""
        found: list[Index] = []
        for reader, t, whole, size in zip(readers, types, x.shape, sizes, strict=True):
            room = whole - size
            if isinstance(room, int):
                room = min(room, int(t.dtype.highest))
                found.append(dynamic(reader(()), 0, room) if room else positions.ZERO)
            else:
                found.append(dynamic_within(reader(()), 0, room))
        return found

    def region(self, x: NumpyArray, sizes: tuple[int, ...], starts: tuple[NumpyArray, ...]) -> tuple[slice, ...]:
        """The part in NumPy."""
        places = zip(starts, sizes, x.shape, strict=True)
        clamped = ((min(max(int(start), 0), whole - size), size) for start, size, whole in places)
        return tuple(slice(start, start + size) for start, size in clamped)


def _unmoved(b: Builder, starts: Values) -> Value:
    """A start of 0 along the batch."""
    return b.constant(0, TensorType(starts[0].type.dtype if starts else dtypes.i32))


def _stacked(b: Builder, starts: Values, batched: tuple[bool, ...], size: Dim) -> tuple[Value, Numbers]:
    """The starts of every example as rows of one array of indices, and the numbers for slices of all axes."""
    columns = [b.batch_front(s, flag, size) for s, flag in zip(starts, batched, strict=True)]
    rank = len(starts)
    every = tuple(range(rank))
    numbers = Numbers(every, (), (), (), every, 0).with_examples()
    return b.concatenate([b.reshape(column, (size, 1)) for column in columns], 1), numbers


@define("dynamic_slice")
class DynamicSlice(Sliding):
    """The part of operand 0 of the given sizes that starts at the scalars that follow, one for each axis."""

    sizes: tuple[Dim, ...]

    def extents(self, operands: Types) -> tuple[Dim, ...]:
        return self.sizes

    def type(self, *operands: TensorType) -> Types:
        if not operands:
            self.bad_shape(operands, "needs an array")
        x, *starts = operands
        if len(self.sizes) != x.rank:
            self.bad_shape(operands, f"sizes {shape_text(self.sizes)} for an array of rank {x.rank}")
        self.check_starts(operands, self.sizes, tuple(starts))
        return (x.with_shape(self.sizes),)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, *starts = operands
        return (x[self.region(x, dims.static(self.sizes, self.name), tuple(starts))],)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        x, *starts = operands
        return (b.dynamic_update_slice(b.zeros(x.type), cotangent, starts), *(None for _ in starts))

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        x, *starts = operands
        if not any(batched[1:]):
            return (b.dynamic_slice(x, (_unmoved(b, tuple(starts)), *starts), (size, *self.sizes)),)
        indices, numbers = _stacked(b, tuple(starts), batched[1:], size)
        if batched[0]:
            return (b.gather(x, indices, numbers, (1, *self.sizes)),)
        every = tuple(range(len(starts)))
        rows = Numbers(_shift(every), (), (), (), every, 1)
        return (b.gather(x, indices, rows, self.sizes),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        starts = self.starts(operands[1:], types[1:], types[0], self.sizes)
        return operands[0](tuple(i + start for i, start in zip(index, starts, strict=True)))


@define("dynamic_update_slice")
class DynamicUpdateSlice(Sliding):
    """Operand 0 with operand 1 in place of the part that starts at the scalars that follow, one for each axis."""

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        return ((0, 1),)

    def extents(self, operands: Types) -> tuple[Dim, ...]:
        return operands[1].shape

    def type(self, *operands: TensorType) -> Types:
        if len(operands) < 2:
            self.bad_shape(operands, "needs an array and a part")
        x, part, *starts = operands
        if part.dtype != x.dtype:
            self.bad_dtype(operands, f"the array is {x.dtype} and the part {part.dtype}")
        if part.rank != x.rank:
            self.bad_shape(operands, f"the array has rank {x.rank} and the part {part.rank}")
        self.check_starts(operands, part.shape, tuple(starts))
        return (x,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        x, part, *starts = operands
        result = np.array(x)
        result[self.region(x, part.shape, tuple(starts))] = part
        return (result,)

    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        _, part, *starts = operands
        by_x = b.dynamic_update_slice(cotangent, b.zeros(part.type), starts)
        return (by_x, b.dynamic_slice(cotangent, starts, part.type.shape), *(None for _ in starts))

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        x, part = (b.batch_front(v, flag, size) for v, flag in zip(operands[:2], batched[:2], strict=True))
        starts = operands[2:]
        if not any(batched[2:]):
            return (b.dynamic_update_slice(x, part, (_unmoved(b, starts), *starts)),)
        indices, numbers = _stacked(b, starts, batched[2:], size)
        return (b.scatter("set", x, indices, part, numbers, "clip", unique=True),)

    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        sizes = types[1].shape
        starts = self.starts(operands[2:], types[2:], types[0], sizes)
        inside = tuple(i - start for i, start in zip(index, starts, strict=True))
        tests = tuple(Within(i, 0, n) for i, n in zip(inside, sizes, strict=True))
        return guard(tests, operands[1](inside), operands[0](index))
