"""How arrays pass to other libraries: as NumPy arrays, by DLPack, and as buffers of Python's."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

from rosin.frontend import trace as tr
from rosin.ir import dtypes
from rosin.ir.errors import RosinError
from rosin.ir.op import NumpyArray
from rosin.runtime import dlpack

INSTEAD = "use the function of the same name in rosin.numpy, which takes traced arrays"


class Interchange:
    """What other libraries ask of an array."""

    __slots__ = ()

    # NumPy leaves operators between its arrays and ours to us; its functions take ours by `__array__`.
    __array_priority__ = 1000

    def _known(self, use: str, instead: str) -> NumpyArray:
        """The NumPy array, for what Python needs `use` of it for."""
        raise NotImplementedError

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumpyArray:
        value = self._known("np.asarray needs its numbers", INSTEAD)
        if dtype is not None and np.dtype(dtype) != value.dtype:
            if copy is False:
                raise ValueError(f"an array of {value.dtype} cannot be one of {np.dtype(dtype)} without a copy")
            return value.astype(dtype)
        if copy:
            return value.copy()
        view = value.view()
        view.flags.writeable = False
        return view

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule with the memory, which is only to be read unless it is a copy.

        Raises:
            InterchangeError: (a BufferError) another device is asked for.
            AttributeValueError: there is a stream, which the CPU has not.
        """
        value = self._known("DLPack passes on its numbers", INSTEAD)
        try:
            return dlpack.export(value, stream, max_version, dl_device, copy)
        except RosinError as error:
            raise tr.located(error) from None

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CPU

    def __buffer__(self, flags: int, /) -> memoryview:
        """The memory, only to be read.

        Raises:
            InterchangeError: (a BufferError) buffers have no name for the element type.
        """
        value: Any = self._known("a buffer has its numbers", INSTEAD)
        if value.dtype == dtypes.bf16.numpy:
            raise tr.located(dlpack.InterchangeError(f"buffers have no name for {dtypes.bf16}; DLPack has one"))
        return memoryview(value).toreadonly()


# -- buffers before Python 3.12 ------------------------------------------------------------------------------------

_BUFFER_SLOT = 160
"""Where in the structure of a class the address of its buffer functions is, of which the first gets a buffer."""
_WRITABLE = 1
"""The flag of a request for memory to write to."""


def give_buffer(cls: type) -> None:
    """Let `memoryview` and its kin read instances of a class, and of those that are derived later, by its `__buffer__`.

    Python does so by itself from 3.12 on. Here a request that is refused gets no error of ours, which ctypes has no way
    to hand on: most readers make their own.
    """
    if sys.version_info >= (3, 12):
        return
    functions = ctypes.c_void_p.from_address(id(cls) + _BUFFER_SLOT).value
    assert functions is not None, "every class made by Python has the structure"
    ctypes.c_void_p.from_address(functions).value = ctypes.cast(_get, ctypes.c_void_p).value


@ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
def _get(x: Any, view: int, flags: int) -> int:
    if flags & _WRITABLE:
        return -1
    try:
        memory = ctypes.py_object(x.__buffer__(flags))
        return ctypes.pythonapi.PyObject_GetBuffer(memory, ctypes.c_void_p(view), flags)
    except (RosinError, BufferError):
        return -1
