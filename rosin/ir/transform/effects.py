"""What Python does in a region: only where a truth value holds, or not again when the region is computed again."""

from __future__ import annotations

from rosin.ir.builder import Builder
from rosin.ir.dtypes import bool_
from rosin.ir.errors import NotDifferentiableError
from rosin.ir.graph import Graph, Node
from rosin.ir.ops.effect import Host
from rosin.ir.types import TensorType


def calls_host(region: Graph) -> bool:
    """Whether Python does something in the region, however deep."""
    return any(isinstance(node.op, Host) or any(map(calls_host, node.regions)) for node in region.nodes)


def guarded(region: Graph) -> Graph:
    """The region with a truth value as its last input: what Python does in it, it does only where that holds."""
    b = Builder()
    env = {v: b.input(v.type, v.name) for v in region.inputs}
    taken = b.input(TensorType(bool_), "taken")
    for node in region.nodes:
        b.location = node.location
        operands = tuple(env[v] for v in node.operands)
        if isinstance(node.op, Host) or any(map(calls_host, node.regions)):
            results = node.op.only_where(b, taken, operands, guarded)
        else:
            results = b.copy(node, operands)
        for old, new in zip(node.results, results, strict=True):
            new.name = new.name or old.name
            env[old] = new
    return b.graph([env[v] for v in region.outputs], region.name)


def silent(region: Graph) -> Graph:
    """The region without its effects, for computing its results once more.

    Raises:
        NotDifferentiableError: a result comes from an effect, which would happen twice.
    """
    if not any(node.op.effect or node.regions for node in region.nodes):
        return region
    nodes: list[Node] = []
    for node in region.nodes:
        if node.regions:
            nodes.append(Node(node.op.silenced(silent), node.operands, node.results, node.location))
        elif not node.op.effect:
            nodes.append(node)
        elif node.results:
            reason = "reverse mode computes what stands around it a second time, and it would happen twice"
            instead = "call it outside of branches and checkpoints, or use pure_callback"
            types = [v.type for v in node.operands]
            raise NotDifferentiableError(f"{node.op.name}: {reason}; {instead}", types, node.location)
    return Graph(region.inputs, tuple(nodes), region.outputs, region.name)
