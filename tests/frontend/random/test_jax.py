"""Draws that are functions of one uniform or normal number each: JAX draws the same from the same key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rosin import random

pytestmark = pytest.mark.peers

ONE = np.float32(1)
F32 = np.float32

DRAWS: dict[str, Callable[[Any, Any], Any]] = {
    "uniform": lambda r, k: r.uniform(k, (50,), F32, -2, 3),
    "normal": lambda r, k: r.normal(k, (50,), F32),
    "complex normal": lambda r, k: r.normal(k, (50,), np.complex64),
    "truncated_normal": lambda r, k: r.truncated_normal(k, -ONE, 2 * ONE, (50,), F32),
    "exponential": lambda r, k: r.exponential(k, (50,), F32),
    "gumbel": lambda r, k: r.gumbel(k, (50,), F32),
    "laplace": lambda r, k: r.laplace(k, (50,), F32),
    "logistic": lambda r, k: r.logistic(k, (50,), F32),
    "cauchy": lambda r, k: r.cauchy(k, (50,), F32),
    "pareto": lambda r, k: r.pareto(k, 2 * ONE, (50,), F32),
    "weibull_min": lambda r, k: r.weibull_min(k, 2 * ONE, 3 * ONE, (50,), F32),
    "lognormal": lambda r, k: r.lognormal(k, ONE / 2, (50,), F32),
    "maxwell": lambda r, k: r.maxwell(k, (50,), F32),
    "wald": lambda r, k: r.wald(k, 2 * ONE, (50,), F32),
    "triangular": lambda r, k: r.triangular(k, -ONE, ONE / 2, 2 * ONE, (50,), F32),
    "bernoulli": lambda r, k: r.bernoulli(k, ONE / 3, (50,)),
    "choice": lambda r, k: r.choice(k, 4, (50,), p=np.array([0.1, 0.2, 0.3, 0.4], np.float32)),
    "split": lambda r, k: r.key_data(r.split(k, 5)[3]),
    "fold_in": lambda r, k: r.key_data(r.fold_in(k, 12345)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", [0, 2**40 + 7])
def test_the_same_numbers(name: str, seed: int) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    with jax.threefry_partitionable(True):
        theirs = np.asarray(DRAWS[name](jax.random, jax.random.key(seed)))
    ours = np.asarray(DRAWS[name](random, random.key(seed)))
    if theirs.dtype.kind in "biu":
        np.testing.assert_array_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=5e-5)
