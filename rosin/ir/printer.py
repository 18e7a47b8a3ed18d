"""Graphs as text.

    graph main(x: f32[2, 3], w: f32[3]) {
      y: f32[2, 3] = exp(x)
      total: f32[2] = sum(y) axes=(1,)
      return total
    }

A value is called what the user's program calls it, where that is known; other values are called by the op that made
them. Regions of an op stand in braces after its name. An attribute at its default is not written. `parse` in
rosin.ir.parser reads the text back.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeAlias, cast

import numpy as np

from rosin.ir.dims import Sym
from rosin.ir.dtypes import BY_NAME, DType
from rosin.ir.graph import Deferred, Graph, Node, region_fields
from rosin.ir.host import HostFunction
from rosin.ir.literal import Literal
from rosin.ir.op import Op, Value, Values
from rosin.ir.types import TensorType

Naming: TypeAlias = "Callable[[Graph], dict[Value, str]]"
"""Names for all values of a graph."""

RESERVED = {"graph", "return", "True", "False", "None", "dense", "nan", "inf", *BY_NAME}


def text(graph: Graph, locations: bool = False, naming: Naming | None = None) -> str:
    """The graph as text; with `locations`, each node is followed by the user's file and line.

    `naming` says what values are called instead, as in `numbers`.
    """
    style = _Style(locations, naming or value_names)
    return "\n".join(_graph_lines(graph, f"graph {_identifier(graph.name) or 'main'}", style)) + "\n"


class _Style:
    """How a text is written, and the texts of types that it has met: most values share theirs with others."""

    def __init__(self, locations: bool, naming: Naming) -> None:
        self.locations, self.naming = locations, naming
        self._types: dict[int, str] = {}

    def typed(self, values: Values, names: dict[Value, str]) -> str:
        """Values with their types. The graph holds the types, so that they stay what their ids stand for."""
        found: list[str] = []
        for v in values:
            type_text = self._types.get(id(v.type))
            if type_text is None:
                type_text = self._types[id(v.type)] = str(v.type)
            found.append(f"{names[v]}: {type_text}")
        return ", ".join(found)


def _graph_lines(graph: Graph, head: str, style: _Style) -> list[str]:
    names = style.naming(graph)
    lines = [f"{head}({style.typed(graph.inputs, names)}) {{"]
    for node in graph.nodes:
        if region_fields(type(node.op)):
            lines += ["  " + line for line in _node_lines(node, names, style)]
        else:
            lines.append("  " + _node_line(node, names, style))
    outputs = ", ".join(names[v] for v in graph.outputs)
    return [*lines, f"  return {outputs}".rstrip(), "}"]


def _node_lines(node: Node, names: dict[Value, str], style: _Style) -> list[str]:
    lines = [_head(node, names, style)]
    for name, value in written_attributes(node.op).items():
        if isinstance(value, Graph):
            _append(lines, " ", _graph_lines(value, f"{name}=", style))
        elif graphs := _branches(value):
            for position, region in enumerate(graphs):
                _append(lines, ", " if position else f" {name}=(", _graph_lines(region, "", style))
            lines[-1] += ",)" if len(graphs) == 1 else ")"
        else:
            lines[-1] += f" {name}={attribute_text(value)}"
    if style.locations and node.location is not None:
        lines[0] += f"  # {node.location}"
    return lines


def _node_line(node: Node, names: dict[Value, str], style: _Style) -> str:
    """The one line of a node without regions."""
    line = _head(node, names, style)
    for name, value in written_attributes(node.op).items():
        line += f" {name}={attribute_text(value)}"
    return f"{line}  # {node.location}" if style.locations and node.location is not None else line


def _head(node: Node, names: dict[Value, str], style: _Style) -> str:
    """Results, op and operands."""
    operands = ", ".join([names[v] for v in node.operands])
    call = f"{node.op.name}({operands})"
    return f"{style.typed(node.results, names)} = {call}" if node.results else call


def written_attributes(op: Op) -> dict[str, Any]:
    """The attributes of an op, but those that are at their default."""
    own = vars(op)
    if not own:
        return {}
    attributes = _attributes(type(op))
    return {name: own[name] for name, default in attributes if default is MISSING or own[name] != default}


@functools.cache
def _attributes(op_class: type[Op]) -> tuple[tuple[str, Any], ...]:
    """The attributes of an op, with what those are at that may be left out."""
    return tuple((f.name, f.default) for f in fields(op_class))


def _branches(value: Any) -> tuple[Graph, ...]:
    """The graphs of an attribute that is a tuple of them, else none."""
    parts = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return parts if all(isinstance(part, Graph) for part in parts) else ()


def _append(lines: list[str], between: str, more: list[str]) -> None:
    """Go on in the last line with the first of `more`."""
    lines[-1] += between + more[0]
    lines += more[1:]


def attribute_text(value: Any) -> str:
    """An attribute's value as the parser reads it."""
    if type(value) is tuple and _PLAIN.issuperset(map(type, cast("tuple[Any, ...]", value))):
        return repr(cast("tuple[Any, ...]", value))
    match value:
        case bool() | int() | float() | None:
            return repr(value)
        case Deferred():
            return "None"  # What is made later is not read back.
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case DType() | Literal() | TensorType() | HostFunction():
            return str(value)
        case Sym():
            return f"[{value}]"
        case tuple():
            parts = [attribute_text(v) for v in cast("tuple[Any, ...]", value)]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        case np.generic():
            return repr(cast("np.generic[Any]", value).item())
        case _:
            return f"<{value}>"


_PLAIN = frozenset([int, bool, type(None)])
"""Types of which Python writes tuples as we do."""


def value_names(graph: Graph) -> dict[Value, str]:
    """A name for every value of a graph, each name once."""
    taken: set[str] = set()
    names: dict[Value, str] = {}
    counts: dict[str, int] = {}
    called = [(v, v.name or "arg") for v in graph.inputs]
    called += [(v, v.name or node.op.name) for node in graph.nodes for v in node.results]
    for value, name in called:
        base = _identifier(name)
        if base in RESERVED:
            base += "_"
        name = base
        while name in taken:
            counts[base] = counts.get(base, 0) + 1
            name = f"{base}_{counts[base]}"
        taken.add(name)
        names[value] = name
    return names


def numbers(graph: Graph) -> dict[Value, str]:
    """Numbers for the values of a graph, in place of names: programs that differ in names alone have one such text."""
    return {v: str(i) for i, v in enumerate(graph.values())}


def _identifier(name: str) -> str:
    if not name or name.isidentifier():
        return name
    name = re.sub(r"\W", "_", name)
    return f"_{name}" if name[:1].isdigit() else name
