"""What a call costs: the native entry alone on `a + b` of 16 f32, against `np.add`."""

from __future__ import annotations

import os
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from rosin.runtime import jit, loading
from rosin.runtime.entry import ArgumentSpec, ResultSpec, make_entry, slot_offset

PROGRAM = """
define i32 @program(ptr %buffers, ptr %arena) nounwind {
  %a = load ptr, ptr %buffers
  %b.at = getelementptr ptr, ptr %buffers, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %buffers, i64 2
  %c = load ptr, ptr %c.at
  %x = load <16 x float>, ptr %a, align 4
  %y = load <16 x float>, ptr %b, align 4
  %z = fadd <16 x float> %x, %y
  store <16 x float> %z, ptr %c, align 4
  ret i32 0
}
"""


class Array:
    """The least that the entry asks of an array class."""

    __slots__ = ("__weakref__", "_value")
    _value: np.ndarray[Any, Any]


def no_match(*args: object) -> object:
    raise AssertionError("the arguments should match")


def entry(release_gil: bool = False, arena_bytes: int = 0) -> Callable[..., Any]:
    """The compiled `a + b` of 16 f32."""
    library = loading.load_object(jit.compile_object(PROGRAM))
    spec = ArgumentSpec(np.dtype(np.float32), (16,))
    result = ResultSpec(np.dtype(np.float32), (16,))
    return make_entry(
        "add",
        library.address("program"),
        [spec, spec],
        [result],
        [],
        arena_bytes,
        Array,
        slot_offset(Array, "_value"),
        no_match,
        no_match,
        single=True,
        release_gil=release_gil,
        keep=library,
    )


def nanoseconds(call: Callable[..., Any], *args: Any) -> float:
    """The best of many rounds, loop cost included (about 10 ns)."""
    number = 20_000
    times = timeit.Timer("call(x, y)", globals={"call": call, "x": args[0], "y": args[1]}).repeat(30, number)
    return min(times) / number * 1e9


def main() -> None:
    x, y = np.arange(16, dtype=np.float32), np.ones(16, np.float32)
    a, b = Array(), Array()
    a._value, b._value = x, y
    out = np.empty_like(x)
    rows = {
        "entry, Array arguments": nanoseconds(entry(), a, b),
        "entry, numpy arguments": nanoseconds(entry(), x, y),
        "entry, GIL released": nanoseconds(entry(release_gil=True), a, b),
        "entry, 8 KiB arena (stack)": nanoseconds(entry(arena_bytes=8 << 10), a, b),
        "entry, 1 MiB arena (shared)": nanoseconds(entry(arena_bytes=1 << 20), a, b),
        "np.add(x, y)": nanoseconds(np.add, x, y),
        "np.add(x, y, out)": nanoseconds(lambda x, y: np.add(x, y, out), x, y),
    }
    print(f"load {os.getloadavg()[0]:.2f}; ns a call, best of 30 rounds")
    for name, cost in rows.items():
        print(f"{name:32s} {cost:8.1f}")


if __name__ == "__main__":
    main()
