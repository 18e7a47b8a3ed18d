"""Samples of sorting, and of the greatest elements."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import sort
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw, raw, special_values

OPS: tuple[type[sort.Sorting], ...] = (sort.Sort, sort.ArgSort)
SHAPES = ((1,), (2,), (7,), (3, 5), (2, 2, 9), (3, 1), (0,), (2, 0), (0, 3), (20,), (2, 65), (300,))
FLOATS = (dtypes.f16, dtypes.bf16, dtypes.f32, dtypes.f64)
NAN, INF = np.nan, np.inf
TIES = [0.0, -0.0, NAN, 1.0, -INF, 0.0, -NAN, INF, -0.0, 1.0, NAN, -1.0, -0.0]


def _sample(op: sort.Sorting, x: Array, label: str = "", smooth: bool = False) -> Sample:
    name = label or "-".join(map(str, (x.dtype, *x.shape)))
    return Sample(op, (x,), name + ("-descending" if op.descending else ""), smooth=smooth)


def _make(op: type[sort.Sorting]) -> Sequence[sort.Sorting]:
    return [op(descending) for descending in (False, True)]


SAMPLES: list[Sample] = [
    *(
        # Neighbours in order stay apart by more than the step of a difference.
        _sample(made, draw(dtypes.f64, shape, -40, 40), smooth=True)
        for op in OPS
        for shape in SHAPES
        for made in _make(op)
    ),
    *(
        _sample(made, draw(dtype, (3, length)), f"{dtype}-{length}")
        for op in OPS
        for dtype in REAL
        for length in (6, 200)
        for made in _make(op)
    ),
    *(
        _sample(made, special_values(dtype), f"special-{dtype}")
        for op in OPS
        for dtype in REAL
        if dtype.is_float or dtype.is_integer
        for made in _make(op)
    ),
    *(
        _sample(made, np.array(TIES * times, dtype.numpy), f"ties-{dtype}-{times}")
        for op in OPS
        for dtype in FLOATS
        for times in (1, 30)
        for made in _make(op)
    ),
]


def _greatest(count: int, x: Array, label: str = "") -> Sample:
    return Sample(sort.TopK(count), (x,), f"{count}-of-{label or '-'.join(map(str, (x.dtype, *x.shape)))}")


SAMPLES += [
    # Lines that are looked at as a whole, in blocks, and in blocks and a rest.
    *(
        _greatest(count, draw(dtypes.f32, shape, -40, 40))
        for count, shape in (
            (1, (1,)),
            (3, (3,)),
            (2, (2, 0, 7)),
            (1, (3, 5)),
            (7, (2, 2, 9)),
            (40, (2, 41)),
            (1, (2, 600)),
            (3, (2, 5000)),
        )
    ),
    *(_greatest(count, draw(dtype, (3, 2000))) for dtype in REAL for count in (2, 100)),
    *(_greatest(count, special_values(dtype), f"special-{dtype}") for dtype in FLOATS for count in (1, 8)),
    *(
        _greatest(5, np.array(TIES * times, dtype.numpy), f"ties-{dtype}-{times}")
        for dtype in FLOATS
        for times in (1, 90)
    ),
    # The greatest ones come last, and all are the same.
    *(_greatest(9, np.arange(3000, dtype=dtype.numpy), f"rising-{dtype}") for dtype in (dtypes.i32, dtypes.i64)),
    _greatest(9, np.zeros((2, 3000), np.int16), "alike"),
]

BAD: list[Bad] = [
    Bad(sort.TopK(3), ("f32[4, 2]",), ShapeError, "an axis of 2 elements has no 3 greatest"),
    Bad(sort.TopK(0), ("f32[4]",), ShapeError, "an axis of 4 elements has no 0 greatest"),
    Bad(sort.TopK(1), ("c64[3]",), DTypeError, "c64 has no order"),
    *(
        bad
        for op in OPS
        for bad in (
            Bad(op(False), ("f32[]",), ShapeError, "a scalar has no axis"),
            Bad(op(False), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2"),
            Bad(op(False), ("c64[3]",), DTypeError, "c64 has no order"),
            Bad(op(True), ("i8[2, 3000000000]",), ShapeError, "an axis of 3000000000 elements is longer"),
        )
    ),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(sort.Sort(False), ("f32[n, m]",), ("f32[n, m]",)),
    Symbolic(sort.ArgSort(True), ("f32[n, m]",), ("i32[n, m]",)),
    Symbolic(sort.TopK(2), ("f32[n, m + 2]",), ("i32[n, 2]",)),
]


def _before(x: Any, y: Any) -> int:
    """The order of two numbers, NaNs being the greatest."""
    if x != x or y != y:
        return int(x != x) - int(y != y)
    return int(x > y) - int(x < y)


def _places(op: Op, x: Array) -> Array:
    """Python's own sort, line by line."""
    sign = -1 if not isinstance(op, sort.Sorting) or op.descending else 1
    result = np.zeros(x.shape, np.int64)
    for line in itertools.product(*map(range, x.shape[:-1])):
        numbers: list[Any] = x[line].tolist()
        before = functools.cmp_to_key(lambda i, j, n=numbers: sign * _before(n[i], n[j]))
        result[line] = sorted(range(len(numbers)), key=before)
    return result


@raw
def _sorted(op: Op, x: Array) -> Array:
    return np.take_along_axis(x, _places(op, x), -1)


def _first(op: Op, x: Array) -> Array:
    assert isinstance(op, sort.TopK)
    return _places(op, x)[..., : op.count]


REFERENCES: dict[type[Op], Reference] = {sort.Sort: _sorted, sort.ArgSort: raw(_places), sort.TopK: raw(_first)}
