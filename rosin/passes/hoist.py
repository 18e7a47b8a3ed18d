"""Loop-invariant code motion: what a loop would compute again in every step is computed once before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph, Node, measures, with_regions
from rosin.ir.op import Value, Values
from rosin.ir.ops.control import Switch
from rosin.ir.ops.effect import Host
from rosin.ir.ops.movement import Move, Pad
from rosin.ir.ops.region import Control, with_more
from rosin.ir.transform.effects import calls_host
from rosin.ir.transform.split import needed
from rosin.passes.base import Pass, is_fixed, ops_of, rebuild


@dataclass(frozen=True)
class Hoist(Pass):
    """Nodes in a loop that depend on its constants alone move in front of it, from inner loops outwards.

    Movements of elements and ops without operands stay: to read another place, or to make a constant, costs less than
    to keep a value. So do effects, barriers, what Python computes, and whatever holds a `while`, which the
    loop might never have begun.
    """

    name: ClassVar[str] = "hoist"

    def rewrite(self, graph: Graph) -> Graph:
        if not any(issubclass(op, Control) for op in ops_of(graph)):
            return graph
        b = Builder()

        def visit(node: Node, operands: Values) -> Values | None:
            if not isinstance(node.op, Control) or isinstance(node.op, Switch):
                return None
            return _hoisted(b, node.op, node, operands)

        return rebuild(graph, visit, b)


def _hoisted(b: Builder, op: Control, node: Node, operands: Values) -> Values | None:
    """Append the loop and before it what it need not do in every step; None when there is nothing."""
    places = op.unchanged(len(operands))
    plans = [_Plan(region, op.unchanged(len(region.inputs), number)) for number, region in enumerate(node.regions)]
    if not any(plan.moved for plan in plans):
        return None
    outside = [b.inline(plan.before, operands[places.start : places.stop]) for plan in plans]
    regions: list[Graph] = []
    for plan in plans:
        # Every region takes all constants, so what was moved out of another one it takes too, and leaves.
        more = [v for other in plans for v in (plan.moved if other is plan else _like(other.moved))]
        region = plan.region
        inputs = with_more(region.inputs, plan.places, more)
        regions.append(Graph(inputs, plan.rest, region.outputs, region.name))
    values = with_more(operands, places, [v for found in outside for v in found])
    b.nodes.append(Node(with_regions(op, regions), values, node.results, node.location))
    return node.results


class _Plan:
    """What moves out of a region: `before` computes it from the loop's constants, `rest` stays."""

    def __init__(self, region: Graph, places: range) -> None:
        self.region, self.places = region, places
        constants = region.inputs[places.start : places.stop]
        same, worth = set(constants), set[Value]()
        invariant: list[Node] = []
        measured = measures(region.nodes)
        for node in region.nodes:
            sized = measured and (node.op.measured() or node.mentions(measured))
            if not _stays(node) and not sized and same.issuperset(node.operands):
                same.update(node.results)
                invariant.append(node)
                if node.operands and not isinstance(node.op, Move | Pad):
                    worth.update(node.results)
        left = [node for node in region.nodes if worth.isdisjoint(node.results)]
        self.rest = tuple(needed(left, region.outputs))
        used = {*region.outputs, *(v for node in self.rest for v in node.operands)}
        self.moved: Values = ()
        for node in invariant:
            for value in node.results:
                if value in worth and value in used:
                    value.name = value.name or node.op.name
                    self.moved += (value,)
        self.before = Graph(tuple(constants), tuple(needed(invariant, self.moved)), self.moved, region.name)


def _stays(node: Node) -> bool:
    if isinstance(node.op, Control):
        return node.op.effect or node.op.may_not_end or any(map(calls_host, node.regions))
    return is_fixed(node.op) or isinstance(node.op, Host)


def _like(values: Sequence[Value]) -> list[Value]:
    return [Value(v.type, v.name) for v in values]
