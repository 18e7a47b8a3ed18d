"""Things that move: differential equations, events, automata, queues."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin import numpy as rnp
from tests.gallery.table import draws, program


@program(1.0, 0.1, 50, others=(2.0, 0.05, 20), by=(0, 1), reverse="while")
def euler_decay(x: Any, h: Any, steps: Any) -> Any:
    for _ in range(steps):
        x = x + h * (-x + rnp.sin(x))
    return x


@program([1.0, 0.0], 0.05, others=([0.3, 1.0], 0.1), by=(0, 1))
def pendulum_rk4(state: Any, h: Any) -> Any:
    def slope(y: Any) -> Any:
        return rnp.stack([y[1], -rnp.sin(y[0])])

    for _ in range(10):
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


@program(1.0, 1e-6, others=(0.5, 1e-5), by=(0,), reverse="while")
def adaptive_heun(x: Any, tolerance: Any) -> Any:
    """x' = sin(t) - x up to t = 2, with steps as large as the error allows."""
    t, h = 0.0, 0.1
    while t < 2.0:
        h = min(h, 2.0 - t)
        k1 = rnp.sin(t) - x
        k2 = rnp.sin(t + h) - (x + h * k1)
        error = abs(h * (k2 - k1) / 2)
        if error <= tolerance:
            t = t + h
            x = x + h * (k1 + k2) / 2
            if 2.0 - t < 1e-12:
                break
        h = h * min(2.0, max(0.3, 0.9 * rnp.sqrt(tolerance / (error + 1e-30))))
    return x


@program(3.0, 0.8, others=(1.5, 0.6), by=(0,), reverse="while")
def bouncing_ball(height: Any, bounce: Any) -> Any:
    """The height after 300 steps; each touch of the floor turns the speed around."""
    speed, bounces = 0.0, 0
    for _ in range(300):
        speed = speed - 9.81 * 0.005
        height = height + speed * 0.005
        if height < 0:
            height, speed = -height * bounce, -speed * bounce
            bounces += 1
        if bounces == 4:
            break
    return height + 0.0 * bounces


@program(10.0, 20.0, others=(5.0, 31.0), by=(0, 1), reverse="while")
def time_of_landing(speed: Any, height: Any) -> Any:
    """Event detection: step until below ground, then halve the last step."""
    t, h = 0.0 * speed, 0.1
    while True:
        after = height + speed * (t + h) - 4.905 * (t + h) ** 2
        if after < 0:
            h = h / 2
            if h < 1e-12:
                break
        else:
            t = t + h
    return t + (height + speed * t - 4.905 * t**2) / (9.81 * t - speed)


@program(1.0, 0.0, 0.0, 1.0, others=(1.0, 0.2, 0.1, 0.9), by=(0, 3))
def kepler_leapfrog(x: Any, y: Any, vx: Any, vy: Any) -> Any:
    h = 0.02
    track = []
    for _ in rnp.arange(20):
        x, y = x + h / 2 * vx, y + h / 2 * vy
        r3 = (x * x + y * y) ** 1.5
        vx, vy = vx - h * x / r3, vy - h * y / r3
        x, y = x + h / 2 * vx, y + h / 2 * vy
        track.append(x * x + y * y)
    return rnp.stack(track)


@program(np.sin(np.arange(8.0)), 0.2, others=(np.ones(8), 0.1), by=(0, 1))
def heat_equation(u: Any, rate: Any) -> Any:
    for _ in range(5):
        u = u.copy()
        u[1:-1] += rate * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


@program(draws(1, 40), 20, others=(draws(2, 40), 9))
def gillespie(chance: Any, population: Any) -> Any:
    """Births and deaths one at a time, each after a random waiting time, until time 5 or extinction."""
    t, i = 0.0, 0
    while t < 5.0 and population > 0 and i + 1 < len(chance):
        birth, death = 0.3 * population, 0.4 * population
        t = t - rnp.log(chance[i]) / (birth + death)
        if chance[i + 1] * (birth + death) < birth:
            population += 1
        else:
            population -= 1
        i += 2
    return population


@program(draws(3, 30), draws(4, 30), others=(draws(5, 30), draws(6, 30)))
def queue(arrivals: Any, services: Any) -> Any:
    """The longest wait of customers at one counter."""
    clock = free_at = longest = 0.0
    for gap, service in zip(arrivals, services, strict=False):
        clock += gap
        wait = max(free_at - clock, 0.0)
        if wait > longest:
            longest = wait
        free_at = clock + wait + 1.2 * service
    return longest


@program(
    [[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    3,
    others=([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], 2),
)
def game_of_life(board: Any, generations: Any) -> Any:
    for _ in range(generations):
        neighbours = 0 * board
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                if dx or dy:
                    neighbours = neighbours + rnp.roll(board, (dx, dy), axis=(0, 1))
        board = rnp.where((neighbours == 3) | ((board == 1) & (neighbours == 2)), 1, 0)
    return board


@program([0, 0, 0, 0, 1, 0, 0, 0], others=([1, 0, 0, 1, 1, 0, 1, 0],))
def rule_110(cells: Any) -> Any:
    for _ in range(4):
        after = cells.copy()
        for i in range(len(cells)):
            pattern = 4 * cells[i - 1] + 2 * cells[i] + cells[(i + 1) % len(cells)]
            after[i] = 1 if pattern in (1, 2, 3, 5, 6) else 0
        cells = after
    return cells


@program(draws(7, 50), 3, others=(draws(8, 50), 5))
def random_walk(chance: Any, barrier: Any) -> Any:
    """When the walk first meets a barrier."""
    place = 0
    for step, x in enumerate(chance):
        place += 1 if x < 0.5 else -1
        if abs(place) == barrier:
            return step
    return -1


@program(0.1, 0.02, others=(0.3, 0.1), by=(0,), reverse="while")
def predator_and_prey(prey: Any, predators: Any) -> Any:
    """Until the prey has its first peak."""
    before = 0.0
    while prey >= before:
        before = prey
        change = prey * (1.0 - 3.0 * predators)
        predators = predators + 0.05 * predators * (4.0 * prey - 1.0)
        prey = prey + 0.05 * change
    return prey
