"""Sorting networks of every size, for registers of every width, by running them."""

import ctypes
from typing import Any

import numpy as np
import pytest

from rosin.backends.llvm.routines.blocks import block_texts, blocks_texts, counted_text
from rosin.backends.llvm.routines.networks import network_texts
from rosin.backends.llvm.routines.records import Records
from rosin.runtime import jit, loading

RNG = np.random.default_rng(0)
NUMPY = {"i32": np.int32, "i64": np.int64, "float": np.float32, "double": np.float64}


def skip_wider(elem: str, lanes: int) -> None:
    """Skip registers that the host does not have: code for the widest ones is of the processor's own instructions."""
    if lanes * np.dtype(NUMPY[elem]).itemsize > jit.host().vector_bytes:
        pytest.skip("the host has no such registers")


def run(records: Records, registers: int, arrays: list[np.ndarray[Any, Any]]) -> None:
    """Sort arrays of the parts of records in place."""
    declarations: set[str] = set()
    functions = network_texts(records, registers, "network", declarations)
    text = "\n".join([*sorted(declarations), *functions]).replace("void @network(", "void @whole(")
    text = text.replace("define internal void @whole(", "define void @whole(")
    library = loading.load_object(jit.compile_object(text))
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))(library.address("whole"))
    function(*(a.ctypes.data for a in arrays))


def aligned(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy that begins where vectors may."""
    room = np.empty(x.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    found = room[start : start + x.nbytes].view(x.dtype)
    found[:] = x
    return found


@pytest.mark.thinned(3)
@pytest.mark.parametrize("registers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize(
    ("elem", "lanes"),
    [
        ("i32", 4),
        ("i32", 8),
        ("i32", 16),
        ("i64", 2),
        ("i64", 4),
        ("i64", 8),
        ("float", 8),
        ("float", 16),
        ("double", 4),
        ("double", 8),
    ],
)
def test_a_network_sorts_numbers(elem: str, lanes: int, registers: int) -> None:
    skip_wider(elem, lanes)
    count = lanes * registers
    x = aligned(RNG.permutation(count).astype(NUMPY[elem]) // 2 - count // 4)
    expected = np.sort(x)
    run(Records((elem,), lanes), registers, [x])
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize("registers", [1, 8, 16])
def test_a_network_keeps_every_zero(registers: int, lanes: int) -> None:
    skip_wider("double", lanes)
    x = aligned(RNG.choice([0.0, -0.0, np.inf, -np.inf, 5e-324], lanes * registers))
    negative = np.signbit(x).sum()
    run(Records(("double",), lanes), registers, [x])
    assert (np.diff(x[np.isfinite(x)]) >= 0).all()
    assert np.signbit(x).sum() == negative


@pytest.mark.parametrize(("elem", "lanes"), [("i32", 16), ("i64", 8), ("float", 16), ("double", 8)])
@pytest.mark.parametrize("registers", [4, 8])
def test_blocks_sort_any_number_of_keys(elem: str, lanes: int, registers: int) -> None:
    skip_wider(elem, lanes)
    records, size, declarations = Records((elem,), lanes), lanes * registers, set[str]()
    functions = blocks_texts(records, registers, "blocks", declarations)
    functions += block_texts(records, registers, "blocks", declarations)
    functions.append(counted_text(records, registers, 9 * size, "blocks", declarations))
    text = "\n".join([*sorted(declarations), *functions]).replace("define internal", "define")
    library = loading.load_object(jit.compile_object(text))
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)
    function = kind(library.address("blocks_counted"))
    for count in [*range(2 * lanes), *RNG.integers(2 * lanes, 9 * size, 50), *(size * n for n in range(10))]:
        x, found = RNG.permutation(count).astype(NUMPY[elem]), np.full(count + 1, -1, NUMPY[elem])
        function(x.ctypes.data, found.ctypes.data, count)
        np.testing.assert_array_equal(found[:count], np.arange(count))
        assert found[count] == -1
        function(x.ctypes.data, x.ctypes.data, count)
        np.testing.assert_array_equal(x, np.arange(count))


@pytest.mark.parametrize("registers", [1, 2, 8])
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_a_network_sorts_by_the_second_part_where_the_first_ties(lanes: int, registers: int) -> None:
    count = lanes * registers
    x, places = RNG.integers(-3, 3, count).astype(np.int64), np.arange(count, dtype=np.int32)
    order = np.argsort(x, kind="stable")
    arrays = [aligned(x), aligned(places)]
    run(Records(("i64", "i32"), lanes), registers, arrays)
    np.testing.assert_array_equal(arrays[0], x[order])
    np.testing.assert_array_equal(arrays[1], order)
