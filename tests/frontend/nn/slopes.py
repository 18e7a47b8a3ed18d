"""Derivatives of functions of arrays against differences, in both modes, and batches against a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rosin
from rosin import numpy as rnp

RANDOM = np.random.default_rng(7)


def check_slopes(function: Callable[..., Any], *args: np.ndarray, step: float = 1e-6, tolerance: float = 1e-6) -> None:
    """Tangents against a central difference, and cotangents against tangents."""
    primals = tuple(rnp.asarray(x) for x in args)
    tangents = [RANDOM.normal(size=x.shape) for x in args]
    value, found = rosin.jvp(function, primals, tuple(map(rnp.asarray, tangents)))
    ends = [
        np.asarray(function(*(rnp.asarray(x + s * step * t) for x, t in zip(args, tangents, strict=True))))
        for s in (1, -1)
    ]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), rtol=tolerance, atol=tolerance)
    cotangent = RANDOM.normal(size=value.shape)
    back = rosin.vjp(function, *primals)[1](rnp.asarray(cotangent))
    there = sum(float(np.sum(np.asarray(b) * t)) for b, t in zip(back, tangents, strict=True))
    np.testing.assert_allclose(there, float(np.sum(cotangent * np.asarray(found))), rtol=1e-9, atol=1e-9)


def check_batch(function: Callable[..., Any], *args: np.ndarray) -> None:
    """`vmap` over two examples, of which the second is the first in opposite order."""
    pairs = [rnp.asarray(np.stack([x, np.flip(x)])) for x in args]
    each = [np.asarray(function(*(p[i] for p in pairs))) for i in range(2)]
    np.testing.assert_allclose(rosin.vmap(function)(*pairs), np.stack(each), rtol=1e-11, atol=1e-12)
