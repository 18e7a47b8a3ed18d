"""The thread pool: every item once, whoever calls, however many threads, after a fork and at exit."""

import ctypes
import itertools
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rosin.runtime import jit, loading, threads

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


WAITING = """
declare void @POLLING(ptr, ptr, i64, ptr, ptr)
declare i64 @pthread_self()

; The context: the caller, whether a worker has come, whether it may go, and how often the caller has polled.
define void @stay(ptr %context, i64 %begin, i64 %end) nounwind {
entry:
  %come = getelementptr i64, ptr %context, i64 1
  %go = getelementptr i64, ptr %context, i64 2
  %caller = load i64, ptr %context
  %self = call i64 @pthread_self()
  %mine = icmp eq i64 %caller, %self
  br i1 %mine, label %look, label %note
note:
  store atomic i64 1, ptr %come seq_cst, align 8
  br label %look
look:
  %word = phi ptr [ %come, %entry ], [ %go, %note ], [ %word, %look ]
  %seen = load atomic i64, ptr %word seq_cst, align 8
  %over = icmp ne i64 %seen, 0
  br i1 %over, label %done, label %look
done:
  ret void
}

define i32 @poll(ptr %context) nounwind {
  %go = getelementptr i64, ptr %context, i64 2
  %count = getelementptr i64, ptr %context, i64 3
  %before = load i64, ptr %count
  %after = add i64 %before, 1
  store i64 %after, ptr %count
  %enough = icmp sge i64 %after, 3
  %said = zext i1 %enough to i64
  store atomic i64 %said, ptr %go seq_cst, align 8
  ret i32 0
}

define void @wait_for_workers(ptr %context) {
  %self = call i64 @pthread_self()
  store i64 %self, ptr %context
  call void @POLLING(ptr @stay, ptr %context, i64 100, ptr @poll, ptr %context)
  ret void
}
"""


def polls_while_waiting(symbol: str) -> int:
    """How often a caller polls that waits for workers which go on until it has done so three times."""
    library = loading.load_object(jit.compile_object(WAITING.replace("POLLING", symbol)))
    context = (ctypes.c_int64 * 4)()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("wait_for_workers"))(ctypes.addressof(context))
    return context[3]


def parts_of(number: int, count: int) -> list[int]:
    """Where the parts of so many threads begin, and the end."""
    parts = min(number, count, threads.MOST_PARTS)
    return [count // max(parts, 1) * part + min(part, count % max(parts, 1)) for part in range(parts + 1)]


def pieces(number: int, count: int) -> int:
    """How many ranges there are for so many threads."""
    starts = parts_of(number, count)
    most = -(-min(number, count) * threads.RANGES // max(len(starts) - 1, 1))
    each = [min(most, stop - start) for start, stop in itertools.pairwise(starts)]
    return sum(each) if len(each) > 1 else min(count, 1)


class Caller:
    """Programs over some `rosin_parallel`."""

    def __init__(self, symbol: str) -> None:
        self.library = loading.load_object(jit.compile_object(BODY.replace("PARALLEL", symbol)))

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


@pytest.mark.parametrize("number", [1, 2, 3, 7, 70])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 1001])
def test_ranges_cover_all_items_once(caller: Caller, number: int, count: int) -> None:
    threads.set_num_threads(number)
    assert threads.num_threads() == number
    counts, ranges = caller.run("flat", count, repeat=200)
    assert (counts == 200).all()
    assert len(ranges) == pieces(number, count)
    assert [begin for begin, _ in ranges] == [0, *(end for _, end in ranges)][: len(ranges)]
    for start, stop in itertools.pairwise(parts_of(number, count)):
        sizes = [end - begin for begin, end in ranges if start <= begin < stop]
        assert sum(sizes) == stop - start, "ranges are those of one part"
        if stop - start >= len(sizes) ** 2:
            # They become shorter, so that threads end together.
            assert all(after <= before + 1 for before, after in itertools.pairwise(sizes))
            assert len(sizes) == 1 or sizes[-1] <= (stop - start) // len(sizes) ** 2 + 1
        else:
            assert max(sizes) - min(sizes) <= 1


def test_nested_calls_run_inline(caller: Caller) -> None:
    threads.set_num_threads(3)
    for _ in range(50):
        counts, _ = caller.run("nested", 3, room=100)
        assert (counts == 3).all()


def test_a_caller_polls_while_it_waits() -> None:
    threads.install()
    threads.set_num_threads(2)
    for _ in range(3):
        assert polls_while_waiting(threads.POLLING_SYMBOL) >= 3


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
        for _ in range(4):
            assert in_child(lambda: bool((caller.run("flat", 30, repeat=20)[0] == 20).all()))
    finally:
        done.set()
        other.join()


def test_without_a_futex() -> None:
    """The variant of systems other than Linux, on a symbol of its own."""
    text = threads.pool_text("freebsd", platform.machine()).replace("@rosin_parallel", "@plain_parallel")
    assert "pthread_cond_wait" in text
    assert "syscall" not in text
    library = loading.load_object(jit.compile_object(text, optimize=2))
    library.keep_forever()
    for symbol in ("plain_parallel", "plain_parallel_polling"):
        loading.add_symbol(symbol, library.address(symbol))
    pool = threads._Pool.from_address(library.address("rosin_pool"))
    pool.threads = 3
    caller = Caller("plain_parallel")
    for round in range(30):
        counts, ranges = caller.run("flat", 100, repeat=100)
        assert (counts == 100).all()
        assert len(ranges) == pieces(3, 100)
        time.sleep(0.001 * (round % 3))
    assert polls_while_waiting("plain_parallel_polling") >= 3


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
