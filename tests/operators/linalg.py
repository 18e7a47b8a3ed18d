"""Operators on matrices: factorizations, equations, determinants, norms."""

from __future__ import annotations

from typing import Any

import rosin
from rosin import numpy as rnp
from rosin.numpy import linalg
from rosin.scipy import linalg as scipy
from tests.operators.mapped import Mapped, Table, named

FIRST = {"common": lambda r: r[0] if isinstance(r, tuple) else r}
"""PyTorch's second result says where a factorization failed; Rosin's has NaN there."""


def _factors(result: Any) -> Any:
    """What of a singular value decomposition does not depend on signs, or on phases."""
    u, s, vh = result
    k = s.shape[-1]
    u, vh = u[..., :, :k], vh[..., :k, :]
    return s, abs(u), abs(vh), (u * s[..., None, :]) @ vh


def _vectors(result: Any) -> Any:
    """What of eigenvectors does not depend on signs, or on phases."""
    return result[0], abs(result[1])


def _adjoint(x: Any, *rest: Any, **_: Any) -> tuple[Any, ...]:
    """A matrix that is its own adjoint, made of any, as PyTorch's own checks of gradients make it."""
    return x + x.conj().mT, *rest


def _triangle(place: int, upper: bool = False) -> Any:
    """The triangle of a matrix that is read, so that derivatives by the rest are none."""

    def prepared(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        x, above = args[place], kwargs.get("upper", upper)
        if isinstance(x, rosin.Array):
            part = rnp.triu(x) if above else rnp.tril(x)
        else:
            part = x.triu() if above else x.tril()
        return *args[:place], part, *args[place + 1 :]

    return prepared


def _batched(function: Any, ranks: int = 2) -> Any:
    """PyTorch's takes stacks of matrices."""

    def apply(a: Any, b: Any, driver: Any = None) -> Any:
        if a.ndim <= ranks:
            return function(a, b)
        return rosin.vmap(lambda a, b: apply(a, b)[0], axis_size=a.shape[0])(a, b), None

    return apply


def _svd(x: Any, some: bool = True, compute_uv: bool = True) -> Any:
    u, s, vh = linalg.svd(x, full_matrices=not some)
    return u, s, rnp.conj(vh).mT


def _old_factors(result: Any) -> Any:
    u, s, v = result
    return _factors((u, s, v.conj().mT))


def _matrix_norm(x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    return linalg.norm(x if dtype is None else rnp.astype(x, dtype), ord, tuple(dim), keepdims=keepdim)


def _norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = x if dtype is None else rnp.astype(x, dtype)
    return linalg.norm(x, ord, tuple(dim) if isinstance(dim, list | tuple) else dim, keepdims=keepdim)


def _old_norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """PyTorch's old norm is that of the elements, but for the nuclear one."""
    x = x if dtype is None else rnp.astype(x, dtype)
    axis = tuple(dim) if isinstance(dim, list | tuple) else dim
    if p == "nuc":
        return linalg.norm(x, p, axis, keepdims=keepdim)
    return rnp.vector_norm(x, ord=2 if p == "fro" else p, axis=axis, keepdims=keepdim)


def _rank(x: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    return linalg.matrix_rank(x, rtol=rtol, tol=atol if tol is None else tol, hermitian=hermitian)


def _pinv(x: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return linalg.pinv(x, rtol=rcond if rtol is None else rtol, hermitian=hermitian)


def _triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    if left:
        return scipy.solve_triangular(a, b, lower=not upper, unit_diagonal=unitriangular)
    return scipy.solve_triangular(a.mT, b.mT, lower=upper, unit_diagonal=unitriangular).mT


def _old_triangular(b: Any, a: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    found = scipy.solve_triangular(a, b, trans=int(transpose), lower=not upper, unit_diagonal=unitriangular)
    return found, a


def _lu(x: Any, pivot: bool = True) -> Any:
    """Permutations are real numbers in Rosin, as in SciPy."""
    order, low, high = scipy.lu(x)
    return rnp.astype(order, x.dtype), low, high


def _lu_factor(x: Any, pivot: bool = True, *_: Any) -> Any:
    """PyTorch's pivots count from 1."""
    factors, pivots = scipy.lu_factor(x)
    return factors, pivots + 1


def _lu_solve(factors: Any, pivots: Any, b: Any, *, left: bool = True, adjoint: bool = False) -> Any:
    if left:
        return scipy.lu_solve((factors, pivots - 1), b, trans=2 if adjoint else 0)
    return rnp.conj(scipy.lu_solve((factors, pivots - 1), rnp.conj(b).mT, trans=0 if adjoint else 2)).mT


def _logdet(x: Any) -> Any:
    sign, size = linalg.slogdet(x)
    return size + rnp.log(sign)


BOTH = {"one tolerance is given": lambda x, *_, atol=None, rtol=None, **__: None not in (atol, rtol)}
NONE = {"as in NumPy, none of no elements is the greatest": lambda x, *_, **__: 0 in x.shape}
VECTORS = {"as in the array API, only one axis makes a vector": lambda a, b, **_: b.ndim > 1 and b.ndim == a.ndim - 1}
STEEP = {"powers below 1 have no finite slope at 0": lambda x, *order, **_: order != (None,) and not bool(x.any())}

TABLE: Table = named(
    {
        "cholesky": Mapped(lambda x, upper=False: linalg.cholesky(x, upper=upper), prepared=_adjoint),
        "cholesky_inverse": Mapped(
            lambda x, upper=False: scipy.cho_solve((x, not upper), rnp.eye(x.shape[-1], dtype=x.dtype)),
            prepared=_triangle(0),
            backward="PyTorch's forward mode is off by 1e-5",
        ),
        "cholesky_solve": Mapped(lambda b, x, upper=False: scipy.cho_solve((x, not upper), b), prepared=_triangle(1)),
        "linalg.cholesky": Mapped(lambda x, upper=False: linalg.cholesky(x, upper=upper), prepared=_adjoint),
        "linalg.cholesky_ex": Mapped(
            lambda x, upper=False, check_errors=False: linalg.cholesky(x, upper=upper), prepared=_adjoint, **FIRST
        ),
        "linalg.cond": linalg.cond,
        "linalg.cross": Mapped(
            lambda x, y, dim=-1: linalg.cross(x, y, axis=dim), errors={"same number of dimensions": "vectors broadcast"}
        ),
        "linalg.det": linalg.det,
        "linalg.eig": Mapped(linalg.eig, common=_vectors),
        "linalg.eigh": Mapped(lambda x, UPLO="L": linalg.eigh(x, UPLO), common=_vectors, prepared=_adjoint),
        "linalg.eigvals": linalg.eigvals,
        "linalg.eigvalsh": Mapped(lambda x, UPLO="L": linalg.eigvalsh(x, UPLO), prepared=_adjoint),
        "linalg.inv": linalg.inv,
        "linalg.inv_ex": Mapped(lambda x, check_errors=False: linalg.inv(x), **FIRST),
        "linalg.lstsq": Mapped(_batched(linalg.lstsq), **FIRST),
        "linalg.lstsq.grad_oriented": Mapped(_batched(linalg.lstsq), **FIRST),
        "linalg.lu": _lu,
        "linalg.lu_factor": _lu_factor,
        "linalg.lu_factor_ex": Mapped(_lu_factor, common=lambda r: r[:2]),
        "linalg.lu_solve": _lu_solve,
        "linalg.matrix_norm": _matrix_norm,
        "linalg.matrix_power": linalg.matrix_power,
        "linalg.matrix_rank": Mapped(_rank, apart=BOTH),
        "linalg.matrix_rank.hermitian": Mapped(_rank, prepared=_adjoint),
        "linalg.norm": Mapped(_norm, apart=NONE, slopes=STEEP),
        "linalg.norm.subgradients_at_zero": Mapped(_norm, apart=NONE, slopes=STEEP),
        "linalg.pinv": _pinv,
        "linalg.pinv.hermitian": Mapped(_pinv, prepared=_adjoint),
        "linalg.pinv.singular": lambda a, b: linalg.pinv(a @ b.mT),
        "linalg.qr": lambda x, mode="reduced": linalg.qr(x, mode=mode),
        "linalg.slogdet": linalg.slogdet,
        "linalg.solve": Mapped(lambda a, b, left=True: linalg.solve(a, b), apart=VECTORS),
        "linalg.solve_ex": Mapped(
            lambda a, b, left=True, check_errors=False: linalg.solve(a, b), apart=VECTORS, **FIRST
        ),
        "linalg.solve_triangular": _triangular,
        "linalg.svd": Mapped(lambda x, full_matrices=True: linalg.svd(x, full_matrices=full_matrices), common=_factors),
        "linalg.svdvals": linalg.svdvals,
        "linalg.tensorinv": lambda x, ind=2: linalg.tensorinv(x, ind=ind),
        "linalg.tensorsolve": lambda a, b, dims=None: linalg.tensorsolve(a, b, axes=dims),
        "linalg.vander": Mapped(
            lambda x, N=None: rnp.vander(x, N, increasing=True),
            apart={"takes a vector": lambda x, **_: x.ndim != 1},
        ),
        "logdet": _logdet,
        "lu": Mapped(_lu_factor, common=lambda r: r[:2]),
        "lu_solve": lambda b, factors, pivots: _lu_solve(factors, pivots, b),
        "matrix_exp": scipy.expm,
        "norm": _old_norm,
        "norm.fro": _old_norm,
        "norm.inf": _old_norm,
        "norm.nuc": _old_norm,
        "pinverse": lambda x, rcond=1e-15: linalg.pinv(x, rtol=rcond),
        "qr": lambda x, some=True: linalg.qr(x, mode="reduced" if some else "complete"),
        "svd": Mapped(_svd, common=_old_factors),
        "triangular_solve": Mapped(_old_triangular, prepared=_triangle(1, upper=True)),
    }
)
