"""Samples of gather and of slices at dynamic starts."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops.index import DynamicSlice, DynamicUpdateSlice, Gather, Indexed, Numbers
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw


class Case(NamedTuple):
    """An array's shape, indices, how they are read, and the sizes of the slices."""

    shape: tuple[int, ...]
    indices: Any
    numbers: Numbers
    sizes: tuple[int, ...]

    @property
    def array(self) -> Array:
        return np.asarray(self.indices, np.int32)

    @property
    def slices(self) -> tuple[int, ...]:
        """The shape of the slices together."""
        lacking = (*self.numbers.collapsed_slice_dims, *self.numbers.operand_batching_dims)
        window = iter(size for axis, size in enumerate(self.sizes) if axis not in lacking)
        shape = self.array.shape
        batch = iter(n for axis, n in enumerate(shape) if axis != self.numbers.index_vector_dim)
        rank = len([*shape]) - (self.numbers.index_vector_dim < len(shape)) + len(self.numbers.offset_dims)
        return tuple(next(window if axis in self.numbers.offset_dims else batch) for axis in range(rank))


CASES: dict[str, Case] = {
    "rows": Case((5, 3), [[1], [4], [0], [1]], Numbers((1,), (0,), (), (), (0,), 1), (1, 3)),
    "plain-rows": Case((5, 3), [[1, 9], [-2, 4]], Numbers((2,), (0,), (), (), (0,), 2), (1, 3)),
    "columns": Case((3, 5), [[1, 4], [4, -1]], Numbers((0,), (1,), (), (), (1,), 2), (3, 1)),
    "points": Case((4, 5), [[0, 0], [3, 4], [3, 4], [2, 5], [-1, 1]], Numbers((), (0, 1), (), (), (0, 1), 1), (1, 1)),
    "points-first": Case((4, 5), [[0, 4, 9], [1, 3, 2]], Numbers((), (0, 1), (), (), (1, 0), 0), (1, 1)),
    "windows": Case((6, 7), [[0, 0], [1, 1], [4, 4], [5, 3]], Numbers((1, 2), (), (), (), (0, 1), 1), (2, 3)),
    "around": Case((6, 7), [[2, 0], [1, 1], [9, 4]], Numbers((0, 2), (), (), (), (1, 0), 1), (2, 3)),
    "one-component": Case((6, 4), [[2], [3], [-1]], Numbers((0, 1), (), (), (), (0,), 1), (2, 3)),
    "batching": Case(
        (3, 5, 2), [[[0], [1]], [[4], [4]], [[7], [2]]], Numbers((2,), (1,), (0,), (0,), (1,), 2), (1, 1, 2)
    ),
    "batching-last": Case((4, 3), [[[0, 3, 1], [2, 2, -1]]], Numbers((), (0,), (1,), (2,), (0,), 0), (1, 1)),
    "whole": Case((4,), 2, Numbers((), (0,), (), (), (0,), 0), (1,)),
    "no-indices": Case((5, 3), np.zeros((0, 1)), Numbers((1,), (0,), (), (), (0,), 1), (1, 3)),
    "no-components": Case((2, 3), np.zeros((2, 0)), Numbers((1, 2), (), (), (), (), 1), (2, 3)),
    "scalar": Case((), np.zeros((3, 0)), Numbers((), (), (), (), (), 1), ()),
    "empty-slices": Case((4, 3), [[0], [4], [5]], Numbers((1, 2), (), (), (), (0,), 1), (0, 3)),
    "no-batch": Case((0, 5), np.zeros((0, 2, 1)), Numbers((), (1,), (0,), (0,), (1,), 2), (1, 1)),
}
ROWS = CASES["rows"]

# Index types whose values reach beyond what the array, or the type of a machine index, holds.
EXTREMES: list[tuple[DType, tuple[int, ...], list[int]]] = [
    (dtypes.i8, (300,), [0, 127, -128, -1]),
    (dtypes.u8, (300,), [0, 200, 255]),
    (dtypes.u8, (200,), [0, 199, 200, 255]),
    (dtypes.i16, (5,), [-32768, 32767, 4, 5]),
    (dtypes.u16, (5,), [0, 65535, 4, 5]),
    (dtypes.i64, (5,), [-(2**63), 2**63 - 1, 2**32, 3]),
    (dtypes.u32, (5,), [2**32 - 1, 2**31, 4]),
    (dtypes.u64, (5,), [2**64 - 1, 2**63, 4]),
]
POINTS = Numbers((), (0,), (), (), (0,), 1)


def gathers() -> list[Sample]:
    found: list[Sample] = []
    for mode in ("clip", "fill"):
        for name, case in CASES.items():
            op = Gather(*case.numbers, mode, case.sizes)
            found.append(Sample(op, (draw(dtypes.f64, case.shape), case.array), f"{name}-{mode}", ulps=0))
        for dtype in REAL:
            if dtype != dtypes.f64:
                op, x = Gather(*ROWS.numbers, mode, ROWS.sizes), draw(dtype, ROWS.shape, -100, 100)
                found.append(Sample(op, (x, ROWS.array * 3 - 2), f"rows-{mode}-{dtype}", smooth=False, ulps=0))
        for dtype, shape, values in EXTREMES:
            operands = draw(dtypes.i32, shape, -99, 99), np.array(values, dtype.numpy)
            label = f"extremes-{mode}-{dtype}-{shape[0]}"
            found.append(Sample(Gather(*POINTS, mode, (1,)), operands, label, smooth=False, ulps=0))
    return found


def slices() -> list[Sample]:
    found: list[Sample] = []
    for name, shape, sizes, starts in (
        ("inside", (5, 6), (2, 3), (1, 2)),
        ("low", (5, 6), (2, 3), (-4, 2)),
        ("high", (5, 6), (2, 3), (4, 9)),
        ("whole", (2, 3), (2, 3), (1, 0)),
        ("one", (7,), (1,), (3,)),
        ("nothing", (4, 3), (0, 2), (2, 1)),
        ("empty", (0, 3), (0, 2), (2, 1)),
        ("scalar", (), (), ()),
    ):
        for dtype in (dtypes.i32, dtypes.i64, dtypes.i8):
            at = tuple(np.array(start, dtype.numpy) for start in starts)
            x, part = draw(dtypes.f64, shape), draw(dtypes.f64, sizes, 3, 4)
            found.append(Sample(DynamicSlice(sizes), (x, *at), f"{name}-{dtype}", ulps=0))
            found.append(Sample(DynamicUpdateSlice(), (x, part, *at), f"{name}-{dtype}", ulps=0))
    at = np.array(200, np.uint8), np.array(1, np.uint8)
    for dtype in REAL:
        x, part = draw(dtype, (300, 3), -9, 9), draw(dtype, (90, 2), -9, 9)
        found.append(Sample(DynamicSlice((90, 2)), (x, *at), f"types-{dtype}", smooth=False, ulps=0))
        found.append(Sample(DynamicUpdateSlice(), (x, part, *at), f"types-{dtype}", smooth=False, ulps=0))
    return found


def places(op: Indexed, x: Array, index: Array, sizes: tuple[int, ...], shape: tuple[int, ...]) -> dict[Any, Any]:
    """For every element of the slices its place in the array, None where its slice is left out.

    By the definition, and slice by slice.
    """
    lacking = (*op.collapsed_slice_dims, *op.operand_batching_dims)
    found: dict[Any, Any] = {}
    outer = [axis for axis in range(len(shape)) if axis not in op.offset_dims]
    for at in sorted(itertools.product(*map(range, shape)), key=lambda at: [at[axis] for axis in outer]):
        batch = [at[axis] for axis in outer]
        start = [0] * x.ndim
        for component, axis in enumerate(op.start_index_map):
            source = list(batch)
            if op.index_vector_dim < index.ndim:
                source.insert(op.index_vector_dim, component)
            start[axis] = int(index[tuple(source)])
        room = [n - size for n, size in zip(x.shape, sizes, strict=True)]
        if op.mode == "clip":
            start = [
                min(max(s, 0), r) if axis in op.start_index_map else s
                for axis, (s, r) in enumerate(zip(start, room, strict=True))
            ]
        fits = all(0 <= start[axis] <= room[axis] for axis in op.start_index_map)
        offsets = iter([at[axis] for axis in op.offset_dims])
        place = [s if axis in lacking else s + next(offsets) for axis, s in enumerate(start)]
        for axis, other in zip(op.operand_batching_dims, op.start_indices_batching_dims, strict=True):
            place[axis] = batch[other if other < op.index_vector_dim else other - 1]
        found[at] = tuple(place) if fits else None
    return found


def reference_gather(op: Gather, x: Array, index: Array) -> Any:
    sizes = tuple(n for n in op.slice_sizes if isinstance(n, int))
    numbers = op.numbers
    shape = Case(x.shape, np.zeros(index.shape), numbers, sizes).slices
    result = np.zeros(shape, x.dtype)
    for at, place in places(op, x, index, sizes, shape).items():
        if place is not None:
            result[at] = x[place]
    return result


def clamped(starts: tuple[Array, ...], sizes: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
    return [max(0, min(int(s), n - size)) for s, size, n in zip(starts, sizes, shape, strict=True)]


def reference_slice(op: DynamicSlice, x: Array, *starts: Array) -> Any:
    sizes = tuple(n for n in op.sizes if isinstance(n, int))
    begin = clamped(starts, sizes, x.shape)
    result = np.zeros(sizes, x.dtype)
    for at in itertools.product(*map(range, sizes)):
        result[at] = x[tuple(i + s for i, s in zip(at, begin, strict=True))]
    return result


def reference_update(op: DynamicUpdateSlice, x: Array, part: Array, *starts: Array) -> Any:
    begin = clamped(starts, part.shape, x.shape)
    result = x.copy()
    for at in itertools.product(*map(range, part.shape)):
        result[tuple(i + s for i, s in zip(at, begin, strict=True))] = part[at]
    return result


SAMPLES: list[Sample] = [*gathers(), *slices()]


def rows(mode: str = "clip", sizes: tuple[int, ...] = (1, 3), **changes: Any) -> Gather:
    return Gather(*ROWS.numbers._replace(**changes), mode, sizes)


X, AT = "f32[5, 3]", "i32[4, 1]"
BAD: list[Bad] = [
    Bad(rows(), (X,), ShapeError, "takes 2 operands and was given 1"),
    Bad(rows(), (X, "f32[4, 1]"), DTypeError, "indices are integers, not f32"),
    Bad(rows("drop"), (X, AT), AttributeValueError, "the mode is one of clip, fill, not drop"),
    Bad(rows(sizes=(1,)), (X, AT), ShapeError, r"slice_sizes \(1,\) has 1 entries for an array of rank 2"),
    Bad(rows(sizes=(1, 4)), (X, AT), ShapeError, "a slice of size 4 does not fit axis 1 of size 3"),
    Bad(rows(sizes=(2, 3)), (X, AT), ShapeError, "slices lack axis 0, so their size along it is 1, not 2"),
    Bad(rows(), (X, "i32[4, 2]"), ShapeError, "an index has 2 components, and start_index_map 1 entries"),
    Bad(rows(index_vector_dim=3), (X, AT), ShapeError, "index_vector_dim is 3; .* or their rank, 2"),
    Bad(rows(start_index_map=(2,)), (X, AT), ShapeError, "start_index_map: axis 2 is out of range for rank 2"),
    Bad(rows(collapsed_slice_dims=(0, 0)), (X, AT), ShapeError, r"collapsed_slice_dims \(0, 0\) has an axis twice"),
    Bad(rows(offset_dims=(2,)), (X, AT), ShapeError, r"offset_dims \(2,\) are not distinct axes, .* of rank 2"),
    Bad(rows(offset_dims=()), (X, AT), ShapeError, r"offset_dims \(\) has 0 entries for 1 axes that slices keep"),
    Bad(rows(operand_batching_dims=(1,)), (X, AT), ShapeError, r"batching axes \(1,\) .* and \(\) .* do not pair"),
    Bad(
        rows(operand_batching_dims=(1,), start_indices_batching_dims=(0,)),
        (X, AT),
        ShapeError,
        "batching axes 1 of the array and 0 of the indices have sizes 3 and 4",
    ),
    Bad(
        rows(operand_batching_dims=(1,), start_indices_batching_dims=(1,)),
        (X, AT),
        ShapeError,
        r"start_indices_batching_dims \(1,\) has index_vector_dim",
    ),
    Bad(
        rows(operand_batching_dims=(0,), start_indices_batching_dims=(0,)),
        ("f32[4, 3]", AT),
        ShapeError,
        "axis 0 is in operand_batching_dims and in collapsed_slice_dims",
    ),
    Bad(DynamicSlice((2, 3)), (), ShapeError, "needs an array"),
    Bad(DynamicSlice((2,)), (X, "i32[]", "i32[]"), ShapeError, r"sizes \[2\] for an array of rank 2"),
    Bad(DynamicSlice((2, 3)), (X, "i32[]"), ShapeError, "1 starts for an array of rank 2"),
    Bad(DynamicSlice((6, 3)), (X, "i32[]", "i32[]"), ShapeError, "a part of size 6 does not fit axis 0 of size 5"),
    Bad(DynamicSlice((2, 3)), (X, "i32[]", "i32[1]"), ShapeError, r"the start along axis 1 is a scalar, not i32\[1\]"),
    Bad(DynamicSlice((2, 3)), (X, "f32[]", "f32[]"), DTypeError, "integers of one type, not f32, f32"),
    Bad(DynamicSlice((2, 3)), (X, "i32[]", "i64[]"), DTypeError, "integers of one type, not i32, i64"),
    Bad(DynamicUpdateSlice(), (X,), ShapeError, "needs an array and a part"),
    Bad(DynamicUpdateSlice(), (X, "f64[1, 1]", "i32[]", "i32[]"), DTypeError, "the array is f32 and the part f64"),
    Bad(DynamicUpdateSlice(), (X, "f32[1]", "i32[]", "i32[]"), ShapeError, "rank 2 and the part 1"),
    Bad(DynamicUpdateSlice(), (X, "f32[2, 4]", "i32[]", "i32[]"), ShapeError, "size 4 does not fit axis 1 of size 3"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(rows(), ("f32[n, 3]", "i32[2*k, 1]"), ("f32[2*k, 3]",)),
    Symbolic(DynamicSlice((2, 3)), ("f32[n, 3]", "i32[]", "i32[]"), ("f32[2, 3]",)),
    Symbolic(DynamicUpdateSlice(), ("f32[n, 3]", "f32[1, m]", "i32[]", "i32[]"), ("f32[n, 3]",)),
]

REFERENCES: dict[type[Op], Reference] = {
    Gather: reference_gather,
    DynamicSlice: reference_slice,
    DynamicUpdateSlice: reference_update,
}
