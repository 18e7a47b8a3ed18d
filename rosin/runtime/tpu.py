"""Programs compiled for TPUs ahead of time: libtpu compiles for a topology of which there need not be a single chip."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
from collections.abc import Generator, Mapping
from typing import Any

from rosin.ir.dataclass import dataclass
from rosin.ir.errors import AttributeValueError, UnsupportedError
from rosin.runtime import xla

ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""What libtpu asks the machine that it is on for, where that is no TPU."""


@dataclass(frozen=True)
class Chip:
    """A generation of TPUs: what one chip can do, by its maker's documentation."""

    accelerator: str
    """What libtpu calls a small machine of it."""
    flops: float
    """Operations on bf16 each second, at most."""
    bandwidth: float
    """Bytes to and from its memory each second, at most."""
    memory: int


CHIPS: Mapping[str, Chip] = {
    "v4": Chip("v4-8", 275e12, 1.2e12, 32 << 30),
    "v5e": Chip("v5litepod-4", 197e12, 0.82e12, 16 << 30),
    "v5p": Chip("v5p-8", 459e12, 2.765e12, 95 << 30),
    "v6e": Chip("v6e-4", 918e12, 1.64e12, 32 << 30),
}


@dataclass(frozen=True)
class Compiled:
    """What the compiler tells of a program."""

    topology: str
    chip: Chip
    flops: float
    bytes: float
    transcendentals: float
    memory: Mapping[str, int]
    """Bytes by kind: code, arguments, results, what results share with arguments, temporaries."""
    cycles: int
    """The cycles of all fusions that the compiler has an estimate for."""
    alone: tuple[str, ...]
    """What each operation does that was not fused with another one."""
    text: str
    """The program as it was optimized."""
    unread: str = ""
    """Why jaxlib cannot read that program, where it cannot: then cycles and what was not fused are not known."""

    @property
    def total(self) -> int:
        """The bytes of its memory that it takes, what results share with arguments counted once."""
        return sum(n for kind, n in self.memory.items() if kind != "shared") - self.memory["shared"]

    @property
    def seconds(self) -> float:
        """How long it takes at best: as its operations or its bytes do, whichever take longer."""
        return max(self.flops / self.chip.flops, self.bytes / self.chip.bandwidth)

    @property
    def peak(self) -> float:
        """The part of the chip's peak that can be reached at best, the bytes being what they are."""
        return self.flops / self.chip.flops / self.seconds if self.seconds else 0.0


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as "v5e:2x2".

    Raises:
        AttributeValueError: it is none that is known.
    """
    name, _, shape = topology.partition(":")
    if name not in CHIPS or not re.fullmatch(r"\d+(x\d+)+", shape):
        known = ", ".join(CHIPS)
        message = f"{topology!r} is no topology of TPUs; one reads like v5e:2x2, for a generation of {known}"
        raise AttributeValueError(message)
    return CHIPS[name]


def compile_for(text: str, topology: str, count: int = 1, spread: bool = False) -> Compiled:
    """Compile a StableHLO program for so many chips of a topology, over which its arrays are `spread`, or each of which
    runs it on arrays of its own.

    Raises:
        AttributeValueError: the topology is not known, or has fewer chips.
        UnsupportedError: libtpu or jaxlib is not installed, or the compiler refuses the program.
    """
    chip = chip_of(topology)
    there = math.prod(map(int, topology.partition(":")[2].split("x")))
    if there < count:
        raise AttributeValueError(f"{topology} has {there} chips, and the program is for {count}")
    devices = _topology(topology, chip.accelerator)[:count]
    module, _ = xla.parsed(text)
    client = xla.jaxlib_client()
    options = xla.compile_options(devices, spread)
    try:
        with module.context:
            executable = devices[0].client.compile(module, client.DeviceList(tuple(devices)), options)
    except client.XlaRuntimeError as error:
        raise UnsupportedError(f"the compiler for {topology} refuses the program: {error}") from error
    return _described(executable, topology, chip)


@functools.cache
def _topology(topology: str, accelerator: str) -> Any:
    """The devices of a topology, none of which has to be there."""
    with _environment({**ENVIRONMENT, "TPU_ACCELERATOR_TYPE": accelerator}):
        return xla.load_libtpu().make_tfrt_tpu_c_api_device_topology(topology)._make_compile_only_devices()


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """Environment variables, where they are not set otherwise, for as long as libtpu reads them."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _described(executable: Any, topology: str, chip: Chip) -> Compiled:
    cost: dict[str, float] = executable.cost_analysis()
    stats = executable.get_compiled_memory_stats()
    text, unread = "", ""
    try:
        text = "\n".join(module.to_string() for module in executable.hlo_modules())
    except xla.jaxlib_client().XlaRuntimeError as error:
        unread = str(error).splitlines()[0]
    kinds = {
        "code": stats.generated_code_size_in_bytes,
        "arguments": stats.argument_size_in_bytes,
        "results": stats.output_size_in_bytes,
        "shared": stats.alias_size_in_bytes,
        "temporary": stats.temp_size_in_bytes,
    }
    return Compiled(
        topology,
        chip,
        cost.get("flops", 0.0),
        cost.get("bytes accessed", 0.0),
        cost.get("transcendentals", 0.0),
        kinds,
        sum(int(n) for n in re.findall(r'"estimated_cycles":"(\d+)"', text)),
        _alone(text),
        text,
        unread,
    )


_QUIET = {"parameter", "constant", "fusion", "tuple", "get-tuple-element", "bitcast", "copy-start", "copy-done"}
"""Operations that do nothing, or that others were fused into, or that move data while others compute."""


def _alone(text: str) -> tuple[str, ...]:
    """The operations of the entry computation that stand by themselves: name and type of each."""
    entry = text.partition("\nENTRY ")[2].split("\n}")[0]
    found = re.findall(r"^\s+(?:ROOT )?%[\w.-]+ = (\S+?)(?:\{[^ ]*)? ([\w-]+)\(", entry, re.MULTILINE)
    return tuple(f"{op} {type}" for type, op in found if op not in _QUIET)
