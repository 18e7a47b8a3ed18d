"""Samples of running combinations."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import cumulative as cum
from tests.samples import REAL, Array, Bad, Reference, Sample, Symbolic, draw, special_values

UNARY: tuple[type[cum.Cumulative], ...] = (cum.CumSum, cum.CumProd, cum.CumMax, cum.CumMin, cum.CumLogSumExp)
LINES: tuple[tuple[tuple[int, ...], int], ...] = (
    ((1,), 0),
    ((7,), 0),
    ((3, 4), 0),
    ((3, 4), 1),
    ((2, 3, 2), 1),
    ((2, 1, 3), 1),
    ((0,), 0),
    ((2, 0), 1),
    ((0, 3), 1),
)
FLOATS = [dtype for dtype in REAL if dtype.is_float]
LINEAR = cum.LinearRecurrence(0, False)


def _make(op: type[cum.Cumulative], axis: int, reverse: bool) -> cum.Cumulative:
    return op(axis, reverse)  # type: ignore[call-arg]  # each concrete op declares both


def _sample(op: cum.Cumulative, *operands: Array, label: str = "", smooth: bool = True) -> Sample:
    dtype = dtypes.from_numpy(operands[0].dtype)
    slack = {64: 1e-14, 32: 5e-6, 16: 0.02}[dtype.bits] if dtype.is_float else 0.0
    name = label or f"{dtype}{list(operands[0].shape)}"
    name += f"-axis{op.axis}" + ("-reverse" if op.reverse else "")
    return Sample(op, operands, name, smooth=smooth, ulps=16, atol=slack, rtol=32 * 2.0**-52)


def _zeros(*places: int) -> Array:
    x = draw(dtypes.f64, (6,), 0.5, 2)
    x[list(places)] = 0
    return x


INFINITE = [
    [-np.inf, -np.inf, 0.5, -np.inf, 1.0],
    [0.5, np.inf, 1.0, np.inf, -np.inf],
    [-np.inf] * 5,
    [np.inf] * 5,
    [1000.0, 1001.0, -1000.0, 999.0, 0.0],
    [-1000.0, -1001.0, -999.0, 0.0, 800.0],
    [0.5, np.nan, 1.0, np.inf, -np.inf],
]

SAMPLES: list[Sample] = [
    *(
        _sample(_make(op, axis, reverse), draw(dtypes.f64, shape))
        for op in UNARY
        for shape, axis in LINES
        for reverse in (False, True)
    ),
    *(
        _sample(_make(op, 1, reverse), draw(dtype, (2, 5)), smooth=False)
        for op in UNARY
        for dtype in REAL
        if dtype != dtypes.f64 and dtype in op.accepts
        for reverse in (False, True)
    ),
    *(
        _sample(_make(op, 0, reverse), special_values(dtype), label=f"special-{dtype}", smooth=False)
        for op in UNARY
        for dtype in REAL
        if dtype in op.accepts
        for reverse in (False, True)
    ),
    *(_sample(_make(op, 0, False), draw(dtypes.f32, (67,)), smooth=False) for op in UNARY),
    *(
        _sample(cum.CumProd(0, reverse), _zeros(*places), label=f"zeros-{places}")
        for places in ((2,), (0,), (5,), (1, 4), (0, 1, 2))
        for reverse in (False, True)
    ),
    *(
        _sample(_make(op, 1, reverse), np.array([[1, 1, 3, 2, 3], [2, 0, 0, 1, 0]], dtype), label="ties", smooth=False)
        for op in (cum.CumMax, cum.CumMin)
        for dtype in "dl"
        for reverse in (False, True)
    ),
    *(
        _sample(_make(op, 1, False), np.array(INFINITE), label="infinite", smooth=False)
        for op in (cum.CumLogSumExp, cum.CumMax, cum.CumMin)
    ),
    _sample(cum.CumLogSumExp(0, False), draw(dtypes.f64, (9,), -300, 300), label="wide"),
    *(
        _sample(cum.LinearRecurrence(axis, reverse), draw(dtypes.f64, shape, seed=1), draw(dtypes.f64, shape, seed=2))
        for shape, axis in LINES
        for reverse in (False, True)
    ),
    *(
        _sample(cum.LinearRecurrence(0, reverse), draw(t, (5, 3), -1, 1, seed=1), draw(t, (5, 3), seed=2), smooth=False)
        for t in FLOATS
        if t != dtypes.f64
        for reverse in (False, True)
    ),
    _sample(LINEAR, _zeros(1, 3), draw(dtypes.f64, (6,)), label="zeros"),
    _sample(LINEAR, np.full(5, 0.5), np.array([1, np.inf, 2, np.nan, 3]), label="special", smooth=False),
]

BAD: list[Bad] = [
    *(Bad(_make(op, 0, False), ("f32[3]",) * 2, ShapeError, "takes 1 operands and was given 2") for op in UNARY),
    *(Bad(_make(op, 0, False), ("bool[3]",), DTypeError, "takes .*, not bool") for op in UNARY),
    *(Bad(_make(op, 1, False), ("f32[3]",), ShapeError, "axis 1 is out of range for rank 1") for op in UNARY),
    *(Bad(_make(op, -1, True), ("f32[3]",), ShapeError, "axis -1 is out of range for rank 1") for op in UNARY),
    Bad(cum.CumLogSumExp(0, False), ("i32[3]",), DTypeError, "takes .*, not i32"),
    Bad(LINEAR, ("f32[3]",), ShapeError, "takes 2 operands and was given 1"),
    Bad(LINEAR, ("f32[3]", "f64[3]"), DTypeError, "dtypes f32 and f64"),
    Bad(LINEAR, ("f32[3]", "f32[4]"), ShapeError, r"shapes \[3\] and \[4\]"),
    Bad(LINEAR, ("i32[3]", "i32[3]"), DTypeError, "takes .*, not i32"),
]

SYMBOLIC: list[Symbolic] = [
    *(Symbolic(_make(op, 1, False), ("f32[n, 2*m]",), ("f32[n, 2*m]",)) for op in UNARY),
    Symbolic(LINEAR, ("f32[n, m]", "f32[n, m]"), ("f32[n, m]",)),
]


def _prefixes(combine: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A reference that combines each prefix of a line, as a list of Python numbers, by itself."""

    def reference(op: Op, *operands: Array) -> Array:
        assert isinstance(op, cum.Cumulative)
        lines = [np.moveaxis(x, op.axis, -1) for x in operands]
        found = np.empty(lines[0].shape, object)
        for place in np.ndindex(found.shape[:-1]):
            line: Iterable[Any] = lines[0][place].tolist()
            if len(lines) > 1:
                line = list(zip(*(x[place].tolist() for x in lines), strict=True))
            line = list(line)[::-1] if op.reverse else list(line)
            values = [combine(line[: k + 1]) for k in range(len(line))]
            for k, value in enumerate(values[::-1] if op.reverse else values):
                found[(*place, k)] = value
        return np.moveaxis(found, -1, op.axis)

    return reference


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    return lambda values: math.nan if any(v != v for v in values) else choose(values)


def _logsumexp(values: list[float]) -> float:
    top = _extreme(max)(values)
    if not math.isfinite(top):
        return top
    return top + math.log(math.fsum(math.exp(v - top) for v in values))


def _recurrence(pairs: list[tuple[float, float]]) -> float:
    """The closed form: Σᵢ bᵢ times the product of the factors after i."""
    factors = [a for a, _ in pairs]
    return functools.reduce(operator.add, (b * math.prod(factors[i + 1 :]) for i, (_, b) in enumerate(pairs)), 0.0)


REFERENCES: dict[type[Op], Reference] = {
    cum.CumSum: _prefixes(lambda values: list(itertools.accumulate(values))[-1]),
    cum.CumProd: _prefixes(lambda values: functools.reduce(operator.mul, values)),
    cum.CumMax: _prefixes(_extreme(max)),
    cum.CumMin: _prefixes(_extreme(min)),
    cum.CumLogSumExp: _prefixes(_logsumexp),
    cum.LinearRecurrence: _prefixes(_recurrence),
}
