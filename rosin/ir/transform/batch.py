"""Batching: a graph for one example becomes a graph for many, the batch being axis 0 of every batched value."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.errors import located
from rosin.ir.graph import Graph
from rosin.ir.op import Value, Values
from rosin.ir.specialize import apart
from rosin.ir.transform import flow


def batch(
    b: Builder, graph: Graph, operands: Sequence[Value], batched: Sequence[bool], size: Dim, axis: str | None = None
) -> tuple[Values, tuple[bool, ...]]:
    """Append the graph for a batch of `size`; gives the outputs and whether each is batched.

    Ops of the graph over the axis called `axis` become ops over the batch.
    """
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
