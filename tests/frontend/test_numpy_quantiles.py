"""Quantiles and medians against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.numpy.quantiles import METHODS
from rosin.ir.errors import AttributeValueError, ShapeError
from tests.frontend.agree import check

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 4, 5))
QUANTILES = np.array([0.0, 0.1, 0.25, 0.5, 0.7, 0.875, 1.0])


@pytest.mark.thinned(2)
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("length", [1, 2, 5, 8, 21])
def test_methods(method: Any, length: int) -> None:
    x = RANDOM.permutation(length).astype(np.float64)
    expected = np.quantile(x, QUANTILES, method=method)
    check(lambda x, q: rnp.quantile(x, q, method=method), x, QUANTILES, expected=expected)
    given: Any = QUANTILES.tolist()
    check(lambda x: rnp.quantile(x, given, method=method), x, expected=expected)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, -2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes(axis: Any, keepdims: bool) -> None:
    options: Any = {"axis": axis, "keepdims": keepdims}
    with_nans = np.where(X > 1, np.nan, X)
    check(lambda x: rnp.median(x, **options), X, expected=np.median(X, **options))
    check(lambda x: rnp.nanmedian(x, **options), with_nans, expected=np.nanmedian(with_nans, **options))
    for q in (0.3, np.array([[0.1, 0.9]])):
        check(lambda x, q=q: rnp.quantile(x, q, **options), X, expected=np.quantile(X, q, **options))
        percent = np.asarray(q) * 100
        check(lambda x, q=percent: rnp.percentile(x, q, **options), X, expected=np.percentile(X, percent, **options))
    for q in (0.3, np.array([0.1, 0.9])):
        percent = np.asarray(q) * 100
        wanted = np.nanquantile(with_nans, q, **options)
        check(lambda x, q=q: rnp.nanquantile(x, q, **options), with_nans, expected=wanted)
        wanted = np.nanpercentile(with_nans, percent, **options)
        check(lambda x, q=percent: rnp.nanpercentile(x, q, **options), with_nans, expected=wanted)


def test_nans_and_infinities() -> None:
    x = np.array([[1.0, np.nan, 2.0], [np.nan] * 3, [3.0, 1.0, 2.0], [np.inf, -np.inf, np.inf], [-np.inf, 1.0, np.inf]])
    check(lambda x: rnp.median(x, axis=1), x, expected=np.array([np.nan, np.nan, 2, np.inf, 1]))
    check(lambda x: rnp.nanmedian(x, axis=1), x, expected=np.array([1.5, np.nan, 2, np.inf, 1]))
    check(lambda x: rnp.quantile(x, [0.0, 1.0], axis=1)[:, 3:], x, expected=np.array([[-np.inf] * 2, [np.inf] * 2]))
    check(lambda x: rnp.quantile(x, 0.75, axis=1)[3:], x, expected=np.array([np.inf, np.inf]))


def test_types() -> None:
    for dtype in (np.int32, np.uint8, np.bool_):
        x = RANDOM.integers(0, 2, 9).astype(dtype)
        check(rnp.median, x, expected=np.median(x.astype(np.float32)))
    half = RANDOM.normal(size=8).astype(np.float16)
    check(rnp.median, half, expected=np.median(half.astype(np.float32)).astype(np.float16))


def test_positions_in_long_lines_are_exact() -> None:
    x = np.arange(1 << 25, dtype=np.int32).view(np.float32)
    found = rosin.compile(lambda x: rnp.quantile(x, 0.7, method="lower"))(x)
    np.testing.assert_array_equal(np.asarray(found), x[int(np.floor(0.7 * (x.size - 1)))])


def test_derivatives() -> None:
    x = np.array([3.0, 1.0, 2.0, 5.0])
    check(rosin.grad(rnp.median), x, expected=np.array([0.5, 0, 0.5, 0]))
    check(rosin.grad(lambda x: rnp.quantile(x, 0.9)), x, expected=np.array([0.3, 0, 0, 0.7]))
    check(rosin.grad(lambda q: rnp.quantile(x, q)), np.array(0.9), expected=np.array(6.0))
    check(rosin.grad(rnp.nanmedian), np.append(x, np.nan), expected=np.array([0.5, 0, 0.5, 0, 0]))
    rows = RANDOM.normal(size=(6, 7))
    check(rosin.vmap(lambda x: rnp.quantile(x, 0.4)), rows, expected=np.quantile(rows, 0.4, axis=1))


def test_symbolic_sizes() -> None:
    middle = rosin.compile(lambda x: rnp.median(x, axis=0), dynamic={"x": {0: "n"}})
    for n in (1, 2, 7, 100):
        x = RANDOM.normal(size=(n, 3)).astype(np.float32)
        np.testing.assert_allclose(np.asarray(middle(x)), np.median(x, 0), rtol=1e-6, atol=1e-6)


def test_errors() -> None:
    with pytest.raises(AttributeValueError, match="quantile: q is from 0 to 1"):
        rnp.quantile(rnp.ones(3), 1.5)
    with pytest.raises(AttributeValueError, match="percentile: q is from 0 to 100"):
        rnp.percentile(rnp.ones(3), -1)
    with pytest.raises(AttributeValueError, match="quantile: the method is one of inverted_cdf, averaged_inverted_cdf"):
        rnp.quantile(rnp.ones(3), 0.5, method="cubic")
    with pytest.raises(ShapeError, match=r"median: there are no elements along axis \(0,\)"):
        rnp.median(rnp.ones((0, 3)), axis=0)
