"""A graph with other sizes in place of symbolic ones: numbers for the interpreter, or what a symbol is found to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from rosin.ir import dims, facts
from rosin.ir.dims import Dim, Sym
from rosin.ir.errors import located
from rosin.ir.graph import Graph, Node, measured_in
from rosin.ir.literal import Literal
from rosin.ir.op import Op, Value
from rosin.ir.ops.measure import Measure
from rosin.ir.types import TensorType


def specialize(graph: Graph, sizes: Mapping[str, Dim]) -> Graph:
    """The graph with sizes put in the place of symbols, in its types and in the attributes and regions of its ops.

    Raises:
        RosinError: the type rule of an op refuses its operands at these sizes.
    """
    env = {v: Value(type_at(v.type, sizes), v.name) for v in graph.inputs}
    inputs = tuple(env[v] for v in graph.inputs)
    nodes: list[Node] = []
    for node in graph.nodes:
        op, operands = op_at(node.op, sizes), tuple(env[v] for v in node.operands)
        with located(node.location):
            types = op.type(*(v.type for v in operands))
        results = tuple(Value(t, v.name) for t, v in zip(types, node.results, strict=True))
        env.update(zip(node.results, results, strict=True))
        nodes.append(Node(op, operands, results, node.location))
    return Graph(inputs, tuple(nodes), tuple(env[v] for v in graph.outputs), graph.name)


def apart(graph: Graph, nodes: Sequence[Node]) -> Graph:
    """The graph with new names for those sizes that are measured in it and in the nodes too, to which it is added: a
    symbol is measured in one place of a program."""
    measured = graph.measured()
    taken = measured_in(nodes) if measured else {}
    both = [name for name in measured if name in taken]
    if not both:
        return graph
    known = facts.current()
    new: dict[str, Dim] = {}
    for name in both:
        new[name] = dims.symbol(known.new_name((*graph.symbols(), *taken, *map(str, new.values()))))
    return specialize(graph, new)


def op_at(op: Op, sizes: Mapping[str, Dim]) -> Op:
    """The op with sizes in the place of symbols among its attributes and in its regions."""
    old = op.attributes()
    new = {name: _attribute(value, sizes) for name, value in old.items()}
    changed = {name: value for name, value in new.items() if value is not old[name]}
    if isinstance(op, Measure) and isinstance(sizes.get(op.symbol), Sym):
        changed["symbol"] = str(sizes[op.symbol])
    return replace(op, **changed) if changed else op


def _attribute(value: Any, sizes: Mapping[str, Dim]) -> Any:
    """The value of an attribute; the very same object where no symbol is in it."""
    match value:
        case Sym():
            return dims.substitute(value, sizes)
        case TensorType():
            return type_at(value, sizes)
        case Literal():
            type = type_at(value.type, sizes)
            return value if type is value.type else Literal(type, value.array)
        case Graph():
            return specialize(value, sizes)
        case tuple():
            old = cast("tuple[Any, ...]", value)
            parts = tuple(_attribute(part, sizes) for part in old)
            return old if all(x is y for x, y in zip(parts, old, strict=True)) else parts
        case _:
            return value


def type_at(type: TensorType, sizes: Mapping[str, Dim]) -> TensorType:
    """The type with sizes in the place of symbols."""
    if dims.is_static(type.shape):
        return type
    return type.with_shape(tuple(dims.substitute(dim, sizes) for dim in type.shape))
