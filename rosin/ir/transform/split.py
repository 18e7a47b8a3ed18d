"""A graph cut in two: what can be computed before some of its inputs are known, and what cannot."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Value


def split(graph: Graph, late: Sequence[bool], count: int) -> tuple[Graph, Graph]:
    """Cut a graph whose first `count` outputs do not depend on its late inputs.

    The first graph takes the other inputs; it gives those outputs and then the values that the second needs, its
    *residuals*. The second takes the residuals and the late inputs, and gives the other outputs. Ops without operands
    that both need are in both: making a constant costs less than keeping it.

    Raises:
        ValueError: one of the first outputs depends on a late input.
    """
    dependent = {v for v, is_late in zip(graph.inputs, late, strict=True) if is_late}
    first: list[Node] = []
    second: list[Node] = []
    for node in graph.nodes:
        if any(v in dependent for v in node.operands):
            dependent.update(node.results)
            second.append(node)
        else:
            first.append(node)
    early_outputs, late_outputs = graph.outputs[:count], graph.outputs[count:]
    for value in early_outputs:
        if value in dependent:
            raise ValueError(f"{graph.name}: the output {value} depends on an input that is not known yet")

    second = needed(second, late_outputs)
    sources = {v: node for node in first if not node.operands and not node.op.effect for v in node.results}
    residuals: dict[Value, None] = {}
    copied: dict[Value, Node] = {}
    for value in [v for node in second for v in node.operands] + list(late_outputs):
        if value in sources:
            copied[value] = sources[value]
        elif value not in dependent:
            residuals[value] = None

    kept = list(residuals)
    first = needed(first, (*early_outputs, *kept))
    inputs = tuple(v for v, is_late in zip(graph.inputs, late, strict=True) if not is_late)
    forward = Graph(inputs, tuple(first), (*early_outputs, *kept), f"{graph.name}_forward")

    # Values stand in one graph only, so the second is a copy.
    b = Builder()
    env = {v: b.input(v.type, v.name) for v in kept}
    env |= {v: b.input(v.type, v.name) for v, is_late in zip(graph.inputs, late, strict=True) if is_late}
    for node in [*dict.fromkeys(copied.values()), *second]:
        env.update(zip(node.results, b.copy(node, tuple(env[v] for v in node.operands)), strict=True))
    return forward, b.graph([env[v] for v in late_outputs], f"{graph.name}_backward")


def needed(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Node]:
    """The nodes that the outputs, or effects, need, each with no more results and operands than that takes."""
    live = set(outputs)
    kept: list[Node] = []
    for node in reversed(nodes):
        used = tuple(v in live for v in node.results)
        if not node.op.effect and not any(used):
            continue
        less = node.op.without_unused(used)
        if less is not None:
            operands = tuple(node.operands[i] for i in less.operands)
            results = tuple(node.results[i] for i in less.results)
            node = Node(less.op, operands, results, node.location)
        live.update(node.operands)
        kept.append(node)
    return kept[::-1]
