"""Equations with matrices on both sides of the unknown one: Sylvester's and Lyapunov's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.numpy import creation, elementwise, promote
from rosin.frontend.numpy.linalg.common import adjoint, matrices, size_of, squares
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.ops.solve import Inverse
from rosin.ir.ops.sylvester import Sylvester

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def solve_sylvester(a: ArrayLike, b: ArrayLike, q: ArrayLike) -> Array:
    """The solutions x of a x + x b = q for (..., m, m) matrices a, (..., n, n) matrices b and (..., m, n) matrices q.

    Leading axes broadcast. Where an eigenvalue of b is the negative of one of a there is no solution, or more than one,
    and the result is NaN.

    Bartels & Stewart, "Solution of the matrix equation AX + XB = C", 1972.

    Raises:
        ShapeError: a or b is not square, or sizes do not fit.
    """
    name = "solve_sylvester"
    left, right, c = promote.alike(name, squares(name, a), squares(name, b), matrices(name, q))
    m, n = core.shape_of(c)[-2:]
    if not (facts.same(m, size_of(left)) and facts.same(n, size_of(right))):
        sizes = f"matrices of {size_of(left)} and {size_of(right)} rows"
        promote.bad_shape(f"{name}: {sizes} and a right-hand side of {m} rows and {n} columns", left, right, c)
    stack = promote.broadcast_batch(name, *((x, core.shape_of(x)[:-2]) for x in (left, right, c)))
    return core.bind1(Sylvester(), *(promote.spread(x, (*stack, *core.shape_of(x)[-2:])) for x in (left, right, c)))


def solve_continuous_lyapunov(a: ArrayLike, q: ArrayLike) -> Array:
    """The solutions x of a x + x aᴴ = q; NaN where the sum of an eigenvalue and the conjugate of one is 0.

    Raises:
        ShapeError: a is not square, or sizes do not fit.
    """
    left = squares("solve_continuous_lyapunov", a)
    return solve_sylvester(left, adjoint(left), q)


def solve_discrete_lyapunov(a: ArrayLike, q: ArrayLike) -> Array:
    """The solutions x of a x aᴴ - x + q = 0, by way of a continuous equation.

    It takes matrices without the eigenvalue -1; infinities and NaNs follow where there is no solution.

    Gajic & Qureshi, "Lyapunov matrix equation in system stability and control", 1995.

    Raises:
        ShapeError: a is not square, or sizes do not fit.
    """
    name = "solve_discrete_lyapunov"
    left, c = promote.alike(name, squares(name, a), matrices(name, q))
    unit = promote.spread(creation.eye(size_of(left), dtype=core.dtype_of(left)), core.shape_of(left))
    # With y = (a + 1)⁻¹ the equation becomes (y (a - 1)) x + x (y (a - 1))ᴴ = -2 y q yᴴ.
    inverse = core.bind1(Inverse(), elementwise.add(left, unit))
    turned = matmul(inverse, elementwise.subtract(left, unit))
    right = matmul(matmul(inverse, c), adjoint(inverse))
    return solve_continuous_lyapunov(turned, elementwise.multiply(right, -2.0))
