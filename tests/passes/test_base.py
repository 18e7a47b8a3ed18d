"""What passes share: rebuilding a graph, names, locations, regions."""

from __future__ import annotations

from rosin.ir.builder import Builder
from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.op import Values
from rosin.ir.ops.call import Barrier, Checkpoint, CustomJvp
from rosin.ir.ops.exponential import Exp
from rosin.ir.ops.trigonometric import Sin
from rosin.passes.base import has_regions, is_fixed, map_regions, rebuild
from tests.passes.graphs import build


def sines(graph: Graph) -> Graph:
    """Every exp made a sin."""
    b = Builder()

    def visit(node: Node, operands: Values) -> Values | None:
        return b.node(Sin(), *operands) if isinstance(node.op, Exp) else None

    return rebuild(graph, visit, b)


def test_new_nodes_take_name_and_location() -> None:
    b = Builder()
    x = b.input(build("f32[2]", lambda b, x: x).inputs[0].type, "x")
    b.location = Location("model.py", 7)
    (y,) = b.node(Exp(), x, names=["activation"])
    graph = b.graph([b.neg(y)])
    (made, kept) = sines(graph).nodes
    assert made.results[0].name == "activation"
    assert made.location == Location("model.py", 7)
    assert kept.results == graph.nodes[1].results
    assert graph.nodes[0].op == Exp()


def test_values_that_were_there_keep_their_names() -> None:
    graph = build("f32[2]", lambda b, x: b.neg(b.node(Exp(), x, names=["y"])[0]))
    after = rebuild(graph, lambda node, operands: operands if isinstance(node.op, Exp) else None)
    assert [v.name for v in after.inputs] == ["x"]
    assert after.nodes[0].operands == after.inputs


def test_nothing_to_do_gives_the_same_graph() -> None:
    graph = build("f32[2]", lambda b, x: b.neg(x))
    assert rebuild(graph, lambda node, operands: None) is graph
    assert sines(graph) is graph
    assert map_regions(graph, sines) is graph


def test_regions_are_mapped_alone_and_in_order() -> None:
    body = build("f32[2]", lambda b, x: b.exp(x))
    graph = build("f32[2]", lambda b, x: b.exp(b.node(Checkpoint(body), x)[0]))
    call, outside = map_regions(graph, sines).nodes
    assert isinstance(call.op, Checkpoint)
    assert [n.op for n in call.op.body.nodes] == [Sin()]
    assert outside.op == Exp()


def test_which_ops_are_fixed_and_which_have_regions() -> None:
    body = build("f32[2]", lambda b, x: x)
    assert is_fixed(Barrier())
    assert not is_fixed(Exp())
    assert has_regions(CustomJvp(body, body))
    assert not has_regions(Exp())
