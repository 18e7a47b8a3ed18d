"""Reductions and running combinations against NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.special as sc

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.ir.errors import DTypeError, ShapeError
from tests.frontend.agree import both, check, near

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 4, 5))
AXES: list[Any] = [None, 0, -1, (0, 2), (2, -2), (0, 1, 2), ()]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "count_nonzero"])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_of_floats(name: str, axis: Any, keepdims: bool) -> None:
    x = np.where(X > 1, 0, X)
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    if name == "count_nonzero":
        expected = np.asarray(expected, np.int32)
    function = getattr(rnp, name)
    check(lambda x: function(x, axis=axis, keepdims=keepdims), x, expected=expected, tolerance=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"])
def test_integers_are_summed_widely(dtype: str) -> None:
    own = dtypes.BY_NAME[dtype]
    x = np.array([[1, 0, 1], [own.highest, own.highest, own.lowest]], object).astype(own.numpy)
    wide = {"bool": "i32", "i8": "i32", "i16": "i32", "u8": "u32", "u16": "u32"}.get(dtype, dtype)
    number = dtypes.BY_NAME[wide].numpy
    for name in ("sum", "prod", "cumulative_sum", "cumulative_prod"):
        function = getattr(rnp, name)
        check(lambda x, f=function: f(x, axis=1), x, expected=getattr(np, name)(x, axis=1, dtype=number))
    check(lambda x: rnp.sum(x, dtype="f64"), x, expected=np.sum(x, dtype=np.float64))
    for name in ("max", "min"):
        check(getattr(rnp, name), x, expected=getattr(np, name)(x))
    check(rnp.mean, x[:1], expected=np.mean(x[:1], dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats_are_reduced_in_f32(dtype: Any) -> None:
    x = np.ones(100_000, dtype)
    near(rnp.mean(x), np.ones((), dtype))
    y = (np.arange(1000) % 7 - 50).astype(dtype)
    for name in ("mean", "var", "std"):
        near(getattr(rnp, name)(y), getattr(np, name)(y.astype(np.float64)).astype(dtype), 1e-2)
    near(rnp.sum(y), y.astype(np.float32).sum().astype(dtype))


@pytest.mark.parametrize("correction", [0, 1, 1.5])
def test_variance_with_a_correction(correction: float) -> None:
    check(lambda x: rnp.var(x, axis=1, correction=correction), X, expected=np.var(X, 1, ddof=correction))
    check(lambda x: rnp.std(x, correction=correction), X, expected=np.std(X, ddof=correction))
    assert np.isnan(float(rnp.var(X[:1, 0, 0], correction=1)))
    # Far from zero the mean is taken off first.
    far = (X + 1e4).astype(np.float32)
    near(rnp.var(far), np.var(far.astype(np.float64)).astype(np.float32), 1e-3)


def test_of_nothing() -> None:
    x = np.zeros((0, 3), np.float32)
    check(lambda x: rnp.sum(x, axis=0), x, expected=np.zeros(3, np.float32))
    check(lambda x: rnp.prod(x, axis=0), x, expected=np.ones(3, np.float32))
    check(lambda x: rnp.any(x, axis=0), x, expected=np.zeros(3, bool))
    check(lambda x: rnp.all(x, axis=0), x, expected=np.ones(3, bool))
    check(lambda x: rnp.mean(x, axis=0), x, expected=np.full(3, np.nan, np.float32))
    check(lambda x: rnp.max(x, axis=1), x, expected=np.zeros(0, np.float32))
    check(lambda x: rnp.logsumexp(x, axis=0), x, expected=np.full(3, -np.inf, np.float32))
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ShapeError, match=f"{name}: axis 0 has no elements"):
            getattr(rnp, name)(x, axis=0)


def test_axes_refused() -> None:
    with pytest.raises(ShapeError, match="sum: axis 3 is out of range for rank 3") as caught:
        rnp.sum(X, axis=3)
    assert "f64[3, 4, 5]" in str(caught.value)
    assert "rnp.sum(X, axis=3)" in str(caught.value)
    with pytest.raises(ShapeError, match=r"max: axes \(0, -3\) name an axis twice"):
        rnp.max(X, axis=(0, -3))
    with pytest.raises(DTypeError, match="mean: an axis is an integer, not float"):
        rnp.mean(X, axis=1.0)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_places_of_extremes(name: str, axis: Any, keepdims: bool) -> None:
    ties = np.round(X)
    with_nan = np.where(X > 1.5, np.nan, X)
    for x in (X, ties, with_nan, ties.astype(np.int8), X > 0):
        expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        check(lambda x: getattr(rnp, name)(x, axis=axis, keepdims=keepdims), x, expected=np.asarray(expected, np.int32))


def test_extremes_of_truth_values_and_nan() -> None:
    check(lambda x: rnp.max(x, axis=0), X > 0, expected=np.max(X > 0, 0))
    check(lambda x: rnp.min(x, axis=0), X > 0, expected=np.min(X > 0, 0))
    check(rnp.max, np.array([1, np.nan, 3]), expected=np.array(np.nan))


# -- logarithms of sums ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_logsumexp(axis: Any) -> None:
    x = X * 300
    if axis == ():
        check(lambda x: rnp.logsumexp(x, axis=axis), x, expected=x)
        return
    for keepdims in (False, True):
        expected = sc.logsumexp(x, axis=axis, keepdims=keepdims)
        check(lambda x, k=keepdims: rnp.logsumexp(x, axis=axis, keepdims=k), x, expected=np.asarray(expected))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([-np.inf, -np.inf], -np.inf), ([np.inf, 1], np.inf), ([np.inf, np.inf], np.inf), ([np.inf, -np.inf], np.inf),
     ([-np.inf, 3], 3), ([np.nan, 3], np.nan), ([-1e38, -1e38], -1e38), ([3e38, 3e38], 3e38)],
)  # fmt: skip
def test_logsumexp_at_infinities(values: list[float], expected: float) -> None:
    check(rnp.logsumexp, np.array(values, np.float32), expected=np.float32(expected))


def test_the_derivative_of_logsumexp_is_softmax() -> None:
    x = np.array([1.0, 1.0, -np.inf, 4.0])
    near(rosin.grad(rnp.logsumexp)(x), sc.softmax(x), 1e-14)
    near(rosin.grad(rnp.logsumexp)(np.full(3, -np.inf)), np.zeros(3))
    p = sc.softmax(x[[0, 1, 3]])
    near(rosin.hessian(rnp.logsumexp)(x[[0, 1, 3]]), np.diag(p) - np.outer(p, p), 1e-13)


# -- running along an axis -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_combinations(axis: int) -> None:
    with_nan = np.where(X > 1.5, np.nan, X)
    for name in ("cumulative_sum", "cumulative_prod"):
        for initial in (False, True):
            expected = getattr(np, name)(X, axis=axis, include_initial=initial)
            check(lambda x, n=name, i=initial: getattr(rnp, n)(x, axis=axis, include_initial=i), X, expected=expected)
    for x in (X, with_nan):
        check(lambda x: rnp.cummax(x, axis=axis), x, expected=np.maximum.accumulate(x, axis))
        check(lambda x: rnp.cummin(x, axis=axis), x, expected=np.minimum.accumulate(x, axis))
    big = X * 300
    check(lambda x: rnp.logcumsumexp(x, axis=axis), big, expected=np.logaddexp.accumulate(big, axis))
    for n in (0, 1, 2, 9):
        check(lambda x, n=n: rnp.diff(x, axis=axis, n=n), X, expected=np.diff(X, n, axis))


def test_differences_at_the_ends() -> None:
    x, row = X[0], X[1, :1]
    check(lambda x, r: rnp.diff(x, axis=0, prepend=r), x, row, expected=np.diff(x, axis=0, prepend=row))
    check(lambda x, r: rnp.diff(x, axis=0, append=r, n=2), x, row, expected=np.diff(x, 2, 0, append=row))
    check(rnp.diff, x > 0, expected=np.diff(x > 0))
    check(lambda x, r: rnp.diff(x, axis=0, append=r, n=0), x, row, expected=x)


def test_running_without_an_axis() -> None:
    check(rnp.cumulative_sum, X[0, 0], expected=np.cumsum(X[0, 0]))
    check(rnp.cumsum, X, expected=np.cumsum(X))
    check(rnp.cumprod, X, expected=np.cumprod(X))
    check(lambda x: x.cumsum(), X, expected=np.cumsum(X))
    for function in (rnp.cumulative_sum, rnp.cumulative_prod, rnp.cummax, rnp.logcumsumexp):
        with pytest.raises(ShapeError, match="an array of rank 3 needs an axis to run along"):
            function(X)


# -- derivatives -----------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "mean": lambda x: rnp.mean(x, axis=0),
    "var": lambda x: rnp.var(x, axis=(0, 1), correction=1),
    "std": lambda x: rnp.std(x, axis=-1),
    "prod": lambda x: rnp.prod(x, axis=1),
    "max": lambda x: rnp.max(x, axis=0),
    "logsumexp": lambda x: rnp.logsumexp(x, axis=1),
    "cumprod": lambda x: rnp.cumulative_prod(x, axis=1),
    "logcumsumexp": lambda x: rnp.logcumsumexp(x, axis=0),
    "diff": lambda x: rnp.diff(x, n=2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str) -> None:
    function, x, direction = FUNCTIONS[name], X[:2, :3, :4], RANDOM.normal(size=(2, 3, 4))

    def total(x: Any) -> Any:
        y = function(x)
        return rnp.sum(y * y)

    step = 1e-6
    slope = (float(total(rnp.asarray(x + step * direction))) - float(total(rnp.asarray(x - step * direction)))) / 2e-6
    assert float(rnp.sum(rosin.grad(total)(x) * direction)) == pytest.approx(slope, rel=1e-6)
    assert float(rosin.jvp(total, (x,), (direction,))[1]) == pytest.approx(slope, rel=1e-6)


def test_equality_of_arrays() -> None:
    assert bool(rnp.array_equal(X, X.copy()))
    assert not bool(rnp.array_equal(X, X + 1))
    assert not bool(rnp.array_equal(X, X[:1]))
    assert both(rnp.array_equal, X, X)[0].dtype == dtypes.bool_
