"""The routines of the greatest elements for registers of every width, by running them on one thread."""

import ctypes

import numpy as np
import pytest

from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.greatest import BY_BLOCKS, WHOLE, greatest_texts, greatest_way
from rosin.ir import dtypes
from rosin.ir.dtypes import DType
from rosin.ir.ops.sort import MANY, TopK, order
from rosin.ir.types import TensorType
from rosin.runtime import jit, loading
from tests.backends.llvm.test_sorting import ONE_THREAD, lines, widths

SIZES = ((1, 1), (1, 3), (2, 65), (8, 256), (20, 100), (130, 130), (3, 4000), (40, 100_000), (5, MANY + 1234))
"""How many are wanted of how many."""


@pytest.mark.parametrize("width", widths())
@pytest.mark.parametrize("way", ["", BY_BLOCKS, WHOLE])
@pytest.mark.parametrize("dtype", [dtypes.i8, dtypes.u64, dtypes.f16, dtypes.f32, dtypes.f64], ids=str)
def test_places_are_those_of_a_sort(dtype: DType, width: int, way: str) -> None:
    """By the code of both ways, or of one alone for lines that go this way."""
    heaps, lines_text = greatest_texts(dtype, "top", width, way)
    alone = lines_text.replace(f"declare void @{PARALLEL}(ptr, ptr, i64)\n", "") + ONE_THREAD
    library = loading.load_object(*map(jit.compile_object, (heaps, alone)))
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long, ctypes.c_long)(library.address("top"))
    sizes = [(count, length) for count, length in SIZES if way in ("", greatest_way(dtype, length, count, width))]
    assert len(sizes) >= 2
    for count, length in sizes:
        x = lines(dtype, length)
        found = np.empty((len(x), count), np.int32)
        task = TopK(count).task((TensorType(dtype, x.shape),))
        assert isinstance(task.room, int)
        room = np.full(task.room + 64, 123, np.uint8)
        words = np.array([x.ctypes.data, found.ctypes.data, length, count, room.ctypes.data])
        run(words.ctypes.data, 0, len(x))
        np.testing.assert_array_equal(found, order(x, descending=True)[:, :count])
        assert (room[-64:] == 123).all(), "no more room is used than the op asks for"
