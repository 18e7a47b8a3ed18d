"""Quantiles and medians over axes, from sorted lines.

`q` is a number from 0 to 1, or an array of them whose axes come first in the result; `axis` is an axis, a tuple of
axes, or None for all. A line that holds a NaN has the quantile NaN; the functions whose names begin with "nan" leave
NaNs out. `method` is one of the nine of Hyndman and Fan, "Sample quantiles in statistical packages" (1996), or one of
NumPy's four more. Derivatives go to the one or two elements of a line that the quantile lies between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, logic, manipulation, promote
from rosin.frontend.numpy.indexing import take_along_axis
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis, count_nonzero, count_of, cumsum
from rosin.frontend.numpy.sorting import argsort, sort
from rosin.ir import dims, facts
from rosin.ir.dtypes import f64, i64

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Placed: TypeAlias = "tuple[Array, Array]"
"""A place in a line, with a fraction; and how much weight the element after it has."""


def _fraction(place: Array) -> Array:
    return elementwise.subtract(place, elementwise.floor(place))


def _between(alpha: float, beta: float) -> Callable[[Array, Array], Placed]:
    """The methods that interpolate: at n q + alpha + q (1 - alpha - beta) - 1."""

    def placed(n: Array, q: Array) -> Placed:
        place = n * q + (q * (1 - alpha - beta) + (alpha - 1))
        return place, _fraction(place)

    return placed


def _linear(n: Array, q: Array) -> Placed:
    place = (n - 1) * q
    return place, _fraction(place)


def _whole(rounded: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Placed]:
    """The methods that give an element of the line."""

    def placed(n: Array, q: Array) -> Placed:
        place = rounded(n, q)
        return place, elementwise.multiply(place, 0)

    return placed


def _averaged(n: Array, q: Array) -> Placed:
    place = n * q - 1
    return place, logic.where(logic.equal(_fraction(place), 0), 0.5, 1.0)


def _midpoint(n: Array, q: Array) -> Placed:
    place = (n - 1) * q
    return place, logic.where(logic.equal(_fraction(place), 0), 0.0, 0.5)


METHODS: dict[str, Callable[[Array, Array], Placed]] = {
    "inverted_cdf": _whole(lambda n, q: elementwise.ceil(n * q) - 1),
    "averaged_inverted_cdf": _averaged,
    # Halfway between two elements it is the one whose number, counted from 1, is even.
    "closest_observation": _whole(lambda n, q: elementwise.round(n * q) - 1),
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": _linear,
    "median_unbiased": _between(1 / 3, 1 / 3),
    "normal_unbiased": _between(3 / 8, 3 / 8),
    "lower": _whole(lambda n, q: elementwise.floor((n - 1) * q)),
    "higher": _whole(lambda n, q: elementwise.ceil((n - 1) * q)),
    "midpoint": _midpoint,
    "nearest": _whole(lambda n, q: elementwise.round((n - 1) * q)),
}


def _quantile(
    name: str,
    x: ArrayLike,
    q: ArrayLike,
    axis: Axis,
    method: str,
    keepdims: bool,
    *,
    skip: bool,
    scale: float = 1.0,
    weights: ArrayLike | None = None,
) -> Array:
    operand = promote.floating(name, x)
    dtype, shape = core.dtype_of(operand), core.shape_of(operand)
    axes = tuple(sorted(promote.as_axes(name, axis, operand)))
    if method not in METHODS:
        promote.bad_value(f"{name}: the method is one of {', '.join(METHODS)}, not {method!r}", operand)
    length = dims.product(shape[i] for i in axes)
    if length == 0:
        promote.bad_shape(f"{name}: there are no elements along axis {axes}, and no quantile of none", operand)
    wanted = _positions(name, q, scale)
    others = tuple(i for i in range(len(shape)) if i not in axes)
    kept = tuple(shape[i] for i in others)

    def in_lines(x: Array) -> Array:
        return manipulation.reshape(manipulation.permute_dims(x, (*others, *axes)), (*kept, length))

    lines = promote.cast(in_lines(operand), dtype.accumulator)
    if weights is None:
        result = _interpolated(sort(lines), manipulation.ravel(wanted), METHODS[method], skip)
    else:
        if method != "inverted_cdf":
            promote.bad_value(f'{name}: weights are for the method "inverted_cdf" alone, not for {method!r}', operand)
        masses = in_lines(_weights(name, weights, operand, axes))
        result = _weighted(lines, masses, manipulation.ravel(wanted), skip)
    # The axis of the quantiles comes last so far.
    result = manipulation.moveaxis(result, -1, 0)
    rest = tuple(1 if i in axes else size for i, size in enumerate(shape)) if keepdims else kept
    return promote.cast(manipulation.reshape(result, (*core.shape_of(wanted), *rest)), dtype)


def _weights(name: str, weights: ArrayLike, x: Array, axes: tuple[int, ...]) -> Array:
    """The weights of all elements, as f64: those given, or the same ones for all lines along one axis."""
    given = promote.cast(promote.floating(name, weights), f64)
    shape = core.shape_of(x)
    if not core.is_tracer(given) and (core.known(given) < 0).any():
        promote.bad_value(f"{name}: a weight is negative", x)
    if facts.same_shape(core.shape_of(given), shape):
        return given
    if len(axes) != 1 or not facts.same_shape(core.shape_of(given), (shape[axes[0]],)):
        promote.bad_shape(f"{name}: weights have the shape of x, or of its one reduced axis", x, given)
    spread = [shape[axes[0]] if i == axes[0] else 1 for i in range(len(shape))]
    return manipulation.broadcast_to(manipulation.reshape(given, spread), shape)


def _weighted(lines: Array, weights: Array, q: Array, skip: bool) -> Array:
    """For each line the first elements up to which there is a part q of the weight; NaN where there is no weight."""
    if skip:
        weights = logic.where(logic.isnan(lines), 0, weights)
    order = argsort(lines)
    ordered, masses = (take_along_axis(x, order, axis=-1) for x in (lines, weights))
    so_far = cumsum(masses, axis=-1)
    whole = so_far[..., -1:]
    share = manipulation.expand_dims(so_far / whole, -1)
    before = logic.logical_or(logic.less(share, q), logic.equal(share, 0))
    last = core.shape_of(lines)[-1]
    place = elementwise.minimum(count_nonzero(before, axis=-2), count_of(last, f64) - 1)
    result = take_along_axis(ordered, promote.cast(place, i64), axis=-1)
    unknown = logic.logical_not(logic.greater(whole, 0))
    if not skip:
        unknown = logic.logical_or(unknown, logic.isnan(ordered[..., -1:]))
    return logic.where(unknown, float("nan"), result)


def _positions(name: str, q: ArrayLike, scale: float) -> Array:
    """The quantiles that are asked for, as f64: positions in long lines have many digits."""
    given = promote.array(name, np.asarray(q, np.float64) if isinstance(q, int | float | list | tuple) else q)
    wanted = promote.cast(given, f64)
    if not core.is_tracer(wanted):
        numbers = core.known(wanted)
        if not ((numbers >= 0) & (numbers <= scale)).all():
            promote.bad_value(f"{name}: q is from 0 to {scale:g}", given)
    return wanted if scale == 1 else elementwise.divide(wanted, scale)


def _interpolated(ordered: Array, q: Array, method: Callable[[Array, Array], Placed], skip: bool) -> Array:
    """For each line of sorted elements its quantiles, along the last axis."""
    *batch, length = core.shape_of(ordered)
    rank = len(batch)
    (count,) = core.shape_of(q)
    there = promote.cast(promote.array("quantile", count_of(length, f64)), f64)
    if skip:
        numbers = logic.logical_not(logic.isnan(ordered))
        there = promote.cast(count_nonzero(numbers, axis=-1, keepdims=True), f64)
    place, weight = method(there, q)
    whole = manipulation.broadcast_to(elementwise.floor(place), (*batch, count))
    last = elementwise.maximum(there - 1, 0)
    low, high = (
        take_along_axis(ordered, promote.cast(elementwise.clip(p, 0, last), i64), axis=rank) for p in (whole, whole + 1)
    )
    weight = promote.cast(weight, core.dtype_of(ordered))
    # Where there is nothing between the two, infinities would make a NaN of it.
    alone = logic.logical_or(logic.equal(weight, 0), logic.logical_and(logic.isinf(low), logic.equal(low, high)))
    gap = logic.where(alone, 0, high - low)
    # From the nearer end the sum rounds least, but an infinite end is no start.
    upper = logic.logical_and(logic.greater_equal(weight, 0.5), logic.logical_not(logic.isinf(high)))
    upper = logic.logical_or(upper, logic.isinf(low))
    result = logic.where(alone, low, logic.where(upper, high - gap * (1 - weight), low + gap * weight))
    if skip:
        return result
    end = manipulation.slice_axis(ordered, rank, length - 1, length)
    return logic.where(logic.isnan(end), float("nan"), result)


def quantile(
    x: ArrayLike,
    q: ArrayLike,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: ArrayLike | None = None,
) -> Array:
    """The quantiles `q` over axes.

    weights: how much each element counts, in the shape of x or of its one reduced axis; for "inverted_cdf" alone.

    Raises:
        ShapeError: there are no elements along the axes, or weights have another shape.
        AttributeValueError: there is no such method, or not for weights; a known q is not from 0 to 1, or a weight
            is negative.
    """
    return _quantile("quantile", x, q, axis, method, keepdims, skip=False, weights=weights)


def percentile(
    x: ArrayLike,
    q: ArrayLike,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: ArrayLike | None = None,
) -> Array:
    """The quantiles q / 100 over axes; see `quantile`."""
    return _quantile("percentile", x, q, axis, method, keepdims, skip=False, scale=100.0, weights=weights)


def median(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The middle element over axes, or the mean of the two in the middle; see `quantile`."""
    return _quantile("median", x, 0.5, axis, "linear", keepdims, skip=False)


def nanquantile(
    x: ArrayLike,
    q: ArrayLike,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: ArrayLike | None = None,
) -> Array:
    """The quantiles `q` of what is no NaN; NaN where nothing is. See `quantile`."""
    return _quantile("nanquantile", x, q, axis, method, keepdims, skip=True, weights=weights)


def nanpercentile(
    x: ArrayLike,
    q: ArrayLike,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    weights: ArrayLike | None = None,
) -> Array:
    """The quantiles q / 100 of what is no NaN; NaN where nothing is. See `quantile`."""
    return _quantile("nanpercentile", x, q, axis, method, keepdims, skip=True, scale=100.0, weights=weights)


def nanmedian(x: ArrayLike, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """The median of what is no NaN; NaN where nothing is. See `median`."""
    return _quantile("nanmedian", x, 0.5, axis, "linear", keepdims, skip=True)
