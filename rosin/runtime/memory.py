"""Giving memory back that Python and the C library keep for what comes next."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["collect", "trim"]


def collect() -> None:
    """Free what Python still holds of objects that nobody uses: one small one keeps an arena of a megabyte.

    Those are rings, the names that its type cache holds, and the last slice, which it keeps for the next one.
    """
    gc.collect()
    getattr(sys, "_clear_internal_caches" if sys.version_info >= (3, 13) else "_clear_type_cache")()
    # The kept slice may lie among what was freed. It is taken, the early one is kept in its place, and so it is freed.
    kept = slice(None)
    _early.clear()
    del kept
    _early.append(slice(None))


_early = [slice(None)]
"""A slice that was made before there was much else, and so lies among what stays."""


def trim() -> None:
    """Have the C library give what it keeps back to the system, where it can."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], Any] | None:
    # Looked up once: ctypes makes types for each library that it opens.
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
