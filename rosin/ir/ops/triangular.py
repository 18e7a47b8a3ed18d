"""Systems of linear equations with triangular matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.matrix import NUMPY_ROW, OfMatrices, part, sizes_of, solved_side_by_side, stack_work, transpose
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def substitute(a: NumpyArray, b: NumpyArray, lower: bool, unit: bool) -> NumpyArray:
    """The solutions x of a x = b, row by row; `a` has a number at every place and is read on one side alone."""
    x = np.array(np.broadcast_arrays(b, b)[0])
    n = a.shape[-1]
    with np.errstate(all="ignore"):
        for i in range(n) if lower else reversed(range(n)):
            known = slice(0, i) if lower else slice(i + 1, n)
            x[..., i, :] -= (a[..., i, known, None] * x[..., known, :]).sum(-2)
            if not unit:
                x[..., i, :] /= a[..., i, i, None]
    return x


@define("triangular_solve")
class TriangularSolve(OfMatrices):
    """The solutions x of a x = b, or with `transpose` of aᵀ x = b, which is not conjugated, for triangular matrices a.

    Only the lower, or else the upper, triangle of `a` is read, and of a `unit` one not the diagonal, which counts as
    ones. A zero on the diagonal gives infinities and NaNs.
    """

    lower: bool
    transpose: bool
    unit: bool
    numpy_column = NUMPY_ROW

    def type(self, *operands: TensorType) -> Types:
        a, b = self.check_matrices(operands, 2)
        self.check_square(operands, a)
        self.check_rows(operands, a, b)
        return (b,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        a, b = operands
        a = np.swapaxes(a, -1, -2) if self.transpose else a
        return (substitute(a, b, self.lower != self.transpose, self.unit),)

    def cost(self, operands: Types, results: Types) -> Cost:
        n, count = sizes_of(operands[1])
        flops = stack_work(operands[1], n * n * count)
        return Cost(flops, sum(t.bytes for t in (*operands, *results)))

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (*types[1].shape[-2:], int(self.lower), int(self.transpose), int(self.unit))

    def room(self, types: Types) -> Dim:
        return 0

    def _read(self, b: Builder, a: Value) -> Value:
        """The part of a matrix that is read, zeros elsewhere."""
        side = "greater" if self.lower else "less"
        return part(b, a, side if self.unit else f"{side}_equal")

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (
            super().batch(b, operands, batched, size)
            if any(batched[:-1])
            else solved_side_by_side(self, b, operands, size)
        )

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        a, _ = operands
        (x,) = results
        by_a, moved = tangents
        if by_a is not None:
            change = self._read(b, by_a)
            product = b.matmul(transpose(b, change) if self.transpose else change, x)
            moved = b.neg(product) if moved is None else b.sub(moved, product)
        return b.node(self, a, moved) if moved is not None else (None,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        """Stated, since it is the op itself that transposes it."""
        a, _ = operands
        (x,), (cotangent,) = results, cotangents
        assert cotangent is not None
        (by_b,) = b.node(TriangularSolve(self.lower, not self.transpose, self.unit), a, cotangent)
        pair = (x, by_b) if self.transpose else (by_b, x)
        outer = b.matmul(pair[0], transpose(b, pair[1]))
        return self._read(b, b.neg(outer)), by_b


def solve(
    b: Builder, a: Value, x: Value, *, lower: bool = False, transposed: bool = False, unit: bool = False
) -> Value:
    """The solutions for triangular matrices."""
    return b.node(TriangularSolve(lower, transposed, unit), a, x)[0]


def solve_right(
    b: Builder, x: Value, a: Value, *, lower: bool = False, transposed: bool = False, unit: bool = False
) -> Value:
    """The y of y a = x, or of y aᵀ = x, for triangular matrices a."""
    return transpose(b, solve(b, a, transpose(b, x), lower=lower, transposed=not transposed, unit=unit))
