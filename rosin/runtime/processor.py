"""Which processor this is, and how large its caches are, as the system tells without LLVM."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from importlib.util import find_spec
from typing import Any

__all__ = ["allow_tiles", "allowed", "cache_sizes", "identity", "leave", "llvm_library", "place"]

_CACHES = "/sys/devices/system/cpu/cpu0/cache"
_CHANGING = {"processor", "cpu MHz", "bogomips", "BogoMIPS", "physical id", "core id", "apicid", "initial apicid"}
"""What the system says of a processor that is not the same each time, or for each of several."""


def llvm_library() -> str | None:
    """The file of LLVM as llvmlite brings it along, if it is there."""
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return None
    name = {"darwin": "libllvmlite.dylib", "win32": "llvmlite.dll"}.get(sys.platform, "libllvmlite.so")
    path = os.path.join(os.path.dirname(spec.origin), "binding", name)
    return path if os.path.exists(path) else None


def identity(library: str | None) -> tuple[str, ...] | None:
    """What LLVM's answer to the question for the host's processor depends on: the file of LLVM, and the processor.

    None where the system does not tell which one it is.
    """
    if library is None:
        return None
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = file.read(1 << 14).partition("\n\n")[0].splitlines()
    except OSError:
        return None
    status = os.stat(library)
    known = sorted(line for line in lines if line.partition(":")[0].strip() not in _CHANGING)
    return (library, str(status.st_size), str(status.st_mtime_ns), os.uname().machine, *known)


def cache_sizes() -> tuple[int, int, int]:
    """Bytes of the first-level data cache, the second and the third level, as the system tells them."""
    sizes = {1: 32 << 10, 2: 1 << 20, 3: 8 << 20}
    found = sorted(os.listdir(_CACHES)) if os.path.isdir(_CACHES) else []
    for entry in found:
        if entry.startswith("index"):
            level, kind, size = (_read(f"{_CACHES}/{entry}/{name}") for name in ("level", "type", "size"))
            unit = {"K": 10, "M": 20, "G": 30}.get(size[-1:], 0)
            number = size[:-1] if unit else size
            if number.isdigit() and kind in ("Data", "Unified") and int(level) in sizes:
                sizes[int(level)] = int(number) << unit
    return sizes[1], sizes[2], sizes[3]


_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18


def allow_tiles() -> bool:
    """Ask the system to let this process use registers for tiles, which it keeps for threads that do; gives whether it
    does. Processes that this one forks may use them, too."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return False
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    return system_call(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0


def allowed() -> int:
    """The processors that this thread may use, as bits; 0 where threads cannot be placed."""
    return sum(1 << each for each in os.sched_getaffinity(0)) if _holding() is not None else 0


def place(thread: int, here: bool, everywhere: int) -> None:
    """Have a thread of Python that was started just now begin on this processor, or on another one of those that are
    allowed. It stays there until it says `leave`.

    The scheduler of Linux knows neither that who starts a thread will wait for it, nor that it will not, and moves what
    waits in vain after milliseconds at best. A thread that waits for its turn of the interpreter, it puts beside the
    one that gives this away, though that runs on. The thread must not have run yet: it needs the interpreter first,
    which is not given away here.
    """
    library = _holding()
    if library is None or (number := library.sched_getcpu()) < 0:
        return
    wanted = everywhere & (1 << number if here else ~(1 << number))
    if wanted:
        _use(thread, wanted)


def leave(everywhere: int) -> None:
    """Let this thread, which was placed, run wherever it is allowed to."""
    if everywhere:
        _use(threading.get_ident(), everywhere)


def _use(thread: int, processors: int) -> None:
    size = processors.bit_length() // 64 * 8 + 8
    _holding().pthread_setaffinity_np(thread, size, processors.to_bytes(size, sys.byteorder))


@functools.cache
def _holding() -> Any:
    """The C library of Linux, called without giving the interpreter to other threads; None on other systems."""
    if sys.platform != "linux":
        return None
    library = ctypes.PyDLL(None)
    if not (hasattr(library, "sched_getcpu") and hasattr(library, "pthread_setaffinity_np")):
        return None
    library.pthread_setaffinity_np.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    return library


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()
