"""Large results are in blocks that are kept and used again, and given back when they are too many."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

import rosin
from rosin import numpy as rnp
from rosin.frontend import core
from rosin.runtime import blocks

MIB = 1 << 20
NAME: Any = get_handler_name


@pytest.fixture(autouse=True)
def none_kept() -> Iterator[None]:
    made(2 * MIB)
    blocks.trim()
    assert blocks.bytes_kept() == 0
    yield
    blocks.trim()


@rosin.compile
def counted(x: rosin.Array) -> rosin.Array:
    return x + 1


def owner(x: rosin.Array) -> np.ndarray[Any, Any]:
    """The array of NumPy's that owns the memory of one of ours."""
    return core.known(x)


def made(bytes: int) -> np.ndarray[Any, Any]:
    return owner(counted(rnp.asarray(np.arange(bytes // 4, dtype=np.int32))))


def test_large_results_are_in_blocks_and_others_are_not() -> None:
    small, large = made(MIB - 4), made(MIB)
    assert NAME(small) != "rosin"
    assert NAME(large) == "rosin"
    assert large.flags.owndata
    assert large.ctypes.data % 64 == 0
    assert made(40 * MIB).ctypes.data % 4096 == blocks.HEAD
    # NumPy's own allocator is in its place again.
    assert NAME(np.empty(4 * MIB)) != "rosin"


@pytest.mark.parametrize("size", [2 * MIB, 3 * MIB, 40 * MIB])
def test_what_a_result_leaves_behind_serves_the_next(size: int) -> None:
    first = made(size)
    place = first.ctypes.data
    second = made(size)
    assert second.ctypes.data != place
    del first
    kept = blocks.bytes_kept()
    assert size < kept <= size + 2 * MIB + 4096
    # A little smaller does as well.
    third = made(size - size // 10)
    assert third.ctypes.data == place
    assert blocks.bytes_kept() == 0
    assert third[-1] == third.size
    assert second[-1] == second.size


def test_much_smaller_results_do_not_take_a_block() -> None:
    place = made(8 * MIB).ctypes.data
    assert made(4 * MIB).ctypes.data != place


def test_the_oldest_go_when_there_are_too_many() -> None:
    limit = blocks._word("limit")
    before, limit.value = limit.value, 10 * MIB
    try:
        three = [made(size * MIB) for size in (5, 3, 4)]
        places = [x.ctypes.data for x in three]
        while three:
            del three[0]
        # The first of 5 MiB has gone: 3 and 4 are left.
        assert 7 * MIB < blocks.bytes_kept() < 8 * MIB
        assert made(3 * MIB).ctypes.data == places[1]
        # What is larger than all that may be kept is not kept, and nothing goes for it.
        kept = blocks.bytes_kept()
        del three
        made(11 * MIB)
        assert blocks.bytes_kept() == kept
    finally:
        limit.value = before


@pytest.fixture
def idle() -> Iterator[Any]:
    """How many nanoseconds a block may be idle."""
    word = blocks._word("idle")
    before = word.value
    assert before == blocks.IDLE * 10**9
    yield word
    word.value = before


@pytest.mark.parametrize("event", ["made", "dropped", "loaded"])
def test_what_nothing_uses_for_a_while_goes_back(event: str, idle: Any) -> None:
    again = made(12 * MIB)
    made(20 * MIB)  # compiled for it
    blocks.trim()
    large, used = made(40 * MIB), made(3 * MIB)
    place = used.ctypes.data
    del large, used
    kept = blocks.bytes_kept()
    assert kept > 43 * MIB
    made(3 * MIB)  # takes the block and drops it: it was used just now
    assert blocks.bytes_kept() == kept
    time.sleep(0.3)
    used = made(3 * MIB)
    assert used.ctypes.data == place
    del used
    idle.value = 250_000_000
    if event == "made":
        x = made(20 * MIB)
        assert x[-1] == 5 * MIB
    elif event == "dropped":
        del again
    else:
        rosin.compile(lambda x: x * 5 - 2)(rnp.asarray(np.ones(3)))
    left = {"made": 3, "dropped": 15, "loaded": 3}[event] * MIB
    assert left <= blocks.bytes_kept() < left + 3 * MIB


def test_what_is_used_again_and_again_is_kept(idle: Any) -> None:
    idle.value = 300_000_000
    place = made(8 * MIB).ctypes.data
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        assert blocks.bytes_kept() > 8 * MIB
        assert made(8 * MIB).ctypes.data == place
        time.sleep(0.01)


def lazy() -> int | None:
    """The bytes that the system may take back, where it says that."""
    maps = Path("/proc/self/smaps_rollup")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("LazyFree:")), None)


@pytest.mark.skipif(lazy() is None, reason="the system does not say what it may take back")
def test_the_system_may_take_the_pages_of_what_is_dropped() -> None:
    """It is told so at once, and where a block is used again, when it was not for a while."""
    for _ in range(2):
        time.sleep(2e-3 * blocks.RESTED)
        array = made(40 * MIB)
        before = lazy() or 0
        del array
        assert (lazy() or 0) - before >= 40 * MIB


def test_there_is_room_for_many_small_blocks() -> None:
    many = [made(MIB) for _ in range(70)]
    del many
    assert 63 * MIB < blocks.bytes_kept() < 65 * MIB
    assert made(MIB)[-1] == MIB // 4


def test_results_that_are_cut_keep_their_numbers() -> None:
    few = rosin.compile(lambda x: x[x >= 3 * MIB // 4])
    most = rosin.compile(lambda x: x[x >= 64])
    x = rnp.asarray(np.arange(MIB, dtype=np.int32))
    for function, least in ((few, 3 * MIB // 4), (most, 64)):
        cut = owner(function(x))
        assert NAME(cut) == "rosin"
        np.testing.assert_array_equal(cut, np.arange(least, MIB))
        # So do those that grow again.
        cut.resize(2 * MIB, refcheck=False)
        np.testing.assert_array_equal(cut[: MIB - least], np.arange(least, MIB))
        assert not cut[MIB - least :].any()


def test_blocks_outlive_what_made_them() -> None:
    def apart() -> np.ndarray[Any, Any]:
        return owner(rosin.compile(lambda x: x * 2)(rnp.asarray(np.ones(MIB, np.float32))))

    x = apart()
    y = x[5:]
    del x
    assert y.sum() == 2 * (MIB - 5)


def test_a_result_that_there_is_no_room_for_leaves_all_as_it_was() -> None:
    made(2 * MIB)
    kept = blocks.bytes_kept()
    wide = rosin.compile(lambda x: rnp.broadcast_to(x, (1 << 43,)) + 1)
    with pytest.raises(MemoryError):
        wide(rnp.asarray(1.0))
    assert kept > 0
    assert blocks.bytes_kept() == 0  # they were given back before it was given up
    assert NAME(np.empty(4 * MIB)) != "rosin"


def test_clearing_gives_blocks_back() -> None:
    double = rosin.compile(lambda x: x + x)
    double(rnp.asarray(np.ones(MIB, np.float32)))
    assert blocks.bytes_kept() > MIB
    double.clear()
    assert blocks.bytes_kept() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
def test_a_child_has_blocks_of_its_own() -> None:
    made(2 * MIB)
    held = blocks._word("lock")
    held.value = 1  # as if a thread held it
    child = os.fork()
    if child == 0:
        os._exit(0 if made(2 * MIB)[-1] == 2 * MIB // 4 else 1)
    held.value = 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
