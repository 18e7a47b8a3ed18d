"""The memory of tapes: it grows, is given back, and ends with an error when there is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.runtime import tapes


@pytest.fixture
def small() -> Iterator[int]:
    """A limit of 1 MiB."""
    before = tapes.limit()
    tapes.set_limit(1 << 20)
    yield 1 << 20
    tapes.set_limit(before)


def steps(x: object, n: object) -> object:
    return rosin.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, rnp.sin(s[1]) * 1.5), (0, x))[1]


def test_the_limit_is_below_the_memory_of_the_machine() -> None:
    assert 1 << 24 < tapes.limit() < 1 << 50


def test_a_compiled_function_raises_and_works_again(small: int) -> None:
    slope = rosin.compile(rosin.grad(steps))
    expected = float(slope(1.0, 5))
    for _ in range(3):
        with pytest.raises(MemoryError, match="a checkpoint keeps less of them"):
            slope(1.0, 10_000_000)
        assert tapes.bytes_in_use() == 0
        assert float(slope(1.0, 5)) == expected


def test_programs_on_several_threads_share_the_limit(small: int) -> None:
    slope = rosin.compile(rosin.grad(steps))
    expected = float(slope(1.0, 1000))
    wrong: list[float] = []

    def work() -> None:
        for _ in range(50):
            try:
                found = float(slope(1.0, 1000))
            except MemoryError:
                continue
            if found != expected:
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert tapes.bytes_in_use() == 0


def test_records_larger_than_what_room_is_made_for_at_once() -> None:
    """A state of 80 KB: room for one step at a time."""

    def norm(x: object) -> object:
        return rnp.sum(rosin.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, rnp.sin(s[1]) * 1.25), (0, x))[1])

    x = np.linspace(-1.0, 1.0, 10_000)
    expected = np.ones_like(x)
    y = x
    for _ in range(5):
        expected *= np.cos(y) * 1.25
        y = np.sin(y) * 1.25
    np.testing.assert_allclose(np.asarray(rosin.compile(rosin.grad(norm))(x)), expected, rtol=1e-12)
