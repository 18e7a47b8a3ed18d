"""Samples of functions that are put together of exactly rounded operations: all targets have their bits."""

from __future__ import annotations

import numpy as np
import scipy.special

from rosin.ir import dtypes
from rosin.ir.errors import DTypeError, ShapeError
from rosin.ir.op import Op
from rosin.ir.ops import exactly as ex
from tests.samples import Bad, Reference, Sample, Symbolic, draw

F64 = dtypes.f64
HALVES: list[tuple[type[ex.Exact], tuple[float, float]]] = [
    (ex.ExactLog, (0.01, 20.0)),
    (ex.ExactLogOfNormal, (0.01, 20.0)),
    (ex.ExactLog1p, (-0.9, 5.0)),
    (ex.ExactExp, (-8.0, 8.0)),
    (ex.ExactTan, (-1.4, 1.4)),
]
DOUBLES: list[tuple[type[ex.Exact], tuple[float, float]]] = [
    (ex.ExactErf, (-3.0, 3.0)),
    (ex.ExactErfc, (-3.0, 8.0)),
    (ex.ExactErfinv, (-0.98, 0.98)),
    (ex.ExactErfcinv, (0.001, 0.99)),
    (ex.ExactLgamma, (1.1, 30.0)),
]
ENDS = np.array([0.0, -0.0, -1.0, 1.0, np.inf, -np.inf, np.nan, 1000.0, -1000.0])
WIDE = np.array([1e-300, 1e-10, 1.0 - 2.0**-53, 1.0 + 2.0**-52, 1e10, 1e300])

SAMPLES: list[Sample] = [
    *(Sample(op(), (draw(d, (3, 5), *bounds),), ulps=0, rtol=5e-7) for op, bounds in HALVES for d in (dtypes.f32, F64)),
    *(Sample(op(), (draw(F64, (3, 5), *bounds),), ulps=0, rtol=1e-14) for op, bounds in DOUBLES),
    *(Sample(op(), (ENDS,), "ends", smooth=False, ulps=0) for op in (ex.ExactLog, ex.ExactLog1p, ex.ExactExp)),
    *(Sample(op(), (WIDE,), "wide", smooth=False, ulps=0) for op in (ex.ExactLog, ex.ExactLogOfNormal)),
    Sample(ex.ExactErfcinv(), (10.0 ** -np.arange(0.0, 300.0, 17.0),), "tail", smooth=False, ulps=0, rtol=1e-14),
    Sample(ex.ExactErfc(), (np.linspace(8.0, 26.0, 9),), "tail", smooth=False, ulps=0, rtol=1e-14),
    *(Sample(ex.Rounded(), (draw(d, (3, 5), -2.0, 2.0),), ulps=0) for d in (dtypes.bf16, dtypes.f32, F64)),
    *(Sample(ex.ExactDiv(), (draw(d, (7,), -2.0, 2.0), draw(d, (7,), 0.5, 2.0)), ulps=0) for d in (dtypes.f32, F64)),
]

BAD: list[Bad] = [
    *(Bad(op(), ("i32[3]",), DTypeError, "takes f32, f64, not i32") for op, _ in HALVES),
    *(Bad(op(), ("f32[3]",), DTypeError, "takes f64, not f32") for op, _ in DOUBLES),
    *(Bad(op(), ("f64[3]", "f64[3]"), ShapeError, "takes 1 operands") for op, _ in (*HALVES, *DOUBLES)),
    Bad(ex.Rounded(), ("i32[3]",), DTypeError, "not i32"),
    Bad(ex.ExactDiv(), ("f32[3]",), ShapeError, "takes 2 operands"),
]

SYMBOLIC: list[Symbolic] = [Symbolic(ex.ExactLog(), ("f32[n, 2]",), ("f32[n, 2]",))]

REFERENCES: dict[type[Op], Reference] = {
    ex.Rounded: lambda op, x: x,
    ex.ExactDiv: lambda op, x, y: x / y,
    ex.ExactLog: lambda op, x: np.log(x),
    ex.ExactLogOfNormal: lambda op, x: np.log(x),
    ex.ExactLog1p: lambda op, x: np.log1p(x),
    ex.ExactExp: lambda op, x: np.exp(x),
    ex.ExactTan: lambda op, x: np.tan(x),
    ex.ExactErf: lambda op, x: scipy.special.erf(x),
    ex.ExactErfc: lambda op, x: scipy.special.erfc(x),
    ex.ExactErfinv: lambda op, x: scipy.special.erfinv(x),
    ex.ExactErfcinv: lambda op, x: scipy.special.erfcinv(x),
    ex.ExactLgamma: lambda op, x: scipy.special.gammaln(x),
}
