"""The runtime's own native code, which programs and routines call: made while the first program of a process is.

Functions of it that do not run for each call are such that LLVM is not to improve them: it takes half a millisecond for
the least of others.
"""

from __future__ import annotations

import _thread
import contextlib
from collections.abc import Generator

from rosin.runtime import cache, entry, host, loading, tapes, threads

__all__ = ["install", "made_meanwhile"]

_PARTS = (entry, threads, host, tapes)
"""Those that take LLVM longest come first."""

_begun = False


@contextlib.contextmanager
def made_meanwhile() -> Generator[None]:
    """Have it made on another thread meanwhile, where this is the first time; it is to be installed before the end."""
    global _begun
    if _begun:
        yield
        return
    _begun = True
    if cache.default().is_new():
        # The other thing that takes long once, mostly without the interpreter.
        _thread.start_new_thread(cache.compiler_version, ())
    with loading.ahead([part.text() for part in _PARTS], optimize=2):
        yield


def install() -> None:
    """Make it known to `loading.load_object`."""
    for part in _PARTS:
        part.install()
