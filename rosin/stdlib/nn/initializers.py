"""How parameters start: functions of a key, a shape and an element type.

Weights have their outputs along the first axis and their inputs along the second; further axes are the window of a
convolution. Names and numbers are those of `jax.nn.initializers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import rosin
from rosin import Array
from rosin import numpy as rnp

Initializer: TypeAlias = Callable[[Array, Sequence[int], Any], Array]
"""Takes a key, a shape and an element type."""

Distribution = Literal["normal", "truncated_normal", "uniform"]

_TRUNCATED = 0.87962566103423978
"""The standard deviation of a standard normal number that is drawn between -2 and 2."""


def zeros(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
    """Zeros."""
    return rnp.zeros(tuple(shape), dtype=dtype)


def ones(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
    """Ones."""
    return rnp.ones(tuple(shape), dtype=dtype)


def constant(value: float) -> Initializer:
    """One number everywhere."""
    return lambda key, shape, dtype=rosin.float32: rnp.full(tuple(shape), value, dtype=dtype)


def normal(stddev: float = 0.01) -> Initializer:
    """Normal numbers around 0."""
    return lambda key, shape, dtype=rosin.float32: rosin.random.normal(key, tuple(shape), dtype) * stddev


def truncated_normal(stddev: float = 0.01, lower: float = -2.0, upper: float = 2.0) -> Initializer:
    """Normal numbers of which those beyond `lower` and `upper` standard deviations are drawn again."""

    def draw(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
        return rosin.random.truncated_normal(key, lower, upper, tuple(shape), dtype) * stddev

    return draw


def uniform(scale: float = 0.01) -> Initializer:
    """Numbers from -scale to scale."""

    def draw(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
        return rosin.random.uniform(key, tuple(shape), dtype, minval=-scale, maxval=scale)

    return draw


def variance_scaling(
    scale: float, mode: Literal["fan_in", "fan_out", "fan_avg"], distribution: Distribution
) -> Initializer:
    """Numbers of variance `scale / fan`, where the fan is what is summed into an output, or what an input goes to.

    Raises:
        ValueError: no such mode or distribution.
    """
    if mode not in ("fan_in", "fan_out", "fan_avg"):
        raise ValueError(f"variance_scaling: mode is 'fan_in', 'fan_out' or 'fan_avg', not {mode!r}")
    if distribution not in ("normal", "truncated_normal", "uniform"):
        message = f"'normal', 'truncated_normal' or 'uniform', not {distribution!r}"
        raise ValueError(f"variance_scaling: distribution is {message}")

    def draw(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
        outputs, inputs = fans(shape)
        fan = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[mode]
        deviation = math.sqrt(scale / max(fan, 1))
        if distribution == "normal":
            return normal(deviation)(key, shape, dtype)
        if distribution == "truncated_normal":
            return truncated_normal(deviation / _TRUNCATED)(key, shape, dtype)
        return uniform(deviation * math.sqrt(3))(key, shape, dtype)

    return draw


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many numbers an input of a weight goes into, and how many are summed into an output."""
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {tuple(shape)} has no fans: it needs an axis of outputs and one of inputs")
    window = math.prod(shape[2:])
    return shape[0] * window, shape[1] * window


def glorot_uniform() -> Initializer:
    """Glorot and Bengio 2010; also called Xavier's."""
    return variance_scaling(1.0, "fan_avg", "uniform")


def glorot_normal() -> Initializer:
    """Glorot and Bengio 2010, from a truncated normal distribution."""
    return variance_scaling(1.0, "fan_avg", "truncated_normal")


def lecun_uniform() -> Initializer:
    """LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "uniform")


def lecun_normal() -> Initializer:
    """LeCun et al. 1998, from a truncated normal distribution."""
    return variance_scaling(1.0, "fan_in", "truncated_normal")


def he_uniform() -> Initializer:
    """He et al. 2015; also called Kaiming's. It keeps the scale of activations through relus."""
    return variance_scaling(2.0, "fan_in", "uniform")


def he_normal() -> Initializer:
    """He et al. 2015, from a truncated normal distribution."""
    return variance_scaling(2.0, "fan_in", "truncated_normal")


def orthogonal(scale: float = 1.0) -> Initializer:
    """Matrices whose rows or columns, whichever are fewer, are orthonormal (Saxe et al. 2014), times `scale`."""

    def draw(key: Array, shape: Sequence[int], dtype: Any = rosin.float32) -> Array:
        fans(shape)  # Refuses what is no weight.
        rows, columns = shape[0], math.prod(shape[1:])
        square = rosin.random.orthogonal(key, max(rows, columns), (), dtype)
        return rnp.reshape(square[:rows, :columns], tuple(shape)) * scale

    return draw
