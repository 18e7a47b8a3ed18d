"""Forward mode: values and tangents together, node by node."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir.builder import Builder
from rosin.ir.errors import located
from rosin.ir.graph import Graph
from rosin.ir.op import Maybe, Value, Values
from rosin.ir.specialize import apart


def jvp(b: Builder, graph: Graph, primals: Sequence[Value], tangents: Sequence[Value | None]) -> tuple[Values, Maybe]:
    """Append the graph on `primals` and its derivative along `tangents`; gives outputs and their tangents.

    A tangent of None is zero; so is one of an element type that carries none.
    """
    graph = apart(graph, b.nodes)
    env: dict[Value, Value] = dict(zip(graph.inputs, primals, strict=True))
    moving: dict[Value, Value] = {v: t for v, t in zip(graph.inputs, tangents, strict=True) if t is not None}
    for node in graph.nodes:
        b.location = node.location
        operands = tuple(env[v] for v in node.operands)
        incoming = tuple(moving.get(v) for v in node.operands)
        if any(incoming):
            with located(node.location):
                results, outgoing = node.op.forward_jvp(b, operands, incoming)
            moving.update((v, t) for v, t in zip(node.results, outgoing, strict=True) if t is not None)
        else:
            results = b.copy(node, operands)
        for old, new in zip(node.results, results, strict=True):
            new.name = new.name or old.name
            env[old] = new
    b.location = None
    return tuple(env[v] for v in graph.outputs), tuple(moving.get(v) for v in graph.outputs)


def jvp_graph(graph: Graph, moving: Sequence[bool]) -> tuple[Graph, tuple[bool, ...]]:
    """The graph from inputs and the tangents of the inputs that move, to outputs and the tangents that are not zero.

    Gives the graph and, for each output, whether it has a tangent.
    """
    b = Builder()
    primals = [b.input(v.type, v.name) for v in graph.inputs]
    tangents = [b.input(v.type, f"{v.name}_dot") if m else None for v, m in zip(graph.inputs, moving, strict=True)]
    outputs, outgoing = jvp(b, graph, primals, tangents)
    return b.graph((*outputs, *filter(None, outgoing)), f"{graph.name}_jvp"), tuple(t is not None for t in outgoing)
