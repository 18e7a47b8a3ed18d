"""LU factors of matrices with partial pivoting, and solutions of equations with the help of these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.matrix import (
    NUMPY_COLUMN,
    NUMPY_ROW,
    STRIP_ROWS,
    OfMatrices,
    columns,
    diagonal,
    in_strips,
    lesser,
    part,
    permuted,
    place_mask,
    rows,
    side_by_side,
    sizes_of,
    solved_side_by_side,
    stack_work,
    transpose,
    with_unit_diagonal,
)
from rosin.ir.ops.triangular import solve, solve_right, substitute
from rosin.ir.types import TensorType, shape_text

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("lu")
class Lu(OfMatrices):
    """Three results for matrices a of m rows and n columns, k being the smaller: factors packed in an m by n matrix,
    the k pivots, and the permutation that these come to, as i32.

    Below the diagonal of the first stands the unit lower triangular L, and from the diagonal on the upper triangular
    U, with a[permutation] = L U. In step i rows i and pivots[i] were exchanged: that with the element of greatest
    magnitude in column i, which for complex numbers is |re| + |im|. A column of zeros gives a zero on the diagonal.
    """

    numpy_column = NUMPY_COLUMN

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        *stack, m, _ = a.shape
        return (a, TensorType(dtypes.i32, (*stack, self._least(operands))), TensorType(dtypes.i32, (*stack, m)))

    def _least(self, operands: Types) -> Dim:
        m, n = operands[0].shape[-2:]
        least = lesser(m, n)
        if least is None:
            self.bad_shape(operands, f"it is not known which is less of {m} rows and {n} columns")
        return least

    def eval(self, *operands: NumpyArray) -> Arrays:
        (a,) = operands
        m, n = a.shape[-2:]
        x = np.array(a.reshape(math.prod(a.shape[:-2]), m, n))
        which = np.arange(len(x))
        order = np.broadcast_to(np.arange(m, dtype=np.int32), (len(x), m)).copy()
        pivots = np.zeros((len(x), min(m, n)), np.int32)
        with np.errstate(all="ignore"):
            for i in range(min(m, n)):
                column = x[:, i:, i]
                size: NumpyArray = np.abs(np.real(column)) + np.abs(np.imag(column))
                # A NaN is never the greatest, unless it comes first.
                unknown = np.isnan(size)
                size[unknown] = -1
                size[unknown[:, 0], 0] = np.inf
                found = i + np.argmax(size, -1)
                pivots[:, i] = found
                for array in (x, order):
                    array[which, i], array[which, found] = array[which, found], array[which, i]
                pivot = x[:, i, i, None]
                x[:, i + 1 :, i] /= np.where(pivot == 0, 1, pivot)
                x[:, i + 1 :, i + 1 :] -= x[:, i + 1 :, i, None] * x[:, i, None, i + 1 :]
        stack = a.shape[:-2]
        return x.reshape(a.shape), pivots.reshape(*stack, min(m, n)), order.reshape(*stack, m)

    def cost(self, operands: Types, results: Types) -> Cost:
        m, n = sizes_of(operands[0])
        k = min(m, n)
        flops = stack_work(operands[0], 2 * m * n * k - (m + n) * k * k + 2 * k**3 // 3)
        return Cost(max(flops, 0), operands[0].bytes + sum(t.bytes for t in results))

    def room(self, types: Types) -> Dim:
        m, n = types[0].shape[-2:]
        return m * n * types[0].dtype.bytes + (m + 1) * 8

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (True, False, False)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (packed, _, permutation), (tangent,) = results, tangents
        if tangent is None:
            return None, None, None
        *_, m, n = packed.type.shape
        k = self._least(tuple(v.type for v in operands))
        # As if both factors were square: L gets columns, and U rows, of the unit matrix.
        lower = columns(b, packed, 0, k) if facts.same(k, n) else columns(b, packed, 0, m)
        lower = with_unit_diagonal(b, _grown(b, lower, packed.type.rank - 1, m))
        upper = part(b, _grown(b, rows(b, packed, 0, k), packed.type.rank - 2, n), "less_equal")
        if not facts.same(k, n):
            added = b.equal(_grown(b, b.like(1, rows(b, packed, 0, k)), packed.type.rank - 2, n), 0)
            on_diagonal = b.logical_and(place_mask(b, upper.type, "equal"), added)
            upper = b.select(on_diagonal, b.like(1, upper), upper)
        change = solve(b, lower, permuted(b, tangent, permutation), lower=True, unit=True)
        change = solve_right(b, change, upper)
        by_lower = b.matmul(lower, part(b, change, "greater"))
        return b.add(by_lower, b.matmul(part(b, change, "less_equal"), upper)), None, None


def _grown(b: Builder, x: Value, axis: int, size: Dim) -> Value:
    """The matrices with zeros behind, up to a size along an axis."""
    none = (0,) * x.type.rank
    high = tuple(size - n if i == axis else 0 for i, n in enumerate(x.type.shape))
    return b.pad(x, 0, none, high, none)


@define("lu_diagonal")
class LuDiagonal(OfMatrices):
    """What determinants are made of: the diagonal of U in the LU factors of square matrices, and 1 in i32 where an odd
    number of rows was exchanged, or 0. The factors themselves need not go to memory."""

    numpy_column = NUMPY_COLUMN

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        self.check_square(operands, a)
        return a.with_shape(a.shape[:-1]), TensorType(dtypes.i32, a.shape[:-2])

    def eval(self, *operands: NumpyArray) -> Arrays:
        packed, pivots, _ = Lu().eval(*operands)
        moved = np.not_equal(pivots, np.arange(int(pivots.shape[-1])))
        odd = np.asarray(np.count_nonzero(moved, axis=-1) % 2, np.int32)
        return np.diagonal(packed, axis1=-2, axis2=-1).copy(), odd

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        return Cost(stack_work(operands[0], 2 * n**3 // 3), operands[0].bytes + sum(t.bytes for t in results))

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (types[0].shape[-1],)

    def room(self, types: Types) -> Dim:
        return Lu().room(types)

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (True, False)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        if tangents == (None,):
            return None, None
        moved, *_ = Lu().jvp(b, operands, b.node(Lu(), *operands), tangents)
        assert moved is not None
        return diagonal(b, moved), None


@define("lu_solve")
class LuSolve(OfMatrices):
    """The solutions x of a x = b, or with `transpose` of aᵀ x = b, given the factors and the permutation of `a`.

    The derivative by `a` is that of the solution, -a⁻¹ da x. It does not go through the factors, which count as known:
    what computes them hides them from derivatives. A singular matrix gives infinities and NaNs.
    """

    transpose: bool
    numpy_column = NUMPY_ROW

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, 4)
        a, packed, permutation, b = operands
        self.check_matrices((a, packed, b), 3)
        self.check_square(operands, a)
        self.check_rows(operands, a, b)
        if not facts.same_shape(a.shape, packed.shape):
            shapes = f"{shape_text(a.shape)} has factors of shape {shape_text(packed.shape)}"
            self.bad_shape(operands, f"a matrix of shape {shapes}")
        if permutation.dtype != dtypes.i32 or not facts.same_shape(permutation.shape, a.shape[:-1]):
            self.bad_shape(operands, f"the permutation of {a.shape[-2]} rows is {permutation}")
        return (b,)

    def eval(self, *operands: NumpyArray) -> Arrays:
        _, packed, permutation, b = operands
        places = np.broadcast_to(permutation[..., None], b.shape).astype(np.int64)
        if not self.transpose:
            x = np.take_along_axis(b, places, -2)
            return (substitute(packed, substitute(packed, x, True, True), False, False),)
        turned = np.swapaxes(packed, -1, -2)
        x = substitute(turned, substitute(turned, b, True, False), False, True)
        result = np.empty_like(x)
        np.put_along_axis(result, places, x, -2)
        return (result,)

    def cost(self, operands: Types, results: Types) -> Cost:
        n, count = sizes_of(operands[3])
        flops = stack_work(operands[3], 2 * n * n * count)
        return Cost(flops, sum(t.bytes for t in (*operands[1:], *results)))

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (*types[3].shape[-2:], int(self.transpose))

    def room(self, types: Types) -> Dim:
        b = types[3]
        n, count = b.shape[-2:]
        if b.dtype.is_complex or (side_by_side(types[0]) and side_by_side(b)):
            return n * count * b.dtype.bytes if self.transpose else 0
        # All columns in strips, and one more.
        return (n + (STRIP_ROWS - 1)) // STRIP_ROWS * STRIP_ROWS * (in_strips(count, b.dtype) + 1) * b.dtype.bytes

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: Dim) -> Values:
        return (
            super().batch(b, operands, batched, size)
            if any(batched[:-1])
            else solved_side_by_side(self, b, operands, size)
        )

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (a, packed, permutation, _), (x,) = operands, results
        by_a, _, _, moved = tangents
        if by_a is not None:
            product = b.matmul(transpose(b, by_a) if self.transpose else by_a, x)
            moved = b.neg(product) if moved is None else b.sub(moved, product)
        return b.node(self, a, packed, permutation, moved) if moved is not None else (None,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        """Stated, since it is the op itself that transposes it."""
        (a, packed, permutation, _), (x,), (cotangent,) = operands, results, cotangents
        assert cotangent is not None
        (by_b,) = b.node(LuSolve(not self.transpose), a, packed, permutation, cotangent)
        pair = (x, by_b) if self.transpose else (by_b, x)
        return b.neg(b.matmul(pair[0], transpose(b, pair[1]))), None, None, by_b
