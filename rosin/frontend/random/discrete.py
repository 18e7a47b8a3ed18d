"""Discrete distributions: counts, and places by their probabilities. No derivative flows through what is drawn.

Counts are worked out in f64 whatever the types of parameters and results are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rosin.frontend import control, core
from rosin.frontend import numpy as rnp
from rosin.frontend.batching import vmap
from rosin.frontend.core import DEFAULT_INT, DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random import exactly
from rosin.frontend.random.arguments import (
    NOT_NEGATIVE,
    PROBABILITY,
    Shape,
    drawn_shape,
    float_type,
    integer_type,
    one_key,
    parameter,
)
from rosin.frontend.random.continuous import gumbels
from rosin.frontend.random.drawing import drawn
from rosin.frontend.random.exactly import log_of_normal, rounded
from rosin.frontend.random.keys import split
from rosin.frontend.random.singles import LAST, joined, one_by_one, words
from rosin.frontend.random.uniforms import unit, unit_of
from rosin.ir import dims
from rosin.ir.dtypes import DType, f64

if TYPE_CHECKING:
    from rosin.frontend.array import Array

    Take: TypeAlias = "Callable[[Array, Array, Array, Array], Array]"
    Search: TypeAlias = "tuple[Array, Array, Array]"
    Attempts: TypeAlias = "tuple[Array, Array, Array]"

FEW = 10.0
"""Counts of a smaller mean are searched for from 0 on."""

MOST_FEW = 400
"""A count of so small a mean never comes to so much."""


def _uniform(key: Array, number: Array) -> Array:
    """A uniform f64 number in [0, 1) from the words that a key has at a number."""
    return unit_of(joined(words(key, number)), f64)


def _searched(key: Array, wanted: Array, first: Array, ratio: Callable[[Array], Array], most: Array | float) -> Array:
    """The first count up to which the probabilities add up to a uniform number, where it is wanted.

    The probability of 0 is `first`, and that of k is `ratio(k)` times the one before.
    """

    def goes_on(state: Search) -> Array:
        count, probability, left = state
        return wanted & (left >= probability) & (count < most)

    def step(state: Search) -> Search:
        count, probability, left = state
        count = count + 1
        return count, rounded(probability * ratio(count)), left - probability

    last = rnp.asarray(LAST, dtype="uint32")
    return control.while_loop(goes_on, step, (rnp.zeros((), dtype=f64), first, _uniform(key, last)))[0]


def _log_factorial(count: Array) -> Array:
    """log(count!), of counts that are not below 0; of others it is anything."""
    return exactly.lgamma(count + 1)


def _attempted(key: Array, wanted: Array, b: Array, a: Array, start: Array, take: Take) -> Array:
    """Counts by transformed rejection, where they are wanted.

    `take(u, v, v_scaled, count)` says whether a count is taken, `v_scaled` being log(v / (a / u² + b)), for
    W. Hörmann's hat, whose inverse is (2 a / u + b) u' + start ("The transformed rejection method for generating
    Poisson random variables" and "The generation of binomial random variates", 1993).
    """

    def goes_on(state: Attempts) -> Array:
        return state[2]

    def step(state: Attempts) -> Attempts:
        number = state[0] + 1
        shifted, v = _uniform(key, 2 * number) - 0.5, _uniform(key, 2 * number + 1)
        u = 0.5 - rnp.abs(shifted)
        count = rnp.floor(rounded((2 * a / u + b) * shifted) + start)
        return number, count, ~take(u, v, exactly.log(v / (a / (u * u) + b)), count)

    return control.while_loop(goes_on, step, (rnp.asarray(-1, dtype="int32"), rnp.zeros((), dtype=f64), wanted))[1]


# -- Poisson -----------------------------------------------------------------------------------------------------------


def poisson(key: ArrayLike, lam: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = DEFAULT_INT) -> Array:
    """Poisson numbers of mean `lam`. Those that do not fit their type are its greatest number; -1 stands for NaN.

    Raises:
        AttributeValueError: `lam` is a negative Python number.
        DTypeError: the element type is no integer.
        ShapeError: `lam` does not broadcast to the shape.
    """
    own = integer_type("poisson", dtype)
    mean = parameter("poisson", "lam", lam, f64, NOT_NEGATIVE)
    return _poisson(one_key("poisson", key), mean, shape=drawn_shape("poisson", shape, mean), dtype=own)


@drawn
def _poisson(key: Array, lam: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    found = one_by_one(_one_poisson, key, shape, promote.spread_to("poisson", lam, shape))
    return rnp.where(lam >= dtype.highest, dtype.highest, found)


def _one_poisson(key: Array, lam: Array) -> Array:
    few, many = lam < FEW, (lam >= FEW) & (lam < math.inf)
    low = rnp.where(few & (lam >= 0), lam, 0)

    def ratio(count: Array) -> Array:
        return low / count

    searched = _searched(key, few, exactly.exp(-low), ratio, MOST_FEW)
    mean = rnp.where(many, lam, FEW)
    b = rounded(rounded(2.53 * rnp.sqrt(mean)) + 0.931)
    a = rounded(0.02483 * b) - 0.059
    inverse, squeeze = exactly.log(1.1328 / (b - 3.4) + 1.1239), 0.9277 - 3.6224 / (b - 2)
    log_mean = exactly.log(mean)

    def take(u: Array, v: Array, v_scaled: Array, count: Array) -> Array:
        likely = v_scaled + inverse <= rounded(count * log_mean) - mean - _log_factorial(count)
        return ((u >= 0.07) & (v <= squeeze)) | ((count >= 0) & ((u >= 0.013) | (v <= u)) & likely)

    attempted = _attempted(key, many, b, a, mean + 0.43, take)
    return rnp.where(few & (lam >= 0), searched, rnp.where(many, attempted, -1))


# -- binomial ----------------------------------------------------------------------------------------------------------


def binomial(key: ArrayLike, n: ArrayLike, p: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = None) -> Array:
    """How many of `n` trials succeed, each with probability p, as floats: NaN where a parameter is outside its domain.

    Raises:
        AttributeValueError: n is a negative Python number, or p one outside of [0, 1].
        DTypeError: the element type is no float.
        ShapeError: a parameter does not broadcast to the shape.
    """
    own = float_type("binomial", dtype, n, p)
    given = parameter("binomial", "n", n, f64, NOT_NEGATIVE), parameter("binomial", "p", p, f64, PROBABILITY)
    return _binomial(one_key("binomial", key), *given, shape=drawn_shape("binomial", shape, *given), dtype=own)


@drawn
def _binomial(key: Array, n: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    return _binomials(key, *[promote.spread_to("binomial", x, shape) for x in (n, p)])


def _binomials(key: Array, n: Array, p: Array) -> Array:
    """Binomial numbers in a draw, of whose n the whole part counts. They are steps, though floats: none has a slope."""
    n, p = promote.stopped(rnp.floor(n)), promote.stopped(p)
    return one_by_one(_one_binomial, key, core.shape_of(n), n, p)


def _one_binomial(key: Array, n: Array, p: Array) -> Array:
    valid = (n >= 0) & (n < math.inf) & (p >= 0) & (p <= 1)
    n, rare = rnp.where(valid, n, 0), rnp.where(valid, rnp.minimum(p, 1 - p), 0)
    few = n * rare < FEW
    odds = rare / (1 - rare)
    none = exactly.exp(n * exactly.log1p(-rare))

    def ratio(count: Array) -> Array:
        return odds * ((n + 1 - count) / count)

    searched = _searched(key, few, none, ratio, rnp.minimum(n, MOST_FEW))
    attempted = _many_of(key, ~few, rnp.where(few, 4 * FEW, n), rnp.where(few, 0.5, rare))
    count = rnp.where(few, searched, attempted)
    return rnp.where(valid, rnp.where(p > 0.5, n - count, count), math.nan)


def _many_of(key: Array, wanted: Array, n: Array, p: Array) -> Array:
    """Counts of trials with n p of at least 10 and p of at most 1/2, where they are wanted."""
    deviation = rnp.sqrt(n * p * (1 - p))
    b = rounded(rounded(2.53 * deviation) + 1.15)
    a = rounded(0.0248 * b) - 0.0873 + rounded(0.01 * p)
    scale, squeeze = exactly.log((5.1 / b + 2.83) * deviation), 0.92 - 4.2 / b
    log_odds = exactly.log(p / (1 - p))
    mode = rnp.floor((n + 1) * p)
    at_mode = _log_factorial(mode) + _log_factorial(n - mode)

    def take(u: Array, v: Array, v_scaled: Array, count: Array) -> Array:
        inside = (count >= 0) & (count <= n)
        held = rnp.clip(count, 0, n)
        ways = at_mode - _log_factorial(held) - _log_factorial(n - held)
        likely = v_scaled + scale <= ways + rounded((held - mode) * log_odds)
        return ((u >= 0.07) & (v <= squeeze)) | (inside & likely)

    return _attempted(key, wanted, b, a, rounded(n * p) + 0.5, take)


def multinomial(
    key: ArrayLike, n: ArrayLike, p: ArrayLike, *, shape: Shape | None = None, dtype: DTypeLike = None
) -> Array:
    """How often each of the outcomes along the last axis of p comes up in `n` trials, as floats.

    The shape is that of the draw without the last axis; by default it is what n and p without it broadcast to. Of p the
    shares count: it need not sum to 1.

    Raises:
        AttributeValueError: n is a negative Python number.
        ShapeError: p has no axis, or a parameter does not broadcast to the shape.
    """
    own = float_type("multinomial", dtype, n, p)
    trials, chances = parameter("multinomial", "n", n, f64, NOT_NEGATIVE), parameter("multinomial", "p", p, f64)
    if not core.shape_of(chances):
        promote.bad_shape("multinomial: p holds the probabilities along its last axis, and is a number", chances)
    *batch, outcomes = core.shape_of(chances)
    if shape is None:
        wanted = promote.broadcast_batch("multinomial", (trials, core.shape_of(trials)), (chances, tuple(batch)))
    else:
        wanted = promote.as_shape("multinomial", shape)
    return _multinomial(one_key("multinomial", key), trials, chances, shape=(*wanted, outcomes), dtype=own)


@drawn
def _multinomial(key: Array, n: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """One outcome after the other: a binomial number of the trials that are left."""
    *batch, outcomes = shape
    chances = rnp.moveaxis(promote.spread_to("multinomial", p, shape), -1, 0)
    if outcomes == 0:
        return rnp.zeros(shape, dtype=dtype)
    rest = _sums_from_the_end(chances)
    shares = rnp.where(rest > 0, rnp.clip(chances / rnp.where(rest > 0, rest, 1), 0, 1), 0)

    def step(left: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        own_key, share = given
        count = _binomials(own_key, left, share)
        return left - count, count

    trials = rnp.floor(promote.spread_to("multinomial", n, tuple(batch)))
    return rnp.moveaxis(control.scan(step, trials, (split(key, outcomes), shares))[1], 0, -1)


def _sums_from_the_end(x: Array) -> Array:
    """Along axis 0 the sums of all numbers from each place on, one added after the other."""

    def step(so_far: Array, number: Array) -> tuple[Array, Array]:
        return so_far + number, so_far + number

    start = rnp.zeros(core.shape_of(x)[1:], dtype=core.dtype_of(x))
    return control.scan(step, start, x, reverse=True)[1]


# -- others ------------------------------------------------------------------------------------------------------------


def geometric(key: ArrayLike, p: ArrayLike, shape: Shape | None = None, dtype: DTypeLike = DEFAULT_INT) -> Array:
    """How many trials there are up to the first success, each with probability p: 1, 2, …

    Those that do not fit their type are its greatest number; -1 stands for NaN, where p is outside of [0, 1].

    Raises:
        AttributeValueError: p is a Python number outside of [0, 1].
        DTypeError: the element type is no integer.
        ShapeError: p does not broadcast to the shape.
    """
    own = integer_type("geometric", dtype)
    chance = parameter("geometric", "p", p, f64, PROBABILITY)
    return _geometric(one_key("geometric", key), chance, shape=drawn_shape("geometric", shape, chance), dtype=own)


@drawn
def _geometric(key: Array, p: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    p = promote.spread_to("geometric", p, shape)
    waits = rnp.floor(exactly.quotient(log_of_normal(1 - unit(key, shape, f64)), exactly.log1p(-p))) + 1
    return rnp.where((p > 0) & (p <= 1), waits, rnp.where(p == 0, math.inf, -1))


def categorical(
    key: ArrayLike, logits: ArrayLike, axis: int = -1, shape: Shape | None = None, replace: bool = True
) -> Array:
    """Places along an axis of logits, each with the probability that softmax gives it: i32 numbers.

    The shape of the result is that of the logits without the axis, or a longer one that ends so, for several draws.
    A logit of -inf is never chosen. A draw takes one uniform number, however many places there are. Without `replace`
    the several draws are of different places, one after the other: those of the greatest logits, Gumbel numbers added
    (Gumbel, 1954).

    Raises:
        AttributeValueError: there are more draws than places, without `replace`.
        ShapeError: the shape does not end in that of the logits without the axis, or that axis has no places.
    """
    own = float_type("categorical", None, logits).accumulator
    given = promote.cast(promote.array("categorical", logits), own)
    sizes = list(core.shape_of(given))
    place = promote.as_axis("categorical", axis, len(sizes), given) - len(sizes)
    line = rnp.moveaxis(given, place, -1)
    *batch, places = core.shape_of(line)
    if places == 0:
        promote.bad_shape("categorical: there are no places to choose from along the axis", given)
    wanted = tuple(batch) if shape is None else promote.as_shape("categorical", shape)
    front = wanted[: len(wanted) - len(batch)]
    if wanted[len(front) :] != tuple(batch):
        promote.bad_shape(f"categorical: the shape {list(wanted)} does not end in {batch}", given)
    if replace:
        return _categorical(one_key("categorical", key), line, shape=wanted, dtype=DEFAULT_INT)
    count = dims.product(front)
    if isinstance(count, int) and isinstance(places, int) and count > places:
        promote.bad_value(f"categorical: there are no {count} different places among {places}", given)
    found = _different(one_key("categorical", key), line, shape=tuple(batch), dtype=DEFAULT_INT, count=count)
    return rnp.reshape(rnp.moveaxis(found, -1, 0), wanted)


@drawn
def _categorical(key: Array, logits: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """The first place up to which the chances sum to a uniform share of their sum.

    The sums are exact, so that a long line's last places have their share, and those of small chance have theirs: of n
    places a chance counts down to some n 2⁻⁶² of the greatest one.
    """
    *batch, places = core.shape_of(logits)
    top = rnp.max(logits, axis=-1, keepdims=True)
    # Beside an infinite logit no other one has a chance.
    sums = exactly.running_shares(rnp.where(logits == top, 1, exactly.exp(logits - top)))
    # Above 0 and up to the sum, so that what has no chance is never chosen.
    shares = sums[..., -1] * (1 - unit(key, shape, f64))
    if not batch:
        return rnp.searchsorted(sums, shares)
    lines = dims.product(batch)
    each = rnp.reshape(shares, (dims.product(shape[: len(shape) - len(batch)]), lines))
    found = vmap(rnp.searchsorted, (0, 1), 1)(rnp.reshape(sums, (lines, places)), each)
    return rnp.reshape(found, shape)


@drawn
def _different(key: Array, logits: Array, *, shape: promote.Shape, dtype: DType, count: int) -> Array:
    """`count` different places along the last axis: those of the greatest sums, the first drawn first."""
    noise = gumbels(key, core.shape_of(logits), core.dtype_of(logits))
    return rnp.argsort(noise + logits, axis=-1, descending=True)[..., :count]


__all__ = ["binomial", "categorical", "geometric", "multinomial", "poisson"]
