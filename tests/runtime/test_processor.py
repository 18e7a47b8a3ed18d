"""Where threads begin."""

import os
import sys
import threading

import pytest

from rosin.runtime import processor

if sys.platform != "linux":
    pytest.skip("elsewhere threads are left to the system", allow_module_level=True)


@pytest.mark.parametrize("here", [True, False])
def test_a_thread_that_was_placed_stays_until_it_leaves(here: bool) -> None:
    """Then it may use every processor that the process may; the one that started it may all the time."""
    allowed = os.sched_getaffinity(0)
    everywhere = processor.allowed()
    assert everywhere == sum(1 << each for each in allowed)
    found: list[set[int]] = []
    goes = threading.Event()

    def wait() -> None:
        goes.wait()
        found.append(os.sched_getaffinity(0))
        processor.leave(everywhere)
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=wait)
    thread.start()
    assert thread.ident is not None
    processor.place(thread.ident, here, everywhere)
    goes.set()
    thread.join()
    assert found[1] == allowed
    assert found[0] <= allowed
    assert len(found[0]) == 1 if here or len(allowed) <= 2 else len(found[0]) == len(allowed) - 1
    assert os.sched_getaffinity(0) == allowed


def test_cache_sizes_are_in_order() -> None:
    first, second, third = processor.cache_sizes()
    assert 0 < first <= second <= third
