"""Random numbers beside the peers: as many numbers of the same distribution, each from its own generator.

    python benches/random_numbers.py [NAME ...]     (see _rivals.py for more)

Ours and JAX's are compiled functions of a key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _rivals import Arrays, Run, Work, main

WEIGHTS = np.arange(1, 101, dtype=np.float32) / 5050
DRAWN = 1_000_000

Draw = Callable[[Any, Any], Any]
"""Numbers from a module with functions of keys, ours or JAX's, and a key."""


def of_keys(draw: Draw) -> dict[str, Callable[[Arrays], Run]]:
    def rosin(_: Arrays) -> Run:
        import rosin

        key, run = rosin.random.key(0), rosin.compile(lambda key: draw(rosin.random, key))
        return lambda: run(key)

    def jax(_: Arrays) -> Run:
        import jax

        key, run = jax.random.key(0), jax.jit(lambda key: draw(jax.random, key))
        return lambda: run(key).block_until_ready()

    return {"rosin": rosin, "jax": jax}


def of_numpy(draw: Callable[[Any], Any]) -> Callable[[Arrays], Run]:
    """Numbers from a generator of NumPy's."""

    def make(_: Arrays) -> Run:
        generator = np.random.default_rng(0)
        return lambda: draw(generator)

    return make


def of_torch(draw: Callable[[Any], Any]) -> Callable[[Arrays], Run]:
    """Numbers from PyTorch's own generator."""

    def make(_: Arrays) -> Run:
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        return lambda: draw(torch)

    return make


def floats(name: str, dtype: str, count: int) -> Work:
    def draw(random: Any, key: Any) -> Any:
        if name == "gamma":
            return random.gamma(key, np.asarray(2.5, dtype), (count,), dtype)
        return getattr(random, name)(key, (count,), dtype)

    numpy: dict[str, Callable[[Any], Any]] = {
        "uniform": lambda g: g.random(count, dtype),
        "normal": lambda g: g.standard_normal(count, dtype),
        "exponential": lambda g: g.standard_exponential(count, dtype),
        "gamma": lambda g: g.standard_gamma(2.5, count, dtype),
    }
    torch: dict[str, Callable[[Any], Any]] = {
        "uniform": lambda t: t.rand(count, dtype=getattr(t, dtype)),
        "normal": lambda t: t.randn(count, dtype=getattr(t, dtype)),
        "exponential": lambda t: t.empty(count, dtype=getattr(t, dtype)).exponential_(),
        "gamma": lambda t: t._standard_gamma(t.full((count,), 2.5, dtype=getattr(t, dtype))),
    }
    peers = {"numpy": of_numpy(numpy[name]), "torch": of_torch(torch[name])}
    return Work(f"{name} {dtype} {count}", list, None, {**of_keys(draw), **peers})


NUMPY: dict[str, Callable[[Any], Any]] = {
    "poisson 4": lambda g: g.poisson(4.0, DRAWN),
    "poisson 100": lambda g: g.poisson(100.0, DRAWN),
    "binomial": lambda g: g.binomial(100, 0.3, DRAWN),
    "choice": lambda g: g.choice(100, DRAWN),
    "choice by p": lambda g: g.choice(100, DRAWN, p=WEIGHTS / WEIGHTS.sum(dtype=np.float64)),
    "categorical": lambda g: g.choice(100, DRAWN // 10, p=WEIGHTS / WEIGHTS.sum(dtype=np.float64)),
    "permutation": lambda g: g.permutation(DRAWN),
}
OURS: dict[str, Draw] = {
    "poisson 4": lambda random, key: random.poisson(key, 4.0, (DRAWN,)),
    "poisson 100": lambda random, key: random.poisson(key, 100.0, (DRAWN,)),
    "binomial": lambda random, key: random.binomial(key, 100.0, 0.3, (DRAWN,)),
    "choice": lambda random, key: random.choice(key, 100, (DRAWN,)),
    "choice by p": lambda random, key: random.choice(key, 100, (DRAWN,), p=WEIGHTS),
    "categorical": lambda random, key: random.categorical(key, np.log(WEIGHTS), shape=(DRAWN // 10,)),
    "permutation": lambda random, key: random.permutation(key, DRAWN),
}
TORCH: dict[str, Callable[[Any], Any]] = {
    "poisson 4": lambda t: t.poisson(t.full((DRAWN,), 4.0)),
    "poisson 100": lambda t: t.poisson(t.full((DRAWN,), 100.0)),
    "choice": lambda t: t.randint(100, (DRAWN,)),
    "choice by p": lambda t: t.multinomial(t.from_numpy(WEIGHTS), DRAWN, replacement=True),
    "permutation": lambda t: t.randperm(DRAWN),
}


def works() -> Iterator[Work]:
    for dtype in ("float32", "float64"):
        for count in (1_000, 100_000, 10_000_000):
            yield floats("uniform", dtype, count)
            yield floats("normal", dtype, count)
        yield floats("exponential", dtype, DRAWN)
        yield floats("gamma", dtype, DRAWN)
    for name, draw in OURS.items():
        own = {**of_keys(draw), "numpy": of_numpy(NUMPY[name])}
        if name in TORCH:
            own["torch"] = of_torch(TORCH[name])
        yield Work(name, list, None, own)


if __name__ == "__main__":
    main(list(works()), __doc__)
