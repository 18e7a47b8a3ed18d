"""Lengths of vectors, and distances and angles between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.frontend import core
from rosin.frontend.numpy import elementwise, indexing, manipulation, promote, reductions
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.linear import vector_norm
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def normalize(x: ArrayLike, /, *, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Array:
    """x divided by its p-norms along an axis, or by `eps` where they are less."""
    operand = promote.floating("normalize", x)
    place = promote.as_axis("normalize", axis, len(core.shape_of(operand)), operand)
    return operand / elementwise.maximum(vector_norm(operand, axis=place, keepdims=True, ord=p), eps)


def cosine_similarity(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between vectors along an axis; lengths count as at least `eps`. The shapes broadcast.

    Raises:
        ShapeError: the shapes do not broadcast, or there is no such axis.
    """
    a, b = promote.promoted("cosine_similarity", x1, x2, floating=True)
    place = promote.as_axis("cosine_similarity", axis, len(core.shape_of(a)), a, b)
    units = [x / elementwise.maximum(vector_norm(x, axis=place, keepdims=True), eps) for x in (a, b)]
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
    return vector_norm(a - b + eps, axis=place, keepdims=keepdims, ord=p)


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
    return vector_norm(gap, axis=-1, ord=p)


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
    return vector_norm(rows[0] - rows[1], axis=1, ord=p)
