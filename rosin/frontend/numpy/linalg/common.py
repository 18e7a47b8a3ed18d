"""What functions of matrices stand on: their operands, and LU factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rosin.frontend import core
from rosin.frontend.errors import LinAlgError
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.trace import located
from rosin.ir import dims, facts
from rosin.ir.dims import Dim
from rosin.ir.ops.lu import Lu, LuSolve
from rosin.ir.ops.solve import Solve

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def matrices(name: str, x: ArrayLike) -> Array:
    """A stack of matrices of floats."""
    operand = promote.floating(name, x)
    if len(core.shape_of(operand)) < 2:
        promote.bad_shape(
            f"{name}: takes matrices, of rank 2 at least, not rank {len(core.shape_of(operand))}", operand
        )
    return operand


def squares(name: str, x: ArrayLike) -> Array:
    """A stack of square matrices of floats."""
    operand = matrices(name, x)
    rows, columns = core.shape_of(operand)[-2:]
    if not facts.same(rows, columns):
        promote.bad_shape(f"{name}: takes square matrices, not ones of {rows} rows and {columns} columns", operand)
    return operand


def size_of(x: Array) -> Dim:
    """The columns of matrices."""
    return core.shape_of(x)[-1]


def adjoint(x: Array) -> Array:
    """The conjugate transpose."""
    return manipulation.matrix_transpose(conj(x))


def diagonal_mask(x: Array) -> Array:
    """Where square matrices have their diagonal."""
    n = size_of(x)
    places = creation.arange(n)
    return logic.equal(manipulation.expand_dims(places, 1), places)


def diagonal(x: Array) -> Array:
    """The diagonal of square matrices, whose size may be symbolic."""
    if isinstance(size_of(x), int):
        return creation.diagonal(x)
    return reductions.sum(logic.where(diagonal_mask(x), x, 0), axis=-1)


def epsilon(x: Array) -> float:
    """The distance between 1 and the next number."""
    return float(core.dtype_of(x).part.epsilon) if core.dtype_of(x).is_complex else float(core.dtype_of(x).epsilon)


class Factors(NamedTuple):
    """A matrix, which derivatives go by, with its LU factors, pivots and permutation, which count as constants."""

    matrix: Array
    packed: Array
    pivots: Array
    order: Array

    def solve(self, b: Array, transpose: bool = False) -> Array:
        """Solutions for right-hand sides, matrices with the same leading axes."""
        return core.bind1(LuSolve(transpose), self.matrix, self.packed, self.order, b)

    def is_odd(self) -> Array:
        """Whether an odd number of rows were exchanged."""
        moved = logic.not_equal(self.pivots, creation.arange(core.shape_of(self.pivots)[-1]))
        return logic.equal(elementwise.remainder(reductions.sum(moved, axis=-1), 2), 1)


def factored(a: Array) -> Factors:
    """The LU factors of square matrices."""
    return Factors(a, *core.bind(Lu(), promote.stopped(a)))


SMALL = 32
"""Matrices of at most so many rows and columns are factored anew wherever they are solved for, which costs less than to
keep their factors in memory."""


def solved(name: str, a: Array, b: Array) -> Array:
    """Solutions for square matrices and right-hand sides with the same leading axes.

    Raises:
        LinAlgError: a matrix is singular, if values are known now. Where they are not, infinities and NaNs follow.
    """
    if all(facts.known_at_least(SMALL, n) for n in core.shape_of(b)[-2:]):
        x = core.bind1(Solve(), a, b)
        if core.tracing() or divides(x):
            return x
    return invertible(name, a).solve(b)


def divides(x: Array) -> bool:
    """Whether no matrix has had a pivot that is zero, as known solutions tell: it leaves no column of them finite."""
    column = core.known(x)[..., :1]
    return bool(column.size) and bool(np.isfinite(column).all())


def invertible(name: str, a: Array) -> Factors:
    """The LU factors of square matrices that are to be divided by.

    Raises:
        LinAlgError: a matrix is singular, if values are known now. Where they are not, infinities and NaNs follow.
    """
    factors = factored(a)
    if not core.tracing():
        packed = core.known(factors.packed)
        zeros = np.argwhere(np.diagonal(packed, axis1=-2, axis2=-1) == 0)
        if len(zeros):
            *places, row = zeros[0].tolist()
            which = f"matrix {', '.join(map(str, places))} of the stack" if places else "the matrix"
            message = f"{name}: {which} is singular: pivot {row} of its LU factors is zero"
            raise located(LinAlgError(message, [core.type_of(a)]))
    return factors


def columns_of(name: str, a: Array, b: ArrayLike) -> tuple[Array, Array, bool]:
    """Matrices and right-hand sides of one element type, these as matrices, too, and whether they were one vector."""
    right = promote.array(name, b)
    dtype = promote.promote_types(core.dtype_of(a), core.dtype_of(promote.floating(name, right)))
    a, right = promote.cast(a, dtype), promote.cast(right, dtype)
    vector = len(core.shape_of(right)) == 1
    if not core.shape_of(right):
        promote.bad_shape(f"{name}: a right-hand side is a vector, or matrices, not a number", a, right)
    if not facts.same(size_of(a), core.shape_of(right)[-1 if vector else -2]):
        rows = core.shape_of(right)[-1 if vector else -2]
        promote.bad_shape(f"{name}: matrices have {size_of(a)} columns and right-hand sides {rows} rows", a, right)
    return a, manipulation.expand_dims(right, 1) if vector else right, vector


def side_by_side(name: str, a: Array, b: Array, solve: Callable[[Array, Array], Array]) -> Array:
    """What `solve` gives for matrices and right-hand sides, whose leading axes broadcast.

    It is asked for both with the same leading axes. Those that right-hand sides have in front of the matrices' own are
    not among these: what is to be solved for with the same matrix stands side by side, as columns of one.
    """
    ranks = len(core.shape_of(a)), len(core.shape_of(b))
    front = max(ranks[1] - ranks[0], 0)
    *shape, count = core.shape_of(b)
    before, kept = tuple(shape[:front]), tuple(shape[front:])
    axes = (*range(front, ranks[1] - 1), *range(front), ranks[1] - 1)
    if front:
        b = manipulation.reshape(manipulation.permute_dims(b, axes), (*kept, dims.product((*before, count))))
    x = solve(*same_stack(name, a, b))
    if not front:
        return x
    apart = manipulation.reshape(x, (*core.shape_of(x)[:-1], *before, count))
    rank = len(core.shape_of(apart))
    middle = rank - 1 - front
    return manipulation.permute_dims(apart, (*range(middle, rank - 1), *range(middle), rank - 1))


def same_stack(name: str, a: Array, b: Array) -> tuple[Array, Array]:
    """Both with the leading axes that those of the two broadcast to."""
    left, right = core.shape_of(a), core.shape_of(b)
    stack = promote.broadcast_batch(name, (a, left[:-2]), (b, right[:-2]))
    return promote.spread(a, (*stack, *left[-2:])), promote.spread(b, (*stack, *right[-2:]))
