"""Sylvester's equation, of matrices on both sides of the unknown one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Values, define
from rosin.ir.ops.matrix import OfMatrices, sizes_of, stack_work, transpose
from rosin.ir.ops.qr import BLOCK
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("sylvester")
class Sylvester(OfMatrices):
    """The solutions x of a x + x b = c, for square a and b.

    NaN where an eigenvalue of b is the negative of one of a, so that there is none, or more than one.

    Bartels & Stewart, "Solution of the matrix equation AX + XB = C", 1972.
    """

    def type(self, *operands: TensorType) -> Types:
        a, b, c = self.check_matrices(operands, 3)
        for x in (a, b):
            self.check_square(operands, x)
        if not facts.same_shape(c.shape[-2:], (a.shape[-1], b.shape[-1])):
            sizes = f"matrices of {a.shape[-1]} and {b.shape[-1]} rows"
            self.bad_shape(operands, f"{sizes} have a right-hand side of {c.shape[-2]} rows and {c.shape[-1]} columns")
        return (c,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        a, b, c = operands
        m, n = c.shape[-2:]
        stack = c.shape[:-2]
        # Row by row, as equations for all elements of x.
        unit, other = np.eye(n), np.eye(m)
        whole = a[..., :, None, :, None] * unit[:, None, :]
        whole = whole + other[:, None, :, None] * np.swapaxes(b, -1, -2)[..., None, :, None, :]
        whole, right = whole.reshape(*stack, m * n, m * n), c.reshape(*stack, m * n, 1)
        result = np.full_like(right, np.nan)
        for place in np.ndindex(*stack):
            try:
                result[place] = np.linalg.solve(whole[place], right[place])
            except np.linalg.LinAlgError:
                continue
        return (result.reshape(c.shape),)

    def cost(self, operands: Types, results: Types) -> Cost:
        m, n = sizes_of(operands[2])
        flops = stack_work(operands[2], 25 * (m**3 + n**3) + 5 * m * n * (m + n))
        return Cost(flops, sum(t.bytes for t in (*operands, *results)))

    def told(self, types: Types) -> tuple[Dim, ...]:
        return types[2].shape[-2:]

    def room(self, types: Types) -> Dim:
        m, n = types[2].shape[-2:]
        # Triangular and unitary matrices, two of the size of x, eigenvalues and workspace of numbers and of real ones.
        numbers = 2 * m * m + 2 * n * n + 2 * m * n + (BLOCK + 6) * (m + n)
        return numbers * types[2].dtype.bytes + (m + n) * types[2].dtype.part.bytes

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (left, right, _), (x,) = operands, results
        by_left, by_right, moved = tangents
        for product in (
            None if by_left is None else b.matmul(by_left, x),
            None if by_right is None else b.matmul(x, by_right),
        ):
            if product is not None:
                moved = b.neg(product) if moved is None else b.sub(moved, product)
        return b.node(self, left, right, moved) if moved is not None else (None,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        """Stated, since it is the op itself that transposes it."""
        (left, right, _), (x,), (cotangent,) = operands, results, cotangents
        assert cotangent is not None
        (y,) = b.node(self, transpose(b, left), transpose(b, right), cotangent)
        turned = transpose(b, x)
        return b.neg(b.matmul(y, turned)), b.neg(b.matmul(turned, y)), y
