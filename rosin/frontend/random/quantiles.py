"""How quantiles move with the parameters of their distribution: the implicit derivatives of draws.

They are worked out in f64, one number at a time, since the number of terms differs from one to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import control, core
from rosin.frontend import numpy as rnp
from rosin.frontend.batching import vmap
from rosin.frontend.numpy import promote
from rosin.ir import dims
from rosin.ir.dtypes import f64

if TYPE_CHECKING:
    from rosin.frontend.array import Array

    State: TypeAlias = "tuple[Array, Array, Array, Array, Array]"

LARGE = 1000.0
"""Shapes above have the expansion for large ones."""

MOST_TERMS = 2000
"""More than any series takes whose number lies where gamma numbers do."""


def gamma_slope(a: Array, log_x: Array) -> Array:
    """The derivative of log(x) by `a`, where x keeps its quantile in the gamma distribution of shape `a`."""
    shape, count = core.shape_of(a), dims.product(core.shape_of(a))
    lines = [rnp.reshape(promote.cast(v, f64), (count,)) for v in (a, log_x)]
    found = vmap(_one_slope)(*lines)
    return promote.cast(rnp.reshape(found, shape), core.dtype_of(a))


def _one_slope(a: Array, log_x: Array) -> Array:
    is_large = a > LARGE
    near = rnp.where(is_large, LARGE, a)
    x = rnp.exp(rnp.where(is_large, 0, log_x))
    return rnp.where(is_large, _slope_of_large(rnp.where(is_large, a, LARGE), log_x), _slope_by_series(near, log_x, x))


def _slope_by_series(a: Array, log_x: Array, x: Array) -> Array:
    """By the series P(a, x) = x**a exp(-x) / Γ(a + 1) Σ xⁿ / ((a + 1) … (a + n)), DLMF 8.7.1, and its derivative.

    It cancels as exp(x - a) grows: gamma numbers that cost half of the digits come up once in 10**8.
    """

    def goes_on(state: State) -> Array:
        n, term, total, _, _ = state
        return (term > 1e-17 * total) & (n < MOST_TERMS)

    def step(state: State) -> State:
        n, term, total, harmonic, weighted = state
        n = n + 1
        term, harmonic = term * (x / (a + n)), harmonic + 1 / (a + n)
        return n, term, total + term, harmonic, weighted + term * harmonic

    zero, one = rnp.zeros((), dtype=f64), rnp.ones((), dtype=f64)
    _, _, total, _, weighted = control.while_loop(goes_on, step, (zero, one, one, zero, zero))
    return (weighted - total * (log_x - rnp.digamma(a + 1))) / a


def _slope_of_large(a: Array, log_x: Array) -> Array:
    """By x as an expansion in powers of 1 / √a with a normal number z that stays.

    Goldberg and Levine, "Approximate formulas for the percentage points and normalization of t and χ²", 1946. For a
    above 1000 the first term that is left out is below 1e-10.
    """
    x, root = rnp.exp(log_x), rnp.sqrt(a)

    def terms(z: Array) -> tuple[Array, Array, Array, Array]:
        square = z * z
        third = z * (square - 7) / 36
        fourth = -(square * (3 * square + 7) - 16) / 810
        fifth = z * (square * (9 * square + 256) - 433) / 38880
        return (square - 1) / 3, third / root, fourth / a, fifth / (a * root)

    # Wilson and Hilferty's cube root is good to start with.
    z = 3 * root * (rnp.exp((log_x - rnp.log(a)) / 3) - 1 + 1 / (9 * a))
    for _ in range(3):
        excess = a + root * z + sum(terms(z)) - x
        z = z - excess / (root + 2 * z / 3 + (3 * z * z - 7) / (36 * root))
    _, third, fourth, fifth = terms(z)
    return (1 + (root * z / 2 - third / 2 - fourth - 1.5 * fifth) / a) / x


__all__ = ["gamma_slope"]
