"""Learning and chance: optimisation, sampling, decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin import numpy as rnp
from tests.gallery.table import draws, program


@program([-1.0, 1.5], others=([0.5, 0.5],), by=(0,), reverse="while")
def descent_with_line_search(x: Any) -> Any:
    """A few steps down Rosenbrock's valley, each halved until it goes down."""

    def value(p: Any) -> Any:
        return (1 - p[0]) ** 2 + 5 * (p[1] - p[0] ** 2) ** 2

    for _ in range(3):
        slope = rnp.stack([-2 * (1 - x[0]) - 20 * x[0] * (x[1] - x[0] ** 2), 10 * (x[1] - x[0] ** 2)])
        step = 1.0
        while value(x - step * slope) > value(x) - 0.3 * step * (slope @ slope) and step > 1e-6:
            step = step / 2
        x = x - step * slope
    return value(x)


@program(draws(31, 12, 2), others=(draws(32, 12, 2),))
def k_means(points: Any) -> Any:
    centres = points[:3]
    for _ in range(20):
        distance = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        own = distance.argmin(axis=1)[:, None] == rnp.arange(3)[None, :]
        counts = own.sum(axis=0)[:, None]
        sums = (own[:, :, None] * points[:, None, :]).sum(axis=0)
        after = rnp.where(counts > 0, sums / rnp.maximum(counts, 1), centres)
        moved = abs(after - centres).max()
        centres = after
        if moved < 1e-9:
            break
    return centres


@program(draws(33, 60, 2), 2.0, others=(draws(34, 60, 2), -1.0))
def simulated_annealing(chance: Any, x: Any) -> Any:
    best = x
    temperature = 1.0
    for move, accept in chance:
        candidate = x + 2 * move - 1
        change = candidate**2 + rnp.cos(4 * candidate) - x**2 - rnp.cos(4 * x)
        if change < 0 or accept < rnp.exp(-change / temperature):
            x = candidate
        if x**2 + rnp.cos(4 * x) < best**2 + rnp.cos(4 * best):
            best = x
        temperature *= 0.95
    return best


@program(draws(35, 50, 2), 0.5, others=(draws(36, 50, 2), 3.0))
def metropolis(chance: Any, x: Any) -> Any:
    """Samples from a normal distribution."""
    samples = []
    for move, accept in chance:
        candidate = x + 3 * (move - 0.5)
        if accept < rnp.exp((x * x - candidate * candidate) / 2):
            x = candidate
        samples.append(x)
    return rnp.stack(samples)


@program(draws(37, 40, 2), others=(draws(38, 40, 2),))
def rejection_sampling(chance: Any) -> Any:
    """The first point under the curve, and how many were drawn."""
    i = 0
    while True:
        x, y = 4 * chance[i, 0] - 2, chance[i, 1]
        i += 1
        if y < rnp.exp(-x * x) or i == len(chance):
            break
    return x, i


@program(
    draws(39, 9, 3),
    draws(40, 4, 4),
    draws(41, 3, 4),
    others=(draws(42, 9, 3), draws(43, 4, 4), draws(44, 3, 4)),
    by=(1, 2),
    reverse="while",
)
def rnn_with_early_stop(inputs: Any, recurrent: Any, weights: Any) -> Any:
    state = rnp.zeros(4, dtype=inputs.dtype)
    for x in inputs:
        state = rnp.tanh(state @ recurrent + x @ weights)
        if state.min() > 0.97:
            break
    return state.sum()


@program(
    draws(45, 5, 3),
    draws(46, 4, 4),
    draws(47, 3, 4),
    others=(draws(48, 5, 3), draws(49, 4, 4), draws(50, 3, 4)),
    by=(1, 2),
)
def rnn(inputs: Any, recurrent: Any, weights: Any) -> Any:
    state = rnp.zeros(4, dtype=inputs.dtype)
    states = []
    for x in inputs:
        state = rnp.tanh(state @ recurrent + x @ weights)
        states.append(state)
    return rnp.stack(states)


@program(draws(51, 4, 2), 0.8, others=(draws(52, 4, 2), 0.5), by=(0, 1), reverse="while")
def value_iteration(rewards: Any, discount: Any) -> Any:
    """States on a ring; one action goes left and the other right."""
    value = rnp.zeros(4, dtype=rewards.dtype)
    change = 1.0
    while change > 1e-10:
        left, right = rnp.roll(value, 1), rnp.roll(value, -1)
        after = rnp.maximum(rewards[:, 0] + discount * left, rewards[:, 1] + discount * right)
        change = abs(after - value).max()
        value = after
    return value


@program(draws(53, 40, 2), others=(draws(54, 40, 2),))
def bandit(chance: Any) -> Any:
    """Two arms, the better of which is pulled more and more: how often each was."""
    wins, pulls = rnp.ones(2), rnp.full(2, 2.0)
    for explore, luck in chance:
        if explore < 0.1:
            arm = 0 if luck < 0.5 else 1
        else:
            arm = rnp.argmax(wins / pulls)
        pulls[arm] += 1
        if luck < (0.3 if arm == 0 else 0.6):
            wins[arm] += 1
    return pulls


@program(draws(55, 8, 2) - 0.5, others=(draws(56, 8, 2) - 0.5,))
def perceptron(points: Any) -> Any:
    weights = rnp.zeros(2, dtype=points.dtype)
    for _ in range(10):
        mistakes = 0
        for point in points:
            label = 1.0 if point[0] > 0 else -1.0
            if label * (weights @ point) <= 0:
                weights = weights + label * point
                mistakes += 1
        if mistakes == 0:
            break
    return weights


@program(
    np.array([0.2, 0.7, -0.4]),
    np.array([1.0, 1.0, 0.0]),
    others=(np.array([0.9, -0.7, 0.4]), np.array([1.0, 0.0, 1.0])),
    by=(0,),
)
def logistic_regression(xs: Any, labels: Any) -> Any:
    slope = offset = 0.0
    for _ in range(8):
        for x, label in zip(xs, labels, strict=False):
            error = 1 / (1 + rnp.exp(-slope * x - offset)) - label
            slope, offset = slope - 0.5 * error * x, offset - 0.5 * error
    return slope + offset
