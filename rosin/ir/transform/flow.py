"""What reaches what in a graph, without making another one: loops ask this again and again until nothing grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.ir.graph import Graph, Node, measures
from rosin.ir.op import Value
from rosin.ir.ops.collective import NamedAxis

Flags: TypeAlias = tuple[bool, ...]


def moves(graph: Graph, moving: Sequence[bool]) -> Flags:
    """Which outputs may have a tangent when these inputs have one."""
    found = moving_values(graph, moving)
    return tuple(v in found for v in graph.outputs)


def moving_values(graph: Graph, moving: Sequence[bool]) -> set[Value]:
    """The values that may have a tangent when these inputs have one."""
    found = {v for v, m in zip(graph.inputs, moving, strict=True) if m and v.type.dtype.differentiable}
    for node in graph.nodes:
        flags = tuple(v in found for v in node.operands)
        if any(flags):
            moved = node.op.moves(flags, tuple(v.type for v in node.results))
            found.update(v for v, m in zip(node.results, moved, strict=True) if m)
    return found


def spreads(graph: Graph, batched: Sequence[bool], axis: str | None) -> Flags:
    """Which outputs are batched when these inputs are, the batch being the axis of that name."""
    many = {v for v, is_batched in zip(graph.inputs, batched, strict=True) if is_batched}
    sizes: set[str] = set()
    for node in graph.nodes:
        sized = bool(sizes) and bool(node.mentions(sizes))
        if sized or any(v in many for v in node.operands) or (axis is not None and names_axis(node, axis)):
            many.update(node.results)
            sizes |= node.op.measured().keys()
    return tuple(v in many for v in graph.outputs)


def measures_apart(graph: Graph, batched: Sequence[bool]) -> bool:
    """Whether a size is measured, be it in a region, that each example of the batch has for itself."""
    if not graph.measured():
        return False
    many = {v for v, is_batched in zip(graph.inputs, batched, strict=True) if is_batched}
    for node in graph.nodes:
        if any(v in many for v in node.operands):
            if node.op.measured():
                return True
            many.update(node.results)
    return False


def names_axis(node: Node, axis: str) -> bool:
    """Whether the node, or one in its regions, is an op over the axis of that name."""
    if isinstance(node.op, NamedAxis):
        return node.op.axis == axis
    return any(names_axis(inner, axis) for region in node.regions for inner in region.nodes)


def needs(graph: Graph, used: Sequence[bool]) -> Flags:
    """Which inputs these outputs, or effects, are computed from."""
    live = {v for v, is_used in zip(graph.outputs, used, strict=True) if is_used}
    measured = measures(graph.nodes)
    sizes: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op.effect or not live.isdisjoint(node.results) or not sizes.isdisjoint(node.op.measured()):
            sizes |= node.mentions(measured) if measured else set()
            flags = node.op.needs(tuple(v in live for v in node.results), len(node.operands))
            live.update(v for v, flag in zip(node.operands, flags, strict=True) if flag)
    return tuple(v in live for v in graph.inputs)


def varying_values(graph: Graph, varying: Sequence[bool]) -> set[Value]:
    """The values that are computed from these inputs, or by effects."""
    found = {v for v, varies in zip(graph.inputs, varying, strict=True) if varies}
    sizes: set[str] = set()
    for node in graph.nodes:
        if node.op.effect or any(v in found for v in node.operands) or (sizes and node.mentions(sizes)):
            found.update(node.results)
            sizes |= node.op.measured().keys()
    return found


def settled(flags: Sequence[bool], step: Callable[[Flags], Sequence[bool]]) -> Flags:
    """The least flags that hold these and that `step` adds nothing to."""
    current = tuple(flags)
    while True:
        grown = tuple(a or b for a, b in zip(current, step(current), strict=True))
        if grown == current:
            return current
        current = grown
