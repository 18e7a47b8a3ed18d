"""Loops beside the peers: trajectories and their gradients, many at once, loops that end when they are done, grids.

python benches/loops.py [NAME ...]     (see _rivals.py for more)

Numba's loops are written by hand (_loops.py); it has no gradients. JAX has no gradient through a `while`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from _libraries import Library
from _loops import (
    NUMBA_BODIES,
    NUMBA_CARTS,
    NUMBA_COLLATZ,
    NUMBA_HEAT,
    NUMBA_MANDELBROT,
    NUMBA_RK4,
    NUMBA_TSIT5,
    NUMBA_WALKS,
    TABLEAU,
    numba,
)
from _rivals import Arrays, Run, Work, draw, main

STEPS = 10_000
LANES = 4096
ONLY_LOOPS: dict[str, Any] = {"numpy": None, "torch": None, "torch.compile": None}
"""Who has nothing for loops but Python's own."""


def field(xp: Any, y: Any) -> Any:
    """Lotka-Volterra."""
    a, b = y[..., 0], y[..., 1]
    return xp.stack([1.5 * a - a * b, a * b - 3.0 * b], axis=-1)


def field_of(rates: Any) -> Callable[[Any, Any], Any]:
    """The same with rates that are to be found."""
    return lambda xp, y: xp.stack(
        [rates[0] * y[0] - rates[1] * y[0] * y[1], rates[2] * y[0] * y[1] - rates[3] * y[1]], axis=-1
    )


def rk4(xp: Any, y: Any, h: float = 0.001, field: Callable[[Any, Any], Any] = field) -> Any:
    k1 = field(xp, y)
    k2 = field(xp, y + h / 2 * k1)
    k3 = field(xp, y + h / 2 * k2)
    k4 = field(xp, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def tsit5(xp: Any, y: Any, h: float = 0.01) -> Any:
    """A step of fixed size of the method of Tsitouras, 2011."""
    stages = [field(xp, y)]
    for row in TABLEAU:
        y_next = y
        for a, k in zip(row, stages, strict=True):
            y_next = y_next + h * a * k
        if len(stages) < len(TABLEAU):
            stages.append(field(xp, y_next))
    return y_next


def trajectory(n: Any) -> Callable[[Any], Any]:
    def step(y: Any, _: Any) -> Any:
        after = rk4(n.xp, y)
        return after, after

    return lambda y: n.scan(step, y, None, length=STEPS)[1]


def final(n: Any) -> Callable[[Any], Any]:
    return lambda y: n.scan(lambda y, _: (rk4(n.xp, y), None), y, None, length=STEPS)[0].sum()


def misfit(n: Any) -> Callable[[Any, Any, Any], Any]:
    """How far the trajectory by these rates is from data: what parameters are estimated by."""

    def total(rates: Any, y: Any, data: Any) -> Any:
        def step(y: Any, _: Any) -> Any:
            after = rk4(n.xp, y, 0.001, field_of(rates))
            return after, after

        return n.xp.sum((n.scan(step, y, None, length=STEPS)[1] - data) ** 2)

    return total


def many(n: Any, steps: int) -> Callable[[Any], Any]:
    return lambda y: n.scan(lambda y, _: (tsit5(n.xp, y), None), y, None, length=steps)[0]


def escape(n: Any, most: int) -> Callable[[Any], Any]:
    def inside(c: Any) -> Any:
        def goes_on(state: Any) -> Any:
            x, y, k = state
            return (x * x + y * y <= 4.0) & (k < most)

        def step(state: Any) -> Any:
            x, y, k = state
            return x * x - y * y + c[0], 2 * x * y + c[1], k + 1

        zero = n.xp.zeros((), dtype="float32")
        return n.while_loop(goes_on, step, (zero, zero, 0))[2]

    return inside


def collatz(n: Any) -> Callable[[Any], Any]:
    def step(state: Any) -> Any:
        x, k = state
        return n.xp.where(x % 2 == 0, x // 2, 3 * x + 1), k + 1

    return lambda x: n.while_loop(lambda state: state[0] != 1, step, (x, x * 0))[1]


def walks(n: Any) -> Callable[[Any], Any]:
    """As many short steps as each example says."""

    def run(count: Any) -> Any:
        one = n.xp.ones((), dtype="float32")
        return n.while_loop(lambda s: s[1] < count, lambda s: (s[0] * 0.999 + 0.5, s[1] + 1), (one, count * 0))[0]

    return run


def settle(n: Any) -> Callable[[Any, Any], Any]:
    """As many steps as the second argument says, known only when it runs."""
    return lambda y, stop: n.while_loop(lambda s: s[0] < stop, lambda s: (s[0] + 1, rk4(n.xp, s[1])), (0, y))[1].sum()


def environments(n: Any, steps: int) -> Callable[[Any, Any], Any]:
    """Cart-poles under a linear policy (Barto, Sutton and Anderson, 1983); those that fall start anew."""

    def step(state: Any, _: Any) -> Any:
        x, v, angle, spin, start = state
        force = n.xp.where(x + v + 4.0 * angle + spin > 0, 10.0, -10.0)
        sin, cos = n.xp.sin(angle), n.xp.cos(angle)
        push = (force + 0.05 * spin * spin * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1))
        move = push - 0.05 * turn * cos / 1.1
        x, v, angle, spin = x + 0.02 * v, v + 0.02 * move, angle + 0.02 * spin, spin + 0.02 * turn
        fallen = (n.xp.abs(x) > 2.4) | (n.xp.abs(angle) > 0.2095)
        x, v, angle, spin = (n.xp.where(fallen, start, value) for value in (x, v, angle, spin))
        return (x, v, angle, spin, start), None

    def run(start: Any) -> Any:
        return n.scan(step, (start, start, start, start, start), None, length=steps)[0][:4]

    return run


def forces(n: Library) -> Callable[..., Any]:
    """Gravity among all pairs of bodies, softened."""

    def run(places: Any, masses: Any) -> Any:
        apart = places[None, :, :] - places[:, None, :]
        squared = n.xp.sum(apart * apart, axis=-1) + np.float32(1e-2)
        pull = masses[None, :] / (squared * n.xp.sqrt(squared))
        return n.xp.sum(apart * pull[:, :, None], axis=1)

    return run


def heat(steps: int) -> Callable[[Library], Callable[..., Any]]:
    """Explicit steps of the heat equation on a square whose border stays as it is."""

    def make(n: Library) -> Callable[..., Any]:
        def step(_: Any, u: Any) -> Any:
            inner = u[1:-1, 1:-1]
            around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
            return u.at[1:-1, 1:-1].set(inner + np.float32(0.2) * (around - 4 * inner))

        return lambda u: n.fori_loop(0, steps, step, u)

    return make


def heat_of_torch(steps: int) -> Callable[[Arrays], Run]:
    def make(arrays: Arrays) -> Run:
        import torch

        given = torch.from_numpy(arrays[0].copy())

        def run() -> object:
            u = given.clone()
            for _ in range(steps):
                inner = u[1:-1, 1:-1]
                around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
                u[1:-1, 1:-1] = inner + 0.2 * (around - 4 * inner)
            return u

        return run

    return make


def recurrence(n: Any) -> Callable[[Any, Any], Any]:
    """y[t] = a[t] y[t-1] + x[t], as state-space layers have it (Smith, Warrington and Linderman, 2023)."""

    def compose(first: Any, second: Any) -> Any:
        return first[0] * second[0], second[0] * first[1] + second[1]

    return lambda a, x: n.associative_scan(compose, (a, x))[1]


def leaky(n: Any) -> Callable[[Any, Any], Any]:
    """Units of an image each of which leaks towards what comes in, step by step."""

    def step(state: Any, x: Any) -> Any:
        after = state + 0.1 * (n.xp.tanh(x) - state)
        return after, after

    return lambda state, x: n.scan(step, state, x)[1]


def of_squares(n: Any, make: Callable[[Any], Any]) -> Callable[..., Any]:
    """The gradient of the sum of squares of what a function gives."""
    f = make(n)
    return n.grad(lambda a, x: n.xp.sum(f(a, x) ** 2), (0, 1))


def network(n: Any, weights: Any, x: Any) -> Any:
    for w, bias in weights[:-1]:
        x = n.xp.tanh(x @ w + bias)
    w, bias = weights[-1]
    return (x @ w + bias)[0]


def pinn(n: Library) -> Callable[..., Any]:
    """A network that solves u_t = u_xx (Raissi, Perdikaris and Karniadakis, 2019): its loss and gradient."""

    def residual(weights: Any, t: Any, x: Any) -> Any:
        def u(t: Any, x: Any) -> Any:
            return network(n, weights, n.xp.stack([t, x]))

        return n.grad(u, 0)(t, x) - n.grad(n.grad(u, 1), 1)(t, x)

    def loss(weights: Any, t: Any, x: Any) -> Any:
        return n.xp.mean(n.vmap(lambda t, x: residual(weights, t, x))(t, x) ** 2)

    return n.value_and_grad(loss)


def pinn_of_torch(arrays: Arrays) -> Run:
    import torch
    from torch.func import grad, grad_and_value, vmap

    class Names:
        xp = torch

    def residual(weights: Any, t: Any, x: Any) -> Any:
        def u(t: Any, x: Any) -> Any:
            return network(Names, weights, torch.stack([t, x]))

        return grad(u, 0)(t, x) - grad(grad(u, 1), 1)(t, x)

    def loss(weights: Any, t: Any, x: Any) -> Any:
        return torch.mean(vmap(residual, (None, 0, 0))(weights, t, x) ** 2)

    weights = [tuple(map(torch.from_numpy, pair)) for pair in arrays[0]]
    points = [torch.from_numpy(a) for a in arrays[1:]]
    return lambda: grad_and_value(loss)(weights, *points)


def layers(width: int) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    sizes = [2, width, width, width, 1]
    return [(draw(i, o) * np.float32(i**-0.5), draw(o)) for i, o in itertools.pairwise(sizes)]


def works() -> Iterator[Work]:
    rng = np.random.default_rng(0)
    one, starts = np.array([1.0, 1.0]), rng.uniform(0.5, 2.0, (LANES, 2))
    grid = np.stack(np.meshgrid(np.linspace(-2, 1, 300), np.linspace(-1.5, 1.5, 300)), -1).reshape(-1, 2)
    grid = grid.astype(np.float32)
    rates, data = np.array([1.5, 1.0, 1.0, 3.0]), rng.uniform(0.5, 2.0, (STEPS, 2))
    carts = rng.uniform(-0.05, 0.05, LANES).astype(np.float32)
    numbers = np.arange(1, 100_001, dtype=np.int32)
    lengths = np.minimum(10 * rng.pareto(1.2, 20_000) + 1, 20_000).astype(np.int32)

    def work(name: str, make: Callable[[Any], Any], arrays: Arrays, own: Mapping[str, Any] | None = None) -> Work:
        return Work(name, lambda: arrays, make, {**ONLY_LOOPS, **(own or {})})

    yield work("RK4 trajectory, 10,000 steps", trajectory, [one], numba(NUMBA_RK4, STEPS))
    yield work("its final state", final, [one])
    yield work("gradient of that", lambda n: n.grad(final(n)), [one])
    yield work("gradient of a misfit by four rates", lambda n: n.grad(misfit(n)), [rates, one, data])
    yield work("gradient through a while", lambda n: n.grad(settle(n)), [one, np.asarray(STEPS)], {"jax": None})
    yield work("4096 x Tsit5, 500 steps", lambda n: n.vmap(many(n, 500)), [starts], numba(NUMBA_TSIT5, 500))
    yield work("Mandelbrot, 90,000 points", lambda n: n.vmap(escape(n, 100)), [grid], numba(NUMBA_MANDELBROT, 100))
    yield work("Collatz from 1 ... 100,000", lambda n: n.vmap(collatz(n)), [numbers], numba(NUMBA_COLLATZ))
    yield work("20,000 walks of Pareto lengths", lambda n: n.vmap(walks(n)), [lengths], numba(NUMBA_WALKS))
    yield work("4096 cart-poles, 300 steps", lambda n: n.vmap(environments(n, 300)), [carts], numba(NUMBA_CARTS, 300))
    for count in (64, 512, 4096):
        bodies = [draw(count, 3), np.abs(draw(count, seed=1))]
        own = {"numpy": None, **numba(NUMBA_BODIES)}
        yield Work(f"forces among {count} bodies", lambda given=bodies: given, forces, own, 20.0 * count * count)
    for size, steps in ((64, 1000), (512, 100), (2048, 10)):
        square = [draw(size, size)]
        own = {**numba(NUMBA_HEAT, steps), "torch": heat_of_torch(steps)}
        yield work(f"heat on {size}x{size}, {steps} steps", heat(steps), square, own)
    for shape in ((4096, 64), (1_000_000,)):
        given = [rng.uniform(0, 0.9, shape).astype(np.float32), draw(*shape)]
        size = "x".join(map(str, shape))
        yield work(f"recurrence by associative scan {size}", recurrence, given)
        yield work(f"its gradient {size}", lambda n: of_squares(n, recurrence), given)
    images = [draw(3, 64, 64), draw(100, 3, 64, 64, seed=1)]
    yield work("leaky units, 100 steps of 3x64x64", leaky, images)
    yield work("its gradient 3x64x64", lambda n: of_squares(n, leaky), images)
    for points, width in ((256, 32), (4096, 64)):
        given = [layers(width), draw(points, seed=1), draw(points, seed=2)]
        yield work(f"PINN, {points} points, {width} wide", pinn, given, {"torch": pinn_of_torch})


if __name__ == "__main__":
    main(list(works()), __doc__)
