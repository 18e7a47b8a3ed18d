"""Where threads begin."""

import os
import sys
import threading

import pytest

from rosin.runtime import processor

if sys.platform != "linux":
    pytest.skip("elsewhere threads are left to the system", allow_module_level=True)


@pytest.mark.parametrize("here", [True, False])
def test_a_thread_that_was_placed_may_run_anywhere(here: bool) -> None:
    """After its start it may use every processor that the process may, and so may the one that started it."""
    allowed = os.sched_getaffinity(0)
    found: list[set[int]] = []
    goes = threading.Event()

    def wait() -> None:
        goes.wait()
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=wait)
    thread.start()
    assert thread.ident is not None
    processor.place(thread.ident, here)
    goes.set()
    thread.join()
    assert found == [allowed]
    assert os.sched_getaffinity(0) == allowed


def test_cache_sizes_are_in_order() -> None:
    first, second, third = processor.cache_sizes()
    assert 0 < first <= second <= third
