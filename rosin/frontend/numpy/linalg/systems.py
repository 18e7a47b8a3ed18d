"""Linear equations: solutions, inverses and generalized inverses, and products of matrices.

Derivatives are those of the solutions, and do not go through factorizations.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rosin.frontend import core
from rosin.frontend.control import cond
from rosin.frontend.custom import custom_jvp
from rosin.frontend.numpy import creation, elementwise, logic, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.complex import conj
from rosin.frontend.numpy.linalg.common import (
    SMALL,
    adjoint,
    columns_of,
    divides,
    epsilon,
    matrices,
    side_by_side,
    size_of,
    solved,
    squares,
)
from rosin.frontend.numpy.linear import dot, matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, facts
from rosin.ir.ops.eigen import Eigh
from rosin.ir.ops.qr import Qr
from rosin.ir.ops.solve import Inverse
from rosin.ir.ops.svd import Svd
from rosin.ir.ops.triangular import TriangularSolve

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class LstsqResult(NamedTuple):
    """Solutions, sums of squares of what they leave, the rank of the matrix, and its singular values."""

    x: Array
    residuals: Array
    rank: Array
    s: Array


def solve(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """The solutions x of x1 x = x2 for square matrices x1 of shape (..., n, n).

    A right-hand side x2 of rank 1 is a vector of n elements, and gives vectors; others are matrices (..., n, k).
    Leading axes broadcast.

    Raises:
        LinAlgError: a matrix is singular, outside of compiled and transformed functions. In these, infinities and NaNs
            follow.
    """
    a, b, vector = columns_of("solve", squares("solve", x1), x2)
    x = side_by_side("solve", a, b, functools.partial(solved, "solve"))
    return manipulation.squeeze(x, -1) if vector else x


def inv(x: ArrayLike, /) -> Array:
    """The inverses of square matrices.

    Raises:
        LinAlgError: a matrix is singular, outside of compiled and transformed functions. In these, infinities and NaNs
            follow.
    """
    a = squares("inv", x)
    if core.tracing():
        return core.bind1(Inverse(), a)
    if facts.known_at_least(SMALL, size_of(a)):
        found = core.bind1(Inverse(), a)
        if divides(found):
            return found
    unit = promote.spread(creation.eye(size_of(a), dtype=core.dtype_of(a)), core.shape_of(a))
    return solved("inv", a, unit)


# -- generalized inverses --------------------------------------------------------------------------------------------


def largest_size(a: Array) -> int:
    """The larger of rows and columns; a symbolic size counts as a typical one."""
    return max(facts.estimate(n) for n in core.shape_of(a)[-2:])


def _share(name: str, a: Array, rtol: ArrayLike | None) -> Array:
    """The share of the greatest singular value below which others count as zero, one for each matrix."""
    share = promote.array(name, largest_size(a) * epsilon(a) if rtol is None else rtol)
    dtype = core.dtype_of(a).part if core.dtype_of(a).is_complex else core.dtype_of(a)
    return promote.stopped(promote.cast(share, dtype))


def pinv(x: ArrayLike, /, *, rtol: ArrayLike | None = None, hermitian: bool = False) -> Array:
    """The Moore–Penrose inverses, of shape (..., n, m), of (..., m, n) matrices.

    Singular values up to `rtol` times the greatest count as zero; by default max(m, n) epsilons. Of `hermitian`
    matrices the magnitudes of eigenvalues are taken for them.

    The derivative holds where the rank does not change. Golub & Pereyra, "The differentiation of pseudo-inverses and
    nonlinear least squares problems whose variables separate", 1973.
    """
    a = squares("pinv", x) if hermitian else matrices("pinv", x)
    if 0 in core.shape_of(a):
        return manipulation.matrix_transpose(a)
    return _pseudo_inverse(bool(hermitian), a, _share("pinv", a, rtol))


@functools.partial(custom_jvp, nondiff_argnums=0)
def _pseudo_inverse(hermitian: bool, a: Array, share: Array) -> Array:
    if hermitian:
        values, vectors = core.bind(Eigh(True), a)
        left, right = adjoint(vectors), vectors
    else:
        u, values, vh = core.bind(Svd(False, True), a)
        left, right = adjoint(u), adjoint(vh)
    inverse = promote.cast(_inverses(values, share), core.dtype_of(a))
    return matmul(elementwise.multiply(right, inverse[..., None, :]), left)


def _inverses(values: Array, share: Array) -> Array:
    """1 / value, and 0 for those whose magnitude is up to a share of the greatest."""
    sizes = elementwise.abs(values)
    least = elementwise.multiply(reductions.max(sizes, axis=-1), share)[..., None]
    kept = logic.logical_or(logic.greater(sizes, least), logic.isnan(sizes))
    return logic.where(kept, elementwise.divide(1.0, logic.where(kept, values, 1.0)), 0.0)


@_pseudo_inverse.defjvp
def _pseudo_inverse_jvp(
    hermitian: bool, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    a, share = primals
    tangent, _ = tangents
    p = _pseudo_inverse(hermitian, a, share)
    turned, both = adjoint(tangent), adjoint(p)
    # tᴴ (1 - a p), and (1 - p a) tᴴ: what the matrix does not reach, and what it makes nothing of.
    outside = elementwise.subtract(turned, matmul(matmul(turned, a), p))
    inside = elementwise.subtract(turned, matmul(p, matmul(a, turned)))
    change = elementwise.subtract(matmul(p, matmul(both, outside)), matmul(p, matmul(tangent, p)))
    return p, elementwise.add(change, matmul(matmul(inside, both), p))


def lstsq(x1: ArrayLike, x2: ArrayLike, /, *, rcond: ArrayLike | None = None) -> LstsqResult:
    """The x of least norm for which x1 x is nearest to x2, for one (m, n) matrix x1 and a vector or a matrix x2.

    Singular values up to `rcond` times the greatest count as zero; by default max(m, n) epsilons. The residuals are
    those of every right-hand side if m > n, whatever the rank, and else none.

    Raises:
        ShapeError: x1 is a stack of matrices, or the numbers of rows differ.
    """
    a, right = matrices("lstsq", x1), promote.floating("lstsq", x2)
    a, right = promote.alike_floats("lstsq", a, right)
    rank = len(core.shape_of(right))
    if len(core.shape_of(a)) != 2 or rank not in (1, 2):
        promote.bad_shape("lstsq: takes one matrix, and a vector or a matrix", a, right)
    m, n = core.shape_of(a)
    if not facts.same(m, core.shape_of(right)[0]):
        promote.bad_shape(f"lstsq: a matrix has {m} rows and right-hand sides {core.shape_of(right)[0]}", a, right)
    b = right if rank == 2 else right[:, None]
    if 0 in core.shape_of(a):
        values = creation.zeros((0,), dtype=core.dtype_of(a).part if core.dtype_of(a).is_complex else core.dtype_of(a))
        count = creation.zeros((), dtype=core.DEFAULT_INT)
        x = creation.zeros((n, core.shape_of(b)[1]), dtype=core.dtype_of(a))
    else:
        share = _share("lstsq", a, rcond)
        values = core.bind1(Svd(False, False), a)
        counts = logic.greater(values, elementwise.multiply(reductions.max(values), share))
        count = reductions.count_nonzero(counts)
        x = _least_squares(a, b, share)
    left = elementwise.subtract(b, matmul(a, x))
    squares_ = reductions.sum(elementwise.square(elementwise.abs(left)), axis=0)
    more = facts.known_at_least(m, n) and not facts.same(m, n)
    residuals = squares_ if more else squares_[:0]
    return LstsqResult(x if rank == 2 else x[:, 0], residuals, count, values)


@custom_jvp
def _least_squares(a: Array, b: Array, share: Array) -> Array:
    """By an orthogonal factor where a bound on the condition shows that no singular value counts as zero. Singular
    values and vectors are dear, and only other matrices need them."""
    m, n = core.shape_of(a)
    is_tall = facts.known_at_least(m, n)
    q, r = core.bind(Qr(False), a if is_tall else adjoint(a))
    unit = creation.eye(core.shape_of(r)[0], dtype=core.dtype_of(a))
    inverse = core.bind1(TriangularSolve(False, False, False), r, unit)
    # The greatest singular value is no greater than the norm, nor the least one less than 1 / the inverse's norm.
    condition = elementwise.multiply(_magnitude(r), _magnitude(inverse))
    full = logic.less(elementwise.multiply(condition, share), 1.0)

    def of_full_rank(a: Array, b: Array, q: Array, r: Array) -> Array:
        if is_tall:
            return core.bind1(TriangularSolve(False, False, False), r, matmul(adjoint(q), b))
        return matmul(q, core.bind1(TriangularSolve(False, True, False), conj(r), b))

    def of_any_rank(a: Array, b: Array, q: Array, r: Array) -> Array:
        return _PseudoInverse(a, share)(b)

    return cond(full, of_full_rank, of_any_rank, a, b, q, r)


def _magnitude(x: Array) -> Array:
    """The root of the sum of squares."""
    return transcendental.sqrt(reductions.sum(elementwise.square(elementwise.abs(x))))


class _PseudoInverse:
    """The generalized inverse of one matrix by its factors: what it gives for a matrix, and what its adjoint does."""

    def __init__(self, a: Array, share: Array) -> None:
        self.u, values, vh = core.bind(Svd(False, True), a)
        self.v = adjoint(vh)
        self.inverse = promote.cast(_inverses(values, share), core.dtype_of(a))[:, None]

    def __call__(self, b: Array) -> Array:
        return matmul(self.v, elementwise.multiply(self.inverse, matmul(adjoint(self.u), b)))

    def adjoint(self, x: Array) -> Array:
        return matmul(self.u, elementwise.multiply(self.inverse, matmul(adjoint(self.v), x)))


@_least_squares.defjvp
def _least_squares_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """That of the pseudo-inverse times b, without making one."""
    a, b, share = primals
    tangent, moved, *_ = tangents
    inverse = _PseudoInverse(a, share)
    x = _least_squares(a, b, share)
    left = elementwise.subtract(b, matmul(a, x))
    along = elementwise.subtract(moved, matmul(tangent, x))
    turned = adjoint(tangent)
    change = elementwise.add(inverse(along), inverse(inverse.adjoint(matmul(turned, left))))
    by_norm = matmul(turned, inverse.adjoint(x))
    outside = elementwise.subtract(by_norm, inverse(matmul(a, by_norm)))
    return x, elementwise.add(change, outside)


# -- equations of tensors ---------------------------------------------------------------------------------------------


def tensorsolve(x1: ArrayLike, x2: ArrayLike, /, *, axes: Sequence[int] | None = None) -> Array:
    """The x with tensordot(x1, x, x.ndim) = x2; `axes` of x1 are moved to its end first.

    Raises:
        ShapeError: the sizes of x are not as many unknowns as there are equations.
        LinAlgError: the equations are singular, as for `solve`.
    """
    a, b = promote.alike_floats("tensorsolve", x1, x2)
    if axes is not None:
        moved = promote.as_axes("tensorsolve", axes, a)
        a = manipulation.moveaxis(a, moved, tuple(range(-len(moved), 0)))
    unknown = core.shape_of(a)[len(core.shape_of(b)) :]
    count, equations = dims.product(unknown), core.type_of(b).size
    if not facts.same(count, equations) or not facts.same(core.type_of(a).size, count * equations):
        promote.bad_shape(f"tensorsolve: {count} unknowns and {equations} equations", a, b)
    x = solve(manipulation.reshape(a, (equations, count)), manipulation.ravel(b))
    return manipulation.reshape(x, unknown)


def tensorinv(x: ArrayLike, /, *, ind: int = 2) -> Array:
    """The inverse of tensordot(x, ·, ind): of shape x.shape[ind:] + x.shape[:ind].

    Raises:
        ShapeError: the first `ind` sizes have another product than the others.
        AttributeValueError: ind is not positive.
        LinAlgError: x is singular, as for `inv`.
    """
    a = promote.floating("tensorinv", x)
    if ind <= 0:
        promote.bad_value(f"tensorinv: ind is {ind}; it must be positive", a)
    first, last = core.shape_of(a)[:ind], core.shape_of(a)[ind:]
    rows, columns = dims.product(first), dims.product(last)
    if not facts.same(rows, columns):
        promote.bad_shape(f"tensorinv: the first {ind} sizes have the product {rows}, the others {columns}", a)
    return manipulation.reshape(inv(manipulation.reshape(a, (rows, columns))), (*last, *first))


# -- products ----------------------------------------------------------------------------------------------------------


def matrix_power(x: ArrayLike, n: int, /) -> Array:
    """Square matrices to an integer power, by repeated squaring; a negative one is a power of the inverse.

    Raises:
        LinAlgError: a matrix is singular and the power negative, as for `inv`.
    """
    a = promote.numeric("matrix_power", x)
    a = squares("matrix_power", a) if n < 0 or core.dtype_of(a).differentiable else _integer_squares(a)
    n = promote.as_int("matrix_power", n, "a power")
    if n < 0:
        a, n = inv(a), -n
    result: Array | None = None
    while n:
        if n % 2:
            result = a if result is None else matmul(result, a)
        n //= 2
        if n:
            a = matmul(a, a)
    if result is None:
        return promote.spread(creation.eye(size_of(a), dtype=core.dtype_of(a)), core.shape_of(a))
    return result


def _integer_squares(a: Array) -> Array:
    """Integers stay integers; the check is that of floats."""
    shape = core.shape_of(a)
    if len(shape) < 2 or not facts.same(*shape[-2:]):
        squares("matrix_power", a)
    return a


def multi_dot(arrays: Sequence[ArrayLike], /) -> Array:
    """The product of two or more matrices, in the order that takes the fewest operations.

    The first and the last may be vectors.

    Raises:
        ShapeError: there are fewer than two arrays, one has another rank, or sizes do not fit.
    """
    xs = promote.alike("multi_dot", *arrays)
    if len(xs) < 2:
        promote.bad_shape(f"multi_dot: takes two arrays or more, not {len(xs)}", *xs)
    for position, x in enumerate(xs):
        rank = len(core.shape_of(x))
        if rank != 2 and not (rank == 1 and position in (0, len(xs) - 1)):
            promote.bad_shape(f"multi_dot: array {position} has rank {rank}, not 2", *xs)
    shapes = [[facts.estimate(n) for n in core.shape_of(x)] for x in xs]
    # A vector is a row in front, and a column behind.
    before, after = (1 if len(s) == 1 else s[i] for i, s in ((0, shapes[0]), (1, shapes[-1])))
    best = _best_splits((before, *(s[-1] for s in shapes[:-1]), after))

    def product(first: int, last: int) -> Array:
        if first == last:
            return xs[first]
        middle = best[first, last]
        return dot(product(first, middle), product(middle + 1, last))

    return product(0, len(xs) - 1)


def _best_splits(sizes: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """For each run of matrices, of these sizes one after the other, after which one to split it."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            work = {k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)}
            split[i, j], cost[i, j] = min(work.items(), key=operator.itemgetter(1))
    return split
