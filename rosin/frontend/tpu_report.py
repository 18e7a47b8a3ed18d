"""What `rosin tpu-check` prints: the compiler's figures for a program on a TPU, and what would make it faster there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import f32, f64
from rosin.ir.graph import Graph, Node
from rosin.ir.ops.contract import Contraction
from rosin.ir.ops.loop import While
from rosin.ir.types import TensorType
from rosin.passes.explain import size_text

if TYPE_CHECKING:
    from rosin.runtime.tpu import Compiled

LANES, SUBLANES = 128, 8
"""A register holds so many neighbours along the last axis, and so many rows of 32 bits of them."""

SHOWN = 5
"""How many of a kind are named."""

WASTE = 1.25
"""Arrays that padding makes larger than by this are worth a word."""


def padded_bytes(type: TensorType) -> int:
    """The memory that a value takes in tiles of registers: the last axis in steps of 128, the one before of 8 rows."""
    *rest, rows, columns = (1, 1, *type.sizes)
    step = SUBLANES * max(4 // type.dtype.bytes, 1)
    total = -(-rows // step) * step * -(-columns // LANES) * LANES * type.dtype.bytes
    for size in rest:
        total *= size
    return total


@dataclass(frozen=True)
class Padding:
    """An array that is mostly padding: its name, and its bytes with and without."""

    name: str
    type: TensorType
    bytes: int
    padded: int

    def __str__(self) -> str:
        return f"{self.name}: {self.type} takes {size_text(self.padded)} for {size_text(self.bytes)}"


def paddings(graph: Graph) -> list[Padding]:
    """Arguments and results of products that padding makes much larger, the worst first."""
    values = dict.fromkeys(
        (*graph.inputs, *(v for n in graph.nodes if isinstance(n.op, Contraction) for v in n.results))
    )
    found = [Padding(v.name or "a product", v.type, v.type.bytes, padded_bytes(v.type)) for v in values if v.type.rank]
    wasteful = [p for p in found if p.bytes and p.padded > WASTE * p.bytes]
    return sorted(wasteful, key=lambda p: p.bytes - p.padded)


def advice(graph: Graph) -> Iterator[str]:
    """What would make the program faster on a TPU, a line each."""
    nodes = list(_nodes(graph))
    wide = [n for n in nodes if isinstance(n.op, Contraction) and n.operands[0].type.dtype == f32]
    if wide:
        bf16 = "with bf16 factors (rosin.mixed_precision) they take one pass and not six"
        yield f"{_count(wide, 'product')} of f32: {bf16}{_places(wide)}"
    double = [n for n in nodes if any(v.type.dtype == f64 for v in n.results)]
    if double:
        yield f"{_count(double, 'op')} of f64, which a TPU makes of several of f32{_places(double)}"
    narrow = paddings(graph)
    if narrow:
        named = "; ".join(map(str, narrow[:SHOWN]))
        sizes = f"{LANES} along the last axis and of {SUBLANES} before it"
        yield f"sizes that are multiples of {sizes} have no padding: {named}"
    loops = [n for n in nodes if isinstance(n.op, While)]
    if loops:
        yield f"{_count(loops, 'loop')} of unknown length: a scan has a length that the compiler knows{_places(loops)}"


def report(name: str, graph: Graph, found: Compiled) -> str:
    """The whole report."""
    kinds = ", ".join(f"{kind} {size_text(n)}" for kind, n in found.memory.items())
    padded, plain = sum(padded_bytes(v.type) for v in graph.inputs), sum(v.type.bytes for v in graph.inputs)
    lines = [
        f"{name} compiles for {found.topology}",
        f"  work        {found.flops:.4g} flops, {found.transcendentals:.4g} transcendentals, {found.bytes:.4g} bytes",
        f"  memory      {size_text(found.total)} of {size_text(found.chip.memory)}: {kinds}",
        f"  time        {found.seconds * 1e6:.1f} µs at best, {found.cycles} cycles estimated for fusions",
        f"  peak        {found.peak:.1%} of {found.chip.flops / 1e12:.0f} Tflop/s at most",
        f"  padding     arguments take {size_text(padded)} in tiles for {size_text(plain)}",
        f"  not fused   {_summary(found.alone) or 'nothing'}",
    ]
    if found.unread:
        lines[-1] = f"  not fused   not known, nor are cycles: jaxlib cannot read what was compiled ({found.unread})"
    lines += [f"  advice      {line}" for line in advice(graph)]
    return "\n".join(lines)


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for region in node.regions:
            yield from _nodes(region)


def _count(nodes: Sequence[Node], what: str) -> str:
    return f"{len(nodes)} {what}{'s are' if len(nodes) != 1 else ' is'}"


def _places(nodes: Iterable[Node]) -> str:
    """Where the first few of them are."""
    places = dict.fromkeys(str(node.location) for node in nodes if node.location is not None)
    named = ", ".join(list(places)[:SHOWN])
    return f" ({named}{', …' if len(places) > SHOWN else ''})" if places else ""


def _summary(operations: Sequence[str]) -> str:
    counts = {text: operations.count(text) for text in dict.fromkeys(operations)}
    named = [f"{text} ({n} times)" if n > 1 else text for text, n in counts.items()]
    return ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
