"""Programs of StableHLO text on XLA's compiler for the CPU, through the PJRT client that jaxlib brings.

Arrays go in and come out by DLPack, without a copy: what one program gives lies where the next one reads it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Any

from rosin.ir.errors import UnsupportedError
from rosin.ir.op import NumpyArray
from rosin.runtime import dlpack

INSTALL = 'pip install "rosin[xla]"'


def _jaxlib() -> ModuleType:
    """jaxlib's client.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        from jaxlib import xla_client
    except ImportError as error:
        raise UnsupportedError(f"the xla target needs jaxlib, which is not installed; {INSTALL}") from error
    return xla_client


@functools.cache
def _client() -> Any:
    return _jaxlib().make_cpu_client()


class Loaded:
    """A compiled program. Called with one C-contiguous array for each input."""

    def __init__(self, text: str, donated: Collection[int] = ()) -> None:
        xla = _jaxlib()
        self._donated = frozenset(donated)
        self._device = _client().local_devices()[0]
        devices = xla.DeviceList((self._device,))
        self._executable = _client().compile_and_load(text, devices, xla.CompileOptions())

    def __call__(self, arguments: Sequence[NumpyArray]) -> tuple[NumpyArray, ...]:
        buffers = [self._put(x, position in self._donated) for position, x in enumerate(arguments)]
        results = self._executable.execute_sharded(buffers).disassemble_into_single_device_arrays()
        return tuple(_take(shards[0]) for shards in results)

    def _put(self, x: NumpyArray, donated: bool) -> Any:
        """The array as a buffer over its own memory; what is donated is a copy, which the program may overwrite."""
        capsule = dlpack.export(x, None, None, None, donated)
        return _jaxlib()._xla.dlpack_managed_tensor_to_buffer(capsule, self._device, None)


def _take(buffer: Any) -> NumpyArray:
    """The array in the memory of a result, once it is computed."""
    buffer.block_until_ready()
    return dlpack.read(_Buffer(buffer), None, False)


class _Buffer:
    """A buffer as an object that has DLPack."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer

    def __dlpack__(self, **keywords: Any) -> Any:
        return _jaxlib()._xla.buffer_to_dlpack_managed_tensor(self._buffer)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CPU
