"""What takes a factorization to draw: vectors of correlated normal numbers, and orthogonal matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DEFAULT_FLOAT, DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.random.arguments import Shape, float_type, one_key, parameter
from rosin.frontend.random.continuous import normal, normals
from rosin.frontend.random.drawing import drawn
from rosin.ir import facts
from rosin.ir.dtypes import DType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

METHODS = ("cholesky", "eigh", "svd")


def multivariate_normal(
    key: ArrayLike,
    mean: ArrayLike,
    cov: ArrayLike,
    shape: Shape | None = None,
    dtype: DTypeLike = None,
    method: str = "cholesky",
) -> Array:
    """Vectors of normal numbers with this mean, of shape [..., n], and covariance, of shape [..., n, n].

    The shape is that of the draw without the last axis; by default it is what the axes in front broadcast to.
    "cholesky" is the fastest method and takes a positive definite covariance, NaN coming of any other; "eigh" and "svd"
    take singular ones too. Derivatives flow through mean and covariance.

    Raises:
        AttributeValueError: there is no such method.
        ShapeError: mean is no vector or cov no square matrix, or their sizes or the shape disagree.
    """
    own = float_type("multivariate_normal", dtype, mean, cov)
    centre = parameter("multivariate_normal", "mean", mean, own.accumulator)
    spread = parameter("multivariate_normal", "cov", cov, own.accumulator)
    if method not in METHODS:
        promote.bad_value(f"multivariate_normal: the method is one of {', '.join(METHODS)}, not {method!r}")
    vector, matrix = core.shape_of(centre), core.shape_of(spread)
    if not vector or len(matrix) < 2 or not facts.same_shape(matrix[-2:], (vector[-1],) * 2):
        promote.bad_shape("multivariate_normal: mean is [..., n] and cov [..., n, n]", centre, spread)
    if shape is None:
        batch = promote.broadcast_batch("multivariate_normal", (centre, vector[:-1]), (spread, matrix[:-2]))
    else:
        batch = promote.as_shape("multivariate_normal", shape)
    source = one_key("multivariate_normal", key)
    return _multivariate_normal(source, centre, spread, shape=(*batch, vector[-1]), dtype=own, method=method)


@drawn
def _multivariate_normal(
    key: Array, mean: Array, cov: Array, *, shape: promote.Shape, dtype: DType, method: str
) -> Array:
    mean = promote.spread_to("multivariate_normal", mean, shape)
    cov = promote.spread_to("multivariate_normal", cov, (*shape[: len(shape) - 1], *core.shape_of(cov)[-2:]))
    return mean + rnp.matvec(_root(cov, method), normals(key, shape, dtype))


def _root(cov: Array, method: str) -> Array:
    """A matrix whose product with its own transpose is the covariance."""
    if method == "cholesky":
        return rnp.linalg.cholesky(cov)
    if method == "eigh":
        values, vectors = rnp.linalg.eigh(cov)
    else:
        vectors, values, _ = rnp.linalg.svd(cov)
    return vectors * rnp.sqrt(rnp.maximum(values, 0))[..., None, :]


def orthogonal(
    key: ArrayLike, n: int, shape: Shape = (), dtype: DTypeLike = DEFAULT_FLOAT, m: int | None = None
) -> Array:
    """Orthogonal matrices, uniform over all (Haar), or unitary ones of complex numbers.

    With `m` they are [n, m], with orthonormal columns, or rows where m is above n.

    Mezzadri, "How to generate random matrices from the classical compact groups", 2007.

    Raises:
        DTypeError: the element type is no float.
        ShapeError: a size is negative.
    """
    own, batch = core.as_dtype(dtype), promote.as_shape("orthogonal", shape)
    rows, columns = (promote.as_int("orthogonal", x, "a size") for x in (n, n if m is None else m))
    wanted = promote.as_shape("orthogonal", (*batch, max(rows, columns), min(rows, columns)))
    if not own.is_complex:
        float_type("orthogonal", own)
    found = _orthogonal(one_key("orthogonal", key), shape=wanted, dtype=own)
    return rnp.matrix_transpose(found) if rows < columns else found


@drawn
def _orthogonal(key: Array, *, shape: promote.Shape, dtype: DType) -> Array:
    """The orthonormal columns of normal matrices, with the signs that make them uniform."""
    q, r = rnp.linalg.qr(normal(key, shape, dtype))
    diagonal = rnp.linalg.diagonal(r)
    return q * rnp.where(diagonal == 0, 1, rnp.sign(diagonal))[..., None, :]


__all__ = ["multivariate_normal", "orthogonal"]
