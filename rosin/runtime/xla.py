"""Programs of StableHLO text on XLA's compilers, through the PJRT clients that jaxlib and libtpu bring.

Results are `Resident`: they stay on the device until somebody reads them, and what one program gives lies where the
next one reads it. On the CPU arrays go in and come out by DLPack, without a copy.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from rosin.ir.errors import UnsupportedError
from rosin.ir.op import NumpyArray, Op
from rosin.ir.sharding import Shardings, parts, whole
from rosin.runtime import dlpack

INSTALL = 'pip install "rosin[xla]"'
INSTALL_TPU = 'pip install "rosin[tpu]"'
PLATFORM = "ROSIN_XLA_PLATFORM"
"""The environment variable that says where programs run; without it on a TPU, if there is one."""


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
def _host() -> Any:
    """The client for this CPU."""
    return jaxlib_client().make_cpu_client()


@functools.cache
def _client() -> Any:
    """The client whose devices programs run on.

    Raises:
        UnsupportedError: `ROSIN_XLA_PLATFORM` names none, or the one that it names is not there.
    """
    platform = os.environ.get(PLATFORM) or ("tpu" if _has_tpu() else "cpu")
    if platform == "cpu":
        return _host()
    if platform != "tpu":
        raise UnsupportedError(f"{PLATFORM} is {platform!r}; the xla target runs on 'cpu' and 'tpu'")
    xla = load_libtpu()
    try:
        return xla.make_c_api_client("tpu")
    except xla.XlaRuntimeError as error:
        message = f"libtpu finds no TPU that it can use ({str(error).splitlines()[0]})"
        raise UnsupportedError(f"{message}; {PLATFORM}=cpu runs on the CPU") from error


def is_host() -> bool:
    """Whether programs run where NumPy arrays lie."""
    return _client() is _host()


def _has_tpu() -> bool:
    """Whether this machine has a TPU and the library that runs it."""
    chips = any(Path("/dev").glob("accel[0-9]*")) or any(Path("/dev/vfio").glob("[0-9]*"))
    return chips and importlib.util.find_spec("libtpu") is not None


def load_libtpu() -> ModuleType:
    """jaxlib's client, with the plugin for TPUs.

    Raises:
        UnsupportedError: libtpu or jaxlib is not installed, or libtpu does not begin.
    """
    try:
        import libtpu
    except ImportError as error:
        raise UnsupportedError(f"TPUs need libtpu, which is not installed; {INSTALL_TPU}") from error
    xla = jaxlib_client()
    if not xla.pjrt_plugin_loaded("tpu"):
        xla.load_pjrt_plugin_dynamically("tpu", str(Path(libtpu.__file__).parent / "libtpu.so"))
    # JAX leaves one that did not begin, as when another process had it, loaded all the same.
    if not xla.pjrt_plugin_initialized("tpu"):
        try:
            xla.initialize_pjrt_plugin("tpu")
        except xla.XlaRuntimeError as error:
            raise UnsupportedError(f"libtpu does not begin: {str(error).splitlines()[0]}") from error
    return xla


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
        self,
        text: str,
        donated: Collection[int] = (),
        count: int = 1,
        shardings: Shardings | None = None,
        hosted: Sequence[Op] = (),
    ) -> None:
        """Compile a text for so many devices, or one of whole arrays for those that `shardings` spread them over. It
        calls Python for the ops in `hosted`, by their numbers.

        Raises:
            UnsupportedError: jaxlib is not installed or has fewer devices, or XLA refuses the program.
        """
        xla = jaxlib_client()
        self._donated = frozenset(donated)
        self._shardings = shardings
        self._is_host = is_host()
        self._read_capsule = xla._xla.dlpack_managed_tensor_to_buffer
        count = shardings.count if shardings else count
        devices = _client().local_devices()
        if len(devices) < count:
            flag = f"; set XLA_FLAGS=--xla_force_host_platform_device_count={count}" if is_host() else ""
            raise UnsupportedError(f"the xla target has {len(devices)} devices, and {count} are asked for{flag}")
        self._devices = devices[:count]
        options = compile_options(self._devices, spread=shardings is not None)
        self._list = xla.DeviceList(tuple(self._devices))
        self._raised: list[BaseException] = []
        calls = [self._caller(op) for op in hosted]
        try:
            if calls:
                module, _ = parsed(text)
                self._executable = _client().compile_and_load(module, self._list, options, host_callbacks=calls)
            else:
                self._executable = _client().compile_and_load(text, self._list, options)
        except xla.XlaRuntimeError as error:
            raise UnsupportedError(f"XLA refuses the program: {error}") from error
        self._calls = bool(calls)

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
        results = self._run([self._put(i, found) for i, found in enumerate(zip(*shards, strict=True))])
        return [tuple(_take(found[device]) for found in results) for device in range(len(self._devices))]

    def resident(self, arguments: Sequence[NumpyArray | Resident]) -> list[Resident]:
        """The results on the one device that it runs on, given arguments that are there or here."""
        device, donated = self._devices[0], self._donated
        buffers = [
            x.buffer if isinstance(x, Resident) else self._to_device(x, device, position in donated)
            for position, x in enumerate(arguments)
        ]
        results = [found[0] for found in self._run(buffers)]
        if self._is_host and not all(isinstance(x, Resident) for x in arguments):
            # It reads memory of the caller's, who may write there from now on.
            for buffer in results:
                buffer.block_until_ready()
        return list(map(Resident, results))

    def _run(self, arguments: Sequence[Any]) -> list[list[Any]]:
        """For each result the buffers that the devices have.

        Raises whatever exception Python raised where the program called it.
        """
        if not self._calls:
            return self._executable.execute_sharded(arguments).disassemble_into_single_device_arrays()
        self._raised.clear()
        try:
            found = self._executable.execute_sharded(arguments, with_tokens=True)
            token = found.consume_token()
            results = found.disassemble_into_single_device_arrays()
            token.block_until_ready()
            return results
        except jaxlib_client().XlaRuntimeError:
            if self._raised:
                raise self._raised.pop() from None
            raise

    def _caller(self, op: Op) -> Callable[..., Sequence[NumpyArray]]:
        """What computes an op when the program calls. The token of one with an effect is handed on."""

        def call(*operands: NumpyArray) -> Sequence[NumpyArray]:
            try:
                if op.effect:
                    return np.asarray(operands[0]), *op.eval(*operands[1:])
                return op.eval(*operands)
            except BaseException as error:
                self._raised.append(error)
                raise

        return call

    def _put(self, position: int, shards: Sequence[NumpyArray]) -> Any:
        """An argument as buffers over its own memory; what is donated is a copy, which the program may overwrite."""
        donated = position in self._donated
        made = [self._to_device(x, device, donated) for x, device in zip(shards, self._devices, strict=True)]
        if len(made) == 1:
            return made[0]
        # To XLA the shards are copies of one array, of which it never finds out that they differ.
        xla = jaxlib_client()
        kind = SimpleNamespace(shape=shards[0].shape, dtype=shards[0].dtype, weak_type=False)
        return xla.ArrayImpl(kind, _everywhere(self._list), made, committed=True, _skip_checks=True)

    def _to_device(self, x: NumpyArray, device: Any, donated: bool) -> Any:
        """An array as a buffer of a device."""
        ordered = x if x.flags.c_contiguous else np.array(x, order="C")
        capsule = dlpack.export(ordered, None, None, None, donated)
        if self._is_host:
            return self._read_capsule(capsule, device, None)
        xla = jaxlib_client()
        own = self._read_capsule(capsule, _host().local_devices()[0], None)
        there = xla.DeviceList((device,))
        always = xla.ArrayCopySemantics.ALWAYS_COPY
        (made,) = xla.batched_copy_array_to_devices_with_sharding([own], [there], [_everywhere(there)], [always])
        return made.block_until_ready()


def _everywhere(devices: Any) -> Any:
    """A whole array on each of these devices."""
    xla = jaxlib_client()
    return xla.GSPMDSharding(devices, xla.HloSharding.replicate())


class Resident:
    """An array in the memory of a device."""

    __slots__ = ("buffer",)

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer

    @property
    def shape(self) -> tuple[int, ...]:
        return self.buffer.shape

    @property
    def dtype(self) -> Any:
        return self.buffer.dtype

    @property
    def is_here(self) -> bool:
        """Whether the device is the host, so that what is fetched is the very memory."""
        return is_host()

    def fetch(self) -> NumpyArray:
        """Its numbers, in the memory of the host."""
        return _take(self.buffer)


def _take(buffer: Any) -> NumpyArray:
    """The array in the memory of a result, once it is computed, or a copy of what is on another device."""
    if not is_host():
        return buffer._single_device_array_to_np_array_did_copy()[0]
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
