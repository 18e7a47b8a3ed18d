"""A graph cut in two: what can be computed before some of its inputs are known, and what cannot."""

from __future__ import annotations

from collections.abc import Sequence

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node, measures
from rosin.ir.op import Op, Value


def split(graph: Graph, late: Sequence[bool], count: int) -> tuple[Graph, Graph]:
    """Cut a graph whose first `count` outputs do not depend on its late inputs.

    The first graph takes the other inputs; it gives those outputs and then the values that the second needs, its
    *residuals*. The second takes the residuals and the late inputs, and gives the other outputs. Ops without operands
    that both need are in both: making a constant costs less than keeping it. So are values of a size that is measured
    in the graph, as nobody outside knows how large they are.

    Raises:
        ValueError: one of the first outputs depends on a late input.
    """
    dependent = {v for v, is_late in zip(graph.inputs, late, strict=True) if is_late}
    measured = measures(graph.nodes)
    late_sizes: set[str] = set()
    first: list[Node] = []
    second: list[Node] = []
    for node in graph.nodes:
        if any(v in dependent for v in node.operands) or (late_sizes and node.mentions(late_sizes)):
            dependent.update(node.results)
            late_sizes |= node.op.measured().keys()
            second.append(node)
        else:
            first.append(node)
    early_outputs, late_outputs = graph.outputs[:count], graph.outputs[count:]
    for value in early_outputs:
        if value in dependent:
            raise ValueError(f"{graph.name}: the output {value} depends on an input that is not known yet")

    second = needed(second, late_outputs)
    crossing = _Crossing(first, {name: node for name, node in measured.items() if name not in late_sizes})
    for value in [v for node in second for v in node.operands] + list(late_outputs):
        if value not in dependent:
            crossing.need(value)
    for node in second:
        crossing.know_sizes(node)

    kept = list(crossing.residuals)
    first = needed(first, (*early_outputs, *kept))
    inputs = tuple(v for v, is_late in zip(graph.inputs, late, strict=True) if not is_late)
    forward = Graph(inputs, tuple(first), (*early_outputs, *kept), f"{graph.name}_forward")

    # Values stand in one graph only, so the second is a copy.
    b = Builder()
    env = {v: b.input(v.type, v.name) for v in kept}
    env |= {v: b.input(v.type, v.name) for v, is_late in zip(graph.inputs, late, strict=True) if is_late}
    for node in [*crossing.copied(), *second]:
        env.update(zip(node.results, b.copy(node, tuple(env[v] for v in node.operands)), strict=True))
    return forward, b.graph([env[v] for v in late_outputs], f"{graph.name}_backward")


class _Crossing:
    """What the second part of a graph needs of the first: values to keep, and nodes to do again."""

    def __init__(self, nodes: Sequence[Node], measured: dict[str, Node]) -> None:
        self.nodes, self.measured = nodes, measured
        self.makers = {v: node for node in nodes if not node.op.effect for v in node.results}
        self.residuals: dict[Value, None] = {}
        self.again: set[Node] = set()

    def need(self, value: Value) -> None:
        maker = self.makers.get(value)
        if maker is None or (maker.operands and not self._is_measured(value)):
            self.residuals[value] = None
        else:
            self._copy(maker)

    def know_sizes(self, node: Node) -> None:
        """See to the sizes that the node mentions."""
        if self.measured:
            for name in node.mentions(self.measured):
                self._copy(self.measured[name])

    def copied(self) -> list[Node]:
        return [node for node in self.nodes if node in self.again]

    def _copy(self, node: Node) -> None:
        if node not in self.again:
            self.again.add(node)
            self.know_sizes(node)
            for value in node.operands:
                self.need(value)

    def _is_measured(self, value: Value) -> bool:
        return any(name in self.measured for name in value.type.symbols)


def needed(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Node]:
    """The nodes that the outputs, or effects, need, each with no more results and operands than that takes.

    A node that mentions a size needs the one that measures it.
    """
    live = set(outputs)
    measured = measures(nodes)
    sizes = {name for v in outputs for name in v.type.symbols} if measured else set[str]()
    kept: list[Node] = []
    for node in reversed(nodes):
        known = measured and not sizes.isdisjoint(node.op.measured())
        if not node.op.effect and live.isdisjoint(node.results) and not known:
            continue
        if measured:
            sizes |= node.mentions(measured)
        may_be_less = type(node.op).without_unused is not Op.without_unused
        less = node.op.without_unused(tuple([v in live for v in node.results])) if may_be_less else None
        if less is not None:
            operands = tuple(node.operands[i] for i in less.operands)
            results = tuple(node.results[i] for i in less.results)
            node = Node(less.op, operands, results, node.location)
        live.update(node.operands)
        kept.append(node)
    return kept[::-1]
