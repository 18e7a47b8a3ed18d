"""The thread pool: every item once, whoever calls, however many threads, after a fork and at exit."""

import ctypes
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rosin.runtime import jit, threads

BODY = """
declare void @PARALLEL(ptr, ptr, i64)

; Count every item of a range, and the range itself at its beginning.
define void @body(ptr %context, i64 %begin, i64 %end) nounwind {
entry:
  %counts = load ptr, ptr %context
  %ranges.at = getelementptr ptr, ptr %context, i64 1
  %ranges = load ptr, ptr %ranges.at
  %range = getelementptr i64, ptr %ranges, i64 %begin
  store i64 %end, ptr %range
  br label %loop
loop:
  %i = phi i64 [ %begin, %entry ], [ %next, %loop ]
  %at = getelementptr i64, ptr %counts, i64 %i
  %1 = atomicrmw add ptr %at, i64 1 monotonic
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}

; A nested call for each range.
define void @nest(ptr %context, i64 %begin, i64 %end) nounwind {
  call void @PARALLEL(ptr @body, ptr %context, i64 100)
  ret void
}

define void @flat(ptr %context, i64 %count, i64 %repeat) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  call void @PARALLEL(ptr @body, ptr %context, i64 %count)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %repeat
  br i1 %more, label %loop, label %done
done:
  ret void
}

define void @nested(ptr %context, i64 %count, i64 %repeat) {
  call void @PARALLEL(ptr @nest, ptr %context, i64 %count)
  ret void
}
"""


def pieces(number: int, count: int) -> int:
    """How many ranges there are for so many threads."""
    return min(count, number * threads.RANGES) if min(number, count) > 1 else min(count, 1)


class Caller:
    """Programs over some `rosin_parallel`."""

    def __init__(self, symbol: str) -> None:
        self.library = jit.load_object(jit.compile_object(BODY.replace("PARALLEL", symbol)))

    def run(self, program: str, count: int, repeat: int = 1, room: int = 0) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """How often each item was visited, and the ranges of the last round."""
        counts, ranges = np.zeros(max(count, room), np.int64), np.full(max(count, room), -1, np.int64)
        context = (ctypes.c_void_p * 2)(counts.ctypes.data, ranges.ctypes.data)
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        prototype(self.library.address(program))(ctypes.addressof(context), count, repeat)
        return counts, [(begin, int(end)) for begin, end in enumerate(ranges) if end >= 0]


@pytest.fixture(scope="module")
def caller() -> Caller:
    threads.install()
    return Caller(threads.SYMBOL)


@pytest.fixture(autouse=True)
def same_number_after() -> Iterator[None]:
    before = threads.num_threads()
    yield
    threads.set_num_threads(before)


@pytest.mark.parametrize("number", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 1001])
def test_ranges_cover_all_items_once(caller: Caller, number: int, count: int) -> None:
    threads.set_num_threads(number)
    assert threads.num_threads() == number
    counts, ranges = caller.run("flat", count, repeat=200)
    assert (counts == 200).all()
    assert len(ranges) == pieces(number, count)
    assert [begin for begin, _ in ranges] == [0, *(end for _, end in ranges)][: len(ranges)]
    sizes = [end - begin for begin, end in ranges]
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_nested_calls_run_inline(caller: Caller) -> None:
    threads.set_num_threads(3)
    for _ in range(50):
        counts, _ = caller.run("nested", 3, room=100)
        assert (counts == 3).all()


def test_concurrent_callers(caller: Caller) -> None:
    threads.set_num_threads(3)
    wrong: list[object] = []

    def work() -> None:
        for _ in range(20):
            counts, _ = caller.run("flat", 50, repeat=100)
            if not (counts == 100).all():
                wrong.append(counts)

    python = [threading.Thread(target=work) for _ in range(4)]
    for thread in python:
        thread.start()
    for thread in python:
        thread.join()
    assert not wrong


def test_number_changes_between_calls(caller: Caller) -> None:
    for number in (4, 1, 2, 5, 3) * 20:
        threads.set_num_threads(number)
        counts, ranges = caller.run("flat", 20, repeat=5)
        assert (counts == 5).all()
        assert len(ranges) == pieces(number, 20)


def test_bad_numbers() -> None:
    for bad in (0, -1, 1_000_000):
        with pytest.raises(ValueError, match="number of threads"):
            threads.set_num_threads(bad)


def test_calls_after_sleeping(caller: Caller) -> None:
    threads.set_num_threads(2)
    for _ in range(20):
        time.sleep(0.002)
        assert (caller.run("flat", 10)[0] == 1).all()


def test_idle_workers_sleep(caller: Caller) -> None:
    threads.set_num_threads(3)
    caller.run("flat", 10)
    time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


def in_child(work: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*os.fork")  # what JAX says of any fork, once another test has imported it
def test_fork_after_use(caller: Caller) -> None:
    threads.set_num_threads(3)
    caller.run("flat", 10)

    def child() -> bool:
        counts, ranges = caller.run("flat", 30, repeat=500)
        inner = in_child(lambda: bool((caller.run("flat", 30, repeat=50)[0] == 50).all()))
        return bool((counts == 500).all()) and len(ranges) == pieces(3, 30) and inner

    assert in_child(child)
    assert (caller.run("flat", 30, repeat=500)[0] == 500).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*os.fork")  # what JAX says of any fork, once another test has imported it
def test_fork_while_another_thread_has_the_pool(caller: Caller) -> None:
    threads.set_num_threads(2)
    done = threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            caller.run("flat", 100, repeat=2000)

    other = threading.Thread(target=keep_busy)
    other.start()
    try:
        for _ in range(10):
            assert in_child(lambda: bool((caller.run("flat", 30, repeat=20)[0] == 20).all()))
    finally:
        done.set()
        other.join()


def test_without_a_futex() -> None:
    """The variant of systems other than Linux, on a symbol of its own."""
    text = threads.pool_text("freebsd", platform.machine()).replace("@rosin_parallel", "@rosin_parallel_plain")
    assert "pthread_cond_wait" in text
    assert "syscall" not in text
    library = jit.load_object(jit.compile_object(text, optimize=2))
    library.keep_forever()
    jit.add_symbol("rosin_parallel_plain", library.address("rosin_parallel_plain"))
    pool = threads._Pool.from_address(library.address("rosin_pool"))
    pool.threads = 3
    caller = Caller("rosin_parallel_plain")
    for round in range(30):
        counts, ranges = caller.run("flat", 100, repeat=100)
        assert (counts == 100).all()
        assert len(ranges) == pieces(3, 100)
        time.sleep(0.001 * (round % 3))


EXIT = """
import sys, threading, ctypes
sys.path[:0] = {path!r}
from test_threads import Caller
from rosin.runtime import threads
threads.install()
print(threads.num_threads())
caller = Caller(threads.SYMBOL)
assert (caller.run("flat", 100, repeat=10)[0] == 10).all()
def forever():
    while True:
        caller.run("flat", 100, repeat=100)
if {daemon}:
    threading.Thread(target=forever, daemon=True).start()
"""


@pytest.mark.parametrize("daemon", [False, True])
def test_exit_does_not_hang(daemon: bool) -> None:
    code = EXIT.format(path=[os.path.dirname(__file__), *sys.path], daemon=daemon)
    env = {**os.environ, "ROSIN_NUM_THREADS": "3"}
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert result.returncode == 0
    assert result.stdout.strip() == "3"
