"""A graph as a program for this CPU.

    graph → passes → loops → LLVM text → object code → loaded program

The object code of a graph is kept on disk under a key made of the graph's text, the target and the compiler's own
sources; when it is found there, none of the steps in between runs. Stages are made again, on demand, for whoever
wants to look at them, and where `ROSIN_DEBUG` watches, everything is compiled anew.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from rosin.backends.llvm.names import ENTRY, OUT_OF_MEMORY, PARALLEL, RECEIVER, SETUP, SIZES
from rosin.ir import dims, facts, printer
from rosin.ir.builder import Builder
from rosin.ir.errors import ConstraintError, OutOfMemoryError
from rosin.ir.facts import Facts
from rosin.ir.fingerprint import fingerprint
from rosin.ir.graph import Graph, region_fields
from rosin.ir.op import NumpyArray, Op, Types
from rosin.ir.ops.loop import Loop
from rosin.ir.sizes import Sizes
from rosin.ir.types import TensorType
from rosin.runtime import blocks, cache, host, jit, loading, memory, own_code
from rosin.runtime.entry import ArgumentSpec, ResultSpec, SizesSpec, cut, empty, make_entry
from rosin.runtime.entry_code import NO_ROOM, RELEASE_GIL_BYTES
from rosin.runtime.executable import Executable
from rosin.runtime.host import Receiver

if TYPE_CHECKING:
    from rosin.ir import steps
    from rosin.passes.instrument import Instrument
    from rosin.passes.tiles import TileSize
    from rosin.runtime.making import Making

TUNE = "ROSIN_TUNE"
"""The variable that has tiles of products chosen by measuring."""

LARGE = 256 << 10
"""Compiling object code of so many bytes leaves tens of MiB behind, which then go back to the system."""

_SIZES = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


class NativeExecutable(Executable):
    """A graph compiled to machine code for this CPU."""

    def __init__(
        self,
        graph: Graph,
        donated: tuple[int, ...],
        known: Facts,
        sizes: Sizes | None,
        tiles: Mapping[str, TileSize] | None = None,
        kept: tuple[int, ...] = (),
    ) -> None:
        """With `tiles` it is a program that is tried out, and not kept on the disk."""
        super().__init__(graph, known, sizes)
        self.donated = donated
        self._may_keep = kept
        self.tiles = tiles
        self.from_cache = False
        self._tuned: list[tuple[str, int, int]] = []
        """What the tuner has chosen, as it is kept on the disk."""
        self.aliases: dict[int, int] = {}
        watch = _watch()
        self.receiver: Receiver | None = None
        """What the program asks of Python; None when it asks nothing."""
        with own_code.made_meanwhile():
            objects, quick = self._objects(watch)
            own_code.install()
        if self.routines:
            from rosin.runtime import routines

            routines.install(self.routines, quick)
        blocks.tidy()
        self.library = loading.load_object(*objects)
        self.address = self.library.address(ENTRY)
        if not self.from_cache and sum(map(len, objects)) >= LARGE:
            # What compiling leaves in cycles is young, or was when it was last looked at, while LLVM was busy.
            gc.collect(1)
            memory.trim()
        if self.receiver is not None:
            ctypes.c_void_p.from_address(self.library.address(RECEIVER)).value = id(self.receiver)
        if watch is not None:
            watch.check_program(graph, self)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbolic sizes, in the order in which programs have them."""
        return () if self.sizes is None else self.sizes.symbols

    # -- compiling -----------------------------------------------------------------------------------------

    @property
    def stages(self) -> tuple[str, ...]:
        return self._making().stages

    def _objects(self, watch: Instrument | None) -> tuple[list[bytes], bool]:
        """The object code, in one piece or more, from the disk if it is there, and whether quick code does for its
        routines; sets what else a call needs to know."""
        tunes = self.tiles is None and watch is None and os.environ.get(TUNE, "0") != "0"
        key = _key(self.graph, self.donated, self.known, self.sizes, tunes, self._may_keep)
        keeps = self.tiles is None and not _is_local(self.graph)
        # An instrument watches the compiler at work, so that it has to work.
        entry = cache.default().get(key) if keeps and watch is None else None
        if entry is not None:
            self.from_cache = True
            meta: Mapping[str, Any] = entry.meta
            objects = entry.objects()
            if meta["host"]:
                self.receiver = Receiver(list(map(_read_call, meta["host"])), self.symbols)
        else:
            if tunes:
                from rosin.runtime import tuning

                self.tiles = tuning.tiles_of(self.lowered(), _tried)
            from rosin.ir import steps

            program, objects, routines = self._making().build(watch)
            results, arguments = program.results, program.arguments
            pairs = [[results.index(r), arguments.index(a)] for r, a in program.aliases.items()]
            calls = list(steps.host_calls(program.steps))
            if calls:
                self.receiver = Receiver.of(calls, self.symbols)
            meta = {
                "arena_bytes": program.arena_bytes,
                "aliases": pairs,
                "host": list(map(_written_call, calls)),
                "slots": len(program.slots),
                "lengths": list(map(len, objects)),
                "kept_bytes": 0 if program.block is None else program.block.bytes,
                "tiles": [[key, size.vectors, size.rows] for key, size in (self.tiles or {}).items()],
                "routines": list(routines.names),
                "quick": routines.quick,
            }
            # What an instrument is about to check may turn out to be wrong.
            if keeps and watch is None:
                cache.default().put(key, b"".join(objects), meta, later=True)
        self.arena_bytes = int(meta["arena_bytes"])
        self.slots = int(meta["slots"])
        self.kept_bytes = int(meta["kept_bytes"])
        self.kept = self._may_keep if self.kept_bytes else ()
        self._tuned = meta["tiles"]
        self.routines: list[str] = meta["routines"]
        self.aliases = {int(result): int(argument) for result, argument in meta["aliases"]}
        return objects, meta["quick"]

    def lowered(self) -> Graph:
        """The graph after all passes."""
        with facts.assuming(self.known):
            return self._making().lowered()

    def program(self) -> steps.Program:
        """The loop-level program."""
        with facts.assuming(self.known):
            return self._making().program()

    def _making(self) -> Making:
        # What is found on the disk needs no compiler, so that this loads all passes and the backend on first use.
        from rosin.passes.tiles import TileSize
        from rosin.runtime.making import Making

        if self.tiles is None:
            self.tiles = {key: TileSize(vectors, rows) for key, vectors, rows in self._tuned}
        return Making(self.graph, self.donated, self.sizes, self.tiles, self._may_keep)

    def explain(self) -> str:
        with facts.assuming(self.known):
            return self._making().explain()

    def stage_text(self, stage: str) -> str:
        with facts.assuming(self.known):
            return super().stage_text(stage) if stage == "traced" else self._making().stage_text(stage)

    # -- running -------------------------------------------------------------------------------------------

    def __call__(self, *arguments: NumpyArray, prepared: NumpyArray | None = None) -> tuple[NumpyArray, ...]:
        arrays = [np.ascontiguousarray(a).reshape(np.shape(a)) for a in arguments]
        sizes = self.bind(arrays)
        block, arena_bytes = self._block(arrays)
        try:
            results: tuple[NumpyArray, ...] = tuple(self._room(v.type, sizes) for v in self.graph.outputs)
            arena = np.empty(arena_bytes + 64, np.uint8)
        except MemoryError:
            self._fail(NO_ROOM)
        for result, argument in self.aliases.items():
            # The caller keeps its array: the result starts as a copy, and the program works on that.
            results[result][...] = arrays[argument]
            arrays[argument] = results[result]
        if self.kept and prepared is None:
            prepared = self.prepared([arrays[i] for i in self.kept])
        kept = () if prepared is None else (prepared,)
        buffers = (*arrays, *kept, *results, block)
        pointers = (ctypes.c_void_p * len(buffers))(*(a.ctypes.data for a in buffers))
        start = -arena.ctypes.data % 64
        status = host.run(self.address, pointers, arena.ctypes.data + start)
        if status:
            self._fail(status)
        if self.sizes is not None and self.sizes.measured:
            found = dict(zip(self.symbols, block.tolist(), strict=False))
            for result, value in zip(results, self.graph.outputs, strict=True):
                cut(result, [dims.evaluate(dim, found) for dim in value.type.shape])
        return results

    def prepared(self, arrays: Sequence[NumpyArray]) -> NumpyArray:
        try:
            whole = np.empty(self.kept_bytes + 64, np.uint8)
        except MemoryError:
            self._fail(NO_ROOM)
        start = -whole.ctypes.data % 64
        block = whole[start : start + self.kept_bytes]
        inputs = len(self.graph.inputs)
        pointers = (ctypes.c_void_p * (inputs + 1))()
        for position, array in zip(self.kept, arrays, strict=True):
            pointers[position] = array.ctypes.data
        pointers[inputs] = block.ctypes.data
        status = host.run(self.library.address(SETUP), pointers, 0)
        if status:
            self._fail(status)
        return block

    def _room(self, type: TensorType, sizes: Mapping[str, int]) -> NumpyArray:
        """An array for a result, of the greatest sizes that it may turn out to have."""
        most = type.shape if self.sizes is None else map(self.sizes.greatest, type.shape)
        return empty([dims.evaluate(dim, sizes) for dim in most], type.dtype.numpy)

    def _fail(self, code: int) -> NoReturn:
        """Raise what a call that failed raises."""
        name = self.graph.name
        if code == OUT_OF_MEMORY:
            what = "what reverse mode keeps of the steps of a loop"
            raise OutOfMemoryError(f"{name}: there is no memory for {what}; a checkpoint keeps less of them")
        if code == NO_ROOM:
            results = ", ".join(str(v.type) for v in self.graph.outputs)
            bytes = "" if self.sizes is not None else f" ({self.work} bytes with its arguments)"
            raise OutOfMemoryError(f"{name}: there is no memory for its results {results} or on the way to them{bytes}")
        raise RuntimeError(f"the compiled program {name} ended with code {code}")

    def _block(self, arrays: Sequence[NumpyArray]) -> tuple[NumpyArray, int]:
        """The block of sizes for arguments that fit, and the bytes of the arena."""
        spec = self._sizes_spec()
        if spec is None:
            return np.empty(0, np.int64), self.arena_bytes
        given = np.array([n for array in arrays for n in array.shape], np.int64)
        block = np.empty(spec.block_words, np.int64)
        if _SIZES(spec.address)(given.ctypes.data, block.ctypes.data) < 0:
            raise ConstraintError(f"{self.graph.name}: the memory that these sizes take cannot be addressed")
        return block, int(block[spec.arena_word])

    def _sizes_spec(self) -> SizesSpec | None:
        if self.sizes is None:
            return None
        symbols, words = len(self.sizes.symbols), sum(map(len, self.sizes.results))
        address = self.library.address(SIZES)
        first = symbols + 1 + self.slots
        return SizesSpec(address, first + words, symbols, first, bool(self.sizes.measured))

    def entry(
        self,
        array_type: type,
        value_offset: int,
        miss: Callable[..., Any],
        single: bool,
        prepared: NumpyArray | None = None,
    ) -> Callable[..., Any]:
        """A native callable that takes arrays of this program's types and calls `miss` for anything else."""
        arguments = [
            ArgumentSpec(v.type.dtype.numpy, v.type.shape, i in self.aliases.values())
            for i, v in enumerate(self.graph.inputs)
        ]
        results = [
            ResultSpec(v.type.dtype.numpy, v.type.shape, self.aliases.get(i)) for i, v in enumerate(self.graph.outputs)
        ]
        loops = any(issubclass(op, Loop) for op in {type(node.op) for node in self.graph.nodes})
        return make_entry(
            self.graph.name,
            self.address,
            arguments,
            results,
            () if prepared is None else (prepared,),
            self.arena_bytes,
            array_type,
            value_offset,
            miss,
            self._fail,
            single,
            # A function of the user's may ask for the GIL on another thread, while this one waits for that.
            release_gil=(self.sizes is None and self.work > RELEASE_GIL_BYTES)
            or loops
            or _is_local(self.graph)
            or _calls_c(self.graph),
            keep=(self.library, self.receiver),
            sizes=self._sizes_spec(),
        )

    @property
    def work(self) -> int:
        """The bytes of arguments, results and arena: a rough measure of how long a call takes."""
        return self.arena_bytes + sum(v.type.bytes for v in (*self.graph.inputs, *self.graph.outputs))


def _watch() -> Instrument | None:
    """The instrument that `ROSIN_DEBUG` asks for."""
    if not os.environ.get("ROSIN_DEBUG"):
        return None
    from rosin.passes.instrument import from_environment

    return from_environment()


def _is_local(graph: Graph) -> bool:
    """Whether what the text of a graph means is known in this process alone, and may be another thing elsewhere.

    So it is with functions and ops of the user's.
    """
    return _has(graph, lambda c: not c.__module__.startswith("rosin.") or _holds_function(c))


def _calls_c(graph: Graph) -> bool:
    """Whether a C function of the user's is called, which may be one of Python's."""
    return _has(graph, lambda c: _holds_function(c, "NativeFunction"))


def _has(graph: Graph, test: Callable[[type[Op]], bool]) -> bool:
    """Whether the test holds for the class of some op, in regions too."""
    classes = {type(node.op) for node in graph.nodes}
    if any(map(test, classes)):
        return True
    return any(map(region_fields, classes)) and any(_has(r, test) for node in graph.nodes for r in node.regions)


@functools.cache
def _holds_function(op_class: type[Op], kind: str = "HostFunction") -> bool:
    """Whether ops of a class have a function of the user's among their attributes."""
    return any(kind in str(f.type) for f in fields(op_class))


def _written_call(call: steps.HostCall) -> str:
    """A call of Python as the text of a graph."""
    b = Builder()
    return printer.text(b.graph(b.node(call.op, *map(b.input, call.operands)), "host"))


def _read_call(text: str) -> tuple[Op, Types, Types]:
    from rosin.ir.parser import parse

    (node,) = parse(text).nodes
    return node.op, tuple(v.type for v in node.operands), tuple(v.type for v in node.results)


def _key(
    graph: Graph, donated: tuple[int, ...], known: Facts, sizes: Sizes | None, tunes: bool, kept: tuple[int, ...]
) -> str:
    """What the object code of a graph depends on, as a hash."""
    about = () if sizes is None else (*known.lines(), *map(str, known.typical.items()), sizes.key())
    parts = (
        fingerprint(graph),
        str(donated),
        str(kept),
        "tuned" if tunes else "",
        *about,
        jit.host().key,
        PARALLEL,
        cache.compiler_version(),
    )
    return cache.hashed(*parts)


def _tried(graph: Graph, tiles: Mapping[str, TileSize]) -> NativeExecutable:
    """A program with tiles that are tried out."""
    return NativeExecutable(graph, (), Facts(), None, tiles)
