"""Element types that combine, Python numbers that give way, and shapes that broadcast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import rosin
from rosin import numpy as rnp
from rosin.frontend.numpy import promote
from rosin.ir import dims, dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import both, check, near

# Row and column as in the header: what JAX documents, its weak float read as our default float, f32.
TABLE = """
      bool u8   u16  u32  u64  i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128
bool  bool u8   u16  u32  u64  i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128
u8    u8   u8   u16  u32  u64  i16  i16  i32  i64  bf16 f16  f32  f64  c64  c128
u16   u16  u16  u16  u32  u64  i32  i32  i32  i64  bf16 f16  f32  f64  c64  c128
u32   u32  u32  u32  u32  u64  i64  i64  i64  i64  bf16 f16  f32  f64  c64  c128
u64   u64  u64  u64  u64  u64  f32  f32  f32  f32  bf16 f16  f32  f64  c64  c128
i8    i8   i16  i32  i64  f32  i8   i16  i32  i64  bf16 f16  f32  f64  c64  c128
i16   i16  i16  i32  i64  f32  i16  i16  i32  i64  bf16 f16  f32  f64  c64  c128
i32   i32  i32  i32  i64  f32  i32  i32  i32  i64  bf16 f16  f32  f64  c64  c128
i64   i64  i64  i64  i64  f32  i64  i64  i64  i64  bf16 f16  f32  f64  c64  c128
bf16  bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 f32  f32  f64  c64  c128
f16   f16  f16  f16  f16  f16  f16  f16  f16  f16  f32  f16  f32  f64  c64  c128
f32   f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f32  f64  c64  c128
f64   f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  c128 c128
c64   c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c64  c128 c64  c128
c128  c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128 c128
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
PAIRS = [(row[0], column, row[i + 1]) for row in ROWS[1:] for i, column in enumerate(ROWS[0])]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_the_promotion_table(a: str, b: str, expected: str) -> None:
    found = promote.promote_types(dtypes.BY_NAME[a], dtypes.BY_NAME[b])
    assert found.name == expected
    assert rnp.result_type(a, b).name == expected


def test_the_table_agrees_with_numpy_where_the_standard_speaks() -> None:
    for a, b, expected in PAIRS:
        x, y = dtypes.BY_NAME[a], dtypes.BY_NAME[b]
        same_kind = {x.kind, y.kind} <= {"int", "uint"} or x.kind == y.kind
        if same_kind and "bf16" not in (a, b) and expected != "f32":
            assert np.result_type(x.numpy, y.numpy) == dtypes.BY_NAME[expected].numpy


@pytest.mark.parametrize(
    ("dtype", "number", "expected"),
    [
        ("bool", True, "bool"), ("bool", 1, "i32"), ("bool", 1.0, "f32"),
        ("i8", True, "i8"), ("i8", 1, "i8"), ("i8", 1.0, "f32"),
        ("i64", 1, "i64"), ("i64", 1.0, "f32"), ("u64", 1, "u64"),
        ("f16", True, "f16"), ("f16", 1, "f16"), ("f16", 1.0, "f16"),
        ("bf16", 1.0, "bf16"), ("f32", 1, "f32"), ("f64", 1.0, "f64"),
    ],
)  # fmt: skip
def test_a_python_number_gives_way(dtype: str, number: float, expected: str) -> None:
    x = rnp.ones(2, dtype=dtype)
    assert rnp.maximum(x, number).dtype.name == expected
    assert rnp.maximum(number, x).dtype.name == expected
    # A traced argument that is a Python number gives way too.
    assert rosin.compile(lambda x, n: rnp.maximum(x, n))(x, number).dtype.name == expected
    assert rosin.compile(lambda x, n: rnp.maximum(x, n * 1))(x, number).dtype.name == (
        expected if number is not True else rnp.result_type(dtype, 1).name
    )


def test_numbers_alone_make_the_defaults() -> None:
    assert rnp.asarray(1).dtype == dtypes.i32
    assert rnp.asarray(1.0).dtype == dtypes.f32
    assert rnp.add(1, 2.5).dtype == dtypes.f32
    assert rnp.result_type(1, 2.0) == dtypes.f32
    assert rnp.result_type(dtypes.f16, 2.0) == dtypes.f16
    assert rnp.result_type(np.float64(1.0), rnp.ones(1)) == dtypes.f64


def test_an_integer_that_does_not_fit_is_refused() -> None:
    x = rnp.zeros(3, dtype="u8")
    with pytest.raises(AttributeValueError, match=r"add: 256 does not fit u8, which holds 0 to 255"):
        rnp.add(x, 256)
    with pytest.raises(AttributeValueError, match="-1 does not fit u8"):
        rnp.multiply(x, -1)
    assert np.asarray(rnp.add(x, 255)).max() == 255


def test_great_integers_with_floats() -> None:
    near(rnp.add(rnp.zeros(1), 10**30), np.full(1, 1e30, np.float32))
    near(rnp.add(rnp.zeros(1), -(10**400)), np.full(1, -np.inf, np.float32))
    near(rnp.add(rnp.zeros(1, dtype="f16"), 1e30), np.full(1, np.inf, np.float16))


@given(shapes=mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0))
def test_broadcasting(shapes) -> None:
    arrays = [np.arange(np.prod(s), dtype=np.float32).reshape(s) for s in shapes.input_shapes]
    assert rnp.broadcast_shapes(*shapes.input_shapes) == shapes.result_shape
    total = rnp.add(rnp.add(arrays[0], arrays[1]), arrays[2])
    near(total, arrays[0] + arrays[1] + arrays[2])
    for spread, original in zip(rnp.broadcast_arrays(*arrays), arrays, strict=True):
        near(spread, np.broadcast_to(original, shapes.result_shape))


@given(a=st.lists(st.integers(1, 3), max_size=3), b=st.lists(st.integers(1, 3), max_size=3))
def test_shapes_that_do_not_broadcast(a: list[int], b: list[int]) -> None:
    try:
        expected = np.broadcast_shapes(tuple(a), tuple(b))
    except ValueError:
        with pytest.raises(ShapeError, match="do not broadcast: axis -"):
            rnp.broadcast_shapes(tuple(a), tuple(b))
    else:
        assert rnp.broadcast_shapes(tuple(a), tuple(b)) == expected


def test_symbolic_sizes_broadcast_with_themselves_and_one() -> None:
    n, m = dims.symbol("n"), dims.symbol("m")
    assert rnp.broadcast_shapes((n, 1), (1, m), (m,)) == (n, m)
    with pytest.raises(ShapeError, match="axis -1 has sizes n and m"):
        rnp.broadcast_shapes((n,), (m,))
    with pytest.raises(ShapeError, match="axis -1 has sizes n and 3"):
        rnp.broadcast_shapes((n,), (3,))


def test_the_error_names_function_types_sizes_and_line() -> None:
    with pytest.raises(ShapeError) as caught:
        rnp.zeros((2, 3)) + rnp.ones((4, 3), dtype="i32")
    text = str(caught.value)
    assert "add: shapes [2, 3] and [4, 3] do not broadcast: axis -2 has sizes 2 and 4" in text
    assert "operands: f32[2, 3], i32[4, 3]" in text
    assert "rnp.zeros((2, 3)) + rnp.ones((4, 3)" in text
    assert __file__ in text


@pytest.mark.parametrize("bad", [[1, 2], (1,), "x", None, object()])
def test_what_is_no_array_is_refused(bad: object) -> None:
    with pytest.raises(DTypeError, match="sin takes arrays and numbers, not"):
        rnp.sin(bad)
    with pytest.raises(DTypeError, match="add takes arrays and numbers, not"):
        rnp.add(rnp.ones(1), bad)


def test_alike_operands_stay_as_they_are() -> None:
    x = rnp.ones((2, 3))
    assert promote.promoted("f", x, x)[0] is x
    assert promote.spread(x, (2, 3)) is x
    assert promote.cast(x, dtypes.f32) is x


def test_dtype_questions() -> None:
    assert rnp.can_cast("i8", "i16")
    assert not rnp.can_cast("i16", "i8")
    assert not rnp.can_cast("f32", "i64")
    assert rnp.isdtype(rnp.float16, "real floating")
    assert rnp.isdtype(rnp.bfloat16, ("integral", "real floating"))
    assert not rnp.isdtype(rnp.uint8, "signed integer")
    assert rnp.isdtype(rnp.uint8, rnp.uint8)
    assert not rnp.isdtype(rnp.bool, "numeric")
    assert rnp.iinfo("i8").max == 127
    assert rnp.iinfo(rnp.uint64).max == 2**64 - 1
    assert rnp.finfo("bf16").eps == 2.0**-7
    assert rnp.finfo(rnp.ones(1)).max == np.finfo(np.float32).max
    with pytest.raises(DTypeError, match="finfo tells of floats"):
        rnp.finfo("i32")
    with pytest.raises(DTypeError, match="iinfo tells of integers"):
        rnp.iinfo("f32")


def test_astype() -> None:
    x = np.array([-1.5, 0.0, 2.5, np.nan, 300.0], np.float32)
    check(lambda x: rnp.astype(x, "i8"), x, expected=np.array([-1, 0, 2, 0, 127], np.int8))
    check(lambda x: rnp.astype(x, bool), x, expected=np.array([True, False, True, True, True]))
    check(lambda x: rnp.astype(x, "float64"), x, expected=x.astype(np.float64))
    assert both(lambda x: rnp.astype(x, rnp.float16), x)[0].dtype == dtypes.f16


def test_the_standards_questions() -> None:
    assert rnp.ones(1).__array_namespace__() is rnp
    info = rnp.__array_namespace_info__()
    assert info.default_dtypes() == {
        "real floating": rnp.float32,
        "complex floating": rnp.complex64,
        "integral": rnp.int32,
        "indexing": rnp.int32,
    }
    assert info.dtypes(kind="signed integer").keys() == {"int8", "int16", "int32", "int64"}
    assert info.dtypes(kind=("bool", "real floating")).keys() == {"bool", "float32", "float64"}
    assert info.dtypes(kind="complex floating").keys() == {"complex64", "complex128"}
    assert len(info.dtypes()) == 13
    assert info.devices() == (info.default_device(),)
    assert info.capabilities()["boolean indexing"]
    with pytest.raises(AttributeValueError, match="there is no device 'tpu'"):
        info.dtypes(device="tpu")
