"""Samples of reductions."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import reduce as red
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw, special_values

NUMERIC: tuple[type[red.Reduction], ...] = (red.Sum, red.Prod, red.Max, red.Min)
LOGICAL: tuple[type[red.Reduction], ...] = (red.Any_, red.All)
PLACES: tuple[type[red.ArgExtremum], ...] = (red.ArgMax, red.ArgMin)
AXES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((), ()),
    ((5,), ()),
    ((5,), (0,)),
    ((3, 4), (0,)),
    ((3, 4), (1,)),
    ((3, 1, 5), (0, 2)),
    ((2, 3, 4), (1,)),
    ((2, 3, 2), (0, 1, 2)),
    ((2, 1, 3), (1,)),
)
EMPTY: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (((0,), (0,)), ((3, 0), (1,)), ((2, 0, 3), (0, 1)))
EMPTY_RESULT: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (((0, 3), (1,)), ((2, 0, 3), (0, 2)))


def _make(op: type[red.Reduction], axes: tuple[int, ...]) -> red.Reduction:
    return op(axes)  # type: ignore[call-arg]  # each concrete reduction declares its axes


def _at(op: type[red.ArgExtremum], axis: int) -> red.ArgExtremum:
    return op(axis)  # type: ignore[call-arg]  # each concrete op declares its axis


def _sample(op: Op, x: Array, label: str = "", **options: Any) -> Sample:
    """Sums of up to a few hundred numbers of magnitude 2 or less may differ by the order of summation."""
    dtype = dtypes.from_numpy(x.dtype)
    slack = {64: 1e-13, 32: 1e-5, 16: 0.05}[dtype.bits] if dtype.is_float and isinstance(op, red.Sum) else 0.0
    ulps = 8 if isinstance(op, red.Sum | red.Prod) else 0
    shape = f"{dtype}{list(x.shape)}-{'.'.join(map(str, op.attributes().values()))}"
    return Sample(op, (x,), label or shape, ulps=ulps, rtol=16 * 2.0**-52, atol=slack, **options)


def _zeros(*places: int) -> Array:
    """Six numbers of which some are 0."""
    x = draw(dtypes.f64, (6,), 0.5, 2)
    x[list(places)] = 0
    return x


def _ties(dtype: DType) -> Array:
    return np.array([[1, 3, 3, 2], [2, 2, 2, 2], [3, 0, 0, 3]]).astype(dtype.numpy)


def _with_nan(dtype: DType) -> Array:
    x = draw(dtype, (4, 5))
    x[0, 2] = x[1, 0] = x[2, 4] = x[2, 1] = np.nan
    return x


FLOATS = [dtype for dtype in REAL if dtype.is_float]
NUMBERS = [dtype for dtype in REAL if dtype != dtypes.bool_]

SAMPLES: list[Sample] = [
    *(_sample(_make(op, axes), draw(dtypes.f64, shape)) for op in NUMERIC for shape, axes in (*AXES, *EMPTY_RESULT)),
    *(_sample(_make(op, (0,)), draw(t, (3, 5)), smooth=False) for op in NUMERIC for t in NUMBERS if t != dtypes.f64),
    *(_sample(_make(op, axes), draw(dtypes.f64, shape)) for op in (red.Sum, red.Prod) for shape, axes in EMPTY),
    *(_sample(_make(op, axes), draw(dtypes.bool_, shape)) for op in LOGICAL for shape, axes in (*AXES, *EMPTY)),
    *(_sample(_make(op, (0,)), np.full(4, value), f"all-{value}") for op in LOGICAL for value in (False, True)),
    # Integers wrap around; infinities of both signs sum to NaN; so do an infinity and 0 multiplied.
    *(
        _sample(_make(op, (0,)), special_values(dtype)[part], f"special-{dtype}-{name}", smooth=False)
        for op in NUMERIC
        for dtype in NUMBERS
        for name, part in (("all", slice(None)), ("tail", slice(2, 5)), ("ends", slice(0, 1)))
    ),
    *(_sample(red.Sum((0,)), np.full(40, value, "f2"), f"f16-of-{value}", smooth=False) for value in (0.1, 1000, 3000)),
    *(_sample(red.Prod((0,)), _zeros(*places), f"zeros-{places}") for places in ((2,), (0,), (5,), (1, 4), (0, 1, 2))),
    _sample(red.Prod((0, 2)), draw(dtypes.f64, (2, 3, 2)) * (np.arange(12) % 5 > 0).reshape(2, 3, 2), "zeros-3d"),
    *(_sample(_make(op, (1,)), _ties(t), f"ties-{t}", smooth=False) for op in (red.Max, red.Min) for t in NUMBERS),
    *(_sample(_make(op, (1,)), _with_nan(t), f"nan-{t}", smooth=False) for op in NUMERIC for t in FLOATS),
    *(_sample(_at(op, axis), draw(dtypes.f64, (3, 1, 5))) for op in PLACES for axis in range(3)),
    *(_sample(_at(op, 0), draw(dtypes.f64, (n,))) for op in PLACES for n in (1, 33)),
    *(_sample(_at(op, 1), draw(dtypes.f64, (0, 3))) for op in PLACES),
    *(_sample(_at(op, 1), draw(t, (3, 7)), smooth=False) for op in PLACES for t in REAL),
    *(_sample(_at(op, 1), _ties(t), f"ties-{t}", smooth=False) for op in PLACES for t in REAL),
    *(_sample(_at(op, 1), _with_nan(t), f"nan-{t}", smooth=False) for op in PLACES for t in FLOATS),
    *(
        _sample(_at(op, 0), np.full(5, value, t.numpy), f"same-{value}-{t}", smooth=False)
        for op in PLACES
        for t in FLOATS
        for value in (np.inf, -np.inf, np.nan)
    ),
    *(_sample(_at(op, 0), np.full(5, value, np.int8), f"same-{value}") for op in PLACES for value in (-128, 0, 127)),
]

BAD: list[Bad] = [
    *(Bad(_make(op, (0,)), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2") for op in NUMERIC),
    *(Bad(_make(op, (0,)), ("bool[3]",), DTypeError, "takes .*, not bool") for op in NUMERIC),
    *(Bad(_make(op, (0,)), ("i32[3]",), DTypeError, "takes bool, not i32") for op in LOGICAL),
    *(Bad(_make(op, (2,)), ("f32[3, 4]",), ShapeError, "axis 2 is out of range for rank 2") for op in NUMERIC),
    *(Bad(_make(op, (-1,)), ("bool[3, 4]",), ShapeError, "axis -1 is out of range for rank 2") for op in LOGICAL),
    *(Bad(_make(op, (1, 0)), ("f32[3, 4]",), ShapeError, "not distinct and in order") for op in NUMERIC),
    *(Bad(_make(op, (1, 1)), ("bool[3, 4]",), ShapeError, "not distinct and in order") for op in LOGICAL),
    *(Bad(_make(op, (1,)), ("f32[3, 0]",), ShapeError, "axis 1 has no elements") for op in (red.Max, red.Min)),
    *(Bad(_at(op, 1), ("f32[3, 0]",), ShapeError, "axis 1 has no elements") for op in PLACES),
    *(Bad(_at(op, 2), ("f32[3, 4]",), ShapeError, "axis 2 is out of range for rank 2") for op in PLACES),
    *(Bad(_at(op, 0), ("f32[3]", "f32[3]"), ShapeError, "takes 1 operands and was given 2") for op in PLACES),
]

SYMBOLIC: list[Symbolic] = [
    *(Symbolic(_make(op, (1,)), ("f32[n, m, 3]",), ("f32[n, 3]",)) for op in NUMERIC),
    *(Symbolic(_make(op, (0, 2)), ("bool[n, 2*m, 3]",), ("bool[2*m]",)) for op in LOGICAL),
    *(Symbolic(_at(op, 0), ("f32[n, m + 1]",), ("i64[m + 1]",)) for op in PLACES),
]


def _over_axes(combine: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A reference that combines lists of Python numbers."""

    def reference(op: Op, x: Array) -> Array:
        assert isinstance(op, red.Reduction)
        kept = [axis for axis in range(x.ndim) if axis not in op.axes]
        lines = x.transpose([*kept, *op.axes]).reshape(
            *(x.shape[axis] for axis in kept), -1 if x.size else _count(op, x)
        )
        found = np.empty(lines.shape[:-1], object)
        for place in np.ndindex(found.shape):
            found[place] = combine(lines[place].tolist())
        return found

    return reference


def _count(op: red.Reduction, x: Array) -> int:
    return math.prod(x.shape[axis] for axis in op.axes)


def _sum(values: list[Any]) -> Any:
    """math.fsum, where it takes what it is given; it refuses infinities of both signs."""
    if any(isinstance(v, float) and not math.isfinite(v) for v in values):
        return functools.reduce(operator.add, values)
    return math.fsum(values) if any(isinstance(v, float) for v in values) else sum(values)


def _extreme(better: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], Any]:
    def choose(values: Sequence[Any]) -> Any:
        return values[_place(better)(values)]

    return choose


def _place(better: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], int]:
    """The first place of the extreme; a NaN is more extreme than any number."""

    def find(values: Sequence[Any]) -> int:
        best = 0
        for place, value in enumerate(values):
            if values[best] == values[best] and (value != value or better(value, values[best])):
                best = place
        return best

    return find


def _along_axis(find: Callable[[Sequence[Any]], int]) -> Callable[..., Any]:
    def reference(op: Op, x: Array) -> Array:
        assert isinstance(op, red.ArgExtremum)
        lines = np.moveaxis(x, op.axis, -1)
        found = np.empty(lines.shape[:-1], object)
        for place in np.ndindex(found.shape):
            found[place] = find(lines[place].tolist())
        return found

    return reference


REFERENCES: dict[type[Op], Reference] = {
    red.Sum: _over_axes(_sum),
    red.Prod: _over_axes(lambda values: functools.reduce(operator.mul, values, 1)),
    red.Max: _over_axes(_extreme(operator.gt)),
    red.Min: _over_axes(_extreme(operator.lt)),
    red.Any_: _over_axes(any),
    red.All: _over_axes(all),
    red.ArgMax: _along_axis(_place(operator.gt)),
    red.ArgMin: _along_axis(_place(operator.lt)),
}
