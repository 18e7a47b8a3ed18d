"""Runs a function of arrays at once and compiled, and holds both against what NumPy says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes

TOLERANCE = {"f16": 2e-3, "bf16": 2e-2, "f32": 2e-6, "f64": 1e-13, "c64": 4e-6, "c128": 2e-13}
"""How far results may be off, relative to their size, by element type."""


def near(found: Any, expected: Any, tolerance: float | None = None, what: str = "") -> None:
    """Same element type, same shape, and numbers that are close; NaN equals NaN."""
    array, wanted = np.asarray(found), np.asarray(expected)
    assert array.dtype == wanted.dtype, f"{what} dtype {array.dtype}, not {wanted.dtype}"
    assert array.shape == wanted.shape, f"{what} shape {array.shape}, not {wanted.shape}"
    dtype = dtypes.from_numpy(wanted.dtype)
    if not dtype.differentiable:
        np.testing.assert_array_equal(array, wanted, err_msg=what)
        return
    relative = TOLERANCE[dtype.name] if tolerance is None else tolerance
    size = np.complex128 if dtype.is_complex else np.float64
    wide = wanted.astype(size)
    np.testing.assert_allclose(array.astype(size), wide, rtol=relative, atol=relative / 8, err_msg=what)


def both(function: Callable[..., Any], *args: Any, tolerance: float = 0.0) -> list[Any]:
    """The results of a function of arrays, as a flat list: at once. Compiled it must give the same.

    tolerance: how far they may be off if that is more than results of their type may be.
    """
    arrays = [rnp.asarray(arg) if isinstance(arg, np.ndarray | np.generic) else arg for arg in args]
    eager = rosin.tree.leaves(function(*arrays))
    traced = rosin.tree.leaves(rosin.compile(lambda *xs: function(*xs))(*arrays))
    assert len(eager) == len(traced)
    for a, b in zip(eager, traced, strict=True):
        array = np.asarray(a)
        usual = TOLERANCE.get(dtypes.from_numpy(array.dtype).name, 0.0)
        near(b, array, max(tolerance, usual), what="compiled:")
    return eager


def check(function: Callable[..., Any], *args: Any, expected: Any, tolerance: float | None = None) -> None:
    """The function gives what is expected (one array or several), at once and compiled."""
    found = both(function, *args, tolerance=tolerance or 0.0)
    wanted = list(expected) if isinstance(expected, list | tuple) else [expected]
    assert len(found) == len(wanted), f"{len(found)} results, not {len(wanted)}"
    for a, b in zip(found, wanted, strict=True):
        near(a, b, tolerance)
