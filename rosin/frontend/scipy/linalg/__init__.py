"""Linear algebra under SciPy's names: factors and what is solved with them, functions of matrices, special matrices.

Matrices come in stacks, as in `rosin.numpy.linalg`. No function overwrites its arguments or checks them for NaNs, so
the options for these are not there.
"""

from __future__ import annotations

from rosin.frontend.numpy.linalg.factors import eigvals, svd, svdvals
from rosin.frontend.numpy.linalg.measures import det, norm
from rosin.frontend.numpy.linalg.systems import inv, pinv
from rosin.frontend.scipy.linalg.equations import solve_continuous_lyapunov, solve_discrete_lyapunov, solve_sylvester
from rosin.frontend.scipy.linalg.factors import (
    cho_factor,
    cho_solve,
    cholesky,
    lu,
    lu_factor,
    lu_solve,
    polar,
    solve,
    solve_triangular,
)
from rosin.frontend.scipy.linalg.functions import expm, logm, signm, sqrtm
from rosin.frontend.scipy.linalg.schur import hessenberg, schur
from rosin.frontend.scipy.linalg.special import block_diag, circulant, hankel, hilbert, toeplitz
from rosin.frontend.scipy.linalg.spectra import eig, eigh, eigh_tridiagonal, eigvalsh, eigvalsh_tridiagonal, qr
from rosin.frontend.scipy.linalg.trigonometric import coshm, cosm, expm_frechet, sinhm, sinm, tanhm, tanm

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "coshm",
    "cosm",
    "det",
    "eig",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvalsh",
    "eigvalsh_tridiagonal",
    "expm",
    "expm_frechet",
    "hankel",
    "hessenberg",
    "hilbert",
    "inv",
    "logm",
    "lu",
    "lu_factor",
    "lu_solve",
    "norm",
    "pinv",
    "polar",
    "qr",
    "schur",
    "signm",
    "sinhm",
    "sinm",
    "solve",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "svd",
    "svdvals",
    "tanhm",
    "tanm",
    "toeplitz",
]
