"""Matrices of a special form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, indexing, manipulation, padding, promote
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def block_diag(*arrays: ArrayLike) -> Array:
    """The matrix with these matrices along its diagonal, and zeros elsewhere.

    A number is a matrix of one element, a vector one of one row.

    Raises:
        ShapeError: there are no arrays, or one has a rank above 2.
    """
    if not arrays:
        promote.bad_shape("block_diag: there are no arrays")
    blocks = promote.alike("block_diag", *arrays)
    for position, x in enumerate(blocks):
        rank = len(core.shape_of(x))
        if rank > 2:
            promote.bad_shape(f"block_diag: array {position} has rank {rank}, above 2", *blocks)
    blocks = tuple(manipulation.atleast_2d(x) for x in blocks)
    columns = [core.shape_of(x)[1] for x in blocks]
    rows: list[Array] = []
    for position, x in enumerate(blocks):
        before, after = sum(columns[:position]), sum(columns[position + 1 :])
        rows.append(padding.pad(x, ((0, 0), (before, after))))
    return manipulation.concat(rows, axis=0)


def toeplitz(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """The matrix with constant diagonals whose first column is c and whose first row is r, but for its first element.

    Without r it is Hermitian: its first row is c, conjugated. Arrays are taken element by element as vectors.
    """
    column = manipulation.ravel(promote.array("toeplitz", c))
    row = conj(column) if r is None else manipulation.ravel(promote.array("toeplitz", r))
    column, row = promote.alike("toeplitz", column, row)
    m, n = core.shape_of(column)[0], core.shape_of(row)[0]
    line = manipulation.concat([manipulation.flip(row[1:]), column])
    # Element (i, j) is the one n - 1 - j places before c's element i.
    places = elementwise.add(manipulation.expand_dims(creation.arange(m), 1), manipulation.flip(creation.arange(n)))
    if 0 in (m, n):
        return creation.zeros((m, n), dtype=core.dtype_of(column))
    return indexing.take(line, places)


def hankel(c: ArrayLike, r: ArrayLike | None = None) -> Array:
    """The matrix with constant anti-diagonals whose first column is c and whose last row is r, but for its first
    element; without r zeros.

    Arrays are taken element by element as vectors.
    """
    column = manipulation.ravel(promote.array("hankel", c))
    row = creation.zeros_like(column) if r is None else manipulation.ravel(promote.array("hankel", r))
    column, row = promote.alike("hankel", column, row)
    m, n = core.shape_of(column)[0], core.shape_of(row)[0]
    if 0 in (m, n):
        return creation.zeros((m, n), dtype=core.dtype_of(column))
    places = elementwise.add(manipulation.expand_dims(creation.arange(m), 1), creation.arange(n))
    return indexing.take(manipulation.concat([column, row[1:]]), places)


def circulant(c: ArrayLike) -> Array:
    """Square matrices whose first columns are vectors c of shape (..., n), and each other column the one before, turned
    by one place."""
    column = promote.array("circulant", c)
    if not core.shape_of(column):
        promote.bad_shape("circulant: takes vectors, not a number", column)
    n = core.shape_of(column)[-1]
    if n == 0:
        return creation.zeros((*core.shape_of(column), 0), dtype=core.dtype_of(column))
    line = manipulation.concat([column[..., 1:], column], axis=-1)
    # Element (i, j) is c's element i - j, or the one n places behind.
    places = elementwise.add(manipulation.expand_dims(creation.arange(n), 1), manipulation.flip(creation.arange(n)))
    return indexing.take(line, places, axis=-1)


def hilbert(n: int) -> Array:
    """The n by n matrix of 1 / (i + j + 1).

    Raises:
        ShapeError: n is negative.
    """
    if n < 0:
        promote.bad_shape(f"hilbert: a matrix of {n} rows and columns")
    places = creation.arange(n)
    return elementwise.divide(1.0, elementwise.add(manipulation.expand_dims(places, 1), elementwise.add(places, 1)))
