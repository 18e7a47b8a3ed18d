"""Samples of scatters. Their geometry is that of the gathers'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import scatter as sca
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw
from tests.samples.index import CASES, EXTREMES, POINTS, ROWS, Case, places

KINDS = tuple(sca.KINDS.values())
ATOL = {dtypes.f64: 1e-13, dtypes.f32: 1e-5, dtypes.f16: 0.1, dtypes.bf16: 1.0}


def distinct(*shapes: tuple[int, ...]) -> list[Array]:
    """Arrays of numbers of which no two, in any of them, are nearer than a tenth; none is near 0."""
    sizes = [int(np.prod(shape, dtype=int)) for shape in shapes]
    values = np.random.default_rng(7).permutation(sum(sizes)) / 10 + 0.35
    values[::3] *= -1
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def made(op: type[sca.Scatter], case: Case, mode: str, dtype: DType, label: str, unique: bool = False) -> Sample:
    if dtype == dtypes.f64:
        x, updates = distinct(case.shape, case.slices)
    else:
        x, updates = draw(dtype, case.shape, -7, 7, seed=1), draw(dtype, case.slices, -7, 7, seed=2)
    smooth, label = dtype == dtypes.f64, f"{label}-{mode}-{dtype}{'-unique' if unique else ''}"
    operands = x, case.array, updates
    return Sample(op(*case.numbers, mode, unique), operands, label, smooth=smooth, atol=ATOL.get(dtype, 0))


def samples() -> Iterator[Sample]:
    once = ROWS._replace(indices=[[3], [0], [7]])
    for op in KINDS:
        # Where things are is the same for every kind, so the linear ones show it.
        for mode in ("clip", "drop") if op in (sca.ScatterSet, sca.ScatterAdd) else ("drop",):
            for name, case in CASES.items():
                yield made(op, case, mode, dtypes.f64, name)
            yield made(op, once, mode, dtypes.f64, "once", unique=True)
            for dtype, shape, values in EXTREMES if op is sca.ScatterAdd else ():
                x, updates = draw(dtypes.i32, shape, -99, 99), draw(dtypes.i32, (len(values),), -99, 99, seed=3)
                operands = x, np.array(values, dtype.numpy), updates
                label = f"extremes-{mode}-{dtype}-{shape[0]}"
                yield Sample(op(*POINTS, mode, False), operands, label, smooth=False)
        for dtype in REAL:
            if dtype != dtypes.f64 and (op is sca.ScatterSet or dtype != dtypes.bool_):
                yield made(op, ROWS._replace(indices=[[1], [4], [1], [6], [-3]]), "drop", dtype, "rows")
        many = np.random.default_rng(3).integers(0, 4, 40)
        operands = draw(dtypes.f64, (4,), 0.9, 1.1), many, draw(dtypes.f64, (40,), 0.9, 1.1, seed=1)
        smooth = op not in (sca.ScatterMin, sca.ScatterMax)
        yield Sample(op(*POINTS, "drop", False), operands, "many-of-one", smooth=smooth, atol=1e-12, ulps=16)
        special = np.array([1, np.nan, -np.inf, np.inf, 0.0, 2])
        at = np.array([0, 1, 2, 3, 4, 5, 0, 0])
        updates = np.array([np.nan, 1, np.inf, -np.inf, -0.0, 2, 3, 4])
        for dtype in (dtypes.f64, dtypes.f32, dtypes.bf16):
            operands = special.astype(dtype.numpy), at, updates.astype(dtype.numpy)
            yield Sample(op(*POINTS, "drop", False), operands, f"special-{dtype}", smooth=False)


def reference(combine: Callable[[Any, Any], Any]) -> Reference:
    """The updates in order, one by one."""

    def scatter(op: sca.Scatter, x: Array, index: Array, updates: Array) -> Any:
        window = iter(updates.shape[axis] for axis in op.offset_dims)
        lacking = (*op.collapsed_slice_dims, *op.operand_batching_dims)
        sizes = tuple(1 if axis in lacking else next(window) for axis in range(x.ndim))
        result = x.copy() if x.dtype.kind in "fb" else x.astype(object)
        for at, place in places(op, x, index, sizes, updates.shape).items():
            if place is not None:
                result[place] = combine(result[place], updates[at].item())
        return result

    return scatter


SAMPLES: list[Sample] = list(samples())

ROW = (*ROWS.numbers, "drop", False)
X, AT, U = "f32[5, 3]", "i32[4, 1]", "f32[4, 3]"
BAD: list[Bad] = [
    *(Bad(op(*ROW), (X, AT), ShapeError, "takes 3 operands and was given 2") for op in KINDS),
    *(Bad(op(*ROW), (X, AT, "f16[4, 3]"), DTypeError, "the array is f32 and the updates f16") for op in KINDS),
    Bad(sca.ScatterAdd(*ROW), ("bool[5, 3]", AT, "bool[4, 3]"), DTypeError, "numbers, not bool"),
    Bad(sca.ScatterSet(*ROW), (X, "f32[4, 1]", U), DTypeError, "indices are integers, not f32"),
    Bad(sca.ScatterSet(*ROWS.numbers, "fill", False), (X, AT, U), AttributeValueError, "one of clip, drop, not fill"),
    Bad(sca.ScatterSet(*ROW), (X, AT, "f32[4]"), ShapeError, "rank 1 for 1 axes of the indices and 1 of slices"),
    Bad(sca.ScatterSet(*ROW), (X, AT, "f32[7, 3]"), ShapeError, r"there are \[4\] indices and \[7\] updates"),
    Bad(sca.ScatterSet(*ROW), (X, AT, "f32[4, 9]"), ShapeError, "a slice of size 9 does not fit axis 1 of size 3"),
    Bad(
        sca.ScatterSet(*ROWS.numbers._replace(offset_dims=(0, 1)), "drop", False),
        (X, AT, "f32[1, 3, 4]"),
        ShapeError,
        "2 entries for 1 axes that slices keep",
    ),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(sca.ScatterAdd(*ROW), ("f32[n, 3]", "i32[k, 1]", "f32[k, 3]"), ("f32[n, 3]",)),
]

REFERENCES: dict[type[Op], Reference] = {
    sca.ScatterSet: reference(lambda old, new: new),
    sca.ScatterAdd: reference(lambda old, new: old + new),
    sca.ScatterMul: reference(lambda old, new: old * new),
    sca.ScatterMin: reference(lambda old, new: old if old != old or old < new else new),
    sca.ScatterMax: reference(lambda old, new: old if old != old or old > new else new),
}
