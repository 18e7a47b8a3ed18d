"""Linear algebra: the array API standard's extension, and more under the names NumPy has for it.

Functions take stacks of matrices: the last two axes are rows and columns, and those before them tell matrices apart.
They compute in f32, f64, c64 or c128; integers and truth values become the default float first. All raise `ShapeError`
for arrays that are no matrices, or of sizes that do not fit, and `DTypeError` for f16 and bf16. What they do with
singular matrices, and what derivatives are, is told in docs/linalg.md.
"""

from __future__ import annotations

from rosin.frontend.errors import LinAlgError
from rosin.frontend.numpy.creation import diagonal
from rosin.frontend.numpy.linalg.factors import (
    EighResult,
    EigResult,
    QRResult,
    SVDResult,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    svd,
    svdvals,
)
from rosin.frontend.numpy.linalg.measures import (
    SlogdetResult,
    cond,
    det,
    matrix_norm,
    matrix_rank,
    norm,
    slogdet,
    trace,
)
from rosin.frontend.numpy.linalg.systems import (
    LstsqResult,
    inv,
    lstsq,
    matrix_power,
    multi_dot,
    pinv,
    solve,
    tensorinv,
    tensorsolve,
)
from rosin.frontend.numpy.linear import cross, matmul, outer, tensordot, vecdot, vector_norm
from rosin.frontend.numpy.manipulation import matrix_transpose

__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
