"""Eigenvalues and eigenvectors, of Hermitian matrices and of others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rosin.ir import dtypes
from rosin.ir.dims import Dim
from rosin.ir.op import Arrays, Cost, Maybe, NumpyArray, Types, Value, Values, define, with_attributes
from rosin.ir.ops.lu import Lu, LuSolve
from rosin.ir.ops.matrix import (
    OfMatrices,
    adjoint,
    along_columns,
    along_rows,
    diagonal,
    each,
    hermitian,
    hermitian_part,
    nans,
    sizes_of,
    stack_work,
)
from rosin.ir.ops.qr import BLOCK
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


REFLECTED = 32
"""So many reflections of a Hermitian matrix are applied together."""

LINES, INTEGERS = 6, 6
"""What a cut of a matrix in halves takes: lines of numbers twice as long as the matrix, and lines of integers."""

MOST_LANES = 16
"""Lines are longer by a vector, of which this is the widest."""

ENDS = 1 << 9
"""Bytes for the ends of what lies in a room, which is aligned."""


@with_attributes
class Eigen(OfMatrices):
    """Eigenvalues, and with `vectors` also eigenvectors, the columns of a second result.

    Matrices that hold infinities or NaNs give NaNs. The derivative of an eigenvector has the differences of eigenvalues
    as divisors. Quotients by differences that are but rounding are left out, that is, how vectors turn within the space
    of one eigenvalue. So derivatives at equal eigenvalues are finite. They are right for symmetric functions of the
    eigenvalues, and for functions of the projections on whole eigenspaces. Those of other functions of eigenvectors, as
    V f(w) V⁻¹, lack there what comes of eigenvalues that part.

    Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008;
    Boeddeker et al., "On the computation of complex-valued gradients with application to statistically optimum
    beamforming", 2017.
    """

    vectors: bool

    def check(self, operands: Types) -> TensorType:
        (a,) = self.check_matrices(operands, 1)
        self.check_square(operands, a)
        return a

    def eval(self, *operands: NumpyArray) -> Arrays:
        (a,) = operands
        shape, types = a.shape, self.type(TensorType(dtypes.from_numpy(a.dtype), a.shape))
        found = [self.of_one(x) if np.isfinite(x).all() else None for x in each(a)]
        results: list[NumpyArray] = []
        for position, t in enumerate(types):
            one = shape[-1:] if position == 0 else shape[-2:]
            parts = [nans(one, t.dtype) if x is None else np.asarray(x[position], t.dtype.numpy) for x in found]
            results.append(np.stack(parts).reshape(t.sizes) if parts else np.zeros(t.sizes, t.dtype.numpy))
        return tuple(results)

    @abstractmethod
    def of_one(self, a: NumpyArray) -> Arrays | None:
        """The results for one matrix of finite numbers; None where the iteration does not converge."""

    @property
    def routine(self) -> str:
        return self.name if self.vectors else f"{self.name}_values"

    def told(self, types: Types) -> tuple[Dim, ...]:
        return (types[0].shape[-1],)

    @abstractmethod
    def with_vectors(self) -> Eigen:
        """The op that gives vectors, too."""

    # Derivatives need the vectors: they are computed at once, and not a second time.

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        if self.vectors or tangents == (None,):
            return super().forward_jvp(b, operands, tangents)
        both = self.with_vectors()
        results = b.node(both, *operands)
        return results[:1], both.jvp(b, operands, results, tangents)[:1]

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        if self.vectors or not active[0]:
            return super().forward_vjp(b, operands, active)
        both = self.with_vectors()
        results = b.node(both, *operands)
        return results[:1], lambda cotangents: both.vjp(b, operands, results, (*cotangents, None))

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        if not self.vectors:
            both = self.with_vectors()
            return both.jvp(b, operands, b.node(both, *operands), tangents)[:1]
        (values, vectors), (tangent,) = results, tangents
        if tangent is None:
            return None, None
        return self.moved(b, values, vectors, tangent)

    @abstractmethod
    def moved(self, b: Builder, values: Value, vectors: Value, tangent: Value) -> Maybe:
        """The tangents of values and vectors."""


@define("eigh")
class Eigh(Eigen):
    """Real eigenvalues in ascending order, and orthonormal eigenvectors, of Hermitian matrices.

    They are those of the Hermitian part of the operand, (a + aᴴ) / 2, so that gradients are Hermitian.
    """

    vectors: bool

    def type(self, *operands: TensorType) -> Types:
        a = self.check(operands)
        values = TensorType(a.dtype.part, a.shape[:-1])
        return (values, a) if self.vectors else (values,)

    def with_vectors(self) -> Eigen:
        return Eigh(True)

    def of_one(self, a: NumpyArray) -> Arrays | None:
        a = hermitian_part(a)
        try:
            return tuple(np.linalg.eigh(a)) if self.vectors else (np.linalg.eigvalsh(a),)
        except np.linalg.LinAlgError:
            return None

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        flops = stack_work(operands[0], (9 if self.vectors else 3) * n**3)
        return Cost(flops, operands[0].bytes + sum(t.bytes for t in results))

    def room(self, types: Types) -> Dim:
        (a,) = types
        n, real = a.shape[-1], a.dtype.part.bytes
        square, padded = n * n, n + MOST_LANES
        if not self.vectors:
            # The matrix, workspace of numbers and of real ones, and integers.
            return (square + (REFLECTED + 6) * n) * a.dtype.bytes + 5 * n * (real + 8) + ENDS
        # The matrix and its reflections; eigenvectors of parts, what these are made of, and lines; LAPACK's integers.
        # A matrix that is not cut needs less.
        reflections = (1 + 2 * REFLECTED) * n
        reals = 2 * square + n * padded + n + 2 * LINES * padded
        return (square + reflections) * a.dtype.bytes + reals * real + INTEGERS * n * 8 + ENDS

    def moved(self, b: Builder, values: Value, vectors: Value, tangent: Value) -> Maybe:
        change = b.matmul(adjoint(b, vectors), b.matmul(hermitian(b, tangent), vectors))
        scale = b.cast(_inverse_gaps(b, values, change.type), change.type.dtype)
        return b.real_part(diagonal(b, change)), b.matmul(vectors, b.mul(change, scale))


@define("eig")
class Eig(Eigen):
    """Complex eigenvalues in no order, and eigenvectors of norm 1 whose greatest component is real.

    The derivative keeps the norm, and does not turn the phase.
    """

    vectors: bool

    def type(self, *operands: TensorType) -> Types:
        a = self.check(operands)
        dtype = a.dtype if a.dtype.is_complex else a.dtype.complex
        values = TensorType(dtype, a.shape[:-1])
        return (values, TensorType(dtype, a.shape)) if self.vectors else (values,)

    def with_vectors(self) -> Eigen:
        return Eig(True)

    def of_one(self, a: NumpyArray) -> Arrays | None:
        try:
            return tuple(np.linalg.eig(a)) if self.vectors else (np.linalg.eigvals(a),)
        except np.linalg.LinAlgError:
            return None

    def cost(self, operands: Types, results: Types) -> Cost:
        n, _ = sizes_of(operands[0])
        flops = stack_work(operands[0], (25 if self.vectors else 10) * n**3)
        return Cost(flops, operands[0].bytes + sum(t.bytes for t in results))

    def room(self, types: Types) -> Dim:
        (a,) = types
        n = a.shape[-1]
        # Matrix and vectors, the parts of values, workspace of numbers and of real ones.
        return (2 * n * n + (BLOCK + 6) * n) * a.dtype.bytes + 2 * n * a.dtype.part.bytes

    def moved(self, b: Builder, values: Value, vectors: Value, tangent: Value) -> Maybe:
        tangent = b.cast(tangent, vectors.type.dtype)
        change = _solved(b, vectors, b.matmul(tangent, vectors))
        moved = b.matmul(vectors, b.mul(change, _inverse_gaps(b, values, change.type)))
        along = b.sum(b.mul(b.conj(vectors), moved), (vectors.type.rank - 2,))
        return diagonal(b, change), b.sub(moved, b.mul(vectors, along_rows(b, along, vectors.type)))


def _solved(b: Builder, a: Value, x: Value) -> Value:
    """The solutions of equations."""
    packed, _, permutation = b.node(Lu(), a)
    return b.node(LuSolve(False), a, packed, permutation, x)[0]


def _inverse_gaps(b: Builder, values: Value, like: TensorType) -> Value:
    """1 / (value j - value i) at place (i, j); zero where that difference is but rounding."""
    shape = TensorType(values.type.dtype, like.shape)
    gaps = b.sub(along_rows(b, values, shape), along_columns(b, values, shape))
    return inverse_gaps(b, gaps, b.abs(values))


def inverse_gaps(b: Builder, gaps: Value, sizes: Value) -> Value:
    """1 / gap, and zero where the gap is but rounding of numbers of these sizes."""
    n = sizes.type.shape[-1]
    most = b.max(sizes, (sizes.type.rank - 1,)) if n != 0 else b.zeros(sizes.type.with_shape(sizes.type.shape[:-1]))
    least = b.mul(most, sizes.type.dtype.epsilon * 4)
    small = b.less_equal(b.abs(gaps), b.broadcast(least, gaps.type.shape, tuple(range(least.type.rank))))
    one = b.like(1, gaps)
    return b.select(small, b.zeros(gaps.type), b.div(one, b.select(small, one, gaps)))
