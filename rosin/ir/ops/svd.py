"""Singular values and vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Value, Values, define
from rosin.ir.ops.eigen import inverse_gaps
from rosin.ir.ops.matrix import (
    OfMatrices,
    adjoint,
    along_columns,
    along_rows,
    columns,
    diagonal,
    each,
    lesser,
    nans,
    place_mask,
    rows,
    sizes_of,
    stack_work,
)
from rosin.ir.ops.qr import BLOCK
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


@define("svd")
class Svd(OfMatrices):
    """For matrices a of m rows and n columns, k being the smaller, the k real singular values s in descending order,
    and with `vectors` two results before and behind: a = u diag(s) vh.

    u has orthonormal columns, k or, when `full`, m of them; vh has orthonormal rows, k or n. Matrices that hold
    infinities or NaNs give NaNs.

    The derivatives of vectors have differences of squares of singular values as divisors, and these values themselves;
    a quotient by one that is but rounding is left out, as for eigenvectors (rosin.ir.ops.eigen). Vectors beyond k
    are taken to move no more than orthogonality asks of them. Townsend, "Differentiating the singular value
    decomposition", 2016; Wan & Zhang, "Automatic differentiation for complex valued SVD", 2019.
    """

    full: bool
    vectors: bool

    def type(self, *operands: TensorType) -> Types:
        (a,) = self.check_matrices(operands, 1)
        *stack, m, n = a.shape
        k = self._least(operands)
        values = TensorType(a.dtype.part, (*stack, k))
        if not self.vectors:
            return (values,)
        left, right = (m, n) if self.full else (k, k)
        return a.with_shape((*stack, m, left)), values, a.with_shape((*stack, right, n))

    def _least(self, operands: Types) -> Dim:
        m, n = operands[0].shape[-2:]
        least = lesser(m, n)
        if least is None:
            self.bad_shape(operands, f"it is not known which is less of {m} rows and {n} columns")
        return least

    def eval(self, *operands: NumpyArray) -> Arrays:
        (a,) = operands
        types = self.type(TensorType(dtypes.from_numpy(a.dtype), a.shape))
        found = [self._of_one(x) for x in each(a)]
        results: list[NumpyArray] = []
        for position, t in enumerate(types):
            one = t.sizes[a.ndim - 2 :]
            parts = [nans(one, t.dtype) if x is None else x[position].astype(t.dtype.numpy) for x in found]
            if not parts:
                parts = [np.eye(*one, dtype=t.dtype.numpy) if len(one) == 2 else np.zeros(one, t.dtype.numpy)] * _count(
                    t.sizes, one
                )
            results.append(np.stack(parts).reshape(t.sizes) if parts else np.zeros(t.sizes, t.dtype.numpy))
        return tuple(results)

    def _of_one(self, a: NumpyArray) -> Arrays | None:
        if not np.isfinite(a).all():
            return None
        try:
            if not self.vectors:
                return (np.linalg.svd(a, compute_uv=False),)
            # Signs are those of the transpose's vectors, as LAPACK finds them in rows that it takes for columns.
            right, values, left = np.linalg.svd(a.T, full_matrices=self.full)
        except np.linalg.LinAlgError:
            return None
        return left.T, values, right.T

    def cost(self, operands: Types, results: Types) -> Cost:
        m, n = sizes_of(operands[0])
        k = min(m, n)
        flops = stack_work(operands[0], (20 if self.vectors else 4) * m * n * k)
        return Cost(flops, operands[0].bytes + sum(t.bytes for t in results))

    @property
    def routine(self) -> str:
        return self.name if self.vectors else f"{self.name}_values"

    def told(self, types: Types) -> tuple[Dim, ...]:
        m, n = types[0].shape[-2:]
        return m, n, self._least(types), int(self.full)

    def room(self, types: Types) -> Dim:
        (a,) = types
        m, n = a.shape[-2:]
        k = self._least(types)
        # The matrix; LAPACK's workspace of numbers, of real ones for complex matrices, and of integers.
        real = (5 * k * k + 2 * m * n + 7 * k) * a.dtype.part.bytes if a.dtype.is_complex else 0
        return (m * n + svd_work(m, n, k)) * a.dtype.bytes + real + 8 * 8 * k

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        if self.vectors or tangents == (None,):
            return super().forward_jvp(b, operands, tangents)
        results = b.node(Svd(False, True), *operands)
        return results[1:2], Svd(False, True).jvp(b, operands, results, tangents)[1:2]

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        if self.vectors or not active[0]:
            return super().forward_vjp(b, operands, active)
        both = Svd(False, True)
        results = b.node(both, *operands)
        return results[1:2], lambda cotangents: both.vjp(b, operands, results, (None, *cotangents, None))

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        (a,), (tangent,) = operands, tangents
        if not self.vectors:
            both = Svd(False, True)
            return both.jvp(b, operands, b.node(both, a), tangents)[1:2]
        if tangent is None:
            return None, None, None
        u, s, vh = results
        m, n = a.type.shape[-2:]
        k = self._least((a.type,))
        left, right = columns(b, u, 0, k), adjoint(b, rows(b, vh, 0, k))
        change = b.matmul(adjoint(b, left), b.matmul(tangent, right))
        by_left, by_right = _within(b, s, change)
        by_u, by_v = b.matmul(left, by_left), b.matmul(right, by_right)
        inverse = _inverse(b, s)
        if not facts.same(m, k):
            by_u = b.add(by_u, _beyond(b, b.matmul(tangent, right), left, inverse))
        if not facts.same(n, k):
            by_v = b.add(by_v, _beyond(b, b.matmul(adjoint(b, tangent), left), right, inverse))
        if self.full:
            by_u = _completed(b, u, left, by_u)
            by_v = _completed(b, adjoint(b, vh), right, by_v)
        return by_u, b.real_part(diagonal(b, change)), adjoint(b, by_v)


def svd_work(m: Dim, n: Dim, k: Dim) -> Dim:
    """Numbers of workspace of `gesdd`."""
    return 4 * k * k + 7 * k + (m + n) * (BLOCK + 1)


def _count(shape: tuple[int, ...], one: tuple[int, ...]) -> int:
    return int(np.prod(shape[: len(shape) - len(one)]))


def _within(b: Builder, s: Value, change: Value) -> tuple[Value, Value]:
    """How singular vectors turn among each other, left ones and right ones."""
    dtype = change.type.dtype
    shape = TensorType(s.type.dtype, change.type.shape)
    by_column, by_row = along_rows(b, s, shape), along_columns(b, s, shape)
    gaps = b.sub(by_column, by_row)
    total = b.add(by_column, by_row)
    none = b.equal(total, 0)
    # 1 / (s_j² - s_i²), by one factor after the other, so that squares neither over- nor underflow.
    scale = b.div(inverse_gaps(b, gaps, s), b.select(none, b.like(1, total), total))
    scale = b.cast(scale, dtype)
    right, left = (b.mul(change, b.cast(v, dtype)) for v in (by_column, by_row))
    by_left = b.mul(scale, b.add(right, adjoint(b, right)))
    by_right = b.mul(scale, b.add(left, adjoint(b, left)))
    if dtype.is_complex:
        # The phase of a pair: all of it goes to the left vector.
        turn = b.mul(b.sub(change, b.cast(b.real(change), dtype)), b.cast(along_rows(b, _inverse(b, s), shape), dtype))
        by_left = b.select(place_mask(b, change.type, "equal"), turn, by_left)
    return by_left, by_right


def _inverse(b: Builder, s: Value) -> Value:
    """1 / s, and 0 for a value of 0."""
    none = b.equal(s, 0)
    one = b.like(1, s)
    return b.select(none, b.zeros(s.type), b.div(one, b.select(none, one, s)))


def _beyond(b: Builder, moved: Value, vectors: Value, inverse: Value) -> Value:
    """How vectors move out of the space that they span."""
    outside = b.sub(moved, b.matmul(vectors, b.matmul(adjoint(b, vectors), moved)))
    return b.mul(
        outside, b.cast(along_rows(b, inverse, TensorType(inverse.type.dtype, moved.type.shape)), moved.type.dtype)
    )


def _completed(b: Builder, whole: Value, vectors: Value, moved: Value) -> Value:
    """The tangents of all vectors of a basis, given those of the first ones."""
    n, k = whole.type.shape[-1], vectors.type.shape[-1]
    if facts.same(n, k):
        return moved
    last = columns(b, whole, k, n)
    by_last = b.neg(b.matmul(vectors, b.matmul(adjoint(b, moved), last)))
    return b.concatenate([moved, by_last], whole.type.rank - 1)
