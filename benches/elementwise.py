"""Elementwise chains: gelus, the Black-Scholes price, steps of Adam, powers, a mixed chain.

python benches/elementwise.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import Arrays, Run, Work, draw, drawn, main

MILLION = 1_000_000


def gelu(n: Library) -> Callable[..., Any]:
    """By tanh, as people write it."""
    return lambda x: 0.5 * x * (1 + n.xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def gelu_of_torch(arrays: Arrays) -> Run:
    import torch

    (x,) = map(torch.from_numpy, arrays)
    return lambda: torch.nn.functional.gelu(x, approximate="tanh")


def black_scholes(n: Library) -> Callable[..., Any]:
    """The price of a call, by a normal distribution function in the form of Abramowitz and Stegun 7.1.27."""
    xp = n.xp

    def below(x: Any) -> Any:
        z = xp.abs(x) * 0.7071067811865476
        t = 1 + z * (0.278393 + z * (0.230389 + z * (0.000972 + z * 0.078108)))
        tail = 0.5 / (t * t * t * t)
        return xp.where(x > 0, 1 - tail, tail)

    def price(spot: Any, strike: Any, time: Any, volatility: Any) -> Any:
        root = volatility * xp.sqrt(time)
        up = (xp.log(spot / strike) + (0.02 + 0.5 * volatility * volatility) * time) / root
        return spot * below(up) - strike * xp.exp(-0.02 * time) * below(up - root)

    return price


def market(count: int, dtype: Any) -> Arrays:
    rng = np.random.default_rng(0)
    bounds = ((80, 120), (80, 120), (0.1, 2), (0.1, 0.5))
    return [rng.uniform(low, high, count).astype(dtype) for low, high in bounds]


def adam(n: Library) -> Callable[..., Any]:
    def step(p: Any, g: Any, m: Any, v: Any) -> Any:
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        return p - 1e-3 * (m / 0.9) / (n.xp.sqrt(v / 0.001) + 1e-8), m, v

    return step


def exact(n: Library) -> Callable[..., Any]:
    """The gelu of each library, of the normal distribution function."""
    return n.gelu


def slope_of_exact(n: Library) -> Callable[..., Any]:
    return n.grad(lambda x: n.xp.sum(n.gelu(x)))


def powers(n: Library) -> Callable[..., Any]:
    """Of constants that are no whole numbers, or negative."""
    return lambda x, y: (x * x + 1) ** -0.5 + n.xp.abs(y) ** 1.5 + (y * y + 2) ** -2


SHAPES = [(64, 64), (64,), (64, 256), (256,), (256, 64), (64,)] * 4
"""Of the parameters of a net."""


def clipped(n: Library) -> Callable[..., Any]:
    """A step of Adam of many arrays, whose gradients are clipped by their norm (Pascanu et al. 2013)."""
    step = adam(n)

    def run(parameters: Any, gradients: Any, means: Any, squares: Any) -> Any:
        norm = n.xp.sqrt(sum(n.xp.sum(g * g) for g in gradients))
        factor = 1 / (norm + 1)
        return [step(p, g * factor, m, v) for p, g, m, v in zip(parameters, gradients, means, squares, strict=True)]

    return run


def trees() -> list[Any]:
    made = [[draw(*shape, seed=seed) for shape in SHAPES] for seed in range(4)]
    return [*made[:3], [np.abs(array) for array in made[3]]]


def moments(count: int) -> Arrays:
    return [draw(count), draw(count, seed=1), draw(count, seed=2), np.abs(draw(count, seed=3))]


def mixed(n: Library) -> Callable[..., Any]:
    xp = n.xp
    return lambda x, y: xp.where(x > y, xp.sin(x) * xp.exp(-y * y), xp.sqrt(xp.abs(x * y)) + xp.cos(y))


def works() -> Iterator[Work]:
    for count in (10_000, MILLION, 10 * MILLION):
        name, own = f"gelu {count} f32", {"torch": gelu_of_torch}
        yield Work(name, drawn((count,)), gelu, own, bytes=8 * count, resident=count < MILLION)
    doubles = drawn((MILLION,), dtype=np.float64)
    yield Work(f"gelu {MILLION} f64", doubles, gelu, bytes=16 * MILLION)
    for dtype in (np.float32, np.float64):
        size = np.dtype(dtype).itemsize
        name = f"Black-Scholes {MILLION} f{8 * size}"
        yield Work(name, partial(market, MILLION, dtype), black_scholes, bytes=5 * size * MILLION)
    for count in (100_000, 10 * MILLION):
        yield Work(f"Adam {count} f32", partial(moments, count), adam, bytes=28 * count)
    for count in (10_000, MILLION):
        yield Work(f"exact gelu {count} f32", drawn((count,)), exact, {"numpy": None}, bytes=8 * count)
    yield Work(f"gradient of that {MILLION} f32", drawn((MILLION,)), slope_of_exact, {"numpy": None}, bytes=8 * MILLION)
    yield Work(f"powers {MILLION} f32", drawn((MILLION,), (MILLION,)), powers, bytes=12 * MILLION)
    count = 10 * MILLION
    yield Work(f"sum of two {count} f32", drawn((count,), (count,)), lambda _: operator.add, bytes=12 * count)
    yield Work("clipped Adam of 24 arrays", trees, clipped)
    yield Work(f"mixed {MILLION} f32", drawn((MILLION,), (MILLION,)), mixed, bytes=12 * MILLION)


if __name__ == "__main__":
    main(list(works()), __doc__)
