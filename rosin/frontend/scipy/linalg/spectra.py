"""Factorizations and spectra whose options SciPy calls otherwise than NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend.numpy import promote
from rosin.frontend.numpy.linalg import factors
from rosin.frontend.numpy.promote import ArrayLike

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


def eig(a: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues and right eigenvectors of square matrices, complex also where all are real."""
    values, vectors = factors.eig(a)
    return values, vectors
