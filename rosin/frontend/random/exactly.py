"""What draws are made of besides sums, quotients and roots: functions whose bits are the same on every target.

Products that are terms of sums are `rounded`, since a target may have one operation for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import control, core
from rosin.frontend import numpy as rnp
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import promote
from rosin.ir.dtypes import f64, i64, u64
from rosin.ir.ops import exactly as ops
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.ir.op import Elementwise

FEW = 16
"""So many terms are added without a loop."""


def rounded(x: Array) -> Array:
    """A number that no target makes one operation of with what follows: a product that is a term of a sum, say."""
    return core.bind1(ops.Rounded(), x)


def quotient(x: Array, y: Array) -> Array:
    """x / y, where y may be known, or one number for many: no target takes the product with its reciprocal instead."""
    return core.bind1(ops.ExactDiv(), x, y)


def log(x: Array) -> Array:
    return core.bind1(ops.ExactLog(), x)


def log_of_normal(x: Array) -> Array:
    """The logarithm of numbers that are known to be positive and normal."""
    return core.bind1(ops.ExactLogOfNormal(), x)


def log1p(x: Array) -> Array:
    return core.bind1(ops.ExactLog1p(), x)


def exp(x: Array) -> Array:
    return core.bind1(ops.ExactExp(), rounded(x))


def tan(x: Array) -> Array:
    """The tangent of angles between -π/2 and π/2."""
    return core.bind1(ops.ExactTan(), x)


def lgamma(x: Array) -> Array:
    """The logarithm of the gamma function of f64 numbers from 1 on."""
    return core.bind1(ops.ExactLgamma(), x)


def in_double(op: Elementwise, x: Array) -> Array:
    """A function of f64 numbers alone, rounded to the type of x."""
    return promote.cast(core.bind1(op, rounded(promote.cast(x, f64))), core.dtype_of(x))


def power(x: Array, y: Array) -> Array:
    """Positive normal numbers to the power y, by way of logarithms in f64.

    The error grows with the size of the result's logarithm, in f64 alone where it counts.
    """
    wide = log_of_normal(promote.cast(x, f64)) * promote.cast(y, f64)
    return promote.cast(exp(wide), core.dtype_of(x))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by the exponential that is below 1."""
    small = exp(-rnp.abs(x))
    return rnp.where(x < 0, small, 1) / (small + 1)


def running_shares(chances: Array) -> Array:
    """Running sums, in f64, along the last axis of chances between 0 and 1. A chance that is NaN counts for 0.

    They are sums of whole numbers, which are exact in any order.
    """
    size = core.shape_of(chances)[-1]
    one = promote.number("running_shares", 1, TensorType(u64))
    if isinstance(size, int):
        width = promote.number("running_shares", max(size - 1, 0).bit_length(), TensorType(u64))
    else:
        powers = one << rnp.arange(32, dtype=u64)
        width = promote.cast(rnp.count_nonzero(powers < core.size_array(size, u64)), u64)
    scale = promote.cast(one << 62 - width, f64)
    counts = rnp.round(promote.cast(rnp.where(chances > 0, chances, 0), f64) * scale)
    return promote.cast(rnp.cumulative_sum(promote.cast(counts, i64), axis=-1), f64)


@custom_jvp
def total(x: Array) -> Array:
    """The sum along the last axis, from the first term to the last one."""
    terms, count = rnp.moveaxis(x, -1, 0), core.shape_of(x)[-1]
    if isinstance(count, int) and count <= FEW:
        return _added(rnp.unstack(terms), x)
    start = rnp.zeros(core.shape_of(x)[:-1], dtype=core.dtype_of(x))

    def step(so_far: Array, term: Array) -> tuple[Array, None]:
        return so_far + term, None

    return control.scan(step, start, terms)[0]


def _added(terms: tuple[Array, ...], like: Array) -> Array:
    so_far = rnp.zeros(core.shape_of(like)[:-1], dtype=core.dtype_of(like))
    for term in terms:
        so_far = so_far + term
    return so_far


@total.defjvp
def _total_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return total(*primals), rnp.sum(tangents[0], axis=-1)
