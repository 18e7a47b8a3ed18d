"""Functions whose derivatives the tests check, written once for Rosin and for NumPy-like peers.

Each takes the namespace of array functions and one vector or matrix of floats, and gives a scalar. `shape` and `low`,
`high` say where it is smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    name: str
    function: Callable[[Any, Any], Any]
    shape: tuple[int, ...] = (4,)
    low: float = -1.0
    high: float = 1.0

    def sample(self, seed: int, batch: tuple[int, ...] = ()) -> np.ndarray[Any, Any]:
        """An argument, float64, the same for the same seed."""
        return np.random.default_rng(seed).uniform(self.low, self.high, (*batch, *self.shape))


def _mlp(xp: Any, x: Any) -> Any:
    w = xp.reshape(xp.arange(12, dtype="float64"), (4, 3)) / 10.0 - 0.5
    v = xp.arange(3, dtype="float64") - 1.0
    return xp.sum(xp.tanh(xp.tanh(xp.matmul(x, w)) * v))


def _softmax_entropy(xp: Any, x: Any) -> Any:
    e = xp.exp(x - xp.max(x))
    p = e / xp.sum(e)
    return -xp.sum(p * xp.log(p))


def _layernorm(xp: Any, x: Any) -> Any:
    centred = x - xp.mean(x)
    return xp.sum(xp.sin(centred / xp.sqrt(xp.mean(centred * centred) + 0.1)))


def _loop(xp: Any, x: Any) -> Any:
    y = x
    for _ in range(4):
        y = y + 0.1 * xp.sin(y * 3.0)
    return xp.sum(y * y)


def _rosenbrock(xp: Any, x: Any) -> Any:
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _gaussian_mixture(xp: Any, x: Any) -> Any:
    centres = xp.reshape(xp.arange(3, dtype="float64"), (3, 1)) - 1.0
    return xp.sum(xp.log(xp.sum(xp.exp(-((x - centres) ** 2)), axis=0)))


CASES: tuple[Case, ...] = (
    Case("sum_of_squares", lambda xp, x: xp.sum(x * x)),
    Case("cube", lambda xp, x: xp.sum(x**3)),
    Case("quotient", lambda xp, x: xp.sum(x / (1.0 + x * x))),
    Case("reciprocal", lambda xp, x: xp.sum(1.0 / x), low=0.5, high=2.0),
    Case("exp", lambda xp, x: xp.sum(xp.exp(x))),
    Case("expm1", lambda xp, x: xp.sum(xp.expm1(x) * x)),
    Case("log", lambda xp, x: xp.sum(xp.log(x)), low=0.5, high=3.0),
    Case("log1p", lambda xp, x: xp.sum(xp.log1p(x * x))),
    Case("sqrt", lambda xp, x: xp.sum(xp.sqrt(x)), low=0.5, high=3.0),
    Case("sin_cos", lambda xp, x: xp.sum(xp.sin(x) * xp.cos(2.0 * x))),
    Case("tan", lambda xp, x: xp.sum(xp.tan(x))),
    Case("tanh", lambda xp, x: xp.sum(xp.tanh(x) * x)),
    Case("sinh_cosh", lambda xp, x: xp.sum(xp.sinh(x) * xp.cosh(x))),
    Case("atan", lambda xp, x: xp.sum(xp.atan(x * 2.0))),
    Case("asin", lambda xp, x: xp.sum(xp.asin(x)), low=-0.6, high=0.6),
    Case("acos", lambda xp, x: xp.sum(xp.acos(x)), low=-0.6, high=0.6),
    Case("asinh", lambda xp, x: xp.sum(xp.asinh(x))),
    Case("acosh", lambda xp, x: xp.sum(xp.acosh(x)), low=1.5, high=3.0),
    Case("atanh", lambda xp, x: xp.sum(xp.atanh(x)), low=-0.6, high=0.6),
    Case("atan2", lambda xp, x: xp.sum(xp.atan2(x, 2.0 + x * x))),
    Case("hypot", lambda xp, x: xp.sum(xp.hypot(x, 1.0 + x * x))),
    Case("power", lambda xp, x: xp.sum(x**x), low=0.5, high=2.0),
    Case("abs", lambda xp, x: xp.sum(xp.abs(x) * x), low=0.2, high=1.0),
    Case("where", lambda xp, x: xp.sum(xp.where(x > 0.0, xp.sin(x), x * x * 0.5))),
    Case("maximum", lambda xp, x: xp.sum(xp.maximum(x, 0.1) ** 2), low=0.2, high=1.0),
    Case("prod", lambda xp, x: xp.prod(x), low=0.5, high=1.5),
    Case("max", lambda xp, x: xp.max(x) ** 2),
    Case("mean_var", lambda xp, x: xp.mean(x) * xp.var(x)),
    Case("cumulative_sum", lambda xp, x: xp.sum(xp.sin(xp.cumulative_sum(x, axis=0)))),
    Case("matmul", lambda xp, x: xp.sum(xp.matmul(x, xp.matrix_transpose(x)) ** 2), shape=(2, 3)),
    Case("matrix_power", lambda xp, x: xp.sum(xp.matmul(xp.matmul(x, x), x)), shape=(2, 2)),
    Case("outer", lambda xp, x: xp.sum(xp.sin(x[:, None] * x[None, :]))),
    Case("slices", lambda xp, x: xp.sum(x[1:] * x[:-1] * x[::-1][1:])),
    Case("gather", lambda xp, x: xp.sum(xp.take(x, xp.asarray([0, 2, 2, 3]), axis=0) ** 3)),
    Case("concatenate", lambda xp, x: xp.sum(xp.concat([x, x * x]) ** 2)),
    Case("flip_roll", lambda xp, x: xp.sum(xp.flip(x) * xp.roll(x, 1) * x)),
    Case("transpose", lambda xp, x: xp.sum(xp.permute_dims(x, (1, 0)) * xp.reshape(x, (3, 2)) ** 2), shape=(2, 3)),
    Case("broadcast", lambda xp, x: xp.sum(xp.broadcast_to(x, (3, 4)) * xp.exp(x))),
    Case("stack", lambda xp, x: xp.sum(xp.prod(xp.stack([x, x + 1.0, x * 2.0]), axis=0))),
    Case("mlp", _mlp),
    Case("softmax_entropy", _softmax_entropy),
    Case("layernorm", _layernorm),
    Case("loop", _loop),
    Case("rosenbrock", _rosenbrock),
    Case("gaussian_mixture", _gaussian_mixture),
)
