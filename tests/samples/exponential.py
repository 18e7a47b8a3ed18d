"""Samples of exponentials, logarithms, roots and powers."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from rosin.ir import dtypes
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops import exponential as ex
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


def _exact(real: Callable[..., Any], function: Callable[..., Any], elsewhere: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function of real numbers; of complex ones `function` in many digits, or `elsewhere` at infinities."""

    def reference(op: Op, x: Array) -> Any:
        if not np.iscomplexobj(x):
            return real(x.astype(np.longdouble))

        def upper(z: complex) -> complex:
            return complex(function(mpmath.mpc(z))) if cmath.isfinite(z) else complex(elsewhere(z))

        # Many digits have no sign of zero; both halves of the plane are alike.
        with mpmath.workprec(2200):
            found = [
                upper(z) if math.copysign(1, z.imag) > 0 else upper(z.conjugate()).conjugate()
                for z in x.ravel().tolist()
            ]
        return np.array(found, complex).reshape(x.shape)

    return reference


def _parts(x: Array, y: Array) -> Array:
    result = np.empty(x.shape, np.clongdouble)
    result.real, result.imag = x, y
    return result


def _scaled_log(real: Callable[..., Any], base: int) -> Callable[..., Any]:
    def reference(op: Op, x: Array) -> Any:
        if not np.iscomplexobj(x):
            return real(x.astype(np.longdouble))
        found = np.log(x.astype(np.clongdouble))
        return _parts(found.real / np.log(np.longdouble(base)), found.imag / np.log(np.longdouble(base)))

    return reference


def _powers_of_two(z: Array) -> Array:
    """Of angles the nearest f64, which is what the op is a function of."""
    return np.exp(_parts(z.real * np.log(np.longdouble(2)), z.imag * np.log(2.0)))


REFERENCES: dict[type[Op], Reference] = {
    ex.Exp: in_long_double(np.exp),
    ex.Exp2: lambda op, x: _powers_of_two(x) if np.iscomplexobj(x) else np.exp2(x.astype(np.longdouble)),
    ex.Expm1: _exact(np.expm1, lambda z: mpmath.expm1(z), lambda z: np.exp(z) - 1),
    ex.Log: in_long_double(np.log),
    ex.Log1p: _exact(np.log1p, lambda z: mpmath.log(1 + z), lambda z: np.log(1 + z)),
    ex.Log2: _scaled_log(np.log2, 2),
    ex.Log10: _scaled_log(np.log10, 10),
    ex.Sqrt: in_long_double(np.sqrt),
    ex.Rsqrt: in_long_double(lambda x: 1 / np.sqrt(x)),
    ex.Cbrt: in_long_double(np.cbrt),
    ex.Pow: in_long_double(np.power),
}
