"""What this machine can do at most: multiply-adds and bytes a second, measured by code that does nothing else."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rosin.passes.explain import Limits
from rosin.runtime import jit, loading

SUMS = 12
"""Independent sums that each take a product at every step: more than the latency of one hides."""
STEPS = 1 << 20
BYTES = 3 << 26
CACHED = 3 << 16


@functools.cache
def measured(threads: int, rounds: int = 5) -> Limits:
    """The limits of this machine for so many threads: the best of some rounds, measured once."""
    vector = jit.host().vector_bytes
    f32 = _best(_multiply_add("float", vector // 4), threads, rounds)
    f64 = _best(_multiply_add("double", vector // 8), threads, rounds)
    memory, cache = (_best(_triad(size, threads), threads, rounds) for size in (BYTES, CACHED))
    return Limits(threads, f32, f64, memory, cache, jit.host().l2_bytes)


def _best(work: Callable[[int], tuple[Callable[[], object], float]], threads: int, rounds: int) -> float:
    """What `work(i)` of each thread gets done a second, at best."""
    runs = [work(number) for number in range(threads)]
    least = float("inf")
    for _ in range(rounds):
        ready = threading.Barrier(threads)
        times: list[tuple[float, float]] = []

        def run(call: Callable[[], object], ready: threading.Barrier = ready, times: Any = times) -> None:
            ready.wait()
            start = time.perf_counter()
            call()
            times.append((start, time.perf_counter()))

        team = [threading.Thread(target=run, args=(call,)) for call, _ in runs]
        for each in team:
            each.start()
        for each in team:
            each.join()
        least = min(least, max(end for _, end in times) - min(start for start, _ in times))
    return sum(amount for _, amount in runs) / least


def _multiply_add(kind: str, lanes: int) -> Callable[[int], tuple[Callable[[], object], float]]:
    vector, name = f"<{lanes} x {kind}>", f"llvm.fma.v{lanes}{'f32' if kind == 'float' else 'f64'}"
    starts = [f"  %s{i} = phi {vector} [ splat ({kind} {i}.0), %entry ], [ %t{i}, %loop ]" for i in range(SUMS)]
    steps = [f"  %t{i} = call {vector} @{name}({vector} %s{i}, {vector} %x, {vector} %y)" for i in range(SUMS)]
    added = [f"  %u{i} = fadd {vector} {'%t0' if i == 1 else f'%u{i - 1}'}, %t{i}" for i in range(1, SUMS)]
    lines = [
        f"declare {vector} @{name}({vector}, {vector}, {vector})",
        "define void @run(i64 %n, ptr %out) {",
        "entry:",
        f"  %x = load {vector}, ptr %out, align 4",
        f"  %y = fneg {vector} %x",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]",
        *starts,
        *steps,
        "  %next = add i64 %i, 1",
        "  %more = icmp slt i64 %next, %n",
        "  br i1 %more, label %loop, label %done",
        "done:",
        *added,
        f"  store {vector} %u{SUMS - 1}, ptr %out, align 4",
        "  ret void",
        "}",
    ]
    library = loading.load_object(jit.compile_object("\n".join(lines)))
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(library.address("run"))

    def work(_: int) -> tuple[Callable[[], object], float]:
        out = np.zeros(64, np.uint8)

        def call(kept: object = library) -> None:
            function(STEPS, out.ctypes.data)

        return call, 2.0 * SUMS * lanes * STEPS

    return work


def _triad(size: int, threads: int) -> Callable[[int], tuple[Callable[[], object], float]]:
    """`a = b + c` over arrays that take so many bytes together, or in each thread where they fit a cache."""
    lanes = jit.host().vector_bytes // 4
    vector = f"<{lanes} x float>"
    lines = [
        "define void @run(i64 %times, i64 %n, ptr %a, ptr %b, ptr %c) {",
        "entry:",
        "  br label %again",
        "again:",
        "  %t = phi i64 [ 0, %entry ], [ %t.next, %end ]",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [ 0, %again ], [ %next, %loop ]",
        "  %b.at = getelementptr float, ptr %b, i64 %i",
        "  %c.at = getelementptr float, ptr %c, i64 %i",
        "  %a.at = getelementptr float, ptr %a, i64 %i",
        f"  %x = load {vector}, ptr %b.at, align 4",
        f"  %y = load {vector}, ptr %c.at, align 4",
        f"  %z = fadd {vector} %x, %y",
        f"  store {vector} %z, ptr %a.at, align 4",
        f"  %next = add i64 %i, {lanes}",
        "  %more = icmp slt i64 %next, %n",
        "  br i1 %more, label %loop, label %end",
        "end:",
        "  %t.next = add i64 %t, 1",
        "  %t.more = icmp slt i64 %t.next, %times",
        "  br i1 %t.more, label %again, label %done",
        "done:",
        "  ret void",
        "}",
    ]
    library = loading.load_object(jit.compile_object("\n".join(lines)))
    pointers = [ctypes.c_void_p] * 3
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, *pointers)(library.address("run"))
    cached = size != BYTES
    count = size // 12 // (1 if cached else threads) // 64 * 64
    times = 1000 if cached else 2

    def work(_: int) -> tuple[Callable[[], object], float]:
        arrays = [np.ones(count, np.float32) for _ in range(3)]

        def call(kept: object = library) -> None:
            function(times, count, *[array.ctypes.data for array in arrays])

        return call, 12.0 * count * times

    return work
