"""Orthogonal polynomials by their recurrences, and Gauss's rules of integration, whose places are their zeros.

Degrees are Python integers. A polynomial is some multiplications and additions for each degree, which fuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend.numpy import creation, promote
from rosin.frontend.numpy import elementwise as el
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.functions import legendre_p
from rosin.frontend.scipy.special.operands import order

if TYPE_CHECKING:
    from rosin.frontend.array import Array

# The next polynomial from the degree k of the last one, that one, and the one before.
Step = Callable[[int, "Array", "Array"], "Array"]


def _recurrence(name: str, n: Any, first: Array, step: Step) -> Array:
    """The polynomial of degree n, given that of degree 1."""
    degree = order(name, n, "the degree")
    before, current = el.add(el.multiply(first, 0), 1), first
    if degree == 0:
        return before
    for k in range(1, degree):
        before, current = current, step(k, current, before)
    return current


def eval_legendre(n: int, x: ArrayLike, /) -> Array:
    """The Legendre polynomial P_n(x)."""
    return legendre_p(n, x)


def eval_chebyt(n: int, x: ArrayLike, /) -> Array:
    """The Chebyshev polynomial of the first kind T_n(x)."""
    operand = promote.floating("eval_chebyt", x)
    twice = el.multiply(operand, 2)
    return _recurrence("eval_chebyt", n, operand, lambda k, p, q: el.subtract(el.multiply(twice, p), q))


def eval_chebyu(n: int, x: ArrayLike, /) -> Array:
    """The Chebyshev polynomial of the second kind U_n(x)."""
    twice = el.multiply(promote.floating("eval_chebyu", x), 2)
    return _recurrence("eval_chebyu", n, twice, lambda k, p, q: el.subtract(el.multiply(twice, p), q))


def eval_hermite(n: int, x: ArrayLike, /) -> Array:
    """The physicists' Hermite polynomial H_n(x), of weight exp(-x²)."""
    twice = el.multiply(promote.floating("eval_hermite", x), 2)

    def step(k: int, p: Array, q: Array) -> Array:
        return el.subtract(el.multiply(twice, p), el.multiply(q, 2 * k))

    return _recurrence("eval_hermite", n, twice, step)


def eval_hermitenorm(n: int, x: ArrayLike, /) -> Array:
    """The probabilists' Hermite polynomial He_n(x), of weight exp(-x²/2)."""
    operand = promote.floating("eval_hermitenorm", x)

    def step(k: int, p: Array, q: Array) -> Array:
        return el.subtract(el.multiply(operand, p), el.multiply(q, k))

    return _recurrence("eval_hermitenorm", n, operand, step)


def eval_laguerre(n: int, x: ArrayLike, /) -> Array:
    """The Laguerre polynomial L_n(x)."""
    operand = promote.floating("eval_laguerre", x)

    def step(k: int, p: Array, q: Array) -> Array:
        return el.divide(el.subtract(el.multiply(el.subtract(2 * k + 1, operand), p), el.multiply(q, k)), k + 1)

    return _recurrence("eval_laguerre", n, el.subtract(1, operand), step)


def eval_genlaguerre(n: int, alpha: ArrayLike, x: ArrayLike, /) -> Array:
    """The generalised Laguerre polynomial L_n^α(x), of weight x^α exp(-x)."""
    shape, operand = promote.promoted("eval_genlaguerre", alpha, x, floating=True)
    rest = el.subtract(shape, operand)

    def step(k: int, p: Array, q: Array) -> Array:
        return el.divide(el.subtract(el.multiply(el.add(rest, 2 * k + 1), p), el.multiply(el.add(shape, k), q)), k + 1)

    return _recurrence("eval_genlaguerre", n, el.add(rest, 1), step)


def eval_gegenbauer(n: int, alpha: ArrayLike, x: ArrayLike, /) -> Array:
    """The Gegenbauer polynomial C_n^α(x)."""
    shape, operand = promote.promoted("eval_gegenbauer", alpha, x, floating=True)
    twice = el.multiply(operand, 2)

    def step(k: int, p: Array, q: Array) -> Array:
        grown = el.multiply(el.multiply(el.add(shape, k), twice), p)
        return el.divide(el.subtract(grown, el.multiply(el.add(el.multiply(shape, 2), k - 1), q)), k + 1)

    return _recurrence("eval_gegenbauer", n, el.multiply(shape, twice), step)


def eval_jacobi(n: int, alpha: ArrayLike, beta: ArrayLike, x: ArrayLike, /) -> Array:
    """The Jacobi polynomial P_n^(α, β)(x) of α, β > -1."""
    a, b, operand = promote.promoted("eval_jacobi", alpha, beta, x, floating=True)
    degree = order("eval_jacobi", n, "the degree")
    total, away = el.add(a, b), el.subtract(operand, 1)
    # Over their values at 1 the polynomials begin with 1, and what each differs from the last one by cancels less.
    value = scale = el.add(el.multiply(el.add(total, operand), 0), 1)
    change = el.multiply(value, 0)
    for k in range(degree):
        c = el.add(total, 2 * k)
        grown = el.multiply(el.multiply(el.multiply(el.add(c, 1), el.add(c, 2)), away), value)
        below = el.multiply(el.multiply(el.add(a, k + 1), el.add(total, k + 1)), 2)
        if k:
            kept = el.multiply(el.multiply(el.add(b, k), el.divide(el.add(c, 2), c)), el.multiply(change, 2 * k))
            change = el.divide(el.add(grown, kept), below)
        else:
            # Of degree 1 the factors c + 1 of both go out, of which there is no quotient at α + β = -1.
            change = el.divide(el.multiply(el.add(c, 2), away), el.multiply(el.add(a, 1), 2))
        value, scale = el.add(value, change), el.divide(el.multiply(scale, el.add(a, k + 1)), k + 1)
    return el.multiply(value, scale)


# -- Gauss's rules -----------------------------------------------------------------------------------------------------


def _rule(name: str, n: Any, make: Callable[[int], tuple[Any, Any]], mu: bool) -> Any:
    """Places and weights in f64, and with `mu` the sum of the weights."""
    count = order(name, n, "the number of places", least=1)
    places, weights = (np.asarray(x, np.float64) for x in make(count))
    found = creation.asarray(places), creation.asarray(weights)
    return (*found, float(np.sum(weights))) if mu else found


def roots_legendre(n: int, mu: bool = False) -> Any:
    """n places and weights that integrate polynomials up to degree 2n - 1 over [-1, 1]."""
    return _rule("roots_legendre", n, np.polynomial.legendre.leggauss, mu)


def roots_chebyt(n: int, mu: bool = False) -> Any:
    """n places and weights of integrals over [-1, 1] of weight 1 / √(1 - x²)."""

    def rule(count: int) -> tuple[Any, Any]:
        return np.sin(np.pi / (2 * count) * np.arange(1 - count, count, 2)), np.full(count, np.pi / count)

    return _rule("roots_chebyt", n, rule, mu)


def roots_chebyu(n: int, mu: bool = False) -> Any:
    """n places and weights of integrals over [-1, 1] of weight √(1 - x²)."""

    def rule(count: int) -> tuple[Any, Any]:
        angles = np.pi / (2 * count + 2) * np.arange(1 - count, count, 2)
        return np.sin(angles), np.pi / (count + 1) * np.cos(angles) ** 2

    return _rule("roots_chebyu", n, rule, mu)


def roots_hermite(n: int, mu: bool = False) -> Any:
    """n places and weights of integrals over all numbers of weight exp(-x²)."""
    return _rule("roots_hermite", n, np.polynomial.hermite.hermgauss, mu)


def roots_hermitenorm(n: int, mu: bool = False) -> Any:
    """n places and weights of integrals over all numbers of weight exp(-x²/2)."""
    return _rule("roots_hermitenorm", n, np.polynomial.hermite_e.hermegauss, mu)


def roots_laguerre(n: int, mu: bool = False) -> Any:
    """n places and weights of integrals over positive numbers of weight exp(-x)."""
    return _rule("roots_laguerre", n, np.polynomial.laguerre.laggauss, mu)
