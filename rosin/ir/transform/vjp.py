"""Reverse mode: the graph forward, then the cotangents back through its nodes in opposite order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from rosin.ir.builder import Builder
from rosin.ir.errors import RosinError, located
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Maybe, Op, Value, Values
from rosin.ir.specialize import apart
from rosin.ir.transform import flow


def vjp(
    b: Builder, graph: Graph, primals: Sequence[Value], wanted: Sequence[bool]
) -> tuple[Values, Callable[[Sequence[Value | None]], Maybe]]:
    """Append the graph on `primals`; gives its outputs and a pullback.

    The pullback takes a cotangent for each output (None for zero), appends the way back, and gives a cotangent for
    each input: None where it is zero, not wanted, or of an element type that carries none.
    """
    graph = apart(graph, b.nodes)
    env: dict[Value, Value] = dict(zip(graph.inputs, primals, strict=True))
    active = flow.moving_values(graph, wanted)
    tape: list[tuple[Node, Callable[[Maybe], Maybe]]] = []
    for node in graph.nodes:
        b.location = node.location
        operands = tuple([env[v] for v in node.operands])
        if active.isdisjoint(node.results):
            results = b.copy(node, operands)
        elif type(node.op).forward_vjp is Op.forward_vjp:
            # Its results have the types that they have already.
            results = b.copy(node, operands)
            tape.append((node, functools.partial(node.op.vjp, b, operands, results)))
        else:
            with located(node.location):
                results, pullback = node.op.forward_vjp(b, operands, tuple([v in active for v in node.operands]))
            tape.append((node, pullback))
        for old, new in zip(node.results, results, strict=True):
            new.name = new.name or old.name
            env[old] = new
    b.location = None

    def pull(cotangents: Sequence[Value | None]) -> Maybe:
        found: dict[Value, Value] = {}

        def add(value: Value, cotangent: Value | None) -> None:
            if cotangent is not None and value in active:
                found[value] = b.add(found[value], cotangent) if value in found else cotangent

        for value, cotangent in zip(graph.outputs, cotangents, strict=True):
            add(value, cotangent)
        for node, pullback in reversed(tape):
            incoming = tuple([found.pop(v, None) for v in node.results])
            if any(incoming):
                b.location = node.location
                try:
                    outgoing = pullback(incoming)
                except RosinError as error:
                    error.location = error.location or node.location
                    raise
                for operand, cotangent in zip(node.operands, outgoing, strict=True):
                    add(operand, cotangent)
        b.location = None
        return tuple(found.get(v) for v in graph.inputs)

    return tuple(env[v] for v in graph.outputs), pull
