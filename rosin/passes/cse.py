"""Common subexpression elimination: the same op on the same operands is computed once."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import fields
from typing import ClassVar

from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph, Node
from rosin.ir.op import Op, Values
from rosin.ir.ops.movement import Constant
from rosin.passes.base import Pass, is_fixed, rebuild

HASHED_BYTES = 1 << 16
"""Constants of up to this size are compared by their bytes, larger ones by whether they share one array."""


@dataclass(frozen=True)
class Cse(Pass):
    """Merges equal nodes, constants among them; the earlier one stays.

    Operands of a commutative op may stand in either order. Random ops are functions of their key like any other.
    Ops with an effect and barriers are never merged.
    """

    name: ClassVar[str] = "cse"

    def rewrite(self, graph: Graph) -> Graph:
        found: dict[Hashable, Values] = {}

        def visit(node: Node, operands: Values) -> Values | None:
            if is_fixed(node.op):
                return None
            first = found.setdefault(_key(node.op, operands), node.results)
            return None if first is node.results else first

        return rebuild(graph, visit)


def _key(op: Op, operands: Values) -> Hashable:
    """What nodes that compute the same have in common."""
    if op.commutative and id(operands[1]) < id(operands[0]):
        operands = operands[::-1]
    return attributes(op), operands


def attributes(op: Op) -> Hashable:
    """What ops that are the same have in common."""
    if type(op) is Constant and op.value.array.nbytes > HASHED_BYTES:
        return op.value.type, id(op.value.array)
    # 0.0 == -0.0, so the sign of a number among the attributes has to be told apart by its text.
    numbers = float_fields(type(op))
    return (op, *[str(getattr(op, name)) for name in numbers]) if numbers else op


@functools.cache
def float_fields(op_class: type[Op]) -> tuple[str, ...]:
    """The attributes of an op that hold floats."""
    return tuple(f.name for f in fields(op_class) if "float" in str(f.type))
