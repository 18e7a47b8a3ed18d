"""`compile(checks=…)`: out-of-range indices and NaNs become errors at the user's line, wherever they come up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ArgumentError
from rosin.ir.errors import ConstraintError, NanError, OutOfRangeError

TARGETS = pytest.mark.parametrize("target", ["llvm", "interpreter"])
X = np.arange(1.0, 5.0, dtype=np.float32)


def line_of(error: BaseException) -> str:
    """The source line that an error shows."""
    assert isinstance(error, rosin.CheckError)
    assert error.location is not None
    assert error.location.file == __file__
    return str(error).splitlines()[-2].strip()


@TARGETS
def test_an_index_read(target: str) -> None:
    @rosin.compile(checks="index", target=target)
    def f(x: Any, i: Any) -> Any:
        y = x[i]
        return y * 2

    assert f(X, np.asarray([0, 3, -1])).tolist() == [2, 8, 8]
    with pytest.raises(OutOfRangeError, match=r"axis 0 of f32\[4\] runs from 0 to 4; it is to lie in 0 … 3") as caught:
        f(X, np.asarray([0, 4]))
    assert line_of(caught.value) == "y = x[i]"
    assert isinstance(caught.value, IndexError)
    assert float(f(X, 3)) == 8
    with pytest.raises(IndexError, match="is 4; it is to lie"):
        f(X, 4)


@TARGETS
def test_an_index_written(target: str) -> None:
    f = rosin.compile(lambda x, i: x.at[i, 1].add(1.0), checks=("index",), target=target)
    table = np.zeros((3, 2))
    assert f(table, np.asarray(2))[2, 1].item() == 1
    assert f(table, np.asarray([0, 0]))[0, 1].item() == 2
    for bad in (np.asarray(3), np.asarray([0, -4]), np.asarray(200, np.uint8)):
        with pytest.raises(IndexError, match="index along axis 0"):
            f(table, bad)


@TARGETS
def test_several_axes_are_told_apart(target: str) -> None:
    f = rosin.compile(lambda x, i, j: x[i, j], checks="index", target=target)
    table = np.arange(6.0).reshape(2, 3)
    assert f(table, np.asarray([1, 0]), np.asarray([2, 2])).tolist() == [5, 2]
    with pytest.raises(IndexError, match="axis 0"):
        f(table, np.asarray([2, 0]), np.asarray([2, 2]))
    with pytest.raises(IndexError, match="axis 1"):
        f(table, np.asarray([1, 0]), np.asarray([3, 2]))


def test_no_index_is_no_index_out_of_range() -> None:
    f = rosin.compile(lambda x, i: x[i], checks="index")
    assert f(X, np.zeros(0, np.int32)).shape == (0,)


@TARGETS
def test_the_first_nan_is_told(target: str) -> None:
    @rosin.compile(checks="nan", target=target)
    def f(x: Any) -> Any:
        y = x - 2
        z = rnp.log(y)
        return rnp.sqrt(z) + rnp.sum(z)

    with pytest.raises(NanError, match=r"log gives a NaN, and its operands \(f32\[4\]\) have none") as caught:
        f(X)
    assert line_of(caught.value) == "z = rnp.log(y)"
    assert isinstance(caught.value, FloatingPointError)
    assert f(X + 10).shape == (4,)


@TARGETS
def test_a_nan_that_came_in_is_no_error(target: str) -> None:
    f = rosin.compile(lambda x: rnp.sin(x) * 2, checks="nan", target=target)
    assert np.isnan(np.asarray(f(np.asarray([1.0, np.nan])))).tolist() == [False, True]
    g = rosin.compile(lambda x: rnp.where(x > 0, x, rnp.nan), checks="nan", target=target)
    assert np.isnan(np.asarray(g(np.asarray([1.0, -1.0])))).tolist() == [False, True]


@TARGETS
def test_inside_loops_and_branches(target: str) -> None:
    table = rnp.asarray(X)

    def step(s: Any, i: Any) -> Any:
        s = rosin.cond(i > 0, lambda: s + rnp.sqrt(3 - s), lambda: s)
        return s, table[i]

    f = rosin.compile(lambda s, i: rosin.scan(step, s, i), checks="nan, index", target=target)
    assert float(f(2.0, np.asarray([0, 0]))[0]) == 2.0
    with pytest.raises(NanError, match="sqrt") as nan:
        f(4.0, np.asarray([0, 1]))
    assert line_of(nan.value) == "s = rosin.cond(i > 0, lambda: s + rnp.sqrt(3 - s), lambda: s)"
    with pytest.raises(IndexError) as index:
        f(4.0, np.asarray([0, -5]))
    assert line_of(index.value) == "return s, table[i]"
    logs = rosin.compile(lambda s: rosin.while_loop(lambda y: y > -9, rnp.log, s), checks="nan", target=target)
    with pytest.raises(NanError, match="log"):
        logs(20.0)


@TARGETS
def test_of_what_derivatives_compute(target: str) -> None:
    f = rosin.compile(rosin.grad(lambda x: rnp.sqrt(x * x)), checks="nan", target=target)
    assert float(f(2.0)) == 1.0
    with pytest.raises(NanError, match="mul gives a NaN"):
        f(0.0)


@TARGETS
def test_in_a_batch_the_examples_that_come_by_are_checked(target: str) -> None:
    """Of those that do not, garbage goes through the branch or the loop: square roots of negative numbers."""

    def branch(x: Any) -> Any:
        return rosin.cond(x >= 0, rnp.sqrt, lambda y: y, x)

    def loop(x: Any) -> Any:
        return rosin.while_loop(lambda y: y > 1.5, lambda y: rnp.sqrt(y - 0.25), x)

    def pick(x: Any) -> Any:
        return rosin.cond(x < 4, lambda i: rnp.asarray(X)[rnp.astype(i, "int32")], lambda i: i * 0, x)

    xs = np.asarray([4.0, -1.0, 0.125], np.float32)
    for function in (branch, loop, pick):
        alone = [np.asarray(rosin.compile(function)(x)) for x in xs]
        f = rosin.compile(rosin.vmap(function), checks="index,nan", target=target)
        np.testing.assert_allclose(np.asarray(f(xs)), alone, rtol=1e-6)
        g = rosin.compile(rosin.vmap(rosin.grad(function)), checks="index,nan", target=target)
        assert np.isfinite(np.asarray(g(xs))).all()
    with pytest.raises(NanError, match=r"sqrt gives a NaN, and its operands \(f32\[\]\) have none\n  in example 1 of"):
        rosin.compile(rosin.vmap(rnp.sqrt), checks="nan", target=target)(xs)


def test_checks_go_with_the_function_that_asks_for_them() -> None:
    inner = rosin.compile(rnp.log, checks="nan")
    outer = rosin.compile(lambda x: inner(x) + rnp.sqrt(x))
    with pytest.raises(NanError, match="log"):
        outer(-1.0)
    with pytest.raises(NanError, match="log"):
        rosin.grad(inner)(-1.0)
    unchecked = rosin.compile(lambda x: rnp.sqrt(x) + inner(x + 10))
    assert np.isnan(float(unchecked(-1.0)))


def test_what_nothing_uses_is_checked_too() -> None:
    f = rosin.compile(lambda x, i: (x[i], x * 2)[1], checks="index")
    assert f(X, 1).shape == (4,)
    with pytest.raises(IndexError):
        f(X, 9)


def test_without_checks_nothing_is_checked() -> None:
    f = rosin.compile(lambda x, i: rnp.log(x)[i])
    assert "check" not in f.text(X, 4)
    assert np.isnan(float(f(-X, 4)))


def test_names_of_checks() -> None:
    with pytest.raises(ArgumentError, match="there is no check 'bounds'; there are index, nan, shape"):
        rosin.compile(lambda x: x, checks="index,bounds")
    f = rosin.compile(lambda x: x + 1, checks=["shape", "nan"])
    assert float(f(1.0)) == 2.0


@TARGETS
def test_sizes_are_checked_whether_asked_for_or_not(target: str) -> None:
    for checks in ("", "shape"):
        f = rosin.compile(lambda x: x[2:5], checks=checks, dynamic={"x": 0}, target=target)
        assert f(np.arange(6.0)).tolist() == [2, 3, 4]
        with pytest.raises(ConstraintError, match=r"x_0 >= 5.*x_0 = 4 is axis 0 of `x`") as caught:
            f(np.arange(4.0))
        assert "x[2:5]" in str(caught.value)
