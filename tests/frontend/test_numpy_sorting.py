"""Sorting against NumPy: every element type, ties, NaNs, signed zeros, axes, derivatives, batches, symbolic sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, ShapeError
from rosin.runtime import threads
from tests.frontend.agree import both, check

RANDOM = np.random.default_rng(0)
LENGTHS = (0, 1, 2, 3, 16, 17, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 511, 512, 513, 4097, 70_001, 300_003)
SPECIAL = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1.0, -1.0, 2.0]


def numbers(dtype: DType, count: int) -> Any:
    """Numbers of the whole range of a type, with some that tie."""
    if dtype == dtypes.bool_:
        return RANDOM.integers(0, 2, count).astype(bool)
    if dtype.is_integer:
        x = RANDOM.integers(int(dtype.lowest), int(dtype.highest), count, dtype.numpy, endpoint=True)
        x[count // 2 :] = RANDOM.choice(x[: count // 2 + 1], count - count // 2)
        return x
    x = RANDOM.standard_normal(count) * 10.0 ** RANDOM.integers(-4, 4, count)
    x[: count // 4] = np.round(x[: count // 4])
    places = RANDOM.integers(0, max(count, 1), count // 4)
    x[places] = RANDOM.choice(SPECIAL, count // 4)
    return x.astype(dtype.numpy)


def order(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """NumPy's places; NumPy has no descending order."""
    if x.dtype == dtypes.bf16.numpy:
        x = x.astype(np.float32)
    if not descending:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int32)
    backward = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - backward, axis).astype(np.int32)


def same_bits(x: Any, y: Any) -> None:
    a, b = np.asarray(x), np.asarray(y)
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", sorted(dtypes.ORDERED, key=str), ids=str)
@pytest.mark.parametrize("descending", [False, True])
def test_every_type_and_length_to_the_bit(dtype: DType, descending: bool) -> None:
    sort = rosin.compile(lambda x: rnp.sort(x, descending=descending), dynamic={"x": {0: "n"}})
    argsort = rosin.compile(lambda x: rnp.argsort(x, descending=descending), dynamic={"x": {0: "n"}})
    for length in LENGTHS:
        x = numbers(dtype, length)
        places = order(x, descending=descending)
        same_bits(argsort(x), places)
        same_bits(sort(x), x[places])


@pytest.mark.thinned(3)
@pytest.mark.parametrize("dtype", sorted(dtypes.ORDERED - {dtypes.bool_}, key=str), ids=str)
@pytest.mark.parametrize("length", [129, 300, 5003, 140_003])
def test_every_type_where_the_length_is_known_to_the_bit(dtype: DType, length: int) -> None:
    x = numbers(dtype, length)
    if not dtype.is_integer:
        # The greatest ones too are below zero.
        x = -np.abs(x)
    for descending in (False, True):
        sort = rosin.compile(lambda x, flag=descending: rnp.sort(x, descending=flag))
        same_bits(sort(x), x[order(x, descending=descending)])


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 5), (1, 7), (4, 1), (0, 3), (3, 0), (40, 70)])
@pytest.mark.parametrize("descending", [False, True])
def test_axes(shape: tuple[int, ...], descending: bool) -> None:
    x = RANDOM.integers(0, 5, shape).astype(np.float64)
    for axis in range(-len(shape), len(shape)):
        places = order(x, axis, descending)
        check(lambda x, a=axis: rnp.argsort(x, axis=a, descending=descending), x, expected=places)
        wanted = np.take_along_axis(x, places, axis)
        check(lambda x, a=axis: rnp.sort(x, axis=a, descending=descending), x, expected=wanted)
    check(lambda x: rnp.sort(x, axis=None), x, expected=np.sort(x, axis=None))
    check(lambda x: rnp.argsort(x, axis=None), x, expected=order(x.ravel()))


@pytest.mark.parametrize(
    "pattern", ["sorted", "backward", "constant", "two", "few", "saw", "organ", "bytes", "all but one", "zeros"]
)
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.int64, np.float64])
def test_patterns(pattern: str, dtype: Any) -> None:
    n = np.arange(5000)
    x = {
        "sorted": n,
        "backward": -n,
        "constant": n * 0 + 7,
        "two": n % 2 - 1,
        "few": n * 7919 % 5,
        "saw": n % 37,
        "organ": np.minimum(n, n[::-1]),
        "bytes": (n * 2654435761) % 2**31 // 2**16 * 2**16,
        "all but one": np.where(n < 4999, n, 4),
        "zeros": np.where(n % 3 == 0, -0.0, 0.0),
    }[pattern].astype(dtype)
    same_bits(rnp.sort(rnp.asarray(x)), x[order(x)])
    same_bits(rosin.compile(rnp.sort)(x), x[order(x)])
    same_bits(rosin.compile(rnp.argsort)(x), order(x))


@pytest.mark.parametrize("count", [917_503, 1_100_003])
@pytest.mark.parametrize("dtype", [np.int32, np.float64], ids=lambda t: t.__name__)
def test_places_in_very_long_lines(dtype: Any, count: int) -> None:
    x = RANDOM.integers(0, 100_000, count).astype(dtype)
    same_bits(rosin.compile(rnp.argsort)(x), order(x))


@pytest.mark.parametrize(
    "kind",
    ["one bit", "33 bits", "signed", "apart", "alike above", "alike below", "same", "unsigned", "close", "mixed"],
)
def test_places_of_long_keys_of_which_some_bits_differ(kind: str) -> None:
    places = {flag: rosin.compile(lambda x, flag=flag: rnp.argsort(x, descending=flag)) for flag in (False, True)}
    for count in (513, 140_003):
        low = RANDOM.integers(0, 1 << 20, count)
        floats = 1 + 1e-13 * low
        x: Any = {
            "one bit": (low & 1) << 40,
            "33 bits": RANDOM.integers(0, 1 << 33, count),
            "signed": RANDOM.integers(-(1 << 30), 1 << 30, count),
            "apart": RANDOM.integers(-(1 << 63), (1 << 63) - 1, count, endpoint=True),
            "alike above": (RANDOM.integers(0, 3, count) << 60) + low,  # too many to be put in order one by one
            "alike below": low << 43,
            "same": np.full(count, -7),
            "unsigned": RANDOM.integers(0, (1 << 64) - 1, count, np.uint64, endpoint=True),
            "close": floats,
            "mixed": np.where(low & 1, floats, RANDOM.standard_normal(count)),
        }[kind]
        for descending, function in places.items():
            same_bits(function(rnp.asarray(x)), order(x, descending=descending))


def test_many_lines_on_threads() -> None:
    for shape in ((10_000, 32), (500, 300), (3, 100_000), (2, 140_000)):
        for dtype in (np.int32, np.float64):
            x = RANDOM.integers(0, 10**6, shape).astype(dtype)
            same_bits(rosin.compile(rnp.sort)(x), np.sort(x, -1))
            same_bits(rosin.compile(rnp.argsort)(x), order(x))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_threads(count: int) -> None:
    before = threads.num_threads()
    threads.set_num_threads(count)
    try:
        for x in (numbers(dtypes.f64, 700_000), RANDOM.choice(SPECIAL, 700_000)):
            same_bits(rosin.compile(rnp.sort)(x), x[order(x)])
            same_bits(rosin.compile(rnp.argsort)(x), order(x))
    finally:
        threads.set_num_threads(before)


def test_lexsort() -> None:
    keys = RANDOM.integers(0, 3, (3, 50))
    check(rnp.lexsort, keys, expected=np.lexsort(keys).astype(np.int32))
    table = keys.reshape(3, 5, 10)
    for axis in (0, 1):
        wanted = np.lexsort(table, axis=axis).astype(np.int32)
        check(lambda a, b, c, k=axis: rnp.lexsort((a, b, c), axis=k), *table, expected=wanted)
    with pytest.raises(ShapeError, match="there are no keys"):
        rnp.lexsort(())
    with pytest.raises(ShapeError, match=r"keys have shapes \[3\] and \[4\]"):
        rnp.lexsort((rnp.ones(3), rnp.ones(4)))


def test_top_k() -> None:
    x = RANDOM.permutation(60).reshape(3, 20).astype(np.float32)
    places = order(x, descending=True)[:, :4]
    check(lambda x: rnp.top_k(x, 4), x, expected=(np.take_along_axis(x, places, -1), places))
    down = order(x, 0, descending=True)[:2]
    check(lambda x: rnp.top_k(x, 2, axis=0), x, expected=(np.take_along_axis(x, down, 0), down))
    check(lambda x: rnp.top_k(x, 0), x, expected=(x[:, :0], places[:, :0]))
    with pytest.raises(ShapeError, match="top_k: k is 21 for axis 1 of size 20"):
        rnp.top_k(x, 21)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8, np.bool_], ids=lambda t: t.__name__)
@pytest.mark.parametrize(("length", "count"), [(256, 1), (2563, 10), (3000, 11), (300_001, 3), (100_000, 390)])
def test_few_of_many(dtype: Any, length: int, count: int) -> None:
    x = RANDOM.integers(0, 2 if dtype == np.bool_ else 100, (2, length)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        x += (RANDOM.uniform(size=x.shape) < 0.5).astype(dtype) / 2
        x[0, length // 2] = np.nan
        x[1] = np.where(x[1] < 99, -np.inf, -0.0)
        x[1, ::7] = 0.0
    (values, places) = both(lambda x: rnp.top_k(x, count), x)
    wanted = order(x, descending=True)[:, :count]
    np.testing.assert_array_equal(np.asarray(places), wanted)
    same_bits(values, np.take_along_axis(x, wanted, -1))
    if np.dtype(dtype).kind == "f":
        slope = rosin.grad(lambda x: rnp.sum(rnp.top_k(x, count)[0] * 2))(rnp.asarray(x))
        np.testing.assert_array_equal(np.flatnonzero(np.asarray(slope)[1]), np.sort(wanted[1]))


def test_complex_numbers() -> None:
    parts = np.array([0.0, -0.0, 1.0, -2.0, np.inf, np.nan])
    x = RANDOM.permutation((parts[:, None] + np.zeros(6)).ravel() + 0j)
    x.imag = RANDOM.permutation(np.tile(parts, 6))
    (found,) = both(rnp.sort, x)
    np.testing.assert_array_equal(np.asarray(found), np.sort(x))
    table = x.reshape(4, 9)
    (places,) = both(lambda x: rnp.argsort(x, axis=0), table)
    np.testing.assert_array_equal(np.asarray(places), np.argsort(table, axis=0, kind="stable"))
    (down,) = both(lambda x: rnp.sort(x, descending=True), table)
    np.testing.assert_array_equal(np.asarray(down), np.sort(table)[:, ::-1])
    other = RANDOM.permutation(x)
    with np.errstate(invalid="ignore"):
        for name in ("less", "less_equal", "greater", "greater_equal"):
            check(getattr(rnp, name), x, other, expected=getattr(np, name)(x, other))
            check(getattr(rnp, name), x, x, expected=getattr(np, name)(x, x))


def test_partition() -> None:
    x = RANDOM.normal(size=(4, 30))
    (found,) = both(lambda x: rnp.partition(x, 7), x)
    np.testing.assert_array_equal(np.asarray(found)[:, 7], np.partition(x, 7)[:, 7])
    (places,) = both(lambda x: rnp.argpartition(x, [2, -1], axis=0), x)
    np.testing.assert_array_equal(np.take_along_axis(x, np.asarray(places), 0)[2], np.partition(x, 2, 0)[2])
    with pytest.raises(ShapeError, match="there is no place 30 in lines of 30 elements"):
        rnp.partition(x, 30)


def test_derivatives() -> None:
    x, w = RANDOM.permutation(24).reshape(4, 6).astype(np.float64), RANDOM.normal(size=(4, 6))
    places = order(x)
    expected = np.zeros_like(x)
    np.put_along_axis(expected, places, w, -1)

    def loss(x: Any) -> Any:
        return (rnp.sort(x) * w).sum()

    check(rosin.grad(loss), x, expected=expected)
    check(lambda x: rosin.jvp(rnp.sort, (x,), (w,))[1], x, expected=np.take_along_axis(w, places, -1))
    top = np.zeros_like(x)
    np.put_along_axis(top, order(x, descending=True)[:, :2], w[:, :2], -1)
    check(rosin.grad(lambda x: (rnp.top_k(x, 2)[0] * w[:, :2]).sum()), x, expected=top)
    second = rosin.grad(lambda x: (rosin.grad(lambda y: (rnp.sort(y) ** 3).sum())(x) * w).sum())
    check(second, x, expected=6 * x * w)


def test_one_sort_for_value_and_derivative() -> None:
    program = rosin.compile(rosin.value_and_grad(lambda x: (rnp.sort(x) ** 2).sum()))
    text = program.text(rnp.ones(100), stage="loops")
    assert text.count("routine argsort_f32") == 1
    assert "routine sort_f32" not in text


def test_batches_and_loops() -> None:
    x = RANDOM.normal(size=(5, 3, 40))
    check(rosin.vmap(lambda row: rnp.sort(row, axis=0), in_axes=1), x, expected=np.sort(np.moveaxis(x, 1, 0), 1))
    check(rosin.vmap(rosin.vmap(rnp.argsort)), x, expected=order(x))

    def rotate(x: Any) -> Any:
        def step(carry: Any, shift: Any) -> Any:
            carry = rnp.sort(carry * shift)
            return carry, carry[0]

        return rosin.scan(step, x, rnp.asarray(np.array([1.0, -2.0, 0.5, -1.0])))

    carry, first = x[0, 0], []
    for shift in (1.0, -2.0, 0.5, -1.0):
        carry = np.sort(carry * shift)
        first.append(carry[0])
    check(rotate, x[0, 0], expected=(carry, np.array(first)))
    check(rosin.vmap(rotate), np.stack([x[0, 0]] * 2), expected=(np.stack([carry] * 2), np.array([first] * 2)))


def test_layers_that_are_alike() -> None:
    def layers(x: Any) -> Any:
        for number in range(8):
            x = rnp.sort(x * (number - 3.5), descending=number % 2 == 1) + rnp.argsort(x).astype(x.dtype)
        return x

    x = RANDOM.normal(size=(3, 600))
    expected = x
    for number in range(8):
        down, y = number % 2 == 1, expected * (number - 3.5)
        expected = np.take_along_axis(y, order(y, descending=down), -1) + order(expected)
    check(layers, x, expected=expected)


def test_operands_stay_as_they_are() -> None:
    x = RANDOM.normal(size=1000).astype(np.float32)
    before = x.copy()
    rosin.compile(rnp.sort, donate_argnums=0)(rnp.asarray(x.copy()))
    rosin.compile(rnp.sort)(x)
    same_bits(x, before)


def test_errors() -> None:
    with pytest.raises(ShapeError, match="sort: axis 1 is out of range for rank 1"):
        rnp.sort(rnp.ones(3), axis=1)
    with pytest.raises(ShapeError, match="argsort: axis -1 is out of range for rank 0"):
        rnp.argsort(rnp.ones(()))
    with pytest.raises(DTypeError, match="sort takes arrays and numbers"):
        rnp.sort([1, 2])  # type: ignore[arg-type]
