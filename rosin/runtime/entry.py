"""The native CPython entry of a compiled function.

`make_entry` returns a built-in function (fast-call protocol). A call of it checks the arguments against a table,
allocates the results with NumPy's C interface, runs the compiled program and wraps the results, all in native code: no
Python runs unless something does not match, which is a *miss* and calls the Python function given for it.

There is one native function for all entries, `rosin_entry` of `entry_code`: it interprets a small table of what the
program expects, so making an entry compiles nothing; symbolic sizes are up to the program's own `sizes`. Its text holds
no address of the process, so the disk cache keeps its object. The table comes in through the `self` of the built-in
function:

    self = (table: bytes, ...whatever must live as long as the function does)

A tuple, because its items sit inside it, and because the garbage collector never clears one: the table, the
`PyMethodDef` and the code are there for as long as the function can be called.

The table is 64-bit words: the header (`HEADER`); a record for each argument (descr, flags, bytes of an element, ndim,
dims…); for each constant (begin, end); for each result (descr, argument whose memory it takes or -1, bytes of an
element, ndim, dims…). A size that is symbolic stands there as -1.

Memory: large results are in blocks that are kept when they are dropped (blocks.py). The program's arena is on the stack
when small, else the one arena of the process, which grows and stays, else (that one is busy: another thread, a
recursive call) a block of its own for the call.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rosin.backends.llvm.names import LARGE_BYTES
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, is_static
from rosin.runtime import blocks, loading
from rosin.runtime.entry_code import HEADER, WRITEABLE, entry_text

__all__ = ["ArgumentSpec", "ResultSpec", "SizesSpec", "cut", "empty", "make_entry", "slot_offset"]

_C_CONTIGUOUS, _ALIGNED = 0x1, 0x100
_METH_FASTCALL_KEYWORDS = 0x80 | 0x02
_NEW_FROM_DESCR, _SET_HANDLER = 94, 304  # indices in NumPy's table of C functions


@dataclass(frozen=True)
class ArgumentSpec:
    """What an argument must be. A donated one is written to by the program, and must share memory with no other."""

    dtype: np.dtype[Any]
    shape: tuple[Dim, ...]
    donated: bool = False


@dataclass(frozen=True)
class ResultSpec:
    """What a result is. With `aliases=i` it is the array of donated argument `i`, of the same dtype and shape."""

    dtype: np.dtype[Any]
    shape: tuple[Dim, ...]
    aliases: int | None = None


@dataclass(frozen=True)
class SizesSpec:
    """The function `i64 sizes(ptr dims, ptr block)` of a program with symbolic sizes, and how its block is laid out.

    It gives the bytes that the program works on, or -1 for arguments that do not fit.
    """

    address: int
    block_words: int
    arena_word: int
    """Which word is the number of bytes of the arena."""
    shapes_word: int
    """From which word on the sizes of the results' axes stand."""
    measured: bool = False
    """Whether these are at first the most that they can be, and the program writes what they are."""


def make_entry(
    name: str,
    program_address: int,
    arguments: Sequence[ArgumentSpec],
    results: Sequence[ResultSpec],
    constants: Sequence[np.ndarray[Any, Any]],
    arena_bytes: int,
    array_type: type,
    value_offset: int,
    miss: Callable[..., object],
    fail: Callable[[int], object],
    single: bool,
    release_gil: bool,
    keep: object = None,
    sizes: SizesSpec | None = None,
) -> Callable[..., Any]:
    """A built-in function that runs the native program `i32 program(ptr buffers, ptr arena)`.

    `buffers` points to the data of the arguments, the constants and the results, in this order; the arena has
    `arena_bytes` bytes. It is aligned to 64, as are results of `LARGE_BYTES`. Results do not overlap arguments, except
    as `ResultSpec.aliases` says.

    An argument matches when it is exactly an `array_type` (whose slot at `value_offset`, see `slot_offset`, holds
    exactly an `ndarray`) or exactly an `ndarray`, of the dtype and shape of its spec, C-contiguous and aligned; if
    donated, also writeable and apart in memory from all other arguments and constants. When the number of arguments or
    any one does not match, or keywords are given, the call is `miss(*args, **keywords)`.

    The results come wrapped in `array_type`: the one result when `single`, else a tuple. A program that returns other
    than 0 has its results dropped and the call is `fail(code)`, which raises; unless the program has set a Python
    exception itself, which then propagates. `release_gil` lets other Python threads run during the program; one with
    `sizes` does where it works on more than `RELEASE_GIL_BYTES`.

    With `sizes`, shapes may have symbolic sizes, -1 in the table: the function gets all sizes of all arguments and
    says whether they fit, which else is a miss, and how large arena and results are. Its block is one more buffer.
    Where the program measures sizes, results are cut to what it says at its end.

    `keep` lives as long as the function does: give it what owns the program's code (the `Library`).

    Raises `ValueError` when the specs contradict one another.
    """
    _check_specs(arguments, results, constants, single)
    finish = _cutter(results) if sizes is not None and sizes.measured else None
    address = _address()
    flags = single | release_gil << 1 | any(argument.donated for argument in arguments) << 2
    header = {
        "program": program_address,
        "nargs": len(arguments),
        "nconst": len(constants),
        "nresults": len(results),
        "arena_bytes": -(-arena_bytes // 64) * 64,
        "flags": flags,
        "array_type": id(array_type),
        "value_offset": value_offset,
        "ndarray_type": id(np.ndarray),
        "new_from_descr": _numpy_function(_NEW_FROM_DESCR),
        "set_handler": _numpy_function(_SET_HANDLER),
        "handler": id(blocks.handler()),
        "miss": id(miss),
        "fail": id(fail),
        "sizes": 0 if sizes is None else sizes.address,
        "ndims": sum(len(argument.shape) for argument in arguments),
        "block_words": 0 if sizes is None else sizes.block_words,
        "arena_word": 0 if sizes is None else sizes.arena_word,
        "shapes_word": 0 if sizes is None else sizes.shapes_word,
        "finish": 0 if finish is None else id(finish),
    }
    words = [header[field] for field in HEADER]
    for argument in arguments:
        required = _C_CONTIGUOUS | _ALIGNED | (WRITEABLE if argument.donated else 0)
        words += [id(argument.dtype), required, argument.dtype.itemsize, len(argument.shape), *_words(argument.shape)]
    for constant in constants:
        begin = constant.ctypes.data
        words += [begin, begin + constant.nbytes if constant.nbytes else 0]
    for result in results:
        taken = -1 if result.aliases is None else result.aliases
        words += [id(result.dtype), taken, result.dtype.itemsize, len(result.shape), *_words(result.shape)]

    method = _MethodDef(name.encode(), address, _METH_FASTCALL_KEYWORDS, None)
    table = struct.pack(f"={len(words)}q", *words)
    dtypes = tuple(spec.dtype for spec in (*arguments, *results))
    self = (table, method, dtypes, tuple(constants), array_type, miss, fail, finish, keep)
    return _new_function()(ctypes.addressof(method), self, None)


def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """An array for a result, made as the entry makes it."""
    if math.prod(shape) * dtype.itemsize < LARGE_BYTES:
        return np.empty(shape, dtype)
    _address()
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(_numpy_function(_SET_HANDLER))
    before = set_handler(blocks.handler())
    try:
        return np.empty(shape, dtype)
    finally:
        set_handler(before)


def cut(array: np.ndarray[Any, Any], shape: Sequence[int]) -> None:
    """Give an array that owns its memory the shape of what stands in the beginning of it; the rest is given back."""
    array.resize(shape, refcheck=False)


def _cutter(results: Sequence[ResultSpec]) -> Callable[[int], None]:
    """What cuts results to their sizes; it gets the address of two addresses: of the results, and of the sizes."""
    ranks = [len(result.shape) for result in results]
    symbolic = [not is_static(result.shape) for result in results]

    def finish(address: int) -> None:
        places = (ctypes.c_void_p * 2).from_address(address)
        arrays = (ctypes.py_object * len(ranks)).from_address(places[0] or 0)
        sizes = (ctypes.c_int64 * sum(ranks)).from_address(places[1] or 0)
        start = 0
        for array, rank, cuts in zip(arrays, ranks, symbolic, strict=True):
            if cuts:
                cut(array, sizes[start : start + rank])
            start += rank

    return finish


def slot_offset(cls: type, name: str) -> int:
    """The offset in bytes, within an instance of `cls`, of the slot `name` that its `__slots__` declares."""
    descriptor = cls.__dict__[name]
    if type(descriptor).__name__ != "member_descriptor":
        raise TypeError(f"{cls.__name__}.{name} is not a slot but a {type(descriptor).__name__}")
    # PyMemberDescrObject: head, type, name, qualified name, then PyMemberDef*: name, kind, offset.
    member = ctypes.c_void_p.from_address(id(descriptor) + object.__basicsize__ + 24).value
    assert member is not None
    return ctypes.c_ssize_t.from_address(member + 16).value


def _check_specs(
    arguments: Sequence[ArgumentSpec],
    results: Sequence[ResultSpec],
    constants: Sequence[np.ndarray[Any, Any]],
    single: bool,
) -> None:
    if single and len(results) != 1:
        raise ValueError(f"single: there are {len(results)} results, not 1")
    for spec in (*arguments, *results):
        if not spec.dtype.isnative or spec.dtype.hasobject or spec.dtype.names or spec.dtype.subdtype:
            raise ValueError(f"dtype {spec.dtype} is not a native number")
        if any(isinstance(size, int) and size < 0 for size in spec.shape):
            raise ValueError(f"negative size in shape {spec.shape}")
    for index, constant in enumerate(constants):
        if not (constant.flags.c_contiguous and constant.flags.aligned):
            raise ValueError(f"constant {index} is not contiguous and aligned")
    taken: set[int] = set()
    for index, result in enumerate(results):
        if result.aliases is None:
            continue
        if not 0 <= result.aliases < len(arguments) or result.aliases in taken:
            raise ValueError(f"result {index} takes argument {result.aliases}, which is absent or taken twice")
        taken.add(result.aliases)
        argument = arguments[result.aliases]
        if not argument.donated or (argument.dtype, argument.shape) != (result.dtype, result.shape):
            raise ValueError(f"result {index} {result} cannot take the memory of argument {argument}")


def _words(shape: Sequence[Dim]) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in shape]


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class _Arena(ctypes.Structure):
    _fields_ = [("block", ctypes.c_void_p), ("bytes", ctypes.c_int64), ("busy", ctypes.c_int32)]


@functools.cache
def _new_function() -> Callable[[int, object, None], Callable[..., Any]]:
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return prototype(("PyCFunction_NewEx", ctypes.pythonapi))


@functools.cache
def _numpy_function(index: int) -> int:
    """The address of a function of NumPy's C interface."""
    # NumPy has no stub for its C module.
    from numpy._core import _multiarray_umath as umath  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

    capsule: object = umath._ARRAY_API  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    api: int = prototype(("PyCapsule_GetPointer", ctypes.pythonapi))(capsule, None)
    address = ctypes.c_void_p.from_address(api + index * ctypes.sizeof(ctypes.c_void_p)).value
    assert address is not None
    return address


@functools.cache
def text() -> str:
    """The native code of it."""
    return entry_text()


def install() -> None:
    """Have it ready for `make_entry`."""
    _address()


@functools.cache
def _address() -> int:
    """The address of `rosin_entry`, compiled or loaded on first use and never unloaded."""
    library = loading.load_text(text(), optimize=2)
    arena = _Arena.from_address(library.address("rosin_arena"))

    def renew_arena() -> None:
        # The thread that had the arena when the process forked is not in the child: start over with none.
        if arena.busy:
            arena.block, arena.bytes, arena.busy = None, 0, 0

    os.register_at_fork(after_in_child=renew_arena)
    library.keep_forever()
    blocks.install(library)
    return library.address("rosin_entry")
