"""`x[i] = v`: arrays that get other elements, outside of traces and inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rosin
from rosin import numpy as rnp
from rosin.frontend import core
from rosin.frontend.errors import BoundsError, ImmutableError
from rosin.ir.errors import DTypeError, ShapeError


def address(x: rosin.Array) -> int:
    return np.asarray(x).__array_interface__["data"][0]


def test_who_holds_the_object_sees_the_change_and_slices_do_not() -> None:
    x = rnp.arange(4.0)
    same, part, whole, cast = x, x[1:], x[:], x.astype(rnp.float32)
    x[1] = 9
    np.testing.assert_array_equal(same, [0, 9, 2, 3])
    for other in (part, whole[1:], cast[1:]):
        np.testing.assert_array_equal(other, [1, 2, 3])


def test_nothing_is_copied_while_nothing_else_holds_the_memory() -> None:
    x = rnp.asarray([0.0, 1.0, 2.0, 3.0]) + 0
    before = address(x)
    x[1] = 9
    x[2:] += 1
    assert address(x) == before
    view = np.asarray(x)
    x[0] = 5
    assert address(x) != before
    np.testing.assert_array_equal(view, [0, 9, 3, 4])


def test_the_users_numpy_array_is_never_written_to() -> None:
    numbers = np.zeros(3)
    x = rnp.asarray(numbers)
    x[0] = 1
    np.testing.assert_array_equal(numbers, [0, 0, 0])
    np.testing.assert_array_equal(x, [1, 0, 0])


def test_what_a_compiled_function_reads_from_outside_is_read_anew() -> None:
    weights, other = rnp.ones(2), rnp.ones(2)
    f = rosin.compile(lambda x: x * weights + other)
    np.testing.assert_array_equal(f(1.0), [2, 2])
    weights[0] = 5
    np.testing.assert_array_equal(f(1.0), [6, 2])
    other[1] = 7
    np.testing.assert_array_equal(f(2.0), [11, 9])
    np.testing.assert_array_equal(f(rnp.ones(2)), [6, 8])


def test_two_arrays_over_one_memory_are_told_apart_by_a_compiled_function() -> None:
    numbers = np.ones(2, np.float32)
    a, b = rnp.asarray(numbers), rnp.asarray(numbers)
    f = rosin.compile(lambda x: x + a - b)
    np.testing.assert_array_equal(f(0.0), [0, 0])
    a[0] = 3
    np.testing.assert_array_equal(f(0.0), [2, 0])


def test_an_argument_changed_inside_is_not_changed_outside() -> None:
    @rosin.compile
    def f(x: Any) -> Any:
        x[0] = 5
        return x

    given = rnp.zeros(2)
    np.testing.assert_array_equal(f(given), [5, 0])
    np.testing.assert_array_equal(given, [0, 0])


def test_traced_aliases_see_the_change_and_results_of_functions_do_not() -> None:
    def f(x: Any) -> Any:
        same, reshaped, cast, whole = x, x.reshape(3), x.astype(x.dtype), x[...]
        x[0] = 10
        return same, reshaped, cast, whole, +x

    x = np.arange(3, dtype=np.float32)
    same, *others, changed = rosin.compile(f)(x)
    np.testing.assert_array_equal(same, [10, 1, 2])
    np.testing.assert_array_equal(changed, [10, 1, 2])
    for other in others:
        np.testing.assert_array_equal(other, x)


def test_a_helper_changes_its_argument() -> None:
    def swap(x: Any, i: Any, j: Any) -> None:
        held = x[i]
        x[i] = x[j]
        x[j] = held

    def f(x: Any) -> Any:
        if x[0] > x[1]:
            swap(x, 0, 1)
        return x

    for x in ([2.0, 1.0, 3.0], [1.0, 2.0, 3.0]):
        np.testing.assert_array_equal(rosin.compile(f)(np.asarray(x)), [1, 2, 3])


def test_a_change_has_a_derivative() -> None:
    def f(x: Any) -> Any:
        y = rnp.zeros(3)
        y[1] = x * x
        y[2] = y[1] * x
        return y.sum()

    assert float(rosin.grad(f)(3.0)) == 6 + 27
    assert float(rosin.compile(rosin.grad(f))(3.0)) == 6 + 27


def test_a_mask_that_is_traced() -> None:
    def f(x: Any, low: Any) -> Any:
        x[x < low] = low
        return x

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(rosin.compile(f)(x, 2.0), np.maximum(x, 2))

    def rows(x: Any, keep: Any) -> Any:
        x[keep] = x[0] + 1
        return x.at[keep].add(1)

    np.testing.assert_array_equal(rosin.compile(rows)(x, np.array([False, True])), [[0, 1, 2], [2, 3, 4]])
    part = rosin.compile(lambda x, m: x.at[m].set(rnp.arange(2.0)))
    np.testing.assert_array_equal(part(np.ones(3), np.array([True, False, True])), [0, 1, 1])
    with pytest.raises(ShapeError, match="do not fit `k == 2`: k = 3"):
        part(np.ones(3), np.ones(3, bool))


def test_a_known_place_of_a_large_array() -> None:
    x = np.arange(1200, dtype=np.float32).reshape(3, 20, 20)
    for index in [(1, 2, 3), (-1, slice(None), 0), (0, 0), (2, 19, slice(None, None, -1)), (1, slice(2, 9, 3), 1)]:
        expected = x.copy()
        expected[index] = np.arange(np.size(x[index])).reshape(np.shape(x[index]))
        changed = rosin.compile(lambda a, i=index: a.at[i].set(rnp.arange(a[i].size).reshape(a[i].shape)))
        np.testing.assert_array_equal(changed(x), expected)
        assert "scatter_set" in changed.text(x)


def test_bad_assignments() -> None:
    x = rnp.zeros((2, 3))
    with pytest.raises(BoundsError, match="index 5 is out of range"):
        x[5] = 1
    with pytest.raises(ShapeError, match="does not broadcast"):
        x[0] = rnp.ones(2)
    with pytest.raises(DTypeError, match="does not hold"):
        rnp.arange(3)[0] = 0.5
    with pytest.raises(ImmutableError, match="x comes from outside"):
        rosin.vmap(lambda y: x.__setitem__(0, y))(rnp.ones(2))
    np.testing.assert_array_equal(x, np.zeros((2, 3)))


def test_functions_never_give_back_the_object_they_are_given() -> None:
    xs = [rnp.ones((2, 3)), rnp.ones(3), rnp.asarray(1.0), rnp.arange(3), rnp.ones((1, 1)), rnp.ones(3) > 0]
    shared = {"asarray", "broadcast_shapes"}
    for name in set(rnp.__all__) - shared:
        function = getattr(rnp, name)
        if not callable(function) or isinstance(function, type):
            continue
        for x in xs:
            for result in _results(function, x):
                assert result is not x, name


def _results(function: Any, x: rosin.Array) -> list[Any]:
    """What a function makes of arguments that may leave the array as it is."""
    ranks = tuple(range(x.ndim))
    each = [(), (0,), (1,), ((),), (x.shape,), (-1,), (None,), (x,), (x.dtype,), (slice(None),), (ranks,), (1.0,)]
    found: list[Any] = []
    for args in [*[(x, *more) for more in each], ([x],), (x, x.ndim - 1, x.ndim - 1), (x, 1, -1), (x, [0] * x.ndim)]:
        for options in ({}, {"axis": 0}, {"axis": ()}, {"shift": 0}, {"axis": -1}):
            try:
                result = function(*args, **options)
            except Exception:  # most functions do not take such arguments
                continue
            found += result if isinstance(result, list | tuple) else [result]
    return found


SHAPE = (3, 4, 2)


@given(hnp.basic_indices(SHAPE, allow_newaxis=True), st.booleans())
def test_basic_indices_read_and_write_as_in_numpy(index: Any, traced: bool) -> None:
    x = np.arange(24, dtype=np.float32).reshape(SHAPE)
    new = -1 - np.arange(x[index].size, dtype=np.float32).reshape(x[index].shape)
    expected = x.copy()
    expected[index] = new
    _agree(index, x, new, expected, traced)


@given(
    hnp.integer_array_indices(SHAPE, result_shape=hnp.array_shapes(max_dims=2, max_side=4)),
    st.booleans(),
)
def test_arrays_of_integers_read_and_write_as_in_numpy(index: Any, traced: bool) -> None:
    x = np.arange(24, dtype=np.float32).reshape(SHAPE)
    expected = x.copy()
    expected[index] = 7
    _agree(index, x, np.float32(7), expected, traced)


@given(hnp.arrays(bool, SHAPE[:2]), st.booleans())
def test_masks_read_and_write_as_in_numpy(mask: Any, traced: bool) -> None:
    x = np.arange(24, dtype=np.float32).reshape(SHAPE)
    expected = x.copy()
    expected[mask] = [5, 6]
    _agree(mask, x, np.asarray([5, 6], np.float32), expected, traced)


@given(
    st.tuples(
        hnp.arrays(np.int32, 2, elements=st.integers(-2, 1)), st.sampled_from([slice(None), slice(1, 3), 1, None, ...])
    ).flatmap(st.permutations),
    st.booleans(),
)
def test_mixed_indices_read_and_write_as_in_numpy(parts: Any, traced: bool) -> None:
    index = tuple(parts)
    x = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    expected = x.copy()
    expected[index] = 3
    _agree(index, x, np.float32(3), expected, traced)


def _agree(index: Any, x: Any, new: Any, expected: Any, traced: bool) -> None:
    def change(array: Any) -> Any:
        part = array[index]
        array[index] = new
        return part, array

    run = rosin.compile(change, target="interpreter") if traced else change
    part, changed = run(rnp.array(x, copy=True))
    np.testing.assert_array_equal(part, x[index])
    np.testing.assert_array_equal(changed, expected)
    assert core.is_array(changed)
