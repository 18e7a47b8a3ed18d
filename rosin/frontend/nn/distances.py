"""Lengths of vectors, and distances and angles between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, indexing, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.complex import conj, imag, real
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def length(x: Array, p: float, axis: int, keepdims: bool) -> Array:
    """The p-norm along an axis, whose derivative at the zero vector is 0."""
    size = elementwise.abs(x)
    if math.isinf(p):
        extreme = reductions.max if p > 0 else reductions.min
        return extreme(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return promote.cast(reductions.count_nonzero(x, axis=axis, keepdims=keepdims), core.dtype_of(size))
    if p == 1:
        return reductions.sum(size, axis=axis, keepdims=keepdims)
    if p == 2:
        squares = elementwise.square(real(x))
        powers = squares + elementwise.square(imag(x)) if core.dtype_of(x).is_complex else squares
    else:
        powers = elementwise.pow(size, float(p))
    total = reductions.sum(powers, axis=axis, keepdims=keepdims)
    # The root has no derivative at 0, so it is taken of another number there.
    nothing = logic.equal(total, 0)
    inside = logic.where(nothing, 1, total)
    root = transcendental.sqrt(inside) if p == 2 else elementwise.pow(inside, 1 / p)
    return logic.where(nothing, 0 if p > 0 else math.inf, root)


def normalize(x: ArrayLike, /, *, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Array:
    """x divided by its p-norms along an axis, or by `eps` where they are less."""
    operand = promote.floating("normalize", x)
    place = promote.as_axis("normalize", axis, len(core.shape_of(operand)), operand)
    return operand / elementwise.maximum(length(operand, p, place, keepdims=True), eps)


def cosine_similarity(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between vectors along an axis; lengths count as at least `eps`. The shapes broadcast.

    Raises:
        ShapeError: the shapes do not broadcast, or there is no such axis.
    """
    a, b = promote.promoted("cosine_similarity", x1, x2, floating=True)
    place = promote.as_axis("cosine_similarity", axis, len(core.shape_of(a)), a, b)
    units = [x / elementwise.maximum(length(x, 2, place, keepdims=True), eps) for x in (a, b)]
    return reductions.sum(units[0] * conj(units[1]), axis=place)


def pairwise_distance(
    x1: ArrayLike, x2: ArrayLike, /, *, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False
) -> Array:
    """The p-norm of x1 - x2 + `eps` along the last axis. The shapes broadcast.

    Raises:
        ShapeError: the shapes do not broadcast, or are those of numbers.
    """
    a, b = promote.promoted("pairwise_distance", x1, x2, floating=True)
    place = promote.as_axis("pairwise_distance", -1, len(core.shape_of(a)), a, b)
    return length(a - b + eps, p, place, keepdims)


def cdist(x1: ArrayLike, x2: ArrayLike, /, *, p: float = 2.0) -> Array:
    """The p-norms of the differences of all rows: `x1[…, P, M]` and `x2[…, R, M]` give `[…, P, R]`.

    The derivative is 0 where rows are equal.

    Raises:
        ShapeError: the rows differ in length, or the axes before them do not broadcast.
        AttributeValueError: p is negative.
    """
    a, b = promote.alike_floats("cdist", x1, x2)
    left, right = core.shape_of(a), core.shape_of(b)
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-1]:
        promote.bad_shape("cdist: takes matrices of rows of one length", a, b)
    if p < 0:
        promote.bad_value(f"cdist: p is {p}; it is not negative", a, b)
    gap = manipulation.expand_dims(a, -2) - manipulation.expand_dims(b, -3)
    return length(gap, p, len(core.shape_of(gap)) - 1, keepdims=False)


def pdist(x: ArrayLike, /, *, p: float = 2.0) -> Array:
    """The p-norms of the differences of all pairs of rows i < j of `x[N, M]`, in order of i and then j.

    The derivative is 0 where rows are equal.

    Raises:
        ShapeError: x is no matrix.
        AttributeValueError: p is negative.
    """
    operand = promote.floating("pdist", x)
    if len(core.shape_of(operand)) != 2:
        promote.bad_shape("pdist: takes a matrix of rows", operand)
    if p < 0:
        promote.bad_value(f"pdist: p is {p}; it is not negative", operand)
    first, second = np.triu_indices(promote.static_size("pdist", operand, 0), 1)
    rows = [indexing.take(operand, core.asarray(places.astype(np.int32)), axis=0) for places in (first, second)]
    return length(rows[0] - rows[1], p, 1, keepdims=False)
