"""Batching: a graph for one example becomes a graph for many, the batch being axis 0 of every batched value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.errors import ShapeError, located
from rosin.ir.graph import Graph
from rosin.ir.op import Value, Values
from rosin.ir.specialize import apart
from rosin.ir.transform import flow
from rosin.ir.transform.effects import silent
from rosin.ir.transform.split import needed


def batch(
    b: Builder, graph: Graph, operands: Sequence[Value], batched: Sequence[bool], size: Dim, axis: str | None = None
) -> tuple[Values, tuple[bool, ...]]:
    """Append the graph for a batch of `size`; gives the outputs and whether each is batched.

    Ops of the graph over the axis called `axis` become ops over the batch.
    """
    if flow.measures_apart(graph, batched):
        return _one_by_one(b, graph, operands, batched, size, axis)
    graph = apart(graph, b.nodes)
    outer, b.batch_axis = b.batch_axis, axis
    env: dict[Value, Value] = dict(zip(graph.inputs, operands, strict=True))
    many = {v for v, is_batched in zip(graph.inputs, batched, strict=True) if is_batched}
    for node in graph.nodes:
        b.location = node.location
        inputs = tuple(env[v] for v in node.operands)
        flags = tuple(v in many for v in node.operands)
        if any(flags) or (axis is not None and flow.names_axis(node, axis)):
            with located(node.location):
                results = node.op.batch(b, inputs, flags, size)
            many.update(node.results)
        else:
            results = b.copy(node, inputs)
        for old, new in zip(node.results, results, strict=True):
            new.name = new.name or old.name
            env[old] = new
    b.location, b.batch_axis = None, outer
    return tuple(env[v] for v in graph.outputs), tuple(v in many for v in graph.outputs)


def _one_by_one(
    b: Builder, graph: Graph, operands: Sequence[Value], batched: Sequence[bool], size: Dim, axis: str | None
) -> tuple[Values, tuple[bool, ...]]:
    """The batch as a loop over its examples, each of which measures sizes of its own.

    Raises:
        ShapeError: a result has such a size, or an op looks at other examples.
    """
    inside = graph.known_inside()
    if inside is not None:
        message = f"each of the {size} examples would give {inside[0]}, with a size {inside[1]} of its own"
        raise ShapeError(f"{message}\n  give size=, to have the same for all")
    if axis is not None and any(flow.names_axis(node, axis) for node in graph.nodes):
        raise ShapeError(f"an example of the batch over {axis!r} measures sizes of its own, and cannot look at others")
    flags = flow.spreads(graph, batched, axis)
    loop = Builder()
    inner: dict[int, Value] = {}
    for wanted in (False, True):
        for position, value in enumerate(graph.inputs):
            if batched[position] is wanted:
                inner[position] = loop.input(value.type, value.name)
    found = loop.inline(graph, [inner[position] for position in range(len(graph.inputs))])
    body = loop.graph([v for v, flag in zip(found, flags, strict=True) if flag], f"{graph.name}_example")
    ordered = [operands[position] for position in inner]
    rows = iter(_loop_over(b, body, ordered, sum(batched), size))
    # What is the same for all is computed once.
    same = [v for v, flag in zip(graph.outputs, flags, strict=True) if not flag]
    once = Graph(graph.inputs, tuple(needed(silent(graph).nodes, same)), tuple(same), graph.name)
    others = iter(b.inline(once, operands))
    return tuple(next(rows) if flag else next(others) for flag in flags), flags


LoopOver: TypeAlias = "Callable[[Builder, Graph, Sequence[Value], int, Dim], Values]"
"""Appends a loop of so many steps, of whose operands so many last ones are stacked; it gives stacked results."""

_loop_over: LoopOver


def register_loop(make: LoopOver) -> None:
    """Say how such a loop is made: scan.py does once. It imports us, so we cannot import it."""
    global _loop_over
    _loop_over = make


def batch_graph(graph: Graph, batched: Sequence[bool], size: Dim, axis: str | None = None) -> Graph:
    """The graph for a batch, with every output batched. Rules of ops with regions pass the builder's `batch_axis`."""
    b = Builder()
    inputs = [
        b.input(v.type.with_shape((size, *v.type.shape)) if is_batched else v.type, v.name)
        for v, is_batched in zip(graph.inputs, batched, strict=True)
    ]
    outputs, flags = batch(b, graph, inputs, batched, size, axis)
    front = [b.batch_front(v, flag, size) for v, flag in zip(outputs, flags, strict=True)]
    return b.graph(front, f"{graph.name}_batch")
