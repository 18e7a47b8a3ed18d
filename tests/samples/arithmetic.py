"""Samples of elementwise arithmetic."""

from __future__ import annotations

import cmath
import math

import numpy as np

from rosin.ir import dtypes
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import arithmetic as ar
from tests.samples import (
    Array,
    Bad,
    Reference,
    Sample,
    Symbolic,
    draw,
    elementwise_bad,
    elementwise_samples,
    in_python,
    raw,
)

NEAR = (-2.0, 2.0)
POSITIVE = (0.5, 3.0)
EXACT: list[tuple[Elementwise, tuple[tuple[float, float], ...]]] = [
    (ar.Add(), (NEAR, NEAR)),
    (ar.Sub(), (NEAR, NEAR)),
    (ar.Mul(), (NEAR, NEAR)),
    (ar.Div(), (NEAR, POSITIVE)),
    (ar.Neg(), (NEAR,)),
    (ar.Abs(), ((0.1, 3.0),)),
    (ar.Sign(), ((-3.0, -0.1),)),
    (ar.Floor(), ((1.1, 1.9),)),
    (ar.Ceil(), ((-1.9, -1.1),)),
    (ar.Round(), ((0.6, 1.4),)),
    (ar.Trunc(), ((-2.9, -2.1),)),
    (ar.FloorDivide(), ((7.1, 8.9), (-2.3, -2.3001))),
    (ar.Remainder(), ((7.1, 8.9), (-2.3, -2.3001))),
    (ar.Maximum(), ((-1.0, 0.9), (1.0, 2.0))),
    (ar.Minimum(), ((-1.0, 0.9), (1.0, 2.0))),
    (ar.Clamp(), ((-1.0, -0.5), (-3.0, 3.0), (0.5, 1.0))),
]

WHOLE = np.array([-7, -6, -1, 0, 1, 5, 6, 7, 7, -7])
DIVISORS = np.array([2, -2, 3, 3, -3, -5, 3, -2, 7, -7])

SAMPLES: list[Sample] = [
    *(s for op, bounds in EXACT for s in elementwise_samples(op, *bounds, ulps=0)),
    Sample(ar.Mul(), (draw(dtypes.f64, (2, 3)),) * 2, "square"),
    Sample(ar.Maximum(), (draw(dtypes.f64, (4,), 1, 2), draw(dtypes.f64, (4,), -2, -1)), "first", ulps=0),
    Sample(ar.Minimum(), (draw(dtypes.f64, (4,), 1, 2), draw(dtypes.f64, (4,), -2, -1)), "second", ulps=0),
    Sample(
        ar.FloorDivide(), (draw(dtypes.f64, (4,), 7.1, 8.9), draw(dtypes.f64, (4,), 2.3, 2.301)), "positive", ulps=0
    ),
    Sample(ar.Remainder(), (draw(dtypes.f64, (4,), 9.3, 11.4), draw(dtypes.f64, (4,), 2.3, 2.301)), "positive", ulps=0),
    *(
        Sample(op, (WHOLE.astype(dtype), DIVISORS.astype(dtype)), f"signs-{np.dtype(dtype)}", smooth=False, ulps=0)
        for op in (ar.FloorDivide(), ar.Remainder())
        for dtype in (np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64)
    ),
    *(
        Sample(op, (np.arange(-6, 7).astype(np.float64) / 2,), "halves", smooth=False, ulps=0)
        for op in (ar.Floor(), ar.Ceil(), ar.Round(), ar.Trunc())
    ),
    *elementwise_samples(ar.NextAfter(), NEAR, NEAR, ulps=0, smooth=False),
]

BAD: list[Bad] = [bad for op, _ in EXACT for bad in elementwise_bad(op)] + elementwise_bad(ar.NextAfter())

SYMBOLIC: list[Symbolic] = []


def _ratio(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return math.copysign(math.inf, x) * math.copysign(1, y) if x and x == x else math.nan


def _quotient(x: float, y: float) -> float:
    """Python's `//`, with NumPy's meaning where Python refuses."""
    if isinstance(x, int):
        return x // y if y else 0
    return x // y if y and math.isfinite(x) else _ratio(x, y) if y == 0 else math.nan


def _modulus(x: float, y: float) -> float:
    if isinstance(x, int):
        return x % y if y else 0
    return x % y if y != 0 and math.isfinite(x) else math.nan


def _sign(x: complex) -> complex:
    if isinstance(x, complex):
        if cmath.isnan(x) or (math.isinf(x.real) and math.isinf(x.imag)):
            return complex(math.nan, math.nan)
        if cmath.isinf(x):
            return complex(*(math.copysign(math.isinf(part), part) for part in (x.real, x.imag)))
        return x / 4 / abs(x / 4) if x / 4 else x / abs(x) if x else x
    return x if x != x or x == 0 else 1 if x > 0 else -1


def _rounded(x: float) -> float:
    return float(round(x)) if math.isfinite(x) else x


def _whole(function: object) -> Reference:
    """A reference from math.floor and its kin, which refuse infinities."""
    return in_python(lambda x: float(function(x)) if math.isfinite(x) else x)  # type: ignore[operator]


def _greater(x: float, y: float) -> float:
    return x + y if x != x or y != y else max(x, y)


def _smaller(x: float, y: float) -> float:
    return x + y if x != x or y != y else min(x, y)


def _magnitude(op: Op, x: Array) -> Array:
    if np.iscomplexobj(x):
        return np.hypot(x.real.astype(np.longdouble), x.imag.astype(np.longdouble))
    return in_python(lambda v: math.fabs(v) if isinstance(v, float) else max(v, -v))(op, x)


@raw
def _neighbour(op: Op, x: Array, y: Array) -> Array:
    """The next number of the type, by counting its bit pattern up or down."""
    integer = np.dtype(f"i{x.itemsize}").type

    def one(a: np.floating, b: np.floating) -> np.floating:
        if np.isnan(a) or np.isnan(b):
            return a + b
        if a == b:
            return b
        if a == 0:
            return np.copysign(np.array(1, integer).view(x.dtype)[()], b)
        away = (b > a) == (a > 0)
        return (a.view(integer) + integer(1 if away else -1)).view(x.dtype)

    flat = [one(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    return np.array(flat, x.dtype).reshape(x.shape)


REFERENCES: dict[type[Op], Reference] = {
    ar.Add: in_python(lambda x, y: x + y),
    ar.Sub: in_python(lambda x, y: x - y),
    ar.Mul: in_python(lambda x, y: x * y),
    ar.Div: in_python(_ratio),
    ar.Neg: in_python(lambda x: -x),
    ar.Abs: _magnitude,
    ar.Sign: in_python(_sign),
    ar.Floor: _whole(math.floor),
    ar.Ceil: _whole(math.ceil),
    ar.Round: in_python(_rounded),
    ar.Trunc: _whole(math.trunc),
    ar.FloorDivide: in_python(_quotient),
    ar.Remainder: in_python(_modulus),
    ar.Maximum: in_python(_greater),
    ar.Minimum: in_python(_smaller),
    ar.Clamp: in_python(lambda low, x, high: _smaller(_greater(x, low), high)),
    ar.NextAfter: _neighbour,
}
