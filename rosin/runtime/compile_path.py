"""The compile path: a graph goes in, something that runs on the target comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from rosin.ir import facts, literal
from rosin.ir.dims import Dim
from rosin.ir.errors import UnsupportedError
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph
from rosin.ir.op import NumpyArray
from rosin.ir.sizes import Sizes, sizes_of
from rosin.ir.specialize import specialize
from rosin.ir.transform.batch import batch_graph
from rosin.ir.verify import verify
from rosin.passes.inline import Inline
from rosin.runtime import blocks, loading, memory
from rosin.runtime.executable import Executable
from rosin.runtime.native import NativeExecutable
from rosin.runtime.xla_executable import XlaExecutable, stablehlo_text

if TYPE_CHECKING:
    from rosin.ir.sharding import Shardings

RunShards: TypeAlias = "Callable[[Sequence[Sequence[NumpyArray]]], list[tuple[NumpyArray, ...]]]"

TARGETS = ("llvm", "xla", "interpreter")


def compile_graph(
    graph: Graph,
    target: str = "llvm",
    donated: Sequence[int] = (),
    known: Facts | None = None,
    kept: Sequence[int] = (),
) -> Executable:
    """Compile a graph for a target.

    `donated` lists the inputs whose memory results may take over, and `kept` those that stay the same for many calls,
    so that what depends on them alone may be computed once (`Executable.kept`). `known` is what is known of symbolic
    sizes. Arguments are checked to fit it, and what else the graph needs of them.

    Raises:
        UnsupportedError: there is no such target, or it declines an op of the graph.
        RosinError: a symbolic size cannot be read from the arguments.
    """
    graph, known, sizes = size_graph(graph, known)
    with facts.assuming(known):
        if target == "interpreter":
            return Executable(graph, known, sizes)
        if target == "llvm":
            return NativeExecutable(graph, tuple(donated), known, sizes, kept=tuple(kept))
        if target == "xla":
            return XlaExecutable(graph, tuple(donated), known, sizes)
    raise UnsupportedError(f"no target is called {target!r}; there are {', '.join(TARGETS)}")


def explain_graph(graph: Graph, known: Facts | None = None) -> str:
    """What `explain` says of the program of a graph, which is not compiled for that.

    Raises:
        RosinError: a symbolic size cannot be read from the arguments.
    """
    from rosin.runtime.making import Making

    graph, known, sizes = size_graph(graph, known)
    with facts.assuming(known):
        return Making(graph, (), sizes).explain()


def size_graph(graph: Graph, known: Facts | None) -> tuple[Graph, Facts, Sizes | None]:
    """The graph with sizes that are found to be equal made the same, and what is known and asked of its sizes."""
    known = Facts() if known is None else known.copy()
    if not graph.symbols():
        return graph, known, None
    if graph.measured():
        # Inlining gives new names to what is measured, so that has to be done by now.
        graph = Inline(few_steps=None).run(graph)
    with facts.assuming(known, gather=True):
        verify(graph)
        if known.equal:
            graph = specialize(graph, known.equal)
        limits = dict.fromkeys(known.greatest(v.type.size * v.type.dtype.bytes) for v in graph.values())
        given = {v.type.size * v.type.dtype.bytes for v in graph.inputs}
        symbolic = [bytes for bytes in limits if not isinstance(bytes, int) and bytes not in given]
        return graph, known, sizes_of(graph, known, _largest(symbolic))


def _largest(sizes: Sequence[Dim]) -> list[Dim]:
    """The sizes without those that are known to be at most another one."""
    found: list[Dim] = []
    for size in sizes:
        if not any(facts.known_at_least(other, size) for other in found):
            found = [other for other in found if not facts.known_at_least(size, other)] + [size]
    return found


def compile_shards(graph: Graph, target: str, mesh: Mapping[str, int], known: Facts | None = None) -> RunShards:
    """What gives the results of every device, given the arguments of each: the graph for devices along the named axes
    of a mesh. On a target other than "xla", where there is one device, they are the examples of a batch.

    Raises:
        UnsupportedError: there is no such target, it has too few devices, or it declines an op.
    """
    if not mesh:
        run = compile_graph(graph, target, (), known)
        return lambda shards: [run(*arguments) for arguments in shards]
    if target == "xla":
        from rosin.runtime.xla import Loaded

        return Loaded(stablehlo_text(graph, (), None, mesh), (), math.prod(mesh.values())).on_devices
    for axis, size in reversed(list(mesh.items())):
        graph = batch_graph(graph, [True] * len(graph.inputs), size, axis)
    together = compile_graph(graph, target, (), known)

    def run_shards(shards: Sequence[Sequence[NumpyArray]]) -> list[tuple[NumpyArray, ...]]:
        axes = tuple(mesh.values())
        stacked = [np.stack(parts).reshape(*axes, *parts[0].shape) for parts in zip(*shards, strict=True)]
        results = [x.reshape(len(shards), *x.shape[len(axes) :]) for x in together(*stacked)]
        return [tuple(x[device, ...] for x in results) for device in range(len(shards))]

    return run_shards


def compile_spread(graph: Graph, target: str, shardings: Shardings, known: Facts | None = None) -> Executable:
    """Compile a graph of whole arrays that are spread over the devices of a mesh. On a target other than "xla" there is
    one device, which has all of them.

    Raises:
        UnsupportedError: there is no such target, it has too few devices, or it declines an op.
        AttributeValueError: an array cannot be cut as it should be.
    """
    if target != "xla":
        return compile_graph(graph, target, (), known)
    graph, known, sizes = size_graph(graph, known)
    with facts.assuming(known):
        return XlaExecutable(graph, (), known, sizes, shardings)


def release_memory() -> None:
    """Give memory that compiled programs have left back to the system, where the C library keeps it otherwise."""
    literal.forget()
    memory.collect()
    loading.leave_session()
    blocks.trim()
    memory.trim()


__all__ = [
    "TARGETS",
    "compile_graph",
    "compile_shards",
    "compile_spread",
    "explain_graph",
    "release_memory",
    "size_graph",
    "stablehlo_text",
]
