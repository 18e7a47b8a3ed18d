"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.optim.adaptive import scale_by_adam, trace
from rosin.stdlib.optim.gradients import add_decayed_weights, scale_by_rate
from rosin.stdlib.optim.schedules import Rate
from rosin.stdlib.optim.transform import Transform, chain, masked, stateless

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalize(matrix: Array, steps: int = 5, eps: float = 1e-7) -> Array:
    """The matrix with its singular values moved to about 1, by steps of a polynomial of fifth degree.

    Further axes, in front, count as rows' own matrices: `[..., n, m]`.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.shape[-2] > matrix.shape[-1]
    x = rnp.matrix_transpose(matrix) if wide else matrix
    x = x / (rnp.linalg.matrix_norm(x, keepdims=True) + eps)
    for _ in range(steps):
        gram = x @ rnp.matrix_transpose(x)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return rnp.matrix_transpose(x) if wide else x


def scale_by_muon(momentum: float = 0.95, *, nesterov: bool = True, steps: int = 5) -> Transform:
    """Orthogonalized momentum, times the root of rows over columns where there are more rows.

    Weights of more than two axes are seen as matrices of outputs by all else.
    """

    def orthogonal(g: Array, p: Array | None) -> Array:
        matrix = rnp.reshape(g, (g.shape[0], -1))
        ratio = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        return rnp.reshape(orthogonalize(matrix, steps), g.shape) * ratio

    return chain(trace(momentum, nesterov=nesterov), stateless(orthogonal))


def muon(
    rate: Rate,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    steps: int = 5,
    weight_decay: float = 0.0,
    adam_rate: Rate = 3e-4,
    where: Callable[[str, Array], bool] | None = None,
    **adam: Any,
) -> Transform:
    """Muon for the matrices for which `where(path, parameter)` holds, by default all parameters of two and more axes,
    and Adam with `adam_rate` for the rest; embeddings and the last layer are better left to Adam. Further options are
    those of `scale_by_adam`."""

    def chosen(path: str, array: Array) -> bool:
        return array.ndim >= 2 and (where is None or where(path, array))

    own = chain(
        scale_by_muon(momentum, nesterov=nesterov, steps=steps), add_decayed_weights(weight_decay), scale_by_rate(rate)
    )
    rest = chain(scale_by_adam(**adam), scale_by_rate(adam_rate))
    return chain(masked(own, chosen), masked(rest, lambda path, array: not chosen(path, array)))
