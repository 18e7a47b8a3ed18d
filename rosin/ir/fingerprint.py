"""What a graph computes, as bytes: the same for graphs that differ in names and locations alone."""

from __future__ import annotations

import marshal
from typing import Any, cast

from rosin.ir.graph import Graph
from rosin.ir.literal import Literal
from rosin.ir.op import Op
from rosin.ir.printer import attribute_text
from rosin.ir.types import TensorType

__all__ = ["fingerprint"]

_MARSHAL = 2  # the version of Python's format that does not tell objects that are the same from others that are equal

_PLAIN = frozenset([int, bool, float, str, type(None)])


def fingerprint(graph: Graph) -> bytes:
    """Bytes that two graphs share if they have the same inputs, nodes and outputs, as `Graph.key` has them.

    The order of nodes counts, and so does every attribute; the types of results follow from those of operands. Programs
    are found on the disk by it, so it is made at every first call: the graph's text takes twice as long.
    """
    listed = _Listed()
    nodes = listed.graph(graph)
    return marshal.dumps((nodes, list(listed.types)), _MARSHAL)


class _Listed:
    """Graphs as nested tuples of numbers and text, values and types being numbered as they appear."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        """The number of each type, by its text."""
        self._numbers: dict[int, int] = {}
        """The same by the identity of types: many values share theirs, and graphs keep them alive."""

    def graph(self, graph: Graph) -> tuple[Any, ...]:
        number = {v: i for i, v in enumerate(graph.values())}
        nodes: list[tuple[Any, ...]] = []
        for node in graph.nodes:
            op = node.op
            attributes = self._attributes(op) if vars(op) else []
            nodes.append((op.name, [number[v] for v in node.operands], len(node.results), attributes))
        return [self._type(v.type) for v in graph.inputs], nodes, [number[v] for v in graph.outputs]

    def _type(self, type: TensorType) -> int:
        found = self._numbers.get(id(type))
        if found is None:
            found = self._numbers[id(type)] = self.types.setdefault(str(type), len(self.types))
        return found

    def _attributes(self, op: Op) -> list[Any]:
        return [value if type(value) in _PLAIN else self._attribute(value) for value in op.attributes().values()]

    def _attribute(self, value: Any) -> Any:
        match value:
            case tuple():
                parts = cast("tuple[Any, ...]", value)
                plain = _PLAIN.issuperset(map(type, parts))
                return parts if plain else tuple([self._attribute(part) for part in parts])
            case Literal():
                return self._type(value.type), value.array.shape, value.array.tobytes()
            case Graph():
                return self.graph(value)
            case _:
                # The class beside it, as texts of two kinds might be the same.
                return type(value).__name__, attribute_text(value)
