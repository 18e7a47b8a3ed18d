"""The graph: inputs, nodes in an order that defines before it uses, outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field, fields, replace
from typing import Any, cast

from rosin.ir import dims
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, Sym
from rosin.ir.literal import Literal
from rosin.ir.location import Location
from rosin.ir.op import Cost, Op, Value, Values
from rosin.ir.types import TensorType


@dataclass(eq=False, slots=True)
class Node:
    """One use of an op."""

    op: Op
    operands: Values
    results: Values
    location: Location | None = None

    @property
    def regions(self) -> tuple[Graph, ...]:
        """The graphs that the op holds."""
        return regions(self.op)

    def mentions(self, symbols: Collection[str]) -> set[str]:
        """Those of the symbols that stand in its attributes, regions or results."""
        found = {name for value in self.results for name in value.type.symbols}
        found |= _names_in(tuple(self.op.attributes().values()))
        return found.intersection(symbols)


@dataclass(eq=False, slots=True)
class Graph:
    """A typed SSA graph. Built once by a `Builder`, then never changed; passes build new ones."""

    inputs: Values
    nodes: tuple[Node, ...]
    outputs: Values
    name: str = "main"
    _key: tuple[Any, ...] | None = field(default=None, repr=False)
    _symbols: tuple[str, ...] | None = field(default=None, repr=False)
    _measured: dict[str, Dim] | None = field(default=None, repr=False)

    def users(self) -> dict[Value, list[Node]]:
        """The nodes that use each value, once for each use."""
        found: dict[Value, list[Node]] = {v: [] for v in self.values()}
        for node in self.nodes:
            for operand in node.operands:
                found[operand].append(node)
        return found

    def values(self) -> Iterator[Value]:
        """Inputs, then results, in order."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.results

    def symbols(self) -> tuple[str, ...]:
        """The names of the symbolic sizes of its values, and of those that are measured in it, in order."""
        if self._symbols is None:
            found = {name: None for v in self.values() for name in v.type.symbols}
            self._symbols = tuple(found | dict.fromkeys(self.measured()))
        return self._symbols

    def measured(self) -> dict[str, Dim]:
        """The symbols that are measured in the graph, be it in a region, each with the most that it can be."""
        if self._measured is None:
            self._measured = measured_in(self.nodes)
        return self._measured

    def known_inside(self) -> tuple[TensorType, str] | None:
        """The type of an output with a size that is measured in the graph, and that size; None where there is none."""
        measured = self.measured()
        found = ((v.type, name) for v in self.outputs for name in v.type.symbols if name in measured)
        return next(found, None) if measured else None

    def key(self) -> tuple[Any, ...]:
        """What two graphs that compute the same in the same way have in common: all but names and locations."""
        if self._key is None:
            number = {v: i for i, v in enumerate(self.values())}
            inputs = tuple(v.type for v in self.inputs)
            nodes = tuple((n.op, tuple(number[v] for v in n.operands), len(n.results)) for n in self.nodes)
            self._key = (inputs, nodes, tuple(number[v] for v in self.outputs))
        return self._key

    def cost(self) -> Cost:
        """The work of all nodes."""
        costs = [n.op.cost(tuple(v.type for v in n.operands), tuple(v.type for v in n.results)) for n in self.nodes]
        return sum(costs, Cost(0, 0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


def measures(nodes: Sequence[Node]) -> dict[str, Node]:
    """The nodes after which a size is known that is measured in them, by the symbol that it is."""
    if not _may_measure(nodes):
        return {}
    return {name: node for node in nodes for name in node.op.measured()}


def measured_in(nodes: Sequence[Node]) -> dict[str, Dim]:
    """The symbols that are measured in the nodes, be it in regions of theirs, each with the most that it can be."""
    found: dict[str, Dim] = {}
    if not _may_measure(nodes):
        return found
    for node in nodes:
        found |= node.op.measured()
        for region in node.regions:
            found |= region.measured()
    return found


def _may_measure(nodes: Sequence[Node]) -> bool:
    """Whether any op is of a class that measures sizes, or holds graphs: few classes are soon asked."""
    classes = {type(node.op) for node in nodes}
    return any(c.measured is not Op.measured or region_fields(c) for c in classes)


def _names_in(value: Any) -> set[str]:
    """The symbols in the value of an attribute."""
    match value:
        case Sym():
            return set(dims.names(value))
        case TensorType():
            return set(value.symbols)
        case Literal():
            return _names_in(value.type)
        case Graph():
            found = {name for v in value.values() for name in v.type.symbols}
            for node in value.nodes:
                found |= _names_in(tuple(node.op.attributes().values()))
            return found
        case tuple():
            return {name for part in cast("tuple[Any, ...]", value) for name in _names_in(part)}
        case _:
            return set()


class Deferred:
    """A graph that is made when it is first asked for."""

    def __init__(self, make: Callable[[], Graph]) -> None:
        self.graph = functools.cache(make)


def regions(op: Op) -> tuple[Graph, ...]:
    """The graphs that an op holds as attributes, alone or in tuples (bodies of calls and loops, branches)."""
    names = region_fields(type(op))
    if not names:
        return ()
    found: list[Graph] = []
    for name in names:
        value = getattr(op, name)
        parts = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
        found += [part for part in parts if isinstance(part, Graph)]
    return tuple(found)


@functools.cache
def region_fields(op_class: type[Op]) -> tuple[str, ...]:
    """The attributes of an op that hold graphs, alone or in a tuple."""
    return tuple(f.name for f in fields(op_class) if "Graph" in str(f.type))


def with_regions(op: Op, graphs: Sequence[Graph]) -> Op:
    """The op with other graphs in place of those that it holds, in the order of `regions`."""
    rest = iter(graphs)
    return map_op(op, lambda _: next(rest))


def map_op(op: Op, change: Callable[[Graph], Graph]) -> Op:
    """The op with `change` done to the graphs that it holds."""
    changed: dict[str, Any] = {}
    for name in region_fields(type(op)):
        value = getattr(op, name)
        graphs = cast("tuple[Graph, ...]", value if isinstance(value, tuple) else (value,))
        new = tuple(map(change, graphs))
        if any(after is not before for after, before in zip(new, graphs, strict=True)):
            changed[name] = new if isinstance(value, tuple) else new[0]
    return replace(op, **changed) if changed else op
