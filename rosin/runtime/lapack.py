"""LAPACK and BLAS: the functions of the library that NumPy has brought along, found by address.

NumPy's builds give the functions other names, which say how wide the library's integers are.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading

import numpy as np

from rosin.backends.llvm.routines.matrix.lapack import PREFIX
from rosin.ir.errors import UnsupportedError
from rosin.runtime import jit

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


def install(text: str) -> None:
    """Make known to `jit.load_object` the functions of LAPACK that an LLVM module calls."""
    with _lock:
        for name in dict.fromkeys(re.findall(rf"@{PREFIX}(\w+)\(", text)):
            if name not in _known:
                library, pattern, _ = _library()
                function = getattr(library, pattern.format(name), None)
                if function is None:
                    raise UnsupportedError(f"linear algebra needs {name} of LAPACK, which NumPy's library lacks")
                address = ctypes.cast(function, ctypes.c_void_p).value
                assert address is not None
                jit.add_symbol(PREFIX + name, address)
                _known.add(name)
