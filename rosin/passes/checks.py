"""Checks that the user asks for: indices that lie outside of their array, and NaNs where they first come up.

`add_checks` adds them behind a node as it is recorded. So they stand at the user's own op, for one example, and in a
batch they count for the examples that come by there alone. The pass adds what is missing then: checks for NaNs behind
the nodes that derivatives are made of.
"""

from __future__ import annotations

from typing import ClassVar

from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import bool_
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Value, Values
from rosin.ir.ops.effect import Check, where_of
from rosin.ir.ops.logic import NotEqual
from rosin.ir.ops.movement import Constant, Move
from rosin.ir.types import TensorType
from rosin.passes.base import Pass, rebuild, with_operands

KINDS = ("index", "nan", "shape")
"""What can be asked for. Sizes are compared when a function is traced, whether it is asked for or not."""


def add_checks(b: Builder, node: Node, kinds: tuple[str, ...]) -> None:
    """Append the checks of these kinds of a node that was appended before."""
    if "index" in kinds:
        _check_indices(b, node)
    if "nan" in kinds:
        _check_nans(b, node)


@dataclass(frozen=True)
class CheckNans(Pass):
    """Adds checks for NaNs to the ops that have none, in loops and branches too."""

    name: ClassVar[str] = "check_nans"

    def rewrite(self, graph: Graph) -> Graph:
        b = Builder()
        tested = {n.operands[0] for n in graph.nodes if isinstance(n.op, NotEqual) and n.operands[0] is n.operands[1]}

        def visit(node: Node, operands: Values) -> Values | None:
            # What compares a value with itself is a test for NaNs, and needs none itself.
            if not tested.isdisjoint(node.results):
                return None
            start = len(b.nodes)
            b.nodes.append(with_operands(node, operands))
            _check_nans(b, b.nodes[-1])
            if len(b.nodes) == start + 1:
                b.nodes.pop()
                return None
            return node.results

        return rebuild(graph, visit, b)


def _check_indices(b: Builder, node: Node) -> None:
    for index, axis, room in node.op.indexed(b, node.operands):
        array = node.operands[0].type
        if not isinstance(room, int):
            message = f"{node.op.name}: indices are checked only along axes of fixed size, and this is one of {array}"
            raise UnsupportedError(message, (), node.location)
        flat = b.reshape(index, (index.type.size,))
        if flat.type.shape == (0,):
            continue
        least, most = b.min(flat, (0,)), b.max(flat, (0,))
        tests = [b.less(least, 0)] if flat.type.dtype.kind == "int" else []
        if room < flat.type.dtype.highest:
            tests.append(b.less(b.like(room, most), most))
        seen = "is {0}" if index.type.size == 1 else "runs from {0} to {1}"
        message = f"{node.op.name}: the index along axis {axis} of {array} {seen}; it is to lie in 0 … {room}"
        for failing in tests[:1] if len(tests) < 2 else [b.logical_or(*tests)]:
            b.node(Check(message, "index", where_of(node.location)), failing, least, most)


def _check_nans(b: Builder, node: Node) -> None:
    floats = any(v.type.dtype.differentiable for v in node.results)
    if node.regions or isinstance(node.op, Move | Constant) or not floats:
        return
    failing = b.logical_and(_has_nan(b, node.results), b.logical_not(_has_nan(b, node.operands)))
    types = ", ".join(str(v.type) for v in node.operands)
    message = f"{node.op.name} gives a NaN, and its operands ({types}) have none"
    b.node(Check(message, "nan", where_of(node.location)), failing)


def _has_nan(b: Builder, values: Values) -> Value:
    """Whether an element of one of the values is a NaN: whether it differs from itself."""
    found = b.full(False, TensorType(bool_))
    for value in values:
        if value.type.dtype.differentiable:
            found = b.logical_or(found, b.any(b.not_equal(value, value), tuple(range(value.type.rank))))
    return found
