"""Shapes, orders, joining, splitting, repeating and padding, against NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import rosin
from rosin import numpy as rnp
from rosin.ir import dims
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError, TraceError
from tests.frontend.agree import check, near

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@given(data=st.data(), shape=array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
def test_reshape(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    order = data.draw(st.permutations(shape))
    near(rnp.reshape(x, tuple(order)), x.reshape(order))
    near(rnp.ravel(x), x.ravel())
    if x.size and order:
        axis = data.draw(st.integers(0, len(order) - 1))
        open_ = [-1 if i == axis else n for i, n in enumerate(order)]
        near(rnp.asarray(x).reshape(*open_), x.reshape(open_))


def test_reshape_refuses() -> None:
    with pytest.raises(ShapeError, match=r"reshape: 24 elements of \[2, 3, 4\] do not fill \[5, -1\]"):
        rnp.reshape(X, (5, -1))
    with pytest.raises(ShapeError, match="leaves 2 sizes open"):
        rnp.reshape(X, (-1, -1))
    with pytest.raises(ShapeError, match="24 elements do not fill"):
        rnp.reshape(X, (5, 5))
    with pytest.raises(ShapeError, match="size -2 of axis 1"):
        rnp.reshape(X, (5, -2))
    with pytest.raises(DTypeError, match="a size is an integer"):
        rnp.reshape(X, (2.0, 12))


def test_reshape_of_symbolic_sizes() -> None:
    from rosin.frontend import core, trace
    from rosin.ir.types import TensorType

    n = dims.symbol("n")
    with trace.Trace("f") as t:
        x = t.input(TensorType(rnp.float32, (n, 3, 4)), "x")
        assert core.shape_of(rnp.reshape(x, (n, -1))) == (n, 12)
        assert core.shape_of(rnp.reshape(x, (-1, 2))) == (n * 6, 2)
        assert core.shape_of(rnp.ravel(x)) == (n * 12,)
        assert core.shape_of(x + rnp.ones((3, 1))) == (n, 3, 4)
        assert core.shape_of(rnp.matmul(x, rnp.ones((4, 5)))) == (n, 3, 5)
        assert core.shape_of(rnp.mean(x, axis=0)) == (3, 4)
        assert core.shape_of(rnp.concat([x, x])) == (n * 2, 3, 4)
        assert core.shape_of(x[1:, :, -1]) == (n - 1, 3)
        assert core.shape_of(x[::-1, None]) == (n, 1, 3, 4)
        assert core.shape_of(rnp.einsum("bij,bkj->bik", x, x)) == (n, 3, 3)
        assert core.shape_of(rnp.tile(x, (2, 1, 1))) == (n * 2, 3, 4)
        with pytest.raises(ShapeError, match="symbolic"):
            rnp.unstack(x)


@pytest.mark.parametrize("axis", [0, -1, 3, (0, 2), (-1, 1)])
def test_expand_dims(axis: Any) -> None:
    check(lambda x: rnp.expand_dims(x, axis), X, expected=np.expand_dims(X, axis))


def test_squeeze() -> None:
    x = X.reshape(1, 2, 1, 12, 1)
    for axis in (0, -1, (0, 2), None, ()):
        check(lambda x, a=axis: rnp.squeeze(x, a), x, expected=np.squeeze(x, axis))
    with pytest.raises(ShapeError, match="squeeze: axis 1 has size 2, not 1"):
        rnp.squeeze(x, 1)
    with pytest.raises(ShapeError, match="axis 5 is out of range for rank 5"):
        rnp.squeeze(x, 5)
    with pytest.raises(ShapeError, match="name an axis twice"):
        rnp.squeeze(x, (0, -5))


@pytest.mark.parametrize("name", ["atleast_1d", "atleast_2d", "atleast_3d"])
def test_at_least(name: str) -> None:
    for shape in ((), (3,), (2, 3), (2, 3, 4)):
        x = np.ones(shape, np.float32)
        check(getattr(rnp, name), x, expected=getattr(np, name)(x))


def test_orders_of_axes() -> None:
    check(lambda x: rnp.permute_dims(x, (2, 0, 1)), X, expected=X.transpose(2, 0, 1))
    check(lambda x: rnp.permute_dims(x, (-1, 0, 1)), X, expected=X.transpose(2, 0, 1))
    check(rnp.transpose, X, expected=X.T)
    check(lambda x: x.T, X, expected=X.T)
    check(rnp.matrix_transpose, X, expected=X.swapaxes(-1, -2))
    check(lambda x: rnp.swapaxes(x, 0, -1), X, expected=X.swapaxes(0, -1))
    for source, to in ((0, -1), ((0, 1), (1, 2)), ((2, 0), (0, 1))):
        check(lambda x, s=source, t=to: rnp.moveaxis(x, s, t), X, expected=np.moveaxis(X, source, to))
    with pytest.raises(ShapeError, match="names 2 axes of 3"):
        rnp.permute_dims(X, (0, 1))
    with pytest.raises(ShapeError, match="2 axes do not go to 1 places"):
        rnp.moveaxis(X, (0, 1), 0)
    with pytest.raises(ShapeError, match="matrix_transpose: takes matrices"):
        rnp.matrix_transpose(np.ones(3))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_flip(axis: Any) -> None:
    check(lambda x: rnp.flip(x, axis=axis), X, expected=np.flip(X, axis))


@pytest.mark.parametrize(
    ("shift", "axis"), [(0, 0), (1, 0), (-5, 1), (7, None), ((1, 2), (0, 2)), (2, (1, 2)), ((1, 1), 0)]
)
def test_roll(shift: Any, axis: Any) -> None:
    check(lambda x: rnp.roll(x, shift, axis=axis), X, expected=np.roll(X, shift, axis))
    near(rnp.roll(np.zeros((0, 2)), 1, axis=0), np.zeros((0, 2)))


def test_broadcast_to() -> None:
    x = np.ones((3, 1), np.float32)
    check(lambda x: rnp.broadcast_to(x, (2, 3, 4)), x, expected=np.broadcast_to(x, (2, 3, 4)))
    with pytest.raises(ShapeError, match=r"broadcast_to: shape \[3, 1\] does not broadcast to \[2, 4\]: axis -2"):
        rnp.broadcast_to(x, (2, 4))
    with pytest.raises(ShapeError, match="an array of rank 2 does not broadcast"):
        rnp.broadcast_to(x, (3,))


def test_joining() -> None:
    y = X[:, :1].astype(np.int16)
    check(lambda x, y: rnp.concat([x, y], axis=1), X, y, expected=np.concatenate([X, y], 1))
    check(lambda x, y: rnp.concat([x, y], axis=None), X, y, expected=np.concatenate([X, y], None))
    for axis in (0, 2, -1, -4):
        check(lambda x, a=axis: rnp.stack([x, x + 1], axis=a), X, expected=np.stack([X, X + 1], axis))
    v = np.arange(3.0)
    for name in ("vstack", "hstack"):
        function = getattr(rnp, name)
        check(lambda v, f=function: f([v, v]), v, expected=getattr(np, name)([v, v]))
        check(lambda x, f=function: f([x, x]), X, expected=getattr(np, name)([X, X]))
    check(lambda: rnp.stack([1, 2.5]), expected=np.array([1, 2.5], np.float32))


def test_joining_refuses() -> None:
    with pytest.raises(ShapeError, match="needs at least one array"):
        rnp.concat([])
    with pytest.raises(ShapeError, match="rank 0 have no axis"):
        rnp.concat([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"stack: array 1 has shape \[2\], and array 0 has \[3\]"):
        rnp.stack([np.ones(3), np.ones(2)])
    with pytest.raises(ShapeError, match="concatenate: axis 1 of operand 1 has size 3"):
        rnp.concat([np.ones((2, 2)), np.ones((2, 3))], axis=0)


def test_splitting() -> None:
    check(lambda x: rnp.split(x, 2, axis=2), X, expected=np.split(X, 2, 2))
    for cuts in ([1], [1, 3], [3, 1], [-1], [0, 9]):
        check(lambda x, c=cuts: rnp.split(x, c, axis=-1), X, expected=np.split(X, cuts, -1))
    check(lambda x: rnp.unstack(x, axis=1), X, expected=[X[:, i] for i in range(3)])
    with pytest.raises(ShapeError, match="axis 1 of size 3 cannot be cut into 2 equal parts"):
        rnp.split(X, 2, axis=1)


@pytest.mark.parametrize(("repeats", "axis"), [(2, 1), (0, 0), (3, None), ([1, 0, 2], 1), ([2], 0), ([0, 0], 0)])
def test_repeat(repeats: Any, axis: Any) -> None:
    check(lambda x: rnp.repeat(x, repeats, axis=axis), X, expected=np.repeat(X, repeats, axis))


def test_repeat_by_an_array() -> None:
    near(rnp.repeat(X, rnp.asarray([1, 0, 2]), axis=1), np.repeat(X, [1, 0, 2], 1))
    with pytest.raises(TraceError, match="give total_repeat_length="):
        rosin.compile(lambda x, n: rnp.repeat(x, n, axis=1))(X, np.array([1, 0, 2]))


def test_repeat_refuses() -> None:
    with pytest.raises(ShapeError, match="2 counts for axis 1 of size 3"):
        rnp.repeat(X, [1, 2], axis=1)
    with pytest.raises(ShapeError, match="the count -1 is negative"):
        rnp.repeat(X, -1, axis=1)


@pytest.mark.parametrize("repetitions", [2, (2,), (2, 1, 3), (2, 1, 1, 1), (0, 1, 1)])
def test_tile(repetitions: Any) -> None:
    check(lambda x: rnp.tile(x, repetitions), X, expected=np.tile(X, repetitions))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("widths", [0, 1, (2, 3), ((0, 0), (1, 2), (3, 0)), ((7, 1), (2, 9), (5, 11))])
def test_pad(mode: Any, widths: Any) -> None:
    check(lambda x: rnp.pad(x, widths, mode), X, expected=np.pad(X, widths, mode))


FAR = [(mode, {}) for mode in ("edge", "wrap", "maximum", "mean", "median", "minimum", "linear_ramp")]
FAR += [(mode, {"reflect_type": kind}) for mode in ("reflect", "symmetric") for kind in ("even", "odd")]


@given(st.integers(1, 5), st.integers(0, 12), st.integers(0, 12), st.sampled_from(FAR))
def test_pad_far(size: int, before: int, after: int, how: tuple[Any, Any]) -> None:
    mode, options = how
    x = np.arange(size) * 3
    near(rnp.pad(x, (before, after), mode, **options), np.pad(x, (before, after), mode, **options))


def test_pad_with_numbers_and_refusals() -> None:
    check(lambda x: rnp.pad(x, 1, constant_values=-2), X, expected=np.pad(X, 1, constant_values=-2))
    whole = np.arange(3, dtype=np.int8)
    check(lambda x: rnp.pad(x, (1, 0), constant_values=7), whole, expected=np.pad(whole, (1, 0), constant_values=7))
    with pytest.raises(AttributeValueError, match="not 'mirror'"):
        rnp.pad(X, 1, "mirror")
    with pytest.raises(ShapeError, match="the width -1 is negative"):
        rnp.pad(X, (-1, 0))
    with pytest.raises(ShapeError, match="2 pairs of widths for 3 axes"):
        rnp.pad(X, ((1, 1), (1, 1)))
    with pytest.raises(ShapeError, match="axis 0 has no elements to take"):
        rnp.pad(np.zeros(0), 1, "edge")


def test_derivatives_flow_through() -> None:
    def f(x: Any) -> Any:
        y = rnp.roll(rnp.pad(x, ((0, 0), (1, 1), (2, 0)), "reflect"), 3)
        return rnp.sum(rnp.tile(y, (1, 2, 1)) * rnp.tile(rnp.repeat(y, 2, axis=1), 1))

    gradient = np.asarray(rosin.grad(f)(X.astype(np.float64)))
    step = np.zeros(X.shape)
    step[1, 2, 3] = 1e-4
    difference = (float(f(rnp.asarray(X + step))) - float(f(rnp.asarray(X - step)))) / 2e-4
    assert gradient[1, 2, 3] == pytest.approx(difference, rel=1e-7)
