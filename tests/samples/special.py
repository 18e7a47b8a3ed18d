"""Samples of special functions."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import scipy.special

from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import special as sp
from tests.samples import (
    Array,
    Bad,
    Reference,
    Sample,
    Symbolic,
    draw,
    elementwise_bad,
    elementwise_samples,
    in_long_double,
)

NEAR = (-2.0, 2.0)
POSITIVE = (0.3, 5.0)
ALL: list[tuple[Elementwise, tuple[float, float]]] = [
    (sp.Sigmoid(), NEAR),
    (sp.Erf(), NEAR),
    (sp.Erfc(), NEAR),
    (sp.Erfinv(), (-0.9, 0.9)),
    (sp.Lgamma(), POSITIVE),
    (sp.Digamma(), POSITIVE),
    (sp.Polygamma(1), POSITIVE),
    (sp.Polygamma(2), POSITIVE),
]
BELOW = draw(dtypes.f64, (5,), -3.8, -3.2)
ENDS = np.array([1e-12, -1e-3, 0.5, 0.7, 0.999, -0.999999, 1 - 1e-12])
GAMMAS: tuple[Elementwise, ...] = (sp.Lgamma(), sp.Digamma(), *map(sp.Polygamma, (1, 2, 3, 4)))

SAMPLES: list[Sample] = [
    *(s for op, bounds in ALL for s in elementwise_samples(op, bounds, ulps=16, rtol={dtypes.f64: 4e-14}, atol=1e-14)),
    Sample(sp.Sigmoid(), (draw(dtypes.f64, (3, 5), -740, 740),), "wide", smooth=False),
    Sample(sp.Erfc(), (draw(dtypes.f64, (9,), 2, 27),), "tail", smooth=False, rtol=1e-13),
    Sample(sp.Erf(), (draw(dtypes.f64, (9,), -1e-3, 1e-3),), "small"),
    Sample(sp.Erfinv(), (ENDS,), "ends", smooth=False, rtol=1e-12),
    *(Sample(op, (BELOW,), "negative", rtol=1e-12, derivative_rtol=1e-5, ulps=64) for op in GAMMAS),
    *(Sample(op, (draw(dtypes.f64, (9,), 5, 400),), "large", rtol=1e-13, ulps=16) for op in GAMMAS),
    Sample(sp.Polygamma(5), (draw(dtypes.f64, (5,), 0.5, 3),), "order-5", rtol=1e-13, ulps=16),
]

BAD: list[Bad] = [
    *(bad for op, _ in ALL for bad in elementwise_bad(op)),
    Bad(sp.Polygamma(-1), ("f32[3]",), AttributeValueError, "order is -1"),
]

SYMBOLIC: list[Symbolic] = []


def _erfinv(op: Op, x: Array) -> Array:
    return scipy.special.erfinv(x)


def _lgamma(op: Op, x: Array) -> Array:
    """By mpmath to 30 digits; +∞ at the poles and at both infinities, as in C."""

    def one(value: float) -> float:
        if math.isinf(value) or (value <= 0 and value == math.floor(value)):
            return math.inf
        with mpmath.workdps(30):
            return float(mpmath.loggamma(mpmath.mpf(value)).real)

    return np.array([one(v) for v in x.ravel().tolist()]).reshape(x.shape)


def _digamma(op: Op, x: Array) -> Array:
    return _polygamma(sp.Polygamma(0), x)


def _polygamma(op: Op, x: Array) -> Array:
    """By mpmath to 30 digits; at the poles and at infinity, the limits."""
    assert isinstance(op, sp.Polygamma)

    def one(value: float) -> float:
        if math.isnan(value) or value == -math.inf:
            return math.nan
        if value == math.inf:
            return math.inf if op.order == 0 else 0.0
        if value <= 0 and value == math.floor(value):
            if op.order == 0:
                return math.copysign(math.inf, -value) if value == 0 else math.nan
            return math.inf if op.order % 2 else -math.inf
        with mpmath.workdps(30):
            return float(mpmath.psi(op.order, mpmath.mpf(value)))

    return np.array([one(v) for v in x.ravel().tolist()]).reshape(x.shape)


REFERENCES: dict[type[Op], Reference] = {
    sp.Sigmoid: in_long_double(lambda x: 1 / (1 + np.exp(-x))),
    sp.Erf: lambda op, x: scipy.special.erf(x),
    sp.Erfc: lambda op, x: scipy.special.erfc(x),
    sp.Erfinv: _erfinv,
    sp.Lgamma: _lgamma,
    sp.Digamma: _digamma,
    sp.Polygamma: _polygamma,
}
