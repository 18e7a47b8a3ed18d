"""Systems of linear equations whose factors nothing else wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Values, define
from rosin.ir.ops.call import StopGradient
from rosin.ir.ops.lu import Lu, LuSolve
from rosin.ir.ops.matrix import NUMPY_COLUMN, OfMatrices, sizes_of, solved_side_by_side, stack_work
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


def _factors(a: TensorType) -> Dim:
    """Bytes of the factors of a matrix, of exchanges, and of the order that they make."""
    return a.shape[-1] * (a.shape[-1] * a.dtype.bytes + 12)


@define("solve")
class Solve(OfMatrices):
    """The solutions x of a x = b. A singular matrix gives infinities and NaNs.

    Factors of small matrices never leave the registers. Derivatives, which need them again, go by `lu` and `lu_solve`.
    """

    numpy_column = NUMPY_COLUMN

    def type(self, *operands: TensorType) -> Types:
        a, b = self.check_matrices(operands, 2)
        self.check_square(operands, a)
        self.check_rows(operands, a, b)
        return (b,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        a, b = operands
        packed, _, order = Lu().eval(a)
        return LuSolve(False).eval(a, packed, order, b)

    def cost(self, operands: Types, results: Types) -> Cost:
        n, count = sizes_of(operands[1])
        flops = stack_work(operands[1], 2 * n**3 // 3 + 2 * n * n * count)
        return Cost(flops, sum(t.bytes for t in (*operands, *results)))

    def told(self, types: Types) -> tuple[Dim, ...]:
        return types[1].shape[-2:]

    def room(self, types: Types) -> Dim:
        return _factors(types[0])

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        if not batched[0]:
            return solved_side_by_side(self, b, operands, size)
        return super().batch(b, operands, batched, size)

    def _factored(self, b: Builder, operands: Values) -> Values:
        """The operands of `lu_solve`."""
        a, right = operands
        (known,) = b.node(StopGradient(a.type), a)
        packed, _, order = b.node(Lu(), known)
        return a, packed, order, right

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        by_a, by_b = tangents
        return LuSolve(False).jvp(b, self._factored(b, operands), results, (by_a, None, None, by_b))

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        by_a, _, _, by_b = LuSolve(False).vjp(b, self._factored(b, operands), results, cotangents)
        return by_a, by_b

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        factored = self._factored(b, operands)
        results = b.node(LuSolve(False), *factored)
        by_a, by_b = tangents
        return results, LuSolve(False).jvp(b, factored, results, (by_a, None, None, by_b))

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        factored = self._factored(b, operands)
        results = b.node(LuSolve(False), *factored)

        def pullback(cotangents: Maybe) -> Maybe:
            by_a, _, _, by_b = LuSolve(False).vjp(b, factored, results, cotangents)
            return by_a, by_b

        return results, pullback


@define("inverse")
class Inverse(OfMatrices):
    """The inverses of square matrices. A singular one gives infinities and NaNs."""

    numpy_column = NUMPY_COLUMN

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        self.check_square(operands, a)
        return (a,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        (a,) = operands
        return Solve().eval(a, np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape))

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        return Cost(stack_work(operands[0], 2 * n**3), operands[0].bytes + results[0].bytes)

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (types[0].shape[-1],)

    def room(self, types: Types) -> Dim:
        (a,) = types
        return _factors(a) + a.shape[-1] * a.shape[-1] * a.dtype.bytes

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (x,), (tangent,) = results, tangents
        return (None,) if tangent is None else (b.neg(b.matmul(x, b.matmul(tangent, x))),)
