"""Sorting routines for registers of every width, each way alone and all in one, by running them on one thread."""

import ctypes
from typing import Any

import numpy as np
import pytest

from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.sorting import ANY, sorting_texts, sorting_way
from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.ops.sort import SLACK, room_bytes
from rosin.runtime import jit, loading

RNG = np.random.default_rng(0)
LENGTHS = (1, 5, 64, 100, 128, 129, 200, 257, 500, 513, 1024, 1100, 3000, 20_001, 140_000)

ONE_THREAD = f"""
define void @{PARALLEL}(ptr %body, ptr %words, i64 %count) {{
  call void %body(ptr %words, i64 0, i64 %count)
  ret void
}}
"""


def widths() -> list[int]:
    return [width for width in (16, 32, 64) if width <= jit.host().vector_bytes]


def lines(dtype: DType, length: int) -> Any:
    """Lines of all magnitudes, of few numbers, of special ones, and in order."""
    if dtype.is_integer:
        low, high = int(dtype.lowest), int(dtype.highest)
        every = RNG.integers(low, high, length, dtype.numpy, endpoint=True)
        special = RNG.choice(np.array([low, low + 1, 0, 1, high - 1, high], dtype.numpy), length)
    else:
        with np.errstate(over="ignore"):
            every = (RNG.standard_normal(length) * 10.0 ** RNG.integers(-4, 4, length)).astype(dtype.numpy)
        tiny = np.finfo(dtype.numpy).smallest_subnormal
        values = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, tiny, -tiny, 2 * tiny, 1.0]
        special = RNG.choice(np.array(values, dtype.numpy), length)
    two = np.where(RNG.random(length) < 0.3, every[:1], every[-1:])
    near = np.where(RNG.random(length) < 0.01, every, every[:1])
    return np.stack([every, special, two, near, np.full(length, every[0]), np.sort(every), np.sort(every)[::-1]])


def routine(dtype: DType, width: int, way: str) -> Any:
    declaration = f"declare void @{PARALLEL}(ptr, ptr, i64)\n"
    first, *others = sorting_texts(dtype, False, "sort", width, way)
    texts = [first.replace(declaration, "") + ONE_THREAD, *others]
    library = loading.load_object(*jit.compile_objects(texts))
    return library, ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long, ctypes.c_long)(library.address("sort"))


def check(dtype: DType, function: Any, length: int, descending: bool) -> None:
    x = lines(dtype, length)
    found, room = np.empty_like(x), np.empty(len(x) * (length + SLACK) * room_bytes(dtype, False), np.uint8)
    words = np.array([x.ctypes.data, found.ctypes.data, length, int(descending), room.ctypes.data])
    function(words.ctypes.data, 0, len(x))
    turned = x[:, ::-1] if descending else x
    places = np.argsort(turned, axis=-1, kind="stable")
    places = length - 1 - places[:, ::-1] if descending else places
    assert found.tobytes() == np.take_along_axis(x, places, -1).tobytes()


@pytest.mark.thinned(2)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("width", widths())
@pytest.mark.parametrize("dtype", [dtypes.i32, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64], ids=str)
def test_a_routine_of_all_ways(dtype: DType, width: int, descending: bool) -> None:
    _library, function = routine(dtype, width, ANY)
    for length in LENGTHS:
        check(dtype, function, length, descending)


@pytest.mark.parametrize("width", widths())
@pytest.mark.parametrize("dtype", [dtypes.i32, dtypes.f32, dtypes.f64], ids=str)
def test_a_routine_of_each_way(dtype: DType, width: int) -> None:
    for length in (5, 129, 257, 600, 3000, 140_000):
        _library, function = routine(dtype, width, sorting_way(dtype, False, length, width))
        for descending in (False, True):
            check(dtype, function, length, descending)
