"""Text of an LLVM module to object code.

The steps to code that runs are apart, because object code is what the disk cache keeps:

    text --compile_object--> bytes --loading.load_object--> Library --address--> int

The text is expected to be vectorised by hand, so few passes pay: SROA, and only where functions have slots on the
stack. Measured on a softmax kernel (16 lanes, three loops; per kernel): parse 0.13 ms, verify 0.03 ms, SROA 0.13 ms,
code generation 3.4 ms. LLVM's own O1 adds 2.3 ms, O2 with vectorisers 6 ms, and neither makes that kernel faster.

LLVM costs about 10 ms to load and 65 MB of memory, on first use; what is found on the disk does not use it.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import fields
from typing import Any, Literal, Self

from rosin.backends.llvm.modules import has_slots, is_cold
from rosin.ir.dataclass import dataclass
from rosin.runtime import cache, llvm_calls, processor

__all__ = [
    "CompileError",
    "Compiling",
    "Target",
    "assembly",
    "compile_object",
    "compile_objects",
    "host",
    "is_compiling",
    "optimized",
    "short_turns",
]


ORDERED_ACCESSES = 100
"""Of more accesses to memory in one block, LLVM's schedulers no longer compare each with every other. Its own default
is 1000; what follows the sums of a tile is one block of hundreds, and took most of the time of its kernel."""


TURN_SECONDS = 2e-4
"""So long a thread of Python runs on while modules are made and compiled at once. What compiles one needs the
interpreter for a moment dozens of times, and would wait for Python's own 5 ms each time."""


class CompileError(Exception):
    """LLVM rejected the text of a module; the message shows the lines at fault."""


@functools.cache
def _set_up() -> None:
    """What all machines want of LLVM."""
    llvm_calls.set_option(f"-dag-maps-huge-region={ORDERED_ACCESSES}")


# -- targets ---------------------------------------------------------------------------------------------------


_WORDS = {
    "i8": ("avx512vnni",),
    "bf16": ("avx512bf16",),
    "i8 tiles": ("amx-tile", "amx-int8"),
    "bf16 tiles": ("amx-tile", "amx-bf16"),
}


@dataclass(frozen=True)
class Target:
    """The processor to make code for: what LLVM must know of it, and the sizes that tiling depends on (bytes)."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    l1d_bytes: int
    l2_bytes: int
    l3_bytes: int
    llvm: str
    """The version of LLVM that makes the code."""

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """The element types of which it multiplies several numbers at a time, by instructions that features name, and
        those of which it has registers for tiles."""
        features = self.features.split(",")
        found = {
            name
            for name, needed in _WORDS.items()
            if all(f"+{feature}" in features and f"-{feature}" not in features for feature in needed)
        }
        return frozenset(found) if self.vector_bytes >= 64 else frozenset()

    @functools.cached_property
    def assembles(self) -> bool:
        """Whether it is of the kind that code is written for in the assembler: x86 with registers of 64 bytes, which
        are shuffled by any instruction of AVX-512, and the calls of System V."""
        has_all = all(f"+{feature}" in self.features.split(",") for feature in ("avx512f", "avx512dq", "avx512vl"))
        return has_all and self.triple.startswith("x86_64") and "linux" in self.triple and self.vector_bytes == 64

    @functools.cached_property
    def far_bytes(self) -> int:
        """Arrays of one loop that take so many bytes together are in no cache when they are wanted again; 0 where
        stores do not go past caches. Others than x86 see by themselves that lines are written whole."""
        return 2 * self.l3_bytes if self.triple.startswith("x86_64") else 0

    @functools.cached_property
    def key(self) -> str:
        """A short text that differs when code made for the target may differ; for the keys of caches."""
        return cache.hashed(*(str(getattr(self, field.name)) for field in fields(self)))[:24]


@functools.cache
def host() -> Target:
    """The processor of this process.

    `ROSIN_CPU` names another one by LLVM's name (`haswell`, `znver4`…) and drops the features found on the host;
    `ROSIN_FEATURES` (`-avx512f`, `+avx512fp16,-prefer-256-bit`…) is appended to the features in either case.

    What LLVM says of the processor is kept on the disk, where the system tells which one it is.
    """
    given = (os.environ.get("ROSIN_CPU", ""), os.environ.get("ROSIN_FEATURES", ""))
    asked = processor.identity(processor.llvm_library())
    if asked is None:
        facts = _ask_llvm(*given)
    else:
        key = cache.hashed("tuned host", *asked, *given)
        entry = cache.default().get(key)
        facts = _ask_llvm(*given) if entry is None else entry.meta
        if entry is None:
            cache.default().put(key, b"", facts)
    l1d, l2, l3 = processor.cache_sizes()
    if "+amx-tile" in facts["features"] and not processor.allow_tiles():
        facts = {**facts, "features": facts["features"] + ",-amx-tile"}
    return Target(**facts, l1d_bytes=l1d, l2_bytes=l2, l3_bytes=l3)


def _ask_llvm(named: str, features: str) -> dict[str, Any]:
    """What LLVM knows of the processor, or of one that is named."""
    triple, found, known = llvm_calls.host()
    cpu, parts = (named, []) if named else (found, [known])
    if triple.startswith("x86_64"):
        # Some processors are tuned to 256 bits in LLVM's tables; the width of a kernel is our decision.
        parts.append("-prefer-256-bit")
        if cpu.startswith("znver") and int(cpu.removeprefix("znver")) >= 4:
            # Its tables lack that from Zen 4 on lanes cross a register as fast as half of one.
            parts.append("+fast-variable-crosslane-shuffle")
    joined = ",".join(part for part in (*parts, features) if part)
    return {
        "triple": triple,
        "cpu": cpu,
        "features": joined,
        "vector_bytes": _vector_bytes(triple, cpu, joined),
        "llvm": ".".join(map(str, llvm_calls.version())),
    }


def _vector_bytes(triple: str, cpu: str, features: str) -> int:
    """The width of the widest registers that the code generator really uses for a vector of 64 bytes."""
    probe = Target(triple, cpu, features, 16, 0, 0, 0, "")
    text = "define <16 x float> @probe(<16 x float> %x) {\n  %y = fadd <16 x float> %x, %x\n  ret <16 x float> %y\n}"
    code = assembly(text, probe, optimize=0)
    return 64 if "%zmm" in code else 32 if "%ymm" in code else 16


# -- text to object code ---------------------------------------------------------------------------------------

# The passes of each level, and the speed level of LLVM's whole pipeline in their place (0: none).
_PASSES = {
    0: ("AlwaysInliner",),
    1: ("AlwaysInliner", "SROA"),
    2: ("AlwaysInliner", "SROA", "InstCombine", "SimplifyCFG", "NewGVN"),
    3: (),
}
_PIPELINE = {0: 0, 1: 0, 2: 0, 3: 3}
_CODE_GENERATION: dict[int, Literal[0, 1, 2, 3]] = {0: 0, 1: 2, 2: 2, 3: 3}


def compile_object(text: str, target: Target | None = None, optimize: int = 1) -> bytes:
    """The object code of a module.

    `optimize`: 0 is for the least time to compile (about a third, code that runs up to 1.5 times as long), 1 for text
    vectorised by hand (SROA), 2 adds the scalar clean-ups for text with redundancy, 3 is LLVM's whole O3 with its
    vectorisers, for scalar text. Functions marked `alwaysinline` are inlined at every level.

    Raises `CompileError` when LLVM does not parse or verify the text.
    """
    return compile_objects([text], target, optimize)[0]


def compile_objects(texts: Sequence[str], target: Target | None = None, optimize: int = 1) -> list[bytes]:
    """The object code of several modules, as of `compile_object`, each compiled on a thread of its own."""
    with Compiling(max(len(texts), 1), target, optimize) as compiling:
        return compiling.objects(texts)


_turns_lock = threading.Lock()
_taking_turns: list[float] = []
"""What the length of a turn was, for each that has made it short and is not done."""


def is_compiling() -> bool:
    """Whether modules of a program or a routine are made and compiled at this moment."""
    return bool(_taking_turns)


@contextlib.contextmanager
def short_turns() -> Generator[None]:
    """Meanwhile the threads of Python take shorter turns."""
    with _turns_lock:
        _taking_turns.append(sys.getswitchinterval() if not _taking_turns else _taking_turns[0])
        sys.setswitchinterval(min(TURN_SECONDS, _taking_turns[0]))
    try:
        yield
    finally:
        with _turns_lock:
            before = _taking_turns.pop()
            if not _taking_turns:
                sys.setswitchinterval(before)


class Compiling:
    """Modules that threads compile while others are still being made; those of cold functions alone in the least time.

    A signal may come at any moment of it: whatever is awaited can be awaited again, and what had not begun is dropped.

    The C library has other memory for other threads: what LLVM takes for a moment, and the little of it that llvmlite
    never gives back, does not lie among what lasts, which would keep the system from having either back.
    """

    def __init__(self, most: int, target: Target | None = None, optimize: int = 1) -> None:
        """On at most so many threads, one less while modules are made."""
        self.most = most
        self.target = host() if target is None else target
        self.optimize = optimize
        self.texts: list[str] = []
        self._waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._working = 0
        """How many threads there are."""
        self._begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        """One for each module whose machine code is being made."""
        self._ended: list[None] = []
        """One for each thread that is done."""
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()
        """One more after each more of them."""
        self._over = False
        self._made: dict[int, bytes] = {}
        self._failed: list[BaseException] = []
        self._turns = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        try:
            self._finish()
        finally:
            self._turns.close()

    def _finish(self) -> None:
        """Have the threads end, and wait for them."""
        self._waiting.put(None)
        while len(self._ended) < self._working:
            self._done.get()

    def add(self, text: str) -> None:
        """One more module."""
        self._put(text)
        if not self._working:
            self._turns.enter_context(short_turns())
        if self._working < self.most - 1:
            self._start(here=False)

    def objects(self, texts: Sequence[str] = (), meanwhile: Callable[[], object] | None = None) -> list[bytes]:
        """The object code of all modules, of which these are the last. `meanwhile` is called once LLVM is busy with
        machine code alone, for which it does not need the interpreter.

        Raises `CompileError` when LLVM does not parse or verify the text of one.
        """
        for text in texts:
            self._put(text)
        while self._working < (needed := min(self.most, len(self.texts))):
            self._start(here=self._working == needed - 1)
        if meanwhile is not None:
            for _ in self.texts:
                self._begun.get()
            meanwhile()
        self._finish()
        if self._failed:
            raise self._failed[0]
        return [self._made[number] for number in range(len(self.texts))]

    def _put(self, text: str) -> None:
        self.texts.append(text)
        self._waiting.put(len(self.texts) - 1)

    def _start(self, here: bool) -> None:
        """One more thread, on the processor of the one that calls if that is about to wait."""
        # The table of `threading` would be made anew now and then, among what goes when programs do.
        everywhere = processor.allowed()
        processor.place(_thread.start_new_thread(self._work, (everywhere,)), here, everywhere)
        self._working += 1

    def _work(self, everywhere: int) -> None:
        while (number := self._waiting.get()) is not None and not self._over:
            try:
                text = self.texts[number]
                optimize = 0 if is_cold(text) else self.optimize
                with (
                    _machine(self.target, optimize) as machine,
                    _optimized_module(text, self.target, machine, optimize) as module,
                ):
                    processor.leave(everywhere)
                    self._begun.put(None)
                    self._made[number] = _emitted(machine, module)
            except BaseException as error:  # Whoever waits gets it.
                self._failed.append(error)
                self._begun.put(None)
        self._waiting.put(None)  # For the next one.
        self._ended.append(None)
        self._done.put(None)


def _emitted(machine: llvm_calls.Machine, module: int) -> bytes:
    """The object code of a module."""
    try:
        return llvm_calls.machine_code(machine, module)
    except llvm_calls.Rejected as error:
        raise CompileError(f"no code could be generated: {error}") from None


def assembly(text: str, target: Target | None = None, optimize: int = 1) -> str:
    """The assembler text of what `compile_object` makes of a module."""
    target = host() if target is None else target
    machine = _new_machine(target, optimize)
    with _optimized_module(text, target, machine, optimize) as module:
        return llvm_calls.machine_code(machine, module, is_object=False).decode()


def optimized(text: str, target: Target | None = None, optimize: int = 1) -> str:
    """The LLVM text after the passes that `compile_object` runs, before code generation."""
    target = host() if target is None else target
    with _optimized_module(text, target, _new_machine(target, optimize), optimize) as module:
        return llvm_calls.printed(module)


def _new_machine(target: Target, optimize: int) -> llvm_calls.Machine:
    if optimize not in _PIPELINE:
        raise ValueError(f"optimize must be one of {sorted(_PIPELINE)}, not {optimize}")
    _set_up()
    return llvm_calls.Machine(target.triple, target.cpu, target.features, _CODE_GENERATION[optimize])


IDLE_MACHINES = 4
"""So many machines of a target at most wait for the next module."""

_idle: dict[tuple[Target, int], list[llvm_calls.Machine]] = {}


@contextlib.contextmanager
def _machine(target: Target, optimize: int) -> Generator[llvm_calls.Machine]:
    """A machine that nothing else uses meanwhile.

    What it has found out about the processor serves the next module too: of a small one that is a third of the time.
    """
    idle = _idle.setdefault((target, optimize), [])
    try:
        machine = idle.pop()
    except IndexError:
        machine = _new_machine(target, optimize)
    yield machine
    if len(idle) < IDLE_MACHINES:
        idle.append(machine)


@contextlib.contextmanager
def _optimized_module(text: str, target: Target, machine: llvm_calls.Machine, optimize: int) -> Generator[int]:
    """Parse and verify a module and run the passes of the level, for a machine of its own."""
    try:
        with llvm_calls.module(_heading(target) + text + _narrowing(text, target)) as module:
            if optimize > 1 or has_slots(text):
                llvm_calls.run_passes(module, machine, _PASSES[optimize], _PIPELINE[optimize])
            yield module
    except llvm_calls.Rejected as error:
        raise CompileError(_explain(str(error), text)) from None


def _narrowing(text: str, target: Target) -> str:
    """What LLVM calls to have a number of bfloat16 back that it has carried from block to block as a float, where the
    target has no instructions for them: its high half is where such a result is returned."""
    if "bfloat" not in text or "bf16" in target.words:
        return ""
    return """
define internal float @__truncsfbf2(float %x) noinline nounwind {
  %bits = bitcast float %x to i32
  %high = lshr i32 %bits, 16
  %result = bitcast i32 %high to float
  ret float %result
}
@llvm.compiler.used = appending global [1 x ptr] [ptr @__truncsfbf2], section "llvm.metadata"
"""


@functools.cache
def _heading(target: Target) -> str:
    """What a module says of its target, on the line that is its first."""
    machine = _new_machine(target, 0)
    return f'target datalayout = "{machine.layout()}" target triple = "{machine.triple()}" '


def _explain(message: str, text: str) -> str:
    """LLVM's message followed by the lines of the module that it speaks of, numbered, two lines of context around."""
    lines = text.split("\n")
    at = {int(number) - 1 for number in re.findall(r"^<string>:(\d+):\d+:", message, re.MULTILINE)}
    if not at:
        # The verifier prints instructions, not lines: find each by its text without the blanks.
        bare = {re.sub(r"\s+", "", line): number for number, line in reversed(list(enumerate(lines)))}
        quoted = (re.sub(r"\s+", "", line) for line in message.split("\n")[1:])
        at = {bare[line] for line in quoted if line in bare}
    shown = sorted({near for number in at for near in range(number - 2, number + 3) if 0 <= near < len(lines)})
    excerpt = [f"{'->' if number in at else '  '} {number + 1:5d} | {lines[number]}" for number in shown]
    return "\n".join([message.strip(), *excerpt])
