"""Samples of trigonometric and hyperbolic functions."""

from __future__ import annotations

import numpy as np

from rosin.ir import dtypes
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import trigonometric as tr
from tests.samples import Bad, Reference, Sample, Symbolic, draw, elementwise_bad, elementwise_samples, in_long_double

NEAR = (-2.0, 2.0)
INNER = (-0.8, 0.8)
ALL: list[tuple[Elementwise, tuple[tuple[float, float], ...]]] = [
    (tr.Sin(), (NEAR,)),
    (tr.Cos(), (NEAR,)),
    (tr.Tan(), ((-1.0, 1.0),)),
    (tr.Asin(), (INNER,)),
    (tr.Acos(), (INNER,)),
    (tr.Atan(), (NEAR,)),
    (tr.Atan2(), ((0.2, 2.0), NEAR)),
    (tr.Sinh(), (NEAR,)),
    (tr.Cosh(), (NEAR,)),
    (tr.Tanh(), (NEAR,)),
    (tr.Asinh(), (NEAR,)),
    (tr.Acosh(), ((1.3, 3.0),)),
    (tr.Atanh(), (INNER,)),
    (tr.Hypot(), ((0.2, 2.0), NEAR)),
]

SAMPLES: list[Sample] = [
    *(s for op, bounds in ALL for s in elementwise_samples(op, *bounds)),
    *(
        Sample(op, (draw(dtype, (3, 5), -1000, 1000),), f"wide-{dtype}", smooth=False)
        for op in (tr.Sin(), tr.Cos(), tr.Tan(), tr.Atan(), tr.Asinh())
        for dtype in (dtypes.f32, dtypes.f64)
    ),
    Sample(tr.Atan2(), (draw(dtypes.f64, (5,), -2, -0.2), draw(dtypes.f64, (5,), -2, 2)), "below"),
    Sample(tr.Hypot(), (np.array([3e200, 3e-200]), np.array([4e200, 4e-200])), "extreme", smooth=False),
    Sample(tr.Hypot(), (np.array([3e30, 3e-30], "f"), np.array([4e30, 4e-30], "f")), "extreme-f32", smooth=False),
]

BAD: list[Bad] = [bad for op, _ in ALL for bad in elementwise_bad(op)]

SYMBOLIC: list[Symbolic] = []

REFERENCES: dict[type[Op], Reference] = {
    tr.Sin: in_long_double(np.sin),
    tr.Cos: in_long_double(np.cos),
    tr.Tan: in_long_double(np.tan),
    tr.Asin: in_long_double(np.arcsin),
    tr.Acos: in_long_double(np.arccos),
    tr.Atan: in_long_double(np.arctan),
    tr.Atan2: in_long_double(np.arctan2),
    tr.Sinh: in_long_double(np.sinh),
    tr.Cosh: in_long_double(np.cosh),
    tr.Tanh: in_long_double(np.tanh),
    tr.Asinh: in_long_double(np.arcsinh),
    tr.Acosh: in_long_double(np.arccosh),
    tr.Atanh: in_long_double(np.arctanh),
    tr.Hypot: in_long_double(np.hypot),
}
