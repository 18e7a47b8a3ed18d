"""Arrays from numbers and from nothing, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rosin
from rosin import numpy as rnp
from rosin.frontend import core
from rosin.ir import dims, dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near

ALL = ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64")


@pytest.mark.parametrize("dtype", ALL)
def test_filled_arrays(dtype: str) -> None:
    own = dtypes.BY_NAME[dtype].numpy
    check(lambda: rnp.zeros((2, 3), dtype=dtype), expected=np.zeros((2, 3), own))
    check(lambda: rnp.ones(4, dtype=dtype), expected=np.ones(4, own))
    check(lambda: rnp.full((), 1, dtype=dtype), expected=np.full((), 1, own))
    check(lambda: rnp.empty((0, 2), dtype=dtype), expected=np.zeros((0, 2), own))
    x = np.ones((2, 1), own)
    check(rnp.zeros_like, x, expected=np.zeros_like(x))
    check(rnp.ones_like, x, expected=x)
    check(lambda x: rnp.full_like(x, 1, shape=3), x, expected=np.ones(3, own))
    check(lambda x: rnp.zeros_like(x, dtype="i16"), x, expected=np.zeros((2, 1), np.int16))


def test_defaults() -> None:
    assert rnp.zeros(1).dtype == rnp.float32
    assert rnp.ones(1).dtype == rnp.float32
    assert rnp.full(1, 2).dtype == rnp.int32
    assert rnp.full(1, 2.0).dtype == rnp.float32
    assert rnp.full(1, True).dtype == rnp.bool
    assert rnp.arange(3).dtype == rnp.int32
    assert rnp.arange(3.0).dtype == rnp.float32
    assert rnp.linspace(0, 1, 3).dtype == rnp.float32
    assert rnp.eye(2).dtype == rnp.float32


def test_full_of_an_array() -> None:
    row = np.array([1.0, 2.0], np.float32)
    check(lambda x: rnp.full((3, 2), x), row, expected=np.full((3, 2), row))
    check(lambda x: rnp.full((3, 2), x, dtype="i8"), row, expected=np.full((3, 2), row).astype(np.int8))
    with pytest.raises(ShapeError, match=r"full: shape \[2\] does not broadcast to \[3\]"):
        rnp.full(3, row)


def test_bad_fills() -> None:
    with pytest.raises(AttributeValueError, match="300 does not fit u8"):
        rnp.full(3, 300, dtype="u8")
    with pytest.raises(AttributeValueError, match="nan is no number of i32"):
        rnp.full(3, float("nan"), dtype="i32")
    with pytest.raises(ShapeError, match=r"zeros: -1 in the shape \[2, -1\] is negative"):
        rnp.zeros((2, -1))
    with pytest.raises(DTypeError, match="a size is an integer, not float"):
        rnp.zeros((2.0,))
    with pytest.raises(ShapeError, match="bytes"):
        rnp.zeros((1 << 40, 1 << 40))


@pytest.mark.parametrize(
    ("args", "dtype"),
    [((5,), None), ((2, 7), None), ((7, 2, -2), None), ((0, 10, 3), None), ((5, 5), None), ((5, 2), None),
     ((1.5,), None), ((0, 1, 0.1), None), ((1.0, -1.0, -0.25), None), ((0, 5), "f64"), ((3, -3, -1), "i8"),
     ((250, 255), "u8"), ((5, 0, -1), "u16"), ((0, 3, 0.5), "f16"), ((0.5, 4), "i32"), ((100, 2000, 400), "bf16")],
)  # fmt: skip
def test_arange(args: tuple[float, ...], dtype: str | None) -> None:
    own = dtypes.BY_NAME[dtype].numpy if dtype else None
    if own is None:
        own = np.int32 if all(isinstance(a, int) for a in args) else np.float32
    expected = np.arange(*args) if dtype != "i32" else np.arange(*args).astype(np.int32)
    check(lambda: rnp.arange(*args, dtype=dtype), expected=expected.astype(own))


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-7, 7).filter(bool))
def test_arange_counts_as_numpy(start: int, stop: int, step: int) -> None:
    near(rnp.arange(start, stop, step), np.arange(start, stop, step, np.int32))


def test_arange_refuses() -> None:
    with pytest.raises(AttributeValueError, match="the step is 0"):
        rnp.arange(0, 3, 0)
    with pytest.raises(DTypeError, match="arange takes numbers, not str"):
        rnp.arange("3")
    with pytest.raises(AttributeValueError, match="299 does not fit u8"):
        rnp.arange(300, dtype="u8")
    with pytest.raises(rosin.ir.errors.TraceError, match="use numbers that are known"):
        rosin.compile(lambda n: rnp.arange(n))(rnp.asarray(3))


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 50])
def test_linspace(num: int, endpoint: bool) -> None:
    expected = np.linspace(-1.0, 3.0, num, endpoint=endpoint).astype(np.float32)
    check(lambda: rnp.linspace(-1, 3, num, endpoint=endpoint), expected=expected)
    low, high = np.array([0.0, 1.0]), np.array([5.0, -7.0])
    check(
        lambda a, b: rnp.linspace(a, b, num, endpoint=endpoint), low, high,
        expected=np.linspace(low, high, num, endpoint=endpoint), tolerance=1e-14,
    )  # fmt: skip
    if endpoint and num > 1:
        assert float(rnp.linspace(0.1, 0.7, num)[-1]) == float(np.float32(0.7))
    with pytest.raises(AttributeValueError, match="num is -1"):
        rnp.linspace(0, 1, -1)


def test_linspace_in_the_type_that_is_asked_for() -> None:
    near(rnp.linspace(0, 1e-60, 3, dtype="f64"), np.linspace(0, 1e-60, 3))
    near(rnp.linspace(0, 10, 4, dtype="i32"), np.linspace(0, 10, 4, dtype=np.int32))
    near(rnp.linspace(-1, -2, 3, dtype="i64"), np.linspace(-1, -2, 3, dtype=np.int64))
    near(rnp.linspace(1, 2, 5, dtype="f16"), np.linspace(1, 2, 5, dtype=np.float16))


@pytest.mark.parametrize("k", [-3, -1, 0, 1, 2, 5])
def test_matrices(k: int) -> None:
    check(lambda: rnp.eye(3, 4, k=k), expected=np.eye(3, 4, k=k, dtype=np.float32))
    check(lambda: rnp.eye(2, k=k, dtype="i16"), expected=np.eye(2, k=k, dtype=np.int16))
    x = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    check(lambda x: rnp.tril(x, k=k), x, expected=np.tril(x, k))
    check(lambda x: rnp.triu(x, k=k), x, expected=np.triu(x, k))
    check(lambda x: rnp.diagonal(x, offset=k), x, expected=np.diagonal(x, k))
    for size in (0, 1, 3):
        v = np.arange(1.0, size + 1)
        check(lambda v: rnp.diag(v, k=k), v, expected=np.diag(v, k))
    check(lambda x: rnp.diag(x[0], k=k), x, expected=np.diag(x[0], k))


def test_identity_and_refusals() -> None:
    near(rnp.identity(3), np.identity(3, np.float32))
    with pytest.raises(ShapeError, match="tril: takes matrices"):
        rnp.tril(np.ones(3))
    with pytest.raises(ShapeError, match="diag: takes a vector or a matrix"):
        rnp.diag(np.ones((1, 1, 1)))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sizes", [(3,), (2, 3), (2, 3, 4)])
def test_meshgrid(sizes: tuple[int, ...], indexing: str) -> None:
    vectors = [np.arange(n, dtype=np.float32) for n in sizes]
    check(lambda *v: rnp.meshgrid(*v, indexing=indexing), *vectors, expected=np.meshgrid(*vectors, indexing=indexing))
    with pytest.raises(AttributeValueError, match="not 'yx'"):
        rnp.meshgrid(*vectors, indexing="yx")


def test_asarray() -> None:
    x = np.arange(3.0)
    near(rnp.asarray([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]], np.int32))
    near(rnp.asarray(x, dtype="f32"), x.astype(np.float32))
    shared, copied = rnp.asarray(x), rnp.asarray(x, copy=True)
    x[0] = 9
    assert float(shared[0]) == 9
    assert float(copied[0]) == 0


def test_lists_are_read_in_the_type_that_is_asked_for() -> None:
    assert rnp.asarray([1.0316224833083538], dtype="f64").item() == 1.0316224833083538
    assert rnp.asarray([2**63], dtype="u64").item() == 2**63
    near(rnp.asarray([1e300, 1]), np.array([np.inf, 1], np.float32))
    with pytest.raises(DTypeError, match="300 does not fit in u8"):
        rnp.asarray([300], dtype="u8")
    with pytest.raises(DTypeError, match="2147483648 does not fit in i32"):
        rnp.asarray([2**31])


def test_devices_and_dlpack() -> None:
    x = np.arange(3.0)
    near(rnp.from_dlpack(x), x)
    near(rnp.zeros(2, device="cpu"), np.zeros(2, np.float32))
    with pytest.raises(AttributeValueError, match="ones: there is no device 'gpu'"):
        rnp.ones(2, device="gpu")


def test_symbolic_sizes() -> None:
    n = dims.symbol("n")

    def zeros() -> rosin.Array:
        arrays = [rnp.zeros((n, 2)), rnp.arange(n), rnp.eye(n), rnp.tril(rnp.ones((n, n)))]
        assert [core.shape_of(x) for x in arrays] == [(n, 2), (n,), (n, n), (n, n)]
        return rnp.zeros(n)

    with pytest.raises(ValueError, match="symbolic"):
        rosin.compile(zeros)()
