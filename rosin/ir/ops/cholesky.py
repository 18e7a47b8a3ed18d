"""Cholesky factors of positive definite matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Values, define
from rosin.ir.ops.matrix import (
    OfMatrices,
    adjoint,
    each,
    hermitian,
    hermitian_part,
    in_strips,
    part,
    place_mask,
    side_by_side,
    sizes_of,
    stack_work,
)
from rosin.ir.ops.triangular import solve
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("cholesky")
class Cholesky(OfMatrices):
    """The lower triangular L with a positive diagonal and a = L Lᴴ, zeros above the diagonal.

    What is factored is the Hermitian part of the operand, (a + aᴴ) / 2, so that gradients are Hermitian. Where it is
    not positive definite, or holds a NaN, all of the lower triangle is NaN.

    Murray, "Differentiation of the Cholesky decomposition", 2016.
    """

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        self.check_square(operands, a)
        return (a,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        a = hermitian_part(*operands)
        try:
            result = np.linalg.cholesky(a)
        except np.linalg.LinAlgError:
            result = np.stack([_factor(x) for x in each(a)]).reshape(a.shape)
        failed = np.isnan(np.diagonal(result, axis1=-2, axis2=-1).sum(-1))[..., None, None]
        nan = np.asarray(np.nan, a.dtype)
        return (np.where(failed, np.tril(np.broadcast_to(nan, a.shape)), result),)

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        return Cost(stack_work(operands[0], n**3 // 3), operands[0].bytes + results[0].bytes)

    def room(self, types: Types) -> Dim:
        (a,) = types[:1]
        if a.dtype.is_complex or side_by_side(a):
            return 0
        columns = in_strips(a.shape[-1], a.dtype)
        # Strips end with their squares on the diagonal.
        return columns * (columns + in_strips(1, a.dtype) + 2) * a.dtype.bytes // 2

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (factor,), (tangent,) = results, tangents
        if tangent is None:
            return (None,)
        left = solve(b, factor, hermitian(b, tangent), lower=True)
        # Solved for from both sides a Hermitian matrix is Hermitian again: it is its own adjoint.
        both = solve(b, factor, adjoint(b, left), lower=True)
        half = b.select(place_mask(b, both.type, "equal"), b.mul(both, 0.5), part(b, both, "greater"))
        return (b.matmul(factor, half),)


def _factor(a: NumpyArray) -> NumpyArray:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return np.full(a.shape, np.nan, a.dtype)
