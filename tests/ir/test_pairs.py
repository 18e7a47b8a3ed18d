"""Pairs of numbers, over NumPy, against mpmath: twice the precision of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import mpmath
import numpy as np
import pytest

from rosin.ir import pairs
from rosin.ir.formula import NUMPY, Real
from rosin.ir.pairs import Pair

RANDOM = np.random.default_rng(7)
X, Y = (RANDOM.uniform(0.1, 9, 200) for _ in range(2))


def _real(x: np.ndarray) -> Real:
    return cast(Real, x)


def _of(x: np.ndarray, low: np.ndarray) -> Pair:
    return Pair(NUMPY, _real(x), _real(low * x * 2.0**-54))


def _exact(p: Pair) -> list[Any]:
    high, low = np.asarray(p.high).tolist(), np.asarray(p.low).tolist()
    return [mpmath.mpf(h) + mpmath.mpf(v) for h, v in zip(high, low, strict=True)]


P, Q = _of(X, RANDOM.uniform(-1, 1, 200)), _of(Y, RANDOM.uniform(-1, 1, 200))

RULES: dict[str, tuple[Callable[[Pair, Pair], Pair], Callable[[Any, Any], Any], float]] = {
    "sum": (lambda p, q: p + q, lambda p, q: p + q, 2.0**-103),
    "difference": (lambda p, q: (p - q) + q * 2.0, lambda p, q: p + q, 2.0**-101),
    "product": (lambda p, q: p * q, lambda p, q: p * q, 2.0**-101),
    "quotient": (lambda p, q: p / q, lambda p, q: p / q, 2.0**-101),
    "reciprocal": (lambda p, q: 1.0 / p + 1.0, lambda p, q: 1 / p + 1, 2.0**-101),
    "chosen": (lambda p, q: pairs.where(NUMPY, p.high > q.high, p, q), max, 2.0**-52),
    "root": (lambda p, q: pairs.sqrt(NUMPY, p), lambda p, q: mpmath.sqrt(p), 2.0**-101),
    "logarithm": (lambda p, q: pairs.log(NUMPY, p * 40.0), lambda p, q: mpmath.log(40 * p), 2.0**-63),
}


@pytest.mark.parametrize("name", RULES)
def test_operations(name: str) -> None:
    rule, exact, limit = RULES[name]
    with mpmath.workprec(300):
        for found, p, q in zip(_exact(rule(P, Q)), _exact(P), _exact(Q), strict=True):
            true = exact(p, q)
            assert abs(found - true) <= limit * abs(true)


def test_logarithms_of_all_sizes() -> None:
    near_one = 1 + RANDOM.uniform(-1e-9, 1e-9, 50)
    x = np.concatenate([10.0 ** RANDOM.uniform(-307, 308, 300), near_one, [5e-324, 1e-310, 1.7e308, 0.5, 2.0, 1.0]])
    with mpmath.workprec(200):
        for found, v in zip(_exact(Pair(NUMPY, *NUMPY.log_pair(_real(x)))), x.tolist(), strict=True):
            true = mpmath.log(mpmath.mpf(v))
            assert abs(found - true) <= 2.0**-64 * abs(true)


def test_splitting_by_products_is_that_of_the_bits() -> None:
    x = np.concatenate([10.0 ** RANDOM.uniform(-307, 308, 300), [5e-324, 1.7e308, 0.5**0.5, 2.0**0.5, 1.0]])
    k, f = (np.asarray(v) for v in pairs.split_by_halving(NUMPY, _real(x)))
    np.testing.assert_array_equal(np.ldexp(f, k.astype(int)), x)
    assert np.all((f >= 0.5**0.5) & (f < 2.0**0.5 * (1 + 1e-15)))
    np.testing.assert_array_equal(k, np.asarray(NUMPY.split(_real(x))[0]))


def test_products_with_exponentials_do_not_overflow_in_between() -> None:
    exponent, factor = np.array([750.0, -780.0, 3.0, 2000.0, -2000.0]), np.array([1e-30, 1e30, 2.0, 1.0, 1.0])
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.asarray(pairs.exp_product(NUMPY, Pair(NUMPY, _real(exponent)), Pair(NUMPY, _real(factor))))
    expected = [float(mpmath.exp(e) * f) for e, f in zip(exponent.tolist()[:3], factor.tolist(), strict=False)]
    np.testing.assert_allclose(found[:3], expected, rtol=4e-16)
    assert found[3:].tolist() == [np.inf, 0.0]
