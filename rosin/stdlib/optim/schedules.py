"""Rates that depend on the step: functions from the number of steps before this one to a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import rosin
from rosin import Array
from rosin import numpy as rnp

Schedule: TypeAlias = Callable[[Array], Array]
Rate: TypeAlias = float | Schedule


def at(rate: Rate, step: Array) -> Array | float:
    """The rate at a step."""
    return rate(step) if callable(rate) else rate


def constant(value: float) -> Schedule:
    """One number."""
    return lambda step: rnp.asarray(value, dtype=rosin.float32)


def polynomial(start: float, end: float, steps: int, *, power: float = 1.0, begin: int = 0) -> Schedule:
    """From `start`, after `begin` steps, to `end` in `steps` more: a straight line if `power` is 1."""

    def schedule(step: Array) -> Array:
        return end + (start - end) * (1 - _part(step, begin, steps)) ** power

    return schedule


def linear(start: float, end: float, steps: int, *, begin: int = 0) -> Schedule:
    """A straight line from `start` to `end` in `steps`, after `begin` steps at `start`."""
    return polynomial(start, end, steps, begin=begin)


def cosine(start: float, steps: int, *, end: float = 0.0) -> Schedule:
    """Half a cosine from `start` to `end` in `steps` (Loshchilov and Hutter 2017)."""

    def schedule(step: Array) -> Array:
        return end + (start - end) * 0.5 * (1 + rnp.cos(math.pi * _part(step, 0, steps)))

    return schedule


def exponential(start: float, rate: float, steps: int, *, staircase: bool = False, end: float = 0.0) -> Schedule:
    """`start` times `rate` for every `steps`, not below `end`; with a `staircase` only at whole multiples."""

    def schedule(step: Array) -> Array:
        times = _float(step // steps) if staircase else _float(step) / steps
        return rnp.maximum(start * rate**times, end)

    return schedule


def inverse_sqrt(peak: float, warmup: int) -> Schedule:
    """A line to `peak` in `warmup` steps, then falling with the root of the step (Vaswani et al. 2017)."""

    def schedule(step: Array) -> Array:
        count = _float(step) + 1
        return peak * rnp.minimum(count / warmup, rnp.sqrt(warmup / count))

    return schedule


def piecewise(values: Sequence[float], boundaries: Sequence[int]) -> Schedule:
    """`values[i]` up to `boundaries[i]`, which are steps, and the last value after them.

    Raises:
        ValueError: there is not one value more than boundaries, or these do not increase.
    """
    if len(values) != len(boundaries) + 1 or sorted(set(boundaries)) != list(boundaries):
        raise ValueError(f"piecewise: {len(values)} values need as many increasing boundaries less one: {boundaries}")

    def schedule(step: Array) -> Array:
        table, ends = rnp.asarray(list(values), dtype=rosin.float32), rnp.asarray(list(boundaries), dtype=rosin.int32)
        return table[rnp.sum(step >= ends)]

    return schedule


def join(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule up to the first boundary, the next one up to the second, and so on; each counts from its own start.

    Raises:
        ValueError: there is not one schedule more than boundaries, or these do not increase.
    """
    if len(schedules) != len(boundaries) + 1 or sorted(set(boundaries)) != list(boundaries):
        raise ValueError(f"join: {len(schedules)} schedules need as many increasing boundaries less one: {boundaries}")

    def schedule(step: Array) -> Array:
        value = schedules[0](step)
        for begin, later in zip(boundaries, schedules[1:], strict=True):
            value = rnp.where(step < begin, value, later(step - begin))
        return value

    return schedule


def warmup_cosine(peak: float, warmup: int, steps: int, *, start: float = 0.0, end: float = 0.0) -> Schedule:
    """A line from `start` to `peak` in `warmup` steps, then half a cosine to `end` at `steps` in all."""
    return join([linear(start, peak, warmup), cosine(peak, steps - warmup, end=end)], [warmup])


def one_cycle(peak: float, steps: int, *, rise: float = 0.3, start: float = 25.0, end: float = 1e4) -> Schedule:
    """Half a cosine from `peak / start` up to `peak` in a part `rise` of the steps, then one down to
    `peak / start / end` (Smith and Topin 2018)."""
    up = round(rise * steps)
    return join([cosine(peak / start, up, end=peak), cosine(peak, steps - up, end=peak / start / end)], [up])


def _part(step: Array, begin: int, steps: int) -> Array:
    """How much of the steps is done, between 0 and 1."""
    return rnp.clip(_float(step - begin) / max(steps, 1), 0.0, 1.0)


def _float(step: Array) -> Array:
    return rnp.astype(rnp.asarray(step), rosin.float32)
