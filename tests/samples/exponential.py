"""Samples of exponentials, logarithms, roots and powers."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import exponential as ex
from tests.samples import (
    Bad,
    Reference,
    Sample,
    Symbolic,
    draw,
    elementwise_bad,
    elementwise_samples,
    in_long_double,
    special_values,
)

NEAR = (-2.0, 2.0)
POSITIVE = (0.2, 3.0)
UNARY: list[tuple[Elementwise, tuple[float, float]]] = [
    (ex.Exp(), NEAR),
    (ex.Exp2(), NEAR),
    (ex.Expm1(), NEAR),
    (ex.Log(), POSITIVE),
    (ex.Log1p(), (-0.7, 3.0)),
    (ex.Log2(), POSITIVE),
    (ex.Log10(), POSITIVE),
    (ex.Sqrt(), POSITIVE),
    (ex.Rsqrt(), POSITIVE),
    (ex.Cbrt(), POSITIVE),
]
EXPONENTIALS = (ex.Exp(), ex.Exp2(), ex.Expm1())
TINY = np.array([1e-9, -1e-9, 1e-5, -1e-5, 1e-30])

SAMPLES: list[Sample] = [
    *(s for op, bounds in UNARY for s in elementwise_samples(op, bounds)),
    *elementwise_samples(ex.Pow(), (0.3, 2.0), NEAR),
    *(Sample(op, (draw(dtypes.f64, (3, 3), -40, 40),), "wide", smooth=False) for op in EXPONENTIALS),
    *(Sample(op, (draw(dtypes.f32, (3, 3), -110, 95),), "wide-f32", smooth=False) for op in EXPONENTIALS),
    *(Sample(op, (TINY,), "tiny", smooth=False) for op in (ex.Expm1(), ex.Log1p())),
    *(Sample(op, (TINY.astype(np.float32),), "tiny-f32", smooth=False) for op in (ex.Expm1(), ex.Log1p())),
    *(Sample(op, (1 + TINY,), "near-1", smooth=False) for op in (ex.Log(), ex.Log2(), ex.Log10())),
    Sample(ex.Cbrt(), (draw(dtypes.f64, (5,), -3, -0.2),), "negative"),
    # Negative numbers have whole powers, with a derivative by the base alone; 0 has powers from 1 up.
    Sample(ex.Pow(), (draw(dtypes.f64, (6,), -2, -0.5), np.arange(-2.0, 4.0)), "negative-base", differentiable=(0,)),
    Sample(ex.Pow(), (np.zeros(4), np.array([0.0, 1.0, 2.0, 3.0])), "zero-base", differentiable=(0,)),
    Sample(ex.Pow(), (draw(dtypes.f64, (3,), 0.3, 2), np.array([0.0, 1.0, 2.0])), "whole-power"),
    Sample(ex.Pow(), (special_values(dtypes.f32), np.full(30, 0.5, np.float32)), "square-root", smooth=False),
]

BAD: list[Bad] = [bad for op, _ in UNARY for bad in elementwise_bad(op)] + elementwise_bad(ex.Pow())

SYMBOLIC: list[Symbolic] = []

REFERENCES: dict[type[Op], Reference] = {
    ex.Exp: in_long_double(np.exp),
    ex.Exp2: in_long_double(np.exp2),
    ex.Expm1: in_long_double(np.expm1),
    ex.Log: in_long_double(np.log),
    ex.Log1p: in_long_double(np.log1p),
    ex.Log2: in_long_double(np.log2),
    ex.Log10: in_long_double(np.log10),
    ex.Sqrt: in_long_double(np.sqrt),
    ex.Rsqrt: in_long_double(lambda x: 1 / np.sqrt(x)),
    ex.Cbrt: in_long_double(np.cbrt),
    ex.Pow: in_long_double(np.power),
}
