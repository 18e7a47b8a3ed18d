"""Lines that tiles read step after step: which are asked for ahead."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.streams import (
    FAR_BYTES,
    FAR_SHARE,
    MOST_NEXT_BYTES,
    NEAREST_BYTES,
    ROWS_AHEAD,
    STEPS_AHEAD,
    gathered,
    next_rows,
    streams,
)
from rosin.ir import index as indices
from rosin.ir.dtypes import DType, f32, f64, i32
from rosin.ir.index import Dynamic, LoopVar
from rosin.ir.loops import Accumulate, Buffer, Carry, Const, Expr, Kind, Load, Local, Loop, Scope, Store
from rosin.ir.steps import Kernel
from rosin.runtime.jit import host

FAR = Buffer("panel", f32, 1 << 16, Scope.ARENA)


def tile(step: int, places: list[int], extent: int = 64, buffer: Buffer = FAR, sums: int = 8) -> Loop:
    """The loop of a tile of so many sums, which reads these places, and so much further in each step."""
    var, dtype = LoopVar("k", extent), buffer.dtype
    reads = [Load(buffer, indices.of(var) * step + place) for place in places]
    names = [Local(f"sum{i}", dtype) for i in range(sums)]
    carries = [Carry((name,), (Const(0, dtype),), (), (), ()) for name in names]
    terms = [Accumulate(carry, (reads[i % len(reads)],)) for i, carry in enumerate(carries)]
    return Loop(var, Kind.SERIAL, tuple(terms), tuple(carries))


def asked(loop: Loop) -> list[tuple[int, int]]:
    """The places that are asked for, and how far ahead."""
    found = list(streams(loop, lambda _: True))
    return [(load.offset.constant, further) for load, further in found if isinstance(load.offset.constant, int)]


def test_each_line_is_asked_for_once() -> None:
    ahead = 64 * STEPS_AHEAD
    assert asked(tile(64, [0, 16, 32, 48])) == [(place, ahead) for place in (0, 16, 32, 48)]
    assert asked(tile(64, [24, 8, 0, 16])) == [(0, ahead), (16, ahead)]
    assert asked(tile(-64, [0, 4])) == [(0, -ahead)]


@pytest.mark.parametrize("dtype", [f32, f64])
def test_what_several_steps_find_in_one_line_comes_by_itself(dtype: DType) -> None:
    buffer = Buffer("rows", dtype, 1 << 16, Scope.ARENA)
    assert asked(tile(64 // dtype.bytes, [0], buffer=buffer))
    assert not asked(tile(64 // dtype.bytes - 1, [0], buffer=buffer))


def test_what_is_near_or_soon_over_is_not_asked_for() -> None:
    copied = [Buffer("copy", f32, bytes // 4, Scope.LOCAL) for bytes in (NEAREST_BYTES, 2 * NEAREST_BYTES)]
    assert not asked(tile(64, [0], buffer=copied[0]))
    assert asked(tile(64, [0], buffer=copied[1]))
    assert not asked(tile(64, [0], extent=STEPS_AHEAD - 1))
    assert not asked(tile(64, [0], sums=2)), "no tile, but a loop over a row"


def test_products_and_convolutions_ask_for_lines() -> None:
    x, y = np.ones((200, 128), np.float32), np.ones((128, 256), np.float32)
    assert "prefetch" in rosin.compile(lambda x, y: x @ y).text(x, y, stage="llvm")
    image, kernel = np.ones((2, 32, 20, 20), np.float32), np.ones((64, 32, 3, 3), np.float32)
    conv = partial(rosin.nn.conv, padding=1)
    assert "prefetch" in rosin.compile(conv).text(image, kernel, stage="llvm")
    assert "prefetch" not in rosin.compile(lambda x: x.sum(axis=1)).text(x, stage="llvm")


def gathering(buffer: Buffer, place: Expr, extent: int = 1000, var: LoopVar | None = None) -> Loop:
    """A loop that adds up numbers at places that are computed for each step."""
    var = var or LoopVar("at", extent)
    total = Local("sum", buffer.dtype)
    carry = Carry((total,), (Const(0, buffer.dtype),), (), (), ())
    read = Load(buffer, indices.of(Dynamic(place, 0, 63)) * 1024 + indices.of(LoopVar("lane", 64)))
    return Loop(var, Kind.SERIAL, (Accumulate(carry, (read,)),), (carry,))


def test_rows_that_memory_tells_are_asked_for() -> None:
    large = Buffer("rows", f32, FAR_BYTES // 4 + 1, Scope.ARGUMENT)
    order = Buffer("order", i32, 1000, Scope.ARENA)
    at = LoopVar("at", 1000)
    told = Load(order, indices.of(at))
    assert len(gathered(gathering(large, told, var=at))) == 1
    assert not gathered(gathering(Buffer("near", f32, FAR_BYTES // 4, Scope.ARGUMENT), told, var=at))
    few = LoopVar("at", ROWS_AHEAD)
    assert not gathered(gathering(large, Load(order, indices.of(few)), var=few))
    assert not gathered(gathering(large, Local("found", i32), var=at)), "nobody knows it for another step"
    further = Load(order, indices.of(Dynamic(told, 0, 999)))
    assert not gathered(gathering(large, further, var=at)), "what tells it is as far away"


@pytest.mark.parametrize("rows", [30000, 100])
def test_sums_of_segments_ask_for_rows(rows: int) -> None:
    updates, places = np.ones((rows, 96), np.float32), np.arange(rows)[::-1] % (rows // 5)
    sums = rosin.compile(lambda updates, places: rnp.zeros((rows // 5, 96), np.float32).at[places].add(updates))
    assert ("prefetch" in sums.text(updates, places, stage="llvm")) == (rows > 100)
    expected = np.bincount(places, minlength=rows // 5).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(sums(updates, places)), np.repeat(expected[:, None], 96, 1))


def rows_of(buffer: Buffer, columns: int = 512, step: int = 8 * 4096, lane: int = 1) -> tuple[Kernel, Loop]:
    """A loop over rows of an array, eight at a time, and the loop of vectors that reads them."""
    rows, column = LoopVar("row", 64), LoopVar("column", columns)
    total = Local("sum", buffer.dtype)
    carry = Carry((total,), (Const(0, buffer.dtype),), (), (), ())
    at = indices.of(rows) * step + indices.of(column) * lane
    terms = tuple(Accumulate(carry, (Load(buffer, at + 4096 * k),)) for k in range(8))
    once = Loop(LoopVar("once", 1), Kind.SERIAL, terms, (carry,))
    target = Buffer("sums", buffer.dtype, columns, Scope.LOCAL)
    inside = Loop(column, Kind.VECTOR, (once, Store(target, indices.of(column), total)))
    return Kernel("sums", (Loop(rows, Kind.SERIAL, (inside,)),)), inside


def test_rows_that_are_read_next_are_asked_for() -> None:
    large = Buffer("rows", f32, 1 << 22, Scope.ARGUMENT)

    def asked_of(buffer: Buffer, *given: int, far: int = 1 << 26) -> list[int]:
        kernel, inside = rows_of(buffer, *given)
        return [further for _, further in next_rows(KernelContents(kernel, 64), far).get(inside, ())]

    assert asked_of(large) == [8 * 4096] * 8
    assert not asked_of(Buffer("near", f32, 1 << 21, Scope.ARGUMENT)), "some of it may be near"
    assert not asked_of(large, far=0), "nobody knows what is far"
    assert not asked_of(large, MOST_NEXT_BYTES // 16), "too much to be near when it is read"
    assert not asked_of(large, 512, 256), "the same again"
    assert not asked_of(large, 512, 8 * 4096, 2), "lanes are no neighbours"


def test_a_vector_times_a_large_matrix_asks_for_rows() -> None:
    def text(rows: int) -> str:
        x, y = np.ones(rows, np.float32), np.ones((rows, 2048), np.float32)
        return rosin.compile(lambda x, y: x @ y).text(x, y, stage="llvm")

    if host().far_bytes:
        large = FAR_SHARE * 2048 * 4
        assert "prefetch" in text(host().far_bytes // large + 8)
        assert "prefetch" not in text(host().far_bytes // large - 8)
