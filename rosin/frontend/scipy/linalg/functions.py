"""Functions of matrices: exponential, square root, logarithm.

They are computed by products and inverses alone, not by eigenvalues, so that matrices may lack eigenvectors, and
derivatives, which go through these products, are right also where eigenvalues are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend import core
from rosin.frontend.control import cond, fori_loop, while_loop
from rosin.frontend.numpy import creation, elementwise, logic, promote, reductions, transcendental
from rosin.frontend.numpy.complex import real
from rosin.frontend.numpy.linalg.common import epsilon, size_of, squares
from rosin.frontend.numpy.linalg.measures import matrix_norm
from rosin.frontend.numpy.linear import matmul
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.ops.solve import Inverse, Solve

if TYPE_CHECKING:
    from rosin.frontend.array import Array

PADE = tuple(
    float(math.factorial(26 - k) * math.factorial(13) // (math.factorial(13 - k) * math.factorial(k)))
    / math.factorial(13)
    for k in range(14)
)
"""The coefficients of the numerator of the Padé approximant of exp of order 13, but for a common factor."""

THETA = 4.25
"""Norms up to which that approximant is exact in f64; Al-Mohy & Higham use it where 5.37 would do for most."""

ORDERS = (1, 2, 4, 6)
"""The powers of a matrix that the approximant is made of."""

FEW = 3
"""So many halvings are cheaper than the powers which might tell that fewer will do."""

SIGN_STEPS = 60
"""Steps of the iteration for signs, of which matrices next to singular ones take the most."""

ROOT_STEPS = 40
"""Newton's iteration for the square root converges in about ten steps, or not at all."""

ROOTS = 60
"""A logarithm takes at most so many square roots."""

NEAR = 0.25
"""How near to the unit matrix a matrix is whose logarithm is integrated at once."""

NODES = 9
"""Places of that integral, which give f64 at that distance."""


def _unit(a: Array) -> Array:
    return promote.spread(creation.eye(size_of(a), dtype=core.dtype_of(a)), core.shape_of(a))


def _inverse(a: Array) -> Array:
    """The inverse; of singular matrices infinities and NaNs."""
    return core.bind1(Inverse(), a)


def _each(x: Array) -> Array:
    """A number for each matrix, for all of its elements."""
    return x[..., None, None]


# -- exponential -------------------------------------------------------------------------------------------------------


def expm(A: ArrayLike) -> Array:
    """The exponentials of square matrices, by scaling and squaring.

    Al-Mohy & Higham, "A new scaling and squaring algorithm for the matrix exponential", 2009.
    """
    a = squares("expm", A)
    if size_of(a) == 0:
        return a
    powers = _powers(a)
    count = _squarings([promote.stopped(power) for power in powers])
    x = _halved(a, count)

    def scaled() -> list[Array]:
        return [
            x,
            *(_halved(power, elementwise.multiply(count, n)) for n, power in zip(ORDERS[1:], powers[1:], strict=True)),
        ]

    most = reductions.max(count)
    # Powers of very large matrices are not known, nor is what they would be multiplied by.
    known = reductions.all(logic.isfinite(powers[-1]))
    limit = np.finfo(core.dtype_of(a).part.numpy).maxexp // ORDERS[-1] - 2
    result = _approximant(*cond(logic.logical_and(known, logic.less(most, limit)), scaled, lambda: _powers(x)))

    def square(i: Array, y: Array) -> Array:
        return logic.where(_each(logic.less(promote.cast(i, core.dtype_of(count)), count)), matmul(y, y), y)

    return fori_loop(0, promote.cast(most, core.DEFAULT_INT), square, result)


def _halved(a: Array, count: Array) -> Array:
    """The matrices, each halved as often as told."""
    return elementwise.multiply(a, promote.cast(_each(transcendental.exp2(-count)), core.dtype_of(a)))


def _powers(x: Array) -> list[Array]:
    """Those of `ORDERS`."""
    x2 = matmul(x, x)
    x4 = matmul(x2, x2)
    return [x, x2, x4, matmul(x2, x4)]


def _squarings(powers: Sequence[Array]) -> Array:
    """How often a matrix is halved, as a float: from norms of its powers, which say more than the norm."""

    first, _, fourth, sixth = powers

    def root(power: Array, n: int) -> Array:
        return elementwise.pow(matrix_norm(power, ord=1), 1.0 / n)

    def halvings(size: Array) -> Array:
        # Where powers are too large for the element type, the norm itself still is not.
        size = logic.where(logic.isfinite(size), size, matrix_norm(first, ord=1))
        ratio = logic.where(logic.greater(size, THETA), elementwise.divide(size, THETA), 1.0)
        return elementwise.ceil(transcendental.log2(ratio))

    d6 = root(sixth, 6)
    few = halvings(elementwise.maximum(root(fourth, 4), d6))

    def fewer() -> Array:
        d8, d10 = root(matmul(fourth, fourth), 8), root(matmul(fourth, sixth), 10)
        return halvings(elementwise.minimum(elementwise.maximum(d6, d8), elementwise.maximum(d8, d10)))

    count = cond(reductions.any(logic.greater(few, FEW)), fewer, lambda: few)
    count = elementwise.add(count, _correction(first, count))
    return logic.where(logic.isfinite(count), count, 0.0)


def _correction(a: Array, count: Array) -> Array:
    """Halvings that it takes in addition where powers are much smaller than those of the magnitudes."""
    size = elementwise.multiply(elementwise.abs(a), _each(transcendental.exp2(-count)))
    ones = creation.ones(core.shape_of(size)[:-1], dtype=core.dtype_of(size))

    def multiply(_: Array, row: Array) -> Array:
        return matmul(row[..., None, :], size)[..., 0, :]

    sums = fori_loop(0, 27, multiply, ones)
    norm = matrix_norm(size, ord=1)
    share = elementwise.divide(reductions.max(sums, axis=-1), logic.where(logic.equal(norm, 0), 1.0, norm))
    # The coefficient of the error's first term is 1 / (26! 27! / 13!²).
    factor = math.exp(2 * math.lgamma(14) - math.lgamma(27) - math.lgamma(28))
    alpha = elementwise.multiply(share, factor / epsilon(a) * 2)
    more = elementwise.ceil(
        elementwise.divide(transcendental.log2(logic.where(logic.greater(alpha, 1), alpha, 1.0)), 26.0)
    )
    return logic.where(logic.isfinite(more), more, 0.0)


def _approximant(x: Array, x2: Array, x4: Array, x6: Array) -> Array:
    """The Padé approximant of order 13, from powers."""
    unit = _unit(x)

    def total(*terms: tuple[float, Array]) -> Array:
        result = elementwise.multiply(terms[0][1], terms[0][0])
        for factor, term in terms[1:]:
            result = elementwise.add(result, elementwise.multiply(term, factor))
        return result

    b = [c / PADE[0] for c in PADE]
    inner = total((b[13], x6), (b[11], x4), (b[9], x2))
    odd = matmul(x, elementwise.add(matmul(x6, inner), total((b[7], x6), (b[5], x4), (b[3], x2), (b[1], unit))))
    inner = total((b[12], x6), (b[10], x4), (b[8], x2))
    even = elementwise.add(matmul(x6, inner), total((b[6], x6), (b[4], x4), (b[2], x2), (b[0], unit)))
    return core.bind1(Solve(), elementwise.subtract(even, odd), elementwise.add(even, odd))


# -- square root -------------------------------------------------------------------------------------------------------


def sqrtm(A: ArrayLike) -> Array:
    """The principal square roots of square matrices without eigenvalues on the real axis up to 0; others give NaN.

    Roots of real matrices are real. By Newton's iteration in product form: Cheng, Higham, Kenney & Laub, "Approximating
    the logarithm of a matrix to specified accuracy", 2001; scaled by norms, as in Higham, "Computing the polar
    decomposition – with applications", 1986.
    """
    return _root(squares("sqrtm", A))


def _root(a: Array) -> Array:
    if size_of(a) == 0:
        return a
    dtype, unit = core.dtype_of(a), _unit(a)
    near = epsilon(a) * facts.estimate(size_of(a))

    def distance(m: Array) -> Array:
        return matrix_norm(elementwise.subtract(promote.stopped(m), unit), ord=1)

    def goes_on(state: Any) -> Array:
        step, _, _, last, gap = state
        # Once near, each step squares the distance, until rounding is all there is.
        converging = logic.logical_and(
            logic.greater(gap, near), logic.logical_or(logic.greater(gap, 0.01), logic.less(gap, last))
        )
        return logic.logical_and(logic.less(step, ROOT_STEPS), reductions.any(converging))

    def step(state: Any) -> Any:
        count, m, x, _, gap = state
        inverse = _inverse(m)
        scale = _scale(m, inverse, gap, dtype)
        squared = elementwise.multiply(scale, scale)
        mean = elementwise.add(elementwise.multiply(m, squared), elementwise.divide(inverse, squared))
        product = elementwise.multiply(elementwise.add(unit, elementwise.multiply(mean, 0.5)), 0.5)
        half = elementwise.add(unit, elementwise.divide(inverse, squared))
        root = elementwise.multiply(matmul(x, half), elementwise.multiply(scale, 0.5))
        return count + 1, product, root, gap, distance(product)

    first = distance(a)
    start = (0, a, a, elementwise.add(first, 1.0), elementwise.add(first, 1.0))
    _, m, x, _, gap = while_loop(goes_on, step, start)
    # One step more, without scaling, for the derivative's sake: it lags one step behind.
    *_, x, _, gap = step((0, m, x, gap, elementwise.minimum(gap, 0.001)))
    good = logic.less(gap, math.sqrt(epsilon(a)))
    return logic.where(_each(good), x, math.nan)


def _scale(m: Array, inverse: Array, gap: Array, dtype: Any) -> Array:
    """The root of what makes a matrix and its inverse of one size, while far from the unit matrix, then 1."""
    both = [
        reductions.sum(elementwise.square(elementwise.abs(promote.stopped(x))), axis=(-2, -1)) for x in (inverse, m)
    ]
    ratio = elementwise.divide(*both)
    # Sums of squares may overflow, or vanish.
    usable = logic.logical_and(logic.greater(gap, 0.01), logic.isfinite(elementwise.divide(1.0, ratio)))
    root = transcendental.sqrt
    scale = root(root(root(logic.where(usable, ratio, 1.0))))
    return promote.cast(_each(scale), dtype)


def signm(A: ArrayLike) -> Array:
    """The signs of square matrices: theirs are the eigenvectors, and 1 or -1 the eigenvalues, by the side of the
    imaginary axis. Eigenvalues on that axis give NaN.

    By Newton's iteration, scaled by norms: Higham, "Functions of Matrices", 2008, chapter 5.
    """
    a = squares("signm", A)
    if size_of(a) == 0:
        return a
    dtype, near = core.dtype_of(a), epsilon(a) * facts.estimate(size_of(a))

    def goes_on(state: Any) -> Array:
        count, _, last, change = state
        # Once near, each step squares the change, until rounding is all there is.
        converging = logic.logical_and(
            logic.greater(change, near), logic.logical_or(logic.greater(change, 0.01), logic.less(change, last))
        )
        return logic.logical_and(logic.less(count, SIGN_STEPS), reductions.any(converging))

    def step(state: Any) -> Any:
        count, x, _, last = state
        inverse = _inverse(x)
        # The fourth root of the ratio of squares is what makes both of one size.
        scale = elementwise.square(_scale(x, inverse, last, dtype))
        both = elementwise.add(elementwise.multiply(x, scale), elementwise.divide(inverse, scale))
        following = elementwise.multiply(both, 0.5)
        moved = matrix_norm(promote.stopped(elementwise.subtract(following, x)), ord=1)
        return count + 1, following, last, elementwise.divide(moved, matrix_norm(promote.stopped(following), ord=1))

    none = creation.zeros(core.shape_of(a)[:-2], dtype=core.dtype_of(real(a)))
    _, x, _, change = while_loop(goes_on, step, (0, a, elementwise.add(none, 2.0), elementwise.add(none, 1.0)))
    # One step more, without scaling, for the derivative's sake: it lags one step behind.
    _, x, _, change = step((0, x, change, elementwise.minimum(change, 0.001)))
    return logic.where(_each(logic.less(change, math.sqrt(epsilon(a)))), x, math.nan)


# -- logarithm ---------------------------------------------------------------------------------------------------------


def logm(A: ArrayLike) -> Array:
    """The principal logarithms of square matrices without eigenvalues on the real axis up to 0; others give NaN.

    Logarithms of real matrices are real. Square roots are taken until a matrix is near the unit matrix, where Gauss's
    rule integrates log(1 + x) = ∫ x (1 + t x)⁻¹ dt: Dieci, Morini & Papini, "Computational techniques for real
    logarithms of matrices", 1996.
    """
    a = squares("logm", A)
    if size_of(a) == 0:
        return a
    unit = _unit(a)

    def far(m: Array) -> Array:
        gap = matrix_norm(elementwise.subtract(promote.stopped(m), unit), ord=1)
        return logic.greater(gap, NEAR)

    def goes_on(state: Any) -> Array:
        count, m, _ = state
        return logic.logical_and(logic.less(count, ROOTS), reductions.any(far(m)))

    def step(state: Any) -> Any:
        count, m, halvings = state
        again = far(m)
        root = logic.where(_each(again), _root(m), m)
        return count + 1, root, elementwise.add(halvings, promote.cast(again, core.dtype_of(halvings)))

    none = creation.zeros(core.shape_of(a)[:-2], dtype=core.dtype_of(real(a)))
    _, m, halvings = while_loop(goes_on, step, (0, a, none))
    x = elementwise.subtract(m, unit)
    result = matmul(_integral(x), x)
    return elementwise.multiply(result, promote.cast(_each(transcendental.exp2(halvings)), core.dtype_of(a)))


def _integral(x: Array) -> Array:
    """∫ (1 + t x)⁻¹ dt over 0 … 1, all places of Gauss's rule at once."""
    nodes, weights = (
        creation.asarray(part, dtype=core.dtype_of(x))[(slice(None), *[None] * len(core.shape_of(x)))]
        for part in np.polynomial.legendre.leggauss(NODES)
    )
    places = elementwise.multiply(elementwise.add(nodes, 1.0), 0.5)
    inverses = _inverse(elementwise.add(_unit(x), elementwise.multiply(x, places)))
    return elementwise.multiply(reductions.sum(elementwise.multiply(inverses, weights), axis=0), 0.5)
