"""A step length that meets the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import rosin
from rosin import Array
from rosin import numpy as rnp


@dataclass
class Point:
    """A place on the line: how far it is along the direction, the value, the slope along the line, the gradient."""

    length: Array
    value: Array
    slope: Array
    gradient: Array


@dataclass
class _Search:
    """`low` is the best place that falls enough, and with `high` brackets a good one once `bracketed`."""

    count: Array
    done: Array
    bracketed: Array
    trial: Array
    low: Point
    high: Point


def strong_wolfe(
    along: Callable[[Array], Point],
    start: Point,
    first: Array,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    steps: int = 25,
) -> Point:
    """A place where the value has fallen by `c1` of what the slope promised and the slope is at most `c2` of its own.

    `along(length)` is the line, `first` the length that is tried first. After so many `steps` without one, the best
    place that has fallen enough, which may be the start.
    """

    def step(search: _Search) -> _Search:
        low, high = search.low, search.high
        trial = along(search.trial)
        promised = start.value + c1 * trial.length * start.slope
        # A value that is no number is too high.
        worse = ~(trial.value <= promised) | (~(trial.value < low.value) & (search.bracketed | (search.count > 0)))
        good = ~worse & (rnp.abs(trial.slope) <= -c2 * start.slope)
        rising = trial.slope * rnp.where(search.bracketed, high.length - low.length, 1.0) >= 0
        crossed = ~worse & rising
        bracketed = search.bracketed | worse | crossed
        new_high = _choose(worse, trial, _choose(crossed, low, high))
        new_low = _choose(worse, low, trial)
        length = rnp.where(bracketed, _between(new_low, new_high), 2 * trial.length)
        tiny = rnp.abs(new_high.length - new_low.length) <= 1e-9 * rnp.maximum(1e-12, rnp.abs(new_low.length))
        return _Search(search.count + 1, good | (bracketed & tiny), bracketed, length, new_low, new_high)

    no = rnp.zeros((), dtype=bool)
    begin = _Search(rnp.zeros((), dtype=rosin.int32), no, no, first, start, start)
    return rosin.while_loop(lambda s: ~s.done & (s.count < steps), step, begin).low


def _choose(which: Array, a: Point, b: Point) -> Point:
    return rosin.tree.map(lambda x, y: rnp.where(which, x, y), a, b)


def _between(low: Point, high: Point) -> Array:
    """The minimum of the cubic through both places, kept off the ends; the middle where there is none."""
    width = high.length - low.length
    a = low.slope + high.slope - 3 * (high.value - low.value) / rnp.where(width == 0, 1, width)
    square = a * a - low.slope * high.slope
    b = rnp.sign(width) * rnp.sqrt(rnp.maximum(square, 0))
    below = high.slope - low.slope + 2 * b
    part = 1 - (high.slope + b - a) / rnp.where(below == 0, 1, below)
    fits = (square >= 0) & (below != 0) & rnp.isfinite(part)
    return low.length + width * rnp.clip(rnp.where(fits, part, 0.5), 0.1, 0.9)
