"""Reading and changing elements by position, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, broadcastable_shapes

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import BoundsError
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import both, check, near

X = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def _counted(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape) + 1


# -- known positions and slices --------------------------------------------------------------------------------------


@given(data=st.data(), shape=array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5))
def test_basic_indices(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x = _counted(shape)
    index = data.draw(basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    near(rnp.asarray(x)[index], x[index])


@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5))
def test_changes_at_basic_indices(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x = _counted(shape)
    index = data.draw(basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    values = -_counted(x[index].shape)
    array = rnp.asarray(x)
    for kind, combine in _CHANGES.items():
        expected = x.copy()
        expected[index] = combine(x[index], values)
        near(getattr(array.at[index], kind)(values), expected, what=kind)


_CHANGES = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "multiply": lambda old, new: old * new,
    "min": np.minimum,
    "max": np.maximum,
}


@pytest.mark.parametrize(
    "index",
    [0, -1, slice(None), slice(1, None), slice(None, None, -1), (0, 1), (..., 2), (None, 1), (slice(3, 0, -2),)],
)
def test_basic_indices_become_slices(index: Any) -> None:
    text = rosin.compile(lambda x: x[index]).text(X[0])
    assert "gather" not in text
    assert "dynamic" not in text


def test_the_slice_of_all_shares_memory_and_is_another_object() -> None:
    x = rnp.asarray(X)
    for whole in (x[...], x[:, :]):
        assert whole is not x
        assert np.shares_memory(np.asarray(whole), np.asarray(x))


def test_out_of_range() -> None:
    x = rnp.asarray(X)
    with pytest.raises(BoundsError, match="getitem: index 3 is out of range for axis 1 of size 3") as caught:
        x[0, 3]
    assert isinstance(caught.value, IndexError)
    assert "f32[2, 3, 4, 5]" in str(caught.value)
    assert "x[0, 3]" in str(caught.value)
    with pytest.raises(BoundsError, match="index -3 is out of range for axis 0 of size 2"):
        x[-3]
    with pytest.raises(BoundsError, match="5 indices for 4 axes"):
        x[0, 0, 0, 0, 0]
    with pytest.raises(BoundsError, match=r"one `\.\.\.` at most, not 2"):
        x[..., 0, ...]
    with pytest.raises(BoundsError, match="index 9 is out of range for axis 3 of size 5"):
        x[..., [0, 9]]
    with pytest.raises(BoundsError, match=r"at\[…\].set: index 2 is out of range for axis 0 of size 2"):
        x.at[2].set(0)
    with pytest.raises(BoundsError, match="index 7"):
        rosin.compile(lambda x: x[7])(x)


def test_what_is_no_index() -> None:
    x = rnp.asarray(X)
    for bad in (1.5, "a", True, (0, 1.0), np.ones(2), [0.5]):
        with pytest.raises(DTypeError, match="ind"):
            x[bad]
    with pytest.raises(AttributeValueError, match="the step of a slice of axis 0 is 0"):
        x[::0]
    with pytest.raises(DTypeError, match="a bound of a slice is an integer, not float"):
        x[0:1.5]


# -- arrays of positions ---------------------------------------------------------------------------------------------

I2 = np.array([1, 0, -1])
ADVANCED: list[Any] = [
    (I2,),
    (slice(None), I2),
    (slice(None), I2, I2),
    (I2, slice(None), I2),
    (I2, slice(1, 3)),
    (slice(None), slice(None, None, -2), [0, 3]),
    (0, slice(None), I2),
    (slice(None), 1, I2),
    (I2, ..., 1),
    (slice(None), None, I2),
    (I2[:, None], I2),
    (slice(None), I2[:, None], slice(None), [[0, 1, 2]]),
    (np.zeros((2, 2), int), None, slice(1, None, 2)),
    ([],),
    (np.zeros((0, 2), np.uint8),),
    (np.array(1), slice(0, 2)),
    (slice(None), np.array([250], np.uint8) - 249),
]


@pytest.mark.parametrize("index", ADVANCED, ids=str)
def test_arrays_of_positions(index: Any) -> None:
    check(lambda x: x[index], X, expected=X[tuple(np.asarray(i, int) if isinstance(i, list) else i for i in index)])


@pytest.mark.parametrize("index", ADVANCED, ids=str)
def test_traced_arrays_of_positions(index: Any) -> None:
    places = [i for i, part in enumerate(index) if isinstance(part, np.ndarray | list)]
    arrays = [np.asarray(index[i], np.asarray(index[i]).dtype if len(np.ravel(index[i])) else int) for i in places]

    def pick(x: Any, *given: Any) -> Any:
        parts = list(index)
        for place, array in zip(places, given, strict=True):
            parts[place] = array
        return x[tuple(parts)]

    check(pick, X, *arrays, expected=pick(X, *arrays))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("kind", _CHANGES)
@pytest.mark.parametrize("index", ADVANCED, ids=str)
def test_changes_at_arrays_of_positions(kind: str, index: Any) -> None:
    index = tuple(np.asarray(i, int) if isinstance(i, list) else i for i in index)
    values = _counted(X[index].shape) * -0.5
    expected = X.copy()
    in_place = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
    if kind == "set":
        expected[index] = values
    else:
        in_place[kind].at(expected, index, values)
    check(lambda x, v: getattr(x.at[index], kind)(v), X, values, expected=expected)


def test_repeated_places() -> None:
    x, places = np.ones(3, np.float32), np.array([0, 0, 2])
    values = np.array([2.0, 3.0, 5.0], np.float32)
    for kind, expected in (
        ("set", [3, 1, 5]), ("add", [6, 1, 6]), ("multiply", [6, 1, 5]), ("min", [1, 1, 1]), ("max", [3, 1, 5]),
    ):  # fmt: skip
        check(
            lambda x, p, v, k=kind: getattr(x.at[p], k)(v), x, places, values, expected=np.array(expected, np.float32)
        )


@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
def test_random_mixtures(data: st.DataObject, shape: tuple[int, ...]) -> None:
    x = _counted(shape)
    common = data.draw(array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    parts: list[Any] = []
    for size in shape:
        kind = data.draw(st.sampled_from(["int", "slice", "array", "array"]))
        if kind == "int":
            parts.append(data.draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            parts.append(data.draw(st.slices(size)))
        else:
            own = data.draw(broadcastable_shapes(common, min_dims=0, max_dims=len(common), max_side=3))
            own = tuple(n for n in own if n)[: len(common)]
            if np.broadcast_shapes(own, common) != common:
                own = ()
            numbers = st.integers(-size, size - 1)
            count = int(np.prod(own))
            parts.append(np.array(data.draw(st.lists(numbers, min_size=count, max_size=count)), int).reshape(own))
    index = tuple(parts)
    near(rnp.asarray(x)[index], x[index])
    values = _counted(x[index].shape)
    expected = x.copy()
    np.add.at(expected, index, values)
    near(rnp.asarray(x).at[index].add(values), expected)


def test_positions_outside() -> None:
    x = np.array([10.0, 20.0, 30.0], np.float32)
    places = np.array([-4, -3, 2, 3, 100], np.int32)
    check(lambda x, p: x[p], x, places, expected=np.array([10, 10, 30, 30, 30], np.float32))
    check(lambda x, p: x.at[p].set(0), x, places, expected=np.array([0, 20, 0], np.float32))
    for place, read in ((5, 30), (-9, 10), (-1, 30), (1, 20)):
        check(lambda x, p: x[p], x, np.int32(place), expected=np.float32(read))
        written = x.copy()
        written[place : place + 1 or None if -3 <= place < 3 else place] += 1 if -3 <= place < 3 else 0
        check(lambda x, p: x.at[p].add(1), x, np.int32(place), expected=written)


def test_a_traced_integer_becomes_a_dynamic_slice() -> None:
    f = rosin.compile(lambda x, i: x[:, i])
    assert "dynamic_slice" in f.text(X, np.int32(1))
    near(f(X, np.int32(2)), X[:, 2])
    near(rosin.compile(lambda x, i: x[i, ..., i])(X, 1), X[1, ..., 1])


# -- masks -----------------------------------------------------------------------------------------------------------


def test_masks() -> None:
    for mask in (X > 50, X[:, :, 0, 0] > 50, X[:, 0, 0, 0] > 1e9, np.ones(X.shape, bool)):
        near(rnp.asarray(X)[mask], X[mask])
        near(rnp.asarray(X)[rnp.asarray(mask)], X[mask])
        expected = X.copy()
        expected[mask] = -1
        near(rnp.asarray(X).at[mask].set(-1), expected)
    mask = X[0, :, 0, 0] > 20
    near(rnp.asarray(X)[:, mask], X[:, mask])
    near(rnp.asarray(X)[0, mask, 1], X[0, mask, 1])
    near(rosin.compile(lambda x: x[:, mask])(X), X[:, mask])


def test_axes_without_elements() -> None:
    x = np.zeros((0, 3), np.float32)
    for index in (np.zeros(0, int), np.zeros((0, 3), bool), np.zeros((2, 0), int), (slice(None), [1, 1])):
        near(rnp.asarray(x)[index], x[index])
        near(rnp.asarray(x).at[index].set(1), x)
    with pytest.raises(BoundsError, match="axis 0 has no elements to take"):
        rnp.asarray(x[:, 0])[rnp.asarray([0])]


def test_masks_refused() -> None:
    with pytest.raises(BoundsError, match=r"a mask of shape \[2\] for axes of sizes \[3\]"):
        rnp.asarray(X)[:, np.array([True, False])]
    with pytest.raises(BoundsError, match=r"a mask of shape \[2, 5\] for axes of sizes \[3, 4\]"):
        rosin.compile(lambda x: x[:, x[0, :2, 0] > 1])(X)


# -- changes ---------------------------------------------------------------------------------------------------------


def test_values_that_do_not_fit() -> None:
    x = rnp.asarray(X)
    with pytest.raises(ShapeError, match=r"at\[…\].set: shape \[3\] does not broadcast to \[5\]"):
        x.at[0, 0, 0].set(np.ones(3, np.float32))
    whole = rnp.zeros(3, dtype="i32")
    with pytest.raises(DTypeError, match=r"does not hold 1\.5"):
        whole.at[0].set(1.5)
    with pytest.raises(DTypeError, match="an array of i32 does not hold values of f32"):
        whole.at[0].set(np.float32(1))
    near(whole.at[0].set(np.int64(7)), np.array([7, 0, 0], np.int32))
    near(x.at[0].set(np.zeros(5))[0], np.zeros_like(X[0]))
    near(rnp.zeros(2, dtype=bool).at[1].set(True), np.array([False, True]))
    with pytest.raises(DTypeError, match="takes numbers, not bool"):
        rnp.zeros(2, dtype=bool).at[1].add(True)


def test_untouched_elements_keep_their_bits() -> None:
    x = np.array([-0.0, np.nan, -0.0], np.float32)
    changed = np.asarray(rnp.asarray(x).at[2].add(1.0))
    assert changed[:2].tobytes() == x[:2].tobytes()


def test_get_and_whole_changes() -> None:
    x = rnp.asarray(X)
    near(x.at[1, 2].get(), X[1, 2])
    near(x.at[...].set(3), np.full_like(X, 3))
    near(x.at[:, None].add(X[:, None]), X + X)
    near(x.at[0:0].set(9), X)


@pytest.mark.parametrize("kind", _CHANGES)
def test_derivatives_of_changes(kind: str) -> None:
    x = np.array([1.0, 4.0, 2.0, 5.0])
    values = np.array([3.0, 3.5])
    places = np.array([2, 1])

    def total(x: Any, v: Any, index: Any) -> Any:
        y = getattr(x.at[index], kind)(v)
        return rnp.sum(y * y * np.arange(1.0, 5.0))

    for index in (places, slice(1, 3)):
        by_x, by_v = rosin.grad(lambda x, v, i=index: total(x, v, i), argnums=(0, 1))(x, values)
        for array, gradient, other in ((x, by_x, 0), (values, by_v, 1)):
            for k in range(array.size):
                step = np.zeros_like(array)
                step[k] = 1e-6
                args = [[x, values], [x, values]]
                args[0][other], args[1][other] = array + step, array - step
                ends = [float(total(rnp.asarray(a), rnp.asarray(b), index)) for a, b in args]
                assert float(gradient[k]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-6)


# -- take ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, -1, 2])
def test_take(axis: Any) -> None:
    for places in (np.array([1, 0, 1]), np.array([[0], [1]]), np.array(1)):
        check(lambda x, p: rnp.take(x, p, axis=axis), X, places, expected=np.take(X, places, axis))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis(axis: int) -> None:
    order = np.argsort(-X, axis)
    check(lambda x, p: rnp.take_along_axis(x, p, axis=axis), X, order, expected=np.take_along_axis(X, order, axis))
    place = np.argmin(X, axis, keepdims=True)[:1, :1]
    if axis == -1:
        check(
            lambda x, p: rnp.take_along_axis(x, p, axis=axis),
            X,
            place,
            expected=np.take_along_axis(X, np.broadcast_to(place, (2, 3, 4, 1)), axis),
        )
    with pytest.raises(ShapeError, match="ranks 4 and 1 differ"):
        rnp.take_along_axis(X, np.array([0]), axis=axis)
    with pytest.raises(DTypeError, match="positions are integers"):
        rnp.take_along_axis(X, X, axis=axis)


def test_under_vmap() -> None:
    rows = np.array([2, 0, 1])
    table = np.arange(12.0).reshape(3, 4)
    near(rosin.vmap(lambda x, i: x[i])(table, rows), table[np.arange(3), rows])
    near(rosin.vmap(lambda x, i: x.at[i].set(-1.0))(table, rows)[1], np.array([-1.0, 5, 6, 7]))
    near(rosin.vmap(lambda i: rnp.asarray(table)[i])(rows), table[rows])
    found = both(lambda x: rosin.vmap(lambda y: y[::-1][None, 1:])(x), table)[0]
    near(found, table[:, None, ::-1][:, :, 1:])


STARTS = [(0, 0), (1, 2), (-2, -3), (9, -10), (-9, 9), (np.int64(2), np.int8(-1))]


@pytest.mark.parametrize("starts", STARTS, ids=str)
def test_parts_that_start_at_traced_places(starts: tuple[Any, Any]) -> None:
    x, part = np.arange(24.0).reshape(4, 6), -np.ones((2, 3))
    rows, columns = (
        slice(begin, begin + size)
        for begin, size in (
            (min(max(s + n if s < 0 else s, 0), n - m), m) for s, n, m in zip(starts, x.shape, (2, 3), strict=True)
        )
    )
    changed = x.copy()
    changed[rows, columns] = part

    def take(x: Any, row: Any, column: Any) -> Any:
        return rosin.dynamic_slice(x, (row, column), (2, 3))

    def put(x: Any, row: Any, column: Any) -> Any:
        return rosin.dynamic_update_slice(x, part, (row, column))

    for wrap in (lambda f: f, rosin.compile):
        np.testing.assert_array_equal(wrap(take)(x, *starts), x[rows, columns])
        np.testing.assert_array_equal(wrap(put)(x, *starts), changed)
        batched = wrap(rosin.vmap(take, in_axes=(None, 0, None)))
        np.testing.assert_array_equal(batched(x, np.asarray([starts[0]] * 2), starts[1])[1], x[rows, columns])
    slope = rosin.grad(lambda x: rnp.sum(take(x, *starts) ** 2))(x)
    wanted = np.zeros_like(x)
    wanted[rows, columns] = 2 * x[rows, columns]
    np.testing.assert_array_equal(slope, wanted)


def test_parts_that_do_not_fit() -> None:
    x = rnp.zeros((4, 6))
    with pytest.raises(ShapeError, match="1 places for an array of 2 axes"):
        rosin.dynamic_slice(x, (1,), (1, 2))
    with pytest.raises(ShapeError, match="3 sizes for an array of 2 axes"):
        rosin.dynamic_slice(x, (1, 1), (1, 2, 3))
    with pytest.raises(ShapeError, match="part of size 9 does not fit axis 1 of size 6"):
        rosin.dynamic_slice(x, (1, 1), (1, 9))
    with pytest.raises(DTypeError, match="a place is an integer without axes"):
        rosin.dynamic_update_slice(x, x, (0, 0.5))
