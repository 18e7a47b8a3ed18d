"""Linear algebra under SciPy's names: factors and what is solved with them, functions of matrices, special matrices.

Matrices come in stacks, as in `rosin.numpy.linalg`. No function overwrites its arguments or checks them for NaNs, so
the options for these are not there.
"""

from __future__ import annotations

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
from rosin.frontend.scipy.linalg.functions import expm, logm, sqrtm
from rosin.frontend.scipy.linalg.special import block_diag, toeplitz

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "expm",
    "logm",
    "lu",
    "lu_factor",
    "lu_solve",
    "polar",
    "solve",
    "solve_triangular",
    "sqrtm",
    "toeplitz",
]
