"""The persistent thread pool (interface; body under way)."""

from __future__ import annotations

SYMBOL = "rosin_parallel"  # void rosin_parallel(ptr fn, ptr context, i64 count); fn(ptr context, i64 begin, i64 end)


def install() -> int:
    """Make `rosin_parallel` known to the JIT; returns its address. Call before loading code that uses the symbol."""
    ...


def num_threads() -> int: ...


def set_num_threads(count: int) -> None: ...
