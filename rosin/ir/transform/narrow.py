"""Mixed precision: a graph whose products take and give narrower floats, and whose other ops compute as before.

A value of the full type may stand in two forms. What a product gives is narrow, and so it stays where its elements
only move; an op of any other kind sees it widened. A value of the full type is rounded where a product takes it.
Regions and the bodies of calls keep the types of their inputs and outputs, so that what a loop carries, and what a
derivative of the user's own is told, is of the full type.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.errors import located
from rosin.ir.graph import Graph, Node, map_op
from rosin.ir.literal import Literal
from rosin.ir.op import Op, Value, Values
from rosin.ir.ops.call import Call
from rosin.ir.ops.contract import Contraction
from rosin.ir.ops.movement import Constant


def narrowed(graph: Graph, full: DType, narrow: DType) -> Graph:
    """The graph with its products of `full` floats taken and given as `narrow` ones, which are summed up in f32.

    Inputs and outputs have the types that they have in `graph`.
    """
    if full == narrow:
        return graph
    forms = _Forms(full, narrow)
    b = forms.b
    for value in graph.inputs:
        forms.full[value] = b.input(value.type, value.name)
    for node in graph.nodes:
        b.location = node.location
        with located(node.location):
            forms.append(node)
    b.location = None
    return b.graph([forms.whole(v) for v in graph.outputs], graph.name)


class _Forms:
    """The new graph, and in which forms the values of the old one are there."""

    def __init__(self, full: DType, narrow: DType) -> None:
        self.b = Builder()
        self.type, self.narrow_type = full, narrow
        self.full: dict[Value, Value] = {}
        self.narrow: dict[Value, Value] = {}
        self.exact: set[Value] = set()
        """The values of which the narrow form holds all."""

    def append(self, node: Node) -> None:
        """Add a node in the form that suits its op."""
        wide = [v for v in node.operands if v.type.dtype == self.type]
        if isinstance(node.op, Contraction) and len(wide) == 2 and node.op.dtype == self.type:
            self._narrow(node, replace(node.op, dtype=self.narrow_type))
        elif node.op.moves_elements and self.exact.issuperset(wide) and any(v in self.narrow for v in wide):
            self._narrow(node, node.op)
        else:
            results = self.b.node(self._inside(node.op), *map(self.whole, node.operands))
            self._keep(node, results, self.full)
            if isinstance(node.op, Constant) and self._is_held(node.op.value):
                self.exact.update(node.results)

    def _is_held(self, value: Literal) -> bool:
        """Whether the narrow type holds the number that a constant has everywhere."""
        if value.type.dtype != self.type or not value.is_splat:
            return False
        with np.errstate(over="ignore"):
            return float(value.array) == float(value.array.astype(self.narrow_type.numpy))

    def whole(self, value: Value) -> Value:
        """The form of a value that has its type."""
        if value not in self.full:
            self.full[value] = self.b.cast(self.narrow[value], self.type)
        return self.full[value]

    def _rounded(self, value: Value) -> Value:
        """The narrow form of a value, where it is of the full type."""
        if value.type.dtype != self.type:
            return self.whole(value)
        if value not in self.narrow:
            self.narrow[value] = self.b.cast(self.full[value], self.narrow_type)
        return self.narrow[value]

    def _narrow(self, node: Node, op: Op) -> None:
        results = self.b.node(op, *map(self._rounded, node.operands))
        self._keep(node, results, self.narrow)
        self.exact.update(node.results)

    def _keep(self, node: Node, results: Values, forms: dict[Value, Value]) -> None:
        for old, new in zip(node.results, results, strict=True):
            new.name = old.name
            forms[old] = new

    def _inside(self, op: Op) -> Op:
        """The op with products in its regions, or in its body and rules, treated alike."""

        def change(region: Graph) -> Graph:
            return narrowed(region, self.type, self.narrow_type)

        return op.mapped(change) if isinstance(op, Call) else map_op(op, change)
