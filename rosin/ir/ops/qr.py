"""Orthogonal and triangular factors of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.matrix import (
    OfMatrices,
    adjoint,
    columns,
    lesser,
    part,
    place_mask,
    rows,
    sizes_of,
    stack_work,
)
from rosin.ir.ops.triangular import solve_right
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder

BLOCK = 64
"""Columns that LAPACK works on together, at most; workspace is for so many."""


@define("qr")
class Qr(OfMatrices):
    """Two results for matrices a of m rows and n columns: q with orthonormal columns and upper triangular r, a = q r.

    With k the smaller of m and n, q has k columns and r has k rows; when `complete`, both have m of them. The diagonal
    of r is real, and may be negative.

    The derivative needs the first k columns to be independent. Columns of a complete q beyond k are taken to move
    no more than orthogonality asks of them. Walter & Lehmann, "Algorithmic differentiation of linear algebra functions
    with application in optimum experimental design", 2018.
    """

    complete: bool

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        *stack, m, n = a.shape
        k = self._least(operands)
        return a.with_shape((*stack, m, k)), a.with_shape((*stack, k, n))

    def _least(self, operands: Types) -> Dim:
        """The columns of q."""
        m, n = operands[0].shape[-2:]
        if self.complete:
            return m
        least = lesser(m, n)
        if least is None:
            self.bad_shape(operands, f"it is not known which is less of {m} rows and {n} columns")
        return least

    def eval(self, *operands: NumpyArray) -> Arrays:
        q, r = np.linalg.qr(operands[0], "complete" if self.complete else "reduced")
        return q, r

    def cost(self, operands: Types, results: Types) -> Cost:
        m, n = sizes_of(operands[0])
        k = min(m, n)
        flops = stack_work(operands[0], 4 * m * n * k)
        return Cost(flops, operands[0].bytes + sum(t.bytes for t in results))

    def told(self, types: Types) -> tuple[Dim, ...]:
        m, n = types[0].shape[-2:]
        return m, n, self._least(types)

    def room(self, types: Types) -> Dim:
        m, n = types[0].shape[-2:]
        # The matrix, and q as far as it is wider; what the reflections are scaled by; workspace.
        return (m * n + m * self._least(types) + m + n + (m + n) * BLOCK) * types[0].dtype.bytes

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (a,), (q, r), (tangent,) = operands, results, tangents
        if tangent is None:
            return None, None
        m, n = a.type.shape[-2:]
        k = lesser(m, n)
        assert k is not None, "the type rule of a complete factorization does not ask which size is less; this does"
        first = columns(b, q, 0, k)
        top = rows(b, r, 0, k)
        moved = solve_right(b, columns(b, tangent, 0, k), columns(b, top, 0, k))
        along = b.matmul(adjoint(b, first), moved)
        turn = _antihermitian(b, along)
        by_first = b.add(b.matmul(first, b.sub(turn, along)), moved)
        by_top = b.sub(b.matmul(adjoint(b, first), tangent), b.matmul(turn, top))
        by_top = part(b, by_top, "less_equal")
        if not self.complete or facts.same(m, k):
            return by_first, by_top
        last = columns(b, q, k, m)
        by_last = b.neg(b.matmul(first, b.matmul(adjoint(b, by_first), last)))
        zeros = b.zeros(a.type.with_shape((*a.type.shape[:-2], m - k, n)))
        return b.concatenate([by_first, by_last], q.type.rank - 1), b.concatenate([by_top, zeros], q.type.rank - 2)


def _antihermitian(b: Builder, x: Value) -> Value:
    """The matrix with the same elements below the diagonal, and the same imaginary parts on it."""
    below = part(b, x, "greater")
    result = b.sub(below, adjoint(b, below))
    if not x.type.dtype.is_complex:
        return result
    real = b.cast(b.real(x), x.type.dtype)
    return b.select(place_mask(b, x.type, "equal"), b.sub(x, real), result)
