"""The routines that programs call: native code that is the same for all of them, made when the first one needs it."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterable

from rosin.backends.llvm.modules import split
from rosin.backends.llvm.names import BEGIN, ROUTINE
from rosin.backends.llvm.routines import FOREIGN, is_planned, routine_text
from rosin.backends.llvm.routines.fourier import PLANNER
from rosin.runtime import jit, lapack, plans, threads

__all__ = ["begin", "install"]

_known: set[str] = set()
_lock = threading.Lock()


def begin(names: Iterable[str]) -> None:
    """Begin to make routines on a thread of their own, while the program that calls them is compiled."""

    def make() -> None:
        # Whoever installs them meets the error again, and raises it.
        with contextlib.suppress(Exception):
            install(names)

    threading.Thread(target=make, name="rosin-routines", daemon=True).start()


def install(names: Iterable[str], vector_bytes: int = 0) -> None:
    """Make routines known to `jit.load_object`; their object code is kept on the disk, but for foreign ones.

    They are for registers of the host's width unless another one is given.
    """
    vector_bytes = vector_bytes or jit.host().vector_bytes
    with _lock:
        for name in names:
            if name not in _known:
                text = routine_text(name, ROUTINE + name, vector_bytes, lapack.word)
                lapack.install(text)
                keeps = not name.startswith(FOREIGN)
                if keeps:
                    library = jit.load_text(text, split=lambda text: split(text, threads.num_threads()))
                else:
                    library = jit.load_object(jit.compile_object(text))
                jit.add_symbol(ROUTINE + name, library.address(ROUTINE + name))
                if is_planned(name):
                    begin = ROUTINE + name + BEGIN
                    jit.add_symbol(begin, library.address(begin))
                    ctypes.c_void_p.from_address(library.address(PLANNER)).value = id(plans.receiver(name))
                library.keep_forever()
                _known.add(name)
