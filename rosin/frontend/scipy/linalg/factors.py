"""Factors of matrices, and equations that are solved with their help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.control import fori_loop
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import creation, elementwise, indexing, logic, manipulation, promote
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.linalg.common import (
    adjoint,
    columns_of,
    matrices,
    same_stack,
    side_by_side,
    size_of,
    squares,
)
from rosin.frontend.numpy.linalg.factors import cholesky as numpy_cholesky
from rosin.frontend.numpy.linalg.systems import solve as numpy_solve
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.sorting import argsort
from rosin.ir import facts
from rosin.ir.ops.lu import Lu
from rosin.ir.ops.svd import Svd
from rosin.ir.ops.triangular import TriangularSolve

if TYPE_CHECKING:
    from rosin.frontend.array import Array

TRANSPOSES = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def _transpose_of(name: str, trans: int | str, x: Array) -> int:
    if trans not in TRANSPOSES:
        promote.bad_value(f"{name}: trans is 0, 1 or 2, or 'N', 'T' or 'C', not {trans!r}", x)
    return TRANSPOSES[trans]


# -- triangular matrices ---------------------------------------------------------------------------------------------


def solve_triangular(
    a: ArrayLike, b: ArrayLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Array:
    """The solutions x of a x = b for triangular matrices; of aᵀ x = b with `trans` 1 or "T", of aᴴ x = b with 2 or "C".

    Only the upper triangle is read, or with `lower` the lower one, and with `unit_diagonal` no diagonal, which counts
    as ones. A right-hand side of rank 1 is a vector. A zero on the diagonal gives infinities and NaNs.

    Raises:
        ShapeError: matrices are not square, or sizes do not fit.
        AttributeValueError: there is no such `trans`.
    """
    x, right, vector = columns_of("solve_triangular", squares("solve_triangular", a), b)
    turned = _transpose_of("solve_triangular", trans, x)
    result = _solved(x, right, bool(lower), turned, bool(unit_diagonal), "solve_triangular")
    return manipulation.squeeze(result, -1) if vector else result


def _solved(a: Array, b: Array, lower: bool, turned: int, unit: bool = False, name: str = "solve_triangular") -> Array:
    """Solutions for triangular matrices, transposed for 1 and conjugated too for 2."""
    op = TriangularSolve(lower, turned > 0, unit)
    return side_by_side(name, conj(a) if turned == 2 else a, b, lambda x, y: core.bind1(op, x, y))


# -- Cholesky ----------------------------------------------------------------------------------------------------------


def cholesky(a: ArrayLike, lower: bool = False) -> Array:
    """The upper triangular U of positive definite matrices a = Uᴴ U, or the lower triangular L of a = L Lᴴ.

    Matrices that are not positive definite give NaN.
    """
    return numpy_cholesky(a, upper=not lower)


def cho_factor(a: ArrayLike, lower: bool = False) -> tuple[Array, bool]:
    """A Cholesky factor for `cho_solve`, with zeros in its other triangle, and whether it is the lower one."""
    return cholesky(a, lower), bool(lower)


def cho_solve(c_and_lower: tuple[ArrayLike, bool], b: ArrayLike) -> Array:
    """The solutions x of a x = b, given what `cho_factor` gave for a.

    Raises:
        ShapeError: sizes do not fit.
    """
    given, lower = c_and_lower
    factor, right, vector = columns_of("cho_solve", squares("cho_solve", given), b)
    half = _solved(factor, right, bool(lower), 0 if lower else 2, name="cho_solve")
    result = _solved(factor, half, bool(lower), 2 if lower else 0, name="cho_solve")
    return manipulation.squeeze(result, -1) if vector else result


# -- LU ----------------------------------------------------------------------------------------------------------------


def lu_factor(a: ArrayLike) -> tuple[Array, Array]:
    """The factors of (..., m, n) matrices packed in one, and the rows that were exchanged, for `lu_solve`.

    Below the diagonal stands the unit lower triangular L, and from the diagonal on U.
    """
    packed, pivots, _ = core.bind(Lu(), matrices("lu_factor", a))
    return packed, pivots


def lu_solve(lu_and_piv: tuple[ArrayLike, ArrayLike], b: ArrayLike, trans: int | str = 0) -> Array:
    """The solutions x of a x = b, given what `lu_factor` gave for a; `trans` is as for `solve_triangular`.

    Raises:
        ShapeError: sizes do not fit.
        AttributeValueError: there is no such `trans`.
    """
    given, pivots = lu_and_piv
    packed, right, vector = columns_of("lu_solve", squares("lu_solve", given), b)
    turned = _transpose_of("lu_solve", trans, packed)
    order = _order_of(promote.array("lu_solve", pivots), packed)
    # Rows are moved in a stack that both have.
    packed, right = same_stack("lu_solve", packed, right)
    order = promote.spread(order, core.shape_of(right)[:-1])[..., None]
    if turned:
        half = _solved(packed, right, False, turned)
        x = _solved(packed, half, True, turned, True)
        back = promote.array("lu_solve", _inverse_order(order))
        result = indexing.take_along_axis(x, promote.spread(back, core.shape_of(x)), axis=-2)
    else:
        moved = indexing.take_along_axis(right, promote.spread(order, core.shape_of(right)), axis=-2)
        half = _solved(packed, moved, True, 0, True)
        result = _solved(packed, half, False, 0)
    return manipulation.squeeze(result, -1) if vector else result


def _inverse_order(order: Array) -> Array:
    """Where each row went, given where rows come from."""
    return argsort(order, axis=-2)


def _order_of(pivots: Array, packed: Array) -> Array:
    """The permutation that exchanges of rows come to, one step after the other."""
    n = size_of(packed)
    stack = core.shape_of(pivots)[:-1]
    start = promote.spread(creation.arange(n), (*stack, n))
    if n == 0:
        return start

    def swap(i: Array, order: Array) -> Array:
        other = indexing.take(pivots, i, axis=-1)[..., None]
        places = creation.arange(n)
        here = indexing.take(order, i, axis=-1)[..., None]
        there = indexing.take_along_axis(order, other, axis=-1)
        return logic.where(logic.equal(places, i), there, logic.where(logic.equal(places, other), here, order))

    return fori_loop(0, core.shape_of(pivots)[-1], swap, start)


def lu(
    a: ArrayLike, permute_l: bool = False, p_indices: bool = False
) -> tuple[Array, Array, Array] | tuple[Array, Array]:
    """P, L and U of (..., m, n) matrices with a = P L U, k being the smaller of m and n: a permutation matrix, a unit
    lower triangular (..., m, k) and an upper triangular (..., k, n) one.

    With `permute_l` P L and U alone; with `p_indices` in the place of P the indices with a = L[p] U.
    """
    x = matrices("lu", a)
    packed, _, order = core.bind(Lu(), x)
    m, n = core.shape_of(x)[-2:]
    k = n if facts.known_at_least(m, n) else m
    dtype = core.dtype_of(x)
    lower = elementwise.add(creation.tril(packed[..., :k], k=-1), creation.eye(m, k, dtype=dtype))
    upper = creation.triu(packed[..., :k, :])
    back = promote.cast(_inverse_order(order[..., None])[..., 0], core.DEFAULT_INT)
    if p_indices:
        return back, lower, upper
    moves = logic.equal(back[..., :, None], creation.arange(m))
    if permute_l:
        return matmul(promote.cast(moves, dtype), lower), upper
    return promote.cast(moves, dtype.part if dtype.is_complex else dtype), lower, upper


# -- equations ---------------------------------------------------------------------------------------------------------


def solve(a: ArrayLike, b: ArrayLike, lower: bool = False, *, assume_a: str = "gen") -> Array:
    """The solutions x of a x = b, as `rosin.numpy.linalg.solve` finds them.

    `assume_a` says what is known of the matrices: "gen" nothing, "pos" that they are positive definite, "upper
    triangular" and "lower triangular" that only that triangle counts.

    Raises:
        AttributeValueError: `assume_a` is none of these.
        LinAlgError: a matrix is singular, as for `rosin.numpy.linalg.solve`.
    """
    if assume_a not in ("gen", "pos", "upper triangular", "lower triangular"):
        kinds = "'gen', 'pos', 'upper triangular' or 'lower triangular'"
        promote.bad_value(f"solve: assume_a is {kinds}, not {assume_a!r}", promote.array("solve", a))
    if assume_a == "gen":
        return numpy_solve(a, b)
    if assume_a == "pos":
        return cho_solve(cho_factor(a, lower), b)
    return solve_triangular(a, b, lower=assume_a.startswith("lower"))


# -- polar -------------------------------------------------------------------------------------------------------------


def polar(a: ArrayLike, side: str = "right") -> tuple[Array, Array]:
    """u with orthonormal columns, or rows, and a positive semidefinite p: a = u p, or for `side` "left" a = p u.

    The derivative asks that sums of two singular values are not zero, and not that they differ.

    Raises:
        AttributeValueError: there is no such side.
    """
    x = matrices("polar", a)
    if side not in ("left", "right"):
        promote.bad_value(f"polar: side is 'right' or 'left', not {side!r}", x)
    u = _unitary(x)
    p = matmul(adjoint(u), x) if side == "right" else matmul(x, adjoint(u))
    return u, elementwise.multiply(elementwise.add(p, adjoint(p)), 0.5)


@custom_jvp
def _unitary(a: Array) -> Array:
    u, _, vh = core.bind(Svd(False, True), a)
    return matmul(u, vh)


@_unitary.defjvp
def _unitary_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (a,), (tangent,) = primals, tangents
    u, s, vh = core.bind(Svd(False, True), a)
    v = adjoint(vh)
    change = matmul(adjoint(u), matmul(tangent, v))
    dtype = core.dtype_of(a)
    sums = elementwise.add(s[..., :, None], s[..., None, :])
    turn = elementwise.divide(elementwise.subtract(change, adjoint(change)), promote.cast(sums, dtype))
    result = matmul(u, matmul(turn, vh))
    inverse = promote.cast(elementwise.divide(1.0, s), dtype)[..., None, :]
    m, n = core.shape_of(a)[-2:]
    if not facts.same(m, n):
        # What leaves the space that the vectors of the smaller side span.
        if facts.known_at_least(m, n):
            moved = matmul(tangent, v)
            outside = elementwise.subtract(moved, matmul(u, change))
            result = elementwise.add(result, matmul(elementwise.multiply(outside, inverse), vh))
        else:
            moved = matmul(adjoint(tangent), u)
            outside = elementwise.subtract(moved, matmul(v, adjoint(change)))
            result = elementwise.add(result, matmul(u, adjoint(elementwise.multiply(outside, inverse))))
    return _unitary(a), result
