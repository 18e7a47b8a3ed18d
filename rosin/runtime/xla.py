"""Programs of StableHLO text on XLA's compiler for the CPU, through the PJRT client that jaxlib brings.

Arrays go in and come out by DLPack, without a copy: what one program gives lies where the next one reads it.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Collection, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from rosin.ir.errors import UnsupportedError
from rosin.ir.op import NumpyArray
from rosin.ir.sharding import Shardings, parts, whole
from rosin.runtime import dlpack

INSTALL = 'pip install "rosin[xla]"'


def jaxlib_client() -> ModuleType:
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
    return jaxlib_client().make_cpu_client()


def is_installed() -> bool:
    """Whether jaxlib is there."""
    return importlib.util.find_spec("jaxlib") is not None


def portable(text: str) -> bytes:
    """A program as StableHLO's portable bytecode, of the oldest version that holds it.

    Raises:
        UnsupportedError: jaxlib is not installed.
    """
    module, stablehlo = parsed(text)
    from jaxlib.mlir import passmanager

    with module.context:
        # What is of CHLO is written out in StableHLO, which alone has versions.
        passmanager.PassManager.parse("builtin.module(func.func(chlo-legalize-to-stablehlo))").run(module.operation)
    return stablehlo.serialize_portable_artifact_str(str(module), stablehlo.get_minimum_version())


def parsed(text: str) -> tuple[Any, Any]:
    """The module of a text, which is verified, and jaxlib's functions about StableHLO."""
    jaxlib_client()
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext
    from jaxlib.mlir.dialects import chlo, sdy, stablehlo

    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context = ir.Context()
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    stablehlo.register_dialect(context)
    chlo.register_chlo_dialect(context)
    sdy.register_dialect(context)
    stablehlo.register_stablehlo_passes()
    with context:
        return ir.Module.parse(text), stablehlo


def verify(text: str) -> None:
    """Have jaxlib read and verify a program.

    Raises:
        UnsupportedError: jaxlib is not installed.
        Exception: the text is no StableHLO program, or one that is ill-typed; the message says where.
    """
    parsed(text)


def compile_options(devices: Sequence[Any], spread: bool) -> Any:
    """What to tell XLA of the devices of a program: each runs it by itself, or it is `spread` over them."""
    xla = jaxlib_client()
    options = xla.CompileOptions()
    build = options.executable_build_options
    numbers = np.array([device.id for device in devices], np.int32)
    options.device_assignment = build.device_assignment = xla.DeviceAssignment.create(
        numbers.reshape(1, -1) if spread else numbers.reshape(-1, 1)
    )
    options.num_replicas = build.num_replicas = 1 if spread else len(devices)
    options.num_partitions = build.num_partitions = len(devices) if spread else 1
    build.use_spmd_partitioning = build.use_shardy_partitioner = spread
    return options


class Loaded:
    """A compiled program. Called with one C-contiguous array for each input."""

    def __init__(
        self, text: str, donated: Collection[int] = (), count: int = 1, shardings: Shardings | None = None
    ) -> None:
        """Compile a text for so many devices, or one of whole arrays for those that `shardings` spread them over.

        Raises:
            UnsupportedError: jaxlib is not installed or has fewer devices, or XLA refuses the program.
        """
        xla = jaxlib_client()
        self._donated = frozenset(donated)
        self._shardings = shardings
        count = shardings.count if shardings else count
        devices = _client().local_devices()
        if len(devices) < count:
            flag = f"XLA_FLAGS=--xla_force_host_platform_device_count={count}"
            raise UnsupportedError(f"the xla target has {len(devices)} devices, and {count} are asked for; set {flag}")
        self._devices = devices[:count]
        options = compile_options(self._devices, spread=shardings is not None)
        self._list = xla.DeviceList(tuple(self._devices))
        try:
            self._executable = _client().compile_and_load(text, self._list, options)
        except xla.XlaRuntimeError as error:
            raise UnsupportedError(f"XLA refuses the program: {error}") from error

    def __call__(self, arguments: Sequence[NumpyArray]) -> tuple[NumpyArray, ...]:
        """The results, of whole arrays."""
        lie = self._shardings
        if lie is None:
            return self.on_devices([arguments])[0]
        cut = [parts(x, axes, lie.mesh) for x, axes in zip(arguments, lie.inputs, strict=True)]
        found = self.on_devices([tuple(x[device] for x in cut) for device in range(lie.count)])
        return tuple(whole(x, axes, lie.mesh) for x, axes in zip(zip(*found, strict=True), lie.outputs, strict=True))

    def on_devices(self, shards: Sequence[Sequence[NumpyArray]]) -> list[tuple[NumpyArray, ...]]:
        """The results of each device, given its arguments."""
        buffers = [self._put(position, found) for position, found in enumerate(zip(*shards, strict=True))]
        results = self._executable.execute_sharded(buffers).disassemble_into_single_device_arrays()
        return [tuple(_take(found[device]) for found in results) for device in range(len(self._devices))]

    def _put(self, position: int, parts: Sequence[NumpyArray]) -> Any:
        """An argument as buffers over its own memory; what is donated is a copy, which the program may overwrite."""
        donated = position in self._donated
        put = jaxlib_client()._xla.dlpack_managed_tensor_to_buffer
        made = [
            put(dlpack.export(np.ascontiguousarray(x).reshape(x.shape), None, None, None, donated), device, None)
            for x, device in zip(parts, self._devices, strict=True)
        ]
        if len(made) == 1:
            return made[0]
        # To XLA the shards are copies of one array, of which it never finds out that they differ.
        xla = jaxlib_client()
        everywhere = xla.GSPMDSharding(self._list, xla.HloSharding.replicate())
        kind = SimpleNamespace(shape=parts[0].shape, dtype=parts[0].dtype, weak_type=False)
        return xla.ArrayImpl(kind, everywhere, made, committed=True, _skip_checks=True)


def _take(buffer: Any) -> NumpyArray:
    """The array in the memory of a result, once it is computed."""
    buffer.block_until_ready()
    return dlpack.read(_Buffer(buffer), None, False)


class _Buffer:
    """A buffer as an object that has DLPack."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer

    def __dlpack__(self, **keywords: Any) -> Any:
        return jaxlib_client()._xla.buffer_to_dlpack_managed_tensor(self._buffer)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CPU
