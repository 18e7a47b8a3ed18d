"""The rules that every graph keeps."""

from __future__ import annotations

from rosin.ir.builder import explain
from rosin.ir.errors import RosinError, VerifyError
from rosin.ir.graph import Graph, measures
from rosin.ir.op import Value
from rosin.ir.types import same_type


def verify(graph: Graph) -> None:
    """Check that values are defined once and before use, sizes that are measured too, and that result types are what
    the ops' rules give.

    Raises:
        VerifyError: a rule is broken; the message names the graph and the node.
    """
    defined: set[Value] = set()
    unknown = dict(measures(graph.nodes))

    def define(value: Value, where: str) -> None:
        if value in defined:
            raise VerifyError(f"{graph.name}: {value} is defined twice, the second time by {where}")
        defined.add(value)

    for value in graph.inputs:
        define(value, "the inputs")
    for position, node in enumerate(graph.nodes):
        where = f"node {position}, {node.op.name}"
        for operand in node.operands:
            if operand not in defined:
                raise VerifyError(f"{graph.name}: {where} uses {operand} before its definition", (), node.location)
        for name in node.op.measured():
            if unknown.pop(name, None) is not node:
                raise VerifyError(f"{graph.name}: {where} measures {name} a second time", (), node.location)
        early = node.mentions(unknown) if unknown else ()
        for name in sorted(early):
            raise VerifyError(f"{graph.name}: {where} has the size {name} before it is measured", (), node.location)
        for region in node.regions:
            verify(region)
        try:
            types = node.op.type(*(v.type for v in node.operands))
            explain(node.op, node.location)
        except RosinError as error:
            raise VerifyError(f"{graph.name}: {where}: {error.message}", error.operands, node.location) from error
        if len(types) != len(node.results) or not all(map(same_type, types, (v.type for v in node.results))):
            written = ", ".join(str(v.type) for v in node.results)
            message = f"{graph.name}: {where} has results {written}, and its rule gives {', '.join(map(str, types))}"
            raise VerifyError(message, (), node.location)
        for value in node.results:
            define(value, where)
    for value in graph.outputs:
        if value not in defined:
            raise VerifyError(f"{graph.name}: the output {value} is not defined")
