"""Squares transposed by lines of the assembler."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.turning import Turn, _function
from rosin.backends.llvm.whole_squares import fills_registers, write_rows
from rosin.runtime import jit, loading

pytestmark = pytest.mark.skipif(not jit.host().assembles, reason="for other processors")


@pytest.mark.parametrize(("elem", "dtype"), [("float", "f4"), ("double", "f8"), ("i32", "i4"), ("i64", "i8")])
@pytest.mark.parametrize("by_row", [True, False])
def test_squares_of_memory(elem: str, dtype: str, by_row: bool) -> None:
    """Squares in wider matrices; what stands beside them stays as it is."""
    bytes = np.dtype(dtype).itemsize
    lanes = 64 // bytes
    name, texts = _function(Turn(elem, bytes, lanes, lanes, lanes, by_row, assembled=True))
    library = loading.load_text("\n".join(texts).replace("define internal", "define"))
    turn = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_int64] * 2)(library.address(name.removeprefix("@")))
    source, target = np.arange(lanes * 20).reshape(lanes, 20).astype(dtype), np.zeros((lanes, lanes + 3), dtype)
    turn(source.ctypes.data, source.strides[0], target.ctypes.data, target.strides[0])
    assert np.array_equal(target[:, :lanes], source[:, :lanes].T)
    assert not target[:, lanes:].any()


@pytest.mark.parametrize(
    ("elem", "dtype", "columns"),
    [("float", "f4", n) for n in range(9, 17)] + [("double", "f8", n) for n in range(5, 9)],
)
def test_squares_in_registers(elem: str, dtype: str, columns: int) -> None:
    """All rows or the first ones, into wider matrices, where nothing else is touched. Other registers stay as they are:
    a second square is read before the first one is written."""
    bytes = np.dtype(dtype).itemsize
    lanes = 64 // bytes
    assert fills_registers(bytes, lanes, columns)
    for rows in {1, lanes // 2 + 1, lanes}:
        e = Emitter(set())
        source, target, step = Val("%source", "ptr"), Val("%target", "ptr"), e.const((columns + 3) * bytes, "i64")
        places = [e.offset(source, e.const(at, "i64"), f"<{lanes} x {elem}>") for at in range(2 * columns)]
        taken = [e.load(place, elem, lanes, align=bytes) for place in places]
        for at, square in enumerate((taken[:columns], taken[columns:])):
            to = e.offset(target, e.const(at * rows * (columns + 3), "i64"), elem)
            write_rows(e, square, bytes, rows, to, step)
        head = "define void @squares(ptr %source, ptr %target) {"
        library = loading.load_text("\n".join([*e.declarations, head, *e.lines, "  ret void", "}"]))
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(library.address("squares"))
        given = np.arange(2 * columns * lanes).reshape(2, columns, lanes).astype(dtype)
        made = np.full((2, rows, columns + 3), -1, dtype)
        run(given.ctypes.data, made.ctypes.data)
        assert np.array_equal(made[..., :columns], given.swapaxes(1, 2)[:, :rows])
        assert (made[..., columns:] == -1).all()
