"""What depends on kept inputs alone is computed once, before the program: packed weights of products, for instance.

Inputs are *kept* that are the same arrays in most calls, like those that a function reads from outside. Kernels that
read nothing else become the program's setup. What they write lies in a block of memory of its own, which whoever runs
the program has made once, and again when a kept input is another one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rosin.ir import facts
from rosin.ir.dims import is_static
from rosin.ir.graph import Graph
from rosin.ir.loops import Buffer, Scope
from rosin.ir.op import Value
from rosin.ir.steps import Again, HostCall, Kernel, RoutineCall, Step, innermost
from rosin.passes import memory
from rosin.passes.arena import uses

FOREVER = 1 << 40
"""In so many steps a value is the same that depends on kept inputs alone."""

LEAST_BYTES = 1 << 14
"""A setup that makes less takes less time than to find out whether it is still right."""


def kept_values(graph: Graph, kept: Collection[int]) -> dict[Value, int]:
    """The values that depend on kept inputs alone, each with the number of steps in which it is the same."""
    found = {graph.inputs[i]: FOREVER for i in kept}
    for node in graph.nodes:
        alone = bool(node.operands) and not node.op.effect and all(v in found for v in node.operands)
        if alone and not node.regions:
            found.update((v, FOREVER) for v in node.results)
    return found


def split_off(
    steps: Sequence[Step], kept: Collection[Buffer], symbolic: bool
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The setup, and the other steps; `kept` are the buffers of kept inputs. Sizes may be `symbolic` somewhere."""
    found = [step for step in steps if isinstance(step, Kernel | Again) and (not symbolic or _is_static(step))]
    written = {id(step): set(_written(step)) for step in steps}
    while True:
        inside = set(map(id, found))
        others = {b for step in steps if id(step) not in inside for b in written[id(step)]}
        known = {*kept, *(b for step in found for b in written[id(step)])} - others
        fit = [step for step in found if _fits(step, written[id(step)], known, others)]
        if len(fit) == len(found):
            break
        found = fit
    if sum(facts.estimate(b.bytes) for b in _made(found)) < LEAST_BYTES:
        return (), tuple(steps)
    return tuple(found), tuple(step for step in steps if id(step) not in inside)


def _fits(step: Kernel | Again, written: set[Buffer], known: set[Buffer], others: Collection[Buffer]) -> bool:
    """Whether a step reads nothing but what is known, and alone writes what it writes."""
    read = {b for b in step.buffers if b.scope is not Scope.CONSTANT} - written
    return read <= known and all(b.scope is Scope.ARENA and b not in others for b in written)


def _is_static(step: Kernel | Again) -> bool:
    """Whether no size that is symbolic has a say in what a step does."""
    contents = _kernel(step).contents
    sizes = [b.size for b in step.buffers]
    sizes += [var.extent for var in contents.variables()]
    sizes += [size for index in contents.indices() for size in (index.constant, *(c for _, c in index.terms))]
    return is_static(sizes)


def _kernel(step: Kernel | Again) -> Kernel:
    return step.kernel if isinstance(step, Again) else step


def _written(step: Step) -> Iterator[Buffer]:
    """What a step, or one in it, writes."""
    for leaf in innermost((step,)):
        if isinstance(leaf, HostCall | RoutineCall):
            yield from (load.buffer for load in leaf.writes)
        else:
            places: Mapping[Buffer, Buffer] = leaf.places if isinstance(leaf, Again) else {}
            kernel = leaf.kernel if isinstance(leaf, Again) else leaf
            yield from (places.get(s.buffer, s.buffer) for s in kernel.contents.stores)


def _made(setup: Sequence[Step]) -> list[Buffer]:
    return list(dict.fromkeys(b for step in setup for b in _written(step)))


def block_of(setup: Sequence[Step], steps: Sequence[Step]) -> tuple[dict[Buffer, int], int]:
    """Where in the block everything lies that the setup writes, and the bytes of the block."""
    made, end = _made(setup), len(setup)
    first, last = dict[Buffer, int](), dict[Buffer, int]()
    for now, step in enumerate(setup):
        for buffer in uses((step,)):
            first.setdefault(buffer, now)
            last[buffer] = now
    last.update(dict.fromkeys(uses(steps), end))
    plan = memory.plan([memory.Lifetime(facts.estimate(b.bytes), first[b], last[b]) for b in made])
    return dict(zip(made, plan.offsets, strict=True)), plan.total_bytes
