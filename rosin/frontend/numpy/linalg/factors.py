"""Factorizations of matrices: triangular, orthogonal and diagonal factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, promote
from rosin.frontend.numpy.linalg.common import adjoint, matrices, squares
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir.ops.cholesky import Cholesky
from rosin.ir.ops.eigen import Eig, Eigh
from rosin.ir.ops.qr import Qr
from rosin.ir.ops.svd import Svd

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class EigResult(NamedTuple):
    """Eigenvalues of shape (..., n), and eigenvectors of norm 1, the columns of matrices."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """Real eigenvalues in ascending order, of shape (..., n), and orthonormal eigenvectors, the columns of matrices."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """Matrices with orthonormal columns, and upper triangular ones."""

    Q: Array
    R: Array


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Array
    S: Array
    Vh: Array


def _hermitian(name: str, x: ArrayLike, lower: bool, symmetrize: bool) -> Array:
    """Square matrices; where they are not to be symmetrized, of what one triangle says."""
    a = squares(name, x)
    if symmetrize:
        return a
    half = creation.tril(a, k=-1) if lower else creation.triu(a, k=1)
    real = creation.diagonal(a)
    whole = elementwise.add(half, adjoint(half))
    mask = creation.eye(core.shape_of(a)[-1], dtype=core.dtype_of(a))
    return elementwise.add(whole, elementwise.multiply(mask, real[..., None]))


def cholesky(x: ArrayLike, /, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The lower triangular L of positive definite matrices x = L Lᴴ, or the upper triangular U of x = Uᴴ U.

    The Hermitian part of x is factored; without `symmetrize_input`, what the lower triangle says, or the upper one.
    Matrices that are not positive definite give NaN in that triangle.
    """
    (factor,) = core.bind(Cholesky(), _hermitian("cholesky", x, not upper, symmetrize_input))
    return adjoint(factor) if upper else factor


def qr(x: ArrayLike, /, *, mode: str = "reduced") -> QRResult | Array:
    """Orthogonal and triangular factors of (..., m, n) matrices, k being the smaller of m and n.

    `mode` "reduced" gives Q of shape (..., m, k) and R of (..., k, n); "complete" (..., m, m) and (..., m, n); "r" R
    alone, of (..., k, n).

    Raises:
        AttributeValueError: there is no such mode.
    """
    a = matrices("qr", x)
    if mode not in ("reduced", "complete", "r"):
        promote.bad_value(f"qr: mode is 'reduced', 'complete' or 'r', not {mode!r}", a)
    q, r = core.bind(Qr(mode == "complete"), a)
    return r if mode == "r" else QRResult(q, r)


def svd(x: ArrayLike, /, *, full_matrices: bool = True, compute_uv: bool = True) -> SVDResult | Array:
    """Singular values and vectors of (..., m, n) matrices: x = U diag(S) Vh, k being the smaller of m and n.

    S has shape (..., k), U (..., m, m) and Vh (..., n, n), or without `full_matrices` (..., m, k) and (..., k, n).
    Without `compute_uv` it is S alone.
    """
    a = matrices("svd", x)
    if not compute_uv:
        return core.bind1(Svd(False, False), a)
    return SVDResult(*core.bind(Svd(bool(full_matrices), True), a))


def svdvals(x: ArrayLike, /) -> Array:
    """Singular values of (..., m, n) matrices in descending order, of shape (..., min(m, n))."""
    return core.bind1(Svd(False, False), matrices("svdvals", x))


def _is_lower(name: str, x: ArrayLike, triangle: str | None) -> bool:
    if triangle is not None and triangle.upper() not in ("L", "U"):
        promote.bad_value(f"{name}: UPLO is 'L' or 'U', not {triangle!r}", promote.array(name, x))
    return triangle is None or triangle.upper() == "L"


def eigh(x: ArrayLike, /, UPLO: str | None = None, *, symmetrize_input: bool | None = None) -> EighResult:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    They are those of the Hermitian part of x; where `UPLO` is given, or without `symmetrize_input`, of what the lower
    triangle says ("L"), or the upper one ("U").

    Raises:
        AttributeValueError: UPLO is neither.
    """
    symmetrize = UPLO is None if symmetrize_input is None else symmetrize_input
    return EighResult(*core.bind(Eigh(True), _hermitian("eigh", x, _is_lower("eigh", x, UPLO), symmetrize)))


def eigvalsh(x: ArrayLike, /, UPLO: str | None = None, *, symmetrize_input: bool | None = None) -> Array:
    """Eigenvalues of Hermitian matrices, read as by `eigh`, in ascending order."""
    symmetrize = UPLO is None if symmetrize_input is None else symmetrize_input
    return core.bind1(Eigh(False), _hermitian("eigvalsh", x, _is_lower("eigvalsh", x, UPLO), symmetrize))


def eig(x: ArrayLike, /) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices, complex also where all are real."""
    return EigResult(*core.bind(Eig(True), squares("eig", x)))


def eigvals(x: ArrayLike, /) -> Array:
    """Eigenvalues of square matrices, complex also where all are real."""
    return core.bind1(Eig(False), squares("eigvals", x))
