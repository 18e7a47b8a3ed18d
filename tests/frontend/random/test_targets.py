"""The same bits by LLVM, by XLA on the CPU and by the interpreter, of every draw that is no product of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin import random
from tests.frontend.random.draws import CONTINUOUS, DISCRETE

QUICK = {"uniform f32", "normal f64", "exponential f32", "cauchy f64", "pareto f32", "wald f32", "categorical", "gamma"}
"""Those that show each way in which XLA would round otherwise; the others take it a minute to compile."""

SHAPES = np.array([0.2, 0.9, 1.5, 2.5, 40.0, 1e4], np.float32)
BOUNDS = np.linspace(-9, 9, 60, dtype=np.float32)
CHANCES = np.array([0.02, 0.4, 0.75, 1.0], np.float32)

PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "gamma": lambda k: random.gamma(k, SHAPES, (20, 6)),
    "loggamma": lambda k: random.loggamma(k, SHAPES.astype(np.float64), (20, 6)),
    "dirichlet of many": lambda k: random.dirichlet(k, np.ones(40, np.float32), (5,)),
    "generalized_normal": lambda k: random.generalized_normal(k, SHAPES[:5], (20, 5)),
    "truncated_normal": lambda k: random.truncated_normal(k, BOUNDS, BOUNDS + 1),
    "poisson": lambda k: random.poisson(k, np.array([0.0, 0.1, 9.9, 10.1, 3000.0, 1e8]), (20, 6)),
    "binomial": lambda k: random.binomial(k, np.array([[3.0], [50.0], [1e6]]), CHANCES, (10, 3, 4)),
    "geometric": lambda k: random.geometric(k, CHANCES, (30, 4)),
    "choice of different by p": lambda k: random.choice(k, 4, (3,), replace=False, p=CHANCES),
    "categorical of many": lambda k: random.categorical(k, np.linspace(-9, 3, 1000, dtype=np.float32), shape=(60,)),
    "normal c64": lambda k: random.normal(k, (30,), "c64"),
    "exponential bf16": lambda k: random.exponential(k, (60,), "bf16"),
    "permutation": lambda k: random.permutation(k, 50),
}
DRAWS: dict[str, Callable[[Any], Any]] = {
    **{f"{c.name} {d}": lambda k, c=c, d=d: c.draw(k, (60,), d) for c in CONTINUOUS for d in ("f32", "f64")},
    **{c.name: lambda k, c=c: c.draw(k, (60,), "i32") for c in DISCRETE},
    **PARAMETERS,
}
KEY = random.key(31)


@pytest.mark.peers
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else (pytest.mark.slow,)) for n in DRAWS])
def test_the_same_bits_by_xla(name: str) -> None:
    draw = DRAWS[name]
    ours, theirs = (np.asarray(rosin.compile(draw, target=t, dynamic=False)(KEY)) for t in ("llvm", "xla"))
    assert ours.dtype == theirs.dtype
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.peers
def test_the_same_bits_by_xla_where_a_sum_follows() -> None:
    """What is drawn is rounded before it is added to something."""

    def draw(key: Any) -> Any:
        first, second, third = random.split(key, 3)
        shifted = [random.normal(first, (500,)) + 0.1, random.rayleigh(second, 0.7, (500,)) + 0.1]
        return rnp.stack([*shifted, random.uniform(third, (500,), minval=-0.3, maxval=0.7) - 0.1])

    ours, theirs = (np.asarray(rosin.compile(draw, target=t)(KEY)) for t in ("llvm", "xla"))
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else (pytest.mark.slow,)) for n in DRAWS])
def test_the_same_bits_by_the_interpreter(name: str) -> None:
    draw = DRAWS[name]
    ours, meant = (np.asarray(rosin.compile(draw, target=t, dynamic=False)(KEY)) for t in ("llvm", "interpreter"))
    assert ours.tobytes() == meant.tobytes()
