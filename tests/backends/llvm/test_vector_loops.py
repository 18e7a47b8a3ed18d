"""Rows whose length is known only when the kernel runs: short ones without loops, longer ones in loops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp

LENGTHS = [1, 2, 7, 8, 15, 16, 17, 31, 33, 40, 47, 48, 63, 64, 65, 79, 80, 95, 96, 97, 111, 112, 113, 128, 300, 5000]
"""Of vectors of 4 to 64 lanes: none but a rest, few with a rest and without, the most that count as few, and more."""

FLOATS = ("float32", "float64", "bfloat16")


def standardised(xp: Any, x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return (centred / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1),)


def shares(xp: Any, x: Any) -> Any:
    """What is kept from pass to pass, and a fold that has no zero to start from."""
    exps = xp.exp(x - x.max(axis=-1, keepdims=True))
    return (exps / exps.sum(axis=-1, keepdims=True),)


def ends(xp: Any, x: Any) -> Any:
    """Folds alone, one of two running values, and one of what others give."""
    most = x.max(axis=-1, keepdims=True)
    return xp.argmax(x, axis=-1), most - x.min(axis=-1, keepdims=True), (most - x).max(axis=-1)


@pytest.mark.parametrize("rows", [1, 3, 40])
@pytest.mark.parametrize(
    ("f", "dtype"), [(ends, "int32"), *((f, d) for f in (standardised, shares, ends) for d in FLOATS)]
)
def test_rows_of_any_length(f: Callable[[Any, Any], Any], dtype: str, rows: int) -> None:
    program = rosin.compile(partial(f, rnp), dynamic={"x": (0, 1)})
    rng = np.random.default_rng(rows)
    for length in (200, *LENGTHS):
        x = rnp.asarray(np.rint(8 * rng.standard_normal((rows, length))) / (1 if dtype == "int32" else 8), dtype=dtype)
        for found, wanted in zip(program(x), f(np, np.asarray(x, np.float64)), strict=True):
            rtol = 0.02 if dtype == "bfloat16" else 1e-5
            np.testing.assert_allclose(np.asarray(found, np.float64), wanted, rtol=rtol, atol=rtol)


def test_short_rows_have_code_of_their_own() -> None:
    x = np.ones((30, 200), np.float32)
    program = rosin.compile(partial(standardised, rnp), dynamic={"x": (0, 1)})
    assert "short" in program.text(x, stage="llvm")
    assert "short" not in rosin.compile(partial(standardised, rnp), dynamic=False).text(x, stage="llvm")
    long = rosin.compile(partial(standardised, rnp), dynamic={"x": {1: rosin.dim("n", min=128)}})
    assert "short" not in long.text(x, stage="llvm"), "rows are known to be longer"


def test_what_takes_long_has_one_code() -> None:
    def heavy(x: Any) -> Any:
        for _ in range(4):
            x = rnp.tanh(x)
        return x / x.sum(axis=-1, keepdims=True)

    assert "short" not in rosin.compile(heavy, dynamic={"x": (0, 1)}).text(np.ones((3, 5)), stage="llvm")
