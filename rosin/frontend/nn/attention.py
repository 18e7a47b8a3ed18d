"""Attention: means of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.nn.softmax import softmax
from rosin.frontend.numpy import creation, logic, manipulation, promote, reductions
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array

BAND, MOST_BANDS = 384, 4
"""Queries in a band of causal attention, at least, and bands at most: each is compiled for itself."""


def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    mask: ArrayLike | None = None,
    /,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Array:
    """softmax(query keyᵀ scale) value: `query[…, L, E]`, `key[…, S, E]`, `value[…, S, V]` give `[…, L, V]`.

    A mask broadcasts to `[…, L, S]`: truth values say what takes part, floats are added to the scores. `is_causal` lets
    place i of L see the places up to i of S. A query that sees nothing gets zeros. The scale is 1 / √E unless it is
    given. With `enable_gqa` heads, the third axis from the end, are shared: query has a multiple of key's and value's.
    Vaswani et al., 2017.

    Raises:
        ShapeError: sizes disagree.
        AttributeValueError: there is a mask, and `is_causal` asks for another.
    """
    q, k, v = promote.alike_floats("scaled_dot_product_attention", query, key, value)
    for x in (q, k, v):
        if len(core.shape_of(x)) < 2:
            promote.bad_shape(
                "scaled_dot_product_attention: query, key and value are matrices or stacks of them", q, k, v
            )
    if is_causal and mask is not None:
        promote.bad_value("scaled_dot_product_attention: there is a mask, so is_causal cannot make one", q, k, v)
    if enable_gqa:
        k, v = _shared(q, k), _shared(q, v)
    if scale is None:
        scale = 1 / math.sqrt(promote.static_size("scaled_dot_product_attention", q, -1))
    if is_causal:
        return _causal(q, k, v, scale)
    scores = matmul(q, manipulation.matrix_transpose(k)) * scale
    if mask is None:
        return matmul(softmax(scores), v)
    given = promote.array("scaled_dot_product_attention", mask)
    masked = logic.where(given, scores, -math.inf) if core.dtype_of(given).kind == "bool" else scores + given
    seen = reductions.any(logic.not_equal(masked, -math.inf), axis=-1, keepdims=True)
    return matmul(logic.where(seen, softmax(logic.where(seen, masked, 0)), 0), v)


def _causal(q: Array, k: Array, v: Array, scale: float) -> Array:
    """Attention to the places up to one's own. Long lines are cut in bands: a band of queries leaves out the keys that
    come after all of it."""
    rows, columns = core.shape_of(q)[-2], core.shape_of(k)[-2]
    count = 1
    if isinstance(rows, int) and isinstance(columns, int) and rows <= columns:
        count = max(min(rows // BAND, MOST_BANDS), 1)
    if count == 1:
        return _band(q, k, v, scale, 0)
    assert isinstance(rows, int), "only lines of a known length are cut"
    found: list[Array] = []
    for number in range(count):
        start, end = rows * number // count, rows * (number + 1) // count
        found.append(_band(q[..., start:end, :], k[..., :end, :], v[..., :end, :], scale, start))
    return manipulation.concat(found, axis=-2)


def _band(q: Array, k: Array, v: Array, scale: float, start: int) -> Array:
    """Causal attention of queries of which the first is at place `start`. Each sees at least one key."""
    scores = matmul(q, manipulation.matrix_transpose(k)) * scale
    line = [creation.iota(core.DEFAULT_INT, core.shape_of(scores)[-2:], axis) for axis in (0, 1)]
    seen = logic.less_equal(line[1], line[0] + start if start else line[0])
    return matmul(softmax(logic.where(seen, scores, -math.inf)), v)


def _shared(query: Array, x: Array) -> Array:
    """Keys or values whose heads are repeated to be as many as those of the query."""
    heads, own = (core.shape_of(each)[-3] if len(core.shape_of(each)) > 2 else 1 for each in (query, x))
    times = facts.divide(heads, own)
    if not isinstance(times, int) or len(core.shape_of(x)) < 3:
        promote.bad_shape(f"scaled_dot_product_attention: {own} heads do not divide the {heads} of the query", query, x)
    return manipulation.repeat(x, times, axis=-3)
