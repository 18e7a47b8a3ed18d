"""Orthogonal polynomials, and Gauss's rules of integration, whose places are their zeros.

Degrees are Python integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.frontend.numpy import creation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.scipy.special.functions import legendre_p
from rosin.frontend.scipy.special.operands import elementwise, order
from rosin.ir.op import Op
from rosin.ir.ops.formulas import polynomials as ops

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _of_degree(name: str, op: Callable[..., Op], n: Any, *xs: ArrayLike, **options: Any) -> Array:
    return elementwise(name, op(degree=order(name, n, "the degree"), **options), *xs)


def eval_legendre(n: int, x: ArrayLike, /) -> Array:
    """The Legendre polynomial P_n(x)."""
    return legendre_p(n, x)


def eval_chebyt(n: int, x: ArrayLike, /) -> Array:
    """The Chebyshev polynomial of the first kind T_n(x)."""
    return _of_degree("eval_chebyt", ops.Chebyshev, n, x)


def eval_chebyu(n: int, x: ArrayLike, /) -> Array:
    """The Chebyshev polynomial of the second kind U_n(x)."""
    return _of_degree("eval_chebyu", ops.Chebyshev, n, x, second=True)


def eval_hermite(n: int, x: ArrayLike, /) -> Array:
    """The physicists' Hermite polynomial H_n(x), of weight exp(-x²)."""
    return _of_degree("eval_hermite", ops.Hermite, n, x, physics=True)


def eval_hermitenorm(n: int, x: ArrayLike, /) -> Array:
    """The probabilists' Hermite polynomial He_n(x), of weight exp(-x²/2)."""
    return _of_degree("eval_hermitenorm", ops.Hermite, n, x)


def eval_laguerre(n: int, x: ArrayLike, /) -> Array:
    """The Laguerre polynomial L_n(x)."""
    operand = promote.floating("eval_laguerre", x)
    return _of_degree("eval_laguerre", ops.Laguerre, n, creation.zeros_like(operand), operand)


def eval_genlaguerre(n: int, alpha: ArrayLike, x: ArrayLike, /) -> Array:
    """The generalised Laguerre polynomial L_n^α(x), of weight x^α exp(-x)."""
    return _of_degree("eval_genlaguerre", ops.Laguerre, n, alpha, x)


def eval_gegenbauer(n: int, alpha: ArrayLike, x: ArrayLike, /) -> Array:
    """The Gegenbauer polynomial C_n^α(x)."""
    return _of_degree("eval_gegenbauer", ops.Gegenbauer, n, alpha, x)


def eval_jacobi(n: int, alpha: ArrayLike, beta: ArrayLike, x: ArrayLike, /) -> Array:
    """The Jacobi polynomial P_n^(α, β)(x) of α, β > -1."""
    return _of_degree("eval_jacobi", ops.Jacobi, n, alpha, beta, x)


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
