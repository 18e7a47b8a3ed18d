"""The same bits, however a draw is asked for: at once, compiled, under `vmap`, in a loop, on one thread or two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin import random
from tests.frontend.random.draws import CHANCES, CONTINUOUS, DISCRETE

ROOT = Path(__file__).parents[3]

# One of each kind of loop is enough here.
ALIKE = {"gamma 1.0", "gamma 1000000.0", "loggamma 0.01", "ball in one norm", "poisson 0.05", "poisson 9.99",
         "poisson 10.0", "poisson 100000.0", "binomial 1 0.3", "binomial 100 0.05", "binomial 1000 0.75",
         "binomial 1000000 0.4", "binomial 1000000 1e-06"}  # fmt: skip
WIDE = ("normal", "laplace", "gamma 2.5", "beta", "ball")
DRAWS: dict[str, Callable[[Any], Any]] = {
    **{c.name: lambda k, c=c: c.draw(k, (3, 5), "f32") for c in CONTINUOUS if c.name not in ALIKE},
    **{f"{c.name} f64": lambda k, c=c: c.draw(k, (7,), "f64") for c in CONTINUOUS if c.name in WIDE},
    **{c.name: lambda k, c=c: c.draw(k, (3, 5), "i32") for c in DISCRETE if c.name not in ALIKE},
    "normal c64": lambda k: random.normal(k, (3, 2), "c64"),
    "permutation": lambda k: random.permutation(k, 17),
    "permutation of lines": lambda k: random.permutation(k, np.arange(12).reshape(3, 4), 1, independent=True),
    "choice of different": lambda k: random.choice(k, 9, (4,), replace=False),
    "choice of different by p": lambda k: random.choice(k, 4, (3,), replace=False, p=CHANCES),
    "scalar gamma": lambda k: random.gamma(k, 0.5),
    "none": lambda k: random.gamma(k, 0.5, (2, 0)),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", DRAWS)
def test_at_once_compiled_and_batched(name: str) -> None:
    draw, keys = DRAWS[name], random.split(random.key(21), 3)
    alone = [np.asarray(draw(keys[i])) for i in range(3)]
    compiled = rosin.compile(draw, dynamic=False)
    assert [np.asarray(compiled(keys[i])).tobytes() for i in range(3)] == [x.tobytes() for x in alone]
    together = np.stack(alone)
    assert np.asarray(rosin.compile(rosin.vmap(draw))(keys)).tobytes() == together.tobytes()


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ["normal", "exponential", "gamma 2.5", "poisson 60.0", "permutation", "beta f64"])
def test_batched_at_once_nested_and_in_loops(name: str) -> None:
    draw, keys = DRAWS[name], random.split(random.key(22), 4)
    together = np.stack([np.asarray(draw(keys[i])) for i in range(4)])
    assert np.asarray(rosin.vmap(draw)(keys)).tobytes() == together.tobytes()
    nested = rosin.vmap(rosin.vmap(draw))(rnp.reshape(keys, (2, 2, 2)))
    assert np.asarray(nested).tobytes() == together.tobytes()
    assert np.asarray(rosin.map(draw, keys)).tobytes() == together.tobytes()
    assert np.asarray(rosin.compile(lambda ks: rosin.map(draw, ks))(keys)).tobytes() == together.tobytes()


SIZED: dict[str, Callable[[Any], Any]] = {
    "normal": lambda x: random.normal(random.key(4), x.shape),
    "gamma": lambda x: random.gamma(random.key(4), x),
    "poisson": lambda x: random.poisson(random.key(4), x * 5),
    "permutation": lambda x: random.permutation(random.key(4), x),
    "order": lambda x: random.permutation(random.key(4), x.shape[0]),
    "choice": lambda x: random.choice(random.key(4), x, (4,)),
    "choice by p": lambda x: random.choice(random.key(4), x, (4,), p=x),
    "choice of different": lambda x: random.choice(random.key(4), x, (2,), replace=False),
    "multinomial": lambda x: random.multinomial(random.key(4), 20, x),
    "split": lambda x: random.split(random.key(4), x.shape[0]),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", SIZED)
def test_one_program_for_all_sizes(name: str) -> None:
    draw = SIZED[name]
    compiled = rosin.compile(draw, dynamic=True)
    for size in (2, 9, 64, 65):
        x = rnp.linspace(1, 5, size)
        assert np.asarray(compiled(x)).tobytes() == np.asarray(draw(x)).tobytes()
    assert len(compiled.signatures()) == 1


@pytest.mark.parametrize("name", ["lognormal", "gamma 2.5", "t", "beta", "poisson 60.0", "ball"])
def test_parameters_known_or_not(name: str) -> None:
    """Numbers in the code, and keys, are not computed with when the program is compiled: NumPy rounds otherwise."""
    draw, key = DRAWS[name], random.key(23)
    alone = np.asarray(draw(key))
    assert np.asarray(rosin.compile(lambda: draw(random.key(23)))()).tobytes() == alone.tobytes()


def test_a_short_draw_in_numpy_has_the_bits_of_its_program() -> None:
    for dtype in ("f32", "f64", "bf16"):
        first, second, third = (np.asarray(random.normal(random.key(77), (41,), dtype)) for _ in range(3))
        assert first.tobytes() == second.tobytes() == third.tobytes()


def test_fused_into_what_follows() -> None:
    """A dropout mask: the bits that are drawn where they are used are those that are drawn by themselves."""
    key, x = random.key(24), rnp.linspace(0, 1, 1000)
    mask = np.asarray(random.bernoulli(key, 0.3, (1000,)))
    dropped = np.asarray(rosin.compile(lambda k, x: rnp.where(random.bernoulli(k, 0.3, (1000,)), x, 0))(key, x))
    assert dropped.tobytes() == np.where(mask, np.asarray(x), np.float32(0)).tobytes()


PROGRAM = """
import hashlib
import numpy as np
from rosin import random
from tests.frontend.random.draws import CONTINUOUS, DISCRETE
digest = hashlib.sha256()
for name in ("normal", "gamma 2.5", "poisson 60.0", "permutation"):
    case = next((c for c in (*CONTINUOUS, *DISCRETE) if c.name == name), None)
    key = random.key(9)
    if case is None:
        draw = random.permutation(key, 100_000)
    else:
        draw = case.draw(key, (300_001,), "f32" if case in CONTINUOUS else "i32")
    digest.update(np.asarray(draw).tobytes())
print(digest.hexdigest())
"""


def test_on_any_number_of_threads() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "ROSIN_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in (1, 3)
    }
    assert len(found) == 1
