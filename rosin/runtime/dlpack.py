"""DLPack: arrays pass between libraries of one process without a copy.

NumPy makes and reads the capsules, whose memory it keeps alive. It knows no bfloat16: such an array goes through it as
one of 16-bit integers, and the element type is written into the capsule, or read from it, here.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, RosinError
from rosin.ir.op import NumpyArray

CPU = (1, 0)
"""The kind and the number of the one device."""
_VERSION = (1, 0)
"""The newest version that NumPy speaks, and the first whose capsules say that memory is only to be read."""
_DTYPE_AT = {b"dltensor": 20, b"dltensor_versioned": 52}
"""Where in the structure of a capsule of this name its element type is: a code, the bits, and lanes in two bytes."""
_UINT16, _BFLOAT16 = (bytes([code, 16, 1, 0]) for code in (1, 4))


class InterchangeError(RosinError, BufferError):
    """An array that cannot be passed on by DLPack, or not without a copy."""


class InterfaceError(RosinError, TypeError, AttributeError):
    """An object of which DLPack is asked, and that has none."""


def export(value: NumpyArray, stream: Any, max_version: Any, dl_device: Any, copy: bool | None) -> Any:
    """The capsule of an array, for the keywords of `__dlpack__`.

    Raises:
        InterchangeError: another device is asked for.
        AttributeValueError: there is a stream, which the CPU has not.
    """
    if stream is not None:
        raise AttributeValueError(f"__dlpack__: the CPU has no streams, and stream is {stream!r}")
    if dl_device is not None and _device(dl_device) != CPU:
        raise InterchangeError(f"__dlpack__: the array is on device {CPU}, the CPU, and cannot go to {dl_device}")
    narrow = value.dtype == dtypes.bf16.numpy
    plain = value.view(np.uint16) if narrow else value.view()
    if max_version is None or tuple(max_version) < _VERSION:
        # Old capsules cannot say that memory is only to be read, and NumPy makes none of memory that is.
        capsule = np.asarray(plain.copy() if copy else _Writable(plain)).__dlpack__()
    else:
        plain.flags.writeable = False
        capsule = plain.__dlpack__(max_version=_VERSION, copy=copy or None)
    if narrow:
        _element_type(capsule)[:] = _BFLOAT16
    return capsule


class _Writable:
    """The memory of an array, as if it could be written to."""

    def __init__(self, value: NumpyArray) -> None:
        self.value = value
        interface = value.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


def read(x: Any, copy: bool | None, to_cpu: bool) -> NumpyArray:
    """The NumPy array of an object that has DLPack; it has the object's memory unless `copy` is true.

    An object on another device is asked for its numbers on the CPU only if `to_cpu` says so.

    Raises:
        InterfaceError: the object has no DLPack.
        InterchangeError: it is on another device, or its element type is one that NumPy has not.
    """
    if not (hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")):
        kind = type(x).__name__
        raise InterfaceError(f"from_dlpack takes an array that has __dlpack__ and __dlpack_device__, not one of {kind}")
    device = _device(x.__dlpack_device__())
    if device != CPU and not to_cpu:
        message = f'from_dlpack: the array is on device {device}, not on the CPU; device="cpu" copies it there'
        raise InterchangeError(message)
    keywords: dict[str, Any] = {} if device == CPU else {"dl_device": CPU, "copy": copy}
    capsule = _capsule(x, keywords)
    element_type = _element_type(capsule)
    narrow = bytes(element_type) == _BFLOAT16
    if narrow:
        element_type[:] = _UINT16
    try:
        value = np.from_dlpack(_Given(capsule))
    except (BufferError, RuntimeError, ValueError) as error:
        raise InterchangeError(f"from_dlpack: {error}") from error
    value = value.view(dtypes.bf16.numpy) if narrow else value
    return value.copy() if copy and device == CPU else value


def _capsule(x: Any, keywords: dict[str, Any]) -> Any:
    try:
        return x.__dlpack__(max_version=_VERSION, **keywords)
    except TypeError:
        # Libraries from before version 1 take no keywords; whether the numbers are on the CPU was asked before.
        if keywords:
            raise
        return x.__dlpack__()


class _Given:
    """What NumPy can ask for a capsule that is there already."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU


def _device(device: Any) -> tuple[int, int]:
    kind, number = device
    return int(getattr(kind, "value", kind)), int(number)


def _element_type(capsule: Any) -> Any:
    """The four bytes of a capsule that tell its element type."""
    name_of, pointer_of, four = _capsule_api()
    name = name_of(capsule)
    if name not in _DTYPE_AT:
        raise InterchangeError(f"DLPack: a capsule is called {name!r}, not one of {', '.join(map(repr, _DTYPE_AT))}")
    return four.from_address(pointer_of(capsule, name) + _DTYPE_AT[name])


@functools.cache
def _capsule_api() -> tuple[Any, Any, Any]:
    """Python's functions for the name and the address in a capsule, and the type of four bytes."""
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))
    return name_of, pointer_of, ctypes.c_char * 4
