"""Affine maps of the last axis, and rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import indexing, logic, manipulation, promote
from rosin.frontend.numpy.einsum import einsum
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, /) -> Array:
    """x Wᵀ + b: `x[…, I]` with `weight[O, I]` and `bias[O]` gives `[…, O]`; a weight `[I]` gives `[…]`.

    Raises:
        ShapeError: sizes disagree.
    """
    operand, w = promote.array("linear", x), promote.array("linear", weight)
    own, shape = core.shape_of(operand), core.shape_of(w)
    if not own or len(shape) not in (1, 2) or not facts.same(own[-1], shape[-1]):
        promote.bad_shape("linear: takes x[…, I] and weight[O, I] or weight[I] of one size I", operand, w)
    result = matmul(operand, manipulation.matrix_transpose(w) if len(shape) > 1 else w)
    return result if bias is None else result + promote.array("linear", bias)


def bilinear(x1: ArrayLike, x2: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, /) -> Array:
    """x1ᵀ W x2 + b: `x1[…, I]`, `x2[…, J]`, `weight[O, I, J]` and `bias[O]` give `[…, O]`.

    Raises:
        ShapeError: sizes disagree.
    """
    result = einsum("...i,oij,...j->...o", x1, weight, x2)
    return result if bias is None else result + promote.array("bilinear", bias)


def embedding(indices: ArrayLike, table: ArrayLike, /, *, padding_idx: int | None = None) -> Array:
    """The rows of `table[V, D]` at `indices[…]`: `[…, D]`. No derivative goes to the row `padding_idx`.

    Raises:
        ShapeError: the table is no matrix.
        DTypeError: the indices are no integers.
        AttributeValueError: the table has no row `padding_idx`.
    """
    rows, places = promote.array("embedding", table), promote.array("embedding", indices)
    if len(core.shape_of(rows)) != 2:
        promote.bad_shape("embedding: the table is a matrix of one row for each index", rows)
    if not core.dtype_of(places).is_integer:
        promote.bad_dtype("embedding: indices are integers", places)
    found = indexing.take(rows, places, axis=0)
    if padding_idx is None:
        return found
    count = promote.static_size("embedding", rows, 0)
    if not -count <= padding_idx < count:
        promote.bad_value(f"embedding: a table of {count} rows has no row {padding_idx}", rows)
    still = manipulation.expand_dims(logic.equal(places, padding_idx % count), -1)
    return logic.where(still, promote.stopped(found), found)
