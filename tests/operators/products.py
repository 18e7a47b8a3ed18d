"""Products of vectors, matrices and arrays, and norms."""

from __future__ import annotations

import functools
from typing import Any

from rosin import numpy as rnp
from tests.operators.mapped import WIDER, Mapped, Table, holds, named


def _added(product: Any) -> Any:
    """beta x + alpha times a product; PyTorch leaves x out where beta is 0."""

    def apply(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        found = product(a, b) if alpha == 1 else alpha * product(a, b)
        return found + (x if beta == 1 else beta * x) if beta else found

    return apply


def _norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    return rnp.vector_norm(x if dtype is None else rnp.astype(x, dtype), ord=ord, axis=dim, keepdims=keepdim)


def _mixed(x: Any, *_: Any, beta: Any = 1, alpha: Any = 1) -> bool:
    whole = isinstance(beta, int) and isinstance(alpha, int)
    floats = x.dtype.is_floating_point or x.dtype.is_complex
    return not (floats or whole) or (holds("bool")(x) and (beta, alpha) != (1, 1))


SCALED = {"integers times a float are floats, truth values times an integer integers": _mixed}
NOTHING = {"PyTorch leaves NaN out of what is scaled by 0": lambda *_, alpha=1, **__: alpha == 0}
ONES = {"PyTorch spreads an axis of size 1": lambda x, y, dims: x.shape[0] != y.shape[-1]}

TABLE: Table = named(
    {
        "addbmm": Mapped(
            _added(lambda a, b: rnp.sum(rnp.matmul(a, b), axis=0)), apart={**SCALED, WIDER: holds("uint8")}
        ),
        "addmm": _added(rnp.matmul),
        "addmm.decomposed": _added(rnp.matmul),
        "addmv": Mapped(_added(rnp.matmul), apart=SCALED),
        "addr": Mapped(_added(rnp.outer), apart={**SCALED, **NOTHING}),
        "baddbmm": Mapped(_added(rnp.matmul), apart=SCALED),
        "bmm": rnp.matmul,
        "cross": lambda x, y, dim=None: rnp.cross(x, y, axis=-1 if dim is None else dim),
        "dist": lambda x, y, p=2: rnp.vector_norm(x - y, ord=p),
        "dot": rnp.dot,
        "einsum": lambda xs, equation: rnp.einsum(equation, *xs),
        "inner": rnp.inner,
        "kron": rnp.kron,
        "linalg.multi_dot": lambda xs: functools.reduce(rnp.matmul, xs),
        "linalg.vecdot": lambda x, y, dim=-1: rnp.vecdot(x, y, axis=dim),
        "linalg.vector_norm": _norm,
        "matmul": rnp.matmul,
        "mm": rnp.matmul,
        "mv": rnp.matmul,
        "outer": rnp.outer,
        "tensordot": Mapped(lambda x, y, dims=2: rnp.tensordot(x, y, axes=dims), apart=ONES),
        "trace": Mapped(rnp.trace, errors={"expected a matrix": "stacks of matrices have traces"}),
        "vdot": rnp.vdot,
    }
)
