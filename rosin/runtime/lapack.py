"""LAPACK and BLAS: the functions of the library that NumPy has brought along, found by address.

NumPy's builds give the functions other names, which say how wide the library's integers are.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading

import numpy as np

from rosin.backends.llvm.routines.matrix.lapack import ALONE, PREFIX
from rosin.ir.errors import UnsupportedError
from rosin.runtime import loading

__all__ = ["install", "word"]

NAMES = (
    ("scipy_{}_64_", "i64"),
    ("{}_64_", "i64"),
    ("{}$NEWLAPACK$ILP64", "i64"),
    ("scipy_{}_", "i32"),
    ("{}_", "i32"),
    ("{}$NEWLAPACK", "i32"),
)
"""What functions may be called, and the integers they then take."""

THREADS = (
    "scipy_openblas_{}_num_threads64_",
    "openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads",
)
"""What functions may be called that get and set the number of the library's threads; other libraries have none."""

# How many threads of ours are at work, each of which wants the library to use none of its own.
_GUARD = f"""
@lock = internal global i32 0
@depth = internal global i32 0
@before = internal global i32 0
$DECLARED$

define internal void @change(i32 %by) nounwind {{
entry:
  br label %take
take:
  %held = atomicrmw xchg ptr @lock, i32 1 acquire
  %free = icmp eq i32 %held, 0
  br i1 %free, label %mine, label %take
mine:
  %old = load i32, ptr @depth
  %new = add i32 %old, %by
  store i32 %new, ptr @depth
  %first = icmp eq i32 %old, 0
  br i1 %first, label %begin, label %other
begin:
  $BEGIN$
  br label %done
other:
  %last = icmp eq i32 %new, 0
  br i1 %last, label %end, label %done
end:
  $END$
  br label %done
done:
  store atomic i32 0, ptr @lock release, align 4
  ret void
}}

define void @{PREFIX}{ALONE[True]}() nounwind {{
  call void @change(i32 1)
  ret void
}}

define void @{PREFIX}{ALONE[False]}() nounwind {{
  call void @change(i32 -1)
  ret void
}}
"""

_known: set[str] = set()
_lock = threading.Lock()


@functools.cache
def _library() -> tuple[ctypes.CDLL, str, str]:
    """The library through which NumPy's functions are found, how they are called, and their integers.

    Raises:
        UnsupportedError: NumPy has no such library, or hides it.
    """
    from numpy.linalg import _umath_linalg

    library = ctypes.CDLL(_umath_linalg.__file__)
    for pattern, integers in NAMES:
        if hasattr(library, pattern.format("dpotrf")) and hasattr(library, pattern.format("dtrsm")):
            return library, pattern, integers
    raise UnsupportedError(
        f"linear algebra needs LAPACK, which NumPy {np.__version__} here does not make known: dpotrf and dtrsm are "
        "found under none of the names that NumPy's builds use; install NumPy from a wheel of PyPI"
    )


def word() -> str:
    """The type of the library's integers in LLVM."""
    return _library()[2]


def _address(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address


def _install_guard() -> None:
    """Make known the functions that keep the library from using threads of its own."""
    library, *_ = _library()
    found = next((pattern for pattern in THREADS if hasattr(library, pattern.format("set"))), None)
    declared = begin = end = ""
    if found is not None:
        get, set_ = (f"{PREFIX}{verb}_threads" for verb in ("get", "set"))
        for symbol, verb in ((get, "get"), (set_, "set")):
            loading.add_symbol(symbol, _address(library, found.format(verb)))
        declared = f"declare i32 @{get}()\ndeclare void @{set_}(i32)"
        begin = f"%count = call i32 @{get}()\n  store i32 %count, ptr @before\n  call void @{set_}(i32 1)"
        end = f"%saved = load i32, ptr @before\n  call void @{set_}(i32 %saved)"
    text = _GUARD.replace("$DECLARED$", declared).replace("$BEGIN$", begin).replace("$END$", end)
    guard = loading.load_text(text)
    for name in ALONE:
        loading.add_symbol(PREFIX + name, guard.address(PREFIX + name))
    guard.keep_forever()


def install(text: str) -> None:
    """Make known to `loading.load_object` the functions of LAPACK that an LLVM module calls."""
    with _lock:
        for name in dict.fromkeys(re.findall(rf"@{PREFIX}(\w+)\(", text)):
            if name in _known:
                continue
            library, pattern, _ = _library()
            if name in ALONE:
                _install_guard()
                _known.update(ALONE)
                continue
            if not hasattr(library, pattern.format(name)):
                raise UnsupportedError(f"linear algebra needs {name} of LAPACK, which NumPy's library lacks")
            loading.add_symbol(PREFIX + name, _address(library, pattern.format(name)))
            _known.add(name)
