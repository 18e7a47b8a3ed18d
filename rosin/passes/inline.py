"""Inlining: an op that stands for a graph is replaced by the nodes of that graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.facts import known_at_least
from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.op import Op, Value, Values
from rosin.ir.ops.associative import TWO_WAYS
from rosin.ir.ops.call import Call
from rosin.ir.ops.collective import ShardingConstraint
from rosin.ir.ops.loop import NARROW, While
from rosin.ir.ops.region import Control
from rosin.ir.specialize import apart
from rosin.ir.transform.effects import calls_host
from rosin.passes.base import Pass, ops_of, rebuild


@dataclass(frozen=True)
class Inline(Pass):
    """Every op that has an `expansion` gives way to it, however deep they nest.

    A loop of lanes stays when a lane has little to do: such a loop may become one kernel, lane by lane. So do
    constraints on how arrays lie on devices, for a target that has several.
    """

    name: ClassVar[str] = "inline"
    several_devices: bool = False
    few_steps: bool | None = False
    """Whether the target has so many lanes that the number of steps counts, not their work. None is for what is not
    known yet: then what depends on it stays."""

    def rewrite(self, graph: Graph) -> Graph:
        replaced = {op for op in ops_of(graph) if op.expansion is not Op.expansion or op is ShardingConstraint}
        if not replaced:
            return graph
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            if type(node.op) not in replaced:
                return None
            if self._is_nothing(node):
                return operands
            body = None if isinstance(node.op, While) and _is_narrow(node.op) else self._expansion(node.op)
            if body is not None and isinstance(node.op, (Control, *TWO_WAYS)):
                # Its regions are not those that were inlined already.
                body = self.run(body)
            return None if body is None else self._append(b, body, operands, node.location)

        return rebuild(graph, visit, b)

    def _expansion(self, op: Op) -> Graph | None:
        if self.few_steps is None and isinstance(op, TWO_WAYS):
            return None
        return op.in_few_steps() if self.few_steps and isinstance(op, Call) else op.expansion()

    def _is_nothing(self, node: Node) -> bool:
        """Whether a node says only where its operand lies, of which there is one place."""
        return isinstance(node.op, ShardingConstraint) and not self.several_devices

    def _append(self, b: Builder, graph: Graph, operands: Sequence[Value], location: Location | None) -> Values:
        """Append fresh copies of the nodes of a graph; those without a location of their own get that of the call."""
        graph = apart(graph, b.nodes)
        env = dict(zip(graph.inputs, operands, strict=True))
        for node in graph.nodes:
            inputs = tuple(env[v] for v in node.operands)
            where = node.location or location
            body = self._expansion(node.op) if not isinstance(node.op, Control) else None
            if self._is_nothing(node):
                results = inputs
            elif body is None:
                results = tuple(Value(v.type, v.name) for v in node.results)
                b.nodes.append(Node(node.op, inputs, results, where))
            else:
                results = self._append(b, body, inputs, where)
            env.update(zip(node.results, results, strict=True))
        return tuple(env[v] for v in graph.outputs)


def _is_narrow(op: While) -> bool:
    """Whether it is a loop of lanes in which no value has many elements for a lane, and Python computes nothing."""
    if len(op.lanes) != 1 or calls_host(op.body) or calls_host(op.cond):
        return False
    values, most = [v for region in (op.cond, op.body) for v in region.values()], NARROW * op.lanes[0]
    return all(known_at_least(most, v.type.size) or known_at_least(NARROW, v.type.size) for v in values)
