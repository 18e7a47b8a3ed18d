"""Factorizations and spectra whose options SciPy calls otherwise than NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote
from rosin.frontend.numpy.linalg import factors
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def qr(a: ArrayLike, mode: str = "full") -> tuple[Array, Array] | tuple[Array]:
    """Orthogonal and triangular factors of (..., m, n) matrices, k being the smaller of m and n.

    `mode` "full" gives Q of shape (..., m, m) and R of (..., m, n); "economic" (..., m, k) and (..., k, n); "r" R
    alone, of (..., m, n).

    Raises:
        AttributeValueError: there is no such mode.
    """
    if mode not in ("full", "economic", "r"):
        promote.bad_value(f"qr: mode is 'full', 'economic' or 'r', not {mode!r}", promote.array("qr", a))
    result = factors.qr(a, mode="reduced" if mode == "economic" else "complete")
    assert isinstance(result, factors.QRResult)
    return (result.R,) if mode == "r" else (result.Q, result.R)


def eigh(a: ArrayLike, *, lower: bool = True, eigvals_only: bool = False) -> tuple[Array, Array] | Array:
    """Eigenvalues and eigenvectors of Hermitian matrices, of which one triangle is read; or eigenvalues alone."""
    triangle = "L" if lower else "U"
    if eigvals_only:
        return factors.eigvalsh(a, triangle)
    values, vectors = factors.eigh(a, triangle)
    return values, vectors


def eigvalsh(a: ArrayLike, lower: bool = True) -> Array:
    """Eigenvalues of Hermitian matrices, of which one triangle is read, in ascending order."""
    return factors.eigvalsh(a, "L" if lower else "U")


def eigh_tridiagonal(d: ArrayLike, e: ArrayLike, eigvals_only: bool = False) -> tuple[Array, Array] | Array:
    """Eigenvalues in ascending order, and eigenvectors, of Hermitian matrices with (..., n) numbers `d` on the diagonal
    and (..., n - 1) numbers `e` below it; or eigenvalues alone. They are found as those of whole matrices.

    Raises:
        ShapeError: d or e is a number, or their sizes do not fit.
    """
    main, beside = promote.alike_floats("eigh_tridiagonal", d, e)
    shapes = core.shape_of(main), core.shape_of(beside)
    if not all(shapes) or not facts.same(shapes[0][-1], shapes[1][-1] + 1):
        message = f"takes n numbers and n - 1, not shapes {shape_text(shapes[0])} and {shape_text(shapes[1])}"
        promote.bad_shape(f"eigh_tridiagonal: {message}", main, beside)
    n = shapes[0][-1]
    stack = promote.broadcast_batch("eigh_tridiagonal", (main, shapes[0][:-1]), (beside, shapes[1][:-1]))
    places = creation.arange(n)
    rows, columns = places[:, None], places
    # Element (i, i - 1) is number i - 1; one more in front, that none reads, makes it as long as the diagonal.
    first = creation.zeros((*stack, 1), dtype=core.dtype_of(main))
    below = manipulation.concat([first, promote.spread(beside, (*stack, n - 1))], axis=-1)[..., None]
    matrix = logic.where(logic.equal(rows, columns), promote.spread(main, (*stack, n))[..., None], 0.0)
    matrix = logic.where(logic.equal(rows, elementwise.add(columns, 1)), below, matrix)
    return eigh(matrix, lower=True, eigvals_only=eigvals_only)


def eigvalsh_tridiagonal(d: ArrayLike, e: ArrayLike) -> Array:
    """The eigenvalues of `eigh_tridiagonal` alone."""
    values = eigh_tridiagonal(d, e, eigvals_only=True)
    assert not isinstance(values, tuple)
    return values


def eig(a: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues and right eigenvectors of square matrices, complex also where all are real."""
    values, vectors = factors.eig(a)
    return values, vectors
