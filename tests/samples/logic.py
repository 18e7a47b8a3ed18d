"""Samples of comparisons, logic, shifts, selection and questions."""

from __future__ import annotations

import cmath
import operator

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import logic
from tests.samples import (
    REAL,
    SHAPES,
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
    special_values,
)

LOW, HIGH = (-2.0, -0.5), (0.5, 2.0)
COMPARISONS: tuple[Elementwise, ...] = (
    logic.Equal(),
    logic.NotEqual(),
    logic.Less(),
    logic.LessEqual(),
    logic.Greater(),
    logic.GreaterEqual(),
)
BITWISE: tuple[Elementwise, ...] = (logic.And(), logic.Or(), logic.Xor())
SHIFTS: tuple[Elementwise, ...] = (logic.ShiftLeft(), logic.ShiftRight())
QUESTIONS: tuple[Elementwise, ...] = (logic.IsFinite(), logic.IsNan())


def _choices(dtype: DType, shape: tuple[int, ...], label: str = "") -> Sample:
    x, y = (draw(dtype, shape, seed=seed) for seed in (1, 2))
    return Sample(logic.Select(), (draw(dtypes.bool_, shape), x, y), label, smooth=dtype == dtypes.f64, ulps=0)


def _special_choice(dtype: DType) -> Sample:
    x = special_values(dtype)
    return Sample(logic.Select(), (np.arange(len(x)) % 2 == 0, x, x[::-1].copy()), f"special-{dtype}", False, ulps=0)


SAMPLES: list[Sample] = [
    *(s for op in COMPARISONS for s in elementwise_samples(op, LOW, HIGH, ulps=0)),
    *(s for op in BITWISE for s in elementwise_samples(op, LOW, HIGH)),
    *elementwise_samples(logic.Not(), HIGH),
    # The special values of the second operand include counts that are negative and counts beyond the width.
    *(s for op in SHIFTS for s in elementwise_samples(op, LOW, HIGH, integers=((-9, 9), (0, 7)))),
    *(s for op in QUESTIONS for s in elementwise_samples(op, HIGH)),
    *(_choices(dtypes.f64, shape) for shape in SHAPES),
    *(_choices(dtype, (7,)) for dtype in REAL if dtype != dtypes.f64),
    *(_special_choice(dtype) for dtype in REAL),
]

SELECT = logic.Select()
BAD: list[Bad] = [
    *(bad for op in (*COMPARISONS, *BITWISE, logic.Not(), *SHIFTS, *QUESTIONS) for bad in elementwise_bad(op)),
    Bad(SELECT, ("bool[3]", "f32[3]"), ShapeError, "takes 3 operands and was given 2"),
    Bad(SELECT, ("i32[3]", "f32[3]", "f32[3]"), DTypeError, "the condition is bool, not i32"),
    Bad(SELECT, ("bool[3]", "f32[3]", "f64[3]"), DTypeError, "choices have dtypes f32 and f64"),
    Bad(SELECT, ("bool[3]", "f32[3]", "f32[4]"), ShapeError, "axis 0 has sizes 3 and 4"),
    Bad(SELECT, ("bool[]", "f32[3]", "f32[3]"), ShapeError, "ranks 0 and 1"),
]

SYMBOLIC: list[Symbolic] = []


@raw
def _shift_left(op: Op, x: Array, y: Array) -> Array:
    bits = x.itemsize * 8
    return in_python(lambda v, n: v << n if 0 <= n < bits else 0)(op, x, y)


@raw
def _shift_right(op: Op, x: Array, y: Array) -> Array:
    bits = x.itemsize * 8
    return in_python(lambda v, n: v >> (n if 0 <= n < bits else bits))(op, x, y)


REFERENCES: dict[type[Op], Reference] = {
    logic.Equal: in_python(operator.eq),
    logic.NotEqual: in_python(operator.ne),
    logic.Less: in_python(operator.lt),
    logic.LessEqual: in_python(operator.le),
    logic.Greater: in_python(operator.gt),
    logic.GreaterEqual: in_python(operator.ge),
    logic.And: in_python(operator.and_),
    logic.Or: in_python(operator.or_),
    logic.Xor: in_python(operator.xor),
    logic.Not: in_python(lambda x: not x if isinstance(x, bool) else ~x),
    logic.ShiftLeft: _shift_left,
    logic.ShiftRight: _shift_right,
    logic.IsFinite: in_python(cmath.isfinite),
    logic.IsNan: in_python(cmath.isnan),
    logic.Select: in_python(lambda condition, x, y: x if condition else y),
}
