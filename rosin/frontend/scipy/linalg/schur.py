"""Schur's form of matrices, and Hessenberg's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.control import fori_loop
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import creation, elementwise, indexing, logic, promote, reductions, transcendental
from rosin.frontend.numpy.complex import conj, real
from rosin.frontend.numpy.linalg.common import adjoint, diagonal, epsilon, size_of, squares
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.linalg.factors import solve_triangular
from rosin.ir.ops.schur import Schur

if TYPE_CHECKING:
    from rosin.frontend.array import Array

# -- Schur -------------------------------------------------------------------------------------------------------------


def schur(a: ArrayLike, output: str = "real") -> tuple[Array, Array]:
    """An upper triangular t and a unitary z with a = z t zᴴ; eigenvalues, in no order, are on the diagonal of t.

    Of real matrices t is real, with blocks of two rows for pairs of conjugate eigenvalues; with `output` "complex" they
    are taken for complex ones. Infinities, NaNs, and failed convergence give NaNs.

    The derivative is that of complex matrices. It keeps the phases of the columns of z, and has the differences of
    eigenvalues for divisors; quotients by differences that are but rounding are left out.

    Raises:
        AttributeValueError: there is no such output.
        ShapeError: matrices are not square.
    """
    x = squares("schur", a)
    if output not in ("real", "complex"):
        promote.bad_value(f"schur: output is 'real' or 'complex', not {output!r}", x)
    if core.dtype_of(x).is_complex or output == "complex":
        return _complex_schur(x if core.dtype_of(x).is_complex else promote.cast(x, core.dtype_of(x).complex))
    t, z = core.bind(Schur(), x)
    return t, z


@custom_jvp
def _complex_schur(a: Array) -> tuple[Array, Array]:
    t, z = core.bind(Schur(), a)
    return t, z


@_complex_schur.defjvp
def _complex_schur_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    (a,), (tangent,) = primals, tangents
    t, z = _complex_schur(a)
    change = matmul(adjoint(z), matmul(tangent, z))
    turn = _turn(t, change)
    # zᴴ dz is skew-Hermitian: its lower triangle is what keeps t triangular, and its diagonal is left at zero.
    turn = elementwise.subtract(turn, adjoint(turn))
    moved = elementwise.add(elementwise.subtract(change, matmul(turn, t)), matmul(t, turn))
    return (t, z), (creation.triu(moved), matmul(z, turn))


def _turn(t: Array, change: Array) -> Array:
    """The x, zeros on the diagonal and above, for which x t - t x is a given matrix below the diagonal."""
    n = size_of(t)
    if n == 0:
        return change
    places = creation.arange(n)
    rows, columns = places[:, None], places
    eigenvalues = promote.stopped(diagonal(t))
    least = elementwise.multiply(reductions.max(elementwise.abs(eigenvalues), axis=-1), 4 * epsilon(t))

    def column(j: Array, x: Array) -> Array:
        value = indexing.take(diagonal(t), j, axis=-1)[..., None]
        far = logic.greater(
            elementwise.abs(elementwise.subtract(promote.stopped(value), eigenvalues)), least[..., None]
        )
        moves = logic.logical_and(logic.greater(places, j), far)
        # Of rows that do not move the matrix is a unit matrix, and the right-hand side zero.
        both = logic.logical_and(moves[..., :, None], moves[..., None, :])
        whole = elementwise.subtract(
            logic.where(logic.equal(rows, columns), logic.where(moves, value, 1.0)[..., None], 0.0),
            logic.where(both, t, 0.0),
        )
        known = matmul(x, indexing.take(t, j, axis=-1)[..., None])
        right = elementwise.subtract(indexing.take(change, j, axis=-1)[..., None], known)
        found = solve_triangular(whole, logic.where(moves[..., None], right, 0.0))
        return logic.where(logic.equal(columns, j), found, x)

    return fori_loop(0, n, column, creation.zeros_like(t))


# -- Hessenberg --------------------------------------------------------------------------------------------------------


@core.fresh
def hessenberg(a: ArrayLike, calc_q: bool = False) -> tuple[Array, Array] | Array:
    """h with zeros below the diagonal beside the main one, and with `calc_q` a unitary q, with a = q h qᴴ.

    By Householder's reflections, one for each column; elements that these make negative are so as in LAPACK.

    Raises:
        ShapeError: matrices are not square.
    """
    x = squares("hessenberg", a)
    n = size_of(x)
    unit = promote.spread(creation.eye(n, dtype=core.dtype_of(x)), core.shape_of(x))
    if isinstance(n, int) and n <= 2:
        return (x, unit) if calc_q else x
    h, q = fori_loop(0, n - 2, _reflect, (x, unit))
    return (h, q) if calc_q else h


def _reflect(k: Array, both: tuple[Array, Array]) -> tuple[Array, Array]:
    """Bring column k to that form, by the reflection of all rows below."""
    h, q = both
    places = creation.arange(size_of(h))
    dtype = core.dtype_of(h)
    column = indexing.take(h, k, axis=-1)
    tail = logic.where(logic.greater(places, k + 1), column, 0.0)
    head = indexing.take(column, k + 1, axis=-1)[..., None]
    rest = reductions.sum(_squares(tail), axis=-1)[..., None]
    there = logic.greater(rest, 0)
    norm = transcendental.sqrt(logic.where(there, elementwise.add(rest, _squares(head)), 1.0))
    size = elementwise.abs(head)
    phase = logic.where(
        logic.equal(size, 0), 1.0, elementwise.divide(head, logic.where(logic.equal(size, 0), 1.0, size))
    )
    goal = elementwise.multiply(phase, promote.cast(norm, dtype))
    vector = elementwise.add(tail, logic.where(logic.equal(places, k + 1), elementwise.add(head, goal), 0.0))
    # |v|² / 2, and nothing where there is nothing to bring to zero.
    half = elementwise.multiply(norm, elementwise.add(norm, size))
    by = promote.cast(logic.where(there, elementwise.divide(1.0, half), 0.0), dtype)
    v = vector[..., None]
    scaled = elementwise.multiply(v, by[..., None])
    h = elementwise.subtract(h, matmul(scaled, matmul(adjoint(v), h)))
    h = elementwise.subtract(h, matmul(matmul(h, v), adjoint(scaled)))
    q = elementwise.subtract(q, matmul(matmul(q, v), adjoint(scaled)))
    below = logic.logical_and(logic.equal(places, k), logic.greater(places[:, None], k + 1))
    return logic.where(below, 0.0, h), q


def _squares(x: Array) -> Array:
    return real(elementwise.multiply(x, conj(x)))
